/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * web_bot_auth_forgery_limit: the directive, the budgets' part of the zone,
 * and what core asks and tells of an address before and after the crypto.
 */
#include "ngx_http_web_bot_auth_module.h"

#include <sodium.h>

/* Of the zone, the part that budgets take, and bytes of it at most: 65,536 of
 * them, and as many keys at addresses; a status counts them all. */
#define NGX_HTTP_WBA_FORGERY_SHARE  64
#define NGX_HTTP_WBA_FORGERY_MAX    (1024 * 1024 + 64)

/* ---- the zone */

size_t
ngx_http_wba_forgery_size(size_t zone_size)
{
    size_t  size = zone_size / NGX_HTTP_WBA_FORGERY_SHARE + 64;

    return ngx_min(size, NGX_HTTP_WBA_FORGERY_MAX) & ~(size_t) 63;
}

static wba_forgery_t *
ngx_http_wba_forgery_table(ngx_http_wba_zone_t *zone)
{
    return (wba_forgery_t *) ((u_char *) zone + zone->forgery);
}

/* The zone begins at a page, and its parts at lines of the cache. */
void
ngx_http_wba_forgery_init(ngx_http_wba_zone_t *zone, size_t size)
{
    uint8_t  secret[WBA_FORGERY_SECRET];

    randombytes_buf(secret, sizeof(secret));
    (void) wba_forgery_init(ngx_http_wba_forgery_table(zone), size, secret);
    sodium_memzero(secret, sizeof(secret));
}

void
ngx_http_wba_forgery_report(ngx_http_wba_zone_t *zone,
    wba_forgery_stats_t *stats)
{
    wba_forgery_stats(ngx_http_wba_forgery_table(zone),
                      ngx_http_wba_now_ms(), stats);
}

/* ---- requests */

/* As $binary_remote_addr has it: the realip module has put there whom it
 * believes. */
static wba_peer_t
ngx_http_wba_peer(const wba_message_t *message)
{
    struct sockaddr              *sa;
    ngx_http_web_bot_auth_ctx_t  *ctx = message->ctx;

    sa = ctx->request->connection->sockaddr;

    switch (sa->sa_family) {

#if (NGX_HAVE_INET6)
    case AF_INET6:
        return wba_forgery_peer(wba_str(
            &((struct sockaddr_in6 *) sa)->sin6_addr,
            sizeof(struct in6_addr)));
#endif

    case AF_INET:
        return wba_forgery_peer(wba_str(
            &((struct sockaddr_in *) sa)->sin_addr, sizeof(struct in_addr)));

    default:
        return wba_forgery_peer(WBA_STR_NONE);
    }
}

bool
ngx_http_wba_forgery_may_try(void *data, const wba_message_t *message,
    const wba_forgery_limit_t *limit, const uint8_t *thumbprint)
{
    wba_peer_t                          peer = ngx_http_wba_peer(message);
    ngx_http_web_bot_auth_main_conf_t  *mcf = data;

    return wba_forgery_may_try(ngx_http_wba_forgery_table(mcf->zone), limit,
                               &peer, thumbprint, ngx_http_wba_now_ms());
}

void
ngx_http_wba_forgery_tried(void *data, const wba_message_t *message,
    const wba_forgery_limit_t *limit, const uint8_t *thumbprint, bool good)
{
    wba_peer_t                          peer = ngx_http_wba_peer(message);
    wba_forgery_t                      *table;
    ngx_http_web_bot_auth_main_conf_t  *mcf = data;

    table = ngx_http_wba_forgery_table(mcf->zone);
    if (good) {
        wba_forgery_verified(table, &peer, thumbprint, ngx_http_wba_now_ms());
    } else {
        wba_forgery_failed(table, limit, &peer, thumbprint,
                           ngx_http_wba_now_ms());
    }
}

void
ngx_http_wba_forgery_forgive(void *data, const wba_message_t *message,
    const wba_forgery_limit_t *limit, const uint8_t *thumbprint)
{
    wba_peer_t                          peer = ngx_http_wba_peer(message);
    ngx_http_web_bot_auth_main_conf_t  *mcf = data;

    wba_forgery_forgiven(ngx_http_wba_forgery_table(mcf->zone), limit, &peer,
                         thumbprint, ngx_current_msec);
}

/* ---- the directive */

char *
ngx_http_web_bot_auth_forgery_limit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_int_t                          rate, seconds, burst;
    ngx_str_t                         *value = cf->args->elts;
    ngx_http_web_bot_auth_loc_conf_t  *lcf = conf;

    if (lcf->forgery_limit != NGX_CONF_UNSET) {
        return "is duplicate";
    }
    lcf->forgery_limit = 0;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        if (cf->args->nelts > 2) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"off\" stands alone, remove \"%V\"",
                               &value[2]);
            return NGX_CONF_ERROR;
        }
        return NGX_CONF_OK;
    }

    rate = ngx_http_wba_rate(&value[1], WBA_MAX_FORGERY_RATE, &seconds);
    if (rate == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid rate \"%V\", write \"off\", or for "
                           "instance \"10r/s\" or \"30r/m\", at most %dr/s",
                           &value[1], WBA_MAX_FORGERY_RATE);
        return NGX_CONF_ERROR;
    }

    burst = ngx_min(rate, WBA_MAX_FORGERY_BURST);
    if (cf->args->nelts == 3) {
        burst = 0;
        if (value[2].len > 6 && ngx_strncmp(value[2].data, "burst=", 6) == 0) {
            burst = ngx_atoi(value[2].data + 6, value[2].len - 6);
        }
        if (burst <= 0 || burst > WBA_MAX_FORGERY_BURST) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", write "
                               "\"burst=NUMBER\", from 1 to %d",
                               &value[2], WBA_MAX_FORGERY_BURST);
            return NGX_CONF_ERROR;
        }
    }

    if (!wba_forgery_limit_make(&lcf->forgery, rate, seconds, burst)) {
        return "is out of range";
    }
    lcf->forgery_limit = 1;
    return NGX_CONF_OK;
}
