/* SPDX-License-Identifier: BSD-2-Clause */
/* Nonces as the store has them. */
#include "redis_private.h"

#include <sodium.h>

void
wba_redis_entry(const wba_nonce_t *nonce, wba_redis_entry_t *entry)
{
    crypto_hash_sha256_state state;

    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, nonce->thumbprint, WBA_THUMBPRINT_SIZE);
    crypto_hash_sha256_update(&state, nonce->nonce.data, nonce->nonce.len);
    crypto_hash_sha256_final(&state, entry->key);
    entry->until = nonce->until;
}

unsigned
wba_redis_entries(const wba_nonce_t *nonces, size_t n,
                  wba_redis_entry_t *entries)
{
    wba_redis_entry_t entry;
    unsigned at, count = 0;
    size_t i;
    int order;

    for (i = 0; i < n; i++) {
        wba_redis_entry(&nonces[i], &entry);
        order = 1;
        for (at = count; at > 0; at--) {
            order = memcmp(entry.key, entries[at - 1].key, WBA_REDIS_KEY);
            if (order >= 0) {
                break;
            }
        }
        if (at > 0 && order == 0) {
            if (entries[at - 1].until < entry.until) {
                entries[at - 1].until = entry.until;
            }
            continue;
        }
        memmove(&entries[at + 1], &entries[at], (count - at) * sizeof(entry));
        entries[at] = entry;
        count++;
    }
    return count;
}

int64_t
wba_redis_least_created(const wba_nonce_t *nonces, size_t n)
{
    int64_t least = nonces[0].created;
    size_t i;

    for (i = 1; i < n; i++) {
        if (nonces[i].created < least) {
            least = nonces[i].created;
        }
    }
    return least;
}
