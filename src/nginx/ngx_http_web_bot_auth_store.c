/* SPDX-License-Identifier: BSD-2-Clause */
/* web_bot_auth_nonce_store: where used nonces are remembered. */
#include "ngx_http_web_bot_auth_module.h"

/* Milliseconds that Redis has for an answer, unless configured. */
#define NGX_HTTP_WBA_REDIS_TIMEOUT  200

/* Records under way at a time in one worker.  At a millisecond each that is
 * more than a worker verifies. */
#define NGX_HTTP_WBA_REDIS_WAITING  4096

/* Nonces of one worker that are kept for Redis while it is down, 4 MB of them:
 * an hour of 28 requests a second. */
#define NGX_HTTP_WBA_REDIS_BACKLOG  100000

#define NGX_HTTP_WBA_REDIS_PREFIX   64
#define NGX_HTTP_WBA_PASSWORD_MAX   4096

/* A copy that ends in NUL; NULL for what is absent, or without memory. */
static char *
ngx_http_wba_store_text(ngx_conf_t *cf, wba_str_t s)
{
    u_char  *copy;

    if (s.data == NULL) {
        return NULL;
    }
    copy = ngx_pnalloc(cf->pool, s.len + 1);
    if (copy) {
        ngx_memcpy(copy, s.data, s.len);
        copy[s.len] = '\0';
    }
    return (char *) copy;
}

/* The name is looked up now, by the master: never in a worker. */
static char *
ngx_http_wba_store_address(ngx_conf_t *cf, wba_str_t host, uint16_t port,
    wba_redis_options_t *redis)
{
    size_t   len;
    u_char   text[NGX_SOCKADDR_STRLEN];
    ngx_url_t  u;

    ngx_memzero(&u, sizeof(ngx_url_t));
    u.url.data = ngx_pnalloc(cf->pool, host.len + 3);
    if (u.url.data == NULL) {
        return NGX_CONF_ERROR;
    }
    u.url.len = ngx_sprintf(u.url.data,
                            ngx_strlchr((u_char *) host.data,
                                        (u_char *) host.data + host.len, ':')
                            ? "[%*s]" : "%*s", host.len, host.data)
                - u.url.data;
    u.default_port = port;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK || u.naddrs == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in the nonce store's \"%V\", write the name "
                           "or address of a Redis server",
                           u.err ? u.err : "no address", &u.url);
        return NGX_CONF_ERROR;
    }
    len = ngx_sock_ntop(u.addrs[0].sockaddr, u.addrs[0].socklen, text,
                        sizeof(text), 0);

    /* nginx puts IPv6 addresses in brackets only with a port. */
    redis->address = ngx_http_wba_store_text(cf, wba_str(text, len));
    redis->port = port;
    return redis->address ? NGX_CONF_OK : NGX_CONF_ERROR;
}

static char *
ngx_http_wba_store_url(ngx_conf_t *cf, ngx_str_t *value,
    wba_redis_options_t *redis)
{
    wba_mem_t         mem = ngx_http_wba_pool_mem(cf->pool);
    ngx_str_t         hint;
    const char       *why = "";
    wba_status_t      status;
    wba_nearest_t     nearest;
    wba_redis_url_t   url;

    status = wba_redis_url_parse(&mem, ngx_http_wba_view(*value), &url, &why);
    if (status != WBA_OK) {
        wba_nearest_init(&nearest, ngx_http_wba_view(*value));
        wba_nearest_offer(&nearest, WBA_STR("shared"));
        hint = ngx_http_wba_did_you_mean(cf, &nearest);
        /* It may hold a password: it is not repeated. */
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid nonce store%V: %s; write \"shared\", "
                           "\"redis://[USER:PASSWORD@]HOST[:PORT][/DB]\" or "
                           "\"unix:PATH\"", &hint, why);
        return NGX_CONF_ERROR;
    }
    redis->user = ngx_http_wba_store_text(cf, url.user);
    redis->password = ngx_http_wba_store_text(cf, url.password);
    redis->db = url.db;

    if (url.unix_path.data) {
        redis->unix_path = ngx_http_wba_store_text(cf, url.unix_path);
        return redis->unix_path ? NGX_CONF_OK : NGX_CONF_ERROR;
    }
    return ngx_http_wba_store_address(cf, url.host, url.port, redis);
}

/* The first line of the file. */
static char *
ngx_http_wba_store_password(ngx_conf_t *cf, ngx_str_t *name,
    wba_redis_options_t *redis)
{
    size_t    len;
    u_char   *data;
    ssize_t   n = NGX_ERROR;
    ngx_fd_t  fd;

    if (ngx_conf_full_name(cf->cycle, name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }
    data = ngx_pcalloc(cf->pool, NGX_HTTP_WBA_PASSWORD_MAX + 1);
    if (data == NULL) {
        return NGX_CONF_ERROR;
    }
    fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd != NGX_INVALID_FILE) {
        n = ngx_read_fd(fd, data, NGX_HTTP_WBA_PASSWORD_MAX);
        ngx_close_file(fd);
    }
    len = n > 0 ? strcspn((char *) data, "\r\n") : 0;
    if (len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, n < 0 ? ngx_errno : 0,
                           "no password in \"%V\", write the name of a file "
                           "whose first line is it", name);
        return NGX_CONF_ERROR;
    }
    data[len] = '\0';
    redis->password = (char *) data;
    return NGX_CONF_OK;
}

enum {
    NGX_HTTP_WBA_STORE_COLD,
    NGX_HTTP_WBA_STORE_TIMEOUT, /* this one and all that follow: Redis' */
    NGX_HTTP_WBA_STORE_ON_ERROR,
    NGX_HTTP_WBA_STORE_PREFIX,
    NGX_HTTP_WBA_STORE_PASSWORD_FILE
};

static const wba_str_t  ngx_http_wba_store_words[] = {
    NGX_HTTP_WBA_NAME("cold="), NGX_HTTP_WBA_NAME("timeout="),
    NGX_HTTP_WBA_NAME("on_error="), NGX_HTTP_WBA_NAME("prefix="),
    NGX_HTTP_WBA_NAME("password_file=")
};

static char *
ngx_http_wba_store_timeout(ngx_conf_t *cf, ngx_str_t *value,
    wba_redis_options_t *redis)
{
    ngx_int_t  ms;

    ms = ngx_parse_time(value, 0);
    if (ms == NGX_ERROR || ms == 0 || ms > 60000) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid timeout \"%V\", write a time up to 60s, "
                           "for instance \"timeout=200ms\"", value);
        return NGX_CONF_ERROR;
    }
    redis->timeout_ms = (long) ms;
    return NGX_CONF_OK;
}

static char *
ngx_http_wba_store_prefix(ngx_conf_t *cf, ngx_str_t *value,
    wba_redis_options_t *redis)
{
    if (value->len == 0 || value->len > NGX_HTTP_WBA_REDIS_PREFIX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid prefix \"%V\", write \"prefix=TEXT\" of "
                           "1 to %d bytes", value, NGX_HTTP_WBA_REDIS_PREFIX);
        return NGX_CONF_ERROR;
    }
    redis->prefix = (char *) value->data;
    return NGX_CONF_OK;
}

static char *
ngx_http_wba_store_word(ngx_conf_t *cf, ngx_http_wba_store_t *store,
    ngx_str_t *value)
{
    ngx_int_t               word, i;
    ngx_str_t               name, rest;
    static const wba_str_t  colds[] = { NGX_HTTP_WBA_NAME("cold=reject"),
                                        NGX_HTTP_WBA_NAME("cold=accept") };
    static const wba_str_t  errors[] = { NGX_HTTP_WBA_NAME("on_error=reject"),
                                         NGX_HTTP_WBA_NAME("on_error=local") };

    /* What stands behind an unknown name may be a password: not repeated. */
    name = ngx_http_wba_parameter(value, &rest);
    word = ngx_http_wba_choose(cf, "parameter", &name,
                               ngx_http_wba_store_words, 5);
    if (word == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }
    if (word >= NGX_HTTP_WBA_STORE_TIMEOUT && store->shared) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is for Redis: write \"shared\" with "
                           "\"cold=reject\" or \"cold=accept\" alone, or "
                           "\"redis://HOST\" instead", &name);
        return NGX_CONF_ERROR;
    }

    switch (word) {

    case NGX_HTTP_WBA_STORE_COLD:
        i = ngx_http_wba_choose(cf, "parameter", value, colds, 2);
        store->cold_accept = i == 1;
        return i == NGX_ERROR ? NGX_CONF_ERROR : NGX_CONF_OK;

    case NGX_HTTP_WBA_STORE_ON_ERROR:
        i = ngx_http_wba_choose(cf, "parameter", value, errors, 2);
        store->local = i == 1;
        return i == NGX_ERROR ? NGX_CONF_ERROR : NGX_CONF_OK;

    case NGX_HTTP_WBA_STORE_TIMEOUT:
        return ngx_http_wba_store_timeout(cf, &rest, &store->redis);

    case NGX_HTTP_WBA_STORE_PREFIX:
        return ngx_http_wba_store_prefix(cf, &rest, &store->redis);

    default:
        return ngx_http_wba_store_password(cf, &rest, &store->redis);
    }
}

char *
ngx_http_web_bot_auth_nonce_store(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_str_t                          *value = cf->args->elts;
    ngx_uint_t                          i;
    ngx_http_wba_store_t               *store;
    ngx_http_web_bot_auth_main_conf_t  *mcf = conf;

    store = &mcf->store;
    if (store->set) {
        return "is duplicate";
    }
    store->set = 1;
    store->redis.timeout_ms = NGX_HTTP_WBA_REDIS_TIMEOUT;
    store->redis.prefix = "wba:";
    store->redis.max_waiting = NGX_HTTP_WBA_REDIS_WAITING;
    store->redis.max_backlog = NGX_HTTP_WBA_REDIS_BACKLOG;

    if (ngx_strcmp(value[1].data, "shared") == 0) {
        store->shared = 1;
    } else if (ngx_http_wba_store_url(cf, &value[1], &store->redis)
               != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }
    for (i = 2; i < cf->args->nelts; i++) {
        if (ngx_http_wba_store_word(cf, store, &value[i]) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }
    return NGX_CONF_OK;
}
