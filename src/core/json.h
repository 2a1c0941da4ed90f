/* SPDX-License-Identifier: BSD-2-Clause */
/* A stranger's JSON: what is looked at before jansson reads it, and reading it
 * whole or not at all. */
#ifndef WBA_JSON_H
#define WBA_JSON_H

#include "str.h"

#include <jansson.h>

/* Whether arrays and objects nest deeper than WBA_MAX_JSON_DEPTH: jansson
 * recurses and allocates, this looks at the text alone.  The text need not be
 * JSON. */
bool wba_json_too_deep(wba_str_t json);

/*
 * json_loadb(), with its flags, but never a document that lacks something for
 * want of memory.  WBA_OK: *root is the caller's, to be given to json_decref.
 * WBA_INVALID: *root is NULL and error says why.  WBA_NO_MEMORY: *root is NULL
 * and error means nothing.  jansson's memory functions are other ones
 * meanwhile: not for two threads at a time.
 */
wba_status_t wba_json_load(wba_str_t text, size_t flags, json_t **root,
                           json_error_t *error);

#endif
