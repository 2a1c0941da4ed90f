/* SPDX-License-Identifier: BSD-2-Clause */
/* A private key: made, read from a file, written as a JWK, signing. */
#ifndef WBA_CLI_SIGNER_H
#define WBA_CLI_SIGNER_H

#include <sodium.h>

#include "evp_key.h"

/* Bytes of a signature at most. */
#define SIGNER_SIGNATURE EVP_KEY_SIGNATURE

/* To be ended by signer_clear, whatever signer_new or signer_read said. */
typedef struct {
    wba_key_type_t type;
    unsigned algs; /* mask of wba_alg_t: what it may sign with */
    char thumbprint[WBA_THUMBPRINT_TEXT_SIZE + 1];
    uint8_t secret[crypto_sign_SECRETKEYBYTES]; /* Ed25519 */
    EVP_PKEY *evp;                              /* the others */
} signer_t;

/* A new key for that algorithm, and its private JWK as text, which the caller
 * clears and frees; kid NULL: its thumbprint.  CLI_OK, or CLI_TROUBLE and it
 * has said why. */
int signer_new(signer_t *s, wba_alg_t alg, const char *kid, char **text);

/* The one private key in path, a JWK or a set of one.  CLI_OK, or CLI_TROUBLE
 * and it has said why. */
int signer_read(signer_t *s, const char *path);

void signer_clear(signer_t *s);

/* Signs base with one of s->algs; out has room for SIGNER_SIGNATURE bytes.
 * CLI_OK, or CLI_TROUBLE and it has said why. */
int signer_sign(const signer_t *s, wba_alg_t alg, wba_str_t base, uint8_t *out,
                size_t *len);

#endif
