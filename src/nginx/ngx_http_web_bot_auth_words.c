/* SPDX-License-Identifier: BSD-2-Clause */
/* web_bot_auth_directory NAME { ... } and web_bot_auth_discovery { ... }:
 * reading the blocks. */
#include "ngx_http_web_bot_auth_module.h"

typedef struct ngx_http_wba_block_s ngx_http_wba_block_t;

typedef char *(*ngx_http_wba_word_pt)(ngx_conf_t *cf,
    ngx_http_wba_block_t *block, ngx_str_t *args, ngx_uint_t nargs);

/* In which blocks a word may stand. */
#define NGX_HTTP_WBA_IN_DIRECTORY 1
#define NGX_HTTP_WBA_IN_DISCOVERY 2
#define NGX_HTTP_WBA_IN_BOTH      3

typedef struct {
    ngx_str_t name;
    ngx_uint_t in;
    ngx_uint_t min; /* arguments */
    ngx_uint_t max;
    ngx_http_wba_word_pt set;
} ngx_http_wba_word_t;

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

static char *
ngx_http_wba_complain(ngx_conf_t *cf, const char *what, ngx_str_t *value,
    const char *write)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid %s \"%V\", write %s",
                       what, value, write);
    return NGX_CONF_ERROR;
}

/* ---- one function per word */

static char *
ngx_http_wba_word_url(ngx_conf_t *cf, ngx_http_wba_block_t *block,
    ngx_str_t *args, ngx_uint_t nargs)
{
    wba_mem_t                  mem = ngx_http_wba_pool_mem(cf->pool);
    wba_str_t                  url;
    wba_uri_t                  uri;
    ngx_http_wba_directory_t  *dir = block->dir;
    ngx_http_wba_source_t     *source = &dir->source;

    source->url = args[0];

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
    source->url.data = ngx_pnalloc(cf->pool, url.len + 1);
    if (source->url.data == NULL) {
        return NGX_CONF_ERROR;
    }
    source->url.len = url.len;
    ngx_cpystrn(source->url.data, (u_char *) url.data, url.len + 1);
    source->well_known = wba_str_eq(uri.path, WBA_STR(WBA_WELL_KNOWN_PATH));
    return NGX_CONF_OK;
}

static char *
ngx_http_wba_word_profile(ngx_conf_t *cf, ngx_http_wba_block_t *block,
    ngx_str_t *args, ngx_uint_t nargs)
{
    block->profile = wba_profile_find(ngx_http_wba_view(args[0]));
    if (block->profile == NULL) {
        return ngx_http_wba_complain(cf, "profile", &args[0],
                                     "tap, agent-pay or web-bot-auth");
    }
    return NGX_CONF_OK;
}

static char *
ngx_http_wba_word_tags(ngx_conf_t *cf, ngx_http_wba_block_t *block,
    ngx_str_t *args, ngx_uint_t nargs)
{
    ngx_uint_t      i;
    wba_profile_t  *over = &block->over;

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
ngx_http_wba_word_components(ngx_conf_t *cf, ngx_http_wba_block_t *block,
    ngx_str_t *args, ngx_uint_t nargs)
{
    ngx_uint_t      i;
    wba_profile_t  *over = &block->over;

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
ngx_http_wba_word_algorithms(ngx_conf_t *cf, ngx_http_wba_block_t *block,
    ngx_str_t *args, ngx_uint_t nargs)
{
    wba_alg_t       alg;
    ngx_uint_t      i;
    wba_profile_t  *over = &block->over;

    for (i = 0; i < nargs; i++) {
        alg = wba_alg_by_name(ngx_http_wba_view(args[i]));
        if (alg == WBA_ALG_NONE) {
            return ngx_http_wba_complain(cf, "algorithm", &args[i],
                                         "ed25519, ecdsa-p256-sha256, "
                                         "rsa-pss-sha512 or rsa-pss-sha256");
        }
        over->algorithms |= alg;
    }
    return NGX_CONF_OK;
}

static char *
ngx_http_wba_word_nonce(ngx_conf_t *cf, ngx_http_wba_block_t *block,
    ngx_str_t *args, ngx_uint_t nargs)
{
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
ngx_http_wba_word_max_lifetime(ngx_conf_t *cf, ngx_http_wba_block_t *block,
    ngx_str_t *args, ngx_uint_t nargs)
{
    time_t   t;
    char    *rv;

    rv = ngx_http_wba_seconds(cf, "max_lifetime", &args[0], &t);
    block->over.max_lifetime = t;
    return rv;
}

/* refresh and stale together are kept in milliseconds, which are compared by
 * their signed difference. */
static char *
ngx_http_wba_period(ngx_conf_t *cf, const char *what, ngx_str_t *value,
    time_t *to)
{
    char  *rv;

    rv = ngx_http_wba_seconds(cf, what, value, to);
#if (NGX_PTR_SIZE == 4)
    if (rv == NGX_CONF_OK && *to > 12 * 24 * 60 * 60) {
        rv = ngx_http_wba_complain(cf, what, value, "a time up to 12d, as "
                                   "this nginx is a 32-bit program");
    }
#endif
    return rv;
}

static char *
ngx_http_wba_word_refresh(ngx_conf_t *cf, ngx_http_wba_block_t *block,
    ngx_str_t *args, ngx_uint_t nargs)
{
    if (ngx_http_wba_period(cf, "refresh", &args[0], &block->bounds->refresh_min)
        != NGX_CONF_OK
        || ngx_http_wba_period(cf, "refresh", &args[1], &block->bounds->refresh_max)
           != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }
    if (block->bounds->refresh_min > block->bounds->refresh_max) {
        return ngx_http_wba_complain(cf, "refresh", &args[0],
                                     "the smaller time first");
    }
    return NGX_CONF_OK;
}

static char *
ngx_http_wba_word_stale(ngx_conf_t *cf, ngx_http_wba_block_t *block,
    ngx_str_t *args, ngx_uint_t nargs)
{
    return ngx_http_wba_period(cf, "stale", &args[0], &block->bounds->stale);
}

static char *
ngx_http_wba_word_timeout(ngx_conf_t *cf, ngx_http_wba_block_t *block,
    ngx_str_t *args, ngx_uint_t nargs)
{
    ngx_int_t  ms;

    ms = ngx_parse_time(&args[0], 0);
    if (ms == NGX_ERROR || ms == 0 || ms > 60000) {
        return ngx_http_wba_complain(cf, "timeout", &args[0],
                                     "a time up to 60s, for instance 5s");
    }
    block->bounds->timeout = ms;
    return NGX_CONF_OK;
}

static char *
ngx_http_wba_word_max_size(ngx_conf_t *cf, ngx_http_wba_block_t *block,
    ngx_str_t *args, ngx_uint_t nargs)
{
    ssize_t  size;

    size = ngx_parse_size(&args[0]);
    if (size == NGX_ERROR || size == 0 || size > WBA_MAX_JWKS) {
        return ngx_http_wba_complain(cf, "max_size", &args[0],
                                     "a size up to 16m, for instance 1m");
    }
    block->bounds->max_size = size;
    return NGX_CONF_OK;
}

static char *
ngx_http_wba_word_max_keys(ngx_conf_t *cf, ngx_http_wba_block_t *block,
    ngx_str_t *args, ngx_uint_t nargs)
{
    ngx_int_t  n;

    n = ngx_atoi(args[0].data, args[0].len);
    if (n == NGX_ERROR || n == 0 || n > WBA_MAX_KEYS) {
        return ngx_http_wba_complain(cf, "max_keys", &args[0],
                                     "a number from 1 to 100000");
    }
    block->bounds->max_keys = n;
    return NGX_CONF_OK;
}

static char *
ngx_http_wba_word_agent(ngx_conf_t *cf, ngx_http_wba_block_t *block,
    ngx_str_t *args, ngx_uint_t nargs)
{
    wba_mem_t   mem = ngx_http_wba_pool_mem(cf->pool);
    wba_str_t   url = ngx_http_wba_view(args[0]);

    if (wba_agent_resolve(&mem, url, &block->core->agent) != WBA_OK
        || wba_agent_identity(&mem, url, &block->core->agent_identity)
           != WBA_OK)
    {
        return ngx_http_wba_complain(cf, "agent", &args[0],
                                     "an https URL as the agent's "
                                     "Signature-Agent has it");
    }
    return NGX_CONF_OK;
}

static char *
ngx_http_wba_word_proof(ngx_conf_t *cf, ngx_http_wba_block_t *block,
    ngx_str_t *args, ngx_uint_t nargs)
{
    if (ngx_strcmp(args[0].data, "required") == 0) {
        block->bounds->proof_required = 1;
    } else if (ngx_strcmp(args[0].data, "off") != 0) {
        return ngx_http_wba_complain(cf, "proof", &args[0],
                                     "off or required");
    }
    return NGX_CONF_OK;
}

static char *
ngx_http_wba_word_redirect(ngx_conf_t *cf, ngx_http_wba_block_t *block,
    ngx_str_t *args, ngx_uint_t nargs)
{
    if (ngx_strcmp(args[0].data, "www") == 0) {
        block->bounds->redirect_www = 1;
    } else if (ngx_strcmp(args[0].data, "off") != 0) {
        return ngx_http_wba_complain(cf, "redirect", &args[0], "off or www");
    }
    return NGX_CONF_OK;
}

static char *
ngx_http_wba_word_lenient(ngx_conf_t *cf, ngx_http_wba_block_t *block,
    ngx_str_t *args, ngx_uint_t nargs)
{
    unsigned    flag;
    ngx_uint_t  i;

    for (i = 0; i < nargs; i++) {
        flag = wba_lenient_by_name(ngx_http_wba_view(args[i]));
        if (flag == 0) {
            return ngx_http_wba_complain(cf, "leniency", &args[i],
                                         "unquoted-agent, agent-type, "
                                         "bare-jwk or visa-sample");
        }
        block->core->lenient |= flag;
    }
    return NGX_CONF_OK;
}

/* ---- of discovery alone */

static char *
ngx_http_wba_word_any(ngx_conf_t *cf, ngx_http_wba_block_t *block,
    ngx_str_t *args, ngx_uint_t nargs)
{
    block->discovery->core.any = 1;
    return NGX_CONF_OK;
}

static char *
ngx_http_wba_word_allow(ngx_conf_t *cf, ngx_http_wba_block_t *block,
    ngx_str_t *args, ngx_uint_t nargs)
{
    wba_mem_t             mem = ngx_http_wba_pool_mem(cf->pool);
    ngx_uint_t            i;
    wba_agent_pattern_t  *pattern;

    for (i = 0; i < nargs; i++) {
        pattern = ngx_array_push(&block->discovery->allow);
        if (pattern == NULL) {
            return NGX_CONF_ERROR;
        }
        if (wba_agent_pattern_parse(&mem, ngx_http_wba_view(args[i]), pattern)
            != WBA_OK)
        {
            return ngx_http_wba_complain(cf, "pattern", &args[i],
                                         "https://HOST, *.DOMAIN or "
                                         "https://HOST/PATH");
        }
    }
    return NGX_CONF_OK;
}

static char *
ngx_http_wba_number(ngx_conf_t *cf, const char *what, ngx_str_t *value,
    ngx_uint_t max, ngx_uint_t *to)
{
    ngx_int_t  n;

    n = ngx_atoi(value->data, value->len);
    if (n == NGX_ERROR || n == 0 || (ngx_uint_t) n > max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid %s \"%V\", write a number from 1 to %ui",
                           what, value, max);
        return NGX_CONF_ERROR;
    }
    *to = n;
    return NGX_CONF_OK;
}

static char *
ngx_http_wba_word_max_directories(ngx_conf_t *cf, ngx_http_wba_block_t *block,
    ngx_str_t *args, ngx_uint_t nargs)
{
    return ngx_http_wba_number(cf, "max_directories", &args[0],
                               NGX_HTTP_WBA_FOUND_MAX,
                               &block->discovery->max_directories);
}

static char *
ngx_http_wba_word_new_per_minute(ngx_conf_t *cf, ngx_http_wba_block_t *block,
    ngx_str_t *args, ngx_uint_t nargs)
{
    return ngx_http_wba_number(cf, "new_per_minute", &args[0], 6000,
                               &block->discovery->new_per_minute);
}

static char *
ngx_http_wba_word_concurrent(ngx_conf_t *cf, ngx_http_wba_block_t *block,
    ngx_str_t *args, ngx_uint_t nargs)
{
    return ngx_http_wba_number(cf, "concurrent", &args[0], WBA_FETCH_JOBS,
                               &block->discovery->concurrent);
}

#define NGX_HTTP_WBA_MAX_PATTERNS  64

static const ngx_http_wba_word_t  ngx_http_wba_words[] = {
    { ngx_string("url"), NGX_HTTP_WBA_IN_DIRECTORY, 1, 1,
      ngx_http_wba_word_url },
    { ngx_string("profile"), NGX_HTTP_WBA_IN_DIRECTORY, 1, 1,
      ngx_http_wba_word_profile },
    { ngx_string("tags"), NGX_HTTP_WBA_IN_BOTH, 1, WBA_MAX_TAGS,
      ngx_http_wba_word_tags },
    { ngx_string("components"), NGX_HTTP_WBA_IN_BOTH, 1, WBA_MAX_REQUIRED,
      ngx_http_wba_word_components },
    { ngx_string("algorithms"), NGX_HTTP_WBA_IN_BOTH, 1, 4,
      ngx_http_wba_word_algorithms },
    { ngx_string("nonce"), NGX_HTTP_WBA_IN_BOTH, 1, 1,
      ngx_http_wba_word_nonce },
    { ngx_string("max_lifetime"), NGX_HTTP_WBA_IN_BOTH, 1, 1,
      ngx_http_wba_word_max_lifetime },
    { ngx_string("refresh"), NGX_HTTP_WBA_IN_BOTH, 2, 2,
      ngx_http_wba_word_refresh },
    { ngx_string("stale"), NGX_HTTP_WBA_IN_BOTH, 1, 1,
      ngx_http_wba_word_stale },
    { ngx_string("timeout"), NGX_HTTP_WBA_IN_BOTH, 1, 1,
      ngx_http_wba_word_timeout },
    { ngx_string("max_size"), NGX_HTTP_WBA_IN_BOTH, 1, 1,
      ngx_http_wba_word_max_size },
    { ngx_string("max_keys"), NGX_HTTP_WBA_IN_BOTH, 1, 1,
      ngx_http_wba_word_max_keys },
    { ngx_string("agent"), NGX_HTTP_WBA_IN_DIRECTORY, 1, 1,
      ngx_http_wba_word_agent },
    { ngx_string("proof"), NGX_HTTP_WBA_IN_BOTH, 1, 1,
      ngx_http_wba_word_proof },
    { ngx_string("redirect"), NGX_HTTP_WBA_IN_DIRECTORY, 1, 1,
      ngx_http_wba_word_redirect },
    { ngx_string("lenient"), NGX_HTTP_WBA_IN_BOTH, 1, 4,
      ngx_http_wba_word_lenient },
    { ngx_string("any"), NGX_HTTP_WBA_IN_DISCOVERY, 0, 0,
      ngx_http_wba_word_any },
    { ngx_string("allow"), NGX_HTTP_WBA_IN_DISCOVERY, 1,
      NGX_HTTP_WBA_MAX_PATTERNS, ngx_http_wba_word_allow },
    { ngx_string("max_directories"), NGX_HTTP_WBA_IN_DISCOVERY, 1, 1,
      ngx_http_wba_word_max_directories },
    { ngx_string("new_per_minute"), NGX_HTTP_WBA_IN_DISCOVERY, 1, 1,
      ngx_http_wba_word_new_per_minute },
    { ngx_string("concurrent"), NGX_HTTP_WBA_IN_DISCOVERY, 1, 1,
      ngx_http_wba_word_concurrent },
    { ngx_null_string, 0, 0, 0, NULL }
};

/* Places in the table above, as bits of block->seen. */
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

/* ---- the blocks */

/* The names of all words that may stand there, for a message. */
static ngx_str_t
ngx_http_wba_word_names(ngx_conf_t *cf, ngx_uint_t in)
{
    size_t      len = 0;
    u_char     *p;
    ngx_str_t   names = ngx_null_string;
    ngx_uint_t  i;

    for (i = 0; ngx_http_wba_words[i].name.len; i++) {
        len += ngx_http_wba_words[i].name.len + 2;
    }
    names.data = ngx_pnalloc(cf->pool, len);
    if (names.data == NULL) {
        return names;
    }
    p = names.data;
    for (i = 0; ngx_http_wba_words[i].name.len; i++) {
        if (ngx_http_wba_words[i].in & in) {
            p = ngx_sprintf(p, "%s%V", p == names.data ? "" : ", ",
                            &ngx_http_wba_words[i].name);
        }
    }
    names.len = p - names.data;
    return names;
}

static char *
ngx_http_wba_block_line(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    ngx_str_t                  *value = cf->args->elts, names;
    ngx_uint_t                  i, nargs = cf->args->nelts - 1;
    ngx_http_wba_block_t       *block = conf;
    const ngx_http_wba_word_t  *word;

    for (i = 0; ngx_http_wba_words[i].name.len; i++) {
        word = &ngx_http_wba_words[i];
        if (!(word->in & block->in) || word->name.len != value[0].len
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
        /* Of patterns there may be many lines. */
        if ((block->seen & (1u << i))
            && (1u << i) != NGX_HTTP_WBA_SEEN_ALLOW)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" stands twice in one block",
                               &value[0]);
            return NGX_CONF_ERROR;
        }
        block->seen |= 1u << i;
        return word->set(cf, block, &value[1], nargs);
    }

    names = ngx_http_wba_word_names(cf, block->in);
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown word \"%V\" in web_bot_auth_%s, write one of "
                       "%V", &value[0],
                       block->in == NGX_HTTP_WBA_IN_DIRECTORY ? "directory"
                                                              : "discovery",
                       &names);
    return NGX_CONF_ERROR;
}

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
    dir->source.mcf = mcf;
    dir->source.name = *name;
    dir->source.bounds = &dir->bounds;
    ngx_http_wba_bounds_default(&dir->bounds);
    dir->conf_file = cf->conf_file->file.name.data;
    dir->conf_line = cf->conf_file->line;
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
    discovery->conf_file = cf->conf_file->file.name.data;
    discovery->conf_line = cf->conf_file->line;
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
