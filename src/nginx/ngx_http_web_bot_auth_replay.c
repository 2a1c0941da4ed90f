/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chooses and drives a nonce store: the table in shared memory, or Redis with
 * that table beside it, which answers known replays without a round trip and,
 * with on_error=local, stands in for it.
 */
#include "ngx_http_web_bot_auth_module.h"

#include <sodium.h>

/* Milliseconds between two lines that say that the table is full. */
#define NGX_HTTP_WBA_FULL_SAID  60000

/* A skew under which no signature is ever too old for a young table. */
#define NGX_HTTP_WBA_NEVER_COLD  (-(INT64_C(1) << 40))

wba_clock_t
ngx_http_wba_clock(void)
{
    wba_clock_t  now;

    now.wall = ngx_time();
    now.monotonic = (int64_t) (ngx_http_wba_now_ms() / 1000);
    return now;
}

/* The table of the zone; made once in its life, cold. */
static wba_replay_t *
ngx_http_wba_replay_of_zone(ngx_http_wba_zone_t *zone, ngx_log_t *log)
{
    u_char       *region;
    uint8_t       secret[16];
    wba_clock_t   now;

    region = (u_char *) zone + zone->replay;
    if (zone->has_replay) {
        return (wba_replay_t *) region;
    }

    randombytes_buf(secret, sizeof(secret));
    now = ngx_http_wba_clock();

    if (wba_replay_init(region, zone->replay_size, secret, &now, false)
        == NULL)
    {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "web_bot_auth_zone is too small for a nonce table");
        return NULL;
    }
    sodium_memzero(secret, sizeof(secret));
    zone->has_replay = 1;
    return (wba_replay_t *) region;
}

/* What the old table has recorded the new one does not know.  That may be the
 * zone's, which was left for a file's and is gone back to. */
static void
ngx_http_wba_replay_replace(ngx_http_web_bot_auth_main_conf_t *mcf,
    ngx_http_web_bot_auth_main_conf_t *old)
{
    wba_clock_t  now;

    if (old->replay && old->replay != mcf->replay) {
        wba_replay_supersede(old->replay);
        now = ngx_http_wba_clock();
        wba_replay_resume(mcf->replay, &now);
    }
    if (old->nonce_file != mcf->nonce_file) {
        ngx_http_wba_nonce_file_close(old->nonce_file);
    }
    old->nonce_file = NULL;
}

ngx_int_t
ngx_http_wba_replay_open(ngx_http_web_bot_auth_main_conf_t *mcf,
    ngx_http_web_bot_auth_main_conf_t *old, ngx_log_t *log)
{
    if (mcf->nonce_path.len) {
        mcf->nonce_file =
            ngx_http_wba_nonce_file_open(&mcf->nonce_path,
                                         mcf->zone->replay_size,
                                         old ? old->nonce_file : NULL, log);
        if (mcf->nonce_file) {
            mcf->replay = ngx_http_wba_nonce_file_table(mcf->nonce_file);
        } else if (old == NULL) {
            return NGX_ERROR;
        }
    }
    if (mcf->replay == NULL) {
        /* As configured, or because a reload must not fail any more. */
        if (mcf->nonce_path.len) {
            ngx_log_error(NGX_LOG_CRIT, log, 0,
                          "web_bot_auth: nonces are remembered in memory only");
        }
        mcf->replay = ngx_http_wba_replay_of_zone(mcf->zone, log);
        if (mcf->replay == NULL) {
            return NGX_ERROR;
        }
    }
    if (old) {
        ngx_http_wba_replay_replace(mcf, old);
    }
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

/* ---- recording */

/* Once a minute, by whichever worker comes first. */
static void
ngx_http_wba_replay_full(ngx_http_web_bot_auth_ctx_t *ctx, const char *what)
{
    ngx_atomic_uint_t     said;
    ngx_http_wba_zone_t  *zone = ctx->main->zone;

    said = zone->full_said;
    if (said
        && (ngx_msec_t) (ngx_current_msec - said) < NGX_HTTP_WBA_FULL_SAID)
    {
        return;
    }
    if (ngx_atomic_cmp_set(&zone->full_said, said,
                           ngx_current_msec ? ngx_current_msec : 1))
    {
        ngx_log_error(NGX_LOG_CRIT, ctx->main->log, 0,
                      "web_bot_auth: the nonce store is full, signed requests "
                      "are refused until old nonces end: %s", what);
    }
}

static wba_store_answer_t
ngx_http_wba_replay_local(ngx_http_web_bot_auth_ctx_t *ctx, int64_t skew)
{
    wba_clock_t  now;

    now = ngx_http_wba_clock();
    return wba_replay_record(ctx->main->replay, ctx->asked, ctx->nasked, skew,
                             &now);
}

static int64_t
ngx_http_wba_replay_skew(ngx_http_web_bot_auth_ctx_t *ctx)
{
    return ctx->main->store.cold_accept ? NGX_HTTP_WBA_NEVER_COLD
                                        : ctx->begun->policy.clock_skew;
}

static ngx_int_t
ngx_http_wba_replay_told(ngx_http_web_bot_auth_ctx_t *ctx,
    wba_store_answer_t answer)
{
    ctx->answer = answer;
    ctx->answered = 1;
    return NGX_OK;
}

static ngx_int_t
ngx_http_wba_replay_shared(ngx_http_web_bot_auth_ctx_t *ctx)
{
    wba_store_answer_t  answer;

    answer = ngx_http_wba_replay_local(ctx, ngx_http_wba_replay_skew(ctx));
    ngx_http_wba_count(ctx->main->counters->store[answer]);
    if (answer == WBA_STORE_FULL) {
        ngx_http_wba_replay_full(ctx, "enlarge web_bot_auth_zone");
    }
    return ngx_http_wba_replay_told(ctx, answer);
}

/* Redis cannot be asked.  What is accepted meanwhile it is told later. */
static wba_store_answer_t
ngx_http_wba_replay_without(ngx_http_web_bot_auth_ctx_t *ctx)
{
    wba_redis_t         *client;
    wba_store_answer_t   answer;

    client = ngx_http_wba_redis_client(ctx->main->redis);
    if (!ctx->main->store.local || client == NULL) {
        return WBA_STORE_UNAVAILABLE;
    }
    answer = ngx_http_wba_replay_local(ctx, ngx_http_wba_replay_skew(ctx));
    ngx_http_wba_count(ctx->main->counters->local[answer]);

    if (answer == WBA_STORE_FRESH) {
        wba_redis_remember(client, ctx->asked, ctx->nasked);
    } else if (answer == WBA_STORE_FULL) {
        ngx_http_wba_replay_full(ctx, "enlarge web_bot_auth_zone");
    }
    return answer;
}

/* What Redis said, and what the table beside it makes of that. */
static wba_store_answer_t
ngx_http_wba_replay_weigh(ngx_http_web_bot_auth_ctx_t *ctx,
    wba_store_answer_t answer)
{
    ngx_http_wba_count(ctx->main->counters->store[answer]);

    switch (answer) {

    case WBA_STORE_FRESH:
        /* Noted here as well; a table that knows better is believed, and one
         * that has no room does no harm. */
        if (ngx_http_wba_replay_local(ctx, NGX_HTTP_WBA_NEVER_COLD)
            == WBA_STORE_SEEN)
        {
            return WBA_STORE_SEEN;
        }
        return WBA_STORE_FRESH;

    case WBA_STORE_FULL:
        ngx_http_wba_replay_full(ctx, "Redis has reached its maxmemory");
        return answer;

    case WBA_STORE_UNAVAILABLE:
        ngx_http_wba_count(ctx->main->counters->redis_failures);
        return ngx_http_wba_replay_without(ctx);

    default:
        return answer;
    }
}

static void
ngx_http_wba_replay_done(void *data, wba_store_answer_t answer)
{
    ngx_http_web_bot_auth_ctx_t  *ctx = data;

    ctx->ticket = NULL;
    ngx_http_wba_count_latency(&ctx->main->counters->redis,
                               ngx_http_wba_now_us() - ctx->asked_us);
    (void) ngx_http_wba_replay_told(ctx,
                                    ngx_http_wba_replay_weigh(ctx, answer));
    if (ctx->parked) {
        ngx_http_wba_wake(ctx);
    }
}

/* Whether that is what was asked already: after a wait, other settings may ask
 * for another set. */
static ngx_uint_t
ngx_http_wba_replay_asked(ngx_http_web_bot_auth_ctx_t *ctx)
{
    size_t               i;
    const wba_nonce_t   *was, *is;

    if (ctx->nasked != ctx->verify.nnonces) {
        return 0;
    }
    for (i = 0; i < ctx->nasked; i++) {
        was = &ctx->asked[i];
        is = &ctx->verify.nonces[i];
        if (!wba_str_eq(was->nonce, is->nonce) || was->until != is->until
            || ngx_memcmp(was->thumbprint, is->thumbprint,
                          WBA_THUMBPRINT_SIZE) != 0)
        {
            return 0;
        }
    }
    return 1;
}

ngx_int_t
ngx_http_wba_replay_record(ngx_http_web_bot_auth_ctx_t *ctx)
{
    wba_redis_t                        *client;
    ngx_http_web_bot_auth_main_conf_t  *mcf = ctx->main;

    if ((ctx->answered || ctx->ticket) && ngx_http_wba_replay_asked(ctx)) {
        return ctx->answered ? NGX_OK : NGX_AGAIN;
    }
    ngx_http_wba_replay_forget(ctx);
    ctx->answered = 0;
    ctx->nasked = ctx->verify.nnonces;
    ctx->asked = ctx->verify.nonces;

    if (mcf->redis == NULL) {
        return ngx_http_wba_replay_shared(ctx);
    }
    /* Kept as they are: the machine goes on to others. */
    ctx->asked = ngx_palloc(ctx->request->pool,
                            ctx->nasked * sizeof(wba_nonce_t));
    if (ctx->asked == NULL) {
        ctx->nasked = 0;
        return ngx_http_wba_replay_told(ctx, WBA_STORE_UNAVAILABLE);
    }
    ngx_memcpy(ctx->asked, ctx->verify.nonces,
               ctx->nasked * sizeof(wba_nonce_t));

    ctx->asked_us = ngx_http_wba_now_us();
    client = ngx_http_wba_redis_client(mcf->redis);
    if (client) {
        ctx->ticket = wba_redis_record(client, ctx->asked, ctx->nasked,
                                       ngx_http_wba_replay_skew(ctx),
                                       ngx_http_wba_replay_done, ctx);
    }
    if (ctx->ticket) {
        return NGX_AGAIN;
    }
    return ngx_http_wba_replay_told(ctx,
                      ngx_http_wba_replay_weigh(ctx, WBA_STORE_UNAVAILABLE));
}

ngx_uint_t
ngx_http_wba_replay_refuses(ngx_http_web_bot_auth_ctx_t *ctx)
{
    size_t                              n;
    int64_t                             skew;
    wba_clock_t                         now;
    wba_redis_t                        *client;
    const wba_nonce_t                  *nonces = ctx->verify.nonces;
    wba_store_answer_t                  answer;
    ngx_http_web_bot_auth_main_conf_t  *mcf = ctx->main;

    n = wba_verify_foresee(&ctx->verify, ngx_time());
    if (n == 0) {
        return 0;
    }
    skew = ngx_http_wba_replay_skew(ctx);

    if (mcf->redis) {
        client = ngx_http_wba_redis_client(mcf->redis);
        if (client == NULL) {
            return 1;
        }
        answer = wba_redis_foresee(client, nonces, n, skew);
        if (answer != WBA_STORE_UNAVAILABLE || !mcf->store.local) {
            return answer != WBA_STORE_FRESH;
        }
    }
    now = ngx_http_wba_clock();
    return wba_replay_foresee(mcf->replay, nonces, n, skew, &now)
           != WBA_STORE_FRESH;
}

void
ngx_http_wba_replay_forget(ngx_http_web_bot_auth_ctx_t *ctx)
{
    if (ctx->ticket) {
        wba_redis_forget(ctx->ticket);
        ctx->ticket = NULL;
    }
}
