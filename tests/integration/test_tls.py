# SPDX-License-Identifier: BSD-2-Clause
"""HTTP/1.1 over TLS: scheme and default port are https's."""

import pytest

from harness.agents import BOT, BROWSER, LISTED, PAYER
from harness.client import Connection, fetch
from harness.expect import expect
from harness.nginx import wait_for
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


# A directory's failed handshake is no concern of the shop's.

FAILING = """
%%GLOBALS%%
worker_processes 1;
events {}
http {
    %%HTTP%%
    web_bot_auth_directory remote { url %%URL%%; profile tap; }
    web_bot_auth_wait 1s max=0;
    web_bot_auth on;
    server {
        listen 127.0.0.1:%%PORT%% ssl;
        server_name shop.test;
        ssl_certificate %%CERT%%;
        ssl_certificate_key %%KEY%%;
        location / { %%OK%% }
    }
}
"""


def test_a_failed_handshake_leaves_nothing_to_the_next(serve, authority,
                                                       directory):
    """OpenSSL's errors are the thread's: nginx would find those of libcurl's
    handshake, and alert."""
    nginx = serve(FAILING, CERT=authority.cert, KEY=authority.key,
                  URL=directory.url("/keys"))
    for times in (1, 2):
        wait_for("a failed fetch", lambda n=times: nginx.error_log.count(
            "SSL certificate problem") >= n)
        for _ in range(3):
            assert fetch(nginx.port(), Request(), tls=authority.ca).status \
                == 403
    assert "stale global SSL error" not in nginx.error_log
