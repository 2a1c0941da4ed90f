/* SPDX-License-Identifier: BSD-2-Clause */
/* core/keyring: which keys a keyid names, in which order, at which cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "failing.h"

/* keyring.c is compiled in here, with allocators that can fail. */
#define malloc(size) fail_malloc(size)
#define calloc(n, size) fail_calloc(n, size)
#define add keyring_add
#include "../../src/core/keyring.c"
#undef malloc
#undef calloc
#undef add

#include "wba_limits.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* A key whose thumbprint and public part are made of a number. */
typedef struct {
    unsigned id;
    const char *kid; /* NULL: none; "=": its own thumbprint; else "=N": that
                        of key N; else as it is */
} made_t;

static void
thumbprint_of(unsigned id, uint8_t out[WBA_THUMBPRINT_SIZE])
{
    memset(out, 0xa5, WBA_THUMBPRINT_SIZE);
    memcpy(out + 3, &id, sizeof(id));
}

static wba_str_t
text_of(unsigned id, uint8_t out[WBA_THUMBPRINT_TEXT_SIZE])
{
    uint8_t thumbprint[WBA_THUMBPRINT_SIZE];

    thumbprint_of(id, thumbprint);
    wba_thumbprint_text(thumbprint, out);
    return wba_str(out, WBA_THUMBPRINT_TEXT_SIZE);
}

static void
add(wba_keyset_builder_t *b, unsigned id, const char *kid)
{
    uint8_t text[WBA_THUMBPRINT_TEXT_SIZE];
    uint8_t thumbprint[WBA_THUMBPRINT_SIZE];
    wba_key_t key = { 0 };

    thumbprint_of(id, thumbprint);
    key.type = WBA_KEY_ED25519;
    key.algs = WBA_ALG_ED25519;
    key.thumbprint = thumbprint;
    key.pub = wba_str(thumbprint, 32);
    key.kid = wba_str_z(kid);
    if (kid != NULL && kid[0] == '=') {
        key.kid = text_of(kid[1] ? (unsigned) atoi(kid + 1) : id, text);
    }
    assert_int_equal(wba_keyset_builder_add(b, &key), WBA_OK);
}

static wba_keyset_t
take(wba_keyset_builder_t *b)
{
    wba_keyset_t set;

    assert_int_equal(wba_keyset_builder_take(b, &set), WBA_OK);
    wba_keyset_builder_free(b);
    return set;
}

static wba_keyset_t
set_of(const made_t *keys, size_t n)
{
    wba_keyset_builder_t *b = wba_keyset_builder_new();
    size_t i;

    for (i = 0; i < n; i++) {
        add(b, keys[i].id, keys[i].kid);
    }
    return take(b);
}

static void
drop(wba_keyset_t set)
{
    free((void *) set.data);
}

/* "directory/id:flags" of each match in order; T by thumbprint, K by kid. */
static void
expect(const wba_keyring_t *ring, wba_str_t keyid, const char *want)
{
    char got[1000] = "";
    wba_keyring_match_t m;
    size_t cursor = 0;
    size_t len = 0;
    unsigned id;

    while (wba_keyring_next(ring, keyid, &cursor, &m) == WBA_OK) {
        assert_int_equal(m.key.pub.len, 32);
        assert_memory_equal(m.key.pub.data, m.key.thumbprint, 32);
        memcpy(&id, m.key.thumbprint + 3, sizeof(id));
        len += (size_t) snprintf(got + len, sizeof(got) - len, "%s%u/%u:%s%s",
                                 len ? " " : "", m.directory, id,
                                 m.by_thumbprint ? "T" : "",
                                 m.by_kid ? "K" : "");
        assert_true(len < sizeof(got));
    }
    assert_string_equal(got, want);
    assert_int_equal(wba_keyring_next(ring, keyid, &cursor, &m), WBA_END);
    assert_int_equal(wba_keyring_next(ring, keyid, &cursor, &m), WBA_END);
}

static void
expect_id(const wba_keyring_t *ring, unsigned id, const char *want)
{
    uint8_t text[WBA_THUMBPRINT_TEXT_SIZE];

    expect(ring, text_of(id, text), want);
}

/* Three directories: kids alone, kids shared, kids that are thumbprints. */
static const made_t first[] = {
    { 1, NULL }, { 2, "=" }, { 3, "key" }, { 4, "key" }, { 5, "=9" },
};
static const made_t second[] = { { 6, "key" }, { 1, "other" }, { 9, NULL } };
static const made_t third[] = { { 7, "key" }, { 8, "=1" }, { 10, "key" } };

static wba_keyring_t *
three_directories(void)
{
    static const unsigned directories[] = { 70, 50, 60 };
    wba_keyset_t sets[] = { set_of(first, COUNT(first)),
                            set_of(second, COUNT(second)),
                            set_of(third, COUNT(third)) };
    wba_keyring_t *ring = wba_keyring_new(sets, directories, COUNT(sets));
    size_t i;

    assert_non_null(ring);
    for (i = 0; i < COUNT(sets); i++) { /* the ring has copies */
        memset((void *) sets[i].data, 0xee, sets[i].size);
        drop(sets[i]);
    }
    return ring;
}

static void
matches(void **state)
{
    wba_keyring_t *ring = three_directories();

    (void) state;
    assert_int_equal(wba_keyring_count(ring), 11);
    expect(ring, WBA_STR("key"), "70/3:K 70/4:K 50/6:K 60/7:K 60/10:K");
    expect(ring, WBA_STR("other"), "50/1:K");
    expect_id(ring, 1, "70/1:T 50/1:T 60/8:K");
    expect_id(ring, 2, "70/2:TK");
    expect_id(ring, 3, "70/3:T");
    expect_id(ring, 9, "70/5:K 50/9:T");
    expect_id(ring, 11, "");
    wba_keyring_free(ring);
}

static void
no_match(void **state)
{
    static uint8_t longest[WBA_MAX_KID + 1];
    wba_keyring_t *ring = three_directories();
    uint8_t text[WBA_THUMBPRINT_TEXT_SIZE];
    wba_str_t id = text_of(2, text);

    (void) state;
    expect(ring, WBA_STR_NONE, "");
    expect(ring, WBA_STR(""), "");
    expect(ring, WBA_STR("ke"), "");
    expect(ring, WBA_STR("key "), "");
    expect(ring, WBA_STR("Key"), "");
    expect(ring, wba_str(longest, sizeof(longest)), "");
    expect(ring, wba_str(longest, sizeof(longest) - 1), "");
    expect(ring, wba_str(id.data, id.len - 1), "");
    text[42] ^= 1; /* not the canonical text of any 32 bytes */
    expect(ring, id, "");
    wba_keyring_free(ring);
}

/* A ring is there as a whole or not at all. */
static void
no_memory(void **state)
{
    static const unsigned directory = 3;
    wba_keyset_t set = set_of(first, COUNT(first));
    wba_keyring_t *ring = NULL;
    int n;

    (void) state;
    for (n = 0; ring == NULL; n++) {
        memory_left = n;
        ring = wba_keyring_new(&set, &directory, 1);
        assert_int_equal(ring == NULL, memory_left == -1);
    }
    memory_left = -1;
    assert_int_equal(n, 6); /* five allocations */
    expect(ring, WBA_STR("key"), "3/3:K 3/4:K");
    wba_keyring_free(ring);
    drop(set);
}

static void
empty(void **state)
{
    wba_keyset_t set = set_of(NULL, 0);
    unsigned directory = 3;
    wba_keyring_t *ring = wba_keyring_new(NULL, NULL, 0);

    (void) state;
    assert_non_null(ring);
    assert_int_equal(wba_keyring_count(ring), 0);
    expect(ring, WBA_STR("key"), "");
    wba_keyring_free(ring);
    ring = wba_keyring_new(&set, &directory, 1);
    expect(ring, WBA_STR("key"), "");
    wba_keyring_free(ring);
    wba_keyring_free(NULL);
    drop(set);
}

/* Takes one match of a set and passes over the rest of it. */
static void
skip_set(void **state)
{
    wba_keyring_t *ring = three_directories();
    wba_keyring_match_t m;
    size_t cursor = 0;
    unsigned want[] = { 70, 50, 60 };
    size_t i;

    (void) state;
    wba_keyring_skip_set(ring, &cursor); /* before the first: no effect */
    assert_int_equal(cursor, 0);
    for (i = 0; i < COUNT(want); i++) {
        assert_int_equal(
            wba_keyring_next(ring, WBA_STR("key"), &cursor, &m), WBA_OK);
        assert_int_equal(m.directory, want[i]);
        wba_keyring_skip_set(ring, &cursor);
    }
    assert_int_equal(wba_keyring_next(ring, WBA_STR("key"), &cursor, &m),
                     WBA_END);
    wba_keyring_skip_set(ring, &cursor);
    assert_int_equal(wba_keyring_next(ring, WBA_STR("key"), &cursor, &m),
                     WBA_END);
    wba_keyring_free(ring);
}

/* Cursors that never came from the ring end the walk or yield some key. */
static void
wild_cursors(void **state)
{
    static const size_t wild[] = { 1, 7, 19, 20, 21, 22, 23, 1000, UINT32_MAX,
                                   (size_t) UINT32_MAX + 1, SIZE_MAX };
    wba_keyring_t *ring = three_directories();
    wba_keyring_match_t m;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(wild); i++) {
        size_t cursor = wild[i];

        wba_keyring_skip_set(ring, &cursor);
        (void) wba_keyring_next(ring, WBA_STR("key"), &cursor, &m);
    }
    wba_keyring_free(ring);
}

/* A hundred thousand keys of one kid (a build that walked chains would take
 * minutes), before the one key of an honest directory: those that could be
 * tried are yielded, and no request walks over the rest. */
static void
hostile_kid(void **state)
{
    enum { N = 100000 };
    static const made_t honest[] = { { N, "victim" }, { N + 1, NULL } };
    static const unsigned directories[] = { 1, 2 };
    wba_keyset_builder_t *b = wba_keyset_builder_new();
    wba_keyring_match_t m;
    wba_keyset_t sets[2];
    wba_keyring_t *ring;
    size_t cursor = 0;
    unsigned i;
    unsigned id;

    (void) state;
    for (i = 0; i < N; i++) {
        add(b, i, "victim");
    }
    sets[0] = take(b);
    sets[1] = set_of(honest, COUNT(honest));
    ring = wba_keyring_new(sets, directories, 2);
    assert_non_null(ring);
    for (i = 0; i <= WBA_MAX_CANDIDATES; i++) {
        assert_int_equal(
            wba_keyring_next(ring, WBA_STR("victim"), &cursor, &m), WBA_OK);
        memcpy(&id, m.key.thumbprint + 3, sizeof(id));
        assert_int_equal(id, i < WBA_MAX_CANDIDATES ? i : N);
        assert_int_equal(m.directory, i < WBA_MAX_CANDIDATES ? 1 : 2);
    }
    expect_id(ring, N - 1, "1/99999:T"); /* by its thumbprint, as ever */
    assert_int_equal(wba_keyring_next(ring, WBA_STR("victim"), &cursor, &m),
                     WBA_END);

    cursor = 0;
    (void) wba_keyring_next(ring, WBA_STR("victim"), &cursor, &m);
    wba_keyring_skip_set(ring, &cursor);
    assert_int_equal(wba_keyring_next(ring, WBA_STR("victim"), &cursor, &m),
                     WBA_OK);
    assert_int_equal(m.directory, 2);
    expect_id(ring, N + 1, "2/100001:T");
    wba_keyring_free(ring);
    drop(sets[0]);
    drop(sets[1]);
}

/* A key that has the keyid for its thumbprint is yielded, whatever number of
 * its neighbours in the set have it for a kid, before or behind it. */
static void
neighbours_in_a_set(void **state)
{
    enum { N = 20 };
    static const unsigned directory = 1;
    char text[WBA_THUMBPRINT_TEXT_SIZE + 1] = "";
    uint8_t thumbprint[WBA_THUMBPRINT_SIZE];
    unsigned i, at, found, id;

    (void) state;
    for (at = 0; at < N; at += N - 1) {
        wba_keyset_builder_t *b = wba_keyset_builder_new();
        wba_keyring_match_t m;
        wba_keyring_t *ring;
        wba_keyset_t set;
        size_t cursor = 0;

        thumbprint_of(at, thumbprint);
        wba_thumbprint_text(thumbprint, (uint8_t *) text);
        for (i = 0; i < N; i++) {
            add(b, i, i == at ? NULL : text);
        }
        set = take(b);
        ring = wba_keyring_new(&set, &directory, 1);
        assert_non_null(ring);
        found = 0;
        for (i = 0; wba_keyring_next(ring, wba_str_z(text), &cursor, &m)
                    == WBA_OK; i++)
        {
            memcpy(&id, m.key.thumbprint + 3, sizeof(id));
            found += m.by_thumbprint && id == at;
        }
        assert_int_equal(i, WBA_MAX_CANDIDATES + 1);
        assert_int_equal(found, 1);
        wba_keyring_free(ring);
        drop(set);
    }
}

/* Many keys, many sets: each is found by both its names, no other is. */
static void
many(void **state)
{
    enum { SETS = 50, KEYS = 1000 };
    static wba_keyset_t sets[SETS];
    static unsigned directories[SETS];
    wba_keyring_t *ring;
    char kid[40];
    char want[60];
    unsigned s;
    unsigned k;

    (void) state;
    for (s = 0; s < SETS; s++) {
        wba_keyset_builder_t *b = wba_keyset_builder_new();

        for (k = 0; k < KEYS; k++) {
            (void) snprintf(kid, sizeof(kid), "kid-%u-%u", s, k);
            add(b, s * KEYS + k, kid);
        }
        sets[s] = take(b);
        directories[s] = s + 1000;
    }
    ring = wba_keyring_new(sets, directories, SETS);
    assert_non_null(ring);
    assert_int_equal(wba_keyring_count(ring), SETS * KEYS);
    for (s = 0; s < SETS; s++) {
        for (k = 0; k < KEYS; k++) {
            (void) snprintf(kid, sizeof(kid), "kid-%u-%u", s, k);
            (void) snprintf(want, sizeof(want), "%u/%u:K", s + 1000,
                            s * KEYS + k);
            expect(ring, wba_str_z(kid), want);
            want[strlen(want) - 1] = 'T';
            expect_id(ring, s * KEYS + k, want);
        }
        drop(sets[s]);
    }
    expect_id(ring, SETS * KEYS, "");
    expect(ring, WBA_STR("kid-50-0"), "");
    wba_keyring_free(ring);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches),     cmocka_unit_test(no_match),
        cmocka_unit_test(empty),       cmocka_unit_test(skip_set),
        cmocka_unit_test(wild_cursors), cmocka_unit_test(hostile_kid),
        cmocka_unit_test(neighbours_in_a_set),
        cmocka_unit_test(many),
        cmocka_unit_test(no_memory),
    };

    if (wba_crypto_init() != WBA_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
