/* SPDX-License-Identifier: BSD-2-Clause */
/* One array for poll(), one deadline, one monotonic clock. */
#include "wba_poll.h"

#include <poll.h>
#include <stdlib.h>
#include <time.h>

#define FIRST_FDS 8
#define NEVER INT64_MAX
#define NAP 60000 /* milliseconds: the longest a turn takes */

struct wba_poll_s {
    struct pollfd *fds;
    struct pollfd *ready; /* as long as fds: a copy to work through */
    size_t count;
    size_t cap;
    int64_t due; /* of the timer, in milliseconds, or NEVER */
};

static int64_t
now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static struct pollfd *
find(wba_poll_t *loop, int fd)
{
    size_t i;

    for (i = 0; i < loop->count; i++) {
        if (loop->fds[i].fd == fd) {
            return &loop->fds[i];
        }
    }
    return NULL;
}

static bool
reserve(wba_poll_t *loop)
{
    size_t cap = loop->cap == 0 ? FIRST_FDS : loop->cap * 2;
    struct pollfd *fds;

    if (loop->count < loop->cap) {
        return true;
    }
    fds = realloc(loop->ready, cap * sizeof(*fds));
    if (fds == NULL) {
        return false;
    }
    loop->ready = fds;
    fds = realloc(loop->fds, cap * sizeof(*fds));
    if (fds == NULL) {
        return false;
    }
    loop->fds = fds;
    loop->cap = cap;
    return true;
}

static bool
watch(void *arg, int fd, unsigned events, void **slot)
{
    wba_poll_t *loop = arg;
    struct pollfd *entry = find(loop, fd);

    (void) slot;
    if (events == 0) {
        if (entry != NULL) {
            *entry = loop->fds[--loop->count];
        }
        return true;
    }
    if (entry == NULL) {
        if (!reserve(loop)) {
            return false;
        }
        entry = &loop->fds[loop->count++];
        entry->fd = fd;
        entry->revents = 0;
    }
    entry->events = (short) ((events & WBA_FETCH_READ ? POLLIN : 0)
                             | (events & WBA_FETCH_WRITE ? POLLOUT : 0));
    return true;
}

static void
timer(void *arg, long ms)
{
    wba_poll_t *loop = arg;

    loop->due = ms < 0 ? NEVER : now_ms() + ms;
}

const wba_fetch_hooks_t wba_poll_hooks = { watch, timer };

wba_poll_t *
wba_poll_new(void)
{
    wba_poll_t *loop = calloc(1, sizeof(*loop));

    if (loop != NULL) {
        loop->due = NEVER;
    }
    return loop;
}

void
wba_poll_free(wba_poll_t *loop)
{
    if (loop != NULL) {
        free(loop->fds);
        free(loop->ready);
        free(loop);
    }
}

size_t
wba_poll_watched(const wba_poll_t *loop)
{
    return loop->count;
}

/* Tells fetch about a copy of what is ready: its hooks change the array. */
static void
dispatch(wba_poll_t *loop, wba_fetch_t *fetch)
{
    size_t i, count = 0;
    unsigned events;
    short got;

    for (i = 0; i < loop->count; i++) {
        if (loop->fds[i].revents != 0) {
            loop->ready[count++] = loop->fds[i];
        }
    }
    for (i = 0; i < count; i++) {
        got = loop->ready[i].revents;
        events = (got & POLLIN ? WBA_FETCH_READ : 0)
                 | (got & POLLOUT ? WBA_FETCH_WRITE : 0)
                 | (got & (POLLERR | POLLHUP | POLLNVAL) ? WBA_FETCH_FAILED
                                                         : 0);
        wba_fetch_on_fd(fetch, loop->ready[i].fd, events);
    }
}

/* Waits for an event until the timer or until, whichever comes first. */
static void
turn(wba_poll_t *loop, wba_fetch_t *fetch, int64_t until)
{
    int64_t wake = loop->due < until ? loop->due : until;
    int64_t wait = wake - now_ms();

    wait = wait < 0 ? 0 : wait > NAP ? NAP : wait;
    if (poll(loop->fds, loop->count, (int) wait) > 0) {
        dispatch(loop, fetch);
    }
    if (loop->due <= now_ms()) {
        loop->due = NEVER;
        wba_fetch_on_timer(fetch);
    }
}

bool
wba_poll_run(wba_poll_t *loop, wba_fetch_t *fetch, const bool *done,
             long timeout_ms)
{
    int64_t until = timeout_ms < 0 ? NEVER : now_ms() + timeout_ms;
    bool last = false;

    for (;;) {
        if (done != NULL ? *done : wba_fetch_jobs(fetch) == 0) {
            return true;
        }
        if (last) {
            return false;
        }
        last = now_ms() >= until;
        turn(loop, fetch, until);
    }
}
