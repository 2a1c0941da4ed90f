/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A key set as a block of bytes: whatever wba_keyset_check lets through can be
 * read, indexed and built again, and nothing read from it leads outside.
 *
 * Input: how to make the block, then bytes of it, or keys and changes.
 */
#include "fuzz.h"
#include "keyring.h"
#include "keyset.h"

static fuzz_mem_t m;

static void
touch(wba_str_t s, wba_str_t block)
{
    CHECK(fuzz_within(s, block));
    (void) fuzz_copy(&m, s);
}

static void
index_it(wba_keyset_t set)
{
    wba_keyset_t sets[2] = { set, set };
    unsigned ids[2] = { 3, 5 };
    wba_keyring_t *ring = wba_keyring_new(sets, ids, 2);
    wba_keyring_match_t match;
    size_t i, cursor, n = wba_keyset_count(set);
    bool first;
    wba_key_t key;

    CHECK(ring != NULL && wba_keyring_count(ring) == 2 * n);
    for (i = 0; i < n && i < 16; i++) {
        wba_keyset_key(set, i, &key);
        cursor = 0;
        first = false;
        while (key.kid.len != 0
               && wba_keyring_next(ring, key.kid, &cursor, &match) == WBA_OK)
        {
            first |= match.directory == 3;
            CHECK(match.directory == 3 || match.directory == 5);
            wba_keyring_skip_set(ring, &cursor);
        }
        CHECK(key.kid.len == 0 || first);
    }
    wba_keyring_free(ring);
}

static void
read_all(wba_keyset_t set)
{
    wba_str_t block = wba_str(set.data, set.size);
    wba_keyset_builder_t *b;
    wba_keyset_t again;
    wba_key_t key;
    size_t i;

    if (wba_keyset_check(set) != WBA_OK) {
        return;
    }
    b = wba_keyset_builder_new();
    CHECK(b != NULL);
    for (i = 0; i < wba_keyset_count(set); i++) {
        wba_keyset_key(set, i, &key);
        touch(wba_str(key.thumbprint, WBA_THUMBPRINT_SIZE), block);
        touch(key.pub, block);
        touch(key.exponent, block);
        touch(key.kid, block);
        CHECK(wba_keyset_builder_add(b, &key) == WBA_OK);
    }
    CHECK(wba_keyset_builder_take(b, &again) == WBA_OK);
    wba_keyset_builder_free(b);
    CHECK(wba_keyset_check(again) == WBA_OK);
    CHECK(again.size == set.size);
    /* All but what fills it up to a multiple of eight. */
    for (i = again.size; i > 0 && again.size - i < 8
                         && again.data[i - 1] == 0; i--) {
    }
    CHECK_SAME(wba_str(again.data, i), wba_str(set.data, i));
    free((void *) (uintptr_t) again.data);
    index_it(set);
}

/* One key whose sizes may be anything. */
static void
add_key(wba_keyset_builder_t *b, fuzz_in_t *in)
{
    static const uint16_t lens[] = { 32, 64, 256, 384, 1024, 0, 255, 31 };
    uint8_t pub[1100], print[WBA_THUMBPRINT_SIZE];
    wba_key_t key = { 0 };

    memset(pub, fuzz_byte(in) | 1, sizeof(pub));
    memset(print, fuzz_byte(in), sizeof(print));
    key.type = (wba_key_type_t) (1 + fuzz_below(in, 4));
    key.algs = key.type == WBA_KEY_ED25519 ? WBA_ALG_ED25519
               : key.type == WBA_KEY_P256  ? WBA_ALG_ECDSA_P256_SHA256
                                           : fuzz_byte(in);
    key.nbf = fuzz_int64(in);
    key.exp = fuzz_int64(in);
    key.thumbprint = print;
    key.kid = fuzz_take(in, fuzz_byte(in));
    key.pub = wba_str(pub, key.type == WBA_KEY_ED25519 ? 32
                           : key.type == WBA_KEY_P256
                               ? 64
                               : lens[fuzz_below(in, COUNT(lens))]);
    key.exponent = wba_str(pub, key.type == WBA_KEY_RSA ? fuzz_below(in, 10)
                                                        : 0);
    (void) wba_keyset_builder_add(b, &key);
}

/* A sound block, then some of its bytes changed. */
static wba_str_t
make(fuzz_in_t *in)
{
    wba_keyset_builder_t *b = wba_keyset_builder_new();
    unsigned n = fuzz_below(in, 8);
    wba_keyset_t set;
    wba_str_t copy;
    uint8_t *bytes;

    CHECK(b != NULL);
    while (n-- != 0) {
        add_key(b, in);
    }
    CHECK(wba_keyset_builder_take(b, &set) == WBA_OK);
    CHECK(wba_keyset_check(set) == WBA_OK);
    wba_keyset_builder_free(b);
    read_all(set);
    copy = fuzz_copy(&m, wba_str(set.data, set.size));
    free((void *) (uintptr_t) set.data);
    bytes = (uint8_t *) (uintptr_t) copy.data;
    while (in->len >= 3) {
        size_t at = fuzz_number(in, 2) % copy.len;

        bytes[at] = fuzz_byte(in);
    }
    return copy;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;
    fuzz_begin();
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_in_t in = wba_str(data, size);
    bool raw = (fuzz_byte(&in) & 1) != 0;
    wba_keyset_t set;
    wba_str_t block;

    fuzz_mem_init(&m);
    block = raw ? fuzz_copy(&m, in) : make(&in);
    set.data = block.data;
    set.size = block.len;
    read_all(set);
    fuzz_mem_free(&m);
    return 0;
}
