# SPDX-License-Identifier: BSD-2-Clause
"""The directory server of test_fetch.c: behaves by path, well or badly.

Listens on loopback ports that the kernel chooses, prints one line

    FOLDER OK UNKNOWN EXPIRED WRONG OLD PLAIN

(FOLDER holds ca.pem and other.pem; the rest are port numbers) and serves until
its standard input ends, then removes the folder.  UNKNOWN's certificate comes
from another authority, EXPIRED's is over, WRONG's names another host, OLD
speaks nothing beyond TLS 1.1, PLAIN is http.
"""
import gzip
import itertools
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import warnings
import zlib

CRLF = b"\r\n"
JSON = "application/http-message-signatures-directory+json"
KEYS = b'{"keys":[]}'
connections = itertools.count(1)


def openssl(*args):
    subprocess.run(("openssl",) + args, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def authority(folder, name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=" + name, "-keyout", f"{folder}/{name}.key",
            "-out", f"{folder}/{name}.pem")


AUTHORITY = """\
[ca]
default_ca = here
[here]
database = {folder}/index
new_certs_dir = {folder}
rand_serial = yes
certificate = {folder}/{issuer}.pem
private_key = {folder}/{issuer}.key
default_md = sha256
policy = policy
[policy]
commonName = supplied
"""


def certificate(folder, name, issuer, names, until="20991231235959Z"):
    base = f"{folder}/{name}"
    with open(base + ".ext", "w") as f:
        f.write("subjectAltName=" + names)
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-subj", "/CN=" + name, "-keyout", base + ".key",
            "-out", base + ".csr")
    # x509 makes none that has expired, from OpenSSL 3.4 on.
    with open(base + ".cnf", "w") as f:
        f.write(AUTHORITY.format(folder=folder, issuer=issuer))
    open(f"{folder}/index", "w").close()
    openssl("ca", "-batch", "-notext", "-config", base + ".cnf",
            "-in", base + ".csr", "-startdate", "20200101000000Z",
            "-enddate", until, "-extfile", base + ".ext",
            "-out", base + ".pem")


def context(folder, name):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(f"{folder}/{name}.pem", f"{folder}/{name}.key")
    return ctx


def head(status, *lines, length=None):
    lines = [f"HTTP/1.1 {status}", *lines]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def answer(body, *lines, status="200 OK"):
    return head(status, *lines, length=len(body)) + body


def chunk(data):
    return b"%x\r\n" % len(data) + data + CRLF


def forever(conn, data, pause):
    while True:
        conn.sendall(data)
        time.sleep(pause)


# Answers that are the same every time; the rest is in serve().
FIXED = {
    "/ok": answer(KEYS, "Content-Type: " + JSON + "; charset=utf-8",
                  'ETag: "v1"', "Cache-Control: max-age=60",
                  "Set-Cookie: a=b", "Signature: one", "signature:  two \t",
                  'Alt-Svc: http/1.1=":1"; ma=3600',
                  "Strict-Transport-Security: max-age=3600"),
    "/301": answer(b"moved", "Location: /ok", status="301 Moved"),
    "/404": answer(b"no such thing", status="404 Not Found"),
    "/304": head("304 Not Modified", 'ETag: "v1"'),
    "/empty": answer(b""),
    "/exact": answer(b"x" * 1000),
    "/over": answer(b"x" * 1001),
    "/gzip": answer(gzip.compress(KEYS), "Content-Encoding: gzip"),
    "/x-gzip": answer(gzip.compress(KEYS), "Content-Encoding: X-GZIP"),
    "/gzip-empty": answer(gzip.compress(b""), "Content-Encoding: gzip"),
    "/not-coded": answer(KEYS, "Content-Encoding: identity",
                         "Content-Encoding:"),
    "/zstd": answer(b"(\xb5/\xfd\x04\x00\x01\x00\x00",
                    "Content-Encoding: zstd"),
    "/twice": answer(gzip.compress(gzip.compress(KEYS)),
                     "Content-Encoding: gzip, gzip"),
    "/gzip-and-gzip": answer(gzip.compress(gzip.compress(KEYS)),
                             "Content-Encoding: gzip",
                             "Content-Encoding: gzip"),
    "/transfer-gzip": head("200 OK", "Transfer-Encoding: gzip, chunked")
    + chunk(gzip.compress(KEYS)) + b"0\r\n\r\n",
    # a field that looks like a status line hides nothing before it
    "/http-field": answer(b"(\xb5/\xfd\x04\x00\x01\x00\x00",
                          "Content-Encoding: zstd", "HTTP/1.1 100: x"),
    "/bad-gzip": answer(b"not gzip at all", "Content-Encoding: gzip"),
    "/chunked": head("200 OK", "Transfer-Encoding: chunked")
    + chunk(b'{"ke') + chunk(b'ys":[]}')
    + b"0\r\nX-Trailer: t\r\nETag: late\r\n\r\n",
    "/hints": head("103 Early Hints", "Link: <x>", "ETag: early")
    + answer(KEYS, "ETag: final"),
    "/fold": answer(KEYS, "X-Fold: a\r\n  b\r\n\tc", "ETag: e"),
    "/deflate": answer(zlib.compress(KEYS), "Content-Encoding: deflate"),
    # header sections that are none
    "/fold-first": head("200 OK", " X: y", length=len(KEYS)) + KEYS,
    "/no-colon": head("200 OK", "X y", length=len(KEYS)) + KEYS,
    "/no-status": b"HTTP/1.1\r\nContent-Length: 11\r\n\r\n" + KEYS,
    "/no-reason": b"HTTP/1.1 200\r\nContent-Length: 11\r\n\r\n" + KEYS,
    "/control": head("200 \x01\x7f\xff", "X: \x01\x7f\xff",
                     length=len(KEYS)) + KEYS,
    "/garbage": b"\x00\x01 this is no HTTP\r\n\r\n" * 8,
    # WBA_MAX_FETCH_HEADERS bytes, each line's end counted
    "/headers-fit": head("200 OK", "Content-Length: 0",
                         "X: " + "y" * (32768 - 18 - 4)),
    "/headers-but-one": head("200 OK", "Content-Length: 0",
                             "X: " + "y" * (32768 - 18 - 3)),
    "/headers-fold": head("200 OK", "Content-Length: 0",
                          "X: " + "y" * (32768 - 18 - 4), " z"),
    "/many-headers": head("200 OK", *(f"X-{i}: " + "y" * 90
                                      for i in range(1000)), length=0),
}


def serve(conn, path, request, number):
    """One answer.  False: the connection is over."""
    resumed = getattr(conn, "session_reused", None)
    if path in FIXED:
        conn.sendall(FIXED[path])
        return path not in ("/garbage", "/many-headers")
    if path.split("?")[0].endswith("/echo"):
        conn.sendall(answer(request, f"X-Connection: {number}"))
        return True
    if path == "/last":
        conn.sendall(answer(b"", f"X-Resumed: {resumed}",
                            "Connection: close"))
        conn.unwrap()
        return False
    if path == "/big":
        conn.sendall(answer(b"b" * 10_000_000))
    elif path == "/bomb":
        conn.sendall(answer(gzip.compress(bytes(50_000_000), 1),
                            "Content-Encoding: gzip"))
    elif path == "/nothing-gzipped":  # wire bytes without end, none decoded
        conn.sendall(head("200 OK", "Content-Encoding: gzip",
                          "Transfer-Encoding: chunked"))
        conn.sendall(chunk(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"))
        forever(conn, chunk(b"\x00\x00\x00\xff\xff" * 2000), 0)
    elif path == "/drip":
        conn.sendall(head("200 OK", length=1000))
        forever(conn, b"x", 0.05)
    elif path == "/drip-headers":
        conn.sendall(b"HTTP/1.1 200 OK\r\n")
        forever(conn, b"X: y\r\n", 0.05)
    elif path == "/never":
        conn.recv(1)
    elif path == "/headers-only":
        conn.sendall(head("200 OK", length=10))
        conn.recv(1)
    elif path == "/close":
        conn.sendall(head("200 OK", length=1000) + b"ten bytes.")
    elif path == "/close-at-once":
        pass
    elif path == "/no-length":  # ends as TLS says it should
        conn.sendall(head("200 OK", "Connection: close") + KEYS)
        conn.unwrap()
    return False


def handle(conn, ctx):
    number = next(connections)
    try:
        conn.settimeout(20)
        if ctx is not None:
            conn = ctx.wrap_socket(conn, server_side=True)
        data = b""
        while True:
            while b"\r\n\r\n" not in data:
                more = conn.recv(65536)
                if not more:
                    return
                data += more
            request, _, data = data.partition(b"\r\n\r\n")
            path = request.split(b" ")[1].decode()
            if not serve(conn, path, request, number):
                return
    except (OSError, ValueError):
        pass
    finally:
        conn.close()


def listen(ctx):
    sock = socket.create_server(("127.0.0.1", 0), backlog=64)

    def accept():
        while True:
            conn, _ = sock.accept()
            threading.Thread(target=handle, args=(conn, ctx),
                             daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return sock.getsockname()[1]


def main():
    folder = tempfile.mkdtemp(prefix="wba-fetch-")
    try:
        here = ("IP:127.0.0.1,DNS:localhost,DNS:a.test,DNS:slow.test,"
                "DNS:two.test")
        authority(folder, "ca")
        authority(folder, "other")
        certificate(folder, "good", "ca", here)
        certificate(folder, "unknown", "other", here)
        certificate(folder, "expired", "ca", here, until="20200102000000Z")
        certificate(folder, "wrong", "ca", "DNS:elsewhere.example")
        warnings.simplefilter("ignore", DeprecationWarning)  # TLS 1.1
        old = context(folder, "good")
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        ports = [listen(context(folder, name))
                 for name in ("good", "unknown", "expired", "wrong")]
        ports += [listen(old), listen(None)]
        print(folder, *ports, flush=True)
        sys.stdin.read()
    finally:
        shutil.rmtree(folder)
    os._exit(0)


if __name__ == "__main__":
    main()
