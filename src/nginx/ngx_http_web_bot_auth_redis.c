/* SPDX-License-Identifier: BSD-2-Clause */
/* wba_redis on nginx's event loop: its hooks, and nothing else. */
#include "ngx_http_web_bot_auth_module.h"

struct ngx_http_wba_redis_s {
    ngx_http_wba_loop_t loop; /* first: hooks are given its address */
    wba_redis_t *client; /* NULL: there was no memory */
    ngx_http_web_bot_auth_main_conf_t *mcf;
};

static uint64_t
ngx_http_wba_redis_now(void *loop)
{
    return ngx_http_wba_now_ms();
}

static int64_t
ngx_http_wba_redis_wall(void *loop)
{
    return ngx_time();
}

static void
ngx_http_wba_redis_report(void *data, wba_redis_severity_t severity,
    const char *text)
{
    ngx_uint_t            level;
    ngx_http_wba_loop_t  *loop = data;

    level = severity == WBA_REDIS_ERROR ? NGX_LOG_ERR
            : severity == WBA_REDIS_WARN ? NGX_LOG_WARN
                                         : NGX_LOG_NOTICE;
    ngx_log_error(level, loop->log, 0, "web_bot_auth: Redis: %s", text);
}

/* Requests that come ask; none waits for the store to come back.  For the
 * status: a worker that has died, or that ends, says nothing of the one that
 * has its number now. */
static void
ngx_http_wba_redis_changed(void *loop, bool usable)
{
    ngx_atomic_t          *pid;
    ngx_http_wba_redis_t  *redis = loop;

    pid = &redis->mcf->zone->redis[ngx_worker % NGX_HTTP_WBA_WORKERS];
    if (usable) {
        *pid = ngx_pid;
    } else {
        (void) ngx_atomic_cmp_set(pid, ngx_pid, 0);
    }
}

static const wba_redis_hooks_t  ngx_http_wba_redis_hooks = {
    .watch = ngx_http_wba_loop_watch,
    .timer = ngx_http_wba_loop_timer,
    .now_ms = ngx_http_wba_redis_now,
    .wall = ngx_http_wba_redis_wall,
    .report = ngx_http_wba_redis_report,
    .changed = ngx_http_wba_redis_changed,
};

static void
ngx_http_wba_redis_on_fd(void *data, int fd, unsigned events)
{
    ngx_http_wba_redis_t  *redis = data;

    wba_redis_on_fd(redis->client, fd, events);
}

static void
ngx_http_wba_redis_on_timer(void *data)
{
    ngx_http_wba_redis_t  *redis = data;

    wba_redis_on_timer(redis->client);
}

ngx_http_wba_redis_t *
ngx_http_wba_redis_create(ngx_pool_t *pool,
    ngx_http_web_bot_auth_main_conf_t *mcf)
{
    ngx_http_wba_redis_t  *redis;

    redis = ngx_pcalloc(pool, sizeof(ngx_http_wba_redis_t));
    if (redis) {
        redis->mcf = mcf;
    }
    return redis;
}

void
ngx_http_wba_redis_init_worker(ngx_http_wba_redis_t *redis, ngx_log_t *log)
{
    ngx_http_wba_loop_init(&redis->loop, log);
    redis->loop.on_fd = ngx_http_wba_redis_on_fd;
    redis->loop.on_timer = ngx_http_wba_redis_on_timer;
    redis->loop.data = redis;
    redis->mcf->zone->redis[ngx_worker % NGX_HTTP_WBA_WORKERS] = 0;

    /* So that it connects before it is needed. */
    (void) ngx_http_wba_redis_client(redis);
}

void
ngx_http_wba_redis_destroy(ngx_http_wba_redis_t *redis)
{
    ngx_http_wba_redis_changed(&redis->loop, false);
    wba_redis_free(redis->client);
    redis->client = NULL;
}

wba_redis_t *
ngx_http_wba_redis_client(ngx_http_wba_redis_t *redis)
{
    if (redis->client == NULL) {
        redis->client = wba_redis_new(&redis->mcf->store.redis,
                                      &ngx_http_wba_redis_hooks,
                                      &redis->loop);
    }
    return redis->client;
}
