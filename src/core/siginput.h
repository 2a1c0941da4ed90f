/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signature-Input, Signature and Signature-Agent to typed records (RFC 9421
 * section 4; draft-ietf-webbotauth-httpsig-protocol for Signature-Agent).
 */
#ifndef WBA_SIGINPUT_H
#define WBA_SIGINPUT_H

#include "sigbase.h"

#define WBA_MAX_SIGNATURE_BYTES 1024 /* RSA of 8,192 bits */

/* One signature as its fields state it.  Absent Strings have data NULL. */
typedef struct {
    wba_str_t label;
    wba_sf_value_t list; /* the covered components, unparsed, and parameters */
    wba_str_t sent;      /* the member's value, byte for byte */
    unsigned lenient;    /* VISA_SAMPLE where keyid was sent as keyId, else 0 */
    bool has_created;
    bool has_expires;
    int64_t created;
    int64_t expires;
    wba_str_t keyid;
    wba_str_t alg;
    wba_str_t nonce;
    wba_str_t tag;
} wba_siginput_t;

/* The tag of a member of Signature-Input, without judging the rest of it; data
 * NULL when there is none that is a String. */
wba_str_t wba_siginput_tag(const wba_sf_value_t *member, const wba_mem_t *mem);

/*
 * Reads one member of Signature-Input.  WBA_OK; WBA_INVALID with *why
 * (SIGNATURE_INPUT_UNREADABLE: no Inner List, a parameter of the wrong type;
 * FIELD_TOO_LARGE: a String beyond its limit, too many parameters);
 * WBA_NO_MEMORY.  A parameter that occurs twice counts with its last value.
 * out->label and out->tag are what wba_siginput_tag finds even where the rest
 * is refused.  Does not parse the components.  out->sent is member->raw, out->lenient 0: a
 * caller who has read a member that was sent otherwise says so.
 */
wba_status_t wba_siginput_parse(wba_str_t label, const wba_sf_value_t *member,
                                const wba_mem_t *mem, wba_siginput_t *out,
                                wba_reason_t *why);

/* Whether a syntactically broken Signature-Input is so because of an
 * upper-case parameter key such as keyId (Visa's sample agent): used to name
 * the mistake. */
bool wba_siginput_has_upper_key(wba_str_t field);

/*
 * The signature under label: the decoded bytes (from mem).  WBA_OK;
 * WBA_NOT_FOUND; WBA_INVALID (field broken, no Byte Sequence, label twice, or
 * longer than WBA_MAX_SIGNATURE_BYTES); WBA_NO_MEMORY.
 */
wba_status_t wba_signature_find(wba_str_t field, wba_str_t label,
                                const wba_mem_t *mem, wba_str_t *bytes);

/* Which Signature-Agent member a signature is attributed to. */
typedef struct {
    wba_str_t url;      /* as sent, unescaped; data NULL: none is covered */
    wba_str_t key;      /* the member's; empty for the legacy String */
    wba_str_t resolved; /* where its keys are (wba_agent_locate) */
    wba_str_t identity; /* who it is (the same) */
    unsigned lenient;   /* mask of the WBA_LENIENT_* that reading it took */
} wba_sigagent_t;

/*
 * Attributes a signature to the Signature-Agent member that it covers:
 * the covered one whose key is label, else the only one covered; a legacy
 * String counts as one member, covered by "signature-agent" without key.
 * Members with parameters are passed over.  lenient (mask of WBA_LENIENT_*)
 * lets more be read: UNQUOTED_AGENT a field that is one bare URL, as if it
 * were a String; AGENT_TYPE members whose only parameter is a type of
 * directory or jwks_uri, as if they had none.
 * WBA_OK (url may be absent: nothing covered, or no such field); WBA_INVALID
 * with *why: SIGNATURE_AGENT_UNPARSABLE, _UNQUOTED, _AMBIGUOUS_MEMBER,
 * _MEMBER_MISSING, _NOT_HTTPS (scheme), _TYPED (only members that are passed
 * over are covered), or FIELD_TOO_LARGE; WBA_NO_MEMORY with OUT_OF_MEMORY.
 */
wba_status_t wba_sigagent_attribute(const wba_message_t *msg, wba_str_t label,
                                    const wba_components_t *components,
                                    unsigned lenient, const wba_mem_t *mem,
                                    wba_sigagent_t *out, wba_reason_t *why);

#endif
