/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Possession proof: the signatures by which a key directory's response shows
 * that its publisher holds the keys' private halves (draft-ietf-webbotauth-
 * httpsig-protocol; tag http-message-signatures-directory).  Not for the
 * request path.
 */
#ifndef WBA_PROOF_H
#define WBA_PROOF_H

#include "keyset.h"
#include "message.h"

#define WBA_PROOF_TAG "http-message-signatures-directory"

/* The response that carried the key set. */
typedef struct {
    const wba_message_t *message; /* only next_line is asked: its header */
    wba_str_t authority;          /* of the request's URL, @authority's form */
    unsigned status;
    wba_str_t body; /* content as received, before content decoding */
    bool decoded;   /* body is not that: a content coding was taken off, so
                       that no digest can be compared */
} wba_proof_answer_t;

typedef enum {
    WBA_PROOF_ABSENT, /* no signature with that tag */
    WBA_PROOF_GOOD,   /* at least one key has proven possession */
    WBA_PROOF_BAD     /* none has; text says what is wrong with the first */
} wba_proof_state_t;

typedef struct {
    wba_proof_state_t state;
    size_t proven; /* keys of the set that have proven possession */
    const char *text; /* one phrase, "" unless BAD */
} wba_proof_t;

/*
 * Verifies each signature of the tag: it must cover "@authority";req and
 * content-digest, have created (not after now plus skew seconds), expires
 * (after now minus skew), keyid (the thumbprint of a key of set), and the
 * digest must be that of the body.  proven, of wba_keyset_count(set) bytes or
 * NULL, tells which keys did.  At most WBA_MAX_SIGNATURES are looked at.
 * WBA_OK with *out; WBA_NO_MEMORY.
 */
wba_status_t wba_proof_check(const wba_proof_answer_t *answer,
                             wba_keyset_t set, int64_t now, int64_t skew,
                             const wba_mem_t *mem, uint8_t *proven,
                             wba_proof_t *out);

#endif
