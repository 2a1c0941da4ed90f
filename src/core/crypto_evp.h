/* SPDX-License-Identifier: BSD-2-Clause */
/* The algorithms that libcrypto verifies; for crypto.c's table alone. */
#ifndef WBA_CRYPTO_EVP_H
#define WBA_CRYPTO_EVP_H

#include "crypto.h"

/*
 * As wba_crypto_verify, for a key whose type is the algorithm's.  Nothing is
 * kept between calls; libcrypto takes its memory from malloc and has given it
 * back on return.  Its queue of errors is as it was before: a stale entry
 * would be mistaken for one of the TLS connection served next.
 *
 * WBA_NO_MEMORY: libcrypto says that it ran out of memory.  Anything else that
 * it does not like is WBA_INVALID, a P-256 point that is not on the curve among
 * it, and a few of its allocations whose failure it does not tell apart.
 */
wba_status_t wba_evp_verify_p256(const wba_key_t *key, wba_str_t signature,
                                 wba_str_t base);
wba_status_t wba_evp_verify_pss_sha512(const wba_key_t *key,
                                       wba_str_t signature, wba_str_t base);
wba_status_t wba_evp_verify_pss_sha256(const wba_key_t *key,
                                       wba_str_t signature, wba_str_t base);

/* Around calls of libcrypto, whose errors since wba_evp_mark_errors() the other
 * takes away.  It is given what the first one returned, and answers whether
 * memory ran out. */
bool wba_evp_mark_errors(void);
bool wba_evp_forget_errors(bool clean);

#endif
