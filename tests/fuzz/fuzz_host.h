/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A host that is all memory, for targets that drive wba_verify: directories of
 * every profile and leniency with keys whose private halves are known here, a
 * nonce store that forgets nothing, and signing.
 */
#ifndef WBA_FUZZ_HOST_H
#define WBA_FUZZ_HOST_H

#include "fuzz.h"
#include "jwks.h"
#include "rawmsg.h"
#include "uri.h"
#include "verify.h"
#include "visa_sample.h"

#define NOW INT64_C(1700000000)
#define SHOP "shop.example"
#define AGENT_A "https://a.example/keys"
#define AGENT_B "https://b.example"
#define FOUND "https://found.example/keys"

enum { ALICE, BOB, CAROL, HOST_KEYS };

#define HOST_SHOPS 4
#define HOST_DIRECTORIES 6
#define HOST_NONCES 128

typedef struct {
    uint8_t pub[32];
    uint8_t secret[64];
    uint8_t thumbprint[WBA_THUMBPRINT_SIZE];
    char text[WBA_THUMBPRINT_TEXT_SIZE + 1];
} host_key_t;

/* What an operator has configured; made once. */
typedef struct {
    wba_directory_t directories[HOST_DIRECTORIES];
    wba_keyset_t sets[HOST_DIRECTORIES];
    wba_tag_t tags[64];
    wba_discovery_t discovery;
    wba_agent_pattern_t pattern;
    wba_keyring_t *ring;
    wba_env_t env;
} host_shop_t;

typedef struct {
    uint8_t thumbprint[WBA_THUMBPRINT_SIZE];
    uint8_t nonce[WBA_MAX_NONCE];
    size_t len;
} host_nonce_t;

/* One request on its way. */
typedef struct {
    wba_raw_message_t raw;
    wba_message_ops_t ops;
    wba_message_t message;
    fuzz_mem_t m;
    wba_env_t env;
    wba_policy_t policy;
    wba_verify_t verify;
    wba_verdict_t verdict;
    int64_t now;
    bool served;
    bool blind;               /* nonce_seen never knows */
    bool body_complete;
    bool bytewise;            /* the body comes so */
    wba_store_answer_t store; /* FRESH: what nonces say */
} host_request_t;

static host_key_t host_keys[HOST_KEYS];
static host_shop_t host_shops[HOST_SHOPS];
static host_nonce_t host_nonces[HOST_NONCES];
static size_t host_nnonces;
static wba_challenge_key_t host_challenge;
static uint64_t host_cache[1024];

/* --- the shops */

static const char host_others[] =
    "{\"keys\":["
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"test-key-ed25519\","
    "\"x\":\"JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs\"},"
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"test-key-ecc-p256\","
    "\"x\":\"qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA\","
    "\"y\":\"Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0\"},"
    "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"kid\":\"test-key-rsa-pss\",\"n\":\""
    "r4tmm3r20Wd_PbqvP1s2-QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct-Lh1GH45"
    "x28Rw3Ry53mm-oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7O"
    "yrFAHqgDsznjPFmTOtCEcN2Z1FpWgchwuYLPL-Wokqltd11nqqzi-bJ9cvSKADYdUAAN5WU"
    "tzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4aOT9v6d-"
    "nb4bnNkQVklLQ3fVAvJm-xdDOp9LCNCN48V2pnDOkFV6-U9nV5oyc6XI2w\"}]}";

static inline void
host_make_keys(void)
{
    uint8_t seed[32];
    size_t i;

    for (i = 0; i < HOST_KEYS; i++) {
        host_key_t *key = &host_keys[i];

        memset(seed, (int) i + 1, sizeof(seed));
        crypto_sign_seed_keypair(key->pub, key->secret, seed);
        wba_jwk_thumbprint_ed25519(key->pub, key->thumbprint);
        wba_thumbprint_text(key->thumbprint, (uint8_t *) key->text);
    }
}

static inline void
host_put(wba_keyset_builder_t *b, unsigned who, const char *kid, int64_t nbf,
         int64_t exp)
{
    wba_key_t key = {
        .type = WBA_KEY_ED25519,
        .algs = WBA_ALG_ED25519,
        .thumbprint = host_keys[who].thumbprint,
        .kid = wba_str_z(kid),
        .pub = wba_str(host_keys[who].pub, 32),
        .nbf = nbf,
        .exp = exp,
    };

    CHECK(wba_keyset_builder_add(b, &key) == WBA_OK);
}

/* who: a bit for each key. */
static inline wba_keyset_t
host_set(unsigned who, const char *kid, bool others)
{
    wba_keyset_builder_t *b = wba_keyset_builder_new();
    wba_jwks_options_t options = { .test_keys = true };
    wba_jwks_summary_t summary;
    wba_keyset_t set;
    wba_key_t key;
    size_t i;

    CHECK(b != NULL);
    for (i = 0; i < HOST_KEYS; i++) {
        if (who >> i & 1) {
            host_put(b, (unsigned) i, kid, i == CAROL ? NOW - 100000 : 0,
                     i == CAROL ? NOW + 100000 : 0);
        }
    }
    if (others) {
        CHECK(wba_jwks_parse(wba_str_z(host_others), &options, NULL, NULL,
                             &set, &summary)
              == WBA_OK);
        for (i = 0; i < wba_keyset_count(set); i++) {
            wba_keyset_key(set, i, &key);
            CHECK(wba_keyset_builder_add(b, &key) == WBA_OK);
        }
        free((void *) (uintptr_t) set.data);
    }
    CHECK(wba_keyset_builder_take(b, &set) == WBA_OK);
    wba_keyset_builder_free(b);
    return set;
}

/* More keys than are tried, under the name that is alice's thumbprint and under
 * kid, and behind them her own: she is not kept out by that. */
static inline wba_keyset_t
host_crowd(const char *kid)
{
    wba_keyset_builder_t *b = wba_keyset_builder_new();
    wba_keyset_t set;
    uint8_t print[WBA_THUMBPRINT_SIZE];
    uint8_t pub[32];
    wba_key_t key = { .type = WBA_KEY_ED25519, .algs = WBA_ALG_ED25519,
                      .thumbprint = print, .pub = { 32, pub } };
    int i;

    CHECK(b != NULL);
    for (i = 0; i < 2 * WBA_MAX_CANDIDATES; i++) {
        memset(pub, 0x40 + i, sizeof(pub));
        wba_jwk_thumbprint_ed25519(pub, print);
        key.kid = wba_str_z(i & 1 ? "kid" : host_keys[ALICE].text);
        CHECK(wba_keyset_builder_add(b, &key) == WBA_OK);
    }
    host_put(b, ALICE, kid, 0, 0);
    CHECK(wba_keyset_builder_take(b, &set) == WBA_OK);
    wba_keyset_builder_free(b);
    return set;
}

static inline wba_directory_t *
host_directory(host_shop_t *shop, const char *name, const char *profile,
               const char *agent, unsigned lenient, wba_keyset_t set)
{
    size_t i = shop->env.ndirectories++;
    wba_directory_t *d = &shop->directories[i];
    static fuzz_mem_t forever;

    if (forever.mem.alloc == NULL) {
        fuzz_mem_init(&forever);
    }
    CHECK(i < HOST_DIRECTORIES);
    d->name = wba_str_z(name);
    d->profile = *wba_profile_find(wba_str_z(profile));
    d->lenient = lenient;
    if (agent != NULL) {
        CHECK(wba_agent_locate(&forever.mem, wba_str_z(agent),
                               WBA_AGENT_TYPE_NONE, &d->agent,
                               &d->agent_identity)
              == WBA_OK);
    }
    shop->sets[i] = set;
    return d;
}

static inline bool host_seen(void *ctx, const wba_nonce_t *nonce);

static inline bool
host_diagnose(void *ctx)
{
    (void) ctx;
    return true;
}

static inline void
host_index(host_shop_t *shop)
{
    wba_directory_t all[HOST_DIRECTORIES + 1];
    unsigned ids[HOST_DIRECTORIES];
    size_t i, n = shop->env.ndirectories;

    memcpy(all, shop->directories, n * sizeof(all[0]));
    for (i = 0; i < n; i++) {
        ids[i] = (unsigned) i;
    }
    shop->ring = wba_keyring_new(shop->sets, ids, n);
    CHECK(shop->ring != NULL);
    if (shop->env.discovery != NULL) {
        all[n++] = shop->discovery.directory;
    }
    shop->env.directories = shop->directories;
    shop->env.tags = shop->tags;
    shop->env.ntags = wba_served_tags(all, n, shop->tags, COUNT(shop->tags));
    shop->env.nonce_seen = host_seen;
}

static inline void
host_discovery(host_shop_t *shop, unsigned lenient)
{
    shop->discovery.directory.name = WBA_STR("discovery");
    shop->discovery.directory.profile =
        *wba_profile_find(WBA_STR("web-bot-auth"));
    shop->discovery.directory.lenient = lenient;
    shop->env.discovery = &shop->discovery;
}

#define HOST_LENIENT                                        \
    (WBA_LENIENT_UNQUOTED_AGENT | WBA_LENIENT_AGENT_TYPE    \
     | WBA_LENIENT_VISA_SAMPLE)

static inline void
host_make_shops(void)
{
    unsigned a = 1u << ALICE, b = 1u << BOB, c = 1u << CAROL;
    host_shop_t *shop = &host_shops[0];
    wba_directory_t *d;

    /* as most are */
    host_directory(shop, "visa", "tap", NULL, 0, host_crowd("kid-a"));
    host_directory(shop, "a", "web-bot-auth", AGENT_A, 0,
                   host_set(b, NULL, false));
    host_directory(shop, "b", "web-bot-auth", AGENT_B, 0,
                   host_set(c, "kid-c", false));

    /* all that may be forgiven, all algorithms, one kid for many keys */
    shop++;
    host_directory(shop, "visa", "tap", NULL, HOST_LENIENT,
                   host_set(a | b, "kid", true));
    host_directory(shop, "pay", "agent-pay", AGENT_A, HOST_LENIENT,
                   host_set(b | c, "kid", true));
    host_directory(shop, "none", "web-bot-auth", NULL, 0,
                   host_set(c, "kid", true));
    host_directory(shop, "crowd", "tap", AGENT_B, 0, host_crowd("kid"));
    shop->env.diagnose = host_diagnose;

    /* agents that are looked up */
    shop++;
    host_discovery(shop, WBA_LENIENT_AGENT_TYPE);
    shop->discovery.any = true;
    host_directory(shop, "pay", "agent-pay", AGENT_A, 0,
                   host_set(a, "kid-a", false));
    shop->env.diagnose = host_diagnose;

    /* signatures that are sent again and again */
    shop++;
    host_discovery(shop, HOST_LENIENT);
    shop->pattern.kind = WBA_AGENT_SUFFIX;
    shop->pattern.text = WBA_STR(".example");
    shop->discovery.allow = &shop->pattern;
    shop->discovery.nallow = 1;
    d = host_directory(shop, "static", "web-bot-auth", AGENT_A, 0,
                       host_set(a | b, "kid", true));
    d->profile.max_lifetime = 0;
    d->profile.nonce_required = false;
    d = host_directory(shop, "tap", "tap", NULL, 0, host_set(a, "kid-a", true));
    d->profile.max_lifetime = 0;
    d->profile.nonce_required = false;
    d->profile.ncomponents = 1;
    d->profile.components[0].name = WBA_STR("@method");
}

/* What an input before this one has left: used nonces, static signatures. */
static inline void
host_forget(void)
{
    static const uint8_t secret[WBA_VERDICT_SECRET + 1] =
        "0123456789abcdef0123456789abcdef";

    host_nnonces = 0;
    host_shops[HOST_SHOPS - 1].env.verdicts =
        wba_verdict_cache_init(host_cache, sizeof(host_cache), secret);
    CHECK(host_shops[HOST_SHOPS - 1].env.verdicts != NULL);
}

static inline void
host_begin(void)
{
    size_t i;

    fuzz_begin();
    json_object_seed(1);
    host_make_keys();
    host_make_shops();
    for (i = 0; i < HOST_SHOPS; i++) {
        host_index(&host_shops[i]);
    }
    wba_challenge_derive(&host_challenge, "a secret of 18 octets", 18);
}

/* --- what the machine asks */

static inline host_nonce_t *
host_find(const wba_nonce_t *nonce)
{
    size_t i;

    for (i = 0; i < host_nnonces; i++) {
        host_nonce_t *n = &host_nonces[i];

        if (wba_str_eq(wba_str(n->nonce, n->len), nonce->nonce)
            && memcmp(n->thumbprint, nonce->thumbprint, WBA_THUMBPRINT_SIZE)
                   == 0)
        {
            return n;
        }
    }
    return NULL;
}

static inline bool
host_seen(void *ctx, const wba_nonce_t *nonce)
{
    const host_request_t *r = ctx;

    return !r->blind && host_find(nonce) != NULL;
}

/* All or none; equal ones in one call would be seen. */
static inline wba_store_answer_t
host_record(const host_request_t *r)
{
    const wba_verify_t *v = &r->verify;
    size_t i, before = host_nnonces;

    CHECK(v->nnonces >= 1 && v->nnonces <= WBA_MAX_SIGNATURES);
    if (r->store != WBA_STORE_FRESH) {
        return r->store;
    }
    for (i = 0; i < v->nnonces; i++) {
        host_nonce_t *to = &host_nonces[host_nnonces];

        CHECK(v->nonces[i].nonce.len >= 1
              && v->nonces[i].nonce.len <= WBA_MAX_NONCE);
        CHECK(v->nonces[i].until > r->now);
        if (host_find(&v->nonces[i]) != NULL) {
            host_nnonces = before;
            return WBA_STORE_SEEN;
        }
        CHECK(host_nnonces < HOST_NONCES);
        memcpy(to->thumbprint, v->nonces[i].thumbprint, WBA_THUMBPRINT_SIZE);
        memcpy(to->nonce, v->nonces[i].nonce.data, v->nonces[i].nonce.len);
        to->len = v->nonces[i].nonce.len;
        host_nnonces++;
    }
    return WBA_STORE_FRESH;
}

/* Bob's key is at FOUND, and nobody's anywhere else. */
static inline void
host_offer_found(host_request_t *r)
{
    wba_keyring_match_t match = {
        .directory = WBA_DISCOVERED,
        .by_thumbprint = true,
        .key = {
            .type = WBA_KEY_ED25519,
            .algs = WBA_ALG_ED25519,
            .thumbprint = host_keys[BOB].thumbprint,
            .pub = { 32, host_keys[BOB].pub },
        },
    };

    if (wba_str_eq(r->verify.key.agent_url, WBA_STR(FOUND))
        && wba_str_eq(r->verify.key.keyid, wba_str_z(host_keys[BOB].text)))
    {
        wba_verify_offer(&r->verify, &match);
    }
}

static inline void
host_offer(host_request_t *r, const host_shop_t *shop)
{
    wba_verify_t *v = &r->verify;
    wba_keyring_match_t match;
    size_t cursor = 0;

    while (wba_keyring_next(shop->ring, v->key.keyid, &cursor, &match)
           == WBA_OK)
    {
        wba_verify_offer(v, &match);
    }
    if (v->key.discover) {
        CHECK(v->key.agent_url.data != NULL);
        host_offer_found(r);
    }
    wba_verify_keys(v, WBA_REASON_KEY_UNKNOWN);
}

static inline void
host_feed(host_request_t *r)
{
    size_t i;

    for (i = 0; r->bytewise && i < r->raw.body.len; i++) {
        wba_verify_feed(&r->verify, r->raw.body.data + i, 1);
    }
    if (!r->bytewise) {
        wba_verify_feed(&r->verify, r->raw.body.data, r->raw.body.len);
    }
    wba_verify_body(&r->verify, r->body_complete);
}

static inline void
host_drive(host_request_t *r, const host_shop_t *shop)
{
    wba_verify_t *v = &r->verify;
    unsigned steps = 0;
    wba_need_t need;

    while ((need = wba_verify_step(v, r->now)) != WBA_DONE) {
        CHECK(steps++ < 64);
        CHECK(wba_verify_step(v, r->now) == need); /* asking again is waiting */
        if (need == WBA_NEED_KEY) {
            host_offer(r, shop);
        } else if (need == WBA_NEED_BODY) {
            host_feed(r);
        } else {
            wba_verify_recorded(v, host_record(r));
        }
    }
    wba_judge(&v->facts, &r->policy, r->now, &r->verdict);
}

static inline bool
host_served(const wba_message_t *msg)
{
    return ((const host_request_t *) (const void *) msg->ctx)->served;
}

/* A further pass, under r->policy. */
static inline void
host_pass(host_request_t *r, const host_shop_t *shop)
{
    wba_verify_begin(&r->verify, &r->policy);
    host_drive(r, shop);
}

/* What was parsed into r->raw, through a first pass. */
static inline void
host_run(host_request_t *r, const host_shop_t *shop)
{
    r->ops = *r->raw.message.ops;
    r->ops.authority_served = host_served;
    r->message.ops = &r->ops;
    r->message.ctx = r; /* which begins with raw */
    r->env = shop->env;
    r->env.ctx = r;
    wba_verify_init(&r->verify, &r->env, &r->message, &r->m.mem);
    host_pass(r, shop);
}

/* --- signing */

/* Appends label=:signature: over base. */
static inline void
host_sign(wba_buf_t *field, unsigned who, wba_str_t label, wba_str_t base)
{
    uint8_t signature[64];

    crypto_sign_detached(signature, NULL, base.data, base.len,
                         host_keys[who].secret);
    if (field->len) {
        wba_buf_lit(field, ", ");
    }
    wba_buf_str(field, label);
    wba_buf_byte(field, '=');
    wba_sf_write_bytes(field, signature, sizeof(signature));
}

/* The member's base, as its own signer would have it; false: it has none. */
static inline bool
host_base(const wba_raw_message_t *raw, const wba_sf_value_t *member,
          wba_str_t sent, const wba_mem_t *mem, wba_buf_t *base)
{
    static wba_components_t components;
    wba_str_t authority = WBA_STR_NONE;
    wba_reason_t why;
    size_t at;

    if (wba_components_parse(member, mem, &components, &why) != WBA_OK
        || wba_message_authority(&raw->message, mem, &authority) != WBA_OK)
    {
        return false;
    }
    wba_buf_init(base, mem, WBA_MAX_BASE);
    return wba_sigbase_build_as_sent(&raw->message, authority, member, sent,
                                     &components, mem, base, &why, &at)
           == WBA_OK;
}

/* A value for Signature that fits the message's Signature-Input; empty where
 * nothing can be signed.  who: the signer of the first, the next one's of the
 * second, and so on; from 4 on the same one's of all.  as_sent: over what
 * Visa's sample agent signs. */
static inline wba_str_t
host_sign_all(const wba_raw_message_t *raw, unsigned who, bool as_sent,
              const wba_mem_t *mem)
{
    wba_str_t field, legal, label;
    wba_buf_t out, base;
    wba_sf_value_t member;
    wba_sf_iter_t it;
    size_t at;

    wba_buf_init(&out, mem, 16384);
    if (wba_message_field(&raw->message, WBA_STR("signature-input"), mem,
                          &field)
        != WBA_OK)
    {
        return WBA_STR_NONE;
    }
    if (wba_visa_sample_legalise(field, mem, &legal) != WBA_OK) {
        legal = field;
    }
    wba_sf_dict_init(&it, legal);
    while (wba_sf_dict_next(&it, &label, &member) == WBA_OK && it.count < 12) {
        at = (size_t) (member.raw.data - legal.data);
        if (member.type == WBA_SF_INNER_LIST
            && host_base(raw, &member,
                         as_sent ? wba_str(field.data + at, member.raw.len)
                                 : WBA_STR_NONE,
                         mem, &base))
        {
            host_sign(&out, (who + (who < 4 ? it.count - 1 : 0)) % HOST_KEYS,
                      label, wba_buf_view(&base));
        }
    }
    return wba_buf_view(&out);
}

/* Whose key that is; HOST_KEYS: none of ours. */
static inline unsigned
host_whose(const uint8_t *thumbprint)
{
    unsigned i = 0;

    while (i < HOST_KEYS
           && memcmp(host_keys[i].thumbprint, thumbprint, WBA_THUMBPRINT_SIZE)
                  != 0)
    {
        i++;
    }
    return i;
}

#endif
