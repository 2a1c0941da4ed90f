/* SPDX-License-Identifier: BSD-2-Clause */
/* core/form: query parameters as @query-param has them. */
#include "request.h"

#include "form.h"

/* The query, the parameter's name, its value. */
static const struct {
    const char *query, *name;
    wba_status_t status;
    const char *value;
} query_params[] = {
    /* RFC 9421 section 2.2.8 */
    { "param=value&foo=bar&baz=batman&qux=", "baz", WBA_OK, "batman" },
    { "param=value&foo=bar&baz=batman&qux=", "qux", WBA_OK, "" },
    { "param=value&foo=bar&baz=batman&qux=", "param", WBA_OK, "value" },
    { "var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace"
      "&fa%C3%A7ade%22%3A%20=something",
      "var", WBA_OK, "this%20is%20a%20big%0Amultiline%20value" },
    { "var=x&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something", "bar",
      WBA_OK, "with%20plus%20whitespace" },
    { "var=x&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something",
      "fa%C3%A7ade%22%3A%20", WBA_OK, "something" },

    { "a=1&b=2", "c", WBA_NOT_FOUND, NULL },
    { "a=1&b=2", "", WBA_NOT_FOUND, NULL },
    { "", "a", WBA_NOT_FOUND, NULL },
    { "", "", WBA_NOT_FOUND, NULL },
    { "&&", "", WBA_NOT_FOUND, NULL },
    { "a=1&a=2", "a", WBA_INVALID, NULL },
    { "a=1&a=1", "a", WBA_INVALID, NULL },
    { "a=1&%61=2", "a", WBA_INVALID, NULL },
    { "a&a", "a", WBA_INVALID, NULL },
    { "a=1&a=2&b=3", "b", WBA_OK, "3" },

    { "a", "a", WBA_OK, "" },
    { "&a&", "a", WBA_OK, "" },
    { "=x", "", WBA_OK, "x" },
    { "=", "", WBA_OK, "" },
    { "a=b=c", "a", WBA_OK, "b%3Dc" },
    { "a=b?c", "a", WBA_OK, "b%3Fc" },
    { "ab=1&a=2", "a", WBA_OK, "2" },
    { "a=1", "ab", WBA_NOT_FOUND, NULL },
    { "A=1", "a", WBA_NOT_FOUND, NULL },
    { "a+b=1", "a%20b", WBA_OK, "1" },
    { "a%20b=1", "a+b", WBA_NOT_FOUND, NULL },
    { "fa%c3%a7ade=1", "fa%C3%A7ade", WBA_OK, "1" },
    { "fa%C3%A7ade=1", "fa%c3%a7ade", WBA_NOT_FOUND, NULL },

    { "a=AZaz09*-._", "a", WBA_OK, "AZaz09*-._" },
    { "a=!\"$'(),/:;<>@[]^`{|}~\\", "a", WBA_OK,
      "%21%22%24%27%28%29%2C%2F%3A%3B%3C%3E%40%5B%5D%5E%60%7B%7C%7D%7E%5C" },
    { "a=%41%7a%2a", "a", WBA_OK, "Az*" },
    { "a=%", "a", WBA_OK, "%25" },
    { "a=%4", "a", WBA_OK, "%254" },
    { "a=%zz%4g", "a", WBA_OK, "%25zz%254g" },
    { "a=%%41", "a", WBA_OK, "%25A" },
    { "a=%00%0d%0A%7f", "a", WBA_OK, "%00%0D%0A%7F" },
    { "a=%2B", "a", WBA_OK, "%2B" },

    /* UTF-8: what is broken becomes U+FFFD, as the WHATWG decoder counts */
    { "a=\xc3\xa9", "a", WBA_OK, "%C3%A9" },
    { "a=%e2%82%ac%F0%9f%98%80", "a", WBA_OK, "%E2%82%AC%F0%9F%98%80" },
    { "a=%EF%BB%BFx", "a", WBA_OK, "%EF%BB%BFx" },
    { "a=%ff", "a", WBA_OK, "%EF%BF%BD" },
    { "a=%80x", "a", WBA_OK, "%EF%BF%BDx" },
    { "a=%c3", "a", WBA_OK, "%EF%BF%BD" },
    { "a=%c3x", "a", WBA_OK, "%EF%BF%BDx" },
    { "a=%c3%c3%a9", "a", WBA_OK, "%EF%BF%BD%C3%A9" },
    { "a=%c0%80", "a", WBA_OK, "%EF%BF%BD%EF%BF%BD" },
    { "a=%e0%80%80", "a", WBA_OK, "%EF%BF%BD%EF%BF%BD%EF%BF%BD" },
    { "a=%e2%82", "a", WBA_OK, "%EF%BF%BD" },
    { "a=%e2%82x", "a", WBA_OK, "%EF%BF%BDx" },
    { "a=%f0%9f%98", "a", WBA_OK, "%EF%BF%BD" },
    { "a=%f0%80", "a", WBA_OK, "%EF%BF%BD%EF%BF%BD" },
    { "a=%f4%90", "a", WBA_OK, "%EF%BF%BD%EF%BF%BD" },
    { "a=%f5", "a", WBA_OK, "%EF%BF%BD" },
    { "a=%ed%9f%bf", "a", WBA_OK, "%ED%9F%BF" },
    { "a=%ed%a0%80", "a", WBA_OK, "%EF%BF%BD%EF%BF%BD%EF%BF%BD" },
    { "a=%f4%8f%bf%bf", "a", WBA_OK, "%F4%8F%BF%BF" },
    { "%ff=1", "%EF%BF%BD", WBA_OK, "1" },
    { "%ff=1&%fe=2", "%EF%BF%BD", WBA_INVALID, NULL },
};

/* The one parameter called name, as a signature base has it. */
static wba_status_t
find(wba_str_t query, wba_str_t name, wba_buf_t *out)
{
    wba_str_t one, value, found = WBA_STR_NONE;
    unsigned count = 0;

    while (wba_form_next(&query, &one, &value)) {
        if (wba_form_name_is(one, name)) {
            found = value;
            count++;
        }
    }
    wba_form_write(out, found);
    return count == 0 ? WBA_NOT_FOUND : count == 1 ? WBA_OK : WBA_INVALID;
}

static void
test_value(void **state)
{
    uint8_t *query_block, *name_block, out[512];
    wba_str_t query, name;
    wba_buf_t buf;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(query_params); i++) {
        query = exact_copy(&query_block, query_params[i].query,
                           strlen(query_params[i].query));
        name = exact_copy(&name_block, query_params[i].name,
                          strlen(query_params[i].name));
        wba_buf_fixed(&buf, out, sizeof(out));
        expect_number(query_params[i].query, find(query, name, &buf),
                      query_params[i].status);
        if (query_params[i].status == WBA_OK) {
            expect_text(query_params[i].query, wba_buf_view(&buf),
                        query_params[i].value);
        }
        free(query_block);
        free(name_block);
    }
}

static void
test_no_query(void **state)
{
    wba_str_t query = WBA_STR_NONE, name, value;

    (void) state;
    assert_false(wba_form_next(&query, &name, &value));
    assert_true(wba_form_name_is(WBA_STR_NONE, WBA_STR_NONE));
    assert_false(wba_form_name_is(WBA_STR_NONE, WBA_STR("a")));
    assert_false(wba_form_name_is(WBA_STR("a"), WBA_STR_NONE));
}

static void
test_failure_sticks_in_buffer(void **state)
{
    uint8_t out[4];
    wba_buf_t buf;

    (void) state;
    wba_buf_fixed(&buf, out, sizeof(out));
    wba_form_write(&buf, WBA_STR("%c3%a9"));
    assert_int_equal(buf.status, WBA_TOO_LARGE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value),
        cmocka_unit_test(test_no_query),
        cmocka_unit_test(test_failure_sticks_in_buffer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
