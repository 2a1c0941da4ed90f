/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of the nonce table share: nonces by number, tables by size.
 * To be included after cmocka.h. */
#ifndef REPLAY_FIXTURE_H
#define REPLAY_FIXTURE_H

#include "wba_limits.h"
#include "replay.h"

#include <stdlib.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const uint8_t secret[] = "0123456789abcdef"; /* 16 bytes, and a NUL */
static const wba_clock_t start = { 1000000, 500 };

/* A nonce that an id names; every 16 share a key. */
typedef struct {
    uint8_t thumbprint[WBA_THUMBPRINT_SIZE];
    uint8_t text[16];
} name_t;

static inline wba_nonce_t
named(name_t *name, uint32_t id, int64_t created, int64_t until)
{
    wba_nonce_t nonce;

    memset(name, 0, sizeof(*name));
    memcpy(name->thumbprint, &(uint32_t) { id % 16 }, 4);
    memcpy(name->text + 3, &id, 4);
    nonce.thumbprint = name->thumbprint;
    nonce.nonce = wba_str(name->text, sizeof(name->text));
    nonce.created = created;
    nonce.until = until;
    return nonce;
}

/* Bytes of a table of so many buckets in one partition. */
static inline size_t
bytes_for(size_t buckets)
{
    return wba_replay_size(buckets * 12);
}

static inline wba_replay_t *
table_new(size_t size, bool warm)
{
    void *region = aligned_alloc(64, (size + 63) / 64 * 64);
    wba_replay_t *table;

    assert_non_null(region);
    memset(region, 0xa5, size);
    table = wba_replay_init(region, size, secret, &start, warm);
    assert_ptr_equal(table, region);
    return table;
}

#endif
