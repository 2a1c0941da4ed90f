/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What forgers may cost: budgets of verifications that fail, over memory of
 * the caller's that many processes may share.
 *
 * A peer (an address, below) has a budget.  Beyond it a verification may be
 * tried only with a key that has verified for that peer before, within
 * WBA_FORGERY_STANDING seconds, and every such key has a budget of its own
 * there, of the same size: so agents behind one address pay for each other's
 * forgeries only until they have verified once, or where the forger names
 * their very key.
 *
 * Before the crypto is asked: wba_forgery_may_try.  When it has said no:
 * wba_forgery_failed; yes: wba_forgery_verified; yes after a no about the same
 * signature: wba_forgery_forgiven, too.  Between a look and what it
 * leads to other processes may look, too: each may try one more.
 *
 * now is in milliseconds, of a clock that only goes forward and is the same
 * for all that share the memory; whatever it does, a budget is used up for as
 * long as it takes to refill and a minute more at most.  Takes no lock; a
 * process that is killed at any instruction leaves every budget as it was, or
 * charged.
 */
#ifndef WBA_FORGERY_H
#define WBA_FORGERY_H

#include "crypto.h"

typedef struct wba_forgery_s wba_forgery_t; /* lies at the region's start */

/* A budget's size; in ticks, of which a millisecond has 16. */
typedef struct {
    uint64_t interval; /* after which one failure is forgiven */
    uint64_t depth;    /* interval times the failures that may come at once */
} wba_forgery_limit_t;

/* Failures a second, and at once, at most: a thousand verifications are a
 * twentieth of a core. */
#define WBA_MAX_FORGERY_RATE 1000
#define WBA_MAX_FORGERY_BURST 10000

/* So many failures in so many seconds (1 or 60) are forgiven, and burst may
 * come at once after a pause.  false: one of them is 0 or beyond its maximum.
 * The rate is kept to within 4 %. */
bool wba_forgery_limit_make(wba_forgery_limit_t *limit, uint32_t failures,
                            uint32_t seconds, uint32_t burst);

/* Seconds for which a key that has verified for a peer is known there; 1/16 of
 * it may be missing, so that not every request writes. */
#define WBA_FORGERY_STANDING 3600

/* Who sends, as far as budgets go. */
typedef struct {
    uint8_t family; /* 4, 6; 0: anything else, which is all one peer */
    uint8_t bytes[8];
} wba_peer_t;

/* Of an address in network order: 4 bytes are IPv4; of 16, IPv6, the first 64
 * bits count, as a subscriber has them all; IPv4 mapped into IPv6 is IPv4. */
wba_peer_t wba_forgery_peer(wba_str_t address);

/*
 * Makes empty tables in region (aligned to 64 bytes), of as many entries as
 * there is room for.  secret keys the hash by which they are placed, so that
 * nobody can choose whose place he takes: random.  NULL: region is not
 * aligned, or has less than WBA_FORGERY_MIN bytes.
 */
#define WBA_FORGERY_SECRET 16
#define WBA_FORGERY_MIN 192
wba_forgery_t *wba_forgery_init(void *region, size_t size,
                                const uint8_t secret[WBA_FORGERY_SECRET]);

/* Whether a verification with the key of that thumbprint may be tried.
 * Budgets of different limits are different ones. */
bool wba_forgery_may_try(const wba_forgery_t *table,
                         const wba_forgery_limit_t *limit,
                         const wba_peer_t *peer,
                         const uint8_t thumbprint[WBA_THUMBPRINT_SIZE],
                         uint64_t now);

/* One has failed: charges the peer's budget, where there is room, else the
 * key's at that peer. */
void wba_forgery_failed(wba_forgery_t *table, const wba_forgery_limit_t *limit,
                        const wba_peer_t *peer,
                        const uint8_t thumbprint[WBA_THUMBPRINT_SIZE],
                        uint64_t now);

/* One that has failed was none: takes a failure back from the key's budget at
 * that peer, where there is one, else from the peer's. */
void wba_forgery_forgiven(wba_forgery_t *table,
                          const wba_forgery_limit_t *limit,
                          const wba_peer_t *peer,
                          const uint8_t thumbprint[WBA_THUMBPRINT_SIZE],
                          uint64_t now);

/* One went well: the key is known at that peer.  Writes only where that is not
 * on record, or not for much longer. */
void wba_forgery_verified(wba_forgery_t *table, const wba_peer_t *peer,
                          const uint8_t thumbprint[WBA_THUMBPRINT_SIZE],
                          uint64_t now);

typedef struct {
    uint64_t capacity; /* entries there is space for, of either kind */
    uint64_t budgets;  /* not wholly refilled yet */
    uint64_t known;    /* keys at peers that have verified */
} wba_forgery_stats_t;

/* Walks both tables. */
void wba_forgery_stats(const wba_forgery_t *table, uint64_t now,
                       wba_forgery_stats_t *stats);

#endif
