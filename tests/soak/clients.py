# SPDX-License-Identifier: BSD-2-Clause
"""Ways to send a request.  Each answers as harness.client.fetch does; None:
no end within the bound."""

import socket
import struct
import time

import h2.config
import h2.connection
import h2.events

from harness.client import Connection, Response

from oracle import BOUND


def connect(port):
    connection = Connection(port)
    connection.socket.settimeout(BOUND)
    return connection


def receive(connection):
    try:
        return connection.receive()
    except TimeoutError:
        return None
    except (OSError, ValueError):
        return Response(0)


def ask(port, raw, pause=0):
    """pause: seconds between bytes."""
    try:
        with connect(port) as c:
            try:
                if pause:
                    dribble(c, raw, pause)
                else:
                    c.send(raw)
            except TimeoutError:
                return None
            except OSError:
                pass    # refused before all of it was sent
            return receive(c)
    except TimeoutError:
        return None
    except OSError:
        return Response(0)


def dribble(connection, raw, pause):
    for i in range(len(raw)):
        connection.send(raw[i:i + 1])
        time.sleep(pause)


def at_once(port, raws, one_connection):
    """Copies at the same time, or one after another without waiting."""
    if one_connection:
        try:
            with connect(port) as c:
                c.send(b"".join(raws))
                return [receive(c) for _ in raws]
        except OSError:
            return [Response(0) for _ in raws]
    connections = []
    try:
        for _ in raws:
            connections.append(connect(port))
        for c, raw in zip(connections, raws):
            c.send(raw)
    except OSError:
        pass        # the others are lost
    answers = [receive(c) for c in connections]
    for c in connections:
        c.close()
    return answers + [Response(0)] * (len(raws) - len(answers))


def hang_up(connection, reset):
    """reset: not in good order."""
    if reset:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                     struct.pack("ii", 1, 0))
    connection.close()


def abort(port, raw, after, reset, wait=0):
    """Sends so many bytes, waits, reads no more than a little, and is gone."""
    try:
        c = connect(port)
        try:
            c.send(raw[:after])
            if wait:
                c.socket.settimeout(wait)
                try:
                    c.socket.recv(500)
                except TimeoutError:
                    pass
        finally:
            hang_up(c, reset)
    except OSError:
        pass


UNTAKEN = Response(0)


class Frames:
    """What comes on a connection, whole frames at a time, without GOAWAY:
    after which h2 would take no answer any more, though those to what the
    server has taken (up to stream last) are still to come."""

    GOAWAY = 7

    def __init__(self):
        self.buffer = b""
        self.last = None

    def take(self, data):
        self.buffer += data
        out = b""
        while len(self.buffer) >= 9:
            size = 9 + int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) < size:
                break
            frame, self.buffer = self.buffer[:size], self.buffer[size:]
            if frame[3] == self.GOAWAY:
                self.last = int.from_bytes(frame[9:13], "big") & 0x7fffffff
            else:
                out += frame
        return out


class Streams:
    """One HTTP/2 connection, and what came of its streams."""

    def __init__(self, port):
        self.connection = connect(port)
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(header_encoding="latin-1"))
        self.h2.initiate_connection()
        self.frames = Frames()
        self.answers = {}
        self.ended = set()

    def flush(self):
        self.connection.send(self.h2.data_to_send())

    def send(self, request, end=True):
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, [
            (":method", request.method), (":scheme", request.scheme),
            (":authority", request.host), (":path", request.target),
            *((n.lower(), v) for n, v in request.headers)], end_stream=end)
        return stream

    def reset(self, stream):
        self.h2.reset_stream(stream, 8)     # CANCEL

    def _take(self, event):
        stream = getattr(event, "stream_id", None)
        if isinstance(event, h2.events.ResponseReceived):
            headers = dict(event.headers)
            self.answers[stream] = Response(int(headers[":status"]),
                                            list(event.headers))
        elif isinstance(event, h2.events.DataReceived):
            self.answers[stream].body += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length,
                                              stream)
        elif isinstance(event, (h2.events.StreamEnded,
                                h2.events.StreamReset)):
            self.ended.add(stream)

    def receive(self, streams):
        """Their answers, in order; UNTAKEN where a worker which ends has said
        that it leaves them to the next one, or has closed a connection of
        which it had not read anything."""
        end = time.monotonic() + BOUND
        late = False
        try:
            while not self.ended.issuperset(streams):
                if time.monotonic() > end:
                    raise TimeoutError
                data = self.connection.socket.recv(65536)
                if not data:
                    break
                for event in self.h2.receive_data(self.frames.take(data)):
                    self._take(event)
                self.flush()
        except TimeoutError:
            late = True
        except OSError:
            pass
        return [self._answer(stream, late) for stream in streams]

    def _answer(self, stream, late):
        if stream in self.ended:
            return self.answers.get(stream, Response(0))
        if late:
            return None
        nothing = self.frames.last is None and not self.answers
        if nothing or (self.frames.last is not None
                       and stream > self.frames.last):
            return UNTAKEN
        return Response(0)

    def close(self):
        self.connection.close()


def multiplexed(port, requests, dropped):
    """The answers to requests, while each of dropped is given up in
    mid-flight: some with their body still to come."""
    try:
        streams = Streams(port)
        streams.flush()
    except OSError:
        return [Response(0) for _ in requests]
    try:
        ids, doomed = [], []
        for i, request in enumerate(dropped):
            doomed.append(streams.send(request, end=i % 2 == 0))
        for request in requests:
            ids.append(streams.send(request))
        streams.flush()
        for stream in doomed:
            streams.reset(stream)
        streams.flush()
    except OSError:
        pass        # it was closed: what has come tells why
    answers = streams.receive(ids)
    streams.close()
    return answers
