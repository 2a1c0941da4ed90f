/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Structured Field Values (RFC 9651): a parser that yields views into the
 * caller's bytes and never allocates, and the canonical serialiser.
 *
 * The parser's iterators report WBA_END when the input is used up, apart from
 * WBA_INVALID (it breaks the grammar) and WBA_TOO_LARGE (more members, items
 * or parameters than limits.h allows).  dict_next and list_next check a whole
 * member, inner list and parameters included, before they return it, so that
 * iterating inside a returned value cannot meet a syntax error.  A field is
 * known to be good only when its iterator has returned WBA_END.  An error
 * stays: asking again gives it again, and *key and *value then mean nothing.
 *
 * A field that came on several lines is joined with ", " by the caller.  An
 * empty List or Dictionary is no error (WBA_END at once), an empty Item is.
 */
#ifndef WBA_SF_H
#define WBA_SF_H

#include "mem.h"

typedef enum {
    WBA_SF_INTEGER,
    WBA_SF_DECIMAL,
    WBA_SF_STRING,
    WBA_SF_TOKEN,
    WBA_SF_BYTES,
    WBA_SF_BOOLEAN,
    WBA_SF_DATE,
    WBA_SF_DISPLAY,
    WBA_SF_INNER_LIST
} wba_sf_type_t;

typedef struct {
    wba_sf_type_t type;
    bool boolean;     /* BOOLEAN */
    bool escaped;     /* STRING: text holds backslash escapes */
    bool canonical;   /* raw is what wba_sf_write_value would write; false
                         where the parser did not look closely */
    int64_t integer;  /* INTEGER, DATE; DECIMAL: in thousandths */
    wba_str_t text;   /* STRING, DISPLAY: between the quotes, as received;
                         TOKEN; BYTES: the base64 between the colons;
                         INNER_LIST: between the parentheses */
    wba_str_t params; /* from the first ';' to the last parameter's end */
    wba_str_t raw;    /* the item or inner list as received, parameters
                         included; for a dictionary member without '=' the
                         parameters alone */
} wba_sf_value_t;

typedef struct {
    const uint8_t *pos;
    const uint8_t *end;
    unsigned count; /* members, items or parameters yielded so far */
} wba_sf_iter_t;

/* A Dictionary (section 4.2.2).  Keys that occur more than once are yielded
 * each time: the caller decides about them (the RFC: the last wins). */
void wba_sf_dict_init(wba_sf_iter_t *it, wba_str_t field);
wba_status_t wba_sf_dict_next(wba_sf_iter_t *it, wba_str_t *key,
                              wba_sf_value_t *value);

/* The last member named key.  WBA_OK, WBA_NOT_FOUND, or the syntax error that
 * any part of the field holds. */
wba_status_t wba_sf_dict_find(wba_str_t field, wba_str_t key,
                              wba_sf_value_t *value);

/* For messages: the offset of the byte at which a Dictionary stops being one;
 * field.len where it ends too early, or is sound. */
size_t wba_sf_dict_fault(wba_str_t field);

/* A List (section 4.2.1). */
void wba_sf_list_init(wba_sf_iter_t *it, wba_str_t field);
wba_status_t wba_sf_list_next(wba_sf_iter_t *it, wba_sf_value_t *value);

/* An Item (section 4.2.3); WBA_INVALID when anything is left over. */
wba_status_t wba_sf_item_parse(wba_str_t field, wba_sf_value_t *value);

/* The items of an inner list.  list->type must be WBA_SF_INNER_LIST. */
void wba_sf_inner_init(wba_sf_iter_t *it, const wba_sf_value_t *list);
wba_status_t wba_sf_inner_next(wba_sf_iter_t *it, wba_sf_value_t *item);

/* Parameters, from a value's params.  value->params is empty; value->raw is
 * the bare item as received, empty for a parameter without '='. */
void wba_sf_params_init(wba_sf_iter_t *it, wba_str_t params);
wba_status_t wba_sf_params_next(wba_sf_iter_t *it, wba_str_t *key,
                                wba_sf_value_t *value);

/* The content of a STRING without its escapes; a view of value->text where
 * there are none, else a copy from mem.  WBA_OK or WBA_NO_MEMORY. */
wba_status_t wba_sf_string(const wba_sf_value_t *value, const wba_mem_t *mem,
                           wba_str_t *out);

/* Decodes a BYTES value into out (of size bytes).  Missing padding and
 * non-zero pad bits are accepted.  WBA_OK or WBA_TOO_LARGE. */
wba_status_t wba_sf_bytes(const wba_sf_value_t *value, uint8_t *out,
                          size_t size, size_t *len);

/*
 * Canonical serialisation (section 4.1) of what the parser yielded, appended
 * to buf; failures stick in buf->status.  A parameter or dictionary key that
 * occurs more than once is written once: the last value in the first place.
 */
void wba_sf_write_bare(wba_buf_t *buf, const wba_sf_value_t *value);
void wba_sf_write_params(wba_buf_t *buf, wba_str_t params);

/* With its parameters. */
void wba_sf_write_inner_list(wba_buf_t *buf, const wba_sf_value_t *list);

/* An item or an inner list, with its parameters. */
void wba_sf_write_value(wba_buf_t *buf, const wba_sf_value_t *value);

/* A dictionary member's value as it stands behind its key: nothing but
 * parameters for true, else '=' and the value. */
void wba_sf_write_member(wba_buf_t *buf, const wba_sf_value_t *value);

/* A whole field, parsed and written canonically.  The parser's status, which
 * also sticks in buf, or buf's; unless it is WBA_OK, what buf holds means
 * nothing.  Comparisons of keys are proportional to n log n in the number of
 * members, whatever the keys are, so that 1,024 of them are harmless.
 * canonical_dict takes about 45 kB of stack. */
wba_status_t wba_sf_canonical_dict(wba_buf_t *buf, wba_str_t field);
wba_status_t wba_sf_canonical_list(wba_buf_t *buf, wba_str_t field);
wba_status_t wba_sf_canonical_item(wba_buf_t *buf, wba_str_t field);

/* Bare items from plain values, for writers of new fields.  string: WBA_INVALID
 * sticks in buf->status when s holds a byte outside 0x20..0x7e.  key: the same
 * when it is no legal key; token likewise. */
void wba_sf_write_string(wba_buf_t *buf, wba_str_t s);
void wba_sf_write_token(wba_buf_t *buf, wba_str_t s);
void wba_sf_write_key(wba_buf_t *buf, wba_str_t s);
void wba_sf_write_bytes(wba_buf_t *buf, const uint8_t *data, size_t len);
void wba_sf_write_integer(wba_buf_t *buf, int64_t n); /* |n| < 10^15 */
void wba_sf_write_decimal(wba_buf_t *buf, int64_t thousandths);
void wba_sf_write_display(wba_buf_t *buf, wba_str_t utf8);

#endif
