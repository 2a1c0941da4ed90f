/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Covered components and the signature base (RFC 9421 section 2), for requests
 * and, under names of their own, for responses.
 */
#ifndef WBA_SIGBASE_H
#define WBA_SIGBASE_H

#include "wba_limits.h"
#include "message.h"
#include "reason.h"
#include "sf.h"

/* A component identifier, parsed. */
typedef struct {
    wba_str_t name; /* lower case; derived ones begin with '@' */
    bool sf;
    bool bs;
    bool req;        /* in responses: of the request that was answered */
    wba_str_t key;   /* ;key="..."; data NULL: none */
    wba_str_t param; /* @query-param's ;name="..."; data NULL: none */
} wba_component_t;

/*
 * Reads one item of a covered list.  WBA_OK, or WBA_INVALID with *why
 * (BAD_COMPONENT): not a String, not lower case, unknown derived name, unknown
 * or inapplicable parameter, a flag that is not true, key or name that is no
 * String, ;bs with ;sf or ;key, ;tr, ;req, @status, @signature-params.
 * WBA_NO_MEMORY.
 */
wba_status_t wba_component_parse(const wba_sf_value_t *item,
                                 const wba_mem_t *mem, wba_component_t *out,
                                 wba_reason_t *why);

/* The same identifier: name and parameters, their order ignored; ;sf beside
 * ;key makes no difference. */
bool wba_component_eq(const wba_component_t *a, const wba_component_t *b);

/* From configuration text: a bare name (@authority, content-digest), or an
 * identifier as it stands in Signature-Input ("signature-agent";key="x").
 * WBA_OK, WBA_INVALID, WBA_NO_MEMORY. */
wba_status_t wba_component_from_text(wba_str_t text, const wba_mem_t *mem,
                                     wba_component_t *out);

/* The i-th derived component of a request; data NULL behind the last. */
wba_str_t wba_component_derived_at(size_t i);

/* The components of an inner list, checked and free of duplicates. */
typedef struct {
    wba_component_t items[WBA_MAX_COMPONENTS];
    size_t count;
} wba_components_t;

/* WBA_OK; WBA_INVALID or WBA_TOO_LARGE with *why (BAD_COMPONENT,
 * DUPLICATE_COMPONENT, TOO_MANY_COMPONENTS); WBA_NO_MEMORY. */
wba_status_t wba_components_parse(const wba_sf_value_t *list,
                                  const wba_mem_t *mem,
                                  wba_components_t *out, wba_reason_t *why);

/* The same for a response's signature: ;req and @status are legal, ;req is
 * required for every other derived name (sections 2.2 and 2.4). */
wba_status_t wba_components_parse_response(const wba_sf_value_t *list,
                                           const wba_mem_t *mem,
                                           wba_components_t *out,
                                           wba_reason_t *why);

/* Whether the list covers what is required: the same name and, where required
 * has parameters, the same identifier.  A field required without parameters is
 * covered whole or as ;sf or ;bs, not by a single ;key; what is required with
 * or without ;req is covered likewise only. */
bool wba_components_cover(const wba_components_t *list,
                          const wba_component_t *required);

/* Covers the site it was made for: @authority or @target-uri. */
bool wba_components_cover_target(const wba_components_t *list);

/*
 * Builds the signature base: a line per component and "@signature-params"
 * with list serialised canonically.  authority is in @authority's form, data
 * NULL when there is none; components are wba_components_parse's of list.
 *
 * WBA_OK with *why OK; otherwise WBA_INVALID, WBA_TOO_LARGE or WBA_NO_MEMORY
 * with *why (MISSING_COMPONENT, BAD_COMPONENT_VALUE, SCHEME_MISMATCH,
 * SIGNATURE_AGENT_MEMBER_MISSING, AUTHORITY_NOT_SERVED where an absolute-form
 * target names another authority than authority, SIGNATURE_BASE_TOO_LARGE,
 * FIELD_TOO_LARGE, OUT_OF_MEMORY) and *at, the index of the component at
 * fault, components->count when it is none of them.  out then holds what was
 * written so far.
 */
wba_status_t wba_sigbase_build(const wba_message_t *msg, wba_str_t authority,
                               const wba_sf_value_t *list,
                               const wba_components_t *components,
                               const wba_mem_t *mem, wba_buf_t *out,
                               wba_reason_t *why, size_t *at);

/*
 * The base as Visa's sample agent has it: the line of
 * "@signature-params" is sent, the member of Signature-Input byte for byte
 * (list is what it was parsed to), and @path has the query behind it, from its
 * '?' on, as received.  Otherwise as wba_sigbase_build.
 */
wba_status_t wba_sigbase_build_as_sent(const wba_message_t *msg,
                                       wba_str_t authority,
                                       const wba_sf_value_t *list,
                                       wba_str_t sent,
                                       const wba_components_t *components,
                                       const wba_mem_t *mem, wba_buf_t *out,
                                       wba_reason_t *why, size_t *at);

/* A response, and what is known of the request that it answers. */
typedef struct {
    const wba_message_t *message; /* the response: next_line alone is asked */
    unsigned status;              /* 0: not known */
    /* The request's; empty where it is not known.  method as sent, scheme in
     * lower case, authority in @authority's form. */
    wba_str_t method;
    wba_str_t scheme;
    wba_str_t authority;
} wba_response_t;

/*
 * The same for a response; components are wba_components_parse_response's.
 * With ;req there are @method, @scheme and @authority as far as they are
 * known; everything else of the request, its fields too, is
 * MISSING_COMPONENT.
 */
wba_status_t wba_sigbase_build_response(const wba_response_t *response,
                                        const wba_sf_value_t *list,
                                        const wba_components_t *components,
                                        const wba_mem_t *mem, wba_buf_t *out,
                                        wba_reason_t *why, size_t *at);

#endif
