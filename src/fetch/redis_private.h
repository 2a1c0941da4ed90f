/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the Redis client share; nobody else includes it. */
#ifndef WBA_REDIS_PRIVATE_H
#define WBA_REDIS_PRIVATE_H

#include "redis_reply.h"
#include "wba_limits.h"

#include <hiredis/hiredis.h>

#define WBA_REDIS_KEY 32 /* SHA-256; as a key, in hexadecimal */
#define WBA_REDIS_MAX_PREFIX 64

/* A key, 64 hexadecimal digits or "epoch", and its prefix. */
#define WBA_REDIS_MAX_NAME (WBA_REDIS_MAX_PREFIX + 2 * WBA_REDIS_KEY)

/* --- redis_backlog: nonces that wait to be told to the server */

typedef struct {
    uint8_t key[WBA_REDIS_KEY];
    int64_t until;
} wba_redis_entry_t;

/* A queue.  The first sent of its count entries are under way. */
typedef struct {
    wba_redis_entry_t *entries;
    unsigned cap;
    unsigned head;
    unsigned count;
    unsigned sent;
    unsigned max;
} wba_redis_backlog_t;

/* False: max entries wait, or no memory; nothing has changed then. */
bool wba_redis_backlog_add(wba_redis_backlog_t *backlog,
                           const wba_redis_entry_t *entry);

/* Counts the next that was not sent yet as sent, or NULL.  Valid until the
 * next call of any of these. */
const wba_redis_entry_t *wba_redis_backlog_send(wba_redis_backlog_t *backlog);

/* The first of those sent has arrived. */
void wba_redis_backlog_arrived(wba_redis_backlog_t *backlog);

/* Drops entries at the front that are over at now, if none is under way. */
void wba_redis_backlog_trim(wba_redis_backlog_t *backlog, int64_t now);

void wba_redis_backlog_clear(wba_redis_backlog_t *backlog);

/* --- the client */

typedef enum {
    WBA_REDIS_IDLE,       /* no connection; the next attempt is at due */
    WBA_REDIS_CONNECTING, /* with the whole handshake, until due */
    WBA_REDIS_MARKING,    /* reads or writes the marker again, until due */
    WBA_REDIS_PUSHING,    /* the backlog; the next to arrive must until due */
    WBA_REDIS_USABLE
} wba_redis_phase_t;

typedef enum {
    WBA_REDIS_DO_AUTH,
    WBA_REDIS_DO_SELECT,
    WBA_REDIS_DO_SERVER, /* INFO server */
    WBA_REDIS_DO_MEMORY, /* INFO memory */
    WBA_REDIS_DO_WATCH,
    WBA_REDIS_DO_MARKER, /* GET */
    WBA_REDIS_DO_COMMIT, /* MULTI, SET of the marker or the probe, EXEC */
    WBA_REDIS_DO_PUSH,   /* SET NX of the backlog's next */
    WBA_REDIS_DO_RECORD
} wba_redis_kind_t;

/* One or more commands whose replies are due, in order; or a record's answer
 * that is due. */
struct wba_redis_ticket_s {
    wba_redis_ticket_t *next;
    wba_redis_done_pt done; /* NULL: forgotten, late, or not a record */
    void *ctx;
    uint64_t sent; /* milliseconds */
    wba_redis_sum_t sum;
    wba_redis_kind_t kind;
    unsigned n; /* keys of a record */
    wba_store_answer_t answer;

    /* Of one that is held. */
    wba_redis_entry_t *entries; /* n of them, malloc'd */
    int64_t created;            /* the least of its signatures' */
    int64_t skew;
};

typedef struct {
    wba_redis_ticket_t *head;
    wba_redis_ticket_t *tail;
} wba_redis_queue_t;

struct wba_redis_s {
    const wba_redis_options_t *options;
    const wba_redis_hooks_t *hooks;
    void *loop;
    uint64_t timeout;

    /* The connection, redis_link's. */
    redisContext *c; /* NULL: none */
    void *slot;
    unsigned events;
    bool connected;
    char *out; /* what is to be written: out_len bytes of out_cap */
    size_t out_len;
    size_t out_cap;
    bool oversize; /* the reader has refused a reply */
    redisReplyObjectFunctions readers;
    redisReplyObjectFunctions *real_readers;

    wba_redis_phase_t phase;
    uint64_t due;
    uint64_t armed; /* when the timer runs out, or UINT64_MAX */
    wba_redis_problem_t doom; /* why the connection must go; GOOD: it stays */
    char detail[96];          /* about doom; printable */

    wba_redis_queue_t sent;     /* replies are due */
    wba_redis_queue_t ready;    /* answers are due */
    wba_redis_queue_t held;     /* records that wait for the connection */
    wba_redis_ticket_t *oldest; /* of sent: nothing before it can be late */
    unsigned waiting;           /* records in all three */
    unsigned late;              /* in a row */

    unsigned failures; /* in a row */
    uint64_t usable_since;
    wba_redis_problem_t told; /* PROBLEMS: nothing yet */
    bool told_usable;
    uint64_t full_again; /* when it may be told again that it is full */
    char told_policy[32];

    /* The marker: what is known, and what is about to be written. */
    char marker[WBA_REDIS_MARKER];
    char next_marker[WBA_REDIS_MARKER];
    int64_t next_epoch;
    bool renewing;     /* next_marker is new */
    bool greeted;      /* the marker of this connection is known */
    bool lost;         /* nonces that the backlog did not take */
    bool lost_pending; /* the epoch being written covers them */
    unsigned tries;

    wba_redis_backlog_t backlog;
    wba_redis_stats_t stats;
};

/* Marks the connection to be dropped; the first reason stays.  detail: more
 * about it, or NULL; not from the server's replies, which may repeat what was
 * sent. */
void wba_redis_doom(wba_redis_t *redis, wba_redis_problem_t problem,
                    const char *detail);

/* Tells the log one line: where the server is, and text. */
void wba_redis_tell(wba_redis_t *redis, wba_redis_severity_t severity,
                    const char *text);

/* The same of why the connection is dropped, unless that was told last; and
 * that the server is full, once a minute. */
void wba_redis_tell_problem(wba_redis_t *redis);
void wba_redis_tell_full(wba_redis_t *redis);

uint64_t wba_redis_now(const wba_redis_t *redis);
int64_t wba_redis_wall(const wba_redis_t *redis);

/* --- redis_link: one connection of hiredis */

/* Begins to connect; may doom. */
void wba_redis_link_open(wba_redis_t *redis);

/* Without a callback. */
void wba_redis_link_close(wba_redis_t *redis);

/* Sends one command, as the protocol wants it; its reply goes to
 * wba_redis_answered().  False: doomed. */
bool wba_redis_link_send(wba_redis_t *redis, const char *text, size_t len);

/* The same from arguments. */
bool wba_redis_link_argv(wba_redis_t *redis, int argc, const char **argv,
                         const size_t *lens);

void wba_redis_link_event(wba_redis_t *redis, unsigned events);

/* --- nonces as the store has them */

void wba_redis_entry(const wba_nonce_t *nonce, wba_redis_entry_t *entry);

/* Ordered, each key once with the latest until.  Returns how many. */
unsigned wba_redis_entries(const wba_nonce_t *nonces, size_t n,
                           wba_redis_entry_t *entries);

/* n from 1 on. */
int64_t wba_redis_least_created(const wba_nonce_t *nonces, size_t n);

/* --- wba_redis: what link and handshake call */

/* A new ticket at the end of sent.  NULL: no memory, and doomed. */
wba_redis_ticket_t *wba_redis_expect(wba_redis_t *redis,
                                     wba_redis_kind_t kind);

/* The reply to the first of sent.  reply is never NULL. */
void wba_redis_answered(wba_redis_t *redis, const redisReply *reply);

/* --- redis_handshake: from connected to usable */

/* Sends all that a new connection begins with. */
void wba_redis_greet(wba_redis_t *redis);

/* Reads the marker, and sees to it that it is of this run. */
void wba_redis_mark(wba_redis_t *redis);

/* Sends what the backlog holds, a window at a time. */
void wba_redis_pump(wba_redis_t *redis);

/* The last reply to a ticket of any kind but DO_RECORD. */
void wba_redis_greeted(wba_redis_t *redis, const wba_redis_ticket_t *ticket,
                       const redisReply *reply);

/* SET key 1 NX PX for what is left of its life, at least a second; GET of the
 * marker; a command of one word.  False: doomed. */
bool wba_redis_send_set(wba_redis_t *redis, const wba_redis_entry_t *entry,
                        int64_t now);
bool wba_redis_send_get(wba_redis_t *redis);
bool wba_redis_send_word(wba_redis_t *redis, const char *word);

#endif
