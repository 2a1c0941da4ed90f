/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Structured fields: what parses is written canonically, the canonical form
 * parses to the same values, and is its own canonical form.
 */
#include "fuzz.h"
#include "sf.h"

#define MAX (256 * 1024)

typedef enum { DICTIONARY, LIST, ITEM } kind_t;

static fuzz_mem_t m;
static wba_str_t whole; /* the field that is being looked at */

static void same_value(const wba_sf_value_t *a, const wba_sf_value_t *b);

static wba_str_t
bytes_of(const wba_sf_value_t *value)
{
    size_t len, size = value->text.len / 4 * 3 + 3;
    uint8_t *out = wba_alloc(&m.mem, size);

    CHECK(wba_sf_bytes(value, out, size, &len) == WBA_OK);
    CHECK(len <= size);
    if (len > 0) {
        uint8_t *tight = wba_alloc(&m.mem, len - 1);
        size_t short_len;

        CHECK(wba_sf_bytes(value, tight, len - 1, &short_len)
              == WBA_TOO_LARGE);
    }
    return wba_str(out, len);
}

/* A Display String's octets: equal ones may be written differently. */
static wba_str_t
plain_of(const wba_sf_value_t *value)
{
    uint8_t *out = wba_alloc(&m.mem, value->text.len);
    char hex[3] = { 0 };
    size_t i, n = 0;

    for (i = 0; i < value->text.len; i++) {
        out[n] = value->text.data[i];
        if (out[n] == '%') {
            CHECK(i + 2 < value->text.len);
            memcpy(hex, value->text.data + i + 1, 2);
            out[n] = (uint8_t) strtoul(hex, NULL, 16);
            i += 2;
        }
        n++;
    }
    return wba_str(out, n);
}

static void
same_bare(const wba_sf_value_t *a, const wba_sf_value_t *b)
{
    wba_str_t x, y;

    CHECK(a->type == b->type);
    switch (a->type) {
    case WBA_SF_INTEGER:
    case WBA_SF_DECIMAL:
    case WBA_SF_DATE:
        CHECK(a->integer == b->integer);
        CHECK(a->integer > -INT64_C(1000000000000000));
        CHECK(a->integer < INT64_C(1000000000000000));
        return;
    case WBA_SF_BOOLEAN:
        CHECK(a->boolean == b->boolean);
        return;
    case WBA_SF_STRING:
        CHECK(wba_sf_string(a, &m.mem, &x) == WBA_OK);
        CHECK(wba_sf_string(b, &m.mem, &y) == WBA_OK);
        CHECK_SAME(x, y);
        CHECK(a->escaped || x.data == a->text.data);
        return;
    case WBA_SF_BYTES:
        CHECK_SAME(bytes_of(a), bytes_of(b));
        return;
    case WBA_SF_DISPLAY:
        CHECK_SAME(plain_of(a), plain_of(b));
        return;
    default:
        CHECK_SAME(a->text, b->text);
        return;
    }
}

/* The last parameter of that key; every key must be there. */
static wba_sf_value_t
last_param(wba_str_t params, wba_str_t key)
{
    wba_sf_value_t value, found = { 0 };
    bool any = false;
    wba_sf_iter_t it;
    wba_str_t k;

    wba_sf_params_init(&it, params);
    while (wba_sf_params_next(&it, &k, &value) == WBA_OK) {
        if (wba_str_eq(k, key)) {
            found = value;
            any = true;
        }
    }
    CHECK(any);
    return found;
}

/* b is canonical: each key of a once, with its last value, and no other. */
static void
same_params(wba_str_t a, wba_str_t b)
{
    wba_sf_value_t value, x;
    unsigned na = 0, nb = 0;
    wba_sf_iter_t it;
    wba_status_t status;
    wba_str_t key;

    wba_sf_params_init(&it, a);
    while ((status = wba_sf_params_next(&it, &key, &value)) == WBA_OK) {
        if (m.bytes > 8 * MAX) {
            return; /* 256 parameters compared with 256, often enough */
        }
        x = last_param(a, key);
        value = last_param(b, key);
        same_bare(&x, &value);
        na++;
    }
    CHECK(status == WBA_END);
    wba_sf_params_init(&it, b);
    while (wba_sf_params_next(&it, &key, &value) == WBA_OK) {
        x = last_param(a, key);
        nb++;
    }
    CHECK(nb <= na && (na == 0) == (nb == 0));
}

static void
same_inner(const wba_sf_value_t *a, const wba_sf_value_t *b)
{
    wba_sf_iter_t x, y;
    wba_sf_value_t left, right;
    wba_status_t status;

    wba_sf_inner_init(&x, a);
    wba_sf_inner_init(&y, b);
    while ((status = wba_sf_inner_next(&x, &left)) == WBA_OK) {
        CHECK(wba_sf_inner_next(&y, &right) == WBA_OK);
        CHECK(left.type != WBA_SF_INNER_LIST);
        same_value(&left, &right);
    }
    CHECK(status == WBA_END); /* it was checked before it was returned */
    CHECK(wba_sf_inner_next(&y, &right) == WBA_END);
}

/* What is written as it came would be written so from its parts. */
static void
as_it_came(const wba_sf_value_t *value)
{
    wba_sf_value_t parts = *value;
    wba_buf_t buf;

    if (!value->canonical || m.bytes > 8 * MAX) {
        return;
    }
    parts.canonical = false;
    wba_buf_init(&buf, &m.mem, MAX);
    wba_sf_write_value(&buf, &parts);
    CHECK(buf.status == WBA_OK
          && wba_str_eq(wba_buf_view(&buf), value->raw));
}

static void
same_value(const wba_sf_value_t *a, const wba_sf_value_t *b)
{
    as_it_came(a);
    CHECK(fuzz_within(a->text, whole) && fuzz_within(a->params, whole)
          && fuzz_within(a->raw, whole));
    CHECK((a->type == WBA_SF_INNER_LIST) == (b->type == WBA_SF_INNER_LIST));
    if (a->type == WBA_SF_INNER_LIST) {
        same_inner(a, b);
    } else {
        same_bare(a, b);
    }
    same_params(a->params, b->params);
}

static void
same_dict(wba_str_t field, wba_str_t canonical)
{
    wba_sf_value_t value, last, other;
    wba_sf_iter_t it;
    wba_str_t key;
    unsigned n = 0;

    wba_sf_dict_init(&it, field);
    while (wba_sf_dict_next(&it, &key, &value) == WBA_OK && ++n < 64) {
        CHECK(fuzz_within(key, whole));
        CHECK(wba_sf_dict_find(field, key, &last) == WBA_OK);
        CHECK(wba_sf_dict_find(canonical, key, &other) == WBA_OK);
        same_value(&last, &other);
    }
}

static void
same_list(wba_str_t field, wba_str_t canonical)
{
    wba_sf_value_t a, b;
    wba_sf_iter_t x, y;

    wba_sf_list_init(&x, field);
    wba_sf_list_init(&y, canonical);
    while (wba_sf_list_next(&x, &a) == WBA_OK) {
        CHECK(wba_sf_list_next(&y, &b) == WBA_OK);
        same_value(&a, &b);
    }
    CHECK(wba_sf_list_next(&y, &b) == WBA_END);
}

static wba_status_t
canonical(kind_t kind, wba_buf_t *buf, wba_str_t field)
{
    wba_buf_init(buf, &m.mem, MAX);
    return kind == DICTIONARY ? wba_sf_canonical_dict(buf, field)
           : kind == LIST     ? wba_sf_canonical_list(buf, field)
                              : wba_sf_canonical_item(buf, field);
}

/* What an iterator says at the end it says again. */
static wba_status_t
walk(kind_t kind, wba_str_t field)
{
    wba_sf_value_t value;
    wba_status_t status;
    wba_sf_iter_t it;
    wba_str_t key;

    if (kind == ITEM) {
        return wba_sf_item_parse(field, &value);
    }
    if (kind == DICTIONARY) {
        wba_sf_dict_init(&it, field);
        while ((status = wba_sf_dict_next(&it, &key, &value)) == WBA_OK) {
            CHECK(fuzz_within(key, field));
        }
        CHECK(wba_sf_dict_next(&it, &key, &value) == status);
        CHECK(wba_sf_dict_fault(field) <= field.len);
        CHECK(status != WBA_END || wba_sf_dict_fault(field) == field.len);
    } else {
        wba_sf_list_init(&it, field);
        while ((status = wba_sf_list_next(&it, &value)) == WBA_OK) {
            CHECK(fuzz_within(value.raw, field));
        }
        CHECK(wba_sf_list_next(&it, &value) == status);
    }
    return status == WBA_END ? WBA_OK : status;
}

static void
round_trip(kind_t kind, wba_str_t field)
{
    wba_sf_value_t a, b;
    wba_buf_t once, twice;
    wba_status_t status;
    wba_str_t text;

    whole = field;
    status = canonical(kind, &once, field);
    CHECK(walk(kind, field) == status);
    CHECK(once.status == status || once.status == WBA_OK);
    if (status != WBA_OK) {
        CHECK(status == WBA_INVALID || status == WBA_TOO_LARGE);
        return;
    }
    text = fuzz_copy(&m, wba_buf_view(&once));
    CHECK(text.len <= 2 * field.len + 4);
    CHECK(canonical(kind, &twice, text) == WBA_OK);
    CHECK_SAME(wba_buf_view(&twice), text);
    if (kind == DICTIONARY) {
        same_dict(field, text);
    } else if (kind == LIST) {
        same_list(field, text);
    } else {
        CHECK(wba_sf_item_parse(field, &a) == WBA_OK);
        CHECK(wba_sf_item_parse(text, &b) == WBA_OK);
        same_value(&a, &b);
    }
}

/* The writers of plain values: what they accept is read back as it was. */
static void
written(wba_str_t s)
{
    wba_sf_value_t value;
    wba_buf_t buf;
    wba_str_t out;

    wba_buf_init(&buf, &m.mem, MAX);
    wba_sf_write_string(&buf, s);
    if (buf.status == WBA_OK) {
        CHECK(wba_sf_item_parse(wba_buf_view(&buf), &value) == WBA_OK);
        CHECK(value.type == WBA_SF_STRING);
        CHECK(wba_sf_string(&value, &m.mem, &out) == WBA_OK);
        CHECK_SAME(out, s);
    }
    wba_buf_init(&buf, &m.mem, MAX);
    wba_sf_write_token(&buf, s);
    if (buf.status == WBA_OK) {
        CHECK(wba_sf_item_parse(wba_buf_view(&buf), &value) == WBA_OK);
        CHECK(value.type == WBA_SF_TOKEN);
        CHECK_SAME(value.text, s);
    }
    wba_buf_init(&buf, &m.mem, MAX);
    wba_sf_write_key(&buf, s);
    if (buf.status == WBA_OK) {
        CHECK(wba_sf_dict_find(wba_buf_view(&buf), s, &value) == WBA_OK);
        CHECK(value.type == WBA_SF_BOOLEAN && value.boolean);
    }
    wba_buf_init(&buf, &m.mem, MAX);
    wba_sf_write_bytes(&buf, s.data, s.len);
    CHECK(buf.status == WBA_OK);
    CHECK(wba_sf_item_parse(wba_buf_view(&buf), &value) == WBA_OK);
    CHECK(value.type == WBA_SF_BYTES);
    CHECK_SAME(bytes_of(&value), s);
    wba_buf_init(&buf, &m.mem, MAX);
    wba_sf_write_display(&buf, s);
    if (buf.status == WBA_OK) {
        out = fuzz_copy(&m, wba_buf_view(&buf));
        CHECK(wba_sf_item_parse(out, &value) == WBA_OK);
        CHECK(value.type == WBA_SF_DISPLAY);
        wba_buf_init(&buf, &m.mem, MAX);
        wba_sf_write_bare(&buf, &value);
        CHECK_SAME(wba_buf_view(&buf), out);
    }
}

static void
number(int64_t n)
{
    wba_sf_value_t value;
    wba_buf_t buf;

    n %= INT64_C(1000000000000000);
    wba_buf_init(&buf, &m.mem, MAX);
    wba_sf_write_integer(&buf, n);
    CHECK(wba_sf_item_parse(wba_buf_view(&buf), &value) == WBA_OK);
    CHECK(value.type == WBA_SF_INTEGER && value.integer == n);
    wba_buf_init(&buf, &m.mem, MAX);
    wba_sf_write_decimal(&buf, n);
    CHECK(wba_sf_item_parse(wba_buf_view(&buf), &value) == WBA_OK);
    CHECK(value.type == WBA_SF_DECIMAL && value.integer == n);
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
    fuzz_in_t in = wba_str(data, size);
    wba_str_t field;

    fuzz_mem_init(&m);
    field = fuzz_copy(&m, in);
    round_trip(DICTIONARY, field);
    round_trip(LIST, field);
    round_trip(ITEM, field);
    written(field);
    number(fuzz_int64(&in));
    fuzz_mem_free(&m);
    return 0;
}
