/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs the project Wycheproof's vectors in $VECTORS/wycheproof through
 * core/jwk and core/crypto: each group's key becomes a JWK, as a directory
 * would publish it.
 *
 * libsodium and libcrypto decide every case as the vectors do, but for ten:
 * rsa-pss-sha256 takes a salt of any length, and those are refused for its
 * length alone.
 *
 * Prints the cases that differ and, last, "N passed, N failed".  Exits with 1
 * when a case differs, or a file holds fewer than are known to exist.
 */
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto.h"
#include "jwk.h"

static const struct {
    const char *file;
    wba_alg_t alg;
    size_t cases;
} files[] = {
    { "ed25519_test.json", WBA_ALG_ED25519, 151 },
    { "ecdsa_secp256r1_sha256_p1363_test.json", WBA_ALG_ECDSA_P256_SHA256,
      262 },
    { "rsa_pss_2048_sha256_mgf1_0_test.json", WBA_ALG_RSA_PSS_SHA256, 103 },
    { "rsa_pss_2048_sha256_mgf1_32_test.json", WBA_ALG_RSA_PSS_SHA256, 108 },
    { "rsa_pss_4096_sha512_mgf1_64_test.json", WBA_ALG_RSA_PSS_SHA512, 179 },
};

#define DEVIATIONS 10

static size_t passed, failed, deviations;

/* Decodes hexadecimal into a block of its own size; to be freed. */
static uint8_t *
from_hex(const json_t *text, size_t *len)
{
    size_t room = json_string_length(text) / 2;
    uint8_t *out = malloc(room == 0 ? 1 : room);

    if (out == NULL
        || sodium_hex2bin(out, room, json_string_value(text), 2 * room, NULL,
                          len, NULL) != 0)
    {
        (void) fprintf(stderr, "no hexadecimal\n");
        exit(1);
    }
    return out;
}

static json_t *
base64url(const uint8_t *octets, size_t len)
{
    char out[2048];

    sodium_bin2base64(out, sizeof(out), octets, len,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return json_string(out);
}

/* As it is. */
static json_t *
octets(const json_t *text)
{
    size_t len;
    uint8_t *raw = from_hex(text, &len);
    json_t *made = base64url(raw, len);

    free(raw);
    return made;
}

/* An integer without leading zeros, or with as many as width octets take. */
static json_t *
number(const json_t *text, size_t width)
{
    uint8_t padded[1100] = { 0 };
    size_t len, skip = 0;
    uint8_t *raw = from_hex(text, &len);

    while (skip < len && raw[skip] == 0) {
        skip++;
    }
    len -= skip;
    if (width < len) {
        width = len;
    }
    memcpy(padded + width - len, raw + skip, len);
    free(raw);
    return base64url(padded, width);
}

static json_t *
jwk_of(const json_t *group, wba_alg_t alg)
{
    const json_t *key = json_object_get(group, "publicKey");

    switch (alg) {
    case WBA_ALG_ED25519:
        return json_pack("{s:s, s:s, s:o}", "kty", "OKP", "crv", "Ed25519",
                         "x", octets(json_object_get(key, "pk")));
    case WBA_ALG_ECDSA_P256_SHA256:
        return json_pack("{s:s, s:s, s:o, s:o}", "kty", "EC", "crv", "P-256",
                         "x", number(json_object_get(key, "wx"), 32), "y",
                         number(json_object_get(key, "wy"), 32));
    default:
        return json_pack("{s:s, s:o, s:o, s:s}", "kty", "RSA", "n",
                         number(json_object_get(key, "modulus"), 0), "e",
                         number(json_object_get(key, "publicExponent"), 0),
                         "alg", wba_alg_name(alg));
    }
}

/* The length of the salt is all that is wrong. */
static bool
only_the_salt(wba_alg_t alg, const json_t *test)
{
    const char *comment = json_string_value(json_object_get(test, "comment"));

    return alg == WBA_ALG_RSA_PSS_SHA256 && comment != NULL
           && strncmp(comment, "s_len changed to ", 17) == 0;
}

static void
run_case(const char *file, wba_alg_t alg, const wba_key_t *key,
         const json_t *test)
{
    size_t message_len, signature_len;
    uint8_t *message = from_hex(json_object_get(test, "msg"), &message_len);
    uint8_t *sig = from_hex(json_object_get(test, "sig"), &signature_len);
    bool want = strcmp(json_string_value(json_object_get(test, "result")),
                       "valid") == 0;
    wba_status_t got = wba_crypto_verify(key, alg,
                                         wba_str(sig, signature_len),
                                         wba_str(message, message_len));

    free(message);
    free(sig);
    if ((got == WBA_OK) == want && (got == WBA_OK || got == WBA_INVALID)) {
        passed++;
        return;
    }
    if (got == WBA_OK && only_the_salt(alg, test)) {
        deviations++;
        passed++;
        return;
    }
    failed++;
    printf("%s %d: %s, got %d: %s\n", file,
           (int) json_integer_value(json_object_get(test, "tcId")),
           want ? "valid" : "invalid", (int) got,
           json_string_value(json_object_get(test, "comment")));
}

static size_t
run_group(const char *file, wba_alg_t alg, const json_t *group)
{
    const json_t *tests = json_object_get(group, "tests");
    json_t *json = jwk_of(group, alg);
    wba_jwk_t jwk;
    const char *why;
    bool alert;
    size_t i;

    if (wba_jwk_parse(json, &jwk, &alert, &why) != WBA_OK) {
        printf("%s: the key of a group: %s\n", file, why);
        failed += json_array_size(tests);
    } else {
        for (i = 0; i < json_array_size(tests); i++) {
            run_case(file, alg, &jwk.key, json_array_get(tests, i));
        }
    }
    json_decref(json);
    return json_array_size(tests);
}

static void
run_file(const char *folder, size_t at)
{
    char path[4096];
    json_t *json;
    const json_t *groups;
    size_t i, cases = 0;

    snprintf(path, sizeof(path), "%s/wycheproof/%s", folder, files[at].file);
    json = json_load_file(path, 0, NULL);
    groups = json_object_get(json, "testGroups");
    for (i = 0; i < json_array_size(groups); i++) {
        cases += run_group(files[at].file, files[at].alg,
                           json_array_get(groups, i));
    }
    if (cases < files[at].cases) {
        printf("%s: %zu cases, %zu are known\n", path, cases,
               files[at].cases);
        failed += files[at].cases - cases;
    }
    json_decref(json);
}

int
main(void)
{
    const char *folder = getenv("VECTORS");
    size_t i;

    if (folder == NULL || wba_crypto_init() != WBA_OK) {
        (void) fprintf(stderr, "VECTORS is not set\n");
        return 1;
    }
    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        run_file(folder, i);
    }
    if (deviations != DEVIATIONS) {
        printf("%zu salts of another length, %d are known\n", deviations,
               DEVIATIONS);
        failed++;
    }
    printf("Wycheproof: %zu passed, %zu failed (of them %zu with another "
           "length of salt, which we take)\n", passed, failed, deviations);
    return failed == 0 ? 0 : 1;
}
