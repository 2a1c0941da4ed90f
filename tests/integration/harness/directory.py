# SPDX-License-Identifier: BSD-2-Clause
"""An https key directory on loopback whose manners a test can change."""

import dataclasses
import http.server
import socket
import ssl
import threading
import time

from . import ports

WELL_KNOWN = "/.well-known/http-message-signatures-directory"
MEDIA_TYPE = "application/http-message-signatures-directory+json"


@dataclasses.dataclass
class Manners:
    """How a path is answered."""

    body: str = '{"keys":[]}'
    status: int = 200
    media_type: str = MEDIA_TYPE
    headers: tuple = ()
    delay: float = 0        # seconds before the answer
    dribble: float = 0      # seconds between the bytes of the body
    hang: bool = False      # never answers, until release()
    close: bool = False     # closes without an answer
    cut: int = None         # closes after so many bytes of the body


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass    # a client that went away is not the directory's concern


class Directory:
    """paths maps a path (with its query) to Manners; anything else is 404.

    log holds (time, path, headers) of each request, connections counts the
    TCP connections, failed handshakes included."""

    def __init__(self, authority, address="127.0.0.1"):
        self.authority = authority
        self.address = address
        self.port = ports.free()
        self.paths = {}
        self.log = []
        self.connections = 0
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

    def count(self, path=WELL_KNOWN):
        return sum(1 for _, p, _ in self.log if p == path)

    def release(self):
        """Lets the answers that hang be given."""
        for path in self.paths:
            self.paths[path] = dataclasses.replace(self.paths[path],
                                                   hang=False)
        self.gate.set()

    def start(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.authority.cert, self.authority.key)
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


def handler(directory, context):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self):
            directory.connections += 1
            self.request.settimeout(60)
            self.request = context.wrap_socket(self.request, server_side=True)
            super().setup()

        def do_GET(self):
            directory.log.append((time.time(), self.path, self.headers))
            manners = directory.paths.get(self.path, Manners(status=404))
            if manners.hang:
                directory.gate.wait(60)
            manners = directory.paths.get(self.path, manners)
            time.sleep(manners.delay)
            if manners.close:
                self.abort()
                return
            self.answer(manners)

        def answer(self, manners):
            body = manners.body
            body = body if isinstance(body, bytes) else body.encode()
            self.send_response(manners.status)
            self.send_header("Content-Type", manners.media_type)
            self.send_header("Content-Length", str(len(body)))
            for header in manners.headers:
                self.send_header(*header)
            self.end_headers()
            if manners.cut is not None:
                self.wfile.write(body[:manners.cut])
                self.abort()
            elif manners.status in (204, 304):
                self.close_connection = True
            elif manners.dribble:
                for i in range(len(body)):
                    self.wfile.write(body[i:i + 1])
                    time.sleep(manners.dribble)
            else:
                self.wfile.write(body)

        def abort(self):
            self.close_connection = True
            self.request.shutdown(socket.SHUT_RDWR)

        def log_message(self, *_):
            pass

    return Handler
