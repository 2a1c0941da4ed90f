# SPDX-License-Identifier: BSD-2-Clause
"""What is left for plain pages while half of the connections send well-formed
forgeries to the same worker: with web_bot_auth_forgery_limit and without,
interleaved in one run with the same connections alone, and, to compare, with
the other half asking for plain pages as well.

The measure is plain pages for each second of the worker's processor time,
which other processes on a busy machine do not change; next to it, pages a
second by the clock.  One worker on one core, the clients on the other."""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))

# pylint: disable=wrong-import-position
from harness.client import fetch
from harness.nginx import Nginx, wait_for
from harness.signer import Request

SEED = "c6" * 32
CONNECTIONS = 16        # of each half
LIMIT = "10r/s"

CONF = """
%%GLOBALS%%
worker_processes 1;
worker_cpu_affinity 01;
events {}
http {
    %%HTTP%%
    access_log off;
    keepalive_requests 100000000;
    web_bot_auth_zone 64m;
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth_directory d { url file:%%DIR%%/keys/d.json; profile tap; }
    web_bot_auth_scheme https;
    web_bot_auth_log_level debug;
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.example;
        location /pages/ { }
        location /cached/ { alias html/pages/; open_file_cache max=10; }
        location /on { web_bot_auth on; }
        location /limited {
            web_bot_auth on;
            web_bot_auth_forgery_limit %%LIMIT%%;
        }
        location /status { web_bot_auth_status json; }
    }
}
"""

PAGES = {"a file": "/pages/page.html",
         "a file, open_file_cache": "/cached/page.html"}

# name: pages asked for, then the other half's path, kind and requests, which
# are more than it gets to send meanwhile
TURNS = {
    "alone": (15000, None),
    "forgeries, no limit": (6000, ("/on", "forged", 15000)),
    "forgeries, %s" % LIMIT: (15000, ("/limited", "forged", 45000)),
    "more visitors": (15000, (None, "plain", 60000)),
}


def pin(core):
    def at_start():
        if os.cpu_count() > 1:
            os.sched_setaffinity(0, {core})
    return at_start


def cpu_seconds(pid):
    with open("/proc/%d/schedstat" % pid) as f:
        return int(f.read().split()[0]) / 1e9


class Bench:
    def __init__(self, args):
        self.tool = os.path.join(args.build, "load")
        keys = subprocess.run([self.tool, "jwk", SEED], check=True,
                              stdout=subprocess.PIPE).stdout
        self.nginx = Nginx(
            args.nginx, pathlib.Path(
                args.build, "ngx_http_web_bot_auth_module.so").resolve(),
            CONF, files={"keys/d.json": keys, "html/pages/page.html": "x" * 64,
                         "html/on": "ok", "html/limited": "ok"},
            LIMIT=LIMIT).start()
        self.worker = self.nginx.workers().pop()

    def load(self, count, path, kind):
        """pool=: the same few forgeries again and again, as nothing of them
        is remembered."""
        return subprocess.Popen(
            [self.tool, "http", str(self.nginx.port()), str(count),
             str(CONNECTIONS), path, kind, SEED, "pool=1000"],
            stdout=subprocess.PIPE, preexec_fn=pin(1))

    def reasons(self):
        body = fetch(self.nginx.port(), Request(target="/status")).body
        return {r["name"]: r["count"]
                for r in json.loads(body)["requests"]["reasons"]}

    def turn(self, page, count, others):
        """(pages a second of processor time, and by the clock; forgeries that
        were verified, and refused before)."""
        flood = None
        reasons = self.reasons()
        if others:
            path, kind, n = others
            flood = self.load(n, path or page, kind)
            idle = cpu_seconds(self.worker)
            wait_for("the flood",
                     lambda: cpu_seconds(self.worker) > idle + 0.05)
        before = cpu_seconds(self.worker)
        pages = self.load(count, page, "plain")
        result = json.loads(pages.communicate(timeout=60)[0])
        used = cpu_seconds(self.worker) - before
        if flood:
            if flood.poll() is not None:
                sys.exit("the flood ended before the pages were served")
            flood.kill()
            flood.communicate()
        if result["statuses"] != {"200": count}:
            sys.exit("pages: %s" % result["statuses"])
        after = self.reasons()
        return (count / used, count / result["seconds"],
                *(after[r] - reasons[r]
                  for r in ("bad-signature", "forgery-limited")))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build/gcc")
    parser.add_argument("--nginx", default=os.environ.get("NGINX_BINARY",
                                                          "/usr/sbin/nginx"))
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--json")
    args = parser.parse_args()

    bench = Bench(args)
    got = {page: {turn: [] for turn in TURNS} for page in PAGES}
    try:
        time.sleep(0.2)
        for _ in range(args.rounds):
            for page, path in PAGES.items():
                for turn, (count, others) in TURNS.items():
                    got[page][turn].append(bench.turn(path, count, others))
    finally:
        bench.nginx.stop()

    result = {}
    for page, turns in got.items():
        print("plain pages (%s) while half of the connections send\n"
              "%-24s %12s %8s %8s %11s %9s" % (
                  page, "", "of alone", "spread", "by clock",
                  "verified", "refused"))
        alone = [statistics.median(r[i] for r in turns["alone"])
                 for i in (0, 1)]
        for turn, rounds in turns.items():
            ratios = [r[0] / alone[0] for r in rounds]
            row = {"ratio": statistics.median(ratios),
                   "spread": max(ratios) - min(ratios),
                   "by_clock": statistics.median(r[1] for r in rounds)
                   / alone[1],
                   "verified": statistics.median(r[2] for r in rounds),
                   "refused": statistics.median(r[3] for r in rounds)}
            result.setdefault(page, {})[turn] = row
            print("%-24s %12.3f %8.3f %8.3f %11d %9d" % (
                turn if turn != "alone" else "nothing", row["ratio"],
                row["spread"], row["by_clock"], row["verified"],
                row["refused"]))
    if args.json:
        with open(args.json, "w") as f:
            json.dump(result, f, indent=1)


if __name__ == "__main__":
    main()
