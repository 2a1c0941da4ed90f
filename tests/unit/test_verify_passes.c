/* SPDX-License-Identifier: BSD-2-Clause */
/* core/verify: one request through several locations, as internal redirects
 * take it: facts stay, each pass judges them anew. */
#include "kit.h"

#define BASED "(\"@authority\" \"@path\" \"x-base\")" TIMES KEYID ED
#define BASED_HEAD HEAD "X-Base: 1\r\n"

static const wba_rule_t deny_everyone = { .allow = false };

static kit_t *
signed_request(void)
{
    kit_t *k = kit_shop();

    kit_request(k, BASED_HEAD);
    kit_sign(k, ALICE, "sig1", BASED NONCE("n") BROWSE);
    return k;
}

/* Expired under one skew and fine under another, recorded once. */
static void
skews(void **state)
{
    kit_t *k = signed_request();

    (void) state;
    k->now = NOW + 62;
    k->policy.clock_skew = 0;
    kit_run(k);
    expect_verdict(k, WBA_REASON_EXPIRED);
    expect_trace(k, "A");

    k->policy.clock_skew = 5;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "AKSbN");

    k->policy.clock_skew = 0;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_EXPIRED);
    expect_trace(k, "A");

    k->policy.clock_skew = 300;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "A");
    assert_int_equal(k->nnonces, 1);
    kit_free(k);
}

/* A skew beyond WBA_MAX_SKEW would outlive the nonce's record. */
static void
skew_is_bounded(void **state)
{
    kit_t *k = signed_request();

    (void) state;
    k->policy.clock_skew = 100000;
    k->now = NOW + 60 + WBA_MAX_SKEW;
    kit_run(k);
    expect_verdict(k, WBA_REASON_EXPIRED);
    k->now--;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_OK);
    assert_true(k->nonces[0].until > k->now);
    kit_free(k);
}

static void
rules(void **state)
{
    kit_t *k = signed_request();

    (void) state;
    k->policy.rules = &deny_everyone;
    k->policy.nrules = 1;
    kit_run(k);
    expect_verdict(k, WBA_REASON_DENIED_BY_RULE);
    expect_trace(k, "AKSb");

    k->policy.nrules = 0;
    kit_pass(k); /* nothing is verified twice */
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "AN");

    k->policy.nrules = 1;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_DENIED_BY_RULE);
    expect_trace(k, "A");
    k->policy.nrules = 0;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "A");
    kit_free(k);
}

/* Another authority or scheme: verified again, recorded not. */
static void
scheme(void **state)
{
    kit_t *k = signed_request();

    (void) state;
    kit_run(k);
    expect_trace(k, "AKSbN");
    k->scheme = "http";
    kit_pass(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "AKb");
    k->scheme = "HTTP"; /* the same */
    kit_pass(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "A");
    assert_int_equal(k->nnonces, 1);
    kit_free(k);
}

/* All that the request has recorded is its own, in every pass. */
static void
several_recorded(void **state)
{
    kit_t *k = signed_request();

    (void) state;
    kit_sign(k, ALICE, "b", BASED NONCE("m") PAY);
    kit_sign(k, ALICE, "c", "(\"@authority\" \"@path\" \"x-base\")"
             ";created=1700000030;expires=1700000060" KEYID ED NONCE("m") PAY);
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);
    assert_int_equal(k->nnonces, 2);
    k->scheme = "http";
    kit_pass(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "AKbKb");

    /* also where a signature comes in later that has the nonce, too */
    k->policy.clock_skew = 60;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "AKb");
    assert_int_equal(k->nnonces, 2);
    kit_free(k);
}

static void
authority(void **state)
{
    unsigned i;
    kit_t *k = signed_request();

    (void) state;
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);
    for (i = 0; i < 3; i++) {
        k->authority_override = "other.example";
        kit_pass(k);
        expect_verdict(k, WBA_REASON_BAD_SIGNATURE);
        expect_trace(k, "AKb");

        k->authority_override = "Shop.Example:443";
        kit_pass(k);
        expect_verdict(k, WBA_REASON_OK);
        expect_trace(k, "AKb");
        assert_int_equal(k->nnonces, 1);
    }
    k->authority_override = NULL;
    kit_pass(k);
    expect_trace(k, "A");

    k->served = false;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_AUTHORITY_NOT_SERVED);
    k->served = true;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "A");
    kit_free(k);
}

/* A bad signature for one authority may be the good one for another. */
static void
authority_first_wrong(void **state)
{
    kit_t *k = signed_request();

    (void) state;
    k->authority_override = "other.example";
    kit_run(k);
    expect_verdict(k, WBA_REASON_BAD_SIGNATURE);
    k->authority_override = NULL;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "AKSbN");
    kit_free(k);
}

/* No other authority makes a used nonce fresh. */
static void
authority_replay(void **state)
{
    kit_t *k = signed_request();

    (void) state;
    kit_run(k);
    kit_run(k);
    expect_verdict(k, WBA_REASON_NONCE_REPLAYED);
    k->scheme = "http";
    kit_pass(k);
    expect_verdict(k, WBA_REASON_NONCE_REPLAYED);
    kit_pass(k);
    expect_verdict(k, WBA_REASON_NONCE_REPLAYED);
    expect_trace(k, "AKS");

    k->blind = true;
    kit_run(k);
    expect_verdict(k, WBA_REASON_NONCE_REPLAYED);
    k->scheme = "https";
    kit_pass(k);
    expect_verdict(k, WBA_REASON_NONCE_REPLAYED);
    expect_trace(k, "AKSbN");
    kit_free(k);
}

static void
not_served_first(void **state)
{
    kit_t *k = signed_request();

    (void) state;
    k->served = false;
    kit_run(k);
    expect_verdict(k, WBA_REASON_AUTHORITY_NOT_SERVED);
    expect_trace(k, "A");
    k->served = true;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "AKSbN");
    kit_free(k);
}

/* What depends on directory and key is judged anew too. */
static void
key_validity(void **state)
{
    kit_t *k = signed_request();

    (void) state;
    k->sets[D_TAP].keys[0].exp = NOW - 100;
    k->policy.clock_skew = 300;
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);
    k->policy.clock_skew = 5;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_KEY_EXPIRED);
    k->policy.clock_skew = 300;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "A");
    kit_free(k);

    k = signed_request();
    k->sets[D_TAP].keys[0].nbf = NOW + 10;
    k->policy.clock_skew = 10;
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);
    k->policy.clock_skew = 9;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_KEY_NOT_YET_VALID);
    kit_free(k);

    k = signed_request();
    k->sets[D_TAP].keys[0].nbf = NOW + 100;
    kit_run(k);
    expect_verdict(k, WBA_REASON_KEY_NOT_YET_VALID);
    expect_trace(k, "AK");
    k->now = NOW + 60; /* so long did it wait */
    kit_pass(k);
    expect_verdict(k, WBA_REASON_KEY_NOT_YET_VALID);
    k->policy.clock_skew = 40;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "AKSbN");
    kit_free(k);
}

/* A key that the crypto refuses does not stand in the way, in a later pass, of
 * one that this location's clock kept out. */
static void
candidates(void **state)
{
    kit_t *k = kit_new();

    (void) state;
    kit_directory(k, "visa", "tap", NULL);
    kit_put(k, 0, BOB, "shared");
    kit_put(k, 0, ALICE, "shared")->exp = NOW - 100;
    kit_once(k, ALICE, TAP("n") ";keyid=\"shared\"");
    expect_verdict(k, WBA_REASON_BAD_SIGNATURE);
    assert_int_equal(k->nnonces, 0);
    k->policy.clock_skew = 300;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_OK);
    assert_int_equal(k->nnonces, 1);
    kit_free(k);
}

/* What a location asks beyond the directory. */
static void
location_settings(void **state)
{
    static const wba_component_t method = {
        .name = { 7, (const uint8_t *) "@method" },
    };
    kit_t *k = signed_request();

    (void) state;
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);

    k->policy.max_lifetime = 10;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_LIFETIME_TOO_LONG);
    k->policy.max_lifetime = 0;

    k->policy.components = &method;
    k->policy.ncomponents = 1;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_COMPONENT_NOT_COVERED);
    k->policy.ncomponents = 0;

    k->policy.digest = WBA_DIGEST_REQUIRED;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_COMPONENT_NOT_COVERED);
    k->policy.digest = WBA_DIGEST_ON;

    k->policy.nonce_required = true;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_OK);
    assert_int_equal(k->nnonces, 1);
    kit_free(k);
}

static void
digest(void **state)
{
    kit_t *k = kit_shop();

    (void) state;
    kit_request(k, HEAD "Content-Digest: sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                        "AAAAAAAAAAAAAAA=:\r\n");
    kit_sign(k, ALICE, "sig1", "(\"@authority\" \"@path\" \"content-digest\")"
                               TIMES KEYID ED NONCE("n") BROWSE);
    k->policy.digest = WBA_DIGEST_OFF;
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "AKSN");
    k->policy.digest = WBA_DIGEST_ON;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_CONTENT_DIGEST_MISMATCH);
    expect_trace(k, "AD");
    kit_pass(k); /* the body is read once */
    expect_verdict(k, WBA_REASON_CONTENT_DIGEST_MISMATCH);
    expect_trace(k, "A");
    k->policy.digest = WBA_DIGEST_OFF;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_OK);
    kit_free(k);
}

/* A later location lets in more signatures: only they are recorded then, also
 * where key or nonce is one that has been. */
static void
one_more(void **state)
{
    static const wba_component_t path = {
        .name = { 5, (const uint8_t *) "@path" },
    };
    kit_t *k = kit_shop();

    (void) state;
    kit_request(k, SENDS_AGENT(AGENT_A));
    kit_put(k, kit_directory(k, "own", "web-bot-auth", NULL), ALICE, NULL);
    kit_sign(k, BOB, "sig1", COVERS_AGENT TIMES KEYID NONCE("a") BOT);
    kit_sign(k, ALICE, "a", TAP("a"));
    kit_sign(k, ALICE, "b", "(\"@authority\")" TIMES KEYID NONCE("b") BOT);
    k->policy.rules = &deny_everyone;
    k->policy.nrules = 1;
    kit_run(k);
    expect_trace(k, "AKSKSKS");

    k->policy.nrules = 0;
    k->policy.components = &path;
    k->policy.ncomponents = 1;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "AN");
    assert_int_equal(k->last_recorded, 1);

    k->policy.ncomponents = 0;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "AN");
    assert_int_equal(k->last_recorded, 2);
    assert_int_equal(k->nnonces, 3);
    kit_free(k);
}

/* What the store refused stays refused: it may have recorded all the same. */
static void
store(void **state)
{
    kit_t *k = signed_request();

    (void) state;
    k->store = WBA_STORE_UNAVAILABLE;
    kit_run(k);
    expect_verdict(k, WBA_REASON_NONCE_STORE_UNAVAILABLE);
    k->store = WBA_STORE_FRESH;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_NONCE_STORE_UNAVAILABLE);
    expect_trace(k, "A");
    kit_free(k);
}

/* A pass that begins while an earlier one waits, and what comes too late. */
static void
interrupted(void **state)
{
    kit_t *k = signed_request();
    wba_verify_t *v = &k->verify;

    (void) state;
    k->stop = WBA_NEED_KEY;
    kit_run(k);
    k->stop = WBA_DONE;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_OK);
    k->nnonces = 0;

    k->stop = WBA_NEED_RECORD;
    kit_run(k);
    wba_verify_begin(v, &k->policy);
    wba_verify_recorded(v, kit_record(k, v->nonces, v->nnonces));
    k->stop = WBA_DONE;
    k->traced = 0;
    k->trace[0] = '\0';
    kit_drive(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "");
    kit_free(k);
}

/* Keys that were offered in one pass mean nothing in the next. */
static void
interrupted_offer(void **state)
{
    wba_keyring_match_t match = { .directory = D_TAP, .by_thumbprint = true };
    kit_t *k = signed_request();

    (void) state;
    k->stop = WBA_NEED_KEY;
    kit_run(k);
    wba_verify_offer(&k->verify, &match);
    assert_int_equal(k->verify.ncandidates, 1);
    k->stop = WBA_DONE;
    k->served = false;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_AUTHORITY_NOT_SERVED);
    expect_trace(k, "A");

    k->served = true;
    k->stop = WBA_NEED_KEY;
    kit_run(k);
    wba_verify_offer(&k->verify, &match);
    k->stop = WBA_DONE;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "AKSbN");
    kit_free(k);
}

/* A used nonce that was refused cheaply, as nothing else could let the request
 * pass, is looked at anew where something else could. */
static void
replay_beside_expired(void **state)
{
    kit_t *k = kit_shop();

    (void) state;
    kit_once(k, ALICE, TAP("used"));
    kit_request(k, HEAD);
    kit_sign(k, ALICE, "a", TAP("n") ";expires=1699999999");
    kit_sign(k, ALICE, "b", TAP("used"));
    k->policy.clock_skew = 0;
    kit_run(k);
    expect_verdict(k, WBA_REASON_NONCE_REPLAYED);
    expect_trace(k, "AKS");
    k->policy.clock_skew = 5;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_NONCE_REPLAYED);
    expect_trace(k, "AKSKS");
    assert_int_equal(k->nnonces, 1);
    kit_free(k);
}

/* A key that came between two passes. */
static void
key_arrives(void **state)
{
    kit_t *k = signed_request();

    (void) state;
    k->sets[D_TAP].count = 0;
    kit_run(k);
    expect_verdict(k, WBA_REASON_KEY_UNKNOWN);
    expect_trace(k, "AKR");
    k->sets[D_TAP].count = 1;
    kit_index(k);
    kit_pass(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "AKSbN");
    kit_free(k);
}

/* Faults of the request itself are told once and for all. */
static void
unreadable(void **state)
{
    kit_t *k = kit_shop();

    (void) state;
    kit_once(k, ALICE, TAP("n") ";alg=1");
    expect_verdict(k, WBA_REASON_SIGNATURE_INPUT_UNREADABLE);
    kit_pass(k);
    expect_verdict(k, WBA_REASON_SIGNATURE_INPUT_UNREADABLE);
    kit_request(k, HEAD);
    kit_run(k);
    kit_pass(k);
    expect_verdict(k, WBA_REASON_NO_SIGNATURE);
    expect_trace(k, "");
    kit_free(k);
}

/* A location in which a signature does not count does not read the body for
 * the digest that this one covers. */
static void
digest_of_one_that_may_not(void **state)
{
    kit_t *k = kit_shop();

    (void) state;
    k->body = "hello";
    kit_request(k, HEAD "Content-Digest: sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0"
                        "JecwQzYpOLmCQ=:\r\n");
    kit_sign(k, ALICE, "sig1",
             "(\"@authority\" \"@path\" \"content-digest\");created=1699999990;"
             "expires=1700000300" KEYID ED NONCE("long") BROWSE);
    kit_sign(k, ALICE, "sig2", TAP("short"));
    k->stop = WBA_NEED_BODY;
    kit_run(k);
    expect_trace(k, "AKSKS");

    k->stop = WBA_DONE;
    k->policy.max_lifetime = 100;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "AN");
    assert_true(wba_str_eq(k->verdict.signature->input.label,
                           WBA_STR("sig2")));
    assert_int_equal(k->verify.facts.digest, WBA_DIGEST_UNCHECKED);
    assert_int_equal(k->last_recorded, 1);

    k->policy.max_lifetime = 0;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "ADN");
    kit_free(k);
}

/* A location that wants nonces of its own making gets them, whatever another
 * one has let in before. */
static void
challenged_later(void **state)
{
    static const wba_challenge_key_t zeros;
    kit_t *k = signed_request();

    (void) state;
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);
    k->policy.challenge = &zeros;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_NONCE_NOT_CHALLENGED);
    k->policy.challenge = NULL;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_OK);
    kit_free(k);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(skews),
        cmocka_unit_test(skew_is_bounded),
        cmocka_unit_test(rules),
        cmocka_unit_test(scheme),
        cmocka_unit_test(several_recorded),
        cmocka_unit_test(authority),
        cmocka_unit_test(authority_first_wrong),
        cmocka_unit_test(authority_replay),
        cmocka_unit_test(not_served_first),
        cmocka_unit_test(key_validity),
        cmocka_unit_test(candidates),
        cmocka_unit_test(location_settings),
        cmocka_unit_test(digest),
        cmocka_unit_test(one_more),
        cmocka_unit_test(store),
        cmocka_unit_test(interrupted),
        cmocka_unit_test(interrupted_offer),
        cmocka_unit_test(replay_beside_expired),
        cmocka_unit_test(key_arrives),
        cmocka_unit_test(unreadable),
        cmocka_unit_test(digest_of_one_that_may_not),
        cmocka_unit_test(challenged_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
