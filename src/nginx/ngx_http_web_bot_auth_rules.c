/* SPDX-License-Identifier: BSD-2-Clause */
/* web_bot_auth_allow and web_bot_auth_deny. */
#include "ngx_http_web_bot_auth_module.h"

/* By their places: "all", then the conditions. */
static const wba_str_t  ngx_http_wba_conditions[] = {
    NGX_HTTP_WBA_NAME("all"), NGX_HTTP_WBA_NAME("tag="),
    NGX_HTTP_WBA_NAME("directory="), NGX_HTTP_WBA_NAME("agent="),
    NGX_HTTP_WBA_NAME("keyid=")
};

#define NGX_HTTP_WBA_CONDITIONS                                               \
    (sizeof(ngx_http_wba_conditions) / sizeof(ngx_http_wba_conditions[0]))

static const size_t  ngx_http_wba_condition_offsets[] = {
    0, offsetof(wba_rule_t, tag), offsetof(wba_rule_t, directory),
    offsetof(wba_rule_t, agent), offsetof(wba_rule_t, keyid)
};

/* Whether some profile has a tag of that name: rules are for tags mostly. */
static ngx_uint_t
ngx_http_wba_is_tag(ngx_str_t *word)
{
    size_t                i;
    const wba_profile_t  *profile;

    for (i = 0; (profile = wba_profile_at(i)) != NULL; i++) {
        if (wba_profile_tag(profile, ngx_http_wba_view(*word)) != NULL) {
            return 1;
        }
    }
    return 0;
}

static char *
ngx_http_wba_condition(ngx_conf_t *cf, ngx_str_t *word, wba_rule_t *rule)
{
    wba_mem_t   mem = ngx_http_wba_pool_mem(cf->pool);
    wba_str_t  *to;
    ngx_int_t   i;
    ngx_str_t   name, value;

    name = ngx_http_wba_parameter(word, &value);
    if (ngx_http_wba_is_tag(word)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid condition \"%V\", write \"tag=%V\"", word,
                           word);
        return NGX_CONF_ERROR;
    }
    i = ngx_http_wba_choose(cf, "condition", &name, ngx_http_wba_conditions,
                            NGX_HTTP_WBA_CONDITIONS);
    if (i == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }
    if (i == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"all\" stands alone, remove it or the rest");
        return NGX_CONF_ERROR;
    }

    to = (wba_str_t *) ((u_char *) rule + ngx_http_wba_condition_offsets[i]);
    if (to->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" stands twice in one line, of which both "
                           "cannot be true: write two lines", &name);
        return NGX_CONF_ERROR;
    }
    if (value.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" needs a value, write it behind the \"=\"",
                           word);
        return NGX_CONF_ERROR;
    }
    *to = ngx_http_wba_view(value);

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

static ngx_http_wba_rules_t *
ngx_http_wba_rules_create(ngx_conf_t *cf)
{
    ngx_http_wba_rules_t               *rules, **to;
    ngx_http_web_bot_auth_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_web_bot_auth_module);
    rules = ngx_pcalloc(cf->pool, sizeof(ngx_http_wba_rules_t));
    to = ngx_array_push(&mcf->rules);
    if (rules == NULL || to == NULL
        || ngx_array_init(&rules->rules, cf->pool, 4, sizeof(wba_rule_t))
           != NGX_OK
        || ngx_array_init(&rules->places, cf->pool, 4,
                          sizeof(ngx_http_wba_rule_place_t))
           != NGX_OK)
    {
        return NULL;
    }
    *to = rules;
    return rules;
}

/* The line as it was written, for messages. */
static ngx_int_t
ngx_http_wba_rule_text(ngx_conf_t *cf, ngx_str_t *text)
{
    u_char      *p;
    ngx_str_t   *value = cf->args->elts;
    ngx_uint_t   i;

    for (i = 0; i < cf->args->nelts; i++) {
        text->len += value[i].len + 1;
    }
    text->data = ngx_pnalloc(cf->pool, text->len);
    if (text->data == NULL) {
        return NGX_ERROR;
    }
    p = text->data;
    for (i = 0; i < cf->args->nelts; i++) {
        p = ngx_cpymem(p, value[i].data, value[i].len);
        *p++ = ' ';
    }
    text->len--;
    return NGX_OK;
}

char *
ngx_http_web_bot_auth_rule(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                         *value = cf->args->elts;
    ngx_uint_t                         i;
    wba_rule_t                        *rule;
    ngx_http_wba_rule_place_t         *place;
    ngx_http_web_bot_auth_loc_conf_t  *lcf = conf;

    if (lcf->rules == NULL) {
        lcf->rules = ngx_http_wba_rules_create(cf);
        if (lcf->rules == NULL) {
            return NGX_CONF_ERROR;
        }
    }
    rule = ngx_array_push(&lcf->rules->rules);
    place = ngx_array_push(&lcf->rules->places);
    if (rule == NULL || place == NULL) {
        return NGX_CONF_ERROR;
    }
    ngx_memzero(rule, sizeof(wba_rule_t));
    ngx_memzero(place, sizeof(ngx_http_wba_rule_place_t));
    rule->allow = value[0].data[sizeof("web_bot_auth_") - 1] == 'a';
    place->place = ngx_http_wba_here(cf);
    if (ngx_http_wba_rule_text(cf, &place->text) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "all") == 0) {
        return NGX_CONF_OK;
    }
    for (i = 1; i < cf->args->nelts; i++) {
        if (ngx_http_wba_condition(cf, &value[i], rule) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }
    return NGX_CONF_OK;
}
