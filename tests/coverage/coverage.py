# SPDX-License-Identifier: BSD-2-Clause
"""What the tests run, by gcov.  See `make coverage`.

    coverage.py begin BUILD         forget earlier runs; let workers write
    coverage.py collect BUILD RUN   what a run has run, into BUILD/RUN.json:
                                    unit or integration
    coverage.py report BUILD        the tables; exit status 1 below the bounds,
                                    and where unreached.txt is not right
    coverage.py document BUILD      both into docs/security.md

A branch is one way out of one condition, gcov's count; C has no exceptions
that would add others.  unreached.txt holds the lines of core, fetch and nginx
that no test runs, by the reason why: one that it does not hold is an error, and
so is one of core or fetch that it holds in vain.  (Of nginx some are reached
now and then, by who comes first.)"""

import collections
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEPT = pathlib.Path(__file__).with_name("unreached.txt")
SECURITY = ROOT / "docs/security.md"

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
    """{file: {line: [count, [count of each branch], function]}}, over all
    objects."""
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
        entry = known.setdefault(line["line_number"],
                                 [0, [], line.get("function_name", "")])
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


# ---- what is not reached

def unreached(runs):
    """{(path, function, text): how many lines}."""
    found = collections.Counter()
    for room, run, *_ in BOUNDS:
        for path, lines in runs[run].items():
            if path.startswith("src/%s/" % room) and room != "cli":
                text = (ROOT / path).read_text().splitlines()
                for number, (count, _, function) in lines.items():
                    if count == 0:
                        found[path, function,
                              text[int(number) - 1].strip()] += 1
    return found


def kept():
    """[(reason, {(path, function, text): how many lines})]"""
    reasons = []
    for line in KEPT.read_text().splitlines():
        entry = re.fullmatch(r"    (src/\S+): (\w*): (.*)", line)
        if entry:
            reasons[-1][1][entry.groups()] += 1
        elif line and line[0] not in " #":
            reasons.append((line, collections.Counter()))
        elif line.startswith("  ") and reasons and not reasons[-1][1]:
            reasons[-1] = (reasons[-1][0] + " " + line.strip(),
                           collections.Counter())
        elif line and line[0] != "#":
            sys.exit("coverage: %s: what is this?\n%s" % (KEPT.name, line))
    return reasons


def compare(runs):
    """Prints where the list of what is not reached is wrong; how often it
    is."""
    found = unreached(runs)
    listed = sum((entries for _, entries in kept()), collections.Counter())
    new, vain = found - listed, listed - found
    for title, rows in (
            ("not reached, and not in %s:" % KEPT.name, new),
            ("in %s, and reached or gone:" % KEPT.name, vain)):
        if rows:
            print("\n" + title)
            for row in sorted(rows.elements()):
                print("    %s: %s: %s" % row)
    return len(new) + sum(not path.startswith("src/nginx/")
                          for path, _, _ in vain)


def read(build):
    return {run: json.loads(pathlib.Path(build, run + ".json").read_text())
            for run in OBJECTS}


def report(build):
    runs = read(build)
    failures = tables(runs)
    n = compare(runs)
    if n:
        failures.append("%s is wrong about %d lines" % (KEPT.name, n))
    if failures:
        sys.exit("coverage: " + "; ".join(failures))


# ---- docs/security.md

def figures(runs):
    rows = ["| room | tests | lines | branches |", "|---|---|---|---|"]
    for room, run, *_ in BOUNDS:
        total = Sum([entry for path, lines in runs[run].items()
                     if path.startswith("src/%s/" % room)
                     for entry in lines.values()])
        rows.append("| `src/%s` | %s | %s | %s |" % (
            room, run, *("%d of %d (%.1f %%)" % (*got, percent(*got))
                         for got in (total.lines, total.branches))))
    return rows


def place(path):
    """As short as it can be told apart."""
    room, name = path.split("/")[1:]
    return name.replace("ngx_http_web_bot_auth_", "") if room == "nginx" \
        else name


def reasons_told():
    rows = ["| lines | where | why |", "|---|---|---|"]
    for reason, entries in kept():
        where = collections.defaultdict(dict)
        for (path, function, _), n in sorted(entries.items()):
            room = path.split("/")[1]
            per = where[room, place(path)]
            function = function.replace("ngx_http_wba_", "") \
                .replace("ngx_http_web_bot_auth_", "")
            per[function] = per.get(function, 0) + n
        rows.append("| %d | %s | %s |" % (
            sum(entries.values()),
            "; ".join("%s/%s: %s" % (*file, ", ".join(
                "`%s` %d" % one for one in sorted(per.items())))
                for file, per in sorted(where.items())), reason))
    return rows


def document(build):
    text = SECURITY.read_text()
    for title, rows in (("### Lines and branches", figures(read(build))),
                        ("### What no test reaches", reasons_told())):
        text, n = re.subn(r"(?m)(^%s\n(?:(?!\||#).*\n)*)(?:\|.*\n)+"
                          % re.escape(title),
                          lambda m: m[1] + "\n".join(rows) + "\n", text)
        if n != 1:
            sys.exit("coverage: docs/security.md has no table under %r"
                     % title)
    SECURITY.write_text(text)


if __name__ == "__main__":
    {"begin": begin, "collect": collect, "report": report,
     "document": document}[sys.argv[1]](*sys.argv[2:])
