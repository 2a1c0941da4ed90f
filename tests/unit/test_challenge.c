/* SPDX-License-Identifier: BSD-2-Clause */
/* core/challenge: nonces that are recognised, and whatever is not one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sodium.h>

#include "challenge.h"
#include "wba_limits.h"

#define NOW 1700000000
#define END (NOW + WBA_CHALLENGE_LIFETIME)
#define R(name) WBA_REASON_##name
#define SHOP WBA_STR("shop.example")

#define OCTETS (WBA_CHALLENGE_SIZE / 4 * 3)
#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

typedef struct {
    wba_challenge_key_t key;
    uint8_t random[WBA_CHALLENGE_RANDOM_SIZE];
    uint8_t nonce[WBA_CHALLENGE_SIZE];
} case_t;

static void
make(case_t *c)
{
    size_t i;

    wba_challenge_derive(&c->key, "0123456789abcdef", 16);
    for (i = 0; i < sizeof(c->random); i++) {
        c->random[i] = (uint8_t) (i * 37 + 11);
    }
    wba_challenge_make(&c->key, SHOP, NOW, c->random, c->nonce);
}

static void
expect_at(const case_t *c, wba_str_t authority, wba_str_t nonce, int64_t now,
          wba_reason_t want, int line)
{
    wba_reason_t got = wba_challenge_check(&c->key, authority, nonce, now);

    if (got != want) {
        fail_msg("line %d: got %s, want %s", line,
                 (const char *) wba_reason_info(got)->name.data,
                 (const char *) wba_reason_info(want)->name.data);
    }
}

#define EXPECT(c, authority, nonce, now, want) \
    expect_at(c, authority, nonce, now, R(want), __LINE__)

static wba_str_t
view(const case_t *c)
{
    return wba_str(c->nonce, sizeof(c->nonce));
}

static void
times(void **state)
{
    case_t c;

    (void) state;
    make(&c);
    EXPECT(&c, SHOP, view(&c), NOW, OK);
    EXPECT(&c, SHOP, view(&c), END - 1, OK);
    EXPECT(&c, SHOP, view(&c), END, CHALLENGE_EXPIRED);
    EXPECT(&c, SHOP, view(&c), END + 1000000, CHALLENGE_EXPIRED);
    EXPECT(&c, SHOP, view(&c), INT64_MAX / 2, CHALLENGE_EXPIRED);
    /* Another worker's clock may be a little behind; more is a clock that
     * went back. */
    EXPECT(&c, SHOP, view(&c), NOW - 5, OK);
    EXPECT(&c, SHOP, view(&c), NOW - 6, CHALLENGE_EXPIRED);
    EXPECT(&c, SHOP, view(&c), 0, CHALLENGE_EXPIRED);
    assert_int_equal(wba_challenge_end(view(&c)), END);
    assert_true(WBA_CHALLENGE_LIFETIME < 8 * 60);
    assert_true(WBA_CHALLENGE_SIZE <= WBA_MAX_NONCE);
}

static void
odd_times(void **state)
{
    static const int64_t t[] = { 0, 1, 255, 256, UINT32_MAX, 1LL << 40 };
    case_t c;
    size_t i;

    (void) state;
    make(&c);
    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        wba_challenge_make(&c.key, SHOP, t[i], c.random, c.nonce);
        assert_int_equal(wba_challenge_end(view(&c)),
                         t[i] + WBA_CHALLENGE_LIFETIME);
        EXPECT(&c, SHOP, view(&c), t[i], OK);
        EXPECT(&c, SHOP, view(&c), t[i] + WBA_CHALLENGE_LIFETIME,
               CHALLENGE_EXPIRED);
    }
}

static void
authorities(void **state)
{
    static const char *const others[] = {
        "", "shop.exampl", "shop.example.", "shop.example:8443",
        "other.example",
    };
    static uint8_t vast[100000];
    case_t c;
    size_t i;

    (void) state;
    make(&c);
    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        EXPECT(&c, wba_str_z(others[i]), view(&c), NOW, NONCE_NOT_CHALLENGED);
    }
    EXPECT(&c, WBA_STR_NONE, view(&c), NOW, NONCE_NOT_CHALLENGED);
    /* One that has ended elsewhere is still not ours. */
    EXPECT(&c, WBA_STR("other.example"), view(&c), END, NONCE_NOT_CHALLENGED);

    memset(vast, 'a', sizeof(vast));
    wba_challenge_make(&c.key, wba_str(vast, sizeof(vast)), NOW, c.random,
                       c.nonce);
    EXPECT(&c, wba_str(vast, sizeof(vast)), view(&c), NOW, OK);
    EXPECT(&c, wba_str(vast, sizeof(vast) - 1), view(&c), NOW,
           NONCE_NOT_CHALLENGED);
}

/* Every bit of every octet counts. */
static void
tampered(void **state)
{
    uint8_t token[OCTETS];
    char text[WBA_CHALLENGE_SIZE + 1];
    size_t i, len;
    unsigned bit;
    case_t c;

    (void) state;
    make(&c);
    assert_int_equal(sodium_base642bin(token, sizeof(token),
                                       (char *) c.nonce, sizeof(c.nonce),
                                       NULL, &len, NULL, VARIANT),
                     0);
    assert_int_equal(len, OCTETS);
    for (i = 0; i < OCTETS; i++) {
        for (bit = 0; bit < 8; bit++) {
            token[i] ^= (uint8_t) (1u << bit);
            sodium_bin2base64(text, sizeof(text), token, sizeof(token),
                              VARIANT);
            EXPECT(&c, SHOP, wba_str_z(text), NOW, NONCE_NOT_CHALLENGED);
            token[i] ^= (uint8_t) (1u << bit);
        }
    }
}

/* Every character has one spelling only: what differs is another nonce to the
 * store, and must not be one of ours. */
static void
respelled(void **state)
{
    uint8_t was;
    unsigned ch;
    case_t c;
    size_t i;

    (void) state;
    make(&c);
    for (i = 0; i < sizeof(c.nonce); i++) {
        was = c.nonce[i];
        for (ch = 0; ch < 256; ch++) {
            c.nonce[i] = (uint8_t) ch;
            if (ch != was) {
                EXPECT(&c, SHOP, view(&c), NOW, NONCE_NOT_CHALLENGED);
            }
        }
        c.nonce[i] = was;
    }
    EXPECT(&c, SHOP, view(&c), NOW, OK);
}

static void
other_shapes(void **state)
{
    uint8_t longer[2 * WBA_CHALLENGE_SIZE];
    uint8_t *exact;
    case_t c;
    size_t i;

    (void) state;
    make(&c);
    memcpy(longer, c.nonce, sizeof(c.nonce));
    memcpy(longer + sizeof(c.nonce), c.nonce, sizeof(c.nonce));
    EXPECT(&c, SHOP, WBA_STR_NONE, NOW, NONCE_MISSING);
    EXPECT(&c, SHOP, WBA_STR(""), NOW, NONCE_MISSING);
    for (i = 1; i <= sizeof(longer); i++) {
        if (i != sizeof(c.nonce)) {
            exact = malloc(i); /* for the sanitizer to watch its end */
            memcpy(exact, longer, i);
            EXPECT(&c, SHOP, wba_str(exact, i), NOW, NONCE_NOT_CHALLENGED);
            assert_int_equal(wba_challenge_end(wba_str(exact, i)), 0);
            free(exact);
        }
    }
    longer[sizeof(c.nonce)] = '=';
    EXPECT(&c, SHOP, wba_str(longer, sizeof(c.nonce) + 1), NOW,
           NONCE_NOT_CHALLENGED);
}

static void
keys(void **state)
{
    wba_challenge_key_t other, again;
    uint8_t secret[64];
    unsigned bit;
    case_t c, d;

    (void) state;
    make(&c);
    d = c;
    for (bit = 0; bit < 8 * WBA_CHALLENGE_KEY_SIZE; bit++) {
        d.key.bytes[bit / 8] ^= (uint8_t) (1u << bit % 8);
        EXPECT(&d, SHOP, view(&c), NOW, NONCE_NOT_CHALLENGED);
        d.key.bytes[bit / 8] ^= (uint8_t) (1u << bit % 8);
    }
    memset(secret, 7, sizeof(secret));
    wba_challenge_derive(&other, secret, sizeof(secret));
    wba_challenge_derive(&again, secret, sizeof(secret));
    assert_memory_equal(&other, &again, sizeof(other));
    assert_memory_not_equal(&other, secret, 32); /* not the secret itself */
    secret[63] ^= 1;
    wba_challenge_derive(&again, secret, sizeof(secret));
    assert_memory_not_equal(&other, &again, sizeof(other));
}

/* Different randoms, times and authorities give different nonces. */
static void
distinct(void **state)
{
    uint8_t other[WBA_CHALLENGE_SIZE];
    case_t c;
    size_t i;

    (void) state;
    make(&c);
    for (i = 0; i < sizeof(c.random); i++) {
        c.random[i] ^= 1;
        wba_challenge_make(&c.key, SHOP, NOW, c.random, other);
        assert_memory_not_equal(other, c.nonce, sizeof(other));
        EXPECT(&c, SHOP, wba_str(other, sizeof(other)), NOW, OK);
        c.random[i] ^= 1;
    }
    wba_challenge_make(&c.key, SHOP, NOW + 1, c.random, other);
    assert_memory_not_equal(other, c.nonce, sizeof(other));
    for (i = 0; i < sizeof(c.nonce); i++) { /* needs no escapes anywhere */
        assert_true(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvw"
                           "xyz0123456789-_", c.nonce[i])
                    != NULL);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times),       cmocka_unit_test(odd_times),
        cmocka_unit_test(authorities), cmocka_unit_test(tampered),
        cmocka_unit_test(respelled),   cmocka_unit_test(other_shapes),
        cmocka_unit_test(keys),        cmocka_unit_test(distinct),
    };

    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
