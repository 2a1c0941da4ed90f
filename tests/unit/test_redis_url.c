/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a Redis server is: what operators write, and what they get wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "wba_limits.h"
#include "wba_redis.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static struct {
    uint8_t block[8192];
    wba_arena_t arena;
    unsigned calls;
    unsigned fail_at;
    wba_mem_t real;
} it;

static void *
alloc(void *ctx, size_t size)
{
    (void) ctx;
    return ++it.calls == it.fail_at ? NULL : wba_alloc(&it.real, size);
}

static wba_status_t
parse(wba_str_t text, wba_redis_url_t *url, const char **why)
{
    wba_mem_t mem = { alloc, NULL };
    uint8_t *exact = malloc(text.len ? text.len : 1);
    wba_status_t status;

    assert_non_null(exact); /* of no byte more: ASan watches its end */
    if (text.len) {
        memcpy(exact, text.data, text.len);
    }
    wba_arena_init(&it.arena, it.block, sizeof(it.block));
    it.real = wba_arena_mem(&it.arena);
    it.calls = 0;
    status = wba_redis_url_parse(&mem, wba_str(exact, text.len), url, why);
    free(exact);
    return status;
}

/* NULL: absent.  The text must end in NUL. */
static void
expect(wba_str_t got, const char *want, const char *of)
{
    if (want == NULL ? got.data != NULL
                     : got.data == NULL || got.len != strlen(want)
                           || memcmp(got.data, want, got.len + 1) != 0)
    {
        fail_msg("%s: got %.*s, want %s", of, (int) got.len, got.data, want);
    }
}

static const struct {
    const char *text;
    const char *path;
    const char *host;
    unsigned port;
    unsigned db;
    const char *user;
    const char *password;
} good[] = {
    { "redis://127.0.0.1", NULL, "127.0.0.1", 6379, 0, NULL, NULL },
    { "redis://cache.example:6380", NULL, "cache.example", 6380, 0, NULL,
      NULL },
    { "REDIS://Cache-1_b.example/", NULL, "Cache-1_b.example", 6379, 0, NULL,
      NULL },
    { "redis://h/0", NULL, "h", 6379, 0, NULL, NULL },
    { "redis://h:1/15", NULL, "h", 1, 15, NULL, NULL },
    { "redis://h:65535/1000", NULL, "h", 65535, 1000, NULL, NULL },
    { "redis://[::1]", NULL, "::1", 6379, 0, NULL, NULL },
    { "redis://[2001:db8::7]:6380/2", NULL, "2001:db8::7", 6380, 2, NULL,
      NULL },
    { "redis://[::ffff:192.0.2.1]", NULL, "::ffff:192.0.2.1", 6379, 0, NULL,
      NULL },
    { "redis://:secret@h", NULL, "h", 6379, 0, NULL, "secret" },
    { "redis://user:secret@h:7/3", NULL, "h", 7, 3, "user", "secret" },
    { "redis://user@h", NULL, "h", 6379, 0, "user", NULL },
    { "redis://user:@h", NULL, "h", 6379, 0, "user", "" },
    { "redis://:@h", NULL, "h", 6379, 0, NULL, "" },
    { "redis://u%40x:p%3a%2F%20%25%c3%A4@h", NULL, "h", 6379, 0, "u@x",
      "p:/ %\xc3\xa4" },
    { "redis://u:a:b@h", NULL, "h", 6379, 0, "u", "a:b" },
    { "redis://u:a@b@h", NULL, "h", 6379, 0, "u", "a@b" },
    { "redis://u:p@[::1]:9/1", NULL, "::1", 9, 1, "u", "p" },
    { "unix:/run/redis.sock", "/run/redis.sock", NULL, 0, 0, NULL, NULL },
    { "unix:/run/r s.sock?db=7", "/run/r s.sock", NULL, 0, 7, NULL, NULL },
    { "UNIX:/r%41", "/r%41", NULL, 0, 0, NULL, NULL },
    { "unix:/r?db=1000", "/r", NULL, 0, 1000, NULL, NULL },
};

static void
test_good(void **state)
{
    wba_redis_url_t url;
    const char *why;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(good); i++) {
        const char *text = good[i].text;

        if (parse(wba_str_z(text), &url, &why) != WBA_OK) {
            fail_msg("%s: %s", text, why);
        }
        expect(url.unix_path, good[i].path, text);
        expect(url.host, good[i].host, text);
        expect(url.user, good[i].user, text);
        expect(url.password, good[i].password, text);
        assert_int_equal(url.port, good[i].port);
        assert_int_equal(url.db, good[i].db);
    }
}

static const struct {
    const char *text;
    const char *why; /* some of it */
} bad[] = {
    { "", "does not begin" },
    { "redis:", "does not begin" },
    { "redis:/h", "does not begin" },
    { "http://h", "does not begin" },
    { "127.0.0.1:6379", "does not begin" },
    { "redis://", "host" },
    { "redis:///1", "host" },
    { "redis://:6379", "host" },
    { "redis://@h", "before the @" },
    { "redis://u:p@", "host" },
    { "redis://a b", "host" },
    { "redis://h%31", "host" },
    { "redis://::1", "host" },
    { "redis://\xc3\xa4", "host" },
    { "redis://[::1", "]" },
    { "redis://[]", "IPv6" },
    { "redis://[h]", "IPv6" },
    { "redis://[127.0.0.1]", "IPv6" },
    { "redis://[fe80::1%25eth0]", "IPv6" },
    { "redis://[::1]6379", "port" },
    { "redis://[::1]]", "port" },
    { "redis://2001:db8::7", "port" },
    { "redis://h:", "port" },
    { "redis://h:0", "port" },
    { "redis://h:65536", "port" },
    { "redis://h:99999999999999999999", "port" },
    { "redis://h:-1", "port" },
    { "redis://h:+1", "port" },
    { "redis://h:1x", "port" },
    { "redis://h:1:2", "port" },
    { "redis://u:p/w@h", "port" },
    { "redis://h/x", "database" },
    { "redis://h/-1", "database" },
    { "redis://h/1001", "database" },
    { "redis://h/1/", "database" },
    { "redis://h//", "database" },
    { "redis://h/4294967296", "database" },
    { "redis://h/0?x", "no meaning" },
    { "redis://h#x", "no meaning" },
    { "redis://u:p?w@h", "no meaning" },
    { "redis://u:%@h", "%" },
    { "redis://u:%4@h", "%" },
    { "redis://u:%4g@h", "%" },
    { "redis://u:%g4@h", "%" },
    { "redis://u:%4-@h", "%" },
    { "redis://u:%4:@h", "%" },
    { "redis://[0000:0000:0000:0000:0000:0000:0000:0000:0000:0001]", "IPv6" },
    { "redis://%00:p@h", "%00" },
    { "redis://u:a%00b@h", "%00" },
    { "unix:", "path" },
    { "unix:run/redis.sock", "path" },
    { "unix:?db=1", "path" },
    { "unix:/r?", "db" },
    { "unix:/r?db", "db" },
    { "unix:/r?db=", "db" },
    { "unix:/r?db=x", "db" },
    { "unix:/r?db=1001", "db" },
    { "unix:/r?db=1&x=2", "db" },
    { "unix:/r?database=1", "db" },
};

static void
test_bad(void **state)
{
    wba_redis_url_t url;
    const char *why;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(bad); i++) {
        if (parse(wba_str_z(bad[i].text), &url, &why) != WBA_INVALID
            || strstr(why, bad[i].why) == NULL)
        {
            fail_msg("%s: %s, want %s", bad[i].text, why, bad[i].why);
        }
    }
}

static void
test_tls(void **state)
{
    wba_redis_url_t url;
    const char *why;

    (void) state;
    assert_int_equal(parse(WBA_STR("rediss://h"), &url, &why),
                     WBA_UNSUPPORTED);
    assert_non_null(strstr(why, "TLS"));
}

static void
test_long(void **state)
{
    static uint8_t text[WBA_MAX_URL + 1];
    wba_redis_url_t url;
    const char *why;

    (void) state;
    memset(text, 'a', sizeof(text));
    memcpy(text, "redis://", 8);
    assert_int_equal(parse(wba_str(text, sizeof(text)), &url, &why),
                     WBA_INVALID);
    assert_non_null(strstr(why, "long"));
    assert_int_equal(parse(wba_str(text, 8 + 254), &url, &why), WBA_INVALID);
    assert_int_equal(parse(wba_str(text, 8 + 253), &url, &why), WBA_OK);

    memcpy(text, "unix:/aa", 8);
    assert_int_equal(parse(wba_str(text, 5 + 108), &url, &why), WBA_INVALID);
    assert_non_null(strstr(why, "long"));
    assert_int_equal(parse(wba_str(text, 5 + 107), &url, &why), WBA_OK);
}

static void
test_nul(void **state)
{
    wba_redis_url_t url;
    const char *why;

    (void) state;
    assert_int_equal(parse(WBA_STR("redis://h\0x"), &url, &why), WBA_INVALID);
    assert_int_equal(parse(WBA_STR("unix:/a\0b"), &url, &why), WBA_INVALID);
    assert_int_equal(parse(WBA_STR("redis://[::1\0]"), &url, &why),
                     WBA_INVALID);
    assert_non_null(strstr(why, "NUL"));
}

static void
test_memory(void **state)
{
    wba_redis_url_t url;
    const char *why;

    (void) state;
    for (it.fail_at = 1; it.fail_at <= 3; it.fail_at++) {
        assert_int_equal(parse(WBA_STR("redis://u:p@h"), &url, &why),
                         WBA_NO_MEMORY);
    }
    it.fail_at = 1;
    assert_int_equal(parse(WBA_STR("unix:/r"), &url, &why), WBA_NO_MEMORY);
    it.fail_at = 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good), cmocka_unit_test(test_bad),
        cmocka_unit_test(test_tls),  cmocka_unit_test(test_long),
        cmocka_unit_test(test_nul),  cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
