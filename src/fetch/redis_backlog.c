/* SPDX-License-Identifier: BSD-2-Clause */
/* A queue of nonces that grows by doubling, and is given back when empty. */
#include "redis_private.h"

#include <stdlib.h>

#define FIRST 64

/* Room for one more behind the last. */
static bool
reserve(wba_redis_backlog_t *b)
{
    wba_redis_entry_t *entries;
    unsigned cap;

    if (b->head + b->count < b->cap) {
        return true;
    }
    if (b->head > b->cap / 2) {
        memmove(b->entries, b->entries + b->head,
                b->count * sizeof(*b->entries));
        b->head = 0;
        return true;
    }
    cap = b->cap == 0 ? FIRST : b->cap * 2;
    if (cap < b->cap) {
        return false;
    }
    entries = realloc(b->entries, (size_t) cap * sizeof(*entries));
    if (entries == NULL) {
        return false;
    }
    b->entries = entries;
    b->cap = cap;
    return true;
}

bool
wba_redis_backlog_add(wba_redis_backlog_t *b, const wba_redis_entry_t *entry)
{
    if (b->count >= b->max || !reserve(b)) {
        return false;
    }
    b->entries[b->head + b->count++] = *entry;
    return true;
}

const wba_redis_entry_t *
wba_redis_backlog_send(wba_redis_backlog_t *b)
{
    return b->sent < b->count ? &b->entries[b->head + b->sent++] : NULL;
}

static void
pop(wba_redis_backlog_t *b)
{
    b->head++;
    if (--b->count == 0) {
        wba_redis_backlog_clear(b);
    }
}

void
wba_redis_backlog_arrived(wba_redis_backlog_t *b)
{
    if (b->sent > 0) {
        b->sent--;
        pop(b);
    }
}

void
wba_redis_backlog_trim(wba_redis_backlog_t *b, int64_t now)
{
    while (b->sent == 0 && b->count > 0 && b->entries[b->head].until <= now) {
        pop(b);
    }
}

void
wba_redis_backlog_clear(wba_redis_backlog_t *b)
{
    unsigned max = b->max;

    free(b->entries);
    memset(b, 0, sizeof(*b));
    b->max = max;
}
