/* SPDX-License-Identifier: BSD-2-Clause */
/* core/accept: what Accept-Signature asks for, read back by core's parser; and
 * that whoever does as it says is let in. */
#include "accept.h"
#include "kit.h"

#define AUTH "(\"@authority\")"
#define TARGET "(\"@authority\" \"@path\")"
#define BROWSER ";created;expires;tag=\"agent-browser-auth\""
#define PAYER ";created;expires;tag=\"agent-payer-auth\""
#define MEMBER(n, list, rest) "sig" #n "=" list rest
#define OF_BOT(n) \
    "sig" #n "=(\"@authority\" \"signature-agent\";key=\"sig" #n "\")" \
    ";created;expires;tag=\"web-bot-auth\""
#define TAP_BOTH MEMBER(1, TARGET, BROWSER) ", " MEMBER(2, TARGET, PAYER)

#define T(s) { sizeof(s) - 1, (const uint8_t *) (s) }
#define A_ID T("https://a.example/keys")

/* No keys and no requests: an environment to write for. */
typedef struct {
    kit_t *k;
    wba_rule_t rules[8];
    wba_component_t components[80];
    wba_accept_t accept;
} case_t;

static void
begin(case_t *c)
{
    memset(c, 0, sizeof(*c));
    c->k = kit_new();
    c->k->policy.rules = c->rules;
    c->k->policy.components = c->components;
}

static void
end(case_t *c)
{
    kit_free(c->k);
}

static void
require(case_t *c, const char *text)
{
    assert_int_equal(
        wba_component_from_text(wba_str_z(text), &c->k->mem,
                                &c->components[c->k->policy.ncomponents++]),
        WBA_OK);
}

static void
write_accept(case_t *c)
{
    assert_int_equal(wba_accept_write(&c->k->env, &c->k->policy, &c->k->mem,
                                      &c->accept),
                     WBA_OK);
}

static void
expect_at(case_t *c, const char *want, int line)
{
    write_accept(c);
    if (!wba_str_eq(c->accept.text, wba_str_z(want))) {
        fail_msg("line %d\n got: %.*s\nwant: %s", line,
                 (int) c->accept.text.len,
                 (const char *) c->accept.text.data, want);
    }
}

#define EXPECT(c, want) expect_at(c, want, __LINE__)

/* ---- what is asked */

static void
profiles(void **state)
{
    case_t c;

    (void) state;
    begin(&c);
    EXPECT(&c, "");
    assert_int_equal(c.accept.members, 0);
    kit_directory(c.k, "visa", "tap", NULL);
    EXPECT(&c, TAP_BOTH);
    assert_int_equal(c.accept.members, 2);
    assert_int_equal(c.accept.nnonces, 0);

    /* No second time, although a tag of its own is there. */
    kit_directory(c.k, "mastercard", "agent-pay", NULL);
    EXPECT(&c, TAP_BOTH ", " MEMBER(3, TARGET, ";created;expires"
           ";tag=\"agent-pay-auth\""));
    end(&c);

    /* One that stands for an agent asks for its name; one that does not
     * verifies nobody who gives one. */
    begin(&c);
    kit_directory(c.k, "a", "web-bot-auth", AGENT_A);
    EXPECT(&c, OF_BOT(1));
    kit_directory(c.k, "b", "web-bot-auth", AGENT_B);
    EXPECT(&c, OF_BOT(1));
    kit_directory(c.k, "listed", "web-bot-auth", NULL);
    EXPECT(&c, OF_BOT(1) ", " MEMBER(2, AUTH,
           ";created;expires;tag=\"web-bot-auth\""));
    kit_discovery(c.k, "web-bot-auth");
    EXPECT(&c, OF_BOT(1) ", " MEMBER(2, AUTH,
           ";created;expires;tag=\"web-bot-auth\""));
    end(&c);

    begin(&c);
    kit_discovery(c.k, "web-bot-auth");
    EXPECT(&c, OF_BOT(1));
    end(&c);
}

static void
labels(void **state)
{
    case_t c;

    (void) state;
    begin(&c);
    kit_directory(c.k, "visa", "tap", NULL);
    kit_directory(c.k, "a", "web-bot-auth", AGENT_A);
    kit_discovery(c.k, "web-bot-auth")->directory.profile.tags[0].text =
        WBA_STR("found");
    EXPECT(&c, TAP_BOTH ", " OF_BOT(3) ", sig4=(\"@authority\" "
           "\"signature-agent\";key=\"sig4\");created;expires;tag=\"found\"");
    end(&c);
}

/* What the directory and the location ask, each once; the target first where
 * nobody names it. */
static void
components(void **state)
{
    case_t c;
    wba_profile_t *p;

    (void) state;
    begin(&c);
    p = &c.k->directories[kit_directory(c.k, "x", "tap", NULL)].profile;
    p->ntags = 1;
    require(&c, "@path");
    require(&c, "@method");
    require(&c, "@method");
    EXPECT(&c, MEMBER(1, "(\"@authority\" \"@path\" \"@method\")", BROWSER));
    p->ncomponents = 0;
    EXPECT(&c, MEMBER(1, "(\"@authority\" \"@path\" \"@method\")", BROWSER));
    require(&c, "@target-uri");
    EXPECT(&c, MEMBER(1, "(\"@path\" \"@method\" \"@target-uri\")", BROWSER));
    c.k->policy.digest = WBA_DIGEST_ON;
    EXPECT(&c, MEMBER(1, "(\"@path\" \"@method\" \"@target-uri\")", BROWSER));
    c.k->policy.digest = WBA_DIGEST_REQUIRED;
    EXPECT(&c, MEMBER(1, "(\"@path\" \"@method\" \"@target-uri\" "
                         "\"content-digest\")", BROWSER));
    require(&c, "content-digest");
    EXPECT(&c, MEMBER(1, "(\"@path\" \"@method\" \"@target-uri\" "
                         "\"content-digest\")", BROWSER));
    end(&c);
}

/* Parameters are written as they are required; what another covers as well is
 * not asked twice. */
static void
parameters(void **state)
{
    case_t c;

    (void) state;
    begin(&c);
    c.k->directories[kit_directory(c.k, "x", "tap", NULL)].profile.ntags = 1;
    require(&c, "x-a");
    require(&c, "\"x-a\";bs");
    require(&c, "\"x-b\";sf");
    require(&c, "x-b");
    require(&c, "\"priority\";key=\"u\";sf");
    require(&c, "\"priority\";key=\"u\"");
    require(&c, "priority");
    require(&c, "\"@query-param\";name=\"a%20b\"");
    EXPECT(&c, MEMBER(1, "(\"@authority\" \"@path\" \"x-a\";bs \"x-b\";sf "
                         "\"priority\";key=\"u\" \"priority\" "
                         "\"@query-param\";name=\"a%20b\")", BROWSER));
    end(&c);
}

/* A Signature-Agent that somebody names already is not asked for again. */
static void
agents(void **state)
{
    case_t c;

    (void) state;
    begin(&c);
    kit_directory(c.k, "a", "web-bot-auth", AGENT_A);
    require(&c, "signature-agent");
    EXPECT(&c, "sig1=(\"@authority\" \"signature-agent\")"
               ";created;expires;tag=\"web-bot-auth\"");

    /* Nor is it asked of those whose directory verifies nobody who has one. */
    kit_directory(c.k, "visa", "tap", NULL);
    EXPECT(&c, "sig1=(\"@authority\" \"signature-agent\")"
               ";created;expires;tag=\"web-bot-auth\"");
    end(&c);
    begin(&c);
    kit_directory(c.k, "visa", "tap", NULL);
    kit_discovery(c.k, "web-bot-auth")->any = false; /* whom it looks up */
    c.rules[0] = (wba_rule_t) { .allow = true, .agent = A_ID };
    c.k->policy.nrules = 1;
    EXPECT(&c, "");
    end(&c);
}

static void
bounds(void **state)
{
    static char names[20][24];
    char text[80][16];
    static uint8_t long_tag[WBA_MAX_ACCEPT];
    wba_profile_t *p;
    case_t c;
    size_t i;

    (void) state;
    begin(&c);
    for (i = 0; i < 3; i++) {
        size_t j;

        p = &c.k->directories[kit_directory(c.k, "x", "tap", NULL)].profile;
        p->ntags = i < 2 ? WBA_MAX_TAGS : 4;
        for (j = 0; j < p->ntags; j++) {
            snprintf(names[i * WBA_MAX_TAGS + j], sizeof(names[0]), "t%zu",
                     i * WBA_MAX_TAGS + j);
            p->tags[j].text = wba_str_z(names[i * WBA_MAX_TAGS + j]);
        }
    }
    write_accept(&c);
    assert_int_equal(c.accept.members, WBA_MAX_ACCEPT_MEMBERS);

    /* One that cannot be written leaves the others and no gap. */
    c.k->env.ndirectories = 1;
    p = &c.k->directories[0].profile;
    p->ntags = 3;
    p->tags[0].text = WBA_STR("t\xc3\xa4g");
    memset(long_tag, 'a', sizeof(long_tag));
    p->tags[1].text = wba_str(long_tag, sizeof(long_tag));
    p->tags[2].text = WBA_STR("a\"b\\;nonce=");
    EXPECT(&c, MEMBER(1, TARGET, ";created;expires;"
                                 "tag=\"a\\\"b\\\\;nonce=\""));
    assert_int_equal(c.accept.members, 1);

    /* More than a signature can cover: nobody can be let in. */
    for (i = 0; i < 80; i++) {
        snprintf(text[i], sizeof(text[i]), "x-%zu", i);
        require(&c, text[i]);
    }
    EXPECT(&c, "");
    end(&c);
}

/* ---- rules */

typedef struct {
    int line;
    wba_rule_t rules[4];
    const char *who; /* directories a, b, listed, visa's tags, discovery */
} rules_case_t;

#define YES .allow = true
#define B_ID T("https://b.example/keys")

/* who: v visa's browsers, p its payers, a and b, l the listed, d discovery. */
static const rules_case_t rules_cases[] = {
    { __LINE__, { { YES, .tag = T("agent-payer-auth") } }, "p" },
    { __LINE__, { { .tag = T("agent-payer-auth") } }, "vabld" },
    { __LINE__, { { .tag = T("web-bot-auth") } }, "vpd" },
    { __LINE__, { { YES, .directory = T("b") } }, "b" },
    { __LINE__, { { YES, .directory = T("b"), .tag = T("found") } }, "" },
    { __LINE__, { { YES, .directory = T("discovery") } }, "d" },
    { __LINE__, { { .directory = T("visa") } }, "abld" },
    { __LINE__, { { .directory = T("visa") }, { YES } }, "abld" },
    { __LINE__, { { YES, .directory = T("visa") }, { .tag = T("found") } },
      "vp" },
    { __LINE__, { { YES, .tag = T("found") }, { .tag = T("web-bot-auth") } },
      "d" },
    { __LINE__, { { .tag = T("found") }, { YES, .tag = T("found") },
                  { YES, .directory = T("a") } }, "a" },
    /* Who they are may be so or not, but not everybody can be everyone. */
    { __LINE__, { { YES, .agent = A_ID } }, "ad" },
    { __LINE__, { { YES, .agent = T("https://other.example/") } }, "d" },
    { __LINE__, { { .agent = A_ID } }, "vpabld" },
    { __LINE__, { { .agent = A_ID }, { YES, .agent = A_ID } }, "" },
    { __LINE__, { { .agent = A_ID }, { YES, .agent = B_ID } }, "bd" },
    { __LINE__, { { YES, .keyid = T("k") } }, "vpabld" },
    { __LINE__, { { .keyid = T("k") } }, "vpabld" },
    { __LINE__, { { .keyid = T("k") }, { YES, .keyid = T("k") } }, "" },
    { __LINE__, { { .keyid = T("k") }, { YES, .keyid = T("l") } },
      "vpabld" },
    { __LINE__, { { .keyid = T("k") },
                  { YES, .keyid = T("k"), .agent = A_ID },
                  { YES, .directory = T("listed") } }, "l" },
    { __LINE__, { { .keyid = T("k"), .agent = A_ID },
                  { YES, .keyid = T("k") } }, "vpabld" },
    { __LINE__, { { .keyid = T("k") }, { .tag = T("web-bot-auth") },
                  { YES } }, "vpd" },
    { __LINE__, { { YES, .keyid = T("k") }, { .directory = T("visa") } },
      "vpabld" },
    { __LINE__, { { .directory = T("a"), .keyid = T("k") },
                  { YES, .keyid = T("k") } }, "vpbld" },
};

static void
put(char *to, bool first, const char *text)
{
    kit_append(to, 4096, first ? "" : ", ");
    kit_append(to, 4096, text);
}

/* Each directory's member is made distinct by a tag or component of its own. */
static bool
run_rules(const rules_case_t *t)
{
    static const char *const texts[] = {
        "v", "p", "a", "b", "l", "d",
    };
    wba_component_t own = { .name = WBA_STR("x-own") };
    char want[4096] = "", line[512];
    wba_profile_t *p;
    unsigned n = 0;
    size_t i;
    bool good;
    case_t c;

    begin(&c);
    kit_directory(c.k, "visa", "tap", NULL);
    kit_directory(c.k, "a", "web-bot-auth", AGENT_A);
    p = &c.k->directories[kit_directory(c.k, "b", "web-bot-auth", AGENT_B)]
             .profile;
    p->components[p->ncomponents++] = own;
    kit_directory(c.k, "listed", "web-bot-auth", NULL);
    p = &kit_discovery(c.k, "web-bot-auth")->directory.profile;
    p->tags[0].text = WBA_STR("found");

    memcpy(c.rules, t->rules, sizeof(t->rules));
    for (i = 0; i < COUNT(t->rules); i++) {
        const wba_rule_t *r = &t->rules[i];

        if (r->allow || r->tag.data || r->directory.data || r->agent.data
            || r->keyid.data)
        {
            c.k->policy.nrules = i + 1;
        }
    }
    for (i = 0; i < COUNT(texts); i++) {
        if (strchr(t->who, texts[i][0]) == NULL) {
            continue;
        }
        n++;
        snprintf(line, sizeof(line),
                 i == 0   ? "sig%u=" TARGET BROWSER
                 : i == 1 ? "sig%u=" TARGET PAYER
                 : i == 4 ? "sig%u=" AUTH ";created;expires"
                            ";tag=\"web-bot-auth\""
                          : "sig%u=(\"@authority\" %s\"signature-agent\""
                            ";key=\"sig%u\");created;expires;tag=\"%s\"",
                 n, i == 3 ? "\"x-own\" " : "", n,
                 i == 5 ? "found" : "web-bot-auth");
        put(want, n == 1, line);
    }
    write_accept(&c);
    good = wba_str_eq(c.accept.text, wba_str_z(want));
    if (!good) {
        print_error("line %d\n got: %.*s\nwant: %s\n", t->line,
                    (int) c.accept.text.len,
                    (const char *) c.accept.text.data, want);
    }
    end(&c);
    return good;
}

static void
rules(void **state)
{
    unsigned wrong = 0;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(rules_cases); i++) {
        wrong += !run_rules(&rules_cases[i]);
    }
    assert_int_equal(wrong, 0);
}

/* ---- round trip */

static wba_str_t
tag_of(const wba_sf_value_t *member, bool *created, bool *expires,
       wba_str_t *nonce, unsigned *count)
{
    wba_str_t key, tag = WBA_STR_NONE;
    wba_sf_value_t value;
    wba_sf_iter_t it;

    *created = *expires = false;
    *count = 0;
    wba_sf_params_init(&it, member->params);
    while (wba_sf_params_next(&it, &key, &value) == WBA_OK) {
        (*count)++;
        if (wba_str_eq(key, WBA_STR("tag"))) {
            assert_int_equal(value.type, WBA_SF_STRING);
            tag = value.text;
        } else if (wba_str_eq(key, WBA_STR("nonce"))) {
            assert_int_equal(value.type, WBA_SF_STRING);
            *nonce = value.text;
        } else {
            assert_int_equal(value.type, WBA_SF_BOOLEAN);
            assert_true(value.boolean);
            *created |= wba_str_eq(key, WBA_STR("created"));
            *expires |= wba_str_eq(key, WBA_STR("expires"));
        }
    }
    return tag;
}

static void
read_back(void **state)
{
    static const char *const tags[] = { "agent-browser-auth",
                                        "agent-payer-auth", "web-bot-auth" };
    wba_challenge_key_t key = { { 1 } };
    uint8_t random[WBA_CHALLENGE_RANDOM_SIZE] = { 2 };
    uint8_t nonce[WBA_CHALLENGE_SIZE], text[WBA_MAX_ACCEPT];
    wba_str_t label, got;
    wba_sf_value_t member;
    wba_sf_iter_t it;
    unsigned n = 0, params;
    bool created, expires;
    char want[8];
    wba_buf_t canonical;
    case_t c;

    (void) state;
    begin(&c);
    kit_directory(c.k, "visa", "tap", NULL);
    kit_directory(c.k, "a", "web-bot-auth", AGENT_A);
    c.k->policy.challenge = &key;
    write_accept(&c);
    assert_int_equal(c.accept.members, 3);
    assert_int_equal(c.accept.nnonces, 3);

    wba_challenge_make(&key, WBA_STR("shop.example"), NOW, random, nonce);
    wba_accept_fill(&c.accept, nonce, text);

    wba_buf_init(&canonical, &c.k->mem, WBA_MAX_ACCEPT);
    assert_int_equal(
        wba_sf_canonical_dict(&canonical, wba_str(text, c.accept.text.len)),
        WBA_OK);
    assert_true(wba_str_eq(wba_buf_view(&canonical),
                           wba_str(text, c.accept.text.len)));

    wba_sf_dict_init(&it, wba_str(text, c.accept.text.len));
    while (wba_sf_dict_next(&it, &label, &member) == WBA_OK) {
        wba_components_t list;
        wba_reason_t why;

        snprintf(want, sizeof(want), "sig%u", n + 1);
        assert_true(wba_str_eq(label, wba_str_z(want)));
        assert_int_equal(
            wba_components_parse(&member, &c.k->mem, &list, &why), WBA_OK);
        assert_true(wba_components_cover_target(&list));
        got = WBA_STR_NONE;
        assert_true(wba_str_eq(
            tag_of(&member, &created, &expires, &got, &params),
            wba_str_z(tags[n])));
        assert_true(created && expires);
        assert_int_equal(params, 4);
        assert_true(wba_str_eq(got, wba_str(nonce, sizeof(nonce))));
        n++;
    }
    assert_int_equal(n, 3);
    end(&c);

    /* An empty one has nothing to fill. */
    memset(&c.accept, 0, sizeof(c.accept));
    wba_accept_fill(&c.accept, nonce, text);
}

/* Whoever signs exactly what is listed is let in, by each member; without any
 * one of its components nobody is. */
static const struct {
    const char *list;
    unsigned who;
    const char *params;
} signers[] = {
    { TARGET, ALICE, BROWSE },
    { TARGET, ALICE, PAY },
    { "(\"@authority\" \"signature-agent\";key=\"sig3\")", BOB, BOT },
};

static void
as_listed(void **state)
{
    wba_challenge_key_t key = { { 1 } };
    uint8_t random[WBA_CHALLENGE_RANDOM_SIZE] = { 3 };
    uint8_t nonce[WBA_CHALLENGE_SIZE];
    char input[1024], label[8], times;
    size_t i;
    kit_t *k;

    (void) state;
    for (i = 0; i < COUNT(signers); i++) {
        for (times = 0; times < 3; times++) {
            k = kit_shop();
            k->policy.challenge = &key;
            wba_challenge_make(&key,
                               times == 2 ? WBA_STR("other.example")
                                          : WBA_STR("shop.example"),
                               times == 1 ? NOW - WBA_CHALLENGE_LIFETIME
                                          : NOW,
                               random, nonce);
            kit_request(k, HEAD "Signature-Agent: sig3=\"" AGENT_A "\"\r\n");
            snprintf(input, sizeof(input), "%s" TIMES KEYID ED
                     ";nonce=\"%.60s\"%s", signers[i].list,
                     (const char *) nonce, signers[i].params);
            snprintf(label, sizeof(label), "sig%zu", i + 1);
            kit_sign(k, signers[i].who, label, input);
            kit_run(k);
            expect_verdict_at(k, times == 0   ? WBA_REASON_OK
                                 : times == 1 ? WBA_REASON_CHALLENGE_EXPIRED
                                              : WBA_REASON_NONCE_NOT_CHALLENGED,
                              __LINE__);
            if (times == 0) {
                /* Remembered for as long as the nonce could be of use. */
                assert_int_equal(k->nnonces, 1);
                assert_int_equal(k->nonces[0].until,
                                 NOW + WBA_CHALLENGE_LIFETIME + WBA_MAX_SKEW);
                assert_null(strchr(k->trace, 'D'));
            } else {
                assert_null(strchr(k->trace, 'K')); /* cheap: no key asked */
            }
            kit_free(k);
        }
    }
}

/* ---- when */

static void
helps(void **state)
{
    static const wba_reason_t always[] = {
        WBA_REASON_NO_SIGNATURE, WBA_REASON_NO_SERVED_TAG,
        WBA_REASON_NONCE_REPLAYED,
    };
    static const wba_reason_t nonces[] = {
        WBA_REASON_NONCE_MISSING, WBA_REASON_NONCE_NOT_CHALLENGED,
        WBA_REASON_CHALLENGE_EXPIRED,
    };
    wba_challenge_key_t key;
    wba_policy_t policy;
    unsigned reason, count[2] = { 0, 0 };
    size_t i;

    (void) state;
    wba_policy_default(&policy);
    assert_null(policy.challenge);
    for (reason = 0; reason < WBA_REASON_COUNT; reason++) {
        policy.challenge = NULL;
        count[0] += wba_accept_helps(&policy, (wba_reason_t) reason);
        policy.challenge = &key;
        count[1] += wba_accept_helps(&policy, (wba_reason_t) reason);
    }
    assert_int_equal(count[0], COUNT(always));
    assert_int_equal(count[1], COUNT(always) + COUNT(nonces));
    for (i = 0; i < COUNT(always); i++) {
        assert_true(wba_accept_helps(&policy, always[i]));
        assert_true(wba_accept_helps(&policy, nonces[i]));
        policy.challenge = NULL;
        assert_true(wba_accept_helps(&policy, always[i]));
        assert_false(wba_accept_helps(&policy, nonces[i]));
        policy.challenge = &key;
    }
}

static void
memory(void **state)
{
    case_t c;
    size_t i, n;

    (void) state;
    begin(&c);
    kit_directory(c.k, "visa", "tap", NULL);
    kit_directory(c.k, "a", "web-bot-auth", AGENT_A);
    c.k->allocations = 0;
    write_accept(&c);
    n = c.k->allocations;
    assert_true(n > 0);
    for (i = 1; i <= n; i++) {
        c.k->allocations = 0;
        c.k->fail_at = i;
        assert_int_equal(wba_accept_write(&c.k->env, &c.k->policy, &c.k->mem,
                                          &c.accept),
                         WBA_NO_MEMORY);
    }
    end(&c);
}

/* Two directories that want other components for the same tag are asked for in
 * two members; whom one of them lets in the other may not. */
static void
unlike(void **state)
{
    static const wba_component_t wants[] = { { .name = T("@method") },
                                             { .name = T("@path") } };
    wba_profile_t *p;
    case_t c;
    size_t i;

    (void) state;
    begin(&c);
    for (i = 0; i < COUNT(wants); i++) {
        p = &c.k->directories[kit_directory(c.k, "x", "web-bot-auth", NULL)]
                 .profile;
        p->components[0] = wants[i];
        p->ncomponents = 1;
    }
    EXPECT(&c, MEMBER(1, "(\"@authority\" \"@method\")",
                      ";created;expires" BOT) ", "
               MEMBER(2, TARGET, ";created;expires" BOT));
    end(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(profiles),   cmocka_unit_test(labels),
        cmocka_unit_test(components), cmocka_unit_test(parameters),
        cmocka_unit_test(agents),     cmocka_unit_test(bounds),
        cmocka_unit_test(rules),      cmocka_unit_test(read_back),
        cmocka_unit_test(as_listed),  cmocka_unit_test(helps),
        cmocka_unit_test(memory),
        cmocka_unit_test(unlike),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
