/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which Signature-Agents may be looked up: patterns over their resolved URLs
 * (wba_agent_resolve).
 */
#ifndef WBA_AGENT_PATTERN_H
#define WBA_AGENT_PATTERN_H

#include "uri.h"

typedef enum {
    WBA_AGENT_ORIGIN, /* https://host[:port]: every URL there */
    WBA_AGENT_SUFFIX, /* *.example.com: hosts under it, not itself, any port */
    WBA_AGENT_URL     /* https://host/path[?query]: that URL only */
} wba_agent_pattern_kind_t;

typedef struct {
    wba_agent_pattern_kind_t kind;
    wba_str_t text; /* origin in @authority's form; suffix with its leading
                       dot, lower case; or the resolved URL */
} wba_agent_pattern_t;

/* WBA_OK; WBA_INVALID (neither form: a bare host, a '*' elsewhere, a suffix
 * that is an address or empty); WBA_UNSUPPORTED (a scheme other than https);
 * WBA_NO_MEMORY.  A trailing "/" behind an origin means the origin. */
wba_status_t wba_agent_pattern_parse(const wba_mem_t *mem, wba_str_t text,
                                     wba_agent_pattern_t *out);

/* url is wba_agent_resolve's. */
bool wba_agent_pattern_matches(const wba_agent_pattern_t *pattern,
                               wba_str_t url);

/* Whether the pattern stands for that one URL: a URL itself, or an origin
 * whose well-known URL it is.  url is wba_agent_resolve's. */
bool wba_agent_pattern_names(const wba_agent_pattern_t *pattern,
                             wba_str_t url);

#endif
