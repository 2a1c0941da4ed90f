# SPDX-License-Identifier: BSD-2-Clause
"""What callgrind writes, as numbers: instructions by shared object, and by
function."""

import collections
import pathlib
import re

from common import owner

NAME = re.compile(r"(c?(?:ob|fl|fi|fe|fn))=(?:\((\d+)\)(?: (.*))?|(.*))$")


class Dump:
    """One dump: its trigger, and the instructions of each function itself."""

    def __init__(self, path):
        self.trigger = ""
        self.functions = collections.Counter()  # (owner, function) -> count
        names = {}
        ob = fn = "?"
        skip = False
        for line in path.read_text("latin-1").splitlines():
            match = NAME.match(line)
            if match:
                kind, number, text, plain = match.groups()
                # Names are given once; caller and callee share them.
                table = kind.lstrip("c")[:2] if kind != "ob" else "ob"
                table = {"fi": "fl", "fe": "fl"}.get(table, table)
                if number is None:
                    text = plain
                elif text is None:
                    text = names[table, number]
                names[table, number] = text
                if kind == "ob":
                    ob = owner(text)
                elif kind == "fn":
                    fn = text
            elif line.startswith("calls="):
                skip = True     # the next line's cost is the callee's
            elif line[:1].isdigit() or line[:1] in ("+", "-", "*"):
                if not skip:
                    self.functions[ob, fn] += int(line.split()[1])
                skip = False
            elif line.startswith("desc: Trigger: "):
                self.trigger = line.rpartition(": ")[2]

    def objects(self):
        total = collections.Counter()
        for (ob, _), count in self.functions.items():
            total[ob] += count
        return total


def dumps(out):
    """All dumps of --callgrind-out-file=out that a mark triggered, in order,
    as (mark, Dump)."""
    out = pathlib.Path(out)
    parts = sorted((p for p in out.parent.glob(out.name + ".*")),
                   key=lambda p: int(p.suffix[1:]))
    found = [Dump(p) for p in parts]
    return [(d.trigger, d) for d in found]
