# SPDX-License-Identifier: BSD-2-Clause
"""HTTP/3, where nginx has it: :authority, bodies, requests that wait.  To be
run where curl speaks it, too: make compat does so."""

import concurrent.futures
import dataclasses
import time

import pytest

from harness.agents import BROWSER, LISTED, PAYER
from harness.client import curl, fetch
from harness.expect import expect, seen
from harness.nginx import wait_for
from harness.signer import AUTO, Request, content_digest, flip_bit, jwks

CONF = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth on;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT_TLS%% ssl;
        listen 127.0.0.1:%%PORT_TLS%% quic;
        http2 on;
        server_name shop.test;
        ssl_certificate %%CERT%%;
        ssl_certificate_key %%KEY%%;
        location / { %%OK%% }
        location /post/ { proxy_pass http://127.0.0.1:%%UPSTREAM%%; }
    }
}
"""


@pytest.fixture(scope="module")
def nginx(serve, authority, upstream):
    return serve(CONF, CERT=authority.cert, KEY=authority.key,
                 UPSTREAM=upstream.port)


class Ask:
    def __init__(self, nginx, authority):
        self.port = nginx.port("PORT_TLS")
        self.authority = authority

    def __call__(self, agent, target="/", host="shop.test", **over):
        return self.raw(agent.request(target, host=host, scheme="https",
                                      **over))

    def raw(self, signed, version="3"):
        option = "--http3-only" if version == "3" else "--http2"
        response = curl(self.port, signed, option, tls=self.authority.ca)
        assert response.version == version
        return response


@pytest.fixture
def ask(nginx, authority):
    return Ask(nginx, authority)


@pytest.mark.parametrize("agent", [BROWSER, PAYER, LISTED])
def test_verified(ask, agent):
    expect(ask(agent, "/a%2Fb?c"), "ok")


def test_all_derived_components(ask):
    expect(ask(LISTED, "/a?b", components=(
        "@method", "@target-uri", "@authority", "@scheme", "@request-target",
        "@path", "@query")), "ok")


def test_authority(ask):
    expect(ask(BROWSER, host="shop.test:%d" % ask.port), "ok")
    expect(ask(BROWSER, host="SHOP.test"), "ok")
    expect(ask(BROWSER, host="evil.test"), "authority-not-served")


def test_refused(ask):
    expect(ask.raw(Request()), "no-signature")
    expect(ask(BROWSER, signature=flip_bit), "bad-signature")


def test_replayed_over_another_version(ask):
    request = BROWSER.request(scheme="https")
    expect(ask.raw(request), "ok")
    expect(ask.raw(request, "2"), "nonce-replayed")
    expect(ask.raw(request), "nonce-replayed")


def test_cookie_crumbs(ask):
    expect(ask(LISTED, headers=[("Cookie", "a=1"), ("Cookie", "b=2")],
               values={"cookie": "a=1; b=2"},
               components=("@authority", "cookie")), "ok")


@pytest.mark.parametrize("size", [0, 1, 100000])
def test_content_digest(ask, size):
    body = b"x" * size
    for sent, reason in (body, "ok"), (body + b"y", "content-digest-mismatch"):
        response = ask(LISTED, "/post/", method="POST", body=sent, headers=[
            ("Content-Digest", content_digest(body))], components=(
                "@authority", "content-digest"))
        assert seen(response)[0] == reason


WAITING = CONF.replace("%%DIRECTORIES%%", """
    web_bot_auth_directory remote {
        url %%URL%%;
        profile tap;
        tags remote;
    }
    web_bot_auth_trusted_certificate %%CA%%;
    web_bot_auth_wait 15s;
    server {
        listen 127.0.0.1:%%PORT_STATUS%%;
        web_bot_auth off;
        location / { stub_status; }
    }
""")
REMOTE = dataclasses.replace(BROWSER, tag="remote", keyid=AUTO)


@pytest.fixture
def waiting(serve, authority, upstream, directory):
    """A shop whose directory does not answer before it is released."""
    path = "/http3/%d" % time.monotonic_ns()
    directory.serve(path, body=jwks(REMOTE.key), hang=True)
    nginx = serve(WAITING, CERT=authority.cert, KEY=authority.key,
                  UPSTREAM=upstream.port, CA=authority.ca,
                  URL=directory.url(path))
    ask = Ask(nginx, authority)
    ask.active = lambda: int(fetch(nginx.port("PORT_STATUS"), Request()).body
                             .decode().partition("Writing: ")[2].split()[0])
    yield ask
    directory.release()


def test_requests_wait_for_keys(waiting, directory):
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(waiting, REMOTE) for _ in range(3)]
        wait_for("requests to wait", lambda: waiting.active() == 4)
        directory.release()
        for answer in answers:
            expect(answer.result(20), "ok")
    expect(waiting(REMOTE), "ok")


def test_clients_that_do_not_wait(waiting, directory):
    signed = REMOTE.request(scheme="https")
    with pytest.raises(AssertionError):
        curl(waiting.port, signed, "--http3-only", "--max-time", "1",
             tls=waiting.authority.ca)
    directory.release()
    wait_for("nobody to wait", lambda: waiting.active() == 1)
    expect(waiting(REMOTE), "ok")
