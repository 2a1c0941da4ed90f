# SPDX-License-Identifier: BSD-2-Clause
"""Keys that come, go and end, and answers of which only a part is good."""

import threading
import time

import pytest

from harness.client import load
from harness.expect import expect, seen
from harness.nginx import wait_for
from harness.shops import answers
from harness.signer import Key, flip_bit, jwks

# Unknown keyids

def test_an_added_key_is_usable_within_one_refetch(shop, names):
    """The very request that names it waits for it."""
    s = shop(names=names)
    s.loaded()
    new = Key()
    s.serve(body=jwks(s.key, new))
    s.advance(301)
    expect(s.ask(key=new), "ok")
    assert s.count() == 2
    expect(s.ask(), "ok")


def test_but_not_before_the_interval_is_over(shop, names):
    s = shop(names=names)
    s.loaded()
    new = Key()
    s.serve(body=jwks(s.key, new))
    s.advance(250)
    started = time.monotonic()
    expect(s.ask(key=new), "key-unknown")
    assert time.monotonic() - started < 1 and s.count() == 1
    s.advance(60)
    expect(s.ask(key=new), "ok")
    assert s.count() == 2


def test_waiting_requests_share_the_refetch(shop, names):
    s = shop(names=names)
    s.loaded()
    new = Key()
    s.serve(body=jwks(s.key, new), hang=True)
    s.advance(301)
    waiting = s.waiting([s.request(key=new) for _ in range(30)])
    started = time.monotonic()
    for _ in range(20):
        expect(s.ask(), "ok")   # with known keys nobody waits
    assert time.monotonic() - started < 1
    s.directory.release()
    got = answers(waiting)
    for response in got:
        expect(response, "ok")
    assert len({r.header("X-Worker") for r in got}) == 2
    assert s.count() == 2


def test_a_flood_of_random_keyids(shop):
    """Costs the directory one fetch an interval, and nobody else anything."""
    s = shop(REFRESH="1s 1h")
    s.loaded()
    started, over = time.monotonic(), threading.Event()

    def flood(_):
        n = 0
        while not over.is_set():
            expect(s.ask(key=Key()), "key-unknown")
            n += 1
        return n

    def known():
        slowest = 0
        while time.monotonic() - started < 3:
            asked = time.monotonic()
            expect(s.ask(), "ok")
            slowest = max(slowest, time.monotonic() - asked)
        over.set()
        return slowest

    got = load(5, lambda i: flood(i) if i else known(), threads=5)
    elapsed = time.monotonic() - started
    print("%d unknown keyids, %d fetches, slowest known %.0f ms"
          % (sum(got[1:]), s.count(), 1000 * got[0]))
    assert sum(got[1:]) > 200
    assert s.count() <= elapsed + 2
    assert got[0] < 0.5


def test_a_flood_while_the_directory_is_down(shop):
    """A failing directory is asked by its backoff, not by its visitors."""
    s = shop(REFRESH="1s 1h")
    s.loaded()
    s.serve(status=500)
    time.sleep(1.1)
    got = load(200, lambda _: s.ask(key=Key()), threads=8)
    assert {seen(r)[0] for r in got} == {"key-unknown"}
    assert s.count(500) <= 3
    expect(s.ask(), "ok")


def test_a_forger_under_a_known_keyid_fetches_nothing(shop, names):
    s = shop(names=names)
    s.loaded()
    s.advance(301)
    for _ in range(5):
        expect(s.ask(signature=flip_bit), "bad-signature")
    assert s.count() == 1


# Sets that replace one another

def test_a_removed_key_stops_with_the_set_that_lacks_it(shop, names):
    other = Key()
    s = shop(names=names)
    s.loaded()
    s.serve(body=jwks(other, s.key))
    s.advance(3600)
    s.becomes("ok", key=other)
    expect(s.ask(), "ok")
    s.serve(body=jwks(other))
    s.advance(3600)
    wait_for("the set", lambda: s.count() == 3)
    s.becomes("key-unknown")
    expect(s.ask(key=other), "ok")


def test_an_empty_set_revokes_all_loudly(shop, names):
    s = shop(names=names)
    s.loaded()
    s.serve(body='{"keys": []}')
    s.advance(3600)
    s.becomes("key-unknown")
    assert "[warn]" in s.logged("directory remote", "0 keys", "revoked")
    expect(s.ask("/optional/"), "key-unknown", 200, "pass")


def test_nothing_usable_revokes_nothing(shop, names):
    """A mistake, unlike an empty set."""
    s = shop(names=names)
    s.loaded()
    s.serve(body=jwks({"kty": "oct", "alg": "HS256"}))
    s.advance(3600)
    s.logged("could not be fetched", "no entry is usable")
    expect(s.ask(), "ok")


# nbf and exp

SKEW = "web_bot_auth_clock_skew 1s;"


@pytest.mark.parametrize("scale", [1, 1000], ids=["seconds", "ms"])
def test_exp_is_honoured_at_use(shop, scale):
    key = Key()
    exp = int((time.time() + 2) * scale)
    s = shop({"body": jwks(key.jwk(exp=exp))}, key=key, MORE=SKEW)
    s.loaded()
    s.becomes("key-expired")
    assert time.time() >= exp / scale
    assert s.count() == 1


@pytest.mark.parametrize("scale", [1, 1000], ids=["seconds", "ms"])
def test_nbf_is_honoured_at_use(shop, scale):
    key = Key()
    nbf = int((time.time() + 3) * scale)
    s = shop({"body": jwks(key.jwk(nbf=nbf))}, key=key, MORE=SKEW)
    s.becomes("key-not-yet-valid")
    s.becomes("ok")
    assert time.time() >= nbf / scale - 1.1
    assert s.count() == 1


# Entry by entry

RFC_9421_KEY = {"kty": "OKP", "crv": "Ed25519",
                "x": "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"}

ENTRIES = {
    "no object": (7, "not an object"),
    "no kty": ({"kid": "b"}, "kty is missing"),
    "a secret": ({"kty": "oct", "kid": "b", "k": "AA"}, "private key"),
    "private": (Key().private_jwk(kid="b"), "private key"),
    "a curve": ({"kty": "OKP", "crv": "X25519", "x": Key().x, "kid": "b"},
                "crv is not Ed25519"),
    "short": ({"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}, "x is not 32"),
    "padded": ({"kty": "OKP", "crv": "Ed25519", "x": Key().x + "="},
               "x is not 32"),
    "for encryption": (Key().jwk(use="enc"), "use is not sig"),
    "for signing": (Key().jwk(key_ops=["sign"]), "key_ops"),
    "another alg": (Key().jwk(alg="RS256"), "alg"),
    "HMAC": (Key().jwk(alg="HS256"), "alg"),
    "nbf no time": (Key().jwk(nbf="now"), "nbf is no time"),
    "everybody's": (RFC_9421_KEY, "a test key of RFC 9421"),
}


@pytest.mark.parametrize("entry,text", ENTRIES.values(), ids=ENTRIES)
def test_a_bad_entry_costs_itself_only(shop, entry, text):
    key = Key()
    s = shop({"body": jwks(entry, key)}, key=key)
    s.loaded()
    line = s.logged("directory remote", "entry 0", text)
    grave = "private" in text or "test key" in text
    assert ("[crit]" in line) == grave, line
    assert s.logged("directory remote", "1 keys from")


def test_a_private_key_is_not_used(shop):
    private = Key()
    s = shop({"body": jwks(private.private_jwk())}, key=private, WAIT="200ms")
    s.logged("entry 0", "private key")
    s.logged("0 keys from", "all of its keys are revoked")
    expect(s.ask(), "key-unknown")


def test_what_a_kid_holds_does_not_reach_the_log(shop):
    key = Key()
    s = shop({"body": jwks({"kid": 'x"\n[forged]', "kty": "oct"}, key)},
             key=key)
    s.loaded()
    assert '"x??[forged]"' in s.logged("entry 0")


def test_many_bad_entries_are_summed_up(shop):
    key = Key()
    s = shop({"body": jwks(*[{"kty": "oct"}] * 45, key)}, key=key)
    s.loaded()
    assert s.nginx.error_log.count("entry ") == 20
    s.logged("25 more entries")


def test_a_bare_jwk_needs_leniency(shop):
    key = Key()
    body = {"body": jwks(key)[len('{"keys": ['):-2]}
    strict = shop(body, key=key, WAIT="200ms")
    strict.logged("could not be fetched", "no JWK Set")
    expect(strict.ask(), "directory-unavailable")
    s = shop(body, key=key, WORDS="lenient bare-jwk;")
    s.loaded()
