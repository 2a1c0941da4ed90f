/* SPDX-License-Identifier: BSD-2-Clause */
/* Every bound of core, each with the reason for its number. */
#ifndef WBA_LIMITS_H
#define WBA_LIMITS_H

/* RFC 9651 section 3 obliges a parser to take at least these. */
#define WBA_MAX_SF_MEMBERS 1024
#define WBA_MAX_SF_ITEMS 256
#define WBA_MAX_SF_PARAMS 256

/* Bytes of one field, all its lines joined: nginx's own default for all of a
 * request's headers (large_client_header_buffers 4 8k), doubled. */
#define WBA_MAX_FIELD 65536

/* Signatures of one request whose tag is served.  A payer that is also a
 * browser sends two; four times that leaves room and bounds the crypto. */
#define WBA_MAX_SIGNATURES 8

/* Components that one signature covers.  Real agents cover four. */
#define WBA_MAX_COMPONENTS 64

/* Parameters of one signature (six are defined) and of one component. */
#define WBA_MAX_SIGNATURE_PARAMS 32
#define WBA_MAX_COMPONENT_PARAMS 8

/* Keys that one keyid may stand for: one directory's kid may collide with
 * another's, and each candidate costs a verification. */
#define WBA_MAX_CANDIDATES 4

/* Bytes of a signature base.  Bounded by the fields it is made of. */
#define WBA_MAX_BASE 65536

/* Bytes of a nonce, keyid, label and tag that a request may name.  RFC 9651
 * obliges to parse Strings of 1,024; nonces in the field have 88. */
#define WBA_MAX_NONCE 512
#define WBA_MAX_KEYID 512
#define WBA_MAX_LABEL 128
#define WBA_MAX_TAG 128

/* Bytes of a Signature-Agent URL. */
#define WBA_MAX_URL 2048

/* Components a directory or a location may require. */
#define WBA_MAX_REQUIRED 16

/* Tags that one directory may serve. */
#define WBA_MAX_TAGS 8

/* Seconds: the most that clock_skew may be, and what a recorded nonce lives
 * beyond its signature's expires, whatever the location's own skew. */
#define WBA_MAX_SKEW 300

/* Seconds: a signature without a nonce that lives longer is one that is sent
 * again and again; the crypto's answer to it may be remembered.  What signs
 * each request anew lives an hour at most (ChatGPT's). */
#define WBA_STATIC_LIFETIME 3600

/* Depth of a JWK Set's JSON: a set is three deep; members nobody knows may
 * nest a little further. */
#define WBA_MAX_JSON_DEPTH 16

/* Bytes of a JSON body that is examined for objects which name the signature.
 * With card metadata, tokens and an encrypted payload they have some ten
 * kilobytes; jansson's tree of the text may take a hundred times as many. */
#define WBA_MAX_BODY_LINK (256 * 1024)

/* Keys of one set, and bytes of its JSON (defaults; a directory may narrow or
 * widen them up to these ceilings). */
#define WBA_MAX_KEYS 100000
#define WBA_MAX_JWKS (16 * 1024 * 1024)

/* Bytes of a kid that is kept. */
#define WBA_MAX_KID 512

/* Configured and discovered directories together. */
#define WBA_MAX_DIRECTORIES 1024

#endif
