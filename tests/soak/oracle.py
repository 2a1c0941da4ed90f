# SPDX-License-Identifier: BSD-2-Clause
"""What may be answered: to what was sent, given what was up at the time.

A Trial says what its request deserves when everything is up.  The timeline
says when something was not.  Oracle.judge() compares; what it does not expect
is a finding."""

import collections
import dataclasses
import threading
import time

from harness.expect import REASONS, default_status, expect

BOUND = 20          # seconds that any answer may take, on a machine with load
SETTLE = 15         # seconds until a new set is in use, the pause after
                    # failures apart: a killed worker's lease has ended

ALIKE = 5           # findings of one kind that are told; all are counted

STORE_TROUBLE = frozenset(("nonce-store-unavailable", "nonce-store-cold"))
KEY_TROUBLE = frozenset(("key-unknown", "directory-unavailable"))
OK = frozenset(("ok",))
REPLAYED = frozenset(("nonce-replayed",))


class Timeline:
    """Spans of time, by name; one that is open has no end yet.  Whoever makes
    trouble begins the span before, and ends it after."""

    def __init__(self, clock=time.monotonic):
        self.clock = clock
        self.lock = threading.Lock()
        self.spans = collections.defaultdict(list)

    def begin(self, name):
        span = [self.clock(), None]
        with self.lock:
            self.spans[name].append(span)
        return span

    def end(self, span):
        span[1] = self.clock()

    def touched(self, name, start, end):
        """Whether a span of that name overlaps start to end."""
        with self.lock:
            spans = self.spans[name]
            return any(s[0] <= end and (s[1] is None or s[1] >= start)
                       for s in reversed(spans[-50:]))

    def count(self, name):
        with self.lock:
            return len(self.spans[name])


@dataclasses.dataclass
class Life:
    """A key's in one shop: since when it is served and no longer, and since
    when nginx is known to have it, and to have it no longer."""

    served: float = None
    retired: float = None
    seen: float = None
    gone: float = None


@dataclasses.dataclass
class Trial:
    """reasons    what the request deserves, everything being up
    shop       whose nonces and keys these are
    store      whether the nonce store is asked
    key        of a directory that rotates: the keyid, else None
    nonce      let in once at most
    place      "on", or "optional"
    bare       nginx itself may refuse it (400), before anybody is asked
    reused     its connection had a request before: a worker that ends may
               close it
    proxied    a worker that is killed may have been its upstream"""

    kind: str
    shop: str
    request: object
    reasons: frozenset
    store: bool = False
    key: str = None
    nonce: str = None
    place: str = "on"
    bare: bool = False
    reused: bool = False
    proxied: bool = False
    body: bytes = None          # of the answer, when it is let in


def described(trial, response):
    seen = response and "%d %s %r" % (
        response.status, response.header("X-reason"), response.body[:40])
    fields = dict(trial.request.headers)
    return "%s for %s %s, %s" % (
        seen, trial.request.method, trial.request.target,
        repr(fields.get("Signature-Input"))[:200])


class Oracle:
    """redis: the shops whose nonces are in Redis; say: told of findings."""

    def __init__(self, timeline, redis=(), say=print):
        self.say = say
        self.timeline = timeline
        self.redis = frozenset(redis)
        self.lock = threading.Lock()
        self.let_in = collections.Counter()
        self.recorded = collections.defaultdict(collections.deque)
        self.lives = collections.defaultdict(Life)
        self.healthy = {}       # shop -> since when its directory is well
        self.outcomes = collections.Counter()
        self.findings = []
        self.nfindings = 0
        self.alike = collections.Counter()
        self.longest = 0

    # Findings

    def complain(self, what):
        with self.lock:
            self.nfindings += 1
            self.alike[what.partition(":")[0]] += 1
            if self.alike[what.partition(":")[0]] <= ALIKE:
                self.findings.append(what)
                self.say("FINDING: " + what)

    # Keys that come and go

    def serves(self, shop, keyids, retired=()):
        """Before a directory begins to serve keyids, and none of retired."""
        now = self.timeline.clock()
        with self.lock:
            for keyid in keyids:
                life = self.lives[shop, keyid]
                life.served = life.served or now
            for keyid in retired:
                life = self.lives[shop, keyid]
                life.retired = life.retired or now

    def health(self, shop, well, pause=0):
        """well: the directory answers as it should again; pause: seconds
        until nginx looks, at most."""
        now = self.timeline.clock()
        with self.lock:
            self.healthy[shop] = now + pause if well else None

    def _key_reasons(self, trial, start, end):
        """A key must be known once it was, until it is no longer served; and
        must not be once it was not, after that."""
        life = self.lives[trial.shop, trial.key]
        well = self.healthy.get(trial.shop)
        settled = well is not None and start > well + SETTLE
        if life.served is None or life.served > end:
            return KEY_TROUBLE
        if life.retired is None or life.retired > end:
            if life.seen is not None and start > life.seen:
                return OK
            if settled and start > life.served + SETTLE:
                return OK
        elif life.gone is not None and start > life.gone:
            return KEY_TROUBLE
        elif settled and start > life.retired + SETTLE:
            return KEY_TROUBLE
        return OK | KEY_TROUBLE

    def _note_key(self, trial, reason, start, end):
        life = self.lives[trial.shop, trial.key]
        if reason == "ok" and life.seen is None:
            life.seen = end
        if reason in KEY_TROUBLE and life.gone is None \
                and life.retired is not None and start > life.retired:
            life.gone = end

    # One answer

    def allowed(self, trial, start, end):
        reasons = trial.reasons
        if trial.key is not None:
            keys = self._key_reasons(trial, start, end)
            reasons = (reasons if "ok" in keys else frozenset()) \
                | (keys - OK)
        if trial.store and trial.shop in self.redis \
                and self.timeline.touched("redis", start, end):
            reasons = reasons | STORE_TROUBLE
        return reasons

    def may_be_lost(self, trial, start, end):
        return self.timeline.touched("kill " + trial.shop, start, end) or (
            trial.reused
            and self.timeline.touched("reload " + trial.shop, start, end))

    def judge(self, trial, start, end, response):
        """response: harness.client.Response; None: the answer did not come in
        time.  The outcome: a reason, "lost", "stuck" or "400"."""
        with self.lock:
            self.longest = max(self.longest, end - start)
        outcome, wrong = self._outcome(trial, start, end, response)
        with self.lock:
            self.outcomes[trial.kind, outcome] += 1
            self._note_nonce(trial, outcome, end)
            if outcome == "ok" and trial.nonce is not None:
                self.let_in[trial.shop, trial.nonce] += 1
                if self.let_in[trial.shop, trial.nonce] > 1:
                    wrong = "let in twice"
            if trial.key is not None:
                self._note_key(trial, outcome, start, end)
        if wrong:
            self.complain("%s at %s: %s, after %.1f s: %s" % (
                trial.kind, trial.shop, wrong, end - start,
                described(trial, response)))
        return outcome

    def _outcome(self, trial, start, end, response):
        """(outcome, what is wrong with it or None)"""
        if response is None:
            return "stuck", "no end of it"
        if end - start > BOUND:
            return "stuck", "too long"
        killed = self.timeline.touched("kill " + trial.shop, start, end)
        reason = response.header("X-reason")
        if response.status == 0:
            ok = self.may_be_lost(trial, start, end)
            return "lost", None if ok else "no answer, and no worker killed"
        if trial.bare and response.status == 400 and not reason:
            return "400", None
        with self.lock:
            allowed = self.allowed(trial, start, end)
        if reason not in allowed:
            return reason or str(response.status), \
                "%r is none of %s" % (reason, sorted(allowed))
        if trial.proxied and killed and response.status in (502, 504):
            return reason, None
        return reason, self._incoherent(trial, reason, response)

    def _incoherent(self, trial, reason, response):
        """Status, decision and variables belong to the reason."""
        outcome, class_ = REASONS[reason]
        passes = trial.place == "optional" and (
            outcome == "unsigned" or class_ in ("unknown", "unavailable"))
        try:
            expect(response, reason,
                   status=200 if passes else default_status(reason),
                   decision="pass" if passes else None)
        except AssertionError as failure:
            return "status, decision or variables: " + str(failure)[:200]
        if trial.body is not None \
                and (response.body == trial.body) != (response.status == 200):
            return "another body" if response.status == 200 \
                else "refused, and served"
        return None

    def aborted(self, trial):
        with self.lock:
            self.outcomes[trial.kind, "aborted"] += 1
            self._note_nonce(trial, "aborted", self.timeline.clock())

    # The table of nonces

    def _note_nonce(self, trial, outcome, end):
        """That it is remembered, or may be: a redirect may have led to a
        refusal, and whoever got no answer may have been let in."""
        known = outcome == "ok"
        if known or outcome in ("lost", "aborted") or trial.store:
            self.recorded[trial.shop].append(
                (end, known, 2 if trial.kind == "two signatures" else 1))

    def remembered(self, shop, seconds, slack=10):
        """(least, most) nonces that are remembered for so many seconds."""
        now = self.timeline.clock()
        with self.lock:
            noted = self.recorded[shop]
            while noted and noted[0][0] < now - seconds - slack:
                noted.popleft()
            return (sum(n for end, known, n in noted
                        if known and end > now - seconds + slack),
                    sum(n for _, _, n in noted))
