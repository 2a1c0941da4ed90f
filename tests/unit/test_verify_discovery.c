/* SPDX-License-Identifier: BSD-2-Clause */
/* core/verify: agents that no directory stands for, and what directories
 * tolerate in how an agent is named. */
#include "kit.h"

#define AGENT_C "https://c.example/keys"
#define BY_AGENT COVERS_AGENT TIMES KEYID BOT
#define WHOLE "(\"@authority\" \"signature-agent\")" TIMES KEYID BOT
#define FIELD(value) HEAD "Signature-Agent: " value "\r\n"

#define R(name) WBA_REASON_##name

/* The shop, with discovery; carol's key is at c.example. */
static kit_t *
discovering(void)
{
    kit_t *k = kit_shop();

    kit_discovery(k, "web-bot-auth");
    k->found_at = AGENT_C;
    kit_add(k, &k->found, CAROL, NULL);
    return k;
}

static void
signed_by(kit_t *k, unsigned who, const char *head, const char *input)
{
    kit_request(k, head);
    kit_sign(k, who, "sig1", input);
    kit_run(k);
}

static void
sends(kit_t *k, const char *url, unsigned who)
{
    char head[512];

    snprintf(head, sizeof(head), SENDS_AGENT("%s"), url);
    signed_by(k, who, head, BY_AGENT);
}

/* ---- looking up */

static void
looked_up(void **state)
{
    kit_t *k = discovering();
    const wba_fact_t *f;

    (void) state;
    sends(k, "https://C.example:443/keys", CAROL);
    expect_verdict(k, R(OK));
    expect_trace(k, "AK");
    assert_true(k->verify.key.discover);
    f = k->verdict.signature;
    assert_ptr_equal(f->directory, &k->discovery.directory);
    assert_true(wba_str_eq(f->agent_url, WBA_STR(AGENT_C)));
    assert_true(wba_str_eq(f->agent_identity, WBA_STR(AGENT_C)));
    assert_true(wba_str_eq(f->tag->text, WBA_STR("web-bot-auth")));

    /* what a configured directory stands for is as before */
    sends(k, AGENT_A, BOB);
    expect_verdict(k, R(OK));
    assert_false(k->verify.key.discover);
    assert_ptr_equal(k->verdict.signature->directory, &k->directories[D_A]);

    /* discovery's own rules bind */
    k->discovery.directory.profile.max_lifetime = 10;
    sends(k, AGENT_C, CAROL);
    expect_verdict(k, R(LIFETIME_TOO_LONG));
    kit_free(k);
}

static void
appears(void *ctx)
{
    kit_t *k = ctx;

    if (k->verify.key.refetch) {
        kit_add(k, &k->found, CAROL, NULL);
    } else {
        k->at_key = NULL;
    }
}

/* Two rounds, as for any other; and what the host may say of the second. */
static void
rounds(void **state)
{
    static const wba_reason_t whys[] = {
        R(KEY_UNKNOWN), R(DIRECTORY_UNAVAILABLE), R(DISCOVERY_LIMIT),
        R(TOO_MANY_WAITING),
    };
    kit_t *k = discovering();
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(whys); i++) {
        k->why = whys[i];
        sends(k, AGENT_C, BOB);
        expect_verdict(k, whys[i]);
        expect_trace(k, "AKR");
        assert_true(k->verify.key.discover);
    }

    k->found.count = 0;
    k->stop = WBA_NEED_KEY;
    sends(k, AGENT_C, CAROL);
    assert_false(k->verify.key.refetch);
    wba_verify_keys(&k->verify, R(KEY_UNKNOWN));
    assert_int_equal(wba_verify_step(&k->verify, NOW), WBA_NEED_KEY);
    assert_true(k->verify.key.refetch && k->verify.key.discover);
    k->stop = WBA_DONE;
    k->at_key = (void (*)(void *)) appears;
    kit_drive(k);
    expect_verdict(k, R(OK));
    kit_free(k);
}

/* ---- who may not be looked up */

static void
off(kit_t *k)
{
    k->env.discovery = NULL;
}

static void
any_port(kit_t *k)
{
    k->discovery.any_port = true;
}

static void
nobody(kit_t *k)
{
    k->discovery.any = false;
}

static void
some(kit_t *k)
{
    static const wba_agent_pattern_t patterns[] = {
        { WBA_AGENT_ORIGIN, { 9, (const uint8_t *) "d.example" } },
        { WBA_AGENT_URL, { 22, (const uint8_t *) AGENT_C } },
    };

    k->discovery.any = false;
    k->discovery.allow = patterns;
    k->discovery.nallow = COUNT(patterns);
}

static void
another_tag(kit_t *k)
{
    k->discovery.directory.profile = *wba_profile_find(WBA_STR("agent-pay"));
}

/* The URL is a's, whatever a's directory serves. */
static void
configured(kit_t *k)
{
    k->directories[D_A].agent = WBA_STR(AGENT_C);
    k->directories[D_A].profile = *wba_profile_find(WBA_STR("tap"));
}

static void
held_without_agent(kit_t *k)
{
    kit_put(k, kit_directory(k, "own", "web-bot-auth", NULL), CAROL, NULL);
    k->found.count = 0;
}

static void
who_may(void **state)
{
    static const struct {
        const char *agent;
        void (*set)(kit_t *k);
        wba_reason_t reason;
    } t[] = {
        { AGENT_C, NULL, R(OK) },
        { AGENT_C, off, R(AGENT_NOT_ALLOWED) },
        { AGENT_C, nobody, R(AGENT_NOT_ALLOWED) },
        { AGENT_C, some, R(OK) },
        { AGENT_C "?q", some, R(AGENT_NOT_ALLOWED) },
        { "https://d.example/x", some, R(KEY_UNKNOWN) },
        { "https://d.example:8443/x", some, R(AGENT_NOT_ALLOWED) },
        { "https://e.example/x", some, R(AGENT_NOT_ALLOWED) },
        { "https://c.example:8443/keys", NULL, R(AGENT_NOT_ALLOWED) },
        { "https://c.example:0443/keys", NULL, R(OK) },
        { "https://c.example:/keys", NULL, R(OK) },
        { "https://c.example:8443/keys", any_port, R(KEY_UNKNOWN) },
        { "https://[::1]:8443/keys", NULL, R(AGENT_NOT_ALLOWED) },
        { "https://[::1]/keys", NULL, R(KEY_UNKNOWN) },
        { AGENT_C, another_tag, R(AGENT_NOT_ALLOWED) },
        { AGENT_C, configured, R(AGENT_NOT_ALLOWED) },
        { AGENT_C "?q", configured, R(KEY_UNKNOWN) },
        /* what is held for nobody's agent answers for none */
        { AGENT_C, held_without_agent, R(KEY_UNKNOWN) },
    };
    kit_t *k;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(t); i++) {
        k = discovering();
        if (t[i].set != NULL) {
            t[i].set(k);
        }
        sends(k, t[i].agent, CAROL);
        expect_verdict(k, t[i].reason);
        assert_int_equal(k->verify.key.discover,
                         t[i].reason != R(AGENT_NOT_ALLOWED));
        expect_trace(k, t[i].reason == R(KEY_UNKNOWN) ? "AKR" : "AK");
        kit_free(k);
    }
}

/* Without a Signature-Agent there is nothing to look up. */
static void
nameless(void **state)
{
    kit_t *k = discovering();

    (void) state;
    k->found_at = NULL; /* no URL is as good as none at all */
    kit_once(k, CAROL, COVERED TIMES KEYID BOT);
    expect_verdict(k, R(SIGNATURE_AGENT_ABSENT));
    expect_trace(k, "AK");
    assert_false(k->verify.key.discover);
    signed_by(k, CAROL, SENDS_AGENT(AGENT_C), COVERED TIMES KEYID BOT);
    expect_verdict(k, R(SIGNATURE_AGENT_ABSENT));
    kit_free(k);

    k = kit_new(); /* no directory at all */
    kit_discovery(k, "web-bot-auth");
    kit_once(k, CAROL, COVERED TIMES KEYID BOT);
    expect_verdict(k, R(SIGNATURE_AGENT_ABSENT));
    kit_once(k, CAROL, TAP("n"));
    expect_verdict(k, R(NO_SERVED_TAG));
    kit_free(k);
}

/* A key that is offered as found where nothing may be looked for. */
static void
foisted(void **state)
{
    wba_keyring_match_t match = { .directory = WBA_DISCOVERED,
                                  .by_thumbprint = true };
    kit_t *k = discovering();
    wba_verify_t *v = &k->verify;

    (void) state;
    match.key = *kit_add(k, &k->found, ALICE, NULL);
    k->stop = WBA_NEED_KEY;

    sends(k, AGENT_A, ALICE);
    wba_verify_offer(v, &match);
    assert_int_equal(v->ncandidates, 0);
    signed_by(k, ALICE, HEAD, COVERED TIMES KEYID BOT);
    wba_verify_offer(v, &match);
    assert_int_equal(v->ncandidates, 0);

    sends(k, AGENT_C, ALICE);
    assert_false(wba_verify_accepts(v, WBA_DISCOVERED));
    assert_false(wba_verify_accepts(v, D_A));
    match.directory = D_A;
    wba_verify_offer(v, &match);
    assert_int_equal(v->ncandidates, 0);
    match.directory = WBA_DISCOVERED;
    match.by_thumbprint = false;
    match.by_kid = true; /* which web-bot-auth does not take */
    wba_verify_offer(v, &match);
    assert_int_equal(v->ncandidates, 0);
    match.by_thumbprint = true;
    wba_verify_offer(v, &match);
    assert_int_equal(v->ncandidates, 1);
    wba_verify_keys(v, R(KEY_UNKNOWN));
    wba_verify_offer(v, &match); /* too late */
    assert_int_equal(v->ncandidates, 1);

    k->env.discovery = NULL;
    sends(k, AGENT_C, ALICE);
    wba_verify_offer(v, &match);
    assert_int_equal(v->ncandidates, 0);
    kit_free(k);
}

/* ---- with other signatures, and in later passes */

static void
beside_others(void **state)
{
    static const char head[] = HEAD "Signature-Agent: a=\"" AGENT_A
                                    "\", c=\"" AGENT_C "\"\r\n";
    const wba_facts_t *facts;
    kit_t *k = discovering();

    (void) state;
    kit_request(k, head);
    kit_sign(k, ALICE, "t", TAP("n"));
    kit_sign(k, CAROL, "c",
             "(\"@authority\" \"signature-agent\";key=\"c\")" TIMES KEYID
             NONCE("m") BOT);
    kit_sign(k, BOB, "a",
             "(\"@authority\" \"signature-agent\";key=\"a\")" TIMES KEYID BOT);
    kit_run(k);
    expect_verdict(k, R(OK));
    facts = &k->verify.facts;
    assert_ptr_equal(facts->signatures[0]->directory, &k->directories[D_TAP]);
    assert_ptr_equal(facts->signatures[1]->directory,
                     &k->discovery.directory);
    assert_ptr_equal(facts->signatures[2]->directory, &k->directories[D_A]);
    assert_int_equal(k->last_recorded, 2);

    /* a later pass asks for nothing that is known */
    k->found.count = 0;
    kit_pass(k);
    expect_verdict(k, R(OK));
    expect_trace(k, "A");

    /* under another authority all is asked anew, the agent is still known */
    k->authority_override = "other.example";
    k->found.count = 1;
    kit_pass(k);
    assert_int_equal(facts->signatures[1]->stage, WBA_STAGE_BASED);
    assert_true(wba_str_eq(facts->signatures[1]->agent_url,
                           WBA_STR(AGENT_C)));
    k->authority_override = NULL;
    kit_free(k);
}

static void
begun_again(void **state)
{
    kit_t *k = discovering();

    (void) state;
    k->why = R(DIRECTORY_UNAVAILABLE);
    k->found.count = 0;
    sends(k, AGENT_C, CAROL);
    expect_verdict(k, R(DIRECTORY_UNAVAILABLE));
    k->found.count = 1; /* it has come meanwhile */
    kit_pass(k);
    expect_verdict(k, R(OK));
    expect_trace(k, "AK");

    k->stop = WBA_NEED_KEY; /* a pass that was left while it was asked for */
    sends(k, AGENT_C, CAROL);
    k->stop = WBA_DONE;
    kit_pass(k);
    expect_verdict(k, R(OK));
    kit_free(k);
}

/* With each allocation failing: it does without, or says so.  It never says
 * that something is wrong with the request. */
static void
no_memory(void **state)
{
    kit_t *k = discovering();
    unsigned failed = 0;
    size_t i;

    (void) state;
    k->discovery.directory.lenient = WBA_LENIENT_AGENT_TYPE;
    kit_index(k);
    kit_request(k, FIELD("x=1\r\nSignature-Agent: sig1=\"" AGENT_C
                         "\";type=jwks_uri"));
    kit_sign(k, CAROL, "sig1", BY_AGENT);
    kit_write(k);
    for (i = 1; i == 1 || k->allocations + 1 >= i; i++) {
        kit_parse(k, wba_str_z(k->text));
        k->fail_at = i;
        kit_start(k);
        failed += k->verdict.reason == R(OUT_OF_MEMORY);
        if (k->verdict.reason != R(OUT_OF_MEMORY)) {
            expect_verdict(k, R(OK));
        }
    }
    assert_true(failed > 4);
    expect_verdict(k, R(OK));
    kit_free(k);
}

/* ---- leniencies */

#define BARE WBA_LENIENT_UNQUOTED_AGENT
#define TYPE WBA_LENIENT_AGENT_TYPE
#define ORIGIN_C "https://c.example" WBA_WELL_KNOWN_PATH

static void
leniencies(void **state)
{
    static const struct {
        const char *head, *input;
        const char *a; /* what a's directory stands for; NULL: AGENT_A */
        unsigned lenient_a, lenient_b, lenient_discovery;
        unsigned who;
        wba_reason_t reason;
    } t[] = {
        /* by the directory that stands for it, */
        { FIELD(AGENT_A), WHOLE, NULL, BARE, 0, 0, BOB, R(OK) },
        { FIELD(AGENT_A), WHOLE, NULL, BARE, 0, 0, CAROL, R(KEY_UNKNOWN) },
        { FIELD(AGENT_A), BY_AGENT, NULL, BARE, 0, 0, BOB,
          R(SIGNATURE_AGENT_MEMBER_MISSING) },
        { FIELD("sig1=\"" AGENT_A "\";type=jwks_uri"), BY_AGENT, NULL, TYPE, 0,
          0, BOB, R(OK) },
        { FIELD("sig1=\"https://c.example/x\";type=directory"), BY_AGENT,
          ORIGIN_C, TYPE, 0, 0, BOB, R(OK) },
        { FIELD("sig1=\"https://c.example\";type=jwks_uri"), BY_AGENT,
          ORIGIN_C, TYPE, 0, 0, BOB, R(SIGNATURE_AGENT_TYPED) },
        { FIELD("sig1=\"https://c.example\";type=jwks_uri"), BY_AGENT,
          "https://c.example/", TYPE, 0, 0, BOB, R(OK) },
        { FIELD("sig1=\"" AGENT_A "\";type=directory"), BY_AGENT, NULL, TYPE,
          0, 0, BOB, R(SIGNATURE_AGENT_TYPED) },
        { FIELD("sig1=\"" AGENT_A "\";type=cimd"), BY_AGENT, NULL, TYPE | BARE,
          0, 0, BOB, R(SIGNATURE_AGENT_TYPED) },
        /* each leniency by itself, */
        { FIELD(AGENT_A), WHOLE, NULL, TYPE, 0, 0, BOB,
          R(SIGNATURE_AGENT_UNQUOTED) },
        { FIELD(AGENT_A), WHOLE, NULL, WBA_LENIENT_BARE_JWK, 0, 0, BOB,
          R(SIGNATURE_AGENT_UNQUOTED) },
        { FIELD("sig1=\"" AGENT_A "\";type=jwks_uri"), BY_AGENT, NULL, BARE, 0,
          0, BOB, R(SIGNATURE_AGENT_TYPED) },
        /* not by another's, nor by discovery's, */
        { FIELD(AGENT_A), WHOLE, NULL, 0, BARE, BARE, BOB,
          R(SIGNATURE_AGENT_UNQUOTED) },
        { FIELD("sig1=\"" AGENT_A "\";type=jwks_uri"), BY_AGENT, NULL, 0, TYPE,
          TYPE, BOB, R(SIGNATURE_AGENT_TYPED) },
        { FIELD(AGENT_C), WHOLE, NULL, BARE, BARE, 0, CAROL,
          R(SIGNATURE_AGENT_UNQUOTED) },
        { FIELD("sig1=\"" AGENT_C "\";type=jwks_uri"), BY_AGENT, NULL, TYPE,
          TYPE, 0, CAROL, R(SIGNATURE_AGENT_TYPED) },
        /* but by discovery's where nobody stands for it */
        { FIELD(AGENT_C), WHOLE, NULL, 0, 0, BARE, CAROL, R(OK) },
        { FIELD("sig1=\"" AGENT_C "\";type=jwks_uri"), BY_AGENT, NULL, 0, 0,
          TYPE, CAROL, R(OK) },
        { FIELD("sig1=\"" AGENT_C "\";type=directory"), BY_AGENT, NULL, 0, 0,
          TYPE, CAROL, R(KEY_UNKNOWN) },
        { FIELD("https://c.example:8443/keys"), WHOLE, NULL, 0, 0, BARE, CAROL,
          R(AGENT_NOT_ALLOWED) },
        /* and what needs none is no different */
        { FIELD("\"" AGENT_A "\""), WHOLE, NULL, 0, BARE, TYPE, BOB, R(OK) },
        { FIELD("sig1=\"" AGENT_A "\""), BY_AGENT, NULL, BARE | TYPE, 0, 0,
          BOB, R(OK) },
        { FIELD("x=\"" AGENT_A "\", sig1=\"" AGENT_B "\";type=cimd"), WHOLE,
          NULL, TYPE, 0, 0, BOB, R(OK) },
        { FIELD("x=\"" AGENT_A "\", sig1=\"" AGENT_B "\";type=jwks_uri"),
          WHOLE, NULL, 0, 0, 0, BOB, R(OK) },
        { FIELD("x=\"" AGENT_A "\", sig1=\"" AGENT_B "\";type=jwks_uri"),
          WHOLE, NULL, 0, TYPE, 0, CAROL, R(OK) },
    };
    kit_t *k;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(t); i++) {
        k = discovering();
        if (t[i].a != NULL) {
            k->directories[D_A].agent = wba_str_z(t[i].a);
        }
        k->directories[D_A].lenient = t[i].lenient_a;
        k->directories[D_B].lenient = t[i].lenient_b;
        k->discovery.directory.lenient = t[i].lenient_discovery;
        signed_by(k, t[i].who, t[i].head, t[i].input);
        expect_verdict(k, t[i].reason);
        if (wba_reason_info(t[i].reason)->outcome != WBA_OUTCOME_VERIFIED
            && k->verdict.failed->stage < WBA_STAGE_ATTRIBUTED)
        {
            assert_null(k->verdict.failed->agent_url.data);
            expect_trace(k, "A"); /* no key was asked for */
        }
        kit_free(k);
    }
}

/* Nobody asks discovery for its leniency where it is off. */
static void
leniency_of_none(void **state)
{
    kit_t *k = discovering();

    (void) state;
    k->discovery.directory.lenient = BARE;
    k->env.discovery = NULL;
    signed_by(k, CAROL, FIELD(AGENT_C), WHOLE);
    expect_verdict(k, R(SIGNATURE_AGENT_UNQUOTED));
    assert_null(k->verdict.failed->agent_url.data);
    assert_null(k->verdict.failed->agent_identity.data);

    k->directories[D_A].lenient = BARE; /* nor where it is another's */
    signed_by(k, CAROL, FIELD(AGENT_C), WHOLE);
    expect_verdict(k, R(SIGNATURE_AGENT_UNQUOTED));
    assert_null(k->verdict.failed->agent_url.data);
    assert_null(k->verdict.failed->agent_identity.data);
    kit_free(k);
}

/* What lies beyond the last directory is none: it stands for nobody, answers
 * for nothing and puts up with nothing. */
static void
beyond_the_last(void **state)
{
    const wba_keyring_match_t match = { .directory = D_B,
                                        .by_thumbprint = true };
    kit_t *k = discovering();

    (void) state;
    k->env.ndirectories = D_B;
    k->directories[D_A].lenient = BARE;
    k->directories[D_B].lenient = BARE;
    signed_by(k, CAROL, FIELD(AGENT_B), WHOLE);
    expect_verdict(k, R(SIGNATURE_AGENT_UNQUOTED));

    k->directories[D_A].lenient = k->directories[D_B].lenient = 0;
    k->stop = WBA_NEED_KEY;
    signed_by(k, CAROL, FIELD("sig1=\"" AGENT_B "\""), BY_AGENT);
    assert_true(k->verify.key.discover);
    assert_false(wba_verify_accepts(&k->verify, D_B));
    wba_verify_offer(&k->verify, &match);
    assert_int_equal(k->verify.ncandidates, 0);

    k->stop = WBA_DONE;
    k->env.discovery = NULL;
    signed_by(k, CAROL, FIELD("sig1=\"" AGENT_B "\""), BY_AGENT);
    expect_verdict(k, R(AGENT_NOT_ALLOWED));

    /* whose tag needs no agent, as that of directory "own" does */
    k->directories[D_A].agent = WBA_STR_NONE;
    k->directories[D_B].profile.names_agent = false;
    kit_once(k, CAROL, COVERED TIMES KEYID BOT);
    expect_verdict(k, R(SIGNATURE_AGENT_ABSENT));
    kit_free(k);
}

/* Two directories for one agent: the one that tolerates may answer. */
static void
shared_agent(void **state)
{
    kit_t *k = discovering();

    (void) state;
    kit_put(k, kit_directory(k, "lenient a", "web-bot-auth", AGENT_A), BOB,
            NULL);
    k->directories[D_B + 1].lenient = BARE;
    signed_by(k, BOB, FIELD(AGENT_A), WHOLE);
    expect_verdict(k, R(OK));
    assert_ptr_equal(k->verdict.signature->directory,
                     &k->directories[D_B + 1]);
    sends(k, AGENT_A, BOB);
    expect_verdict(k, R(OK));
    assert_ptr_equal(k->verdict.signature->directory, &k->directories[D_A]);

    /* tolerated, but by one that serves another tag */
    k->directories[D_B + 1].profile = *wba_profile_find(WBA_STR("tap"));
    signed_by(k, BOB, FIELD(AGENT_A), WHOLE);
    expect_verdict(k, R(AGENT_NOT_ALLOWED));
    kit_free(k);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looked_up),
        cmocka_unit_test(rounds),
        cmocka_unit_test(who_may),
        cmocka_unit_test(nameless),
        cmocka_unit_test(foisted),
        cmocka_unit_test(beside_others),
        cmocka_unit_test(begun_again),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(leniencies),
        cmocka_unit_test(leniency_of_none),
        cmocka_unit_test(beyond_the_last),
        cmocka_unit_test(shared_agent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
