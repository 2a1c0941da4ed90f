/* SPDX-License-Identifier: BSD-2-Clause */
/* Patterns over agents' URLs: what an operator writes is brought into the form
 * that wba_agent_resolve gives, so that matching is comparing bytes. */
#include "agent_pattern.h"

/* A DNS name: labels of letters, digits, '-' and '_', none empty, of which the
 * last begins with no digit: no top-level domain does, and addresses do, in
 * any of the notations that resolvers take ("10.0x7f"). */
static bool
is_domain(wba_str_t s)
{
    size_t i, label = 0; /* where the label begins */

    for (i = 0; i < s.len; i++) {
        uint8_t c = wba_lower(s.data[i]);

        if (c == '.') {
            if (i == label) {
                return false;
            }
            label = i + 1;
        } else if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-'
                   && c != '_')
        {
            return false;
        }
    }
    return label < s.len && (s.data[label] < '0' || s.data[label] > '9');
}

static wba_status_t
parse_suffix(const wba_mem_t *mem, wba_str_t text, wba_agent_pattern_t *out)
{
    uint8_t *lower;
    size_t i;

    if (!is_domain(wba_str(text.data + 2, text.len - 2))) {
        return WBA_INVALID;
    }
    lower = wba_alloc(mem, text.len - 1);
    if (lower == NULL) {
        return WBA_NO_MEMORY;
    }
    for (i = 1; i < text.len; i++) {
        lower[i - 1] = wba_lower(text.data[i]);
    }
    out->kind = WBA_AGENT_SUFFIX;
    out->text = wba_str(lower, text.len - 1);
    return WBA_OK;
}

wba_status_t
wba_agent_pattern_parse(const wba_mem_t *mem, wba_str_t text,
                        wba_agent_pattern_t *out)
{
    wba_str_t resolved;
    wba_status_t status;
    wba_uri_t given, uri;
    size_t i;

    if (text.len > 2 && text.data[0] == '*' && text.data[1] == '.') {
        return parse_suffix(mem, text, out);
    }
    for (i = 0; i < text.len; i++) {
        if (text.data[i] == '*') {
            return WBA_INVALID;
        }
    }
    if (wba_uri_parse(text, &given) != WBA_OK) {
        return WBA_INVALID;
    }
    status = wba_agent_resolve(mem, text, &resolved);
    if (status != WBA_OK) {
        return status;
    }
    if (wba_uri_parse(resolved, &uri) != WBA_OK) {
        return WBA_INVALID;
    }
    if (given.query.data == NULL
        && (given.path.len == 0 || wba_str_eq(given.path, WBA_STR("/"))))
    {
        out->kind = WBA_AGENT_ORIGIN;
        out->text = uri.authority;
    } else {
        out->kind = WBA_AGENT_URL;
        out->text = resolved;
    }
    return WBA_OK;
}

bool
wba_agent_pattern_matches(const wba_agent_pattern_t *pattern, wba_str_t url)
{
    wba_str_t text = pattern->text;
    wba_uri_t uri;

    if (pattern->kind == WBA_AGENT_URL) {
        return wba_str_eq(text, url);
    }
    if (wba_uri_parse(url, &uri) != WBA_OK) {
        return false;
    }
    if (pattern->kind == WBA_AGENT_ORIGIN) {
        return wba_str_eq(text, uri.authority);
    }
    return uri.host.len > text.len
           && wba_str_eq(text, wba_str(uri.host.data + uri.host.len - text.len,
                                       text.len));
}

bool
wba_agent_pattern_names(const wba_agent_pattern_t *pattern, wba_str_t url)
{
    wba_uri_t uri;

    if (pattern->kind == WBA_AGENT_SUFFIX
        || !wba_agent_pattern_matches(pattern, url))
    {
        return false;
    }
    return pattern->kind == WBA_AGENT_URL
           || (wba_uri_parse(url, &uri) == WBA_OK && uri.query.data == NULL
               && wba_str_eq(uri.path, WBA_STR(WBA_WELL_KNOWN_PATH)));
}
