/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/forgery: how many failures a peer has, what a key that has verified
 * there has besides, who is forgotten when a table is full, and that several
 * processes charge one budget, some of which are killed.
 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "forgery.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define NOW UINT64_C(123456789) /* milliseconds */
#define HOUR UINT64_C(3600000)
#define SETS(n) (64 + (n) * 128) /* bytes for n sets of each kind */

static const uint8_t secret[WBA_FORGERY_SECRET] = { 1, 2, 3 };
static const uint8_t keys[4][WBA_THUMBPRINT_SIZE] = {
    { 0xa1, 1 }, { 0xb0, 2 }, { 0xca, 3 }, { 0xda, 4 },
};
enum { A, B, C, D };

static wba_forgery_t *
table_new(size_t size)
{
    void *region = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(region != MAP_FAILED);
    memset(region, 0xa5, size);
    assert_ptr_equal(wba_forgery_init(region, size, secret), region);
    return region;
}

static wba_forgery_limit_t
limit_of(uint32_t failures, uint32_t seconds, uint32_t burst)
{
    wba_forgery_limit_t limit;

    assert_true(wba_forgery_limit_make(&limit, failures, seconds, burst));
    return limit;
}

static wba_peer_t
peer4(uint32_t address)
{
    return wba_forgery_peer(wba_str(&address, sizeof(address)));
}

static bool
may(const wba_forgery_t *t, const wba_forgery_limit_t *limit, uint32_t peer,
    unsigned key, uint64_t now)
{
    wba_peer_t p = peer4(peer);

    return wba_forgery_may_try(t, limit, &p, keys[key], now);
}

static void
failed(wba_forgery_t *t, const wba_forgery_limit_t *limit, uint32_t peer,
       unsigned key, uint64_t now)
{
    wba_peer_t p = peer4(peer);

    wba_forgery_failed(t, limit, &p, keys[key], now);
}

static void
verified(wba_forgery_t *t, uint32_t peer, unsigned key, uint64_t now)
{
    wba_peer_t p = peer4(peer);

    wba_forgery_verified(t, &p, keys[key], now);
}

/* Fails as often as may be, at most n times; how often it was. */
static unsigned
spend(wba_forgery_t *t, const wba_forgery_limit_t *limit, uint32_t peer,
      unsigned key, uint64_t now, unsigned n)
{
    unsigned i;

    for (i = 0; i < n && may(t, limit, peer, key, now); i++) {
        failed(t, limit, peer, key, now);
    }
    return i;
}

/* ---- settings */

static void
limits(void **state)
{
    static const struct {
        uint32_t failures, seconds, burst;
        uint64_t interval; /* 0: refused */
    } t[] = {
        { 1, 1, 1, 16000 },      { 10, 1, 20, 1600 },
        { 1000, 1, 10000, 16 },  { 1, 60, 10000, 960000 },
        { 30, 60, 5, 32000 },    { 60000, 60, 1, 16 },
        { 3, 1, 1, 5333 },       { 7, 1, 1, 2286 },
        { 0, 1, 1, 0 },          { 1, 0, 1, 0 },
        { 1, 2, 1, 0 },          { 1, 1, 0, 0 },
        { 1001, 1, 1, 0 },       { 60001, 60, 1, 0 },
        { 1, 1, 10001, 0 },      { UINT32_MAX, 60, 1, 0 },
    };
    wba_forgery_limit_t limit;
    uint32_t rate;
    double kept;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(t); i++) {
        assert_int_equal(wba_forgery_limit_make(&limit, t[i].failures,
                                                t[i].seconds, t[i].burst),
                         t[i].interval != 0);
        if (t[i].interval != 0) {
            assert_int_equal(limit.interval, t[i].interval);
            assert_int_equal(limit.depth, t[i].interval * t[i].burst);
        }
    }
    for (rate = 1; rate <= WBA_MAX_FORGERY_RATE; rate++) {
        limit = limit_of(rate, 1, 1);
        kept = 16000.0 / (double) limit.interval / rate;
        assert_true(kept > 0.965 && kept < 1.035);
    }
}

static bool
same(wba_peer_t a, wba_peer_t b)
{
    return a.family == b.family
           && memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

static void
peers(void **state)
{
    static const uint8_t v4[4] = { 192, 0, 2, 1 }, other[4] = { 192, 0, 2, 2 };
    uint8_t v6[16] = { 0x20, 1, 0xd, 0xb8, 0, 1, 0, 2, 9, 9 }, w6[16];
    uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 };
    uint8_t nearly[16] = { [10] = 0xff, [11] = 0xfe, 192, 0, 2, 1 };
    uint8_t like4[16] = { 192, 0, 2, 1 };

#define PEER(bytes) wba_forgery_peer(wba_str(bytes, sizeof(bytes)))
    (void) state;
    assert_true(same(PEER(v4), PEER(v4)));
    assert_false(same(PEER(v4), PEER(other)));
    assert_true(same(PEER(v4), PEER(mapped)));
    assert_false(same(PEER(v4), PEER(like4)));
    assert_false(same(PEER(v4), PEER(nearly)));

    memcpy(w6, v6, sizeof(w6));
    w6[15] = 7;
    w6[8] = 0xff;
    assert_true(same(PEER(v6), PEER(w6)));
    w6[7] ^= 1;
    assert_false(same(PEER(v6), PEER(w6)));

    /* everything else is one */
    assert_true(same(wba_forgery_peer(WBA_STR_NONE),
                     wba_forgery_peer(WBA_STR("unix:"))));
    assert_false(same(PEER(v4), wba_forgery_peer(WBA_STR_NONE)));
#undef PEER
}

static void
sizes(void **state)
{
    static const struct {
        size_t size;
        uint64_t capacity;
    } t[] = { { 192, 8 },        { 319, 8 },          { 320, 16 },
              { 575, 16 },       { 576, 32 },         { 262144, 8192 },
              { 262208, 16384 }, { 1 << 20, 32768 } };
    _Alignas(64) uint8_t small[256];
    wba_forgery_stats_t stats;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(t); i++) {
        wba_forgery_t *table = table_new(t[i].size);

        wba_forgery_stats(table, NOW, &stats);
        assert_int_equal(stats.capacity, t[i].capacity);
        assert_int_equal(stats.budgets + stats.known, 0);
        munmap(table, t[i].size);
    }
    assert_null(wba_forgery_init(NULL, 4096, secret));
    assert_null(wba_forgery_init(small + 8, 200, secret));
    assert_null(wba_forgery_init(small, 191, secret));
    /* writes nothing beyond */
    memset(small, 0x5a, sizeof(small));
    assert_non_null(wba_forgery_init(small, 250, secret));
    for (i = 192; i < sizeof(small); i++) {
        assert_int_equal(small[i], 0x5a);
    }
}

/* ---- budgets */

/* So many at once; then one for each interval, to the millisecond. */
static void
used_up_and_refilled(void **state)
{
    static const struct {
        uint32_t failures, seconds, burst;
        uint64_t ms; /* for one */
    } t[] = { { 10, 1, 10, 100 }, { 10, 1, 1, 100 }, { 1, 1, 3, 1000 },
              { 30, 60, 30, 2000 }, { 1, 60, 2, 60000 },
              { 1000, 1, 50, 1 } };
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(t); i++) {
        wba_forgery_limit_t l = limit_of(t[i].failures, t[i].seconds,
                                         t[i].burst);
        wba_forgery_t *table = table_new(1 << 16);
        uint64_t now = NOW;

        assert_int_equal(spend(table, &l, 1, A, now, 20000), t[i].burst);
        assert_false(may(table, &l, 1, A, now));
        now += t[i].ms - 1;
        assert_false(may(table, &l, 1, A, now));
        assert_int_equal(spend(table, &l, 1, A, ++now, 20000), 1);
        now += t[i].ms;
        assert_int_equal(spend(table, &l, 1, A, now, 20000), 1);
        now += t[i].ms * (t[i].burst - 1);
        assert_int_equal(spend(table, &l, 1, A, now, 20000),
                         t[i].burst - 1 ? t[i].burst - 1 : 0);
        now += 100 * HOUR; /* never more than the burst */
        assert_int_equal(spend(table, &l, 1, A, now, 20000), t[i].burst);
        munmap(table, 1 << 16);
    }
}

static void
others_are_not_charged(void **state)
{
    wba_forgery_limit_t l = limit_of(10, 1, 5), m = limit_of(10, 1, 6);
    wba_forgery_limit_t n = limit_of(20, 1, 5);
    wba_forgery_t *table = table_new(1 << 16);
    uint32_t i;

    (void) state;
    assert_int_equal(spend(table, &l, 1, A, NOW, 99), 5);
    assert_false(may(table, &l, 1, B, NOW)); /* one peer, whatever the key */
    for (i = 2; i < 1000; i++) {
        assert_true(may(table, &l, i, A, NOW));
    }
    /* another limit is another budget */
    assert_int_equal(spend(table, &m, 1, A, NOW, 99), 6);
    assert_int_equal(spend(table, &n, 1, A, NOW, 99), 5);
    l = limit_of(10, 1, 10); /* one depth */
    m = limit_of(1, 1, 1);
    assert_int_equal(spend(table, &l, 1, A, NOW, 99), 10);
    assert_int_equal(spend(table, &m, 1, A, NOW, 99), 1);
    munmap(table, 1 << 16);
}

/* Nor is an address of the other family that begins with the same bytes. */
static void
families(void **state)
{
    static const uint8_t v4[4] = { 192, 0, 2, 1 };
    static const uint8_t v6[16] = { 192, 0, 2, 1 };
    wba_forgery_limit_t l = limit_of(1, 60, 1);
    wba_forgery_t *table = table_new(1 << 16);
    wba_peer_t p = wba_forgery_peer(wba_str(v4, sizeof(v4)));
    wba_peer_t q = wba_forgery_peer(wba_str(v6, sizeof(v6)));

    (void) state;
    wba_forgery_failed(table, &l, &p, keys[A], NOW);
    assert_false(wba_forgery_may_try(table, &l, &p, keys[A], NOW));
    assert_true(wba_forgery_may_try(table, &l, &q, keys[A], NOW));
    munmap(table, 1 << 16);
}

/* As if it had not been counted: of the key's budget where that has been
 * charged, else of the peer's; never more than was charged. */
static void
forgiven(void **state)
{
    wba_forgery_limit_t l = limit_of(1, 60, 3);
    wba_forgery_t *table = table_new(1 << 16);
    wba_peer_t p = peer4(1);
    unsigned i;

    (void) state;
    for (i = 0; i < 9; i++) {
        wba_forgery_forgiven(table, &l, &p, keys[A], NOW);
    }
    assert_int_equal(spend(table, &l, 1, A, NOW, 99), 3);
    wba_forgery_forgiven(table, &l, &p, keys[A], NOW + 1000);
    assert_int_equal(spend(table, &l, 1, A, NOW + 1000, 99), 1);

    /* of which time has forgiven a part already */
    failed(table, &l, 2, A, NOW);
    assert_int_equal(spend(table, &l, 2, A, NOW + 45000, 99), 2);
    p = peer4(3);
    failed(table, &l, 3, A, NOW);
    wba_forgery_forgiven(table, &l, &p, keys[A], NOW + 45000);
    wba_forgery_forgiven(table, &l, &p, keys[A], NOW + 45000);
    assert_int_equal(spend(table, &l, 3, A, NOW + 45000, 99), 3);
    p = peer4(1);

    verified(table, 1, A, NOW);
    assert_int_equal(spend(table, &l, 1, A, NOW + 1000, 99), 3);
    wba_forgery_forgiven(table, &l, &p, keys[A], NOW + 1000);
    assert_false(may(table, &l, 1, B, NOW + 1000));
    assert_int_equal(spend(table, &l, 1, A, NOW + 1000, 99), 1);
    munmap(table, 1 << 16);
}

/* ---- keys that have verified */

static void
known_keys(void **state)
{
    wba_forgery_limit_t l = limit_of(10, 1, 5);
    wba_forgery_t *table = table_new(1 << 16);

    (void) state;
    verified(table, 1, A, NOW);
    verified(table, 1, B, NOW);
    verified(table, 2, C, NOW);
    /* the peer's budget first, whichever key is named */
    assert_int_equal(spend(table, &l, 1, D, NOW, 3), 3);
    assert_int_equal(spend(table, &l, 1, A, NOW, 2), 2);
    assert_false(may(table, &l, 1, D, NOW));
    assert_false(may(table, &l, 1, C, NOW)); /* known elsewhere */
    /* then each one's own */
    assert_int_equal(spend(table, &l, 1, A, NOW, 99), 5);
    assert_false(may(table, &l, 1, A, NOW));
    assert_int_equal(spend(table, &l, 1, B, NOW, 99), 5);
    assert_false(may(table, &l, 1, B, NOW));
    /* all refill together, the peer's is spent first */
    assert_true(may(table, &l, 1, D, NOW + 100));
    failed(table, &l, 1, D, NOW + 100);
    assert_false(may(table, &l, 1, D, NOW + 100));
    assert_int_equal(spend(table, &l, 1, A, NOW + 100, 99), 1);
    assert_int_equal(spend(table, &l, 1, B, NOW + 100, 99), 1);
    munmap(table, 1 << 16);
}

static void
standing_ends(void **state)
{
    wba_forgery_limit_t l = limit_of(1, 60, 1);
    wba_forgery_t *table = table_new(1 << 16);
    wba_forgery_stats_t stats;
    uint64_t now = NOW;

    (void) state;
    failed(table, &l, 1, A, now);
    assert_false(may(table, &l, 1, A, now));
    verified(table, 1, A, now);
    assert_true(may(table, &l, 1, A, now));
    /* to fail is no merit */
    failed(table, &l, 1, B, now);
    assert_false(may(table, &l, 1, B, now));

    now += HOUR - 1;
    failed(table, &l, 1, B, now);
    assert_true(may(table, &l, 1, A, now));
    wba_forgery_stats(table, now, &stats);
    assert_int_equal(stats.known, 1);
    assert_int_equal(stats.budgets, 1);
    now++;
    failed(table, &l, 1, B, now);
    assert_false(may(table, &l, 1, A, now));
    wba_forgery_stats(table, now, &stats);
    assert_int_equal(stats.known, 0);

    /* prolonged by verifying */
    verified(table, 1, A, now);
    now += HOUR / 2;
    verified(table, 1, A, now);
    now += HOUR - 1;
    failed(table, &l, 1, B, now);
    assert_true(may(table, &l, 1, A, now));
    munmap(table, 1 << 16);
}

/* A verified request writes nothing that the one before it has written. */
static void
verifying_seldom_writes(void **state)
{
    size_t size = 1 << 14, writes = 0;
    wba_forgery_t *table = table_new(size);
    uint8_t *before = malloc(size);
    uint64_t now;

    (void) state;
    assert_non_null(before);
    for (now = NOW; now < NOW + HOUR; now += 1000) {
        memcpy(before, table, size);
        verified(table, 1, A, now);
        writes += memcmp(before, table, size) != 0;
    }
    assert_in_range(writes, 15, 16);
    free(before);
    munmap(table, size);
}

/* ---- full tables */

/* Whoever has used up his budget is not forgotten for those who have not,
 * however many they are. */
static void
a_flooder_is_remembered(void **state)
{
    wba_forgery_limit_t l = limit_of(1, 60, 10);
    wba_forgery_t *table = table_new(SETS(4));
    wba_forgery_stats_t stats;
    uint32_t i;

    (void) state;
    assert_int_equal(spend(table, &l, 1, A, NOW, 99), 10);
    for (i = 2; i < 20000; i++) {
        failed(table, &l, i, A, NOW);
    }
    wba_forgery_stats(table, NOW, &stats);
    assert_int_equal(stats.budgets, stats.capacity);
    assert_false(may(table, &l, 1, A, NOW));
    assert_int_equal(spend(table, &l, 1, A, NOW + 60000, 99), 1);
    munmap(table, SETS(4));
}

/* In a table full of them, who has not failed is hardly ever taken for one: as
 * often as the tags say, 8 times in 4 million. */
static void
the_innocent_are_not_taken_for_others(void **state)
{
    wba_forgery_limit_t l = limit_of(1, 60, 1);
    wba_forgery_t *table = table_new(SETS(64));
    uint32_t i, taken = 0;

    (void) state;
    for (i = 0; i < 20000; i++) {
        failed(table, &l, i, A, NOW);
        assert_false(may(table, &l, i, A, NOW));
    }
    for (i = 100000; i < 4100000; i++) {
        taken += !may(table, &l, i, A, NOW);
    }
    assert_in_range(taken, 1, 20);
    munmap(table, SETS(64));
}

/* What has passed is space; what verified last stays. */
static void
places_are_used_again(void **state)
{
    wba_forgery_limit_t l = limit_of(1000, 1, 1);
    wba_forgery_t *table = table_new(SETS(1));
    wba_forgery_stats_t stats;
    uint64_t now = NOW;
    uint32_t i;

    (void) state;
    for (i = 0; i < 100000; i++, now++) {
        assert_int_equal(spend(table, &l, i, A, now, 2), 1);
        wba_forgery_stats(table, now, &stats);
        assert_int_equal(stats.budgets, 1);
    }
    for (i = 0; i < 20; i++) {
        verified(table, i, A, now + i);
    }
    now += 20;
    for (i = 0; i < 20; i++) {
        failed(table, &l, i, A, now);
        assert_int_equal(may(table, &l, i, A, now), i >= 12);
    }
    munmap(table, SETS(1));
}

/* ---- clocks */

static void
clocks(void **state)
{
    static const uint64_t starts[] = {
        0, 1, UINT64_MAX, UINT64_MAX - 5,
        (UINT64_C(1) << 42) / 16 - 1,     /* the ticks begin anew */
        (UINT64_C(1) << 42) / 16 - 50000,
        UINT64_C(1) << 60,
    };
    wba_forgery_limit_t l = limit_of(10, 1, 10);
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(starts); i++) {
        wba_forgery_t *table = table_new(1 << 14);
        uint64_t now = starts[i];

        verified(table, 1, A, now);
        assert_int_equal(spend(table, &l, 1, B, now, 99), 10);
        assert_int_equal(spend(table, &l, 1, A, now, 99), 10);
        now += 100;
        assert_int_equal(spend(table, &l, 1, B, now, 99), 1);
        assert_int_equal(spend(table, &l, 1, A, now, 99), 1);
        /* steps back: refills as it goes on */
        assert_false(may(table, &l, 1, B, now - 5000));
        assert_true(may(table, &l, 2, B, now - 5000));
        failed(table, &l, 1, B, now - 5000);
        now += 1100;
        assert_int_equal(spend(table, &l, 1, B, now, 99), 10);
        /* far ahead: everything is forgiven */
        now += UINT64_C(1) << 36;
        assert_int_equal(spend(table, &l, 1, B, now, 99), 10);
        assert_false(may(table, &l, 1, A, now));
        munmap(table, 1 << 14);
    }
}

/* Shortly before the ticks begin anew an empty place looks like an entry that is
 * ahead; but it is not one for which somebody else makes room. */
static void
before_ticks_begin_anew(void **state)
{
    wba_forgery_limit_t l = limit_of(10, 1, 10);
    wba_forgery_t *table = table_new(SETS(1));
    uint64_t now = (UINT64_C(1) << 42) / 16 - 50000;
    uint32_t peer;

    (void) state;
    for (peer = 1; peer <= 8; peer++) {
        assert_int_equal(spend(table, &l, peer, A, now, 99), 10);
    }
    for (peer = 1; peer <= 8; peer++) {
        assert_false(may(table, &l, peer, A, now));
    }
    munmap(table, SETS(1));
}

/* A clock that is set back keeps nobody out for longer than it takes to refill,
 * but for what workers' readings may differ by; nor is a key known for longer. */
static void
set_back(void **state)
{
    wba_forgery_limit_t l = limit_of(10, 1, 10);
    wba_forgery_t *table = table_new(1 << 14);
    uint64_t now = NOW + 24 * HOUR;
    wba_forgery_stats_t stats;

    (void) state;
    verified(table, 1, A, now);
    assert_int_equal(spend(table, &l, 1, B, now, 99), 10);
    assert_int_equal(spend(table, &l, 1, A, now, 99), 10);
    assert_false(may(table, &l, 1, B, now - 60000)); /* another's reading */

    now -= 20 * HOUR;
    assert_int_equal(spend(table, &l, 1, B, now, 99), 10);
    assert_false(may(table, &l, 1, A, now)); /* is not known any more */
    wba_forgery_forgiven(table, &l, &(wba_peer_t) { 4, { 1 } }, keys[A], now);
    assert_int_equal(spend(table, &l, 1, B, now, 99), 1);
    verified(table, 1, A, now);
    assert_int_equal(spend(table, &l, 1, A, now, 99), 10);
    now += 1000;
    assert_int_equal(spend(table, &l, 1, B, now, 99), 10);
    now += HOUR;
    assert_int_equal(spend(table, &l, 1, B, now, 99), 10);
    assert_false(may(table, &l, 1, A, now));
    wba_forgery_stats(table, now, &stats);
    assert_int_equal(stats.known, 0);

    l = limit_of(1, 60, WBA_MAX_FORGERY_BURST); /* the longest there is */
    assert_int_equal(spend(table, &l, 1, B, now, 20000), 10000);
    assert_false(may(table, &l, 1, B, now - 60000));
    munmap(table, 1 << 14);
}

/* ---- a second, plainer telling */

#define PEERS 5
#define STEPS 400000

static struct {
    uint64_t peer[2][PEERS]; /* when each will have refilled, in ticks */
    uint64_t key[2][PEERS][COUNT(keys)];
    uint64_t known[PEERS][COUNT(keys)];
} model;

static uint64_t
later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void
as_the_model_has_it(void **state)
{
    wba_forgery_limit_t limit[2] = { limit_of(7, 1, 4), limit_of(40, 60, 9) };
    wba_forgery_t *table = table_new(1 << 20);
    uint64_t random = 42, now = NOW, t, *budget;
    unsigned i, p, k, l, refused = 0, by_key = 0;
    bool room, own;

    (void) state;
    memset(&model, 0, sizeof(model));
    for (i = 0; i < STEPS; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        p = (unsigned) (random >> 40) % PEERS;
        k = (unsigned) (random >> 50) % COUNT(keys);
        l = (unsigned) (random >> 33) & 1;
        now += (random >> 36) % 256 ? (random >> 56) % 5
                                    : (random >> 44) % HOUR;
        t = now * 16;

        room = later(model.peer[l][p], t) + limit[l].interval
               <= t + limit[l].depth;
        own = model.known[p][k] > t
              && later(model.key[l][p][k], t) + limit[l].interval
                     <= t + limit[l].depth;
        if (may(table, &limit[l], p, k, now) != (room || own)) {
            fail_msg("step %u", i);
        }
        refused += !room && !own;
        by_key += !room && own;
        if (!room && !own) {
            continue;
        }
        if ((random >> 34) % 8 == 0) {
            verified(table, p, k, now);
            if (model.known[p][k] < t + 3600 * 16000 / 16 * 15) {
                model.known[p][k] = t + 3600 * 16000;
            }
        } else {
            failed(table, &limit[l], p, k, now);
            budget = room ? &model.peer[l][p] : &model.key[l][p][k];
            *budget = later(*budget, t) + limit[l].interval;
        }
    }
    assert_true(refused > STEPS / 20 && by_key > STEPS / 20);
    munmap(table, 1 << 20);
}

/* ---- processes */

#define WORKERS 4

static void
ended(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* All at one moment: no more than the burst, and one more for each of the
 * others, who may have looked before they were charged. */
static void
processes_share_a_budget(void **state)
{
    wba_forgery_limit_t l = limit_of(1, 60, 5000);
    wba_forgery_t *table = table_new(1 << 14);
    _Atomic unsigned *spent = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid[WORKERS];
    unsigned i;

    (void) state;
    assert_true((void *) spent != MAP_FAILED);
    for (i = 0; i < WORKERS; i++) {
        pid[i] = fork();
        assert_true(pid[i] >= 0);
        if (pid[i] == 0) {
            alarm(60);
            atomic_fetch_add(&spent[1], 1);
            while (atomic_load(&spent[1]) < WORKERS) {
                sched_yield();
            }
            while (may(table, &l, 1, A, NOW)) {
                atomic_fetch_add(&spent[0], 1);
                failed(table, &l, 1, A, NOW);
            }
            _exit(0);
        }
    }
    for (i = 0; i < WORKERS; i++) {
        ended(pid[i]);
    }
    assert_in_range(atomic_load(spent), 5000, 5000 + WORKERS - 1);
    assert_false(may(table, &l, 1, A, NOW + 59999));
    assert_true(may(table, &l, 1, A, NOW + 60000));
    munmap((void *) spent, 4096);
    munmap(table, 1 << 14);
}

/* Under the debugger, instruction by instruction: the table is as it was, or
 * one word of it is another and the failure is charged. */
static void
killed_at_any_instruction(void **state)
{
    wba_forgery_limit_t l = limit_of(1, 1, 2);
    size_t size = SETS(2), i, changed, steps = 0, charged = 0;
    wba_forgery_t *table = table_new(size);
    uint64_t before[SETS(2) / 8], now[SETS(2) / 8];
    pid_t pid;
    int status;

    (void) state;
    for (i = 0; i < 40; i++) {
        failed(table, &l, (uint32_t) (100 + i), A, NOW);
    }
    failed(table, &l, 1, A, NOW);
    memcpy(before, table, size);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(60);
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0) {
            raise(SIGSTOP);
            failed(table, &l, 1, A, NOW);
        }
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFSTOPPED(status)) {
        print_message("skipped: this process may trace none\n");
        skip();
    }
    while (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0
           && waitpid(pid, &status, 0) == pid && WIFSTOPPED(status))
    {
        memcpy(now, table, size);
        for (i = 0, changed = 0; i < size / 8; i++) {
            changed += now[i] != before[i];
        }
        assert_true(changed <= 1);
        assert_int_equal(may(table, &l, 1, A, NOW), changed == 0);
        charged += changed;
        steps++;
    }
    assert_true(WIFEXITED(status));
    assert_true(steps > 100 && charged > 0);
    munmap(table, size);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits),
        cmocka_unit_test(peers),
        cmocka_unit_test(sizes),
        cmocka_unit_test(used_up_and_refilled),
        cmocka_unit_test(others_are_not_charged),
        cmocka_unit_test(families),
        cmocka_unit_test(forgiven),
        cmocka_unit_test(known_keys),
        cmocka_unit_test(standing_ends),
        cmocka_unit_test(verifying_seldom_writes),
        cmocka_unit_test(a_flooder_is_remembered),
        cmocka_unit_test(the_innocent_are_not_taken_for_others),
        cmocka_unit_test(places_are_used_again),
        cmocka_unit_test(clocks),
        cmocka_unit_test(before_ticks_begin_anew),
        cmocka_unit_test(set_back),
        cmocka_unit_test(as_the_model_has_it),
        cmocka_unit_test(processes_share_a_budget),
        cmocka_unit_test(killed_at_any_instruction),
    };

    if (wba_crypto_init() != WBA_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
