/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nginx's event loop for libraries that bring descriptors of their own:
 * libcurl's and hiredis's, through the hooks of fetch.h and wba_redis.h.
 */
#include "ngx_http_web_bot_auth_module.h"

static void
ngx_http_wba_loop_event(ngx_event_t *ev)
{
    unsigned              events;
    ngx_connection_t     *c = ev->data;
    ngx_http_wba_loop_t  *loop = c->data;

    events = ev->write ? WBA_FETCH_WRITE : WBA_FETCH_READ;
    if (ev->error || ev->pending_eof) {
        events |= WBA_FETCH_FAILED;
    }
    loop->on_fd(loop->data, c->fd, events);
}

/* Level-triggered: they need not drain what they are told about. */
static ngx_int_t
ngx_http_wba_loop_want(ngx_event_t *ev, ngx_int_t event, ngx_uint_t want)
{
    if (want && !ev->active) {
        return ngx_add_event(ev, event, NGX_LEVEL_EVENT);
    }
    if (!want && ev->active) {
        return ngx_del_event(ev, event, 0);
    }
    return NGX_OK;
}

/* The library keeps the descriptor: the connection is given back without
 * closing. */
static void
ngx_http_wba_loop_release(ngx_connection_t *c)
{
    (void) ngx_http_wba_loop_want(c->read, NGX_READ_EVENT, 0);
    (void) ngx_http_wba_loop_want(c->write, NGX_WRITE_EVENT, 0);

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }
    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }

    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;
}

bool
ngx_http_wba_loop_watch(void *data, int fd, unsigned events, void **slot)
{
    ngx_connection_t     *c = *slot;
    ngx_http_wba_loop_t  *loop = data;

    if (events == 0) {
        if (c) {
            ngx_http_wba_loop_release(c);
        }
        return true;
    }

    if (c == NULL) {
        c = ngx_get_connection(fd, loop->log);
        if (c == NULL) {
            return false;
        }
        c->data = loop;
        c->log = loop->log;
        c->read->handler = ngx_http_wba_loop_event;
        c->read->log = loop->log;
        c->write->handler = ngx_http_wba_loop_event;
        c->write->log = loop->log;
        *slot = c;
    }

    if (ngx_http_wba_loop_want(c->read, NGX_READ_EVENT,
                                events & WBA_FETCH_READ) != NGX_OK
        || ngx_http_wba_loop_want(c->write, NGX_WRITE_EVENT,
                                   events & WBA_FETCH_WRITE) != NGX_OK)
    {
        ngx_http_wba_loop_release(c);
        return false;
    }
    return true;
}

void
ngx_http_wba_loop_timer(void *data, long ms)
{
    ngx_http_wba_loop_t  *loop = data;

    if (loop->timer.timer_set) {
        ngx_del_timer(&loop->timer);
    }
    if (ms >= 0) {
        ngx_add_timer(&loop->timer, (ngx_msec_t) ms);
    }
}

static void
ngx_http_wba_loop_expired(ngx_event_t *ev)
{
    ngx_http_wba_loop_t  *loop = ev->data;

    loop->on_timer(loop->data);
}

void
ngx_http_wba_loop_init(ngx_http_wba_loop_t *loop, ngx_log_t *log)
{
    loop->log = log;
    loop->timer.handler = ngx_http_wba_loop_expired;
    loop->timer.data = loop;
    loop->timer.log = log;
    loop->timer.cancelable = 1;
}
