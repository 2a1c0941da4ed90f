/* SPDX-License-Identifier: BSD-2-Clause */
/* wba sign: signs a request and prints it, its fields, or curl's arguments. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "file.h"
#include "profiles.h"
#include "signing.h"
#include "text.h"
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

/* What was not said follows from what was. */
static int
complete(sign_t *o, const keyfile_signer_t *key)
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
    if (s->alg == NULL) {
        s->alg = wba_alg_name(WBA_ALG_ED25519);
    } else if (strcmp(s->alg, "none") == 0) {
        s->alg = NULL;
    }
    if (s->nonce == NULL) {
        randombytes_buf(random, sizeof(random));
        (void) sodium_bin2base64(o->nonce, sizeof(o->nonce), random,
                                 sizeof(random),
                                 sodium_base64_VARIANT_ORIGINAL);
        s->nonce = o->nonce;
    } else if (strcmp(s->nonce, "none") == 0) {
        s->nonce = NULL;
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

/* curl's command line, a word for each.  Memory of malloc; the process ends
 * soon. */
#define MAX_WORDS (2 * SIGNING_MAX_HEADERS + 64)

typedef struct {
    char *word[MAX_WORDS + 1]; /* NULL behind the last */
    size_t count;
    bool failed;
} words_t;

static void
add_word(words_t *w, wba_str_t a, wba_str_t b, wba_str_t c)
{
    char *word = malloc(a.len + b.len + c.len + 1), *p = word;

    if (word == NULL || w->count == MAX_WORDS) {
        free(word);
        w->failed = true;
        return;
    }
    if (a.len) {
        memcpy(p, a.data, a.len);
        p += a.len;
    }
    if (b.len) {
        memcpy(p, b.data, b.len);
        p += b.len;
    }
    if (c.len) {
        memcpy(p, c.data, c.len);
        p += c.len;
    }
    *p = '\0';
    w->word[w->count++] = word;
}

static void
add_text(words_t *w, const char *text)
{
    add_word(w, wba_str_z(text), WBA_STR_NONE, WBA_STR_NONE);
}

/* curl sends a field without value only if it ends in ';'. */
static void
add_header(words_t *w, const char *header)
{
    const char *colon = strchr(header, ':');

    add_text(w, "-H");
    if (colon[1 + strspn(colon + 1, " \t")] != '\0') {
        add_text(w, header);
    } else {
        add_word(w, wba_str(header, (size_t) (colon - header)), WBA_STR(";"),
                 WBA_STR_NONE);
    }
}

static void
add_field(words_t *w, const char *name, wba_str_t value)
{
    if (value.data != NULL) {
        add_text(w, "-H");
        add_word(w, wba_str_z(name), WBA_STR(": "), value);
    }
}

static void
add_method(words_t *w, const signing_t *s)
{
    if (strcmp(s->method, "HEAD") == 0) {
        add_text(w, "--head");
    } else if (strcmp(s->method, s->has_body ? "POST" : "GET") != 0) {
        add_text(w, "-X");
        add_text(w, s->method);
    }
}

/* more: words of the user's for curl, before the URL. */
static bool
curl_words(const sign_t *o, const signing_result_t *r, words_t *w)
{
    const signing_t *s = &o->signing;
    size_t i;
    int k;

    memset(w, 0, sizeof(*w));
    add_text(w, "curl");
    /* curl must send the target as it was signed. */
    add_text(w, "--path-as-is");
    add_text(w, "--globoff");
    add_method(w, s);
    for (i = 0; i < s->nheaders; i++) {
        add_header(w, s->headers[i]);
    }
    add_field(w, "Signature-Agent", r->agent);
    add_field(w, "Content-Digest", r->digest);
    add_field(w, "Signature-Input", r->input);
    add_field(w, "Signature", r->signature);
    if (o->body != NULL) {
        add_text(w, "--data-binary");
        add_word(w, WBA_STR("@"), wba_str_z(o->body), WBA_STR_NONE);
    }
    for (k = 0; k < o->nmore; k++) {
        add_text(w, o->more[k]);
    }
    add_text(w, s->url);
    return !w->failed;
}

static bool
is_safe(const char *word)
{
    return *word != '\0'
           && word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST"
                                "UVWXYZ0123456789-_./@")] == '\0';
}

/* For a shell, and for xargs. */
static void
print_words(const words_t *w, size_t first)
{
    size_t i;

    for (i = first; i < w->count; i++) {
        (void) fputs(i > first ? " " : "", stdout);
        if (is_safe(w->word[i])) {
            (void) fputs(w->word[i], stdout);
        } else {
            (void) fputc('\'', stdout);
            text_put_quoted(stdout, wba_str_z(w->word[i]));
            (void) fputc('\'', stdout);
        }
    }
    (void) fputc('\n', stdout);
}

static int
curl(const sign_t *o, const signing_result_t *r)
{
    words_t w;
    size_t i;
    int rc = CLI_OK;

    if (!curl_words(o, r, &w)) {
        rc = cli_fail("out of memory, or too many words for curl");
    } else if (o->format == FORMAT_EXEC) {
        (void) fflush(stdout);
        (void) execvp(w.word[0], w.word);
        rc = cli_fail("curl cannot be run: %s", strerror(errno));
    } else {
        print_words(&w, o->format == FORMAT_CURL ? 1 : 0);
    }
    for (i = 0; i < w.count; i++) {
        free(w.word[i]);
    }
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
sign(sign_t *o, const keyfile_signer_t *key)
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
    keyfile_signer_t key;
    int rc;

    if (options(argc, argv, &o) != CLI_OK) {
        return CLI_TROUBLE;
    }
    if (o.body != NULL && file_read(o.body, &o.signing.body) != CLI_OK) {
        return CLI_TROUBLE;
    }
    rc = keyfile_signer(o.key, &key);
    if (rc == CLI_OK) {
        rc = sign(&o, &key);
    }
    keyfile_signer_clear(&key);
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

const cli_command_t cmd_curl = {
    "curl",
    "sign a request and send it with curl",
    "Usage: wba curl --key FILE [OPTION]... URL [-- CURL'S OPTION...]\n"
    "\n"
    "Signs a request as wba sign does, whose options it takes (but --format and\n"
    "--curl), and runs curl to send it. What stands behind -- is curl's own.\n"
    "\n"
    "    wba curl --key agent.key https://shop.example/\n"
    "    wba curl --key agent.key --tag agent-payer-auth --body order.json \\\n"
    "        https://shop.example/pay -- --verbose --insecure\n"
    "\n"
    "Do not let curl follow redirects (--location): the signature is for this URL\n"
    "alone. Exit status: 2 where there was nothing to run, else curl's.\n",
    run_curl,
};

const cli_command_t cmd_sign = {
    "sign",
    "sign a request",
    "Usage: wba sign --key FILE --url URL [OPTION]...\n"
    "\n"
    "Signs a request with an Ed25519 key and prints what to send.\n"
    "\n"
    "  --key FILE            a private JWK\n"
    "  --url URL             what is requested\n"
    "  --method METHOD       default: GET, or POST with --body\n"
    "  --header 'NAME: TEXT' a field of the request; may be repeated\n"
    "  --body FILE           the body ('-': the standard input); a covered\n"
    "                        content-digest is computed from it\n"
    "\n"
    "  --profile NAME        tap, agent-pay or web-bot-auth; default: tap, or\n"
    "                        web-bot-auth with --agent\n"
    "  --agent URL           send and cover this Signature-Agent\n"
    "  --agent-form FORM     dictionary (default), or string for the legacy\n"
    "                        form\n"
    "  --component NAME      cover this, and nothing but what is so given;\n"
    "                        default: what the profile asks, and the agent.\n"
    "                        A name (@path, content-type) or an identifier\n"
    "                        as '\"signature-agent\";key=\"sig1\"'\n"
    "\n"
    "  --label LABEL         default: sig1\n"
    "  --tag TAG             default: agent-browser-auth, or web-bot-auth\n"
    "  --nonce TEXT|none     default: 64 random bytes\n"
    "  --created TIME        default: now\n"
    "  --expires TIME        or --lifetime DURATION (default: 300)\n"
    "  --keyid TEXT          default: the key's thumbprint\n"
    "  --alg TEXT|none       default: ed25519\n"
    "\n"
    "  --format FORMAT       headers: the fields that signing adds (default)\n"
    "                        raw: the whole request, for wba verify or a pipe\n"
    "                        curl: its arguments; wba sign ... | xargs curl\n"
    "  --curl                print a command line for a shell that runs curl\n"
    "                        (to run it at once: wba curl)\n"
    "\n"
    "TIME is seconds since 1970, 2026-12-31T00:00:00Z, now, +5m or -5m;\n"
    "DURATION is seconds, or 30s, 5m, 8h, 1d.\n",
    run,
};
