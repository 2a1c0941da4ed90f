/* SPDX-License-Identifier: BSD-2-Clause */
/* Latencies, counted in buckets. */
#ifndef WBA_METRICS_H
#define WBA_METRICS_H

#include <stddef.h>
#include <stdint.h>

/* Upper bounds of the buckets, in microseconds, ascending, each included in
 * its bucket: from what a Redis on the same machine takes to what a directory
 * may.  What is longer than the last is in one bucket more. */
#define WBA_LATENCY_BOUNDS 15
#define WBA_LATENCY_BUCKETS (WBA_LATENCY_BOUNDS + 1)
extern const uint32_t wba_latency_bounds[WBA_LATENCY_BOUNDS];

/* The bucket, below WBA_LATENCY_BUCKETS, of a latency in microseconds. */
size_t wba_latency_bucket(uint64_t us);

/* What was counted; buckets are not cumulative. */
typedef struct {
    uint64_t buckets[WBA_LATENCY_BUCKETS];
    uint64_t sum_us;
} wba_histogram_t;

/* How many latencies it holds. */
uint64_t wba_histogram_count(const wba_histogram_t *histogram);

#endif
