/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where core's memory comes from: a hook of the caller's (a request's pool in
 * nginx, a fixed arena in the tool, the tests and the fuzzers), and a byte
 * buffer with a stated maximum on top of it.  Nothing is ever freed one by
 * one; what a hook hands out lives until its owner drops all of it.
 */
#ifndef WBA_MEM_H
#define WBA_MEM_H

#include "str.h"

/* alloc returns size bytes aligned for any object, or NULL. */
typedef struct {
    void *(*alloc)(void *ctx, size_t size);
    void *ctx;
} wba_mem_t;

static inline void *
wba_alloc(const wba_mem_t *mem, size_t size)
{
    return mem->alloc(mem->ctx, size);
}

/* A bump allocator over one block that the caller owns. */
typedef struct {
    uint8_t *data;
    size_t size;
    size_t used;
} wba_arena_t;

void wba_arena_init(wba_arena_t *arena, void *block, size_t size);

/* The hook over an arena; the arena must outlive it. */
wba_mem_t wba_arena_mem(wba_arena_t *arena);

/* Copies s; data is NULL when memory ran out (never for an empty s). */
wba_str_t wba_str_copy(const wba_mem_t *mem, wba_str_t s);

/*
 * A growable byte buffer.  It grows by doubling through mem, never beyond max
 * bytes.  The first failure sticks in status (WBA_TOO_LARGE or
 * WBA_NO_MEMORY), and later appends do nothing: append without checking and
 * look at status once, at the end.
 */
typedef struct {
    uint8_t *data;
    size_t len;
    size_t cap;
    size_t max;
    const wba_mem_t *mem; /* NULL: never grow beyond what it began with */
    wba_status_t status;
} wba_buf_t;

/* An empty buffer that will take at most max bytes from mem. */
void wba_buf_init(wba_buf_t *buf, const wba_mem_t *mem, size_t max);

/* A buffer over a block of the caller's that never grows. */
void wba_buf_fixed(wba_buf_t *buf, void *block, size_t size);

/* Makes room for more bytes; false when there can be none, or status holds an
 * error already. */
bool wba_buf_reserve(wba_buf_t *buf, size_t more);

static inline void
wba_buf_add(wba_buf_t *buf, const void *data, size_t len)
{
    if (len != 0
        && ((buf->status == WBA_OK && len <= buf->cap - buf->len)
            || wba_buf_reserve(buf, len)))
    {
        memcpy(buf->data + buf->len, data, len);
        buf->len += len;
    }
}

static inline void
wba_buf_byte(wba_buf_t *buf, uint8_t byte)
{
    wba_buf_add(buf, &byte, 1);
}

static inline void
wba_buf_str(wba_buf_t *buf, wba_str_t s)
{
    wba_buf_add(buf, s.data, s.len);
}

#define wba_buf_lit(buf, literal) \
    wba_buf_add((buf), (literal), sizeof(literal) - 1)

static inline wba_str_t
wba_buf_view(const wba_buf_t *buf)
{
    return wba_str(buf->data, buf->len);
}

#endif
