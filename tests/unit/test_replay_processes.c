/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The nonce table shared by processes that are killed inside it: after each
 * of its stores, and thousands of times at random.  An alarm ends the program
 * if anything wedges.
 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, usleep */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "replay_fixture.h"

#define WEDGED 60 /* seconds until the alarm */

static double
seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

static uint32_t
draw(uint64_t *random, uint32_t n)
{
    *random = *random * UINT64_C(6364136223846793005) + 1;
    return (uint32_t) ((*random >> 33) % n);
}

static void *
shared(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(p != MAP_FAILED);
    return p;
}

static void
ended(pid_t pid)
{
    int status;

    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* Records ids first to first + n - 1, until so many seconds after the start,
 * that many seconds after it. */
static wba_store_answer_t
record(wba_replay_t *table, uint32_t first, size_t n, int64_t until, int64_t t)
{
    wba_clock_t now = { start.wall + t, start.monotonic + t };
    wba_nonce_t set[WBA_MAX_SIGNATURES];
    name_t names[WBA_MAX_SIGNATURES];
    size_t i;

    for (i = 0; i < n; i++) {
        set[i] = named(&names[i], first + (uint32_t) i, now.wall,
                       start.wall + until);
    }
    return wba_replay_record(table, set, n, 0, &now);
}

static bool
seen(const wba_replay_t *table, uint32_t id, int64_t t)
{
    wba_clock_t now = { start.wall + t, start.monotonic + t };
    name_t name;
    wba_nonce_t nonce = named(&name, id, 0, 0);

    return wba_replay_seen(table, &nonce, &now);
}

/*
 * Under the debugger: a table of four buckets with ids 0 to 9 live and 20 to
 * 57 dead, so that new ones reuse slots; a child that records 100 and 101.
 */
typedef struct {
    wba_replay_t *table;
    size_t size;
    uint8_t before[2048]; /* copy of it */
    pid_t pid;
} traced_t;

static void
traced_table(traced_t *t)
{
    t->size = bytes_for(4);
    t->table = shared(t->size);
    assert_true(t->size <= sizeof(t->before));
}

static void
traced_start(traced_t *t)
{
    uint32_t i;
    int status;

    assert_non_null(wba_replay_init(t->table, t->size, secret, &start, true));
    for (i = 0; i < 10; i++) {
        assert_int_equal(record(t->table, i, 1, 99, 0), WBA_STORE_FRESH);
    }
    for (i = 20; i < 58; i++) {
        assert_int_equal(record(t->table, i, 1, 5, 0), WBA_STORE_FRESH);
    }
    assert_int_equal(record(t->table, 0, 1, 99, 9), WBA_STORE_SEEN);
    memcpy(t->before, t->table, t->size);

    t->pid = fork();
    assert_true(t->pid >= 0);
    if (t->pid == 0) {
        alarm(WEDGED);
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0) {
            raise(SIGSTOP);
            record(t->table, 100, 2, 99, 9);
        }
        _exit(0);
    }
    assert_int_equal(waitpid(t->pid, &status, 0), t->pid);
    if (!WIFSTOPPED(status)) {
        print_message("skipped: this process may trace none\n");
        skip();
    }
}

/* False: the child has ended. */
static bool
traced_step(traced_t *t)
{
    int status;

    assert_int_equal(ptrace(PTRACE_SINGLESTEP, t->pid, NULL, NULL), 0);
    assert_int_equal(waitpid(t->pid, &status, 0), t->pid);
    return WIFSTOPPED(status);
}

/* Steps to where the table has changed so many times; false: the child ended
 * before.  The first change is that of its lock. */
static bool
traced_until(traced_t *t, unsigned changes)
{
    while (changes > 0) {
        if (!traced_step(t)) {
            return false;
        }
        if (memcmp(t->before, t->table, t->size) != 0) {
            memcpy(t->before, t->table, t->size);
            changes--;
        }
    }
    return true;
}

/* A table in which somebody was killed while recording 100 and 101. */
static void
assert_sound(const traced_t *t)
{
    wba_clock_t now = { start.wall + 9, start.monotonic + 9 };
    wba_replay_stats_t stats;
    uint32_t i, kept = 0;

    for (i = 0; i < 10; i++) {
        assert_true(seen(t->table, i, 9));
        assert_int_equal(record(t->table, i, 1, 99, 9), WBA_STORE_SEEN);
    }
    for (i = 100; i < 102; i++) {
        wba_store_answer_t first = seen(t->table, i, 9) ? WBA_STORE_SEEN
                                                        : WBA_STORE_FRESH;

        kept += first == WBA_STORE_SEEN;
        assert_int_equal(record(t->table, i, 1, 99, 9), first);
        assert_int_equal(record(t->table, i, 1, 99, 9), WBA_STORE_SEEN);
    }
    wba_replay_stats(t->table, &now, &stats);
    assert_int_equal(stats.live, 12);
    for (i = 20; i < 58; i++) {
        /* by a clock behind: known, or known to be forgotten */
        assert_int_not_equal(record(t->table, i, 1, 5, 4), WBA_STORE_FRESH);
    }
    assert_true(kept <= 2);
}

/* Between two of its stores to the table it makes no difference where. */
static void
test_killed_at_any_store(void **state)
{
    double stop = seconds() + 3; /* a sanitizer's steps are many */
    unsigned changes;
    traced_t t;

    (void) state;
    alarm(WEDGED);
    traced_table(&t);
    for (changes = 1; seconds() < stop; changes++) {
        traced_start(&t);
        if (!traced_until(&t, changes)) {
            break;
        }
        ended(t.pid);
        assert_sound(&t);
    }
    print_message("killed at each of %u stores\n", changes - 1);
    munmap(t.table, t.size);
    alarm(0);
}

static void
test_who_waits_is_woken_when_the_holder_dies(void **state)
{
    int status, i;
    pid_t waiter;
    traced_t t;

    (void) state;
    alarm(WEDGED);
    traced_table(&t);
    for (i = 0; i < 20; i++) {
        traced_start(&t);
        assert_true(traced_until(&t, 1));
        waiter = fork();
        if (waiter == 0) {
            alarm(WEDGED);
            _exit(record(t.table, 200, 1, 99, 9) == WBA_STORE_FRESH ? 0 : 1);
        }
        usleep(5000);
        assert_int_equal(waitpid(waiter, &status, WNOHANG), 0);
        assert_true(seen(t.table, 0, 9)); /* which waits for nobody */
        ended(t.pid);
        assert_int_equal(waitpid(waiter, &status, 0), waiter);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    munmap(t.table, t.size);
    alarm(0);
}

/* One makes the table cold, and between any two of its instructions another
 * does, as of earlier: what the first told holds. */
static void
test_two_make_it_cold(void **state)
{
    const wba_clock_t early = { start.wall + 5, start.monotonic };
    const wba_clock_t late = { start.wall + 9, start.monotonic };
    atomic_int *at = shared(sizeof(*at)); /* 1: in the call; 2: behind it */
    bool behind = false;
    unsigned steps, i;
    int status;
    traced_t t;

    (void) state;
    alarm(WEDGED);
    traced_table(&t);
    for (steps = 0; steps < 500 && !behind; steps++) {
        wba_replay_stats_t stats;

        assert_non_null(
            wba_replay_init(t.table, t.size, secret, &start, true));
        atomic_store(at, 0);
        t.pid = fork();
        assert_true(t.pid >= 0);
        if (t.pid == 0) {
            alarm(WEDGED);
            if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0) {
                wba_replay_cool(t.table, &start);
                raise(SIGSTOP);
                atomic_store(at, 1);
                wba_replay_cool(t.table, &late);
                atomic_store(at, 2);
            }
            _exit(0);
        }
        assert_int_equal(waitpid(t.pid, &status, 0), t.pid);
        if (!WIFSTOPPED(status)) {
            print_message("skipped: this process may trace none\n");
            skip();
        }
        while (atomic_load(at) == 0) {
            assert_true(traced_step(&t));
        }
        for (i = 0; i < steps && atomic_load(at) == 1; i++) {
            assert_true(traced_step(&t));
        }
        behind = atomic_load(at) == 2;
        wba_replay_cool(t.table, &early);
        assert_int_equal(ptrace(PTRACE_CONT, t.pid, NULL, NULL), 0);
        assert_int_equal(waitpid(t.pid, &status, 0), t.pid);
        assert_true(WIFEXITED(status));
        wba_replay_stats(t.table, &start, &stats);
        assert_int_equal(stats.cold_until, late.wall);
    }
    assert_true(steps > 10);
    munmap(t.table, t.size);
    munmap(at, sizeof(*at));
    alarm(0);
}

/*
 * The storm: processes that present the same nonces again and again, in sets,
 * while their parent moves the time and kills them.  An id belongs to the
 * second id / PER_SECOND and lives LIFE seconds from it on.
 */
#define PROCESSES 6
#define PER_SECOND 1000
#define LIFE 60
#define SECONDS 4000

typedef struct {
    _Atomic int64_t time;
    _Atomic uint64_t calls, forgotten;
    _Atomic unsigned answers[WBA_STORE_UNAVAILABLE + 1];
    _Atomic unsigned char accepted[(SECONDS + 1) * PER_SECOND];
} storm_t;

static int64_t
until(uint32_t id)
{
    return id / PER_SECOND + LIFE;
}

/* Presents ids once, counting those accepted. */
static void
present(wba_replay_t *table, storm_t *storm, uint32_t first, size_t n,
        int64_t t)
{
    wba_store_answer_t answer = record(table, first, n, until(first), t);
    size_t i;

    storm->answers[answer]++;
    for (i = 0; answer == WBA_STORE_FRESH && i < n; i++) {
        storm->accepted[first + i]++;
    }
}

/* What was accepted must be known as long as it lives by everybody's clock;
 * theirs are at most one ahead of the time. */
static void
recall(const wba_replay_t *table, storm_t *storm, uint32_t id, int64_t t)
{
    if (storm->accepted[id] && !seen(table, id, t)
        && until(id) > storm->time + 1)
    {
        storm->forgotten++;
    }
}

static void
storm_child(wba_replay_t *table, storm_t *storm, uint64_t random)
{
    for (;;) {
        int64_t now = storm->time, t = now + draw(&random, 3) - 1;
        uint32_t back = draw(&random, 4) ? 3 : LIFE;
        int64_t second = now - draw(&random, back);
        /* sets of five ids at most, none beyond its second */
        uint32_t id = (uint32_t) (second < 0 ? 0 : second) * PER_SECOND
                      + draw(&random, PER_SECOND - 4);

        if (until(id) <= t) {
            continue;
        }
        present(table, storm, id, 1 + draw(&random, 5), t);
        recall(table, storm, id, t);
        storm->calls++;
    }
}

static pid_t
storm_fork(wba_replay_t *table, storm_t *storm, uint64_t random)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(WEDGED);   /* alarms are not inherited; should the parent die */
        (void) !nice(5); /* the parent goes first */
        storm_child(table, storm, random);
    }
    return pid;
}

/* Whether it has been much; on a slow machine that takes more time. */
static bool
raged(storm_t *storm, uint32_t kills)
{
    return kills > 100 && storm->answers[WBA_STORE_FRESH] > 10000;
}

/* Kills about half of them at a time. */
static uint32_t
storm_run(wba_replay_t *table, storm_t *storm, double stop)
{
    pid_t pids[PROCESSES];
    uint64_t random = 7;
    uint32_t kills = 0, i;

    for (i = 0; i < PROCESSES; i++) {
        pids[i] = storm_fork(table, storm, i);
    }
    while (seconds() < stop || !raged(storm, kills)) {
        usleep(draw(&random, 600));
        for (i = 0; i < PROCESSES; i++) {
            if (draw(&random, 2)) {
                ended(pids[i]);
                pids[i] = storm_fork(table, storm, ++kills);
            }
        }
        if (storm->time < SECONDS - 1) {
            storm->time++;
        }
    }
    for (i = 0; i < PROCESSES; i++) {
        ended(pids[i]);
    }
    return kills;
}

static void
test_storm_of_kills(void **state)
{
    size_t size = wba_replay_size(45000);
    wba_replay_t *table = shared(size);
    storm_t *storm = shared(sizeof(*storm));
    uint32_t kills, i, accepted = 0;

    (void) state;
    alarm(WEDGED);
    assert_non_null(wba_replay_init(table, size, secret, &start, true));
    kills = storm_run(table, storm, seconds() + 3);

    for (i = 0; i < SECONDS * PER_SECOND; i++) {
        assert_in_range(storm->accepted[i], 0, 1);
        accepted += storm->accepted[i];
        recall(table, storm, i, storm->time);
    }
    assert_int_equal(storm->forgotten, 0);
    assert_int_equal(storm->answers[WBA_STORE_UNAVAILABLE], 0);
    assert_true(raged(storm, kills) && accepted > 10000);
    print_message("%u kills, %llu calls, %u nonces accepted; fresh %u, "
                  "seen %u, full %u, cold %u\n",
                  kills, (unsigned long long) storm->calls, accepted,
                  storm->answers[WBA_STORE_FRESH],
                  storm->answers[WBA_STORE_SEEN],
                  storm->answers[WBA_STORE_FULL],
                  storm->answers[WBA_STORE_COLD]);

    /* Every lock works and all space is to be had again. */
    for (i = 0; i < 40000; i++) {
        uint32_t id = SECONDS * PER_SECOND + i;

        assert_int_equal(record(table, id, 1, 2 * SECONDS, SECONDS + LIFE),
                         WBA_STORE_FRESH);
    }
    munmap(table, size);
    munmap(storm, sizeof(*storm));
    alarm(0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_at_any_store),
        cmocka_unit_test(test_who_waits_is_woken_when_the_holder_dies),
        cmocka_unit_test(test_two_make_it_cold),
        cmocka_unit_test(test_storm_of_kills),
    };

    return wba_crypto_init() == WBA_OK
               ? cmocka_run_group_tests_name("replay_processes", tests, NULL,
                                             NULL)
               : 1;
}
