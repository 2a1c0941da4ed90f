/* SPDX-License-Identifier: BSD-2-Clause */
/* The Redis client when each of its allocations in turn finds no memory, and
 * each call of hiredis that makes something fails.  (Allocations of hiredis
 * itself: integration/test_torture_redis.py.) */
#include <stdbool.h>
#include <stdlib.h>

static unsigned allocations, fail_at;

static void *
fail_calloc(size_t n, size_t size)
{
    return ++allocations == fail_at ? NULL : calloc(n, size);
}

static void *
fail_realloc(void *old, size_t size)
{
    return ++allocations == fail_at ? NULL : realloc(old, size);
}

#include "redis_private.h"

#include <sodium.h>
#include <stdio.h>

#define calloc(n, size) fail_calloc(n, size)
#define realloc(old, size) fail_realloc(old, size)
#define redisConnectFd(fd) (++allocations == fail_at ? NULL : redisConnectFd(fd))
#define redisFormatCommandArgv(text, argc, argv, lens) \
    (++allocations == fail_at ? -1                     \
                              : redisFormatCommandArgv(text, argc, argv, lens))
#include "wba_redis.c"
#undef MAX_INPUT
#include "redis_link.c"
#undef calloc
#undef realloc

#include "redis_fixture.h"

static void
test_new(void **state)
{
    client_t *c = client_at(0, server.path);

    (void) state;
    allocations = 0;
    fail_at = 1;
    assert_null(wba_redis_new(&c->options, &hooks, c));
    fail_at = 0;
}

/* From the first connection to the third answer: whatever fails, it recovers,
 * and no nonce is fresh twice. */
static bool
walk(unsigned at)
{
    client_t *c = client_at(0, server.path);
    wba_nonce_t nonce[2] = { nonce_of("nonce-1"), nonce_of("nonce-2") };
    unsigned fresh = 0, i;
    bool failed;
    record_t r;

    command("FLUSHALL");
    client_start(c);
    allocations = 0;
    fail_at = at;
    remember(c, "nonce-0");
    for (i = 0; i < 3; i++) {
        if (i != 0) { /* the first is held */
            UNTIL(wba_redis_usable(c->redis));
        }
        if (start(c, &r, i == 2 ? nonce : nonce + i, i == 2 ? 2 : 1)
            != NULL)
        {
            UNTIL(r.answers);
            fresh += r.answer == WBA_STORE_FRESH;
        }
    }
    nonce[0].created = 0;
    if (start(c, &r, nonce, 1) != NULL) {
        UNTIL(r.answers);
        assert_int_equal(r.answer, WBA_STORE_COLD);
    }
    failed = allocations >= at;
    fail_at = 0;
    UNTIL(wba_redis_usable(c->redis));
    assert_in_range(fresh, failed ? 1 : 2, 2);
    assert_int_equal(ask(c, "nonce-0"), WBA_STORE_SEEN);
    client_stop(c);
    return failed;
}

static void
test_each(void **state)
{
    unsigned at = 1;

    (void) state;
    while (walk(at)) {
        at++;
    }
    assert_in_range(at, 18, 200);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_new),
        TEST(test_each),
    };

    if (!server_installed()) {
        printf("skipped: redis-server is not installed\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
