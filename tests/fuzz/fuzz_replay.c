/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The nonce table, through any sequence of records and clocks: no nonce is
 * accepted twice while its signature could be valid, whatever the clocks do;
 * what was accepted is seen; FULL and COLD record nothing.
 *
 * Input: the size, then operations.
 */
#include "fuzz.h"
#include "replay.h"
#include "wba_limits.h"

#define IDS 64
#define START INT64_C(1700000000)

static struct {
    wba_replay_t *table;
    wba_clock_t now;
    bool accepted[IDS];
    bool superseded;
    uint8_t text[IDS][4];
} t;

static const uint8_t secret[16] = "0123456789abcdef";
static const uint8_t thumbprint[WBA_THUMBPRINT_SIZE] = "a key";

/* Its until is signed: always the same. */
static wba_nonce_t
nonce_of(unsigned id)
{
    wba_nonce_t nonce = { .thumbprint = thumbprint };

    t.text[id][0] = (uint8_t) id;
    t.text[id][1] = (uint8_t) (id * 37);
    nonce.nonce = wba_str(t.text[id], 1 + id % 4);
    nonce.created = START + (int64_t) id * 4 - 100;
    nonce.until = nonce.created + 60 + (id % 8) * 100;
    return nonce;
}

static void
record(fuzz_in_t *in)
{
    wba_nonce_t nonces[WBA_MAX_SIGNATURES + 1];
    unsigned i, id[WBA_MAX_SIGNATURES + 1];
    size_t n = fuzz_below(in, WBA_MAX_SIGNATURES + 2);
    int64_t skew = fuzz_byte(in) & 1 ? 5 : 300;
    wba_store_answer_t answer;

    for (i = 0; i < n; i++) {
        id[i] = fuzz_byte(in) % IDS;
        nonces[i] = nonce_of(id[i]);
    }
    answer = wba_replay_record(t.table, nonces, n, skew, &t.now);
    CHECK(n >= 1 && n <= WBA_MAX_SIGNATURES
              ? answer != WBA_STORE_UNAVAILABLE
              : answer == WBA_STORE_UNAVAILABLE);
    CHECK(!t.superseded || answer != WBA_STORE_FRESH);
    for (i = 0; answer == WBA_STORE_FRESH && i < n; i++) {
        if (nonces[i].until > t.now.wall) {
            CHECK(!t.accepted[id[i]]);
            CHECK(wba_replay_seen(t.table, &nonces[i], &t.now));
        }
    }
    for (i = 0; answer == WBA_STORE_FRESH && i < n; i++) {
        t.accepted[id[i]] |= nonces[i].until > t.now.wall;
    }
}

static void
look(void)
{
    wba_replay_stats_t stats, about;

    wba_replay_stats(t.table, &t.now, &stats);
    CHECK(stats.live <= stats.capacity && stats.rated <= stats.capacity);
    wba_replay_estimate(t.table, &t.now, 1, &about);
    CHECK(about.capacity == stats.capacity && about.live <= about.capacity);
}

static void
pass(fuzz_in_t *in, bool jump)
{
    int64_t seconds = fuzz_byte(in);

    if (!jump) {
        t.now.wall += seconds;
        t.now.monotonic += seconds;
        return;
    }
    t.now.wall += (int8_t) seconds * (fuzz_byte(in) & 1 ? 100 : 1);
    if (fuzz_byte(in) & 1) { /* another process' reading of it */
        t.now.monotonic += (int8_t) seconds;
    }
    t.now.monotonic = t.now.monotonic < 0 ? 0 : t.now.monotonic;
}

static void
operation(fuzz_in_t *in)
{
    unsigned what = fuzz_byte(in);
    wba_nonce_t nonce;

    switch (what % 16) {
    case 0:
        wba_replay_supersede(t.table);
        t.superseded = true;
        return;
    case 1:
        wba_replay_resume(t.table, &t.now);
        t.superseded = false;
        return;
    case 2:
        wba_replay_cool(t.table, &t.now);
        return;
    case 3:
        look();
        return;
    case 4:
    case 5:
        pass(in, false);
        return;
    case 6:
        pass(in, true);
        return;
    case 7:
        nonce = nonce_of(fuzz_byte(in) % IDS);
        (void) wba_replay_seen(t.table, &nonce, &t.now);
        return;
    default:
        record(in);
        return;
    }
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
    size_t bytes = wba_replay_size(1 + fuzz_below(&in, 40));
    bool warm = (fuzz_byte(&in) & 1) != 0;
    void *region = aligned_alloc(64, (bytes + 63) / 64 * 64);

    memset(&t, 0, sizeof(t));
    CHECK(region != NULL);
    memset(region, 0xa5, bytes);
    t.now.wall = START - (warm ? 0 : 200);
    t.now.monotonic = 5000;
    t.table = wba_replay_init(region, bytes, secret, &t.now, warm);
    CHECK(t.table != NULL);
    CHECK(wba_replay_attach(region, bytes) == t.table);
    while (in.len != 0) {
        operation(&in);
    }
    look();
    free(region);
    return 0;
}
