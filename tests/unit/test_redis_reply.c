/* SPDX-License-Identifier: BSD-2-Clause */
/* What replies mean, from the bytes that a server sends; INFO; the marker;
 * the backlog. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#include "redis_private.h"

static bool no_memory;

static void *
fail_realloc(void *old, size_t size)
{
    return no_memory ? NULL : realloc(old, size);
}

#define realloc(old, size) fail_realloc(old, size)
#include "redis_backlog.c"
#undef realloc

#define MARKER "$3\r\nR:5\r\n"
#define BEGIN "+OK\r\n+QUEUED\r\n+QUEUED\r\n"
#define ABORT "-EXECABORT Transaction discarded\r\n"

/* The sum over replies of a transaction of n SETs after a GET. */
static wba_redis_sum_t
sum_of(const char *text, unsigned n, const char *first)
{
    redisReader *reader = redisReaderCreate();
    wba_redis_sum_t sum = { 0, WBA_REDIS_GOOD, false, false, false };
    bool last = false;
    void *reply;

    assert_non_null(reader);
    assert_int_equal(redisReaderFeed(reader, text, strlen(text)), REDIS_OK);
    for (;;) {
        assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
        if (reply == NULL) {
            break;
        }
        assert_false(last);
        last = wba_redis_sum_add(&sum, reply, n, first);
        freeReplyObject(reply);
    }
    assert_true(last);
    redisReaderFree(reader);
    return sum;
}

static const struct {
    const char *text;
    unsigned n; /* SETs */
    wba_store_answer_t answer;
    wba_redis_problem_t problem;
    bool moved;
} records[] = {
    { BEGIN "*2\r\n" MARKER "+OK\r\n", 1, WBA_STORE_FRESH, WBA_REDIS_GOOD, 0 },
    { BEGIN "*2\r\n" MARKER "$-1\r\n", 1, WBA_STORE_SEEN, WBA_REDIS_GOOD, 0 },
    { BEGIN "+QUEUED\r\n*3\r\n" MARKER "+OK\r\n+OK\r\n", 2, WBA_STORE_FRESH,
      WBA_REDIS_GOOD, 0 },
    { BEGIN "+QUEUED\r\n*3\r\n" MARKER "+OK\r\n$-1\r\n", 2, WBA_STORE_SEEN,
      WBA_REDIS_GOOD, 0 },
    { BEGIN "+QUEUED\r\n*3\r\n" MARKER "$-1\r\n+OK\r\n", 2, WBA_STORE_SEEN,
      WBA_REDIS_GOOD, 0 },

    /* the marker */
    { BEGIN "*2\r\n$-1\r\n+OK\r\n", 1, WBA_STORE_COLD, WBA_REDIS_GOOD, 1 },
    { BEGIN "*2\r\n$-1\r\n$-1\r\n", 1, WBA_STORE_COLD, WBA_REDIS_GOOD, 1 },
    { BEGIN "*2\r\n$3\r\nR:6\r\n+OK\r\n", 1, WBA_STORE_COLD, WBA_REDIS_GOOD,
      1 },
    { BEGIN "*2\r\n$4\r\nR:55\r\n+OK\r\n", 1, WBA_STORE_COLD, WBA_REDIS_GOOD,
      1 },
    { BEGIN "*2\r\n$2\r\nR:\r\n+OK\r\n", 1, WBA_STORE_COLD, WBA_REDIS_GOOD,
      1 },
    { BEGIN "*2\r\n-WRONGTYPE Operation\r\n+OK\r\n", 1, WBA_STORE_COLD,
      WBA_REDIS_GOOD, 1 },
    { BEGIN "*2\r\n+R:5\r\n+OK\r\n", 1, WBA_STORE_COLD, WBA_REDIS_GOOD, 1 },

    /* no room */
    { "+OK\r\n+QUEUED\r\n-OOM command not allowed\r\n" ABORT, 1,
      WBA_STORE_FULL, WBA_REDIS_OOM, 0 },
    { "-OOM x\r\n+OK\r\n-OOM x\r\n-ERR EXEC without MULTI\r\n", 1,
      WBA_STORE_FULL, WBA_REDIS_OOM, 0 },
    { BEGIN "-OOM command not allowed\r\n", 1, WBA_STORE_FULL, WBA_REDIS_OOM,
      0 },
    { BEGIN "*2\r\n" MARKER "-OOM command not allowed\r\n", 1, WBA_STORE_FULL,
      WBA_REDIS_OOM, 0 },
    { BEGIN "*2\r\n$-1\r\n-OOM command not allowed\r\n", 1, WBA_STORE_COLD,
      WBA_REDIS_OOM, 1 },

    /* refusals */
    { "-NOAUTH x\r\n-NOAUTH x\r\n-NOAUTH x\r\n-NOAUTH x\r\n", 1,
      WBA_STORE_UNAVAILABLE, WBA_REDIS_PASSWORD, 0 },
    { "+OK\r\n+QUEUED\r\n-READONLY You can't write\r\n" ABORT, 1,
      WBA_STORE_UNAVAILABLE, WBA_REDIS_READONLY, 0 },
    { "+OK\r\n-LOADING x\r\n-LOADING x\r\n" ABORT, 1, WBA_STORE_UNAVAILABLE,
      WBA_REDIS_LOADING, 0 },
    { BEGIN "*2\r\n" MARKER "-MISCONF x\r\n", 1, WBA_STORE_UNAVAILABLE,
      WBA_REDIS_MISCONF, 0 },
    { "+OK\r\n+QUEUED\r\n-MOVED 1 127.0.0.1:1\r\n" ABORT, 1,
      WBA_STORE_UNAVAILABLE, WBA_REDIS_CLUSTER, 0 },
    { "-NOPERM x\r\n$3\r\nR:5\r\n+OK\r\n-ERR EXEC without MULTI\r\n", 1,
      WBA_STORE_UNAVAILABLE, WBA_REDIS_NOPERM, 0 },
    { "-ERR unknown command `MULTI`\r\n$3\r\nR:5\r\n+OK\r\n-ERR\r\n", 1,
      WBA_STORE_UNAVAILABLE, WBA_REDIS_REFUSED, 0 },
    { "+OK\r\n+QUEUED\r\n+QUEUED\r\n" ABORT, 1, WBA_STORE_UNAVAILABLE,
      WBA_REDIS_REFUSED, 0 },

    /* not what Redis says */
    { BEGIN "*1\r\n" MARKER, 1, WBA_STORE_UNAVAILABLE, WBA_REDIS_STRANGE, 0 },
    { BEGIN "*3\r\n" MARKER "+OK\r\n+OK\r\n", 1, WBA_STORE_UNAVAILABLE,
      WBA_REDIS_STRANGE, 0 },
    { BEGIN "*0\r\n", 1, WBA_STORE_UNAVAILABLE, WBA_REDIS_STRANGE, 0 },
    { BEGIN "+OK\r\n", 1, WBA_STORE_UNAVAILABLE, WBA_REDIS_STRANGE, 0 },
    { BEGIN ":1\r\n", 1, WBA_STORE_UNAVAILABLE, WBA_REDIS_STRANGE, 0 },
    { BEGIN "*2\r\n" MARKER ":1\r\n", 1, WBA_STORE_UNAVAILABLE,
      WBA_REDIS_STRANGE, 0 },
    { BEGIN "*2\r\n" MARKER "+KO\r\n", 1, WBA_STORE_UNAVAILABLE,
      WBA_REDIS_STRANGE, 0 },
    { BEGIN "*2\r\n" MARKER "$2\r\nOK\r\n", 1, WBA_STORE_UNAVAILABLE,
      WBA_REDIS_STRANGE, 0 },
    { BEGIN "*2\r\n" MARKER "*0\r\n", 1, WBA_STORE_UNAVAILABLE,
      WBA_REDIS_STRANGE, 0 },
    { "+OK\r\n+OK\r\n+QUEUED\r\n*2\r\n" MARKER "+OK\r\n", 1,
      WBA_STORE_UNAVAILABLE, WBA_REDIS_STRANGE, 0 },
    { "+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n" MARKER "+OK\r\n", 1,
      WBA_STORE_UNAVAILABLE, WBA_REDIS_STRANGE, 0 },
    { "$2\r\nOK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n" MARKER "+OK\r\n", 1,
      WBA_STORE_UNAVAILABLE, WBA_REDIS_STRANGE, 0 },
};

static void
test_records(void **state)
{
    wba_redis_sum_t sum;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(records); i++) {
        sum = sum_of(records[i].text, records[i].n + 1, "R:5");
        if (wba_redis_sum_answer(&sum) != records[i].answer
            || sum.problem != records[i].problem
            || sum.moved != records[i].moved)
        {
            fail_msg("%s\nanswer %d problem %d moved %d", records[i].text,
                     (int) wba_redis_sum_answer(&sum), (int) sum.problem,
                     sum.moved);
        }
    }
}

static void
test_commit(void **state)
{
    wba_redis_sum_t sum;

    (void) state;
    sum = sum_of("+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n", 1, NULL);
    assert_int_equal(sum.problem, WBA_REDIS_GOOD);
    assert_false(sum.aborted);
    sum = sum_of("+OK\r\n+QUEUED\r\n*-1\r\n", 1, NULL);
    assert_int_equal(sum.problem, WBA_REDIS_GOOD);
    assert_true(sum.aborted);
    assert_int_equal(wba_redis_sum_answer(&sum), WBA_STORE_UNAVAILABLE);
    sum = sum_of("+OK\r\n-OOM x\r\n" ABORT, 1, NULL);
    assert_int_equal(sum.problem, WBA_REDIS_OOM);
}

static void
test_no_reply(void **state)
{
    wba_redis_sum_t sum = { 0, WBA_REDIS_GOOD, false, false, false };

    (void) state;
    assert_false(wba_redis_sum_add(&sum, NULL, 1, NULL));
    assert_int_equal(sum.problem, WBA_REDIS_LOST);
    assert_int_equal(wba_redis_sum_answer(&sum), WBA_STORE_UNAVAILABLE);
    assert_int_equal(wba_redis_reply_check(NULL, REDIS_REPLY_STATUS),
                     WBA_REDIS_LOST);
}

static const struct {
    const char *text;
    wba_redis_problem_t problem;
} errors_seen[] = {
    { "OOM command not allowed when used memory > 'maxmemory'.",
      WBA_REDIS_OOM },
    { "OOM", WBA_REDIS_OOM },
    { "OOMPH", WBA_REDIS_REFUSED },
    { "OOM[1]", WBA_REDIS_OOM },
    { "OOM1", WBA_REDIS_OOM },
    { "", WBA_REDIS_REFUSED },
    { "ERR", WBA_REDIS_REFUSED },
    { "NOAUTH Authentication required.", WBA_REDIS_PASSWORD },
    { "WRONGPASS invalid username-password pair or user is disabled.",
      WBA_REDIS_PASSWORD },
    { "ERR invalid password", WBA_REDIS_PASSWORD },
    { "ERR AUTH <password> called without any password configured for the "
      "default user. Are you sure your configuration is correct?",
      WBA_REDIS_PASSWORD },
    { "ERR max number of clients reached", WBA_REDIS_CLIENTS },
    { "ERR max number of clients + cluster connections reached",
      WBA_REDIS_CLIENTS },
    { "DENIED Redis is running in protected mode because", WBA_REDIS_DENIED },
    { "ERR DB index is out of range", WBA_REDIS_NO_DB },
    { "ERR invalid DB index", WBA_REDIS_NO_DB },
    { "LOADING Redis is loading the dataset in memory", WBA_REDIS_LOADING },
    { "MASTERDOWN Link with MASTER is down", WBA_REDIS_REPLICAS },
    { "NOREPLICAS Not enough good replicas to write.", WBA_REDIS_REPLICAS },
    { "BUSY Redis is busy running a script.", WBA_REDIS_BUSY },
    { "CLUSTERDOWN Hash slot not served", WBA_REDIS_CLUSTER },
    { "CROSSSLOT Keys in request don't hash to the same slot",
      WBA_REDIS_CLUSTER },
    { "NOPERM this user has no permissions", WBA_REDIS_NOPERM },
    { "ERR unknown command `AUTH`, with args beginning with: `secret`",
      WBA_REDIS_REFUSED },
};

static void
test_errors(void **state)
{
    wba_redis_problem_t problem;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(errors_seen); i++) {
        problem = wba_redis_problem_of(wba_str_z(errors_seen[i].text));
        if (problem != errors_seen[i].problem) {
            fail_msg("%s: %d", errors_seen[i].text, (int) problem);
        }
    }
    assert_int_equal(wba_redis_problem_of(WBA_STR_NONE), WBA_REDIS_REFUSED);
    for (problem = 0; problem < WBA_REDIS_PROBLEMS; problem++) {
        assert_non_null(wba_redis_problem_text(problem));
        assert_true(strlen(wba_redis_problem_text(problem)) < 90);
        assert_int_equal(problem == WBA_REDIS_GOOD,
                         wba_redis_problem_severity(problem)
                             == WBA_REDIS_INFO);
    }
}

static void
test_info(void **state)
{
    static const char info[] =
        "# Server\r\nredis_version:7.0.15\r\nxrun_id:no\r\nrun_id_:no\r\n"
        "run_id:0123456789abcdef0123456789abcdef01234567\r\n\r\n# Memory\r\n"
        "maxmemory_policy:allkeys-lru\r\nempty:\r\nlast:x";
    char id[WBA_REDIS_RUN_ID + 1], policy[8];
    wba_str_t s = wba_str_z(info);

    (void) state;
    wba_redis_run_id(s, id);
    assert_string_equal(id, "0123456789abcdef0123456789abcdef01234567");
    assert_true(wba_redis_policy(s, policy, sizeof(policy)));
    assert_string_equal(policy, "allkeys");
    assert_true(wba_str_eq(wba_redis_info_field(s, "last"), WBA_STR("x")));
    assert_int_equal(wba_redis_info_field(s, "empty").len, 0);
    assert_non_null(wba_redis_info_field(s, "empty").data);
    assert_null(wba_redis_info_field(s, "redis_versio").data);
    assert_null(wba_redis_info_field(s, "# Server").data);
    assert_null(wba_redis_info_field(WBA_STR_NONE, "a").data);
    assert_null(wba_redis_info_field(WBA_STR("\n\n\r\n:\na"), "a").data);

    assert_false(wba_redis_policy(WBA_STR("maxmemory_policy:noeviction\n"),
                                  policy, sizeof(policy)));
    assert_string_equal(policy, "noevict");
    assert_false(wba_redis_policy(WBA_STR("x:y"), policy, sizeof(policy)));
    assert_string_equal(policy, "");
    assert_true(wba_redis_policy(WBA_STR("maxmemory_policy:a\x1b\xff"), policy,
                                 sizeof(policy)));
    assert_string_equal(policy, "a??");
}

static const char *const no_run_id[] = {
    "",
    "run_id:",
    "run_id:\r\n",
    "run_id:a b\r\n",
    "run_id:a:b\r\n",
    "run_id:ab\x01\r\n",
    "run_id:0123456789abcdef0123456789abcdef012345678\r\n",
};

static void
test_no_run_id(void **state)
{
    char id[WBA_REDIS_RUN_ID + 1];
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(no_run_id); i++) {
        wba_redis_run_id(wba_str_z(no_run_id[i]), id);
        assert_string_equal(id, WBA_REDIS_NO_RUN_ID);
    }
}

static const struct {
    const char *text;
    int64_t epoch; /* -1: not ours */
} markers[] = {
    { "abc:1700000000", 1700000000 },
    { "abc:0", 0 },
    { "abc:007", 7 },
    { "abc:999999999999999", 999999999999999 },
    { "abc:1000000000000000", -1 },
    { "abc:", -1 },
    { "abc", -1 },
    { "", -1 },
    { "abc:-1", -1 },
    { "abc:+1", -1 },
    { "abc: 1", -1 },
    { "abc:1 ", -1 },
    { "abc:1x", -1 },
    { "abcd:1", -1 },
    { "ab:1", -1 },
    { "ABC:1", -1 },
    { "abc1", -1 },
};

static void
test_markers(void **state)
{
    char text[WBA_REDIS_MARKER], id[WBA_REDIS_RUN_ID + 1];
    int64_t epoch;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(markers); i++) {
        epoch = -1;
        assert_int_equal(
            wba_redis_marker_read(wba_str_z(markers[i].text), "abc", &epoch),
            markers[i].epoch >= 0);
        assert_int_equal(epoch, markers[i].epoch);
    }
    assert_false(wba_redis_marker_read(WBA_STR_NONE, "abc", &epoch));

    memset(id, 'f', WBA_REDIS_RUN_ID);
    id[WBA_REDIS_RUN_ID] = '\0';
    wba_redis_marker_write(text, id, 999999999999999);
    assert_true(wba_redis_marker_read(wba_str_z(text), id, &epoch));
    assert_true(epoch == 999999999999999);
}

static void
test_printable(void **state)
{
    char out[8];

    (void) state;
    wba_redis_printable(out, sizeof(out), "a\n\x7f\xc3~ bcdef");
    assert_string_equal(out, "a???~ b");
    wba_redis_printable(out, 1, "abc");
    assert_string_equal(out, "");
}

/* --- the backlog */

static wba_redis_entry_t
entry_of(unsigned i)
{
    wba_redis_entry_t entry;

    memset(&entry, 0, sizeof(entry));
    memcpy(entry.key, &i, sizeof(i));
    entry.until = i;
    return entry;
}

static void
test_backlog_order(void **state)
{
    wba_redis_backlog_t b = { .max = 1000 };
    unsigned in = 0, out = 0, sent = 0, round;
    const wba_redis_entry_t *got;
    wba_redis_entry_t entry;

    (void) state;
    for (round = 0; round < 20000; round++) {
        if (rand() % 16 < 8 - (int) (round / 2000) % 5) {
            entry = entry_of(in);
            if (wba_redis_backlog_add(&b, &entry)) {
                in++;
            } else {
                assert_int_equal(in - out, 1000);
            }
        } else if (rand() % 2) {
            got = wba_redis_backlog_send(&b);
            assert_int_equal(got != NULL, sent < in);
            if (got != NULL) {
                assert_int_equal(got->until, sent);
                sent++;
            }
        } else if (sent > out) {
            wba_redis_backlog_arrived(&b);
            out++;
        } else if (round % 64 == 0) {
            b.sent = 0; /* the connection is lost */
            sent = out;
        }
        assert_int_equal(b.count, in - out);
        assert_int_equal(b.sent, sent - out);
    }
    wba_redis_backlog_clear(&b);
    assert_null(b.entries);
    assert_int_equal(b.max, 1000);
}

static void
test_backlog_trim(void **state)
{
    wba_redis_backlog_t b = { .max = 10 };
    wba_redis_entry_t entry;
    unsigned i;

    (void) state;
    for (i = 1; i <= 10; i++) {
        entry = entry_of(i);
        assert_true(wba_redis_backlog_add(&b, &entry));
    }
    assert_false(wba_redis_backlog_add(&b, &entry));
    wba_redis_backlog_trim(&b, 4);
    assert_int_equal(b.count, 6);
    assert_int_equal(wba_redis_backlog_send(&b)->until, 5);
    wba_redis_backlog_trim(&b, 9);
    assert_int_equal(b.count, 6);
    wba_redis_backlog_arrived(&b);
    wba_redis_backlog_arrived(&b); /* nothing is under way */
    assert_int_equal(b.count, 5);
    wba_redis_backlog_trim(&b, 100);
    assert_int_equal(b.count, 0);
    assert_null(b.entries);
    assert_null(wba_redis_backlog_send(&b));
}

static void
test_backlog_memory(void **state)
{
    wba_redis_backlog_t b = { .max = 1000 };
    wba_redis_entry_t entry = entry_of(1);
    unsigned i;

    (void) state;
    no_memory = true;
    assert_false(wba_redis_backlog_add(&b, &entry));
    no_memory = false;
    for (i = 0; i < 64; i++) {
        assert_true(wba_redis_backlog_add(&b, &entry));
    }
    no_memory = true;
    assert_false(wba_redis_backlog_add(&b, &entry));
    assert_int_equal(b.count, 64);
    no_memory = false;
    assert_true(wba_redis_backlog_add(&b, &entry));
    wba_redis_backlog_clear(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_commit),
        cmocka_unit_test(test_no_reply),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_info),
        cmocka_unit_test(test_no_run_id),
        cmocka_unit_test(test_markers),
        cmocka_unit_test(test_printable),
        cmocka_unit_test(test_backlog_order),
        cmocka_unit_test(test_backlog_trim),
        cmocka_unit_test(test_backlog_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
