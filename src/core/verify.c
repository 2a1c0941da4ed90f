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

/* Keys. */

static wba_reason_t
choose_alg(const wba_siginput_t *in, const wba_key_t *key,
           const wba_profile_t *profile, wba_alg_t *alg)
{
    unsigned usable = key->algs;

    if (in->alg.data != NULL) {
        usable &= (unsigned) wba_alg_by_name(in->alg);
    } else if (usable & (usable - 1)) {
        usable &= profile->algorithms;
    }
    if (usable == 0 || (usable & (usable - 1))) {
        return WBA_REASON_ALG_MISMATCH;
    }
    *alg = (wba_alg_t) usable;
    return (usable & profile->algorithms & wba_alg_supported())
               ? WBA_REASON_OK
               : WBA_REASON_ALG_NOT_ALLOWED;
}

static wba_nonce_t
nonce_of(const wba_fact_t *fact, const uint8_t *thumbprint)
{
    wba_nonce_t nonce = {
        .thumbprint = thumbprint,
        .nonce = fact->input.nonce,
        .created = fact->input.created,
        .until = fact->input.expires + WBA_MAX_SKEW,
    };

    return nonce;
}

/* Whether this very request has recorded that nonce of that key: then it is
 * not used up, whatever the store says. */
static bool
recorded_here(const wba_facts_t *facts, const uint8_t *thumbprint,
              wba_str_t nonce)
{
    size_t i;

    for (i = 0; i < facts->count; i++) {
        const wba_fact_t *f = facts->signatures[i];

        if (f->recorded && wba_str_eq(f->input.nonce, nonce)
            && memcmp(f->thumbprint, thumbprint, WBA_THUMBPRINT_SIZE) == 0)
        {
            return true;
        }
    }
    return false;
}

static bool
nonce_seen(const wba_verify_t *v, const wba_fact_t *fact,
           const uint8_t *thumbprint)
{
    wba_nonce_t nonce = nonce_of(fact, thumbprint);

    return nonce.nonce.len
           && !recorded_here(&v->facts, thumbprint, nonce.nonce)
           && v->env->nonce_seen(v->env->ctx, &nonce);
}

/* Whether the request may still pass by another signature. */
static bool
others_stand(const wba_facts_t *facts, const wba_fact_t *fact)
{
    size_t i;

    for (i = 0; i < facts->count; i++) {
        const wba_fact_t *f = facts->signatures[i];

        if (f != fact && f->reason == WBA_REASON_OK
            && f->aside == WBA_REASON_OK)
        {
            return true;
        }
    }
    return false;
}

static wba_reason_t
build_base(wba_verify_t *v, wba_fact_t *fact)
{
    wba_reason_t why = WBA_REASON_OUT_OF_MEMORY;
    wba_status_t status;
    wba_buf_t buf;

    if (fact->stage >= WBA_STAGE_BASED) {
        return WBA_REASON_OK;
    }
    wba_buf_init(&buf, v->mem, WBA_MAX_BASE);
    /* With keyId in it, no canonical text is what was signed. */
    fact->as_sent = fact->input.lenient != 0;
    status = wba_sigbase_build_as_sent(v->message, v->facts.authority,
                                       &fact->input.list,
                                       fact->as_sent ? fact->input.sent
                                                     : WBA_STR_NONE,
                                       fact->components, v->mem, &buf, &why,
                                       &fact->at);
    if (status != WBA_OK) {
        return why;
    }
    fact->base = wba_buf_view(&buf);
    fact->stage = WBA_STAGE_BASED;
    return WBA_REASON_OK;
}

/* Whether a signature is one that its agent sends again and again: nobody
 * else's pays for the cache. */
static bool
is_static(const wba_fact_t *fact, const wba_directory_t *directory)
{
    return !directory->profile.nonce_required && fact->input.nonce.len == 0
           && fact->input.expires - fact->input.created > WBA_STATIC_LIFETIME;
}

/* may_ask false: only what is remembered of a static signature counts. */
static wba_reason_t
verifies(const wba_verify_t *v, wba_fact_t *fact,
         const wba_directory_t *directory, const wba_key_t *key,
         wba_str_t base, bool may_ask)
{
    wba_verdict_cache_t *cache = v->env->verdicts;
    uint8_t id[WBA_VERDICT_ID];
    wba_status_t status;

    if (cache != NULL && !is_static(fact, directory)) {
        cache = NULL;
    }
    if (cache != NULL) {
        wba_verdict_cache_id(cache, key, fact->alg, fact->signature, base, id);
        fact->known = wba_verdict_cache_has(cache, id);
        if (fact->known) {
            return WBA_REASON_OK;
        }
    }
    if (!may_ask) {
        return WBA_REASON_FORGERY_LIMITED;
    }
    status = wba_crypto_verify(key, fact->alg, fact->signature, base);
    if (status != WBA_OK) {
        return status == WBA_NO_MEMORY ? WBA_REASON_OUT_OF_MEMORY
                                       : WBA_REASON_BAD_SIGNATURE;
    }
    if (cache != NULL) {
        wba_verdict_cache_add(cache, id);
    }
    return WBA_REASON_OK;
}

/* Whether the base that Visa's sample agent would sign is another than the
 * one that was tried: cheaper than to build it. */
static bool
sample_differs(const wba_verify_t *v, const wba_fact_t *fact)
{
    wba_component_t path = { .name = WBA_STR("@path") };
    wba_str_t target = v->message->ops->target(v->message);
    wba_str_t sent = fact->input.sent, base = fact->base;

    if (fact->as_sent) {
        return false;
    }
    return base.len < sent.len
           || memcmp(base.data + base.len - sent.len, sent.data, sent.len) != 0
           || (target.len != 0 && memchr(target.data, '?', target.len) != NULL
               && wba_components_cover(fact->components, &path));
}

/* What did not verify over the base of RFC 9421 may do so over the sample's:
 * that counts for a directory that tolerates it, and is told of others where
 * the host can spare the time.  Never more than these two for one key. */
static wba_reason_t
try_sample(wba_verify_t *v, wba_fact_t *fact, const wba_directory_t *directory,
           const wba_key_t *key)
{
    bool tolerated = (directory->lenient & WBA_LENIENT_VISA_SAMPLE) != 0;
    wba_reason_t why;
    wba_buf_t buf;
    size_t at;

    if (!sample_differs(v, fact)
        || (!tolerated
            && (v->env->diagnose == NULL || !v->env->diagnose(v->env->ctx))))
    {
        return WBA_REASON_BAD_SIGNATURE;
    }
    wba_buf_init(&buf, v->mem, WBA_MAX_BASE);
    if (wba_sigbase_build_as_sent(v->message, v->facts.authority,
                                  &fact->input.list, fact->input.sent,
                                  fact->components, v->mem, &buf, &why, &at)
        != WBA_OK)
    {
        return why;
    }
    why = verifies(v, fact, directory, key, wba_buf_view(&buf), true);
    if (why != WBA_REASON_OK) {
        return why;
    }
    if (!tolerated) {
        return WBA_REASON_VISA_SAMPLE_FORM;
    }
    fact->base = wba_buf_view(&buf);
    fact->as_sent = true;
    return WBA_REASON_OK;
}

/* The crypto said yes: notes by which key.  Its views live only until this
 * step ends. */
static wba_reason_t
note_key(wba_verify_t *v, wba_fact_t *fact, const wba_directory_t *directory,
         const wba_key_t *key)
{
    wba_str_t kid = wba_str_eq(key->kid, fact->input.keyid)
                        ? fact->input.keyid
                        : wba_str_copy(v->mem, key->kid);

    if (kid.data == NULL) {
        return WBA_REASON_OUT_OF_MEMORY;
    }
    fact->recorded = recorded_here(&v->facts, key->thumbprint,
                                   fact->input.nonce);
    fact->stage = WBA_STAGE_VERIFIED;
    fact->directory = directory;
    fact->tag = wba_profile_tag(&directory->profile, fact->input.tag);
    fact->kid = kid;
    fact->key_nbf = key->nbf;
    fact->key_exp = key->exp;
    memcpy(fact->thumbprint, key->thumbprint, WBA_THUMBPRINT_SIZE);
    return WBA_REASON_OK;
}

/* Where no crypto may be asked, only what it has said before can help.
 *
 * A nonce that was used before refuses the request without any crypto, unless
 * another signature may let it pass: then it must be known whether this one
 * verifies, for if so it fails them all (fail_together). */
static wba_reason_t
try_crypto(wba_verify_t *v, wba_fact_t *fact, const wba_directory_t *d,
           const wba_key_t *key)
{
    wba_reason_t reason;
    bool seen, may_ask;

    reason = choose_alg(&fact->input, key, &d->profile, &fact->alg);
    if (reason != WBA_REASON_OK) {
        return reason;
    }
    may_ask = wba_verify_may_try(v, key);
    if (!may_ask && (v->env->verdicts == NULL || !is_static(fact, d))) {
        return WBA_REASON_FORGERY_LIMITED;
    }
    seen = nonce_seen(v, fact, key->thumbprint);
    if (seen && !others_stand(&v->facts, fact)) {
        return WBA_REASON_NONCE_REPLAYED;
    }
    reason = build_base(v, fact);
    if (reason != WBA_REASON_OK) {
        return reason;
    }
    reason = verifies(v, fact, d, key, fact->base, may_ask);
    if (reason == WBA_REASON_BAD_SIGNATURE) {
        reason = try_sample(v, fact, d, key);
    }
    if (reason != WBA_REASON_OK) {
        return reason;
    }
    wba_verify_tried(v, key, true);
    reason = note_key(v, fact, d, key);
    return seen && reason == WBA_REASON_OK ? WBA_REASON_NONCE_REPLAYED
                                           : reason;
}

/* What came of the keys tried so far. */
typedef struct {
    wba_reason_t reason;
    bool tried; /* reason is the crypto's, or of what leads to it */
    bool open;  /* in another pass, one might get further */
    bool failed[WBA_MAX_CANDIDATES]; /* to whom the crypto said no */
} attempts_t;

static unsigned
weight(wba_reason_t reason)
{
    switch (reason) {
    case WBA_REASON_FORGERY_LIMITED: /* it might be the right one */
        return 3;
    case WBA_REASON_VISA_SAMPLE_FORM:
        return 2;
    case WBA_REASON_BAD_SIGNATURE:
        return 1;
    default:
        return 0;
    }
}

/* The reason kept is that of the key that got furthest: one that the crypto
 * refused tells more than one that its directory's rules kept out. */
static void
note_failure(attempts_t *a, wba_reason_t reason, bool tried)
{
    if (a->reason == WBA_REASON_OK || (tried && !a->tried)
        || weight(reason) > weight(a->reason))
    {
        a->reason = reason;
        a->tried = tried;
    }
    a->open |= !tried || reason == WBA_REASON_NONCE_REPLAYED
               || reason == WBA_REASON_FORGERY_LIMITED;
}

/* A signature that verifies by one of its keys is no forgery: those by which
 * it did not are not charged.  So it is done when all have been tried. */
static void
charge(const wba_verify_t *v, const attempts_t *a)
{
    size_t i;

    for (i = 0; i < v->ncandidates; i++) {
        if (a->failed[i]) {
            wba_verify_tried(v, &v->candidates[i].key, false);
        }
    }
}

/* Tries the offered keys in order. */
static void
try_keys(wba_verify_t *v, wba_fact_t *fact, int64_t now)
{
    attempts_t attempts = { .reason = WBA_REASON_OK };
    wba_reason_t reason;
    size_t i;

    fact->stage = WBA_STAGE_KEYED;
    for (i = 0; i < v->ncandidates; i++) {
        const wba_key_t *key = &v->candidates[i].key;
        const wba_directory_t *d =
            wba_verify_directory(v, v->candidates[i].directory);

        fact->keyed = d;
        reason = wba_judge_directory(fact, d, key->nbf, key->exp, v->policy,
                                     now);
        if (reason != WBA_REASON_OK) {
            note_failure(&attempts, reason, false);
            continue;
        }
        reason = try_crypto(v, fact, d, key);
        if (fact->stage == WBA_STAGE_VERIFIED
            || reason == WBA_REASON_OUT_OF_MEMORY)
        {
            fact->reason = reason;
            return;
        }
        attempts.failed[i] = reason == WBA_REASON_BAD_SIGNATURE
                             || reason == WBA_REASON_VISA_SAMPLE_FORM;
        note_failure(&attempts, reason, true);
    }
    charge(v, &attempts);
    if (attempts.open) {
        fact->aside = attempts.reason;
    } else {
        fact->reason = attempts.reason;
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
        try_keys(v, fact, now);
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
    wba_nonce_t add = nonce_of(fact, fact->thumbprint);
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
