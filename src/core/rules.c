/* SPDX-License-Identifier: BSD-2-Clause */
#include "rules.h"

const wba_directory_t *
wba_env_directory(const wba_env_t *env, size_t i)
{
    if (i < env->ndirectories) {
        return &env->directories[i];
    }
    return i == env->ndirectories && env->discovery != NULL
               ? &env->discovery->directory
               : NULL;
}

bool
wba_env_discovers(const wba_env_t *env, const wba_directory_t *directory)
{
    return env->discovery != NULL
           && directory == &env->discovery->directory;
}

static bool
is_all(const wba_rule_t *rule)
{
    return rule->tag.data == NULL && rule->directory.data == NULL
           && rule->agent.data == NULL && rule->keyid.data == NULL;
}

/* Whom a rule concerns. */

static bool
same_origin(wba_str_t a, wba_str_t b)
{
    wba_uri_t x, y;

    return wba_uri_parse(a, &x) == WBA_OK && wba_uri_parse(b, &y) == WBA_OK
           && wba_str_eq_nocase(x.host, y.host) && wba_str_eq(x.port, y.port);
}

/* An identity (wba_agent_identity) has lost its query and is normalised, so
 * of a pattern that names one URL only the origin is compared. */
static bool
may_be_looked_up(const wba_discovery_t *discovery, wba_str_t agent)
{
    size_t i;

    if (discovery->any) {
        return true;
    }
    for (i = 0; i < discovery->nallow; i++) {
        const wba_agent_pattern_t *p = &discovery->allow[i];

        if (p->kind == WBA_AGENT_URL
                ? same_origin(p->text, agent)
                : wba_agent_pattern_matches(p, agent))
        {
            return true;
        }
    }
    return false;
}

/* A directory that stands for no agent verifies only what names none; one that
 * does may be named by any spelling that resolves to its URL. */
static bool
agent_possible(const wba_env_t *env, const wba_directory_t *d, wba_str_t agent)
{
    if (agent.data == NULL) {
        return true;
    }
    if (wba_env_discovers(env, d)) {
        return may_be_looked_up(env->discovery, agent);
    }
    return d->agent.data != NULL && same_origin(d->agent, agent);
}

static bool
directory_matches(const wba_rule_t *rule, const wba_directory_t *d)
{
    return rule->directory.data == NULL
           || wba_str_eq(rule->directory, d->name);
}

bool
wba_rule_concerns(const wba_env_t *env, const wba_rule_t *rule,
                  const wba_directory_t *directory, const wba_tag_t *tag)
{
    return (rule->tag.data == NULL || wba_tag_matches(tag, rule->tag))
           && directory_matches(rule, directory)
           && agent_possible(env, directory, rule->agent);
}

static bool
concerns_some(const wba_env_t *env, const wba_rule_t *rule,
              const wba_directory_t *d)
{
    size_t i;

    for (i = 0; i < d->profile.ntags; i++) {
        if (wba_rule_concerns(env, rule, d, &d->profile.tags[i])) {
            return true;
        }
    }
    return false;
}

static bool
concerns_any(const wba_env_t *env, const wba_rule_t *rule)
{
    const wba_directory_t *d;
    size_t i;

    for (i = 0; (d = wba_env_directory(env, i)) != NULL; i++) {
        if (concerns_some(env, rule, d)) {
            return true;
        }
    }
    return false;
}

wba_rule_fault_t
wba_rule_fault(const wba_env_t *env, const wba_rule_t *rule)
{
    wba_rule_t part = { .tag = rule->tag, .directory = rule->directory };

    if (concerns_any(env, rule)) {
        return WBA_RULE_POSSIBLE;
    }
    if (!concerns_any(env, &part)) {
        return WBA_RULE_TAG;
    }
    part = (wba_rule_t) { .agent = rule->agent };
    return concerns_any(env, &part) ? WBA_RULE_NOBODY : WBA_RULE_AGENT;
}

/* Which rule comes first. */

static bool
no_narrower(wba_str_t condition, wba_str_t than)
{
    return condition.data == NULL
           || (than.data != NULL && wba_str_eq(condition, than));
}

bool
wba_rule_covers(const wba_rule_t *a, const wba_rule_t *b)
{
    return no_narrower(a->tag, b->tag)
           && no_narrower(a->directory, b->directory)
           && no_narrower(a->agent, b->agent)
           && no_narrower(a->keyid, b->keyid);
}

/* Whether r decides about everybody whom rule concerns at a directory's tag,
 * which rule does. */
static bool
decides(const wba_env_t *env, const wba_rule_t *r, const wba_rule_t *rule,
        const wba_directory_t *d, const wba_tag_t *tag)
{
    return wba_rule_concerns(env, r, d, tag)
           && no_narrower(r->agent, rule->agent)
           && no_narrower(r->keyid, rule->keyid);
}

/* The first rule before number at that decides about all whom it concerns at a
 * directory's tag; at, if none does. */
static size_t
decided_by(const wba_env_t *env, const wba_rule_t *rules, size_t at,
           const wba_directory_t *d, const wba_tag_t *tag)
{
    size_t i;

    for (i = 0; i < at && !decides(env, &rules[i], &rules[at], d, tag); i++) {
        /* void */
    }
    return i;
}

/* Notes in *first the first rule that decides to the contrary about a part of
 * whom number at concerns.  False: some of them reach it. */
static bool
decided_before(const wba_env_t *env, const wba_rule_t *rules, size_t at,
               const wba_directory_t *d, size_t *first)
{
    size_t i, by;

    for (i = 0; i < d->profile.ntags; i++) {
        const wba_tag_t *tag = &d->profile.tags[i];

        if (!wba_rule_concerns(env, &rules[at], d, tag)) {
            continue;
        }
        by = decided_by(env, rules, at, d, tag);
        if (by == at) {
            return false;
        }
        if (by < *first && rules[by].allow != rules[at].allow) {
            *first = by;
        }
    }
    return true;
}

const wba_rule_t *
wba_rule_hidden_by(const wba_env_t *env, const wba_rule_t *rules, size_t at,
                   bool *together)
{
    const wba_directory_t *d;
    size_t i, first = at;

    *together = false;
    for (i = 0; i < at; i++) {
        if (wba_rule_covers(&rules[i], &rules[at])) {
            return &rules[i];
        }
    }
    if (is_all(&rules[at])) {
        return NULL;
    }
    for (i = 0; (d = wba_env_directory(env, i)) != NULL; i++) {
        if (!decided_before(env, rules, at, d, &first)) {
            return NULL;
        }
    }
    *together = first < at;
    return first < at ? &rules[first] : NULL;
}

/* Who may enter. */

/* Whether everybody whom rule number at lets in was denied before. */
static bool
denied_before(const wba_env_t *env, const wba_policy_t *policy, size_t at,
              const wba_directory_t *d, const wba_tag_t *tag)
{
    size_t i;

    for (i = 0; i < at; i++) {
        if (!policy->rules[i].allow
            && decides(env, &policy->rules[i], &policy->rules[at], d, tag))
        {
            return true;
        }
    }
    return false;
}

bool
wba_rules_admit(const wba_env_t *env, const wba_policy_t *policy,
                const wba_directory_t *d, const wba_tag_t *tag)
{
    bool has_allow = false;
    size_t i;

    for (i = 0; i < policy->nrules; i++) {
        const wba_rule_t *rule = &policy->rules[i];

        has_allow |= rule->allow;
        if (!wba_rule_concerns(env, rule, d, tag)) {
            continue;
        }
        if (rule->allow && !denied_before(env, policy, i, d, tag)) {
            return true;
        }
        if (!rule->allow && rule->agent.data == NULL
            && rule->keyid.data == NULL)
        {
            return false;
        }
    }
    return !has_allow;
}

static bool
has_agent(const wba_component_t *components, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (wba_str_eq(components[i].name, WBA_STR("signature-agent"))) {
            return true;
        }
    }
    return false;
}

bool
wba_rules_coverable(const wba_env_t *env, const wba_policy_t *policy,
                    const wba_directory_t *d)
{
    return d->agent.data != NULL || wba_env_discovers(env, d)
           || !(has_agent(d->profile.components, d->profile.ncomponents)
                || has_agent(policy->components, policy->ncomponents));
}

static bool
admits_some(const wba_env_t *env, const wba_policy_t *policy,
            const wba_directory_t *d)
{
    size_t i;

    for (i = 0; i < d->profile.ntags; i++) {
        if (wba_rules_admit(env, policy, d, &d->profile.tags[i])) {
            return true;
        }
    }
    return false;
}

wba_entry_t
wba_rules_entry(const wba_env_t *env, const wba_policy_t *policy)
{
    wba_entry_t entry = WBA_ENTRY_DENIED;
    const wba_directory_t *d;
    size_t i;

    for (i = 0; (d = wba_env_directory(env, i)) != NULL; i++) {
        if (!admits_some(env, policy, d)) {
            continue;
        }
        if (wba_rules_coverable(env, policy, d)) {
            return WBA_ENTRY_OPEN;
        }
        entry = WBA_ENTRY_UNCOVERABLE;
    }
    return entry;
}

bool
wba_rules_admit_browsers(const wba_env_t *env, const wba_policy_t *policy)
{
    const wba_str_t browser = WBA_STR("agent-browser-auth");
    const wba_directory_t *d;
    const wba_tag_t *tag;
    size_t i;

    for (i = 0; i < policy->nrules; i++) {
        if (wba_str_eq(policy->rules[i].tag, browser)) {
            return false;
        }
    }
    for (i = 0; (d = wba_env_directory(env, i)) != NULL; i++) {
        tag = wba_profile_tag(&d->profile, browser);
        if (tag != NULL && wba_rules_admit(env, policy, d, tag)) {
            return true;
        }
    }
    return false;
}
