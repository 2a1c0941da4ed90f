# SPDX-License-Identifier: BSD-2-Clause
"""What befalls the shops meanwhile: reloads, dead workers, directories and a
Redis that come and go.  Each tells the timeline before it begins."""

import contextlib
import os
import random
import signal
import threading
import time

from harness.directory import Manners
from harness.nginx import wait_for
from harness.signer import Key, Request

import clients
import kinds
from oracle import OK, STORE_TROUBLE

WELL = {"status": 200, "delay": 0, "cut": None, "close": False,
        "dribble": 0, "headers": ()}

# How a directory misbehaves; none of it may cost a key that is held.
MANNERS = {
    "500": {"status": 500, "body": "no"},
    "404": {"status": 404, "body": "no"},
    "slow": {"delay": 1.0},
    "slower than the time-out": {"delay": 3.0},
    "byte by byte": {"dribble": 0.02},
    "no JSON": {"body": "<html>"},
    "no key in it": {"body": '{"keys":[{"kty":"none"},{}]}'},
    "noise": {"body": os.urandom(3000)},
    "huge": {"body": "[" * 2000000},
    "cut off": {"cut": 40},
    "closed": {"close": True},
}


class Trouble:
    """Threads that make it, each in turn, until stop(); one failure of theirs
    is a finding."""

    def __init__(self, oracle, shops):
        self.oracle = oracle
        self.timeline = oracle.timeline
        self.shops = shops
        self.over = threading.Event()
        self.threads = []
        self.killed = {shop.name: [] for shop in shops}
        self.turn = 0
        self.refused_reloads = {shop.name: 0 for shop in shops}

    def every(self, least, most, action, *args):
        def run():
            while not self.over.wait(random.uniform(least, most)):
                try:
                    action(*args)
                except Exception as failure:
                    self.oracle.complain("%s%r: %s: %s" % (
                        action.__name__, [getattr(a, "name", a) for a in args],
                        type(failure).__name__, failure))
        thread = threading.Thread(target=run)
        thread.start()
        self.threads.append(thread)

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()
        self.threads = []
        self.over.clear()

    @contextlib.contextmanager
    def span(self, name):
        span = self.timeline.begin(name)
        try:
            yield
        finally:
            self.timeline.end(span)

    # nginx

    def reload(self, shop):
        self.turn += 1
        if self.turn % 9 == 3:
            self.refused_reload(shop)
            return
        with self.span("reload " + shop.name):
            for _ in range(random.choice((1, 1, 1, 2))):
                old = shop.nginx.processes()
                shop.nginx.process.send_signal(signal.SIGHUP)
                wait_for("new workers",
                         lambda: len(shop.nginx.workers() - set(old)) >= 2, 30)
            # Their connections end, or some client is stuck.
            wait_for("old workers to end", lambda: self.over.is_set()
                     or not set(old) & set(shop.nginx.processes()), 60)

    def refused_reload(self, shop):
        """Of a configuration that is wrong, which changes nothing."""
        path = shop.nginx.dir / "nginx.conf"
        good = path.read_text()
        shop.nginx.write("nginx.conf", good + "web_bot_auth_nonsense;\n")
        before = (shop.nginx.dir / "logs/error.log").stat().st_size
        shop.nginx.process.send_signal(signal.SIGHUP)
        wait_for("the refusal", lambda: "web_bot_auth_nonsense" in
                 shop.log_since(before), 30)
        shop.nginx.write("nginx.conf", good)
        self.refused_reloads[shop.name] += 1

    def kill(self, shop):
        """Any worker, one that is ending included."""
        with self.span("kill " + shop.name):
            victims = [pid for pid, title in shop.nginx.processes().items()
                       if "worker process" in title]
            if not victims:
                return
            pid = random.choice(victims)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                return
            self.killed[shop.name].append(pid)
            wait_for("another worker", lambda: pid not in
                     shop.nginx.processes()
                     and len(shop.nginx.workers()) >= 2, 30)

    # Directories

    def serve(self, shop, **manners):
        shop.directory.paths[shop.path] = Manners(**{
            **WELL, "body": shop.key_set(),
            "etag": '"%s"' % shop.remote[-1].thumbprint[:12], **manners})

    def rotate(self, shop):
        """Another second key; the one before is retired."""
        retired, shop.remote[1] = shop.remote[1], Key()
        self.oracle.serves(shop.name, shop.keyids(), [retired.thumbprint])
        self.serve(shop)
        shop.past.append(retired)

    def misbehave(self, shop):
        if random.random() < 0.4:
            self.rotate(shop)
            return
        how = random.choice(sorted(MANNERS))
        self.oracle.health(shop.name, False)
        with self.span("directory " + shop.name):
            # Without a validator, or its clients would be told nothing new.
            self.serve(shop, **{"etag": None, **MANNERS[how]})
            self.over.wait(random.uniform(0.5, 5))
            self.serve(shop)
        self.well_again(shop)

    def well_again(self, shop):
        """The pause doubles with each failure in a row."""
        pause = 60
        try:
            failures = next(d["failures_in_row"]
                            for d in shop.status()["directories"]
                            if d["name"] == "remote")
            pause = 2 ** (failures + 1)
        except (OSError, ValueError):
            pass        # the worker that was asked is no more
        self.oracle.health(shop.name, True, pause)

    def nobody_there(self, directory):
        """All of its paths at once."""
        mine = [shop for shop in self.shops if shop.directory is directory]
        for shop in mine:
            self.oracle.health(shop.name, False)
        with self.span("directory down"):
            directory.stop()
            self.over.wait(random.uniform(0.5, 5))
            directory.start()
        for shop in mine:
            self.well_again(shop)

    # Redis

    def disturb_redis(self, redis, shop):
        how = random.choice(("restart", "pause", "long pause", "flush",
                             "cut off"))
        with self.span("redis"):
            if how == "restart":
                redis.stop()
                self.over.wait(random.uniform(0, 3))
                redis.start()
            elif how == "flush":
                redis.command("FLUSHALL")
            elif how == "cut off":
                redis.command("CLIENT", "KILL", "TYPE", "normal")
            else:
                redis.pause()
                self.over.wait(0.2 if how == "pause" else 3)
                redis.go_on()
            self.settle(shop)

    def settle(self, shop, row=16, seconds=30):
        """Until so many in a row are let in: by all workers, nearly surely."""
        end, good = time.monotonic() + seconds, 0
        while good < row:
            if time.monotonic() > end:
                raise AssertionError("%s does not recover" % shop.name)
            trial = kinds.browser(shop)
            trial.kind, trial.reasons = "probe", OK | STORE_TROUBLE
            start = time.monotonic()
            response = clients.ask(shop.port, trial.request.raw())
            outcome = self.oracle.judge(trial, start, time.monotonic(),
                                        response)
            good = good + 1 if outcome == "ok" else 0
            if not good:
                time.sleep(0.05)
        plain = Request(target="/", host="shop.test")
        assert clients.ask(shop.port, plain.raw()).status == 403
