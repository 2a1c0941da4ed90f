/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The objects that the Trusted Agent Protocol puts into a JSON body,
 * agenticConsumer and agenticPaymentContainer: each names the nonce and the
 * keyid of the request's signature.  Only that linkage is looked at, not the
 * signatures that the objects have of their own.
 *
 * A body is examined when its media type is JSON, or when it begins like an
 * object, whatever its type: a wrong type must not evade this.  Others pass.
 */
#ifndef WBA_BODY_LINK_H
#define WBA_BODY_LINK_H

#include "mem.h"

typedef enum {
    WBA_LINK_UNCHECKED,
    WBA_LINK_READ,       /* objects holds what is there, perhaps nothing */
    WBA_LINK_UNREADABLE, /* no JSON, a member twice, an object that is none, or
                            a content coding, under which nothing is seen */
    WBA_LINK_TOO_LARGE,  /* more than WBA_MAX_BODY_LINK bytes to examine */
    WBA_LINK_MISSING,    /* an object without nonce or kid */
    WBA_LINK_NO_BODY     /* it could not be read */
} wba_link_state_t;

/* What is known of a body.  A nonce or kid that is longer than a signature's
 * may be is empty here: it matches none. */
typedef struct {
    wba_link_state_t state;
    struct {
        wba_str_t nonce;
        wba_str_t kid;
    } objects[2];
    size_t count;
} wba_body_link_t;

/* A body on its way. */
typedef struct {
    wba_buf_t text; /* what is examined */
    bool json;      /* by its media type */
    bool coded;
    bool begun;     /* it has a byte that is not blank */
    bool examined;
} wba_body_link_reader_t;

/* Begins a body of that Content-Type and Content-Encoding (data NULL: none).
 * mem is borrowed; at most twice WBA_MAX_BODY_LINK bytes come from it. */
void wba_body_link_init(wba_body_link_reader_t *reader, const wba_mem_t *mem,
                        wba_str_t type, wba_str_t coding);

/* The next len bytes of the body. */
void wba_body_link_update(wba_body_link_reader_t *reader, const void *data,
                          size_t len);

/* What the whole body amounts to, with views from mem.  WBA_OK, or
 * WBA_NO_MEMORY. */
wba_status_t wba_body_link_final(wba_body_link_reader_t *reader,
                                 wba_body_link_t *link);

/* At WBA_LINK_READ: whether every object carries that nonce, which is not
 * empty, and that keyid. */
bool wba_body_link_matches(const wba_body_link_t *link, wba_str_t nonce,
                           wba_str_t keyid);

#endif
