/* SPDX-License-Identifier: BSD-2-Clause */
/* The Redis client and a real server: what is fresh, seen and cold, and how
 * trouble with the server shows and ends. */
#include "redis_fixture.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

/* --- when all is well */

static void
test_fresh_seen(void **state)
{
    client_t *c = client_ready(0);
    wba_redis_stats_t stats = stats_of(c);

    (void) state;
    assert_int_equal(stats.connects, 1);
    assert_true(stats.epoch == START);
    assert_int_equal(strlen(stats.run_id), 40);
    assert_string_equal(stats.policy, "noeviction");
    assert_false(stats.evicts);

    assert_int_equal(ask(c, "nonce-1"), WBA_STORE_FRESH);
    assert_int_equal(ask(c, "nonce-1"), WBA_STORE_SEEN);
    assert_int_equal(ask(c, "nonce-2"), WBA_STORE_FRESH);
    assert_int_equal(ask(c, ""), WBA_STORE_FRESH);
    assert_int_equal(ask(c, ""), WBA_STORE_SEEN);
    thumbprint[31] ^= 1; /* another key */
    assert_int_equal(ask(c, "nonce-1"), WBA_STORE_FRESH);
    thumbprint[31] ^= 1;
    stats = stats_of(c);
    assert_int_equal(stats.records, 6);
    assert_int_equal(stats.timeouts, 0);
    assert_int_equal(c->changes, 1);
}

/* SHA-256 of 32 octets 0 and "nonce-1". */
static void
hex_of_nonce_1(char hex[65])
{
    uint8_t text[39] = { 0 }, hash[32];

    memcpy(text + 32, "nonce-1", 7);
    crypto_hash_sha256(hash, text, sizeof(text));
    sodium_bin2hex(hex, 65, hash, sizeof(hash));
}

/* The key is what every machine computes; it dies when the nonce may. */
static void
test_key(void **state)
{
    char hex[65];
    client_t *c = client_ready(0);
    wba_nonce_t nonce = nonce_of("nonce-1");

    (void) state;
    hex_of_nonce_1(hex);
    assert_int_equal(ask(c, "nonce-1"), WBA_STORE_FRESH);
    assert_int_equal(number("EXISTS wba:%s", hex), 1);
    assert_in_range(number("PTTL wba:%s", hex), 295000, 300000);
    assert_int_equal(number("TTL wba:epoch"), -1);

    nonce.until = wall_now - 5; /* over, but told all the same */
    nonce.nonce = WBA_STR("nonce-2");
    assert_int_equal(ask_all(c, &nonce, 1), WBA_STORE_FRESH);
    nonce.until = INT64_MAX;
    nonce.nonce = WBA_STR("nonce-3");
    assert_int_equal(ask_all(c, &nonce, 1), WBA_STORE_FRESH);
}

static void
test_several(void **state)
{
    client_t *c = client_ready(0);
    wba_nonce_t n[WBA_MAX_SIGNATURES + 1];
    char text[WBA_MAX_SIGNATURES + 1][16];
    record_t r;
    size_t i;

    (void) state;
    for (i = 0; i <= WBA_MAX_SIGNATURES; i++) {
        snprintf(text[i], sizeof(text[i]), "nonce-%zu", i);
        n[i] = nonce_of(text[i]);
    }
    assert_int_equal(ask_all(c, n, 3), WBA_STORE_FRESH);
    assert_int_equal(ask_all(c, n + 2, 3), WBA_STORE_SEEN);
    assert_int_equal(ask_all(c, n, WBA_MAX_SIGNATURES), WBA_STORE_SEEN);
    command("FLUSHALL");
    assert_int_equal(ask_all(c, n, WBA_MAX_SIGNATURES), WBA_STORE_COLD);
    UNTIL(c->usable);
    wall_now += 60;
    n[0] = n[1] = nonce_of("nonce-twice"); /* equal ones count once */
    assert_int_equal(ask_all(c, n, 2), WBA_STORE_FRESH);
    assert_int_equal(ask_all(c, n, 2), WBA_STORE_SEEN);

    assert_null(start(c, &r, n, 0));
    assert_null(start(c, &r, n, WBA_MAX_SIGNATURES + 1));
}

/* Two clients, the same nonces at the same time: each is fresh once. */
static void
test_race(void **state)
{
    enum { N = 3000 };
    static record_t r[2][N];
    static char text[N][16];
    client_t *c[2] = { client_ready(0), client_ready(1) };
    unsigned i, k, answered = 0, fresh;
    wba_nonce_t nonce[2];

    (void) state;
    for (i = 0; i < N; i++) {
        snprintf(text[i], sizeof(text[i]), "nonce-%u", i);
        nonce[0] = nonce_of(text[i]);
        nonce[1] = nonce_of(text[i]);
        nonce[1].nonce = wba_str_z(text[i / 2]); /* pairs overlap */
        for (k = 0; k < 2; k++) {
            assert_non_null(start(c[k], &r[k][i], nonce, 1));
        }
        if (i % 7 == 0) {
            turn(0);
        }
    }
    UNTIL(stats_of(c[0]).records == N && stats_of(c[1]).records == N);
    for (i = 0; i < N; i++) {
        fresh = 0;
        for (k = 0; k < 2; k++) {
            answered += r[k][i].answers;
            fresh += r[k][i].answer == WBA_STORE_FRESH;
            assert_in_range(r[k][i].answer, WBA_STORE_FRESH, WBA_STORE_SEEN);
        }
        assert_int_equal(fresh, 1);
    }
    assert_int_equal(answered, 2 * N);
    assert_int_equal(c[0]->changes + c[1]->changes, 2);
}

static void
test_max_waiting(void **state)
{
    client_t *c = client_at(0, server.path);
    wba_nonce_t nonce;
    record_t r[4];

    (void) state;
    c->options.max_waiting = 2;
    client_start(c);
    nonce = nonce_of("nonce-1");
    assert_non_null(start(c, &r[0], &nonce, 1));
    assert_non_null(start(c, &r[1], &nonce, 1));
    assert_null(start(c, &r[2], &nonce, 1)); /* though it is but held */
    UNTIL(r[0].answers && r[1].answers);
    nonce = nonce_of("nonce-2");
    assert_non_null(start(c, &r[0], &nonce, 1));
    nonce.created = 0; /* cold, and as much a record */
    assert_non_null(start(c, &r[1], &nonce, 1));
    assert_null(start(c, &r[2], &nonce, 1));
    UNTIL(r[0].answers && r[1].answers);
    assert_int_equal(r[1].answer, WBA_STORE_COLD);
    assert_non_null(start(c, &r[2], &nonce, 1));
    UNTIL(r[2].answers);
}

/* What is asked before the connection stands waits for it. */
static void
test_held(void **state)
{
    client_t *c = client_at(0, server.path);
    wba_nonce_t n[4] = { nonce_of("nonce-1"), nonce_of("nonce-2"),
                         nonce_of("nonce-3"), nonce_of("nonce-4") };
    wba_redis_ticket_t *gone;
    record_t r[6];
    unsigned i;

    (void) state;
    client_start(c);
    n[3].created = START + 5; /* of two, one cold: the epoch is not known yet */
    assert_non_null(start(c, &r[0], &n[0], 1));
    assert_non_null(start(c, &r[1], &n[0], 1));
    assert_non_null(start(c, &r[2], &n[1], 2));
    assert_non_null(start(c, &r[3], &n[2], 2));
    gone = start(c, &r[4], &n[3], 1);
    assert_non_null(gone);
    wba_redis_forget(gone);
    UNTIL(r[0].answers && r[1].answers && r[2].answers && r[3].answers);
    assert_int_equal(r[0].answer, WBA_STORE_FRESH);
    assert_int_equal(r[1].answer, WBA_STORE_SEEN);
    assert_int_equal(r[2].answer, WBA_STORE_FRESH);
    assert_int_equal(r[3].answer, WBA_STORE_COLD);
    assert_int_equal(r[4].answers, 0);
    assert_int_equal(ask(c, "nonce-3"), WBA_STORE_SEEN);

    /* A connection that was good is replaced. */
    command("CLIENT KILL TYPE normal SKIPME yes");
    UNTIL(!c->usable);
    n[0] = nonce_of("nonce-5");
    assert_non_null(start(c, &r[0], &n[0], 1));
    assert_non_null(start(c, &r[1], &n[0], 1));
    UNTIL(r[0].answers && r[1].answers);
    assert_int_equal(r[0].answer, WBA_STORE_FRESH);
    assert_int_equal(r[1].answer, WBA_STORE_SEEN);
    for (i = 0; i < 2; i++) {
        assert_int_equal(r[i].answers, 1);
    }

    /* It is gone for good: they are told at the first failure, and then
     * nothing is held any more. */
    client_stop(c);
    c = client_ready(0);
    server_stop(SIGKILL);
    UNTIL(!c->usable);
    n[0] = nonce_of("nonce-6");
    assert_non_null(start(c, &r[0], &n[0], 1));
    UNTIL(r[0].answers);
    assert_int_equal(r[0].answer, WBA_STORE_UNAVAILABLE);
    assert_null(start(c, &r[0], &n[0], 1));
    server_start(NULL, NULL);
    UNTIL(c->usable);
    assert_int_equal(ask(c, "nonce-7"), WBA_STORE_FRESH);
}

/* Held for no longer than a record's time; and a client that ends. */
static void
test_held_in_vain(void **state)
{
    static const char *const silent[] = { "", "", NULL };
    client_t *c;
    wba_nonce_t nonce = nonce_of("nonce-1");
    record_t r[2];
    uint64_t t;

    (void) state;
    fake_open(silent);
    c = client_at(0, fake.path);
    c->options.timeout_ms = 60;
    client_start(c);
    t = clock_ms();
    assert_non_null(start(c, &r[0], &nonce, 1));
    UNTIL(r[0].answers);
    assert_in_range(clock_ms() - t, 60, 200);
    assert_int_equal(r[0].answer, WBA_STORE_UNAVAILABLE);
    client_stop(c);

    c = client_at(0, fake.path);
    client_start(c);
    assert_non_null(start(c, &r[1], &nonce, 1));
    client_stop(c);
    assert_int_equal(r[1].answers, 0);
    fake_close();
}

static int
option_of(int fd, int level, int name)
{
    int value = 0;
    socklen_t len = sizeof(value);

    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static void
test_tcp(void **state)
{
    static const char *const addresses[] = { "127.0.0.1", "::1" };
    client_t *c;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(addresses); i++) {
        c = client_at(0, NULL);
        c->options.address = addresses[i];
        c->options.port = (uint16_t) server.port;
        c->options.db = 3;
        client_start(c);
        UNTIL(c->usable);
        assert_int_equal(ask(c, "nonce-1"),
                         i == 0 ? WBA_STORE_FRESH : WBA_STORE_SEEN);
        assert_int_not_equal(option_of(c->fd, IPPROTO_TCP, TCP_NODELAY), 0);
        assert_int_not_equal(option_of(c->fd, SOL_SOCKET, SO_KEEPALIVE), 0);
        client_stop(c);
    }
    command("SELECT 3");
    assert_int_equal(number("EXISTS wba:epoch"), 1);
    command("SELECT 0");
    assert_int_equal(number("EXISTS wba:epoch"), 0);
}

/* A name would block. */
static void
test_not_an_address(void **state)
{
    client_t *c = client_at(0, NULL);

    (void) state;
    c->options.address = "localhost";
    c->options.port = (uint16_t) server.port;
    client_start(c);
    pass(200);
    assert_int_equal(c->reports, 1);
    assert_non_null(strstr(c->told, "E redis localhost port"));
    client_stop(c);
    c = client_at(0, NULL);
    client_start(c);
    pass(50);
    assert_int_equal(c->reports, 1);
}

/* --- what the store does not know */

static void
test_cold(void **state)
{
    client_t *c = client_ready(0);
    wba_nonce_t n[2] = { nonce_of("nonce-1"), nonce_of("nonce-2") };

    (void) state;
    n[0].created = START + 5; /* the skew of all tests */
    assert_int_equal(ask_all(c, n, 1), WBA_STORE_COLD);
    n[0].created = START - 1;
    assert_int_equal(ask_all(c, n, 2), WBA_STORE_COLD);
    n[0].created = INT64_MIN;
    assert_int_equal(ask_all(c, n, 1), WBA_STORE_COLD);
    assert_int_equal(number("DBSIZE"), 1); /* the marker */
    n[0].created = START + 6;
    assert_int_equal(ask_all(c, n, 2), WBA_STORE_FRESH);
    assert_int_equal(c->changes, 1);

    wall_now += 100; /* a client that comes later knows as much */
    assert_true(stats_of(client_ready(1)).epoch == START);
    assert_null(strstr(clients[1].told, "W redis"));
}

static void
test_flush(void **state)
{
    client_t *a = client_ready(0), *b = client_ready(1);
    wba_nonce_t old = nonce_of("nonce-1");

    (void) state;
    assert_int_equal(ask(a, "nonce-1"), WBA_STORE_FRESH);
    wall_now += 100;
    command("FLUSHALL");
    assert_int_equal(ask_all(a, &old, 1), WBA_STORE_COLD);
    UNTIL(a->usable);
    assert_int_equal(a->changes, 3);
    assert_true(stats_of(a).epoch == START + 100);
    assert_int_equal(stats_of(a).connects, 1);
    assert_non_null(strstr(a->told, "W redis unix:"));
    assert_int_equal(ask_all(a, &old, 1), WBA_STORE_COLD);
    assert_int_equal(ask(a, "nonce-2"), WBA_STORE_FRESH);

    wall_now += 100; /* b learns it from its next record */
    assert_int_equal(ask(b, "nonce-2"), WBA_STORE_COLD);
    UNTIL(b->usable);
    assert_true(stats_of(b).epoch == START + 100);
    assert_int_equal(ask(b, "nonce-3"), WBA_STORE_FRESH);
    assert_int_equal(ask(a, "nonce-3"), WBA_STORE_SEEN);
    assert_int_equal(a->changes, 3);
}

/* Flushed again and again under load: nothing from before is fresh after. */
static void
test_flush_under_load(void **state)
{
    enum { N = 200 };
    static record_t r[2][N];
    static wba_nonce_t nonces[N];
    static char text[N][16];
    unsigned round, i, k;

    (void) state;
    client_ready(0);
    client_ready(1);
    for (round = 0; round < 20; round++) {
        for (i = 0; i < N; i++) {
            if (i % 50 == 25) {
                turn(0);
            }
            if (i == 100) {
                command("FLUSHALL");
                wall_now += 20;
            }
            snprintf(text[i], sizeof(text[i]), "nonce-%u", i % 100);
            nonces[i] = nonce_of(text[i]);
            if (i >= 100) {
                nonces[i].created = nonces[i - 100].created;
            }
            for (k = 0; k < 2; k++) {
                memset(&r[k][i], 0, sizeof(r[k][i]));
                start(&clients[k], &r[k][i], &nonces[i], 1);
            }
        }
        pass(2);
        UNTIL(clients[0].usable && clients[1].usable);
        for (i = 0; i < 100; i++) {
            unsigned fresh = 0;

            for (k = 0; k < 2; k++) {
                fresh += r[k][i].answers
                         && r[k][i].answer == WBA_STORE_FRESH;
                fresh += r[k][i + 100].answers
                         && r[k][i + 100].answer == WBA_STORE_FRESH;
            }
            assert_in_range(fresh, 0, 1);
        }
        command("FLUSHALL");
        wall_now += 100;
        while (!clients[0].usable || !clients[1].usable
               || stats_of(&clients[0]).epoch != wall_now
               || stats_of(&clients[1]).epoch != wall_now)
        {
            for (k = 0; k < 2; k++) {
                if (clients[k].usable) {
                    ask(&clients[k], "nonce-x");
                }
            }
            turn(clock_ms() + 10);
        }
    }
}

static void
test_restart(void **state)
{
    client_t *c = client_ready(0);
    wba_redis_stats_t before = stats_of(c), after;
    wba_nonce_t old = nonce_of("nonce-1");

    (void) state;
    assert_int_equal(ask_all(c, &old, 1), WBA_STORE_FRESH);
    server_stop(SIGKILL);
    UNTIL(!c->usable);
    assert_non_null(strstr(c->told, "W redis"));
    wall_now += 50;
    server_start(NULL, NULL);
    UNTIL(c->usable);
    after = stats_of(c);
    assert_string_not_equal(before.run_id, after.run_id);
    assert_true(after.epoch == START + 50);
    assert_int_equal(after.connects, 2);
    assert_int_equal(ask_all(c, &old, 1), WBA_STORE_COLD);
    assert_int_equal(ask(c, "nonce-1"), WBA_STORE_FRESH);
}

/* The data survived, but a run that ended may have ended before it was saved:
 * the marker is of another run. */
static void
test_restart_with_data(void **state)
{
    client_t *c = client_ready(0);
    wba_nonce_t old = nonce_of("nonce-1");
    char marker[96];

    (void) state;
    snprintf(marker, sizeof(marker),
             "0123456789abcdef0123456789abcdef01234567:%d", 1600000000);
    assert_int_equal(ask_all(c, &old, 1), WBA_STORE_FRESH);
    wall_now += 50;
    command("SET wba:epoch %s", marker);
    assert_int_equal(ask(c, "nonce-2"), WBA_STORE_COLD);
    UNTIL(c->usable);
    assert_true(stats_of(c).epoch == START + 50);
}

/* Somebody else's key under our name, and markers that are none. */
static void
test_foreign_marker(void **state)
{
    client_t *c = client_ready(0);

    (void) state;
    wall_now += 10;
    command("SET wba:epoch x");
    assert_int_equal(ask(c, "nonce-1"), WBA_STORE_COLD);
    UNTIL(c->usable && stats_of(c).epoch == START + 10);
    wall_now += 10;
    command("DEL wba:epoch");
    command("LPUSH wba:epoch x");
    assert_int_equal(ask(c, "nonce-1"), WBA_STORE_COLD);
    UNTIL(c->usable && stats_of(c).epoch == START + 20);
    wall_now += 10;
    command("SET wba:epoch %s:%s", stats_of(c).run_id, "99999999999999999");
    assert_int_equal(ask(c, "nonce-1"), WBA_STORE_COLD);
    UNTIL(c->usable && stats_of(c).epoch == START + 30);
    assert_int_equal(ask(c, "nonce-2"), WBA_STORE_FRESH);

    /* Within the run it never goes back, whatever our clock says. */
    command("SET wba:epoch %s:%s", stats_of(c).run_id, "1700001000");
    assert_int_equal(ask(c, "nonce-3"), WBA_STORE_COLD);
    UNTIL(c->usable && stats_of(c).epoch == 1700001000);
    assert_non_null(strstr(c->told, "E redis"));
    assert_int_equal(ask(c, "nonce-3"), WBA_STORE_COLD);
    c = client_at(1, server.path); /* wants a new one */
    c->options.max_backlog = 0;
    client_start(c);
    remember(c, "nonce-4");
    UNTIL(c->usable);
    assert_true(stats_of(c).epoch == 1700001000);
}

/* Many at once find an empty store: one marker comes of it. */
static void
test_marker_race(void **state)
{
    unsigned i, round;
    client_t *c;

    (void) state;
    for (round = 0; round < 50; round++) {
        command("FLUSHALL");
        wall_now += 10;
        for (i = 0; i < CLIENTS; i++) {
            c = client_at(i, server.path);
            c->wall_off = (i + round) % CLIENTS; /* clocks differ */
            client_start(c);
        }
        UNTIL(clients[0].usable && clients[1].usable && clients[2].usable
              && clients[3].usable);
        for (i = 0; i < CLIENTS; i++) {
            assert_true(stats_of(&clients[i]).epoch
                        == stats_of(&clients[0]).epoch);
            assert_int_equal(clients[i].changes, 1);
        }
        for (i = 0; i < CLIENTS; i++) {
            client_stop(&clients[i]);
        }
    }
}

/* --- slow and gone */

static void
test_paused(void **state)
{
    client_t *c = client_at(0, server.path);
    wba_nonce_t nonce[5];
    record_t r[5];
    uint64_t t;
    size_t i;

    (void) state;
    c->options.timeout_ms = 60;
    client_start(c);
    UNTIL(c->usable);
    kill(server.pid, SIGSTOP);
    t = clock_ms();
    for (i = 0; i < COUNT(r); i++) {
        nonce[i] = nonce_of(&"nonce-1234567"[i]);
        assert_non_null(start(c, &r[i], &nonce[i], 1));
    }
    UNTIL(r[4].answers);
    assert_in_range(clock_ms() - t, 60, 200);
    for (i = 0; i < COUNT(r); i++) {
        assert_int_equal(r[i].answers, 1);
        assert_int_equal(r[i].answer, WBA_STORE_UNAVAILABLE);
    }
    /* Those that were begun later may be given up with the connection. */
    assert_in_range(stats_of(c).timeouts, 1, 5);
    UNTIL(!c->usable);
    pass(300); /* connects, and hears nothing: told once */
    assert_false(c->usable);
    assert_int_equal(c->reports, 3); /* new epoch, connected, slow */
    kill(server.pid, SIGCONT);
    UNTIL(c->usable);
    assert_int_equal(c->reports, 4);
    assert_int_equal(ask(c, "nonce-5"), WBA_STORE_FRESH);
    for (i = 0; i < COUNT(r); i++) {
        assert_int_equal(r[i].answers, 1);
    }
}

/* One late reply is swallowed, and those behind it find their records. */
static void
test_late(void **state)
{
    client_t *c = client_at(0, server.path);
    wba_nonce_t a = nonce_of("nonce-1"), b = nonce_of("nonce-2");
    record_t ra, rb;

    (void) state;
    c->options.timeout_ms = 100;
    client_start(c);
    UNTIL(c->usable);
    kill(server.pid, SIGSTOP);
    assert_non_null(start(c, &ra, &a, 1));
    UNTIL(ra.answers);
    assert_int_equal(ra.answer, WBA_STORE_UNAVAILABLE);
    assert_true(c->usable);
    assert_non_null(start(c, &rb, &b, 1));
    kill(server.pid, SIGCONT);
    UNTIL(rb.answers);
    assert_int_equal(rb.answer, WBA_STORE_FRESH);
    assert_int_equal(ask_all(c, &a, 1), WBA_STORE_SEEN); /* it had arrived */
    assert_int_equal(stats_of(c).connects, 1);
    assert_int_equal(ra.answers + rb.answers, 2);
}

/* One record, and no reply at all: five times its time is enough. */
static void
test_overdue(void **state)
{
    client_t *c = client_at(0, server.path);
    wba_nonce_t nonce = nonce_of("nonce-1");
    record_t r;
    uint64_t t;

    (void) state;
    c->options.timeout_ms = 40;
    client_start(c);
    UNTIL(c->usable);
    kill(server.pid, SIGSTOP);
    t = clock_ms();
    assert_non_null(start(c, &r, &nonce, 1));
    UNTIL(!c->usable);
    assert_in_range(clock_ms() - t, 200, 400);
    kill(server.pid, SIGCONT);
    UNTIL(c->usable);
    assert_int_equal(r.answers, 1);
}

static void
test_nothing_listens(void **state)
{
    client_t *c = client_at(0, server.path);

    (void) state;
    server_stop(SIGKILL);
    client_start(c);
    pass(300);
    assert_int_equal(c->reports, 1);
    assert_non_null(strstr(c->told, "W redis unix:"));
    assert_non_null(strstr(c->told, "cannot be connected"));
    server_start(NULL, NULL);
    UNTIL(c->usable);
    assert_int_equal(ask(c, "nonce-1"), WBA_STORE_FRESH);

    client_stop(c);
    c = client_at(0, NULL); /* a port, refused */
    c->options.address = "127.0.0.1";
    c->options.port = (uint16_t) free_port();
    client_start(c);
    pass(100);
    assert_non_null(strstr(c->told, "refused"));
}

/* The first attempts come quickly. */
static void
test_quick_retry(void **state)
{
    client_t *c = client_ready(0);
    uint64_t t;

    (void) state;
    command("CLIENT KILL TYPE normal SKIPME yes");
    UNTIL(!c->usable);
    t = clock_ms();
    UNTIL(c->usable);
    assert_in_range(clock_ms() - t, 20, 100);
    assert_int_equal(stats_of(c).connects, 2);
    assert_true(stats_of(c).epoch == START); /* the same run: still warm */
}

/* --- refused */

static void
test_password(void **state)
{
    client_t *c;

    (void) state;
    command("CONFIG SET requirepass s3cret-right");
    c = client_at(0, server.path);
    client_start(c); /* none */
    UNTIL(c->reports);
    assert_non_null(strstr(c->told, "E redis"));
    assert_non_null(strstr(c->told, "password"));
    client_stop(c);

    c = client_at(0, server.path);
    c->options.password = "s3cret-wrong";
    client_start(c);
    pass(200);
    assert_int_equal(c->reports, 1);
    assert_non_null(strstr(c->told, "password"));
    assert_false(c->usable);
    command("CONFIG SET requirepass s3cret-wrong"); /* it is right now */
    UNTIL(c->usable);
    assert_int_equal(ask(c, "nonce-1"), WBA_STORE_FRESH);
    client_stop(c);

    command("ACL SETUSER agent on >s3cret-agent ~wba:* +@all");
    c = client_at(0, server.path);
    c->options.user = "agent";
    c->options.password = "s3cret-agent";
    client_start(c);
    UNTIL(c->usable);
    assert_int_equal(ask(c, "nonce-1"), WBA_STORE_SEEN);
    command("ACL DELUSER agent");
    UNTIL(!c->usable);
    UNTIL(strstr(c->told, "password") != NULL);
    client_stop(c);

    command("CONFIG SET requirepass %s", "");
    command("CONFIG RESETSTAT");
    c = client_at(0, server.path); /* wanted by nobody */
    c->options.password = "s3cret-vain";
    client_start(c);
    UNTIL(c->reports);
    assert_non_null(strstr(c->told, "password"));
}

static void
test_no_permission(void **state)
{
    client_t *c = client_at(0, server.path);

    (void) state;
    command("ACL SETUSER agent on >s3cret-agent ~wba:* +@all -info");
    c->options.user = "agent";
    c->options.password = "s3cret-agent";
    client_start(c);
    UNTIL(c->usable); /* does without */
    assert_string_equal(stats_of(c).run_id, "unknown");
    assert_int_equal(ask(c, "nonce-1"), WBA_STORE_FRESH);
    command("ACL SETUSER agent -set");
    assert_int_equal(ask(c, "nonce-2"), WBA_STORE_UNAVAILABLE);
    assert_false(c->usable);
    pass(200);
    assert_false(c->usable); /* shown by the probe */
    assert_non_null(strstr(c->told, "E redis"));
    command("ACL SETUSER agent +set");
    UNTIL(c->usable);
    command("ACL DELUSER agent");
}

static void
test_no_such_db(void **state)
{
    client_t *c = client_at(0, server.path);

    (void) state;
    c->options.db = 500;
    client_start(c);
    pass(200);
    assert_int_equal(c->reports, 1);
    assert_non_null(strstr(c->told, "E redis"));
    assert_non_null(strstr(c->told, "database"));
}

#define INFOS "$-1\r\n$-1\r\n"
#define HELLO INFOS2 "+OK\r\n$-1\r\n"
#define INFOS2 "$10\r\nrun_id:abc\r\n$1\r\nx\r\n"
#define COMMIT "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n"

/* A refusal whose words nobody knows is about what was asked for. */
static void
test_refused_in_other_words(void **state)
{
    static const char *const script[] = { "-ERR so\r\n" HELLO, NULL };
    client_t *c;

    (void) state;
    fake_open(script);
    c = client_at(0, fake.path);
    c->options.db = 3;
    client_start(c);
    UNTIL(c->reports);
    assert_non_null(strstr(c->told, "no such database"));
    client_stop(c);
    c = client_at(0, fake.path);
    c->options.password = "s3cret";
    client_start(c);
    UNTIL(c->reports);
    assert_non_null(strstr(c->told, "password"));
}

/* A marker that others change each time that we are about to write ours. */
static void
test_contended(void **state)
{
    enum { TRIES = 64 };
    static const char *script[2 * TRIES + 2] = { HELLO };
    client_t *c;
    size_t i;

    (void) state;
    for (i = 1; i <= 2 * TRIES; i += 2) {
        script[i] = "+OK\r\n+QUEUED\r\n*-1\r\n";
        script[i + 1] = "+OK\r\n$-1\r\n";
    }
    fake_open(script);
    c = client_at(0, fake.path);
    client_start(c);
    UNTIL(c->reports);
    assert_non_null(strstr(c->told, "again and again"));
    assert_false(c->usable);
}

/* Failures are forgotten once a connection has stood for a while. */
static void
test_steady(void **state)
{
    static const char *const script[] = { HELLO, COMMIT, "", NULL };
    static const char *const dead[] = { NULL };
    unsigned long pauses[2];
    client_t *c;
    unsigned i;

    (void) state;
    for (i = 0; i < 2; i++) {
        fake_open(dead);
        c = client_at(0, fake.path);
        client_start(c);
        UNTIL(fake.accepted >= 4);
        fake.script = script;
        UNTIL(c->usable);
        clock_ahead += i * 6000;
        fake_close();
        UNTIL(!c->usable);
        pauses[i] = (unsigned long) (c->due - clock_ms());
        client_stop(c);
        clock_ahead = 0;
    }
    assert_true(pauses[0] > 2 * pauses[1]);
}

/* One nonce twice in a request is one, for as long as the later wants. */
static void
test_twice_in_a_set(void **state)
{
    client_t *c = client_ready(0);
    wba_nonce_t nonces[2] = { nonce_of("nonce-1"), nonce_of("nonce-1") };
    char hex[65];
    size_t i;

    (void) state;
    hex_of_nonce_1(hex);
    for (i = 0; i < 2; i++) {
        command("DEL wba:%s", hex);
        nonces[0] = nonces[1] = nonce_of("nonce-1");
        nonces[i].until += 1000;
        assert_int_equal(ask_all(c, nonces, 2), WBA_STORE_FRESH);
        assert_int_equal(number("DBSIZE"), 2); /* the marker is one */
        assert_in_range(number("PTTL wba:%s", hex), 1295000, 1300000);
    }
}

static void
test_full(void **state)
{
    client_t *c = client_ready(0);

    (void) state;
    command("CONFIG SET maxmemory 1");
    assert_int_equal(ask(c, "nonce-1"), WBA_STORE_FULL);
    assert_int_equal(ask(c, "nonce-2"), WBA_STORE_FULL);
    assert_true(c->usable);
    assert_non_null(strstr(c->told, "E redis"));
    assert_int_equal(c->reports, 3); /* new epoch, connected, full */
    client_ready(1); /* connects although it is full */
    command("FLUSHALL"); /* does not help; and the marker is gone */
    assert_int_equal(ask(c, "nonce-1"), WBA_STORE_FULL);
    assert_true(c->usable);
    command("CONFIG SET maxmemory 0");
    assert_int_equal(ask(c, "nonce-1"), WBA_STORE_COLD);
    UNTIL(c->usable);
    assert_int_equal(ask(c, "nonce-2"), WBA_STORE_FRESH);
}

/* Full before the marker could be written: not usable. */
static void
test_full_and_new(void **state)
{
    client_t *c = client_at(0, server.path);

    (void) state;
    command("CONFIG SET maxmemory 1");
    client_start(c);
    pass(200);
    assert_false(c->usable);
    assert_int_equal(c->reports, 1);
    command("CONFIG SET maxmemory 0");
    UNTIL(c->usable);
}

static void
test_evicts(void **state)
{
    client_t *c;

    (void) state;
    command("CONFIG SET maxmemory-policy volatile-ttl");
    c = client_ready(0);
    assert_non_null(strstr(c->told, "E redis"));
    assert_non_null(strstr(c->told, "volatile-ttl"));
    assert_true(stats_of(c).evicts);
    assert_int_equal(ask(c, "nonce-1"), WBA_STORE_FRESH);
    assert_int_equal(c->reports, 3);
    command("CLIENT KILL TYPE normal SKIPME yes"); /* told once */
    UNTIL(!c->usable);
    UNTIL(c->usable);
    assert_int_equal(c->reports, 5); /* lost, connected */
    command("CONFIG SET maxmemory-policy noeviction");
}

static void
test_replica(void **state)
{
    client_t *c = client_ready(0);

    (void) state;
    command("REPLICAOF 127.0.0.1 1");
    assert_int_equal(ask(c, "nonce-1"), WBA_STORE_UNAVAILABLE);
    pass(200);
    assert_false(c->usable);
    assert_non_null(strstr(c->told, "E redis"));
    assert_int_equal(c->reports, 3); /* new epoch, connected, replica */
    command("REPLICAOF NO ONE");
    UNTIL(c->usable);
}

/* --- requests that are gone, nonces that wait */

static void
test_forget(void **state)
{
    client_t *c = client_ready(0);
    wba_redis_ticket_t *tickets[20];
    wba_nonce_t nonce;
    record_t *r[20];
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(r); i++) {
        r[i] = malloc(sizeof(*r[i]));
        assert_non_null(r[i]);
        nonce = nonce_of(&"nonce-12345678901234567890"[i]);
        if (i % 5 == 4) {
            nonce.created = 0; /* answered without asking */
        }
        tickets[i] = start(c, r[i], &nonce, 1);
        assert_non_null(tickets[i]);
    }
    for (i = 0; i < COUNT(r); i += 2) {
        wba_redis_forget(tickets[i]);
        free(r[i]);
    }
    wba_redis_forget(NULL);
    UNTIL(r[19]->answers && r[17]->answers);
    for (i = 1; i < COUNT(r); i += 2) {
        assert_int_equal(r[i]->answers, 1);
        free(r[i]);
    }

    nonce = nonce_of("nonce-x"); /* gone, and the server too */
    r[0] = malloc(sizeof(*r[0]));
    tickets[0] = start(c, r[0], &nonce, 1);
    wba_redis_forget(tickets[0]);
    free(r[0]);
    command("CLIENT KILL TYPE normal SKIPME yes");
    UNTIL(!c->usable);
}

static void
test_free_while_waiting(void **state)
{
    client_t *c = client_ready(0);
    wba_nonce_t nonce = nonce_of("nonce-1");
    record_t r[3];

    (void) state;
    assert_non_null(start(c, &r[0], &nonce, 1));
    turn(0); /* sent */
    assert_non_null(start(c, &r[1], &nonce, 1));
    nonce.created = 0;
    assert_non_null(start(c, &r[2], &nonce, 1));
    quiet = true;
    client_stop(c);
    quiet = false;
    wba_redis_free(NULL);

    c = client_at(0, server.path); /* at each step of connecting */
    client_start(c);
    client_stop(c);
    client_start(c);
    turn(0);
    client_stop(c);
    client_start(c);
    turn(0);
    turn(0);
    remember(c, "nonce-1");
    client_stop(c);
}

typedef struct {
    record_t r;
    unsigned left;
} again_t;

/* Records again from within its answer, and lets the other go. */
static wba_redis_ticket_t *other;

static void
on_again(void *ctx, wba_store_answer_t answer)
{
    again_t *a = ctx;
    wba_nonce_t nonce = nonce_of("nonce-again");

    a->r.answers++;
    a->r.answer = answer;
    wba_redis_forget(other);
    other = NULL;
    if (a->left-- > 1) {
        nonce.created = a->left % 2 ? 0 : nonce.created;
        assert_non_null(wba_redis_record(a->r.client->redis, &nonce, 1, 5,
                                         on_again, a));
        wba_redis_remember(a->r.client->redis, &nonce, 1);
    }
}

static void
test_again(void **state)
{
    client_t *c = client_ready(0);
    wba_nonce_t nonce = nonce_of("nonce-1");
    again_t a = { { .client = c }, 9 };
    record_t r;

    (void) state;
    assert_non_null(
        wba_redis_record(c->redis, &nonce, 1, 5, on_again, &a));
    other = start(c, &r, &nonce, 1);
    UNTIL(a.r.answers == 9);
    assert_int_equal(r.answers, 0);
    assert_int_equal(ask(c, "nonce-again"), WBA_STORE_SEEN);
}

/* Accepted while the server was away; it knows them before it is asked. */
static void
test_backlog(void **state)
{
    enum { N = 900 };
    static char text[N][16];
    client_t *c = client_ready(0);
    unsigned i;

    (void) state;
    command("CLIENT KILL TYPE normal SKIPME yes");
    UNTIL(!c->usable);
    for (i = 0; i < N; i++) {
        snprintf(text[i], sizeof(text[i]), "nonce-%u", i);
        remember(c, text[i]);
    }
    UNTIL(c->usable);
    for (i = 0; i < N; i += 50) {
        assert_int_equal(ask(c, text[i]), WBA_STORE_SEEN);
    }
    assert_int_equal(ask(c, text[N - 1]), WBA_STORE_SEEN);
    assert_int_equal(ask(c, "nonce-x"), WBA_STORE_FRESH);
    assert_true(stats_of(c).epoch == START);

    remember(c, "nonce-y"); /* while it is usable: sent at once */
    assert_int_equal(ask(c, "nonce-y"), WBA_STORE_SEEN);
    assert_true(c->usable);
}

static void
test_backlog_is_over(void **state)
{
    client_t *c = client_at(0, server.path);

    (void) state;
    client_start(c);
    remember(c, "nonce-1");
    wall_now += 200;
    remember(c, "nonce-2");
    wall_now += 200; /* the first is over */
    UNTIL(c->usable);
    assert_int_equal(number("DBSIZE"), 2); /* marker, nonce-2 */
}

static void
test_backlog_overflow(void **state)
{
    client_t *c = client_at(0, server.path), *b;

    (void) state;
    c->options.max_backlog = 2;
    client_start(c);
    UNTIL(c->usable);
    b = client_ready(1);
    command("CLIENT KILL TYPE normal SKIPME yes");
    UNTIL(!c->usable);
    remember(c, "nonce-1");
    remember(c, "nonce-2");
    UNTIL(c->usable && b->usable);
    assert_true(stats_of(c).epoch == START); /* two fit */

    command("CLIENT KILL TYPE normal SKIPME yes");
    UNTIL(!c->usable);
    remember(c, "nonce-3");
    remember(c, "nonce-4");
    remember(c, "nonce-5");
    wall_now += 30;
    UNTIL(c->usable && b->usable);
    assert_true(stats_of(c).epoch == START + 30);
    if (stats_of(b).epoch == START) { /* it came back first */
        assert_int_equal(ask(b, "nonce-6"), WBA_STORE_COLD);
        UNTIL(b->usable);
    }
    assert_true(stats_of(b).epoch == START + 30);

    wall_now += 30; /* while it is usable */
    remember(c, "nonce-7");
    remember(c, "nonce-8");
    remember(c, "nonce-9");
    assert_false(wba_redis_usable(c->redis));
    UNTIL(!c->usable);
    UNTIL(c->usable);
    assert_true(stats_of(c).epoch == START + 60);
    wall_now += 30;
    assert_int_equal(ask(c, "nonce-a"), WBA_STORE_FRESH);

    client_stop(c); /* no backlog at all */
    c = client_at(0, server.path);
    c->options.max_backlog = 0;
    client_start(c);
    remember(c, "nonce-b");
    wall_now += 30;
    UNTIL(c->usable);
    assert_true(stats_of(c).epoch == wall_now);
}

/* The connection breaks at any point of a long backlog: none is lost. */
static void
test_backlog_interrupted(void **state)
{
    enum { N = 5000 };
    static char text[N][16];
    client_t *c = client_at(0, server.path);
    unsigned i, round;

    (void) state;
    c->options.max_backlog = N;
    client_start(c);
    UNTIL(c->usable);
    for (round = 0; round < 5; round++) {
        wall_now += 100;
        command("CLIENT KILL TYPE normal SKIPME yes");
        UNTIL(!c->usable);
        for (i = 0; i < N; i++) {
            snprintf(text[i], sizeof(text[i]), "nonce-%u-%u", round, i);
            remember(c, text[i]);
        }
        UNTIL(number("DBSIZE") > 3 + N * (round > 0 ? round : 0)
              || c->usable);
        command("CLIENT KILL TYPE normal SKIPME yes");
        UNTIL(c->fd == -1);
        UNTIL(c->usable);
        for (i = 0; i < N; i += 499) {
            assert_int_equal(ask(c, text[i]), WBA_STORE_SEEN);
        }
    }
}

/* The system takes less than there is to send, or nothing at all. */
static void
test_written_in_pieces(void **state)
{
    enum { N = 200 };
    static char text[N][16];
    static record_t r[N];
    client_t *c = client_at(0, server.path);
    int least = 1;
    wba_nonce_t nonce;
    unsigned i;

    (void) state;
    c->options.max_waiting = N;
    client_start(c);
    UNTIL(c->usable);
    assert_int_equal(setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &least,
                                sizeof(least)), 0);
    for (i = 0; i < N; i++) {
        snprintf(text[i], sizeof(text[i]), "piece-%u", i);
        nonce = nonce_of(text[i]);
        assert_non_null(start(c, &r[i], &nonce, 1));
    }
    for (i = 0; i < N; i++) {
        UNTIL(r[i].answers);
        assert_int_equal(r[i].answer, WBA_STORE_FRESH);
    }
    for (i = 0; i < N; i += 7) {
        assert_int_equal(ask(c, text[i]), WBA_STORE_SEEN);
    }
}

/* The loop has no room for the descriptor. */
static void
test_not_watched(void **state)
{
    client_t *c = client_at(0, server.path);
    wba_nonce_t nonce = nonce_of("nonce-1");
    record_t r;

    (void) state;
    c->refuse_watch = true;
    client_start(c);
    pass(200);
    assert_int_equal(c->reports, 1);
    assert_non_null(strstr(c->told, "E redis"));
    c->refuse_watch = false;
    UNTIL(c->usable);
    c->refuse_watch = true; /* now that it wants to write */
    assert_null(start(c, &r, &nonce, 1));
    UNTIL(!c->usable);
    c->refuse_watch = false;
    UNTIL(c->usable);
    assert_int_equal(ask_all(c, &nonce, 1), WBA_STORE_FRESH);
    assert_int_equal(r.answers, 0);
}

/* Events and timers that nobody waits for. */
static void
test_stale_events(void **state)
{
    client_t *c = client_ready(0);
    int fd = c->fd;

    (void) state;
    wba_redis_on_fd(c->redis, fd + 1, WBA_FETCH_READ);
    wba_redis_on_timer(c->redis);
    wba_redis_on_timer(c->redis);
    wba_redis_on_fd(c->redis, fd, WBA_FETCH_WRITE); /* nothing to write */
    assert_int_equal(ask(c, "nonce-1"), WBA_STORE_FRESH);
    wba_redis_on_fd(c->redis, c->fd, WBA_FETCH_READ); /* nothing there */
    assert_int_equal(ask(c, "nonce-1"), WBA_STORE_SEEN);
    command("CLIENT KILL TYPE normal SKIPME yes");
    UNTIL(!c->usable);
    wba_redis_on_fd(c->redis, fd, WBA_FETCH_READ | WBA_FETCH_FAILED);
    UNTIL(c->usable);
}

/* --- not Redis at all */

#define LONG32 "0123456789abcdef0123456789abcdef"
#define LONG64 LONG32 LONG32
#define LONG512 LONG64 LONG64 LONG64 LONG64 LONG64 LONG64 LONG64 LONG64
#define LONG4K LONG512 LONG512 LONG512 LONG512 LONG512 LONG512 LONG512 LONG512

static const struct {
    const char *script[4];
    const char *told; /* some of it */
    bool usable;      /* and then, at a record: */
} strange[] = {
    { { NULL }, "W redis", false },
    { { "HTTP/1.1 400 Bad Request\r\n\r\n" }, "as Redis does", false },
    { { "\xff\xfe\x01" }, "as Redis does", false },
    { { "+OK\r\n" }, "as Redis does", false },
    { { "-ERR max number of clients reached\r\n", NULL }, "many clients",
      false },
    { { "-DENIED Redis is running in protected mode\r\n", NULL },
      "protected", false },
    { { "-NOAUTH s3cret\r\n", NULL }, "password", false },
    { { INFOS "+OK\r\n$-1\r\n" }, "as Redis does", false },
    { { INFOS2 "-ERR so\r\n$-1\r\n" }, "refuses a command", false },
    { { INFOS2 "+OK\r\n-ERR so\r\n" }, "refuses a command", false },
    { { INFOS2 "+OK\r\n-WRONG\r\n" }, "refuses a command", false },
    { { INFOS2 "+OK\r\n-WRONGPASS it\r\n" }, "password", false },
    { { HELLO "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n+OK\r\n" }, "more than",
      false },
    { { HELLO "+OK\r\n+OK\r\n+OK\r\n+OK\r\n" }, "as Redis does", false },
    { { "*2147483647\r\n" }, "more than", false },
    { { "*1000000\r\n:1\r\n" }, "more than", false },
    { { "*99999999999999999999\r\n" }, "as Redis does", false },
    { { "*-5\r\n" }, "as Redis does", false },
    { { "*1\r\n*1\r\n*1\r\n" }, "more than", false },
    { { "$2147483647\r\n", "*!" LONG4K }, "in time", false },
    { { "$-9\r\n" }, "as Redis does", false },
    { { "*!" LONG4K }, "as Redis does", false },
    { { "*!" }, "in time", false },
    { { HELLO, "-READONLY x\r\n" }, "in time", false },
    { { HELLO, "-READONLY x\r\n-READONLY x\r\n-EXECABORT x\r\n" },
      "replica", false },
    { { HELLO, COMMIT, "*!" }, "in time", true },
    { { HELLO, COMMIT, NULL }, "lost", true },
    { { HELLO, COMMIT "+OK\r\n" }, "more than", false },
    { { HELLO, COMMIT, "-LOADING x\r\n-LOADING\r\n-LOADING\r\n"
                       "-EXECABORT\r\n" },
      "loading", true },
    { { HELLO, COMMIT, "+OK\r\n+QUEUED\r\n+QUEUED\r\n*-1\r\n" },
      "as Redis does", true },
    { { HELLO, COMMIT, "+OK\r\n+QUEUED\r\n+QUEUED\r\n*1\r\n+OK\r\n" },
      "as Redis does", true },
    { { HELLO, COMMIT, "+OK\r\n+QUEUED\r\n+QUEUED\r\n:7\r\n:8\r\n" },
      "as Redis does", true },
};

static void
meet(size_t i)
{
    client_t *c = client_at(0, fake.path);
    wba_nonce_t nonce;
    record_t r;

    fake_open(strange[i].script);
    wall_now = START;
    c->options.timeout_ms = 60;
    client_start(c);
    if (strange[i].usable) {
        UNTIL(c->usable);
        wall_now += 20;
        nonce = nonce_of("nonce-1");
        assert_non_null(start(c, &r, &nonce, 1));
        UNTIL(r.answers);
        assert_int_equal(r.answer, WBA_STORE_UNAVAILABLE);
        UNTIL(!c->usable);
    }
    UNTIL(strstr(c->told, strange[i].told) != NULL);
    UNTIL(fake.accepted >= 2); /* it tries again */
    client_stop(c);
    fake_close();
}

static void
test_strange(void **state)
{
    size_t i;

    (void) state;
    snprintf(fake.path, sizeof(fake.path), "%s/fake.sock", server.folder);
    for (i = 0; i < COUNT(strange); i++) {
        if (getenv("REDIS_TELL") != NULL) {
            fprintf(stderr, "  %zu: %.40s\n", i, strange[i].script[0]);
        }
        meet(i);
    }
}

/* A reply without end. */
static void
test_flood(void **state)
{
    static char text[100000];
    static const char *const script[] = { text, NULL };
    client_t *c;

    (void) state;
    memset(text, 'x', sizeof(text) - 1);
    memcpy(text, "$2147483647\r\n", 13);
    fake_open(script);
    c = client_at(0, fake.path);
    client_start(c);
    UNTIL(c->reports);
    assert_non_null(strstr(c->told, "more than"));
    client_stop(c);
    memcpy(text, "$40000\r\n", 8); /* longer than any that we want */
    memcpy(text + 8 + 40000, "\r\n", 3);
    client_start(client_at(0, fake.path));
    UNTIL(c->reports);
    assert_non_null(strstr(c->told, "more than"));
}

static void
test_long_prefix(void **state)
{
    client_t *c = client_at(0, server.path);
    char prefix[66];

    (void) state;
    memset(prefix, 'p', sizeof(prefix));
    prefix[65] = '\0';
    c->options.prefix = prefix;
    assert_null(wba_redis_new(&c->options, &hooks, c));
    prefix[64] = '\0';
    client_start(c);
    UNTIL(c->usable);
    assert_int_equal(ask(c, "nonce-1"), WBA_STORE_FRESH);
    assert_int_equal(ask(c, "nonce-1"), WBA_STORE_SEEN);
    client_stop(c);
    c->options.prefix = "";
    client_start(c);
    UNTIL(c->usable);
    assert_int_equal(ask(c, "nonce-1"), WBA_STORE_FRESH);
}

/* Whatever bytes it sends, at whatever point. */
static void
test_noise(void **state)
{
    static const char bytes[] = "+-:$*\r\n019OKQUED\xff";
    static char text[3][300];
    const char *script[] = { text[0], text[1], text[2], NULL };
    unsigned round, i, k, n;
    wba_nonce_t nonce;
    client_t *c;
    record_t r;

    (void) state;
    for (round = 0; round < 300; round++) {
        snprintf(text[0], sizeof(text[0]), "%s", HELLO);
        snprintf(text[1], sizeof(text[1]), "%s", COMMIT);
        k = round % 3;
        n = k == 2 ? 0 : (unsigned) rand() % (unsigned) strlen(text[k]);
        for (i = n; i < n + 1 + (unsigned) rand() % 40; i++) {
            text[k][i] = bytes[(unsigned) rand() % (sizeof(bytes) - 1)];
        }
        text[k][i] = '\0';
        if (k < 2) {
            snprintf(text[2], sizeof(text[2]), "+OK\r\n");
        }
        fake_open(script);
        c = client_at(0, fake.path);
        c->options.timeout_ms = 15;
        wall_now = START;
        client_start(c);
        UNTIL(c->usable || fake.accepted > 1);
        wall_now += 20;
        if (c->usable) {
            nonce = nonce_of("nonce-1");
            if (start(c, &r, &nonce, 1) != NULL) {
                UNTIL(r.answers);
                assert_int_not_equal(r.answer, WBA_STORE_FRESH);
            }
        }
        client_stop(c);
        fake_close();
    }
}

/* A server that tells no run id: each connection begins a new epoch. */
static void
test_nameless(void **state)
{
    static const char *const script[] = {
        "-ERR unknown command\r\n$1\r\nx\r\n+OK\r\n"
        "$18\r\nunknown:1600000000\r\n",
        COMMIT,
        "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n"
        "$18\r\nunknown:1700000900\r\n+OK\r\n",
        "+OK\r\n$18\r\nunknown:1700000900\r\n", /* another client's */
        COMMIT,
        NULL,
    };
    client_t *c;

    (void) state;
    fake_open(script);
    c = client_at(0, fake.path);
    client_start(c);
    UNTIL(c->usable);
    assert_string_equal(stats_of(c).run_id, "unknown");
    assert_true(stats_of(c).epoch == START);
    assert_int_equal(ask(c, "nonce-1"), WBA_STORE_COLD);
    UNTIL(c->usable);
    assert_true(stats_of(c).epoch == 1700000900);
}

/* REDIS_BENCH=1: records a second, pipelined. */
static void
test_speed(void **state)
{
    enum { N = 200000, DEPTH = 256 };
    static record_t r[DEPTH];
    static char text[DEPTH][24];
    client_t *c;
    wba_nonce_t nonce;
    uint64_t t, i;

    (void) state;
    if (getenv("REDIS_BENCH") == NULL) {
        return;
    }
    c = client_ready(0);
    memset(r, 0, sizeof(r));
    t = clock_ms();
    for (i = 0; i < N; i++) {
        unsigned k = i % DEPTH;

        if (i >= DEPTH) {
            UNTIL(r[k].answers);
            assert_int_equal(r[k].answer, WBA_STORE_FRESH);
        }
        snprintf(text[k], sizeof(text[k]), "nonce-%u", (unsigned) i);
        nonce = nonce_of(text[k]);
        assert_non_null(start(c, &r[k], &nonce, 1));
    }
    UNTIL(stats_of(c).records == N);
    t = clock_ms() - t;
    printf("%u records in %u ms: %u a second\n", (unsigned) N, (unsigned) t,
           (unsigned) (N * UINT64_C(1000) / t));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_fresh_seen),
        TEST(test_key),
        TEST(test_several),
        TEST(test_race),
        TEST(test_max_waiting),
        TEST(test_held),
        TEST(test_held_in_vain),
        TEST(test_tcp),
        TEST(test_not_an_address),
        TEST(test_cold),
        TEST(test_flush),
        TEST(test_flush_under_load),
        TEST(test_restart),
        TEST(test_restart_with_data),
        TEST(test_foreign_marker),
        TEST(test_marker_race),
        TEST(test_paused),
        TEST(test_late),
        TEST(test_overdue),
        TEST(test_nothing_listens),
        TEST(test_quick_retry),
        TEST(test_password),
        TEST(test_no_permission),
        TEST(test_no_such_db),
        TEST(test_refused_in_other_words),
        TEST(test_contended),
        TEST(test_steady),
        TEST(test_twice_in_a_set),
        TEST(test_full),
        TEST(test_full_and_new),
        TEST(test_evicts),
        TEST(test_replica),
        TEST(test_forget),
        TEST(test_free_while_waiting),
        TEST(test_again),
        TEST(test_backlog),
        TEST(test_backlog_is_over),
        TEST(test_backlog_overflow),
        TEST(test_backlog_interrupted),
        TEST(test_written_in_pieces),
        TEST(test_not_watched),
        TEST(test_stale_events),
        TEST(test_strange),
        TEST(test_flood),
        TEST(test_long_prefix),
        TEST(test_noise),
        TEST(test_nameless),
        TEST(test_speed),
    };

    if (!server_installed()) {
        printf("skipped: redis-server is not installed\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
