/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory that all workers share, carved once: what lies where. */
#ifndef NGX_HTTP_WEB_BOT_AUTH_ZONE_H
#define NGX_HTTP_WEB_BOT_AUTH_ZONE_H

#include <ngx_config.h>
#include <ngx_core.h>

#include <pthread.h>

#include "report.h"
#include "wba_limits.h"

/* Rows of counters: at most so many, shared by number where there are more
 * workers. */
#define NGX_HTTP_WBA_WORKERS 64

/* Configured directories: each https one takes a slot of the zone, and a
 * reload may hold slots of the configuration before. */
#define NGX_HTTP_WBA_MAX_DIRECTORIES 128
#define NGX_HTTP_WBA_SLOTS 256

/* Discovered directories: their slots follow, as many as a thirty-second part
 * of the zone holds, within these. */
#define NGX_HTTP_WBA_FOUND_MIN 32
#define NGX_HTTP_WBA_FOUND_MAX 1024

/* Bytes of a discovered URL, its NUL included.  Agents in the field send 30 to
 * 80; what is longer is not looked up. */
#define NGX_HTTP_WBA_FOUND_URL 512

/* The state of one https directory.  Times are ngx_current_msec's.  Strings,
 * and what is marked so, are written and read under the zone's lock. */
typedef struct {
    u_char name[64];      /* of a configured one; else empty */
    u_char url[NGX_HTTP_WBA_FOUND_URL]; /* of a discovered one; else empty */
    ngx_atomic_t hash;    /* of where its keys come from and how they are read;
                             0: free */
    ngx_atomic_t version; /* of its set; grows with every change */
    ngx_atomic_t epoch;   /* of the configuration that last named it */
    ngx_atomic_t lease;   /* until when some worker may fetch; 0: nobody */
    ngx_atomic_t loaded;  /* a set is there */
    ngx_atomic_t fetched; /* when the set was last seen to be right */
    ngx_atomic_t lifetime; /* milliseconds from then on that it is fresh */
    ngx_atomic_t due;      /* when to fetch next */
    ngx_atomic_t used;     /* when an agent of it last verified, roughly */
    ngx_atomic_t failures; /* in a row */
    ngx_atomic_t fetches;  /* started, ever */
    ngx_atomic_t unsaved;  /* its state could not be kept, and that was said */
    size_t set_offset[2];  /* locked; into each half of the arena */
    size_t set_size[2];    /* locked */
    u_char etag[WBA_MAX_VALIDATOR];
    u_char last_modified[WBA_MAX_VALIDATOR];
    u_char error[160]; /* of the last failure; empty: none */
} ngx_http_wba_slot_t;

/* Names that are counted by: directories and tags.  They are kept, with what
 * was counted, as long as the zone; those for which there is no room are
 * counted together. */
#define NGX_HTTP_WBA_NAMES 224

typedef enum {
    NGX_HTTP_WBA_NAME_NONE = 0, /* free */
    NGX_HTTP_WBA_NAME_DIRECTORY,
    NGX_HTTP_WBA_NAME_TAG
} ngx_http_wba_name_e;

typedef struct {
    ngx_atomic_t kind; /* written last */
    size_t len;
    u_char text[WBA_MAX_TAG];
} ngx_http_wba_name_t;

typedef struct {
    ngx_atomic_t buckets[WBA_LATENCY_BUCKETS];
    ngx_atomic_t sum_us;
} ngx_http_wba_latency_t;

/* One row of counts.  Each worker has one to itself, as far as there are
 * enough; a worker that is ending shares it with the one that follows. */
typedef struct {
    ngx_atomic_t reasons[WBA_REASON_COUNT];
    ngx_atomic_t decisions[WBA_DECISION_PASS + 1];
    ngx_atomic_t store[WBA_STORE_ANSWERS]; /* its answers */
    ngx_atomic_t local[WBA_STORE_ANSWERS]; /* while Redis was not usable */
    ngx_atomic_t fetch_failures;
    ngx_atomic_t redis_failures;
    ngx_http_wba_latency_t fetch;
    ngx_http_wba_latency_t redis;
    ngx_atomic_t names[NGX_HTTP_WBA_NAMES][2]; /* failed, verified */
} ngx_http_wba_counters_t;

/* Totals by outcome at the ends of minutes gone by. */
#define NGX_HTTP_WBA_HISTORY 180

typedef struct {
    ngx_atomic_t minute; /* since 1970; 0: nothing */
    ngx_atomic_t time;   /* within it */
    ngx_atomic_t outcomes[WBA_OUTCOMES];
} ngx_http_wba_sample_t;

typedef struct {
    uint32_t version;
    uint32_t layout;   /* size of this record: another build is another zone */
    uint32_t nslots;   /* of configured directories, then nfound more */
    uint32_t nfound;
    size_t forgery;    /* offset of the budgets of forgeries */
    size_t arena;      /* offset of the arena's first half */
    size_t arena_size; /* of one half */
    size_t replay;     /* offset of the nonce region */
    size_t replay_size;
    uint32_t has_replay; /* a table was made there */
    ngx_atomic_t full_said; /* when it was last logged that it is full */
    pthread_mutex_t lock; /* of arena, slots' identities and sets; robust */
    ngx_atomic_t half;       /* the half that is published: 0 or 1 */
    ngx_atomic_t generation; /* grows with every change of a slot's version */
    ngx_atomic_t events;     /* fetches ended, well or not */
    ngx_atomic_t epoch;      /* locked; configurations committed */
    ngx_msec_t allowance;    /* locked; new agents, in 1/60000ths of one */
    ngx_msec_t allowance_at; /* locked; when it was last topped up */
    time_t created;
    size_t counters;         /* offset of the rows of counts */
    ngx_uint_t nrows;
    ngx_atomic_t redis[NGX_HTTP_WBA_WORKERS]; /* pids of workers, by their
                                                 numbers, that can use Redis */
    ngx_atomic_t minute; /* the last one in history */
    ngx_http_wba_sample_t history[NGX_HTTP_WBA_HISTORY]; /* by minute */
    ngx_http_wba_name_t names[NGX_HTTP_WBA_NAMES];
    ngx_http_wba_slot_t slots[1]; /* nslots and nfound of them */
} ngx_http_wba_zone_t;

#endif
