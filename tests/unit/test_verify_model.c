/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/verify through many random requests: some forged, some twice, through
 * several locations, with a store that fails now and then.  Whatever happens,
 * a request passes only by what was signed by the right key for this
 * authority, and what one request was let in by lets in no other.  And through
 * many random sets of directories: who answers for which agent, and why nobody
 * does, is as a second, plainer telling of the rules has it.
 */
#include "kit.h"

#define REQUESTS 4000
#define SIGNATURES 3
#define NONCES 12

static const char *const labels[] = { "a", "b", "c" };

static kit_t *kit;
static uint32_t seed;
static bool used[2][NONCES]; /* by key and nonce: let a request in */

static struct {
    unsigned key, nonce;
    bool forged;
} sent[SIGNATURES];
static unsigned nsent;

static unsigned
any(unsigned n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

/* alice's kid with bob's signature is a forgery, and the reverse */
static void
write_request(void)
{
    char input[256];
    unsigned i;

    kit->authority_override = NULL; /* what is signed for */
    kit_request(kit, HEAD);
    nsent = 1 + any(SIGNATURES);
    for (i = 0; i < nsent; i++) {
        sent[i].key = any(2);
        sent[i].nonce = any(NONCES);
        sent[i].forged = any(4) == 0;
        snprintf(input, sizeof(input),
                 COVERED TIMES ED "%s;keyid=\"kid-%s\";nonce=\"n%u\"",
                 any(2) ? BROWSE : PAY, sent[i].key == ALICE ? "alice" : "bob",
                 sent[i].nonce);
        kit_sign(kit, sent[i].key ^ (unsigned) sent[i].forged, labels[i],
                 input);
    }
}

static void
choose_location(void)
{
    static const wba_rule_t rules[] = {
        { .allow = true,
          .tag = { 18, (const uint8_t *) "agent-browser-auth" } },
        { .allow = false, .keyid = { 9, (const uint8_t *) "kid-alice" } },
    };
    static const wba_store_answer_t answers[] = {
        WBA_STORE_FRESH, WBA_STORE_FRESH, WBA_STORE_FRESH,
        WBA_STORE_FULL,  WBA_STORE_COLD,  WBA_STORE_UNAVAILABLE,
    };

    kit->policy.rules = &rules[any(2)];
    kit->policy.nrules = any(2);
    kit->store = answers[any(COUNT(answers))];
    kit->blind = any(2) != 0;
    kit->scheme = any(3) ? "https" : "http";
    kit->authority_override = any(4) ? NULL : "other.example";
    kit->served = any(8) != 0;
    kit->why = any(2) ? WBA_REASON_KEY_UNKNOWN
                      : WBA_REASON_DIRECTORY_UNAVAILABLE;
}

static unsigned
index_of(const wba_fact_t *fact)
{
    return (unsigned) (fact->input.label.data[0] - 'a');
}

/* A pass that let the request in: by[] collects what it was let in by. */
static void
check_allowed(bool by[2][NONCES])
{
    const wba_facts_t *facts = &kit->verify.facts;
    const wba_fact_t *f;
    unsigned who;
    size_t i;

    assert_true(kit->served && kit->authority_override == NULL);
    for (i = 0; i < facts->count; i++) {
        f = facts->signatures[i];
        if (wba_judge_signature(facts, f, &kit->policy, kit->now)
            != WBA_REASON_OK)
        {
            assert_ptr_not_equal(f, kit->verdict.signature);
            continue;
        }
        who = index_of(f);
        assert_false(sent[who].forged);
        assert_true(f->recorded);
        if (used[sent[who].key][sent[who].nonce]) {
            fail_msg("nonce n%u let in two requests", sent[who].nonce);
        }
        by[sent[who].key][sent[who].nonce] = true;
    }
}

/* One request through one to four locations. */
static bool
one_request(void)
{
    bool by[2][NONCES] = { { false } };
    unsigned pass, passes = 1 + any(4), i;
    bool allowed = false;

    for (pass = 0; pass < passes; pass++) {
        choose_location();
        if (pass == 0) {
            kit_run(kit);
        } else {
            kit_pass(kit);
        }
        if (kit->verdict.decision == WBA_DECISION_ALLOW) {
            check_allowed(by);
            allowed = true;
        } else {
            assert_int_equal(kit->verdict.decision, WBA_DECISION_DENY);
        }
    }
    for (i = 0; i < NONCES; i++) {
        used[0][i] |= by[0][i];
        used[1][i] |= by[1][i];
    }
    return allowed;
}

static void
requests(void **state)
{
    unsigned i, allowed = 0;

    (void) state;
    for (seed = 0; seed < 40; seed++) {
        uint32_t keep = seed;

        memset(used, 0, sizeof(used));
        kit = kit_new();
        kit_put(kit, kit_directory(kit, "v", "tap", NULL), ALICE, "kid-alice");
        kit_put(kit, kit_directory(kit, "w", "tap", NULL), BOB, "kid-bob");
        for (i = 0; i < REQUESTS / 40; i++) {
            if (i == 0 || any(3)) {
                write_request();
            } /* else the last one is sent again */
            allowed += one_request();
        }
        kit_free(kit);
        seed = keep;
    }
    assert_true(allowed > 100);
}

/* ---- who answers for which agent */

#define CONFIGURATIONS 6000
#define A "https://a.example"
#define B "https://b.example"
#define WK WBA_WELL_KNOWN_PATH

enum { NONE, PLAIN, LEGACY, UNQUOTED, DIRECTORY, JWKS_URI, CIMD, FORMS };

static const struct {
    const char *sent;
    const char *plain, *directory, *jwks_uri; /* where its keys are */
} urls[] = {
    { A, A WK, A WK, A "/" },
    { A "/keys", A "/keys", A WK, A "/keys" },
    { A ":8443/keys", A ":8443/keys", A ":8443" WK, A ":8443/keys" },
    { B "/", B WK, B WK, B "/" },
};

static const char *const places[] = { A WK, A "/keys", A ":8443/keys", A "/",
                                      B WK };

static struct {
    unsigned form, url, who;
    bool bot; /* the tag: web-bot-auth, else TAP's */
} asked;

static unsigned holds[KIT_DIRECTORIES]; /* masks of who */
static unsigned found;

static void
dress(wba_directory_t *d, const char *agent)
{
    d->agent = wba_str_z(agent);
    d->profile = *wba_profile_find(any(2) ? WBA_STR("web-bot-auth")
                                          : WBA_STR("tap"));
    d->lenient = any(2) ? any(4) : 0;
}

static unsigned
put_some(kit_set_t *set)
{
    unsigned mask = any(4), who;

    for (who = 0; who < 2; who++) {
        if (mask >> who & 1) {
            kit_add(kit, set, who, NULL);
        }
    }
    return mask;
}

static void
configure(void)
{
    static const wba_agent_pattern_t patterns[] = {
        { WBA_AGENT_URL, { 22, (const uint8_t *) A "/keys" } },
        { WBA_AGENT_URL, { 27, (const uint8_t *) A ":8443/keys" } },
    };
    unsigned i, n = any(5);

    kit = kit_new();
    for (i = 0; i < n; i++) {
        kit_directory(kit, "d", "tap", NULL);
        dress(&kit->directories[i],
              any(3) ? places[any(COUNT(places))] : NULL);
        holds[i] = put_some(&kit->sets[i]);
    }
    if (any(3)) {
        kit_discovery(kit, "tap");
        dress(&kit->discovery.directory, NULL);
        kit->discovery.any = any(2) != 0;
        kit->discovery.allow = patterns;
        kit->discovery.nallow = any(3);
        kit->discovery.any_port = any(2) != 0;
        kit->found_at = places[any(COUNT(places))];
        found = put_some(&kit->found);
    }
}

static void
ask(void)
{
    static const char *const forms[FORMS] = {
        "", "Signature-Agent: x=\"%s\"\r\n", "Signature-Agent: \"%s\"\r\n",
        "Signature-Agent: %s\r\n",
        "Signature-Agent: x=\"%s\";type=directory\r\n",
        "Signature-Agent: \"%s\";type=\"jwks_uri\"\r\n",
        "Signature-Agent: x=\"%s\";type=cimd\r\n",
    };
    char head[256], input[256];

    asked.form = any(FORMS);
    asked.url = any(COUNT(urls));
    asked.who = any(2);
    asked.bot = any(2) != 0;
    if (any(2)) {
        kit->found_at = asked.form == JWKS_URI ? urls[asked.url].jwks_uri
                                               : urls[asked.url].plain;
    }
    strcpy(head, HEAD);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(head + strlen(head), sizeof(head) - strlen(head),
             forms[asked.form], urls[asked.url].sent);
#pragma GCC diagnostic pop
    snprintf(input, sizeof(input),
             "(\"@authority\" \"@path\"%s)" TIMES ED KEYID NONCE("n") "%s",
             asked.form == NONE ? "" : " \"signature-agent\"",
             asked.bot ? BOT : BROWSE);
    kit_request(kit, head);
    kit_sign(kit, asked.who, "sig1", input);
    kit_run(kit);
}

static bool
has_tag(const wba_directory_t *d)
{
    return (strcmp(d->profile.name, "web-bot-auth") == 0) == asked.bot;
}

static bool
looked_up(const char *url, unsigned need)
{
    const wba_discovery_t *d = &kit->discovery;
    bool pattern;

    if (strcmp(url, A "/keys") == 0) {
        pattern = d->nallow > 0;
    } else {
        pattern = strcmp(url, A ":8443/keys") == 0 && d->nallow > 1;
    }
    return has_tag(&d->directory) && (need & d->directory.lenient) == need
           && (d->any || pattern)
           && (d->any_port || strstr(url, ":8443") == NULL);
}

/* The rules once more: the reason, and for OK the directory that answers. */
static wba_reason_t
expected(const wba_directory_t **by)
{
    const wba_env_t *env = &kit->env;
    const char *url = asked.form == NONE        ? NULL
                      : asked.form == DIRECTORY ? urls[asked.url].directory
                      : asked.form == JWKS_URI  ? urls[asked.url].jwks_uri
                                                : urls[asked.url].plain;
    unsigned need = asked.form == UNQUOTED    ? WBA_LENIENT_UNQUOTED_AGENT
                    : asked.form == DIRECTORY ? WBA_LENIENT_AGENT_TYPE
                    : asked.form == JWKS_URI  ? WBA_LENIENT_AGENT_TYPE
                                              : 0;
    unsigned stand = 0, tolerant = 0, may_answer = 0, i;
    bool served = env->discovery != NULL && has_tag(&kit->discovery.directory);

    *by = NULL;
    for (i = 0; i < env->ndirectories; i++) {
        const wba_directory_t *d = &kit->directories[i];

        served |= has_tag(d);
        if (!wba_str_eq(d->agent, wba_str_z(url))) {
            continue;
        }
        stand++;
        if ((d->lenient & need) != need) {
            continue;
        }
        tolerant++;
        may_answer += has_tag(d);
        if (has_tag(d) && (holds[i] >> asked.who & 1) && *by == NULL) {
            *by = d;
        }
    }
    if (stand == 0 && env->discovery != NULL) {
        tolerant += (kit->discovery.directory.lenient & need) == need;
    }
    if (!served) {
        return WBA_REASON_NO_SERVED_TAG;
    }
    if (asked.form == CIMD || (need && !tolerant)) {
        return asked.form == UNQUOTED ? WBA_REASON_SIGNATURE_AGENT_UNQUOTED
                                      : WBA_REASON_SIGNATURE_AGENT_TYPED;
    }
    if (*by != NULL) {
        return WBA_REASON_OK;
    }
    if (asked.form == NONE) {
        return asked.bot || !may_answer ? WBA_REASON_SIGNATURE_AGENT_ABSENT
                                        : WBA_REASON_KEY_UNKNOWN;
    }
    if (may_answer) {
        return WBA_REASON_KEY_UNKNOWN;
    }
    if (stand || env->discovery == NULL || !looked_up(url, need)) {
        return WBA_REASON_AGENT_NOT_ALLOWED;
    }
    if ((found >> asked.who & 1) && strcmp(kit->found_at, url) == 0) {
        *by = &kit->discovery.directory;
        return WBA_REASON_OK;
    }
    return WBA_REASON_KEY_UNKNOWN;
}

static void
agents(void **state)
{
    unsigned seen[WBA_REASON_COUNT] = { 0 }, discovered = 0;
    const wba_directory_t *by;
    wba_reason_t reason;
    uint32_t i;

    (void) state;
    for (i = 0; i < CONFIGURATIONS; i++) {
        seed = i * 2654435761u;
        configure();
        ask();
        reason = expected(&by);
        if (kit->verdict.reason != reason
            || (reason == WBA_REASON_OK
                && kit->verdict.signature->directory != by))
        {
            print_error("configuration %u\n", (unsigned) i);
            expect_verdict(kit, reason);
            fail_msg("another directory answered");
        }
        seen[reason]++;
        discovered += reason == WBA_REASON_OK
                      && by == &kit->discovery.directory;
        kit_free(kit);
    }
    assert_true(discovered > 50);
    assert_true(seen[WBA_REASON_OK] - discovered > 100);
    assert_true(seen[WBA_REASON_SIGNATURE_AGENT_UNQUOTED] > 100);
    assert_true(seen[WBA_REASON_SIGNATURE_AGENT_TYPED] > 100);
    assert_true(seen[WBA_REASON_SIGNATURE_AGENT_ABSENT] > 100);
    assert_true(seen[WBA_REASON_AGENT_NOT_ALLOWED] > 100);
    assert_true(seen[WBA_REASON_KEY_UNKNOWN] > 100);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(agents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
