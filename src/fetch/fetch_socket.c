/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets: which addresses may be connected to, and the book of descriptors
 * that the loop watches for us.
 */
#include "fetch_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * What the loop watches for us is a duplicate of libcurl's descriptor.
 * libcurl (7.88, for one) closes a socket whose connection never came about
 * without a word and tells of it afterwards; should another socket have got the
 * number by then, it sees no change and need not tell.  A duplicate stays open
 * until the loop has let go of it.
 */
typedef struct wba_fetch_watched_s watched_t;

struct wba_fetch_watched_s {
    watched_t *next;
    wba_fetch_job_t *job; /* or NULL, when libcurl acts for itself */
    int fd;               /* libcurl's */
    int own;              /* the loop's */
    unsigned events;
    void *slot;
};

static watched_t *
find(wba_fetch_t *fetch, int fd)
{
    watched_t *w = fetch->watched;

    while (w != NULL && w->fd != fd) {
        w = w->next;
    }
    return w;
}

static void
drop(wba_fetch_t *fetch, watched_t *w, bool tell)
{
    watched_t **link = &fetch->watched;

    while (*link != w) {
        link = &(*link)->next;
    }
    *link = w->next;
    if (tell) {
        fetch->hooks->watch(fetch->loop, w->own, 0, &w->slot);
    }
    close(w->own);
    free(w);
}

static void
forget(wba_fetch_t *fetch, int fd)
{
    watched_t *w = find(fetch, fd);

    if (w != NULL) {
        drop(fetch, w, true);
    }
}

/* Whether the number still stands for what was duplicated. */
static bool
is_current(const watched_t *w)
{
    struct stat now, then;

    return fstat(w->fd, &now) == 0 && fstat(w->own, &then) == 0
           && now.st_dev == then.st_dev && now.st_ino == then.st_ino;
}

static watched_t *
watched_new(wba_fetch_t *fetch, int fd)
{
    watched_t *w = calloc(1, sizeof(*w));

    if (w == NULL) {
        return NULL;
    }
    w->fd = fd;
    w->own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (w->own == -1) {
        free(w);
        return NULL;
    }
    w->next = fetch->watched;
    fetch->watched = w;
    return w;
}

/*
 * From 8.15 on libcurl's resolvers wake it by a descriptor of its own, which
 * lives as long as the multi handle and of which it tells once.  While it is
 * not watched no name is resolved, so all jobs fail, and it is watched again
 * when the next one starts.  A socket of no job is a connection that is being
 * closed, and nobody misses it.
 */
static void
lose_wakeup(wba_fetch_t *fetch, int fd, unsigned events, const char *why)
{
    wba_fetch_job_t *job;
    struct stat file;

    if (fstat(fd, &file) != 0 || S_ISSOCK(file.st_mode)) {
        return;
    }
    fetch->wakeup = fd;
    fetch->wakeup_events = events;
    for (job = fetch->jobs; job != NULL; job = job->next) {
        if (job->easy != NULL) {
            wba_fetch_doom(job, WBA_FETCH_DESCRIPTORS, why);
        }
    }
}

/* A failure is the job's alone. */
static void
watch(wba_fetch_t *fetch, wba_fetch_job_t *job, int fd, unsigned events)
{
    static const char why[] = "the event loop cannot watch another descriptor";
    watched_t *w = find(fetch, fd);

    if (w != NULL && !is_current(w)) {
        drop(fetch, w, true);
        w = NULL;
    }
    if (w == NULL) {
        w = watched_new(fetch, fd);
    }
    if (w != NULL) {
        w->job = job;
        w->events = events;
        if (fetch->hooks->watch(fetch->loop, w->own, events, &w->slot)) {
            return;
        }
        drop(fetch, w, false); /* the loop holds nothing for it now */
    }
    if (job != NULL) {
        wba_fetch_doom(job, WBA_FETCH_DESCRIPTORS, why);
    } else {
        lose_wakeup(fetch, fd, events, why);
    }
}

void
wba_fetch_rewatch(wba_fetch_t *fetch)
{
    int fd = fetch->wakeup;

    if (fd != -1) {
        fetch->wakeup = -1;
        watch(fetch, NULL, fd, fetch->wakeup_events);
    }
}

/* Returning -1 would end every transfer of the multi handle, not just this. */
int
wba_fetch_on_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
                    void *ignored)
{
    wba_fetch_t *fetch = arg;
    char *job = NULL;
    unsigned events = 0;

    (void) ignored;
    if (what != CURL_POLL_REMOVE) {
        events = (what & CURL_POLL_IN ? WBA_FETCH_READ : 0)
                 | (what & CURL_POLL_OUT ? WBA_FETCH_WRITE : 0);
    }
    if (fd == fetch->wakeup) {
        fetch->wakeup = -1;
    }
    if (events == 0) {
        forget(fetch, fd);
        fetch->lost = true;
        return 0;
    }
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &job);
    watch(fetch, (wba_fetch_job_t *) (void *) job, fd, events);
    return 0;
}

static void
refuse(wba_fetch_job_t *job, const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN] = "";

    if (address->sa_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *) address)->sin_addr,
                  text, sizeof(text));
    } else if (address->sa_family == AF_INET6) {
        inet_ntop(AF_INET6,
                  &((const struct sockaddr_in6 *) address)->sin6_addr, text,
                  sizeof(text));
    }
    job->refused = true;
    snprintf(job->result.reason, sizeof(job->result.reason),
             "the host's address %s is not allowed", text);
}

curl_socket_t
wba_fetch_on_open(void *arg, curlsocktype purpose,
                  struct curl_sockaddr *address)
{
    wba_fetch_job_t *job = arg;
    watched_t *w;
    int fd;

    (void) purpose;
    if (job->allow_address != NULL
        && !job->allow_address(job->ctx, &address->addr))
    {
        refuse(job, &address->addr);
        return CURL_SOCKET_BAD;
    }
    /* libcurl makes it non-blocking, and does not look whether that failed. */
    fd = socket(address->family,
                address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                address->protocol);
    if (fd == -1) {
        if (errno != EAFNOSUPPORT) {
            wba_fetch_doom(job, WBA_FETCH_DESCRIPTORS, strerror(errno));
        }
        return CURL_SOCKET_BAD;
    }
    job->opened = true;
    w = find(job->fetch, fd);
    if (w != NULL) {
        /* libcurl believes that the number is being watched: so be it. */
        watch(job->fetch, job, fd, w->events);
    }
    return fd;
}

int
wba_fetch_on_close(void *arg, curl_socket_t fd)
{
    forget(arg, fd);
    return close(fd);
}

bool
wba_fetch_waits(const wba_fetch_job_t *job)
{
    const watched_t *w = job->fetch->watched;

    while (w != NULL && w->job != job) {
        w = w->next;
    }
    return w != NULL;
}

int
wba_fetch_fd_of(const wba_fetch_t *fetch, int own)
{
    const watched_t *w = fetch->watched;

    while (w != NULL && w->own != own) {
        w = w->next;
    }
    return w == NULL ? -1 : w->fd;
}

void
wba_fetch_unwatch(wba_fetch_t *fetch, const wba_fetch_job_t *job)
{
    watched_t *w, *next;

    for (w = fetch->watched; w != NULL; w = next) {
        next = w->next;
        if (job == NULL || w->job == job) {
            drop(fetch, w, true);
        }
    }
}
