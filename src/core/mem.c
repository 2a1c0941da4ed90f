/* SPDX-License-Identifier: BSD-2-Clause */
#include "mem.h"

#include <stdalign.h>

#define BUF_FIRST 256 /* most values that are copied fit at once */

static void *
arena_alloc(void *ctx, size_t size)
{
    wba_arena_t *arena = ctx;
    size_t align = alignof(max_align_t);
    uintptr_t base = (uintptr_t) arena->data;
    size_t at = (size_t) (((base + arena->used + align - 1) & ~(align - 1))
                          - base);

    if (at > arena->size || size > arena->size - at) {
        return NULL;
    }
    arena->used = at + size;
    return arena->data + at;
}

void
wba_arena_init(wba_arena_t *arena, void *block, size_t size)
{
    arena->data = block;
    arena->size = size;
    arena->used = 0;
}

wba_mem_t
wba_arena_mem(wba_arena_t *arena)
{
    wba_mem_t mem = { arena_alloc, arena };

    return mem;
}

wba_str_t
wba_str_copy(const wba_mem_t *mem, wba_str_t s)
{
    uint8_t *copy;

    if (s.len == 0) {
        return WBA_STR("");
    }
    copy = wba_alloc(mem, s.len);
    if (copy == NULL) {
        return WBA_STR_NONE;
    }
    memcpy(copy, s.data, s.len);
    return wba_str(copy, s.len);
}

void
wba_buf_init(wba_buf_t *buf, const wba_mem_t *mem, size_t max)
{
    memset(buf, 0, sizeof(*buf));
    buf->mem = mem;
    buf->max = max;
}

void
wba_buf_fixed(wba_buf_t *buf, void *block, size_t size)
{
    memset(buf, 0, sizeof(*buf));
    buf->data = block;
    buf->cap = size;
    buf->max = size;
}

bool
wba_buf_reserve(wba_buf_t *buf, size_t more)
{
    size_t cap;
    uint8_t *data;

    if (buf->status != WBA_OK) {
        return false;
    }
    if (more <= buf->cap - buf->len) {
        return true;
    }
    if (buf->mem == NULL || more > buf->max - buf->len) {
        buf->status = WBA_TOO_LARGE;
        return false;
    }
    cap = buf->cap ? buf->cap : BUF_FIRST;
    while (cap < buf->len + more) {
        cap *= 2;
    }
    if (cap > buf->max) {
        cap = buf->max;
    }
    data = wba_alloc(buf->mem, cap);
    if (data == NULL) {
        buf->status = WBA_NO_MEMORY;
        return false;
    }
    if (buf->len) {
        memcpy(data, buf->data, buf->len);
    }
    buf->data = data;
    buf->cap = cap;
    return true;
}
