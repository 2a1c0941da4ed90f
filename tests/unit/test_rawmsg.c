/* SPDX-License-Identifier: BSD-2-Clause */
/* core/rawmsg: captured request texts as messages. */
#include "request.h"

#define LINE "GET / HTTP/1.1\r\n"

static const struct {
    const char *text;
    size_t line; /* at fault */
} bad[] = {
    { "", 1 },
    { "\r\n", 1 },
    { "GET\r\n\r\n", 1 },
    { "GET /\r\n\r\n", 1 },
    { "GET  / HTTP/1.1\r\n\r\n", 1 },
    { "GET  HTTP/1.1\r\n\r\n", 1 },
    { "G(T / HTTP/1.1\r\n\r\n", 1 },
    { " GET / HTTP/1.1\r\n\r\n", 1 },
    { "GET /a b HTTP/1.1\r\n\r\n", 1 },
    { "GET / HTTP/1.1 \r\n\r\n", 1 },
    { "GET / HTTP/1.\r\n\r\n", 1 },
    { "GET / HTTP/11\r\n\r\n", 1 },
    { "GET / HTTP/x\r\n\r\n", 1 },
    { "GET / HTTP/1.x\r\n\r\n", 1 },
    { "GET / HTTP/1,1\r\n\r\n", 1 },
    { "GET / HTTP/1.11\r\n\r\n", 1 },
    { "GET / http/1.1\r\n\r\n", 1 },
    { "GET / HTTP\r\n\r\n", 1 },
    { LINE " folded: x\r\n\r\n", 2 },
    { LINE "no colon\r\n\r\n", 2 },
    { LINE ": no name\r\n\r\n", 2 },
    { LINE "space : x\r\n\r\n", 2 },
    { LINE "A: b\r\nn\xc3\xa4me: x\r\n\r\n", 3 },
    { LINE "A: b\r\n folded\r\nno colon\r\n\r\n", 4 },
    { LINE "Host: a\r\nhost: a\r\n\r\n", 3 },
    { LINE "Host:\r\nHost:\r\n\r\n", 3 },
    { LINE "Host: a", 0 },
    { LINE "Host: a\r\n", 0 },
    { LINE "\r\n", 0 },
    { LINE, 0 },
    { "GET / HTTP/1.1", 0 },
    { "GET / HTTP/2\nHost: a\n\n", 0 },
    { "M-SEARCH * HTTP/1.1\n\n", 0 },
};

static void
test_errors(void **state)
{
    wba_raw_message_t raw;
    uint8_t *block;
    wba_str_t text;
    size_t i, line;

    (void) state;
    for (i = 0; i < COUNT(bad); i++) {
        text = exact_copy(&block, bad[i].text, strlen(bad[i].text));
        expect_number(bad[i].text, wba_raw_message_parse(text, &raw, &line),
                      bad[i].line ? WBA_INVALID : WBA_OK);
        if (bad[i].line != 0) {
            expect_number(bad[i].text, (long long) line,
                          (long long) bad[i].line);
        }
        free(block);
    }
}

static void
expect_next(const wba_message_t *message, const char *name, uintptr_t *cursor,
            const char *want)
{
    wba_str_t value = WBA_STR_NONE;
    wba_status_t status;

    status = message->ops->next_line(message, wba_str_z(name), cursor, &value);
    assert_int_equal(status, want ? WBA_OK : WBA_END);
    expect_text(name, value, want);
}

static void
test_answers(void **state)
{
    const char *text = "POST /foo?a=b HTTP/1.1\r\n"
                       "HOST: \tExample.com \r\n"
                       "X-Two: one\r\n"
                       "x-other:\r\n"
                       "x-tWO: two\r\n"
                       "  folded\r\n"
                       "\tagain\r\n"
                       "\r\n"
                       "body\r\n\r\nmore";
    const wba_message_t *m;
    request_t request;
    uintptr_t cursor = 0;

    (void) state;
    request_open(&request, text);
    m = request.message;
    expect_text("method", m->ops->method(m), "POST");
    expect_text("target", m->ops->target(m), "/foo?a=b");
    expect_text("version", request.raw.version, "HTTP/1.1");
    expect_text("host", m->ops->host(m), "Example.com");
    expect_text("scheme", m->ops->scheme(m), "https");
    expect_text("override", m->ops->authority_override(m), NULL);
    expect_text("body", request.raw.body, "body\r\n\r\nmore");
    assert_true(m->ops->authority_served(m));
    assert_false(m->ops->multiplexed(m));
    assert_int_equal(request.raw.nlines, 4);
    expect_next(m, "x-two", &cursor, " one");
    expect_next(m, "x-two", &cursor, " two\r\n  folded\r\n\tagain");
    expect_next(m, "x-two", &cursor, NULL);
    expect_next(m, "x-two", &cursor, NULL);
    cursor = 0;
    expect_next(m, "x-other", &cursor, "");
    cursor = 0;
    expect_next(m, "absent", &cursor, NULL);
    request_close(&request);
}

static void
test_callers_settings(void **state)
{
    request_t request;
    const wba_message_t *m;

    (void) state;
    request_open(&request, "GET / HTTP/3\n\n");
    m = request.message;
    request.raw.scheme = WBA_STR("http");
    request.raw.authority_override = WBA_STR("a");
    expect_text("scheme", m->ops->scheme(m), "http");
    expect_text("override", m->ops->authority_override(m), "a");
    expect_text("host", m->ops->host(m), NULL);
    expect_text("body", request.raw.body, "");
    assert_true(m->ops->multiplexed(m));
    request_close(&request);
}

static void
test_too_many_lines(void **state)
{
    char text[WBA_MAX_RAW_LINES * 5 + 100];
    wba_raw_message_t raw;
    size_t i, line;
    char *p;

    (void) state;
    p = text + sprintf(text, LINE);
    for (i = 0; i < WBA_MAX_RAW_LINES; i++) {
        p += sprintf(p, "a:b\n");
    }
    assert_int_equal(wba_raw_message_parse(wba_str_z(text), &raw, &line),
                     WBA_OK);
    assert_int_equal(raw.nlines, WBA_MAX_RAW_LINES);
    strcpy(p, "a:b\n");
    assert_int_equal(wba_raw_message_parse(wba_str_z(text), &raw, &line),
                     WBA_TOO_LARGE);
    assert_int_equal(line, WBA_MAX_RAW_LINES + 2);
    strcpy(p, " fold\n");
    assert_int_equal(wba_raw_message_parse(wba_str_z(text), &raw, &line),
                     WBA_OK);
}

/* A NUL byte is a byte like another here; whoever uses the value refuses it. */
static void
test_nul_bytes(void **state)
{
    static const char text[] = "GET / HTTP/1.1\nA: b\0c\n\nd\0e";
    static const char name[] = "GET / HTTP/1.1\na\0b: c\n\n";
    wba_raw_message_t raw;
    size_t line;

    (void) state;
    assert_int_equal(
        wba_raw_message_parse(wba_str(text, sizeof(text) - 1), &raw, &line),
        WBA_OK);
    assert_int_equal(raw.lines[0].value.len, 4);
    assert_int_equal(raw.body.len, 3);
    assert_int_equal(
        wba_raw_message_parse(wba_str(name, sizeof(name) - 1), &raw, &line),
        WBA_INVALID);
    assert_int_equal(line, 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_callers_settings),
        cmocka_unit_test(test_too_many_lines),
        cmocka_unit_test(test_nul_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
