/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records and their answers; when the connection is made, given up, and made
 * again; the timer.
 *
 * Whatever hiredis calls only takes notes.  Once it has returned, settle()
 * drops a doomed connection and tells the caller: no callback of the caller's
 * ever has hiredis beneath it, and the connection is freed where nobody uses
 * it.
 *
 * Replies come in the order of commands, so one queue holds all that is under
 * way, and the one whose time is over first is always the first of them.
 */
#include "redis_private.h"

#include <sodium.h>
#include <stdlib.h>

#define NEVER UINT64_MAX

/* Records in a row that the server lets time out before we connect anew, and
 * how many time-outs long a reply may be overdue. */
#define MAX_LATE 3
#define OVERDUE 5

/* Milliseconds between attempts: doubled with each failure, halved at random;
 * and how long a connection must have been of use to count as none. */
#define FIRST_PAUSE 50
#define LAST_PAUSE 5000
#define STEADY 5000

uint64_t
wba_redis_now(const wba_redis_t *redis)
{
    return redis->hooks->now_ms(redis->loop);
}

int64_t
wba_redis_wall(const wba_redis_t *redis)
{
    return redis->hooks->wall(redis->loop);
}

/* --- the timer */

static uint64_t
earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t
next_due(const wba_redis_t *redis)
{
    uint64_t due = NEVER;

    if (redis->doom != WBA_REDIS_GOOD || redis->ready.head != NULL
        || redis->told_usable != wba_redis_usable(redis))
    {
        return 0;
    }
    if (redis->phase != WBA_REDIS_USABLE) {
        due = redis->due;
    }
    if (redis->oldest != NULL) {
        due = earlier(due, redis->oldest->sent + redis->timeout);
    }
    if (redis->sent.head != NULL) {
        due = earlier(due, redis->sent.head->sent + OVERDUE * redis->timeout);
    }
    if (redis->held.head != NULL) {
        due = earlier(due, redis->held.head->sent + redis->timeout);
    }
    return due;
}

/* An alarm that comes too early costs less than one moved at each record. */
static void
arm(wba_redis_t *redis)
{
    uint64_t now, due = next_due(redis);

    if (due < redis->armed) {
        now = wba_redis_now(redis);
        redis->armed = due;
        redis->hooks->timer(redis->loop, due <= now ? 0 : (long) (due - now));
    }
}

/* --- words */

/* --- tickets */

static void
append(wba_redis_queue_t *queue, wba_redis_ticket_t *ticket)
{
    ticket->next = NULL;
    if (queue->tail == NULL) {
        queue->head = ticket;
    } else {
        queue->tail->next = ticket;
    }
    queue->tail = ticket;
}

static wba_redis_ticket_t *
shift(wba_redis_queue_t *queue)
{
    wba_redis_ticket_t *ticket = queue->head;

    queue->head = ticket->next;
    if (queue->head == NULL) {
        queue->tail = NULL;
    }
    return ticket;
}

static void
destroy(wba_redis_ticket_t *ticket)
{
    free(ticket->entries);
    free(ticket);
}

static void
release(wba_redis_t *redis, wba_redis_ticket_t *ticket)
{
    redis->waiting -= ticket->kind == WBA_REDIS_DO_RECORD;
    destroy(ticket);
}

/* Its answer is known: to be told from settle(), if anybody waits for it. */
static void
ready(wba_redis_t *redis, wba_redis_ticket_t *ticket,
      wba_store_answer_t answer)
{
    if (ticket->done == NULL) {
        release(redis, ticket);
        return;
    }
    ticket->answer = answer;
    append(&redis->ready, ticket);
}

static wba_redis_ticket_t *
first_sent(wba_redis_t *redis)
{
    wba_redis_ticket_t *ticket = shift(&redis->sent);

    if (redis->oldest == ticket) {
        redis->oldest = ticket->next;
    }
    return ticket;
}

/* Its replies are due next. */
static void
await(wba_redis_t *redis, wba_redis_ticket_t *ticket)
{
    append(&redis->sent, ticket);
    if (redis->oldest == NULL) {
        redis->oldest = ticket;
    }
}

static wba_redis_ticket_t *
new_ticket(wba_redis_t *redis, wba_redis_kind_t kind)
{
    wba_redis_ticket_t *ticket = calloc(1, sizeof(*ticket));

    if (ticket != NULL) {
        ticket->kind = kind;
        ticket->sent = wba_redis_now(redis);
    }
    return ticket;
}

wba_redis_ticket_t *
wba_redis_expect(wba_redis_t *redis, wba_redis_kind_t kind)
{
    wba_redis_ticket_t *ticket = new_ticket(redis, kind);

    if (ticket == NULL) {
        wba_redis_doom(redis, WBA_REDIS_MEMORY, NULL);
        return NULL;
    }
    await(redis, ticket);
    return ticket;
}

/* --- replies */

static void
on_record(wba_redis_t *redis, wba_redis_ticket_t *ticket, bool late)
{
    wba_redis_sum_t *sum = &ticket->sum;

    if (sum->problem == WBA_REDIS_GOOD && sum->aborted) {
        sum->problem = WBA_REDIS_STRANGE; /* we watched nothing */
    }
    if (!late) {
        redis->late = 0;
    }
    if (sum->problem == WBA_REDIS_OOM) {
        wba_redis_tell_full(redis);
    } else if (sum->problem != WBA_REDIS_GOOD) {
        wba_redis_doom(redis, sum->problem, NULL);
    }
    if (sum->moved && redis->phase == WBA_REDIS_USABLE
        && redis->doom == WBA_REDIS_GOOD)
    {
        wba_redis_mark(redis);
    }
    ready(redis, ticket, wba_redis_sum_answer(sum));
}

void
wba_redis_answered(wba_redis_t *redis, const redisReply *reply)
{
    wba_redis_ticket_t *ticket = redis->sent.head;
    bool late, last = true;

    if (ticket->kind == WBA_REDIS_DO_RECORD) {
        last = wba_redis_sum_add(&ticket->sum, reply, ticket->n + 1,
                                 redis->marker);
    } else if (ticket->kind == WBA_REDIS_DO_COMMIT) {
        last = wba_redis_sum_add(&ticket->sum, reply, 1, NULL);
    }
    if (!last) {
        return;
    }
    late = redis->oldest != ticket;
    first_sent(redis);
    if (ticket->kind == WBA_REDIS_DO_RECORD) {
        on_record(redis, ticket, late);
    } else {
        wba_redis_greeted(redis, ticket, reply);
        release(redis, ticket);
    }
}

/* --- the connection's life */

static void
plan_retry(wba_redis_t *redis)
{
    uint64_t now = wba_redis_now(redis);
    uint32_t pause = LAST_PAUSE;

    if (redis->usable_since != 0 && now >= redis->usable_since + STEADY) {
        redis->failures = 0;
    }
    if (redis->failures < 7) {
        pause = earlier(LAST_PAUSE, (uint32_t) FIRST_PAUSE << redis->failures);
    }
    redis->failures += redis->failures < 7;
    redis->phase = WBA_REDIS_IDLE;
    redis->due = now + pause / 2 + randombytes_uniform(pause / 2 + 1);
    redis->usable_since = 0;
}

/* Nothing has gone wrong but, at the most, a connection that was good. */
static bool
hopeful(const wba_redis_t *redis)
{
    return redis->failures <= (redis->stats.connects != 0);
}

static void
drop(wba_redis_t *redis)
{
    wba_redis_link_close(redis);
    while (redis->sent.head != NULL) {
        ready(redis, first_sent(redis), WBA_STORE_UNAVAILABLE);
    }
    redis->late = 0;
    redis->backlog.sent = 0;
    plan_retry(redis);
    while (redis->held.head != NULL && !hopeful(redis)) {
        ready(redis, shift(&redis->held), WBA_STORE_UNAVAILABLE);
    }
    wba_redis_tell_problem(redis);
    redis->doom = WBA_REDIS_GOOD;
}

/* What done() records or is answered at once is left to the next turn. */
static void
deliver(wba_redis_t *redis)
{
    wba_redis_queue_t queue = redis->ready;
    wba_redis_ticket_t *ticket;
    wba_redis_done_pt done;
    wba_store_answer_t answer;
    void *ctx;

    redis->ready.head = redis->ready.tail = NULL;
    while (queue.head != NULL) {
        ticket = shift(&queue);
        done = ticket->done;
        ctx = ticket->ctx;
        answer = ticket->answer;
        release(redis, ticket);
        if (done != NULL) {
            redis->stats.records += answer != WBA_STORE_UNAVAILABLE;
            done(ctx, answer);
        }
    }
}

/* --- records on their way */

static bool
is_cold(const wba_redis_t *redis, int64_t created, int64_t skew)
{
    int64_t epoch = redis->stats.epoch;

    return skew > INT64_MAX - epoch || created <= epoch + skew;
}

static bool
send_record(wba_redis_t *redis, const wba_redis_entry_t *entries, unsigned n)
{
    int64_t now = wba_redis_wall(redis);
    unsigned i;

    wba_redis_send_word(redis, "MULTI");
    wba_redis_send_get(redis);
    for (i = 0; i < n; i++) {
        wba_redis_send_set(redis, &entries[i], now);
    }
    return wba_redis_send_word(redis, "EXEC");
}

/* What was held goes first, in the order in which it came. */
static void
send_held(wba_redis_t *redis)
{
    wba_redis_ticket_t *ticket;

    while (redis->held.head != NULL && wba_redis_usable(redis)) {
        ticket = shift(&redis->held);
        if (ticket->done == NULL) {
            release(redis, ticket);
        } else if (is_cold(redis, ticket->created, ticket->skew)) {
            ready(redis, ticket, WBA_STORE_COLD);
        } else {
            await(redis, ticket);
            (void) send_record(redis, ticket->entries, ticket->n);
        }
    }
}

static void
settle(wba_redis_t *redis)
{
    bool usable;

    if (redis->doom != WBA_REDIS_GOOD) {
        drop(redis);
    }
    send_held(redis);
    usable = wba_redis_usable(redis);
    if (redis->told_usable != usable) {
        redis->told_usable = usable;
        redis->hooks->changed(redis->loop, usable);
    }
    deliver(redis);
    arm(redis);
}

static void
connect_now(wba_redis_t *redis)
{
    redis->phase = WBA_REDIS_CONNECTING;
    redis->due = wba_redis_now(redis) + redis->timeout;
    wba_redis_link_open(redis);
    if (redis->doom == WBA_REDIS_GOOD) {
        wba_redis_greet(redis);
    }
}

/* Records whose time is over; their replies may still come. */
static void
expire(wba_redis_t *redis, uint64_t now)
{
    wba_redis_ticket_t *ticket;
    wba_redis_done_pt done;

    while ((ticket = redis->oldest) != NULL) {
        if (ticket->kind == WBA_REDIS_DO_RECORD) {
            if (now < ticket->sent + redis->timeout) {
                return;
            }
            redis->late++;
            redis->stats.timeouts++;
        }
        redis->oldest = ticket->next;
        done = ticket->done;
        ticket->done = NULL;
        if (done != NULL) {
            done(ticket->ctx, WBA_STORE_UNAVAILABLE);
        }
    }
}

/* Those of which the connection did not come in time. */
static void
expire_held(wba_redis_t *redis, uint64_t now)
{
    wba_redis_ticket_t *ticket;

    while ((ticket = redis->held.head) != NULL
           && now >= ticket->sent + redis->timeout)
    {
        redis->stats.timeouts++;
        ready(redis, shift(&redis->held), WBA_STORE_UNAVAILABLE);
    }
}

static void
judge_times(wba_redis_t *redis)
{
    uint64_t now = wba_redis_now(redis);
    const wba_redis_ticket_t *head;

    expire_held(redis, now);
    if (redis->phase == WBA_REDIS_IDLE) {
        if (now >= redis->due) {
            connect_now(redis);
        }
        return;
    }
    expire(redis, now);
    head = redis->sent.head;
    if ((redis->phase != WBA_REDIS_USABLE && now >= redis->due)
        || redis->late >= MAX_LATE
        || (head != NULL && now >= head->sent + OVERDUE * redis->timeout))
    {
        wba_redis_doom(redis, WBA_REDIS_SLOW, NULL);
    }
}

void
wba_redis_on_timer(wba_redis_t *redis)
{
    redis->armed = NEVER;
    if (redis->doom == WBA_REDIS_GOOD) {
        judge_times(redis);
    }
    settle(redis);
}

void
wba_redis_on_fd(wba_redis_t *redis, int fd, unsigned events)
{
    if (redis->c == NULL || fd != redis->c->fd || redis->events == 0) {
        return;
    }
    if (redis->doom == WBA_REDIS_GOOD) {
        wba_redis_link_event(redis, events);
    }
    settle(redis);
}

wba_redis_t *
wba_redis_new(const wba_redis_options_t *options,
              const wba_redis_hooks_t *hooks, void *loop)
{
    wba_redis_t *redis;

    if (strlen(options->prefix) > WBA_REDIS_MAX_PREFIX) {
        return NULL;
    }
    redis = calloc(1, sizeof(*redis));
    if (redis == NULL) {
        return NULL;
    }
    redis->options = options;
    redis->hooks = hooks;
    redis->loop = loop;
    redis->timeout = options->timeout_ms < 1 ? 1
                                             : (uint64_t) options->timeout_ms;
    redis->armed = NEVER;
    redis->told = WBA_REDIS_PROBLEMS;
    redis->backlog.max = options->max_backlog;
    redis->phase = WBA_REDIS_IDLE;
    redis->due = wba_redis_now(redis);
    arm(redis);
    return redis;
}

static void
discard(wba_redis_queue_t *queue)
{
    while (queue->head != NULL) {
        destroy(shift(queue));
    }
}

void
wba_redis_free(wba_redis_t *redis)
{
    if (redis != NULL) {
        wba_redis_link_close(redis);
        discard(&redis->sent);
        discard(&redis->ready);
        discard(&redis->held);
        wba_redis_backlog_clear(&redis->backlog);
        redis->hooks->timer(redis->loop, -1);
        free(redis);
    }
}

bool
wba_redis_usable(const wba_redis_t *redis)
{
    return redis->phase == WBA_REDIS_USABLE && redis->doom == WBA_REDIS_GOOD;
}

void
wba_redis_stats(const wba_redis_t *redis, wba_redis_stats_t *stats)
{
    *stats = redis->stats;
}

/* --- records */

static wba_redis_ticket_t *
answer_cold(wba_redis_t *redis)
{
    wba_redis_ticket_t *ticket = new_ticket(redis, WBA_REDIS_DO_RECORD);

    if (ticket != NULL) {
        ticket->answer = WBA_STORE_COLD;
        append(&redis->ready, ticket);
    }
    return ticket;
}

static wba_redis_ticket_t *
hold(wba_redis_t *redis, const wba_redis_entry_t *entries, unsigned n,
     int64_t created, int64_t skew)
{
    wba_redis_ticket_t *ticket = new_ticket(redis, WBA_REDIS_DO_RECORD);

    if (ticket == NULL) {
        return NULL;
    }
    ticket->entries = calloc(n, sizeof(*entries));
    if (ticket->entries == NULL) {
        free(ticket);
        return NULL;
    }
    memcpy(ticket->entries, entries, n * sizeof(*entries));
    ticket->n = n;
    ticket->created = created;
    ticket->skew = skew;
    append(&redis->held, ticket);
    return ticket;
}

/* NULL: no memory, or the connection is doomed. */
static wba_redis_ticket_t *
send_now(wba_redis_t *redis, const wba_redis_entry_t *entries, unsigned n)
{
    wba_redis_ticket_t *ticket = wba_redis_expect(redis, WBA_REDIS_DO_RECORD);

    if (ticket == NULL) {
        return NULL;
    }
    ticket->n = n;
    if (send_record(redis, entries, n)) {
        return ticket;
    }
    redis->waiting++; /* it is among the sent, and nobody's */
    return NULL;
}

wba_store_answer_t
wba_redis_foresee(const wba_redis_t *redis, const wba_nonce_t *nonces,
                  size_t n, int64_t skew)
{
    bool usable = wba_redis_usable(redis);

    if ((!usable && !hopeful(redis)) || n == 0 || n > WBA_MAX_SIGNATURES
        || redis->waiting >= redis->options->max_waiting)
    {
        return WBA_STORE_UNAVAILABLE;
    }
    return usable && is_cold(redis, wba_redis_least_created(nonces, n), skew)
               ? WBA_STORE_COLD
               : WBA_STORE_FRESH;
}

wba_redis_ticket_t *
wba_redis_record(wba_redis_t *redis, const wba_nonce_t *nonces, size_t n,
                 int64_t skew, wba_redis_done_pt done, void *ctx)
{
    wba_redis_entry_t entries[WBA_MAX_SIGNATURES + 1];
    wba_redis_ticket_t *ticket;
    unsigned count;

    switch (wba_redis_foresee(redis, nonces, n, skew)) {
    case WBA_STORE_UNAVAILABLE:
        return NULL;
    case WBA_STORE_COLD:
        ticket = answer_cold(redis);
        break;
    default:
        count = wba_redis_entries(nonces, n, entries);
        ticket = wba_redis_usable(redis)
                     ? send_now(redis, entries, count)
                     : hold(redis, entries, count,
                            wba_redis_least_created(nonces, n), skew);
    }
    if (ticket != NULL) {
        redis->waiting++;
        ticket->done = done;
        ticket->ctx = ctx;
    }
    arm(redis);
    return ticket;
}

void
wba_redis_forget(wba_redis_ticket_t *ticket)
{
    if (ticket != NULL) {
        ticket->done = NULL;
    }
}

void
wba_redis_remember(wba_redis_t *redis, const wba_nonce_t *nonces, size_t n)
{
    wba_redis_entry_t entry;
    size_t i;

    for (i = 0; i < n && !redis->lost; i++) {
        wba_redis_entry(&nonces[i], &entry);
        if (!wba_redis_backlog_add(&redis->backlog, &entry)) {
            redis->lost = true;
            wba_redis_backlog_clear(&redis->backlog);
        }
    }
    if (redis->doom != WBA_REDIS_GOOD || redis->c == NULL) {
        return;
    }
    if (redis->phase == WBA_REDIS_USABLE && redis->lost) {
        wba_redis_mark(redis);
    } else if (redis->phase >= WBA_REDIS_PUSHING) {
        wba_redis_pump(redis);
    }
    arm(redis);
}
