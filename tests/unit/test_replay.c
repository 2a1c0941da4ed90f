/* SPDX-License-Identifier: BSD-2-Clause */
/* The nonce table in one process: each of its answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include "replay_fixture.h"

static wba_clock_t
later(int64_t wall, int64_t mono)
{
    wba_clock_t now = { start.wall + wall, start.monotonic + mono };

    return now;
}

/* Records id, signed and expiring so many seconds after the start, when wall
 * and monotonic clock have gone on by as many. */
static wba_store_answer_t
record(wba_replay_t *table, uint32_t id, int64_t until, int64_t wall,
       int64_t mono)
{
    wba_clock_t now = later(wall, mono);
    name_t name;
    wba_nonce_t nonce = named(&name, id, now.wall, start.wall + until);
    wba_store_answer_t foreseen, answer;

    foreseen = wba_replay_foresee(table, &nonce, 1, 0, &now);
    answer = wba_replay_record(table, &nonce, 1, 0, &now);
    assert_true(foreseen == answer || answer == WBA_STORE_COLD);
    return answer;
}

static bool
seen(const wba_replay_t *table, uint32_t id, int64_t wall, int64_t mono)
{
    wba_clock_t now = later(wall, mono);
    name_t name;
    wba_nonce_t nonce = named(&name, id, 0, 0);

    return wba_replay_seen(table, &nonce, &now);
}

/* Records ids first to first + n - 1 in one call. */
static wba_store_answer_t
record_set(wba_replay_t *table, uint32_t first, size_t n, int64_t until)
{
    wba_nonce_t set[WBA_MAX_SIGNATURES + 1];
    name_t names[WBA_MAX_SIGNATURES + 1];
    wba_store_answer_t foreseen, answer;
    size_t i;

    for (i = 0; i < n; i++) {
        set[i] = named(&names[i], first + (uint32_t) i, start.wall,
                       start.wall + until);
    }
    foreseen = wba_replay_foresee(table, set, n, 0, &start);
    answer = wba_replay_record(table, set, n, 0, &start);
    assert_int_equal(foreseen, answer);
    return answer;
}

static uint64_t
live(const wba_replay_t *table, int64_t after)
{
    wba_clock_t now = later(after, after);
    wba_replay_stats_t stats;

    wba_replay_stats(table, &now, &stats);
    return stats.live;
}

static void
test_sizes(void **state)
{
    uint64_t n;

    (void) state;
    for (n = 0; n < UINT64_C(40) << 30; n += 1 + n / 3) {
        size_t size = wba_replay_size(n);

        if (size == SIZE_MAX) { /* more than 32 bits address */
            break;
        }
        assert_true(wba_replay_rated(size) >= n);
        assert_true(wba_replay_rated(size - 1) <= wba_replay_rated(size));
        if (n >= 400) {
            assert_true(size <= 24 * n);
            assert_true(wba_replay_rated(size) <= n + n / 20);
        }
    }
    assert_true(n > 100000000);
    assert_true(wba_replay_size(UINT64_MAX) == SIZE_MAX);
#if SIZE_MAX > UINT32_MAX
    assert_true(n >= UINT64_C(40) << 30);
    assert_true(wba_replay_size(UINT64_C(300000000)) > UINT64_C(1) << 32);
    assert_true(wba_replay_rated(SIZE_MAX) > UINT64_C(1) << 32);
#else
    assert_true(wba_replay_size(UINT64_C(300000000)) == SIZE_MAX);
#endif
    assert_int_equal(wba_replay_rated(0), 0);
    assert_int_equal(wba_replay_rated(bytes_for(1) - 1), 0);
}

static void
test_any_size_that_holds_a_bucket(void **state)
{
    size_t size;

    (void) state;
    for (size = bytes_for(1); size < 400000; size += 1 + size / 11) {
        wba_replay_t *table = table_new(size, true);

        assert_int_equal(record(table, 1, 10, 0, 0), WBA_STORE_FRESH);
        assert_int_equal(record(table, 1, 10, 0, 0), WBA_STORE_SEEN);
        assert_ptr_equal(wba_replay_attach(table, size), table);
        free(table);
    }
}

static void
test_init_refuses(void **state)
{
    static _Alignas(64) uint8_t region[4096];

    (void) state;
    assert_null(wba_replay_init(region + 32, 4000, secret, &start, true));
    assert_null(
        wba_replay_init(region, bytes_for(1) - 1, secret, &start, true));
    assert_null(wba_replay_init(region, 0, secret, &start, true));
}

static void
test_attach(void **state)
{
    size_t size = bytes_for(100);
    wba_replay_t *table = table_new(size, false);
    uint8_t *copy = aligned_alloc(64, (size + 63) / 64 * 64);

    (void) state;
    assert_int_equal(record(table, 1, 100, 1, 1), WBA_STORE_FRESH);
    memcpy(copy, table, size);
    assert_ptr_equal(wba_replay_attach(table, size), table);
    assert_memory_equal(copy, table, size);
    assert_int_equal(record(table, 1, 100, 1, 1), WBA_STORE_SEEN);

    assert_null(wba_replay_attach(table, size - 1));
    assert_null(wba_replay_attach(table, size - 256));
    assert_null(wba_replay_attach((uint8_t *) table + 32, size - 64));
    assert_null(wba_replay_attach(table, 64));
    memmove(copy + 32, copy, size - 32); /* a header that is not aligned */
    assert_null(wba_replay_attach(copy + 32, size));
    memset(table, 0, 8); /* as if init had been killed */
    assert_null(wba_replay_attach(table, size));
    free(copy);
    free(table);
}

static void
test_a_nonce_is_of_a_key(void **state)
{
    wba_replay_t *table = table_new(bytes_for(10), true);
    uint8_t text[WBA_MAX_NONCE + 1] = { 0 }, keys[2][32] = { { 1 }, { 2 } };
    size_t k, len;

    (void) state;
    for (k = 0; k < 2; k++) {
        for (len = 0; len <= sizeof(text);
             len += len < 3 || len == WBA_MAX_NONCE ? 1 : WBA_MAX_NONCE - 3) {
            wba_nonce_t n = { keys[k], wba_str(len ? text : NULL, len),
                              start.wall, start.wall + 9 };
            bool kept = len <= WBA_MAX_NONCE;

            assert_false(wba_replay_seen(table, &n, &start));
            assert_int_equal(wba_replay_record(table, &n, 1, 0, &start),
                             kept ? WBA_STORE_FRESH : WBA_STORE_UNAVAILABLE);
            assert_int_equal(wba_replay_seen(table, &n, &start), kept);
        }
    }
    free(table);
}

static void
test_a_set_is_one_to_eight(void **state)
{
    wba_replay_t *table = table_new(bytes_for(10), true);

    (void) state;
    assert_int_equal(record_set(table, 0, 0, 9), WBA_STORE_UNAVAILABLE);
    assert_int_equal(record_set(table, 0, WBA_MAX_SIGNATURES + 1, 9),
                     WBA_STORE_UNAVAILABLE);
    assert_int_equal(live(table, 0), 0);
    assert_int_equal(record_set(table, 0, WBA_MAX_SIGNATURES, 9),
                     WBA_STORE_FRESH);
    assert_int_equal(live(table, 0), WBA_MAX_SIGNATURES);
    free(table);
}

static void
test_an_entry_dies_when_both_clocks_passed(void **state)
{
    static const struct {
        int64_t wall, mono;
        bool live;
    } cases[] = {
        { 0, 0, true },     { 9, 9, true },    { 9, 10, true },
        { 10, 9, true },    { 10, 10, false }, { 9, 5000, true },
        { 5000, 9, true },  { -90, 11, true }, { 11, -90, true },
        { 5000, 10, false },
    };
    wba_replay_t *table = table_new(bytes_for(1), true);
    size_t i;

    (void) state;
    assert_int_equal(record(table, 1, 10, 0, 0), WBA_STORE_FRESH);
    for (i = 0; i < COUNT(cases); i++) {
        assert_int_equal(seen(table, 1, cases[i].wall, cases[i].mono),
                         cases[i].live);
    }
    assert_int_equal(record(table, 1, 10, 9, 9), WBA_STORE_SEEN);
    assert_int_equal(record(table, 1, 20, 10, 10), WBA_STORE_FRESH);
    assert_int_equal(record(table, 1, 20, 10, 10), WBA_STORE_SEEN);
    free(table);
}

static void
test_expired_is_fresh_and_not_kept(void **state)
{
    wba_replay_t *table = table_new(bytes_for(1), true);

    (void) state;
    assert_int_equal(record(table, 1, 10, 10, 10), WBA_STORE_FRESH);
    assert_int_equal(record(table, 1, -4000, 10, 10), WBA_STORE_FRESH);
    assert_int_equal(live(table, 0), 0);
    free(table);
}

static void
test_cold(void **state)
{
    static const struct {
        bool warm;
        int64_t created, skew;
        wba_store_answer_t answer;
    } cases[] = {
        { false, -1, 0, WBA_STORE_COLD },   { false, 0, 0, WBA_STORE_COLD },
        { false, 1, 0, WBA_STORE_FRESH },   { false, 5, 5, WBA_STORE_COLD },
        { false, 6, 5, WBA_STORE_FRESH },   { true, -9, 5, WBA_STORE_FRESH },
        { false, 9, INT64_MAX, WBA_STORE_COLD },
        { true, INT64_MIN / 2, INT64_MAX, WBA_STORE_FRESH },
    };
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(cases); i++) {
        wba_replay_t *table = table_new(bytes_for(4), cases[i].warm);
        wba_nonce_t set[2];
        name_t names[2];

        set[0] = named(&names[0], 1, start.wall + 999, start.wall + 60);
        set[1] = named(&names[1], 2, start.wall + cases[i].created,
                       start.wall + 60);
        assert_int_equal(
            wba_replay_foresee(table, set, 2, cases[i].skew, &start),
            cases[i].answer);
        assert_int_equal(
            wba_replay_record(table, set, 2, cases[i].skew, &start),
            cases[i].answer);
        assert_int_equal(live(table, 0),
                         cases[i].answer == WBA_STORE_FRESH ? 2 : 0);
        free(table);
    }
}

/* One record after another at the given clocks, created at the wall's second
 * or as given. */
static void
test_clock_jumps(void **state)
{
    static const struct {
        const char *what;
        int64_t wall, mono, created;
        wba_store_answer_t answer;
    } steps[] = {
        { "steady", 10, 10, 10, WBA_STORE_FRESH },
        { "two ahead", 13, 11, 13, WBA_STORE_FRESH },
        { "two behind", 10, 12, 10, WBA_STORE_FRESH },
        { "three ahead", 15, 12, 15, WBA_STORE_COLD },
        { "next second", 16, 13, 16, WBA_STORE_FRESH },
        { "created before", 16, 13, 15, WBA_STORE_COLD },
        { "new distance kept", 102, 100, 102, WBA_STORE_FRESH },
        { "hour ahead", 3702, 100, 3702, WBA_STORE_COLD },
        { "after it", 3703, 101, 3703, WBA_STORE_FRESH },
        { "hour back", 104, 102, 104, WBA_STORE_COLD },
        { "still cold", 3000, 2998, 3000, WBA_STORE_COLD },
        { "created up to the latest", 3703, 3701, 3703, WBA_STORE_COLD },
        { "passed", 3704, 3702, 3704, WBA_STORE_FRESH },
    };
    wba_replay_t *table = table_new(bytes_for(10), true);
    wba_replay_stats_t stats;
    name_t name;
    uint32_t i;

    (void) state;
    wba_replay_stats(table, &start, &stats);
    assert_int_equal(stats.cold_until, 0);
    for (i = 0; i < COUNT(steps); i++) {
        wba_clock_t now = later(steps[i].wall, steps[i].mono);
        wba_nonce_t n = named(&name, i, start.wall + steps[i].created,
                              now.wall + 60);
        wba_store_answer_t answer = wba_replay_record(table, &n, 1, 0, &now);

        if (answer != steps[i].answer) {
            fail_msg("%s: %d", steps[i].what, answer);
        }
    }
    wba_replay_stats(table, &start, &stats);
    assert_int_equal(stats.cold_until, start.wall + 3703);
    free(table);
}

/* Two processes, one of which has an older clock cached while another has
 * already forgotten what died. */
static void
test_no_replay_by_a_clock_behind(void **state)
{
    wba_replay_t *table = table_new(bytes_for(1), true);
    uint32_t i, cold = 0;

    (void) state;
    for (i = 0; i < 16; i++) {
        assert_int_equal(record(table, i, 10, 0, 0), WBA_STORE_FRESH);
    }
    for (i = 16; i < 20; i++) {
        assert_int_equal(record(table, i, 99, 10, 10), WBA_STORE_FRESH);
    }
    for (i = 0; i < 16; i++) {
        wba_store_answer_t answer = record(table, i, 10, 9, 9);

        assert_true(answer == WBA_STORE_SEEN || answer == WBA_STORE_COLD);
        cold += answer == WBA_STORE_COLD;
    }
    assert_int_equal(cold, 4);
    assert_int_equal(record(table, 30, 11, 10, 10), WBA_STORE_FRESH);
    free(table);
}

static void
test_sets_are_all_or_none(void **state)
{
    wba_replay_t *table = table_new(bytes_for(8), true);
    uint32_t i;

    (void) state;
    assert_int_equal(record(table, 3, 10, 0, 0), WBA_STORE_FRESH);
    assert_int_equal(record_set(table, 0, 8, 10), WBA_STORE_SEEN);
    assert_int_equal(live(table, 0), 1);
    assert_int_equal(record_set(table, 4, 8, 10), WBA_STORE_FRESH);
    assert_int_equal(record_set(table, 0, 3, 10), WBA_STORE_FRESH);
    for (i = 0; i < 12; i++) {
        assert_true(seen(table, i, 0, 0));
    }
    free(table);
}

/* Where an entry cannot tell their ends apart, 68 years before its table was
 * made, the first one's stays. */
static void
test_equal_nonces_decades_ago(void **state)
{
    wba_replay_t *table = table_new(bytes_for(1), true);
    int64_t base = start.wall - (INT64_C(1) << 31);
    wba_clock_t now = { base - 30, start.monotonic };
    wba_nonce_t set[2];
    name_t name;

    (void) state;
    set[0] = named(&name, 1, INT64_MAX, base - 10);
    set[1] = named(&name, 1, INT64_MAX, base - 20);
    assert_int_equal(wba_replay_record(table, set, 2, 0, &now),
                     WBA_STORE_FRESH);
    now.wall = base + 5;
    now.monotonic = start.monotonic + 19;
    assert_true(wba_replay_seen(table, set, &now));
    now.monotonic++;
    assert_false(wba_replay_seen(table, set, &now));
    free(table);
}

static void
test_equal_nonces_count_once(void **state)
{
    wba_replay_t *table = table_new(bytes_for(1), true);
    wba_nonce_t set[4];
    name_t names[4];
    size_t i;

    (void) state;
    for (i = 0; i < 4; i++) {
        set[i] = named(&names[i], i == 3 ? 2 : 1, start.wall,
                       start.wall + (i == 1 ? 30 : 20));
    }
    assert_int_equal(wba_replay_record(table, set, 4, 0, &start),
                     WBA_STORE_FRESH);
    assert_int_equal(live(table, 0), 2);
    assert_int_equal(live(table, 20), 1); /* the latest until holds */
    assert_int_equal(wba_replay_record(table, set, 4, 0, &start),
                     WBA_STORE_SEEN);
    free(table);
}

static void
test_full_evicts_nothing_and_recovers(void **state)
{
    wba_replay_t *table = table_new(bytes_for(1), true);
    uint32_t i;

    (void) state;
    for (i = 0; i < 13; i++) {
        assert_int_equal(record(table, i, i < 8 ? 10 : 20, 0, 0),
                         WBA_STORE_FRESH);
    }
    assert_int_equal(record_set(table, 100, 4, 20), WBA_STORE_FULL);
    assert_int_equal(live(table, 0), 13);
    assert_int_equal(record_set(table, 100, 3, 20), WBA_STORE_FRESH);
    assert_int_equal(record(table, 50, 20, 0, 0), WBA_STORE_FULL);
    assert_int_equal(record(table, 50, 20, 9, 9), WBA_STORE_FULL);
    for (i = 0; i < 13; i++) {
        assert_int_equal(record(table, i, 20, 9, 9), WBA_STORE_SEEN);
    }
    for (i = 50; i < 58; i++) {
        assert_int_equal(record(table, i, 30, 10, 10), WBA_STORE_FRESH);
    }
    assert_int_equal(record(table, 58, 30, 10, 10), WBA_STORE_FULL);
    free(table);
}

/* The rated fill, held by expiry, has room. */
static void
test_rated_fill_has_room(void **state)
{
    const uint32_t second = 30, rate = 100;
    size_t size = wba_replay_size(second * rate);
    wba_replay_t *table = table_new(size, true);
    uint32_t i, full = 0;

    (void) state;
    for (i = 0; i < 1000000; i++) {
        int64_t t = i / rate;

        full += record(table, i, t + second, t, t) == WBA_STORE_FULL;
    }
    assert_true(live(table, (i - 1) / rate) >= second * rate - 1);
    assert_true(full <= 1); /* 0.08 expected */
    free(table);
}

static void
test_supersede_and_cool(void **state)
{
    wba_replay_t *table = table_new(bytes_for(1), true);
    wba_clock_t now = later(7, 7);

    (void) state;
    assert_int_equal(record(table, 1, 99, 5, 5), WBA_STORE_FRESH);
    wba_replay_cool(table, &now);
    assert_int_equal(record(table, 2, 99, 7, 7), WBA_STORE_COLD);
    assert_int_equal(record(table, 2, 99, 8, 8), WBA_STORE_FRESH);
    wba_replay_cool(table, &start); /* never back */
    assert_int_equal(record(table, 3, 99, 7, 7), WBA_STORE_COLD);
    wba_replay_supersede(table);
    assert_int_equal(record(table, 4, 99, 50, 50), WBA_STORE_COLD);
    assert_int_equal(record(table, 4, 1, 50, 50), WBA_STORE_COLD);
    assert_true(seen(table, 1, 50, 50));
    free(table);
}

/* Whatever the numbers: no early death, no undefined behaviour. */
static void
test_hostile_times(void **state)
{
    static const int64_t untils[] = {
        INT64_MAX, INT64_MAX - 1, INT64_C(1000000000000299), UINT32_MAX,
        INT64_C(1) << 33, INT64_C(1) << 32, (INT64_C(1) << 31) + 2000000,
    };
    static const int64_t clocks[] = {
        INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_C(1) << 31,
        INT64_C(1) << 32, INT64_C(1) << 40, INT64_MAX - 1, INT64_MAX,
    };
    wba_replay_t *table = table_new(bytes_for(20), true);
    uint32_t i, w, m;

    (void) state;
    for (i = 0; i < COUNT(untils); i++) {
        name_t name;
        wba_nonce_t n = named(&name, i, INT64_MAX, untils[i]);

        assert_int_equal(wba_replay_record(table, &n, 1, 0, &start),
                         WBA_STORE_FRESH);
        for (w = 0; w < COUNT(clocks); w++) {
            for (m = 0; m < COUNT(clocks); m++) {
                wba_clock_t now = { clocks[w], clocks[m] };
                int64_t lives = untils[i] - start.wall;

                if (now.wall < untils[i]
                    || now.monotonic < start.monotonic + lives)
                {
                    assert_true(wba_replay_seen(table, &n, &now));
                }
            }
        }
    }
    for (w = 0; w < COUNT(clocks); w++) {
        for (m = 0; m < COUNT(clocks); m++) {
            wba_clock_t now = { clocks[w], clocks[m] };
            name_t name;
            wba_nonce_t n = named(&name, 0, INT64_MAX, INT64_MAX);
            wba_store_answer_t answer;

            answer = wba_replay_record(table, &n, 1, INT64_MIN, &now);
            assert_int_equal(answer, now.wall == INT64_MAX ? WBA_STORE_FRESH
                                                           : WBA_STORE_SEEN);
        }
    }
    free(table);
}

/* Sums that would overflow stay at the end that they come to. */
static void
test_ends_of_time(void **state)
{
    const wba_clock_t end = { INT64_MAX, 500 };
    wba_replay_t *table = table_new(bytes_for(1), true);
    wba_replay_stats_t stats;
    name_t name;
    wba_nonce_t n = named(&name, 1, INT64_MAX, INT64_MIN);

    (void) state;
    assert_int_equal(wba_replay_record(table, &n, 1, 0, &start),
                     WBA_STORE_FRESH);
    wba_replay_stats(table, &start, &stats);
    assert_int_equal(stats.live, 0); /* expired long ago */
    wba_replay_cool(table, &end);
    n.until = INT64_MAX;
    assert_int_equal(wba_replay_record(table, &n, 1, 1, &start),
                     WBA_STORE_COLD);
    free(table);
}

/* An estimate looks at some buckets and speaks of all; of a small table it
 * looks at all. */
static void
test_estimate(void **state)
{
    wba_replay_t *table = table_new(bytes_for(20000), true);
    wba_replay_stats_t exact, estimate;
    name_t name;
    uint32_t i;

    (void) state;
    wba_replay_estimate(table, &start, 1, &estimate);
    assert_int_equal(estimate.live, 0);
    for (i = 0; i < 10000; i++) {
        wba_nonce_t n = named(&name, i, start.wall, start.wall + 60);

        assert_int_equal(wba_replay_record(table, &n, 1, -1, &start),
                         WBA_STORE_FRESH);
    }
    wba_replay_stats(table, &start, &exact);
    assert_int_equal(exact.live, 10000);
    wba_replay_estimate(table, &start, UINT64_MAX, &estimate);
    assert_int_equal(estimate.live, exact.live);
    wba_replay_estimate(table, &start, exact.capacity / 16, &estimate);
    assert_int_equal(estimate.live, exact.live);

    wba_replay_estimate(table, &start, exact.capacity / 16 / 4, &estimate);
    assert_int_equal(estimate.capacity, exact.capacity);
    assert_int_equal(estimate.rated, exact.rated);
    assert_in_range(estimate.live, 9000, 11000);
    wba_replay_estimate(table, &start, 1, &estimate);
    assert_in_range(estimate.live, 0, estimate.capacity);
    free(table);
}

/* What the header says of itself is compared, each bit; where it does not
 * decide, secret and times, it is not. */
static void
test_attach_by_any_other_header(void **state)
{
    size_t size = bytes_for(100), bit, refused = 0;
    wba_replay_t *table = table_new(size, false);
    uint8_t *bytes = (uint8_t *) table;

    (void) state;
    for (bit = 0; bit < 8 * WBA_REPLAY_IDENTITY; bit++) {
        bytes[bit / 8] ^= (uint8_t) (1u << bit % 8);
        refused += wba_replay_attach(table, size) == NULL;
        bytes[bit / 8] ^= (uint8_t) (1u << bit % 8);
    }
    /* magic, size, partitions, buckets */
    assert_int_equal(refused, 8 * (8 + 8 + 4 + 4));
    assert_non_null(wba_replay_attach(table, size));
    free(table);
}

/* As many as are asked for find room, and hardly more, also where another
 * partition takes its share. */
static void
test_size_for_any_number(void **state)
{
    uint64_t live, rated;

    (void) state;
    for (live = 1; live < 200000; live += 1 + live / 5000) {
        rated = wba_replay_rated(wba_replay_size(live));
        if (rated < live || rated > live + live / 20 + 500) {
            fail_msg("%u: %u", (unsigned) live, (unsigned) rated);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_any_size_that_holds_a_bucket),
        cmocka_unit_test(test_init_refuses),
        cmocka_unit_test(test_attach),
        cmocka_unit_test(test_a_nonce_is_of_a_key),
        cmocka_unit_test(test_a_set_is_one_to_eight),
        cmocka_unit_test(test_an_entry_dies_when_both_clocks_passed),
        cmocka_unit_test(test_expired_is_fresh_and_not_kept),
        cmocka_unit_test(test_cold),
        cmocka_unit_test(test_clock_jumps),
        cmocka_unit_test(test_estimate),
        cmocka_unit_test(test_no_replay_by_a_clock_behind),
        cmocka_unit_test(test_sets_are_all_or_none),
        cmocka_unit_test(test_equal_nonces_count_once),
        cmocka_unit_test(test_equal_nonces_decades_ago),
        cmocka_unit_test(test_full_evicts_nothing_and_recovers),
        cmocka_unit_test(test_rated_fill_has_room),
        cmocka_unit_test(test_supersede_and_cool),
        cmocka_unit_test(test_hostile_times),
        cmocka_unit_test(test_ends_of_time),
        cmocka_unit_test(test_attach_by_any_other_header),
        cmocka_unit_test(test_size_for_any_number),
    };

    return wba_crypto_init() == WBA_OK
               ? cmocka_run_group_tests_name("replay", tests, NULL, NULL)
               : 1;
}
