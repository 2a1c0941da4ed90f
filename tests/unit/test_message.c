/* SPDX-License-Identifier: BSD-2-Clause */
/* core/message: targets, whole fields and the authority of a request. */
#include "request.h"

#include "wba_limits.h"

static const struct {
    const char *method, *target;
    wba_target_form_t form;
    const char *scheme, *authority, *path, *query;
} targets[] = {
    { "GET", "/", WBA_TARGET_ORIGIN, "", "", "/", NULL },
    { "GET", "/a/b?c=d?e", WBA_TARGET_ORIGIN, "", "", "/a/b", "c=d?e" },
    { "GET", "/a?", WBA_TARGET_ORIGIN, "", "", "/a", "" },
    { "GET", "//evil.example/a", WBA_TARGET_ORIGIN, "", "", "//evil.example/a",
      NULL },
    { "GET", "/%7Ea/../b", WBA_TARGET_ORIGIN, "", "", "/%7Ea/../b", NULL },
    { "GET", "http://a.example/b?c", WBA_TARGET_ABSOLUTE, "http", "a.example",
      "/b", "c" },
    { "GET", "HTTPS://A.example:443", WBA_TARGET_ABSOLUTE, "HTTPS",
      "A.example:443", "", NULL },
    { "GET", "https://a?b", WBA_TARGET_ABSOLUTE, "https", "a", "", "b" },
    { "GET", "https://u@a/", WBA_TARGET_ABSOLUTE, "https", "u@a", "/", NULL },
    { "GET", "https:///b", WBA_TARGET_ABSOLUTE, "https", "", "/b", NULL },
    { "GET", "a+b-c.1://h/", WBA_TARGET_ABSOLUTE, "a+b-c.1", "h", "/", NULL },
    { "OPTIONS", "*", WBA_TARGET_ASTERISK, "", "", "", NULL },
    { "CONNECT", "a.example:80", WBA_TARGET_AUTHORITY, "", "a.example:80", "",
      NULL },
    { "CONNECT", "/chat", WBA_TARGET_ORIGIN, "", "", "/chat", NULL },
    { "CONNECT", "http://a/", WBA_TARGET_BAD, "", "", "", NULL },
    { "CONNECT", "a?b", WBA_TARGET_BAD, "", "", "", NULL },
    { "connect", "a.example:80", WBA_TARGET_BAD, "", "", "", NULL },
    { "GET", "a.example:80", WBA_TARGET_BAD, "", "", "", NULL },
    { "GET", "a/b", WBA_TARGET_BAD, "", "", "", NULL },
    { "GET", "1http://a/", WBA_TARGET_BAD, "", "", "", NULL },
    { "GET", "://a/", WBA_TARGET_BAD, "", "", "", NULL },
    { "GET", "http:/a", WBA_TARGET_BAD, "", "", "", NULL },
    { "GET", "http", WBA_TARGET_BAD, "", "", "", NULL },
    { "GET", "http:", WBA_TARGET_BAD, "", "", "", NULL },
    { "GET", "**", WBA_TARGET_BAD, "", "", "", NULL },
    { "GET", "/a#b", WBA_TARGET_BAD, "", "", "", NULL },
    { "GET", "/a?b#c", WBA_TARGET_BAD, "", "", "", NULL },
    { "GET", "https://a#b", WBA_TARGET_BAD, "", "", "", NULL },
    { "GET", "", WBA_TARGET_BAD, "", "", "", NULL },
};

static void
test_target_parse(void **state)
{
    wba_target_t target;
    uint8_t *block;
    wba_str_t text;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(targets); i++) {
        text = exact_copy(&block, targets[i].target,
                          strlen(targets[i].target));
        wba_target_parse(wba_str_z(targets[i].method), text, &target);
        expect_number(targets[i].target, target.form, targets[i].form);
        assert_true(wba_str_eq(target.scheme, wba_str_z(targets[i].scheme)));
        assert_true(
            wba_str_eq(target.authority, wba_str_z(targets[i].authority)));
        assert_true(wba_str_eq(target.path, wba_str_z(targets[i].path)));
        expect_text(targets[i].target, target.query, targets[i].query);
        free(block);
    }
}

/* What a host sends of the field "f" on HTTP/1.1. */
static const struct {
    const char *lines;
    wba_status_t status;
    const char *value;
} fields[] = {
    { "G: x\n", WBA_NOT_FOUND, NULL },
    { "F: x\n", WBA_OK, "x" },
    { "F:\n", WBA_OK, "" },
    { "F: \t \n", WBA_OK, "" },
    { "F: \t a \t b\t \n", WBA_OK, "a \t b" },
    { "F: a\nG: z\nf:  b \n", WBA_OK, "a, b" },
    { "F: a\nF:\nF: b\n", WBA_OK, "a, , b" },
    { "F:\nF:\n", WBA_OK, ", " },
    { "F: Obsolete\r\n    line folding.\r\n", WBA_OK,
      "Obsolete line folding." },
    { "F: a \t\r\n\t \tb\r\n", WBA_OK, "a b" },
    { "F: a\n b\n c\n", WBA_OK, "a b c" },
    { "F: a\n \n b\n", WBA_OK, "a  b" },
    { "F:\n a\n", WBA_OK, "a" },
    { "F: a\n \t\n", WBA_OK, "a" },
    { "F: \n \n", WBA_OK, "" },
    { "F: a\n b\nF: c\n d\n", WBA_OK, "a b, c d" },
    { "F: a\nF:\n \n", WBA_OK, "a, " },
    { "F: a\rb\n", WBA_OK, "a\rb" },
    { "F: a\r\r\n b\n", WBA_OK, "a\r b" },
};

static void
expect_field(const char *version, const char *lines, const char *name,
             wba_status_t status, const char *want)
{
    char text[1024];
    request_t request;
    wba_str_t value;

    snprintf(text, sizeof(text), "GET / %s\n%s\n", version, lines);
    request_open(&request, text);
    expect_number(lines,
                  wba_message_field(request.message, wba_str_z(name),
                                    &request.mem, &value),
                  status);
    if (status == WBA_OK) {
        expect_text(lines, value, want);
    }
    request_close(&request);
}

static void
test_field(void **state)
{
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(fields); i++) {
        expect_field("HTTP/1.1", fields[i].lines, "f", fields[i].status,
                     fields[i].value);
    }
}

static void
test_cookie_crumbs(void **state)
{
    const char *lines = "Cookie: a=1\nCookie: b=2 \nF: x\nF: y\n";

    (void) state;
    expect_field("HTTP/1.1", lines, "cookie", WBA_OK, "a=1, b=2");
    expect_field("HTTP/2", lines, "cookie", WBA_OK, "a=1; b=2");
    expect_field("HTTP/3", lines, "cookie", WBA_OK, "a=1; b=2");
    expect_field("HTTP/2", lines, "f", WBA_OK, "x, y");
}

static void
test_one_line_is_a_view(void **state)
{
    request_t request;
    wba_str_t value;

    (void) state;
    request_open(&request, "GET / HTTP/1.1\nF:  a \nHost: b\n\n");
    assert_int_equal(wba_message_field(request.message, WBA_STR("f"),
                                       &request.mem, &value),
                     WBA_OK);
    assert_ptr_equal(value.data, request.raw.lines[0].value.data + 2);
    assert_int_equal(wba_message_authority(request.message, &request.mem,
                                           &value),
                     WBA_OK);
    assert_int_equal(request.arena.used, 0);
    request_close(&request);
}

/* A request with the field "f" on two lines of these lengths (b: none when
 * negative); what wba_message_field says. */
static wba_status_t
field_of_length(size_t a, long b, const char *fold)
{
    char *text = malloc(a + (size_t) (b < 0 ? 0 : b) + 100);
    wba_status_t status;
    request_t request;
    wba_str_t value;
    char *p;

    assert_non_null(text);
    p = text + sprintf(text, "GET / HTTP/1.1\nF:%s", fold);
    memset(p, 'x', a);
    p += a;
    if (b >= 0) {
        p += sprintf(p, "\nF:");
        memset(p, 'x', (size_t) b);
        p += b;
    }
    strcpy(p, "\n\n");
    request_open(&request, text);
    free(text);
    status = wba_message_field(request.message, WBA_STR("f"), &request.mem,
                               &value);
    if (status == WBA_OK) {
        assert_int_equal(value.len, a + (b < 0 ? 0 : 2 + (size_t) b));
    }
    request_close(&request);
    return status;
}

static void
test_field_too_large(void **state)
{
    size_t half = WBA_MAX_FIELD / 2;

    (void) state;
    assert_int_equal(field_of_length(WBA_MAX_FIELD, -1, ""), WBA_OK);
    assert_int_equal(field_of_length(WBA_MAX_FIELD + 1, -1, ""),
                     WBA_TOO_LARGE);
    assert_int_equal(field_of_length(half, (long) half - 2, ""), WBA_OK);
    assert_int_equal(field_of_length(half, (long) half - 1, ""),
                     WBA_TOO_LARGE);
    assert_int_equal(field_of_length(WBA_MAX_FIELD, -1, "\n "), WBA_OK);
    assert_int_equal(field_of_length(WBA_MAX_FIELD + 1, -1, "\n "),
                     WBA_TOO_LARGE);
}

static void
test_no_memory(void **state)
{
    request_t request;
    wba_str_t value;

    (void) state;
    request_open(&request, "GET / HTTP/1.1\nF: a\n b\nG: a\nG: b\nHost: A\n\n");
    wba_arena_init(&request.arena, request.block, 0);
    assert_int_equal(wba_message_field(request.message, WBA_STR("f"),
                                       &request.mem, &value),
                     WBA_NO_MEMORY);
    assert_int_equal(wba_message_field(request.message, WBA_STR("g"),
                                       &request.mem, &value),
                     WBA_NO_MEMORY);
    assert_int_equal(wba_message_authority(request.message, &request.mem,
                                           &value),
                     WBA_NO_MEMORY);
    request_close(&request);
}

static const struct {
    const char *request_line, *host, *override, *scheme;
    wba_status_t status;
    const char *authority;
} authorities[] = {
    { "GET / HTTP/1.1", "Host: a.example", NULL, "https", WBA_OK,
      "a.example" },
    { "GET / HTTP/1.1", "Host:  A.Example:443 ", NULL, "https", WBA_OK,
      "a.example" },
    { "GET / HTTP/1.1", "Host: a:443", NULL, "http", WBA_OK, "a:443" },
    { "GET / HTTP/1.1", "Host: a:80", NULL, "http", WBA_OK, "a" },
    { "GET / HTTP/1.1", "Host: a:80", NULL, "https", WBA_OK, "a:80" },
    { "GET / HTTP/1.1", "Host: a:", NULL, "https", WBA_OK, "a" },
    { "GET / HTTP/1.1", "X: y", NULL, "https", WBA_NOT_FOUND, NULL },
    { "GET / HTTP/1.1", "Host:", NULL, "https", WBA_INVALID, NULL },
    { "GET / HTTP/1.1", "Host: a b", NULL, "https", WBA_INVALID, NULL },
    { "GET http://B/ HTTP/1.1", "Host: a", NULL, "https", WBA_OK, "b" },
    { "GET http://b:80/ HTTP/1.1", "Host: a", NULL, "https", WBA_OK, "b" },
    { "GET http://b:443/ HTTP/1.1", "Host: a", NULL, "https", WBA_OK,
      "b:443" },
    { "GET http://u:p@b/ HTTP/1.1", "Host: a", NULL, "https", WBA_OK, "b" },
    { "GET http:///x HTTP/1.1", "Host: a", NULL, "https", WBA_INVALID, NULL },
    { "GET a:80 HTTP/1.1", "Host: a", NULL, "https", WBA_INVALID, NULL },
    { "GET http://b/#c HTTP/1.1", "Host: a", NULL, "https", WBA_INVALID,
      NULL },
    { "OPTIONS * HTTP/1.1", "Host: a", NULL, "https", WBA_OK, "a" },
    { "CONNECT b:80 HTTP/1.1", "Host: a:80", NULL, "http", WBA_OK, "a" },
    { "GET / HTTP/1.1", "Host: a", "Shop.example:443", "https", WBA_OK,
      "shop.example" },
    { "GET http://b/ HTTP/1.1", "Host: a", "c", "https", WBA_OK, "c" },
    { "GET b HTTP/1.1", "X: y", "c:80", "http", WBA_OK, "c" },
    { "GET / HTTP/1.1", "Host: a", "", "https", WBA_INVALID, NULL },
    { "GET / HTTP/1.1", "Host: a", "b c", "https", WBA_INVALID, NULL },
};

static void
test_authority(void **state)
{
    char text[256];
    request_t request;
    wba_str_t value;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(authorities); i++) {
        snprintf(text, sizeof(text), "%s\n%s\n\n", authorities[i].request_line,
                 authorities[i].host);
        request_open(&request, text);
        request.raw.scheme = wba_str_z(authorities[i].scheme);
        request.raw.authority_override = wba_str_z(authorities[i].override);
        expect_number(text,
                      wba_message_authority(request.message, &request.mem,
                                            &value),
                      authorities[i].status);
        if (authorities[i].status == WBA_OK) {
            expect_text(text, value, authorities[i].authority);
        }
        request_close(&request);
    }
}

/* nginx's headers may have a value of no bytes at no address. */
static void
test_null_value_is_empty(void **state)
{
    request_t request;
    wba_str_t value;

    (void) state;
    request_open(&request, "GET / HTTP/1.1\nF: a\nG: a\nG: b\n\n");
    request.raw.lines[0].value = WBA_STR_NONE;
    request.raw.lines[1].value = WBA_STR_NONE;
    assert_int_equal(wba_message_field(request.message, WBA_STR("f"),
                                       &request.mem, &value),
                     WBA_OK);
    expect_text("F", value, "");
    assert_int_equal(wba_message_field(request.message, WBA_STR("g"),
                                       &request.mem, &value),
                     WBA_OK);
    expect_text("G", value, ", b");
    request_close(&request);
}

/* No host of ours hands in such a line; it is left as it is, for the base to
 * refuse. */
static void
test_line_feed_that_folds_nothing(void **state)
{
    static const struct {
        const char *line, *want;
    } lines[] = {
        { "a\nb", "a\nb" }, { "a\n", "a\n" }, { "\na", "\na" },
        { "a\n b\nc", "a b\nc" }, { "a\r\nb", "a\r\nb" },
    };
    request_t request;
    wba_str_t value;
    size_t i;

    (void) state;
    request_open(&request, "GET / HTTP/1.1\nF: a\n\n");
    for (i = 0; i < COUNT(lines); i++) {
        request.raw.lines[0].value = wba_str_z(lines[i].line);
        assert_int_equal(wba_message_field(request.message, WBA_STR("f"),
                                           &request.mem, &value),
                         WBA_OK);
        expect_text(lines[i].line, value, lines[i].want);
    }
    request_close(&request);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_target_parse),
        cmocka_unit_test(test_field),
        cmocka_unit_test(test_cookie_crumbs),
        cmocka_unit_test(test_one_line_is_a_view),
        cmocka_unit_test(test_field_too_large),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_authority),
        cmocka_unit_test(test_null_value_is_empty),
        cmocka_unit_test(test_line_feed_that_folds_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
