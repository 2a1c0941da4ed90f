/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Queries of application/x-www-form-urlencoded, as @query-param reads them
 * (RFC 9421 section 2.2.8, the WHATWG URL standard's form parser).
 */
#ifndef WBA_FORM_H
#define WBA_FORM_H

#include "mem.h"

/* The next parameter of *query (without '?'; data may be NULL), which is
 * shortened by it; empty pieces are skipped.  *name and *value are as
 * received.  False when none is left. */
bool wba_form_next(wba_str_t *query, wba_str_t *name, wba_str_t *value);

/*
 * Appends a name or value as received to out in the one form that equal ones
 * share: decoded ('+', %XX, UTF-8 with U+FFFD for what is broken) and encoded
 * again, every byte but A-Z a-z 0-9 * - . _ as upper-case %XX.
 */
void wba_form_write(wba_buf_t *out, wba_str_t received);

/* Whether a name as received is, in that form, the one given. */
bool wba_form_name_is(wba_str_t received, wba_str_t name);

#endif
