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
    ngx_msec_int_t                      left;
    ngx_http_request_t                 *r = ctx->request;
    ngx_http_web_bot_auth_main_conf_t  *mcf = ctx->main;

    if (mcf->nparked >= mcf->wait_max) {
        return NGX_DECLINED;
    }

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        return NGX_DECLINED;
    }

    /* One allowance for all the waits of a request. */
    if (!ctx->waited) {
        ctx->waited = 1;
        ctx->wait_until = ngx_current_msec + mcf->wait;
    }
    if (!ctx->deadline.timer_set && !ctx->overdue) {
        left = (ngx_msec_int_t) (ctx->wait_until - ngx_current_msec);
        ctx->deadline.handler = ngx_http_wba_deadline;
        ctx->deadline.data = ctx;
        ctx->deadline.log = r->connection->log;
        ngx_add_timer(&ctx->deadline, (ngx_msec_t) ngx_max(left, 1));
    }

    ctx->parked = 1;
    ctx->woken = 0;
    ngx_queue_insert_tail(&mcf->parked, &ctx->queue);

    if (mcf->nparked++ == 0) {
        mcf->poll_events = ctx->events;
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

void
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
            ngx_http_wba_unpark(ctx);
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

/* Whether a lease has run out with its worker.  It is taken away, so that it
 * is found once. */
static ngx_uint_t
ngx_http_wba_lease_lost(ngx_http_wba_zone_t *zone)
{
    ngx_uint_t            i, lost = 0;
    ngx_atomic_uint_t     lease;
    ngx_http_wba_slot_t  *slot;

    for (i = 0; i < zone->nslots + zone->nfound; i++) {
        slot = &zone->slots[i];
        lease = slot->lease;
        if (lease && (ngx_msec_int_t) (lease - ngx_current_msec) <= 0) {
            lost |= ngx_atomic_cmp_set(&slot->lease, lease, 0);
        }
    }
    return lost;
}

/* Wakes everybody when a fetch has ended anywhere, or when the lease of one
 * that may be waited for has run out. */
static void
ngx_http_wba_poll(ngx_event_t *ev)
{
    ngx_uint_t                          wake;
    ngx_http_wba_zone_t                *zone;
    ngx_http_web_bot_auth_main_conf_t  *mcf = ev->data;

    zone = mcf->zone;
    if (zone == NULL) {
        return;
    }

    wake = zone->events != mcf->poll_events || ngx_http_wba_lease_lost(zone);
    mcf->poll_events = zone->events;

    if (wake) {
        ngx_http_wba_wake_all(mcf);
    }
    if (mcf->nparked) {
        ngx_add_timer(&mcf->poll, NGX_HTTP_WBA_POLL);
    }
}
