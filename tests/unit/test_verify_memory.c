/* SPDX-License-Identifier: BSD-2-Clause */
/* core/verify without memory: each allocation fails in turn, alone or with all
 * that follow.  The verdict is then the right one, or out-of-memory. */
#include "crypto_memory.h"
#include "kit.h"

#define HELLO "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:"

/* Where there is such a body, it must name the signature. */
#define OBJECTS(n)                                                            \
    "{\"agenticConsumer\":{\"nonce\":\"" n                                     \
    "\",\"kid\":\"kid-\\\"alice\\\"\"}}"

typedef struct {
    const char *name;
    const char *head;
    const char *first; /* by alice as a */
    const char *second; /* by bob as sig1; NULL: none */
    const char *body;
    wba_reason_t reason; /* with memory enough */
} scenario_t;

static const scenario_t scenarios[] = {
    { "one", HEAD, TAP("n"), NULL, "", WBA_REASON_OK },
    { "normalised authority",
      "GET /p HTTP/1.1\r\nHost: SHOP.example:443\r\n", TAP("n"), NULL, "",
      WBA_REASON_OK },
    { "by kid, escapes", HEAD,
      COVERED TIMES ED BROWSE NONCE("a\\\\b") ";keyid=\"kid-\\\"alice\\\"\"",
      NULL, "", WBA_REASON_OK },
    { "escapes in the tag", HEAD,
      COVERED TIMES ED KEYID NONCE("n") ";tag=\"own\\\\tag\"", NULL, "",
      WBA_REASON_OK },
    { "folded and repeated fields",
      "GET /p HTTP/1.1\r\nHost: shop.example\r\nX-A: 1\r\n 2\r\nX-A: 3\r\n"
      "Signature-Input: x=();tag=\"foreign\"\r\nSignature: x=:AA==:\r\n",
      "(\"@authority\" \"@path\" \"x-a\" \"x-a\";bs)" TIMES KEYID ED
      NONCE("n") BROWSE,
      NULL, "", WBA_REASON_OK },
    { "digest on two lines",
      HEAD "Content-Digest: " HELLO "\r\nContent-Digest: md5=:AA==:\r\n",
      "(\"@authority\" \"@path\" \"content-digest\")" TIMES KEYID ED
      NONCE("n") BROWSE,
      NULL, "hello", WBA_REASON_OK },
    { "digest of another body",
      HEAD "Content-Digest: " HELLO "\r\nContent-Digest: md5=:AA==:\r\n",
      "(\"@authority\" \"@path\" \"content-digest\")" TIMES KEYID ED
      NONCE("n") BROWSE,
      NULL, "hellO", WBA_REASON_CONTENT_DIGEST_MISMATCH },
    { "objects that name it",
      HEAD "Content-Type: application/json\r\nContent-Type: x\r\n",
      COVERED TIMES ED BROWSE NONCE("n") ";keyid=\"kid-\\\"alice\\\"\"",
      NULL, OBJECTS("n"), WBA_REASON_OK },
    { "objects that name another", HEAD "Content-Encoding: identity\r\n",
      COVERED TIMES ED BROWSE NONCE("n") ";keyid=\"kid-\\\"alice\\\"\"",
      NULL, OBJECTS("m"), WBA_REASON_BODY_LINK_MISMATCH },
    { "objects under two codings",
      HEAD "Content-Encoding: br\r\nContent-Encoding: gzip\r\n",
      COVERED TIMES ED BROWSE NONCE("n") ";keyid=\"kid-\\\"alice\\\"\"",
      NULL, OBJECTS("n"), WBA_REASON_BODY_LINK_UNREADABLE },
    { "two",
      HEAD "Signature-Agent: sig1=\"https://A.example:443/k%65ys\"\r\n",
      TAP("n"), COVERS_AGENT TIMES KEYID NONCE("m\\\"") BOT, "",
      WBA_REASON_OK },
    { "an agent",
      HEAD "Signature-Agent: sig1=\"https://A.example:443/keys\\\\\"\r\n",
      COVERED TIMES KEYID ";tag=\"foreign\"", COVERS_AGENT TIMES KEYID BOT, "",
      WBA_REASON_SIGNATURE_AGENT_UNPARSABLE },
    { "an agent on two lines",
      HEAD "Signature-Agent: sig1=\"https://A.example:443/keys\"\r\n"
           "Signature-Agent: x=\"https://x.example\"\r\n",
      COVERED TIMES KEYID ";tag=\"foreign\"", COVERS_AGENT TIMES KEYID BOT, "",
      WBA_REASON_OK },
    { "forged", HEAD "X-A: 1\r\nX-A: 2\r\n",
      "(\"@authority\" \"@path\" \"x-a\")" TIMES ED NONCE("n") BROWSE
      ";keyid=\"kid-bob\"",
      NULL, "", WBA_REASON_BAD_SIGNATURE },
    { "forged, and a good one", SENDS_AGENT("https://A.example/keys"),
      COVERED TIMES ED NONCE("n") BROWSE ";keyid=\"kid-bob\"",
      COVERS_AGENT TIMES KEYID BOT, "", WBA_REASON_OK },
    { "used before", HEAD, TAP("used"), NULL, "", WBA_REASON_NONCE_REPLAYED },
    { "used before, and a good one", SENDS_AGENT(AGENT_A), TAP("used"),
      COVERS_AGENT TIMES KEYID BOT, "", WBA_REASON_NONCE_REPLAYED },
    { "unknown", HEAD, TAP("n") ";keyid=\"nobody\"", NULL, "",
      WBA_REASON_KEY_UNKNOWN },
    { "escapes in a component", HEAD,
      "(\"@authority\" \"@path\" \"@query-param\";name=\"\\\"\")" TIMES KEYID ED
      NONCE("n") BROWSE,
      NULL, "", WBA_REASON_MISSING_COMPONENT },
    { "unsigned", HEAD, NULL, NULL, "", WBA_REASON_NO_SIGNATURE },
    { "broken", HEAD "Signature-Input: (\r\nSignature-Input: (\r\n", NULL,
      NULL, "", WBA_REASON_SIGNATURE_INPUT_UNREADABLE },
};

static kit_t *
prepare(const scenario_t *s)
{
    kit_t *k = kit_shop();
    wba_profile_t *tap = &k->directories[D_TAP].profile;
    const wba_nonce_t used = { k->keys[ALICE].thumbprint, WBA_STR("used"), 0,
                               0 };

    tap->tags[tap->ntags++].text = WBA_STR("own\\tag");
    k->sets[D_TAP].keys[0].kid = WBA_STR("kid-\"alice\"");
    kit_put(k, D_TAP, BOB, "kid-bob");
    kit_record(k, &used, 1);
    k->body = s->body;
    k->policy.body_link = s->body[0] == '{';
    kit_request(k, s->head);
    if (s->first != NULL) {
        kit_sign(k, ALICE, "a", s->first);
    }
    if (s->second != NULL) {
        kit_sign(k, BOB, "sig1", s->second);
    }
    return k;
}

static void
exhaust(const scenario_t *s, bool onward)
{
    kit_t *k = prepare(s);
    size_t n, before = k->nnonces;

    for (n = 0;; n++) {
        k->nnonces = before;
        k->fail_at = n;
        k->fail_onward = onward;
        kit_run(k);
        if (k->verdict.reason != s->reason
            && (n == 0 || k->verdict.reason != WBA_REASON_OUT_OF_MEMORY))
        {
            fail_msg("%s, allocation %zu%s\n%.600s\n  got:  %s (%s)", s->name,
                     n, onward ? " and on" : "", k->text,
                     (const char *) wba_reason_info(k->verdict.reason)
                         ->name.data,
                     k->trace);
        }
        assert_int_equal(k->verdict.signature != NULL,
                         k->verdict.reason == WBA_REASON_OK);
        if (n > k->allocations) {
            break;
        }
    }
    assert_true(n > 1 || s->first == NULL);
    kit_free(k);
}

static void
alone(void **state)
{
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(scenarios); i++) {
        exhaust(&scenarios[i], false);
    }
}

static void
onward(void **state)
{
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(scenarios); i++) {
        exhaust(&scenarios[i], true);
    }
}

/* Memory that runs out in a second pass. */
/* Nor does it let another authority's target through. */
static void
another_target(void **state)
{
    kit_t *k = kit_shop();
    size_t n, needed;

    (void) state;
    k->authority_override = "shop.example";
    kit_request(k, "GET https://Shop.example:443/p HTTP/1.1\r\nHost: x\r\n");
    kit_sign(k, ALICE, "sig1", "(\"@authority\" \"@path\" \"@target-uri\")"
                               TIMES KEYID ED NONCE("n") BROWSE);
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);
    needed = k->allocations;
    for (n = 0; n <= needed; n++) {
        kit_free_blocks(k);
        k->nnonces = 0;
        k->fail_at = n;
        k->authority_override = "ship.example";
        kit_run(k);
        if (n == 0 || k->verdict.reason != WBA_REASON_OUT_OF_MEMORY) {
            expect_verdict(k, WBA_REASON_AUTHORITY_NOT_SERVED);
        }
    }
    kit_free(k);
}

/* Memory that was lacking for one key is not made up for by the next. */
static void
several_keys(void **state)
{
    kit_t *k = kit_new();
    size_t n, needed;

    (void) state;
    kit_directory(k, "visa", "tap", NULL);
    kit_put(k, 0, ALICE, "shared");
    kit_put(k, 0, BOB, "shared");
    kit_request(k, HEAD);
    kit_sign(k, ALICE, "sig1",
             COVERED TIMES ED NONCE("n") BROWSE ";keyid=\"shared\"");
    kit_free_blocks(k);
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);
    needed = k->allocations;
    for (n = 1; n <= needed; n++) {
        kit_free_blocks(k);
        k->nnonces = 0;
        k->fail_at = n;
        kit_run(k);
        expect_verdict(k, WBA_REASON_OUT_OF_MEMORY);
    }
    kit_free(k);
}

static void
second_pass(void **state)
{
    static const char *const overrides[] = { NULL, "SHOP.example", "x.y" };
    kit_t *k = prepare(&scenarios[1]);
    size_t i, n, first;

    (void) state;
    for (i = 0; i < COUNT(overrides); i++) {
        for (n = 0; n < 40; n++) {
            k->nnonces = 0;
            k->authority_override = NULL;
            k->scheme = "https";
            k->fail_at = 0;
            kit_run(k);
            expect_verdict(k, WBA_REASON_OK);

            first = k->allocations;
            k->fail_at = first + n;
            k->fail_onward = false;
            k->authority_override = overrides[i];
            k->scheme = i == 0 ? "http" : "https";
            kit_pass(k);
            if (k->verdict.reason != WBA_REASON_OUT_OF_MEMORY) {
                expect_verdict(k, i == 1 ? WBA_REASON_OK
                                         : WBA_REASON_BAD_SIGNATURE);
            }
            assert_int_equal(k->nnonces, 1);
        }
    }
    kit_free(k);
}

/* libcrypto's memory runs out: nothing is said of the signature. */
static unsigned starved;

static void
run_hungry(void *ctx)
{
    kit_t *k = ctx;

    kit_run(k);
    if (k->verdict.reason == WBA_REASON_OUT_OF_MEMORY) {
        starved++;
    } else {
        expect_verdict(k, WBA_REASON_BAD_SIGNATURE);
    }
}

static void
crypto(void **state)
{
    static const uint8_t modulus[256] = { 0x80, [255] = 1 };
    kit_t *k = kit_shop();
    wba_key_t *key = &k->sets[D_A].keys[0];
    size_t n;

    (void) state;
    key->type = WBA_KEY_RSA;
    key->algs = WBA_ALG_RSA_PSS_SHA256;
    key->pub = wba_str(modulus, sizeof(modulus));
    key->exponent = WBA_STR("\x01\x00\x01");
    k->directories[D_A].profile.algorithms = WBA_ALG_ALL;
    kit_request(k, SENDS_AGENT(AGENT_A));
    kit_sign(k, BOB, "sig1", COVERS_AGENT TIMES KEYID BOT);
    memset(k->values, 0, sizeof(k->values));
    kit_append(k->values, sizeof(k->values), "sig1=:");
    for (n = 0; n < 340; n++) {
        kit_append(k->values, sizeof(k->values), "A");
    }
    kit_append(k->values, sizeof(k->values), "AA==:");
    crypto_starve(run_hungry, k);
    assert_true(starved > 10);
    expect_verdict(k, WBA_REASON_BAD_SIGNATURE);
    kit_free(k);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alone),
        cmocka_unit_test(onward),
        cmocka_unit_test(second_pass),
        cmocka_unit_test(several_keys),
        cmocka_unit_test(another_target),
        cmocka_unit_test(crypto),
    };

    return crypto_memory_begin() ? cmocka_run_group_tests(tests, NULL, NULL)
                                 : 1;
}
