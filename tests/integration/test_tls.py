# SPDX-License-Identifier: BSD-2-Clause
"""HTTP/1.1 over TLS: scheme and default port are https's."""

import pytest

from harness.agents import BOT, BROWSER, LISTED, PAYER
from harness.client import Connection, fetch
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
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%% ssl;
        server_name shop.test;
        ssl_certificate %%CERT%%;
        ssl_certificate_key %%KEY%%;
        location / { %%OK%% }
        location /plain/ { web_bot_auth_scheme http; %%OK%% }
    }
}
"""


@pytest.fixture(scope="module")
def nginx(serve, authority):
    return serve(CONF, CERT=authority.cert, KEY=authority.key)


@pytest.fixture(scope="module")
def ask(nginx, authority):
    return lambda request: fetch(nginx.port(), request, tls=authority.ca)


@pytest.mark.parametrize("agent", [BROWSER, PAYER, BOT, LISTED])
def test_verified(ask, agent):
    expect(ask(agent.request(scheme="https")), "ok")


@pytest.mark.parametrize("host, signed", [
    ("shop.test:443", "shop.test"), ("shop.test:80", "shop.test:80"),
    ("SHOP.test", "shop.test")])
def test_default_port(ask, host, signed):
    expect(ask(BROWSER.request(host=host, scheme="https",
                               values={"@authority": signed})), "ok")


@pytest.mark.parametrize("target, scheme, reason", [
    ("/a?b", "https", "ok"), ("/a?b", "http", "bad-signature"),
    ("/plain/", "http", "ok"), ("/plain/", "https", "bad-signature"),
    ("https://shop.test/a", "https", "ok")])
@pytest.mark.parametrize("component", ["@scheme", "@target-uri"])
def test_scheme(ask, target, scheme, reason, component):
    expect(ask(LISTED.request(target, scheme=scheme, components=(
        "@authority", component))), reason)


def test_absolute_form_of_another_scheme(ask):
    expect(ask(LISTED.request("http://shop.test/a", scheme="https",
                              components=("@authority", "@target-uri"))),
           "scheme-mismatch")


def test_refused(ask):
    expect(ask(Request()), "no-signature")
    expect(ask(BROWSER.request(scheme="https", signature=flip_bit)),
           "bad-signature")


def test_keepalive(nginx, authority):
    with Connection(nginx.port(), tls=authority.ca) as c:
        request = BROWSER.request(scheme="https")
        for reason in "ok", "nonce-replayed", "nonce-replayed":
            c.send(request)
            expect(c.receive(), reason)
