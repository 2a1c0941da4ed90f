#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Half an hour of everything at once.

    soak.py --seconds N --reloads N --json FILE     the whole of it
    soak.py --self-test         only: does it notice what is wrong?

Two shops, one with its nonces in a mapped file, the other with them in Redis,
each with an https directory.  First a storm (reloads, killed workers), then a
calm, in which workers live long enough to show whether they grow; directories
and Redis come and go in both.  Before each run the self-test; exit status 1
upon any finding."""

import argparse
import collections
import json
import os
import pathlib
import signal
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))

from harness.directory import Directory                     # noqa: E402
from harness.nginx import wait_for                          # noqa: E402
from harness.redis import Redis                             # noqa: E402
from harness.tls import Authority                           # noqa: E402

import clients                                              # noqa: E402
import kinds                                                # noqa: E402
import reloads                                              # noqa: E402
import selftest                                             # noqa: E402
import watch as watching                                    # noqa: E402
from oracle import Oracle, Timeline                         # noqa: E402
from shop import Shop                                       # noqa: E402
from traffic import Traffic                                 # noqa: E402
from trouble import Trouble                                 # noqa: E402

STORM = 0.7         # of the time; the rest is calm
REMEMBERED = kinds.LIFETIME + 300


class Soak:
    def __init__(self, binary, module, folder, pause, dry="off", say=print):
        self.binary, self.module = binary, module
        self.folder = pathlib.Path(folder)
        self.shim = pathlib.Path(module).parent / "tests/heap.so"
        self.oracle = Oracle(Timeline(), redis=("redis",), say=say)
        self.authority = Authority(pathlib.Path(folder) / "tls")
        self.directory = Directory(self.authority)
        self.redis = Redis()
        self.began = time.time()
        self.rested = 0
        self.result = {}
        common = (binary, module, self.directory, self.authority)
        nonces = pathlib.Path(folder) / "nonces"
        nonces.mkdir(mode=0o755)
        self.shops = [
            Shop("file", *common, "shared", "file=%s/table" % nonces, dry),
            Shop("redis", *common, self.redis.url() + " timeout=2s", dry=dry)]
        self.trouble = Trouble(self.oracle, self.shops)
        self.traffic = Traffic(self.oracle, self.shops, pause)

    def open(self):
        for shop in self.shops:
            self.trouble.serve(shop)
            self.oracle.serves(shop.name, shop.keyids())
            self.oracle.health(shop.name, True)
            shop.nginx.start()
        time.sleep(3)       # signatures from before the start are refused
        for shop in self.shops:
            self.trouble.settle(shop)

    def close(self):
        for shop in self.shops:
            shop.nginx.expect(".")      # read_log has looked at each line
            try:
                shop.nginx.stop()
            except AssertionError as failure:
                self.oracle.complain(str(failure))
        self.redis.remove()
        self.directory.stop()

    # Phases

    def unrest(self, storm):
        file, redis = self.shops
        if storm:
            for shop in self.shops:
                self.trouble.every(1, 5, self.trouble.reload, shop)
                self.trouble.every(4, 14, self.trouble.kill, shop)
        for shop in self.shops:
            self.trouble.every(2, 12, self.trouble.misbehave, shop)
        self.trouble.every(25, 60, self.trouble.nobody_there, self.directory)
        self.trouble.every(8, 25, self.trouble.disturb_redis, self.redis,
                           redis)

    def rest(self, watch, name):
        """Everything ends, and what is left is measured."""
        self.traffic.rest()
        for shop in self.shops:
            try:
                shop.drain()
            except AssertionError as failure:
                self.oracle.complain("%s: %s" % (shop.name, failure))
        moment = watch.rest(name)
        for shop in self.shops:
            self.check_zone(shop, moment[shop.name]["nonces"])
        return moment

    def check_zone(self, shop, live):
        """Beside Redis, the table need not know all."""
        least, most = self.oracle.remembered(shop.name, REMEMBERED)
        watching.nonces_remembered(
            shop.name, live, least if shop.name == "file" else 0, most,
            self.oracle.complain)

    def run(self, seconds, count):
        watch = watching.Watch(self.shops)
        over = threading.Event()
        fast = None
        try:
            self.traffic.start()
            time.sleep(min(10, seconds / 10))
            self.rest(watch, "before the storm")
            if count:
                fast = threading.Thread(target=self.reload_fast,
                                        args=(count, over))
                fast.start()
            self.phase(seconds * STORM, storm=True)
            self.rest(watch, "after the storm")
            self.phase(seconds * (1 - STORM) / 3, storm=False)
            self.rest(watch, "in the calm")
            self.phase(seconds * (1 - STORM) * 2 / 3, storm=False)
            self.rest(watch, "after the calm")
            self.traffic.stop()
            if fast:
                fast.join(600)
            self.after_a_restart()
        finally:
            self.traffic.over.set()
            self.trouble.stop()
            over.set()
            if fast:
                fast.join()
            watch.stop()
        watching.growth(watch, self.oracle.complain,
                        ("before the storm", "after the storm"),
                        ("in the calm", "after the calm"))
        return watch

    def phase(self, seconds, storm):
        self.traffic.go.set()
        self.unrest(storm)
        time.sleep(seconds)
        self.trouble.stop()

    def reload_fast(self, count, over):
        try:
            self.result["fast_reloads"] = reloads.run(
                count, self.binary, self.module, {
                    "CA": self.authority.ca,
                    "URL": self.directory.url(self.shops[0].path)},
                self.oracle.complain, over,
                self.shim, self.folder)
        except Exception as failure:
            self.oracle.complain("reloads: %r" % failure)

    def after_a_restart(self):
        """Nothing that was let in is let in by an nginx that starts anew."""
        for shop in self.shops:
            used = list(self.traffic.let_in[shop.name])[-300:]
            shop.nginx.process.terminate()
            shop.nginx.process.wait(30)
            shop.nginx.start()
            for trial in used:
                trial = kinds.again("after a restart", trial, time.time())
                start = time.monotonic()
                answer = clients.ask(shop.port, trial.request.raw())
                self.oracle.judge(trial, start, time.monotonic(), answer)
            self.trouble.settle(shop)

    # What is told

    def read_logs(self):
        for shop in self.shops:
            watching.read_log(shop.nginx, {
                "a worker that was killed":
                    len(self.trouble.killed[shop.name]),
                "a reload that was refused":
                    self.trouble.refused_reloads[shop.name],
            }, self.oracle.complain)

    def tell(self, watch, seconds):
        oracle, timeline = self.oracle, self.oracle.timeline
        by_kind = collections.defaultdict(dict)
        for (kind, outcome), n in sorted(oracle.outcomes.items()):
            by_kind[kind][outcome] = n
        self.result.update({
            "seconds": round(seconds), "began": self.began,
            "requests": sum(oracle.outcomes.values()),
            "let_in": sum(oracle.let_in.values()),
            "longest_answer_seconds": round(oracle.longest, 2),
            "kinds": by_kind,
            "reloads": {s.name: timeline.count("reload " + s.name)
                        for s in self.shops},
            "refused_reloads": self.trouble.refused_reloads,
            "workers_killed": {n: len(pids) for n, pids
                               in self.trouble.killed.items()},
            "directory_outages": {
                **{s.name: timeline.count("directory " + s.name)
                   for s in self.shops},
                "all": timeline.count("directory down")},
            "keys_retired": {s.name: len(s.past) for s in self.shops},
            "redis_outages": timeline.count("redis"),
            "peaks": watch.peaks, "moments": watch.moments,
            "verdict": "failed" if oracle.nfindings else "passed",
            "nfindings": oracle.nfindings, "findings": oracle.findings,
        })
        return self.result


def summary(result):
    print("\n%d requests in %d s, %d let in; the longest answer took %.1f s"
          % (result["requests"], result["seconds"], result["let_in"],
             result["longest_answer_seconds"]))
    for kind, outcomes in sorted(result["kinds"].items()):
        print("  %-26s %s" % (kind, ", ".join(
            "%s %d" % (o, n) for o, n in sorted(
                outcomes.items(), key=lambda i: -i[1]))))
    for name in ("reloads", "refused_reloads", "workers_killed",
                 "directory_outages", "keys_retired", "redis_outages"):
        print("%-20s %s" % (name.replace("_", " "), result[name]))
    for name, peaks in result["peaks"].items():
        print("peaks, %-13s %s" % (name, peaks))
    for moment in result["moments"]:
        print("%-20s %s" % (moment["moment"], {
            n: v for n, v in moment.items() if n not in ("moment", "time")}))
    fast = result.get("fast_reloads")
    if fast and "module" in fast:
        for who in "module", "plain":
            print("%d reloads, %s: blocks %s, KB %s" % (
                fast["reloads"], who, *([s[what] for s in fast[who]] for what
                                        in ("heap_blocks", "private_kb"))))
    print("soak: %s, %d findings" % (
        "failed" if result["nfindings"] else "1 passed", result["nfindings"]))


def soak(args, folder):
    it = Soak(args.nginx, args.module, folder, args.pause)
    began = time.monotonic()
    try:
        it.open()
        watch = it.run(args.seconds, args.reloads)
        it.read_logs()
        return it.tell(watch, time.monotonic() - began)
    finally:
        it.close()


def sabotaged(args, folder):
    """What of a shop that lets everybody in, and loses a worker that nobody
    killed, is noticed: all of it, or False."""
    it = Soak(args.nginx, args.module, folder, 0.05, "on", lambda _: None)
    try:
        for shop in it.shops:
            it.trouble.serve(shop)
            shop.nginx.start()
        it.traffic.start()
        wait_for("traffic", lambda: sum(it.oracle.outcomes.values()) > 1500,
                 60)
        os.kill(min(it.shops[0].nginx.workers()), signal.SIGKILL)
        it.traffic.stop()
        it.read_logs()
    finally:
        it.traffic.over.set()
        it.close()
    wanted = ("forged at file", "forged at redis", "replayed at",
              "expired at", "malformed at", "unsigned at",
              "the log tells 1 times of a worker that was killed")
    missed = [w for w in wanted
              if not any(w in f for f in it.oracle.findings)]
    for what in missed:
        print("self-test: not noticed: " + what)
    return not missed


def self_test(args, folder):
    folder = pathlib.Path(folder)
    for name in ("oracle", "sabotage"):
        (folder / name).mkdir(mode=0o755)
    noticed, cases = selftest.run(folder / "oracle")
    whole = sabotaged(args, folder / "sabotage")
    print("self-test: %d passed of %d: answers, logs, sizes, a shop that lets"
          " everybody in" % (noticed + whole, cases + 1), flush=True)
    return noticed == cases and whole


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nginx", default="/usr/sbin/nginx")
    parser.add_argument("--module", required=True)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--reloads", type=int, default=500)
    parser.add_argument("--pause", type=float, default=0.06)
    parser.add_argument("--json")
    parser.add_argument("--self-test", action="store_true")
    args = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="wba-soak-") as folder:
        os.chmod(folder, 0o755)
        if not self_test(args, folder):
            return 1
        if args.self_test:
            return 0
        result = soak(args, folder)
    if args.json:
        path = pathlib.Path(args.json)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, indent=1) + "\n")
    summary(result)
    return 1 if result["nfindings"] else 0


if __name__ == "__main__":
    sys.exit(main())
