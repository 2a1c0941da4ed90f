/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What Redis' replies mean, however they were cut on the wire: a record is
 * fresh only where every reply of its transaction says so.  INFO and the
 * marker: what is written is read back, and nothing else.
 *
 * Input: how many keys, how to cut, the marker's run id LF, then replies as
 * the protocol has them.
 */
#include "fuzz.h"
#include "redis_reply.h"
#include "wba_limits.h"

typedef struct {
    wba_redis_sum_t sum;
    unsigned replies;
    bool last;
    bool broken;
} outcome_t;

static fuzz_mem_t m;

static bool
is_status(const redisReply *reply, const char *text)
{
    return reply->type == REDIS_REPLY_STATUS && reply->str != NULL
           && reply->len == strlen(text)
           && memcmp(reply->str, text, reply->len) == 0;
}

/* A second telling of what a good transaction looks like. */
typedef struct {
    unsigned at;
    bool good;
} good_t;

static void
follow(good_t *g, const redisReply *reply, unsigned n, const char *first)
{
    size_t i;

    if (g->at <= n) {
        g->good &= is_status(reply, g->at == 0 ? "OK" : "QUEUED");
    } else if (g->at == n + 1) {
        g->good &= reply->type == REDIS_REPLY_ARRAY && reply->elements == n;
        for (i = 0; g->good && i < n; i++) {
            const redisReply *e = reply->element[i];

            g->good &= i == 0 && first != NULL
                           ? e->type == REDIS_REPLY_STRING
                                 && wba_str_eq(wba_str(e->str, e->len),
                                               wba_str_z(first))
                           : is_status(e, "OK");
        }
    }
    g->at++;
}

static void
checks(const redisReply *reply)
{
    static const int types[] = { REDIS_REPLY_NIL, REDIS_REPLY_STRING,
                                 REDIS_REPLY_STATUS, REDIS_REPLY_ARRAY };
    wba_redis_problem_t problem;
    size_t i;

    for (i = 0; i < COUNT(types); i++) {
        problem = wba_redis_reply_check(reply, types[i]);
        CHECK(problem < WBA_REDIS_PROBLEMS);
        CHECK(problem != WBA_REDIS_GOOD || reply->type != REDIS_REPLY_ERROR);
        CHECK(wba_redis_problem_text(problem)[0] != '\0');
        (void) wba_redis_problem_severity(problem);
    }
}

static void
add(outcome_t *out, good_t *g, const redisReply *reply, unsigned n,
    const char *first)
{
    checks(reply);
    if (out->last) {
        return;
    }
    follow(g, reply, n, first);
    out->last = wba_redis_sum_add(&out->sum, reply, n, first);
    out->replies++;
    CHECK(out->last == (out->replies == n + 2));
    if (out->last) {
        CHECK((wba_redis_sum_answer(&out->sum) == WBA_STORE_FRESH) == g->good);
    }
}

static redisReplyObjectFunctions functions;
static void *(*real_array)(const redisReadTask *task, int elements);

/* The client's bound, see redis_link.c. */
static void *
create_array(const redisReadTask *task, int elements)
{
    return elements > WBA_MAX_SIGNATURES + 8 ? NULL
                                             : real_array(task, elements);
}

static redisReader *
new_reader(void)
{
    redisReader *reader = redisReaderCreate();

    CHECK(reader != NULL);
    functions = *reader->fn;
    real_array = functions.createArray;
    functions.createArray = create_array;
    reader->fn = &functions;
    return reader;
}

/* cut 0: all at once. */
static outcome_t
replies(wba_str_t wire, unsigned cut, unsigned n, const char *first)
{
    redisReader *reader = new_reader();
    good_t good = { .good = true };
    outcome_t out = { .replies = 0 };
    void *reply;
    size_t at = 0, len;

    while (at < wire.len && !out.broken) {
        len = cut ? 1 + (at * 7 + cut) % 13 : wire.len;
        len = len < wire.len - at ? len : wire.len - at;
        CHECK(redisReaderFeed(reader, (const char *) wire.data + at, len)
              == REDIS_OK);
        at += len;
        while (!out.broken) {
            out.broken = redisReaderGetReply(reader, &reply) != REDIS_OK;
            if (out.broken || reply == NULL) {
                break;
            }
            add(&out, &good, reply, n, first);
            freeReplyObject(reply);
        }
    }
    redisReaderFree(reader);
    return out;
}

static void
info(wba_str_t text)
{
    char run_id[WBA_REDIS_RUN_ID + 1], policy[32];
    wba_str_t field = wba_redis_info_field(text, "run_id");
    size_t i;

    CHECK(fuzz_within(field, text));
    wba_redis_run_id(text, run_id);
    CHECK(run_id[0] != '\0' && memchr(run_id, '\0', sizeof(run_id)) != NULL);
    CHECK(strcmp(run_id, WBA_REDIS_NO_RUN_ID) == 0
          || wba_str_eq(wba_str_z(run_id), field));
    (void) wba_redis_policy(text, policy, sizeof(policy));
    for (i = 0; policy[i] != '\0'; i++) {
        CHECK(policy[i] >= 0x20 && policy[i] < 0x7f);
    }
    CHECK(i < sizeof(policy));
}

static void
marker(wba_str_t text, const char *run_id, int64_t epoch)
{
    char written[WBA_REDIS_MARKER], again[WBA_REDIS_MARKER];
    int64_t read;

    epoch &= INT64_MAX;
    epoch %= INT64_C(1000000000000000);
    wba_redis_marker_write(written, run_id, epoch);
    if (strlen(run_id) <= WBA_REDIS_RUN_ID) {
        CHECK(wba_redis_marker_read(wba_str_z(written), run_id, &read));
        CHECK(read == epoch);
    }
    if (wba_redis_marker_read(text, run_id, &read)
        && strlen(run_id) <= WBA_REDIS_RUN_ID)
    {
        CHECK(read >= 0);
        wba_redis_marker_write(again, run_id, read);
        CHECK(text.len >= strlen(again)); /* leading zeros, perhaps */
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
    unsigned n = 1 + fuzz_byte(&in) % (WBA_MAX_SIGNATURES + 1);
    unsigned cut = fuzz_byte(&in);
    int64_t epoch = fuzz_int64(&in);
    outcome_t whole, pieces;
    const char *run_id;
    wba_str_t wire;

    fuzz_mem_init(&m);
    run_id = fuzz_text(&m, fuzz_until(&in, '\n'));
    wire = fuzz_copy(&m, in);
    whole = replies(wire, 0, n, cut & 1 ? run_id : NULL);
    pieces = replies(wire, cut | 1, n, cut & 1 ? run_id : NULL);
    CHECK(whole.replies == pieces.replies && whole.last == pieces.last);
    CHECK(memcmp(&whole.sum, &pieces.sum, sizeof(whole.sum)) == 0);
    info(wire);
    marker(wire, run_id, epoch);
    CHECK(wba_redis_problem_of(wire) != WBA_REDIS_GOOD);
    fuzz_mem_free(&m);
    return 0;
}
