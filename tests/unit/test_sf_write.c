/* SPDX-License-Identifier: BSD-2-Clause */
/* core/sf: what the public vectors (tests/conformance/sf_vectors.c) leave
 * open about the writers: what they refuse, round trips, short buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sf.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static uint8_t room[1024];

static void
assert_view(wba_str_t got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.len ? got.data : (const uint8_t *) "", want,
                        got.len);
}

static void
test_write_bytes_round_trip(void **state)
{
    uint8_t data[256], back[256];
    wba_sf_value_t value;
    wba_buf_t buf;
    size_t i, len;

    (void) state;
    for (i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t) (i * 167 + 13);
    }
    for (i = 0; i <= sizeof(data); i++) {
        wba_buf_fixed(&buf, room, sizeof(room));
        wba_sf_write_bytes(&buf, data, i);
        assert_int_equal(buf.status, WBA_OK);
        assert_int_equal(wba_sf_item_parse(wba_buf_view(&buf), &value),
                         WBA_OK);
        assert_int_equal(value.text.len % 4, 0);
        assert_int_equal(wba_sf_bytes(&value, back, sizeof(back), &len),
                         WBA_OK);
        assert_int_equal(len, i);
        assert_memory_equal(back, data, i);
    }
}

static void
test_write_numbers(void **state)
{
    static const struct {
        int64_t n;
        const char *integer; /* NULL: WBA_INVALID */
        const char *decimal;
    } cases[] = {
        { 0, "0", "0.0" },
        { 1, "1", "0.001" },
        { -1, "-1", "-0.001" },
        { 10, "10", "0.01" },
        { -100, "-100", "-0.1" },
        { 1050, "1050", "1.05" },
        { 12000, "12000", "12.0" },
        { 999999999999999, "999999999999999", "999999999999.999" },
        { -999999999999999, "-999999999999999", "-999999999999.999" },
        { 1000000000000000, NULL, NULL },
        { -1000000000000000, NULL, NULL },
        { INT64_MAX, NULL, NULL },
        { INT64_MIN, NULL, NULL },
    };
    void (*const write[])(wba_buf_t *, int64_t) = { wba_sf_write_integer,
                                                    wba_sf_write_decimal };
    const char *want;
    wba_buf_t buf;
    size_t i, n;

    (void) state;
    for (i = 0; i < COUNT(cases); i++) {
        for (n = 0; n < 2; n++) {
            wba_buf_fixed(&buf, room, sizeof(room));
            write[n](&buf, cases[i].n);
            want = n ? cases[i].decimal : cases[i].integer;
            assert_int_equal(buf.status, want ? WBA_OK : WBA_INVALID);
            if (want) {
                assert_view(wba_buf_view(&buf), want);
            }
        }
    }
}

static void
test_write_text(void **state)
{
    static const struct {
        void (*write)(wba_buf_t *, wba_str_t);
        wba_str_t text;
        const char *want; /* NULL: WBA_INVALID */
    } cases[] = {
#define C(function, literal, want) \
    { wba_sf_write_##function, \
      { sizeof(literal) - 1, (const uint8_t *) (literal) }, want }
        C(string, "", "\"\""),
        C(string, "a\"b\\c", "\"a\\\"b\\\\c\""),
        C(string, "\"", "\"\\\"\""),
        C(string, "a\0b", NULL),
        C(string, "\x7f", NULL),
        C(string, "\xff", NULL),
        C(token, "a/b:c", "a/b:c"),
        C(token, "*", "*"),
        C(token, "", NULL),
        C(token, "1a", NULL),
        C(token, "a b", NULL),
        C(key, "sig1", "sig1"),
        C(key, "*", "*"),
        C(key, "", NULL),
        C(key, "Sig", NULL),
        C(key, "sIg", NULL),
        C(key, "-a", NULL),
        C(key, "a:b", NULL),
        C(display, "", "%\"\""),
        C(display, "f\xc3\xbc\"%\n", "%\"f%c3%bc%22%25%0a\""),
        C(display, "\xc3", NULL),
        C(display, "\xc3x", NULL),
        C(display, "\xed\xa0\x80", NULL),
#undef C
    };
    wba_buf_t buf;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(cases); i++) {
        wba_buf_fixed(&buf, room, sizeof(room));
        cases[i].write(&buf, cases[i].text);
        wba_buf_byte(&buf, 'x');
        if (cases[i].want == NULL) {
            assert_int_equal(buf.status, WBA_INVALID);
            continue;
        }
        assert_int_equal(buf.status, WBA_OK);
        buf.len--;
        assert_view(wba_buf_view(&buf), cases[i].want);
    }
}

static void
test_write_values(void **state)
{
    wba_sf_value_t value;
    wba_buf_t buf;

    (void) state;
    assert_int_equal(wba_sf_dict_find(WBA_STR("a=( 1  b;c );d;d=1, e;f, g=2"),
                                      WBA_STR("a"), &value),
                     WBA_OK);
    wba_buf_fixed(&buf, room, sizeof(room));
    wba_sf_write_inner_list(&buf, &value);
    assert_view(wba_buf_view(&buf), "(1 b;c);d=1");
    wba_sf_write_member(&buf, &value);
    assert_view(wba_buf_view(&buf), "(1 b;c);d=1=(1 b;c);d=1");
    wba_sf_write_bare(&buf, &value); /* an inner list is no bare item */
    assert_int_equal(buf.status, WBA_INVALID);

    assert_int_equal(wba_sf_dict_find(WBA_STR("e;f"), WBA_STR("e"), &value),
                     WBA_OK);
    wba_buf_fixed(&buf, room, sizeof(room));
    wba_sf_write_member(&buf, &value);
    assert_view(wba_buf_view(&buf), ";f");
    buf.len = 0;
    wba_sf_write_value(&buf, &value); /* ;key= wants a bare member as ?1 */
    assert_view(wba_buf_view(&buf), "?1;f");

    wba_buf_fixed(&buf, room, sizeof(room));
    wba_sf_write_params(&buf, WBA_STR("; a=1;B"));
    assert_int_equal(buf.status, WBA_INVALID);
}

/* Members of a Dictionary, and whether the parser must see that they stand as
 * they would be written.  (Of Decimals it says so of none.) */
static const struct {
    const char *field;
    bool canonical;
} forms[] = {
    { "a=(\"@authority\" \"@path\");created=1700000000;expires=1700000480"
      ";keyid=\"k\";alg=\"ed25519\";nonce=\"bm9uY2U=\";tag=\"t\"", true },
    { "a=(\"x\";key=\"a\\\"b\\\\\" \"y\";bs \"z\";sf;name=\"n\");req;tr", true },
    { "a=()", true }, { "a=();b=-5;c=0;d=tok;e=?0", true },
    { "a=\"https://bot.example\"", true }, { "a=1;b;c=2", true },
    { "a=?1", true }, { "a=?0;b", true }, { "a=@1700000000", true },
    { "a=( )", false }, { "a=( 1)", false }, { "a=(1 )", false },
    { "a=(1  2)", false }, { "a=(01)", false }, { "a=(1);b=01", false },
    { "a=(1);b=-0", false }, { "a=-0", false }, { "a=007", false },
    { "a=-07", false }, { "a=@00", false }, { "a=@-0", false },
    { "a=1.50", false }, { "a=(1.00)", false }, { "a=1; b", false },
    { "a=(1; b)", false }, { "a=(1);  b", false }, { "a=1;b=?1", false },
    { "a=(1;b=?1)", false }, { "a=();b=?1", false }, { "a=1;b=1;b=2", false },
    { "a=();c=1;c=1", false }, { "a=(1;d;d)", false }, { "a=:YQ:", false },
    { "a=:YR==:", false }, { "a=(:YQ:)", false }, { "a=();x=:YQ:", false },
    { "a=%\"%41\"", false }, { "a=();x=%\"%41\"", false }, { "a", false },
    { "a;b", false },
};

static void
test_canonical_is_as_written(void **state)
{
    wba_sf_value_t value;
    wba_buf_t buf;
    wba_str_t raw;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(forms); i++) {
        assert_int_equal(wba_sf_dict_find(wba_str_z(forms[i].field),
                                          WBA_STR("a"), &value),
                         WBA_OK);
        if (value.canonical != forms[i].canonical) {
            fail_msg("%s: canonical is %d", forms[i].field, value.canonical);
        }
        raw = value.raw;
        value.canonical = false; /* written from its parts */
        wba_buf_fixed(&buf, room, sizeof(room));
        wba_sf_write_value(&buf, &value);
        assert_int_equal(buf.status, WBA_OK);
        if (wba_str_eq(wba_buf_view(&buf), raw) != forms[i].canonical) {
            fail_msg("%s is written %.*s", forms[i].field, (int) buf.len,
                     (const char *) buf.data);
        }
    }
}

/* Whatever the buffer is too short for, it says so. */
static void
test_short_buffers(void **state)
{
    wba_str_t field = WBA_STR("a=(\"x\" :aQ: %\"f\" 1.5);b, c=?0;d=@7");
    wba_buf_t buf;
    uint8_t *block;
    size_t size, full;

    (void) state;
    wba_buf_fixed(&buf, room, sizeof(room));
    assert_int_equal(wba_sf_canonical_dict(&buf, field), WBA_OK);
    full = buf.len;
    for (size = 0; size <= full; size++) {
        block = malloc(size ? size : 1);
        assert_non_null(block);
        wba_buf_fixed(&buf, block, size);
        assert_int_equal(wba_sf_canonical_dict(&buf, field),
                         size < full ? WBA_TOO_LARGE : WBA_OK);
        free(block);
    }
}

/* Values that the parser would never have yielded are refused. */
static void
test_write_refuses_what_was_not_parsed(void **state)
{
    wba_sf_value_t value = { .type = WBA_SF_DISPLAY };
    wba_buf_t buf;

    (void) state;
    value.text = WBA_STR("%4x%zz");
    wba_buf_fixed(&buf, room, sizeof(room));
    wba_sf_write_bare(&buf, &value);
    assert_int_equal(buf.status, WBA_INVALID);

    value.text = WBA_STR("%x4");
    wba_buf_fixed(&buf, room, sizeof(room));
    wba_sf_write_bare(&buf, &value);
    assert_int_equal(buf.status, WBA_INVALID);
    wba_buf_fixed(&buf, room, 2); /* what failed first is told */
    wba_sf_write_bare(&buf, &value);
    assert_int_equal(buf.status, WBA_INVALID);
    value.text = WBA_STR("abc%x4");
    wba_buf_fixed(&buf, room, 3);
    wba_sf_write_bare(&buf, &value);
    assert_int_equal(buf.status, WBA_TOO_LARGE);

    value.type = WBA_SF_INNER_LIST;
    value.text = WBA_STR("a,b");
    wba_buf_fixed(&buf, room, sizeof(room));
    wba_sf_write_value(&buf, &value);
    assert_int_equal(buf.status, WBA_INVALID);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_bytes_round_trip),
        cmocka_unit_test(test_write_numbers),
        cmocka_unit_test(test_write_text),
        cmocka_unit_test(test_write_values),
        cmocka_unit_test(test_write_refuses_what_was_not_parsed),
        cmocka_unit_test(test_canonical_is_as_written),
        cmocka_unit_test(test_short_buffers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
