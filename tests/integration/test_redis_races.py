# SPDX-License-Identifier: BSD-2-Clause
"""Two nginxes on one Redis, each request to both at once, thousands of times,
while workers are killed, settings reloaded, and Redis is restarted, paused,
flushed, slow, cut off: none is accepted twice, and all recovers by itself.

STRESS=N makes each race N times as long."""

import random
import selectors
import socket
import threading
import time

import pytest

from harness import ports
from harness.agents import BROWSER
from harness.client import fetch
from harness.nginx import wait_for
from harness.race import (STRESS, Line, Race, check_disturbed,
                          check_undisturbed, tally)
from harness.redis import Redis
from harness.signer import Request

CONF = """
%%GLOBALS%%
worker_processes 2;
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    keepalive_requests 1000000;
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

# What a store that is restarted or does not answer is known by.
TROUBLE = ("nonce-store-cold", "nonce-store-unavailable")


@pytest.fixture
def redis():
    server = Redis()
    yield server
    server.remove()


@pytest.fixture
def start(serve):
    started = []

    def run(store, **how):
        nginx = serve(CONF, STORE=store, **how)
        started.append(nginx)
        recovers(nginx)
        return nginx

    yield run
    for nginx in started:
        nginx.stop()
        serve.all.remove(nginx)


def recovers(nginx):
    wait_for("requests to pass", lambda: fetch(
        nginx.port(), BROWSER.request()).status == 200, 15)


def settles(*shops):
    """Each worker notices by its own first record that the store is another,
    and calls that one cold; then all is as ever."""
    def undisturbed():
        answers = race(*shops).run(count=50)
        check_disturbed(answers, *TROUBLE)
        return set(tally(answers)) == {"ok", "nonce-replayed"}

    for nginx in shops:
        recovers(nginx)
    wait_for("an undisturbed race", undisturbed)


def race(*shops, copies=2):
    return Race([nginx.port() for nginx in shops], BROWSER.request, copies)


@pytest.mark.parametrize("how", ["tcp", "unix"])
def test_to_both_at_once(start, redis, how):
    url = redis.url() if how == "tcp" else "unix:%s" % redis.path
    answers = race(start(url), start(url)).run(count=int(1500 * STRESS))
    check_undisturbed(answers)


def test_workers_killed_and_settings_reloaded(start, redis):
    shops = [start(redis.url()), start(redis.url())]

    def disturb():
        nginx = random.choice(shops)
        if random.random() < 0.7:
            nginx.kill_worker(random.choice(sorted(nginx.workers())))
        else:
            nginx.reload()
        time.sleep(random.uniform(0, 0.1))

    answers = race(*shops).run(seconds=5 * STRESS, disturb=disturb)
    # A worker that has just begun may have no connection yet.
    check_disturbed(answers, *TROUBLE)
    assert tally(answers)["ok"] > 100
    settles(*shops)


def troubled(redis):
    """What befalls a Redis; each leaves it well."""
    def restart():
        redis.stop()
        time.sleep(random.uniform(0, 0.2))
        redis.start()

    def pause(seconds):
        redis.pause()
        time.sleep(seconds)
        redis.go_on()

    return {
        "restarted": restart,
        "paused shortly": lambda: pause(random.uniform(0, 0.15)),
        "paused beyond the time-out": lambda: pause(0.4),
        "flushed": lambda: redis.command("FLUSHALL"),
        "cut off": lambda: redis.command("CLIENT", "KILL", "TYPE", "normal"),
        "full": lambda: (redis.command("CONFIG", "SET", "maxmemory", "1"),
                         time.sleep(0.2),
                         redis.command("CONFIG", "SET", "maxmemory", "0")),
    }


@pytest.mark.parametrize("what", sorted(troubled(None)))
@pytest.mark.parametrize("on_error", ["reject", "local"])
def test_redis_in_trouble(start, redis, what, on_error):
    """With local, one nginx: across the fleet a hole remains, which the
    documentation names."""
    store = redis.url() + " on_error=" + on_error
    shops = [start(store) for _ in range(2 if on_error == "reject" else 1)]
    trouble, count = troubled(redis)[what], []

    def disturb():
        time.sleep(random.uniform(0.2, 0.5))
        trouble()
        count.append(1)

    answers = race(*shops, copies=4 // len(shops)).run(
        seconds=2 * STRESS, disturb=disturb, times=2)
    check_disturbed(answers, *TROUBLE, "nonce-store-full")
    assert len(count) >= 2
    total = tally(answers)
    assert total["ok"] > 0 and total["nonce-replayed"] > 0, total
    assert total[None] == 0, total
    settles(*shops)


class Slow:
    """A proxy before Redis whose answers are late by delay seconds."""

    def __init__(self, redis):
        self.redis = redis
        self.delay = 0
        self.port = ports.free()
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.ended = threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    def url(self):
        return "redis://127.0.0.1:%d" % self.port

    def accept(self):
        while not self.ended.is_set():
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,),
                             daemon=True).start()

    def serve(self, client):
        upstream = socket.create_connection(("127.0.0.1", self.redis.port))
        waiting = []            # (when, bytes) of answers
        with selectors.DefaultSelector() as selector, client, upstream:
            selector.register(client, selectors.EVENT_READ)
            selector.register(upstream, selectors.EVENT_READ)
            while not self.ended.is_set():
                for key, _ in selector.select(0.002 if waiting else 0.1):
                    try:
                        data = key.fileobj.recv(65536)
                    except OSError:
                        return
                    if not data:
                        return
                    if key.fileobj is client:
                        upstream.sendall(data)
                    else:
                        waiting.append((time.monotonic() + self.delay, data))
                while waiting and waiting[0][0] <= time.monotonic():
                    try:
                        client.sendall(waiting.pop(0)[1])
                    except OSError:
                        return

    def stop(self):
        self.ended.set()
        self.listener.close()


@pytest.fixture
def slow(redis):
    proxy = Slow(redis)
    yield proxy
    proxy.stop()


def test_slow(start, slow):
    """Answers are late, but within the time-out, many at once and in order:
    each request gets its own, and nobody else waits for them."""
    nginx = start(slow.url())
    slow.delay = 0.05
    plain, stop = [], threading.Event()

    def ask_plain():
        line = Line(nginx.port())
        while not stop.is_set():
            plain.append(fetch(nginx.port(),
                               Request(target="/plain")).status)
        line.close()

    thread = threading.Thread(target=ask_plain)
    thread.start()
    answers = race(nginx, copies=8).run(seconds=3 * STRESS)
    stop.set()
    thread.join()
    check_undisturbed(answers)
    assert set(plain) == {200}
    # Who asks Redis takes 50 ms and more, who does not takes none of that.
    assert len(plain) > 3 * len(answers)


def test_slower_than_the_time_out(start, slow):
    """Late answers belong to requests that are gone: nobody else gets them."""
    nginx = start(slow.url() + " timeout=100ms")
    delays = [0.3, 0]

    def disturb():
        slow.delay = delays[0]
        delays.reverse()
        time.sleep(0.5)

    answers = race(nginx, copies=4).run(seconds=5 * STRESS, disturb=disturb)
    slow.delay = 0
    check_disturbed(answers, *TROUBLE)
    total = tally(answers)
    assert total["nonce-store-unavailable"] > 0 and total["ok"] > 10, total
    settles(nginx)


def test_a_name_that_resolves_slowly_at_start(start, redis, names):
    """The configuration is read once its name is known; workers never ask."""
    names.host("redis.test", "127.0.0.1", delay=1500)
    since = time.monotonic()
    nginx = start("redis://redis.test:%d" % redis.port, names=names)
    assert time.monotonic() - since > 1.5
    asked = names.lookups("redis.test")
    for pid in nginx.workers():
        nginx.kill_worker(pid)
    recovers(nginx)
    check_undisturbed(race(nginx).run(count=100))
    assert names.lookups("redis.test") == asked


def test_a_name_that_does_not_resolve(serve, redis, names):
    names.host("redis.test", "-", delay=300)
    nginx = serve.make(CONF, STORE="redis://redis.test:%d" % redis.port,
                       names=names)
    nginx.expect("redis.test")
    ok, output = nginx.test()
    assert not ok and "redis.test" in output and "nginx.conf:" in output
