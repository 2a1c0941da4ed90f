# SPDX-License-Identifier: BSD-2-Clause
"""Nonces in Redis, while each allocation and each system call of a record and
of the connection fails in turn: nothing is accepted twice, and the connection
comes back by itself."""

import re
import time

import pytest

from harness.agents import BROWSER
from harness.client import fetch
from harness.expect import expect, seen
from harness.faults import CHILDREN, HEAP, SAME_PLACE
from harness.nginx import wait_for
from harness.redis import Redis
from harness.shops import becomes
from harness.signer import flip_bit
from harness.torture import Torture, verdict

CONF = """
%%GLOBALS%%
worker_processes 1;
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_zone 1m;
    web_bot_auth_clock_skew 0;
    web_bot_auth_nonce_store %%STORE%% cold=accept;
    web_bot_auth on;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test;
        location / { %%OK%% }
        location /early/ { set $early $web_bot_auth_keyid; %%OK%% }
    }
    server {
        listen 127.0.0.1:%%PORT_STATUS%%;
        web_bot_auth off;
        location / { stub_status; }
    }
}
"""


@pytest.fixture
def redis():
    server = Redis()
    yield server
    server.remove()


@pytest.fixture(params=["reject", "local"])
def shop(serve, faults, redis, request):
    nginx = serve(CONF, names=faults, STORE="%s on_error=%s" % (
        redis.url(), request.param))
    wait_for("requests to pass", lambda: fetch(
        nginx.port(), BROWSER.request()).status == 200)
    yield nginx
    nginx.stop()
    serve.all.remove(nginx)


class Records:
    def __init__(self, nginx, redis, faults):
        self.nginx = nginx
        self.redis = redis
        self.torture = Torture(faults, nginx)
        self.request = None

    def ask(self):
        self.request = BROWSER.request()
        return fetch(self.nginx.port(), self.request)

    def check(self, response):
        verdict("ok", allow=("nonce-store-unavailable",))(response)

    def comes_back(self):
        """Pauses between attempts have 5 seconds at the most."""
        if self.ask().status == 200:
            return True
        self.nginx.names.advance(6)
        return False

    def recovered(self):
        """And what passed does not pass again."""
        passed = self.request
        wait_for("the connection", self.comes_back)
        again = [seen(fetch(self.nginx.port(), passed))[0] for _ in range(2)]
        assert again.count("ok") <= 1, again
        expect(fetch(self.nginx.port(), BROWSER.request(signature=flip_bit)),
               "bad-signature")


def test_record(shop, redis, faults):
    r = Records(shop, redis, faults)
    r.torture.sweep(r.ask, r.check, r.recovered)
    r.torture.check_idle("PORT_STATUS")


def test_connection(shop, redis, faults):
    """Which is lost, and made again with all that it begins with."""
    r = Records(shop, redis, faults)

    def connections():
        return int(re.search(r"total_connections_received:(\d+)",
                             redis.command("INFO", "stats"))[1])

    def act():
        """Each connection of ours is one more, the worker's as well."""
        redis.command("CLIENT", "KILL", "TYPE", "normal")
        before, asked = connections(), 0
        while connections() == before + 1 + asked and asked < 100:
            asked += 1
            shop.names.advance(6)
            time.sleep(0.02)
        return r.ask()

    r.torture.sweep(act, r.check, r.recovered)
    r.torture.check_idle("PORT_STATUS")


def test_worker_without_a_client(shop, faults):
    """A worker that begins without memory for it serves what it can, and has
    one as soon as there is some."""
    shop.expect(r"\[emerg\]|\[alert\]")
    with faults.failing(HEAP, pid=CHILDREN, only="calloc", at=1,
                        onward=SAME_PLACE):
        shop.reload()
        workers = shop.workers()
        assert "wba_redis_new" in faults.words(faults.stack())
        for target in ("/", "/early/") * 2:
            expect(fetch(shop.port(), BROWSER.request(target)),
                   "nonce-store-unavailable")
        expect(fetch(shop.port(), BROWSER.request(signature=flip_bit)),
               "bad-signature")
        assert faults.failed >= 5
        assert shop.workers() == workers
    becomes(lambda: fetch(shop.port(), BROWSER.request("/early/")), "ok")
    used = BROWSER.request()
    expect(fetch(shop.port(), used), "ok")
    expect(fetch(shop.port(), used), "nonce-replayed")
    assert shop.workers() == workers
