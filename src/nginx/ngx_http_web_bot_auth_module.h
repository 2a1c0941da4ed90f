/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the module share: its configuration (conf.h), its zone
 * (zone.h), a request's context (ctx.h), and the functions that cross files.
 * Only this room includes nginx's headers.
 */
#ifndef NGX_HTTP_WEB_BOT_AUTH_MODULE_H
#define NGX_HTTP_WEB_BOT_AUTH_MODULE_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

#include <pthread.h>

#include "jwks.h"
#include "report.h"
#include "uri.h"

#include "ngx_http_web_bot_auth_ctx.h"

/* Milliseconds: how often a worker with parked requests looks whether another
 * worker's fetch has ended. */
#define NGX_HTTP_WBA_POLL 20

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

/* Called when the flag has been set. */
char *ngx_http_web_bot_auth_private_addresses(ngx_conf_t *cf, void *post,
    void *data);
char *ngx_http_web_bot_auth_test_keys(ngx_conf_t *cf, void *post, void *data);
char *ngx_http_web_bot_auth_trusted_certificate(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
char *ngx_http_web_bot_auth_expose_reason(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* block.c */
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
ngx_atomic_uint_t ngx_http_wba_source_hash(
    ngx_http_web_bot_auth_main_conf_t *mcf,
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
void ngx_http_wba_forgery_forgive(void *data, const wba_message_t *message,
    const wba_forgery_limit_t *limit, const uint8_t *thumbprint);

/* rules.c */
char *ngx_http_web_bot_auth_rule(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* check.c */
ngx_int_t ngx_http_wba_check_init(ngx_conf_t *cf,
    ngx_http_web_bot_auth_main_conf_t *mcf);

/* A location, merged, that is on or optional. */
void ngx_http_wba_check_location(ngx_conf_t *cf,
    ngx_http_web_bot_auth_loc_conf_t *prev,
    ngx_http_web_bot_auth_loc_conf_t *conf);

/* When all is merged. */
void ngx_http_wba_check(ngx_conf_t *cf,
    ngx_http_web_bot_auth_main_conf_t *mcf);

/* check_rules.c: NGX_ERROR where a rule names what does not exist; and what
 * is doubtful of one list. */
ngx_int_t ngx_http_wba_check_rule_names(ngx_conf_t *cf,
    ngx_http_web_bot_auth_main_conf_t *mcf);
void ngx_http_wba_check_rules(ngx_conf_t *cf,
    ngx_http_web_bot_auth_main_conf_t *mcf, ngx_http_wba_rules_t *list);

/* check_zone.c: when the zone has its size. */
void ngx_http_wba_check_zone(ngx_http_web_bot_auth_main_conf_t *mcf,
    ngx_log_t *log);

/* zone.c */
ngx_int_t ngx_http_wba_zone_init(ngx_shm_zone_t *shm_zone, void *data);
size_t ngx_http_wba_zone_min_size(void);
ngx_uint_t ngx_http_wba_zone_found(size_t zone_size);
size_t ngx_http_wba_zone_for_found(ngx_uint_t n);

/* The least size, in whole megabytes, of a zone with room for so many nonces,
 * and for so many bytes of key sets; 0: there is none. */
size_t ngx_http_wba_zone_for(ngx_http_web_bot_auth_main_conf_t *mcf,
    uint64_t nonces, size_t keys);
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

/* Milliseconds of the same clock, for what outlives the 49 days after which
 * ngx_current_msec begins anew on a 32-bit machine. */
uint64_t ngx_http_wba_now_ms(void);

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
 * that has not been used for long.  exempt: see the source's.  NULL with
 * NGX_BUSY: a bound of web_bot_auth_discovery is reached; NULL with NGX_ERROR.
 */
ngx_http_wba_slot_t *ngx_http_wba_slot_for_url(
    ngx_http_web_bot_auth_main_conf_t *mcf, ngx_str_t *url,
    ngx_atomic_uint_t hash, ngx_uint_t exempt, ngx_int_t *rc);

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

/* Before that: whether it is known already that the answer will not be FRESH.
 */
ngx_uint_t ngx_http_wba_replay_refuses(ngx_http_web_bot_auth_ctx_t *ctx);

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
