# SPDX-License-Identifier: BSD-2-Clause
"""A start, reloads, and workers that begin and end, while each allocation and
each system call fails in turn: a reload that fails leaves the old configuration
in force, a worker that lacks something serves what it can, and no used nonce
is forgotten."""

import os
import signal
import subprocess
import time

import pytest

from harness.agents import BROWSER, LISTED
from harness.client import fetch
from harness.expect import expect, seen
from harness.faults import CHILDREN
from harness.nginx import accepts, wait_for
from harness.redis import Redis
from harness.shops import becomes
from harness.signer import Key, Request, flip_bit, jwks
from harness.torture import Torture

CONF = """
%%GLOBALS%%
worker_processes 1;
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_directory remote {
        url %%URL%%;
        profile tap;
        tags remote;
        components @authority @method;
        algorithms ed25519 ecdsa-p256-sha256;
    }
    web_bot_auth_directory crawlers {
        url file:%%DIR%%/keys/visa.json;
        profile web-bot-auth;
        tags crawler;
        nonce optional;
        max_lifetime 90d;
    }
    web_bot_auth_discovery { allow *.agents.test; }
    web_bot_auth_trusted_certificate %%CA%%;
    web_bot_auth_state_path %%DIR%%/state;
    web_bot_auth_zone %%ZONE%%;
    web_bot_auth_nonce_store %%STORE%%;
    web_bot_auth_clock_skew 0;
    web_bot_auth on;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        server_name shop.test *.shop.test;
        web_bot_auth_challenge on nonce;
        location / { web_bot_auth_challenge on; %%OK%% }
        location /rules/ {
            web_bot_auth_allow directory=visa tag=agent-browser-auth;
            web_bot_auth_deny keyid=other agent=https://bot.test;
            web_bot_auth_components @path @method;
            web_bot_auth_authority $host;
            web_bot_auth_scheme https;
            web_bot_auth_answer invalid=401 unknown=pass;
            web_bot_auth_forgery_limit 10r/s burst=5;
            web_bot_auth_expose_reason on;
            web_bot_auth_body_link on;
            %%OK%%
        }
        location /any/ { satisfy any; deny all; %%OK%% }
    }
    server {
        listen 127.0.0.1:%%PORT_STATUS%%;
        web_bot_auth off;
        location / { stub_status; }
        location = /json { web_bot_auth_status json; }
    }
}
"""
FILE = "2m file=%%DIR%%/nonces"


class Shop:
    def __init__(self, nginx, faults, directory):
        self.nginx = nginx
        self.directory = directory
        self.key = None
        self.faults = faults
        self.used = []

    def send(self, request):
        return fetch(self.nginx.port(), request)

    def renew(self):
        self.key = Key()
        self.directory.serve("/keys", body=jwks(self.key))

    def remote(self):
        """By a key that must be fetched."""
        self.nginx.names.advance(310)
        time.sleep(0.03)    # the preloaded clock looks that often
        self.send(Request())
        return self.send(BROWSER.request(
            key=self.key, keyid=self.key.thumbprint, tag="remote",
            components=("@authority", "@method")))

    def works(self):
        """All that it did before; used nonces stay used."""
        becomes(lambda: self.send(BROWSER.request()), "ok")
        self.renew()
        becomes(self.remote, "ok")
        self.used = self.used[-3:] + [BROWSER.request()]
        expect(self.send(self.used[-1]), "ok")
        for request in self.used:
            assert seen(self.send(request))[0] in (
                "nonce-replayed", "nonce-store-cold")
        expect(self.send(BROWSER.request(signature=flip_bit)),
               "bad-signature")
        expect(self.send(Request()), "no-signature")

    def revive(self):
        self.nginx.process.send_signal(signal.SIGSTOP)  # it starts no others
        for pid in [*self.nginx.processes(), self.nginx.process.pid]:
            os.kill(pid, signal.SIGKILL)
        self.nginx.process.wait()
        wait_for("the port", lambda: not accepts(self.nginx.port()))
        self.nginx.start()
        self.works()

    def reload(self):
        """Until there is another worker, or the master says why not."""
        nginx, old = self.nginx, self.nginx.workers()
        mark = len(nginx.error_log)
        os.kill(nginx.process.pid, signal.SIGHUP)

        def over():
            assert nginx.process.poll() is None, "the master has ended"
            now = nginx.workers()
            return now and not now & old or any(
                level in nginx.error_log[mark:]
                for level in ("[emerg]", "[crit]", "[alert]"))
        wait_for("the reload", over)
        time.sleep(0.05)
        return wait_for("workers", nginx.workers) != old


@pytest.fixture(params=["shared", "redis"])
def shop(serve, faults, directory, authority, request):
    redis = Redis() if request.param == "redis" else None
    nginx = serve(CONF, names=faults, URL=directory.url("/keys"),
                  CA=authority.ca, ZONE=FILE,
                  STORE=(redis.url() if redis else "shared")
                  + " cold=accept")
    nginx.expect(r"\[emerg\]")  # a reload that fails
    s = Shop(nginx, faults, directory)
    s.works()
    yield s
    nginx.stop()
    serve.all.remove(nginx)
    if redis:
        redis.remove()


KINDS = ("nginx's memory", "memory", "system calls")


def test_reload(shop):
    torture = Torture(shop.faults, shop.nginx, Torture.MASTER, shop.revive)
    torture.sweep(shop.reload, lambda reloaded: None, shop.works, KINDS,
                  least=300)


def test_workers(shop):
    """One begins, and fetches for the first time, one ends."""
    torture = Torture(shop.faults, shop.nginx, CHILDREN, shop.revive)

    def act():
        shop.renew()
        shop.reload()
        shop.remote()

    torture.sweep(act, lambda reloaded: None, shop.works, KINDS, least=1000,
                  most=500)
