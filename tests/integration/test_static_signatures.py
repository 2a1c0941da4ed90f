# SPDX-License-Identifier: BSD-2-Clause
"""Signatures that are handed out for weeks: one directory takes them, its
neighbours do not, and a worker asks the crypto once about each."""

import time

import pytest

from harness.agents import TARGET, Agent
from harness.client import fetch
from harness.expect import expect, seen
from harness.signer import OMIT, Key, flip_bit, jwks

DAY = 86400
CRAWLER_KEY, LISTED_KEY, CRAWLER_URL = Key(), Key(), "https://crawler.test"
MET = "a static signature met before"

CONF = """
%%GLOBALS%%
error_log logs/debug.log debug;
worker_processes 1;
events {}
http {
    %%HTTP%%
    web_bot_auth_directory crawlers {
        url file:%%DIR%%/keys/crawler.json;
        profile web-bot-auth;
        agent https://crawler.test;
        nonce optional;
        max_lifetime 90d;
    }
    # the same tag and the same key, and nothing static
    web_bot_auth_directory usual {
        url file:%%DIR%%/keys/crawler.json;
        profile web-bot-auth;
        agent https://usual.test;
    }
    web_bot_auth_directory nonces {
        url file:%%DIR%%/keys/crawler.json;
        profile web-bot-auth;
        agent https://nonces.test;
        nonce required;
        max_lifetime 90d;
    }
    # no agent: both are asked for what names none, under one kid
    web_bot_auth_directory strict {
        url file:%%DIR%%/keys/strict.json;
        profile tap;
    }
    web_bot_auth_directory listed {
        url file:%%DIR%%/keys/listed.json;
        profile tap;
        nonce optional;
        max_lifetime 90d;
    }
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth on;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test other.test;
        location / { %%OK%% }
        location /hour/ { web_bot_auth_max_lifetime 1h; %%OK%% }
        location /nonce/ { web_bot_auth_nonce required; %%OK%% }
        location /method/ { web_bot_auth_components @method; %%OK%% }
        location /denied/ {
            web_bot_auth_deny directory=crawlers;
            %%OK%%
        }
    }
}
"""

STRICT_KEY = Key()
FILES = {"keys/crawler.json": jwks(CRAWLER_KEY),
         "keys/strict.json": jwks(STRICT_KEY.jwk(kid="k")),
         "keys/listed.json": jwks(LISTED_KEY.jwk(kid="k"))}


@pytest.fixture(scope="module")
def nginx(serve):
    return serve(CONF, files=FILES)


def crawler(url=CRAWLER_URL, key=CRAWLER_KEY):
    return Agent(key, "web-bot-auth",
                 ("@authority", 'signature-agent;key="sig1"'),
                 signature_agent='sig1="%s"' % url)


def handed_out(target="/", agent=None, **over):
    """A signature of which a third of its 89 days is over."""
    return (agent or crawler()).request(target, **{
        "nonce": OMIT, "created": int(time.time()) - 30 * DAY,
        "lifetime": 89 * DAY, **over})


def ask(nginx, request):
    return fetch(nginx.port(), request)


def met(nginx):
    path = nginx.dir / "logs/debug.log"
    return path.read_text("latin-1").count(MET)


def test_the_same_again_and_again(nginx):
    request, before = handed_out(), met(nginx)
    for _ in range(5):
        r = ask(nginx, request)
        expect(r, "ok")
        assert r.header("X-directory") == "crawlers"
    assert met(nginx) == before + 4     # the first one was verified


def test_everywhere_on_the_site_and_nowhere_else(nginx):
    request = handed_out()
    expect(ask(nginx, request), "ok")
    expect(ask(nginx, request.replaced(target="/other?q")), "ok")
    expect(ask(nginx, request.replaced(host="other.test")), "bad-signature")
    expect(ask(nginx, request.replaced(host="strange.test")),
           "authority-not-served")


@pytest.mark.parametrize("target,reason", [
    ("/hour/", "lifetime-too-long"), ("/nonce/", "nonce-missing"),
    ("/method/", "component-not-covered"), ("/denied/", "denied-by-rule")])
def test_a_location_still_tightens(nginx, target, reason):
    request = handed_out()
    expect(ask(nginx, request), "ok")       # the crypto's answer is known
    expect(ask(nginx, request.replaced(target=target)), reason)
    expect(ask(nginx, request), "ok")


@pytest.mark.parametrize("url,reason", [
    ("https://usual.test", "lifetime-too-long"),
    ("https://nonces.test", "nonce-missing")])
def test_a_neighbour_with_the_same_tag_and_key_takes_none(nginx, url, reason):
    expect(ask(nginx, handed_out(agent=crawler(url))), reason)
    expect(ask(nginx, crawler(url).request()), "ok")


def test_two_directories_under_one_kid(nginx):
    """Which of them knows the key decides, not which of them takes more."""
    def by(key):
        return handed_out(agent=Agent(key, "agent-browser-auth", TARGET, "k"))
    r = ask(nginx, by(LISTED_KEY))
    expect(r, "ok")
    assert r.header("X-directory") == "listed"
    expect(ask(nginx, by(STRICT_KEY)), "bad-signature")
    expect(ask(nginx, handed_out(agent=Agent(
        STRICT_KEY, "agent-browser-auth", TARGET))), "nonce-missing")
    expect(ask(nginx, Agent(STRICT_KEY, "agent-browser-auth", TARGET).request(
        lifetime=89 * DAY)), "lifetime-too-long")


@pytest.mark.parametrize("over,reason", [
    ({"lifetime": 90 * DAY}, "ok"),
    ({"lifetime": 90 * DAY + 1}, "lifetime-too-long"),
    ({"created": int(time.time()) - 89 * DAY - 60}, "expired"),
    ({"signature": flip_bit}, "bad-signature"),
    ({"key": Key()}, "key-unknown")])
def test_its_bounds(nginx, over, reason):
    request, before = handed_out(**over), met(nginx)
    for _ in range(2):
        expect(ask(nginx, request), reason)
    # what was refused is not remembered, neither as good nor as bad
    assert met(nginx) == before + (reason == "ok")


def test_it_expires_while_it_is_remembered(nginx):
    request = handed_out(created=int(time.time()) - 2 * DAY,
                         lifetime=2 * DAY - 3)   # 5 s of skew: 2 s are left
    expect(ask(nginx, request), "ok")
    deadline = time.monotonic() + 10
    while seen(ask(nginx, request))[0] == "ok":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    expect(ask(nginx, request), "expired")


def test_others_are_verified_each_time(nginx):
    before = met(nginx)
    short = handed_out(created=int(time.time()) - 60, lifetime=3600)
    nonce = handed_out(nonce="n")
    for _ in range(2):
        expect(ask(nginx, short), "ok")
    expect(ask(nginx, nonce), "ok")
    expect(ask(nginx, nonce), "nonce-replayed")
    assert met(nginx) == before


def test_a_flood_of_signatures(nginx):
    """More than there is room for: all verify, whoever is remembered."""
    now = int(time.time())
    for i in range(1500):
        request = handed_out(created=now - DAY - i, lifetime=2 * DAY + i)
        expect(ask(nginx, request), "ok")
    first = handed_out(created=now - DAY, lifetime=2 * DAY)
    expect(ask(nginx, first), "ok")


def test_a_reload_begins_anew(nginx):
    request = handed_out()
    expect(ask(nginx, request), "ok")
    expect(ask(nginx, request), "ok")
    before = met(nginx)
    nginx.reload(wait_old=True)
    expect(ask(nginx, request), "ok")
    assert met(nginx) == before
    expect(ask(nginx, request), "ok")
    assert met(nginx) == before + 1


def test_a_revoked_key_counts_no_more(shop, names):
    """In the very worker that remembers: the key is looked for first."""
    s = shop(names=names, WORKERS=1, WORDS="nonce optional; max_lifetime 90d;",
             MAIN="error_log logs/debug.log debug;")
    s.loaded()
    # within the range of the clocks that the test moves
    request = s.request(nonce=OMIT, created=int(time.time()) - DAY,
                        lifetime=30 * DAY)
    for _ in range(3):
        expect(s.send(request), "ok")
    assert met(s.nginx) == 2
    s.serve(body=jwks(Key()))
    s.advance(3700)
    s.becomes("key-unknown")
    expect(s.send(request), "key-unknown")
    s.serve(body=jwks(s.key))
    s.advance(3700)
    s.becomes("ok")
    expect(s.send(request), "ok")
    assert met(s.nginx) == 3    # the same worker, and it still knows
