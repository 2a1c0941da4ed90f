/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole requests through the machine that nginx and `wba verify` drive, in
 * shops of every profile and leniency, under locations of every kind; signed
 * here, if the input says so.  What is let in was signed by a key of the
 * directory that it is attributed to, over this very request, and is let in
 * once; the same request has the same verdict each time; want of memory lets
 * nobody in.
 *
 * Input: settings, then the request's text as fuzz_text.h has it.
 */
#include "fuzz_text.h"

typedef struct {
    const host_shop_t *shop;
    wba_policy_t policies[2]; /* of two locations, one after the other */
    text_signer_t signer;
    bool served;
    bool blind;
    bool bytewise;
    bool body_complete;
    wba_store_answer_t store;
    size_t fail_at;
    int64_t now;
} settings_t;

static const wba_component_t required[] = {
    { .name = { 7, (const uint8_t *) "@method" } },
    { .name = { 14, (const uint8_t *) "content-digest" } },
    { .name = { 15, (const uint8_t *) "signature-agent" },
      .key = { 4, (const uint8_t *) "sig1" } },
};

static const wba_rule_t rules[] = {
    { .allow = false, .keyid = { 5, (const uint8_t *) "kid-a" } },
    { .allow = true, .tag = { 12, (const uint8_t *) "web-bot-auth" } },
    { .allow = true, .directory = { 4, (const uint8_t *) "visa" } },
    { .allow = false,
      .agent = { 22, (const uint8_t *) "https://a.example/keys" } },
};

static void
read_policy(fuzz_in_t *in, wba_policy_t *p)
{
    unsigned flags = fuzz_byte(in), more = fuzz_byte(in);

    wba_policy_default(p);
    p->mode = flags & 1 ? WBA_MODE_OPTIONAL : WBA_MODE_ON;
    p->dry_run = (flags & 2) != 0;
    p->nonce_required = (flags & 4) != 0;
    p->challenge = flags & 8 ? &host_challenge : NULL;
    p->body_link = (flags & 16) != 0;
    p->digest = (wba_digest_policy_t) ((flags >> 5) % 3);
    p->clock_skew = flags & 128 ? 300 : 5;
    p->max_lifetime = more & 1 ? 60 : 0;
    p->components = required;
    p->ncomponents = (more >> 1) % 4;
    p->rules = rules + (more >> 3) % 4;
    p->nrules = (more >> 5) % (COUNT(rules) + 1 - (more >> 3) % 4);
    p->answers[WBA_CLASS_UNKNOWN] = more & 128 ? WBA_ANSWER_PASS : 403;
}

static void
read_settings(fuzz_in_t *in, settings_t *s)
{
    unsigned flags = fuzz_byte(in), store = fuzz_byte(in);

    memset(s, 0, sizeof(*s));
    s->shop = &host_shops[flags % HOST_SHOPS];
    s->signer.sign = (flags & 4) != 0;
    s->signer.as_sent = (flags & 8) != 0;
    s->signer.http = (flags & 16) != 0;
    s->signer.override = (flags & 32) != 0;
    s->served = (flags & 192) != 192;
    s->store = store % 8 < 5 ? (wba_store_answer_t) (store % 8)
                             : WBA_STORE_FRESH;
    s->blind = (store & 8) != 0;
    s->bytewise = (store & 16) != 0;
    s->signer.who = store >> 5;
    s->fail_at = fuzz_byte(in);
    s->body_complete = store % 8 != 6;
    s->now = (int8_t) fuzz_byte(in);
    s->now = NOW + s->now * (s->now & 1 ? 1024 : 4);
    read_policy(in, &s->policies[0]);
    read_policy(in, &s->policies[1]);
}

/* --- what must hold */

static bool
in_set(wba_keyset_t set, const uint8_t *thumbprint, wba_key_t *key)
{
    size_t i;

    for (i = 0; i < wba_keyset_count(set); i++) {
        wba_keyset_key(set, i, key);
        if (memcmp(key->thumbprint, thumbprint, WBA_THUMBPRINT_SIZE) == 0) {
            return true;
        }
    }
    return false;
}

/* A signature by a key of its directory over the base of this request. */
static void
is_verified(const host_request_t *r, const host_shop_t *shop,
            const wba_fact_t *f)
{
    unsigned who = host_whose(f->thumbprint);
    wba_buf_t base;
    wba_key_t key;
    size_t i;

    CHECK(f->directory != NULL && f->tag != NULL);
    if (who < HOST_KEYS) {
        CHECK(f->alg == WBA_ALG_ED25519 && f->signature.len == 64);
        CHECK(crypto_sign_verify_detached(f->signature.data, f->base.data,
                                          f->base.len, host_keys[who].pub)
              == 0);
    }
    if (f->directory == &shop->discovery.directory) {
        CHECK(shop->env.discovery != NULL && who == BOB);
        CHECK_SAME(f->agent_url, WBA_STR(FOUND));
    } else {
        i = (size_t) (f->directory - shop->directories);
        CHECK(i < shop->env.ndirectories);
        CHECK(in_set(shop->sets[i], f->thumbprint, &key));
        CHECK(who < HOST_KEYS
              || wba_crypto_verify(&key, f->alg, f->signature, f->base)
                     == WBA_OK);
        CHECK((f->agent_url.data == NULL)
              == (f->directory->agent.data == NULL));
        CHECK_SAME(f->agent_url, f->directory->agent);
    }
    CHECK((f->agent.lenient & ~f->directory->lenient) == 0);
    CHECK(!f->as_sent || f->directory->lenient & WBA_LENIENT_VISA_SAMPLE);
    CHECK(host_base(&r->raw, &f->input.list,
                    f->as_sent ? f->input.sent : WBA_STR_NONE, &r->m.mem,
                    &base));
    CHECK_SAME(wba_buf_view(&base), f->base);
}

/* What the location asked of the signature that let the request in. */
static void
is_let_in(const host_request_t *r, const wba_fact_t *f)
{
    const wba_policy_t *p = &r->policy;
    const wba_siginput_t *in = &f->input;
    int64_t skew = p->clock_skew;
    size_t i;

    CHECK(in->has_created && in->has_expires && in->keyid.len != 0);
    CHECK(in->created <= r->now + skew && in->expires > r->now - skew);
    CHECK(in->expires > in->created);
    CHECK(!p->max_lifetime || in->expires - in->created <= p->max_lifetime);
    CHECK(!p->nonce_required || in->nonce.len != 0);
    CHECK(in->nonce.len == 0 || f->recorded);
    CHECK(wba_components_cover_target(f->components));
    for (i = 0; i < p->ncomponents; i++) {
        CHECK(wba_components_cover(f->components, &p->components[i]));
    }
    CHECK(p->challenge == NULL
          || wba_challenge_check(p->challenge, r->verify.facts.authority,
                                 in->nonce, r->now)
                 == WBA_REASON_OK);
    CHECK(p->digest == WBA_DIGEST_OFF || !wba_judge_covers_digest(f)
          || r->verify.facts.digest == WBA_DIGEST_MATCHES);
    CHECK(!p->body_link
          || wba_body_link_matches(&r->verify.facts.link, in->nonce,
                                   in->keyid));
    CHECK(f->key_nbf <= r->now + skew);
    CHECK(f->key_exp == 0 || f->key_exp > r->now - skew);
}

static void
verdict(const host_request_t *r, const host_shop_t *shop)
{
    const wba_facts_t *facts = &r->verify.facts;
    const wba_verdict_t *v = &r->verdict;
    const wba_reason_info_t *info = wba_reason_info(v->reason);
    size_t i;

    CHECK(facts->count <= WBA_MAX_SIGNATURES);
    for (i = 0; i < facts->count; i++) {
        if (facts->signatures[i]->stage == WBA_STAGE_VERIFIED) {
            is_verified(r, shop, facts->signatures[i]);
        }
    }
    CHECK(v->outcome == info->outcome && v->class == info->class);
    if (v->reason == WBA_REASON_OK) {
        CHECK(v->signature != NULL && v->status == 0);
        CHECK(v->decision == WBA_DECISION_ALLOW);
        CHECK(facts->authority_served && r->served);
        CHECK(v->signature->stage == WBA_STAGE_VERIFIED);
        is_let_in(r, v->signature);
        return;
    }
    CHECK(v->decision != WBA_DECISION_ALLOW
          && v->decision != WBA_DECISION_NONE);
    CHECK((v->decision == WBA_DECISION_PASS) == (v->status == 0));
    CHECK(v->status == 0 || (v->status >= 400 && v->status < 600));
    CHECK(v->decision != WBA_DECISION_PASS
          || v->outcome == WBA_OUTCOME_UNSIGNED
          || v->outcome == WBA_OUTCOME_UNVERIFIED);
}

/* --- runs */

static void
open_request(const settings_t *s, host_request_t *r, wba_str_t text)
{
    size_t line;

    memset(r, 0, sizeof(*r));
    fuzz_mem_init(&r->m);
    CHECK(wba_raw_message_parse(fuzz_copy(&r->m, text), &r->raw, &line)
          == WBA_OK);
    text_dress(&s->signer, &r->raw);
    r->now = s->now;
    r->served = s->served;
    r->blind = s->blind;
    r->bytewise = s->bytewise;
    r->store = s->store;
    r->body_complete = s->body_complete;
    r->policy = s->policies[0];
}

static void
same_verdict(const host_request_t *a, const host_request_t *b)
{
    size_t i;

    CHECK(a->verdict.reason == b->verdict.reason);
    CHECK(a->verdict.decision == b->verdict.decision);
    CHECK(a->verdict.status == b->verdict.status);
    CHECK(a->verify.facts.count == b->verify.facts.count);
    for (i = 0; i < a->verify.facts.count; i++) {
        const wba_fact_t *x = a->verify.facts.signatures[i];
        const wba_fact_t *y = b->verify.facts.signatures[i];

        CHECK(x->stage == y->stage && x->reason == y->reason
              && x->aside == y->aside);
        CHECK_SAME(x->base, y->base);
        CHECK_SAME(x->agent_identity, y->agent_identity);
    }
}

/* One run from beginning to end, with what nonces there are; whether the
 * request was let in. */
static bool
once(const settings_t *s, host_request_t *r, wba_str_t text, size_t fail_at,
     bool onward)
{
    open_request(s, r, text);
    r->m.fail_at = fail_at;
    r->m.onward = onward;
    host_run(r, s->shop);
    r->m.fail_at = 0;
    verdict(r, s->shop);
    return r->verdict.reason == WBA_REASON_OK;
}

/* With all but the first of its nonces used up: nobody is let in by what was
 * only a part of it, nor for want of memory to look at the rest. */
static void
partly_used(const settings_t *s, wba_str_t text, size_t recorded)
{
    static host_request_t rich, poor;
    bool in, poor_in;

    if (recorded >= 2) {
        memmove(host_nonces, host_nonces + 1,
                (recorded - 1) * sizeof(host_nonces[0]));
    }
    host_nnonces = recorded >= 2 ? recorded - 1 : 0;
    in = once(s, &rich, text, 0, false);
    CHECK(!in || recorded < 2);
    fuzz_mem_free(&rich.m);

    host_nnonces = recorded >= 2 ? recorded - 1 : 0;
    poor_in = once(s, &poor, text, s->fail_at / 2, (s->fail_at & 1) != 0);
    CHECK(in || !poor_in);
    fuzz_mem_free(&poor.m);
}

/* On to another location, and back, where its nonces are its own. */
static void
two_locations(const settings_t *s, wba_str_t text)
{
    static host_request_t r;
    bool in;

    host_nnonces = 0;
    in = once(s, &r, text, 0, false);
    r.policy = s->policies[1];
    r.raw.scheme = s->bytewise ? WBA_STR("http") : r.raw.scheme;
    host_pass(&r, s->shop);
    verdict(&r, s->shop);
    r.policy = s->policies[0];
    text_dress(&s->signer, &r.raw);
    host_pass(&r, s->shop);
    verdict(&r, s->shop);
    CHECK(!in || r.verdict.reason == WBA_REASON_OK
          || s->store != WBA_STORE_FRESH);
    fuzz_mem_free(&r.m);
}

static void
requests(const settings_t *s, wba_str_t text)
{
    static host_request_t first, again;
    size_t recorded;
    bool in;

    host_nnonces = 0;
    in = once(s, &first, text, 0, false);
    recorded = host_nnonces;

    /* The same again: its nonces are used up. */
    if (once(s, &again, text, 0, false)) {
        CHECK(!in || first.verdict.signature->input.nonce.len == 0);
    }
    fuzz_mem_free(&again.m);
    host_nnonces = recorded;
    partly_used(s, text, recorded);

    /* As if for the first time. */
    host_nnonces = 0;
    (void) once(s, &again, text, 0, false);
    same_verdict(&first, &again);
    fuzz_mem_free(&again.m);
    fuzz_mem_free(&first.m);
    two_locations(s, text);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;
    host_begin();
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static wba_raw_message_t raw;
    fuzz_in_t in = wba_str(data, size);
    settings_t settings;
    fuzz_mem_t m;
    wba_str_t text;
    size_t line;

    fuzz_mem_init(&m);
    host_forget();
    read_settings(&in, &settings);
    text = text_expand(&m, in, settings.now);
    text = fuzz_copy(&m, text_add_signature(&settings.signer, &m, text));
    if (wba_raw_message_parse(text, &raw, &line) == WBA_OK) {
        requests(&settings, text);
    }
    fuzz_mem_free(&m);
    return 0;
}
