/* SPDX-License-Identifier: BSD-2-Clause */
#include "kit.h"

#include <jansson.h>

#include "report.h"

static uint8_t block[1 << 20];

static const wba_tag_t tags[] = { { { 3, (const uint8_t *) "pay" }, false } };
static const wba_report_family_t families[] = {
    { { 4, (const uint8_t *) "visa" }, 7, 2 },
    { { 7, (const uint8_t *) "a\"b\\c\nd" }, 1, 0 },
};
static const wba_report_sample_t samples[] = {
    { 1700000040, { 1, 2, 3, 4 } },
    { 1700000100, { 5, 6, 7, 8 } },
};

static wba_report_directory_t directories[3];
static wba_report_t report;

static int
fill(void **state)
{
    wba_report_directory_t *d;

    (void) state;
    memset(&report, 0, sizeof(report));
    memset(directories, 0, sizeof(directories));
    report.versions.module = report.versions.nginx = "1.2.3";
    report.versions.libsodium = report.versions.libcurl = "4.5";
    report.now = 1700000123.5;
    report.zone_size = 1 << 20;
    report.shared_store = true;
    report.nonces.rated = 100;
    report.nonces.live = 25;
    report.forgeries = (wba_forgery_stats_t) { 4096, 12, 34 };
    report.reasons[WBA_REASON_OK] = 3;
    report.reasons[WBA_REASON_DENIED_BY_RULE] = 1;
    report.reasons[WBA_REASON_NO_SIGNATURE] = UINT64_C(5000000000);
    report.decisions[WBA_DECISION_ALLOW] = 3;
    report.tags = report.sources = families;
    report.ntags = report.nsources = 2;
    report.history = samples;
    report.nhistory = 2;
    report.history_interval = 60;
    report.fetch.buckets[0] = 1;
    report.fetch.buckets[WBA_LATENCY_BOUNDS] = 2;
    report.fetch.sum_us = 30500000;
    report.directories = directories;
    report.ndirectories = 3;

    d = &directories[0];
    d->name = wba_str_z("visa");
    d->url = wba_str_z("https://keys.example/\"x");
    d->profile = wba_str_z("tap");
    d->tags = tags;
    d->ntags = 1;
    d->state = WBA_SOURCE_STALE;
    d->keys = 4;
    d->age = 90.25;
    d->expires_in = -30;
    d->next_refresh_in = 5;
    d->lease_ends_in = WBA_REPORT_UNKNOWN;
    d->error = wba_str("bad\xff", 4);
    directories[1] = *d;
    d = &directories[1];
    d->name = wba_str_z("local");
    d->state = WBA_SOURCE_FILE;
    d->age = d->expires_in = d->next_refresh_in = WBA_REPORT_UNKNOWN;
    d->error = wba_str_z("");
    directories[2] = directories[0];
    directories[2].name = wba_str_z("discovery");
    directories[2].discovered = true;
    return 0;
}

static json_t *
parsed(void)
{
    wba_buf_t buf;
    json_t *o;

    wba_buf_fixed(&buf, block, sizeof(block));
    assert_true(wba_report_json(&report, &buf));
    assert_int_equal(buf.status, WBA_OK);
    assert_int_equal(buf.data[buf.len - 1], '\n');
    o = json_loadb((char *) buf.data, buf.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(o);
    return o;
}

/* The value at a path of members and indices, separated by dots. */
static json_t *
at(json_t *o, const char *path)
{
    char name[64];
    size_t n;

    while (*path) {
        n = strcspn(path, ".");
        assert_true(n < sizeof(name));
        memcpy(name, path, n);
        name[n] = '\0';
        path += n + (path[n] == '.');
        o = json_is_array(o) ? json_array_get(o, (size_t) atoi(name))
                             : json_object_get(o, name);
        assert_non_null(o);
    }
    return o;
}

static void
json_tells_everything(void **state)
{
    json_t *o = parsed();
    static const struct {
        const char *path;
        double value;
    } numbers[] = {
        { "format", 1 },
        { "now", 1700000123.5 },
        { "zone.size", 1 << 20 },
        { "nonces.fill", 0.25 },
        { "forgeries.capacity", 4096 },
        { "forgeries.budgets", 12 },
        { "forgeries.known_keys", 34 },
        { "requests.total", 5000000004 },
        { "requests.outcomes.verified", 4 },
        { "requests.outcomes.unsigned", 5000000000 },
        { "requests.decisions.allow", 3 },
        { "requests.reasons.0.count", 3 },
        { "requests.tags.0.verified", 7 },
        { "requests.tags.0.failed", 2 },
        { "history.samples.1.time", 1700000100 },
        { "history.samples.1.unsigned", 8 },
        { "fetch.latency.count", 3 },
        { "fetch.latency.sum", 30.5 },
        { "fetch.latency.buckets.0.le", 0.00025 },
        { "fetch.latency.buckets.14.count", 1 },
        { "fetch.latency.buckets.15.count", 3 },
        { "directories.0.expires_in", -30 },
        { "directories.0.age", 90.25 },
    };
    static const struct {
        const char *path;
        const char *value;
    } texts[] = {
        { "versions.module", "1.2.3" },
        { "nonces.store", "shared" },
        { "requests.reasons.0.name", "ok" },
        { "requests.reasons.0.outcome", "verified" },
        { "requests.tags.1.name", "a\"b\\c\nd" },
        { "directories.0.state", "stale" },
        { "directories.0.url", "https://keys.example/\"x" },
        { "directories.0.last_error", "bad?" },
        { "directories.0.tags.0", "pay" },
        { "directories.1.state", "file" },
        { "directories.2.name", "discovery" },
    };
    static const char *const nulls[] = {
        "versions.installed", "nonces.file",          "nonces.cold_until",
        "redis",              "directories.1.age",    "directories.1.last_error",
        "directories.0.lease_ends_in", "fetch.latency.buckets.15.le",
    };
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(numbers); i++) {
        assert_true(json_number_value(at(o, numbers[i].path))
                    == numbers[i].value);
    }
    for (i = 0; i < COUNT(texts); i++) {
        assert_string_equal(json_string_value(at(o, texts[i].path)),
                            texts[i].value);
    }
    for (i = 0; i < COUNT(nulls); i++) {
        assert_true(json_is_null(at(o, nulls[i])));
    }
    assert_int_equal(json_array_size(at(o, "requests.reasons")),
                     WBA_REASON_COUNT);
    assert_true(json_is_false(at(o, "directories.0.fetching")));
    assert_true(json_is_true(at(o, "directories.2.discovered")));
    json_decref(o);
}

static void
json_with_redis_and_a_cold_table(void **state)
{
    json_t *o;

    (void) state;
    report.shared_store = false;
    report.cold = true;
    report.nonces.cold_until = 1700000000;
    report.redis_workers = 2;
    report.local_answers[WBA_STORE_SEEN] = 9;
    directories[0].lease_ends_in = 3;
    o = parsed();
    assert_string_equal(json_string_value(at(o, "nonces.store")), "redis");
    assert_int_equal(json_integer_value(at(o, "nonces.cold_until")),
                     1700000000);
    assert_int_equal(json_integer_value(at(o, "redis.connected_workers")), 2);
    assert_int_equal(json_integer_value(at(o, "nonces.local_answers.seen")),
                     9);
    assert_true(json_is_true(at(o, "directories.0.fetching")));
    json_decref(o);
}

static void
json_that_does_not_fit(void **state)
{
    wba_buf_t buf;

    (void) state;
    wba_buf_fixed(&buf, block, 1000);
    assert_false(wba_report_json(&report, &buf));
    assert_int_equal(buf.status, WBA_TOO_LARGE);
}

/* jansson's memory, of which the n-th piece is not to be had. */
static int allocations;

static void *
fails(size_t size)
{
    return allocations-- == 0 ? NULL : malloc(size);
}

static void
json_without_memory(void **state)
{
    wba_buf_t buf;
    int n;
    bool done = false;

    (void) state;
    for (n = 0; !done; n++) {
        json_set_alloc_funcs(fails, free);
        allocations = n;
        wba_buf_fixed(&buf, block, sizeof(block));
        done = wba_report_json(&report, &buf);
        assert_true(done == (allocations >= 0));
        json_set_alloc_funcs(malloc, free);
        assert_true(n < 10000);
    }
    assert_true(n > 100);
}

static const char *
exposition(void)
{
    wba_buf_t buf;

    wba_buf_fixed(&buf, block, sizeof(block) - 1);
    wba_report_prometheus(&report, &buf);
    assert_int_equal(buf.status, WBA_OK);
    buf.data[buf.len] = '\0';
    return (const char *) buf.data;
}

#define HAS(text, what) assert_non_null(strstr(text, "\n" what "\n"))

static void
prometheus_tells_everything(void **state)
{
    const char *text = exposition();

    (void) state;
    HAS(text, "# TYPE web_bot_auth_requests_total counter");
    HAS(text, "web_bot_auth_requests_total{outcome=\"verified\"} 4");
    HAS(text, "web_bot_auth_requests_total{outcome=\"unsigned\"} 5000000000");
    HAS(text, "web_bot_auth_reasons_total{reason=\"ok\"} 3");
    HAS(text, "web_bot_auth_decisions_total{decision=\"allow\"} 3");
    HAS(text, "web_bot_auth_tag_requests_total{tag=\"a\\\"b\\\\c\\nd\","
              "result=\"verified\"} 1");
    HAS(text, "web_bot_auth_directory_requests_total{directory=\"visa\","
              "result=\"failed\"} 2");
    HAS(text, "web_bot_auth_fetch_duration_seconds_bucket{le=\"0.00025\"} 1");
    HAS(text, "web_bot_auth_fetch_duration_seconds_bucket{le=\"10\"} 1");
    HAS(text, "web_bot_auth_fetch_duration_seconds_bucket{le=\"+Inf\"} 3");
    HAS(text, "web_bot_auth_fetch_duration_seconds_sum 30.5");
    HAS(text, "web_bot_auth_fetch_duration_seconds_count 3");
    HAS(text, "web_bot_auth_directory_usable{directory=\"visa\"} 1");
    HAS(text, "web_bot_auth_directory_stale{directory=\"visa\"} 1");
    HAS(text, "web_bot_auth_directory_expires_seconds{directory=\"visa\"} "
              "-30");
    HAS(text, "web_bot_auth_discovered_directories{state=\"stale\"} 1");
    HAS(text, "web_bot_auth_nonce_entries 25");
    HAS(text, "web_bot_auth_nonce_capacity 100");
    HAS(text, "web_bot_auth_forgery_budgets 12");
    HAS(text, "web_bot_auth_forgery_known_keys 34");
    HAS(text, "web_bot_auth_forgery_capacity 4096");
    assert_null(strstr(text, "web_bot_auth_redis"));
    assert_null(strstr(text, "age_seconds{directory=\"local\"}"));
    assert_null(strstr(text, "directory=\"discovery\"} 4"));
}

static void
prometheus_with_redis(void **state)
{
    const char *text;

    (void) state;
    report.shared_store = false;
    report.redis_failures = 6;
    report.redis.buckets[1] = 4;
    text = exposition();
    HAS(text, "web_bot_auth_redis_failures_total 6");
    HAS(text, "web_bot_auth_redis_duration_seconds_bucket{le=\"0.00025\"} 0");
    HAS(text, "web_bot_auth_redis_duration_seconds_bucket{le=\"0.0005\"} 4");
}

static void
prometheus_that_does_not_fit(void **state)
{
    wba_buf_t buf;

    (void) state;
    wba_buf_fixed(&buf, block, 1000);
    wba_report_prometheus(&report, &buf);
    assert_int_equal(buf.status, WBA_TOO_LARGE);
}

/* Every reason and answer has a name that fits a label as it stands. */
static void
names_are_words(void **state)
{
    unsigned i;

    (void) state;
    for (i = 0; i < WBA_SOURCE_STATES; i++) {
        assert_int_equal(strspn(wba_source_state_name((wba_source_state_t) i),
                                "abcdefghijklmnopqrstuvwxyz"),
                         strlen(wba_source_state_name(
                             (wba_source_state_t) i)));
    }
    for (i = 0; i < WBA_STORE_ANSWERS; i++) {
        assert_true(strlen(wba_store_answer_name((wba_store_answer_t) i)) > 3);
    }
}

/* Bytes that are no ASCII are no UTF-8 to rely on; long texts are cut. */
static void
odd_texts(void **state)
{
    static char name[3000];
    json_t *o;

    (void) state;
    memset(name, 'n', sizeof(name));
    memcpy(name, "\xc3\xa4", 2);
    directories[0].name = wba_str(name, sizeof(name));
    directories[1].name = WBA_STR("k\xc3\xa4s");
    o = parsed();
    assert_string_equal(json_string_value(at(o, "directories.1.name")),
                        "k??s");
    assert_int_equal(json_string_length(at(o, "directories.0.name")), 1024);
    json_decref(o);
    HAS(exposition(), "web_bot_auth_directory_usable{directory=\"k??s\"} 1");
}

/* A module that was replaced on disk, and a table that holds nothing. */
static void
other_ends(void **state)
{
    json_t *o;

    (void) state;
    report.versions.restart_needed = true;
    report.nonces.rated = report.nonces.live = 0;
    directories[0].state = WBA_SOURCE_LOADING;
    o = parsed();
    assert_true(json_is_true(at(o, "versions.restart_needed")));
    assert_true(json_number_value(at(o, "nonces.fill")) == 0);
    json_decref(o);
    HAS(exposition(), "web_bot_auth_directory_usable{directory=\"visa\"} 0");
    HAS(exposition(), "web_bot_auth_directory_stale{directory=\"visa\"} 0");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(json_tells_everything, fill),
        cmocka_unit_test_setup(json_with_redis_and_a_cold_table, fill),
        cmocka_unit_test_setup(json_that_does_not_fit, fill),
        cmocka_unit_test_setup(json_without_memory, fill),
        cmocka_unit_test_setup(prometheus_tells_everything, fill),
        cmocka_unit_test_setup(prometheus_with_redis, fill),
        cmocka_unit_test_setup(prometheus_that_does_not_fit, fill),
        cmocka_unit_test(names_are_words),
        cmocka_unit_test_setup(odd_texts, fill),
        cmocka_unit_test_setup(other_ends, fill),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
