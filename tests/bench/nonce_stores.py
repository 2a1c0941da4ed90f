# SPDX-License-Identifier: BSD-2-Clause
"""What a nonce store costs: verified requests, each signed anew with a nonce
of its own, with the shared table, with the table in a file, and with a
redis-server on this machine, by a unix socket and by TCP; turn by turn in one
run.

Requests a second and the times at 32 connections; the times of one request
after the other (a store's round trip alone); and the processor time that the
workers and Redis take for a request, which other processes do not lengthen.

With one worker the client and Redis share the other core; the client, waiting
for the worker, sleeps, and to wake it costs the worker some microseconds for
each answer.  Redis's replies come in bursts, so that it is woken less often:
hence ratios of one or better.  With two workers there are more busy processes
than a small machine has cores, and requests a second say how they share it.

Nothing timed is asserted; that every request was let in, and that Redis holds
each of its nonces, is."""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

from common import SEED, cpu_seconds, load
from harness.nginx import Nginx, wait_for
from harness.redis import Redis

COUNT = 10000
ALONE = 2000
CONNECTIONS = 32
PATIENCE = " timeout=5s"    # a busy machine shall not make it 503
ROUNDS = 5

CONF = """
%%GLOBALS%%
worker_processes %%WORKERS%%;
worker_cpu_affinity %%AFFINITY%%;
events {}
http {
    %%HTTP%%
    access_log off;
    keepalive_requests 1000000;
    open_file_cache max=10;
    web_bot_auth_zone %%ZONE%%;
    web_bot_auth_nonce_store %%STORE%% cold=accept;
    web_bot_auth_wait 10s;
    web_bot_auth_scheme https;
    web_bot_auth_directory d { url file:%%DIR%%/keys.json; profile tap; }
    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        server_name shop.example;
        location = /ok.txt { web_bot_auth on; }
    }
}
"""


class Store:
    """An nginx with a nonce store, and what was measured with it."""

    def __init__(self, bench, name, store="shared", file="", redis=None):
        self.name = name
        self.load = bench.load
        self.workers = bench.workers
        self.redis = redis
        self.accepted = 0
        self.rows = []
        self.nginx = Nginx(
            os.environ.get("NGINX_BINARY", "/usr/sbin/nginx"), bench.module,
            CONF, {"keys.json": bench.keys}, STORE=store,
            ZONE="16m" + (" file=" + file if file else ""),
            WORKERS=bench.workers,
            AFFINITY="01" if bench.workers == 1 else "auto")
        self.nginx.start()

    def ask(self, count, connections):
        """With one worker, not on its core."""
        result = load(self.load, 1 if self.workers == 1 else None, "http",
                      self.nginx.port(), count, connections, "/ok.txt", "tap",
                      SEED)
        self.accepted += result["statuses"].get("200", 0)
        return result

    def warm(self):
        """Until the store can be used; 503s are right until then."""
        wait_for("the store of " + self.name, lambda: self.ask(
            CONNECTIONS, CONNECTIONS)["statuses"] == {"200": CONNECTIONS})
        self.passed(self.ask(ALONE, CONNECTIONS), ALONE)

    def passed(self, result, count):
        if result["statuses"] != {"200": count}:
            log = [line for line in self.nginx.error_log.splitlines()
                   if "[info]" not in line and "[notice]" not in line]
            sys.exit("%s: %d requests should pass, but got %s\n%s" % (
                self.name, count, result["statuses"],
                "\n".join(log[-20:])))
        return result

    def measure(self):
        processes = self.nginx.workers()
        redis = [self.redis.process.pid] if self.redis else []
        before = [sum(map(cpu_seconds, p)) for p in (processes, redis)]
        many = self.passed(self.ask(COUNT, CONNECTIONS), COUNT)
        after = [sum(map(cpu_seconds, p)) for p in (processes, redis)]
        alone = self.passed(self.ask(ALONE, 1), ALONE)
        if self.nginx.workers() != processes:
            sys.exit("%s: a worker was replaced" % self.name)
        self.rows.append({
            "rate": COUNT / many["seconds"],
            "p50": many["p50"], "p99": many["p99"],
            "alone50": alone["p50"], "alone99": alone["p99"],
            "worker": (after[0] - before[0]) / COUNT * 1e6,
            "redis": (after[1] - before[1]) / COUNT * 1e6})

    def median(self, what):
        return statistics.median(row[what] for row in self.rows)


class Bench:
    def __init__(self, build, workers):
        self.load = str(build / "load")
        self.module = build / "ngx_http_web_bot_auth_module.so"
        self.workers = workers
        self.keys = subprocess.run([self.load, "jwk", SEED], check=True,
                                   stdout=subprocess.PIPE).stdout
        self.stores = []
        self.servers = []
        self.folders = []

    def folder(self, where):
        path = tempfile.mkdtemp(prefix="wba-bench-", dir=where)
        self.folders.append(path)
        os.chmod(path, 0o755)
        return path

    def server(self):
        """Each store's own, so that its keys are its nonces."""
        self.servers.append(Redis())
        return self.servers[-1]

    def start(self):
        memory = "/dev/shm"     # /run is of the same kind, but root's
        add = self.stores.append
        add(Store(self, "shared"))
        if os.access(memory, os.W_OK):
            add(Store(self, "file= in memory",
                      file=self.folder(memory) + "/nonces"))
        add(Store(self, "file= on disk", file=self.folder(None) + "/nonces"))
        redis = self.server()
        add(Store(self, "Redis, unix socket", "unix:%s" % redis.path
                  + PATIENCE, redis=redis))
        redis = self.server()
        add(Store(self, "Redis, TCP", redis.url() + PATIENCE,
                  redis=redis))

    def check(self):
        """One key for each nonce, and the marker."""
        for store in self.stores:
            if store.redis:
                held = len(store.redis.command("KEYS", "*")) - 1
                if held != store.accepted:
                    sys.exit("%s: accepted %d, Redis holds %d" % (
                        store.name, store.accepted, held))

    def print(self):
        base = self.stores[0]
        print("verified requests, %d worker%s (medians of %d rounds of %d; "
              "us)" % (self.workers, "s" if self.workers > 1 else "", ROUNDS,
                       COUNT))
        print("  %-19s %7s %6s %6s %6s | %6s %6s %6s | %7s %6s %6s" % (
            "", "a sec.", "ratio", "p50", "p99", "alone", "ratio", "p99",
            "workers", "ratio", "redis"))
        for store in self.stores:
            m = store.median
            print("  %-19s %7.0f %6.2f %6.0f %6.0f | %6.0f %6.2f %6.0f | "
                  "%7.1f %6.2f %6.1f" % (
                      store.name, m("rate"), m("rate") / base.median("rate"),
                      m("p50"), m("p99"), m("alone50"),
                      m("alone50") / base.median("alone50"), m("alone99"),
                      m("worker"), m("worker") / base.median("worker"),
                      m("redis")))

    def run(self):
        try:
            self.start()
            for store in self.stores:
                store.warm()
            for turn in range(ROUNDS):
                order = self.stores[turn:] + self.stores[:turn]
                for store in order:
                    store.measure()
            self.check()
            self.print()
        finally:
            for store in self.stores:
                store.nginx.stop()
            for server in self.servers:
                server.remove()
            for path in self.folders:
                shutil.rmtree(path, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    build = parser.parse_args().build.resolve()
    for workers in (1, 2):
        Bench(build, workers).run()


if __name__ == "__main__":
    main()
