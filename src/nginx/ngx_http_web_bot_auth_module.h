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

#include "fetch.h"
#include "jwks.h"
#include "uri.h"
#include "verify.h"

/* Words of answers and rules that have no name in the configuration. */
#define NGX_HTTP_WBA_UNSET_ANSWER 0xffff

/* Counter slots: one per worker, shared by number where there are more. */
#define NGX_HTTP_WBA_WORKERS 64

/* Configured directories: each https one takes a slot of the zone, and a
 * reload may hold slots of the configuration before. */
#define NGX_HTTP_WBA_MAX_DIRECTORIES 128

/* Seconds that a key set lives before it is fetched again, where it lies
 * between the directory's refresh MIN and MAX. */
#define NGX_HTTP_WBA_LIFETIME 3600

/* Milliseconds: how often a worker with parked requests looks whether another
 * worker's fetch has ended. */
#define NGX_HTTP_WBA_POLL 20

/* Milliseconds: first and longest pause after a failed fetch. */
#define NGX_HTTP_WBA_RETRY_MIN 1000
#define NGX_HTTP_WBA_RETRY_MAX 300000

/* ---- zone: shared by all workers, carved once */

/* The state of one https directory.  Times are ngx_current_msec's. */
typedef struct {
    u_char name[64]; /* empty: free */
    uint64_t hash; /* of the directory whose slot it is */
    ngx_atomic_t lease;   /* until when some worker may fetch; 0: nobody */
    ngx_atomic_t loaded;  /* a set is there */
    ngx_atomic_t fetched; /* when the last fetch ended well */
    ngx_atomic_t due;     /* when to fetch next */
    ngx_atomic_t failures;
    ngx_atomic_t fetches; /* started, ever */
    size_t set_offset[2]; /* into each half of the arena */
    size_t set_size[2];
    u_char error[160]; /* of the last failure; empty: none */
} ngx_http_wba_slot_t;

/* Plain counts; only the worker that owns a row writes to it. */
typedef struct {
    ngx_atomic_t reasons[WBA_REASON_COUNT];
} ngx_http_wba_counters_t;

typedef struct {
    uint32_t version;
    uint32_t layout;  /* size of this record: another build is another zone */
    uint32_t nslots;
    size_t arena;      /* offset of the arena's first half */
    size_t arena_size; /* of one half */
    size_t replay;     /* offset of the nonce region */
    size_t replay_size;
    pthread_mutex_t lock; /* of arena and slots' sets; robust */
    ngx_atomic_t half;       /* the half that is published: 0 or 1 */
    ngx_atomic_t generation; /* of the key sets, odd while none is consistent */
    ngx_atomic_t events;     /* fetches ended, well or not */
    ngx_http_wba_counters_t counters[NGX_HTTP_WBA_WORKERS];
    ngx_http_wba_slot_t slots[1]; /* nslots of them */
} ngx_http_wba_zone_t;

/* ---- configuration */

typedef struct {
    wba_directory_t *core; /* in main->core_directories, at the same index */
    ngx_str_t name;
    ngx_str_t url;
    ngx_str_t path;    /* of a file: source; empty for https */
    time_t refresh_min;
    time_t refresh_max;
    time_t stale; /* seconds beyond its lifetime that a set stays in use */
    ngx_msec_t timeout;
    size_t max_size;
    ngx_uint_t max_keys;
    ngx_uint_t well_known; /* unsigned  well_known:1; */
    uint64_t hash;         /* of all that the key set depends on */
    wba_keyset_t file_set; /* of a file: source */
    u_char *conf_file;
    ngx_uint_t conf_line;

    /* This process's. */
    ngx_uint_t index;
    ngx_http_wba_slot_t *slot; /* NULL for a file: source */
    ngx_event_t timer;
    wba_fetch_job_t *job;
    uint64_t lease;
} ngx_http_wba_directory_t;

typedef struct ngx_http_wba_fetcher_s ngx_http_wba_fetcher_t;

typedef struct {
    ngx_array_t directories; /* of ngx_http_wba_directory_t * */
    wba_directory_t *core_directories;
    wba_tag_t tags[64];
    wba_env_t env;

    size_t zone_size;
    ngx_shm_zone_t *shm_zone;
    ngx_http_wba_zone_t *zone;
    wba_replay_t *replay;

    ngx_msec_t wait;
    ngx_uint_t wait_max;
    ngx_str_t trusted_certificate;
    ngx_str_t trusted_pem; /* its content: workers need not read the file */
    ngx_flag_t test_keys;
    ngx_flag_t nonce_store;
    ngx_uint_t cold_accept;    /* unsigned  cold_accept:1; */
    ngx_uint_t enabled;        /* unsigned  enabled:1; some location is on */
    ngx_uint_t exposes_reason; /* unsigned  exposes_reason:1; */
    u_char *enabled_file;
    ngx_uint_t enabled_line;
    ngx_array_t rules; /* of ngx_http_wba_rule_place_t */
    ngx_http_core_srv_conf_t *warned; /* the server last warned about */

    /* This process's. */
    wba_keyring_t *ring;
    uint64_t ring_generation;
    ngx_http_wba_fetcher_t *fetcher;
    ngx_queue_t parked;
    ngx_uint_t nparked;
    ngx_event_t poll;
    uint64_t poll_events;
    ngx_log_t *log;
} ngx_http_web_bot_auth_main_conf_t;

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
    wba_policy_t policy; /* made of all the above when merged */
} ngx_http_web_bot_auth_loc_conf_t;

/* nginx frees a server's names once the configuration is read. */
typedef struct {
    ngx_http_server_name_t *names;
    ngx_uint_t nnames;
} ngx_http_web_bot_auth_srv_conf_t;

/* ---- a request */

typedef struct {
    ngx_http_request_t *request;
    ngx_http_web_bot_auth_main_conf_t *main;
    ngx_http_web_bot_auth_loc_conf_t *begun; /* settings of this pass */
    wba_mem_t mem;
    wba_message_t message;
    wba_verify_t verify;
    wba_verdict_t verdict;
    unsigned initialised:1;
    unsigned busy:1;    /* asking for settings that may be variables */
    unsigned judged:1;  /* verdict is this pass's */
    unsigned refused:1; /* a refusal was counted and logged */
    unsigned parked:1;
    unsigned woken:1;   /* a completion, or the deadline, wants it to go on */
    unsigned overdue:1; /* the deadline has passed */
    unsigned waited:1;  /* the deadline is running */
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
char *ngx_http_web_bot_auth_nonce_store(ngx_conf_t *cf, ngx_command_t *cmd,
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

/* directory.c */
unsigned ngx_http_wba_algorithms(ngx_http_wba_directory_t *dir);
char *ngx_http_web_bot_auth_load_directories(ngx_conf_t *cf,
    ngx_http_web_bot_auth_main_conf_t *mcf);
char *ngx_http_web_bot_auth_directory(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* rules.c */
char *ngx_http_web_bot_auth_rule(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_http_web_bot_auth_check_rules(ngx_conf_t *cf);

/* zone.c */
ngx_int_t ngx_http_wba_zone_init(ngx_shm_zone_t *shm_zone, void *data);
size_t ngx_http_wba_zone_min_size(void);
ngx_int_t ngx_http_wba_zone_commit(ngx_cycle_t *cycle);

/* Replaces the set of one directory (set.size 0: drops it) and publishes.
 * NGX_OK; NGX_DECLINED when the arena has no room; NGX_ERROR when the slot is
 * another directory's by now, or the lock failed. */
ngx_int_t ngx_http_wba_zone_publish(ngx_http_wba_zone_t *zone,
    ngx_http_wba_directory_t *directory, wba_keyset_t set);

/* A copy of the published half (malloc'ed into *copy, for free()), the sets in
 * it by index into directories (empty where none is loaded), and the
 * generation it is of.  NGX_ERROR: no memory. */
ngx_int_t ngx_http_wba_zone_snapshot(ngx_http_web_bot_auth_main_conf_t *mcf,
    u_char **copy, wba_keyset_t *sets, uint64_t *generation);

/* keys.c */
ngx_int_t ngx_http_wba_keys_init_worker(ngx_cycle_t *cycle,
    ngx_http_web_bot_auth_main_conf_t *mcf);
void ngx_http_wba_keys_exit_worker(ngx_http_web_bot_auth_main_conf_t *mcf);

/* Answers WBA_NEED_KEY.  NGX_OK: answered; NGX_AGAIN: may_wait was set and
 * the request should be parked. */
ngx_int_t ngx_http_wba_keys_answer(ngx_http_web_bot_auth_ctx_t *ctx,
    ngx_uint_t may_wait);

/* wait.c */
ngx_int_t ngx_http_wba_park(ngx_http_web_bot_auth_ctx_t *ctx);
void ngx_http_wba_unpark(ngx_http_web_bot_auth_ctx_t *ctx);
void ngx_http_wba_wake_all(ngx_http_web_bot_auth_main_conf_t *mcf);
void ngx_http_wba_wait_init(ngx_http_web_bot_auth_main_conf_t *mcf);

/* fetch.c */
ngx_http_wba_fetcher_t *ngx_http_wba_fetcher_create(ngx_cycle_t *cycle);
void ngx_http_wba_fetcher_destroy(ngx_http_wba_fetcher_t *fetcher);
wba_fetch_t *ngx_http_wba_fetcher_driver(ngx_http_wba_fetcher_t *fetcher);

/* replay.c */
ngx_int_t ngx_http_wba_replay_create(ngx_http_wba_zone_t *zone,
    ngx_log_t *log);
bool ngx_http_wba_replay_seen(void *ctx, const wba_nonce_t *nonce);
wba_store_answer_t ngx_http_wba_replay_record(
    ngx_http_web_bot_auth_ctx_t *ctx);

/* message.c */
extern const wba_message_ops_t ngx_http_wba_message_ops;

/* handler.c */
ngx_int_t ngx_http_web_bot_auth_handler(ngx_http_request_t *r);
ngx_http_web_bot_auth_ctx_t *ngx_http_wba_ctx(ngx_http_request_t *r,
    ngx_uint_t create);
void ngx_http_wba_advance_early(ngx_http_web_bot_auth_ctx_t *ctx);
ngx_int_t ngx_http_wba_header_filter_init(ngx_conf_t *cf);

/* variables.c */
ngx_int_t ngx_http_web_bot_auth_add_variables(ngx_conf_t *cf);

#endif
