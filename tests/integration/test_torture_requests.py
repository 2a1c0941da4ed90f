# SPDX-License-Identifier: BSD-2-Clause
"""Requests of every kind whose keys are at hand, while each allocation and
each system call that they cause fails in turn: they are answered, never more
kindly than they deserve, and the next one is answered as ever."""

import json

import pytest

from harness.agents import (BOT, BROWSER, LISTED, MASTERCARD, PAYER, STRANGER,
                            TARGET)
from harness.client import Response, curl, fetch
from harness.expect import expect, seen
from harness.keys import P256, Rsa
from harness.signer import (Request, content_digest, flip_bit,
                            fresh_nonce, jwks, sign)
from harness.torture import Torture, verdict

EC, RSA = P256(), Rsa()

CONF = """
%%GLOBALS%%
worker_processes 1;
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_directory others {
        url file:%%DIR%%/keys/others.json;
        profile tap;
        tags others;
    }
    web_bot_auth_zone 2m;
    web_bot_auth_clock_skew 0;
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth on;
    client_body_buffer_size 1k;
    map $web_bot_auth_tag $kind {
        volatile;
        default visitor;
        ~agent  $web_bot_auth_keyid;
    }
    limit_req_zone $kind zone=kinds:1m rate=10000r/s;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_H2%% http2;
        server_name shop.test ~^(?<shop>\\w+)\\.shops\\.test$;
        location / { %%OK%% }
        location /optional/ { web_bot_auth optional; %%OK%% }
        location /nonce/ { web_bot_auth_challenge on nonce; %%OK%% }
        location /link/ {
            web_bot_auth_body_link on;
            error_page 405 =200 /ok.txt;
            %%OK%%
        }
        location /body/ { error_page 405 =200 /ok.txt; %%OK%% }
        location /late/ {
            web_bot_auth off;
            error_page 502 = @late;
            proxy_pass http://127.0.0.1:%%PORT_NOBODY%%;
        }
        location @late { proxy_pass http://127.0.0.1:%%UPSTREAM%%; }
        location /values/ {
            web_bot_auth_authority $host;
            web_bot_auth_scheme $scheme;
            %%OK%%
        }
        location /early/ {
            set $early $web_bot_auth_keyid$web_bot_auth_created;
            limit_req zone=kinds burst=100000 nodelay;
            %%OK%%
        }
        location /exposed/ { web_bot_auth_expose_reason on; %%OK%% }
        location /nobody/ { web_bot_auth_deny all; %%OK%% }
        location /limited/ {
            web_bot_auth_forgery_limit 1000r/s burst=1000;
            %%OK%%
        }
        location /page/ { error_page 403 /refused/ok.txt; %%OK%% }
        location /refused/ { try_files /ok.txt =404; }
    }
    server {
        listen 127.0.0.1:%%PORT_STATUS%%;
        web_bot_auth off;
        location / { stub_status; }
        location = /json { web_bot_auth_status json; }
        location = /metrics { web_bot_auth_status prometheus; }
        location = /page { web_bot_auth_status html; }
    }
}
"""

FILES = {"keys/others.json": jwks(EC.jwk(kid="es256"),
                                  RSA.jwk(kid="ps256", alg="PS256"))}
BODY = b"x" * 5000      # more than the buffer


@pytest.fixture(scope="module")
def nginx(serve, faults, upstream):
    return serve(CONF, files=FILES, names=faults, UPSTREAM=upstream.port)


@pytest.fixture
def torture(nginx, faults):
    torture = Torture(faults, nginx)
    pid = torture.pid
    yield torture
    torture.check_idle("PORT_STATUS")
    check_counts(nginx)
    assert torture.pid == pid


def status(nginx):
    return json.loads(fetch(nginx.port("PORT_STATUS"),
                            Request(target="/json")).body)


def check_counts(nginx):
    """Every request was counted once, by outcome, decision and reason."""
    r = status(nginx)["requests"]
    assert r["total"] == sum(r["outcomes"].values()) \
        == sum(r["decisions"].values()) \
        == sum(reason["count"] for reason in r["reasons"])


def digest(body=BODY, of=BODY, target="/body/"):
    return PAYER.request(
        target, "POST", body=body,
        headers=[("Content-Digest", content_digest(of))],
        components=TARGET + ("content-digest",))


def linked(other=None):
    nonce = fresh_nonce()
    body = json.dumps({"agenticConsumer": {
        "nonce": other or nonce, "kid": "visa-1"}}).encode()
    return PAYER.request("/link/", "POST", body=body, nonce=nonce,
                         headers=[("Content-Type", "application/json")])


def two():
    return sign(Request(), BROWSER.sig(label="a"), PAYER.sig(label="b"))


def others(key, kid, alg):
    return BROWSER.request(key=key, keyid=kid, tag="others", alg=alg)


# what is asked, and what is right
KINDS = {
    "verified": (BROWSER.request, "ok"),
    "an agent": (BOT.request, "ok"),
    "two signatures": (two, "ok"),
    "many fields": (lambda: LISTED.request(
        headers=[("X-A", "1"), ("X-A", " 2"), ("Cookie", "a=b")],
        components=("@authority", "@target-uri", "x-a", "x-a;bs", "@query",
                    "cookie")), "ok"),
    "by a name that is a pattern": (lambda: BROWSER.request(
        host="some.shops.test"), "ok"),
    "ECDSA": (lambda: others(EC, "es256", "ecdsa-p256-sha256"), "ok"),
    "RSA": (lambda: others(RSA, "ps256", "rsa-pss-sha256"), "ok"),
    "ECDSA, forged": (lambda: BROWSER.request(
        key=EC, keyid="es256", tag="others", alg="ecdsa-p256-sha256",
        signature=flip_bit), "bad-signature"),
    "settings that are variables": (lambda: BROWSER.request("/values/"),
                                    "ok"),
    "asked early": (lambda: BROWSER.request("/early/"), "ok"),
    "asked early, forged": (lambda: BROWSER.request(
        "/early/", signature=flip_bit), "bad-signature"),
    "reason exposed": (lambda: BROWSER.request(
        "/exposed/", signature=flip_bit), "bad-signature"),
    "unsigned": (Request, "no-signature"),
    "forged": (lambda: BROWSER.request(signature=flip_bit), "bad-signature"),
    "forged, limited": (lambda: BROWSER.request(
        "/limited/", signature=flip_bit), "bad-signature"),
    "expired": (lambda: BROWSER.request(created=1, expires=2), "expired"),
    "malformed": (lambda: Request(headers=[
        ("Signature-Input", "("), ("Signature", "a=:AA==:")]),
        "signature-input-unreadable"),
    "unknown": (STRANGER.request, "key-unknown"),
    "denied": (lambda: BROWSER.request("/nobody/"), "denied-by-rule"),
    "page of a refusal": (lambda: BROWSER.request(
        "/page/", signature=flip_bit), "bad-signature"),
    "challenged": (lambda: Request(target="/nonce/"), "no-signature"),
    "challenge not answered": (lambda: BROWSER.request("/nonce/"),
                               "nonce-not-challenged"),
    "digest": (digest, "ok"),
    "digest of another body": (lambda: digest(of=b"y"),
                               "content-digest-mismatch"),
    "digest, the body is there": (lambda: digest(target="/late/"), "ok"),
    "digest of another, the body is there": (
        lambda: digest(of=b"y", target="/late/"), "content-digest-mismatch"),
    "objects": (linked, "ok"),
    "objects of another": (lambda: linked("other"), "body-link-mismatch"),
    "Mastercard": (MASTERCARD.request, "ok"),
    "optional": (lambda: BROWSER.request("/optional/"), "ok"),
    "optional, forged": (lambda: BROWSER.request(
        "/optional/", signature=flip_bit), "bad-signature"),
}


def recovered(nginx):
    def check():
        request = BROWSER.request()
        expect(fetch(nginx.port(), request), "ok")
        expect(fetch(nginx.port(), request), "nonce-replayed")
        expect(fetch(nginx.port(), BROWSER.request(signature=flip_bit)),
               "bad-signature")
    return check


def by_curl(nginx, request):
    try:
        return curl(nginx.port("PORT_H2"), request, "--http2-prior-knowledge")
    except AssertionError:
        return Response(0)


# Refused before anything is kept: they take no memory but what nginx has at
# hand for each request, and so may the status page, which is there whole.
FRUGAL = ("no-signature", "signature-input-unreadable")


@pytest.mark.parametrize("make,reason,send", [
    *((*kind, None) for kind in KINDS.values()),
    (BROWSER.request, "ok", by_curl), (digest, "ok", by_curl)],
    ids=[*KINDS, "HTTP/2", "HTTP/2, digest"])
def test_request(nginx, torture, make, reason, send):
    """And none that passed passes again."""
    torture.frugal = reason in FRUGAL
    check = verdict(reason, allow=("body-unavailable",),
                    optional=make().target == "/optional/",
                    good=reason in ("content-digest-mismatch",
                                    "body-link-mismatch"))
    asked = []

    def act():
        request = make()
        asked[:] = [request]
        return send(nginx, request) if send else fetch(nginx.port(), request)

    def look(response):
        check(response)
        if seen(response)[0] == "ok" and reason == "ok":
            assert [seen(fetch(nginx.port(), asked[0]))[0]
                    for _ in range(2)] == ["nonce-replayed"] * 2

    torture.sweep(act, look, recovered(nginx))


def members(value):
    """The names of all that an object holds."""
    if isinstance(value, dict):
        return {(name, *rest) for name, inner in value.items()
                for rest in members(inner)}
    return {()}


def whole_json(text, right):
    assert members(json.loads(text)) == members(json.loads(right))


def whole_lines(text, right):
    def names(body):
        return [line.rpartition(b" ")[0] for line in body.splitlines()]
    assert names(text) == names(right)


def whole(text, right):
    assert text == right


@pytest.mark.parametrize("target,compare", [
    ("/json", whole_json), ("/metrics", whole_lines), ("/page", whole)])
def test_status(nginx, torture, target, compare):
    """The whole of it, or an error."""
    def act():
        return fetch(nginx.port("PORT_STATUS"), Request(target=target))

    right = act().body

    def check(response):
        if response.status == 200:
            assert len(response.body) == int(
                response.header("Content-Length"))
            compare(response.body, right)
        else:
            assert response.status in (0, 500), response

    torture.frugal = target == "/page"
    torture.sweep(act, check, recovered(nginx))
