/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What makes a connection usable: user and database, what the server says of
 * itself, the marker, a write that shows that writing works, the backlog.
 *
 * The marker is written under WATCH, so of several clients one writes it and
 * the others take what it wrote; within one run its epoch never goes back.
 */
#include "redis_private.h"

#include <inttypes.h>
#include <stdio.h>

/* Of the backlog, under way at a time. */
#define WINDOW 256

/* Times that others may write the marker while we are about to: with each,
 * another one is through. */
#define MAX_TRIES 64

/* A hundred years: no expiry that Redis refuses. */
#define MAX_SECONDS INT64_C(3153600000)

#define MAX_EPOCH INT64_C(999999999999999) /* what a marker has digits for */

/* --- commands as the protocol wants them */

bool
wba_redis_send_word(wba_redis_t *redis, const char *word)
{
    char text[64];
    int n = snprintf(text, sizeof(text), "*1\r\n$%zu\r\n%s\r\n", strlen(word),
                     word);

    return wba_redis_link_send(redis, text, (size_t) n);
}

/* verb prefix+name [value [more ...]] */
static bool
send_named(wba_redis_t *redis, const char *verb, const char *name,
           const char *value, const char *px)
{
    char key[WBA_REDIS_MAX_NAME + 1];
    const char *argv[5] = { verb, key, value, "PX", px };
    size_t i, lens[5];
    size_t argc = value == NULL ? 2 : px == NULL ? 3 : 5;

    snprintf(key, sizeof(key), "%s%s", redis->options->prefix, name);
    for (i = 0; i < argc; i++) {
        lens[i] = strlen(argv[i]);
    }
    return wba_redis_link_argv(redis, (int) argc, argv, lens);
}

bool
wba_redis_send_get(wba_redis_t *redis)
{
    char text[WBA_REDIS_MAX_NAME + 64];
    const char *prefix = redis->options->prefix;
    int n = snprintf(text, sizeof(text),
                     "*2\r\n$3\r\nGET\r\n$%zu\r\n%sepoch\r\n",
                     strlen(prefix) + 5, prefix);

    return wba_redis_link_send(redis, text, (size_t) n);
}

static void
write_hex(char *out, const uint8_t *key)
{
    static const char digits[] = "0123456789abcdef";
    size_t i;

    for (i = 0; i < WBA_REDIS_KEY; i++) {
        out[2 * i] = digits[key[i] >> 4];
        out[2 * i + 1] = digits[key[i] & 15];
    }
    out[2 * WBA_REDIS_KEY] = '\0';
}

/* Seconds that are left, within what Redis takes. */
static int64_t
life(int64_t until, int64_t now)
{
    now = now < 0 ? 0 : now;
    if (until <= now) {
        return 1;
    }
    return until - now > MAX_SECONDS ? MAX_SECONDS : until - now;
}

bool
wba_redis_send_set(wba_redis_t *redis, const wba_redis_entry_t *entry,
                   int64_t now)
{
    const char *prefix = redis->options->prefix;
    char name[2 * WBA_REDIS_KEY + 1], ms[24];
    char text[WBA_REDIS_MAX_NAME + 128];
    int n;

    write_hex(name, entry->key);
    snprintf(ms, sizeof(ms), "%" PRId64 "000", life(entry->until, now));
    n = snprintf(text, sizeof(text),
                 "*6\r\n$3\r\nSET\r\n$%zu\r\n%s%s\r\n$1\r\n1\r\n$2\r\nNX\r\n"
                 "$2\r\nPX\r\n$%zu\r\n%s\r\n",
                 strlen(prefix) + 2 * WBA_REDIS_KEY, prefix, name, strlen(ms),
                 ms);
    return wba_redis_link_send(redis, text, (size_t) n);
}

/* --- the way to usable */

static void
send_auth(wba_redis_t *redis)
{
    const wba_redis_options_t *o = redis->options;
    const char *password = o->password == NULL ? "" : o->password;
    const char *argv[3] = { "AUTH", o->user, password };
    size_t lens[3] = { 4, o->user == NULL ? 0 : strlen(o->user),
                       strlen(password) };

    if (o->user == NULL) {
        argv[1] = password;
        lens[1] = lens[2];
    }
    if (wba_redis_expect(redis, WBA_REDIS_DO_AUTH) != NULL) {
        wba_redis_link_argv(redis, o->user == NULL ? 2 : 3, argv, lens);
    }
}

static void
send_select(wba_redis_t *redis)
{
    char db[16];
    const char *argv[2] = { "SELECT", db };
    size_t lens[2] = { 6, 0 };

    lens[1] = (size_t) snprintf(db, sizeof(db), "%u", redis->options->db);
    if (wba_redis_expect(redis, WBA_REDIS_DO_SELECT) != NULL) {
        wba_redis_link_argv(redis, 2, argv, lens);
    }
}

static void
send_info(wba_redis_t *redis, wba_redis_kind_t kind, const char *section)
{
    const char *argv[2] = { "INFO", section };
    const size_t lens[2] = { 4, strlen(section) };

    if (wba_redis_expect(redis, kind) != NULL) {
        wba_redis_link_argv(redis, 2, argv, lens);
    }
}

static void
send_marker_get(wba_redis_t *redis)
{
    if (wba_redis_expect(redis, WBA_REDIS_DO_WATCH) != NULL) {
        send_named(redis, "WATCH", "epoch", NULL, NULL);
    }
    if (wba_redis_expect(redis, WBA_REDIS_DO_MARKER) != NULL) {
        wba_redis_send_get(redis);
    }
}

void
wba_redis_greet(wba_redis_t *redis)
{
    const wba_redis_options_t *o = redis->options;

    redis->greeted = false;
    redis->tries = 0;
    if (o->user != NULL || o->password != NULL) {
        send_auth(redis);
    }
    if (o->db != 0) {
        send_select(redis);
    }
    send_info(redis, WBA_REDIS_DO_SERVER, "server");
    send_info(redis, WBA_REDIS_DO_MEMORY, "memory");
    send_marker_get(redis);
}

void
wba_redis_mark(wba_redis_t *redis)
{
    redis->phase = WBA_REDIS_MARKING;
    redis->due = wba_redis_now(redis) + redis->timeout;
    redis->tries = 0;
    send_marker_get(redis);
}

static void
send_commit(wba_redis_t *redis)
{
    if (wba_redis_expect(redis, WBA_REDIS_DO_COMMIT) == NULL) {
        return;
    }
    wba_redis_send_word(redis, "MULTI");
    if (redis->renewing) {
        send_named(redis, "SET", "epoch", redis->next_marker, NULL);
    } else {
        send_named(redis, "SET", "probe", "1", "1000");
    }
    wba_redis_send_word(redis, "EXEC");
}

/* Whether what is in the marker may be trusted, and else what to write. */
static void
decide(wba_redis_t *redis, wba_str_t marker)
{
    const char *run_id = redis->stats.run_id;
    int64_t epoch = 0, now = wba_redis_wall(redis);
    bool known = marker.data != NULL
                 && wba_redis_marker_read(marker, run_id, &epoch);
    bool nameless = strcmp(run_id, WBA_REDIS_NO_RUN_ID) == 0;

    redis->lost_pending = redis->lost_pending || redis->lost;
    redis->lost = false;
    redis->renewing = !known || redis->lost_pending
                      || (nameless && !redis->greeted);
    if (redis->renewing) {
        now = now < 0 ? 0 : now > MAX_EPOCH ? MAX_EPOCH : now;
        epoch = known && epoch > now ? epoch : now;
        wba_redis_marker_write(redis->next_marker, run_id, epoch);
    } else {
        memcpy(redis->next_marker, marker.data, marker.len);
        redis->next_marker[marker.len] = '\0';
    }
    redis->next_epoch = epoch;
    send_commit(redis);
}

static void
tell_epoch(wba_redis_t *redis, bool renewed)
{
    char text[160];

    snprintf(text, sizeof(text),
             renewed ? "restarted, flushed or new: nonces are known from "
                       "%" PRId64 " on, signatures created until then are "
                       "cold"
                     : "a new epoch was begun: nonces are known from "
                       "%" PRId64 " on",
             redis->next_epoch);
    wba_redis_tell(redis, WBA_REDIS_WARN, text);
}

/* The marker is right and writing works. */
static void
adopt(wba_redis_t *redis)
{
    wba_redis_stats_t *stats = &redis->stats;

    if (redis->renewing
        || (stats->epoch != 0 && stats->epoch != redis->next_epoch))
    {
        tell_epoch(redis, redis->renewing);
    }
    if (redis->next_epoch > wba_redis_wall(redis) + WBA_MAX_SKEW
        && stats->epoch != redis->next_epoch)
    {
        wba_redis_tell(redis, WBA_REDIS_ERROR,
                       "its epoch lies in the future: a clock of ours or of "
                       "another machine is wrong");
    }
    memcpy(redis->marker, redis->next_marker, sizeof(redis->marker));
    stats->epoch = redis->next_epoch;
    redis->lost_pending = false;
    redis->greeted = true;
}

static void
become_usable(wba_redis_t *redis)
{
    bool connected = redis->usable_since == 0;

    redis->phase = WBA_REDIS_USABLE;
    if (connected) {
        redis->usable_since = wba_redis_now(redis) | 1;
        redis->stats.connects++;
    }
    if (redis->told != WBA_REDIS_GOOD) {
        wba_redis_tell(redis, WBA_REDIS_INFO, "connected and usable");
        redis->told = WBA_REDIS_GOOD;
    }
}

/* The backlog may have come to its end. */
static void
advance(wba_redis_t *redis)
{
    if (redis->doom != WBA_REDIS_GOOD) {
        return;
    }
    if (redis->lost) {
        wba_redis_mark(redis); /* more was lost since decide() */
    } else if (redis->backlog.count == 0) {
        become_usable(redis);
    }
}

void
wba_redis_pump(wba_redis_t *redis)
{
    wba_redis_backlog_t *backlog = &redis->backlog;
    int64_t now = wba_redis_wall(redis);
    const wba_redis_entry_t *entry;

    wba_redis_backlog_trim(backlog, now);
    while (backlog->sent < WINDOW && redis->doom == WBA_REDIS_GOOD
           && (entry = wba_redis_backlog_send(backlog)) != NULL)
    {
        if (wba_redis_expect(redis, WBA_REDIS_DO_PUSH) != NULL) {
            wba_redis_send_set(redis, entry, now);
        }
    }
}

static void
push(wba_redis_t *redis)
{
    redis->phase = WBA_REDIS_PUSHING;
    redis->due = wba_redis_now(redis) + redis->timeout;
    wba_redis_pump(redis);
    advance(redis);
}

/* --- replies */

static wba_str_t
string_of(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING ? wba_str(reply->str, reply->len)
                                             : WBA_STR_NONE;
}

/* A server that does not let us ask what it is, or knows no INFO, still
 * serves. */
static wba_redis_problem_t
check_info(const redisReply *reply)
{
    wba_redis_problem_t problem = wba_redis_reply_check(reply,
                                                        REDIS_REPLY_STRING);

    return problem == WBA_REDIS_NOPERM || problem == WBA_REDIS_REFUSED
               ? WBA_REDIS_GOOD
               : problem;
}

static void
tell_policy(wba_redis_t *redis)
{
    const wba_redis_stats_t *stats = &redis->stats;
    char text[160];

    if (stats->evicts && strcmp(stats->policy, redis->told_policy) != 0) {
        snprintf(text, sizeof(text),
                 "its maxmemory-policy is %s, which forgets nonces when "
                 "memory is short: it must be noeviction",
                 stats->policy);
        wba_redis_tell(redis, WBA_REDIS_ERROR, text);
    }
    memcpy(redis->told_policy, stats->policy, sizeof(redis->told_policy));
}

static void
on_info(wba_redis_t *redis, wba_redis_kind_t kind, const redisReply *reply)
{
    wba_redis_stats_t *stats = &redis->stats;

    if (kind == WBA_REDIS_DO_SERVER) {
        wba_redis_run_id(string_of(reply), stats->run_id);
    } else {
        stats->evicts = wba_redis_policy(string_of(reply), stats->policy,
                                         sizeof(stats->policy));
        tell_policy(redis);
    }
}

/* A key of another type is not our marker; it will be written over. */
static wba_redis_problem_t
check_marker(const redisReply *reply)
{
    static const char wrong[] = "WRONGTYPE";

    if (reply->type == REDIS_REPLY_NIL
        || (reply->type == REDIS_REPLY_ERROR && reply->len >= sizeof(wrong) - 1
            && memcmp(reply->str, wrong, sizeof(wrong) - 1) == 0))
    {
        return WBA_REDIS_GOOD;
    }
    return wba_redis_reply_check(reply, REDIS_REPLY_STRING);
}

static void
on_commit(wba_redis_t *redis, const wba_redis_sum_t *sum)
{
    bool full = sum->problem == WBA_REDIS_OOM && !redis->renewing;

    if (sum->problem != WBA_REDIS_GOOD && !full) {
        wba_redis_doom(redis, sum->problem, NULL);
    } else if (sum->aborted && ++redis->tries >= MAX_TRIES) {
        wba_redis_doom(redis, WBA_REDIS_CONTENDED, NULL);
    } else if (sum->aborted) {
        send_marker_get(redis);
    } else {
        adopt(redis);
        push(redis);
    }
}

static void
on_push(wba_redis_t *redis)
{
    wba_redis_backlog_arrived(&redis->backlog);
    if (redis->backlog.sent <= WINDOW / 2) {
        wba_redis_pump(redis);
    }
    if (redis->phase == WBA_REDIS_PUSHING) {
        redis->due = wba_redis_now(redis) + redis->timeout;
        advance(redis);
    }
}

static wba_redis_problem_t
check(wba_redis_kind_t kind, const redisReply *reply)
{
    wba_redis_problem_t problem;

    switch (kind) {
    case WBA_REDIS_DO_AUTH:
    case WBA_REDIS_DO_SELECT:
    case WBA_REDIS_DO_WATCH:
        problem = wba_redis_reply_check(reply, REDIS_REPLY_STATUS);
        if (problem != WBA_REDIS_REFUSED || kind == WBA_REDIS_DO_WATCH) {
            return problem;
        }
        return kind == WBA_REDIS_DO_AUTH ? WBA_REDIS_PASSWORD
                                         : WBA_REDIS_NO_DB;
    case WBA_REDIS_DO_SERVER:
    case WBA_REDIS_DO_MEMORY:
        return check_info(reply);
    case WBA_REDIS_DO_MARKER:
        return check_marker(reply);
    case WBA_REDIS_DO_PUSH:
        return wba_redis_reply_check(reply, REDIS_REPLY_NIL);
    default:
        return WBA_REDIS_GOOD; /* its sum tells */
    }
}

void
wba_redis_greeted(wba_redis_t *redis, const wba_redis_ticket_t *ticket,
                  const redisReply *reply)
{
    wba_redis_problem_t problem = check(ticket->kind, reply);

    if (problem != WBA_REDIS_GOOD) {
        wba_redis_doom(redis, problem, NULL);
        return;
    }
    switch (ticket->kind) {
    case WBA_REDIS_DO_SERVER:
    case WBA_REDIS_DO_MEMORY:
        on_info(redis, ticket->kind, reply);
        return;
    case WBA_REDIS_DO_MARKER:
        decide(redis, string_of(reply));
        return;
    case WBA_REDIS_DO_COMMIT:
        on_commit(redis, &ticket->sum);
        return;
    case WBA_REDIS_DO_PUSH:
        on_push(redis);
        return;
    default:
        return;
    }
}
