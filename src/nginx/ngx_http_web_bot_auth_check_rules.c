/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules, when all is read: that they name what there is, and that each can
 * match. */
#include "ngx_http_web_bot_auth_module.h"

#include "rules.h"

static ngx_str_t
ngx_http_wba_nearest_tag(ngx_conf_t *cf,
    ngx_http_web_bot_auth_main_conf_t *mcf, wba_str_t tag)
{
    size_t         i;
    wba_nearest_t  nearest;

    wba_nearest_init(&nearest, tag);
    for (i = 0; i < mcf->env.ntags; i++) {
        wba_nearest_offer(&nearest, mcf->env.tags[i].text);
    }
    return ngx_http_wba_did_you_mean(cf, &nearest);
}

static ngx_str_t
ngx_http_wba_nearest_directory(ngx_conf_t *cf,
    ngx_http_web_bot_auth_main_conf_t *mcf, wba_str_t name)
{
    size_t                  i;
    wba_nearest_t           nearest;
    const wba_directory_t  *d;

    wba_nearest_init(&nearest, name);
    for (i = 0; (d = wba_env_directory(&mcf->env, i)) != NULL; i++) {
        wba_nearest_offer(&nearest, d->name);
    }
    return ngx_http_wba_did_you_mean(cf, &nearest);
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

static const wba_directory_t *
ngx_http_wba_directory_named(ngx_http_web_bot_auth_main_conf_t *mcf,
    wba_str_t name)
{
    size_t                  i;
    const wba_directory_t  *d;

    for (i = 0; (d = wba_env_directory(&mcf->env, i)) != NULL; i++) {
        if (wba_str_eq(d->name, name)) {
            return d;
        }
    }
    return NULL;
}

/* A rule that names what is not there is a mistake, and it may be the deny
 * that was meant to keep somebody out. */
static ngx_int_t
ngx_http_wba_check_names(ngx_conf_t *cf,
    ngx_http_web_bot_auth_main_conf_t *mcf, const wba_rule_t *rule,
    ngx_http_wba_rule_place_t *place)
{
    ngx_str_t  s, hint;

    if (rule->directory.data
        && ngx_http_wba_directory_named(mcf, rule->directory) == NULL)
    {
        s = ngx_http_wba_ngx_str(rule->directory);
        hint = ngx_http_wba_nearest_directory(cf, mcf, rule->directory);
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"directory=%V\" names no directory%V: correct the "
                      "name, or add \"web_bot_auth_directory %V { ... }\", in "
                      "%s:%ui", &s, &hint, &s, place->place.file,
                      place->place.line);
        return NGX_ERROR;
    }
    if (rule->tag.data && !ngx_http_wba_tag_served(mcf, rule->tag)) {
        s = ngx_http_wba_ngx_str(rule->tag);
        hint = ngx_http_wba_nearest_tag(cf, mcf, rule->tag);
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"tag=%V\" is served by no directory%V: correct the "
                      "tag, or add it to the \"tags\" of one, in %s:%ui",
                      &s, &hint, place->place.file, place->place.line);
        return NGX_ERROR;
    }
    return NGX_OK;
}

/* Whether it is certain that no key of the rule's keyid is in any directory
 * that the rule concerns: all of them are files. */
static ngx_uint_t
ngx_http_wba_key_absent(ngx_http_web_bot_auth_main_conf_t *mcf,
    const wba_rule_t *rule)
{
    size_t                      i, j;
    const wba_directory_t      *d;
    ngx_http_wba_directory_t  **dirs = mcf->directories.elts;

    for (i = 0; (d = wba_env_directory(&mcf->env, i)) != NULL; i++) {
        for (j = 0; j < d->profile.ntags; j++) {
            if (!wba_rule_concerns(&mcf->env, rule, d, &d->profile.tags[j])) {
                continue;
            }
            if (i == mcf->directories.nelts || dirs[i]->path.len == 0
                || wba_keyset_has(dirs[i]->file_set, rule->keyid))
            {
                return 0;
            }
        }
    }
    return 1;
}

/* Conditions that no signature meets. */
static void
ngx_http_wba_check_conditions(ngx_conf_t *cf,
    ngx_http_web_bot_auth_main_conf_t *mcf, const wba_rule_t *rule,
    ngx_http_wba_rule_place_t *place)
{
    size_t                  i;
    wba_str_t               tags[WBA_MAX_TAGS];
    ngx_str_t               either, s;
    const wba_directory_t  *d;

    switch (wba_rule_fault(&mcf->env, rule)) {

    case WBA_RULE_TAG:
        d = ngx_http_wba_directory_named(mcf, rule->directory);
        for (i = 0; i < d->profile.ntags; i++) {
            tags[i] = d->profile.tags[i].text;
        }
        either = ngx_http_wba_either(cf, tags, d->profile.ntags);
        s = ngx_http_wba_ngx_str(d->name);
        ngx_http_wba_warn(cf->log, &place->place,
                          "\"%V\" can never match, as directory \"%V\" does "
                          "not serve that tag: write %V, or another directory",
                          &place->text, &s, &either);
        return;

    case WBA_RULE_AGENT:
        ngx_http_wba_warn(cf->log, &place->place,
                          "\"%V\" can never match, as no directory stands for "
                          "that agent: correct it, write \"agent URL;\" in a "
                          "web_bot_auth_directory, or \"allow\" it in "
                          "web_bot_auth_discovery", &place->text);
        return;

    case WBA_RULE_NOBODY:
        ngx_http_wba_warn(cf->log, &place->place,
                          "\"%V\" can never match, as no directory has agents "
                          "of which all of it is true: correct it, or write a "
                          "rule for each", &place->text);
        return;

    default:
        break;
    }

    if (rule->keyid.data && ngx_http_wba_key_absent(mcf, rule)) {
        ngx_http_wba_warn(cf->log, &place->place,
                          "\"%V\" can never match, as that key is in no file "
                          "of a directory that it concerns: correct the "
                          "keyid, or remove the rule", &place->text);
    }
}

/* Earlier rules that leave this one nothing. */
static void
ngx_http_wba_check_order(ngx_conf_t *cf,
    ngx_http_web_bot_auth_main_conf_t *mcf, ngx_http_wba_rules_t *list,
    ngx_uint_t i)
{
    bool                        together;
    const wba_rule_t           *by, *rules = list->rules.elts;
    ngx_http_wba_rule_place_t  *places = list->places.elts, *first;

    by = wba_rule_hidden_by(&mcf->env, rules, i, &together);
    if (by == NULL) {
        return;
    }
    first = &places[by - rules];

    if (together) {
        ngx_http_wba_warn(cf->log, &places[i].place,
                          "\"%V\" can never match, as rules before it decide "
                          "about all that it concerns, first \"%V\" in "
                          "%s:%ui: write it before them, or remove it",
                          &places[i].text, &first->text, first->place.file,
                          first->place.line);
        return;
    }
    ngx_http_wba_warn(cf->log, &places[i].place,
                      "\"%V\" can never match, as \"%V\" in %s:%ui comes "
                      "first: %s", &places[i].text, &first->text,
                      first->place.file, first->place.line,
                      wba_rule_covers(&rules[i], by)
                      ? "remove one of them"
                      : "write it before that one, or remove it");
}

ngx_int_t
ngx_http_wba_check_rule_names(ngx_conf_t *cf,
    ngx_http_web_bot_auth_main_conf_t *mcf)
{
    ngx_uint_t                  i, j;
    wba_rule_t                 *rules;
    ngx_http_wba_rules_t      **lists = mcf->rules.elts;
    ngx_http_wba_rule_place_t  *places;

    for (i = 0; i < mcf->rules.nelts; i++) {
        rules = lists[i]->rules.elts;
        places = lists[i]->places.elts;
        for (j = 0; j < lists[i]->rules.nelts; j++) {
            if (ngx_http_wba_check_names(cf, mcf, &rules[j], &places[j])
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }
    return NGX_OK;
}

void
ngx_http_wba_check_rules(ngx_conf_t *cf,
    ngx_http_web_bot_auth_main_conf_t *mcf, ngx_http_wba_rules_t *list)
{
    ngx_uint_t                  i;
    wba_rule_t                 *rules = list->rules.elts;
    ngx_http_wba_rule_place_t  *places = list->places.elts;

    if (!list->used) {
        ngx_http_wba_warn(cf->log, &places[0].place,
                          "\"%V\", and what stands with it, has no effect, as "
                          "\"web_bot_auth\" is off here and inside, or other "
                          "rules hide these there: write \"web_bot_auth on\" "
                          "or \"optional\", repeat them, or remove them",
                          &places[0].text);
        return;
    }
    for (i = 0; i < list->rules.nelts; i++) {
        ngx_http_wba_check_conditions(cf, mcf, &rules[i], &places[i]);
        ngx_http_wba_check_order(cf, mcf, list, i);
    }
}
