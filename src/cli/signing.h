/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes a signed request: its text, its signature base by the same code that
 * verifies, and the fields that signing adds. */
#ifndef WBA_CLI_SIGNING_H
#define WBA_CLI_SIGNING_H

#include "profile.h"
#include "rawmsg.h"
#include "signer.h"
#include "uri.h"

/* Fields of a request beside those that are added here. */
#define SIGNING_MAX_HEADERS (WBA_MAX_RAW_LINES - 16)

/* What is to be signed, and how.  Everything is borrowed. */
typedef struct {
    const signer_t *key;
    wba_alg_t sign_with; /* one of key->algs */
    const char *method;
    const char *url;
    const char *headers[SIGNING_MAX_HEADERS]; /* "Name: value" */
    size_t nheaders;
    bool has_body;
    wba_str_t body;

    const wba_profile_t *profile;
    const char *components[WBA_MAX_COMPONENTS];
    size_t ncomponents; /* 0: what the profile asks */
    const char *agent;  /* NULL: none */
    bool agent_string;  /* the legacy form */

    const char *label;
    const char *tag;
    const char *nonce; /* NULL: none */
    const char *keyid;
    const char *alg; /* that is stated; NULL: none */
    int64_t created;
    int64_t expires;
} signing_t;

/* Values of the fields that were added; data NULL: that one was not. */
typedef struct {
    wba_uri_t uri;
    wba_str_t head; /* request line and fields, the signature's not among
                       them, each with its CRLF */
    wba_str_t agent;
    wba_str_t digest;
    wba_str_t input;
    wba_str_t signature;
} signing_result_t;

/* CLI_OK, or CLI_TROUBLE and it has said why.  What out shows is in mem. */
int signing_make(const signing_t *s, const wba_mem_t *mem,
                 signing_result_t *out);

/* Whether one of the headers asked for has this lower-case name. */
bool signing_has_header(const signing_t *s, const char *name);

#endif
