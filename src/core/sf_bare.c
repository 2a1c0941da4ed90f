/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bare items of Structured Field Values: their grammar (RFC 9651 sections
 * 4.2.3.1 and 4.2.4 to 4.2.10) and their content without its encoding.
 */
#include "sf_private.h"

#define TEXT (WBA_SF_STRING_CHAR | WBA_SF_DISPLAY_CHAR)
#define TCHAR (WBA_SF_TOKEN_CHAR | TEXT)
#define UPPER (WBA_SF_TOKEN_START | WBA_SF_BASE64 | TCHAR)
#define LOWER (WBA_SF_KEY_START | WBA_SF_KEY | UPPER)
#define DIGIT (WBA_SF_DIGIT | WBA_SF_KEY | WBA_SF_BASE64 | TCHAR)

/* clang-format off */
const uint8_t wba_sf_classes[256] = {
    [' '] = TEXT, ['('] = TEXT, [')'] = TEXT, [','] = TEXT, [';'] = TEXT,
    ['<'] = TEXT, ['='] = TEXT, ['>'] = TEXT, ['?'] = TEXT, ['@'] = TEXT,
    ['['] = TEXT, [']'] = TEXT, ['{'] = TEXT, ['}'] = TEXT,

    ['\\'] = WBA_SF_DISPLAY_CHAR,
    ['%'] = WBA_SF_TOKEN_CHAR | WBA_SF_STRING_CHAR,

    ['!'] = TCHAR, ['#'] = TCHAR, ['$'] = TCHAR, ['&'] = TCHAR,
    ['\''] = TCHAR, ['^'] = TCHAR, ['`'] = TCHAR, ['|'] = TCHAR,
    ['~'] = TCHAR, [':'] = TCHAR,
    ['+'] = TCHAR | WBA_SF_BASE64, ['/'] = TCHAR | WBA_SF_BASE64,
    ['-'] = TCHAR | WBA_SF_KEY, ['.'] = TCHAR | WBA_SF_KEY,
    ['_'] = TCHAR | WBA_SF_KEY,
    ['*'] = TCHAR | WBA_SF_TOKEN_START | WBA_SF_KEY_START | WBA_SF_KEY,

    ['0'] = DIGIT, ['1'] = DIGIT, ['2'] = DIGIT, ['3'] = DIGIT,
    ['4'] = DIGIT, ['5'] = DIGIT, ['6'] = DIGIT, ['7'] = DIGIT,
    ['8'] = DIGIT, ['9'] = DIGIT,

    ['A'] = UPPER, ['B'] = UPPER, ['C'] = UPPER, ['D'] = UPPER,
    ['E'] = UPPER, ['F'] = UPPER, ['G'] = UPPER, ['H'] = UPPER,
    ['I'] = UPPER, ['J'] = UPPER, ['K'] = UPPER, ['L'] = UPPER,
    ['M'] = UPPER, ['N'] = UPPER, ['O'] = UPPER, ['P'] = UPPER,
    ['Q'] = UPPER, ['R'] = UPPER, ['S'] = UPPER, ['T'] = UPPER,
    ['U'] = UPPER, ['V'] = UPPER, ['W'] = UPPER, ['X'] = UPPER,
    ['Y'] = UPPER, ['Z'] = UPPER,

    ['a'] = LOWER, ['b'] = LOWER, ['c'] = LOWER, ['d'] = LOWER,
    ['e'] = LOWER, ['f'] = LOWER, ['g'] = LOWER, ['h'] = LOWER,
    ['i'] = LOWER, ['j'] = LOWER, ['k'] = LOWER, ['l'] = LOWER,
    ['m'] = LOWER, ['n'] = LOWER, ['o'] = LOWER, ['p'] = LOWER,
    ['q'] = LOWER, ['r'] = LOWER, ['s'] = LOWER, ['t'] = LOWER,
    ['u'] = LOWER, ['v'] = LOWER, ['w'] = LOWER, ['x'] = LOWER,
    ['y'] = LOWER, ['z'] = LOWER,
};
/* clang-format on */

/* Section 4.2.4. */
static wba_status_t
number_parse(wba_sf_iter_t *c, wba_sf_value_t *value)
{
    bool negative = wba_sf_at(c, '-');
    int64_t n = 0, unit;
    wba_str_t text;
    size_t digits, i;

    if (negative) {
        c->pos++;
    }
    text = wba_sf_run(c, WBA_SF_DIGIT);
    digits = text.len;
    if (digits == 0 || digits > 15) {
        return WBA_INVALID;
    }
    for (i = 0; i < digits; i++) {
        n = n * 10 + (text.data[i] - '0');
    }
    value->type = WBA_SF_INTEGER;
    value->canonical = text.data[0] != '0' || (digits == 1 && !negative);
    if (wba_sf_at(c, '.')) {
        if (digits > 12) {
            return WBA_INVALID;
        }
        value->type = WBA_SF_DECIMAL;
        value->canonical = false;
        n *= 1000;
        unit = 100;
        c->pos++;
        for (; c->pos != c->end && wba_sf_is(*c->pos, WBA_SF_DIGIT); c->pos++) {
            if (unit == 0) {
                return WBA_INVALID; /* a fourth digit */
            }
            n += (*c->pos - '0') * unit;
            unit /= 10;
        }
        if (unit == 100) {
            return WBA_INVALID; /* "1." */
        }
    }
    value->integer = negative ? -n : n;
    return WBA_OK;
}

/* Section 4.2.5. */
static wba_status_t
string_parse(wba_sf_iter_t *c, wba_sf_value_t *value)
{
    const uint8_t *start = ++c->pos;

    value->type = WBA_SF_STRING;
    value->canonical = true; /* one way only to escape */
    for (;;) {
        wba_sf_run(c, WBA_SF_STRING_CHAR);
        if (c->pos == c->end) {
            return WBA_INVALID;
        }
        if (*c->pos == '"') {
            break;
        }
        if (*c->pos != '\\' || c->end - c->pos < 2
            || (c->pos[1] != '"' && c->pos[1] != '\\')) {
            return WBA_INVALID;
        }
        value->escaped = true;
        c->pos += 2;
    }
    value->text = wba_sf_since(c, start);
    c->pos++;
    return WBA_OK;
}

/* Section 4.2.7.  Padding may be missing, wholly or in part. */
static wba_status_t
bytes_parse(wba_sf_iter_t *c, wba_sf_value_t *value)
{
    const uint8_t *start = ++c->pos;
    size_t rest, pads = 0;

    value->type = WBA_SF_BYTES;
    rest = wba_sf_run(c, WBA_SF_BASE64).len % 4;
    while (wba_sf_at(c, '=')) {
        c->pos++;
        pads++;
    }
    if (!wba_sf_at(c, ':') || rest == 1
        || pads > (rest == 0 ? 0 : 4 - rest)) {
        return WBA_INVALID;
    }
    value->text = wba_sf_since(c, start);
    c->pos++;
    return WBA_OK;
}

/* Section 4.2.8. */
static wba_status_t
boolean_parse(wba_sf_iter_t *c, wba_sf_value_t *value)
{
    if (c->end - c->pos < 2 || (c->pos[1] != '0' && c->pos[1] != '1')) {
        return WBA_INVALID;
    }
    value->type = WBA_SF_BOOLEAN;
    value->canonical = true;
    value->boolean = c->pos[1] == '1';
    c->pos += 2;
    return WBA_OK;
}

/* Section 4.2.9. */
static wba_status_t
date_parse(wba_sf_iter_t *c, wba_sf_value_t *value)
{
    wba_status_t rc;

    c->pos++;
    rc = number_parse(c, value);
    if (rc == WBA_OK && value->type != WBA_SF_INTEGER) {
        return WBA_INVALID;
    }
    value->type = WBA_SF_DATE;
    return rc;
}

bool
wba_sf_utf8_step(wba_sf_utf8_t *state, uint8_t byte)
{
    if (state->need != 0) {
        if (byte < state->low || byte > state->high) {
            return false;
        }
        state->low = 0x80;
        state->high = 0xbf;
        state->need--;
        return true;
    }
    if (byte < 0x80) {
        return true;
    }
    if (byte < 0xc2 || byte > 0xf4) {
        return false;
    }
    state->need = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    /* no overlong forms, no surrogates, nothing beyond U+10FFFF */
    state->low = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
    state->high = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
    return true;
}

/* Section 4.2.10. */
static wba_status_t
display_parse(wba_sf_iter_t *c, wba_sf_value_t *value)
{
    wba_sf_utf8_t utf8 = { 0, 0, 0 };
    const uint8_t *start;
    int high, low;

    if (c->end - c->pos < 2 || c->pos[1] != '"') {
        return WBA_INVALID;
    }
    value->type = WBA_SF_DISPLAY;
    c->pos += 2;
    start = c->pos;
    for (;;) {
        if (wba_sf_run(c, WBA_SF_DISPLAY_CHAR).len != 0 && utf8.need != 0) {
            return WBA_INVALID;
        }
        if (c->end - c->pos < 3 || *c->pos != '%') {
            break;
        }
        high = wba_sf_hex(c->pos[1]);
        low = wba_sf_hex(c->pos[2]);
        if (high < 0 || low < 0
            || !wba_sf_utf8_step(&utf8, (uint8_t) (high << 4 | low))) {
            return WBA_INVALID;
        }
        c->pos += 3;
    }
    if (!wba_sf_at(c, '"') || utf8.need != 0) {
        return WBA_INVALID;
    }
    value->text = wba_sf_since(c, start);
    c->pos++;
    return WBA_OK;
}

wba_status_t
wba_sf_bare_parse(wba_sf_iter_t *c, wba_sf_value_t *value)
{
    const uint8_t *start = c->pos;
    wba_status_t rc;

    memset(value, 0, sizeof(*value));
    if (c->pos == c->end) {
        return WBA_INVALID;
    }
    switch (*c->pos) {
    case '"':
        rc = string_parse(c, value);
        break;
    case ':':
        rc = bytes_parse(c, value);
        break;
    case '?':
        rc = boolean_parse(c, value);
        break;
    case '@':
        rc = date_parse(c, value);
        break;
    case '%':
        rc = display_parse(c, value);
        break;
    default:
        if (wba_sf_is(*c->pos, WBA_SF_TOKEN_START)) {
            value->type = WBA_SF_TOKEN;
            value->canonical = true;
            value->text = wba_sf_run(c, WBA_SF_TOKEN_CHAR);
            rc = WBA_OK;
        } else {
            rc = number_parse(c, value);
        }
    }
    value->raw = wba_sf_since(c, start);
    return rc;
}

wba_status_t
wba_sf_string(const wba_sf_value_t *value, const wba_mem_t *mem,
              wba_str_t *out)
{
    const uint8_t *p = value->text.data;
    uint8_t *copy;
    size_t i, n = 0;

    if (!value->escaped) {
        *out = value->text;
        return WBA_OK;
    }
    copy = wba_alloc(mem, value->text.len);
    if (copy == NULL) {
        return WBA_NO_MEMORY;
    }
    for (i = 0; i < value->text.len; i++) {
        if (p[i] == '\\') {
            i++; /* the grammar has a byte behind each */
        }
        copy[n++] = p[i];
    }
    *out = wba_str(copy, n);
    return WBA_OK;
}

/* The values of base64's characters (RFC 4648 section 4); the grammar has let
 * in no others. */
/* clang-format off */
static const uint8_t base64_values[256] = {
    ['A'] = 0,  ['B'] = 1,  ['C'] = 2,  ['D'] = 3,  ['E'] = 4,  ['F'] = 5,
    ['G'] = 6,  ['H'] = 7,  ['I'] = 8,  ['J'] = 9,  ['K'] = 10, ['L'] = 11,
    ['M'] = 12, ['N'] = 13, ['O'] = 14, ['P'] = 15, ['Q'] = 16, ['R'] = 17,
    ['S'] = 18, ['T'] = 19, ['U'] = 20, ['V'] = 21, ['W'] = 22, ['X'] = 23,
    ['Y'] = 24, ['Z'] = 25,
    ['a'] = 26, ['b'] = 27, ['c'] = 28, ['d'] = 29, ['e'] = 30, ['f'] = 31,
    ['g'] = 32, ['h'] = 33, ['i'] = 34, ['j'] = 35, ['k'] = 36, ['l'] = 37,
    ['m'] = 38, ['n'] = 39, ['o'] = 40, ['p'] = 41, ['q'] = 42, ['r'] = 43,
    ['s'] = 44, ['t'] = 45, ['u'] = 46, ['v'] = 47, ['w'] = 48, ['x'] = 49,
    ['y'] = 50, ['z'] = 51,
    ['0'] = 52, ['1'] = 53, ['2'] = 54, ['3'] = 55, ['4'] = 56, ['5'] = 57,
    ['6'] = 58, ['7'] = 59, ['8'] = 60, ['9'] = 61, ['+'] = 62, ['/'] = 63,
};
/* clang-format on */

wba_status_t
wba_sf_bytes(const wba_sf_value_t *value, uint8_t *out, size_t size,
             size_t *len)
{
    const uint8_t *in = value->text.data, *v = base64_values;
    size_t chars = value->text.len;
    uint32_t bits;

    while (chars != 0 && in[chars - 1] == '=') {
        chars--;
    }
    *len = chars / 4 * 3 + chars % 4 * 3 / 4;
    if (*len > size) {
        return WBA_TOO_LARGE;
    }
    for (; chars >= 4; chars -= 4, in += 4) {
        bits = (uint32_t) v[in[0]] << 18 | (uint32_t) v[in[1]] << 12
               | (uint32_t) v[in[2]] << 6 | v[in[3]];
        *out++ = (uint8_t) (bits >> 16);
        *out++ = (uint8_t) (bits >> 8);
        *out++ = (uint8_t) bits;
    }
    if (chars >= 2) {
        *out++ = (uint8_t) (v[in[0]] << 2 | v[in[1]] >> 4);
    }
    if (chars == 3) {
        *out = (uint8_t) (v[in[1]] << 4 | v[in[2]] >> 2);
    }
    return WBA_OK;
}
