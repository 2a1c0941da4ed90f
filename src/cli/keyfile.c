/* SPDX-License-Identifier: BSD-2-Clause */
#include "keyfile.h"

#include <stdlib.h>

#include "cli.h"
#include "file.h"

void
keyfile_text32(const uint8_t bytes[32], char out[KEYFILE_TEXT32])
{
    (void) sodium_bin2base64(out, KEYFILE_TEXT32, bytes, 32,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

void
keyfile_thumbprint(const uint8_t pub[crypto_sign_PUBLICKEYBYTES],
                   char out[WBA_THUMBPRINT_TEXT_SIZE + 1])
{
    uint8_t thumbprint[WBA_THUMBPRINT_SIZE];

    wba_jwk_thumbprint_ed25519(pub, thumbprint);
    wba_thumbprint_text(thumbprint, (uint8_t *) out);
    out[WBA_THUMBPRINT_TEXT_SIZE] = '\0';
}

static int
load(const char *path, json_t **root)
{
    json_error_t error;
    wba_str_t text;
    int rc = file_read(path, &text);

    if (rc != CLI_OK) {
        return rc;
    }
    *root = json_loadb((const char *) text.data, text.len,
                       JSON_REJECT_DUPLICATES, &error);
    if (*root == NULL && strstr((const char *) text.data, "-----BEGIN")) {
        rc = cli_fail("%s is a PEM file; wba reads keys as JSON Web Keys, "
                      "which 'wba keygen' makes",
                      path);
    } else if (*root == NULL) {
        rc = cli_fail("%s is not JSON: line %d, column %d: %s", path,
                      error.line, error.column, error.text);
    }
    sodium_memzero((void *) (uintptr_t) text.data, text.len);
    file_free(text);
    return rc;
}

int
keyfile_read(const char *path, json_t **keys)
{
    json_t *root, *set;
    int rc = load(path, &root);

    *keys = NULL;
    if (rc != CLI_OK) {
        return rc;
    }
    set = json_object_get(root, "keys");
    if (json_is_array(set) && json_array_size(set)) {
        *keys = json_incref(set);
    } else if (json_is_array(set)) {
        rc = cli_fail("%s holds no key: \"keys\" is empty", path);
    } else if (json_object_get(root, "kty") != NULL) {
        *keys = json_pack("[O]", root);
        rc = *keys != NULL ? CLI_OK : cli_fail("out of memory");
    } else {
        rc = cli_fail("%s is neither a JWK (no \"kty\") nor a JWK Set (no "
                      "array \"keys\")",
                      path);
    }
    json_decref(root);
    return rc;
}

json_t *
keyfile_public(const json_t *private, wba_jwk_t *jwk, const char **why)
{
    static const char *const kept[] = { "kty", "crv", "x",   "y",  "n",
                                        "e",   "kid", "alg", "nbf", "exp" };
    json_t *public = json_object(), *value;
    bool alert;
    size_t i;

    for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        value = json_object_get(private, kept[i]);
        if (value != NULL && json_object_set(public, kept[i], value) != 0) {
            break;
        }
    }
    value = json_object_get(private, "use");
    (void) (value != NULL ? json_object_set(public, "use", value)
                          : json_object_set_new(public, "use",
                                                json_string("sig")));
    if (wba_jwk_parse(public, jwk, &alert, why) != WBA_OK) {
        json_decref(public);
        return NULL;
    }
    return public;
}
