# SPDX-License-Identifier: BSD-2-Clause
"""Each call of a kind fails once, in turn, while something is asked of nginx:
what is seen then, and that all is as before afterwards.

TORTURE=all goes through every call; TORTURE=N (2 unless set) takes N of each
sweep at random, as TORTURE_SEED has it.  TORTURE_SITES names a file that is
told which calls of the module have failed."""

import os
import random
import time

from .client import fetch
from .expect import IDENTITY, REASONS, default_status, seen
from .faults import CALLS, EVERYWHERE, HEAP, MODULE, POOL
from .nginx import SANITIZED, wait_for
from .signer import Request

POINTS = os.environ.get("TORTURE", "2")
SEED = os.environ.get("TORTURE_SEED") or str(random.randrange(1 << 32))
SITES_FILE = os.environ.get("TORTURE_SITES")
MOST = 20000        # points of a sweep

KINDS = {
    "nginx's memory": (POOL, MODULE),
    "memory": (HEAP, MODULE),
    "anybody's memory": (HEAP, EVERYWHERE),
    "system calls": (CALLS, MODULE),
}
MEMORY = ("nginx's memory", "memory")

# What nginx itself says, in [emerg] and [alert], of a call that failed.
NGINX_SAYS = r"\w+\(.*\).* failed \(\d+: "

chooser = random.Random(SEED)


def points(total):
    """Which of so many calls shall fail: a list, or all that there are."""
    if POINTS == "all":
        return range(1, MOST)
    return sorted(chooser.sample(range(1, total + 1),
                                 min(int(POINTS), total)))


class Torture:
    """nginx has one worker, and `faults` preloaded."""

    def __init__(self, faults, nginx):
        self.faults = faults
        self.nginx = nginx
        self.known = None
        self.frugal = False     # what fits into nginx's first pool block
        nginx.expect(NGINX_SAYS)

    @property
    def pid(self):
        if self.known is None or not os.path.exists("/proc/%d" % self.known):
            pids = self.nginx.workers()
            assert len(pids) == 1, pids
            self.known = next(iter(pids))
        return self.known

    def sweep(self, act, check, recover, kinds=tuple(KINDS), every=False,
              lossy=(), **how):
        """act() asks; its value is given to check(), whatever has failed
        meanwhile.  recover() asserts that nothing is wrong any more.  every:
        no samples.  lossy: names of calls of libraries' threads that lose
        memory when they fail.  how: as Faults.ask()."""
        wrong = []
        for kind in kinds:
            if SANITIZED and KINDS[kind][0] == HEAP:
                continue    # ASan's malloc comes before the shim's
            wrong += self.sweep_kind(kind, act, check, recover, every, lossy,
                                     **how)
        assert not wrong, "TORTURE_SEED=%s\n%s" % (SEED, "\n".join(wrong))

    def sweep_kind(self, kind, act, check, recover, every, lossy, **how):
        families, scope = KINDS[kind]
        how = {"pid": self.pid, "scope": scope, **how}
        wrong = []

        def once(at=0):
            try:
                with self.faults.failing(families, at=at, **how):
                    answer = act()
            except OSError as error:    # it hangs
                raise AssertionError("%s, call %d: %s" % (
                    kind, at, self.faults.words(self.faults.stack()))) \
                    from error
            failed, stack = self.faults.failed, self.faults.stack()
            if failed:
                self.note(at)
            try:
                check(answer)
                recover()
            except AssertionError as error:
                wrong.append("%s, call %d of %d: %s\n    %s" % (
                    kind, at, total, self.faults.words(stack),
                    str(error).replace("\n", " ")))
            return stack if failed else None

        total = 0
        for _ in range(2):      # what is done only once, later runs lack
            once()
        total = self.faults.seen
        self.faults.track(self.pid)
        once()
        time.sleep(0.05)
        held = self.now_held()
        assert total or kind == "system calls" or self.frugal
        for at in range(1, total + 1) if every else points(total):
            stack = once(at)
            if stack is None:
                break
            name, site = self.faults.site(at)
            if name in lossy and site == 0:
                held = self.now_held()
                continue
            held, lost = self.compare(held, lambda at=at: once(at))
            if lost:
                wrong.append("%s, call %d of %d: %s are lost\n    %s" % (
                    kind, at, total, lost, self.faults.words(stack)))
        return wrong

    # What is held

    def now_held(self):
        """(blocks of the heap, descriptors) of the worker."""
        return (self.faults.live,
                len(os.listdir("/proc/%d/fd" % self.pid)))

    def settled(self, most):
        """The same, when it is no more than that, or does not change."""
        now = self.now_held()
        for _ in range(20):
            if all(n <= m for n, m in zip(now, most)):
                break
            time.sleep(0.01)
            now = self.now_held()
        return now

    def compare(self, held, again):
        """Whether more is held than before, and each time more again: what is
        held, and what is lost.  Libraries keep this and that, but not more
        and more: libcrypto, for one, the places of its last 16 errors."""
        now = self.settled(held)
        for _ in range(40):
            if all(n <= h for n, h in zip(now, held)):
                return now, ""
            held = now
            again()
            now = self.settled(held)
        return now, "blocks or descriptors, %s," % (now,)

    def note(self, at):
        if SITES_FILE:
            with open(SITES_FILE, "a", encoding="ascii") as f:
                f.write("%s %x\n" % self.faults.site(at))

    # What holds for every nginx afterwards

    def check_idle(self, status_port):
        """Nobody waits: the one request that nginx has is ours."""
        def idle():
            text = fetch(self.nginx.port(status_port), Request()).body.decode()
            return text.partition("Writing: ")[2].split()[0] == "1"
        wait_for("all requests to be answered", idle)


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
