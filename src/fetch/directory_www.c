/* SPDX-License-Identifier: BSD-2-Clause */
/* "redirect www": the one hop between a host and its name with "www.". */
#include "directory.h"

#include "uri.h"

/* 303 leads to something else than what was asked for. */
static bool
is_same_thing(int status)
{
    return status == 301 || status == 302 || status == 307 || status == 308;
}

/* The Location, of which there must be one. */
static wba_str_t
only_location(const wba_fetch_result_t *result)
{
    wba_str_t name, value, found = WBA_STR_NONE;
    size_t at = 0;

    while (wba_fetch_header_next(result, &at, &name, &value)) {
        if (wba_str_eq_nocase(name, WBA_STR("location"))) {
            if (found.data != NULL) {
                return WBA_STR_NONE;
            }
            found = value;
        }
    }
    return found;
}

static bool
is_plain_https(const wba_uri_t *uri)
{
    return wba_str_eq_nocase(uri->scheme, WBA_STR("https"))
           && uri->userinfo.data == NULL && uri->fragment.data == NULL;
}

/* A number that wba_uri_parse has checked. */
static unsigned
port_of(const wba_uri_t *uri)
{
    unsigned port = 0;
    size_t i;

    for (i = 0; i < uri->port.len; i++) {
        port = port * 10 + (uri->port.data[i] - '0');
    }
    return uri->port.len != 0 ? port : 443;
}

/* Whether the last label is a number, as an IPv4 address's is, or any byte
 * needs to be decoded first. */
static bool
is_doubtful_host(wba_str_t host)
{
    size_t i, end = host.len;

    if (memchr(host.data, '%', host.len) != NULL) {
        return true;
    }
    if (end != 0 && host.data[end - 1] == '.') {
        end--;
    }
    i = end;
    while (i > 0 && host.data[i - 1] != '.') {
        i--;
    }
    return i == end || (host.data[i] >= '0' && host.data[i] <= '9');
}

static bool
begins_www(wba_str_t host)
{
    return host.len >= 4
           && wba_str_eq_nocase(wba_str(host.data, 4), WBA_STR("www."));
}

/* Whether longer is "www." before shorter, which has none of its own. */
static bool
is_www_of(wba_str_t longer, wba_str_t shorter)
{
    return begins_www(longer) && !begins_www(shorter)
           && !is_doubtful_host(shorter)
           && wba_str_eq_nocase(wba_str(longer.data + 4, longer.len - 4),
                                shorter);
}

/* None and an empty one are two things. */
static bool
is_same_query(wba_str_t a, wba_str_t b)
{
    if (a.data == NULL || b.data == NULL) {
        return a.data == b.data;
    }
    return wba_str_eq(a, b);
}

static bool
is_www_hop(const wba_uri_t *from, const wba_uri_t *to)
{
    return is_plain_https(from) && is_plain_https(to)
           && (is_www_of(from->host, to->host)
               || is_www_of(to->host, from->host))
           && port_of(from) == port_of(to)
           && wba_str_eq(from->path, to->path)
           && is_same_query(from->query, to->query);
}

bool
wba_directory_redirects(const wba_fetch_result_t *result, const char *url,
                        char *to, size_t size)
{
    wba_str_t location = only_location(result);
    wba_uri_t asked, named;

    if (result->error != WBA_FETCH_OK || !is_same_thing(result->status)
        || location.data == NULL || location.len >= size
        || wba_uri_parse(wba_str_z(url), &asked) != WBA_OK
        || wba_uri_parse(location, &named) != WBA_OK
        || !is_www_hop(&asked, &named))
    {
        return false;
    }
    memcpy(to, location.data, location.len);
    to[location.len] = '\0';
    return true;
}
