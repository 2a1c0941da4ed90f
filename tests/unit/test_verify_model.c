/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/verify through many random requests: some forged, some twice, through
 * several locations, with a store that fails now and then.  Whatever happens,
 * a request passes only by what was signed by the right key for this
 * authority, and what one request was let in by lets in no other.
 */
#include "kit.h"

#define REQUESTS 4000
#define SIGNATURES 3
#define NONCES 12

static const char *const labels[] = { "a", "b", "c" };

static kit_t *kit;
static uint32_t seed;
static bool used[2][NONCES]; /* by key and nonce: let a request in */

static struct {
    unsigned key, nonce;
    bool forged;
} sent[SIGNATURES];
static unsigned nsent;

static unsigned
any(unsigned n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

/* alice's kid with bob's signature is a forgery, and the reverse */
static void
write_request(void)
{
    char input[256];
    unsigned i;

    kit->authority_override = NULL; /* what is signed for */
    kit_request(kit, HEAD);
    nsent = 1 + any(SIGNATURES);
    for (i = 0; i < nsent; i++) {
        sent[i].key = any(2);
        sent[i].nonce = any(NONCES);
        sent[i].forged = any(4) == 0;
        snprintf(input, sizeof(input),
                 COVERED TIMES ED "%s;keyid=\"kid-%s\";nonce=\"n%u\"",
                 any(2) ? BROWSE : PAY, sent[i].key == ALICE ? "alice" : "bob",
                 sent[i].nonce);
        kit_sign(kit, sent[i].key ^ (unsigned) sent[i].forged, labels[i],
                 input);
    }
}

static void
choose_location(void)
{
    static const wba_rule_t rules[] = {
        { .allow = true,
          .tag = { 18, (const uint8_t *) "agent-browser-auth" } },
        { .allow = false, .keyid = { 9, (const uint8_t *) "kid-alice" } },
    };
    static const wba_store_answer_t answers[] = {
        WBA_STORE_FRESH, WBA_STORE_FRESH, WBA_STORE_FRESH,
        WBA_STORE_FULL,  WBA_STORE_COLD,  WBA_STORE_UNAVAILABLE,
    };

    kit->policy.rules = &rules[any(2)];
    kit->policy.nrules = any(2);
    kit->store = answers[any(COUNT(answers))];
    kit->blind = any(2) != 0;
    kit->scheme = any(3) ? "https" : "http";
    kit->authority_override = any(4) ? NULL : "other.example";
    kit->served = any(8) != 0;
    kit->why = any(2) ? WBA_REASON_KEY_UNKNOWN
                      : WBA_REASON_DIRECTORY_UNAVAILABLE;
}

static unsigned
index_of(const wba_fact_t *fact)
{
    return (unsigned) (fact->input.label.data[0] - 'a');
}

/* A pass that let the request in: by[] collects what it was let in by. */
static void
check_allowed(bool by[2][NONCES])
{
    const wba_facts_t *facts = &kit->verify.facts;
    const wba_fact_t *f;
    unsigned who;
    size_t i;

    assert_true(kit->served && kit->authority_override == NULL);
    for (i = 0; i < facts->count; i++) {
        f = facts->signatures[i];
        if (wba_judge_signature(facts, f, &kit->policy, kit->now)
            != WBA_REASON_OK)
        {
            assert_ptr_not_equal(f, kit->verdict.signature);
            continue;
        }
        who = index_of(f);
        assert_false(sent[who].forged);
        assert_true(f->recorded);
        if (used[sent[who].key][sent[who].nonce]) {
            fail_msg("nonce n%u let in two requests", sent[who].nonce);
        }
        by[sent[who].key][sent[who].nonce] = true;
    }
}

/* One request through one to four locations. */
static bool
one_request(void)
{
    bool by[2][NONCES] = { { false } };
    unsigned pass, passes = 1 + any(4), i;
    bool allowed = false;

    for (pass = 0; pass < passes; pass++) {
        choose_location();
        if (pass == 0) {
            kit_run(kit);
        } else {
            kit_pass(kit);
        }
        if (kit->verdict.decision == WBA_DECISION_ALLOW) {
            check_allowed(by);
            allowed = true;
        } else {
            assert_int_equal(kit->verdict.decision, WBA_DECISION_DENY);
        }
    }
    for (i = 0; i < NONCES; i++) {
        used[0][i] |= by[0][i];
        used[1][i] |= by[1][i];
    }
    return allowed;
}

static void
requests(void **state)
{
    unsigned i, allowed = 0;

    (void) state;
    for (seed = 0; seed < 40; seed++) {
        uint32_t keep = seed;

        memset(used, 0, sizeof(used));
        kit = kit_new();
        kit_put(kit, kit_directory(kit, "v", "tap", NULL), ALICE, "kid-alice");
        kit_put(kit, kit_directory(kit, "w", "tap", NULL), BOB, "kid-bob");
        for (i = 0; i < REQUESTS / 40; i++) {
            if (i == 0 || any(3)) {
                write_request();
            } /* else the last one is sent again */
            allowed += one_request();
        }
        kit_free(kit);
        seed = keep;
    }
    assert_true(allowed > 100);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
