/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One JWK to a public key.  The public part is read first, so that whatever
 * else is wrong with the entry can be reported under its thumbprint.
 */
#include "jwk.h"

#include <sodium.h>

#define RSA_MIN_BITS 2048 /* RFC 7518 section 3.5 */

/* At this many seconds the year is 5138: such a time is in milliseconds. */
#define MILLISECONDS_FROM 100000000000

static const unsigned type_algs[] = {
    [WBA_KEY_ED25519] = WBA_ALG_ED25519,
    [WBA_KEY_P256] = WBA_ALG_ECDSA_P256_SHA256,
    [WBA_KEY_RSA] = WBA_ALG_RSA_PSS_SHA512 | WBA_ALG_RSA_PSS_SHA256,
};

static wba_str_t
json_view(const json_t *json)
{
    return json_is_string(json) ? wba_str(json_string_value(json),
                                          json_string_length(json))
                                : WBA_STR_NONE;
}

static wba_str_t
member(const json_t *json, const char *name)
{
    return json_view(json_object_get(json, name));
}

static wba_status_t
fail(wba_status_t status, const char **why, const char *text)
{
    *why = text;
    return status;
}

/* Unpadded, canonical base64url.  libsodium refuses stray bits at the end, but
 * takes octets beyond ASCII for characters: one key would have many
 * thumbprints. */
static bool
decode(wba_str_t text, uint8_t *out, size_t max, size_t *len)
{
    size_t i;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] > 0x7e) {
            return false;
        }
    }
    return text.data != NULL
           && sodium_base642bin(out, max, (const char *) text.data, text.len,
                                NULL, len, NULL,
                                sodium_base64_VARIANT_URLSAFE_NO_PADDING)
                  == 0;
}

typedef struct {
    const char *name;
    wba_str_t value;
} required_t;

/* RFC 7638: the required members in this order, without white space.  What
 * goes in was decoded as canonical base64url, so nothing needs escaping. */
static void
hash_members(const required_t *members, size_t n, uint8_t *out)
{
    crypto_hash_sha256_state sha;
    size_t i;

    crypto_hash_sha256_init(&sha);
    for (i = 0; i < n; i++) {
        crypto_hash_sha256_update(
            &sha, (const uint8_t *) (i ? ",\"" : "{\""), 2);
        crypto_hash_sha256_update(&sha, (const uint8_t *) members[i].name,
                                  strlen(members[i].name));
        crypto_hash_sha256_update(&sha, (const uint8_t *) "\":\"", 3);
        crypto_hash_sha256_update(&sha, members[i].value.data,
                                  members[i].value.len);
        crypto_hash_sha256_update(&sha, (const uint8_t *) "\"", 1);
    }
    crypto_hash_sha256_update(&sha, (const uint8_t *) "}", 1);
    crypto_hash_sha256_final(&sha, out);
}

static wba_status_t
read_okp(const json_t *json, wba_jwk_t *jwk, const char **why)
{
    wba_str_t crv = member(json, "crv");
    wba_str_t x = member(json, "x");
    required_t members[] = {
        { "crv", crv }, { "kty", WBA_STR("OKP") }, { "x", x }
    };
    size_t len;

    if (crv.data == NULL) {
        return fail(WBA_INVALID, why, "crv is missing or no string");
    }
    if (!wba_str_eq(crv, WBA_STR("Ed25519"))) {
        return fail(WBA_UNSUPPORTED, why, "crv is not Ed25519");
    }
    if (!decode(x, jwk->pub, 32, &len) || len != 32) {
        return fail(WBA_INVALID, why, "x is not 32 octets in base64url");
    }
    jwk->key.type = WBA_KEY_ED25519;
    jwk->key.pub = wba_str(jwk->pub, 32);
    hash_members(members, 3, jwk->thumbprint);
    jwk->key.thumbprint = jwk->thumbprint;
    return WBA_OK;
}

static wba_status_t
read_ec(const json_t *json, wba_jwk_t *jwk, const char **why)
{
    wba_str_t crv = member(json, "crv");
    wba_str_t x = member(json, "x");
    wba_str_t y = member(json, "y");
    required_t members[] = {
        { "crv", crv }, { "kty", WBA_STR("EC") }, { "x", x }, { "y", y }
    };
    size_t len;

    if (crv.data == NULL) {
        return fail(WBA_INVALID, why, "crv is missing or no string");
    }
    if (!wba_str_eq(crv, WBA_STR("P-256"))) {
        return fail(WBA_UNSUPPORTED, why, "crv is not P-256");
    }
    if (!decode(x, jwk->pub, 32, &len) || len != 32) {
        return fail(WBA_INVALID, why, "x is not 32 octets in base64url");
    }
    if (!decode(y, jwk->pub + 32, 32, &len) || len != 32) {
        return fail(WBA_INVALID, why, "y is not 32 octets in base64url");
    }
    jwk->key.type = WBA_KEY_P256;
    jwk->key.pub = wba_str(jwk->pub, 64);
    hash_members(members, 4, jwk->thumbprint);
    jwk->key.thumbprint = jwk->thumbprint;
    return WBA_OK;
}

static size_t
bits(const uint8_t *data, size_t len)
{
    size_t n = len * 8;
    uint8_t top = data[0];

    while (!(top & 0x80)) {
        top = (uint8_t) (top << 1);
        n--;
    }
    return n;
}

static wba_status_t
read_rsa(const json_t *json, wba_jwk_t *jwk, const char **why)
{
    wba_str_t n = member(json, "n");
    wba_str_t e = member(json, "e");
    required_t members[] = {
        { "e", e }, { "kty", WBA_STR("RSA") }, { "n", n }
    };
    size_t n_len;
    size_t e_len;

    if (n.len > (sizeof(jwk->pub) * 4 + 2) / 3) {
        return fail(WBA_UNSUPPORTED, why, "n is longer than 8192 bits");
    }
    if (!decode(n, jwk->pub, sizeof(jwk->pub), &n_len) || n_len == 0
        || jwk->pub[0] == 0) {
        return fail(WBA_INVALID, why,
                    "n is not base64url, or begins with a zero octet");
    }
    if (!decode(e, jwk->exponent, sizeof(jwk->exponent), &e_len) || e_len == 0
        || jwk->exponent[0] == 0) {
        return fail(WBA_INVALID, why,
                    "e is not base64url, begins with a zero octet, or is "
                    "longer than 8 octets");
    }
    jwk->key.type = WBA_KEY_RSA;
    jwk->key.pub = wba_str(jwk->pub, n_len);
    jwk->key.exponent = wba_str(jwk->exponent, e_len);
    hash_members(members, 3, jwk->thumbprint);
    jwk->key.thumbprint = jwk->thumbprint;

    if (bits(jwk->pub, n_len) < RSA_MIN_BITS) {
        return fail(WBA_INVALID, why, "n is shorter than 2048 bits");
    }
    /* An even modulus or exponent, or the exponent 1, is no RSA key. */
    if (!(jwk->pub[n_len - 1] & 1) || !(jwk->exponent[e_len - 1] & 1)
        || (e_len == 1 && jwk->exponent[0] == 1)) {
        return fail(WBA_INVALID, why, "n or e is even, or e is 1");
    }
    return WBA_OK;
}

static wba_status_t
read_public(const json_t *json, wba_jwk_t *jwk, const char **why)
{
    wba_str_t kty = member(json, "kty");

    if (kty.data == NULL) {
        return fail(WBA_INVALID, why, "kty is missing or no string");
    }
    if (wba_str_eq(kty, WBA_STR("OKP"))) {
        return read_okp(json, jwk, why);
    }
    if (wba_str_eq(kty, WBA_STR("EC"))) {
        return read_ec(json, jwk, why);
    }
    if (wba_str_eq(kty, WBA_STR("RSA"))) {
        return read_rsa(json, jwk, why);
    }
    return fail(WBA_UNSUPPORTED, why, "kty is not OKP, EC or RSA");
}

static bool
has_private_member(const json_t *json)
{
    static const char *const names[] = { "d",  "p",  "q",   "dp",
                                         "dq", "qi", "oth", "k" };
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (json_object_get(json, names[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static wba_status_t
read_use(const json_t *json, const char **why)
{
    const json_t *use = json_object_get(json, "use");
    const json_t *ops = json_object_get(json, "key_ops");
    size_t i;

    if (use != NULL && !json_is_string(use)) {
        return fail(WBA_INVALID, why, "use is no string");
    }
    if (use != NULL && !wba_str_eq(json_view(use), WBA_STR("sig"))) {
        return fail(WBA_UNSUPPORTED, why, "use is not sig");
    }
    if (ops == NULL) {
        return WBA_OK;
    }
    if (!json_is_array(ops)) {
        return fail(WBA_INVALID, why, "key_ops is no array");
    }
    for (i = 0; i < json_array_size(ops); i++) {
        if (wba_str_eq(json_view(json_array_get(ops, i)), WBA_STR("verify"))) {
            return WBA_OK;
        }
    }
    return fail(WBA_UNSUPPORTED, why, "key_ops does not hold verify");
}

static wba_status_t
read_alg(const json_t *json, wba_key_t *key, const char **why)
{
    const json_t *alg = json_object_get(json, "alg");
    unsigned named;

    key->algs = type_algs[key->type];
    if (alg == NULL) {
        return WBA_OK;
    }
    if (!json_is_string(alg)) {
        return fail(WBA_INVALID, why, "alg is no string");
    }
    named = (unsigned) wba_alg_by_name(json_view(alg));
    if (named == WBA_ALG_NONE) {
        return fail(WBA_UNSUPPORTED, why, "alg is not one that is served");
    }
    key->algs &= named;
    if (key->algs == 0) {
        return fail(WBA_INVALID, why, "alg does not agree with kty and crv");
    }
    return WBA_OK;
}

/* A JSON number that is an integer, however it is written. */
static bool
read_integer(const json_t *json, int64_t *value)
{
    double real;

    if (json_is_integer(json)) {
        *value = json_integer_value(json);
        return true;
    }
    real = json_real_value(json); /* 0 for what is no real */
    if (!json_is_real(json) || !(real >= 0 && real < 0x1p63)) {
        return false;
    }
    *value = (int64_t) real;
    return (double) *value == real;
}

static wba_status_t
read_time(const json_t *json, int64_t *seconds)
{
    *seconds = 0;
    if (json == NULL) {
        return WBA_OK;
    }
    if (!read_integer(json, seconds) || *seconds < 0) {
        return WBA_INVALID;
    }
    if (*seconds >= MILLISECONDS_FROM) {
        *seconds /= 1000;
    }
    return WBA_OK;
}

static wba_status_t
read_validity(const json_t *json, wba_key_t *key, const char **why)
{
    const json_t *exp = json_object_get(json, "exp");

    if (read_time(json_object_get(json, "nbf"), &key->nbf) != WBA_OK) {
        return fail(WBA_INVALID, why, "nbf is no time");
    }
    if (read_time(exp, &key->exp) != WBA_OK) {
        return fail(WBA_INVALID, why, "exp is no time");
    }
    if (exp != NULL && key->exp == 0) {
        key->exp = 1; /* long expired, whereas 0 would mean never */
    }
    return WBA_OK;
}

/* A kid only names the key, as its thumbprint also does: one that cannot be
 * used costs itself and not the key. */
static const char *
read_kid(const json_t *json, wba_jwk_t *jwk)
{
    const json_t *value = json_object_get(json, "kid");
    wba_str_t kid = json_view(value);

    if (value == NULL) {
        return "";
    }
    if (kid.data == NULL) {
        return "kid is no string; dropped";
    }
    if (kid.len == 0) {
        return "kid is empty; dropped";
    }
    if (kid.len > sizeof(jwk->kid)) {
        return "kid is too long; dropped";
    }
    memcpy(jwk->kid, kid.data, kid.len);
    jwk->key.kid = wba_str(jwk->kid, kid.len);
    jwk->has_kid = true;
    return "";
}

wba_status_t
wba_jwk_parse(const json_t *json, wba_jwk_t *jwk, bool *alert,
              const char **why)
{
    wba_status_t rc;

    memset(jwk, 0, sizeof(*jwk));
    *alert = false;
    *why = "";
    if (!json_is_object(json)) {
        return fail(WBA_INVALID, why, "not an object");
    }
    rc = read_public(json, jwk, why);
    if (has_private_member(json)) {
        *alert = true;
        return fail(WBA_INVALID, why, "private key material is published");
    }
    if (rc != WBA_OK || (rc = read_use(json, why)) != WBA_OK
        || (rc = read_alg(json, &jwk->key, why)) != WBA_OK
        || (rc = read_validity(json, &jwk->key, why)) != WBA_OK) {
        return rc;
    }
    *why = read_kid(json, jwk);
    return WBA_OK;
}

bool
wba_jwk_is_test_key(const uint8_t thumbprint[WBA_THUMBPRINT_SIZE])
{
    static const char *const known[] = {
        "poqkLGiymh_W0uP6PZFw-dvez3QJT5SolqXBCW38r0U", /* ed25519 */
        "oD0HwocPBSfpNy5W3bpJeyFGY_IQ_YpqxSjQ3Yd-CLA", /* rsa-pss */
        "BHj8s0GPnMEQtkaULIM-PLgEhLBbuGUQ1vMxmBWZzEo", /* rsa */
        "ydQXMtvbsOsZyFir-Y7A8t7fKEM1gbKPvyFkdpu4fvI", /* ecc-p256 */
    };
    uint8_t text[WBA_THUMBPRINT_TEXT_SIZE];
    size_t i;

    wba_thumbprint_text(thumbprint, text);
    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (memcmp(known[i], text, sizeof(text)) == 0) {
            return true;
        }
    }
    return false;
}

void
wba_jwk_thumbprint_ed25519(const uint8_t x[32],
                           uint8_t out[WBA_THUMBPRINT_SIZE])
{
    uint8_t text[WBA_THUMBPRINT_TEXT_SIZE]; /* also 32 octets in base64url */
    required_t members[] = { { "crv", WBA_STR("Ed25519") },
                             { "kty", WBA_STR("OKP") },
                             { "x", wba_str(text, sizeof(text)) } };

    wba_thumbprint_text(x, text);
    hash_members(members, 3, out);
}
