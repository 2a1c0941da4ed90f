# SPDX-License-Identifier: BSD-2-Clause
"""@authority: its forms, and whose it may be."""

import pytest

from harness.agents import BROWSER, LISTED
from harness.client import fetch
from harness.expect import expect
from harness.signer import Key, Request, flip_bit, sign

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
        listen 127.0.0.1:%%PORT%% default_server;
        server_name _ named.test;
        location / { %%OK%% }
        location /any/ { web_bot_auth_authority any; %%OK%% }
    }
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test *.wild.test .dot.test tail.*
                    ~^re(?<n>[0-9]+)\\.test$;
        location / { %%OK%% }
        location /off/ { web_bot_auth_authority server_name; %%OK%% }
    }
    server {
        listen 127.0.0.1:%%PORT_PROXIED%%;
        web_bot_auth_authority $http_x_forwarded_host;
        web_bot_auth_scheme $http_x_forwarded_proto;
        location / { %%OK%% }
    }
    server {
        listen 127.0.0.1:%%PORT_FIXED%%;
        server_name internal;
        web_bot_auth_authority shop.example;
        web_bot_auth_scheme https;
        location / { %%OK%% }
        location /own/ {
            web_bot_auth_authority server_name;
            web_bot_auth_scheme http;
            %%OK%%
        }
    }
    server {
        listen 127.0.0.1:%%PORT_NAMELESS%%;
        location / { %%OK%% }
    }
}
"""


@pytest.fixture(scope="module")
def nginx(serve):
    return serve(CONF)


# what the client sends as Host, what the agent signed
FORMS = [
    ("shop.test", "shop.test"),
    ("SHOP.Test", "shop.test"),
    ("shop.test:80", "shop.test"),
    ("shop.test:", "shop.test"),
    ("shop.test:8443", "shop.test:8443"),
    ("shop.test:443", "shop.test:443"),     # not http's default
    ("Shop.Test:8443", "shop.test:8443"),
    (" shop.test", "shop.test"),
]


@pytest.mark.parametrize("host, signed", FORMS)
def test_forms(nginx, host, signed):
    request = BROWSER.request(host=host, values={"@authority": signed})
    expect(fetch(nginx.port(), request), "ok")


@pytest.mark.parametrize("host, signed", [
    ("shop.test", "SHOP.TEST"), ("shop.test", "shop.test:80"),
    ("shop.test:8443", "shop.test"), ("shop.test", "shop.test:443")])
def test_what_is_signed_must_be_canonical(nginx, host, signed):
    request = BROWSER.request(host=host, values={"@authority": signed})
    expect(fetch(nginx.port(), request), "bad-signature")


ABSOLUTE = [
    ("http://shop.test/p", "shop.test", "ok"),
    ("http://shop.test/p", "evil.test", "ok"),      # Host is ignored
    ("http://SHOP.test:80/p", "x", "ok"),
    ("HTTP://shop.test/p?q", "x", "ok"),
    ("http://shop.test", "shop.test", "ok"),
    ("http://shop.test?q", "shop.test", "ok"),
    ("http://evil.test/p", "shop.test", "authority-not-served"),
]


@pytest.mark.parametrize("target, host, reason", ABSOLUTE)
@pytest.mark.parametrize("component", ["@authority", "@target-uri",
                                       "@request-target"])
def test_absolute_form(nginx, target, host, reason, component):
    components = tuple(dict.fromkeys(("@path", "@authority", component)))
    request = LISTED.request(target=target, host=host, components=components)
    expect(fetch(nginx.port(), request), reason)


def test_absolute_form_of_another_scheme(nginx):
    request = LISTED.request(target="https://shop.test/", components=(
        "@authority", "@target-uri"))
    assert fetch(nginx.port(), request).header("X-reason") in (
        "scheme-mismatch", "bad-signature")
    request = LISTED.request(target="https://shop.test/", scheme="https",
                             components=("@target-uri",))
    expect(fetch(nginx.port(), request), "scheme-mismatch")


@pytest.mark.parametrize("host, served", [
    ("shop.test", True), ("named.test", True), ("a.wild.test", True),
    ("a.b.wild.test", True), ("dot.test", True), ("a.dot.test", True),
    ("tail.test", True), ("tail.co.example", True), ("re42.test", True),
    ("RE42.Test:81", True),
    ("wild.test", False), ("evil.test", False), ("rex.test", False),
    ("notdot.test", False), ("127.0.0.1", False), ("shop.test.evil", False),
])
def test_server_names(nginx, host, served):
    expect(fetch(nginx.port(), BROWSER.request(host=host)),
           "ok" if served else "authority-not-served")


@pytest.mark.parametrize("over", [
    {}, {"signature": flip_bit}, {"keyid": "unknown"},
    {"key": Key()}, {"values": {"@path": "/no"}}])
def test_another_s_request_is_refused_before_any_crypto(nginx, over):
    """Signed for evil.test, forwarded by it with its own Host: whether the
    signature is good plays no part."""
    request = BROWSER.request(host="evil.test", **over)
    expect(fetch(nginx.port(), request), "authority-not-served")


def test_forwarded_under_our_own_name(nginx):
    request = BROWSER.request(host="evil.test").replaced(host="shop.test")
    expect(fetch(nginx.port(), request), "bad-signature")


def test_any(nginx):
    expect(fetch(nginx.port(), BROWSER.request("/any/", host="evil.test")),
           "ok")


def test_a_server_without_name_verifies_nothing(nginx):
    for host in "shop.test", "127.0.0.1":
        expect(fetch(nginx.port("PORT_NAMELESS"), BROWSER.request(host=host)),
               "authority-not-served")
    assert "server_name" in nginx.test()[1]


def test_no_host_at_all(nginx):
    raw = BROWSER.request().replaced(host=None).raw().replace(
        b"HTTP/1.1", b"HTTP/1.0")
    response = fetch(nginx.port(), raw)
    expect(response, "authority-not-served")


PROXIED = ("X-Forwarded-Host", "X-Forwarded-Proto")


def proxied(nginx, host="shop.example", proto="https", **over):
    seen = LISTED.request(host="shop.example", scheme="https", components=(
        "@authority", "@target-uri", "@scheme"), **over)
    return fetch(nginx.port("PORT_PROXIED"), seen.replaced(
        host="backend:8080").with_headers(*zip(PROXIED, (host, proto))))


@pytest.mark.parametrize("host, proto, reason", [
    ("shop.example", "https", "ok"),
    ("Shop.Example:443", "https", "ok"),
    ("shop.example", "HTTPS", "ok"),
    ("shop.example", "http", "bad-signature"),
    ("other.example", "https", "bad-signature"),
])
def test_behind_a_proxy(nginx, host, proto, reason):
    expect(proxied(nginx, host, proto), reason)


def test_an_empty_vouched_authority_vouches_for_nothing(nginx):
    response = fetch(nginx.port("PORT_PROXIED"), BROWSER.request())
    assert response.status == 403
    assert response.header("X-reason") in ("authority-not-served",
                                           "bad-signature")


def test_fixed_by_the_operator(nginx):
    port = nginx.port("PORT_FIXED")
    signed = BROWSER.request(host="shop.example", scheme="https", components=(
        "@authority", "@path", "@target-uri"))
    expect(fetch(port, signed.replaced(host="whatever")), "ok")
    request = BROWSER.request(host="internal")
    expect(fetch(port, request), "bad-signature")
    expect(fetch(port, BROWSER.request("/own/", host="internal")), "ok")


def test_two_hosts(nginx):
    """nginx answers 400 to a second Host by itself."""
    raw = BROWSER.request().raw().replace(
        b"Host: shop.test\r\n", b"Host: evil.test\r\nHost: shop.test\r\n")
    assert fetch(nginx.port(), raw).status == 400


def test_userinfo_is_no_authority(nginx):
    request = sign(Request(target="http://u:p@shop.test/"), BROWSER.sig())
    assert fetch(nginx.port(), request).status in (400, 403)
