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
    const char       *why = "";
    wba_status_t      status;
    wba_redis_url_t   url;

    status = wba_redis_url_parse(&mem, ngx_http_wba_view(*value), &url, &why);
    if (status != WBA_OK) {
        /* It may hold a password: it is not repeated. */
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid nonce store: %s; write \"shared\", "
                           "\"redis://[USER:PASSWORD@]HOST[:PORT][/DB]\" or "
                           "\"unix:PATH\"", why);
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

static ngx_uint_t
ngx_http_wba_store_is(ngx_str_t *value, const char *name, ngx_str_t *rest)
{
    size_t  len = ngx_strlen(name);

    if (value->len <= len || ngx_strncmp(value->data, name, len) != 0) {
        return 0;
    }
    rest->data = value->data + len;
    rest->len = value->len - len;
    return 1;
}

/* A parameter that only Redis has.  NGX_DECLINED: it is none. */
static ngx_int_t
ngx_http_wba_store_redis_word(ngx_conf_t *cf, ngx_http_wba_store_t *store,
    ngx_str_t *value)
{
    ngx_int_t   ms;
    ngx_str_t   rest;

    if (ngx_strcmp(value->data, "on_error=reject") == 0) {
        store->local = 0;
        return NGX_OK;
    }
    if (ngx_strcmp(value->data, "on_error=local") == 0) {
        store->local = 1;
        return NGX_OK;
    }
    if (ngx_http_wba_store_is(value, "timeout=", &rest)) {
        ms = ngx_parse_time(&rest, 0);
        if (ms == NGX_ERROR || ms == 0 || ms > 60000) {
            return NGX_DECLINED;
        }
        store->redis.timeout_ms = (long) ms;
        return NGX_OK;
    }
    if (ngx_http_wba_store_is(value, "prefix=", &rest)
        && rest.len <= NGX_HTTP_WBA_REDIS_PREFIX)
    {
        store->redis.prefix = (char *) rest.data;
        return NGX_OK;
    }
    if (ngx_http_wba_store_is(value, "password_file=", &rest)) {
        return ngx_http_wba_store_password(cf, &rest, &store->redis)
               == NGX_CONF_OK ? NGX_OK : NGX_ERROR;
    }
    return NGX_DECLINED;
}

static char *
ngx_http_wba_store_word(ngx_conf_t *cf, ngx_http_wba_store_t *store,
    ngx_str_t *value)
{
    ngx_int_t  rc;

    if (ngx_strcmp(value->data, "cold=reject") == 0) {
        store->cold_accept = 0;
        return NGX_CONF_OK;
    }
    if (ngx_strcmp(value->data, "cold=accept") == 0) {
        store->cold_accept = 1;
        return NGX_CONF_OK;
    }
    rc = store->shared ? NGX_DECLINED
                       : ngx_http_wba_store_redis_word(cf, store, value);
    if (rc == NGX_DECLINED) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\", write "
                           "\"cold=reject\" or \"cold=accept\"%s", value,
                           store->shared ? "" :
                           ", \"timeout=200ms\", \"on_error=reject\" or "
                           "\"on_error=local\", \"prefix=TEXT\" of up to "
                           "64 bytes, \"password_file=FILE\"");
    }
    return rc == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
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
