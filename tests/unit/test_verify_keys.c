/* SPDX-License-Identifier: BSD-2-Clause */
/* core/verify: whom a signature is attributed to, which directories and keys
 * may answer for it, and the draft's own vectors. */
#include "kit.h"
#include "keys.h"

#define BOT_A COVERS_AGENT TIMES KEYID BOT

/* ---- attribution */

/* Which agent a signature names, who signed, and whether it verifies. */
static void
attribution(void **state)
{
    static const struct {
        const char *agent; /* the field's value; NULL: not sent */
        const char *covered;
        unsigned who;
        wba_reason_t reason;
    } t[] = {
        { "sig1=\"" AGENT_A "\"", COVERS_AGENT, BOB, WBA_REASON_OK },
        { "sig1=\"" AGENT_B "\"", COVERS_AGENT, CAROL, WBA_REASON_OK },
        /* a key of a's directory under b's name, and the reverse */
        { "sig1=\"" AGENT_B "\"", COVERS_AGENT, BOB, WBA_REASON_KEY_UNKNOWN },
        { "sig1=\"" AGENT_A "\"", COVERS_AGENT, CAROL,
          WBA_REASON_KEY_UNKNOWN },
        /* TAP's key under anybody's name */
        { "sig1=\"" AGENT_A "\"", COVERS_AGENT, ALICE,
          WBA_REASON_KEY_UNKNOWN },
        { "x=\"" AGENT_A "\"", "(\"@authority\" \"signature-agent\")", BOB,
          WBA_REASON_OK },
        { "x=\"" AGENT_A "\"", "(\"@authority\" \"signature-agent\";key=\"x\")",
          BOB, WBA_REASON_OK },
        { "\"" AGENT_A "\"", "(\"@authority\" \"signature-agent\")", BOB,
          WBA_REASON_OK },
        { "\"" AGENT_A "\"", COVERS_AGENT, BOB,
          WBA_REASON_SIGNATURE_AGENT_MEMBER_MISSING },
        /* the member with the label's key among several */
        { "x=\"" AGENT_B "\", sig1=\"" AGENT_A "\"",
          "(\"@authority\" \"signature-agent\")", BOB, WBA_REASON_OK },
        { "x=\"" AGENT_A "\", sig1=\"" AGENT_B "\"",
          "(\"@authority\" \"signature-agent\")", BOB,
          WBA_REASON_KEY_UNKNOWN },
        { "x=\"" AGENT_A "\", y=\"" AGENT_A "\"",
          "(\"@authority\" \"signature-agent\")", BOB,
          WBA_REASON_SIGNATURE_AGENT_AMBIGUOUS_MEMBER },
        /* never to one that is not covered */
        { "x=\"" AGENT_A "\", sig1=\"" AGENT_B "\"",
          "(\"@authority\" \"signature-agent\";key=\"x\")", BOB,
          WBA_REASON_OK },
        { "sig1=\"" AGENT_A "\"", "(\"@authority\")", BOB,
          WBA_REASON_SIGNATURE_AGENT_ABSENT },
        { NULL, "(\"@authority\")", BOB, WBA_REASON_SIGNATURE_AGENT_ABSENT },
        { "sig1=\"https://c.example\"", COVERS_AGENT, BOB,
          WBA_REASON_AGENT_NOT_ALLOWED },
        /* the URL as sent, query and all */
        { "sig1=\"" AGENT_A "?q\"", COVERS_AGENT, BOB,
          WBA_REASON_AGENT_NOT_ALLOWED },
        { "sig1=\"https://A.Example:443/keys\"", COVERS_AGENT, BOB,
          WBA_REASON_OK },
        { "sig1=\"https://a.example\"", COVERS_AGENT, BOB,
          WBA_REASON_AGENT_NOT_ALLOWED },
    };
    char head[512], input[512];
    kit_t *k = kit_shop();
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(t); i++) {
        snprintf(head, sizeof(head), HEAD "%s%s%s",
                 t[i].agent ? "Signature-Agent: " : "",
                 t[i].agent ? t[i].agent : "", t[i].agent ? "\r\n" : "");
        snprintf(input, sizeof(input), "%s%s", t[i].covered,
                 TIMES KEYID BOT);
        kit_request(k, head);
        kit_sign(k, t[i].who, "sig1", input);
        kit_run(k);
        expect_verdict(k, t[i].reason);
        if (t[i].reason == WBA_REASON_OK) {
            assert_true(wba_str_eq(k->verify.key.agent_url,
                                   k->verdict.signature->agent_url));
        }
        if (wba_reason_info(t[i].reason)->outcome == WBA_OUTCOME_INVALID) {
            expect_trace(k, "A");
        }
    }
    kit_free(k);
}

/* A bare origin stands for its well-known path. */
static void
well_known(void **state)
{
    kit_t *k = kit_shop();

    (void) state;
    k->directories[D_A].agent =
        WBA_STR("https://a.example" WBA_WELL_KNOWN_PATH);
    kit_request(k, SENDS_AGENT("https://a.example"));
    kit_sign(k, BOB, "sig1", BOT_A);
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);
    kit_request(k, SENDS_AGENT("https://a.example/"));
    kit_sign(k, BOB, "sig1", BOT_A);
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);
    kit_free(k);
}

/* A directory answers only for tags of its own, and one with an agent only
 * where that agent is named. */
static void
tags_and_directories(void **state)
{
    kit_t *k = kit_shop();

    (void) state;
    /* bob is known, but not for TAP; alice not for web-bot-auth */
    kit_once(k, BOB, TAP("n"));
    expect_verdict(k, WBA_REASON_KEY_UNKNOWN);
    kit_directory(k, "own", "web-bot-auth", NULL);
    kit_index(k);
    kit_once(k, ALICE, COVERED TIMES KEYID BOT);
    expect_verdict(k, WBA_REASON_SIGNATURE_AGENT_ABSENT);

    /* Mastercard's way: TAP's tags, attributed */
    kit_put(k, kit_directory(k, "pay", "agent-pay", AGENT_B), ALICE, NULL);
    kit_index(k);
    kit_request(k, SENDS_AGENT(AGENT_B));
    kit_sign(k, ALICE, "sig1",
             "(\"@authority\" \"@path\" \"signature-agent\";key=\"sig1\")"
             TIMES KEYID ED NONCE("m") PAY);
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);
    assert_string_equal((const char *) k->verdict.signature->directory->name
                            .data,
                        "pay");
    kit_free(k);
}

/* agent-pay-auth is compared without case, and by agent-pay alone. */
static void
tag_case(void **state)
{
    static const struct {
        const char *tag;
        wba_reason_t reason;
    } t[] = {
        { ";tag=\"Agent-pay-auth\"", WBA_REASON_OK },
        { ";tag=\"agent-pay-auth\"", WBA_REASON_OK },
        { ";tag=\"AGENT-PAY-AUTH\"", WBA_REASON_OK },
        { ";tag=\"Agent-payer-auth\"", WBA_REASON_NO_SERVED_TAG },
        { ";tag=\"Agent-browser-auth\"", WBA_REASON_NO_SERVED_TAG },
        { ";tag=\"Web-bot-auth\"", WBA_REASON_NO_SERVED_TAG },
        { ";tag=\"agent-pay-auth \"", WBA_REASON_NO_SERVED_TAG },
        { ";tag=\"\"", WBA_REASON_NO_SERVED_TAG },
    };
    kit_t *k = kit_shop();
    char input[512];
    size_t i;

    (void) state;
    kit_put(k, kit_directory(k, "pay", "agent-pay", NULL), ALICE, NULL);
    for (i = 0; i < COUNT(t); i++) {
        k->nnonces = 0;
        snprintf(input, sizeof(input), "%s%s",
                 COVERED TIMES KEYID ED NONCE("n"), t[i].tag);
        kit_once(k, ALICE, input);
        expect_verdict(k, t[i].reason);
        if (t[i].reason == WBA_REASON_OK) {
            assert_true(wba_str_eq(k->verdict.signature->tag->text,
                                   WBA_STR("agent-pay-auth")));
        }
    }
    kit_free(k);

    k = kit_shop(); /* none of it without an agent-pay directory */
    kit_once(k, ALICE, COVERED TIMES KEYID ED NONCE("n")
                       ";tag=\"agent-pay-auth\"");
    expect_verdict(k, WBA_REASON_NO_SERVED_TAG);
    kit_free(k);
}

/* A signature that should name its agent and does not: a key already held by
 * configuration verifies it. */
static void
agentless_bot(void **state)
{
    kit_t *k = kit_shop();

    (void) state;
    kit_put(k, kit_directory(k, "own", "web-bot-auth", NULL), BOB, "kid-bob");
    kit_once(k, BOB, COVERED TIMES KEYID BOT);
    expect_verdict(k, WBA_REASON_OK);
    assert_true(wba_str_eq(k->verdict.signature->directory->name,
                           WBA_STR("own")));
    assert_null(k->verdict.signature->agent_url.data);

    /* nobody has it: its agent is what it lacks, unless we failed */
    kit_once(k, CAROL, COVERED TIMES KEYID BOT);
    expect_verdict(k, WBA_REASON_SIGNATURE_AGENT_ABSENT);
    expect_trace(k, "AKR");
    k->why = WBA_REASON_DIRECTORY_UNAVAILABLE;
    kit_once(k, CAROL, COVERED TIMES KEYID BOT);
    expect_verdict(k, WBA_REASON_DIRECTORY_UNAVAILABLE);
    kit_free(k);
}

/* ---- keys */

/* How a keyid may name a key: not by kid for web-bot-auth. */
static void
keyid_forms(void **state)
{
    kit_t *k = kit_shop();

    (void) state;
    kit_put(k, kit_directory(k, "own", "web-bot-auth", NULL), BOB, "kid-bob");
    kit_put(k, D_TAP, CAROL, k->keys[CAROL].text); /* a kid that is its own */
    kit_once(k, BOB, COVERED TIMES BOT ";keyid=\"kid-bob\"");
    expect_verdict(k, WBA_REASON_SIGNATURE_AGENT_ABSENT);
    kit_once(k, BOB, COVERED TIMES BOT KEYID);
    expect_verdict(k, WBA_REASON_OK);

    kit_once(k, ALICE, TAP("1") ";keyid=\"kid-alice\"");
    expect_verdict(k, WBA_REASON_OK);
    kit_once(k, ALICE, TAP("2"));
    expect_verdict(k, WBA_REASON_OK);
    kit_once(k, CAROL, TAP("3"));
    expect_verdict(k, WBA_REASON_OK);

    k->directories[D_TAP].profile.keyid = WBA_KEYID_KID;
    kit_once(k, ALICE, TAP("4"));
    expect_verdict(k, WBA_REASON_KEY_UNKNOWN);
    kit_once(k, CAROL, TAP("5"));
    expect_verdict(k, WBA_REASON_OK);
    kit_free(k);
}

/* Where a profile knows keys by kid alone, a thumbprint is no better. */
static void
thumbprint_unasked(void **state)
{
    unsigned j;
    kit_t *k = kit_new();

    (void) state;
    kit_directory(k, "first", "tap", NULL);
    k->directories[0].profile.keyid = WBA_KEYID_KID;
    for (j = 0; j < WBA_MAX_CANDIDATES; j++) {
        kit_put(k, 0, BOB, k->keys[ALICE].text);
    }
    kit_put(k, 0, ALICE, k->keys[ALICE].text);
    kit_once(k, ALICE, TAP("n"));
    expect_verdict(k, WBA_REASON_BAD_SIGNATURE);
    kit_free(k);
}

/* A key may be offered only after the refetch. */
static void
arrives(void *ctx)
{
    kit_t *k = ctx;

    kit_put(k, D_TAP, BOB, NULL);
}

static void
reindex(void *ctx)
{
    kit_index(ctx);
}

static void
refetch(void **state)
{
    kit_t *k = kit_shop();

    (void) state;
    kit_request(k, HEAD);
    kit_sign(k, BOB, "sig1", TAP("n"));
    kit_index(k);
    k->stop = WBA_NEED_KEY;
    kit_run(k);
    assert_false(k->verify.key.refetch);
    wba_verify_keys(&k->verify, k->why);
    assert_int_equal(wba_verify_step(&k->verify, NOW), WBA_NEED_KEY);
    assert_true(k->verify.key.refetch);
    assert_int_equal(k->verify.facts.signatures[0]->stage,
                     WBA_STAGE_ATTRIBUTED);
    k->stop = WBA_DONE;
    arrives(k);
    k->at_key = reindex;
    kit_drive(k);
    expect_verdict(k, WBA_REASON_OK);
    expect_trace(k, "ARSN");

    /* where nobody may be asked, nobody is */
    kit_request(k, SENDS_AGENT("https://c.example/"));
    kit_sign(k, BOB, "sig1", BOT_A);
    kit_run(k);
    expect_trace(k, "AK");
    kit_free(k);
}

/* An RSA key whose algorithm nobody states takes the profile's one, if it has
 * one; all that is said must agree. */
static void
algorithms(void **state)
{
    static const struct {
        unsigned key, profile;
        const char *alg;
        wba_reason_t reason;
    } t[] = {
        { WBA_ALG_RSA_PSS_SHA512 | WBA_ALG_RSA_PSS_SHA256, WBA_ALG_ALL, "",
          WBA_REASON_ALG_MISMATCH },
        { WBA_ALG_RSA_PSS_SHA512 | WBA_ALG_RSA_PSS_SHA256, WBA_ALG_ED25519, "",
          WBA_REASON_ALG_MISMATCH },
        { WBA_ALG_RSA_PSS_SHA512, WBA_ALG_ED25519, "",
          WBA_REASON_ALG_NOT_ALLOWED },
        { WBA_ALG_RSA_PSS_SHA512 | WBA_ALG_RSA_PSS_SHA256,
          WBA_ALG_RSA_PSS_SHA512 | WBA_ALG_ED25519, "",
          WBA_REASON_BAD_SIGNATURE },
        { WBA_ALG_RSA_PSS_SHA512 | WBA_ALG_RSA_PSS_SHA256,
          WBA_ALG_RSA_PSS_SHA256, ";alg=\"PS512\"",
          WBA_REASON_ALG_NOT_ALLOWED },
        { WBA_ALG_RSA_PSS_SHA512, WBA_ALG_ALL, ";alg=\"PS256\"",
          WBA_REASON_ALG_MISMATCH },
        { WBA_ALG_RSA_PSS_SHA512, WBA_ALG_ALL, ";alg=\"ed25519\"",
          WBA_REASON_ALG_MISMATCH },
    };
    static const uint8_t modulus[256] = { 0x80, [255] = 1 };
    kit_t *k = kit_shop();
    wba_key_t *key = &k->sets[D_A].keys[0];
    char input[512];
    size_t i;

    (void) state;
    key->type = WBA_KEY_RSA;
    key->pub = wba_str(modulus, sizeof(modulus));
    key->exponent = WBA_STR("\x01\x00\x01");
    for (i = 0; i < COUNT(t); i++) {
        key->algs = t[i].key;
        k->directories[D_A].profile.algorithms = t[i].profile;
        kit_index(k);
        snprintf(input, sizeof(input), "%s%s", BOT_A, t[i].alg);
        kit_request(k, SENDS_AGENT(AGENT_A));
        kit_sign(k, BOB, "sig1", input);
        kit_run(k);
        expect_verdict(k, t[i].reason == WBA_REASON_BAD_SIGNATURE
                                  && !(wba_alg_supported() & t[i].key)
                              ? WBA_REASON_ALG_NOT_ALLOWED
                              : t[i].reason);
    }
    kit_free(k);

    k = kit_shop();
    k->directories[D_A].profile.algorithms = WBA_ALG_ECDSA_P256_SHA256;
    kit_request(k, SENDS_AGENT(AGENT_A));
    kit_sign(k, BOB, "sig1", BOT_A);
    kit_run(k);
    expect_verdict(k, WBA_REASON_ALG_NOT_ALLOWED);
    kit_free(k);
}

/* ---- the draft's vectors */

#define DRAFT_KEY ";created=1735689600;keyid=\"" ED25519_THUMBPRINT "\"" ED

static const struct {
    const char *agent, *identity, *member, *input, *value;
} drafts[] = {
    { "", NULL, NULL,
      "sig1=(\"@authority\")" DRAFT_KEY ";expires=4889289600;nonce=\"zIW8+cdmA3"
      "vdYagbxojpONwa/l0EKJ/O3/wD486VvsQjO/RxPaSt6ZxvQaMcQzNnqKN/mQ6hpGiFro2L2"
      "qkz5A==\"" BOT,
      "sig1=:QKN4fTdIYfh82fvoZCQiQA1weuozfCS/Led2zTMbewMMqH8PI2Wsy/5c4ao6B6D09"
      "nraNQdBNOADg8aM1MqfCg==:" },
    { "Signature-Agent: agent2=\"https://signature-agent.test\"\r\n",
      "https://signature-agent.test", "agent2",
      "sig2=(\"@authority\" \"signature-agent\";key=\"agent2\")" DRAFT_KEY
      ";expires=4889289600;nonce=\"n9p433xm+NJ3ph3upfBIGmsuwHw387YV7Q/F+6BSpGCV"
      "jYCqQw6rznNA8PVVLySrAWsv0hQtFioQb6E1YsauiA==\"" BOT,
      "sig2=:RdNFx5Bj6au3YgAMQL/RzmUlZE8QZLIaXGRpw985hWnwPfMxT228NMk6ehRS1PSl4"
      "e8PhbNZACSanGdhEwYCCg==:" },
    { "Signature-Agent: \"https://signature-agent.test\"\r\n",
      "https://signature-agent.test", "",
      "sig2=(\"@authority\" \"signature-agent\")" DRAFT_KEY
      ";expires=1735693200;nonce=\"e8N7S2MFd/qrd6T2R3tdfAuuANngKI7LFtKYI/vowzk4"
      "lAZYadIX6wW25MwG7DCT9RUKAJ0qVkU0mEeLElW1qg==\"" BOT,
      "sig2=:jdq0SqOwHdyHr9+r5jw3iYZH6aNGKijYp/EstF4RQTQdi5N5YYKrD+mCT1HA1nZDs"
      "i6nJKuHxUi/5Syp3rLWBA==:" },
};

static void
use_test_key(kit_key_t *key)
{
    size_t len;

    assert_int_equal(
        sodium_base642bin(key->pub, 32, ED25519_X, strlen(ED25519_X), NULL,
                          &len, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING),
        0);
    wba_jwk_thumbprint_ed25519(key->pub, key->thumbprint);
}

static void
draft_vectors(void **state)
{
    const wba_fact_t *f;
    kit_t *k;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(drafts); i++) {
        k = kit_new();
        use_test_key(&k->keys[ALICE]);
        kit_directory(k, "draft", "web-bot-auth",
                      drafts[i].identity == NULL
                          ? NULL
                          : "https://signature-agent.test"
                            WBA_WELL_KNOWN_PATH);
        k->directories[0].profile.max_lifetime = 0;
        kit_put(k, 0, ALICE, NULL);

        k->now = 1735689601;
        kit_request(k, "GET / HTTP/1.1\r\nHost: example.com\r\n");
        kit_append(k->head, sizeof(k->head), drafts[i].agent);
        kit_append(k->inputs, sizeof(k->inputs), drafts[i].input);
        kit_append(k->values, sizeof(k->values), drafts[i].value);
        kit_run(k);
        expect_verdict(k, WBA_REASON_OK);
        f = k->verdict.signature;
        assert_true(wba_str_eq(f->agent.key, wba_str_z(drafts[i].member)));
        assert_true(
            wba_str_eq(f->agent_identity, wba_str_z(drafts[i].identity)));

        k->now = 4889289700;
        kit_run(k);
        expect_verdict(k, WBA_REASON_EXPIRED);
        k->now = 1735689601;
        k->policy.max_lifetime = 60;
        kit_run(k);
        expect_verdict(k, WBA_REASON_LIFETIME_TOO_LONG);
        kit_free(k);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attribution),
        cmocka_unit_test(well_known),
        cmocka_unit_test(tags_and_directories),
        cmocka_unit_test(tag_case),
        cmocka_unit_test(agentless_bot),
        cmocka_unit_test(keyid_forms),
        cmocka_unit_test(thumbprint_unasked),
        cmocka_unit_test(refetch),
        cmocka_unit_test(algorithms),
        cmocka_unit_test(draft_vectors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
