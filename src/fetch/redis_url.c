/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a Redis server is, from the text that an operator wrote. */
#include "wba_redis.h"

#include "mem.h"
#include "wba_limits.h"

#include <arpa/inet.h>
#include <sys/un.h>

#define DEFAULT_PORT 6379
#define MAX_DB 1000  /* servers have 16 unless told otherwise */
#define MAX_HOST 253 /* RFC 1035 2.3.4, as text */

typedef struct {
    const wba_mem_t *mem;
    wba_redis_url_t *out;
    const char **why;
} parse_t;

static wba_status_t
fail(const parse_t *p, const char *why)
{
    *p->why = why;
    return WBA_INVALID;
}

/* The place of byte in s, or s.len. */
static size_t
find(wba_str_t s, uint8_t byte)
{
    const uint8_t *at = s.len ? memchr(s.data, byte, s.len) : NULL;

    return at == NULL ? s.len : (size_t) (at - s.data);
}

static wba_str_t
skip(wba_str_t s, size_t n)
{
    return wba_str(s.data + n, s.len - n);
}

static bool
take(wba_str_t *s, const char *prefix)
{
    size_t n = strlen(prefix);

    if (s->len < n
        || !wba_str_eq_nocase(wba_str(s->data, n), wba_str_z(prefix)))
    {
        return false;
    }
    *s = skip(*s, n);
    return true;
}

/* Decimal digits only, at most max. */
static bool
number(wba_str_t s, unsigned max, unsigned *out)
{
    unsigned long n = 0;
    size_t i;

    if (s.len == 0 || s.len > 9) {
        return false;
    }
    for (i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return false;
        }
        n = n * 10 + (unsigned long) (s.data[i] - '0');
    }
    *out = (unsigned) n;
    return n <= max;
}

static wba_status_t
copy(const parse_t *p, wba_str_t s, wba_str_t *out)
{
    uint8_t *to = wba_alloc(p->mem, s.len + 1);

    if (to == NULL) {
        return WBA_NO_MEMORY;
    }
    if (s.len) {
        memcpy(to, s.data, s.len);
    }
    to[s.len] = '\0';
    *out = wba_str(to, s.len);
    return WBA_OK;
}

/* RFC 3986 2.1.  An octet 0 would end the string that it becomes. */
static wba_status_t
decode(const parse_t *p, wba_str_t s, wba_str_t *out)
{
    uint8_t *to = wba_alloc(p->mem, s.len + 1);
    size_t i, n = 0;
    int high, low;

    if (to == NULL) {
        return WBA_NO_MEMORY;
    }
    for (i = 0; i < s.len; i++) {
        if (s.data[i] != '%') {
            to[n++] = s.data[i];
            continue;
        }
        high = i + 2 < s.len ? wba_hex_digit(s.data[i + 1]) : -1;
        low = high < 0 ? -1 : wba_hex_digit(s.data[i + 2]);
        if (low < 0 || (high | low) == 0) {
            return fail(p, "user or password has a % that is not followed by "
                           "two hexadecimal digits, or has %00");
        }
        to[n++] = (uint8_t) (high << 4 | low);
        i += 2;
    }
    to[n] = '\0';
    *out = wba_str(to, n);
    return WBA_OK;
}

static wba_status_t
user_info(const parse_t *p, wba_str_t s)
{
    size_t colon = find(s, ':');
    wba_status_t status;

    if (colon > 0) {
        status = decode(p, wba_str(s.data, colon), &p->out->user);
        if (status != WBA_OK) {
            return status;
        }
    }
    if (colon == s.len) {
        return s.len ? WBA_OK : fail(p, "there is nothing before the @");
    }
    return decode(p, skip(s, colon + 1), &p->out->password);
}

static bool
is_name(wba_str_t s)
{
    size_t i;
    uint8_t c;

    for (i = 0; i < s.len; i++) {
        c = wba_lower(s.data[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.'
              || c == '-' || c == '_'))
        {
            return false;
        }
    }
    return s.len > 0 && s.len <= MAX_HOST;
}

static bool
is_ipv6(wba_str_t s)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (s.len >= sizeof(text) || find(s, '\0') != s.len) {
        return false;
    }
    memcpy(text, s.data, s.len);
    text[s.len] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

static wba_status_t
host_port(const parse_t *p, wba_str_t s)
{
    bool bracket = s.len > 0 && s.data[0] == '[';
    size_t end = bracket ? find(s, ']') : find(s, ':');
    wba_str_t host, port;
    unsigned n = DEFAULT_PORT;

    if (bracket && end == s.len) {
        return fail(p, "the IPv6 address has no ]");
    }
    host = bracket ? wba_str(s.data + 1, end - 1) : wba_str(s.data, end);
    port = skip(s, bracket ? end + 1 : end);
    if (bracket ? !is_ipv6(host) : !is_name(host)) {
        return fail(p, bracket ? "between [ and ] is not an IPv6 address"
                               : "the host is missing, or is not a name or an "
                                 "address (an IPv6 one wants [ and ])");
    }
    if (port.len > 0
        && (port.data[0] != ':' || !number(skip(port, 1), UINT16_MAX, &n)
            || n == 0))
    {
        return fail(p, "the port is not a number from 1 to 65535");
    }
    p->out->port = (uint16_t) n;
    return copy(p, host, &p->out->host);
}

static wba_status_t
tcp(const parse_t *p, wba_str_t s)
{
    size_t slash = find(s, '/');
    wba_str_t authority = wba_str(s.data, slash), db = skip(s, slash);
    wba_status_t status;
    size_t at;

    if (find(s, '?') < s.len || find(s, '#') < s.len) {
        return fail(p, "? and # have no meaning after redis:// (in a password "
                       "write %3F and %23)");
    }
    for (at = authority.len; at > 0 && authority.data[at - 1] != '@'; at--) {
    }
    if (at > 0) {
        status = user_info(p, wba_str(authority.data, at - 1));
        if (status != WBA_OK) {
            return status;
        }
    }
    status = host_port(p, skip(authority, at));
    if (status != WBA_OK) {
        return status;
    }
    if (db.len > 1 && !number(skip(db, 1), MAX_DB, &p->out->db)) {
        return fail(p, "the database is not a number from 0 to 1000");
    }
    return WBA_OK;
}

static wba_status_t
unix_path(const parse_t *p, wba_str_t s)
{
    size_t mark = find(s, '?');
    wba_str_t path = wba_str(s.data, mark), query = skip(s, mark);

    if (path.len == 0 || path.data[0] != '/') {
        return fail(p, "the path of a unix: socket begins with /");
    }
    if (path.len >= sizeof(((struct sockaddr_un *) NULL)->sun_path)) {
        return fail(p, "the path is longer than that of a socket can be");
    }
    if (query.len > 0
        && (!take(&query, "?db=") || !number(query, MAX_DB, &p->out->db)))
    {
        return fail(p, "what follows the path is not ?db= and a number from 0 "
                       "to 1000");
    }
    return copy(p, path, &p->out->unix_path);
}

wba_status_t
wba_redis_url_parse(const wba_mem_t *mem, wba_str_t text, wba_redis_url_t *out,
                    const char **why)
{
    parse_t p = { mem, out, why };

    memset(out, 0, sizeof(*out));
    *why = "";
    if (text.len > WBA_MAX_URL) {
        return fail(&p, "it is too long");
    }
    if (find(text, '\0') < text.len) {
        return fail(&p, "it holds a NUL");
    }
    if (take(&text, "unix:")) {
        return unix_path(&p, text);
    }
    if (take(&text, "redis://")) {
        out->port = DEFAULT_PORT;
        return tcp(&p, text);
    }
    if (take(&text, "rediss://")) {
        *why = "TLS (rediss://) takes a hiredis that has it; this one has not";
        return WBA_UNSUPPORTED;
    }
    return fail(&p, "it does not begin with redis:// or unix:");
}
