#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the fuzz targets and keeps account of it.

    run.py fuzz --seconds N [--targets a,b]   each target for N seconds
    run.py regress                            only the kept inputs
    run.py merge                              what was found goes into the tree
    run.py summary                            the ledger, added up (minutes
                                              of processor time)
    run.py coverage                           lines and branches reached
    run.py figures                            both, into docs/security.md

The targets are built in build/fuzz (and build/cover) by the Makefile.  Inputs
that are kept lie in tests/fuzz/corpus/TARGET; those of this machine in
build/fuzz/corpus/TARGET.  A finding is left in build/fuzz/findings.
"""

import argparse
import collections
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# What is kept in the tree: bytes of all inputs together, and of one.
MAX_KEPT = 2 * 1024 * 1024
MAX_KEPT_ONE = 16 * 1024

ENVIRONMENT = {
    "ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1:"
                    "detect_stack_use_after_return=1:"
                    "strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}

LINE = re.compile(r"cov: (\d+) ft: (\d+)")
DONE = re.compile(r"^stat::number_of_executed_units: *(\d+)", re.M)


class Places:
    def __init__(self, build):
        self.build = pathlib.Path(build).resolve()
        self.bin = self.build
        self.cover = ROOT / "build/cover"
        self.findings = self.build / "findings"
        self.ledger = self.build / "ledger"

    def binary(self, target):
        return self.bin / ("fuzz_" + target)

    def kept(self, target):
        return HERE / "corpus" / target

    def found(self, target):
        return self.build / "corpus" / target


def targets(chosen):
    names = sorted(path.stem[len("fuzz_"):]
                   for path in HERE.glob("fuzz_*.c"))
    if not chosen:
        return names
    chosen = chosen.split(",")
    unknown = set(chosen) - set(names)
    if unknown:
        sys.exit("no such target: " + ", ".join(sorted(unknown)))
    return chosen


def wishes(target):
    """What a target asks for: NAME = VALUE lines, for the fuzzer, and kept,
    how many of its inputs may be."""
    found = {"max_len": "4096", "timeout": "20", "rss_limit_mb": "2048",
             "kept": "20"}
    path = HERE / (target + ".options")
    if path.exists():
        for line in path.read_text().splitlines():
            match = re.match(r"(\w+) *= *(\S+)", line)
            if match:
                found[match[1]] = match[2]
    return found


def options(target):
    return ["-%s=%s" % item for item in wishes(target).items()
            if item[0] != "kept"]


def inputs(folder):
    return [path for path in folder.glob("*") if path.is_file()] \
        if folder.is_dir() else []


def shown(path):
    try:
        return str(path.relative_to(ROOT))
    except ValueError:
        return str(path)


def run(command, **more):
    return subprocess.run([str(word) for word in command],
                          env={**os.environ, **ENVIRONMENT},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          **{"check": False, **more})


# --- fuzzing


def timed(command, cwd):
    """The exit status, the output, and the seconds of processor time."""
    process = subprocess.Popen([str(word) for word in command], cwd=cwd,
                               env={**os.environ, **ENVIRONMENT},
                               stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    output = process.stdout.read().decode("latin-1")
    process.stdout.close()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, output, used.ru_utime + used.ru_stime


def note(places, target, seconds, executions, cov, features):
    """One line of the ledger: when, target, seconds of processor time,
    executions, edges, features."""
    with open(places.ledger, "a", encoding="ascii") as ledger:
        ledger.write("%d %s %.0f %d %d %d\n" % (
            time.time(), target, seconds, executions, cov, features))


def fuzz_one(places, target, args):
    found = places.found(target)
    found.mkdir(parents=True, exist_ok=True)
    places.findings.mkdir(exist_ok=True)
    log = places.findings / (target + ".log")
    log.unlink(missing_ok=True)
    command = [places.binary(target), found]
    if places.kept(target).is_dir():
        command.append(places.kept(target))
    command += options(target)
    dictionary = HERE / (target + ".dict")
    if dictionary.exists():
        command.append("-dict=%s" % dictionary)
    command += ["-max_total_time=%d" % args.seconds, "-print_final_stats=1",
                "-artifact_prefix=%s/%s-" % (places.findings, target)]
    command += ["-use_value_profile=1"] if args.value_profile else []
    command += args.more
    with tempfile.TemporaryDirectory(prefix="wba-fuzz-") as scratch:
        status, output, seconds = timed(command, scratch)
    progress = LINE.findall(output)
    executions = DONE.search(output)
    cov, features = map(int, progress[-1]) if progress else (0, 0)
    count = int(executions[1]) if executions else 0
    note(places, target, seconds, count, cov, features)
    stopped = status in (72, -signal.SIGTERM, -signal.SIGINT)   # by somebody
    text = "  %-5s %-14s %10d executions, %5d edges, %6d features" % (
        "ok" if status == 0 else "stop" if stopped else "FAIL", target, count,
        cov, features)
    if status != 0 and not stopped:
        log.write_text(output, encoding="latin-1")
        artefacts = re.findall(r"Test unit written to (\S+)", output)
        text += "\n        %s" % shown(log)
        for path in artefacts:
            text += "\n        again with: %s %s" % (
                shown(places.binary(target)), shown(pathlib.Path(path)))
    print(text, flush=True)
    return status == 0


def fuzz(places, args):
    names = targets(args.targets)
    missing = [t for t in names if not places.binary(t).exists()]
    if missing:
        sys.exit("not built: " + ", ".join(missing))
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        try:
            good = list(pool.map(lambda t: fuzz_one(places, t, args), names))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if not all(good):
        sys.exit("findings: see %s" % shown(places.findings))


def regress(places, args):
    bad = False
    for target in targets(args.targets):
        kept = inputs(places.kept(target))
        done = run([places.binary(target), *kept, *options(target)]
                   if kept else [places.binary(target), "-runs=0"])
        print("  %-5s %-14s %4d inputs" % (
            "FAIL" if done.returncode else "ok", target, len(kept)))
        if done.returncode:
            print(done.stdout.decode("latin-1")[-4000:])
            bad = True
    if bad:
        sys.exit("an input that is kept does not pass")


# --- what is kept


def features(control):
    """What each input reaches, from libFuzzer's notes about a merge: the
    number of files, of the first folder's, the files; then a line FT with a
    file's number and its edges."""
    lines = control.read_text(encoding="latin-1").splitlines()
    count = int(lines[0])
    files = [pathlib.Path(name) for name in lines[2:2 + count]]
    found = {}
    for line in lines[2 + count:]:
        if line.startswith("FT "):
            words = line.split()
            found[files[int(words[1])]] = frozenset(words[2:])
    return found


def choose(reached, most):
    """The inputs that reach the most, one after the other, small ones first;
    and the share of what all of them reach."""
    everything, have, chosen = frozenset().union(*reached.values()), set(), []
    while reached and len(chosen) < most:
        best = max(reached, key=lambda p: (len(reached[p] - have),
                                           -p.stat().st_size))
        if not reached[best] - have:
            break
        chosen.append(best)
        have |= reached.pop(best)
    return chosen, 100 * len(have) / max(1, len(everything))


def merge_one(places, target, args):
    kept = places.kept(target)
    with tempfile.TemporaryDirectory(prefix="wba-merge-") as scratch:
        control, into, all_ = (pathlib.Path(scratch) / name
                               for name in ("notes", "into", "all"))
        into.mkdir()
        all_.mkdir()
        for path in inputs(kept) + inputs(places.found(target)):
            try:        # a fuzzer that runs may take it away
                shutil.copy(path, all_)
            except FileNotFoundError:
                pass
        done = run([places.binary(target), "-merge=1", "-set_cover_merge=1",
                    "-use_counters=0", "-max_len=%d" % MAX_KEPT_ONE,
                    "-timeout=20", "-merge_control_file=%s" % control, into,
                    all_], cwd=scratch)
        if done.returncode != 0:
            print(done.stdout.decode("latin-1")[-2000:])
            sys.exit("merge of %s failed" % target)
        chosen, share = choose(features(control),
                               int(wishes(target)["kept"]))
        texts = [path.read_bytes() for path in chosen]
    kept.mkdir(parents=True, exist_ok=True)
    for path in inputs(kept):
        if re.fullmatch("[0-9a-f]{16}", path.name):
            path.unlink()       # the others were named by hand, and stay
    for text in texts:
        (kept / hashlib.sha256(text).hexdigest()[:16]).write_bytes(text)
    sizes = [path.stat().st_size for path in inputs(kept)]
    print("  %-14s %4d inputs, %7d bytes, %.1f %% of all edges reached" % (
        target, len(sizes), sum(sizes), share), flush=True)
    return sum(sizes)


def merge(places, args):
    total = sum(merge_one(places, t, args) for t in targets(args.targets))
    if total > MAX_KEPT:
        sys.exit("%d bytes are too many to keep" % total)


# --- figures


def ledger(places):
    """By target: seconds, executions, the most edges."""
    rows = collections.defaultdict(lambda: [0, 0, 0])
    if places.ledger.exists():
        for line in places.ledger.read_text().splitlines():
            _, target, seconds, count, cov, _ = line.split()
            row = rows[target]
            row[0] += int(seconds)
            row[1] += int(count)
            row[2] = max(row[2], int(cov))
    return rows


def table(rows, of=None):
    """Rows of Markdown; of: what was reached, by target."""
    head = ["target", "minutes", "executions", "edges"]
    head += ["lines", "branches"] if of else []
    lines = [head, ["---"] * len(head)]
    for target in sorted(rows):
        seconds, count, cov = rows[target]
        lines.append(["`%s`" % target, str(round(seconds / 60)),
                      "{:,}".format(count), str(cov)]
                     + (list(of.get(target, ("", ""))) if of else []))
    seconds = sum(row[0] for row in rows.values())
    lines.append(["**all**", "%d (%.1f h)" % (round(seconds / 60),
                                              seconds / 3600),
                  "{:,}".format(sum(row[1] for row in rows.values())), ""]
                 + (list(of[None]) if of else []))
    return "\n".join("| %s |" % " | ".join(line) for line in lines)


def summary(places, args):
    print(table(ledger(places)))


def llvm_cov(places, args, data, names):
    objects = [places.cover / ("fuzz_" + name) for name in names]
    more = [word for one in objects[1:] for word in ("-object", one)]
    out = run([args.llvm + "llvm-cov" + args.suffix, "export",
               "-summary-only", "-instr-profile=%s" % data, objects[0], *more,
               ROOT / "src/core", ROOT / "src/fetch"])
    return json.loads(out.stdout)["data"][0]


def merge_profiles(args, into, raws):
    out = run([args.llvm + "llvm-profdata" + args.suffix, "merge", "-sparse",
               "-o", into, *raws])
    if out.returncode:
        sys.exit(out.stdout.decode())


def counts(summary_, what):
    part = summary_[what]
    return "%d of %d (%.1f %%)" % (part["covered"], part["count"],
                                   part["percent"])


def reached(places, args):
    """By target: lines and branches of core and fetch, by clang's source-based
    coverage; of all together under None.  And the files' summaries."""
    profiles = places.build / "profiles"
    shutil.rmtree(profiles, ignore_errors=True)
    profiles.mkdir(parents=True)
    names, raws, found = targets(args.targets), [], {}
    for name in names:
        raw = profiles / (name + ".raw")
        folders = [f for f in (places.kept(name), places.found(name))
                   if f.is_dir()]
        with tempfile.TemporaryDirectory(prefix="wba-cover-") as scratch:
            subprocess.run([str(places.cover / ("fuzz_" + name)),
                            *map(str, folders)], cwd=scratch, check=True,
                           env={**os.environ, "LLVM_PROFILE_FILE": str(raw)},
                           stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
        data = profiles / (name + ".data")
        merge_profiles(args, data, [raw])
        raws.append(raw)
        totals = llvm_cov(places, args, data, [name])["totals"]
        found[name] = ("%d" % totals["lines"]["covered"],
                       "%d" % totals["branches"]["covered"])
    data = profiles / "all.data"
    merge_profiles(args, data, raws)
    everything = llvm_cov(places, args, data, names)
    found[None] = (counts(everything["totals"], "lines"),
                   counts(everything["totals"], "branches"))
    return found, everything["files"]


def coverage(places, args):
    found, files = reached(places, args)
    for entry in sorted(files, key=lambda f: f["filename"]):
        if entry["summary"]["branches"]["count"]:
            print("  %-32s lines %-24s branches %s" % (
                shown(pathlib.Path(entry["filename"])),
                counts(entry["summary"], "lines"),
                counts(entry["summary"], "branches")))
    for name in sorted(n for n in found if n):
        print("  %-14s %5s lines, %5s branches" % (name, *found[name]))
    print("  %-14s %s lines, %s branches" % ("all", *found[None]))


def figures(places, args):
    """Puts the table into docs/security.md."""
    found, _ = reached(places, args)
    path = ROOT / "docs/security.md"
    text, count = re.subn(r"(### Figures\n\n)(?:\|.*\n)+",
                          lambda m: m[1] + table(ledger(places), found) + "\n",
                          path.read_text())
    if count != 1:
        sys.exit("%s has no table of figures" % path)
    path.write_text(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["fuzz", "regress", "merge",
                                         "summary", "coverage", "figures"])
    parser.add_argument("--build", default=ROOT / "build/fuzz")
    parser.add_argument("--bin", help="where the binaries are")
    parser.add_argument("--targets", default="")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--value-profile", action="store_true")
    parser.add_argument("--llvm", default="")
    parser.add_argument("--suffix", default="-14")
    parser.add_argument("more", nargs="*", help="for the fuzzer itself")
    args = parser.parse_args()
    places = Places(args.build)
    if args.bin:
        places.bin = pathlib.Path(args.bin).resolve()
    globals()[args.what](places, args)


if __name__ == "__main__":
    main()
