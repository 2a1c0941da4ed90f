/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts of the load generator: requests as fields, what is signed and by
 * whom (load_request.c), and how they look on a connection, in HTTP/1.1 and in
 * HTTP/2 (load_frames.c).
 */
#ifndef LOAD_H
#define LOAD_H

#include <openssl/evp.h>
#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jwk.h"

#define LOAD_HOST "shop.example"
#define LOAD_HEAD 2048 /* bytes of a request's head at most */

/* Nonces that fill.c puts into a table and kind "used" sends again. */
#define LOAD_NONCE_TEXT 25

typedef struct {
    const char *name; /* lower case */
    char value[700];
} load_field_t;

typedef struct {
    const char *method;
    const char *path;
    load_field_t fields[12];
    size_t nfields;
    size_t base_size; /* of the signature base; 0: not signed */
} load_request_t;

typedef struct {
    uint8_t pk[crypto_sign_PUBLICKEYBYTES];
    uint8_t sk[crypto_sign_SECRETKEYBYTES];
    char keyid[WBA_THUMBPRINT_TEXT_SIZE + 1];
} load_identity_t;

/* What a request is to be. */
typedef struct {
    const char *kind; /* load_kinds() names them */
    const char *path;
    load_identity_t id;       /* of the signer */
    load_identity_t stranger; /* one that no directory knows */
    EVP_PKEY *pem;            /* of kinds rsa and ecdsa, else NULL */
    char pem_keyid[128];
    const uint8_t *body; /* of kind digest and post; NULL: none */
    size_t body_size;
    long now;
} load_order_t;

/* Ends the process where hex is not a seed of 64 digits. */
void load_identity(load_identity_t *id, const char *hex);

/* The stranger of that seed: another key. */
void load_stranger(load_identity_t *id, const char *hex);

/* The nonce of that number: LOAD_NONCE_TEXT bytes with the NUL. */
void load_nonce(uint64_t number, char out[LOAD_NONCE_TEXT]);

bool load_kind_known(const char *kind);
const char *load_kinds(void); /* for a message */

/* The number-th request of an order. */
void load_request(load_request_t *out, const load_order_t *order,
                  uint64_t number);

/* --- on a connection */

typedef struct {
    int fd;
    bool busy;
    double since;    /* when the request was sent */
    uint32_t stream; /* HTTP/2: of the request under way */
    int status;      /* HTTP/2: of the answer so far */
    size_t got;      /* bytes of the answer so far */
    uint8_t answer[16384];
} load_connection_t;

typedef struct {
    /* Writes the request's head, at most LOAD_HEAD bytes; its length. */
    size_t (*write)(const load_request_t *request, size_t body_size,
                    uint8_t *out);
    /* What a new connection begins with; its length. */
    size_t (*begin)(uint8_t *out);
    /* Makes a head that was written before the next request of c. */
    void (*address)(load_connection_t *c, uint8_t *head);
    /* The status when the answer is whole, else 0. */
    int (*answer)(load_connection_t *c);
} load_protocol_t;

extern const load_protocol_t load_http1, load_http2;

#endif
