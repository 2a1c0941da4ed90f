/* SPDX-License-Identifier: BSD-2-Clause */
/* When all blocks are read: the key sets of file: sources, and what core needs
 * to know about directories. */
#include "ngx_http_web_bot_auth_module.h"

#include <sodium.h>

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
                  "web_bot_auth: directory %V, entry %uz: %s, in %V, which is "
                  "named in %s:%ui", &dir->name, note->index, note->text,
                  &dir->path, dir->place.file, dir->place.line);
}

unsigned
ngx_http_wba_algorithms(const wba_directory_t *directory)
{
    return directory->profile.algorithms & wba_alg_supported();
}

wba_jwks_options_t
ngx_http_wba_jwks_options(ngx_http_web_bot_auth_main_conf_t *mcf,
    const ngx_http_wba_bounds_t *bounds, const wba_directory_t *directory)
{
    wba_jwks_options_t  options;

    ngx_memzero(&options, sizeof(options));
    options.max_size = bounds->max_size;
    options.max_keys = bounds->max_keys;
    options.test_keys = mcf->test_keys;
    options.algorithms = ngx_http_wba_algorithms(directory);
    options.bare_jwk = (directory->lenient & WBA_LENIENT_BARE_JWK) != 0;
    return options;
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
                      "\"%V\": write \"url file:PATH\" with a file that is "
                      "there, in %s:%ui", &dir->name, &dir->path,
                      dir->place.file, dir->place.line);
        goto done;
    }

    size = ngx_file_size(&file.info);
    if (size > (off_t) dir->bounds.max_size) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%V\" has %O bytes, more than directory \"%V\" "
                      "allows: write a larger \"max_size\", in %s:%ui",
                      &dir->path, size, &dir->name, dir->place.file,
                      dir->place.line);
        goto done;
    }

    data = ngx_pnalloc(cf->pool, size + 1);
    if (data == NULL) {
        goto done;
    }
    n = ngx_read_file(&file, data, size, 0);
    if (n == NGX_ERROR) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, ngx_errno,
                      "\"%V\" cannot be read: write \"url file:PATH\" with a "
                      "file of JSON, in %s:%ui", &dir->path,
                      dir->place.file, dir->place.line);
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
    options = ngx_http_wba_jwks_options(mcf, &dir->bounds, dir->core);

    if (wba_jwks_parse(wba_str(data, len), &options, ngx_http_wba_file_report,
                       &report, &dir->file_set, &summary)
        != WBA_OK
        || (summary.compromised && summary.usable == 0))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "no usable key set in \"%V\" for directory \"%V\": "
                      "%s; bring a JWK Set of public keys, in %s:%ui",
                      &dir->path, &dir->name,
                      summary.error[0] ? summary.error : "no entry is usable",
                      dir->place.file, dir->place.line);
        return NGX_CONF_ERROR;
    }
    if (wba_keyset_count(dir->file_set) == 0) {
        ngx_http_wba_warn(cf->log, &dir->place,
                          "directory \"%V\" verifies nothing, as \"%V\" is an "
                          "empty key set: bring keys, or remove the directory",
                          &dir->name, &dir->path);
    }
    return NGX_CONF_OK;
}

/* When any of it changes, keys that were fetched under the old settings must
 * not be used. */
ngx_atomic_uint_t
ngx_http_wba_source_hash(ngx_http_web_bot_auth_main_conf_t *mcf,
    const ngx_http_wba_bounds_t *bounds, const wba_directory_t *directory,
    ngx_str_t *url)
{
    u_char                buf[WBA_MAX_URL + 256], *p;
    uint64_t              hash;
    ngx_atomic_uint_t     word;
    static const uint8_t  key[crypto_shorthash_KEYBYTES];

    p = ngx_snprintf(buf, sizeof(buf), "%V %i %i %uL %ui %uz %ui %ui %ui %ui",
                     url, (ngx_int_t) mcf->private_addresses,
                     (ngx_int_t) mcf->test_keys, mcf->trusted_hash,
                     bounds->max_keys,
                     bounds->max_size,
                     (ngx_uint_t) ngx_http_wba_algorithms(directory),
                     (ngx_uint_t) bounds->proof_required,
                     (ngx_uint_t) bounds->redirect_www,
                     (ngx_uint_t) (directory->lenient
                                   & WBA_LENIENT_BARE_JWK));
    crypto_shorthash((uint8_t *) &hash, buf, p - buf, key);
    word = (ngx_atomic_uint_t) hash;
    return word ? word : 1;
}

/* Room for it in the zone, and the rest that depends on other directives. */
static char *
ngx_http_wba_load_discovery(ngx_conf_t *cf,
    ngx_http_web_bot_auth_main_conf_t *mcf)
{
    ngx_uint_t                 fit = ngx_http_wba_zone_found(mcf->zone_size);
    ngx_http_wba_discovery_t  *discovery = mcf->discovery;

    discovery->core.any_port = mcf->private_addresses;
    mcf->env.discovery = &discovery->core;

    if (discovery->max_directories == 0) {
        discovery->max_directories = ngx_min(256, fit);
    }
    if (discovery->max_directories > fit) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "the zone holds %ui discovered directories, fewer than "
                      "\"max_directories %ui\": enlarge it by "
                      "\"web_bot_auth_zone %uzm\", in %s:%ui", fit,
                      discovery->max_directories,
                      ngx_http_wba_zone_for_found(discovery->max_directories),
                      discovery->place.file, discovery->place.line);
        return NGX_CONF_ERROR;
    }
    return NGX_CONF_OK;
}

/* The tags that anything here serves. */
static char *
ngx_http_wba_load_tags(ngx_conf_t *cf, ngx_http_web_bot_auth_main_conf_t *mcf)
{
    size_t                      n, max;
    wba_directory_t            *all;
    ngx_http_wba_place_t       *last;
    ngx_http_wba_directory_t  **dirs = mcf->directories.elts;

    max = sizeof(mcf->tags) / sizeof(mcf->tags[0]);
    n = mcf->directories.nelts;
    mcf->env.tags = mcf->tags;
    mcf->env.ntags = 0;

    if (n == 0 && mcf->discovery == NULL) {
        return NGX_CONF_OK;
    }

    last = n ? &dirs[n - 1]->place : &mcf->discovery->place;
    all = ngx_palloc(cf->temp_pool, (n + 1) * sizeof(wba_directory_t));
    if (all == NULL) {
        return NGX_CONF_ERROR;
    }
    ngx_memcpy(all, mcf->core_directories, n * sizeof(wba_directory_t));
    if (mcf->discovery) {
        all[n++] = mcf->discovery->core.directory;
    }
    mcf->env.ntags = wba_served_tags(all, n, mcf->tags, max);

    if (mcf->env.ntags > max) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "the directories serve %uz different tags, more than "
                      "the %uz that are supported: write fewer \"tags\", in "
                      "%s:%ui", mcf->env.ntags, max, last->file, last->line);
        return NGX_CONF_ERROR;
    }
    return NGX_CONF_OK;
}

char *
ngx_http_web_bot_auth_load_directories(ngx_conf_t *cf,
    ngx_http_web_bot_auth_main_conf_t *mcf)
{
    static const uint8_t         key[crypto_shorthash_KEYBYTES];
    ngx_uint_t                  i, n = mcf->directories.nelts;
    ngx_http_wba_directory_t  **dirs = mcf->directories.elts;

    if (n > NGX_HTTP_WBA_MAX_DIRECTORIES) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "%ui directories are more than the %d that are "
                      "supported: remove some, in %s:%ui", n,
                      NGX_HTTP_WBA_MAX_DIRECTORIES,
                      dirs[NGX_HTTP_WBA_MAX_DIRECTORIES]->place.file,
                      dirs[NGX_HTTP_WBA_MAX_DIRECTORIES]->place.line);
        return NGX_CONF_ERROR;
    }

    crypto_shorthash((uint8_t *) &mcf->trusted_hash, mcf->trusted_pem.data,
                     mcf->trusted_pem.len, key);

    mcf->core_directories = ngx_palloc(cf->pool,
                                       (n + 1) * sizeof(wba_directory_t));
    if (mcf->core_directories == NULL) {
        return NGX_CONF_ERROR;
    }
    for (i = 0; i < n; i++) {
        mcf->core_directories[i] = *dirs[i]->core;
        dirs[i]->core = &mcf->core_directories[i];
        dirs[i]->source.core = dirs[i]->core;
        dirs[i]->source.hash =
            ngx_http_wba_source_hash(mcf, &dirs[i]->bounds, dirs[i]->core,
                                     &dirs[i]->source.url);

        if (dirs[i]->path.len
            && ngx_http_wba_load_file(cf, mcf, dirs[i]) != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    mcf->env.directories = mcf->core_directories;
    mcf->env.ndirectories = n;
    mcf->env.nonce_seen = ngx_http_wba_replay_seen;
    mcf->env.ctx = mcf;
    mcf->env.diagnose = ngx_http_wba_diagnose;
    mcf->env.may_try = ngx_http_wba_forgery_may_try;
    mcf->env.tried = ngx_http_wba_forgery_tried;
    mcf->env.forgive = ngx_http_wba_forgery_forgive;

    if (mcf->discovery
        && ngx_http_wba_load_discovery(cf, mcf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }
    return ngx_http_wba_load_tags(cf, mcf);
}
