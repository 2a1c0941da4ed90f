# SPDX-License-Identifier: BSD-2-Clause
"""Puts figures into docs/performance.md: between <!-- name --> and
<!-- /name --> stands what a run has found, as a table."""

import re
import time

from common import ROOT
from table import VERDICTS

PAGE = ROOT / "docs/performance.md"


def replace(name, lines):
    text = PAGE.read_text()
    begin, end = "<!-- %s -->\n" % name, "<!-- /%s -->" % name
    assert text.count(begin) == 1 and text.count(end) == 1, name
    inside = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.S)
    new = begin + "\n".join(lines) + "\n" + end
    PAGE.write_text(inside.sub(lambda _: new, text))


def columns(heads, rows):
    """Markdown; the first column is text, the others numbers."""
    return ["| %s |" % " | ".join(heads),
            "|---|" + "--:|" * (len(heads) - 1)] + \
        ["| %s |" % " | ".join(row) for row in rows]


def instructions(counts, owners):
    return [line for part, title in (("stages", "stage of core"),
                                     ("requests", "request"))
            for line in columns([title, *owners, "all"], [
                [name, *("{:,}".format(c.get(o, 0)) for o in owners),
                 "{:,}".format(sum(c.values()))]
                for name, c in counts[part].items()]) + [""]]


def machine(r):
    m = r["machine"]
    return ("%s: %s, %d cores%s, Linux %s, nginx %s, libsodium %s, OpenSSL "
            "%s, gcc %s. %d rounds in %.0f seconds." % (
                time.strftime("%Y-%m-%d"), m["processor"], m["cores"],
                " of a virtual machine" if m["virtual"] else "",
                m["kernel"].partition("-")[0], m["nginx"], m["libsodium"],
                m["openssl"], m["compiler"], r["rounds"],
                r["noise"]["seconds"]))


def noise(r):
    n = r["noise"]
    text = ("Meanwhile the host took %.1f %% of a core away, other processes "
            "used %.1f %%, and workers were ready and did not run for %.1f %% "
            "of the time.")
    return [text % (100 * n["steal"], 100 * n["others"], 100 * n["waited"])] \
        + ["**Not to be trusted**: %s." % doubt for doubt in n["doubts"]]


def range_of(s, form="%.3f"):
    return (form + " (" + form + " to " + form + ")") % (
        s["median"], s["q1"], s["q3"])


def figures(r):
    limit = [[name, range_of(r["limit"]["processor"][name]),
              range_of(r["limit"]["throughput"][name])]
             for name in r["limit"]["processor"]]
    limit.append(["our own time, microseconds",
                  range_of(r["limit"]["own_us"], "%.2f"), ""])
    rows = []
    for name, row in r["rows"].items():
        against = [""] * 3
        if "against" in row:
            against = ["%.2f" % row["ratio"]["median"],
                       "%+.2f" % row["more"]["median"], row["against"]]
        rows.append([name, "%.2f" % row["us"]["median"],
                     "%.1f" % (100 * row["spread"]),
                     "{:,.0f}".format(row["per_second"]),
                     "%.2f" % row["busy"], *against])
    parts = [[name, "%.2f" % s["median"]] for name, s in
             [("one verification: " + n, s) for n, s in r["raw"].items()]
             + [("core: " + n, s) for n, s in r["stages"].items()]]
    budgets = [[b["name"], "%.3f" % b["value"], "%.2f" % b["bound"],
                VERDICTS[b["met"]]] for b in r["budgets"]]
    return [machine(r), "", *noise(r), "",
            *columns(["the limit", "by processor time", "by throughput"],
                   limit), "",
            *columns(["budget", "measured", "bound", ""], budgets), "",
            *columns(["request", "us", "spread %", "a second", "busy", "ratio",
                    "us more", "against"], rows), "",
            *columns(["by itself", "us"], parts)]
