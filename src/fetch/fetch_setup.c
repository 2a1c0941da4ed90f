/* SPDX-License-Identifier: BSD-2-Clause */
/* What libcurl is told before a transfer: policy, trust, request headers. */
#include "fetch_private.h"

#include <stdio.h>
#include <unistd.h>

/* Sets one option unless an earlier one failed. */
#define SET(option, value)                                     \
    do {                                                       \
        if (code == CURLE_OK) {                                \
            code = curl_easy_setopt(easy, (option), (value));  \
        }                                                      \
    } while (0)

/* What holds for every transfer. */
static CURLcode
set_policy(CURL *easy, bool allow_http)
{
    const char *protocols = allow_http ? "http,https" : "https";
    CURLcode code = CURLE_OK;

    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* never wait for a resolver thread */
    SET(CURLOPT_PROTOCOLS_STR, protocols);
    SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_DNS_CACHE_TIMEOUT, 0L); /* fetches are minutes apart */
    SET(CURLOPT_PROXY, ""); /* nor what the environment says */
    SET(CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
    SET(CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_HTTPGET, 1L);
    return code;
}

/*
 * libcurl searches its built-in CApath besides whatever file it is given:
 * left as it is, a private authority would be trusted next to, not instead
 * of, the system's.  It also keeps its parsed authorities from one handshake
 * to the next only when there is no CApath; without that, each handshake
 * parses the system's bundle for some 30 ms.
 */
static CURLcode
set_trust(CURL *easy, const wba_fetch_t *fetch,
          const wba_fetch_request_t *request)
{
    const char *file = request->trusted_certificate;
    wba_str_t pem = request->trusted_pem;
    struct curl_blob blob = { (void *) (uintptr_t) pem.data, pem.len,
                              CURL_BLOB_NOCOPY };
    CURLcode code = CURLE_OK;

    if (pem.data != NULL) {
        SET(CURLOPT_CAINFO_BLOB, &blob);
        SET(CURLOPT_CAINFO, NULL);
    } else if (file != NULL) {
        SET(CURLOPT_CAINFO, file);
    }
    if (pem.data != NULL || file != NULL || fetch->clear_path) {
        SET(CURLOPT_CAPATH, NULL);
    }
    return code;
}

static CURLcode
set_callbacks(CURL *easy, wba_fetch_job_t *job)
{
    CURLcode code = CURLE_OK;

    SET(CURLOPT_PRIVATE, job);
    SET(CURLOPT_ERRORBUFFER, job->detail);
    SET(CURLOPT_HEADERFUNCTION, wba_fetch_on_header);
    SET(CURLOPT_HEADERDATA, job);
    SET(CURLOPT_WRITEFUNCTION, wba_fetch_on_body);
    SET(CURLOPT_WRITEDATA, job);
    SET(CURLOPT_XFERINFOFUNCTION, wba_fetch_on_progress);
    SET(CURLOPT_XFERINFODATA, job);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_OPENSOCKETFUNCTION, wba_fetch_on_open);
    SET(CURLOPT_OPENSOCKETDATA, job);
    SET(CURLOPT_CLOSESOCKETFUNCTION, wba_fetch_on_close);
    SET(CURLOPT_CLOSESOCKETDATA, job->fetch); /* outlives the job */
    return code;
}

/* Adds a request header; a value that must not be sent is passed over. */
static CURLcode
add_line(wba_fetch_job_t *job, const char *name, const char *value)
{
    char line[WBA_MAX_FETCH_VALUE + 32];
    struct curl_slist *lines;
    size_t i;

    if (value == NULL || value[0] == '\0') {
        return CURLE_OK;
    }
    for (i = 0; value[i] != '\0'; i++) {
        if (i == WBA_MAX_FETCH_VALUE || (unsigned char) value[i] < 0x20
            || value[i] == 0x7f)
        {
            return CURLE_OK;
        }
    }
    snprintf(line, sizeof(line), "%s: %s", name, value);
    lines = curl_slist_append(job->lines, line);
    if (lines == NULL) {
        return CURLE_OUT_OF_MEMORY;
    }
    job->lines = lines;
    return CURLE_OK;
}

static CURLcode
add_lines(wba_fetch_job_t *job, const wba_fetch_request_t *request)
{
    CURLcode code = add_line(job, "Accept", request->accept);

    if (code == CURLE_OK) {
        code = add_line(job, "User-Agent", request->user_agent);
    }
    if (code == CURLE_OK) {
        code = add_line(job, "If-None-Match", request->if_none_match);
    }
    if (code == CURLE_OK) {
        code = add_line(job, "If-Modified-Since", request->if_modified_since);
    }
    if (code == CURLE_OK && request->identity) {
        code = add_line(job, "Accept-Encoding", "identity");
    }
    return code;
}

/* Path and query as they stand: newer libcurl drops the "?" before an empty
 * query from what it makes of the URL itself. */
static CURLcode
set_target(CURL *easy, const char *url)
{
    const char *p = strstr(url, "://");

    p = p == NULL ? NULL : strpbrk(p + 3, "/?#");
    if (p == NULL || *p != '/' || strchr(p, '#') != NULL) {
        return CURLE_OK;
    }
    return curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, p);
}

static CURLcode
set_request(CURL *easy, wba_fetch_job_t *job,
            const wba_fetch_request_t *request)
{
    long timeout = request->timeout_ms > 0 ? request->timeout_ms
                                           : WBA_FETCH_TIMEOUT_MS;
    bool fresh = request->fresh_connection || request->allow_address != NULL;
    CURLcode code = add_lines(job, request);

    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_PATH_AS_IS, 1L);
    if (code == CURLE_OK) {
        code = set_target(easy, request->url);
    }
    SET(CURLOPT_TIMEOUT_MS, timeout);
    /* The line of ours, if there is one, is sent in place of libcurl's; what
     * comes is decoded either way. */
    SET(CURLOPT_HTTPHEADER, job->lines);
    SET(CURLOPT_ACCEPT_ENCODING, "gzip");
    if (fresh) {
        SET(CURLOPT_FRESH_CONNECT, 1L);
        SET(CURLOPT_FORBID_REUSE, 1L);
        SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
    }
    return code;
}

CURLcode
wba_fetch_setup(wba_fetch_job_t *job, const wba_fetch_request_t *request)
{
    CURL *easy = job->easy;
    CURLcode code = set_policy(easy, request->allow_http);

    if (code == CURLE_OK) {
        code = set_trust(easy, job->fetch, request);
    }
    if (code == CURLE_OK) {
        code = set_callbacks(easy, job);
    }
    if (code == CURLE_OK) {
        code = set_request(easy, job, request);
    }
    return code;
}

/* Where libcurl has a bundle of its own, its CApath adds nothing. */
bool
wba_fetch_has_bundle(void)
{
    CURL *easy = curl_easy_init();
    char *file = NULL;
    bool has;

    if (easy == NULL) {
        return false;
    }
    curl_easy_getinfo(easy, CURLINFO_CAINFO, &file);
    has = file != NULL && access(file, R_OK) == 0;
    curl_easy_cleanup(easy);
    return has;
}
