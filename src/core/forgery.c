/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two tables of the same make: budgets, and keys that are known at peers.  An
 * entry is one word: a tag, and a time until which it says anything.  Of a
 * known key that is when its standing ends.  Of a budget it is when it will
 * have refilled (the "theoretical arrival time" of the generic cell rate
 * algorithm): each failure moves it on by the limit's interval.  An entry
 * whose time has passed says as much as none, so it is space, and there is
 * nothing to count, to link or to clean up: one compare-and-swap is all that
 * ever happens.
 *
 * A keyed hash says where an entry is: a set, of one cache line, and a tag of
 * 22 bits.  Two that share both are one entry: in a full table somebody is
 * taken for another once in half a million times.  Where all places of a set
 * are taken, the entry whose time passes first makes room: the budget that is
 * closest to full, or the key that verified longest ago.  So whoever has used
 * up his budget is the last one to be forgotten: it takes eight others of his
 * set that have used up theirs, and nobody knows which those are.  Who has as
 * many addresses as there are places has as many budgets anyway.
 */
#include "forgery.h"
#include "lock_free.h"

#include <sodium.h>

#define WAYS 8
#define LINE 64

/* Times are ticks modulo 2^42, which is eight years: what is further ahead than
 * anybody writes has passed. */
#define TICKS 16 /* of a millisecond */
#define TIME_BITS 42
#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)

#define SECOND ((uint64_t) 1000 * TICKS)
#define STANDING (WBA_FORGERY_STANDING * SECOND)

/* By so much the readings of one clock may differ: nobody looks at it all the
 * time.  What is further ahead than an entry is ever moved, and this, was
 * written by a clock that has been set back since, and has passed. */
#define LAG (60 * SECOND)
#define MAX_AHEAD (60 * SECOND * WBA_MAX_FORGERY_BURST + LAG)

_Static_assert(MAX_AHEAD >= STANDING + LAG && MAX_AHEAD < TIME_MASK / 2,
               "every time that is written lies within what is believed");

/* Attempts at a word that others keep changing: they are charging, too. */
#define TRIES 16

typedef struct {
    _Alignas(LINE) _Atomic uint64_t slot[WAYS];
} set_t;

struct wba_forgery_s {
    _Alignas(LINE) uint8_t secret[WBA_FORGERY_SECRET];
    uint64_t sets; /* of each table, a power of two */
    set_t set[];   /* the budgets', then the known keys' */
};

_Static_assert(sizeof(set_t) == LINE, "a set is a cache line");
_Static_assert(sizeof(wba_forgery_t) + 2 * sizeof(set_t) == WBA_FORGERY_MIN,
               "one set of each");
_Static_assert(WBA_FORGERY_SECRET == crypto_shorthash_KEYBYTES, "SipHash's");
_Static_assert(WBA_ATOMIC_64_IS_LOCK_FREE,
               "atomics in memory that processes share must be lock-free");

#define LOAD(p) atomic_load_explicit(p, memory_order_relaxed)

/* What a hash is made of; all of it is filled in. */
typedef struct {
    uint8_t thumbprint[WBA_THUMBPRINT_SIZE];
    uint64_t interval;
    uint64_t depth;
    uint8_t peer[8];
    uint8_t family;
    uint8_t kind;
    uint8_t zero[6];
} name_t;

_Static_assert(sizeof(name_t) == 64, "without padding");

typedef enum { BUDGET_OF_PEER, BUDGET_OF_KEY, KNOWN_KEY } kind_t;

/* Where an entry is, and what it is known by. */
typedef struct {
    uint64_t set;
    uint64_t tag; /* in the word's upper bits; never 0 */
} place_t;

bool
wba_forgery_limit_make(wba_forgery_limit_t *limit, uint32_t failures,
                       uint32_t seconds, uint32_t burst)
{
    if (failures == 0 || (seconds != 1 && seconds != 60)
        || failures > WBA_MAX_FORGERY_RATE * seconds || burst == 0
        || burst > WBA_MAX_FORGERY_BURST)
    {
        return false;
    }
    limit->interval = (seconds * SECOND + failures / 2) / failures;
    limit->depth = limit->interval * burst;
    return true;
}

wba_peer_t
wba_forgery_peer(wba_str_t address)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    wba_peer_t peer = { 0 };

    if (address.len == 16
        && memcmp(address.data, mapped, sizeof(mapped)) == 0)
    {
        address = wba_str(address.data + sizeof(mapped), 4);
    }
    if (address.len == 4) {
        peer.family = 4;
        memcpy(peer.bytes, address.data, 4);
    } else if (address.len == 16) {
        peer.family = 6;
        memcpy(peer.bytes, address.data, 8);
    }
    return peer;
}

wba_forgery_t *
wba_forgery_init(void *region, size_t size,
                 const uint8_t secret[WBA_FORGERY_SECRET])
{
    wba_forgery_t *table = region;
    size_t sets = 1;

    if (region == NULL || (uintptr_t) region % LINE != 0
        || size < WBA_FORGERY_MIN)
    {
        return NULL;
    }
    while (sets * 2 <= (size - sizeof(*table)) / (2 * sizeof(set_t))) {
        sets *= 2;
    }
    memset(region, 0, sizeof(*table) + 2 * sets * sizeof(set_t));
    memcpy(table->secret, secret, WBA_FORGERY_SECRET);
    table->sets = sets;
    return table;
}

static place_t
place_of(const wba_forgery_t *table, kind_t kind, const wba_peer_t *peer,
         const wba_forgery_limit_t *limit, const uint8_t *thumbprint)
{
    name_t name = { .family = peer->family, .kind = (uint8_t) kind };
    uint64_t hash;
    place_t place;

    memcpy(name.peer, peer->bytes, sizeof(name.peer));
    if (limit != NULL) {
        name.interval = limit->interval;
        name.depth = limit->depth;
    }
    if (thumbprint != NULL) {
        memcpy(name.thumbprint, thumbprint, WBA_THUMBPRINT_SIZE);
    }
    (void) crypto_shorthash((uint8_t *) &hash, (const uint8_t *) &name,
                            sizeof(name), table->secret);

    place.set = hash & (table->sets - 1);
    if (kind == KNOWN_KEY) {
        place.set += table->sets;
    }
    place.tag = hash & ~TIME_MASK;
    if (place.tag == 0) {
        place.tag = TIME_MASK + 1;
    }
    return place;
}

/* Ticks from now until an entry's time; 0: it has passed, or there is none. */
static uint64_t
ahead(uint64_t slot, uint64_t now)
{
    uint64_t d = (slot - now) & TIME_MASK;

    return slot != 0 && d <= MAX_AHEAD ? d : 0;
}

/* The same of an entry that is never moved further than most. */
static uint64_t
ahead_by(uint64_t slot, uint64_t now, uint64_t most)
{
    uint64_t d = ahead(slot, now);

    return d <= most + LAG ? d : 0;
}

/* The entry's own; where two processes have made one each, the later. */
static uint64_t
find(const wba_forgery_t *table, place_t place, uint64_t now, uint64_t most)
{
    const set_t *set = &table->set[place.set];
    uint64_t slot, d, found = 0;
    size_t i;

    for (i = 0; i < WAYS; i++) {
        slot = LOAD(&set->slot[i]);
        d = ahead_by(slot, now, most);
        if ((slot & ~TIME_MASK) == place.tag && d > found) {
            found = d;
        }
    }
    return found;
}

/* The slot of the entry, or the one that it may take.  *old: what it held. */
static size_t
choose(const set_t *set, uint64_t tag, uint64_t now, uint64_t *old)
{
    uint64_t slot, d, least = UINT64_MAX;
    size_t i, victim = 0;

    for (i = 0; i < WAYS; i++) {
        slot = LOAD(&set->slot[i]);
        d = ahead(slot, now);
        if ((slot & ~TIME_MASK) == tag && d != 0) {
            *old = slot;
            return i;
        }
        if (d < least) {
            least = d;
            victim = i;
            *old = slot;
        }
    }
    return victim;
}

/* The word that place's entry has, or may take, as it was seen. */
typedef struct {
    _Atomic uint64_t *slot;
    uint64_t old;
    uint64_t ahead; /* of the entry, which is moved no further than most */
} word_t;

static word_t
look(wba_forgery_t *table, place_t place, uint64_t now, uint64_t most)
{
    set_t *set = &table->set[place.set];
    word_t word;

    word.slot = &set->slot[choose(set, place.tag, now, &word.old)];
    word.ahead = (word.old & ~TIME_MASK) == place.tag
                     ? ahead_by(word.old, now, most)
                     : 0;
    return word;
}

/* False: somebody else has changed it. */
static bool
put(word_t *word, place_t place, uint64_t time)
{
    return atomic_compare_exchange_strong_explicit(
        word->slot, &word->old, place.tag | (time & TIME_MASK),
        memory_order_relaxed, memory_order_relaxed);
}

/* Moves the entry's time on by more, up to most from now. */
static void
move_on(wba_forgery_t *table, place_t place, uint64_t now, uint64_t more,
        uint64_t most)
{
    unsigned tries;
    word_t word;
    uint64_t d;

    for (tries = 0; tries < TRIES; tries++) {
        word = look(table, place, now, most);
        d = word.ahead + more < most ? word.ahead + more : most;
        if (put(&word, place, now + d)) {
            return;
        }
    }
}

/* Moves the entry's time, which was moved on by no more than most, back by
 * less, to now at most.  False: there is none. */
static bool
move_back(wba_forgery_t *table, place_t place, uint64_t now, uint64_t less,
          uint64_t most)
{
    unsigned tries;
    word_t word;
    uint64_t d;

    for (tries = 0; tries < TRIES; tries++) {
        word = look(table, place, now, most);
        if (word.ahead == 0) {
            return false;
        }
        d = word.ahead > less ? word.ahead - less : 0;
        if (put(&word, place, now + d)) {
            return true;
        }
    }
    return true; /* others are charging: it is theirs now */
}

static bool
has_room(const wba_forgery_t *table, place_t budget,
         const wba_forgery_limit_t *limit, uint64_t now)
{
    return find(table, budget, now, limit->depth) + limit->interval
           <= limit->depth;
}

bool
wba_forgery_may_try(const wba_forgery_t *table,
                    const wba_forgery_limit_t *limit, const wba_peer_t *peer,
                    const uint8_t thumbprint[WBA_THUMBPRINT_SIZE],
                    uint64_t now)
{
    place_t place = place_of(table, BUDGET_OF_PEER, peer, limit, NULL);

    now *= TICKS;
    if (has_room(table, place, limit, now)) {
        return true;
    }
    place = place_of(table, KNOWN_KEY, peer, NULL, thumbprint);
    if (find(table, place, now, STANDING) == 0) {
        return false;
    }
    place = place_of(table, BUDGET_OF_KEY, peer, limit, thumbprint);
    return has_room(table, place, limit, now);
}

void
wba_forgery_failed(wba_forgery_t *table, const wba_forgery_limit_t *limit,
                   const wba_peer_t *peer,
                   const uint8_t thumbprint[WBA_THUMBPRINT_SIZE], uint64_t now)
{
    place_t budget = place_of(table, BUDGET_OF_PEER, peer, limit, NULL);

    now *= TICKS;
    if (!has_room(table, budget, limit, now)) {
        budget = place_of(table, BUDGET_OF_KEY, peer, limit, thumbprint);
    }
    move_on(table, budget, now, limit->interval, limit->depth);
}

void
wba_forgery_forgiven(wba_forgery_t *table, const wba_forgery_limit_t *limit,
                     const wba_peer_t *peer,
                     const uint8_t thumbprint[WBA_THUMBPRINT_SIZE],
                     uint64_t now)
{
    place_t budget = place_of(table, BUDGET_OF_KEY, peer, limit, thumbprint);

    now *= TICKS;
    if (!move_back(table, budget, now, limit->interval, limit->depth)) {
        budget = place_of(table, BUDGET_OF_PEER, peer, limit, NULL);
        (void) move_back(table, budget, now, limit->interval, limit->depth);
    }
}

void
wba_forgery_verified(wba_forgery_t *table, const wba_peer_t *peer,
                     const uint8_t thumbprint[WBA_THUMBPRINT_SIZE],
                     uint64_t now)
{
    place_t known = place_of(table, KNOWN_KEY, peer, NULL, thumbprint);

    now *= TICKS;
    if (find(table, known, now, STANDING) < STANDING - STANDING / 16) {
        move_on(table, known, now, STANDING, STANDING);
    }
}

static uint64_t
count(const set_t *set, uint64_t sets, uint64_t now)
{
    uint64_t i, slot, n = 0;

    for (i = 0; i < sets * WAYS; i++) {
        slot = LOAD(&set[i / WAYS].slot[i % WAYS]);
        n += ahead(slot, now) != 0;
    }
    return n;
}

void
wba_forgery_stats(const wba_forgery_t *table, uint64_t now,
                  wba_forgery_stats_t *stats)
{
    now *= TICKS;
    stats->capacity = table->sets * WAYS;
    stats->budgets = count(table->set, table->sets, now);
    stats->known = count(table->set + table->sets, table->sets, now);
}
