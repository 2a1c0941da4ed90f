/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One JSON Web Key (RFC 7517, 7518, 8037) to a public key, its thumbprint
 * (RFC 7638) and its validity.  Rules: PROTOCOL section 6.
 */
#ifndef WBA_JWK_H
#define WBA_JWK_H

#include <jansson.h>

#include "crypto.h"
#include "wba_limits.h"

/* A parsed key with the bytes that its views show, hence not to be copied by
 * assignment. */
typedef struct {
    wba_key_t key;
    uint8_t thumbprint[WBA_THUMBPRINT_SIZE];
    uint8_t pub[1024];    /* RSA of 8,192 bits */
    uint8_t exponent[8];
    uint8_t kid[WBA_MAX_KID];
    bool has_kid;
} wba_jwk_t;

/*
 * Reads one JWK; json is borrowed.  WBA_OK: jwk->key is usable.
 * WBA_UNSUPPORTED: of a type, curve or algorithm, or for a use, that does not
 * concern us (skip it).  WBA_INVALID: malformed.  *why says what, in a static
 * string; with WBA_OK it is "", or says why a kid was dropped.  A private
 * member (d p q dp dq qi oth k) gives WBA_INVALID with *alert set, whatever
 * else is wrong.  The thumbprint is set whenever the public part was readable
 * (jwk->key.thumbprint is NULL otherwise).  Whether an EC point lies on its
 * curve is not looked at: no signature verifies with one that does not.  An
 * exp of 0 becomes 1, as 0 means none.
 */
wba_status_t wba_jwk_parse(const json_t *json, wba_jwk_t *jwk, bool *alert,
                           const char **why);

/* Whether the thumbprint is one of the RFC 9421 test keys. */
bool wba_jwk_is_test_key(const uint8_t thumbprint[WBA_THUMBPRINT_SIZE]);

/* The thumbprint of an Ed25519 public key of 32 bytes. */
void wba_jwk_thumbprint_ed25519(const uint8_t x[32],
                                uint8_t out[WBA_THUMBPRINT_SIZE]);

#endif
