/* SPDX-License-Identifier: BSD-2-Clause */
#include "verdict_cache.h"

#include <sodium.h>

#define WAYS 8 /* entries of a set; the oldest of them makes room */

/* A hash of all zeros does not occur, so an empty place needs no mark. */
typedef struct {
    uint8_t id[WAYS][WBA_VERDICT_ID];
    uint64_t next; /* the place to write to, modulo WAYS */
} set_t;

struct wba_verdict_cache_s {
    uint64_t sets; /* a power of two */
    uint8_t secret[WBA_VERDICT_SECRET];
    set_t set[];
};

/* Sets at most: half a gigabyte, where nobody wants to go. */
#define MAX_SETS ((size_t) 1 << 21)

size_t
wba_verdict_cache_size(size_t entries)
{
    size_t sets = 1;

    if (entries > MAX_SETS * WAYS) {
        return SIZE_MAX;
    }
    while (sets * WAYS < entries) {
        sets *= 2;
    }
    return sizeof(wba_verdict_cache_t) + sets * sizeof(set_t);
}

wba_verdict_cache_t *
wba_verdict_cache_init(void *region, size_t size,
                       const uint8_t secret[WBA_VERDICT_SECRET])
{
    wba_verdict_cache_t *cache = region;
    size_t sets = 1;

    if (region == NULL || (uintptr_t) region % _Alignof(wba_verdict_cache_t)
        || size < wba_verdict_cache_size(WAYS))
    {
        return NULL;
    }
    while (sets < MAX_SETS && wba_verdict_cache_size(sets * 2 * WAYS) <= size) {
        sets *= 2;
    }
    memset(cache->set, 0, sets * sizeof(set_t));
    memcpy(cache->secret, secret, WBA_VERDICT_SECRET);
    cache->sets = sets;
    return cache;
}

static void
update(crypto_generichash_state *state, wba_str_t s)
{
    (void) crypto_generichash_update(state, s.data, s.len);
}

/* Every part's length comes first, so that no two inputs are one text. */
void
wba_verdict_cache_id(const wba_verdict_cache_t *cache, const wba_key_t *key,
                     wba_alg_t alg, wba_str_t signature, wba_str_t base,
                     uint8_t id[WBA_VERDICT_ID])
{
    const uint64_t head[] = { (uint64_t) alg,    (uint64_t) key->type,
                              key->pub.len,      key->exponent.len,
                              signature.len,     base.len };
    crypto_generichash_state state;

    (void) crypto_generichash_init(&state, cache->secret, WBA_VERDICT_SECRET,
                                   WBA_VERDICT_ID);
    update(&state, wba_str(head, sizeof(head)));
    update(&state, key->pub);
    update(&state, key->exponent);
    update(&state, signature);
    update(&state, base);
    (void) crypto_generichash_final(&state, id, WBA_VERDICT_ID);
}

static size_t
set_of(const wba_verdict_cache_t *cache, const uint8_t *id)
{
    uint64_t place;

    memcpy(&place, id, sizeof(place));
    return (size_t) (place & (cache->sets - 1));
}

bool
wba_verdict_cache_has(const wba_verdict_cache_t *cache,
                      const uint8_t id[WBA_VERDICT_ID])
{
    const set_t *set = &cache->set[set_of(cache, id)];
    size_t i;

    for (i = 0; i < WAYS; i++) {
        if (memcmp(set->id[i], id, WBA_VERDICT_ID) == 0) {
            return true;
        }
    }
    return false;
}

void
wba_verdict_cache_add(wba_verdict_cache_t *cache,
                      const uint8_t id[WBA_VERDICT_ID])
{
    set_t *set = &cache->set[set_of(cache, id)];

    if (!wba_verdict_cache_has(cache, id)) {
        memcpy(set->id[set->next++ % WAYS], id, WBA_VERDICT_ID);
    }
}

size_t
wba_verdict_cache_capacity(const wba_verdict_cache_t *cache)
{
    return (size_t) cache->sets * WAYS;
}
