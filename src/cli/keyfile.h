/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of JSON Web Keys: one JWK, or a JWK Set. */
#ifndef WBA_CLI_KEYFILE_H
#define WBA_CLI_KEYFILE_H

#include <jansson.h>
#include <sodium.h>

#include "jwk.h"

/* Reads path ("-": stdin) as a JWK or JWK Set: *keys is a new array of its
 * JWKs, of at least one, which the caller drops.  CLI_OK, or CLI_TROUBLE and it
 * has said why. */
int keyfile_read(const char *path, json_t **keys);

/* A public copy of one JWK (the caller drops it): the members that make the
 * key, kid, alg, nbf, exp and use "sig".  Whether the original may be used,
 * says jwk.  NULL: *why says what is wrong. */
json_t *keyfile_public(const json_t *private, wba_jwk_t *jwk,
                       const char **why);

/* The thumbprint of a public Ed25519 key as text, with a NUL behind it. */
void keyfile_thumbprint(const uint8_t pub[crypto_sign_PUBLICKEYBYTES],
                        char out[WBA_THUMBPRINT_TEXT_SIZE + 1]);

/* base64url without padding of 32 bytes, with a NUL behind it. */
#define KEYFILE_TEXT32 44
void keyfile_text32(const uint8_t bytes[32], char out[KEYFILE_TEXT32]);

#endif
