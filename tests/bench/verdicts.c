/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the verdict cache saves: the same static signature through core's whole
 * machine, from the fields to the verdict, with the cache and without, and the
 * parts that differ alone; interleaved, in processor time.  Ed25519.  What the
 * cache takes instead of the crypto does not depend on the algorithm.
 *
 *     verdicts [ROUNDS [REQUESTS]]
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "jwk.h"
#include "rawmsg.h"
#include "verify.h"

#define AGENT "https://crawler.example/keys"
#define CREATED 1700000000
#define NOW (CREATED + 86400)
#define COVERS "(\"@authority\" \"signature-agent\";key=\"sig1\")"
#define MAX_ROUNDS 99

static struct {
    wba_directory_t directory;
    wba_tag_t tag;
    wba_env_t env;
    wba_policy_t policy;
    wba_keyring_match_t match;
    uint8_t pk[crypto_sign_PUBLICKEYBYTES];
    uint8_t sk[crypto_sign_SECRETKEYBYTES];
    uint8_t thumbprint[WBA_THUMBPRINT_SIZE];
    char keyid[WBA_THUMBPRINT_TEXT_SIZE + 1];
    char text[2048];
    wba_raw_message_t raw;
    wba_str_t signature; /* of the last run, in block */
    wba_str_t base;
    uint8_t block[1 << 17];
} bench;

static bool
never_seen(void *ctx, const wba_nonce_t *nonce)
{
    (void) ctx;
    (void) nonce;
    return false;
}

static bool
served(const wba_message_t *message)
{
    (void) message;
    return true;
}

static double
seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static void
write_request(void)
{
    static const char form[] = "GET /products/1?page=2 HTTP/1.1\r\n"
                               "Host: shop.example\r\n"
                               "User-Agent: crawler/1\r\nAccept: */*\r\n"
                               "Signature-Agent: sig1=\"" AGENT "\"\r\n"
                               "Signature-Input: sig1=%s\r\n"
                               "Signature: sig1=:%s:\r\n\r\n";
    uint8_t sig[crypto_sign_BYTES];
    char member[512], base[1024], sent[128];
    int n;

    (void) snprintf(member, sizeof(member),
                    COVERS ";created=%d;expires=%d;keyid=\"%s\""
                           ";tag=\"web-bot-auth\"",
                    CREATED, CREATED + 89 * 86400, bench.keyid);
    n = snprintf(base, sizeof(base),
                 "\"@authority\": shop.example\n"
                 "\"signature-agent\";key=\"sig1\": \"" AGENT "\"\n"
                 "\"@signature-params\": %s",
                 member);
    crypto_sign_detached(sig, NULL, (const uint8_t *) base, (size_t) n,
                         bench.sk);
    sodium_bin2base64(sent, sizeof(sent), sig, sizeof(sig),
                      sodium_base64_VARIANT_ORIGINAL);
    (void) snprintf(bench.text, sizeof(bench.text), form, member, sent);
}

static void
prepare(void)
{
    uint8_t seed[crypto_sign_SEEDBYTES] = { 7 };
    wba_directory_t *d = &bench.directory;
    wba_key_t *key = &bench.match.key;

    crypto_sign_seed_keypair(bench.pk, bench.sk, seed);
    wba_jwk_thumbprint_ed25519(bench.pk, bench.thumbprint);
    wba_thumbprint_text(bench.thumbprint, (uint8_t *) bench.keyid);
    key->type = WBA_KEY_ED25519;
    key->algs = WBA_ALG_ED25519;
    key->thumbprint = bench.thumbprint;
    key->pub = wba_str(bench.pk, sizeof(bench.pk));
    bench.match.by_thumbprint = true;

    d->name = WBA_STR("crawlers");
    d->agent = d->agent_identity = WBA_STR(AGENT);
    d->profile = *wba_profile_find(WBA_STR("web-bot-auth"));
    d->profile.max_lifetime = 90 * 86400;
    bench.env.directories = d;
    bench.env.ndirectories = 1;
    bench.env.tags = &bench.tag;
    bench.env.ntags = wba_served_tags(d, 1, &bench.tag, 1);
    bench.env.nonce_seen = never_seen;
    wba_policy_default(&bench.policy);
    bench.policy.mode = WBA_MODE_ON;
    write_request();
}

/* One request, from its bytes to the verdict. */
static void
request(void)
{
    static wba_verify_t v;
    wba_message_ops_t ops;
    wba_message_t message;
    wba_verdict_t verdict;
    wba_arena_t arena;
    wba_mem_t mem;
    size_t line;

    wba_arena_init(&arena, bench.block, sizeof(bench.block));
    mem = wba_arena_mem(&arena);
    if (wba_raw_message_parse(wba_str_z(bench.text), &bench.raw, &line)
        != WBA_OK)
    {
        exit(1);
    }
    ops = *bench.raw.message.ops;
    ops.authority_served = served;
    message.ops = &ops;
    message.ctx = bench.raw.message.ctx;
    wba_verify_init(&v, &bench.env, &message, &mem);
    wba_verify_begin(&v, &bench.policy);
    while (wba_verify_step(&v, NOW) == WBA_NEED_KEY) {
        wba_verify_offer(&v, &bench.match);
        wba_verify_keys(&v, WBA_REASON_KEY_UNKNOWN);
    }
    wba_judge(&v.facts, &bench.policy, NOW, &verdict);
    if (verdict.reason != WBA_REASON_OK) {
        (void) fprintf(stderr, "verdicts: %s\n",
                       (const char *) wba_reason_info(verdict.reason)
                           ->name.data);
        exit(1);
    }
    bench.signature = v.facts.signatures[0]->signature;
    bench.base = v.facts.signatures[0]->base;
}

static void
crypto(void)
{
    if (wba_crypto_verify(&bench.match.key, WBA_ALG_ED25519, bench.signature,
                          bench.base)
        != WBA_OK)
    {
        exit(1);
    }
}

static wba_verdict_cache_t *cache;

static void
look_up(void)
{
    uint8_t id[WBA_VERDICT_ID];

    wba_verdict_cache_id(cache, &bench.match.key, WBA_ALG_ED25519,
                         bench.signature, bench.base, id);
    if (!wba_verdict_cache_has(cache, id)) {
        exit(1);
    }
}

static double
measure(void (*run)(void), unsigned times)
{
    double begun = seconds();
    unsigned i;

    for (i = 0; i < times; i++) {
        run();
    }
    return (seconds() - begun) * 1e6 / times;
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;

    return x < y ? -1 : x > y;
}

static double
median(double *values, unsigned n)
{
    qsort(values, n, sizeof(*values), compare);
    return values[n / 2];
}

int
main(int argc, char **argv)
{
    static const char *const names[] = { "verdict, no cache",
                                         "verdict, with the cache",
                                         "the crypto alone",
                                         "the look-up alone" };
    unsigned rounds = argc > 1 ? (unsigned) atoi(argv[1]) : 15;
    unsigned times = argc > 2 ? (unsigned) atoi(argv[2]) : 2000;
    static double t[4][MAX_ROUNDS];
    uint8_t secret[WBA_VERDICT_SECRET];
    size_t size = wba_verdict_cache_size(1024);
    double m[4];
    unsigned i;

    if (rounds == 0 || rounds > MAX_ROUNDS || times == 0
        || wba_crypto_init() != WBA_OK)
    {
        return 1;
    }
    prepare();
    randombytes_buf(secret, sizeof(secret));
    cache = wba_verdict_cache_init(malloc(size), size, secret);
    for (i = 0; i < rounds; i++) {
        bench.env.verdicts = NULL;
        t[0][i] = measure(request, times);
        bench.env.verdicts = cache;
        t[1][i] = measure(request, times);
        t[2][i] = measure(crypto, times);
        t[3][i] = measure(look_up, times);
    }
    (void) puts("static signature, microseconds");
    for (i = 0; i < 4; i++) {
        m[i] = median(t[i], rounds);
        (void) printf("  %-36s %8.3f   spread %4.1f %%\n", names[i], m[i],
                      100 * (t[i][rounds - 1] - t[i][0]) / m[i]);
    }
    (void) printf("  %-36s %8.3f\n  %-36s %8.3f\n", "ratio of verdicts",
                  m[0] / m[1], "ratio of the parts", m[2] / m[3]);
    return 0;
}
