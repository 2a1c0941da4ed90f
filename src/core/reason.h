/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one table of reasons: why a request was judged as it was.  Its names
 * are the product's API (variables, logs, metrics, documentation); where the
 * field has settled on a name, it is that name.
 */
#ifndef WBA_REASON_H
#define WBA_REASON_H

#include "str.h"

typedef enum {
    WBA_OUTCOME_VERIFIED,
    WBA_OUTCOME_INVALID,    /* a check failed */
    WBA_OUTCOME_UNVERIFIED, /* not enough is known to decide */
    WBA_OUTCOME_UNSIGNED
} wba_outcome_t;

/* What a refusal is answered by: web_bot_auth_answer's words. */
typedef enum {
    WBA_CLASS_NONE,
    WBA_CLASS_MALFORMED,
    WBA_CLASS_UNSIGNED,
    WBA_CLASS_INVALID,
    WBA_CLASS_REPLAYED,
    WBA_CLASS_UNKNOWN,
    WBA_CLASS_UNAVAILABLE,
    WBA_CLASS_LIMITED,
    WBA_CLASS_DENIED,
    WBA_CLASS_COUNT
} wba_class_t;

/* name, text, outcome, class, one line of help */
#define WBA_REASONS(X)                                                        \
    X(OK, "ok", VERIFIED, NONE,                                               \
      "The signature verified and nothing speaks against it.")                \
    X(DENIED_BY_RULE, "denied-by-rule", VERIFIED, DENIED,                     \
      "The signature verified, but the location's allow and deny rules do "   \
      "not let this agent in.")                                               \
    X(NO_SIGNATURE, "no-signature", UNSIGNED, UNSIGNED,                       \
      "The request carries no Signature-Input, so it is not signed.")         \
    X(NO_SERVED_TAG, "no-served-tag", UNSIGNED, UNSIGNED,                     \
      "No signature carries a tag that this server accepts; send the tag of " \
      "a configured directory.")                                              \
    X(SIGNATURE_INPUT_UNREADABLE, "signature-input-unreadable", INVALID,      \
      MALFORMED,                                                              \
      "Signature-Input is not a Dictionary of Inner Lists (RFC 9421 section " \
      "4.1), or a parameter has the wrong type.")                             \
    X(SIGNATURE_INPUT_KEYID_CASE, "signature-input-keyid-case", INVALID,      \
      MALFORMED,                                                              \
      "Signature-Input writes a parameter in upper case, such as keyId, "     \
      "which is no legal key; write keyid. Only a directory with \"lenient "   \
      "visa-sample\" takes keyId, as Visa's sample agent has it.")            \
    X(SIGNATURE_VALUE_UNREADABLE, "signature-value-unreadable", INVALID,      \
      MALFORMED,                                                              \
      "Signature is missing, is not a Dictionary, or has no Byte Sequence "   \
      "under the label of Signature-Input.")                                  \
    X(FIELD_TOO_LARGE, "field-too-large", INVALID, MALFORMED,                 \
      "A signature field is longer, or has more members, than any honest "    \
      "request needs.")                                                       \
    X(TOO_MANY_SIGNATURES, "too-many-signatures", INVALID, MALFORMED,         \
      "The request carries more signatures than are tried.")                  \
    X(TOO_MANY_COMPONENTS, "too-many-components", INVALID, MALFORMED,         \
      "The signature covers more components than are looked at.")             \
    X(DUPLICATE_LABEL, "duplicate-label", INVALID, MALFORMED,                 \
      "One label occurs twice in Signature-Input or Signature.")              \
    X(BAD_COMPONENT, "bad-component", INVALID, MALFORMED,                     \
      "A covered component is not a lower-case name, is unknown, or has a "   \
      "parameter that is unknown or does not apply to it.")                   \
    X(DUPLICATE_COMPONENT, "duplicate-component", INVALID, MALFORMED,         \
      "One component is covered twice; RFC 9421 section 2.5 forbids it.")     \
    X(MISSING_COMPONENT, "missing-component", INVALID, INVALID,               \
      "The signature covers a component that the request does not carry.")    \
    X(BAD_COMPONENT_VALUE, "bad-component-value", INVALID, INVALID,           \
      "A covered value holds bytes that cannot stand in a signature base, is " \
      "not of the structured type that the signature states, or is a query "  \
      "parameter that occurs twice.")                                         \
    X(SIGNATURE_BASE_TOO_LARGE, "signature-base-too-large", INVALID, INVALID, \
      "The covered fields are longer than a signature base may be.")          \
    X(TARGET_NOT_COVERED, "target-not-covered", INVALID, INVALID,             \
      "The signature does not name the site it was made for; cover "          \
      "\"@authority\".")                                                      \
    X(COMPONENT_NOT_COVERED, "component-not-covered", INVALID, INVALID,       \
      "The signature does not cover a component that the directory's "        \
      "profile or the location requires.")                                    \
    X(MISSING_FIELDS, "missing-fields", INVALID, INVALID,                     \
      "Signature-Input lacks a required parameter: created, expires, keyid, " \
      "tag, and for payment networks alg.")                                   \
    X(NONCE_MISSING, "nonce-missing", INVALID, INVALID,                       \
      "The signature must carry a nonce here.")                               \
    X(NONCE_NOT_CHALLENGED, "nonce-not-challenged", INVALID, INVALID,         \
      "The signature's nonce is not one that this server gave out for this "  \
      "host; sign with the nonce in Accept-Signature.")                       \
    X(CHALLENGE_EXPIRED, "challenge-expired", INVALID, INVALID,               \
      "The nonce that this server gave out has ended; sign with the new one " \
      "in Accept-Signature.")                                                 \
    X(CLOCK_AHEAD, "clock-ahead", INVALID, INVALID,                           \
      "The signature was created in the future; check the signer's clock.")   \
    X(EXPIRED, "expired", INVALID, INVALID,                                   \
      "The signature has expired; sign each request anew.")                   \
    X(EXPIRES_NOT_AFTER_CREATED, "expires-not-after-created", INVALID,        \
      INVALID, "The signature expires no later than it was created.")         \
    X(LIFETIME_TOO_LONG, "lifetime-too-long", INVALID, INVALID,               \
      "expires minus created is more than the directory or the location "     \
      "allows.")                                                              \
    X(ALG_MISMATCH, "alg-mismatch", INVALID, INVALID,                         \
      "alg is unknown, or is not the algorithm of the key that keyid names.") \
    X(ALG_NOT_ALLOWED, "alg-not-allowed", INVALID, INVALID,                   \
      "The directory's profile does not allow this algorithm.")               \
    X(KEY_EXPIRED, "key-expired", INVALID, INVALID,                           \
      "The key's exp has passed.")                                            \
    X(KEY_NOT_YET_VALID, "key-not-yet-valid", INVALID, INVALID,               \
      "The key's nbf lies in the future.")                                    \
    X(BAD_SIGNATURE, "bad-signature", INVALID, INVALID,                       \
      "The signature does not verify with the key that keyid names; compare " \
      "the signature bases.")                                                 \
    X(VISA_SAMPLE_FORM, "visa-sample-form", INVALID, INVALID,                 \
      "The signature verifies only over its parameters as they were sent and "\
      "@path with the query, as Visa's sample agent signs; only a directory " \
      "with \"lenient visa-sample\" takes that.")                             \
    X(AUTHORITY_NOT_SERVED, "authority-not-served", INVALID, INVALID,         \
      "The request names a host that this server does not answer for, so a "  \
      "signature over it proves nothing here.")                               \
    X(SCHEME_MISMATCH, "scheme-mismatch", INVALID, INVALID,                   \
      "The request's target names another scheme than the connection has.")   \
    X(SIGNATURE_AGENT_UNPARSABLE, "signature-agent-unparsable", INVALID,      \
      MALFORMED,                                                              \
      "Signature-Agent is neither a Dictionary of Strings nor one String "    \
      "with an absolute URL.")                                                \
    X(SIGNATURE_AGENT_UNQUOTED, "signature-agent-unquoted", INVALID,          \
      MALFORMED,                                                              \
      "Signature-Agent is a bare URL without quotes; only a directory with "  \
      "\"lenient unquoted-agent\" takes it.")                                 \
    X(SIGNATURE_AGENT_AMBIGUOUS_MEMBER, "signature-agent-ambiguous-member",   \
      INVALID, INVALID,                                                       \
      "Several Signature-Agent members are covered and none bears the "       \
      "signature's label.")                                                   \
    X(SIGNATURE_AGENT_MEMBER_MISSING, "signature-agent-member-missing",       \
      INVALID, INVALID,                                                       \
      "The signature covers a Signature-Agent member that the request does "  \
      "not carry.")                                                           \
    X(SIGNATURE_AGENT_NOT_HTTPS, "signature-agent-not-https", INVALID,        \
      INVALID, "Signature-Agent names a URL that is not https.")              \
    X(SIGNATURE_AGENT_TYPED, "signature-agent-typed", UNVERIFIED, UNKNOWN,    \
      "The covered Signature-Agent member carries parameters, and such "      \
      "members are ignored; only ;type=directory and ;type=jwks_uri count, "  \
      "for a directory with \"lenient agent-type\".")                         \
    X(SIGNATURE_AGENT_ABSENT, "signature-agent-absent", UNVERIFIED, UNKNOWN,  \
      "The signature covers no Signature-Agent, and its key is in no "        \
      "configured directory.")                                                \
    X(AGENT_NOT_ALLOWED, "agent-not-allowed", UNVERIFIED, UNKNOWN,            \
      "No configured directory stands for the Signature-Agent named, and "    \
      "web_bot_auth_discovery does not let this server look it up.")          \
    X(KEY_UNKNOWN, "key-unknown", UNVERIFIED, UNKNOWN,                        \
      "No directory that may answer holds a key under this keyid.")           \
    X(DIRECTORY_UNAVAILABLE, "directory-unavailable", UNVERIFIED,             \
      UNAVAILABLE,                                                            \
      "The directory that may hold the key has never been loaded and could "  \
      "not be in time.")                                                      \
    X(DISCOVERY_LIMIT, "discovery-limit", UNVERIFIED, UNAVAILABLE,            \
      "More new agents are being looked up than web_bot_auth_discovery "      \
      "allows; try again later.")                                             \
    X(TOO_MANY_WAITING, "too-many-waiting", UNVERIFIED, UNAVAILABLE,          \
      "More requests wait for keys than web_bot_auth_wait allows.")           \
    X(FORGERY_LIMITED, "forgery-limited", UNVERIFIED, LIMITED,                \
      "More signatures from this address have failed than "                   \
      "web_bot_auth_forgery_limit allows, so this one was not tried; try "    \
      "again later.")                                                         \
    X(NONCE_REPLAYED, "nonce-replayed", INVALID, REPLAYED,                    \
      "This nonce was used before; sign each request with a fresh nonce.")    \
    X(NONCE_STORE_FULL, "nonce-store-full", UNVERIFIED, UNAVAILABLE,          \
      "The nonce table has no room; enlarge web_bot_auth_zone.")              \
    X(NONCE_STORE_COLD, "nonce-store-cold", UNVERIFIED, UNAVAILABLE,          \
      "The nonce table is younger than the signature, so a replay could not " \
      "be told; sign the request anew.")                                      \
    X(NONCE_STORE_UNAVAILABLE, "nonce-store-unavailable", UNVERIFIED,         \
      UNAVAILABLE, "The nonce store did not answer.")                         \
    X(CONTENT_DIGEST_UNREADABLE, "content-digest-unreadable", INVALID,        \
      INVALID,                                                                \
      "The covered Content-Digest is no Dictionary of Byte Sequences or "     \
      "holds no sha-256 or sha-512.")                                         \
    X(CONTENT_DIGEST_MISMATCH, "content-digest-mismatch", INVALID, INVALID,   \
      "The body is not the one that the covered Content-Digest describes.")   \
    X(BODY_UNAVAILABLE, "body-unavailable", UNVERIFIED, UNAVAILABLE,          \
      "The body could not be read to compare it with the covered "            \
      "Content-Digest.")                                                      \
    X(BODY_LINK_UNREADABLE, "body-link-unreadable", INVALID, INVALID,         \
      "The body cannot be examined for agenticConsumer and "                  \
      "agenticPaymentContainer: no JSON, a member twice, one of the two is "  \
      "no object, or a Content-Encoding.")                                    \
    X(BODY_LINK_TOO_LARGE, "body-link-too-large", INVALID, INVALID,           \
      "The JSON body is longer than what is examined for agenticConsumer "    \
      "and agenticPaymentContainer.")                                         \
    X(BODY_LINK_MISSING, "body-link-missing", INVALID, INVALID,               \
      "agenticConsumer or agenticPaymentContainer has no nonce or no kid.")   \
    X(BODY_LINK_MISMATCH, "body-link-mismatch", INVALID, INVALID,             \
      "agenticConsumer or agenticPaymentContainer names another nonce or "    \
      "kid than the signature's nonce and keyid.")                            \
    X(OUT_OF_MEMORY, "out-of-memory", UNVERIFIED, UNAVAILABLE,                \
      "Memory ran out while the request was verified.")

typedef enum {
#define X(name, text, outcome, class, help) WBA_REASON_##name,
    WBA_REASONS(X)
#undef X
        WBA_REASON_COUNT
} wba_reason_t;

typedef struct {
    wba_str_t name;
    wba_outcome_t outcome;
    wba_class_t class;
    const char *help;
} wba_reason_info_t;

/* The row of a reason; never NULL for reason < WBA_REASON_COUNT. */
const wba_reason_info_t *wba_reason_info(wba_reason_t reason);

/* WBA_REASON_COUNT when no reason has that name. */
wba_reason_t wba_reason_by_name(wba_str_t name);

wba_str_t wba_outcome_name(wba_outcome_t outcome);

/* The word of web_bot_auth_answer; "none" for WBA_CLASS_NONE. */
wba_str_t wba_class_name(wba_class_t class);

#endif
