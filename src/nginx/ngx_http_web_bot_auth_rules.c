/* SPDX-License-Identifier: BSD-2-Clause */
/* web_bot_auth_allow and web_bot_auth_deny. */
#include "ngx_http_web_bot_auth_module.h"

static const struct {
    ngx_str_t name;
    size_t offset;
} ngx_http_wba_conditions[] = {
    { ngx_string("tag="), offsetof(wba_rule_t, tag) },
    { ngx_string("directory="), offsetof(wba_rule_t, directory) },
    { ngx_string("agent="), offsetof(wba_rule_t, agent) },
    { ngx_string("keyid="), offsetof(wba_rule_t, keyid) },
    { ngx_null_string, 0 }
};

static char *
ngx_http_wba_condition(ngx_conf_t *cf, ngx_str_t *word, wba_rule_t *rule)
{
    size_t      n;
    wba_mem_t   mem = ngx_http_wba_pool_mem(cf->pool);
    wba_str_t  *to;
    ngx_uint_t  i;

    for (i = 0; ngx_http_wba_conditions[i].name.len; i++) {
        n = ngx_http_wba_conditions[i].name.len;
        if (word->len >= n
            && ngx_strncmp(word->data, ngx_http_wba_conditions[i].name.data, n)
               == 0)
        {
            break;
        }
    }
    n = ngx_http_wba_conditions[i].name.len;

    if (n == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown condition \"%V\", write all, or tag=, "
                           "directory=, agent=, keyid=", word);
        return NGX_CONF_ERROR;
    }

    to = (wba_str_t *) ((u_char *) rule + ngx_http_wba_conditions[i].offset);
    if (to->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" stands twice in one line, of which both "
                           "cannot be true: write two lines",
                           &ngx_http_wba_conditions[i].name);
        return NGX_CONF_ERROR;
    }
    if (word->len == n) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" needs a value", word);
        return NGX_CONF_ERROR;
    }
    *to = wba_str(word->data + n, word->len - n);

    if (to == &rule->agent
        && wba_agent_identity(&mem, *to, to) != WBA_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid agent in \"%V\", write an https URL as "
                           "the agent's Signature-Agent has it", word);
        return NGX_CONF_ERROR;
    }
    return NGX_CONF_OK;
}

char *
ngx_http_web_bot_auth_rule(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                          *value = cf->args->elts;
    ngx_uint_t                          i;
    wba_rule_t                         *rule;
    ngx_http_wba_rule_place_t          *place;
    ngx_http_web_bot_auth_loc_conf_t   *lcf = conf;
    ngx_http_web_bot_auth_main_conf_t  *mcf;

    if (lcf->rules == NULL) {
        lcf->rules = ngx_array_create(cf->pool, 4, sizeof(wba_rule_t));
        if (lcf->rules == NULL) {
            return NGX_CONF_ERROR;
        }
    }
    rule = ngx_array_push(lcf->rules);
    if (rule == NULL) {
        return NGX_CONF_ERROR;
    }
    ngx_memzero(rule, sizeof(wba_rule_t));
    rule->allow = value[0].data[sizeof("web_bot_auth_") - 1] == 'a';

    if (ngx_strcmp(value[1].data, "all") == 0) {
        if (cf->args->nelts > 2) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"all\" stands alone, remove \"%V\"",
                               &value[2]);
            return NGX_CONF_ERROR;
        }
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        if (ngx_http_wba_condition(cf, &value[i], rule) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_web_bot_auth_module);
    place = ngx_array_push(&mcf->rules);
    if (place == NULL) {
        return NGX_CONF_ERROR;
    }
    place->tag = rule->tag;
    place->directory = rule->directory;
    place->file = cf->conf_file->file.name.data;
    place->line = cf->conf_file->line;
    return NGX_CONF_OK;
}

static ngx_uint_t
ngx_http_wba_tag_served(ngx_http_web_bot_auth_main_conf_t *mcf, wba_str_t tag)
{
    size_t  i;

    for (i = 0; i < mcf->env.ntags; i++) {
        if (wba_str_eq(mcf->env.tags[i].text, tag)) {
            return 1;
        }
    }
    return 0;
}

static ngx_uint_t
ngx_http_wba_directory_exists(ngx_http_web_bot_auth_main_conf_t *mcf,
    wba_str_t name)
{
    size_t  i;

    for (i = 0; i < mcf->env.ndirectories; i++) {
        if (wba_str_eq(mcf->env.directories[i].name, name)) {
            return 1;
        }
    }
    return mcf->discovery
           && wba_str_eq(mcf->discovery->core.directory.name, name);
}

/* A rule that can never match is a mistake, and one of them may be the deny
 * that was meant to keep somebody out. */
ngx_int_t
ngx_http_web_bot_auth_check_rules(ngx_conf_t *cf)
{
    ngx_str_t                           s;
    ngx_uint_t                          i;
    ngx_http_wba_rule_place_t          *place;
    ngx_http_web_bot_auth_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_web_bot_auth_module);
    place = mcf->rules.elts;

    for (i = 0; i < mcf->rules.nelts; i++) {
        if (place[i].directory.data
            && !ngx_http_wba_directory_exists(mcf, place[i].directory))
        {
            s = ngx_http_wba_ngx_str(place[i].directory);
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"directory=%V\" names no directory: add "
                          "\"web_bot_auth_directory %V { ... }\" or correct "
                          "the name, in %s:%ui",
                          &s, &s, place[i].file, place[i].line);
            return NGX_ERROR;
        }
        if (place[i].tag.data && !ngx_http_wba_tag_served(mcf, place[i].tag)) {
            s = ngx_http_wba_ngx_str(place[i].tag);
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"tag=%V\" is served by no directory: correct the "
                          "tag, or add it to the \"tags\" of one, in %s:%ui",
                          &s, place[i].file, place[i].line);
            return NGX_ERROR;
        }
    }
    return NGX_OK;
}
