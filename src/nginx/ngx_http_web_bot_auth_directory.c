/* SPDX-License-Identifier: BSD-2-Clause */
/* web_bot_auth_directory NAME { ... }: reading the block, and the key sets of
 * file: sources. */
#include "ngx_http_web_bot_auth_module.h"

#include <sodium.h>

typedef char *(*ngx_http_wba_word_pt)(ngx_conf_t *cf,
    ngx_http_wba_directory_t *dir, ngx_str_t *args, ngx_uint_t nargs);

typedef struct {
    ngx_str_t name;
    ngx_uint_t min; /* arguments */
    ngx_uint_t max;
    ngx_http_wba_word_pt set;
} ngx_http_wba_word_t;

/* What the block says, before it is laid over the profile: the order of lines
 * does not matter. */
typedef struct {
    ngx_http_wba_directory_t *dir;
    uint32_t seen; /* mask of the words that stood */
    const wba_profile_t *profile;
    wba_profile_t over;
} ngx_http_wba_block_t;

static char *
ngx_http_wba_complain(ngx_conf_t *cf, const char *what, ngx_str_t *value,
    const char *write)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid %s \"%V\", write %s",
                       what, value, write);
    return NGX_CONF_ERROR;
}

static ngx_http_wba_block_t *
ngx_http_wba_block(ngx_conf_t *cf)
{
    return (ngx_http_wba_block_t *) cf->handler_conf;
}

/* ---- one function per word */

static char *
ngx_http_wba_word_url(ngx_conf_t *cf, ngx_http_wba_directory_t *dir,
    ngx_str_t *args, ngx_uint_t nargs)
{
    wba_mem_t  mem = ngx_http_wba_pool_mem(cf->pool);
    wba_str_t  url;
    wba_uri_t  uri;

    dir->url = args[0];

    if (args[0].len > 5 && ngx_strncmp(args[0].data, "file:", 5) == 0) {
        dir->path.data = args[0].data + 5;
        dir->path.len = args[0].len - 5;
        if (dir->path.len > 2 && ngx_strncmp(dir->path.data, "///", 3) == 0) {
            dir->path.data += 2;
            dir->path.len -= 2;
        }
        return ngx_conf_full_name(cf->cycle, &dir->path, 1) == NGX_OK
               ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    /* Resolved as a Signature-Agent is: a bare origin means its well-known
     * path. */
    if (wba_agent_resolve(&mem, ngx_http_wba_view(args[0]), &url) != WBA_OK
        || wba_uri_parse(url, &uri) != WBA_OK)
    {
        return ngx_http_wba_complain(cf, "url", &args[0],
                                     "https://HOST/PATH or file:PATH");
    }
    dir->url.data = ngx_pnalloc(cf->pool, url.len + 1);
    if (dir->url.data == NULL) {
        return NGX_CONF_ERROR;
    }
    dir->url.len = url.len;
    ngx_cpystrn(dir->url.data, (u_char *) url.data, url.len + 1);
    dir->well_known = wba_str_eq(uri.path, WBA_STR(WBA_WELL_KNOWN_PATH));
    return NGX_CONF_OK;
}

static char *
ngx_http_wba_word_profile(ngx_conf_t *cf, ngx_http_wba_directory_t *dir,
    ngx_str_t *args, ngx_uint_t nargs)
{
    ngx_http_wba_block_t  *block = ngx_http_wba_block(cf);

    block->profile = wba_profile_find(ngx_http_wba_view(args[0]));
    if (block->profile == NULL) {
        return ngx_http_wba_complain(cf, "profile", &args[0],
                                     "tap, agent-pay or web-bot-auth");
    }
    return NGX_CONF_OK;
}

static char *
ngx_http_wba_word_tags(ngx_conf_t *cf, ngx_http_wba_directory_t *dir,
    ngx_str_t *args, ngx_uint_t nargs)
{
    ngx_uint_t      i;
    wba_profile_t  *over = &ngx_http_wba_block(cf)->over;

    for (i = 0; i < nargs; i++) {
        if (args[i].len == 0 || args[i].len > WBA_MAX_TAG) {
            return ngx_http_wba_complain(cf, "tag", &args[i],
                                         "for instance agent-browser-auth");
        }
        over->tags[i].text = ngx_http_wba_view(args[i]);
        over->tags[i].nocase = 0;
    }
    over->ntags = nargs;
    return NGX_CONF_OK;
}

static char *
ngx_http_wba_word_components(ngx_conf_t *cf, ngx_http_wba_directory_t *dir,
    ngx_str_t *args, ngx_uint_t nargs)
{
    ngx_uint_t      i;
    wba_profile_t  *over = &ngx_http_wba_block(cf)->over;

    for (i = 0; i < nargs; i++) {
        if (ngx_http_wba_add_component(cf, &args[i], &over->components[i])
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }
    over->ncomponents = nargs;
    return NGX_CONF_OK;
}

static char *
ngx_http_wba_word_algorithms(ngx_conf_t *cf, ngx_http_wba_directory_t *dir,
    ngx_str_t *args, ngx_uint_t nargs)
{
    wba_alg_t       alg;
    ngx_uint_t      i;
    wba_profile_t  *over = &ngx_http_wba_block(cf)->over;

    for (i = 0; i < nargs; i++) {
        alg = wba_alg_by_name(ngx_http_wba_view(args[i]));
        if (alg == WBA_ALG_NONE) {
            return ngx_http_wba_complain(cf, "algorithm", &args[i],
                                         "ed25519");
        }
        if (!(alg & wba_alg_supported())) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "algorithm \"%V\" is not supported by this "
                               "version, write ed25519", &args[i]);
            return NGX_CONF_ERROR;
        }
        over->algorithms |= alg;
    }
    return NGX_CONF_OK;
}

static char *
ngx_http_wba_word_nonce(ngx_conf_t *cf, ngx_http_wba_directory_t *dir,
    ngx_str_t *args, ngx_uint_t nargs)
{
    ngx_http_wba_block_t  *block = ngx_http_wba_block(cf);

    if (ngx_strcmp(args[0].data, "required") == 0) {
        block->over.nonce_required = 1;
    } else if (ngx_strcmp(args[0].data, "optional") == 0) {
        block->over.nonce_required = 0;
    } else {
        return ngx_http_wba_complain(cf, "nonce", &args[0],
                                     "required or optional");
    }
    return NGX_CONF_OK;
}

static char *
ngx_http_wba_seconds(ngx_conf_t *cf, const char *what, ngx_str_t *value,
    time_t *to)
{
    *to = ngx_parse_time(value, 1);
    if (*to == (time_t) NGX_ERROR || *to == 0) {
        return ngx_http_wba_complain(cf, what, value,
                                     "a time, for instance 8m");
    }
    return NGX_CONF_OK;
}

static char *
ngx_http_wba_word_max_lifetime(ngx_conf_t *cf, ngx_http_wba_directory_t *dir,
    ngx_str_t *args, ngx_uint_t nargs)
{
    time_t   t;
    char    *rv;

    rv = ngx_http_wba_seconds(cf, "max_lifetime", &args[0], &t);
    ngx_http_wba_block(cf)->over.max_lifetime = t;
    return rv;
}

static char *
ngx_http_wba_word_refresh(ngx_conf_t *cf, ngx_http_wba_directory_t *dir,
    ngx_str_t *args, ngx_uint_t nargs)
{
    if (ngx_http_wba_seconds(cf, "refresh", &args[0], &dir->refresh_min)
        != NGX_CONF_OK
        || ngx_http_wba_seconds(cf, "refresh", &args[1], &dir->refresh_max)
           != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }
    if (dir->refresh_min > dir->refresh_max) {
        return ngx_http_wba_complain(cf, "refresh", &args[0],
                                     "the smaller time first");
    }
    return NGX_CONF_OK;
}

static char *
ngx_http_wba_word_stale(ngx_conf_t *cf, ngx_http_wba_directory_t *dir,
    ngx_str_t *args, ngx_uint_t nargs)
{
    return ngx_http_wba_seconds(cf, "stale", &args[0], &dir->stale);
}

static char *
ngx_http_wba_word_timeout(ngx_conf_t *cf, ngx_http_wba_directory_t *dir,
    ngx_str_t *args, ngx_uint_t nargs)
{
    ngx_int_t  ms;

    ms = ngx_parse_time(&args[0], 0);
    if (ms == NGX_ERROR || ms == 0 || ms > 60000) {
        return ngx_http_wba_complain(cf, "timeout", &args[0],
                                     "a time up to 60s, for instance 5s");
    }
    dir->timeout = ms;
    return NGX_CONF_OK;
}

static char *
ngx_http_wba_word_max_size(ngx_conf_t *cf, ngx_http_wba_directory_t *dir,
    ngx_str_t *args, ngx_uint_t nargs)
{
    ssize_t  size;

    size = ngx_parse_size(&args[0]);
    if (size == NGX_ERROR || size == 0 || size > WBA_MAX_JWKS) {
        return ngx_http_wba_complain(cf, "max_size", &args[0],
                                     "a size up to 16m, for instance 1m");
    }
    dir->max_size = size;
    return NGX_CONF_OK;
}

static char *
ngx_http_wba_word_max_keys(ngx_conf_t *cf, ngx_http_wba_directory_t *dir,
    ngx_str_t *args, ngx_uint_t nargs)
{
    ngx_int_t  n;

    n = ngx_atoi(args[0].data, args[0].len);
    if (n == NGX_ERROR || n == 0 || n > WBA_MAX_KEYS) {
        return ngx_http_wba_complain(cf, "max_keys", &args[0],
                                     "a number from 1 to 100000");
    }
    dir->max_keys = n;
    return NGX_CONF_OK;
}

static char *
ngx_http_wba_word_agent(ngx_conf_t *cf, ngx_http_wba_directory_t *dir,
    ngx_str_t *args, ngx_uint_t nargs)
{
    wba_mem_t   mem = ngx_http_wba_pool_mem(cf->pool);
    wba_str_t   url = ngx_http_wba_view(args[0]);

    if (wba_agent_resolve(&mem, url, &dir->core->agent) != WBA_OK
        || wba_agent_identity(&mem, url, &dir->core->agent_identity) != WBA_OK)
    {
        return ngx_http_wba_complain(cf, "agent", &args[0],
                                     "an https URL as the agent's "
                                     "Signature-Agent has it");
    }
    return NGX_CONF_OK;
}

static const ngx_http_wba_word_t  ngx_http_wba_words[] = {
    { ngx_string("url"), 1, 1, ngx_http_wba_word_url },
    { ngx_string("profile"), 1, 1, ngx_http_wba_word_profile },
    { ngx_string("tags"), 1, WBA_MAX_TAGS, ngx_http_wba_word_tags },
    { ngx_string("components"), 1, WBA_MAX_REQUIRED,
      ngx_http_wba_word_components },
    { ngx_string("algorithms"), 1, 4, ngx_http_wba_word_algorithms },
    { ngx_string("nonce"), 1, 1, ngx_http_wba_word_nonce },
    { ngx_string("max_lifetime"), 1, 1, ngx_http_wba_word_max_lifetime },
    { ngx_string("refresh"), 2, 2, ngx_http_wba_word_refresh },
    { ngx_string("stale"), 1, 1, ngx_http_wba_word_stale },
    { ngx_string("timeout"), 1, 1, ngx_http_wba_word_timeout },
    { ngx_string("max_size"), 1, 1, ngx_http_wba_word_max_size },
    { ngx_string("max_keys"), 1, 1, ngx_http_wba_word_max_keys },
    { ngx_string("agent"), 1, 1, ngx_http_wba_word_agent },
    { ngx_null_string, 0, 0, NULL }
};

/* Places in the table above, as bits of block->seen. */
enum {
    NGX_HTTP_WBA_SEEN_URL = 1 << 0,
    NGX_HTTP_WBA_SEEN_PROFILE = 1 << 1,
    NGX_HTTP_WBA_SEEN_TAGS = 1 << 2,
    NGX_HTTP_WBA_SEEN_COMPONENTS = 1 << 3,
    NGX_HTTP_WBA_SEEN_ALGORITHMS = 1 << 4,
    NGX_HTTP_WBA_SEEN_NONCE = 1 << 5,
    NGX_HTTP_WBA_SEEN_MAX_LIFETIME = 1 << 6
};

/* ---- the block */

static char *
ngx_http_wba_block_line(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    ngx_str_t                  *value = cf->args->elts;
    ngx_uint_t                  i, nargs = cf->args->nelts - 1;
    ngx_http_wba_block_t       *block = conf;
    const ngx_http_wba_word_t  *word;

    for (i = 0; ngx_http_wba_words[i].name.len; i++) {
        word = &ngx_http_wba_words[i];
        if (word->name.len != value[0].len
            || ngx_strncmp(word->name.data, value[0].data, value[0].len) != 0)
        {
            continue;
        }
        if (nargs < word->min || nargs > word->max) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" takes %ui to %ui values, not %ui",
                               &value[0], word->min, word->max, nargs);
            return NGX_CONF_ERROR;
        }
        if (block->seen & (1u << i)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" stands twice in one directory",
                               &value[0]);
            return NGX_CONF_ERROR;
        }
        block->seen |= 1u << i;
        return word->set(cf, block->dir, &value[1], nargs);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown word \"%V\" in web_bot_auth_directory, write "
                       "one of url, profile, tags, components, algorithms, "
                       "nonce, max_lifetime, refresh, stale, timeout, "
                       "max_size, max_keys, agent", &value[0]);
    return NGX_CONF_ERROR;
}

static void
ngx_http_wba_block_overlay(ngx_http_wba_block_t *block)
{
    wba_profile_t  *p = &block->dir->core->profile, *over = &block->over;

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
                               dirs[i]->conf_file, dirs[i]->conf_line);
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
    dir->index = mcf->directories.nelts - 1;
    dir->refresh_min = 5 * 60;
    dir->refresh_max = 24 * 60 * 60;
    dir->stale = 24 * 60 * 60;
    dir->timeout = 5000;
    dir->max_size = 1024 * 1024;
    dir->max_keys = 10000;
    dir->conf_file = cf->conf_file->file.name.data;
    dir->conf_line = cf->conf_file->line;
    return dir;
}

char *
ngx_http_web_bot_auth_directory(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    char                      *rv;
    ngx_str_t                 *value = cf->args->elts;
    ngx_conf_t                 save;
    ngx_http_wba_block_t       block;
    ngx_http_wba_directory_t  *dir;

    if (!ngx_http_wba_name_is_good(&value[1])) {
        return ngx_http_wba_complain(cf, "directory name", &value[1],
                                     "up to 63 letters, digits, - _ .");
    }
    dir = ngx_http_wba_directory_add(cf, conf, &value[1]);
    if (dir == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&block, sizeof(block));
    block.dir = dir;

    save = *cf;
    cf->handler = ngx_http_wba_block_line;
    cf->handler_conf = (void *) &block;
    rv = ngx_conf_parse(cf, NULL);
    *cf = save;
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

/* ---- when all blocks are read */

typedef struct {
    ngx_conf_t *cf;
    ngx_http_wba_directory_t *dir;
} ngx_http_wba_file_report_t;

static void
ngx_http_wba_file_report(void *data, const wba_jwks_note_t *note)
{
    ngx_uint_t                   level;
    ngx_http_wba_file_report_t  *report = data;
    ngx_http_wba_directory_t    *dir = report->dir;

    if (note->severity == WBA_JWKS_TAKEN) {
        return;
    }
    level = note->severity == WBA_JWKS_ALERT ? NGX_LOG_ERR : NGX_LOG_WARN;
    ngx_log_error(level, report->cf->log, 0,
                  "web_bot_auth: directory %V, entry %uz: %s, in %V",
                  &dir->name, note->index, note->text, &dir->path);
}

/* What a key of this directory may be used with. */
unsigned
ngx_http_wba_algorithms(ngx_http_wba_directory_t *dir)
{
    return dir->core->profile.algorithms & wba_alg_supported();
}

static u_char *
ngx_http_wba_read_file(ngx_conf_t *cf, ngx_http_wba_directory_t *dir,
    size_t *len)
{
    off_t        size;
    ssize_t      n;
    u_char      *data = NULL;
    ngx_file_t   file;

    ngx_memzero(&file, sizeof(ngx_file_t));
    file.name = dir->path;
    file.log = cf->log;
    file.fd = ngx_open_file(dir->path.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (file.fd == NGX_INVALID_FILE
        || ngx_fd_info(file.fd, &file.info) == NGX_FILE_ERROR)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, ngx_errno,
                      "the keys of directory \"%V\" cannot be read from "
                      "\"%V\", in %s:%ui", &dir->name, &dir->path,
                      dir->conf_file, dir->conf_line);
        goto done;
    }

    size = ngx_file_size(&file.info);
    if (size > (off_t) dir->max_size) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%V\" has %O bytes, more than \"max_size\" of "
                      "directory \"%V\" allows, in %s:%ui", &dir->path, size,
                      &dir->name, dir->conf_file, dir->conf_line);
        goto done;
    }

    data = ngx_pnalloc(cf->pool, size + 1);
    if (data == NULL) {
        goto done;
    }
    n = ngx_read_file(&file, data, size, 0);
    if (n == NGX_ERROR) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, ngx_errno,
                      "\"%V\" cannot be read, in %s:%ui", &dir->path,
                      dir->conf_file, dir->conf_line);
        data = NULL;
        goto done;
    }
    *len = n;

done:

    if (file.fd != NGX_INVALID_FILE) {
        ngx_close_file(file.fd);
    }
    return data;
}

static char *
ngx_http_wba_load_file(ngx_conf_t *cf,
    ngx_http_web_bot_auth_main_conf_t *mcf, ngx_http_wba_directory_t *dir)
{
    size_t                       len = 0;
    u_char                      *data;
    wba_jwks_options_t           options;
    wba_jwks_summary_t           summary;
    ngx_http_wba_file_report_t   report;

    data = ngx_http_wba_read_file(cf, dir, &len);
    if (data == NULL) {
        return NGX_CONF_ERROR;
    }

    report.cf = cf;
    report.dir = dir;
    ngx_memzero(&options, sizeof(options));
    options.max_size = dir->max_size;
    options.max_keys = dir->max_keys;
    options.test_keys = mcf->test_keys;
    options.algorithms = ngx_http_wba_algorithms(dir);

    if (wba_jwks_parse(wba_str(data, len), &options, ngx_http_wba_file_report,
                       &report, &dir->file_set, &summary)
        != WBA_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "no usable key set in \"%V\" for directory \"%V\": %s, "
                      "in %s:%ui", &dir->path, &dir->name, summary.error,
                      dir->conf_file, dir->conf_line);
        return NGX_CONF_ERROR;
    }
    if (wba_keyset_count(dir->file_set) == 0) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "web_bot_auth: \"%V\" is an empty key set, directory "
                      "\"%V\" verifies nothing", &dir->path, &dir->name);
    }
    return NGX_CONF_OK;
}

/* All that decides what a fetched key set is: when any of it changes, keys
 * that were fetched under the old settings must not be used. */
static uint64_t
ngx_http_wba_directory_hash(ngx_http_web_bot_auth_main_conf_t *mcf,
    ngx_http_wba_directory_t *dir)
{
    u_char                buf[WBA_MAX_URL + 64], *p;
    uint64_t              hash;
    static const uint8_t  key[crypto_shorthash_KEYBYTES];

    p = ngx_snprintf(buf, sizeof(buf), "%V %i %ui %uz %ui", &dir->url,
                     (ngx_int_t) mcf->test_keys, dir->max_keys, dir->max_size,
                     (ngx_uint_t) ngx_http_wba_algorithms(dir));
    crypto_shorthash((uint8_t *) &hash, buf, p - buf, key);
    return hash;
}

char *
ngx_http_web_bot_auth_load_directories(ngx_conf_t *cf,
    ngx_http_web_bot_auth_main_conf_t *mcf)
{
    size_t                      max;
    ngx_uint_t                  i, n = mcf->directories.nelts;
    ngx_http_wba_directory_t  **dirs = mcf->directories.elts;

    if (n > NGX_HTTP_WBA_MAX_DIRECTORIES) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "%ui directories are more than the %d that are "
                      "supported", n, NGX_HTTP_WBA_MAX_DIRECTORIES);
        return NGX_CONF_ERROR;
    }

    mcf->core_directories = ngx_palloc(cf->pool, n * sizeof(wba_directory_t));
    if (mcf->core_directories == NULL) {
        return NGX_CONF_ERROR;
    }
    for (i = 0; i < n; i++) {
        mcf->core_directories[i] = *dirs[i]->core;
        dirs[i]->core = &mcf->core_directories[i];
        dirs[i]->hash = ngx_http_wba_directory_hash(mcf, dirs[i]);

        if (dirs[i]->path.len
            && ngx_http_wba_load_file(cf, mcf, dirs[i]) != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    max = sizeof(mcf->tags) / sizeof(mcf->tags[0]);
    mcf->env.directories = mcf->core_directories;
    mcf->env.ndirectories = n;
    mcf->env.tags = mcf->tags;
    mcf->env.ntags = wba_served_tags(mcf->core_directories, n, mcf->tags, max);
    mcf->env.nonce_seen = ngx_http_wba_replay_seen;
    mcf->env.ctx = mcf;

    if (mcf->env.ntags > max) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "the directories serve %uz different tags, more than "
                      "the %uz that are supported", mcf->env.ntags, max);
        return NGX_CONF_ERROR;
    }
    return NGX_CONF_OK;
}
