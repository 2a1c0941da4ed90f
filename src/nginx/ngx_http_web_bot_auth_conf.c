/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a server or a location says: creating, merging, setters.  The http
 * level, directory blocks and rules have files of their own.
 */
#include "ngx_http_web_bot_auth_module.h"

static void ngx_http_wba_make_policy(ngx_http_web_bot_auth_loc_conf_t *conf);

/* ---- server */

void *
ngx_http_web_bot_auth_create_srv_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_web_bot_auth_srv_conf_t));
}

/* The core module has completed the server's names by now. */
char *
ngx_http_web_bot_auth_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child)
{
    ngx_array_t                       *names;
    ngx_http_core_srv_conf_t          *cscf;
    ngx_http_web_bot_auth_srv_conf_t  *conf = child;

    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);
    names = &cscf->server_names;

    conf->names = ngx_palloc(cf->pool,
                             names->nelts * sizeof(ngx_http_server_name_t));
    if (conf->names == NULL) {
        return NGX_CONF_ERROR;
    }
    ngx_memcpy(conf->names, names->elts,
               names->nelts * sizeof(ngx_http_server_name_t));
    conf->nnames = names->nelts;
    return NGX_CONF_OK;
}

/* ---- http, server, location */

void *
ngx_http_web_bot_auth_create_loc_conf(ngx_conf_t *cf)
{
    ngx_uint_t                         i;
    ngx_http_web_bot_auth_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_web_bot_auth_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->place = ngx_http_wba_here(cf);
    conf->mode = NGX_CONF_UNSET_UINT;
    conf->dry_run = NGX_CONF_UNSET;
    conf->clock_skew = NGX_CONF_UNSET;
    conf->max_lifetime = NGX_CONF_UNSET;
    conf->nonce = NGX_CONF_UNSET_UINT;
    conf->authority = NGX_CONF_UNSET_UINT;
    conf->expose_reason = NGX_CONF_UNSET;
    conf->log_level = NGX_CONF_UNSET_UINT;
    conf->challenge = NGX_CONF_UNSET_UINT;
    conf->content_digest = NGX_CONF_UNSET_UINT;
    conf->body_link = NGX_CONF_UNSET;
    conf->forgery_limit = NGX_CONF_UNSET;
    for (i = 0; i < WBA_CLASS_COUNT; i++) {
        conf->answers[i] = NGX_HTTP_WBA_UNSET_ANSWER;
    }
    return conf;
}

/* What is asked only grows on the way in: components are the union. */
static ngx_int_t
ngx_http_wba_merge_components(ngx_conf_t *cf,
    ngx_http_web_bot_auth_loc_conf_t *prev,
    ngx_http_web_bot_auth_loc_conf_t *conf)
{
    wba_component_t  *to;

    if (prev->components == NULL) {
        return NGX_OK;
    }
    if (conf->components == NULL) {
        conf->components = prev->components;
        return NGX_OK;
    }
    to = ngx_array_push_n(conf->components, prev->components->nelts);
    if (to == NULL) {
        return NGX_ERROR;
    }
    ngx_memcpy(to, prev->components->elts,
               prev->components->nelts * sizeof(wba_component_t));
    return NGX_OK;
}

char *
ngx_http_web_bot_auth_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child)
{
    ngx_uint_t                         i;
    ngx_http_web_bot_auth_loc_conf_t  *prev = parent;
    ngx_http_web_bot_auth_loc_conf_t  *conf = child;

    ngx_conf_merge_uint_value(conf->mode, prev->mode, WBA_MODE_OFF);
    ngx_conf_merge_value(conf->dry_run, prev->dry_run, 0);
    ngx_conf_merge_sec_value(conf->clock_skew, prev->clock_skew, 5);
    ngx_conf_merge_value(conf->expose_reason, prev->expose_reason, 0);
    ngx_conf_merge_uint_value(conf->log_level, prev->log_level,
                              NGX_LOG_NOTICE);
    ngx_conf_merge_uint_value(conf->content_digest, prev->content_digest,
                              WBA_DIGEST_ON);
    ngx_conf_merge_value(conf->body_link, prev->body_link, 0);

    if (conf->authority == NGX_CONF_UNSET_UINT) {
        conf->authority = prev->authority;
        conf->authority_value = prev->authority_value;
    }
    if (conf->authority == NGX_CONF_UNSET_UINT) {
        conf->authority = NGX_HTTP_WBA_AUTHORITY_SERVER_NAME;
    }
    if (conf->scheme == NULL) {
        conf->scheme = prev->scheme;
    }
    if (conf->forgery_limit == NGX_CONF_UNSET) {
        conf->forgery_limit = prev->forgery_limit;
        conf->forgery = prev->forgery;
    }
    if (conf->rules == NULL) {
        conf->rules = prev->rules;
    }

    /* A location can only tighten what an outer level asks. */
    if (prev->max_lifetime != NGX_CONF_UNSET
        && (conf->max_lifetime == NGX_CONF_UNSET
            || prev->max_lifetime < conf->max_lifetime))
    {
        conf->max_lifetime = prev->max_lifetime;
    }
    if (prev->nonce != NGX_CONF_UNSET_UINT
        && (conf->nonce == NGX_CONF_UNSET_UINT || prev->nonce > conf->nonce))
    {
        conf->nonce = prev->nonce;
    }
    if (ngx_http_wba_merge_components(cf, prev, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < WBA_CLASS_COUNT; i++) {
        if (conf->answers[i] == NGX_HTTP_WBA_UNSET_ANSWER) {
            conf->answers[i] = prev->answers[i];
        }
    }
    ngx_http_wba_make_policy(conf);
    if (ngx_http_wba_challenge_merge(cf, prev, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }
    if (conf->mode != WBA_MODE_OFF) {
        ngx_http_wba_check_location(cf, prev, conf);
    }
    return NGX_CONF_OK;
}

/* Core's view of the merged settings. */
static void
ngx_http_wba_make_policy(ngx_http_web_bot_auth_loc_conf_t *conf)
{
    ngx_uint_t     i;
    wba_policy_t  *policy = &conf->policy;

    wba_policy_default(policy);
    policy->mode = conf->mode;
    policy->dry_run = conf->dry_run;
    policy->clock_skew = conf->clock_skew;
    policy->digest = conf->content_digest;
    policy->body_link = conf->body_link;

    if (conf->max_lifetime != NGX_CONF_UNSET) {
        policy->max_lifetime = conf->max_lifetime;
    }
    policy->nonce_required = conf->nonce == 1;
    if (conf->forgery_limit == 1) {
        policy->forgery = &conf->forgery;
    }

    if (conf->components) {
        policy->components = conf->components->elts;
        policy->ncomponents = conf->components->nelts;
    }
    if (conf->rules) {
        policy->rules = conf->rules->rules.elts;
        policy->nrules = conf->rules->rules.nelts;
    }
    for (i = 0; i < WBA_CLASS_COUNT; i++) {
        if (conf->answers[i] != NGX_HTTP_WBA_UNSET_ANSWER) {
            policy->answers[i] = conf->answers[i];
        }
    }
}

char *
ngx_http_web_bot_auth_mode(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                               *rv;
    ngx_http_web_bot_auth_loc_conf_t   *lcf = conf;
    ngx_http_web_bot_auth_main_conf_t  *mcf;

    rv = ngx_http_wba_enum_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK || lcf->mode == WBA_MODE_OFF) {
        return rv;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_web_bot_auth_module);
    if (!mcf->enabled) {
        mcf->enabled = 1;
        mcf->enabled_place = ngx_http_wba_here(cf);
    }
    return NGX_CONF_OK;
}

char *
ngx_http_web_bot_auth_expose_reason(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    char                               *rv;
    ngx_http_web_bot_auth_loc_conf_t   *lcf = conf;
    ngx_http_web_bot_auth_main_conf_t  *mcf;

    rv = ngx_conf_set_flag_slot(cf, cmd, conf);
    if (rv == NGX_CONF_OK && lcf->expose_reason) {
        mcf = ngx_http_conf_get_module_main_conf(cf,
                                                 ngx_http_web_bot_auth_module);
        mcf->exposes_reason = 1;
    }
    return rv;
}

/* What may stand behind "CLASS=".  NGX_ERROR: it was said what. */
static ngx_int_t
ngx_http_wba_answer_value(ngx_conf_t *cf, ngx_str_t *class_name,
    ngx_uint_t class, ngx_str_t *answer)
{
    ngx_int_t      code;
    ngx_str_t      hint;
    ngx_uint_t     may_pass;
    wba_nearest_t  nearest;

    may_pass = class == WBA_CLASS_UNKNOWN || class == WBA_CLASS_UNAVAILABLE;

    if (answer->len == 4 && ngx_strncmp(answer->data, "pass", 4) == 0) {
        if (may_pass) {
            return WBA_ANSWER_PASS;
        }
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%Vpass\" would let in what must be refused: "
                           "only unknown and unavailable may pass, write a "
                           "number from 400 to 599", class_name);
        return NGX_ERROR;
    }

    code = ngx_atoi(answer->data, answer->len);
    if (code >= 400 && code <= 599) {
        return code;
    }
    wba_nearest_init(&nearest, ngx_http_wba_view(*answer));
    if (may_pass) {
        wba_nearest_offer(&nearest, WBA_STR("pass"));
    }
    hint = ngx_http_wba_did_you_mean(cf, &nearest);
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid status \"%V\" for \"%V\"%V, write a number "
                       "from 400 to 599%s", answer, class_name, &hint,
                       may_pass ? ", or pass" : "");
    return NGX_ERROR;
}

char *
ngx_http_web_bot_auth_answer(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    size_t                             n = 0;
    wba_str_t                          classes[WBA_CLASS_COUNT];
    ngx_int_t                          class, answer;
    ngx_str_t                         *value = cf->args->elts, name, rest;
    ngx_uint_t                         i;
    ngx_http_web_bot_auth_loc_conf_t  *lcf = conf;

    for (i = WBA_CLASS_NONE + 1; i < WBA_CLASS_COUNT; i++) {
        classes[n++] = wba_class_name(i);
    }

    for (i = 1; i < cf->args->nelts; i++) {
        name = ngx_http_wba_parameter(&value[i], &rest);
        if (name.len == value[i].len) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid answer \"%V\", write CLASS=STATUS, "
                               "for instance \"unsigned=401\"", &value[i]);
            return NGX_CONF_ERROR;
        }
        name.len--;
        class = ngx_http_wba_choose(cf, "class", &name, classes, n);
        if (class == NGX_ERROR) {
            return NGX_CONF_ERROR;
        }
        class += WBA_CLASS_NONE + 1;
        name.len++;
        answer = ngx_http_wba_answer_value(cf, &name, class, &rest);
        if (answer == NGX_ERROR) {
            return NGX_CONF_ERROR;
        }
        lcf->answers[class] = answer;
    }
    return NGX_CONF_OK;
}

char *
ngx_http_web_bot_auth_clock_skew(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_str_t                         *value = cf->args->elts;
    ngx_http_web_bot_auth_loc_conf_t  *lcf = conf;

    if (lcf->clock_skew != NGX_CONF_UNSET) {
        return "is duplicate";
    }
    lcf->clock_skew = ngx_parse_time(&value[1], 1);
    if (lcf->clock_skew == (time_t) NGX_ERROR
        || lcf->clock_skew > WBA_MAX_SKEW)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid skew \"%V\", write a time from 0 to %ds",
                           &value[1], WBA_MAX_SKEW);
        return NGX_CONF_ERROR;
    }
    return NGX_CONF_OK;
}

char *
ngx_http_web_bot_auth_max_lifetime(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_str_t                         *value = cf->args->elts;
    ngx_http_web_bot_auth_loc_conf_t  *lcf = conf;

    if (lcf->max_lifetime != NGX_CONF_UNSET) {
        return "is duplicate";
    }
    lcf->max_lifetime = ngx_parse_time(&value[1], 1);
    if (lcf->max_lifetime == (time_t) NGX_ERROR || lcf->max_lifetime == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid lifetime \"%V\", write for instance "
                           "\"8m\"", &value[1]);
        return NGX_CONF_ERROR;
    }
    return NGX_CONF_OK;
}

ngx_int_t
ngx_http_wba_add_component(ngx_conf_t *cf, ngx_str_t *text,
    wba_component_t *out)
{
    size_t         i;
    wba_mem_t      mem = ngx_http_wba_pool_mem(cf->pool);
    ngx_str_t      hint;
    wba_nearest_t  nearest;

    if (wba_component_from_text(ngx_http_wba_view(*text), &mem, out)
        == WBA_OK)
    {
        return NGX_OK;
    }

    /* Names of fields are anybody's; these are all that begin with '@'. */
    wba_nearest_init(&nearest, ngx_http_wba_view(*text));
    for (i = 0; text->data[0] == '@' && wba_component_derived_at(i).data; i++)
    {
        wba_nearest_offer(&nearest, wba_component_derived_at(i));
    }
    hint = ngx_http_wba_did_you_mean(cf, &nearest);
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid component \"%V\"%V, write a name such as "
                       "@method or content-digest, in lower case, or an "
                       "identifier as it stands in Signature-Input", text,
                       &hint);
    return NGX_ERROR;
}

char *
ngx_http_web_bot_auth_components(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_str_t                         *value = cf->args->elts;
    ngx_uint_t                         i;
    wba_component_t                   *component;
    ngx_http_web_bot_auth_loc_conf_t  *lcf = conf;

    if (lcf->components == NULL) {
        lcf->components = ngx_array_create(cf->pool, 4,
                                           sizeof(wba_component_t));
        if (lcf->components == NULL) {
            return NGX_CONF_ERROR;
        }
    }
    for (i = 1; i < cf->args->nelts; i++) {
        component = ngx_array_push(lcf->components);
        if (component == NULL
            || ngx_http_wba_add_component(cf, &value[i], component) != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }
    return NGX_CONF_OK;
}

static ngx_http_complex_value_t *
ngx_http_wba_compile(ngx_conf_t *cf, ngx_str_t *text)
{
    ngx_http_complex_value_t          *value;
    ngx_http_compile_complex_value_t   ccv;

    value = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (value == NULL) {
        return NULL;
    }
    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));
    ccv.cf = cf;
    ccv.value = text;
    ccv.complex_value = value;
    return ngx_http_compile_complex_value(&ccv) == NGX_OK ? value : NULL;
}

char *
ngx_http_web_bot_auth_authority(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_str_t                         *value = cf->args->elts, hint;
    wba_nearest_t                      nearest;
    ngx_http_web_bot_auth_loc_conf_t  *lcf = conf;

    if (lcf->authority != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }
    if (ngx_strcmp(value[1].data, "server_name") == 0) {
        lcf->authority = NGX_HTTP_WBA_AUTHORITY_SERVER_NAME;
        return NGX_CONF_OK;
    }
    if (ngx_strcmp(value[1].data, "any") == 0) {
        lcf->authority = NGX_HTTP_WBA_AUTHORITY_ANY;
        return NGX_CONF_OK;
    }
    /* Any word may be a host's name; one that is nearly ours hardly is. */
    wba_nearest_init(&nearest, ngx_http_wba_view(value[1]));
    wba_nearest_offer(&nearest, WBA_STR("server_name"));
    if (nearest.best.data && nearest.changes <= WBA_NEAREST_CHANGES
        && strpbrk((char *) value[1].data, "$.:") == NULL)
    {
        hint = ngx_http_wba_did_you_mean(cf, &nearest);
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "only signatures made for the host \"%V\" are taken "
                           "here%V: write server_name, any, or the host that "
                           "agents sign for", &value[1], &hint);
    }
    lcf->authority = NGX_HTTP_WBA_AUTHORITY_VALUE;
    lcf->authority_value = ngx_http_wba_compile(cf, &value[1]);
    return lcf->authority_value ? NGX_CONF_OK : NGX_CONF_ERROR;
}
