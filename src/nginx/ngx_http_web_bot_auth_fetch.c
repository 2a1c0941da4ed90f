/* SPDX-License-Identifier: BSD-2-Clause */
/* libcurl on nginx's event loop: the hooks of wba_fetch, and nothing else. */
#include "ngx_http_web_bot_auth_module.h"

struct ngx_http_wba_fetcher_s {
    ngx_http_wba_loop_t loop;
    wba_fetch_t *driver; /* NULL: not needed yet, or it did not start */
    ngx_uint_t started;  /* unsigned  started:1; libcurl has */
    time_t said;         /* when it was last said that it did not */
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
ngx_http_wba_fetcher_create(ngx_pool_t *pool)
{
    return ngx_pcalloc(pool, sizeof(ngx_http_wba_fetcher_t));
}

void
ngx_http_wba_fetcher_init_worker(ngx_http_wba_fetcher_t *fetcher,
    ngx_log_t *log)
{
    ngx_http_wba_loop_init(&fetcher->loop, log);
    fetcher->loop.on_fd = ngx_http_wba_fetch_on_fd;
    fetcher->loop.on_timer = ngx_http_wba_fetch_on_timer;
    fetcher->loop.data = fetcher;
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
    if (fetcher->driver) {
        return fetcher->driver;
    }
    if (fetcher->started || wba_fetch_global_init()) {
        fetcher->started = 1;
        fetcher->driver = wba_fetch_new(&ngx_http_wba_fetch_hooks,
                                        &fetcher->loop, 0);
    }
    if (fetcher->driver == NULL && fetcher->said != ngx_time()) {
        fetcher->said = ngx_time();
        ngx_log_error(NGX_LOG_CRIT, fetcher->loop.log, 0,
                      "web_bot_auth: libcurl does not start, directories "
                      "cannot be fetched: it is tried again");
    }
    return fetcher->driver;
}
