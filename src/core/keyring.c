/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every distinct keyid has one slot in an open-addressed table, and a chain of
 * nodes, one for each key it may name.  Chains are appended to at their tail,
 * so they are in the order of the sets and cost no more to build when a
 * hostile directory publishes one kid a hundred thousand times.
 */
#include "keyring.h"

#include <sodium.h>
#include <stdlib.h>

#include "wba_limits.h"

#define NONE UINT32_MAX

#define BY_THUMBPRINT 1
#define BY_KID 2
#define KINDS 3
#define SET_HEAD 4 /* the first node of its set in this chain */

/* There it is also counted how many of each kind there are in the set. */
#define COUNT_BITS 4
#define COUNT_AT(kind) (COUNT_BITS * (1 + ((kind) & KINDS)))
#define COUNT_OF(flags, kind) ((flags) >> COUNT_AT(kind) & 15)

_Static_assert(WBA_MAX_CANDIDATES < 15, "the counts have room");

typedef struct {
    uint32_t set;
    uint32_t key; /* its place in the set */
    uint32_t next;
    uint32_t link; /* of a SET_HEAD: the next one; of others: their own */
    uint32_t flags;
} node_t;

typedef struct {
    uint64_t hash; /* of the keyid */
    uint32_t head; /* NONE: a free slot */
    uint32_t tail; /* needed while building only */
} slot_t;

typedef struct {
    wba_keyset_t set; /* a view into bytes */
    unsigned directory;
} source_t;

struct wba_keyring_s {
    uint8_t hash_key[crypto_shorthash_KEYBYTES];
    source_t *sources;
    size_t count; /* keys */
    node_t *nodes;
    size_t nodes_count;
    slot_t *slots;
    size_t mask;
    uint8_t *bytes; /* the sets, one after the other */
};

static uint64_t
hash_of(const wba_keyring_t *ring, wba_str_t keyid)
{
    uint8_t hash[crypto_shorthash_BYTES];
    uint64_t value;

    crypto_shorthash(hash, keyid.data, keyid.len, ring->hash_key);
    memcpy(&value, hash, sizeof(value));
    return value;
}

static void
node_key(const wba_keyring_t *ring, const node_t *node, wba_key_t *key)
{
    wba_keyset_key(ring->sources[node->set].set, node->key, key);
}

/* Whether keyid is the one that the node's chain is for. */
static bool
node_named(const wba_keyring_t *ring, const node_t *node, wba_str_t keyid)
{
    uint8_t text[WBA_THUMBPRINT_TEXT_SIZE];
    wba_key_t key;

    node_key(ring, node, &key);
    if (!(node->flags & BY_THUMBPRINT)) {
        return wba_str_eq(keyid, key.kid);
    }
    /* Also where kid says the same: it lies further away in memory. */
    wba_thumbprint_text(key.thumbprint, text);
    return wba_str_eq(keyid, wba_str(text, sizeof(text)));
}

/* The slot of keyid, or the free one where it belongs: there always is a free
 * one.  Equal hashes of different keyids do not confuse it. */
static slot_t *
find(const wba_keyring_t *ring, wba_str_t keyid, uint64_t hash)
{
    size_t at = (size_t) hash & ring->mask;

    for (;; at = (at + 1) & ring->mask) {
        slot_t *slot = &ring->slots[at];

        if (slot->head == NONE
            || (slot->hash == hash
                && node_named(ring, &ring->nodes[slot->head], keyid))) {
            return slot;
        }
    }
}

static void
add(wba_keyring_t *ring, wba_str_t keyid, size_t set, size_t i, unsigned kind)
{
    uint64_t hash = hash_of(ring, keyid);
    slot_t *slot = find(ring, keyid, hash);
    uint32_t at = (uint32_t) ring->nodes_count;
    node_t *node = &ring->nodes[at];
    node_t *tail, *head;
    uint32_t group;

    *node = (node_t) { (uint32_t) set, (uint32_t) i, NONE, NONE, kind };
    if (slot->head == NONE) {
        node->flags |= SET_HEAD | 1u << COUNT_AT(kind);
        ring->nodes_count++;
        slot->hash = hash;
        slot->head = at;
        slot->tail = at;
        return;
    }
    tail = &ring->nodes[slot->tail];
    group = tail->flags & SET_HEAD ? slot->tail : tail->link;
    head = &ring->nodes[group];
    if (tail->set == node->set) {
        if (COUNT_OF(head->flags, kind) == WBA_MAX_CANDIDATES) {
            return; /* nobody would try it */
        }
        node->link = group;
        head->flags += 1u << COUNT_AT(kind);
    } else {
        node->flags |= SET_HEAD | 1u << COUNT_AT(kind);
        head->link = at;
    }
    ring->nodes_count++;
    tail->next = at;
    slot->tail = at;
}

/* Key i of a set with the text of its thumbprint; whether it has a kid beside
 * that text. */
static bool
read_names(wba_keyset_t set, size_t i, wba_key_t *key, uint8_t *text)
{
    wba_keyset_key(set, i, key);
    wba_thumbprint_text(key->thumbprint, text);
    return key->kid.len
           && !wba_str_eq(key->kid, wba_str(text, WBA_THUMBPRINT_TEXT_SIZE));
}

static size_t
count_names(wba_keyset_t set)
{
    size_t n = wba_keyset_count(set);
    uint8_t text[WBA_THUMBPRINT_TEXT_SIZE];
    size_t names = n;
    wba_key_t key;
    size_t i;

    for (i = 0; i < n; i++) {
        names += read_names(set, i, &key, text);
    }
    return names;
}

static void
index_set(wba_keyring_t *ring, size_t set)
{
    wba_keyset_t keys = ring->sources[set].set;
    size_t n = wba_keyset_count(keys);
    uint8_t text[WBA_THUMBPRINT_TEXT_SIZE];
    wba_str_t thumbprint = wba_str(text, sizeof(text));
    wba_key_t key;
    size_t i;

    for (i = 0; i < n; i++) {
        if (read_names(keys, i, &key, text)) {
            add(ring, thumbprint, set, i, BY_THUMBPRINT);
            add(ring, key.kid, set, i, BY_KID);
        } else {
            add(ring, thumbprint, set, i,
                key.kid.len ? BY_THUMBPRINT | BY_KID : BY_THUMBPRINT);
        }
    }
}

static bool
allocate(wba_keyring_t *ring, size_t sets, size_t names, size_t bytes)
{
    size_t slots = 8;
    size_t i;

    while (slots / 3 * 2 < names) {
        slots *= 2;
    }
    ring->mask = slots - 1;
    ring->sources = calloc(sets + 1, sizeof(*ring->sources));
    ring->nodes = calloc(names + 1, sizeof(*ring->nodes));
    ring->slots = calloc(slots, sizeof(*ring->slots));
    ring->bytes = malloc(bytes + 1);
    if (ring->sources == NULL || ring->nodes == NULL || ring->slots == NULL
        || ring->bytes == NULL) {
        return false;
    }
    for (i = 0; i < slots; i++) {
        ring->slots[i].head = NONE;
    }
    return true;
}

wba_keyring_t *
wba_keyring_new(const wba_keyset_t *sets, const unsigned *directories,
                size_t n)
{
    wba_keyring_t *ring = calloc(1, sizeof(*ring));
    size_t names = 0;
    size_t bytes = 0;
    uint8_t *p;
    size_t i;

    if (ring == NULL) {
        return NULL;
    }
    for (i = 0; i < n; i++) {
        ring->count += wba_keyset_count(sets[i]);
        names += count_names(sets[i]);
        bytes += sets[i].size;
    }
    /* Sets and nodes are numbered with 32 bits, and cursors begin at 1. */
    if (n >= NONE - 1 || names >= NONE - 1
        || !allocate(ring, n, names, bytes)) {
        wba_keyring_free(ring);
        return NULL;
    }
    crypto_shorthash_keygen(ring->hash_key);
    p = ring->bytes;
    for (i = 0; i < n; i++) {
        memcpy(p, sets[i].data, sets[i].size);
        ring->sources[i].set.data = p;
        ring->sources[i].set.size = sets[i].size;
        ring->sources[i].directory = directories[i];
        p += sets[i].size;
        index_set(ring, i);
    }
    return ring;
}

void
wba_keyring_free(wba_keyring_t *ring)
{
    if (ring != NULL) {
        free(ring->sources);
        free(ring->nodes);
        free(ring->slots);
        free(ring->bytes);
        free(ring);
    }
}

/* A cursor is 0 at first, then the number of the node to come plus 1, and
 * beyond all nodes at the end. */
static size_t
cursor_at(const wba_keyring_t *ring, uint32_t node)
{
    return node == NONE ? ring->nodes_count + 1 : (size_t) node + 1;
}

wba_status_t
wba_keyring_next(const wba_keyring_t *ring, wba_str_t keyid, size_t *cursor,
                 wba_keyring_match_t *match)
{
    const node_t *node;

    if (*cursor == 0) {
        if (keyid.len == 0 || keyid.len > WBA_MAX_KID) {
            return WBA_END;
        }
        *cursor = cursor_at(ring,
                            find(ring, keyid, hash_of(ring, keyid))->head);
    }
    if (*cursor > ring->nodes_count) {
        return WBA_END;
    }
    node = &ring->nodes[*cursor - 1];
    match->directory = ring->sources[node->set].directory;
    match->by_thumbprint = (node->flags & BY_THUMBPRINT) != 0;
    match->by_kid = (node->flags & BY_KID) != 0;
    node_key(ring, node, &match->key);
    *cursor = cursor_at(ring, node->next);
    return WBA_OK;
}

void
wba_keyring_skip_set(const wba_keyring_t *ring, size_t *cursor)
{
    const node_t *node;

    if (*cursor == 0 || *cursor > ring->nodes_count) {
        return;
    }
    node = &ring->nodes[*cursor - 1];
    if (!(node->flags & SET_HEAD)) {
        *cursor = cursor_at(ring, ring->nodes[node->link].link);
    }
}

size_t
wba_keyring_count(const wba_keyring_t *ring)
{
    return ring->count;
}
