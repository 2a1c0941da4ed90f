/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The canonical serialiser of Structured Field Values (RFC 9651 section 4.1).
 */
#include "wba_limits.h"
#include "sf.h"
#include "sf_private.h"

#define LIMIT 1000000000000000 /* Integers have at most 15 digits */

static const char base64[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Keys in the order of their first occurrence, each with the last of its
 * values as received.  index holds the entries' numbers sorted by key: no
 * choice of keys makes finding one slow, as it could with a hash.  Inserting
 * moves at most 2 kB of it. */
typedef struct {
    wba_str_t key;
    wba_str_t raw;
} entry_t;

typedef struct {
    entry_t *entries;
    uint16_t *index;
    unsigned count;
} names_t;

static void
buf_fail(wba_buf_t *buf, wba_status_t status)
{
    if (buf->status == WBA_OK) {
        buf->status = status;
    }
}

/* Any total order will do. */
static int
key_compare(wba_str_t a, wba_str_t b)
{
    if (a.len != b.len) {
        return a.len < b.len ? -1 : 1;
    }
    return a.len ? memcmp(a.data, b.data, a.len) : 0;
}

/* The caller has room for another entry. */
static void
names_put(names_t *names, wba_str_t key, wba_str_t raw)
{
    unsigned low = 0, high = names->count, middle;
    int order;

    while (low < high) {
        middle = low + (high - low) / 2;
        order = key_compare(key, names->entries[names->index[middle]].key);
        if (order == 0) {
            names->entries[names->index[middle]].raw = raw;
            return;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    memmove(names->index + low + 1, names->index + low,
            (names->count - low) * sizeof(names->index[0]));
    names->index[low] = (uint16_t) names->count;
    names->entries[names->count].key = key;
    names->entries[names->count].raw = raw;
    names->count++;
}

/* The digits of |n|, at least width of them. */
static void
write_digits(wba_buf_t *buf, int64_t n, size_t width)
{
    uint8_t digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (uint8_t) ('0' + n % 10);
        n /= 10;
    } while (n != 0 || sizeof(digits) - at < width);
    wba_buf_add(buf, digits + at, sizeof(digits) - at);
}

/* Writes the sign and yields |n|; false, with WBA_INVALID, when n is out of
 * range. */
static bool
write_sign(wba_buf_t *buf, int64_t *n)
{
    if (*n <= -LIMIT || *n >= LIMIT) {
        buf_fail(buf, WBA_INVALID);
        return false;
    }
    if (*n < 0) {
        wba_buf_byte(buf, '-');
        *n = -*n;
    }
    return true;
}

void
wba_sf_write_integer(wba_buf_t *buf, int64_t n)
{
    if (write_sign(buf, &n)) {
        write_digits(buf, n, 1);
    }
}

void
wba_sf_write_decimal(wba_buf_t *buf, int64_t thousandths)
{
    int64_t fraction;
    size_t width = 3;

    if (!write_sign(buf, &thousandths)) {
        return;
    }
    write_digits(buf, thousandths / 1000, 1);
    wba_buf_byte(buf, '.');
    fraction = thousandths % 1000;
    while (width > 1 && fraction % 10 == 0) {
        fraction /= 10;
        width--;
    }
    write_digits(buf, fraction, width);
}

void
wba_sf_write_string(wba_buf_t *buf, wba_str_t s)
{
    size_t n;

    wba_buf_byte(buf, '"');
    while (s.len != 0) {
        n = wba_sf_span(s, WBA_SF_STRING_CHAR);
        wba_buf_add(buf, s.data, n);
        if (n == s.len) {
            break;
        }
        if (s.data[n] != '"' && s.data[n] != '\\') {
            buf_fail(buf, WBA_INVALID);
            return;
        }
        wba_buf_byte(buf, '\\');
        wba_buf_byte(buf, s.data[n]);
        s.data += n + 1;
        s.len -= n + 1;
    }
    wba_buf_byte(buf, '"');
}

/* s, when it begins with a byte of one class and continues in the other. */
static void
write_word(wba_buf_t *buf, wba_str_t s, unsigned start, unsigned rest)
{
    if (s.len == 0 || !wba_sf_is(s.data[0], start)
        || wba_sf_span(s, rest) != s.len) {
        buf_fail(buf, WBA_INVALID);
        return;
    }
    wba_buf_str(buf, s);
}

void
wba_sf_write_token(wba_buf_t *buf, wba_str_t s)
{
    write_word(buf, s, WBA_SF_TOKEN_START, WBA_SF_TOKEN_CHAR);
}

void
wba_sf_write_key(wba_buf_t *buf, wba_str_t s)
{
    write_word(buf, s, WBA_SF_KEY_START, WBA_SF_KEY);
}

void
wba_sf_write_bytes(wba_buf_t *buf, const uint8_t *data, size_t len)
{
    uint8_t group[4];
    size_t i;
    uint32_t bits;

    wba_buf_byte(buf, ':');
    for (i = 0; i < len; i += 3) {
        bits = (uint32_t) data[i] << 16;
        bits |= len - i > 1 ? (uint32_t) data[i + 1] << 8 : 0;
        bits |= len - i > 2 ? data[i + 2] : 0;
        group[0] = (uint8_t) base64[bits >> 18];
        group[1] = (uint8_t) base64[bits >> 12 & 63];
        group[2] = (uint8_t) (len - i > 1 ? base64[bits >> 6 & 63] : '=');
        group[3] = (uint8_t) (len - i > 2 ? base64[bits & 63] : '=');
        wba_buf_add(buf, group, sizeof(group));
    }
    wba_buf_byte(buf, ':');
}

/* base64 as received: its padding completed, its pad bits cleared. */
static void
write_base64(wba_buf_t *buf, const wba_sf_value_t *value)
{
    size_t chars = wba_sf_span(value->text, WBA_SF_BASE64);
    wba_sf_value_t tail = *value;
    uint8_t last[3];
    size_t len = 0;

    if (chars % 4 == 0) {
        wba_buf_byte(buf, ':');
        wba_buf_add(buf, value->text.data, chars);
        wba_buf_byte(buf, ':');
        return;
    }
    tail.text.data += chars - chars % 4;
    tail.text.len -= chars - chars % 4;
    (void) wba_sf_bytes(&tail, last, sizeof(last), &len); /* two at most */
    wba_buf_byte(buf, ':');
    wba_buf_add(buf, value->text.data, chars - chars % 4);
    wba_buf_add(buf, base64 + (last[0] >> 2), 1);
    if (len == 1) {
        wba_buf_add(buf, base64 + ((last[0] & 3) << 4), 1);
        wba_buf_lit(buf, "==:");
    } else {
        wba_buf_add(buf, base64 + ((last[0] & 3) << 4 | last[1] >> 4), 1);
        wba_buf_add(buf, base64 + ((last[1] & 15) << 2), 1);
        wba_buf_lit(buf, "=:");
    }
}

static void
write_display_byte(wba_buf_t *buf, uint8_t byte)
{
    static const char hex[] = "0123456789abcdef";

    if (wba_sf_is(byte, WBA_SF_DISPLAY_CHAR)) {
        wba_buf_byte(buf, byte);
        return;
    }
    wba_buf_byte(buf, '%');
    wba_buf_add(buf, hex + (byte >> 4), 1);
    wba_buf_add(buf, hex + (byte & 15), 1);
}

void
wba_sf_write_display(wba_buf_t *buf, wba_str_t utf8)
{
    wba_sf_utf8_t state = { 0, 0, 0 };
    size_t i;

    wba_buf_lit(buf, "%\"");
    for (i = 0; i < utf8.len; i++) {
        if (!wba_sf_utf8_step(&state, utf8.data[i])) {
            buf_fail(buf, WBA_INVALID);
            return;
        }
        write_display_byte(buf, utf8.data[i]);
    }
    if (state.need != 0) {
        buf_fail(buf, WBA_INVALID);
    }
    wba_buf_byte(buf, '"');
}

/* A Display String as received: escapes that need not be are undone. */
static void
write_display_text(wba_buf_t *buf, wba_str_t text)
{
    size_t i;
    int high, low;

    wba_buf_lit(buf, "%\"");
    for (i = 0; i < text.len; i++) {
        if (text.data[i] != '%' || text.len - i < 3) {
            write_display_byte(buf, text.data[i]);
            continue;
        }
        high = wba_sf_hex(text.data[++i]);
        low = wba_sf_hex(text.data[++i]);
        if (high < 0 || low < 0) {
            buf_fail(buf, WBA_INVALID);
            return;
        }
        write_display_byte(buf, (uint8_t) (high << 4 | low));
    }
    wba_buf_byte(buf, '"');
}

void
wba_sf_write_bare(wba_buf_t *buf, const wba_sf_value_t *value)
{
    switch (value->type) {
    case WBA_SF_INTEGER:
        wba_sf_write_integer(buf, value->integer);
        break;
    case WBA_SF_DECIMAL:
        wba_sf_write_decimal(buf, value->integer);
        break;
    case WBA_SF_STRING:
        wba_buf_byte(buf, '"');
        wba_buf_str(buf, value->text); /* one way only to escape */
        wba_buf_byte(buf, '"');
        break;
    case WBA_SF_TOKEN:
        wba_buf_str(buf, value->text);
        break;
    case WBA_SF_BYTES:
        write_base64(buf, value);
        break;
    case WBA_SF_BOOLEAN:
        wba_buf_add(buf, value->boolean ? "?1" : "?0", 2);
        break;
    case WBA_SF_DATE:
        wba_buf_byte(buf, '@');
        wba_sf_write_integer(buf, value->integer);
        break;
    case WBA_SF_DISPLAY:
        write_display_text(buf, value->text);
        break;
    default:
        buf_fail(buf, WBA_INVALID);
    }
}

void
wba_sf_write_params(wba_buf_t *buf, wba_str_t params)
{
    entry_t entries[WBA_MAX_SF_PARAMS];
    uint16_t index[WBA_MAX_SF_PARAMS];
    names_t names = { entries, index, 0 };
    wba_sf_iter_t it;
    wba_sf_value_t value;
    wba_str_t key;
    wba_status_t rc;
    unsigned i;

    wba_sf_params_init(&it, params);
    while ((rc = wba_sf_params_next(&it, &key, &value)) == WBA_OK) {
        names_put(&names, key, value.raw);
    }
    if (rc != WBA_END) {
        buf_fail(buf, rc);
        return;
    }
    for (i = 0; i < names.count; i++) {
        wba_buf_byte(buf, ';');
        wba_buf_str(buf, entries[i].key);
        if (entries[i].raw.len == 0) {
            continue;
        }
        rc = wba_sf_item_parse(entries[i].raw, &value);
        if (rc != WBA_OK) {
            buf_fail(buf, rc);
            return;
        }
        if (value.type != WBA_SF_BOOLEAN || !value.boolean) {
            wba_buf_byte(buf, '=');
            wba_sf_write_bare(buf, &value);
        }
    }
}

void
wba_sf_write_inner_list(wba_buf_t *buf, const wba_sf_value_t *list)
{
    wba_sf_iter_t it;
    wba_sf_value_t item;
    wba_status_t rc;

    wba_buf_byte(buf, '(');
    wba_sf_inner_init(&it, list);
    while ((rc = wba_sf_inner_next(&it, &item)) == WBA_OK) {
        if (it.count > 1) {
            wba_buf_byte(buf, ' ');
        }
        wba_sf_write_bare(buf, &item);
        wba_sf_write_params(buf, item.params);
    }
    if (rc != WBA_END) {
        buf_fail(buf, rc);
    }
    wba_buf_byte(buf, ')');
    wba_sf_write_params(buf, list->params);
}

void
wba_sf_write_value(wba_buf_t *buf, const wba_sf_value_t *value)
{
    if (value->canonical) {
        wba_buf_str(buf, value->raw);
        return;
    }
    if (value->type == WBA_SF_INNER_LIST) {
        wba_sf_write_inner_list(buf, value);
        return;
    }
    wba_sf_write_bare(buf, value);
    wba_sf_write_params(buf, value->params);
}

void
wba_sf_write_member(wba_buf_t *buf, const wba_sf_value_t *value)
{
    if (value->type == WBA_SF_BOOLEAN && value->boolean) {
        wba_sf_write_params(buf, value->params);
        return;
    }
    wba_buf_byte(buf, '=');
    wba_sf_write_value(buf, value);
}

/* A dictionary member, from its raw. */
static void
write_raw_member(wba_buf_t *buf, wba_str_t raw)
{
    wba_sf_iter_t it;
    wba_sf_value_t value;
    wba_status_t rc;

    if (raw.len == 0 || raw.data[0] == ';') {
        wba_sf_write_params(buf, raw); /* it has no '=' */
        return;
    }
    wba_sf_list_init(&it, raw);
    rc = wba_sf_list_next(&it, &value);
    if (rc != WBA_OK) {
        buf_fail(buf, rc);
        return;
    }
    wba_sf_write_member(buf, &value);
}

wba_status_t
wba_sf_canonical_dict(wba_buf_t *buf, wba_str_t field)
{
    entry_t entries[WBA_MAX_SF_MEMBERS];
    uint16_t index[WBA_MAX_SF_MEMBERS];
    names_t names = { entries, index, 0 };
    wba_sf_iter_t it;
    wba_sf_value_t value;
    wba_str_t key;
    wba_status_t rc;
    unsigned i;

    wba_sf_dict_init(&it, field);
    while ((rc = wba_sf_dict_next(&it, &key, &value)) == WBA_OK) {
        names_put(&names, key, value.raw);
    }
    if (rc != WBA_END) {
        buf_fail(buf, rc);
        return rc;
    }
    for (i = 0; i < names.count; i++) {
        if (i != 0) {
            wba_buf_lit(buf, ", ");
        }
        wba_buf_str(buf, entries[i].key);
        write_raw_member(buf, entries[i].raw);
    }
    return buf->status;
}

wba_status_t
wba_sf_canonical_list(wba_buf_t *buf, wba_str_t field)
{
    wba_sf_iter_t it;
    wba_sf_value_t value;
    wba_status_t rc;

    wba_sf_list_init(&it, field);
    while ((rc = wba_sf_list_next(&it, &value)) == WBA_OK) {
        if (it.count > 1) {
            wba_buf_lit(buf, ", ");
        }
        wba_sf_write_value(buf, &value);
    }
    if (rc != WBA_END) {
        buf_fail(buf, rc);
        return rc;
    }
    return buf->status;
}

wba_status_t
wba_sf_canonical_item(wba_buf_t *buf, wba_str_t field)
{
    wba_sf_value_t value;
    wba_status_t rc;

    rc = wba_sf_item_parse(field, &value);
    if (rc != WBA_OK) {
        buf_fail(buf, rc);
        return rc;
    }
    wba_sf_write_value(buf, &value);
    return buf->status;
}
