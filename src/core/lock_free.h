/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether an _Atomic uint64_t is lock-free, as it must be in memory that
 * processes share.  clang's ATOMIC_LLONG_LOCK_FREE tells of an object that
 * is aligned as a plain long long, which 32-bit x86 does to 4 bytes; an
 * _Atomic one is aligned to 8.
 */
#ifndef WBA_LOCK_FREE_H
#define WBA_LOCK_FREE_H

#include <stdatomic.h>
#include <stdint.h>

#if defined(__clang__)
#define WBA_ATOMIC_64_IS_LOCK_FREE \
    (__c11_atomic_is_lock_free(8) && _Alignof(_Atomic uint64_t) == 8)
#else
#define WBA_ATOMIC_64_IS_LOCK_FREE (ATOMIC_LLONG_LOCK_FREE == 2)
#endif

#endif
