/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys and signature verification: Ed25519 through libsodium, ECDSA P-256 and
 * RSA-PSS through libcrypto (crypto_evp.c).
 */
#ifndef WBA_CRYPTO_H
#define WBA_CRYPTO_H

#include "str.h"

#define WBA_THUMBPRINT_SIZE 32      /* SHA-256 (RFC 7638) */
#define WBA_THUMBPRINT_TEXT_SIZE 43 /* base64url, unpadded */

/* One bit each, so that a set of them is a mask. */
typedef enum {
    WBA_ALG_NONE = 0,
    WBA_ALG_ED25519 = 1,
    WBA_ALG_ECDSA_P256_SHA256 = 2,
    WBA_ALG_RSA_PSS_SHA512 = 4,
    WBA_ALG_RSA_PSS_SHA256 = 8
} wba_alg_t;

#define WBA_ALG_ALL                                                   \
    (WBA_ALG_ED25519 | WBA_ALG_ECDSA_P256_SHA256                      \
     | WBA_ALG_RSA_PSS_SHA512 | WBA_ALG_RSA_PSS_SHA256)

typedef enum {
    WBA_KEY_ED25519 = 1,
    WBA_KEY_P256,
    WBA_KEY_RSA
} wba_key_type_t;

/* A public key: views into the key set that holds it. */
typedef struct {
    wba_key_type_t type;
    unsigned algs; /* mask of wba_alg_t this key may be used with */
    int64_t nbf;   /* seconds since the epoch; 0: none */
    int64_t exp;   /* seconds since the epoch; 0: none */
    const uint8_t *thumbprint; /* WBA_THUMBPRINT_SIZE bytes */
    wba_str_t kid;             /* empty: none that counts */
    wba_str_t pub;             /* Ed25519: 32 bytes; P-256: x and y, 64 bytes;
                                  RSA: the modulus, big-endian */
    wba_str_t exponent;        /* RSA only */
} wba_key_t;

/* Once per process, before anything else of core: initialises libsodium.
 * WBA_OK or WBA_UNSUPPORTED (libsodium did not start). */
wba_status_t wba_crypto_init(void);

/* Before processes are forked that shall survive a lack of memory: makes what
 * libcrypto makes once, of what verifying and TLS need.  WBA_OK or
 * WBA_NO_MEMORY: this process, and its children, may lack some algorithm for
 * good. */
wba_status_t wba_crypto_prefetch(void);

/* The algorithm of a name, whether RFC 9421's (ed25519), JOSE's (EdDSA,
 * Ed25519, ES256, PS256, PS512) or TAP's (rsa-pss-sha256); WBA_ALG_NONE for
 * any other, HMAC among them. */
wba_alg_t wba_alg_by_name(wba_str_t name);

/* RFC 9421's name; "none" for WBA_ALG_NONE. */
const char *wba_alg_name(wba_alg_t alg);

/* The algorithms (mask) this build can verify with. */
unsigned wba_alg_supported(void);

/*
 * Whether signature is a signature by key over base.  WBA_OK: it is.
 * WBA_INVALID: it is not, or is not encoded as alg wants (PROTOCOL section 4):
 *   ed25519            64 octets, RFC 8032 with libsodium's rejection of
 *                      small-order points and non-canonical encodings
 *   ecdsa-p256-sha256  64 octets, r then s, big-endian; not DER
 *   rsa-pss-*          as many octets as the modulus; MGF1 with the same hash;
 *                      a salt of 64 octets (sha512), of any length (sha256)
 * WBA_UNSUPPORTED: alg is not this key's, or not built in.  WBA_NO_MEMORY:
 * it could not be told.  Looks at neither validity nor policy.
 */
wba_status_t wba_crypto_verify(const wba_key_t *key, wba_alg_t alg,
                               wba_str_t signature, wba_str_t base);

/* base64url without padding: writes WBA_THUMBPRINT_TEXT_SIZE bytes. */
void wba_thumbprint_text(const uint8_t thumbprint[WBA_THUMBPRINT_SIZE],
                         uint8_t out[WBA_THUMBPRINT_TEXT_SIZE]);

#endif
