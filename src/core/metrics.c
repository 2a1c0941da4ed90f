/* SPDX-License-Identifier: BSD-2-Clause */
#include "metrics.h"

const uint32_t wba_latency_bounds[WBA_LATENCY_BOUNDS] = {
    250,    500,    1000,   2500,    5000,    10000,   25000,   50000,
    100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000,
};

size_t
wba_latency_bucket(uint64_t us)
{
    size_t i = 0;

    while (i < WBA_LATENCY_BOUNDS && us > wba_latency_bounds[i]) {
        i++;
    }
    return i;
}

uint64_t
wba_histogram_count(const wba_histogram_t *histogram)
{
    size_t i;
    uint64_t n = 0;

    for (i = 0; i < WBA_LATENCY_BUCKETS; i++) {
        n += histogram->buckets[i];
    }
    return n;
}
