/* SPDX-License-Identifier: BSD-2-Clause */
/* core/judge: the verdict over facts made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "judge.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define NOW 1700000000
#define R(name) WBA_REASON_##name

/* One or more signatures that verified, each of its own directory. */
typedef struct {
    wba_facts_t facts;
    wba_fact_t fact[3];
    wba_components_t components[3];
    wba_directory_t directory[3];
    wba_policy_t policy;
    wba_verdict_t verdict;
} case_t;

static const wba_tag_t tag_a = { { 2, (const uint8_t *) "t1" }, false };
static const wba_tag_t tag_b = { { 2, (const uint8_t *) "t2" }, true };

static void
make(case_t *c, size_t n)
{
    static const char *const names[] = { "d1", "d2", "d3" };
    static const char *const agents[] = { "https://1.example", NULL,
                                          "https://3.example" };
    static const char *const kids[] = { "k1", "", "k3" };
    size_t i;

    memset(c, 0, sizeof(*c));
    wba_policy_default(&c->policy);
    c->policy.mode = WBA_MODE_ON;
    c->facts.authority_served = true;
    c->facts.count = n;
    for (i = 0; i < n; i++) {
        wba_fact_t *f = &c->fact[i];

        c->facts.signatures[i] = f;
        c->components[i].items[0].name = WBA_STR("@authority");
        c->components[i].count = 1;
        c->directory[i].name = wba_str_z(names[i]);
        f->stage = WBA_STAGE_VERIFIED;
        f->components = &c->components[i];
        f->directory = &c->directory[i];
        f->agent_identity = wba_str_z(agents[i]);
        f->tag = i == 1 ? &tag_b : &tag_a;
        f->kid = wba_str_z(kids[i]);
        f->input.keyid = WBA_STR("as sent");
        f->input.has_created = f->input.has_expires = true;
        f->input.created = NOW - 10;
        f->input.expires = NOW + 50;
        memset(f->thumbprint, (int) i, sizeof(f->thumbprint));
    }
}

static void
judge(case_t *c)
{
    memset(&c->verdict, 0xa5, sizeof(c->verdict));
    wba_judge(&c->facts, &c->policy, NOW, &c->verdict);
}

static void
expect(case_t *c, wba_reason_t reason)
{
    judge(c);
    if (c->verdict.reason != reason) {
        fail_msg("got %s, want %s",
                 (const char *) wba_reason_info(c->verdict.reason)->name.data,
                 (const char *) wba_reason_info(reason)->name.data);
    }
    assert_int_equal(c->verdict.outcome, wba_reason_info(reason)->outcome);
    assert_int_equal(c->verdict.class, wba_reason_info(reason)->class);
}

/* ---- defaults and names */

static void
defaults(void **state)
{
    static const unsigned status[WBA_CLASS_COUNT] = { 0,   400, 403, 403,
                                                      429, 403, 503, 429, 403 };
    wba_policy_t p;
    unsigned i;

    (void) state;
    memset(&p, 0xa5, sizeof(p));
    wba_policy_default(&p);
    assert_int_equal(p.mode, WBA_MODE_OFF);
    assert_false(p.dry_run);
    assert_false(p.nonce_required);
    assert_int_equal(p.clock_skew, 5);
    assert_int_equal(p.max_lifetime, 0);
    assert_int_equal(p.digest, WBA_DIGEST_ON);
    assert_int_equal(p.nrules + p.ncomponents, 0);
    for (i = 0; i < WBA_CLASS_COUNT; i++) {
        assert_int_equal(wba_class_default_status((wba_class_t) i), status[i]);
        assert_int_equal(p.answers[i], status[i]);
    }
    assert_true(wba_str_eq(wba_decision_name(WBA_DECISION_NONE), WBA_STR("")));
    assert_true(
        wba_str_eq(wba_decision_name(WBA_DECISION_ALLOW), WBA_STR("allow")));
    assert_true(
        wba_str_eq(wba_decision_name(WBA_DECISION_DENY), WBA_STR("deny")));
    assert_true(wba_str_eq(wba_decision_name(WBA_DECISION_DRY_RUN_DENY),
                           WBA_STR("dry-run-deny")));
    assert_true(
        wba_str_eq(wba_decision_name(WBA_DECISION_PASS), WBA_STR("pass")));
}

/* ---- decisions */

/* For every reason and setting: what is done, and with which status. */
static void
check_decision(wba_reason_t reason, wba_mode_t mode, bool dry, bool pass)
{
    const wba_reason_info_t *info = wba_reason_info(reason);
    wba_rule_t deny = { .allow = false };
    wba_decision_t want;
    bool passes, refused;
    case_t c;
    size_t i;

    make(&c, 1);
    c.policy.mode = mode;
    c.policy.dry_run = dry;
    for (i = 0; pass && i < WBA_CLASS_COUNT; i++) {
        c.policy.answers[i] = WBA_ANSWER_PASS;
    }
    if (reason == R(DENIED_BY_RULE)) {
        c.policy.rules = &deny;
        c.policy.nrules = 1;
    } else {
        c.facts.reason = reason;
    }
    expect(&c, reason);

    passes = (mode == WBA_MODE_OPTIONAL && info->class != WBA_CLASS_LIMITED
              && (info->outcome == WBA_OUTCOME_UNSIGNED
                  || info->outcome == WBA_OUTCOME_UNVERIFIED))
             || (pass
                 && (info->class == WBA_CLASS_UNKNOWN
                     || info->class == WBA_CLASS_UNAVAILABLE));
    want = mode == WBA_MODE_OFF      ? WBA_DECISION_NONE
           : reason == R(OK)         ? WBA_DECISION_ALLOW
           : passes                  ? WBA_DECISION_PASS
           : dry                     ? WBA_DECISION_DRY_RUN_DENY
                                     : WBA_DECISION_DENY;
    assert_int_equal(c.verdict.decision, want);
    refused = want == WBA_DECISION_DENY || want == WBA_DECISION_DRY_RUN_DENY;
    assert_int_equal(c.verdict.status,
                     refused ? wba_class_default_status(info->class) : 0);
}

static void
decisions(void **state)
{
    unsigned reason, mode, dry, pass;

    (void) state;
    for (reason = 0; reason < WBA_REASON_COUNT; reason++) {
        for (mode = WBA_MODE_OFF; mode <= WBA_MODE_OPTIONAL; mode++) {
            for (dry = 0; dry < 2; dry++) {
                for (pass = 0; pass < 2; pass++) {
                    check_decision((wba_reason_t) reason, (wba_mode_t) mode,
                                   dry != 0, pass != 0);
                }
            }
        }
    }
}

static void
answers(void **state)
{
    case_t c;

    (void) state;
    make(&c, 1);
    c.facts.reason = R(NONCE_REPLAYED);
    c.policy.answers[WBA_CLASS_REPLAYED] = 409;
    expect(&c, R(NONCE_REPLAYED));
    assert_int_equal(c.verdict.status, 409);
    c.policy.dry_run = true;
    judge(&c);
    assert_int_equal(c.verdict.status, 409); /* what it would have been */
}

/* Facts of nothing pass nobody. */
static void
nothing(void **state)
{
    case_t c;

    (void) state;
    make(&c, 0);
    expect(&c, R(NO_SIGNATURE));
    assert_null(c.verdict.signature);
    assert_null(c.verdict.failed);
    make(&c, 1);
    c.fact[0].stage = WBA_STAGE_READ; /* nobody has gone on with it yet */
    expect(&c, R(KEY_UNKNOWN));
}

/* ---- rules */

#define A(s) { sizeof(s) - 1, (const uint8_t *) (s) }
#define ANY { 0, NULL }
#define ALL ANY, ANY, ANY, ANY
#define THUMB0 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define THUMB1 "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"

/* tag, directory, agent, keyid; described: the signature the variables show */
static const struct {
    const char *name;
    size_t signatures;
    wba_rule_t rules[4];
    size_t nrules;
    bool denied;
    size_t described;
} rules[] = {
    { "none", 1, { { false, ALL } }, 0, false, 0 },
    { "allow all", 1, { { true, ALL } }, 1, false, 0 },
    { "deny all", 1, { { false, ALL } }, 1, true, 0 },
    { "allow tag", 1, { { true, A("t1"), ANY, ANY, ANY } }, 1, false, 0 },
    { "allow other tag", 1, { { true, A("t2"), ANY, ANY, ANY } }, 1, true, 0 },
    { "deny other tag", 1, { { false, A("t2"), ANY, ANY, ANY } }, 1, false,
      0 },
    { "tags have case", 1, { { false, A("T1"), ANY, ANY, ANY } }, 1, false,
      0 },
    { "but not all", 2, { { false, A("T2"), ANY, ANY, ANY } }, 1, true, 1 },
    { "allow directory", 1, { { true, ANY, A("d1"), ANY, ANY } }, 1, false,
      0 },
    { "deny directory", 1, { { false, ANY, A("d1"), ANY, ANY } }, 1, true, 0 },
    { "allow agent", 1, { { true, ANY, ANY, A("https://1.example"), ANY } }, 1,
      false, 0 },
    { "no prefix of it", 1, { { true, ANY, ANY, A("https://1.exampl"), ANY } },
      1, true, 0 },
    { "allow kid", 1, { { true, ANY, ANY, ANY, A("k1") } }, 1, false, 0 },
    { "deny kid", 1, { { false, ANY, ANY, ANY, A("k1") } }, 1, true, 0 },
    { "allow thumbprint", 1, { { true, ANY, ANY, ANY, A(THUMB0) } }, 1, false,
      0 },
    { "deny thumbprint", 1, { { false, ANY, ANY, ANY, A(THUMB0) } }, 1, true,
      0 },
    { "another's thumbprint", 1, { { true, ANY, ANY, ANY, A(THUMB1) } }, 1,
      true, 0 },
    { "conditions are ANDed", 1,
      { { true, A("t1"), A("d1"), A("https://1.example"), A("k1") } }, 1,
      false, 0 },
    { "all of them", 1, { { true, A("t1"), A("d2"), ANY, ANY } }, 1, true, 0 },
    { "each of them", 1, { { false, A("t1"), A("d1"), ANY, A("k2") } }, 1,
      false, 0 },
    { "first match: allow", 1, { { true, ANY, A("d1"), ANY, ANY },
      { false, ALL } }, 2, false, 0 },
    { "first match: deny", 1, { { false, ANY, A("d1"), ANY, ANY },
      { true, ALL } }, 2, true, 0 },
    { "no match, an allow", 1, { { false, A("x"), ANY, ANY, ANY },
      { true, A("y"), ANY, ANY, ANY } }, 2, true, 0 },
    { "no match, no allow", 1, { { false, A("x"), ANY, ANY, ANY },
      { false, A("y"), ANY, ANY, ANY } }, 2, false, 0 },

    { "two, no rules", 2, { { false, ALL } }, 0, false, 0 },
    { "the first allowed", 2, { { true, ANY, A("d2"), ANY, ANY } }, 1, false,
      1 },
    { "the first of them", 3, { { true, ANY, A("d3"), ANY, ANY },
      { true, ANY, A("d2"), ANY, ANY } }, 2, false, 1 },
    { "one denied denies", 3, { { false, ANY, A("d3"), ANY, ANY },
      { true, ALL } }, 2, true, 2 },
    { "the first denied", 3, { { true, ANY, A("d1"), ANY, ANY },
      { false, ALL } }, 2, true, 1 },
    { "none allowed", 3, { { true, A("x"), ANY, ANY, ANY } }, 1, true, 0 },
    { "no agent is no agent", 2, { { false, ANY, ANY, A(""), ANY } }, 1, false,
      0 },
    { "no kid is no kid", 2, { { false, ANY, ANY, ANY, A("k2") } }, 1, false,
      0 },
};

static void
rule_lists(void **state)
{
    const wba_fact_t *want;
    case_t c;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(rules); i++) {
        make(&c, rules[i].signatures);
        c.policy.rules = rules[i].rules;
        c.policy.nrules = rules[i].nrules;
        judge(&c);
        want = &c.fact[rules[i].described];
        if ((c.verdict.reason == R(DENIED_BY_RULE)) != rules[i].denied
            || c.verdict.signature != want || c.verdict.failed != NULL
            || c.verdict.outcome != WBA_OUTCOME_VERIFIED)
        {
            fail_msg("%s: %s, signature %d", rules[i].name,
                     (const char *) wba_reason_info(c.verdict.reason)
                         ->name.data,
                     c.verdict.signature == NULL
                         ? -1
                         : (int) (c.verdict.signature - c.fact));
        }
    }
}

/* A signature that did not verify is nothing that a rule could match. */
static void
rules_and_failures(void **state)
{
    const wba_rule_t deny_d1 = { false, ANY, A("d1"), ANY, ANY };
    case_t c;

    (void) state;
    make(&c, 2);
    c.policy.rules = &deny_d1;
    c.policy.nrules = 1;
    c.fact[0].stage = WBA_STAGE_BASED;
    c.fact[0].reason = R(BAD_SIGNATURE);
    expect(&c, R(OK));
    assert_ptr_equal(c.verdict.signature, &c.fact[1]);

    c.fact[0].stage = WBA_STAGE_VERIFIED;
    c.fact[0].reason = R(OK);
    expect(&c, R(DENIED_BY_RULE));
    c.components[0].count = 0; /* verified, but not here */
    expect(&c, R(OK));
}

/* ---- one signature */

static const struct {
    int64_t created, expires, now, skew, location, directory;
    wba_reason_t reason;
} times[] = {
    { 100, 200, 150, 0, 0, 0, R(OK) },
    { 100, 200, 100, 0, 0, 0, R(OK) },
    { 100, 200, 99, 0, 0, 0, R(CLOCK_AHEAD) },
    { 100, 200, 95, 5, 0, 0, R(OK) },
    { 100, 200, 94, 5, 0, 0, R(CLOCK_AHEAD) },
    { 100, 200, 199, 0, 0, 0, R(OK) },
    { 100, 200, 200, 0, 0, 0, R(EXPIRED) },
    { 100, 200, 204, 5, 0, 0, R(OK) },
    { 100, 200, 205, 5, 0, 0, R(EXPIRED) },
    { 100, 200, 499, 9999, 0, 0, R(OK) },
    { 100, 200, 500, 9999, 0, 0, R(EXPIRED) },
    { 400, 500, 100, 9999, 0, 0, R(OK) },
    { 401, 500, 100, 9999, 0, 0, R(CLOCK_AHEAD) },
    { 200, 200, 200, 5, 0, 0, R(EXPIRES_NOT_AFTER_CREATED) },
    { 200, 100, 150, 300, 0, 0, R(EXPIRES_NOT_AFTER_CREATED) },
    { 100, 200, 150, 0, 100, 100, R(OK) },
    { 100, 200, 150, 0, 99, 100, R(LIFETIME_TOO_LONG) },
    { 100, 200, 150, 0, 100, 99, R(LIFETIME_TOO_LONG) },
    { 100, 200, 150, 0, 0, 99, R(LIFETIME_TOO_LONG) },
    { -999999999999999, 999999999999999, 150, 5, 0, 0, R(OK) },
    { -999999999999999, 999999999999999, 150, 5, 86400, 0,
      R(LIFETIME_TOO_LONG) },
    { 999999999999998, 999999999999999, 150, 5, 0, 0, R(CLOCK_AHEAD) },
    { -999999999999999, -999999999999998, 150, 5, 0, 0, R(EXPIRED) },
};

static void
clocks(void **state)
{
    case_t c;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(times); i++) {
        make(&c, 1);
        c.fact[0].input.created = times[i].created;
        c.fact[0].input.expires = times[i].expires;
        c.policy.clock_skew = times[i].skew;
        c.policy.max_lifetime = times[i].location;
        c.directory[0].profile.max_lifetime = times[i].directory;
        wba_judge(&c.facts, &c.policy, times[i].now, &c.verdict);
        if (c.verdict.reason != times[i].reason) {
            fail_msg("row %zu: %s", i,
                     (const char *) wba_reason_info(c.verdict.reason)
                         ->name.data);
        }
    }
}

static void
key_times(void **state)
{
    case_t c;

    (void) state;
    make(&c, 1);
    c.fact[0].key_nbf = NOW + 5;
    c.fact[0].key_exp = NOW - 4;
    expect(&c, R(OK));
    c.fact[0].key_nbf = NOW + 6;
    expect(&c, R(KEY_NOT_YET_VALID));
    c.fact[0].key_nbf = 0;
    c.fact[0].key_exp = NOW - 5;
    expect(&c, R(KEY_EXPIRED));
    assert_ptr_equal(c.verdict.failed, &c.fact[0]);
    assert_null(c.verdict.signature);
}

/* The stricter of directory and location counts. */
static void
claims(void **state)
{
    wba_component_t path = { .name = WBA_STR("@path") };
    wba_directory_t *d;
    wba_fact_t *f;
    case_t c;

    (void) state;
    make(&c, 1);
    f = &c.fact[0];
    d = &c.directory[0];

    d->profile.alg_required = true;
    expect(&c, R(MISSING_FIELDS));
    f->input.alg = WBA_STR("ed25519");
    expect(&c, R(OK));

    d->profile.nonce_required = true;
    expect(&c, R(NONCE_MISSING));
    d->profile.nonce_required = false;
    c.policy.nonce_required = true;
    expect(&c, R(NONCE_MISSING));
    f->input.nonce = WBA_STR("");
    expect(&c, R(NONCE_MISSING));
    f->input.nonce = WBA_STR("n");
    expect(&c, R(OK));

    d->profile.components[0] = path;
    d->profile.ncomponents = 1;
    expect(&c, R(COMPONENT_NOT_COVERED));
    d->profile.ncomponents = 0;
    c.policy.components = &path;
    c.policy.ncomponents = 1;
    expect(&c, R(COMPONENT_NOT_COVERED));
    c.components[0].items[c.components[0].count++] = path;
    expect(&c, R(OK));

    c.components[0].items[0].name = WBA_STR("@target-uri");
    expect(&c, R(OK));
    c.components[0].items[0].name = WBA_STR("host");
    expect(&c, R(TARGET_NOT_COVERED));

    f->input.has_created = false;
    expect(&c, R(MISSING_FIELDS));
    f->input.has_created = true;
    f->input.has_expires = false;
    expect(&c, R(MISSING_FIELDS));
    f->input.has_expires = true;
    f->input.keyid = WBA_STR("");
    expect(&c, R(MISSING_FIELDS));

    c.facts.authority_served = false;
    expect(&c, R(AUTHORITY_NOT_SERVED));
    f->reason = R(BAD_COMPONENT);
    expect(&c, R(BAD_COMPONENT));
}

static void
digests(void **state)
{
    static const struct {
        wba_digest_state_t state;
        wba_reason_t reason;
    } t[] = {
        { WBA_DIGEST_MATCHES, R(OK) },
        { WBA_DIGEST_UNCHECKED, R(OK) }, /* not yet complete */
        { WBA_DIGEST_MISMATCH, R(CONTENT_DIGEST_MISMATCH) },
        { WBA_DIGEST_UNREADABLE, R(CONTENT_DIGEST_UNREADABLE) },
        { WBA_DIGEST_NO_BODY, R(BODY_UNAVAILABLE) },
    };
    wba_component_t *item;
    case_t c;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(t); i++) {
        make(&c, 1);
        c.facts.digest = t[i].state;
        expect(&c, R(OK)); /* not covered */
        c.policy.digest = WBA_DIGEST_REQUIRED;
        expect(&c, R(COMPONENT_NOT_COVERED));

        item = &c.components[0].items[c.components[0].count++];
        item->name = WBA_STR("content-digest");
        expect(&c, t[i].reason);
        c.policy.digest = WBA_DIGEST_ON;
        expect(&c, t[i].reason);
        c.policy.digest = WBA_DIGEST_OFF;
        expect(&c, R(OK));

        /* one member of it: checked, but not all that may be required */
        item->key = WBA_STR("sha-256");
        expect(&c, R(OK));
        c.policy.digest = WBA_DIGEST_ON;
        expect(&c, t[i].reason);
        c.policy.digest = WBA_DIGEST_REQUIRED;
        expect(&c, R(COMPONENT_NOT_COVERED));
    }
}

/* Each signature is compared with what the body names. */
static void
links(void **state)
{
    static const struct {
        wba_link_state_t state;
        wba_reason_t reason;
    } t[] = {
        { WBA_LINK_UNCHECKED, R(OK) }, /* not yet complete */
        { WBA_LINK_READ, R(OK) },
        { WBA_LINK_UNREADABLE, R(BODY_LINK_UNREADABLE) },
        { WBA_LINK_TOO_LARGE, R(BODY_LINK_TOO_LARGE) },
        { WBA_LINK_MISSING, R(BODY_LINK_MISSING) },
        { WBA_LINK_NO_BODY, R(BODY_UNAVAILABLE) },
    };
    case_t c;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(t); i++) {
        make(&c, 2);
        c.facts.link.state = t[i].state;
        expect(&c, R(OK)); /* not asked for */
        c.policy.body_link = true;
        expect(&c, t[i].reason);
    }

    make(&c, 2);
    c.policy.body_link = true;
    c.facts.link.state = WBA_LINK_READ;
    c.facts.link.objects[0].nonce = WBA_STR("n");
    c.facts.link.objects[0].kid = WBA_STR("as sent");
    c.facts.link.count = 1;
    expect(&c, R(BODY_LINK_MISMATCH)); /* neither has a nonce */
    c.fact[1].input.nonce = WBA_STR("n");
    expect(&c, R(OK));
    assert_ptr_equal(c.verdict.signature, &c.fact[1]);
    c.facts.link.objects[0].kid = WBA_STR("d2");
    expect(&c, R(BODY_LINK_MISMATCH));
    c.policy.body_link = false;
    expect(&c, R(OK));
    assert_ptr_equal(c.verdict.signature, &c.fact[0]);

    /* a digest that does not match tells more */
    c.policy.body_link = true;
    c.facts.digest = WBA_DIGEST_MISMATCH;
    for (i = 0; i < 2; i++) {
        c.components[i].items[c.components[i].count++].name =
            WBA_STR("content-digest");
    }
    expect(&c, R(CONTENT_DIGEST_MISMATCH));
}

/* ---- several that failed */

static void
furthest(void **state)
{
    case_t c;

    (void) state;
    make(&c, 3);
    c.fact[0].stage = WBA_STAGE_FOUND;
    c.fact[0].reason = R(BAD_COMPONENT);
    c.fact[1].stage = WBA_STAGE_BASED;
    c.fact[1].reason = R(BAD_SIGNATURE);
    c.fact[2].stage = WBA_STAGE_ATTRIBUTED;
    c.fact[2].aside = R(KEY_UNKNOWN);
    expect(&c, R(BAD_SIGNATURE));
    assert_ptr_equal(c.verdict.failed, &c.fact[1]);

    c.fact[2].aside = R(DIRECTORY_UNAVAILABLE); /* it might have been good */
    expect(&c, R(DIRECTORY_UNAVAILABLE));
    assert_ptr_equal(c.verdict.failed, &c.fact[2]);
    c.policy.mode = WBA_MODE_OPTIONAL;
    judge(&c);
    assert_int_equal(c.verdict.decision, WBA_DECISION_PASS);

    c.policy.mode = WBA_MODE_ON;
    c.fact[2].aside = R(FORGERY_LIMITED); /* this one, too */
    expect(&c, R(FORGERY_LIMITED));
    assert_ptr_equal(c.verdict.failed, &c.fact[2]);
    assert_int_equal(c.verdict.status, 429);

    c.policy.mode = WBA_MODE_OPTIONAL;
    c.fact[2].aside = R(KEY_UNKNOWN);
    c.fact[0].stage = WBA_STAGE_BASED; /* equal: the first */
    expect(&c, R(BAD_COMPONENT));
    judge(&c);
    assert_int_equal(c.verdict.decision, WBA_DECISION_DENY);
}

/* One that was not tried keeps back those that verified. */
static void
one_not_tried(void **state)
{
    case_t c;

    (void) state;
    make(&c, 2);
    expect(&c, R(OK));
    c.fact[1].stage = WBA_STAGE_KEYED;
    c.fact[1].aside = R(KEY_UNKNOWN);
    expect(&c, R(OK));
    c.fact[1].aside = R(FORGERY_LIMITED);
    expect(&c, R(FORGERY_LIMITED));
    assert_null(c.verdict.signature);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(decisions),
        cmocka_unit_test(answers),
        cmocka_unit_test(nothing),
        cmocka_unit_test(rule_lists),
        cmocka_unit_test(rules_and_failures),
        cmocka_unit_test(clocks),
        cmocka_unit_test(key_times),
        cmocka_unit_test(claims),
        cmocka_unit_test(digests),
        cmocka_unit_test(links),
        cmocka_unit_test(furthest),
        cmocka_unit_test(one_not_tried),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
