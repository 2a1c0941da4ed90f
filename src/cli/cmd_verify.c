/* SPDX-License-Identifier: BSD-2-Clause */
/* wba verify: judges a captured request offline and says why. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "explain.h"
#include "file.h"
#include "profiles.h"
#include "when.h"

typedef struct {
    trial_t *trial;
    const char *request;
    const wba_profile_t *profile; /* of the directories that follow */
    const char *profile_unused;   /* given, and none has followed */
    unsigned lenient;             /* of the directories that follow */
    const char *lenient_unused;
    unsigned algorithms; /* of the directories that follow */
    const char *algorithm_unused;
    bool json;
} verify_t;

enum {
    REQUEST = CLI_OPTION_OWN,
    DIRECTORY,
    PROFILE,
    LENIENT,
    ALGORITHM,
    NOW,
    SCHEME,
    AUTHORITY,
    MAX_LIFETIME,
    SKEW,
    COMPONENT,
    BODY_LINK,
    TEST_KEYS,
    JSON
};

static const struct option known[] = {
    { "request", required_argument, NULL, REQUEST },
    { "directory", required_argument, NULL, DIRECTORY },
    { "profile", required_argument, NULL, PROFILE },
    { "lenient", required_argument, NULL, LENIENT },
    { "algorithm", required_argument, NULL, ALGORITHM },
    { "now", required_argument, NULL, NOW },
    { "scheme", required_argument, NULL, SCHEME },
    { "authority", required_argument, NULL, AUTHORITY },
    { "max-lifetime", required_argument, NULL, MAX_LIFETIME },
    { "skew", required_argument, NULL, SKEW },
    { "component", required_argument, NULL, COMPONENT },
    { "body-link", no_argument, NULL, BODY_LINK },
    { "test-keys", no_argument, NULL, TEST_KEYS },
    { "json", no_argument, NULL, JSON },
    { NULL, 0, NULL, 0 },
};

/* A URL's query may hold '=', a name cannot: there the last one counts. */
static int
take_directory(verify_t *o)
{
    trial_t *t = o->trial;
    trial_directory_t *d = &t->given[t->ngiven];
    const char *scheme = strstr(optarg, "://");
    const char *equals = strchr(optarg, '=');

    if (scheme != NULL && equals > scheme) {
        equals = strrchr(optarg, '=');
    }
    if (equals == NULL || equals == optarg || equals[1] == '\0') {
        return cli_fail("--directory %s is not NAME=FILE; write for instance "
                        "visa=keys.json or https://agent.example=keys.json",
                        optarg);
    }
    if (t->ngiven == TRIAL_MAX_DIRECTORIES) {
        return cli_fail("more than %d directories", TRIAL_MAX_DIRECTORIES);
    }
    d->spec = optarg;
    d->spec_len = (size_t) (equals - optarg);
    d->path = equals + 1;
    d->profile = o->profile;
    o->profile_unused = NULL;
    d->lenient = o->lenient;
    o->lenient_unused = NULL;
    d->algorithms = o->algorithms;
    o->algorithm_unused = NULL;
    t->ngiven++;
    return CLI_OK;
}

static int
take_lenient(verify_t *o)
{
    unsigned flag = wba_lenient_by_name(wba_str_z(optarg));

    if (flag == 0) {
        return cli_fail("--lenient %s is no leniency; there are "
                        "unquoted-agent, agent-type, bare-jwk and visa-sample",
                        optarg);
    }
    o->lenient |= flag;
    o->lenient_unused = optarg;
    return CLI_OK;
}

static int
take_component(trial_t *t)
{
    if (t->ncomponents == WBA_MAX_REQUIRED) {
        return cli_fail("more than %d times --component", WBA_MAX_REQUIRED);
    }
    t->components[t->ncomponents++] = optarg;
    return CLI_OK;
}

static int
take_now(trial_t *t)
{
    if (!when_parse(optarg, t->now, &t->now)) {
        return cli_fail("--now %s is no time; write seconds since 1970, "
                        "2026-12-31T00:00:00Z, +5m or -5m",
                        optarg);
    }
    return CLI_OK;
}

static int
take_scheme(trial_t *t)
{
    t->scheme = optarg;
    if (strcmp(optarg, "https") != 0 && strcmp(optarg, "http") != 0) {
        return cli_fail("--scheme %s is neither https nor http", optarg);
    }
    return CLI_OK;
}

static int
take_max_lifetime(trial_t *t)
{
    if (!when_parse_duration(optarg, &t->max_lifetime)) {
        return cli_fail("--max-lifetime %s is no duration; write seconds, 8m "
                        "or 24h, or 0 for no limit",
                        optarg);
    }
    return CLI_OK;
}

static int
take_skew(trial_t *t)
{
    if (!when_parse_duration(optarg, &t->policy.clock_skew)
        || t->policy.clock_skew > WBA_MAX_SKEW)
    {
        return cli_fail("--skew %s is no duration of at most %d seconds",
                        optarg, WBA_MAX_SKEW);
    }
    return CLI_OK;
}

static int
take(verify_t *o, int c)
{
    switch (c) {
    case REQUEST:
        o->request = optarg;
        return CLI_OK;
    case DIRECTORY:
        return take_directory(o);
    case PROFILE:
        o->profile = profiles_find(optarg);
        o->profile_unused = optarg;
        return o->profile != NULL ? CLI_OK : CLI_TROUBLE;
    case LENIENT:
        return take_lenient(o);
    case ALGORITHM:
        o->algorithm_unused = optarg;
        return profiles_algorithm(optarg, &o->algorithms);
    case NOW:
        return take_now(o->trial);
    case SCHEME:
        return take_scheme(o->trial);
    case AUTHORITY:
        o->trial->authority = optarg;
        return CLI_OK;
    case MAX_LIFETIME:
        return take_max_lifetime(o->trial);
    case SKEW:
        return take_skew(o->trial);
    case COMPONENT:
        return take_component(o->trial);
    case BODY_LINK:
        o->trial->policy.body_link = true;
        return CLI_OK;
    case TEST_KEYS:
        o->trial->test_keys = true;
        return CLI_OK;
    case JSON:
        o->json = true;
        return CLI_OK;
    default:
        return CLI_TROUBLE;
    }
}

/* An option of the directories that follow, and none has. */
static bool
unused(const char *option, const char *value)
{
    if (value == NULL) {
        return false;
    }
    (void) cli_fail("--%s %s is for the directories behind it, and none "
                    "follows; write it before --directory",
                    option, value);
    return true;
}

static int
options(int argc, char **argv, verify_t *o)
{
    int c;

    while ((c = cli_option(argc, argv, known)) != CLI_OPTION_END) {
        if (take(o, c) != CLI_OK) {
            return CLI_TROUBLE;
        }
    }
    if (optind < argc) {
        return cli_fail("what is '%s' for? The request goes behind --request",
                        argv[optind]);
    }
    if (o->trial->ngiven == 0) {
        return cli_fail("whose keys? Give --directory NAME=FILE, or "
                        "--directory https://agent.example=FILE for what a "
                        "Signature-Agent names");
    }
    if (unused("profile", o->profile_unused)
        || unused("lenient", o->lenient_unused)
        || unused("algorithm", o->algorithm_unused))
    {
        return CLI_TROUBLE;
    }
    return CLI_OK;
}

static int
judge(const verify_t *o, wba_str_t text)
{
    const char *name
        = strcmp(o->request, "-") == 0 ? "the standard input" : o->request;
    trial_t *t = o->trial;

    if (trial_run(t, text, name) != CLI_OK) {
        return CLI_TROUBLE;
    }
    if (!o->json) {
        explain_text(t);
    } else if (explain_json(t) != CLI_OK) {
        return CLI_TROUBLE;
    }
    return t->verdict.reason == WBA_REASON_OK ? CLI_OK : CLI_REFUSED;
}

static int
run(int argc, char **argv)
{
    verify_t o = { .trial = trial_new(), .request = "-" };
    wba_str_t text = WBA_STR_NONE;
    int rc;

    if (o.trial == NULL) {
        return cli_fail("out of memory");
    }
    o.trial->now = (int64_t) time(NULL);
    rc = options(argc, argv, &o);
    if (rc == CLI_OK && strcmp(o.request, "-") == 0 && isatty(STDIN_FILENO)) {
        cli_note("type the request, or give a file: --request FILE");
    }
    if (rc == CLI_OK) {
        rc = file_read(o.request, &text);
    }
    if (rc == CLI_OK) {
        rc = judge(&o, text);
    }
    file_free(text);
    trial_free(o.trial);
    return rc;
}

const cli_command_t cmd_verify = {
    "verify",
    "say whether a captured request verifies, and why not",
    "Usage: wba verify [OPTION]... --directory NAME=FILE...\n"
    "\n"
    "Judges a raw HTTP request offline, as the module would, and prints every\n"
    "step. No nonce is remembered: each is taken as fresh.\n"
    "\n"
    "  --request FILE          the request: its line, fields, an empty line,\n"
    "                          the body; default, and '-': the standard input\n"
    "  --directory NAME=FILE   a trusted directory: FILE is a JWK Set\n"
    "  --directory URL=FILE    what that Signature-Agent names; a bare origin\n"
    "                          stands for its well-known path\n"
    "  --profile NAME          of the directories that follow: tap, agent-pay\n"
    "                          or web-bot-auth; default: tap for a NAME,\n"
    "                          web-bot-auth for a URL\n"
    "  --lenient WORD          what the directories that follow put up with:\n"
    "                          unquoted-agent, agent-type, bare-jwk or\n"
    "                          visa-sample; may be repeated\n"
    "  --algorithm NAME        what the directories that follow take, instead of\n"
    "                          the profile's: ed25519, ecdsa-p256-sha256,\n"
    "                          rsa-pss-sha512 or rsa-pss-sha256; may be repeated\n"
    "  --test-keys             take the test keys of RFC 9421\n"
    "\n"
    "  --now TIME              judge as of then\n"
    "  --skew DURATION         how far clocks may differ; default: 5, at most\n"
    "                          300\n"
    "  --max-lifetime DURATION  instead of the profiles'; 0: no limit\n"
    "  --component NAME        must be covered; may be repeated\n"
    "  --body-link             agenticConsumer and agenticPaymentContainer in\n"
    "                          the body must name the signature's nonce and\n"
    "                          keyid\n"
    "  --scheme https|http     of the connection; default: https\n"
    "  --authority HOST        what @authority is, whatever the request says\n"
    "\n"
    "  --json                  print one object\n"
    "\n"
    "TIME is seconds since 1970, 2026-12-31T00:00:00Z, now, +5m or -5m;\n"
    "DURATION is seconds, or 30s, 5m, 8h, 1d.\n",
    "wba verify --request request.txt --directory https://agent.example=keys.json\n"
    "# what has just been signed; one object, for a program\n"
    "wba sign --key agent.key --url https://shop.example/ --format raw \\\n"
    "    | wba verify --directory shop=keys.json --json\n"
    "# a capture, as of when it was saved; an hour from now it has expired\n"
    "wba verify --request request.txt --now $(date +%s -r request.txt) \\\n"
    "    --directory https://agent.example=keys.json\n"
    "wba verify --request request.txt --now +1h \\\n"
    "    --directory https://agent.example=keys.json    # exit status 1\n",
    "0 verified, 1 not verified, 2 wrong use, or a file that cannot be\n"
    "read or understood.\n",
    run,
};
