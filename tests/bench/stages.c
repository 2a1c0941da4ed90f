/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Core alone, driven as the module drives it: what each stage of a verified
 * request takes, and what libraries take for the crypto by itself.
 *
 *     stages time REQUESTS    processor time of each stage, as JSON
 *     stages raw COUNT        one Ed25519 verification: libsodium's, OpenSSL's
 *     stages count REQUESTS   for callgrind: a dump of counts for each stage
 *
 * The stages, in the order of a request (the module's own share, to answer
 * core's questions from nginx's structures, is not among them):
 *
 *     parse     wba_verify_init: the signature fields
 *     policy    wba_verify_begin and the first step: authority, claims, times
 *     lookup    the key, out of an index of 100
 *     base      the signature base, by itself
 *     crypto    wba_crypto_verify, by itself
 *     rules     the second step less these two: what the directory asks, the
 *               look whether the nonce is known
 *     record    the nonce, and the step after it
 *     judge     the verdict
 *
 * The step that asks the crypto is measured with crypto_sign_verify_detached
 * replaced by a function that says yes: a difference of two long times would
 * drown the rest.
 */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <valgrind/callgrind.h>

#include "rawmsg.h"
#include "verify.h"

#define BATCH 16 /* requests side by side, so that a clock is read rarely */
#define ARENA 16384
#define KEYS 100
#define LIVE 100000
#define RAW_SIZE 245 /* of the base of a TAP request */
#define RAW_MANY 256 /* signatures, more than branch predictors learn */

static const char seed[] =
    "c6c6c6c6c6c6c6c6c6c6c6c6c6c6c6c6c6c6c6c6c6c6c6c6c6c6c6c6c6c6c6c6";

typedef struct {
    uint8_t text[LOAD_HEAD];
    wba_raw_message_t raw;
    wba_message_ops_t ops;
    wba_message_t message;
    _Alignas(16) uint8_t block[ARENA];
    wba_arena_t arena;
    wba_mem_t mem;
    wba_verify_t verify;
    wba_verdict_t verdict;
} slot_t;

static struct {
    load_order_t order;
    uint64_t number;
    wba_directory_t directory;
    wba_tag_t tags[WBA_MAX_TAGS];
    wba_env_t env;
    wba_policy_t policy;
    wba_keyring_t *ring;
    wba_replay_t *table;
    wba_clock_t now;
    slot_t slots[BATCH];
} bench;

static bool crypto_says_yes;

int __real_crypto_sign_verify_detached(const unsigned char *sig,
                                       const unsigned char *m,
                                       unsigned long long len,
                                       const unsigned char *pk);
int __wrap_crypto_sign_verify_detached(const unsigned char *sig,
                                       const unsigned char *m,
                                       unsigned long long len,
                                       const unsigned char *pk);

int
__wrap_crypto_sign_verify_detached(const unsigned char *sig,
                                   const unsigned char *m,
                                   unsigned long long len,
                                   const unsigned char *pk)
{
    return crypto_says_yes
               ? 0
               : __real_crypto_sign_verify_detached(sig, m, len, pk);
}

static void
check(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "stages: %s went wrong\n", what);
        exit(1);
    }
}

static double
cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

/* --- the surroundings of a request */

static bool
served(const wba_message_t *message)
{
    (void) message;
    return true;
}

static bool
nonce_seen(void *ctx, const wba_nonce_t *nonce)
{
    return wba_replay_seen(ctx, nonce, &bench.now);
}

/* KEYS keys, the signer's among them. */
static void
make_ring(void)
{
    wba_keyset_builder_t *builder = wba_keyset_builder_new();
    uint8_t pk[crypto_sign_PUBLICKEYBYTES], sk[crypto_sign_SECRETKEYBYTES];
    uint8_t thumbprint[WBA_THUMBPRINT_SIZE];
    wba_key_t key = { .type = WBA_KEY_ED25519, .algs = WBA_ALG_ED25519 };
    unsigned directory = 0;
    wba_keyset_t set;
    int i;

    check(builder != NULL, "the key set");
    key.thumbprint = thumbprint;
    key.pub = wba_str(pk, sizeof(pk));
    for (i = 0; i < KEYS; i++) {
        crypto_sign_keypair(pk, sk);
        if (i == KEYS / 2) {
            memcpy(pk, bench.order.id.pk, sizeof(pk));
        }
        wba_jwk_thumbprint_ed25519(pk, thumbprint);
        check(wba_keyset_builder_add(builder, &key) == WBA_OK, "a key");
    }
    check(wba_keyset_builder_take(builder, &set) == WBA_OK, "the key set");
    wba_keyset_builder_free(builder);
    bench.ring = wba_keyring_new(&set, &directory, 1);
    check(bench.ring != NULL, "the index of keys");
    free((void *) (uintptr_t) set.data);
}

static void
make_table(void)
{
    static const uint8_t secret[16] = "0123456789abcdef";
    size_t size = wba_replay_size(LIVE);

    size = (size + 63) / 64 * 64;
    bench.now.wall = (int64_t) bench.order.now;
    bench.now.monotonic = 1000;
    bench.table = wba_replay_init(aligned_alloc(64, size), size, secret,
                                  &bench.now, true);
    check(bench.table != NULL, "the nonce table");
}

static void
prepare(void)
{
    bench.order.kind = "tap";
    bench.order.path = "/on";
    bench.order.now = (long) time(NULL);
    load_identity(&bench.order.id, seed);
    make_ring();
    make_table();

    bench.directory.name = WBA_STR("d");
    bench.directory.profile = *wba_profile_find(WBA_STR("tap"));
    bench.env.directories = &bench.directory;
    bench.env.ndirectories = 1;
    bench.env.tags = bench.tags;
    bench.env.ntags = wba_served_tags(&bench.directory, 1, bench.tags,
                                      WBA_MAX_TAGS);
    bench.env.nonce_seen = nonce_seen;
    bench.env.ctx = bench.table;
    wba_policy_default(&bench.policy);
    bench.policy.mode = WBA_MODE_ON;
}

static void
new_request(slot_t *s)
{
    load_request_t request;
    size_t line, n;

    load_request(&request, &bench.order, bench.number++);
    n = load_http1.write(&request, 0, s->text);
    check(wba_raw_message_parse(wba_str(s->text, n), &s->raw, &line)
              == WBA_OK,
          "the request");
    s->ops = *s->raw.message.ops;
    s->ops.authority_served = served;
    s->message.ops = &s->ops;
    s->message.ctx = s->raw.message.ctx;
    wba_arena_init(&s->arena, s->block, sizeof(s->block));
    s->mem = wba_arena_mem(&s->arena);
}

/* --- the stages */

static void
parse(slot_t *s)
{
    wba_verify_init(&s->verify, &bench.env, &s->message, &s->mem);
}

static void
policy(slot_t *s)
{
    wba_verify_begin(&s->verify, &bench.policy);
    check(wba_verify_step(&s->verify, bench.now.wall) == WBA_NEED_KEY,
          "policy");
}

static void
lookup(slot_t *s)
{
    wba_verify_t *v = &s->verify;
    wba_keyring_match_t match;
    size_t cursor = 0;

    while (wba_keyring_next(bench.ring, v->key.keyid, &cursor, &match)
           == WBA_OK)
    {
        if (wba_verify_accepts(v, match.directory)) {
            wba_verify_offer(v, &match);
        }
    }
    check(v->ncandidates == 1, "lookup");
    wba_verify_keys(v, WBA_REASON_KEY_UNKNOWN);
}

/* By itself, before the step that does the same. */
static void
base(slot_t *s)
{
    wba_fact_t *fact = s->verify.facts.signatures[0];
    wba_arena_t arena = s->arena; /* what is taken here is given back */
    wba_mem_t mem = wba_arena_mem(&arena);
    wba_reason_t why;
    wba_buf_t buf;
    size_t at;

    wba_buf_init(&buf, &mem, WBA_MAX_BASE);
    check(wba_sigbase_build(&s->message, s->verify.facts.authority,
                            &fact->input.list, fact->components, &mem, &buf,
                            &why, &at)
              == WBA_OK,
          "base");
}

static void
step(slot_t *s)
{
    check(wba_verify_step(&s->verify, bench.now.wall) == WBA_NEED_RECORD,
          "the second step");
}

/* By itself, after the step in which it was not asked. */
static void
crypto(slot_t *s)
{
    const wba_fact_t *fact = s->verify.facts.signatures[0];
    wba_key_t key = { .type = WBA_KEY_ED25519, .algs = WBA_ALG_ED25519 };

    key.pub = wba_str(bench.order.id.pk, sizeof(bench.order.id.pk));
    check(wba_crypto_verify(&key, WBA_ALG_ED25519, fact->signature,
                            fact->base)
              == WBA_OK,
          "crypto");
}

static void
record(slot_t *s)
{
    wba_verify_t *v = &s->verify;

    wba_verify_recorded(v, wba_replay_record(bench.table, v->nonces,
                                             v->nnonces, 5, &bench.now));
    check(wba_verify_step(v, bench.now.wall) == WBA_DONE, "record");
}

static void
judge(slot_t *s)
{
    wba_judge(&s->verify.facts, &bench.policy, bench.now.wall, &s->verdict);
    check(s->verdict.outcome == WBA_OUTCOME_VERIFIED, "judge");
}

static const struct {
    const char *name;
    void (*run)(slot_t *s);
    bool yes; /* without the crypto */
} stages[] = {
    { "parse", parse, false },   { "policy", policy, false },
    { "lookup", lookup, false }, { "base", base, false },
    { "step", step, true },      { "crypto", crypto, false },
    { "record", record, false }, { "judge", judge, false },
};

#define STAGES (sizeof(stages) / sizeof(stages[0]))

static void
run_stage(size_t i)
{
    size_t k;

    crypto_says_yes = stages[i].yes;
    for (k = 0; k < BATCH; k++) {
        stages[i].run(&bench.slots[k]);
    }
}

static void
new_batch(void)
{
    size_t k;

    for (k = 0; k < BATCH; k++) {
        new_request(&bench.slots[k]);
    }
}

static int
run_time(size_t requests)
{
    double took[STAGES] = { 0 };
    size_t batches = requests / BATCH + 1, b, i;

    prepare();
    for (b = 0; b <= batches; b++) {
        new_batch();
        for (i = 0; i < STAGES; i++) {
            double begun = cpu_seconds();

            run_stage(i);
            took[i] += b ? cpu_seconds() - begun : 0; /* the first warms */
        }
    }
    printf("{");
    for (i = 0; i < STAGES; i++) {
        printf("%s\"%s\": %.4f", i ? ", " : "", stages[i].name,
               took[i] / (double) (batches * BATCH) * 1e6);
    }
    printf("}\n");
    return 0;
}

/* A dump after each stage of each batch: what was counted since the one
 * before. */
static int
run_count(size_t requests)
{
    size_t batches = requests / BATCH, b, i;

    prepare();
    for (b = 0; b <= batches; b++) {
        new_batch();
        for (i = 0; i < STAGES; i++) {
            CALLGRIND_ZERO_STATS;
            run_stage(i);
            if (b) {
                CALLGRIND_DUMP_STATS_AT(stages[i].name);
            }
        }
    }
    printf("{\"requests\": %zu}\n", batches * BATCH);
    return 0;
}

/* --- libraries by themselves */

static struct {
    uint8_t pk[crypto_sign_PUBLICKEYBYTES];
    uint8_t sk[crypto_sign_SECRETKEYBYTES];
    uint8_t sigs[RAW_MANY][crypto_sign_BYTES];
    uint8_t messages[RAW_MANY][RAW_SIZE];
    EVP_PKEY *key;
} raw;

static void
sodium_verify(size_t i)
{
    check(__real_crypto_sign_verify_detached(raw.sigs[i], raw.messages[i],
                                             RAW_SIZE, raw.pk)
              == 0,
          "libsodium");
}

static void
openssl_verify(size_t i)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    check(ctx != NULL
              && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, raw.key) == 1
              && EVP_DigestVerify(ctx, raw.sigs[i], crypto_sign_BYTES,
                                  raw.messages[i], RAW_SIZE)
                     == 1,
          "OpenSSL");
    EVP_MD_CTX_free(ctx);
}

/* Microseconds for one, of count over as many signatures. */
static double
run_verify(void (*verify)(size_t), size_t count, size_t many)
{
    double begun;
    size_t i;

    for (i = 0; i < many; i++) {
        verify(i);
    }
    begun = cpu_seconds();
    for (i = 0; i < count; i++) {
        verify(i % many);
    }
    return (cpu_seconds() - begun) / (double) count * 1e6;
}

static int
run_raw(size_t count)
{
    int i;

    crypto_sign_keypair(raw.pk, raw.sk);
    randombytes_buf(raw.messages, sizeof(raw.messages));
    for (i = 0; i < RAW_MANY; i++) {
        crypto_sign_detached(raw.sigs[i], NULL, raw.messages[i], RAW_SIZE,
                             raw.sk);
    }
    raw.key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw.pk,
                                          sizeof(raw.pk));
    check(raw.key != NULL, "OpenSSL's key");
    printf("{\"libsodium\": %.4f", run_verify(sodium_verify, count, RAW_MANY));
    printf(", \"libsodium, one signature\": %.4f",
           run_verify(sodium_verify, count, 1));
    printf(", \"OpenSSL\": %.4f}\n",
           run_verify(openssl_verify, count, RAW_MANY));
    EVP_PKEY_free(raw.key);
    return 0;
}

int
main(int argc, char **argv)
{
    size_t n = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

    if (wba_crypto_init() != WBA_OK) {
        return 1;
    }
    if (n && strcmp(argv[1], "time") == 0) {
        return run_time(n);
    }
    if (n && strcmp(argv[1], "count") == 0) {
        return run_count(n);
    }
    if (n && strcmp(argv[1], "raw") == 0) {
        return run_raw(n);
    }
    fprintf(stderr, "see the comment at the top of stages.c\n");
    return 2;
}
