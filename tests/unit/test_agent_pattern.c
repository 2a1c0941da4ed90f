/* SPDX-License-Identifier: BSD-2-Clause */
/* core/agent_pattern: what an operator may write, and whom it means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent_pattern.h"
#include "wba_limits.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define WELL_KNOWN WBA_WELL_KNOWN_PATH

static uint8_t block[32768];
static wba_arena_t arena;
static wba_mem_t mem;

static wba_status_t
parse(const char *text, wba_agent_pattern_t *pattern)
{
    size_t len = strlen(text);
    uint8_t *copy = malloc(len ? len : 1);
    wba_status_t status;

    assert_non_null(copy);
    memcpy(copy, text, len);
    wba_arena_init(&arena, block, sizeof(block));
    mem = wba_arena_mem(&arena);
    status = wba_agent_pattern_parse(&mem, wba_str(copy, len), pattern);
    if (status == WBA_OK) {
        pattern->text = wba_str_copy(&mem, pattern->text);
    }
    free(copy);
    return status;
}

static const struct {
    const char *text;
    wba_agent_pattern_kind_t kind;
    const char *kept;
} good[] = {
    { "https://a.example", WBA_AGENT_ORIGIN, "a.example" },
    { "https://a.example/", WBA_AGENT_ORIGIN, "a.example" },
    { "https://a.example:443", WBA_AGENT_ORIGIN, "a.example" },
    { "https://a.example:443/", WBA_AGENT_ORIGIN, "a.example" },
    { "https://a.example:", WBA_AGENT_ORIGIN, "a.example" },
    { "https://a.example:0443", WBA_AGENT_ORIGIN, "a.example" },
    { "HTTPS://A.Example:8443", WBA_AGENT_ORIGIN, "a.example:8443" },
    { "https://%61.example", WBA_AGENT_ORIGIN, "a.example" },
    { "https://a.example.", WBA_AGENT_ORIGIN, "a.example." },
    { "https://192.0.2.1", WBA_AGENT_ORIGIN, "192.0.2.1" },
    { "https://[2001:DB8::1]", WBA_AGENT_ORIGIN, "[2001:db8::1]" },
    { "https://[::1]:8443/", WBA_AGENT_ORIGIN, "[::1]:8443" },
    { "https://localhost", WBA_AGENT_ORIGIN, "localhost" },

    { "*.example.com", WBA_AGENT_SUFFIX, ".example.com" },
    { "*.Example.COM", WBA_AGENT_SUFFIX, ".example.com" },
    { "*.com", WBA_AGENT_SUFFIX, ".com" },
    { "*.a", WBA_AGENT_SUFFIX, ".a" },
    { "*.1.example", WBA_AGENT_SUFFIX, ".1.example" },
    { "*.AZaz09.zone", WBA_AGENT_SUFFIX, ".azaz09.zone" },
    { "*.xn--bcher-kva.example", WBA_AGENT_SUFFIX, ".xn--bcher-kva.example" },
    { "*._a.b-c.example", WBA_AGENT_SUFFIX, "._a.b-c.example" },
    { "*.example._x", WBA_AGENT_SUFFIX, ".example._x" },
    { "*.example.-x", WBA_AGENT_SUFFIX, ".example.-x" },

    { "https://a.example/keys", WBA_AGENT_URL, "https://a.example/keys" },
    { "https://A.example:443/Keys", WBA_AGENT_URL, "https://a.example/Keys" },
    { "https://a.example//", WBA_AGENT_URL, "https://a.example//" },
    { "https://a.example/k?v=1", WBA_AGENT_URL, "https://a.example/k?v=1" },
    { "https://a.example/x/../k", WBA_AGENT_URL, "https://a.example/x/../k" },
    { "https://a.example/?q", WBA_AGENT_URL,
      "https://a.example" WELL_KNOWN "?q" },
    { "https://a.example?", WBA_AGENT_URL,
      "https://a.example" WELL_KNOWN "?" },
    { "https://a.example" WELL_KNOWN, WBA_AGENT_URL,
      "https://a.example" WELL_KNOWN },
};

static void
test_good(void **state)
{
    wba_agent_pattern_t pattern;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(good); i++) {
        if (parse(good[i].text, &pattern) != WBA_OK
            || pattern.kind != good[i].kind
            || !wba_str_eq(pattern.text, wba_str_z(good[i].kept)))
        {
            fail_msg("%s", good[i].text);
        }
    }
}

static const struct {
    const char *text;
    wba_status_t status;
} bad[] = {
    { "", WBA_INVALID },
    { "*", WBA_INVALID },
    { "*.", WBA_INVALID },
    { "*..", WBA_INVALID },
    { "*.*", WBA_INVALID },
    { "*.*.com", WBA_INVALID },
    { "*com", WBA_INVALID },
    { "**.com", WBA_INVALID },
    { ".example.com", WBA_INVALID },
    { "*.example..com", WBA_INVALID },
    { "*..example.com", WBA_INVALID },
    { "*.example.com.", WBA_INVALID },
    { "*.example.com:443", WBA_INVALID },
    { "*.example.com/", WBA_INVALID },
    { "*.example com", WBA_INVALID },
    { "*.ex%61mple.com", WBA_INVALID },
    { "*.b\xc3\xbc" "cher.example", WBA_INVALID },
    { "*.1", WBA_INVALID }, /* addresses, and parts of them */
    { "*.0.0.1", WBA_INVALID },
    { "*.0x7f", WBA_INVALID },
    { "*.example.9a", WBA_INVALID },
    { "*.ex@mple.com", WBA_INVALID },
    { "*.ex[mple.com", WBA_INVALID },
    { "*.ex`mple.com", WBA_INVALID },
    { "*.ex{mple.com", WBA_INVALID },
    { "*.example.1", WBA_INVALID },
    { "*.[::1]", WBA_INVALID },
    { "*.::1", WBA_INVALID },
    { "https://*", WBA_INVALID },
    { "https://*.x", WBA_INVALID },
    { "https://a.*.x", WBA_INVALID },
    { "https://a.example/*", WBA_INVALID },
    { "https://a.example/?*", WBA_INVALID },
    { "*://a.example", WBA_INVALID },
    { "a.example", WBA_INVALID }, /* bare hosts */
    { "a.example:8443", WBA_INVALID },
    { "a.example/keys", WBA_INVALID },
    { "//a.example", WBA_INVALID },
    { "192.0.2.1", WBA_INVALID },
    { "[::1]", WBA_INVALID },
    { "https:a.example", WBA_INVALID },
    { "https://", WBA_INVALID },
    { "https:///keys", WBA_INVALID },
    { "https://u@a.example", WBA_INVALID },
    { "https://u:p@a.example/k", WBA_INVALID },
    { "https://@a.example", WBA_INVALID },
    { "https://a.example/#f", WBA_INVALID },
    { "https://a.example#", WBA_INVALID },
    { "https://a.example:70000", WBA_INVALID },
    { "https://a example", WBA_INVALID },
    { "https://a%2fb.example", WBA_INVALID },
    { "https://[::1", WBA_INVALID },
    { "http://a.example", WBA_UNSUPPORTED },
    { "http://a.example/keys", WBA_UNSUPPORTED },
    { "file://a.example/keys", WBA_UNSUPPORTED },
    { "httpss://a.example", WBA_UNSUPPORTED },
};

static void
test_bad(void **state)
{
    wba_agent_pattern_t pattern;
    wba_status_t status;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(bad); i++) {
        status = parse(bad[i].text, &pattern);
        if (status != bad[i].status) {
            fail_msg("%s: %d", bad[i].text, (int) status);
        }
    }
}

static void
test_too_long(void **state)
{
    char url[WBA_MAX_URL + 2] = "https://a.example/";
    wba_agent_pattern_t pattern;
    size_t begun = strlen(url);

    (void) state;
    memset(url + begun, 'k', sizeof(url) - 1 - begun);
    url[WBA_MAX_URL + 1] = '\0';
    assert_int_equal(parse(url, &pattern), WBA_INVALID);
    url[WBA_MAX_URL] = '\0';
    assert_int_equal(parse(url, &pattern), WBA_OK);
    assert_int_equal(pattern.kind, WBA_AGENT_URL);
}

static const struct {
    const char *pattern;
    const char *agent; /* what a Signature-Agent says */
    bool matches;
} pairs[] = {
    /* origins: every URL there */
    { "https://a.example", "https://a.example", true },
    { "https://a.example", "https://a.example/", true },
    { "https://a.example", "https://a.example/keys?x=1", true },
    { "https://a.example", "HTTPS://A.EXAMPLE:443/keys", true },
    { "https://a.example:443", "https://a.example", true },
    { "https://a.example/", "https://a.example:0443/k", true },
    { "https://a.example", "https://%61.example/k", true },
    { "https://a.example", "https://a.example:8443", false },
    { "https://a.example:8443", "https://a.example", false },
    { "https://a.example:8443", "https://a.example:8443/k", true },
    { "https://a.example:8443", "https://a.example:18443", false },
    { "https://a.example", "https://a.example.", false },
    { "https://a.example.", "https://a.example", false },
    { "https://a.example", "https://b.a.example", false },
    { "https://a.example", "https://ba.example", false },
    { "https://a.example", "https://a.example.evil.example", false },
    { "https://a.example", "https://evil.example/a.example", false },
    { "https://a.example", "https://evil.example/?https://a.example", false },
    { "https://[::1]", "https://[::1]/k", true },
    { "https://[::AB]", "https://[::ab]", true },
    { "https://[::1]", "https://[::2]", false },
    { "https://[::1]", "https://[::1]:8443", false },
    { "https://[::1]", "https://[0:0:0:0:0:0:0:1]", false }, /* as written */
    { "https://192.0.2.1", "https://192.0.2.1/k", true },
    { "https://192.0.2.1", "https://192.0.2.10", false },

    /* suffixes: hosts under it, on any port, and nothing but the host */
    { "*.example.com", "https://a.example.com", true },
    { "*.example.com", "https://a.b.example.com/keys", true },
    { "*.example.com", "https://A.EXAMPLE.Com:8443/", true },
    { "*.EXAMPLE.com", "https://a.example.com", true },
    { "*.example.com", "https://a%2eexample.com", true },
    { "*.example.com", "https://a.ex%61mple.com", true },
    { "*.example.com", "https://example.com", false },
    { "*.example.com", "https://.example.com", false },
    { "*.example.com", "https://badexample.com", false },
    { "*.example.com", "https://bad-example.com", false },
    { "*.example.com", "https://a.example.com.", false },
    { "*.example.com", "https://a.example.com.evil.example", false },
    { "*.example.com", "https://evil.example/a.example.com", false },
    { "*.example.com", "https://evil.example/x?a.example.com", false },
    { "*.example.com", "https://evil.example:8443/.example.com", false },
    { "*.example.com", "https://a.b.c.d.e.f.g.example.com/k?x", true },
    { "*.example.com", "https://example.com.example.com", true },
    { "*.example.com", "https://xn--bcher-kva.example.com", true },
    { "*.example.com", "https://aexample.com", false },
    { "*.example.com", "https://a.badexample.com", false },
    { "*.example.com", "https://a.example.co", false },
    { "*.example.com", "https://a.example.comm", false },
    { "*.example.com", "https://a.examplexcom", false },
    { "*.example.com", "https://example.com.", false },
    { "*.example.com", "https://[::1]", false },
    { "*.b.example.com", "https://a.example.com", false },
    { "*.b.example.com", "https://b.example.com", false },
    { "*.b.example.com", "https://a.b.example.com", true },
    { "*.example.com", "https://com", false },
    { "*.com", "https://example.com", true },
    { "*.com", "https://a.b.example.com", true },
    { "*.com", "https://com", false },
    { "*.com", "https://example.community", false },
    { "*.com", "https://192.0.2.1", false },
    { "*.com", "https://[::1]", false },

    /* URLs: that one only */
    { "https://a.example/keys", "https://a.example/keys", true },
    { "https://a.example:443/keys", "https://A.example/keys", true },
    { "https://a.example/keys", "https://a.example/Keys", false },
    { "https://a.example/keys", "https://a.example/keys/", false },
    { "https://a.example/keys", "https://a.example/keys?", false },
    { "https://a.example/keys", "https://a.example/keys?x", false },
    { "https://a.example/keys?x", "https://a.example/keys?x", true },
    { "https://a.example/keys", "https://a.example/key%73", false },
    { "https://a.example/keys", "https://a.example/x/../keys", false },
    { "https://a.example/keys", "https://a.example:8443/keys", false },
    { "https://a.example/keys", "https://a.example", false },
    { "https://a.example/keys", "https://b.example/keys", false },
    { "https://a.example" WELL_KNOWN, "https://a.example", true },
    { "https://a.example" WELL_KNOWN, "https://a.example/", true },
    { "https://a.example" WELL_KNOWN, "https://a.example" WELL_KNOWN, true },
    { "https://a.example" WELL_KNOWN, "https://a.example/keys", false },
};

static void
test_matching(void **state)
{
    wba_agent_pattern_t pattern;
    wba_str_t url;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(pairs); i++) {
        assert_int_equal(parse(pairs[i].pattern, &pattern), WBA_OK);
        assert_int_equal(wba_agent_resolve(&mem, wba_str_z(pairs[i].agent),
                                           &url),
                         WBA_OK);
        if (wba_agent_pattern_matches(&pattern, url) != pairs[i].matches) {
            fail_msg("%s for %s", pairs[i].pattern, pairs[i].agent);
        }
    }
}

/* What no agent's URL resolves to matches nothing by its parts. */
static void
test_what_is_no_url(void **state)
{
    static const char *const urls[] = { "", "a.example.com",
                                        "https://", "https:a.example.com" };
    wba_agent_pattern_t origin, suffix;
    size_t i;

    (void) state;
    assert_int_equal(parse("https://a.example.com", &origin), WBA_OK);
    origin.text = WBA_STR("a.example.com");
    assert_int_equal(parse("*.example.com", &suffix), WBA_OK);
    for (i = 0; i < COUNT(urls); i++) {
        wba_str_t url = wba_str_z(urls[i]);

        assert_false(wba_agent_pattern_matches(&origin, url));
        assert_false(wba_agent_pattern_matches(&suffix, url));
    }
}

static void
test_memory(void **state)
{
    static const char *const texts[] = { "https://a.example", "*.example",
                                         "https://a.example/keys" };
    wba_agent_pattern_t pattern;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(texts); i++) {
        wba_status_t status = WBA_NO_MEMORY;
        size_t size;

        /* with every amount up to enough */
        for (size = 0; status != WBA_OK; size++) {
            assert_true(size < sizeof(block));
            wba_arena_init(&arena, block, size);
            mem = wba_arena_mem(&arena);
            status = wba_agent_pattern_parse(&mem, wba_str_z(texts[i]),
                                             &pattern);
            assert_true(status == WBA_OK || status == WBA_NO_MEMORY);
        }
        assert_true(size > 1);
    }
    wba_arena_init(&arena, block, 0);
    mem = wba_arena_mem(&arena);
    assert_int_equal(wba_agent_pattern_parse(&mem, WBA_STR_NONE, &pattern),
                     WBA_INVALID);
}

/* Blocks of exactly what was asked for, so that writing beyond is seen. */
static void *
exact_alloc(void *ctx, size_t size)
{
    void **blocks = ctx;

    while (*blocks != NULL) {
        blocks++;
    }
    *blocks = malloc(size ? size : 1);
    return *blocks;
}

static void
test_exact_memory(void **state)
{
    void *blocks[8];
    wba_mem_t exact = { exact_alloc, blocks };
    wba_agent_pattern_t pattern;
    size_t i, k;

    (void) state;
    for (i = 0; i < COUNT(good); i++) {
        memset(blocks, 0, sizeof(blocks));
        assert_int_equal(wba_agent_pattern_parse(
                             &exact, wba_str_z(good[i].text), &pattern),
                         WBA_OK);
        assert_true(wba_str_eq(pattern.text, wba_str_z(good[i].kept)));
        for (k = 0; k < COUNT(blocks); k++) {
            free(blocks[k]);
        }
    }
}

/* Which patterns stand for one URL. */
static void
test_names(void **state)
{
    static const struct {
        const char *pattern;
        const char *url;
        bool names;
    } rows[] = {
        { "https://a.test", "https://a.test" WBA_WELL_KNOWN_PATH, true },
        { "https://a.test", "https://a.test" WBA_WELL_KNOWN_PATH "?x", false },
        { "https://a.test", "https://a.test/keys", false },
        { "https://a.test", "https://b.test" WBA_WELL_KNOWN_PATH, false },
        { "https://a.test/keys", "https://a.test/keys", true },
        { "https://a.test/keys?x", "https://a.test/keys?x", true },
        { "https://a.test/keys", "https://a.test/keys?x", false },
        { "*.a.test", "https://b.a.test" WBA_WELL_KNOWN_PATH, false },
    };
    uint8_t room[4096];
    wba_agent_pattern_t pattern;
    wba_arena_t own;
    wba_mem_t from;
    size_t i;

    (void) state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        wba_arena_init(&own, room, sizeof(room));
        from = wba_arena_mem(&own);
        assert_int_equal(wba_agent_pattern_parse(&from,
                                                 wba_str_z(rows[i].pattern),
                                                 &pattern),
                         WBA_OK);
        if (wba_agent_pattern_names(&pattern, wba_str_z(rows[i].url))
            != rows[i].names)
        {
            fail_msg("%s and %s", rows[i].pattern, rows[i].url);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_matching),
        cmocka_unit_test(test_what_is_no_url),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_exact_memory),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
