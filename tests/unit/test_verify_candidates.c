/* SPDX-License-Identifier: BSD-2-Clause */
/* core/verify: the keys that a keyid names, of which so many are tried. */
#include "kit.h"
#include "keys.h"

/* Sends what alice signed, up to where her key is wanted. */
static void
ask_for_keys(kit_t *k, const char *member)
{
    kit_request(k, HEAD);
    kit_sign(k, ALICE, "sig1", member);
    k->stop = WBA_NEED_KEY;
    kit_run(k);
}

static void
offer_all(kit_t *k)
{
    wba_keyring_match_t match;
    size_t cursor = 0;

    while (wba_keyring_next(k->ring, k->verify.key.keyid, &cursor, &match)
           == WBA_OK)
    {
        wba_verify_offer(&k->verify, &match);
    }
}

/* Goes on to the end. */
static void
expect_verified_by(kit_t *k, unsigned directory)
{
    k->stop = WBA_DONE;
    kit_run(k);
    expect_verdict(k, WBA_REASON_OK);
    assert_ptr_equal(k->verdict.signature->directory,
                     &k->directories[directory]);
}

/* Several keys under one kid: those of a directory, then the next one's, and
 * no more than WBA_MAX_CANDIDATES; but however many a directory publishes under
 * another's kid, they do not keep the other's out. */
static void
candidates(void **state)
{
    static const unsigned wrong[] = { 0, 1, 3, 4, 6 };
    kit_t *k;
    unsigned j;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(wrong); i++) {
        k = kit_new();
        kit_directory(k, "visa", "tap", NULL);
        for (j = 0; j < wrong[i]; j++) {
            kit_put(k, 0, BOB, "shared");
        }
        kit_put(k, kit_directory(k, "second", "tap", NULL), ALICE, "shared");
        kit_once(k, ALICE, TAP("n") ";keyid=\"shared\"");
        expect_verdict(k, WBA_REASON_OK);
        assert_ptr_equal(k->verdict.signature->directory, &k->directories[1]);
        kit_free(k);
    }
}

/* As many directories as there are candidates each have one that is tried, the
 * first of those that publish many as well; one more has none. */
static void
many_under_one_kid_in_many(void **state)
{
    kit_t *k = kit_new();
    unsigned i, j;

    (void) state;
    for (i = 0; i < WBA_MAX_CANDIDATES + 1; i++) {
        kit_directory(k, "x", "tap", NULL);
        for (j = 0; j < 5; j++) {
            kit_put(k, i, i < WBA_MAX_CANDIDATES - 1 ? BOB : ALICE, "shared");
        }
    }
    ask_for_keys(k, TAP("n") ";keyid=\"shared\"");
    offer_all(k);
    assert_int_equal(k->verify.ncandidates, WBA_MAX_CANDIDATES);
    for (i = 0; i < WBA_MAX_CANDIDATES; i++) {
        assert_int_equal(k->verify.candidates[i].directory, i);
    }
    expect_verified_by(k, WBA_MAX_CANDIDATES - 1);
    kit_free(k);
}

/* A directory that publishes others' thumbprints as kids, however many times,
 * does not keep out the keys that really have them; the order is that of the
 * offers otherwise. */
static void
squatted_thumbprint(void **state)
{
    static const unsigned squatters[] = { 0, 1, 3, 4, 6 };
    const wba_keyring_match_t *c;
    kit_t *k;
    unsigned j, n;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(squatters); i++) {
        k = kit_new();
        kit_directory(k, "squatter", "tap", NULL);
        for (j = 0; j < squatters[i]; j++) {
            kit_put(k, 0, BOB, k->keys[ALICE].text);
        }
        kit_put(k, kit_directory(k, "second", "tap", NULL), ALICE, NULL);
        kit_put(k, kit_directory(k, "third", "tap", NULL), ALICE, "kid");
        kit_put(k, kit_directory(k, "fourth", "tap", NULL), BOB,
                k->keys[ALICE].text);
        kit_once(k, ALICE, TAP("n"));
        expect_verdict(k, WBA_REASON_OK);
        assert_ptr_equal(k->verdict.signature->directory, &k->directories[1]);

        ask_for_keys(k, TAP("m")); /* and what was offered, in order */
        offer_all(k);
        c = k->verify.candidates;
        n = squatters[i] + 3 < WBA_MAX_CANDIDATES ? squatters[i] + 3
                                                  : WBA_MAX_CANDIDATES;
        assert_int_equal(k->verify.ncandidates, n);
        for (j = 1; j < n; j++) {
            assert_true(c[j - 1].directory <= c[j].directory);
        }
        for (j = 0; j < n && !c[j].by_thumbprint; j++) {
        }
        assert_int_equal(c[j].directory, 1);
        assert_int_equal(c[j + 1].directory, 2);
        kit_free(k);
    }
}

/* Directories with alice's key, and those that are tried, from number first
 * on. */
static void
many_have_it(kit_t *k, unsigned n, unsigned first)
{
    unsigned i;

    for (i = 0; i < n; i++) {
        kit_put(k, kit_directory(k, "x", "tap", NULL), ALICE, NULL);
    }
    ask_for_keys(k, TAP("n"));
    offer_all(k);
    assert_int_equal(k->verify.ncandidates, WBA_MAX_CANDIDATES);
    for (i = 0; i < WBA_MAX_CANDIDATES; i++) {
        assert_int_equal(k->verify.candidates[i].directory, first + i);
    }
    expect_verified_by(k, first);
    kit_free(k);
}

/* Where more directories have the very key than are tried, the first ones
 * are; who only calls itself so, ahead of them, is the one to go. */
static void
one_key_in_many(void **state)
{
    kit_t *k = kit_new();

    (void) state;
    many_have_it(k, WBA_MAX_CANDIDATES + 2, 0);

    k = kit_new();
    kit_put(k, kit_directory(k, "squatter", "tap", NULL), BOB,
            k->keys[ALICE].text);
    many_have_it(k, WBA_MAX_CANDIDATES, 1);
}

/* The last one that is named by kid alone goes, wherever it stands. */
static void
the_last_goes(void **state)
{
    static const unsigned left[WBA_MAX_CANDIDATES] = { 0, 1, 2, 4 };
    kit_t *k = kit_new();
    unsigned i;

    (void) state;
    for (i = 0; i < WBA_MAX_CANDIDATES + 1; i++) {
        kit_put(k, kit_directory(k, "x", "tap", NULL), i % 2 ? BOB : ALICE,
                i % 2 ? k->keys[ALICE].text : NULL);
    }
    ask_for_keys(k, TAP("n"));
    offer_all(k);
    assert_int_equal(k->verify.ncandidates, WBA_MAX_CANDIDATES);
    for (i = 0; i < WBA_MAX_CANDIDATES; i++) {
        assert_int_equal(k->verify.candidates[i].directory, left[i]);
    }
    kit_free(k);
}

/* Of a directory with two under one kid the second goes, the first one stays
 * and is tried, also where others stand behind them. */
static void
the_second_of_two_goes(void **state)
{
    kit_t *k = kit_new();
    unsigned i;

    (void) state;
    for (i = 0; i < WBA_MAX_CANDIDATES; i++) {
        kit_put(k, kit_directory(k, "x", "tap", NULL), i == 1 ? ALICE : BOB,
                "shared");
    }
    kit_put(k, 1, BOB, "shared");
    ask_for_keys(k, TAP("n") ";keyid=\"shared\"");
    offer_all(k);
    assert_int_equal(k->verify.ncandidates, WBA_MAX_CANDIDATES);
    for (i = 0; i < WBA_MAX_CANDIDATES; i++) {
        assert_int_equal(k->verify.candidates[i].directory, i);
    }
    expect_verified_by(k, 1);
    kit_free(k);
}

/* Where one goes, nothing but candidates moves up. */
static void
only_candidates_move(void **state)
{
    struct {
        wba_verify_room_t room;
        uint8_t beyond[2048];
    } own, before;
    kit_t *k = kit_new();
    size_t i;

    (void) state;
    for (i = 0; i < WBA_MAX_CANDIDATES; i++) {
        kit_put(k, kit_directory(k, "x", "tap", NULL), i == 2 ? BOB : ALICE,
                i == 2 ? k->keys[ALICE].text : NULL);
    }
    kit_put(k, kit_directory(k, "x", "tap", NULL), ALICE, NULL);
    ask_for_keys(k, TAP("n"));
    for (i = 0; i < sizeof(own); i++) {
        ((uint8_t *) &own)[i] = (uint8_t) (i % 251);
    }
    before = own;
    k->verify.candidates = own.room.candidates;
    offer_all(k);
    assert_int_equal(k->verify.ncandidates, WBA_MAX_CANDIDATES);
    assert_int_equal(own.room.candidates[2].directory, 3);
    assert_memory_equal(own.room.nonces, before.room.nonces,
                        sizeof(own.room.nonces));
    assert_memory_equal(own.beyond, before.beyond, sizeof(own.beyond));
    kit_free(k);
}

/* Of several keys, one whose own validity or directory keeps it out does not
 * keep the others out. */
static void
candidate_rules(void **state)
{
    kit_t *k = kit_new();

    (void) state;
    kit_directory(k, "old", "tap", NULL);
    kit_put(k, 0, ALICE, "shared")->exp = NOW - 100;
    kit_put(k, kit_directory(k, "new", "tap", NULL), ALICE, "shared");
    kit_once(k, ALICE, TAP("n") ";keyid=\"shared\"");
    expect_verdict(k, WBA_REASON_OK);
    assert_ptr_equal(k->verdict.signature->directory, &k->directories[1]);

    k->directories[1].profile.max_lifetime = 10;
    kit_once(k, ALICE, TAP("m") ";keyid=\"shared\"");
    expect_verdict(k, WBA_REASON_KEY_EXPIRED);
    k->sets[0].keys[0].exp = 0;
    k->sets[0].keys[0].pub = wba_str(k->keys[BOB].pub, 32);
    kit_index(k);
    kit_once(k, ALICE, TAP("m") ";keyid=\"shared\"");
    expect_verdict(k, WBA_REASON_BAD_SIGNATURE);
    kit_free(k);
}

/* The base is built once for all candidates, and what the crypto says of one
 * tells more than that another is of the wrong kind. */
static void
candidate_reasons(void **state)
{
    static const uint8_t modulus[256] = { 0x80, [255] = 1 };
    kit_t *k = kit_new();
    wba_key_t *key;

    (void) state;
    kit_directory(k, "visa", "tap", NULL);
    key = kit_put(k, 0, CAROL, "shared");
    key->type = WBA_KEY_RSA;
    key->algs = WBA_ALG_RSA_PSS_SHA256;
    key->pub = wba_str(modulus, sizeof(modulus));
    key->exponent = WBA_STR("\x01\x00\x01");
    kit_put(k, 0, BOB, "shared");
    kit_put(k, 0, CAROL, "shared");
    kit_request(k, HEAD "X-Base: 1\r\n");
    kit_sign(k, ALICE, "sig1", "(\"@authority\" \"@path\" \"x-base\")" TIMES ED
             NONCE("n") BROWSE ";keyid=\"shared\"");
    kit_run(k);
    expect_verdict(k, WBA_REASON_BAD_SIGNATURE);
    expect_trace(k, "AKSbS");
    kit_free(k);
}

/* A replay is told as one, whatever other keys share the keyid, before its own
 * or behind. */
static void
candidate_replayed(void **state)
{
    kit_t *k = kit_new();

    (void) state;
    kit_directory(k, "visa", "tap", NULL);
    kit_put(k, 0, BOB, "shared");
    kit_put(k, 0, ALICE, "shared");
    kit_put(k, 0, CAROL, "shared");
    kit_once(k, ALICE, COVERED TIMES ED NONCE("n") BROWSE
             ";keyid=\"shared\"");
    expect_verdict(k, WBA_REASON_OK);
    kit_run(k);
    expect_verdict(k, WBA_REASON_NONCE_REPLAYED);
    kit_free(k);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(candidates),
        cmocka_unit_test(many_under_one_kid_in_many),
        cmocka_unit_test(squatted_thumbprint),
        cmocka_unit_test(one_key_in_many),
        cmocka_unit_test(the_last_goes),
        cmocka_unit_test(the_second_of_two_goes),
        cmocka_unit_test(only_candidates_move),
        cmocka_unit_test(candidate_rules),
        cmocka_unit_test(candidate_reasons),
        cmocka_unit_test(candidate_replayed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
