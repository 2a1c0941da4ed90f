/* SPDX-License-Identifier: BSD-2-Clause */
/* core/state: what goes in comes out, and nothing else does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* state.c is compiled in here, with an allocator that can fail. */
static int no_memory;

static void *
fail_malloc(size_t size)
{
    return no_memory ? NULL : malloc(size);
}

#define malloc(size) fail_malloc(size)
#include "../../src/core/state.c"
#undef malloc

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define AT_VERSION 4
#define AT_SUM 8
#define AT_SIZE 40
#define AT_FETCHED 56
#define AT_LIFETIME 64
#define AT_SET_SIZE 72
#define AT_URL 80
#define AT_ETAG 82
#define AT_MODIFIED 84
#define AT_UNUSED 86
#define HEAD 88

#define URL "https://a.example/keys"
#define ETAG "W/\"1\""
#define MODIFIED "Tue, 14 Nov 2023 22:13:20 GMT"

typedef struct {
    uint8_t *data;
    size_t size;
} record_t;

static uint8_t noise[64]; /* a key's bytes and its thumbprint */

static wba_keyset_t
keys(size_t count)
{
    wba_keyset_builder_t *b = wba_keyset_builder_new();
    wba_key_t key = { 0 };
    wba_keyset_t set;
    size_t i;

    assert_non_null(b);
    for (i = 0; i < sizeof(noise); i++) {
        noise[i] = (uint8_t) (i * 37);
    }
    key.type = WBA_KEY_ED25519;
    key.algs = WBA_ALG_ED25519;
    key.thumbprint = noise + 32;
    key.pub = wba_str(noise, 32);
    key.kid = WBA_STR("kid");
    for (i = 0; i < count; i++) {
        key.nbf = (int64_t) i;
        assert_int_equal(wba_keyset_builder_add(b, &key), WBA_OK);
    }
    assert_int_equal(wba_keyset_builder_take(b, &set), WBA_OK);
    wba_keyset_builder_free(b);
    return set;
}

static wba_state_t
example(wba_keyset_t set)
{
    wba_state_t s = { 0 };

    s.settings = UINT64_C(0xfedcba9876543210);
    s.fetched = 1700000000;
    s.lifetime = 3600;
    s.url = WBA_STR(URL);
    s.etag = WBA_STR(ETAG);
    s.last_modified = WBA_STR(MODIFIED);
    s.set = set;
    return s;
}

static record_t
written(size_t count)
{
    wba_keyset_t set = keys(count);
    wba_state_t s = example(set);
    record_t r;

    assert_int_equal(wba_state_write(&s, &r.data, &r.size), WBA_OK);
    free((void *) set.data);
    return r;
}

/* Reads a copy of its exact size; the views in *state are dead afterwards. */
static wba_status_t
read_copy(const void *data, size_t size, wba_state_t *state, const char **why)
{
    uint8_t *copy = malloc(size ? size : 1);
    wba_status_t status;

    assert_non_null(copy);
    if (size) {
        memcpy(copy, data, size);
    }
    memset(state, 0xee, sizeof(*state));
    *why = NULL;
    status = wba_state_read(wba_str(copy, size), state, why);
    free(copy);
    assert_non_null(*why);
    return status;
}

static void
expect_refused(const void *data, size_t size, wba_status_t want,
               const char *phrase)
{
    static const wba_state_t nothing;
    wba_state_t state;
    wba_status_t got;
    const char *why;

    got = read_copy(data, size, &state, &why);
    if (got != want || strcmp(why, phrase) != 0) {
        fail_msg("%d \"%s\" instead of %d \"%s\"", (int) got, why, (int) want,
                 phrase);
    }
    assert_memory_equal(&state, &nothing, sizeof(state));
}

/* Makes the checksum right again, as somebody would who forges one. */
static void
seal(record_t *r)
{
    assert_true(checksum(r->data, r->size, r->data + AT_SUM));
}

static void
put16(record_t *r, size_t at, uint16_t value)
{
    memcpy(r->data + at, &value, sizeof(value));
}

static void
put64(record_t *r, size_t at, uint64_t value)
{
    memcpy(r->data + at, &value, sizeof(value));
}

static void
expect_same(const wba_state_t *a, const wba_state_t *b)
{
    assert_true(a->settings == b->settings);
    assert_true(a->fetched == b->fetched);
    assert_true(a->lifetime == b->lifetime);
    assert_true(wba_str_eq(a->url, b->url));
    assert_true(wba_str_eq(a->etag, b->etag));
    assert_true(wba_str_eq(a->last_modified, b->last_modified));
    assert_true(wba_str_eq(wba_str(a->set.data, a->set.size),
                           wba_str(b->set.data, b->set.size)));
}

/* Writes, reads, compares, on every alignment. */
static void
expect_round_trip(const wba_state_t *in)
{
    size_t size, shift;
    const char *why;
    uint8_t *data, *moved;
    wba_state_t out;

    assert_int_equal(wba_state_write(in, &data, &size), WBA_OK);
    assert_int_equal(size, HEAD + in->url.len + in->etag.len
                               + in->last_modified.len + in->set.size);
    for (shift = 0; shift < 9; shift++) {
        moved = malloc(size + shift);
        assert_non_null(moved);
        memcpy(moved + shift, data, size);
        why = NULL;
        assert_int_equal(wba_state_read(wba_str(moved + shift, size), &out,
                                        &why),
                         WBA_OK);
        assert_string_equal(why, "");
        expect_same(in, &out);
        assert_ptr_equal(out.url.data, moved + shift + HEAD);
        assert_int_equal(wba_keyset_check(out.set), WBA_OK);
        assert_int_equal(wba_keyset_count(out.set), wba_keyset_count(in->set));
        free(moved);
    }
    free(data);
}

static void
test_round_trip(void **state)
{
    static const int64_t times[] = { 0, 1, 1700000000, LATEST };
    wba_keyset_t none = keys(0), some = keys(3);
    wba_state_t s = example(some);
    size_t i, len;

    (void) state;
    expect_round_trip(&s);
    for (len = 0; len < 20; len++) { /* every place of the set in the block */
        s.url.len = len;
        expect_round_trip(&s);
    }
    s = example(none);
    expect_round_trip(&s);
    s.url = s.etag = s.last_modified = WBA_STR_NONE;
    expect_round_trip(&s);
    s.etag = WBA_STR("\0\xff\n");
    expect_round_trip(&s);
    for (i = 0; i < COUNT(times); i++) {
        s.fetched = times[i];
        s.lifetime = times[COUNT(times) - 1 - i];
        s.settings = i ? UINT64_MAX : 0;
        expect_round_trip(&s);
    }
    free((void *) none.data);
    free((void *) some.data);
}

/* A key that comes back is the key. */
static void
test_keys_come_back(void **state)
{
    record_t r = written(2);
    const char *why;
    wba_state_t s;
    wba_key_t key;

    (void) state;
    assert_int_equal(wba_state_read(wba_str(r.data, r.size), &s, &why),
                     WBA_OK);
    assert_int_equal(wba_keyset_count(s.set), 2);
    wba_keyset_key(s.set, 1, &key);
    assert_int_equal(key.type, WBA_KEY_ED25519);
    assert_int_equal(key.algs, WBA_ALG_ED25519);
    assert_int_equal(key.nbf, 1);
    assert_true(wba_str_eq(key.pub, wba_str(noise, 32)));
    assert_true(wba_str_eq(key.kid, WBA_STR("kid")));
    assert_memory_equal(key.thumbprint, noise + 32, WBA_THUMBPRINT_SIZE);
    free(r.data);
}

/* The same state gives the same bytes. */
static void
test_bytes_are_settled(void **state)
{
    record_t a = written(1), b = written(1);

    (void) state;
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    free(a.data);
    free(b.data);
}

static void
expect_unwritable(const wba_state_t *s, wba_status_t want)
{
    uint8_t *data = noise;
    size_t size = 17;

    assert_int_equal(wba_state_write(s, &data, &size), want);
    assert_null(data);
    assert_int_equal(size, 0);
}

static void
test_parts_too_long(void **state)
{
    static const uint8_t text[UINT16_MAX + 1];
    wba_keyset_t set = keys(1);
    wba_state_t s;
    int part;

    (void) state;
    for (part = 0; part < 3; part++) {
        wba_str_t *it;

        s = example(set);
        it = part == 0 ? &s.url : part == 1 ? &s.etag : &s.last_modified;
        *it = wba_str(text, UINT16_MAX);
        expect_round_trip(&s);
        *it = wba_str(text, UINT16_MAX + 1);
        expect_unwritable(&s, WBA_INVALID);
        *it = wba_str(text, SIZE_MAX);
        expect_unwritable(&s, WBA_INVALID);
    }
    s.url = s.etag = s.last_modified = wba_str(text, UINT16_MAX);
    expect_round_trip(&s);
    free((void *) set.data);
}

static void
test_unwritable(void **state)
{
    static const int64_t bad[] = { -1, INT64_MIN, LATEST + 1, INT64_MAX };
    wba_keyset_t set = keys(1);
    wba_state_t s;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(bad); i++) {
        s = example(set);
        s.fetched = bad[i];
        expect_unwritable(&s, WBA_INVALID);
        s = example(set);
        s.lifetime = bad[i];
        expect_unwritable(&s, WBA_INVALID);
    }
    s = example(set);
    s.set.data = NULL;
    expect_unwritable(&s, WBA_INVALID);
    s = example(set);
    s.set.size--;
    expect_unwritable(&s, WBA_INVALID);
    s.set.size = 0;
    expect_unwritable(&s, WBA_INVALID);

    /* a set of another version is no set either */
    ((uint8_t *) set.data)[4]++;
    s = example(set);
    expect_unwritable(&s, WBA_INVALID);
    ((uint8_t *) set.data)[4]--;

    no_memory = 1;
    expect_unwritable(&s, WBA_NO_MEMORY);
    no_memory = 0;
    free((void *) set.data);
}

static void
test_truncation(void **state)
{
    record_t r = written(1);
    size_t len;

    (void) state;
    expect_refused(NULL, 0, WBA_INVALID, "it is cut short");
    for (len = 0; len < r.size; len++) {
        expect_refused(r.data, len, WBA_INVALID, "it is cut short");
    }
    free(r.data);
}

static void
test_too_long(void **state)
{
    record_t r = written(1);
    uint8_t *longer = calloc(2, r.size);
    size_t len;

    (void) state;
    assert_non_null(longer);
    memcpy(longer, r.data, r.size);
    memcpy(longer + r.size, r.data, r.size);
    for (len = r.size + 1; len <= 2 * r.size; len++) {
        expect_refused(longer, len, WBA_INVALID, "it is too long");
    }
    free(longer);
    free(r.data);
}

/* Every single bit, and every byte to each extreme. */
static void
test_flipped(void **state)
{
    record_t r = written(1);
    wba_status_t want, got;
    const char *why;
    wba_state_t s;
    size_t i;
    int bit;

    (void) state;
    for (i = 0; i < r.size; i++) {
        want = i < AT_SUM ? WBA_UNSUPPORTED : WBA_INVALID;
        for (bit = 0; bit < 8; bit++) {
            r.data[i] ^= (uint8_t) (1U << bit);
            got = read_copy(r.data, r.size, &s, &why);
            r.data[i] ^= (uint8_t) (1U << bit);
            if (got != want || why[0] == '\0') {
                fail_msg("byte %zu, bit %d: %d %s", i, bit, (int) got, why);
            }
        }
        r.data[i] ^= 0xff;
        assert_int_equal(read_copy(r.data, r.size, &s, &why), want);
        r.data[i] ^= 0xff;
    }
    assert_int_equal(read_copy(r.data, r.size, &s, &why), WBA_OK);
    free(r.data);
}

/* Two bytes that change places. */
static void
test_swapped(void **state)
{
    record_t r = written(1);
    const char *why;
    wba_state_t s;
    size_t i;

    (void) state;
    for (i = 1; i < r.size; i++) {
        uint8_t a = r.data[i - 1], b = r.data[i];

        r.data[i - 1] = b;
        r.data[i] = a;
        assert_int_equal(read_copy(r.data, r.size, &s, &why) == WBA_OK,
                         a == b);
        r.data[i - 1] = a;
        r.data[i] = b;
    }
    free(r.data);
}

static void
test_foreign(void **state)
{
    static const char other[] = "it is of another version or machine";
    uint8_t text[400];
    record_t r = written(1);
    uint32_t magic, swapped;

    (void) state;
    memset(text, 0, sizeof(text));
    expect_refused(text, sizeof(text), WBA_UNSUPPORTED, other);
    memset(text, 0xff, sizeof(text));
    expect_refused(text, sizeof(text), WBA_UNSUPPORTED, other);
    memset(text, 'x', sizeof(text));
    expect_refused(text, HEAD, WBA_UNSUPPORTED, other);
    expect_refused(text, HEAD - 1, WBA_INVALID, "it is cut short");
    expect_refused("", 0, WBA_INVALID, "it is cut short");

    /* the other byte order */
    memcpy(&magic, r.data, sizeof(magic));
    swapped = magic >> 24 | (magic >> 8 & 0xff00) | (magic << 8 & 0xff0000)
              | magic << 24;
    memcpy(r.data, &swapped, sizeof(swapped));
    expect_refused(r.data, r.size, WBA_UNSUPPORTED, other);
    memcpy(r.data, &magic, sizeof(magic));

    /* versions, also of a sum that is right */
    r.data[AT_VERSION] = 0;
    seal(&r);
    expect_refused(r.data, r.size, WBA_UNSUPPORTED, other);
    r.data[AT_VERSION] = 2;
    seal(&r);
    expect_refused(r.data, r.size, WBA_UNSUPPORTED, other);
    free(r.data);
}

/* Forged records, whose checksum is right. */
static void
test_sealed(void **state)
{
    static const struct {
        size_t at;
        unsigned bits;
        uint64_t value;
    } forged[] = {
        { AT_FETCHED, 64, UINT64_MAX },
        { AT_FETCHED, 64, UINT64_C(1) << 63 },
        { AT_FETCHED, 64, INT64_MAX },
        { AT_FETCHED, 64, LATEST + 1 },
        { AT_LIFETIME, 64, UINT64_MAX },
        { AT_LIFETIME, 64, UINT64_C(1) << 63 },
        { AT_LIFETIME, 64, INT64_MAX },
        { AT_LIFETIME, 64, LATEST + 1 },
        { AT_SET_SIZE, 64, 0 },
        { AT_SET_SIZE, 64, 8 },
        { AT_SET_SIZE, 64, UINT64_MAX },
        { AT_SET_SIZE, 64, UINT64_C(1) << 63 },
        { AT_SET_SIZE, 64, UINT64_MAX - HEAD + 1 },
        { AT_URL, 16, 0 },
        { AT_URL, 16, UINT16_MAX },
        { AT_URL, 16, sizeof(URL) },
        { AT_URL, 16, sizeof(URL) - 2 },
        { AT_ETAG, 16, 0 },
        { AT_ETAG, 16, UINT16_MAX },
        { AT_MODIFIED, 16, 0 },
        { AT_MODIFIED, 16, UINT16_MAX },
        { AT_UNUSED, 16, 1 },
        { AT_UNUSED, 16, UINT16_MAX },
    };
    const char *why;
    wba_state_t s;
    record_t r;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(forged); i++) {
        r = written(1);
        seal(&r);
        assert_int_equal(read_copy(r.data, r.size, &s, &why), WBA_OK);
        if (forged[i].bits == 16) {
            put16(&r, forged[i].at, (uint16_t) forged[i].value);
        } else {
            put64(&r, forged[i].at, forged[i].value);
        }
        seal(&r);
        expect_refused(r.data, r.size, WBA_INVALID, "it is damaged");
        free(r.data);
    }
    /* what is between them may be shared out anew, since it is text */
    r = written(1);
    put16(&r, AT_URL, sizeof(URL));
    put16(&r, AT_ETAG, sizeof(ETAG) - 2);
    seal(&r);
    assert_int_equal(read_copy(r.data, r.size, &s, &why), WBA_OK);
    free(r.data);
}

/* The whole's size, right checksum or not. */
static void
test_sealed_size(void **state)
{
    record_t r = written(1);

    (void) state;
    put64(&r, AT_SIZE, r.size + 1);
    seal(&r);
    expect_refused(r.data, r.size, WBA_INVALID, "it is cut short");
    put64(&r, AT_SIZE, UINT64_MAX);
    seal(&r);
    expect_refused(r.data, r.size, WBA_INVALID, "it is cut short");
    put64(&r, AT_SIZE, r.size - 1);
    seal(&r);
    expect_refused(r.data, r.size, WBA_INVALID, "it is too long");
    put64(&r, AT_SIZE, 0);
    seal(&r);
    expect_refused(r.data, r.size, WBA_INVALID, "it is too long");

    /* a header and nothing behind it */
    r.size = HEAD;
    put64(&r, AT_SIZE, HEAD);
    seal(&r);
    expect_refused(r.data, r.size, WBA_INVALID, "it is damaged");
    memset(r.data + AT_SET_SIZE, 0, HEAD - AT_SET_SIZE);
    seal(&r);
    expect_refused(r.data, r.size, WBA_INVALID, "its key set is damaged");
    free(r.data);
}

/*
 * Every bit of the key set flipped under a checksum that is right: what
 * wba_keyset_check refuses is refused here, and what it takes (the keys' own
 * bytes) is taken.
 */
static void
test_sealed_set(void **state)
{
    record_t r = written(1);
    size_t i, first, size, refused = 0;
    wba_status_t check;
    const char *why;
    wba_state_t s;
    int bit;

    (void) state;
    assert_int_equal(wba_state_read(wba_str(r.data, r.size), &s, &why),
                     WBA_OK);
    size = s.set.size;
    first = r.size - size;
    for (i = first; i < r.size; i++) {
        for (bit = 0; bit < 8; bit++) {
            r.data[i] ^= (uint8_t) (1U << bit);
            seal(&r);
            check = wba_keyset_check((wba_keyset_t) { r.data + first, size });
            if (check == WBA_OK) {
                assert_int_equal(read_copy(r.data, r.size, &s, &why), WBA_OK);
            } else {
                expect_refused(r.data, r.size, WBA_INVALID,
                               "its key set is damaged");
                refused++;
            }
            r.data[i] ^= (uint8_t) (1U << bit);
        }
    }
    assert_true(refused > 300); /* the set's header, and most of a record */
    free(r.data);
}

/* Random bytes behind a header that is right as far as it goes. */
static void
test_noise(void **state)
{
    const char *why;
    wba_state_t s;
    record_t r;
    size_t i, n;

    (void) state;
    r.data = malloc(600);
    assert_non_null(r.data);
    for (n = 0; n < 3000; n++) {
        static const uint32_t begin[2] = { MAGIC, VERSION };

        r.size = HEAD + n % 500;
        randombytes_buf_deterministic(
            r.data, r.size,
            (const unsigned char[randombytes_SEEDBYTES]) {
                (unsigned char) n, (unsigned char) (n >> 8) });
        memcpy(r.data, begin, sizeof(begin));
        put64(&r, AT_SIZE, r.size);
        for (i = AT_FETCHED; i < HEAD && n % 2; i++) {
            r.data[i] = i % 8 ? 0 : r.data[i];
        }
        seal(&r);
        assert_int_equal(read_copy(r.data, r.size, &s, &why), WBA_INVALID);
    }
    free(r.data);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_keys_come_back),
        cmocka_unit_test(test_bytes_are_settled),
        cmocka_unit_test(test_parts_too_long),
        cmocka_unit_test(test_unwritable),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_flipped),
        cmocka_unit_test(test_swapped),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_sealed),
        cmocka_unit_test(test_sealed_size),
        cmocka_unit_test(test_sealed_set),
        cmocka_unit_test(test_noise),
    };

    if (wba_crypto_init() != WBA_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
