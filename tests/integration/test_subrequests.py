# SPDX-License-Identifier: BSD-2-Clause
"""Subrequests: nginx skips access checks in them, so the main request's
verdict is all there is; bodies reach whom they should."""

import json

import pytest

from harness.agents import BROWSER
from harness.client import fetch
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
    proxy_set_header X-Agent $web_bot_auth_keyid;
    proxy_set_header X-Original $request_uri;
    %%ECHO%%
    upstream echo { server 127.0.0.1:%%UPSTREAM%%; keepalive 8; }
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test;

        location /asked/ {
            web_bot_auth on;
            auth_request /auth;
            proxy_pass http://echo;
        }
        location /asked-off/ {
            auth_request /auth-on;
            proxy_pass http://echo;
        }
        location /asked-no/ {
            web_bot_auth on;
            auth_request /auth-no;
            proxy_pass http://echo;
        }
        location = /auth { internal; proxy_pass http://echo/auth;
            proxy_pass_request_body off; proxy_set_header Content-Length "";
            proxy_set_header X-Agent $web_bot_auth_keyid; }
        location = /auth-on { internal; web_bot_auth on;
            proxy_pass http://echo/auth-on;
            proxy_pass_request_body off; proxy_set_header Content-Length ""; }
        location = /auth-no { internal;
            proxy_pass http://echo/auth-no?status=401;
            proxy_pass_request_body off; proxy_set_header Content-Length ""; }

        location /mirrored/ {
            web_bot_auth on;
            mirror /mirror;
            proxy_pass http://echo;
        }
        location = /mirror { internal; web_bot_auth on;
            proxy_pass http://echo/mirror; }

        location /page/ { web_bot_auth on; ssi on; ssi_types text/plain;
            try_files /page.txt =404; }
        location /page-off/ { ssi on; ssi_types text/plain;
            try_files /page.txt =404; }
        location = /part { web_bot_auth on; %%OK%% }
    }
}
"""


@pytest.fixture(scope="module")
def nginx(serve, upstream):
    return serve(CONF, UPSTREAM=upstream.port, files={
        "html/page.txt": '[<!--# include virtual="/part" -->]'
                         '[<!--# echo var="web_bot_auth_result" -->]'})


def reached(upstream, path, target):
    """What the upstream got at path on behalf of a client's target."""
    return [r for r in upstream.requests
            if r["target"].startswith(path)
            and (r["headers"].get("x-original") == target
                 or r["target"] == target)]


@pytest.mark.parametrize("method, body", [("GET", None), ("POST", b"x" * 40000)])
def test_auth_request(nginx, upstream, method, body):
    target = "/asked/" + method
    request = BROWSER.request(target, method=method, body=body)
    response = fetch(nginx.port(), request)
    expect(response, "ok")
    assert len(json.loads(response.body)["body"]) == len(body or b"")
    asked = reached(upstream, "/auth", target)
    assert len(asked) <= 1      # its X-Original is its own location's matter
    expect(fetch(nginx.port(), request), "nonce-replayed")


def test_auth_request_sees_the_verdict(nginx, upstream):
    before = len(upstream.requests)
    expect(fetch(nginx.port(), BROWSER.request("/asked/v")), "ok")
    auth = [r for r in upstream.requests[before:] if r["target"] == "/auth"]
    assert [r["headers"].get("x-agent") for r in auth] == ["visa-1"]


def test_auth_request_is_not_made_for_the_refused(nginx, upstream):
    before = len(upstream.requests)
    expect(fetch(nginx.port(), Request(target="/asked/u")), "no-signature")
    expect(fetch(nginx.port(), BROWSER.request("/asked/f",
                                               signature=flip_bit)),
           "bad-signature")
    assert upstream.requests[before:] == []


def test_auth_request_that_refuses(nginx):
    response = fetch(nginx.port(), BROWSER.request("/asked-no/"))
    expect(response, "ok", 401)


def test_no_access_check_within_a_subrequest(nginx):
    """web_bot_auth in the location of a subrequest is without effect."""
    for request in Request(target="/asked-off/"), BROWSER.request(
            "/asked-off/", signature=flip_bit):
        assert fetch(nginx.port(), request).status == 200
    request = BROWSER.request("/asked-off/")
    for _ in range(2):      # and nothing is recorded there
        assert fetch(nginx.port(), request).status == 200


@pytest.mark.parametrize("body", [None, b"", b"y" * 10, b"y" * 100000])
def test_mirror(nginx, upstream, body):
    target = "/mirrored/%s" % (len(body) if body is not None else "none")
    method = "GET" if body is None else "POST"
    before = len(upstream.requests)
    request = BROWSER.request(target, method=method, body=body)
    response = fetch(nginx.port(), request)
    expect(response, "ok")
    assert len(json.loads(response.body)["body"]) == len(body or b"")

    def mirrored():
        return [r for r in upstream.requests[before:]
                if r["target"].startswith("/mirror")
                and not r["target"].startswith("/mirrored")]

    assert len(wait_for("the mirrored request", mirrored)) == 1
    assert len(mirrored()[0]["body"]) == len(body or b"")
    expect(fetch(nginx.port(), request), "nonce-replayed")


def test_the_refused_are_not_mirrored(nginx, upstream):
    before = len(upstream.requests)
    expect(fetch(nginx.port(), Request(target="/mirrored/")), "no-signature")
    expect(fetch(nginx.port(), BROWSER.request("/mirrored/x")), "ok")
    wait_for("the mirrored request", lambda: [
        r for r in upstream.requests[before:] if r["target"] == "/mirror"])
    assert len(upstream.requests[before:]) == 2


def test_ssi(nginx):
    """The part's own 'on' is not asked; its parent's is."""
    response = fetch(nginx.port(), BROWSER.request("/page/"))
    assert (response.status, response.body) == (200, b"[ok][verified]")
    expect(fetch(nginx.port(), Request(target="/page/")), "no-signature")
    response = fetch(nginx.port(), Request(target="/page-off/"))
    assert response.status == 200 and response.body.startswith(b"[ok]")
