/* SPDX-License-Identifier: BSD-2-Clause */
/* libcurl on nginx's event loop: the hooks of wba_fetch, and nothing else. */
#include "ngx_http_web_bot_auth_module.h"

struct ngx_http_wba_fetcher_s {
    wba_fetch_t *driver;
    ngx_event_t timer;
    ngx_log_t *log;
};

static bool ngx_http_wba_fetch_watch(void *loop, int fd, unsigned events,
    void **slot);
static void ngx_http_wba_fetch_timer(void *loop, long ms);

static const wba_fetch_hooks_t  ngx_http_wba_fetch_hooks = {
    ngx_http_wba_fetch_watch,
    ngx_http_wba_fetch_timer
};

static void
ngx_http_wba_fetch_event(ngx_event_t *ev)
{
    unsigned                 events;
    ngx_connection_t        *c = ev->data;
    ngx_http_wba_fetcher_t  *fetcher = c->data;

    events = ev->write ? WBA_FETCH_WRITE : WBA_FETCH_READ;
    if (ev->error || ev->pending_eof) {
        events |= WBA_FETCH_FAILED;
    }
    wba_fetch_on_fd(fetcher->driver, c->fd, events);
}

/* Level-triggered: curl need not drain what it is told about. */
static ngx_int_t
ngx_http_wba_fetch_want(ngx_event_t *ev, ngx_int_t event, ngx_uint_t want)
{
    if (want && !ev->active) {
        return ngx_add_event(ev, event, NGX_LEVEL_EVENT);
    }
    if (!want && ev->active) {
        return ngx_del_event(ev, event, 0);
    }
    return NGX_OK;
}

/* curl keeps the descriptor: the connection is given back without closing. */
static void
ngx_http_wba_fetch_release(ngx_connection_t *c)
{
    (void) ngx_http_wba_fetch_want(c->read, NGX_READ_EVENT, 0);
    (void) ngx_http_wba_fetch_want(c->write, NGX_WRITE_EVENT, 0);

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }
    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }

    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;
}

static bool
ngx_http_wba_fetch_watch(void *loop, int fd, unsigned events, void **slot)
{
    ngx_connection_t        *c = *slot;
    ngx_http_wba_fetcher_t  *fetcher = loop;

    if (events == 0) {
        if (c) {
            ngx_http_wba_fetch_release(c);
        }
        return true;
    }

    if (c == NULL) {
        c = ngx_get_connection(fd, fetcher->log);
        if (c == NULL) {
            return false;
        }
        c->data = fetcher;
        c->log = fetcher->log;
        c->read->handler = ngx_http_wba_fetch_event;
        c->read->log = fetcher->log;
        c->write->handler = ngx_http_wba_fetch_event;
        c->write->log = fetcher->log;
        *slot = c;
    }

    if (ngx_http_wba_fetch_want(c->read, NGX_READ_EVENT,
                                events & WBA_FETCH_READ) != NGX_OK
        || ngx_http_wba_fetch_want(c->write, NGX_WRITE_EVENT,
                                   events & WBA_FETCH_WRITE) != NGX_OK)
    {
        ngx_http_wba_fetch_release(c);
        return false;
    }
    return true;
}

static void
ngx_http_wba_fetch_timer(void *loop, long ms)
{
    ngx_http_wba_fetcher_t  *fetcher = loop;

    if (fetcher->timer.timer_set) {
        ngx_del_timer(&fetcher->timer);
    }
    if (ms >= 0) {
        ngx_add_timer(&fetcher->timer, (ngx_msec_t) ms);
    }
}

static void
ngx_http_wba_fetch_expired(ngx_event_t *ev)
{
    ngx_http_wba_fetcher_t  *fetcher = ev->data;

    wba_fetch_on_timer(fetcher->driver);
}

ngx_http_wba_fetcher_t *
ngx_http_wba_fetcher_create(ngx_cycle_t *cycle)
{
    ngx_http_wba_fetcher_t  *fetcher;

    fetcher = ngx_pcalloc(cycle->pool, sizeof(ngx_http_wba_fetcher_t));
    if (fetcher == NULL || !wba_fetch_global_init()) {
        return NULL;
    }
    fetcher->log = cycle->log;
    fetcher->timer.handler = ngx_http_wba_fetch_expired;
    fetcher->timer.data = fetcher;
    fetcher->timer.log = cycle->log;
    fetcher->timer.cancelable = 1;

    fetcher->driver = wba_fetch_new(&ngx_http_wba_fetch_hooks, fetcher, 0);
    return fetcher->driver ? fetcher : NULL;
}

void
ngx_http_wba_fetcher_destroy(ngx_http_wba_fetcher_t *fetcher)
{
    wba_fetch_free(fetcher->driver);
    fetcher->driver = NULL;
}

wba_fetch_t *
ngx_http_wba_fetcher_driver(ngx_http_wba_fetcher_t *fetcher)
{
    return fetcher->driver;
}
