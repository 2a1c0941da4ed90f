# SPDX-License-Identifier: BSD-2-Clause
"""How long keys are fresh, how they are renewed, and how often a failing
directory is asked."""

import time

import pytest

from harness.client import load
from harness.directory import http_date
from harness.expect import expect
from harness.nginx import wait_for
from harness.signer import Key, jwks


def cache_control(value):
    return {"headers": (("Cache-Control", value),)}


HOUR = 3600

LIFETIMES = {
    "nothing said": ({}, HOUR),
    "max-age": (cache_control("max-age=600"), 600),
    "max-age, public": (cache_control("public, max-age=600"), 600),
    "below MIN": (cache_control("max-age=10"), 300),
    "above MAX": (cache_control("max-age=99999999"), 24 * HOUR),
    "two, the smaller": (cache_control("max-age=900, max-age=600"), 600),
    "not a number": (cache_control("max-age=soon"), 300),
    "no-store": (cache_control("no-store"), 300),
    "no-cache beats max-age": (cache_control("max-age=900, no-cache"), 300),
    "must-revalidate": (cache_control("max-age=900, must-revalidate"), 300),
    "max-age=0": (cache_control("max-age=0"), 300),
    "for shared caches only": (cache_control("s-maxage=600, private"), HOUR),
    "less Age": ({"headers": (("Cache-Control", "max-age=900"),
                              ("Age", "300"))}, 600),
    "Expires": ({"headers": (("Expires", http_date(1200)),)}, 1200),
    "max-age beats Expires": ({"headers": (
        ("Cache-Control", "max-age=600"), ("Expires", http_date(9999)))}, 600),
    "Expires: 0": ({"headers": (("Expires", "0"),)}, 300),
    "a tenth of its age": ({"headers": (
        ("Last-Modified", http_date(-20 * HOUR)),)}, 2 * HOUR),
}


@pytest.mark.parametrize("manners,lifetime", LIFETIMES.values(),
                         ids=LIFETIMES)
def test_renewed_at_80_to_95_percent_of_the_lifetime(shop, names, manners,
                                                     lifetime):
    s = shop(manners, names=names)
    s.loaded()
    s.advance(int(lifetime * 0.78))
    time.sleep(0.1)
    assert s.count() == 1
    s.advance(int(lifetime * 0.24))
    wait_for("the refresh", lambda: s.count() == 2)
    expect(s.ask(), "ok")


def validators(s, i):
    """Of the directory's i-th request."""
    headers = [h for _, p, h in s.directory.log if p == s.path][i]
    return headers.get("If-None-Match"), headers.get("If-Modified-Since")


DATE = "Mon, 02 Nov 2026 10:00:00 GMT"


@pytest.mark.parametrize("manners,sent", [
    ({"etag": '"v1"'}, ('"v1"', None)),
    ({"etag": 'W/"v1"'}, ('W/"v1"', None)),
    ({"last_modified": DATE}, (None, DATE)),
    ({"etag": '"v1"', "last_modified": DATE}, ('"v1"', DATE)),
    ({"etag": '"' + 300 * "v" + '"', "last_modified": DATE}, (None, DATE)),
], ids=["ETag", "weak", "Last-Modified", "both", "an ETag without end"])
def test_a_304_keeps_the_keys_and_makes_them_fresh(shop, names, manners,
                                                   sent):
    """Four of them last longer than the keys would without."""
    s = shop({**manners, **cache_control("max-age=300")}, names=names,
             STALE="60s")
    s.loaded()
    for n in range(1, 5):
        s.advance(305)
        s.logged_times("unchanged", n)
        expect(s.ask(), "ok")
    assert s.count(304) == 4 and s.count(200) == 1
    assert [validators(s, i) for i in (0, 1, 4)] == [(None, None), sent, sent]
    assert "no longer used" not in s.nginx.error_log


def test_a_304_s_own_headers_count(shop, names):
    s = shop({"etag": '"v1"', **cache_control("max-age=300")}, names=names)
    s.loaded()
    s.serve(**cache_control("max-age=3000"))
    s.advance(305)
    s.logged_times("unchanged", 1)
    s.advance(2300)
    time.sleep(0.1)
    assert s.count() == 2
    s.advance(700)
    s.logged_times("unchanged", 2)


def test_what_changed_is_sent_whole(shop, names):
    s = shop({"etag": '"v1"'}, names=names)
    s.loaded()
    other = Key()
    s.serve(body=jwks(other), etag='"v2"')
    s.advance(HOUR)
    s.becomes("ok", key=other)
    expect(s.ask(), "key-unknown")
    s.advance(HOUR)
    wait_for("a 304", lambda: s.count(304) == 1)
    assert [validators(s, i)[0] for i in range(3)] == [None, '"v1"', '"v2"']


def test_a_failure_s_validators_are_not_used(shop, names):
    """Else a 304 would confirm keys that never came."""
    s = shop({"etag": '"v1"'}, names=names)
    s.loaded()
    other = Key()
    s.serve(body="<html>", etag='"v2"')
    s.advance(HOUR)
    s.logged("could not be fetched")
    s.serve(body=jwks(other))
    s.advance(2)
    s.becomes("ok", key=other)
    assert [validators(s, i)[0] for i in range(3)] == [None, '"v1"', '"v1"']


def test_keys_given_up_take_their_validators_along(shop, names):
    """A 304 would keep an empty hand."""
    s = shop({"etag": '"v1"'}, names=names, STALE="60s")
    s.loaded()
    s.serve(status=500)
    s.advance(HOUR + 120)
    s.logged("no longer used")
    s.serve(status=200)
    s.advance(300)
    s.becomes("ok")
    assert s.count(304) == 0


# Failing

def test_backoff_doubles_up_to_five_minutes(shop, names):
    """Between a half and the whole of 1, 2, 4, ... 300 seconds."""
    s = shop(names=names)
    s.loaded()
    s.serve(status=500)
    s.advance(HOUR)
    s.logged_times("could not be fetched", 1)
    for n, pause in enumerate((1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300), 1):
        if pause >= 16:
            s.advance(int(pause * 0.4))
            time.sleep(0.05)
            assert s.count() == n + 1, pause
            s.advance(int(pause * 0.7) + 1)
        else:
            s.advance(pause)
        s.logged_times("could not be fetched", n + 1)
    expect(s.ask(), "ok")
    s.serve(status=200)
    s.advance(330)
    s.logged_times("1 keys from", 2)
    s.advance(int(HOUR * 0.7))
    time.sleep(0.1)
    assert s.count(200) == 2


RETRY = {
    "seconds": ("120", 120),
    "a date": (http_date(120), 120),
    "bounded": ("999999", 3600),
}


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("value,pause", RETRY.values(), ids=RETRY)
def test_retry_after(shop, names, status, value, pause):
    s = shop(names=names)
    s.loaded()
    s.serve(status=status, headers=(("Retry-After", value),))
    s.advance(HOUR)
    s.logged("could not be fetched", "status %d" % status)
    s.advance(int(pause * 0.9))
    expect(s.ask(), "ok")
    time.sleep(0.1)
    assert s.count(status) == 1
    s.serve(status=200, headers=())
    s.advance(int(pause * 0.1) + 35)
    wait_for("another try", lambda: s.count(200) == 2)


def test_retry_after_without_keys_is_five_minutes_at_most(shop, names):
    s = shop({"status": 503, "headers": (("Retry-After", "3600"),)},
             names=names, WAIT="200ms")
    s.logged_times("could not be fetched", 1)
    expect(s.ask(), "directory-unavailable")
    s.advance(280)
    expect(s.ask(), "directory-unavailable")
    assert s.count() == 1
    s.serve(status=200, headers=())
    s.advance(25)
    s.becomes("ok")


# Steady state

def test_no_request_waits_and_one_fetch_a_lifetime(shop):
    """Two workers, eight clients, a slow directory, three lifetimes."""
    s = shop({"delay": 0.4}, REFRESH="2s 2s")
    s.loaded()
    started, fetched = time.monotonic(), s.count()

    def client(_):
        slowest, n = 0, 0
        while time.monotonic() - started < 6:
            asked = time.monotonic()
            expect(s.ask(), "ok")
            slowest, n = max(slowest, time.monotonic() - asked), n + 1
        return slowest, n

    got = load(8, client, threads=8)
    fetches, served = s.count() - fetched, sum(n for _, n in got)
    print("%d fetches, %d requests served, slowest %.0f ms"
          % (fetches, served, 1000 * max(t for t, _ in got)))
    # each 1.6 to 1.9 s after the one before, which takes 0.4
    assert 2 <= fetches <= 3
    assert max(t for t, _ in got) < 0.35
