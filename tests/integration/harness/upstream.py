# SPDX-License-Identifier: BSD-2-Clause
"""An upstream that tells what reached it, as JSON.

A request's query may ask for more: ?accel=/x answers with X-Accel-Redirect,
?status=N with that status."""

import http.server
import json
import threading
import urllib.parse

from . import ports


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 1024


class Upstream:
    """requests holds what was received: method, target, headers, body."""

    def __init__(self):
        self.port = ports.free()
        self.requests = []
        self.server = Server(("127.0.0.1", self.port), handler(self))
        threading.Thread(target=self.server.serve_forever, args=(0.05,),
                         daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def handler(upstream):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def read_body(self):
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(
                    int(self.headers.get("Content-Length", 0)))
            body = b""
            while True:
                size = int(self.rfile.readline(), 16)
                body += self.rfile.read(size)
                self.rfile.readline()
                if size == 0:
                    return body

        def echo(self):
            received = {
                "method": self.command,
                "target": self.path,
                "headers": {n.lower(): v for n, v in self.headers.items()},
                "body": self.read_body().decode("latin-1"),
            }
            upstream.requests.append(received)
            query = dict(urllib.parse.parse_qsl(
                urllib.parse.urlsplit(self.path).query))
            body = json.dumps(received).encode()
            self.send_response(int(query.get("status", 200)))
            if "accel" in query:
                self.send_header("X-Accel-Redirect", query["accel"])
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = echo
        do_OPTIONS = echo

        def log_message(self, *_):
            pass

    return Handler
