/* SPDX-License-Identifier: BSD-2-Clause */
/* How many nonces there are at a time: what a table is sized by. */
#ifndef WBA_SIZING_H
#define WBA_SIZING_H

#include "judge.h"

/*
 * Seconds for which a nonce may have to be remembered that a directory's
 * signature brings into a location: the shorter of the two lifetimes, and
 * WBA_MAX_SKEW.  Where neither asks for a nonce of the signer's own, at most
 * WBA_STATIC_LIFETIME of it: what lives longer is sent again and again, hence
 * has none.
 */
int64_t wba_sizing_seconds(const wba_directory_t *directory,
                           const wba_policy_t *policy);

/* Nonces that live at a time where so many requests a minute bring one, each
 * for so many seconds; rounded up, UINT64_MAX: more than that is. */
uint64_t wba_sizing_nonces(uint64_t per_minute, int64_t seconds);

/* Requests a minute for which so many nonces are enough; rounded down. */
uint64_t wba_sizing_per_minute(uint64_t nonces, int64_t seconds);

#endif
