/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For the benchmarks alone, never installed: what a request costs that does
 * nothing but one libsodium verification, and marks in callgrind's counts.
 *
 *     bench_verify SIZE;      in the access phase, crypto_sign_verify_detached
 *                             of SIZE bytes, once, and nothing else
 *     bench_body [sha256];    as the content: reads the body, hashes it if told
 *                             to, and answers 200
 *     bench_mark NAME;        as the content: callgrind writes what it has
 *                             counted since the mark before, under that name
 *
 * The signatures are good ones, made at start, and as many as it takes for the
 * branches of one to teach the processor nothing about the next.
 */
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <sodium.h>
#include <valgrind/callgrind.h>

#define NGX_HTTP_BENCH_SIGNATURES  256
#define NGX_HTTP_BENCH_MAX_SIZE    4096

typedef struct {
    size_t size; /* of a message; 0: nothing is verified */
    size_t next;
    u_char pk[crypto_sign_PUBLICKEYBYTES];
    u_char *messages;
    u_char (*signatures)[crypto_sign_BYTES];
    ngx_flag_t sha256;
    ngx_str_t mark;
} ngx_http_bench_conf_t;

static void *ngx_http_bench_create_conf(ngx_conf_t *cf);
static char *ngx_http_bench_verify(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_bench_body(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_bench_mark(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_bench_init(ngx_conf_t *cf);

static ngx_command_t  ngx_http_bench_commands[] = {

    { ngx_string("bench_verify"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_bench_verify,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("bench_body"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_bench_body,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("bench_mark"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_bench_mark,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};

static ngx_http_module_t  ngx_http_bench_module_ctx = {
    NULL,
    ngx_http_bench_init,
    NULL,
    NULL,
    NULL,
    NULL,
    ngx_http_bench_create_conf,
    NULL
};

ngx_module_t  ngx_http_bench_module = {
    NGX_MODULE_V1,
    &ngx_http_bench_module_ctx,
    ngx_http_bench_commands,
    NGX_HTTP_MODULE,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NGX_MODULE_V1_PADDING
};

/* What nginx's build would generate. */

ngx_module_t  *ngx_modules[] = { &ngx_http_bench_module, NULL };
char  *ngx_module_names[] = { "ngx_http_bench_module", NULL };
char  *ngx_module_order[] = { NULL };

/* The access phase. */

static ngx_int_t
ngx_http_bench_access(ngx_http_request_t *r)
{
    size_t                  i;
    ngx_http_bench_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_bench_module);
    if (conf->size == 0) {
        return NGX_DECLINED;
    }

    i = conf->next++ % NGX_HTTP_BENCH_SIGNATURES;
    if (crypto_sign_verify_detached(conf->signatures[i],
                                    conf->messages + i * conf->size,
                                    conf->size, conf->pk)
        != 0)
    {
        return NGX_HTTP_FORBIDDEN;
    }
    return NGX_OK;
}

/* Contents. */

static ngx_int_t
ngx_http_bench_send(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = 0;
    r->header_only = 1;

    rc = ngx_http_send_header(r);
    return rc == NGX_ERROR ? rc : ngx_http_send_special(r, NGX_HTTP_LAST);
}

static void
ngx_http_bench_have_body(ngx_http_request_t *r)
{
    u_char                     hash[crypto_hash_sha256_BYTES];
    ngx_chain_t               *cl;
    ngx_http_bench_conf_t     *conf;
    crypto_hash_sha256_state   state;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_bench_module);
    if (conf->sha256 && r->request_body) {
        crypto_hash_sha256_init(&state);
        for (cl = r->request_body->bufs; cl; cl = cl->next) {
            crypto_hash_sha256_update(&state, cl->buf->pos,
                                      cl->buf->last - cl->buf->pos);
        }
        crypto_hash_sha256_final(&state, hash);
    }
    ngx_http_finalize_request(r, ngx_http_bench_send(r));
}

static ngx_int_t
ngx_http_bench_body_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_read_client_request_body(r, ngx_http_bench_have_body);
    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}

static ngx_int_t
ngx_http_bench_mark_handler(ngx_http_request_t *r)
{
    ngx_http_bench_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_bench_module);
    CALLGRIND_DUMP_STATS_AT((char *) conf->mark.data);
    return ngx_http_bench_send(r);
}

/* Configuration. */

static void *
ngx_http_bench_create_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_bench_conf_t));
}

static char *
ngx_http_bench_verify(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    u_char                  sk[crypto_sign_SECRETKEYBYTES];
    ngx_int_t               size;
    ngx_str_t              *value = cf->args->elts;
    ngx_uint_t              i;
    ngx_http_bench_conf_t  *bcf = conf;

    size = ngx_atoi(value[1].data, value[1].len);
    if (size < 1 || size > NGX_HTTP_BENCH_MAX_SIZE || sodium_init() < 0) {
        return "needs a size of 1 to 4096";
    }
    bcf->messages = ngx_palloc(cf->pool, NGX_HTTP_BENCH_SIGNATURES * size);
    bcf->signatures = ngx_palloc(cf->pool, NGX_HTTP_BENCH_SIGNATURES
                                           * sizeof(bcf->signatures[0]));
    if (bcf->messages == NULL || bcf->signatures == NULL) {
        return NGX_CONF_ERROR;
    }
    bcf->size = size;
    crypto_sign_keypair(bcf->pk, sk);
    randombytes_buf(bcf->messages, NGX_HTTP_BENCH_SIGNATURES * bcf->size);
    for (i = 0; i < NGX_HTTP_BENCH_SIGNATURES; i++) {
        crypto_sign_detached(bcf->signatures[i], NULL,
                             bcf->messages + i * bcf->size, bcf->size, sk);
    }
    return NGX_CONF_OK;
}

static void
ngx_http_bench_content(ngx_conf_t *cf, ngx_http_handler_pt handler)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = handler;
}

static char *
ngx_http_bench_body(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t              *value = cf->args->elts;
    ngx_http_bench_conf_t  *bcf = conf;

    if (cf->args->nelts == 2) {
        if (ngx_strcmp(value[1].data, "sha256") != 0) {
            return "knows sha256 only";
        }
        bcf->sha256 = 1;
    }
    ngx_http_bench_content(cf, ngx_http_bench_body_handler);
    return NGX_CONF_OK;
}

static char *
ngx_http_bench_mark(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t              *value = cf->args->elts;
    ngx_http_bench_conf_t  *bcf = conf;

    bcf->mark = value[1];
    ngx_http_bench_content(cf, ngx_http_bench_mark_handler);
    return NGX_CONF_OK;
}

static ngx_int_t
ngx_http_bench_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_ACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }
    *h = ngx_http_bench_access;
    return NGX_OK;
}
