/* SPDX-License-Identifier: BSD-2-Clause */
/* Form queries, decoded and encoded again one character at a time, so that
 * comparing a name needs no copy of it. */
#include "form.h"

#define UTF8_MAX 4                 /* bytes of one character */
#define ENCODED_MAX (3 * UTF8_MAX) /* the same as %XX */

/* The next decoded byte of piece, which must not be empty; how many bytes of
 * piece it takes. */
static size_t
peek_byte(wba_str_t piece, uint8_t *byte)
{
    int high, low;

    *byte = piece.data[0];
    if (*byte == '+') {
        *byte = ' ';
    } else if (*byte == '%' && piece.len >= 3) {
        high = wba_hex_digit(piece.data[1]);
        low = wba_hex_digit(piece.data[2]);
        if (high >= 0 && low >= 0) {
            *byte = (uint8_t) (high << 4 | low);
            return 3;
        }
    }
    return 1;
}

static void
drop(wba_str_t *piece, size_t n)
{
    piece->data += n;
    piece->len -= n;
}

/* How many continuation bytes a lead byte asks for, and what the first of
 * them may be; -1 when no character begins so. */
static int
utf8_lead(uint8_t lead, uint8_t *lower, uint8_t *upper)
{
    *lower = 0x80;
    *upper = 0xbf;
    if (lead < 0x80) {
        return 0;
    }
    if (lead < 0xc2 || lead > 0xf4) {
        return -1;
    }
    switch (lead) {
    case 0xe0:
        *lower = 0xa0;
        break;
    case 0xed:
        *upper = 0x9f;
        break;
    case 0xf0:
        *lower = 0x90;
        break;
    case 0xf4:
        *upper = 0x8f;
        break;
    default:
        break;
    }
    return lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
}

/* Takes one character; a broken one becomes U+FFFD, and the byte that broke it
 * is read again (the WHATWG decoder's "maximal subpart" rule). */
static size_t
take_char(wba_str_t *piece, uint8_t out[UTF8_MAX])
{
    uint8_t lower, upper;
    size_t len = 1, n;
    int more;

    drop(piece, peek_byte(*piece, &out[0]));
    more = utf8_lead(out[0], &lower, &upper);
    while (more > 0) {
        n = piece->len ? peek_byte(*piece, &out[len]) : 0;
        if (n == 0 || out[len] < lower || out[len] > upper) {
            break;
        }
        drop(piece, n);
        lower = 0x80;
        upper = 0xbf;
        len++;
        more--;
    }
    if (more != 0) {
        memcpy(out, "\xef\xbf\xbd", 3);
        return 3;
    }
    return len;
}

static bool
is_plain(uint8_t c)
{
    uint8_t l = wba_lower(c);

    return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '*'
           || c == '-' || c == '.' || c == '_';
}

/* Takes one character of piece and encodes it. */
static size_t
take_encoded(wba_str_t *piece, uint8_t out[ENCODED_MAX])
{
    static const char digits[] = "0123456789ABCDEF";
    uint8_t utf8[UTF8_MAX];
    size_t len, i, n = 0;

    len = take_char(piece, utf8);
    for (i = 0; i < len; i++) {
        if (is_plain(utf8[i])) {
            out[n++] = utf8[i];
            continue;
        }
        out[n++] = '%';
        out[n++] = (uint8_t) digits[utf8[i] >> 4];
        out[n++] = (uint8_t) digits[utf8[i] & 0xf];
    }
    return n;
}

/* Cuts the piece before the next separator off s. */
static wba_str_t
take_until(wba_str_t *s, uint8_t separator)
{
    const uint8_t *at = s->len ? memchr(s->data, separator, s->len) : NULL;
    wba_str_t piece = *s;

    if (at == NULL) {
        s->len = 0;
        return piece;
    }
    piece.len = (size_t) (at - s->data);
    drop(s, piece.len + 1);
    return piece;
}

bool
wba_form_next(wba_str_t *query, wba_str_t *name, wba_str_t *value)
{
    wba_str_t piece;

    while (query->len) {
        piece = take_until(query, '&');
        if (piece.len) {
            *name = take_until(&piece, '=');
            *value = piece;
            return true;
        }
    }
    return false;
}

void
wba_form_write(wba_buf_t *out, wba_str_t received)
{
    uint8_t encoded[ENCODED_MAX];
    size_t n;

    while (received.len) {
        n = take_encoded(&received, encoded);
        wba_buf_add(out, encoded, n);
    }
}

bool
wba_form_name_is(wba_str_t received, wba_str_t name)
{
    uint8_t encoded[ENCODED_MAX];
    size_t n;

    while (received.len) {
        n = 1;
        if (is_plain(received.data[0])) { /* nearly always */
            if (name.len == 0 || received.data[0] != name.data[0]) {
                return false;
            }
            drop(&received, 1);
        } else {
            n = take_encoded(&received, encoded);
            if (n > name.len || memcmp(encoded, name.data, n) != 0) {
                return false;
            }
        }
        drop(&name, n);
    }
    return name.len == 0;
}
