/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An immutable index over the key sets of many directories: from a keyid to
 * the keys it may name, at a cost that depends on neither the number of keys
 * nor of directories.  A keyid matches a key's kid, and the text of its
 * thumbprint (RFC 7638, base64url).  Hashing is keyed (libsodium's shorthash,
 * random per ring), so that a directory cannot choose colliding kids.
 */
#ifndef WBA_KEYRING_H
#define WBA_KEYRING_H

#include "keyset.h"

typedef struct wba_keyring_s wba_keyring_t;

typedef struct {
    unsigned directory; /* as given to wba_keyring_new */
    bool by_thumbprint; /* the keyid is the key's thumbprint (kid or not) */
    bool by_kid;        /* the keyid is the key's kid */
    wba_key_t key;
} wba_keyring_match_t;

/* Copies n checked sets; set i belongs to directories[i].  Owned by the
 * caller.  NULL: no memory. */
wba_keyring_t *wba_keyring_new(const wba_keyset_t *sets,
                               const unsigned *directories, size_t n);
void wba_keyring_free(wba_keyring_t *ring);

/* The keys that keyid may name, ordered by set, then by place in the set; of a
 * set's that it names by thumbprint, by kid, or by both, no more than the first
 * WBA_MAX_CANDIDATES each: to offer them all costs the same however often a
 * directory publishes one name.
 * Begin with *cursor 0; WBA_OK or WBA_END.  A key whose kid is its own
 * thumbprint is yielded once, with both flags. */
wba_status_t wba_keyring_next(const wba_keyring_t *ring, wba_str_t keyid,
                              size_t *cursor, wba_keyring_match_t *match);

/* Right after a match: lets *cursor pass over what else keyid matches in the
 * same set, at constant cost.  For a caller that wants another directory: a
 * hostile one may publish the same kid any number of times. */
void wba_keyring_skip_set(const wba_keyring_t *ring, size_t *cursor);

/* The number of keys held. */
size_t wba_keyring_count(const wba_keyring_t *ring);

#endif
