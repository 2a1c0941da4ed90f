/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * OpenSSL 3 makes its algorithms when the first of their kind is asked for,
 * all of the kind, once in a process.  One that had no memory then is missing
 * ever after.
 */
#include "crypto_evp.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#if OPENSSL_VERSION_NUMBER >= 0x30000000L

#include <openssl/decoder.h>
#include <openssl/encoder.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

/* One of each kind: asks for it, and gives it back.  A libcrypto that was
 * configured to lack it is no failure. */
#define ASK(kind, name) kind##_free(kind##_fetch(NULL, name, NULL))

static void
ask_for_all(void)
{
    (void) RAND_status(); /* TLS's randomness is kept as well */

    ASK(EVP_MD, "SHA2-256");
    ASK(EVP_CIPHER, "AES-128-GCM");
    ASK(EVP_MAC, "HMAC");
    ASK(EVP_KDF, "HKDF");
    ASK(EVP_RAND, "CTR-DRBG");
    ASK(EVP_KEYMGMT, "EC");
    ASK(EVP_KEYEXCH, "ECDH");
    ASK(EVP_SIGNATURE, "ECDSA");
    ASK(EVP_ASYM_CIPHER, "RSA");
    ASK(EVP_KEM, "RSA");
    ASK(OSSL_DECODER, "EC");
    ASK(OSSL_ENCODER, "EC");
}

wba_status_t
wba_crypto_prefetch(void)
{
    bool clean = wba_evp_mark_errors();

    ask_for_all();
    return wba_evp_forget_errors(clean) ? WBA_NO_MEMORY : WBA_OK;
}

#else

wba_status_t
wba_crypto_prefetch(void)
{
    return WBA_OK;
}

#endif
