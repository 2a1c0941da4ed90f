/* SPDX-License-Identifier: BSD-2-Clause */
/* Chooses and drives a nonce store: the table in the zone. */
#include "ngx_http_web_bot_auth_module.h"

#include <sodium.h>

/* A skew under which no signature is ever too old for a young table. */
#define NGX_HTTP_WBA_NEVER_COLD  (-(INT64_C(1) << 40))

static wba_clock_t
ngx_http_wba_clock(void)
{
    wba_clock_t  now;

    now.wall = ngx_time();
    now.monotonic = ngx_current_msec / 1000;
    return now;
}

ngx_int_t
ngx_http_wba_replay_create(ngx_http_wba_zone_t *zone, ngx_log_t *log)
{
    uint8_t      secret[16];
    wba_clock_t  now;

    randombytes_buf(secret, sizeof(secret));
    now = ngx_http_wba_clock();

    if (wba_replay_init((u_char *) zone + zone->replay, zone->replay_size,
                        secret, &now, false)
        == NULL)
    {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "web_bot_auth_zone is too small for a nonce table");
        return NGX_ERROR;
    }
    sodium_memzero(secret, sizeof(secret));
    return NGX_OK;
}

bool
ngx_http_wba_replay_seen(void *data, const wba_nonce_t *nonce)
{
    wba_clock_t                         now;
    ngx_http_web_bot_auth_main_conf_t  *mcf = data;

    now = ngx_http_wba_clock();
    return wba_replay_seen(mcf->replay, nonce, &now);
}

wba_store_answer_t
ngx_http_wba_replay_record(ngx_http_web_bot_auth_ctx_t *ctx)
{
    int64_t      skew;
    wba_clock_t  now;

    now = ngx_http_wba_clock();
    skew = ctx->main->cold_accept ? NGX_HTTP_WBA_NEVER_COLD
                                  : ctx->begun->policy.clock_skew;

    return wba_replay_record(ctx->main->replay, ctx->verify.nonces,
                             ctx->verify.nnonces, skew, &now);
}
