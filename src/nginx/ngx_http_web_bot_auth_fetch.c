/* SPDX-License-Identifier: BSD-2-Clause */
/* libcurl on nginx's event loop: the hooks of wba_fetch, and nothing else. */
#include "ngx_http_web_bot_auth_module.h"

struct ngx_http_wba_fetcher_s {
    ngx_http_wba_loop_t loop;
    wba_fetch_t *driver;
};

static const wba_fetch_hooks_t  ngx_http_wba_fetch_hooks = {
    ngx_http_wba_loop_watch,
    ngx_http_wba_loop_timer
};

static void
ngx_http_wba_fetch_on_fd(void *data, int fd, unsigned events)
{
    ngx_http_wba_fetcher_t  *fetcher = data;

    wba_fetch_on_fd(fetcher->driver, fd, events);
}

static void
ngx_http_wba_fetch_on_timer(void *data)
{
    ngx_http_wba_fetcher_t  *fetcher = data;

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
    ngx_http_wba_loop_init(&fetcher->loop, cycle->log);
    fetcher->loop.on_fd = ngx_http_wba_fetch_on_fd;
    fetcher->loop.on_timer = ngx_http_wba_fetch_on_timer;
    fetcher->loop.data = fetcher;

    fetcher->driver = wba_fetch_new(&ngx_http_wba_fetch_hooks, &fetcher->loop,
                                    0);
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
