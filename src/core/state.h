/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is kept of a directory over a restart, as bytes: a versioned record
 * with a checksum over everything.  Files are the host's.
 */
#ifndef WBA_STATE_H
#define WBA_STATE_H

#include "keyset.h"

typedef struct {
    uint64_t settings; /* hash of the settings under which the set was read */
    int64_t fetched;   /* when, seconds since the epoch */
    int64_t lifetime;  /* seconds from then on that it was fresh */
    wba_str_t url;
    wba_str_t etag;          /* as received; empty: none */
    wba_str_t last_modified; /* the same */
    wba_keyset_t set;
} wba_state_t;

/* The record's bytes, malloc'ed into *data, for the caller to free().  WBA_OK,
 * WBA_INVALID (a part too long for its record: 64 KB each of url, etag,
 * last_modified; a time that is negative or beyond the year 9999; set fails
 * wba_keyset_check), WBA_NO_MEMORY. */
wba_status_t wba_state_write(const wba_state_t *state, uint8_t **data,
                             size_t *size);

/* Views into bytes; the set has passed wba_keyset_check.  WBA_OK;
 * WBA_UNSUPPORTED (another version, or another machine's byte order);
 * WBA_INVALID: cut short, too long, damaged.  *why is a short phrase, "" for
 * WBA_OK; *state is all zero but for WBA_OK. */
wba_status_t wba_state_read(wba_str_t bytes, wba_state_t *state,
                            const char **why);

#endif
