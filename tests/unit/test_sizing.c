/* SPDX-License-Identifier: BSD-2-Clause */
/* core/sizing: which lifetime counts, and the arithmetic at its ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "sizing.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define HOUR 3600
#define DAY (24 * 3600)

static const wba_challenge_key_t key;

static const struct {
    int line;
    int64_t directory;
    bool directory_nonce;
    int64_t location;
    bool location_nonce;
    const wba_challenge_key_t *challenge;
    int64_t seconds;
} lifetimes[] = {
    { __LINE__, 480, true, 0, false, NULL, 780 },
    { __LINE__, 480, false, 0, false, NULL, 780 },
    { __LINE__, 480, true, 60, false, NULL, 360 },
    { __LINE__, 480, true, HOUR, false, NULL, 780 },
    { __LINE__, DAY, true, 0, false, NULL, DAY + 300 },
    { __LINE__, DAY, false, 0, true, NULL, DAY + 300 },
    { __LINE__, DAY, false, 0, false, &key, HOUR + 300 },
    { __LINE__, DAY, true, 0, false, &key, DAY + 300 },
    { __LINE__, DAY, false, 0, false, NULL, HOUR + 300 },
    { __LINE__, DAY, false, 600, false, NULL, 900 },
    { __LINE__, DAY, false, DAY, false, NULL, HOUR + 300 },
    { __LINE__, 0, false, 0, false, NULL, HOUR + 300 },
    { __LINE__, 0, false, 60, false, NULL, 360 },
    { __LINE__, 0, true, 0, false, NULL, INT64_MAX },
    { __LINE__, INT64_MAX, true, 0, false, NULL, INT64_MAX },
    { __LINE__, INT64_MAX - 300, true, 0, false, NULL, INT64_MAX },
};

static void
which_lifetime(void **state)
{
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(lifetimes); i++) {
        wba_directory_t directory = { .lenient = 0 };
        wba_policy_t policy;
        int64_t seconds;

        wba_policy_default(&policy);
        directory.profile.max_lifetime = lifetimes[i].directory;
        directory.profile.nonce_required = lifetimes[i].directory_nonce;
        policy.max_lifetime = lifetimes[i].location;
        policy.nonce_required = lifetimes[i].location_nonce;
        policy.challenge = lifetimes[i].challenge;
        seconds = wba_sizing_seconds(&directory, &policy);
        if (seconds != lifetimes[i].seconds) {
            fail_msg("line %d: %lld", lifetimes[i].line, (long long) seconds);
        }
    }
}

static void
arithmetic(void **state)
{
    (void) state;
    assert_int_equal(wba_sizing_nonces(60, 780), 780);
    assert_int_equal(wba_sizing_nonces(1200, 780), 15600);
    assert_int_equal(wba_sizing_nonces(1, 61), 2); /* rounded up */
    assert_int_equal(wba_sizing_nonces(0, INT64_MAX), 0);
    assert_true(wba_sizing_nonces(1, INT64_MAX) < UINT64_MAX);
    assert_true(wba_sizing_nonces(60, INT64_MAX) == UINT64_MAX);
    assert_true(wba_sizing_nonces(UINT64_MAX, 300) == UINT64_MAX);

    assert_int_equal(wba_sizing_per_minute(780, 780), 60);
    assert_int_equal(wba_sizing_per_minute(779, 780), 59);
    assert_int_equal(wba_sizing_per_minute(0, 300), 0);
    assert_int_equal(wba_sizing_per_minute(1000, INT64_MAX), 0);
    assert_true(wba_sizing_per_minute(UINT64_MAX, 300)
                == UINT64_MAX / 300 * 60);
}

/* What a table holds is never told to be more than it does. */
static void
there_and_back(void **state)
{
    static const int64_t seconds[] = { 301, 360, 780, 3900, DAY + 300 };
    uint64_t nonces, per_minute;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(seconds); i++) {
        for (nonces = 1; nonces < 100000000; nonces = nonces * 7 + 3) {
            per_minute = wba_sizing_per_minute(nonces, seconds[i]);
            assert_true(wba_sizing_nonces(per_minute, seconds[i]) <= nonces);
            assert_true(wba_sizing_nonces(per_minute + 1, seconds[i])
                        >= nonces);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(which_lifetime),
        cmocka_unit_test(arithmetic),
        cmocka_unit_test(there_and_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
