/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the fuzz targets share: taking an input apart, memory of exact sizes
 * for ASan, and the end of a run whose property does not hold.
 *
 * A target is one file with LLVMFuzzerTestOneInput.  Its input begins with a
 * few bytes of settings, if it has any; the rest is text, in parts that an LF
 * or an octet 0xff ends, so that a dictionary and the fuzzer's splicing work
 * on it.  Whatever an input does must be the same when it is run again.
 */
#ifndef WBA_FUZZ_H
#define WBA_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include <sodium.h>

#include "crypto.h"
#include "mem.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* --- properties */

static inline _Noreturn void
fuzz_fail(const char *file, int line, const char *what)
{
    (void) fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

#define CHECK(what) \
    ((what) ? (void) 0 : fuzz_fail(__FILE__, __LINE__, #what))

static inline void
fuzz_show(const char *name, wba_str_t s)
{
    size_t i;

    (void) fprintf(stderr, "  %s: ", name);
    for (i = 0; i < s.len; i++) {
        (void) fprintf(stderr,
                       s.data[i] >= 0x20 && s.data[i] < 0x7f ? "%c" : "\\x%02x",
                       s.data[i]);
    }
    (void) fputc('\n', stderr);
}

#define CHECK_SAME(a, b)                              \
    do {                                              \
        wba_str_t a_ = (a), b_ = (b);                 \
        if (!wba_str_eq(a_, b_)) {                    \
            fuzz_show(#a, a_);                        \
            fuzz_show(#b, b_);                        \
            CHECK(!"the same");                       \
        }                                             \
    } while (0)

/* Whether part is absent, empty, or lies in whole. */
static inline bool
fuzz_within(wba_str_t part, wba_str_t whole)
{
    return part.len == 0
           || (part.data >= whole.data
               && part.data + part.len <= whole.data + whole.len);
}

/* --- randomness: the same in each run */

static uint64_t fuzz_seed;

static inline uint32_t
fuzz_random(void)
{
    fuzz_seed = fuzz_seed * UINT64_C(6364136223846793005)
                + UINT64_C(1442695040888963407);
    return (uint32_t) (fuzz_seed >> 33);
}

static inline const char *
fuzz_random_name(void)
{
    return "fuzz";
}

static inline void
fuzz_random_buf(void *const buf, const size_t size)
{
    size_t i;

    for (i = 0; i < size; i++) {
        ((uint8_t *) buf)[i] = (uint8_t) fuzz_random();
    }
}

/* libsodium's own would make each run another. */
static inline void
fuzz_begin(void)
{
    static randombytes_implementation source = {
        .implementation_name = fuzz_random_name,
        .random = fuzz_random,
        .buf = fuzz_random_buf,
    };

    randombytes_set_implementation(&source);
    CHECK(wba_crypto_init() == WBA_OK);
}

/* --- taking the input apart */

typedef wba_str_t fuzz_in_t;

static inline uint8_t
fuzz_byte(fuzz_in_t *in)
{
    if (in->len == 0) {
        return 0;
    }
    in->len--;
    return *in->data++;
}

/* n bytes, little-endian. */
static inline uint64_t
fuzz_number(fuzz_in_t *in, unsigned n)
{
    uint64_t value = 0;
    unsigned i;

    for (i = 0; i < n; i++) {
        value |= (uint64_t) fuzz_byte(in) << (8 * i);
    }
    return value;
}

/* Below n, which is at most 256. */
static inline unsigned
fuzz_below(fuzz_in_t *in, unsigned n)
{
    return fuzz_byte(in) % n;
}

/* Any int64_t, small ones and extremes among them. */
static inline int64_t
fuzz_int64(fuzz_in_t *in)
{
    static const int64_t known[] = {
        0, 1, -1, INT64_MAX, INT64_MIN, INT64_MAX - 300, INT64_MIN + 300,
        INT64_C(1700000000), INT64_C(253402300799), INT64_C(999999999999999),
        UINT32_MAX, INT32_MAX,
    };
    unsigned how = fuzz_byte(in);

    if (how < 64) {
        return (int64_t) ((uint64_t) known[how % COUNT(known)]
                          + (uint64_t) (int8_t) fuzz_byte(in));
    }
    if (how < 160) {
        return INT64_C(1700000000) + (int32_t) fuzz_number(in, 4) / 1024;
    }
    return (int64_t) fuzz_number(in, how < 224 ? 4 : 8);
}

/* At most n bytes. */
static inline wba_str_t
fuzz_take(fuzz_in_t *in, size_t n)
{
    wba_str_t part = wba_str(in->data, n < in->len ? n : in->len);

    in->data += part.len;
    in->len -= part.len;
    return part;
}

/* What stands before the next end byte, which is taken away; else all. */
static inline wba_str_t
fuzz_until(fuzz_in_t *in, uint8_t end)
{
    const uint8_t *at = in->len ? memchr(in->data, end, in->len) : NULL;
    wba_str_t part = fuzz_take(in, at ? (size_t) (at - in->data) : in->len);

    (void) fuzz_byte(in);
    return part;
}

#define FUZZ_PART 0xff

/* --- memory */

/* Each allocation is a malloc of its own, so that ASan sees what is read or
 * written beyond it.  fail_at: that one fails, from 1, and with onward all
 * behind it. */
typedef struct {
    wba_mem_t mem;
    void **blocks;
    size_t count;
    size_t cap;
    size_t bytes;
    size_t fail_at;
    size_t asked;
    bool onward;
} fuzz_mem_t;

static inline void *
fuzz_mem_alloc(void *ctx, size_t size)
{
    fuzz_mem_t *m = ctx;
    void *block;

    m->asked++;
    if (m->fail_at && (m->asked == m->fail_at
                       || (m->onward && m->asked > m->fail_at)))
    {
        return NULL;
    }
    if (m->count == m->cap) {
        m->cap = m->cap ? 2 * m->cap : 64;
        m->blocks = realloc(m->blocks, m->cap * sizeof(*m->blocks));
        CHECK(m->blocks != NULL);
    }
    block = malloc(size ? size : 1);
    CHECK(block != NULL);
    m->blocks[m->count++] = block;
    m->bytes += size;
    return block;
}

static inline void
fuzz_mem_init(fuzz_mem_t *m)
{
    memset(m, 0, sizeof(*m));
    m->mem.alloc = fuzz_mem_alloc;
    m->mem.ctx = m;
}

static inline void
fuzz_mem_free(fuzz_mem_t *m)
{
    size_t i;

    for (i = 0; i < m->count; i++) {
        free(m->blocks[i]);
    }
    free(m->blocks);
    fuzz_mem_init(m);
}

/* A copy of its exact size. */
static inline wba_str_t
fuzz_copy(fuzz_mem_t *m, wba_str_t s)
{
    uint8_t *copy = malloc(s.len ? s.len : 1);
    size_t fail_at = m->fail_at;
    void *place;

    CHECK(copy != NULL);
    if (s.len) {
        memcpy(copy, s.data, s.len);
    }
    m->fail_at = 0;
    place = fuzz_mem_alloc(m, 0);
    m->asked--;
    m->fail_at = fail_at;
    free(place);
    m->blocks[m->count - 1] = copy;
    return wba_str(copy, s.len);
}

/* The same, ended by NUL; what stands behind a NUL in s is not. */
static inline const char *
fuzz_text(fuzz_mem_t *m, wba_str_t s)
{
    const uint8_t *nul = s.len ? memchr(s.data, '\0', s.len) : NULL;
    size_t len = nul != NULL ? (size_t) (nul - s.data) : s.len;
    uint8_t *copy;

    copy = (uint8_t *) (uintptr_t) fuzz_copy(m, wba_str(s.data, len)).data;
    copy = realloc(copy, len + 1);
    CHECK(copy != NULL);
    copy[len] = '\0';
    m->blocks[m->count - 1] = copy;
    return (const char *) copy;
}

#endif
