/* SPDX-License-Identifier: BSD-2-Clause */
#include "judge.h"

static const uint16_t default_answers[WBA_CLASS_COUNT] = {
    [WBA_CLASS_NONE] = 0,       [WBA_CLASS_MALFORMED] = 400,
    [WBA_CLASS_UNSIGNED] = 403, [WBA_CLASS_INVALID] = 403,
    [WBA_CLASS_REPLAYED] = 429, [WBA_CLASS_UNKNOWN] = 403,
    [WBA_CLASS_UNAVAILABLE] = 503, [WBA_CLASS_LIMITED] = 429,
    [WBA_CLASS_DENIED] = 403,
};

unsigned
wba_class_default_status(wba_class_t class)
{
    return default_answers[class];
}

void
wba_policy_default(wba_policy_t *policy)
{
    memset(policy, 0, sizeof(*policy));
    policy->clock_skew = 5;
    policy->digest = WBA_DIGEST_ON;
    memcpy(policy->answers, default_answers, sizeof(default_answers));
}

wba_str_t
wba_decision_name(wba_decision_t decision)
{
    static const char *const names[] = {
        "", "allow", "deny", "dry-run-deny", "pass",
    };

    return wba_str_z(names[decision]);
}

static bool
covers_all(const wba_components_t *list, const wba_component_t *required,
           size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (!wba_components_cover(list, &required[i])) {
            return false;
        }
    }
    return true;
}

static bool
is_digest(const wba_component_t *component)
{
    return wba_str_eq(component->name, WBA_STR("content-digest"));
}

static bool
covers_whole_digest(const wba_fact_t *fact)
{
    wba_component_t digest = { .name = WBA_STR("content-digest") };

    return wba_components_cover(fact->components, &digest);
}

bool
wba_judge_covers_digest(const wba_fact_t *fact)
{
    size_t i;

    for (i = 0; i < fact->components->count; i++) {
        if (is_digest(&fact->components->items[i])) {
            return true;
        }
    }
    return false;
}

/* A greater one would outlive the record of a nonce. */
static int64_t
skew_of(const wba_policy_t *policy)
{
    return policy->clock_skew < WBA_MAX_SKEW ? policy->clock_skew
                                             : WBA_MAX_SKEW;
}

wba_reason_t
wba_judge_claims(const wba_fact_t *fact, const wba_policy_t *policy,
                 int64_t now)
{
    const wba_siginput_t *in = &fact->input;

    if (!in->has_created || !in->has_expires || in->keyid.len == 0) {
        return WBA_REASON_MISSING_FIELDS;
    }
    if (in->expires <= in->created) {
        return WBA_REASON_EXPIRES_NOT_AFTER_CREATED;
    }
    if (in->created > now + skew_of(policy)) {
        return WBA_REASON_CLOCK_AHEAD;
    }
    if (in->expires <= now - skew_of(policy)) {
        return WBA_REASON_EXPIRED;
    }
    if (policy->max_lifetime
        && in->expires - in->created > policy->max_lifetime)
    {
        return WBA_REASON_LIFETIME_TOO_LONG;
    }
    if (policy->nonce_required && in->nonce.len == 0) {
        return WBA_REASON_NONCE_MISSING;
    }
    if (!wba_components_cover_target(fact->components)) {
        return WBA_REASON_TARGET_NOT_COVERED;
    }
    if (!covers_all(fact->components, policy->components, policy->ncomponents)
        || (policy->digest == WBA_DIGEST_REQUIRED
            && !covers_whole_digest(fact)))
    {
        return WBA_REASON_COMPONENT_NOT_COVERED;
    }
    return WBA_REASON_OK;
}

wba_reason_t
wba_judge_challenge(const wba_facts_t *facts, const wba_fact_t *fact,
                    const wba_policy_t *policy, int64_t now)
{
    return policy->challenge == NULL
               ? WBA_REASON_OK
               : wba_challenge_check(policy->challenge, facts->authority,
                                     fact->input.nonce, now);
}

wba_reason_t
wba_judge_directory(const wba_fact_t *fact, const wba_directory_t *directory,
                    int64_t nbf, int64_t exp, const wba_policy_t *policy,
                    int64_t now)
{
    const wba_profile_t *p = &directory->profile;
    const wba_siginput_t *in = &fact->input;

    if (in->lenient & ~directory->lenient) {
        return WBA_REASON_SIGNATURE_INPUT_KEYID_CASE;
    }
    if (p->alg_required && in->alg.len == 0) {
        return WBA_REASON_MISSING_FIELDS;
    }
    if (p->nonce_required && in->nonce.len == 0) {
        return WBA_REASON_NONCE_MISSING;
    }
    if (p->max_lifetime && in->expires - in->created > p->max_lifetime) {
        return WBA_REASON_LIFETIME_TOO_LONG;
    }
    if (!covers_all(fact->components, p->components, p->ncomponents)) {
        return WBA_REASON_COMPONENT_NOT_COVERED;
    }
    if (nbf && nbf > now + skew_of(policy)) {
        return WBA_REASON_KEY_NOT_YET_VALID;
    }
    if (exp && exp <= now - skew_of(policy)) {
        return WBA_REASON_KEY_EXPIRED;
    }
    return WBA_REASON_OK;
}

static wba_reason_t
judge_digest(const wba_facts_t *facts, const wba_fact_t *fact,
             const wba_policy_t *policy)
{
    if (policy->digest == WBA_DIGEST_OFF || !wba_judge_covers_digest(fact)) {
        return WBA_REASON_OK;
    }
    switch (facts->digest) {
    case WBA_DIGEST_MISMATCH:
        return WBA_REASON_CONTENT_DIGEST_MISMATCH;
    case WBA_DIGEST_UNREADABLE:
        return WBA_REASON_CONTENT_DIGEST_UNREADABLE;
    case WBA_DIGEST_NO_BODY:
        return WBA_REASON_BODY_UNAVAILABLE;
    default:
        return WBA_REASON_OK;
    }
}

static wba_reason_t
judge_link(const wba_facts_t *facts, const wba_fact_t *fact,
           const wba_policy_t *policy)
{
    if (!policy->body_link) {
        return WBA_REASON_OK;
    }
    switch (facts->link.state) {
    case WBA_LINK_READ:
        return wba_body_link_matches(&facts->link, fact->input.nonce,
                                     fact->input.keyid)
                   ? WBA_REASON_OK
                   : WBA_REASON_BODY_LINK_MISMATCH;
    case WBA_LINK_UNREADABLE:
        return WBA_REASON_BODY_LINK_UNREADABLE;
    case WBA_LINK_TOO_LARGE:
        return WBA_REASON_BODY_LINK_TOO_LARGE;
    case WBA_LINK_MISSING:
        return WBA_REASON_BODY_LINK_MISSING;
    case WBA_LINK_NO_BODY:
        return WBA_REASON_BODY_UNAVAILABLE;
    default:
        return WBA_REASON_OK;
    }
}

/* Whether one of the signatures was not tried, for want of a budget. */
static bool
limited(const wba_facts_t *facts)
{
    size_t i;

    for (i = 0; i < facts->count; i++) {
        if (facts->signatures[i]->aside == WBA_REASON_FORGERY_LIMITED) {
            return true;
        }
    }
    return false;
}

wba_reason_t
wba_judge_signature(const wba_facts_t *facts, const wba_fact_t *fact,
                    const wba_policy_t *policy, int64_t now)
{
    wba_reason_t reason;

    if (fact->reason != WBA_REASON_OK) {
        return fact->reason;
    }
    if (!facts->authority_served) {
        return WBA_REASON_AUTHORITY_NOT_SERVED;
    }
    reason = wba_judge_claims(fact, policy, now);
    if (reason == WBA_REASON_OK) {
        reason = wba_judge_challenge(facts, fact, policy, now);
    }
    if (reason != WBA_REASON_OK) {
        return reason;
    }
    if (fact->stage < WBA_STAGE_VERIFIED) {
        return fact->aside != WBA_REASON_OK ? fact->aside
                                            : WBA_REASON_KEY_UNKNOWN;
    }
    reason = wba_judge_directory(fact, fact->directory, fact->key_nbf,
                                 fact->key_exp, policy, now);
    if (reason != WBA_REASON_OK) {
        return reason;
    }
    /* Did another one verify, it would be recorded with this one; left out, it
     * could be replayed alone. */
    if (limited(facts)) {
        return WBA_REASON_FORGERY_LIMITED;
    }
    reason = judge_digest(facts, fact, policy);
    return reason != WBA_REASON_OK ? reason : judge_link(facts, fact, policy);
}

static bool
condition(wba_str_t wanted, wba_str_t actual)
{
    return wanted.data == NULL
           || (actual.data != NULL && wba_str_eq(wanted, actual));
}

/* Whichever way the request named its key: a line that names one must not be
 * evaded by sending the other. */
static bool
key_matches(wba_str_t wanted, const wba_fact_t *fact)
{
    uint8_t text[WBA_THUMBPRINT_TEXT_SIZE];

    if (wanted.data == NULL || wba_str_eq(wanted, fact->kid)) {
        return true;
    }
    wba_thumbprint_text(fact->thumbprint, text);
    return wba_str_eq(wanted, wba_str(text, sizeof(text)));
}

static bool
rule_matches(const wba_rule_t *rule, const wba_fact_t *fact)
{
    return (rule->tag.data == NULL || wba_tag_matches(fact->tag, rule->tag))
           && condition(rule->directory, fact->directory->name)
           && condition(rule->agent, fact->agent_identity)
           && key_matches(rule->keyid, fact);
}

/* What the rules say of one verified signature: RULE_DENY only for a deny line
 * that matched; a list with an allow line that matched nothing is RULE_NONE. */
typedef enum { RULE_ALLOW, RULE_DENY, RULE_NONE } rule_answer_t;

static rule_answer_t
judge_rules(const wba_policy_t *policy, const wba_fact_t *fact)
{
    bool has_allow = false;
    size_t i;

    for (i = 0; i < policy->nrules; i++) {
        if (rule_matches(&policy->rules[i], fact)) {
            return policy->rules[i].allow ? RULE_ALLOW : RULE_DENY;
        }
        has_allow |= policy->rules[i].allow;
    }
    return has_allow ? RULE_NONE : RULE_ALLOW;
}

/* How much a failed signature tells: the furthest wins.  But where something
 * of ours was not available, or one was not tried, the request may be a good
 * one, whatever is wrong with its other signatures. */
static int
rank(const wba_fact_t *fact, wba_reason_t reason)
{
    wba_class_t class = wba_reason_info(reason)->class;

    if (class == WBA_CLASS_UNAVAILABLE || class == WBA_CLASS_LIMITED) {
        return WBA_STAGE_VERIFIED + 1;
    }
    return (int) fact->stage;
}

/* What the signatures looked at so far amount to. */
typedef struct {
    const wba_fact_t *unlisted; /* verified, where only others are allowed */
    const wba_fact_t *allowed;
    const wba_fact_t *denied;
    const wba_fact_t *failed;
    wba_reason_t reason; /* of failed */
} tally_t;

static void
tally_failed(tally_t *tally, const wba_fact_t *fact, wba_reason_t reason)
{
    if (tally->failed == NULL
        || rank(fact, reason) > rank(tally->failed, tally->reason))
    {
        tally->failed = fact;
        tally->reason = reason;
    }
}

static void
tally_verified(tally_t *tally, const wba_fact_t *fact,
               const wba_policy_t *policy)
{
    const wba_fact_t **place = &tally->unlisted;

    switch (judge_rules(policy, fact)) {
    case RULE_ALLOW:
        place = &tally->allowed;
        break;
    case RULE_DENY:
        place = &tally->denied;
        break;
    case RULE_NONE:
        break;
    }
    if (*place == NULL) {
        *place = fact;
    }
}

static void
judge_facts(const wba_facts_t *facts, const wba_policy_t *policy, int64_t now,
            wba_verdict_t *v)
{
    tally_t tally = { .reason = WBA_REASON_NO_SIGNATURE };
    wba_reason_t reason;
    size_t i;

    for (i = 0; i < facts->count; i++) {
        reason = wba_judge_signature(facts, facts->signatures[i], policy, now);
        if (reason == WBA_REASON_OK) {
            tally_verified(&tally, facts->signatures[i], policy);
        } else {
            tally_failed(&tally, facts->signatures[i], reason);
        }
    }
    v->signature = tally.denied    ? tally.denied
                   : tally.allowed ? tally.allowed
                                   : tally.unlisted;
    if (v->signature == NULL) {
        v->failed = tally.failed;
        v->reason = tally.reason;
    } else if (v->signature != tally.allowed) {
        v->reason = WBA_REASON_DENIED_BY_RULE;
    }
}

/* Whether a refusal of this kind is one in this location.  A flood of forgeries
 * never passes: it would reach what it is kept from. */
static bool
passes(const wba_verdict_t *v, const wba_policy_t *policy)
{
    if (policy->mode == WBA_MODE_OPTIONAL && v->class != WBA_CLASS_LIMITED
        && (v->outcome == WBA_OUTCOME_UNSIGNED
            || v->outcome == WBA_OUTCOME_UNVERIFIED))
    {
        return true;
    }
    return (v->class == WBA_CLASS_UNKNOWN || v->class == WBA_CLASS_UNAVAILABLE)
           && policy->answers[v->class] == WBA_ANSWER_PASS;
}

void
wba_judge(const wba_facts_t *facts, const wba_policy_t *policy, int64_t now,
          wba_verdict_t *v)
{
    const wba_reason_info_t *info;

    memset(v, 0, sizeof(*v));
    v->reason = facts->reason;
    if (facts->reason == WBA_REASON_OK) {
        judge_facts(facts, policy, now, v);
    }

    info = wba_reason_info(v->reason);
    v->outcome = info->outcome;
    v->class = info->class;

    if (policy->mode == WBA_MODE_OFF) {
        v->decision = WBA_DECISION_NONE;
    } else if (v->class == WBA_CLASS_NONE) {
        v->decision = WBA_DECISION_ALLOW;
    } else if (passes(v, policy)) {
        v->decision = WBA_DECISION_PASS;
    } else {
        v->decision = policy->dry_run ? WBA_DECISION_DRY_RUN_DENY
                                      : WBA_DECISION_DENY;
        v->status = policy->answers[v->class] ? policy->answers[v->class]
                                              : default_answers[v->class];
    }
}
