/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a directory's answer means: from a finished fetch to a key set with its
 * freshness, or to a sentence that says what is wrong (PROTOCOL section 6).
 */
#ifndef WBA_DIRECTORY_H
#define WBA_DIRECTORY_H

#include "fetch.h"
#include "freshness.h"
#include "jwks.h"
#include "proof.h"

#define WBA_DIRECTORY_ACCEPT                                       \
    "application/http-message-signatures-directory+json, "        \
    "application/jwk-set+json, application/json"

/* Bytes of a validator that is kept to ask again with; a longer one is not
 * sent back. */
#define WBA_MAX_VALIDATOR 128

typedef struct {
    wba_jwks_options_t jwks; /* well_known also decides the media types */
    bool conditional;    /* validators were sent: a 304 answers */
    bool proof_required; /* keys that have not proven possession are dropped,
                            and none left is a failure; but a set that holds
                            none to begin with revokes without proof */
    const char *url;     /* that was asked, for the proof's @authority */
    int64_t now;         /* seconds since the epoch */
} wba_directory_options_t;

typedef struct {
    bool unchanged;   /* a 304 to our own conditional request: keep the set */
    wba_keyset_t set; /* else the keys; the caller frees set.data */
    size_t skipped;   /* entries of which no key came into set */
    wba_freshness_t freshness; /* filled in for every HTTP answer */
    wba_proof_t proof; /* of a 200 answer whose set could be read; else
                          ABSENT */
    char etag[WBA_MAX_VALIDATOR];          /* "": none */
    char last_modified[WBA_MAX_VALIDATOR]; /* "": none */
    char error[256]; /* why there is neither, printable ASCII; "" where there
                        is */
} wba_directory_answer_t;

/*
 * Reads the answer.  WBA_OK: answer->unchanged, or answer->set holds its keys,
 * the empty set included.  Otherwise answer->error says why, and what is held
 * already stays: WBA_INVALID, WBA_TOO_LARGE, WBA_NO_MEMORY.  Only status 200
 * answers, and 304 where options->conditional; at the well-known path only the
 * directory's own media type does.
 */
wba_status_t wba_directory_read(const wba_fetch_result_t *result,
                                const wba_directory_options_t *options,
                                wba_jwks_report_pt report, void *ctx,
                                wba_directory_answer_t *answer);

/*
 * Whether an answer to url is the one redirect that "redirect www" allows:
 * 301, 302, 307 or 308 to the same https URL with "www." put before its host
 * or taken away; Location absolute and alone.  Path and query are the same to
 * the byte; the default port may be left out; neither host is an address or
 * percent-encoded.  Writes that URL, as received, ended by NUL, into to (of
 * size bytes, or false).
 */
bool wba_directory_redirects(const wba_fetch_result_t *result, const char *url,
                             char *to, size_t size);

#endif
