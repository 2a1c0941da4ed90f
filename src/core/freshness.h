/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long a directory's answer is fresh (RFC 9111, as a private cache), when
 * to fetch again, and how long to leave a failing directory alone.  Pure
 * functions of headers, clock, history and a random number.
 */
#ifndef WBA_FRESHNESS_H
#define WBA_FRESHNESS_H

#include "str.h"

/* Seconds of an answer that says nothing about its freshness. */
#define WBA_FRESHNESS_DEFAULT 3600

/* Seconds: first and longest pause after failures, and so the longest that a
 * negative entry lives.  A Retry-After is honoured up to
 * WBA_RETRY_AFTER_MAX where a good set is held meanwhile. */
#define WBA_RETRY_FIRST 1
#define WBA_RETRY_MAX 300
#define WBA_RETRY_AFTER_MAX 3600

/* What the header lines of one answer say; filled by wba_freshness_header. */
typedef struct {
    int64_t now;   /* when it came, for dates with two digits of a year */
    bool no_store; /* no-store, no-cache, must-revalidate: do not rest on it */
    bool bad;      /* an invalid max-age, a quoted string without an end:
                      already stale */
    bool bad_expires;      /* the same of Expires; max-age wins over it */
    int64_t max_age;       /* seconds; -1: none.  Of several the smallest */
    int64_t age;           /* seconds; 0: none.  Of several the largest */
    int64_t date;          /* seconds since the epoch; -1: none.  Of several
                              the last */
    int64_t expires;       /* the same; of several the earliest */
    int64_t last_modified; /* the same; of several the latest */
    int64_t retry_after;   /* seconds; -1: none.  Of several the largest */
    int64_t retry_at;      /* seconds since the epoch; -1: none.  Of several
                              the latest */
} wba_freshness_t;

void wba_freshness_init(wba_freshness_t *f, int64_t now);

/* One header line of the answer, in the order received; lines of other names
 * are ignored.  name in any case; value without white space at its ends. */
void wba_freshness_header(wba_freshness_t *f, wba_str_t name, wba_str_t value);

/*
 * Seconds from now on that the answer is fresh, between min and max: max-age,
 * else Expires - Date (Date missing or bad: now), else a tenth of Date -
 * Last-Modified, else WBA_FRESHNESS_DEFAULT; less Age.  On conflict the most
 * restrictive.  no-store, no-cache, must-revalidate, max-age=0 and what is
 * invalid give min.  s-maxage, private, public, proxy-revalidate are ignored.
 */
int64_t wba_freshness_lifetime(const wba_freshness_t *f, int64_t now,
                               int64_t min, int64_t max);

/* Milliseconds after which to fetch a set again that is fresh for lifetime
 * seconds: 80 to 95 % of it, by random (any 32 bits); at least 1. */
int64_t wba_freshness_refresh_ms(int64_t lifetime, uint32_t random);

/*
 * Milliseconds to wait after the failures-th failure in a row (1 is the
 * first): doubling from WBA_RETRY_FIRST to WBA_RETRY_MAX seconds, of which
 * between a half and the whole, by random.  f, may be NULL, is of the failing
 * answer: its Retry-After (seconds, or a date against now) is a lower bound,
 * itself bounded by WBA_RETRY_MAX, or WBA_RETRY_AFTER_MAX when loaded (a good
 * set is held).
 */
int64_t wba_freshness_retry_ms(unsigned failures, const wba_freshness_t *f,
                               bool loaded, int64_t now, uint32_t random);

/* An HTTP-date (RFC 9110 section 5.6.7: IMF-fixdate, RFC 850, asctime; a
 * two-digit year more than 50 years after now is of the past century) as
 * seconds since the epoch; -1 for anything else, earlier times among it.  That
 * the day of the week is the right one is not looked at. */
int64_t wba_http_date(wba_str_t text, int64_t now);

#endif
