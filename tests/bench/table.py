# SPDX-License-Identifier: BSD-2-Clause
"""What a run's rounds come to, as a record and as a table."""

import statistics

import noise
from rows import (CONTROL, DENIED, PLAIN, VERIFIED)

# Of core's step that asks the crypto, the base is measured by itself.
STAGES = ("parse", "policy", "lookup", "rules", "base", "crypto", "record",
          "judge")
OURS = [s for s in STAGES if s != "crypto"]

EARLY = ("refused: expired", "refused: unknown tag", "refused: unknown key",
         "refused: replay")
# Servers of several processes, which share the core: they wait for each other.
SHARED = ("two", "Redis", "service", "peer")
# A worker that is less busy than this is not what bounds the throughput.
SATURATED = 0.9

FLAT = ("verified, 100 keys", "verified, 10,000 keys",
        "verified, 100 directories", "verified, 1 million live",
        "verified, 10 million live")


def summary(values):
    """The median, and the middle half around it."""
    if len(values) == 1:
        q1 = q3 = values[0]
    else:
        q1, _, q3 = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": statistics.median(values), "q1": q1, "q3": q3}


def spread(s):
    return (s["q3"] - s["q1"]) / s["median"] if s["median"] else 0.0


def column(cells, name):
    return [cell[name] for cell in cells]


def of_row(row, cells):
    mine = cells[row.name]
    us = summary(column(mine, "us"))
    wall = statistics.median(column(mine, "wall"))
    out = {"us": us, "spread": spread(us), "per_second": 1e6 / wall,
           "busy": us["median"] / wall,
           "wait": statistics.median(column(mine, "wait")),
           "p99": statistics.median(column(mine, "p99"))}
    if row.against:
        other = cells[row.against]
        pairs = list(zip(column(other, "us"), column(mine, "us")))
        out["against"] = row.against
        out["ratio"] = summary([a / b for a, b in pairs])
        out["more"] = summary([b - a for a, b in pairs])
        out["ratio_per_second"] = summary(
            [a / b for a, b in zip(column(other, "wall"),
                                   column(mine, "wall"))])
    return out


def limits(cells, raw):
    """The limit as 1 / (plain + one verification), from the same round."""
    verify = column(raw, "libsodium")
    out = {}
    for what in ("us", "wall"):
        plain = column(cells[PLAIN], what)
        verified = column(cells[VERIFIED], what)
        control = column(cells[CONTROL], what)
        rounds = list(zip(plain, verify, verified, control))
        key = {"us": "processor", "wall": "throughput"}[what]
        out[key] = {
            "verified / computed limit": summary(
                [(p + r) / v for p, r, v, _ in rounds]),
            "control / computed limit": summary(
                [(p + r) / c for p, r, _, c in rounds]),
            "verified / control": summary([c / v for _, _, v, c in rounds]),
        }
    out["own_us"] = summary(
        [v - c for v, c in zip(column(cells[VERIFIED], "us"),
                               column(cells[CONTROL], "us"))])
    return out


def stages_of(stages):
    out = {}
    for name in STAGES:
        values = [s["step"] - s["base"] if name == "rules" else s[name]
                  for s in stages]
        out[name] = summary(values)
    out["all but crypto"] = summary(
        [sum(s[n] for n in ("parse", "policy", "lookup", "step", "record",
                            "judge")) for s in stages])
    return out


def budget(name, value, bound, at_least=True):
    return {"name": name, "value": value, "bound": bound,
            "met": value >= bound if at_least else value <= bound}


def throughput(rows, name, s):
    b = budget(name + ", throughput", s["median"], 0.95)
    if min(rows[n]["busy"] for n in (PLAIN, CONTROL, VERIFIED)) < SATURATED:
        b["met"] = None
    return b


def budgets(rows, limit):
    out = []
    for name in ("verified / computed limit", "verified / control"):
        out.append(throughput(rows, name, limit["throughput"][name]))
        out.append(budget(name + ", processor time",
                          limit["processor"][name]["median"], 0.95))
    out.append(budget("our own time in a verified request, us",
                      limit["own_us"]["median"], 3.0, at_least=False))
    for name in EARLY:
        out.append(budget("%s / %s" % (name, DENIED),
                          rows[name]["ratio"]["median"], 0.85))
    for name in FLAT:
        out.append(budget("%s / %s" % (name, rows[name]["against"]),
                          rows[name]["ratio"]["median"], 0.95))
    return out


def judged(rows, limit):
    """The spreads of the ratios that a budget is judged by."""
    out = {"%s, %s" % (name, what): spread(s)
           for what, parts in limit.items() if what != "own_us"
           for name, s in parts.items()}
    out.update((name, spread(rows[name]["ratio"])) for name in EARLY + FLAT)
    return out


def result(rows, cells, raw, stages, watched, memory, machine):
    table = {row.name: of_row(row, cells) for row in rows}
    waited = statistics.mean(
        column([c for row in rows for c in cells[row.name]
                if row.server not in SHARED], "wait"))
    limit = limits(cells, raw)
    doubts = noise.doubts(watched, waited, judged(table, limit))
    return {"machine": machine, "rounds": len(raw),
            "noise": {**watched, "waited": waited, "doubts": doubts},
            "trustworthy": not doubts,
            "raw": {name: summary(column(raw, name)) for name in raw[0]},
            "stages": stages_of(stages), "rows": table, "limit": limit,
            "memory": memory,
            "budgets": budgets(table, limit)}


# Printing

VERDICTS = {True: "met", False: "NOT MET",
            None: "cannot be told: the worker was not saturated"}


def show_parts(title, parts):
    print("\n%s" % title)
    for name, s in parts.items():
        print("  %-34s %8.2f  %4.1f %%" % (name, s["median"],
                                          100 * spread(s)))


def show_rows(rows):
    print("\n%-32s %8s %7s %9s %5s %6s %7s %7s  %s" % (
        "requests", "us", "spread", "a second", "busy", "ratio", "by rate",
        "us more", "against"))
    for name, r in rows.items():
        line = "  %-30s %8.2f %5.1f %% %9.0f %5.2f" % (
            name, r["us"]["median"], 100 * r["spread"], r["per_second"],
            r["busy"])
        if "against" in r:
            line += " %6.2f %7.2f %7.2f  %s" % (
                r["ratio"]["median"], r["ratio_per_second"]["median"],
                r["more"]["median"], r["against"])
        print(line)


def show_limit(limit):
    print("\nverified requests and the limit              processor"
          "          throughput")
    for name in limit["processor"]:
        print("  %-34s" % name, end="")
        for what in ("processor", "throughput"):
            s = limit[what][name]
            print("   %5.3f (%5.3f-%5.3f)" % (s["median"], s["q1"], s["q3"]),
                  end="")
        print()
    own = limit["own_us"]
    print("  %-34s   %5.2f (%5.2f-%5.2f)" % (
        "our own time, us", own["median"], own["q1"], own["q3"]))


def show(r):
    m = r["machine"]
    print("%(processor)s, %(cores)d cores, kernel %(kernel)s, nginx "
          "%(nginx)s, libsodium %(libsodium)s" % m
          + (", virtual" if m["virtual"] else ""))
    print("medians of %d rounds; spread: the middle half of the rounds; "
          "ratio: of processor times" % r["rounds"])
    show_parts("one Ed25519 verification, us", r["raw"])
    show_parts("core alone, a verified request, us", r["stages"])
    show_rows(r["rows"])
    show_limit(r["limit"])
    print("\nbudgets")
    for b in r["budgets"]:
        print("  %-66s %6.3f %s %5.2f  %s" % (
            b["name"], b["value"],
            "<=" if b["name"].endswith("us") else ">=", b["bound"],
            VERDICTS[b["met"]]))
    print("\nprivate memory of a worker, kB, before and after: " + ", ".join(
        "%s %d %d" % (name, m["before_kb"], m["after_kb"])
        for name, m in r["memory"].items()))
    n = r["noise"]
    print("\nmachine: %.0f s; the host took %.1f %% of a core, other processes "
          "%.1f %%; workers waited %.1f %%"
          % (n["seconds"], 100 * n["steal"], 100 * n["others"],
             100 * n["waited"]))
    for doubt in n["doubts"]:
        print("NOT TO BE TRUSTED: " + doubt)
