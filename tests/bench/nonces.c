/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The nonce table alone: what a check-and-record costs at several fills, sizes
 * and numbers of processes on one shared mapping, beside libsodium's SipHash,
 * BLAKE2b and Ed25519 verification in the same run.
 *
 * A fill is kept by expiry: the clock of a table advances with its records, so
 * that as many end as are added, as under a steady load.  Rounds interleave
 * all rows; a row is the median of its rounds.  Nothing timed is asserted, but
 * every answer is counted, and a wrong one ends in status 1.
 */
#define _GNU_SOURCE /* sched_setaffinity */

#include "replay.h"
#include "wba_limits.h"

#include <sched.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 7
#define MAX_PROCESSES 4
#define LIFETIME 200 /* seconds of the table's clock: 0.5 % of the fill each */
#define CHUNK 64     /* records between looks at the shared clock */
#define OPS (1172 * MAX_PROCESSES * CHUNK) /* of a row, in a round */
#define BEGIN 1000000
#define MILLION 1000000

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Thumbprint and nonce together: what the table hashes, and the yardsticks. */
#define NONCE_SIZE 32
#define MESSAGE_SIZE (WBA_THUMBPRINT_SIZE + NONCE_SIZE)

/* A signature base as a TAP request has it. */
#define BASE_SIZE 340

typedef struct {
    _Alignas(64) _Atomic uint64_t issued; /* numbers of nonces, the clock */
    _Alignas(64) _Atomic int ready;
    _Atomic int go;
    struct {
        _Alignas(64) double cpu, since, until;
        uint64_t answers[WBA_STORE_UNAVAILABLE + 1];
        uint64_t missed; /* a replay that wba_replay_seen did not know */
    } process[MAX_PROCESSES];
} shared_t;

/* A table kept at a fill. */
typedef struct {
    const char *name;
    uint64_t rated;
    uint64_t live;
    wba_replay_t *table;
    shared_t *shared;
    size_t size;
    uint64_t per_second; /* of its clock */
    int64_t lifetime;
} store_t;

typedef enum {
    RECORD,      /* wba_replay_record of a new nonce */
    SEEN_RECORD, /* before it wba_replay_seen, as each request has it */
    SEEN,        /* wba_replay_seen of a nonce that was used */
    FULL,        /* wba_replay_record where there is no room */
    SIPHASH,
    BLAKE2B,
    VERIFY
} what_t;

typedef struct {
    const char *name;
    what_t what;
    store_t *store;
    int processes;
    double ns[ROUNDS];   /* of processor time for one */
    double rate[ROUNDS]; /* a second of wall time, all processes */
} row_t;

typedef struct {
    uint8_t thumbprint[WBA_THUMBPRINT_SIZE];
    uint8_t text[NONCE_SIZE];
} name_t;

enum { EMPTY, HALF, NINETY, RATED_1M, LIVE_10K, LIVE_100K, LIVE_10M,
       OVERFULL };

static store_t stores[] = {
    [EMPTY] = { .name = "0 %", .rated = MILLION, .live = 0 },
    [HALF] = { .name = "50 %", .rated = MILLION, .live = MILLION / 2 },
    [NINETY] = { .name = "90 %", .rated = MILLION, .live = MILLION * 9 / 10 },
    [RATED_1M] = { .name = "100 %", .rated = MILLION, .live = MILLION },
    [LIVE_10K] = { .name = "10k", .rated = 10000, .live = 10000 },
    [LIVE_100K] = { .name = "100k", .rated = 100000, .live = 100000 },
    [LIVE_10M] = { .name = "10M", .rated = 10 * MILLION,
                   .live = 10 * MILLION },
    [OVERFULL] = { .name = "full", .rated = MILLION, .live = 2 * MILLION },
};

#define FILL(s, n) { .what = RECORD, .store = &stores[s], .processes = n }
#define OTHER(w, s, text) \
    { .name = text, .what = w, .store = s, .processes = 1 }

static row_t fills[] = {
    FILL(EMPTY, 1), FILL(EMPTY, 2), FILL(EMPTY, 4),
    FILL(HALF, 1), FILL(HALF, 2), FILL(HALF, 4),
    FILL(NINETY, 1), FILL(NINETY, 2), FILL(NINETY, 4),
    FILL(RATED_1M, 1), FILL(RATED_1M, 2), FILL(RATED_1M, 4),
};

static row_t sizes[] = {
    FILL(LIVE_10K, 1), FILL(LIVE_100K, 1), FILL(RATED_1M, 1),
    FILL(LIVE_10M, 1),
};

static row_t others[] = {
    OTHER(RECORD, &stores[RATED_1M], "check-and-record, 1M live"),
    OTHER(SEEN_RECORD, &stores[RATED_1M], "seen, then record"),
    OTHER(SEEN, &stores[RATED_1M], "seen, of a replay"),
    OTHER(FULL, &stores[OVERFULL], "record, of a full table"),
    OTHER(SIPHASH, NULL, "SipHash-128 of the same 64 bytes"),
    OTHER(BLAKE2B, NULL, "keyed BLAKE2b-128 of the same"),
    OTHER(VERIFY, NULL, "Ed25519 verification"),
};

static struct {
    uint8_t pk[crypto_sign_PUBLICKEYBYTES];
    uint8_t sig[crypto_sign_BYTES];
    uint8_t base[BASE_SIZE];
    uint8_t key[16];
    cpu_set_t cpus;
} kit;

static volatile uint8_t sink; /* keeps the yardsticks' results wanted */

static void
die(const char *what)
{
    perror(what);
    exit(2);
}

static double
seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static void *
map(size_t size)
{
    /* As nginx maps its zones. */
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED) {
        die("mmap");
    }
    return p;
}

static wba_nonce_t
named(name_t *name, uint64_t id, const wba_clock_t *now, int64_t lifetime)
{
    wba_nonce_t nonce;

    memcpy(name->text + 8, &id, sizeof(id));
    nonce.thumbprint = name->thumbprint;
    nonce.nonce = wba_str(name->text, sizeof(name->text));
    nonce.created = now->wall;
    nonce.until = now->wall + lifetime;
    return nonce;
}

static wba_clock_t
clock_at(const store_t *store, uint64_t issued)
{
    wba_clock_t now;

    now.wall = BEGIN + 10 + (int64_t) (issued / store->per_second);
    now.monotonic = now.wall - BEGIN;
    return now;
}

/* --- the work of one process */

static void
work_table(store_t *store, what_t what, uint64_t ops, int me)
{
    uint64_t *answers = store->shared->process[me].answers;
    uint64_t done, id = 0, last = 0;
    wba_clock_t now = { 0, 0 };
    name_t name;

    memset(&name, 0, sizeof(name));
    for (done = 0; done < ops; done++) {
        wba_store_answer_t answer;
        wba_nonce_t nonce;

        if (id == last) {
            /* One shared write for many records: who is the first to be in
             * the next second does not matter to the table. */
            id = atomic_fetch_add(&store->shared->issued, CHUNK);
            last = id + CHUNK;
            now = clock_at(store, what == FULL ? 0 : id);
        }
        nonce = named(&name, id++, &now, store->lifetime);
        if (what == SEEN_RECORD
            && wba_replay_seen(store->table, &nonce, &now))
        {
            answers[WBA_STORE_SEEN]++;
            continue;
        }
        answer = wba_replay_record(store->table, &nonce, 1, 5, &now);
        answers[answer]++;
        if (answer == WBA_STORE_COLD) {
            id = last; /* its clock was behind: see store_check */
        }
    }
}

/* Asks for nonces of which all that are asked for are alive, in an order that
 * no cache helps. */
static void
work_seen(store_t *store, uint64_t ops, int me)
{
    uint64_t issued = atomic_load(&store->shared->issued);
    uint64_t alive = store->live * 9 / 10, step = 7919 * 101;
    wba_clock_t now = clock_at(store, issued);
    uint64_t i, known = 0;
    name_t name;

    memset(&name, 0, sizeof(name));
    for (i = 0; i < ops; i++) {
        wba_nonce_t nonce = named(&name, issued - 1 - i * step % alive, &now,
                                  store->lifetime);

        known += wba_replay_seen(store->table, &nonce, &now);
    }
    store->shared->process[me].answers[WBA_STORE_SEEN] += known;
    store->shared->process[me].missed += ops - known;
}

static void
work_yardstick(what_t what, uint64_t ops)
{
    uint8_t message[MESSAGE_SIZE] = { 0 }, out[16];
    uint64_t i;

    for (i = 0; i < ops; i++) {
        memcpy(message + WBA_THUMBPRINT_SIZE, &i, sizeof(i));
        switch (what) {
        case SIPHASH:
            crypto_shorthash_siphashx24(out, message, sizeof(message),
                                        kit.key);
            sink ^= out[0];
            break;
        case BLAKE2B:
            crypto_generichash(out, sizeof(out), message, sizeof(message),
                               kit.key, sizeof(kit.key));
            sink ^= out[0];
            break;
        default:
            if (crypto_sign_verify_detached(kit.sig, kit.base, BASE_SIZE,
                                            kit.pk) != 0)
            {
                fprintf(stderr, "a good signature was refused\n");
                exit(1);
            }
        }
    }
}

static void
work(const row_t *row, uint64_t ops, int me)
{
    if (row->what == SEEN) {
        work_seen(row->store, ops, me);
    } else if (row->store) {
        work_table(row->store, row->what, ops, me);
    } else {
        work_yardstick(row->what, ops);
    }
}

/* --- processes */

/* The nth of the processors that we may use: a run is too short for the
 * scheduler to spread them. */
static void
pin(int n)
{
    cpu_set_t one;
    int cpu;

    n %= CPU_COUNT(&kit.cpus);
    for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &kit.cpus) && n-- == 0) {
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            sched_setaffinity(0, sizeof(one), &one);
            return;
        }
    }
}

/* A fork does not inherit the pages of a shared mapping: to touch them first
 * is what a worker that has run for a while has done. */
static void
touch(const store_t *store)
{
    const volatile uint8_t *at = (const volatile uint8_t *) store->table;
    size_t i;

    for (i = 0; i < store->size; i += 4096) {
        (void) at[i];
    }
}

static void
child(const row_t *row, shared_t *shared, uint64_t ops, int me, int round)
{
    double cpu;

    pin(me + round); /* processors differ a little */
    if (row->store) {
        touch(row->store);
    }
    atomic_fetch_add(&shared->ready, 1);
    while (!atomic_load(&shared->go)) {
        sched_yield();
    }
    shared->process[me].since = seconds(CLOCK_MONOTONIC);
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    work(row, ops, me);
    shared->process[me].cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    shared->process[me].until = seconds(CLOCK_MONOTONIC);
}

static void
measure(row_t *row, shared_t *shared, int round)
{
    uint64_t ops = row->what == VERIFY ? OPS / 100 : OPS;
    double cpu = 0, since = 0, until = 0;
    int i, status, n = row->processes;
    pid_t pids[MAX_PROCESSES];

    atomic_store(&shared->go, 0);
    atomic_store(&shared->ready, 0);
    for (i = 0; i < n; i++) {
        pids[i] = fork();
        if (pids[i] < 0) {
            die("fork");
        }
        if (pids[i] == 0) {
            child(row, shared, ops / (uint64_t) n, i, round);
            _exit(0);
        }
    }
    while (atomic_load(&shared->ready) < n) {
        sched_yield();
    }
    atomic_store(&shared->go, 1);
    for (i = 0; i < n; i++) {
        if (waitpid(pids[i], &status, 0) != pids[i] || status != 0) {
            fprintf(stderr, "a process failed\n");
            exit(1);
        }
        cpu += shared->process[i].cpu;
        if (i == 0 || shared->process[i].since < since) {
            since = shared->process[i].since;
        }
        if (shared->process[i].until > until) {
            until = shared->process[i].until;
        }
    }
    ops = ops / (uint64_t) n * (uint64_t) n;
    row->ns[round] = cpu / (double) ops * 1e9;
    row->rate[round] = (double) ops / (until - since);
}

/* --- tables */

/* Fills the table as its own load would. */
static void
store_make(store_t *store)
{
    static const wba_clock_t begin = { BEGIN, 0 };
    static const uint8_t secret[16] = "0123456789abcdef";
    bool overfull = store->live > store->rated;

    store->size = wba_replay_size(store->rated);
    store->table = wba_replay_init(map(store->size), store->size, secret,
                                   &begin, false);
    store->shared = map(sizeof(shared_t));
    if (store->table == NULL) {
        fprintf(stderr, "no table of %zu bytes\n", store->size);
        exit(1);
    }
    store->lifetime = store->live ? LIFETIME : 1;
    store->per_second = store->live ? store->live / LIFETIME : 100;
    work_table(store, overfull ? FULL : RECORD, store->live, 0);
}

static uint64_t
answers_of(const store_t *store, wba_store_answer_t answer)
{
    uint64_t n = 0;
    int i;

    for (i = 0; i < MAX_PROCESSES; i++) {
        n += store->shared->process[i].answers[answer];
    }
    return n;
}

static bool
wrong(const store_t *store, const char *what)
{
    printf("WRONG: table %s: %s: fresh %llu, seen %llu, full %llu, cold %llu,"
           " unavailable %llu\n", store->name, what,
           (unsigned long long) answers_of(store, WBA_STORE_FRESH),
           (unsigned long long) answers_of(store, WBA_STORE_SEEN),
           (unsigned long long) answers_of(store, WBA_STORE_FULL),
           (unsigned long long) answers_of(store, WBA_STORE_COLD),
           (unsigned long long) answers_of(store, WBA_STORE_UNAVAILABLE));
    return true;
}

/*
 * A new nonce is fresh; at the rated fill one in a million may find no room,
 * below it none.  What is asked again is seen, unless there was no room.  In
 * the table that is kept empty a second is so short that a process which is
 * not scheduled for a moment is behind by more than a lifetime, and rightly
 * refused.
 */
static bool
store_check(const store_t *store)
{
    uint64_t fresh = answers_of(store, WBA_STORE_FRESH);
    uint64_t full = answers_of(store, WBA_STORE_FULL);
    uint64_t cold = answers_of(store, WBA_STORE_COLD);
    uint64_t live, slack = store->per_second + MAX_PROCESSES * CHUNK, i;
    uint64_t missed = 0;
    wba_replay_stats_t stats;
    wba_clock_t now;

    for (i = 0; i < MAX_PROCESSES; i++) {
        missed += store->shared->process[i].missed;
    }
    if (missed > full * ROUNDS) {
        return wrong(store, "a used nonce was not known");
    }
    if (cold > (store->live ? 0 : fresh / 1000)
        || answers_of(store, WBA_STORE_UNAVAILABLE)
        || (store != &stores[RATED_1M] && answers_of(store, WBA_STORE_SEEN)))
    {
        return wrong(store, "new nonces were refused");
    }
    if (store->live > store->rated) {
        return full < fresh && wrong(store, "it never was full");
    }
    if (full > (store->live < store->rated ? 0 : fresh / MILLION + 1)) {
        return wrong(store, "no room below the rated fill");
    }
    now = clock_at(store, atomic_load(&store->shared->issued));
    wba_replay_stats(store->table, &now, &stats);
    live = stats.live;
    if (live + slack < store->live || live > store->live + slack) {
        printf("table %s: %llu live\n", store->name,
               (unsigned long long) live);
        return wrong(store, "its fill was not what it should be");
    }
    return false;
}

/* The full table is as good as new when its entries have ended. */
static bool
recovery_check(store_t *store)
{
    wba_clock_t now = clock_at(store, 0);
    wba_store_answer_t answer;
    wba_nonce_t nonce;
    name_t name;
    int i;

    memset(&name, 0, sizeof(name));
    now.wall += store->lifetime;
    now.monotonic += store->lifetime;
    for (i = 0; i < 100000; i++) {
        nonce = named(&name, UINT64_MAX - (uint64_t) i, &now,
                      store->lifetime);
        answer = wba_replay_record(store->table, &nonce, 1, 5, &now);
        if (answer != WBA_STORE_FRESH) {
            return wrong(store, "it did not recover");
        }
    }
    return false;
}

/* --- printing */

static int
compare(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;

    return x < y ? -1 : x > y;
}

static double
median(const double *values)
{
    double sorted[ROUNDS];

    memcpy(sorted, values, sizeof(sorted));
    qsort(sorted, ROUNDS, sizeof(sorted[0]), compare);
    return sorted[ROUNDS / 2];
}

static void
print_fills(void)
{
    double ns = median(fills[0].ns), rate = median(fills[0].rate);
    size_t i;

    printf("check-and-record, a table rated for 1M live nonces (medians of "
           "%d rounds of %d)\n", ROUNDS, OPS);
    printf("  %-6s %9s %11s %6s %12s %6s %11s\n", "fill", "processes",
           "M/s in all", "ratio", "ns processor", "ratio", "M/s a core");
    for (i = 0; i < COUNT(fills); i++) {
        const row_t *row = &fills[i];
        double n = median(row->ns), r = median(row->rate);

        printf("  %-6s %9d %11.2f %6.2f %12.0f %6.2f %11.2f\n",
               row->store->name, row->processes, r / 1e6, r / rate, n, n / ns,
               1e3 / n);
    }
}

static void
print_sizes(void)
{
    double ns = median(sizes[0].ns);
    double verify = median(others[COUNT(others) - 1].ns);
    size_t i;

    printf("check-and-record at the rated fill\n");
    printf("  %-6s %12s %6s %11s %9s %12s %6s %15s\n", "live",
           "ns processor", "ratio", "M/s a core", "of verify", "region bytes",
           "each", "no room, of");
    for (i = 0; i < COUNT(sizes); i++) {
        const store_t *store = sizes[i].store;
        double n = median(sizes[i].ns);

        printf("  %-6s %12.0f %6.2f %11.2f %7.2f %% %12zu %6.2f %4llu %10llu"
               "\n",
               store == &stores[RATED_1M] ? "1M" : store->name, n, n / ns,
               1e3 / n, 100 * n / verify, store->size,
               (double) store->size / (double) store->live,
               (unsigned long long) answers_of(store, WBA_STORE_FULL),
               (unsigned long long) (answers_of(store, WBA_STORE_FRESH)
                                     + answers_of(store, WBA_STORE_FULL)));
    }
}

static void
print_others(void)
{
    double ns = median(others[0].ns);
    double verify = median(others[COUNT(others) - 1].ns);
    size_t i;

    printf("  %-34s %12s %6s %18s\n", "", "ns processor", "ratio",
           "of a verification");
    for (i = 0; i < COUNT(others); i++) {
        double n = median(others[i].ns);

        printf("  %-34s %12.0f %6.2f %16.2f %%\n", others[i].name, n, n / ns,
               100 * n / verify);
    }
}

static void
kit_make(void)
{
    uint8_t sk[crypto_sign_SECRETKEYBYTES];

    if (sodium_init() < 0) {
        exit(2);
    }
    crypto_sign_keypair(kit.pk, sk);
    randombytes_buf(kit.base, sizeof(kit.base));
    randombytes_buf(kit.key, sizeof(kit.key));
    crypto_sign_detached(kit.sig, NULL, kit.base, sizeof(kit.base), sk);
    if (sched_getaffinity(0, sizeof(kit.cpus), &kit.cpus) != 0) {
        die("sched_getaffinity");
    }
}

static void
measure_all(row_t *rows, size_t n, shared_t *spare, int round)
{
    size_t i;

    for (i = 0; i < n; i++) {
        measure(&rows[i], rows[i].store ? rows[i].store->shared : spare,
                round);
    }
}

int
main(void)
{
    shared_t *spare;
    bool bad;
    size_t i;
    int round;

    kit_make();
    spare = map(sizeof(shared_t));
    for (i = 0; i < COUNT(stores); i++) {
        store_make(&stores[i]);
    }
    for (round = 0; round < ROUNDS; round++) {
        measure_all(fills, COUNT(fills), spare, round);
        measure_all(sizes, COUNT(sizes), spare, round);
        measure_all(others, COUNT(others), spare, round);
    }
    print_fills();
    print_sizes();
    print_others();

    bad = recovery_check(&stores[OVERFULL]);
    for (i = 0; i < COUNT(stores); i++) {
        bad |= store_check(&stores[i]);
    }
    return bad;
}
