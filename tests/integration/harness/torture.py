# SPDX-License-Identifier: BSD-2-Clause
"""Each call of a kind fails once, in turn, while something is asked of nginx:
what is seen then, and that all is as before afterwards.

TORTURE=all goes through every call, TORTURE=A-B through those; TORTURE=N (2
unless set) takes N of each sweep at random, as TORTURE_SEED has it.
TORTURE_SITES names a file that is told which calls of the module have failed.
"""

import os
import random
import time

from .client import fetch
from .expect import IDENTITY, REASONS, default_status, seen
from .faults import CALLS, CHILDREN, EVERYWHERE, HEAP, MODULE, POOL
from .nginx import SANITIZED, wait_for
from .signer import Request

POINTS = os.environ.get("TORTURE", "2")
SEED = os.environ.get("TORTURE_SEED") or str(random.randrange(1 << 32))
SITES_FILE = os.environ.get("TORTURE_SITES")
MOST = 50000        # points of a sweep

KINDS = {
    "nginx's memory": (POOL, MODULE),
    "memory": (HEAP, MODULE),
    "anybody's memory": (HEAP, EVERYWHERE),
    "system calls": (CALLS, MODULE),
}

# What nginx itself says, in [emerg] and [alert], of a call that failed.
NGINX_SAYS = r"\w+\(.*\).* failed \(\d+: "

chooser = random.Random(SEED)


def points(total):
    """Which of so many calls shall fail: a list, or all that there are."""
    if POINTS == "all":
        return range(1, MOST)
    if "-" in POINTS:
        first, _, last = POINTS.partition("-")
        return range(int(first), int(last) + 1)
    return sorted(chooser.sample(range(1, total + 1),
                                 min(int(POINTS), total)))


class Torture:
    """Of an nginx with one worker and with `faults` preloaded: of the worker,
    of the master, or of CHILDREN, whichever they are.  revive(): what it takes
    to go on when something was wrong."""

    WORKER, MASTER = "worker", "master"

    def __init__(self, faults, nginx, of=WORKER, revive=None):
        self.faults = faults
        self.nginx = nginx
        self.of = of
        self.revive = revive
        self.known = None
        self.frugal = False     # what fits into nginx's first pool block
        nginx.expect(NGINX_SAYS)

    @property
    def pid(self):
        if self.of == CHILDREN:
            return CHILDREN
        if self.of == self.MASTER:
            return self.nginx.process.pid
        if self.known is None or not os.path.exists("/proc/%d" % self.known):
            pids = wait_for("a worker", self.nginx.workers)
            assert len(pids) == 1, pids
            self.known = next(iter(pids))
        return self.known

    def sweep(self, act, check, recover, kinds=tuple(KINDS), every=False,
              lossy=(), least=1, most=MOST, **how):
        """act() asks; its value is given to check(), whatever has failed
        meanwhile.  recover() asserts that nothing is wrong any more.  every:
        no samples.  lossy: names of calls of libraries' threads that lose
        memory when they fail.  least: so many calls there must be, of all
        kinds; most: of each kind, those beyond do not fail.  how: as
        Faults.ask()."""
        wrong, total = [], 0
        for kind in kinds:
            if SANITIZED and KINDS[kind][0] == HEAP:
                continue    # ASan's malloc comes before the shim's
            one = Sweep(self, kind, (act, check, recover), how)
            one.run(every, lossy, most)
            wrong += one.wrong
            total += one.total
        assert not wrong, "TORTURE_SEED=%s\n%s" % (SEED, "\n".join(wrong))
        assert SANITIZED or total >= least, total

    def check_idle(self, status_port):
        """Nobody waits: the one request that nginx has is ours."""
        def idle():
            text = fetch(self.nginx.port(status_port), Request()).body.decode()
            return text.partition("Writing: ")[2].split()[0] == "1"
        wait_for("all requests to be answered", idle)


class Sweep:
    """Of the calls of one kind."""

    def __init__(self, torture, kind, steps, how):
        self.torture = torture
        self.faults = torture.faults
        self.kind = kind
        self.act, self.check, self.recover = steps
        self.families, scope = KINDS[kind]
        self.how = {"scope": scope, **how}
        self.total = 0
        self.wrong = []

    def run(self, every, lossy, most):
        for _ in range(2):      # what is done only once, later runs lack
            self.once(0)
        self.total = self.faults.seen
        assert self.total or self.kind == "system calls" or self.torture.frugal
        self.track()
        self.once(0)
        time.sleep(0.05)
        held = self.now_held()
        some = min(self.total, most)
        for at in range(1, some + 1) if every else points(some):
            pid, known = self.torture.pid, len(self.wrong)
            stack = self.once(at)
            if not stack or at > most:
                break
            if self.torture.pid != pid:
                if len(self.wrong) == known:    # and not by revive()
                    self.note(at, stack, "the process has ended")
                self.track()
                held = self.now_held()
            elif self.faults.site(at) in [(name, 0) for name in lossy]:
                held = self.now_held()
            else:
                held = self.compare(held, at, stack)

    def once(self, at):
        """The stack of the call that failed, or nothing."""
        stack = ""
        try:
            with self.faults.failing(self.families, at=at,
                                     pid=self.torture.pid, **self.how):
                answer = self.act()
            stack = self.faults.stack() if self.faults.failed else ""
            if stack:
                self.tell_site(at)
            self.check(answer)
            self.recover()
        except OSError as error:
            raise AssertionError("nobody answers: %s, call %d: %s\n%s" % (
                self.kind, at, self.faults.words(self.faults.stack()),
                self.torture.nginx.error_log[-2000:])) from error
        except AssertionError as error:
            stack = self.faults.stack() if self.faults.failed else stack
            self.note(at, stack, str(error))
            if self.torture.revive:
                self.torture.revive()
        return stack

    def note(self, at, stack, what):
        self.wrong.append("%s, call %d of %d: %s\n    %s" % (
            self.kind, at, self.total, self.faults.words(stack),
            what.replace("\n", " ")))

    def tell_site(self, at):
        if SITES_FILE:
            with open(SITES_FILE, "a", encoding="ascii") as f:
                f.write("%s %x\n" % self.faults.site(at))

    # What is held

    def track(self):
        self.faults.track(max(self.torture.pid, 0))

    def now_held(self):
        """(blocks of the heap, descriptors) of the process."""
        if self.torture.of == CHILDREN:
            return 0, 0
        return (self.faults.live,
                len(os.listdir("/proc/%d/fd" % self.torture.pid)))

    def settled(self, most):
        """The same, when it is no more than that, or does not change."""
        now = self.now_held()
        for _ in range(20):
            if all(n <= m for n, m in zip(now, most)):
                break
            time.sleep(0.01)
            now = self.now_held()
        return now

    def compare(self, held, at, stack):
        """What is held now.  Libraries keep this and that, but not more and
        more: libcrypto, for one, what it says of its last 16 errors."""
        now = self.settled(held)
        for _ in range(40):
            if all(n <= h for n, h in zip(now, held)):
                return now
            held = now
            self.once(at)
            now = self.settled(held)
        self.note(at, stack, "more and more is held, blocks or descriptors: "
                  "%s" % (now,))
        return now


def verdict(reason, status=None, allow=(), optional=False, good=False):
    """For check(): the answer is what it would have been, or says that it
    could not be had; the identity of nobody whose signature is not good.
    404 is nginx's own, for a file that it cannot see."""
    if status is None:
        status = default_status(reason)

    def check(response):
        got = response.status, seen(response)[0]
        if got == (status, reason):
            return
        assert got in ((0, ""), (500, ""), (500, reason), (404, reason)) \
            or got == (503, "out-of-memory") \
            or optional and got == (200, "out-of-memory") \
            or got[1] in allow and got[0] == default_status(got[1]), \
            "right is %s: %r" % ((status, reason), response)
        if not good and REASONS[reason][0] != "verified":
            leaked = [v for v in IDENTITY if response.header("X-" + v)]
            assert not leaked, response
    return check
