# SPDX-License-Identifier: BSD-2-Clause
"""`nginx -t`, a start, reloads, and workers that begin and end, while each allocation and
each system call fails in turn: a start that fails says why, a reload that fails
leaves the old configuration in force and no memory taken, a worker that lacks something serves what it can, and no used nonce
is forgotten."""

import os
import re
import signal
import subprocess
import time

import pytest

from harness.agents import BROWSER, LISTED
from harness.client import fetch
from harness.expect import expect, seen
from harness.faults import CHILDREN, MASTER
from harness.nginx import accepts, wait_for
from harness.redis import Redis
from harness.shops import becomes
from harness.signer import Key, Request, flip_bit, jwks
from harness.torture import NGINX_SAYS, Torture, points
from harness.torture import KINDS as FAMILIES

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


# Starts

@pytest.fixture(params=["shared", "redis://127.0.0.1:1"])
def idle(serve, faults, directory, authority, request):
    """An nginx that does not run yet."""
    nginx = serve.make(CONF, names=faults, URL=directory.url("/keys"),
                       CA=authority.ca, ZONE=FILE,
                       STORE=request.param + " cold=accept")
    nginx.expect(r"\[emerg\]")
    nginx.expect(NGINX_SAYS)
    return nginx


def sweep_starts(faults, run):
    """run(): the exit status of what was started, None if it goes on, and what
    it has said."""
    wrong = []
    for kind in KINDS:
        families, scope = FAMILIES[kind]

        def once(at, how=(families, scope)):
            with faults.failing(how[0], scope=how[1], pid=MASTER, at=at):
                return run()

        assert once(0)[0] in (0, None)
        total = faults.seen
        assert total, kind
        for at in points(total):
            status, said = once(at)
            if not faults.failed:
                break
            if status not in (0, None) and (
                    status != 1 or not re.search(r"\[(emerg|alert|crit)\]",
                                                 said)):
                wrong.append("%s, call %d: %s\n    %s: %s" % (
                    kind, at, faults.words(faults.stack()), status, said))
    assert not wrong, "\n".join(wrong)


def test_configuration_test(idle, faults):
    def run():
        done = subprocess.run(idle.command("-t"), env=idle.environment(),
                              capture_output=True, timeout=60, check=False)
        return done.returncode, done.stderr.decode("latin-1")

    sweep_starts(faults, run)
    assert idle.test()[0]


def test_start(idle, faults):
    """What has started works."""
    def run():
        mark = len(idle.error_log)
        try:
            idle.start()
        except AssertionError:
            status = idle.process.wait(10)
            return status, idle.error_log[mark:] + (
                idle.dir / "logs/output").read_text("latin-1")
        try:
            becomes(lambda: fetch(idle.port(), BROWSER.request()),
                    "ok" if idle.values["STORE"].startswith("shared")
                    else "nonce-store-unavailable")
            expect(fetch(idle.port(), Request()), "no-signature")
        finally:
            idle.process.terminate()
            idle.process.wait(20)
        return None, ""

    sweep_starts(faults, run)


# Reloads

BROKEN = {
    "a rule that names nobody": ("directory=visa", "directory=nobody"),
    "a set that cannot be read": ("keys/visa.json;\n        profile web",
                                  "nginx.conf;\n        profile web"),
    "a word that does not exist": ("satisfy any;", "satisfy any; nonsense;"),
    "a zone that is too small": ("web_bot_auth_zone 2m", "web_bot_auth_zone 8k"),
}


def resident(pid):
    with open("/proc/%d/statm" % pid, encoding="ascii") as f:
        return int(f.read().split()[1]) * 4


@pytest.mark.parametrize("old,new", BROKEN.values(), ids=BROKEN)
def test_memory_of_reloads_that_fail(serve, faults, directory, authority, old,
                                     new):
    """The master's does not grow, nor do its descriptors."""
    nginx = serve(CONF, names=faults, URL=directory.url("/keys"),
                  CA=authority.ca, ZONE=FILE, STORE="shared cold=accept")
    nginx.expect(r"\[emerg\]")
    workers, pid = nginx.workers(), nginx.process.pid
    text = (nginx.dir / "nginx.conf").read_text()
    assert old in text
    nginx.write("nginx.conf", text.replace(old, new, 1))

    def reload(times):
        for _ in range(times):
            mark = nginx.error_log.count("[emerg]")
            os.kill(pid, signal.SIGHUP)
            wait_for("the refusal", lambda mark=mark:
                     nginx.error_log.count("[emerg]") > mark)
        time.sleep(0.1)

    def held():
        return faults.live, len(os.listdir("/proc/%d/fd" % pid))

    faults.track(pid)
    reload(5)
    before, memory = held(), resident(pid)
    reload(30)
    assert held() == before
    assert resident(pid) - memory < 200
    assert nginx.workers() == workers
    expect(fetch(nginx.port(), BROWSER.request()), "ok")
    nginx.write("nginx.conf", text)
    nginx.reload()
    expect(fetch(nginx.port(), BROWSER.request()), "ok")


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
