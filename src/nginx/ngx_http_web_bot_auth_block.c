/* SPDX-License-Identifier: BSD-2-Clause */
/* web_bot_auth_directory NAME { ... } and web_bot_auth_discovery { ... }: what
 * is made of a block's words. */
#include "ngx_http_web_bot_auth_block.h"

static void
ngx_http_wba_block_overlay(ngx_http_wba_block_t *block)
{
    wba_profile_t  *p = &block->core->profile, *over = &block->over;

    *p = *block->profile;
    if (block->seen & NGX_HTTP_WBA_SEEN_TAGS) {
        ngx_memcpy(p->tags, over->tags, sizeof(p->tags));
        p->ntags = over->ntags;
    }
    if (block->seen & NGX_HTTP_WBA_SEEN_COMPONENTS) {
        ngx_memcpy(p->components, over->components, sizeof(p->components));
        p->ncomponents = over->ncomponents;
    }
    if (block->seen & NGX_HTTP_WBA_SEEN_ALGORITHMS) {
        p->algorithms = over->algorithms;
    }
    if (block->seen & NGX_HTTP_WBA_SEEN_NONCE) {
        p->nonce_required = over->nonce_required;
    }
    if (block->seen & NGX_HTTP_WBA_SEEN_MAX_LIFETIME) {
        p->max_lifetime = over->max_lifetime;
    }
}

static ngx_int_t
ngx_http_wba_name_is_good(ngx_str_t *name)
{
    size_t  i;
    u_char  c;

    for (i = 0; i < name->len; i++) {
        c = name->data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'))
        {
            return 0;
        }
    }
    return name->len > 0
           && name->len < sizeof(((ngx_http_wba_slot_t *) 0)->name);
}

static void
ngx_http_wba_bounds_default(ngx_http_wba_bounds_t *bounds)
{
    bounds->refresh_min = 5 * 60;
    bounds->refresh_max = 24 * 60 * 60;
    bounds->stale = 24 * 60 * 60;
    bounds->timeout = 5000;
    bounds->max_size = 1024 * 1024;
    bounds->max_keys = 10000;
}

static ngx_http_wba_directory_t *
ngx_http_wba_directory_add(ngx_conf_t *cf,
    ngx_http_web_bot_auth_main_conf_t *mcf, ngx_str_t *name)
{
    ngx_uint_t                  i;
    ngx_http_wba_directory_t   *dir, **dirs = mcf->directories.elts;

    for (i = 0; i < mcf->directories.nelts; i++) {
        if (dirs[i]->name.len == name->len
            && ngx_strncmp(dirs[i]->name.data, name->data, name->len) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "directory \"%V\" is configured already in "
                               "%s:%ui, give this one another name", name,
                               dirs[i]->place.file, dirs[i]->place.line);
            return NULL;
        }
    }

    dir = ngx_pcalloc(cf->pool, sizeof(ngx_http_wba_directory_t));
    if (dir == NULL) {
        return NULL;
    }
    dir->core = ngx_pcalloc(cf->pool, sizeof(wba_directory_t));
    if (dir->core == NULL) {
        return NULL;
    }
    dirs = ngx_array_push(&mcf->directories);
    if (dirs == NULL) {
        return NULL;
    }
    *dirs = dir;

    dir->name = *name;
    dir->core->name = ngx_http_wba_view(*name);
    dir->source.mcf = mcf;
    dir->source.name = *name;
    dir->source.bounds = &dir->bounds;
    ngx_http_wba_bounds_default(&dir->bounds);
    dir->place = ngx_http_wba_here(cf);
    return dir;
}

static char *
ngx_http_wba_block_read(ngx_conf_t *cf, ngx_http_wba_block_t *block)
{
    char        *rv;
    ngx_conf_t   save;

    save = *cf;
    cf->handler = ngx_http_wba_block_line;
    cf->handler_conf = (void *) block;
    rv = ngx_conf_parse(cf, NULL);
    *cf = save;
    return rv;
}

char *
ngx_http_web_bot_auth_directory(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    char                      *rv;
    ngx_str_t                 *value = cf->args->elts;
    ngx_http_wba_block_t       block;
    ngx_http_wba_directory_t  *dir;

    if (!ngx_http_wba_name_is_good(&value[1])) {
        return ngx_http_wba_complain(cf, "directory name", &value[1],
                                     "up to 63 letters, digits, - _ .");
    }
    if (ngx_strcmp(value[1].data, NGX_HTTP_WBA_DISCOVERY) == 0) {
        return ngx_http_wba_complain(cf, "directory name", &value[1],
                                     "another: discovered directories are "
                                     "reported under this one");
    }
    dir = ngx_http_wba_directory_add(cf, conf, &value[1]);
    if (dir == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&block, sizeof(block));
    block.in = NGX_HTTP_WBA_IN_DIRECTORY;
    block.dir = dir;
    block.bounds = &dir->bounds;
    block.core = dir->core;

    rv = ngx_http_wba_block_read(cf, &block);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (!(block.seen & NGX_HTTP_WBA_SEEN_URL)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "directory \"%V\" has no \"url\": write \"url "
                           "https://HOST/PATH;\" or \"url file:PATH;\"",
                           &dir->name);
        return NGX_CONF_ERROR;
    }
    if (!(block.seen & NGX_HTTP_WBA_SEEN_PROFILE)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "directory \"%V\" has no \"profile\": write "
                           "\"profile tap;\", \"profile agent-pay;\" or "
                           "\"profile web-bot-auth;\"", &dir->name);
        return NGX_CONF_ERROR;
    }
    ngx_http_wba_block_overlay(&block);
    return NGX_CONF_OK;
}

/* Strangers' directories are smaller than an operator's own choice may be. */
#define NGX_HTTP_WBA_FOUND_SIZE  (256 * 1024)
#define NGX_HTTP_WBA_FOUND_KEYS  100

static ngx_http_wba_discovery_t *
ngx_http_wba_discovery_create(ngx_conf_t *cf)
{
    ngx_http_wba_discovery_t  *discovery;

    discovery = ngx_pcalloc(cf->pool, sizeof(ngx_http_wba_discovery_t));
    if (discovery == NULL
        || ngx_array_init(&discovery->allow, cf->pool, 4,
                          sizeof(wba_agent_pattern_t)) != NGX_OK)
    {
        return NULL;
    }
    discovery->core.directory.name = WBA_STR(NGX_HTTP_WBA_DISCOVERY);
    ngx_http_wba_bounds_default(&discovery->bounds);
    discovery->bounds.max_size = NGX_HTTP_WBA_FOUND_SIZE;
    discovery->bounds.max_keys = NGX_HTTP_WBA_FOUND_KEYS;
    discovery->new_per_minute = 30;
    discovery->concurrent = 8;
    discovery->place = ngx_http_wba_here(cf);
    return discovery;
}

char *
ngx_http_web_bot_auth_discovery(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    char                               *rv;
    ngx_http_wba_block_t                block;
    ngx_http_wba_discovery_t           *discovery;
    ngx_http_web_bot_auth_main_conf_t  *mcf = conf;

    if (mcf->discovery) {
        return "is duplicate";
    }
    discovery = ngx_http_wba_discovery_create(cf);
    if (discovery == NULL) {
        return NGX_CONF_ERROR;
    }
    mcf->discovery = discovery;

    ngx_memzero(&block, sizeof(block));
    block.in = NGX_HTTP_WBA_IN_DISCOVERY;
    block.discovery = discovery;
    block.bounds = &discovery->bounds;
    block.core = &discovery->core.directory;
    block.profile = wba_profile_find(WBA_STR("web-bot-auth"));

    rv = ngx_http_wba_block_read(cf, &block);
    if (rv != NGX_CONF_OK) {
        return rv;
    }
    if (!discovery->core.any == !discovery->allow.nelts) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "web_bot_auth_discovery must say whom to look up: "
                           "write either \"any;\" or \"allow https://HOST "
                           "*.DOMAIN;\"");
        return NGX_CONF_ERROR;
    }
    ngx_http_wba_block_overlay(&block);
    discovery->core.allow = discovery->allow.elts;
    discovery->core.nallow = discovery->allow.nelts;
    return NGX_CONF_OK;
}
