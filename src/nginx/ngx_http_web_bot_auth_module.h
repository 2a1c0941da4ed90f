/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the module share: its configuration, its zone, a
 * request's context, and the functions that cross files.  Only this room
 * includes nginx's headers.
 */
#ifndef NGX_HTTP_WEB_BOT_AUTH_MODULE_H
#define NGX_HTTP_WEB_BOT_AUTH_MODULE_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

#include <pthread.h>

#include "accept.h"
#include "agent_pattern.h"
#include "directory.h"
#include "fetch.h"
#include "jwks.h"
#include "report.h"
#include "uri.h"
#include "verify.h"
#include "wba_redis.h"

/* Words of answers and rules that have no name in the configuration. */
#define NGX_HTTP_WBA_UNSET_ANSWER 0xffff

/* Rows of counters: at most so many, shared by number where there are more
 * workers. */
#define NGX_HTTP_WBA_WORKERS 64

/* Configured directories: each https one takes a slot of the zone, and a
 * reload may hold slots of the configuration before. */
#define NGX_HTTP_WBA_MAX_DIRECTORIES 128
#define NGX_HTTP_WBA_SLOTS 256

/* Discovered directories: their slots follow, as many as a thirty-second part
 * of the zone holds, within these. */
#define NGX_HTTP_WBA_FOUND_MIN 32
#define NGX_HTTP_WBA_FOUND_MAX 1024

/* Bytes of a discovered URL, its NUL included.  Agents in the field send 30 to
 * 80; what is longer is not looked up. */
#define NGX_HTTP_WBA_FOUND_URL 512

/* The name under which discovered directories are reported. */
#define NGX_HTTP_WBA_DISCOVERY "discovery"

/* Milliseconds: how often a worker with parked requests looks whether another
 * worker's fetch has ended. */
#define NGX_HTTP_WBA_POLL 20

/* ---- zone: shared by all workers, carved once */

/* The state of one https directory.  Times are ngx_current_msec's.  Strings,
 * and what is marked so, are written and read under the zone's lock. */
typedef struct {
    u_char name[64];      /* of a configured one; else empty */
    u_char url[NGX_HTTP_WBA_FOUND_URL]; /* of a discovered one; else empty */
    ngx_atomic_t hash;    /* of where its keys come from and how they are read;
                             0: free */
    ngx_atomic_t version; /* of its set; grows with every change */
    ngx_atomic_t epoch;   /* of the configuration that last named it */
    ngx_atomic_t lease;   /* until when some worker may fetch; 0: nobody */
    ngx_atomic_t loaded;  /* a set is there */
    ngx_atomic_t fetched; /* when the set was last seen to be right */
    ngx_atomic_t lifetime; /* milliseconds from then on that it is fresh */
    ngx_atomic_t due;      /* when to fetch next */
    ngx_atomic_t used;     /* when an agent of it last verified, roughly */
    ngx_atomic_t failures; /* in a row */
    ngx_atomic_t fetches;  /* started, ever */
    ngx_atomic_t unsaved;  /* its state could not be kept, and that was said */
    size_t set_offset[2];  /* locked; into each half of the arena */
    size_t set_size[2];    /* locked */
    u_char etag[WBA_MAX_VALIDATOR];
    u_char last_modified[WBA_MAX_VALIDATOR];
    u_char error[160]; /* of the last failure; empty: none */
} ngx_http_wba_slot_t;

/* Names that are counted by: directories and tags.  They are kept, with what
 * was counted, as long as the zone; those for which there is no room are
 * counted together. */
#define NGX_HTTP_WBA_NAMES 224

typedef enum {
    NGX_HTTP_WBA_NAME_NONE = 0, /* free */
    NGX_HTTP_WBA_NAME_DIRECTORY,
    NGX_HTTP_WBA_NAME_TAG
} ngx_http_wba_name_e;

typedef struct {
    ngx_atomic_t kind; /* written last */
    size_t len;
    u_char text[WBA_MAX_TAG];
} ngx_http_wba_name_t;

typedef struct {
    ngx_atomic_t buckets[WBA_LATENCY_BUCKETS];
    ngx_atomic_t sum_us;
} ngx_http_wba_latency_t;

/* One row of counts.  Each worker has one to itself, as far as there are
 * enough; a worker that is ending shares it with the one that follows. */
typedef struct {
    ngx_atomic_t reasons[WBA_REASON_COUNT];
    ngx_atomic_t decisions[WBA_DECISION_PASS + 1];
    ngx_atomic_t store[WBA_STORE_ANSWERS]; /* its answers */
    ngx_atomic_t local[WBA_STORE_ANSWERS]; /* while Redis was not usable */
    ngx_atomic_t fetch_failures;
    ngx_atomic_t redis_failures;
    ngx_http_wba_latency_t fetch;
    ngx_http_wba_latency_t redis;
    ngx_atomic_t names[NGX_HTTP_WBA_NAMES][2]; /* failed, verified */
} ngx_http_wba_counters_t;

/* Totals by outcome at the ends of minutes gone by. */
#define NGX_HTTP_WBA_HISTORY 180

typedef struct {
    ngx_atomic_t minute; /* since 1970; 0: nothing */
    ngx_atomic_t time;   /* within it */
    ngx_atomic_t outcomes[WBA_OUTCOMES];
} ngx_http_wba_sample_t;

typedef struct {
    uint32_t version;
    uint32_t layout;   /* size of this record: another build is another zone */
    uint32_t nslots;   /* of configured directories, then nfound more */
    uint32_t nfound;
    size_t forgery;    /* offset of the budgets of forgeries */
    size_t arena;      /* offset of the arena's first half */
    size_t arena_size; /* of one half */
    size_t replay;     /* offset of the nonce region */
    size_t replay_size;
    uint32_t has_replay; /* a table was made there */
    ngx_atomic_t full_said; /* when it was last logged that it is full */
    pthread_mutex_t lock; /* of arena, slots' identities and sets; robust */
    ngx_atomic_t half;       /* the half that is published: 0 or 1 */
    ngx_atomic_t generation; /* grows with every change of a slot's version */
    ngx_atomic_t events;     /* fetches ended, well or not */
    ngx_atomic_t epoch;      /* locked; configurations committed */
    ngx_msec_t allowance;    /* locked; new agents, in 1/60000ths of one */
    ngx_msec_t allowance_at; /* locked; when it was last topped up */
    time_t created;
    size_t counters;         /* offset of the rows of counts */
    ngx_uint_t nrows;
    ngx_atomic_t redis[NGX_HTTP_WBA_WORKERS]; /* pids of workers, by their
                                                 numbers, that can use Redis */
    ngx_atomic_t minute; /* the last one in history */
    ngx_http_wba_sample_t history[NGX_HTTP_WBA_HISTORY]; /* by minute */
    ngx_http_wba_name_t names[NGX_HTTP_WBA_NAMES];
    ngx_http_wba_slot_t slots[1]; /* nslots and nfound of them */
} ngx_http_wba_zone_t;

/* ---- configuration */

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
    uint64_t hash; /* of all that the key set depends on */
    unsigned well_known:1;
    unsigned found:1;  /* discovered */
    unsigned exempt:1; /* named by a pattern that names one URL only: bounds
                          that strangers can use up do not concern it */
    ngx_http_wba_slot_t *slot; /* NULL for a file: source */
    uint64_t version;          /* of the set that this process has indexed */

    ngx_event_t timer; /* of configured ones */
    wba_fetch_job_t *job;
    uint64_t lease;
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
    u_char *conf_file;
    ngx_uint_t conf_line;
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
    u_char *conf_file;
    ngx_uint_t conf_line;

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
    ngx_path_t *state_path;
    ngx_http_wba_store_t store;
    ngx_cycle_t *cycle;
    u_char *status_file; /* of the first web_bot_auth_status, or NULL */
    ngx_uint_t status_line;
    uint16_t directory_names[NGX_HTTP_WBA_MAX_DIRECTORIES + 1]; /* in the zone;
                                                  discovery's behind them */
    uint16_t tag_names[64];
    ngx_uint_t enabled;        /* unsigned  enabled:1; some location is on */
    ngx_uint_t exposes_reason; /* unsigned  exposes_reason:1; */
    ngx_uint_t challenges;     /* unsigned  challenges:1; some location does */
    ngx_uint_t challenges_any; /* unsigned  challenges_any:1; and one of them
                                  under "satisfy any" */
    wba_challenge_key_t challenge_key; /* from the commit on */
    u_char *enabled_file;
    ngx_uint_t enabled_line;
    ngx_array_t rules; /* of ngx_http_wba_rule_place_t */
    ngx_http_core_srv_conf_t *warned; /* the server last warned about */

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

/* Where a rule stands, for the check that comes when all is read. */
typedef struct {
    wba_str_t tag;
    wba_str_t directory;
    u_char *file;
    ngx_uint_t line;
} ngx_http_wba_rule_place_t;

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
    ngx_uint_t mode;
    ngx_flag_t dry_run;
    time_t clock_skew;
    time_t max_lifetime;
    ngx_uint_t nonce;
    ngx_array_t *components; /* of wba_component_t */
    ngx_array_t *rules;      /* of wba_rule_t */
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
} ngx_http_web_bot_auth_loc_conf_t;

/* nginx frees a server's names once the configuration is read. */
typedef struct {
    ngx_http_server_name_t *names;
    ngx_uint_t nnames;
} ngx_http_web_bot_auth_srv_conf_t;

/* ---- a request */

/* The body, while the machine asks for it. */
typedef enum {
    NGX_HTTP_WBA_BODY_NONE = 0,
    NGX_HTTP_WBA_BODY_COMING, /* what arrives is fed to the machine */
    NGX_HTTP_WBA_BODY_FED,    /* all of it was */
    NGX_HTTP_WBA_BODY_LOST    /* some of it could not be */
} ngx_http_wba_body_e;

typedef struct {
    ngx_http_request_t *request;
    ngx_http_web_bot_auth_main_conf_t *main;
    ngx_http_web_bot_auth_loc_conf_t *begun; /* settings of this pass */
    wba_str_t authority; /* of them, those that may be variables, once they */
    wba_str_t scheme;    /* have been asked for; data NULL: not yet */
    wba_mem_t mem;
    wba_message_t message;
    wba_verify_t verify;
    wba_verdict_t verdict;
    unsigned initialised:1;
    unsigned busy:1;    /* asking for settings that may be variables */
    unsigned starved:1; /* one of them could not be had: no memory */
    unsigned left:1;    /* early, a key was not waited for */
    unsigned judged:1;  /* verdict is this pass's */
    unsigned refused:1; /* a refusal was counted and logged */
    unsigned final:1;   /* and no other module could let the request in */
    unsigned parked:1;
    unsigned woken:1;   /* a completion, or the deadline, wants it to go on */
    unsigned overdue:1; /* the deadline has passed */
    unsigned waited:1;  /* wait_until is set */
    unsigned answered:1; /* the store has: answer, for asked */
    u_char created[NGX_INT64_LEN]; /* of the signature described, as text */
    u_char expires[NGX_INT64_LEN];
    ngx_uint_t events; /* the zone's, before a fetch was last asked for */
    ngx_msec_t wait_until;
    ngx_http_wba_body_e body;
    ngx_msec_t body_since; /* when it was begun to be read */
    wba_store_answer_t answer;
    wba_nonce_t asked[WBA_MAX_SIGNATURES];
    size_t nasked;
    wba_redis_ticket_t *ticket; /* of a record under way, or NULL */
    uint64_t asked_us;          /* when that began */
    ngx_http_web_bot_auth_loc_conf_t *challenged; /* whose Accept-Signature */
    ngx_str_t challenge;                          /* this is, or NULL */
    ngx_queue_t queue;
    ngx_event_t deadline;
} ngx_http_web_bot_auth_ctx_t;

/* ---- what crosses files */

extern ngx_module_t ngx_http_web_bot_auth_module;

static ngx_inline wba_str_t
ngx_http_wba_view(ngx_str_t s)
{
    return wba_str(s.data, s.len);
}

static ngx_inline ngx_str_t
ngx_http_wba_ngx_str(wba_str_t s)
{
    ngx_str_t n;

    n.len = s.len;
    n.data = (u_char *) s.data;
    return n;
}

/* main_conf.c and conf.c */
void *ngx_http_web_bot_auth_create_main_conf(ngx_conf_t *cf);
char *ngx_http_web_bot_auth_init_main_conf(ngx_conf_t *cf, void *conf);
void *ngx_http_web_bot_auth_create_srv_conf(ngx_conf_t *cf);
char *ngx_http_web_bot_auth_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child);
void *ngx_http_web_bot_auth_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_web_bot_auth_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
ngx_int_t ngx_http_web_bot_auth_check(ngx_conf_t *cf);
char *ngx_http_web_bot_auth_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_web_bot_auth_wait(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_web_bot_auth_answer(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_web_bot_auth_clock_skew(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_web_bot_auth_max_lifetime(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_web_bot_auth_components(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_web_bot_auth_authority(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_web_bot_auth_mode(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
wba_mem_t ngx_http_wba_pool_mem(ngx_pool_t *pool);
ngx_int_t ngx_http_wba_add_component(ngx_conf_t *cf, ngx_str_t *text,
    wba_component_t *out);

char *ngx_http_web_bot_auth_trusted_certificate(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
char *ngx_http_web_bot_auth_expose_reason(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* words.c */
char *ngx_http_web_bot_auth_directory(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_web_bot_auth_discovery(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* directory.c */
char *ngx_http_web_bot_auth_load_directories(ngx_conf_t *cf,
    ngx_http_web_bot_auth_main_conf_t *mcf);

/* What a key of this directory may be used with: a mask. */
unsigned ngx_http_wba_algorithms(const wba_directory_t *directory);

/* How the JWK Set of that directory is read. */
wba_jwks_options_t ngx_http_wba_jwks_options(
    ngx_http_web_bot_auth_main_conf_t *mcf,
    const ngx_http_wba_bounds_t *bounds, const wba_directory_t *directory);

/* A hash of a URL and of all that decides which keys come of it; never 0. */
uint64_t ngx_http_wba_source_hash(ngx_http_web_bot_auth_main_conf_t *mcf,
    const ngx_http_wba_bounds_t *bounds, const wba_directory_t *directory,
    ngx_str_t *url);

/* verdicts.c: env's cache, of this process; and env.diagnose. */
ngx_int_t ngx_http_wba_verdicts_create(ngx_pool_t *pool,
    ngx_http_web_bot_auth_main_conf_t *mcf);
void ngx_http_wba_verdicts_init_worker(ngx_http_web_bot_auth_main_conf_t *mcf);
bool ngx_http_wba_diagnose(void *data);

/* forgery.c: web_bot_auth_forgery_limit */
char *ngx_http_web_bot_auth_forgery_limit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* Bytes of the budgets in a zone of that size, and making them, empty; zone
 * says where. */
size_t ngx_http_wba_forgery_size(size_t zone_size);
void ngx_http_wba_forgery_init(ngx_http_wba_zone_t *zone, size_t size);
void ngx_http_wba_forgery_report(ngx_http_wba_zone_t *zone,
    wba_forgery_stats_t *stats);

/* Of env. */
bool ngx_http_wba_forgery_may_try(void *data, const wba_message_t *message,
    const wba_forgery_limit_t *limit, const uint8_t *thumbprint);
void ngx_http_wba_forgery_tried(void *data, const wba_message_t *message,
    const wba_forgery_limit_t *limit, const uint8_t *thumbprint, bool good);

/* rules.c */
char *ngx_http_web_bot_auth_rule(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_http_web_bot_auth_check_rules(ngx_conf_t *cf);

/* zone.c */
ngx_int_t ngx_http_wba_zone_init(ngx_shm_zone_t *shm_zone, void *data);
size_t ngx_http_wba_zone_min_size(void);
ngx_uint_t ngx_http_wba_zone_found(size_t zone_size);
ngx_int_t ngx_http_wba_zone_commit(ngx_cycle_t *cycle);
ngx_int_t ngx_http_wba_zone_lock(ngx_http_wba_zone_t *zone);
void ngx_http_wba_zone_unlock(ngx_http_wba_zone_t *zone);

/* Under the lock: the set of a slot, a view into the arena; size 0: none. */
wba_keyset_t ngx_http_wba_zone_set(ngx_http_wba_zone_t *zone,
    const ngx_http_wba_slot_t *slot);

/* counters.c */

/* Rows that a zone of that size has for so many workers. */
ngx_uint_t ngx_http_wba_rows(size_t zone_size, ngx_int_t workers);

/* Gives the names that mcf counts by their places; the zone is locked. */
void ngx_http_wba_names_commit(ngx_http_web_bot_auth_main_conf_t *mcf);

/* Begins this process's counting. */
void ngx_http_wba_counters_init_worker(
    ngx_http_web_bot_auth_main_conf_t *mcf);

#define ngx_http_wba_count(counter)  (void) ngx_atomic_fetch_add(&(counter), 1)

void ngx_http_wba_count_verdict(ngx_http_web_bot_auth_main_conf_t *mcf,
    const wba_verdict_t *verdict);
void ngx_http_wba_count_latency(ngx_http_wba_latency_t *latency, uint64_t us);

/* Microseconds of a clock that only goes forward. */
uint64_t ngx_http_wba_now_us(void);

/* All rows of the zone, added up, into what the report has of them.  names
 * is by the zone's. */
void ngx_http_wba_counters_sum(ngx_http_wba_zone_t *zone,
    wba_report_t *report, uint64_t names[NGX_HTTP_WBA_NAMES][2]);

/* status.c */
char *ngx_http_web_bot_auth_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* A configuration is read.  The first one notes which file the module was
 * loaded from; later ones are served by the same code, whatever lies there. */
void ngx_http_wba_status_loaded(void);

/* slots.c: what happens to one slot.  Each takes the lock. */

/* What is known of a set beside its keys.  Times are ngx_current_msec's. */
typedef struct {
    const char *etag; /* "" or NULL: none */
    const char *last_modified;
    ngx_msec_t fetched;
    ngx_msec_t lifetime;
    ngx_msec_t due;
} ngx_http_wba_record_t;

/* Takes the lease of source's slot, and with it the validators of the set that
 * it holds, into source.  NGX_OK; NGX_AGAIN: another worker has it;
 * NGX_BUSY: as many discovered directories are fetched as may be;
 * NGX_DECLINED: the slot is somebody else's by now. */
ngx_int_t ngx_http_wba_slot_lease(ngx_http_wba_source_t *source,
    ngx_msec_t until);
void ngx_http_wba_slot_release(ngx_http_wba_source_t *source);

/* Publishes a set under the lease.  NGX_OK; NGX_DECLINED when the arena has no
 * room; NGX_ERROR when the lease is not ours any more. */
ngx_int_t ngx_http_wba_slot_publish(ngx_http_wba_source_t *source,
    wba_keyset_t set, const ngx_http_wba_record_t *record);

/* The set is still right; else as above. */
ngx_int_t ngx_http_wba_slot_freshen(ngx_http_wba_source_t *source,
    const ngx_http_wba_record_t *record);

/* Notes a failure, and when to try again.  Returns how many came before. */
ngx_uint_t ngx_http_wba_slot_failed(ngx_http_wba_source_t *source,
    ngx_msec_t due, const char *why);

/* Gives up the keys of the slot.  NGX_OK, NGX_DECLINED (there were none). */
ngx_int_t ngx_http_wba_slot_drop(ngx_http_wba_source_t *source);

/* A slot for a discovered URL: the one that it has, a free one, or that of one
 * that has not been used for long.  exempt: see the source's.  NULL with NGX_BUSY: a bound of
 * web_bot_auth_discovery is reached; NULL with NGX_ERROR. */
ngx_http_wba_slot_t *ngx_http_wba_slot_for_url(
    ngx_http_web_bot_auth_main_conf_t *mcf, ngx_str_t *url, uint64_t hash,
    ngx_uint_t exempt, ngx_int_t *rc);

/* keys.c.  *_create, here and elsewhere: what the workers will need, from the
 * configuration's pool. */
ngx_int_t ngx_http_wba_keys_create(ngx_pool_t *pool,
    ngx_http_web_bot_auth_main_conf_t *mcf);
void ngx_http_wba_keys_init_worker(ngx_cycle_t *cycle,
    ngx_http_web_bot_auth_main_conf_t *mcf);
void ngx_http_wba_keys_exit_worker(ngx_http_web_bot_auth_main_conf_t *mcf);

/* Answers WBA_NEED_KEY.  NGX_OK: answered; NGX_AGAIN: may_wait was set and
 * the request should be parked. */
ngx_int_t ngx_http_wba_keys_answer(ngx_http_web_bot_auth_ctx_t *ctx,
    ngx_uint_t may_wait);

/* This process's index has what the zone has.  NGX_ERROR: no memory; the old
 * index stays. */
ngx_int_t ngx_http_wba_keys_sync(ngx_http_web_bot_auth_main_conf_t *mcf);

/* Offers what keyring has for the keyid asked for, as found at WBA_DISCOVERED.
 */
void ngx_http_wba_keys_offer_found(wba_verify_t *v,
    const wba_keyring_t *ring);

/* discovery.c */
ngx_int_t ngx_http_wba_discovery_tables(ngx_pool_t *pool,
    ngx_http_web_bot_auth_main_conf_t *mcf);
void ngx_http_wba_discovery_init_worker(ngx_cycle_t *cycle,
    ngx_http_web_bot_auth_main_conf_t *mcf);
void ngx_http_wba_discovery_exit_worker(
    ngx_http_web_bot_auth_main_conf_t *mcf);

/* Brings what this process knows of slot number i up to date; the zone is
 * locked. */
ngx_int_t ngx_http_wba_discovery_sync(ngx_http_web_bot_auth_main_conf_t *mcf,
    ngx_uint_t i);
void ngx_http_wba_discovery_index(ngx_http_web_bot_auth_main_conf_t *mcf);

/* As ngx_http_wba_keys_answer, where v->key.discover. */
ngx_int_t ngx_http_wba_discovery_answer(ngx_http_web_bot_auth_ctx_t *ctx,
    ngx_uint_t may_wait);

/* An agent of that URL has verified: its directory is in use. */
void ngx_http_wba_discovery_used(ngx_http_web_bot_auth_main_conf_t *mcf,
    wba_str_t url);

/* refresh.c: one source's fetches. */

/* Begins a fetch.  NGX_OK: under way, here or in another worker; NGX_BUSY: a
 * bound of discovery is reached; NGX_DECLINED: it could not be begun. */
ngx_int_t ngx_http_wba_refresh(ngx_http_wba_source_t *source);

/* What may be expected of a source for whom keys, or better keys, are wanted.
 * NGX_OK: a fetch is under way; NGX_BUSY; NGX_DECLINED: what it has is the
 * best to be had now; NGX_ERROR: it has nothing, and cannot get it now. */
ngx_int_t ngx_http_wba_refresh_want(ngx_http_wba_source_t *source);

/* Gives up a set that has been in use for too long after its lifetime. */
void ngx_http_wba_refresh_expire(ngx_http_wba_source_t *source);

/* Whether another worker, or this one, is fetching. */
ngx_uint_t ngx_http_wba_refresh_leased(const ngx_http_wba_slot_t *slot);

void ngx_http_wba_refresh_start(ngx_http_wba_source_t *source,
    ngx_log_t *log);
void ngx_http_wba_refresh_stop(ngx_http_wba_source_t *source);

/* state.c: web_bot_auth_state_path */
char *ngx_http_web_bot_auth_state_path(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* Keeps set, or, where it is NULL, the one that the slot holds.  Only of
 * configured directories. */
void ngx_http_wba_state_save(ngx_http_wba_source_t *source,
    const wba_keyset_t *set, const ngx_http_wba_record_t *record);

/* Reads what was kept of each directory that has nothing loaded; in the
 * master, when the configuration is in force. */
void ngx_http_wba_state_load(ngx_http_web_bot_auth_main_conf_t *mcf,
    ngx_log_t *log);

/* wait.c */
ngx_int_t ngx_http_wba_park(ngx_http_web_bot_auth_ctx_t *ctx);
void ngx_http_wba_unpark(ngx_http_web_bot_auth_ctx_t *ctx);
void ngx_http_wba_wake(ngx_http_web_bot_auth_ctx_t *ctx);
void ngx_http_wba_wake_all(ngx_http_web_bot_auth_main_conf_t *mcf);
void ngx_http_wba_wait_init(ngx_http_web_bot_auth_main_conf_t *mcf);

/* loop.c: what fetch.h and wba_redis.h ask of an event loop.  on_fd and
 * on_timer are called with data; hooks get the loop itself. */
typedef struct {
    void (*on_fd)(void *data, int fd, unsigned events);
    void (*on_timer)(void *data);
    void *data;
    ngx_event_t timer;
    ngx_log_t *log;
} ngx_http_wba_loop_t;

void ngx_http_wba_loop_init(ngx_http_wba_loop_t *loop, ngx_log_t *log);
bool ngx_http_wba_loop_watch(void *loop, int fd, unsigned events,
    void **slot);
void ngx_http_wba_loop_timer(void *loop, long ms);

/* fetch.c */
ngx_http_wba_fetcher_t *ngx_http_wba_fetcher_create(ngx_pool_t *pool);
void ngx_http_wba_fetcher_init_worker(ngx_http_wba_fetcher_t *fetcher,
    ngx_log_t *log);
void ngx_http_wba_fetcher_destroy(ngx_http_wba_fetcher_t *fetcher);

/* Made at the first call.  NULL: it could not be, and it was said; the next
 * call tries again. */
wba_fetch_t *ngx_http_wba_fetcher_driver(ngx_http_wba_fetcher_t *fetcher);

/* nonce_file.c: NULL when it cannot be had, and it was said why. */
ngx_http_wba_nonce_file_t *ngx_http_wba_nonce_file_open(ngx_str_t *path,
    size_t region, ngx_http_wba_nonce_file_t *old, ngx_log_t *log);
void ngx_http_wba_nonce_file_close(ngx_http_wba_nonce_file_t *file);
wba_replay_t *ngx_http_wba_nonce_file_table(ngx_http_wba_nonce_file_t *file);

/* replay.c */
wba_clock_t ngx_http_wba_clock(void);

/* Gives mcf the table that its configuration asks for; in the master, when it
 * is in force.  old, of the cycle before or NULL, loses its own, if that is
 * another.  NGX_ERROR: none is to be had. */
ngx_int_t ngx_http_wba_replay_open(ngx_http_web_bot_auth_main_conf_t *mcf,
    ngx_http_web_bot_auth_main_conf_t *old, ngx_log_t *log);
bool ngx_http_wba_replay_seen(void *ctx, const wba_nonce_t *nonce);

/* Answers WBA_NEED_RECORD.  NGX_OK; NGX_AGAIN: the answer is on its way, and
 * the request should be parked. */
ngx_int_t ngx_http_wba_replay_record(ngx_http_web_bot_auth_ctx_t *ctx);

/* The request ends, or does not wait any more. */
void ngx_http_wba_replay_forget(ngx_http_web_bot_auth_ctx_t *ctx);

/* redis.c: wba_redis on nginx's event loop. */
ngx_http_wba_redis_t *ngx_http_wba_redis_create(ngx_pool_t *pool,
    ngx_http_web_bot_auth_main_conf_t *mcf);
void ngx_http_wba_redis_init_worker(ngx_http_wba_redis_t *redis,
    ngx_log_t *log);
void ngx_http_wba_redis_destroy(ngx_http_wba_redis_t *redis);

/* NULL: no memory; the next call tries again. */
wba_redis_t *ngx_http_wba_redis_client(ngx_http_wba_redis_t *redis);

/* store.c */
char *ngx_http_web_bot_auth_nonce_store(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* message.c */
extern const wba_message_ops_t ngx_http_wba_message_ops;

/* handler.c */
ngx_int_t ngx_http_web_bot_auth_handler(ngx_http_request_t *r);
ngx_http_web_bot_auth_ctx_t *ngx_http_wba_ctx(ngx_http_request_t *r,
    ngx_uint_t create);
void ngx_http_wba_advance_early(ngx_http_web_bot_auth_ctx_t *ctx);
ngx_int_t ngx_http_wba_header_filter_init(ngx_conf_t *cf);

/* log.c */
void ngx_http_wba_log_init_worker(ngx_http_web_bot_auth_main_conf_t *mcf);
void ngx_http_wba_log_refusal(ngx_http_web_bot_auth_ctx_t *ctx,
    ngx_http_web_bot_auth_loc_conf_t *lcf);
void ngx_http_wba_log_need(ngx_http_web_bot_auth_ctx_t *ctx, wba_need_t need);
void ngx_http_wba_log_facts(ngx_http_web_bot_auth_ctx_t *ctx);

/* challenge.c: web_bot_auth_challenge */
char *ngx_http_web_bot_auth_challenge(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* Merges the setting and writes the location's Accept-Signature; after the
 * rest of the policy is made. */
char *ngx_http_wba_challenge_merge(ngx_conf_t *cf,
    ngx_http_web_bot_auth_loc_conf_t *prev,
    ngx_http_web_bot_auth_loc_conf_t *conf);

/* The hooks that it takes: none where no location challenges. */
ngx_int_t ngx_http_wba_challenge_init(ngx_conf_t *cf,
    ngx_http_web_bot_auth_main_conf_t *mcf);

/* The key, from the nonce table in force. */
void ngx_http_wba_challenge_commit(ngx_http_web_bot_auth_main_conf_t *mcf);

/* The request is refused: notes what its answer shall ask for. */
void ngx_http_wba_challenge_note(ngx_http_web_bot_auth_ctx_t *ctx,
    ngx_http_web_bot_auth_loc_conf_t *lcf);

/* body.c: answers WBA_NEED_BODY.  NGX_OK: answered; NGX_DONE: the phases run
 * again when the body is there, and the request may be gone; else the status
 * by which nginx refuses the body. */
ngx_int_t ngx_http_wba_body_answer(ngx_http_web_bot_auth_ctx_t *ctx);
ngx_int_t ngx_http_wba_body_filter_init(ngx_conf_t *cf);

/* variables.c */
ngx_int_t ngx_http_web_bot_auth_add_variables(ngx_conf_t *cf);

#endif
