/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters in the zone: rows that workers add to without waiting for each
 * other, the names that some are counted by, and totals of the last hours.
 */
#include "ngx_http_web_bot_auth_module.h"

/* Of a zone, rows of counters take this part at most. */
#define NGX_HTTP_WBA_ROWS_SHARE  16

/* The names of which what has no room is counted. */
#define NGX_HTTP_WBA_OTHER_DIRECTORY  0
#define NGX_HTTP_WBA_OTHER_TAG        1

ngx_uint_t
ngx_http_wba_rows(size_t zone_size, ngx_int_t workers)
{
    size_t  room;

    room = zone_size / NGX_HTTP_WBA_ROWS_SHARE
           / sizeof(ngx_http_wba_counters_t);
    room = ngx_min(room, NGX_HTTP_WBA_WORKERS);
    workers = ngx_max(workers, 1);

    return ngx_max(ngx_min(room, (size_t) workers), 1);
}

/* ---- names */

static void
ngx_http_wba_name_set(ngx_http_wba_name_t *name, ngx_http_wba_name_e kind,
    wba_str_t text)
{
    name->len = ngx_min(text.len, sizeof(name->text));
    ngx_memcpy(name->text, text.data, name->len);
    ngx_memory_barrier();
    name->kind = kind;
}

static uint16_t
ngx_http_wba_name_place(ngx_http_wba_zone_t *zone, ngx_http_wba_name_e kind,
    wba_str_t text)
{
    ngx_uint_t            i;
    ngx_http_wba_name_t  *name;

    for (i = NGX_HTTP_WBA_OTHER_TAG + 1; i < NGX_HTTP_WBA_NAMES; i++) {
        name = &zone->names[i];
        if (name->kind == NGX_HTTP_WBA_NAME_NONE) {
            ngx_http_wba_name_set(name, kind, text);
            return i;
        }
        if (name->kind == kind && name->len == text.len
            && ngx_memcmp(name->text, text.data, text.len) == 0)
        {
            return i;
        }
    }
    i = kind == NGX_HTTP_WBA_NAME_TAG ? NGX_HTTP_WBA_OTHER_TAG
                                      : NGX_HTTP_WBA_OTHER_DIRECTORY;
    ngx_http_wba_name_set(&zone->names[i], kind, wba_str_z("other"));
    return i;
}

void
ngx_http_wba_names_commit(ngx_http_web_bot_auth_main_conf_t *mcf)
{
    size_t                i;
    ngx_http_wba_zone_t  *zone = mcf->zone;

    for (i = 0; i < mcf->directories.nelts; i++) {
        mcf->directory_names[i] =
            ngx_http_wba_name_place(zone, NGX_HTTP_WBA_NAME_DIRECTORY,
                                    mcf->core_directories[i].name);
    }
    if (mcf->discovery) {
        mcf->directory_names[NGX_HTTP_WBA_MAX_DIRECTORIES] =
            ngx_http_wba_name_place(zone, NGX_HTTP_WBA_NAME_DIRECTORY,
                                    wba_str_z(NGX_HTTP_WBA_DISCOVERY));
    }
    for (i = 0; i < mcf->env.ntags; i++) {
        mcf->tag_names[i] =
            ngx_http_wba_name_place(zone, NGX_HTTP_WBA_NAME_TAG,
                                    mcf->tags[i].text);
    }
}

/* ---- counting */

uint64_t
ngx_http_wba_now_us(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

uint64_t
ngx_http_wba_now_ms(void)
{
#if (NGX_PTR_SIZE == 8)
    return ngx_current_msec;
#else
    return ngx_http_wba_now_us() / 1000;
#endif
}

void
ngx_http_wba_count_latency(ngx_http_wba_latency_t *latency, uint64_t us)
{
    ngx_http_wba_count(latency->buckets[wba_latency_bucket(us)]);
    (void) ngx_atomic_fetch_add(&latency->sum_us, us);
}

static uint16_t
ngx_http_wba_directory_name(ngx_http_web_bot_auth_main_conf_t *mcf,
    const wba_directory_t *directory)
{
    if (mcf->discovery && directory == &mcf->discovery->core.directory) {
        return mcf->directory_names[NGX_HTTP_WBA_MAX_DIRECTORIES];
    }
    return mcf->directory_names[directory - mcf->core_directories];
}

void
ngx_http_wba_count_verdict(ngx_http_web_bot_auth_main_conf_t *mcf,
    const wba_verdict_t *verdict)
{
    size_t                    i;
    ngx_uint_t                verified;
    const wba_fact_t         *fact;
    const wba_directory_t    *directory;
    ngx_http_wba_counters_t  *row = mcf->counters;

    ngx_http_wba_count(row->reasons[verdict->reason]);
    ngx_http_wba_count(row->decisions[verdict->decision]);

    verified = verdict->outcome == WBA_OUTCOME_VERIFIED;
    fact = verdict->signature ? verdict->signature : verdict->failed;
    if (fact == NULL) {
        return;
    }
    directory = fact->directory ? fact->directory : fact->keyed;
    if (directory) {
        i = ngx_http_wba_directory_name(mcf, directory);
        ngx_http_wba_count(row->names[i][verified]);
    }
    if (fact->tag == NULL) {
        return;
    }
    for (i = 0; i < mcf->env.ntags; i++) {
        if (wba_str_eq(mcf->tags[i].text, fact->tag->text)) {
            ngx_http_wba_count(row->names[mcf->tag_names[i]][verified]);
            return;
        }
    }
}

/* ---- reading */

static void
ngx_http_wba_counters_add(uint64_t *to, ngx_atomic_t *from, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        to[i] += from[i];
    }
}

static void
ngx_http_wba_latency_add(wba_histogram_t *to, ngx_http_wba_latency_t *from)
{
    ngx_http_wba_counters_add(to->buckets, from->buckets,
                              WBA_LATENCY_BUCKETS);
    to->sum_us += from->sum_us;
}

static ngx_http_wba_counters_t *
ngx_http_wba_row(ngx_http_wba_zone_t *zone, ngx_uint_t i)
{
    return (ngx_http_wba_counters_t *) ((u_char *) zone + zone->counters) + i;
}

void
ngx_http_wba_counters_sum(ngx_http_wba_zone_t *zone, wba_report_t *report,
    uint64_t names[NGX_HTTP_WBA_NAMES][2])
{
    ngx_uint_t                i, k;
    ngx_http_wba_counters_t  *row;

    for (i = 0; i < zone->nrows; i++) {
        row = ngx_http_wba_row(zone, i);
        ngx_http_wba_counters_add(report->reasons, row->reasons,
                                  WBA_REASON_COUNT);
        ngx_http_wba_counters_add(report->decisions, row->decisions,
                                  WBA_DECISION_PASS + 1);
        ngx_http_wba_counters_add(report->answers, row->store,
                                  WBA_STORE_ANSWERS);
        ngx_http_wba_counters_add(report->local_answers, row->local,
                                  WBA_STORE_ANSWERS);
        ngx_http_wba_latency_add(&report->fetch, &row->fetch);
        ngx_http_wba_latency_add(&report->redis, &row->redis);
        report->fetch_failures += row->fetch_failures;
        report->redis_failures += row->redis_failures;
        for (k = 0; names && k < NGX_HTTP_WBA_NAMES; k++) {
            ngx_http_wba_counters_add(names[k], row->names[k], 2);
        }
    }
}

/* ---- history */

/* Once a minute, by whichever worker comes first. */
static void
ngx_http_wba_history_note(ngx_http_wba_zone_t *zone)
{
    unsigned                i;
    uint64_t                outcomes[WBA_OUTCOMES];
    wba_report_t            report;
    ngx_atomic_uint_t       last, minute;
    ngx_http_wba_sample_t  *sample;

    last = zone->minute;
    minute = ngx_time() / 60;
    if (last == minute || !ngx_atomic_cmp_set(&zone->minute, last, minute)) {
        return;
    }

    ngx_memzero(&report, sizeof(wba_report_t));
    ngx_http_wba_counters_sum(zone, &report, NULL);
    wba_report_outcomes(&report, outcomes);

    sample = &zone->history[minute % NGX_HTTP_WBA_HISTORY];
    sample->minute = 0;
    ngx_memory_barrier();
    sample->time = ngx_time();
    for (i = 0; i < WBA_OUTCOMES; i++) {
        sample->outcomes[i] = outcomes[i];
    }
    ngx_memory_barrier();
    sample->minute = minute;
}

static void
ngx_http_wba_history_tick(ngx_event_t *ev)
{
    ngx_http_web_bot_auth_main_conf_t  *mcf = ev->data;

    ngx_http_wba_history_note(mcf->zone);
    ngx_add_timer(ev, (60 - ngx_time() % 60) * 1000);
}

void
ngx_http_wba_counters_init_worker(ngx_http_web_bot_auth_main_conf_t *mcf)
{
    mcf->counters = ngx_http_wba_row(mcf->zone,
                                     ngx_worker % mcf->zone->nrows);
    mcf->history.handler = ngx_http_wba_history_tick;
    mcf->history.data = mcf;
    mcf->history.log = mcf->log;
    mcf->history.cancelable = 1;
    ngx_http_wba_history_tick(&mcf->history);
}
