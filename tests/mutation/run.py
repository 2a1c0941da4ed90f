# SPDX-License-Identifier: BSD-2-Clause
"""Kills mutants of core with the unit tests.  See `make mutants`.

    run.py --build FOLDER --cflags FLAGS --libs LIBRARIES FILE...

Each mutant is compiled and put into a shared library with the rest of core, and
the tests that run its line are run until one fails, dies or takes far too long:
of processor time, so that a machine that is busy kills nothing.  One that the
compiler makes the same code of is none.  Survivors are printed unless
survivors.txt argues them; arguments about none are printed, too.  What came of
each is kept in FOLDER: a second run asks only about survivors (all of a file's
again, once it has changed; --all for everything)."""

import argparse
import collections
import concurrent.futures
import hashlib
import json
import os
import pathlib
import queue
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time

import mutants

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECURITY = ROOT / "docs/security.md"
ARGUED = pathlib.Path(__file__).with_name("survivors.txt")

# They take long, or need servers, and run no line that others do not.
SLOW = ("test_redis", "test_redis_memory", "test_fetch", "test_fetch_loop",
        "test_fetch_memory")

# Takes seconds of the clock, and runs with others: what it kills by chance it
# might not the next time.  Asked where nothing else runs the line, and about
# what would survive without an argument.
LAST = ("test_replay_processes",)

# How an argument begins that is about a mutant which may die as well.
CHANCE = "By chance"


class Failure(Exception):
    pass


def run(command, **how):
    return subprocess.run(command, check=False, cwd=ROOT,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **how)


class Workshop:
    """Compiles core, its tests, and mutants."""

    def __init__(self, build, cflags, libs, jobs):
        self.pool = concurrent.futures.ThreadPoolExecutor(jobs)
        self.build = pathlib.Path(build).resolve()
        self.cflags = [f for f in shlex.split(cflags)
                       if not f.startswith(("-O", "-g", "-W", "-M"))]
        self.libs = shlex.split(libs)
        self.sources = sorted((ROOT / "src/core").glob("*.c"))
        self.tests = [p for p in sorted((ROOT / "tests/unit").glob("test_*.c"))
                      if p.stem not in SLOW]

    def compile(self, source, to, *flags):
        return run(["gcc", *self.cflags, "-w", *flags, "-c", str(source),
                    "-o", str(to)])

    def library(self, objects, to):
        done = run(["gcc", "-shared", "-o", str(to), *map(str, objects),
                    *self.libs])
        if done.returncode:
            raise Failure(done.stdout.decode())

    def prepare(self):
        """core with gcov's counters and without, and the tests."""
        for kind in ("plain", "counted", "tests"):
            (self.build / kind).mkdir(parents=True, exist_ok=True)
        newest = self.newest("src/core/*", "src/fetch/*", "tests/unit/*.h")
        stamp = self.build / "prepared"
        if stamp.exists() and stamp.stat().st_mtime > newest:
            self.make_tests()
            return
        print("building core and %d tests" % len(self.tests), flush=True)
        shutil.rmtree(self.build / "counted")
        (self.build / "counted").mkdir()
        self.all(
            lambda source, kind, *flags: self.compile(
                source, self.build / kind / (source.stem + ".o"), *flags),
            [(source, *kind) for source in self.sources
             for kind in (("plain", "-O1"),
                          ("counted", "-O0", "--coverage",
                           "-fprofile-abs-path"))])
        self.library(self.objects("plain"),
                     self.build / "plain/libwba-core.so")
        self.library([*self.objects("counted"), "--coverage"],
                     self.build / "counted/libwba-core.so")
        self.make_fetch()
        stamp.touch()
        self.make_tests()

    @staticmethod
    def newest(*patterns):
        return max(p.stat().st_mtime
                   for pattern in patterns for p in ROOT.glob(pattern))

    def objects(self, kind, but=None):
        return [self.build / kind / (s.stem + ".o") for s in self.sources
                if s != but]

    def all(self, do, rows):
        """As many at a time as there are jobs; each must succeed."""
        for done in self.pool.map(lambda row: do(*row), rows):
            if done.returncode:
                raise Failure(done.stdout.decode())

    def make_fetch(self):
        fetch = {source: self.build / "tests" / (source.stem + ".o")
                 for source in sorted((ROOT / "src/fetch").glob("*.c"))}
        self.all(lambda source, to: self.compile(source, to, "-O1"),
                 fetch.items())
        archive = self.build / "tests/libwba-fetch.a"
        archive.unlink(missing_ok=True)
        self.all(run, [(["ar", "rcs", str(archive),
                         *map(str, fetch.values())],)])

    def binary(self, test):
        return self.build / "tests" / test.stem

    def outdated(self, test):
        binary = self.binary(test)
        return not binary.exists() or binary.stat().st_mtime < max(
            test.stat().st_mtime, (self.build / "prepared").stat().st_mtime)

    def make_tests(self):
        archive = str(self.build / "tests/libwba-fetch.a")
        self.all(run, [
            (["gcc", *self.cflags, "-w", "-O1", "-Itests/unit", str(test),
              "-o", str(self.binary(test)), archive,
              "-L", str(self.build / "plain"), "-lwba-core", "-lcmocka",
              *self.libs],)
            for test in self.tests if self.outdated(test)])


def execute(workshop, test, libraries, seconds, cpu=600):
    """The exit status of a test, or None after so many seconds, of the clock
    or of the processor."""
    environment = {**os.environ, "LD_LIBRARY_PATH": str(libraries),
                   "BUILD": "build/gcc"}
    process = subprocess.Popen(
        ["sh", "-c", 'ulimit -S -t %d; exec "$0"' % cpu,
         str(workshop.build / "tests" / test)], cwd=ROOT, env=environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        status = process.wait(seconds)
        return None if status == -signal.SIGXCPU else status
    except subprocess.TimeoutExpired:
        return None
    finally:
        try:    # with what it has forked
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


def cpu_spent():
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def measure(workshop, test):
    """[its seconds, of them of the processor, {file: lines that it runs}]."""
    counted = workshop.build / "counted"
    for data in counted.glob("*.gcda"):
        data.unlink()
    begun, spent = time.monotonic(), cpu_spent()
    if execute(workshop, test.stem, workshop.build / "plain", 300) != 0:
        raise Failure("%s fails without any mutant" % test.stem)
    seconds, cpu = time.monotonic() - begun, cpu_spent() - spent
    execute(workshop, test.stem, counted, 600)
    return [seconds, cpu, {
        "src/core/%s.c" % data.stem: lines_of(data)
        for data in counted.glob("*.gcda")}]


def measure_all(workshop):
    """{test: what measure says}, of those built since once more."""
    cache = workshop.build / "measured.json"
    found = json.loads(cache.read_text()) if cache.exists() else {}
    then = cache.stat().st_mtime if cache.exists() else 0
    todo = [t for t in workshop.tests if t.stem not in found
            or workshop.binary(t).stat().st_mtime > then]
    if todo:
        print("measuring %d tests" % len(todo), flush=True)
        found.update((t.stem, measure(workshop, t)) for t in todo)
        cache.write_text(json.dumps(found))
    return {t.stem: found[t.stem] for t in workshop.tests}


def lines_of(data):
    done = subprocess.run(["gcov", "--json-format", "--stdout", str(data)],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          check=True, cwd=data.parent)
    return sorted({line["line_number"]
                   for unit in done.stdout.splitlines()
                   for file in json.loads(unit)["files"]
                   if file["file"].endswith("/%s.c" % data.stem)
                   for line in file["lines"] if line["count"]})


# ---- what is known

def digest(*texts):
    hash_ = hashlib.sha256()
    for text in texts:
        hash_.update(text.encode() if isinstance(text, str) else text)
    return hash_.hexdigest()


class Results:
    """What came of each mutant, by its file's text."""

    def __init__(self, build):
        self.path = build / "results.json"
        self.known = json.loads(self.path.read_text()) \
            if self.path.exists() else {}

    def of(self, file, text):
        entry = self.known.get(file)
        if entry is None or entry["text"] != digest(text):
            entry = self.known[file] = {"text": digest(text), "fates": {}}
        return entry["fates"]

    def save(self):
        self.path.write_text(json.dumps(self.known))


Argument = collections.namedtuple("Argument", "file function before after")


def arguments():
    """{Argument: why}, from survivors.txt."""
    found, place, pair, why = {}, None, [], []
    text = ARGUED.read_text() if ARGUED.exists() else ""
    for line in [*text.splitlines(), "", "end: end"]:
        if line.startswith("#"):
            continue
        header = re.fullmatch(r"(\S+): (.*)", line)
        if header and not line.startswith(" "):
            if place and pair:
                raise Failure("survivors.txt: no reason for %s" % pair)
            place = header[1], header[2].replace("-", "")
        elif line.startswith("- "):
            pair.append([line[2:], None])
        elif line.startswith("+ "):
            pair[-1][1] = line[2:]
        elif line.startswith("    "):
            why.append(line.strip())
        elif not line and pair and why:
            for before, after in pair:
                found[Argument(*place, before, after)] = " ".join(why)
            pair, why = [], []
    return found


# ---- the run

class Run:
    def __init__(self, workshop, measured, argued, jobs):
        self.workshop = workshop
        self.measured = measured
        self.argued = argued
        self.results = Results(workshop.build)
        self.kills = collections.Counter()
        self.codes = {}    # of each file unchanged
        self.benches = queue.Queue()    # a folder for each job
        for i in range(jobs):
            folder = workshop.build / ("mutant%d" % i)
            folder.mkdir(exist_ok=True)
            self.benches.put(folder)

    def code_of(self, source):
        """The machine code by which sameness is judged."""
        to = source.with_suffix(".same")
        done = self.workshop.compile(source, to, "-O2", "-g0")
        return None if done.returncode else digest(to.read_bytes())

    def fate(self, file, text, mutant):
        bench = self.benches.get()
        try:
            source = bench / pathlib.Path(file).name
            source.write_text(text)
            object_ = source.with_suffix(".o")
            if self.workshop.compile(source, object_, "-O1").returncode:
                return "stillborn"
            fate = self.killer(file, mutant, object_)
            if not fate.startswith("killed"):
                code = self.code_of(source)
                if file not in self.codes:
                    source.write_text((ROOT / file).read_text())
                    self.codes[file] = self.code_of(source)
                if code == self.codes[file]:
                    return "same code"
            return fate
        finally:
            self.benches.put(bench)

    def killer(self, file, mutant, object_):
        """By which test it dies, if by any."""
        tests = self.tests_of(file, mutant)
        if not tests:
            return "not run"
        self.workshop.library(
            [*self.workshop.objects("plain", ROOT / file), object_],
            object_.parent / "libwba-core.so")
        for test in tests:
            seconds, cpu, _ = self.measured[test]
            status = execute(self.workshop, test, object_.parent,
                             10 * seconds + 5, int(3 * cpu + 2))
            if status != 0:
                self.kills[test] += 1
                return "killed by %s%s" % (
                    test, "" if status is not None else ", out of time")
        return "survives"

    def tests_of(self, file, mutant):
        """Those that run the line, the likely and quick ones first; of a line
        that is no code, whatever runs the file."""
        lines = {t: set(m[2].get(file, ())) for t, m in self.measured.items()}
        code = set().union(*lines.values())
        near = [n for n in range(mutant.line, mutant.line - 6, -1)
                if n in code][:1]
        if mutant.function == "":
            near = []
        chosen = [t for t in lines
                  if (set(near) & lines[t] if near else lines[t])]
        quick = sorted((t for t in chosen if t not in LAST),
                       key=lambda t: (-self.kills[t], self.measured[t][0]))
        if quick and Argument(file, mutant.function, mutant.before,
                              mutant.after) in self.argued:
            return quick
        return quick + [t for t in chosen if t in LAST]

    def file(self, file, again):
        source, all_ = mutants.all_of((ROOT / file).read_text())
        fates = self.results.of(file, source.text)
        keys = {mutant: "%d:%d:%s" % (mutant.start, mutant.end, mutant.new)
                for mutant in all_}
        asked = {
            self.workshop.pool.submit(self.fate, file, source.apply(m), m): m
            for m in sorted(all_, key=lambda m: keys[m] in fates)
            if again or fates.get(keys[m], "not run") in ("survives",
                                                          "not run")}
        for done in concurrent.futures.as_completed(asked):
            mutant = asked[done]
            fates[keys[mutant]] = done.result()
            self.results.save()
            if done.result() in ("survives", "not run"):
                print("%s:%d: %s: %s %s\n  - %s\n  + %s" % (
                    file, mutant.line, mutant.function, mutant.kind,
                    done.result(), mutant.before, mutant.after), flush=True)
        return [(m, fates[keys[m]]) for m in all_]


def tell(file, fates, argued):
    """The file's counts; its survivors, new ones apart."""
    groups = collections.Counter(f.split(" by ")[0] for _, f in fates)
    alive = [m for m, f in fates if f in ("survives", "not run")]
    known = [m for m in alive
             if Argument(file, m.function, m.before, m.after) in argued]
    row = (len(fates), groups["killed"], groups["same code"],
           groups["stillborn"], len(known))
    print("%-28s %5d mutants, %4d killed, %3d same code, %3d not compiled, "
          "%3d argued, %3d survive" % (file, *row, len(alive) - len(known)))
    return row, alive, [m for m in alive if m not in known]


def document(counts):
    """Puts the table into docs/security.md."""
    lines = ["| `%s` | %s |" % (file, " | ".join(map(str, row)))
             for file, row in counts]
    lines.append("| **all** | %s |" % " | ".join(
        str(sum(column)) for column in zip(*(row for _, row in counts))))
    text, n = re.subn(r"(### Mutants\n\n(?:\|.*\n){2})(?:\|.*\n)+",
                      lambda m: m[1] + "\n".join(lines) + "\n",
                      SECURITY.read_text())
    if n != 1:
        raise Failure("%s has no table of mutants" % SECURITY)
    SECURITY.write_text(text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--cflags", required=True)
    parser.add_argument("--libs", required=True)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--document", action="store_true")
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()

    argued = arguments()
    workshop = Workshop(args.build, args.cflags, args.libs, args.jobs)
    workshop.prepare()
    hunt = Run(workshop, measure_all(workshop), argued, args.jobs)
    rows = [(file, hunt.file(file, args.all)) for file in args.files]
    print()
    new, used, counts = [], set(), []
    for file, fates in rows:
        row, alive, fresh = tell(file, fates, argued)
        counts.append((file, row))
        used |= {Argument(file, m.function, m.before, m.after) for m in alive}
        new += [(file, m) for m in fresh]
    for file, m in new:
        print("\n%s: %s\n- %s\n+ %s" % (file, m.function, m.before, m.after))
    if args.document:
        document(counts)
    vain = [a for a, why in argued.items() if a.file in args.files
            and a not in used and not why.startswith(CHANCE)]
    for a in vain:
        print("\nargued, and does not survive: %s: %s\n- %s\n+ %s" % a)
    if new or vain:
        sys.exit("mutants: %d survive, %d arguments about none"
                 % (len(new), len(vain)))


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit("mutants: %s" % failure)
