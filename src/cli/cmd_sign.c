/* SPDX-License-Identifier: BSD-2-Clause */
/* wba sign: signs a request and prints it, its fields, or curl's arguments. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "curl_line.h"
#include "file.h"
#include "profiles.h"
#include "signing.h"
#include "when.h"

#define DEFAULT_LIFETIME 300

/* What signing takes: the head and the base, each copied a few times while
 * they grow. */
#define ARENA (4 * 1024 * 1024)

/* As long as the nonces seen in the field: 88 characters. */
#define NONCE_BYTES 64
#define NONCE_TEXT 89

typedef enum {
    FORMAT_HEADERS,
    FORMAT_RAW,
    FORMAT_CURL, /* curl's arguments */
    FORMAT_LINE, /* a shell's line that runs curl */
    FORMAT_EXEC  /* run curl */
} format_t;

typedef struct {
    signing_t signing;
    const char *key;
    const char *body; /* path */
    bool no_nonce;
    bool no_alg;
    bool has_created;
    bool has_expires;
    bool has_lifetime;
    int64_t lifetime;
    int64_t now;
    format_t format;
    char **more; /* what is curl's own */
    int nmore;
    char nonce[NONCE_TEXT];
} sign_t;

enum {
    KEY = CLI_OPTION_OWN,
    URL,
    METHOD,
    HEADER,
    COMPONENT,
    PROFILE,
    AGENT,
    AGENT_FORM,
    LABEL,
    TAG,
    NONCE,
    CREATED,
    EXPIRES,
    LIFETIME,
    KEYID,
    ALG,
    BODY,
    FORMAT,
    CURL
};

static const struct option known[] = {
    { "key", required_argument, NULL, KEY },
    { "url", required_argument, NULL, URL },
    { "method", required_argument, NULL, METHOD },
    { "header", required_argument, NULL, HEADER },
    { "component", required_argument, NULL, COMPONENT },
    { "profile", required_argument, NULL, PROFILE },
    { "agent", required_argument, NULL, AGENT },
    { "agent-form", required_argument, NULL, AGENT_FORM },
    { "label", required_argument, NULL, LABEL },
    { "tag", required_argument, NULL, TAG },
    { "nonce", required_argument, NULL, NONCE },
    { "created", required_argument, NULL, CREATED },
    { "expires", required_argument, NULL, EXPIRES },
    { "lifetime", required_argument, NULL, LIFETIME },
    { "keyid", required_argument, NULL, KEYID },
    { "alg", required_argument, NULL, ALG },
    { "body", required_argument, NULL, BODY },
    { "format", required_argument, NULL, FORMAT },
    { "curl", no_argument, NULL, CURL },
    { NULL, 0, NULL, 0 },
};

static int
add(const char **list, size_t *n, size_t max, const char *option)
{
    if (*n == max) {
        return cli_fail("more than %zu times --%s", max, option);
    }
    list[(*n)++] = optarg;
    return CLI_OK;
}

static int
parse_time(const sign_t *o, const char *option, bool *has, int64_t *out)
{
    *has = true;
    if (!when_parse(optarg, o->now, out)) {
        return cli_fail("--%s %s is no time; write seconds since 1970, "
                        "2026-12-31T00:00:00Z, now, +5m or -5m",
                        option, optarg);
    }
    return CLI_OK;
}

static int
parse_lifetime(sign_t *o)
{
    o->has_lifetime = true;
    if (!when_parse_duration(optarg, &o->lifetime)) {
        return cli_fail("--lifetime %s is no duration; write seconds, or 5m",
                        optarg);
    }
    return CLI_OK;
}

static int
parse_agent_form(signing_t *s)
{
    s->agent_string = strcmp(optarg, "string") == 0;
    if (!s->agent_string && strcmp(optarg, "dictionary") != 0) {
        return cli_fail("--agent-form %s is neither dictionary nor string",
                        optarg);
    }
    return CLI_OK;
}

static int
parse_format(sign_t *o)
{
    static const char *const names[] = { "headers", "raw", "curl" };
    int i;

    for (i = FORMAT_HEADERS; i <= FORMAT_CURL; i++) {
        if (strcmp(optarg, names[i]) == 0) {
            o->format = (format_t) i;
            return CLI_OK;
        }
    }
    return cli_fail("--format %s is none of headers, raw, curl", optarg);
}

/* Options that are a mere text. */
static bool
take_text(sign_t *o, int c)
{
    signing_t *s = &o->signing;
    const struct {
        int option;
        const char **text;
    } texts[] = {
        { KEY, &o->key },       { URL, &s->url },     { METHOD, &s->method },
        { AGENT, &s->agent },   { LABEL, &s->label }, { TAG, &s->tag },
        { KEYID, &s->keyid },   { ALG, &s->alg },     { BODY, &o->body },
        { NONCE, &s->nonce },
    };
    size_t i;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].option == c) {
            *texts[i].text = optarg;
            return true;
        }
    }
    return false;
}

static int
take(sign_t *o, int c)
{
    signing_t *s = &o->signing;

    if (take_text(o, c)) {
        return CLI_OK;
    }
    switch (c) {
    case HEADER:
        return add(s->headers, &s->nheaders, SIGNING_MAX_HEADERS, "header");
    case COMPONENT:
        return add(s->components, &s->ncomponents, WBA_MAX_COMPONENTS,
                   "component");
    case PROFILE:
        s->profile = profiles_find(optarg);
        return s->profile != NULL ? CLI_OK : CLI_TROUBLE;
    case AGENT_FORM:
        return parse_agent_form(s);
    case CREATED:
        return parse_time(o, "created", &o->has_created, &s->created);
    case EXPIRES:
        return parse_time(o, "expires", &o->has_expires, &s->expires);
    case LIFETIME:
        return parse_lifetime(o);
    case FORMAT:
    case CURL:
        if (o->format == FORMAT_EXEC) {
            return cli_fail("wba curl runs curl; to print something, use "
                            "wba sign");
        }
        o->format = FORMAT_LINE;
        return c == CURL ? CLI_OK : parse_format(o);
    default:
        return CLI_TROUBLE;
    }
}

static int
options(int argc, char **argv, sign_t *o)
{
    int c;

    while ((c = cli_option(argc, argv, known)) != CLI_OPTION_END) {
        if (take(o, c) != CLI_OK) {
            return CLI_TROUBLE;
        }
    }
    if (o->format == FORMAT_EXEC && optind < argc
        && o->signing.url == NULL)
    {
        o->signing.url = argv[optind++];
    }
    if (o->format == FORMAT_EXEC) {
        o->more = argv + optind;
        o->nmore = argc - optind;
    } else if (optind < argc) {
        return cli_fail("what is '%s' for? The URL goes behind --url",
                        argv[optind]);
    }
    if (o->key == NULL) {
        return cli_fail("which key? Give --key FILE ('wba keygen --out FILE' "
                        "makes one)");
    }
    if (o->signing.url == NULL) {
        return cli_fail(o->format == FORMAT_EXEC
                            ? "ask for what? Give a URL"
                            : "sign what? Give --url URL");
    }
    if (o->has_expires && o->has_lifetime) {
        return cli_fail("--expires and --lifetime both say when the signature "
                        "ends; give one");
    }
    if (o->format >= FORMAT_CURL && o->body != NULL
        && strcmp(o->body, "-") == 0)
    {
        return cli_fail("curl reads the body again, so it must be a file: "
                        "--body FILE");
    }
    return CLI_OK;
}

/* --alg says what is stated, and of an RSA key also what it signs with. */
static int
choose_alg(sign_t *o, const signer_t *key)
{
    signing_t *s = &o->signing;
    bool stated = s->alg != NULL && strcmp(s->alg, "none") != 0;
    wba_alg_t named = stated ? wba_alg_by_name(wba_str_z(s->alg))
                             : WBA_ALG_NONE;

    s->sign_with = (wba_alg_t) (key->algs & (unsigned) named);
    if (s->sign_with == WBA_ALG_NONE && (key->algs & (key->algs - 1)) == 0) {
        s->sign_with = (wba_alg_t) key->algs;
    }
    if (s->sign_with == WBA_ALG_NONE) {
        return cli_fail("%s is an RSA key that does not say what for; say "
                        "--alg rsa-pss-sha512 or --alg rsa-pss-sha256",
                        o->key);
    }
    if (s->alg == NULL) {
        s->alg = wba_alg_name(s->sign_with);
    } else if (!stated) {
        s->alg = NULL;
    } else if (named != s->sign_with) {
        cli_note("alg=\"%s\" is stated as you ask, but the key signs %s",
                 s->alg, wba_alg_name(s->sign_with));
    }
    return CLI_OK;
}

/* What was not said follows from what was. */
static int
complete(sign_t *o, const signer_t *key)
{
    signing_t *s = &o->signing;
    uint8_t random[NONCE_BYTES];

    s->key = key;
    s->has_body = o->body != NULL;
    if (s->method == NULL) {
        s->method = s->has_body ? "POST" : "GET";
    }
    if (s->profile == NULL) {
        s->profile = profiles_find(s->agent != NULL ? "web-bot-auth" : "tap");
    }
    if (s->tag == NULL) { /* a literal, with its NUL */
        s->tag = (const char *) s->profile->tags[0].text.data;
    }
    if (s->keyid == NULL) {
        s->keyid = key->thumbprint;
    }
    if (choose_alg(o, key) != CLI_OK) {
        return CLI_TROUBLE;
    }
    if (s->nonce == NULL) {
        randombytes_buf(random, sizeof(random));
        (void) sodium_bin2base64(o->nonce, sizeof(o->nonce), random,
                                 sizeof(random),
                                 sodium_base64_VARIANT_ORIGINAL);
        s->nonce = o->nonce;
    } else if (strcmp(s->nonce, "none") == 0) {
        s->nonce = NULL;
    } else if (*s->nonce == '\0') {
        return cli_fail("--nonce is empty; 'none' leaves it out");
    }
    if (!o->has_created) {
        s->created = o->now;
    }
    if (!o->has_expires) {
        s->expires = s->created + o->lifetime;
    }
    if (s->created < -WHEN_MAX || s->expires > WHEN_MAX) {
        return cli_fail("the signature's times have more than 15 digits");
    }
    return CLI_OK;
}

/* Printing. */

static void
each_field(const signing_result_t *r,
           void (*print)(const char *name, wba_str_t value))
{
    const struct {
        const char *name;
        wba_str_t value;
    } fields[] = {
        { "Signature-Agent", r->agent },
        { "Content-Digest", r->digest },
        { "Signature-Input", r->input },
        { "Signature", r->signature },
    };
    size_t i;

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (fields[i].value.data != NULL) {
            print(fields[i].name, fields[i].value);
        }
    }
}

static void
print_field(const char *name, wba_str_t value)
{
    (void) printf("%s: %.*s\n", name, (int) value.len,
                  (const char *) value.data);
}

static void
print_raw(const signing_t *s, const signing_result_t *r)
{
    (void) fwrite(r->head.data, 1, r->head.len, stdout);
    (void) printf("Signature-Input: %.*s\r\nSignature: %.*s\r\n\r\n",
                  (int) r->input.len, (const char *) r->input.data,
                  (int) r->signature.len, (const char *) r->signature.data);
    if (s->body.len) {
        (void) fwrite(s->body.data, 1, s->body.len, stdout);
    }
}

static int
curl(const sign_t *o, const signing_result_t *r)
{
    curl_line_t w;
    int rc = CLI_OK;

    if (!curl_line_make(&w, &o->signing, r, o->body, o->more, o->nmore)) {
        rc = cli_fail("out of memory, or too many words for curl");
    } else if (o->format == FORMAT_EXEC) {
        (void) fflush(stdout);
        (void) execvp(w.word[0], w.word);
        rc = cli_fail("curl cannot be run: %s", strerror(errno));
    } else {
        curl_line_print(&w, o->format == FORMAT_CURL ? 1 : 0);
    }
    curl_line_free(&w);
    return rc;
}

static int
print(const sign_t *o, const signing_result_t *r)
{
    switch (o->format) {
    case FORMAT_HEADERS:
        each_field(r, print_field);
        return CLI_OK;
    case FORMAT_RAW:
        print_raw(&o->signing, r);
        return CLI_OK;
    default:
        return curl(o, r);
    }
}

static int
sign(sign_t *o, const signer_t *key)
{
    void *block = malloc(ARENA);
    signing_result_t result;
    wba_arena_t arena;
    wba_mem_t mem;
    int rc;

    if (block == NULL) {
        return cli_fail("out of memory");
    }
    wba_arena_init(&arena, block, ARENA);
    mem = wba_arena_mem(&arena);
    rc = complete(o, key);
    if (rc == CLI_OK) {
        rc = signing_make(&o->signing, &mem, &result);
    }
    if (rc == CLI_OK) {
        rc = print(o, &result);
    }
    free(block);
    return rc;
}

static int
run_as(int argc, char **argv, format_t format)
{
    sign_t o = {
        .signing = { .label = "sig1" },
        .lifetime = DEFAULT_LIFETIME,
        .now = (int64_t) time(NULL),
        .format = format,
    };
    signer_t key;
    int rc;

    if (options(argc, argv, &o) != CLI_OK) {
        return CLI_TROUBLE;
    }
    if (o.body != NULL && file_read(o.body, &o.signing.body) != CLI_OK) {
        return CLI_TROUBLE;
    }
    rc = signer_read(&key, o.key);
    if (rc == CLI_OK) {
        rc = sign(&o, &key);
    }
    signer_clear(&key);
    file_free(o.signing.body);
    return rc;
}

static int
run(int argc, char **argv)
{
    return run_as(argc, argv, FORMAT_HEADERS);
}

static int
run_curl(int argc, char **argv)
{
    return run_as(argc, argv, FORMAT_EXEC);
}

#define SIGNATURE_OPTIONS \
    "  --profile NAME        tap, agent-pay or web-bot-auth; default: tap, or\n" \
    "                        web-bot-auth with --agent\n" \
    "  --agent URL           send and cover this Signature-Agent\n" \
    "  --agent-form FORM     dictionary (default), or string for the legacy\n" \
    "                        form\n" \
    "  --component NAME      cover this, and nothing but what is so given;\n" \
    "                        default: what the profile asks, and the agent.\n" \
    "                        A name (@path, content-type) or an identifier\n" \
    "                        as '\"signature-agent\";key=\"sig1\"'\n" \
    "\n" \
    "  --label LABEL         default: sig1\n" \
    "  --tag TAG             default: agent-browser-auth, or web-bot-auth\n" \
    "  --nonce TEXT|none     default: 64 random bytes\n" \
    "  --created TIME        default: now\n" \
    "  --expires TIME        or --lifetime DURATION (default: 300)\n" \
    "  --lifetime DURATION   from created to expires\n" \
    "  --keyid TEXT          default: the key's thumbprint\n" \
    "  --alg NAME|none       what is stated; default: the key's own. An RSA key\n" \
    "                        without \"alg\" needs it: rsa-pss-sha512 or\n" \
    "                        rsa-pss-sha256\n"

const cli_command_t cmd_curl = {
    "curl",
    "sign a request and send it with curl",
    "Usage: wba curl --key FILE [OPTION]... URL [-- CURL'S OPTION...]\n"
    "\n"
    "Signs a request as wba sign does, and runs curl to send it. What stands\n"
    "behind -- is curl's own. A signature is for one URL: do not let curl\n"
    "follow redirects (--location).\n"
    "\n"
    "  --key FILE            a private JWK: Ed25519, P-256 or RSA\n"
    "  --url URL             what is requested, instead of the bare URL\n"
    "  --method METHOD       default: GET, or POST with --body\n"
    "  --header 'NAME: TEXT' a field of the request; may be repeated\n"
    "  --body FILE           the body, which curl reads again; a covered\n"
    "                        content-digest is computed from it\n"
    "\n"
    SIGNATURE_OPTIONS
    "\n"
    "TIME is seconds since 1970, 2026-12-31T00:00:00Z, now, +5m or -5m;\n"
    "DURATION is seconds, or 30s, 5m, 8h, 1d.\n",
    "wba curl --key agent.key https://shop.example/\n"
    "# as a Web Bot Auth agent; with curl's own options\n"
    "wba curl --key agent.key --agent https://agent.example \\\n"
    "    https://shop.example/ -- --include\n"
    "wba curl --key agent.key --tag agent-payer-auth --body order.json \\\n"
    "    --component @authority --component @path --component content-digest \\\n"
    "    https://shop.example/pay -- --silent --fail\n",
    "curl's (0: there was an answer, whatever it was; with --fail 22\n"
    "for a refusal), or 2 where there was nothing to run.\n",
    run_curl,
};

const cli_command_t cmd_sign = {
    "sign",
    "sign a request",
    "Usage: wba sign --key FILE --url URL [OPTION]...\n"
    "\n"
    "Signs a request and prints what to send.\n"
    "\n"
    "  --key FILE            a private JWK: Ed25519, P-256 or RSA\n"
    "  --url URL             what is requested\n"
    "  --method METHOD       default: GET, or POST with --body\n"
    "  --header 'NAME: TEXT' a field of the request; may be repeated\n"
    "  --body FILE           the body ('-': the standard input); a covered\n"
    "                        content-digest is computed from it\n"
    "\n"
    SIGNATURE_OPTIONS
    "\n"
    "  --format FORMAT       headers: the fields that signing adds (default)\n"
    "                        raw: the whole request, for wba verify or a pipe\n"
    "                        curl: its arguments; wba sign ... | xargs curl\n"
    "  --curl                print a command line for a shell that runs curl\n"
    "                        (to run it at once: wba curl)\n"
    "\n"
    "TIME is seconds since 1970, 2026-12-31T00:00:00Z, now, +5m or -5m;\n"
    "DURATION is seconds, or 30s, 5m, 8h, 1d.\n",
    "# the fields to add to a request\n"
    "wba sign --key agent.key --url 'https://shop.example/catalogue?page=2'\n"
    "# a whole request of a Web Bot Auth agent\n"
    "wba sign --key agent.key --url https://shop.example/ \\\n"
    "    --agent https://agent.example --format raw > request.txt\n"
    "# a line for a shell: a payer's request, its body covered\n"
    "echo '{\"amount\":1}' > order.json\n"
    "wba sign --key agent.key --url https://shop.example/pay \\\n"
    "    --body order.json --header 'Content-Type: application/json' \\\n"
    "    --tag agent-payer-auth --component @authority --component @path \\\n"
    "    --component content-digest --curl\n",
    "0 signed, 2 wrong use, a file that cannot be read, or a request\n"
    "that cannot be signed.\n",
    run,
};
