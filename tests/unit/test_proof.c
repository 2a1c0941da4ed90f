/* SPDX-License-Identifier: BSD-2-Clause */
/* core/proof: which signatures of a directory's response prove possession of
 * its keys.  What is signed here is written out by hand, not by sigbase. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sodium.h>

#include "crypto_memory.h"
#include "jwks.h"
#include "keys.h"
#include "proof.h"
#include "rawmsg.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define NOW 1700000000
#define SKEW 5
#define SITE "directory.example"
#define TAG ";tag=\"http-message-signatures-directory\""
#define BOTH "(\"@authority\";req \"content-digest\")"
#define TIMES ";created=1699999990;expires=1700000060"
#define REST TIMES ";keyid=\"$A\"" TAG
#define SITE_LINE "\"@authority\";req: " SITE "\n"
#define LINES SITE_LINE "\"content-digest\": $D\n"

/* Keys of seeds that are 32 octets of 1, of 2 and of 3. */
#define ALICE "UDDReOZl1ipXAfp9wYsm13sDBMK5og--QWdBjzuf6o4"
#define ALICE_X "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w"
#define BOB "aVBtapLd11SUVKIMGJfPzOEDuN0sXcmzJQNVT-_sKEU"
#define BOB_X "gTl3Dqh9F19Wo1Rmw0x-zMuNipG07jeiXfYPW4_Js5Q"
enum { SEED_NONE, SEED_ALICE, SEED_BOB, SEED_CAROL };

#define OKP(x) "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" x "\"}"
#define SET "{\"keys\":[" OKP(ALICE_X) "," OKP(BOB_X) "]}"
#define SET_SHA256 "sha-256=:wx08KMcxCRWo6EFTqpiRGuEY20DXBCAqj58SFhpbBNE=:"
#define SET_SHA512                                                     \
    "sha-512=:PcslgrqNF5KCxbqMLp6Ead0u+RCCldQIhXWAxSR6V6+JmUDz1NZp7S" \
    "eACuPjX0rLExEOHwm2ee7rzjd6qQ9Ckw==:"
#define OTHER_SHA256 "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"

#define MAX_TEXT 200000
#define MAX_BLOCKS 512

/* A response of which next_line alone can be asked, its answer, its keys, and
 * memory that fails when it is told to. */
typedef struct {
    char head[MAX_TEXT];
    uint8_t *exact; /* what raw shows, of its exact size for ASan */
    wba_raw_message_t raw;
    wba_message_ops_t ops;
    wba_message_t message;
    wba_proof_answer_t answer;
    wba_keyset_t set;
    uint8_t proven[8];

    wba_mem_t mem;
    void *blocks[MAX_BLOCKS];
    size_t allocations;
    size_t fail_at; /* from 1; 0: none */

    wba_proof_t proof;
} response_t;

static response_t it;

static void *
take(void *ctx, size_t size)
{
    response_t *r = ctx;
    void *block;

    if (r->fail_at && r->allocations + 1 == r->fail_at) {
        return NULL;
    }
    assert_true(r->allocations < MAX_BLOCKS);
    block = malloc(size);
    assert_non_null(block);
    r->blocks[r->allocations++] = block;
    return block;
}

static void
drop_blocks(response_t *r)
{
    while (r->allocations) {
        free(r->blocks[--r->allocations]);
    }
}

static void
load(response_t *r, const char *keys)
{
    static const wba_jwks_options_t options = { .test_keys = true };
    wba_jwks_summary_t summary;

    free((void *) r->set.data);
    assert_int_equal(wba_jwks_parse(wba_str_z(keys), &options, NULL, NULL,
                                    &r->set, &summary),
                     WBA_OK);
    assert_true(wba_keyset_count(r->set) <= sizeof(r->proven));
    r->answer.body = wba_str_z(keys);
}

/* Begins a response with these keys as its body and in its set. */
static void
begin(response_t *r, const char *keys)
{
    load(r, keys);
    r->head[0] = '\0';
    r->answer.message = &r->message;
    r->answer.authority = WBA_STR(SITE);
    r->answer.status = 200;
    r->answer.decoded = false;
    r->fail_at = 0;
    r->mem.alloc = take;
    r->mem.ctx = r;
}

static void
end(response_t *r)
{
    drop_blocks(r);
    free(r->exact);
    free((void *) r->set.data);
    r->exact = NULL;
    r->set.data = NULL;
}

static void
add(response_t *r, const char *name, const char *value)
{
    size_t len = strlen(r->head);

    assert_true(len + strlen(name) + strlen(value) + 5 < sizeof(r->head));
    sprintf(r->head + len, "%s: %s\r\n", name, value);
}

static wba_status_t
check_at(response_t *r, int64_t now)
{
    static char text[MAX_TEXT + 64];
    size_t len, line;

    len = (size_t) snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n%s\r\n",
                            r->head);
    free(r->exact);
    r->exact = malloc(len);
    assert_non_null(r->exact);
    memcpy(r->exact, text, len);
    assert_int_equal(wba_raw_message_parse(wba_str(r->exact, len), &r->raw,
                                           &line),
                     WBA_OK);
    memset(&r->ops, 0, sizeof(r->ops));
    r->ops.next_line = r->raw.message.ops->next_line;
    r->message.ops = &r->ops;
    r->message.ctx = &r->raw;

    memset(r->proven, 0xee, sizeof(r->proven));
    return wba_proof_check(&r->answer, r->set, now, SKEW, &r->mem, r->proven,
                           &r->proof);
}

/* Expects a phrase (GOOD with NULL, ABSENT with "") and the keys proven, one
 * bit for each. */
static void
expect(response_t *r, const char *row, const char *text, unsigned proven)
{
    wba_proof_state_t state = text == NULL      ? WBA_PROOF_GOOD
                              : text[0] == '\0' ? WBA_PROOF_ABSENT
                                                : WBA_PROOF_BAD;
    size_t i, count = 0;

    if (r->proof.state != state) {
        fail_msg("%s: state %d, \"%s\"", row, (int) r->proof.state,
                 r->proof.text);
    }
    if (strcmp(r->proof.text, text ? text : "") != 0) {
        fail_msg("%s\n  got:  %s\n  want: %s", row, r->proof.text, text);
    }
    for (i = 0; i < wba_keyset_count(r->set); i++) {
        if (r->proven[i] != (proven >> i & 1)) {
            fail_msg("%s: key %zu: %d", row, i, r->proven[i]);
        }
        count += proven >> i & 1;
    }
    assert_int_equal(r->proof.proven, count);
}

static void
check(response_t *r, const char *row, const char *text, unsigned proven)
{
    assert_int_equal(check_at(r, NOW), WBA_OK);
    expect(r, row, text, proven);
}

/* ---- signing */

/* $A, $B: the keyids; $D, $E: the digests of SET. */
static void
expand(const char *from, char *to, size_t size)
{
    const char *what;
    size_t n = 0;

    for (; *from != '\0'; from++) {
        if (*from != '$') {
            n += (size_t) snprintf(to + n, size - n, "%c", *from);
            continue;
        }
        from++;
        what = *from == 'A'   ? ALICE
               : *from == 'B' ? BOB
               : *from == 'D' ? SET_SHA256
                              : SET_SHA512;
        n += (size_t) snprintf(to + n, size - n, "%s", what);
        assert_true(n < size);
    }
    to[n < size ? n : size - 1] = '\0';
}

static void
sign(int seed_octet, const char *base, char *out, size_t size)
{
    uint8_t seed[32], pub[32], secret[64], signature[crypto_sign_BYTES];

    memset(seed, seed_octet, sizeof(seed));
    crypto_sign_seed_keypair(pub, secret, seed);
    crypto_sign_detached(signature, NULL, (const uint8_t *) base, strlen(base),
                         secret);
    sodium_bin2base64(out, size, signature, sizeof(signature),
                      sodium_base64_VARIANT_ORIGINAL);
}

/* Adds Signature-Input, and Signature over lines unless seed is NONE. */
static void
add_signature(response_t *r, const char *label, int seed, const char *covered,
              const char *params, const char *lines)
{
    static char input[MAX_TEXT], raw[MAX_TEXT + 100], base[MAX_TEXT];
    char signature[128];

    snprintf(raw, sizeof(raw), "%s=%s%s", label, covered, params);
    expand(raw, input, sizeof(input));
    add(r, "Signature-Input", input);
    if (seed == SEED_NONE) {
        return;
    }
    snprintf(raw, sizeof(raw), "%s\"@signature-params\": %s%s", lines, covered,
             params);
    expand(raw, base, sizeof(base));
    sign(seed, base, signature, sizeof(signature));
    snprintf(base, sizeof(base), "%s=:%s:", label, signature);
    add(r, "Signature", base);
}

static void
add_good(response_t *r, const char *label, int seed)
{
    add_signature(r, label, seed, BOTH,
                  seed == SEED_BOB ? TIMES ";keyid=\"$B\"" TAG : REST, LINES);
}

/* ---- what others signed */

/* The signed directory response of the web-bot-auth repository's test data
 * (web_bot_auth_directory_response_v1.json), by RFC 9421's test key. */
static void
test_published_vector(void **state)
{
    static const char body[] =
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":"
        "\"" ED25519_THUMBPRINT "\",\"x\":\"" ED25519_X
        "\",\"use\":\"sig\"}]}";

    (void) state;
    begin(&it, body);
    add(&it, "Content-Type",
        "application/http-message-signatures-directory+json");
    add(&it, "Content-Digest",
        "sha-256=:CADMT2aBdV/rqQr/NIru64ERQkCobVvllA4V0fLFDu0=:");
    add(&it, "Signature",
        "binding0=:yiHq0TXrbpzbmlttAQMpYoAufitFJUWuNsakB7QQMoN0EHbo5o51bZRVR8"
        "az/ptTWCwllix9clrKXfGKwdPzBg==:");
    add(&it, "Signature-Input",
        "binding0=(\"@authority\";req \"content-digest\");created=1735689600;"
        "keyid=\"" ED25519_THUMBPRINT "\";alg=\"ed25519\";expires=4889289600"
        TAG);
    it.answer.authority = WBA_STR("signature-agent.test");
    assert_int_equal(check_at(&it, 1735689600), WBA_OK);
    expect(&it, "vector", NULL, 1);
    assert_int_equal(check_at(&it, 4889289599), WBA_OK);
    expect(&it, "vector, at its end", NULL, 1);

    it.answer.authority = WBA_STR("signature-agent.example");
    assert_int_equal(check_at(&it, 1735689600), WBA_OK);
    expect(&it, "vector, elsewhere",
           "it does not verify with the key that keyid names", 0);
    end(&it);
}

#define BY_NPM                                                      \
    ";created=1700000000;keyid=\"%s\";alg=\"ed25519\";"             \
    "expires=1700003600;tag=\"http-message-signatures-directory\""

/* Signed by signatureHeaders of http-message-sig 0.2.0 (npm; with the signer
 * of web-bot-auth 0.1.3) for https://Directory.example:443/: two keys, the
 * second over more than is asked for. */
static void
test_npm_client(void **state)
{
    char input[512];

    (void) state;
    begin(&it, SET);
    add(&it, "Content-Digest", SET_SHA256);
    add(&it, "Content-Type",
        "application/http-message-signatures-directory+json");
    snprintf(input, sizeof(input), "binding0=" BOTH BY_NPM, ALICE);
    add(&it, "Signature-Input", input);
    snprintf(input, sizeof(input),
             "binding1=(\"@authority\";req \"content-digest\" \"@status\" "
             "\"content-type\" \"@method\";req)" BY_NPM,
             BOB);
    add(&it, "Signature-Input", input);
    add(&it, "Signature",
        "binding0=:ingjPh52CUNzB+qu2/EnP6AMJN6U7ch0UcXpeuqi71b10XFgoh3wiQ5oFf"
        "RrkcXSPNdJUtOGgQ2SZAUEv9K3DQ==:");
    add(&it, "Signature",
        "binding1=:hQyEwqea7n5INEvgh31yo4/EDHSV4lqrsSLeD7vgz3DK38n1klEnuoTscf"
        "G6KLdljcq9lbDUfa0LItsLSCPCCw==:");
    check(&it, "both", NULL, 3);

    it.answer.status = 203; /* covered by the second */
    check(&it, "status", NULL, 1);
    end(&it);
}

/* The same client's directoryResponseHeaders, which covers no digest. */
static void
test_npm_directory_headers(void **state)
{
    char input[512];

    (void) state;
    begin(&it, SET);
    snprintf(input, sizeof(input), "binding0=(\"@authority\";req)" BY_NPM,
             ALICE);
    add(&it, "Signature-Input", input);
    add(&it, "Signature",
        "binding0=:2a3ADlzJPLCIPPxbLIKFska0Znp2P6cBc15+v5QJU+fl0MMQfF+69j48fO"
        "2nk2yib6qZKtsWOc4alvj37pxIBw==:");
    check(&it, "no digest", "it does not cover content-digest", 0);
    end(&it);
}

/* ---- one signature by alice */

#define NO_COMPONENT                                                   \
    "it covers a component that the response does not carry, or one "  \
    "of the request that is not known"
#define NO_RESPONSE                                                    \
    "it covers what no response has, such as \"@authority\" without ;req"
#define LACKS "it lacks created, expires or keyid"
#define FUTURE "it was created in the future"
#define EXPIRED "it has expired"
#define NOT_AFTER "its expires is not after its created"
#define NO_KEY "its keyid is the thumbprint of no key of the set"
#define WRONG "it does not verify with the key that keyid names"
#define ALG "its alg is not the algorithm of the key that keyid names"
#define NO_SITE "it does not cover \"@authority\";req"
#define NO_DIGEST "it does not cover content-digest"
#define BAD_TYPE                                                       \
    "Signature-Input is not an Inner List, or a parameter of it has "  \
    "the wrong type"
#define TOO_LONG "a field of the response is too long"
#define BAD_VALUE "it covers a value that cannot stand in a signature base"
#define KEYID ";keyid=\"$A\"" TAG

static const struct {
    const char *covered;
    const char *params;
    const char *lines; /* NULL: LINES */
    const char *text;  /* NULL: GOOD; "": ABSENT */
} rows[] = {
    { BOTH, REST, NULL, NULL },
    { "(\"content-digest\" \"@authority\";req)", REST,
      "\"content-digest\": $D\n" SITE_LINE, NULL },
    { BOTH, REST ";nonce=\"n\";x=1", NULL, NULL },

    /* What is covered, and with it the base of a response. */
    { "(\"@authority\";req \"content-digest\" \"@status\")", REST,
      LINES "\"@status\": 200\n", NULL },
    { "(\"@authority\";req \"content-digest\" \"@method\";req "
      "\"@scheme\";req)",
      REST, LINES "\"@method\";req: GET\n\"@scheme\";req: https\n", NULL },
    { "(\"@authority\";req \"content-digest\";sf)", REST,
      SITE_LINE "\"content-digest\";sf: $D\n", NULL },
    { "(\"@authority\";req \"content-digest\" \"etag\" \"x\")", REST,
      LINES "\"etag\": \"e\"\n\"x\": a, b\n", NULL },
    { "(\"@authority\";req \"content-digest\" \"cookie\")", REST,
      LINES "\"cookie\": a, b\n", NULL },
    { "(\"@authority\";req \"content-digest\" \"cookie\";bs)", REST,
      LINES "\"cookie\";bs: :YQ==:, :Yg==:\n", NULL },
    { "(\"@authority\" \"content-digest\")", REST, NULL, NO_RESPONSE },
    { "(\"@authority\";req=?0 \"content-digest\")", REST, NULL, NO_RESPONSE },
    { "(\"@authority\";req \"@authority\" \"content-digest\")", REST, NULL,
      NO_RESPONSE },
    { "(\"@authority\";req \"content-digest\" \"@status\";req)", REST, NULL,
      NO_RESPONSE },
    { "(\"@authority\";req \"content-digest\" \"X\")", REST, NULL,
      NO_RESPONSE },
    { "(\"@authority\";req \"content-digest\" \"@authority\";req)", REST, NULL,
      "it covers one component twice" },
    { "(\"@authority\";req)", REST, SITE_LINE, NO_DIGEST },
    { "(\"@authority\";req \"content-digest\";req)", REST, NULL, NO_DIGEST },
    { "(\"@authority\";req \"content-digest\";key=\"sha-256\")", REST, NULL,
      NO_DIGEST },
    { "(\"content-digest\")", REST, NULL, NO_SITE },
    { "(\"@target-uri\";req \"content-digest\")", REST, NULL, NO_SITE },
    { "()", REST, "", NO_SITE },
    { "(\"@authority\";req \"content-digest\" \"absent\")", REST, NULL,
      NO_COMPONENT },
    { "(\"@authority\";req \"content-digest\" \"@path\";req)", REST, NULL,
      NO_COMPONENT },
    { "(\"@authority\";req \"content-digest\" \"accept\";req)", REST, NULL,
      NO_COMPONENT },
    { "(\"@authority\";req \"content-digest\" "
      "\"signature-agent\";key=\"a\")",
      REST, NULL, NO_COMPONENT },
    { "(\"@authority\";req \"content-digest\" \"high\")", REST, NULL,
      BAD_VALUE },
    { "(\"@authority\";req \"content-digest\" \"etag\";sf)", REST, NULL,
      BAD_VALUE },

    /* Parameters. */
    { BOTH, ";created=1700000005;expires=1700000060" KEYID, NULL, NULL },
    { BOTH, ";created=1700000006;expires=1700000060" KEYID, NULL, FUTURE },
    { BOTH, ";created=1699999900;expires=1699999996" KEYID, NULL, NULL },
    { BOTH, ";created=1699999900;expires=1699999995" KEYID, NULL, EXPIRED },
    { BOTH, ";created=1699999990;expires=1699999990" KEYID, NULL, NOT_AFTER },
    { BOTH, ";created=1700000001;expires=1700000000" KEYID, NULL, NOT_AFTER },
    { BOTH, ";created=-999999999999999;expires=999999999999999" KEYID, NULL,
      NULL },
    { BOTH, ";expires=1700000060" KEYID, NULL, LACKS },
    { BOTH, ";created=1699999990" KEYID, NULL, LACKS },
    { BOTH, TIMES TAG, NULL, LACKS },
    { BOTH, ";created=\"1\";expires=2" KEYID, NULL, BAD_TYPE },
    { BOTH, TIMES ";keyid=:AA==:" TAG, NULL, BAD_TYPE },
    { "\"@authority\"", REST, NULL, BAD_TYPE },

    /* Keys and algorithms. */
    { BOTH, TIMES ";keyid=\"\"" TAG, NULL, NO_KEY },
    { BOTH, TIMES ";keyid=\"" RFC8037_THUMBPRINT "\"" TAG, NULL, NO_KEY },
    { BOTH, TIMES ";keyid=\"$A=\"" TAG, NULL, NO_KEY },
    { BOTH, TIMES ";keyid=\"UDDReOZl1ipXAfp9wYsm13sDBMK5og--QWdBjzuf6o\"" TAG,
      NULL, NO_KEY },
    { BOTH, TIMES ";keyid=\"UDDReOZl1ipXAfp9wYsm13sDBMK5og--QWdBjzuf\"" TAG,
      NULL, NO_KEY },
    /* The same bits but for the last two, which stand for nothing. */
    { BOTH, TIMES ";keyid=\"UDDReOZl1ipXAfp9wYsm13sDBMK5og--QWdBjzuf6o5\"" TAG,
      NULL, NO_KEY },
    { BOTH, TIMES ";keyid=\"UDDReOZl1ipXAfp9wYsm13sDBMK5og++QWdBjzuf6o4\"" TAG,
      NULL, NO_KEY },
    { BOTH, TIMES ";keyid=\"$B\"" TAG, NULL, WRONG },
    { BOTH, REST ";alg=\"ed25519\"", NULL, NULL },
    { BOTH, REST ";alg=\"EdDSA\"", NULL, NULL },
    { BOTH, REST ";alg=\"rsa-pss-sha512\"", NULL, ALG },
    { BOTH, REST ";alg=\"hmac-sha256\"", NULL, ALG },
    { BOTH, REST ";alg=\"\"", NULL, ALG },

    /* What is signed is something else. */
    { BOTH, REST,
      "\"@authority\";req: other.example\n\"content-digest\": $D\n", WRONG },
    { BOTH, REST, "\"@authority\": " SITE "\n\"content-digest\": $D\n",
      WRONG },
    { BOTH, REST, SITE_LINE "\"content-digest\": $E\n", WRONG },

    /* Tags. */
    { BOTH, TIMES ";keyid=\"$A\"", NULL, "" },
    { BOTH, TIMES ";keyid=\"$A\";tag=\"web-bot-auth\"", NULL, "" },
    { BOTH, TIMES ";keyid=\"$A\";tag=http-message-signatures-directory", NULL,
      "" },
    { BOTH,
      TIMES ";keyid=\"$A\";tag=\"HTTP-message-signatures-directory\"", NULL,
      "" },
    { BOTH, REST ";tag=\"web-bot-auth\"", NULL, "" },
    { BOTH, TIMES ";keyid=\"$A\";tag=\"a\\\"b\"", NULL, "" },
};

static void
begin_row(response_t *r)
{
    begin(r, SET);
    add(r, "Content-Digest", SET_SHA256);
    add(r, "ETag", "\"e\"");
    add(r, "X", "a");
    add(r, "X", "b");
    add(r, "Cookie", "a");
    add(r, "Cookie", "b");
    add(r, "High", "\xc3\xa4");
    add(r, "Signature-Agent", "b=\"https://b.example\"");
}

static void
test_rows(void **state)
{
    char row[512];
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(rows); i++) {
        begin_row(&it);
        add_signature(&it, "s", SEED_ALICE, rows[i].covered, rows[i].params,
                      rows[i].lines ? rows[i].lines : LINES);
        snprintf(row, sizeof(row), "%zu: %s%s", i, rows[i].covered,
                 rows[i].params);
        check(&it, row, rows[i].text, rows[i].text == NULL);
        end(&it);
    }
}

static void
test_too_many_components(void **state)
{
    char covered[2048] = "(\"@authority\";req \"content-digest\"";
    size_t i, n;

    (void) state;
    for (i = 0; i <= WBA_MAX_COMPONENTS - 2; i++) {
        n = strlen(covered);
        snprintf(covered + n, sizeof(covered) - n, " \"x%zu\"", i);
    }
    strcat(covered, ")");
    begin_row(&it);
    add_signature(&it, "s", SEED_ALICE, covered, REST, LINES);
    check(&it, "65", "it covers too many components", 0);
    end(&it);
}

/* ---- the digest */

static const struct {
    const char *field; /* NULL: none */
    const char *body;  /* NULL: SET */
    bool decoded;
    const char *text;
} digests[] = {
    { SET_SHA256, NULL, false, NULL },
    { SET_SHA512, NULL, false, NULL },
    { SET_SHA256 ", " SET_SHA512, NULL, false, NULL },
    { "md5=:AA==:, " SET_SHA256, NULL, false, NULL },
    { "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:", "", false,
      NULL },
    { SET_SHA256, SET " ", false, "Content-Digest is not the body's" },
    { SET_SHA256, "", false, "Content-Digest is not the body's" },
    { OTHER_SHA256, NULL, false, "Content-Digest is not the body's" },
    { OTHER_SHA256 ", " SET_SHA512, NULL, false,
      "Content-Digest is not the body's" },
    { "md5=:AA==:", NULL, false,
      "Content-Digest holds neither sha-256 nor sha-512" },
    { "sha-256=:AA==:", NULL, false, "Content-Digest cannot be read" },
    { "sha-256=", NULL, false, "Content-Digest cannot be read" },
    { NULL, NULL, false, "the response has no Content-Digest" },
    { SET_SHA256, NULL, true,
      "a content coding was removed, so the digest cannot be compared" },
};

static void
test_digests(void **state)
{
    char lines[512];
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(digests); i++) {
        begin(&it, SET);
        if (digests[i].body != NULL) {
            it.answer.body = wba_str_z(digests[i].body);
        }
        it.answer.decoded = digests[i].decoded;
        if (digests[i].field != NULL) {
            add(&it, "Content-Digest", digests[i].field);
        }
        snprintf(lines, sizeof(lines), SITE_LINE "\"content-digest\": %s\n",
                 digests[i].field ? digests[i].field : "");
        add_signature(&it, "s", SEED_ALICE, BOTH, REST, lines);
        check(&it, digests[i].field ? digests[i].field : "none",
              digests[i].text, digests[i].text == NULL);
        end(&it);
    }
}

/* A digest on several lines is one field, and it may be empty of a body whose
 * data is NULL. */
static void
test_digest_lines(void **state)
{
    (void) state;
    begin(&it, SET);
    add(&it, "Content-Digest", SET_SHA256);
    add(&it, "Content-Digest", SET_SHA512);
    add_signature(&it, "s", SEED_ALICE, BOTH, REST,
                  SITE_LINE "\"content-digest\": $D, $E\n");
    check(&it, "two lines", NULL, 1);
    end(&it);

    begin(&it, SET);
    it.answer.body = WBA_STR_NONE;
    add(&it, "Content-Digest", SET_SHA256);
    add_good(&it, "s", SEED_ALICE);
    check(&it, "no body", "Content-Digest is not the body's", 0);
    end(&it);
}

/* ---- what surrounds a signature */

static void
test_unknown_site(void **state)
{
    (void) state;
    begin_row(&it);
    add_good(&it, "s", SEED_ALICE);
    it.answer.authority = WBA_STR("other.example");
    check(&it, "other", WRONG, 0);
    it.answer.authority = WBA_STR_NONE;
    check(&it, "none", NO_COMPONENT, 0);
    end(&it);

    begin_row(&it);
    add_signature(&it, "s", SEED_ALICE,
                  "(\"@authority\";req \"content-digest\" \"@status\")", REST,
                  LINES "\"@status\": 200\n");
    it.answer.status = 0;
    check(&it, "no status", NO_COMPONENT, 0);
    end(&it);
}

static const struct {
    const char *input, *signature; /* NULL: no such field */
    const char *text;
} fields[] = {
    { NULL, NULL, "" },
    { NULL, "s=:AA==:", "" },
    { "", NULL, "" },
    { "s=(", NULL, "Signature-Input is not a Dictionary" },
    { "s=" BOTH REST ", ", NULL, "Signature-Input is not a Dictionary" },
    { "s=();keyId=\"a\"", NULL,
      "Signature-Input writes a parameter in upper case" },
    { "s=1, t=(\"a\")", NULL, "" },
    { "s=" BOTH REST, NULL, "the response has no Signature" },
    { "s=" BOTH REST, "t=:AA==:",
      "Signature has no Byte Sequence under its label" },
    { "s=" BOTH REST, "s=\"a\"",
      "Signature has no Byte Sequence under its label" },
    { "s=" BOTH REST, "s=:AA==:, s=:AA==:",
      "Signature has no Byte Sequence under its label" },
    { "s=" BOTH REST, "s=:AA==:,",
      "Signature has no Byte Sequence under its label" },
    { "s=" BOTH REST, "s=::", WRONG },
    { "s=" BOTH REST, "s=:AA==:", WRONG },
    { "s=" BOTH REST ", s=" BOTH REST, "s=:AA==:",
      "Signature-Input has its label twice" },
    { "s=" BOTH REST ", s=()", "s=:AA==:",
      "Signature-Input has its label twice" },
};

static void
test_fields(void **state)
{
    char input[2048];
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(fields); i++) {
        begin_row(&it);
        if (fields[i].input != NULL) {
            expand(fields[i].input, input, sizeof(input));
            add(&it, "Signature-Input", input);
        }
        if (fields[i].signature != NULL) {
            add(&it, "Signature", fields[i].signature);
        }
        check(&it, fields[i].input ? fields[i].input : "none", fields[i].text,
              0);
        end(&it);
    }
}

/* Each of the three fields, and one that is covered, beyond its bound. */
static void
test_too_long(void **state)
{
    static char value[WBA_MAX_FIELD + 2];
    static const char *const names[] = { "Signature-Input", "Signature",
                                         "Content-Digest", "Long" };
    size_t i;

    (void) state;
    memset(value, 'a', sizeof(value) - 1);
    for (i = 0; i < COUNT(names); i++) {
        begin_row(&it);
        add(&it, names[i], value);
        add_signature(&it, "s", SEED_ALICE,
                      i == 3 ? "(\"@authority\";req \"content-digest\" "
                               "\"long\")"
                             : BOTH,
                      REST, LINES);
        check(&it, names[i], TOO_LONG, 0);
        end(&it);
    }
    begin_row(&it);
    memset(value, 'a', WBA_MAX_LABEL + 1);
    value[WBA_MAX_LABEL + 1] = '\0';
    add_good(&it, value, SEED_ALICE);
    check(&it, "label", TOO_LONG, 0);
    end(&it);
}

/* ---- several */

static void
test_two_keys(void **state)
{
    (void) state;
    begin_row(&it);
    add_good(&it, "a", SEED_ALICE);
    add_good(&it, "b", SEED_BOB);
    check(&it, "both", NULL, 3);

    /* The caller need not ask which. */
    assert_int_equal(wba_proof_check(&it.answer, it.set, NOW, SKEW, &it.mem,
                                     NULL, &it.proof),
                     WBA_OK);
    assert_int_equal(it.proof.state, WBA_PROOF_GOOD);
    assert_int_equal(it.proof.proven, 2);
    end(&it);

    begin_row(&it);
    add_good(&it, "b", SEED_BOB);
    check(&it, "one of two", NULL, 2);
    add_good(&it, "again", SEED_BOB);
    check(&it, "one of two, twice", NULL, 2);
    end(&it);

    begin_row(&it);
    add_signature(&it, "c", SEED_CAROL, BOTH, REST, LINES);
    check(&it, "a stranger's", WRONG, 0);
    end(&it);
}

/* Neighbours of every kind, before and behind. */
static void
test_neighbours(void **state)
{
    size_t i, at;

    (void) state;
    for (i = 0; i < COUNT(rows); i++) {
        for (at = 0; at < 2; at++) {
            begin_row(&it);
            if (at == 1) {
                add_good(&it, "good", SEED_BOB);
            }
            add_signature(&it, "bad", SEED_CAROL, rows[i].covered,
                          rows[i].params, LINES);
            if (at == 0) {
                add_good(&it, "good", SEED_BOB);
            }
            check(&it, rows[i].params, NULL, 2);
            end(&it);
        }
    }

    /* A label twice, in either field, is that label's trouble. */
    begin_row(&it);
    add_good(&it, "bad", SEED_ALICE);
    add_good(&it, "good", SEED_BOB);
    add_good(&it, "bad", SEED_ALICE);
    check(&it, "twice", NULL, 2);
    end(&it);
    begin_row(&it);
    add_good(&it, "bad", SEED_ALICE);
    add_good(&it, "good", SEED_BOB);
    add(&it, "Signature", "bad=:AA==:");
    check(&it, "value twice", NULL, 2);
    end(&it);
    begin_row(&it);
    add(&it, "Signature-Input", "x=1, y=\"a\", z, w=();tag");
    add_good(&it, "good", SEED_BOB);
    check(&it, "no inner lists", NULL, 2);
    end(&it);
}

/* The phrase is the first one's. */
static void
test_first_phrase(void **state)
{
    (void) state;
    begin_row(&it);
    add_signature(&it, "o", SEED_ALICE, "()", ";tag=\"other\"", "");
    add_signature(&it, "a", SEED_ALICE, BOTH,
                  ";created=1;expires=2;keyid=\"$A\"" TAG, LINES);
    add_signature(&it, "b", SEED_CAROL, BOTH, REST, LINES);
    check(&it, "two bad", EXPIRED, 0);
    end(&it);
}

static void
test_too_many_signatures(void **state)
{
    char label[16];
    int i, at;

    (void) state;
    for (at = WBA_MAX_SIGNATURES - 1; at <= WBA_MAX_SIGNATURES; at++) {
        begin_row(&it);
        for (i = 0; i < 12; i++) { /* not of the tag, hence not counted */
            snprintf(label, sizeof(label), "o%d", i);
            add_signature(&it, label, SEED_ALICE, BOTH, TIMES, LINES);
        }
        for (i = 0; i < at; i++) {
            snprintf(label, sizeof(label), "b%d", i);
            add_signature(&it, label, SEED_CAROL, BOTH, REST, LINES);
        }
        add_good(&it, "good", SEED_BOB);
        if (at < WBA_MAX_SIGNATURES) {
            check(&it, "the last one that counts", NULL, 2);
        } else {
            check(&it, "one too many", WRONG, 0);
        }
        end(&it);
    }
}

static void
write_digest(const char *body, char digest[128], char lines[256])
{
    uint8_t hash[32];
    size_t n;

    crypto_hash_sha256(hash, (const uint8_t *) body, strlen(body));
    n = (size_t) snprintf(digest, 128, "sha-256=:");
    sodium_bin2base64(digest + n, 128 - n, hash, sizeof(hash),
                      sodium_base64_VARIANT_ORIGINAL);
    strcat(digest, ":");
    snprintf(lines, 256, SITE_LINE "\"content-digest\": %s\n", digest);
}

/* Keys that did not sign, beside one that did; one that leaves its algorithm
 * open; and none at all. */
static void
test_other_keys(void **state)
{
    static const char set[] =
        "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X
        "\",\"y\":\"" P256_Y "\"},{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\""
        RSA_N "\"}," OKP(ALICE_X) "]}";
    static const char *const keyids[] = { P256_THUMBPRINT, RSA_THUMBPRINT };
    static const char *const texts[] = {
        WRONG, "neither its alg nor that of its key says the algorithm"
    };
    char digest[128], lines[256], params[256];
    size_t i;

    (void) state;
    write_digest(set, digest, lines);
    for (i = 0; i < COUNT(keyids); i++) {
        begin(&it, set);
        add(&it, "Content-Digest", digest);
        snprintf(params, sizeof(params), TIMES ";keyid=\"%s\"" TAG, keyids[i]);
        add_signature(&it, "x", SEED_ALICE, BOTH, params, lines);
        check(&it, keyids[i], texts[i], 0);
        add_signature(&it, "a", SEED_ALICE, BOTH, REST, lines);
        check(&it, keyids[i], NULL, 4);
        end(&it);
    }

    begin(&it, "{\"keys\":[]}");
    add(&it, "Content-Digest", digest);
    add_signature(&it, "a", SEED_ALICE, BOTH, REST, lines);
    check(&it, "no keys", NO_KEY, 0);
    end(&it);
}

/* With each allocation failing in turn it says so, names no key, and with all
 * of them it succeeds.  Every value is such that memory is needed for it. */
static void
test_no_memory(void **state)
{
    static const char more[] =
        "(\"@authority\";req \"content-digest\" \"x\" \"x\";bs "
        "\"content-digest\";key=\"sha-\\\\\" \"@status\")";
    wba_status_t status;
    size_t failures = 0;

    (void) state;
    begin_row(&it);
    add(&it, "Content-Digest", SET_SHA512);
    add_signature(&it, "a", SEED_ALICE, BOTH,
                  TIMES ";keyid=\"$A\";nonce=\"\\\"\"" TAG,
                  SITE_LINE "\"content-digest\": $D, $E\n");
    /* One key is no legal key, hence never there. */
    add_signature(&it, "b", SEED_BOB, more, TIMES ";keyid=\"$B\"" TAG, "");
    add_signature(&it, "c", SEED_BOB, BOTH, TIMES ";tag=\"\\\"\"", "");
    for (it.fail_at = 1;; it.fail_at++) {
        status = check_at(&it, NOW);
        if (status == WBA_OK) {
            break; /* c's tag is none of ours, whether it was read or not */
        }
        assert_int_equal(status, WBA_NO_MEMORY);
        assert_int_equal(it.proof.state, WBA_PROOF_ABSENT);
        assert_int_equal(it.proof.proven, 0);
        assert_string_equal(it.proof.text, "");
        assert_int_equal(it.proven[0] | it.proven[1], 0);
        drop_blocks(&it);
        failures++;
    }
    expect(&it, "enough", NULL, 1);
    assert_true(failures > 8);
    drop_blocks(&it);
    it.fail_at = 0;
    check(&it, "all", NULL, 1);
    end(&it);
}

/* libcrypto's memory fails, too: that is not said of the signature. */
static void
check_hungry(void *failures)
{
    wba_status_t status = check_at(&it, NOW);

    if (status == WBA_NO_MEMORY) {
        assert_int_equal(it.proof.proven, 0);
        ++*(unsigned *) failures;
    } else {
        assert_int_equal(status, WBA_OK);
        expect(&it, "P-256", WRONG, 0);
    }
    drop_blocks(&it);
}

static void
test_no_memory_for_crypto(void **state)
{
    static const char set[] =
        "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X
        "\",\"y\":\"" P256_Y "\"}]}";
    char digest[128], lines[256];
    unsigned failures = 0;

    (void) state;
    write_digest(set, digest, lines);
    begin(&it, set);
    add(&it, "Content-Digest", digest);
    add_signature(&it, "x", SEED_ALICE, BOTH,
                  TIMES ";keyid=\"" P256_THUMBPRINT "\"" TAG, lines);
    crypto_starve(check_hungry, &failures);
    assert_true(failures > 10);
    end(&it);
}

static int
start(void **state)
{
    (void) state;
    return wba_crypto_init() == WBA_OK ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_vector),
        cmocka_unit_test(test_npm_client),
        cmocka_unit_test(test_npm_directory_headers),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_too_many_components),
        cmocka_unit_test(test_digests),
        cmocka_unit_test(test_digest_lines),
        cmocka_unit_test(test_unknown_site),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_two_keys),
        cmocka_unit_test(test_neighbours),
        cmocka_unit_test(test_first_phrase),
        cmocka_unit_test(test_too_many_signatures),
        cmocka_unit_test(test_other_keys),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_no_memory_for_crypto),
    };

    return crypto_memory_begin() ? cmocka_run_group_tests(tests, start, NULL)
                                 : 1;
}
