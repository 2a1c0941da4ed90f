/* SPDX-License-Identifier: BSD-2-Clause */
/* URLs: RFC 3986's grammar for an absolute URI with an authority, and the
 * forms of them that are fetched, shown and signed. */
#include "uri.h"

#include <arpa/inet.h>

#include "wba_limits.h"

/* Character classes, one bit each. */
enum {
    ALPHA = 0x01,
    DIGIT = 0x02,
    HEX = 0x04,
    UNRESERVED = 0x08,
    SUB_DELIM = 0x10,
    COLON = 0x20,
    AT = 0x40,
    SLASH_QUERY = 0x80 /* '/' and '?' */
};

#define PCHAR (UNRESERVED | SUB_DELIM | COLON | AT)
#define LETTER (ALPHA | UNRESERVED)

/* clang-format off */
static const uint8_t classes[256] = {
    ['A'] = LETTER | HEX, ['B'] = LETTER | HEX, ['C'] = LETTER | HEX,
    ['D'] = LETTER | HEX, ['E'] = LETTER | HEX, ['F'] = LETTER | HEX,
    ['G'] = LETTER, ['H'] = LETTER, ['I'] = LETTER, ['J'] = LETTER,
    ['K'] = LETTER, ['L'] = LETTER, ['M'] = LETTER, ['N'] = LETTER,
    ['O'] = LETTER, ['P'] = LETTER, ['Q'] = LETTER, ['R'] = LETTER,
    ['S'] = LETTER, ['T'] = LETTER, ['U'] = LETTER, ['V'] = LETTER,
    ['W'] = LETTER, ['X'] = LETTER, ['Y'] = LETTER, ['Z'] = LETTER,

    ['a'] = LETTER | HEX, ['b'] = LETTER | HEX, ['c'] = LETTER | HEX,
    ['d'] = LETTER | HEX, ['e'] = LETTER | HEX, ['f'] = LETTER | HEX,
    ['g'] = LETTER, ['h'] = LETTER, ['i'] = LETTER, ['j'] = LETTER,
    ['k'] = LETTER, ['l'] = LETTER, ['m'] = LETTER, ['n'] = LETTER,
    ['o'] = LETTER, ['p'] = LETTER, ['q'] = LETTER, ['r'] = LETTER,
    ['s'] = LETTER, ['t'] = LETTER, ['u'] = LETTER, ['v'] = LETTER,
    ['w'] = LETTER, ['x'] = LETTER, ['y'] = LETTER, ['z'] = LETTER,

    ['0'] = DIGIT | HEX | UNRESERVED, ['1'] = DIGIT | HEX | UNRESERVED,
    ['2'] = DIGIT | HEX | UNRESERVED, ['3'] = DIGIT | HEX | UNRESERVED,
    ['4'] = DIGIT | HEX | UNRESERVED, ['5'] = DIGIT | HEX | UNRESERVED,
    ['6'] = DIGIT | HEX | UNRESERVED, ['7'] = DIGIT | HEX | UNRESERVED,
    ['8'] = DIGIT | HEX | UNRESERVED, ['9'] = DIGIT | HEX | UNRESERVED,

    ['-'] = UNRESERVED, ['.'] = UNRESERVED, ['_'] = UNRESERVED,
    ['~'] = UNRESERVED,

    ['!'] = SUB_DELIM, ['$'] = SUB_DELIM, ['&'] = SUB_DELIM,
    ['\''] = SUB_DELIM, ['('] = SUB_DELIM, [')'] = SUB_DELIM,
    ['*'] = SUB_DELIM, ['+'] = SUB_DELIM, [','] = SUB_DELIM,
    [';'] = SUB_DELIM, ['='] = SUB_DELIM,

    [':'] = COLON, ['@'] = AT, ['/'] = SLASH_QUERY, ['?'] = SLASH_QUERY,
};
/* clang-format on */

static bool
is(uint8_t c, unsigned class)
{
    return (classes[c] & class) != 0;
}

/* Whether s holds nothing but bytes of class and sound percent-encodings. */
static bool
all_of(wba_str_t s, unsigned class)
{
    size_t i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] == '%') {
            if (s.len - i < 3 || !is(s.data[i + 1], HEX)
                || !is(s.data[i + 2], HEX)) {
                return false;
            }
            i += 2;
        } else if (!is(s.data[i], class)) {
            return false;
        }
    }
    return true;
}

/* Takes n bytes off the front of rest. */
static wba_str_t
cut(wba_str_t *rest, size_t n)
{
    wba_str_t front = wba_str(rest->data, n);

    rest->data += n;
    rest->len -= n;
    return front;
}

/* Takes what stands before the first of the stop bytes, or all. */
static wba_str_t
cut_before(wba_str_t *rest, wba_str_t stops)
{
    size_t n = 0;

    while (n < rest->len && memchr(stops.data, rest->data[n], stops.len)
                                == NULL) {
        n++;
    }
    return cut(rest, n);
}

static bool
starts_with(wba_str_t s, uint8_t byte)
{
    return s.len != 0 && s.data[0] == byte;
}

/* An IPv6 literal in its brackets (no zone, no IPvFuture). */
static bool
ipv6_valid(wba_str_t host)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    size_t len = host.len - 2;

    if (host.len < 4 || len >= sizeof(text)
        || memchr(host.data, '\0', host.len) != NULL) {
        return false;
    }
    memcpy(text, host.data + 1, len);
    text[len] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

/* The number a port stands for; -1 for none, or one beyond 65535. */
static long
port_number(wba_str_t port)
{
    long n = 0;
    size_t i;

    for (i = 0; i < port.len; i++) {
        if (!is(port.data[i], DIGIT)) {
            return -1;
        }
        n = n * 10 + (port.data[i] - '0');
        if (n > 65535) {
            return -1;
        }
    }
    return port.len ? n : -1;
}

/* Fills in authority, userinfo, host and port. */
static wba_status_t
authority_parse(wba_str_t text, wba_uri_t *uri)
{
    const uint8_t *mark;

    uri->authority = text;
    if (text.len == 0) {
        return WBA_INVALID;
    }
    mark = memchr(text.data, '@', text.len);
    if (mark != NULL) {
        uri->userinfo = cut(&text, (size_t) (mark - text.data));
        cut(&text, 1);
        if (!all_of(uri->userinfo, UNRESERVED | SUB_DELIM | COLON)) {
            return WBA_INVALID;
        }
    }
    if (starts_with(text, '[')) {
        mark = memchr(text.data, ']', text.len);
        if (mark == NULL) {
            return WBA_INVALID;
        }
        uri->host = cut(&text, (size_t) (mark - text.data) + 1);
        if (!ipv6_valid(uri->host)) {
            return WBA_INVALID;
        }
    } else {
        uri->host = cut_before(&text, WBA_STR(":"));
        if (uri->host.len == 0
            || !all_of(uri->host, UNRESERVED | SUB_DELIM)) {
            return WBA_INVALID;
        }
    }
    if (text.len == 0) {
        return WBA_OK;
    }
    if (text.data[0] != ':') {
        return WBA_INVALID;
    }
    cut(&text, 1);
    uri->port = text;
    return text.len == 0 || port_number(text) >= 0 ? WBA_OK : WBA_INVALID;
}

wba_status_t
wba_uri_parse(wba_str_t text, wba_uri_t *uri)
{
    size_t n = 0;

    memset(uri, 0, sizeof(*uri));
    while (n < text.len
           && (is(text.data[n], ALPHA | DIGIT) || text.data[n] == '+'
               || text.data[n] == '-' || text.data[n] == '.')) {
        n++;
    }
    if (n == 0 || !is(text.data[0], ALPHA) || n == text.len
        || text.data[n] != ':') {
        return WBA_INVALID;
    }
    uri->scheme = cut(&text, n);
    if (text.len < 3 || memcmp(text.data, "://", 3) != 0) {
        return WBA_INVALID;
    }
    cut(&text, 3);
    if (authority_parse(cut_before(&text, WBA_STR("/?#")), uri) != WBA_OK) {
        return WBA_INVALID;
    }
    uri->path = cut_before(&text, WBA_STR("?#"));
    if (starts_with(text, '?')) {
        cut(&text, 1);
        uri->query = cut_before(&text, WBA_STR("#"));
    }
    if (starts_with(text, '#')) {
        cut(&text, 1);
        uri->fragment = text;
    }
    if (!all_of(uri->path, PCHAR | SLASH_QUERY)
        || !all_of(uri->query, PCHAR | SLASH_QUERY)
        || !all_of(uri->fragment, PCHAR | SLASH_QUERY)) {
        return WBA_INVALID;
    }
    return WBA_OK;
}

/* Whether port says no more than scheme does. */
static bool
port_is_implied(wba_str_t port, wba_str_t scheme)
{
    long n = port_number(port);

    return port.len == 0
           || (n == 443 && wba_str_eq_nocase(scheme, WBA_STR("https")))
           || (n == 80 && wba_str_eq_nocase(scheme, WBA_STR("http")));
}

wba_status_t
wba_authority_normalise(const wba_mem_t *mem, wba_str_t authority,
                        wba_str_t scheme, wba_str_t *out)
{
    wba_uri_t uri;
    wba_str_t s;
    uint8_t *copy;
    size_t i;

    memset(&uri, 0, sizeof(uri));
    if (authority_parse(authority, &uri) != WBA_OK) {
        return WBA_INVALID;
    }
    s = uri.host;
    if (!port_is_implied(uri.port, scheme)) {
        s.len += 1 + uri.port.len; /* the port stands right behind the host */
    }
    for (i = 0; i < s.len && wba_lower(s.data[i]) == s.data[i]; i++) {
    }
    if (i == s.len) {
        *out = s;
        return WBA_OK;
    }
    copy = wba_alloc(mem, s.len);
    if (copy == NULL) {
        return WBA_NO_MEMORY;
    }
    for (i = 0; i < s.len; i++) {
        copy[i] = wba_lower(s.data[i]);
    }
    *out = wba_str(copy, s.len);
    return WBA_OK;
}

static unsigned
hex_value(uint8_t c)
{
    return is(c, DIGIT) ? c - '0' + 0U : wba_lower(c) - 'a' + 10U;
}

/* Appends s with unreserved bytes decoded and other percent-encodings in upper
 * case (RFC 3986 section 6.2.2). */
static void
write_normal(wba_buf_t *buf, wba_str_t s)
{
    static const char hex[] = "0123456789ABCDEF";
    unsigned byte;
    size_t i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] != '%') {
            wba_buf_byte(buf, s.data[i]);
            continue;
        }
        byte = hex_value(s.data[i + 1]) << 4 | hex_value(s.data[i + 2]);
        if (is((uint8_t) byte, UNRESERVED)) {
            wba_buf_byte(buf, (uint8_t) byte);
        } else {
            wba_buf_byte(buf, '%');
            wba_buf_add(buf, hex + (byte >> 4), 1);
            wba_buf_add(buf, hex + (byte & 15), 1);
        }
        i += 2;
    }
}

/* remove_dot_segments (RFC 3986 section 5.2.4) in place, on a path that is
 * empty or begins with '/'.  Returns the new length. */
static size_t
remove_dot_segments(uint8_t *path, size_t len)
{
    size_t from = 0, to = 0, n;
    bool last;

    while (from < len) {
        /* a segment with the slash before it */
        for (n = 1; from + n < len && path[from + n] != '/'; n++) {
        }
        last = from + n == len;
        if (n == 2 && path[from + 1] == '.') {
            if (last) {
                path[to++] = '/';
            }
        } else if (n == 3 && path[from + 1] == '.' && path[from + 2] == '.') {
            while (to > 0 && path[--to] != '/') {
            }
            if (last) {
                path[to++] = '/';
            }
        } else {
            memmove(path + to, path + from, n);
            to += n;
        }
        from += n;
    }
    return to;
}

/* Parses url and makes buf, of exactly what may be needed, hold its origin. */
static wba_status_t
agent_begin(const wba_mem_t *mem, wba_str_t url, wba_uri_t *uri,
            wba_buf_t *buf)
{
    size_t i, host, size = url.len + sizeof(WBA_WELL_KNOWN_PATH);
    wba_status_t rc;
    uint8_t *block;

    if (url.len > WBA_MAX_URL) {
        return WBA_INVALID;
    }
    rc = wba_uri_parse(url, uri);
    if (uri->scheme.len != 0
        && !wba_str_eq_nocase(uri->scheme, WBA_STR("https"))) {
        return WBA_UNSUPPORTED;
    }
    if (rc != WBA_OK || uri->userinfo.data != NULL
        || uri->fragment.data != NULL) {
        return WBA_INVALID;
    }
    block = wba_alloc(mem, size);
    if (block == NULL) {
        return WBA_NO_MEMORY;
    }
    wba_buf_fixed(buf, block, size);
    wba_buf_lit(buf, "https://");
    host = buf->len;
    write_normal(buf, uri->host);
    for (i = host; i < buf->len; i++) {
        if (block[i] == '%') {
            return WBA_INVALID; /* no name in the DNS is written so */
        }
        block[i] = wba_lower(block[i]);
    }
    if (!port_is_implied(uri->port, uri->scheme)) {
        while (uri->port.len > 1 && uri->port.data[0] == '0') {
            cut(&uri->port, 1);
        }
        wba_buf_byte(buf, ':');
        wba_buf_str(buf, uri->port);
    }
    return WBA_OK;
}

static wba_status_t
resolve(const wba_mem_t *mem, wba_str_t url, wba_agent_type_t type,
        wba_str_t *out)
{
    wba_uri_t uri;
    wba_buf_t buf;
    wba_status_t rc;

    rc = agent_begin(mem, url, &uri, &buf);
    if (rc != WBA_OK) {
        return rc;
    }
    if (type == WBA_AGENT_TYPE_DIRECTORY) {
        uri.path = uri.query = WBA_STR_NONE;
    }
    if (uri.path.len > 1) {
        wba_buf_str(&buf, uri.path);
    } else if (type == WBA_AGENT_TYPE_JWKS_URI) {
        wba_buf_byte(&buf, '/');
    } else {
        wba_buf_lit(&buf, WBA_WELL_KNOWN_PATH);
    }
    if (uri.query.data != NULL) {
        wba_buf_byte(&buf, '?');
        wba_buf_str(&buf, uri.query);
    }
    *out = wba_buf_view(&buf);
    return buf.status;
}

wba_status_t
wba_agent_resolve(const wba_mem_t *mem, wba_str_t url, wba_str_t *out)
{
    return resolve(mem, url, WBA_AGENT_TYPE_NONE, out);
}

wba_status_t
wba_agent_identity(const wba_mem_t *mem, wba_str_t url, wba_str_t *out)
{
    wba_uri_t uri;
    wba_buf_t buf;
    wba_status_t rc;
    size_t path;

    rc = agent_begin(mem, url, &uri, &buf);
    if (rc != WBA_OK) {
        return rc;
    }
    path = buf.len;
    write_normal(&buf, uri.path);
    if (buf.status != WBA_OK) {
        return buf.status;
    }
    buf.len = path + remove_dot_segments(buf.data + path, buf.len - path);
    if (buf.len - path == 1) {
        buf.len = path;
    }
    *out = wba_buf_view(&buf);
    return WBA_OK;
}

wba_status_t
wba_agent_locate(const wba_mem_t *mem, wba_str_t url, wba_agent_type_t type,
                 wba_str_t *resolved, wba_str_t *identity)
{
    wba_status_t rc = resolve(mem, url, type, resolved);

    if (rc != WBA_OK) {
        return rc;
    }
    if (type == WBA_AGENT_TYPE_DIRECTORY) {
        url = wba_str(resolved->data,
                      resolved->len - (sizeof(WBA_WELL_KNOWN_PATH) - 1));
    }
    return wba_agent_identity(mem, url, identity);
}
