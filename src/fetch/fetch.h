/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fetches a document over https without ever blocking: libcurl's multi
 * interface behind two event-loop hooks.  No event loop, no file, no clock and
 * no judgement in here: any HTTP status is an answer, redirects are answers
 * too, and what a key set or a cache lifetime is, is for others to say.
 *
 * One wba_fetch_t belongs to one event loop in one thread, and must be made in
 * the process that uses it (after fork).  libcurl resolves names in threads of
 * its own; one that still waits for a dead name server when its transfer is
 * given up is left behind, ends by itself, and touches nothing of ours.
 *
 * SIGPIPE must be ignored by the process (nginx does).
 */
#ifndef WBA_FETCH_H
#define WBA_FETCH_H

#include "str.h"

#include <sys/socket.h>

/* Defaults where a request says 0; those of a directory block. */
#define WBA_FETCH_TIMEOUT_MS 5000
#define WBA_FETCH_BODY (1024 * 1024)

/* Transfers at a time where wba_fetch_new() is given 0.  Each has up to two
 * descriptors watched (IPv6 and IPv4 race), and up to six open. */
#define WBA_FETCH_JOBS 64

/* Idle connections kept: directories are refetched minutes apart, which is
 * longer than most servers keep one. */
#define WBA_MAX_FETCH_IDLE 4

/* Bytes of all header lines of an answer.  Servers rarely send 4 KB; four
 * signatures of a possession proof with their inputs add 2 KB. */
#define WBA_MAX_FETCH_HEADERS 32768

/* Bytes of a value put in a request header, such as an ETag to send back. */
#define WBA_MAX_FETCH_VALUE 1024

/* Events of a descriptor. */
#define WBA_FETCH_READ 1u
#define WBA_FETCH_WRITE 2u
#define WBA_FETCH_FAILED 4u /* only to wba_fetch_on_fd(): error or hang-up */

typedef struct wba_fetch_s wba_fetch_t;
typedef struct wba_fetch_job_s wba_fetch_job_t;

/*
 * What an event loop must offer.  Both may be called from inside every
 * function below that takes a wba_fetch_t or a job, and must not call back
 * into any of them.  Both are idempotent: the same call may come twice.
 */
typedef struct {
    /*
     * Watch fd for exactly these events (READ, WRITE or both), level-
     * triggered; 0 means let go of fd.  fd is fetch's own duplicate of what
     * libcurl uses: it is open whenever this is called, it is always let go of
     * before it is closed, and only then can its number come back for another
     * socket.  The loop must never close it.  *slot is the loop's, one for
     * each fd: NULL at first, kept until events is 0.
     *
     * Returns false when fd cannot be watched: the loop must then hold nothing
     * for it, is not told to let go of it, and the job fails with
     * WBA_FETCH_DESCRIPTORS.  For events 0 the return value is ignored.
     */
    bool (*watch)(void *loop, int fd, unsigned events, void **slot);

    /* Call wba_fetch_on_timer() once, in ms milliseconds (0: soon, but not
     * from in here).  Replaces the one before; -1 cancels it.  Early or
     * needless calls are harmless. */
    void (*timer)(void *loop, long ms);
} wba_fetch_hooks_t;

typedef enum {
    WBA_FETCH_OK = 0,      /* an answer, whatever its status */
    WBA_FETCH_URL,         /* not an https URL, or with user information */
    WBA_FETCH_RESOLVE,     /* the host has no address */
    WBA_FETCH_REFUSED,     /* allow_address refused every address */
    WBA_FETCH_CONNECT,     /* no address took the connection */
    WBA_FETCH_TLS,         /* no TLS, or not a certificate to trust */
    WBA_FETCH_TIMEOUT,     /* not over in time, at whatever step */
    WBA_FETCH_TOO_LARGE,   /* the body or the header lines pass a bound */
    WBA_FETCH_CLOSED,      /* the connection broke before the answer's end */
    WBA_FETCH_PROTOCOL,    /* not HTTP, or a coding that was not asked for */
    WBA_FETCH_DESCRIPTORS, /* no socket to be had, or none to be watched */
    WBA_FETCH_MEMORY
} wba_fetch_error_t;

/* Strings end in NUL, are copied and may be NULL unless it says otherwise. */
typedef struct {
    const char *url;  /* required; path and query are sent as they stand, dot
                         segments included */
    long timeout_ms;  /* from start to end, resolving included; 0: default */
    size_t max_body;  /* bytes after decoding; 0: WBA_FETCH_BODY */
    const char *trusted_certificate; /* PEM file; the only trust; NULL: the
                                        system's */
    wba_str_t trusted_pem; /* the same as text, borrowed until the job is gone;
                              wins over the file; absent: none */

    /* Request headers.  A value that is longer than WBA_MAX_FETCH_VALUE or
     * holds control characters is not sent. */
    const char *accept;
    const char *user_agent;
    const char *if_none_match;
    const char *if_modified_since;

    /* Judges each address about to be connected to; ctx is that of
     * wba_fetch_start().  Must not call into fetch.  Implies
     * fresh_connection, as nobody judged a connection that exists. */
    bool (*allow_address)(void *ctx, const struct sockaddr *address);

    bool fresh_connection; /* shares no connection, before or after */
    bool identity;   /* ask for no content coding, so that the body is what a
                        Content-Digest was computed over; one that comes all
                        the same is taken off, see decoded below */
    bool allow_http; /* tests only: http: as well */
} wba_fetch_request_t;

/* Valid inside the callback only.  The bytes are a stranger's: escape them. */
typedef struct {
    wba_fetch_error_t error;
    char reason[256]; /* why, as a sentence in printable ASCII; "" when OK */
    int status;       /* 0 where no answer began */
    wba_str_t body;   /* empty unless OK.  Where the server said no length
                         and just ended the connection, it may be cut short:
                         what is a JSON object then is a whole one. */
    bool decoded;     /* the answer had a content coding; body is without */
    wba_str_t content_type; /* of the header, untouched; or absent */
    wba_str_t headers;      /* see wba_fetch_header_next() */
    uint64_t elapsed_ms;
    char address[64]; /* connected to: "192.0.2.1:443"; "" if none */
} wba_fetch_result_t;

/*
 * Called once for each job, from wba_fetch_on_fd() or wba_fetch_on_timer()
 * only, never from wba_fetch_start() or wba_fetch_cancel().  May start and
 * cancel jobs; must not free the wba_fetch_t.  The job is gone afterwards.
 */
typedef void (*wba_fetch_done_pt)(void *ctx, const wba_fetch_result_t *result);

/*
 * Once in a process, before everything else and before other threads run.
 * False: libcurl does not start.  It also pins libcurl in memory, since a
 * module that is unloaded (nginx unloads modules when a worker ends) would take
 * the code away from under a resolver thread.
 */
bool wba_fetch_global_init(void);

/* For tools that like to end tidily; not while a wba_fetch_t lives. */
void wba_fetch_global_free(void);

/*
 * hooks and loop are borrowed and must outlive the result.  max_jobs bounds
 * the transfers at a time.  NULL: no memory.
 */
wba_fetch_t *wba_fetch_new(const wba_fetch_hooks_t *hooks, void *loop,
                           unsigned max_jobs);

/* Cancels every job (no callbacks), lets go of every descriptor, cancels the
 * timer, closes everything.  Does not wait for resolver threads.  NULL is
 * allowed. */
void wba_fetch_free(wba_fetch_t *fetch);

/* Jobs whose callback has not run yet. */
unsigned wba_fetch_jobs(const wba_fetch_t *fetch);

/*
 * Begins a transfer and returns at once.  What is wrong with the URL, too, is
 * told through done.  NULL, and done is never called: max_jobs are under way,
 * or no memory.
 */
wba_fetch_job_t *wba_fetch_start(wba_fetch_t *fetch,
                                 const wba_fetch_request_t *request,
                                 wba_fetch_done_pt done, void *ctx);

/* Ends a job without its callback; it is gone afterwards.  Nothing happens if
 * this is the job whose callback is running, or if it is NULL. */
void wba_fetch_cancel(wba_fetch_job_t *job);

/* fd is ready for events (READ, WRITE, FAILED).  An fd that is not being
 * watched (any more) is ignored, so stale events do no harm. */
void wba_fetch_on_fd(wba_fetch_t *fetch, int fd, unsigned events);

/* The timer has run out. */
void wba_fetch_on_timer(wba_fetch_t *fetch);

/*
 * The final answer's header lines in order (not those of 1xx answers, not
 * trailers), folded ones unfolded.  *at is 0 at first.  False: no more.  The
 * value has no white space at its ends; names are as sent.
 */
bool wba_fetch_header_next(const wba_fetch_result_t *result, size_t *at,
                           wba_str_t *name, wba_str_t *value);

/* The value of the first line of that name (case ignored), or absent. */
wba_str_t wba_fetch_header(const wba_fetch_result_t *result, const char *name);

/* "ok", "url", "resolve", ...: for logs, metrics and JSON. */
const char *wba_fetch_error_name(wba_fetch_error_t error);

#endif
