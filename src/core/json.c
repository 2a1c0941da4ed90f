/* SPDX-License-Identifier: BSD-2-Clause */
#include "json.h"

#include "wba_limits.h"

/* Brackets inside strings do not count. */
bool
wba_json_too_deep(wba_str_t json)
{
    size_t depth = 0;
    bool quoted = false;
    size_t i;

    for (i = 0; i < json.len; i++) {
        uint8_t c = json.data[i];

        if (c == '"') {
            quoted = !quoted;
        } else if (quoted) {
            i += c == '\\'; /* what it escapes is not looked at */
        } else if (c == '{' || c == '[') {
            if (++depth > WBA_MAX_JSON_DEPTH) {
                return true;
            }
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

/*
 * While wba_json_load runs: jansson's malloc, which has no place for a context,
 * and whether it has failed.  It is put back after each document: other modules
 * use the same jansson, and nginx unloads this one when its last configuration
 * is gone.
 */
static json_malloc_t inner_malloc;
static bool lost;

/*
 * Where its buffer for a token finds no memory to grow, jansson 2.14 drops a
 * byte and goes on: a member would be lost, or be another; and of a string that
 * lacks its closing quote it copies what follows in memory.  What it allocates
 * for the copy is asked for after that: once something has failed, all fails.
 */
static void *
watched_malloc(size_t size)
{
    void *p = lost ? NULL : inner_malloc(size);

    lost = p == NULL;
    return p;
}

/* jansson calls a syntax error what fails for want of memory. */
wba_status_t
wba_json_load(wba_str_t text, size_t flags, json_t **root,
              json_error_t *error)
{
    json_free_t inner_free;

    json_get_alloc_funcs(&inner_malloc, &inner_free);
    lost = false;
    json_set_alloc_funcs(watched_malloc, inner_free);
    *root = json_loadb((const char *) text.data, text.len, flags, error);
    json_set_alloc_funcs(inner_malloc, inner_free);

    if (lost) {
        json_decref(*root);
        *root = NULL;
        return WBA_NO_MEMORY;
    }
    return *root != NULL ? WBA_OK : WBA_INVALID;
}
