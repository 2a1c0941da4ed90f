/* SPDX-License-Identifier: BSD-2-Clause */
/* core/rules: which rules can match, which are hidden by earlier ones, and
 * whether anybody can enter.  That none of it is said of a rule that does
 * match is tried against wba_judge. */
#include "rules.h"
#include "kit.h"

#define T(s) { sizeof(s) - 1, (const uint8_t *) (s) }
#define YES .allow = true
#define BROWSER .tag = T("agent-browser-auth")
#define PAYER .tag = T("agent-payer-auth")
#define PAY_AUTH .tag = T("agent-pay-auth")
#define WEB_BOT .tag = T("web-bot-auth")
#define IN(name) .directory = T(name)
#define A_ID T("https://a.example/keys")
#define B_ID T("https://b.example/keys")
#define OTHER T("https://other.example")

/* visa (tap), mastercard (agent-pay), a and b (web-bot-auth, with agents),
 * listed (web-bot-auth, without). */
static kit_t *
shop(void)
{
    kit_t *k = kit_new();

    kit_directory(k, "visa", "tap", NULL);
    kit_directory(k, "mastercard", "agent-pay", "https://mc.example/keys");
    kit_directory(k, "a", "web-bot-auth", AGENT_A);
    kit_directory(k, "b", "web-bot-auth", AGENT_B);
    kit_directory(k, "listed", "web-bot-auth", NULL);
    return k;
}

/* Discovery as a case wants it: with a pattern, "any", or NULL, off. */
static void
discover(kit_t *k, const char *pattern)
{
    static wba_agent_pattern_t allow;

    if (pattern == NULL) {
        return;
    }
    kit_discovery(k, "web-bot-auth");
    if (strcmp(pattern, "any") != 0) {
        k->discovery.any = false;
        assert_int_equal(wba_agent_pattern_parse(&k->mem, wba_str_z(pattern),
                                                 &allow),
                         WBA_OK);
        k->discovery.allow = &allow;
        k->discovery.nallow = 1;
    }
}

static const struct {
    int line;
    wba_rule_t rule;
    const char *discovery;
    wba_rule_fault_t fault;
} faults[] = {
    { __LINE__, { YES }, NULL, WBA_RULE_POSSIBLE },
    { __LINE__, { BROWSER }, NULL, WBA_RULE_POSSIBLE },
    { __LINE__, { IN("visa"), PAYER }, NULL, WBA_RULE_POSSIBLE },
    { __LINE__, { IN("visa"), WEB_BOT }, NULL, WBA_RULE_TAG },
    { __LINE__, { IN("visa"), PAY_AUTH }, NULL, WBA_RULE_TAG },
    { __LINE__, { IN("mastercard"), PAY_AUTH }, NULL, WBA_RULE_POSSIBLE },
    { __LINE__, { IN("mastercard"), .tag = T("Agent-PAY-auth") }, NULL,
      WBA_RULE_POSSIBLE },
    { __LINE__, { IN("mastercard"), .tag = T("Agent-Payer-auth") }, NULL,
      WBA_RULE_TAG },
    { __LINE__, { IN("a"), .agent = A_ID }, NULL, WBA_RULE_POSSIBLE },
    /* Whatever the path: its spellings differ. */
    { __LINE__, { IN("a"), .agent = T("https://a.example") }, NULL,
      WBA_RULE_POSSIBLE },
    { __LINE__, { .agent = OTHER }, NULL, WBA_RULE_AGENT },
    { __LINE__, { .agent = T("https://a.example:8443/keys") }, NULL,
      WBA_RULE_AGENT },
    { __LINE__, { IN("a"), .agent = B_ID }, NULL, WBA_RULE_NOBODY },
    { __LINE__, { IN("visa"), .agent = A_ID }, NULL, WBA_RULE_NOBODY },
    { __LINE__, { IN("listed"), .agent = OTHER }, NULL, WBA_RULE_AGENT },
    { __LINE__, { BROWSER, .agent = A_ID }, NULL, WBA_RULE_NOBODY },
    { __LINE__, { IN("visa"), WEB_BOT, .agent = OTHER }, NULL,
      WBA_RULE_TAG },
    { __LINE__, { .keyid = T("k") }, NULL, WBA_RULE_POSSIBLE },
    /* Discovery. */
    { __LINE__, { .agent = OTHER }, "any", WBA_RULE_POSSIBLE },
    { __LINE__, { .agent = OTHER }, "https://other.example",
      WBA_RULE_POSSIBLE },
    { __LINE__, { .agent = OTHER }, "*.example", WBA_RULE_POSSIBLE },
    { __LINE__, { .agent = OTHER }, "*.other.example", WBA_RULE_AGENT },
    { __LINE__, { .agent = OTHER }, "https://third.example",
      WBA_RULE_AGENT },
    { __LINE__, { .agent = OTHER }, "https://other.example:8443",
      WBA_RULE_AGENT },
    { __LINE__, { .agent = T("https://other.example/x") },
      "https://other.example/y?z", WBA_RULE_POSSIBLE },
    { __LINE__, { IN("discovery") }, "any", WBA_RULE_POSSIBLE },
    { __LINE__, { IN("discovery"), PAYER }, "any", WBA_RULE_TAG },
    { __LINE__, { IN("discovery"), .agent = A_ID }, "*.b.example",
      WBA_RULE_NOBODY },
};

static void
faulty_rules(void **state)
{
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(faults); i++) {
        kit_t *k = shop();
        wba_rule_fault_t fault;

        discover(k, faults[i].discovery);
        fault = wba_rule_fault(&k->env, &faults[i].rule);
        if (fault != faults[i].fault) {
            fail_msg("line %d: %d", faults[i].line, (int) fault);
        }
        kit_free(k);
    }
}

/* The last rule of each list, and by which it is hidden: -1, none; 10 more:
 * together with others. */
#define TOGETHER 10

static const struct {
    int line;
    int n;
    wba_rule_t rules[5];
    int hidden_by;
} lists[] = {
    { __LINE__, 1, { { YES } }, -1 },
    { __LINE__, 2, { { YES }, { BROWSER } }, 0 },
    { __LINE__, 2, { { 0 }, { YES, IN("visa") } }, 0 },
    { __LINE__, 2, { { YES }, { YES } }, 0 },
    { __LINE__, 2, { { YES }, { 0 } }, 0 },
    { __LINE__, 2, { { YES, BROWSER }, { YES, BROWSER } }, 0 },
    { __LINE__, 2, { { YES, BROWSER }, { BROWSER } }, 0 },
    { __LINE__, 2, { { YES, BROWSER }, { PAYER } }, -1 },
    { __LINE__, 2, { { YES, BROWSER }, { YES, BROWSER, IN("visa") } }, 0 },
    { __LINE__, 2, { { YES, BROWSER, IN("visa") }, { YES, BROWSER } }, -1 },
    { __LINE__, 2, { { .keyid = T("k") }, { YES, .keyid = T("k") } }, 0 },
    { __LINE__, 2, { { .keyid = T("k") }, { YES, .keyid = T("l") } }, -1 },
    { __LINE__, 2, { { .keyid = T("k") }, { YES } }, -1 },
    { __LINE__, 2, { { .agent = A_ID }, { YES, .agent = A_ID, WEB_BOT } },
      0 },
    { __LINE__, 3, { { YES, PAYER }, { BROWSER }, { BROWSER } }, 1 },
    /* What closes a list may find nothing left. */
    { __LINE__, 2, { { YES, BROWSER }, { 0 } }, -1 },
    { __LINE__, 4, { { YES, BROWSER }, { YES, PAYER }, { YES, PAY_AUTH },
                     { 0 } }, -1 },
    { __LINE__, 5, { { YES, BROWSER }, { YES, PAYER }, { YES, PAY_AUTH },
                     { YES, WEB_BOT }, { 0 } }, -1 },
    /* Several together, to the contrary. */
    { __LINE__, 3, { { YES, BROWSER }, { YES, PAYER }, { IN("visa") } },
      TOGETHER + 0 },
    { __LINE__, 3, { { YES, BROWSER }, { PAYER }, { IN("visa") } },
      TOGETHER + 0 },
    { __LINE__, 3, { { BROWSER }, { YES, PAYER }, { IN("visa") } },
      TOGETHER + 1 },
    { __LINE__, 3, { { YES, BROWSER }, { YES, PAYER },
                     { IN("mastercard") } }, -1 },
    { __LINE__, 3, { { YES, BROWSER }, { YES, PAYER, .keyid = T("k") },
                     { IN("visa") } }, -1 },
    { __LINE__, 2, { { YES, WEB_BOT }, { IN("a") } }, TOGETHER + 0 },
    { __LINE__, 2, { { YES, IN("mastercard") }, { PAY_AUTH } },
      TOGETHER + 0 },
    { __LINE__, 2, { { YES, IN("mastercard") },
                     { .tag = T("AGENT-PAY-AUTH") } }, TOGETHER + 0 },
    /* The same said twice in other words harms nobody. */
    { __LINE__, 2, { { YES, WEB_BOT }, { YES, IN("a") } }, -1 },
    /* An agent's spelling is not its directory's. */
    { __LINE__, 2, { { YES, .agent = A_ID }, { IN("a") } }, -1 },
    { __LINE__, 2, { { YES, IN("a") }, { .agent = A_ID } }, TOGETHER + 0 },
    { __LINE__, 2, { { YES, IN("a"), .keyid = T("k") }, { .agent = A_ID } },
      -1 },
    /* One that nobody matches is not hidden, it is faulty. */
    { __LINE__, 2, { { YES, BROWSER }, { IN("visa"), WEB_BOT } }, -1 },
};

static void
hidden_rules(void **state)
{
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(lists); i++) {
        size_t at = (size_t) lists[i].n - 1;
        const wba_rule_t *by;
        kit_t *k = shop();
        bool together;
        int got;

        by = wba_rule_hidden_by(&k->env, lists[i].rules, at, &together);
        got = by == NULL ? -1
                         : (int) (by - lists[i].rules)
                               + (together ? TOGETHER : 0);
        if (got != lists[i].hidden_by || (by == NULL && together)) {
            fail_msg("line %d: %d", lists[i].line, got);
        }
        kit_free(k);
    }
}

/* Where discovery serves a tag too, its agents reach a rule that configured
 * directories' do not. */
static void
discovered_agents(void **state)
{
    const wba_rule_t rules[] = { { YES, IN("a") }, { YES, IN("b") },
                                 { YES, IN("listed") }, { WEB_BOT } };
    kit_t *k = shop();
    bool together;

    (void) state;
    assert_ptr_equal(wba_rule_hidden_by(&k->env, rules, 3, &together),
                     &rules[0]);
    assert_true(together);
    kit_discovery(k, "web-bot-auth");
    assert_null(wba_rule_hidden_by(&k->env, rules, 3, &together));
    assert_false(together);
    kit_free(k);
}

/* Any of discovery's patterns will do. */
static void
several_patterns(void **state)
{
    static const char *const texts[] = { "https://one.example",
                                         "*.two.example",
                                         "https://other.example" };
    const wba_rule_t rule = { .agent = OTHER };
    wba_agent_pattern_t allow[COUNT(texts)];
    kit_t *k = shop();
    size_t i;

    (void) state;
    kit_discovery(k, "web-bot-auth");
    k->discovery.any = false;
    k->discovery.allow = allow;
    for (i = 0; i < COUNT(texts); i++) {
        assert_int_equal(wba_agent_pattern_parse(
                             &k->mem, wba_str_z(texts[i]), &allow[i]),
                         WBA_OK);
        k->discovery.nallow = i + 1;
        assert_int_equal(wba_rule_fault(&k->env, &rule),
                         i == 2 ? WBA_RULE_POSSIBLE : WBA_RULE_AGENT);
    }
    kit_free(k);
}

static const struct {
    int line;
    wba_rule_t rules[4];
    const char *component;
    wba_entry_t entry;
    bool browsers; /* and nobody says so */
} entries[] = {
    { __LINE__, { { 0 } }, NULL, WBA_ENTRY_DENIED, false },
    { __LINE__, { { YES } }, NULL, WBA_ENTRY_OPEN, true },
    { __LINE__, { { YES, PAYER } }, NULL, WBA_ENTRY_OPEN, false },
    { __LINE__, { { YES, IN("visa") } }, NULL, WBA_ENTRY_OPEN, true },
    { __LINE__, { { YES, IN("a") } }, NULL, WBA_ENTRY_OPEN, false },
    { __LINE__, { { BROWSER }, { YES } }, NULL, WBA_ENTRY_OPEN, false },
    { __LINE__, { { YES, BROWSER }, { YES } }, NULL, WBA_ENTRY_OPEN, false },
    { __LINE__, { { BROWSER, IN("visa") }, { YES } }, NULL, WBA_ENTRY_OPEN,
      false },
    { __LINE__, { { .keyid = T("k") }, { YES } }, NULL, WBA_ENTRY_OPEN,
      true },
    { __LINE__, { { IN("visa") }, { YES, BROWSER, IN("visa") } }, NULL,
      WBA_ENTRY_DENIED, false },
    { __LINE__, { { IN("visa") }, { IN("mastercard") }, { WEB_BOT } }, NULL,
      WBA_ENTRY_DENIED, false },
    { __LINE__, { { YES, IN("visa"), WEB_BOT } }, NULL, WBA_ENTRY_DENIED,
      false },
    { __LINE__, { { .keyid = T("l") }, { .keyid = T("k") },
                  { YES, .keyid = T("k") } }, NULL, WBA_ENTRY_DENIED, false },
    { __LINE__, { { YES, .keyid = T("k") }, { YES, BROWSER } }, NULL,
      WBA_ENTRY_OPEN, false },
    { __LINE__, { { YES } }, "signature-agent", WBA_ENTRY_OPEN, true },
    { __LINE__, { { YES, IN("visa") } }, "signature-agent",
      WBA_ENTRY_UNCOVERABLE, true },
    { __LINE__, { { YES, IN("visa") } }, "\"signature-agent\";key=\"x\"",
      WBA_ENTRY_UNCOVERABLE, true },
    { __LINE__, { { YES, IN("mastercard") } }, "signature-agent",
      WBA_ENTRY_OPEN, true },
    { __LINE__, { { YES, IN("visa") }, { YES, IN("listed") } },
      "signature-agent", WBA_ENTRY_UNCOVERABLE, true },
    { __LINE__, { { YES, IN("visa") } }, "x-agent", WBA_ENTRY_OPEN, true },
};

static void
entry(void **state)
{
    size_t i, j;

    (void) state;
    for (i = 0; i < COUNT(entries); i++) {
        kit_t *k = shop();
        wba_component_t component;

        for (j = 0; j < COUNT(entries[i].rules); j++) {
            const wba_rule_t *r = &entries[i].rules[j];

            if (j == 0 || r->allow || r->tag.data || r->directory.data
                || r->keyid.data)
            {
                k->policy.nrules = j + 1;
            }
        }
        k->policy.rules = entries[i].rules;
        if (entries[i].component != NULL) {
            assert_int_equal(
                wba_component_from_text(wba_str_z(entries[i].component),
                                        &k->mem, &component),
                WBA_OK);
            k->policy.components = &component;
            k->policy.ncomponents = 1;
        }
        if (wba_rules_entry(&k->env, &k->policy) != entries[i].entry
            || wba_rules_admit_browsers(&k->env, &k->policy)
                   != entries[i].browsers)
        {
            fail_msg("line %d: %d", entries[i].line,
                     (int) wba_rules_entry(&k->env, &k->policy));
        }
        kit_free(k);
    }
}

/* No rules; a block that wants what its agents cannot cover; nobody at all. */
static void
entry_without_rules(void **state)
{
    wba_component_t path = { .name = WBA_STR("@path") };
    wba_component_t agent = { .name = WBA_STR("signature-agent") };
    kit_t *k = kit_new();
    wba_profile_t *p;

    (void) state;
    assert_int_equal(wba_rules_entry(&k->env, &k->policy), WBA_ENTRY_DENIED);
    p = &k->directories[kit_directory(k, "bots", "web-bot-auth", NULL)]
             .profile;
    assert_int_equal(wba_rules_entry(&k->env, &k->policy), WBA_ENTRY_OPEN);
    assert_false(wba_rules_admit_browsers(&k->env, &k->policy));
    p->components[p->ncomponents++] = path;
    assert_int_equal(wba_rules_entry(&k->env, &k->policy), WBA_ENTRY_OPEN);
    p->components[p->ncomponents++] = agent;
    assert_int_equal(wba_rules_entry(&k->env, &k->policy),
                     WBA_ENTRY_UNCOVERABLE);
    kit_discovery(k, "web-bot-auth");
    assert_int_equal(wba_rules_entry(&k->env, &k->policy), WBA_ENTRY_OPEN);
    kit_directory(k, "visa", "tap", NULL);
    assert_true(wba_rules_admit_browsers(&k->env, &k->policy));
    kit_free(k);
}

/* ---- against the judge */

/* Who signs with a key of the directory, in different spellings; the first
 * "" : nobody is named; NULL: no more. */
static const char *
agent_of(const kit_t *k, const wba_directory_t *d, size_t i)
{
    static const char *const of_a[] = { "https://a.example/keys",
                                        "https://a.example" };

    if (wba_str_eq(d->name, WBA_STR("a"))) {
        return i < COUNT(of_a) ? of_a[i] : NULL;
    }
    if (i > 0) {
        return NULL;
    }
    if (wba_env_discovers(&k->env, d)) {
        return "https://other.example";
    }
    return d->agent.data == NULL ? "" : (const char *) d->agent.data;
}

static void
add_signer(const wba_directory_t *d, const wba_tag_t *tag, const char *agent,
           const char *kid, wba_fact_t *f)
{
    static wba_components_t components = {
        .items = { { .name = T("@authority") }, { .name = T("@path") } },
        .count = 2,
    };

    memset(f, 0, sizeof(*f));
    f->stage = WBA_STAGE_VERIFIED;
    f->directory = d;
    f->tag = tag;
    f->kid = wba_str_z(kid);
    f->agent_identity = agent[0] ? wba_str_z(agent) : WBA_STR_NONE;
    f->components = &components;
    f->input.has_created = f->input.has_expires = true;
    f->input.created = NOW - 10;
    f->input.expires = NOW + 60;
    f->input.keyid = WBA_STR("k");
    f->input.nonce = WBA_STR("n");
    f->input.alg = WBA_STR("ed25519");
}

/* Verified signatures of each directory and tag, by agents and keys that rules
 * name and by others. */
static size_t
signers(const kit_t *k, wba_fact_t *facts)
{
    const wba_directory_t *d;
    const char *agent;
    size_t i, j, a, n = 0;

    for (i = 0; (d = wba_env_directory(&k->env, i)) != NULL; i++) {
        for (j = 0; j < d->profile.ntags; j++) {
            for (a = 0; (agent = agent_of(k, d, a)) != NULL; a++) {
                add_signer(d, &d->profile.tags[j], agent, "k", &facts[n++]);
                add_signer(d, &d->profile.tags[j], agent, "?", &facts[n++]);
            }
        }
    }
    return n;
}

/* What becomes of each, in order: allowed or denied. */
static void
judge_all(const kit_t *k, wba_fact_t *facts, size_t n, char *out)
{
    wba_facts_t all = { .authority_served = true, .count = 1 };
    wba_verdict_t verdict;
    size_t i;

    for (i = 0; i < n; i++) {
        all.signatures[0] = &facts[i];
        wba_judge(&all, &k->policy, NOW, &verdict);
        assert_true(verdict.reason == WBA_REASON_OK
                    || verdict.reason == WBA_REASON_DENIED_BY_RULE);
        out[i] = verdict.decision == WBA_DECISION_ALLOW ? 'a' : 'd';
    }
}

static wba_rule_t
some_rule(unsigned *seed)
{
    static const wba_str_t tags[] = { T("agent-browser-auth"),
                                      T("agent-payer-auth"),
                                      T("web-bot-auth"),
                                      T("Agent-Pay-Auth") };
    static const wba_str_t names[] = { T("visa"), T("a"), T("listed"),
                                       T("discovery") };
    static const wba_str_t agents[] = { A_ID, B_ID,
                                        T("https://a.example") };
    static const wba_str_t kids[] = { T("k"), T("l") };
    wba_rule_t rule = { 0 };
    unsigned bits;

    *seed = *seed * 1103515245u + 12345u;
    bits = *seed >> 8;
    rule.allow = bits & 1;
    if ((bits >> 1) % 3 == 0) {
        rule.tag = tags[(bits >> 3) % COUNT(tags)];
    }
    if ((bits >> 5) % 3 == 0) {
        rule.directory = names[(bits >> 7) % COUNT(names)];
    }
    if ((bits >> 9) % 5 == 0) {
        rule.agent = agents[(bits >> 12) % COUNT(agents)];
    }
    if ((bits >> 14) % 5 == 0) {
        rule.keyid = kids[(bits >> 17) % COUNT(kids)];
    }
    return rule;
}

#define SIGNERS 20

/* Lists that end in a rule for all the rest: to turn a rule that is called
 * hidden, or impossible, into its contrary changes no verdict. */
static void
turn_each(kit_t *k, wba_rule_t *rules, wba_fact_t *facts, unsigned *turned)
{
    char before[SIGNERS], after[SIGNERS];
    bool together;
    size_t i;

    judge_all(k, facts, SIGNERS, before);
    for (i = 0; i + 1 < k->policy.nrules; i++) {
        if (wba_rule_hidden_by(&k->env, rules, i, &together) == NULL
            && wba_rule_fault(&k->env, &rules[i]) == WBA_RULE_POSSIBLE)
        {
            continue;
        }
        rules[i].allow = !rules[i].allow;
        judge_all(k, facts, SIGNERS, after);
        rules[i].allow = !rules[i].allow;
        assert_memory_equal(before, after, SIGNERS);
        (*turned)++;
    }
}

static void
the_judge_agrees(void **state)
{
    wba_fact_t facts[SIGNERS];
    char verdicts[SIGNERS];
    unsigned seed = 7, turned = 0, closed = 0, round;
    wba_rule_t rules[5];
    kit_t *k = shop();
    size_t i;

    (void) state;
    kit_discovery(k, "web-bot-auth");
    assert_int_equal(signers(k, facts), SIGNERS);
    k->policy.rules = rules;
    for (round = 0; round < 20000; round++) {
        k->policy.nrules = 2 + round % (COUNT(rules) - 1);
        for (i = 0; i < k->policy.nrules; i++) {
            rules[i] = some_rule(&seed);
        }
        if (wba_rules_entry(&k->env, &k->policy) == WBA_ENTRY_DENIED) {
            judge_all(k, facts, SIGNERS, verdicts);
            assert_null(memchr(verdicts, 'a', SIGNERS));
            closed++;
        }
        rules[k->policy.nrules - 1] = (wba_rule_t) { .allow = round & 8 };
        turn_each(k, rules, facts, &turned);
    }
    assert_true(turned > 1000 && closed > 500);
    kit_free(k);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faulty_rules),
        cmocka_unit_test(hidden_rules),
        cmocka_unit_test(discovered_agents),
        cmocka_unit_test(several_patterns),
        cmocka_unit_test(entry),
        cmocka_unit_test(entry_without_rules),
        cmocka_unit_test(the_judge_agrees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
