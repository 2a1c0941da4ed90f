# SPDX-License-Identifier: BSD-2-Clause
"""make instructions: how many instructions each stage of core takes, and each
kind of request in nginx, counted by callgrind.  The counts hold whatever the
machine does besides, so they are compared with those kept in
instructions.json: a rise of more than RISE fails.

Ours are counted apart from nginx's and the libraries': those are compared only
where they are the very versions of the kept counts.

A request's count is the difference of N and 2 N of them, divided by N, so that
what is not a request's drops out.
"""

import argparse
import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import callgrind
import document
import noise
import servers
from common import SEED, load
from harness.nginx import Nginx

RISE = 0.05
SLACK = 8           # instructions: a loop's turn more is no rise
OTHERS_SLACK = 500  # malloc's way differs from run to run
UNSIGNED = 1000     # what optional may cost an unsigned request
REQUESTS = 400      # N
STAGES = 96
KEPT = pathlib.Path(__file__).with_name("instructions.json")
OWNERS = "ours nginx libsodium libcrypto libc other".split()

# name, path, kind, status
CASES = [
    ("module off, unsigned", "/off", "plain", "200"),
    ("module off, signed", "/off", "tap", "200"),
    ("plain 403, signed", "/denied", "tap", "403"),
    ("optional, unsigned", "/optional", "plain", "200"),
    ("refused: expired", "/on", "expired", "403"),
    ("refused: unknown tag", "/on", "badtag", "403"),
    ("refused: unknown key", "/on", "unknown", "403"),
    ("refused: replay", "/on", "used", "429"),
    ("refused: forged", "/on", "forged", "403"),
    ("verified, tap", "/on", "tap", "200"),
    ("verified, web-bot-auth", "/on", "wba", "200"),
    ("verified, agent-pay", "/on", "pay", "200"),
]

MARK = "        location = /%(name)s { bench_mark %(name)s; }\n"


class Valgrind(Nginx):
    """One process, which is the worker, under callgrind."""

    out = None

    def command(self, *more):
        return ["valgrind", "--tool=callgrind", "-q",
                "--callgrind-out-file=%s" % self.out, *super().command(*more)]

    def workers(self):
        return {self.process.pid}


def count_stages(kit, folder):
    """Instructions of each stage of core, for one request, by owner."""
    out = folder / "stages.out"
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "-q",
         "--callgrind-out-file=%s" % out, kit.build / "stages", "count",
         str(STAGES)], check=True, stdout=subprocess.PIPE)
    requests = json.loads(done.stdout)["requests"]
    counts = collections.defaultdict(collections.Counter)
    for stage, dump in callgrind.dumps(out):
        counts[stage] += dump.objects()
    counts["rules"] = counts.pop("step")
    counts["rules"].subtract(counts["base"])
    return {name: shares(total, requests) for name, total in counts.items()}


def shares(total, requests):
    """By owner, for one request."""
    named = collections.Counter()
    for name, count in total.items():
        named[name if name in OWNERS else "other"] += count
    return {name: round(named[name] / requests) for name in OWNERS
            if round(named[name] / requests)}


def start(kit, folder):
    names = ["m%d-%d" % (i, n) for i in range(len(CASES)) for n in range(3)]
    marks = "".join(MARK % {"name": name} for name in names)
    lines = "".join(
        servers.DIRECTORY % (name, "d.json", profile, agent)
        for name, profile, agent in (
            ("d", "tap", ""), ("bot", "web-bot-auth",
                               "agent %s;" % servers.BOT),
            ("pay", "agent-pay", "agent %s;" % servers.PAY)))
    settings = servers.SETTINGS % {"zone": "16m", "store": "shared",
                                   "directories": lines}
    locations = servers.LOCATIONS % {"base": 1, "body_base": 1} + marks
    Valgrind.out = folder / "nginx.out"
    nginx = Valgrind(
        servers.BINARY, kit.module, servers.CONF,
        {"d.json": kit.keys(),
         **{"html/" + page: "x" * 64 for page in servers.NAMES}},
        BENCH="load_module %s; master_process off;" % kit.bench,
        SETTINGS=settings, LOCATIONS=locations, WORKERS=1, AFFINITY="auto")
    return nginx.start()


def ask(kit, nginx, path, kind, status, count):
    result = load(kit.load, None, "http", nginx.port(), count, 1, path, kind,
                  SEED)
    if result["statuses"] != {status: count}:
        sys.exit("%s, %s: expected %s, got %s" % (path, kind, status,
                                                  result["statuses"]))


def count_requests(kit, folder):
    """Instructions of a request, by owner, for each case; and the functions
    that have most of ours in a verified one."""
    nginx = start(kit, folder)
    try:
        ask(kit, nginx, "/on", "used", "200", 2 * REQUESTS)
        for i, (_, path, kind, status) in enumerate(CASES):
            ask(kit, nginx, path, kind, status, 16)
            for n in range(3):
                if n:
                    ask(kit, nginx, path, kind, status, n * REQUESTS)
                ask(kit, nginx, "/m%d-%d" % (i, n), "plain", "200", 1)
    finally:
        nginx.stop()
    found = dict(callgrind.dumps(folder / "nginx.out"))
    counts, functions = {}, {}
    for i, (name, *_) in enumerate(CASES):
        once, twice = (found["m%d-%d" % (i, n)] for n in (1, 2))
        twice.functions.subtract(once.functions)
        functions[name] = twice.functions
        counts[name] = shares(twice.objects(), REQUESTS)
    return counts, functions


# Comparing

def versions():
    return {k: v for k, v in noise.machine(servers.BINARY).items()
            if k in ("nginx", "libsodium", "openssl", "compiler")} | {
                "libc": noise.package("libc6")}


def rises(kept, now):
    """What is more than RISE above what is kept, in words."""
    same = kept["versions"] == now["versions"]
    owners = OWNERS if same else ["ours"]
    found = []
    for part in ("stages", "requests"):
        if set(kept[part]) != set(now[part]):
            found.append("%s: not the same rows are kept" % part)
            continue
        for name, counts in now[part].items():
            for owner in owners:
                was = kept[part][name].get(owner, 0)
                is_ = counts.get(owner, 0)
                slack = SLACK if owner == "ours" else OTHERS_SLACK
                if is_ > was * (1 + RISE) + slack:
                    found.append("%s: %s: %d, and %d are kept" % (
                        name, owner, is_, was))
    more, was = unsigned(now["requests"]), unsigned(kept["requests"])
    if more > max(UNSIGNED, was * (1 + RISE)):
        found.append("optional costs an unsigned request %d instructions: at "
                     "most %d, and %d are kept" % (more, UNSIGNED, was))
    return found


def unsigned(requests):
    """What optional costs a request that is not signed."""
    return sum(requests["optional, unsigned"].values()) \
        - sum(requests["module off, unsigned"].values())


def falls(kept, now):
    return [name for part in ("stages", "requests") for name in now[part]
            if now[part][name].get("ours", 0)
            < kept[part].get(name, {}).get("ours", 0) * (1 - RISE) - SLACK]


# Printing

def show(counts, kept):
    print("%-26s" % "instructions" + "".join("%11s" % o for o in OWNERS)
          + "%11s %8s" % ("all", "ours was"))
    for part in ("stages", "requests"):
        print(part)
        for name, c in counts[part].items():
            was = (kept or {}).get(part, {}).get(name, {}).get("ours", "")
            print("  %-24s" % name
                  + "".join("%11d" % c.get(o, 0) for o in OWNERS)
                  + "%11d %8s" % (sum(c.values()), was))
    r = counts["requests"]
    more = unsigned(r)
    print("optional, on an unsigned request: %d more than off, budget %d, %s"
          % (more, UNSIGNED, "met" if more <= UNSIGNED else "NOT MET"))
    print("verified: %d more than off, besides libsodium's" % (
        sum(r["verified, tap"].values()) - r["verified, tap"]["libsodium"]
        - sum(r["module off, signed"].values())))


def show_top(functions, name, lines):
    print("functions of one request: " + name)
    for (owner, fn), count in functions[name].most_common(lines):
        print("  %9.0f  %-10s %s" % (count / REQUESTS, owner, fn))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--top", type=int, default=0,
                        help="functions of each case to be shown")
    args = parser.parse_args()
    kit = servers.Kit(args.build.resolve())
    folder = pathlib.Path(tempfile.mkdtemp(prefix="wba-callgrind-"))
    folder.chmod(0o777)
    try:
        stages = count_stages(kit, folder)
        requests, functions = count_requests(kit, folder)
    finally:
        kit.remove()
        shutil.rmtree(folder, ignore_errors=True)
    now = {"versions": versions(), "stages": stages, "requests": requests}
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else None
    show(now, kept)
    if args.top:
        for name in functions:
            show_top(functions, name, args.top)
    if args.update or kept is None:
        KEPT.write_text(json.dumps(now, indent=1) + "\n")
        document.replace("instructions",
                         document.instructions(now, OWNERS))
        print("written to %s and %s" % (os.path.relpath(KEPT),
                                        os.path.relpath(document.PAGE)))
        return
    if kept["versions"] != now["versions"]:
        print("kept with %s, counted with %s: ours alone are compared" % (
            kept["versions"], now["versions"]))
    lower = falls(kept, now)
    if lower:
        print("fewer by more than 5 %%: %s; make instructions UPDATE=1 keeps "
              "that" % ", ".join(lower))
    found = rises(kept, now)
    if found:
        sys.exit("more than kept, by over 5 %:\n  " + "\n  ".join(found)
                 + "\nIf the change is worth it: make instructions UPDATE=1, "
                 "and say in the commit why.")
    print("no count is more than 5 % above what is kept")


if __name__ == "__main__":
    main()
