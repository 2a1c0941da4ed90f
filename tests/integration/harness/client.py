# SPDX-License-Identifier: BSD-2-Clause
"""HTTP clients which send what they are told, byte by byte if need be."""

import concurrent.futures
import os
import re
import socket
import ssl
import subprocess
import threading

DEADLINE = 20       # seconds that any single answer may take


class Response:
    """status (0: the connection was closed without an answer), headers as
    (name, value), body."""

    def __init__(self, status, headers=(), body=b""):
        self.status = status
        self.headers = list(headers)
        self.body = body

    def header(self, name, default=""):
        for n, v in self.headers:
            if n.lower() == name.lower():
                return v
        return default

    def __repr__(self):
        shown = {n: v for n, v in self.headers if n.lower().startswith("x-")}
        return "<%d %s %r>" % (self.status, shown, self.body[:60])


def parse_head(head):
    lines = head.decode("latin-1").split("\r\n")
    pairs = [line.partition(":") for line in lines[1:] if line]
    return (int(lines[0].split()[1]),
            [(n, v.strip()) for n, _, v in pairs])


class Connection:
    """One connection to 127.0.0.1; tls: a CA file, or False."""

    def __init__(self, port, tls=False, name="shop.test", alpn=None,
                 source=None):
        self.buffer = b""
        self.socket = socket.create_connection(
            ("127.0.0.1", port), DEADLINE,
            source_address=(source, 0) if source else None)
        if tls:
            context = ssl.create_default_context(cafile=str(tls))
            if alpn:
                context.set_alpn_protocols(alpn)
            self.socket = context.wrap_socket(self.socket,
                                              server_hostname=name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.raw())

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            data = b""
        self.buffer += data
        return bool(data)

    def _take(self, n):
        while len(self.buffer) < n and self._more():
            pass
        taken, self.buffer = self.buffer[:n], self.buffer[n:]
        return taken

    def _until(self, mark):
        while mark not in self.buffer:
            if not self._more():
                return None
        taken, _, self.buffer = self.buffer.partition(mark)
        return taken

    def receive(self, head_only=False):
        """The next response on this connection."""
        head = self._until(b"\r\n\r\n")
        if head is None:
            return Response(0, body=self.buffer)
        status, headers = parse_head(head)
        response = Response(status, headers)
        if head_only or status in (204, 304) or status < 200:
            return response
        if response.header("Transfer-Encoding") == "chunked":
            while True:
                size = int(self._until(b"\r\n") or b"0", 16)
                response.body += self._take(size)
                self._take(2)
                if size == 0:
                    return response
        length = response.header("Content-Length", None)
        response.body = self._take(int(length) if length is not None
                                   else 1 << 40)
        return response


def fetch(port, request, **how):
    """Sends one request on a connection of its own; the response."""
    with Connection(port, **how) as c:
        try:
            c.send(request)
        except (BrokenPipeError, ConnectionResetError):
            pass    # refused before all of it was sent: there is an answer
        return c.receive(getattr(request, "method", "") == "HEAD")


def load(count, make, threads=50):
    """Calls make(i) for i < count on a bounded number of threads which start
    together; the results in order."""
    threads = min(threads, count)
    barrier = threading.Barrier(threads)

    def first(i):
        if i < threads:
            barrier.wait(DEADLINE)
        return make(i)

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return list(pool.map(first, range(count)))


def curl(port, request, *options, tls=False, name="shop.test"):
    """The request by curl, which chooses :authority by Host; the response and
    the HTTP version used.  options such as --http2; CURL is another curl."""
    url = "%s://%s:%d%s" % ("https" if tls else "http", name, port,
                            request.target)
    args = [os.environ.get("CURL") or "curl", "-sS", "-i", "--path-as-is", "--globoff", "--noproxy", "*",
            "--max-time", str(DEADLINE), "-X", request.method,
            "--resolve", "%s:%d:127.0.0.1" % (name, port), *options]
    if tls:
        args += ["--cacert", str(tls)]
    if request.host is not None:
        args += ["-H", "Host: " + request.host]
    for name_, value in request.headers:
        # An empty field is curl's "Name;".
        args += ["-H", "%s: %s" % (name_, value) if value else name_ + ";"]
    if request.body is not None:
        args += ["--data-binary", "@-"]
    done = subprocess.run(args + [url], input=request.body or b"",
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    status, headers = parse_head(head)
    response = Response(status, headers, body)
    response.version = re.match(r"HTTP/([0-9.]+)", head.decode())[1]
    return response
