/* SPDX-License-Identifier: BSD-2-Clause */
/* The nonce table at the ends of what its clocks can say: decades before it was
 * made, and after. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include "replay_fixture.h"

#define NEVER ((int64_t) UINT32_MAX)

/* What 0 stands for in an entry, of either clock. */
#define WALL_BASE (start.wall - (INT64_C(1) << 31))
#define MONO_BASE (start.monotonic)

static const int64_t ends[] = {
    -NEVER,    -1000,     -10,       -2,        -1,        0,
    1,         2,         3,         10,        1000,      NEVER - 1000,
    NEVER - 3, NEVER - 2, NEVER - 1, NEVER,     NEVER + 1, NEVER + 2,
    NEVER + 3, NEVER + 9, 2 * NEVER, 3 * NEVER,
};

/* A nonce that is recorded at now and lives for a second. */
static wba_nonce_t
recorded(wba_replay_t *table, name_t *name, const wba_clock_t *now)
{
    wba_nonce_t nonce = named(name, 1, INT64_MAX, now->wall + 1);

    assert_int_equal(wba_replay_record(table, &nonce, 1, 0, now),
                     WBA_STORE_FRESH);
    return nonce;
}

/* Whether an entry that ends at until is there, once the other clock has
 * passed: it never dies early; it dies on time where until and the clock are
 * within 32 bits, of which the last is for those that never die. */
static void
assert_lives(bool there, int64_t until, int64_t clock)
{
    if (clock < until || until >= NEVER) {
        assert_true(there);
    } else if (clock >= 1) {
        assert_false(there);
    }
}

static void
test_wall_clock(void **state)
{
    size_t u, c;

    (void) state;
    for (u = 0; u < COUNT(ends); u++) {
        wba_replay_t *table = table_new(bytes_for(1), true);
        wba_clock_t now = { WALL_BASE + ends[u] - 1, MONO_BASE };
        name_t name;
        wba_nonce_t nonce = recorded(table, &name, &now);

        for (c = 0; c < COUNT(ends); c++) {
            wba_clock_t then = { WALL_BASE + ends[c], MONO_BASE + 100 };

            assert_lives(wba_replay_seen(table, &nonce, &then), ends[u],
                         ends[c]);
        }
        free(table);
    }
}

static void
test_monotonic_clock(void **state)
{
    size_t u, c;

    (void) state;
    for (u = 0; u < COUNT(ends); u++) {
        wba_replay_t *table = table_new(bytes_for(1), true);
        wba_clock_t now = { start.wall, MONO_BASE + ends[u] - 1 };
        name_t name;
        wba_nonce_t nonce = recorded(table, &name, &now);

        for (c = 0; c < COUNT(ends); c++) {
            wba_clock_t then = { start.wall + 100, MONO_BASE + ends[c] };

            assert_lives(wba_replay_seen(table, &nonce, &then), ends[u],
                         ends[c]);
        }
        free(table);
    }
}

/* A margin below zero lets in what was signed that much before it was cold. */
static void
test_negative_skew(void **state)
{
    static const struct {
        int64_t created, skew;
        wba_store_answer_t answer;
    } cases[] = {
        { -4, -5, WBA_STORE_FRESH }, { -5, -5, WBA_STORE_COLD },
        { -6, -5, WBA_STORE_COLD },  { 0, -1, WBA_STORE_FRESH },
        { -1, -1, WBA_STORE_COLD },
    };
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(cases); i++) {
        wba_replay_t *table = table_new(bytes_for(1), false);
        name_t name;
        wba_nonce_t nonce = named(&name, 1, start.wall + cases[i].created,
                                  start.wall + 60);

        assert_int_equal(
            wba_replay_record(table, &nonce, 1, cases[i].skew, &start),
            cases[i].answer);
        free(table);
    }
}

/* A margin that goes back to before all time lets everything in. */
static void
test_skew_before_all_time(void **state)
{
    static _Alignas(64) uint8_t region[4096];
    wba_clock_t now = { INT64_MIN + 10, 500 };
    wba_replay_t *table;
    name_t name;
    wba_nonce_t nonce = named(&name, 1, now.wall, now.wall + 60);

    (void) state;
    table = wba_replay_init(region, sizeof(region), secret, &now, false);
    assert_int_equal(wba_replay_record(table, &nonce, 1, 0, &now),
                     WBA_STORE_COLD);
    assert_int_equal(wba_replay_record(table, &nonce, 1, -100, &now),
                     WBA_STORE_FRESH);
}

/* What is told of a table that is cold as of the first second there is. */
static void
test_cold_until(void **state)
{
    wba_replay_t *table = table_new(bytes_for(1), true);
    wba_replay_stats_t stats;
    wba_clock_t now = { -1, 0 };

    (void) state;
    for (; now.wall < 3; now.wall++) {
        wba_replay_cool(table, &now);
        wba_replay_stats(table, &start, &stats);
        assert_int_equal(stats.cold_until, now.wall > 0 ? now.wall : 0);
    }
    free(table);
}

/* A jump of a clock that stood still makes the table cold as of the latest time
 * that anybody told: first of all whoever made it. */
static void
test_latest_is_that_of_the_start(void **state)
{
    wba_replay_t *table = table_new(bytes_for(1), true);
    wba_clock_t back = { start.wall - 100, start.monotonic + 1 };
    wba_replay_stats_t stats;
    name_t name;
    wba_nonce_t nonce = named(&name, 1, start.wall, start.wall + 60);

    (void) state;
    assert_int_equal(wba_replay_record(table, &nonce, 1, 0, &back),
                     WBA_STORE_COLD);
    nonce.created++;
    assert_int_equal(wba_replay_record(table, &nonce, 1, 0, &back),
                     WBA_STORE_FRESH);
    wba_replay_stats(table, &back, &stats);
    assert_int_equal(stats.cold_until, start.wall);
    free(table);
}

/* Threads that make a table cold, each a little later than another just did:
 * what each told holds from then on. */
#define THREADS 4
#define RAISES 2000000

typedef struct {
    wba_replay_t *table;
    _Atomic int64_t *next;
    unsigned lowered;
} cooler_t;

static void *
cool(void *arg)
{
    cooler_t *cooler = arg;
    wba_replay_stats_t stats;
    int64_t i;

    while ((i = atomic_fetch_add(cooler->next, 1)) < RAISES) {
        wba_clock_t now = { start.wall + i, start.monotonic };

        wba_replay_cool(cooler->table, &now);
        wba_replay_estimate(cooler->table, &now, 1, &stats);
        cooler->lowered += stats.cold_until < now.wall;
    }
    return NULL;
}

static void
test_threads_cool(void **state)
{
    wba_replay_t *table = table_new(bytes_for(1), true);
    cooler_t coolers[THREADS];
    pthread_t threads[THREADS];
    _Atomic int64_t next = 0;
    unsigned i;

    (void) state;
    for (i = 0; i < THREADS; i++) {
        coolers[i] = (cooler_t) { table, &next, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, cool, &coolers[i]),
                         0);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(coolers[i].lowered, 0);
    }
    free(table);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wall_clock),
        cmocka_unit_test(test_monotonic_clock),
        cmocka_unit_test(test_negative_skew),
        cmocka_unit_test(test_skew_before_all_time),
        cmocka_unit_test(test_cold_until),
        cmocka_unit_test(test_latest_is_that_of_the_start),
        cmocka_unit_test(test_threads_cool),
    };

    return wba_crypto_init() == WBA_OK
               ? cmocka_run_group_tests_name("replay_time", tests, NULL, NULL)
               : 1;
}
