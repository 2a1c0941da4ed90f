/* SPDX-License-Identifier: BSD-2-Clause */
/* core/freshness: dates, header lines and what they make of a lifetime, and
 * the pauses before the next fetch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "freshness.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define NOW 1700000000 /* Tue, 14 Nov 2023 22:13:20 GMT */
#define AT_NOW "Tue, 14 Nov 2023 22:13:20 GMT"
#define NOW_PLUS_600 "Tue, 14 Nov 2023 22:23:20 GMT"
#define NOW_PLUS_HOUR "Tue, 14 Nov 2023 23:13:20 GMT"
#define NOW_MINUS_600 "Tue, 14 Nov 2023 22:03:20 GMT"
#define NOW_MINUS_HOUR "Tue, 14 Nov 2023 21:13:20 GMT"
#define LATEST INT64_C(253402300799) /* Fri, 31 Dec 9999 23:59:59 GMT */
#define YEAR INT64_C(31556952)       /* of the Gregorian calendar's mean */
#define FOREVER INT64_C(1000000000000000)

static const int64_t clocks[] = { INT64_MIN, INT64_MIN + 1, -1, 0, NOW,
                                  LATEST, INT64_MAX - 1, INT64_MAX };

/* In a block of its exact size, so that reading beyond it is seen. */
static int64_t
date_of(const void *text, size_t len, int64_t now)
{
    uint8_t *copy = malloc(len ? len : 1);
    int64_t t;

    assert_non_null(copy);
    if (len) {
        memcpy(copy, text, len);
    }
    t = wba_http_date(wba_str(copy, len), now);
    free(copy);
    return t;
}

/* ---- HTTP-date */

static const struct {
    const char *text;
    int64_t want;
} dates[] = {
    /* the three forms of RFC 9110 section 5.6.7 */
    { "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
    { "Sunday, 06-Nov-94 08:49:37 GMT", 784111777 },
    { "Sun Nov  6 08:49:37 1994", 784111777 },
    { "Sun Nov 06 08:49:37 1994", 784111777 },
    { "Wed Nov 16 08:49:37 1994", 784975777 },
    { AT_NOW, NOW },

    /* first and last */
    { "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
    { "Wednesday, 01-Jan-70 00:00:00 GMT", INT64_C(3155760000) },
    { "Thu Jan  1 00:00:00 1970", 0 },
    { "Thu, 01 Jan 1970 00:00:01 GMT", 1 },
    { "Wed, 31 Dec 1969 23:59:60 GMT", 0 },
    { "Wed, 31 Dec 1969 23:59:59 GMT", -1 },
    { "Wed, 31 Dec 1969 23:59:58 GMT", -1 },
    { "Mon, 01 Jan 1900 00:00:00 GMT", -1 },
    { "Mon Jan  1 00:00:00 1900", -1 },
    { "Mon, 01 Jan 0001 00:00:00 GMT", -1 },
    { "Sat, 01 Jan 0000 00:00:00 GMT", -1 },
    { "Fri, 31 Dec 9999 23:59:59 GMT", LATEST },
    { "Fri, 31 Dec 9999 23:59:60 GMT", LATEST + 1 },
    { "Tue, 19 Jan 2038 03:14:08 GMT", INT64_C(2147483648) },

    /* leap seconds are the next minute's first */
    { "Sat, 31 Dec 2016 23:59:60 GMT", 1483228800 },
    { "Sat Dec 31 23:59:60 2016", 1483228800 },
    { "Saturday, 31-Dec-16 23:59:60 GMT", 1483228800 },
    { "Sat, 31 Dec 2016 23:59:61 GMT", -1 },
    { "Sat, 31 Dec 2016 23:60:00 GMT", -1 },
    { "Sat, 31 Dec 2016 24:00:00 GMT", -1 },
    { "Sat, 31 Dec 2016 99:99:99 GMT", -1 },

    /* days of months */
    { "Thu, 29 Feb 2024 00:00:00 GMT", 1709164800 },
    { "Tue, 29 Feb 2000 00:00:00 GMT", 951782400 },
    { "Wed, 29 Feb 2023 00:00:00 GMT", -1 },
    { "Mon, 29 Feb 2100 00:00:00 GMT", -1 },
    { "Tue, 29 Feb 2400 00:00:00 GMT", INT64_C(13574563200) },
    { "Fri, 30 Feb 2024 00:00:00 GMT", -1 },
    { "Fri, 00 Nov 2024 00:00:00 GMT", -1 },
    { "Fri Nov  0 00:00:00 2024", -1 },
    { "Fri, 32 Jan 2024 00:00:00 GMT", -1 },
    { "Fri, 31 Apr 2024 00:00:00 GMT", -1 },
    { "Fri, 31 Jun 2024 00:00:00 GMT", -1 },
    { "Fri, 31 Sep 2024 00:00:00 GMT", -1 },
    { "Fri, 31 Nov 2024 00:00:00 GMT", -1 },
    { "Wednesday, 29-Feb-23 00:00:00 GMT", -1 },
    { "Wed Feb 29 00:00:00 2023", -1 },

    /* the day of the week is not compared with the date */
    { "Mon, 06 Nov 1994 08:49:37 GMT", 784111777 },
    { "Monday, 06-Nov-94 08:49:37 GMT", 784111777 },
    { "Mon Nov  6 08:49:37 1994", 784111777 },

    /* nothing else */
    { "", -1 },
    { "0", -1 },
    { "-1", -1 },
    { "784111777", -1 },
    { "Sun", -1 },
    { "Sun,", -1 },
    { "Sun ", -1 },
    { "Sunday", -1 },
    { "Sunday,", -1 },
    { "Sunday Nov  6 08:49:37 1994", -1 },
    { "Sunday, 06 Nov 1994 08:49:37 GMT", -1 },
    { "Sun, 06-Nov-94 08:49:37 GMT", -1 },
    { "Sun, 06-Nov-1994 08:49:37 GMT", -1 },
    { "Sunday, 06-Nov-1994 08:49:37 GMT", -1 },
    { "Sun, 6 Nov 1994 08:49:37 GMT", -1 },
    { "Sun,  6 Nov 1994 08:49:37 GMT", -1 },
    { "Sun, 06 Nov 94 08:49:37 GMT", -1 },
    { "Sun, 06 Nov 19940 08:49:37 GMT", -1 },
    { "Sun, 06 Nov -994 08:49:37 GMT", -1 },
    { "Sun, 06 Nov 1994 8:49:37 GMT", -1 },
    { "Sun, 06 Nov 1994 08:49 GMT", -1 },
    { "Sun, 06 Nov 1994 08:49:37", -1 },
    { "Sun, 06 Nov 1994 08:49:37 ", -1 },
    { "Sun, 06 Nov 1994 08:49:37 UTC", -1 },
    { "Sun, 06 Nov 1994 08:49:37 +0000", -1 },
    { "Sun, 06 Nov 1994 08:49:37 gmt", -1 },
    { "Sun, 06 Nov 1994 08:49:37.5 GMT", -1 },
    { "Sun, 06 Nov 1994  08:49:37 GMT", -1 },
    { "Sun, 06\tNov 1994 08:49:37 GMT", -1 },
    { "Sun,06 Nov 1994 08:49:37 GMT", -1 },
    { "06 Nov 1994 08:49:37 GMT", -1 },
    { " Sun, 06 Nov 1994 08:49:37 GMT", -1 },
    { "sun, 06 Nov 1994 08:49:37 GMT", -1 },
    { "SUN, 06 NOV 1994 08:49:37 GMT", -1 },
    { "Sun, 06 nov 1994 08:49:37 GMT", -1 },
    { "Sun, 06 November 1994 08:49:37 GMT", -1 },
    { "Son, 06 Nov 1994 08:49:37 GMT", -1 },
    { "Sun, 06 Foo 1994 08:49:37 GMT", -1 },
    { "Sun Nov 6 08:49:37 1994", -1 },
    { "Sun Nov   6 08:49:37 1994", -1 },
    { "Sun Nov  6 08:49:37 1994 GMT", -1 },
    { "Sun Nov  6 08:49:37 94", -1 },
    { "1994-11-06T08:49:37Z", -1 },
    { "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", -1 },
};

static void
test_dates(void **state)
{
    size_t i, len;
    int64_t t;

    (void) state;
    for (i = 0; i < COUNT(dates); i++) {
        len = strlen(dates[i].text);
        t = date_of(dates[i].text, len, NOW);
        if (t != dates[i].want) {
            fail_msg("%s: %lld", dates[i].text, (long long) t);
        }
    }
    assert_true(wba_http_date(WBA_STR_NONE, NOW) == -1);
    assert_true(wba_http_date(WBA_STR("Sun, 06 Nov 1994 08:49:37\0GMT"), NOW)
                == -1);
    assert_true(wba_http_date(WBA_STR("Sun, 06 Nov 1994 08:49:37 GMT\0"), NOW)
                == -1);
}

/* Every day of four hundred years and more, counted by hand. */
static void
test_every_day(void **state)
{
    static const char *const days[] = { "Thu", "Fri", "Sat", "Sun", "Mon",
                                        "Tue", "Wed" };
    static const char *const names[] = { "Jan", "Feb", "Mar", "Apr",
                                         "May", "Jun", "Jul", "Aug",
                                         "Sep", "Oct", "Nov", "Dec" };
    static const char *const rest[] = { "rs", "", "ur", "", "", "s", "nes" };
    static const int lengths[] = { 31, 28, 31, 30, 31, 30,
                                   31, 31, 30, 31, 30, 31 };
    int64_t t = 0, n = 0;
    char text[100];
    int y, m, d, len;

    (void) state;
    for (y = 1970; y < 2402; y++) {
        for (m = 0; m < 12; m++) {
            len = lengths[m];
            if (m == 1 && (y % 400 == 0 || (y % 4 == 0 && y % 100 != 0))) {
                len = 29;
            }
            for (d = 1; d <= len; d++, n++, t += 86400) {
                int secs = (int) (n * 7919 % 86400);
                int h = secs / 3600, i = secs / 60 % 60, s = secs % 60;

                snprintf(text, sizeof(text),
                         "%s, %02d %s %04d %02d:%02d:%02d GMT", days[n % 7], d,
                         names[m], y, h, i, s);
                if (wba_http_date(wba_str_z(text), NOW) != t + secs) {
                    fail_msg("%s", text);
                }
                snprintf(text, sizeof(text), "%s %s %2d %02d:%02d:%02d %04d",
                         days[n % 7], names[m], d, h, i, s, y);
                if (wba_http_date(wba_str_z(text), NOW) != t + secs) {
                    fail_msg("%s", text);
                }
                snprintf(text, sizeof(text),
                         "%s%sday, %02d-%s-%02d %02d:%02d:%02d GMT",
                         days[n % 7], rest[n % 7], d, names[m], y % 100, h, i,
                         s);
                if (wba_http_date(wba_str_z(text), t) != t + secs) {
                    fail_msg("%s at %lld", text, (long long) t);
                }
            }
            snprintf(text, sizeof(text), "Sun, %02d %s %04d 00:00:00 GMT",
                     len + 1, names[m], y);
            assert_true(wba_http_date(wba_str_z(text), NOW) == -1);
        }
    }
}

/* The century of two digits: no more than 50 years ahead. */
static void
test_two_digit_years(void **state)
{
    static const struct {
        const char *text;
        int64_t now, want;
    } cases[] = {
        { "Tuesday, 14-Nov-23 22:13:20 GMT", NOW, NOW },
        { "Tuesday, 14-Nov-72 22:13:20 GMT", NOW, INT64_C(3246387200) },
        { "Tuesday, 14-Nov-74 22:13:20 GMT", NOW, 153699200 },
        { "Friday, 31-Dec-99 23:59:59 GMT", NOW, 946684799 },
        { "Saturday, 01-Jan-00 00:00:00 GMT", NOW, 946684800 },
        { "Friday, 01-Jan-00 00:00:00 GMT", INT64_C(4102444800),
          INT64_C(4102444800) },
        /* 29 February is only in the years that have one */
        { "Tuesday, 29-Feb-00 00:00:00 GMT", NOW, 951782400 },
        { "Tuesday, 29-Feb-00 00:00:00 GMT", INT64_C(4102444800), 951782400 },
        /* the second itself */
        { "Tuesday, 01-Jan-30 00:00:00 GMT", 1893456000 - 50 * YEAR,
          1893456000 },
        { "Tuesday, 01-Jan-30 00:00:00 GMT", 1893456000 - 50 * YEAR - 1, -1 },
        { "Friday, 01-Jan-80 00:00:00 GMT",
          INT64_C(3471292800) - 50 * YEAR, INT64_C(3471292800) },
        { "Friday, 01-Jan-80 00:00:00 GMT",
          INT64_C(3471292800) - 50 * YEAR - 1, 315532800 },
        /* before the epoch is not at all */
        { "Wednesday, 31-Dec-69 23:59:59 GMT", 0, -1 },
        { "Thursday, 01-Jan-70 00:00:00 GMT", 0, 0 },
        { "Sunday, 29-Feb-25 00:00:00 GMT", NOW, -1 },
    };
    size_t i;
    int64_t t;

    (void) state;
    for (i = 0; i < COUNT(cases); i++) {
        t = wba_http_date(wba_str_z(cases[i].text), cases[i].now);
        if (t != cases[i].want) {
            fail_msg("case %zu %s: %lld", i, cases[i].text, (long long) t);
        }
    }
    for (i = 0; i < COUNT(clocks); i++) {
        t = wba_http_date(WBA_STR("Sunday, 06-Nov-94 08:49:37 GMT"),
                          clocks[i]);
        assert_true(t >= -1 && t <= LATEST);
    }
}

static bool
is_digit(int c)
{
    return c >= '0' && c <= '9';
}

/* Every prefix, one byte more, and every other byte in every place. */
static void
test_dates_are_strict(void **state)
{
    static const char *const texts[] = { "Sun, 06 Nov 1994 08:49:37 GMT",
                                         "Sunday, 06-Nov-94 08:49:37 GMT",
                                         "Sun Nov 06 08:49:37 1994" };
    size_t i, at, len;
    char text[40];
    int c;

    (void) state;
    for (i = 0; i < COUNT(texts); i++) {
        len = strlen(texts[i]);
        assert_true(date_of(texts[i], len, NOW) == 784111777);
        for (at = 0; at < len; at++) {
            assert_true(date_of(texts[i], at, NOW) == -1);
        }
        assert_true(date_of(texts[i], len + 1, NOW) == -1);
        memcpy(text, texts[i], len + 1);
        for (at = 0; at < len; at++) {
            for (c = 0; c < 256; c++) {
                /* a digit may be another; asctime's day may be padded */
                if (c == texts[i][at]
                    || (is_digit(c) && is_digit(texts[i][at]))
                    || (i == 2 && at == 8 && c == ' '))
                {
                    continue;
                }
                text[at] = (char) c;
                if (date_of(text, len, NOW) != -1) {
                    fail_msg("<%s>, byte %zu is %d", texts[i], at, c);
                }
            }
            text[at] = texts[i][at];
        }
    }
}

/* ---- header lines */

/* "Name: value" lines, each ended by "\n". */
static void
feed(wba_freshness_t *f, const char *lines, int64_t now)
{
    const char *colon, *end;
    uint8_t *copy;
    size_t len;

    wba_freshness_init(f, now);
    for (; *lines; lines = end + 1) {
        end = strchr(lines, '\n');
        colon = strchr(lines, ':');
        assert_true(end != NULL && colon != NULL && colon < end);
        len = (size_t) (end - colon - 1);
        copy = malloc(len ? len : 1);
        assert_non_null(copy);
        memcpy(copy, colon + 1, len);
        wba_freshness_header(f, wba_str(lines, (size_t) (colon - lines)),
                             wba_str_trim(wba_str(copy, len)));
        free(copy);
    }
}

static int64_t
lifetime_of(const char *lines)
{
    wba_freshness_t f;

    feed(&f, lines, NOW);
    return wba_freshness_lifetime(&f, NOW, -FOREVER, FOREVER);
}

#define CC "Cache-Control:"
#define DEFAULT WBA_FRESHNESS_DEFAULT
#define MOST INT64_C(2147483648)

static const struct {
    const char *lines;
    int64_t want; /* before it is kept between min and max */
} lifetimes[] = {
    /* nothing said */
    { "", DEFAULT },
    { CC "\n", DEFAULT },
    { CC " ,, , \n", DEFAULT },
    { "Content-Type: text/html\n", DEFAULT },
    { "Age: 100\n", DEFAULT - 100 },
    { "Age: 4000\n", DEFAULT - 4000 },

    /* max-age */
    { CC "max-age=600\n", 600 },
    { "cAcHe-cOnTrOl: MAX-Age=600\n", 600 },
    { CC "max-age=0\n", 0 },
    { CC "max-age=00600\n", 600 },
    { CC "max-age=\"600\"\n", 600 },
    { CC "max-age = 600\n", 600 },
    { CC "\tmax-age=600\t\n", 600 },
    { CC ",max-age=600,\n", 600 },
    { CC "public,max-age=600 , immutable\n", 600 },
    { CC "max-age=600, stale-if-error=86400\n", 600 },
    { CC "public\n" CC "max-age=600\n" CC "immutable\n", 600 },
    { CC "max-age=2147483647\n", MOST - 1 },
    { CC "max-age=2147483648\n", MOST },
    { CC "max-age=2147483649\n", MOST },
    { CC "max-age=9223372036854775807\n", MOST },
    { CC "max-age=9223372036854775808\n", MOST },
    { CC "max-age=18446744073709551616\n", MOST },
    { CC "max-age=99999999999999999999999999999999999999999999\n", MOST },

    /* not a number: stale */
    { CC "max-age\n", 0 },
    { CC "max-age=\n", 0 },
    { CC "max-age=\"\"\n", 0 },
    { CC "max-age=\"\n", 0 },
    { CC "max-age=\"600\n", 0 },
    { CC "max-age=600\"\n", 0 },
    { CC "max-age='600'\n", 0 },
    { CC "max-age=\"60\\0\"\n", 0 },
    { CC "max-age=\" 600\"\n", 0 },
    { CC "max-age=\"600\"0\n", 0 },
    { CC "max-age=-1\n", 0 },
    { CC "max-age=+600\n", 0 },
    { CC "max-age=600.5\n", 0 },
    { CC "max-age=6e2\n", 0 },
    { CC "max-age=0x10\n", 0 },
    { CC "max-age=60 0\n", 0 },
    { CC "max-age=600s\n", 0 },
    { CC "max-age=600;public\n", 0 },
    { CC "max-age==600\n", 0 },
    { CC "max-age=soon\n", 0 },
    { CC "max-age=soon, max-age=600\n", 0 },
    { CC "max-age=600, max-age=soon\n", 0 },
    { CC "max-age=600\n" CC "max-age\n", 0 },
    { CC "max-age=soon\nExpires: " NOW_PLUS_HOUR "\n", 0 },

    /* not this directive */
    { CC "max-age600\n", DEFAULT },
    { CC "x-max-age=600\n", DEFAULT },
    { CC "max-age-x=600\n", DEFAULT },
    { CC "max age=600\n", DEFAULT },
    { CC "\"max-age\"=600\n", DEFAULT },
    { CC "=600\n", DEFAULT },
    { CC "=\n", DEFAULT },
    { CC "s-maxage=600\n", DEFAULT },
    { CC "s-maxage=soon\n", DEFAULT },
    { CC "s-maxage=1, max-age=600\n", 600 },
    { CC "private, public, proxy-revalidate\n", DEFAULT },
    { "Pragma: no-cache\n", DEFAULT },
    { "Surrogate-Control: max-age=600\n", DEFAULT },
    { "Cache-Control-X:max-age=600\n", DEFAULT },
    { "X-Cache-Control:max-age=600\n", DEFAULT },

    /* quoted strings: their commas and directives are theirs */
    { CC "private=\"a, max-age=1\"\n", DEFAULT },
    { CC "private=\"a, no-store\", max-age=600\n", 600 },
    { CC "ext=\"a\\\", max-age=1\", max-age=600\n", 600 },
    { CC "ext=\"a\\\\\", max-age=600\n", 600 },
    { CC "ext=\"a\\\\\\\", no-store, \", max-age=600\n", 600 },
    { CC "ext=\"\", max-age=600\n", 600 },
    { CC "\"a,no-store\",max-age=600\n", 600 },
    { CC "ext=a\\, max-age=600\n", 600 },
    { CC "ext=\"a\", \"max-age=1\", max-age=600\n", 600 },

    /* one without an end may have swallowed no-store */
    { CC "max-age=600, ext=\"a, no-store\n", 0 },
    { CC "max-age=600, ext=\"\n", 0 },
    { CC "max-age=600, \"\n", 0 },
    { CC "max-age=600, ext=\"a\\\"\n", 0 },
    { CC "max-age=600, ext=\"a\\\n", 0 },
    { CC "ext=\"a\n" CC "max-age=600\n", 0 },
    { CC "max-age=600\n" CC "\"\n", 0 },

    /* garbage */
    { CC "\x01\xff;;; max-age=600\n", DEFAULT },
    { CC "\x01\xff;;;, max-age=600\n", 600 },
    { CC "@, [], {}, max-age=600\n", 600 },

    /* what forbids to rest on it */
    { CC "no-store\n", 0 },
    { CC "no-cache\n", 0 },
    { CC "must-revalidate\n", 0 },
    { CC "No-Store\n", 0 },
    { CC "NO-CACHE\n", 0 },
    { CC "Must-Revalidate\n", 0 },
    { CC "no-cache=\"Set-Cookie, X\"\n", 0 },
    { CC "no-store=1\n", 0 },
    { CC " no-store \n", 0 },
    { CC "max-age=600, no-store\n", 0 },
    { CC "no-cache, max-age=600\n", 0 },
    { CC "max-age=600\n" CC "must-revalidate\n", 0 },
    { CC "must-revalidate\nExpires: " NOW_PLUS_HOUR "\n", 0 },
    { CC "no-storex\n", DEFAULT },
    { CC "no-stor\n", DEFAULT },
    { CC "no_store\n", DEFAULT },
    { CC "no-cachex, must-revalidated\n", DEFAULT },
    { CC "immutable=no-store\n", DEFAULT },

    /* Age */
    { CC "max-age=600\nAge: 100\n", 500 },
    { "aGE: 100\n" CC "max-age=600\n", 500 },
    { CC "max-age=600\nAge: 600\n", 0 },
    { CC "max-age=600\nAge: 700\n", -100 },
    { CC "max-age=600\nAge: 0\n", 600 },
    { CC "max-age=600\nAge: 99999999999999999999\n", 600 - MOST },
    { CC "max-age=99999999999999\nAge: 99999999999999\n", 0 },
    { CC "no-store\nAge: 99999999999999\n", -MOST },
    { "Expires: " NOW_PLUS_600 "\nAge: 100\n", 500 },
    { CC "max-age=600\nAge:\n", 600 },
    { CC "max-age=600\nAge: -100\n", 600 },
    { CC "max-age=600\nAge: 1.5\n", 600 },
    { CC "max-age=600\nAge: old\n", 600 },
    { CC "max-age=600\nAge: \"100\"\n", 600 },
    { CC "max-age=600\nAge: 100\nAge: 200\n", 400 },
    { CC "max-age=600\nAge: 200\nAge: 100\n", 400 },
    { CC "max-age=600\nAge: 200\nAge: old\n", 400 },
    { CC "max-age=600\nAge: 100, 200\n", 400 },
    { CC "max-age=600\nAge: 200 ,100\n", 400 },
    { CC "max-age=600\nAge: old, 100,,\n", 500 },
    { CC "max-age=600\nAge: ,\n", 600 },
    { CC "max-age=600\nAge: 9\n", 591 },
    { CC "max-age=600\nAge: 1,200\n", 400 },
    { CC "max-age=600\nAge: ,100\n", 500 },

    /* Expires, with and without Date */
    { "Expires: " NOW_PLUS_600 "\n", 600 },
    { "eXPIRES: " NOW_PLUS_600 "\ndATE: " AT_NOW "\n", 600 },
    { "Date: " NOW_MINUS_600 "\nExpires: " AT_NOW "\n", 600 },
    { "Date: " NOW_PLUS_600 "\nExpires: " NOW_PLUS_600 "\n", 0 },
    { "Date: " NOW_MINUS_600 "\nExpires: " NOW_PLUS_600 "\n", 1200 },
    { "Expires: " NOW_MINUS_600 "\n", -600 },
    { "Expires: " AT_NOW "\n", 0 },
    { "Expires: Tuesday, 14-Nov-23 22:23:20 GMT\n", 600 },
    { "Expires: Tue Nov 14 22:23:20 2023\n", 600 },
    { "Expires: Fri, 31 Dec 9999 23:59:59 GMT\n", LATEST - NOW },
    { "Expires: Thu, 01 Jan 1970 00:00:00 GMT\n", -NOW },
    { "Expires: Thu, 01 Jan 1970 00:00:00 GMT\nExpires: " AT_NOW "\n", -NOW },
    { "Date: Thu, 01 Jan 1970 00:00:00 GMT\nExpires: " AT_NOW "\n", NOW },
    { "Expires: 0\n", 0 },
    { "Expires: -1\n", 0 },
    { "Expires:\n", 0 },
    { "Expires: never\n", 0 },
    { "Expires: 1700000600\n", 0 },
    { "Expires: Mon, 01 Jan 1900 00:00:00 GMT\n", 0 },
    { "Expires: 0\nExpires: " NOW_PLUS_600 "\n", 0 },
    { "Expires: " NOW_PLUS_600 "\nExpires: 0\n", 0 },
    { "Expires: " NOW_PLUS_600 "\nExpires: " NOW_PLUS_HOUR "\n", 600 },
    { "Expires: " NOW_PLUS_HOUR "\nExpires: " NOW_PLUS_600 "\n", 600 },
    { "Expires: " NOW_PLUS_HOUR "\nExpires: " NOW_MINUS_600 "\n", -600 },
    { "Date: now\nExpires: " NOW_PLUS_600 "\n", 600 },
    { "Date:\nExpires: " NOW_PLUS_600 "\n", 600 },
    { "Date: Mon, 01 Jan 1900 00:00:00 GMT\nExpires: " NOW_PLUS_600 "\n",
      600 },
    { "Date: " NOW_PLUS_HOUR "\nDate: " AT_NOW "\nExpires: " NOW_PLUS_600
      "\n",
      600 },

    /* max-age wins over Expires, sound or not, sooner or later */
    { CC "max-age=600\nExpires: 0\n", 600 },
    { "Expires: 0\n" CC "max-age=600\n", 600 },
    { CC "max-age=600\nExpires: " NOW_MINUS_600 "\n", 600 },
    { CC "max-age=600\nExpires: " NOW_PLUS_HOUR "\n", 600 },
    { CC "max-age=0\nExpires: " NOW_PLUS_HOUR "\n", 0 },
    { CC "s-maxage=9\nExpires: " NOW_PLUS_600 "\n", 600 },

    /* conflicts: the most restrictive */
    { CC "max-age=600, max-age=300\n", 300 },
    { CC "max-age=300, max-age=600\n", 300 },
    { CC "max-age=600\n" CC "max-age=300\n", 300 },
    { CC "max-age=600\n" CC "max-age=0\n", 0 },
    { CC "max-age=0, max-age=600\n", 0 },
    { CC "max-age=600, max-age=\"300\", max-age=99999999999999\n", 300 },

    /* a tenth of the time since Last-Modified */
    { "Last-Modified: " NOW_MINUS_HOUR "\n", 360 },
    { "lAST-mODIFIED: " NOW_MINUS_HOUR "\nDate: " AT_NOW "\n", 360 },
    { "Date: " NOW_MINUS_600 "\nLast-Modified: " NOW_MINUS_HOUR "\n", 300 },
    { "Last-Modified: " AT_NOW "\n", 0 },
    { "Last-Modified: Tue, 14 Nov 2023 22:13:11 GMT\n", 0 },
    { "Last-Modified: Tue, 14 Nov 2023 22:13:10 GMT\n", 1 },
    { "Last-Modified: " NOW_MINUS_HOUR "\nAge: 100\n", 260 },
    { "Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT\n", NOW / 10 },
    { "Last-Modified: " NOW_PLUS_600 "\n", DEFAULT },
    { "Last-Modified: yesterday\n", DEFAULT },
    { "Last-Modified:\n", DEFAULT },
    { "Last-Modified: Mon, 01 Jan 1900 00:00:00 GMT\n", DEFAULT },
    { "Last-Modified: " NOW_MINUS_HOUR "\nLast-Modified: " NOW_MINUS_600 "\n",
      60 },
    { "Last-Modified: " NOW_MINUS_600 "\nLast-Modified: " NOW_MINUS_HOUR "\n",
      60 },
    { "Last-Modified: " NOW_MINUS_600 "\nLast-Modified: x\n", 60 },
    { CC "max-age=600\nLast-Modified: " NOW_MINUS_HOUR "\n", 600 },
    { "Expires: " NOW_PLUS_600 "\nLast-Modified: " NOW_MINUS_HOUR "\n", 600 },
    { "Expires: 0\nLast-Modified: " NOW_MINUS_HOUR "\n", 0 },
    { CC "no-cache\nLast-Modified: " NOW_MINUS_HOUR "\n", 0 },
};

static void
test_lifetimes(void **state)
{
    int64_t got;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(lifetimes); i++) {
        got = lifetime_of(lifetimes[i].lines);
        if (got != lifetimes[i].want) {
            fail_msg("case %zu: %lld instead of %lld for\n%s", i,
                     (long long) got, (long long) lifetimes[i].want,
                     lifetimes[i].lines);
        }
    }
}

/* What is absent, rather than empty. */
static void
test_null_values(void **state)
{
    static const char *const names[] = { "Cache-Control", "Age", "Date",
                                         "Last-Modified", "Retry-After" };
    wba_freshness_t f;
    size_t i;

    (void) state;
    wba_freshness_init(&f, NOW);
    for (i = 0; i < COUNT(names); i++) {
        wba_freshness_header(&f, wba_str_z(names[i]), WBA_STR_NONE);
    }
    wba_freshness_header(&f, WBA_STR_NONE, WBA_STR("max-age=5"));
    assert_int_equal(wba_freshness_lifetime(&f, NOW, 0, FOREVER), DEFAULT);
    wba_freshness_header(&f, WBA_STR("Expires"), WBA_STR_NONE);
    assert_int_equal(wba_freshness_lifetime(&f, NOW, 0, FOREVER), 0);
}

static void
test_bounds(void **state)
{
    static const struct {
        const char *lines;
        int64_t min, max, want;
    } cases[] = {
        { CC "max-age=299\n", 300, 86400, 300 },
        { CC "max-age=300\n", 300, 86400, 300 },
        { CC "max-age=301\n", 300, 86400, 301 },
        { CC "max-age=86399\n", 300, 86400, 86399 },
        { CC "max-age=86400\n", 300, 86400, 86400 },
        { CC "max-age=86401\n", 300, 86400, 86400 },
        { CC "max-age=99999999999999999999\n", 300, 86400, 86400 },
        { CC "max-age=90000\nAge: 3600\n", 300, 86400, 86400 },
        { CC "max-age=90000\nAge: 3601\n", 300, 86400, 86399 },
        { CC "max-age=600\nAge: 99999\n", 300, 86400, 300 },
        { CC "max-age=0\n", 300, 86400, 300 },
        { CC "max-age=x\n", 300, 86400, 300 },
        { CC "no-store, max-age=600\n", 300, 86400, 300 },
        { "Expires: 0\n", 300, 86400, 300 },
        { "Expires: Thu, 01 Jan 1970 00:00:00 GMT\n", 300, 86400, 300 },
        { "Expires: Fri, 31 Dec 9999 23:59:59 GMT\n", 300, 86400, 86400 },
        { "Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT\n", 300, 86400,
          86400 },
        { "", 300, 86400, 3600 },
        { "", 7200, 86400, 7200 },
        { "", 60, 600, 600 },
        { "", 600, 600, 600 },
    };
    wba_freshness_t f;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(cases); i++) {
        feed(&f, cases[i].lines, NOW);
        if (wba_freshness_lifetime(&f, NOW, cases[i].min, cases[i].max)
            != cases[i].want)
        {
            fail_msg("case %zu: %s", i, cases[i].lines);
        }
    }
}

/* Any clock, with the earliest and the latest that headers can say. */
static void
test_any_clock(void **state)
{
    static const char *const lines[] = {
        "",
        "Expires: Thu, 01 Jan 1970 00:00:00 GMT\nAge: 9999999999\n",
        "Expires: Fri, 31 Dec 9999 23:59:60 GMT\n",
        ("Date: Fri, 31 Dec 9999 23:59:60 GMT\n"
         "Expires: Thu, 01 Jan 1970 00:00:00 GMT\nAge: 9999999999\n"),
        "Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT\n",
        "Last-Modified: Fri, 31 Dec 9999 23:59:60 GMT\n",
        "Retry-After: Fri, 31 Dec 9999 23:59:60 GMT\n",
        "Retry-After: Thu, 01 Jan 1970 00:00:00 GMT\n",
        "Retry-After: 99999999999999999999\n",
        "Expires: Sunday, 06-Nov-94 08:49:37 GMT\n",
    };
    wba_freshness_t f;
    size_t i, k, r;
    int64_t n;

    (void) state;
    for (i = 0; i < COUNT(lines); i++) {
        for (k = 0; k < COUNT(clocks); k++) {
            feed(&f, lines[i], clocks[k]);
            for (r = 0; r < COUNT(clocks); r++) {
                n = wba_freshness_lifetime(&f, clocks[r], 300, 86400);
                assert_in_range(n, 300, 86400);
                n = wba_freshness_lifetime(&f, clocks[r], INT64_MIN,
                                           INT64_MAX);
                assert_true(n >= -FOREVER && n <= FOREVER);
                n = wba_freshness_retry_ms(1, &f, true, clocks[r], 0);
                assert_in_range(n, 500, 3600 * 1000);
            }
        }
    }
}

/* ---- when to fetch again */

static void
test_refresh(void **state)
{
    static const int64_t seconds[] = { 1, 2, 5, 60, 300, 3600, 86400, MOST,
                                       INT64_C(1) << 40 };
    static const uint32_t randoms[] = { 0, 1, 0x40000000, 0x80000000,
                                        0xfffffffe, UINT32_MAX };
    size_t i, r;
    int64_t ms, before;

    (void) state;
    for (i = 0; i < COUNT(seconds); i++) {
        before = -1;
        for (r = 0; r < COUNT(randoms); r++) {
            ms = wba_freshness_refresh_ms(seconds[i], randoms[r]);
            assert_true(ms >= seconds[i] * 800 && ms <= seconds[i] * 950);
            assert_true(ms >= before);
            before = ms;
        }
        assert_true(wba_freshness_refresh_ms(seconds[i], 0)
                    == seconds[i] * 800);
        assert_true(wba_freshness_refresh_ms(seconds[i], 0x80000000)
                    == seconds[i] * 875);
        assert_true(before >= seconds[i] * 950 - 1 - seconds[i] / 1000000);
    }
    for (r = 0; r < COUNT(randoms); r++) {
        assert_int_equal(wba_freshness_refresh_ms(0, randoms[r]), 1);
        assert_int_equal(wba_freshness_refresh_ms(-1, randoms[r]), 1);
        assert_int_equal(wba_freshness_refresh_ms(INT64_MIN, randoms[r]), 1);
        assert_true(wba_freshness_refresh_ms(INT64_MAX, randoms[r])
                    > FOREVER);
        assert_true(wba_freshness_refresh_ms(INT64_MAX / 800 + 1, randoms[r])
                    > FOREVER);
    }
}

/* ---- how long to leave it alone */

static const struct {
    unsigned failures;
    int64_t seconds;
} pauses[] = {
    { 0, 1 },   { 1, 1 },   { 2, 2 },    { 3, 4 },    { 4, 8 },
    { 5, 16 },  { 6, 32 },  { 7, 64 },   { 8, 128 },  { 9, 256 },
    { 10, 300 }, { 11, 300 }, { 31, 300 }, { 32, 300 }, { 33, 300 },
    { 63, 300 }, { 64, 300 }, { 65, 300 }, { 1000, 300 },
    { UINT32_MAX, 300 },
};

/* It doubles, and between a half and the whole of it counts; that keys are
 * held changes nothing where the directory asked for nothing. */
static void
test_backoff(void **state)
{
    wba_freshness_t silent;
    int64_t ms, before;
    uint64_t random;
    size_t i;
    int how;

    (void) state;
    feed(&silent, CC "max-age=600\n", NOW);
    for (i = 0; i < COUNT(pauses); i++) {
        for (how = 0; how < 4; how++) {
            const wba_freshness_t *f = how & 1 ? &silent : NULL;
            bool loaded = (how & 2) != 0;

            before = 0;
            for (random = 0; random <= UINT32_MAX; random += 0x1111111) {
                ms = wba_freshness_retry_ms(pauses[i].failures, f, loaded, NOW,
                                            (uint32_t) random);
                assert_in_range(ms, pauses[i].seconds * 500,
                                pauses[i].seconds * 1000);
                assert_true(ms >= before);
                before = ms;
            }
            assert_int_equal(wba_freshness_retry_ms(pauses[i].failures, f,
                                                    loaded, NOW, 0),
                             pauses[i].seconds * 500);
            assert_int_equal(wba_freshness_retry_ms(pauses[i].failures, f,
                                                    loaded, NOW, 0x80000000),
                             pauses[i].seconds * 750);
            assert_in_range(before, pauses[i].seconds * 1000 - 1,
                            pauses[i].seconds * 1000);
        }
    }
}

#define RA "Retry-After:"

static const struct {
    const char *lines;
    unsigned failures;
    int64_t held, bare; /* ms, with random 0, with keys and without */
} retries[] = {
    { RA "0\n", 1, 500, 500 },
    { RA "1\n", 1, 1000, 1000 },
    { RA "120\n", 1, 120000, 120000 },
    { "rETRY-aFTER: 120\n", 1, 120000, 120000 },
    { RA "000120\n", 1, 120000, 120000 },
    { RA "299\n", 1, 299000, 299000 },
    { RA "300\n", 1, 300000, 300000 },
    { RA "301\n", 1, 301000, 300000 },
    { RA "3599\n", 1, 3599000, 300000 },
    { RA "3600\n", 1, 3600000, 300000 },
    { RA "3601\n", 1, 3600000, 300000 },
    { RA "86400\n", 1, 3600000, 300000 },
    { RA "99999999999999999999999999\n", 1, 3600000, 300000 },

    /* never less than the backoff */
    { RA "1\n", 9, 128000, 128000 },
    { RA "127\n", 9, 128000, 128000 },
    { RA "129\n", 9, 129000, 129000 },
    { RA "0\n", 100, 150000, 150000 },
    { RA "86400\n", 100, 3600000, 300000 },

    /* dates */
    { RA NOW_PLUS_600 "\n", 1, 600000, 300000 },
    { RA NOW_PLUS_HOUR "\n", 1, 3600000, 300000 },
    { RA "Tue, 14 Nov 2023 22:14:20 GMT\n", 1, 60000, 60000 },
    { RA "Tuesday, 14-Nov-23 22:14:20 GMT\n", 1, 60000, 60000 },
    { RA "Tue Nov 14 22:14:20 2023\n", 1, 60000, 60000 },
    { RA "Fri, 31 Dec 9999 23:59:59 GMT\n", 1, 3600000, 300000 },
    { RA AT_NOW "\n", 1, 500, 500 },
    { RA NOW_MINUS_600 "\n", 1, 500, 500 },
    { RA "Tue, 14 Nov 2023 22:13:19 GMT\n", 1, 500, 500 },
    { RA "Thu, 01 Jan 1970 00:00:00 GMT\n", 1, 500, 500 },
    { RA "Mon, 01 Jan 1900 00:00:00 GMT\n", 1, 500, 500 },
    { RA NOW_MINUS_600 "\n", 9, 128000, 128000 },

    /* of several the longest */
    { RA "60\n" RA "120\n", 1, 120000, 120000 },
    { RA "120\n" RA "60\n", 1, 120000, 120000 },
    { RA "60\n" RA NOW_PLUS_600 "\n", 1, 600000, 300000 },
    { RA NOW_PLUS_600 "\n" RA "60\n", 1, 600000, 300000 },
    { RA NOW_MINUS_600 "\n" RA "60\n", 1, 60000, 60000 },
    { RA NOW_PLUS_600 "\n" RA AT_NOW "\n", 1, 600000, 300000 },
    { RA AT_NOW "\n" RA NOW_PLUS_600 "\n", 1, 600000, 300000 },
    { RA "60\n" RA "later\n", 1, 60000, 60000 },

    /* nothing that counts */
    { "", 1, 500, 500 },
    { RA "\n", 1, 500, 500 },
    { RA "later\n", 1, 500, 500 },
    { RA "-120\n", 1, 500, 500 },
    { RA "+120\n", 1, 500, 500 },
    { RA "1.5\n", 1, 500, 500 },
    { RA "120s\n", 1, 500, 500 },
    { RA "\"120\"\n", 1, 500, 500 },
    { RA "120, 240\n", 1, 500, 500 },
    { "X-Retry-After:120\n", 1, 500, 500 },
    { "Retry-After-X:120\n", 1, 500, 500 },
    { CC "max-age=600\nAge: 9\n", 1, 500, 500 },
};

static void
test_retry_after(void **state)
{
    wba_freshness_t f;
    int64_t held, bare;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(retries); i++) {
        feed(&f, retries[i].lines, NOW);
        held = wba_freshness_retry_ms(retries[i].failures, &f, true, NOW, 0);
        bare = wba_freshness_retry_ms(retries[i].failures, &f, false, NOW, 0);
        if (held != retries[i].held || bare != retries[i].bare) {
            fail_msg("case %zu: %lld %lld for %s", i, (long long) held,
                     (long long) bare, retries[i].lines);
        }
    }
}

/* A date counts from when it is asked, and the jitter may exceed a wish. */
static void
test_retry_after_later(void **state)
{
    wba_freshness_t f;

    (void) state;
    feed(&f, RA NOW_PLUS_600 "\n", NOW);
    assert_int_equal(wba_freshness_retry_ms(1, &f, true, NOW + 590, 0), 10000);
    assert_int_equal(wba_freshness_retry_ms(1, &f, true, NOW + 600, 0), 500);
    assert_int_equal(wba_freshness_retry_ms(1, &f, true, NOW + 601, 0), 500);
    assert_int_equal(wba_freshness_retry_ms(1, &f, true, 0, 0), 3600000);
    feed(&f, RA "200\n", NOW);
    assert_int_equal(wba_freshness_retry_ms(9, &f, false, NOW, 0), 200000);
    assert_in_range(wba_freshness_retry_ms(9, &f, false, NOW, UINT32_MAX),
                    255999, 256000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_every_day),
        cmocka_unit_test(test_two_digit_years),
        cmocka_unit_test(test_dates_are_strict),
        cmocka_unit_test(test_lifetimes),
        cmocka_unit_test(test_null_values),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_any_clock),
        cmocka_unit_test(test_refresh),
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_retry_after_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
