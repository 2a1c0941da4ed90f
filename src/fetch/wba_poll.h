/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The smallest event loop that drives a wba_fetch_t: poll(), for the tool and
 * the tests.
 *
 *     wba_poll_t *loop = wba_poll_new();
 *     wba_fetch_t *fetch = wba_fetch_new(&wba_poll_hooks, loop, 0);
 *     bool done = false;
 *
 *     wba_fetch_start(fetch, &request, on_done, &done);    sets done
 *     wba_poll_run(loop, fetch, &done, 10000);
 *     wba_fetch_free(fetch);                               the loop last
 *     wba_poll_free(loop);
 */
#ifndef WBA_POLL_H
#define WBA_POLL_H

#include "fetch.h"

typedef struct wba_poll_s wba_poll_t;

/* Its loop is a wba_poll_t. */
extern const wba_fetch_hooks_t wba_poll_hooks;

/* NULL: no memory. */
wba_poll_t *wba_poll_new(void);

/* After the wba_fetch_t that uses it.  NULL is allowed. */
void wba_poll_free(wba_poll_t *loop);

/*
 * Drives fetch until *done, or for timeout_ms milliseconds (-1: without end;
 * 0: what is ready now).  done may be NULL: until no job is left.  True when it
 * ended for that reason.
 */
bool wba_poll_run(wba_poll_t *loop, wba_fetch_t *fetch, const bool *done,
                  long timeout_ms);

/* Descriptors being watched. */
size_t wba_poll_watched(const wba_poll_t *loop);

#endif
