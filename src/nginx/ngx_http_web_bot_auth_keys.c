/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Key sets: this worker's index of them, and who refreshes what and when.  A
 * lookup compares one number with the zone's; only when a set has changed
 * anywhere is the index built anew.
 */
#include "ngx_http_web_bot_auth_module.h"

#include "directory.h"

/* How long a lease outlives the fetch's own time limit, ms: for the parsing of
 * what came. */
#define NGX_HTTP_WBA_LEASE_GRACE  2000

static void ngx_http_wba_keys_tick(ngx_event_t *ev);
static void ngx_http_wba_keys_done(void *data,
    const wba_fetch_result_t *result);

/* Directories outlive their worker's main conf by nothing, so the way back is
 * a pointer in the timer. */
typedef struct {
    ngx_http_wba_directory_t *dir;
    ngx_http_web_bot_auth_main_conf_t *mcf;
} ngx_http_wba_refresh_t;

/* ---- the index */

static ngx_int_t
ngx_http_wba_keys_rebuild(ngx_http_web_bot_auth_main_conf_t *mcf)
{
    size_t                      n;
    u_char                     *copy = NULL;
    unsigned                   *ids;
    uint64_t                    generation = 0;
    ngx_uint_t                  i;
    wba_keyset_t               *sets;
    wba_keyring_t              *ring = NULL;
    ngx_http_wba_directory_t  **dirs = mcf->directories.elts;

    n = mcf->directories.nelts;
    sets = calloc(n ? n : 1, sizeof(*sets));
    ids = calloc(n ? n : 1, sizeof(*ids));

    if (sets == NULL || ids == NULL
        || ngx_http_wba_zone_snapshot(mcf, &copy, sets, &generation) != NGX_OK)
    {
        goto done;
    }

    n = 0;
    for (i = 0; i < mcf->directories.nelts; i++) {
        wba_keyset_t  set = dirs[i]->path.len ? dirs[i]->file_set : sets[i];

        if (set.size == 0) {
            continue;
        }
        if (wba_keyset_check(set) != WBA_OK) {
            ngx_log_error(NGX_LOG_ALERT, mcf->log, 0,
                          "web_bot_auth: damaged key set of directory %V",
                          &dirs[i]->name);
            continue;
        }
        sets[n] = set;
        ids[n++] = i;
    }
    ring = wba_keyring_new(sets, ids, n);

done:

    free(copy);
    free(sets);
    free(ids);

    if (ring == NULL) {
        ngx_log_error(NGX_LOG_CRIT, mcf->log, 0,
                      "web_bot_auth: no memory for the key index");
        return NGX_ERROR;
    }
    wba_keyring_free(mcf->ring);
    mcf->ring = ring;
    mcf->ring_generation = generation;
    return NGX_OK;
}

/* ---- refreshing */

static void
ngx_http_wba_keys_arm(ngx_http_wba_directory_t *dir)
{
    int64_t               delay;
    ngx_http_wba_slot_t  *slot = dir->slot;

    delay = (ngx_msec_int_t) (slot->due - ngx_current_msec);
    if (slot->lease) {
        delay = ngx_max(delay,
                        (ngx_msec_int_t) (slot->lease - ngx_current_msec));
    }
    delay = ngx_max(delay, 0);

    /* Jitter keeps workers, and machines started together, apart. */
    delay += ngx_random() % (ngx_min(delay / 20, 30000) + 10);

    ngx_add_timer(&dir->timer, (ngx_msec_t) delay);
}

/* Milliseconds that a set is fresh. */
static ngx_msec_int_t
ngx_http_wba_keys_lifetime(ngx_http_wba_directory_t *dir)
{
    return 1000 * ngx_min(ngx_max(NGX_HTTP_WBA_LIFETIME, dir->refresh_min),
                          dir->refresh_max);
}

/* A set stays in use through failures, but not for ever: keys that its
 * directory may long have revoked are given up. */
static void
ngx_http_wba_keys_give_up(ngx_http_web_bot_auth_main_conf_t *mcf,
    ngx_http_wba_directory_t *dir)
{
    wba_keyset_t          none = { NULL, 0 };
    ngx_msec_int_t        age;
    ngx_http_wba_slot_t  *slot = dir->slot;

    age = (ngx_msec_int_t) (ngx_current_msec - slot->fetched);
    if (!slot->loaded
        || age < ngx_http_wba_keys_lifetime(dir)
                 + (ngx_msec_int_t) dir->stale * 1000
        || ngx_http_wba_zone_publish(mcf->zone, dir, none) != NGX_OK)
    {
        return;
    }
    ngx_log_error(NGX_LOG_ERR, mcf->log, 0,
                  "web_bot_auth: the keys of directory %V are %Ts old and no "
                  "longer used: \"stale\" is over", &dir->name,
                  (time_t) age / 1000);
}

/* A failure, of a fetch or to begin one: later, and later each time. */
static void
ngx_http_wba_keys_failed(ngx_http_web_bot_auth_main_conf_t *mcf,
    ngx_http_wba_directory_t *dir, const char *why)
{
    ngx_msec_t            pause;
    ngx_uint_t            failures, level;
    ngx_http_wba_slot_t  *slot = dir->slot;

    failures = slot->failures;
    pause = NGX_HTTP_WBA_RETRY_MAX;
    if (failures < 9) {
        pause = ngx_min(NGX_HTTP_WBA_RETRY_MIN << failures,
                        NGX_HTTP_WBA_RETRY_MAX);
    }
    slot->due = ngx_current_msec + pause / 2 + ngx_random() % (pause / 2);
    slot->failures = failures + 1;

    level = failures ? NGX_LOG_INFO : NGX_LOG_WARN;
    ngx_log_error(level, mcf->log, 0,
                  "web_bot_auth: directory %V could not be fetched from %V: "
                  "%s%s", &dir->name, &dir->url, why,
                  slot->loaded ? "; its keys stay in use" : "");
    ngx_cpystrn(slot->error, (u_char *) why, sizeof(slot->error));
    ngx_http_wba_keys_give_up(mcf, dir);
}

static void
ngx_http_wba_keys_release(ngx_http_web_bot_auth_main_conf_t *mcf,
    ngx_http_wba_directory_t *dir)
{
    (void) ngx_atomic_cmp_set(&dir->slot->lease, dir->lease, 0);
    dir->lease = 0;
    (void) ngx_atomic_fetch_add(&mcf->zone->events, 1);
}

/* Takes the lease and begins a fetch.  NGX_OK: under way, here or in another
 * worker; NGX_DECLINED: it could not be begun. */
static ngx_int_t
ngx_http_wba_keys_fetch(ngx_http_web_bot_auth_main_conf_t *mcf,
    ngx_http_wba_directory_t *dir)
{
    ngx_atomic_uint_t        lease, until;
    ngx_http_wba_slot_t     *slot = dir->slot;
    wba_fetch_request_t      request;
    ngx_http_wba_refresh_t  *refresh = dir->timer.data;

    lease = slot->lease;
    if (lease && (ngx_msec_int_t) (lease - ngx_current_msec) > 0) {
        return NGX_OK;
    }
    if (mcf->fetcher == NULL || slot->hash != dir->hash) {
        return NGX_DECLINED;
    }
    until = ngx_current_msec + dir->timeout + NGX_HTTP_WBA_LEASE_GRACE;
    if (!ngx_atomic_cmp_set(&slot->lease, lease, until)) {
        return NGX_OK;
    }
    dir->lease = until;
    (void) ngx_atomic_fetch_add(&slot->fetches, 1);

    ngx_memzero(&request, sizeof(request));
    request.url = (char *) dir->url.data;
    request.timeout_ms = (long) dir->timeout;
    request.max_body = dir->max_size;
    request.trusted_pem = ngx_http_wba_view(mcf->trusted_pem);
    request.accept = WBA_DIRECTORY_ACCEPT;
    request.user_agent = "ngx_http_web_bot_auth_module";

    dir->job = wba_fetch_start(ngx_http_wba_fetcher_driver(mcf->fetcher),
                               &request, ngx_http_wba_keys_done, refresh);
    if (dir->job == NULL) {
        ngx_http_wba_keys_failed(mcf, dir, "no memory, or too many fetches");
        ngx_http_wba_keys_release(mcf, dir);
        return NGX_DECLINED;
    }
    return NGX_OK;
}

static void
ngx_http_wba_keys_report(void *data, const wba_jwks_note_t *note)
{
    u_char                   kid[64];
    size_t                   i, n;
    ngx_uint_t               level;
    ngx_http_wba_refresh_t  *refresh = data;

    if (note->severity == WBA_JWKS_TAKEN) {
        return;
    }
    for (i = 0, n = 0; i < note->kid.len && n < sizeof(kid) - 1; i++) {
        u_char  c = note->kid.data[i];

        kid[n++] = (c < 0x20 || c > 0x7e || c == '"') ? '?' : c;
    }
    kid[n] = '\0';

    level = note->severity == WBA_JWKS_ALERT ? NGX_LOG_CRIT : NGX_LOG_NOTICE;
    ngx_log_error(level, refresh->mcf->log, 0,
                  "web_bot_auth: directory %V, entry %uz (kid \"%s\"): %s",
                  &refresh->dir->name, note->index, kid, note->text);
}

static void
ngx_http_wba_keys_loaded(ngx_http_web_bot_auth_main_conf_t *mcf,
    ngx_http_wba_directory_t *dir, wba_keyset_t set)
{
    size_t                n;
    ngx_int_t             rc;
    ngx_uint_t            level;
    ngx_http_wba_slot_t  *slot = dir->slot;

    rc = ngx_http_wba_zone_publish(mcf->zone, dir, set);
    if (rc != NGX_OK) {
        ngx_http_wba_keys_failed(mcf, dir, rc == NGX_DECLINED
                                 ? "its keys do not fit, enlarge "
                                   "web_bot_auth_zone"
                                 : "its place in the zone is gone");
        return;
    }

    n = wba_keyset_count(set);
    level = n == 0 ? NGX_LOG_WARN
                   : slot->failures ? NGX_LOG_NOTICE : NGX_LOG_INFO;
    ngx_log_error(level, mcf->log, 0,
                  "web_bot_auth: directory %V: %uz keys from %V%s",
                  &dir->name, n, &dir->url,
                  n == 0 ? "; all of its keys are revoked" : "");

    slot->failures = 0;
    slot->error[0] = '\0';
    slot->fetched = ngx_current_msec;
    slot->due = ngx_current_msec + ngx_http_wba_keys_lifetime(dir);
}

static void
ngx_http_wba_keys_done(void *data, const wba_fetch_result_t *result)
{
    char                                error[160];
    wba_keyset_t                        set;
    wba_jwks_options_t                  options;
    ngx_http_wba_refresh_t             *refresh = data;
    ngx_http_wba_directory_t           *dir = refresh->dir;
    ngx_http_web_bot_auth_main_conf_t  *mcf = refresh->mcf;

    dir->job = NULL;

    ngx_memzero(&options, sizeof(options));
    options.max_size = dir->max_size;
    options.max_keys = dir->max_keys;
    options.well_known = dir->well_known;
    options.test_keys = mcf->test_keys;
    options.algorithms = ngx_http_wba_algorithms(dir);

    if (wba_directory_read(result, &options, ngx_http_wba_keys_report, refresh,
                           &set, error, sizeof(error))
        == WBA_OK)
    {
        ngx_http_wba_keys_loaded(mcf, dir, set);
        free((void *) set.data);
    } else {
        ngx_http_wba_keys_failed(mcf, dir, error);
    }

    ngx_http_wba_keys_release(mcf, dir);
    if (!ngx_exiting) {
        ngx_http_wba_keys_arm(dir);
    }
    ngx_http_wba_wake_all(mcf);
}

static void
ngx_http_wba_keys_tick(ngx_event_t *ev)
{
    ngx_http_wba_refresh_t    *refresh = ev->data;
    ngx_http_wba_directory_t  *dir = refresh->dir;

    if (ngx_exiting || dir->slot->hash != dir->hash) {
        return;
    }
    if ((ngx_msec_int_t) (dir->slot->due - ngx_current_msec) <= 0) {
        (void) ngx_http_wba_keys_fetch(refresh->mcf, dir);
    }
    if (dir->job == NULL) {
        ngx_http_wba_keys_arm(dir);
    }
}

/* ---- requests */

/* Whether an answer of this directory's may be waited for.  NGX_OK: a fetch
 * is under way; NGX_DECLINED: it was, and nothing better is to be had now;
 * NGX_ERROR: it was never loaded and cannot be now. */
static ngx_int_t
ngx_http_wba_keys_want(ngx_http_web_bot_auth_main_conf_t *mcf,
    ngx_http_wba_directory_t *dir)
{
    ngx_int_t             none;
    ngx_msec_int_t        age;
    ngx_http_wba_slot_t  *slot = dir->slot;

    if (slot == NULL) {
        return NGX_DECLINED;
    }
    none = slot->loaded ? NGX_DECLINED : NGX_ERROR;

    if (slot->lease && (ngx_msec_int_t) (slot->lease - ngx_current_msec) > 0) {
        return NGX_OK;
    }
    if (slot->loaded) {
        /* One refetch per interval, however many unknown keyids come. */
        age = (ngx_msec_int_t) (ngx_current_msec - slot->fetched);
        if (age < (ngx_msec_int_t) dir->refresh_min * 1000
            || (slot->failures
                && (ngx_msec_int_t) (slot->due - ngx_current_msec) > 0))
        {
            return none;
        }
    } else if ((ngx_msec_int_t) (slot->due - ngx_current_msec) > 0) {
        return none;
    }
    return ngx_http_wba_keys_fetch(mcf, dir) == NGX_OK ? NGX_OK : none;
}

ngx_int_t
ngx_http_wba_keys_answer(ngx_http_web_bot_auth_ctx_t *ctx,
    ngx_uint_t may_wait)
{
    size_t                              cursor = 0;
    ngx_int_t                           rc;
    ngx_uint_t                          i, pending;
    wba_reason_t                        why;
    wba_verify_t                       *v = &ctx->verify;
    wba_keyring_match_t                 match;
    ngx_http_wba_directory_t          **dirs;
    ngx_http_web_bot_auth_main_conf_t  *mcf = ctx->main;

    if (mcf->ring == NULL || mcf->ring_generation != mcf->zone->generation) {
        if (ngx_http_wba_keys_rebuild(mcf) != NGX_OK && mcf->ring == NULL) {
            wba_verify_keys(v, WBA_REASON_OUT_OF_MEMORY);
            return NGX_OK;
        }
    }

    while (v->ncandidates < WBA_MAX_CANDIDATES
           && wba_keyring_next(mcf->ring, v->key.keyid, &cursor, &match)
              == WBA_OK)
    {
        if (wba_verify_accepts(v, match.directory)) {
            wba_verify_offer(v, &match);
        } else {
            /* However often it publishes this kid, it costs one step. */
            wba_keyring_skip_set(mcf->ring, &cursor);
        }
    }
    if (v->ncandidates || !v->key.refetch) {
        wba_verify_keys(v, WBA_REASON_KEY_UNKNOWN);
        return NGX_OK;
    }

    /* All that may help are asked at once. */
    pending = 0;
    why = WBA_REASON_KEY_UNKNOWN;
    dirs = mcf->directories.elts;

    for (i = 0; i < mcf->directories.nelts; i++) {
        if (!wba_verify_accepts(v, i)) {
            continue;
        }
        rc = ngx_http_wba_keys_want(mcf, dirs[i]);
        if (rc == NGX_OK) {
            pending = 1;
            rc = dirs[i]->slot->loaded ? NGX_DECLINED : NGX_ERROR;
        }
        if (rc == NGX_ERROR) {
            why = WBA_REASON_DIRECTORY_UNAVAILABLE;
        }
    }

    if (pending && may_wait) {
        return NGX_AGAIN;
    }
    wba_verify_keys(v, why);
    return NGX_OK;
}

/* ---- the worker's life */

ngx_int_t
ngx_http_wba_keys_init_worker(ngx_cycle_t *cycle,
    ngx_http_web_bot_auth_main_conf_t *mcf)
{
    ngx_uint_t                  i;
    ngx_http_wba_refresh_t     *refresh;
    ngx_http_wba_directory_t   *dir, **dirs = mcf->directories.elts;

    for (i = 0; i < mcf->directories.nelts; i++) {
        dir = dirs[i];
        if (dir->slot == NULL) {
            continue;
        }
        if (mcf->fetcher == NULL) {
            mcf->fetcher = ngx_http_wba_fetcher_create(cycle);
            if (mcf->fetcher == NULL) {
                ngx_log_error(NGX_LOG_CRIT, cycle->log, 0,
                              "web_bot_auth: libcurl does not start, "
                              "directories cannot be fetched");
                return NGX_OK;
            }
        }

        refresh = ngx_pcalloc(cycle->pool, sizeof(ngx_http_wba_refresh_t));
        if (refresh == NULL) {
            return NGX_ERROR;
        }
        refresh->dir = dir;
        refresh->mcf = mcf;

        dir->timer.handler = ngx_http_wba_keys_tick;
        dir->timer.data = refresh;
        dir->timer.log = cycle->log;
        dir->timer.cancelable = 1;
        ngx_http_wba_keys_arm(dir);
    }
    return NGX_OK;
}

void
ngx_http_wba_keys_exit_worker(ngx_http_web_bot_auth_main_conf_t *mcf)
{
    ngx_uint_t                  i;
    ngx_http_wba_directory_t  **dirs = mcf->directories.elts;

    for (i = 0; i < mcf->directories.nelts; i++) {
        if (dirs[i]->lease) {
            ngx_http_wba_keys_release(mcf, dirs[i]);
        }
    }
    if (mcf->fetcher) {
        ngx_http_wba_fetcher_destroy(mcf->fetcher);
        mcf->fetcher = NULL;
    }
    wba_keyring_free(mcf->ring);
    mcf->ring = NULL;
}
