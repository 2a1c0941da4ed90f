/* SPDX-License-Identifier: BSD-2-Clause */
/* What the configuration says, at each level, and what a process has beside
 * it. */
#ifndef NGX_HTTP_WEB_BOT_AUTH_CONF_H
#define NGX_HTTP_WEB_BOT_AUTH_CONF_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

#include "accept.h"
#include "agent_pattern.h"
#include "directory.h"
#include "fetch.h"
#include "verify.h"
#include "wba_redis.h"

#include "ngx_http_web_bot_auth_check.h"
#include "ngx_http_web_bot_auth_zone.h"

/* Words of answers and rules that have no name in the configuration. */
#define NGX_HTTP_WBA_UNSET_ANSWER 0xffff

/* The name under which discovered directories are reported. */
#define NGX_HTTP_WBA_DISCOVERY "discovery"

typedef struct ngx_http_web_bot_auth_main_conf_s
    ngx_http_web_bot_auth_main_conf_t;

/* What bounds fetching from one place, and reading what came. */
typedef struct {
    time_t refresh_min;
    time_t refresh_max;
    time_t stale; /* seconds beyond its lifetime that a set stays in use */
    ngx_msec_t timeout;
    size_t max_size;
    ngx_uint_t max_keys;
    unsigned max_keys_said:1; /* by the configuration */
    unsigned proof_required:1;
    unsigned redirect_www:1;
} ngx_http_wba_bounds_t;

/* Where keys are fetched from, as this process sees it: a configured https
 * directory, or one that was discovered. */
typedef struct {
    ngx_http_web_bot_auth_main_conf_t *mcf;
    const ngx_http_wba_bounds_t *bounds;
    const wba_directory_t *core;
    ngx_str_t name;
    ngx_str_t url; /* ends in NUL */
    ngx_atomic_uint_t hash; /* of all that the key set depends on */
    unsigned well_known:1;
    unsigned found:1;  /* discovered */
    unsigned exempt:1; /* named by a pattern that names one URL only: bounds
                          that strangers can use up do not concern it */
    ngx_http_wba_slot_t *slot; /* NULL for a file: source */
    ngx_atomic_uint_t version; /* of the set that this process has indexed */

    ngx_event_t timer; /* of configured ones */
    wba_fetch_job_t *job;
    ngx_atomic_uint_t lease;
    u_char *hop; /* the redirect that is being followed, or NULL */
    u_char etag[WBA_MAX_VALIDATOR]; /* of the conditional request under way */
    u_char last_modified[WBA_MAX_VALIDATOR];
} ngx_http_wba_source_t;

typedef struct {
    wba_directory_t *core; /* in main->core_directories, at the same index */
    ngx_str_t name;
    ngx_str_t path; /* of a file: source; empty for https */
    ngx_http_wba_bounds_t bounds;
    ngx_http_wba_source_t source;
    wba_keyset_t file_set; /* of a file: source */
    ngx_http_wba_place_t place;
} ngx_http_wba_directory_t;

/* A discovered directory in this process. */
typedef struct {
    ngx_http_wba_source_t source;
    wba_keyring_t *ring; /* NULL: nothing is loaded */
    u_char url[NGX_HTTP_WBA_FOUND_URL];
} ngx_http_wba_found_t;

/* web_bot_auth_discovery */
typedef struct {
    wba_discovery_t core;
    ngx_http_wba_bounds_t bounds;
    ngx_array_t allow; /* of wba_agent_pattern_t */
    ngx_uint_t max_directories;
    ngx_uint_t new_per_minute;
    ngx_uint_t concurrent;
    ngx_http_wba_place_t place;

    /* This process's. */
    ngx_http_wba_found_t **found; /* by slot; NULL: not met yet */
    ngx_uint_t nfound;
    uint16_t *table; /* from a URL's hash to a slot's number and one */
    ngx_uint_t table_mask;
    ngx_event_t timer;
} ngx_http_wba_discovery_t;

typedef struct ngx_http_wba_fetcher_s ngx_http_wba_fetcher_t;
typedef struct ngx_http_wba_nonce_file_s ngx_http_wba_nonce_file_t;
typedef struct ngx_http_wba_redis_s ngx_http_wba_redis_t;

/* web_bot_auth_nonce_store */
typedef struct {
    ngx_uint_t set;          /* unsigned  set:1; the directive stood */
    ngx_uint_t shared;       /* unsigned  shared:1; else Redis */
    ngx_uint_t cold_accept;  /* unsigned  cold_accept:1; */
    ngx_uint_t local;        /* unsigned  local:1; on_error=local */
    wba_redis_options_t redis;
} ngx_http_wba_store_t;

struct ngx_http_web_bot_auth_main_conf_s {
    ngx_array_t directories; /* of ngx_http_wba_directory_t * */
    ngx_http_wba_discovery_t *discovery; /* NULL: off */
    wba_directory_t *core_directories;
    wba_tag_t tags[64];
    wba_env_t env;

    size_t zone_size;
    ngx_uint_t zone_rate; /* requests a minute that shall fit; 0: not said */
    ngx_http_wba_place_t zone_place;
    ngx_str_t nonce_path; /* of web_bot_auth_zone's file=; or empty */
    ngx_shm_zone_t *shm_zone;
    ngx_http_wba_zone_t *zone;
    wba_replay_t *replay; /* in the zone, or in nonce_file */
    ngx_http_wba_nonce_file_t *nonce_file;

    ngx_msec_t wait;
    ngx_uint_t wait_max;
    ngx_str_t trusted_certificate;
    ngx_str_t trusted_pem; /* its content: workers need not read the file */
    uint64_t trusted_hash; /* of that content */
    ngx_flag_t test_keys;
    ngx_flag_t private_addresses;
    ngx_http_wba_place_t private_place;
    ngx_path_t *state_path;
    ngx_http_wba_store_t store;
    ngx_cycle_t *cycle;
    ngx_http_wba_place_t status_place; /* of the first web_bot_auth_status */
    uint16_t directory_names[NGX_HTTP_WBA_MAX_DIRECTORIES + 1]; /* in the zone;
                                                  discovery's behind them */
    uint16_t tag_names[64];
    ngx_uint_t enabled;        /* unsigned  enabled:1; some location is on */
    ngx_uint_t exposes_reason; /* unsigned  exposes_reason:1; */
    ngx_uint_t challenges;     /* unsigned  challenges:1; some location does */
    ngx_uint_t challenges_any; /* unsigned  challenges_any:1; and one of them
                                  under "satisfy any" */
    wba_challenge_key_t challenge_key; /* from the commit on */
    ngx_http_wba_place_t enabled_place;
    ngx_array_t rules; /* of ngx_http_wba_rules_t *, each level's */
    ngx_http_wba_checks_t checks;

    /* This process's. */
    ngx_http_wba_counters_t *counters;
    ngx_event_t history;
    ngx_msec_t log_allowance; /* of refusals' lines, in thousandths */
    ngx_msec_t log_at;        /* when that was last topped up */
    ngx_uint_t unlogged;
    ngx_event_t log_timer;
    wba_keyring_t *ring;
    uint64_t ring_generation;
    ngx_http_wba_fetcher_t *fetcher; /* NULL: nothing is ever fetched */
    ngx_http_wba_redis_t *redis; /* NULL: the store is shared memory */
    void *verdicts; /* room for env.verdicts, or NULL */
    ngx_queue_t parked;
    ngx_uint_t nparked;
    ngx_event_t poll;
    uint64_t poll_events;
    time_t diagnosed; /* when ngx_http_wba_diagnose last said yes */
    ngx_log_t *log;
};

typedef enum {
    NGX_HTTP_WBA_AUTHORITY_SERVER_NAME = 0,
    NGX_HTTP_WBA_AUTHORITY_ANY,
    NGX_HTTP_WBA_AUTHORITY_VALUE
} ngx_http_wba_authority_e;

typedef enum {
    NGX_HTTP_WBA_CHALLENGE_OFF = 0,
    NGX_HTTP_WBA_CHALLENGE_ON,
    NGX_HTTP_WBA_CHALLENGE_NONCE
} ngx_http_wba_challenge_e;

typedef struct {
    ngx_http_wba_place_t place; /* where the server's or location's block is */
    ngx_uint_t mode;
    ngx_flag_t dry_run;
    time_t clock_skew;
    time_t max_lifetime;
    ngx_uint_t nonce;
    ngx_array_t *components; /* of wba_component_t */
    ngx_http_wba_rules_t *rules;
    ngx_uint_t answers[WBA_CLASS_COUNT];
    ngx_uint_t authority;
    ngx_http_complex_value_t *authority_value;
    ngx_http_complex_value_t *scheme;
    ngx_flag_t expose_reason;
    ngx_uint_t log_level;
    ngx_uint_t challenge;
    ngx_uint_t content_digest;
    ngx_flag_t body_link;
    ngx_flag_t forgery_limit; /* forgery holds */
    wba_forgery_limit_t forgery;
    ngx_uint_t status; /* what web_bot_auth_status answers with */
    wba_policy_t policy; /* made of all the above when merged */
    wba_accept_t *accept; /* Accept-Signature of refusals; NULL: none */
    ngx_uint_t browsers;  /* unsigned  browsers:1; a warning was given that they
                             may enter */
} ngx_http_web_bot_auth_loc_conf_t;

/* nginx frees a server's names once the configuration is read. */
typedef struct {
    ngx_http_server_name_t *names;
    ngx_uint_t nnames;
} ngx_http_web_bot_auth_srv_conf_t;

#endif
