/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What comes back: header lines and body as they arrive, within their bounds,
 * and what is said of the transfer when it is over.
 */
#include "fetch_private.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST_BYTES 4096

/* What the wire may carry beyond the bound on decoded bytes: gzip adds 18
 * bytes and 5 per 16 KB to what it cannot compress. */
#define WIRE_SLACK(max) (1024 + (max) / 1024)

static bool
grow(wba_fetch_bytes_t *bytes, size_t more, size_t max)
{
    size_t cap = bytes->cap == 0 ? FIRST_BYTES : bytes->cap;
    char *data;

    while (cap - bytes->len < more) {
        cap *= 2;
    }
    if (cap == bytes->cap) {
        return true;
    }
    if (cap > max) {
        cap = max;
    }
    data = realloc(bytes->data, cap);
    if (data == NULL) {
        return false;
    }
    bytes->data = data;
    bytes->cap = cap;
    return true;
}

void
wba_fetch_doom(wba_fetch_job_t *job, wba_fetch_error_t error,
               const char *reason)
{
    if (job->result.error != WBA_FETCH_OK) {
        return;
    }
    job->result.error = error;
    snprintf(job->result.reason, sizeof(job->result.reason), "%s", reason);
    job->fetch->doomed = true;
}

static bool
append(wba_fetch_job_t *job, wba_fetch_bytes_t *bytes, const void *data,
       size_t len, size_t max, const char *what)
{
    char reason[80];

    if (len > max - bytes->len) {
        snprintf(reason, sizeof(reason), "the %s longer than %zu bytes", what,
                 max);
        wba_fetch_doom(job, WBA_FETCH_TOO_LARGE, reason);
        return false;
    }
    if (len == 0) {
        return true;
    }
    if (!grow(bytes, len, max)) {
        wba_fetch_doom(job, WBA_FETCH_MEMORY, "out of memory");
        return false;
    }
    memcpy(bytes->data + bytes->len, data, len);
    bytes->len += len;
    return true;
}

static wba_fetch_error_t
error_of(CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return WBA_FETCH_OK;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_LOGIN_DENIED: /* CURLOPT_DISALLOW_USERNAME_IN_URL */
        return WBA_FETCH_URL;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return WBA_FETCH_RESOLVE;
    case CURLE_COULDNT_CONNECT:
    case CURLE_INTERFACE_FAILED:
        return WBA_FETCH_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        return WBA_FETCH_TLS;
    case CURLE_OPERATION_TIMEDOUT:
        return WBA_FETCH_TIMEOUT;
    case CURLE_FILESIZE_EXCEEDED:
        return WBA_FETCH_TOO_LARGE;
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        return WBA_FETCH_CLOSED;
    case CURLE_OUT_OF_MEMORY:
        return WBA_FETCH_MEMORY;
    default:
        return WBA_FETCH_PROTOCOL;
    }
}

const char *
wba_fetch_error_name(wba_fetch_error_t error)
{
    static const char *const names[] = {
        [WBA_FETCH_OK] = "ok",
        [WBA_FETCH_URL] = "url",
        [WBA_FETCH_RESOLVE] = "resolve",
        [WBA_FETCH_REFUSED] = "address-refused",
        [WBA_FETCH_CONNECT] = "connect",
        [WBA_FETCH_TLS] = "tls",
        [WBA_FETCH_TIMEOUT] = "timeout",
        [WBA_FETCH_TOO_LARGE] = "too-large",
        [WBA_FETCH_CLOSED] = "closed",
        [WBA_FETCH_PROTOCOL] = "protocol",
        [WBA_FETCH_DESCRIPTORS] = "descriptors",
        [WBA_FETCH_MEMORY] = "memory",
    };

    if ((size_t) error >= sizeof(names) / sizeof(names[0])) {
        return "unknown";
    }
    return names[error];
}

/* --- header lines */

bool
wba_fetch_header_next(const wba_fetch_result_t *result, size_t *at,
                      wba_str_t *name, wba_str_t *value)
{
    const uint8_t *line, *end, *colon;
    size_t left;

    while (*at < result->headers.len) {
        line = result->headers.data + *at;
        left = result->headers.len - *at;
        end = memchr(line, '\n', left);
        left = end != NULL ? (size_t) (end - line) : left;
        *at += left + (end != NULL);
        colon = memchr(line, ':', left);
        if (colon == NULL) {
            continue;
        }
        *name = wba_str_trim(wba_str(line, (size_t) (colon - line)));
        left -= (size_t) (colon - line) + 1;
        *value = wba_str_trim(wba_str(colon + 1, left));
        return true;
    }
    return false;
}

wba_str_t
wba_fetch_header(const wba_fetch_result_t *result, const char *name)
{
    wba_str_t got, value;
    size_t at = 0;

    while (wba_fetch_header_next(result, &at, &got, &value)) {
        if (wba_str_eq_nocase(got, wba_str_z(name))) {
            return value;
        }
    }
    return WBA_STR_NONE;
}

static bool
is_gzip(wba_str_t coding)
{
    return wba_str_eq_nocase(coding, WBA_STR("gzip"))
           || wba_str_eq_nocase(coding, WBA_STR("x-gzip"))
           || wba_str_eq_nocase(coding, WBA_STR("deflate"));
}

/* libcurl undoes whatever coding it is sent, in layers, and zstd or brotli may
 * want 128 MB to do it.  Only what is asked for is taken, and only once; it is
 * taken where nothing was asked for, too, as some servers send nothing else.
 * A transfer coding could do the same harm. */
static bool
coding_acceptable(wba_fetch_job_t *job)
{
    wba_str_t name, value;
    const char *bad = NULL;
    int codings = 0;
    size_t at = 0;

    job->result.headers = wba_str(job->headers.data, job->headers.len);
    while (wba_fetch_header_next(&job->result, &at, &name, &value)) {
        if (value.len == 0 || wba_str_eq_nocase(value, WBA_STR("identity"))) {
            continue;
        }
        if (wba_str_eq_nocase(name, WBA_STR("content-encoding"))
            && (++codings > 1 || !is_gzip(value)))
        {
            bad = "the answer has a content coding that was not asked for";
        } else if (wba_str_eq_nocase(name, WBA_STR("transfer-encoding"))
                   && !wba_str_eq_nocase(value, WBA_STR("chunked")))
        {
            bad = "the answer has a transfer coding that was not asked for";
        }
    }
    job->result.decoded = codings != 0;
    if (bad != NULL) {
        wba_fetch_doom(job, WBA_FETCH_PROTOCOL, bad);
    }
    return bad == NULL;
}

static bool
header_line(wba_fetch_job_t *job, wba_str_t line)
{
    bool folded = line.data[0] == ' ' || line.data[0] == '\t';
    const char *what = "header lines are";

    if (folded && job->headers.len != 0) {
        /* Joined by one space, which takes the place of the LF. */
        job->headers.data[job->headers.len - 1] = ' ';
        line = wba_str_trim(line);
    }
    return append(job, &job->headers, line.data, line.len,
                  WBA_MAX_FETCH_HEADERS, what)
           && append(job, &job->headers, "\n", 1, WBA_MAX_FETCH_HEADERS, what);
}

size_t
wba_fetch_on_header(char *data, size_t size, size_t count, void *arg)
{
    wba_fetch_job_t *job = arg;
    size_t len = size * count;
    wba_str_t line = wba_str(data, len);
    const uint8_t *space;
    bool ok = true;

    while (line.len && (line.data[line.len - 1] == '\n'
                        || line.data[line.len - 1] == '\r'))
    {
        line.len--;
    }
    if (job->head_end) {
        ok = true; /* a trailer */
    } else if (line.len == 0) {
        job->head_end = !job->interim;
        job->begun = false;
        ok = job->interim || coding_acceptable(job);
    } else if (!job->begun) {
        space = memchr(line.data, ' ', line.len - 1);
        job->interim = space != NULL && space[1] == '1';
        job->begun = true;
        job->headers.len = 0;
    } else {
        ok = header_line(job, line);
    }
    return ok ? len : 0;
}

/* --- libcurl's other callbacks */

size_t
wba_fetch_on_body(char *data, size_t size, size_t count, void *arg)
{
    wba_fetch_job_t *job = arg;
    size_t len = size * count;

    if (!append(job, &job->body, data, len, job->max_body, "body is")) {
        return 0;
    }
    return len;
}

/* Bounds what is read from the wire: a coding may stand for nothing at all. */
int
wba_fetch_on_progress(void *arg, curl_off_t total, curl_off_t now,
                      curl_off_t up_total, curl_off_t up_now)
{
    wba_fetch_job_t *job = arg;

    (void) total;
    (void) up_total;
    (void) up_now;
    if (now > 0 && (uint64_t) now > job->max_body
        && (uint64_t) now - job->max_body > WIRE_SLACK(job->max_body))
    {
        wba_fetch_doom(job, WBA_FETCH_TOO_LARGE,
                       "the body, as sent, is longer than when decoded it may "
                       "be");
        return 1;
    }
    return 0;
}

static void
describe_failure(wba_fetch_job_t *job, CURLcode code)
{
    wba_fetch_result_t *r = &job->result;
    size_t i;

    if (r->error == WBA_FETCH_OK && job->refused && !job->opened) {
        r->error = WBA_FETCH_REFUSED; /* with refuse()'s reason */
    } else if (r->error == WBA_FETCH_OK) {
        r->error = error_of(code);
        snprintf(r->reason, sizeof(r->reason), "%s",
                 job->detail[0] ? job->detail : curl_easy_strerror(code));
        if (r->error == WBA_FETCH_URL && r->address[0] != '\0') {
            r->error = WBA_FETCH_PROTOCOL; /* the answer's, HTTP/0.9 */
        }
    }
    for (i = 0; r->reason[i] != '\0'; i++) {
        if (r->reason[i] < 0x20 || r->reason[i] > 0x7e) {
            r->reason[i] = '?';
        }
    }
}

static void
describe_peer(wba_fetch_job_t *job)
{
    wba_fetch_result_t *r = &job->result;
    char *ip = NULL;
    long port = 0;
    long status = 0;
    curl_off_t us = 0;

    curl_easy_getinfo(job->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(job->easy, CURLINFO_TOTAL_TIME_T, &us);
    curl_easy_getinfo(job->easy, CURLINFO_PRIMARY_IP, &ip);
    curl_easy_getinfo(job->easy, CURLINFO_PRIMARY_PORT, &port);
    r->status = (int) status;
    r->elapsed_ms = us < 0 ? 0 : (uint64_t) us / 1000;
    if (ip != NULL && ip[0] != '\0') {
        snprintf(r->address, sizeof(r->address),
                 strchr(ip, ':') != NULL ? "[%s]:%ld" : "%s:%ld", ip, port);
    }
}

void
wba_fetch_describe(wba_fetch_job_t *job, CURLcode code)
{
    wba_fetch_result_t *r = &job->result;

    describe_peer(job);
    if (code != CURLE_OK || r->error != WBA_FETCH_OK) {
        describe_failure(job, code);
    } else {
        r->reason[0] = '\0'; /* one of several addresses was refused */
        r->body = wba_str(job->body.data, job->body.len);
    }
    r->headers = wba_str(job->headers.data, job->headers.len);
    r->content_type = wba_fetch_header(r, "content-type");
}
