# SPDX-License-Identifier: BSD-2-Clause
"""web_bot_auth_nonce_store redis://...: nonces shared by several nginxes, and
what becomes of requests when Redis does not do its part."""

import concurrent.futures
import socket
import threading
import time

import pytest

from harness import ports
from harness.agents import BROWSER
from harness.client import fetch
from harness.expect import expect, seen
from harness.nginx import wait_for
from harness.redis import Redis
from harness.signer import Request

CONF = """
%%GLOBALS%%
worker_processes %%WORKERS%%;
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_zone 1m;
    web_bot_auth_nonce_store %%STORE%%;
    web_bot_auth_clock_skew 0;
    web_bot_auth on;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        server_name shop.test;
        location / { %%OK%% }
        location /plain { web_bot_auth off; %%OK%% }
    }
}
"""


@pytest.fixture
def redis():
    server = Redis()
    yield server
    server.remove()


@pytest.fixture
def start(serve):
    started = []

    def run(store, workers=1):
        nginx = serve(CONF, STORE=store, WORKERS=workers)
        started.append(nginx)
        return nginx

    yield run
    for nginx in started:
        nginx.stop()
        serve.all.remove(nginx)


def ask(nginx, request=None, **over):
    return fetch(nginx.port(), request or BROWSER.request(**over))


def becomes(nginx, reason, seconds=10):
    """Asks with new requests until the reason is given; the request."""
    def answer():
        request = BROWSER.request()
        return request if seen(ask(nginx, request))[0] == reason else None
    return wait_for("the reason " + reason, answer, seconds)


def quick(nginx):
    """Whoever has nothing to do with Redis is served at once."""
    since = time.monotonic()
    assert fetch(nginx.port(), Request(target="/plain")).status == 200
    assert time.monotonic() - since < 0.5


# As it should be

@pytest.mark.parametrize("how", ["tcp", "unix", "name", "db"])
def test_recorded_once(start, redis, how):
    url = {"tcp": redis.url(), "db": redis.url(db=3),
           "name": "redis://localhost:%d" % redis.port,
           "unix": "unix:%s" % redis.path}[how]
    nginx = start(url)
    request = becomes(nginx, "ok")
    expect(ask(nginx, request), "nonce-replayed")
    keys = redis.command("KEYS", "wba:*", db=3 if how == "db" else 0)
    assert "wba:epoch" in keys and len(keys) >= 2
    key = [k for k in keys if k != "wba:epoch"][0]
    assert len(key) == 4 + 64 and request.raw().find(key.encode()) == -1
    assert 0 < redis.command("PTTL", key, db=3 if how == "db" else 0) \
        <= 1000 * (8 * 60 + 300)


def test_two_nginxes_share_it(start, redis):
    one, two = start(redis.url()), start(redis.url())
    for a, b in (one, two), (two, one):
        request = becomes(a, "ok")
        expect(ask(b, request), "nonce-replayed")
        expect(ask(a, request), "nonce-replayed")


def test_the_same_request_to_both_at_once(start, redis):
    """Thousands of times: exactly one is accepted each time."""
    shops = [start(redis.url(), 2), start(redis.url(), 2)]
    for nginx in shops:
        becomes(nginx, "ok")
    requests = [BROWSER.request() for _ in range(2000)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = [[pool.submit(ask, nginx, request) for nginx in shops]
                   for request in requests]
        for pair in answers:
            assert sorted(seen(f.result())[0] for f in pair) \
                == ["nonce-replayed", "ok"]


def test_a_known_replay_costs_no_round_trip(start, redis):
    nginx = start(redis.url())
    request = becomes(nginx, "ok")

    def commands():
        info = redis.command("INFO", "stats")
        return int(info.split("total_commands_processed:")[1].split()[0])

    before = commands()
    for _ in range(10):
        expect(ask(nginx, request), "nonce-replayed")
    assert commands() - before <= 2     # our own INFOs


def test_an_empty_store_is_cold(start, redis):
    """Signed before the store's epoch: it may have been used."""
    early = BROWSER.request()
    time.sleep(1.1)
    nginx = start(redis.url())
    becomes(nginx, "ok")
    expect(ask(nginx, early), "nonce-store-cold")
    other = start(redis.url() + " cold=accept prefix=other:")
    wait_for("redis", lambda: seen(ask(other))[0] == "ok")
    expect(ask(other, early), "ok")


def test_users_and_passwords(start, redis, tmp_path):
    redis.command("ACL", "SETUSER", "shop", "on", ">s3:cr/et", "~*", "+@all")
    redis.command("CONFIG", "SET", "requirepass", "other")
    redis.password = "other"
    secret = tmp_path / "password"
    secret.write_text("other\n")
    for store in (redis.url("shop:s3%3Acr%2Fet"), redis.url(":other"),
                  redis.url() + " password_file=%s" % secret):
        nginx = start(store)
        request = becomes(nginx, "ok")
        expect(ask(nginx, request), "nonce-replayed")


# As it should not be

def log_says(nginx, *words):
    wait_for("the log to say %s" % (words,),
             lambda: all(w in nginx.error_log for w in words))


@pytest.mark.parametrize("user", ["", ":wrong", "nobody:wrong"])
def test_a_wrong_password(start, redis, user):
    redis.command("CONFIG", "SET", "requirepass", "right")
    nginx = start(redis.url(user))
    expect(ask(nginx), "nonce-store-unavailable")
    log_says(nginx, "[error]")
    assert "wrong" not in nginx.error_log.replace("wrong password", "")
    quick(nginx)
    redis.password = "right"
    redis.command("CONFIG", "SET", "requirepass", "")
    redis.password = None
    if not user:
        becomes(nginx, "ok")


def test_nobody_listens_then_somebody_does(start, redis):
    redis.stop()
    nginx = start(redis.url())
    since = time.monotonic()
    expect(ask(nginx), "nonce-store-unavailable")
    assert time.monotonic() - since < 1
    log_says(nginx, "[warn]", "Redis")
    quick(nginx)
    redis.start()
    request = becomes(nginx, "ok")
    expect(ask(nginx, request), "nonce-replayed")
    log_says(nginx, "[notice]")


def test_stopped_and_started_again(start, redis):
    """Empty, and another run: what was signed before is cold, and what was
    used is not accepted again."""
    nginx = start(redis.url())
    used = becomes(nginx, "ok")
    redis.stop()
    becomes(nginx, "nonce-store-unavailable")
    redis.start()
    request = becomes(nginx, "ok")
    assert seen(ask(nginx, used))[0] in ("nonce-replayed", "nonce-store-cold")
    other = start(redis.url())
    becomes(other, "ok")
    assert seen(ask(other, used))[0] == "nonce-store-cold"
    expect(ask(other, request), "nonce-replayed")


def test_flushed(start, redis):
    one, two = start(redis.url()), start(redis.url())
    becomes(two, "ok")
    used = becomes(one, "ok")
    redis.command("FLUSHALL")
    assert seen(ask(two, used))[0] in ("nonce-store-cold",
                                       "nonce-store-unavailable")
    becomes(two, "ok")
    assert seen(ask(two, used))[0] == "nonce-store-cold"


def test_paused(start, redis):
    nginx = start(redis.url() + " timeout=200ms")
    becomes(nginx, "ok")
    redis.pause()
    for _ in range(3):
        since = time.monotonic()
        expect(ask(nginx), "nonce-store-unavailable")
        assert time.monotonic() - since < 1.5
        quick(nginx)
    redis.go_on()
    becomes(nginx, "ok")


def test_many_wait_while_it_is_paused(start, redis):
    nginx = start(redis.url() + " timeout=1s", 2)
    becomes(nginx, "ok")
    redis.pause()
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        answers = [pool.submit(ask, nginx) for _ in range(40)]
        time.sleep(0.3)
        quick(nginx)
        redis.go_on()
        reasons = {seen(f.result())[0] for f in answers}
    assert reasons == {"ok"}


def test_clients_that_give_up(start, redis):
    nginx = start(redis.url() + " timeout=1s")
    becomes(nginx, "ok")
    redis.pause()
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", nginx.port())) as s:
            s.sendall(BROWSER.request().raw())
            time.sleep(0.005)
    redis.go_on()
    becomes(nginx, "ok")


def test_full(start, redis):
    nginx = start(redis.url())
    becomes(nginx, "ok")
    redis.command("CONFIG", "SET", "maxmemory", "1")
    becomes(nginx, "nonce-store-full")
    log_says(nginx, "[crit]", "maxmemory")
    becomes(nginx, "nonce-store-full")
    assert nginx.error_log.count("the nonce store is full") == 1
    quick(nginx)
    redis.command("CONFIG", "SET", "maxmemory", "0")
    becomes(nginx, "ok")


def test_an_evicting_policy_is_an_error(start):
    redis = Redis("--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru")
    try:
        nginx = start(redis.url())
        becomes(nginx, "ok")
        log_says(nginx, "[error]", "allkeys-lru")
    finally:
        redis.remove()


class Garbage:
    """Answers whatever it is asked with the same bytes."""

    def __init__(self, data):
        self.data = data
        self.listener = socket.create_server(("127.0.0.1", ports.free()))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                c, _ = self.listener.accept()
                threading.Thread(target=self.talk, args=(c,),
                                 daemon=True).start()
            except OSError:
                return

    def talk(self, c):
        try:
            while c.recv(65536):
                c.sendall(self.data)
        except OSError:
            pass
        c.close()


@pytest.mark.parametrize("data", [
    b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 1000, b"+OK\r\n" * 3,
    b"*100000\r\n", b"$5\r\n", b"$-1\r\n", b":1\r\n",
    b"*1\r\n" * 50, b"$9999999\r\n" + b"x" * 100000, b"-LOADING busy\r\n",
    b"-ERR no\r\n"])
def test_garbage(start, data):
    server = Garbage(data)
    nginx = start("redis://127.0.0.1:%d" % server.port)
    for _ in range(3):
        expect(ask(nginx), "nonce-store-unavailable")
        quick(nginx)
    server.listener.close()


# on_error=local

def test_local_stands_in(start, redis):
    """Down: the table of this nginx; up again: Redis learns what it missed."""
    one = start(redis.url() + " on_error=local")
    becomes(one, "ok")
    redis.stop()
    wait_for("the loss to be noticed", lambda: "[warn]" in one.error_log)
    accepted = [becomes(one, "ok") for _ in range(5)]
    for request in accepted:
        expect(ask(one, request), "nonce-replayed")
    redis.start()
    wait_for("redis to be used again",
             lambda: (redis.command("DBSIZE") or 0) >= 6)
    two = start(redis.url() + " cold=accept")
    becomes(two, "ok")
    for request in accepted:
        expect(ask(two, request), "nonce-replayed")


def test_local_under_pauses(start, redis):
    nginx = start(redis.url() + " on_error=local timeout=100ms")
    becomes(nginx, "ok")
    redis.pause()
    accepted = [becomes(nginx, "ok") for _ in range(3)]
    for request in accepted:
        expect(ask(nginx, request), "nonce-replayed")
    redis.go_on()
    for request in accepted:
        expect(ask(nginx, request), "nonce-replayed")


# Life

def test_reload_and_killed_workers(start, redis):
    nginx = start(redis.url(), 2)
    used = becomes(nginx, "ok")
    nginx.reload(wait_old=True)
    expect(ask(nginx, used), "nonce-replayed")
    for pid in nginx.workers():
        nginx.kill_worker(pid)
    wait_for("new workers", lambda: len(nginx.workers()) == 2)
    request = becomes(nginx, "ok")
    expect(ask(nginx, used), "nonce-replayed")
    expect(ask(nginx, request), "nonce-replayed")


def test_reload_while_requests_wait(start, redis):
    nginx = start(redis.url() + " timeout=5s")
    becomes(nginx, "ok")
    redis.pause()
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(ask, nginx) for _ in range(5)]
        time.sleep(0.2)
        nginx.reload()
        redis.go_on()
        assert {seen(f.result())[0] for f in answers} == {"ok"}


def test_from_shared_to_redis_and_back(start, redis):
    nginx = start("shared")
    used = [becomes(nginx, "ok")]
    for store in redis.url(), "shared", redis.url():
        nginx.values["STORE"] = store
        nginx.configure(CONF)
        nginx.reload(wait_old=True)
        used.append(becomes(nginx, "ok"))
        for request in used:
            assert seen(ask(nginx, request))[0] in ("nonce-replayed",
                                                    "nonce-store-cold")


# Configuration

@pytest.mark.parametrize("store, word", [
    ("rediss://127.0.0.1", "TLS"), ("redis://", "HOST"),
    ("redis://h:99999", "port"), ("redis://127.0.0.1/x", "database"),
    ("redis://no.such.host.invalid", "no.such.host.invalid"),
    ("unix:", "unix"), ("memcached://h", "shared"),
    ("redis://127.0.0.1 timeout=0", "timeout"),
    ("redis://127.0.0.1 timeout=2m", "timeout"),
    ("redis://127.0.0.1 on_error=ignore", "on_error"),
    ("redis://127.0.0.1 prefix=" + "x" * 65, "64 bytes"),
    ("redis://127.0.0.1 password_file=/no/such", "/no/such"),
    ("redis://127.0.0.1 password_file=/dev/null", "first line"),
    ("shared timeout=1s", "cold=accept"), ("shared on_error=local", "cold")])
def test_wrong(serve, store, word):
    nginx = serve.make(CONF, STORE=store, WORKERS=1)
    nginx.expect(r"nginx\.conf:")
    passed, output = nginx.test()
    assert not passed and word in output and "nginx.conf:" in output, output


def test_a_password_is_not_printed(serve):
    nginx = serve.make(CONF, STORE="redis://u:hunter2@h:x", WORKERS=1)
    nginx.expect(r"nginx\.conf:")
    passed, output = nginx.test()
    assert not passed and "hunter2" not in output
