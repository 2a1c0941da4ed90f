/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages about the configuration: where, and what to write instead. */
#include "ngx_http_web_bot_auth_module.h"

ngx_http_wba_place_t
ngx_http_wba_here(ngx_conf_t *cf)
{
    ngx_http_wba_place_t  place = { NULL, 0 };

    if (cf->conf_file) {
        place.file = cf->conf_file->file.name.data;
        place.line = cf->conf_file->line;
    }
    return place;
}

void
ngx_http_wba_warn(ngx_log_t *log, const ngx_http_wba_place_t *place,
    const char *fmt, ...)
{
    u_char   text[NGX_MAX_ERROR_STR], *p;
    va_list  args;

    va_start(args, fmt);
    p = ngx_vslprintf(text, text + sizeof(text), fmt, args);
    va_end(args);

    ngx_log_error(NGX_LOG_WARN, log, 0, "%*s, in %s:%ui",
                  (size_t) (p - text), text, place->file, place->line);
}

ngx_str_t
ngx_http_wba_did_you_mean(ngx_conf_t *cf, const wba_nearest_t *nearest)
{
    size_t     len;
    ngx_str_t  text = ngx_null_string, best;

    if (nearest->best.data == NULL
        || wba_str_eq(nearest->best, nearest->word))
    {
        return text;
    }
    best = ngx_http_wba_ngx_str(nearest->best);
    len = best.len + sizeof(" (did you mean \"\"?)");
    text.data = ngx_pnalloc(cf->pool, len);
    if (text.data) {
        text.len = ngx_snprintf(text.data, len, " (did you mean \"%V\"?)",
                                &best)
                   - text.data;
    }
    return text;
}

ngx_str_t
ngx_http_wba_either(ngx_conf_t *cf, const wba_str_t *names, size_t n)
{
    size_t      i, len = 0;
    u_char     *p;
    ngx_str_t   text = ngx_null_string;

    for (i = 0; i < n; i++) {
        len += names[i].len + sizeof(" or ");
    }
    text.data = ngx_pnalloc(cf->pool, len);
    if (text.data == NULL) {
        return text;
    }
    p = text.data;
    for (i = 0; i < n; i++) {
        p = ngx_sprintf(p, "%s%*s", i == 0 ? "" : i + 1 < n ? ", " : " or ",
                        names[i].len, names[i].data);
    }
    text.len = p - text.data;
    return text;
}

ngx_int_t
ngx_http_wba_choose(ngx_conf_t *cf, const char *what, ngx_str_t *value,
    const wba_str_t *names, size_t n)
{
    size_t         i;
    ngx_str_t      hint, either;
    wba_nearest_t  nearest;

    wba_nearest_init(&nearest, ngx_http_wba_view(*value));
    for (i = 0; i < n; i++) {
        if (wba_str_eq(names[i], nearest.word)) {
            return (ngx_int_t) i;
        }
        wba_nearest_offer(&nearest, names[i]);
    }
    hint = ngx_http_wba_did_you_mean(cf, &nearest);
    either = ngx_http_wba_either(cf, names, n);
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid %s \"%V\"%V, write %V", what, value, &hint,
                       &either);
    return NGX_ERROR;
}

ngx_str_t
ngx_http_wba_parameter(ngx_str_t *value, ngx_str_t *rest)
{
    u_char     *eq, *end = value->data + value->len;
    ngx_str_t   name = *value;

    rest->data = end;
    eq = ngx_strlchr(value->data, end, '=');
    if (eq) {
        rest->data = eq + 1;
        name.len = rest->data - name.data;
    }
    rest->len = end - rest->data;
    return name;
}

ngx_int_t
ngx_http_wba_rate(ngx_str_t *word, ngx_int_t max, ngx_int_t *seconds)
{
    u_char     *unit;
    ngx_int_t   n;

    *seconds = 0;
    if (word->len < 4) {
        return 0;
    }
    unit = word->data + word->len - 3;

    if (ngx_strncmp(unit, "r/s", 3) == 0) {
        *seconds = 1;
    } else if (ngx_strncmp(unit, "r/m", 3) == 0) {
        *seconds = 60;
    }
    n = ngx_atoi(word->data, word->len - 3);
    return *seconds == 0 || n <= 0 || n > max * *seconds ? 0 : n;
}

/* Words of an enumeration, at most. */
#define NGX_HTTP_WBA_ENUM  8

char *
ngx_http_wba_enum_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    size_t            n;
    wba_str_t         names[NGX_HTTP_WBA_ENUM];
    ngx_int_t         i;
    ngx_str_t        *value = cf->args->elts;
    ngx_uint_t       *to = (ngx_uint_t *) ((char *) conf + cmd->offset);
    ngx_conf_enum_t  *e = cmd->post;

    if (*to != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }
    for (n = 0; n < NGX_HTTP_WBA_ENUM && e[n].name.len; n++) {
        names[n] = ngx_http_wba_view(e[n].name);
    }
    i = ngx_http_wba_choose(cf, (char *) cmd->name.data, &value[1], names, n);
    if (i == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }
    *to = e[i].value;
    return NGX_CONF_OK;
}

/* ---- directives that nginx does not know */

/*
 * nginx complains of them by itself and asks no module.  But a log may have a
 * handler that adds to each message, as that of a request adds the client; the
 * one that a configuration is read with has none.  Ours looks at the directive
 * that is being read.
 */
typedef struct {
    ngx_conf_t *cf;
    const ngx_command_t *commands;
    ngx_log_t *log; /* NULL: at its end */
    ngx_log_handler_pt handler;
    void *data;
} ngx_http_wba_help_t;

#define NGX_HTTP_WBA_PREFIX  "web_bot_auth_"

/* What stands behind the prefix; data NULL where it does not stand. */
static wba_str_t
ngx_http_wba_behind_prefix(ngx_str_t name)
{
    size_t  n = sizeof(NGX_HTTP_WBA_PREFIX) - 1;

    if (name.len <= n || ngx_strncmp(name.data, NGX_HTTP_WBA_PREFIX, n) != 0) {
        return WBA_STR_NONE;
    }
    return wba_str(name.data + n, name.len - n);
}

/* The directive that word may have been meant to be, or NULL.  Where both have
 * the prefix it counts for nothing, as it would make all of them alike. */
static const ngx_str_t *
ngx_http_wba_help_find(const ngx_command_t *cmd, ngx_str_t word)
{
    wba_str_t          rest, known;
    wba_nearest_t      nearest;
    const ngx_str_t   *best = NULL;

    rest = ngx_http_wba_behind_prefix(word);
    wba_nearest_init(&nearest, rest.data ? rest : ngx_http_wba_view(word));

    for ( /* void */ ; cmd->name.len; cmd++) {
        if (wba_str_eq(ngx_http_wba_view(cmd->name), ngx_http_wba_view(word)))
        {
            return NULL;
        }
        known = rest.data ? ngx_http_wba_behind_prefix(cmd->name)
                          : ngx_http_wba_view(cmd->name);
        wba_nearest_offer(&nearest, known);
        if (known.data && nearest.best.data == known.data) {
            best = &cmd->name;
        }
    }
    return best;
}

static u_char *
ngx_http_wba_help_write(ngx_log_t *log, u_char *buf, size_t len)
{
    ngx_str_t            *word;
    const ngx_str_t      *best;
    ngx_http_wba_help_t  *help = log->data;

    /* Within a block whose lines are no directives there is a handler. */
    if (help->cf->args == NULL || help->cf->args->nelts == 0
        || help->cf->handler)
    {
        return buf;
    }
    word = help->cf->args->elts;
    if (word->len < 3 || ngx_strncmp(word->data, "web", 3) != 0) {
        return buf;
    }
    best = ngx_http_wba_help_find(help->commands, *word);
    return best == NULL ? buf : ngx_snprintf(buf, len,
                                             ", did you mean \"%V\"?", best);
}

static void
ngx_http_wba_help_stop(void *data)
{
    ngx_http_wba_help_t  *help = data;

    if (help->log) {
        help->log->handler = help->handler;
        help->log->data = help->data;
        help->log = NULL;
    }
}

ngx_int_t
ngx_http_wba_help_begin(ngx_conf_t *cf, const ngx_command_t *commands)
{
    ngx_pool_cleanup_t   *cln;
    ngx_http_wba_help_t  *help;

    if (cf->log->handler) {
        return NGX_OK;
    }

    /* This pool goes before cf does, also where reading fails. */
    cln = ngx_pool_cleanup_add(cf->temp_pool, sizeof(ngx_http_wba_help_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }
    help = cln->data;
    help->cf = cf;
    help->commands = commands;
    help->log = cf->log;
    help->handler = cf->log->handler;
    help->data = cf->log->data;
    cln->handler = ngx_http_wba_help_stop;

    cf->log->handler = ngx_http_wba_help_write;
    cf->log->data = help;
    return NGX_OK;
}

void
ngx_http_wba_help_end(ngx_conf_t *cf)
{
    if (cf->log->handler == ngx_http_wba_help_write) {
        ngx_http_wba_help_stop(cf->log->data);
    }
}
