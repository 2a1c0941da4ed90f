# SPDX-License-Identifier: BSD-2-Clause
"""A redis-server of a test's own, and a client that speaks as much as tests
need."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

from . import ports
from .nginx import wait_for


class Redis:
    """On a TCP port of loopback and a unix socket; nothing is kept on disk."""

    def __init__(self, *options):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="wba-test-redis-"))
        self.folder.chmod(0o755)
        self.port = ports.free()
        self.path = self.folder / "redis.sock"
        self.options = options
        self.password = None
        self.process = None
        self.start()

    def start(self, *more):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1",
             "--unixsocket", str(self.path), "--unixsocketperm", "777",
             "--save", "", "--appendonly", "no", "--dir", str(self.folder),
             *self.options, *more],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("redis to listen", self.listening)
        return self

    def listening(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return self.path.exists()
        except OSError:
            return False

    def stop(self):
        if self.process and self.process.poll() is None:
            self.go_on()
            self.process.kill()
            self.process.wait()
        self.path.unlink(missing_ok=True)

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def pause(self):
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def url(self, user="", db=0):
        at = user + "@" if user else ""
        return "redis://%s127.0.0.1:%d/%d" % (at, self.port, db)

    def command(self, *words, db=0):
        """The reply: str, int, None, a list; RuntimeError for an error."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as s:
            stream = s.makefile("rwb")
            if self.password:
                ask(stream, "AUTH", self.password)
            if db:
                ask(stream, "SELECT", db)
            return ask(stream, *words)


def ask(stream, *words):
    out = b"*%d\r\n" % len(words)
    for word in words:
        word = str(word).encode()
        out += b"$%d\r\n%s\r\n" % (len(word), word)
    stream.write(out)
    stream.flush()
    return reply(stream)


def reply(stream):
    line = stream.readline()[:-2]
    kind, rest = line[:1], line[1:].decode()
    if kind == b"+":
        return rest
    if kind == b"-":
        raise RuntimeError(rest)
    if kind == b":":
        return int(rest)
    if kind == b"$":
        if rest == "-1":
            return None
        return stream.read(int(rest) + 2)[:-2].decode()
    return None if rest == "-1" else [reply(stream)
                                      for _ in range(int(rest))]
