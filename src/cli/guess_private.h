/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of guess.h share. */
#ifndef WBA_CLI_GUESS_PRIVATE_H
#define WBA_CLI_GUESS_PRIVATE_H

#include "guess.h"

/* Bytes of what is said of one mistake. */
#define SAYS ((GUESS_TEXT - 8) / 2)

typedef struct {
    wba_str_t name; /* with quotes and parameters */
    wba_str_t value;
} line_t;

typedef enum {
    HASH_NONE,
    HASH_SHA256,
    HASH_SHA512,
    HASH_HEX,
    HASH_BASE64 /* no hash: the base's own octets, in base64 */
} hash_t;

/* A base that somebody may have made. */
typedef struct {
    line_t lines[WBA_MAX_COMPONENTS + 1];
    size_t count;
    const char *colon;
    const char *eol;
    bool last_eol;
    bool bare; /* names without quotes */
    hash_t hash;
    bool changed; /* differs from the one before */
} form_t;

typedef struct {
    const trial_t *trial;
    const wba_fact_t *fact;
    wba_arena_t arena;
    wba_mem_t mem;
    wba_str_t signature; /* its octets, as they were sent or recoded */
    char *out;
    bool found;
} guesser_t;

/* A kind of mistake in making the base. */
typedef struct {
    /* Applies the i-th mistake of its kind to form, and says what it is; false:
     * there are no more.  form->changed is false where it makes no
     * difference. */
    bool (*apply)(guesser_t *g, size_t i, form_t *form, char *says);
    bool alone; /* so many that they are not tried together with others */
} guess_kind_t;

extern const guess_kind_t guess_kinds[];
extern const size_t guess_nkinds;

/* Two of them. */
bool guess_line_order(guesser_t *g, size_t i, form_t *form, char *says);
bool guess_param_order(guesser_t *g, size_t i, form_t *form, char *says);

/* Where what first stands in s, or NULL. */
const uint8_t *guess_search(wba_str_t s, wba_str_t what);

/*
 * The signature's octets, where what was sent may be a text of them, or DER: the
 * i-th way to read it, into out, which has room for WBA_MAX_SIGNATURE_BYTES.
 * *says goes on "The signature would verify if ".  False: there are no more
 * ways; *len 0: it cannot be read so.
 */
bool guess_recoded(const guesser_t *g, size_t i, uint8_t *out, size_t *len,
                   const char **says);

/* Whether it is an RSA key's signature over base, with another padding, salt or
 * hash than alg says: into says, likewise. */
bool guess_rsa(const guesser_t *g, const wba_key_t *key, wba_str_t base,
               char says[SAYS]);

#endif
