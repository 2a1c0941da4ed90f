/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of fetch share; nobody else includes it. */
#ifndef WBA_FETCH_PRIVATE_H
#define WBA_FETCH_PRIVATE_H

#include "fetch.h"

#include <curl/curl.h>

#if LIBCURL_VERSION_NUM < 0x075700
#error "libcurl 7.87 or later is needed: CURLOPT_QUICK_EXIT"
#endif

typedef struct {
    char *data;
    size_t len;
    size_t cap;
} wba_fetch_bytes_t;

struct wba_fetch_s {
    const wba_fetch_hooks_t *hooks;
    void *loop;
    CURLM *multi; /* NULL: the last one could not be relied on */
    wba_fetch_job_t *jobs; /* in the order of their start */
    unsigned count;
    unsigned max_jobs;
    struct wba_fetch_watched_s *watched;
    bool clear_path; /* see fetch_setup.c, set_trust() */
    bool doomed;     /* a job has an error of ours and must be ended */
    bool lost;       /* libcurl gave a descriptor up: see nudge() */
    bool delivering;
    int wakeup;             /* see wba_fetch_rewatch(); -1: none */
    unsigned wakeup_events;
};

struct wba_fetch_job_s {
    wba_fetch_job_t *next;
    wba_fetch_t *fetch;
    CURL *easy; /* NULL once libcurl is through with it */
    struct curl_slist *lines;
    wba_fetch_done_pt done;
    void *ctx;
    bool (*allow_address)(void *ctx, const struct sockaddr *address);
    size_t max_body;
    wba_fetch_bytes_t headers; /* lines without CRLF, each ended by LF */
    wba_fetch_bytes_t body;
    bool begun;    /* inside a header: its status line has come */
    bool interim;  /* inside the header of a 1xx answer */
    bool head_end; /* the final answer's header is complete */
    bool refused;  /* allow_address said no at least once */
    bool opened;   /* a socket was opened */
    wba_fetch_result_t result;
    char detail[CURL_ERROR_SIZE];
};

/* fetch_answer: libcurl's callbacks for what arrives, and the result. */

/* Notes why this job fails; what was noted first stays.  The job is ended when
 * libcurl has returned. */
void wba_fetch_doom(wba_fetch_job_t *job, wba_fetch_error_t error,
                    const char *reason);

size_t wba_fetch_on_header(char *data, size_t size, size_t count, void *job);
size_t wba_fetch_on_body(char *data, size_t size, size_t count, void *job);
int wba_fetch_on_progress(void *job, curl_off_t total, curl_off_t now,
                          curl_off_t up_total, curl_off_t up_now);

/* Fills in job's result; its easy handle still exists. */
void wba_fetch_describe(wba_fetch_job_t *job, CURLcode code);

/* fetch_setup: every option of an easy handle. */

/* Whether libcurl has a readable bundle of authorities built in. */
bool wba_fetch_has_bundle(void);

CURLcode wba_fetch_setup(wba_fetch_job_t *job,
                         const wba_fetch_request_t *request);

/* fetch_socket: libcurl's callbacks for sockets, and what the loop watches. */

int wba_fetch_on_socket(CURL *easy, curl_socket_t fd, int what, void *fetch,
                        void *ignored);
curl_socket_t wba_fetch_on_open(void *job, curlsocktype purpose,
                                struct curl_sockaddr *address);
int wba_fetch_on_close(void *fetch, curl_socket_t fd);

/* Has the loop watch again what it refused to watch of libcurl's own. */
void wba_fetch_rewatch(wba_fetch_t *fetch);

/* Whether the loop watches anything for job. */
bool wba_fetch_waits(const wba_fetch_job_t *job);

/* libcurl's descriptor for one of the loop's, or -1. */
int wba_fetch_fd_of(const wba_fetch_t *fetch, int own);

/* Lets go of all that is watched for job; of everything when job is NULL. */
void wba_fetch_unwatch(wba_fetch_t *fetch, const wba_fetch_job_t *job);

#endif
