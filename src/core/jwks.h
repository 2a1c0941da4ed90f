/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JWK Sets (RFC 7517, 8037) to key sets, entry by entry: one bad entry costs
 * that entry, and the report says what is wrong with it.  Not for the request
 * path: jansson and malloc.
 */
#ifndef WBA_JWKS_H
#define WBA_JWKS_H

#include "jwk.h"
#include "keyset.h"
#include "wba_limits.h"

typedef struct {
    size_t max_size;  /* bytes of JSON; 0: WBA_MAX_JWKS */
    size_t max_keys;  /* 0: WBA_MAX_KEYS */
    bool well_known;  /* read at the well-known path: a kid that is not the
                         thumbprint is dropped, the key kept, with a warning */
    bool test_keys;   /* take the RFC 9421 test keys */
    unsigned algorithms; /* mask of wba_alg_t: a key that can be used with none
                            of them is skipped; 0: every key is taken */
    bool bare_jwk;    /* lenient bare-jwk: one JWK instead of a set */
} wba_jwks_options_t;

typedef enum {
    WBA_JWKS_TAKEN,   /* usable, nothing to say */
    WBA_JWKS_WARNING, /* usable, with a remark */
    WBA_JWKS_SKIPPED, /* not usable */
    WBA_JWKS_ALERT    /* not usable, and somebody should act: private key
                         published, or a public test key */
} wba_jwks_severity_t;

/* The text of an entry that options->algorithms skips. */
#define WBA_JWKS_OTHER_ALGORITHM "for an algorithm that is not used here"

/* What became of one entry.  The views live during the call only.  A key that
 * an earlier entry holds already is SKIPPED; a kid that it holds already is a
 * WARNING.  kid is a stranger's bytes, of any length. */
typedef struct {
    size_t index;                  /* in "keys", from 0 */
    wba_jwks_severity_t severity;
    wba_str_t kid;                 /* as published; data NULL: none */
    const uint8_t *thumbprint;     /* NULL where none could be computed */
    const wba_key_t *key;          /* NULL for SKIPPED and ALERT */
    const char *text;              /* "" for TAKEN, else what is wrong */
} wba_jwks_note_t;

typedef void (*wba_jwks_report_pt)(void *ctx, const wba_jwks_note_t *note);

typedef struct {
    size_t entries; /* members of "keys" */
    size_t usable;
    size_t compromised; /* keys that might be in use, were it not that their
                           private half is published */
    char error[160]; /* what is wrong with the document as a whole */
} wba_jwks_summary_t;

/*
 * Parses a JWK Set.  WBA_OK: set holds every usable key (caller frees
 * set->data): none for {"keys":[]}, nor where no entry is usable and one is
 * compromised, since whoever goes on with the keys held before would go on with
 * one that everybody has.  WBA_INVALID: not JSON, duplicate members, no "keys"
 * array, or entries of which none is usable for other reasons.  WBA_TOO_LARGE: a bound
 * of options or WBA_MAX_JSON_DEPTH.  WBA_NO_MEMORY.  report may be NULL.
 * Does not look at nbf and exp against the time: that is done at each use.
 */
wba_status_t wba_jwks_parse(wba_str_t json, const wba_jwks_options_t *options,
                            wba_jwks_report_pt report, void *ctx,
                            wba_keyset_t *set, wba_jwks_summary_t *summary);

#endif
