/* SPDX-License-Identifier: BSD-2-Clause */
/* What follows from a request's answers: whole fields, the authority, and the
 * parts of the target. */
#include "message.h"

#include "wba_limits.h"
#include "uri.h"

static bool
is_ows(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static wba_str_t
skip(wba_str_t s, size_t n)
{
    return wba_str(s.data + n, s.len - n);
}

static wba_str_t
skip_ows(wba_str_t s)
{
    while (s.len && is_ows(s.data[0])) {
        s = skip(s, 1);
    }
    return s;
}

/* Hosts may say an empty value as NULL, which would read as absent. */
static wba_str_t
never_null(wba_str_t s)
{
    return s.data == NULL ? WBA_STR("") : s;
}

static bool
has_line_break(wba_str_t s)
{
    return s.len != 0 && memchr(s.data, '\n', s.len) != NULL;
}

/* Appends one line's value, its folds replaced.  White space is taken off the
 * ends last: a fold at an end counts as white space too. */
static void
add_line(wba_buf_t *buf, wba_str_t line)
{
    size_t start = buf->len;
    const uint8_t *lf;
    wba_str_t part;

    line = skip_ows(line);
    while (line.len && (lf = memchr(line.data, '\n', line.len)) != NULL) {
        part = wba_str(line.data, (size_t) (lf - line.data));
        line = skip(line, part.len + 1);
        if (line.len == 0 || !is_ows(line.data[0])) {
            wba_buf_add(buf, part.data, part.len + 1);
            continue;
        }
        if (part.len && part.data[part.len - 1] == '\r') {
            part.len--;
        }
        wba_buf_str(buf, wba_str_trim(part));
        if (buf->len > start) {
            wba_buf_byte(buf, ' ');
        }
        line = skip_ows(line);
    }
    wba_buf_str(buf, line);
    while (buf->len > start && is_ows(buf->data[buf->len - 1])) {
        buf->len--;
    }
}

wba_status_t
wba_message_unfold(wba_str_t line, const wba_mem_t *mem, wba_str_t *out)
{
    wba_buf_t buf;

    if (!has_line_break(line)) {
        *out = wba_str_trim(never_null(line));
        return out->len > WBA_MAX_FIELD ? WBA_TOO_LARGE : WBA_OK;
    }
    wba_buf_init(&buf, mem, WBA_MAX_FIELD);
    add_line(&buf, line);
    *out = never_null(wba_buf_view(&buf));
    return buf.status;
}

wba_status_t
wba_message_field(const wba_message_t *msg, wba_str_t name,
                  const wba_mem_t *mem, wba_str_t *out)
{
    uintptr_t cursor = 0;
    wba_str_t line, next, separator = WBA_STR(", ");
    wba_status_t status;
    wba_buf_t buf;

    if (msg->ops->next_line(msg, name, &cursor, &line) != WBA_OK) {
        return WBA_NOT_FOUND;
    }
    status = msg->ops->next_line(msg, name, &cursor, &next);
    if (status != WBA_OK) {
        return wba_message_unfold(line, mem, out);
    }
    if (wba_str_eq(name, WBA_STR("cookie")) && msg->ops->multiplexed(msg)) {
        separator = WBA_STR("; ");
    }
    wba_buf_init(&buf, mem, WBA_MAX_FIELD);
    add_line(&buf, line);
    while (status == WBA_OK && buf.status == WBA_OK) {
        wba_buf_str(&buf, separator);
        add_line(&buf, next);
        status = msg->ops->next_line(msg, name, &cursor, &next);
    }
    *out = never_null(wba_buf_view(&buf));
    return buf.status;
}

wba_status_t
wba_message_authority(const wba_message_t *msg, const wba_mem_t *mem,
                      wba_str_t *out)
{
    wba_str_t authority = msg->ops->authority_override(msg);
    wba_str_t scheme = msg->ops->scheme(msg);
    wba_target_t target;

    if (authority.data == NULL) {
        wba_target_parse(msg->ops->method(msg), msg->ops->target(msg),
                         &target);
        if (target.form == WBA_TARGET_BAD) {
            return WBA_INVALID;
        }
        if (target.form == WBA_TARGET_ABSOLUTE) {
            authority = target.authority;
            scheme = target.scheme;
        } else {
            authority = msg->ops->host(msg);
        }
    }
    if (authority.data == NULL) {
        return WBA_NOT_FOUND;
    }
    return wba_authority_normalise(mem, authority, scheme, out);
}

static bool
is_alpha(uint8_t c)
{
    return wba_lower(c) >= 'a' && wba_lower(c) <= 'z';
}

/* The length of the scheme before "://"; 0 when target does not begin so. */
static size_t
scheme_length(wba_str_t target)
{
    size_t i;
    uint8_t c;

    for (i = 0; i < target.len; i++) {
        c = target.data[i];
        if (!is_alpha(c)
            && (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-'
                            || c == '.')))
        {
            break;
        }
    }
    if (target.len - i < 3 || memcmp(target.data + i, "://", 3) != 0) {
        return 0;
    }
    return i;
}

/* Up to, not including, the first '/', '?' or '#'. */
static size_t
authority_length(wba_str_t s)
{
    size_t i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] == '/' || s.data[i] == '?' || s.data[i] == '#') {
            break;
        }
    }
    return i;
}

static void
split_query(wba_str_t s, wba_target_t *out)
{
    const uint8_t *mark = s.len ? memchr(s.data, '?', s.len) : NULL;

    out->path = s;
    if (mark != NULL) {
        out->path.len = (size_t) (mark - s.data);
        out->query = skip(s, out->path.len + 1);
    }
}

void
wba_target_parse(wba_str_t method, wba_str_t target, wba_target_t *out)
{
    size_t n;

    memset(out, 0, sizeof(*out));
    out->form = WBA_TARGET_BAD;
    if (target.len == 0 || memchr(target.data, '#', target.len) != NULL) {
        return;
    }
    if (target.data[0] == '/') {
        out->form = WBA_TARGET_ORIGIN;
        split_query(target, out);
        return;
    }
    if (wba_str_eq(method, WBA_STR("CONNECT"))) {
        if (authority_length(target) == target.len) {
            out->form = WBA_TARGET_AUTHORITY;
            out->authority = target;
        }
        return;
    }
    if (wba_str_eq(target, WBA_STR("*"))) {
        out->form = WBA_TARGET_ASTERISK;
        return;
    }
    n = scheme_length(target);
    if (n != 0) {
        out->form = WBA_TARGET_ABSOLUTE;
        out->scheme = wba_str(target.data, n);
        target = skip(target, n + 3);
        out->authority = wba_str(target.data, authority_length(target));
        split_query(skip(target, out->authority.len), out);
    }
}
