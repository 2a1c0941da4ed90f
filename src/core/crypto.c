/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of algorithms: how each is named, which keys it takes, and the
 * function that verifies with it (none where this build cannot).
 */
#include "crypto_evp.h"

#include <sodium.h>

typedef wba_status_t (*verify_pt)(const wba_key_t *key, wba_str_t signature,
                                  wba_str_t base);

typedef struct {
    wba_alg_t alg;
    wba_key_type_t type;
    const char *name; /* RFC 9421's, or TAP's where that has none */
    verify_pt verify; /* NULL: named and parsed, but not built in */
} alg_row_t;

static wba_status_t
verify_ed25519(const wba_key_t *key, wba_str_t signature, wba_str_t base)
{
    const uint8_t *message = base.len ? base.data : (const uint8_t *) "";

    if (signature.len != crypto_sign_BYTES
        || key->pub.len != crypto_sign_PUBLICKEYBYTES) {
        return WBA_INVALID;
    }
    if (crypto_sign_verify_detached(signature.data, message, base.len,
                                    key->pub.data) != 0) {
        return WBA_INVALID;
    }
    return WBA_OK;
}

static const alg_row_t algs[] = {
    { WBA_ALG_ED25519, WBA_KEY_ED25519, "ed25519", verify_ed25519 },
    { WBA_ALG_ECDSA_P256_SHA256, WBA_KEY_P256, "ecdsa-p256-sha256",
      wba_evp_verify_p256 },
    { WBA_ALG_RSA_PSS_SHA512, WBA_KEY_RSA, "rsa-pss-sha512",
      wba_evp_verify_pss_sha512 },
    { WBA_ALG_RSA_PSS_SHA256, WBA_KEY_RSA, "rsa-pss-sha256",
      wba_evp_verify_pss_sha256 },
};

#define ALGS (sizeof(algs) / sizeof(algs[0]))

/* JOSE's names (RFC 7518, RFC 8037, RFC 9864). */
static const struct {
    wba_str_t name;
    wba_alg_t alg;
} aliases[] = {
    { { 7, (const uint8_t *) "Ed25519" }, WBA_ALG_ED25519 },
    { { 5, (const uint8_t *) "EdDSA" }, WBA_ALG_ED25519 },
    { { 5, (const uint8_t *) "ES256" }, WBA_ALG_ECDSA_P256_SHA256 },
    { { 5, (const uint8_t *) "PS512" }, WBA_ALG_RSA_PSS_SHA512 },
    { { 5, (const uint8_t *) "PS256" }, WBA_ALG_RSA_PSS_SHA256 },
};

static const alg_row_t *
alg_row(wba_alg_t alg)
{
    size_t i;

    for (i = 0; i < ALGS; i++) {
        if (algs[i].alg == alg) {
            return &algs[i];
        }
    }
    return NULL;
}

wba_status_t
wba_crypto_init(void)
{
    return sodium_init() < 0 ? WBA_UNSUPPORTED : WBA_OK;
}

wba_alg_t
wba_alg_by_name(wba_str_t name)
{
    size_t i;

    for (i = 0; i < ALGS; i++) {
        if (wba_str_eq(name, wba_str_z(algs[i].name))) {
            return algs[i].alg;
        }
    }
    for (i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
        if (wba_str_eq(name, aliases[i].name)) {
            return aliases[i].alg;
        }
    }
    return WBA_ALG_NONE;
}

const char *
wba_alg_name(wba_alg_t alg)
{
    const alg_row_t *row = alg_row(alg);

    return row == NULL ? "none" : row->name;
}

unsigned
wba_alg_supported(void)
{
    unsigned mask = 0;
    size_t i;

    for (i = 0; i < ALGS; i++) {
        if (algs[i].verify != NULL) {
            mask |= (unsigned) algs[i].alg;
        }
    }
    return mask;
}

wba_status_t
wba_crypto_verify(const wba_key_t *key, wba_alg_t alg, wba_str_t signature,
                  wba_str_t base)
{
    const alg_row_t *row = alg_row(alg);

    if (row == NULL || row->type != key->type
        || (key->algs & (unsigned) alg) == 0 || row->verify == NULL) {
        return WBA_UNSUPPORTED;
    }
    return row->verify(key, signature, base);
}

/* By hand and not by libsodium: this runs in every key lookup, and the
 * constant time that libsodium buys is of no use for a public value. */
void
wba_thumbprint_text(const uint8_t thumbprint[WBA_THUMBPRINT_SIZE],
                    uint8_t out[WBA_THUMBPRINT_TEXT_SIZE])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789-_";
    const uint8_t *in = thumbprint;
    const uint8_t *last = thumbprint + WBA_THUMBPRINT_SIZE - 2;
    uint32_t v;

    for (; in < last; in += 3) {
        v = (uint32_t) in[0] << 16 | (uint32_t) in[1] << 8 | in[2];
        *out++ = (uint8_t) digits[v >> 18];
        *out++ = (uint8_t) digits[v >> 12 & 63];
        *out++ = (uint8_t) digits[v >> 6 & 63];
        *out++ = (uint8_t) digits[v & 63];
    }
    v = (uint32_t) in[0] << 16 | (uint32_t) in[1] << 8;
    *out++ = (uint8_t) digits[v >> 18];
    *out++ = (uint8_t) digits[v >> 12 & 63];
    *out = (uint8_t) digits[v >> 6 & 63];
}
