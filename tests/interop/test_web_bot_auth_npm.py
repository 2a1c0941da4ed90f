# SPDX-License-Identifier: BSD-2-Clause
"""The npm package web-bot-auth (Cloudflare's) signs, our nginx verifies.

Its modules are looked for in build/interop/node_modules (`make interop` puts
them there), or where NODE_MODULES says."""

import base64
import time

import pytest

from clients import Signer
from harness.agents import BOT_KEY, BOT_URL, LISTED_KEY, STRANGER_KEY
from harness.client import curl, fetch
from harness.expect import expect
from harness.signer import content_digest

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
        listen 127.0.0.1:%%PORT%% ssl http2;
        server_name shop.test;
        ssl_certificate %%CERT%%;
        ssl_certificate_key %%KEY%%;
        location / { %%OK%% }
    }
}
"""


@pytest.fixture(scope="module")
def nginx(serve, authority):
    return serve(CONF, CERT=authority.cert, KEY=authority.key)


@pytest.fixture(scope="module")
def sign():
    signer = Signer("web-bot-auth")
    yield signer.sign
    signer.close()


@pytest.fixture(params=["1.1", "2"])
def ask(request, nginx, authority):
    if request.param == "2":
        return lambda r: curl(nginx.port(), r, "--http2", tls=authority.ca)
    return lambda r: fetch(nginx.port(), r, tls=authority.ca)


STRING = ("Signature-Agent", '"%s"' % BOT_URL)
MEMBER = ("Signature-Agent", 'sig1="%s"' % BOT_URL)


@pytest.mark.parametrize("key, agent, over", [
    (LISTED_KEY, None, {}),
    (BOT_KEY, STRING, {}),
    (BOT_KEY, MEMBER, {}),
    (BOT_KEY, MEMBER, {"label": "g"}),
    (BOT_KEY, STRING, {"label": "chatgpt", "components": [
        "@authority", "@method", "@path", "signature-agent"]}),
    (LISTED_KEY, None, {"components": [
        "@authority", "@method", "@scheme", "@target-uri", "@path", "@query",
        "@request-target"]}),
    (LISTED_KEY, None, {"expires": int(time.time()) + 86000}),
])
def test_verified(ask, sign, key, agent, over):
    request = sign(key, "/a/b%2Fc?d=e", [agent] if agent else [], **over)
    response = ask(request)
    expect(response, "ok")
    assert response.header("X-keyid") == key.thumbprint
    assert response.header("X-tag") == "web-bot-auth"
    assert response.header("X-agent") == (BOT_URL if agent else "")
    assert response.header("X-label") == over.get("label", "sig1")
    expect(ask(request), "nonce-replayed")


def test_other_headers(ask, sign):
    headers = [("X-A", "some value"), ("Content-Digest", content_digest(b""))]
    request = sign(LISTED_KEY, "/", headers, components=[
        "@authority", "x-a", "content-digest"])
    expect(ask(request), "ok")


def changed_signature(value):
    raw = bytearray(base64.b64decode(value.split(":")[1]))
    raw[40] ^= 4
    return "sig1=:%s:" % base64.b64encode(raw).decode()


TAMPERED = [
    ("signature", changed_signature, "bad-signature"),
    ("signature", lambda v: v[:-5] + ":", "bad-signature"),
    ("signature", lambda v: v[:-1], "signature-value-unreadable"),
    ("signature-agent", lambda v: '"https://evil.test"', "agent-not-allowed"),
    ("signature-input", lambda v: v.replace(";tag=", ";x=1;tag="),
     "bad-signature"),
    ("signature-input", lambda v: v.replace('"@authority" ', ""),
     "target-not-covered"),
    ("signature-input", lambda v: v.replace("web-bot-auth", "other"),
     "no-served-tag"),
]


@pytest.mark.parametrize("name, change, reason", TAMPERED)
def test_tampered(ask, sign, name, change, reason):
    request = sign(BOT_KEY, "/", [STRING])
    value = request.lines(name)[0]
    assert change(value) != value
    expect(ask(request.without(name).with_headers((name, change(value)))),
           reason)
    expect(ask(request), "ok")


def test_refused(ask, sign):
    now = int(time.time())
    expect(ask(sign(LISTED_KEY, created=now - 600, expires=now - 300)),
           "expired")
    expect(ask(sign(LISTED_KEY, created=now + 600, expires=now + 900)),
           "clock-ahead")
    expect(ask(sign(LISTED_KEY, expires=now + 90000)), "lifetime-too-long")
    expect(ask(sign(STRANGER_KEY)), "signature-agent-absent")
    expect(ask(sign(STRANGER_KEY, headers=[STRING])), "key-unknown")
    expect(ask(sign(LISTED_KEY, headers=[STRING])), "key-unknown")
    expect(ask(sign(LISTED_KEY).replaced(host="other.test")),
           "authority-not-served")
