/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of a request's signatures: facts, free of any location's
 * opinion.  wba_verify gathers them, wba_judge reads them.
 */
#ifndef WBA_FACTS_H
#define WBA_FACTS_H

#include "body_link.h"
#include "forgery.h"
#include "profile.h"
#include "replay.h"
#include "siginput.h"

/* How far a signature got.  Where several fail, the furthest one's reason is
 * the request's. */
typedef enum {
    WBA_STAGE_FOUND,      /* a member of Signature-Input with a served tag */
    WBA_STAGE_READ,       /* its parameters, components and bytes are read */
    WBA_STAGE_ATTRIBUTED, /* it is known which Signature-Agent it names */
    WBA_STAGE_KEYED,      /* a directory had a key for it */
    WBA_STAGE_BASED,      /* its signature base was built */
    WBA_STAGE_VERIFIED    /* the crypto said yes */
} wba_stage_t;

/* One failure that a limit of forgeries has been told of. */
typedef struct {
    const wba_forgery_limit_t *limit;
    uint8_t thumbprint[WBA_THUMBPRINT_SIZE];
} wba_charge_t;

typedef struct {
    wba_siginput_t input;
    wba_components_t *components; /* from WBA_STAGE_READ on */
    wba_str_t signature;          /* decoded */
    const wba_tag_t *tag;         /* the served tag, in the profile's words */

    wba_stage_t stage;
    wba_reason_t reason; /* OK, or what is wrong whoever judges it */
    wba_reason_t aside;  /* OK, or why this pass did not go on with it */

    wba_sigagent_t agent;     /* as claimed and covered */
    wba_str_t agent_url;      /* agent.resolved, once somebody reads it so */
    wba_str_t agent_identity; /* normalised; data NULL: none */

    const wba_directory_t *keyed; /* whose key it names: of the one that was
                                     tried last; from WBA_STAGE_KEYED on */

    /* From WBA_STAGE_VERIFIED on. */
    const wba_directory_t *directory;
    wba_alg_t alg;
    uint8_t thumbprint[WBA_THUMBPRINT_SIZE];
    wba_str_t kid; /* of the key, however keyid named it; empty: none */
    int64_t key_nbf;
    int64_t key_exp;
    bool recorded; /* its nonce is in the store, by this request */

    /* What it was charged, in this pass or others; forgiven should it verify
     * in a later one.  What there is no place for is not. */
    wba_charge_t charges[WBA_MAX_CANDIDATES];
    size_t ncharges;

    wba_str_t base; /* the signature base, from WBA_STAGE_BASED on */
    bool as_sent;   /* base is wba_sigbase_build_as_sent's */
    bool known;     /* the crypto's answer was remembered, not asked for */
    size_t at;      /* index of the component at fault, for reasons that
                       concern one */
} wba_fact_t;

typedef enum {
    WBA_DIGEST_UNCHECKED,
    WBA_DIGEST_MATCHES,
    WBA_DIGEST_MISMATCH,
    WBA_DIGEST_UNREADABLE,
    WBA_DIGEST_NO_BODY
} wba_digest_state_t;

typedef struct {
    wba_reason_t reason; /* OK, or what is wrong with the request as a whole */
    bool authority_served;
    wba_str_t authority; /* in @authority's form; data NULL: none */
    wba_digest_state_t digest;
    wba_body_link_t link;
    wba_fact_t *signatures[WBA_MAX_SIGNATURES];
    size_t count;

    /* What the first signature with a served tag claims; where there is none,
     * the first tag at all.  For logs only. */
    wba_str_t claimed_tag;
    wba_str_t claimed_keyid;
    wba_str_t claimed_agent; /* the raw field */
} wba_facts_t;

#endif
