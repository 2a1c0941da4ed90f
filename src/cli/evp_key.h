/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RSA and P-256 private keys of libcrypto: made, read of a JWK's members (RFC
 * 7518 section 6), written as such, and signing.  Everything goes by way of
 * their DER (RFC 8017 appendix A.1.2, RFC 5915), which OpenSSL 1.1 and 3 both
 * take and give, so that no function is used which either of them lacks.
 */
#ifndef WBA_CLI_EVP_KEY_H
#define WBA_CLI_EVP_KEY_H

#include <jansson.h>
#include <openssl/evp.h>

#include "crypto.h"
#include "mem.h"

/* Bits of a new RSA key: what module and field ask at least. */
#define EVP_KEY_RSA_BITS 2048

/* Bytes of a signature: RSA of 8,192 bits, the most that is verified. */
#define EVP_KEY_SIGNATURE 1024

/* A new key, for EVP_PKEY_free; NULL: no memory, or no randomness. */
EVP_PKEY *evp_key_new(wba_key_type_t type);

/* The key of a private JWK, for EVP_PKEY_free; that its public members belong
 * to the private ones is not looked at.  NULL: *why says what is wrong. */
EVP_PKEY *evp_key_read(wba_key_type_t type, const json_t *jwk,
                       const char **why);

/* Adds the key's members, the private ones too, to a JWK.  False: no memory. */
bool evp_key_members(wba_key_type_t type, EVP_PKEY *key, json_t *jwk);

/*
 * Signs as wba_crypto_verify verifies: P-256 as r then s, 64 octets; RSA-PSS
 * with MGF1 of the same hash and a salt as long as that.  out has room for
 * EVP_KEY_SIGNATURE bytes, *len is what it holds.  False: libcrypto failed.
 */
bool evp_key_sign(EVP_PKEY *key, wba_alg_t alg, wba_str_t base, uint8_t *out,
                  size_t *len);

/* For advice alone, on signatures in forms that wba_crypto_verify refuses: */

/* An ECDSA signature in DER as r then s, 64 octets.  False: it is none. */
bool evp_key_from_der(const uint8_t *der, size_t len, uint8_t out[64]);

/* Whether an RSA key verifies it as RSA-PSS with a salt of any length, or as
 * RSASSA-PKCS1-v1_5, with that hash. */
bool evp_key_verify_form(const wba_key_t *key, bool pss, bool sha512,
                         wba_str_t signature, wba_str_t base);

#endif
