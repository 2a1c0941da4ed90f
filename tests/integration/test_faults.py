# SPDX-License-Identifier: BSD-2-Clause
"""Every way in which a directory that worked fails: its keys stay, nobody
waits, the log says what is wrong, and it recovers."""

import json
import os
import time

import pytest

from harness.agents import BROWSER
from harness.client import Connection
from harness.directory import Directory, gzip_bomb
from harness.expect import expect, seen
from harness.nginx import wait_for
from harness.shops import answers
from harness.signer import Key, b64url, jwks

GOOD = jwks(Key())
MANY = jwks(*[{"kty": "OKP", "crv": "Ed25519", "x": Key().x}] * 1000)[:-2]
HUNDRED_THOUSAND = MANY + ("," + MANY[len('{"keys": ['):]) * 99 + "]}"

# what the directory does, and what the log says of it
FAULTS = {
    "header byte by byte": ({"dribble_head": 0.05}, "imed out"),
    "body byte by byte": ({"dribble": 0.05}, "imed out"),
    "never answers": ({"hang": True}, "imed out"),
    "closes": ({"close": True}, "mpty reply"),
    "closes mid-body": ({"cut": 20}, "transfer closed"),
    "301": ({"status": 301, "location": "/moved"},
            "redirects are not followed"),
    "302 elsewhere": ({"status": 302, "location": "https://evil.test/"},
                      "redirects are not followed"),
    "308 to www": ({"status": 308, "location": "https://www.bot.test/keys"},
                   "redirects are not followed"),
    "304 unasked": ({"status": 304, "body": ""}, "304"),
    "204": ({"status": 204, "body": ""}, "status 204"),
    "206": ({"status": 206}, "status 206"),
    "401": ({"status": 401}, "status 401"),
    "404": ({"status": 404}, "status 404"),
    "429": ({"status": 429, "headers": (("Retry-After", "1"),)},
            "status 429"),
    "500": ({"status": 500}, "status 500"),
    "503": ({"status": 503, "headers": (("Retry-After", "1"),)},
            "status 503"),
    "empty": ({"body": ""}, "empty"),
    "10 MB": ({"body": GOOD + " " * 10485760}, "longer than 65536"),
    "gzip bomb": ({"body": gzip_bomb(20 << 20), "gzip": True},
                  "longer than 65536"),
    "no gzip, though it says so": (
        {"body": b"\x1f\x8bnothing", "gzip": True}, "ncoding"),
    "100,000 keys": ({"body": HUNDRED_THOUSAND}, "longer than 65536"),
    "51 keys": ({"body": jwks(*[Key() for _ in range(51)])}, "more keys"),
    "deep JSON": ({"body": '{"keys":' + "[" * 60000}, "deep"),
    "HTML": ({"body": "<!DOCTYPE html><title>Welcome</title>",
              "media_type": "text/html"}, "HTML"),
    "HTML that says JSON": ({"body": "<!DOCTYPE html>"}, "not JSON"),
    "another type": ({"media_type": "text/plain"}, "media type"),
    "a string": ({"body": '"keys"'}, "not JSON"),
    "no keys": ({"body": '{"key": []}'}, "no JWK Set"),
    "none usable": ({"body": jwks({"kty": "oct"})}, "no entry is usable"),
    "not UTF-8": ({"body": b'{"keys":["\xff"]}'}, "not JSON"),
    "twice": ({"body": '{"keys":[],"keys":[]}'}, "not JSON"),
}


def quick(s, n=20):
    """n requests with the known key, none of which waits."""
    for _ in range(n):
        asked = time.monotonic()
        expect(s.ask(), "ok")
        assert time.monotonic() - asked < 0.5


@pytest.mark.parametrize("manners,text", FAULTS.values(), ids=FAULTS)
def test_fault(shop, names, manners, text):
    s = shop(names=names, TIMEOUT="1s")
    s.loaded()
    usual = s.directory.paths[s.path]
    s.serve(**manners)
    s.advance(3600)
    wait_for("the fetch", lambda: s.count() == 2)
    quick(s)
    s.logged("directory remote", "could not be fetched", text,
             "its keys stay in use")
    quick(s)
    s.directory.paths[s.path] = usual
    s.directory.release()
    s.advance(2)
    wait_for("it to recover", lambda: s.count() >= 3)
    s.logged("1 keys from")
    quick(s, 2)


def test_gzip_that_was_not_asked_for_is_no_fault(shop):
    s = shop({"gzip": True})
    s.loaded()


# TLS

CERTIFICATES = {
    "wrong name": (("other.test",), 2),
    "wrong address": (("127.0.0.2",), 2),
    "expired": (("127.0.0.1",), -1),
}


@pytest.fixture
def own(authority):
    """A directory whose certificate may change."""
    server = Directory(authority)
    yield server
    server.stop()


def change_certificate(server, chain):
    server.stop()
    server.chain = chain
    server.start()


@pytest.mark.parametrize("certificate_names,days", CERTIFICATES.values(),
                         ids=CERTIFICATES)
def test_certificate(shop, names, own, authority, certificate_names, days):
    key = Key()
    own.serve("/keys", body=jwks(key))
    s = shop(names=names, key=key, URL=own.url("/keys"))
    s.becomes("ok")
    change_certificate(own, authority.issue(*certificate_names, days=days))
    s.advance(3600)
    s.logged("could not be fetched", "its keys stay in use")
    quick(s)
    assert own.count("/keys") == 1
    change_certificate(own, (authority.cert, authority.key))
    s.advance(2)
    wait_for("it to recover", lambda: own.count("/keys") == 2)
    quick(s, 2)


def test_nobody_listens(shop, names, own):
    key = Key()
    own.serve("/keys", body=jwks(key))
    s = shop(names=names, key=key, URL=own.url("/keys"))
    s.becomes("ok")
    own.stop()
    s.advance(3600)
    s.logged("could not be fetched", "its keys stay in use")
    quick(s)
    own.start()
    s.advance(2)
    wait_for("it to recover", lambda: own.count("/keys") == 2)


# Names

def by_name(shop, names, host, **values):
    path = "/%d" % time.monotonic_ns()
    return shop(names=names, path=path,
                URL=shop.directory.url(path, host), **values)


def test_a_name_that_resolves_after_ten_seconds(shop, names):
    """One worker, which goes on."""
    names.host("slow.test", "127.0.0.1")
    s = by_name(shop, names, "slow.test", WORKERS=1, TIMEOUT="1s")
    s.loaded()
    names.host("slow.test", "127.0.0.1", delay=10000)
    before = names.lookups("slow.test")
    s.directory.stop()      # no connection to be used again
    s.directory.start()
    s.advance(3600)
    wait_for("the look-up", lambda: names.lookups("slow.test") > before)
    quick(s, 50)
    s.logged("could not be fetched", "imed out")
    quick(s, 50)
    names.host("slow.test", "127.0.0.1")
    s.advance(2)
    wait_for("it to recover", lambda: s.count() == 2)


def test_a_slow_name_at_start_delays_only_those_who_need_it(shop, names):
    names.host("slow.test", "127.0.0.1", delay=1500)
    s = by_name(shop, names, "slow.test", WORKERS=1)
    waiting = s.waiting([s.request() for _ in range(3)])
    started = time.monotonic()
    for _ in range(20):
        expect(s.send(BROWSER.request()), "ok")
    assert time.monotonic() - started < 1
    for response in answers(waiting):
        expect(response, "ok")


def test_a_stop_while_a_name_is_looked_up(shop, names):
    """Does not wait for the resolver."""
    names.host("slow.test", "127.0.0.1", delay=10000)
    s = by_name(shop, names, "slow.test")
    wait_for("the look-up", lambda: names.lookups("slow.test"))
    started = time.monotonic()
    s.nginx.process.terminate()
    s.nginx.process.wait(20)
    assert time.monotonic() - started < 3


def test_a_name_that_does_not_resolve(shop, names):
    s = by_name(shop, names, "bot.test", WAIT="200ms")
    s.logged("could not be fetched", "esolve")
    expect(s.ask(), "directory-unavailable")
    names.host("bot.test", "127.0.0.1")
    s.advance(2)
    s.becomes("ok")


def test_a_directory_that_moves(shop, names, authority, own):
    """To another address, where there is another set."""
    names.host("bot.test", "127.0.0.1")
    s = by_name(shop, names, "bot.test", WORKERS=1)
    s.loaded()
    other = Key()
    own.serve(s.path, body=jwks(other))
    names.map("127.0.0.9", own, s.directory.port)
    names.host("bot.test", "127.0.0.9")
    s.directory.paths[s.path].close = True  # the old one is no more
    s.advance(3600)
    s.becomes("ok", key=other)
    expect(s.ask(), "key-unknown")


def test_one_of_two_addresses_is_dead(shop, names):
    names.host("bot.test", "127.0.0.9,127.0.0.1")
    s = by_name(shop, names, "bot.test")
    s.loaded()


# Latency

def test_ten_thousand_keys(shop, names):
    """As many as the usual bounds allow, every one of them good."""
    key = Key()
    many = ",".join('{"kty":"OKP","crv":"Ed25519","x":"%s"}'
                    % b64url(os.urandom(32)) for _ in range(9999))
    s = shop(names=names, key=key, WORKERS=1, BOUNDS="")
    s.loaded()
    s.serve(body='{"keys":[%s,%s]}' % (json.dumps(key.jwk()), many))
    names.advance(3600)
    slowest = 0
    while "10000 keys from" not in s.nginx.error_log:
        asked = time.monotonic()
        expect(s.ask(), "ok")
        slowest = max(slowest, time.monotonic() - asked)
    print("slowest while 10,000 keys came: %.0f ms" % (1000 * slowest))
    assert slowest < 1
    quick(s)


def p99(s, n=600):
    """Milliseconds, and n requests with known keys on one connection."""
    took = []
    with Connection(s.nginx.port()) as c:
        for _ in range(n):
            request = s.request()
            started = time.monotonic()
            c.send(request)
            response = c.receive()
            took.append(1000 * (time.monotonic() - started))
            assert seen(response)[0] == "ok"
    return sorted(took)[n * 99 // 100]


def test_p99_beside_the_undisturbed(shop, names):
    """One worker, in which one thing after the other goes wrong."""
    names.host("slow.test", "127.0.0.1")
    s = by_name(shop, names, "slow.test", WORKERS=1, TIMEOUT="2s")
    s.loaded()
    undisturbed = p99(s)
    print("p99 undisturbed: %.2f ms" % undisturbed)
    usual = s.directory.paths[s.path]
    for name in ("never answers", "body byte by byte", "10 MB", "gzip bomb",
                 "100,000 keys", "503", "closes mid-body", "slow name"):
        if name == "slow name":
            names.host("slow.test", "127.0.0.1", delay=10000)
            s.directory.stop()
            s.directory.start()
        else:
            s.serve(**FAULTS[name][0])
        fetches = s.count() + names.lookups("slow.test")
        s.advance(3600)
        wait_for(name, lambda before=fetches:
                 s.count() + names.lookups("slow.test") > before)
        disturbed = p99(s)
        print("p99 %s: %.2f ms" % (name, disturbed))
        assert disturbed < 10 * undisturbed + 20
        s.directory.paths[s.path] = usual
        s.directory.release()
