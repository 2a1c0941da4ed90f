/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Agents that no configured directory stands for, looked up by their
 * Signature-Agent.  Each URL has a slot in the zone and, in each worker, an
 * index of its own: keys are found by (URL, keyid), and what one stranger
 * publishes costs no other a step.
 */
#include "ngx_http_web_bot_auth_module.h"

#include <sodium.h>

/* Milliseconds: how often a worker looks which directories are due. */
#define NGX_HTTP_WBA_SCAN  1000

/* Milliseconds: how exactly "used" is kept.  Workers write to the zone no more
 * often than that. */
#define NGX_HTTP_WBA_USED  10000

static void ngx_http_wba_discovery_scan(ngx_event_t *ev);

/* ---- from a URL to its place */

/* Keyed at random in each process: nobody can choose colliding URLs. */
static uint8_t  ngx_http_wba_table_key[crypto_shorthash_KEYBYTES];

static uint64_t
ngx_http_wba_table_hash(const u_char *url, size_t len)
{
    uint64_t  hash;

    crypto_shorthash((uint8_t *) &hash, url, len, ngx_http_wba_table_key);
    return hash;
}

static ngx_http_wba_found_t *
ngx_http_wba_discovery_find(ngx_http_wba_discovery_t *discovery, wba_str_t url)
{
    uint64_t               at;
    ngx_http_wba_found_t  *found;

    at = ngx_http_wba_table_hash(url.data, url.len);

    for ( ;; at++) {
        at &= discovery->table_mask;
        if (discovery->table[at] == 0) {
            return NULL;
        }
        found = discovery->found[discovery->table[at] - 1];
        if (wba_str_eq(ngx_http_wba_view(found->source.url), url)) {
            return found;
        }
    }
}

void
ngx_http_wba_discovery_index(ngx_http_web_bot_auth_main_conf_t *mcf)
{
    uint64_t                   at;
    ngx_uint_t                 i;
    ngx_http_wba_found_t      *found;
    ngx_http_wba_discovery_t  *discovery = mcf->discovery;

    ngx_memzero(discovery->table,
                (discovery->table_mask + 1) * sizeof(uint16_t));

    for (i = 0; i < discovery->nfound; i++) {
        found = discovery->found[i];
        if (found == NULL || found->source.hash == 0) {
            continue;
        }
        at = ngx_http_wba_table_hash(found->url, found->source.url.len);
        while (discovery->table[at & discovery->table_mask]) {
            at++;
        }
        discovery->table[at & discovery->table_mask] = i + 1;
    }
}

/* ---- keeping up with the zone */

/* The place is another URL's by now, or nobody's. */
static void
ngx_http_wba_discovery_forget(ngx_http_wba_found_t *found)
{
    if (found->source.job || found->source.lease) {
        ngx_http_wba_refresh_stop(&found->source);
    }
    found->source.hash = 0;
    found->source.url.len = 0;
}

/* Whether a pattern names that URL and no other, itself or as the well-known
 * one of its origin.  There are few of those, and no flood of made-up URLs may
 * keep them out. */
static ngx_uint_t
ngx_http_wba_discovery_named(ngx_http_wba_discovery_t *discovery,
    wba_str_t url)
{
    size_t  i;

    for (i = 0; i < discovery->core.nallow; i++) {
        if (wba_agent_pattern_names(&discovery->core.allow[i], url)) {
            return 1;
        }
    }
    return 0;
}

/* The slot's URL, where it was read under these settings. */
static void
ngx_http_wba_discovery_adopt(ngx_http_web_bot_auth_main_conf_t *mcf,
    ngx_http_wba_found_t *found, ngx_http_wba_slot_t *slot)
{
    wba_uri_t               uri;
    ngx_str_t               url;
    ngx_http_wba_source_t  *source = &found->source;

    url.data = found->url;
    url.len = ngx_cpystrn(found->url, slot->url, sizeof(found->url))
              - found->url;

    if (wba_uri_parse(ngx_http_wba_view(url), &uri) != WBA_OK
        || ngx_http_wba_source_hash(mcf, source->bounds, source->core, &url)
           != slot->hash)
    {
        return;
    }
    source->url = url;
    source->hash = slot->hash;
    source->exempt = ngx_http_wba_discovery_named(mcf->discovery,
                                                  ngx_http_wba_view(url));
    source->well_known = wba_str_eq(uri.path, WBA_STR(WBA_WELL_KNOWN_PATH));
}

static ngx_http_wba_found_t *
ngx_http_wba_discovery_place(ngx_http_web_bot_auth_main_conf_t *mcf,
    ngx_http_wba_slot_t *slot)
{
    ngx_http_wba_found_t  *found;

    found = calloc(1, sizeof(ngx_http_wba_found_t));
    if (found == NULL) {
        return NULL;
    }
    found->source.mcf = mcf;
    found->source.bounds = &mcf->discovery->bounds;
    found->source.core = &mcf->discovery->core.directory;
    found->source.found = 1;
    found->source.slot = slot;
    ngx_str_set(&found->source.name, NGX_HTTP_WBA_DISCOVERY);
    return found;
}

ngx_int_t
ngx_http_wba_discovery_sync(ngx_http_web_bot_auth_main_conf_t *mcf,
    ngx_uint_t i)
{
    unsigned                    id = WBA_DISCOVERED;
    wba_keyset_t                set;
    ngx_http_wba_slot_t        *slot;
    ngx_http_wba_found_t       *found = mcf->discovery->found[i];

    slot = &mcf->zone->slots[mcf->zone->nslots + i];

    if (found == NULL) {
        if (slot->hash == 0) {
            return NGX_OK;
        }
        found = ngx_http_wba_discovery_place(mcf, slot);
        if (found == NULL) {
            return NGX_ERROR;
        }
        mcf->discovery->found[i] = found;

    } else if (found->source.version == slot->version) {
        return NGX_OK;
    }

    if (found->source.hash != slot->hash
        || ngx_strcmp(found->url, slot->url) != 0)
    {
        ngx_http_wba_discovery_forget(found);
        ngx_http_wba_discovery_adopt(mcf, found, slot);
    }
    wba_keyring_free(found->ring);
    found->ring = NULL;

    if (found->source.hash) {
        set = ngx_http_wba_zone_set(mcf->zone, slot);
        if (set.size && wba_keyset_check(set) == WBA_OK) {
            found->ring = wba_keyring_new(&set, &id, 1);
            if (found->ring == NULL) {
                return NGX_ERROR;
            }
        }
    }
    found->source.version = slot->version;
    return NGX_OK;
}

/* ---- requests */

/* A set whose lifetime is over must be asked for again, unless that has just
 * failed: then it stays in use. */
static ngx_uint_t
ngx_http_wba_discovery_usable(const ngx_http_wba_slot_t *slot)
{
    return slot->failures
           || (ngx_msec_int_t) (ngx_current_msec - slot->fetched
                                - slot->lifetime)
              < 0;
}

static void
ngx_http_wba_discovery_offer(ngx_http_wba_found_t *found, wba_verify_t *v)
{
    if (found && found->ring) {
        ngx_http_wba_keys_offer_found(v, found->ring);
    }
}

/* A place for a URL that has none.  NULL: *why says why not. */
static ngx_http_wba_found_t *
ngx_http_wba_discovery_add(ngx_http_web_bot_auth_main_conf_t *mcf,
    wba_str_t agent_url, wba_reason_t *why)
{
    ngx_atomic_uint_t          hash;
    ngx_int_t                  rc;
    ngx_str_t                  url = ngx_http_wba_ngx_str(agent_url);
    ngx_http_wba_slot_t       *slot;
    ngx_http_wba_discovery_t  *discovery = mcf->discovery;

    if (url.len >= NGX_HTTP_WBA_FOUND_URL) {
        *why = WBA_REASON_AGENT_NOT_ALLOWED;
        return NULL;
    }
    hash = ngx_http_wba_source_hash(mcf, &discovery->bounds,
                                    &discovery->core.directory, &url);
    slot = ngx_http_wba_slot_for_url(mcf, &url, hash,
                                     ngx_http_wba_discovery_named(discovery,
                                                                  agent_url),
                                     &rc);
    if (slot == NULL) {
        *why = rc == NGX_BUSY ? WBA_REASON_DISCOVERY_LIMIT
                              : WBA_REASON_DIRECTORY_UNAVAILABLE;
        return NULL;
    }
    if (ngx_http_wba_keys_sync(mcf) != NGX_OK) {
        *why = WBA_REASON_OUT_OF_MEMORY;
        return NULL;
    }
    *why = WBA_REASON_DIRECTORY_UNAVAILABLE;
    return ngx_http_wba_discovery_find(discovery, agent_url);
}

ngx_int_t
ngx_http_wba_discovery_answer(ngx_http_web_bot_auth_ctx_t *ctx,
    ngx_uint_t may_wait)
{
    ngx_int_t                           rc;
    wba_reason_t                        why = WBA_REASON_KEY_UNKNOWN;
    wba_verify_t                       *v = &ctx->verify;
    ngx_http_wba_found_t               *found;
    ngx_http_web_bot_auth_main_conf_t  *mcf = ctx->main;

    found = ngx_http_wba_discovery_find(mcf->discovery, v->key.agent_url);

    if (!v->key.refetch) {
        if (found && ngx_http_wba_discovery_usable(found->source.slot)) {
            ngx_http_wba_discovery_offer(found, v);
        }
        wba_verify_keys(v, WBA_REASON_KEY_UNKNOWN);
        return NGX_OK;
    }

    if (found == NULL) {
        found = ngx_http_wba_discovery_add(mcf, v->key.agent_url, &why);
    }
    if (found) {
        rc = ngx_http_wba_refresh_want(&found->source);
        if (rc == NGX_OK && may_wait) {
            return NGX_AGAIN;
        }
        /* What it has is the best to be had now. */
        ngx_http_wba_discovery_offer(found, v);
        why = rc == NGX_BUSY ? WBA_REASON_DISCOVERY_LIMIT
              : found->source.slot->loaded ? WBA_REASON_KEY_UNKNOWN
                                           : WBA_REASON_DIRECTORY_UNAVAILABLE;
    }
    wba_verify_keys(v, why);
    return NGX_OK;
}

void
ngx_http_wba_discovery_used(ngx_http_web_bot_auth_main_conf_t *mcf,
    wba_str_t url)
{
    ngx_http_wba_slot_t   *slot;
    ngx_http_wba_found_t  *found;

    found = ngx_http_wba_discovery_find(mcf->discovery, url);
    if (found == NULL) {
        return;
    }
    slot = found->source.slot;
    if (ngx_current_msec - slot->used > NGX_HTTP_WBA_USED
        || (ngx_msec_int_t) (slot->used - slot->fetched) < 0)
    {
        slot->used = ngx_current_msec;
    }
}

/* ---- ahead of need */

/* Of directories that are in use, those that are due. */
static void
ngx_http_wba_discovery_refresh(ngx_http_wba_found_t *found)
{
    ngx_http_wba_slot_t  *slot = found->source.slot;

    if (slot->hash != found->source.hash || !slot->loaded) {
        return;
    }
    ngx_http_wba_refresh_expire(&found->source);
    if (slot->loaded && (ngx_msec_int_t) (slot->due - ngx_current_msec) <= 0
        && (ngx_msec_int_t) (slot->used - slot->fetched) >= 0)
    {
        (void) ngx_http_wba_refresh(&found->source);
    }
}

static void
ngx_http_wba_discovery_scan(ngx_event_t *ev)
{
    ngx_uint_t                          i;
    ngx_http_wba_found_t               *found;
    ngx_http_wba_discovery_t           *discovery;
    ngx_http_web_bot_auth_main_conf_t  *mcf = ev->data;

    if (ngx_exiting) {
        return;
    }
    discovery = mcf->discovery;
    if (mcf->ring_generation != mcf->zone->generation) {
        (void) ngx_http_wba_keys_sync(mcf);
    }
    for (i = 0; i < discovery->nfound; i++) {
        found = discovery->found[i];
        if (found && found->source.hash) {
            ngx_http_wba_discovery_refresh(found);
        }
    }
    ngx_add_timer(&discovery->timer,
                  NGX_HTTP_WBA_SCAN + ngx_random() % (NGX_HTTP_WBA_SCAN / 4));
}

/* ---- the worker's life */

ngx_int_t
ngx_http_wba_discovery_tables(ngx_pool_t *pool,
    ngx_http_web_bot_auth_main_conf_t *mcf)
{
    ngx_uint_t                 n, size = 1;
    ngx_http_wba_discovery_t  *discovery = mcf->discovery;

    n = ngx_http_wba_zone_found(mcf->zone_size);
    while (size < 2 * n) {
        size *= 2;
    }
    discovery->table_mask = size - 1;
    discovery->found = ngx_pcalloc(pool, n * sizeof(void *));
    discovery->table = ngx_pcalloc(pool, size * sizeof(uint16_t));
    return discovery->found && discovery->table ? NGX_OK : NGX_ERROR;
}

void
ngx_http_wba_discovery_init_worker(ngx_cycle_t *cycle,
    ngx_http_web_bot_auth_main_conf_t *mcf)
{
    ngx_http_wba_discovery_t  *discovery = mcf->discovery;

    discovery->nfound = ngx_min(mcf->zone->nfound,
                                ngx_http_wba_zone_found(mcf->zone_size));
    randombytes_buf(ngx_http_wba_table_key, sizeof(ngx_http_wba_table_key));

    discovery->timer.handler = ngx_http_wba_discovery_scan;
    discovery->timer.data = mcf;
    discovery->timer.log = cycle->log;
    discovery->timer.cancelable = 1;
    ngx_add_timer(&discovery->timer, NGX_HTTP_WBA_SCAN);
}

void
ngx_http_wba_discovery_exit_worker(ngx_http_web_bot_auth_main_conf_t *mcf)
{
    ngx_uint_t             i;
    ngx_http_wba_found_t  *found;

    for (i = 0; i < mcf->discovery->nfound; i++) {
        found = mcf->discovery->found[i];
        if (found) {
            ngx_http_wba_discovery_forget(found);
            wba_keyring_free(found->ring);
            free(found);
        }
    }
    mcf->discovery->nfound = 0;
}
