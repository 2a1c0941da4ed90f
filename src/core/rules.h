/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a list of rules amounts to before any request is there: whom it may let
 * in, and which of its rules can never match.  Requests are wba_judge's.
 */
#ifndef WBA_RULES_H
#define WBA_RULES_H

#include "verify.h"

/* Whether a rule concerns some signers, or all, of a directory's tag. */
bool wba_rule_concerns(const wba_env_t *env, const wba_rule_t *rule,
                       const wba_directory_t *directory,
                       const wba_tag_t *tag);

/* Why no signature that env's directories, or discovery, could ever verify
 * matches a rule. */
typedef enum {
    WBA_RULE_POSSIBLE = 0, /* nothing speaks against it */
    WBA_RULE_TAG,          /* its directory does not serve its tag */
    WBA_RULE_AGENT,        /* nobody stands for its agent, and it may not be
                              looked up */
    WBA_RULE_NOBODY        /* each condition may hold, all together never */
} wba_rule_fault_t;

/* Keys are not looked at, nor whether names and tags exist at all. */
wba_rule_fault_t wba_rule_fault(const wba_env_t *env, const wba_rule_t *rule);

/* Whether every signature that b matches, a matches, too, whatever directories
 * there are: each condition of a stands in b. */
bool wba_rule_covers(const wba_rule_t *a, const wba_rule_t *b);

/*
 * The earlier rule on account of which number at of rules can never match, or
 * NULL.  Either one that covers it; or, where several together decide about
 * all that it concerns in env, the first of them that decides the other way
 * (then *together is set).  A rule without conditions is hidden by another
 * such only: as the last one it says what becomes of the rest, if any.
 */
const wba_rule_t *wba_rule_hidden_by(const wba_env_t *env,
                                     const wba_rule_t *rules, size_t at,
                                     bool *together);

/* Whether the rules might let a signer of the directory's tag in.  Agents and
 * keys differ from signer to signer, so their conditions may hold or not. */
bool wba_rules_admit(const wba_env_t *env, const wba_policy_t *policy,
                     const wba_directory_t *directory, const wba_tag_t *tag);

/* Whether a signature can cover what the location and the directory want
 * covered, and be the directory's: who stands for no agent verifies nobody who
 * names one. */
bool wba_rules_coverable(const wba_env_t *env, const wba_policy_t *policy,
                         const wba_directory_t *directory);

typedef enum {
    WBA_ENTRY_OPEN,       /* for some signers at least */
    WBA_ENTRY_DENIED,     /* the rules let nobody in */
    WBA_ENTRY_UNCOVERABLE /* whom they would let in cannot cover what he must */
} wba_entry_t;

/* Whether anybody can be let into a location by his signature. */
wba_entry_t wba_rules_entry(const wba_env_t *env, const wba_policy_t *policy);

/* Whether browsers (tag agent-browser-auth) might be let in although no rule
 * names that tag: nobody has said so. */
bool wba_rules_admit_browsers(const wba_env_t *env,
                              const wba_policy_t *policy);

/* Directory i of all: the configured ones, then discovery's; NULL behind the
 * last. */
const wba_directory_t *wba_env_directory(const wba_env_t *env, size_t i);

/* Whether it is discovery's. */
bool wba_env_discovers(const wba_env_t *env, const wba_directory_t *directory);

#endif
