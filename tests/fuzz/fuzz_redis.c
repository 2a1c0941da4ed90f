/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Redis client over a socket, with a clock of ours, against a server that
 * is honest, or says whatever the input wants: every record is answered once;
 * the loop's rules are kept; nothing secret is told; and as long as the server
 * is honest, however often it is flushed, lost and slow, no nonce is accepted
 * twice.
 *
 * Input: settings, then events: an octet that says what, and its arguments.
 */
#include <poll.h>
#include <signal.h>

#include "redis_server.h"
#include "wba_redis.h"

#define IDS 16
#define TICKETS 64
#define PASSWORD "s3cret"

/* --- the world */

static struct {
    wba_redis_t *redis;
    wba_redis_options_t options;
    uint64_t ms;
    int64_t wall;
    int fd; /* watched, or -1 */
    unsigned events;
    uint64_t due;
    bool usable;
    bool honest;
    bool refuse_watch;
    bool calling; /* inside the client */
} w;

/* A nonce by its number, and whether it was accepted. */
static struct {
    uint8_t text[8];
    int64_t created;
    bool made;
    bool accepted;
} ids[IDS];

typedef struct {
    wba_redis_ticket_t *ticket;
    unsigned id[3];
    unsigned n;
    bool waiting;
    bool remember; /* when it is not answered in time */
} record_t;

static record_t records[TICKETS];
static unsigned nrecords;

/* --- the loop */

static bool
on_watch(void *loop, int fd, unsigned events, void **slot)
{
    (void) loop;
    CHECK(fd >= 0 && fcntl(fd, F_GETFD) >= 0);
    if (events == 0) {
        CHECK(fd == w.fd && *slot == &w);
        w.fd = -1;
        return true;
    }
    CHECK(w.fd == -1 ? *slot == NULL : fd == w.fd && *slot == &w);
    if (w.refuse_watch) {
        w.fd = -1;
        return false;
    }
    w.fd = fd;
    w.events = events;
    *slot = &w;
    return true;
}

static void
on_timer(void *loop, long ms)
{
    (void) loop;
    CHECK(ms >= -1);
    w.due = ms < 0 ? UINT64_MAX : w.ms + (uint64_t) ms;
}

static uint64_t
on_now(void *loop)
{
    (void) loop;
    return w.ms;
}

static int64_t
on_wall(void *loop)
{
    (void) loop;
    return w.wall;
}

static void
on_report(void *loop, wba_redis_severity_t severity, const char *text)
{
    size_t i;

    (void) loop;
    (void) severity;
    for (i = 0; text[i] != '\0'; i++) {
        CHECK(text[i] >= 0x20 && text[i] < 0x7f);
    }
    CHECK(i > 8 && i < 400);
    CHECK(!w.honest || strstr(text, PASSWORD) == NULL);
}

static void
on_changed(void *loop, bool usable)
{
    (void) loop;
    CHECK(w.usable == !usable && wba_redis_usable(w.redis) == usable);
    w.usable = usable;
}

static const wba_redis_hooks_t hooks = {
    on_watch, on_timer, on_now, on_wall, on_report, on_changed,
};

static void
turn(void)
{
    struct pollfd p = { .fd = w.fd };
    unsigned events = 0;

    if (w.redis == NULL) {
        return;
    }
    if (w.due <= w.ms) {
        w.due = UINT64_MAX;
        wba_redis_on_timer(w.redis);
    }
    if (w.fd < 0) {
        return;
    }
    p.fd = w.fd;
    p.events = (short) ((w.events & WBA_FETCH_READ ? POLLIN : 0)
                        | (w.events & WBA_FETCH_WRITE ? POLLOUT : 0));
    if (poll(&p, 1, 0) == 1) {
        events |= p.revents & POLLIN ? WBA_FETCH_READ : 0;
        events |= p.revents & POLLOUT ? WBA_FETCH_WRITE : 0;
        events |= p.revents & (POLLERR | POLLHUP) ? WBA_FETCH_FAILED : 0;
        wba_redis_on_fd(w.redis, w.fd, events);
    }
}

/* --- records */

static uint8_t thumbprint[WBA_THUMBPRINT_SIZE] = "a key";

static wba_nonce_t
nonce_of(unsigned id)
{
    wba_nonce_t nonce;

    if (!ids[id].made) {
        ids[id].made = true;
        ids[id].created = w.wall;
        (void) snprintf((char *) ids[id].text, sizeof(ids[id].text), "n%u",
                        id);
    }
    nonce.thumbprint = thumbprint;
    nonce.nonce = wba_str_z((const char *) ids[id].text);
    nonce.created = ids[id].created;
    nonce.until = ids[id].created + 1000000;
    return nonce;
}

static void
on_done(void *ctx, wba_store_answer_t answer)
{
    record_t *r = ctx;
    unsigned i, j;

    CHECK(r->waiting);
    r->waiting = false;
    CHECK(answer <= WBA_STORE_UNAVAILABLE);
    for (i = 0; answer == WBA_STORE_FRESH && i < r->n; i++) {
        CHECK(!w.honest || !ids[r->id[i]].accepted);
        for (j = 0; j < i && r->id[j] != r->id[i]; j++) {
        }
    }
    for (i = 0; answer == WBA_STORE_FRESH && i < r->n; i++) {
        ids[r->id[i]].accepted = true;
    }
}

static void
record(fuzz_in_t *in)
{
    record_t *r = &records[nrecords];
    wba_nonce_t nonces[3];
    unsigned i;

    if (nrecords == TICKETS) {
        return;
    }
    r->n = 1 + fuzz_below(in, 3);
    for (i = 0; i < r->n; i++) {
        r->id[i] = (fuzz_byte(in) + i * 5) % IDS;
        nonces[i] = nonce_of(r->id[i]);
    }
    r->ticket = wba_redis_record(w.redis, nonces, r->n, 5, on_done, r);
    r->waiting = r->ticket != NULL;
    nrecords += r->waiting;
}

/* Accepted without the store: by then nobody else may have accepted it, so
 * only while it is not usable, as the module does. */
static void
remember(fuzz_in_t *in)
{
    unsigned id = fuzz_below(in, IDS);
    wba_nonce_t nonce = nonce_of(id);

    if (!wba_redis_usable(w.redis)) {
        ids[id].accepted = true;
        wba_redis_remember(w.redis, &nonce, 1);
    }
}

static void
forget(fuzz_in_t *in)
{
    record_t *r;

    if (nrecords != 0) {
        r = &records[fuzz_byte(in) % nrecords];
        if (r->waiting) {
            wba_redis_forget(r->ticket);
            r->waiting = false;
        }
    }
}

/* --- events */

static void
flush(void)
{
    s.has_marker = false;
    s.nkeys = 0;
    s.watched_changed = true;
}

static void
restart(fuzz_in_t *in)
{
    hang_up();
    flush();
    memset(s.run, 'a' + fuzz_byte(in) % 6, 40);
}

static void
pass_time(unsigned ms)
{
    static unsigned rest;

    w.ms += ms;
    rest += ms;
    w.wall += rest / 1000;
    rest %= 1000;
}

static void
serve(unsigned n)
{
    while (n-- != 0) {
        turn();
        server_reads();
        while (one_command()) {
            turn();
        }
        turn();
    }
}

static void
lie(fuzz_in_t *in)
{
    wba_str_t words = fuzz_until(in, FUZZ_PART);

    w.honest = false;
    server_reads();
    s.len = 0;
    say(words.data, words.len);
    turn();
}

/* A setting of the server's, or the clock. */
static void
change(unsigned what)
{
    if (what < 4) {
        s.password = !s.password;
    } else if (what < 8) {
        s.full = !s.full;
    } else if (what < 12) {
        s.evicts = !s.evicts;
    } else { /* a clock that is set back may do what a flush cannot */
        w.wall -= 1000;
        w.honest = false;
    }
}

static void
event(fuzz_in_t *in)
{
    unsigned what = fuzz_byte(in);

    switch (what % 16) {
    case 0:
        lie(in);
        return;
    case 1:
    case 2:
    case 3:
        record(in);
        return;
    case 4:
        remember(in);
        return;
    case 5:
        forget(in);
        return;
    case 6:
        hang_up();
        turn();
        return;
    case 7:
        flush();
        return;
    case 8:
        restart(in);
        return;
    case 9:
        pass_time(fuzz_byte(in) * 50u);
        turn();
        return;
    case 10:
        pass_time(fuzz_byte(in));
        turn();
        return;
    case 11: /* somebody else writes the marker */
        s.watched_changed = true;
        return;
    case 12:
        w.refuse_watch = !w.refuse_watch;
        return;
    case 13:
        change(what / 16);
        return;
    default:
        serve(1 + what / 64);
        return;
    }
}

static void
begin(fuzz_in_t *in)
{
    unsigned flags = fuzz_byte(in);

    memset(&w, 0, sizeof(w));
    memset(ids, 0, sizeof(ids));
    memset(records, 0, sizeof(records));
    nrecords = 0;
    fuzz_seed = 1;
    s.has_marker = false;
    s.nkeys = 0;
    s.password = true;
    s.full = s.evicts = false;
    memset(s.run, 'f', 40);
    s.cut = fuzz_byte(in);
    w.ms = 1000;
    w.wall = INT64_C(1700000000);
    w.fd = -1;
    w.due = UINT64_MAX;
    w.honest = true;
    w.options.unix_path = s.path;
    w.options.prefix = "wba:";
    w.options.timeout_ms = 200;
    w.options.password = flags & 1 ? PASSWORD : NULL;
    w.options.db = flags & 2 ? 3 : 0;
    w.options.max_waiting = flags & 4 ? 2 : 64;
    w.options.max_backlog = flags & 8 ? 1 : 100;
    w.redis = wba_redis_new(&w.options, &hooks, &w);
    CHECK(w.redis != NULL);
    if (flags & 16) {
        serve(6);
    }
}

static void
end(void)
{
    unsigned i;

    /* Whatever waits is answered once its time is over. */
    for (i = 0; i < 12; i++) {
        pass_time(200);
        turn();
    }
    for (i = 0; i < nrecords; i++) {
        CHECK(!records[i].waiting);
    }
    wba_redis_free(w.redis);
    w.redis = NULL;
    CHECK(w.fd == -1);
    hang_up();
    for (;;) { /* those that nobody accepted */
        int fd = accept(s.listener, NULL, NULL);

        if (fd < 0) {
            break;
        }
        (void) close(fd);
    }
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;
    fuzz_begin();
    (void) signal(SIGPIPE, SIG_IGN);
    server_begin();
    (void) atexit(server_end);
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_in_t in = wba_str(data, size);
    unsigned n = 0;

    begin(&in);
    while (in.len != 0 && n++ < 100) {
        event(&in);
    }
    end();
    return 0;
}
