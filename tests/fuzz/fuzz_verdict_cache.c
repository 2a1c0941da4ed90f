/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which signatures the crypto has found good: what is remembered answers for
 * the very same algorithm, key, signature and base, and for nothing else
 * (neither for the same octets divided otherwise); nothing is remembered that
 * was not added, and what was added last is.
 *
 * Input: the size, then what the crypto was given, in parts; each may be a
 * variant of the one before.
 */
#include "fuzz.h"
#include "verdict_cache.h"

#define GIVEN 48
#define PARTS 4 /* a key's two, a signature, a base */

typedef struct {
    wba_alg_t alg;
    wba_key_type_t type;
    wba_str_t part[PARTS];
    uint8_t id[WBA_VERDICT_ID];
    bool added;
} given_t;

static const uint8_t secret[WBA_VERDICT_SECRET + 1] =
    "0123456789abcdef0123456789abcdef";

static struct {
    given_t all[GIVEN];
    size_t n;
    fuzz_mem_t m;
} t;

static bool
same(const given_t *a, const given_t *b)
{
    size_t i;

    for (i = 0; i < PARTS; i++) {
        if (!wba_str_eq(a->part[i], b->part[i])) {
            return false;
        }
    }
    return a->alg == b->alg && a->type == b->type;
}

/* The octets of two neighbouring parts, divided elsewhere. */
static void
divide(given_t *g, unsigned at, size_t by)
{
    wba_str_t *a = &g->part[at], *b = &g->part[at + 1];
    size_t total = a->len + b->len;
    uint8_t *text = malloc(total ? total : 1);

    CHECK(text != NULL);
    if (a->len) {
        memcpy(text, a->data, a->len);
    }
    if (b->len) {
        memcpy(text + a->len, b->data, b->len);
    }
    by = total ? by % (total + 1) : 0;
    *a = fuzz_copy(&t.m, wba_str(text, by));
    *b = fuzz_copy(&t.m, wba_str(text + by, total - by));
    free(text);
}

static void
flip(given_t *g, unsigned at, uint8_t where)
{
    wba_str_t copy = fuzz_copy(&t.m, g->part[at]);
    uint8_t *bytes = (uint8_t *) (uintptr_t) copy.data;

    if (copy.len) {
        bytes[where % copy.len] ^= (uint8_t) (1 << where % 8);
    }
    g->part[at] = copy;
}

static void
make(fuzz_in_t *in, given_t *g)
{
    static const wba_alg_t algs[] = { WBA_ALG_ED25519,
                                      WBA_ALG_ECDSA_P256_SHA256,
                                      WBA_ALG_RSA_PSS_SHA512,
                                      WBA_ALG_RSA_PSS_SHA256 };
    static const wba_key_type_t types[] = { WBA_KEY_ED25519, WBA_KEY_P256,
                                            WBA_KEY_RSA };
    unsigned what = fuzz_byte(in), i;

    memset(g, 0, sizeof(*g));
    if (what & 1 && t.n) {
        *g = t.all[fuzz_byte(in) % t.n];
        g->added = false;
    } else {
        for (i = 0; i < PARTS; i++) {
            g->part[i] = fuzz_copy(&t.m, fuzz_until(in, FUZZ_PART));
        }
    }
    if (what & 2) {
        divide(g, fuzz_below(in, PARTS - 1), fuzz_byte(in));
    }
    if (what & 4) {
        flip(g, fuzz_below(in, PARTS), fuzz_byte(in));
    }
    g->alg = what & 8 ? algs[fuzz_below(in, COUNT(algs))] : g->alg;
    g->type = what & 16 ? types[fuzz_below(in, COUNT(types))] : g->type;
}

static void
name(const wba_verdict_cache_t *cache, given_t *g)
{
    wba_key_t key = { .type = g->type, .pub = g->part[0],
                      .exponent = g->part[1] };

    wba_verdict_cache_id(cache, &key, g->alg, g->part[2], g->part[3], g->id);
}

/* What has the same id is the same; and who is in was added. */
static bool
compare(const wba_verdict_cache_t *cache, given_t *g)
{
    bool before = false;
    size_t i;

    for (i = 0; i < t.n; i++) {
        bool equal = memcmp(t.all[i].id, g->id, WBA_VERDICT_ID) == 0;

        CHECK(equal == same(&t.all[i], g));
        before |= equal && t.all[i].added;
    }
    CHECK(before || !wba_verdict_cache_has(cache, g->id));
    return before;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;
    fuzz_begin();
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_in_t in = wba_str(data, size);
    unsigned add = fuzz_byte(&in);
    size_t distinct = 0, bytes = wba_verdict_cache_size(1 + add % 32);
    void *region = malloc(bytes);
    wba_verdict_cache_t *cache;
    bool known;

    CHECK(region != NULL);
    memset(region, 0xa5, bytes);
    memset(&t, 0, sizeof(t));
    fuzz_mem_init(&t.m);
    cache = wba_verdict_cache_init(region, bytes, secret);
    CHECK(cache != NULL);
    CHECK(wba_verdict_cache_capacity(cache) >= 1 + add % 32);
    while (in.len != 0 && t.n < GIVEN) {
        given_t *g = &t.all[t.n];

        make(&in, g);
        name(cache, g);
        known = compare(cache, g);
        if (!(add & 32) || g->id[0] & 1) {
            distinct += !known;
            wba_verdict_cache_add(cache, g->id);
            g->added = true;
            CHECK(wba_verdict_cache_has(cache, g->id));
        }
        t.n++;
    }
    /* the fewest that may share a set are all kept */
    while (distinct <= 8 && t.n-- > 0) {
        CHECK(!t.all[t.n].added
              || wba_verdict_cache_has(cache, t.all[t.n].id));
    }
    fuzz_mem_free(&t.m);
    free(region);
    return 0;
}
