/* SPDX-License-Identifier: BSD-2-Clause */
#include "report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* Longer than any line without its label values. */
#define LINE 256

static void
line(wba_buf_t *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
line(wba_buf_t *buf, const char *format, ...)
{
    char out[LINE];
    int n;
    va_list args;

    va_start(args, format);
    n = vsnprintf(out, sizeof(out), format, args);
    va_end(args);
    if (n > 0) {
        wba_buf_add(buf, out, (size_t) n < LINE ? (size_t) n : LINE - 1);
    }
}

/* Label values: a backslash before quotes and backslashes, \n for line ends. */
static void
label(wba_buf_t *buf, const char *name, wba_str_t value)
{
    size_t i;

    line(buf, "%s=\"", name);
    for (i = 0; i < value.len; i++) {
        if (value.data[i] == '\n') {
            wba_buf_lit(buf, "\\n");
            continue;
        }
        if (value.data[i] == '"' || value.data[i] == '\\') {
            wba_buf_byte(buf, '\\');
        }
        wba_buf_byte(buf, value.data[i] < 0x80 ? value.data[i] : '?');
    }
    wba_buf_byte(buf, '"');
}

#define PREFIX "web_bot_auth_"

static void
family(wba_buf_t *buf, const char *name, const char *type, const char *help)
{
    line(buf, "# HELP " PREFIX "%s %s\n", name, help);
    line(buf, "# TYPE " PREFIX "%s %s\n", name, type);
}

static void
sample(wba_buf_t *buf, const char *name, const char *key, wba_str_t value,
       uint64_t n)
{
    line(buf, PREFIX "%s{", name);
    label(buf, key, value);
    line(buf, "} %" PRIu64 "\n", n);
}

static void
gauge(wba_buf_t *buf, const char *name, const char *help, double value)
{
    family(buf, name, "gauge", help);
    line(buf, PREFIX "%s %.15g\n", name, value);
}

static void
counter(wba_buf_t *buf, const char *name, const char *help, uint64_t value)
{
    family(buf, name, "counter", help);
    line(buf, PREFIX "%s %" PRIu64 "\n", name, value);
}

static void
histogram(wba_buf_t *buf, const char *name, const char *help,
          const wba_histogram_t *h)
{
    size_t i;
    uint64_t n = 0;

    family(buf, name, "histogram", help);
    for (i = 0; i < WBA_LATENCY_BOUNDS; i++) {
        n += h->buckets[i];
        line(buf, PREFIX "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name,
             wba_latency_bounds[i] / 1e6, n);
    }
    n += h->buckets[i];
    line(buf, PREFIX "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, n);
    line(buf, PREFIX "%s_sum %.15g\n", name, (double) h->sum_us / 1e6);
    line(buf, PREFIX "%s_count %" PRIu64 "\n", name, n);
}

static void
build(const wba_report_t *r, wba_buf_t *buf)
{
    const wba_report_versions_t *v = &r->versions;

    family(buf, "build_info", "gauge",
           "1; its labels are the versions that run.");
    line(buf, PREFIX "build_info{");
    label(buf, "version", wba_str_z(v->module));
    wba_buf_byte(buf, ',');
    label(buf, "nginx", wba_str_z(v->nginx));
    wba_buf_byte(buf, ',');
    label(buf, "libsodium", wba_str_z(v->libsodium));
    wba_buf_byte(buf, ',');
    label(buf, "libcurl", wba_str_z(v->libcurl));
    line(buf, "} 1\n");

    gauge(buf, "restart_needed",
          "1 if another module is installed than runs: nginx must be "
          "restarted.",
          v->restart_needed);
}

static void
requests(const wba_report_t *r, wba_buf_t *buf)
{
    unsigned i;
    uint64_t counts[WBA_OUTCOMES];

    wba_report_outcomes(r, counts);
    family(buf, "requests_total", "counter", "Requests judged, by outcome.");
    for (i = 0; i < WBA_OUTCOMES; i++) {
        sample(buf, "requests_total", "outcome",
               wba_outcome_name((wba_outcome_t) i), counts[i]);
    }
    family(buf, "reasons_total", "counter", "Requests judged, by reason.");
    for (i = 0; i < WBA_REASON_COUNT; i++) {
        sample(buf, "reasons_total", "reason",
               wba_reason_info((wba_reason_t) i)->name, r->reasons[i]);
    }
    family(buf, "decisions_total", "counter", "Requests judged, by decision.");
    for (i = WBA_DECISION_ALLOW; i <= WBA_DECISION_PASS; i++) {
        sample(buf, "decisions_total", "decision",
               wba_decision_name((wba_decision_t) i), r->decisions[i]);
    }
}

static void
named(wba_buf_t *buf, const char *name, const char *key, const char *help,
      const wba_report_family_t *rows, size_t n)
{
    size_t i;

    family(buf, name, "counter", help);
    for (i = 0; i < n; i++) {
        line(buf, PREFIX "%s{", name);
        label(buf, key, rows[i].name);
        line(buf, ",result=\"verified\"} %" PRIu64 "\n", rows[i].verified);
        line(buf, PREFIX "%s{", name);
        label(buf, key, rows[i].name);
        line(buf, ",result=\"failed\"} %" PRIu64 "\n", rows[i].failed);
    }
}

static void
nonces(const wba_report_t *r, wba_buf_t *buf)
{
    unsigned i;

    gauge(buf, "nonce_entries", "Nonces that the table remembers.",
          (double) r->nonces.live);
    gauge(buf, "nonce_capacity",
          "Nonces that the table is rated for; more may be refused.",
          (double) r->nonces.rated);
    gauge(buf, "nonce_cold",
          "1 while signatures are refused that may have been used before the "
          "table began.",
          r->cold);
    family(buf, "nonce_answers_total", "counter",
           "What the nonce store said of nonces.");
    for (i = 0; i < WBA_STORE_ANSWERS; i++) {
        sample(buf, "nonce_answers_total", "answer",
               wba_str_z(wba_store_answer_name((wba_store_answer_t) i)),
               r->answers[i]);
    }
    family(buf, "nonce_local_answers_total", "counter",
           "What the local table said while Redis was not usable.");
    for (i = 0; i < WBA_STORE_ANSWERS; i++) {
        sample(buf, "nonce_local_answers_total", "answer",
               wba_str_z(wba_store_answer_name((wba_store_answer_t) i)),
               r->local_answers[i]);
    }
    if (r->shared_store) {
        return;
    }
    gauge(buf, "redis_connected_workers", "Workers that can use Redis.",
          (double) r->redis_workers);
    counter(buf, "redis_failures_total",
            "Records that Redis did not answer, or not in time.",
            r->redis_failures);
    histogram(buf, "redis_duration_seconds",
              "How long Redis took to record nonces.", &r->redis);
}

static void
forgeries(const wba_forgery_stats_t *f, wba_buf_t *buf)
{
    gauge(buf, "forgery_budgets",
          "Budgets of failed verifications that are charged, of addresses and "
          "of keys at them.",
          (double) f->budgets);
    gauge(buf, "forgery_known_keys",
          "Keys at addresses that have verified there within the hour.",
          (double) f->known);
    gauge(buf, "forgery_capacity", "Places for either.",
          (double) f->capacity);
}

/* One family over the configured directories. */
static void
directories(const wba_report_t *r, wba_buf_t *buf, const char *name,
            const char *type, const char *help,
            double (*value)(const wba_report_directory_t *))
{
    size_t i;
    double v;

    family(buf, name, type, help);
    for (i = 0; i < r->ndirectories; i++) {
        if (r->directories[i].discovered) {
            continue;
        }
        v = value(&r->directories[i]);
        if (v != WBA_REPORT_UNKNOWN) {
            line(buf, PREFIX "%s{", name);
            label(buf, "directory", r->directories[i].name);
            line(buf, "} %.15g\n", v);
        }
    }
}

static double
usable(const wba_report_directory_t *d)
{
    return d->state <= WBA_SOURCE_STALE;
}

static double
stale(const wba_report_directory_t *d)
{
    return d->state == WBA_SOURCE_STALE;
}

static double
keys(const wba_report_directory_t *d)
{
    return (double) d->keys;
}

static double
age(const wba_report_directory_t *d)
{
    return d->age;
}

static double
expires(const wba_report_directory_t *d)
{
    return d->expires_in;
}

static double
next_refresh(const wba_report_directory_t *d)
{
    return d->next_refresh_in;
}

static double
failures(const wba_report_directory_t *d)
{
    return (double) d->failures;
}

static double
fetches(const wba_report_directory_t *d)
{
    return (double) d->fetches;
}

static void
sources(const wba_report_t *r, wba_buf_t *buf)
{
    size_t i;
    uint64_t found[WBA_SOURCE_STATES] = { 0 };

    directories(r, buf, "directory_usable", "gauge",
                "1 if keys of the directory are in use.", usable);
    directories(r, buf, "directory_stale", "gauge",
                "1 if they are in use beyond their lifetime.", stale);
    directories(r, buf, "directory_keys", "gauge", "Its keys.", keys);
    directories(r, buf, "directory_age_seconds", "gauge",
                "Since its keys were last seen to be right.", age);
    directories(r, buf, "directory_expires_seconds", "gauge",
                "Until its keys' lifetime ends; below 0 it has.", expires);
    directories(r, buf, "directory_next_refresh_seconds", "gauge",
                "Until it is fetched again.", next_refresh);
    directories(r, buf, "directory_consecutive_failures", "gauge",
                "Fetches that failed in a row.", failures);
    directories(r, buf, "directory_fetches_total", "counter",
                "Fetches begun.", fetches);

    for (i = 0; i < r->ndirectories; i++) {
        if (r->directories[i].discovered) {
            found[r->directories[i].state]++;
        }
    }
    family(buf, "discovered_directories", "gauge",
           "Discovered directories, by state.");
    for (i = WBA_SOURCE_FRESH; i < WBA_SOURCE_STATES; i++) {
        sample(buf, "discovered_directories", "state",
               wba_str_z(wba_source_state_name((wba_source_state_t) i)),
               found[i]);
    }
}

void
wba_report_prometheus(const wba_report_t *r, wba_buf_t *buf)
{
    build(r, buf);
    requests(r, buf);
    named(buf, "tag_requests_total", "tag",
          "Requests by the tag of the signature that decided.", r->tags,
          r->ntags);
    named(buf, "directory_requests_total", "directory",
          "Requests by the directory whose key signed.", r->sources,
          r->nsources);
    nonces(r, buf);
    forgeries(&r->forgeries, buf);
    counter(buf, "fetch_failures_total", "Fetches of directories that failed.",
            r->fetch_failures);
    histogram(buf, "fetch_duration_seconds",
              "How long fetches of directories took.", &r->fetch);
    sources(r, buf);
    gauge(buf, "zone_size_bytes", "Size of web_bot_auth_zone.",
          (double) r->zone_size);
    gauge(buf, "zone_keys_size_bytes", "Of it, for keys.",
          (double) r->arena_size);
    gauge(buf, "zone_keys_used_bytes", "Of that, in use.",
          (double) r->arena_used);
    gauge(buf, "zone_created_timestamp_seconds",
          "When the counters began.", (double) r->zone_created);
    counter(buf, "reloads_total",
            "Configurations that took effect since then.",
            r->reloads);
    gauge(buf, "workers", "Workers of the configuration in force.",
          (double) r->workers);
}
