/* SPDX-License-Identifier: BSD-2-Clause */
#include "freshness.h"

/* What RFC 9111 section 1.2.2 lets larger numbers become. */
#define SATURATED INT64_C(2147483648)

/* The last second of the year 9999, the last that an HTTP-date can name. */
#define LATEST INT64_C(253402300799)

#define FIFTY_YEARS (INT64_C(50) * 31556952)

/* A clock between the times that dates can name, so that no difference of the
 * two overflows. */
static int64_t
clock_of(int64_t now)
{
    return now < 0 ? 0 : now > LATEST ? LATEST : now;
}

void
wba_freshness_init(wba_freshness_t *f, int64_t now)
{
    memset(f, 0, sizeof(*f));
    f->now = now;
    f->max_age = -1;
    f->date = -1;
    f->expires = -1;
    f->last_modified = -1;
    f->retry_after = -1;
    f->retry_at = -1;
}

/* delta-seconds (RFC 9111 section 1.2.2); -1 for anything else. */
static int64_t
delta_seconds(wba_str_t s)
{
    int64_t n = 0;
    size_t i;

    if (s.len == 0) {
        return -1;
    }
    for (i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return -1;
        }
        n = n * 10 + (s.data[i] - '0');
        n = n > SATURATED ? SATURATED : n;
    }
    return n;
}

/* HTTP-date. */

/* Days from 1970-01-01 to a day of the Gregorian calendar. */
static int64_t
days_from_civil(int64_t year, int64_t month, int64_t day)
{
    static const int16_t before[] = { 0,   31,  59,  90,  120, 151,
                                      181, 212, 243, 273, 304, 334 };
    int64_t y = year - 1;
    int64_t days = y * 365 + y / 4 - y / 100 + y / 400;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    days += before[month - 1] + (leap && month > 2) + day - 1;
    return days - 719162; /* 0001-01-01 to 1970-01-01 */
}

static bool
valid_day(int64_t year, int64_t month, int64_t day)
{
    static const uint8_t length[] = { 31, 28, 31, 30, 31, 30,
                                      31, 31, 30, 31, 30, 31 };
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return year >= 1 && month >= 1 && month <= 12 && day >= 1
           && day <= length[month - 1] + (leap && month == 2);
}

typedef struct {
    wba_str_t rest;
    bool bad;
} date_t;

static void
expect(date_t *d, const char *text)
{
    size_t len = strlen(text);

    if (d->bad || d->rest.len < len || memcmp(d->rest.data, text, len) != 0) {
        d->bad = true;
        return;
    }
    d->rest.data += len;
    d->rest.len -= len;
}

static int64_t
digits(date_t *d, size_t count)
{
    int64_t n = -1;

    if (!d->bad && d->rest.len >= count) {
        n = delta_seconds(wba_str(d->rest.data, count));
    }
    if (n < 0) {
        d->bad = true;
        return 0;
    }
    d->rest.data += count;
    d->rest.len -= count;
    return n;
}

/* asctime's day of the month: a blank may stand for the first digit. */
static int64_t
padded_digits(date_t *d)
{
    if (!d->bad && d->rest.len && d->rest.data[0] == ' ') {
        expect(d, " ");
        return digits(d, 1);
    }
    return digits(d, 2);
}

/* Which of n words comes next, from 1; case counts (RFC 9110 5.6.7). */
static int64_t
word(date_t *d, const char *const *words, size_t n)
{
    size_t i, len;

    for (i = 0; i < n; i++) {
        len = strlen(words[i]);
        if (!d->bad && d->rest.len >= len
            && memcmp(d->rest.data, words[i], len) == 0)
        {
            expect(d, words[i]);
            return (int64_t) i + 1;
        }
    }
    d->bad = true;
    return 0;
}

static int64_t
month(date_t *d)
{
    static const char *const names[] = { "Jan", "Feb", "Mar", "Apr",
                                         "May", "Jun", "Jul", "Aug",
                                         "Sep", "Oct", "Nov", "Dec" };

    return word(d, names, 12);
}

static int64_t
time_of_day(date_t *d)
{
    int64_t h, m, s;

    h = digits(d, 2);
    expect(d, ":");
    m = digits(d, 2);
    expect(d, ":");
    s = digits(d, 2);
    if (h > 23 || m > 59 || s > 60) {
        d->bad = true;
    }
    return h * 3600 + m * 60 + s;
}

static int64_t
finish(const date_t *d, int64_t year, int64_t mon, int64_t day, int64_t secs)
{
    int64_t t;

    if (d->bad || d->rest.len != 0 || !valid_day(year, mon, day)) {
        return -1;
    }
    t = days_from_civil(year, mon, day) * 86400 + secs;
    return t < 0 ? -1 : t;
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static int64_t
imf_fixdate(date_t d)
{
    int64_t day, mon, year, secs;

    expect(&d, ", ");
    day = digits(&d, 2);
    expect(&d, " ");
    mon = month(&d);
    expect(&d, " ");
    year = digits(&d, 4);
    expect(&d, " ");
    secs = time_of_day(&d);
    expect(&d, " GMT");
    return finish(&d, year, mon, day, secs);
}

/* Sunday, 06-Nov-94 08:49:37 GMT */
static int64_t
rfc850_date(date_t d, int64_t now)
{
    int64_t day, mon, year, secs, t;

    expect(&d, ", ");
    day = digits(&d, 2);
    expect(&d, "-");
    mon = month(&d);
    expect(&d, "-");
    year = digits(&d, 2);
    expect(&d, " ");
    secs = time_of_day(&d);
    expect(&d, " GMT");

    /* The latest such year that is no more than 50 years ahead. */
    for (year += 2400; year >= 1900; year -= 100) {
        t = finish(&d, year, mon, day, secs);
        if (t >= 0 && t - clock_of(now) <= FIFTY_YEARS) {
            return t;
        }
    }
    return -1;
}

/* Sun Nov  6 08:49:37 1994 */
static int64_t
asctime_date(date_t d)
{
    int64_t day, mon, year, secs;

    expect(&d, " ");
    mon = month(&d);
    expect(&d, " ");
    day = padded_digits(&d);
    expect(&d, " ");
    secs = time_of_day(&d);
    expect(&d, " ");
    year = digits(&d, 4);
    return finish(&d, year, mon, day, secs);
}

int64_t
wba_http_date(wba_str_t text, int64_t now)
{
    static const char *const long_days[] = { "Sunday",    "Monday",
                                             "Tuesday",   "Wednesday",
                                             "Thursday",  "Friday",
                                             "Saturday" };
    static const char *const days[] = { "Sun", "Mon", "Tue", "Wed",
                                        "Thu", "Fri", "Sat" };
    date_t d = { text, false };

    if (word(&d, long_days, 7)) {
        return rfc850_date(d, now);
    }
    d.bad = false;
    if (!word(&d, days, 7)) {
        return -1;
    }
    return d.rest.len && d.rest.data[0] == ',' ? imf_fixdate(d)
                                               : asctime_date(d);
}

/* Header lines. */

/* A quoted string's inside, or s as it is. */
static wba_str_t
unquoted(wba_str_t s)
{
    if (s.len >= 2 && s.data[0] == '"' && s.data[s.len - 1] == '"') {
        return wba_str(s.data + 1, s.len - 2);
    }
    return s;
}

static void
directive(wba_freshness_t *f, wba_str_t text)
{
    wba_str_t name, value = WBA_STR_NONE;
    int64_t seconds;
    size_t i;

    text = wba_str_trim(text);
    for (i = 0; i < text.len && text.data[i] != '='; i++) {
        /* up to the argument */
    }
    name = wba_str_trim(wba_str(text.data, i));
    if (i < text.len) {
        value = wba_str_trim(wba_str(text.data + i + 1, text.len - i - 1));
    }
    if (wba_str_eq_nocase(name, WBA_STR("no-store"))
        || wba_str_eq_nocase(name, WBA_STR("no-cache"))
        || wba_str_eq_nocase(name, WBA_STR("must-revalidate")))
    {
        f->no_store = true;
    } else if (wba_str_eq_nocase(name, WBA_STR("max-age"))) {
        seconds = delta_seconds(unquoted(value));
        if (seconds < 0) {
            f->bad = true;
        } else if (f->max_age < 0 || seconds < f->max_age) {
            f->max_age = seconds;
        }
    }
}

/* Commas inside quoted strings part nothing.  A string without an end may
 * have swallowed anything: that line says that the answer is stale. */
static void
cache_control(wba_freshness_t *f, wba_str_t value)
{
    size_t i, from = 0;
    bool inside = false;

    if (value.len == 0) {
        return;
    }
    for (i = 0; i < value.len; i++) {
        uint8_t c = value.data[i];

        if (inside && c == '\\') {
            i++;
        } else if (c == '"') {
            inside = !inside;
        } else if (c == ',' && !inside) {
            directive(f, wba_str(value.data + from, i - from));
            from = i + 1;
        }
    }
    directive(f, wba_str(value.data + from, value.len - from));
    f->bad = f->bad || inside;
}

/* One number; of a list, which proxies make of several lines, the largest. */
static void
age(wba_freshness_t *f, wba_str_t value)
{
    size_t i, from = 0;
    int64_t n;

    for (i = 0; value.len != 0 && i <= value.len; i++) {
        if (i == value.len || value.data[i] == ',') {
            n = delta_seconds(
                wba_str_trim(wba_str(value.data + from, i - from)));
            f->age = n > f->age ? n : f->age;
            from = i + 1;
        }
    }
}

static void
expires(wba_freshness_t *f, wba_str_t value)
{
    int64_t t = wba_http_date(value, f->now);

    if (t < 0) {
        f->bad_expires = true;
    } else if (f->expires < 0 || t < f->expires) {
        f->expires = t;
    }
}

static void
retry_after(wba_freshness_t *f, wba_str_t value)
{
    int64_t n = delta_seconds(value);

    if (n >= 0) {
        f->retry_after = n > f->retry_after ? n : f->retry_after;
    } else {
        n = wba_http_date(value, f->now);
        f->retry_at = n > f->retry_at ? n : f->retry_at;
    }
}

void
wba_freshness_header(wba_freshness_t *f, wba_str_t name, wba_str_t value)
{
    int64_t t;

    if (wba_str_eq_nocase(name, WBA_STR("cache-control"))) {
        cache_control(f, value);
    } else if (wba_str_eq_nocase(name, WBA_STR("age"))) {
        age(f, value);
    } else if (wba_str_eq_nocase(name, WBA_STR("date"))) {
        f->date = wba_http_date(value, f->now);
    } else if (wba_str_eq_nocase(name, WBA_STR("expires"))) {
        expires(f, value);
    } else if (wba_str_eq_nocase(name, WBA_STR("last-modified"))) {
        t = wba_http_date(value, f->now);
        f->last_modified = t > f->last_modified ? t : f->last_modified;
    } else if (wba_str_eq_nocase(name, WBA_STR("retry-after"))) {
        retry_after(f, value);
    }
}

/* Lifetimes. */

static int64_t
stated(const wba_freshness_t *f, int64_t now)
{
    int64_t date = f->date >= 0 ? f->date : clock_of(now);

    if (f->bad || f->no_store) {
        return 0;
    }
    if (f->max_age >= 0) {
        return f->max_age;
    }
    if (f->bad_expires) {
        return 0;
    }
    if (f->expires >= 0) {
        return f->expires - date;
    }
    if (f->last_modified >= 0 && f->last_modified <= date) {
        return (date - f->last_modified) / 10;
    }
    return WBA_FRESHNESS_DEFAULT;
}

int64_t
wba_freshness_lifetime(const wba_freshness_t *f, int64_t now, int64_t min,
                       int64_t max)
{
    int64_t lifetime = stated(f, now) - f->age;

    return lifetime < min ? min : lifetime > max ? max : lifetime;
}

/* The part of n that random stands for, of 2^32. */
static int64_t
portion(int64_t n, uint32_t random)
{
    return (int64_t) (((double) n * (double) random) / 4294967296.0);
}

int64_t
wba_freshness_refresh_ms(int64_t lifetime, uint32_t random)
{
    int64_t most = INT64_MAX / 100000, ms;

    lifetime = lifetime < 0 ? 0 : lifetime > most ? most : lifetime;
    ms = lifetime * 800 + portion(lifetime * 150, random);
    return ms < 1 ? 1 : ms;
}

int64_t
wba_freshness_retry_ms(unsigned failures, const wba_freshness_t *f,
                       bool loaded, int64_t now, uint32_t random)
{
    int64_t most = loaded ? WBA_RETRY_AFTER_MAX : WBA_RETRY_MAX;
    int64_t pause = WBA_RETRY_MAX, wish = -1, ms;

    if (failures <= 9) {
        pause = (int64_t) WBA_RETRY_FIRST << (failures ? failures - 1 : 0);
        pause = pause > WBA_RETRY_MAX ? WBA_RETRY_MAX : pause;
    }
    ms = pause * 500 + portion(pause * 500, random);

    if (f != NULL) {
        wish = f->retry_after;
        if (f->retry_at >= 0 && f->retry_at - clock_of(now) > wish) {
            wish = f->retry_at - clock_of(now);
        }
        wish = wish > most ? most : wish;
    }
    return wish * 1000 > ms ? wish * 1000 : ms;
}
