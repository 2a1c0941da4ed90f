/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The access phase: drives wba_verify through a request, waits where it must,
 * judges, and answers.
 */
#include "ngx_http_web_bot_auth_module.h"

static void ngx_http_wba_cleanup(void *data);
static void ngx_http_wba_begin(ngx_http_web_bot_auth_ctx_t *ctx,
    ngx_http_web_bot_auth_loc_conf_t *lcf);
static void ngx_http_wba_note_use(ngx_http_web_bot_auth_ctx_t *ctx);
static ngx_int_t ngx_http_wba_run(ngx_http_web_bot_auth_ctx_t *ctx);
static ngx_int_t ngx_http_wba_answer(ngx_http_web_bot_auth_ctx_t *ctx,
    ngx_http_web_bot_auth_loc_conf_t *lcf);

static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;

/* Whether the request has become the page that answers an error.  With
 * recursive_error_pages nginx does not note that in error_page, nor, for
 * "error_page CODE = ...", in err_status. */
static ngx_uint_t
ngx_http_wba_is_page(ngx_http_request_t *r, ngx_http_web_bot_auth_ctx_t *ctx)
{
    return r->error_page || r->err_status || ctx->final;
}

ngx_int_t
ngx_http_web_bot_auth_handler(ngx_http_request_t *r)
{
    ngx_int_t                          rc;
    ngx_http_web_bot_auth_ctx_t       *ctx;
    ngx_http_web_bot_auth_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_web_bot_auth_module);

    /* A client that leaves may bring its waiting request back here, by
     * post_action, and so may an error while it waits. */
    ctx = r->internal ? ngx_http_wba_ctx(r, 0) : NULL;
    if (ctx) {
        ngx_http_wba_unpark(ctx);
    }

    if (lcf->mode == WBA_MODE_OFF) {
        /* What an outer location judged is not this one's verdict, unless
         * this is the page that answers the refusal. */
        if (ctx && !ngx_http_wba_is_page(r, ctx)) {
            ctx->judged = 0;
        }
        return NGX_DECLINED;
    }

    ctx = ngx_http_wba_ctx(r, 1);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->judged = 0;
    if (ctx->left) {
        ctx->left = 0;
        ctx->begun = NULL;
    }
    ngx_http_wba_begin(ctx, lcf);

    rc = ngx_http_wba_run(ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ctx->deadline.timer_set) {
        ngx_del_timer(&ctx->deadline);
    }

    wba_judge(&ctx->verify.facts, &lcf->policy, ngx_time(), &ctx->verdict);
    ctx->judged = 1;
    ngx_http_wba_note_use(ctx);

    return ngx_http_wba_answer(ctx, lcf);
}

/* Discovered directories that agents verify by are kept fresh. */
static void
ngx_http_wba_note_use(ngx_http_web_bot_auth_ctx_t *ctx)
{
    const wba_fact_t          *fact = ctx->verdict.signature;
    ngx_http_wba_discovery_t  *discovery = ctx->main->discovery;

    if (fact && discovery && fact->directory == &discovery->core.directory) {
        ngx_http_wba_discovery_used(ctx->main, fact->agent_url);
    }
}

/* Facts belong to the request: internal redirects clear r->ctx, so the
 * context is found again by its cleanup, as the realip module does. */
ngx_http_web_bot_auth_ctx_t *
ngx_http_wba_ctx(ngx_http_request_t *r, ngx_uint_t create)
{
    ngx_pool_cleanup_t           *cln;
    ngx_http_web_bot_auth_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_web_bot_auth_module);
    if (ctx) {
        return ctx;
    }

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_wba_cleanup) {
            ctx = cln->data;
            ctx->begun = NULL;
            if (!ngx_http_wba_is_page(r, ctx)) {
                ctx->judged = 0;
            }
            ngx_http_set_ctx(r, ctx, ngx_http_web_bot_auth_module);
            return ctx;
        }
    }

    if (!create) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_web_bot_auth_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, offsetof(ngx_http_web_bot_auth_ctx_t, verify));
    ctx->request = r;
    ctx->main = ngx_http_get_module_main_conf(r, ngx_http_web_bot_auth_module);
    ctx->mem = ngx_http_wba_pool_mem(r->pool);
    ctx->message.ops = &ngx_http_wba_message_ops;
    ctx->message.ctx = ctx;

    cln->handler = ngx_http_wba_cleanup;
    ngx_http_set_ctx(r, ctx, ngx_http_web_bot_auth_module);
    return ctx;
}

static void
ngx_http_wba_cleanup(void *data)
{
    ngx_http_web_bot_auth_ctx_t  *ctx = data;

    ngx_http_wba_unpark(ctx);
    ngx_http_wba_replay_forget(ctx);
    if (ctx->deadline.timer_set) {
        ngx_del_timer(&ctx->deadline);
    }
}

/* Begins a pass, unless this one has begun under the same settings (early, or
 * before it was parked). */
static void
ngx_http_wba_begin(ngx_http_web_bot_auth_ctx_t *ctx,
    ngx_http_web_bot_auth_loc_conf_t *lcf)
{
    if (ctx->begun == lcf) {
        return;
    }
    ctx->begun = lcf;
    ctx->body = NGX_HTTP_WBA_BODY_NONE;
    ctx->authority = WBA_STR_NONE;
    ctx->scheme = WBA_STR_NONE;
    ctx->starved = 0;
    ctx->busy = 1;

    if (!ctx->initialised) {
        wba_verify_init(&ctx->verify, &ctx->main->env, &ctx->message,
                        &ctx->mem);
        ctx->initialised = 1;
    }
    wba_verify_begin(&ctx->verify, &lcf->policy);
    ctx->busy = 0;

    /* What the signature was compared with is not what is configured. */
    if (ctx->starved) {
        ctx->verify.facts.reason = WBA_REASON_OUT_OF_MEMORY;
    }
}

/* One step, during which settings that are variables ask for nothing that
 * would step again. */
static wba_need_t
ngx_http_wba_step(ngx_http_web_bot_auth_ctx_t *ctx)
{
    wba_need_t  need;

    ctx->busy = 1;
    need = wba_verify_step(&ctx->verify, ngx_time());
    ctx->busy = 0;
    ngx_http_wba_log_need(ctx, need);
    return need;
}

/* NGX_OK: the facts are complete; NGX_AGAIN: the request is parked; else as
 * ngx_http_wba_body_answer. */
static ngx_int_t
ngx_http_wba_run(ngx_http_web_bot_auth_ctx_t *ctx)
{
    ngx_int_t      rc;
    wba_verify_t  *v = &ctx->verify;

    for ( ;; ) {
        switch (ngx_http_wba_step(ctx)) {

        case WBA_NEED_KEY:
            if (ngx_http_wba_keys_answer(ctx, !ctx->overdue) == NGX_OK) {
                break;
            }
            if (ngx_http_wba_park(ctx) == NGX_OK) {
                return NGX_AGAIN;
            }
            wba_verify_keys(v, WBA_REASON_TOO_MANY_WAITING);
            break;

        case WBA_NEED_BODY:
            rc = ngx_http_wba_body_answer(ctx);
            if (rc != NGX_OK) {
                return rc;
            }
            break;

        case WBA_NEED_RECORD:
            if (ngx_http_wba_replay_record(ctx) == NGX_OK) {
                ctx->answered = 0;
                wba_verify_recorded(v, ctx->answer);
                break;
            }
            if (ngx_http_wba_park(ctx) == NGX_OK) {
                return NGX_AGAIN;
            }
            ngx_http_wba_replay_forget(ctx);
            wba_verify_recorded(v, WBA_STORE_UNAVAILABLE);
            break;

        case WBA_DONE:
            return NGX_OK;
        }
    }
}

/* As far as it can go without waiting, reading the body or recording.  What a
 * signature would wait for is left to the access phase, so that it hides
 * nothing of the others: by one of them the request may be over its limit. */
void
ngx_http_wba_advance_early(ngx_http_web_bot_auth_ctx_t *ctx)
{
    ngx_http_web_bot_auth_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(ctx->request,
                                       ngx_http_web_bot_auth_module);
    if (lcf->mode == WBA_MODE_OFF) {
        return;
    }

    ngx_http_wba_begin(ctx, lcf);

    while (ngx_http_wba_step(ctx) == WBA_NEED_KEY) {
        if (ngx_http_wba_keys_answer(ctx, 1) != NGX_OK) {
            wba_verify_keys(&ctx->verify, WBA_REASON_DIRECTORY_UNAVAILABLE);
            ctx->left = 1;
        }
    }
    wba_judge(&ctx->verify.facts, &lcf->policy, ngx_time(), &ctx->verdict);

    /* Where "optional" lets by what is not known to be no replay, an identity
     * told now would be anybody's who has a copy. */
    if (ctx->verdict.signature && ngx_http_wba_replay_refuses(ctx)) {
        ctx->verdict.signature = NULL;
    }
}

/* NGX_OK would grant under "satisfy any": it is for verified and allowed
 * requests alone.  Under it, too, only 401 and 403 let other modules speak. */
static ngx_int_t
ngx_http_wba_answer(ngx_http_web_bot_auth_ctx_t *ctx,
    ngx_http_web_bot_auth_loc_conf_t *lcf)
{
    ngx_uint_t                 again;
    ngx_http_core_loc_conf_t  *clcf;

    /* The page that answers a refusal may be refused as well: it is one. */
    again = ctx->refused && ngx_http_wba_is_page(ctx->request, ctx);

    if (!again) {
        ngx_http_wba_count_verdict(ctx->main, &ctx->verdict);
    }

    ngx_http_wba_log_facts(ctx);

    switch (ctx->verdict.decision) {

    case WBA_DECISION_ALLOW:
        return lcf->dry_run ? NGX_DECLINED : NGX_OK;

    case WBA_DECISION_DENY:
        if (!again) {
            ngx_http_wba_log_refusal(ctx, lcf);
        }
        ctx->refused = 1;
        ngx_http_wba_challenge_note(ctx, lcf);
        clcf = ngx_http_get_module_loc_conf(ctx->request,
                                            ngx_http_core_module);
        if (clcf->satisfy == NGX_HTTP_SATISFY_ANY) {
            return NGX_HTTP_FORBIDDEN;
        }
        ctx->final = 1;
        return ctx->verdict.status;

    case WBA_DECISION_DRY_RUN_DENY:
        if (!again) {
            ngx_http_wba_log_refusal(ctx, lcf);
        }
        return NGX_DECLINED;

    default:
        return NGX_DECLINED;
    }
}

/* web_bot_auth_expose_reason */

static ngx_int_t
ngx_http_wba_header_filter(ngx_http_request_t *r)
{
    ngx_table_elt_t                   *h;
    ngx_http_web_bot_auth_ctx_t       *ctx;
    ngx_http_web_bot_auth_loc_conf_t  *lcf;

    if (r != r->main) {
        return ngx_http_next_header_filter(r);
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_web_bot_auth_module);
    if (!lcf->expose_reason) {
        return ngx_http_next_header_filter(r);
    }

    ctx = ngx_http_wba_ctx(r, 0);
    if (ctx == NULL || !ctx->judged) {
        return ngx_http_next_header_filter(r);
    }

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }
    ngx_memzero(h, sizeof(ngx_table_elt_t));
    h->hash = 1;
    ngx_str_set(&h->key, "Web-Bot-Auth-Reason");
    h->value = ngx_http_wba_ngx_str(wba_reason_info(ctx->verdict.reason)
                                    ->name);

    return ngx_http_next_header_filter(r);
}

/* Installed only where some location exposes reasons. */
ngx_int_t
ngx_http_wba_header_filter_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_wba_header_filter;
    return NGX_OK;
}
