/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules: the verdict is that of the first line which each signature matches,
 * by a plain telling of conditions as numbers; and what nginx -t says of the
 * same rules before any request (this line can never match, that one hides it,
 * nobody can enter) no signature that may verify here refutes.
 *
 * Input: directories, discovery, rules, signatures.
 */
#include "fuzz.h"
#include "judge.h"
#include "rules.h"

#define DIRECTORIES 4
#define RULES 8
#define FACTS 4
#define ANY 255 /* a condition that is not there; a directory without agent */
#define NOW INT64_C(1700000000)
#define WELL_KNOWN "/.well-known/http-message-signatures-directory"

#define T(s) { sizeof(s) - 1, (const uint8_t *) (s) }

/* Tags by what they are to a rule: the third is compared without case. */
static const struct {
    wba_tag_t tag;
    wba_str_t otherwise; /* another case of letters */
    bool same;           /* which is the same tag */
} tags[] = {
    { { T("agent-browser-auth"), false }, T("Agent-Browser-Auth"), false },
    { { T("agent-payer-auth"), false }, T("AGENT-PAYER-AUTH"), false },
    { { T("agent-pay-auth"), true }, T("Agent-PAY-auth"), true },
    { { T("web-bot-auth"), false }, T("Web-Bot-Auth"), false },
};

/* Agents: whom each is to a rule, and whose keys are in one place. */
static const struct {
    const char *url;
    unsigned who, place;
    bool port;
} agents[] = {
    { "https://a.example", 0, 0, false },
    { "https://a.example/", 0, 0, false },
    { "https://A.example:443" WELL_KNOWN, 1, 0, false },
    { "https://a.example/keys", 2, 1, false },
    { "https://a.example/k%65ys", 2, 2, false },
    { "https://b.example/keys?x=1", 3, 3, false },
    { "https://b.example/keys?x=2", 3, 4, false },
    { "https://sub.b.example", 4, 5, false },
    { "https://c.example:8443", 5, 6, true },
};

static const char *const patterns[] = {
    "https://a.example", "*.example", "*.b.example",
    "https://b.example/keys?x=1", "https://c.example:8443",
    "https://a.example/keys",
};

static const char *const names[] = { "d0", "d1", "d2", "d3", "discovery",
                                     "nobody" };
#define DISCOVERY 4

static wba_str_t identity[COUNT(agents)], resolved[COUNT(agents)];
static wba_agent_pattern_t pattern[COUNT(patterns)];
static wba_components_t covered;
static uint8_t thumbprint[2][WBA_THUMBPRINT_SIZE] = { { 1 }, { 2 } };
static uint8_t thumbprint_text[2][WBA_THUMBPRINT_TEXT_SIZE];
static const char *const kids[] = { "", "k0", "k1" };

/* A rule, a signature as numbers. */
typedef struct {
    bool allow;
    unsigned tag, directory, agent, kid, thumbprint;
} plain_t;

static struct {
    wba_directory_t directories[DIRECTORIES];
    unsigned agent[DIRECTORIES];
    unsigned tag[DIRECTORIES + 1][WBA_MAX_TAGS];
    wba_discovery_t discovery;
    wba_agent_pattern_t allow[2];
    wba_env_t env;
    wba_policy_t policy;
    wba_rule_t rules[RULES];
    plain_t plain[RULES];
    wba_facts_t facts;
    wba_fact_t fact[FACTS];
    plain_t signer[FACTS];
} t;

/* --- who is configured */

static void
make_tags(fuzz_in_t *in, wba_directory_t *d, unsigned *numbers)
{
    unsigned mask = fuzz_byte(in), i;

    for (i = 0; i < COUNT(tags); i++) {
        if (mask >> i & 1) {
            numbers[d->profile.ntags] = i;
            d->profile.tags[d->profile.ntags++] = tags[i].tag;
        }
    }
}

static void
make_directory(fuzz_in_t *in, size_t i)
{
    wba_directory_t *d = &t.directories[i];
    unsigned agent = fuzz_byte(in);

    d->name = wba_str_z(names[i]);
    make_tags(in, d, t.tag[i]);
    t.agent[i] = agent & 1 ? agent / 2 % COUNT(agents) : ANY;
    if (t.agent[i] != ANY) {
        d->agent = resolved[t.agent[i]];
        d->agent_identity = identity[t.agent[i]];
    }
}

static void
make_discovery(fuzz_in_t *in)
{
    unsigned what = fuzz_byte(in), i;

    if (what & 1) {
        return;
    }
    t.env.discovery = &t.discovery;
    t.discovery.directory.name = wba_str_z(names[DISCOVERY]);
    t.discovery.any = (what & 2) != 0;
    t.discovery.any_port = (what & 4) != 0;
    t.discovery.nallow = what / 8 % 3;
    t.discovery.allow = t.allow;
    for (i = 0; i < t.discovery.nallow; i++) {
        t.allow[i] = pattern[fuzz_below(in, COUNT(pattern))];
    }
    make_tags(in, &t.discovery.directory, t.tag[DIRECTORIES]);
}

/* --- rules */

static void
make_rule(fuzz_in_t *in, wba_rule_t *rule, plain_t *plain)
{
    unsigned what = fuzz_byte(in), which = fuzz_byte(in), i;

    *plain = (plain_t) { (what & 1) != 0, ANY, ANY, ANY, ANY, ANY };
    rule->allow = plain->allow;
    if (what & 2) {
        i = which % COUNT(tags);
        rule->tag = what & 32 ? tags[i].otherwise : tags[i].tag.text;
        plain->tag = what & 32 && !tags[i].same ? COUNT(tags) : i;
    }
    if (what & 4) {
        plain->directory = which / 4 % COUNT(names);
        rule->directory = wba_str_z(names[plain->directory]);
    }
    if (what & 8) {
        i = fuzz_below(in, COUNT(agents));
        rule->agent = identity[i];
        plain->agent = agents[i].who;
    }
    if (what & 16 && what & 64) {
        plain->thumbprint = which / 32 % 2;
        rule->keyid = wba_str(thumbprint_text[plain->thumbprint],
                              WBA_THUMBPRINT_TEXT_SIZE);
    } else if (what & 16) {
        plain->kid = 1 + which / 32 % 2;
        rule->keyid = wba_str_z(kids[plain->kid]);
    }
}

static bool
condition(unsigned wanted, unsigned is)
{
    return wanted == ANY || wanted == is;
}

static bool
matches(const plain_t *rule, const plain_t *signer)
{
    return condition(rule->tag, signer->tag)
           && condition(rule->directory, signer->directory)
           && condition(rule->agent, signer->agent)
           && condition(rule->kid, signer->kid)
           && condition(rule->thumbprint, signer->thumbprint);
}

/* The first rule that matches; nrules: none. */
static size_t
first(const plain_t *signer)
{
    size_t i;

    for (i = 0; i < t.policy.nrules && !matches(&t.plain[i], signer); i++) {
        /* void */
    }
    return i;
}

static bool
only_those(void)
{
    size_t i;

    for (i = 0; i < t.policy.nrules && !t.plain[i].allow; i++) {
        /* void */
    }
    return i < t.policy.nrules;
}

static bool
let_in(const plain_t *signer)
{
    size_t i = first(signer);

    return i < t.policy.nrules ? t.plain[i].allow : !only_those();
}

/* --- signatures */

/* Whether keys may be looked up there: nobody's who is configured. */
static bool
found_at(unsigned agent)
{
    size_t i;

    for (i = 0; i < t.env.ndirectories; i++) {
        if (t.agent[i] != ANY
            && agents[t.agent[i]].place == agents[agent].place)
        {
            return false;
        }
    }
    if (agents[agent].port && !t.discovery.any_port) {
        return false;
    }
    for (i = 0; i < t.discovery.nallow; i++) {
        if (wba_agent_pattern_matches(&t.allow[i], resolved[agent])) {
            return true;
        }
    }
    return t.discovery.any;
}

/* What can verify here; false: not as the input has it. */
static bool
make_signer(fuzz_in_t *in, wba_fact_t *fact, plain_t *signer)
{
    size_t i = fuzz_below(in, (unsigned) t.env.ndirectories + 1);
    unsigned which = fuzz_byte(in), agent = fuzz_below(in, COUNT(agents));
    bool discovered = i == t.env.ndirectories;
    const wba_directory_t *d = wba_env_directory(&t.env, i);

    if (d == NULL || d->profile.ntags == 0) {
        return false;
    }
    signer->directory = discovered ? DISCOVERY : (unsigned) i;
    signer->tag = t.tag[discovered ? DIRECTORIES : i]
                       [which % d->profile.ntags];
    signer->kid = which / 8 % COUNT(kids);
    signer->thumbprint = which / 32 % 2;
    signer->agent = ANY - 1;
    if (discovered ? !found_at(agent)
                   : t.agent[i] != ANY
                         && agents[agent].place != agents[t.agent[i]].place)
    {
        return false;
    }
    if (discovered || t.agent[i] != ANY) {
        fact->agent_identity = identity[agent];
        signer->agent = agents[agent].who;
    }
    fact->tag = &d->profile.tags[which % d->profile.ntags];
    fact->directory = d;
    fact->kid = wba_str_z(kids[signer->kid]);
    memcpy(fact->thumbprint, thumbprint[signer->thumbprint],
           WBA_THUMBPRINT_SIZE);
    return true;
}

static void
make_facts(fuzz_in_t *in)
{
    unsigned what;

    t.facts.authority_served = true;
    while (in->len != 0 && t.facts.count < FACTS) {
        wba_fact_t *fact = &t.fact[t.facts.count];

        what = fuzz_byte(in);
        memset(fact, 0, sizeof(*fact));
        if (!make_signer(in, fact, &t.signer[t.facts.count])) {
            continue;
        }
        fact->components = &covered;
        fact->stage = WBA_STAGE_VERIFIED;
        fact->reason = what % 8 == 7 ? WBA_REASON_BAD_SIGNATURE
                                     : WBA_REASON_OK;
        fact->input.has_created = fact->input.has_expires = true;
        fact->input.created = NOW - 10;
        fact->input.expires = NOW + 10;
        fact->input.keyid = WBA_STR("sent");
        t.facts.signatures[t.facts.count++] = fact;
    }
}

/* --- what must hold */

static void
the_verdict(void)
{
    const wba_fact_t *denied = NULL, *allowed = NULL, *unlisted = NULL;
    wba_verdict_t v;
    size_t i;

    for (i = t.facts.count; i-- > 0;) {
        if (t.fact[i].reason != WBA_REASON_OK) {
            continue;
        }
        if (let_in(&t.signer[i])) {
            allowed = &t.fact[i];
        } else if (first(&t.signer[i]) < t.policy.nrules) {
            denied = &t.fact[i];
        } else {
            unlisted = &t.fact[i];
        }
    }
    wba_judge(&t.facts, &t.policy, NOW, &v);
    if (t.facts.count == 0) {
        CHECK(v.outcome == WBA_OUTCOME_UNSIGNED);
        return;
    }
    CHECK(v.signature == (denied ? denied : allowed ? allowed : unlisted));
    CHECK((v.decision == WBA_DECISION_ALLOW)
          == (denied == NULL && allowed != NULL));
    CHECK(v.decision == WBA_DECISION_ALLOW
          || v.decision == (t.policy.dry_run ? WBA_DECISION_DRY_RUN_DENY
                                             : WBA_DECISION_DENY));
    CHECK(v.decision == WBA_DECISION_ALLOW || v.status == 403);
    CHECK((v.reason == WBA_REASON_DENIED_BY_RULE)
          == (v.signature != NULL && v.signature != allowed));
    CHECK(v.signature == NULL || v.failed == NULL);
}

/* What is said of rule number i, against one who may verify. */
static void
the_rule(size_t i, const wba_fact_t *fact, const plain_t *signer)
{
    bool together, match = matches(&t.plain[i], signer);
    const wba_rule_t *by;
    size_t j;

    CHECK(!match || wba_rule_concerns(&t.env, &t.rules[i], fact->directory,
                                      fact->tag));
    CHECK(!match
          || wba_rule_fault(&t.env, &t.rules[i]) == WBA_RULE_POSSIBLE);
    by = wba_rule_hidden_by(&t.env, t.rules, i, &together);
    CHECK(by == NULL ? !together : by >= t.rules && by < &t.rules[i]);
    CHECK(by == NULL || first(signer) != i);
    for (j = 0; match && j < t.policy.nrules; j++) {
        CHECK(!wba_rule_covers(&t.rules[j], &t.rules[i])
              || matches(&t.plain[j], signer));
    }
}

static void
what_is_said(void)
{
    wba_entry_t entry = wba_rules_entry(&t.env, &t.policy);
    bool browsers = wba_rules_admit_browsers(&t.env, &t.policy);
    bool named = false;
    size_t i, j;

    for (i = 0; i < t.policy.nrules; i++) {
        named |= wba_str_eq(t.rules[i].tag, tags[0].tag.text);
    }
    CHECK(!named || !browsers);
    for (j = 0; j < t.facts.count; j++) {
        for (i = 0; i < t.policy.nrules; i++) {
            the_rule(i, &t.fact[j], &t.signer[j]);
        }
        if (let_in(&t.signer[j])) {
            CHECK(entry != WBA_ENTRY_DENIED);
            CHECK(wba_rules_admit(&t.env, &t.policy, t.fact[j].directory,
                                  t.fact[j].tag));
            CHECK(browsers || named || t.signer[j].tag != 0);
        }
    }
}

/* --- */

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static fuzz_mem_t m;
    size_t i, j;

    (void) argc;
    (void) argv;
    fuzz_begin();
    fuzz_mem_init(&m);
    for (i = 0; i < COUNT(agents); i++) {
        CHECK(wba_agent_locate(&m.mem, wba_str_z(agents[i].url),
                               WBA_AGENT_TYPE_NONE, &resolved[i],
                               &identity[i])
              == WBA_OK);
        for (j = 0; j < i; j++) {
            CHECK(wba_str_eq(identity[i], identity[j])
                  == (agents[i].who == agents[j].who));
            CHECK(wba_str_eq(resolved[i], resolved[j])
                  == (agents[i].place == agents[j].place));
        }
    }
    for (i = 0; i < COUNT(patterns); i++) {
        CHECK(wba_agent_pattern_parse(&m.mem, wba_str_z(patterns[i]),
                                      &pattern[i])
              == WBA_OK);
    }
    for (i = 0; i < 2; i++) {
        wba_thumbprint_text(thumbprint[i], thumbprint_text[i]);
    }
    covered.items[0].name = WBA_STR("@authority");
    covered.count = 1;
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_in_t in = wba_str(data, size);
    unsigned how = fuzz_byte(&in);
    size_t i;

    memset(&t, 0, sizeof(t));
    wba_policy_default(&t.policy);
    t.policy.mode = how & 1 ? WBA_MODE_OPTIONAL : WBA_MODE_ON;
    t.policy.dry_run = (how & 2) != 0;
    t.policy.rules = t.rules;
    t.policy.nrules = how / 4 % (RULES + 1);
    t.env.directories = t.directories;
    t.env.ndirectories = fuzz_below(&in, DIRECTORIES + 1);
    for (i = 0; i < t.env.ndirectories; i++) {
        make_directory(&in, i);
    }
    make_discovery(&in);
    for (i = 0; i < t.policy.nrules; i++) {
        make_rule(&in, &t.rules[i], &t.plain[i]);
    }
    make_facts(&in);
    what_is_said();
    the_verdict();
    return 0;
}
