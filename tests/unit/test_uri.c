/* SPDX-License-Identifier: BSD-2-Clause */
/* core/uri: parsing, @authority, and the URLs of agents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "wba_limits.h"
#include "uri.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define WELL_KNOWN WBA_WELL_KNOWN_PATH

static uint8_t block[32768];
static wba_arena_t arena;
static wba_mem_t mem;

/* A copy in a block of its own, so that ASan sees a read beyond its end. */
static wba_str_t
exact(const char *text, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);

    assert_non_null(copy);
    memcpy(copy, text, len);
    wba_arena_init(&arena, block, sizeof(block));
    mem = wba_arena_mem(&arena);
    return wba_str(copy, len);
}

static void
drop(wba_str_t s)
{
    free((void *) s.data);
}

/* got against want, NULL meaning absent. */
static bool
same(wba_str_t got, const char *want)
{
    return (got.data == NULL) == (want == NULL)
           && wba_str_eq(got, wba_str_z(want));
}

static const struct {
    const char *text, *scheme, *userinfo, *host, *port, *path, *query,
        *fragment, *authority;
} good[] = {
    { "https://a", "https", NULL, "a", NULL, "", NULL, NULL, "a" },
    { "https://a/", "https", NULL, "a", NULL, "/", NULL, NULL, "a" },
    { "h+.-1://A:8/p?q#f", "h+.-1", NULL, "A", "8", "/p", "q", "f", "A:8" },
    { "https://u:p@a:/?#", "https", "u:p", "a", "", "/", "", "", "u:p@a:" },
    { "https://@a", "https", "", "a", NULL, "", NULL, NULL, "@a" },
    { "https://a?q/?", "https", NULL, "a", NULL, "", "q/?", NULL, "a" },
    { "https://a#f/?", "https", NULL, "a", NULL, "", NULL, "f/?", "a" },
    { "https://[::1]:443//x", "https", NULL, "[::1]", "443", "//x", NULL,
      NULL, "[::1]:443" },
    { "https://[::FFFF:1.2.3.4]", "https", NULL, "[::FFFF:1.2.3.4]", NULL, "",
      NULL, NULL, "[::FFFF:1.2.3.4]" },
    { "https://%61~!$&'()*+,;=/:@%2f", "https", NULL, "%61~!$&'()*+,;=",
      NULL, "/:@%2f", NULL, NULL, "%61~!$&'()*+,;=" },
    { "https://a:65535", "https", NULL, "a", "65535", "", NULL, NULL,
      "a:65535" },
};

static void
test_parse(void **state)
{
    wba_uri_t uri;
    wba_str_t text;
    size_t i, n;

    (void) state;
    for (i = 0; i < COUNT(good); i++) {
        /* every prefix, for the sanitizers */
        for (n = 0; n <= strlen(good[i].text); n++) {
            text = exact(good[i].text, n);
            (void) wba_uri_parse(text, &uri);
            drop(text);
        }
        text = wba_str_z(good[i].text);
        if (wba_uri_parse(text, &uri) != WBA_OK
            || !same(uri.scheme, good[i].scheme)
            || !same(uri.userinfo, good[i].userinfo)
            || !same(uri.host, good[i].host)
            || !same(uri.port, good[i].port)
            || !same(uri.path, good[i].path)
            || !same(uri.query, good[i].query)
            || !same(uri.fragment, good[i].fragment)
            || !same(uri.authority, good[i].authority)) {
            fail_msg("%s", good[i].text);
        }
    }
}

static const char *const bad[] = {
    "", "https", "https:", "https:/", "https:/a", "https://", "https:///p",
    "https://?q", "https://#f", "//a", "/p", "a/b", "://a", "1a://b",
    "ht tp://a", "https://u@", "https://:80", "https://u@:80",
    "https://a b", "https://a/b c", "https://a\\b", "https://a/\\b",
    "https://a/\"", "https://a/<", "https://a/{", "https://a/^", "https://a/|",
    "https://a/`", "https://a/\x7f", "https://a/\x01", "https://a/\xc3\xbc",
    "https://\xc3\xbc", "https://a/[", "https://a?[", "https://a#[",
    "https://a#b#c", "https://a/%", "https://a/%4", "https://a/%4g",
    "https://a?%zz", "https://a#%", "https://%", "https://%4/",
    "https://a@b@c", "https://a:b", "https://a:65536", "https://a:99999999999",
    "https://a:-1", "https://a:+1", "https://a: 1", "https://a:1:2",
    "https://a:80@b:c", "https://[::1", "https://[]", "https://[",
    "https://[::1]x", "https://[::1]:x", "https://[1.2.3.4]",
    "https://[:::1]", "https://[::1%25eth0]", "https://[v1.a]",
    "https://[::gggg]", "https://::1", "https://a[::1]", "https://a]",
    "https://[1:2:3:4:5:6:7:8:9]",
    "https://[::00000000000000000000000000000000000000000000000000000001]",
};

static void
test_parse_refuses(void **state)
{
    wba_uri_t uri;
    wba_str_t text;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(bad); i++) {
        text = exact(bad[i], strlen(bad[i]));
        if (wba_uri_parse(text, &uri) != WBA_INVALID) {
            fail_msg("%s", bad[i]);
        }
        drop(text);
    }
    assert_int_equal(wba_uri_parse(WBA_STR_NONE, &uri), WBA_INVALID);
    assert_int_equal(wba_uri_parse(WBA_STR("https://a\0b/"), &uri),
                     WBA_INVALID);
    assert_int_equal(wba_uri_parse(WBA_STR("https://[::1\0]/"), &uri),
                     WBA_INVALID);
}

static const struct {
    const char *authority, *scheme, *want; /* NULL: WBA_INVALID */
} authorities[] = {
    { "example.com", "https", "example.com" },
    { "Example.COM", "https", "example.com" },
    { "example.com:443", "https", "example.com" },
    { "example.com:443", "HTTPS", "example.com" },
    { "example.com:443", "http", "example.com:443" },
    { "example.com:80", "http", "example.com" },
    { "example.com:80", "https", "example.com:80" },
    { "example.com:", "https", "example.com" },
    { "EXAMPLE.com:8443", "https", "example.com:8443" },
    { "example.com:0443", "https", "example.com" },
    { "example.com:443", "", "example.com:443" },
    { "u:p@Example.com:443", "https", "example.com" },
    { "u@example.com:1", "https", "example.com:1" },
    { "[2001:DB8::1]:443", "https", "[2001:db8::1]" },
    { "[::1]", "https", "[::1]" },
    { "127.0.0.1:80", "http", "127.0.0.1" },
    { "a_b.example.", "https", "a_b.example." },
    { "", "https", NULL },
    { ":443", "https", NULL },
    { "u@", "https", NULL },
    { "a b", "https", NULL },
    { "a/b", "https", NULL },
    { "a?b", "https", NULL },
    { "a#b", "https", NULL },
    { "a,b c", "https", NULL },
    { "a\n", "https", NULL },
    { "a:b", "https", NULL },
    { "a:65536", "https", NULL },
    { "::1", "https", NULL },
    { "[::1", "https", NULL },
    { "b\xc3\xbc", "https", NULL },
    { "a%4", "https", NULL },
};

static void
test_authority(void **state)
{
    wba_str_t text, out;
    wba_status_t rc;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(authorities); i++) {
        text = exact(authorities[i].authority,
                     strlen(authorities[i].authority));
        rc = wba_authority_normalise(&mem, text,
                                     wba_str_z(authorities[i].scheme), &out);
        if (rc != (authorities[i].want ? WBA_OK : WBA_INVALID)
            || (rc == WBA_OK && !same(out, authorities[i].want))) {
            fail_msg("case %zu <%s>: %d", i, authorities[i].authority, rc);
        }
        drop(text);
    }
}

static void
test_authority_copies_only_to_change(void **state)
{
    wba_str_t text = WBA_STR("u@example.com:443"), out;

    (void) state;
    wba_arena_init(&arena, block, 0);
    mem = wba_arena_mem(&arena);
    assert_int_equal(
        wba_authority_normalise(&mem, text, WBA_STR("https"), &out), WBA_OK);
    assert_ptr_equal(out.data, text.data + 2);
    assert_int_equal(
        wba_authority_normalise(&mem, WBA_STR("A"), WBA_STR("https"), &out),
        WBA_NO_MEMORY);
    assert_int_equal(wba_authority_normalise(&mem, WBA_STR_NONE,
                                             WBA_STR("https"), &out),
                     WBA_INVALID);
}

static const struct {
    const char *url;
    wba_status_t status;
    const char *resolved, *identity;
} agents[] = {
    /* origins */
    { "https://a.example", WBA_OK, "https://a.example" WELL_KNOWN,
      "https://a.example" },
    { "https://a.example/", WBA_OK, "https://a.example" WELL_KNOWN,
      "https://a.example" },
    { "HTTPS://A.Example:443/", WBA_OK, "https://a.example" WELL_KNOWN,
      "https://a.example" },
    { "https://a.example:", WBA_OK, "https://a.example" WELL_KNOWN,
      "https://a.example" },
    { "https://a.example:8443", WBA_OK, "https://a.example:8443" WELL_KNOWN,
      "https://a.example:8443" },
    { "https://a.example:08443", WBA_OK, "https://a.example:8443" WELL_KNOWN,
      "https://a.example:8443" },
    { "https://a.example:80", WBA_OK, "https://a.example:80" WELL_KNOWN,
      "https://a.example:80" },
    { "https://a.example:0", WBA_OK, "https://a.example:0" WELL_KNOWN,
      "https://a.example:0" },
    { "https://a.example?x=1", WBA_OK, "https://a.example" WELL_KNOWN "?x=1",
      "https://a.example" },
    { "https://a.example/?", WBA_OK, "https://a.example" WELL_KNOWN "?",
      "https://a.example" },
    { "https://[2001:DB8::1]:443/", WBA_OK,
      "https://[2001:db8::1]" WELL_KNOWN, "https://[2001:db8::1]" },
    { "https://%61.Ex%41mple", WBA_OK, "https://a.example" WELL_KNOWN,
      "https://a.example" },
    /* paths: fetched as sent, shown normalised */
    { "https://a.example/Keys.json?V=%41", WBA_OK,
      "https://a.example/Keys.json?V=%41", "https://a.example/Keys.json" },
    { "https://a.example/%7euser/%e2%2f%41", WBA_OK,
      "https://a.example/%7euser/%e2%2f%41",
      "https://a.example/~user/%E2%2FA" },
    { "https://a.example/%252e%252E/x", WBA_OK,
      "https://a.example/%252e%252E/x", "https://a.example/%252e%252E/x" },
    { "https://a.example/b/", WBA_OK, "https://a.example/b/",
      "https://a.example/b/" },
    { "https://a.example//", WBA_OK, "https://a.example//",
      "https://a.example//" },
    { "https://a.example/.", WBA_OK, "https://a.example/.",
      "https://a.example" },
    { "https://a.example/..", WBA_OK, "https://a.example/..",
      "https://a.example" },
    { "https://a.example/b/../../../c", WBA_OK,
      "https://a.example/b/../../../c", "https://a.example/c" },
    { "https://a.example/b/%2e%2E/c", WBA_OK, "https://a.example/b/%2e%2E/c",
      "https://a.example/c" },
    { "https://a.example/b/./c/.", WBA_OK, "https://a.example/b/./c/.",
      "https://a.example/b/c/" },
    { "https://a.example/b/c/..", WBA_OK, "https://a.example/b/c/..",
      "https://a.example/b/" },
    { "https://a.example/b//../c", WBA_OK, "https://a.example/b//../c",
      "https://a.example/b/c" },
    { "https://a.example/.b/..c/...", WBA_OK, "https://a.example/.b/..c/...",
      "https://a.example/.b/..c/..." },
    { "https://a.example" WELL_KNOWN, WBA_OK, "https://a.example" WELL_KNOWN,
      "https://a.example" WELL_KNOWN },
    /* refused */
    { "http://a.example", WBA_UNSUPPORTED, NULL, NULL },
    { "httpss://a.example", WBA_UNSUPPORTED, NULL, NULL },
    { "data:application/json,{}", WBA_UNSUPPORTED, NULL, NULL },
    { "a.example", WBA_INVALID, NULL, NULL },
    { "//a.example", WBA_INVALID, NULL, NULL },
    { "https:a.example", WBA_INVALID, NULL, NULL },
    { "https://u@a.example", WBA_INVALID, NULL, NULL },
    { "https://@a.example", WBA_INVALID, NULL, NULL },
    { "https://a.example#", WBA_INVALID, NULL, NULL },
    { "https://a.example/#f", WBA_INVALID, NULL, NULL },
    { "https://a.example%2f.b", WBA_INVALID, NULL, NULL },
    { "https://a.example%00", WBA_INVALID, NULL, NULL },
    { "https://a.example\\@b", WBA_INVALID, NULL, NULL },
    { "https://a.example /", WBA_INVALID, NULL, NULL },
    { " https://a.example", WBA_INVALID, NULL, NULL },
    { "", WBA_INVALID, NULL, NULL },
};

static void
test_agents(void **state)
{
    wba_str_t url, resolved = WBA_STR_NONE, identity = WBA_STR_NONE, again;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(agents); i++) {
        url = exact(agents[i].url, strlen(agents[i].url));
        if (wba_agent_resolve(&mem, url, &resolved) != agents[i].status
            || wba_agent_identity(&mem, url, &identity) != agents[i].status) {
            fail_msg("case %zu <%s>: status", i, agents[i].url);
        }
        drop(url);
        if (agents[i].status != WBA_OK) {
            continue;
        }
        if (!same(resolved, agents[i].resolved)
            || !same(identity, agents[i].identity)) {
            fail_msg("case %zu <%s>: <%.*s> <%.*s>", i, agents[i].url,
                     (int) resolved.len, (const char *) resolved.data,
                     (int) identity.len, (const char *) identity.data);
        }
        assert_int_equal(wba_agent_identity(&mem, identity, &again), WBA_OK);
        assert_true(wba_str_eq(identity, again));
        assert_int_equal(wba_agent_resolve(&mem, resolved, &again), WBA_OK);
        assert_true(wba_str_eq(resolved, again));
    }
}

/* What earlier drafts' ;type makes of a URL. */
static const struct {
    const char *url;
    wba_agent_type_t type;
    wba_status_t status;
    const char *resolved, *identity;
} located[] = {
    { "https://A.example", WBA_AGENT_TYPE_NONE, WBA_OK,
      "https://a.example" WELL_KNOWN, "https://a.example" },
    { "https://A.example/k?v", WBA_AGENT_TYPE_NONE, WBA_OK,
      "https://a.example/k?v", "https://a.example/k" },

    { "https://A.example", WBA_AGENT_TYPE_DIRECTORY, WBA_OK,
      "https://a.example" WELL_KNOWN, "https://a.example" },
    { "https://a.example/", WBA_AGENT_TYPE_DIRECTORY, WBA_OK,
      "https://a.example" WELL_KNOWN, "https://a.example" },
    { "https://a.example/k/l?v", WBA_AGENT_TYPE_DIRECTORY, WBA_OK,
      "https://a.example" WELL_KNOWN, "https://a.example" },
    { "https://a.example?v", WBA_AGENT_TYPE_DIRECTORY, WBA_OK,
      "https://a.example" WELL_KNOWN, "https://a.example" },
    { "https://a.example:8443/k", WBA_AGENT_TYPE_DIRECTORY, WBA_OK,
      "https://a.example:8443" WELL_KNOWN, "https://a.example:8443" },
    { "https://a.example" WELL_KNOWN, WBA_AGENT_TYPE_DIRECTORY, WBA_OK,
      "https://a.example" WELL_KNOWN, "https://a.example" },

    { "https://a.example", WBA_AGENT_TYPE_JWKS_URI, WBA_OK,
      "https://a.example/", "https://a.example" },
    { "https://a.example:443/", WBA_AGENT_TYPE_JWKS_URI, WBA_OK,
      "https://a.example/", "https://a.example" },
    { "https://a.example?v", WBA_AGENT_TYPE_JWKS_URI, WBA_OK,
      "https://a.example/?v", "https://a.example" },
    { "https://a.example/K/../l?v", WBA_AGENT_TYPE_JWKS_URI, WBA_OK,
      "https://a.example/K/../l?v", "https://a.example/l" },

    { "http://a.example", WBA_AGENT_TYPE_DIRECTORY, WBA_UNSUPPORTED, NULL,
      NULL },
    { "http://a.example", WBA_AGENT_TYPE_JWKS_URI, WBA_UNSUPPORTED, NULL,
      NULL },
    { "https://u@a.example/k", WBA_AGENT_TYPE_DIRECTORY, WBA_INVALID, NULL,
      NULL },
    { "https://a.example/#f", WBA_AGENT_TYPE_DIRECTORY, WBA_INVALID, NULL,
      NULL },
    { "https://a.example/#f", WBA_AGENT_TYPE_JWKS_URI, WBA_INVALID, NULL,
      NULL },
    { "https://a.example/ ", WBA_AGENT_TYPE_DIRECTORY, WBA_INVALID, NULL,
      NULL },
};

static void
test_located(void **state)
{
    wba_str_t url, resolved = WBA_STR_NONE, identity = WBA_STR_NONE;
    wba_status_t status;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(located); i++) {
        url = exact(located[i].url, strlen(located[i].url));
        status = wba_agent_locate(&mem, url, located[i].type, &resolved,
                                  &identity);
        drop(url);
        if (status != located[i].status
            || (status == WBA_OK
                && (!same(resolved, located[i].resolved)
                    || !same(identity, located[i].identity))))
        {
            fail_msg("case %zu <%s>: %d <%.*s> <%.*s>", i, located[i].url,
                     (int) status, (int) resolved.len,
                     (const char *) resolved.data, (int) identity.len,
                     (const char *) identity.data);
        }
    }
}

/* With every amount of memory up to enough, it fails cleanly or succeeds. */
static void
test_located_memory(void **state)
{
    wba_status_t status = WBA_NO_MEMORY;
    wba_str_t resolved, identity;
    wba_arena_t small;
    wba_mem_t little;
    size_t size;

    (void) state;
    for (size = 0; status != WBA_OK; size += 16) {
        assert_true(size < 4096);
        wba_arena_init(&small, block, size);
        little = wba_arena_mem(&small);
        status = wba_agent_locate(&little, WBA_STR("https://a.example/k"),
                                  WBA_AGENT_TYPE_DIRECTORY, &resolved,
                                  &identity);
        assert_true(status == WBA_OK || status == WBA_NO_MEMORY);
    }
    assert_true(size > 64);
}

static void
test_agent_limits(void **state)
{
    char text[WBA_MAX_URL + 1];
    wba_str_t url, out, identity;

    (void) state;
    memset(text, 'a', sizeof(text));
    memcpy(text, "https://", 8);
    url = exact(text, WBA_MAX_URL);
    assert_int_equal(wba_agent_resolve(&mem, url, &out), WBA_OK);
    assert_int_equal(out.len, WBA_MAX_URL + strlen(WELL_KNOWN));
    assert_int_equal(wba_agent_identity(&mem, url, &out), WBA_OK);
    assert_int_equal(out.len, WBA_MAX_URL);
    assert_int_equal(wba_agent_locate(&mem, url, WBA_AGENT_TYPE_DIRECTORY,
                                      &out, &identity),
                     WBA_OK);
    assert_int_equal(out.len, WBA_MAX_URL + strlen(WELL_KNOWN));
    assert_int_equal(identity.len, WBA_MAX_URL);
    assert_int_equal(wba_agent_locate(&mem, url, WBA_AGENT_TYPE_JWKS_URI,
                                      &out, &identity),
                     WBA_OK);
    assert_int_equal(out.len, WBA_MAX_URL + 1);
    drop(url);
    url = exact(text, WBA_MAX_URL + 1);
    assert_int_equal(wba_agent_resolve(&mem, url, &out), WBA_INVALID);
    assert_int_equal(wba_agent_identity(&mem, url, &out), WBA_INVALID);
    drop(url);
    wba_arena_init(&arena, block, 16);
    assert_int_equal(wba_agent_resolve(&mem, WBA_STR("https://a"), &out),
                     WBA_NO_MEMORY);
    assert_int_equal(wba_agent_identity(&mem, WBA_STR("https://a"), &out),
                     WBA_NO_MEMORY);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_authority),
        cmocka_unit_test(test_authority_copies_only_to_change),
        cmocka_unit_test(test_agents),
        cmocka_unit_test(test_located),
        cmocka_unit_test(test_located_memory),
        cmocka_unit_test(test_agent_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
