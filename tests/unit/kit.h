/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests of verify: a host that is all memory.  It has directories with
 * Ed25519 keys, a nonce store that forgets nothing, a server that answers for
 * what it is told to, and writes down in trace what it was asked, in order:
 *
 *     A  does the server answer for the authority    D  the body, for a digest
 *     K  keys that are there                         N  record nonces
 *     R  keys after a refetch                        b  a line of x-base, which
 *     S  has this nonce been seen                       only the base reads
 */
#ifndef WBA_TESTS_KIT_H
#define WBA_TESTS_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sodium.h>

#include "jwk.h"
#include "rawmsg.h"
#include "uri.h"
#include "verify.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define NOW 1700000000
#define TIMES ";created=1699999990;expires=1700000060"
#define ED ";alg=\"ed25519\""
#define COVERED "(\"@authority\" \"@path\")"
#define KEYID ";keyid=\"$\"" /* $: the thumbprint of the signing key */
#define BROWSE ";tag=\"agent-browser-auth\""
#define PAY ";tag=\"agent-payer-auth\""
#define BOT ";tag=\"web-bot-auth\""
#define NONCE(n) ";nonce=\"" n "\""
#define TAP(n) COVERED TIMES KEYID ED NONCE(n) BROWSE

#define HEAD "GET /p?q=1 HTTP/1.1\r\nHost: shop.example\r\n"
#define AGENT_A "https://a.example/keys"
#define AGENT_B "https://b.example/keys"
#define SENDS_AGENT(url) HEAD "Signature-Agent: sig1=\"" url "\"\r\n"
#define COVERS_AGENT "(\"@authority\" \"signature-agent\";key=\"sig1\")"

enum { ALICE, BOB, CAROL, KIT_KEYS };

#define KIT_DIRECTORIES 8
#define KIT_SET_KEYS 12
#define KIT_TEXT 300000
#define KIT_BLOCKS 4096

typedef struct {
    uint8_t pub[32];
    uint8_t secret[64];
    uint8_t thumbprint[WBA_THUMBPRINT_SIZE];
    char text[WBA_THUMBPRINT_TEXT_SIZE + 1];
} kit_key_t;

typedef struct {
    wba_key_t keys[KIT_SET_KEYS];
    size_t count;
} kit_set_t;

typedef struct {
    uint8_t thumbprint[WBA_THUMBPRINT_SIZE];
    uint8_t nonce[WBA_MAX_NONCE];
    size_t len;
    int64_t created;
    int64_t until;
} kit_nonce_t;

typedef struct {
    wba_raw_message_t raw; /* first: the message's ctx points here */
    wba_message_ops_t ops;
    wba_message_t message;
    bool served;

    kit_key_t keys[KIT_KEYS];
    wba_directory_t directories[KIT_DIRECTORIES];
    kit_set_t sets[KIT_DIRECTORIES];
    wba_tag_t tags[32];
    wba_env_t env;
    wba_keyring_t *ring;
    wba_discovery_t discovery;
    const char *found_at; /* where an agent that is looked up has its keys; */
    kit_set_t found;      /* they are these, and no other has any */

    /* The request being written, and the one that was parsed. */
    char head[KIT_TEXT];
    char inputs[KIT_TEXT];
    char values[16384];
    const char *body;
    char text[3 * KIT_TEXT];
    uint8_t *exact; /* what raw shows, of its exact size for ASan */
    const char *scheme;
    const char *authority_override;

    /* What the host answers. */
    wba_reason_t why;           /* no key, after the refetch */
    bool body_complete;
    wba_store_answer_t store;   /* FRESH: what the store below says */
    bool blind;                 /* nonce_seen never knows */
    void (*at_key)(void *kit);  /* before the first answer to a need */
    wba_need_t stop;            /* leave this need unanswered; DONE: none */

    kit_nonce_t nonces[64];
    size_t nnonces;
    size_t last_recorded; /* how many came in the last request to record */

    wba_mem_t mem;
    void *blocks[KIT_BLOCKS];
    size_t allocations;
    size_t fail_at;   /* this allocation fails, from 1; 0: none */
    bool fail_onward; /* and all that follow */

    char trace[256];
    size_t traced;

    wba_policy_t policy;
    wba_verify_t verify;
    wba_verdict_t verdict;
    int64_t now;
} kit_t;

/* ---- host */

static inline void
kit_trace(kit_t *k, char c)
{
    if (k->traced < sizeof(k->trace) - 1) {
        k->trace[k->traced++] = c;
        k->trace[k->traced] = '\0';
    }
}

static inline void *
kit_alloc(void *ctx, size_t size)
{
    kit_t *k = ctx;
    size_t n = ++k->allocations;

    if (k->fail_at && (n == k->fail_at || (k->fail_onward && n > k->fail_at)))
    {
        return NULL;
    }
    assert_true(n < KIT_BLOCKS);
    k->blocks[n] = malloc(size ? size : 1);
    assert_non_null(k->blocks[n]);
    return k->blocks[n];
}

static inline void
kit_free_blocks(kit_t *k)
{
    size_t i;

    for (i = 0; i < KIT_BLOCKS && i <= k->allocations; i++) {
        free(k->blocks[i]);
        k->blocks[i] = NULL;
    }
    k->allocations = 0;
}

static inline bool
kit_served(const wba_message_t *msg)
{
    kit_t *k = msg->ctx;

    kit_trace(k, 'A');
    return k->served;
}

static inline wba_status_t
kit_next_line(const wba_message_t *msg, wba_str_t name, uintptr_t *cursor,
              wba_str_t *value)
{
    kit_t *k = msg->ctx;

    if (wba_str_eq(name, WBA_STR("x-base")) && *cursor == 0) {
        kit_trace(k, 'b');
    }
    return k->raw.message.ops->next_line(msg, name, cursor, value);
}

static inline kit_nonce_t *
kit_nonce_find(kit_t *k, const wba_nonce_t *nonce)
{
    size_t i;

    for (i = 0; i < k->nnonces; i++) {
        kit_nonce_t *n = &k->nonces[i];

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
kit_nonce_seen(void *ctx, const wba_nonce_t *nonce)
{
    kit_t *k = ctx;

    kit_trace(k, 'S');
    return !k->blind && kit_nonce_find(k, nonce) != NULL;
}

/* Every entry is looked at on its own, as by SET NX: equal ones in one call
 * would be seen. */
static inline wba_store_answer_t
kit_record(kit_t *k, const wba_nonce_t *nonces, size_t n)
{
    size_t i, before = k->nnonces;

    k->last_recorded = n;
    if (k->store != WBA_STORE_FRESH) {
        return k->store;
    }
    for (i = 0; i < n; i++) {
        kit_nonce_t *to = &k->nonces[k->nnonces];

        if (kit_nonce_find(k, &nonces[i]) != NULL) {
            k->nnonces = before;
            return WBA_STORE_SEEN;
        }
        assert_true(k->nnonces < COUNT(k->nonces));
        memcpy(to->thumbprint, nonces[i].thumbprint, WBA_THUMBPRINT_SIZE);
        memcpy(to->nonce, nonces[i].nonce.data, nonces[i].nonce.len);
        to->len = nonces[i].nonce.len;
        to->created = nonces[i].created;
        to->until = nonces[i].until;
        k->nnonces++;
    }
    return WBA_STORE_FRESH;
}

/* What there is at the URL of an agent that is looked up. */
static inline void
kit_offer_found(kit_t *k)
{
    wba_verify_t *v = &k->verify;
    wba_keyring_match_t match = { .directory = WBA_DISCOVERED };
    uint8_t text[WBA_THUMBPRINT_TEXT_SIZE];
    size_t i;

    if (!wba_str_eq(v->key.agent_url, wba_str_z(k->found_at))) {
        return;
    }
    for (i = 0; i < k->found.count; i++) {
        match.key = k->found.keys[i];
        wba_thumbprint_text(match.key.thumbprint, text);
        match.by_thumbprint =
            wba_str_eq(v->key.keyid, wba_str(text, sizeof(text)));
        match.by_kid = wba_str_eq(v->key.keyid, match.key.kid);
        if (match.by_thumbprint || match.by_kid) {
            wba_verify_offer(v, &match);
        }
    }
}

static inline void
kit_offer(kit_t *k)
{
    wba_verify_t *v = &k->verify;
    wba_keyring_match_t match;
    size_t cursor = 0;

    kit_trace(k, v->key.refetch ? 'R' : 'K');
    if (k->at_key != NULL) {
        k->at_key(k);
        k->at_key = NULL;
    }
    while (wba_keyring_next(k->ring, v->key.keyid, &cursor, &match) == WBA_OK) {
        wba_verify_offer(v, &match);
    }
    if (v->key.discover) {
        kit_offer_found(k);
    }
    wba_verify_keys(v, k->why);
}

static inline void
kit_feed(kit_t *k)
{
    size_t i;

    kit_trace(k, 'D');
    for (i = 0; i < k->raw.body.len; i++) { /* byte by byte, as it may come */
        wba_verify_feed(&k->verify, k->raw.body.data + i, 1);
    }
    wba_verify_body(&k->verify, k->body_complete);
}

static inline void
kit_drive(kit_t *k)
{
    wba_verify_t *v = &k->verify;
    unsigned guard = 0;
    wba_need_t need;

    while ((need = wba_verify_step(v, k->now)) != WBA_DONE) {
        assert_true(guard++ < 200);
        if (need == k->stop) {
            break;
        }
        switch (need) {
        case WBA_NEED_KEY:
            kit_offer(k);
            break;
        case WBA_NEED_BODY:
            kit_feed(k);
            break;
        default:
            kit_trace(k, 'N');
            wba_verify_recorded(v, kit_record(k, v->nonces, v->nnonces));
            break;
        }
    }
    wba_judge(&v->facts, &k->policy, k->now, &k->verdict);
}

/* ---- making one */

static inline void
kit_make_keys(kit_t *k)
{
    uint8_t seed[32];
    size_t i;

    for (i = 0; i < KIT_KEYS; i++) {
        kit_key_t *key = &k->keys[i];

        memset(seed, (int) i + 1, sizeof(seed));
        crypto_sign_seed_keypair(key->pub, key->secret, seed);
        wba_jwk_thumbprint_ed25519(key->pub, key->thumbprint);
        wba_thumbprint_text(key->thumbprint, (uint8_t *) key->text);
    }
}

static inline kit_t *
kit_new(void)
{
    kit_t *k = calloc(1, sizeof(*k));

    assert_non_null(k);
    assert_int_equal(wba_crypto_init(), WBA_OK);
    kit_make_keys(k);
    k->mem.alloc = kit_alloc;
    k->mem.ctx = k;
    k->served = true;
    k->why = WBA_REASON_KEY_UNKNOWN;
    k->body = "";
    k->body_complete = true;
    k->scheme = "https";
    k->stop = WBA_DONE;
    k->now = NOW;
    k->env.directories = k->directories;
    k->env.tags = k->tags;
    k->env.nonce_seen = kit_nonce_seen;
    k->env.ctx = k;
    wba_policy_default(&k->policy);
    k->policy.mode = WBA_MODE_ON;
    return k;
}

static inline unsigned
kit_directory(kit_t *k, const char *name, const char *profile,
              const char *agent)
{
    unsigned i = (unsigned) k->env.ndirectories++;
    wba_directory_t *d = &k->directories[i];

    assert_true(i < KIT_DIRECTORIES);
    d->name = wba_str_z(name);
    d->profile = *wba_profile_find(wba_str_z(profile));
    d->agent = wba_str_z(agent);
    d->agent_identity = d->agent;
    return i;
}

/* Every agent may be looked up. */
static inline wba_discovery_t *
kit_discovery(kit_t *k, const char *profile)
{
    wba_directory_t *d = &k->discovery.directory;

    d->name = WBA_STR("discovery");
    d->profile = *wba_profile_find(wba_str_z(profile));
    k->discovery.any = true;
    k->env.discovery = &k->discovery;
    return &k->discovery;
}

static inline wba_key_t *
kit_add(kit_t *k, kit_set_t *set, unsigned who, const char *kid)
{
    wba_key_t *key = &set->keys[set->count++];

    assert_true(set->count <= KIT_SET_KEYS);
    key->type = WBA_KEY_ED25519;
    key->algs = WBA_ALG_ED25519;
    key->thumbprint = k->keys[who].thumbprint;
    key->kid = wba_str_z(kid);
    key->pub = wba_str(k->keys[who].pub, 32);
    return key;
}

/* The key that was put there, for further dressing. */
static inline wba_key_t *
kit_put(kit_t *k, unsigned directory, unsigned who, const char *kid)
{
    return kit_add(k, &k->sets[directory], who, kid);
}

/* A shop with what most tests want: TAP without agent (alice, with a kid), and
 * two bots with one (bob is a's, carol is b's). */
enum { D_TAP, D_A, D_B };

static inline kit_t *
kit_shop(void)
{
    kit_t *k = kit_new();

    kit_put(k, kit_directory(k, "visa", "tap", NULL), ALICE, "kid-alice");
    kit_put(k, kit_directory(k, "a", "web-bot-auth", AGENT_A), BOB, NULL);
    kit_put(k, kit_directory(k, "b", "web-bot-auth", AGENT_B), CAROL, NULL);
    return k;
}

/* (Re)builds what is derived from the directories and their keys. */
static inline void
kit_index(kit_t *k)
{
    wba_keyset_t sets[KIT_DIRECTORIES];
    wba_directory_t all[KIT_DIRECTORIES + 1];
    unsigned ids[KIT_DIRECTORIES];
    size_t j, n = k->env.ndirectories;
    unsigned i;

    memcpy(all, k->directories, n * sizeof(all[0]));
    if (k->env.discovery != NULL) {
        all[n++] = k->discovery.directory;
    }
    k->env.ntags = wba_served_tags(all, n, k->tags, COUNT(k->tags));
    assert_true(k->env.ntags <= COUNT(k->tags));
    for (i = 0; i < k->env.ndirectories; i++) {
        wba_keyset_builder_t *b = wba_keyset_builder_new();

        assert_non_null(b);
        for (j = 0; j < k->sets[i].count; j++) {
            assert_int_equal(wba_keyset_builder_add(b, &k->sets[i].keys[j]),
                             WBA_OK);
        }
        assert_int_equal(wba_keyset_builder_take(b, &sets[i]), WBA_OK);
        wba_keyset_builder_free(b);
        ids[i] = i;
    }
    wba_keyring_free(k->ring);
    k->ring = wba_keyring_new(sets, ids, k->env.ndirectories);
    assert_non_null(k->ring);
    for (i = 0; i < k->env.ndirectories; i++) {
        free((void *) sets[i].data);
    }
}

static inline void
kit_free(kit_t *k)
{
    kit_free_blocks(k);
    wba_keyring_free(k->ring);
    free(k->exact);
    free(k);
}

/* ---- a request */

static inline void
kit_append(char *to, size_t size, const char *what)
{
    assert_true(strlen(to) + strlen(what) < size);
    strcat(to, what);
}

/* Begins a request: its request line and fields, each line ended. */
static inline void
kit_request(kit_t *k, const char *head)
{
    k->head[0] = k->inputs[0] = k->values[0] = '\0';
    kit_append(k->head, sizeof(k->head), head);
}

static inline void
kit_answers(kit_t *k)
{
    k->ops = *k->raw.message.ops;
    k->ops.authority_served = kit_served;
    k->ops.next_line = kit_next_line;
    k->message.ops = &k->ops;
    k->message.ctx = k;
    k->raw.scheme = wba_str_z(k->scheme);
    k->raw.authority_override = wba_str_z(k->authority_override);
}

static inline void
kit_parse(kit_t *k, wba_str_t text)
{
    size_t line;

    free(k->exact);
    k->exact = malloc(text.len ? text.len : 1);
    assert_non_null(k->exact);
    memcpy(k->exact, text.data, text.len);
    text.data = k->exact;
    assert_int_equal(wba_raw_message_parse(text, &k->raw, &line), WBA_OK);
    kit_answers(k);
}

/* The base over the head for an inner list; false when there can be none. */
static inline bool
kit_base(kit_t *k, const char *list, wba_buf_t *base)
{
    wba_components_t *components = wba_alloc(&k->mem, sizeof(*components));
    wba_str_t authority = WBA_STR_NONE;
    wba_sf_value_t value;
    wba_reason_t why;
    wba_sf_iter_t it;
    size_t at;

    kit_parse(k, wba_str_z(k->head));
    wba_sf_list_init(&it, wba_str_z(list));
    if (wba_sf_list_next(&it, &value) != WBA_OK
        || wba_components_parse(&value, &k->mem, components, &why) != WBA_OK)
    {
        return false;
    }
    wba_message_authority(&k->message, &k->mem, &authority);
    wba_buf_init(base, &k->mem, WBA_MAX_BASE);
    return wba_sigbase_build(&k->message, authority, &value, components,
                             &k->mem, base, &why, &at)
           == WBA_OK;
}

/* Adds a signature to the fields. */
static inline void
kit_send(kit_t *k, const char *label, const char *member,
         const uint8_t signature[crypto_sign_BYTES])
{
    char text[128];

    sodium_bin2base64(text, sizeof(text), signature, crypto_sign_BYTES,
                      sodium_base64_VARIANT_ORIGINAL);
    if (k->inputs[0] != '\0') {
        kit_append(k->inputs, sizeof(k->inputs), ", ");
        kit_append(k->values, sizeof(k->values), ", ");
    }
    kit_append(k->inputs, sizeof(k->inputs), label);
    kit_append(k->inputs, sizeof(k->inputs), "=");
    kit_append(k->inputs, sizeof(k->inputs), member);
    kit_append(k->values, sizeof(k->values), label);
    kit_append(k->values, sizeof(k->values), "=:");
    kit_append(k->values, sizeof(k->values), text);
    kit_append(k->values, sizeof(k->values), ":");
}

/* Signs lines and member as they are, as those do who know no structured
 * fields. */
static inline void
kit_sign_text(kit_t *k, unsigned who, const char *label, const char *lines,
              const char *member)
{
    uint8_t signature[crypto_sign_BYTES];
    static char base[KIT_TEXT];
    int n;

    n = snprintf(base, sizeof(base), "%s\"@signature-params\": %s", lines,
                 member);
    crypto_sign_detached(signature, NULL, (const uint8_t *) base, (size_t) n,
                         k->keys[who].secret);
    kit_send(k, label, member, signature);
}

/* Signs the head.  input: the member of Signature-Input, $ standing for the
 * signer's thumbprint.  What cannot be signed gets 64 bytes of rubbish. */
static inline void
kit_sign(kit_t *k, unsigned who, const char *label, const char *input)
{
    static char expanded[KIT_TEXT];
    uint8_t signature[crypto_sign_BYTES] = { 1, 2, 3 };
    wba_buf_t base;
    const char *p;
    size_t n = 0;

    for (p = input; *p != '\0'; p++) {
        n += (size_t) snprintf(expanded + n, sizeof(expanded) - n,
                               *p == '$' ? "%s" : "%.1s",
                               *p == '$' ? k->keys[who].text : p);
    }
    k->fail_at = 0;
    if (kit_base(k, expanded, &base)) {
        crypto_sign_detached(signature, NULL, base.data, base.len,
                             k->keys[who].secret);
    }
    kit_free_blocks(k);
    kit_send(k, label, expanded, signature);
}

static inline void
kit_write(kit_t *k)
{
    bool has_input = k->inputs[0] != '\0';

    snprintf(k->text, sizeof(k->text), "%s%s%s%s%s%s%s\r\n%s", k->head,
             has_input ? "Signature-Input: " : "", k->inputs,
             has_input ? "\r\n" : "", k->values[0] ? "Signature: " : "",
             k->values, k->values[0] ? "\r\n" : "", k->body);
}

static inline void
kit_pass(kit_t *k)
{
    k->traced = 0;
    k->trace[0] = '\0';
    kit_answers(k);
    wba_verify_begin(&k->verify, &k->policy);
    kit_drive(k);
}

/* What was parsed into raw goes through a first pass. */
static inline void
kit_start(kit_t *k)
{
    kit_free_blocks(k);
    k->last_recorded = 0;
    wba_verify_init(&k->verify, &k->env, &k->message, &k->mem);
    kit_pass(k);
}

static inline void
kit_run(kit_t *k)
{
    if (k->ring == NULL) {
        kit_index(k);
    }
    kit_write(k);
    kit_parse(k, wba_str_z(k->text));
    kit_start(k);
}

/* One signature over the usual head, from beginning to end. */
static inline void
kit_once(kit_t *k, unsigned who, const char *input)
{
    kit_request(k, HEAD);
    kit_sign(k, who, "sig1", input);
    kit_run(k);
}

/* ---- expectations */

#define expect_verdict(k, reason) expect_verdict_at(k, reason, __LINE__)
#define expect_trace(k, trace) expect_trace_at(k, trace, __LINE__)

static inline void
expect_verdict_at(const kit_t *k, wba_reason_t want, int line)
{
    if (k->verdict.reason != want) {
        fail_msg("line %d\n%.600s\n  got:  %s (%s)\n  want: %s", line,
                 k->text,
                 (const char *) wba_reason_info(k->verdict.reason)->name.data,
                 k->trace, (const char *) wba_reason_info(want)->name.data);
    }
    if ((want == WBA_REASON_OK || want == WBA_REASON_DENIED_BY_RULE)
        != (k->verdict.signature != NULL))
    {
        fail_msg("line %d: a signature is described although %s, or not", line,
                 (const char *) wba_reason_info(want)->name.data);
    }
}

static inline void
expect_trace_at(const kit_t *k, const char *want, int line)
{
    if (strcmp(k->trace, want) != 0) {
        fail_msg("line %d: asked %s, want %s", line, k->trace, want);
    }
}

#endif
