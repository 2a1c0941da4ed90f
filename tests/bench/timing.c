/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What can be told from the time of a refusal.  Each sample is a new request,
 * signed and then made wrong in one way, through core's whole machine; the
 * ways take turns at random.  Two of them are told apart by Welch's t over the
 * lower nine tenths of the samples: this is what somebody could measure who
 * sits inside the worker.  No network is between.
 *
 *     timing [SAMPLES]        of each way, 10,000 unless told otherwise
 *
 * Exit status 1: two are told apart of which nobody may be able to tell.
 */
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "challenge.h"
#include "jwk.h"
#include "rawmsg.h"
#include "verify.h"

#define NOW 1700000000
#define LIVE 100000
#define BATCH 64        /* calls of a sample of what takes nanoseconds */
#define HASH_CHARACTERS 21 /* of a challenge's end, of nothing but its hash */
#define MAX_SAMPLES 200000
#define TOLD 6.0        /* |t|: by chance once in 500 million */

typedef enum {
    R_FIRST, /* octets of the signature, R and S */
    R_LAST,
    S_FIRST,
    S_LAST,
    S_TOO_LARGE,
    UNKNOWN_KEY,
    USED_NONCE,
    EXPIRED,
    CHALLENGE_FIRST, /* octets of a nonce's hash */
    CHALLENGE_LAST,
    NONCE_HIT, /* the table alone */
    NONCE_MISS,
    WAYS
} way_t;

static struct {
    wba_directory_t directory;
    wba_tag_t tag[WBA_MAX_TAGS];
    wba_env_t env;
    wba_policy_t policy;
    wba_keyring_match_t match;
    uint8_t pk[crypto_sign_PUBLICKEYBYTES];
    uint8_t sk[crypto_sign_SECRETKEYBYTES];
    uint8_t thumbprint[WBA_THUMBPRINT_SIZE];
    char keyid[WBA_THUMBPRINT_TEXT_SIZE + 1];
    wba_replay_t *table;
    wba_clock_t clock;
    wba_challenge_key_t challenge;
    char text[2048];
    uint8_t block[1 << 17];
    double *samples[WAYS];
    size_t n[WAYS];
} bench;

static void
check(bool good, const char *what)
{
    if (!good) {
        (void) fprintf(stderr, "timing: %s went wrong\n", what);
        exit(2);
    }
}

static double
nanoseconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec * 1e9 + (double) t.tv_nsec;
}

/* --- the surroundings */

static wba_nonce_t
nonce_of(wba_str_t text)
{
    return (wba_nonce_t) { .thumbprint = bench.thumbprint, .nonce = text,
                           .created = NOW, .until = NOW + 600 };
}

static bool
seen(void *ctx, const wba_nonce_t *nonce)
{
    (void) ctx;
    return wba_replay_seen(bench.table, nonce, &bench.clock);
}

static bool
served(const wba_message_t *message)
{
    (void) message;
    return true;
}

/* Used ones are called u0, u1, ... */
static wba_str_t
used(char text[24])
{
    int n = snprintf(text, 24, "u%u", randombytes_uniform(LIVE));

    return wba_str(text, (size_t) n);
}

static void
prepare(size_t samples)
{
    static const uint8_t secret[16] = "0123456789abcdef";
    wba_key_t *key = &bench.match.key;
    size_t i, size = wba_replay_size(LIVE);
    char text[24];

    check(wba_crypto_init() == WBA_OK, "libsodium");
    crypto_sign_keypair(bench.pk, bench.sk);
    wba_jwk_thumbprint_ed25519(bench.pk, bench.thumbprint);
    wba_thumbprint_text(bench.thumbprint, (uint8_t *) bench.keyid);
    key->type = WBA_KEY_ED25519;
    key->algs = WBA_ALG_ED25519;
    key->thumbprint = bench.thumbprint;
    key->pub = wba_str(bench.pk, sizeof(bench.pk));
    bench.match.by_thumbprint = true;

    bench.directory.name = WBA_STR("visa");
    bench.directory.profile = *wba_profile_find(WBA_STR("tap"));
    bench.env.directories = &bench.directory;
    bench.env.ndirectories = 1;
    bench.env.tags = bench.tag;
    bench.env.ntags = wba_served_tags(&bench.directory, 1, bench.tag,
                                      WBA_MAX_TAGS);
    bench.env.nonce_seen = seen;
    wba_policy_default(&bench.policy);
    bench.policy.mode = WBA_MODE_ON;

    bench.clock = (wba_clock_t) { .wall = NOW, .monotonic = 1000 };
    size = (size + 63) / 64 * 64;
    bench.table = wba_replay_init(aligned_alloc(64, size), size, secret,
                                  &bench.clock, true);
    check(bench.table != NULL, "the table");
    for (i = 0; i < LIVE; i++) {
        int n = snprintf(text, sizeof(text), "u%zu", i);
        wba_nonce_t nonce = nonce_of(wba_str(text, (size_t) n));

        check(wba_replay_record(bench.table, &nonce, 1, 5, &bench.clock)
                  == WBA_STORE_FRESH, "a record");
    }
    wba_challenge_derive(&bench.challenge, secret, sizeof(secret));
    for (i = 0; i < WAYS; i++) {
        bench.samples[i] = malloc(samples * sizeof(double));
        check(bench.samples[i] != NULL, "malloc");
    }
}

/* --- requests */

static void
spoil(way_t way, uint8_t sig[crypto_sign_BYTES])
{
    static const int at[] = { [R_FIRST] = 0, [R_LAST] = 31, [S_FIRST] = 32,
                              [S_LAST] = 63, [S_TOO_LARGE] = 63 };

    if (way <= S_LAST) {
        sig[at[way]] ^= 1;
    } else if (way == S_TOO_LARGE) {
        sig[at[way]] |= 0x80;
    } else {
        sig[0] ^= 1;
    }
}

static void
write_request(way_t way)
{
    uint8_t sig[crypto_sign_BYTES], random[16];
    char member[512], base[1024], sent[128], nonce[64];
    int created = way == EXPIRED ? NOW - 1000 : NOW, n;

    randombytes_buf(random, sizeof(random));
    sodium_bin2hex(nonce, sizeof(nonce), random, sizeof(random));
    if (way == USED_NONCE) {
        (void) used(nonce);
    }
    (void) snprintf(member, sizeof(member),
                    "(\"@authority\" \"@path\");created=%d;expires=%d"
                    ";keyid=\"%s%s\";alg=\"ed25519\";nonce=\"%s\""
                    ";tag=\"agent-payer-auth\"",
                    created, created + 480, bench.keyid,
                    way == UNKNOWN_KEY ? "x" : "", nonce);
    n = snprintf(base, sizeof(base),
                 "\"@authority\": shop.example\n\"@path\": /checkout\n"
                 "\"@signature-params\": %s", member);
    crypto_sign_detached(sig, NULL, (const uint8_t *) base, (size_t) n,
                         bench.sk);
    spoil(way, sig);
    sodium_bin2base64(sent, sizeof(sent), sig, sizeof(sig),
                      sodium_base64_VARIANT_ORIGINAL);
    (void) snprintf(bench.text, sizeof(bench.text),
                    "GET /checkout HTTP/1.1\r\nHost: shop.example\r\n"
                    "User-Agent: agent/1\r\nAccept: */*\r\n"
                    "Signature-Input: sig1=%s\r\n"
                    "Signature: sig1=:%s:\r\n\r\n", member, sent);
}

/* Its time, from the fields to the verdict. */
static double
request(way_t way)
{
    static const wba_reason_t reasons[] = {
        [R_FIRST] = WBA_REASON_BAD_SIGNATURE,
        [R_LAST] = WBA_REASON_BAD_SIGNATURE,
        [S_FIRST] = WBA_REASON_BAD_SIGNATURE,
        [S_LAST] = WBA_REASON_BAD_SIGNATURE,
        [S_TOO_LARGE] = WBA_REASON_BAD_SIGNATURE,
        [UNKNOWN_KEY] = WBA_REASON_KEY_UNKNOWN,
        [USED_NONCE] = WBA_REASON_NONCE_REPLAYED,
        [EXPIRED] = WBA_REASON_EXPIRED,
    };
    static wba_verify_t v;
    wba_raw_message_t raw;
    wba_message_ops_t ops;
    wba_message_t message;
    wba_verdict_t verdict;
    wba_arena_t arena;
    wba_mem_t mem;
    double begun;
    size_t line;

    write_request(way);
    check(wba_raw_message_parse(wba_str_z(bench.text), &raw, &line)
              == WBA_OK, "a request");
    wba_arena_init(&arena, bench.block, sizeof(bench.block));
    mem = wba_arena_mem(&arena);
    ops = *raw.message.ops;
    ops.authority_served = served;
    message.ops = &ops;
    message.ctx = raw.message.ctx;

    begun = nanoseconds();
    wba_verify_init(&v, &bench.env, &message, &mem);
    wba_verify_begin(&v, &bench.policy);
    while (wba_verify_step(&v, NOW) == WBA_NEED_KEY) {
        if (wba_str_eq(v.key.keyid, wba_str_z(bench.keyid))) {
            wba_verify_offer(&v, &bench.match);
        }
        wba_verify_keys(&v, WBA_REASON_KEY_UNKNOWN);
    }
    wba_judge(&v.facts, &bench.policy, NOW, &verdict);
    begun = nanoseconds() - begun;
    check(verdict.reason == reasons[way], "a verdict");
    return begun;
}

/* --- what takes nanoseconds */

static double
challenge(way_t way)
{
    static const uint8_t alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "abcdefghijklmnopqrstuvwxyz"
                                      "0123456789-_";
    uint8_t nonce[BATCH][WBA_CHALLENGE_SIZE], random[WBA_CHALLENGE_RANDOM_SIZE];
    double begun;
    size_t i, at;

    at = WBA_CHALLENGE_SIZE - (way == CHALLENGE_FIRST ? HASH_CHARACTERS : 1);
    for (i = 0; i < BATCH; i++) {
        uint8_t was;

        randombytes_buf(random, sizeof(random));
        wba_challenge_make(&bench.challenge, WBA_STR("shop.example"), NOW,
                           random, nonce[i]);
        was = nonce[i][at];
        while (nonce[i][at] == was) {
            nonce[i][at] = alphabet[randombytes_uniform(64)];
        }
    }
    begun = nanoseconds();
    for (i = 0; i < BATCH; i++) {
        check(wba_challenge_check(&bench.challenge, WBA_STR("shop.example"),
                                  wba_str(nonce[i], WBA_CHALLENGE_SIZE), NOW)
                  == WBA_REASON_NONCE_NOT_CHALLENGED, "a challenge");
    }
    return nanoseconds() - begun;
}

static double
look_up(way_t way)
{
    char text[BATCH][24];
    wba_nonce_t nonce[BATCH];
    double begun;
    size_t i, hits = 0;

    for (i = 0; i < BATCH; i++) {
        nonce[i] = nonce_of(used(text[i]));
        text[i][0] = way == NONCE_HIT ? 'u' : 'v';
    }
    begun = nanoseconds();
    for (i = 0; i < BATCH; i++) {
        hits += wba_replay_seen(bench.table, &nonce[i], &bench.clock);
    }
    begun = nanoseconds() - begun;
    check(hits == (way == NONCE_HIT ? BATCH : 0), "a look");
    return begun;
}

/* --- statistics */

static int
compare(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;

    return x < y ? -1 : x > y;
}

/* The mean and the variance of those below limit. */
static size_t
moments(const double *x, size_t n, double limit, double *mean, double *var)
{
    size_t i, kept = 0;
    double d, m = 0, s = 0;

    for (i = 0; i < n; i++) {
        if (x[i] <= limit) {
            d = x[i] - m;
            m += d / (double) ++kept;
            s += d * (x[i] - m);
        }
    }
    *mean = m;
    *var = s / (double) (kept - 1);
    return kept;
}

/* Sorts both. */
static double
welch(way_t a, way_t b, double *ratio)
{
    double *x = bench.samples[a], *y = bench.samples[b];
    size_t n = bench.n[a], m = bench.n[b];
    double limit, mean[2], var[2];
    size_t kept[2];

    qsort(x, n, sizeof(*x), compare);
    qsort(y, m, sizeof(*y), compare);
    *ratio = x[n / 2] / y[m / 2];
    limit = x[n * 9 / 10] > y[m * 9 / 10] ? x[n * 9 / 10] : y[m * 9 / 10];
    kept[0] = moments(x, n, limit, &mean[0], &var[0]);
    kept[1] = moments(y, m, limit, &mean[1], &var[1]);
    return (mean[0] - mean[1])
           / sqrt(var[0] / (double) kept[0] + var[1] / (double) kept[1]);
}

static const struct {
    const char *text;
    way_t a, b;
    bool may; /* be told */
} pairs[] = {
    { "signature, first octet of R : last octet of R", R_FIRST, R_LAST,
      false },
    { "signature, first octet of R : first octet of S", R_FIRST, S_FIRST,
      false },
    { "signature, first octet of R : last octet of S", R_FIRST, S_LAST,
      false },
    { "challenge, first octet of the hash : last octet", CHALLENGE_FIRST,
      CHALLENGE_LAST, false },
    { "S beyond its range : any other wrong signature", S_TOO_LARGE, R_FIRST,
      true },
    { "unknown key : known key, wrong signature", UNKNOWN_KEY, R_FIRST,
      true },
    { "used nonce : new nonce, both signatures wrong", USED_NONCE, R_FIRST,
      true },
    { "expired : wrong signature", EXPIRED, R_FIRST, true },
    { "the nonce table alone, hit : miss", NONCE_HIT, NONCE_MISS, true },
};

static bool
tell(void)
{
    bool good = true;
    double t, ratio;
    size_t i;

    (void) printf("%-50s %7s %8s\n", "", "ratio", "t");
    for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        t = welch(pairs[i].a, pairs[i].b, &ratio);
        (void) printf("%-50s %7.3f %8.1f  %s%s\n", pairs[i].text, ratio, t,
                      fabs(t) < TOLD ? "not told" : "told",
                      fabs(t) >= TOLD && !pairs[i].may ? ", and must not be"
                                                       : "");
        good &= pairs[i].may || fabs(t) < TOLD;
    }
    return good;
}

int
main(int argc, char **argv)
{
    size_t samples = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000, i;

    check(samples >= 100 && samples <= MAX_SAMPLES, "the number of samples");
    prepare(samples);
    for (i = 0; i < samples * WAYS;) {
        way_t way = (way_t) randombytes_uniform(WAYS);
        double t;

        if (bench.n[way] == samples) {
            continue;
        }
        t = way < CHALLENGE_FIRST ? request(way)
            : way < NONCE_HIT     ? challenge(way)
                                  : look_up(way);
        bench.samples[way][bench.n[way]++] = t;
        i++;
    }
    return tell() ? 0 : 1;
}
