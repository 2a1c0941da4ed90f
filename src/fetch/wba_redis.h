/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nonces in Redis or Valkey, shared by many machines: one asynchronous
 * connection (hiredis), pipelined, behind the event-loop hooks of fetch.h.  No
 * event loop and no clock in here.
 *
 * The keys are prefix + lower-case hex of SHA-256(thumbprint, nonce), the same
 * on every machine.  A marker (prefix "epoch") says since when, and in which
 * run of the server, everything has been remembered; each record reads it in
 * the same transaction, so a store that was flushed, restarted or replaced is
 * noticed by the very record that it would have deceived, and is cold.
 */
#ifndef WBA_REDIS_H
#define WBA_REDIS_H

#include "fetch.h"
#include "mem.h"
#include "replay.h"

typedef struct wba_redis_s wba_redis_t;
typedef struct wba_redis_ticket_s wba_redis_ticket_t;

/* Where the server is, parsed from redis://[user[:password]@]host[:port][/db],
 * or unix:PATH[?db=N].  Texts are copies in the caller's memory, and a NUL
 * follows each that is not absent. */
typedef struct {
    wba_str_t unix_path; /* data NULL: TCP */
    wba_str_t host;      /* name or address, without brackets */
    uint16_t port;       /* 6379 unless given */
    unsigned db;         /* 0 unless given, at most 1000 */
    wba_str_t user;      /* data NULL: none; percent-decoded */
    wba_str_t password;  /* the same */
} wba_redis_url_t;

/* WBA_OK; WBA_INVALID with *why, a phrase for nginx -t; WBA_UNSUPPORTED, with
 * *why too: rediss:// (TLS), which the hiredis of this build cannot do;
 * WBA_NO_MEMORY. */
wba_status_t wba_redis_url_parse(const wba_mem_t *mem, wba_str_t text,
                                 wba_redis_url_t *out, const char **why);

/* Strings end in NUL, and are borrowed for the life of the client. */
typedef struct {
    const char *unix_path;  /* or NULL */
    const char *address;    /* an IP address as text: names are resolved by the
                               caller */
    uint16_t port;
    unsigned db;
    const char *user;       /* or NULL */
    const char *password;   /* or NULL */
    const char *prefix;     /* at most 64 bytes */
    long timeout_ms;        /* of connecting with its handshake, and of each
                               record */
    unsigned max_waiting;   /* records under way at a time, those whose time is
                               over but whose reply may still come included */
    unsigned max_backlog;   /* see wba_redis_remember; 40 bytes each */
} wba_redis_options_t;

typedef enum {
    WBA_REDIS_INFO,   /* connected, recovered */
    WBA_REDIS_WARN,   /* lost, cannot connect: once for each change of state */
    WBA_REDIS_ERROR   /* wrong password, evicting policy, no such database */
} wba_redis_severity_t;

/* None of them may call back, but for wba_redis_usable() and
 * wba_redis_stats(). */
typedef struct {
    /* As fetch.h's hooks, with the same promises. */
    bool (*watch)(void *loop, int fd, unsigned events, void **slot);
    void (*timer)(void *loop, long ms);

    uint64_t (*now_ms)(void *loop);   /* monotonic, milliseconds */
    int64_t (*wall)(void *loop);      /* seconds since the epoch */

    /* An incident, once per change of state; text is one line of printable
     * ASCII and holds neither password nor nonce. */
    void (*report)(void *loop, wba_redis_severity_t severity,
                   const char *text);

    /* The store became usable (true) or unusable (false). */
    void (*changed)(void *loop, bool usable);
} wba_redis_hooks_t;

/*
 * Told once for each ticket that was not forgotten, from wba_redis_on_fd() or
 * wba_redis_on_timer(): FRESH, SEEN, COLD, UNAVAILABLE, or FULL (the server's
 * maxmemory is reached: -OOM).  The ticket is gone then.  Only after FRESH is
 * it certain what the server holds: all of them.  After any other answer it
 * may have recorded some, or all.  May record, forget and remember.
 */
typedef void (*wba_redis_done_pt)(void *ctx, wba_store_answer_t answer);

/* Begins to connect, at the first timer.  NULL: no memory, or the prefix is
 * too long.  hooks and options are borrowed.  SIGPIPE must be ignored. */
wba_redis_t *wba_redis_new(const wba_redis_options_t *options,
                           const wba_redis_hooks_t *hooks, void *loop);

/* Ends without telling anybody; tickets are gone.  Not from a callback.  NULL
 * is allowed. */
void wba_redis_free(wba_redis_t *redis);

/* Whether records are taken now: connected, and the handshake went well. */
bool wba_redis_usable(const wba_redis_t *redis);

/*
 * Records n distinct nonces (1 to WBA_MAX_SIGNATURES), atomically against
 * every other client.  skew in seconds: a signature created <= epoch + skew is
 * COLD (nothing is recorded then, and nothing sent).  done is called later,
 * never from in here.  While the first connection is being made, or one that
 * was good is being replaced, the record is held until then, within its time.
 * NULL: not usable nor about to be, or max_waiting are under way, or no
 * memory; done is never called.  TTL: until - wall, at least 1 s.
 */
wba_redis_ticket_t *wba_redis_record(wba_redis_t *redis,
                                     const wba_nonce_t *nonces, size_t n,
                                     int64_t skew, wba_redis_done_pt done,
                                     void *ctx);

/* What wba_redis_record would say at once: UNAVAILABLE where it gives no
 * ticket, COLD; FRESH: it takes a reply to know.  n from 1 on. */
wba_store_answer_t wba_redis_foresee(const wba_redis_t *redis,
                                     const wba_nonce_t *nonces, size_t n,
                                     int64_t skew);

/*
 * Nonces that were accepted without the store, while it was not usable
 * (on_error=local): they are sent to it, each for what is left of its life,
 * after the next handshake and before the store counts as usable again.  When
 * more than max_backlog wait, or memory runs out, what was accepted is not
 * known any more, and the store begins a new epoch then: cold for everybody.
 * Those of a record that timed out may be given while it is usable: they are
 * sent at once.
 */
void wba_redis_remember(wba_redis_t *redis, const wba_nonce_t *nonces,
                        size_t n);

/* The request is gone: a reply that comes after it harms nothing.  Only as
 * long as done was not called.  NULL is allowed. */
void wba_redis_forget(wba_redis_ticket_t *ticket);

void wba_redis_on_fd(wba_redis_t *redis, int fd, unsigned events);
void wba_redis_on_timer(wba_redis_t *redis);

/* For status pages. */
typedef struct {
    uint64_t records;   /* answered, and not by UNAVAILABLE */
    uint64_t timeouts;
    uint64_t connects;  /* handshakes that went well */
    int64_t epoch;      /* seconds; 0: not known */
    char run_id[48];
    char policy[32];    /* maxmemory-policy */
    bool evicts;        /* that policy evicts keys */
} wba_redis_stats_t;
void wba_redis_stats(const wba_redis_t *redis, wba_redis_stats_t *stats);

#endif
