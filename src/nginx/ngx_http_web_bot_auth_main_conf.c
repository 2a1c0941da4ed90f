/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the http level says: creating and completing the main configuration,
 * its setters, and the checks that need all of it.
 */
#include "ngx_http_web_bot_auth_module.h"

/* ---- memory for core while the configuration is read or a request lives */

static void *
ngx_http_wba_pool_alloc(void *pool, size_t size)
{
    return ngx_palloc(pool, size);
}

wba_mem_t
ngx_http_wba_pool_mem(ngx_pool_t *pool)
{
    wba_mem_t  mem;

    mem.alloc = ngx_http_wba_pool_alloc;
    mem.ctx = pool;
    return mem;
}

/* ---- http */

static void
ngx_http_wba_free_main_conf(void *data)
{
    ngx_uint_t                          i;
    ngx_http_wba_directory_t          **dirs;
    ngx_http_web_bot_auth_main_conf_t  *mcf = data;

    wba_keyring_free(mcf->ring);
    dirs = mcf->directories.elts;
    for (i = 0; i < mcf->directories.nelts; i++) {
        free((void *) dirs[i]->file_set.data);
    }
}

/* What libcrypto and libssl make once: workers inherit it. */
static ngx_uint_t
ngx_http_wba_prefetch(void)
{
#if (NGX_SSL)
    if (SSL_get_ex_data_X509_STORE_CTX_idx() < 0) {
        return 0;
    }
#endif
    return wba_crypto_prefetch() == WBA_OK;
}

void *
ngx_http_web_bot_auth_create_main_conf(ngx_conf_t *cf)
{
    ngx_pool_cleanup_t                 *cln;
    ngx_http_web_bot_auth_main_conf_t  *mcf;

    mcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_web_bot_auth_main_conf_t));
    if (mcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&mcf->directories, cf->pool, 4,
                       sizeof(ngx_http_wba_directory_t *)) != NGX_OK
        || ngx_array_init(&mcf->rules, cf->pool, 4,
                          sizeof(ngx_http_wba_rules_t *)) != NGX_OK
        || ngx_http_wba_check_init(cf, mcf) != NGX_OK)
    {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }
    cln->handler = ngx_http_wba_free_main_conf;
    cln->data = mcf;

    mcf->zone_size = NGX_CONF_UNSET_SIZE;
    mcf->wait = NGX_CONF_UNSET_MSEC;
    mcf->wait_max = NGX_CONF_UNSET_UINT;
    mcf->test_keys = NGX_CONF_UNSET;
    mcf->private_addresses = NGX_CONF_UNSET;
    ngx_queue_init(&mcf->parked);

    if (wba_crypto_init() != WBA_OK) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "libsodium does not start");
        return NULL;
    }
    if (!ngx_http_wba_prefetch()) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "libcrypto does not start: no memory");
        return NULL;
    }
    return mcf;
}

/* What each worker needs from its first moment on: nginx does not replace one
 * that found no memory then. */
static char *
ngx_http_wba_provide(ngx_conf_t *cf, ngx_http_web_bot_auth_main_conf_t *mcf)
{
    if (ngx_http_wba_verdicts_create(cf->pool, mcf) != NGX_OK
        || ngx_http_wba_keys_create(cf->pool, mcf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }
    if (!mcf->store.shared) {
        mcf->redis = ngx_http_wba_redis_create(cf->pool, mcf);
        if (mcf->redis == NULL) {
            return NGX_CONF_ERROR;
        }
    }
    return NGX_CONF_OK;
}

char *
ngx_http_web_bot_auth_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_str_t                           name = ngx_string("web_bot_auth");
    ngx_http_wba_directory_t          **dirs;
    ngx_http_web_bot_auth_main_conf_t  *mcf = conf;

    ngx_conf_init_size_value(mcf->zone_size, 16 * 1024 * 1024);
    ngx_conf_init_msec_value(mcf->wait, 2000);
    ngx_conf_init_uint_value(mcf->wait_max, 1024);
    ngx_conf_init_value(mcf->test_keys, 0);
    ngx_conf_init_value(mcf->private_addresses, 0);
    if (!mcf->store.set) {
        mcf->store.shared = 1;
    }

    if (mcf->discovery && mcf->private_addresses) {
        ngx_http_wba_warn(cf->log, &mcf->private_place,
                          "web_bot_auth_private_addresses is on: whoever "
                          "sends a request can make this server fetch from "
                          "your own network; outside laboratories write "
                          "\"web_bot_auth_private_addresses off\"");
    }

    if (mcf->enabled && mcf->directories.nelts == 0 && !mcf->discovery) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"web_bot_auth\" is used, but there is no "
                      "\"web_bot_auth_directory NAME { url ...; profile ...; "
                      "}\" and no \"web_bot_auth_discovery { ... }\" whose "
                      "keys could verify anything, in %s:%ui",
                      mcf->enabled_place.file,
                      mcf->enabled_place.line);
        return NGX_CONF_ERROR;
    }
    if (mcf->directories.nelts == 0 && !mcf->discovery) {
        if (mcf->status_place.file) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"web_bot_auth_status\" has nothing to tell: write "
                          "a \"web_bot_auth_directory NAME { ... }\" or a "
                          "\"web_bot_auth_discovery { ... }\", in %s:%ui",
                          mcf->status_place.file,
                          mcf->status_place.line);
            return NGX_CONF_ERROR;
        }
        return NGX_CONF_OK;
    }

    if (mcf->zone_place.file == NULL) {
        dirs = mcf->directories.elts;
        mcf->zone_place = mcf->directories.nelts ? dirs[0]->place
                                                 : mcf->discovery->place;
    }

    mcf->cycle = cf->cycle;
    mcf->shm_zone = ngx_shared_memory_add(cf, &name, mcf->zone_size,
                                          &ngx_http_web_bot_auth_module);
    if (mcf->shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }
    mcf->shm_zone->init = ngx_http_wba_zone_init;
    mcf->shm_zone->data = mcf;

    if (ngx_http_web_bot_auth_load_directories(cf, mcf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }
    if (mcf->enabled && ngx_http_wba_check_rule_names(cf, mcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }
    return ngx_http_wba_provide(cf, mcf);
}

char *
ngx_http_web_bot_auth_test_keys(ngx_conf_t *cf, void *post, void *data)
{
    ngx_flag_t  *flag = data;

    if (*flag) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "web_bot_auth_test_keys is on: anybody can sign "
                           "with the keys published in RFC 9421; outside "
                           "laboratories write \"web_bot_auth_test_keys off\"");
    }
    return NGX_CONF_OK;
}

/* Whether it matters depends on discovery, which may come later. */
char *
ngx_http_web_bot_auth_private_addresses(ngx_conf_t *cf, void *post,
    void *data)
{
    ngx_http_web_bot_auth_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_web_bot_auth_module);
    mcf->private_place = ngx_http_wba_here(cf);
    return NGX_CONF_OK;
}

/* Requests a second, at most: more than any machine verifies. */
#define NGX_HTTP_WBA_MAX_RATE  1000000

static char *
ngx_http_wba_zone_parameter(ngx_conf_t *cf,
    ngx_http_web_bot_auth_main_conf_t *mcf, ngx_str_t *value)
{
    ngx_int_t               rate, seconds;
    ngx_str_t               name, rest;
    static const wba_str_t  names[] = { NGX_HTTP_WBA_NAME("file="),
                                        NGX_HTTP_WBA_NAME("rate=") };

    name = ngx_http_wba_parameter(value, &rest);

    switch (ngx_http_wba_choose(cf, "parameter", &name, names, 2)) {

    case 0:
        if (mcf->nonce_path.len || rest.len == 0) {
            break;
        }
        mcf->nonce_path = rest;
        return ngx_conf_full_name(cf->cycle, &mcf->nonce_path, 0) == NGX_OK
               ? NGX_CONF_OK : NGX_CONF_ERROR;

    case 1:
        rate = ngx_http_wba_rate(&rest, NGX_HTTP_WBA_MAX_RATE, &seconds);
        if (mcf->zone_rate || rate == 0) {
            break;
        }
        mcf->zone_rate = rate * 60 / seconds;
        return NGX_CONF_OK;

    default:
        return NGX_CONF_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\", write, each once, "
                       "\"file=PATH\", and \"rate=\" with the requests that "
                       "shall fit, for instance \"rate=50r/s\"", value);
    return NGX_CONF_ERROR;
}

char *
ngx_http_web_bot_auth_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    off_t                               size;
    ngx_str_t                          *value = cf->args->elts;
    ngx_uint_t                          i;
    ngx_http_web_bot_auth_main_conf_t  *mcf = conf;

    if (mcf->zone_size != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    size = ngx_parse_offset(&value[1]);
    if (size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid size \"%V\", write for instance \"16m\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }
    if (size < (off_t) ngx_http_wba_zone_min_size()) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone of %V is too small, write at least \"%uzk\"",
                           &value[1], ngx_http_wba_zone_min_size() / 1024 + 1);
        return NGX_CONF_ERROR;
    }
    mcf->zone_size = size;
    mcf->zone_place = ngx_http_wba_here(cf);

    for (i = 2; i < cf->args->nelts; i++) {
        if (ngx_http_wba_zone_parameter(cf, mcf, &value[i]) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }
    return NGX_CONF_OK;
}

char *
ngx_http_web_bot_auth_wait(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_int_t                           n;
    ngx_str_t                           name, rest, *value = cf->args->elts;
    ngx_http_web_bot_auth_main_conf_t  *mcf = conf;
    static const wba_str_t              max = NGX_HTTP_WBA_NAME("max=");

    if (mcf->wait != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    n = ngx_parse_time(&value[1], 0);
    if (n == NGX_ERROR || n == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid time \"%V\", write for instance \"2s\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }
    mcf->wait = n;

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }
    name = ngx_http_wba_parameter(&value[2], &rest);
    if (ngx_http_wba_choose(cf, "parameter", &name, &max, 1) == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }
    n = ngx_atoi(rest.data, rest.len);
    if (n == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\", write \"max=NUMBER\"",
                           &value[2]);
        return NGX_CONF_ERROR;
    }
    mcf->wait_max = n;
    return NGX_CONF_OK;
}

#define NGX_HTTP_WBA_MAX_PEM  (4 * 1024 * 1024)

static ngx_int_t
ngx_http_wba_read_pem(ngx_conf_t *cf, ngx_str_t *name, ngx_str_t *pem)
{
    off_t       size;
    ssize_t     n = NGX_ERROR;
    ngx_file_t  file;

    ngx_memzero(&file, sizeof(ngx_file_t));
    file.name = *name;
    file.log = cf->log;
    file.fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (file.fd == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }

    if (ngx_fd_info(file.fd, &file.info) != NGX_FILE_ERROR
        && (size = ngx_file_size(&file.info)) <= NGX_HTTP_WBA_MAX_PEM)
    {
        pem->data = ngx_pcalloc(cf->pool, size + 1);
        if (pem->data) {
            n = ngx_read_file(&file, pem->data, size, 0);
        }
    }
    ngx_close_file(file.fd);

    if (n < 0) {
        return NGX_ERROR;
    }
    pem->len = n;
    return NGX_OK;
}

/* Read by the master, as nginx reads certificates: the workers need not be
 * able to, and a file that is not there fails here, not at the first fetch. */
char *
ngx_http_web_bot_auth_trusted_certificate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_str_t                          *value = cf->args->elts;
    ngx_http_web_bot_auth_main_conf_t  *mcf = conf;

    if (mcf->trusted_certificate.data) {
        return "is duplicate";
    }
    mcf->trusted_certificate = value[1];
    if (ngx_conf_full_name(cf->cycle, &mcf->trusted_certificate, 1) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_wba_read_pem(cf, &mcf->trusted_certificate,
                              &mcf->trusted_pem)
        != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "trusted certificate \"%V\" cannot be read, write "
                           "the name of a file of PEM certificates, at most "
                           "4m", &mcf->trusted_certificate);
        return NGX_CONF_ERROR;
    }
    if (ngx_strstr(mcf->trusted_pem.data, "-----BEGIN CERTIFICATE-----")
        == NULL)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no certificate in \"%V\", write the name of a "
                           "file of PEM certificates",
                           &mcf->trusted_certificate);
        return NGX_CONF_ERROR;
    }
    return NGX_CONF_OK;
}

/* Postconfiguration's part. */
ngx_int_t
ngx_http_web_bot_auth_check(ngx_conf_t *cf)
{
    ngx_http_web_bot_auth_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_web_bot_auth_module);

    ngx_http_wba_check(cf, mcf);
    if (ngx_http_wba_challenge_init(cf, mcf) != NGX_OK) {
        return NGX_ERROR;
    }
    if (mcf->exposes_reason) {
        return ngx_http_wba_header_filter_init(cf);
    }
    return NGX_OK;
}
