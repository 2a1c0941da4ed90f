/* SPDX-License-Identifier: BSD-2-Clause */
/* web_bot_auth_status: gathers the report, and answers with it, or with the
 * page that reads it. */
#include "ngx_http_web_bot_auth_module.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <hiredis/hiredis.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <sodium.h>

#include "version.h"

/* Buckets of the nonce table that are looked at: a million entries; the table
 * of web_bot_auth_zone 24m is counted whole. */
#define NGX_HTTP_WBA_STATUS_BUCKETS  65536

/* Bytes of the longest answer: as many directories as there can be. */
#define NGX_HTTP_WBA_STATUS_SIZE  (8 * 1024 * 1024)

/* The largest module file that is looked through for its version. */
#define NGX_HTTP_WBA_STATUS_MODULE  (32 * 1024 * 1024)

typedef enum {
    NGX_HTTP_WBA_STATUS_NONE = 0,
    NGX_HTTP_WBA_STATUS_JSON,
    NGX_HTTP_WBA_STATUS_PROMETHEUS,
    NGX_HTTP_WBA_STATUS_HTML
} ngx_http_wba_status_e;

/* nginx's build script makes it of status.html. */
static u_char  ngx_http_wba_page[] = {
#include "ngx_http_web_bot_auth_page.inc"
};

/* By which a file of the module is known, and its version read. */
static volatile const char  ngx_http_wba_stamp[] =
    "@(#)ngx_http_web_bot_auth_module " WBA_VERSION;
#define NGX_HTTP_WBA_STAMP  (sizeof("@(#)ngx_http_web_bot_auth_module ") - 1)

/* The file that was loaded, and the one that lies there now. */
static struct stat  ngx_http_wba_loaded;
static struct stat  ngx_http_wba_looked;
static char         ngx_http_wba_installed[32];

/* ---- versions */

static ngx_uint_t
ngx_http_wba_same_file(struct stat *a, struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev
           && a->st_size == b->st_size && a->st_mtime == b->st_mtime;
}

static const char *
ngx_http_wba_module_path(void)
{
    Dl_info  info;

    if (dladdr(ngx_http_wba_page, &info) == 0) {
        return NULL;
    }
    return info.dli_fname;
}

/* The version that stands behind the stamp in len bytes. */
static void
ngx_http_wba_read_version(const u_char *data, size_t len)
{
    size_t         i;
    u_char         stamp[NGX_HTTP_WBA_STAMP];
    const u_char  *at, *end = data + len;

    /* A copy, lest the words stand in the file twice. */
    for (i = 0; i < sizeof(stamp); i++) {
        stamp[i] = ngx_http_wba_stamp[i];
    }

    at = memmem(data, len, stamp, sizeof(stamp));
    if (at == NULL) {
        return;
    }
    at += sizeof(stamp);
    for (i = 0; i < sizeof(ngx_http_wba_installed) - 1 && at < end; i++) {
        if (*at <= ' ' || *at > '~') {
            break;
        }
        ngx_http_wba_installed[i] = (char) *at++;
    }
    ngx_http_wba_installed[i] = '\0';
}

/* Reads the file anew only when it is another one. */
static void
ngx_http_wba_look_at_module(ngx_log_t *log)
{
    void         *data;
    ngx_fd_t      fd;
    const char   *path;
    struct stat   now;

    path = ngx_http_wba_module_path();
    if (path == NULL || stat(path, &now) != 0) {
        ngx_http_wba_installed[0] = '\0';
        ngx_memzero(&ngx_http_wba_looked, sizeof(struct stat));
        return;
    }
    if (ngx_http_wba_same_file(&now, &ngx_http_wba_looked)) {
        return;
    }
    ngx_http_wba_looked = now;
    ngx_http_wba_installed[0] = '\0';
    if (now.st_size <= 0 || now.st_size > NGX_HTTP_WBA_STATUS_MODULE) {
        return;
    }

    /* Read, not mapped: a file that is cut short while it is looked at would
     * end the worker. */
    fd = ngx_open_file((u_char *) path, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        return;
    }
    data = ngx_alloc(now.st_size, log);
    if (data) {
        ssize_t  n = ngx_read_fd(fd, data, now.st_size);

        if (n > 0) {
            ngx_http_wba_read_version(data, n);
        }
        ngx_free(data);
    }
    (void) ngx_close_file(fd);
}

void
ngx_http_wba_status_loaded(void)
{
    const char  *path = ngx_http_wba_module_path();

    if (ngx_http_wba_loaded.st_ino == 0 && path) {
        (void) stat(path, &ngx_http_wba_loaded);
    }
}

static void
ngx_http_wba_report_versions(wba_report_versions_t *v, ngx_log_t *log)
{
    ngx_http_wba_look_at_module(log);

    v->module = WBA_VERSION;
    v->installed = ngx_http_wba_installed[0] ? ngx_http_wba_installed : NULL;
    v->restart_needed = v->installed
                        && !ngx_http_wba_same_file(&ngx_http_wba_looked,
                                                   &ngx_http_wba_loaded);
    v->nginx = NGINX_VERSION;
    v->libsodium = sodium_version_string();
    v->libcurl = curl_version_info(CURLVERSION_NOW)->version;
    v->jansson = jansson_version_str();
    v->hiredis = ngx_value(HIREDIS_MAJOR) "." ngx_value(HIREDIS_MINOR) "."
                 ngx_value(HIREDIS_PATCH);
    v->openssl = OpenSSL_version(OPENSSL_VERSION);
}

/* ---- directories */

static double
ngx_http_wba_until(ngx_msec_t when)
{
    return (double) (ngx_msec_int_t) (when - ngx_current_msec) / 1000;
}

static ngx_int_t
ngx_http_wba_report_text(ngx_pool_t *pool, const u_char *text, wba_str_t *out)
{
    ngx_str_t  s, copy;

    s.data = (u_char *) text;
    s.len = ngx_strlen(text);
    copy.data = ngx_pstrdup(pool, &s);
    if (copy.data == NULL && s.len) {
        return NGX_ERROR;
    }
    *out = wba_str(copy.data, s.len);
    return NGX_OK;
}

/* The zone is locked. */
static ngx_int_t
ngx_http_wba_report_slot(ngx_pool_t *pool, ngx_http_wba_zone_t *zone,
    ngx_http_wba_slot_t *slot, wba_report_directory_t *d)
{
    ngx_msec_t    lease = slot->lease;
    wba_keyset_t  set;

    d->fetches = slot->fetches;
    d->failures = slot->failures;
    d->next_refresh_in = ngx_http_wba_until(slot->due);
    if (lease && (ngx_msec_int_t) (lease - ngx_current_msec) > 0) {
        d->lease_ends_in = ngx_http_wba_until(lease);
    }
    if (slot->loaded) {
        set = ngx_http_wba_zone_set(zone, slot);
        d->keys = set.size ? wba_keyset_count(set) : 0;
        d->age = -ngx_http_wba_until(slot->fetched);
        d->expires_in = ngx_http_wba_until(slot->fetched + slot->lifetime);
        d->state = d->expires_in > 0 ? WBA_SOURCE_FRESH : WBA_SOURCE_STALE;
    } else {
        d->state = slot->failures ? WBA_SOURCE_FAILING : WBA_SOURCE_LOADING;
    }
    return ngx_http_wba_report_text(pool, slot->error, &d->error);
}

static void
ngx_http_wba_report_core(wba_report_directory_t *d,
    const wba_directory_t *core)
{
    d->name = core->name;
    d->profile = wba_str_z(core->profile.name);
    d->tags = core->profile.tags;
    d->ntags = core->profile.ntags;
    d->age = WBA_REPORT_UNKNOWN;
    d->expires_in = WBA_REPORT_UNKNOWN;
    d->next_refresh_in = WBA_REPORT_UNKNOWN;
    d->lease_ends_in = WBA_REPORT_UNKNOWN;
}

static ngx_int_t
ngx_http_wba_report_configured(ngx_pool_t *pool, ngx_http_wba_zone_t *zone,
    ngx_http_wba_directory_t *dir, wba_report_directory_t *d)
{
    ngx_http_wba_report_core(d, dir->core);

    if (dir->source.slot) {
        d->url = ngx_http_wba_view(dir->source.url);
        return ngx_http_wba_report_slot(pool, zone, dir->source.slot, d);
    }

    d->state = WBA_SOURCE_FILE;
    d->keys = dir->file_set.size ? wba_keyset_count(dir->file_set) : 0;
    d->url.data = ngx_pnalloc(pool, sizeof("file:") - 1 + dir->path.len);
    if (d->url.data == NULL) {
        return NGX_ERROR;
    }
    d->url.len = ngx_sprintf((u_char *) d->url.data, "file:%V", &dir->path)
                 - d->url.data;
    return NGX_OK;
}

static ngx_int_t
ngx_http_wba_report_found(ngx_pool_t *pool,
    ngx_http_web_bot_auth_main_conf_t *mcf, wba_report_t *report,
    wba_report_directory_t *d)
{
    ngx_uint_t            i;
    ngx_http_wba_slot_t  *slot;
    ngx_http_wba_zone_t  *zone = mcf->zone;

    for (i = 0; i < zone->nfound; i++) {
        slot = &zone->slots[zone->nslots + i];
        if (slot->hash == 0 || slot->url[0] == '\0') {
            continue;
        }
        ngx_http_wba_report_core(d, &mcf->discovery->core.directory);
        d->name = wba_str_z(NGX_HTTP_WBA_DISCOVERY);
        d->discovered = true;
        if (ngx_http_wba_report_text(pool, slot->url, &d->url) != NGX_OK
            || ngx_http_wba_report_slot(pool, zone, slot, d) != NGX_OK)
        {
            return NGX_ERROR;
        }
        d++;
        report->ndirectories++;
        report->found_used++;
    }
    return NGX_OK;
}

/* The zone is locked. */
static ngx_int_t
ngx_http_wba_report_directories(ngx_pool_t *pool,
    ngx_http_web_bot_auth_main_conf_t *mcf, wba_report_t *report)
{
    ngx_uint_t                   i, n;
    ngx_http_wba_zone_t         *zone = mcf->zone;
    wba_report_directory_t      *d;
    ngx_http_wba_directory_t   **dirs = mcf->directories.elts;

    n = mcf->directories.nelts + zone->nfound;
    d = ngx_pcalloc(pool, n * sizeof(wba_report_directory_t));
    if (d == NULL) {
        return NGX_ERROR;
    }
    report->directories = d;

    for (i = 0; i < mcf->directories.nelts; i++) {
        if (ngx_http_wba_report_configured(pool, zone, dirs[i], &d[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }
    report->ndirectories = i;

    for (n = 0; n < zone->nslots + zone->nfound; n++) {
        if (zone->slots[n].loaded) {
            report->arena_used +=
                ngx_http_wba_zone_set(zone, &zone->slots[n]).size;
        }
    }
    return mcf->discovery
           ? ngx_http_wba_report_found(pool, mcf, report, &d[i]) : NGX_OK;
}

/* ---- counts */

static ngx_int_t
ngx_http_wba_report_names(ngx_pool_t *pool, ngx_http_wba_zone_t *zone,
    wba_report_t *report)
{
    uint64_t              (*counts)[2];
    ngx_uint_t              i;
    wba_report_family_t    *families, *tag, *directory;
    ngx_http_wba_name_t    *name;

    counts = ngx_pcalloc(pool, NGX_HTTP_WBA_NAMES * sizeof(*counts));
    families = ngx_pcalloc(pool, 2 * NGX_HTTP_WBA_NAMES
                                 * sizeof(wba_report_family_t));
    if (counts == NULL || families == NULL) {
        return NGX_ERROR;
    }
    ngx_http_wba_counters_sum(zone, report, counts);

    directory = families;
    tag = families + NGX_HTTP_WBA_NAMES;
    report->sources = directory;
    report->tags = tag;

    for (i = 0; i < NGX_HTTP_WBA_NAMES; i++) {
        wba_report_family_t  *family;

        name = &zone->names[i];
        if (name->kind == NGX_HTTP_WBA_NAME_NONE) {
            continue;
        }
        family = name->kind == NGX_HTTP_WBA_NAME_TAG
                 ? &tag[report->ntags++] : &directory[report->nsources++];
        family->name = wba_str(name->text, name->len);
        family->failed = counts[i][0];
        family->verified = counts[i][1];
    }
    return NGX_OK;
}

static ngx_int_t
ngx_http_wba_report_history(ngx_pool_t *pool, ngx_http_wba_zone_t *zone,
    wba_report_t *report)
{
    unsigned                k;
    ngx_uint_t              i;
    ngx_atomic_uint_t       last = zone->minute, minute;
    wba_report_sample_t    *samples, *s;
    ngx_http_wba_sample_t  *sample;

    samples = ngx_palloc(pool,
                         NGX_HTTP_WBA_HISTORY * sizeof(wba_report_sample_t));
    if (samples == NULL) {
        return NGX_ERROR;
    }
    report->history = samples;
    report->history_interval = 60;

    for (i = NGX_HTTP_WBA_HISTORY; i > 0; i--) {
        minute = last - (i - 1);
        sample = &zone->history[minute % NGX_HTTP_WBA_HISTORY];
        if (minute > last || sample->minute != minute) {
            continue;
        }
        s = &samples[report->nhistory++];
        s->time = (int64_t) sample->time;
        for (k = 0; k < WBA_OUTCOMES; k++) {
            s->outcomes[k] = sample->outcomes[k];
        }
    }
    return NGX_OK;
}

static void
ngx_http_wba_report_zone(ngx_http_web_bot_auth_main_conf_t *mcf,
    wba_report_t *report)
{
    ngx_uint_t            i;
    ngx_time_t           *tp;
    wba_clock_t           now;
    ngx_core_conf_t      *ccf;
    ngx_http_wba_zone_t  *zone = mcf->zone;

    ccf = (ngx_core_conf_t *) ngx_get_conf(mcf->cycle->conf_ctx,
                                           ngx_core_module);

    tp = ngx_timeofday();
    report->now = (double) tp->sec + (double) tp->msec / 1000;
    report->zone_size = mcf->zone_size;
    report->zone_created = zone->created;
    report->reloads = zone->epoch - 1;
    report->workers = ngx_max(ccf->worker_processes, 1);
    report->arena_size = zone->arena_size;
    report->found_slots = zone->nfound;

    report->shared_store = mcf->store.shared;
    report->nonce_file = mcf->nonce_file ? ngx_http_wba_view(mcf->nonce_path)
                                         : wba_str(NULL, 0);
    report->nonce_size = zone->replay_size;
    now = ngx_http_wba_clock();
    wba_replay_estimate(mcf->replay, &now, NGX_HTTP_WBA_STATUS_BUCKETS,
                        &report->nonces);

    ngx_http_wba_forgery_report(zone, &report->forgeries);

    /* What was signed just now is judged, unless the clock has stepped. */
    report->cold = !mcf->store.cold_accept
                   && report->nonces.cold_until + WBA_MAX_SKEW >= ngx_time();

    for (i = 0; i < ngx_min(report->workers, NGX_HTTP_WBA_WORKERS); i++) {
        report->redis_workers += zone->redis[i] != 0;
    }
}

static ngx_int_t
ngx_http_wba_report(ngx_http_request_t *r, wba_report_t *report)
{
    ngx_int_t                           rc;
    ngx_http_web_bot_auth_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_web_bot_auth_module);

    ngx_memzero(report, sizeof(wba_report_t));
    ngx_http_wba_report_versions(&report->versions, r->connection->log);
    ngx_http_wba_report_zone(mcf, report);

    if (ngx_http_wba_zone_lock(mcf->zone) != NGX_OK) {
        return NGX_ERROR;
    }
    rc = ngx_http_wba_report_directories(r->pool, mcf, report);
    ngx_http_wba_zone_unlock(mcf->zone);

    if (rc != NGX_OK
        || ngx_http_wba_report_names(r->pool, mcf->zone, report) != NGX_OK)
    {
        return NGX_ERROR;
    }
    return ngx_http_wba_report_history(r->pool, mcf->zone, report);
}

/* ---- answering */

static ngx_int_t
ngx_http_wba_status_header(ngx_http_request_t *r, const char *name,
    ngx_str_t value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }
    ngx_memzero(h, sizeof(ngx_table_elt_t));
    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value = value;
    return NGX_OK;
}

static ngx_int_t
ngx_http_wba_status_send(ngx_http_request_t *r, const char *type,
    wba_str_t text)
{
    ngx_buf_t    *b;
    ngx_int_t     rc;
    ngx_chain_t   out;
    ngx_str_t     no_store = ngx_string("no-store");
    ngx_str_t     nosniff = ngx_string("nosniff");

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = (off_t) text.len;
    r->headers_out.content_type.data = (u_char *) type;
    r->headers_out.content_type.len = ngx_strlen(type);
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    if (ngx_http_wba_status_header(r, "Cache-Control", no_store) != NGX_OK
        || ngx_http_wba_status_header(r, "X-Content-Type-Options", nosniff)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->pos = (u_char *) text.data;
    b->last = b->pos + text.len;
    b->memory = 1;
    b->last_buf = (r == r->main);
    b->last_in_chain = 1;
    out.buf = b;
    out.next = NULL;
    return ngx_http_output_filter(r, &out);
}

/* What stands between two tags of the page, as a source of a
 * Content-Security-Policy: the page may run its own script and nothing else. */
static u_char *
ngx_http_wba_page_hash(u_char *p, const char *begin, const char *end)
{
    u_char    *from, *to, hash[crypto_hash_sha256_BYTES];
    size_t     len = sizeof(ngx_http_wba_page);

    from = memmem(ngx_http_wba_page, len, begin, ngx_strlen(begin));
    if (from == NULL) {
        return p;
    }
    from += ngx_strlen(begin);
    to = memmem(from, ngx_http_wba_page + len - from, end, ngx_strlen(end));
    if (to == NULL) {
        return p;
    }
    crypto_hash_sha256(hash, from, to - from);
    sodium_bin2base64((char *) p, 64, hash, sizeof(hash),
                      sodium_base64_VARIANT_ORIGINAL);
    return p + ngx_strlen(p);
}

#define NGX_HTTP_WBA_POLICY                                                   \
    "default-src 'none'; connect-src 'self'; base-uri 'none'; "               \
    "form-action 'none'; frame-ancestors 'none'; img-src data:; "

static ngx_int_t
ngx_http_wba_status_page(ngx_http_request_t *r)
{
    u_char     *p;
    ngx_str_t   policy, referrer = ngx_string("no-referrer");

    policy.data = ngx_pnalloc(r->pool, sizeof(NGX_HTTP_WBA_POLICY) + 256);
    if (policy.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    p = ngx_cpymem(policy.data, NGX_HTTP_WBA_POLICY,
                   sizeof(NGX_HTTP_WBA_POLICY) - 1);
    p = ngx_cpymem(p, "script-src 'sha256-", sizeof("script-src 'sha256-") - 1);
    p = ngx_http_wba_page_hash(p, "<script>", "</script>");
    p = ngx_cpymem(p, "'; style-src 'sha256-",
                   sizeof("'; style-src 'sha256-") - 1);
    p = ngx_http_wba_page_hash(p, "<style>", "</style>");
    *p++ = '\'';
    policy.len = p - policy.data;

    if (ngx_http_wba_status_header(r, "Content-Security-Policy", policy)
        != NGX_OK
        || ngx_http_wba_status_header(r, "Referrer-Policy", referrer)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return ngx_http_wba_status_send(r, "text/html; charset=utf-8",
                                    wba_str(ngx_http_wba_page,
                                            sizeof(ngx_http_wba_page)));
}

static ngx_int_t
ngx_http_wba_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                          rc;
    ngx_str_t                          format;
    ngx_uint_t                         status;
    wba_buf_t                          buf;
    wba_mem_t                          mem;
    wba_report_t                       report;
    ngx_http_web_bot_auth_loc_conf_t  *lcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }
    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_web_bot_auth_module);
    status = lcf->status;
    if (status == NGX_HTTP_WBA_STATUS_HTML
        && ngx_http_arg(r, (u_char *) "format", 6, &format) == NGX_OK
        && format.len == 4 && ngx_strncmp(format.data, "json", 4) == 0)
    {
        status = NGX_HTTP_WBA_STATUS_JSON;
    }
    if (status == NGX_HTTP_WBA_STATUS_HTML) {
        return ngx_http_wba_status_page(r);
    }

    if (ngx_http_wba_report(r, &report) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    mem = ngx_http_wba_pool_mem(r->pool);
    wba_buf_init(&buf, &mem, NGX_HTTP_WBA_STATUS_SIZE);

    if (status == NGX_HTTP_WBA_STATUS_PROMETHEUS) {
        wba_report_prometheus(&report, &buf);
    } else if (!wba_report_json(&report, &buf)) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (buf.status != WBA_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return ngx_http_wba_status_send(r,
               status == NGX_HTTP_WBA_STATUS_PROMETHEUS
               ? "text/plain; version=0.0.4; charset=utf-8"
               : "application/json",
               wba_buf_view(&buf));
}

char *
ngx_http_web_bot_auth_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_int_t                           i;
    ngx_str_t                          *value = cf->args->elts;
    ngx_http_core_loc_conf_t           *clcf;
    ngx_http_web_bot_auth_loc_conf_t   *lcf = conf;
    ngx_http_web_bot_auth_main_conf_t  *mcf;
    static const wba_str_t              formats[] = {
        NGX_HTTP_WBA_NAME("json"), NGX_HTTP_WBA_NAME("prometheus"),
        NGX_HTTP_WBA_NAME("html")
    };

    if (lcf->status) {
        return "is duplicate";
    }
    i = ngx_http_wba_choose(cf, "format", &value[1], formats, 3);
    if (i == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }
    lcf->status = NGX_HTTP_WBA_STATUS_JSON + i;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_web_bot_auth_module);
    if (mcf->status_place.file == NULL) {
        mcf->status_place = ngx_http_wba_here(cf);
    }
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_wba_status_handler;
    return NGX_CONF_OK;
}
