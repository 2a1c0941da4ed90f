/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection, with the formatting and the reader of hiredis, 0.14 or 1.x.
 * Connecting, writing and the event loop are done here: hiredis 0.14 ends the
 * process where it finds no memory for the copy of an address, for an empty
 * buffer in the place of one that was written, or, in async.h, while it frees a
 * connection; and there, too, at a reply that nobody has asked for.
 *
 * Its reader takes any length a server names.  Here an array may have as many
 * elements as our widest transaction, none of them an array; a string has a
 * bound, and so has what waits for its end.
 */
#include "redis_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

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
    redisReader *reader = redis->c->reader;

    redis->oversize = false;
    redis->real_readers = reader->fn;
    redis->readers = *reader->fn;
    redis->readers.createString = create_string;
    redis->readers.createArray = create_array;
    reader->fn = &redis->readers;
    reader->privdata = redis;
    reader->maxbuf = 0; /* else it asserts that there is memory for another */
}

/* --- the loop */

static void
watch(wba_redis_t *redis, unsigned events)
{
    if (events == redis->events) {
        return;
    }
    if (redis->hooks->watch(redis->loop, redis->c->fd, events, &redis->slot)) {
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

/* What hiredis says that went wrong. */
static void
note_error(wba_redis_t *redis)
{
    const redisContext *c = redis->c;

    if (redis->oversize) {
        wba_redis_doom(redis, WBA_REDIS_FLOOD, NULL);
    } else if (c->err == REDIS_ERR_PROTOCOL) {
        wba_redis_doom(redis, WBA_REDIS_STRANGE, NULL);
    } else if (c->err == REDIS_ERR_OOM) {
        wba_redis_doom(redis, WBA_REDIS_MEMORY, NULL);
    } else {
        wba_redis_doom(redis, WBA_REDIS_LOST, c->errstr);
    }
}

/* --- commands and replies */

static bool
reserve(wba_redis_t *redis, size_t len)
{
    size_t cap = redis->out_cap == 0 ? 512 : redis->out_cap;
    char *out;

    while (cap - redis->out_len < len) {
        cap *= 2;
    }
    if (cap == redis->out_cap) {
        return true;
    }
    out = realloc(redis->out, cap);
    if (out == NULL) {
        return false;
    }
    redis->out = out;
    redis->out_cap = cap;
    return true;
}

bool
wba_redis_link_send(wba_redis_t *redis, const char *text, size_t len)
{
    if (redis->c == NULL || redis->doom != WBA_REDIS_GOOD) {
        return false;
    }
    if (!reserve(redis, len)) {
        wba_redis_doom(redis, WBA_REDIS_MEMORY, NULL);
        return false;
    }
    memcpy(redis->out + redis->out_len, text, len);
    redis->out_len += len;
    watch(redis, redis->events | WBA_FETCH_WRITE);
    return redis->doom == WBA_REDIS_GOOD;
}

bool
wba_redis_link_argv(wba_redis_t *redis, int argc, const char **argv,
                    const size_t *lens)
{
    char *text;
    long long len = redisFormatCommandArgv(&text, argc, argv, lens);
    bool sent;

    if (len < 0) {
        wba_redis_doom(redis, WBA_REDIS_MEMORY, NULL);
        return false;
    }
    sent = wba_redis_link_send(redis, text, (size_t) len);
    redisFreeCommand(text);
    return sent;
}

static void
write_out(wba_redis_t *redis)
{
    size_t len = redis->out_len;
    ssize_t n = len == 0 ? 0 : write(redis->c->fd, redis->out, len);

    if (n == -1) {
        if (errno != EAGAIN && errno != EINTR) {
            wba_redis_doom(redis, WBA_REDIS_LOST, strerror(errno));
        }
        return;
    }
    redis->out_len = len - (size_t) n;
    if (redis->out_len == 0) {
        watch(redis, redis->events & ~WBA_FETCH_WRITE);
    } else {
        memmove(redis->out, redis->out + n, redis->out_len);
    }
}

static void
read_in(wba_redis_t *redis)
{
    redisContext *c = redis->c;
    void *reply;

    if (redisBufferRead(c) != REDIS_OK) {
        note_error(redis);
        return;
    }
    while (redis->doom == WBA_REDIS_GOOD) {
        if (redisGetReplyFromReader(c, &reply) != REDIS_OK) {
            note_error(redis);
            return;
        }
        if (reply == NULL) {
            break;
        }
        if (redis->sent.head == NULL) {
            wba_redis_doom(redis, WBA_REDIS_FLOOD, NULL);
        } else {
            wba_redis_answered(redis, reply);
        }
        freeReplyObject(reply);
    }
    if (c->reader->len - c->reader->pos > MAX_INPUT) {
        wba_redis_doom(redis, WBA_REDIS_FLOOD, NULL);
    }
}

/* --- its life */

typedef union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
} address_t;

/* Its size; 0: it is none.  No name server is asked: that would take time. */
static socklen_t
address_of(const wba_redis_options_t *o, address_t *to)
{
    size_t len;

    memset(to, 0, sizeof(*to));
    if (o->unix_path != NULL) {
        len = strlen(o->unix_path);
        if (len >= sizeof(to->local.sun_path)) {
            return 0;
        }
        to->local.sun_family = AF_UNIX;
        memcpy(to->local.sun_path, o->unix_path, len);
        return sizeof(to->local);
    }
    if (o->address == NULL) {
        return 0;
    }
    if (inet_pton(AF_INET, o->address, &to->v4.sin_addr) == 1) {
        to->v4.sin_family = AF_INET;
        to->v4.sin_port = htons((uint16_t) o->port);
        return sizeof(to->v4);
    }
    if (inet_pton(AF_INET6, o->address, &to->v6.sin6_addr) == 1) {
        to->v6.sin6_family = AF_INET6;
        to->v6.sin6_port = htons((uint16_t) o->port);
        return sizeof(to->v6);
    }
    return 0;
}

/* A socket that connects, or -1 with errno. */
static int
dial(const address_t *to, socklen_t len)
{
    int fd = socket(to->any.sa_family,
                    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int err;

    if (fd != -1 && connect(fd, &to->any, len) == -1 && errno != EINPROGRESS
        && errno != EINTR)
    {
        err = errno;
        close(fd);
        errno = err;
        return -1;
    }
    return fd;
}

/* What a lone command need not wait for, and what a dead peer is found by. */
static void
tune(redisContext *c)
{
    int on = 1;

    (void) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void) redisEnableKeepAlive(c);
    c->err = 0;
}

void
wba_redis_link_open(wba_redis_t *redis)
{
    address_t to;
    socklen_t len = address_of(redis->options, &to);
    int fd;

    if (len == 0) {
        wba_redis_doom(redis, WBA_REDIS_ADDRESS, NULL);
        return;
    }
    fd = dial(&to, len);
    if (fd == -1) {
        wba_redis_doom(redis, WBA_REDIS_CONNECT, strerror(errno));
        return;
    }
    redis->c = redisConnectFd(fd);
    if (redis->c == NULL) {
        close(fd);
        wba_redis_doom(redis, WBA_REDIS_MEMORY, NULL);
        return;
    }
    redis->c->flags &= ~REDIS_BLOCK;
    if (to.any.sa_family != AF_UNIX) {
        tune(redis->c);
    }
    redis->connected = false;
    redis->oversize = false;
    redis->events = 0;
    redis->slot = NULL;
    limit_reader(redis);
    watch(redis, WBA_FETCH_WRITE);
}

void
wba_redis_link_close(wba_redis_t *redis)
{
    if (redis->c != NULL) {
        watch(redis, 0);
        redisFree(redis->c);
        redis->c = NULL;
        free(redis->out);
        redis->out = NULL;
        redis->out_len = redis->out_cap = 0;
    }
}

/* What has become of connect(). */
static void
find_out(wba_redis_t *redis)
{
    int err = 0;
    socklen_t len = sizeof(err);

    if (getsockopt(redis->c->fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1) {
        err = errno;
    }
    if (err != 0) {
        wba_redis_doom(redis, WBA_REDIS_CONNECT, strerror(err));
        return;
    }
    redis->connected = true;
    watch(redis, redis->events | WBA_FETCH_READ);
}

void
wba_redis_link_event(wba_redis_t *redis, unsigned events)
{
    if (!redis->connected) {
        find_out(redis);
    }
    if (redis->doom == WBA_REDIS_GOOD
        && events & (WBA_FETCH_READ | WBA_FETCH_FAILED))
    {
        read_in(redis);
    }
    if (redis->doom == WBA_REDIS_GOOD && events & WBA_FETCH_WRITE) {
        write_out(redis);
    }
}
