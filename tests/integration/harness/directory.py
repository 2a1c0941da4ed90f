# SPDX-License-Identifier: BSD-2-Clause
"""An https key directory on loopback whose manners a test can change."""

import dataclasses
import email.utils
import gzip
import http.server
import socket
import ssl
import threading
import time

from . import ports
from .signer import OMIT, Request, Sig, content_digest, sign

WELL_KNOWN = "/.well-known/http-message-signatures-directory"
MEDIA_TYPE = "application/http-message-signatures-directory+json"


@dataclasses.dataclass
class Manners:
    """How a path is answered.  A header's value may be a function, called for
    each answer."""

    body: str = '{"keys":[]}'
    status: int = 200
    media_type: str = MEDIA_TYPE
    headers: tuple = ()
    delay: float = 0        # seconds before the answer
    dribble: float = 0      # seconds between the bytes of the body
    dribble_head: float = 0     # seconds between the bytes of the header
    hang: bool = False      # never answers, until release()
    close: bool = False     # closes without an answer
    cut: int = None         # closes after so many bytes of the body
    etag: str = None        # sent, and a request that has it gets a 304
    last_modified: str = None   # the same
    location: str = None
    gzip: bool = False      # Content-Encoding: gzip, asked for or not
    proof: tuple = ()       # signer.Sig of each signature, see proof_by()
    digest_of: bytes = None     # what the proof's digest is of; the body


def http_date(seconds=0):
    """For Manners.headers: the time so many seconds from the answer on."""
    return lambda: email.utils.formatdate(time.time() + seconds, usegmt=True)


def proof_by(key, /, **over):
    """How key proves that its owner publishes it."""
    return Sig(**{"key": key, "nonce": OMIT, "alg": OMIT,
                  "tag": "http-message-signatures-directory",
                  "components": ("@authority;req", "content-digest"),
                  **over})


def gzip_bomb(size):
    """Of so many bytes, when unpacked."""
    return gzip.compress(b" " * size)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass    # a client that went away is not the directory's concern


class Directory:
    """paths maps a path (with its query), or HOST/PATH, to Manners; anything
    else is 404.

    log holds (time, path, headers) of each request, statuses (HOST/PATH,
    status) of each answer, connections counts the TCP connections, failed
    handshakes included.  chain: (certificate, key) instead of the
    authority's usual one."""

    def __init__(self, authority, address="127.0.0.1", chain=None):
        self.authority = authority
        self.address = address
        self.chain = chain or (authority.cert, authority.key)
        self.port = ports.free()
        self.paths = {}
        self.log = []
        self.statuses = []
        self.connections = 0
        self.open = set()
        self.gate = threading.Event()
        self.server = None
        self.thread = None
        self.start()

    def url(self, path=WELL_KNOWN, host=None):
        return "https://%s:%d%s" % (host or self.address, self.port, path)

    def serve(self, path=WELL_KNOWN, **manners):
        """Sets or changes how a path is answered."""
        old = self.paths.get(path, Manners())
        self.paths[path] = dataclasses.replace(old, **manners)
        if self.paths[path].hang:
            self.gate.clear()

    def manners(self, host, path, default):
        return self.paths.get(host + path, self.paths.get(path, default))

    def count(self, path=WELL_KNOWN, status=None):
        """Requests for a path or HOST/PATH; or the answers of a status."""
        if status is None:
            return sum(1 for _, p, h in list(self.log)
                       if path in (p, host_of(h) + p))
        return sum(1 for p, s in list(self.statuses)
                   if p.endswith(path) and s == status)

    def times(self, path=WELL_KNOWN):
        """When the requests for a path or HOST/PATH came."""
        return [t for t, p, h in list(self.log) if path in (p, host_of(h) + p)]

    def release(self):
        """Lets the answers that hang be given."""
        for path in self.paths:
            self.paths[path] = dataclasses.replace(self.paths[path],
                                                   hang=False)
        self.gate.set()

    def start(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.chain)
        self.server = Server((self.address, self.port), handler(self, context))
        self.thread = threading.Thread(target=self.server.serve_forever,
                                       args=(0.05,), daemon=True)
        self.thread.start()

    def stop(self):
        """Nobody listens any more; start() opens the same port again."""
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        for connection in list(self.open):
            hang_up(connection)


def hang_up(connection):
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass    # the other side was faster


def host_of(headers):
    return headers.get("Host", "").partition(":")[0]


def answer_headers(manners, request_headers, body):
    """Those that depend on what is answered."""
    out = [("Content-Length", str(len(body)))]
    if manners.gzip:
        out.append(("Content-Encoding", "gzip"))
    if manners.location:
        out.append(("Location", manners.location))
    if manners.etag:
        out.append(("ETag", manners.etag))
    if manners.last_modified:
        out.append(("Last-Modified", manners.last_modified))
    if manners.proof:
        signed = body if manners.digest_of is None else manners.digest_of
        digest = ("Content-Digest", content_digest(signed))
        asked = Request(host=request_headers.get("Host"), scheme="https",
                        headers=[digest])
        out += sign(asked, *manners.proof).headers
    return out + [(n, v() if callable(v) else v) for n, v in manners.headers]


def not_modified(manners, headers):
    """Whether the request's own conditions say that it has this already."""
    if manners.status != 200:
        return False
    if "If-None-Match" in headers:
        return manners.etag is not None \
            and headers["If-None-Match"] == manners.etag
    return manners.last_modified is not None \
        and headers.get("If-Modified-Since") == manners.last_modified


def handler(directory, context):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self):
            directory.connections += 1
            self.request.settimeout(60)
            self.request = context.wrap_socket(self.request, server_side=True)
            directory.open.add(self.request)
            super().setup()

        def finish(self):
            directory.open.discard(self.request)
            super().finish()

        def do_GET(self):
            directory.log.append((time.time(), self.path, self.headers))
            host = host_of(self.headers)
            manners = directory.manners(host, self.path, Manners(status=404))
            if manners.hang:
                directory.gate.wait(60)
            manners = directory.manners(host, self.path, manners)
            time.sleep(manners.delay)
            if manners.close:
                self.abort()
                return
            if not_modified(manners, self.headers):
                manners = dataclasses.replace(manners, status=304, body="",
                                              gzip=False, proof=())
            directory.statuses.append((host + self.path, manners.status))
            self.answer(manners)

        def answer(self, manners):
            body = manners.body
            body = body if isinstance(body, bytes) else body.encode()
            if manners.gzip and body[:2] != b"\x1f\x8b":
                body = gzip.compress(body)
            self.send_response(manners.status)
            self.send_header("Content-Type", manners.media_type)
            for header in answer_headers(manners, self.headers, body):
                self.send_header(*header)
            self.write_head(manners.dribble_head)
            if manners.cut is not None:
                self.wfile.write(body[:manners.cut])
                self.abort()
            elif manners.status in (204, 304):
                self.close_connection = True
            else:
                self.write(body, manners.dribble)

        def write_head(self, pause):
            head = b"".join(self._headers_buffer) + b"\r\n"
            self._headers_buffer = []
            self.write(head, pause)

        def write(self, data, pause):
            if not pause:
                self.wfile.write(data)
                return
            for i in range(len(data)):
                self.wfile.write(data[i:i + 1])
                time.sleep(pause)

        def abort(self):
            self.close_connection = True
            hang_up(self.request)

        def log_message(self, *_):
            pass

    return Handler
