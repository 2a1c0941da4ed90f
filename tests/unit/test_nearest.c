/* SPDX-License-Identifier: BSD-2-Clause */
/* core/nearest: what a slip of the pen is taken for, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nearest.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* From a block of its exact size, so that ASan sees what is read beyond. */
static wba_str_t
copy(const char *text)
{
    size_t len = strlen(text);
    char *data = malloc(len ? len : 1);

    assert_non_null(data);
    memcpy(data, text, len);
    return wba_str(data, len);
}

static size_t
changes(const char *word, const char *known)
{
    wba_str_t w = copy(word), k = copy(known);
    wba_nearest_t nearest;
    size_t n;

    wba_nearest_init(&nearest, w);
    wba_nearest_offer(&nearest, k);
    n = nearest.best.data == NULL ? SIZE_MAX : nearest.changes;
    free((void *) w.data);
    free((void *) k.data);
    return n;
}

#define FAR SIZE_MAX

static const struct {
    const char *word;
    const char *known;
    size_t changes;
} pairs[] = {
    { "vsia", "visa", 1 },
    { "agent-payer-auht", "agent-payer-auth", 1 },
    { "tpa", "tap", 1 },
    { "ta", "tap", 1 },
    { "taps", "tap", 1 },
    { "top", "tap", 1 },
    { "profil", "profile", 1 },
    { "algorithm", "algorithms", 1 },
    { "lifetime", "max_lifetime", 4 },
    { "max-lifetime", "max_lifetime", 1 },
    { "master", "mastercard", 4 },
    { "warning", "warn", 3 },
    { "Warning", "warn", 3 },
    { "discoverable", "disco", 7 },
    { "wa", "warn", FAR },
    { "xml", "html", FAR },
    { "mastr", "master", 1 },
    { "on", "no", 1 },
    { "on", "off", FAR },
    { "ab", "ba", 1 },
    { "abc", "ca", FAR }, /* three, as no letter moves twice */
    { "TAP", "tap", 0 },
    { "Requried", "required", 1 },
    { "tap", "tap", 0 },
    { "x", "y", FAR },
    { "x", "xy", 1 },
    { "", "x", FAR },
    { "x", "", FAR },
    { "", "", FAR },
    { "nonsense", "nonce", FAR },
    { "maybe", "any", FAR },
    { "colour", "tag", FAR },
    { "abcdefghijklmnop", "efghijklmnop", 4 },
    { "abcdefghijklmnop", "fghijklmnop", FAR },
    { "visas\xc3\xa4", "visas", 2 },
};

static void
distances(void **state)
{
    size_t i, n;

    (void) state;
    for (i = 0; i < COUNT(pairs); i++) {
        n = changes(pairs[i].word, pairs[i].known);
        if (n != pairs[i].changes) {
            fail_msg("%s, %s: %zu, want %zu", pairs[i].word, pairs[i].known,
                     n, pairs[i].changes);
        }
        assert_int_equal(n, changes(pairs[i].known, pairs[i].word));
    }
}

static void
the_nearest_wins(void **state)
{
    static const char *const known[] = { "url", "tags", "tap", "tip" };
    wba_nearest_t nearest;
    size_t i;

    (void) state;
    wba_nearest_init(&nearest, WBA_STR("tas"));
    assert_null(nearest.best.data);
    for (i = 0; i < COUNT(known); i++) {
        wba_nearest_offer(&nearest, wba_str_z(known[i]));
    }
    assert_true(wba_str_eq(nearest.best, WBA_STR("tags")));

    wba_nearest_init(&nearest, WBA_STR("tep"));
    for (i = 0; i < COUNT(known); i++) {
        wba_nearest_offer(&nearest, wba_str_z(known[i]));
    }
    assert_true(wba_str_eq(nearest.best, WBA_STR("tap"))); /* the first */

    wba_nearest_offer(&nearest, WBA_STR("tep"));
    assert_true(wba_str_eq(nearest.best, WBA_STR("tep")));
    assert_int_equal(nearest.changes, 0);
}

static void
long_words(void **state)
{
    char word[WBA_MAX_NEAREST + 2], known[WBA_MAX_NEAREST + 2];

    (void) state;
    memset(word, 'a', sizeof(word));
    memset(known, 'a', sizeof(known));
    word[WBA_MAX_NEAREST] = known[WBA_MAX_NEAREST] = '\0';
    word[1] = 'b';
    assert_int_equal(changes(word, known), 1);

    /* Too long to be looked at, whatever it resembles. */
    word[WBA_MAX_NEAREST] = 'a';
    word[WBA_MAX_NEAREST + 1] = '\0';
    assert_int_equal(changes(word, known), FAR);
    assert_int_equal(changes(known, word), FAR);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances),
        cmocka_unit_test(the_nearest_wins),
        cmocka_unit_test(long_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
