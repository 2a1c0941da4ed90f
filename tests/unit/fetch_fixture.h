/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of fetch share: the TLS servers on loopback
 * (fetch_server.py), a resolver of our own (slow_resolver.c), and a loop whose
 * hooks check each descriptor they are told about.
 */
#ifndef FETCH_FIXTURE_H
#define FETCH_FIXTURE_H

#include "slow_resolver.c" /* first: it wants _GNU_SOURCE */

#include "failing.h" /* libcurl's memory */
#include "wba_poll.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cmocka.h>

enum { GOOD, UNKNOWN, EXPIRED, WRONG, OLD, PLAIN, LISTENERS };

#define BODY "{\"keys\":[]}"
#define SOON 100 /* milliseconds that no call may take */
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct {
    pid_t pid;
    int to;
    char folder[128];
    char ca[160];
    char other[160];
    int port[LISTENERS];
} server;

/* --- the loop under the test's eye */

static struct {
    wba_poll_t *poll;
    wba_fetch_t *fetch;
    int watched;     /* descriptors with a slot */
    int wrong;       /* rules broken, checked at the end of each test */
    int watch_calls; /* with events */
    int refuse_at;   /* the call to refuse, counted from 1; 0: none */
    bool quiet;      /* no callback may come now */
} eye;

static inline bool
eye_watch(void *loop, int fd, unsigned events, void **slot)
{
    if (fcntl(fd, F_GETFD) == -1) {
        eye.wrong++; /* closed before we were told */
    }
    if (events == 0) {
        eye.wrong += *slot != &eye;
        eye.watched--;
        return wba_poll_hooks.watch(loop, fd, 0, slot);
    }
    if (*slot != NULL && *slot != &eye) {
        eye.wrong++;
    }
    if (++eye.watch_calls == eye.refuse_at) {
        if (*slot != NULL) {
            eye.watched--;
            wba_poll_hooks.watch(loop, fd, 0, slot);
        }
        return false;
    }
    if (!wba_poll_hooks.watch(loop, fd, events, slot)) {
        eye.watched -= *slot != NULL;
        return false;
    }
    eye.watched += *slot == NULL;
    *slot = &eye;
    return true;
}

static inline void
eye_timer(void *loop, long ms)
{
    wba_poll_hooks.timer(loop, ms);
}

static const wba_fetch_hooks_t eye_hooks = { eye_watch, eye_timer };

static inline void
eye_open(unsigned max_jobs)
{
    memset(&eye, 0, sizeof(eye));
    eye.poll = wba_poll_new();
    assert_non_null(eye.poll);
    eye.fetch = wba_fetch_new(&eye_hooks, eye.poll, max_jobs);
    assert_non_null(eye.fetch);
}

static inline void
eye_close(void)
{
    eye.quiet = true;
    wba_fetch_free(eye.fetch);
    eye.fetch = NULL;
    assert_int_equal(eye.watched, 0);
    assert_int_equal(wba_poll_watched(eye.poll), 0);
    assert_int_equal(eye.wrong, 0);
    wba_poll_free(eye.poll);
}

static inline int
each_setup(void **state)
{
    (void) state;
    eye_open(0);
    return 0;
}

static inline int
each_teardown(void **state)
{
    (void) state;
    eye_close();
    return 0;
}

/* --- a request and what came of it */

typedef struct {
    bool done;
    int calls;
    wba_fetch_result_t result; /* its views point into copy */
    char copy[4096];
    char body[1024];
} record_t;

static inline void
on_done(void *ctx, const wba_fetch_result_t *result)
{
    record_t *r = ctx;
    size_t n = result->headers.len;

    eye.wrong += eye.quiet;
    r->done = true;
    r->calls++;
    r->result = *result;
    n = n < sizeof(r->copy) ? n : 0;
    if (n != 0) {
        memcpy(r->copy, result->headers.data, n);
    }
    r->result.headers = wba_str(r->copy, n);
    n = result->body.len < sizeof(r->body) ? result->body.len
                                           : sizeof(r->body) - 1;
    if (n != 0) {
        memcpy(r->body, result->body.data, n);
    }
    r->body[n] = '\0';
}

static inline const char *
url_of(int listener, const char *host, const char *path)
{
    static char url[256];

    snprintf(url, sizeof(url), "%s://%s:%d%s",
             listener == PLAIN ? "http" : "https", host, server.port[listener],
             path);
    return url;
}

static inline wba_fetch_request_t
request_of(const char *url)
{
    wba_fetch_request_t request = { .url = url, .timeout_ms = 3000 };

    request.trusted_certificate = server.ca;
    return request;
}

static inline wba_fetch_job_t *
start(const wba_fetch_request_t *request, record_t *r)
{
    wba_fetch_job_t *job;

    memset(r, 0, sizeof(*r));
    eye.quiet = true;
    job = wba_fetch_start(eye.fetch, request, on_done, r);
    eye.quiet = false;
    return job;
}

static inline void
run(const wba_fetch_request_t *request, record_t *r)
{
    assert_non_null(start(request, r));
    assert_true(wba_poll_run(eye.poll, eye.fetch, &r->done, 10000));
    assert_int_equal(r->calls, 1);
}

static inline void
get(const char *path, record_t *r)
{
    wba_fetch_request_t request = request_of(url_of(GOOD, "localhost", path));

    run(&request, r);
}

static inline int64_t
now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static inline void
assert_header(const record_t *r, const char *name, const char *value)
{
    wba_str_t got = wba_fetch_header(&r->result, name);

    if (!wba_str_eq(got, wba_str_z(value))) {
        fail_msg("%s: \"%.*s\"", name, (int) got.len, (const char *) got.data);
    }
}

/* --- the server */

static inline int
all_setup(void **state)
{
    int in[2], out[2], n;
    FILE *from;

    (void) state;
    signal(SIGPIPE, SIG_IGN);
    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, fail_malloc, free,
                             fail_realloc, fail_strdup, fail_calloc)
            != CURLE_OK
        || !wba_fetch_global_init() || pipe(in) != 0 || pipe(out) != 0)
    {
        return -1;
    }
    server.pid = fork();
    if (server.pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[1]);
        unsetenv("LD_PRELOAD");
        execl("/usr/bin/python3", "python3", "tests/unit/fetch_server.py",
              (char *) NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    server.to = in[1];
    from = fdopen(out[0], "r");
    n = fscanf(from, "%127s %d %d %d %d %d %d", server.folder, &server.port[0],
               &server.port[1], &server.port[2], &server.port[3],
               &server.port[4], &server.port[5]);
    fclose(from);
    snprintf(server.ca, sizeof(server.ca), "%s/ca.pem", server.folder);
    snprintf(server.other, sizeof(server.other), "%s/other.pem",
             server.folder);
    return n == 1 + LISTENERS ? 0 : -1;
}

static inline int
all_teardown(void **state)
{
    (void) state;
    close(server.to); /* it removes its folder and ends */
    waitpid(server.pid, NULL, 0);
    wba_fetch_global_free();
    curl_global_cleanup();
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, each_setup, each_teardown)

#endif
