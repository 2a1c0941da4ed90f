/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether the zone has room for what the configuration allows. */
#include "ngx_http_web_bot_auth_module.h"

#include "sizing.h"

/* Requests a minute that a zone should have room for, unless told otherwise:
 * 20 a second is what conf.example's limit_req lets one single agent do. */
#define NGX_HTTP_WBA_ZONE_RATE  (20 * 60)

/* Bytes of an entry of a JWK Set, at least: an Ed25519 key and a comma. */
#define NGX_HTTP_WBA_LEAST_JWK  80

/* A size as it is written. */
static u_char *
ngx_http_wba_size(u_char *p, size_t size)
{
    return size % (1024 * 1024) == 0
           ? ngx_sprintf(p, "%uzm", size / (1024 * 1024))
           : ngx_sprintf(p, "%uzk", size / 1024);
}

/* ' "web_bot_auth_zone 32m",', or nothing where no zone is large enough. */
static ngx_str_t
ngx_http_wba_zone_advice(ngx_http_web_bot_auth_main_conf_t *mcf,
    uint64_t nonces, size_t keys, u_char *buf)
{
    size_t     size;
    u_char    *p;
    ngx_str_t  text = ngx_null_string;

    size = ngx_http_wba_zone_for(mcf, nonces, keys);
    if (size) {
        p = ngx_sprintf(buf, " \"web_bot_auth_zone ");
        p = ngx_http_wba_size(p, size);
        p = ngx_sprintf(p, "\",");
        text.data = buf;
        text.len = p - buf;
    }
    return text;
}

static void
ngx_http_wba_check_nonces(ngx_http_web_bot_auth_main_conf_t *mcf,
    ngx_log_t *log)
{
    u_char      zone[NGX_SIZE_T_LEN + 2], buf[64];
    int64_t     seconds = mcf->checks.nonce_seconds;
    uint64_t    room, fits, wanted, nonces;
    ngx_str_t   advice, name;

    wanted = mcf->zone_rate ? mcf->zone_rate : NGX_HTTP_WBA_ZONE_RATE;
    nonces = wba_sizing_nonces(wanted, seconds);
    room = wba_replay_rated(mcf->zone->replay_size);
    if (nonces <= room) {
        return;
    }

    /* Where it cannot be asked, Redis alone decides. */
    if (!mcf->store.shared && !mcf->store.local) {
        return;
    }

    fits = wba_sizing_per_minute(room, seconds);
    advice = ngx_http_wba_zone_advice(mcf, nonces, 0, buf);
    name = ngx_http_wba_ngx_str(mcf->checks.nonce_of->name);
    *ngx_http_wba_size(zone, mcf->zone_size) = '\0';
    ngx_http_wba_warn(log, &mcf->zone_place,
                      "a zone of %s has room for the nonces of %uL.%uL "
                      "requests a second, fewer than %uL.%uL%s, where "
                      "signatures live as long as directory \"%V\" lets them "
                      "(%L seconds, the skew among them): write%V a shorter "
                      "\"max_lifetime\", or \"rate=\" with the requests that "
                      "you expect", zone, fits / 60, fits % 60 / 6,
                      wanted / 60, wanted % 60 / 6,
                      mcf->zone_rate ? " by \"rate=\"" : "", &name, seconds,
                      &advice);
}

/* Keys that the configuration has said there may be. */
static size_t
ngx_http_wba_keys_said(const ngx_http_wba_bounds_t *bounds)
{
    if (!bounds->max_keys_said) {
        return 0;
    }
    return ngx_min(bounds->max_keys,
                   bounds->max_size / NGX_HTTP_WBA_LEAST_JWK);
}

static void
ngx_http_wba_check_keys(ngx_http_web_bot_auth_main_conf_t *mcf,
    ngx_log_t *log)
{
    size_t                      keys = 0, found = 0;
    u_char                      zone[NGX_SIZE_T_LEN + 2], buf[64];
    ngx_str_t                   advice;
    ngx_uint_t                  i;
    ngx_http_wba_directory_t  **dirs = mcf->directories.elts;

    for (i = 0; i < mcf->directories.nelts; i++) {
        if (dirs[i]->path.len == 0) {
            keys += ngx_http_wba_keys_said(&dirs[i]->bounds);
        }
    }
    /* Those of discovered directories have half of the room. */
    if (mcf->discovery) {
        found = ngx_http_wba_keys_said(&mcf->discovery->bounds);
    }
    keys = ngx_max(keys, 2 * found);
    if (keys * WBA_KEYSET_PER_KEY <= mcf->zone->arena_size) {
        return;
    }

    advice = ngx_http_wba_zone_advice(mcf, 0, keys * WBA_KEYSET_PER_KEY, buf);
    *ngx_http_wba_size(zone, mcf->zone_size) = '\0';
    ngx_http_wba_warn(log, &mcf->zone_place,
                      "a zone of %s has room for some %uz fetched keys, fewer "
                      "than the %uz that \"max_keys\" asks for: write%V or a "
                      "smaller \"max_keys\"", zone,
                      mcf->zone->arena_size / WBA_KEYSET_PER_KEY, keys,
                      &advice);
}

/* By now error_log holds, which is for errors unless it says more.  "nginx -t",
 * and a start, show these warnings as they have shown those before. */
void
ngx_http_wba_check_zone(ngx_http_web_bot_auth_main_conf_t *mcf,
    ngx_log_t *log)
{
    ngx_log_t  shown = *log;

    if (ngx_is_init_cycle(mcf->cycle->old_cycle)
        && shown.log_level < NGX_LOG_WARN)
    {
        shown.log_level = NGX_LOG_WARN;
    }
    if (mcf->checks.nonce_of) {
        ngx_http_wba_check_nonces(mcf, &shown);
    }
    ngx_http_wba_check_keys(mcf, &shown);
}
