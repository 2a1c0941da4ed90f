/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/verify under a limit of forgeries: what is asked before the crypto and
 * told after it, what costs nothing is not counted, and a signature that was
 * not tried keeps the whole request back.
 */
#include "kit.h"

#define R(name) WBA_REASON_##name
#define ALICE_S ";keyid=\"kid-alice\""

static unsigned asked;

int
crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m,
                            unsigned long long mlen, const unsigned char *pk)
{
    asked++;
    return crypto_sign_ed25519_verify_detached(sig, m, mlen, pk);
}

/* The host: for whom nothing may be tried, and what it was told. */

static bool limited[KIT_KEYS];
static unsigned good[KIT_KEYS], bad[KIT_KEYS];
static const wba_forgery_limit_t some = { 7, 9 }, same = { 7, 9 };

static unsigned
whose(const kit_t *k, const uint8_t *thumbprint)
{
    unsigned i;

    for (i = 0; i < KIT_KEYS; i++) {
        if (memcmp(k->keys[i].thumbprint, thumbprint, WBA_THUMBPRINT_SIZE)
            == 0)
        {
            return i;
        }
    }
    fail_msg("nobody's thumbprint");
    return 0;
}

static bool
may_try(void *ctx, const wba_message_t *message,
        const wba_forgery_limit_t *limit, const uint8_t *thumbprint)
{
    kit_t *k = ctx;

    assert_ptr_equal(message, &k->message);
    assert_ptr_equal(limit, k->policy.forgery);
    kit_trace(k, 'L');
    return !limited[whose(k, thumbprint)];
}

static void
tried(void *ctx, const wba_message_t *message,
      const wba_forgery_limit_t *limit, const uint8_t *thumbprint, bool well)
{
    kit_t *k = ctx;

    assert_ptr_equal(message, &k->message);
    assert_ptr_equal(limit, k->policy.forgery);
    (well ? good : bad)[whose(k, thumbprint)]++;
}

static void
forgive(void *ctx, const wba_message_t *message,
        const wba_forgery_limit_t *limit, const uint8_t *thumbprint)
{
    kit_t *k = ctx;

    assert_ptr_equal(message, &k->message);
    assert_ptr_equal(limit, &some);
    assert_true(bad[whose(k, thumbprint)]-- > 0);
}

static void
forget(void)
{
    memset(limited, 0, sizeof(limited));
    memset(good, 0, sizeof(good));
    memset(bad, 0, sizeof(bad));
    asked = 0;
}

static kit_t *
with_limit(kit_t *k)
{
    k->env.may_try = may_try;
    k->env.tried = tried;
    k->env.forgive = forgive;
    k->policy.forgery = &some;
    kit_request(k, HEAD);
    forget();
    return k;
}

static kit_t *
shop(void)
{
    return with_limit(kit_shop());
}

/* alice's keyid with bob's signature */
static void
sign_forged(kit_t *k, const char *label, const char *nonce)
{
    char input[256];

    snprintf(input, sizeof(input),
             COVERED TIMES ED ";nonce=\"%s\"" BROWSE ALICE_S, nonce);
    kit_sign(k, BOB, label, input);
}

/* ---- one signature */

static void
asked_before_and_told_after(void **state)
{
    kit_t *k = shop();

    (void) state;
    kit_request(k, HEAD "X-Base: 1\r\n");
    kit_sign(k, ALICE, "sig1",
             "(\"@authority\" \"@path\" \"x-base\")" TIMES KEYID ED NONCE("n")
             BROWSE);
    kit_run(k);
    expect_verdict(k, R(OK));
    expect_trace(k, "AKLSbN");
    assert_int_equal(good[ALICE], 1);
    assert_int_equal(bad[ALICE], 0);

    k->nnonces = 0;
    forget();
    limited[ALICE] = true;
    kit_run(k);
    expect_verdict(k, R(FORGERY_LIMITED));
    expect_trace(k, "AKL");
    assert_int_equal(asked + good[ALICE] + bad[ALICE], 0);

    /* without a limit nobody is asked or told */
    k->policy.forgery = NULL;
    kit_run(k);
    expect_verdict(k, R(OK));
    expect_trace(k, "AKSbN");
    assert_int_equal(asked, 1);
    assert_int_equal(good[ALICE], 0);

    /* nor where the host has no such thing, as the tool */
    k->nnonces = 0;
    k->policy.forgery = &some;
    k->env.may_try = NULL;
    k->env.tried = NULL;
    kit_run(k);
    expect_verdict(k, R(OK));
    kit_free(k);
}

static void
a_forgery_counts(void **state)
{
    kit_t *k = shop();

    (void) state;
    sign_forged(k, "sig1", "n");
    kit_run(k);
    expect_verdict(k, R(BAD_SIGNATURE));
    assert_int_equal(bad[ALICE], 1);
    assert_int_equal(good[ALICE] + good[BOB] + bad[BOB], 0);

    /* the page that answers: it is known by then, and counts once */
    kit_pass(k);
    expect_verdict(k, R(BAD_SIGNATURE));
    assert_int_equal(bad[ALICE], 1);
    assert_int_equal(asked, 1);
    kit_free(k);
}

static void
key_ends(kit_t *k)
{
    k->sets[D_TAP].keys[0].exp = NOW - 100;
}

static void
used(kit_t *k)
{
    kit_nonce_t *n = &k->nonces[k->nnonces++];

    memcpy(n->thumbprint, k->keys[ALICE].thumbprint, WBA_THUMBPRINT_SIZE);
    n->nonce[0] = 'n';
    n->len = 1;
}

/* What is refused without the crypto is not counted, however often. */
static void
what_costs_nothing_does_not_count(void **state)
{
    static const struct {
        const char *input;
        void (*before)(kit_t *k);
        wba_reason_t want;
    } t[] = {
        { COVERED ";created=1600000000;expires=1600000060" ED NONCE("n")
          BROWSE ALICE_S, NULL, R(EXPIRED) },
        { COVERED TIMES ED NONCE("n") BROWSE ";keyid=\"nobody\"", NULL,
          R(KEY_UNKNOWN) },
        { COVERED TIMES ED NONCE("n") BROWSE, NULL, R(MISSING_FIELDS) },
        { COVERED TIMES ED BROWSE ALICE_S, NULL, R(NONCE_MISSING) },
        { COVERED TIMES ";alg=\"rsa-pss-sha512\"" NONCE("n") BROWSE ALICE_S,
          NULL, R(ALG_MISMATCH) },
        { "(\"@authority\" \"@path\" \"x-absent\")" TIMES ED NONCE("n") BROWSE
          ALICE_S, NULL, R(MISSING_COMPONENT) },
        { COVERED TIMES ED NONCE("n") BROWSE ALICE_S, key_ends,
          R(KEY_EXPIRED) },
        { COVERED TIMES ED NONCE("n") BROWSE ALICE_S, used,
          R(NONCE_REPLAYED) },
        { COVERED TIMES ED NONCE("n") ";tag=\"other\"" ALICE_S, NULL,
          R(NO_SERVED_TAG) },
    };
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(t); i++) {
        kit_t *k = shop();

        if (t[i].before != NULL) {
            t[i].before(k);
        }
        kit_sign(k, BOB, "sig1", t[i].input);
        kit_run(k);
        expect_verdict(k, t[i].want);
        assert_int_equal(asked + good[ALICE] + bad[ALICE] + bad[BOB], 0);
        kit_free(k);
    }
}

static void
decisions(void **state)
{
    kit_t *k = shop();
    unsigned mode, dry;

    (void) state;
    sign_forged(k, "sig1", "n");
    limited[ALICE] = true;
    for (mode = WBA_MODE_ON; mode <= WBA_MODE_OPTIONAL; mode++) {
        for (dry = 0; dry < 2; dry++) {
            k->policy.mode = (wba_mode_t) mode;
            k->policy.dry_run = dry != 0;
            kit_run(k);
            expect_verdict(k, R(FORGERY_LIMITED));
            assert_int_equal(k->verdict.outcome, WBA_OUTCOME_UNVERIFIED);
            assert_int_equal(k->verdict.decision,
                             dry ? WBA_DECISION_DRY_RUN_DENY
                                 : WBA_DECISION_DENY);
            assert_int_equal(k->verdict.status, 429);
        }
    }
    assert_int_equal(asked, 0);
    kit_free(k);
}

/* ---- several keys for one keyid */

/* The first by the order of directories is bob's, the second alice's. */
static kit_t *
two_keys(void)
{
    kit_t *k = kit_new();

    kit_put(k, kit_directory(k, "one", "tap", NULL), BOB, "kid");
    kit_put(k, kit_directory(k, "two", "tap", NULL), ALICE, "kid");
    return with_limit(k);
}

static void
candidates(void **state)
{
    static const struct {
        unsigned by;
        bool bob_limited, alice_limited;
        wba_reason_t want;
        unsigned asked, bad_bob, bad_alice, good_alice;
    } t[] = {
        /* alice's, which bob's key does not verify: no forgery */
        { ALICE, false, false, R(OK), 2, 0, 0, 1 },
        { CAROL, false, false, R(BAD_SIGNATURE), 2, 1, 1, 0 },
        /* one that may not be tried may be the right one */
        { ALICE, true, false, R(OK), 1, 0, 0, 1 },
        { ALICE, false, true, R(FORGERY_LIMITED), 1, 1, 0, 0 },
        { CAROL, true, false, R(FORGERY_LIMITED), 1, 0, 1, 0 },
        { ALICE, true, true, R(FORGERY_LIMITED), 0, 0, 0, 0 },
    };
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(t); i++) {
        kit_t *k = two_keys();

        limited[BOB] = t[i].bob_limited;
        limited[ALICE] = t[i].alice_limited;
        kit_sign(k, t[i].by, "sig1",
                 COVERED TIMES ED NONCE("n") BROWSE ";keyid=\"kid\"");
        kit_run(k);
        expect_verdict(k, t[i].want);
        assert_int_equal(asked, t[i].asked);
        assert_int_equal(bad[BOB], t[i].bad_bob);
        assert_int_equal(bad[ALICE], t[i].bad_alice);
        assert_int_equal(good[ALICE], t[i].good_alice);
        assert_int_equal(good[BOB], 0);
        kit_free(k);
    }
}

/* ---- several signatures */

static void
each_signature_counts(void **state)
{
    kit_t *k = shop();

    (void) state;
    sign_forged(k, "a", "1");
    sign_forged(k, "b", "2");
    kit_sign(k, ALICE, "c", COVERED TIMES KEYID ED NONCE("3") PAY);
    kit_run(k);
    expect_verdict(k, R(OK)); /* bad neighbours spoil nothing */
    assert_int_equal(bad[ALICE], 2);
    assert_int_equal(good[ALICE], 1);
    kit_free(k);
}

/* Were the request let in by the one that verified, the other, whose nonce is
 * on no record then, would be good for a request of its own. */
static void
one_not_tried_keeps_all_back(void **state)
{
    kit_t *k = shop();

    (void) state;
    kit_put(k, D_TAP, BOB, "kid-bob");
    kit_sign(k, ALICE, "a", TAP("1"));
    kit_sign(k, BOB, "b", COVERED TIMES KEYID ED NONCE("2") PAY);
    limited[BOB] = true;
    kit_run(k);
    expect_verdict(k, R(FORGERY_LIMITED));
    assert_int_equal(k->nnonces, 0);
    assert_int_equal(asked, 1);

    /* in another pass it may be tried: both verify, both are recorded */
    limited[BOB] = false;
    kit_pass(k);
    expect_verdict(k, R(OK));
    assert_int_equal(k->nnonces, 2);
    assert_int_equal(asked, 2);
    kit_free(k);

    k = shop(); /* in whatever order */
    kit_put(k, D_TAP, BOB, "kid-bob");
    kit_sign(k, BOB, "a", COVERED TIMES KEYID ED NONCE("2") PAY);
    kit_sign(k, ALICE, "b", TAP("1"));
    limited[BOB] = true;
    kit_run(k);
    expect_verdict(k, R(FORGERY_LIMITED));
    assert_int_equal(k->nnonces, 0);
    kit_free(k);
}

/* A location without a limit tries what another one did not. */
static void
passes(void **state)
{
    kit_t *k = shop();

    (void) state;
    kit_sign(k, ALICE, "sig1", TAP("n"));
    limited[ALICE] = true;
    kit_run(k);
    expect_verdict(k, R(FORGERY_LIMITED));
    k->policy.forgery = NULL;
    kit_pass(k);
    expect_verdict(k, R(OK));
    k->policy.forgery = &some;
    kit_pass(k); /* what has verified is not asked about again */
    expect_verdict(k, R(OK));
    expect_trace(k, "A");
    assert_int_equal(asked, 1);
    kit_free(k);
}

/* What fails over the authority of one pass may verify over another's: it is
 * charged once for as long as it fails, tried again without asking, and
 * forgiven when it verifies. */
static void
another_authority(void **state)
{
    kit_t *k = shop();

    (void) state;
    kit_sign(k, ALICE, "sig1", TAP("n"));
    k->authority_override = "other.example";
    kit_run(k);
    expect_verdict(k, R(BAD_SIGNATURE));
    assert_int_equal(bad[ALICE], 1);
    limited[ALICE] = true;
    k->policy.forgery = &same; /* another location's */
    k->authority_override = "third.example";
    kit_pass(k);
    expect_verdict(k, R(BAD_SIGNATURE));
    assert_int_equal(bad[ALICE], 1);
    k->authority_override = NULL;
    kit_pass(k);
    expect_verdict(k, R(OK));
    assert_int_equal(bad[ALICE], 0);
    assert_int_equal(good[ALICE], 1);
    k->authority_override = "other.example"; /* what is forgiven is over */
    kit_pass(k);
    expect_verdict(k, R(FORGERY_LIMITED));
    k->authority_override = NULL;

    /* a forgery stays one */
    k->nnonces = 0;
    forget();
    kit_request(k, HEAD);
    sign_forged(k, "sig1", "n");
    kit_run(k);
    k->authority_override = "other.example";
    kit_pass(k);
    k->authority_override = NULL;
    kit_pass(k);
    expect_verdict(k, R(BAD_SIGNATURE));
    assert_int_equal(bad[ALICE], 1);
    kit_free(k);
}

/* Every key that was charged is forgiven. */
static void
all_forgiven(void **state)
{
    kit_t *k = shop();

    (void) state;
    kit_put(k, D_TAP, BOB, "kid-alice");
    kit_put(k, D_TAP, CAROL, "kid-alice");
    kit_sign(k, ALICE, "sig1", COVERED TIMES ED NONCE("n") BROWSE ALICE_S);
    k->authority_override = "other.example";
    kit_run(k);
    expect_verdict(k, R(BAD_SIGNATURE));
    assert_int_equal(bad[ALICE] + bad[BOB] + bad[CAROL], 3);
    k->authority_override = NULL;
    kit_pass(k);
    expect_verdict(k, R(OK));
    assert_int_equal(bad[ALICE] + bad[BOB] + bad[CAROL], 0);
    kit_free(k);
}

/* Each limit has budgets of its own, and each is charged once, as far as there
 * is room to remember: a location without a limit charges none. */
static void
other_limits(void **state)
{
    static const wba_forgery_limit_t slower = { 8, 9 }, deeper = { 7, 10 },
                                     third = { 3, 3 }, fourth = { 4, 4 };
    static const struct {
        const wba_forgery_limit_t *limit;
        unsigned bad;
    } t[] = {
        { &some, 1 },   { &same, 1 },  { &slower, 2 }, { &deeper, 3 },
        { NULL, 3 },    { &some, 3 },  { &deeper, 3 }, { &third, 4 },
        { &third, 4 },  { &fourth, 5 },
        { &fourth, 6 }, /* beyond WBA_MAX_CANDIDATES charges */
        { &slower, 6 },
    };
    kit_t *k = shop();
    char authority[COUNT(t)][32]; /* each lives on: passes compare */
    size_t i;

    (void) state;
    assert_int_equal(WBA_MAX_CANDIDATES, 4);
    sign_forged(k, "sig1", "n");
    for (i = 0; i < COUNT(t); i++) {
        snprintf(authority[i], sizeof(authority[i]), "a%zu.example", i);
        k->authority_override = authority[i];
        k->policy.forgery = t[i].limit;
        if (i == 0) {
            kit_run(k);
        } else {
            kit_pass(k);
        }
        expect_verdict(k, R(BAD_SIGNATURE));
        if (bad[ALICE] != t[i].bad) {
            fail_msg("pass %zu: %u charged", i, bad[ALICE]);
        }
    }
    kit_free(k);

    k = shop(); /* a host that cannot take a charge back */
    k->env.forgive = NULL;
    kit_sign(k, ALICE, "sig1", TAP("n"));
    k->authority_override = "other.example";
    kit_run(k);
    k->authority_override = NULL;
    kit_pass(k);
    expect_verdict(k, R(OK));
    assert_int_equal(bad[ALICE], 1);
    kit_free(k);
}

/* ---- what is not the rule */

static bool
yes(void *ctx)
{
    (void) ctx;
    return true;
}

#define SENT COVERED "; created=1699999990; expires=1700000060; " \
    "keyid=\"kid-alice\"; alg=\"ed25519\"; nonce=\"n\"; " \
    "tag=\"agent-browser-auth\""
#define LINES(path) "\"@authority\": shop.example\n\"@path\": " path "\n"

/* A key that was tried over two bases counts once; not at all where one of
 * them verifies and that is tolerated. */
static void
visa_sample(void **state)
{
    static const struct {
        bool tolerated;
        unsigned who;
        wba_reason_t want;
        unsigned good, bad;
    } t[] = {
        { true, ALICE, R(OK), 1, 0 },
        { true, BOB, R(BAD_SIGNATURE), 0, 1 },
        { false, ALICE, R(VISA_SAMPLE_FORM), 0, 1 },
        { false, BOB, R(BAD_SIGNATURE), 0, 1 },
    };
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(t); i++) {
        kit_t *k = shop();

        k->env.diagnose = yes;
        k->directories[D_TAP].lenient =
            t[i].tolerated ? WBA_LENIENT_VISA_SAMPLE : 0;
        kit_sign_text(k, t[i].who, "sig2", LINES("/p?q=1"), SENT);
        kit_run(k);
        expect_verdict(k, t[i].want);
        assert_int_equal(asked, 2);
        assert_int_equal(good[ALICE], t[i].good);
        assert_int_equal(bad[ALICE], t[i].bad);
        kit_free(k);
    }
}

/* Of several keys, what is told is of the one that may be the right one. */
static void
which_reason(void **state)
{
    kit_t *k = shop();

    (void) state;
    k->env.diagnose = yes;
    kit_put(k, D_TAP, BOB, "kid-alice");
    limited[BOB] = true;
    kit_sign_text(k, ALICE, "sig2", LINES("/p?q=1"), SENT);
    kit_run(k);
    expect_verdict(k, R(FORGERY_LIMITED));
    kit_free(k);

    k = with_limit(kit_new());
    k->env.diagnose = yes;
    kit_directory(k, "visa", "tap", NULL);
    kit_put(k, D_TAP, BOB, "kid-alice");
    kit_put(k, D_TAP, ALICE, "kid-alice");
    kit_once(k, BOB, COVERED TIMES ED NONCE("n") BROWSE ALICE_S);
    expect_verdict(k, R(OK));
    kit_request(k, HEAD);
    kit_sign_text(k, ALICE, "sig2", LINES("/p?q=1"), SENT);
    kit_run(k);
    expect_verdict(k, R(VISA_SAMPLE_FORM));
    kit_free(k);
}

#define STATIC COVERS_AGENT ";created=1699900000;expires=1707600000" KEYID BOT

/* What the crypto has said before costs nothing: it counts in any case. */
static void
static_signatures(void **state)
{
    static const uint8_t secret[WBA_VERDICT_SECRET] = { 1 };
    kit_t *k = shop();
    size_t size = wba_verdict_cache_size(64);
    void *region = malloc(size);

    (void) state;
    assert_non_null(region);
    k->directories[D_A].profile.max_lifetime = 90 * 86400;
    k->env.verdicts = wba_verdict_cache_init(region, size, secret);
    kit_request(k, SENDS_AGENT(AGENT_A));
    kit_sign(k, BOB, "sig1", STATIC);
    limited[BOB] = true;
    kit_run(k);
    expect_verdict(k, R(FORGERY_LIMITED));
    assert_int_equal(asked, 0);

    limited[BOB] = false;
    kit_run(k);
    expect_verdict(k, R(OK));
    assert_int_equal(asked, 1);

    limited[BOB] = true;
    kit_run(k);
    expect_verdict(k, R(OK));
    assert_true(k->verdict.signature->known);
    assert_int_equal(asked, 1);

    /* another one is not known */
    kit_request(k, SENDS_AGENT(AGENT_A));
    kit_sign(k, BOB, "sig1", STATIC ";x=1");
    kit_run(k);
    expect_verdict(k, R(FORGERY_LIMITED));
    assert_int_equal(asked, 1);

    /* nobody else pays for the look: neither nonce nor base */
    limited[ALICE] = true;
    kit_request(k, HEAD "X-Base: 1\r\n");
    kit_sign(k, ALICE, "sig1",
             "(\"@authority\" \"@path\" \"x-base\")" TIMES KEYID ED NONCE("n")
             BROWSE);
    kit_run(k);
    expect_verdict(k, R(FORGERY_LIMITED));
    expect_trace(k, "AKL");
    free(region);
    kit_free(k);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asked_before_and_told_after),
        cmocka_unit_test(a_forgery_counts),
        cmocka_unit_test(what_costs_nothing_does_not_count),
        cmocka_unit_test(decisions),
        cmocka_unit_test(candidates),
        cmocka_unit_test(each_signature_counts),
        cmocka_unit_test(one_not_tried_keeps_all_back),
        cmocka_unit_test(passes),
        cmocka_unit_test(another_authority),
        cmocka_unit_test(all_forgiven), cmocka_unit_test(which_reason),
        cmocka_unit_test(other_limits),
        cmocka_unit_test(visa_sample),
        cmocka_unit_test(static_signatures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
