/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accept-Signature (RFC 9421 section 5): what a request must sign to be let
 * into a location.
 */
#ifndef WBA_ACCEPT_H
#define WBA_ACCEPT_H

#include "verify.h"

/* Members, and bytes of the field, at most: clients bound what they read of a
 * response, and a shop has a handful of directories.  Those that come first in
 * the configuration count. */
#define WBA_MAX_ACCEPT_MEMBERS 16
#define WBA_MAX_ACCEPT 4096

typedef struct {
    wba_str_t text; /* the field; empty: nobody could be let in */
    size_t members;
    size_t nonces[WBA_MAX_ACCEPT_MEMBERS]; /* offsets in text where the
                                              nonce's WBA_CHALLENGE_SIZE
                                              characters belong */
    size_t nnonces; /* members, where policy->challenge is set; else 0 */
} wba_accept_t;

/*
 * One member for each directory's tag (configured ones in order, then
 * discovery's) of which the rules might let some signer in, unless an earlier
 * member asks the same.  Its list is what wba_judge_claims,
 * wba_judge_directory and the choice of keys will ask to be covered, no more;
 * where a Signature-Agent must be, it is the member under the same label.
 * created, expires, nonce (with policy->challenge) and tag are asked for; alg
 * and keyid are left to the signer.  RFC 9421 knows no way to ask for a nonce
 * that the signer makes up: a nonce parameter is the nonce to be used.
 *
 * text is from mem.  WBA_OK, WBA_NO_MEMORY.
 */
wba_status_t wba_accept_write(const wba_env_t *env, const wba_policy_t *policy,
                              const wba_mem_t *mem, wba_accept_t *out);

/* text with nonce in each place, into out of text.len bytes. */
void wba_accept_fill(const wba_accept_t *accept,
                     const uint8_t nonce[WBA_CHALLENGE_SIZE], uint8_t *out);

/* Whether a refusal for that reason is one that signing (anew) would mend:
 * unsigned, replayed and, with policy->challenge, a nonce that was not made
 * here or has ended, or none. */
bool wba_accept_helps(const wba_policy_t *policy, wba_reason_t reason);

#endif
