/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Key sets: this worker's index of them, and what it answers to a request that
 * needs a key.  A lookup compares one number with the zone's; only when a set
 * has changed anywhere is what changed indexed anew.
 */
#include "ngx_http_web_bot_auth_module.h"

/* ---- the index */

/* Whether a configured directory has another set than the one indexed. */
static ngx_uint_t
ngx_http_wba_keys_changed(ngx_http_web_bot_auth_main_conf_t *mcf)
{
    ngx_uint_t                  i;
    ngx_http_wba_source_t      *source;
    ngx_http_wba_directory_t  **dirs = mcf->directories.elts;

    if (mcf->ring == NULL) {
        return 1;
    }
    for (i = 0; i < mcf->directories.nelts; i++) {
        source = &dirs[i]->source;
        if (source->slot && source->slot->version != source->version) {
            return 1;
        }
    }
    return 0;
}

/* Under the lock: the set of a configured directory; empty: none. */
static wba_keyset_t
ngx_http_wba_keys_set(ngx_http_web_bot_auth_main_conf_t *mcf,
    ngx_http_wba_directory_t *dir)
{
    wba_keyset_t            set = { NULL, 0 };
    ngx_http_wba_source_t  *source = &dir->source;

    if (dir->path.len) {
        return dir->file_set;
    }
    if (source->slot == NULL) {
        return set;
    }
    if (source->slot->hash == source->hash) {
        set = ngx_http_wba_zone_set(mcf->zone, source->slot);
    }
    if (set.size && wba_keyset_check(set) != WBA_OK) {
        ngx_log_error(NGX_LOG_ALERT, mcf->log, 0,
                      "web_bot_auth: damaged key set of directory %V",
                      &dir->name);
        set.size = 0;
    }
    return set;
}

/* Under the lock. */
static ngx_int_t
ngx_http_wba_keys_rebuild(ngx_http_web_bot_auth_main_conf_t *mcf)
{
    size_t                      n;
    unsigned                   *ids;
    ngx_uint_t                  i;
    wba_keyset_t               *sets;
    wba_keyring_t              *ring = NULL;
    ngx_http_wba_directory_t  **dirs = mcf->directories.elts;

    n = mcf->directories.nelts + 1;
    sets = calloc(n, sizeof(*sets));
    ids = calloc(n, sizeof(*ids));

    if (sets && ids) {
        n = 0;
        for (i = 0; i < mcf->directories.nelts; i++) {
            sets[n] = ngx_http_wba_keys_set(mcf, dirs[i]);
            if (sets[n].size) {
                ids[n++] = i;
            }
        }
        ring = wba_keyring_new(sets, ids, n);
    }
    free(sets);
    free(ids);

    if (ring == NULL) {
        return NGX_ERROR;
    }
    wba_keyring_free(mcf->ring);
    mcf->ring = ring;

    /* Noted last: what was not indexed must not pass for indexed. */
    for (i = 0; i < mcf->directories.nelts; i++) {
        if (dirs[i]->source.slot) {
            dirs[i]->source.version = dirs[i]->source.slot->version;
        }
    }
    return NGX_OK;
}

ngx_int_t
ngx_http_wba_keys_sync(ngx_http_web_bot_auth_main_conf_t *mcf)
{
    uint64_t    generation;
    ngx_int_t   rc = NGX_OK;
    ngx_uint_t  i;

    if (ngx_http_wba_zone_lock(mcf->zone) != NGX_OK) {
        return NGX_ERROR;
    }
    generation = mcf->zone->generation;

    if (ngx_http_wba_keys_changed(mcf)) {
        rc = ngx_http_wba_keys_rebuild(mcf);
    }
    if (mcf->discovery) {
        for (i = 0; rc == NGX_OK && i < mcf->discovery->nfound; i++) {
            rc = ngx_http_wba_discovery_sync(mcf, i);
        }
    }
    ngx_http_wba_zone_unlock(mcf->zone);

    if (mcf->discovery) {
        ngx_http_wba_discovery_index(mcf);
    }
    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_CRIT, mcf->log, 0,
                      "web_bot_auth: no memory for the key index");
        return NGX_ERROR;
    }
    mcf->ring_generation = generation;
    return NGX_OK;
}

/* ---- requests */

static void
ngx_http_wba_keys_offer(ngx_http_web_bot_auth_main_conf_t *mcf,
    wba_verify_t *v)
{
    size_t               cursor = 0;
    wba_keyring_match_t  match;

    while (wba_keyring_next(mcf->ring, v->key.keyid, &cursor, &match)
           == WBA_OK)
    {
        if (wba_verify_accepts(v, match.directory)) {
            wba_verify_offer(v, &match);
        } else {
            /* However often it publishes this kid, it costs one step. */
            wba_keyring_skip_set(mcf->ring, &cursor);
        }
    }
}

void
ngx_http_wba_keys_offer_found(wba_verify_t *v, const wba_keyring_t *ring)
{
    size_t               cursor = 0;
    wba_keyring_match_t  match;

    while (wba_keyring_next(ring, v->key.keyid, &cursor, &match) == WBA_OK) {
        match.directory = WBA_DISCOVERED;
        wba_verify_offer(v, &match);
    }
}

/* All directories that may help are asked at once. */
static ngx_uint_t
ngx_http_wba_keys_ask(ngx_http_web_bot_auth_main_conf_t *mcf, wba_verify_t *v,
    wba_reason_t *why)
{
    ngx_int_t                   rc;
    ngx_uint_t                  i, pending = 0;
    ngx_http_wba_source_t      *source;
    ngx_http_wba_directory_t  **dirs = mcf->directories.elts;

    *why = WBA_REASON_KEY_UNKNOWN;

    for (i = 0; i < mcf->directories.nelts; i++) {
        if (!wba_verify_accepts(v, i)) {
            continue;
        }
        source = &dirs[i]->source;
        rc = ngx_http_wba_refresh_want(source);
        if (rc == NGX_OK) {
            pending = 1;
            rc = source->slot->loaded ? NGX_DECLINED : NGX_ERROR;
        }
        if (rc == NGX_ERROR) {
            *why = WBA_REASON_DIRECTORY_UNAVAILABLE;
        }
    }
    return pending;
}

ngx_int_t
ngx_http_wba_keys_answer(ngx_http_web_bot_auth_ctx_t *ctx,
    ngx_uint_t may_wait)
{
    wba_reason_t                        why;
    wba_verify_t                       *v = &ctx->verify;
    ngx_http_web_bot_auth_main_conf_t  *mcf = ctx->main;

    ctx->events = mcf->zone->events;

    if (mcf->ring == NULL || mcf->ring_generation != mcf->zone->generation) {
        if (ngx_http_wba_keys_sync(mcf) != NGX_OK && mcf->ring == NULL) {
            wba_verify_keys(v, WBA_REASON_OUT_OF_MEMORY);
            return NGX_OK;
        }
    }

    if (v->key.discover) {
        return ngx_http_wba_discovery_answer(ctx, may_wait);
    }

    ngx_http_wba_keys_offer(mcf, v);
    if (v->ncandidates || !v->key.refetch) {
        wba_verify_keys(v, WBA_REASON_KEY_UNKNOWN);
        return NGX_OK;
    }

    if (ngx_http_wba_keys_ask(mcf, v, &why) && may_wait) {
        return NGX_AGAIN;
    }
    wba_verify_keys(v, why);
    return NGX_OK;
}

/* ---- the worker's life */

static ngx_uint_t
ngx_http_wba_keys_fetches(ngx_http_web_bot_auth_main_conf_t *mcf)
{
    ngx_uint_t                  i;
    ngx_http_wba_directory_t  **dirs = mcf->directories.elts;

    for (i = 0; i < mcf->directories.nelts; i++) {
        if (dirs[i]->path.len == 0) {
            return 1;
        }
    }
    return mcf->discovery != NULL;
}

ngx_int_t
ngx_http_wba_keys_create(ngx_pool_t *pool,
    ngx_http_web_bot_auth_main_conf_t *mcf)
{
    if (!ngx_http_wba_keys_fetches(mcf)) {
        return NGX_OK;
    }
    mcf->fetcher = ngx_http_wba_fetcher_create(pool);
    if (mcf->fetcher == NULL) {
        return NGX_ERROR;
    }
    return mcf->discovery ? ngx_http_wba_discovery_tables(pool, mcf) : NGX_OK;
}

void
ngx_http_wba_keys_init_worker(ngx_cycle_t *cycle,
    ngx_http_web_bot_auth_main_conf_t *mcf)
{
    ngx_uint_t                  i;
    ngx_http_wba_directory_t  **dirs = mcf->directories.elts;

    if (mcf->fetcher == NULL) {
        return;
    }
    ngx_http_wba_fetcher_init_worker(mcf->fetcher, cycle->log);
    for (i = 0; i < mcf->directories.nelts; i++) {
        if (dirs[i]->source.slot) {
            ngx_http_wba_refresh_start(&dirs[i]->source, cycle->log);
        }
    }
    if (mcf->discovery) {
        ngx_http_wba_discovery_init_worker(cycle, mcf);
    }
}

void
ngx_http_wba_keys_exit_worker(ngx_http_web_bot_auth_main_conf_t *mcf)
{
    ngx_uint_t                  i;
    ngx_http_wba_directory_t  **dirs = mcf->directories.elts;

    for (i = 0; i < mcf->directories.nelts; i++) {
        if (dirs[i]->source.slot) {
            ngx_http_wba_refresh_stop(&dirs[i]->source);
        }
    }
    if (mcf->discovery) {
        ngx_http_wba_discovery_exit_worker(mcf);
    }
    if (mcf->fetcher) {
        ngx_http_wba_fetcher_destroy(mcf->fetcher);
        mcf->fetcher = NULL;
    }
    wba_keyring_free(mcf->ring);
    mcf->ring = NULL;
}
