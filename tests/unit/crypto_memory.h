/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests: libcrypto's memory, which can be made to fail. */
#ifndef WBA_TEST_CRYPTO_MEMORY_H
#define WBA_TEST_CRYPTO_MEMORY_H

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

static long crypto_blocks;   /* that are out */
static long crypto_fails_at; /* this allocation fails, from 1; 0: none */
static long crypto_requests;

static inline bool
crypto_refused(void)
{
    if (++crypto_requests != crypto_fails_at) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

static inline void *
crypto_take(size_t size, const char *file, int line)
{
    void *p = crypto_refused() ? NULL : malloc(size);

    (void) file;
    (void) line;
    crypto_blocks += p != NULL;
    return p;
}

static inline void *
crypto_resize(void *old, size_t size, const char *file, int line)
{
    void *p = crypto_refused() ? NULL : realloc(old, size);

    (void) file;
    (void) line;
    crypto_blocks += p != NULL && old == NULL;
    return p;
}

static inline void
crypto_give(void *p, const char *file, int line)
{
    (void) file;
    (void) line;
    crypto_blocks -= p != NULL;
    free(p);
}

/* Before anything else is asked of libcrypto. */
static inline bool
crypto_memory_begin(void)
{
    return CRYPTO_set_mem_functions(crypto_take, crypto_resize, crypto_give)
           == 1;
}

/* Calls fn with each allocation failing in turn, until it needs no more; how
 * many it did need. */
static inline long
crypto_starve(void (*fn)(void *ctx), void *ctx)
{
    long n;

    fn(ctx); /* what is made once, is made */
    for (n = 1;; n++) {
#if OPENSSL_VERSION_NUMBER >= 0x30600000L
        /* What the thread needs is made first: 3.6.5 loses part of it for ever
         * where memory runs out meanwhile. */
        (void) ERR_peek_error();
#endif
        crypto_requests = 0;
        crypto_fails_at = n;
        fn(ctx);
        crypto_fails_at = 0;
        if (crypto_requests < n) {
            return n - 1;
        }
    }
}

#endif
