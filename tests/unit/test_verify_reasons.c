/* SPDX-License-Identifier: BSD-2-Clause */
/* core/verify: for every reason there is, requests that are judged so. */
#include "kit.h"

static void
add_run(kit_t *k, const char *name, const char *value, size_t times)
{
    kit_append(k->head, sizeof(k->head), name);
    while (times--) {
        kit_append(k->head, sizeof(k->head), value);
    }
    kit_append(k->head, sizeof(k->head), "\r\n");
}

/* ---- before signing */

static void
long_input(kit_t *k)
{
    static char run[70001];

    memset(run, 'a', sizeof(run) - 1);
    add_run(k, "Signature-Input: ", run, 1);
}

static void
many_members(kit_t *k)
{
    add_run(k, "Signature-Input: a=()", ", b=()", 1100);
}

static void
two_long_fields(kit_t *k)
{
    static char run[40001];

    memset(run, 'a', sizeof(run) - 1);
    add_run(k, "X-A: ", run, 1);
    add_run(k, "X-B: ", run, 1);
}

static void
one_long_field(kit_t *k)
{
    static char run[70001];

    memset(run, 'a', sizeof(run) - 1);
    add_run(k, "X-A: ", run, 1);
}

static void
only_other_algorithms(kit_t *k)
{
    k->directories[D_TAP].profile.algorithms = WBA_ALG_ECDSA_P256_SHA256;
}

static bool
never(void *ctx, const wba_message_t *message,
      const wba_forgery_limit_t *limit, const uint8_t *thumbprint)
{
    (void) ctx;
    (void) message;
    (void) limit;
    (void) thumbprint;
    return false;
}

static void
no_budget(kit_t *k)
{
    static const wba_forgery_limit_t limit = { 1, 1 };

    k->policy.forgery = &limit;
    k->env.may_try = never;
}

static void
key_ends(kit_t *k)
{
    k->sets[D_TAP].keys[0].exp = NOW - 100;
}

static void
key_begins(kit_t *k)
{
    k->sets[D_TAP].keys[0].nbf = NOW + 100;
}

static void
another_authority(kit_t *k)
{
    k->authority_override = "other.example";
}

static void
over_http(kit_t *k)
{
    k->scheme = "http";
}

static void
bots_without_agent(kit_t *k)
{
    kit_directory(k, "own", "web-bot-auth", NULL);
}

/* ---- before running */

static void
deny_all(kit_t *k)
{
    static const wba_rule_t all = { .allow = false };

    k->policy.rules = &all;
    k->policy.nrules = 1;
}

static void
not_served(kit_t *k)
{
    k->served = false;
}

static void
wants_nonce(kit_t *k)
{
    k->policy.nonce_required = true;
}

/* A key of zeros, by which these two were made for shop.example, with a random
 * part of zeros: one ends at NOW, the other a second later. */
#define ENDED \
    "AQAAAABlU_EAAAAAAAAAAAAAAAAAAAAAAAAAAABy_Awsrvec69fZZo_FMFAU"
#define ENDING \
    "AQAAAABlU_EBAAAAAAAAAAAAAAAAAAAAAAAAAABHiSyBvAqXniYuevPdCAzs"

static void
challenges(kit_t *k)
{
    static const wba_challenge_key_t zeros;

    k->policy.challenge = &zeros;
}

static void
wants_method(kit_t *k)
{
    static const wba_component_t method = {
        .name = { 7, (const uint8_t *) "@method" },
    };

    k->policy.components = &method;
    k->policy.ncomponents = 1;
}

static void
wants_digest(kit_t *k)
{
    k->policy.digest = WBA_DIGEST_REQUIRED;
}

static void
short_lives(kit_t *k)
{
    k->policy.max_lifetime = 69;
}

static void
early(kit_t *k)
{
    k->now = NOW - 16;
}

static void
late(kit_t *k)
{
    k->now = NOW + 65;
}

static void
unavailable(kit_t *k)
{
    k->why = WBA_REASON_DIRECTORY_UNAVAILABLE;
}

static void
crowded(kit_t *k)
{
    k->why = WBA_REASON_TOO_MANY_WAITING;
}

static void
too_many_agents(kit_t *k)
{
    kit_discovery(k, "web-bot-auth");
    k->why = WBA_REASON_DISCOVERY_LIMIT;
}

static void
store_seen(kit_t *k)
{
    k->store = WBA_STORE_SEEN;
}

static void
store_full(kit_t *k)
{
    k->store = WBA_STORE_FULL;
}

static void
store_cold(kit_t *k)
{
    k->store = WBA_STORE_COLD;
}

static void
store_down(kit_t *k)
{
    k->store = WBA_STORE_UNAVAILABLE;
}

static void
already_used(kit_t *k)
{
    const wba_nonce_t nonce = { k->keys[ALICE].thumbprint, WBA_STR("n"), 0, 0 };

    assert_int_equal(kit_record(k, &nonce, 1), WBA_STORE_FRESH);
}

static void
half_a_body(kit_t *k)
{
    k->body_complete = false;
}

/* Bodies of a location that wants them to name the signature. */
static void
link_body(kit_t *k, const char *body)
{
    k->policy.body_link = true;
    k->body = body;
}

static void
linked(kit_t *k)
{
    static char body[256];

    snprintf(body, sizeof(body),
             "{\"agenticConsumer\":{\"nonce\":\"n\",\"kid\":\"%s\"}}",
             k->keys[ALICE].text);
    link_body(k, body);
}

static void
linked_to_another(kit_t *k)
{
    link_body(k, "{\"agenticConsumer\":{\"nonce\":\"n\",\"kid\":\"k\"}}");
}

static void
linked_to_nothing(kit_t *k)
{
    link_body(k, "{\"agenticPaymentContainer\":{}}");
}

static void
link_broken(kit_t *k)
{
    link_body(k, "{");
}

static void
link_too_large(kit_t *k)
{
    static char body[WBA_MAX_BODY_LINK + 2];

    memset(body, ' ', sizeof(body) - 1);
    body[0] = '{';
    link_body(k, body);
}

static void
link_half_a_body(kit_t *k)
{
    linked(k);
    k->body_complete = false;
}

static void
no_memory(kit_t *k)
{
    k->fail_at = 1;
    k->fail_onward = true;
}

static bool
yes(void *ctx)
{
    (void) ctx;
    return true;
}

/* What was signed without the query is signed with it, as Visa's sample does,
 * and there is time to find out. */
static void
signs_query_in_path(kit_t *k)
{
    k->env.diagnose = yes;
    k->inputs[0] = k->values[0] = '\0';
    kit_sign_text(k, ALICE, "sig1",
                  "\"@authority\": shop.example\n\"@path\": /p?q=1\n",
                  COVERED TIMES ED NONCE("n") BROWSE ";keyid=\"kid-alice\"");
}

#define KID NONCE("n") BROWSE ";keyid=\"kid-alice\""
#define REST KEYID ED NONCE("n") BROWSE
#define WITH(covered) "(\"@authority\" \"@path\" " covered ")" TIMES REST
#define BOT_A COVERS_AGENT TIMES KEYID BOT
#define EMPTY_SHA256                                                          \
    "Content-Digest: sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"  \
    "\r\n"
#define WRONG_SHA256                                                          \
    "Content-Digest: sha-256=:57DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"  \
    "\r\n"
#define DIGEST WITH("\"content-digest\"")
#define RAW(input, value) \
    HEAD "Signature-Input: " input "\r\nSignature: " value "\r\n"
#define FOREIGN "=();tag=\"x\", "
#define FOREIGN_8 \
    "a" FOREIGN "b" FOREIGN "c" FOREIGN "d" FOREIGN "e" FOREIGN "f" FOREIGN \
    "g" FOREIGN "h" FOREIGN
#define MEMBER "=" COVERED BROWSE

typedef struct {
    wba_reason_t reason;
    const char *head; /* NULL: HEAD */
    const char *input; /* signed by ALICE as sig1; NULL: nothing is */
    void (*before)(kit_t *k); /* signing */
    void (*after)(kit_t *k);
    unsigned who; /* signs; ALICE */
} case_t;

#define R(name) WBA_REASON_##name

static const case_t cases[] = {
    { R(OK), NULL, TAP("n"), NULL, NULL, ALICE },
    { R(OK), NULL, COVERED TIMES ED KID, NULL, NULL, ALICE },
    { R(OK), SENDS_AGENT(AGENT_A), BOT_A, NULL, NULL, BOB },
    { R(OK), HEAD EMPTY_SHA256, DIGEST, NULL, NULL, ALICE },
    { R(OK), HEAD EMPTY_SHA256, DIGEST, NULL, wants_digest, ALICE },
    { R(DENIED_BY_RULE), NULL, TAP("n"), NULL, deny_all, ALICE },

    { R(NO_SIGNATURE), NULL, NULL, NULL, NULL, ALICE },
    { R(NO_SIGNATURE), HEAD "Signature: keyId=\"x\",signature=\"y\"\r\n", NULL,
      NULL, NULL, ALICE },
    { R(NO_SIGNATURE), RAW("", "sig1=:AA==:"), NULL, NULL, NULL, ALICE },
    { R(NO_SIGNATURE), HEAD "Signature-Input: \r\n", NULL, NULL, NULL, ALICE },
    { R(NO_SERVED_TAG), NULL, COVERED TIMES KEYID ";tag=\"x\"", NULL, NULL,
      ALICE },
    { R(NO_SERVED_TAG), NULL, COVERED TIMES KEYID, NULL, NULL, ALICE },
    { R(NO_SERVED_TAG), NULL, COVERED TIMES KEYID ";tag=\"Agent-Browser-Auth\"",
      NULL, NULL, ALICE },
    { R(NO_SERVED_TAG), HEAD "Signature-Input: a=();tag=\"x\"\r\n", NULL, NULL,
      NULL, ALICE },

    { R(SIGNATURE_INPUT_UNREADABLE), RAW("sig1=(", "sig1=:AA==:"), NULL, NULL,
      NULL, ALICE },
    { R(SIGNATURE_INPUT_UNREADABLE),
      RAW("sig1=" COVERED BROWSE ", !", "sig1=:AA==:"), NULL, NULL, NULL,
      ALICE },
    { R(SIGNATURE_INPUT_UNREADABLE), RAW("sig1=1" BROWSE, "sig1=:AA==:"), NULL,
      NULL, NULL, ALICE },
    { R(SIGNATURE_INPUT_UNREADABLE), NULL,
      COVERED TIMES KEYID ";tag=agent-browser-auth", NULL, NULL, ALICE },
    { R(SIGNATURE_INPUT_UNREADABLE), NULL, COVERED TIMES KEYID ";tag", NULL,
      NULL, ALICE },
    { R(SIGNATURE_INPUT_UNREADABLE), NULL, TAP("n") ";created=\"1\"", NULL,
      NULL, ALICE },
    { R(SIGNATURE_INPUT_UNREADABLE), NULL, TAP("n") ";expires=1.5", NULL, NULL,
      ALICE },
    { R(SIGNATURE_INPUT_UNREADABLE), NULL, TAP("n") ";keyid=:AA==:", NULL,
      NULL, ALICE },
    { R(SIGNATURE_INPUT_KEYID_CASE),
      RAW("sig2=" COVERED "; created=1; expires=2; keyId=\"x\"; tag=\"x\"",
          "sig2=:AA==:"),
      NULL, NULL, NULL, ALICE },
    { R(SIGNATURE_VALUE_UNREADABLE),
      HEAD "Signature-Input: sig1" MEMBER "\r\n", NULL, NULL, NULL, ALICE },
    { R(SIGNATURE_VALUE_UNREADABLE), RAW("sig1" MEMBER, "sig2=:AA==:"), NULL,
      NULL, NULL, ALICE },
    { R(SIGNATURE_VALUE_UNREADABLE), RAW("sig1" MEMBER, "sig1=AA"), NULL, NULL,
      NULL, ALICE },
    { R(SIGNATURE_VALUE_UNREADABLE), RAW("sig1" MEMBER, "sig1=:AA==:, !"),
      NULL, NULL, NULL, ALICE },
    { R(FIELD_TOO_LARGE), NULL, TAP("n"), long_input, NULL, ALICE },
    { R(FIELD_TOO_LARGE), NULL, TAP("n"), many_members, NULL, ALICE },
    { R(FIELD_TOO_LARGE), NULL, WITH("\"x-a\""), one_long_field, NULL, ALICE },
    { R(TOO_MANY_SIGNATURES),
      RAW("a" MEMBER ", b" MEMBER ", c" MEMBER ", d" MEMBER ", e" MEMBER
          ", f" MEMBER ", g" MEMBER ", h" MEMBER ", i" MEMBER, "a=:AA==:"),
      NULL, NULL, NULL, ALICE },
    { R(OK), HEAD "Signature-Input: " FOREIGN_8 "z=()\r\n", TAP("n"), NULL,
      NULL, ALICE },
    { R(TOO_MANY_COMPONENTS), NULL, NULL, NULL, NULL, ALICE }, /* see below */
    { R(DUPLICATE_LABEL), HEAD "Signature-Input: sig1" MEMBER "\r\n", TAP("n"),
      NULL, NULL, ALICE },
    { R(DUPLICATE_LABEL), HEAD "Signature-Input: sig1=();tag=\"x\"\r\n",
      TAP("n"), NULL, NULL, ALICE },
    { R(DUPLICATE_LABEL), HEAD "Signature: sig1=:AA==:\r\n", TAP("n"), NULL,
      NULL, ALICE },

    { R(BAD_COMPONENT), NULL, WITH("\"X-A\""), NULL, NULL, ALICE },
    { R(BAD_COMPONENT), NULL, WITH("x-a"), NULL, NULL, ALICE },
    { R(BAD_COMPONENT), NULL, WITH("\"@status\""), NULL, NULL, ALICE },
    { R(BAD_COMPONENT), NULL, WITH("\"@nope\""), NULL, NULL, ALICE },
    { R(BAD_COMPONENT), NULL, WITH("\"host\";tr"), NULL, NULL, ALICE },
    { R(BAD_COMPONENT), NULL, WITH("\"@method\";req"), NULL, NULL, ALICE },
    { R(DUPLICATE_COMPONENT), NULL, WITH("\"@path\""), NULL, NULL, ALICE },
    { R(MISSING_COMPONENT), NULL, WITH("\"x-none\""), NULL, NULL, ALICE },
    { R(BAD_COMPONENT_VALUE), HEAD "X-A: \xc3\xa9\r\n", WITH("\"x-a\""), NULL,
      NULL, ALICE },
    { R(SIGNATURE_BASE_TOO_LARGE), NULL, WITH("\"x-a\" \"x-b\""),
      two_long_fields, NULL, ALICE },
    { R(TARGET_NOT_COVERED), NULL, "(\"@path\")" TIMES REST, NULL, NULL,
      ALICE },
    { R(TARGET_NOT_COVERED), NULL, "()" TIMES REST, NULL, NULL, ALICE },
    { R(TARGET_NOT_COVERED), NULL, "(\"host\" \"@path\")" TIMES REST, NULL,
      NULL, ALICE },
    { R(COMPONENT_NOT_COVERED), NULL, "(\"@authority\")" TIMES REST, NULL,
      NULL, ALICE },
    { R(COMPONENT_NOT_COVERED), NULL, TAP("n"), NULL, wants_method, ALICE },
    { R(COMPONENT_NOT_COVERED), HEAD EMPTY_SHA256, TAP("n"), NULL,
      wants_digest, ALICE },
    { R(MISSING_FIELDS), NULL, COVERED ";created=1699999990" REST, NULL, NULL,
      ALICE },
    { R(MISSING_FIELDS), NULL, COVERED ";expires=1700000060" REST, NULL, NULL,
      ALICE },
    { R(MISSING_FIELDS), NULL, COVERED TIMES ED NONCE("n") BROWSE, NULL, NULL,
      ALICE },
    { R(MISSING_FIELDS), NULL, TAP("n") ";keyid=\"\"", NULL, NULL, ALICE },
    { R(MISSING_FIELDS), NULL, COVERED TIMES KEYID NONCE("n") BROWSE, NULL,
      NULL, ALICE },
    { R(NONCE_MISSING), NULL, COVERED TIMES KEYID ED BROWSE, NULL, NULL,
      ALICE },
    { R(NONCE_MISSING), NULL, TAP(""), NULL, NULL, ALICE },
    { R(NONCE_MISSING), SENDS_AGENT(AGENT_A), BOT_A, NULL, wants_nonce, BOB },
    { R(NONCE_MISSING), SENDS_AGENT(AGENT_A), BOT_A, NULL, challenges, BOB },
    { R(NONCE_NOT_CHALLENGED), NULL, TAP("n"), NULL, challenges, ALICE },
    { R(NONCE_NOT_CHALLENGED), "GET /p HTTP/1.1\r\nHost: b.example\r\n",
      TAP(ENDING), NULL, challenges, ALICE },
    { R(CHALLENGE_EXPIRED), NULL, TAP(ENDED), NULL, challenges, ALICE },
    { R(EXPIRED), NULL, TAP("n") ";expires=1699999991", NULL, challenges,
      ALICE },
    { R(OK), NULL, TAP(ENDING), NULL, challenges, ALICE },
    { R(CLOCK_AHEAD), NULL, TAP("n"), NULL, early, ALICE },
    { R(EXPIRED), NULL, TAP("n"), NULL, late, ALICE },
    { R(EXPIRES_NOT_AFTER_CREATED), NULL,
      COVERED ";created=1700000000;expires=1700000000" REST, NULL, NULL,
      ALICE },
    { R(LIFETIME_TOO_LONG), NULL,
      COVERED ";created=1700000000;expires=1700000481" REST, NULL, NULL,
      ALICE },
    { R(OK), NULL, COVERED ";created=1700000000;expires=1700000480" REST, NULL,
      NULL, ALICE },
    { R(LIFETIME_TOO_LONG), NULL, TAP("n"), NULL, short_lives, ALICE },

    { R(ALG_MISMATCH), NULL, TAP("n") ";alg=\"rsa-pss-sha256\"", NULL, NULL,
      ALICE },
    { R(ALG_MISMATCH), NULL, TAP("n") ";alg=\"hmac-sha256\"", NULL, NULL,
      ALICE },
    { R(ALG_MISMATCH), NULL, TAP("n") ";alg=\"none\"", NULL, NULL, ALICE },
    { R(ALG_MISMATCH), SENDS_AGENT(AGENT_A), BOT_A ";alg=\"\"", NULL, NULL,
      BOB },
    { R(OK), NULL, TAP("n") ";alg=\"EdDSA\"", NULL, NULL, ALICE },
    { R(ALG_NOT_ALLOWED), NULL, TAP("n"), only_other_algorithms, NULL, ALICE },
    { R(KEY_EXPIRED), NULL, TAP("n"), key_ends, NULL, ALICE },
    { R(KEY_NOT_YET_VALID), NULL, TAP("n"), key_begins, NULL, ALICE },
    { R(BAD_SIGNATURE), NULL, COVERED TIMES ED KID, NULL, NULL, BOB },

    { R(AUTHORITY_NOT_SERVED), NULL, TAP("n"), NULL, not_served, ALICE },
    { R(AUTHORITY_NOT_SERVED), "GET /p HTTP/1.1\r\n", TAP("n"), NULL, NULL,
      ALICE },
    { R(AUTHORITY_NOT_SERVED), "GET https://shop.example/p HTTP/1.1\r\n",
      WITH("\"@target-uri\""), another_authority, NULL, ALICE },
    { R(SCHEME_MISMATCH), "GET https://shop.example/p HTTP/1.1\r\n",
      WITH("\"@scheme\""), over_http, NULL, ALICE },

    { R(SIGNATURE_AGENT_UNPARSABLE), HEAD "Signature-Agent: sig1=((\r\n",
      BOT_A, NULL, NULL, BOB },
    { R(SIGNATURE_AGENT_UNPARSABLE), HEAD "Signature-Agent: sig1=1\r\n", BOT_A,
      NULL, NULL, BOB },
    { R(SIGNATURE_AGENT_UNPARSABLE), SENDS_AGENT("https://u@a.example/"),
      BOT_A, NULL, NULL, BOB },
    { R(SIGNATURE_AGENT_UNQUOTED), HEAD "Signature-Agent: " AGENT_A "\r\n",
      "(\"@authority\" \"signature-agent\")" TIMES KEYID BOT, NULL, NULL,
      BOB },
    { R(SIGNATURE_AGENT_AMBIGUOUS_MEMBER),
      HEAD "Signature-Agent: x=\"" AGENT_A "\", y=\"" AGENT_B "\"\r\n",
      "(\"@authority\" \"signature-agent\")" TIMES KEYID BOT, NULL, NULL,
      BOB },
    { R(SIGNATURE_AGENT_MEMBER_MISSING),
      HEAD "Signature-Agent: x=\"" AGENT_A "\"\r\n", BOT_A, NULL, NULL, BOB },
    { R(SIGNATURE_AGENT_NOT_HTTPS), SENDS_AGENT("http://a.example/keys"),
      BOT_A, NULL, NULL, BOB },
    { R(SIGNATURE_AGENT_TYPED), HEAD "Signature-Agent: sig1=\"" AGENT_A
      "\";type=cimd\r\n", BOT_A, NULL, NULL, BOB },
    { R(SIGNATURE_AGENT_ABSENT), NULL, COVERED TIMES KEYID BOT, NULL, NULL,
      BOB },
    { R(SIGNATURE_AGENT_ABSENT), NULL, COVERED TIMES KEYID BOT,
      bots_without_agent, NULL, BOB },
    { R(SIGNATURE_AGENT_ABSENT), SENDS_AGENT(AGENT_A),
      COVERED TIMES KEYID BOT, NULL, NULL, BOB },
    { R(AGENT_NOT_ALLOWED), SENDS_AGENT("https://evil.example/keys"), BOT_A,
      NULL, NULL, BOB },
    { R(AGENT_NOT_ALLOWED), SENDS_AGENT("https://a.example/keys?x"), BOT_A,
      NULL, NULL, BOB },
    { R(KEY_UNKNOWN), NULL, TAP("n"), NULL, NULL, BOB },
    { R(KEY_UNKNOWN), SENDS_AGENT(AGENT_A), BOT_A, NULL, NULL, CAROL },
    { R(DIRECTORY_UNAVAILABLE), NULL, TAP("n"), NULL, unavailable, BOB },
    { R(DISCOVERY_LIMIT), SENDS_AGENT("https://evil.example/keys"), BOT_A,
      NULL, too_many_agents, BOB },
    { R(TOO_MANY_WAITING), NULL, TAP("n"), NULL, crowded, BOB },

    { R(VISA_SAMPLE_FORM), NULL, TAP("n"), NULL, signs_query_in_path, ALICE },

    { R(NONCE_REPLAYED), NULL, TAP("n"), NULL, already_used, ALICE },
    { R(NONCE_REPLAYED), NULL, TAP("n"), NULL, store_seen, ALICE },
    { R(NONCE_STORE_FULL), NULL, TAP("n"), NULL, store_full, ALICE },
    { R(NONCE_STORE_COLD), NULL, TAP("n"), NULL, store_cold, ALICE },
    { R(NONCE_STORE_UNAVAILABLE), NULL, TAP("n"), NULL, store_down, ALICE },
    { R(CONTENT_DIGEST_UNREADABLE), HEAD "Content-Digest: md5=:AA==:\r\n",
      DIGEST, NULL, NULL, ALICE },
    { R(CONTENT_DIGEST_UNREADABLE), HEAD "Content-Digest: (\r\n", DIGEST, NULL,
      NULL, ALICE },
    { R(CONTENT_DIGEST_MISMATCH), HEAD WRONG_SHA256, DIGEST, NULL, NULL,
      ALICE },
    { R(CONTENT_DIGEST_MISMATCH), HEAD WRONG_SHA256,
      WITH("\"content-digest\";key=\"sha-256\""), NULL, NULL, ALICE },
    { R(OK), HEAD WRONG_SHA256, TAP("n"), NULL, NULL, ALICE },
    { R(BODY_UNAVAILABLE), HEAD EMPTY_SHA256, DIGEST, NULL, half_a_body,
      ALICE },
    { R(OK), NULL, TAP("n"), NULL, linked, ALICE },
    { R(BODY_LINK_MISMATCH), NULL, TAP("m"), NULL, linked, ALICE },
    { R(BODY_LINK_MISMATCH), NULL, TAP("n"), NULL, linked_to_another, ALICE },
    { R(BODY_LINK_MISSING), NULL, TAP("n"), NULL, linked_to_nothing, ALICE },
    { R(BODY_LINK_UNREADABLE), NULL, TAP("n"), NULL, link_broken, ALICE },
    { R(BODY_LINK_UNREADABLE), HEAD "Content-Encoding: br\r\n", TAP("n"),
      NULL, linked, ALICE },
    { R(BODY_LINK_TOO_LARGE), NULL, TAP("n"), NULL, link_too_large, ALICE },
    { R(BODY_UNAVAILABLE), NULL, TAP("n"), NULL, link_half_a_body, ALICE },
    { R(CONTENT_DIGEST_MISMATCH), HEAD WRONG_SHA256, DIGEST, NULL, linked,
      ALICE },
    { R(OUT_OF_MEMORY), NULL, TAP("n"), NULL, no_memory, ALICE },
    { R(FORGERY_LIMITED), NULL, TAP("n"), no_budget, NULL, ALICE },
};

static const char *
many_components(void)
{
    static char input[4096] = "(\"@authority\" \"@path\"";
    unsigned i;

    for (i = 0; i < 63; i++) {
        snprintf(input + strlen(input), sizeof(input) - strlen(input),
                 " \"x-%u\"", i);
    }
    strcat(input, ")" TIMES REST);
    return input;
}

static bool
run_case(const case_t *c, bool *produced)
{
    const wba_reason_info_t *want = wba_reason_info(c->reason);
    const char *input = c->input;
    kit_t *k = kit_shop();
    bool good;

    if (c->reason == R(TOO_MANY_COMPONENTS)) {
        input = many_components();
    }
    kit_request(k, c->head == NULL ? HEAD : c->head);
    if (c->before != NULL) {
        c->before(k);
    }
    if (input != NULL) {
        kit_sign(k, c->who, "sig1", input);
    }
    if (c->after != NULL) {
        c->after(k);
    }
    kit_run(k);
    good = k->verdict.reason == c->reason && k->verdict.class == want->class
           && k->verdict.outcome == want->outcome;
    if (!good) {
        print_error("case %zu\n%.900s\n  got:  %s (%s)\n  want: %s\n",
                    (size_t) (c - cases), k->text,
                    (const char *) wba_reason_info(k->verdict.reason)
                        ->name.data,
                    k->trace, (const char *) want->name.data);
    }
    produced[c->reason] = true;
    kit_free(k);
    return good;
}

static void
every_reason(void **state)
{
    bool produced[WBA_REASON_COUNT] = { false };
    unsigned missing = 0, wrong = 0;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(cases); i++) {
        wrong += !run_case(&cases[i], produced);
    }
    for (i = 0; i < WBA_REASON_COUNT; i++) {
        if (!produced[i]) {
            print_error("no case for %s\n",
                        (const char *) wba_reason_info((wba_reason_t) i)
                            ->name.data);
            missing++;
        }
    }
    assert_int_equal(missing + wrong, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
