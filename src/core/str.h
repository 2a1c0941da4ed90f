/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Views into somebody else's bytes, and the status every core function
 * returns.  Nothing here allocates.
 */
#ifndef WBA_STR_H
#define WBA_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef enum {
    WBA_OK = 0,
    WBA_END,         /* nothing further; not an error */
    WBA_INVALID,     /* the input breaks its grammar or a rule */
    WBA_TOO_LARGE,   /* the input is longer or more than a stated bound */
    WBA_NOT_FOUND,   /* well formed, but what was asked for is not there */
    WBA_UNSUPPORTED, /* well formed, but of a kind that is not handled */
    WBA_NO_MEMORY
} wba_status_t;

/* A view: never owned, never NUL-terminated.  data may be NULL when len is 0;
 * where "absent" and "empty" differ, data == NULL means absent. */
typedef struct {
    size_t len;
    const uint8_t *data;
} wba_str_t;

#define WBA_STR(literal) \
    ((wba_str_t) { sizeof(literal) - 1, (const uint8_t *) (literal) })
#define WBA_STR_NONE ((wba_str_t) { 0, NULL })

static inline wba_str_t
wba_str(const void *data, size_t len)
{
    wba_str_t s = { len, (const uint8_t *) data };
    return s;
}

static inline wba_str_t
wba_str_z(const char *z)
{
    return wba_str(z, z == NULL ? 0 : strlen(z));
}

static inline bool
wba_str_eq(wba_str_t a, wba_str_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline uint8_t
wba_lower(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') ? (uint8_t) (c | 0x20) : c;
}

/* The value of a hexadecimal digit of either case; -1: it is none. */
static inline int
wba_hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = wba_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* ASCII case is ignored; every other byte must be the same. */
static inline bool
wba_str_eq_nocase(wba_str_t a, wba_str_t b)
{
    size_t i;

    if (a.len != b.len) {
        return false;
    }
    for (i = 0; i < a.len; i++) {
        if (wba_lower(a.data[i]) != wba_lower(b.data[i])) {
            return false;
        }
    }
    return true;
}

/* The view without SP and HTAB at its ends (OWS of RFC 9110 5.6.3). */
static inline wba_str_t
wba_str_trim(wba_str_t s)
{
    while (s.len && (s.data[0] == ' ' || s.data[0] == '\t')) {
        s.data++;
        s.len--;
    }
    while (s.len && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t')) {
        s.len--;
    }
    return s;
}

#endif
