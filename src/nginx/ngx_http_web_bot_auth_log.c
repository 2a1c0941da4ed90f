/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the error log is told of requests: one line for each that is refused,
 * within bounds, and under debug every step.
 */
#include "ngx_http_web_bot_auth_module.h"

/* Lines of refusals in each worker: so many at once, then so many a second. */
#define NGX_HTTP_WBA_LOG_BURST  1000
#define NGX_HTTP_WBA_LOG_RATE   20

/* Milliseconds between two lines that count what was not logged. */
#define NGX_HTTP_WBA_LOG_COUNT  1000

/* Escapes a stranger's text for the log: printable ASCII stays, where it
 * stands between quotes without these and backslashes, the rest is \xHH; at most max characters of it, to which four
 * bytes each, and three more, are room. */
#define NGX_HTTP_WBA_LOG_TEXT  80
#define NGX_HTTP_WBA_LOG_BASE  400 /* nginx's own lines have 2,048 bytes */

static ngx_str_t
ngx_http_wba_escape(u_char *buf, wba_str_t s, size_t max, ngx_uint_t quoted)
{
    size_t     i;
    u_char    *p = buf;
    ngx_str_t  out;

    for (i = 0; i < s.len && i < max; i++) {
        u_char  c = s.data[i];

        if (c < 0x20 || c > 0x7e || (quoted && (c == '"' || c == '\\'))) {
            p = ngx_sprintf(p, "\\x%02xd", (int) c);
        } else {
            *p++ = c;
        }
    }
    if (i < s.len) {
        p = ngx_cpymem(p, "...", 3);
    }
    out.data = buf;
    out.len = p - buf;
    return out;
}

/* ---- bounds */

/* Says how many lines were left out, once a second while there are some. */
static void
ngx_http_wba_log_count(ngx_event_t *ev)
{
    ngx_http_web_bot_auth_main_conf_t  *mcf = ev->data;

    ngx_log_error(NGX_LOG_WARN, mcf->log, 0,
                  "web_bot_auth: %ui refusals were not logged, more than "
                  "%d a second", mcf->unlogged, NGX_HTTP_WBA_LOG_RATE);
    mcf->unlogged = 0;
}

void
ngx_http_wba_log_init_worker(ngx_http_web_bot_auth_main_conf_t *mcf)
{
    mcf->log_allowance = NGX_HTTP_WBA_LOG_BURST * 1000;
    mcf->log_at = ngx_current_msec;
    mcf->log_timer.handler = ngx_http_wba_log_count;
    mcf->log_timer.data = mcf;
    mcf->log_timer.log = mcf->log;
    mcf->log_timer.cancelable = 1;
}

/* Whether one more line may be written; the allowance is counted in
 * thousandths of a line. */
static ngx_uint_t
ngx_http_wba_log_may(ngx_http_web_bot_auth_main_conf_t *mcf)
{
    ngx_msec_t  gone = ngx_current_msec - mcf->log_at;

    mcf->log_at = ngx_current_msec;
    gone = ngx_min(gone, (ngx_msec_t) NGX_HTTP_WBA_LOG_BURST * 1000);
    mcf->log_allowance += gone * NGX_HTTP_WBA_LOG_RATE;
    mcf->log_allowance = ngx_min(mcf->log_allowance,
                                 (ngx_msec_t) NGX_HTTP_WBA_LOG_BURST * 1000);

    if (mcf->log_allowance >= 1000) {
        mcf->log_allowance -= 1000;
        return 1;
    }
    mcf->unlogged++;
    if (!mcf->log_timer.timer_set) {
        ngx_add_timer(&mcf->log_timer, NGX_HTTP_WBA_LOG_COUNT);
    }
    return 0;
}

/* ---- refusals */

void
ngx_http_wba_log_refusal(ngx_http_web_bot_auth_ctx_t *ctx,
    ngx_http_web_bot_auth_loc_conf_t *lcf)
{
    u_char             keyid_buf[NGX_HTTP_WBA_LOG_TEXT * 4 + 4];
    u_char             tag_buf[NGX_HTTP_WBA_LOG_TEXT * 4 + 4];
    u_char             authority_buf[NGX_HTTP_WBA_LOG_TEXT * 4 + 4];
    ngx_str_t          reason, keyid, tag, authority, directory, dry;
    ngx_log_t         *log = ctx->request->connection->log;
    wba_facts_t       *facts = &ctx->verify.facts;
    const wba_fact_t  *fact;

    if (log->log_level < lcf->log_level || !ngx_http_wba_log_may(ctx->main)) {
        return;
    }

    fact = ctx->verdict.signature ? ctx->verdict.signature
                                  : ctx->verdict.failed;
    reason = ngx_http_wba_ngx_str(wba_reason_info(ctx->verdict.reason)->name);
    keyid = ngx_http_wba_escape(keyid_buf, fact ? fact->input.keyid
                                                : facts->claimed_keyid,
                                NGX_HTTP_WBA_LOG_TEXT, 1);
    tag = ngx_http_wba_escape(tag_buf, fact ? fact->input.tag
                                            : facts->claimed_tag,
                              NGX_HTTP_WBA_LOG_TEXT, 1);
    authority = ngx_http_wba_escape(authority_buf, facts->authority,
                                    NGX_HTTP_WBA_LOG_TEXT, 1);

    ngx_str_set(&directory, "-");
    if (fact && (fact->directory || fact->keyed)) {
        directory = ngx_http_wba_ngx_str((fact->directory ? fact->directory
                                                          : fact->keyed)
                                         ->name);
    }
    ngx_str_null(&dry);
    if (ctx->verdict.decision == WBA_DECISION_DRY_RUN_DENY) {
        ngx_str_set(&dry, ", dry run");
    }

    ngx_log_error(lcf->log_level, log, 0,
                  "web_bot_auth: request refused%V, reason=%V tag=\"%V\" "
                  "keyid=\"%V\" directory=%V authority=\"%V\"",
                  &dry, &reason, &tag, &keyid, &directory, &authority);
}

/* ---- debug */

#if (NGX_DEBUG)

static const char *
ngx_http_wba_need_name(wba_need_t need)
{
    switch (need) {
    case WBA_NEED_KEY:
        return "a key";
    case WBA_NEED_BODY:
        return "the body";
    case WBA_NEED_RECORD:
        return "its nonces recorded";
    default:
        return "nothing more";
    }
}

/* The signature base, line by line. */
static void
ngx_http_wba_log_base(ngx_log_t *log, wba_str_t base)
{
    u_char          buf[NGX_HTTP_WBA_LOG_BASE * 4 + 4];
    ngx_str_t       line;
    const uint8_t  *p = base.data, *end = base.data + base.len, *lf;

    while (p < end) {
        lf = memchr(p, '\n', end - p);
        lf = lf ? lf : end;
        line = ngx_http_wba_escape(buf, wba_str(p, lf - p),
                                   NGX_HTTP_WBA_LOG_BASE, 0);
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, log, 0,
                       "web_bot_auth: base: %V", &line);
        p = lf + 1;
    }
}

#endif

void
ngx_http_wba_log_need(ngx_http_web_bot_auth_ctx_t *ctx, wba_need_t need)
{
    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "web_bot_auth: wants %s", ngx_http_wba_need_name(need));
}

void
ngx_http_wba_log_facts(ngx_http_web_bot_auth_ctx_t *ctx)
{
#if (NGX_DEBUG)
    u_char              buf[NGX_HTTP_WBA_LOG_TEXT * 4 + 4];
    size_t              i;
    ngx_str_t           label, reason, decision;
    ngx_log_t          *log = ctx->request->connection->log;
    wba_reason_t        why;
    const wba_fact_t   *fact;
    static const char  *const stages[] = { "found", "read", "attributed",
                                           "keyed", "based", "verified" };

    if (!(log->log_level & NGX_LOG_DEBUG_HTTP)) {
        return;
    }
    for (i = 0; i < ctx->verify.facts.count; i++) {
        fact = ctx->verify.facts.signatures[i];
        why = fact->reason != WBA_REASON_OK ? fact->reason : fact->aside;
        label = ngx_http_wba_escape(buf, fact->input.label,
                                    NGX_HTTP_WBA_LOG_TEXT, 1);
        reason = ngx_http_wba_ngx_str(wba_reason_info(why)->name);
        ngx_log_debug4(NGX_LOG_DEBUG_HTTP, log, 0,
                       "web_bot_auth: signature \"%V\" is %s: %V%s", &label,
                       stages[fact->stage], &reason,
                       fact->known ? ", a static signature met before" : "");
        ngx_http_wba_log_base(log, fact->base);
    }
    reason = ngx_http_wba_ngx_str(wba_reason_info(ctx->verdict.reason)->name);
    decision = ngx_http_wba_ngx_str(wba_decision_name(ctx->verdict.decision));
    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, log, 0,
                   "web_bot_auth: reason %V, decision %V", &reason, &decision);
#endif
}
