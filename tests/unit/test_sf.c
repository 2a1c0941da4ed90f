/* SPDX-License-Identifier: BSD-2-Clause */
/* core/sf: what the public vectors (tests/conformance/sf_vectors.c) leave
 * open about the parser: views, bounds, white space, leniency. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "wba_limits.h"
#include "sf.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static uint8_t room[256 * 1024];

/* A copy in a block of its own, so that ASan sees a read beyond its end. */
static wba_str_t
exact(const void *data, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);

    assert_non_null(copy);
    if (len) {
        memcpy(copy, data, len);
    }
    return wba_str(copy, len);
}

static void
drop(wba_str_t s)
{
    free((void *) s.data);
}

static wba_status_t
canonical(wba_buf_t *buf, char type, wba_str_t field)
{
    wba_buf_fixed(buf, room, sizeof(room));
    switch (type) {
    case 'd':
        return wba_sf_canonical_dict(buf, field);
    case 'l':
        return wba_sf_canonical_list(buf, field);
    default:
        return wba_sf_canonical_item(buf, field);
    }
}

static void
assert_view(wba_str_t got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.len ? got.data : (const uint8_t *) "", want,
                        got.len);
}

/* type: d(ictionary), l(ist), i(tem).  want NULL: it is WBA_INVALID. */
static const struct {
    char type;
    const char *field;
    const char *want;
} grammar[] = {
    /* the ends of the field: SP only before, OWS behind a member */
    { 'd', "", "" },
    { 'd', "   ", "" },
    { 'd', "\t", NULL },
    { 'd', "\ta", NULL },
    { 'd', "  a=1  ", "a=1" },
    { 'd', "a=1\t", "a=1" },
    { 'l', "", "" },
    { 'l', "\ta", NULL },
    { 'l', "a \t ", "a" },
    { 'i', "", NULL },
    { 'i', " ", NULL },
    { 'i', " 1 ", "1" },
    { 'i', "1\t", NULL },
    { 'i', "\t1", NULL },
    { 'i', "1, 2", NULL },
    /* commas */
    { 'l', "a,b", "a, b" },
    { 'l', "a \t,\t b", "a, b" },
    { 'l', "a,", NULL },
    { 'l', "a, ", NULL },
    { 'l', ",a", NULL },
    { 'l', "a, , b", NULL },
    { 'l', "a b", NULL },
    { 'd', "a=1,", NULL },
    { 'd', "a=1,,b=2", NULL },
    { 'd', "a=1,\n b=2", NULL },
    /* inner lists: SP only */
    { 'l', "()", "()" },
    { 'l', "(   )", "()" },
    { 'l', "(  a   b  )", "(a b)" },
    { 'l', "(a\tb)", NULL },
    { 'l', "(\ta)", NULL },
    { 'l', "(a,b)", NULL },
    { 'l', "(\"a\"\"b\")", NULL },
    { 'l', "(a", NULL },
    { 'l', "(a ", NULL },
    { 'l', "(", NULL },
    { 'l', "((a))", NULL },
    { 'l', "(a);", NULL },
    { 'l', "(a;x=1;x=2 b;y);z;z=?0", "(a;x=2 b;y);z=?0" },
    { 'i', "(a)", NULL },
    /* parameters */
    { 'i', "1;a", "1;a" },
    { 'i', "1;a=?1", "1;a" },
    { 'i', "1;  a;   b=2", "1;a;b=2" },
    { 'i', "1 ;a", NULL },
    { 'i', "1;\ta", NULL },
    { 'i', "1;a =2", NULL },
    { 'i', "1;a= 2", NULL },
    { 'i', "1;A", NULL },
    { 'i', "1;aB", NULL },
    { 'i', "1;a=", NULL },
    { 'i', "1;a=()", NULL },
    { 'i', "1;", NULL },
    { 'i', "1;;a", NULL },
    { 'i', "a;b=1;c=2;b=3", "a;b=3;c=2" },
    { 'i', "a;b=1;c=2;b", "a;b;c=2" },
    /* dictionaries */
    { 'd', "a=1, b, a=2", "a=2, b" },
    { 'd', "a=?1;x, b=?0", "a;x, b=?0" },
    { 'd', "a;x;y=1", "a;x;y=1" },
    { 'd', "a=(1 2);x, b=()", "a=(1 2);x, b=()" },
    { 'd', "a=1, a;x", "a;x" },
    { 'd', "a =1", NULL },
    { 'd', "a= 1", NULL },
    { 'd', "a=", NULL },
    { 'd', "=1", NULL },
    { 'd', "1=1", NULL },
    { 'd', "-a=1", NULL },
    { 'd', "*-_.9=1", "*-_.9=1" },
    { 'd', "Aa=1", NULL },
    /* numbers */
    { 'i', "-0", "0" },
    { 'i', "-0.0", "0.0" },
    { 'i', "000000000000001", "1" },
    { 'i', "0000000000000001", NULL },
    { 'i', "999999999999999", "999999999999999" },
    { 'i', "-999999999999999", "-999999999999999" },
    { 'i', "1000000000000000", NULL },
    { 'i', "999999999999.999", "999999999999.999" },
    { 'i', "1000000000000.0", NULL },
    { 'i', "1.100", "1.1" },
    { 'i', "-0.001", "-0.001" },
    { 'i', "1.2345", NULL },
    { 'i', "1.", NULL },
    { 'i', ".1", NULL },
    { 'i', "1.2.3", NULL },
    { 'i', "--1", NULL },
    { 'i', "-", NULL },
    { 'i', "+1", NULL },
    { 'i', "1e3", NULL },
    /* dates */
    { 'i', "@-1", "@-1" },
    { 'i', "@1.5", NULL },
    { 'i', "@", NULL },
    { 'i', "@ 1", NULL },
    { 'd', "a=@0001;b=@2", "a=@1;b=@2" },
    /* strings, tokens, booleans */
    { 'i', "\"\"", "\"\"" },
    { 'i', "\"a\\\\b\\\"c\"", "\"a\\\\b\\\"c\"" },
    { 'i', "\"\\a\"", NULL },
    { 'i', "\"\\\"", NULL },
    { 'i', "\"\\", NULL },
    { 'i', "\"", NULL },
    { 'i', "'a'", NULL },
    { 'i', "\"\x7f\"", NULL },
    { 'i', "\"\xc3\xbc\"", NULL },
    { 'i', "*a:/b!#$%&'*+-.^_`|~", "*a:/b!#$%&'*+-.^_`|~" },
    { 'i', "a=b", NULL },
    { 'i', "?", NULL },
    { 'i', "?2", NULL },
    { 'i', "?1x", NULL },
    /* byte sequences */
    { 'i', "::", "::" },
    { 'i', ":aGVsbG8:", ":aGVsbG8=:" },
    { 'i', ":aQ:", ":aQ==:" },
    { 'i', ":aQ=:", ":aQ==:" },
    { 'i', ":iZ==:", ":iQ==:" },
    { 'i', ":aGVsbG9:", ":aGVsbG8=:" },
    { 'i', ":aGVsaQ==:", ":aGVsaQ==:" },
    { 'i', ":+/+/:", ":+/+/:" },
    { 'i', ":a:", NULL },
    { 'i', ":abcde:", NULL },
    { 'i', ":abcd=:", NULL },
    { 'i', ":aGVsbG8==:", NULL },
    { 'i', ":aQ===:", NULL },
    { 'i', ":=:", NULL },
    { 'i', ":=aQ=:", NULL },
    { 'i', ":aQ==aQ==:", NULL },
    { 'i', ":aGVs bG8=:", NULL },
    { 'i', ":aGVsbG8=", NULL },
    { 'i', ":-_-_:", NULL },
    { 'i', ":", NULL },
    /* display strings */
    { 'i', "%\"\"", "%\"\"" },
    { 'i', "%\"f%c3%bc %e2%82%ac\\\"", "%\"f%c3%bc %e2%82%ac\\\"" },
    { 'i', "%\"%41%22%25%0a\"", "%\"A%22%25%0a\"" },
    { 'i', "%\"%f0%9f%98%80\"", "%\"%f0%9f%98%80\"" },
    { 'i', "%\"%C3%BC\"", NULL },
    { 'i', "%\"%c3\"", NULL },
    { 'i', "%\"%c3x%bc\"", NULL },
    { 'i', "%\"%c0%80\"", NULL },
    { 'i', "%\"%c1%bf\"", NULL },
    { 'i', "%\"%e0%9f%bf\"", NULL },
    { 'i', "%\"%ed%a0%80\"", NULL },
    { 'i', "%\"%f0%8f%bf%bf\"", NULL },
    { 'i', "%\"%f4%90%80%80\"", NULL },
    { 'i', "%\"%f5%80%80%80\"", NULL },
    { 'i', "%\"%80\"", NULL },
    { 'i', "%\"%4\"", NULL },
    { 'i', "%\"%\"", NULL },
    { 'i', "%\"", NULL },
    { 'i', "%", NULL },
    { 'i', "%x", NULL },
    { 'i', "%\"\xc3\xbc\"", NULL },
};

static void
test_grammar(void **state)
{
    wba_sf_value_t value;
    wba_str_t field;
    wba_status_t rc;
    wba_buf_t buf;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(grammar); i++) {
        field = exact(grammar[i].field, strlen(grammar[i].field));
        rc = canonical(&buf, grammar[i].type, field);
        if (grammar[i].type == 'i') { /* the serialiser may hide a mistake */
            assert_int_equal(wba_sf_item_parse(field, &value), rc);
        }
        drop(field);
        if (rc != (grammar[i].want ? WBA_OK : WBA_INVALID)) {
            fail_msg("case %zu <%s>: status %d", i, grammar[i].field, rc);
        }
        if (rc == WBA_OK
            && !wba_str_eq(wba_buf_view(&buf), wba_str_z(grammar[i].want))) {
            fail_msg("case %zu <%s>: <%.*s>", i, grammar[i].field,
                     (int) buf.len, (char *) buf.data);
        }
        assert_int_equal(buf.status, rc);
    }
}

/* Every prefix of a field that has everything in it: none reads beyond its
 * end, and what is accepted is a fixed point of the serialiser. */
static void
test_prefixes(void **state)
{
    static const char all[] =
        "a=(\"x\\\"y\";k=:aGVsbG8=: tok;b=?0 -12.50 7;q=@1 %\"f%c3%bc\");c=1;"
        "d=\"z\" ,\tb;x, c=?0;y=-1, d=:aGVsbG8:, e=%\"%41%e2%82%ac\", f=*a/b";
    uint8_t once[512];
    wba_buf_t buf;
    wba_str_t field;
    size_t i, len;

    (void) state;
    for (i = 0; i < sizeof(all); i++) {
        field = exact(all, i);
        canonical(&buf, 'l', field);
        canonical(&buf, 'i', field);
        if (canonical(&buf, 'd', field) == WBA_OK) {
            len = buf.len;
            memcpy(once, buf.data, len);
            assert_int_equal(canonical(&buf, 'd', wba_str(once, len)), WBA_OK);
            assert_int_equal(buf.len, len);
            assert_memory_equal(buf.data, once, len);
        }
        drop(field);
    }
    assert_int_equal(buf.status, WBA_OK);
}

static void
test_null_is_empty(void **state)
{
    wba_sf_value_t value;
    wba_sf_iter_t it;
    wba_str_t key;

    (void) state;
    wba_sf_dict_init(&it, WBA_STR_NONE);
    assert_int_equal(wba_sf_dict_next(&it, &key, &value), WBA_END);
    wba_sf_list_init(&it, WBA_STR_NONE);
    assert_int_equal(wba_sf_list_next(&it, &value), WBA_END);
    wba_sf_params_init(&it, WBA_STR_NONE);
    assert_int_equal(wba_sf_params_next(&it, &key, &value), WBA_END);
    assert_int_equal(wba_sf_item_parse(WBA_STR_NONE, &value), WBA_INVALID);
}

static void
test_views_of_members(void **state)
{
    wba_sf_value_t value, item;
    wba_sf_iter_t it, inner;
    wba_str_t key;

    (void) state;
    wba_sf_dict_init(&it, WBA_STR(" s=( \"a\";x  b ); p=1;q , b;r=2,c=\"\""));
    assert_int_equal(wba_sf_dict_next(&it, &key, &value), WBA_OK);
    assert_int_equal(it.count, 1);
    assert_view(key, "s");
    assert_int_equal(value.type, WBA_SF_INNER_LIST);
    assert_view(value.text, " \"a\";x  b ");
    assert_view(value.params, "; p=1;q");
    assert_view(value.raw, "( \"a\";x  b ); p=1;q");

    wba_sf_inner_init(&inner, &value);
    assert_int_equal(wba_sf_inner_next(&inner, &item), WBA_OK);
    assert_int_equal(item.type, WBA_SF_STRING);
    assert_view(item.text, "a");
    assert_view(item.params, ";x");
    assert_view(item.raw, "\"a\";x");
    assert_int_equal(wba_sf_inner_next(&inner, &item), WBA_OK);
    assert_view(item.raw, "b");
    assert_int_equal(item.params.len, 0);
    assert_int_equal(wba_sf_inner_next(&inner, &item), WBA_END);
    assert_int_equal(wba_sf_inner_next(&inner, &item), WBA_END);

    assert_int_equal(wba_sf_dict_next(&it, &key, &value), WBA_OK);
    assert_int_equal(value.type, WBA_SF_BOOLEAN);
    assert_true(value.boolean);
    assert_view(value.params, ";r=2");
    assert_view(value.raw, ";r=2");

    assert_int_equal(wba_sf_dict_next(&it, &key, &value), WBA_OK);
    assert_view(value.raw, "\"\"");
    assert_int_equal(value.text.len, 0);
    assert_non_null(value.text.data); /* empty is not absent */
    assert_int_equal(wba_sf_dict_next(&it, &key, &value), WBA_END);
}

static void
test_views_of_params(void **state)
{
    wba_sf_value_t value;
    wba_sf_iter_t it;
    wba_str_t key;

    (void) state;
    wba_sf_params_init(&it, WBA_STR(";a;  b=-1.5;c=?1"));
    assert_int_equal(wba_sf_params_next(&it, &key, &value), WBA_OK);
    assert_view(key, "a");
    assert_true(value.boolean);
    assert_int_equal(value.raw.len, 0);
    assert_int_equal(wba_sf_params_next(&it, &key, &value), WBA_OK);
    assert_view(key, "b");
    assert_int_equal(value.type, WBA_SF_DECIMAL);
    assert_int_equal(value.integer, -1500);
    assert_view(value.raw, "-1.5");
    assert_int_equal(value.params.len, 0);
    assert_int_equal(wba_sf_params_next(&it, &key, &value), WBA_OK);
    assert_view(value.raw, "?1");
    assert_int_equal(it.count, 3);
    assert_int_equal(wba_sf_params_next(&it, &key, &value), WBA_END);

    wba_sf_params_init(&it, WBA_STR("a"));
    assert_int_equal(wba_sf_params_next(&it, &key, &value), WBA_INVALID);
}

/* Members before the fault are yielded; the fault is then final. */
static void
test_errors_stay(void **state)
{
    wba_sf_value_t value;
    wba_sf_iter_t it;
    wba_str_t key;
    int i;

    (void) state;
    wba_sf_dict_init(&it, WBA_STR("a=1, b=2, c=(1 2, d=4"));
    assert_int_equal(wba_sf_dict_next(&it, &key, &value), WBA_OK);
    assert_int_equal(wba_sf_dict_next(&it, &key, &value), WBA_OK);
    for (i = 0; i < 3; i++) {
        assert_int_equal(wba_sf_dict_next(&it, &key, &value), WBA_INVALID);
        assert_int_equal(it.count, 2);
    }
    wba_sf_list_init(&it, WBA_STR("a, "));
    assert_int_equal(wba_sf_list_next(&it, &value), WBA_INVALID);
    assert_int_equal(wba_sf_list_next(&it, &value), WBA_INVALID);
}

static void
test_dict_find(void **state)
{
    wba_sf_value_t value;

    (void) state;
    assert_int_equal(wba_sf_dict_find(WBA_STR("a=1, b=2, a=3"), WBA_STR("a"),
                                      &value),
                     WBA_OK);
    assert_int_equal(value.integer, 3);
    assert_int_equal(wba_sf_dict_find(WBA_STR("a=1"), WBA_STR("aa"), &value),
                     WBA_NOT_FOUND);
    assert_int_equal(wba_sf_dict_find(WBA_STR(""), WBA_STR("a"), &value),
                     WBA_NOT_FOUND);
    assert_int_equal(wba_sf_dict_find(WBA_STR("a=1, b="), WBA_STR("a"),
                                      &value),
                     WBA_INVALID);
}

/* Writes head, n times piece with a number in it, tail; d and l canonicalise
 * it.  Returns the status. */
static wba_status_t
repeat(char type, const char *head, const char *piece, unsigned n,
       const char *tail)
{
    static char text[256 * 1024];
    wba_buf_t buf;
    wba_str_t field;
    wba_status_t rc;
    size_t len;
    unsigned i;

    len = (size_t) sprintf(text, "%s", head);
    for (i = 0; i < n; i++) {
        len += (size_t) sprintf(text + len, piece, i);
    }
    len += (size_t) sprintf(text + len, "%s", tail);
    field = exact(text, len);
    rc = canonical(&buf, type, field);
    if (rc == WBA_OK) {
        assert_view(wba_buf_view(&buf), text);
    }
    drop(field);
    return rc;
}

static void
test_bounds(void **state)
{
    (void) state;
    assert_int_equal(repeat('d', "x", ", k%u", 1023, ""), WBA_OK);
    assert_int_equal(repeat('d', "x", ", k%u", 1024, ""), WBA_TOO_LARGE);
    assert_int_equal(repeat('d', "k", ",k", 1024, ""), WBA_TOO_LARGE);
    assert_int_equal(repeat('l', "x", ", k%u", 1023, ""), WBA_OK);
    assert_int_equal(repeat('l', "x", ", k%u", 1024, ""), WBA_TOO_LARGE);
    assert_int_equal(repeat('l', "(x", " k%u", 255, ")"), WBA_OK);
    assert_int_equal(repeat('l', "(x", " k%u", 256, ")"), WBA_TOO_LARGE);
    assert_int_equal(repeat('i', "x", ";k%u", 256, ""), WBA_OK);
    assert_int_equal(repeat('i', "x", ";k%u", 257, ""), WBA_TOO_LARGE);
    assert_int_equal(repeat('l', "(x)", ";k%u", 256, ""), WBA_OK);
    assert_int_equal(repeat('l', "(x)", ";k%u", 257, ""), WBA_TOO_LARGE);
    assert_int_equal(repeat('d', "x", ";k%u", 257, ""), WBA_TOO_LARGE);
    assert_int_equal(repeat('i', "\"", "\\\\", 20000, "\""), WBA_OK);
    assert_int_equal(repeat('i', ":", "abcd", 20000, ":"), WBA_OK);
    assert_int_equal(repeat('i', "", "a", 20000, ""), WBA_OK);
    assert_int_equal(repeat('d', "", "a", 20000, "=1"), WBA_OK);
}

/* Many keys, each twice, in an order that suits nobody. */
static void
test_last_value_in_first_place(void **state)
{
    static char text[32 * 1024], want[32 * 1024];
    size_t len = 0, wanted = 0;
    wba_buf_t buf;
    unsigned i;

    (void) state;
    for (i = 0; i < 1024; i++) {
        len += (size_t) sprintf(text + len, "%sk%u=%u", i ? "," : "",
                                i * 389 % 512, i);
    }
    for (i = 0; i < 512; i++) {
        wanted += (size_t) sprintf(want + wanted, "%sk%u=%u", i ? ", " : "",
                                   i * 389 % 512, i + 512);
    }
    assert_int_equal(canonical(&buf, 'd', wba_str(text, len)), WBA_OK);
    assert_view(wba_buf_view(&buf), want);
}

static void
test_string(void **state)
{
    uint8_t block[64];
    wba_arena_t arena;
    wba_mem_t mem = wba_arena_mem(&arena);
    wba_sf_value_t value;
    wba_str_t out;

    (void) state;
    wba_arena_init(&arena, block, sizeof(block));
    assert_int_equal(wba_sf_item_parse(WBA_STR("\"plain\""), &value), WBA_OK);
    assert_false(value.escaped);
    assert_int_equal(wba_sf_string(&value, &mem, &out), WBA_OK);
    assert_ptr_equal(out.data, value.text.data);
    assert_int_equal(arena.used, 0);

    assert_int_equal(wba_sf_item_parse(WBA_STR("\"\\\\a\\\"\""), &value),
                     WBA_OK);
    assert_true(value.escaped);
    assert_int_equal(wba_sf_string(&value, &mem, &out), WBA_OK);
    assert_view(out, "\\a\"");

    wba_arena_init(&arena, block, 2);
    assert_int_equal(wba_sf_string(&value, &mem, &out), WBA_NO_MEMORY);
}

static void
test_bytes(void **state)
{
    static const struct {
        const char *field;
        const char *want;
    } cases[] = {
        { "::", "" },
        { ":Zg==:", "f" },
        { ":Zg:", "f" },
        { ":Zh==:", "f" },
        { ":Zm8=:", "fo" },
        { ":Zm8:", "fo" },
        { ":Zm9v:", "foo" },
        { ":Zm9vYg==:", "foob" },
        { ":Zm9vYmE=:", "fooba" },
        { ":Zm9vYmFy:", "foobar" },
        { ":+/+/:", "\xfb\xff\xbf" },
        { ":AZaz09:", "\x01\x96\xb3\xd3" },
    };
    wba_sf_value_t value;
    uint8_t *out;
    size_t i, len, want;

    (void) state;
    for (i = 0; i < COUNT(cases); i++) {
        want = strlen(cases[i].want);
        out = malloc(want + 1);
        assert_non_null(out);
        assert_int_equal(wba_sf_item_parse(wba_str_z(cases[i].field), &value),
                         WBA_OK);
        out[want] = 0x55;
        assert_int_equal(wba_sf_bytes(&value, out, want, &len), WBA_OK);
        assert_int_equal(len, want);
        assert_memory_equal(out, cases[i].want, want);
        assert_int_equal(out[want], 0x55);
        if (want) {
            assert_int_equal(wba_sf_bytes(&value, out, want - 1, &len),
                             WBA_TOO_LARGE);
        }
        free(out);
    }
}

/* A list that did not come from the parser is checked as well. */
static void
test_inner_checks_what_it_is_given(void **state)
{
    static const char *const broken[] = { "a,b", "(a)", "a\tb", "\"a\"b" };
    wba_sf_value_t list = { .type = WBA_SF_INNER_LIST }, item;
    char many[257 * 2];
    wba_sf_iter_t it;
    wba_status_t rc;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(broken); i++) {
        list.text = wba_str_z(broken[i]);
        wba_sf_inner_init(&it, &list);
        assert_int_equal(wba_sf_inner_next(&it, &item), WBA_INVALID);
    }
    for (i = 0; i < sizeof(many); i++) {
        many[i] = i % 2 ? ' ' : 'a';
    }
    list.text = wba_str(many, sizeof(many));
    wba_sf_inner_init(&it, &list);
    while ((rc = wba_sf_inner_next(&it, &item)) == WBA_OK) {
    }
    assert_int_equal(rc, WBA_TOO_LARGE);
    assert_int_equal(it.count, WBA_MAX_SF_ITEMS);
}

/* Where a Dictionary stops being one. */
static void
test_fault(void **state)
{
    static const struct {
        const char *field;
        size_t at;
    } cases[] = {
        { "", 0 },           { "a=1", 3 },        { "a=1, b;x=2", 10 },
        { "A=1", 0 },        { "a=1, B=2", 5 },   { "a=1 b=2", 4 },
        { "a=(1 2", 6 },     { "a=(1,2)", 4 },    { "a=\"x", 4 },
        { "a=:AA-:", 5 },    { "a=1,", 4 },       { "a;B=1", 2 },
        { "a=1;b=\"\x7f\"", 7 }, { "a==1", 2 },
    };
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(cases); i++) {
        assert_int_equal(wba_sf_dict_fault(wba_str_z(cases[i].field)),
                         cases[i].at);
    }
}

/* Parameters that nobody has parsed before. */
static void
test_params_are_bounded(void **state)
{
    char text[2 * (WBA_MAX_SF_PARAMS + 1) + 1] = "";
    wba_status_t status;
    wba_sf_value_t value;
    wba_sf_iter_t it;
    wba_str_t key;
    unsigned n = 0;

    (void) state;
    while (strlen(text) < sizeof(text) - 1) {
        strcat(text, ";a");
    }
    wba_sf_params_init(&it, wba_str_z(text));
    while ((status = wba_sf_params_next(&it, &key, &value)) == WBA_OK) {
        n++;
    }
    assert_int_equal(status, WBA_TOO_LARGE);
    assert_int_equal(n, WBA_MAX_SF_PARAMS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grammar),
        cmocka_unit_test(test_fault),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_null_is_empty),
        cmocka_unit_test(test_views_of_members),
        cmocka_unit_test(test_views_of_params),
        cmocka_unit_test(test_errors_stay),
        cmocka_unit_test(test_dict_find),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_last_value_in_first_place),
        cmocka_unit_test(test_string),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_inner_checks_what_it_is_given),
        cmocka_unit_test(test_params_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
