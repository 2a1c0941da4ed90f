/* SPDX-License-Identifier: BSD-2-Clause */
/* wba_verify's keys: whom a signature is attributed to, which directories may
 * answer for it, whether its agent may be looked up, the keys offered, and
 * whether they may be tried. */
#include "verify_private.h"

/* Whether a directory answers for what the signature names: its agent, or
 * nobody.  The tag is another matter. */
static bool
stands_for(const wba_directory_t *directory, const wba_fact_t *fact)
{
    return fact->agent_url.data == NULL
               ? directory->agent.data == NULL
               : wba_str_eq(directory->agent, fact->agent_url);
}

/* Whether it puts up with what reading the signature's agent took.  What
 * reading its parameters took is asked of the key's directory, once there is a
 * key (wba_judge_directory). */
static bool
tolerates(const wba_directory_t *directory, const wba_fact_t *fact)
{
    return (fact->agent.lenient & ~directory->lenient) == 0;
}

static bool
serves(const wba_directory_t *directory, const wba_fact_t *fact)
{
    return wba_profile_tag(&directory->profile, fact->input.tag) != NULL;
}

static bool
accepts(const wba_directory_t *directory, const wba_fact_t *fact)
{
    return stands_for(directory, fact) && tolerates(directory, fact)
           && serves(directory, fact);
}

/* Attribution. */

/* A leniency is one directory's own: what takes it is nothing to those that
 * stand for the agent without, as if nobody had it. */
static bool
anybody_tolerates(const wba_env_t *env, const wba_fact_t *fact,
                  unsigned lenient)
{
    bool stands = false;
    size_t i;

    if (lenient == 0) {
        return true;
    }
    for (i = 0; i < env->ndirectories; i++) {
        if (stands_for(&env->directories[i], fact)) {
            if ((lenient & ~env->directories[i].lenient) == 0) {
                return true;
            }
            stands = true;
        }
    }
    return !stands && env->discovery != NULL
           && (lenient & ~env->discovery->directory.lenient) == 0;
}

wba_reason_t
wba_verify_attribute(wba_verify_t *v, wba_fact_t *fact)
{
    wba_reason_t why = WBA_REASON_OUT_OF_MEMORY;
    wba_status_t status;

    status = wba_sigagent_attribute(v->message, fact->input.label,
                                    fact->components, v->lenient, v->mem,
                                    &fact->agent, &why);
    if (status != WBA_OK) {
        return status == WBA_NO_MEMORY ? WBA_REASON_OUT_OF_MEMORY : why;
    }
    fact->agent_url = fact->agent.resolved;
    if (!anybody_tolerates(v->env, fact, fact->input.lenient)) {
        fact->agent_url = WBA_STR_NONE;
        return WBA_REASON_SIGNATURE_INPUT_KEYID_CASE;
    }
    if (!anybody_tolerates(v->env, fact, fact->agent.lenient)) {
        fact->agent_url = WBA_STR_NONE;
        return fact->agent.lenient & WBA_LENIENT_UNQUOTED_AGENT
                   ? WBA_REASON_SIGNATURE_AGENT_UNQUOTED
                   : WBA_REASON_SIGNATURE_AGENT_TYPED;
    }
    fact->agent_identity = fact->agent.identity;
    return WBA_REASON_OK;
}

/* Who may answer. */

const wba_directory_t *
wba_verify_directory(const wba_verify_t *v, unsigned directory)
{
    return directory == WBA_DISCOVERED ? &v->env->discovery->directory
                                       : &v->env->directories[directory];
}

bool
wba_verify_accepts(const wba_verify_t *v, unsigned directory)
{
    return v->asked && directory < v->env->ndirectories
           && accepts(&v->env->directories[directory],
                      v->facts.signatures[v->current]);
}

/* Whether discovery's settings let an agent be looked up at url, which is
 * resolved: a port in it is not the default one. */
static bool
allowed(const wba_discovery_t *discovery, wba_str_t url)
{
    wba_uri_t uri;
    size_t i;

    if (!discovery->any_port
        && (wba_uri_parse(url, &uri) != WBA_OK || uri.port.data != NULL))
    {
        return false;
    }
    if (discovery->any) {
        return true;
    }
    for (i = 0; i < discovery->nallow; i++) {
        if (wba_agent_pattern_matches(&discovery->allow[i], url)) {
            return true;
        }
    }
    return false;
}

/* A URL that a configured directory stands for is never looked up, not even
 * for a tag that it does not serve: whose keys count there is settled. */
static bool
may_discover(const wba_env_t *env, const wba_fact_t *fact)
{
    size_t i;

    if (env->discovery == NULL || fact->agent_url.data == NULL) {
        return false;
    }
    for (i = 0; i < env->ndirectories; i++) {
        if (stands_for(&env->directories[i], fact)) {
            return false;
        }
    }
    return serves(&env->discovery->directory, fact)
           && tolerates(&env->discovery->directory, fact)
           && allowed(env->discovery, fact->agent_url);
}

void
wba_verify_ask(wba_verify_t *v, const wba_fact_t *fact)
{
    v->key.keyid = fact->input.keyid;
    v->key.agent_url = fact->agent_url;
    v->key.discover = may_discover(v->env, fact);
    v->key.refetch = false;
    v->asked = true;
}

/* Why a signature whose keyid nobody knows is not verified: OK when there is
 * somebody who could be asked. */
static wba_reason_t
nobody_to_ask(const wba_verify_t *v, const wba_fact_t *fact)
{
    size_t i;

    if (v->key.discover) {
        return WBA_REASON_OK;
    }
    for (i = 0; i < v->env->ndirectories; i++) {
        if (accepts(&v->env->directories[i], fact)) {
            return WBA_REASON_OK;
        }
    }
    return fact->agent_url.data != NULL ? WBA_REASON_AGENT_NOT_ALLOWED
                                        : WBA_REASON_SIGNATURE_AGENT_ABSENT;
}

/* A signature that should have named its agent and did not, and whose key
 * nobody holds, lacks its agent rather than its key. */
static bool
wants_agent(const wba_verify_t *v, const wba_fact_t *fact)
{
    size_t i;

    for (i = 0; i < v->env->ndirectories; i++) {
        const wba_directory_t *d = &v->env->directories[i];

        if (serves(d, fact) && !d->profile.names_agent) {
            return false;
        }
    }
    return fact->agent_url.data == NULL;
}

/* Offers. */

static size_t
candidates_of(const wba_verify_t *v, unsigned directory)
{
    size_t i, n = 0;

    for (i = 0; i < v->ncandidates; i++) {
        n += v->candidates[i].directory == directory;
    }
    return n;
}

/*
 * A kid is whatever a directory says, a thumbprint is the key's own.  Where
 * there is no room for all, a key that the keyid names by its thumbprint takes
 * the place of the last one that it names by kid alone; and the first of a
 * directory that of the last by which another has more than one.  So no
 * directory can keep the signer's own key out by publishing its name many
 * times.  Returns the place; WBA_MAX_CANDIDATES: none makes room.
 */
static size_t
makes_room(const wba_verify_t *v, const wba_keyring_match_t *match)
{
    const wba_keyring_match_t *c = v->candidates;
    size_t i;

    if (!match->by_thumbprint && candidates_of(v, match->directory) != 0) {
        return WBA_MAX_CANDIDATES;
    }
    for (i = WBA_MAX_CANDIDATES; i > 0; i--) {
        if (!c[i - 1].by_thumbprint
            && (match->by_thumbprint
                || candidates_of(v, c[i - 1].directory) > 1))
        {
            return i - 1;
        }
    }
    return WBA_MAX_CANDIDATES;
}

static void
add_candidate(wba_verify_t *v, const wba_keyring_match_t *match)
{
    size_t i;

    if (v->ncandidates == WBA_MAX_CANDIDATES) {
        i = makes_room(v, match);
        if (i == WBA_MAX_CANDIDATES) {
            return;
        }
        v->ncandidates--;
        memmove(&v->candidates[i], &v->candidates[i + 1],
                (v->ncandidates - i) * sizeof(v->candidates[0]));
    }
    v->candidates[v->ncandidates++] = *match;
}

void
wba_verify_offer(wba_verify_t *v, const wba_keyring_match_t *match)
{
    wba_keyring_match_t candidate = *match;
    unsigned keyid;

    if (match->directory == WBA_DISCOVERED
            ? !v->asked || !v->key.discover
            : !wba_verify_accepts(v, match->directory))
    {
        return;
    }
    keyid = wba_verify_directory(v, match->directory)->profile.keyid;
    candidate.by_kid &= (keyid & WBA_KEYID_KID) != 0;
    candidate.by_thumbprint &= (keyid & WBA_KEYID_THUMBPRINT) != 0;
    if (candidate.by_kid || candidate.by_thumbprint) {
        add_candidate(v, &candidate);
    }
}

void
wba_verify_keys(wba_verify_t *v, wba_reason_t why)
{
    wba_fact_t *fact;
    wba_reason_t reason;

    if (!v->asked) {
        return;
    }
    fact = v->facts.signatures[v->current];
    v->asked = false;
    if (v->ncandidates) {
        return;
    }
    if (!v->key.refetch) {
        reason = nobody_to_ask(v, fact);
        if (reason == WBA_REASON_OK) {
            v->key.refetch = true;
            v->asked = true;
            return;
        }
        fact->aside = reason;
        return;
    }
    if (why == WBA_REASON_KEY_UNKNOWN && wants_agent(v, fact)) {
        why = WBA_REASON_SIGNATURE_AGENT_ABSENT;
    }
    fact->aside = why;
}
