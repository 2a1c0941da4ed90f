/* SPDX-License-Identifier: BSD-2-Clause */
/* The words of web_bot_auth_directory and web_bot_auth_discovery. */
#include "ngx_http_web_bot_auth_block.h"

typedef char *(*ngx_http_wba_word_pt)(ngx_conf_t *cf,
    ngx_http_wba_block_t *block, ngx_str_t *args, ngx_uint_t nargs);

typedef struct {
    ngx_str_t name;
    ngx_uint_t in;
    ngx_uint_t min; /* arguments */
    ngx_uint_t max;
    ngx_http_wba_word_pt set;
} ngx_http_wba_word_t;

/* Words of which one may be chosen, at most. */
#define NGX_HTTP_WBA_CHOICES  8

char *
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

    if (args[0].len > 7 && ngx_strncasecmp(args[0].data, (u_char *) "http://",
                                           7)
                           == 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "keys from \"%V\" could be anybody's, as http is "
                           "not protected: write \"url https://%*s\", or bring "
                           "a file and write \"url file:PATH\"", &args[0],
                           args[0].len - 7, args[0].data + 7);
        return NGX_CONF_ERROR;
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
    size_t     n;
    ngx_int_t  i;
    wba_str_t  names[NGX_HTTP_WBA_CHOICES];

    for (n = 0; n < NGX_HTTP_WBA_CHOICES && wba_profile_at(n); n++) {
        names[n] = wba_str_z(wba_profile_at(n)->name);
    }
    i = ngx_http_wba_choose(cf, "profile", &args[0], names, n);
    if (i == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }
    block->profile = wba_profile_at(i);
    return NGX_CONF_OK;
}

/* Of a parameter of Signature-Input, which tags are, no more is possible. */
static ngx_uint_t
ngx_http_wba_is_printable(ngx_str_t *s)
{
    size_t  i;

    for (i = 0; i < s->len; i++) {
        if (s->data[i] < 0x20 || s->data[i] > 0x7e) {
            return 0;
        }
    }
    return 1;
}

static char *
ngx_http_wba_word_tags(ngx_conf_t *cf, ngx_http_wba_block_t *block,
    ngx_str_t *args, ngx_uint_t nargs)
{
    ngx_uint_t      i;
    wba_profile_t  *over = &block->over;

    for (i = 0; i < nargs; i++) {
        if (args[i].len == 0 || args[i].len > WBA_MAX_TAG
            || !ngx_http_wba_is_printable(&args[i]))
        {
            return ngx_http_wba_complain(cf, "tag", &args[i],
                                         "up to 128 printable ASCII "
                                         "characters, for instance "
                                         "agent-browser-auth");
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
    size_t          n = 0;
    wba_alg_t       alg;
    wba_str_t       names[NGX_HTTP_WBA_CHOICES];
    unsigned        bit;
    ngx_uint_t      i;
    wba_profile_t  *over = &block->over;

    for (bit = 1; bit <= WBA_ALG_ALL; bit <<= 1) {
        names[n++] = wba_str_z(wba_alg_name(bit));
    }
    for (i = 0; i < nargs; i++) {
        alg = wba_alg_by_name(ngx_http_wba_view(args[i]));
        if (alg == WBA_ALG_NONE) {
            (void) ngx_http_wba_choose(cf, "algorithm", &args[i], names, n);
            return NGX_CONF_ERROR;
        }
        over->algorithms |= alg;
    }
    return NGX_CONF_OK;
}

static char *
ngx_http_wba_word_nonce(ngx_conf_t *cf, ngx_http_wba_block_t *block,
    ngx_str_t *args, ngx_uint_t nargs)
{
    ngx_int_t               i;
    static const wba_str_t  names[] = { NGX_HTTP_WBA_NAME("optional"),
                                        NGX_HTTP_WBA_NAME("required") };

    i = ngx_http_wba_choose(cf, "nonce", &args[0], names, 2);
    block->over.nonce_required = i == 1;
    return i == NGX_ERROR ? NGX_CONF_ERROR : NGX_CONF_OK;
}

/* What a time may be at most, a hundred years: sums of them, in milliseconds,
 * fit.  Of 32 bits, ten years. */
#if (NGX_TIME_T_SIZE == 8)
#define NGX_HTTP_WBA_MAX_DAYS  "36500"
#define NGX_HTTP_WBA_MAX_TIME  (INT64_C(36500) * 24 * 60 * 60)
#else
#define NGX_HTTP_WBA_MAX_DAYS  "3650"
#define NGX_HTTP_WBA_MAX_TIME  (3650 * 24 * 60 * 60)
#endif

static char *
ngx_http_wba_seconds(ngx_conf_t *cf, const char *what, ngx_str_t *value,
    time_t *to)
{
    *to = ngx_parse_time(value, 1);
    if (*to == (time_t) NGX_ERROR || *to == 0 || *to > NGX_HTTP_WBA_MAX_TIME)
    {
        return ngx_http_wba_complain(cf, what, value,
                                     "a time up to " NGX_HTTP_WBA_MAX_DAYS
                                     "d, for instance 8m");
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
    ngx_http_wba_bounds_t  *bounds = block->bounds;

    if (ngx_http_wba_period(cf, "refresh", &args[0], &bounds->refresh_min)
        != NGX_CONF_OK
        || ngx_http_wba_period(cf, "refresh", &args[1], &bounds->refresh_max)
           != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }
    if (bounds->refresh_min > bounds->refresh_max) {
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
    block->bounds->max_keys_said = 1;
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
    ngx_int_t               i;
    static const wba_str_t  names[] = { NGX_HTTP_WBA_NAME("off"),
                                        NGX_HTTP_WBA_NAME("required") };

    i = ngx_http_wba_choose(cf, "proof", &args[0], names, 2);
    block->bounds->proof_required = i == 1;
    return i == NGX_ERROR ? NGX_CONF_ERROR : NGX_CONF_OK;
}

static char *
ngx_http_wba_word_redirect(ngx_conf_t *cf, ngx_http_wba_block_t *block,
    ngx_str_t *args, ngx_uint_t nargs)
{
    ngx_int_t               i;
    static const wba_str_t  names[] = { NGX_HTTP_WBA_NAME("off"),
                                        NGX_HTTP_WBA_NAME("www") };

    i = ngx_http_wba_choose(cf, "redirect", &args[0], names, 2);
    block->bounds->redirect_www = i == 1;
    return i == NGX_ERROR ? NGX_CONF_ERROR : NGX_CONF_OK;
}

static char *
ngx_http_wba_word_lenient(ngx_conf_t *cf, ngx_http_wba_block_t *block,
    ngx_str_t *args, ngx_uint_t nargs)
{
    size_t      n;
    wba_str_t   names[NGX_HTTP_WBA_CHOICES];
    ngx_uint_t  i;

    for (n = 0; n < NGX_HTTP_WBA_CHOICES && wba_lenient_at(n).data; n++) {
        names[n] = wba_lenient_at(n);
    }
    for (i = 0; i < nargs; i++) {
        if (ngx_http_wba_choose(cf, "leniency", &args[i], names, n)
            == NGX_ERROR)
        {
            return NGX_CONF_ERROR;
        }
        block->core->lenient |= wba_lenient_by_name(ngx_http_wba_view(args[i]));
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
};

#define NGX_HTTP_WBA_WORDS                                                    \
    (sizeof(ngx_http_wba_words) / sizeof(ngx_http_wba_words[0]))

/* ---- a line */

static char *
ngx_http_wba_unknown_word(ngx_conf_t *cf, ngx_uint_t in, ngx_str_t *value)
{
    wba_str_t    names[NGX_HTTP_WBA_WORDS];
    ngx_str_t    hint, either;
    ngx_uint_t   i, n = 0;
    wba_nearest_t  nearest;

    wba_nearest_init(&nearest, ngx_http_wba_view(*value));
    for (i = 0; i < NGX_HTTP_WBA_WORDS; i++) {
        if (ngx_http_wba_words[i].in & in) {
            names[n] = ngx_http_wba_view(ngx_http_wba_words[i].name);
            wba_nearest_offer(&nearest, names[n++]);
        }
    }
    hint = ngx_http_wba_did_you_mean(cf, &nearest);
    either = ngx_http_wba_either(cf, names, n);
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown word \"%V\" in web_bot_auth_%s%V, write %V",
                       value,
                       in == NGX_HTTP_WBA_IN_DIRECTORY ? "directory"
                                                       : "discovery",
                       &hint, &either);
    return NGX_CONF_ERROR;
}

char *
ngx_http_wba_block_line(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    ngx_str_t                  *value = cf->args->elts;
    ngx_uint_t                  i, nargs = cf->args->nelts - 1;
    ngx_http_wba_block_t       *block = conf;
    const ngx_http_wba_word_t  *word;

    for (i = 0; i < NGX_HTTP_WBA_WORDS; i++) {
        word = &ngx_http_wba_words[i];
        if (!(word->in & block->in) || word->name.len != value[0].len
            || ngx_strncmp(word->name.data, value[0].data, value[0].len) != 0)
        {
            continue;
        }
        if (nargs < word->min || nargs > word->max) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" takes %s%ui value%s, not %ui",
                               &value[0], word->min < word->max ? "1 to " : "",
                               word->max, word->max == 1 ? "" : "s", nargs);
            return NGX_CONF_ERROR;
        }
        /* Of patterns there may be many lines. */
        if ((block->seen & (1u << i))
            && (1u << i) != NGX_HTTP_WBA_SEEN_ALLOW)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" stands twice in one block: remove one",
                               &value[0]);
            return NGX_CONF_ERROR;
        }
        block->seen |= 1u << i;
        return word->set(cf, block, &value[1], nargs);
    }

    return ngx_http_wba_unknown_word(cf, block->in, &value[0]);
}
