# SPDX-License-Identifier: BSD-2-Clause
"""web_bot_auth_forgery_limit: an address that forges is answered 429 before
any cryptography, its neighbours are not, and what costs nothing counts
nothing."""

import collections
import json
import re
import threading
import time

import pytest

from harness.agents import (BOT_KEY, BROWSER, LISTED, MASTERCARD, PAYER,
                            STRANGER, TARGET, VISA_KEY, Agent)
from harness.client import fetch
from harness.expect import expect, seen
from harness.nginx import wait_for
from harness.race import Streams
from harness.signer import OMIT, Key, Request, Sig, flip_bit, jwks, sign

CONF = """
%%GLOBALS%%
worker_processes %%WORKERS%%;
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_directory sample {
        url file:%%DIR%%/keys/sample.json;
        profile tap;
        tags sample;
        lenient visa-sample;
    }
    web_bot_auth_directory crawlers {
        url file:%%DIR%%/keys/crawler.json;
        profile web-bot-auth;
        tags crawler;
        nonce optional;
        max_lifetime 90d;
    }
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth on;
    web_bot_auth_forgery_limit %%LIMIT%%;
    set_real_ip_from 127.0.0.0/8;
    set_real_ip_from unix:;
    real_ip_header X-Real;
    limit_req_zone $web_bot_auth_keyid zone=agents:1m rate=1000r/s;
    %%ECHO%%
    %%MORE%%
    server {
        listen 127.0.0.1:%%PORT%% %%REUSEPORT%%;
        listen 127.0.0.1:%%PORT_H2%% http2;
        listen [::]:%%PORT_6%% ipv6only=off;
        listen unix:%%DIR%%/temp/socket;
        server_name shop.test;
        location / { %%OK%% }
        location /optional/ { web_bot_auth optional; %%OK%% }
        location /dry/ { web_bot_auth_dry_run on; %%OK%% }
        location /any/ { satisfy any; deny all; %%OK%% }
        location /beside/ { satisfy any; allow all; %%OK%% }
        location /answer/ { web_bot_auth_answer limited=409; %%OK%% }
        location /dropped/ { web_bot_auth_answer limited=444; %%OK%% }
        location /exposed/ { web_bot_auth_expose_reason on; %%OK%% }
        location /error/ { error_page 429 /busy/page.txt; %%OK%% }
        location /busy/ { web_bot_auth off; try_files /ok.txt =404; }
        location /again/ { error_page 429 =200 /again.txt; %%OK%% }
        location = /again.txt { web_bot_auth_forgery_limit off; %%OK%% }
        location /early/ { limit_req zone=agents burst=100; %%OK%% }
        location /unlimited/ { web_bot_auth_forgery_limit off; %%OK%% }
        location /own/ { web_bot_auth_forgery_limit 1r/m burst=2; %%OK%% }
        location /plain/ { web_bot_auth off; %%OK%% }
        location /unix/ {
            web_bot_auth off;
            proxy_set_header X-Real "";
            proxy_set_header Host $http_host;
            proxy_pass http://unix:%%DIR%%/temp/socket:/;
        }
    }
    server {
        listen 127.0.0.1:%%PORT_STATUS%%;
        web_bot_auth off;
        location / { web_bot_auth_status json; }
    }
}
"""

SAMPLE_KEY, CRAWLER_KEY = Key(), Key()
FILES = {"keys/sample.json": jwks(SAMPLE_KEY.jwk(kid="sample-1")),
         "keys/crawler.json": jwks(CRAWLER_KEY)}
BURST = 4
USUAL = {"WORKERS": 1, "LIMIT": "1r/m burst=%d" % BURST, "REUSEPORT": "",
         "MORE": ""}


@pytest.fixture(scope="module")
def nginx(serve):
    return serve(CONF, files=FILES, **USUAL)


@pytest.fixture
def start(serve):
    """start(...): one of its own, for a test."""
    started = []

    def run(names=None, **values):
        started.append(serve(CONF, files=FILES, names=names,
                             **{**USUAL, **values}))
        return started[-1]

    yield run
    for nginx in started:
        nginx.stop()
        serve.all.remove(nginx)


class Peer:
    """Who asks from one address: by the header that realip believes."""

    count = 0

    def __init__(self, nginx, address=None, port="PORT"):
        Peer.count += 1
        self.nginx = nginx
        self.port = nginx.port(port)
        self.address = address or "203.0.%d.%d" % divmod(Peer.count, 250)

    def ask(self, request):
        return fetch(self.port, request.with_headers(("X-Real",
                                                      self.address)))

    def reason(self, request):
        return seen(self.ask(request))[0]

    def forge(self, times=1, target="/", agent=BROWSER, **over):
        """The reasons that forgeries get."""
        return [self.reason(agent.request(target, signature=flip_bit, **over))
                for _ in range(times)]

    def spend(self, target="/", agent=BROWSER):
        """Forges until the budget is used up."""
        got = self.forge(BURST + 1, target, agent)
        assert got == ["bad-signature"] * BURST + ["forgery-limited"]
        return self


@pytest.fixture
def peer(nginx):
    return Peer(nginx)


def status(nginx):
    body = fetch(nginx.port("PORT_STATUS"), Request()).body
    return json.loads(body)


# ---- the budget

def test_used_up(nginx, peer):
    peer.spend()
    r = peer.ask(BROWSER.request("/", signature=flip_bit))
    expect(r, "forgery-limited")
    assert r.status == 429
    assert not r.header("Accept-Signature")    # signing would not help
    # before the crypto: the right ones are not told from the others
    expect(peer.ask(BROWSER.request()), "forgery-limited")
    expect(peer.ask(LISTED.request()), "forgery-limited")
    assert re.search(r'request refused, reason=forgery-limited '
                     r'tag="agent-browser-auth" keyid="visa-1" '
                     r'directory=visa .*client: %s' % peer.address,
                     nginx.error_log)


def test_who_does_not_sign_is_not_concerned(peer):
    peer.spend()
    expect(peer.ask(Request()), "no-signature")
    expect(peer.ask(Request(target="/optional/")), "no-signature", 200, "pass")
    assert peer.ask(Request(target="/plain/")).status == 200
    expect(peer.ask(BROWSER.request("/optional/", tag="other")),
           "no-served-tag", 200, "pass")
    # nor what location does not verify
    assert peer.ask(BROWSER.request("/plain/", signature=flip_bit)).status \
        == 200


def test_refilled_as_time_goes_by(start, names):
    nginx = start(names=names)
    peer = Peer(nginx).spend()
    for seconds, some in (59, 0), (1, 1), (60, 1), (59, 0), (61, 2), \
            (3600, BURST):
        names.advance(seconds)
        wait_for_clock(nginx)
        got = peer.forge(some + 1)
        assert got == ["bad-signature"] * some + ["forgery-limited"], seconds


def wait_for_clock(nginx):
    time.sleep(0.03)        # the preloaded clock looks that often
    for _ in range(4):
        fetch(nginx.port(), Request(target="/plain/"))


@pytest.mark.parametrize("limit, times", [
    ("3r/m", 3), ("5r/m burst=2", 2), ("1r/m", 1)])
def test_rate_and_burst(start, limit, times):
    """Without burst: as many at once as the rate's number says."""
    peer = Peer(start(LIMIT=limit))
    assert peer.forge(times + 2) == ["bad-signature"] * times \
        + ["forgery-limited"] * 2


def test_by_nginx_s_own_clock(start):
    """Ten a second are forgiven: ten are tried, in no less time than that
    allows."""
    peer = Peer(start(LIMIT="10r/s burst=3"))
    begin, tried = time.monotonic(), []

    def ten():
        tried.append(peer.forge(1)[0])
        return tried.count("bad-signature") == 10

    wait_for("ten to be tried", ten)
    assert 10 <= 3 + 10 * (time.monotonic() - begin) + 1


def test_off_is_the_default(start):
    nginx = start(LIMIT="off")
    peer = Peer(nginx)
    assert set(peer.forge(30)) == {"bad-signature"}
    expect(peer.ask(BROWSER.request()), "ok")
    assert status(nginx)["forgeries"]["budgets"] == 0
    assert status(nginx)["forgeries"]["known_keys"] == 0


# ---- what counts

def test_what_costs_no_crypto_does_not_count(nginx, peer):
    now = int(time.time())
    replay = LISTED.request()
    expect(peer.ask(replay), "ok")
    for _ in range(2 * BURST):
        expect(peer.ask(BROWSER.request(created=now - 900)), "expired")
        expect(peer.ask(BROWSER.request(created=now + 900)), "clock-ahead")
        expect(peer.ask(STRANGER.request()), "key-unknown")
        expect(peer.ask(BROWSER.request(nonce=OMIT)), "nonce-missing")
        expect(peer.ask(BROWSER.request(alg="rsa-pss-sha512")),
               "alg-mismatch")
        expect(peer.ask(BROWSER.request(host="other.test")),
               "authority-not-served")
        expect(peer.ask(BROWSER.request(
            components=TARGET + ("x-absent",))), "missing-component")
        expect(peer.ask(replay), "nonce-replayed")
        expect(peer.ask(Request(headers=[("Signature-Input", "?")])),
               "signature-input-unreadable")
    peer.spend()


def test_wrong_in_any_way_counts(peer):
    good = BROWSER.request()
    spoiled = [
        BROWSER.request(key=BOT_KEY),               # another's key
        BROWSER.request(signature=b"x" * 63),       # no signature at all
        good.replaced(target="/changed"),           # what was signed changed
        BROWSER.request(values={"@path": "/elsewhere"}),
    ]
    assert [peer.reason(r) for r in spoiled] == ["bad-signature"] * BURST
    expect(peer.ask(good), "forgery-limited")


def several(*signatures):
    """One request with each of these (agent, nonce, forged)."""
    return sign(Request(), *(
        agent.sig(label="sig%d" % i, nonce=nonce,
                  signature=flip_bit if forged else None)
        for i, (agent, nonce, forged) in enumerate(signatures)))


def fresh(n):
    return ["n%d-%d" % (n, time.monotonic_ns() + i) for i in range(4)]


def test_each_of_several_signatures_counts(peer):
    a, b, c, d = fresh(1)
    expect(peer.ask(several((BROWSER, a, True), (PAYER, b, True))),
           "bad-signature")
    # a good one beside a bad one passes, and the bad one counts
    expect(peer.ask(several((BROWSER, c, True), (PAYER, d, False))), "ok")
    assert peer.forge(1) == ["bad-signature"]
    # that was all, but the key has verified here
    assert peer.forge(BURST + 1) == ["bad-signature"] * BURST \
        + ["forgery-limited"]


def test_one_that_is_not_tried_keeps_all_back(nginx, peer):
    """Its nonce is on no record: it must not pass in another's shade."""
    expect(peer.ask(LISTED.request()), "ok")
    peer.spend()
    a, b, _, _ = fresh(2)
    both = several((LISTED, a, False), (BROWSER, b, False))
    expect(peer.ask(both), "forgery-limited")
    # nothing was recorded: elsewhere it is as good as new
    expect(Peer(nginx).ask(both), "ok")
    expect(Peer(nginx).ask(both), "nonce-replayed")


def test_a_key_that_shares_its_kid_is_no_forgery(start):
    """The first directory's key of that kid does not verify it."""
    more = """
    web_bot_auth_directory other {
        url file:%%DIR%%/keys/other.json;
        profile tap;
    }
    """
    template = CONF.replace("%%DIRECTORIES%%", more + "%%DIRECTORIES%%")
    nginx = start()
    nginx.write("keys/other.json", jwks(Key().jwk(kid="visa-1")))
    nginx.configure(template)
    nginx.reload()
    peer = Peer(nginx)
    for _ in range(3 * BURST):
        expect(peer.ask(BROWSER.request()), "ok")
    # a forgery was tried with both
    assert peer.forge(BURST // 2) == ["bad-signature"] * (BURST // 2)
    expect(peer.ask(LISTED.request()), "forgery-limited")


# ---- neighbours

def test_other_addresses(nginx):
    Peer(nginx).spend()
    for _ in range(10):
        expect(Peer(nginx).ask(BROWSER.request()), "ok")


def test_a_key_that_has_verified_has_a_budget_of_its_own(peer):
    """Behind one address: the forger names one key, and many."""
    for agent in BROWSER, LISTED, MASTERCARD:
        expect(peer.ask(agent.request()), "ok")
    # the address's budget goes to whoever comes
    assert peer.forge(BURST) == ["bad-signature"] * BURST
    # from now on each of the three has its own, and others have none
    expect(peer.ask(Agent(BOT_KEY, "web-bot-auth", (
        "@authority", 'signature-agent;key="sig1"'),
        signature_agent='sig1="https://bot.test"').request()),
        "forgery-limited")
    assert peer.forge(BURST + 2) == ["bad-signature"] * BURST \
        + ["forgery-limited"] * 2
    expect(peer.ask(BROWSER.request()), "forgery-limited")
    expect(peer.ask(PAYER.request()), "forgery-limited")    # the same key
    for _ in range(10):
        expect(peer.ask(LISTED.request()), "ok")
        expect(peer.ask(MASTERCARD.request()), "ok")
    assert peer.forge(BURST + 2, agent=LISTED) == ["bad-signature"] * BURST \
        + ["forgery-limited"] * 2
    for _ in range(10):
        expect(peer.ask(MASTERCARD.request()), "ok")


def test_a_key_is_known_for_an_hour(start, names):
    nginx = start(names=names, LIMIT="1r/m burst=%d" % BURST)
    peer = Peer(nginx)
    request = {"lifetime": 300}
    expect(peer.ask(LISTED.request(**request)), "ok")
    for minutes, reason in (50, "ok"), (55, "ok"), (61, "forgery-limited"):
        names.advance(60 * minutes)
        wait_for_clock(nginx)
        peer.spend()
        expect(peer.ask(LISTED.request(**request)), reason)
    # and is not known elsewhere, or by failing
    other = Peer(nginx).spend()
    expect(other.ask(LISTED.request()), "forgery-limited")


def test_who_was_kept_out_gets_in_when_there_is_room(start, names):
    nginx = start(names=names)
    peer = Peer(nginx).spend()
    expect(peer.ask(LISTED.request()), "forgery-limited")
    names.advance(60)
    wait_for_clock(nginx)
    expect(peer.ask(LISTED.request()), "ok")    # and uses up nothing
    peer.forge(5)
    expect(peer.ask(LISTED.request()), "ok")    # known by now


@pytest.mark.parametrize("address, same, other", [
    ("198.51.100.7", "198.51.100.7", "198.51.100.8"),
    ("2001:db8:1:2::1", "2001:db8:1:2:ffff::2", "2001:db8:1:3::1"),
    ("::ffff:198.51.100.20", "198.51.100.20", "::ffff:198.51.100.21"),
])
def test_what_an_address_is(nginx, address, same, other):
    Peer(nginx, address).spend()
    expect(Peer(nginx, same).ask(BROWSER.request()), "forgery-limited")
    expect(Peer(nginx, other).ask(BROWSER.request()), "ok")


def test_a_header_that_nobody_believes(start):
    """Without realip it is the connection's address."""
    nginx = start(MORE="set_real_ip_from 192.0.2.1;")
    nginx.configure(CONF.replace("set_real_ip_from 127.0.0.0/8;", ""))
    nginx.reload()
    assert Peer(nginx).forge(BURST) == ["bad-signature"] * BURST
    expect(Peer(nginx).ask(BROWSER.request()), "forgery-limited")
    # the same address by a listener for IPv6
    expect(Peer(nginx, port="PORT_6").ask(BROWSER.request()),
           "forgery-limited")
    expect(fetch(nginx.port(), BROWSER.request(), source="127.0.0.9"), "ok")


def test_all_that_come_by_a_socket_are_one(nginx):
    """A proxy that says nothing of whom it forwards for."""
    def forge():
        return Peer(nginx).reason(BROWSER.request(
            "/unix/", values={"@path": "/"}, signature=flip_bit))
    assert [forge() for _ in range(BURST + 1)] \
        == ["bad-signature"] * BURST + ["forgery-limited"]


# ---- what it means to other settings

@pytest.mark.parametrize("target, code, decision", [
    ("/", 429, "deny"), ("/optional/", 429, "deny"),
    ("/dry/", 200, "dry-run-deny"), ("/any/", 403, "deny"),
    ("/beside/", 200, "deny"), ("/answer/", 409, "deny"),
    ("/error/", 429, ""),
])
def test_answers(peer, target, code, decision):
    peer.spend(target if target != "/error/" else "/")
    r = peer.ask(BROWSER.request(target))
    if target == "/error/":     # the page's location has no verdict of its own
        assert r.status == code and r.body == b"ok"
        assert seen(r) == ("forgery-limited", "deny")
        return
    expect(r, "forgery-limited", code, decision)


def test_dropped(peer):
    peer.spend()
    assert peer.ask(BROWSER.request("/dropped/")).status == 0


def test_exposed(peer):
    peer.spend()
    r = peer.ask(BROWSER.request("/exposed/"))
    assert r.header("Web-Bot-Auth-Reason") == "forgery-limited"


def test_dry_run_counts(peer):
    got = peer.forge(BURST + 1, "/dry/")
    assert got == ["bad-signature"] * BURST + ["forgery-limited"]
    expect(peer.ask(BROWSER.request()), "forgery-limited")


def test_another_location_tries_what_one_did_not(peer):
    """By error_page, to where there is no limit."""
    peer.spend()
    r = peer.ask(BROWSER.request("/again/"))
    expect(r, "ok", 200, "allow")
    # a forgery is told by then
    assert peer.forge(2, "/again/") == ["bad-signature"] * 2


def test_locations_with_other_limits_have_other_budgets(peer):
    peer.spend()
    assert peer.forge(4, "/own/") == ["bad-signature"] * 2 \
        + ["forgery-limited"] * 2
    assert set(peer.forge(3 * BURST, "/unlimited/")) == {"bad-signature"}
    # what verifies where nothing is limited is not known where it is
    expect(peer.ask(LISTED.request("/unlimited/")), "ok")
    expect(peer.ask(LISTED.request()), "forgery-limited")


def test_asked_early(peer):
    """limit_req's key takes the crypto before the access phase: it counts
    once, and is not asked when the budget is used up."""
    got = peer.forge(BURST + 2, "/early/")
    assert got == ["bad-signature"] * BURST + ["forgery-limited"] * 2
    expect(peer.ask(BROWSER.request("/early/")), "forgery-limited")


def test_asked_early_by_settings_that_are_not_the_location_s(start):
    """A server's set goes by the server's authority: what is signed for the
    location's does not verify there, which is no forgery."""
    nginx = start(MORE="""
        server {
            listen 127.0.0.1:%%PORT_EARLY%%;
            server_name shop.test;
            set $early "$web_bot_auth_keyid";
            location / { web_bot_auth_authority other.test; %%OK%% }
        }
    """)
    for _ in range(3 * BURST):
        expect(fetch(nginx.port("PORT_EARLY"), BROWSER.request(
            values={"@authority": "other.test"})), "ok")
    for i in range(3 * BURST):
        response = fetch(nginx.port("PORT_EARLY"),
                         BROWSER.request(signature=flip_bit))
        expect(response, "forgery-limited" if i >= 2 * BURST
               else "bad-signature")


def test_http2(nginx):
    """One connection's streams are one address's."""
    peer = Peer(nginx)
    streams = Streams(nginx.port("PORT_H2"))
    header = ("X-Real", peer.address)
    got = streams.receive(streams.send([
        BROWSER.request(signature=flip_bit).with_headers(header)
        for _ in range(BURST + 3)]))
    streams.close()
    assert sorted(got) == ["bad-signature"] * BURST + ["forgery-limited"] * 3
    expect(peer.ask(BROWSER.request()), "forgery-limited")


CRAWLER = Agent(CRAWLER_KEY, "crawler", ("@authority",))


def test_a_static_signature_that_was_met(nginx):
    """What the crypto has said before costs nothing."""
    def handed_out(**over):
        return CRAWLER.request(nonce=OMIT, lifetime=86400 * 80, **over)
    request = handed_out()
    expect(Peer(nginx).ask(request), "ok")
    peer = Peer(nginx).spend()
    other = Peer(nginx).spend()
    for _ in range(3):
        expect(peer.ask(request), "ok")
    # another one was not met, and its key is not known there
    expect(other.ask(handed_out(created=int(time.time()) - 60)),
           "forgery-limited")


def test_visa_sample(peer):
    """A forger costs two verifications there, and is charged once; an agent
    that is tolerated at the second one is not charged."""
    sample = Agent(SAMPLE_KEY, "sample", TARGET, "sample-1")

    def ask(**over):
        request = sample.request("/?q=1", values={"@path": "/?q=1"}, **over)
        return peer.reason(request)
    assert [ask() for _ in range(3 * BURST)] == ["ok"] * 3 * BURST
    assert [ask(signature=flip_bit) for _ in range(2 * BURST + 1)] \
        == ["bad-signature"] * 2 * BURST + ["forgery-limited"]


# ---- workers

def test_workers_share_a_budget(start):
    nginx = start(WORKERS=2, REUSEPORT="reuseport", LIMIT="1r/m burst=40")
    peer = Peer(nginx)
    forged = [BROWSER.request(signature=flip_bit) for _ in range(200)]
    got = collections.Counter()

    def half(requests):
        for request in requests:
            got[peer.reason(request)] += 1

    threads = [threading.Thread(target=half, args=(forged[i::4],))
               for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    # each may have looked before the other's was charged
    assert 40 <= got["bad-signature"] <= 41
    assert sum(got.values()) == 200
    assert set(got) == {"bad-signature", "forgery-limited"}


def test_reloads_keep_it(start):
    nginx = start()
    peer = Peer(nginx)
    expect(peer.ask(LISTED.request()), "ok")
    peer.spend()
    nginx.reload()
    expect(peer.ask(BROWSER.request()), "forgery-limited")
    expect(peer.ask(LISTED.request()), "ok")
    # another limit is another budget
    nginx.values["LIMIT"] = "2r/m burst=%d" % BURST
    nginx.configure(CONF)
    nginx.reload()
    peer.spend()
    # switched off, and on again
    nginx.values["LIMIT"] = "off"
    nginx.configure(CONF)
    nginx.reload()
    assert set(peer.forge(3 * BURST)) == {"bad-signature"}
    nginx.values["LIMIT"] = USUAL["LIMIT"]
    nginx.configure(CONF)
    nginx.reload()
    expect(peer.ask(BROWSER.request()), "forgery-limited")


def test_workers_killed_under_load(start):
    """Whatever they were at: nothing is stuck, nothing is given back."""
    nginx = start(WORKERS=2, REUSEPORT="reuseport", LIMIT="1r/m burst=400")
    peer, stop, got = Peer(nginx), threading.Event(), collections.Counter()

    def traffic():
        while not stop.is_set():
            for request in (BROWSER.request(signature=flip_bit),
                            LISTED.request()):
                try:
                    got[peer.reason(request)] += 1
                except ConnectionError:
                    got[""] += 1

    threads = [threading.Thread(target=traffic) for _ in range(4)]
    for t in threads:
        t.start()
    for i in range(5):
        before = sum(got.values())
        wait_for("traffic", lambda: sum(got.values()) > before + 60)
        nginx.kill_worker(sorted(nginx.workers())[i % 2])
        wait_for("another worker", lambda: len(nginx.workers()) == 2)
    wait_for("the budget to be used up", lambda: got["forgery-limited"])
    stop.set()
    for t in threads:
        t.join()
    assert set(got) <= {"ok", "bad-signature", "forgery-limited", ""}
    # answers that were lost were charged, or not
    assert 400 - got[""] <= got["bad-signature"] <= 400 + 4
    expect(peer.ask(BROWSER.request()), "forgery-limited")
    expect(peer.ask(LISTED.request()), "ok")
    expect(Peer(nginx).ask(BROWSER.request()), "ok")


def test_status(start):
    nginx = start()
    assert status(nginx)["forgeries"]["capacity"] >= 8192
    one, two = Peer(nginx), Peer(nginx)
    expect(one.ask(LISTED.request()), "ok")
    one.spend()
    two.forge(1)
    got = status(nginx)
    assert got["forgeries"]["budgets"] == 2
    assert got["forgeries"]["known_keys"] == 1
    counts = {r["name"]: r["count"] for r in got["requests"]["reasons"]}
    assert counts["forgery-limited"] == 1
    assert counts["bad-signature"] == BURST + 1
    assert got["requests"]["outcomes"]["unverified"] == 1
