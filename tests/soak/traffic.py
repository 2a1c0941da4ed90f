# SPDX-License-Identifier: BSD-2-Clause
"""The clients: threads that send, and have each answer judged."""

import collections
import random
import threading
import time
import traceback

import clients
import kinds
from oracle import BOUND, OK, REPLAYED

KEPT = 20000        # requests that were let in, to be sent again


class Traffic:
    def __init__(self, oracle, shops, pause):
        """pause: seconds that each thread rests between requests, at most."""
        self.oracle = oracle
        self.shops = shops
        self.pause = pause
        self.let_in = {shop.name: collections.deque(maxlen=KEPT)
                       for shop in shops}
        self.go = threading.Event()
        self.over = threading.Event()
        self.idle = threading.Condition()
        self.busy = 0
        self.threads = []

    # Life

    def start(self, quick=6, slow=3, streams=2, aborting=2, racing=1):
        for count, act in ((quick, self.one), (slow, self.slowly),
                           (streams, self.streams), (aborting, self.abort),
                           (racing, self.race)):
            for _ in range(count):
                thread = threading.Thread(target=self._run, args=(act,))
                thread.start()
                self.threads.append(thread)
        self.go.set()

    def _run(self, act):
        while not self.over.is_set():
            if not self.go.wait(0.2):
                continue
            with self.idle:
                self.busy += 1
            try:
                act(random.choice(self.shops))
            except Exception:
                self.oracle.complain("a client failed: "
                                     + traceback.format_exc())
                time.sleep(1)
            finally:
                with self.idle:
                    self.busy -= 1
                    self.idle.notify_all()
            self.over.wait(random.uniform(0, self.pause))

    def rest(self):
        """Returns when nothing is under way any more."""
        self.go.clear()
        with self.idle:
            if not self.idle.wait_for(lambda: self.busy == 0, 4 * BOUND):
                self.oracle.complain("clients are stuck")

    def stop(self):
        self.rest()
        self.over.set()
        for thread in self.threads:
            thread.join()

    # What a thread does in its turn

    def judge(self, trial, start, response):
        outcome = self.oracle.judge(trial, start, time.monotonic(), response)
        if outcome == "ok" and trial.nonce is not None:
            self.let_in[trial.shop].append(trial)
        return outcome

    def one(self, shop):
        trial = kinds.any_kind(shop)
        if random.random() < 0.15 and self.let_in[shop.name]:
            trial = self.replayed(shop)
        start = time.monotonic()
        self.judge(trial, start, clients.ask(shop.port, trial.request.raw()))

    def replayed(self, shop):
        """One of the last, or of any time up to when it has expired."""
        earlier = self.let_in[shop.name]
        index = -1 if random.random() < 0.3 else random.randrange(len(earlier))
        return kinds.again("replayed", earlier[index], time.time())

    def slowly(self, shop):
        """The head, or a body, byte by byte."""
        if random.random() < 0.3:
            request, nonce = kinds.with_body(
                bytes(random.choices(b"ab", k=200)))
            trial = kinds.trial("slow", shop, request, OK, store=True,
                                nonce=nonce, proxied=True, body=b"posted")
        else:
            make = random.choice(kinds.GOOD + kinds.BAD)
            trial = make(shop)
            trial.kind = "slow"
        raw = trial.request.raw()
        start = time.monotonic()
        self.judge(trial, start, clients.ask(
            shop.port, raw, random.uniform(0.5, 3) / len(raw)))

    def streams(self, shop):
        """Some in one HTTP/2 connection, some of them given up in mid-flight;
        or one after another in one of HTTP/1.1."""
        trials = [random.choice(kinds.GOOD + kinds.BAD)(shop)
                  for _ in range(random.randint(1, 8))]
        if random.random() < 0.3:
            self.pipelined(shop, trials[:4])
            return
        for trial in trials:
            trial.kind = "HTTP/2 stream"
        doomed = [kinds.any_kind_of_stream(shop)
                  for _ in range(random.randint(0, 5))]
        start = time.monotonic()
        answers = clients.multiplexed(
            shop.port_h2, [t.request for t in trials],
            [t.request for t in doomed])
        for trial, answer in zip(trials, answers):
            trial.reused = answer is clients.UNTAKEN
            self.judge(trial, start, answer)
        for trial in doomed:
            trial.kind = "RST_STREAM"
            self.oracle.aborted(trial)

    def pipelined(self, shop, trials):
        for trial in trials[1:]:
            trial.reused = True
        start = time.monotonic()
        answers = clients.at_once(
            shop.port, [t.request.raw() for t in trials], True)
        closed = False
        for trial, answer in zip(trials, answers):
            trial.kind = "pipelined"
            if closed and answer is not None and answer.status == 0:
                self.oracle.aborted(trial)
            else:
                self.judge(trial, start, answer)
            closed = closed or answer is None or answer.status == 0 \
                or answer.header("Connection") == "close"

    def abort(self, shop):
        """Gone while the key is looked for, the head or body is read, or the
        answer is written.  What was sent may have been let in, so it is sent
        again: once in all, at most."""
        where = random.choice(("key", "head", "body", "answer", "at once"))
        wait, after = 0, None
        if where == "key":
            trial, wait = kinds.unknown_remote(shop), random.uniform(0.01, 0.3)
        elif where == "body":
            body = b"x" * 50000
            request, nonce = kinds.with_body(body)
            trial = kinds.trial("", shop, request, OK | REPLAYED, store=True,
                                nonce=nonce)
            after = len(request.raw()) - random.randint(1, len(body))
        elif where == "answer":
            trial, wait = kinds.accepted("", shop, kinds.BROWSER, "/large/",
                                         body=None), 0.2
        else:
            trial = kinds.browser(shop)
        raw = trial.request.raw()
        if where == "head":
            after = random.randrange(len(raw) - 4)
        trial.kind = "aborted: " + where
        self.oracle.aborted(trial)
        clients.abort(shop.port, raw, after, random.random() < 0.5, wait)
        if where in ("answer", "at once"):
            trial.kind = "sent again after " + where
            trial.reasons, trial.body = OK | REPLAYED, None
            start = time.monotonic()
            self.judge(trial, start, clients.ask(shop.port, raw))

    def race(self, shop):
        """Copies at the same time: one of them is let in, at most; all are
        answered, so it is one."""
        make = random.choice((kinds.browser, kinds.payer, kinds.bot,
                              kinds.ecdsa))
        trial = make(shop)
        trial.kind = "race"
        trial.reasons = OK | REPLAYED
        raw = trial.request.raw()
        start = time.monotonic()
        outcomes = [self.judge(trial, start, answer) for answer in
                    clients.at_once(shop.port, [raw] * random.randint(2, 4),
                                    False)]
        if set(outcomes) == {"nonce-replayed"}:
            self.oracle.complain("race at %s: all are replays" % shop.name)
