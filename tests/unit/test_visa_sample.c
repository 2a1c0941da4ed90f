/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/visa_sample, and core/verify with lenient visa-sample: what Visa's
 * sample agent sends is verified for a directory that tolerates it, for no
 * other, and nothing else is tolerated with it.
 */
#include "kit.h"
#include "visa_sample.h"

#define R(name) WBA_REASON_##name

/* Counts what the crypto is asked; the library's own function of that name
 * does the same. */
static unsigned asked;

int
crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m,
                            unsigned long long mlen, const unsigned char *pk)
{
    asked++;
    return crypto_sign_ed25519_verify_detached(sig, m, mlen, pk);
}

/* ---- the field */

static const struct {
    const char *field;
    const char *legal; /* NULL: nothing to do */
} fields[] = {
    { "s=();keyId=\"x\"", "s=();keyid=\"x\"" },
    { "s=();  keyId=\"x\"", "s=();  keyid=\"x\"" },
    { "s=();a;keyId=x;b, t=(\"a\" \"b\");keyId=?1",
      "s=();a;keyid=x;b, t=(\"a\" \"b\");keyid=?1" },
    { "s=();keyId=1;keyId=2", "s=();keyid=1;keyid=2" },
    { "s;keyId=1", "s;keyid=1" },
    { "s=1;keyId=1", "s=1;keyid=1" },
    { "s=(;keyId=1", NULL }, /* depth 1 */
    { "s=();x=\"a\\\"b\";keyId=1", "s=();x=\"a\\\"b\";keyid=1" },
    { "s=();x=%\"a\\\";keyId=1", "s=();x=%\"a\\\";keyid=1" },
    { "s=();x=%\"a\\\";keyId=\"1\"", "s=();x=%\"a\\\";keyid=\"1\"" },
    { ")s=();keyId=1", ")s=();keyid=1" }, /* broken stays broken */
    { ";keyId=", ";keyid=" },

    { "", NULL },
    { ";", NULL },
    { ";keyI", NULL },
    { ";keyId", NULL },
    { "s=();keyId", NULL }, /* it has a value */
    { "s=();keyId;a=1", NULL },
    { "s=();keyid=\"x\"", NULL },
    { "s=();KeyId=\"x\"", NULL },
    { "s=();keyID=\"x\"", NULL },
    { "s=();KEYID=\"x\"", NULL },
    { "s=();key_Id=\"x\"", NULL },
    { "s=();keyIds=\"x\"", NULL },
    { "s=();akeyId=\"x\"", NULL },
    { "s=();keyId =\"x\"", NULL },
    { "s=();\tkeyId=\"x\"", NULL },
    { "s=() ; Created=1", NULL },
    { "keyId=()", NULL },
    { "s=(),keyId=()", NULL },
    { "s=(\"@authority\";keyId=\"x\")", NULL },
    { "s=(\"a;keyId=\" \"b\")", NULL },
    { "s=();x=\";keyId=\"", NULL },
    { "s=();x=\"\\\";keyId=\"", NULL },
    { "s=();x=\";keyId=", NULL },
    { "s=();x=\"\\", NULL },
    { "s=();x=%\";keyId=\"", NULL },
};

static void
the_field(void **state)
{
    uint8_t block[4096];
    wba_arena_t arena;
    wba_str_t legal;
    wba_mem_t mem;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(fields); i++) {
        const char *want = fields[i].legal;
        size_t n = strlen(fields[i].field);
        char *exact = malloc(n ? n : 1); /* of its size, for ASan */
        wba_status_t status;

        assert_non_null(exact);
        memcpy(exact, fields[i].field, n);
        wba_arena_init(&arena, block, sizeof(block));
        mem = wba_arena_mem(&arena);
        legal = WBA_STR_NONE;
        status = wba_visa_sample_legalise(wba_str(exact, n), &mem, &legal);
        if (status != (want == NULL ? WBA_NOT_FOUND : WBA_OK)
            || (want != NULL && !wba_str_eq(legal, wba_str_z(want))))
        {
            fail_msg("%s became %.*s", fields[i].field, (int) legal.len,
                     legal.data == NULL ? "" : (const char *) legal.data);
        }
        free(exact);
    }
    wba_arena_init(&arena, block, 0);
    assert_int_equal(wba_visa_sample_legalise(WBA_STR(";keyId=1"), &mem,
                                              &legal),
                     WBA_NO_MEMORY);
}

/* ---- requests */

#define LINES(path) "\"@authority\": shop.example\n\"@path\": " path "\n"
#define TAIL "; alg=\"ed25519\"; nonce=\"n\"; tag=\"agent-browser-auth\""
#define SPACED COVERED "; created=1699999990; expires=1700000060; "
#define SAMPLE SPACED "keyId=\"kid-alice\"" TAIL
#define PATH LINES("/p?q=1")

static kit_t *
shop(bool lenient)
{
    kit_t *k = kit_shop();

    k->directories[D_TAP].lenient = lenient ? WBA_LENIENT_VISA_SAMPLE : 0;
    kit_request(k, HEAD);
    asked = 0;
    return k;
}

static bool
yes(void *ctx)
{
    (void) ctx;
    return true;
}

static bool
no(void *ctx)
{
    (void) ctx;
    return false;
}

/* Signed over lines and the member as they are. */
static const struct {
    const char *lines;
    const char *member;
    wba_reason_t with;      /* the flag */
    unsigned with_crypto;   /* verifications that takes */
    wba_reason_t without;
    wba_reason_t diagnosed; /* without, where there is time to tell why */
} forms[] = {
    /* the sample's own */
    { PATH, SAMPLE, R(OK), 1, R(SIGNATURE_INPUT_KEYID_CASE),
      R(SIGNATURE_INPUT_KEYID_CASE) },
    /* a part of what it does */
    { PATH, SPACED "keyid=\"kid-alice\"" TAIL, R(OK), 2, R(BAD_SIGNATURE),
      R(VISA_SAMPLE_FORM) },
    { PATH, TAP("n") ";keyid=\"kid-alice\"", R(OK), 2, R(BAD_SIGNATURE),
      R(VISA_SAMPLE_FORM) },
    { PATH, COVERED TIMES ED NONCE("n") BROWSE ";keyId=\"kid-alice\"", R(OK),
      1, R(SIGNATURE_INPUT_KEYID_CASE), R(SIGNATURE_INPUT_KEYID_CASE) },
    /* what RFC 9421 says */
    { LINES("/p"), COVERED TIMES ED NONCE("n") BROWSE ";keyid=\"kid-alice\"",
      R(OK), 1, R(OK), R(OK) },
    /* not the sample's: who signs as sent covers the query as well */
    { LINES("/p"), SAMPLE, R(BAD_SIGNATURE), 1, R(SIGNATURE_INPUT_KEYID_CASE),
      R(SIGNATURE_INPUT_KEYID_CASE) },
    { LINES("/p"), SPACED "keyid=\"kid-alice\"" TAIL, R(BAD_SIGNATURE), 2,
      R(BAD_SIGNATURE), R(BAD_SIGNATURE) },
    { LINES("/p?q=2"), SAMPLE, R(BAD_SIGNATURE), 1,
      R(SIGNATURE_INPUT_KEYID_CASE), R(SIGNATURE_INPUT_KEYID_CASE) },
    { "\"@authority\": x.example\n\"@path\": /p?q=1\n", SAMPLE,
      R(BAD_SIGNATURE), 1, R(SIGNATURE_INPUT_KEYID_CASE),
      R(SIGNATURE_INPUT_KEYID_CASE) },
    /* no keyId but this one */
    { PATH, SPACED "KeyId=\"kid-alice\"" TAIL, R(SIGNATURE_INPUT_KEYID_CASE),
      0, R(SIGNATURE_INPUT_KEYID_CASE), R(SIGNATURE_INPUT_KEYID_CASE) },
    { PATH, SPACED "keyId=\"kid-alice\"; Nonce=\"n\"" TAIL,
      R(SIGNATURE_INPUT_KEYID_CASE), 0, R(SIGNATURE_INPUT_KEYID_CASE),
      R(SIGNATURE_INPUT_KEYID_CASE) },
    { PATH, SPACED "keyId=\"kid-alice\"; keyId=\"kid-alice\"" TAIL,
      R(SIGNATURE_INPUT_KEYID_CASE), 0, R(SIGNATURE_INPUT_KEYID_CASE),
      R(SIGNATURE_INPUT_KEYID_CASE) },
    { PATH, SPACED "keyId=\"kid-alice\"; keyid=\"kid-alice\"" TAIL,
      R(SIGNATURE_INPUT_KEYID_CASE), 0, R(SIGNATURE_INPUT_KEYID_CASE),
      R(SIGNATURE_INPUT_KEYID_CASE) },
    /* otherwise broken */
    { PATH, SPACED " keyId=\"kid-alice" TAIL, R(SIGNATURE_INPUT_UNREADABLE), 0,
      R(SIGNATURE_INPUT_KEYID_CASE), R(SIGNATURE_INPUT_KEYID_CASE) },
    { PATH, COVERED " ; keyId=\"kid-alice\"" TAIL,
      R(SIGNATURE_INPUT_UNREADABLE), 0, R(SIGNATURE_INPUT_KEYID_CASE),
      R(SIGNATURE_INPUT_KEYID_CASE) },
    { PATH, SPACED "keyId=kid-alice" TAIL, R(SIGNATURE_INPUT_UNREADABLE), 0,
      R(SIGNATURE_INPUT_KEYID_CASE), R(SIGNATURE_INPUT_KEYID_CASE) },
    { PATH, "(\"@authority\" \"@path\";keyId=\"x\"); created=1699999990; "
      "expires=1700000060; keyId=\"kid-alice\"" TAIL,
      R(SIGNATURE_INPUT_KEYID_CASE), 0, R(SIGNATURE_INPUT_KEYID_CASE),
      R(SIGNATURE_INPUT_KEYID_CASE) },
    /* the profile's rules hold */
    { PATH, COVERED "; created=1699999990; expires=1700009990; "
      "keyId=\"kid-alice\"" TAIL, R(LIFETIME_TOO_LONG), 0,
      R(SIGNATURE_INPUT_KEYID_CASE), R(SIGNATURE_INPUT_KEYID_CASE) },
    { PATH, SPACED "keyId=\"kid-alice\"; alg=\"ed25519\"; "
      "tag=\"agent-browser-auth\"", R(NONCE_MISSING), 0,
      R(SIGNATURE_INPUT_KEYID_CASE), R(SIGNATURE_INPUT_KEYID_CASE) },
    { PATH, SPACED "keyId=\"kid-bob\"" TAIL, R(KEY_UNKNOWN), 0,
      R(SIGNATURE_INPUT_KEYID_CASE), R(SIGNATURE_INPUT_KEYID_CASE) },
};

static void
run_form(size_t i, bool lenient, bool (*diagnose)(void *), wba_reason_t want)
{
    kit_t *k = shop(lenient);

    k->env.diagnose = diagnose;
    kit_sign_text(k, ALICE, "sig2", forms[i].lines, forms[i].member);
    kit_run(k);
    expect_verdict(k, want);
    if (lenient && asked != forms[i].with_crypto) {
        fail_msg("%s: %u verifications", forms[i].member, asked);
    }
    assert_true(asked <= 2);
    if (want == R(OK)) {
        assert_true(wba_str_eq(k->verdict.signature->input.keyid,
                               WBA_STR("kid-alice"))
                    || strstr(forms[i].member, KEYID) != NULL);
        assert_int_equal(k->nnonces, 1);
        /* what verified is what is told */
        assert_memory_equal(k->verdict.signature->base.data, forms[i].lines,
                            strlen(forms[i].lines));
        assert_int_equal(k->verdict.signature->as_sent,
                         asked == 2
                             || strstr(forms[i].member, "keyId") != NULL);
    } else {
        assert_int_equal(k->nnonces, 0);
    }
    kit_free(k);
}

static void
each_form(void **state)
{
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(forms); i++) {
        run_form(i, true, NULL, forms[i].with);
        run_form(i, true, yes, forms[i].with);
        run_form(i, false, NULL, forms[i].without);
        run_form(i, false, no, forms[i].without);
        run_form(i, false, yes, forms[i].diagnosed);
    }
}

/* Replaces what stands in the request once it is signed. */
static void
run_changed(kit_t *k, const char *from, const char *to)
{
    static char changed[sizeof(k->text)];
    char *at;

    kit_index(k);
    kit_write(k);
    at = strstr(k->text, from);
    assert_non_null(at);
    snprintf(changed, sizeof(changed), "%.*s%s%s", (int) (at - k->text),
             k->text, to, at + strlen(from));
    strcpy(k->text, changed);
    kit_parse(k, wba_str_z(k->text));
    kit_start(k);
}

static void
changed_on_the_way(void **state)
{
    static const struct {
        const char *from, *to;
        wba_reason_t want;
    } t[] = {
        { "GET", "GET", R(OK) },
        { "GET", "POST", R(OK) }, /* @method is not covered */
        { "?q=1", "?q=2", R(BAD_SIGNATURE) },
        { "?q=1", "", R(BAD_SIGNATURE) },
        { "?q=1", "?", R(BAD_SIGNATURE) },
        { "?q=1", "?q=1&r", R(BAD_SIGNATURE) },
        { "/p", "/P", R(BAD_SIGNATURE) },
        { "shop.ex", "Shop.ex", R(OK) },
        { "shop.ex", "ship.ex", R(BAD_SIGNATURE) },
        { "; created", ";created", R(BAD_SIGNATURE) },
        { "; created", ";  created", R(BAD_SIGNATURE) },
        { "1699999990", "1699999991", R(BAD_SIGNATURE) },
        { "1700000060", "1700000061", R(BAD_SIGNATURE) },
        { "; keyId", "; keyid", R(BAD_SIGNATURE) },
        { "n\"; tag", "m\"; tag", R(BAD_SIGNATURE) },
        { "ed25519", "EdDSA", R(BAD_SIGNATURE) },
        { "browser", "payer", R(BAD_SIGNATURE) },
        { "\" \"@p", "\"  \"@p", R(BAD_SIGNATURE) },
        { "-auth\"", "-auth\";x", R(BAD_SIGNATURE) },
        { "-auth\"", "-auth\" ", R(OK) }, /* OWS of the field */
    };
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(t); i++) {
        kit_t *k = shop(true);

        kit_sign_text(k, ALICE, "sig2", PATH, SAMPLE);
        run_changed(k, t[i].from, t[i].to);
        expect_verdict(k, t[i].want);
        kit_free(k);
    }
}

/* What another directory tolerates is no reason to believe who signed. */
static void
of_another(void **state)
{
    kit_t *k = shop(false);

    (void) state;
    k->directories[D_A].lenient = WBA_LENIENT_VISA_SAMPLE;
    kit_request(k, SENDS_AGENT(AGENT_B));
    kit_sign_text(k, CAROL, "sig1", PATH,
                  COVERS_AGENT "; created=1699999990; expires=1700000060; "
                  "keyId=\"k\"; tag=\"web-bot-auth\"");
    kit_run(k);
    expect_verdict(k, R(SIGNATURE_INPUT_KEYID_CASE));
    assert_null(k->verdict.failed->agent_url.data);
    assert_int_equal(asked, 0);
    kit_free(k);
}

/* What was signed without a query is not taken with one. */
static void
no_query(void **state)
{
    kit_t *k = shop(true);

    (void) state;
    kit_request(k, "GET /p HTTP/1.1\r\nHost: shop.example\r\n");
    kit_sign_text(k, ALICE, "sig2", LINES("/p"), SAMPLE);
    kit_run(k);
    expect_verdict(k, R(OK));
    k->nnonces = 0;
    run_changed(k, "/p", "/p?q=1");
    expect_verdict(k, R(BAD_SIGNATURE));
    run_changed(k, "/p", "/p?");
    expect_verdict(k, R(BAD_SIGNATURE));
    kit_free(k);

    k = shop(true);
    kit_request(k, "GET http://shop.example?q HTTP/1.1\r\n"
                   "Host: shop.example\r\n");
    k->scheme = "http";
    kit_sign_text(k, ALICE, "sig2", LINES("/?q"), SAMPLE);
    kit_run(k);
    expect_verdict(k, R(OK));
    kit_free(k);

    /* where the spaces alone make the difference */
    k = shop(true);
    kit_request(k, "GET /p HTTP/1.1\r\nHost: shop.example\r\n");
    kit_sign_text(k, ALICE, "sig2", LINES("/p"),
                  SPACED "keyid=\"kid-alice\"" TAIL);
    kit_run(k);
    expect_verdict(k, R(OK));
    kit_free(k);
}

/* ---- directories */

#define SECOND (D_B + 1)

/* Another TAP directory without the flag, with bob's key: what is signed by it
 * is refused, and says why. */
static void
the_flag_is_one_directory_s(void **state)
{
    static const char bobs[] = SPACED "keyId=\"kid-bob\"" TAIL;
    kit_t *k;

    (void) state;
    k = shop(true);
    kit_put(k, kit_directory(k, "other", "tap", NULL), BOB, "kid-bob");
    kit_sign_text(k, BOB, "sig2", PATH, bobs);
    kit_run(k);
    expect_verdict(k, R(SIGNATURE_INPUT_KEYID_CASE));
    assert_int_equal(asked, 0);
    kit_free(k);

    k = shop(false); /* the same key in both, and the flag with the second */
    kit_put(k, kit_directory(k, "other", "tap", NULL), ALICE, "kid-alice");
    k->directories[SECOND].lenient = WBA_LENIENT_VISA_SAMPLE;
    kit_sign_text(k, ALICE, "sig2", PATH, SAMPLE);
    kit_run(k);
    expect_verdict(k, R(OK));
    assert_ptr_equal(k->verdict.signature->directory, &k->directories[SECOND]);
    assert_int_equal(asked, 1);
    kit_free(k);

    k = shop(true); /* an agent's own directory, while another has the flag */
    kit_request(k, SENDS_AGENT(AGENT_A));
    kit_sign_text(k, BOB, "sig2",
                  "\"@authority\": shop.example\n"
                  "\"signature-agent\";key=\"sig1\": \"" AGENT_A "\"\n",
                  COVERS_AGENT "; created=1699999990; expires=1700000060; "
                  "keyId=\"x\"; tag=\"web-bot-auth\"");
    kit_run(k);
    expect_verdict(k, R(SIGNATURE_INPUT_KEYID_CASE));
    assert_string_equal(k->trace, "A"); /* nobody's keys were looked at */
    kit_free(k);
}

static void
through_discovery(void **state)
{
    char member[512];
    unsigned lenient;

    (void) state;
    for (lenient = 0; lenient < 2; lenient++) {
        kit_t *k = shop(lenient == 0); /* if not the one, then the other */
        wba_discovery_t *d = kit_discovery(k, "web-bot-auth");

        d->directory.lenient = lenient ? WBA_LENIENT_VISA_SAMPLE : 0;
        k->found_at = "https://c.example/keys";
        kit_add(k, &k->found, CAROL, NULL);
        kit_request(k, SENDS_AGENT("https://c.example/keys"));
        snprintf(member, sizeof(member),
                 COVERS_AGENT "; created=1699999990; expires=1700000060; "
                 "keyId=\"%s\"; tag=\"web-bot-auth\"", k->keys[CAROL].text);
        kit_sign_text(k, CAROL, "sig2",
                      "\"@authority\": shop.example\n"
                      "\"signature-agent\";key=\"sig1\": "
                      "\"https://c.example/keys\"\n", member);
        kit_run(k);
        expect_verdict(k, lenient ? R(OK) : R(SIGNATURE_INPUT_KEYID_CASE));
        kit_free(k);
    }
}

/* Of two keys by one kid, the one in whose form it verifies tells why, whoever
 * is tried first. */
static void
which_of_two_keys(void **state)
{
    size_t i;
    kit_t *k;

    (void) state;
    for (i = 0; i < 2; i++) {
        k = shop(false);
        k->env.diagnose = yes;
        k->sets[D_TAP].count = 0;
        kit_put(k, D_TAP, i == 0 ? ALICE : BOB, "kid-alice");
        kit_put(k, D_TAP, i == 0 ? BOB : ALICE, "kid-alice");
        kit_sign_text(k, ALICE, "sig2", PATH,
                      SPACED "keyid=\"kid-alice\"" TAIL);
        kit_run(k);
        expect_verdict(k, R(VISA_SAMPLE_FORM));
        assert_int_equal(asked, 4); /* two bases, two keys */
        kit_free(k);
    }
}

/* Where the sample would sign the same, no second time is asked: with a query
 * that no @path covers, and as it was sent. */
static void
the_same_base(void **state)
{
    kit_t *k = shop(false);

    (void) state;
    k->directories[D_A].lenient = WBA_LENIENT_VISA_SAMPLE;
    kit_request(k, SENDS_AGENT(AGENT_A));
    kit_sign(k, CAROL, "sig1",
             COVERS_AGENT TIMES BOT ";keyid=\"not hers\"");
    kit_put(k, D_A, BOB, "not hers");
    k->directories[D_A].profile.keyid |= WBA_KEYID_KID;
    kit_run(k);
    expect_verdict(k, R(BAD_SIGNATURE));
    assert_int_equal(asked, 1);
    kit_free(k);
}

/* ---- neighbours */

/* A strict one beside the sample's: each is judged for itself where the field
 * is read at all, and the nonces of both are on record. */
static void
two_members(void **state)
{
    kit_t *k = shop(true);

    (void) state;
    kit_sign_text(k, ALICE, "sig2", PATH, SAMPLE);
    kit_request(k, SENDS_AGENT(AGENT_A));
    kit_sign(k, BOB, "sig1", COVERS_AGENT TIMES KEYID BOT NONCE("b"));
    kit_sign_text(k, ALICE, "sig2", PATH, SAMPLE);
    kit_run(k);
    expect_verdict(k, R(OK));
    assert_int_equal(k->nnonces, 2);
    assert_int_equal(k->verify.facts.count, 2);
    assert_int_equal(k->verify.facts.signatures[0]->input.lenient, 0);
    kit_free(k);

    k = shop(true); /* a forged one harms the strict one no more than others */
    kit_request(k, SENDS_AGENT(AGENT_A));
    kit_sign(k, BOB, "sig1", COVERS_AGENT TIMES KEYID BOT NONCE("b"));
    kit_sign_text(k, BOB, "sig2", PATH, SAMPLE);
    kit_run(k);
    expect_verdict(k, R(OK));
    assert_ptr_equal(k->verdict.signature->directory, &k->directories[D_A]);
    assert_int_equal(k->nnonces, 1);
    kit_free(k);

    k = shop(false); /* without the flag the field is none, for both */
    kit_request(k, SENDS_AGENT(AGENT_A));
    kit_sign(k, BOB, "sig1", COVERS_AGENT TIMES KEYID BOT NONCE("b"));
    kit_sign_text(k, ALICE, "sig2", PATH, SAMPLE);
    kit_run(k);
    expect_verdict(k, R(SIGNATURE_INPUT_KEYID_CASE));
    kit_free(k);

    k = shop(true); /* one label for both */
    kit_sign_text(k, ALICE, "sig2", PATH, SAMPLE);
    kit_sign(k, ALICE, "sig2", TAP("b"));
    kit_run(k);
    expect_verdict(k, R(DUPLICATE_LABEL));
    kit_free(k);
}

/* Used once, by whichever form: the nonce is the nonce. */
static void
a_replay(void **state)
{
    kit_t *k = shop(true);

    (void) state;
    kit_sign_text(k, ALICE, "sig2", PATH, SAMPLE);
    kit_run(k);
    expect_verdict(k, R(OK));
    kit_run(k);
    expect_verdict(k, R(NONCE_REPLAYED));
    kit_request(k, HEAD);
    kit_sign(k, ALICE, "sig2", TAP("n"));
    kit_run(k);
    expect_verdict(k, R(NONCE_REPLAYED));
    kit_free(k);
}

/* A second pass for another authority builds its own base. */
static void
passes(void **state)
{
    kit_t *k = shop(true);

    (void) state;
    kit_sign_text(k, ALICE, "sig2", PATH, SPACED "keyid=\"kid-alice\"" TAIL);
    kit_run(k);
    expect_verdict(k, R(OK));
    k->authority_override = "other.example";
    kit_pass(k);
    expect_verdict(k, R(BAD_SIGNATURE));
    kit_free(k);
}

static void
memory_fails(void **state)
{
    static const char *const members[] = {
        SAMPLE, SPACED "keyid=\"kid-alice\"" TAIL
    };
    size_t i, at, passed;

    (void) state;
    for (i = 0; i < COUNT(members); i++) {
        for (at = 1, passed = 0; passed == 0; at++) {
            kit_t *k = shop(true);

            kit_sign_text(k, ALICE, "sig2", PATH, members[i]);
            k->fail_at = at;
            kit_run(k);
            if (k->allocations < at) {
                expect_verdict(k, R(OK));
                passed = at;
            } else {
                expect_verdict(k, R(OUT_OF_MEMORY));
                assert_int_equal(k->nnonces, 0);
            }
            kit_free(k);
        }
        assert_true(passed > 5);
    }
}

/* Whatever becomes of the field's bytes, only what was signed verifies, and
 * reading it ends. */
static void
mutations(void **state)
{
    static const char bytes[] = "keyIdKID=;\"\\%(), \t*?:a1\x80";
    uint32_t seed = 1;
    unsigned i, n, verified = 0, read = 0;

    (void) state;
    for (i = 0; i < 6000; i++) {
        char member[256] = SAMPLE;
        kit_t *k = shop(true);
        bool same;

        kit_sign_text(k, ALICE, "sig2", PATH, SAMPLE);
        for (n = 0; n < 1 + i % 3; n++) {
            char *p;

            seed = seed * 1664525u + 1013904223u;
            p = member + (seed >> 8) % strlen(member);
            seed = seed * 1664525u + 1013904223u;
            if (i % 5 == 0) {
                memmove(p, p + 1, strlen(p));
            } else {
                *p = bytes[(seed >> 8) % (sizeof(bytes) - 1)];
            }
        }
        same = strcmp(member, SAMPLE) == 0;
        snprintf(k->inputs, sizeof(k->inputs), "sig2=%s", member);
        kit_run(k);
        if ((k->verdict.reason == R(OK)) != same) {
            /* OWS at the end is no part of the member */
            fail_msg("%s: %s", member,
                     (const char *) wba_reason_info(k->verdict.reason)
                         ->name.data);
        }
        verified += same;
        read += k->verify.facts.count != 0;
        assert_true(asked <= 2);
        kit_free(k);
    }
    assert_true(verified > 3 && read > 1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_field),
        cmocka_unit_test(each_form),
        cmocka_unit_test(changed_on_the_way),
        cmocka_unit_test(no_query), cmocka_unit_test(of_another),
        cmocka_unit_test(the_flag_is_one_directory_s),
        cmocka_unit_test(through_discovery),
        cmocka_unit_test(which_of_two_keys),
        cmocka_unit_test(the_same_base),
        cmocka_unit_test(two_members),
        cmocka_unit_test(a_replay),
        cmocka_unit_test(passes),
        cmocka_unit_test(memory_fails),
        cmocka_unit_test(mutations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
