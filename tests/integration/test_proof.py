# SPDX-License-Identifier: BSD-2-Clause
"""Possession proof: a directory's response signatures, looked at when they
are there, and a condition where the operator says so."""

import time

import pytest

from harness.agents import STRANGER_KEY
from harness.directory import WELL_KNOWN, proof_by
from harness.expect import expect
from harness.shops import Found
from harness.signer import OMIT, Key, flip_bit, jwks

KEY = Key()
NOW = int(time.time())

BAD = {     # how the proof is made, what the log says
    "forged": (dict(signature=flip_bit), "does not verify"),
    "by a stranger in its name": (
        dict(key=STRANGER_KEY, keyid=KEY.thumbprint), "does not verify"),
    "by a stranger": (dict(key=STRANGER_KEY), "no key of the set"),
    "without keyid": (dict(keyid=OMIT), "lacks"),
    "without created": (dict(created=OMIT, expires=NOW + 999), "lacks"),
    "without expires": (dict(expires=OMIT), "lacks"),
    "created in the future": (
        dict(created=NOW + 9000, expires=NOW + 9999), "future"),
    "expired": (dict(created=NOW - 900, expires=NOW - 600), "expired"),
    "expires before created": (
        dict(created=NOW - 10, expires=NOW - 20), "expires"),
    "without the digest": (
        dict(components=("@authority;req",)), "content-digest"),
    "without the authority": (
        dict(components=("content-digest",)), "@authority"),
    "of no request": (
        dict(components=("@authority", "content-digest")), "@authority"),
    "for another host": (
        dict(values={"@authority;req": "evil.test"}), "does not verify"),
    "by another algorithm": (dict(alg="ecdsa-p256-sha256"), "alg"),
}


@pytest.mark.parametrize("how,text", BAD.values(), ids=BAD)
def test_a_bad_proof_does_not_disable_keys(shop, how, text):
    s = shop({"body": jwks(KEY), "proof": (proof_by(KEY, **how),)}, key=KEY)
    s.loaded()
    assert "[warn]" in s.logged("directory remote", "proof", "bad", text)


@pytest.mark.parametrize("how,text", BAD.values(), ids=BAD)
def test_unless_proof_is_required(shop, how, text):
    s = shop({"body": jwks(KEY), "proof": (proof_by(KEY, **how),)}, key=KEY,
             WORDS="proof required;", WAIT="300ms")
    s.logged("directory remote", "could not be fetched", "possession", text)
    expect(s.ask(), "directory-unavailable")


@pytest.mark.parametrize("words", ["", "proof off;", "proof required;"])
@pytest.mark.parametrize("path", [None, WELL_KNOWN])
def test_a_good_proof(shop, words, path):
    s = shop({"body": jwks(KEY), "proof": (proof_by(KEY),)}, path=path,
             key=KEY, WORDS=words)
    s.becomes("ok")
    assert "is bad" not in s.nginx.error_log


@pytest.mark.parametrize("how", [
    dict(alg="ed25519"), dict(nonce="bm9uY2U="), dict(label="binding0"),
    dict(components=("content-digest", "@authority;req")),
    dict(extra=(("x", 1),)), dict(expires=NOW + 9 * 365 * 86400),
], ids=lambda how: next(iter(how)))
def test_other_good_ones(shop, how):
    s = shop({"body": jwks(KEY), "proof": (proof_by(KEY, **how),)}, key=KEY,
             WORDS="proof required;")
    s.loaded()
    assert "is bad" not in s.nginx.error_log


def test_absent(shop):
    s = shop({"body": jwks(KEY)}, key=KEY)
    s.loaded()
    assert "proof" not in s.nginx.error_log
    s = shop({"body": jwks(KEY)}, key=KEY, WORDS="proof required;",
             WAIT="300ms")
    s.logged("could not be fetched", "possession")
    expect(s.ask(), "directory-unavailable")


def test_another_tag_is_no_proof(shop):
    proof = proof_by(KEY, tag="web-bot-auth")
    s = shop({"body": jwks(KEY), "proof": (proof,)}, key=KEY)
    s.loaded()
    assert "proof" not in s.nginx.error_log
    s = shop({"body": jwks(KEY), "proof": (proof,)}, key=KEY,
             WORDS="proof required;", WAIT="300ms")
    expect(s.ask(), "directory-unavailable")


@pytest.mark.parametrize("words", ["", "proof required;"])
def test_another_body(shop, words):
    """Somebody on the way has put in a key."""
    s = shop({"body": jwks(KEY, STRANGER_KEY), "proof": (proof_by(KEY),),
              "digest_of": jwks(KEY).encode()}, key=KEY, WORDS=words,
             WAIT="300ms")
    if words:
        s.logged("could not be fetched", "possession")
        expect(s.ask(), "directory-unavailable")
    else:
        s.loaded()
        s.logged("proof", "bad", "igest")


def test_each_key_proves_for_itself(shop):
    """A key that a directory cannot use is none of its own."""
    other, third = Key(), Key()
    body = jwks(KEY, other, third)
    s = shop({"body": body,
              "proof": (proof_by(KEY, label="a"),
                        proof_by(third, label="b"))},
             key=KEY, WORDS="proof required;")
    s.loaded()
    expect(s.ask(key=third), "ok")
    expect(s.ask(key=other), "key-unknown")
    s = shop({"body": body, "proof": (proof_by(KEY),)}, key=KEY)
    s.loaded()
    expect(s.ask(key=other), "ok")


def test_a_bad_one_beside_a_good_one(shop):
    s = shop({"body": jwks(KEY),
              "proof": (proof_by(KEY, label="a", signature=flip_bit),
                        proof_by(KEY, label="b"))},
             key=KEY, WORDS="proof required;")
    s.loaded()


def test_what_was_coded_on_the_way_proves_nothing(shop):
    """The digest is over bytes that are no longer there."""
    manners = {"body": jwks(KEY), "proof": (proof_by(KEY),), "gzip": True}
    s = shop(manners, key=KEY)
    s.loaded()
    s = shop(manners, key=KEY, WORDS="proof required;", WAIT="300ms")
    s.logged("could not be fetched", "possession", "coding")
    expect(s.ask(), "directory-unavailable")


def test_a_refresh_without_proof_takes_nothing_away(shop, names):
    """It is a failure, and failures evict nothing."""
    s = shop({"body": jwks(KEY), "proof": (proof_by(KEY),)}, key=KEY,
             WORDS="proof required;", names=names)
    s.loaded()
    s.serve(proof=(), body=jwks(STRANGER_KEY))
    s.advance(3600)
    s.logged("could not be fetched", "possession", "its keys stay in use")
    expect(s.ask(), "ok")
    expect(s.ask(key=STRANGER_KEY), "key-unknown")
    s.serve(proof=(proof_by(STRANGER_KEY),))
    s.advance(330)
    s.becomes("ok", key=STRANGER_KEY)
    expect(s.ask(), "key-unknown")


def test_an_empty_set_needs_none(shop, names):
    """There is nothing to prove, and revoking must not be harder."""
    s = shop({"body": jwks(KEY), "proof": (proof_by(KEY),)}, key=KEY,
             WORDS="proof required;", names=names)
    s.loaded()
    s.serve(proof=(), body='{"keys":[]}')
    s.advance(3600)
    s.becomes("key-unknown")


def test_a_304_keeps_what_was_proven(shop, names):
    s = shop({"body": jwks(KEY), "proof": (proof_by(KEY),), "etag": '"1"'},
             key=KEY, WORDS="proof required;", names=names)
    s.loaded()
    s.advance(3600)
    s.logged_times("unchanged", 1)
    expect(s.ask(), "ok")


def test_the_hop_s_own_authority(shop, names, directory):
    """After the one redirect, the proof is of the host that answered."""
    for host in ("bot.test", "www.bot.test"):
        names.host(host, "127.0.0.1")
    directory.serve("bot.test/keys", status=301,
                    location=directory.url("/keys", "www.bot.test"))
    directory.serve("www.bot.test/keys", body=jwks(KEY),
                    proof=(proof_by(KEY),))
    s = shop(names=names, key=KEY, WORDS="redirect www; proof required;",
             URL=directory.url("/keys", "bot.test"))
    s.becomes("ok")


def test_discovered(shop, names, directory):
    """Its directory's name goes without a port there."""
    agent = Found(directory, names, "a.agents.test")
    agent.serve(proof=(proof_by(agent.key),))
    s = shop.discovering(names, "any; proof required;")
    expect(s.send(agent.request()), "ok")
