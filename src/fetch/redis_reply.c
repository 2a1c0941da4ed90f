/* SPDX-License-Identifier: BSD-2-Clause */
/* What replies mean, by tables. */
#include "redis_reply.h"

#include <inttypes.h>
#include <stdio.h>

#define MAX_EPOCH_DIGITS 15

static const struct {
    const char *prefix;
    wba_redis_problem_t problem;
} errors[] = {
    { "OOM", WBA_REDIS_OOM },
    { "READONLY", WBA_REDIS_READONLY },
    { "LOADING", WBA_REDIS_LOADING },
    { "MISCONF", WBA_REDIS_MISCONF },
    { "MOVED", WBA_REDIS_CLUSTER },
    { "ASK", WBA_REDIS_CLUSTER },
    { "CLUSTERDOWN", WBA_REDIS_CLUSTER },
    { "CROSSSLOT", WBA_REDIS_CLUSTER },
    { "TRYAGAIN", WBA_REDIS_CLUSTER },
    { "NOREPLICAS", WBA_REDIS_REPLICAS },
    { "MASTERDOWN", WBA_REDIS_REPLICAS },
    { "BUSY", WBA_REDIS_BUSY },
    { "NOAUTH", WBA_REDIS_PASSWORD },
    { "WRONGPASS", WBA_REDIS_PASSWORD },
    { "ERR invalid password", WBA_REDIS_PASSWORD },
    { "ERR Client sent AUTH, but no password is set", WBA_REDIS_PASSWORD },
    { "ERR AUTH <password> called without any password configured",
      WBA_REDIS_PASSWORD },
    { "ERR max number of clients", WBA_REDIS_CLIENTS },
    { "DENIED", WBA_REDIS_DENIED },
    { "NOPERM", WBA_REDIS_NOPERM },
    { "ERR DB index", WBA_REDIS_NO_DB },
    { "ERR invalid DB index", WBA_REDIS_NO_DB },
};

static const struct {
    const char *text;
    wba_redis_severity_t severity;
} problems[WBA_REDIS_PROBLEMS] = {
    [WBA_REDIS_GOOD] = { "good", WBA_REDIS_INFO },
    [WBA_REDIS_OOM] = { "full: its maxmemory is reached", WBA_REDIS_ERROR },
    [WBA_REDIS_READONLY] = { "a replica that refuses to write",
                             WBA_REDIS_ERROR },
    [WBA_REDIS_LOADING] = { "still loading its data", WBA_REDIS_WARN },
    [WBA_REDIS_MISCONF] = { "refuses to write because it cannot save",
                            WBA_REDIS_ERROR },
    [WBA_REDIS_CLUSTER] = { "a cluster that does not serve our keys here",
                            WBA_REDIS_ERROR },
    [WBA_REDIS_REPLICAS] = { "refuses to write without its replicas or "
                             "master",
                             WBA_REDIS_WARN },
    [WBA_REDIS_BUSY] = { "busy with a script", WBA_REDIS_WARN },
    [WBA_REDIS_CLIENTS] = { "has too many clients", WBA_REDIS_WARN },
    [WBA_REDIS_PASSWORD] = { "refuses our user and password, or wants some",
                             WBA_REDIS_ERROR },
    [WBA_REDIS_DENIED] = { "in protected mode", WBA_REDIS_ERROR },
    [WBA_REDIS_NOPERM] = { "does not let our user do what we need",
                           WBA_REDIS_ERROR },
    [WBA_REDIS_NO_DB] = { "has no such database", WBA_REDIS_ERROR },
    [WBA_REDIS_REFUSED] = { "refuses a command", WBA_REDIS_ERROR },
    [WBA_REDIS_STRANGE] = { "does not answer as Redis does",
                            WBA_REDIS_ERROR },
    [WBA_REDIS_CONNECT] = { "cannot be connected to", WBA_REDIS_WARN },
    [WBA_REDIS_LOST] = { "lost", WBA_REDIS_WARN },
    [WBA_REDIS_SLOW] = { "does not answer in time", WBA_REDIS_WARN },
    [WBA_REDIS_FLOOD] = { "sends more than it was asked for",
                          WBA_REDIS_ERROR },
    [WBA_REDIS_ADDRESS] = { "not an IP address or socket path",
                            WBA_REDIS_ERROR },
    [WBA_REDIS_CONTENDED] = { "has its epoch changed again and again",
                              WBA_REDIS_WARN },
    [WBA_REDIS_MEMORY] = { "not usable: out of memory", WBA_REDIS_ERROR },
    [WBA_REDIS_WATCH] = { "not usable: its descriptor cannot be watched",
                          WBA_REDIS_ERROR },
};

static bool
begins(wba_str_t s, const char *prefix)
{
    size_t n = strlen(prefix);

    return s.len >= n && memcmp(s.data, prefix, n) == 0;
}

static wba_str_t
text_of(const redisReply *reply)
{
    return wba_str(reply->str, reply->str == NULL ? 0 : reply->len);
}

wba_redis_problem_t
wba_redis_problem_of(wba_str_t error)
{
    size_t i, n;

    if (error.data == NULL) {
        return WBA_REDIS_REFUSED;
    }
    for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        n = strlen(errors[i].prefix);
        if (begins(error, errors[i].prefix)
            && (error.len == n || error.data[n] < 'A' || error.data[n] > 'Z'))
        {
            return errors[i].problem;
        }
    }
    return WBA_REDIS_REFUSED;
}

const char *
wba_redis_problem_text(wba_redis_problem_t problem)
{
    return problems[problem].text;
}

wba_redis_severity_t
wba_redis_problem_severity(wba_redis_problem_t problem)
{
    return problems[problem].severity;
}

/* --- INFO and the marker */

wba_str_t
wba_redis_info_field(wba_str_t info, const char *name)
{
    size_t n = strlen(name), end;
    const uint8_t *lf;
    wba_str_t line;

    while (info.len > 0) {
        lf = memchr(info.data, '\n', info.len);
        end = lf == NULL ? info.len : (size_t) (lf - info.data);
        line = wba_str(info.data, end);
        if (line.len > 0 && line.data[line.len - 1] == '\r') {
            line.len--;
        }
        if (line.len > n && begins(line, name) && line.data[n] == ':') {
            return wba_str(line.data + n + 1, line.len - n - 1);
        }
        end += lf != NULL;
        info = wba_str(info.data + end, info.len - end);
    }
    return WBA_STR_NONE;
}

static bool
is_word(wba_str_t s)
{
    size_t i;
    uint8_t c;

    for (i = 0; i < s.len; i++) {
        c = wba_lower(s.data[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))) {
            return false;
        }
    }
    return s.len > 0;
}

void
wba_redis_run_id(wba_str_t info, char out[WBA_REDIS_RUN_ID + 1])
{
    wba_str_t id = wba_redis_info_field(info, "run_id");

    if (!is_word(id) || id.len > WBA_REDIS_RUN_ID) {
        id = WBA_STR(WBA_REDIS_NO_RUN_ID);
    }
    memcpy(out, id.data, id.len);
    out[id.len] = '\0';
}

bool
wba_redis_policy(wba_str_t info, char *out, size_t size)
{
    wba_str_t value = wba_redis_info_field(info, "maxmemory_policy");
    char text[64];
    size_t n = value.len < sizeof(text) - 1 ? value.len : sizeof(text) - 1;

    if (n) {
        memcpy(text, value.data, n);
    }
    text[n] = '\0';
    wba_redis_printable(out, size, text);
    return n > 0 && strcmp(text, "noeviction") != 0;
}

void
wba_redis_marker_write(char out[WBA_REDIS_MARKER], const char *run_id,
                       int64_t epoch)
{
    snprintf(out, WBA_REDIS_MARKER, "%.*s:%" PRId64, WBA_REDIS_RUN_ID, run_id,
             epoch);
}

bool
wba_redis_marker_read(wba_str_t marker, const char *run_id, int64_t *epoch)
{
    size_t i, n = strlen(run_id);
    int64_t value = 0;

    if (marker.len <= n + 1 || marker.len > n + 1 + MAX_EPOCH_DIGITS
        || !begins(marker, run_id) || marker.data[n] != ':')
    {
        return false;
    }
    for (i = n + 1; i < marker.len; i++) {
        if (marker.data[i] < '0' || marker.data[i] > '9') {
            return false;
        }
        value = value * 10 + (marker.data[i] - '0');
    }
    *epoch = value;
    return true;
}

/* --- replies */

wba_redis_problem_t
wba_redis_reply_check(const redisReply *reply, int type)
{
    if (reply == NULL) {
        return WBA_REDIS_LOST;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        return wba_redis_problem_of(text_of(reply));
    }
    if (reply->type == type
        || (type == REDIS_REPLY_NIL && reply->type == REDIS_REPLY_STATUS))
    {
        return WBA_REDIS_GOOD;
    }
    return WBA_REDIS_STRANGE;
}

static void
note(wba_redis_sum_t *sum, wba_redis_problem_t problem)
{
    if (sum->problem == WBA_REDIS_GOOD) {
        sum->problem = problem;
    }
}

static bool
is_status(const redisReply *reply, const char *text)
{
    return reply->type == REDIS_REPLY_STATUS
           && wba_str_eq(text_of(reply), wba_str_z(text));
}

/* A SET, with NX or without. */
static void
add_set(wba_redis_sum_t *sum, const redisReply *reply)
{
    wba_redis_problem_t problem = wba_redis_reply_check(reply,
                                                        REDIS_REPLY_NIL);

    if (problem == WBA_REDIS_GOOD && reply->type == REDIS_REPLY_NIL) {
        sum->seen = true;
    } else if (problem == WBA_REDIS_GOOD && !is_status(reply, "OK")) {
        problem = WBA_REDIS_STRANGE;
    }
    note(sum, problem);
}

static void
add_results(wba_redis_sum_t *sum, const redisReply *reply, unsigned n,
            const char *first)
{
    unsigned i;

    if (reply->type == REDIS_REPLY_NIL) {
        sum->aborted = true;
        return;
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != n) {
        note(sum, wba_redis_reply_check(reply, REDIS_REPLY_ARRAY));
        note(sum, WBA_REDIS_STRANGE); /* the number is wrong */
        return;
    }
    for (i = 0; i < n; i++) {
        if (i > 0 || first == NULL) {
            add_set(sum, reply->element[i]);
        } else if (reply->element[0]->type != REDIS_REPLY_STRING
                   || !wba_str_eq(text_of(reply->element[0]),
                                  wba_str_z(first)))
        {
            sum->moved = true;
        }
    }
}

bool
wba_redis_sum_add(wba_redis_sum_t *sum, const redisReply *reply, unsigned n,
                  const char *first)
{
    unsigned at = sum->got++;

    if (reply == NULL) {
        note(sum, WBA_REDIS_LOST);
    } else if (at == n + 1) {
        add_results(sum, reply, n, first);
    } else if (!is_status(reply, at == 0 ? "OK" : "QUEUED")) {
        note(sum, wba_redis_reply_check(reply, REDIS_REPLY_STATUS));
        note(sum, WBA_REDIS_STRANGE);
    }
    return at >= n + 1;
}

wba_store_answer_t
wba_redis_sum_answer(const wba_redis_sum_t *sum)
{
    switch (sum->problem) {
    case WBA_REDIS_GOOD:
        return sum->aborted ? WBA_STORE_UNAVAILABLE
               : sum->moved ? WBA_STORE_COLD
               : sum->seen  ? WBA_STORE_SEEN
                            : WBA_STORE_FRESH;
    case WBA_REDIS_OOM:
        return sum->moved ? WBA_STORE_COLD : WBA_STORE_FULL;
    default:
        return WBA_STORE_UNAVAILABLE;
    }
}

void
wba_redis_printable(char *out, size_t size, const char *text)
{
    size_t i;

    for (i = 0; i + 1 < size && text[i] != '\0'; i++) {
        out[i] = (char) (text[i] >= 0x20 && text[i] <= 0x7e ? text[i] : '?');
    }
    out[i] = '\0';
}
