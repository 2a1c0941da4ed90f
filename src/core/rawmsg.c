/* SPDX-License-Identifier: BSD-2-Clause */
/* Captured requests: a line reader, and message.h's answers from its result. */
#include "rawmsg.h"

typedef struct {
    wba_str_t rest;
    size_t number; /* of the line last taken, from 1 */
} reader_t;

/* The next line without its end.  WBA_END when nothing is left. */
static wba_status_t
take_line(reader_t *reader, wba_str_t *line)
{
    wba_str_t *rest = &reader->rest;
    const uint8_t *lf;

    if (rest->len == 0) {
        return WBA_END;
    }
    reader->number++;
    lf = memchr(rest->data, '\n', rest->len);
    *line = *rest;
    if (lf == NULL) {
        rest->len = 0;
        return WBA_OK;
    }
    line->len = (size_t) (lf - line->data);
    rest->data += line->len + 1;
    rest->len -= line->len + 1;
    if (line->len && line->data[line->len - 1] == '\r') {
        line->len--;
    }
    return WBA_OK;
}

static bool
is_token(wba_str_t s)
{
    size_t i;

    for (i = 0; i < s.len && wba_is_tchar(s.data[i]); i++) {
    }
    return s.len != 0 && i == s.len;
}

/* Cuts what stands before the separator off s; false when there is none. */
static bool
cut(wba_str_t *s, uint8_t separator, wba_str_t *head)
{
    const uint8_t *at = s->len ? memchr(s->data, separator, s->len) : NULL;

    if (at == NULL) {
        return false;
    }
    *head = wba_str(s->data, (size_t) (at - s->data));
    *s = wba_str(at + 1, s->len - head->len - 1);
    return true;
}

static bool
is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/1.1", and what tools print for the others: "HTTP/2". */
static bool
is_version(wba_str_t s)
{
    if (s.len < 6 || memcmp(s.data, "HTTP/", 5) != 0 || !is_digit(s.data[5])) {
        return false;
    }
    return s.len == 6
           || (s.len == 8 && s.data[6] == '.' && is_digit(s.data[7]));
}

static bool
parse_request_line(wba_str_t line, wba_raw_message_t *raw)
{
    if (!cut(&line, ' ', &raw->method) || !cut(&line, ' ', &raw->target)) {
        return false;
    }
    raw->version = line;
    return is_token(raw->method) && raw->target.len != 0
           && is_version(raw->version);
}

static bool
extend_last(wba_raw_message_t *raw, wba_str_t line)
{
    wba_str_t *value;

    if (raw->nlines == 0) {
        return false;
    }
    value = &raw->lines[raw->nlines - 1].value;
    value->len = (size_t) (line.data + line.len - value->data);
    return true;
}

static wba_status_t
add_field(wba_raw_message_t *raw, wba_str_t line)
{
    wba_raw_line_t field;

    if (line.data[0] == ' ' || line.data[0] == '\t') {
        return extend_last(raw, line) ? WBA_OK : WBA_INVALID;
    }
    if (!cut(&line, ':', &field.name) || !is_token(field.name)) {
        return WBA_INVALID;
    }
    if (wba_str_eq_nocase(field.name, WBA_STR("host"))
        && raw->message.ops->host(&raw->message).data != NULL)
    {
        return WBA_INVALID;
    }
    if (raw->nlines == WBA_MAX_RAW_LINES) {
        return WBA_TOO_LARGE;
    }
    field.value = line;
    raw->lines[raw->nlines++] = field;
    return WBA_OK;
}

static wba_str_t
raw_method(const wba_message_t *msg)
{
    return ((const wba_raw_message_t *) msg->ctx)->method;
}

static wba_str_t
raw_target(const wba_message_t *msg)
{
    return ((const wba_raw_message_t *) msg->ctx)->target;
}

static wba_str_t
raw_authority_override(const wba_message_t *msg)
{
    return ((const wba_raw_message_t *) msg->ctx)->authority_override;
}

static wba_str_t
raw_scheme(const wba_message_t *msg)
{
    return ((const wba_raw_message_t *) msg->ctx)->scheme;
}

static bool
raw_authority_served(const wba_message_t *msg)
{
    (void) msg;
    return true;
}

static wba_status_t
raw_next_line(const wba_message_t *msg, wba_str_t name, uintptr_t *cursor,
              wba_str_t *value)
{
    const wba_raw_message_t *raw = msg->ctx;
    const wba_raw_line_t *line;

    while (*cursor < raw->nlines) {
        line = &raw->lines[(*cursor)++];
        if (wba_str_eq_nocase(line->name, name)) {
            *value = line->value;
            return WBA_OK;
        }
    }
    return WBA_END;
}

static wba_str_t
raw_host(const wba_message_t *msg)
{
    uintptr_t cursor = 0;
    wba_str_t value;

    if (raw_next_line(msg, WBA_STR("host"), &cursor, &value) != WBA_OK) {
        return WBA_STR_NONE;
    }
    return wba_str_trim(value);
}

static bool
raw_multiplexed(const wba_message_t *msg)
{
    const wba_raw_message_t *raw = msg->ctx;

    return raw->version.len > 5 && raw->version.data[5] >= '2';
}

static const wba_message_ops_t raw_ops = {
    .method = raw_method,
    .target = raw_target,
    .host = raw_host,
    .authority_override = raw_authority_override,
    .scheme = raw_scheme,
    .authority_served = raw_authority_served,
    .next_line = raw_next_line,
    .multiplexed = raw_multiplexed,
};

wba_status_t
wba_raw_message_parse(wba_str_t text, wba_raw_message_t *raw, size_t *line)
{
    reader_t reader = { text, 0 };
    wba_status_t status;
    wba_str_t one;

    memset(raw, 0, sizeof(*raw));
    raw->message.ops = &raw_ops;
    raw->message.ctx = raw;
    raw->scheme = WBA_STR("https");
    *line = 1;
    if (take_line(&reader, &one) != WBA_OK || !parse_request_line(one, raw)) {
        return WBA_INVALID;
    }
    while (take_line(&reader, &one) == WBA_OK && one.len != 0) {
        *line = reader.number;
        status = add_field(raw, one);
        if (status != WBA_OK) {
            return status;
        }
    }
    raw->body = reader.rest;
    return WBA_OK;
}
