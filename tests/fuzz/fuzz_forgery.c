/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Budgets of forgeries, through any sequence of what may happen at any time.
 * In a table with room for all: everybody is let try exactly when a plain
 * list of times has it so, also by clocks that are set back.  In a full one:
 * who has never failed may try, nobody is kept out for longer than it takes
 * to refill, and no more places are taken than there are.
 *
 * Input: the size, two limits, then operations.
 */
#include "forgery.h"
#include "fuzz.h"

#define PEERS 4
#define KEYS 3
#define LIMITS 2
#define TICKS 16 /* of a millisecond */
#define STANDING ((uint64_t) WBA_FORGERY_STANDING * 1000 * TICKS)
#define START (UINT64_C(1) << 45)
#define RANGE (UINT64_C(1) << 36)

/* Readings of one clock that differ by less are of one time: a worker may be
 * busy for a while. */
#define LAG ((uint64_t) 60 * 1000 * TICKS)

/* What is further ahead than any entry is ever moved has passed. */
#define MOST ((uint64_t) 60 * 1000 * TICKS * WBA_MAX_FORGERY_BURST)

static struct {
    wba_forgery_t *table;
    wba_forgery_limit_t limit[LIMITS];
    uint64_t now;                  /* milliseconds */
    uint64_t latest;               /* that it ever was */
    bool failed[256];              /* a peer of the full table's */
    uint64_t peer[LIMITS][PEERS];  /* ticks: when it has refilled */
    uint64_t key[LIMITS][PEERS][KEYS];
    uint64_t known[PEERS][KEYS];
    uint64_t *all[LIMITS * PEERS * (1 + KEYS) + PEERS * KEYS];
} t;

static const uint8_t secret[WBA_FORGERY_SECRET] = { 1, 2, 3 };

static wba_peer_t
peer_of(unsigned i)
{
    uint8_t v6[16] = { 0x20, 1, 0xd, 0xb8, [7] = (uint8_t) i };

    return wba_forgery_peer(wba_str(v6, i % 2 ? 16 : i % 4 ? 4 : 0));
}

static const uint8_t *
key_of(unsigned i)
{
    static uint8_t thumbprint[256][WBA_THUMBPRINT_SIZE];

    thumbprint[i][7] = (uint8_t) i;
    return thumbprint[i];
}

/* --- the model: who may try until when */

static uint64_t
left(uint64_t until, uint64_t most)
{
    uint64_t now = t.now * TICKS, d = until > now ? until - now : 0;

    return d <= most + LAG ? d : 0;
}

static bool
room(uint64_t until, const wba_forgery_limit_t *limit)
{
    return left(until, limit->depth) + limit->interval <= limit->depth;
}

static bool
expected(unsigned l, unsigned p, unsigned k)
{
    const wba_forgery_limit_t *limit = &t.limit[l];

    return room(t.peer[l][p], limit)
           || (left(t.known[p][k], STANDING) != 0
               && room(t.key[l][p][k], limit));
}

static void
expect_failed(unsigned l, unsigned p, unsigned k)
{
    const wba_forgery_limit_t *limit = &t.limit[l];
    uint64_t *until = room(t.peer[l][p], limit) ? &t.peer[l][p]
                                                : &t.key[l][p][k];
    uint64_t d = left(*until, limit->depth) + limit->interval;

    *until = t.now * TICKS + (d < limit->depth ? d : limit->depth);
}

static void
expect_forgiven(unsigned l, unsigned p, unsigned k)
{
    const wba_forgery_limit_t *limit = &t.limit[l];
    uint64_t *until = left(t.key[l][p][k], limit->depth) ? &t.key[l][p][k]
                                                         : &t.peer[l][p];
    uint64_t d = left(*until, limit->depth);

    if (d != 0) {
        *until = t.now * TICKS + (d > limit->interval ? d - limit->interval
                                                      : 0);
    }
}

static void
expect_verified(unsigned p, unsigned k)
{
    if (left(t.known[p][k], STANDING) < STANDING - STANDING / 16) {
        t.known[p][k] = t.now * TICKS + STANDING;
    }
}

/* What has passed may have been overwritten: it must not come back. */
static bool
may_go_back(uint64_t by)
{
    uint64_t now = t.now * TICKS, then = (t.now - by) * TICKS;
    size_t i;

    for (i = 0; i < COUNT(t.all); i++) {
        uint64_t until = *t.all[i];

        if (until != 0 && (until <= now ? until > then : until - then > MOST)) {
            return false;
        }
    }
    return true;
}

static void
collect(void)
{
    size_t l, p, k, n = 0;

    for (p = 0; p < PEERS; p++) {
        for (l = 0; l < LIMITS; l++) {
            t.all[n++] = &t.peer[l][p];
            for (k = 0; k < KEYS; k++) {
                t.all[n++] = &t.key[l][p][k];
            }
        }
        for (k = 0; k < KEYS; k++) {
            t.all[n++] = &t.known[p][k];
        }
    }
    CHECK(n == COUNT(t.all));
}

/* --- operations */

static void
pass(fuzz_in_t *in)
{
    unsigned how = fuzz_byte(in);
    uint64_t by = fuzz_number(in, how % 4);

    by = how & 8 ? by * 1000 : by;
    if (how & 4 ? t.now - by < START - RANGE : t.now + by > START + RANGE) {
        return; /* its ticks begin anew after eight years */
    }
    if (how & 4 && !may_go_back(by)) {
        return;
    }
    t.now = how & 4 ? t.now - by : t.now + by;
    t.latest = t.now > t.latest ? t.now : t.latest;
}

static void
roomy(fuzz_in_t *in)
{
    unsigned what = fuzz_byte(in), l = what / 8 % LIMITS;
    unsigned p = what / 16 % PEERS, k = what / 64 % KEYS, q, j;
    wba_peer_t peer = peer_of(p);

    switch (what % 8) {
    case 0:
        pass(in);
        break;
    case 1:
        wba_forgery_verified(t.table, &peer, key_of(k), t.now);
        expect_verified(p, k);
        break;
    case 2:
        wba_forgery_forgiven(t.table, &t.limit[l], &peer, key_of(k), t.now);
        expect_forgiven(l, p, k);
        break;
    default:
        wba_forgery_failed(t.table, &t.limit[l], &peer, key_of(k), t.now);
        expect_failed(l, p, k);
    }
    for (q = 0; q < PEERS; q++) {
        peer = peer_of(q);
        for (j = 0; j < LIMITS * KEYS; j++) {
            CHECK(wba_forgery_may_try(t.table, &t.limit[j % LIMITS], &peer,
                                      key_of(j / LIMITS), t.now)
                  == expected(j % LIMITS, q, j / LIMITS));
        }
    }
}

static void
crowded(fuzz_in_t *in)
{
    unsigned what = fuzz_byte(in), i = fuzz_byte(in);
    const wba_forgery_limit_t *limit = &t.limit[what / 8 % LIMITS];
    wba_peer_t peer = peer_of(i | 1);
    const uint8_t *key = key_of(what / 16);
    bool may = wba_forgery_may_try(t.table, limit, &peer, key, t.now);

    CHECK(may || t.failed[i | 1]);
    switch (what % 8) {
    case 0:
        pass(in);
        return;
    case 1:
        wba_forgery_verified(t.table, &peer, key, t.now);
        return;
    case 2:
        wba_forgery_forgiven(t.table, limit, &peer, key, t.now);
        CHECK(!may || wba_forgery_may_try(t.table, limit, &peer, key, t.now));
        return;
    default:
        wba_forgery_failed(t.table, limit, &peer, key, t.now);
        t.failed[i | 1] = true;
    }
}

/* By a clock that goes on from where it ever was, all is forgiven. */
static void
everybody(void)
{
    uint64_t most = t.limit[0].depth > t.limit[1].depth ? t.limit[0].depth
                                                        : t.limit[1].depth;
    wba_forgery_stats_t stats;
    unsigned i;

    wba_forgery_stats(t.table, t.now, &stats);
    CHECK(stats.budgets <= stats.capacity && stats.known <= stats.capacity);
    for (i = 0; i < 256; i++) {
        wba_peer_t peer = peer_of(i);

        CHECK(wba_forgery_may_try(t.table, &t.limit[i % LIMITS], &peer,
                                  key_of(i), t.latest + most / TICKS + 1));
    }
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;
    fuzz_begin();
    return 0;
}

static void
limit_make(fuzz_in_t *in, wba_forgery_limit_t *limit)
{
    uint32_t failures = (uint32_t) fuzz_number(in, 2);
    uint32_t seconds = fuzz_byte(in) & 1 ? 60 : 1;
    uint32_t burst = (uint32_t) fuzz_number(in, 2);

    if (!wba_forgery_limit_make(limit, failures, seconds, burst)) {
        CHECK(failures == 0 || failures > WBA_MAX_FORGERY_RATE * seconds
              || burst == 0 || burst > WBA_MAX_FORGERY_BURST);
        CHECK(wba_forgery_limit_make(limit, 1 + failures % 60, seconds,
                                     1 + burst % 4));
    }
    CHECK(limit->interval != 0 && limit->depth >= limit->interval);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_in_t in = wba_str(data, size);
    bool full = (fuzz_byte(&in) & 1) != 0;
    size_t bytes = full ? WBA_FORGERY_MIN + 64 * fuzz_below(&in, 8)
                        : (size_t) 1 << 15;
    void *region = aligned_alloc(64, bytes);

    CHECK(region != NULL);
    memset(region, 0xa5, bytes);
    memset(&t, 0, sizeof(t));
    limit_make(&in, &t.limit[0]);
    limit_make(&in, &t.limit[1]);
    if (t.limit[0].interval == t.limit[1].interval
        && t.limit[0].depth == t.limit[1].depth)
    {
        t.limit[1].depth += t.limit[1].interval; /* or they are one */
    }
    t.now = t.latest = START;
    collect();
    t.table = wba_forgery_init(region, bytes, secret);
    CHECK(t.table != NULL);
    while (in.len != 0) {
        if (full) {
            crowded(&in);
        } else {
            roomy(&in);
        }
    }
    everybody();
    free(region);
    return 0;
}
