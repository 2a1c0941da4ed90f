/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * web_bot_auth_challenge: the Accept-Signature of refusals.  What a location
 * asks is written when the configuration is read; a refusal costs a header,
 * and where it carries a nonce, a copy with the nonce in it.
 */
#include "ngx_http_web_bot_auth_module.h"

#include <sodium.h>

static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;

static char *
ngx_http_wba_challenge_word(ngx_conf_t *cf, ngx_str_t *value,
    const wba_str_t *names, size_t n)
{
    size_t         i;
    ngx_str_t      hint;
    wba_nearest_t  nearest;

    wba_nearest_init(&nearest, ngx_http_wba_view(*value));
    for (i = 0; i < n; i++) {
        wba_nearest_offer(&nearest, names[i]);
    }
    hint = ngx_http_wba_did_you_mean(cf, &nearest);
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid challenge \"%V\"%V, write \"on\", \"off\" or "
                       "\"on nonce\"", value, &hint);
    return NGX_CONF_ERROR;
}

char *
ngx_http_web_bot_auth_challenge(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                         *value = cf->args->elts;
    ngx_http_web_bot_auth_loc_conf_t  *lcf = conf;
    static const wba_str_t             words[] = { NGX_HTTP_WBA_NAME("on"),
                                                   NGX_HTTP_WBA_NAME("off") };
    static const wba_str_t             nonce = NGX_HTTP_WBA_NAME("nonce");

    if (lcf->challenge != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    if (ngx_strcmp(value[1].data, "on") == 0) {
        lcf->challenge = NGX_HTTP_WBA_CHALLENGE_ON;

    } else if (ngx_strcmp(value[1].data, "off") == 0) {
        lcf->challenge = NGX_HTTP_WBA_CHALLENGE_OFF;

    } else {
        return ngx_http_wba_challenge_word(cf, &value[1], words, 2);
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }
    if (lcf->challenge == NGX_HTTP_WBA_CHALLENGE_OFF
        || ngx_strcmp(value[2].data, "nonce") != 0)
    {
        return ngx_http_wba_challenge_word(cf, &value[2], &nonce, 1);
    }
    lcf->challenge = NGX_HTTP_WBA_CHALLENGE_NONCE;
    return NGX_CONF_OK;
}

/* Whether what was written for an outer level is right for this one. */
static ngx_uint_t
ngx_http_wba_challenge_same(const wba_policy_t *a, const wba_policy_t *b)
{
    return a->challenge == b->challenge && a->digest == b->digest
           && a->rules == b->rules && a->nrules == b->nrules
           && a->components == b->components
           && a->ncomponents == b->ncomponents;
}

char *
ngx_http_wba_challenge_merge(ngx_conf_t *cf,
    ngx_http_web_bot_auth_loc_conf_t *prev,
    ngx_http_web_bot_auth_loc_conf_t *conf)
{
    wba_mem_t                           mem;
    ngx_http_core_loc_conf_t           *clcf;
    ngx_http_web_bot_auth_main_conf_t  *mcf;

    ngx_conf_merge_uint_value(conf->challenge, prev->challenge,
                              NGX_HTTP_WBA_CHALLENGE_ON);

    if (conf->mode == WBA_MODE_OFF
        || conf->challenge == NGX_HTTP_WBA_CHALLENGE_OFF)
    {
        return NGX_CONF_OK;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_web_bot_auth_module);
    if (conf->challenge == NGX_HTTP_WBA_CHALLENGE_NONCE) {
        conf->policy.challenge = &mcf->challenge_key;
    }

    if (prev->accept
        && ngx_http_wba_challenge_same(&prev->policy, &conf->policy))
    {
        conf->accept = prev->accept;

    } else {
        mem = ngx_http_wba_pool_mem(cf->pool);
        conf->accept = ngx_palloc(cf->pool, sizeof(wba_accept_t));
        if (conf->accept == NULL
            || wba_accept_write(&mcf->env, &conf->policy, &mem, conf->accept)
               != WBA_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    /* The core module has merged this location by now. */
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    if (clcf->satisfy == NGX_HTTP_SATISFY_ANY) {
        mcf->challenges_any = 1;
    }
    mcf->challenges = 1;
    return NGX_CONF_OK;
}

/* One that nobody without the memory of used nonces recognises: the key is
 * that table's, and lives as long. */
void
ngx_http_wba_challenge_commit(ngx_http_web_bot_auth_main_conf_t *mcf)
{
    uint8_t  identity[WBA_REPLAY_IDENTITY];

    wba_replay_identity(mcf->replay, identity);
    wba_challenge_derive(&mcf->challenge_key, identity, sizeof(identity));
    sodium_memzero(identity, sizeof(identity));
}

/* ---- a request */

static ngx_int_t
ngx_http_wba_challenge_with_nonce(ngx_http_web_bot_auth_ctx_t *ctx,
    const wba_accept_t *accept)
{
    u_char     *p;
    uint8_t     random[WBA_CHALLENGE_RANDOM_SIZE], nonce[WBA_CHALLENGE_SIZE];
    wba_str_t   authority;

    /* Not the facts': those of an unsigned request have none. */
    if (wba_message_authority(&ctx->message, &ctx->mem, &authority) != WBA_OK) {
        return NGX_DECLINED;
    }
    p = ngx_pnalloc(ctx->request->pool, accept->text.len);
    if (p == NULL) {
        return NGX_ERROR;
    }
    randombytes_buf(random, sizeof(random));
    wba_challenge_make(&ctx->main->challenge_key, authority, ngx_time(),
                       random, nonce);
    wba_accept_fill(accept, nonce, p);
    ctx->challenge.data = p;
    ctx->challenge.len = accept->text.len;
    return NGX_OK;
}

/* The first refusal counts: it is its location that the client asked for. */
void
ngx_http_wba_challenge_note(ngx_http_web_bot_auth_ctx_t *ctx,
    ngx_http_web_bot_auth_loc_conf_t *lcf)
{
    const wba_accept_t  *accept = lcf->accept;

    if (accept == NULL || accept->text.len == 0 || ctx->challenged
        || !wba_accept_helps(&lcf->policy, ctx->verdict.reason))
    {
        return;
    }

    if (accept->nnonces == 0) {
        ctx->challenge = ngx_http_wba_ngx_str(accept->text);

    } else if (ngx_http_wba_challenge_with_nonce(ctx, accept) != NGX_OK) {
        return;
    }
    ctx->challenged = lcf;
}

/* "satisfy any": the request was refused here, and let in by another module. */
static ngx_int_t
ngx_http_wba_challenge_let_in(ngx_http_request_t *r)
{
    ngx_http_web_bot_auth_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_web_bot_auth_module);

    if (ctx && ctx->challenged
        && ctx->challenged
           == ngx_http_get_module_loc_conf(r, ngx_http_web_bot_auth_module))
    {
        ctx->challenged = NULL;
    }
    return NGX_DECLINED;
}

static ngx_int_t
ngx_http_wba_add_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }
    ngx_memzero(h, sizeof(ngx_table_elt_t));
    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value = *value;
    return NGX_OK;
}

static ngx_uint_t
ngx_http_wba_has_cache_control(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;
        for (i = 0; i < part->nelts; i++) {
            if (h[i].hash && h[i].key.len == sizeof("Cache-Control") - 1
                && ngx_strncasecmp(h[i].key.data, (u_char *) "Cache-Control",
                                   h[i].key.len) == 0)
            {
                return 1;
            }
        }
    }
    return 0;
}

/* A refusal's status, or, after error_page, whichever: then r is internal. */
static ngx_int_t
ngx_http_wba_challenge_filter(ngx_http_request_t *r)
{
    ngx_str_t                     no_store = ngx_string("no-store");
    ngx_http_web_bot_auth_ctx_t  *ctx;

    if (r != r->main
        || (r->headers_out.status < NGX_HTTP_BAD_REQUEST && !r->internal))
    {
        return ngx_http_next_header_filter(r);
    }

    ctx = ngx_http_wba_ctx(r, 0);
    if (ctx == NULL || ctx->challenged == NULL) {
        return ngx_http_next_header_filter(r);
    }

    if (ngx_http_wba_add_header(r, "Accept-Signature", &ctx->challenge)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* A nonce is for one client. */
    if (ctx->challenged->policy.challenge
        && !ngx_http_wba_has_cache_control(r)
        && ngx_http_wba_add_header(r, "Cache-Control", &no_store) != NGX_OK)
    {
        return NGX_ERROR;
    }
    return ngx_http_next_header_filter(r);
}

ngx_int_t
ngx_http_wba_challenge_init(ngx_conf_t *cf,
    ngx_http_web_bot_auth_main_conf_t *mcf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    if (!mcf->challenges) {
        return NGX_OK;
    }

    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_wba_challenge_filter;

    if (!mcf->challenges_any) {
        return NGX_OK;
    }
    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }
    *h = ngx_http_wba_challenge_let_in;
    return NGX_OK;
}
