/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JWK Sets: every entry ends in one note; what is taken is a sound set, found
 * again under each of its names; no private and no test key is ever in it; how
 * deep JSON may nest is known before jansson sees it.
 *
 * Input: options, then the document.
 */
#include "fuzz.h"
#include "json.h"
#include "jwks.h"
#include "keyring.h"

static fuzz_mem_t m;

typedef struct {
    size_t notes;
    size_t usable;
    size_t alerts;
    const json_t *keys; /* as jansson reads them, or NULL */
    bool test_keys;
} seen_t;

static bool
is_private(const json_t *entry)
{
    static const char *const names[] = { "d",  "p",  "q",   "dp",
                                         "dq", "qi", "oth", "k" };
    size_t i;

    for (i = 0; i < COUNT(names); i++) {
        if (json_object_get(entry, names[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static void
report(void *ctx, const wba_jwks_note_t *note)
{
    seen_t *seen = ctx;
    bool usable = note->severity == WBA_JWKS_TAKEN
                  || note->severity == WBA_JWKS_WARNING;

    CHECK(note->index == seen->notes++);
    CHECK(usable == (note->key != NULL));
    CHECK((note->severity == WBA_JWKS_TAKEN) == (note->text[0] == '\0'));
    CHECK(!usable || note->thumbprint != NULL);
    if (usable) {
        CHECK(seen->test_keys || !wba_jwk_is_test_key(note->thumbprint));
    }
    seen->usable += usable;
    if (seen->keys != NULL) {
        const json_t *entry = json_array_get(seen->keys, note->index);

        CHECK(is_private(entry) == (note->severity == WBA_JWKS_ALERT)
              || (note->severity == WBA_JWKS_ALERT
                  && wba_jwk_is_test_key(note->thumbprint)));
    }
}

/* RFC 7638, for each type, from the key's own bytes. */
static void
thumbprint(const wba_key_t *key)
{
    uint8_t want[32];
    char text[3000], x[1500], y[64];
    const wba_str_t *pub = &key->pub;
    size_t half = key->type == WBA_KEY_P256 ? 32 : pub->len;

    sodium_bin2base64(x, sizeof(x), pub->data, half,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    if (key->type == WBA_KEY_ED25519) {
        (void) snprintf(text, sizeof(text),
                        "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"%s\"}",
                        x);
    } else if (key->type == WBA_KEY_P256) {
        sodium_bin2base64(y, sizeof(y), pub->data + 32, 32,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        (void) snprintf(text, sizeof(text),
                        "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\","
                        "\"y\":\"%s\"}",
                        x, y);
    } else {
        sodium_bin2base64(y, sizeof(y), key->exponent.data, key->exponent.len,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        (void) snprintf(text, sizeof(text),
                        "{\"e\":\"%s\",\"kty\":\"RSA\",\"n\":\"%s\"}", y, x);
    }
    crypto_hash_sha256(want, (const uint8_t *) text, strlen(text));
    CHECK(memcmp(want, key->thumbprint, sizeof(want)) == 0);
}

static bool
finds(const wba_keyring_t *ring, wba_str_t keyid, const wba_key_t *key)
{
    wba_keyring_match_t match;
    size_t cursor = 0;

    while (wba_keyring_next(ring, keyid, &cursor, &match) == WBA_OK) {
        CHECK(match.directory == 7);
        CHECK(match.by_kid || match.by_thumbprint);
        CHECK(!match.by_kid || wba_str_eq(match.key.kid, keyid));
        if (memcmp(match.key.thumbprint, key->thumbprint, 32) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether so many keys before it have its kid that nobody would try it. */
static bool
is_crowded_out(wba_keyset_t set, size_t i, wba_str_t kid)
{
    size_t j, n = 0;
    wba_key_t other;

    for (j = 0; j < i; j++) {
        wba_keyset_key(set, j, &other);
        n += wba_str_eq(other.kid, kid);
    }
    return n >= WBA_MAX_CANDIDATES;
}

static void
set(wba_keyset_t set, const wba_jwks_options_t *options)
{
    uint8_t text[WBA_THUMBPRINT_TEXT_SIZE];
    size_t i, n = wba_keyset_count(set);
    wba_keyring_t *ring;
    unsigned id = 7;
    wba_key_t key;

    CHECK(wba_keyset_check(set) == WBA_OK);
    ring = wba_keyring_new(&set, &id, 1);
    CHECK(ring != NULL && wba_keyring_count(ring) == n);
    for (i = 0; i < n && i < 32; i++) {
        wba_keyset_key(set, i, &key);
        thumbprint(&key);
        wba_thumbprint_text(key.thumbprint, text);
        CHECK(finds(ring, wba_str(text, sizeof(text)), &key));
        CHECK(key.kid.len == 0 || finds(ring, key.kid, &key)
              || is_crowded_out(set, i, key.kid));
        CHECK(!options->well_known || key.kid.len == 0
              || wba_str_eq(key.kid, wba_str(text, sizeof(text))));
        CHECK(!options->algorithms || (key.algs & options->algorithms) != 0);
        CHECK(key.nbf >= 0 && key.exp >= 0);
    }
    wba_keyring_free(ring);
}

static size_t
depth_of(const json_t *json)
{
    size_t i, deep = 0, one;
    const char *key;
    json_t *value;

    if (json_is_array(json)) {
        json_array_foreach(json, i, value) {
            one = depth_of(value);
            deep = one > deep ? one : deep;
        }
        return deep + 1;
    }
    if (json_is_object(json)) {
        json_object_foreach((json_t *) (uintptr_t) json, key, value) {
            one = depth_of(value);
            deep = one > deep ? one : deep;
        }
        return deep + 1;
    }
    return 0;
}

static void
document(wba_str_t text, const wba_jwks_options_t *options)
{
    wba_keyset_t keys, again;
    wba_jwks_summary_t summary;
    json_error_t error;
    seen_t seen = { .test_keys = options->test_keys };
    wba_status_t status;
    json_t *root = NULL;
    size_t i;

    if (text.len != 0) {
        root = json_loadb((const char *) text.data, text.len,
                          JSON_REJECT_DUPLICATES, &error);
    }
    if (root != NULL) {
        CHECK(wba_json_too_deep(text)
              == (depth_of(root) > WBA_MAX_JSON_DEPTH));
    }
    seen.keys = json_object_get(root, "keys");
    status = wba_jwks_parse(text, options, report, &seen, &keys, &summary);
    CHECK(summary.usable == seen.usable);
    for (i = 0; summary.error[i] != '\0'; i++) {
        CHECK(summary.error[i] >= 0x20 && summary.error[i] < 0x7f);
    }
    CHECK((status == WBA_OK) == (i == 0));
    if (status == WBA_OK) {
        CHECK(root != NULL && seen.notes == summary.entries);
        CHECK(wba_keyset_count(keys) == summary.usable);
        CHECK(!options->max_keys || summary.entries <= options->max_keys);
        set(keys, options);
        memset(&seen, 0, sizeof(seen));
        CHECK(wba_jwks_parse(text, options, NULL, NULL, &again, &summary)
              == WBA_OK);
        CHECK_SAME(wba_str(keys.data, keys.size),
                   wba_str(again.data, again.size));
        free((void *) (uintptr_t) again.data);
        free((void *) (uintptr_t) keys.data);
    } else {
        CHECK(keys.data == NULL);
    }
    json_decref(root);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;
    fuzz_begin();
    json_object_seed(1);
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_in_t in = wba_str(data, size);
    unsigned settings = fuzz_byte(&in);
    unsigned algorithms = fuzz_byte(&in);
    wba_jwks_options_t options = {
        .well_known = (settings & 1) != 0,
        .test_keys = (settings & 2) != 0,
        .bare_jwk = (settings & 4) != 0,
        .max_size = settings & 8 ? 600 : 0,
        .max_keys = settings & 16 ? 2 : 0,
        .algorithms = algorithms & 16 ? algorithms & WBA_ALG_ALL : 0,
    };

    fuzz_mem_init(&m);
    document(fuzz_copy(&m, in), &options);
    fuzz_mem_free(&m);
    return 0;
}
