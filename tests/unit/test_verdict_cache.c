/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/verdict_cache, and core/verify with one: the crypto is asked once for a
 * static signature and every time for others, and what is remembered lets in
 * nothing that would not be let in without it.
 */
#include "kit.h"

#define R(name) WBA_REASON_##name

/* Counts what the crypto is asked; the library's own function of that name
 * does the same. */
static unsigned asked;

int
crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m,
                            unsigned long long mlen, const unsigned char *pk)
{
    asked++;
    return crypto_sign_ed25519_verify_detached(sig, m, mlen, pk);
}

/* ---- the table */

static const uint8_t secret[WBA_VERDICT_SECRET] = { 1, 2, 3 };

static wba_verdict_cache_t *
cache_new(size_t entries)
{
    size_t size = wba_verdict_cache_size(entries);
    void *region = malloc(size);
    wba_verdict_cache_t *cache;

    assert_non_null(region);
    memset(region, 0xa5, size);
    cache = wba_verdict_cache_init(region, size, secret);
    assert_ptr_equal(cache, region);
    return cache;
}

static void
sizes(void **state)
{
    static const struct {
        size_t entries, capacity;
    } t[] = { { 0, 8 }, { 1, 8 }, { 8, 8 }, { 9, 16 }, { 1000, 1024 },
              { 1024, 1024 }, { 1025, 2048 } };
    _Alignas(8) uint8_t small[600];
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(t); i++) {
        wba_verdict_cache_t *cache = cache_new(t[i].entries);

        assert_int_equal(wba_verdict_cache_capacity(cache), t[i].capacity);
        free(cache);
    }
    assert_true(wba_verdict_cache_size(1024) < 40000);
    assert_true(wba_verdict_cache_size(SIZE_MAX) == SIZE_MAX);
    assert_true(wba_verdict_cache_size(SIZE_MAX / 2 + 1) == SIZE_MAX);
    assert_null(wba_verdict_cache_init(NULL, 100000, secret));
    assert_null(wba_verdict_cache_init(small, wba_verdict_cache_size(8) - 1,
                                       secret));
    assert_null(wba_verdict_cache_init(small + 1, sizeof(small) - 1, secret));
    assert_non_null(wba_verdict_cache_init(small, wba_verdict_cache_size(8),
                                           secret));
}

static const uint8_t pub[64] = { 7 };

typedef struct {
    wba_key_t key;
    wba_alg_t alg;
    wba_str_t signature;
    wba_str_t base;
} question_t;

static question_t
usual(void)
{
    question_t q = {
        .key = { .type = WBA_KEY_RSA, .pub = wba_str(pub, 32),
                 .exponent = WBA_STR("\1\0\1"), .kid = WBA_STR("k") },
        .alg = WBA_ALG_RSA_PSS_SHA512,
        .signature = WBA_STR("signature"),
        .base = WBA_STR("base"),
    };

    return q;
}

static void
id_of(const wba_verdict_cache_t *cache, const question_t *q, uint8_t *id)
{
    wba_verdict_cache_id(cache, &q->key, q->alg, q->signature, q->base, id);
}

/* Everything that the crypto is given is part of the name. */
static void
names(void **state)
{
    enum { SAME, TYPE, PUB, PUB_SHORTER, EXPONENT, NO_EXPONENT, ALG, SIGNATURE,
           LONGER, BASE, EMPTY_BASE, MOVED, CASES };
    wba_verdict_cache_t *cache = cache_new(8), *other;
    uint8_t id[WBA_VERDICT_ID], first[WBA_VERDICT_ID];
    question_t q = usual();
    unsigned i;

    (void) state;
    id_of(cache, &q, first);
    assert_false(wba_verdict_cache_has(cache, first));
    wba_verdict_cache_add(cache, first);
    for (i = SAME; i < CASES; i++) {
        q = usual();
        switch (i) {
        case SAME:
            q.key.kid = WBA_STR_NONE; /* the crypto does not look at it */
            q.key.exp = 5;
            break;
        case TYPE:
            q.key.type = WBA_KEY_P256;
            break;
        case PUB:
            q.key.pub = wba_str(pub + 1, 32);
            break;
        case PUB_SHORTER:
            q.key.pub.len--;
            break;
        case EXPONENT:
            q.key.exponent = WBA_STR("\1\0\3");
            break;
        case NO_EXPONENT:
            q.key.exponent = WBA_STR_NONE;
            break;
        case ALG:
            q.alg = WBA_ALG_RSA_PSS_SHA256;
            break;
        case SIGNATURE:
            q.signature = WBA_STR("signaturf");
            break;
        case LONGER:
            q.signature = WBA_STR("signature\0");
            break;
        case BASE:
            q.base = WBA_STR("basf");
            break;
        case EMPTY_BASE:
            q.base = WBA_STR_NONE;
            break;
        case MOVED: /* the same bytes in a row */
            q.signature = WBA_STR("signatureb");
            q.base = WBA_STR("ase");
            break;
        default:
            break;
        }
        id_of(cache, &q, id);
        if (wba_verdict_cache_has(cache, id) != (i == SAME)) {
            fail_msg("case %u", i);
        }
    }
    other = malloc(wba_verdict_cache_size(8));
    assert_non_null(wba_verdict_cache_init(other, wba_verdict_cache_size(8),
                                           pub));
    q = usual();
    id_of(other, &q, id);
    assert_memory_not_equal(id, first, sizeof(id)); /* another process's */
    free(other);
    free(cache);
}

/* It holds as many as it has room for, forgets the oldest, and keeps what is
 * added twice once. */
static void
room(void **state)
{
    wba_verdict_cache_t *cache = cache_new(1024);
    uint8_t id[WBA_VERDICT_ID];
    question_t q = usual();
    unsigned n, i, held = 0;

    (void) state;
    for (n = 0; n < 4096; n++) {
        q.base = wba_str(&n, sizeof(n));
        id_of(cache, &q, id);
        wba_verdict_cache_add(cache, id);
        wba_verdict_cache_add(cache, id);
        assert_true(wba_verdict_cache_has(cache, id));
    }
    for (n = 0; n < 4096; n++) {
        q.base = wba_str(&n, sizeof(n));
        id_of(cache, &q, id);
        held += wba_verdict_cache_has(cache, id);
    }
    assert_int_equal(held, 1024);
    free(cache);

    cache = cache_new(8);
    for (n = 0; n < 9; n++) {
        for (i = 0; i < 3; i++) {
            q.base = wba_str(&n, sizeof(n));
            id_of(cache, &q, id);
            wba_verdict_cache_add(cache, id);
        }
    }
    for (n = 0; n < 9; n++) {
        q.base = wba_str(&n, sizeof(n));
        id_of(cache, &q, id);
        assert_int_equal(wba_verdict_cache_has(cache, id), n != 0);
    }
    free(cache);
}

/* ---- the machine */

#define DAY 86400
#define HANDED_OUT ";created=1699900000;expires=1707600000" /* 89 days */
#define STATIC COVERS_AGENT HANDED_OUT KEYID BOT

static kit_t *
shop(void)
{
    kit_t *k = kit_shop();

    k->directories[D_A].profile.max_lifetime = 90 * DAY;
    k->env.verdicts = cache_new(1024);
    kit_request(k, SENDS_AGENT(AGENT_A));
    asked = 0;
    return k;
}

static void
close_shop(kit_t *k)
{
    free(k->env.verdicts);
    kit_free(k);
}

static void
run(kit_t *k, wba_reason_t want, unsigned total)
{
    kit_run(k);
    expect_verdict(k, want);
    assert_int_equal(asked, total);
}

static void
asked_once(void **state)
{
    kit_t *k = shop();

    (void) state;
    kit_sign(k, BOB, "sig1", STATIC);
    run(k, R(OK), 1);
    assert_false(k->verdict.signature->known);
    run(k, R(OK), 1);
    assert_true(k->verdict.signature->known);
    assert_int_equal(k->verdict.signature->stage, WBA_STAGE_VERIFIED);
    assert_memory_equal(k->verdict.signature->thumbprint,
                        k->keys[BOB].thumbprint, WBA_THUMBPRINT_SIZE);
    run(k, R(OK), 1);
    free(k->env.verdicts); /* a new process knows nothing */
    k->env.verdicts = cache_new(8);
    run(k, R(OK), 2);
    free(k->env.verdicts);
    k->env.verdicts = NULL;
    run(k, R(OK), 3);
    run(k, R(OK), 4);
    close_shop(k);
}

/* Who is not static is asked every time, and takes no room. */
static void
others_are_always_asked(void **state)
{
    static const struct {
        const char *input;
        bool required;
        wba_reason_t again;
    } t[] = {
        { COVERS_AGENT HANDED_OUT KEYID NONCE("n") BOT, false,
          R(NONCE_REPLAYED) },
        { COVERS_AGENT ";created=1699999000;expires=1700002600" KEYID BOT,
          false, R(OK) }, /* an hour is short */
    };
    static uint8_t empty[40000];
    size_t i, size = wba_verdict_cache_size(1024);

    (void) state;
    assert_true(size <= sizeof(empty));
    for (i = 0; i < COUNT(t); i++) {
        kit_t *k = shop();

        memcpy(empty, k->env.verdicts, size);
        kit_sign(k, BOB, "sig1", t[i].input);
        run(k, R(OK), 1);
        run(k, t[i].again, t[i].again == R(OK) ? 2 : 1);
        k->nnonces = 0;
        kit_run(k);
        assert_true(asked >= 2);
        assert_memory_equal(empty, k->env.verdicts, size);
        close_shop(k);
    }
}

/* A forged one is never remembered, neither as good nor as bad. */
static void
forged(void **state)
{
    kit_t *k = shop();

    (void) state;
    kit_sign(k, CAROL, "sig1",
             COVERS_AGENT HANDED_OUT ";keyid=\"bob\"" BOT);
    k->directories[D_A].profile.keyid |= WBA_KEYID_KID;
    k->sets[D_A].keys[0].kid = WBA_STR("bob");
    run(k, R(BAD_SIGNATURE), 1);
    run(k, R(BAD_SIGNATURE), 2);
    kit_request(k, SENDS_AGENT(AGENT_A));
    kit_sign(k, BOB, "sig1", COVERS_AGENT HANDED_OUT ";keyid=\"bob\"" BOT);
    run(k, R(OK), 3);
    run(k, R(OK), 3);
    close_shop(k);
}

/* What was remembered for one request is nothing to another. */
static void
other_requests(void **state)
{
    static const struct {
        const char *from, *to;
        wba_reason_t want;
        unsigned more; /* verifications */
    } t[] = {
        { "GET /p", "GET /other", R(OK), 0 }, /* @path is not covered */
        { "shop.example", "ship.example", R(BAD_SIGNATURE), 1 },
        { "sig1=(", "sig1= (", R(SIGNATURE_INPUT_UNREADABLE), 0 },
        { "1707600000", "1707600001", R(BAD_SIGNATURE), 1 },
        { "1699900000", "1699900001", R(BAD_SIGNATURE), 1 },
        { "Signature: sig1=:", "Signature: sig1=:AAAA", R(BAD_SIGNATURE), 1 },
        { AGENT_A "\"", AGENT_B "\"", R(KEY_UNKNOWN), 0 },
    };
    static char changed[sizeof(((kit_t *) 0)->text)];
    char *at;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(t); i++) {
        kit_t *k = shop();

        kit_sign(k, BOB, "sig1", STATIC);
        run(k, R(OK), 1);
        at = strstr(k->text, t[i].from);
        assert_non_null(at);
        snprintf(changed, sizeof(changed), "%.*s%s%s", (int) (at - k->text),
                 k->text, t[i].to, at + strlen(t[i].from));
        strcpy(k->text, changed);
        kit_parse(k, wba_str_z(k->text));
        kit_start(k);
        expect_verdict(k, t[i].want);
        /* libsodium is not asked about what has not 64 bytes */
        assert_true(asked <= 1 + t[i].more);
        close_shop(k);
    }
}

/* Everything else is looked at each time: times, keys, rules. */
static void
all_else_is_asked_again(void **state)
{
    kit_t *k = shop();
    static const wba_rule_t deny = { .allow = false };

    (void) state;
    kit_sign(k, BOB, "sig1", STATIC);
    run(k, R(OK), 1);

    k->now = 1707600000 - 1;
    run(k, R(OK), 1);
    k->now = 1707600000 + 5;
    run(k, R(EXPIRED), 1);
    k->now = NOW;

    k->policy.max_lifetime = 30 * DAY;
    run(k, R(LIFETIME_TOO_LONG), 1);
    k->policy.max_lifetime = 0;
    k->policy.nonce_required = true;
    run(k, R(NONCE_MISSING), 1);
    k->policy.nonce_required = false;
    k->policy.rules = &deny;
    k->policy.nrules = 1;
    run(k, R(DENIED_BY_RULE), 1);
    k->policy.nrules = 0;
    k->served = false;
    run(k, R(AUTHORITY_NOT_SERVED), 1);
    k->served = true;
    run(k, R(OK), 1);

    k->sets[D_A].keys[0].exp = NOW - 100;
    kit_index(k);
    run(k, R(KEY_EXPIRED), 1);
    k->sets[D_A].keys[0].exp = 0;
    k->sets[D_A].count = 0; /* revoked */
    kit_index(k);
    run(k, R(KEY_UNKNOWN), 1);
    k->sets[D_A].count = 1;
    kit_index(k);
    run(k, R(OK), 1);
    close_shop(k);
}

/* One directory's static signatures loosen no other: the same key in two, of
 * which the second takes none. */
static void
one_directory_alone(void **state)
{
    kit_t *k = shop();

    (void) state;
    kit_put(k, D_B, BOB, NULL);
    kit_sign(k, BOB, "sig1", STATIC);
    run(k, R(OK), 1);
    kit_request(k, SENDS_AGENT(AGENT_B));
    kit_sign(k, BOB, "sig1", STATIC);
    run(k, R(LIFETIME_TOO_LONG), 1);
    k->directories[D_B].profile.max_lifetime = 0;
    k->directories[D_B].profile.nonce_required = true;
    run(k, R(NONCE_MISSING), 1);
    close_shop(k);
}

/* Two directories without an agent, and one tag: the strict one is asked
 * first, and does not spoil what the other takes. */
static void
same_tag(void **state)
{
    kit_t *k = kit_new();

    (void) state;
    k->env.verdicts = cache_new(8);
    kit_put(k, kit_directory(k, "strict", "tap", NULL), ALICE, "k");
    kit_put(k, kit_directory(k, "crawlers", "tap", NULL), BOB, "k");
    k->directories[1].profile.max_lifetime = 90 * DAY;
    k->directories[1].profile.nonce_required = false;
    asked = 0;
    kit_request(k, HEAD);
    kit_sign(k, BOB, "sig1", COVERED HANDED_OUT ";keyid=\"k\"" ED BROWSE);
    run(k, R(OK), 1);
    run(k, R(OK), 1);
    kit_request(k, HEAD);
    kit_sign(k, ALICE, "sig1", COVERED HANDED_OUT ";keyid=\"k\"" ED BROWSE);
    run(k, R(BAD_SIGNATURE), 2);
    k->sets[1].count = 0;
    kit_index(k);
    run(k, R(NONCE_MISSING), 2);
    close_shop(k);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(names),
        cmocka_unit_test(room),
        cmocka_unit_test(asked_once),
        cmocka_unit_test(others_are_always_asked),
        cmocka_unit_test(forged),
        cmocka_unit_test(other_requests),
        cmocka_unit_test(all_else_is_asked_again),
        cmocka_unit_test(one_directory_alone),
        cmocka_unit_test(same_tag),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
