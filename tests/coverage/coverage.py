# SPDX-License-Identifier: BSD-2-Clause
"""What the tests run, by gcov.  See `make coverage`.

    coverage.py begin BUILD         forget earlier runs; let workers write
    coverage.py collect BUILD RUN   what a run has run, into BUILD/RUN.json:
                                    unit or integration
    coverage.py report BUILD ARGUED the tables; exit status 1 below the bounds

A branch is one way out of one condition, gcov's count; C has no exceptions
that would add others.  ARGUED (docs/coverage.md) holds the lines of core and
fetch that may stay without, or with part of their branches, each as
"src/core/file.c: text of the line"; what it does not hold is printed, and so is
what it holds in vain."""

import collections
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# room, what is measured, in percent: lines, branches
BOUNDS = (("core", "unit", 95, 90), ("fetch", "unit", 95, 90),
          ("nginx", "integration", 85, None),
          ("cli", "integration", None, None))


# where a run's objects are
OBJECTS = {"unit": ("obj/src/core", "obj/src/fetch", "unit"),
           "integration": ("obj/src/cli", "nginx/addon/nginx")}


def notes(build, parts):
    return [p for part in parts
            for p in pathlib.Path(build, part).resolve().rglob("*.gcno")]


def begin(build):
    """nginx's workers run as nobody: their files are here before them."""
    build = pathlib.Path(build).resolve()
    for folder in [build, *build.parents]:
        if not folder.stat().st_mode & 0o001:
            sys.exit("coverage: nginx's workers cannot get into %s: use a "
                     "clone in a folder that everybody may enter" % folder)
    for note in notes(build, ("obj", "unit", "nginx")):
        data = note.with_suffix(".gcda")
        data.unlink(missing_ok=True)
        data.touch()
        data.chmod(0o666)


def collect(build, run):
    """{file: {line: [count, [count of each branch]]}}, over all objects."""
    merged = collections.defaultdict(dict)
    for note in notes(build, OBJECTS[run]):
        data = note.with_suffix(".gcda")
        command = ["gcov", "--json-format", "--stdout",
                   "--branch-probabilities", str(data)]
        if not data.exists() or data.stat().st_size == 0:
            command[-1] = str(note)         # nothing of it has run
            data.unlink(missing_ok=True)
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, cwd=build)
        for unit in done.stdout.splitlines():
            for file in json.loads(unit)["files"]:
                path = os.path.relpath(os.path.join(build, file["file"]), ROOT)
                if path.startswith("src/"):
                    add(merged[path], file["lines"])
    pathlib.Path(build, run + ".json").write_text(json.dumps(merged))


def add(known, lines):
    for line in lines:
        counts = [b["count"] for b in line["branches"]]
        entry = known.setdefault(line["line_number"], [0, []])
        # the parts of a process that was killed may not add up
        entry[0] += max(0, line["count"])
        entry[1] += [0] * (len(counts) - len(entry[1]))
        for i, count in enumerate(counts):
            entry[1][i] += max(0, count)


def percent(part, whole):
    return 100.0 * part / whole if whole else 100.0


class Sum:
    def __init__(self, lines=()):
        self.lines = [sum(e[0] > 0 for e in lines), len(lines)]
        self.branches = [sum(c > 0 for e in lines for c in e[1]),
                         sum(len(e[1]) for e in lines)]

    def add(self, other):
        for mine, its in ((self.lines, other.lines),
                          (self.branches, other.branches)):
            mine[0] += its[0]
            mine[1] += its[1]

    def row(self, name):
        return "%-44s %5d /%5d %6.1f%%   %5d /%5d %6.1f%%" % (
            name, *self.lines, percent(*self.lines), *self.branches,
            percent(*self.branches))


def tables(runs):
    """Prints each room; returns what is below its bound."""
    failures = []
    for room, run, *bounds in BOUNDS:
        total = Sum()
        print("\n%-44s %20s   %20s" % ("%s, by the %s tests" % (room, run),
                                       "lines", "branches"))
        for path, lines in sorted(runs[run].items()):
            if path.startswith("src/%s/" % room):
                one = Sum(list(lines.values()))
                total.add(one)
                print(one.row(path.partition("/")[2]))
        print(total.row("total"))
        for what, bound, got in zip(("lines", "branches"), bounds,
                                    (total.lines, total.branches)):
            if bound and percent(*got) < bound:
                failures.append("%s: %.1f %% of %s, less than %d %%"
                                % (room, percent(*got), what, bound))
    return failures


def gaps(lines_of, path):
    """(number, text, whether it ran) of what is not covered in full."""
    text = (ROOT / path).read_text().splitlines()
    for number, (count, branches) in sorted(
            (int(n), e) for n, e in lines_of.items()):
        if count == 0 or 0 in branches:
            yield number, text[number - 1].strip(), count > 0


def argue(run, argued):
    """Prints core's and fetch's gaps that nobody argued, and arguments about
    none; returns how many."""
    listed = set(re.findall(r"^(src/\S+: .*\S)$",
                            pathlib.Path(argued).read_text(), re.M))
    found, new = set(), []
    for path, lines in sorted(run.items()):
        if re.match("src/(core|fetch)/", path):
            for number, text, ran in gaps(lines, path):
                found.add("%s: %s" % (path, text))
                if "%s: %s" % (path, text) not in listed:
                    new.append("%s:%d: %s   %s" % (
                        path, number, "in part" if ran else "not run", text))
    for title, rows in (("not covered, and not in %s:" % argued, new),
                        ("in %s, and covered or gone:" % argued,
                         sorted(listed - found))):
        if rows:
            print("\n%s\n  %s" % (title, "\n  ".join(rows)))
    return len(new) + len(listed - found)


def report(build, argued):
    runs = {run: json.loads(pathlib.Path(build, run + ".json").read_text())
            for run in OBJECTS}
    failures = tables(runs)
    rest = pathlib.Path(build, "uncovered.txt")
    rest.write_text("".join(
        "%s:%d: %s   %s\n" % (path, number, "in part" if ran else "not run",
                              text)
        for path, lines in sorted(runs["integration"].items())
        if re.match("src/(nginx|cli)/", path)
        for number, text, ran in gaps(lines, path)))
    print("\nThe gaps of nginx and cli are in %s." % os.path.relpath(rest))
    n = argue(runs["unit"], argued)
    if n:
        failures.append("%d gaps or arguments to look at" % n)
    if failures:
        sys.exit("coverage: " + "; ".join(failures))


if __name__ == "__main__":
    {"begin": begin, "collect": collect, "report": report}[sys.argv[1]](
        *sys.argv[2:])
