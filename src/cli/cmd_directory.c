/* SPDX-License-Identifier: BSD-2-Clause */
/* wba directory: fetches a key directory as the module would, and says what
 * is wrong with it. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "cli.h"
#include "directory_report.h"
#include "profiles.h"
#include "when.h"

typedef struct {
    directory_ask_t ask;
    bool json;
    const char *fetching; /* the last option given that only concerns URLs */
} command_t;

enum {
    JSON = CLI_OPTION_OWN,
    PROFILE,
    ALGORITHM,
    NOW,
    CA,
    TIMEOUT,
    MAX_SIZE,
    MAX_KEYS,
    REFRESH_MIN,
    REFRESH_MAX,
    TEST_KEYS,
    PROOF_REQUIRED,
    PUBLIC_ONLY,
    NO_REVALIDATE,
    TYPE
};

static const struct option known[] = {
    { "json", no_argument, NULL, JSON },
    { "profile", required_argument, NULL, PROFILE },
    { "algorithm", required_argument, NULL, ALGORITHM },
    { "now", required_argument, NULL, NOW },
    { "ca", required_argument, NULL, CA },
    { "timeout", required_argument, NULL, TIMEOUT },
    { "max-size", required_argument, NULL, MAX_SIZE },
    { "max-keys", required_argument, NULL, MAX_KEYS },
    { "refresh-min", required_argument, NULL, REFRESH_MIN },
    { "refresh-max", required_argument, NULL, REFRESH_MAX },
    { "test-keys", no_argument, NULL, TEST_KEYS },
    { "proof-required", no_argument, NULL, PROOF_REQUIRED },
    { "public-only", no_argument, NULL, PUBLIC_ONLY },
    { "no-revalidate", no_argument, NULL, NO_REVALIDATE },
    { "type", required_argument, NULL, TYPE },
    { NULL, 0, NULL, 0 },
};

static int
take_now(directory_ask_t *ask)
{
    if (!when_parse(optarg, ask->now, &ask->now) || ask->now < 0) {
        return cli_fail("--now %s is no time; write seconds since 1970, "
                        "2026-12-31T00:00:00Z, +5m or -5m",
                        optarg);
    }
    return CLI_OK;
}

static int
take_duration(const char *option, int64_t most, int64_t *to)
{
    if (!when_parse_duration(optarg, to) || *to < 1 || *to > most) {
        return cli_fail("--%s %s is no duration of 1 to %" PRId64 " seconds",
                        option, optarg, most);
    }
    return CLI_OK;
}

/* A count, or bytes with nginx's units. */
static int
take_count(const char *option, bool units, size_t most, size_t *to)
{
    size_t n = 0, unit = 1;
    const char *p = optarg;

    while (*p >= '0' && *p <= '9' && n <= most) {
        n = n * 10 + (size_t) (*p++ - '0');
    }
    if (units && p != optarg && (*p == 'k' || *p == 'K')) {
        unit = 1024;
        p++;
    } else if (units && p != optarg && (*p == 'm' || *p == 'M')) {
        unit = 1024 * 1024;
        p++;
    }
    if (*p != '\0' || n < 1 || n > most / unit) {
        return cli_fail("--%s %s is no number of 1 to %zu", option, optarg,
                        most);
    }
    *to = n * unit;
    return CLI_OK;
}

static int
take_flag(command_t *o, int c)
{
    switch (c) {
    case JSON:
        o->json = true;
        return CLI_OK;
    case TEST_KEYS:
        o->ask.test_keys = true;
        return CLI_OK;
    case PROOF_REQUIRED:
        o->ask.proof_required = true;
        o->fetching = "--proof-required";
        return CLI_OK;
    case PUBLIC_ONLY:
        o->ask.public_only = true;
        o->fetching = "--public-only";
        return CLI_OK;
    case NO_REVALIDATE:
        o->ask.revalidate = false;
        return CLI_OK;
    default:
        return CLI_TROUBLE;
    }
}

static int
take(command_t *o, int c)
{
    directory_ask_t *ask = &o->ask;

    switch (c) {
    case PROFILE:
        ask->profile = profiles_find(optarg);
        return ask->profile != NULL ? CLI_OK : CLI_TROUBLE;
    case ALGORITHM:
        return profiles_algorithm(optarg, &ask->algorithms);
    case NOW:
        return take_now(ask);
    case CA:
        ask->ca = optarg;
        o->fetching = "--ca";
        return CLI_OK;
    case TIMEOUT:
        return take_duration("timeout", DIRECTORY_MAX_TIMEOUT, &ask->timeout);
    case MAX_SIZE:
        return take_count("max-size", true, WBA_MAX_JWKS, &ask->max_size);
    case MAX_KEYS:
        return take_count("max-keys", false, WBA_MAX_KEYS, &ask->max_keys);
    case REFRESH_MIN:
        return take_duration("refresh-min", WHEN_MAX, &ask->refresh_min);
    case REFRESH_MAX:
        return take_duration("refresh-max", WHEN_MAX, &ask->refresh_max);
    case TYPE:
        ask->type = optarg;
        return CLI_OK;
    default:
        return take_flag(o, c);
    }
}

/* A URL has "://"; "file:" is a file's, as nginx.conf writes it. */
static void
take_source(directory_ask_t *ask, const char *text)
{
    ask->source = text;
    if (strncmp(text, "file:", 5) == 0) {
        ask->is_file = true;
        ask->source = text + (strncmp(text + 5, "///", 3) == 0 ? 7 : 5);
    } else {
        ask->is_file = strstr(text, "://") == NULL;
    }
}

static int
check(const command_t *o)
{
    const directory_ask_t *ask = &o->ask;

    if (ask->refresh_min > ask->refresh_max) {
        return cli_fail("--refresh-min is more than --refresh-max");
    }
    if (ask->is_file && *ask->source == '\0') {
        return cli_fail("which file? It has no name");
    }
    if (ask->is_file && o->fetching != NULL) {
        return cli_fail("%s is for a URL, and %s is a file", o->fetching,
                        ask->source);
    }
    if (!ask->is_file && ask->type != NULL) {
        return cli_fail("--type is for a file; a server says itself what it "
                        "sends");
    }
    return CLI_OK;
}

static int
options(int argc, char **argv, command_t *o)
{
    int c;

    while ((c = cli_option(argc, argv, known)) != CLI_OPTION_END) {
        if (take(o, c) != CLI_OK) {
            return CLI_TROUBLE;
        }
    }
    if (optind == argc) {
        return cli_fail("which directory? Give its URL, for instance 'wba "
                        "directory https://agent.example', or a file");
    }
    if (optind + 1 < argc) {
        return cli_fail("what is '%s' for? One directory at a time",
                        argv[optind + 1]);
    }
    take_source(&o->ask, argv[optind]);
    return check(o);
}

static int
print(const directory_report_t *report, bool json)
{
    if (!json) {
        directory_print_text(report);
    } else if (directory_print_json(report) != CLI_OK) {
        return CLI_TROUBLE;
    }
    return report->taken ? CLI_OK : CLI_REFUSED;
}

static int
run(int argc, char **argv)
{
    command_t o = {
        .ask = {
            .profile = wba_profile_find(WBA_STR("web-bot-auth")),
            .now = (int64_t) time(NULL),
            .timeout = DIRECTORY_TIMEOUT,
            .max_size = DIRECTORY_MAX_SIZE,
            .max_keys = DIRECTORY_MAX_KEYS,
            .refresh_min = DIRECTORY_REFRESH_MIN,
            .refresh_max = DIRECTORY_REFRESH_MAX,
            .revalidate = true,
        },
    };
    directory_report_t report;
    int rc = options(argc, argv, &o);

    if (rc != CLI_OK) {
        return rc;
    }
    rc = directory_report_make(&report, &o.ask);
    if (rc == CLI_OK) {
        rc = print(&report, o.json);
    }
    directory_report_free(&report);
    return rc;
}

const cli_command_t cmd_directory = {
    "directory",
    "fetch a key directory as the module would, and say what is wrong",
    "Usage: wba directory [OPTION]... URL|FILE\n"
    "\n"
    "Fetches a key directory as the module would, once, and a second time to\n"
    "see whether a conditional request is honoured. Says what came, how long\n"
    "it is fresh, what each entry is, how agents name it, and whether the\n"
    "module would take it. A bare origin stands for its well-known path.\n"
    "FILE ('-': the standard input, or file:PATH) is a JWK Set.\n"
    "\n"
    "  --json               print one object\n"
    "  --profile NAME       tap, agent-pay or web-bot-auth (default)\n"
    "  --algorithm NAME     keys for this are taken, instead of the profile's:\n"
    "                       ed25519, ecdsa-p256-sha256, rsa-pss-sha512 or\n"
    "                       rsa-pss-sha256; may be repeated\n"
    "  --now TIME           judge as of then\n"
    "  --test-keys          take the test keys of RFC 9421\n"
    "\n"
    "  --ca FILE            certificates to trust instead of the system's\n"
    "  --timeout DURATION   for a fetch; default: 5, at most 60\n"
    "  --max-size BYTES     of the JSON; default: 1m, at most 16m\n"
    "  --max-keys NUMBER    default: 10000, at most 100000\n"
    "  --refresh-min DURATION  the shortest and\n"
    "  --refresh-max DURATION  the longest that keys are fresh; default: 5m\n"
    "                       and 24h\n"
    "  --proof-required     keys must have proven possession\n"
    "  --public-only        connect to public addresses only, as discovery\n"
    "                       does\n"
    "  --no-revalidate      fetch once\n"
    "  --type TYPE          the media type of FILE; default: the right one\n"
    "\n"
    "TIME is seconds since 1970, 2026-12-31T00:00:00Z, now, +5m or -5m;\n"
    "DURATION is seconds, or 30s, 5m, 8h, 1d.\n",
    "wba directory https://agent.example\n"
    "# before it is published\n"
    "wba directory keys.json\n"
    "wba jwks agent.key p256.key \\\n"
    "    | wba directory --algorithm ed25519 --algorithm ecdsa-p256-sha256 -\n",
    "0 the module would take it, 1 it would not, 2 wrong use, or a\n"
    "file that cannot be read.\n",
    run,
};
