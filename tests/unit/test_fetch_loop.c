/* SPDX-License-Identifier: BSD-2-Clause */
/* fetch and its loop: slow names, many jobs, cancelling at any time, a loop or
 * a process that runs out of something. */
#include "fetch_fixture.h"

/* --- a resolver that does not come back */

static void
wait_for_sleepers(int n)
{
    struct timespec tick = { 0, 1000000 };

    while (atomic_load(&slow_resolver_sleeping) < n) {
        nanosleep(&tick, NULL);
    }
}

static void
wait_for_no_sleeper(void)
{
    struct timespec tick = { 0, 1000000 };

    while (atomic_load(&slow_resolver_sleeping) > 0) {
        nanosleep(&tick, NULL);
    }
}

static wba_fetch_job_t *
start_slow(record_t *r, long timeout_ms)
{
    wba_fetch_request_t request = request_of(url_of(GOOD, "slow.test", "/ok"));
    int sleeping = atomic_load(&slow_resolver_sleeping);
    wba_fetch_job_t *job;
    int64_t t = now_ms();

    request.timeout_ms = timeout_ms;
    job = start(&request, r);
    assert_non_null(job);
    wba_poll_run(eye.poll, eye.fetch, &r->done, 20);
    assert_in_range(now_ms() - t, 0, SOON);
    wait_for_sleepers(sleeping + 1);
    return job;
}

static void
test_slow_resolver(void **state)
{
    wba_fetch_job_t *job;
    record_t r;
    int64_t t;

    (void) state;
    atomic_store(&slow_resolver_release, false);
    start_slow(&r, 200); /* times out */
    t = now_ms();
    assert_true(wba_poll_run(eye.poll, eye.fetch, &r.done, 5000));
    assert_in_range(now_ms() - t, 0, 200 + SOON);
    assert_int_equal(r.result.error, WBA_FETCH_TIMEOUT);
    assert_non_null(strstr(r.result.reason, "esolving"));

    job = start_slow(&r, 3000); /* is cancelled */
    t = now_ms();
    wba_fetch_cancel(job);
    assert_in_range(now_ms() - t, 0, SOON);

    start_slow(&r, 3000); /* is freed, with all the rest */
    start_slow(&r, 3000);
    t = now_ms();
    eye_close();
    assert_in_range(now_ms() - t, 0, SOON);

    /* The threads end while nothing of ours is left; then all goes on. */
    assert_true(atomic_load(&slow_resolver_sleeping) > 0);
    atomic_store(&slow_resolver_release, true);
    wait_for_no_sleeper();
    eye_open(0);
    get("/ok", &r);
    assert_int_equal(r.result.error, WBA_FETCH_OK);
}

/* Neither does it keep other transfers from going on; and it may come back. */
static void
test_slow_resolver_beside_others(void **state)
{
    record_t slow, r;

    (void) state;
    atomic_store(&slow_resolver_release, false);
    start_slow(&slow, 3000);
    get("/ok", &r);
    assert_int_equal(r.result.error, WBA_FETCH_OK);
    assert_false(slow.done);
    atomic_store(&slow_resolver_release, true);
    assert_true(wba_poll_run(eye.poll, eye.fetch, &slow.done, 5000));
    assert_int_equal(slow.result.error, WBA_FETCH_OK);
}

/* --- jobs */

static void
test_many_at_once(void **state)
{
    static record_t r[40];
    wba_fetch_request_t request;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(r); i++) {
        request = request_of(url_of(i % 4 == 1 ? WRONG : GOOD, "localhost",
                                    i % 4 == 2 ? "/chunked" : "/ok"));
        assert_non_null(start(&request, &r[i]));
    }
    assert_int_equal(wba_fetch_jobs(eye.fetch), COUNT(r));
    assert_true(wba_poll_run(eye.poll, eye.fetch, NULL, 10000));
    for (i = 0; i < COUNT(r); i++) {
        assert_int_equal(r[i].calls, 1);
        assert_int_equal(r[i].result.error,
                         i % 4 == 1 ? WBA_FETCH_TLS : WBA_FETCH_OK);
    }
}

static void
test_job_limit(void **state)
{
    wba_fetch_request_t request = request_of(url_of(GOOD, "localhost", "/ok"));
    record_t r[3];

    (void) state;
    eye_close();
    eye_open(2);
    assert_non_null(start(&request, &r[0]));
    assert_non_null(start(&request, &r[1]));
    assert_null(start(&request, &r[2]));
    assert_true(wba_poll_run(eye.poll, eye.fetch, NULL, 5000));
    assert_int_equal(r[2].calls, 0);
    run(&request, &r[2]);
}

static void
test_cancel_and_free_at_every_step(void **state)
{
    wba_fetch_request_t request = request_of(url_of(GOOD, "a.test", "/echo"));
    record_t r[2];
    wba_fetch_job_t *job;
    int step, turn;

    (void) state;
    request.fresh_connection = true;
    for (step = 0; step < 12; step++) {
        job = start(&request, &r[0]);
        start(&request, &r[1]);
        for (turn = 0; turn < step; turn++) {
            wba_poll_run(eye.poll, eye.fetch, &r[0].done, 0);
            usleep(300);
        }
        eye.quiet = true;
        if (!r[0].done) {
            wba_fetch_cancel(job);
        }
        eye_close();
        assert_int_equal(r[0].calls, r[0].done);
        eye_open(0);
    }
    wba_fetch_cancel(NULL);
}

typedef struct {
    record_t record; /* first: on_done() sees it as its ctx */
    wba_fetch_job_t *self;
    wba_fetch_job_t *victim;
    record_t next;
} chain_t;

static void
on_chain(void *ctx, const wba_fetch_result_t *result)
{
    wba_fetch_request_t request = request_of(url_of(GOOD, "localhost", "/404"));
    chain_t *chain = ctx;

    on_done(ctx, result);
    wba_fetch_cancel(chain->self); /* harmless */
    wba_fetch_cancel(chain->victim);
    assert_non_null(start(&request, &chain->next));
}

static void
test_callback_starts_and_cancels(void **state)
{
    wba_fetch_request_t request = request_of(url_of(GOOD, "localhost", "/ok"));
    wba_fetch_request_t bad = request_of("ftp://localhost/");
    static chain_t chain;
    record_t victim, other;

    (void) state;
    /* The bad ones end in the same turn: one must not be told of. */
    memset(&chain, 0, sizeof(chain));
    chain.self = wba_fetch_start(eye.fetch, &bad, on_chain, &chain);
    chain.victim = start(&bad, &victim);
    assert_non_null(start(&request, &other));
    assert_true(wba_poll_run(eye.poll, eye.fetch, NULL, 5000));
    assert_int_equal(chain.record.calls, 1);
    assert_int_equal(victim.calls, 0);
    assert_int_equal(other.calls, 1);
    assert_int_equal(chain.next.calls, 1);
    assert_int_equal(chain.next.result.status, 404);
}

/* --- the loop's side */

static void
test_needless_events(void **state)
{
    wba_fetch_request_t request = request_of(url_of(GOOD, "localhost", "/ok"));
    record_t r;
    int fd, i;

    (void) state;
    wba_fetch_on_timer(eye.fetch);
    wba_fetch_on_fd(eye.fetch, 0, WBA_FETCH_READ);
    assert_non_null(start(&request, &r));
    for (i = 0; i < 2000 && !r.done; i++) {
        for (fd = 0; fd < 64 && !r.done; fd++) {
            wba_fetch_on_fd(eye.fetch, fd,
                            WBA_FETCH_READ | WBA_FETCH_WRITE
                                | (i % 7 == 0 ? WBA_FETCH_FAILED : 0));
        }
        wba_fetch_on_timer(eye.fetch);
        wba_poll_run(eye.poll, eye.fetch, &r.done, 1);
    }
    assert_int_equal(r.result.error, WBA_FETCH_OK);
}

/* Whether libcurl has a descriptor of its own watched, of no job: that by which
 * its resolvers wake it. */
static bool
has_own_descriptor(void)
{
    return curl_version_info(CURLVERSION_NOW)->version_num >= 0x080f00;
}

/* As when nginx runs out of worker_connections: that job fails, at once, or
 * both do; then all goes on. */
static void
test_loop_refuses_to_watch(void **state)
{
    wba_fetch_request_t request = request_of(url_of(GOOD, "a.test", "/ok"));
    record_t r, other;
    int n, refused, ok, failed = 0;

    (void) state;
    for (n = 1; n < 100; n++) {
        eye_close();
        eye_open(0);
        eye.refuse_at = n;
        assert_non_null(start(&request, &r));
        assert_non_null(start(&request, &other));
        assert_true(wba_poll_run(eye.poll, eye.fetch, NULL, 5000));
        if (eye.watch_calls < n) {
            break;
        }
        refused = (r.result.error == WBA_FETCH_DESCRIPTORS)
                  + (other.result.error == WBA_FETCH_DESCRIPTORS);
        ok = (r.result.error == WBA_FETCH_OK)
             + (other.result.error == WBA_FETCH_OK);
        assert_int_equal(refused + ok, 2);
        assert_true(refused == 1 || (has_own_descriptor() && refused == 2));
        failed++;
        run(&request, &r);
        assert_int_equal(r.result.error, WBA_FETCH_OK);
    }
    assert_in_range(failed, 2, 98);
}

static void
test_no_descriptors_left(void **state)
{
    wba_fetch_request_t request = request_of(url_of(GOOD, "127.0.0.1", "/ok"));
    struct rlimit old, none;
    record_t r;

    (void) state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = 3;
    assert_non_null(start(&request, &r));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    wba_fetch_on_timer(eye.fetch);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_true(wba_poll_run(eye.poll, eye.fetch, &r.done, 5000));
    assert_int_equal(r.result.error, WBA_FETCH_DESCRIPTORS);
    run(&request, &r);
    assert_int_equal(r.result.error, WBA_FETCH_OK);
}

static void
test_memory(void **state)
{
    wba_fetch_request_t request = request_of(url_of(PLAIN, "127.0.0.1", "/ok"));
    int n, started = 0, ok = 0;
    record_t r;

    (void) state;
    request.allow_http = true;
    request.accept = "application/json";
    eye_close();
    for (n = 0; n < 2000; n++) {
        memset(&eye, 0, sizeof(eye));
        eye.poll = wba_poll_new();
        memory_left = n;
        eye.fetch = wba_fetch_new(&eye_hooks, eye.poll, 0);
        if (eye.fetch != NULL && start(&request, &r) != NULL) {
            started++;
            assert_true(wba_poll_run(eye.poll, eye.fetch, &r.done, 5000));
            ok += r.result.error == WBA_FETCH_OK;
        }
        if (memory_left != -1) {
            break; /* it took fewer */
        }
        eye_close();
    }
    memory_left = -1;
    assert_in_range(n, 20, 1999);
    assert_true(started > ok);
    assert_string_equal(r.body, BODY);
}

/* Of one that goes on: whatever has failed, the next fetches are as ever.  A
 * name, as its look-up has a descriptor of its own. */
static void
test_memory_comes_back(void **state)
{
    wba_fetch_request_t request = request_of(url_of(PLAIN, "a.test", "/ok"));
    record_t r;
    int n, i;

    (void) state;
    request.allow_http = true;
    request.fresh_connection = true;
    for (n = 0; n < 2000; n++) {
        memory_left = n;
        if (start(&request, &r) != NULL) {
            assert_true(wba_poll_run(eye.poll, eye.fetch, &r.done, 5000));
        }
        if (memory_left != -1) {
            break;
        }
        for (i = 0; i < 3; i++) {
            run(&request, &r);
            assert_int_equal(r.result.error, WBA_FETCH_OK);
        }
    }
    memory_left = -1;
    assert_in_range(n, 20, 1999);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_slow_resolver),
        TEST(test_slow_resolver_beside_others),
        TEST(test_many_at_once),
        TEST(test_job_limit),
        TEST(test_cancel_and_free_at_every_step),
        TEST(test_callback_starts_and_cancels),
        TEST(test_needless_events),
        TEST(test_loop_refuses_to_watch),
        TEST(test_no_descriptors_left),
        TEST(test_memory),
        TEST(test_memory_comes_back),
    };

    return cmocka_run_group_tests(tests, all_setup, all_teardown);
}
