/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens to one slot of the zone: who may fetch for it, what was
 * fetched, what failed.  Key sets are written into the arena's half that is
 * not published and published by one number, so that a worker killed at any
 * instruction leaves either the old sets or the new ones.
 */
#include "ngx_http_web_bot_auth_module.h"

/* Milliseconds without a verified request after which the slot of a discovered
 * directory may be another's. */
#define NGX_HTTP_WBA_IDLE  60000

/* What web_bot_auth_discovery's new_per_minute adds in a minute is its value
 * times this. */
#define NGX_HTTP_WBA_ALLOWANCE  60000

static u_char *
ngx_http_wba_half(ngx_http_wba_zone_t *zone, ngx_uint_t half)
{
    return (u_char *) zone + zone->arena + (half & 1) * zone->arena_size;
}

static ngx_msec_int_t
ngx_http_wba_since(ngx_atomic_t when)
{
    return (ngx_msec_int_t) (ngx_current_msec - (ngx_msec_t) when);
}

static ngx_uint_t
ngx_http_wba_slot_leased(const ngx_http_wba_slot_t *slot)
{
    return slot->lease && ngx_http_wba_since(slot->lease) < 0;
}

wba_keyset_t
ngx_http_wba_zone_set(ngx_http_wba_zone_t *zone,
    const ngx_http_wba_slot_t *slot)
{
    ngx_uint_t    half = zone->half & 1;
    wba_keyset_t  set = { NULL, 0 };

    if (slot->set_size[half] == 0
        || slot->set_size[half] > zone->arena_size
        || slot->set_offset[half] > zone->arena_size - slot->set_size[half])
    {
        return set;
    }
    set.data = ngx_http_wba_half(zone, half) + slot->set_offset[half];
    set.size = slot->set_size[half];
    return set;
}

static ngx_http_wba_slot_t *
ngx_http_wba_found_slots(ngx_http_wba_zone_t *zone)
{
    return &zone->slots[zone->nslots];
}

/* Everybody looks at the slot's set again. */
static void
ngx_http_wba_slot_changed(ngx_http_wba_zone_t *zone,
    ngx_http_wba_slot_t *slot)
{
    slot->version++;
    ngx_memory_barrier();
    (void) ngx_atomic_fetch_add(&zone->generation, 1);
}

/* Under the lock: whether the slot is still what source takes it for. */
static ngx_uint_t
ngx_http_wba_slot_is(ngx_http_wba_source_t *source)
{
    ngx_http_wba_slot_t  *slot = source->slot;

    return slot->hash == source->hash
           && (!source->found
               || ngx_strcmp(slot->url, source->url.data) == 0);
}

/* ---- who may fetch */

static ngx_uint_t
ngx_http_wba_found_leased(ngx_http_wba_zone_t *zone)
{
    ngx_uint_t            i, n = 0;
    ngx_http_wba_slot_t  *found = ngx_http_wba_found_slots(zone);

    for (i = 0; i < zone->nfound; i++) {
        n += found[i].hash && ngx_http_wba_slot_leased(&found[i]);
    }
    return n;
}

ngx_int_t
ngx_http_wba_slot_lease(ngx_http_wba_source_t *source, ngx_msec_t until)
{
    ngx_int_t                           rc = NGX_OK;
    ngx_http_wba_slot_t                *slot = source->slot;
    ngx_http_web_bot_auth_main_conf_t  *mcf = source->mcf;

    if (ngx_http_wba_zone_lock(mcf->zone) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (!ngx_http_wba_slot_is(source)) {
        rc = NGX_DECLINED;
    } else if (ngx_http_wba_slot_leased(slot)) {
        rc = NGX_AGAIN;
    } else if (source->found && !source->exempt
               && ngx_http_wba_found_leased(mcf->zone)
                  >= mcf->discovery->concurrent)
    {
        rc = NGX_BUSY;
    } else {
        slot->lease = until ? until : 1;
        source->lease = slot->lease;
        slot->fetches++;

        source->etag[0] = '\0';
        source->last_modified[0] = '\0';
        if (slot->loaded) {
            ngx_cpystrn(source->etag, slot->etag, sizeof(source->etag));
            ngx_cpystrn(source->last_modified, slot->last_modified,
                        sizeof(source->last_modified));
        }
    }

    ngx_http_wba_zone_unlock(mcf->zone);
    return rc;
}

void
ngx_http_wba_slot_release(ngx_http_wba_source_t *source)
{
    (void) ngx_atomic_cmp_set(&source->slot->lease, source->lease, 0);
    source->lease = 0;
    (void) ngx_atomic_fetch_add(&source->mcf->zone->events, 1);
}

/* Under the lock: whether what source has done still counts. */
static ngx_uint_t
ngx_http_wba_slot_is_ours(ngx_http_wba_source_t *source)
{
    return ngx_http_wba_slot_is(source) && source->lease
           && source->slot->lease == source->lease;
}

/* ---- sets */

static void
ngx_http_wba_slot_unload(ngx_http_wba_zone_t *zone, ngx_http_wba_slot_t *slot)
{
    slot->etag[0] = '\0';
    slot->last_modified[0] = '\0';
    slot->set_size[0] = 0;
    slot->set_size[1] = 0;
    ngx_memory_barrier();
    slot->loaded = 0;
    ngx_http_wba_slot_changed(zone, slot);
}

/* Bytes that the sets of slots from first to last take in the published half,
 * but for skip's. */
static size_t
ngx_http_wba_sets_size(ngx_http_wba_zone_t *zone, ngx_uint_t first,
    ngx_uint_t last, const ngx_http_wba_slot_t *skip)
{
    size_t                      size = 0;
    ngx_uint_t                  i;
    const ngx_http_wba_slot_t  *slot;

    for (i = first; i < last; i++) {
        slot = &zone->slots[i];
        if (slot != skip) {
            size += ngx_align(ngx_http_wba_zone_set(zone, slot).size, 8);
        }
    }
    return size;
}

/* The discovered directory that has been idle the longest; of those that hold
 * a set, or of all.  any: in use, or being fetched, or not. */
static ngx_http_wba_slot_t *
ngx_http_wba_found_idle(ngx_http_wba_zone_t *zone, ngx_uint_t n,
    ngx_uint_t loaded, ngx_uint_t any)
{
    ngx_uint_t            i, better;
    ngx_http_wba_slot_t  *slot, *best = NULL;

    for (i = 0; i < n; i++) {
        slot = &ngx_http_wba_found_slots(zone)[i];

        if (slot->hash == 0 || (!any && ngx_http_wba_slot_leased(slot))
            || (loaded && !slot->loaded)
            || (!any && slot->loaded
                && ngx_http_wba_since(slot->used) < NGX_HTTP_WBA_IDLE))
        {
            continue;
        }
        /* One that never had keys goes before one that has. */
        better = best == NULL || slot->loaded < best->loaded
                 || (slot->loaded == best->loaded
                     && ngx_http_wba_since(slot->used)
                        > ngx_http_wba_since(best->used));
        if (better) {
            best = slot;
        }
    }
    return best;
}

/* A set that no configuration names any more. */
static ngx_http_wba_slot_t *
ngx_http_wba_slot_left_over(ngx_http_wba_zone_t *zone,
    const ngx_http_wba_slot_t *but)
{
    ngx_uint_t            i;
    ngx_http_wba_slot_t  *slot;

    for (i = 0; i < zone->nslots; i++) {
        slot = &zone->slots[i];
        if (slot != but && slot->epoch != zone->epoch && slot->loaded
            && ngx_http_wba_zone_set(zone, slot).size)
        {
            return slot;
        }
    }
    return NULL;
}

/* The discovered directory in use with the largest set, if that is larger
 * than size and than its share of the half. */
static ngx_http_wba_slot_t *
ngx_http_wba_found_greedy(ngx_http_wba_zone_t *zone,
    const ngx_http_wba_slot_t *but, size_t size)
{
    size_t                most, has;
    ngx_uint_t            i;
    ngx_http_wba_slot_t  *slot, *greedy = NULL;

    most = ngx_max(size, zone->arena_size / 2 / zone->nfound);

    for (i = 0; i < zone->nfound; i++) {
        slot = &ngx_http_wba_found_slots(zone)[i];
        has = ngx_http_wba_zone_set(zone, slot).size;
        if (slot != but && has > most) {
            most = has;
            greedy = slot;
        }
    }
    return greedy;
}

/* Whose set goes first, so that there is room for size bytes of slot's. */
static ngx_http_wba_slot_t *
ngx_http_wba_to_give_up(ngx_http_wba_zone_t *zone, ngx_http_wba_slot_t *slot,
    size_t size, ngx_uint_t found)
{
    ngx_http_wba_slot_t  *other;

    other = ngx_http_wba_slot_left_over(zone, slot);
    if (other == NULL) {
        other = ngx_http_wba_found_idle(zone, zone->nfound, 1, !found);
    }
    if (other == NULL) {
        other = ngx_http_wba_found_greedy(zone, slot, size);
    }
    return other == slot ? NULL : other;
}

/* Room for size bytes of slot's, by giving up sets that nobody names, and of
 * discovered directories.  Those have at most half of the arena, and none that
 * a configured directory needs.  NGX_OK, NGX_DECLINED. */
static ngx_int_t
ngx_http_wba_make_room(ngx_http_wba_zone_t *zone, ngx_http_wba_slot_t *slot,
    size_t size, ngx_uint_t found)
{
    size_t                all = zone->nslots + zone->nfound, others, foundlings;
    ngx_http_wba_slot_t  *other;

    size = ngx_align(size, 8);

    for ( ;; ) {
        others = ngx_http_wba_sets_size(zone, 0, all, slot);
        foundlings = ngx_http_wba_sets_size(zone, zone->nslots, all, slot);

        if (size <= zone->arena_size && others <= zone->arena_size - size
            && (!found || foundlings + size <= zone->arena_size / 2))
        {
            return NGX_OK;
        }
        other = ngx_http_wba_to_give_up(zone, slot, size, found);
        if (other == NULL) {
            return NGX_DECLINED;
        }
        ngx_http_wba_slot_unload(zone, other);
        other->due = ngx_current_msec;
    }
}

static void
ngx_http_wba_slot_note(ngx_http_wba_slot_t *slot,
    const ngx_http_wba_record_t *record)
{
    slot->fetched = record->fetched;
    slot->lifetime = record->lifetime;
    slot->due = record->due;
    slot->failures = 0;
    slot->error[0] = '\0';
    if (record->etag) {
        ngx_cpystrn(slot->etag, (u_char *) record->etag, sizeof(slot->etag));
    }
    if (record->last_modified) {
        ngx_cpystrn(slot->last_modified, (u_char *) record->last_modified,
                    sizeof(slot->last_modified));
    }
}

/* Copies every set into the other half, the new one among them, and turns the
 * halves round. */
static void
ngx_http_wba_turn(ngx_http_wba_zone_t *zone, ngx_http_wba_slot_t *target,
    wba_keyset_t set)
{
    size_t                used = 0;
    u_char               *to;
    ngx_uint_t            i, to_half;
    wba_keyset_t          from;
    ngx_http_wba_slot_t  *slot;

    to_half = !(zone->half & 1);
    to = ngx_http_wba_half(zone, to_half);

    for (i = 0; i < zone->nslots + zone->nfound; i++) {
        slot = &zone->slots[i];
        from = slot == target ? set : ngx_http_wba_zone_set(zone, slot);

        if (from.size) {
            ngx_memcpy(to + used, from.data, from.size);
        }
        slot->set_offset[to_half] = used;
        slot->set_size[to_half] = from.size;
        used += ngx_align(from.size, 8);
    }

    /* Validators of another set than the one that is there would make a 304
     * keep the wrong one: they go first and come last. */
    target->etag[0] = '\0';
    target->last_modified[0] = '\0';
    ngx_memory_barrier();
    zone->half = to_half;
    ngx_memory_barrier();
    ngx_http_wba_slot_changed(zone, target);
    target->loaded = 1;
}

ngx_int_t
ngx_http_wba_slot_publish(ngx_http_wba_source_t *source, wba_keyset_t set,
    const ngx_http_wba_record_t *record)
{
    ngx_int_t             rc;
    ngx_http_wba_zone_t  *zone = source->mcf->zone;

    if (ngx_http_wba_zone_lock(zone) != NGX_OK) {
        return NGX_ERROR;
    }
    rc = NGX_ERROR;
    if (ngx_http_wba_slot_is_ours(source)) {
        rc = ngx_http_wba_make_room(zone, source->slot, set.size,
                                    source->found);
        if (rc == NGX_OK) {
            ngx_http_wba_turn(zone, source->slot, set);
            ngx_http_wba_slot_note(source->slot, record);
        }
    }
    ngx_http_wba_zone_unlock(zone);
    return rc;
}

ngx_int_t
ngx_http_wba_slot_freshen(ngx_http_wba_source_t *source,
    const ngx_http_wba_record_t *record)
{
    ngx_int_t             rc = NGX_ERROR;
    ngx_http_wba_zone_t  *zone = source->mcf->zone;

    if (ngx_http_wba_zone_lock(zone) != NGX_OK) {
        return NGX_ERROR;
    }
    if (ngx_http_wba_slot_is_ours(source) && source->slot->loaded) {
        ngx_http_wba_slot_note(source->slot, record);
        rc = NGX_OK;
    }
    ngx_http_wba_zone_unlock(zone);
    return rc;
}

ngx_uint_t
ngx_http_wba_slot_failed(ngx_http_wba_source_t *source, ngx_msec_t due,
    const char *why)
{
    ngx_uint_t            before = 0;
    ngx_http_wba_slot_t  *slot = source->slot;

    if (ngx_http_wba_zone_lock(source->mcf->zone) != NGX_OK) {
        return 0;
    }
    if (ngx_http_wba_slot_is_ours(source)) {
        before = slot->failures++;
        slot->due = due;
        ngx_cpystrn(slot->error, (u_char *) why, sizeof(slot->error));
    }
    ngx_http_wba_zone_unlock(source->mcf->zone);
    return before;
}

ngx_int_t
ngx_http_wba_slot_drop(ngx_http_wba_source_t *source)
{
    ngx_int_t             rc = NGX_DECLINED;
    ngx_http_wba_zone_t  *zone = source->mcf->zone;

    if (ngx_http_wba_zone_lock(zone) != NGX_OK) {
        return NGX_ERROR;
    }
    if (ngx_http_wba_slot_is(source) && source->slot->loaded) {
        ngx_http_wba_slot_unload(zone, source->slot);
        rc = NGX_OK;
    }
    ngx_http_wba_zone_unlock(zone);
    return rc;
}

/* ---- slots of discovered directories */

/* Whether one more new agent may be looked up; if so, it is counted. */
static ngx_uint_t
ngx_http_wba_allowed(ngx_http_wba_zone_t *zone, ngx_uint_t per_minute)
{
    ngx_msec_t      full;
    ngx_msec_int_t  elapsed;

    full = per_minute * NGX_HTTP_WBA_ALLOWANCE;

    if (zone->allowance_at == 0) {
        zone->allowance = full;
        zone->allowance_at = ngx_current_msec ? ngx_current_msec : 1;
    }

    /* Each worker has a cached time of its own: another's may be ahead. */
    elapsed = ngx_http_wba_since(zone->allowance_at);
    if (elapsed > 0) {
        elapsed = ngx_min(elapsed, NGX_HTTP_WBA_ALLOWANCE);
        zone->allowance = ngx_min(zone->allowance + elapsed * per_minute,
                                  full);
        zone->allowance_at = ngx_current_msec;
    }

    if (zone->allowance < NGX_HTTP_WBA_ALLOWANCE) {
        return 0;
    }
    zone->allowance -= NGX_HTTP_WBA_ALLOWANCE;
    return 1;
}

/* The slot that the URL has, whatever the settings were; with a free one, if
 * there is one among the first n, in *spare. */
static ngx_http_wba_slot_t *
ngx_http_wba_slot_by_url(ngx_http_wba_zone_t *zone, ngx_str_t *url,
    ngx_uint_t n, ngx_http_wba_slot_t **spare)
{
    ngx_uint_t            i;
    ngx_http_wba_slot_t  *slot;

    *spare = NULL;
    for (i = 0; i < zone->nfound; i++) {
        slot = &ngx_http_wba_found_slots(zone)[i];
        if (slot->hash == 0) {
            if (*spare == NULL && i < n) {
                *spare = slot;
            }
            continue;
        }
        if (ngx_strncmp(slot->url, url->data, url->len) == 0
            && slot->url[url->len] == '\0')
        {
            return slot;
        }
    }
    return NULL;
}

/* hash last, and zero meanwhile: a slot half given is a free one. */
static void
ngx_http_wba_slot_give(ngx_http_wba_zone_t *zone, ngx_http_wba_slot_t *slot,
    ngx_str_t *url, ngx_atomic_uint_t hash)
{
    slot->hash = 0;
    ngx_memory_barrier();
    slot->lease = 0;
    slot->fetched = 0;
    slot->lifetime = 0;
    slot->due = ngx_current_msec;
    slot->used = ngx_current_msec;
    slot->failures = 0;
    slot->fetches = 0;
    slot->error[0] = '\0';
    ngx_http_wba_slot_unload(zone, slot);
    ngx_memcpy(slot->url, url->data, url->len);
    slot->url[url->len] = '\0';
    ngx_memory_barrier();
    slot->hash = hash;
}

ngx_http_wba_slot_t *
ngx_http_wba_slot_for_url(ngx_http_web_bot_auth_main_conf_t *mcf,
    ngx_str_t *url, ngx_atomic_uint_t hash, ngx_uint_t exempt, ngx_int_t *rc)
{
    ngx_uint_t                 n;
    ngx_http_wba_slot_t       *slot, *spare;
    ngx_http_wba_zone_t       *zone = mcf->zone;
    ngx_http_wba_discovery_t  *discovery = mcf->discovery;

    *rc = NGX_ERROR;
    if (ngx_http_wba_zone_lock(zone) != NGX_OK) {
        return NULL;
    }

    *rc = NGX_BUSY;
    n = ngx_min(discovery->max_directories, zone->nfound);
    slot = ngx_http_wba_slot_by_url(zone, url, n, &spare);

    /* One that was read under other settings, those of a configuration before,
     * is as good as new. */
    if (slot == NULL || slot->hash != hash) {
        if (slot == NULL) {
            slot = spare ? spare : ngx_http_wba_found_idle(zone, n, 0, 0);
        } else if (ngx_exiting) {
            slot = NULL; /* it is the new configuration's */
        }
        if (slot && !exempt
            && (ngx_http_wba_found_leased(zone) >= discovery->concurrent
                || !ngx_http_wba_allowed(zone, discovery->new_per_minute)))
        {
            slot = NULL;
        }
        if (slot) {
            ngx_http_wba_slot_give(zone, slot, url, hash);
        }
    }

    ngx_http_wba_zone_unlock(zone);
    return slot;
}
