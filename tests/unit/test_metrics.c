/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "metrics.h"

static void
bounds_ascend(void **state)
{
    size_t i;

    (void) state;
    for (i = 1; i < WBA_LATENCY_BOUNDS; i++) {
        assert_true(wba_latency_bounds[i - 1] < wba_latency_bounds[i]);
    }
}

static void
a_bound_is_in_its_bucket(void **state)
{
    size_t i;

    (void) state;
    assert_int_equal(wba_latency_bucket(0), 0);
    for (i = 0; i < WBA_LATENCY_BOUNDS; i++) {
        assert_int_equal(wba_latency_bucket(wba_latency_bounds[i]), i);
        assert_int_equal(wba_latency_bucket(wba_latency_bounds[i] + 1ul),
                         i + 1);
    }
    assert_int_equal(wba_latency_bucket(UINT64_MAX), WBA_LATENCY_BOUNDS);
}

static void
a_histogram_counts_all_buckets(void **state)
{
    wba_histogram_t h = { { 0 }, 0 };

    (void) state;
    assert_int_equal(wba_histogram_count(&h), 0);
    h.buckets[0] = 2;
    h.buckets[WBA_LATENCY_BOUNDS] = 3;
    assert_int_equal(wba_histogram_count(&h), 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_ascend),
        cmocka_unit_test(a_bound_is_in_its_bucket),
        cmocka_unit_test(a_histogram_counts_all_buckets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
