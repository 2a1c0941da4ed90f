/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests that wait: parked as limit_req parks them, woken by posting their
 * connection's write event, never by running phases from a completion.
 * Another worker's fetch is noticed by a short timer while anything is parked.
 */
#include "ngx_http_web_bot_auth_module.h"

static void ngx_http_wba_resume(ngx_http_request_t *r);
static void ngx_http_wba_deadline(ngx_event_t *ev);
static void ngx_http_wba_poll(ngx_event_t *ev);

void
ngx_http_wba_wait_init(ngx_http_web_bot_auth_main_conf_t *mcf)
{
    mcf->poll.handler = ngx_http_wba_poll;
    mcf->poll.data = mcf;
    mcf->poll.log = mcf->log;
    mcf->poll.cancelable = 1;
}

/* NGX_OK, or NGX_DECLINED when as many wait already as may. */
ngx_int_t
ngx_http_wba_park(ngx_http_web_bot_auth_ctx_t *ctx)
{
    ngx_http_request_t                 *r = ctx->request;
    ngx_http_web_bot_auth_main_conf_t  *mcf = ctx->main;

    if (mcf->nparked >= mcf->wait_max) {
        return NGX_DECLINED;
    }

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (!ctx->waited) {
        ctx->waited = 1;
        ctx->deadline.handler = ngx_http_wba_deadline;
        ctx->deadline.data = ctx;
        ctx->deadline.log = r->connection->log;
        ngx_add_timer(&ctx->deadline, mcf->wait);
    }

    ctx->parked = 1;
    ctx->woken = 0;
    ngx_queue_insert_tail(&mcf->parked, &ctx->queue);

    if (mcf->nparked++ == 0) {
        mcf->poll_events = mcf->zone ? mcf->zone->events : 0;
        ngx_add_timer(&mcf->poll, NGX_HTTP_WBA_POLL);
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_wba_resume;
    return NGX_OK;
}

void
ngx_http_wba_unpark(ngx_http_web_bot_auth_ctx_t *ctx)
{
    ngx_http_web_bot_auth_main_conf_t  *mcf = ctx->main;

    if (!ctx->parked) {
        return;
    }
    ctx->parked = 0;
    ngx_queue_remove(&ctx->queue);

    if (--mcf->nparked == 0 && mcf->poll.timer_set) {
        ngx_del_timer(&mcf->poll);
    }
}

static void
ngx_http_wba_wake(ngx_http_web_bot_auth_ctx_t *ctx)
{
    ngx_event_t  *wev = ctx->request->connection->write;

    ctx->woken = 1;
    ngx_post_event(wev, &ngx_posted_events);
}

void
ngx_http_wba_wake_all(ngx_http_web_bot_auth_main_conf_t *mcf)
{
    ngx_queue_t  *q;

    for (q = ngx_queue_head(&mcf->parked);
         q != ngx_queue_sentinel(&mcf->parked);
         q = ngx_queue_next(q))
    {
        ngx_http_wba_wake(ngx_queue_data(q, ngx_http_web_bot_auth_ctx_t,
                                         queue));
    }
}

static void
ngx_http_wba_deadline(ngx_event_t *ev)
{
    ngx_http_web_bot_auth_ctx_t  *ctx = ev->data;

    ctx->overdue = 1;
    if (ctx->parked) {
        ngx_http_wba_wake(ctx);
    }
}

static void
ngx_http_wba_resume(ngx_http_request_t *r)
{
    ngx_event_t                  *wev;
    ngx_http_web_bot_auth_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_web_bot_auth_module);

    if (!ctx->woken) {
        /* The socket became writable: not what is waited for. */
        wev = r->connection->write;
        if (ngx_handle_write_event(wev, 0) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        }
        return;
    }

    ngx_http_wba_unpark(ctx);

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}

/* Wakes everybody when a fetch has ended anywhere, or when the lease of one
 * that is waited for has run out with its worker. */
static void
ngx_http_wba_poll(ngx_event_t *ev)
{
    ngx_uint_t                          i, wake;
    ngx_http_wba_directory_t          **dirs;
    ngx_http_web_bot_auth_main_conf_t  *mcf = ev->data;

    if (mcf->zone == NULL) {
        return;
    }

    wake = mcf->zone->events != mcf->poll_events;
    mcf->poll_events = mcf->zone->events;

    dirs = mcf->directories.elts;
    for (i = 0; !wake && i < mcf->directories.nelts; i++) {
        wake = dirs[i]->slot && dirs[i]->slot->lease
               && dirs[i]->slot->lease <= ngx_current_msec;
    }

    if (wake) {
        ngx_http_wba_wake_all(mcf);
    }
    if (mcf->nparked) {
        ngx_add_timer(&mcf->poll, NGX_HTTP_WBA_POLL);
    }
}
