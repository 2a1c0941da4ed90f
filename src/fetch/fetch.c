/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libcurl's multi interface: jobs from start to end.  libcurl's own callbacks
 * only take notes; every job is ended, and every caller's callback made, after
 * libcurl has returned.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr, RTLD_NODELETE */
#endif

#include "fetch_private.h"

#include <dlfcn.h>
#include <openssl/err.h>
#include <stdlib.h>

static int
on_timeout(CURLM *multi, long ms, void *arg)
{
    wba_fetch_t *fetch = arg;

    (void) multi;
    fetch->hooks->timer(fetch->loop, ms);
    return 0;
}

/* --- the multi handle */

static bool
set_multi(wba_fetch_t *fetch, CURLM *multi)
{
#if LIBCURL_VERSION_NUM >= 0x081400
    if (curl_multi_setopt(multi, CURLMOPT_QUICK_EXIT, 1L) != CURLM_OK) {
        return false;
    }
#endif
    /* No two jobs on one connection: when it cannot be watched, one fails. */
    return curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING)
               == CURLM_OK
           && curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS,
                                (long) WBA_MAX_FETCH_IDLE) == CURLM_OK
           && curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION,
                                wba_fetch_on_socket) == CURLM_OK
           && curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, fetch) == CURLM_OK
           && curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timeout)
                  == CURLM_OK
           && curl_multi_setopt(multi, CURLMOPT_TIMERDATA, fetch) == CURLM_OK;
}

/* With its idle connections. */
static void
close_multi(wba_fetch_t *fetch)
{
    curl_multi_cleanup(fetch->multi);
    fetch->multi = NULL;
    ERR_clear_error(); /* see act() */
    wba_fetch_unwatch(fetch, NULL);
}

static bool
open_multi(wba_fetch_t *fetch)
{
    fetch->multi = curl_multi_init();
    if (fetch->multi == NULL) {
        return false;
    }
    if (!set_multi(fetch, fetch->multi)) {
        close_multi(fetch);
        return false;
    }
    return true;
}

/* --- a job's life */

/* Ends the transfer, however far it is. */
static void
job_release(wba_fetch_job_t *job)
{
    if (job->easy == NULL) {
        return;
    }
    curl_multi_remove_handle(job->fetch->multi, job->easy);
    curl_easy_cleanup(job->easy);
    ERR_clear_error(); /* see act() */
    job->easy = NULL;
    wba_fetch_unwatch(job->fetch, job); /* should libcurl not have said so */
}

static void
job_free(wba_fetch_job_t *job)
{
    job_release(job);
    curl_slist_free_all(job->lines);
    free(job->headers.data);
    free(job->body.data);
    free(job);
}

static void
job_unlink(wba_fetch_job_t *job)
{
    wba_fetch_job_t **link = &job->fetch->jobs;

    while (*link != NULL && *link != job) {
        link = &(*link)->next;
    }
    if (*link == job) {
        *link = job->next;
        job->fetch->count--;
    }
}

/* Must follow the last call into libcurl of a function that does not deliver:
 * a doomed job is ended from the timer. */
static void
settle(wba_fetch_t *fetch)
{
    if (fetch->doomed && !fetch->delivering) {
        fetch->hooks->timer(fetch->loop, 0);
    }
}

/* libcurl is through with the job, or is told to be. */
static void
finish(wba_fetch_job_t *job, CURLcode code)
{
    wba_fetch_describe(job, code);
    job_release(job);
}

static void
collect(wba_fetch_t *fetch)
{
    wba_fetch_job_t *job;
    CURLMsg *message;
    CURLcode code;
    char *arg;
    int left;

    while ((message = curl_multi_info_read(fetch->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &arg);
        finish((wba_fetch_job_t *) (void *) arg, code);
    }
    if (!fetch->doomed) {
        return;
    }
    fetch->doomed = false;
    for (job = fetch->jobs; job != NULL; job = job->next) {
        if (job->easy != NULL && job->result.error != WBA_FETCH_OK) {
            finish(job, CURLE_ABORTED_BY_CALLBACK);
        }
    }
}

/* Whether an unfinished job has no descriptor left to wait for. */
static bool
has_lost(const wba_fetch_t *fetch)
{
    const wba_fetch_job_t *job;

    for (job = fetch->jobs; job != NULL; job = job->next) {
        if (job->easy != NULL && !wba_fetch_waits(job)) {
            return true;
        }
    }
    return false;
}

/*
 * When a host's first address fails to connect, libcurl 7.88 takes up the next
 * one only at its next event, which may be the end of the whole transfer.  So
 * every transfer is looked at once more when one has lost its descriptor.
 */
static CURLMcode
nudge(wba_fetch_t *fetch)
{
    CURLMcode code = CURLM_OK;
    int running;

    if (fetch->lost) {
        fetch->lost = false;
        if (has_lost(fetch)) {
            CURL_IGNORE_DEPRECATION(
                code = curl_multi_socket_all(fetch->multi, &running);
            )
            fetch->lost = false;
            collect(fetch);
        }
    }
    return code;
}

static void
deliver(wba_fetch_t *fetch)
{
    wba_fetch_job_t *job;

    if (fetch->delivering) {
        return;
    }
    fetch->delivering = true;
    do {
        /* From the top each time: the callback may have changed the list. */
        for (job = fetch->jobs; job != NULL; job = job->next) {
            /* What was freed was unlinked before, which the analyzer forgets
             * at the callback.  NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
            if (job->easy == NULL) {
                job_unlink(job);
                job->done(job->ctx, &job->result);
                job_free(job);
                break;
            }
        }
    } while (job != NULL);
    fetch->delivering = false;
    settle(fetch);
}

/* No transfer can be relied on to go on.  Nor can the multi handle: where
 * libcurl 7.88 had no memory to note a socket, it divides by zero when the
 * number comes again.  Another one is opened for the next job. */
static void
give_up(wba_fetch_t *fetch, CURLMcode code)
{
    wba_fetch_job_t *job;

    for (job = fetch->jobs; job != NULL; job = job->next) {
        if (job->easy != NULL) {
            wba_fetch_doom(job, WBA_FETCH_MEMORY, curl_multi_strerror(code));
        }
    }
    collect(fetch);
    close_multi(fetch);
}

static void
act(wba_fetch_t *fetch, curl_socket_t fd, int events)
{
    CURLMcode code;
    int running;

    if (fetch->multi == NULL) {
        return;
    }
    code = curl_multi_socket_action(fetch->multi, fd, events, &running);

    /* OpenSSL's errors are the thread's: nginx would take those of a handshake
     * that failed here for its own next connection's. */
    ERR_clear_error();
    if (code == CURLM_OK || code == CURLM_BAD_SOCKET) {
        collect(fetch);
        code = nudge(fetch);
    }
    if (code != CURLM_OK) {
        give_up(fetch, code);
    }
    deliver(fetch);
}

void
wba_fetch_on_fd(wba_fetch_t *fetch, int fd, unsigned events)
{
    int mask = (events & WBA_FETCH_READ ? CURL_CSELECT_IN : 0)
               | (events & WBA_FETCH_WRITE ? CURL_CSELECT_OUT : 0);

    if (events & WBA_FETCH_FAILED) {
        /* Not ERR: libcurl shall read what is left and see the cause. */
        mask |= CURL_CSELECT_IN | CURL_CSELECT_OUT;
    }
    fd = wba_fetch_fd_of(fetch, fd);
    if (fd != -1) {
        act(fetch, fd, mask);
    }
}

void
wba_fetch_on_timer(wba_fetch_t *fetch)
{
    act(fetch, CURL_SOCKET_TIMEOUT, 0);
}

/* --- starting and ending */

static wba_fetch_job_t *
job_new(wba_fetch_t *fetch, const wba_fetch_request_t *request)
{
    wba_fetch_job_t *job = calloc(1, sizeof(*job));

    if (job == NULL) {
        return NULL;
    }
    job->fetch = fetch;
    job->max_body = request->max_body ? request->max_body : WBA_FETCH_BODY;
    job->allow_address = request->allow_address;
    job->easy = curl_easy_init();
    if (job->easy == NULL || wba_fetch_setup(job, request) != CURLE_OK
        || curl_multi_add_handle(fetch->multi, job->easy) != CURLM_OK)
    {
        job_free(job);
        return NULL;
    }
    return job;
}

wba_fetch_job_t *
wba_fetch_start(wba_fetch_t *fetch, const wba_fetch_request_t *request,
                wba_fetch_done_pt done, void *ctx)
{
    wba_fetch_job_t **link, *job;

    if (fetch->count >= fetch->max_jobs
        || (fetch->multi == NULL && !open_multi(fetch)))
    {
        return NULL;
    }
    job = job_new(fetch, request);
    if (job != NULL) {
        job->done = done;
        job->ctx = ctx;
        for (link = &fetch->jobs; *link != NULL; link = &(*link)->next) {
            /* to the end */
        }
        *link = job;
        fetch->count++;
        wba_fetch_rewatch(fetch);
    }
    settle(fetch);
    return job;
}

void
wba_fetch_cancel(wba_fetch_job_t *job)
{
    wba_fetch_t *fetch;
    unsigned count;

    if (job == NULL) {
        return;
    }
    fetch = job->fetch;
    count = fetch->count;
    job_unlink(job);
    if (fetch->count == count) {
        return; /* its callback is running */
    }
    job_free(job);
    settle(fetch);
}

unsigned
wba_fetch_jobs(const wba_fetch_t *fetch)
{
    return fetch->count;
}

/* --- the whole */

bool
wba_fetch_global_init(void)
{
    Dl_info info;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return false;
    }
    /* The handle is never closed: that is the point.  Where libcurl is part
     * of the program this finds nothing to do. */
    if (dladdr((void *) (uintptr_t) curl_multi_init, &info) != 0
        && info.dli_fname != NULL)
    {
        (void) dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
    }
    return true;
}

void
wba_fetch_global_free(void)
{
    curl_global_cleanup();
}

wba_fetch_t *
wba_fetch_new(const wba_fetch_hooks_t *hooks, void *loop, unsigned max_jobs)
{
    wba_fetch_t *fetch = calloc(1, sizeof(*fetch));

    if (fetch == NULL) {
        return NULL;
    }
    fetch->hooks = hooks;
    fetch->loop = loop;
    fetch->max_jobs = max_jobs ? max_jobs : WBA_FETCH_JOBS;
    fetch->wakeup = -1;
    fetch->clear_path = wba_fetch_has_bundle();
    if (!open_multi(fetch)) {
        free(fetch);
        return NULL;
    }
    return fetch;
}

void
wba_fetch_free(wba_fetch_t *fetch)
{
    if (fetch == NULL) {
        return;
    }
    while (fetch->jobs != NULL) {
        /* As in deliver.  NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
        wba_fetch_cancel(fetch->jobs);
    }
    close_multi(fetch);
    fetch->hooks->timer(fetch->loop, -1);
    free(fetch);
}
