/* SPDX-License-Identifier: BSD-2-Clause */
/* core/verify: the facts it finds, the order of its questions, and several
 * signatures at once. */
#include "kit.h"

#define DIGEST_HEAD                                                           \
    "POST /p HTTP/1.1\r\nHost: shop.example\r\n"                              \
    "Content-Digest: sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:"  \
    "\r\n" /* hello */
#define DIGEST_TAP                                                            \
    "(\"@authority\" \"@path\" \"content-digest\" \"x-base\")" TIMES KEYID ED \
        NONCE("n") BROWSE
#define BASED HEAD "X-Base: 1\r\n"
#define BASED_TAP(n)                                                          \
    "(\"@authority\" \"@path\" \"x-base\")" TIMES KEYID ED NONCE(n) BROWSE
#define BOT_A COVERS_AGENT TIMES KEYID BOT
#define BOT_A_NONCE(n) COVERS_AGENT TIMES KEYID NONCE(n) BOT
#define FORGED COVERED TIMES ED NONCE("forged") BROWSE ";keyid=\"kid-alice\""

static const wba_rule_t deny_everyone = { .allow = false };

/* ---- one good signature */

static void
facts(void **state)
{
    kit_t *k = kit_shop();
    const wba_fact_t *f;

    (void) state;
    kit_once(k, ALICE, TAP("n") ";x=1");
    expect_verdict(k, WBA_REASON_OK);
    assert_int_equal(k->verdict.decision, WBA_DECISION_ALLOW);
    assert_int_equal(k->verdict.status, 0);
    assert_null(k->verdict.failed);

    f = k->verdict.signature;
    assert_int_equal(f->stage, WBA_STAGE_VERIFIED);
    assert_ptr_equal(f->directory, &k->directories[D_TAP]);
    assert_int_equal(f->alg, WBA_ALG_ED25519);
    assert_memory_equal(f->thumbprint, k->keys[ALICE].thumbprint, 32);
    assert_true(wba_str_eq(f->kid, WBA_STR("kid-alice")));
    assert_true(wba_str_eq(f->tag->text, WBA_STR("agent-browser-auth")));
    assert_ptr_equal(f->tag, wba_profile_tag(&f->directory->profile,
                                             WBA_STR("agent-browser-auth")));
    assert_ptr_equal(f->keyed, f->directory);
    assert_true(wba_str_eq(f->input.label, WBA_STR("sig1")));
    assert_int_equal(f->input.created, 1699999990);
    assert_int_equal(f->input.expires, 1700000060);
    assert_int_equal(f->components->count, 2);
    assert_null(f->agent_url.data);
    assert_null(f->agent_identity.data);
    assert_true(f->recorded);
    assert_true(k->verify.facts.authority_served);
    assert_true(wba_str_eq(k->verify.facts.authority,
                           WBA_STR("shop.example")));
    assert_true(wba_str_eq(k->verify.facts.claimed_tag,
                           WBA_STR("agent-browser-auth")));
    kit_free(k);
}

static void
agent_facts(void **state)
{
    kit_t *k = kit_shop();
    const wba_fact_t *f;

    (void) state;
    k->directories[D_A].agent = WBA_STR("https://a.example/k?v=1");
    kit_request(k, SENDS_AGENT("https://A.example:443/k?v=1"));
    kit_sign(k, BOB, "sig1", BOT_A);
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "AK"); /* no nonce, nothing to look up or to record */

    f = k->verdict.signature;
    assert_true(wba_str_eq(f->agent.url,
                           WBA_STR("https://A.example:443/k?v=1")));
    assert_true(wba_str_eq(f->agent_url, WBA_STR("https://a.example/k?v=1")));
    assert_true(wba_str_eq(f->agent_identity, WBA_STR("https://a.example/k")));
    assert_false(f->recorded);
    kit_free(k);
}

/* until is expires and the greatest skew, whatever the location's own is */
static void
what_is_recorded(void **state)
{
    kit_t *k = kit_shop();

    (void) state;
    k->policy.clock_skew = 0;
    kit_once(k, ALICE, TAP("n"));
    assert_int_equal(k->nnonces, 1);
    assert_memory_equal(k->nonces[0].thumbprint, k->keys[ALICE].thumbprint,
                        32);
    assert_int_equal(k->nonces[0].created, 1699999990);
    assert_int_equal(k->nonces[0].until, 1700000060 + WBA_MAX_SKEW);
    kit_free(k);
}

/* What nobody verified is still there for the log. */
static void
claims(void **state)
{
    kit_t *k = kit_shop();
    const wba_facts_t *f = &k->verify.facts;

    (void) state;
    kit_request(k, SENDS_AGENT("https://x.example"));
    kit_sign(k, BOB, "a", "();tag=\"other\";keyid=\"k\"");
    kit_run(k);
    assert_true(wba_str_eq(f->claimed_tag, WBA_STR("other")));
    assert_true(wba_str_eq(f->claimed_agent,
                           WBA_STR("sig1=\"https://x.example\"")));
    assert_null(k->verdict.failed);

    kit_sign(k, BOB, "b", FORGED);
    kit_run(k);
    assert_true(wba_str_eq(f->claimed_keyid, WBA_STR("kid-alice")));

    /* a broken one does not hide the served tag */
    kit_request(k, HEAD);
    kit_sign(k, BOB, "a", "();tag=\"agent-browser-auth\";created=x");
    kit_run(k);
    expect_verdict(k, WBA_REASON_SIGNATURE_INPUT_UNREADABLE);
    assert_true(wba_str_eq(f->claimed_tag, WBA_STR("agent-browser-auth")));
    assert_true(wba_str_eq(k->verdict.failed->input.label, WBA_STR("a")));
    assert_null(f->claimed_keyid.data);

    /* of which nothing else is told, were it read before what is broken */
    kit_request(k, HEAD);
    kit_sign(k, BOB, "a", "();tag=\"agent-browser-auth\";keyid=\"k\";alg=x");
    kit_run(k);
    expect_verdict(k, WBA_REASON_SIGNATURE_INPUT_UNREADABLE);
    assert_null(k->verdict.failed->input.keyid.data);
    assert_null(f->claimed_keyid.data);
    kit_free(k);
}

/* ---- order */

static void
order(void **state)
{
    kit_t *k = kit_shop();

    (void) state;
    k->body = "hello";
    kit_request(k, DIGEST_HEAD "X-Base: 1\r\n");
    kit_sign(k, ALICE, "sig1", DIGEST_TAP);
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "AKSbDN");

    kit_run(k); /* once more, it is a replay: known before the base */
    expect_verdict(k, WBA_REASON_NONCE_REPLAYED);
    expect_trace(k, "AKS");
    assert_int_equal(k->verdict.failed->stage, WBA_STAGE_KEYED);

    k->blind = true; /* and if the cheap look does not tell, the store does */
    kit_run(k);
    expect_verdict(k, WBA_REASON_NONCE_REPLAYED);
    expect_trace(k, "AKSbDN");
    assert_int_equal(k->nnonces, 1);
    kit_free(k);
}

static void
signed_by_bob(kit_t *k)
{
    kit_request(k, DIGEST_HEAD "X-Base: 1\r\n");
    kit_sign(k, BOB, "sig1",
             "(\"@authority\" \"@path\" \"content-digest\" \"x-base\")" TIMES
             ED NONCE("n") BROWSE ";keyid=\"kid-alice\"");
}

/* A forger can make us neither store nor read a body. */
static void
forger(void **state)
{
    kit_t *k = kit_shop();

    (void) state;
    k->body = "hello";
    signed_by_bob(k);
    kit_run(k);
    expect_verdict(k, WBA_REASON_BAD_SIGNATURE);
    expect_trace(k, "AKSb");
    assert_int_equal(k->nnonces, 0);
    assert_null(k->verify.digest);

    /* nor by a good signature that the location does not let in, */
    k->policy.rules = &deny_everyone;
    k->policy.nrules = 1;
    kit_request(k, DIGEST_HEAD "X-Base: 1\r\n");
    kit_sign(k, ALICE, "sig1", DIGEST_TAP);
    kit_run(k);
    expect_verdict(k, WBA_REASON_DENIED_BY_RULE);
    expect_trace(k, "AKSb");

    /* not even under dry run or optional, which refuse nobody; */
    k->policy.dry_run = true;
    kit_run(k);
    expect_trace(k, "AKSb");
    k->policy.mode = WBA_MODE_OPTIONAL;
    kit_run(k);
    expect_trace(k, "AKSb");

    /* nor, without a nonce stored, by a body that is another */
    k->policy.nrules = 0;
    k->body = "hellO";
    kit_run(k);
    expect_verdict(k, WBA_REASON_CONTENT_DIGEST_MISMATCH);
    expect_trace(k, "AKSbD");
    assert_int_equal(k->nnonces, 0);
    kit_free(k);
}

/* What is refused before a key is asked for. */
static void
before_keys(void **state)
{
    static const struct {
        const char *input;
        int64_t now;
        const char *trace;
    } t[] = {
        { COVERED TIMES KEYID ";tag=\"x\"", NOW, "" },
        { TAP("n") ";created=x", NOW, "A" },
        { TAP("n"), NOW + 65, "A" },
        { TAP("n"), NOW - 16, "A" },
        { "(\"@path\")" TIMES KEYID ED NONCE("n") BROWSE, NOW, "A" },
        { COVERED KEYID ED NONCE("n") BROWSE, NOW, "A" },
        { TAP("n"), NOW + 64, "AKSN" },
        { TAP("n"), NOW - 15, "AKSN" },
    };
    kit_t *k = kit_shop();
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(t); i++) {
        k->nnonces = 0;
        k->now = t[i].now;
        kit_once(k, ALICE, t[i].input);
        expect_trace(k, t[i].trace);
    }
    k->now = NOW;
    k->served = false;
    kit_once(k, ALICE, TAP("n"));
    expect_trace(k, "A");
    expect_verdict(k, WBA_REASON_AUTHORITY_NOT_SERVED);
    kit_free(k);
}

/* The rules of a directory are looked at before its key's nonce, and the nonce
 * before anything costs. */
static void
directory_before_nonce(void **state)
{
    kit_t *k = kit_shop();

    (void) state;
    k->sets[D_TAP].keys[0].exp = NOW - 100;
    kit_request(k, BASED);
    kit_sign(k, ALICE, "sig1", BASED_TAP("n"));
    kit_run(k);
    expect_verdict(k, WBA_REASON_KEY_EXPIRED);
    expect_trace(k, "AK");
    kit_free(k);
}

/* A digest that nobody verified covers is nobody's business. */
static void
digests(void **state)
{
    kit_t *k = kit_shop();

    (void) state;
    k->body = "other";
    kit_request(k, DIGEST_HEAD);
    kit_sign(k, ALICE, "sig1", TAP("1"));
    kit_sign(k, BOB, "sig2", DIGEST_TAP ";keyid=\"kid-alice\"");
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "AKSKSbN");

    k->policy.digest = WBA_DIGEST_OFF;
    kit_request(k, DIGEST_HEAD "X-Base: 1\r\n");
    kit_sign(k, ALICE, "sig1", DIGEST_TAP);
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "AKSbN");

    k->policy.digest = WBA_DIGEST_REQUIRED;
    k->nnonces = 0;
    kit_run(k);
    expect_verdict(k, WBA_REASON_CONTENT_DIGEST_MISMATCH);
    k->body = "hello";
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);

    /* wherever it stands in the list */
    k->policy.digest = WBA_DIGEST_ON;
    k->nnonces = 0;
    kit_request(k, DIGEST_HEAD);
    kit_sign(k, ALICE, "sig1",
             "(\"content-digest\" \"@authority\" \"@path\")" TIMES KEYID ED
             NONCE("n") BROWSE);
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "AKSDN");
    k->body = "other";
    k->nnonces = 0;
    kit_run(k);
    expect_verdict(k, WBA_REASON_CONTENT_DIGEST_MISMATCH);
    kit_free(k);
}

/* One covers the digest and its body is wrong; the other passes alone, and is
 * recorded alone. */
static void
digest_spoils_its_own(void **state)
{
    kit_t *k = kit_shop();

    (void) state;
    k->body = "other";
    kit_request(k, DIGEST_HEAD "X-Base: 1\r\n");
    kit_sign(k, ALICE, "sig1", DIGEST_TAP);
    kit_sign(k, ALICE, "sig2", TAP("2"));
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);
    assert_true(wba_str_eq(k->verdict.signature->input.label,
                           WBA_STR("sig2")));
    assert_int_equal(k->last_recorded, 1);
    kit_free(k);
}

/* A host may leave a need unanswered and step again. */
static void
waiting(void **state)
{
    static const wba_need_t stops[] = { WBA_NEED_KEY, WBA_NEED_BODY,
                                        WBA_NEED_RECORD };
    kit_t *k = kit_shop();
    size_t i, j;

    (void) state;
    k->body = "hello";
    kit_request(k, DIGEST_HEAD "X-Base: 1\r\n");
    kit_sign(k, ALICE, "sig1", DIGEST_TAP);
    for (i = 0; i < COUNT(stops); i++) {
        k->stop = stops[i];
        kit_run(k);
        for (j = 0; j < 3; j++) {
            assert_int_equal(wba_verify_step(&k->verify, NOW), stops[i]);
        }
        /* asked early, as a variable may be */
        assert_int_equal(k->verdict.signature != NULL,
                         stops[i] != WBA_NEED_KEY);
        assert_int_equal(wba_verify_foresee(&k->verify, NOW),
                         stops[i] != WBA_NEED_KEY);
        assert_int_equal(wba_verify_step(&k->verify, NOW), stops[i]);
        k->stop = WBA_DONE;
        kit_drive(k);
        expect_verdict(k, WBA_REASON_OK);
        expect_trace(k, "AKSbDN");
        assert_int_equal(wba_verify_foresee(&k->verify, NOW), 0);
        k->nnonces = 0;
    }

    /* nothing is foreseen where memory has run out */
    k->fail_at = 1;
    kit_run(k);
    expect_verdict(k, WBA_REASON_OUT_OF_MEMORY);
    assert_int_equal(wba_verify_foresee(&k->verify, NOW), 0);
    k->fail_at = 0;
    kit_free_blocks(k);

    /* it expires while it waits */
    k->stop = WBA_NEED_RECORD;
    kit_run(k);
    k->now = NOW + 100;
    k->stop = WBA_DONE;
    kit_drive(k);
    expect_verdict(k, WBA_REASON_EXPIRED);
    kit_free(k);
}

/* What was fed in one pass does not count in the next. */
static void
fed_in_part(void **state)
{
    kit_t *k = kit_shop();

    (void) state;
    k->body = "hello";
    k->stop = WBA_NEED_BODY;
    kit_request(k, DIGEST_HEAD "X-Base: 1\r\n");
    kit_sign(k, ALICE, "sig1", DIGEST_TAP);
    kit_run(k);
    wba_verify_feed(&k->verify, "hel", 3);
    wba_verify_begin(&k->verify, &k->policy);
    assert_int_equal(wba_verify_step(&k->verify, NOW), WBA_NEED_BODY);
    k->stop = WBA_DONE;
    kit_drive(k);
    expect_verdict(k, WBA_REASON_OK);
    kit_free(k);

    k = kit_shop();
    k->body = "[1]";
    k->policy.body_link = true;
    k->stop = WBA_NEED_BODY;
    kit_request(k, HEAD "Content-Type: application/json\r\n");
    kit_sign(k, ALICE, "sig1", TAP("n"));
    kit_run(k);
    wba_verify_feed(&k->verify, "[1", 2);
    wba_verify_begin(&k->verify, &k->policy);
    k->stop = WBA_DONE;
    kit_drive(k);
    assert_int_equal(k->verify.facts.link.state, WBA_LINK_READ);
    kit_free(k);
}

/* The body is asked for once, whatever it is wanted for; in a later pass again
 * for what nobody has looked at. */
static void
body_for_both(void **state)
{
    kit_t *k = kit_shop();

    (void) state;
    k->body = "hello";
    k->policy.body_link = true;
    kit_request(k, DIGEST_HEAD "X-Base: 1\r\n");
    kit_sign(k, ALICE, "sig1", DIGEST_TAP);
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "AKSbDN");
    assert_int_equal(k->verify.facts.link.state, WBA_LINK_READ);
    kit_pass(k);
    expect_trace(k, "A");

    k->nnonces = 0;
    k->policy.body_link = false;
    kit_run(k);
    expect_trace(k, "AKSbDN");
    assert_int_equal(k->verify.facts.link.state, WBA_LINK_UNCHECKED);
    k->policy.body_link = true;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "AD");
    k->policy.digest = WBA_DIGEST_OFF;
    k->nnonces = 0;
    kit_run(k);
    expect_trace(k, "AKSbDN");
    assert_int_equal(k->verify.facts.digest, WBA_DIGEST_UNCHECKED);
    kit_free(k);

    /* and the other way round */
    k = kit_shop();
    k->body = "hello";
    k->policy.digest = WBA_DIGEST_OFF;
    k->policy.body_link = true;
    kit_request(k, DIGEST_HEAD "X-Base: 1\r\n");
    kit_sign(k, ALICE, "sig1", DIGEST_TAP);
    kit_run(k);
    expect_trace(k, "AKSbDN");
    assert_int_equal(k->verify.facts.link.state, WBA_LINK_READ);
    k->policy.digest = WBA_DIGEST_REQUIRED;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "AD");
    assert_int_equal(k->verify.facts.digest, WBA_DIGEST_MATCHES);
    kit_free(k);

    /* not where the digest is no good anyway */
    k = kit_shop();
    k->policy.body_link = true;
    kit_request(k, HEAD "Content-Digest: x\r\nX-Base: 1\r\n");
    kit_sign(k, ALICE, "sig1", DIGEST_TAP);
    kit_run(k);
    expect_verdict(k, WBA_REASON_CONTENT_DIGEST_UNREADABLE);
    expect_trace(k, "AKSb");
    kit_free(k);
}

/* Answers that nobody asked for change nothing. */
static void
stray_answers(void **state)
{
    const wba_keyring_match_t none = { .directory = 0 };
    kit_t *k = kit_shop();
    wba_verify_t *v = &k->verify;
    unsigned i;

    (void) state;
    kit_request(k, HEAD);
    for (i = 0; i < WBA_MAX_SIGNATURES; i++) {
        char label[] = "a";

        label[0] = (char) ('a' + i);
        kit_sign(k, ALICE, label, TAP("n"));
    }
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);
    assert_int_equal(k->verify.facts.count, WBA_MAX_SIGNATURES);

    wba_verify_offer(v, &none);
    wba_verify_keys(v, WBA_REASON_DIRECTORY_UNAVAILABLE);
    assert_false(wba_verify_accepts(v, 0));
    wba_verify_feed(v, "x", 1);
    wba_verify_body(v, false);
    wba_verify_body(v, true);
    assert_int_equal(v->facts.digest, WBA_DIGEST_UNCHECKED);
    wba_verify_recorded(v, WBA_STORE_SEEN);
    kit_drive(k);
    expect_verdict(k, WBA_REASON_OK);
    kit_free(k);
}

/* ---- several signatures */

static const char *const bad_neighbours[] = {
    FORGED,
    TAP("x") ";created=x",
    TAP("x") ";alg=\"none\"",
    "(\"@status\")" TIMES KEYID BROWSE,
    COVERED ";created=1;expires=2" KEYID ED NONCE("x") BROWSE,
    COVERED TIMES ";keyid=\"nobody\"" ED NONCE("x") BROWSE,
    COVERS_AGENT TIMES KEYID BOT,
    COVERED TIMES KEYID ";tag=token",
    COVERED TIMES KEYID ";tag=\"foreign\"",
    "1",
};

static void
bad_neighbour(void **state)
{
    kit_t *k = kit_shop();
    size_t i, first;

    (void) state;
    for (i = 0; i < COUNT(bad_neighbours); i++) {
        for (first = 0; first < 2; first++) {
            k->nnonces = 0;
            kit_request(k, HEAD);
            if (first) {
                kit_sign(k, BOB, "bad", bad_neighbours[i]);
            }
            kit_sign(k, ALICE, "good", TAP("n"));
            if (!first) {
                kit_sign(k, BOB, "bad", bad_neighbours[i]);
            }
            kit_run(k);
            expect_verdict(k, WBA_REASON_OK);
            assert_true(wba_str_eq(k->verdict.signature->input.label,
                                   WBA_STR("good")));
            assert_int_equal(k->last_recorded, 1);
        }
    }
    kit_free(k);
}

/* A neighbour whose bytes nobody sent, under either field. */
static void
lonely_labels(void **state)
{
    kit_t *k = kit_shop();

    (void) state;
    kit_request(k, HEAD "Signature-Input: other=" COVERED BROWSE "\r\n"
                        "Signature: third=:AA==:\r\n");
    kit_sign(k, ALICE, "good", TAP("n"));
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);
    kit_free(k);
}

/* Where something of ours was not available that may be said, rather than what
 * another signature lacks that has come as far as one can. */
static void
ours_before_theirs(void **state)
{
    static const char unknown[] =
        COVERED TIMES ED NONCE("m") PAY ";keyid=\"nobody\"";
    kit_t *k;
    size_t i;

    (void) state;
    for (i = 0; i < 2; i++) {
        k = kit_shop();
        k->why = WBA_REASON_DIRECTORY_UNAVAILABLE;
        k->body = "other";
        kit_request(k, DIGEST_HEAD "X-Base: 1\r\n");
        kit_sign(k, ALICE, "a", i == 0 ? DIGEST_TAP : unknown);
        kit_sign(k, ALICE, "b", i == 0 ? unknown : DIGEST_TAP);
        kit_run(k);
        expect_verdict(k, WBA_REASON_DIRECTORY_UNAVAILABLE);
        assert_int_equal(k->verify.facts.digest, WBA_DIGEST_MISMATCH);
        kit_free(k);
    }
}

/* The furthest one's reason is the request's, */
static void
furthest(void **state)
{
    kit_t *k = kit_shop();

    (void) state;
    kit_request(k, HEAD);
    kit_sign(k, ALICE, "a", "(\"@status\")" TIMES KEYID BROWSE);
    kit_sign(k, ALICE, "b", TAP("x") ";expires=1699999995");
    kit_run(k);
    expect_verdict(k, WBA_REASON_EXPIRED);
    assert_int_equal(k->verify.facts.signatures[0]->stage, WBA_STAGE_FOUND);
    assert_int_equal(k->verdict.failed->stage, WBA_STAGE_READ);
    assert_true(wba_str_eq(k->verdict.failed->tag->text,
                           WBA_STR("agent-browser-auth")));

    kit_request(k, HEAD);
    kit_sign(k, ALICE, "a", TAP("x") ";created=x");
    kit_sign(k, BOB, "b", FORGED);
    kit_sign(k, BOB, "c", TAP("x"));
    kit_run(k);
    expect_verdict(k, WBA_REASON_BAD_SIGNATURE);
    assert_true(wba_str_eq(k->verdict.failed->input.label, WBA_STR("b")));

    /* but a directory of ours that fails makes nothing invalid: had it been
     * up, the request might have passed */
    k->why = WBA_REASON_DIRECTORY_UNAVAILABLE;
    kit_run(k);
    expect_verdict(k, WBA_REASON_DIRECTORY_UNAVAILABLE);
    assert_int_equal(k->verdict.outcome, WBA_OUTCOME_UNVERIFIED);
    kit_free(k);
}

static void
two_nonces(void **state)
{
    kit_t *k = kit_shop();

    (void) state;
    kit_request(k, HEAD);
    kit_sign(k, ALICE, "a", TAP("1"));
    kit_sign(k, ALICE, "b", COVERED TIMES KEYID ED NONCE("2") PAY);
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "AKSKSN");
    assert_int_equal(k->last_recorded, 2);
    assert_int_equal(k->nnonces, 2);

    /* either alone was used with the other */
    kit_once(k, ALICE, TAP("1"));
    expect_verdict(k, WBA_REASON_NONCE_REPLAYED);
    kit_once(k, ALICE, COVERED TIMES KEYID ED NONCE("2") PAY);
    expect_verdict(k, WBA_REASON_NONCE_REPLAYED);
    kit_free(k);
}

/* One that was used before fails the other too, whether the cheap look knows
 * of it or only the store, and whether or not the other has a nonce. */
static void
one_seen(void **state)
{
    static const char *const others[] = {
        TAP("fresh"), COVERED TIMES KEYID NONCE("fresh") BOT,
        COVERED TIMES KEYID BOT,
    };
    kit_t *k = kit_shop();
    size_t i, order, blind;

    (void) state;
    kit_put(k, kit_directory(k, "own", "web-bot-auth", NULL), ALICE, NULL);
    for (i = 0; i < COUNT(others); i++) {
        for (order = 0; order < 2; order++) {
            for (blind = 0; blind < 2; blind++) {
                k->nnonces = 0;
                kit_once(k, ALICE, TAP("used"));
                expect_verdict(k, WBA_REASON_OK);

                k->blind = blind != 0;
                kit_request(k, HEAD);
                if (order) {
                    kit_sign(k, ALICE, "b", others[i]);
                }
                kit_sign(k, ALICE, "a", TAP("used"));
                if (!order) {
                    kit_sign(k, ALICE, "b", others[i]);
                }
                kit_run(k);
                expect_verdict(k, WBA_REASON_NONCE_REPLAYED);
                assert_int_equal(k->nnonces, 1);
                k->blind = false;
            }
        }
    }
    kit_free(k);
}

/* A forger who writes a used nonce beside a good signature spoils nothing. */
static void
forged_seen(void **state)
{
    kit_t *k = kit_shop();

    (void) state;
    kit_once(k, ALICE, TAP("forged"));
    kit_request(k, HEAD);
    kit_sign(k, BOB, "a", FORGED);
    kit_sign(k, ALICE, "b", TAP("n"));
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);
    kit_request(k, HEAD);
    kit_sign(k, ALICE, "a", TAP("n2"));
    kit_sign(k, BOB, "b", FORGED);
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);
    kit_free(k);
}

/* No store, no passing, also not for a neighbour without a nonce. */
static void
store_fails_all(void **state)
{
    static const struct {
        wba_store_answer_t answer;
        wba_reason_t reason;
    } t[] = {
        { WBA_STORE_SEEN, WBA_REASON_NONCE_REPLAYED },
        { WBA_STORE_FULL, WBA_REASON_NONCE_STORE_FULL },
        { WBA_STORE_COLD, WBA_REASON_NONCE_STORE_COLD },
        { WBA_STORE_UNAVAILABLE, WBA_REASON_NONCE_STORE_UNAVAILABLE },
    };
    kit_t *k = kit_shop();
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(t); i++) {
        k->store = t[i].answer;
        kit_request(k, SENDS_AGENT(AGENT_A));
        kit_sign(k, BOB, "sig1", BOT_A);
        kit_sign(k, ALICE, "a", TAP("1"));
        kit_sign(k, ALICE, "b", TAP("2"));
        kit_sign(k, ALICE, "c", TAP("3") ";expires=1699999995");
        kit_run(k);
        expect_verdict(k, t[i].reason);
        assert_int_equal(k->last_recorded, 2);
        assert_int_equal(k->verify.facts.signatures[3]->reason,
                         WBA_REASON_OK); /* another pass may go on with it */
    }
    kit_free(k);
}

/* One nonce of one key on two signatures counts once; its life is the longer
 * one's, and its creation the earlier. */
static void
same_nonce(void **state)
{
    kit_t *k = kit_shop();

    (void) state;
    kit_request(k, HEAD);
    kit_sign(k, ALICE, "c", TAP("m"));
    kit_sign(k, ALICE, "a", TAP("n"));
    kit_sign(k, ALICE, "b", COVERED TIMES KEYID ED NONCE("n") PAY);
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);
    assert_int_equal(k->last_recorded, 2);

    k->nnonces = 0;
    kit_request(k, HEAD);
    kit_sign(k, ALICE, "a", TAP("n"));
    kit_sign(k, ALICE, "b", COVERED ";created=1699999980;expires=1700000100"
                            KEYID ED NONCE("n") PAY);
    kit_sign(k, ALICE, "c", TAP("m"));
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);
    assert_int_equal(k->last_recorded, 2);
    assert_int_equal(k->nonces[0].created, 1699999980);
    assert_int_equal(k->nonces[0].until, 1700000100 + WBA_MAX_SKEW);
    assert_true(k->verify.facts.signatures[0]->recorded);
    assert_true(k->verify.facts.signatures[1]->recorded);
    assert_true(k->verify.facts.signatures[2]->recorded);
    kit_free(k);
}

/* The same nonce of two keys is two nonces; one key in two directories is one
 * key. */
static void
nonce_belongs_to_key(void **state)
{
    kit_t *k = kit_shop();

    (void) state;
    kit_put(k, D_TAP, CAROL, NULL);
    kit_put(k, kit_directory(k, "own", "web-bot-auth", NULL), ALICE, NULL);
    kit_once(k, ALICE, TAP("n"));
    expect_verdict(k, WBA_REASON_OK);
    kit_once(k, CAROL, TAP("n"));
    expect_verdict(k, WBA_REASON_OK);
    assert_int_equal(k->nnonces, 2);
    kit_once(k, ALICE, COVERED TIMES KEYID NONCE("n") BOT);
    expect_verdict(k, WBA_REASON_NONCE_REPLAYED);
    kit_free(k);
}

/* Only those that pass here are recorded. */
static void
not_all_verify_here(void **state)
{
    static const wba_component_t path = {
        .name = { 5, (const uint8_t *) "@path" },
    };
    kit_t *k = kit_shop();

    (void) state;
    k->policy.components = &path;
    k->policy.ncomponents = 1;
    kit_request(k, SENDS_AGENT(AGENT_A));
    kit_sign(k, BOB, "sig1", BOT_A_NONCE("1"));
    kit_sign(k, ALICE, "a", TAP("2"));
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);
    assert_int_equal(k->last_recorded, 1);

    /* also where both were about to be, for another location */
    k->nnonces = 0;
    k->policy.ncomponents = 0;
    k->stop = WBA_NEED_RECORD;
    kit_run(k);
    assert_int_equal(k->verify.nnonces, 2);
    k->policy.ncomponents = 1;
    k->stop = WBA_DONE;
    kit_pass(k);
    expect_verdict(k, WBA_REASON_OK);
    assert_int_equal(k->last_recorded, 1);
    kit_free(k);
}

/* A Content-Type or Content-Encoding that is longer than a field may be says
 * something, but nothing that is known: a body that looks like JSON is read, and
 * where it may be encoded it cannot be. */
static void
fields_too_long(void **state)
{
    static char head[WBA_MAX_FIELD + 200];
    static const struct {
        const char *name;
        size_t len;
        wba_link_state_t link;
    } t[] = {
        { "Content-Type: ", 0, WBA_LINK_MISSING },
        { "Content-Type: ", WBA_MAX_FIELD, WBA_LINK_MISSING },
        { "Content-Type: ", WBA_MAX_FIELD + 1, WBA_LINK_MISSING },
        { "Content-Encoding: ", 0, WBA_LINK_MISSING },
        { "Content-Encoding: ", WBA_MAX_FIELD, WBA_LINK_UNREADABLE },
        { "Content-Encoding: ", WBA_MAX_FIELD + 1, WBA_LINK_UNREADABLE },
    };
    kit_t *k;
    size_t i, n;

    (void) state;
    for (i = 0; i < COUNT(t); i++) {
        k = kit_shop();
        k->body = "{\"agenticConsumer\":{}}";
        k->policy.body_link = true;
        n = (size_t) snprintf(head, sizeof(head), HEAD "%s", t[i].name);
        memset(head + n, 'x', t[i].len);
        strcpy(head + n + t[i].len, "\r\n");
        kit_request(k, head);
        kit_sign(k, ALICE, "sig1", TAP("n"));
        kit_run(k);
        assert_int_equal(k->verify.facts.link.state, t[i].link);
        expect_verdict(k, t[i].link == WBA_LINK_MISSING
                              ? WBA_REASON_BODY_LINK_MISSING
                              : WBA_REASON_BODY_LINK_UNREADABLE);
        kit_free(k);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts),
        cmocka_unit_test(agent_facts),
        cmocka_unit_test(what_is_recorded),
        cmocka_unit_test(claims),
        cmocka_unit_test(order),
        cmocka_unit_test(forger),
        cmocka_unit_test(before_keys),
        cmocka_unit_test(directory_before_nonce),
        cmocka_unit_test(digests),
        cmocka_unit_test(digest_spoils_its_own),
        cmocka_unit_test(waiting),
        cmocka_unit_test(fed_in_part),
        cmocka_unit_test(body_for_both),
        cmocka_unit_test(stray_answers),
        cmocka_unit_test(bad_neighbour),
        cmocka_unit_test(lonely_labels),
        cmocka_unit_test(ours_before_theirs),
        cmocka_unit_test(furthest),
        cmocka_unit_test(two_nonces),
        cmocka_unit_test(one_seen),
        cmocka_unit_test(forged_seen),
        cmocka_unit_test(store_fails_all),
        cmocka_unit_test(same_nonce),
        cmocka_unit_test(nonce_belongs_to_key),
        cmocka_unit_test(not_all_verify_here),
        cmocka_unit_test(fields_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
