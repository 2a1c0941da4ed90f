/* SPDX-License-Identifier: BSD-2-Clause */
/* core/reason: the table's names are the product's API. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "reason.h"

static bool
kebab(wba_str_t name)
{
    size_t i;

    for (i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        bool edge = i == 0 || i == name.len - 1;

        if (!(c >= 'a' && c <= 'z') && (c != '-' || edge)) {
            return false;
        }
    }
    return name.len > 0;
}

static void
rows(void **state)
{
    unsigned i;

    (void) state;
    for (i = 0; i < WBA_REASON_COUNT; i++) {
        const wba_reason_info_t *info = wba_reason_info((wba_reason_t) i);
        size_t help = strlen(info->help);

        assert_true(kebab(info->name));
        assert_true(help > 10 && info->help[help - 1] == '.');
        assert_null(strchr(info->help, '\n'));
        assert_true(info->class < WBA_CLASS_COUNT);
        /* Also tells that no two rows share a name. */
        assert_int_equal(wba_reason_by_name(info->name), i);
    }
}

/* A class answers for one kind of outcome. */
static void
classes(void **state)
{
    static const int outcomes[WBA_CLASS_COUNT] = {
        [WBA_CLASS_NONE] = WBA_OUTCOME_VERIFIED,
        [WBA_CLASS_MALFORMED] = WBA_OUTCOME_INVALID,
        [WBA_CLASS_UNSIGNED] = WBA_OUTCOME_UNSIGNED,
        [WBA_CLASS_INVALID] = WBA_OUTCOME_INVALID,
        [WBA_CLASS_REPLAYED] = WBA_OUTCOME_INVALID,
        [WBA_CLASS_UNKNOWN] = WBA_OUTCOME_UNVERIFIED,
        [WBA_CLASS_UNAVAILABLE] = WBA_OUTCOME_UNVERIFIED,
        [WBA_CLASS_LIMITED] = WBA_OUTCOME_UNVERIFIED,
        [WBA_CLASS_DENIED] = WBA_OUTCOME_VERIFIED,
    };
    unsigned i;

    (void) state;
    for (i = 0; i < WBA_REASON_COUNT; i++) {
        const wba_reason_info_t *info = wba_reason_info((wba_reason_t) i);

        assert_int_equal(info->outcome, outcomes[info->class]);
    }
    assert_int_equal(wba_reason_info(WBA_REASON_OK)->class, WBA_CLASS_NONE);
}

static void
unknown_names(void **state)
{
    (void) state;
    assert_int_equal(wba_reason_by_name(WBA_STR("")), WBA_REASON_COUNT);
    assert_int_equal(wba_reason_by_name(WBA_STR_NONE), WBA_REASON_COUNT);
    assert_int_equal(wba_reason_by_name(WBA_STR("OK")), WBA_REASON_COUNT);
    assert_int_equal(wba_reason_by_name(WBA_STR("expire")), WBA_REASON_COUNT);
    assert_int_equal(wba_reason_by_name(WBA_STR("expired ")),
                     WBA_REASON_COUNT);
}

static void
words(void **state)
{
    static const char *const outcomes[] = { "verified", "invalid",
                                            "unverified", "unsigned" };
    static const char *const names[WBA_CLASS_COUNT] = {
        [WBA_CLASS_NONE] = "none",
        [WBA_CLASS_MALFORMED] = "malformed",
        [WBA_CLASS_UNSIGNED] = "unsigned",
        [WBA_CLASS_INVALID] = "invalid",
        [WBA_CLASS_REPLAYED] = "replayed",
        [WBA_CLASS_UNKNOWN] = "unknown",
        [WBA_CLASS_UNAVAILABLE] = "unavailable",
        [WBA_CLASS_LIMITED] = "limited",
        [WBA_CLASS_DENIED] = "denied",
    };
    unsigned i;

    (void) state;
    for (i = 0; i <= WBA_OUTCOME_UNSIGNED; i++) {
        assert_true(wba_str_eq(wba_outcome_name((wba_outcome_t) i),
                               wba_str_z(outcomes[i])));
    }
    for (i = 0; i < WBA_CLASS_COUNT; i++) {
        assert_true(wba_str_eq(wba_class_name((wba_class_t) i),
                               wba_str_z(names[i])));
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows),
        cmocka_unit_test(classes),
        cmocka_unit_test(unknown_names),
        cmocka_unit_test(words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
