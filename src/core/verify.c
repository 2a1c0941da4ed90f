/* SPDX-License-Identifier: BSD-2-Clause */
#include "verify_private.h"

/* Passes. */

/* Forgets what was established for another authority or scheme.  What was
 * recorded stays so: see recorded_here. */
static void
forget_bases(wba_facts_t *facts)
{
    size_t i;

    for (i = 0; i < facts->count; i++) {
        wba_fact_t *fact = facts->signatures[i];

        if (fact->stage > WBA_STAGE_ATTRIBUTED) {
            fact->stage = WBA_STAGE_ATTRIBUTED;
            fact->reason = WBA_REASON_OK;
        }
    }
}

void
wba_verify_begin(wba_verify_t *v, const wba_policy_t *policy)
{
    wba_facts_t *facts = &v->facts;
    wba_str_t authority = WBA_STR_NONE, scheme;
    wba_status_t status;
    size_t i;

    v->policy = policy;
    v->current = 0;
    v->ncandidates = 0;
    v->asked = false;
    v->digest = NULL; /* fed or not: this pass begins with the first byte */
    v->link = NULL;
    if (facts->reason != WBA_REASON_OK) {
        return;
    }

    facts->authority_served = v->message->ops->authority_served(v->message);
    status = wba_message_authority(v->message, v->mem, &authority);
    if (status == WBA_NO_MEMORY) {
        facts->reason = WBA_REASON_OUT_OF_MEMORY;
        return;
    }
    if (status != WBA_OK) {
        authority = WBA_STR_NONE;
        facts->authority_served = false;
    }
    scheme = v->message->ops->scheme(v->message);

    if (!wba_str_eq(authority, facts->authority)
        || !wba_str_eq_nocase(scheme, v->scheme))
    {
        forget_bases(facts);
        facts->authority = authority;
        v->scheme = scheme;
    }
    for (i = 0; i < facts->count; i++) {
        facts->signatures[i]->aside = WBA_REASON_OK;
    }
}

/* Takes one signature as far as it goes.  False: a key is wanted. */
static bool
advance(wba_verify_t *v, wba_fact_t *fact, int64_t now)
{
    if (fact->reason != WBA_REASON_OK || fact->aside != WBA_REASON_OK
        || fact->stage == WBA_STAGE_VERIFIED)
    {
        return true;
    }
    if (!v->facts.authority_served) {
        fact->aside = WBA_REASON_AUTHORITY_NOT_SERVED;
        return true;
    }
    fact->aside = wba_judge_claims(fact, v->policy, now);
    if (fact->aside == WBA_REASON_OK) {
        fact->aside = wba_judge_challenge(&v->facts, fact, v->policy, now);
    }
    if (fact->aside != WBA_REASON_OK) {
        return true;
    }
    if (fact->stage < WBA_STAGE_ATTRIBUTED) {
        fact->reason = wba_verify_attribute(v, fact);
        if (fact->reason != WBA_REASON_OK) {
            return true;
        }
        fact->stage = WBA_STAGE_ATTRIBUTED;
    }
    if (v->ncandidates) {
        wba_verify_try(v, fact, now);
        return true;
    }
    wba_verify_ask(v, fact);
    return false;
}

/* Body and nonces. */

static bool
is_verified(const wba_verify_t *v, const wba_fact_t *fact, int64_t now)
{
    return fact->stage == WBA_STAGE_VERIFIED
           && wba_judge_signature(&v->facts, fact, v->policy, now)
                  == WBA_REASON_OK;
}

/* Nobody makes us read a body or store a nonce but one who may pass. */
static bool
may_pass(const wba_verify_t *v, int64_t now)
{
    wba_verdict_t verdict;

    wba_judge(&v->facts, v->policy, now, &verdict);
    return verdict.reason == WBA_REASON_OK;
}

static bool
prepare_digest(wba_verify_t *v)
{
    wba_facts_t *facts = &v->facts;
    wba_status_t status;
    wba_str_t field = WBA_STR_NONE;

    v->digest = wba_alloc(v->mem, sizeof(*v->digest));
    status = v->digest == NULL
                 ? WBA_NO_MEMORY
                 : wba_message_field(v->message, WBA_STR("content-digest"),
                                     v->mem, &field);
    if (status == WBA_NO_MEMORY) {
        facts->reason = WBA_REASON_OUT_OF_MEMORY;
        return false;
    }
    if (status == WBA_OK) {
        status = wba_digest_init(v->digest, field);
    }
    if (status != WBA_OK) {
        facts->digest = WBA_DIGEST_UNREADABLE;
    }
    return status == WBA_OK;
}

/* Whether a verified signature covers a digest nobody has compared yet. */
static bool
needs_digest(const wba_verify_t *v, int64_t now)
{
    const wba_facts_t *facts = &v->facts;
    size_t i;

    if (v->policy->digest == WBA_DIGEST_OFF
        || facts->digest != WBA_DIGEST_UNCHECKED)
    {
        return false;
    }
    for (i = 0; i < facts->count; i++) {
        const wba_fact_t *fact = facts->signatures[i];

        if (fact->stage == WBA_STAGE_VERIFIED && wba_judge_covers_digest(fact)
            && is_verified(v, fact, now))
        {
            return true;
        }
    }
    return false;
}

/* A field for the reader of the body; one that is too long says something that
 * nobody means well by. */
static bool
link_field(wba_verify_t *v, wba_str_t name, wba_str_t *out)
{
    wba_status_t status = wba_message_field(v->message, name, v->mem, out);

    if (status == WBA_NO_MEMORY) {
        return false;
    }
    if (status != WBA_OK) {
        *out = status == WBA_TOO_LARGE ? WBA_STR("?") : WBA_STR_NONE;
    }
    return true;
}

static bool
prepare_link(wba_verify_t *v)
{
    wba_body_link_reader_t *link = wba_alloc(v->mem, sizeof(*link));
    wba_str_t type, coding;

    if (link == NULL || !link_field(v, WBA_STR("content-type"), &type)
        || !link_field(v, WBA_STR("content-encoding"), &coding))
    {
        v->facts.reason = WBA_REASON_OUT_OF_MEMORY;
        return false;
    }
    wba_body_link_init(link, v->mem, type, coding);
    v->link = link;
    return true;
}

/* Whether nobody has looked yet what the body's objects name. */
static bool
needs_link(const wba_verify_t *v)
{
    return v->policy->body_link && v->facts.link.state == WBA_LINK_UNCHECKED;
}

void
wba_verify_feed(wba_verify_t *v, const void *data, size_t len)
{
    if (v->digest != NULL && v->facts.digest == WBA_DIGEST_UNCHECKED) {
        wba_digest_update(v->digest, data, len);
    }
    if (v->link != NULL && v->facts.link.state == WBA_LINK_UNCHECKED) {
        wba_body_link_update(v->link, data, len);
    }
}

static wba_digest_state_t
end_digest(wba_digest_t *digest, bool complete)
{
    if (!complete) {
        return WBA_DIGEST_NO_BODY;
    }
    return wba_digest_final(digest) ? WBA_DIGEST_MATCHES
                                    : WBA_DIGEST_MISMATCH;
}

void
wba_verify_body(wba_verify_t *v, bool complete)
{
    wba_facts_t *facts = &v->facts;

    if (v->digest != NULL && facts->digest == WBA_DIGEST_UNCHECKED) {
        facts->digest = end_digest(v->digest, complete);
    }
    if (v->link == NULL || facts->link.state != WBA_LINK_UNCHECKED) {
        return;
    }
    if (!complete) {
        facts->link.state = WBA_LINK_NO_BODY;
    } else if (wba_body_link_final(v->link, &facts->link) != WBA_OK) {
        facts->reason = WBA_REASON_OUT_OF_MEMORY;
    }
}

/* Adds what a signature's nonce amounts to; the same nonce of the same key
 * counts once, for as long as the longest-lived of its signatures. */
static void
want_record(wba_verify_t *v, const wba_fact_t *fact)
{
    wba_nonce_t add = wba_verify_nonce(fact, fact->thumbprint);
    int64_t end;
    size_t i;

    /* One that we gave out may outlive the signature: it must not be of use
     * to another. */
    if (v->policy->challenge != NULL) {
        end = wba_challenge_end(add.nonce) + WBA_MAX_SKEW;
        add.until = add.until > end ? add.until : end;
    }
    for (i = 0; i < v->nnonces; i++) {
        wba_nonce_t *n = &v->nonces[i];

        if (wba_str_eq(n->nonce, add.nonce)
            && memcmp(n->thumbprint, add.thumbprint, WBA_THUMBPRINT_SIZE) == 0)
        {
            n->created = n->created < add.created ? n->created : add.created;
            n->until = n->until > add.until ? n->until : add.until;
            return;
        }
    }
    v->nonces[v->nnonces++] = add;
}

static bool
needs_record(wba_verify_t *v, int64_t now)
{
    wba_facts_t *facts = &v->facts;
    size_t i;

    v->nnonces = 0;
    for (i = 0; i < facts->count; i++) {
        wba_fact_t *fact = facts->signatures[i];

        if (fact->input.nonce.len != 0 && !fact->recorded
            && is_verified(v, fact, now))
        {
            want_record(v, fact);
        }
    }
    if (v->nnonces > 0 && !may_pass(v, now)) {
        v->nnonces = 0;
    }
    return v->nnonces > 0;
}

size_t
wba_verify_foresee(wba_verify_t *v, int64_t now)
{
    if (v->facts.reason != WBA_REASON_OK) {
        return 0;
    }
    return needs_record(v, now) ? v->nnonces : 0;
}

/* Of any answer but WBA_STORE_FRESH. */
static wba_reason_t
reason_of_answer(wba_store_answer_t answer)
{
    switch (answer) {
    case WBA_STORE_SEEN:
        return WBA_REASON_NONCE_REPLAYED;
    case WBA_STORE_FULL:
        return WBA_REASON_NONCE_STORE_FULL;
    case WBA_STORE_COLD:
        return WBA_REASON_NONCE_STORE_COLD;
    default:
        return WBA_REASON_NONCE_STORE_UNAVAILABLE;
    }
}

static void
mark_recorded(wba_verify_t *v, const wba_nonce_t *nonce)
{
    wba_facts_t *facts = &v->facts;
    size_t i;

    for (i = 0; i < facts->count; i++) {
        wba_fact_t *fact = facts->signatures[i];

        if (wba_str_eq(fact->input.nonce, nonce->nonce)
            && memcmp(fact->thumbprint, nonce->thumbprint,
                      WBA_THUMBPRINT_SIZE) == 0)
        {
            fact->recorded = true;
        }
    }
}

/* Signatures are accepted together or not at all: one that passed without its
 * neighbour's nonce on record would leave that one to be replayed alone. */
static void
fail_together(wba_facts_t *facts, wba_reason_t reason)
{
    size_t i;

    for (i = 0; i < facts->count; i++) {
        wba_fact_t *fact = facts->signatures[i];

        if (fact->stage == WBA_STAGE_VERIFIED
            && fact->reason == WBA_REASON_OK)
        {
            fact->reason = reason;
        }
    }
}

void
wba_verify_recorded(wba_verify_t *v, wba_store_answer_t answer)
{
    size_t i, n = v->nnonces;

    v->nnonces = 0;
    if (n != 0 && answer != WBA_STORE_FRESH) {
        fail_together(&v->facts, reason_of_answer(answer));
        return;
    }
    for (i = 0; i < n; i++) {
        mark_recorded(v, &v->nonces[i]);
    }
}

/* What one signature means for the others.  One that verifies and whose nonce
 * was used before makes the request a replay, as the store's answer would; one
 * that memory did not suffice for may be such a one. */
static void
weigh(wba_facts_t *facts)
{
    size_t i;

    for (i = 0; i < facts->count; i++) {
        const wba_fact_t *fact = facts->signatures[i];

        if (fact->reason == WBA_REASON_OUT_OF_MEMORY) {
            facts->reason = fact->reason;
        } else if (fact->reason == WBA_REASON_NONCE_REPLAYED
                   && fact->stage == WBA_STAGE_VERIFIED)
        {
            fail_together(facts, fact->reason);
        }
    }
}

/* All that it is wanted for is asked at once: it may come only once.  Whether
 * the request may pass is asked last, as it takes longest.  What prepares the
 * digest may find that the request cannot. */
static bool
needs_body(wba_verify_t *v, int64_t now)
{
    bool digest = needs_digest(v, now), link = needs_link(v);

    if ((!digest && !link) || !may_pass(v, now)) {
        return false;
    }
    digest = digest && (v->digest != NULL || prepare_digest(v));
    link = link && may_pass(v, now) && (v->link != NULL || prepare_link(v));
    return v->facts.reason == WBA_REASON_OK && (digest || link);
}

wba_need_t
wba_verify_step(wba_verify_t *v, int64_t now)
{
    wba_facts_t *facts = &v->facts;

    if (facts->reason != WBA_REASON_OK) {
        return WBA_DONE;
    }
    if (v->asked) {
        return WBA_NEED_KEY;
    }
    while (v->current < facts->count) {
        if (!advance(v, facts->signatures[v->current], now)) {
            return WBA_NEED_KEY;
        }
        v->current++;
        v->ncandidates = 0;
    }
    weigh(facts);

    if (needs_body(v, now)) {
        return WBA_NEED_BODY;
    }
    return needs_record(v, now) ? WBA_NEED_RECORD : WBA_DONE;
}
