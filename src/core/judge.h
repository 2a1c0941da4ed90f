/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The verdict: a pure function of facts, a location's settings and the time.
 */
#ifndef WBA_JUDGE_H
#define WBA_JUDGE_H

#include "challenge.h"
#include "facts.h"
#include "forgery.h"

typedef enum {
    WBA_MODE_OFF,
    WBA_MODE_ON,
    WBA_MODE_OPTIONAL
} wba_mode_t;

typedef enum {
    WBA_DIGEST_OFF,
    WBA_DIGEST_ON,
    WBA_DIGEST_REQUIRED
} wba_digest_policy_t;

/* One allow or deny line; conditions with data NULL match everything. */
typedef struct {
    bool allow;
    wba_str_t tag;
    wba_str_t directory;
    wba_str_t agent; /* wba_agent_identity's form */
    wba_str_t keyid; /* the key's kid or thumbprint, whichever was sent */
} wba_rule_t;

#define WBA_ANSWER_PASS 0

/* A location's settings, as far as the protocol is concerned. */
typedef struct {
    wba_mode_t mode;
    bool dry_run;
    int64_t clock_skew;   /* seconds, at most WBA_MAX_SKEW */
    int64_t max_lifetime; /* seconds; 0: only the directory's */
    bool nonce_required;
    const wba_challenge_key_t *challenge; /* nonces must be made with it; NULL:
                                             they are the signer's own */
    const wba_component_t *components; /* each must be covered */
    size_t ncomponents;
    wba_digest_policy_t digest;
    bool body_link; /* the body's objects must name the signature */
    const wba_forgery_limit_t *forgery; /* NULL: none */
    const wba_rule_t *rules; /* first match wins */
    size_t nrules;
    uint16_t answers[WBA_CLASS_COUNT]; /* HTTP status, or WBA_ANSWER_PASS */
} wba_policy_t;

typedef enum {
    WBA_DECISION_NONE, /* off: nothing was decided */
    WBA_DECISION_ALLOW,
    WBA_DECISION_DENY,
    WBA_DECISION_DRY_RUN_DENY,
    WBA_DECISION_PASS /* let by untrusted */
} wba_decision_t;

typedef struct {
    wba_outcome_t outcome;
    wba_reason_t reason;
    wba_class_t class;
    wba_decision_t decision;
    unsigned status; /* of a refusal, dry run or not; else 0 */
    const wba_fact_t *signature; /* the verified one that the variables
                                    describe, or NULL */
    const wba_fact_t *failed;    /* the one whose reason is given, or NULL */
} wba_verdict_t;

/* The defaults of DESIGN section 3: statuses per class, skew of 5 s, digest on,
 * mode off. */
void wba_policy_default(wba_policy_t *policy);

/* The status by which a class is refused unless the operator says otherwise;
 * 0 for WBA_CLASS_NONE. */
unsigned wba_class_default_status(wba_class_t class);

/* Whether the signature covers Content-Digest, or a member of it.  stage must
 * be at least WBA_STAGE_READ. */
bool wba_judge_covers_digest(const wba_fact_t *fact);

/*
 * What a signature claims, before any key is known: required parameters, times
 * against now, the target covered, and what the location asks.  OK or a
 * reason.  stage must be at least WBA_STAGE_READ.
 */
wba_reason_t wba_judge_claims(const wba_fact_t *fact,
                              const wba_policy_t *policy, int64_t now);

/* Whether the signature's nonce is one that the location gave out for this
 * authority, if it must be.  OK, or wba_challenge_check's reasons. */
wba_reason_t wba_judge_challenge(const wba_facts_t *facts,
                                 const wba_fact_t *fact,
                                 const wba_policy_t *policy, int64_t now);

/* What a directory asks of a signature made with a key of it, and the key's
 * validity (nbf, exp in seconds, 0: none).  OK or a reason. */
wba_reason_t wba_judge_directory(const wba_fact_t *fact,
                                 const wba_directory_t *directory, int64_t nbf,
                                 int64_t exp, const wba_policy_t *policy,
                                 int64_t now);

/* All of the above for one signature, with what was found out about it. */
wba_reason_t wba_judge_signature(const wba_facts_t *facts,
                                 const wba_fact_t *fact,
                                 const wba_policy_t *policy, int64_t now);

/* The verdict.  Called on facts that are not complete (before WBA_DONE), only
 * signature may be relied upon. */
void wba_judge(const wba_facts_t *facts, const wba_policy_t *policy,
               int64_t now, wba_verdict_t *verdict);

/* "allow", "deny", "dry-run-deny", "pass"; empty for WBA_DECISION_NONE. */
wba_str_t wba_decision_name(wba_decision_t decision);

#endif
