/* SPDX-License-Identifier: BSD-2-Clause */
#include "when.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static bool
parse_number(const char *text, const char **end, int64_t *out)
{
    *out = 0;
    *end = text;
    while (**end >= '0' && **end <= '9') {
        *out = *out * 10 + (*(*end)++ - '0');
        if (*out > WHEN_MAX) {
            return false;
        }
    }
    return *end != text;
}

static bool
is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days from the epoch to a date of the Gregorian calendar, from year 1 on. */
static bool
days_to(int64_t year, int month, int day, int64_t *out)
{
    static const int lengths[] = { 31, 28, 31, 30, 31, 30,
                                   31, 31, 30, 31, 30, 31 };
    int64_t past = year - 1;
    int i, length;

    if (year < 1 || month < 1 || month > 12 || day < 1) {
        return false;
    }
    *out = past * 365 + past / 4 - past / 100 + past / 400 - 719162;
    for (i = 0; i < month; i++) {
        length = lengths[i] + (i == 1 && is_leap(year));
        if (i == month - 1) {
            *out += day - 1;
            return day <= length;
        }
        *out += length;
    }
    return false;
}

/* RFC 3339 in UTC, to the second, a blank instead of T allowed. */
static bool
parse_date(const char *text, int64_t *out)
{
    int year, month, day, hour, minute, second, used = 0;
    int64_t days;

    /* Nothing that sscanf could not represent: every number has a width.
     * NOLINTBEGIN(cert-err34-c) */
    if (strlen(text) != 20
        || strspn(text, "0123456789-T :Z") != 20
        || sscanf(text, "%4d-%2d-%2d%*1[T ]%2d:%2d:%2dZ%n", &year, &month,
                  &day, &hour, &minute, &second, &used)
               != 6
        || used != 20 || !days_to(year, month, day, &days) || hour < 0
        || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
    {
        return false;
    }
    /* NOLINTEND(cert-err34-c) */
    *out = days * 86400 + hour * 3600 + minute * 60 + second;
    return true;
}

bool
when_parse(const char *text, int64_t now, int64_t *out)
{
    int64_t offset;
    const char *end;

    if (strcmp(text, "now") == 0) {
        *out = now;
        return true;
    }
    if (text[0] == '+' || text[0] == '-') {
        if (!when_parse_duration(text + 1, &offset)) {
            return false;
        }
        *out = text[0] == '+' ? now + offset : now - offset;
        return *out >= -WHEN_MAX && *out <= WHEN_MAX;
    }
    if (parse_number(text, &end, out) && *end == '\0') {
        return true;
    }
    return parse_date(text, out);
}

bool
when_parse_duration(const char *text, int64_t *out)
{
    static const struct {
        char letter;
        int64_t seconds;
    } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
    const char *end;
    size_t i;

    if (!parse_number(text, &end, out)) {
        return false;
    }
    if (*end == '\0') {
        return true;
    }
    for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (end[0] == units[i].letter && end[1] == '\0') {
            if (*out > WHEN_MAX / units[i].seconds) {
                return false;
            }
            *out *= units[i].seconds;
            return true;
        }
    }
    return false;
}

void
when_format(int64_t t, char out[WHEN_TEXT])
{
    int64_t days = t / 86400, second = t % 86400;
    int64_t year, month, first;

    /* From the days of 9999-12-31 on, and before the epoch: no date. */
    if (t < 0 || days > 2932896) {
        (void) snprintf(out, WHEN_TEXT, "%" PRId64, t);
        return;
    }
    year = 1970 + days / 366;
    while (days_to(year + 1, 1, 1, &first) && first <= days) {
        year++;
    }
    for (month = 12; month > 1; month--) {
        if (days_to(year, (int) month, 1, &first) && first <= days) {
            break;
        }
    }
    (void) days_to(year, (int) month, 1, &first);
    (void) snprintf(out, WHEN_TEXT, "%04d-%02d-%02d %02d:%02d:%02d UTC",
                    (int) year, (int) month, (int) (days - first + 1),
                    (int) (second / 3600), (int) (second / 60 % 60),
                    (int) (second % 60));
}

void
when_format_duration(int64_t seconds, char out[WHEN_TEXT])
{
    static const struct {
        const char *name;
        int64_t seconds;
    } units[] = { { "year", 31557600 }, { "day", 86400 }, { "hour", 3600 },
                  { "minute", 60 },     { "second", 1 } };
    unsigned written = 0;
    size_t i, len = 0;
    int64_t n;

    (void) snprintf(out, WHEN_TEXT, "0 seconds");
    for (i = 0; i < sizeof(units) / sizeof(units[0]) && written < 2; i++) {
        n = seconds / units[i].seconds;
        if (n == 0) {
            if (written) {
                break; /* "2 days 4 seconds" tells nobody anything */
            }
            continue;
        }
        len += (size_t) snprintf(out + len, WHEN_TEXT - len,
                                 "%s%" PRId64 " %s%s", written ? " " : "", n,
                                 units[i].name, n == 1 ? "" : "s");
        seconds %= units[i].seconds;
        written++;
    }
}

void
when_format_age(int64_t t, int64_t now, char out[WHEN_TEXT])
{
    char duration[WHEN_TEXT];

    when_format_duration(t < now ? now - t : t - now, duration);
    if (t == now) {
        (void) snprintf(out, WHEN_TEXT, "now");
    } else if (t < now) {
        (void) snprintf(out, WHEN_TEXT, "%.80s ago", duration);
    } else {
        (void) snprintf(out, WHEN_TEXT, "in %.80s", duration);
    }
}
