/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The nonce table: which nonces were used, in a fixed region of memory that
 * the caller supplies and that many processes may share.  It never evicts a
 * live nonce, makes no allocation, and survives a process killed inside it at
 * any instruction.
 */
#ifndef WBA_REPLAY_H
#define WBA_REPLAY_H

#include "crypto.h"

/* One nonce of one key; what is remembered is a keyed hash of both. */
typedef struct {
    const uint8_t *thumbprint; /* of the key that verified */
    wba_str_t nonce;
    int64_t created; /* of the signature, seconds since the epoch */
    int64_t until;   /* wall-clock second from which it may be forgotten */
} wba_nonce_t;

/* The time, twice: an entry dies only when both have passed. */
typedef struct {
    int64_t wall;      /* seconds since the epoch */
    int64_t monotonic; /* seconds, any origin that lives as long as the table */
} wba_clock_t;

typedef enum {
    WBA_STORE_FRESH,      /* recorded now */
    WBA_STORE_SEEN,       /* at least one was used before; none recorded */
    WBA_STORE_FULL,       /* no room; none recorded */
    WBA_STORE_COLD,       /* the table may have forgotten; none recorded */
    WBA_STORE_UNAVAILABLE /* could not be asked; none recorded */
} wba_store_answer_t;

typedef struct wba_replay_s wba_replay_t; /* lies at the region's start */

typedef struct {
    uint64_t capacity;  /* entries there is space for */
    uint64_t rated;     /* live entries at which it is rated: 75 % */
    uint64_t live;      /* entries not yet expired, counted when asked */
    int64_t cold_until; /* signatures created at or before this are cold;
                           0: none */
} wba_replay_stats_t;

/* Bytes that a table rated for live nonces takes (22 for each, rounded up, and
 * a little over 400 for the smallest; SIZE_MAX: more than it can be); and the
 * reverse (0: too small for one bucket). */
size_t wba_replay_size(uint64_t live);
uint64_t wba_replay_rated(size_t size);

/*
 * Makes an empty table in region (aligned to 64 bytes), cold as of now: what
 * was signed before then may have been used before then.  warm: judge such
 * signatures as if nothing had been used; only a later jump of the clock, or
 * wba_replay_cool, makes the table cold.  secret keys the hash.  NULL: region
 * is not aligned, size is too small for one bucket, or the platform's locks
 * failed.  Writes all of region that it uses; nobody else may be using it.
 */
wba_replay_t *wba_replay_init(void *region, size_t size,
                              const uint8_t secret[16],
                              const wba_clock_t *now, bool warm);

/*
 * The table that region (aligned to 64 bytes) holds, or NULL when its version,
 * size or layout is another.  For a further process of the same machine, since
 * the same boot: the locks hold thread ids and the entries monotonic times, so
 * a region that outlived a reboot must be initialised.  Changes nothing.
 */
wba_replay_t *wba_replay_attach(void *region, size_t size);

/*
 * Makes all locks anew, free; false: the platform's locks failed.  For a table
 * that outlived all who used it: a damaged lock, or one that was copied while
 * it was held, would be waited for for ever.  Nobody else may be using it.
 */
bool wba_replay_renew_locks(wba_replay_t *table);

/* Bytes of a table that never change after wba_replay_init, its secret among
 * them: to tell a damaged one from a sound one. */
#define WBA_REPLAY_IDENTITY 56
void wba_replay_identity(const void *region, uint8_t out[WBA_REPLAY_IDENTITY]);

/* Whether wba_replay_supersede was called. */
bool wba_replay_superseded(const wba_replay_t *table);

/* From now on the table accepts nothing (wba_replay_record says COLD): it has
 * been replaced by another.  A call that is already past
 * this check may still record, so: supersede the old table first, then read
 * the clock, then wba_replay_init or wba_replay_cool the new one with it. */
void wba_replay_supersede(wba_replay_t *table);

/* Makes the table, even a warm one, cold as of now: other tables may have
 * recorded nonces until now.  What it holds it keeps. */
void wba_replay_cool(wba_replay_t *table, const wba_clock_t *now);

/* The table takes the place of the one that took its own: cold as of now, and
 * not superseded any more.  Supersede that other one first. */
void wba_replay_resume(wba_replay_t *table, const wba_clock_t *now);

/* Whether a live record of this nonce exists; a hint for cheap refusal.  Takes
 * no lock and writes nothing; never wrong about a record whose FRESH was told
 * before the call began.  Looks at neither cold nor superseded. */
bool wba_replay_seen(const wba_replay_t *table, const wba_nonce_t *nonce,
                     const wba_clock_t *now);

/*
 * Records n (1 to WBA_MAX_SIGNATURES) distinct or equal nonces, all or none,
 * atomically against every other caller.  Equal ones in one call count once,
 * with the latest until.
 *
 * COLD, in this order: the table is superseded; created <= cold + skew
 * (seconds) for any of them, cold being what init, cool and jumps of the clock
 * made it; or the space of an entry with the same or a later until was given
 * away, which takes a clock that stepped back.  Then SEEN if any is on record,
 * then FULL.  UNAVAILABLE: n is out of range, a nonce is longer than
 * WBA_MAX_NONCE, or a lock failed.  An until that has passed is recorded
 * nowhere and is FRESH (the caller refuses expired signatures).
 *
 * The wall clock may differ by two seconds from what its distance to the
 * monotonic one was; more, in either direction, is a jump, and makes the table
 * cold as of the latest wall time that any call has told.  An until beyond
 * what 32 bits hold (68 years) never dies: the caller bounds lifetimes.  A
 * caller killed inside may leave some of its nonces recorded.  Waits for the
 * holder of a lock if there is one, for the time of a record.
 */
wba_store_answer_t wba_replay_record(wba_replay_t *table,
                                     const wba_nonce_t *nonces, size_t n,
                                     int64_t skew, const wba_clock_t *now);

/* What wba_replay_record would say now, as far as that can be told without a
 * lock and without writing: a guess where others record meanwhile.  FRESH:
 * nothing is known against it.  A jump of the clock that no record has noticed
 * is not noticed here either. */
wba_store_answer_t wba_replay_foresee(const wba_replay_t *table,
                                      const wba_nonce_t *nonces, size_t n,
                                      int64_t skew, const wba_clock_t *now);

/* Walks the whole table: for tests and tools. */
void wba_replay_stats(const wba_replay_t *table, const wba_clock_t *now,
                      wba_replay_stats_t *stats);

/* As wba_replay_stats, but looks at max_buckets (at least 1) buckets of 16
 * entries, evenly spread, if there are more: live is then what that makes of
 * the whole, as nonces are spread by a hash; for status pages. */
void wba_replay_estimate(const wba_replay_t *table, const wba_clock_t *now,
                         uint64_t max_buckets, wba_replay_stats_t *stats);

#endif
