/* SPDX-License-Identifier: BSD-2-Clause */
/* What a worker remembers of the crypto's answers, and how often it asks once
 * more only to name a reason. */
#include "ngx_http_web_bot_auth_module.h"

#include <sodium.h>

/* 34 kB.  Those who hand out static signatures have one for each site, renewed
 * every few weeks: a thousand is more than a server meets at a time. */
#define NGX_HTTP_WBA_VERDICTS  1024

/* Whether a directory takes signatures that the cache is for. */
static ngx_uint_t
ngx_http_wba_takes_static(const wba_directory_t *directory)
{
    const wba_profile_t  *p = &directory->profile;

    return !p->nonce_required
           && (p->max_lifetime == 0 || p->max_lifetime > WBA_STATIC_LIFETIME);
}

static ngx_uint_t
ngx_http_wba_needs_verdicts(const wba_env_t *env)
{
    ngx_uint_t  i;

    for (i = 0; i < env->ndirectories; i++) {
        if (ngx_http_wba_takes_static(&env->directories[i])) {
            return 1;
        }
    }
    return env->discovery
           && ngx_http_wba_takes_static(&env->discovery->directory);
}

ngx_int_t
ngx_http_wba_verdicts_create(ngx_pool_t *pool,
    ngx_http_web_bot_auth_main_conf_t *mcf)
{
    if (!ngx_http_wba_needs_verdicts(&mcf->env)) {
        return NGX_OK;
    }
    mcf->verdicts = ngx_palloc(pool,
                               wba_verdict_cache_size(NGX_HTTP_WBA_VERDICTS));
    return mcf->verdicts ? NGX_OK : NGX_ERROR;
}

void
ngx_http_wba_verdicts_init_worker(ngx_http_web_bot_auth_main_conf_t *mcf)
{
    uint8_t  secret[WBA_VERDICT_SECRET];

    if (mcf->verdicts == NULL) {
        return;
    }
    randombytes_buf(secret, sizeof(secret));
    mcf->env.verdicts =
        wba_verdict_cache_init(mcf->verdicts,
                               wba_verdict_cache_size(NGX_HTTP_WBA_VERDICTS),
                               secret);
    sodium_memzero(secret, sizeof(secret));
}

/* Once a second: forgers make a worker do no more than that for an answer
 * that is of use to whoever tries his agent by hand. */
bool
ngx_http_wba_diagnose(void *data)
{
    ngx_http_web_bot_auth_main_conf_t  *mcf = data;

    if (mcf->diagnosed == ngx_time()) {
        return false;
    }
    mcf->diagnosed = ngx_time();
    return true;
}
