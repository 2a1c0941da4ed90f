/* SPDX-License-Identifier: BSD-2-Clause */
/* core/paying: names of places where one pays, and of others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "paying.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct {
    const char *name;
    bool pays;
} names[] = {
    { "/checkout/", true },
    { "/checkout", true },
    { "/cart/checkout", true },
    { "/api/v1/checkout_sessions", true },
    { "/api/checkout_sessions/", true },
    { "/Check-Out/", true },
    { "/pay", true },
    { "/PAY.php", true },
    { "@payment", true },
    { "/payments/", true },
    { "/order", true },
    { "/place_order", true },
    { "/purchase/now", true },
    { "^/(checkout|login)/", true },
    { "^/pay\\d+$", true },
    { "/buy", true },

    { "", false },
    { "/", false },
    { "/catalogue/", false },
    { "/cart/", false },
    { "/orders/", false },
    { "/payment-methods", false },
    { "/repay", false },
    { "/payload", false },
    { "/buyers", false },
    { "/checkouts-help", false },
    { "pa", false },
    { "\\.php$", false },
    { "/p\xc3\xa4y/", false },
};

static void
by_name(void **state)
{
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(names); i++) {
        size_t len = strlen(names[i].name);
        char *copy = malloc(len ? len : 1);

        assert_non_null(copy);
        memcpy(copy, names[i].name, len);
        if (wba_name_pays(wba_str(copy, len)) != names[i].pays) {
            fail_msg("%s", names[i].name);
        }
        free(copy);
    }
    assert_false(wba_name_pays(WBA_STR_NONE));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
