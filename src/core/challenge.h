/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nonces that a server hands out and recognises when they come back, without
 * remembering any: each holds its own end and a keyed hash over itself and
 * the authority that it was made for.  That one is used once only is the nonce
 * store's business.
 */
#ifndef WBA_CHALLENGE_H
#define WBA_CHALLENGE_H

#include "reason.h"

/* Seconds that a client has to sign and come back.  Less than the eight
 * minutes that tap lets a signature live, so a client that signs at once is
 * never late. */
#define WBA_CHALLENGE_LIFETIME 300

#define WBA_CHALLENGE_KEY_SIZE 32
#define WBA_CHALLENGE_RANDOM_SIZE 20

/* Characters of a nonce, all of base64url. */
#define WBA_CHALLENGE_SIZE 60

typedef struct {
    uint8_t bytes[WBA_CHALLENGE_KEY_SIZE];
} wba_challenge_key_t;

/* A key from a secret of 16 to 64 bytes that may serve other purposes. */
void wba_challenge_derive(wba_challenge_key_t *key, const void *secret,
                          size_t len);

/* A nonce for authority (in @authority's form), good from now (seconds since
 * the epoch) for WBA_CHALLENGE_LIFETIME.  random: fresh for each. */
void wba_challenge_make(const wba_challenge_key_t *key, wba_str_t authority,
                        int64_t now,
                        const uint8_t random[WBA_CHALLENGE_RANDOM_SIZE],
                        uint8_t out[WBA_CHALLENGE_SIZE]);

/*
 * Whether nonce was made with key for authority and has not ended.  OK,
 * NONCE_MISSING (empty), NONCE_NOT_CHALLENGED (not made so; compared in
 * constant time), CHALLENGE_EXPIRED (now is its end, or lies before it was
 * made by more than workers' clocks differ).
 */
wba_reason_t wba_challenge_check(const wba_challenge_key_t *key,
                                 wba_str_t authority, wba_str_t nonce,
                                 int64_t now);

/* The second at which a nonce ends that wba_challenge_check has found to be OK;
 * 0 for what is no such nonce. */
int64_t wba_challenge_end(wba_str_t nonce);

#endif
