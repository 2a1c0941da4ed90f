/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Content-Digest (RFC 9530): which supported digests a field states, and the
 * incremental comparison with a body.  Only sha-256 and sha-512 count; the
 * content is hashed as received, after transfer decoding and before content
 * decoding, and an absent body hashes as empty.
 */
#ifndef WBA_DIGEST_H
#define WBA_DIGEST_H

#include <sodium.h>

#include "str.h"

typedef struct {
    bool has_sha256;
    bool has_sha512;
    uint8_t want_sha256[crypto_hash_sha256_BYTES];
    uint8_t want_sha512[crypto_hash_sha512_BYTES];
    crypto_hash_sha256_state sha256;
    crypto_hash_sha512_state sha512;
} wba_digest_t;

/* Reads the field's value, all lines joined by ", ".  WBA_OK; WBA_INVALID for
 * a syntax error, a supported digest that is no Byte Sequence or has the wrong
 * length; WBA_UNSUPPORTED when it states no supported digest. */
wba_status_t wba_digest_init(wba_digest_t *d, wba_str_t field);

/* The next len bytes of the body. */
void wba_digest_update(wba_digest_t *d, const void *data, size_t len);

/* True when every supported digest stated matches.  Ends the computation. */
bool wba_digest_final(wba_digest_t *d);

#endif
