# SPDX-License-Identifier: BSD-2-Clause
"""make bench: everything side by side in one run, on loopback, as ratios.

What serves has one core, what asks has the other and never sleeps there, for
to wake it would be charged to who answers.  Rounds go over all rows, each time
beginning with another; a row is the median of its rounds, and a ratio the
median of the rounds' ratios, so that what slows a whole round cancels out.
The time of a request is the processor time of the processes that serve it,
counted over as many requests as take CELL seconds.

docs/performance.md explains the rows.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import document
import noise
import rows
import servers as servers_
import table
from common import CLIENT, SEED, SERVER, load, on

CELL = 0.1      # seconds of a worker for one row in one round
LEAST = 20      # requests
ROUNDS = 3      # at least


class Bench:
    def __init__(self, build, modules):
        self.build = build
        self.kit = servers_.Kit(build)
        self.rows = rows.ROWS + (rows.PEERS if modules else [])
        self.servers = {}
        self.modules = modules
        self.counts = {}
        self.cells = {row.name: [] for row in self.rows}
        self.raw = []
        self.stages = []
        self.watched = None
        self.memory = {}

    # Measuring

    def ask(self, row, count, *options):
        more = list(row.options) + self.kit.pems.get(row.kind, []) \
            + list(options)
        server = self.servers[row.server]
        result = server.ask(row.path, row.kind, count, *more, h2=row.h2)
        statuses = result["statuses"]
        if list(statuses) != [row.status] or not server.alive():
            sys.exit("%s: expected %s, got %s\n%s" % (
                row.name, row.status, statuses, server.log()))
        return result

    def prepare(self):
        self.servers = servers_.start(self.kit, self.modules)
        # What "used" requests send again is used for the first time.
        first = self.servers["one"].ask("/on", "used", 512, rows.POOL)
        assert first["statuses"] == {"200": 512}, first
        if self.modules:
            for row in rows.PEERS:
                self.ask(row, rows.NODE_WARM)
        for row in self.rows:
            count = min(row.most, 200)
            result = self.ask(row, count)
            each = result["cpu"] / count
            self.counts[row.name] = max(LEAST, min(row.most,
                                                   int(CELL / each)))

    def measure(self, row):
        count = self.counts[row.name]
        result = self.ask(row, count, "warm=%d" % min(count // 10 + 1, 200))
        self.cells[row.name].append({
            "us": result["cpu"] / count * 1e6,
            "wall": result["seconds"] / count * 1e6,
            "wait": result["wait"] / result["seconds"],
            "p99": result["p99"]})

    def weigh(self, when):
        """The private memory of each server's first worker."""
        for name, server in self.servers.items():
            if server.pids:
                self.memory.setdefault(name, {})[when] = \
                    noise.private_kb(server.pids[0])

    def alone(self, what, count):
        out = subprocess.run([self.build / "stages", what, str(count)],
                             check=True, stdout=subprocess.PIPE,
                             preexec_fn=on(SERVER))
        return json.loads(out.stdout)

    def round(self, turn):
        self.raw.append(self.alone("raw", 1000))
        self.stages.append(self.alone("time", 1000))
        at = turn * 7 % len(self.rows)
        for row in self.rows[at:] + self.rows[:at]:
            self.measure(row)

    def run(self, seconds):
        """Three rounds at least, and as many as end within seconds."""
        end = time.monotonic() + seconds
        try:
            self.prepare()
            pids = {p for s in self.servers.values() for p in s.counted()}
            self.watched = noise.Watch(sorted(pids), time.monotonic)
            self.weigh("before_kb")
            turn, took = 0, 0
            while turn < ROUNDS or time.monotonic() + took < end:
                begun = time.monotonic()
                self.round(turn)
                took = time.monotonic() - begun
                turn += 1
                print(".", end="", file=sys.stderr, flush=True)
            print(file=sys.stderr)
            self.watched = self.watched.stop()
            self.weigh("after_kb")
        finally:
            servers_.stop(self.servers)
            self.kit.remove()

    # Results

    def result(self):
        return table.result(self.rows, self.cells, self.raw, self.stages,
                            self.watched, self.memory,
                            noise.machine(servers_.BINARY))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--modules", type=pathlib.Path,
                        help="node_modules with web-bot-auth, for the peers")
    parser.add_argument("--json", type=pathlib.Path, required=True)
    parser.add_argument("--document", action="store_true",
                        help="put the figures into docs/performance.md")
    parser.add_argument("--seconds", type=float, default=float(
        os.environ.get("BENCH_SECONDS", "270")))
    args = parser.parse_args()
    os.sched_setaffinity(0, {CLIENT})
    bench = Bench(args.build.resolve(), args.modules)
    bench.run(args.seconds)
    result = bench.result()
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps(result, indent=1) + "\n")
    table.show(result)
    if args.document:
        document.replace("figures", document.figures(result))


if __name__ == "__main__":
    main()
