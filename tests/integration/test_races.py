# SPDX-License-Identifier: BSD-2-Clause
"""Thousands of requests, several copies of each at once, while workers are
killed, settings reloaded, nginx restarted or upgraded: none is accepted twice.

STRESS=N makes each race N times as long."""

import os
import pathlib
import random
import signal
import subprocess
import time

import pytest

from harness.agents import BROWSER
from harness.client import fetch
from harness.expect import expect, seen
from harness.nginx import GLOBALS, accepts, wait_for
from harness.race import (STRESS, Line, Race, Streams, check_disturbed,
                          check_undisturbed, tally)
from harness.signer import Request

CONF = """
%%GLOBALS%%
worker_processes %%WORKERS%%;
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    keepalive_requests 1000000;
    web_bot_auth_zone %%ZONE%%;
    web_bot_auth_clock_skew 0;
    web_bot_auth on;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        listen 127.0.0.1:%%PORT_H2%% http2 reuseport;
        server_name shop.test;
        location / { %%OK%% }
        location /off { web_bot_auth off; %%OK%% }
    }
}
"""
FILE = "1m file=%%DIR%%/nonces"


@pytest.fixture
def start(serve):
    started = []

    def run(zone="1m", workers=2, **how):
        nginx = serve(CONF, ZONE=zone, WORKERS=workers, **how)
        started.append(nginx)
        warm(nginx)
        return nginx

    yield run
    for nginx in started:
        nginx.stop()
        serve.all.remove(nginx)


def warm(nginx):
    wait_for("a warm table", lambda: fetch(
        nginx.port(), BROWSER.request()).status == 200, 10)


def race(nginx, copies=4):
    return Race([nginx.port()], BROWSER.request, copies)


@pytest.mark.parametrize("workers", [2, 4])
def test_http1(start, workers):
    nginx = start(workers=workers)
    answers = race(nginx).run(count=int(1500 * STRESS))
    check_undisturbed(answers)


@pytest.mark.parametrize("workers", [2, 4])
def test_http2(start, workers):
    """Copies on streams of one connection, and on another connection's."""
    nginx = start(workers=workers)
    lines = [Streams(nginx.port("PORT_H2")) for _ in range(2)]
    for _ in range(int(100 * STRESS)):
        requests = [BROWSER.request() for _ in range(10)]
        copies = [r for r in requests for _ in range(2)]
        sent = [line.send(copies) for line in lines]
        got = [line.receive(ids) for line, ids in zip(lines, sent)]
        check_undisturbed([[reason for one in got
                            for reason in one[2 * i:2 * i + 2]]
                           for i in range(len(requests))])
    for line in lines:
        line.close()


def test_reload_every_second(start):
    nginx = start()
    reloads = []

    def reload():
        since = time.monotonic()
        nginx.reload()
        reloads.append(1)
        time.sleep(max(0, 1 - (time.monotonic() - since)))

    answers = race(nginx).run(seconds=5 * STRESS, disturb=reload)
    check_disturbed(answers)
    assert len(reloads) >= 4 * STRESS
    # Old workers answer what they took; a connection that nginx closes while
    # a request is under way is all that can be lost.
    total = tally(answers)
    assert total["ok"] > 0.95 * len(answers)


def test_reload_with_another_size(start):
    """A new table, cold: what was signed before is not judged, what the old
    one has accepted is not accepted again."""
    nginx = start()
    sizes = ["1m", "2m"]

    def reload():
        sizes.reverse()
        nginx.values["ZONE"] = sizes[0]
        nginx.configure(CONF)
        nginx.reload()
        time.sleep(1.5)

    answers = race(nginx).run(seconds=8 * STRESS, disturb=reload, times=3)
    check_disturbed(answers, "nonce-store-cold")
    total = tally(answers)
    assert total["nonce-store-cold"] > 0
    # once the second is over in which a table is cold, they are let in
    warm = [["ok" in a for a in answers[i:i + 100]]
            for i in range(0, len(answers), 100)]
    assert sum(all(w) for w in warm) >= 3


def test_workers_killed(start):
    nginx = start(workers=4)
    kills = []

    def kill():
        nginx.kill_worker(random.choice(sorted(nginx.workers())))
        kills.append(1)
        time.sleep(random.uniform(0, 0.05))

    answers = race(nginx, 8).run(seconds=5 * STRESS, disturb=kill,
                                 times=int(20 * STRESS) + 1)
    check_disturbed(answers)
    assert len(kills) > 20 * STRESS
    assert tally(answers)["ok"] > 0.5 * len(answers)
    check_undisturbed(race(nginx).run(count=100))


def test_restarts_with_a_file(start):
    nginx = start(FILE)
    used = BROWSER.request()
    expect(fetch(nginx.port(), used), "ok")
    restarts = []

    def restart():
        time.sleep(0.7)
        os.kill(nginx.process.pid, random.choice(
            [signal.SIGTERM, signal.SIGQUIT]))
        nginx.process.wait(20)
        nginx.start()
        restarts.append(1)

    answers = race(nginx).run(seconds=5 * STRESS, disturb=restart)
    check_disturbed(answers)
    assert len(restarts) >= 3
    assert tally(answers)["ok"] > 100
    expect(fetch(nginx.port(), used), "nonce-replayed")


def test_binary_upgrades_with_a_file(serve):
    """USR2, then the old master quits, or the new one does: nobody is turned
    away meanwhile.  nginx takes USR2 as a daemon only."""
    nginx = serve.make(CONF.replace("%%GLOBALS%%", "%%GLOBALS_%%"), ZONE=FILE,
                       WORKERS=2, GLOBALS_=GLOBALS.replace("daemon off;", ""))
    pid_file = nginx.dir / "logs/nginx.pid"
    old_file = nginx.dir / "logs/nginx.pid.oldbin"
    upgrades = []

    def master(but=0):
        try:
            pid = int(pid_file.read_text())
        except (OSError, ValueError):
            return 0
        return pid if pid != but else 0

    def ended(pid):
        return not pathlib.Path("/proc/%d" % pid).exists()

    def upgrade():
        old = master()
        os.kill(old, signal.SIGUSR2)
        new = wait_for("the new master", lambda: master(old))
        mark = nginx.error_log.count("are kept")
        wait_for("its start", lambda: mark)
        time.sleep(0.3)     # both serve
        gone = old if len(upgrades) % 2 == 0 else new
        os.kill(gone, signal.SIGQUIT)
        wait_for("a master to end", lambda: ended(gone)
                 and not old_file.exists() and master())
        upgrades.append(1)
        time.sleep(0.2)

    subprocess.run(nginx.command(), check=True, timeout=20,
                   env=nginx.environment())
    wait_for("nginx to listen", lambda: accepts(nginx.port()))
    try:
        warm(nginx)
        answers = race(nginx).run(seconds=6 * STRESS, disturb=upgrade)
    finally:
        last = master()
        os.kill(last, signal.SIGTERM)
        wait_for("the last master to end", lambda: ended(last))
    check_disturbed(answers)
    assert len(upgrades) >= 2
    assert tally(answers)["ok"] > 0.9 * len(answers)


def test_full_and_recovered(start, names):
    """The table fills up, says so, and recovers as its entries die; who needs
    no record is served meanwhile."""
    nginx = start(names=names, workers=1)
    line = Line(nginx.port())
    mark = len(nginx.error_log)
    count = 0
    for count in range(200000):
        reason = line.ask(BROWSER.request().raw())
        if reason != "ok":
            break
    assert reason == "nonce-store-full", (reason, count)
    assert count > 20000
    for _ in range(200):
        line.ask(BROWSER.request().raw())
    used = BROWSER.request()
    assert line.ask(used.raw()) in ("ok", "nonce-store-full")
    assert fetch(nginx.port(), Request(target="/off")).status == 200
    assert seen(fetch(nginx.port(), Request()))[0] == "no-signature"
    full = [l for l in nginx.error_log[mark:].splitlines()
            if "nonce" in l and "full" in l and "request refused" not in l]
    assert len(full) == 1, full

    # Lifetimes of 300 s, and the skew's bound of as much, have passed.
    later = 620
    names.ahead = names.wall = later
    names.write()

    def new():
        return BROWSER.request(created=int(time.time()) + later - 1)

    wait_for("room", lambda: line.ask(new().raw()) == "ok", 10)
    request = new()
    assert line.ask(request.raw()) == "ok"
    assert line.ask(request.raw()) == "nonce-replayed"
    line.close()
