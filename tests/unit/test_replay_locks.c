/* SPDX-License-Identifier: BSD-2-Clause */
/* The locks of the nonce table: lost for ever, and made anew. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include "replay_fixture.h"

/* Dies holding a lock, and whoever has it next leaves it as it found it. */
static void *
hold(void *lock)
{
    pthread_mutex_lock(lock);
    return NULL;
}

static void
ruin(pthread_mutex_t *lock)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, hold, lock), 0);
    pthread_join(thread, NULL);
    assert_int_equal(pthread_mutex_lock(lock), EOWNERDEAD);
    pthread_mutex_unlock(lock); /* not made consistent: lost for ever */
    assert_int_equal(pthread_mutex_lock(lock), ENOTRECOVERABLE);
}

/* A partition whose lock is lost accepts nothing; the others go on, also after
 * a set that would have needed both.  Of such a set nothing is kept, whichever
 * of its nonces is the one: each partition of a set is locked. */
static void
test_a_lock_beyond_repair(void **state)
{
    size_t size = wba_replay_size(80000);
    wba_replay_t *table = table_new(size, true);
    uint8_t *locks = (uint8_t *) table + 128; /* a line each, in order */
    unsigned lost = 0, kept = 0, sets = 0;
    wba_store_answer_t whole, each;
    wba_nonce_t set[3];
    name_t names[3];
    uint32_t id, i;

    (void) state;
    ruin((pthread_mutex_t *) (void *) (locks + 64));
    for (id = 0; id < 3000; id += 3) {
        unsigned before = lost;

        for (i = 0; i < 3; i++) {
            set[i] = named(&names[i], id + i, start.wall, start.wall + 100);
        }
        whole = wba_replay_record(table, set, 3, 0, &start);
        for (i = 0; i < 3; i++) {
            each = wba_replay_record(table, &set[i], 1, 0, &start);
            lost += each == WBA_STORE_UNAVAILABLE;
            kept += each == (whole == WBA_STORE_FRESH ? WBA_STORE_SEEN
                                                      : WBA_STORE_FRESH);
        }
        sets += whole == WBA_STORE_FRESH;
        assert_int_equal(whole, lost > before ? WBA_STORE_UNAVAILABLE
                                              : WBA_STORE_FRESH);
    }
    assert_int_equal(lost + kept, 3000);
    assert_true(sets > 500 && lost > 200 && kept > 2000);
    free(table);
}

/* Renewing the locks writes to no bucket, neither where those come right behind
 * them. */
static void
test_renewed_locks(void **state)
{
    size_t size = 1027 * 256;
    wba_replay_t *table = table_new(size, true);
    size_t buckets = 128 + 2 * 64;
    uint32_t partitions;
    uint8_t *copy;
    name_t name;
    uint32_t id;

    (void) state;
    memcpy(&partitions, (uint8_t *) table + 16, 4);
    assert_int_equal(partitions, 2);
    for (id = 0; id < 12000; id++) {
        wba_nonce_t nonce = named(&name, id, start.wall, start.wall + 60);

        assert_int_equal(wba_replay_record(table, &nonce, 1, -1, &start),
                         WBA_STORE_FRESH);
    }
    copy = malloc(size);
    memcpy(copy, table, size);
    assert_true(wba_replay_renew_locks(table));
    assert_memory_equal(copy + buckets, (uint8_t *) table + buckets,
                        size - buckets);
    free(copy);
    free(table);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lock_beyond_repair),
        cmocka_unit_test(test_renewed_locks),
    };

    return wba_crypto_init() == WBA_OK
               ? cmocka_run_group_tests_name("replay_locks", tests, NULL, NULL)
               : 1;
}
