/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parser of bare items (sf_bare.c), that of everything made of them
 * (sf.c) and the serialiser (sf_write.c) share.
 *
 * The functions that end in _parse and take a cursor advance it past what
 * they read; after a failure its position means nothing.
 */
#ifndef WBA_SF_PRIVATE_H
#define WBA_SF_PRIVATE_H

#include "sf.h"

/* Character classes of RFC 9651, one bit each. */
enum {
    WBA_SF_KEY_START = 0x01,
    WBA_SF_KEY = 0x02,
    WBA_SF_TOKEN_START = 0x04,
    WBA_SF_TOKEN_CHAR = 0x08,
    WBA_SF_DIGIT = 0x10,
    WBA_SF_BASE64 = 0x20,      /* '=' apart */
    WBA_SF_STRING_CHAR = 0x40, /* stands for itself in a String */
    WBA_SF_DISPLAY_CHAR = 0x80 /* stands for itself in a Display String */
};

extern const uint8_t wba_sf_classes[256];

static inline bool
wba_sf_is(uint8_t c, unsigned classes)
{
    return (wba_sf_classes[c] & classes) != 0;
}

/* The number of bytes at the start of s that are of one of the classes. */
static inline size_t
wba_sf_span(wba_str_t s, unsigned classes)
{
    size_t n = 0;

    while (n < s.len && wba_sf_is(s.data[n], classes)) {
        n++;
    }
    return n;
}

/* The value of a lower-case hexadecimal digit, -1 for anything else. */
static inline int
wba_sf_hex(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* UTF-8 (RFC 3629), a byte at a time; all zero at first. */
typedef struct {
    unsigned need; /* bytes still due; 0: between characters */
    uint8_t low;   /* bounds of the next of them */
    uint8_t high;
} wba_sf_utf8_t;

/* False when byte cannot follow what came before. */
bool wba_sf_utf8_step(wba_sf_utf8_t *state, uint8_t byte);

static inline bool
wba_sf_at(const wba_sf_iter_t *c, uint8_t byte)
{
    return c->pos != c->end && *c->pos == byte;
}

static inline void
wba_sf_skip_sp(wba_sf_iter_t *c)
{
    while (c->pos != c->end && *c->pos == ' ') {
        c->pos++;
    }
}

static inline wba_str_t
wba_sf_since(const wba_sf_iter_t *c, const uint8_t *start)
{
    return wba_str(start, (size_t) (c->pos - start));
}

/* Advances past all bytes of a class and returns them. */
static inline wba_str_t
wba_sf_run(wba_sf_iter_t *c, unsigned classes)
{
    const uint8_t *start = c->pos, *p = start, *end = c->end;

    while (p != end && wba_sf_is(*p, classes)) {
        p++;
    }
    c->pos = p;
    return wba_str(start, (size_t) (p - start));
}

/* A bare item (section 4.2.3.1).  Resets value; its raw is the item. */
wba_status_t wba_sf_bare_parse(wba_sf_iter_t *c, wba_sf_value_t *value);

#endif
