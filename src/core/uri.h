/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * URLs as Signature-Agent, directories and @authority have them: parse,
 * resolve to the URL of a key set, normalise, compare.
 */
#ifndef WBA_URI_H
#define WBA_URI_H

#include "mem.h"

#define WBA_WELL_KNOWN_PATH "/.well-known/http-message-signatures-directory"

typedef struct {
    wba_str_t scheme;
    wba_str_t userinfo;  /* data NULL: none */
    wba_str_t host;      /* IPv6 literals with their brackets */
    wba_str_t port;      /* data NULL: none; may be empty */
    wba_str_t path;      /* may be empty */
    wba_str_t query;     /* without '?'; data NULL: none */
    wba_str_t fragment;  /* without '#'; data NULL: none */
    wba_str_t authority; /* userinfo, host and port, as received */
} wba_uri_t;

/* An absolute URI with an authority (RFC 3986).  WBA_OK, WBA_INVALID (no
 * scheme, no "//", empty host, a byte that no URI may hold or a '%' without two
 * hexadecimal digits, a port that is no number up to 65535, brackets around
 * anything but an IPv6 address: no zone, no IPvFuture). */
wba_status_t wba_uri_parse(wba_str_t text, wba_uri_t *uri);

/*
 * @authority's form (RFC 9421 section 2.2.3) of a Host field, an :authority or
 * an absolute-form target's authority: lower-cased, userinfo removed, an empty
 * port and scheme's default port (80 for http, 443 for https) removed.  A copy
 * only where something changes.  WBA_OK, WBA_INVALID (empty, or holds a byte
 * that no authority may), WBA_NO_MEMORY.
 */
wba_status_t wba_authority_normalise(const wba_mem_t *mem, wba_str_t authority,
                                     wba_str_t scheme, wba_str_t *out);

/*
 * The URL where the keys of a Signature-Agent are (PROTOCOL: an empty path or
 * "/" means the well-known path; any other path is the key set itself), with
 * scheme and host lower-cased, unreserved characters of the host decoded and
 * a default port removed; path and query as sent, dot segments included.
 * WBA_OK; WBA_INVALID (unparsable, or with userinfo or a fragment, or longer
 * than WBA_MAX_URL, or a host that needs percent-encoding); WBA_UNSUPPORTED (a
 * scheme other than https, even where the rest is no URL); WBA_NO_MEMORY.
 */
wba_status_t wba_agent_resolve(const wba_mem_t *mem, wba_str_t url,
                               wba_str_t *out);

/*
 * The identifier that policy and variables see: the URL normalised per RFC
 * 3986 sections 6.2.2 and 6.2.3 (case, percent-encoding, dot segments, default
 * port), without query; the path of a bare origin, "/" included, is dropped,
 * so that "https://agent.example/" and "https://agent.example" are one agent.
 * Statuses as wba_agent_resolve.
 */
wba_status_t wba_agent_identity(const wba_mem_t *mem, wba_str_t url,
                                wba_str_t *out);

/* What a Signature-Agent's ;type makes of its URL (earlier drafts). */
typedef enum {
    WBA_AGENT_TYPE_NONE,      /* as wba_agent_resolve has it */
    WBA_AGENT_TYPE_DIRECTORY, /* of the URL, only the origin counts: its
                                 well-known path */
    WBA_AGENT_TYPE_JWKS_URI   /* the key set itself, whatever the path; an
                                 empty one is "/" */
} wba_agent_type_t;

/* Where a member's keys are and who it is: wba_agent_resolve and
 * wba_agent_identity, which is the origin's for WBA_AGENT_TYPE_DIRECTORY,
 * since that is whose keys they are.  Statuses as wba_agent_resolve. */
wba_status_t wba_agent_locate(const wba_mem_t *mem, wba_str_t url,
                              wba_agent_type_t type, wba_str_t *resolved,
                              wba_str_t *identity);

#endif
