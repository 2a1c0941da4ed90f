/* SPDX-License-Identifier: BSD-2-Clause */
/* wba_verify's crypto: the keys that were offered are tried on a signature,
 * each with what may stand in between: the algorithm, a nonce that was used, a
 * budget of failures, the base, and the sample's. */
#include "verify_private.h"

/* The limit of forgeries. */

/* Whether this request has paid for the signature and the key already, out of
 * the budgets of this limit, which may stand in many locations. */
static bool
charged(const wba_verify_t *v, const wba_fact_t *fact, const wba_key_t *key)
{
    const wba_forgery_limit_t *limit = v->policy->forgery;
    size_t i;

    for (i = 0; i < fact->ncharges; i++) {
        const wba_charge_t *c = &fact->charges[i];

        if (limit != NULL && c->limit->interval == limit->interval
            && c->limit->depth == limit->depth
            && memcmp(c->thumbprint, key->thumbprint, WBA_THUMBPRINT_SIZE)
                   == 0)
        {
            return true;
        }
    }
    return false;
}

static bool
may_try(const wba_verify_t *v, const wba_fact_t *fact, const wba_key_t *key)
{
    return v->policy->forgery == NULL || v->env->may_try == NULL
           || charged(v, fact, key)
           || v->env->may_try(v->env->ctx, v->message, v->policy->forgery,
                              key->thumbprint);
}

static void
tried(const wba_verify_t *v, const wba_key_t *key, bool good)
{
    if (v->policy->forgery != NULL && v->env->tried != NULL) {
        v->env->tried(v->env->ctx, v->message, v->policy->forgery,
                      key->thumbprint, good);
    }
}

static void
forgive(const wba_verify_t *v, wba_fact_t *fact)
{
    size_t i;

    for (i = 0; i < fact->ncharges && v->env->forgive != NULL; i++) {
        v->env->forgive(v->env->ctx, v->message, fact->charges[i].limit,
                        fact->charges[i].thumbprint);
    }
    fact->ncharges = 0;
}

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

wba_nonce_t
wba_verify_nonce(const wba_fact_t *fact, const uint8_t *thumbprint)
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
    wba_nonce_t nonce = wba_verify_nonce(fact, thumbprint);

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
    may_ask = may_try(v, fact, key);
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
    tried(v, key, true);
    forgive(v, fact);
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
        return 4;
    case WBA_REASON_VISA_SAMPLE_FORM:
        return 3;
    case WBA_REASON_NONCE_REPLAYED: /* that key has signed with it before */
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
 * it did not are not charged.  So it is done when all have been tried; once
 * in a request, whatever it is tried over. */
static void
charge(const wba_verify_t *v, wba_fact_t *fact, const attempts_t *a)
{
    wba_charge_t *c;
    size_t i;

    for (i = 0; i < v->ncandidates; i++) {
        const wba_key_t *key = &v->candidates[i].key;

        if (!a->failed[i] || charged(v, fact, key)) {
            continue;
        }
        tried(v, key, false);
        if (v->policy->forgery != NULL && fact->ncharges < WBA_MAX_CANDIDATES)
        {
            c = &fact->charges[fact->ncharges++];
            c->limit = v->policy->forgery;
            memcpy(c->thumbprint, key->thumbprint, WBA_THUMBPRINT_SIZE);
        }
    }
}

void
wba_verify_try(wba_verify_t *v, wba_fact_t *fact, int64_t now)
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
    charge(v, fact, &attempts);
    if (attempts.open) {
        fact->aside = attempts.reason;
    } else {
        fact->reason = attempts.reason;
    }
}
