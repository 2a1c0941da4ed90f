# SPDX-License-Identifier: BSD-2-Clause
"""make flamegraph: where the time of a verified request goes, as an SVG file.

perf looks at a saturated worker some thousand times a second (the software
clock: virtual machines have no counters).  A box is a function, as wide as its
share of the samples, on top of what called it; what has no name, as packages
carry none, goes by its library.  Beneath, the same as numbers: how much time
each library, the kernel, and each function of ours takes by itself.
"""

import argparse
import collections
import html
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

import servers
from common import CLIENT, owner

RATE = 3989         # a second; a prime, to be in step with nothing
WIDTH, ROW, TEXT = 1200, 17, 11
BOTTOM = "ngx_process_events_and_timers"    # what is below says nothing
KERNEL = 8          # functions of the kernel above a call of it

COLOURS = {"ours": "#e4632d", "nginx": "#8fb573", "libsodium": "#5b8fc7",
           "libc": "#c9a94f", "kernel": "#b9b4c2", "other": "#dddddd"}

FRAME = re.compile(r"^\s+([0-9a-f]+) (.*) \((.*)\)$")


# Sampling

def record(kit, data, seconds):
    """perf's samples of a worker that verifies, into the file data."""
    server = servers.protected(kit, "one")
    try:
        perf = subprocess.Popen(
            ["perf", "record", "-q", "-e", "cpu-clock", "-F", str(RATE),
             "--call-graph", "dwarf,8192", "-p", str(server.pids[0]), "-o",
             str(data)])
        result = None
        done = 0.0
        while done < seconds:
            result = server.ask("/on", "tap", 10000)
            if result["statuses"] != {"200": 10000}:
                sys.exit("expected 200, got %s" % result["statuses"])
            done += result["cpu"]
        perf.send_signal(signal.SIGINT)
        perf.wait()
    finally:
        server.stop()


def stacks(data):
    """Counts of stacks: tuples of (owner, name), outermost first."""
    out = subprocess.run(
        ["perf", "script", "-i", str(data), "--no-inline", "-F",
         "comm,ip,sym,dso"], check=True, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL).stdout.decode("latin-1")
    found = collections.Counter()
    for sample in out.split("\n\n"):
        frames = []
        for line in sample.splitlines():
            match = FRAME.match(line)
            if match:
                who = owner(match[3])
                name = re.sub(r"\.(isra|part|constprop)\.\d+$", "", match[2])
                if name == "[unknown]":
                    name = "[%s]" % who
                frames.append((who, name))
        if frames:
            found[cut(frames[::-1])] += 1
    return found


def cut(frames):
    """Without what is below the event loop, and with nameless neighbours of
    one library as one."""
    for i, (_, name) in enumerate(frames):
        if name == BOTTOM:
            frames = frames[i:]
            break
    out = []
    kernel = 0
    for frame in frames:
        kernel += frame[0] == "kernel"
        if kernel <= KERNEL and not (out and frame == out[-1]
                                     and frame[1].startswith("[")):
            out.append(frame)
    return tuple(out)


# Drawing

class Node:
    def __init__(self, who="", name=""):
        self.who, self.name = who, name
        self.count = 0
        self.children = {}

    def add(self, stack, count):
        self.count += count
        if stack:
            child = self.children.setdefault(stack[0], Node(*stack[0]))
            child.add(stack[1:], count)

    def depth(self, least):
        return 1 + max((c.depth(least) for c in self.children.values()
                        if c.count >= least), default=0)


def boxes(node, x, level, scale, least):
    """(x, level, node) of everything that is wide enough to be seen."""
    for child in sorted(node.children.values(), key=lambda c: c.name):
        if child.count >= least:
            yield x, level, child
            yield from boxes(child, x, level + 1, scale, least)
        x += child.count * scale


def draw_box(x, y, width, node, total):
    share = 100 * node.count / total
    title = "%s (%s): %.1f %%" % (node.name, node.who, share)
    letters = int((width - 6) / (TEXT * 0.6))
    label = node.name if len(node.name) <= letters \
        else node.name[:letters - 2] + ".." if letters > 4 else ""
    return ('<g><title>%s</title><rect x="%.1f" y="%d" width="%.1f" '
            'height="%d" fill="%s" rx="1"/>%s</g>' % (
                html.escape(title), x, y, max(width - 0.5, 0.4), ROW - 1,
                COLOURS.get(node.who, COLOURS["other"]),
                '<text x="%.1f" y="%d">%s</text>' % (
                    x + 3, y + ROW - 5, html.escape(label))
                if label else ""))


def draw(found, title):
    root = Node()
    for stack, count in found.items():
        root.add(stack, count)
    scale = WIDTH / root.count
    least = root.count * 0.5 / WIDTH
    height = (root.depth(least) - 1) * ROW
    top = 3 * ROW
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" '
           'width="%d" height="%d" font-family="monospace" '
           'font-size="%d">' % (WIDTH, top + height + 4, WIDTH,
                                top + height + 4, TEXT),
           '<rect width="100%" height="100%" fill="#ffffff"/>',
           '<text x="3" y="%d" font-size="13">%s</text>' % (
               ROW - 3, html.escape(title))]
    x = 3
    for who, colour in COLOURS.items():
        out.append('<rect x="%d" y="%d" width="12" height="12" fill="%s"/>'
                   '<text x="%d" y="%d">%s</text>' % (
                       x, ROW + 7, colour, x + 16, 2 * ROW, who))
        x += 110
    for x, level, node in boxes(root, 0, 0, scale, least):
        out.append(draw_box(x, top + height - (level + 1) * ROW,
                            node.count * scale, node, root.count))
    out.append("</svg>\n")
    return "\n".join(out)


# Numbers

def show(found):
    total = sum(found.values())
    owners, ours, within = (collections.Counter() for _ in range(3))
    for stack, count in found.items():
        who, name = stack[-1]
        owners[who] += count
        if who == "ours":
            ours[name] += count
        if any(w == "ours" for w, _ in stack) and who != "libsodium":
            within["ours, and what it calls but libsodium"] += count
    print("%d samples of a worker that verifies" % total)
    for counter, least in ((owners, 0), (within, 0), (ours, 0.001)):
        for name, count in counter.most_common():
            if count >= least * total:
                print("  %-42s %5.2f %%" % (name, 100 * count / total))
        print()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=float, default=4.0,
                        help="processor time of the worker")
    args = parser.parse_args()
    os.sched_setaffinity(0, {CLIENT})
    kit = servers.Kit(args.build.resolve())
    try:
        with tempfile.TemporaryDirectory(prefix="wba-perf-") as folder:
            data = pathlib.Path(folder) / "perf.data"
            record(kit, data, args.seconds)
            found = stacks(data)
    finally:
        kit.remove()
    show(found)
    args.out.write_text(draw(
        found, "Time of an nginx worker that verifies Ed25519 requests "
        "(tap), %d samples" % sum(found.values())))
    print("written to %s" % args.out)


if __name__ == "__main__":
    main()
