# SPDX-License-Identifier: BSD-2-Clause
"""Many requests of one connection: each is judged by itself."""

import pytest

from harness.agents import BROWSER, LISTED, PAYER
from harness.client import Connection
from harness.expect import expect
from harness.signer import Request, flip_bit

CONF = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth on;
    keepalive_requests 10000;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test;
        location / { %%OK%% }
        location /off/ { web_bot_auth off; %%OK%% }
    }
}
"""


@pytest.fixture(scope="module")
def nginx(serve):
    return serve(CONF)


def conversation():
    """What is sent, one after the other, and what each is told."""
    replay = BROWSER.request()
    return [
        (replay, "ok"),
        (replay, "nonce-replayed"),
        (Request(), "no-signature"),
        (PAYER.request(), "ok"),
        (BROWSER.request(signature=flip_bit), "bad-signature"),
        (Request(), "no-signature"),
        (LISTED.request("/a/b?c"), "ok"),
        (BROWSER.request(host="evil.test"), "authority-not-served"),
        (BROWSER.request(), "ok"),
    ]


def test_keepalive(nginx):
    with Connection(nginx.port()) as c:
        for request, reason in conversation():
            c.send(request)
            expect(c.receive(), reason)


def test_pipelining(nginx):
    sequence = conversation() + conversation()
    with Connection(nginx.port()) as c:
        c.send(b"".join(request.raw() for request, _ in sequence))
        for _, reason in sequence:
            expect(c.receive(), reason)


def test_split_anywhere(nginx):
    sequence = conversation()
    raw = b"".join(request.raw() for request, _ in sequence)
    with Connection(nginx.port()) as c:
        for i in range(0, len(raw), 100):
            c.send(raw[i:i + 100])
        for _, reason in sequence:
            expect(c.receive(), reason)


def test_nothing_is_left_over_from_the_request_before(nginx):
    with Connection(nginx.port()) as c:
        for _ in range(200):
            c.send(BROWSER.request())
            expect(c.receive(), "ok")
            c.send(Request(target="/off/"))
            response = c.receive()
            assert response.status == 200
            assert response.header("X-keyid") == ""
            c.send(Request())
            expect(c.receive(), "no-signature")


def test_a_client_that_goes_away(nginx):
    for cut in 1, 50, 200, 10 ** 6:
        with Connection(nginx.port()) as c:
            c.send(BROWSER.request().raw()[:cut])
    with Connection(nginx.port()) as c:
        c.send(BROWSER.request())
        expect(c.receive(), "ok")
