/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Profiles as data: what a network asks of a signature (PROTOCOL section 4),
 * and a directory: a name, what it stands for, and a profile's requirements as
 * its configuration block has overridden them.
 */
#ifndef WBA_PROFILE_H
#define WBA_PROFILE_H

#include "crypto.h"
#include "sigbase.h"

typedef struct {
    wba_str_t text;
    bool nocase; /* compared without case */
} wba_tag_t;

/* How a keyid may name a key. */
#define WBA_KEYID_KID 1
#define WBA_KEYID_THUMBPRINT 2

/* What a signature must satisfy. */
typedef struct {
    const char *name;
    wba_tag_t tags[WBA_MAX_TAGS];
    size_t ntags;
    wba_component_t components[WBA_MAX_REQUIRED]; /* each must be covered */
    size_t ncomponents;
    bool covers_target;   /* @authority or @target-uri must be covered */
    bool names_agent;     /* a signature should cover its Signature-Agent */
    bool nonce_required;
    bool alg_required;
    unsigned algorithms;  /* mask of wba_alg_t */
    unsigned keyid;       /* mask of WBA_KEYID_* */
    int64_t max_lifetime; /* seconds, expires - created; 0: no limit */
} wba_profile_t;

/* Deviations that a directory tolerates, each by its own name. */
#define WBA_LENIENT_UNQUOTED_AGENT 1 /* Signature-Agent: https://host */
#define WBA_LENIENT_AGENT_TYPE 2     /* ;type=directory, ;type=jwks_uri */
#define WBA_LENIENT_BARE_JWK 4       /* one JWK instead of a set */
#define WBA_LENIENT_VISA_SAMPLE 8    /* see visa_sample.h */

typedef struct {
    wba_str_t name;
    wba_str_t agent; /* the resolved URL (wba_agent_resolve) of the
                        Signature-Agent it stands for; data NULL: none */
    wba_str_t agent_identity; /* of the same (wba_agent_identity) */
    wba_profile_t profile;
    unsigned lenient; /* mask of WBA_LENIENT_* */
} wba_directory_t;

/* The leniency (WBA_LENIENT_*) of that name, or 0. */
unsigned wba_lenient_by_name(wba_str_t name);

/* The i-th leniency's name; data NULL behind the last. */
wba_str_t wba_lenient_at(size_t i);

/* The built-in profile of that name (tap, agent-pay, web-bot-auth), or NULL. */
const wba_profile_t *wba_profile_find(wba_str_t name);

/* The i-th built-in profile, or NULL behind the last. */
const wba_profile_t *wba_profile_at(size_t i);

/* Whether a request's tag is this one. */
bool wba_tag_matches(const wba_tag_t *tag, wba_str_t text);

/* The profile's own spelling of tag, or NULL when it does not serve it. */
const wba_tag_t *wba_profile_tag(const wba_profile_t *profile, wba_str_t tag);

/*
 * The tags that any of n directories serves, each once, into tags (of max).
 * Returns how many there are; more than max are not stored.
 */
size_t wba_served_tags(const wba_directory_t *directories, size_t n,
                       wba_tag_t *tags, size_t max);

#endif
