# SPDX-License-Identifier: BSD-2-Clause
"""A nonce passes once: under concurrency, over workers, with several
signatures, and without letting forgers burn it."""

import collections
import time

import pytest

from harness.agents import BROWSER, LISTED, MASTERCARD, PAYER, VISA_KEY
from harness.client import Connection, fetch, load
from harness.expect import expect, seen
from harness.nginx import wait_for
from harness.signer import (Key, Request, Sig, flip_bit, fresh_nonce, jwks,
                            sign)

CONF = """
%%GLOBALS%%
worker_processes 2;
worker_rlimit_nofile 4096;
events { worker_connections 2048; }
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_directory again {
        url file:%%DIR%%/keys/again.json;
        profile web-bot-auth;
    }
    web_bot_auth_nonce_store shared cold=%%COLD%%;
    web_bot_auth on;
    %%ECHO%%
    add_header X-Worker $pid always;
    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        server_name shop.test;
        location / { %%OK%% }
        location /optional/ { web_bot_auth optional; %%OK%% }
        location /dry/ { web_bot_auth_dry_run on; %%OK%% }
        location /off/ { web_bot_auth off; %%OK%% }
        location /payers/ {
            web_bot_auth_allow tag=agent-payer-auth; %%OK%%
        }
    }
}
"""


@pytest.fixture(scope="module")
def nginx(serve):
    return serve(CONF, COLD="accept", files={
        "keys/again.json": jwks(VISA_KEY)})


def replays(nginx, request, **how):
    expect(fetch(nginx.port(), request, **how), "nonce-replayed")


def test_once_in_either_worker(nginx):
    """Whichever worker saw it first, both know."""
    workers = set()

    def both_seen():
        request = BROWSER.request()
        expect(fetch(nginx.port(), request), "ok")
        for _ in range(5):
            response = fetch(nginx.port(), request)
            expect(response, "nonce-replayed")
            workers.add(response.header("X-Worker"))
        return len(workers) == 2

    wait_for("answers of both workers", both_seen)


@pytest.mark.parametrize("sigs", [1, 2])
def test_a_thousand_concurrent_copies(nginx, sigs):
    request = sign(Request(), *[agent.sig(label="s%d" % i) for i, agent in
                                enumerate((BROWSER, PAYER)[:sigs])])
    raw = request.raw()
    answers = load(1000, lambda _: fetch(nginx.port(), raw), threads=100)
    counts = collections.Counter(seen(a) for a in answers)
    assert counts == {("ok", "allow"): 1, ("nonce-replayed", "deny"): 999}
    assert len({a.header("X-Worker") for a in answers}) == 2


def test_copies_released_at_once(nginx):
    """All but the last byte is there already when the race begins."""
    raw = BROWSER.request().raw()
    waiting = [Connection(nginx.port()) for _ in range(200)]
    for c in waiting:
        c.send(raw[:-1])
    load(200, lambda i: waiting[i].send(raw[-1:]))
    counts = collections.Counter(c.receive().status for c in waiting)
    for c in waiting:
        c.close()
    assert counts == {200: 1, 429: 199}


@pytest.mark.parametrize("over", [
    {"signature": flip_bit},
    {"key": Key()},
    {"values": {"@path": "/else"}},
    {"components": ("@authority",)},
    {"components": ("@authority", "@path", "x-absent")},
    {"lifetime": 900},
    {"created": int(time.time()) - 400, "expires": int(time.time()) - 60},
    {"tag": "other"},
    {"alg": "hmac-sha256"},
])
def test_a_forger_burns_no_nonce(nginx, over):
    nonce = fresh_nonce()
    for _ in range(3):
        forged = fetch(nginx.port(), BROWSER.request(nonce=nonce, **over))
        assert forged.status == 403
    request = BROWSER.request(nonce=nonce)
    expect(fetch(nginx.port(), request), "ok")
    replays(nginx, request)


def test_a_forger_beside_the_victim(nginx):
    """A good signature of the forger's own, and the victim's nonce in a bad
    one: only the good one's nonce is spent."""
    nonce = fresh_nonce()
    request = sign(Request(), MASTERCARD.sig(label="a", tag="agent-pay-auth",
                                             components=("@authority",
                                                         "@path")),
                   BROWSER.sig(label="b", nonce=nonce, signature=flip_bit),
                   LISTED.sig(label="c"))
    response = fetch(nginx.port(), request)
    expect(response, "ok")
    assert response.header("X-label") == "c"
    expect(fetch(nginx.port(), BROWSER.request(nonce=nonce)), "ok")


def test_refused_elsewhere_means_not_burnt(nginx):
    """Neither a rule's denial nor a strange host costs the nonce."""
    request = BROWSER.request("/payers/")
    expect(fetch(nginx.port(), request), "denied-by-rule")
    expect(fetch(nginx.port(), request.replaced(host="other.test")),
           "authority-not-served")
    nonce = request.lines("signature-input")[0].split('nonce="')[1][:44]
    expect(fetch(nginx.port(), BROWSER.request(nonce=nonce)), "ok")


def test_the_same_nonce_signed_anew_is_a_replay(nginx):
    nonce = fresh_nonce()
    expect(fetch(nginx.port(), BROWSER.request("/a", nonce=nonce)), "ok")
    replays(nginx, BROWSER.request("/b", nonce=nonce, lifetime=60))
    replays(nginx, PAYER.request("/b", nonce=nonce))


def test_a_nonce_belongs_to_its_key(nginx):
    nonce = fresh_nonce()
    for agent in BROWSER, MASTERCARD, LISTED:
        request = agent.request(nonce=nonce)
        expect(fetch(nginx.port(), request), "ok")
        replays(nginx, request)


def test_a_key_of_two_directories_has_one_set_of_nonces(nginx):
    nonce = fresh_nonce()
    expect(fetch(nginx.port(), BROWSER.request(nonce=nonce)), "ok")
    replays(nginx, LISTED.request(nonce=nonce, key=VISA_KEY,
                                  keyid=VISA_KEY.thumbprint))


def test_a_nonce_s_spelling_counts_exactly(nginx):
    nonce = fresh_nonce()
    for variant in nonce, nonce.swapcase(), nonce + " ", nonce + "\\":
        expect(fetch(nginx.port(), BROWSER.request(nonce=variant)), "ok")


def test_without_nonce_there_is_no_replay(nginx):
    request = sign(Request(), LISTED.sig(params=(
        ';created=%d;expires=%d;keyid="%s";tag="web-bot-auth"' % (
            time.time() - 1, time.time() + 60, LISTED.key.thumbprint))))
    for _ in range(3):
        expect(fetch(nginx.port(), request), "ok")


def strip(request, keep):
    """The request with one signature of several left."""
    def member(name):
        parts = request.lines(name)[0].split(", ")
        return name, [p for p in parts if p.startswith(keep + "=")][0]
    return request.without("signature", "signature-input").with_headers(
        member("signature-input"), member("signature"))


@pytest.mark.parametrize("first, second", [
    (BROWSER, PAYER), (PAYER, BROWSER), (BROWSER, LISTED), (LISTED, BROWSER)])
def test_stripping_one_of_two_signatures(nginx, first, second):
    request = sign(Request(), first.sig(label="a"), second.sig(label="b"))
    expect(fetch(nginx.port(), request), "ok")
    for keep in "a", "b":
        replays(nginx, strip(request, keep))
    replays(nginx, request)


def test_one_used_nonce_spoils_the_set(nginx):
    """All or none: of two signatures one was used already."""
    nonce, fresh = fresh_nonce(), fresh_nonce()
    expect(fetch(nginx.port(), BROWSER.request(nonce=nonce)), "ok")
    request = sign(Request(), LISTED.sig(label="a", nonce=fresh),
                   BROWSER.sig(label="b", nonce=nonce))
    response = fetch(nginx.port(), request)
    assert seen(response) in (("nonce-replayed", "deny"), ("ok", "allow"))
    # whatever the first answer was, the fresh one must not work twice
    answers = [seen(fetch(nginx.port(), LISTED.request(nonce=fresh)))[0]
               for _ in range(2)]
    assert answers[1] == "nonce-replayed"
    replays(nginx, request)


def test_one_nonce_on_two_signatures_of_one_message(nginx):
    nonce = fresh_nonce()
    request = sign(Request(), BROWSER.sig(label="a", nonce=nonce),
                   PAYER.sig(label="b", nonce=nonce))
    expect(fetch(nginx.port(), request), "ok")
    for keep in "a", "b":
        replays(nginx, strip(request, keep))


@pytest.mark.parametrize("target", ["/optional/", "/dry/"])
def test_recorded_in_every_mode(nginx, target):
    request = BROWSER.request(target)
    assert seen(fetch(nginx.port(), request))[0] == "ok"
    response = fetch(nginx.port(), request)
    assert seen(response)[0] == "nonce-replayed"
    assert response.status == (429 if target == "/optional/" else 200)


def test_off_records_nothing(nginx):
    request = LISTED.request("/off/")
    assert fetch(nginx.port(), request).status == 200
    expect(fetch(nginx.port(), request.replaced(target="/on")), "ok")


def test_reload_forgets_nothing(nginx):
    request = BROWSER.request()
    expect(fetch(nginx.port(), request), "ok")
    nginx.reload()
    replays(nginx, request)
    expect(fetch(nginx.port(), BROWSER.request()), "ok")


def test_a_cold_store_tells_no_replay(serve):
    """cold=reject: what was signed before the start, give or take the skew,
    might have been used before it."""
    nginx = serve(CONF, COLD="reject", files={
        "keys/again.json": jwks(VISA_KEY)})
    expect(fetch(nginx.port(), BROWSER.request()), "nonce-store-cold")
    optional = fetch(nginx.port(), BROWSER.request("/optional/"))
    expect(optional, "nonce-store-cold", 200, "pass")
    request = Request(target="/")
    without = Sig(LISTED.key, components=("@authority",), params=(
        ';created=%d;expires=%d;keyid="%s";tag="web-bot-auth"' % (
            time.time() - 1, time.time() + 60, LISTED.key.thumbprint)))
    expect(fetch(nginx.port(), sign(request, without)), "ok")

    started = time.time()
    late = wait_for("a store that has warmed up", lambda: seen(fetch(
        nginx.port(), BROWSER.request()))[0] == "ok", 30)
    assert late and time.time() - started < 30
    request = BROWSER.request()
    expect(fetch(nginx.port(), request), "ok")
    replays(nginx, request)
    old = int(started) - 60
    expect(fetch(nginx.port(), BROWSER.request(created=old)),
           "nonce-store-cold")
