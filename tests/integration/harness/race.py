# SPDX-License-Identifier: BSD-2-Clause
"""Copies of one request racing each other over several connections, while
something is done to the servers."""

import collections
import os
import threading
import time

import h2.config
import h2.connection
import h2.events

from .client import Connection
from .expect import seen

# How often, and for how long, races are run: 1 in `make test`.
STRESS = float(os.environ.get("STRESS", 1))


class Line:
    """A connection that is opened anew when it was lost."""

    def __init__(self, port):
        self.port = port
        self.connection = None

    def ask(self, raw):
        """The reason; None when the answer was lost, or there was nobody."""
        try:
            if self.connection is None:
                self.connection = Connection(self.port)
            self.connection.send(raw)
            response = self.connection.receive()
        except OSError:
            response = None
        if response is None or response.status == 0:
            self.close()
            return None
        if response.header("Connection") == "close":
            self.close()
        return seen(response)[0]

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


class Race:
    """Each of `ports` gets `copies` connections; request() makes the next
    request, of which every connection sends one copy at the same time."""

    def __init__(self, ports, request, copies=2):
        self.lines = [Line(port) for port in ports for _ in range(copies)]
        self.request = request
        self.answers = []       # a list of reasons for each request
        self.raw = None
        self.over = False
        self.barrier = threading.Barrier(len(self.lines), action=self._next)

    def _next(self):
        if self.until():
            self.over = True
            return
        self.raw = self.request().raw()
        self.answers.append([None] * len(self.lines))

    def _run(self, index):
        try:
            while True:
                self.barrier.wait(30)
                if self.over:
                    return
                self.answers[-1][index] = self.lines[index].ask(self.raw)
        except threading.BrokenBarrierError:
            pass
        except BaseException:
            self.barrier.abort()
            raise
        finally:
            self.lines[index].close()

    def run(self, count=None, seconds=None, disturb=None, times=0):
        """Until so many requests or seconds; disturb(), again and again
        meanwhile, in this thread, and so many times at the least, however
        long a slow machine takes.  The answers."""
        end = time.monotonic() + (seconds or 1e6)
        done = 0
        self.until = lambda: (time.monotonic() > end and done >= times) \
            or (count is not None and len(self.answers) >= count)
        threads = [threading.Thread(target=self._run, args=(i,))
                   for i in range(len(self.lines))]
        for thread in threads:
            thread.start()
        try:
            while disturb and not self.over \
                    and (time.monotonic() < end or done < times):
                disturb()
                done += 1
        finally:
            if disturb:
                end, done = 0, times
            for thread in threads:
                thread.join(60)
        assert not self.barrier.broken
        return self.answers


def tally(answers):
    """What all answers were, counted."""
    return collections.Counter(reason for a in answers for reason in a)


def check_undisturbed(answers):
    """Each request was accepted once, and its other copies were replays."""
    for a in answers:
        assert sorted(a) == ["nonce-replayed"] * (len(a) - 1) + ["ok"], a


def check_disturbed(answers, *allowed):
    """None was accepted twice; whatever else was answered is of `allowed`,
    or lost."""
    assert all(a.count("ok") <= 1 for a in answers)
    odd = set(tally(answers)) - {"ok", "nonce-replayed", None, *allowed}
    assert not odd, odd


class Streams:
    """One HTTP/2 connection without TLS: many requests at once."""

    def __init__(self, port):
        self.raw = Connection(port).socket
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        self.raw.sendall(self.h2.data_to_send())

    def send(self, requests):
        """All in one write; the streams."""
        ids = []
        for request in requests:
            ids.append(self.h2.get_next_available_stream_id())
            self.h2.send_headers(ids[-1], [
                (":method", request.method), (":scheme", request.scheme),
                (":authority", request.host), (":path", request.target),
                *((n.lower(), v) for n, v in request.headers)],
                end_stream=True)
        self.flush()
        return ids

    def receive(self, ids):
        """The reasons, in the order of ids."""
        reasons, ended = {}, set()
        while not ended.issuperset(ids):
            data = self.raw.recv(65536)
            assert data, "the connection was closed"
            for event in self.h2.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    reasons[event.stream_id] = dict(event.headers)["x-reason"]
                elif isinstance(event, h2.events.DataReceived):
                    self.h2.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    ended.add(event.stream_id)
            self.flush()
        return [reasons[i] for i in ids]

    def close(self):
        self.raw.close()
