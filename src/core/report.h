/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What web_bot_auth_status tells, as one record that whoever knows the numbers
 * fills in, and how it is written: JSON, and Prometheus' text format.  Member
 * and metric names are the product's API (docs/status.md).
 */
#ifndef WBA_REPORT_H
#define WBA_REPORT_H

#include "judge.h"
#include "mem.h"
#include "metrics.h"

/* Times are seconds since 1970, durations seconds; this stands for "not
 * known": a power of two, which is the same in every register. */
#define WBA_REPORT_UNKNOWN (-0x1p1000)

typedef struct {
    const char *module;
    const char *installed; /* NULL: not known */
    bool restart_needed;   /* another file lies where the module came from */
    const char *nginx;
    const char *libsodium;
    const char *libcurl;
    const char *jansson;
    const char *hiredis;
    const char *openssl;
} wba_report_versions_t;

/* How often something with a name verified, and how often not. */
typedef struct {
    wba_str_t name;
    uint64_t verified;
    uint64_t failed;
} wba_report_family_t;

typedef enum {
    WBA_SOURCE_FILE,    /* read with the configuration */
    WBA_SOURCE_FRESH,   /* keys within their lifetime */
    WBA_SOURCE_STALE,   /* keys in use beyond it */
    WBA_SOURCE_LOADING, /* no keys yet, and no failure */
    WBA_SOURCE_FAILING, /* no keys, and the last fetch failed */
    WBA_SOURCE_STATES
} wba_source_state_t;

typedef struct {
    wba_str_t name;
    wba_str_t url;
    wba_str_t profile;
    const wba_tag_t *tags;
    size_t ntags;
    bool discovered;
    wba_source_state_t state;
    uint64_t keys;
    double age;             /* since the set was last seen to be right */
    double expires_in;      /* negative: so long ago */
    double next_refresh_in;
    double lease_ends_in;   /* a worker is fetching; unknown: none is */
    uint64_t fetches;
    uint64_t failures; /* in a row */
    wba_str_t error;   /* of the last failure; empty: none */
} wba_report_directory_t;

#define WBA_OUTCOMES 4

typedef struct {
    int64_t time;
    uint64_t outcomes[WBA_OUTCOMES]; /* totals, at that time */
} wba_report_sample_t;

#define WBA_STORE_ANSWERS (WBA_STORE_UNAVAILABLE + 1)

/* Everything is borrowed. */
typedef struct {
    double now;
    wba_report_versions_t versions;

    uint64_t zone_size;
    int64_t zone_created;
    uint64_t reloads;
    uint64_t workers;
    uint64_t arena_size; /* bytes for keys, and how many are in use */
    uint64_t arena_used;
    uint64_t found_slots; /* of discovered directories */
    uint64_t found_used;

    bool shared_store; /* else Redis */
    wba_str_t nonce_file; /* empty: none */
    uint64_t nonce_size;
    wba_replay_stats_t nonces;
    bool cold; /* a signature made before nonces.cold_until is refused */
    uint64_t answers[WBA_STORE_ANSWERS];
    uint64_t local_answers[WBA_STORE_ANSWERS];

    wba_forgery_stats_t forgeries;

    uint64_t redis_workers; /* that can use it */
    uint64_t redis_failures;
    wba_histogram_t redis;

    uint64_t fetch_failures;
    wba_histogram_t fetch;

    uint64_t reasons[WBA_REASON_COUNT];
    uint64_t decisions[WBA_DECISION_PASS + 1];
    const wba_report_family_t *tags;
    size_t ntags;
    const wba_report_family_t *sources; /* by directories' names */
    size_t nsources;

    const wba_report_sample_t *history; /* oldest first */
    size_t nhistory;
    unsigned history_interval;

    const wba_report_directory_t *directories;
    size_t ndirectories;
} wba_report_t;

/* "file", "fresh", "stale", "loading", "failing". */
const char *wba_source_state_name(wba_source_state_t state);

/* "fresh", "seen", "full", "cold", "unavailable". */
const char *wba_store_answer_name(wba_store_answer_t answer);

/* Requests judged so far, by outcome. */
void wba_report_outcomes(const wba_report_t *report,
                         uint64_t outcomes[WBA_OUTCOMES]);

/* One JSON object, with a line end.  In text (URLs, errors, names: all of it is
 * ASCII, or a stranger's) '?' stands for what is not ASCII.  Takes memory with malloc, through jansson: not for the
 * request path.  false: no memory; buf's own status says what became of the
 * text. */
bool wba_report_json(const wba_report_t *report, wba_buf_t *buf);

/* Prometheus' text exposition format 0.0.4.  Discovered directories are told
 * by number only, so that strangers make no time series. */
void wba_report_prometheus(const wba_report_t *report, wba_buf_t *buf);

#endif
