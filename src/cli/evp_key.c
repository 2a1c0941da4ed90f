/* SPDX-License-Identifier: BSD-2-Clause */
#include "evp_key.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <sodium.h>

#define P256_OCTETS 32

/* An RSA key of 8,192 bits: n and d of 1,024 octets, five numbers of half of
 * that, e, and what DER puts around them. */
#define DER_MAX 5120
#define NUMBER_MAX 1024

#define DER_INTEGER 0x02
#define DER_BITS 0x03
#define DER_OCTETS 0x04
#define DER_SEQUENCE 0x30
#define DER_PARAMETERS 0xa0
#define DER_PUBLIC 0xa1

/* An RSAPrivateKey's numbers behind its version, by their names in a JWK. */
static const char *const rsa_members[] = { "n",  "e",  "d",  "p",
                                           "q",  "dp", "dq", "qi" };
#define RSA_MEMBERS (sizeof(rsa_members) / sizeof(rsa_members[0]))

/* An ECPrivateKey of P-256 before its 32 octets and behind them; the public
 * point is left out, so that it is computed. */
static const uint8_t p256_before[] = { 0x30, 0x31, 0x02, 0x01,
                                       0x01, 0x04, 0x20 };
static const uint8_t p256_behind[] = { 0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                       0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };

/* ---- DER */

/* A length of up to three octets. */
static void
put_length(wba_buf_t *out, size_t len)
{
    if (len >= 256) {
        wba_buf_byte(out, 0x82);
        wba_buf_byte(out, (uint8_t) (len >> 8));
    } else if (len >= 128) {
        wba_buf_byte(out, 0x81);
    }
    wba_buf_byte(out, (uint8_t) len);
}

static void
put_number(wba_buf_t *out, const uint8_t *octets, size_t len)
{
    bool pad;

    while (len > 1 && octets[0] == 0) {
        octets++;
        len--;
    }
    pad = octets[0] & 0x80;
    wba_buf_byte(out, DER_INTEGER);
    put_length(out, len + pad);
    if (pad) {
        wba_buf_byte(out, 0);
    }
    wba_buf_add(out, octets, len);
}

/* Takes one element with this tag off in; its content.  data NULL: there is
 * none, or it is longer than what is left. */
static wba_str_t
take(wba_str_t *in, uint8_t tag)
{
    size_t head = 2, len, octets;
    wba_str_t content;

    if (in->len < 2 || in->data[0] != tag) {
        return WBA_STR_NONE;
    }
    len = in->data[1];
    if (len & 0x80) {
        octets = len & 0x7f;
        if (octets > 2 || in->len < head + octets) {
            return WBA_STR_NONE;
        }
        for (len = 0; octets > 0; octets--) {
            len = len << 8 | in->data[head++];
        }
    }
    if (len > in->len - head) {
        return WBA_STR_NONE;
    }
    content = wba_str(in->data + head, len);
    *in = wba_str(in->data + head + len, in->len - head - len);
    return content;
}

/* ---- members of a JWK */

static bool
get(const json_t *jwk, const char *name, uint8_t *out, size_t max,
    size_t *len)
{
    const char *text = json_string_value(json_object_get(jwk, name));

    return text != NULL
           && sodium_base642bin(out, max, text, strlen(text), NULL, len, NULL,
                                sodium_base64_VARIANT_URLSAFE_NO_PADDING)
                  == 0
           && *len != 0;
}

static bool
set(json_t *jwk, const char *name, wba_str_t octets)
{
    char text[sodium_base64_ENCODED_LEN(
        NUMBER_MAX + 1, sodium_base64_VARIANT_URLSAFE_NO_PADDING)];
    bool ok;

    if (octets.data == NULL || octets.len > NUMBER_MAX + 1) {
        return false;
    }
    (void) sodium_bin2base64(text, sizeof(text), octets.data, octets.len,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    ok = json_object_set_new(jwk, name, json_string(text)) == 0;
    sodium_memzero(text, sizeof(text));
    return ok;
}

/* A DER INTEGER without the octet that keeps it positive. */
static wba_str_t
unsigned_octets(wba_str_t number)
{
    return number.len > 1 && number.data[0] == 0
               ? wba_str(number.data + 1, number.len - 1)
               : number;
}

static bool
rsa_to_jwk(wba_str_t der, json_t *jwk)
{
    wba_str_t in = take(&der, DER_SEQUENCE);
    size_t i;
    bool ok;

    ok = take(&in, DER_INTEGER).data != NULL; /* the version */
    for (i = 0; ok && i < RSA_MEMBERS; i++) {
        ok = set(jwk, rsa_members[i],
                 unsigned_octets(take(&in, DER_INTEGER)));
    }
    return ok;
}

static bool
p256_to_jwk(wba_str_t der, json_t *jwk)
{
    wba_str_t in = take(&der, DER_SEQUENCE), d, bits, point;

    (void) take(&in, DER_INTEGER); /* the version */
    d = take(&in, DER_OCTETS);
    (void) take(&in, DER_PARAMETERS);
    bits = take(&in, DER_PUBLIC);
    point = take(&bits, DER_BITS);
    /* No bit unused, and the point as X9.62 writes it: 4, x, y. */
    if (point.len != 2 + 2 * P256_OCTETS || point.data[0] != 0
        || point.data[1] != 4 || d.len != P256_OCTETS)
    {
        return false;
    }
    return set(jwk, "x", wba_str(point.data + 2, P256_OCTETS))
           && set(jwk, "y",
                  wba_str(point.data + 2 + P256_OCTETS, P256_OCTETS))
           && set(jwk, "d", d);
}

bool
evp_key_members(wba_key_type_t type, EVP_PKEY *key, json_t *jwk)
{
    uint8_t *der = NULL;
    int len = i2d_PrivateKey(key, &der);
    bool ok = false;

    if (len > 0) {
        ok = type == WBA_KEY_RSA
                 ? rsa_to_jwk(wba_str(der, (size_t) len), jwk)
                 : p256_to_jwk(wba_str(der, (size_t) len), jwk);
        sodium_memzero(der, (size_t) len);
    }
    OPENSSL_free(der);
    return ok;
}

/* ---- keys */

EVP_PKEY *
evp_key_new(wba_key_type_t type)
{
    int id = type == WBA_KEY_RSA ? EVP_PKEY_RSA : EVP_PKEY_EC;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(id, NULL);
    EVP_PKEY *key = NULL;

    if (ctx == NULL || EVP_PKEY_keygen_init(ctx) != 1
        || (type == WBA_KEY_RSA
                ? EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, EVP_KEY_RSA_BITS)
                : EVP_PKEY_CTX_set_ec_paramgen_curve_nid(
                    ctx, NID_X9_62_prime256v1))
               != 1
        || EVP_PKEY_keygen(ctx, &key) != 1)
    {
        key = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    return key;
}

/* The RSAPrivateKey of a JWK into der.  False: *why. */
static bool
rsa_der(const json_t *jwk, wba_buf_t *der, const char **why)
{
    uint8_t numbers[DER_MAX], number[NUMBER_MAX];
    wba_buf_t in;
    size_t i, len;
    bool ok = true;

    if (json_object_get(jwk, "oth") != NULL) {
        *why = "a key of more than two primes (\"oth\") is not for signing "
               "with here";
        return false;
    }
    wba_buf_fixed(&in, numbers, sizeof(numbers));
    put_number(&in, (const uint8_t *) "", 1); /* the version, 0 */
    for (i = 0; ok && i < RSA_MEMBERS; i++) {
        ok = get(jwk, rsa_members[i], number, sizeof(number), &len);
        if (ok) {
            put_number(&in, number, len);
        }
    }
    wba_buf_byte(der, DER_SEQUENCE);
    put_length(der, in.len);
    wba_buf_str(der, wba_buf_view(&in));
    sodium_memzero(numbers, sizeof(numbers));
    sodium_memzero(number, sizeof(number));
    *why = "an RSA key must have n, e, d, p, q, dp, dq and qi, of at most "
           "8192 bits, in base64url";
    return ok && in.status == WBA_OK && der->status == WBA_OK;
}

static bool
p256_der(const json_t *jwk, wba_buf_t *der, const char **why)
{
    uint8_t d[P256_OCTETS];
    size_t len = 0;
    bool ok = get(jwk, "d", d, sizeof(d), &len) && len == sizeof(d);

    wba_buf_add(der, p256_before, sizeof(p256_before));
    wba_buf_add(der, d, sizeof(d));
    wba_buf_add(der, p256_behind, sizeof(p256_behind));
    sodium_memzero(d, sizeof(d));
    *why = "\"d\" is not 32 octets in base64url";
    return ok;
}

EVP_PKEY *
evp_key_read(wba_key_type_t type, const json_t *jwk, const char **why)
{
    bool rsa = type == WBA_KEY_RSA;
    uint8_t block[DER_MAX];
    const uint8_t *p = block;
    EVP_PKEY *key = NULL;
    wba_buf_t der;

    wba_buf_fixed(&der, block, sizeof(block));
    if (rsa ? rsa_der(jwk, &der, why) : p256_der(jwk, &der, why)) {
        key = d2i_PrivateKey(rsa ? EVP_PKEY_RSA : EVP_PKEY_EC, NULL, &p,
                             (long) der.len);
        *why = "its private members make no key";
    }
    sodium_memzero(block, sizeof(block));
    return key;
}

/* ---- signing */

/* SEQUENCE { INTEGER r, INTEGER s } to r and s of 32 octets each. */
bool
evp_key_from_der(const uint8_t *der, size_t len, uint8_t out[64])
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long) len);
    bool ok;

    ok = sig != NULL
         && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, P256_OCTETS)
                == P256_OCTETS
         && BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + P256_OCTETS,
                         P256_OCTETS)
                == P256_OCTETS;
    ECDSA_SIG_free(sig);
    return ok;
}

static bool
digest_sign(EVP_PKEY *key, const EVP_MD *md, bool pss, wba_str_t base,
            uint8_t *out, size_t *len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx = NULL; /* ctx's */
    bool ok;

    ok = ctx != NULL && EVP_DigestSignInit(ctx, &pctx, md, NULL, key) == 1;
    if (ok && pss) {
        ok = EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1
             && EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST)
                    == 1
             && EVP_PKEY_CTX_set_rsa_mgf1_md(pctx, md) == 1;
    }
    *len = EVP_KEY_SIGNATURE;
    ok = ok && EVP_DigestSign(ctx, out, len, base.data, base.len) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

bool
evp_key_sign(EVP_PKEY *key, wba_alg_t alg, wba_str_t base, uint8_t *out,
             size_t *len)
{
    uint8_t der[EVP_KEY_SIGNATURE];

    switch (alg) {
    case WBA_ALG_RSA_PSS_SHA512:
        return digest_sign(key, EVP_sha512(), true, base, out, len);
    case WBA_ALG_RSA_PSS_SHA256:
        return digest_sign(key, EVP_sha256(), true, base, out, len);
    case WBA_ALG_ECDSA_P256_SHA256:
        if (!digest_sign(key, EVP_sha256(), false, base, der, len)
            || !evp_key_from_der(der, *len, out))
        {
            return false;
        }
        *len = 2 * P256_OCTETS;
        return true;
    default:
        return false;
    }
}

/* ---- verifying other forms */

static EVP_PKEY *
rsa_public(const wba_key_t *key)
{
    uint8_t numbers[DER_MAX], block[DER_MAX];
    const uint8_t *p = block;
    wba_buf_t in, der;

    wba_buf_fixed(&in, numbers, sizeof(numbers));
    put_number(&in, key->pub.data, key->pub.len);
    put_number(&in, key->exponent.data, key->exponent.len);
    wba_buf_fixed(&der, block, sizeof(block));
    wba_buf_byte(&der, DER_SEQUENCE);
    put_length(&der, in.len);
    wba_buf_str(&der, wba_buf_view(&in));
    return der.status == WBA_OK
               ? d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, (long) der.len)
               : NULL;
}

bool
evp_key_verify_form(const wba_key_t *key, bool pss, bool sha512,
                    wba_str_t signature, wba_str_t base)
{
    const EVP_MD *md = sha512 ? EVP_sha512() : EVP_sha256();
    EVP_PKEY *public = rsa_public(key);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx = NULL; /* ctx's */
    bool ok;

    ok = public != NULL && ctx != NULL
         && EVP_DigestVerifyInit(ctx, &pctx, md, NULL, public) == 1
         && EVP_PKEY_CTX_set_rsa_padding(pctx, pss ? RSA_PKCS1_PSS_PADDING
                                                   : RSA_PKCS1_PADDING)
                == 1
         && (!pss
             || EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_AUTO)
                    == 1)
         && EVP_DigestVerify(ctx, signature.data, signature.len, base.data,
                             base.len)
                == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(public);
    return ok;
}
