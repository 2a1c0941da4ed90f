/* SPDX-License-Identifier: BSD-2-Clause */
/* core/keyset: what goes in comes out, and hostile blocks are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "keyset.h"
#include "wba_limits.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* The layout of version 1, as far as the tests break it on purpose. */
#define HEADER 24
#define RECORD 72
#define AT_VERSION 4
#define AT_SIZE 8
#define AT_COUNT 16

static uint8_t noise[2048];
static volatile unsigned sink; /* so that no read is optimised away */

static wba_key_t
key_of(wba_key_type_t type, unsigned algs, size_t pub, size_t exponent,
       size_t kid)
{
    wba_key_t key = { 0 };

    key.type = type;
    key.algs = algs;
    key.thumbprint = noise + 100;
    key.pub = wba_str(noise, pub);
    key.exponent = wba_str(noise + 7, exponent);
    key.kid = wba_str(noise + 3, kid);
    return key;
}

static wba_keyset_t
three_keys(void)
{
    wba_keyset_builder_t *b = wba_keyset_builder_new();
    wba_key_t keys[] = {
        key_of(WBA_KEY_ED25519, WBA_ALG_ED25519, 32, 0, 5),
        key_of(WBA_KEY_P256, WBA_ALG_ECDSA_P256_SHA256, 64, 0, 0),
        key_of(WBA_KEY_RSA, WBA_ALG_RSA_PSS_SHA256, 257, 3, WBA_MAX_KID),
    };
    wba_keyset_t set;
    size_t i;

    assert_non_null(b);
    keys[0].nbf = 17;
    keys[2].exp = INT64_MAX;
    for (i = 0; i < COUNT(keys); i++) {
        assert_int_equal(wba_keyset_builder_add(b, &keys[i]), WBA_OK);
    }
    assert_int_equal(wba_keyset_builder_take(b, &set), WBA_OK);
    wba_keyset_builder_free(b);
    return set;
}

static void
drop(wba_keyset_t set)
{
    free((void *) set.data);
}

static bool
same(wba_str_t a, const uint8_t *want, size_t len)
{
    return wba_str_eq(a, wba_str(want, len));
}

static void
round_trip(void **state)
{
    wba_keyset_t set = three_keys();
    wba_key_t key;

    (void) state;
    assert_int_equal(wba_keyset_check(set), WBA_OK);
    assert_int_equal(set.size % 8, 0);
    assert_int_equal(wba_keyset_count(set), 3);

    wba_keyset_key(set, 0, &key);
    assert_int_equal(key.type, WBA_KEY_ED25519);
    assert_int_equal(key.algs, WBA_ALG_ED25519);
    assert_int_equal(key.nbf, 17);
    assert_int_equal(key.exp, 0);
    assert_memory_equal(key.thumbprint, noise + 100, WBA_THUMBPRINT_SIZE);
    assert_true(same(key.pub, noise, 32));
    assert_int_equal(key.exponent.len, 0);
    assert_true(same(key.kid, noise + 3, 5));

    wba_keyset_key(set, 1, &key);
    assert_int_equal(key.type, WBA_KEY_P256);
    assert_true(same(key.pub, noise, 64));
    assert_int_equal(key.kid.len, 0);

    wba_keyset_key(set, 2, &key);
    assert_int_equal(key.type, WBA_KEY_RSA);
    assert_int_equal(key.algs, WBA_ALG_RSA_PSS_SHA256);
    assert_true(key.exp == INT64_MAX);
    assert_true(same(key.pub, noise, 257));
    assert_true(same(key.exponent, noise + 7, 3));
    assert_true(same(key.kid, noise + 3, WBA_MAX_KID));
    drop(set);
}

static void
empty(void **state)
{
    wba_keyset_builder_t *b = wba_keyset_builder_new();
    wba_keyset_t set;

    (void) state;
    assert_int_equal(wba_keyset_builder_take(b, &set), WBA_OK);
    assert_int_equal(wba_keyset_check(set), WBA_OK);
    assert_int_equal(wba_keyset_count(set), 0);
    drop(set);
    wba_keyset_builder_free(b);
    wba_keyset_builder_free(NULL);
}

static void
spent(void **state)
{
    wba_keyset_builder_t *b = wba_keyset_builder_new();
    wba_key_t key = key_of(WBA_KEY_ED25519, WBA_ALG_ED25519, 32, 0, 0);
    wba_keyset_t set;
    wba_keyset_t again;

    (void) state;
    assert_int_equal(wba_keyset_builder_add(b, &key), WBA_OK);
    assert_int_equal(wba_keyset_builder_take(b, &set), WBA_OK);
    assert_int_equal(wba_keyset_builder_add(b, &key), WBA_INVALID);
    assert_int_equal(wba_keyset_builder_take(b, &again), WBA_INVALID);
    assert_null(again.data);
    drop(set);
    wba_keyset_builder_free(b);
}

static void
unsound_keys(void **state)
{
    static const struct {
        int type;
        unsigned algs;
        size_t pub;
        size_t exponent;
        size_t kid;
        wba_status_t status;
    } t[] = {
        { WBA_KEY_ED25519, 1, 32, 0, 0, WBA_OK },
        { WBA_KEY_ED25519, 1, 31, 0, 0, WBA_INVALID },
        { WBA_KEY_ED25519, 1, 33, 0, 0, WBA_INVALID },
        { WBA_KEY_ED25519, 1, 32, 1, 0, WBA_INVALID },
        { WBA_KEY_ED25519, 1, 32, 0, WBA_MAX_KID, WBA_OK },
        { WBA_KEY_ED25519, 1, 32, 0, WBA_MAX_KID + 1, WBA_INVALID },
        { WBA_KEY_ED25519, 0, 32, 0, 0, WBA_INVALID },
        { WBA_KEY_ED25519, 3, 32, 0, 0, WBA_INVALID },
        { WBA_KEY_ED25519, 2, 32, 0, 0, WBA_INVALID },
        { WBA_KEY_P256, 2, 64, 0, 0, WBA_OK },
        { WBA_KEY_P256, 2, 65, 0, 0, WBA_INVALID },
        { WBA_KEY_P256, 1, 64, 0, 0, WBA_INVALID },
        { WBA_KEY_RSA, 12, 256, 3, 0, WBA_OK },
        { WBA_KEY_RSA, 4, 1024, 8, 0, WBA_OK },
        { WBA_KEY_RSA, 12, 255, 3, 0, WBA_INVALID },
        { WBA_KEY_RSA, 12, 1025, 3, 0, WBA_INVALID },
        { WBA_KEY_RSA, 12, 256, 0, 0, WBA_INVALID },
        { WBA_KEY_RSA, 12, 256, 9, 0, WBA_INVALID },
        { WBA_KEY_RSA, 28, 256, 3, 0, WBA_INVALID },
        { 0, 1, 32, 0, 0, WBA_INVALID },
        { 4, 1, 32, 0, 0, WBA_INVALID },
    };
    wba_keyset_builder_t *b = wba_keyset_builder_new();
    wba_key_t key;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(t); i++) {
        key = key_of((wba_key_type_t) t[i].type, t[i].algs, t[i].pub,
                     t[i].exponent, t[i].kid);
        if (wba_keyset_builder_add(b, &key) != t[i].status) {
            fail_msg("row %zu", i);
        }
    }
    key = key_of(WBA_KEY_ED25519, WBA_ALG_ED25519, 32, 0, 0);
    key.thumbprint = NULL;
    assert_int_equal(wba_keyset_builder_add(b, &key), WBA_INVALID);
    key = key_of(WBA_KEY_ED25519, WBA_ALG_ED25519, 32, 0, 0);
    key.exp = -1;
    assert_int_equal(wba_keyset_builder_add(b, &key), WBA_INVALID);
    key = key_of(WBA_KEY_ED25519, WBA_ALG_ED25519, 32, 0, 0);
    key.pub.len = 65536 + 32; /* would be 32 in 16 bits */
    assert_int_equal(wba_keyset_builder_add(b, &key), WBA_INVALID);
    key = key_of(WBA_KEY_RSA, 12, 256, 65536 + 3, 0);
    assert_int_equal(wba_keyset_builder_add(b, &key), WBA_INVALID);
    key = key_of(WBA_KEY_ED25519, WBA_ALG_ED25519, 32, 0, 65536);
    assert_int_equal(wba_keyset_builder_add(b, &key), WBA_INVALID);
    wba_keyset_builder_free(b);
}

/* Reads every byte that a checked set shows. */
static unsigned
read_all(wba_keyset_t set)
{
    size_t n = wba_keyset_count(set);
    unsigned sum = 0;
    wba_key_t key;
    size_t i;
    size_t j;

    for (i = 0; i < n; i++) {
        wba_keyset_key(set, i, &key);
        for (j = 0; j < WBA_THUMBPRINT_SIZE; j++) {
            sum += key.thumbprint[j];
        }
        for (j = 0; j < key.pub.len; j++) {
            sum += key.pub.data[j];
        }
        for (j = 0; j < key.exponent.len; j++) {
            sum += key.exponent.data[j];
        }
        for (j = 0; j < key.kid.len; j++) {
            sum += key.kid.data[j];
        }
    }
    return sum;
}

/* Every shorter block, each of its own size (ASan sees reads beyond). */
static void
truncated(void **state)
{
    wba_keyset_t set = three_keys();
    size_t len;

    (void) state;
    assert_int_equal(wba_keyset_check((wba_keyset_t) { NULL, 0 }),
                     WBA_INVALID);
    for (len = 0; len < set.size; len++) {
        uint8_t *copy = malloc(len ? len : 1);
        wba_keyset_t cut = { copy, len };
        uint64_t claimed = len;

        memcpy(copy, set.data, len);
        assert_int_equal(wba_keyset_check(cut), WBA_INVALID);
        if (len >= HEADER) { /* one that lies consistently */
            memcpy(copy + AT_SIZE, &claimed, sizeof(claimed));
            assert_int_equal(wba_keyset_check(cut), WBA_INVALID);
        }
        free(copy);
    }
    drop(set);
}

static void
longer(void **state)
{
    wba_keyset_t set = three_keys();
    uint8_t *copy = calloc(1, set.size + 16);
    wba_keyset_t got = { copy, 0 };
    size_t extra;

    (void) state;
    memcpy(copy, set.data, set.size);
    for (extra = 1; extra <= 16; extra++) {
        uint64_t claimed = set.size + extra;

        got.size = set.size + extra;
        assert_int_equal(wba_keyset_check(got), WBA_INVALID);
        memcpy(copy + AT_SIZE, &claimed, sizeof(claimed));
        assert_int_equal(wba_keyset_check(got), WBA_INVALID);
        memcpy(copy + AT_SIZE, set.data + AT_SIZE, sizeof(claimed));
    }
    free(copy);
    drop(set);
}

/* Each byte to each value: refused, or safe to read. */
static void
each_byte(void **state)
{
    wba_keyset_t set = three_keys();
    uint8_t *data = (uint8_t *) set.data;
    size_t i;
    unsigned v;

    (void) state;
    for (i = 0; i < HEADER + 3 * RECORD; i++) {
        uint8_t old = data[i];

        for (v = 0; v < 256; v++) {
            data[i] = (uint8_t) v;
            if (wba_keyset_check(set) == WBA_OK) {
                sink = read_all(set);
            }
        }
        data[i] = old;
    }
    assert_int_equal(wba_keyset_check(set), WBA_OK);
    drop(set);
}

/* Numbers that overflow when they are multiplied or added. */
static void
hostile_numbers(void **state)
{
    static const uint64_t values[] = {
        0, 1, 2, 4, 1000, UINT32_MAX, (uint64_t) UINT32_MAX + 1, INT64_MAX,
        (uint64_t) INT64_MAX + 1, UINT64_MAX, UINT64_MAX - 7,
        UINT64_MAX / RECORD, UINT64_MAX / RECORD + 1,
        (uint64_t) 1 << 61, ((uint64_t) 1 << 61) + 3,
    };
    wba_keyset_t set = three_keys();
    uint8_t *data = (uint8_t *) set.data;
    uint8_t old[8];
    size_t at;
    size_t i;

    (void) state;
    for (at = 0; at + 8 <= HEADER + 3 * RECORD; at++) {
        memcpy(old, data + at, 8);
        for (i = 0; i < COUNT(values); i++) {
            memcpy(data + at, &values[i], 8);
            if (wba_keyset_check(set) == WBA_OK) {
                sink = read_all(set);
            }
        }
        memcpy(data + at, old, 8);
    }
    for (i = 0; i < COUNT(values); i++) {
        memcpy(data + AT_COUNT, &values[i], 8);
        assert_int_equal(wba_keyset_check(set), WBA_INVALID);
    }
    drop(set);
}

static void
random_bytes(void **state)
{
    static const uint8_t start[8] = { 'W', 'B', 'A', 'K', 1, 0, 0, 0 };
    unsigned seed = 1;
    unsigned round;

    (void) state;
    for (round = 0; round < 20000; round++) {
        size_t len = round % 400;
        uint8_t *block = malloc(len ? len : 1);
        wba_keyset_t set = { block, len };
        uint64_t size = len;
        size_t i;

        for (i = 0; i < len; i++) {
            seed = seed * 1103515245 + 12345;
            block[i] = (uint8_t) (seed >> 16) & (uint8_t) (seed >> 24);
        }
        if (len >= HEADER) {
            memcpy(block, start, sizeof(start));
            memcpy(block + AT_SIZE, &size, sizeof(size));
            memset(block + AT_COUNT + 1, 0, 7);
            block[AT_COUNT] &= 3;
        }
        if (wba_keyset_check(set) == WBA_OK) {
            sink = read_all(set);
        }
        free(block);
    }
}

static void
versions(void **state)
{
    wba_keyset_t set = three_keys();
    uint8_t *data = (uint8_t *) set.data;

    (void) state;
    data[AT_VERSION] ^= 3;
    assert_int_equal(wba_keyset_check(set), WBA_UNSUPPORTED);
    data[0] ^= 1;
    assert_int_equal(wba_keyset_check(set), WBA_INVALID);
    drop(set);
}

/* Nothing depends on alignment (UBSan sees a misaligned read). */
static void
misaligned(void **state)
{
    wba_keyset_t set = three_keys();
    size_t shift;

    (void) state;
    for (shift = 1; shift < 8; shift++) {
        uint8_t *block = malloc(set.size + shift);
        wba_keyset_t moved = { block + shift, set.size };

        memcpy(block + shift, set.data, set.size);
        assert_int_equal(wba_keyset_check(moved), WBA_OK);
        assert_int_equal(read_all(moved), read_all(set));
        free(block);
    }
    drop(set);
}

static void
many(void **state)
{
    wba_keyset_builder_t *b = wba_keyset_builder_new();
    wba_keyset_t set;
    wba_key_t key;
    size_t i;

    (void) state;
    for (i = 0; i < 20000; i++) {
        key = key_of(WBA_KEY_ED25519, WBA_ALG_ED25519, 32, 0, i % 500);
        key.nbf = (int64_t) i;
        assert_int_equal(wba_keyset_builder_add(b, &key), WBA_OK);
    }
    assert_int_equal(wba_keyset_builder_take(b, &set), WBA_OK);
    wba_keyset_builder_free(b);
    assert_int_equal(wba_keyset_check(set), WBA_OK);
    assert_int_equal(wba_keyset_count(set), 20000);
    for (i = 0; i < 20000; i++) {
        wba_keyset_key(set, i, &key);
        assert_int_equal(key.nbf, i);
        assert_int_equal(key.kid.len, i % 500);
    }
    drop(set);
}

/* By kid and by thumbprint, each key; nothing by an empty keyid. */
static void
has(void **state)
{
    wba_keyset_t set = three_keys();
    uint8_t text[WBA_THUMBPRINT_TEXT_SIZE];
    wba_key_t key;
    size_t i;

    (void) state;
    for (i = 0; i < wba_keyset_count(set); i++) {
        wba_keyset_key(set, i, &key);
        wba_thumbprint_text(key.thumbprint, text);
        assert_true(wba_keyset_has(set, wba_str(text, sizeof(text))));
        assert_int_equal(wba_keyset_has(set, key.kid), key.kid.len != 0);
        text[0] = text[0] == 'A' ? 'B' : 'A';
        assert_false(wba_keyset_has(set, wba_str(text, sizeof(text))));
    }
    assert_false(wba_keyset_has(set, WBA_STR("nobody's")));
    assert_false(wba_keyset_has(set, WBA_STR("")));
    drop(set);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(empty),
        cmocka_unit_test(spent),
        cmocka_unit_test(unsound_keys),
        cmocka_unit_test(truncated),
        cmocka_unit_test(longer),
        cmocka_unit_test(each_byte),
        cmocka_unit_test(hostile_numbers),
        cmocka_unit_test(random_bytes),
        cmocka_unit_test(versions),
        cmocka_unit_test(misaligned),
        cmocka_unit_test(many),
        cmocka_unit_test(has),
    };
    size_t i;

    for (i = 0; i < sizeof(noise); i++) {
        noise[i] = (uint8_t) (i * 7 + 1);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
