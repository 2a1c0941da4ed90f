# SPDX-License-Identifier: BSD-2-Clause
"""web_bot_auth_content_digest: a covered Content-Digest is compared with the
body, however it comes; the upstream still gets all of it; and nobody makes
nginx read a body but one whose signature has verified."""

import base64
import hashlib
import json
import re
import socket
import struct
import time

import h2.config
import h2.connection
import h2.events
import pytest

from harness.agents import BROWSER, STRANGER_KEY
from harness.client import Connection, curl, fetch, load
from harness.expect import expect, seen
from harness.nginx import wait_for
from harness.redis import Redis
from harness.signer import (Key, Request, content_digest, flip_bit,
                            fresh_nonce, jwks, sign)

COVERED = BROWSER.components + ("content-digest",)

CONF = """
%%GLOBALS%%
worker_processes 1;
events { worker_connections 1024; }
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth on;
    client_body_buffer_size 4k;
    client_max_body_size 100k;
    %%ECHO%%
    proxy_http_version 1.1;
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_H2%% http2;
        server_name shop.test;

        location / { proxy_pass http://127.0.0.1:%%UPSTREAM%%; }
        location /large/ {
            client_body_buffer_size 64k;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }
        location /single/ {
            client_body_in_single_buffer on;
            client_body_buffer_size 256k;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }
        location /file/ {
            client_body_in_file_only clean;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }
        location /stream/ {
            proxy_request_buffering off;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }
        location /off/ {
            web_bot_auth_content_digest off;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }
        location /required/ {
            web_bot_auth_content_digest required;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }
        location /required/not/ {
            web_bot_auth_content_digest on;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }
        location /optional/ {
            web_bot_auth optional;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }
        location /dry/ {
            web_bot_auth_dry_run on;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }
        location /any/ {
            satisfy any;
            deny all;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }
        location /any/open/ {
            satisfy any;
            allow all;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }
        location /static/ { %%OK%% }
        location /mirrored/ {
            mirror /mirror;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }
        location /mirror {
            internal;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%/copy;
        }
        location /auth/ {
            auth_request /ask;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }
        location /ask {
            internal;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }

        # Ways from one location to another.
        location /try/ { try_files /nowhere @upstream; }
        location @upstream { proxy_pass http://127.0.0.1:%%UPSTREAM%%; }
        location /early/ {
            set $early $web_bot_auth_tag;
            add_header X-early $early always;
            %%ECHO%%
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }
        location /late/ {
            web_bot_auth off;
            client_body_buffer_size 4k;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }
        location /late-in-memory/ {
            web_bot_auth off;
            client_body_buffer_size 64k;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }
        location /late-stream/ {
            web_bot_auth off;
            proxy_request_buffering off;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }
        location /late-mirror/ {
            web_bot_auth off;
            mirror /mirror;
            error_page 404 = @upstream;
        }
        location /gone/ {
            web_bot_auth off;
            error_page 404 502 = @upstream;
            set $memcached_key x;
            memcached_pass 127.0.0.1:%%PORT_NOBODY%%;
        }
        location /page/ {
            error_page 403 /refused.html;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }
        location = /refused.html { try_files /ok.txt =404; }
        location /page-413/ {
            error_page 413 400 /large.html;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }
        location = /large.html { try_files /ok.txt =404; }
    }
}
"""


@pytest.fixture(scope="module")
def nginx(serve, upstream):
    return serve(CONF, UPSTREAM=upstream.port)


def post(target, body, digest=None, method="POST", components=COVERED,
         headers=(), **how):
    """A request that covers the digest of its body, or digest."""
    if digest is None:
        digest = content_digest(body)
    return BROWSER.request(target, method=method, body=body, headers=[
        ("Content-Digest", digest), *headers], components=components, **how)


def chunks(body, *sizes):
    """The chunked coding, in chunks of those sizes and the rest."""
    out = b""
    for size in sizes:
        part, body = body[:size], body[size:]
        out += b"%x\r\n%s\r\n" % (len(part), part)
    if body:
        out += b"%x\r\n%s\r\n" % (len(body), body)
    return out + b"0\r\n\r\n"


def chunked(target, body, *sizes, **how):
    how.setdefault("digest", content_digest(body))
    request = post(target, body,
                   headers=[("Transfer-Encoding", "chunked")], **how)
    return request.replaced(body=chunks(body, *sizes))


def received(upstream, target):
    return [r for r in upstream.requests if r["target"] == target]


def expect_whole(response, body):
    expect(response, "ok")
    assert json.loads(response.body)["body"] == body.decode("latin-1")


MISMATCH = content_digest(b"another body")


def unique(target, _n=[0]):
    _n[0] += 1
    return "%s%d" % (target, _n[0])


# ---- ways that a body comes

PLACES = ["/", "/large/", "/single/", "/file/", "/stream/", "/required/",
          "/try/", "/mirrored/", "/auth/", "/early/", "/optional/", "/dry/",
          "/any/"]
SIZES = [0, 1, 4095, 4096, 4097, 50000, 102400]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("place", PLACES)
def test_the_right_body(nginx, place, size):
    body = bytes(range(1, 256)) * (size // 255 + 1)
    body = body[:size]
    expect_whole(fetch(nginx.port(), post(unique(place), body)), body)
    expect_whole(fetch(nginx.port(), chunked(unique(place), body, 1, 2, 700)),
                 body)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("place", ["/", "/large/", "/stream/", "/file/"])
def test_another_body(nginx, upstream, place, size):
    """It is refused, and the upstream never hears of it."""
    body = b"z" * size
    for make in post, chunked:
        target = unique(place)
        wrong = make(target, body, digest=MISMATCH)
        response = fetch(nginx.port(), wrong)
        expect(response, "content-digest-mismatch")
        assert received(upstream, target) == []
    assert "content-digest-mismatch" in nginx.refusals()


def test_one_changed_byte(nginx, upstream):
    body = b"amount=1" + b" " * 20000
    target = unique("/")
    request = post(target, body).replaced(body=b"amount=9" + b" " * 20000)
    expect(fetch(nginx.port(), request), "content-digest-mismatch")
    cut = post(target, body).replaced(body=body[:-1])
    expect(fetch(nginx.port(), cut), "content-digest-mismatch")
    more = post(target, body).replaced(body=body + b" ")
    expect(fetch(nginx.port(), more), "content-digest-mismatch")
    assert received(upstream, target) == []


def test_no_body(nginx):
    """It hashes as an empty one, and nothing is read."""
    empty = content_digest(b"")
    for method in "GET", "POST", "DELETE":
        expect_whole(fetch(nginx.port(), post("/", None, empty, method)), b"")
    expect(fetch(nginx.port(), post("/", None, MISMATCH, "GET")),
           "content-digest-mismatch")


@pytest.mark.parametrize("step", [1, 13, 1000])
@pytest.mark.parametrize("make", [post, chunked])
def test_bit_by_bit(nginx, make, step):
    body = b"0123456789" * (10 if step == 1 else 1000)
    raw = make("/", body).raw()
    with Connection(nginx.port()) as c:
        c.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(0, len(raw), step):
            c.send(raw[i:i + step])
        expect_whole(c.receive(), body)


def test_the_head_alone_first(nginx):
    """Nothing of the body has come when the signature is verified."""
    body = b"q" * 9000
    raw = post("/", body).raw()
    for cut in len(raw) - 9000, len(raw) - 8999, len(raw) - 1:
        raw = post("/", body).raw()
        with Connection(nginx.port()) as c:
            c.send(raw[:cut])
            time.sleep(0.05)
            c.send(raw[cut:])
            expect_whole(c.receive(), body)


# ---- which digests count

def sha(algorithm, body):
    return content_digest(body, algorithm)


B = b"the body"
FIELDS = [
    (sha("sha-256", B), "ok"),
    (sha("sha-512", B), "ok"),
    (sha("sha-256", B) + ", " + sha("sha-512", B), "ok"),
    (sha("sha-256", B) + ", " + sha("sha-512", b"x"),
     "content-digest-mismatch"),
    (sha("sha-256", b"x") + ", " + sha("sha-512", B),
     "content-digest-mismatch"),
    ("md5=:%s:, " % base64.b64encode(hashlib.md5(b"x").digest()).decode()
     + sha("sha-256", B), "ok"),
    ("sha-3-999=?0, " + sha("sha-512", B), "ok"),
    ("md5=:%s:" % base64.b64encode(hashlib.md5(B).digest()).decode(),
     "content-digest-unreadable"),
    ("sha-256=:AAAA:", "content-digest-unreadable"),
    ("sha-256=" + hashlib.sha256(B).hexdigest(), "content-digest-unreadable"),
    ("%%", "content-digest-unreadable"),
    ("", "content-digest-unreadable"),
]


@pytest.mark.parametrize("field, reason", FIELDS)
def test_fields(nginx, field, reason):
    expect(fetch(nginx.port(), post("/", B, field)), reason)


def test_two_lines(nginx):
    request = post("/", B, sha("sha-256", B), headers=[
        ("Content-Digest", sha("sha-512", B))])
    expect_whole(fetch(nginx.port(), request), B)
    request = post("/", B, sha("sha-256", B), headers=[
        ("Content-Digest", sha("sha-512", b"x"))])
    expect(fetch(nginx.port(), request), "content-digest-mismatch")


def test_an_unreadable_field_reads_no_body(nginx):
    head = post("/", b"x" * 5000, "sha-256=:AAAA:").raw()[:-5000]
    with Connection(nginx.port()) as c:
        c.send(head)
        expect(c.receive(), "content-digest-unreadable")


def test_uncovered(nginx):
    """Anybody can have put it there."""
    request = BROWSER.request("/", method="POST", body=b"x", headers=[
        ("Content-Digest", MISMATCH)])
    expect_whole(fetch(nginx.port(), request), b"x")


def test_one_member_covered(nginx, upstream):
    components = BROWSER.components + ('content-digest;key="sha-256"',)
    expect_whole(fetch(nginx.port(), post("/", B, components=components)), B)
    target = unique("/")
    wrong = post(target, B, MISMATCH, components=components)
    expect(fetch(nginx.port(), wrong), "content-digest-mismatch")
    assert received(upstream, target) == []


# ---- settings

def test_off(nginx):
    expect_whole(fetch(nginx.port(), post("/off/", b"x", MISMATCH)), b"x")


@pytest.mark.parametrize("components, reason", [
    (BROWSER.components, "component-not-covered"),
    (BROWSER.components + ('content-digest;key="sha-256"',),
     "component-not-covered"),
    (COVERED, "ok"),
])
def test_required(nginx, components, reason):
    for method in "GET", "POST":
        body = None if method == "GET" else B
        request = post("/required/", body, sha("sha-256", body or b""), method,
                       components=components)
        expect(fetch(nginx.port(), request), reason)
    expect(fetch(nginx.port(), post("/required/not/", B,
                                    components=components)), "ok")


def test_required_reads_nothing_before_it_refuses(nginx):
    request = BROWSER.request("/required/x", method="POST", body=b"x" * 900)
    with Connection(nginx.port()) as c:
        c.send(request.raw()[:-900])
        expect(c.receive(), "component-not-covered")


def test_optional(nginx, upstream):
    """A wrong digest is no unsigned request."""
    target = unique("/optional/")
    expect(fetch(nginx.port(), post(target, B, MISMATCH)),
           "content-digest-mismatch")
    assert received(upstream, target) == []


def test_dry_run(nginx):
    """It decides the same, so it reads the same."""
    response = fetch(nginx.port(), post("/dry/", B, MISMATCH))
    expect(response, "content-digest-mismatch", status=200,
           decision="dry-run-deny")
    assert json.loads(response.body)["body"] == B.decode()


def test_satisfy_any(nginx, upstream):
    target = unique("/any/")
    expect(fetch(nginx.port(), post(target, B, MISMATCH)),
           "content-digest-mismatch")
    assert received(upstream, target) == []
    response = fetch(nginx.port(), post("/any/open/", B, MISMATCH))
    expect(response, "content-digest-mismatch", status=200)
    assert json.loads(response.body)["body"] == B.decode()


# ---- forgers

@pytest.mark.parametrize("how, reason", [
    ({"signature": flip_bit}, "bad-signature"),
    ({"key": STRANGER_KEY, "keyid": "visa-1"}, "bad-signature"),
    ({"keyid": "nobody"}, "key-unknown"),
    ({"lifetime": 100000}, "lifetime-too-long"),
    ({"tag": "nobody"}, "no-served-tag"),
])
@pytest.mark.parametrize("make", [post, chunked])
def test_a_forger_makes_nothing_be_read(nginx, make, how, reason):
    """The answer comes although no byte of the body ever does."""
    raw = make("/", b"x" * 50000, **how).raw()
    head = raw[:raw.index(b"\r\n\r\n") + 4]
    began = time.monotonic()
    with Connection(nginx.port()) as c:
        c.send(head)
        expect(c.receive(), reason)
    assert time.monotonic() - began < 2


def test_a_replayed_request_is_not_read(nginx):
    request = post("/", B)
    expect_whole(fetch(nginx.port(), request), B)
    head = request.raw()[:-len(B)]
    with Connection(nginx.port()) as c:
        c.send(head)
        expect(c.receive(), "nonce-replayed")


def test_the_nonce_is_recorded_after_the_digest(nginx):
    """Who changed the body on its way has not used the nonce up."""
    nonce = fresh_nonce()
    good = post("/", B, nonce=nonce)
    bad = good.replaced(body=b"evil bod")
    for _ in range(3):
        expect(fetch(nginx.port(), bad), "content-digest-mismatch")
    expect_whole(fetch(nginx.port(), good), B)
    expect(fetch(nginx.port(), good), "nonce-replayed")


def test_the_same_request_at_once(nginx):
    """Both bodies are under way when the first nonce is recorded."""
    raw = post("/", b"x" * 3000).raw()
    with Connection(nginx.port()) as a, Connection(nginx.port()) as b:
        for c in a, b:
            c.send(raw[:-1])
        time.sleep(0.05)
        for c in a, b:
            c.send(raw[-1:])
        got = sorted(seen(c.receive())[0] for c in (a, b))
    assert got == ["nonce-replayed", "ok"]


def test_it_expires_while_the_body_comes(nginx):
    """The time that counts is that of the decision: a nonce would be kept no
    longer."""
    now = int(time.time())
    raw = post("/", B, created=now - 10, expires=now - 3).raw()
    with Connection(nginx.port()) as c:
        c.send(raw[:-1])
        time.sleep(3.5)
        c.send(raw[-1:])
        expect(c.receive(), "expired")


# ---- the connection goes on

def test_keepalive_after_a_refusal(nginx):
    with Connection(nginx.port()) as c:
        for body in B, b"x" * 30000:
            for make in post, chunked:
                c.send(make("/", body, digest=MISMATCH))
                expect(c.receive(), "content-digest-mismatch")
                c.send(make("/", body))
                expect_whole(c.receive(), body)


def test_pipelined(nginx):
    """With lengths: nginx 1.22 itself loses what stands behind chunks."""
    bodies = [b"a" * 10, b"", b"b" * 9000, b"c" * 700, b"d" * 4096]
    raw = b""
    for body in bodies:
        raw += post("/", body).raw() + post("/", body, MISMATCH).raw()
    with Connection(nginx.port()) as c:
        c.send(raw + chunked("/", B, 3).raw())
        for body in bodies:
            expect_whole(c.receive(), body)
            expect(c.receive(), "content-digest-mismatch")
        expect_whole(c.receive(), B)


def test_expect_100_continue(nginx):
    more = {"headers": [("Expect", "100-continue")]}
    request = post("/", b"abc", **more)
    with Connection(nginx.port()) as c:
        c.send(request.raw()[:-3])
        assert c.receive().status == 100
        c.send(b"abc")
        expect_whole(c.receive(), b"abc")
        # once is enough, and a refusal needs none
        wrong = post("/", b"abc", MISMATCH, **more)
        c.send(wrong.raw()[:-3])
        assert c.receive().status == 100
        c.send(b"abc")
        expect(c.receive(), "content-digest-mismatch")
    with Connection(nginx.port()) as c:
        c.send(post("/", b"abc", "sha-256=:AAAA:", **more).raw()[:-3])
        response = c.receive()
        if response.status == 100:
            c.send(b"abc")
            response = c.receive()
        expect(response, "content-digest-unreadable")


# ---- too large, aborted

@pytest.mark.parametrize("place", ["/", "/stream/", "/dry/", "/any/"])
def test_too_large(nginx, upstream, place):
    for make in post, chunked:
        target = unique(place)
        request = make(target, b"x" * 102401)
        with Connection(nginx.port()) as c:
            try:
                c.send(request)
            except OSError:
                pass
            assert c.receive().status == 413
        assert received(upstream, target) == []
    expect_whole(fetch(nginx.port(), post(place, B)), B)


def test_too_large_with_a_page(nginx):
    """A page of a location that verifies is not shown without the body."""
    with Connection(nginx.port()) as c:
        c.send(chunked("/page-413/x", b"x" * 50000, 50000).raw()[:-5]
               + b"20000\r\nx")
        response = c.receive()
    assert (response.status, seen(response)) == (
        503, ("body-unavailable", "deny"))


@pytest.mark.parametrize("make", [post, chunked])
@pytest.mark.parametrize("place", ["/", "/stream/", "/page-413/", "/mirrored/"])
@pytest.mark.parametrize("reset", [False, True])
def test_aborted(nginx, upstream, make, place, reset):
    target = unique(place)
    raw = make(target, b"x" * 20000).raw()
    for size in 15000, 1000, 1:
        c = Connection(nginx.port())
        c.send(raw[:-size])
        time.sleep(0.02)
        if reset:
            c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                struct.pack("ii", 1, 0))
        c.close()
    # the nonce is as good as ever
    expect_whole(fetch(nginx.port(), make(target, b"x" * 20000)), b"x" * 20000)
    assert len(received(upstream, target)) == 1


def test_broken_chunks(nginx, upstream):
    target = unique("/")
    raw = chunked(target, b"x" * 100).raw().replace(b"\r\n0\r\n", b"\r\nzz\r\n")
    assert fetch(nginx.port(), raw).status == 400
    assert received(upstream, target) == []


# ---- redirects

def test_the_page_of_a_refusal(nginx):
    """Facts stay: what was a mismatch is one on the error page."""
    response = fetch(nginx.port(), post("/page/x", B, MISMATCH))
    assert seen(response) == ("content-digest-mismatch", "deny")
    assert response.status == 403


@pytest.mark.parametrize("size", [10, 60000])
@pytest.mark.parametrize("place", ["/late/", "/late-in-memory/"])
def test_a_body_that_was_read_before(nginx, place, size):
    """By a location that verifies nothing, in memory and in a file."""
    body = b"y" * size
    target = place + "x?accel=/static/x"
    expect(fetch(nginx.port(), post(target, body)), "ok")
    expect(fetch(nginx.port(), post(target, body, MISMATCH)),
           "content-digest-mismatch")


@pytest.mark.parametrize("size", [10, 3000, 60000])
def test_a_body_that_the_mirror_has_read(nginx, upstream, size):
    """preserve_body keeps its file open; it is read in pieces."""
    body = b"y" * size
    target = unique("/late-mirror/")
    expect_whole(fetch(nginx.port(), post(target, body)), body)
    expect(fetch(nginx.port(), post(target, body, MISMATCH)),
           "content-digest-mismatch")


def test_a_body_that_was_streamed_before(nginx):
    """It is gone: nobody can compare it any more."""
    body = b"y" * 60000
    raw = post("/late-stream/x?accel=/static/x", body).raw()
    with Connection(nginx.port()) as c:
        c.send(raw[:-50000])
        time.sleep(0.05)
        c.send(raw[-50000:])
        expect(c.receive(), "body-unavailable")


def test_a_body_that_was_discarded_before(nginx):
    """By a location that first asks a cache, whose error page verifies."""
    for make in post, chunked:
        for body in B, b"x" * 50000:
            request = make("/gone/x", body, method="GET")
            expect(fetch(nginx.port(), request), "body-unavailable")
            with Connection(nginx.port()) as c:
                c.send(request.raw()[:-1])
                expect(c.receive(), "body-unavailable")
    # what never was there was not thrown away
    request = post("/gone/x", None, content_digest(b""), method="GET")
    expect_whole(fetch(nginx.port(), request), b"")


def test_early_variables_read_nothing(nginx):
    """The rewrite phase has the tag before any byte of the body is there."""
    response = fetch(nginx.port(), post("/early/x", B))
    expect_whole(response, B)
    assert response.header("X-early") == "agent-browser-auth"
    response = fetch(nginx.port(), post("/early/x", B, MISMATCH))
    expect(response, "content-digest-mismatch")


@pytest.mark.parametrize("size", [0, 10, 60000])
def test_mirror(nginx, upstream, size):
    body = b"m" * size
    target = unique("/mirrored/")
    before = len(received(upstream, "/copy"))
    expect_whole(fetch(nginx.port(), post(target, body)), body)
    wait_for("the copy",
             lambda: len(received(upstream, "/copy")) == before + 1)
    assert received(upstream, "/copy")[-1]["body"] == body.decode()


def test_static(nginx):
    response = fetch(nginx.port(), post("/static/x", None,
                                        content_digest(b""), "GET"))
    expect(response, "ok")
    assert response.body == b"ok"


# ---- many

def test_many_slow_bodies(nginx, upstream):
    """They stand in nobody's way; one worker serves them all."""
    count = 150
    slow = [Connection(nginx.port()) for _ in range(count)]
    requests = [post("/slow/%d" % i, b"%06d" % i * 1000,
                     MISMATCH if i % 3 == 0 else None) for i in range(count)]
    for step in range(3):
        for c, request in zip(slow, requests):
            raw = request.raw()
            third = len(raw) // 3
            c.send(raw[step * third:(step + 1) * third])
        expect_whole(fetch(nginx.port(), post("/", B)), B)
    for c, request in zip(slow, requests):
        c.send(request.raw()[len(request.raw()) // 3 * 3:])
    for i, c in enumerate(slow):
        if i % 3 == 0:
            expect(c.receive(), "content-digest-mismatch")
        else:
            expect_whole(c.receive(), b"%06d" % i * 1000)
        c.close()
    assert received(upstream, "/slow/0") == []


def test_many_at_once(nginx):
    def one(i):
        body = b"%d" % i * (i * 37 % 5000 + 1)
        digest = MISMATCH if i % 4 == 0 else None
        return i, body, fetch(nginx.port(), post("/", body, digest))

    for i, body, response in load(300, one, 30):
        if i % 4 == 0:
            expect(response, "content-digest-mismatch")
        else:
            expect_whole(response, body)


def test_several_signatures(nginx):
    """The one that does not cover the digest stands without it."""
    request = Request("POST", "/", headers=[("Content-Digest", MISMATCH)],
                      body=B)
    plain = BROWSER.sig(label="plain")
    covering = BROWSER.sig(label="covering", components=COVERED)
    response = fetch(nginx.port(), sign(request, covering, plain))
    expect(response, "ok")
    assert response.header("X-label") == "plain"


# ---- HTTP/2

class H2:
    """One HTTP/2 connection whose frames are sent one by one."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 20)
        self.h2 = h2.connection.H2Connection(
            config=h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.events = []
        self.flush()

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def head(self, request, end=False):
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, [
            (":method", request.method), (":scheme", "http"),
            (":authority", request.host), (":path", request.target),
            *[(n.lower(), v) for n, v in request.headers]], end_stream=end)
        self.flush()
        return stream

    def data(self, stream, data, end=False):
        self.h2.send_data(stream, data, end_stream=end)
        self.flush()

    def response(self, stream):
        """(status, header fields, body)"""
        head, body = {}, b""
        while True:
            for event in self.events:
                if getattr(event, "stream_id", None) != stream:
                    continue
                if isinstance(event, h2.events.ResponseReceived):
                    head = dict(event.headers)
                elif isinstance(event, h2.events.DataReceived):
                    body += event.data
                elif isinstance(event, (h2.events.StreamEnded,
                                        h2.events.StreamReset)):
                    return int(head.get(":status", 0)), head, body
            data = self.socket.recv(65536)
            if not data:
                return int(head.get(":status", 0)), head, body
            body = b""
            self.events += self.h2.receive_data(data)
            self.flush()

    def close(self):
        self.socket.close()


@pytest.fixture
def h2c(nginx):
    connection = H2(nginx.port("PORT_H2"))
    yield connection
    connection.close()


def h2_post(h2c, request, body, *sizes, alone=True, length=False):
    """Sends it in DATA frames of those sizes; END_STREAM on an empty one of
    its own, or with the last byte."""
    if length:
        request = request.with_headers(("Content-Length", str(len(body))))
    stream = h2c.head(request)
    for size in sizes:
        h2c.data(stream, body[:size])
        body = body[size:]
        time.sleep(0.01)
    while len(body) > 16000:
        h2c.data(stream, body[:16000])
        body = body[16000:]
    if alone:
        if body:
            h2c.data(stream, body)
        h2c.data(stream, b"", True)
    else:
        h2c.data(stream, body, True)
    return h2c.response(stream)


@pytest.mark.parametrize("place", ["/", "/large/", "/stream/", "/file/",
                                   "/try/", "/mirrored/"])
@pytest.mark.parametrize("length", [False, True])
@pytest.mark.parametrize("alone", [False, True])
def test_http2_data(h2c, upstream, place, length, alone):
    for body, sizes in ((b"x", ()), (b"hello world", (1, 2, 3)),
                        (b"z" * 20000, (4096, 1)), (b"", ())):
        request = post(place, body)
        status, head, got = h2_post(h2c, request, body, *sizes, alone=alone,
                                    length=length)
        assert (status, head["x-reason"]) == (200, "ok")
        assert json.loads(got)["body"] == body.decode()
        target = unique(place)
        status, head, got = h2_post(h2c, post(target, body, MISMATCH), body,
                                    *sizes, alone=alone, length=length)
        assert (status, head["x-reason"]) == (403, "content-digest-mismatch")
        assert received(upstream, target) == []


def test_http2_no_body(h2c):
    stream = h2c.head(post("/", None, content_digest(b"")), True)
    status, head, got = h2c.response(stream)
    assert (status, head["x-reason"]) == (200, "ok")
    stream = h2c.head(post("/", None, MISMATCH), True)
    assert h2c.response(stream)[1]["x-reason"] == "content-digest-mismatch"


def test_http2_forged(h2c):
    """The answer comes before any DATA."""
    stream = h2c.head(post("/", B, signature=flip_bit))
    assert h2c.response(stream)[1]["x-reason"] == "bad-signature"


def test_http2_too_large(h2c, upstream):
    target = unique("/")
    stream = h2c.head(post(target, b"x" * 102401))
    h2c.data(stream, b"x" * 16000)
    with pytest.raises(Exception):
        for _ in range(6):      # the window closes, or nginx resets it
            h2c.data(stream, b"x" * 16000)
        raise EOFError
    assert received(upstream, target) == []


def test_http2_reset_and_interleaved(h2c, upstream):
    """Streams that end half-way, beside others that do not."""
    targets = [unique("/h2/") for _ in range(8)]
    streams = [h2c.head(post(t, b"0123456789")) for t in targets]
    for stream in streams:
        h2c.data(stream, b"01234")
    for stream in streams[::2]:
        h2c.h2.reset_stream(stream)
    h2c.flush()
    for stream in streams[1::2]:
        h2c.data(stream, b"56789", True)
    for stream in streams[1::2]:
        status, head, got = h2c.response(stream)
        assert (status, head["x-reason"]) == (200, "ok")
        assert json.loads(got)["body"] == "0123456789"
    for target in targets[::2]:
        assert received(upstream, target) == []


def test_http2_by_curl(nginx):
    body = b"z" * 100000
    request = post("/", body)
    response = curl(nginx.port("PORT_H2"), request, "--http2-prior-knowledge")
    expect_whole(response, body)
    changed = post("/", body).replaced(body=body[:-1] + b"y")
    expect(curl(nginx.port("PORT_H2"), changed, "--http2-prior-knowledge"),
           "content-digest-mismatch")


# ---- the other kinds of location

DAV = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth on;
    client_body_buffer_size 4k;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_H2%% http2;
        server_name shop.test;
        client_body_temp_path store-temp;
        root store;
        location / { dav_methods PUT; create_full_put_path on; }
    }
}
"""


@pytest.fixture(scope="module")
def dav(serve):
    nginx = serve.make(DAV)
    store = nginx.dir / "store"
    store.mkdir()
    store.chmod(0o777)
    return nginx.start()


def left(nginx):
    """Temporary files of bodies."""
    return [p for p in (nginx.dir / "store-temp").rglob("*") if p.is_file()]


@pytest.mark.parametrize("size", [0, 1, 4096, 100000])
@pytest.mark.parametrize("make", [post, chunked])
def test_dav_put(dav, make, size):
    body = b"d" * size
    target = unique("/put/%s" % make.__name__)
    response = fetch(dav.port(), make(target, body, method="PUT"))
    expect(response, "ok", status=201)
    assert (dav.dir / "store" / target[1:]).read_bytes() == body
    response = fetch(dav.port(), make(target, body, method="PUT"))
    expect(response, "ok", status=204)
    refused = make(target + "-not", body, method="PUT", digest=MISMATCH)
    expect(fetch(dav.port(), refused), "content-digest-mismatch")
    assert not (dav.dir / "store" / (target[1:] + "-not")).exists()
    wait_for("temporary files to go", lambda: not left(dav))


def test_dav_put_http2(dav):
    body = b"d" * 30000
    request = post("/put/h2", body, method="PUT")
    response = curl(dav.port("PORT_H2"), request, "--http2-prior-knowledge")
    expect(response, "ok", status=201)
    assert (dav.dir / "store/put/h2").read_bytes() == body


def test_dav_put_aborted(dav):
    raw = post("/put/aborted", b"d" * 90000, method="PUT").raw()
    with Connection(dav.port()) as c:
        c.send(raw[:-10000])
        wait_for("the file", lambda: left(dav))
    wait_for("temporary files to go", lambda: not left(dav))
    assert not (dav.dir / "store/put/aborted").exists()
    assert not re.search(r"\[(crit|alert)\]", dav.error_log)


# ---- waiting, before the body and after it

WAITING = """
%%GLOBALS%%
worker_processes 1;
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_directory slow {
        url %%URL%%;
        profile tap;
        tags slow;
    }
    web_bot_auth_trusted_certificate %%CA%%;
    web_bot_auth_wait 3s;
    web_bot_auth_nonce_store %%STORE%%;
    web_bot_auth on;
    client_body_buffer_size 1k;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test;
        location / { proxy_pass http://127.0.0.1:%%UPSTREAM%%; }
    }
}
"""

SLOW_KEY = Key()


def slow_post(target, body, **how):
    return post(target, body, key=SLOW_KEY, keyid=SLOW_KEY.thumbprint,
                tag="slow", **how)


@pytest.fixture
def redis():
    server = Redis()
    yield server
    server.remove()


@pytest.fixture
def waiting(serve, directory, authority, upstream, redis):
    """nginx; its directory's keys are let go by directory.release()."""
    path = "/slow/%d" % time.monotonic_ns()
    directory.serve(path, body=jwks(SLOW_KEY), hang=True)
    nginx = serve(WAITING, CA=authority.ca, URL=directory.url(path),
                  UPSTREAM=upstream.port,
                  STORE="redis://127.0.0.1:%d cold=accept timeout=2s"
                  % redis.port)
    yield nginx
    directory.release()
    nginx.stop()
    serve.all.remove(nginx)


@pytest.mark.parametrize("sent", [0, 10, 5000])
def test_a_body_that_comes_while_keys_are_waited_for(waiting, directory, sent):
    """None, some or all of it is there when the keys are, and then Redis is
    asked."""
    body = b"w" * 5000
    raw = slow_post("/", body).raw()
    cut = len(raw) - 5000 + sent
    with Connection(waiting.port()) as c:
        c.send(raw[:len(raw) - 5000])
        time.sleep(0.05)
        c.send(raw[len(raw) - 5000:cut])
        time.sleep(0.1)
        directory.release()
        time.sleep(0.1)
        c.send(raw[cut:])
        expect_whole(c.receive(), body)
        c.send(slow_post("/", body, digest=MISMATCH))
        expect(c.receive(), "content-digest-mismatch")


def test_a_slow_body_is_no_waiting(waiting, directory, redis):
    """What web_bot_auth_wait allows is not used up by it."""
    raw = slow_post("/", B).raw()
    with Connection(waiting.port()) as c:
        c.send(raw[:-1])
        time.sleep(0.1)
        directory.release()
        time.sleep(3.5)
        redis.pause()
        c.send(raw[-1:])
        time.sleep(0.5)
        redis.go_on()
        expect_whole(c.receive(), B)


def test_aborted_while_keys_are_waited_for(waiting, directory):
    raw = slow_post("/", B).raw()
    with Connection(waiting.port()) as c:
        c.send(raw[:-1])
        time.sleep(0.05)
    directory.release()
    with Connection(waiting.port()) as c:
        c.send(raw)
        expect_whole(c.receive(), B)


def test_reload_with_a_body_under_way(serve, upstream):
    """The old worker ends its request, and filters do not pile up."""
    nginx = serve(CONF, UPSTREAM=upstream.port)
    raw = post("/", b"x" * 9000).raw()
    with Connection(nginx.port()) as c:
        c.send(raw[:-100])
        for _ in range(3):
            nginx.reload()
        c.send(raw[-100:])
        expect_whole(c.receive(), b"x" * 9000)
    expect_whole(fetch(nginx.port(), post("/", B)), B)
    expect(fetch(nginx.port(), post("/", B, MISMATCH)),
           "content-digest-mismatch")


# ---- configuration

@pytest.mark.parametrize("line, message", [
    ("web_bot_auth_content_digest maybe;", 'write off, on or required'),
    ("web_bot_auth_content_digest;", "invalid number of arguments"),
    ("web_bot_auth_content_digest on; web_bot_auth_content_digest off;",
     "is duplicate"),
])
def test_refused_configuration(serve, line, message):
    nginx = serve.make("""
%%GLOBALS%%
events {}
http { %%HTTP%% LINE server { listen 127.0.0.1:%%PORT%%; } }
""".replace("LINE", line))
    nginx.expect(r"\[emerg\].*web_bot_auth_content_digest|" + message)
    ok, output = nginx.test()
    assert not ok and message in output
