/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Freshness: whatever the header lines say, lifetimes, refreshes and retries
 * stay within their bounds; a date that is read is read back.
 *
 * Input: times and bounds, then header lines.
 */
#include <time.h>

#include "fuzz.h"
#include "freshness.h"

static fuzz_mem_t m;

/* An IMF-fixdate of the same second means the same. */
static void
date(wba_str_t text, int64_t now)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t t = wba_http_date(text, now);
    char again[64];
    struct tm tm;
    time_t tt = (time_t) t;

    CHECK(t >= -1 && t <= INT64_C(253402300800)); /* a leap second, perhaps */
    if (t < 0 || t == INT64_C(253402300800)) {
        return;
    }
    CHECK(gmtime_r(&tt, &tm) != NULL);
    (void) snprintf(again, sizeof(again),
                    "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
                    days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon,
                    tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    CHECK(wba_http_date(wba_str_z(again), now) == t);
}

static void
lines(wba_freshness_t *f, fuzz_in_t *in, int64_t now)
{
    wba_str_t line, name;

    while (in->len) {
        line = fuzz_copy(&m, fuzz_until(in, '\n'));
        name = fuzz_until(&line, ':');
        line = wba_str_trim(line);
        wba_freshness_header(f, name, line);
        date(line, now);
    }
    CHECK(f->max_age >= -1 && f->age >= 0 && f->date >= -1);
    CHECK(f->expires >= -1 && f->last_modified >= -1);
    CHECK(f->retry_after >= -1 && f->retry_at >= -1);
}

static void
retries(const wba_freshness_t *f, int64_t now, unsigned failures, bool loaded,
        uint32_t random)
{
    int64_t most = (loaded ? WBA_RETRY_AFTER_MAX : WBA_RETRY_MAX) * 1000;
    int64_t plain, ms;

    plain = wba_freshness_retry_ms(failures, NULL, loaded, now, random);
    CHECK(plain >= WBA_RETRY_FIRST * 1000 / 2);
    CHECK(plain <= WBA_RETRY_MAX * 1000);
    ms = wba_freshness_retry_ms(failures, f, loaded, now, random);
    CHECK(ms >= plain && ms <= (most > plain ? most : plain));
    if (f->retry_after >= 0) {
        CHECK(ms >= most || ms / 1000 >= f->retry_after
              || ms >= f->retry_after * 1000);
    }
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;
    fuzz_begin();
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_in_t in = wba_str(data, size);
    int64_t now = fuzz_int64(&in) & INT64_MAX;
    int64_t later = now / 2 + (fuzz_int64(&in) & INT64_MAX) / 2;
    int64_t min = (int64_t) fuzz_number(&in, 3) + 1;
    int64_t max = min + (int64_t) fuzz_number(&in, 4);
    uint32_t random = (uint32_t) fuzz_number(&in, 4);
    unsigned failures = (unsigned) fuzz_number(&in, fuzz_byte(&in) & 3) + 1;
    bool loaded = (fuzz_byte(&in) & 1) != 0;
    wba_freshness_t f;
    int64_t life, ms;

    now = now > INT64_C(253402300799) ? now % INT64_C(253402300799) : now;
    later = later > INT64_C(253402300799) ? later % INT64_C(253402300799)
                                          : later;
    fuzz_mem_init(&m);
    wba_freshness_init(&f, now);
    lines(&f, &in, now);
    life = wba_freshness_lifetime(&f, now, min, max);
    CHECK(life >= min && life <= max);
    CHECK(!f.no_store || life == min);
    CHECK(!f.bad || life == min);
    CHECK(f.max_age < 0 || life <= (f.max_age > min ? f.max_age : min));
    life = wba_freshness_lifetime(&f, later, min, max);
    CHECK(life >= min && life <= max);
    ms = wba_freshness_refresh_ms(life, random);
    CHECK(ms >= 1 && ms >= life * 800 && ms <= life * 950 + 1);
    retries(&f, now, failures, loaded, random);
    retries(&f, later, failures, loaded, random);
    fuzz_mem_free(&m);
    return 0;
}
