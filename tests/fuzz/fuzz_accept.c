/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accept-Signature: a legal field within its bounds; and whoever signs exactly
 * what a member asks for is let in.  Challenges: a nonce is taken back as it
 * was given out, for the same host, in its time, and not otherwise.
 *
 * Input: the shop, a location's policy, changes of a nonce.
 */
#include "accept.h"
#include "fuzz_host.h"

static fuzz_mem_t m;

static const wba_component_t required[] = {
    { .name = { 7, (const uint8_t *) "@method" } },
    { .name = { 6, (const uint8_t *) "@query" } },
    { .name = { 14, (const uint8_t *) "content-digest" } },
    { .name = { 14, (const uint8_t *) "content-digest" },
      .key = { 7, (const uint8_t *) "sha-256" } },
    { .name = { 10, (const uint8_t *) "@authority" } },
    { .name = { 11, (const uint8_t *) "@target-uri" } },
    { .name = { 12, (const uint8_t *) "@query-param" },
      .param = { 1, (const uint8_t *) "q" } },
    { .name = { 8, (const uint8_t *) "priority" }, .sf = true },
    { .name = { 8, (const uint8_t *) "priority" }, .bs = true },
    { .name = { 8, (const uint8_t *) "priority" } },
};

/* Of what a signer is or may choose to be. */
static const wba_rule_t rules[] = {
    { .allow = false, .tag = { 12, (const uint8_t *) "web-bot-auth" } },
    { .allow = true, .tag = { 18, (const uint8_t *) "agent-browser-auth" } },
    { .allow = true, .directory = { 4, (const uint8_t *) "visa" } },
    { .allow = false, .directory = { 9, (const uint8_t *) "discovery" } },
    { .allow = false, .tag = { 14, (const uint8_t *) "agent-pay-auth" } },
    { .allow = true },
    { .allow = false },
    /* from here on: of who that is, hence nobody might match */
    { .allow = false, .agent = { 22, (const uint8_t *) AGENT_A } },
    { .allow = true, .agent = { 17, (const uint8_t *) AGENT_B } },
    { .allow = false, .keyid = { 5, (const uint8_t *) "kid-a" } },
    { .allow = true, .tag = { 12, (const uint8_t *) "web-bot-auth" },
      .keyid = { 3, (const uint8_t *) "kid" } },
};

#define RULES_SURE 7

/* --- signing what is asked for */

typedef struct {
    const host_shop_t *shop;
    const wba_policy_t *policy;
    bool sure; /* whoever is meant by the rules exists */
    wba_str_t label;
    wba_sf_value_t member;
    wba_str_t tag;
} ask_t;

/* The URL that its agents send; absent: none. */
static wba_str_t
agent_of(const host_shop_t *shop, const wba_directory_t *d)
{
    return d == &shop->discovery.directory ? WBA_STR(FOUND) : d->agent;
}

/* The request that a signer of d would send, by key who. */
static wba_str_t
request_for(const ask_t *ask, const wba_directory_t *d, unsigned who)
{
    wba_str_t agent = agent_of(ask->shop, d);
    static wba_raw_message_t raw;
    wba_sf_value_t item;
    wba_buf_t text, list;
    wba_sf_iter_t it;
    wba_str_t value;
    size_t line, head;
    char params[256];

    wba_buf_init(&list, &m.mem, 8192);
    wba_buf_str(&list, ask->label);
    wba_buf_lit(&list, "=(");
    wba_sf_inner_init(&it, &ask->member);
    while (wba_sf_inner_next(&it, &item) == WBA_OK) {
        wba_buf_str(&list, item.raw);
        wba_buf_byte(&list, ' ');
    }
    list.len -= list.data[list.len - 1] == ' ';
    (void) snprintf(params, sizeof(params),
                    ");created=%lld;expires=%lld;keyid=\"%s\";"
                    "alg=\"ed25519\";tag=\"%.*s\"",
                    (long long) NOW - 5, (long long) NOW + 50,
                    host_keys[who].text, (int) ask->tag.len,
                    (const char *) ask->tag.data);
    wba_buf_str(&list, wba_str_z(params));
    wba_buf_lit(&list, ";nonce=");
    if (ask->policy->challenge != NULL) {
        wba_sf_iter_t p;
        wba_str_t key;

        wba_sf_params_init(&p, ask->member.params);
        while (wba_sf_params_next(&p, &key, &item) == WBA_OK) {
            if (wba_str_eq(key, WBA_STR("nonce"))) {
                wba_buf_str(&list, item.raw);
            }
        }
    } else {
        wba_buf_lit(&list, "\"of my own\"");
    }

    wba_buf_init(&text, &m.mem, 65536);
    wba_buf_lit(&text, "GET /p?q=1 HTTP/1.1\r\nHost: " SHOP "\r\n"
                       "Priority: u=1, i\r\nContent-Digest: sha-256="
                       ":47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:\r\n");
    if (agent.data != NULL) {
        wba_buf_lit(&text, "Signature-Agent: ");
        wba_buf_str(&text, ask->label);
        wba_buf_lit(&text, "=\"");
        wba_buf_str(&text, agent);
        wba_buf_lit(&text, "\"\r\n");
    }
    wba_buf_lit(&text, "Signature-Input: ");
    wba_buf_str(&text, wba_buf_view(&list));
    wba_buf_lit(&text, "\r\n");
    head = text.len;
    CHECK(wba_raw_message_parse(wba_str(text.data, head), &raw, &line)
          == WBA_OK);
    value = host_sign_all(&raw, who, false, &m.mem);
    wba_buf_lit(&text, "Signature: ");
    wba_buf_str(&text, value);
    wba_buf_lit(&text, "\r\n\r\n");
    return wba_buf_view(&text);
}

static bool
lets_in(const ask_t *ask, wba_str_t text)
{
    static host_request_t r;
    bool in;
    size_t line;

    memset(&r, 0, sizeof(r));
    fuzz_mem_init(&r.m);
    CHECK(wba_raw_message_parse(text, &r.raw, &line) == WBA_OK);
    r.now = NOW;
    r.served = true;
    r.body_complete = true;
    r.policy = *ask->policy;
    host_run(&r, ask->shop);
    in = r.verdict.reason == WBA_REASON_OK;
    fuzz_mem_free(&r.m);
    host_nnonces = 0;
    return in;
}

/* Whether any signer of a directory that serves the tag gets in. */
static bool
somebody_gets_in(const ask_t *ask)
{
    const host_shop_t *shop = ask->shop;
    const wba_directory_t *d;
    unsigned who;
    size_t i;

    for (i = 0; i <= shop->env.ndirectories; i++) {
        d = i < shop->env.ndirectories ? &shop->directories[i]
                                       : shop->env.discovery != NULL
            ? &shop->discovery.directory
            : NULL;
        if (d == NULL || wba_profile_tag(&d->profile, ask->tag) == NULL) {
            continue;
        }
        for (who = 0; who < HOST_KEYS; who++) {
            if (lets_in(ask, request_for(ask, d, who))) {
                return true;
            }
        }
    }
    return false;
}

/* --- the field */

static void
member(ask_t *ask)
{
    static wba_components_t components;
    wba_sf_value_t value;
    unsigned created = 0, expires = 0, nonce = 0, tag = 0;
    wba_reason_t why;
    wba_sf_iter_t it;
    wba_str_t key;

    CHECK(ask->member.type == WBA_SF_INNER_LIST);
    CHECK(wba_components_parse(&ask->member, &m.mem, &components, &why)
          == WBA_OK);
    CHECK(wba_components_cover_target(&components));
    wba_sf_params_init(&it, ask->member.params);
    while (wba_sf_params_next(&it, &key, &value) == WBA_OK) {
        created += wba_str_eq(key, WBA_STR("created"));
        expires += wba_str_eq(key, WBA_STR("expires"));
        nonce += wba_str_eq(key, WBA_STR("nonce"));
        if (wba_str_eq(key, WBA_STR("tag"))) {
            tag++;
            CHECK(wba_sf_string(&value, &m.mem, &ask->tag) == WBA_OK);
        }
    }
    CHECK(created == 1 && expires == 1 && tag == 1);
    CHECK(nonce == (ask->policy->challenge != NULL));
    CHECK(!ask->sure || somebody_gets_in(ask));
}

static void
accept_field(const host_shop_t *shop, const wba_policy_t *policy, bool sure)
{
    static const uint8_t random[WBA_CHALLENGE_RANDOM_SIZE] = "random enough";
    ask_t ask = { .shop = shop, .policy = policy, .sure = sure };
    uint8_t nonce[WBA_CHALLENGE_SIZE];
    wba_accept_t accept;
    wba_status_t status;
    uint8_t *filled;
    wba_sf_iter_t it;

    CHECK(wba_accept_write(&shop->env, policy, &m.mem, &accept) == WBA_OK);
    CHECK(accept.text.len <= WBA_MAX_ACCEPT);
    CHECK(accept.members <= WBA_MAX_ACCEPT_MEMBERS);
    CHECK((accept.text.len == 0) == (accept.members == 0));
    CHECK(accept.nnonces == (policy->challenge ? accept.members : 0));
    filled = wba_alloc(&m.mem, accept.text.len);
    wba_challenge_make(&host_challenge, WBA_STR(SHOP), NOW - 1, random, nonce);
    wba_accept_fill(&accept, nonce, filled);

    wba_sf_dict_init(&it, wba_str(filled, accept.text.len));
    while ((status = wba_sf_dict_next(&it, &ask.label, &ask.member))
           == WBA_OK)
    {
        member(&ask);
    }
    CHECK(status == WBA_END && it.count == accept.members);
}

/* --- challenges */

static void
challenge(fuzz_in_t *in)
{
    int64_t made = fuzz_int64(in) & INT64_MAX, now;
    uint8_t random[WBA_CHALLENGE_RANDOM_SIZE] = { 0 };
    uint8_t nonce[WBA_CHALLENGE_SIZE], changed[WBA_CHALLENGE_SIZE];
    wba_challenge_key_t other;
    wba_reason_t reason;
    wba_str_t host;
    bool same;

    made %= INT64_C(253402300799);
    now = made + (int16_t) fuzz_number(in, 2) / 64;
    random[0] = fuzz_byte(in);
    host = fuzz_copy(&m, fuzz_until(in, '\n'));
    wba_challenge_make(&host_challenge, host, made, random, nonce);
    reason = wba_challenge_check(&host_challenge, host,
                                 wba_str(nonce, sizeof(nonce)), now);
    CHECK(reason != WBA_REASON_NONCE_NOT_CHALLENGED);
    CHECK(reason == WBA_REASON_OK || now < made
          || now >= made + WBA_CHALLENGE_LIFETIME);
    CHECK(reason != WBA_REASON_OK || now < made + WBA_CHALLENGE_LIFETIME);
    CHECK(wba_challenge_end(wba_str(nonce, sizeof(nonce)))
          == made + WBA_CHALLENGE_LIFETIME);
    wba_challenge_derive(&other, "another secret here", 19);
    CHECK(wba_challenge_check(&other, host, wba_str(nonce, sizeof(nonce)), now)
          == WBA_REASON_NONCE_NOT_CHALLENGED);
    CHECK(wba_challenge_check(&host_challenge, WBA_STR("Not/a/host"),
                              wba_str(nonce, sizeof(nonce)), now)
          == WBA_REASON_NONCE_NOT_CHALLENGED);

    memcpy(changed, nonce, sizeof(nonce));
    while (in->len >= 2) {
        uint8_t at = fuzz_byte(in) % sizeof(changed);

        changed[at] ^= fuzz_byte(in);
    }
    same = memcmp(changed, nonce, sizeof(nonce)) == 0;
    reason = wba_challenge_check(&host_challenge, host,
                                 wba_str(changed, sizeof(changed)), now);
    CHECK(same || reason == WBA_REASON_NONCE_NOT_CHALLENGED);
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
    fuzz_in_t in = wba_str(data, size);
    wba_component_t components[4];
    wba_rule_t list[4];
    wba_policy_t policy;
    unsigned flags, i, which;
    bool sure = true;
    const host_shop_t *shop = &host_shops[fuzz_below(&in, HOST_SHOPS)];

    fuzz_mem_init(&m);
    host_forget();
    wba_policy_default(&policy);
    policy.mode = WBA_MODE_ON;
    flags = fuzz_byte(&in);
    policy.challenge = flags & 1 ? &host_challenge : NULL;
    policy.nonce_required = (flags & 2) != 0;
    policy.digest = (wba_digest_policy_t) ((flags >> 2) % 3);
    policy.components = components;
    policy.ncomponents = (flags >> 4) % 5;
    policy.rules = list;
    policy.nrules = fuzz_below(&in, 5);
    for (i = 0; i < 4; i++) {
        components[i] = required[fuzz_below(&in, COUNT(required))];
        which = fuzz_below(&in, COUNT(rules));
        list[i] = rules[which];
        sure = sure && (i >= policy.nrules || which < RULES_SURE);
    }
    accept_field(shop, &policy, sure);
    for (i = 0; i < WBA_REASON_COUNT; i++) {
        bool helps = wba_accept_helps(&policy, (wba_reason_t) i);

        CHECK(!helps || wba_class_default_status(
                            wba_reason_info((wba_reason_t) i)->class) != 503);
    }
    challenge(&in);
    fuzz_mem_free(&m);
    return 0;
}
