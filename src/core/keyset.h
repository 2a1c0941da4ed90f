/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A key set as one block of bytes without pointers: the same in the shared
 * zone, in a state file and in a worker's snapshot.  Little of it is trusted:
 * wba_keyset_check looks at every offset before anybody reads a key.
 */
#ifndef WBA_KEYSET_H
#define WBA_KEYSET_H

#include "crypto.h"

typedef struct {
    const uint8_t *data; /* aligned to 8 bytes */
    size_t size;
} wba_keyset_t;

/* Builds a block with malloc; not for the request path. */
typedef struct wba_keyset_builder_s wba_keyset_builder_t;

wba_keyset_builder_t *wba_keyset_builder_new(void); /* NULL: no memory */
void wba_keyset_builder_free(wba_keyset_builder_t *b);

/* Copies what key's views show.  WBA_OK, WBA_INVALID (sizes that do not fit
 * the key's type), WBA_NO_MEMORY. */
wba_status_t wba_keyset_builder_add(wba_keyset_builder_t *b,
                                    const wba_key_t *key);

/* Gives the finished block to the caller, who frees set->data with free().
 * The builder is spent (still to be freed). */
wba_status_t wba_keyset_builder_take(wba_keyset_builder_t *b,
                                     wba_keyset_t *set);

/* Whether the bytes are a sound block of this version: WBA_OK, WBA_INVALID,
 * WBA_UNSUPPORTED (another version). */
wba_status_t wba_keyset_check(wba_keyset_t set);

/* For a checked set.  Key i < count; its views live as long as the block. */
size_t wba_keyset_count(wba_keyset_t set);
void wba_keyset_key(wba_keyset_t set, size_t i, wba_key_t *key);

/* For a checked set: whether keyid is the kid, or the thumbprint's text, of a
 * key in it.  Looks at one after the other: not for the request path. */
bool wba_keyset_has(wba_keyset_t set, wba_str_t keyid);

/* Bytes of a block, for each key, where keys are Ed25519's and have kids as
 * long as thumbprints; RSA keys take 400.  To size memory by. */
#define WBA_KEYSET_PER_KEY 150

#endif
