/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which signatures the crypto has found good: a table of fixed size over
 * memory of the caller's, for one thread of one process.
 *
 * What is remembered is a keyed hash of everything that the crypto was given,
 * so an answer holds for the very same algorithm, key, signature and base and
 * for nothing else.  It says nothing of times, policy or whether the key still
 * counts: the caller asks only once all that stands.  Only good signatures are
 * remembered, so nobody without a key can fill the table, or learn from it
 * whether something is in it but by time.  When a place is taken, the oldest
 * of its set makes room: to forget costs one verification.
 */
#ifndef WBA_VERDICT_CACHE_H
#define WBA_VERDICT_CACHE_H

#include "crypto.h"

typedef struct wba_verdict_cache_s wba_verdict_cache_t;

/* 256 bits of BLAKE2b: all of them are compared. */
#define WBA_VERDICT_ID 32
#define WBA_VERDICT_SECRET 32

/* Bytes that a cache of so many entries takes (rounded up to a power of two,
 * at least 8); SIZE_MAX: more than there can be. */
size_t wba_verdict_cache_size(size_t entries);

/* Makes an empty cache of as many entries as region (aligned to 8 bytes) has
 * room for.  secret keys the hash: random, of this process alone.  NULL:
 * region is not aligned or too small for 8 entries. */
wba_verdict_cache_t *
wba_verdict_cache_init(void *region, size_t size,
                       const uint8_t secret[WBA_VERDICT_SECRET]);

/* The name under which the crypto's answer is remembered. */
void wba_verdict_cache_id(const wba_verdict_cache_t *cache,
                          const wba_key_t *key, wba_alg_t alg,
                          wba_str_t signature, wba_str_t base,
                          uint8_t id[WBA_VERDICT_ID]);

/* Whether wba_crypto_verify has said WBA_OK, and it is still remembered. */
bool wba_verdict_cache_has(const wba_verdict_cache_t *cache,
                           const uint8_t id[WBA_VERDICT_ID]);

/* wba_crypto_verify has said WBA_OK. */
void wba_verdict_cache_add(wba_verdict_cache_t *cache,
                           const uint8_t id[WBA_VERDICT_ID]);

/* The number of entries there is room for. */
size_t wba_verdict_cache_capacity(const wba_verdict_cache_t *cache);

#endif
