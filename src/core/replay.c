/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The nonce table.  A header; then partitions, each a lock of its own; then
 * their buckets, 16 entries each.  A keyed 128-bit hash of (thumbprint, nonce)
 * says where: some bits name the partition and two of its buckets, 64 others
 * are what an entry keeps.  A nonce goes into the emptier of its two buckets
 * and never moves.  There is no list of what is free: an entry whose two
 * times have passed is space.
 *
 * Room.  At 75 % live a record finds no room 8 times in 100 million, in tables
 * of 3,000 to 1,000,000 nonces kept at that fill by expiry (200 million records
 * each; lifetimes equal or spread); at 70 % none did, at 80 % 7 in 100,000.
 *
 * Killed at any instruction.  The locks are robust mutexes: their kernel-held
 * ownership ends with the holder.  The table needs no repair then, because a
 * slot is emptied, filled and published by three stores in this order, and
 * nothing else depends on it.  What a killed process had published of a set
 * stays; nobody was told that it was fresh.
 *
 * Nothing is accepted twice, whatever the clocks do.  The until of a signature
 * is signed.  Each partition keeps the latest until whose slot was given away
 * (forgotten), and accepts nothing that would have to be forgotten already.
 * With steady clocks that never refuses anything; with clocks that disagree
 * between processes, or go back, it is what makes reuse of slots safe, at no
 * cost: it lies in the lock's cache line.  The cold time is about what others
 * may have accepted: before the table began, or by a clock that was wrong.
 */
#include "replay.h"
#include "lock_free.h"
#include "wba_limits.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>

#define WAYS 16  /* two choices of 16 fill to 75 % without moving entries */
#define RATED 12 /* live entries of each 16 at which the table is rated */
#define LINE 64

/* Buckets that a partition has at least, where there are several: a smaller
 * one strays further from the mean fill.  Partitions at most: workers in the
 * hundreds rarely meet in one. */
#define MIN_BUCKETS 512
#define MAX_PARTITIONS 1024

/* Buckets of a partition at most: a choice has 27 bits of hash, which must be
 * many more than it needs.  A terabyte in all. */
#define MAX_BUCKETS (1u << 22)
#define CHOICE_BITS 27

/* Seconds that wall and monotonic clock may drift apart before it is a jump.
 * Both come in whole, cached seconds, so each reading may be one off. */
#define CLOCK_SLACK 2

#define NEVER UINT32_MAX /* an expiry that no clock reaches */

/* A new layout takes a new one; so does a mutex of another size. */
#define MAGIC (UINT64_C(0x7762610100000000) | sizeof(pthread_mutex_t))

typedef struct {
    _Alignas(LINE) pthread_mutex_t lock;
    _Atomic uint32_t forgotten; /* written under the lock, as buckets are */
} partition_t;

typedef struct {
    _Alignas(LINE) _Atomic uint64_t fingerprint[WAYS]; /* 0: empty */
    _Atomic uint32_t wall[WAYS];                       /* dead from then on, */
    _Atomic uint32_t mono[WAYS];                       /* once both passed */
} bucket_t;

struct wba_replay_s {
    /* Never written after init. */
    _Alignas(LINE) _Atomic uint64_t magic;
    uint64_t size;
    uint32_t partitions; /* a power of two */
    uint32_t buckets;    /* of each */
    uint8_t secret[16];
    int64_t wall_base; /* what 0 stands for in an entry */
    int64_t mono_base;

    /* Written at most once a second. */
    _Alignas(LINE) _Atomic int64_t reference; /* wall less monotonic */
    _Atomic int64_t cold;                     /* INT64_MIN: never */
    _Atomic int64_t latest;                   /* wall time anyone told */
    _Atomic uint32_t superseded;
};

typedef struct {
    uint32_t wall;
    uint32_t mono;
} ticks_t;

/* A nonce on its way into the table. */
typedef struct {
    uint64_t fingerprint;
    uint64_t place; /* the other half of the hash */
    uint32_t partition;
    unsigned slot;
    bucket_t *bucket[2];
    unsigned space[2]; /* of each bucket: mask of slots that are free */
    ticks_t until;
    bucket_t *into;
} item_t;

_Static_assert(sizeof(partition_t) == LINE, "a lock is one cache line");
_Static_assert(sizeof(bucket_t) == 16 * WAYS, "an entry is 16 bytes");
_Static_assert(sizeof(struct wba_replay_s) == 2 * LINE, "two lines");
_Static_assert(offsetof(struct wba_replay_s, mono_base) + sizeof(int64_t)
                   == WBA_REPLAY_IDENTITY,
               "what never changes comes first");
_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && WBA_ATOMIC_64_IS_LOCK_FREE,
               "atomics in memory that processes share must be lock-free");

#define LOAD(p) atomic_load_explicit(p, memory_order_relaxed)
#define ACQUIRE(p) atomic_load_explicit(p, memory_order_acquire)
#define RELEASE(p, v) atomic_store_explicit(p, v, memory_order_release)

static int64_t
add(int64_t a, int64_t b)
{
    if (b > 0 ? a > INT64_MAX - b : a < INT64_MIN - b) {
        return b > 0 ? INT64_MAX : INT64_MIN;
    }
    return a + b;
}

static int64_t
sub(int64_t a, int64_t b)
{
    if (b < 0 ? a > INT64_MAX + b : a < INT64_MIN + b) {
        return b < 0 ? INT64_MAX : INT64_MIN;
    }
    return a - b;
}

/* Expiries are clamped to 1 and NEVER, the clock to 0 and below NEVER: neither
 * end of the range lets an entry die early. */
static uint32_t
expiry(int64_t t, int64_t base)
{
    int64_t d = sub(t, base);

    return d < 1 ? 1 : d > NEVER ? NEVER : (uint32_t) d;
}

static ticks_t
ticks(const wba_replay_t *table, const wba_clock_t *now)
{
    int64_t wall = sub(now->wall, table->wall_base);
    int64_t mono = sub(now->monotonic, table->mono_base);
    ticks_t t;

    t.wall = wall < 0 ? 0 : wall >= NEVER ? NEVER - 1 : (uint32_t) wall;
    t.mono = mono < 0 ? 0 : mono >= NEVER ? NEVER - 1 : (uint32_t) mono;
    return t;
}

static void
raise_to(_Atomic int64_t *value, int64_t to)
{
    int64_t old = LOAD(value);

    while (old < to && !atomic_compare_exchange_weak(value, &old, to)) {
        /* old was reloaded */
    }
}

static size_t
buckets_offset(uint32_t partitions)
{
    size_t end = sizeof(wba_replay_t) + partitions * sizeof(partition_t);

    /* No bucket straddles two pages if the region begins at one. */
    return (end + sizeof(bucket_t) - 1) / sizeof(bucket_t) * sizeof(bucket_t);
}

static uint32_t
partitions_for(uint64_t buckets)
{
    uint32_t n = 1;

    while (n < MAX_PARTITIONS && buckets / (2 * n) >= MIN_BUCKETS) {
        n *= 2;
    }
    return n;
}

/* Sets partitions and returns the buckets of each; 0: none fits. */
static uint32_t
layout(size_t size, uint32_t *partitions)
{
    size_t n;

    if (size < buckets_offset(1)) {
        *partitions = 0;
        return 0;
    }
    *partitions = partitions_for(size / sizeof(bucket_t));
    n = (size - buckets_offset(*partitions)) / sizeof(bucket_t) / *partitions;
    return n < MAX_BUCKETS ? (uint32_t) n : MAX_BUCKETS;
}

uint64_t
wba_replay_rated(size_t size)
{
    uint32_t partitions;
    uint64_t buckets = layout(size, &partitions);

    return buckets * partitions * RATED;
}

size_t
wba_replay_size(uint64_t live)
{
    uint64_t need = live == 0 ? 1 : (live - 1) / RATED + 1;
    uint64_t partitions = partitions_for(need);
    uint64_t each = (need - 1) / partitions + 1;
    uint64_t bytes;

    if (each > MAX_BUCKETS) {
        return SIZE_MAX;
    }
    bytes = buckets_offset((uint32_t) partitions)
            + partitions * each * sizeof(bucket_t);
    /* The space of the locks may make the layout choose more partitions, and
     * lose a bucket in each to rounding. */
    while ((size_t) bytes == bytes && wba_replay_rated((size_t) bytes) < live) {
        bytes += partitions * sizeof(bucket_t);
    }
    return (size_t) bytes == bytes ? (size_t) bytes : SIZE_MAX;
}

static partition_t *
partition_at(const wba_replay_t *table, uint32_t i)
{
    return (partition_t *) (uintptr_t) (table + 1) + i;
}

static const bucket_t *
buckets_of(const wba_replay_t *table, uint32_t partition)
{
    const void *first = (const uint8_t *) table
                        + buckets_offset(table->partitions);

    return (const bucket_t *) first + (size_t) partition * table->buckets;
}

bool
wba_replay_renew_locks(wba_replay_t *table)
{
    pthread_mutexattr_t attr;
    uint32_t i;
    bool ok;

    if (pthread_mutexattr_init(&attr) != 0) {
        return false;
    }
    ok = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) == 0
         && pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) == 0;
    for (i = 0; ok && i < table->partitions; i++) {
        ok = pthread_mutex_init(&partition_at(table, i)->lock, &attr) == 0;
    }
    pthread_mutexattr_destroy(&attr);
    return ok;
}

wba_replay_t *
wba_replay_init(void *region, size_t size, const uint8_t secret[16],
                const wba_clock_t *now, bool warm)
{
    wba_replay_t *table = region;
    uint32_t partitions;
    uint32_t buckets = layout(size, &partitions);

    if (buckets == 0 || (uintptr_t) region % LINE != 0) {
        return NULL;
    }
    /* First of all the magic: what is half made cannot be attached. */
    atomic_store(&table->magic, 0);
    memset(region, 0, buckets_offset(partitions)
                      + (size_t) partitions * buckets * sizeof(bucket_t));
    table->size = size;
    table->partitions = partitions;
    table->buckets = buckets;
    memcpy(table->secret, secret, sizeof(table->secret));
    /* Wall clocks may be wrong by decades in either direction. */
    table->wall_base = sub(now->wall, INT64_C(1) << 31);
    table->mono_base = now->monotonic;
    atomic_init(&table->reference, sub(now->wall, now->monotonic));
    atomic_init(&table->cold, warm ? INT64_MIN : now->wall);
    atomic_init(&table->latest, now->wall);
    if (!wba_replay_renew_locks(table)) {
        return NULL;
    }
    atomic_store(&table->magic, MAGIC);
    return table;
}

wba_replay_t *
wba_replay_attach(void *region, size_t size)
{
    wba_replay_t *table = region;
    uint32_t partitions;
    uint32_t buckets = layout(size, &partitions);

    if (buckets == 0 || (uintptr_t) region % LINE != 0
        || ACQUIRE(&table->magic) != MAGIC || table->size != size
        || table->partitions != partitions || table->buckets != buckets)
    {
        return NULL;
    }
    return table;
}

void
wba_replay_identity(const void *region, uint8_t out[WBA_REPLAY_IDENTITY])
{
    memcpy(out, region, WBA_REPLAY_IDENTITY);
}

bool
wba_replay_superseded(const wba_replay_t *table)
{
    return LOAD(&((wba_replay_t *) (uintptr_t) table)->superseded) != 0;
}

void
wba_replay_supersede(wba_replay_t *table)
{
    atomic_store(&table->superseded, 1);
}

void
wba_replay_cool(wba_replay_t *table, const wba_clock_t *now)
{
    raise_to(&table->cold, now->wall);
}

void
wba_replay_resume(wba_replay_t *table, const wba_clock_t *now)
{
    wba_replay_cool(table, now);
    atomic_store(&table->superseded, 0);
}

/* Notices a jump.  Cold comes before the new reference: a process killed
 * between the two leaves the jump to be noticed by the next. */
static void
clock_observe(wba_replay_t *table, const wba_clock_t *now)
{
    int64_t difference = sub(now->wall, now->monotonic);
    int64_t drift = sub(difference, ACQUIRE(&table->reference));

    raise_to(&table->latest, now->wall);
    if (drift < -CLOCK_SLACK || drift > CLOCK_SLACK) {
        raise_to(&table->cold, LOAD(&table->latest));
        RELEASE(&table->reference, difference);
    }
}

static bool
is_cold(const wba_replay_t *table, const wba_nonce_t *nonces, size_t n,
        int64_t skew)
{
    int64_t cold = LOAD(&table->cold);
    size_t i;

    if (LOAD(&table->superseded)) {
        return true;
    }
    if (cold == INT64_MIN) {
        return false;
    }
    cold = add(cold, skew);
    for (i = 0; i < n; i++) {
        if (nonces[i].created <= cold) {
            return true;
        }
    }
    return false;
}

/*
 * Hashes a nonce and finds its buckets, which begin to be fetched.  The
 * thumbprint's size is fixed, so their concatenation is unambiguous.
 */
static void
item_locate(const wba_replay_t *table, const wba_nonce_t *nonce, item_t *item)
{
    uint8_t text[WBA_THUMBPRINT_SIZE + WBA_MAX_NONCE];
    uint64_t half[2], first, second, mask = (1u << CHOICE_BITS) - 1;
    uint64_t buckets = table->buckets;
    const bucket_t *base;
    int i;

    memcpy(text, nonce->thumbprint, WBA_THUMBPRINT_SIZE);
    if (nonce->nonce.len) {
        memcpy(text + WBA_THUMBPRINT_SIZE, nonce->nonce.data,
               nonce->nonce.len);
    }
    crypto_shorthash_siphashx24((unsigned char *) half, text,
                                WBA_THUMBPRINT_SIZE + nonce->nonce.len,
                                table->secret);
    item->fingerprint = half[0] ? half[0] : 1;
    item->place = half[1];
    item->partition = half[1] & (table->partitions - 1);

    first = (half[1] >> (64 - CHOICE_BITS)) * buckets >> CHOICE_BITS;
    second = (half[1] >> (64 - 2 * CHOICE_BITS)) & mask;
    second = first + 1 + (second * (buckets - 1) >> CHOICE_BITS);
    second -= second >= buckets ? buckets : 0;

    base = buckets_of(table, item->partition);
    item->bucket[0] = (bucket_t *) (base + first);
    item->bucket[1] = (bucket_t *) (base + second);
    for (i = 0; i < 2; i++) {
        __builtin_prefetch(&item->bucket[i]->fingerprint[0]);
        __builtin_prefetch(&item->bucket[i]->fingerprint[WAYS / 2]);
        __builtin_prefetch(&item->bucket[i]->wall);
        __builtin_prefetch(&item->bucket[i]->mono);
    }
}

/* Under the lock, or as a guess: whether the bucket holds a live entry of
 * fingerprint, and which of its slots are free. */
static bool
bucket_scan(const bucket_t *bucket, uint64_t fingerprint, ticks_t now,
            unsigned *space)
{
    unsigned i, mask = 0, found = 0;

    for (i = 0; i < WAYS; i++) {
        uint64_t f = LOAD(&bucket->fingerprint[i]);
        unsigned live = LOAD(&bucket->wall[i]) > now.wall;

        live |= LOAD(&bucket->mono[i]) > now.mono; /* no branch: cheaper */
        live &= f != 0;
        found |= live & (f == fingerprint);
        mask |= (live ^ 1) << i;
    }
    *space = mask;
    return found != 0;
}

/*
 * Without the lock: a slot may change hands while it is looked at.  Writers
 * empty it, set the times and publish, each by a release; so times of a later
 * tenant mean that the second look at the fingerprint finds it gone.
 */
static bool
bucket_peek(const bucket_t *bucket, uint64_t fingerprint, ticks_t now)
{
    unsigned i;

    for (i = 0; i < WAYS; i++) {
        if (ACQUIRE(&bucket->fingerprint[i]) == fingerprint) {
            uint32_t wall = ACQUIRE(&bucket->wall[i]);
            uint32_t mono = ACQUIRE(&bucket->mono[i]);

            if ((wall > now.wall || mono > now.mono)
                && LOAD(&bucket->fingerprint[i]) == fingerprint)
            {
                return true;
            }
        }
    }
    return false;
}

/* Under the lock. */
static void
item_write(wba_replay_t *table, const item_t *item)
{
    partition_t *partition = partition_at(table, item->partition);
    bucket_t *bucket = item->into;
    unsigned slot = item->slot;

    if (LOAD(&bucket->fingerprint[slot]) != 0) {
        if (LOAD(&bucket->wall[slot]) > LOAD(&partition->forgotten)) {
            RELEASE(&partition->forgotten, LOAD(&bucket->wall[slot]));
        }
        RELEASE(&bucket->fingerprint[slot], 0);
    }
    RELEASE(&bucket->wall[slot], item->until.wall);
    RELEASE(&bucket->mono[slot], item->until.mono);
    RELEASE(&bucket->fingerprint[slot], item->fingerprint);
}

static bool
in_range(const wba_nonce_t *nonces, size_t n)
{
    size_t i;

    for (i = 0; i < n && i < WBA_MAX_SIGNATURES; i++) {
        if (nonces[i].nonce.len > WBA_MAX_NONCE) {
            return false;
        }
    }
    return n > 0 && i == n;
}

/* Fills items with the distinct nonces that have not expired; how many. */
static size_t
items_locate(const wba_replay_t *table, const wba_nonce_t *nonces, size_t n,
             const wba_clock_t *now, item_t *items)
{
    size_t i, j, count = 0;

    for (i = 0; i < n; i++) {
        item_t *item = &items[count];
        int64_t left = sub(nonces[i].until, now->wall);
        ticks_t until;

        if (left <= 0) {
            continue;
        }
        until.wall = expiry(nonces[i].until, table->wall_base);
        until.mono = expiry(add(now->monotonic, left), table->mono_base);
        item_locate(table, &nonces[i], item);
        item->until = until;
        for (j = 0; j < count; j++) {
            if (items[j].fingerprint == item->fingerprint
                && items[j].place == item->place)
            {
                break;
            }
        }
        if (j == count) {
            count++;
        } else if (until.wall > items[j].until.wall) {
            items[j].until = until;
        }
    }
    return count;
}

/* The partitions of items, each once, ascending: everybody locks in this
 * order. */
static size_t
items_partitions(const item_t *items, size_t n, uint32_t *list)
{
    size_t i, j, count = 0;

    for (i = 0; i < n; i++) {
        uint32_t p = items[i].partition;

        for (j = count; j > 0 && list[j - 1] > p; j--) {
            /* look for its place */
        }
        if (j > 0 && list[j - 1] == p) {
            continue;
        }
        memmove(list + j + 1, list + j, (count - j) * sizeof(*list));
        list[j] = p;
        count++;
    }
    return count;
}

static void
partitions_unlock(wba_replay_t *table, const uint32_t *list, size_t n)
{
    while (n--) {
        pthread_mutex_unlock(&partition_at(table, list[n])->lock);
    }
}

static bool
partitions_lock(wba_replay_t *table, const uint32_t *list, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        pthread_mutex_t *lock = &partition_at(table, list[i])->lock;
        int rc = pthread_mutex_lock(lock);

        if (rc == EOWNERDEAD) {
            rc = pthread_mutex_consistent(lock);
        }
        if (rc != 0) {
            partitions_unlock(table, list, i);
            return false;
        }
    }
    return true;
}

/* Chooses slots; false: one of the items has none. */
static bool
items_place(item_t *items, size_t n)
{
    size_t i, j;

    for (i = 0; i < n; i++) {
        item_t *item = &items[i];
        unsigned choice;

        for (j = 0; j < i; j++) {
            unsigned taken = 1u << items[j].slot;

            item->space[0] &= items[j].into == item->bucket[0] ? ~taken : ~0u;
            item->space[1] &= items[j].into == item->bucket[1] ? ~taken : ~0u;
        }
        choice = __builtin_popcount(item->space[1])
                 > __builtin_popcount(item->space[0]);
        if (item->space[choice] == 0) {
            return false;
        }
        item->into = item->bucket[choice];
        item->slot = (unsigned) __builtin_ctz(item->space[choice]);
    }
    return true;
}

/* What can be said of the items, FRESH: each has a slot; under the locks, or as
 * a guess. */
static wba_store_answer_t
items_weigh(const wba_replay_t *table, item_t *items, size_t n, ticks_t now)
{
    bool seen = false, forgotten = false;
    size_t i;

    for (i = 0; i < n; i++) {
        item_t *item = &items[i];
        partition_t *partition = partition_at(table, item->partition);

        seen |= bucket_scan(item->bucket[0], item->fingerprint, now,
                            &item->space[0]);
        seen |= bucket_scan(item->bucket[1], item->fingerprint, now,
                            &item->space[1]);
        forgotten |= item->until.wall <= LOAD(&partition->forgotten);
    }
    if (seen) {
        return WBA_STORE_SEEN;
    }
    if (forgotten) {
        return WBA_STORE_COLD;
    }
    return items_place(items, n) ? WBA_STORE_FRESH : WBA_STORE_FULL;
}

/* Under the locks. */
static wba_store_answer_t
items_record(wba_replay_t *table, item_t *items, size_t n, ticks_t now)
{
    wba_store_answer_t answer = items_weigh(table, items, n, now);
    size_t i;

    for (i = 0; i < n && answer == WBA_STORE_FRESH; i++) {
        item_write(table, &items[i]);
    }
    return answer;
}

wba_store_answer_t
wba_replay_record(wba_replay_t *table, const wba_nonce_t *nonces, size_t n,
                  int64_t skew, const wba_clock_t *now)
{
    item_t items[WBA_MAX_SIGNATURES];
    uint32_t partitions[WBA_MAX_SIGNATURES];
    wba_store_answer_t answer;
    size_t locked;

    if (!in_range(nonces, n)) {
        return WBA_STORE_UNAVAILABLE;
    }
    clock_observe(table, now);
    if (is_cold(table, nonces, n, skew)) {
        return WBA_STORE_COLD;
    }
    n = items_locate(table, nonces, n, now, items);
    locked = items_partitions(items, n, partitions);
    if (!partitions_lock(table, partitions, locked)) {
        return WBA_STORE_UNAVAILABLE;
    }
    answer = items_record(table, items, n, ticks(table, now));
    partitions_unlock(table, partitions, locked);
    return answer;
}

wba_store_answer_t
wba_replay_foresee(const wba_replay_t *table, const wba_nonce_t *nonces,
                   size_t n, int64_t skew, const wba_clock_t *now)
{
    item_t items[WBA_MAX_SIGNATURES];

    if (!in_range(nonces, n)) {
        return WBA_STORE_UNAVAILABLE;
    }
    if (is_cold(table, nonces, n, skew)) {
        return WBA_STORE_COLD;
    }
    n = items_locate(table, nonces, n, now, items);
    return items_weigh(table, items, n, ticks(table, now));
}

bool
wba_replay_seen(const wba_replay_t *table, const wba_nonce_t *nonce,
                const wba_clock_t *now)
{
    ticks_t t = ticks(table, now);
    item_t item;

    if (nonce->nonce.len > WBA_MAX_NONCE) {
        return false;
    }
    item_locate(table, nonce, &item);
    return bucket_peek(item.bucket[0], item.fingerprint, t)
           || bucket_peek(item.bucket[1], item.fingerprint, t);
}

void
wba_replay_stats(const wba_replay_t *table, const wba_clock_t *now,
                 wba_replay_stats_t *stats)
{
    wba_replay_estimate(table, now, UINT64_MAX, stats);
}

void
wba_replay_estimate(const wba_replay_t *table, const wba_clock_t *now,
                    uint64_t max_buckets, wba_replay_stats_t *stats)
{
    uint64_t i, looked = 0, live = 0;
    uint64_t buckets = (uint64_t) table->partitions * table->buckets;
    uint64_t stride = (buckets - 1) / max_buckets + 1;
    const bucket_t *bucket = buckets_of(table, 0);
    ticks_t t = ticks(table, now);
    int64_t cold = LOAD(&table->cold);
    unsigned space;

    for (i = 0; i < buckets; i += stride, looked++) {
        bucket_scan(&bucket[i], 0, t, &space);
        live += WAYS - (unsigned) __builtin_popcount(space);
    }
    stats->capacity = buckets * WAYS;
    stats->rated = buckets * RATED;
    stats->live = looked == buckets
                      ? live
                      : (uint64_t) ((double) live * (double) buckets
                                    / (double) looked);
    stats->cold_until = cold > 0 ? cold : 0;
}
