/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the configuration as a whole cannot mean.  Servers and locations are
 * looked at as they are merged, everything else when all is read.  What is
 * doubtful is a warning, given once, and only where it is certain that
 * something else was meant.
 */
#include "ngx_http_web_bot_auth_module.h"

#include "paying.h"
#include "rules.h"
#include "sizing.h"
#include "trust.h"

ngx_int_t
ngx_http_wba_check_init(ngx_conf_t *cf,
    ngx_http_web_bot_auth_main_conf_t *mcf)
{
    return ngx_array_init(&mcf->checks.said, cf->pool, 4, sizeof(void *));
}

/* Whether there was a warning about that already.  If not, there will be. */
static ngx_uint_t
ngx_http_wba_said(ngx_http_web_bot_auth_main_conf_t *mcf, const void *about)
{
    ngx_uint_t    i;
    const void  **said = mcf->checks.said.elts;

    for (i = 0; i < mcf->checks.said.nelts; i++) {
        if (said[i] == about) {
            return 1;
        }
    }
    said = ngx_array_push(&mcf->checks.said);
    if (said) {
        *said = about;
    }
    return 0;
}

/* ---- servers */

static ngx_uint_t
ngx_http_wba_server_has_name(ngx_http_core_srv_conf_t *cscf)
{
    ngx_uint_t               i;
    ngx_http_server_name_t  *names = cscf->server_names.elts;

    for (i = 0; i < cscf->server_names.nelts; i++) {
        if (names[i].name.len) {
            return 1;
        }
    }
    return 0;
}

static ngx_uint_t
ngx_http_wba_addr_serves(ngx_http_conf_addr_t *addr,
    ngx_http_core_srv_conf_t *cscf)
{
    ngx_uint_t                  i;
    ngx_http_core_srv_conf_t  **servers = addr->servers.elts;

    for (i = 0; i < addr->servers.nelts; i++) {
        if (servers[i] == cscf) {
            return 1;
        }
    }
    return 0;
}

static ngx_uint_t
ngx_http_wba_server_is_plain(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf)
{
    ngx_uint_t                  i, j;
    ngx_http_conf_port_t       *port;
    ngx_http_conf_addr_t       *addr;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    if (cmcf->ports == NULL) {
        return 0;
    }

    port = cmcf->ports->elts;
    for (i = 0; i < cmcf->ports->nelts; i++) {
        addr = port[i].addrs.elts;
        for (j = 0; j < port[i].addrs.nelts; j++) {
            if (!addr[j].opt.ssl && ngx_http_wba_addr_serves(&addr[j], cscf)) {
                return 1;
            }
        }
    }
    return 0;
}

/* Once per server: what will keep every request from verifying, or makes
 * verification worth less. */
static void
ngx_http_wba_check_server(ngx_conf_t *cf,
    ngx_http_web_bot_auth_main_conf_t *mcf,
    ngx_http_web_bot_auth_loc_conf_t *conf)
{
    ngx_http_wba_place_t       place;
    ngx_http_core_srv_conf_t  *cscf;

    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);
    if (cscf == mcf->checks.server || cscf->file_name == NULL) {
        return;
    }
    place.file = cscf->file_name;
    place.line = cscf->line;

    if (conf->authority == NGX_HTTP_WBA_AUTHORITY_SERVER_NAME
        && !ngx_http_wba_server_has_name(cscf))
    {
        mcf->checks.server = cscf;
        ngx_http_wba_warn(cf->log, &place,
                          "\"web_bot_auth\" in a server without name verifies "
                          "nothing: write \"server_name\" with the names that "
                          "agents sign for, or \"web_bot_auth_authority\"");
    }
    if (conf->scheme == NULL && ngx_http_wba_server_is_plain(cf, cscf)) {
        mcf->checks.server = cscf;
        ngx_http_wba_warn(cf->log, &place,
                          "\"web_bot_auth\" on a listener without ssl: "
                          "signatures can be read on the way; write \"listen "
                          "... ssl\", or, behind a proxy that ends TLS, "
                          "\"web_bot_auth_scheme https\"");
    }
}

/* ---- locations */

/* Who can enter: nobody by these rules, or with what must be covered. */
static void
ngx_http_wba_check_entry(ngx_conf_t *cf,
    ngx_http_web_bot_auth_main_conf_t *mcf,
    ngx_http_web_bot_auth_loc_conf_t *conf)
{
    switch (wba_rules_entry(&mcf->env, &conf->policy)) {

    case WBA_ENTRY_DENIED:
        if (ngx_http_wba_said(mcf, conf->policy.rules)) {
            return;
        }
        ngx_http_wba_warn(cf->log, &conf->place,
                          "\"web_bot_auth on\" lets nobody in, as the rules "
                          "deny every signature that could verify: write "
                          "\"web_bot_auth_allow\" with whom you mean, before "
                          "what denies them");
        return;

    case WBA_ENTRY_UNCOVERABLE:
        if (ngx_http_wba_said(mcf, conf->policy.components)) {
            return;
        }
        ngx_http_wba_warn(cf->log, &conf->place,
                          "\"web_bot_auth on\" lets nobody in, as "
                          "\"signature-agent\" must be covered, and no "
                          "directory that may enter stands for an agent: "
                          "write \"agent URL;\" in its block, or take "
                          "\"signature-agent\" from the components");
        return;

    default:
        break;
    }

    if (conf->accept && conf->accept->members == 0
        && !ngx_http_wba_said(mcf, conf->policy.components))
    {
        ngx_http_wba_warn(cf->log, &conf->place,
                          "refusals cannot say what to sign, as that is more "
                          "than %d components or %d bytes: ask for less in "
                          "\"web_bot_auth_components\", or write "
                          "\"web_bot_auth_challenge off\"",
                          WBA_MAX_COMPONENTS - 3, WBA_MAX_ACCEPT);
    }
}

/* A place where one pays. */
static void
ngx_http_wba_check_browsers(ngx_conf_t *cf,
    ngx_http_web_bot_auth_main_conf_t *mcf,
    ngx_http_web_bot_auth_loc_conf_t *prev,
    ngx_http_web_bot_auth_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (!wba_name_pays(ngx_http_wba_view(clcf->name))
        || !wba_rules_admit_browsers(&mcf->env, &conf->policy))
    {
        return;
    }

    /* What is inside, an "if" too, has been warned about with it. */
    conf->browsers = 1;
    if (clcf->noname || (prev->browsers && prev->rules == conf->rules)) {
        return;
    }
    ngx_http_wba_warn(cf->log, &conf->place,
                      "location \"%V\" lets agents in that only browse: write "
                      "\"web_bot_auth_allow tag=agent-payer-auth\" for those "
                      "that pay, or, if browsers are welcome, "
                      "\"web_bot_auth_allow tag=agent-browser-auth\" before "
                      "other rules", &clcf->name);
}

/* Nonces that are given out, and whether anybody gets one. */
static void
ngx_http_wba_check_challenge(ngx_http_web_bot_auth_main_conf_t *mcf,
    ngx_http_web_bot_auth_loc_conf_t *conf)
{
    if (conf->challenge != NGX_HTTP_WBA_CHALLENGE_NONCE) {
        return;
    }
    if (!conf->dry_run) {
        mcf->checks.challenges = 1;
    } else if (mcf->checks.dry_challenge.file == NULL) {
        mcf->checks.dry_challenge = conf->place;
    }
}

/* How long a nonce that is recorded here may live. */
static void
ngx_http_wba_check_lifetime(ngx_http_web_bot_auth_main_conf_t *mcf,
    ngx_http_web_bot_auth_loc_conf_t *conf)
{
    size_t                  i, j;
    int64_t                 seconds;
    const wba_directory_t  *d;

    for (i = 0; (d = wba_env_directory(&mcf->env, i)) != NULL; i++) {
        seconds = wba_sizing_seconds(d, &conf->policy);
        if (seconds <= mcf->checks.nonce_seconds
            || !wba_rules_coverable(&mcf->env, &conf->policy, d))
        {
            continue;
        }
        for (j = 0; j < d->profile.ntags; j++) {
            if (wba_rules_admit(&mcf->env, &conf->policy, d,
                                &d->profile.tags[j]))
            {
                mcf->checks.nonce_seconds = seconds;
                mcf->checks.nonce_of = d;
                break;
            }
        }
    }
}

void
ngx_http_wba_check_location(ngx_conf_t *cf,
    ngx_http_web_bot_auth_loc_conf_t *prev,
    ngx_http_web_bot_auth_loc_conf_t *conf)
{
    ngx_http_web_bot_auth_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_web_bot_auth_module);

    if (conf->rules) {
        conf->rules->used = 1;
    }
    ngx_http_wba_check_server(cf, mcf, conf);
    if (conf->mode == WBA_MODE_ON) {
        ngx_http_wba_check_entry(cf, mcf, conf);
    }
    ngx_http_wba_check_browsers(cf, mcf, prev, conf);
    ngx_http_wba_check_challenge(mcf, conf);
    ngx_http_wba_check_lifetime(mcf, conf);
}

/* ---- the rest */

/* Whether keys are fetched, and for whom first. */
static ngx_http_wba_place_t *
ngx_http_wba_first_fetched(ngx_http_web_bot_auth_main_conf_t *mcf)
{
    ngx_uint_t                  i;
    ngx_http_wba_directory_t  **dirs = mcf->directories.elts;

    for (i = 0; i < mcf->directories.nelts; i++) {
        if (dirs[i]->path.len == 0) {
            return &dirs[i]->place;
        }
    }
    return mcf->discovery ? &mcf->discovery->place : NULL;
}

static void
ngx_http_wba_check_trust(ngx_conf_t *cf,
    ngx_http_web_bot_auth_main_conf_t *mcf)
{
    const char            *where;
    ngx_http_wba_place_t  *place;

    place = ngx_http_wba_first_fetched(mcf);
    if (place == NULL || mcf->trusted_certificate.data
        || wba_trust_system(&where))
    {
        return;
    }
    ngx_http_wba_warn(cf->log, place,
                      "keys cannot be fetched, as this machine knows no "
                      "certificate authority (there is no certificate in "
                      "%s): install the package ca-certificates, or write "
                      "\"web_bot_auth_trusted_certificate FILE\"",
                      where ? where : "libcurl's place, of which it has none");
}

/* Directories that want what none of their own agents can cover. */
static void
ngx_http_wba_check_directories(ngx_conf_t *cf,
    ngx_http_web_bot_auth_main_conf_t *mcf)
{
    ngx_uint_t                  i;
    wba_policy_t                policy;
    ngx_http_wba_directory_t  **dirs = mcf->directories.elts;

    wba_policy_default(&policy);
    for (i = 0; i < mcf->directories.nelts; i++) {
        if (wba_rules_coverable(&mcf->env, &policy, dirs[i]->core)) {
            continue;
        }
        ngx_http_wba_warn(cf->log, &dirs[i]->place,
                          "directory \"%V\" verifies nothing, as "
                          "\"components\" wants \"signature-agent\" covered "
                          "and it stands for no agent: write \"agent URL;\", "
                          "or take \"signature-agent\" from the components",
                          &dirs[i]->name);
    }
}

void
ngx_http_wba_check(ngx_conf_t *cf, ngx_http_web_bot_auth_main_conf_t *mcf)
{
    ngx_uint_t              i;
    ngx_http_wba_rules_t  **lists = mcf->rules.elts;

    for (i = 0; i < mcf->rules.nelts; i++) {
        ngx_http_wba_check_rules(cf, mcf, lists[i]);
    }
    ngx_http_wba_check_directories(cf, mcf);
    ngx_http_wba_check_trust(cf, mcf);

    if (mcf->checks.dry_challenge.file && !mcf->checks.challenges) {
        ngx_http_wba_warn(cf->log, &mcf->checks.dry_challenge,
                          "\"web_bot_auth_challenge on nonce\" in a dry run: "
                          "as nobody is refused, nobody is given a nonce, and "
                          "no signature will do; write "
                          "\"web_bot_auth_challenge on\" until the dry run "
                          "ends");
    }
}
