# SPDX-License-Identifier: BSD-2-Clause
"""web_bot_auth_body_link: agenticConsumer and agenticPaymentContainer in a JSON
body carry the nonce and the keyid of the request's signature."""

import gzip
import json
import time

import pytest

from harness.agents import BROWSER, LISTED, MASTERCARD, PAYER, STRANGER_KEY
from harness.client import Connection, curl, fetch
from harness.expect import expect, seen
from harness.signer import (OMIT, Request, content_digest, flip_bit,
                            fresh_nonce, sign)

MAX = 256 * 1024

CONF = """
%%GLOBALS%%
worker_processes 1;
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth on;
    client_body_buffer_size 8k;
    client_max_body_size 1m;
    %%ECHO%%
    proxy_http_version 1.1;
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_H2%% http2;
        server_name shop.test;
        web_bot_auth_body_link on;
        location / { proxy_pass http://127.0.0.1:%%UPSTREAM%%; }
        location /stream/ {
            proxy_request_buffering off;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }
        location /off/ {
            web_bot_auth_body_link off;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }
        location /no-digest/ {
            web_bot_auth_content_digest off;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }
        location /dry/ {
            web_bot_auth_dry_run on;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }
        location /payers/ {
            web_bot_auth_allow tag=agent-payer-auth;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }
        location /tap-only/ {
            web_bot_auth_deny tag=agent-payer-auth;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }
        location /try/ {
            web_bot_auth_body_link off;
            try_files /nowhere @linked;
        }
        location @linked { proxy_pass http://127.0.0.1:%%UPSTREAM%%; }
        location /dav/ { dav_methods PUT; create_full_put_path on;
                         root store; }
    }
}
"""


@pytest.fixture(scope="module")
def nginx(serve, upstream):
    nginx = serve.make(CONF, UPSTREAM=upstream.port)
    store = nginx.dir / "store"
    store.mkdir()
    store.chmod(0o777)
    return nginx.start()


def cart(nonce, kid="visa-1", names=("agenticConsumer",
                                     "agenticPaymentContainer"), **more):
    body = {name: {"nonce": nonce, "kid": kid, "alg": "x", "signature": "y"}
            for name in names}
    return json.dumps({**body, **more}).encode()


def pay(body, target="/pay", nonce=None, media_type="application/json",
        headers=(), agent=PAYER, method="POST", **how):
    """body: bytes, or a function of the nonce."""
    nonce = nonce or fresh_nonce()
    if callable(body):
        body = body(nonce)
    if media_type:
        headers = [("Content-Type", media_type), *headers]
    return agent.request(target, method=method, body=body, headers=headers,
                         nonce=nonce, **how)


def received(upstream, target):
    return [r for r in upstream.requests if r["target"] == target]


def one(name):
    return lambda nonce: cart(nonce, names=(name,))


@pytest.mark.parametrize("body", [
    cart, one("agenticConsumer"), one("agenticPaymentContainer"), b"{}", b"",
    b"[1]", lambda n: cart(n, padding="x" * 100000),
])
@pytest.mark.parametrize("target", ["/pay", "/stream/", "/no-digest/",
                                    "/payers/", "/try/"])
def test_linked(nginx, upstream, target, body):
    request = pay(body, target)
    response = fetch(nginx.port(), request)
    expect(response, "ok")
    assert json.loads(response.body)["body"] == request.body.decode()


BAD = [
    ("body-link-mismatch", lambda n: cart("other")),
    ("body-link-mismatch", lambda n: cart(n, kid="visa-2")),
    ("body-link-mismatch", lambda n: cart(n, agenticConsumer={
        "nonce": n, "kid": PAYER.key.thumbprint})),     # not as it was sent
    ("body-link-mismatch", lambda n: cart(n, agenticPaymentContainer={
        "nonce": "", "kid": "visa-1"})),
    ("body-link-missing", lambda n: cart(n, agenticConsumer={})),
    ("body-link-missing", lambda n: cart(n, agenticPaymentContainer={
        "nonce": n})),
    ("body-link-missing", lambda n: cart(n, agenticConsumer={
        "nonce": n, "kid": 1})),
    ("body-link-unreadable", lambda n: cart(n)[:-1]),
    ("body-link-unreadable", lambda n: cart(n, agenticConsumer="x")),
    ("body-link-unreadable", lambda n: cart(n, agenticConsumer=None)),
    ("body-link-unreadable",
     lambda n: cart(n)[:-1] + b"," + cart(n)[1:]),      # each member twice
    ("body-link-unreadable", lambda n: b"[" * 200 + b"]" * 200),
    ("body-link-unreadable", lambda n: b"x"),
    ("body-link-too-large", lambda n: cart(n) + b" " * MAX),
]


@pytest.mark.parametrize("reason, body", BAD)
def test_not_linked(nginx, upstream, reason, body):
    request = pay(body, "/pay/" + fresh_nonce().replace("/", "_"))
    expect(fetch(nginx.port(), request), reason)
    assert received(upstream, request.target) == []
    assert nginx.refusals()[-1] == reason
    expect(fetch(nginx.port(), pay(body, "/off/")), "ok")
    response = fetch(nginx.port(), pay(body, "/dry/"))
    expect(response, reason, status=200, decision="dry-run-deny")
    expect(fetch(nginx.port(), pay(body, "/try/")), reason)


@pytest.mark.parametrize("media_type, body, reason", [
    ("text/plain", lambda n: cart("other"), "body-link-mismatch"),
    (None, lambda n: b"\n\t " + cart("other"), "body-link-mismatch"),
    ("application/cart+json; v=1", lambda n: b"x", "body-link-unreadable"),
    ("text/plain", lambda n: b"\xef\xbb\xbf" + cart("other"),
     "body-link-mismatch"),
    ("text/plain", lambda n: cart("other").decode().encode("utf-16"),
     "body-link-unreadable"),
    ("text/plain", lambda n: cart("other").decode().encode("utf-16-be"),
     "body-link-unreadable"),
    ("text/plain", lambda n: b"x" * 500000, "ok"),
    ("application/x-www-form-urlencoded", lambda n: b"a=%7B%7D", "ok"),
    ("application/json", lambda n: b"[" + cart("other") + b"]", "ok"),
])
def test_which_bodies_are_looked_at(nginx, media_type, body, reason):
    expect(fetch(nginx.port(), pay(body, media_type=media_type)), reason)


@pytest.mark.parametrize("media_type", ["application/json", "text/plain"])
def test_content_coding(nginx, media_type):
    for coding, encode, reason in (
            ("gzip", gzip.compress, "body-link-unreadable"),
            ("identity", bytes, "ok")):
        request = pay(lambda n: encode(cart(n)), media_type=media_type,
                      headers=[("Content-Encoding", coding)])
        expect(fetch(nginx.port(), request), reason)


def test_sizes(nginx):
    """In memory and in a file, up to the bound."""
    for size in 100, 8192, 8193, 100000, MAX:
        request = pay(lambda n: cart(n).ljust(size))
        expect(fetch(nginx.port(), request), "ok")
        request = pay(lambda n: cart("other").ljust(size))
        expect(fetch(nginx.port(), request), "body-link-mismatch")
    expect(fetch(nginx.port(), pay(lambda n: cart(n).ljust(MAX + 1))),
           "body-link-too-large")


def test_methods(nginx):
    for method in "GET", "DELETE", "PATCH":
        expect(fetch(nginx.port(), pay(None, method=method)), "ok")
        expect(fetch(nginx.port(), pay(cart, method=method)), "ok")
        expect(fetch(nginx.port(), pay(lambda n: cart("x"), method=method)),
               "body-link-mismatch")


def test_with_a_digest(nginx):
    """One reading serves both; the digest's verdict comes first."""
    covered = PAYER.components + ("content-digest",)

    def request(body, digest_of=None):
        nonce = fresh_nonce()
        body = body(nonce)
        return pay(body, nonce=nonce, components=covered, headers=[
            ("Content-Digest", content_digest(digest_of or body))])

    expect(fetch(nginx.port(), request(cart)), "ok")
    expect(fetch(nginx.port(), request(lambda n: cart("x"))),
           "body-link-mismatch")
    expect(fetch(nginx.port(), request(lambda n: cart("x"), b"x")),
           "content-digest-mismatch")
    expect(fetch(nginx.port(), request(cart, b"x")),
           "content-digest-mismatch")


def test_chunked_and_bit_by_bit(nginx):
    nonce = fresh_nonce()
    body = cart(nonce)
    chunks = b"".join(b"1\r\n%c\r\n" % c for c in body) + b"0\r\n\r\n"
    request = pay(body, nonce=nonce,
                  headers=[("Transfer-Encoding", "chunked")])
    raw = request.replaced(body=chunks).raw()
    with Connection(nginx.port()) as c:
        for i in range(0, len(raw), 50):
            c.send(raw[i:i + 50])
        response = c.receive()
    expect(response, "ok")
    assert json.loads(response.body)["body"] == body.decode()


@pytest.mark.parametrize("reason, body", [("ok", cart)] + BAD[:8:3])
def test_http2(nginx, reason, body):
    request = pay(body)
    expect(curl(nginx.port("PORT_H2"), request, "--http2-prior-knowledge"),
           reason)


@pytest.mark.parametrize("how, reason", [
    ({"signature": flip_bit}, "bad-signature"),
    ({"key": STRANGER_KEY, "keyid": "visa-1"}, "bad-signature"),
])
def test_a_forger_makes_nothing_be_read(nginx, how, reason):
    request = pay(cart, **how)
    began = time.monotonic()
    with Connection(nginx.port()) as c:
        c.send(request.raw()[:-len(request.body)])
        expect(c.receive(), reason)
    assert time.monotonic() - began < 2


def test_denied_agents_are_not_read(nginx):
    request = pay(cart, "/tap-only/x")
    with Connection(nginx.port()) as c:
        c.send(request.raw()[:-len(request.body)])
        expect(c.receive(), "denied-by-rule")


def test_the_nonce_is_recorded_after_it(nginx):
    nonce = fresh_nonce()
    good = pay(cart, nonce=nonce)
    bad = good.replaced(body=cart("other"))
    expect(fetch(nginx.port(), bad), "body-link-mismatch")
    expect(fetch(nginx.port(), good), "ok")
    expect(fetch(nginx.port(), good), "nonce-replayed")


def test_without_nonce(nginx):
    """Where a directory asks for none, objects cannot name it."""
    request = LISTED.request("/pay", method="POST", nonce=OMIT,
                             body=cart("", kid=LISTED.key.thumbprint))
    expect(fetch(nginx.port(), request), "body-link-mismatch")
    expect(fetch(nginx.port(), LISTED.request(
        "/pay", method="POST", nonce=OMIT, body=b"{}")), "ok")


def two(body, nonces, target="/pay"):
    request = Request("POST", target, body=body,
                      headers=[("Content-Type", "application/json")])
    return sign(request, BROWSER.sig(label="a", nonce=nonces[0]),
                PAYER.sig(label="b", nonce=nonces[1]))


def test_several_signatures(nginx):
    """The one that the body names counts."""
    a, b = fresh_nonce(), fresh_nonce()
    response = fetch(nginx.port(), two(cart(b), (a, b)))
    expect(response, "ok")
    assert response.header("X-label") == "b"
    a, b = fresh_nonce(), fresh_nonce()
    response = fetch(nginx.port(), two(cart(a), (a, b)))
    expect(response, "ok")
    assert response.header("X-label") == "a"
    expect(fetch(nginx.port(), two(cart("c"), (fresh_nonce(), fresh_nonce()))),
           "body-link-mismatch")
    same = fresh_nonce()
    expect(fetch(nginx.port(), two(cart(same), (same, same))), "ok")
    # a rule that wants the other one
    a, b = fresh_nonce(), fresh_nonce()
    expect(fetch(nginx.port(), two(cart(a), (a, b), "/payers/x")),
           "denied-by-rule")
    a, b = fresh_nonce(), fresh_nonce()
    expect(fetch(nginx.port(), two(cart(b), (a, b), "/payers/x")), "ok")


def test_mastercard(nginx):
    kid = MASTERCARD.key.thumbprint
    expect(fetch(nginx.port(), pay(lambda n: cart(n, kid=kid),
                                   agent=MASTERCARD)), "ok")
    expect(fetch(nginx.port(), pay(cart, agent=MASTERCARD)),
           "body-link-mismatch")


def test_dav_put(nginx):
    request = pay(cart, "/dav/cart.json", method="PUT")
    expect(fetch(nginx.port(), request), "ok", status=201)
    assert (nginx.dir / "store/dav/cart.json").read_bytes() == request.body
    request = pay(lambda n: cart("x"), "/dav/not.json", method="PUT")
    expect(fetch(nginx.port(), request), "body-link-mismatch")
    assert not (nginx.dir / "store/dav/not.json").exists()


def test_keepalive(nginx):
    with Connection(nginx.port()) as c:
        for _, body in BAD:
            c.send(pay(body))
            assert c.receive().status == 403
            c.send(pay(cart))
            expect(c.receive(), "ok")


def test_aborted(nginx, upstream):
    request = pay(lambda n: cart(n, x="y" * 30000), "/aborted")
    for cut in 1, 1000, 20000:
        with Connection(nginx.port()) as c:
            c.send(request.raw()[:-cut])
    expect(fetch(nginx.port(), request), "ok")
    assert len(received(upstream, "/aborted")) == 1


def test_unsigned_is_not_read(nginx):
    with Connection(nginx.port()) as c:
        c.send(b"POST /pay HTTP/1.1\r\nHost: shop.test\r\n"
               b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n")
        assert seen(c.receive()) == ("no-signature", "deny")
