/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a directory's answer means: from a finished fetch to a key set, or to a
 * sentence that says what is wrong (PROTOCOL section 6).
 */
#ifndef WBA_DIRECTORY_H
#define WBA_DIRECTORY_H

#include "fetch.h"
#include "jwks.h"

#define WBA_DIRECTORY_ACCEPT                                       \
    "application/http-message-signatures-directory+json, "        \
    "application/jwk-set+json, application/json"

/*
 * Reads the answer.  WBA_OK: set holds its keys (caller frees set->data with
 * free()), the empty set included.  Otherwise error (of size bytes, ends in
 * NUL, printable ASCII) says why, and what is held already stays: WBA_INVALID,
 * WBA_TOO_LARGE, WBA_NO_MEMORY.  Only status 200 answers; at the well-known
 * path (options->well_known) only the directory's own media type does.
 */
wba_status_t wba_directory_read(const wba_fetch_result_t *result,
                                const wba_jwks_options_t *options,
                                wba_jwks_report_pt report, void *ctx,
                                wba_keyset_t *set, char *error, size_t size);

#endif
