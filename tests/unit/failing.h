/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests: memory that can be made to fail, once. */
#ifndef WBA_TEST_FAILING_H
#define WBA_TEST_FAILING_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int memory_left = -1; /* allocations until one fails; -1: no end */

static inline bool
memory_fails(void)
{
    return memory_left >= 0 && memory_left-- == 0;
}

static inline void *
fail_malloc(size_t size)
{
    return memory_fails() ? NULL : malloc(size);
}

static inline void *
fail_calloc(size_t n, size_t size)
{
    return memory_fails() ? NULL : calloc(n, size);
}

static inline void *
fail_realloc(void *p, size_t size)
{
    return memory_fails() ? NULL : realloc(p, size);
}

static inline char *
fail_strdup(const char *s)
{
    return memory_fails() ? NULL : strdup(s);
}

#endif
