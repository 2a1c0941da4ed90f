# SPDX-License-Identifier: BSD-2-Clause
"""Requests with a body: it reaches the upstream whole, however it is sent."""

import json

import pytest

from harness.agents import BROWSER
from harness.client import Connection, curl, fetch
from harness.expect import expect
from harness.signer import content_digest, flip_bit

CONF = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth on;
    client_body_buffer_size 4k;
    client_max_body_size 2m;
    %%ECHO%%
    proxy_http_version 1.1;
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_H2%% http2;
        server_name shop.test;
        location / { proxy_pass http://127.0.0.1:%%UPSTREAM%%; }
        location /stream/ {
            proxy_request_buffering off;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }
        location /static/ { %%OK%% }
    }
}
"""

SIZES = [0, 1, 4096, 1000000]


@pytest.fixture(scope="module")
def nginx(serve, upstream):
    return serve(CONF, UPSTREAM=upstream.port)


def body_of(response):
    expect(response, "ok")
    return json.loads(response.body)["body"]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("target", ["/buffered", "/stream/"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_reaches_the_upstream(nginx, target, size, method):
    request = BROWSER.request(target, method=method, body=b"z" * size)
    assert body_of(fetch(nginx.port(), request)) == "z" * size


@pytest.mark.parametrize("target", ["/buffered", "/stream/"])
def test_http2(nginx, target):
    request = BROWSER.request(target, method="POST", body=b"z" * 100000)
    response = curl(nginx.port("PORT_H2"), request, "--http2-prior-knowledge")
    assert body_of(response) == "z" * 100000


@pytest.mark.parametrize("target", ["/buffered", "/stream/"])
def test_chunked(nginx, target):
    request = BROWSER.request(target, method="POST", headers=[
        ("Transfer-Encoding", "chunked")], body=b"3\r\nabc\r\n2\r\nde\r\n"
                                                b"0\r\n\r\n")
    assert body_of(fetch(nginx.port(), request)) == "abcde"


def test_arriving_bit_by_bit(nginx):
    raw = BROWSER.request("/x", method="POST", body=b"0123456789").raw()
    with Connection(nginx.port()) as c:
        for i in range(0, len(raw), 7):
            c.send(raw[i:i + 7])
        assert body_of(c.receive()) == "0123456789"


@pytest.mark.parametrize("target", ["/buffered", "/stream/"])
def test_refused_with_a_body(nginx, target):
    """The answer comes and the connection goes on."""
    forged = BROWSER.request(target, method="POST", body=b"z" * 20000,
                             signature=flip_bit)
    good = BROWSER.request(target, method="POST", body=b"good")
    with Connection(nginx.port()) as c:
        c.send(forged)
        expect(c.receive(), "bad-signature")
        c.send(good)
        assert body_of(c.receive()) == "good"


def test_expect_100_continue(nginx):
    request = BROWSER.request("/x", method="POST", body=b"abc",
                              headers=[("Expect", "100-continue")])
    with Connection(nginx.port()) as c:
        c.send(request.raw()[:-3])
        assert c.receive().status == 100
        c.send(b"abc")
        assert body_of(c.receive()) == "abc"
    refused = BROWSER.request("/x", method="POST", body=b"abc",
                              signature=flip_bit,
                              headers=[("Expect", "100-continue")])
    with Connection(nginx.port()) as c:
        c.send(refused.raw()[:-3])
        response = c.receive()
        if response.status == 100:      # nginx answers it while discarding
            c.send(b"abc")
            response = c.receive()
        expect(response, "bad-signature")


def test_a_covered_content_digest(nginx):
    """Its field is signed like any other."""
    body = b'{"card":1}'
    covered = BROWSER.components + ("content-digest", "content-type")
    request = BROWSER.request("/x", method="POST", body=body, headers=[
        ("Content-Digest", content_digest(body)),
        ("Content-Type", "application/json")], components=covered)
    swapped = request.without("content-digest").with_headers(
        ("Content-Digest", content_digest(b"other")))
    expect(fetch(nginx.port(), swapped), "bad-signature")
    assert body_of(fetch(nginx.port(), request)) == body.decode()


def test_too_large_for_nginx(nginx):
    request = BROWSER.request("/x", method="POST", body=b"z" * 3000000)
    assert fetch(nginx.port(), request).status == 413
    assert body_of(fetch(nginx.port(), BROWSER.request("/x"))) == ""
