/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One source's fetches: begun under a lease by whoever finds it due, read,
 * published, or noted as a failure and tried again later.  What is held stays
 * until "stale" is over.
 */
#include "ngx_http_web_bot_auth_module.h"

#include "address.h"

/* How long a lease outlives the fetch's own time limit, ms: for the parsing of
 * what came. */
#define NGX_HTTP_WBA_LEASE_GRACE  2000

/* Milliseconds: how often those look who wait for a lease to end, or could not
 * begin. */
#define NGX_HTTP_WBA_LEASE_LOOK  1000

/* Log lines about single entries of one answer: a set may have thousands. */
#define NGX_HTTP_WBA_NOTES  20

static void ngx_http_wba_refresh_done(void *data,
    const wba_fetch_result_t *result);
static void ngx_http_wba_refresh_tick(ngx_event_t *ev);

ngx_uint_t
ngx_http_wba_refresh_leased(const ngx_http_wba_slot_t *slot)
{
    ngx_atomic_uint_t  lease = slot->lease;

    return lease && (ngx_msec_int_t) (lease - ngx_current_msec) > 0;
}

static ngx_uint_t
ngx_http_wba_refresh_due(const ngx_http_wba_slot_t *slot)
{
    return (ngx_msec_int_t) (slot->due - ngx_current_msec) <= 0;
}

static ngx_uint_t
ngx_http_wba_refresh_is_ours(ngx_http_wba_source_t *source)
{
    return source->slot->hash == source->hash;
}

static uint32_t
ngx_http_wba_refresh_random(void)
{
    return (uint32_t) ngx_random() << 1 ^ (uint32_t) ngx_random();
}

/* ---- timers of configured directories */

/* When its set has been in use for too long; or never, where it has none. */
static ngx_uint_t
ngx_http_wba_refresh_end(ngx_http_wba_source_t *source, ngx_msec_t *end)
{
    ngx_http_wba_slot_t  *slot = source->slot;

    *end = slot->fetched + slot->lifetime
           + (ngx_msec_t) source->bounds->stale * 1000;
    return slot->loaded;
}

static void
ngx_http_wba_refresh_arm(ngx_http_wba_source_t *source)
{
    int64_t               delay, lease;
    ngx_msec_t            end;
    ngx_http_wba_slot_t  *slot = source->slot;

    delay = (ngx_msec_int_t) (slot->due - ngx_current_msec);
    if (slot->lease) {
        /* It may be given back early, by a worker that ends. */
        lease = (ngx_msec_int_t) (slot->lease - ngx_current_msec);
        delay = ngx_max(delay, ngx_min(lease, NGX_HTTP_WBA_LEASE_LOOK));
    }
    if (ngx_http_wba_refresh_end(source, &end)) {
        delay = ngx_min(delay, (ngx_msec_int_t) (end - ngx_current_msec));
    }
    delay = ngx_max(delay, 0);

    /* Jitter keeps workers apart. */
    delay += ngx_random() % (ngx_min(delay / 20, 30000) + 10);

    ngx_add_timer(&source->timer, (ngx_msec_t) delay);
}

static void
ngx_http_wba_refresh_tick(ngx_event_t *ev)
{
    ngx_http_wba_source_t  *source = ev->data;

    if (ngx_exiting || !ngx_http_wba_refresh_is_ours(source)) {
        return;
    }
    ngx_http_wba_refresh_expire(source);
    if (ngx_http_wba_refresh_due(source->slot)
        && ngx_http_wba_refresh(source) != NGX_OK)
    {
        ngx_add_timer(&source->timer, NGX_HTTP_WBA_LEASE_LOOK);
        return;
    }
    if (source->job == NULL) {
        ngx_http_wba_refresh_arm(source);
    }
}

void
ngx_http_wba_refresh_start(ngx_http_wba_source_t *source, ngx_log_t *log)
{
    source->timer.handler = ngx_http_wba_refresh_tick;
    source->timer.data = source;
    source->timer.log = log;
    source->timer.cancelable = 1;
    ngx_http_wba_refresh_arm(source);
}

/* The worker ends, or the slot is another's: whoever waits may begin anew. */
void
ngx_http_wba_refresh_stop(ngx_http_wba_source_t *source)
{
    wba_fetch_cancel(source->job);
    source->job = NULL;
    if (source->hop) {
        ngx_free(source->hop);
        source->hop = NULL;
    }
    if (source->lease) {
        ngx_http_wba_slot_release(source);
    }
}

/* ---- failing */

/* A set stays in use through failures, but not for ever: keys that its
 * directory may long have revoked are given up. */
void
ngx_http_wba_refresh_expire(ngx_http_wba_source_t *source)
{
    ngx_msec_t            end;
    ngx_http_wba_slot_t  *slot = source->slot;

    if (!ngx_http_wba_refresh_end(source, &end)
        || (ngx_msec_int_t) (end - ngx_current_msec) > 0
        || ngx_http_wba_slot_drop(source) != NGX_OK)
    {
        return;
    }
    ngx_log_error(NGX_LOG_ERR, source->mcf->log, 0,
                  "web_bot_auth: the keys of directory %V from %V are %Ts old "
                  "and no longer used: \"stale\" is over", &source->name,
                  &source->url,
                  (time_t) ((ngx_current_msec - slot->fetched) / 1000));
}

static void
ngx_http_wba_refresh_failed(ngx_http_wba_source_t *source, const char *why,
    const wba_freshness_t *freshness)
{
    int64_t               pause;
    ngx_uint_t            before, level;
    ngx_http_wba_slot_t  *slot = source->slot;

    pause = wba_freshness_retry_ms(slot->failures + 1, freshness,
                                   slot->loaded, ngx_time(),
                                   ngx_http_wba_refresh_random());
    before = ngx_http_wba_slot_failed(source,
                                      ngx_current_msec + (ngx_msec_t) pause,
                                      why);

    ngx_http_wba_count(source->mcf->counters->fetch_failures);

    /* A stranger's agent that has no directory is no incident of ours. */
    level = before || source->found ? NGX_LOG_INFO : NGX_LOG_WARN;
    ngx_log_error(level, source->mcf->log, 0,
                  "web_bot_auth: directory %V could not be fetched from %V: "
                  "%s%s", &source->name, &source->url, why,
                  slot->loaded ? "; its keys stay in use" : "");
    ngx_http_wba_refresh_expire(source);
}

/* ---- fetching */

static bool
ngx_http_wba_refresh_address(void *data, const struct sockaddr *address)
{
    return wba_address_is_public(address);
}

static ngx_int_t
ngx_http_wba_refresh_send(ngx_http_wba_source_t *source, u_char *url,
    ngx_msec_t timeout)
{
    wba_fetch_request_t                 request;
    ngx_http_web_bot_auth_main_conf_t  *mcf = source->mcf;

    ngx_memzero(&request, sizeof(request));
    request.url = (char *) url;
    request.timeout_ms = (long) timeout;
    request.max_body = source->bounds->max_size;
    request.trusted_pem = ngx_http_wba_view(mcf->trusted_pem);
    request.accept = WBA_DIRECTORY_ACCEPT;
    request.user_agent = "ngx_http_web_bot_auth_module";
    request.if_none_match = (char *) source->etag;
    request.if_modified_since = (char *) source->last_modified;
    request.identity = true;

    if (source->found) {
        request.fresh_connection = true;
        if (!mcf->private_addresses) {
            request.allow_address = ngx_http_wba_refresh_address;
        }
    }

    source->job = wba_fetch_start(ngx_http_wba_fetcher_driver(mcf->fetcher),
                                  &request, ngx_http_wba_refresh_done, source);
    return source->job ? NGX_OK : NGX_ERROR;
}

ngx_int_t
ngx_http_wba_refresh(ngx_http_wba_source_t *source)
{
    ngx_int_t  rc;

    if (ngx_http_wba_refresh_leased(source->slot)) {
        return NGX_OK;
    }
    if (source->mcf->fetcher == NULL || source->job
        || ngx_http_wba_fetcher_driver(source->mcf->fetcher) == NULL)
    {
        return NGX_DECLINED;
    }
    rc = ngx_http_wba_slot_lease(source, ngx_current_msec
                                         + source->bounds->timeout
                                         + NGX_HTTP_WBA_LEASE_GRACE);
    if (rc != NGX_OK) {
        return rc == NGX_AGAIN ? NGX_OK : rc;
    }
    if (ngx_http_wba_refresh_send(source, source->url.data,
                                  source->bounds->timeout)
        != NGX_OK)
    {
        ngx_http_wba_refresh_failed(source, "no memory, or too many fetches",
                                    NULL);
        ngx_http_wba_slot_release(source);
        return NGX_DECLINED;
    }
    return NGX_OK;
}

/* The one hop of "redirect www", within the same lease. */
static ngx_int_t
ngx_http_wba_refresh_hop(ngx_http_wba_source_t *source,
    const wba_fetch_result_t *result)
{
    char            url[WBA_MAX_URL + 8];
    size_t          len;
    ngx_msec_int_t  left;

    if (!source->bounds->redirect_www || source->hop
        || !wba_directory_redirects(result, (char *) source->url.data, url,
                                    sizeof(url)))
    {
        return NGX_DECLINED;
    }
    left = (ngx_msec_int_t) (source->lease - ngx_current_msec)
           - NGX_HTTP_WBA_LEASE_GRACE;
    len = ngx_strlen(url) + 1;
    source->hop = left > 0 ? ngx_alloc(len, source->mcf->log) : NULL;
    if (source->hop == NULL) {
        return NGX_DECLINED;
    }
    ngx_memcpy(source->hop, url, len);
    return ngx_http_wba_refresh_send(source, source->hop, left);
}

/* ---- reading */

typedef struct {
    ngx_http_wba_source_t *source;
    ngx_uint_t notes;
} ngx_http_wba_report_t;

static void
ngx_http_wba_refresh_report(void *data, const wba_jwks_note_t *note)
{
    u_char                  kid[64];
    size_t                  i, n;
    ngx_uint_t              level;
    ngx_http_wba_report_t  *report = data;

    if (note->severity == WBA_JWKS_TAKEN
        || report->notes++ >= NGX_HTTP_WBA_NOTES)
    {
        return;
    }
    for (i = 0, n = 0; i < note->kid.len && n < sizeof(kid) - 1; i++) {
        u_char  c = note->kid.data[i];

        kid[n++] = (c < 0x20 || c > 0x7e || c == '"') ? '?' : c;
    }
    kid[n] = '\0';

    level = report->source->found ? NGX_LOG_INFO : NGX_LOG_NOTICE;
    if (note->severity == WBA_JWKS_ALERT && !report->source->found) {
        level = NGX_LOG_CRIT;
    }
    ngx_log_error(level, report->source->mcf->log, 0,
                  "web_bot_auth: directory %V, entry %uz (kid \"%s\"): %s",
                  &report->source->name, note->index, kid, note->text);
}

static void
ngx_http_wba_refresh_proof(ngx_http_wba_source_t *source,
    const wba_proof_t *proof)
{
    ngx_uint_t  level = source->found ? NGX_LOG_INFO : NGX_LOG_WARN;

    if (proof->state == WBA_PROOF_BAD) {
        ngx_log_error(level, source->mcf->log, 0,
                      "web_bot_auth: directory %V: the possession proof of %V "
                      "is bad: %s", &source->name, &source->url, proof->text);
    }
}

static void
ngx_http_wba_refresh_record(ngx_http_wba_source_t *source,
    const wba_directory_answer_t *answer, ngx_http_wba_record_t *record)
{
    int64_t  lifetime;

    lifetime = wba_freshness_lifetime(&answer->freshness, ngx_time(),
                                      source->bounds->refresh_min,
                                      source->bounds->refresh_max);
    record->fetched = ngx_current_msec;
    record->lifetime = (ngx_msec_t) lifetime * 1000;
    record->due = ngx_current_msec
                  + (ngx_msec_t) wba_freshness_refresh_ms(lifetime,
                                     ngx_http_wba_refresh_random());
    record->etag = answer->etag;
    record->last_modified = answer->last_modified;

    if (answer->unchanged) {
        /* A 304 need not repeat what it confirms. */
        if (answer->etag[0] == '\0') {
            record->etag = NULL;
        }
        if (answer->last_modified[0] == '\0') {
            record->last_modified = NULL;
        }
    }
}

static void
ngx_http_wba_refresh_unchanged(ngx_http_wba_source_t *source,
    const wba_directory_answer_t *answer)
{
    ngx_http_wba_record_t  record;

    ngx_http_wba_refresh_record(source, answer, &record);
    if (ngx_http_wba_slot_freshen(source, &record) != NGX_OK) {
        return;
    }
    ngx_log_error(NGX_LOG_INFO, source->mcf->log, 0,
                  "web_bot_auth: directory %V: unchanged at %V",
                  &source->name, &source->url);
    ngx_http_wba_state_save(source, NULL, &record);
}

static void
ngx_http_wba_refresh_loaded(ngx_http_wba_source_t *source,
    const wba_directory_answer_t *answer)
{
    size_t                  n;
    ngx_int_t               rc;
    ngx_uint_t              level;
    ngx_atomic_uint_t       failures = source->slot->failures;
    ngx_http_wba_record_t   record;

    ngx_http_wba_refresh_record(source, answer, &record);

    rc = ngx_http_wba_slot_publish(source, answer->set, &record);
    if (rc == NGX_DECLINED) {
        ngx_http_wba_refresh_failed(source, "its keys do not fit, enlarge "
                                    "web_bot_auth_zone", NULL);
        return;
    }
    if (rc != NGX_OK) {
        return; /* somebody else's answer counts by now */
    }

    n = wba_keyset_count(answer->set);
    level = NGX_LOG_INFO;
    if (!source->found) {
        level = n == 0 ? NGX_LOG_WARN : failures ? NGX_LOG_NOTICE : level;
    }
    ngx_log_error(level, source->mcf->log, 0,
                  "web_bot_auth: directory %V: %uz keys from %V, fresh for "
                  "%Ms%s", &source->name, n, &source->url,
                  record.lifetime / 1000,
                  n == 0 ? "; all of its keys are revoked" : "");
    ngx_http_wba_state_save(source, &answer->set, &record);
}

static void
ngx_http_wba_refresh_read(ngx_http_wba_source_t *source,
    const wba_fetch_result_t *result)
{
    ngx_http_wba_report_t    report = { source, 0 };
    wba_directory_answer_t   answer;
    wba_directory_options_t  options;

    ngx_memzero(&options, sizeof(options));
    options.jwks = ngx_http_wba_jwks_options(source->mcf, source->bounds,
                                             source->core);
    options.jwks.well_known = source->well_known;
    options.conditional = source->etag[0] || source->last_modified[0];
    options.proof_required = source->bounds->proof_required;
    options.url = (char *) (source->hop ? source->hop : source->url.data);
    options.now = ngx_time();

    if (wba_directory_read(result, &options, ngx_http_wba_refresh_report,
                           &report, &answer)
        != WBA_OK)
    {
        ngx_http_wba_refresh_failed(source, answer.error,
                                    &answer.freshness);
    } else if (answer.unchanged) {
        ngx_http_wba_refresh_unchanged(source, &answer);
    } else {
        ngx_http_wba_refresh_proof(source, &answer.proof);
        ngx_http_wba_refresh_loaded(source, &answer);
        free((void *) answer.set.data);
    }

    if (report.notes > NGX_HTTP_WBA_NOTES) {
        ngx_log_error(NGX_LOG_NOTICE, source->mcf->log, 0,
                      "web_bot_auth: directory %V: %ui more entries with "
                      "remarks", &source->name,
                      report.notes - NGX_HTTP_WBA_NOTES);
    }
}

static void
ngx_http_wba_refresh_done(void *data, const wba_fetch_result_t *result)
{
    ngx_http_wba_source_t              *source = data;
    ngx_http_web_bot_auth_main_conf_t  *mcf = source->mcf;

    source->job = NULL;
    ngx_http_wba_count_latency(&mcf->counters->fetch,
                               result->elapsed_ms * 1000);
    if (ngx_http_wba_refresh_hop(source, result) == NGX_OK) {
        return;
    }

    ngx_http_wba_refresh_read(source, result);
    ngx_http_wba_refresh_stop(source);

    if (!source->found && !ngx_exiting) {
        ngx_http_wba_refresh_arm(source);
    }
    ngx_http_wba_wake_all(mcf);
}

/* ---- for requests */

ngx_int_t
ngx_http_wba_refresh_want(ngx_http_wba_source_t *source)
{
    ngx_int_t             none;
    ngx_msec_int_t        age;
    ngx_http_wba_slot_t  *slot = source->slot;

    if (slot == NULL) {
        return NGX_DECLINED;
    }
    if (!ngx_http_wba_refresh_is_ours(source)) {
        return NGX_ERROR;
    }
    none = slot->loaded ? NGX_DECLINED : NGX_ERROR;

    if (ngx_http_wba_refresh_leased(slot)) {
        return NGX_OK;
    }
    if ((!slot->loaded || slot->failures) && !ngx_http_wba_refresh_due(slot)) {
        return none;
    }
    if (slot->loaded && !ngx_http_wba_refresh_due(slot)) {
        /* One refetch per interval, however many unknown keyids come. */
        age = (ngx_msec_int_t) (ngx_current_msec - slot->fetched);
        if (age < (ngx_msec_int_t) source->bounds->refresh_min * 1000) {
            return none;
        }
    }

    switch (ngx_http_wba_refresh(source)) {
    case NGX_OK:
        return NGX_OK;
    case NGX_BUSY:
        return slot->loaded ? NGX_DECLINED : NGX_BUSY;
    default:
        return none;
    }
}
