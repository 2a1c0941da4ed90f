/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * $web_bot_auth_*.  All are non-cacheable.  Asked before the access phase,
 * they take verification as far as it goes without waiting, reading a body or
 * recording a nonce.
 */
#include "ngx_http_web_bot_auth_module.h"

/* nginx asks once how long a value is and once for the value: nothing here may
 * fail the first time only. */
typedef ngx_str_t (*ngx_http_wba_text_pt)(ngx_http_web_bot_auth_ctx_t *ctx);

/* Never in a subrequest, after the header was sent, or while the request is
 * logged and freed (count is 0 then). */
static ngx_uint_t
ngx_http_wba_may_start(ngx_http_request_t *r)
{
    return r == r->main && !r->header_sent && r->count != 0
           && r->request_line.data != NULL && r->method_name.data != NULL;
}

/* The context with what is known by now.  NULL: nothing, or, with *lost set,
 * there was no memory for it. */
static ngx_http_web_bot_auth_ctx_t *
ngx_http_wba_known(ngx_http_request_t *r, ngx_uint_t *lost)
{
    ngx_http_web_bot_auth_ctx_t       *ctx;
    ngx_http_web_bot_auth_loc_conf_t  *lcf;

    ctx = ngx_http_wba_ctx(r->main, 0);

    if (ctx && ctx->judged) {
        return ctx;
    }
    if (ctx && ctx->busy) {
        /* web_bot_auth_authority or _scheme asks for what depends on it. */
        return NULL;
    }
    lcf = ngx_http_get_module_loc_conf(r->main, ngx_http_web_bot_auth_module);
    if (lcf->mode == WBA_MODE_OFF) {
        return NULL;
    }
    if (!ngx_http_wba_may_start(r)) {
        return ctx && ctx->initialised ? ctx : NULL;
    }

    ctx = ngx_http_wba_ctx(r, 1);
    if (ctx == NULL) {
        *lost = 1;
        return NULL;
    }
    if (!ctx->parked) {
        ngx_http_wba_advance_early(ctx);
    }
    return ctx;
}

static ngx_str_t
ngx_http_wba_text(wba_str_t s)
{
    return ngx_http_wba_ngx_str(s);
}

static ngx_str_t
ngx_http_wba_number(u_char text[NGX_INT64_LEN], int64_t n)
{
    ngx_str_t  s;

    s.data = text;
    s.len = ngx_sprintf(text, "%L", n) - text;
    return s;
}

/* Of the verdict: empty until the access phase has judged. */

static ngx_str_t
ngx_http_wba_get_result(ngx_http_web_bot_auth_ctx_t *ctx)
{
    return ngx_http_wba_text(wba_outcome_name(ctx->verdict.outcome));
}

static ngx_str_t
ngx_http_wba_get_reason(ngx_http_web_bot_auth_ctx_t *ctx)
{
    return ngx_http_wba_text(wba_reason_info(ctx->verdict.reason)->name);
}

static ngx_str_t
ngx_http_wba_get_decision(ngx_http_web_bot_auth_ctx_t *ctx)
{
    return ngx_http_wba_text(wba_decision_name(ctx->verdict.decision));
}

/* Of the verified signature. */

static ngx_str_t
ngx_http_wba_get_tag(ngx_http_web_bot_auth_ctx_t *ctx)
{
    return ngx_http_wba_text(ctx->verdict.signature->tag->text);
}

static ngx_str_t
ngx_http_wba_get_directory(ngx_http_web_bot_auth_ctx_t *ctx)
{
    return ngx_http_wba_text(ctx->verdict.signature->directory->name);
}

static ngx_str_t
ngx_http_wba_get_agent(ngx_http_web_bot_auth_ctx_t *ctx)
{
    return ngx_http_wba_text(ctx->verdict.signature->agent_identity);
}

static ngx_str_t
ngx_http_wba_get_keyid(ngx_http_web_bot_auth_ctx_t *ctx)
{
    return ngx_http_wba_text(ctx->verdict.signature->input.keyid);
}

static ngx_str_t
ngx_http_wba_get_label(ngx_http_web_bot_auth_ctx_t *ctx)
{
    return ngx_http_wba_text(ctx->verdict.signature->input.label);
}

static ngx_str_t
ngx_http_wba_get_nonce(ngx_http_web_bot_auth_ctx_t *ctx)
{
    return ngx_http_wba_text(ctx->verdict.signature->input.nonce);
}

static ngx_str_t
ngx_http_wba_get_created(ngx_http_web_bot_auth_ctx_t *ctx)
{
    return ngx_http_wba_number(ctx->created,
                               ctx->verdict.signature->input.created);
}

static ngx_str_t
ngx_http_wba_get_expires(ngx_http_web_bot_auth_ctx_t *ctx)
{
    return ngx_http_wba_number(ctx->expires,
                               ctx->verdict.signature->input.expires);
}

/* The covered components as they stand in Signature-Input. */
static ngx_str_t
ngx_http_wba_get_components(ngx_http_web_bot_auth_ctx_t *ctx)
{
    return ngx_http_wba_text(ctx->verdict.signature->input.list.text);
}

/* Of what is merely claimed. */

static ngx_str_t
ngx_http_wba_get_claimed_tag(ngx_http_web_bot_auth_ctx_t *ctx)
{
    return ngx_http_wba_text(ctx->verify.facts.claimed_tag);
}

static ngx_str_t
ngx_http_wba_get_claimed_keyid(ngx_http_web_bot_auth_ctx_t *ctx)
{
    return ngx_http_wba_text(ctx->verify.facts.claimed_keyid);
}

static ngx_str_t
ngx_http_wba_get_claimed_agent(ngx_http_web_bot_auth_ctx_t *ctx)
{
    return ngx_http_wba_text(ctx->verify.facts.claimed_agent);
}

typedef enum {
    NGX_HTTP_WBA_OF_VERDICT,
    NGX_HTTP_WBA_OF_SIGNATURE,
    NGX_HTTP_WBA_OF_CLAIM
} ngx_http_wba_variable_e;

typedef struct {
    ngx_str_t name;
    ngx_http_wba_variable_e of;
    ngx_http_wba_text_pt text;
} ngx_http_wba_variable_t;

static const ngx_http_wba_variable_t  ngx_http_wba_variables[] = {

    { ngx_string("web_bot_auth_result"),
      NGX_HTTP_WBA_OF_VERDICT, ngx_http_wba_get_result },

    { ngx_string("web_bot_auth_reason"),
      NGX_HTTP_WBA_OF_VERDICT, ngx_http_wba_get_reason },

    { ngx_string("web_bot_auth_decision"),
      NGX_HTTP_WBA_OF_VERDICT, ngx_http_wba_get_decision },

    { ngx_string("web_bot_auth_tag"),
      NGX_HTTP_WBA_OF_SIGNATURE, ngx_http_wba_get_tag },

    { ngx_string("web_bot_auth_directory"),
      NGX_HTTP_WBA_OF_SIGNATURE, ngx_http_wba_get_directory },

    { ngx_string("web_bot_auth_agent"),
      NGX_HTTP_WBA_OF_SIGNATURE, ngx_http_wba_get_agent },

    { ngx_string("web_bot_auth_keyid"),
      NGX_HTTP_WBA_OF_SIGNATURE, ngx_http_wba_get_keyid },

    { ngx_string("web_bot_auth_label"),
      NGX_HTTP_WBA_OF_SIGNATURE, ngx_http_wba_get_label },

    { ngx_string("web_bot_auth_created"),
      NGX_HTTP_WBA_OF_SIGNATURE, ngx_http_wba_get_created },

    { ngx_string("web_bot_auth_expires"),
      NGX_HTTP_WBA_OF_SIGNATURE, ngx_http_wba_get_expires },

    { ngx_string("web_bot_auth_nonce"),
      NGX_HTTP_WBA_OF_SIGNATURE, ngx_http_wba_get_nonce },

    { ngx_string("web_bot_auth_components"),
      NGX_HTTP_WBA_OF_SIGNATURE, ngx_http_wba_get_components },

    { ngx_string("web_bot_auth_claimed_tag"),
      NGX_HTTP_WBA_OF_CLAIM, ngx_http_wba_get_claimed_tag },

    { ngx_string("web_bot_auth_claimed_keyid"),
      NGX_HTTP_WBA_OF_CLAIM, ngx_http_wba_get_claimed_keyid },

    { ngx_string("web_bot_auth_claimed_agent"),
      NGX_HTTP_WBA_OF_CLAIM, ngx_http_wba_get_claimed_agent },
};

static ngx_int_t
ngx_http_wba_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_str_t                       text = ngx_null_string;
    ngx_uint_t                      lost = 0;
    ngx_http_web_bot_auth_ctx_t    *ctx;
    const ngx_http_wba_variable_t  *var;

    var = &ngx_http_wba_variables[data];
    ctx = ngx_http_wba_known(r, &lost);
    if (lost) {
        v->no_cacheable = 0;
        return NGX_ERROR; /* it has no value from now on */
    }

    if (ctx) {
        switch (var->of) {
        case NGX_HTTP_WBA_OF_VERDICT:
            if (ctx->judged) {
                text = var->text(ctx);
            }
            break;
        case NGX_HTTP_WBA_OF_SIGNATURE:
            if (ctx->verdict.signature) {
                text = var->text(ctx);
            }
            break;
        case NGX_HTTP_WBA_OF_CLAIM:
            text = var->text(ctx);
            break;
        }
    }

    v->len = text.len;
    v->data = text.len ? text.data : (u_char *) "";
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;
    return NGX_OK;
}

ngx_int_t
ngx_http_web_bot_auth_add_variables(ngx_conf_t *cf)
{
    size_t                i;
    ngx_str_t             name;
    ngx_http_variable_t  *var;

    for (i = 0; i < sizeof(ngx_http_wba_variables)
                    / sizeof(ngx_http_wba_variables[0]);
         i++)
    {
        name = ngx_http_wba_variables[i].name;
        var = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_NOCACHEABLE);
        if (var == NULL) {
            return NGX_ERROR;
        }
        var->get_handler = ngx_http_wba_variable;
        var->data = i;
    }
    return NGX_OK;
}
