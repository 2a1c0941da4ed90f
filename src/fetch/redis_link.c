/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection of hiredis, 0.14 or 1.x, with what those versions lack.
 *
 * A reply that nobody asked for ends the process in 0.14 by an assertion.  So
 * hiredis' queue of callbacks always holds one more than there are commands:
 * the callback of a command of no bytes.  All are the same function, which
 * counts for itself and gives the connection up at the first reply too many.
 *
 * Its reader takes any length a server names.  Here an array may have as many
 * elements as our widest transaction, none of them an array; a string has a
 * bound, and so has what waits for its end.
 *
 * Where hiredis runs out of memory for its own small objects it aborts, and
 * nothing can be done about that from here.
 */
#include "redis_private.h"

#include <arpa/inet.h>
#include <fcntl.h>

/* Bytes of a string: INFO's sections have some 1,500. */
#define MAX_STRING 32768

/* Bytes of an unfinished reply.  A read brings 16 KB at most. */
#define MAX_INPUT 65536

#define MAX_ELEMENTS (WBA_MAX_SIGNATURES + 8)

/* --- what hiredis may build */

static wba_redis_t *
client_of(const redisReadTask *task)
{
    return task->privdata;
}

static void *
create_string(const redisReadTask *task, char *text, size_t len)
{
    wba_redis_t *redis = client_of(task);

    if (len > MAX_STRING) {
        redis->oversize = true;
        return NULL;
    }
    return redis->real_readers->createString(task, text, len);
}

/* What createArray is told the number of elements as. */
#if HIREDIS_MAJOR >= 1
typedef size_t elements_t;
#else
typedef int elements_t;
#endif

static void *
create_array(const redisReadTask *task, elements_t elements)
{
    wba_redis_t *redis = client_of(task);

    if (task->parent != NULL || elements > MAX_ELEMENTS) {
        redis->oversize = true;
        return NULL;
    }
    return redis->real_readers->createArray(task, elements);
}

static void
limit_reader(wba_redis_t *redis)
{
    redisReader *reader = redis->ac->c.reader;

    redis->oversize = false;
    redis->real_readers = reader->fn;
    redis->readers = *reader->fn;
    redis->readers.createString = create_string;
    redis->readers.createArray = create_array;
    reader->fn = &redis->readers;
    reader->privdata = redis;
}

/* --- hiredis and the loop */

static void
watch(wba_redis_t *redis, unsigned events)
{
    if (events == redis->events || redis->fd < 0) {
        return;
    }
    if (redis->hooks->watch(redis->loop, redis->fd, events, &redis->slot)) {
        redis->events = events;
    } else if (events != 0) {
        redis->events = 0; /* the loop holds nothing for it now */
        redis->slot = NULL;
        wba_redis_doom(redis, WBA_REDIS_WATCH, NULL);
    }
    if (events == 0) {
        redis->events = 0;
        redis->slot = NULL;
    }
}

static void
add_read(void *redis)
{
    watch(redis, ((wba_redis_t *) redis)->events | WBA_FETCH_READ);
}

static void
del_read(void *redis)
{
    watch(redis, ((wba_redis_t *) redis)->events & ~WBA_FETCH_READ);
}

static void
add_write(void *redis)
{
    watch(redis, ((wba_redis_t *) redis)->events | WBA_FETCH_WRITE);
}

static void
del_write(void *redis)
{
    watch(redis, ((wba_redis_t *) redis)->events & ~WBA_FETCH_WRITE);
}

/* Why hiredis gives the connection up. */
static void
note_error(wba_redis_t *redis)
{
    const redisContext *c = &redis->ac->c;

    if (redis->oversize) {
        wba_redis_doom(redis, WBA_REDIS_FLOOD, NULL);
    } else if (c->err == REDIS_ERR_PROTOCOL) {
        wba_redis_doom(redis, WBA_REDIS_STRANGE, NULL);
    } else if (c->err == REDIS_ERR_OOM) {
        wba_redis_doom(redis, WBA_REDIS_MEMORY, NULL);
    } else {
        wba_redis_doom(redis,
                       c->flags & REDIS_CONNECTED ? WBA_REDIS_LOST
                                                  : WBA_REDIS_CONNECT,
                       c->errstr);
    }
}

/* hiredis is about to free its context, whoever wanted that. */
static void
cleanup(void *arg)
{
    wba_redis_t *redis = arg;

    if (redis->ac == NULL) {
        return;
    }
    watch(redis, 0);
    if (!redis->closing) {
        note_error(redis);
    }
    redis->ac = NULL;
    redis->fd = -1;
}

static void
on_reply(redisAsyncContext *ac, void *reply, void *unused)
{
    wba_redis_t *redis = ac->data;

    (void) unused;
    if (reply == NULL || redis->closing || redis->doom != WBA_REDIS_GOOD) {
        return;
    }
    if (redis->sent.head == NULL) {
        wba_redis_doom(redis, WBA_REDIS_FLOOD, NULL);
    } else {
        wba_redis_answered(redis, reply);
    }
    if (redis->doom != WBA_REDIS_GOOD) {
        redisAsyncFree(ac); /* once we have returned: it reads no further */
    }
}

bool
wba_redis_link_send(wba_redis_t *redis, const char *text, size_t len)
{
    redisAsyncContext *ac = redis->ac;
    const redisCallback *last;

    if (ac == NULL || redis->doom != WBA_REDIS_GOOD) {
        return false;
    }
    last = ac->replies.tail;
    if (redisAsyncFormattedCommand(ac, on_reply, NULL, text, len) != REDIS_OK
        || ac->c.err != 0 || ac->replies.tail == last)
    {
        wba_redis_doom(redis, WBA_REDIS_MEMORY, NULL);
    }
    return redis->doom == WBA_REDIS_GOOD;
}

bool
wba_redis_link_argv(wba_redis_t *redis, int argc, const char **argv,
                    const size_t *lens)
{
    char *text;
    int len = redisFormatCommandArgv(&text, argc, argv, lens);
    bool sent;

    if (len < 0) {
        wba_redis_doom(redis, WBA_REDIS_MEMORY, NULL);
        return false;
    }
    sent = wba_redis_link_send(redis, text, (size_t) len);
    redisFreeCommand(text);
    return sent;
}

/* --- its life */

/* hiredis would ask a name server, and wait. */
static bool
is_address(const char *text)
{
    struct in6_addr address;

    return text != NULL
           && (inet_pton(AF_INET, text, &address) == 1
               || inet_pton(AF_INET6, text, &address) == 1);
}

static redisAsyncContext *
begin(const wba_redis_options_t *options)
{
    return options->unix_path != NULL
               ? redisAsyncConnectUnix(options->unix_path)
               : redisAsyncConnect(options->address, options->port);
}

/* hiredis switches Nagle's algorithm off by itself. */
static void
prepare(wba_redis_t *redis)
{
    redisAsyncContext *ac = redis->ac;

    (void) fcntl(ac->c.fd, F_SETFD, FD_CLOEXEC);
    if (redis->options->unix_path == NULL) {
        redisEnableKeepAlive(&ac->c);
    }
    if (ac->c.err != 0) {
        wba_redis_doom(redis, WBA_REDIS_CONNECT, ac->c.errstr);
        return;
    }
    ac->data = redis;
    ac->ev.data = redis;
    ac->ev.addRead = add_read;
    ac->ev.delRead = del_read;
    ac->ev.addWrite = add_write;
    ac->ev.delWrite = del_write;
    ac->ev.cleanup = cleanup;
    limit_reader(redis);
    wba_redis_link_send(redis, "*1\r\n$4\r\nPING\r\n", 0); /* see above */
}

void
wba_redis_link_open(wba_redis_t *redis)
{
    if (redis->options->unix_path == NULL
        && !is_address(redis->options->address))
    {
        wba_redis_doom(redis, WBA_REDIS_ADDRESS, NULL);
        return;
    }
    redis->ac = begin(redis->options);
    if (redis->ac == NULL) {
        wba_redis_doom(redis, WBA_REDIS_MEMORY, NULL);
        return;
    }
    redis->fd = redis->ac->c.fd;
    redis->events = 0;
    redis->slot = NULL;
    if (redis->ac->err != 0) {
        wba_redis_doom(redis, WBA_REDIS_CONNECT, redis->ac->c.errstr);
        return;
    }
    prepare(redis);
}

void
wba_redis_link_close(wba_redis_t *redis)
{
    redisAsyncContext *ac = redis->ac;

    if (ac != NULL) {
        redis->closing = true;
        redisAsyncFree(ac);
        redis->closing = false;
        redis->ac = NULL; /* also where no hook was set yet */
        redis->fd = -1;
    }
}

void
wba_redis_link_event(wba_redis_t *redis, unsigned events)
{
    redisAsyncContext *ac = redis->ac;
    const redisReader *reader = ac->c.reader;

    if (events & (WBA_FETCH_READ | WBA_FETCH_FAILED)) {
        redisAsyncHandleRead(ac);
    }
    if (redis->ac != NULL && redis->doom == WBA_REDIS_GOOD
        && reader->len - reader->pos > MAX_INPUT)
    {
        wba_redis_doom(redis, WBA_REDIS_FLOOD, NULL);
    }
    if (redis->ac != NULL && redis->doom == WBA_REDIS_GOOD
        && events & WBA_FETCH_WRITE)
    {
        redisAsyncHandleWrite(ac);
    }
}
