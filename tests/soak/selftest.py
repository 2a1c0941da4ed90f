# SPDX-License-Identifier: BSD-2-Clause
"""Is anything noticed?  Wrong answers, logs and sizes, each of which must be a
finding, and right ones, none of which may be."""

import collections
import types

from harness.client import Response
from harness.expect import IDENTITY, REASONS, default_status
from harness.signer import Request

import reloads
import watch
from oracle import KEY_TROUBLE, OK, REPLAYED, Oracle, Timeline, Trial

HALF = 5            # a time in the middle of what happens here


def answer(reason, status=None, decision=None, body=b"ok", identity=None):
    """As the shops give it, unless told otherwise."""
    outcome = REASONS[reason][0]
    headers = [("X-reason", reason), ("X-result", outcome),
               ("X-decision", decision
                or ("allow" if reason == "ok" else "deny"))]
    if identity if identity is not None else outcome == "verified":
        headers += [("X-" + name, "x") for name in IDENTITY]
    return Response(default_status(reason) if status is None else status,
                    headers, body)


class Scene:
    """An oracle whose clock is set by hand."""

    def __init__(self):
        self.now = 0
        self.timeline = Timeline(clock=lambda: self.now)
        self.oracle = Oracle(self.timeline, redis=("redis",),
                             say=lambda _: None)

    def span(self, name, start, end=None):
        self.now = start
        span = self.timeline.begin(name)
        if end is not None:
            self.now = end
            self.timeline.end(span)

    def ask(self, reasons, response, start=HALF, takes=1, shop="file", **more):
        """Whether the oracle complains."""
        before = self.oracle.nfindings
        self.now = start + takes
        self.oracle.judge(
            Trial("test", shop, Request(), frozenset(reasons), **more),
            start, start + takes, response)
        return self.oracle.nfindings > before


FORGED = ("bad-signature",)
LOST = Response(0)
STORE_DOWN = answer("nonce-store-unavailable")

# name, whether it is wrong, what the request deserves, the answer, and more
ANSWERS = (
    ("let in", False, OK, answer("ok"), {}),
    ("forged, refused", False, FORGED, answer("bad-signature"), {}),
    ("forged, let in", True, FORGED, answer("ok"), {}),
    ("forged, refused and served", True, FORGED,
     answer("bad-signature", status=200), {}),
    ("forged, and let by in dry run", True, FORGED,
     answer("bad-signature", status=200, decision="dry-run-deny"), {}),
    ("forged, with an identity", True, FORGED,
     answer("bad-signature", identity=True), {}),
    ("forged, for another reason", True, FORGED, answer("expired"), {}),
    ("forged, passes where it is optional", True, FORGED,
     answer("bad-signature", status=200, decision="pass"),
     {"place": "optional"}),
    ("unsigned, passes where it is optional", False, ("no-signature",),
     answer("no-signature", status=200, decision="pass"),
     {"place": "optional"}),
    ("unsigned, passes", True, ("no-signature",),
     answer("no-signature", status=200, decision="pass"), {}),
    ("replayed, refused", False, REPLAYED, answer("nonce-replayed"), {}),
    ("replayed, let in", True, REPLAYED, answer("ok"), {}),
    ("expired, let in", True, ("expired",), answer("ok"), {}),
    ("noise, refused by nginx", False, FORGED, Response(400), {"bare": True}),
    ("refused by nginx, and no noise", True, OK, Response(400), {}),
    ("a good one, refused", True, OK, answer("bad-signature"), {}),
    ("let in without an identity", True, OK, answer("ok", identity=False), {}),
    ("let in, 500", True, OK, answer("ok", status=500), {}),
    ("another body", True, OK, answer("ok", body=b"mine"), {"body": b"ok"}),
    ("refused, and served", True, FORGED, answer("bad-signature"),
     {"body": b"ok"}),
    ("no reason", True, OK, Response(200, (), b"ok"), {}),
    ("no answer", True, OK, LOST, {}),
    ("no end", True, OK, None, {}),
    ("too late", True, OK, answer("ok"), {"takes": 30}),
    ("the store is up", True, OK, STORE_DOWN, {"shop": "redis",
                                               "store": True}),
)

# The same while something is the matter: first that, from when to when.
TROUBLES = (
    ("Redis is down", False, ("redis", 0, 9), OK, STORE_DOWN,
     {"shop": "redis", "store": True}),
    ("Redis was down before", True, ("redis", 0, 4), OK, STORE_DOWN,
     {"shop": "redis", "store": True}),
    ("Redis is down, it has its own table", True, ("redis", 0, 9), OK,
     STORE_DOWN, {"store": True}),
    ("Redis is down, the store is not asked", True, ("redis", 0, 9), FORGED,
     STORE_DOWN, {"shop": "redis"}),
    ("Redis is down, let in", True, ("redis", 0, 9), REPLAYED, answer("ok"),
     {"shop": "redis", "store": True}),
    ("its worker was killed", False, ("kill file", 0, None), OK, LOST, {}),
    ("a worker was killed before", True, ("kill file", 0, 4), OK, LOST, {}),
    ("another shop's worker was killed", True, ("kill redis", 0, 9), OK, LOST,
     {}),
    ("a reload, a new connection", True, ("reload file", 0, 9), OK, LOST, {}),
    ("a reload, an old connection", False, ("reload file", 0, 9), OK, LOST,
     {"reused": True}),
)


def key_scene(retired=None, seen=None, gone=None):
    """A key that is served from 0 on."""
    scene = Scene()
    scene.oracle.serves("file", ["k"])
    if seen is not None:
        scene.ask(OK, answer("ok"), start=seen, key="k")
    if retired is not None:
        scene.now = retired
        scene.oracle.serves("file", [], ["k"])
    if gone is not None:
        scene.ask(OK, answer("key-unknown"), start=gone, key="k")
    assert scene.oracle.nfindings == 0
    return scene


UNKNOWN = answer("key-unknown")

# name, whether it is wrong, the key's life, the answer, when
KEYS = (
    ("a new key, not there yet", False, {}, UNKNOWN, 2),
    ("a new key, there", False, {}, answer("ok"), 2),
    ("a key that was there", True, {"seen": 1}, UNKNOWN, 3),
    ("a key retired just now", False, {"seen": 1, "retired": 4},
     answer("ok"), 5),
    ("a retired key, gone", False, {"seen": 1, "retired": 4}, UNKNOWN, 5),
    ("a retired key comes back", True, {"seen": 1, "retired": 4, "gone": 5},
     answer("ok"), 7),
)


def answers():
    for name, wrong, reasons, response, more in ANSWERS:
        yield name, wrong, Scene().ask(reasons, response, **more)
    for name, wrong, span, reasons, response, more in TROUBLES:
        scene = Scene()
        scene.span(*span)
        yield name, wrong, scene.ask(reasons, response, **more)


def keys():
    for name, wrong, life, response, when in KEYS:
        yield name, wrong, key_scene(**life).ask(OK, response, start=when,
                                                 key="k")
    for name, wrong, well, response, when, retired in (
            ("never in use", True, 0, UNKNOWN, 100, None),
            ("not in use after an outage", False, 95, UNKNOWN, 100, None),
            ("never given up", True, 0, answer("ok"), 100, 10)):
        scene = key_scene(retired=retired)
        scene.now = well
        scene.oracle.health("file", True)
        yield name, wrong, scene.ask(OK, response, start=when, key="k")
    yield "a key that nobody serves", True, Scene().ask(
        OK | KEY_TROUBLE, answer("ok"), key="k")


def nonces():
    scene = Scene()
    yield "once", False, scene.ask(OK | REPLAYED, answer("ok"), nonce="n")
    yield "elsewhere", False, scene.ask(OK | REPLAYED, answer("ok"),
                                        nonce="n", shop="redis")
    yield "twice", True, scene.ask(OK | REPLAYED, answer("ok"), nonce="n")
    for live, wrong in ((1, True), (2, False), (4, True)):
        said = []
        watch.nonces_remembered("file", live,
                                *scene.oracle.remembered("file", 300),
                                said.append)
        yield "%d remembered" % live, wrong, bool(said)


def shop_of_log(folder, lines):
    return types.SimpleNamespace(dir=folder, error_log="\n".join(lines))


def logs(folder):
    (folder / "logs").mkdir()
    (folder / "logs/output").write_text("")
    kill = "[alert] 1#1: worker process 2 exited on signal 9"
    for name, wrong, lines, killed in (
            ("a quiet log", False, ["[notice] all is well"], 0),
            ("a worker that was killed", False, [kill], 1),
            ("one more than were killed", True, [kill, kill], 1),
            ("a crash", True, [kill.replace("9", "11")], 1),
            ("an alert", True, ["[alert] 1#1: open socket #7 left"], 0),
            ("a report", True, ["==1==ERROR: AddressSanitizer: x"], 0)):
        said = []
        watch.read_log(shop_of_log(folder, lines), {
            "a worker that was killed": killed,
            "a reload that was refused": 0}, said.append)
        yield name, wrong, bool(said)


FLAT = {"master_kb": 3000, "master_fds": 16, "worker_kb": 2000,
        "worker_fds": 20}


def sizes():
    for name, wrong, more, peak in (
            ("nothing grows", False, {}, {}),
            ("a worker grows", True, {"worker_kb": 9000}, {}),
            ("a worker leaves descriptors", True, {"worker_fds": 40}, {}),
            ("the master grows", True, {"master_kb": 9000}, {}),
            ("the master leaves descriptors", True, {"master_fds": 40}, {}),
            ("a peak of memory", True, {}, {"worker_kb": 1 << 20}),
            ("a peak of descriptors", True, {}, {"worker_fds": 900})):
        said = []
        shop = types.SimpleNamespace(name="s")
        seen = types.SimpleNamespace(
            shops=[shop], peaks={"s": {**FLAT, **peak}},
            moments=[{"moment": "a", "s": FLAT},
                     {"moment": "b", "s": {**FLAT, **more}}])
        watch.growth(seen, said.append, ("a", "b"), ("a", "b"))
        yield name, wrong, bool(said)


class Flat(reloads.Master):
    """Whose sizes are given."""

    def __init__(self, name, sizes, **last):
        self.name = name
        self.sizes = [{"private_kb": kb, "anonymous_kb": kb, "heap_blocks": 9,
                       "descriptors": 16} for kb in sizes]
        self.sizes[-1].update(last)


def masters():
    level, rising = [3000] * 11, [3000 + 60 * i for i in range(11)]
    for name, wrong, ours, plain, last in (
            ("flat", False, level, level, {}),
            ("ours grows", True, rising, level, {}),
            ("both grow", False, rising, rising, {}),
            ("blocks are left", True, level, level, {"heap_blocks": 99}),
            ("descriptors are left", True, level, level,
             {"descriptors": 17})):
        said = []
        reloads.verdict((Flat("module", ours, **last),
                         Flat("plain", plain)), 500, said.append, 1)
        yield name, wrong, bool(said)


def run(folder):
    """(noticed, cases): equal when all went as it must."""
    results = collections.Counter()
    for group in (answers(), keys(), nonces(), logs(folder), sizes(),
                  masters()):
        for name, wrong, complained in group:
            results["cases"] += 1
            results["right"] += wrong == complained
            if wrong != complained:
                print("self-test: %s: %s" % (
                    name, "not noticed" if wrong else "taken for wrong"))
    return results["right"], results["cases"]
