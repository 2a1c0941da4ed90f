/* SPDX-License-Identifier: BSD-2-Clause */
/* What words.c, which reads the lines of a block, and block.c, which makes a
 * directory of them, share. */
#ifndef NGX_HTTP_WEB_BOT_AUTH_BLOCK_H
#define NGX_HTTP_WEB_BOT_AUTH_BLOCK_H

#include "ngx_http_web_bot_auth_module.h"

typedef struct ngx_http_wba_block_s ngx_http_wba_block_t;

/* In which blocks a word may stand. */
#define NGX_HTTP_WBA_IN_DIRECTORY 1
#define NGX_HTTP_WBA_IN_DISCOVERY 2
#define NGX_HTTP_WBA_IN_BOTH      3

/* What a block says, before it is laid over the profile: the order of lines
 * does not matter. */
struct ngx_http_wba_block_s {
    ngx_uint_t in;
    ngx_http_wba_directory_t *dir;       /* of a directory's block */
    ngx_http_wba_discovery_t *discovery; /* of discovery's */
    ngx_http_wba_bounds_t *bounds;
    wba_directory_t *core;
    uint32_t seen; /* mask of the words that stood */
    const wba_profile_t *profile;
    wba_profile_t over;
};

/* Places in ngx_http_wba_words, as bits of seen. */
enum {
    NGX_HTTP_WBA_SEEN_URL = 1 << 0,
    NGX_HTTP_WBA_SEEN_PROFILE = 1 << 1,
    NGX_HTTP_WBA_SEEN_TAGS = 1 << 2,
    NGX_HTTP_WBA_SEEN_COMPONENTS = 1 << 3,
    NGX_HTTP_WBA_SEEN_ALGORITHMS = 1 << 4,
    NGX_HTTP_WBA_SEEN_NONCE = 1 << 5,
    NGX_HTTP_WBA_SEEN_MAX_LIFETIME = 1 << 6,
    NGX_HTTP_WBA_SEEN_ALLOW = 1 << 17
};

/* One line of it, for cf->handler; conf is the block. */
char *ngx_http_wba_block_line(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf);

/* "invalid WHAT "VALUE", write ..." */
char *ngx_http_wba_complain(ngx_conf_t *cf, const char *what,
    ngx_str_t *value, const char *write);

#endif
