# SPDX-License-Identifier: BSD-2-Clause
"""docs/performance.md has the counts that are kept, names the commands that
there are, and every row that is measured."""

import json
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/performance.md").read_text()
KEPT = json.loads((ROOT / "tests/bench/instructions.json").read_text())


def section(name):
    return re.search(r"<!-- %s -->\n(.*)<!-- /%s -->" % (name, name), TEXT,
                     re.S)[1]


@pytest.mark.parametrize("part, name", [
    (part, name) for part in ("stages", "requests") for name in KEPT[part]])
def test_counts(part, name):
    counts = KEPT[part][name]
    row = re.search(r"^\| %s \| ([\d,]+) \|.* \| ([\d,]+) \|$"
                    % re.escape(name), section("instructions"), re.M)
    assert row, name
    assert row[1] == "{:,}".format(counts["ours"])
    assert row[2] == "{:,}".format(sum(counts.values()))


def test_commands():
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"^    make ([a-z-]+)", TEXT, re.M))
    targets = set(re.findall(r"^(bench[a-z-]*|instructions|flamegraph):.*##",
                             makefile, re.M))
    assert named == targets


def test_rows():
    source = (ROOT / "tests/bench/rows.py").read_text()
    names = re.findall(r'(?:cheap|crypto|body|Row)\("([^"]+)"', source) \
        + re.findall(r'^[A-Z]+ = "([^"=]+)"$', source, re.M)
    assert len(names) > 30
    missing = [n for n in names if "| %s |" % n not in section("figures")]
    assert missing == []
