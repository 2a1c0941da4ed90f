/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a Redis server's replies mean: pure functions of what hiredis parsed.
 * For the files of the client only.
 */
#ifndef WBA_REDIS_REPLY_H
#define WBA_REDIS_REPLY_H

#include "wba_redis.h"

#include <hiredis/hiredis.h>

#define WBA_REDIS_RUN_ID 40 /* hexadecimal digits of a run id */
#define WBA_REDIS_MARKER 64 /* room for run id, colon, seconds, NUL */

/* The run id of a server that tells none. */
#define WBA_REDIS_NO_RUN_ID "unknown"

/* What keeps the store from being used; also the state that was last told. */
typedef enum {
    WBA_REDIS_GOOD = 0,
    WBA_REDIS_OOM,      /* -OOM: maxmemory is reached */
    WBA_REDIS_READONLY, /* a replica */
    WBA_REDIS_LOADING,
    WBA_REDIS_MISCONF,  /* it cannot save and therefore refuses to write */
    WBA_REDIS_CLUSTER,
    WBA_REDIS_REPLICAS, /* -NOREPLICAS, -MASTERDOWN */
    WBA_REDIS_BUSY,     /* a script runs */
    WBA_REDIS_CLIENTS,  /* maxclients is reached */
    WBA_REDIS_PASSWORD, /* wrong, missing or not wanted */
    WBA_REDIS_DENIED,   /* protected mode */
    WBA_REDIS_NOPERM,   /* the user may not do or read this */
    WBA_REDIS_NO_DB,
    WBA_REDIS_REFUSED,  /* any other error reply */
    WBA_REDIS_STRANGE,  /* not a reply that the command has */

    /* Not from replies. */
    WBA_REDIS_CONNECT,
    WBA_REDIS_LOST,
    WBA_REDIS_SLOW,
    WBA_REDIS_FLOOD,
    WBA_REDIS_ADDRESS,
    WBA_REDIS_CONTENDED,
    WBA_REDIS_MEMORY,
    WBA_REDIS_WATCH,
    WBA_REDIS_PROBLEMS
} wba_redis_problem_t;

/* What an error reply's text stands for; never GOOD. */
wba_redis_problem_t wba_redis_problem_of(wba_str_t error);

/* A phrase about it, and how loud it is. */
const char *wba_redis_problem_text(wba_redis_problem_t problem);
wba_redis_severity_t wba_redis_problem_severity(wba_redis_problem_t problem);

/* The value of a line "name:value" of INFO, or absent.  A view. */
wba_str_t wba_redis_info_field(wba_str_t info, const char *name);

/* The run id that INFO tells, or WBA_REDIS_NO_RUN_ID: absent or no word of at
 * most 40 letters and digits. */
void wba_redis_run_id(wba_str_t info, char out[WBA_REDIS_RUN_ID + 1]);

/* maxmemory_policy of INFO, printable, cut to size; "": it tells none.  True
 * when it evicts keys. */
bool wba_redis_policy(wba_str_t info, char *out, size_t size);

/* "RUNID:SECONDS". */
void wba_redis_marker_write(char out[WBA_REDIS_MARKER], const char *run_id,
                            int64_t epoch);

/* The epoch that a marker tells for this run of the server.  False: it is of
 * another run, or is no marker. */
bool wba_redis_marker_read(wba_str_t marker, const char *run_id,
                           int64_t *epoch);

/* What the replies to MULTI ... EXEC come to.  Begin with all zero. */
typedef struct {
    unsigned got;                /* replies so far */
    wba_redis_problem_t problem; /* the first that was met */
    bool moved;                  /* the marker is not the one expected */
    bool aborted;                /* EXEC is nil: what was watched changed */
    bool seen;                   /* a SET NX found its key */
} wba_redis_sum_t;

/*
 * Adds the next reply to a transaction of n commands (n + 2 replies: OK,
 * QUEUED n times, an array).  first is what a GET as its first command is
 * expected to return, or NULL: that one is a SET too.  True: this was the
 * last.  EXECABORT says nothing that its cause did not.
 */
bool wba_redis_sum_add(wba_redis_sum_t *sum, const redisReply *reply,
                       unsigned n, const char *first);

/* The answer of a record: a moved marker is COLD, whatever else. */
wba_store_answer_t wba_redis_sum_answer(const wba_redis_sum_t *sum);

/* The outcome of one command: GOOD, or why not.  type: the one that it must
 * have, or REDIS_REPLY_NIL: a status, or nil. */
wba_redis_problem_t wba_redis_reply_check(const redisReply *reply, int type);

/* Copies text for a report: what is not printable ASCII becomes '?', and what
 * does not fit is cut. */
void wba_redis_printable(char *out, size_t size, const char *text);

#endif
