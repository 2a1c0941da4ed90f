/* SPDX-License-Identifier: BSD-2-Clause */
#include "visa_sample.h"

#define KEY_ID WBA_STR("keyId")

/* Where in the field the scan is.  It follows the grammar no further than it
 * must to know a parameter's key; what it takes a broken field for does not
 * matter, since no copy of one can be parsed. */
typedef struct {
    wba_str_t field;
    size_t at;
    unsigned depth; /* open parentheses */
} scan_t;

static bool
at(const scan_t *s, uint8_t byte)
{
    return s->at < s->field.len && s->field.data[s->at] == byte;
}

/* Past a String, from its opening quote on; in a Display String (section
 * 4.2.10) a backslash is a character like others. */
static void
skip_quoted(scan_t *s, bool display)
{
    for (s->at++; s->at < s->field.len && !at(s, '"'); s->at++) {
        if (!display && at(s, '\\')) {
            s->at++;
        }
    }
    s->at++;
}

/* Past a parameter's ';' and the spaces behind it, and whether keyId stands
 * there, whole. */
static bool
key_id_follows(scan_t *s)
{
    wba_str_t key = KEY_ID;

    do {
        s->at++;
    } while (at(s, ' '));
    return s->depth == 0 && s->field.len - s->at > key.len
           && memcmp(s->field.data + s->at, key.data, key.len) == 0
           && s->field.data[s->at + key.len] == '=';
}

/* The next keyId: where it begins, or the field's length. */
static size_t
next_key_id(scan_t *s)
{
    while (s->at < s->field.len) {
        switch (s->field.data[s->at]) {
        case '"':
            skip_quoted(s, s->at && s->field.data[s->at - 1] == '%');
            break;
        case ';':
            if (key_id_follows(s)) {
                return s->at;
            }
            break;
        case '(':
            s->depth++;
            s->at++;
            break;
        case ')':
            s->depth -= s->depth != 0;
            s->at++;
            break;
        default:
            s->at++;
        }
    }
    return s->field.len;
}

wba_status_t
wba_visa_sample_legalise(wba_str_t field, const wba_mem_t *mem,
                         wba_str_t *legal)
{
    scan_t scan = { .field = field };
    uint8_t *copy;
    size_t found = next_key_id(&scan);

    if (found == field.len) {
        return WBA_NOT_FOUND;
    }
    copy = wba_alloc(mem, field.len);
    if (copy == NULL) {
        return WBA_NO_MEMORY;
    }
    memcpy(copy, field.data, field.len);
    do {
        copy[found + 3] = 'i';
        scan.at = found + KEY_ID.len;
        found = next_key_id(&scan);
    } while (found != field.len);
    *legal = wba_str(copy, field.len);
    return WBA_OK;
}

bool
wba_visa_sample_single_key(const wba_sf_value_t *member, wba_str_t sent)
{
    wba_sf_value_t value;
    unsigned count = 0;
    wba_sf_iter_t it;
    wba_str_t key;

    if (wba_str_eq(member->raw, sent)) {
        return true;
    }
    wba_sf_params_init(&it, member->params);
    while (wba_sf_params_next(&it, &key, &value) == WBA_OK) {
        count += wba_str_eq(key, WBA_STR("keyid"));
    }
    return count == 1;
}
