/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of the Redis client share: real servers in a folder of their
 * own, a server that says what it is told to, and clients behind one poll()
 * with a wall clock that the test sets.  Every hook checks its rules.
 */
#ifndef REDIS_FIXTURE_H
#define REDIS_FIXTURE_H

#include "wba_limits.h"
#include "wba_redis.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <sodium.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define START INT64_C(1700000000) /* on the wall when a test begins */
#define SOON 30000                /* milliseconds that anything may take */
#define CLIENTS 4
#define PEERS 8
#define TEXT 4096

/* --- clocks */

static int64_t wall_now;
static uint64_t clock_ahead; /* of the real one */

static inline uint64_t
clock_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return clock_ahead + (uint64_t) ts.tv_sec * 1000
           + (uint64_t) ts.tv_nsec / 1000000;
}

/* --- clients */

typedef struct {
    wba_redis_t *redis;
    wba_redis_options_t options;
    int fd; /* being watched, or -1 */
    unsigned events;
    uint64_t due; /* of the timer, or UINT64_MAX */
    bool usable;
    unsigned changes;
    bool refuse_watch;
    int64_t wall_off; /* what this machine's clock is ahead */
    char told[TEXT]; /* reports: "E text\n" */
    unsigned reports;
} client_t;

typedef struct {
    client_t *client;
    unsigned answers;
    wba_store_answer_t answer;
    wba_store_answer_t foreseen; /* FRESH: nothing was */
} record_t;

static client_t clients[CLIENTS];
static bool quiet; /* no answer may come now */

/* --- a server that plays a script */

typedef struct {
    int listener;
    char path[108];
    const char *const *script; /* to each piece that arrives; NULL: close */
    int peers[PEERS];
    size_t step[PEERS];
    unsigned accepted;
} fake_t;

static fake_t fake = { .listener = -1 };

static struct {
    char folder[64];
    char path[108];
    int port;
    pid_t pid;
    redisContext *control;
} server;

/* --- hooks */

static inline bool
hook_watch(void *loop, int fd, unsigned events, void **slot)
{
    client_t *c = loop;

    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC); /* and open */
    if (events == 0) {
        assert_int_equal(fd, c->fd);
        assert_ptr_equal(*slot, c);
        c->fd = -1;
        return true;
    }
    assert_true(c->fd == -1 ? *slot == NULL : fd == c->fd && *slot == c);
    if (c->refuse_watch) {
        c->fd = -1;
        return false;
    }
    c->fd = fd;
    c->events = events;
    *slot = c;
    return true;
}

static inline void
hook_timer(void *loop, long ms)
{
    client_t *c = loop;

    assert_true(ms >= -1);
    c->due = ms < 0 ? UINT64_MAX : clock_ms() + (uint64_t) ms;
}

static inline uint64_t
hook_now(void *loop)
{
    (void) loop;
    return clock_ms();
}

static inline int64_t
hook_wall(void *loop)
{
    return wall_now + ((client_t *) loop)->wall_off;
}

static inline void
hook_report(void *loop, wba_redis_severity_t severity, const char *text)
{
    client_t *c = loop;
    size_t i, n = strlen(c->told);

    for (i = 0; text[i] != '\0'; i++) {
        assert_in_range(text[i], 0x20, 0x7e);
    }
    assert_in_range(i, 8, 400);
    assert_null(strstr(text, "s3cret"));
    assert_null(strstr(text, "nonce-"));
    c->reports++;
    snprintf(c->told + n, TEXT - n, "%c %s\n", "IWE"[severity], text);
    if (getenv("REDIS_TELL") != NULL) {
        fprintf(stderr, "    %" PRIu64 " %c %s\n", clock_ms() % 100000,
                "IWE"[severity], text);
    }
}

static inline void
hook_changed(void *loop, bool usable)
{
    client_t *c = loop;

    assert_int_equal(c->usable, !usable);
    assert_int_equal(wba_redis_usable(c->redis), usable);
    c->usable = usable;
    c->changes++;
}

static const wba_redis_hooks_t hooks = {
    hook_watch, hook_timer, hook_now, hook_wall, hook_report, hook_changed,
};

/* --- the fake's side of the loop */

static inline void
fake_open(const char *const *script)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };

    snprintf(fake.path, sizeof(fake.path), "%s/fake.sock", server.folder);
    unlink(fake.path);
    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", fake.path);
    fake.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fake.listener, (void *) &sa, sizeof(sa)), 0);
    assert_int_equal(listen(fake.listener, 16), 0);
    fake.script = script;
    fake.accepted = 0;
    memset(fake.peers, -1, sizeof(fake.peers));
}

static inline void
fake_close(void)
{
    size_t i;

    for (i = 0; fake.listener != -1 && i < PEERS; i++) {
        if (fake.peers[i] != -1) {
            close(fake.peers[i]);
        }
    }
    if (fake.listener != -1) {
        close(fake.listener);
        unlink(fake.path);
    }
    fake.listener = -1;
}

static inline void
fake_accept(void)
{
    size_t i;

    for (i = 0; fake.peers[i] != -1; i++) {
        assert_true(i + 1 < PEERS);
    }
    fake.peers[i] = accept(fake.listener, NULL, NULL);
    assert_true(fake.peers[i] != -1);
    fake.step[i] = 0;
    fake.accepted++;
}

static inline void
fake_read(size_t i)
{
    static char text[65536];
    ssize_t n = read(fake.peers[i], text, sizeof(text));
    const char *answer = n <= 0 ? NULL : fake.script[fake.step[i]];

    if (answer == NULL) {
        close(fake.peers[i]);
        fake.peers[i] = -1;
        return;
    }
    fake.step[i]++;
    if (answer[0] == '*' && answer[1] == '!') {
        answer += 2; /* again and again */
        fake.step[i]--;
    }
    n = send(fake.peers[i], answer, strlen(answer), MSG_NOSIGNAL);
    (void) n;
}

/* --- the loop */

static inline void
dispatch(struct pollfd *fds, client_t **whose, size_t n)
{
    unsigned events;
    size_t i;
    short got;

    for (i = 0; i < n; i++) {
        got = fds[i].revents;
        events = (got & POLLIN ? WBA_FETCH_READ : 0)
                 | (got & POLLOUT ? WBA_FETCH_WRITE : 0)
                 | (got & (POLLERR | POLLHUP) ? WBA_FETCH_FAILED : 0);
        assert_false(got & POLLNVAL);
        if (events != 0 && whose[i]->redis != NULL) {
            wba_redis_on_fd(whose[i]->redis, fds[i].fd, events);
        }
    }
}

static inline void
fake_dispatch(struct pollfd *fds, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (fds[i].revents != 0 && fds[i].fd >= 0) {
            if (i == PEERS) {
                fake_accept();
            } else {
                fake_read(i);
            }
        }
    }
}

/* One turn; waits no longer than until. */
static inline void
turn(uint64_t until)
{
    struct pollfd fds[CLIENTS + PEERS + 1];
    client_t *whose[CLIENTS];
    uint64_t now, wake = until;
    size_t i, n = 0, peers = 0;

    for (i = 0; i < CLIENTS; i++) {
        if (clients[i].redis != NULL && clients[i].fd != -1) {
            whose[n] = &clients[i];
            fds[n].fd = clients[i].fd;
            fds[n++].events = (short) ((clients[i].events & WBA_FETCH_READ
                                            ? POLLIN
                                            : 0)
                                       | (clients[i].events & WBA_FETCH_WRITE
                                              ? POLLOUT
                                              : 0));
        }
        if (clients[i].redis != NULL && clients[i].due < wake) {
            wake = clients[i].due;
        }
    }
    for (i = 0; fake.listener != -1 && i <= PEERS; i++, peers++) {
        fds[n + i].fd = i == PEERS ? fake.listener : fake.peers[i];
        fds[n + i].events = POLLIN;
        fds[n + i].revents = 0;
    }
    now = clock_ms();
    if (poll(fds, n + peers, wake <= now ? 0 : (int) (wake - now)) > 0) {
        dispatch(fds, whose, n);
        fake_dispatch(fds + n, peers);
    }
    now = clock_ms();
    for (i = 0; i < CLIENTS; i++) {
        if (clients[i].redis != NULL && clients[i].due <= now) {
            clients[i].due = UINT64_MAX;
            wba_redis_on_timer(clients[i].redis);
        }
    }
}

/* Turns until what holds. */
#define UNTIL(what)                                                   \
    do {                                                              \
        uint64_t until_ = clock_ms() + SOON;                          \
        while (!(what)) {                                             \
            if (clock_ms() >= until_) {                               \
                fail_msg("line %d: never " #what "\n%s", __LINE__,    \
                         clients[0].told);                            \
            }                                                         \
            turn(until_);                                             \
        }                                                             \
    } while (0)

static inline void
pass(uint64_t ms)
{
    uint64_t until = clock_ms() + ms;

    while (clock_ms() < until) {
        turn(until);
    }
}

/* --- clients */

static inline client_t *
client_at(unsigned i, const char *path)
{
    client_t *c = &clients[i];

    assert_null(c->redis);
    memset(c, 0, sizeof(*c));
    c->fd = -1;
    c->due = UINT64_MAX;
    c->options.unix_path = path;
    c->options.prefix = "wba:";
    c->options.timeout_ms = 2000;
    c->options.max_waiting = 4096;
    c->options.max_backlog = 1000;
    return c;
}

static inline void
client_start(client_t *c)
{
    c->redis = wba_redis_new(&c->options, &hooks, c);
    assert_non_null(c->redis);
    assert_false(wba_redis_usable(c->redis));
}

/* A client of the real server, usable. */
static inline client_t *
client_ready(unsigned i)
{
    client_t *c = client_at(i, server.path);

    client_start(c);
    UNTIL(c->usable);
    return c;
}

static inline void
client_stop(client_t *c)
{
    wba_redis_t *redis = c->redis;

    if (redis != NULL) {
        wba_redis_free(redis);
        c->redis = NULL;
        c->usable = false;
        assert_int_equal(c->fd, -1);
        assert_true(c->due == UINT64_MAX);
    }
}

static inline wba_redis_stats_t
stats_of(const client_t *c)
{
    wba_redis_stats_t stats;

    wba_redis_stats(c->redis, &stats);
    return stats;
}

/* --- records */

static uint8_t thumbprint[WBA_THUMBPRINT_SIZE];

/* Created ten seconds after the test began; text is borrowed. */
static inline wba_nonce_t
nonce_of(const char *text)
{
    wba_nonce_t nonce = { thumbprint, wba_str_z(text), wall_now + 10,
                          wall_now + 300 };

    return nonce;
}

static inline void
on_answer(void *ctx, wba_store_answer_t answer)
{
    record_t *r = ctx;

    assert_false(quiet);
    r->answers++;
    r->answer = answer;
    if (r->foreseen == WBA_STORE_COLD) {
        assert_int_equal(answer, WBA_STORE_COLD);
    }
}

static inline wba_redis_ticket_t *
start(client_t *c, record_t *r, const wba_nonce_t *nonces, size_t n)
{
    wba_store_answer_t foreseen = wba_redis_foresee(c->redis, nonces, n, 5);
    wba_redis_ticket_t *ticket;

    memset(r, 0, sizeof(*r));
    r->client = c;
    r->foreseen = foreseen;
    quiet = true;
    ticket = wba_redis_record(c->redis, nonces, n, 5, on_answer, r);
    quiet = false;
    if (foreseen == WBA_STORE_UNAVAILABLE) {
        assert_null(ticket);
    }
    return ticket;
}

static inline wba_store_answer_t
ask_all(client_t *c, const wba_nonce_t *nonces, size_t n)
{
    record_t r;

    assert_non_null(start(c, &r, nonces, n));
    UNTIL(r.answers > 0);
    assert_int_equal(r.answers, 1);
    return r.answer;
}

static inline wba_store_answer_t
ask(client_t *c, const char *text)
{
    wba_nonce_t nonce = nonce_of(text);

    return ask_all(c, &nonce, 1);
}

static inline void
remember(client_t *c, const char *text)
{
    wba_nonce_t nonce = nonce_of(text);

    wba_redis_remember(c->redis, &nonce, 1);
}

/* --- the real server */

static inline void
nap(void)
{
    poll(NULL, 0, 5);
}

static inline int
free_port(void)
{
    struct sockaddr_in sa = { .sin_family = AF_INET };
    socklen_t len = sizeof(sa);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (void *) &sa, sizeof(sa)), 0);
    assert_int_equal(getsockname(fd, (void *) &sa, &len), 0);
    close(fd);
    return ntohs(sa.sin_port);
}

static inline void
server_exec(const char *option, const char *value)
{
    char port[16];
    int null = open("/dev/null", O_RDWR);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(port, sizeof(port), "%d", server.port);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    execlp("redis-server", "redis-server", "--port", port, "--bind",
           "127.0.0.1", "-::1", "--unixsocket", server.path, "--dir",
           server.folder, "--save", "", "--appendonly", "no", "--databases",
           "16", "--enable-debug-command", "yes", option, value,
           (char *) NULL);
    _exit(127);
}

static inline void
server_stop(int sign)
{
    if (server.control != NULL) {
        redisFree(server.control);
        server.control = NULL;
    }
    if (server.pid > 0) {
        kill(server.pid, sign);
        waitpid(server.pid, NULL, 0);
        server.pid = 0;
    }
}

static inline void
command(const char *format, ...)
{
    redisReply *reply;
    va_list args;

    va_start(args, format);
    reply = redisvCommand(server.control, format, args);
    va_end(args);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR) {
        fail_msg("%s: %s", format, reply->str);
    }
    freeReplyObject(reply);
}

static inline long long
number(const char *format, ...)
{
    redisReply *reply;
    long long n;
    va_list args;

    va_start(args, format);
    reply = redisvCommand(server.control, format, args);
    va_end(args);
    assert_non_null(reply);
    assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
    n = reply->integer;
    freeReplyObject(reply);
    return n;
}

/* Starts it, with one more option or NULL, and waits until it listens. */
static inline void
server_start(const char *option, const char *value)
{
    uint64_t until = clock_ms() + SOON;

    server.pid = fork();
    assert_true(server.pid >= 0);
    if (server.pid == 0) {
        server_exec(option, value);
    }
    for (;;) {
        server.control = redisConnectUnix(server.path);
        assert_non_null(server.control);
        if (server.control->err == 0) {
            return;
        }
        redisFree(server.control);
        server.control = NULL;
        assert_true(clock_ms() < until);
        nap();
    }
}

static inline bool
server_installed(void)
{
    return system("command -v redis-server > /dev/null 2>&1") == 0;
}

static inline int
each_setup(void **state)
{
    (void) state;
    wall_now = START;
    kill(server.pid, SIGCONT); /* where a test left off early */
    command("CONFIG SET requirepass %s maxmemory 0 maxmemory-policy "
            "noeviction", "");
    command("REPLICAOF NO ONE");
    command("FLUSHALL");
    return 0;
}

static inline int
each_teardown(void **state)
{
    size_t i;

    (void) state;
    for (i = 0; i < CLIENTS; i++) {
        client_stop(&clients[i]);
    }
    fake_close();
    return 0;
}

static inline int
group_setup(void **state)
{
    (void) state;
    if (sodium_init() < 0) {
        return -1;
    }
    signal(SIGPIPE, SIG_IGN);
    snprintf(server.folder, sizeof(server.folder), "/tmp/wba-redis-XXXXXX");
    if (mkdtemp(server.folder) == NULL) {
        return -1;
    }
    snprintf(server.path, sizeof(server.path), "%s/s.sock", server.folder);
    server.port = free_port();
    server_start(NULL, NULL);
    return 0;
}

static inline int
group_teardown(void **state)
{
    (void) state;
    server_stop(SIGKILL);
    unlink(server.path);
    return rmdir(server.folder);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, each_setup, each_teardown)

#endif
