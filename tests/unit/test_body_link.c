/* SPDX-License-Identifier: BSD-2-Clause */
/* core/body_link and core/json: what a body says of the signature. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "body_link.h"
#include "json.h"
#include "wba_limits.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define JSON "application/json"
#define TEXT "text/plain"
#define C(members) "\"agenticConsumer\":{" members "}"
#define P(members) "\"agenticPaymentContainer\":{" members "}"
#define LINK "\"nonce\":\"n\",\"kid\":\"k\""

typedef enum { MATCHES = 100, DIFFERS } want_t; /* of WBA_LINK_READ */

typedef struct {
    const char *type;   /* NULL: none */
    const char *coding; /* NULL: none */
    const char *body;
    int want; /* a want_t, or a wba_link_state_t */
    size_t count;
} case_t;

static const case_t cases[] = {
    /* what is there must name the signature */
    { JSON, NULL, "{" C(LINK) "," P(LINK) "}", MATCHES, 2 },
    { JSON, NULL, "{" C(LINK) "}", MATCHES, 1 },
    { JSON, NULL, "{" P(LINK) "}", MATCHES, 1 },
    { JSON, NULL, "{" C(LINK) ",\"agenticPaymentcontainer\":1}", MATCHES, 1 },
    { JSON, NULL, "{}", MATCHES, 0 },
    { JSON, NULL, "{\"nonce\":\"x\",\"kid\":\"x\"}", MATCHES, 0 },
    { JSON, NULL, "{\"x\":{" C("") "}}", MATCHES, 0 }, /* not at the top */
    { JSON, NULL, "{" C(LINK ",\"x\":[{},1.5,null]") ",\"y\":true}", MATCHES,
      1 },
    { JSON, NULL, "{" C("\"nonce\":\"N\",\"kid\":\"k\"") "}", DIFFERS, 1 },
    { JSON, NULL, "{" C("\"nonce\":\"n\",\"kid\":\"K\"") "}", DIFFERS, 1 },
    { JSON, NULL, "{" C("\"nonce\":\"\",\"kid\":\"k\"") "}", DIFFERS, 1 },
    { JSON, NULL, "{" C("\"nonce\":\"n\",\"kid\":\"\"") "}", DIFFERS, 1 },
    { JSON, NULL, "{" C("\"nonce\":\"n \",\"kid\":\"k\"") "}", DIFFERS, 1 },
    { JSON, NULL, "{" C("\"nonce\":\"nn\",\"kid\":\"k\"") "}", DIFFERS, 1 },
    { JSON, NULL, "{" C(LINK) "," P("\"nonce\":\"n\",\"kid\":\"j\"") "}",
      DIFFERS, 2 },
    { JSON, NULL, "{" C("\"nonce\":\"j\",\"kid\":\"k\"") "," P(LINK) "}",
      DIFFERS, 2 },
    { JSON, NULL, "{" C("\"nonce\":\"\\u006e\",\"kid\":\"\\u006B\"") "}",
      MATCHES, 1 },
    { JSON, NULL, "{\"agentic\\u0043onsumer\":{" LINK "}}", MATCHES, 1 },
    { JSON, NULL, "{\"agentic\\u0043onsumer\":{}}", WBA_LINK_MISSING, 0 },

    /* objects that lack one */
    { JSON, NULL, "{" C("") "}", WBA_LINK_MISSING, 0 },
    { JSON, NULL, "{" C("\"nonce\":\"n\"") "}", WBA_LINK_MISSING, 0 },
    { JSON, NULL, "{" C("\"kid\":\"k\"") "}", WBA_LINK_MISSING, 0 },
    { JSON, NULL, "{" C("\"nonce\":1,\"kid\":\"k\"") "}", WBA_LINK_MISSING,
      0 },
    { JSON, NULL, "{" C("\"nonce\":\"n\",\"kid\":null") "}", WBA_LINK_MISSING,
      0 },
    { JSON, NULL, "{" C(LINK) "," P("") "}", WBA_LINK_MISSING, 1 },
    { JSON, NULL, "{" C("") "," P(LINK) "}", WBA_LINK_MISSING, 1 },

    /* what cannot be read; it tells more than a lack */
    { JSON, NULL, "{", WBA_LINK_UNREADABLE, 0 },
    { JSON, NULL, "x", WBA_LINK_UNREADABLE, 0 },
    { JSON, NULL, "{} x", WBA_LINK_UNREADABLE, 0 },
    { JSON, NULL, "{" C(LINK) "}{}", WBA_LINK_UNREADABLE, 0 },
    { JSON, NULL, "{\"agenticConsumer\":null}", WBA_LINK_UNREADABLE, 0 },
    { JSON, NULL, "{\"agenticConsumer\":[{" LINK "}]}", WBA_LINK_UNREADABLE,
      0 },
    { JSON, NULL, "{\"agenticPaymentContainer\":\"x\"}", WBA_LINK_UNREADABLE,
      0 },
    { JSON, NULL, "{" C("") ",\"agenticPaymentContainer\":1}",
      WBA_LINK_UNREADABLE, 0 },
    { JSON, NULL, "{\"agenticConsumer\":1," P("") "}", WBA_LINK_UNREADABLE,
      0 },
    { JSON, NULL, "{" C(LINK) "," C(LINK) "}", WBA_LINK_UNREADABLE, 0 },
    { JSON, NULL, "{" C(LINK ",\"kid\":\"k\"") "}", WBA_LINK_UNREADABLE, 0 },
    { JSON, NULL, "{" C(LINK) ",\"x\":{\"a\":1,\"a\":1}}",
      WBA_LINK_UNREADABLE, 0 },
    { JSON, NULL, "{" C("\"nonce\":\"n\\u0000\",\"kid\":\"k\"") "}",
      WBA_LINK_UNREADABLE, 0 },
    { JSON, NULL, "{" C("\"nonce\":\"\xff\",\"kid\":\"k\"") "}",
      WBA_LINK_UNREADABLE, 0 },
    { JSON, NULL, "{'agenticConsumer':{}}", WBA_LINK_UNREADABLE, 0 },
    { JSON, NULL, "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]", MATCHES, 0 },
    { JSON, NULL, "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", WBA_LINK_UNREADABLE,
      0 },

    /* JSON without members, and numbers of any size */
    { JSON, NULL, "", MATCHES, 0 },
    { JSON, NULL, " \r\n\t", MATCHES, 0 },
    { JSON, NULL, "[{" C("") "}]", MATCHES, 0 },
    { JSON, NULL, "\"agenticConsumer\"", MATCHES, 0 },
    { JSON, NULL, "null", MATCHES, 0 },
    { JSON, NULL, "-12", MATCHES, 0 },
    { JSON, NULL, "{\"a\":123456789012345678901234567890," C(LINK) "}",
      MATCHES, 1 },

    /* by type */
    { NULL, NULL, "x", MATCHES, 0 },
    { TEXT, NULL, "x", MATCHES, 0 },
    { "", NULL, "x", MATCHES, 0 },
    { TEXT, NULL, "[{" C("") "}", MATCHES, 0 },
    { "Application/JSON; charset=utf-8", NULL, "x", WBA_LINK_UNREADABLE, 0 },
    { "application/json ;x", NULL, "x", WBA_LINK_UNREADABLE, 0 },
    { "application/vnd.x+json", NULL, "x", WBA_LINK_UNREADABLE, 0 },
    { "a/b+JSON;q", NULL, "x", WBA_LINK_UNREADABLE, 0 },
    { "+json", NULL, "x", MATCHES, 0 },
    { "application/jsonx", NULL, "x", MATCHES, 0 },
    { "text/json-seq;a=application/json", NULL, "x", MATCHES, 0 },
    { "application/json, text/plain", NULL, "x", MATCHES, 0 },

    /* a wrong type evades nothing */
    { TEXT, NULL, "{" C("") "}", WBA_LINK_MISSING, 0 },
    { NULL, NULL, "\r\n\t {" C("") "}", WBA_LINK_MISSING, 0 },
    { TEXT, NULL, "{" C(LINK) "}", MATCHES, 1 },
    { TEXT, NULL, "{ curly words }", WBA_LINK_UNREADABLE, 0 },
    { "multipart/form-data", NULL, "{", WBA_LINK_UNREADABLE, 0 },
    { TEXT, NULL, "\xef\xbb\xbf{" C("") "}", WBA_LINK_MISSING, 0 },
    { JSON, NULL, "\xef\xbb\xbf{" C(LINK) "}", MATCHES, 1 },
    { TEXT, NULL, "\xff\xfe{" C(LINK) "}", MATCHES, 1 },

    /* under a coding nothing is seen */
    { JSON, "gzip", "\x1f\x8b", WBA_LINK_UNREADABLE, 0 },
    { TEXT, "gzip", "\x1f\x8b", WBA_LINK_UNREADABLE, 0 },
    { TEXT, "x", "{}", WBA_LINK_UNREADABLE, 0 },
    { JSON, "identity, gzip", "{}", WBA_LINK_UNREADABLE, 0 },
    { JSON, "gzip", "", MATCHES, 0 },
    { JSON, "Identity", "{" C(LINK) "}", MATCHES, 1 },
    { JSON, " ", "{" C(LINK) "}", MATCHES, 1 },
    { JSON, "", "{" C(LINK) "}", MATCHES, 1 },
};

/* ---- memory: each block of its own, for ASan */

static void *blocks[64];
static size_t nblocks, fail_at;

static void *
block(void *ctx, size_t size)
{
    (void) ctx;
    if (nblocks + 1 == fail_at) {
        fail_at = 0;
        return NULL;
    }
    assert_true(nblocks < COUNT(blocks));
    blocks[nblocks] = malloc(size);
    return blocks[nblocks++];
}

static const wba_mem_t mem = { block, NULL };

static void
drop(void)
{
    while (nblocks > 0) {
        free(blocks[--nblocks]);
    }
}

/* step bytes at a time, each time from memory of that size */
static wba_status_t
read_body(const char *type, const char *coding, wba_str_t body, size_t step,
          wba_body_link_t *link)
{
    wba_body_link_reader_t reader;
    size_t i, n;
    uint8_t *piece;

    wba_body_link_init(&reader, &mem, wba_str_z(type), wba_str_z(coding));
    for (i = 0; i < body.len; i += n) {
        n = body.len - i < step ? body.len - i : step;
        piece = malloc(n);
        memcpy(piece, body.data + i, n);
        wba_body_link_update(&reader, piece, n);
        free(piece);
        wba_body_link_update(&reader, NULL, 0);
    }
    memset(link, 0xa5, sizeof(*link));
    return wba_body_link_final(&reader, link);
}

static bool
run_case(const case_t *c, size_t step)
{
    wba_body_link_t link;
    int got;

    assert_int_equal(read_body(c->type, c->coding, wba_str_z(c->body), step,
                               &link),
                     WBA_OK);
    got = (int) link.state;
    if (link.state == WBA_LINK_READ) {
        got = wba_body_link_matches(&link, WBA_STR("n"), WBA_STR("k"))
                  ? MATCHES
                  : DIFFERS;
    }
    drop();
    if (got != c->want || link.count != c->count) {
        print_error("%s %s\n%s\n  got:  %d, %zu\n  want: %d, %zu\n", c->type,
                    c->coding, c->body, got, link.count, c->want, c->count);
        return false;
    }
    return true;
}

static void
bodies(void **state)
{
    static const size_t steps[] = { 1, 2, 7, 1000 };
    size_t i, j, wrong = 0;

    (void) state;
    for (i = 0; i < COUNT(cases); i++) {
        for (j = 0; j < COUNT(steps); j++) {
            wrong += !run_case(&cases[i], steps[j]);
        }
    }
    assert_int_equal(wrong, 0);
}

/* UTF-16 looks like text or like an object, never like nothing. */
static void
wider_characters(void **state)
{
    static const uint8_t big[] = "\0{\0}", little[] = "{\0}\0";
    wba_body_link_t link;

    (void) state;
    read_body(TEXT, NULL, wba_str(big, 4), 1, &link);
    assert_int_equal(link.state, WBA_LINK_UNREADABLE);
    read_body(TEXT, NULL, wba_str(little, 4), 1, &link);
    assert_int_equal(link.state, WBA_LINK_UNREADABLE);
    drop();
}

/* Blanks before and after, up to a size. */
static wba_link_state_t
read_padded(const char *type, size_t size, size_t step)
{
    static const char text[] = "{" C(LINK) "}";
    uint8_t *body = malloc(size);
    wba_body_link_t link;

    memset(body, ' ', size);
    memcpy(body, text, sizeof(text) - 1);
    assert_int_equal(read_body(type, NULL, wba_str(body, size), step, &link),
                     WBA_OK);
    free(body);
    drop();
    return link.state;
}

static void
sizes(void **state)
{
    const size_t max = WBA_MAX_BODY_LINK;

    (void) state;
    assert_int_equal(read_padded(JSON, max, 4096), WBA_LINK_READ);
    assert_int_equal(read_padded(JSON, max, 2 * max), WBA_LINK_READ);
    assert_int_equal(read_padded(JSON, max + 1, 4096), WBA_LINK_TOO_LARGE);
    assert_int_equal(read_padded(JSON, max + 1, 2 * max), WBA_LINK_TOO_LARGE);
    assert_int_equal(read_padded(TEXT, max + 1, 4096), WBA_LINK_TOO_LARGE);
    assert_int_equal(read_padded(JSON, 4 * max, 9999), WBA_LINK_TOO_LARGE);
}

/* What passes unexamined is not kept. */
static void
not_kept(void **state)
{
    uint8_t *body = malloc(1000000);
    wba_body_link_t link;

    (void) state;
    memset(body, 'x', 1000000);
    read_body(TEXT, NULL, wba_str(body, 1000000), 4096, &link);
    assert_int_equal(link.state, WBA_LINK_READ);
    assert_int_equal(nblocks, 0);
    memset(body, '\n', 1000000); /* nor what comes before it */
    read_body(JSON, NULL, wba_str(body, 1000000), 4096, &link);
    assert_int_equal(link.state, WBA_LINK_READ);
    assert_int_equal(nblocks, 0);
    free(body);
}

/* A nonce and a kid of any length: longer ones than a signature may have match
 * nothing. */
static void
lengths(void **state)
{
    static const size_t lens[] = { 1, 511, 512, 513, 1000 };
    static char text[4096];
    uint8_t name[1000];
    wba_body_link_t link;
    size_t i;

    (void) state;
    memset(name, 'x', sizeof(name));
    for (i = 0; i < COUNT(lens); i++) {
        wba_str_t s = wba_str(name, lens[i]);

        snprintf(text, sizeof(text), "{" C("\"nonce\":\"%.*s\",\"kid\":\"k\"")
                 "}", (int) lens[i], (const char *) name);
        read_body(JSON, NULL, wba_str_z(text), 100, &link);
        assert_int_equal(link.state, WBA_LINK_READ);
        assert_int_equal(wba_body_link_matches(&link, s, WBA_STR("k")),
                         lens[i] <= WBA_MAX_NONCE);
        snprintf(text, sizeof(text), "{" C("\"nonce\":\"n\",\"kid\":\"%.*s\"")
                 "}", (int) lens[i], (const char *) name);
        read_body(JSON, NULL, wba_str_z(text), 100, &link);
        assert_int_equal(wba_body_link_matches(&link, WBA_STR("n"), s),
                         lens[i] <= WBA_MAX_KEYID);
        drop();
    }
}

/* A signature without nonce is named by nothing, but a body that names none
 * suits it. */
static void
without_nonce(void **state)
{
    wba_body_link_t link;

    (void) state;
    read_body(JSON, NULL,
              WBA_STR("{" C("\"nonce\":\"\",\"kid\":\"k\"") "}"), 9, &link);
    assert_int_equal(link.state, WBA_LINK_READ);
    assert_false(wba_body_link_matches(&link, WBA_STR_NONE, WBA_STR("k")));
    assert_false(wba_body_link_matches(&link, WBA_STR(""), WBA_STR("k")));
    read_body(JSON, NULL, WBA_STR("{}"), 9, &link);
    assert_true(wba_body_link_matches(&link, WBA_STR_NONE, WBA_STR("k")));
    drop();
}

static size_t jansson_fails_at, jansson_calls;

static void *
failing_malloc(size_t size)
{
    return ++jansson_calls == jansson_fails_at ? NULL : malloc(size);
}

static void
no_memory(void **state)
{
    const wba_str_t body = WBA_STR("{" C(LINK) "," P(LINK) ",\"x\":[1,{}]}");
    wba_body_link_t link;
    size_t n;

    (void) state;
    read_body(JSON, NULL, body, 10, &link);
    for (n = nblocks; n > 0; n--) {
        drop();
        fail_at = n;
        assert_int_equal(read_body(JSON, NULL, body, 10, &link),
                         WBA_NO_MEMORY);
    }
    drop();
    fail_at = 0;
    for (n = 1;; n++) {
        wba_status_t status;

        jansson_calls = 0;
        jansson_fails_at = n;
        json_set_alloc_funcs(failing_malloc, free);
        status = read_body(JSON, NULL, body, 10, &link);
        json_set_alloc_funcs(malloc, free);
        drop();
        if (jansson_calls < n) {
            assert_int_equal(status, WBA_OK);
            assert_int_equal(link.count, 2);
            break;
        }
        assert_int_equal(status, WBA_NO_MEMORY);
    }
    assert_true(n > 10);
}

/* jansson 2.14 goes on where its buffer for a token cannot grow.  Of what it
 * allocates, the bytes beyond look like a string's end, and must stay. */

#define BEYOND 64

typedef struct {
    size_t size;
    max_align_t bytes[];
} guarded_t;

static uint8_t *
beyond(guarded_t *block)
{
    return (uint8_t *) block->bytes + block->size;
}

static void *
guarded_malloc(size_t size)
{
    guarded_t *block;

    if (++jansson_calls == jansson_fails_at) {
        return NULL;
    }
    block = malloc(sizeof(*block) + size + BEYOND);
    assert_non_null(block);
    block->size = size;
    memset(block->bytes, 'x', size);
    memset(beyond(block), 'x', BEYOND - 1);
    beyond(block)[BEYOND - 1] = '"';
    return block->bytes;
}

static void
guarded_free(void *p)
{
    guarded_t *block;
    size_t i;

    if (p == NULL) {
        return;
    }
    block = (guarded_t *) ((uint8_t *) p - offsetof(guarded_t, bytes));
    for (i = 0; i < BEYOND - 1; i++) {
        assert_int_equal(beyond(block)[i], 'x');
    }
    assert_int_equal(beyond(block)[i], '"');
    free(block);
}

static void
no_memory_for_a_token(void **state)
{
    char text[100];
    json_error_t error;
    size_t len, n;
    json_t *root;

    (void) state;
    for (len = 0; len < sizeof(text) - 4; len++) {
        wba_status_t status = WBA_NO_MEMORY;

        memset(text, 'a', sizeof(text));
        memcpy(text, "[\"", 2);
        memcpy(text + 2 + len, "\"]", 2);
        for (n = 1; status == WBA_NO_MEMORY; n++) {
            jansson_calls = 0;
            jansson_fails_at = n;
            json_set_alloc_funcs(guarded_malloc, guarded_free);
            status = wba_json_load(wba_str(text, len + 4), 0, &root, &error);
            if (status == WBA_OK) {
                assert_int_equal(
                    json_string_length(json_array_get(root, 0)), len);
                json_decref(root);
            }
            json_set_alloc_funcs(malloc, free);
        }
        assert_int_equal(status, WBA_OK);
        assert_true(jansson_calls < jansson_fails_at);
    }
}

/* ---- depth */

static void
depth(void **state)
{
    static const struct {
        const char *text;
        bool deep;
    } t[] = {
        { "", false },
        { "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]", false },
        { "[{[{[{[{[{[{[{[{}]}]}]}]}]}]}]}]", false },
        { "[[[[[[[[[[[[[[[[[", true },
        { "]]]]]]]]]]]]]]]]][", false },
        { "\"[[[[[[[[[[[[[[[[[\"", false },
        { "\"\\\"[[[[[[[[[[[[[[[[[\"", false },
        { "\"\\\\\"[[[[[[[[[[[[[[[[[", true },
        { "\"\\", false },
        { "[][][][][][][][][][][][][][][][][][][]", false },
    };
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(t); i++) {
        assert_int_equal(wba_json_too_deep(wba_str_z(t[i].text)), t[i].deep);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies),        cmocka_unit_test(wider_characters),
        cmocka_unit_test(sizes),         cmocka_unit_test(not_kept),
        cmocka_unit_test(lengths),       cmocka_unit_test(without_nonce),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(no_memory_for_a_token),
        cmocka_unit_test(depth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
