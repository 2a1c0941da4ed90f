/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a Redis server is: what is read, written as a URL again, is read the
 * same; each text ends in a NUL and holds none.
 */
#include "fuzz.h"
#include "wba_redis.h"

static fuzz_mem_t m;

static void
is_text(wba_str_t s)
{
    if (s.data != NULL) {
        CHECK(s.data[s.len] == '\0');
        CHECK(memchr(s.data, '\0', s.len + 1) == s.data + s.len);
    }
}

static void
percent(wba_buf_t *buf, wba_str_t s)
{
    char hex[4];
    size_t i;

    for (i = 0; i < s.len; i++) {
        (void) snprintf(hex, sizeof(hex), "%%%02x", s.data[i]);
        wba_buf_add(buf, hex, 3);
    }
}

static void
number(wba_buf_t *buf, const char *before, unsigned n)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%s%u", before, n);

    wba_buf_add(buf, text, (size_t) len);
}

static void
write_tcp(wba_buf_t *buf, const wba_redis_url_t *url)
{
    bool v6 = memchr(url->host.data, ':', url->host.len) != NULL;

    wba_buf_lit(buf, "redis://");
    percent(buf, url->user);
    if (url->password.data != NULL) {
        wba_buf_byte(buf, ':');
        percent(buf, url->password);
    }
    if (url->password.data != NULL || url->user.data != NULL) {
        wba_buf_byte(buf, '@');
    }
    wba_buf_str(buf, v6 ? WBA_STR("[") : WBA_STR(""));
    wba_buf_str(buf, url->host);
    wba_buf_str(buf, v6 ? WBA_STR("]") : WBA_STR(""));
    number(buf, ":", url->port);
    number(buf, "/", url->db);
}

static void
same(const wba_redis_url_t *a, const wba_redis_url_t *b)
{
    CHECK_SAME(a->unix_path, b->unix_path);
    CHECK_SAME(a->host, b->host);
    CHECK_SAME(a->user, b->user);
    CHECK_SAME(a->password, b->password);
    CHECK((a->user.data == NULL) == (b->user.data == NULL));
    CHECK((a->password.data == NULL) == (b->password.data == NULL));
    CHECK(a->port == b->port && a->db == b->db);
}

static void
url(wba_str_t text)
{
    wba_redis_url_t out, again;
    wba_status_t status;
    const char *why;
    wba_buf_t buf;

    status = wba_redis_url_parse(&m.mem, text, &out, &why);
    CHECK((status == WBA_OK) == (why[0] == '\0'));
    if (status != WBA_OK) {
        return;
    }
    CHECK((out.unix_path.data == NULL) != (out.host.data == NULL));
    CHECK(out.db <= 1000);
    is_text(out.unix_path);
    is_text(out.host);
    is_text(out.user);
    is_text(out.password);
    wba_buf_init(&buf, &m.mem, 16384);
    if (out.unix_path.data != NULL) {
        CHECK(out.unix_path.len < 108 && out.unix_path.data[0] == '/');
        wba_buf_lit(&buf, "UNIX:");
        wba_buf_str(&buf, out.unix_path);
        number(&buf, "?db=", out.db);
    } else {
        CHECK(out.port != 0 && out.host.len != 0 && out.host.len <= 253);
        write_tcp(&buf, &out);
    }
    if (buf.len <= 2048) {
        CHECK(wba_redis_url_parse(&m.mem, wba_buf_view(&buf), &again, &why)
              == WBA_OK);
        same(&out, &again);
    }
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;
    fuzz_begin();
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_mem_init(&m);
    url(fuzz_copy(&m, wba_str(data, size)));
    fuzz_mem_free(&m);
    return 0;
}
