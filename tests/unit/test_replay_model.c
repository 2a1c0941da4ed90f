/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The nonce table against a model of it, over random operations at random
 * clocks and fills; then threads that all want the same nonces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>

#include "replay_fixture.h"

#define SKEW 5

/* The model: for each id its until on either clock, or 0. */
typedef struct {
    wba_replay_t *table;
    wba_clock_t clock, now;
    int64_t reference, latest, cold; /* latest: wall time read */
    int64_t latest_mono;
    int64_t *wall, *mono;
    uint32_t ids;
    uint64_t capacity, random;
    unsigned answers[WBA_STORE_UNAVAILABLE + 1];
} model_t;

static uint32_t
below(model_t *m, uint32_t n)
{
    m->random = m->random * UINT64_C(6364136223846793005) + 1;
    return (uint32_t) ((m->random >> 33) % n);
}

static bool
model_live(const model_t *m, uint32_t id)
{
    return m->now.wall < m->wall[id] || m->now.monotonic < m->mono[id];
}

/* Live, and was so by every clock read: the table must know it.  One that was
 * dead by a clock since put back may be there or not. */
static bool
model_known(const model_t *m, uint32_t id)
{
    return model_live(m, id)
           && (m->wall[id] > m->latest || m->mono[id] > m->latest_mono);
}

static void
model_observe(model_t *m)
{
    int64_t distance = m->now.wall - m->now.monotonic;

    m->latest_mono = m->now.monotonic;
    if (m->now.wall > m->latest) {
        m->latest = m->now.wall;
    }
    if (llabs((long long) distance - m->reference) > 2) {
        m->cold = m->latest > m->cold ? m->latest : m->cold;
        m->reference = distance;
    }
}

/* Time goes on now and then, jumps seldom, and is read a second off by some. */
static void
model_tick(model_t *m, uint32_t every)
{
    if (below(m, every) == 0) {
        uint32_t seconds = 1 + below(m, 4);

        m->clock.wall += seconds;
        m->clock.monotonic += seconds;
        if (below(m, 60) == 0) {
            m->clock.wall += (int64_t) below(m, 40) - 20;
        }
    }
    m->now = m->clock;
    if (below(m, 20) == 0) {
        m->now.wall += (int64_t) below(m, 3) - 1;
    }
}

static uint64_t
model_count(const model_t *m, bool (*counts)(const model_t *, uint32_t))
{
    uint64_t n = 0;
    uint32_t id;

    for (id = 0; id < m->ids; id++) {
        n += counts(m, id);
    }
    return n;
}

/* One record of a random set; the answer must be one that the model allows. */
static void
model_record(model_t *m)
{
    uint32_t n = below(m, 4) ? 1 : 1 + below(m, WBA_MAX_SIGNATURES), i;
    uint32_t ids[WBA_MAX_SIGNATURES];
    wba_nonce_t set[WBA_MAX_SIGNATURES];
    name_t names[WBA_MAX_SIGNATURES];
    bool cold = false, used = false, perhaps = false, old = false;
    wba_store_answer_t answer, foreseen;

    model_observe(m);
    for (i = 0; i < n; i++) {
        ids[i] = below(m, m->ids);
        set[i] = named(&names[i], ids[i], m->now.wall - below(m, 9) + 7,
                       m->now.wall - 2 + below(m, 60));
        if (ids[i] < m->ids / 500) {
            set[i].until = INT64_C(1000000000000299);
        }
        cold |= set[i].created <= m->cold + SKEW;
        if (set[i].until > m->now.wall) {
            used |= model_known(m, ids[i]);
            perhaps |= model_live(m, ids[i]);
            old |= set[i].until <= m->latest;
        }
    }
    foreseen = wba_replay_foresee(m->table, set, n, SKEW, &m->now);
    answer = wba_replay_record(m->table, set, n, SKEW, &m->now);
    if (answer != WBA_STORE_COLD) { /* it may notice that the clock jumped */
        assert_int_equal(foreseen, answer);
    }
    m->answers[answer]++;
    if (cold || used) {
        assert_int_equal(answer, cold ? WBA_STORE_COLD : WBA_STORE_SEEN);
    } else if (answer == WBA_STORE_COLD) {
        assert_true(old);
    } else if (answer == WBA_STORE_SEEN) {
        assert_true(perhaps);
    } else if (answer == WBA_STORE_FULL) {
        assert_true(m->capacity < 100
                    || model_count(m, model_live) > m->capacity / 20 * 13);
    } else {
        assert_int_equal(answer, WBA_STORE_FRESH);
        for (i = 0; i < n; i++) {
            int64_t left = set[i].until - m->now.wall;

            if (left > 0 && set[i].until > m->wall[ids[i]]) {
                m->wall[ids[i]] = set[i].until;
                m->mono[ids[i]] = m->now.monotonic + left;
            }
        }
    }
}

static void
model_check(model_t *m, bool thorough)
{
    wba_replay_stats_t stats;
    name_t name;
    uint32_t id = below(m, m->ids), n = thorough ? m->ids : 1;

    for (; n--; id = (id + 1) % m->ids) {
        wba_nonce_t nonce = named(&name, id, 0, 0);
        bool there = wba_replay_seen(m->table, &nonce, &m->now);

        assert_true(there ? model_live(m, id) : !model_known(m, id));
    }
    if (thorough) {
        wba_replay_stats(m->table, &m->now, &stats);
        assert_true(stats.live >= model_count(m, model_known)
                    && stats.live <= model_count(m, model_live));
    }
}

static void
test_model(void **state)
{
    static const struct {
        size_t buckets;
        bool warm;
    } cases[] = { { 1, true }, { 3, false }, { 128, true }, { 1100, false } };
    size_t c;
    uint32_t i;

    (void) state;
    for (c = 0; c < COUNT(cases); c++) {
        model_t m = { 0 };

        m.table = table_new(bytes_for(cases[c].buckets), cases[c].warm);
        m.clock = start;
        m.reference = start.wall - start.monotonic;
        m.latest = start.wall;
        m.cold = cases[c].warm ? INT64_MIN / 2 : start.wall;
        m.capacity = cases[c].buckets * 16;
        m.ids = (uint32_t) m.capacity * 3 / 2;
        m.wall = calloc(m.ids, sizeof(int64_t));
        m.mono = calloc(m.ids, sizeof(int64_t));
        m.random = c;
        for (i = 0; i < 350000; i++) {
            /* time passes slowly, then fast: full and empty in turn */
            uint32_t slow = (uint32_t) m.capacity / 4 + 1;

            model_tick(&m, i / 30000 % 3 ? slow : slow / 50 + 1);
            model_record(&m);
            model_check(&m, i % 25000 == 0);
        }
        for (i = 0; i < WBA_STORE_UNAVAILABLE; i++) {
            assert_true(m.answers[i] > 0); /* the test tests something */
        }
        free(m.table);
        free(m.wall);
        free(m.mono);
    }
}

#define THREADS 4
#define CONTESTED 20000

typedef struct {
    wba_replay_t *table;
    atomic_uint *next; /* each id is dealt out four times */
    unsigned won, lost;
} racer_t;

static void *
race(void *arg)
{
    racer_t *racer = arg;
    uint32_t id;

    while ((id = atomic_fetch_add(racer->next, 1) / 4) < CONTESTED) {
        wba_clock_t now = { start.wall + 10, start.monotonic + 10 };
        name_t name;
        wba_nonce_t n = named(&name, id, now.wall, now.wall + 10);

        racer->won += wba_replay_record(racer->table, &n, 1, SKEW, &now)
                      == WBA_STORE_FRESH;
        racer->lost += !wba_replay_seen(racer->table, &n, &now);
    }
    return NULL;
}

static void
test_threads_win_each_nonce_once(void **state)
{
    wba_replay_t *table = table_new(wba_replay_size(20000), true);
    racer_t racers[THREADS];
    pthread_t threads[THREADS];
    atomic_uint next = 0;
    unsigned i, won = 0;
    name_t name;

    (void) state;
    for (i = 0; i < CONTESTED; i++) {
        /* dead by the time of the race: its slots are given away in it */
        wba_nonce_t n = named(&name, CONTESTED + i, 0, start.wall + 9);

        assert_int_equal(wba_replay_record(table, &n, 1, SKEW, &start),
                         WBA_STORE_FRESH);
    }
    for (i = 0; i < THREADS; i++) {
        racers[i] = (racer_t) { table, &next, 0, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]),
                         0);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        won += racers[i].won;
        assert_int_equal(racers[i].lost, 0);
    }
    assert_int_equal(won, CONTESTED);
    free(table);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_threads_win_each_nonce_once),
    };

    return wba_crypto_init() == WBA_OK
               ? cmocka_run_group_tests_name("replay_model", tests, NULL, NULL)
               : 1;
}
