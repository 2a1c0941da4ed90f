/* SPDX-License-Identifier: BSD-2-Clause */
/* Incidents, and what the log is told of them. */
#include "redis_private.h"

#include <stdio.h>

#define FULL_PAUSE 60000 /* milliseconds between lines that say it is full */

void
wba_redis_tell(wba_redis_t *redis, wba_redis_severity_t severity,
               const char *text)
{
    const wba_redis_options_t *o = redis->options;
    char where[128], line[360];

    if (o->unix_path != NULL) {
        snprintf(where, sizeof(where), "unix:%.110s", o->unix_path);
    } else {
        snprintf(where, sizeof(where), "%.64s port %u",
                 o->address == NULL ? "" : o->address, o->port);
    }
    snprintf(line, sizeof(line), "redis %s: %.200s", where, text);
    wba_redis_printable(line, sizeof(line), line);
    redis->hooks->report(redis->loop, severity, line);
}

void
wba_redis_doom(wba_redis_t *redis, wba_redis_problem_t problem,
               const char *detail)
{
    if (redis->doom == WBA_REDIS_GOOD) {
        redis->doom = problem;
        wba_redis_printable(redis->detail, sizeof(redis->detail),
                            detail == NULL ? "" : detail);
    }
}

void
wba_redis_tell_problem(wba_redis_t *redis)
{
    char text[200];

    if (redis->told == redis->doom) {
        return;
    }
    snprintf(text, sizeof(text), "%s%s%s",
             wba_redis_problem_text(redis->doom), redis->detail[0] ? ": " : "",
             redis->detail);
    wba_redis_tell(redis, wba_redis_problem_severity(redis->doom), text);
    redis->told = redis->doom;
}

void
wba_redis_tell_full(wba_redis_t *redis)
{
    uint64_t now = wba_redis_now(redis);

    if (now >= redis->full_again) {
        redis->full_again = now + FULL_PAUSE;
        wba_redis_tell(redis, wba_redis_problem_severity(WBA_REDIS_OOM),
                       wba_redis_problem_text(WBA_REDIS_OOM));
    }
}
