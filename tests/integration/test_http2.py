# SPDX-License-Identifier: BSD-2-Clause
"""HTTP/2: :authority, :path, cookie crumbs, many streams of one connection."""

import subprocess

import pytest

from harness.agents import BROWSER, LISTED, PAYER
from harness.client import curl
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
        listen 127.0.0.1:%%PORT%% http2;
        listen 127.0.0.1:%%PORT_TLS%% ssl http2;
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


@pytest.fixture(params=["h2c", "h2"])
def ask(request, nginx, authority):
    tls = request.param == "h2"

    def send(agent, target="/", host="shop.test", **over):
        signed = agent.request(target, host=host,
                               scheme="https" if tls else "http", **over)
        return send.raw(signed)

    def raw(signed):
        response = curl(nginx.port("PORT_TLS" if tls else "PORT"), signed,
                        "--http2" if tls else "--http2-prior-knowledge",
                        tls=tls and authority.ca)
        assert response.version == "2"
        return response

    send.raw = raw
    send.port = nginx.port("PORT_TLS" if tls else "PORT")
    return send


@pytest.mark.parametrize("agent", [BROWSER, PAYER, LISTED])
def test_verified(ask, agent):
    expect(ask(agent, "/a%2Fb?c"), "ok")


def test_all_derived_components(ask):
    expect(ask(LISTED, "/a?b", components=(
        "@method", "@target-uri", "@authority", "@scheme", "@request-target",
        "@path", "@query")), "ok")


def test_authority_with_port(ask):
    expect(ask(BROWSER, host="shop.test:%d" % ask.port), "ok")
    expect(ask(BROWSER, host="SHOP.test:%d" % ask.port), "ok")
    expect(ask(BROWSER, host="evil.test"), "authority-not-served")


def test_refused(ask):
    expect(ask.raw(Request()), "no-signature")
    expect(ask(BROWSER, signature=flip_bit), "bad-signature")
    request = BROWSER.request()
    expect(ask.raw(request), "ok")
    expect(ask.raw(request), "nonce-replayed")


def test_cookie_crumbs(ask):
    """HTTP/2 may split Cookie into lines, which join by '; '."""
    expect(ask(LISTED, headers=[("Cookie", "a=1"), ("Cookie", "b=2")],
               values={"cookie": "a=1; b=2"},
               components=("@authority", "cookie")), "ok")


def test_many_lines_join_by_commas(ask):
    expect(ask(LISTED, headers=[("X-A", "1"), ("X-A", "2")],
               components=("@authority", "x-a")), "ok")


def test_body(ask):
    response = ask(BROWSER, "/post/", method="POST", body=b"x" * 50000)
    expect(response, "ok")
    assert response.body.count(b"x" * 50000) == 1


def test_streams_of_one_connection(nginx, authority):
    """Fifty at once, and the same ones again.  (Over TLS: Debian's curl fails
    when it multiplexes without, whatever the server.)"""
    port = nginx.port("PORT_TLS")
    args = ["curl", "--parallel", "--parallel-max", "50"]
    for i in range(50):
        request = BROWSER.request("/%d" % i, scheme="https")
        args += ["--next"] * (i > 0) + [
            "-sS", "--http2", "--noproxy", "*", "--cacert", authority.ca,
            "--resolve", "shop.test:%d:127.0.0.1" % port]
        for header in request.headers + [("Host", "shop.test")]:
            args += ["-H", "%s: %s" % header]
        args += ["-o", "/dev/null", "-w", "%{http_code} %{http_version}\n",
                 "https://shop.test:%d/%d" % (port, i)]
    for status in "200", "429":
        done = subprocess.run(args, capture_output=True, check=False,
                              text=True)
        assert done.returncode == 0, done.stderr[-500:]
        assert done.stdout.splitlines() == [status + " 2"] * 50
