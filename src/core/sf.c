/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parser of Structured Field Values (RFC 9651 section 4.2): parameters,
 * Items, Inner Lists, Lists and Dictionaries.
 *
 * The public iterators work on a copy of themselves, so that a broken field
 * keeps answering with the same error.
 */
#include "sf.h"

#include "wba_limits.h"
#include "sf_private.h"

static void
cursor_init(wba_sf_iter_t *it, wba_str_t s)
{
    it->pos = s.data;
    it->end = s.len ? s.data + s.len : s.data; /* NULL + 0 is undefined */
    it->count = 0;
}

static void
skip_ows(wba_sf_iter_t *c)
{
    while (c->pos != c->end && (*c->pos == ' ' || *c->pos == '\t')) {
        c->pos++;
    }
}

/* Section 4.2.3.3. */
static wba_status_t
key_parse(wba_sf_iter_t *c, wba_str_t *key)
{
    if (c->pos == c->end || !wba_sf_is(*c->pos, WBA_SF_KEY_START)) {
        return WBA_INVALID;
    }
    *key = wba_sf_run(c, WBA_SF_KEY);
    return WBA_OK;
}

/* What stands for a parameter or member without '='. */
static void
value_true(wba_sf_value_t *value)
{
    memset(value, 0, sizeof(*value));
    value->type = WBA_SF_BOOLEAN;
    value->boolean = true;
}

/* One parameter, from its ';' on. */
static wba_status_t
param_parse(wba_sf_iter_t *c, wba_str_t *key, wba_sf_value_t *value)
{
    wba_status_t rc;

    c->pos++;
    wba_sf_skip_sp(c);
    rc = key_parse(c, key);
    if (rc != WBA_OK) {
        return rc;
    }
    if (wba_sf_at(c, '=')) {
        c->pos++;
        return wba_sf_bare_parse(c, value);
    }
    value_true(value);
    return WBA_OK;
}

/* A bit for a key, so that one word tells of most keys that they have not
 * occurred before; it keeps RFC 9421's apart.  Where it cannot tell, the value
 * is only written more slowly. */
static uint64_t
key_bit(wba_str_t key)
{
    size_t sum = key.data[0] + 2 * (key.data[key.len - 1] + key.len);

    return (uint64_t) 1 << (sum & 63);
}

/* Whether a parameter stands as it would be written: nothing behind its ';',
 * and no value that says true. */
static bool
param_canonical(const uint8_t *semicolon, wba_str_t key,
                const wba_sf_value_t *value)
{
    return key.data == semicolon + 1
           && (value->raw.len == 0
               || (value->canonical
                   && !(value->type == WBA_SF_BOOLEAN && value->boolean)));
}

/* Section 4.2.3.2.  Completes a value that began at start: its params and
 * raw. */
static wba_status_t
params_parse(wba_sf_iter_t *c, const uint8_t *start, wba_sf_value_t *value)
{
    const uint8_t *first = c->pos, *semicolon;
    wba_sf_value_t param;
    uint64_t seen = 0, bit;
    wba_str_t key;
    wba_status_t rc;
    unsigned count;

    for (count = 0; wba_sf_at(c, ';'); count++) {
        if (count == WBA_MAX_SF_PARAMS) {
            return WBA_TOO_LARGE;
        }
        semicolon = c->pos;
        rc = param_parse(c, &key, &param);
        if (rc != WBA_OK) {
            return rc;
        }
        bit = key_bit(key);
        if ((seen & bit) != 0 || !param_canonical(semicolon, key, &param)) {
            value->canonical = false;
        }
        seen |= bit;
    }
    value->params = wba_sf_since(c, first);
    value->raw = wba_sf_since(c, start);
    return WBA_OK;
}

/* Section 4.2.3. */
static wba_status_t
item_parse(wba_sf_iter_t *c, wba_sf_value_t *value)
{
    const uint8_t *start = c->pos;
    wba_status_t rc;

    rc = wba_sf_bare_parse(c, value);
    return rc == WBA_OK ? params_parse(c, start, value) : rc;
}

/* Section 4.2.1.2. */
static wba_status_t
inner_list_parse(wba_sf_iter_t *c, wba_sf_value_t *value)
{
    const uint8_t *start = c->pos++, *space;
    bool canonical = true;
    wba_sf_value_t item;
    wba_status_t rc;
    unsigned count;

    for (count = 0;; count++) {
        space = c->pos;
        wba_sf_skip_sp(c);
        if (wba_sf_at(c, ')')) {
            canonical = canonical && c->pos == space;
            break;
        }
        canonical = canonical && c->pos - space == (count != 0);
        if (count == WBA_MAX_SF_ITEMS) {
            return WBA_TOO_LARGE;
        }
        rc = item_parse(c, &item);
        if (rc != WBA_OK) {
            return rc;
        }
        if (!wba_sf_at(c, ' ') && !wba_sf_at(c, ')')) {
            return WBA_INVALID;
        }
        canonical = canonical && item.canonical;
    }
    memset(value, 0, sizeof(*value));
    value->type = WBA_SF_INNER_LIST;
    value->canonical = canonical;
    value->text = wba_sf_since(c, start + 1);
    c->pos++;
    return params_parse(c, start, value);
}

/* Section 4.2.1.1. */
static wba_status_t
member_parse(wba_sf_iter_t *c, wba_sf_value_t *value)
{
    return wba_sf_at(c, '(') ? inner_list_parse(c, value)
                             : item_parse(c, value);
}

/* What follows a member of a List or Dictionary: the end, or a comma with
 * another member behind it. */
static wba_status_t
separator_parse(wba_sf_iter_t *c)
{
    skip_ows(c);
    if (c->pos == c->end) {
        return WBA_OK;
    }
    if (*c->pos != ',') {
        return WBA_INVALID;
    }
    c->pos++;
    skip_ows(c);
    return c->pos == c->end ? WBA_INVALID : WBA_OK;
}

void
wba_sf_dict_init(wba_sf_iter_t *it, wba_str_t field)
{
    cursor_init(it, field);
    wba_sf_skip_sp(it);
}

/* One member; where it fails, c stands where it did. */
static wba_status_t
dict_step(wba_sf_iter_t *c, wba_str_t *key, wba_sf_value_t *value)
{
    wba_status_t rc;

    if (c->pos == c->end) {
        return WBA_END;
    }
    if (c->count++ == WBA_MAX_SF_MEMBERS) {
        return WBA_TOO_LARGE;
    }
    rc = key_parse(c, key);
    if (rc == WBA_OK) {
        if (wba_sf_at(c, '=')) {
            c->pos++;
            rc = member_parse(c, value);
        } else {
            value_true(value);
            rc = params_parse(c, c->pos, value);
        }
    }
    return rc == WBA_OK ? separator_parse(c) : rc;
}

wba_status_t
wba_sf_dict_next(wba_sf_iter_t *it, wba_str_t *key, wba_sf_value_t *value)
{
    wba_sf_iter_t c = *it;
    wba_status_t rc;

    rc = dict_step(&c, key, value);
    if (rc == WBA_OK) {
        *it = c;
    }
    return rc;
}

size_t
wba_sf_dict_fault(wba_str_t field)
{
    wba_sf_iter_t c;
    wba_sf_value_t value;
    wba_str_t key;

    wba_sf_dict_init(&c, field);
    while (dict_step(&c, &key, &value) == WBA_OK) {
    }
    return (size_t) (c.pos - field.data);
}

wba_status_t
wba_sf_dict_find(wba_str_t field, wba_str_t key, wba_sf_value_t *value)
{
    wba_sf_iter_t it;
    wba_sf_value_t member;
    wba_str_t name;
    wba_status_t rc;
    bool found = false;

    wba_sf_dict_init(&it, field);
    while ((rc = wba_sf_dict_next(&it, &name, &member)) == WBA_OK) {
        if (wba_str_eq(name, key)) {
            *value = member;
            found = true;
        }
    }
    if (rc != WBA_END) {
        return rc;
    }
    return found ? WBA_OK : WBA_NOT_FOUND;
}

void
wba_sf_list_init(wba_sf_iter_t *it, wba_str_t field)
{
    cursor_init(it, field);
    wba_sf_skip_sp(it);
}

wba_status_t
wba_sf_list_next(wba_sf_iter_t *it, wba_sf_value_t *value)
{
    wba_sf_iter_t c = *it;
    wba_status_t rc;

    if (c.pos == c.end) {
        return WBA_END;
    }
    if (c.count++ == WBA_MAX_SF_MEMBERS) {
        return WBA_TOO_LARGE;
    }
    rc = member_parse(&c, value);
    if (rc == WBA_OK) {
        rc = separator_parse(&c);
    }
    if (rc == WBA_OK) {
        *it = c;
    }
    return rc;
}

wba_status_t
wba_sf_item_parse(wba_str_t field, wba_sf_value_t *value)
{
    wba_sf_iter_t c;
    wba_status_t rc;

    cursor_init(&c, field);
    wba_sf_skip_sp(&c);
    rc = item_parse(&c, value);
    if (rc != WBA_OK) {
        return rc;
    }
    wba_sf_skip_sp(&c);
    return c.pos == c.end ? WBA_OK : WBA_INVALID;
}

void
wba_sf_inner_init(wba_sf_iter_t *it, const wba_sf_value_t *list)
{
    cursor_init(it, list->text);
    wba_sf_skip_sp(it);
}

wba_status_t
wba_sf_inner_next(wba_sf_iter_t *it, wba_sf_value_t *item)
{
    wba_sf_iter_t c = *it;
    wba_status_t rc;

    if (c.pos == c.end) {
        return WBA_END;
    }
    if (c.count++ == WBA_MAX_SF_ITEMS) {
        return WBA_TOO_LARGE;
    }
    rc = item_parse(&c, item);
    if (rc != WBA_OK) {
        return rc;
    }
    if (c.pos != c.end && *c.pos != ' ') {
        return WBA_INVALID;
    }
    wba_sf_skip_sp(&c);
    *it = c;
    return WBA_OK;
}

void
wba_sf_params_init(wba_sf_iter_t *it, wba_str_t params)
{
    cursor_init(it, params);
}

wba_status_t
wba_sf_params_next(wba_sf_iter_t *it, wba_str_t *key, wba_sf_value_t *value)
{
    wba_sf_iter_t c = *it;
    wba_status_t rc;

    if (c.pos == c.end) {
        return WBA_END;
    }
    if (*c.pos != ';') {
        return WBA_INVALID;
    }
    if (c.count++ == WBA_MAX_SF_PARAMS) {
        return WBA_TOO_LARGE;
    }
    rc = param_parse(&c, key, value);
    if (rc == WBA_OK) {
        *it = c;
    }
    return rc;
}
