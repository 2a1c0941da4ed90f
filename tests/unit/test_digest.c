/* SPDX-License-Identifier: BSD-2-Clause */
/* core/digest: Content-Digest fields against bodies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "digest.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* of "hello", and of nothing */
#define HELLO_256 ":LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:"
#define HELLO_512 \
    ":m3HSJL1i83hdltRq0+o9czGb+8KJDKra4t/3JRlnPKcjI8PZm6XBHXx6zG4UuMXa" \
    "DEZjR1wuXDre9G9zvN7AQw==:"
#define EMPTY_256 ":47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"
#define OTHER_256 ":AAAAul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:"

static const struct {
    const char *field;
    const char *body;
    wba_status_t status;
    bool match;
} cases[] = {
    { "sha-256=" HELLO_256, "hello", WBA_OK, true },
    { "sha-512=" HELLO_512, "hello", WBA_OK, true },
    { "sha-256=" HELLO_256 ", sha-512=" HELLO_512, "hello", WBA_OK, true },
    { "sha-256=" HELLO_256, "hellp", WBA_OK, false },
    { "sha-256=" HELLO_256, "", WBA_OK, false },
    { "sha-256=" EMPTY_256, "", WBA_OK, true },
    { "sha-512=" HELLO_512, "hell", WBA_OK, false },
    /* every one stated must match, whichever comes first */
    { "sha-256=" OTHER_256 ", sha-512=" HELLO_512, "hello", WBA_OK, false },
    { "sha-512=" HELLO_512 ", sha-256=" OTHER_256, "hello", WBA_OK, false },
    /* others do not count, whatever they are; parameters neither */
    { "md5=:AAAA:, x=1, y, sha-256=" HELLO_256 ";p=1", "hello", WBA_OK, true },
    { "md5=:XUFAKrxLKna5cZ2REBfFkg==:", "hello", WBA_UNSUPPORTED, false },
    { "sha=:AAAA:, unixsum=1", "hello", WBA_UNSUPPORTED, false },
    { "", "", WBA_UNSUPPORTED, false },
    /* the last of a key's members counts */
    { "sha-256=" OTHER_256 ", sha-256=" HELLO_256, "hello", WBA_OK, true },
    { "sha-256=" HELLO_256 ", sha-256=" OTHER_256, "hello", WBA_OK, false },
    { "sha-256=1, sha-256=" HELLO_256, "hello", WBA_OK, true },
    { "sha-256=" HELLO_256 ", sha-256=1", "hello", WBA_INVALID, false },
    /* of the wrong kind or length */
    { "sha-256", "", WBA_INVALID, false },
    { "sha-256=\"x\"", "", WBA_INVALID, false },
    { "sha-256=(" HELLO_256 ")", "hello", WBA_INVALID, false },
    { "sha-256=::", "", WBA_INVALID, false },
    { "sha-256=:AAAA:", "", WBA_INVALID, false },
    { "sha-256=" HELLO_512, "hello", WBA_INVALID, false },
    { "sha-512=" HELLO_256, "hello", WBA_INVALID, false },
    { "sha-256=" HELLO_256 ", sha-512=:AAAA:", "hello", WBA_INVALID, false },
    /* broken fields */
    { "sha-256=" HELLO_256 ",", "hello", WBA_INVALID, false },
    { "sha-256=" HELLO_256 " x", "hello", WBA_INVALID, false },
    { "SHA-256=" HELLO_256, "hello", WBA_INVALID, false },
    { "sha-256=hello", "hello", WBA_INVALID, false },
};

static void
test_fields(void **state)
{
    wba_digest_t d;
    wba_status_t rc;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(cases); i++) {
        rc = wba_digest_init(&d, wba_str_z(cases[i].field));
        if (rc != cases[i].status) {
            fail_msg("case %zu <%s>: status %d", i, cases[i].field, rc);
        }
        wba_digest_update(&d, cases[i].body, strlen(cases[i].body));
        if (wba_digest_final(&d) != cases[i].match) {
            fail_msg("case %zu <%s>: match", i, cases[i].field);
        }
    }
}

/* Pieces of any size, empty ones included. */
static void
test_pieces(void **state)
{
    static const char hello[] = "hello";
    wba_digest_t d;
    size_t a, b;

    (void) state;
    for (a = 0; a <= 5; a++) {
        for (b = a; b <= 5; b++) {
            assert_int_equal(
                wba_digest_init(&d, WBA_STR("sha-256=" HELLO_256
                                            ", sha-512=" HELLO_512)),
                WBA_OK);
            wba_digest_update(&d, hello, a);
            wba_digest_update(&d, hello + a, b - a);
            wba_digest_update(&d, NULL, 0);
            wba_digest_update(&d, hello + b, 5 - b);
            assert_true(wba_digest_final(&d));
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_pieces),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
