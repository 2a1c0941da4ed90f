# SPDX-License-Identifier: BSD-2-Clause
"""The npm packages http-message-sig (Cloudflare's) and http-message-signatures
(Daniel Hensby's) sign, our nginx verifies, over TLS, HTTP/1.1 and HTTP/2.

Where a package departs from RFC 9421 a test says how, and that it is refused
for that reason."""

import base64
import time

import pytest

from clients import Signer
from harness.agents import BOT_KEY, BOT_URL, LISTED_KEY, STRANGER_KEY, VISA_KEY
from harness.client import curl, fetch
from harness.expect import expect
from harness.keys import P256, Rsa
from harness.signer import content_digest, fresh_nonce, jwks

CONF = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_directory other {
        url file:%%DIR%%/keys/other.json;
        profile tap;
        tags other-keys;
        algorithms ecdsa-p256-sha256 rsa-pss-sha256 rsa-pss-sha512;
    }
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

EC, RSA = P256(), Rsa()

SIG, SIGNATURES = "http-message-sig", "http-message-signatures"


@pytest.fixture(scope="module")
def nginx(serve, authority):
    return serve(CONF, CERT=authority.cert, KEY=authority.key, files={
        "keys/other.json": jwks(RSA.jwk(kid="rsa"), EC.jwk(kid="ec"))})


@pytest.fixture(scope="module", params=[SIG, SIGNATURES])
def signer(request):
    signer = Signer(request.param)
    yield signer
    signer.close()


@pytest.fixture(params=["1.1", "2"])
def ask(request, nginx, authority):
    if request.param == "2":
        return lambda r: curl(nginx.port(), r, "--http2", tls=authority.ca)
    return lambda r: fetch(nginx.port(), r, tls=authority.ca)


def tap(tag="agent-browser-auth", **over):
    return {"key": VISA_KEY, "keyid": "visa-1", "alg": "ed25519", "tag": tag,
            "nonce": fresh_nonce(), "components": ["@authority", "@path"],
            **over}


def bot(**over):
    return {"key": BOT_KEY, "tag": "web-bot-auth",
            "headers": [("Signature-Agent", 'sig1="%s"' % BOT_URL)],
            "label": "sig1",
            "components": ["@authority", 'signature-agent;key="sig1"'],
            **over}


ALL = ["@method", "@authority", "@scheme", "@target-uri", "@path", "@query",
       "@request-target"]

GOOD = {
    "a browser": tap(),
    "a payer": tap("agent-payer-auth"),
    "a kid that is the thumbprint": tap(keyid=VISA_KEY.thumbprint),
    "another label": tap(label="visa"),
    "every derived component": tap(components=ALL, target="/a/b%2Fc?d=e%20f"),
    "no query": tap(components=ALL, target="/a"),
    "an empty query": tap(components=["@authority", "@path", "@query"],
                          target="/a?"),
    "a field": tap(components=["@authority", "@path", "x-a"],
                   headers=[("X-A", " some   value,  other ")]),
    "an empty field": tap(components=["@authority", "@path", "x-a"],
                          headers=[("X-A", "")]),
    "a digest": tap(components=["@authority", "@path", "content-digest"],
                    headers=[("Content-Digest", content_digest(b""))]),
    "a bot, member": bot(),
    "a bot, member under another label": bot(
        label="g", headers=[("Signature-Agent", 'g="%s"' % BOT_URL)],
        components=["@authority", 'signature-agent;key="g"']),
    "a bot, whole field": bot(components=["@authority", "signature-agent"]),
    "a bot, string": bot(headers=[("Signature-Agent", '"%s"' % BOT_URL)],
                         components=["@authority", "signature-agent"]),
    "a bot of a listed key": bot(key=LISTED_KEY, headers=[],
                                 components=["@target-uri"]),
}


@pytest.mark.parametrize("name", GOOD)
def test_verified(ask, signer, name):
    wanted = dict(GOOD[name])
    if "nonce" in wanted:
        wanted["nonce"] = fresh_nonce()
    request = signer.sign(**wanted)
    response = ask(request)
    expect(response, "ok")
    assert response.header("X-tag") == GOOD[name]["tag"]
    assert response.header("X-keyid") == GOOD[name].get(
        "keyid", GOOD[name]["key"].thumbprint)
    if "nonce" in wanted:
        expect(ask(request), "nonce-replayed")


def other(key, keyid, alg):
    return tap("other-keys", key=key, keyid=keyid, alg=alg)


@pytest.mark.parametrize("key, keyid, alg", [
    (EC, "ec", "ecdsa-p256-sha256"), (RSA, "rsa", "rsa-pss-sha256"),
    (RSA, "rsa", "rsa-pss-sha512")])
def test_other_algorithms(ask, signer, key, keyid, alg):
    request = signer.sign(**other(key, keyid, alg))
    if alg == "rsa-pss-sha512" and signer.client == SIGNATURES:
        # It signs with the longest salt; RFC 9421 section 3.3.1 has 64.
        expect(ask(request), "bad-signature")
        return
    expect(ask(request), "ok")
    expect(ask(request), "nonce-replayed")
    request = signer.sign(**other(key, keyid, alg))
    expect(ask(request.replaced(target="/else")), "bad-signature")


def changed(value, at=40):
    label, _, text = value.partition("=")
    raw = bytearray(base64.b64decode(text.strip(":")))
    raw[at] ^= 4
    return "%s=:%s:" % (label, base64.b64encode(raw).decode())


TAMPERED = [
    ("signature", changed, "bad-signature"),
    ("signature", lambda v: v[:-1], "signature-value-unreadable"),
    ("signature-input", lambda v: v.replace(";tag=", ";x=1;tag="),
     "bad-signature"),
    ("signature-input", lambda v: v.replace('"@authority" ', ""),
     "target-not-covered"),
    ("signature-input", lambda v: v.replace(' "@path"', ""),
     "component-not-covered"),
    ("signature-input", lambda v: v.replace("agent-browser-auth", "other"),
     "no-served-tag"),
    ("signature-input",
     lambda v: v.replace("agent-browser-auth", "agent-payer-auth"),
     "bad-signature"),
    ("signature-input", lambda v: v.replace(";alg=\"ed25519\"", ""),
     "missing-fields"),
]


@pytest.mark.parametrize("name, change, reason", TAMPERED)
def test_tampered(ask, signer, name, change, reason):
    request = signer.sign(**tap())
    value = request.lines(name)[0]
    assert change(value) != value
    expect(ask(request.without(name).with_headers((name, change(value)))),
           reason)
    expect(ask(request.replaced(target="/other")), "bad-signature")
    expect(ask(request), "ok")


def test_refused(ask, signer):
    now = int(time.time())

    def answer(**over):
        return ask(signer.sign(**tap(**over)))

    expect(answer(created=now - 400, expires=now - 100), "expired")
    expect(answer(created=now + 600, expires=now + 900), "clock-ahead")
    expect(answer(expires=now + 900), "lifetime-too-long")
    expect(answer(nonce=None), "nonce-missing")
    expect(answer(key=STRANGER_KEY), "bad-signature")
    expect(answer(keyid="nobody"), "key-unknown")
    expect(ask(signer.sign(**tap()).replaced(host="other.test")),
           "authority-not-served")
