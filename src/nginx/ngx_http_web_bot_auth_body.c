/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The request's body, for the digest that a verified signature covers and for
 * the objects in it that name the signature.  It is read as the mirror module reads it, and looked at by a filter as its bytes
 * arrive; one that was read before is looked at where nginx has put it.
 */
#include "ngx_http_web_bot_auth_module.h"

/* Bytes of a temporary file that are read at a time. */
#define NGX_HTTP_WBA_BODY_PIECE  16384

static void ngx_http_wba_body_here(ngx_http_request_t *r);

static ngx_http_request_body_filter_pt  ngx_http_next_request_body_filter;

/* Whether all of it is where nginx keeps bodies.  What was handed on while it
 * arrived is not. */
static ngx_uint_t
ngx_http_wba_body_complete(ngx_http_request_t *r)
{
    ngx_http_request_body_t  *rb = r->request_body;

    return rb && rb->rest == 0 && rb->last_saved
           && !r->request_body_no_buffering;
}

/* Whether a body was announced of which nginx has thrown away some, as some of
 * its handlers do before they answer.  Of a chunked one it leaves a request
 * body that is not complete. */
static ngx_uint_t
ngx_http_wba_body_discarded(ngx_http_request_t *r)
{
    ngx_http_headers_in_t  *in = &r->headers_in;

    if (r->request_body) {
        return 0;
    }
    if (r->discard_body) {
        return 1;
    }
    return in->content_length
           && ngx_atoof(in->content_length->value.data,
                        in->content_length->value.len)
              != in->content_length_n;
}

/* One part of a body that is in a file. */
static ngx_int_t
ngx_http_wba_body_feed_file(wba_verify_t *v, ngx_buf_t *b)
{
    off_t    at;
    u_char   piece[NGX_HTTP_WBA_BODY_PIECE];
    ssize_t  n;

    if (b->file->fd == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }

    for (at = b->file_pos; at < b->file_last; at += n) {
        n = ngx_read_file(b->file, piece,
                          (size_t) ngx_min(b->file_last - at,
                                           NGX_HTTP_WBA_BODY_PIECE),
                          at);
        if (n <= 0) {
            return NGX_ERROR;
        }
        wba_verify_feed(v, piece, n);
    }
    return NGX_OK;
}

static ngx_int_t
ngx_http_wba_body_feed(wba_verify_t *v, ngx_chain_t *in)
{
    for ( /* void */ ; in; in = in->next) {
        if (ngx_buf_in_memory(in->buf)) {
            wba_verify_feed(v, in->buf->pos, in->buf->last - in->buf->pos);

        } else if (in->buf->in_file
                   && ngx_http_wba_body_feed_file(v, in->buf) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }
    return NGX_OK;
}

/* The DAV module takes a PUT's body out of a file only, and asks for the file
 * when it is too late.  Without handler of its own the location may be its. */
static void
ngx_http_wba_body_for_dav(ngx_http_request_t *r)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    if (r->method != NGX_HTTP_PUT || clcf->handler) {
        return;
    }

    r->request_body_in_file_only = 1;
    r->request_body_in_persistent_file = 1;
    r->request_body_in_clean_file = 1;
    r->request_body_file_group_access = 1;
    r->request_body_file_log_level = 0;
}

/* A client's slowness is none of the waiting that web_bot_auth_wait bounds. */
static ngx_int_t
ngx_http_wba_body_read(ngx_http_web_bot_auth_ctx_t *ctx)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r = ctx->request;

    if (ctx->deadline.timer_set) {
        ngx_del_timer(&ctx->deadline);
    }
    ctx->body_since = ngx_current_msec;
    ctx->body = NGX_HTTP_WBA_BODY_COMING;
    ngx_http_wba_body_for_dav(r);

    rc = ngx_http_read_client_request_body(r, ngx_http_wba_body_here);
    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }
    ngx_http_finalize_request(r, NGX_DONE);
    return NGX_DONE;
}

static void
ngx_http_wba_body_here(ngx_http_request_t *r)
{
    ngx_http_web_bot_auth_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_web_bot_auth_module);

    if (ctx->body == NGX_HTTP_WBA_BODY_COMING
        && ngx_http_wba_body_complete(r))
    {
        ctx->body = NGX_HTTP_WBA_BODY_FED;
    }
    ctx->wait_until += ngx_current_msec - ctx->body_since;

    r->preserve_body = 1;
    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}

/* A request comes back here when its body has arrived, or, while it has not,
 * by the error_page or post_action that answers why. */
ngx_int_t
ngx_http_wba_body_answer(ngx_http_web_bot_auth_ctx_t *ctx)
{
    ngx_uint_t           complete;
    wba_verify_t        *v = &ctx->verify;
    ngx_http_request_t  *r = ctx->request;

    if (ctx->body != NGX_HTTP_WBA_BODY_NONE) {
        complete = ctx->body == NGX_HTTP_WBA_BODY_FED;

    } else if (ngx_http_wba_body_discarded(r)) {
        complete = 0;

    } else if (r->headers_in.content_length_n <= 0 && !r->headers_in.chunked) {
        complete = 1;

    } else if (r->request_body) {
        complete = ngx_http_wba_body_complete(r)
                   && ngx_http_wba_body_feed(v, r->request_body->bufs)
                      == NGX_OK;

    } else {
        return ngx_http_wba_body_read(ctx);
    }

    ctx->body = NGX_HTTP_WBA_BODY_NONE;
    wba_verify_body(v, complete);
    return NGX_OK;
}

/* Buffers hold what is new, each byte once.  After a redirect the context is
 * found another way, and nobody waits for the body any more. */
static ngx_int_t
ngx_http_wba_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_web_bot_auth_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_web_bot_auth_module);

    if (ctx && ctx->body == NGX_HTTP_WBA_BODY_COMING
        && ngx_http_wba_body_feed(&ctx->verify, in) != NGX_OK)
    {
        ctx->body = NGX_HTTP_WBA_BODY_LOST;
    }
    return ngx_http_next_request_body_filter(r, in);
}

ngx_int_t
ngx_http_wba_body_filter_init(ngx_conf_t *cf)
{
    ngx_http_next_request_body_filter = ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = ngx_http_wba_body_filter;
    return NGX_OK;
}
