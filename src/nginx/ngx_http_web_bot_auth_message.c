/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How an nginx request answers core's questions.  All answers are views of
 * the request as it came: r->uri is decoded, merged and rewritten, and is
 * never looked at.
 */
#include "ngx_http_web_bot_auth_module.h"

static ngx_http_web_bot_auth_ctx_t *
ngx_http_wba_message_ctx(const wba_message_t *msg)
{
    return msg->ctx;
}

/* Method and target as they stand in the request line, which nginx builds for
 * HTTP/2 as well: error_page and X-Accel-Redirect change r->method_name, and
 * r->unparsed_uri has lost the absolute form. */
static void
ngx_http_wba_request_line(const wba_message_t *msg, wba_str_t *method,
    wba_str_t *target)
{
    u_char              *p, *last;
    ngx_http_request_t  *r;

    r = ngx_http_wba_message_ctx(msg)->request;
    p = r->request_line.data;
    last = p + r->request_line.len;

    while (p < last && *p != ' ') {
        p++;
    }
    *method = wba_str(r->request_line.data, p - r->request_line.data);

    while (p < last && *p == ' ') {
        p++;
    }
    if (r->http_version >= NGX_HTTP_VERSION_10) {
        while (last > p && last[-1] != ' ') {
            last--;
        }
    }
    while (last > p && last[-1] == ' ') {
        last--;
    }
    *target = wba_str(p, last - p);
}

static wba_str_t
ngx_http_wba_method(const wba_message_t *msg)
{
    wba_str_t  method, target;

    ngx_http_wba_request_line(msg, &method, &target);
    return method;
}

static wba_str_t
ngx_http_wba_target(const wba_message_t *msg)
{
    wba_str_t  method, target;

    ngx_http_wba_request_line(msg, &method, &target);
    return target;
}

static wba_str_t
ngx_http_wba_host(const wba_message_t *msg)
{
    ngx_http_request_t  *r;

    r = ngx_http_wba_message_ctx(msg)->request;

    /* HTTP/3's :authority; that of HTTP/2 nginx makes a Host of. */
    if (r->http_version > NGX_HTTP_VERSION_20 && r->host_start) {
        return wba_str(r->host_start, r->host_end - r->host_start);
    }
    if (r->headers_in.host == NULL) {
        return WBA_STR_NONE;
    }
    return ngx_http_wba_view(r->headers_in.host->value);
}

/* The value of a setting for this request, asked for once in a pass and kept;
 * data is not NULL even when it is empty, so that it never falls back to what
 * the request says. */
static wba_str_t
ngx_http_wba_complex(ngx_http_web_bot_auth_ctx_t *ctx,
    ngx_http_complex_value_t *value, wba_str_t *kept)
{
    ngx_str_t  s;

    if (kept->data) {
        return *kept;
    }
    if (ngx_http_complex_value(ctx->request, value, &s) != NGX_OK) {
        ctx->starved = 1;
        return WBA_STR("");
    }
    *kept = s.len ? ngx_http_wba_view(s) : WBA_STR("");
    return *kept;
}

static wba_str_t
ngx_http_wba_authority_override(const wba_message_t *msg)
{
    ngx_http_web_bot_auth_ctx_t  *ctx;

    ctx = ngx_http_wba_message_ctx(msg);

    if (ctx->begun->authority != NGX_HTTP_WBA_AUTHORITY_VALUE) {
        return WBA_STR_NONE;
    }
    return ngx_http_wba_complex(ctx, ctx->begun->authority_value,
                                &ctx->authority);
}

static wba_str_t
ngx_http_wba_scheme(const wba_message_t *msg)
{
    ngx_http_web_bot_auth_ctx_t  *ctx;

    ctx = ngx_http_wba_message_ctx(msg);

    if (ctx->begun->scheme) {
        return ngx_http_wba_complex(ctx, ctx->begun->scheme, &ctx->scheme);
    }
#if (NGX_HTTP_SSL)
    if (ctx->request->connection->ssl) {
        return WBA_STR("https");
    }
#endif
    return WBA_STR("http");
}

/* One name of a server block, exact, wildcard or regular expression, against
 * the request's host, which nginx has lower-cased and freed of its port. */
static ngx_uint_t
ngx_http_wba_name_matches(ngx_http_server_name_t *name, ngx_str_t *host)
{
    u_char     *p;
    ngx_str_t   n;

    n = name->name;

#if (NGX_PCRE)
    if (name->regex) {
        /* Not ngx_http_regex_exec: the location's captures must stay. */
        return ngx_regex_exec(name->regex->regex, host, NULL, 0) >= 0;
    }
#endif

    if (n.len == 0) {
        return 0;
    }
    if (n.data[0] == '.') {
        if (host->len == n.len - 1
            && ngx_strncmp(host->data, n.data + 1, host->len) == 0)
        {
            return 1;
        }
    } else if (n.len > 2 && n.data[0] == '*') {
        n.data++;
        n.len--;
    } else if (n.len > 2 && n.data[n.len - 1] == '*') {
        n.len--;
        return host->len > n.len
               && ngx_strncmp(host->data, n.data, n.len) == 0;
    } else {
        return host->len == n.len
               && ngx_strncmp(host->data, n.data, n.len) == 0;
    }

    /* "*.example.com" or the longer form of ".example.com" */
    if (host->len <= n.len) {
        return 0;
    }
    p = host->data + host->len - n.len;
    return ngx_strncmp(p, n.data, n.len) == 0;
}

static bool
ngx_http_wba_authority_served(const wba_message_t *msg)
{
    ngx_str_t                          host;
    ngx_uint_t                         i;
    ngx_http_web_bot_auth_ctx_t       *ctx;
    ngx_http_web_bot_auth_srv_conf_t  *scf;

    ctx = ngx_http_wba_message_ctx(msg);

    if (ctx->begun->authority != NGX_HTTP_WBA_AUTHORITY_SERVER_NAME) {
        return true;
    }

    host = ctx->request->headers_in.server;
    if (host.len == 0) {
        return false;
    }

    scf = ngx_http_get_module_srv_conf(ctx->request,
                                       ngx_http_web_bot_auth_module);

    for (i = 0; i < scf->nnames; i++) {
        if (ngx_http_wba_name_matches(&scf->names[i], &host)) {
            return true;
        }
    }
    return false;
}

/* *cursor is the line after which to go on.  Lines that nginx has dropped
 * have hash 0.  Up to 1.22 equal names are not chained, so the whole list is
 * walked, as it may be in every version. */
static wba_status_t
ngx_http_wba_next_line(const wba_message_t *msg, wba_str_t name,
    uintptr_t *cursor, wba_str_t *value)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *after;

    after = (ngx_table_elt_t *) *cursor;
    part = &ngx_http_wba_message_ctx(msg)->request->headers_in.headers.part;

    for ( /* void */ ; part; part = part->next) {
        h = part->elts;
        i = 0;

        if (after) {
            if (after < h || after >= h + part->nelts) {
                continue;
            }
            i = after - h + 1;
            after = NULL;
        }

        for ( /* void */ ; i < part->nelts; i++) {
            if (h[i].hash == 0 || h[i].key.len != name.len
                || ngx_memcmp(h[i].lowcase_key, name.data, name.len) != 0)
            {
                continue;
            }
            *cursor = (uintptr_t) &h[i];
            *value = ngx_http_wba_view(h[i].value);
            return WBA_OK;
        }
    }
    return WBA_END;
}

static bool
ngx_http_wba_multiplexed(const wba_message_t *msg)
{
    return ngx_http_wba_message_ctx(msg)->request->http_version
           >= NGX_HTTP_VERSION_20;
}

const wba_message_ops_t  ngx_http_wba_message_ops = {
    .method = ngx_http_wba_method,
    .target = ngx_http_wba_target,
    .host = ngx_http_wba_host,
    .authority_override = ngx_http_wba_authority_override,
    .scheme = ngx_http_wba_scheme,
    .authority_served = ngx_http_wba_authority_served,
    .next_line = ngx_http_wba_next_line,
    .multiplexed = ngx_http_wba_multiplexed,
};
