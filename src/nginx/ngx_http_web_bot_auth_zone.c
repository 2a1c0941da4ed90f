/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shared memory: carved once into header, counters, directory slots, the
 * budgets of forgeries, the key arena's two halves and the nonce region.  What
 * happens to a slot is in slots.c.
 */
#include "ngx_http_web_bot_auth_module.h"

#define NGX_HTTP_WBA_ZONE_VERSION  4

/* Of what is left behind the slots, a quarter is for keys (two halves). */
#define NGX_HTTP_WBA_ARENA_SHARE   8

/* Of the zone, the part that is for the slots of discovered directories. */
#define NGX_HTTP_WBA_FOUND_SHARE   32

static size_t
ngx_http_wba_zone_header_size(ngx_uint_t nfound)
{
    return ngx_align(sizeof(ngx_http_wba_zone_t)
                     + (NGX_HTTP_WBA_SLOTS + nfound - 1)
                       * sizeof(ngx_http_wba_slot_t),
                     64);
}

size_t
ngx_http_wba_zone_min_size(void)
{
    /* Header, a row of counters, 64 KB of keys twice, a nonce table worth
     * having, and what the slab's own pages take. */
    return ngx_align(ngx_http_wba_zone_header_size(NGX_HTTP_WBA_FOUND_MIN)
                     + sizeof(ngx_http_wba_counters_t) + 512 * 1024,
                     ngx_pagesize);
}

/* How many discovered directories a zone of that size holds. */
ngx_uint_t
ngx_http_wba_zone_found(size_t zone_size)
{
    ngx_uint_t  n;

    n = zone_size / NGX_HTTP_WBA_FOUND_SHARE / sizeof(ngx_http_wba_slot_t);
    n = ngx_max(n, NGX_HTTP_WBA_FOUND_MIN);
    return ngx_min(n, NGX_HTTP_WBA_FOUND_MAX);
}

/* The reverse: megabytes. */
size_t
ngx_http_wba_zone_for_found(ngx_uint_t n)
{
    return n * sizeof(ngx_http_wba_slot_t) * NGX_HTTP_WBA_FOUND_SHARE
           / (1024 * 1024) + 1;
}

/* Where things are, from the zone's first byte on. */
typedef struct {
    ngx_uint_t nfound;
    ngx_uint_t nrows;
    size_t counters;
    size_t forgery;
    size_t arena;
    size_t arena_size; /* of one half */
    size_t replay;
    size_t replay_size;
} ngx_http_wba_layout_t;

/* zone_size is what was configured, size what the slab leaves of it. */
static ngx_int_t
ngx_http_wba_zone_layout(ngx_http_web_bot_auth_main_conf_t *mcf,
    size_t zone_size, size_t size, ngx_http_wba_layout_t *layout)
{
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(mcf->cycle->conf_ctx,
                                           ngx_core_module);

    layout->nfound = ngx_http_wba_zone_found(zone_size);
    layout->nrows = ngx_http_wba_rows(zone_size, ccf->worker_processes);
    layout->counters = ngx_http_wba_zone_header_size(layout->nfound);
    layout->forgery = ngx_align(layout->counters
                                + layout->nrows
                                  * sizeof(ngx_http_wba_counters_t),
                                64);
    layout->arena = layout->forgery + ngx_http_wba_forgery_size(zone_size);
    if (size < layout->arena) {
        return NGX_ERROR;
    }
    layout->arena_size = (size - layout->arena) / NGX_HTTP_WBA_ARENA_SHARE
                         & ~(size_t) 63;
    layout->replay = layout->arena + 2 * layout->arena_size;
    layout->replay_size = size - layout->replay;
    return NGX_OK;
}

/* Beyond it no machine's memory goes: 16 TB, and half of what 32 bits address.
 */
#define NGX_HTTP_WBA_ZONE_MAX  ((size_t) -1 >> (NGX_PTR_SIZE == 8 ? 20 : 1))

size_t
ngx_http_wba_zone_for(ngx_http_web_bot_auth_main_conf_t *mcf,
    uint64_t nonces, size_t keys)
{
    size_t                 size, usable, replay, step = 1024 * 1024;
    ngx_http_wba_layout_t  layout;

    replay = wba_replay_size(nonces);
    if (replay > NGX_HTTP_WBA_ZONE_MAX / 2
        || keys > NGX_HTTP_WBA_ZONE_MAX / 2 / NGX_HTTP_WBA_ARENA_SHARE)
    {
        return 0;
    }

    size = ngx_max(replay, keys * NGX_HTTP_WBA_ARENA_SHARE);
    size = ngx_max(size, ngx_http_wba_zone_min_size());

    for (size -= size % step; /* void */ ; size += step) {
        /* Of each page the slab takes a little, and two for itself. */
        usable = (size / (ngx_pagesize + sizeof(ngx_slab_page_t)) - 2)
                 * ngx_pagesize;
        if (size > ngx_http_wba_zone_min_size()
            && ngx_http_wba_zone_layout(mcf, size, usable, &layout) == NGX_OK
            && layout.replay_size >= replay && layout.arena_size >= keys)
        {
            return size;
        }
    }
}

static ngx_int_t
ngx_http_wba_lock_create(ngx_http_wba_zone_t *zone)
{
    ngx_int_t            rc;
    pthread_mutexattr_t  attr;

    if (pthread_mutexattr_init(&attr) != 0) {
        return NGX_ERROR;
    }
    rc = NGX_ERROR;
    if (pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) == 0
        && pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) == 0
        && pthread_mutex_init(&zone->lock, &attr) == 0)
    {
        rc = NGX_OK;
    }
    pthread_mutexattr_destroy(&attr);
    return rc;
}

/* The lock outlives its holder.  One that died may have published without
 * counting: every version moves on, and everybody looks again. */
ngx_int_t
ngx_http_wba_zone_lock(ngx_http_wba_zone_t *zone)
{
    ngx_uint_t  i;

    switch (pthread_mutex_lock(&zone->lock)) {
    case 0:
        return NGX_OK;
    case EOWNERDEAD:
        pthread_mutex_consistent(&zone->lock);
        for (i = 0; i < zone->nslots + zone->nfound; i++) {
            zone->slots[i].version++;
        }
        (void) ngx_atomic_fetch_add(&zone->generation, 1);
        return NGX_OK;
    default:
        return NGX_ERROR;
    }
}

void
ngx_http_wba_zone_unlock(ngx_http_wba_zone_t *zone)
{
    pthread_mutex_unlock(&zone->lock);
}

ngx_int_t
ngx_http_wba_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    size_t                              size;
    ngx_slab_pool_t                    *shpool;
    ngx_http_wba_zone_t                *zone;
    ngx_http_wba_layout_t               layout;
    ngx_http_web_bot_auth_main_conf_t  *old = data, *mcf = shm_zone->data;

    if (old) {
        /* The memory of the cycle that runs: nothing is changed before the
         * new configuration is committed. */
        mcf->zone = old->zone;
        ngx_http_wba_check_zone(mcf, shm_zone->shm.log);
        return NGX_OK;
    }

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;
    size = shpool->pfree << ngx_pagesize_shift;

    zone = ngx_slab_alloc(shpool, size);
    if (zone == NULL
        || ngx_http_wba_zone_layout(mcf, shm_zone->shm.size, size, &layout)
           != NGX_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "web_bot_auth_zone is too small, enlarge it, in %s:%ui",
                      mcf->zone_place.file, mcf->zone_place.line);
        return NGX_ERROR;
    }
    ngx_memzero(zone, layout.arena);

    zone->version = NGX_HTTP_WBA_ZONE_VERSION;
    zone->layout = sizeof(ngx_http_wba_zone_t) + sizeof(ngx_http_wba_slot_t);
    zone->nslots = NGX_HTTP_WBA_SLOTS;
    zone->nfound = layout.nfound;
    zone->created = ngx_time();
    zone->counters = layout.counters;
    zone->nrows = layout.nrows;
    zone->forgery = layout.forgery;
    zone->arena = layout.arena;
    zone->arena_size = layout.arena_size;
    zone->replay = layout.replay;
    zone->replay_size = layout.replay_size;
    zone->generation = 1;

    ngx_http_wba_forgery_init(zone, layout.arena - layout.forgery);
    if (ngx_http_wba_lock_create(zone) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, ngx_errno,
                      "web_bot_auth_zone: no robust process-shared locks");
        return NGX_ERROR;
    }

    mcf->zone = zone;
    shpool->data = zone;
    ngx_http_wba_check_zone(mcf, shm_zone->shm.log);
    return NGX_OK;
}

static ngx_uint_t
ngx_http_wba_slot_in_use(ngx_http_web_bot_auth_main_conf_t *mcf,
    ngx_http_wba_slot_t *slot)
{
    ngx_uint_t                  i;
    ngx_http_wba_directory_t  **dirs = mcf->directories.elts;

    for (i = 0; i < mcf->directories.nelts; i++) {
        if (dirs[i]->source.slot == slot) {
            return 1;
        }
    }
    return 0;
}

/* The slot that a directory has had before. */
static ngx_http_wba_slot_t *
ngx_http_wba_slot_find(ngx_http_wba_zone_t *zone,
    ngx_http_wba_directory_t *dir)
{
    ngx_uint_t            i;
    ngx_http_wba_slot_t  *slot;

    for (i = 0; i < zone->nslots; i++) {
        slot = &zone->slots[i];
        if (slot->hash == dir->source.hash
            && ngx_strlen(slot->name) == dir->name.len
            && ngx_memcmp(slot->name, dir->name.data, dir->name.len) == 0)
        {
            return slot;
        }
    }
    return NULL;
}

/* A slot for a new directory: a free one, or one that this configuration does
 * not name.  There are more slots than directories. */
static ngx_http_wba_slot_t *
ngx_http_wba_slot_take(ngx_http_web_bot_auth_main_conf_t *mcf,
    ngx_http_wba_directory_t *dir)
{
    ngx_uint_t            i;
    ngx_atomic_uint_t     version;
    ngx_http_wba_slot_t  *slot, *spare = NULL;

    for (i = 0; i < mcf->zone->nslots; i++) {
        slot = &mcf->zone->slots[i];
        if (slot->name[0] == '\0') {
            spare = slot;
            break;
        }
        if (spare == NULL && !ngx_http_wba_slot_in_use(mcf, slot)) {
            spare = slot;
        }
    }

    if (spare) {
        version = spare->version;
        ngx_memzero(spare, sizeof(ngx_http_wba_slot_t));
        ngx_memcpy(spare->name, dir->name.data, dir->name.len);
        spare->version = version + 1;
        spare->hash = dir->source.hash;
    }
    return spare;
}

/* The main configuration of the cycle before, if it had a zone. */
static ngx_http_web_bot_auth_main_conf_t *
ngx_http_wba_old_conf(ngx_cycle_t *cycle)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_shm_zone_t   *shm;

    part = cycle->old_cycle ? &cycle->old_cycle->shared_memory.part : NULL;
    for ( /* void */ ; part; part = part->next) {
        shm = part->elts;
        for (i = 0; i < part->nelts; i++) {
            if (shm[i].tag == &ngx_http_web_bot_auth_module && shm[i].data) {
                return shm[i].data;
            }
        }
    }
    return NULL;
}

/* Called when the new configuration is in force: slots are given out, and a
 * zone that this one replaces stops accepting nonces. */
ngx_int_t
ngx_http_wba_zone_commit(ngx_cycle_t *cycle)
{
    ngx_uint_t                          i;
    ngx_http_conf_ctx_t                *http;
    ngx_http_wba_directory_t          **dirs;
    ngx_http_web_bot_auth_main_conf_t  *mcf;

    http = (ngx_http_conf_ctx_t *) ngx_get_conf(cycle->conf_ctx,
                                                ngx_http_module);
    if (http == NULL) {
        return NGX_OK;
    }
    mcf = http->main_conf[ngx_http_web_bot_auth_module.ctx_index];
    if (mcf->zone == NULL) {
        return NGX_OK;
    }

    if (ngx_http_wba_replay_open(mcf, ngx_http_wba_old_conf(cycle),
                                 cycle->log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }
    ngx_http_wba_challenge_commit(mcf);

    if (ngx_http_wba_zone_lock(mcf->zone) != NGX_OK) {
        return NGX_ERROR;
    }
    dirs = mcf->directories.elts;
    for (i = 0; i < mcf->directories.nelts; i++) {
        if (dirs[i]->path.len == 0) {
            dirs[i]->source.slot = ngx_http_wba_slot_find(mcf->zone, dirs[i]);
        }
    }
    for (i = 0; i < mcf->directories.nelts; i++) {
        if (dirs[i]->path.len == 0 && dirs[i]->source.slot == NULL) {
            dirs[i]->source.slot = ngx_http_wba_slot_take(mcf, dirs[i]);
        }
    }
    mcf->zone->epoch++;
    for (i = 0; i < mcf->directories.nelts; i++) {
        if (dirs[i]->source.slot) {
            dirs[i]->source.slot->epoch = mcf->zone->epoch;
        }
    }
    ngx_http_wba_names_commit(mcf);
    (void) ngx_atomic_fetch_add(&mcf->zone->generation, 1);
    ngx_http_wba_zone_unlock(mcf->zone);

    ngx_http_wba_state_load(mcf, cycle->log);
    return NGX_OK;
}
