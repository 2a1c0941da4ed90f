/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of wba_verify share: reading the fields (verify_read.c), who
 * may answer for a signature (verify_keys.c), whether it verifies
 * (verify_try.c), and the machine (verify.c).
 */
#ifndef WBA_VERIFY_PRIVATE_H
#define WBA_VERIFY_PRIVATE_H

#include "verify.h"

/* Fills in whom fact, at WBA_STAGE_READ, is attributed to.  OK, or what is
 * wrong whoever judges it. */
wba_reason_t wba_verify_attribute(wba_verify_t *v, wba_fact_t *fact);

/* Sets out v->key for fact, which is the current one and attributed. */
void wba_verify_ask(wba_verify_t *v, const wba_fact_t *fact);

/* A match's directory: of the configured ones, or discovery's. */
const wba_directory_t *wba_verify_directory(const wba_verify_t *v,
                                            unsigned directory);

/* Tries the keys offered for fact, which is attributed: it has verified, or
 * says why not. */
void wba_verify_try(wba_verify_t *v, wba_fact_t *fact, int64_t now);

/* What is recorded of fact where the key with that thumbprint, borrowed,
 * verifies it. */
wba_nonce_t wba_verify_nonce(const wba_fact_t *fact,
                             const uint8_t *thumbprint);

#endif
