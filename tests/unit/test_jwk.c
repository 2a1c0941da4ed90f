/* SPDX-License-Identifier: BSD-2-Clause */
/* core/jwk: what is taken as a key, what is refused and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sodium.h>

#include "jwk.h"
#include "keys.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define OKP "'kty':'OKP','crv':'Ed25519','x':'" ED25519_X "'"
#define EC "'kty':'EC','crv':'P-256','x':'" P256_X "','y':'" P256_Y "'"
#define RSA "'kty':'RSA','e':'AQAB','n':'" RSA_N "'"

#define PSS (WBA_ALG_RSA_PSS_SHA512 | WBA_ALG_RSA_PSS_SHA256)

typedef struct {
    const char *json; /* ' stands for " */
    wba_status_t status;
    const char *why; /* a part of it */
    bool alert;
} row_t;

static json_t *
load(const char *text)
{
    char *copy = malloc(strlen(text) + 1);
    json_t *json;
    char *p;

    assert_non_null(copy);
    strcpy(copy, text);
    for (p = copy; *p; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    json = json_loads(copy, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    free(copy);
    return json;
}

static wba_status_t
parse(const char *text, wba_jwk_t *jwk, bool *alert, const char **why)
{
    json_t *json = load(text);
    wba_status_t rc;

    if (json == NULL) {
        fail_msg("bad JSON in the test: %s", text);
    }
    rc = wba_jwk_parse(json, jwk, alert, why);
    json_decref(json);
    return rc;
}

static void
check(const row_t *row)
{
    wba_jwk_t jwk;
    bool alert = !row->alert;
    const char *why = NULL;
    wba_status_t rc = parse(row->json, &jwk, &alert, &why);

    if (rc != row->status || alert != row->alert || why == NULL
        || strstr(why, row->why) == NULL
        || (*row->why == '\0') != (*why == '\0')) {
        fail_msg("%s: status %d, alert %d, %s", row->json, rc, alert, why);
    }
}

static void
check_rows(const row_t *rows, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        check(&rows[i]);
    }
}

static void
thumbprints(void **state)
{
    static const struct {
        const char *json;
        const char *thumbprint;
        wba_key_type_t type;
        unsigned algs;
        bool test_key;
    } t[] = {
        { "{" OKP "}", ED25519_THUMBPRINT, WBA_KEY_ED25519, WBA_ALG_ED25519,
          true },
        { "{'kty':'OKP','crv':'Ed25519','x':'" RFC8037_X "'}",
          RFC8037_THUMBPRINT, WBA_KEY_ED25519, WBA_ALG_ED25519, false },
        { "{" EC "}", P256_THUMBPRINT, WBA_KEY_P256, WBA_ALG_ECDSA_P256_SHA256,
          true },
        { "{" RSA "}", RSA_THUMBPRINT, WBA_KEY_RSA, PSS, true },
        { "{'kty':'RSA','e':'AQAB','alg':'PS512','n':'" PSS_N "'}",
          PSS_THUMBPRINT, WBA_KEY_RSA, WBA_ALG_RSA_PSS_SHA512, true },
        /* RFC 7638's own example has alg RS256 */
        { "{'kty':'RSA','e':'AQAB','kid':'2011-04-29','n':'" RFC7638_N "'}",
          RFC7638_THUMBPRINT, WBA_KEY_RSA, PSS, false },
    };
    uint8_t text[WBA_THUMBPRINT_TEXT_SIZE + 1] = { 0 };
    wba_jwk_t jwk;
    const char *why;
    bool alert;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(t); i++) {
        assert_int_equal(parse(t[i].json, &jwk, &alert, &why), WBA_OK);
        assert_string_equal(why, "");
        assert_int_equal(jwk.key.type, t[i].type);
        assert_int_equal(jwk.key.algs, t[i].algs);
        wba_thumbprint_text(jwk.key.thumbprint, text);
        assert_string_equal((const char *) text, t[i].thumbprint);
        assert_int_equal(wba_jwk_is_test_key(jwk.key.thumbprint),
                         t[i].test_key);
    }
}

static void
thumbprint_ed25519(void **state)
{
    uint8_t out[WBA_THUMBPRINT_SIZE];
    const char *why;
    wba_jwk_t jwk;
    bool alert;

    (void) state;
    assert_int_equal(parse("{" OKP "}", &jwk, &alert, &why), WBA_OK);
    assert_int_equal(jwk.key.pub.len, 32);
    wba_jwk_thumbprint_ed25519(jwk.key.pub.data, out);
    assert_memory_equal(out, jwk.key.thumbprint, sizeof(out));
}

static void
public_parts(void **state)
{
    const char *why;
    wba_jwk_t jwk;
    bool alert;

    (void) state;
    assert_int_equal(parse("{" EC "}", &jwk, &alert, &why), WBA_OK);
    assert_int_equal(jwk.key.pub.len, 64);
    assert_int_equal(jwk.key.pub.data[0], 0xa8);
    assert_int_equal(jwk.key.pub.data[32], 0x31);
    assert_int_equal(jwk.key.exponent.len, 0);
    assert_int_equal(parse("{" RSA "}", &jwk, &alert, &why), WBA_OK);
    assert_int_equal(jwk.key.pub.len, 256);
    assert_int_equal(jwk.key.pub.data[0], 0x84);
    assert_int_equal(jwk.key.exponent.len, 3);
    assert_memory_equal(jwk.key.exponent.data, "\x01\x00\x01", 3);
}

static void
types(void **state)
{
    static const row_t t[] = {
        { "{}", WBA_INVALID, "kty", false },
        { "[]", WBA_INVALID, "object", false },
        { "null", WBA_INVALID, "object", false },
        { "'" ED25519_X "'", WBA_INVALID, "object", false },
        { "{'kty':1}", WBA_INVALID, "kty", false },
        { "{'kty':'oct'}", WBA_UNSUPPORTED, "kty", false },
        { "{'kty':'okp','crv':'Ed25519','x':'" ED25519_X "'}",
          WBA_UNSUPPORTED, "kty", false },
        { "{'kty':'AKP','alg':'ML-DSA-44','pub':'AA'}", WBA_UNSUPPORTED, "kty",
          false },
        { "{'kty':'OKP','x':'" ED25519_X "'}", WBA_INVALID, "crv", false },
        { "{'kty':'OKP','crv':7,'x':'" ED25519_X "'}", WBA_INVALID, "crv",
          false },
        { "{'kty':'OKP','crv':'X25519','x':'" ED25519_X "'}", WBA_UNSUPPORTED,
          "crv", false },
        { "{'kty':'OKP','crv':'Ed448','x':'AA'}", WBA_UNSUPPORTED, "crv",
          false },
        { "{'kty':'OKP','crv':'P-256','x':'" ED25519_X "'}", WBA_UNSUPPORTED,
          "crv", false },
        { "{'kty':'EC','x':'" P256_X "','y':'" P256_Y "'}", WBA_INVALID, "crv",
          false },
        { "{'kty':'EC','crv':'P-384','x':'AA','y':'AA'}", WBA_UNSUPPORTED,
          "crv", false },
        { "{'kty':'EC','crv':'secp256k1','x':'AA','y':'AA'}", WBA_UNSUPPORTED,
          "crv", false },
        { "{" OKP ",'purpose':'rag','signature_agent':{'a':[1,2]}}", WBA_OK, "",
          false },
    };

    (void) state;
    check_rows(t, COUNT(t));
}

#define X(text) "{'kty':'OKP','crv':'Ed25519','x':'" text "'}"
#define XY(x, y) "{'kty':'EC','crv':'P-256','x':'" x "','y':'" y "'}"
#define ZEROS31 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define ZEROS32 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define ZEROS33 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void
encodings(void **state)
{
    static const row_t t[] = {
        { "{'kty':'OKP','crv':'Ed25519'}", WBA_INVALID, "x is", false },
        { "{'kty':'OKP','crv':'Ed25519','x':null}", WBA_INVALID, "x is",
          false },
        { X(""), WBA_INVALID, "x is", false },
        { X(ZEROS31), WBA_INVALID, "x is", false },
        { X(ZEROS32), WBA_OK, "", false },
        { X(ZEROS33), WBA_INVALID, "x is", false },
        { X(ED25519_X "="), WBA_INVALID, "x is", false },
        { X("JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs"), WBA_INVALID, "x is",
          false },
        { X(" " ED25519_X), WBA_INVALID, "x is", false },
        { X(ED25519_X "\\n"), WBA_INVALID, "x is", false },
        { X("JrQLj5P_89iXES9-vFgrIy2\\n9clF9CC_oPPsw3c5D0bs"), WBA_INVALID,
          "x is", false },
        /* the same 32 octets, with a stray bit at the end */
        { X("JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bt"), WBA_INVALID, "x is",
          false },
        { X("JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bu"), WBA_INVALID, "x is",
          false },
        /* two octets that libsodium takes for two characters '_' */
        { X("JrQLj5\xc3\xa9" "89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"),
          WBA_INVALID, "x is", false },
        { XY("\xc2\x80" "VYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA", P256_Y),
          WBA_INVALID, "x is", false },
        { XY(P256_X, ""), WBA_INVALID, "y is", false },
        { XY("", P256_Y), WBA_INVALID, "x is", false },
        { XY(P256_X, ZEROS31), WBA_INVALID, "y is", false },
        { XY(ZEROS31, P256_Y), WBA_INVALID, "x is", false },
        { XY(P256_X, ZEROS33), WBA_INVALID, "y is", false },
        { XY(ZEROS33, P256_Y), WBA_INVALID, "x is", false },
        { XY(P256_X, P256_Y "="), WBA_INVALID, "y is", false },
        { XY(P256_X, "Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F1"),
          WBA_INVALID, "y is", false },
        { "{'kty':'EC','crv':'P-256','x':'" P256_X "'}", WBA_INVALID, "y is",
          false },
    };

    (void) state;
    check_rows(t, COUNT(t));
}

/* An RSA key of len octets that begins with first and ends with last. */
static wba_status_t
parse_rsa(size_t len, uint8_t first, uint8_t last, const char *e,
          const char **why)
{
    static uint8_t n[2000];
    static char text[4000];
    static char json[5000];
    wba_jwk_t jwk;
    bool alert;
    wba_status_t rc;

    memset(n, 0x5a, sizeof(n));
    n[0] = first;
    n[len - 1] = last;
    sodium_bin2base64(text, sizeof(text), n, len,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    (void) snprintf(json, sizeof(json), "{'kty':'RSA','e':'%s','n':'%s'}", e,
                    text);
    rc = parse(json, &jwk, &alert, why);
    if (rc == WBA_OK) {
        assert_int_equal(jwk.key.pub.len, len);
        assert_memory_equal(jwk.key.pub.data, n, len);
    }
    return rc;
}

static void
rsa(void **state)
{
    static const struct {
        size_t len;
        uint8_t first;
        uint8_t last;
        const char *e;
        wba_status_t status;
        const char *why;
    } t[] = {
        { 256, 0x80, 1, "AQAB", WBA_OK, "" },
        { 256, 0xff, 0xff, "Aw", WBA_OK, "" },
        { 256, 0x7f, 1, "AQAB", WBA_INVALID, "2048" },
        { 257, 0x01, 1, "AQAB", WBA_OK, "" },
        { 255, 0xff, 1, "AQAB", WBA_INVALID, "2048" },
        { 128, 0xff, 1, "AQAB", WBA_INVALID, "2048" },
        { 1, 0xff, 0xff, "AQAB", WBA_INVALID, "2048" },
        { 257, 0x00, 1, "AQAB", WBA_INVALID, "zero" },
        { 384, 0x80, 1, "AQAB", WBA_OK, "" },
        { 512, 0x80, 1, "AQAB", WBA_OK, "" },
        { 1024, 0xff, 1, "AQAB", WBA_OK, "" },
        { 1025, 0x01, 1, "AQAB", WBA_UNSUPPORTED, "8192" },
        { 2000, 0xff, 1, "AQAB", WBA_UNSUPPORTED, "8192" },
        { 256, 0x80, 2, "AQAB", WBA_INVALID, "even" },
        { 256, 0x80, 1, "", WBA_INVALID, "e is not" },
        { 256, 0x80, 1, "AAEAAQ", WBA_INVALID, "e is not" },
        { 256, 0x80, 1, "AA", WBA_INVALID, "e is not" },
        { 256, 0x80, 1, "AQ", WBA_INVALID, "e is 1" },
        { 256, 0x80, 1, "Ag", WBA_INVALID, "even" },
        { 256, 0x80, 1, "AQAB=", WBA_INVALID, "e is not" },
        { 256, 0x80, 1, "Ax", WBA_INVALID, "e is not" },
        { 256, 0x80, 1, "AQAAAAAAAAE", WBA_OK, "" },
        { 256, 0x80, 1, "AQAAAAAAAAAB", WBA_INVALID, "e is not" },
    };
    const char *why;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(t); i++) {
        wba_status_t rc = parse_rsa(t[i].len, t[i].first, t[i].last, t[i].e,
                                    &why);

        if (rc != t[i].status || strstr(why, t[i].why) == NULL) {
            fail_msg("row %zu: status %d, %s", i, rc, why);
        }
    }
}

static void
rsa_members(void **state)
{
    static const row_t t[] = {
        { "{'kty':'RSA','e':'AQAB'}", WBA_INVALID, "n is not", false },
        { "{'kty':'RSA','n':'" RSA_N "'}", WBA_INVALID, "e is not", false },
        { "{'kty':'RSA','e':65537,'n':'" RSA_N "'}", WBA_INVALID, "e is not",
          false },
        { "{'kty':'RSA','e':'AQAB','n':''}", WBA_INVALID, "n is not", false },
        { "{'kty':'RSA','e':'AQAB','n':'" RSA_N "=='}", WBA_INVALID, "n is not",
          false },
    };

    (void) state;
    check_rows(t, COUNT(t));
}

static void
uses(void **state)
{
    static const row_t t[] = {
        { "{" OKP ",'use':'sig'}", WBA_OK, "", false },
        { "{" OKP ",'use':'enc'}", WBA_UNSUPPORTED, "use", false },
        { "{" OKP ",'use':'SIG'}", WBA_UNSUPPORTED, "use", false },
        { "{" OKP ",'use':''}", WBA_UNSUPPORTED, "use", false },
        { "{" OKP ",'use':null}", WBA_INVALID, "use", false },
        { "{" OKP ",'use':['sig']}", WBA_INVALID, "use", false },
        { "{" OKP ",'key_ops':['verify']}", WBA_OK, "", false },
        { "{" OKP ",'key_ops':['sign',1,null,'verify']}", WBA_OK, "", false },
        { "{" OKP ",'key_ops':['sign']}", WBA_UNSUPPORTED, "key_ops", false },
        { "{" OKP ",'key_ops':[]}", WBA_UNSUPPORTED, "key_ops", false },
        { "{" OKP ",'key_ops':'verify'}", WBA_INVALID, "key_ops", false },
        { "{" OKP ",'key_ops':null}", WBA_INVALID, "key_ops", false },
        { "{" OKP ",'key_ops':{'verify':1}}", WBA_INVALID, "key_ops", false },
        { "{" OKP ",'use':'sig','key_ops':['verify']}", WBA_OK, "", false },
    };

    (void) state;
    check_rows(t, COUNT(t));
}

static void
algorithms(void **state)
{
    static const row_t t[] = {
        { "{" OKP ",'alg':'EdDSA'}", WBA_OK, "", false },
        { "{" OKP ",'alg':'Ed25519'}", WBA_OK, "", false },
        { "{" OKP ",'alg':'ed25519'}", WBA_OK, "", false },
        { "{" OKP ",'alg':'ES256'}", WBA_INVALID, "agree", false },
        { "{" OKP ",'alg':'PS256'}", WBA_INVALID, "agree", false },
        { "{" OKP ",'alg':'RS256'}", WBA_UNSUPPORTED, "alg", false },
        { "{" OKP ",'alg':'HS256'}", WBA_UNSUPPORTED, "alg", false },
        { "{" OKP ",'alg':'none'}", WBA_UNSUPPORTED, "alg", false },
        { "{" OKP ",'alg':''}", WBA_UNSUPPORTED, "alg", false },
        { "{" OKP ",'alg':null}", WBA_INVALID, "alg is no", false },
        { "{" OKP ",'alg':['EdDSA']}", WBA_INVALID, "alg is no", false },
        { "{" EC ",'alg':'ES256'}", WBA_OK, "", false },
        { "{" EC ",'alg':'ecdsa-p256-sha256'}", WBA_OK, "", false },
        { "{" EC ",'alg':'EdDSA'}", WBA_INVALID, "agree", false },
        { "{" EC ",'alg':'ES384'}", WBA_UNSUPPORTED, "alg", false },
        { "{" RSA ",'alg':'PS256'}", WBA_OK, "", false },
        { "{" RSA ",'alg':'rsa-pss-sha512'}", WBA_OK, "", false },
        { "{" RSA ",'alg':'RS256'}", WBA_UNSUPPORTED, "alg", false },
        { "{" RSA ",'alg':'RSA-OAEP'}", WBA_UNSUPPORTED, "alg", false },
        { "{" RSA ",'alg':'EdDSA'}", WBA_INVALID, "agree", false },
    };
    const char *why;
    wba_jwk_t jwk;
    bool alert;

    (void) state;
    check_rows(t, COUNT(t));
    parse("{" RSA ",'alg':'PS256'}", &jwk, &alert, &why);
    assert_int_equal(jwk.key.algs, WBA_ALG_RSA_PSS_SHA256);
}

static void
times(void **state)
{
    static const struct {
        const char *value;
        wba_status_t status;
        int64_t nbf;
    } t[] = {
        { "0", WBA_OK, 0 },
        { "1", WBA_OK, 1 },
        { "1735689600", WBA_OK, 1735689600 },
        { "1735689600.0", WBA_OK, 1735689600 },
        { "1.7356896e9", WBA_OK, 1735689600 },
        { "-0.0", WBA_OK, 0 },
        { "99999999999", WBA_OK, 99999999999 },
        { "100000000000", WBA_OK, 100000000 },
        { "1735689600123", WBA_OK, 1735689600 },
        { "1735689600123.0", WBA_OK, 1735689600 },
        { "9223372036854775807", WBA_OK, 9223372036854775 },
        { "9e18", WBA_OK, 9000000000000000 },
        { "1e19", WBA_INVALID, 0 },
        { "9223372036854775808.0", WBA_INVALID, 0 },
        { "1e300", WBA_INVALID, 0 },
        { "1735689600.5", WBA_INVALID, 0 },
        { "0.1", WBA_INVALID, 0 },
        { "-1", WBA_INVALID, 0 },
        { "-1.0", WBA_INVALID, 0 },
        { "-1735689600123", WBA_INVALID, 0 },
        { "'1735689600'", WBA_INVALID, 0 },
        { "null", WBA_INVALID, 0 },
        { "true", WBA_INVALID, 0 },
        { "[1]", WBA_INVALID, 0 },
        { "{}", WBA_INVALID, 0 },
    };
    char json[300];
    const char *why;
    wba_jwk_t jwk;
    bool alert;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(t); i++) {
        bool good = t[i].status == WBA_OK;

        (void) snprintf(json, sizeof(json), "{" OKP ",'nbf':%s}", t[i].value);
        if (parse(json, &jwk, &alert, &why) != t[i].status
            || (good && (jwk.key.nbf != t[i].nbf || jwk.key.exp != 0))) {
            fail_msg("nbf %s: %s", t[i].value, why);
        }
        (void) snprintf(json, sizeof(json), "{" OKP ",'exp':%s}", t[i].value);
        if (parse(json, &jwk, &alert, &why) != t[i].status
            || (good && (jwk.key.exp != (t[i].nbf ? t[i].nbf : 1)
                         || jwk.key.nbf != 0))) {
            fail_msg("exp %s: %s", t[i].value, why);
        }
    }
}

/* Each private member, beside a good key and beside nothing of use. */
static void
private_members(void **state)
{
    static const row_t t[] = {
        { "{" OKP ",'d':'AA'}", WBA_INVALID, "private", true },
        { "{" OKP ",'d':null}", WBA_INVALID, "private", true },
        { "{" RSA ",'p':'AA'}", WBA_INVALID, "private", true },
        { "{" RSA ",'q':'AA'}", WBA_INVALID, "private", true },
        { "{" RSA ",'dp':'AA'}", WBA_INVALID, "private", true },
        { "{" RSA ",'dq':'AA'}", WBA_INVALID, "private", true },
        { "{" RSA ",'qi':'AA'}", WBA_INVALID, "private", true },
        { "{" RSA ",'oth':[]}", WBA_INVALID, "private", true },
        { "{'kty':'oct','k':'AA'}", WBA_INVALID, "private", true },
        { "{'kty':'OKP','crv':'X25519','d':'AA'}", WBA_INVALID, "private",
          true },
        { "{'d':'AA'}", WBA_INVALID, "private", true },
        { "{" OKP ",'use':'enc','d':'AA'}", WBA_INVALID, "private", true },
        { "{" OKP ",'D':'AA'}", WBA_OK, "", false },
    };
    const char *why;
    wba_jwk_t jwk;
    bool alert;

    (void) state;
    check_rows(t, COUNT(t));
    parse("{" OKP ",'d':'AA'}", &jwk, &alert, &why);
    assert_non_null(jwk.key.thumbprint);
    assert_true(wba_jwk_is_test_key(jwk.key.thumbprint));
    parse("{'kty':'OKP','crv':'Ed25519','x':'AA','d':'AA'}", &jwk, &alert,
          &why);
    assert_null(jwk.key.thumbprint);
}

/* What is wrong beside the public part is reported under the thumbprint. */
static void
thumbprint_of_bad_entries(void **state)
{
    const char *why;
    wba_jwk_t jwk;
    bool alert;

    (void) state;
    parse("{" OKP ",'alg':'ES256'}", &jwk, &alert, &why);
    assert_non_null(jwk.key.thumbprint);
    parse("{" OKP ",'exp':'soon'}", &jwk, &alert, &why);
    assert_non_null(jwk.key.thumbprint);
    parse("{'kty':'oct'}", &jwk, &alert, &why);
    assert_null(jwk.key.thumbprint);
    parse("[]", &jwk, &alert, &why);
    assert_null(jwk.key.thumbprint);
}

static void
kid_of(size_t len, wba_jwk_t *jwk, const char **why)
{
    char *json = malloc(len + 200);
    bool alert;
    int at;

    at = snprintf(json, 200, "{" OKP ",'kid':'");
    memset(json + at, 'k', len);
    strcpy(json + at + len, "'}");
    assert_int_equal(parse(json, jwk, &alert, why), WBA_OK);
    free(json);
}

static void
kids(void **state)
{
    const char *why;
    wba_jwk_t jwk;
    bool alert;

    (void) state;
    kid_of(1, &jwk, &why);
    assert_true(jwk.has_kid);
    assert_true(wba_str_eq(jwk.key.kid, WBA_STR("k")));
    kid_of(WBA_MAX_KID, &jwk, &why);
    assert_true(jwk.has_kid);
    assert_string_equal(why, "");
    assert_int_equal(jwk.key.kid.len, WBA_MAX_KID);
    kid_of(WBA_MAX_KID + 1, &jwk, &why);
    assert_false(jwk.has_kid);
    assert_int_equal(jwk.key.kid.len, 0);
    assert_non_null(strstr(why, "too long"));
    kid_of(0, &jwk, &why);
    assert_false(jwk.has_kid);
    assert_non_null(strstr(why, "empty"));
    assert_int_equal(parse("{" OKP ",'kid':7}", &jwk, &alert, &why), WBA_OK);
    assert_false(jwk.has_kid);
    assert_non_null(strstr(why, "no string"));
    assert_int_equal(parse("{" OKP "}", &jwk, &alert, &why), WBA_OK);
    assert_false(jwk.has_kid);
    assert_string_equal(why, "");
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(thumbprints),
        cmocka_unit_test(thumbprint_ed25519),
        cmocka_unit_test(public_parts),
        cmocka_unit_test(types),
        cmocka_unit_test(encodings),
        cmocka_unit_test(rsa),
        cmocka_unit_test(rsa_members),
        cmocka_unit_test(uses),
        cmocka_unit_test(algorithms),
        cmocka_unit_test(times),
        cmocka_unit_test(private_members),
        cmocka_unit_test(thumbprint_of_bad_entries),
        cmocka_unit_test(kids),
    };

    if (wba_crypto_init() != WBA_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
