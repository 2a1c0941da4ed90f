/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For fuzz_redis.c: as much of a Redis server as the client talks to, on a
 * socket, honest, and with settings that make it fail as servers do.
 */
#ifndef WBA_FUZZ_REDIS_SERVER_H
#define WBA_FUZZ_REDIS_SERVER_H

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fuzz.h"
#include "wba_limits.h"

#define WIRE 65536

static struct {
    int listener, peer;
    char path[108], folder[64];
    uint8_t in[WIRE];
    size_t len;
    char run[41];
    char marker[WBA_MAX_URL];
    bool has_marker;
    bool watched_changed;
    bool multi;
    bool password;
    bool full;
    bool evicts;
    char results[4096]; /* of what is queued */
    unsigned queued;
    char keys[512][65];
    unsigned nkeys;
    unsigned cut;
} s;

static void
server_begin(void)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };

    (void) snprintf(s.folder, sizeof(s.folder), "/tmp/wba-fuzz-XXXXXX");
    CHECK(mkdtemp(s.folder) != NULL);
    (void) snprintf(s.path, sizeof(s.path), "%s/redis", s.folder);
    memcpy(sa.sun_path, s.path, sizeof(s.path));
    s.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(bind(s.listener, (void *) &sa, sizeof(sa)) == 0);
    CHECK(listen(s.listener, 16) == 0);
    CHECK(fcntl(s.listener, F_SETFL, O_NONBLOCK) == 0);
    s.peer = -1;
}

static void
server_end(void)
{
    (void) unlink(s.path);
    (void) rmdir(s.folder);
}

static void
hang_up(void)
{
    if (s.peer >= 0) {
        (void) close(s.peer);
    }
    s.peer = -1;
    s.len = 0;
    s.multi = false;
    s.queued = 0;
    s.watched_changed = false;
}

/* The client has its turn, between pieces of a reply. */
static void turn(void);

/* In pieces; between them the client reads. */
static void
say(const void *data, size_t len)
{
    const uint8_t *p = data;
    size_t n;

    while (len > 0 && s.peer >= 0) {
        n = s.cut ? 1 + (s.cut + len) % 29 : len;
        n = n < len ? n : len;
        if (send(s.peer, p, n, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t) n) {
            hang_up();
            return;
        }
        p += n;
        len -= n;
        if (s.cut) {
            turn();
        }
    }
}

static void
say_text(const char *text)
{
    say(text, strlen(text));
}

static bool
is(const wba_str_t *argv, const char *word)
{
    return wba_str_eq(*argv, wba_str_z(word));
}

/* What one queued command comes to, at EXEC. */
static void
execute(const wba_str_t *argv, unsigned argc, char *out, size_t size)
{
    const char *key;
    unsigned i;

    (void) snprintf(out, size, "+OK\r\n");
    if (is(&argv[0], "GET")) {
        (void) snprintf(out, size, s.has_marker ? "$%zu\r\n%s\r\n" : "$-1\r\n",
                        strlen(s.marker), s.marker);
        return;
    }
    CHECK(is(&argv[0], "SET") && argc >= 3);
    CHECK(argv[1].len > 4 && memcmp(argv[1].data, "wba:", 4) == 0);
    key = (const char *) argv[1].data + 4;
    if (argv[1].len == 9 && memcmp(key, "epoch", 5) == 0) {
        (void) snprintf(s.marker, sizeof(s.marker), "%.*s", (int) argv[2].len,
                        (const char *) argv[2].data);
        s.has_marker = true;
        return;
    }
    if (argc != 6) {
        return; /* the probe */
    }
    CHECK(argv[1].len == 4 + 64 && is(&argv[3], "NX") && is(&argv[4], "PX"));
    if (s.full) {
        (void) snprintf(out, size, "-OOM command not allowed\r\n");
        return;
    }
    for (i = 0; i < s.nkeys; i++) {
        if (memcmp(s.keys[i], key, 64) == 0) {
            (void) snprintf(out, size, "$-1\r\n");
            return;
        }
    }
    CHECK(s.nkeys < COUNT(s.keys));
    memcpy(s.keys[s.nkeys++], key, 64);
}

static void
command(const wba_str_t *argv, unsigned argc)
{
    char text[5000], one[400];
    size_t used;

    if (s.multi && !is(&argv[0], "EXEC")) {
        used = strlen(s.results);
        /* Run at once: nobody comes between. */
        if (!s.watched_changed) {
            execute(argv, argc, one, sizeof(one));
            CHECK(used + strlen(one) < sizeof(s.results));
            memcpy(s.results + used, one, strlen(one) + 1);
        }
        s.queued++;
        say_text("+QUEUED\r\n");
    } else if (is(&argv[0], "AUTH")) {
        say_text(s.password ? "+OK\r\n" : "-WRONGPASS no\r\n");
    } else if (is(&argv[0], "INFO")) {
        (void) snprintf(one, sizeof(one),
                        "# Server\r\nrun_id:%s\r\n"
                        "maxmemory_policy:%s\r\n",
                        s.run, s.evicts ? "allkeys-lru" : "noeviction");
        (void) snprintf(text, sizeof(text), "$%zu\r\n%s\r\n", strlen(one),
                        one);
        say_text(text);
    } else if (is(&argv[0], "MULTI")) {
        s.multi = true;
        s.queued = 0;
        s.results[0] = '\0';
        say_text("+OK\r\n");
    } else if (is(&argv[0], "EXEC")) {
        s.multi = false;
        (void) snprintf(text, sizeof(text), "*%u\r\n%s", s.queued, s.results);
        say_text(s.watched_changed ? "*-1\r\n" : text);
        s.watched_changed = false;
    } else if (is(&argv[0], "GET") || is(&argv[0], "SET")) {
        execute(argv, argc, one, sizeof(one));
        say_text(one);
    } else {
        if (is(&argv[0], "WATCH")) {
            s.watched_changed = false;
        }
        say_text("+OK\r\n");
    }
}

/* A number behind mark and before CRLF; false: it is not there yet. */
static bool
take_number(size_t *at, uint8_t mark, size_t *n)
{
    const uint8_t *lf = memchr(s.in + *at, '\n', s.len - *at);

    if (lf == NULL) {
        return false;
    }
    CHECK(s.in[*at] == mark);
    *n = strtoul((const char *) s.in + *at + 1, NULL, 10);
    *at = (size_t) (lf - s.in) + 1;
    return true;
}

/* One command that has come whole. */
static bool
one_command(void)
{
    wba_str_t argv[8];
    uint8_t copy[2048];
    size_t at = 0, argc, i, n, start = 0;

    if (s.len == 0 || !take_number(&at, '*', &argc)) {
        return false;
    }
    CHECK(argc >= 1 && argc <= COUNT(argv));
    start = at;
    for (i = 0; i < argc; i++) {
        if (at >= s.len || !take_number(&at, '$', &n) || s.len - at < n + 2) {
            return false;
        }
        argv[i] = wba_str((const uint8_t *) (at - start), n);
        at += n + 2;
    }
    CHECK(at - start <= sizeof(copy));
    memcpy(copy, s.in + start, at - start);
    for (i = 0; i < argc; i++) {
        argv[i].data = copy + (size_t) (uintptr_t) argv[i].data;
    }
    s.len -= at;
    memmove(s.in, s.in + at, s.len);
    command(argv, (unsigned) argc);
    return true;
}

static void
server_reads(void)
{
    ssize_t n;

    if (s.peer < 0) {
        s.peer = accept(s.listener, NULL, NULL);
        CHECK(s.peer < 0 || fcntl(s.peer, F_SETFL, O_NONBLOCK) == 0);
    }
    if (s.peer < 0) {
        return;
    }
    n = read(s.peer, s.in + s.len, sizeof(s.in) - s.len);
    if (n == 0) {
        hang_up();
    } else if (n > 0) {
        s.len += (size_t) n;
        CHECK(s.len < sizeof(s.in));
    }
}

#endif
