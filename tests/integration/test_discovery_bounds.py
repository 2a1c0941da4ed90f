# SPDX-License-Identifier: BSD-2-Clause
"""What strangers can make a shop that discovers do, and what bounds it."""

import time

import pytest

from harness.agents import BROWSER
from harness.client import load
from harness.expect import expect, seen
from harness.nginx import wait_for
from harness.shops import Found, answers, becomes
from harness.signer import OMIT, Key, flip_bit, jwks


@pytest.fixture
def agents(directory, names):
    """agents(n, ...): agents of so many hosts."""
    def make(n, first=0, **manners):
        return [Found(directory, names, "n%d.agents.test" % i, **manners)
                for i in range(first, first + n)]
    return make


def fetches(agents):
    return sum(a.count() for a in agents)


# Keys of a configured directory that leave little of the smallest zone's arena.
FILL = 680

# max_directories

def test_those_in_use_keep_their_places(shop, names, agents):
    a, b, c = agents(3)
    s = shop.discovering(names, "any; max_directories 2;")
    expect(s.send(a.request()), "ok")
    expect(s.send(b.request()), "ok")
    expect(s.send(c.request()), "discovery-limit")
    expect(s.send(c.request("/optional/")), "discovery-limit", 200, "pass")
    expect(s.send(a.request()), "ok")
    expect(s.send(b.request()), "ok")
    assert (a.count(), b.count(), c.count()) == (1, 1, 0)


def test_the_longest_idle_makes_room(shop, names, agents):
    a, b, c = agents(3)
    s = shop.discovering(names, "any; max_directories 2;")
    expect(s.send(a.request()), "ok")
    expect(s.send(b.request()), "ok")
    s.advance(90)
    expect(s.send(b.request()), "ok")
    expect(s.send(c.request()), "ok")
    expect(s.send(b.request()), "ok")
    expect(s.send(a.request()), "discovery-limit")
    assert (a.count(), b.count(), c.count()) == (1, 1, 1)
    s.advance(90)
    expect(s.send(a.request()), "ok")   # one more fetch, for a place anew
    assert a.count() == 2


def test_of_several_idle_ones_the_longest(shop, names, agents):
    a, b, c, d, e = agents(5)
    s = shop.discovering(names, "any; max_directories 3;")
    for agent in (b, c, a):
        expect(s.send(agent.request()), "ok")
        s.advance(30)
    expect(s.send(b.request()), "ok")   # the order is c, a, b by now
    s.advance(90)
    expect(s.send(d.request()), "ok")
    expect(s.send(a.request()), "ok")
    assert a.count() == 1
    expect(s.send(e.request()), "ok")   # in b's place: a is in use
    expect(s.send(d.request()), "ok")
    expect(s.send(c.request()), "discovery-limit")
    assert [x.count() for x in (a, b, c, d, e)] == [1, 1, 1, 1, 1]


def test_those_without_keys_make_room_at_once(shop, names, agents):
    good, = agents(1)
    bad = agents(5, 1, status=404)
    s = shop.discovering(names, "any; max_directories 2;")
    expect(s.send(good.request()), "ok")
    for agent in bad:
        expect(s.send(agent.request()), "directory-unavailable")
    expect(s.send(good.request()), "ok")
    assert good.count() == 1
    late, = agents(1, 9)
    expect(s.send(late.request()), "ok")


def test_configured_directories_are_not_counted(shop, names, agents):
    """Nor do they ever make room."""
    found = agents(4)
    s = shop(names=names,
             MORE="web_bot_auth_discovery { any; max_directories 1; }")
    names.map("93.184.216.34", s.directory)
    s.loaded()
    s.advance(90)
    expect(s.send(found[0].request()), "ok")
    for agent in found[1:]:
        expect(s.send(agent.request()), "discovery-limit")
    expect(s.ask(), "ok")
    assert s.count() == 1


# new_per_minute

def test_new_ones_per_minute(shop, names, agents):
    found = agents(6)
    s = shop.discovering(names, "any; new_per_minute 3;")
    for agent in found[:3]:
        expect(s.send(agent.request()), "ok")
    for agent in found[3:]:
        expect(s.send(agent.request()), "discovery-limit")
        expect(s.send(agent.request("/optional/")), "discovery-limit", 200,
               "pass")
    for agent in found[:3]:
        expect(s.send(agent.request()), "ok")
    assert fetches(found) == 3
    s.advance(21)       # one more in 20 s
    expect(s.send(found[3].request()), "ok")
    expect(s.send(found[4].request()), "discovery-limit")
    s.advance(600)      # saved up for a minute, not for ten
    expect(s.send(found[4].request()), "ok")
    expect(s.send(found[5].request()), "ok")
    more = agents(2, 6)
    expect(s.send(more[0].request()), "ok")
    expect(s.send(more[1].request()), "discovery-limit")


def test_all_workers_count_together(shop, names, agents):
    found = agents(60)
    s = shop.discovering(names, "any; new_per_minute 5;", WORKERS=2)
    got = load(300, lambda i: s.send(found[i % 60].request()), threads=10)
    reasons = [seen(r)[0] for r in got]
    assert sorted(set(reasons)) == ["discovery-limit", "ok"]
    assert 5 <= fetches(found) <= 6


def test_a_flood_of_made_up_agents(shop, names, agents):
    """Those that are known, and configured directories, do not notice."""
    known, = agents(1)
    made_up = agents(60, 1, status=404)
    s = shop(names=names, MORE="web_bot_auth_discovery { any; }")
    names.map("93.184.216.34", s.directory)
    s.loaded()
    expect(s.send(known.request()), "ok")
    slowest = [0]

    def ask(i):
        if i % 3:
            return seen(s.send(made_up[i % 60].request()))[0]
        asked = time.monotonic()
        expect(s.send(known.request() if i % 2 else s.request()), "ok")
        slowest[0] = max(slowest[0], time.monotonic() - asked)
        return "ok"

    reasons = load(600, ask, threads=6)
    assert set(reasons) == {"ok", "discovery-limit", "directory-unavailable"}
    assert slowest[0] < 0.5
    assert known.count() == 1 and s.count() == 1
    assert sum(1 for a in made_up if a.count()) <= 30
    print("%d fetches for %d requests of 60 made-up agents, slowest of the "
          "known %.0f ms" % (fetches(made_up),
                             sum(1 for r in reasons if r != "ok"),
                             1000 * slowest[0]))


# concurrent

def test_so_many_at_a_time(shop, names, agents):
    found = agents(3, hang=True)
    s = shop.discovering(names, "any; concurrent 2;")
    waiting = s.waiting([a.request() for a in found[:2]])
    wait_for("both", lambda: fetches(found) == 2)
    expect(s.send(found[2].request()), "discovery-limit")
    expect(s.send(BROWSER.request()), "ok")
    s.directory.release()
    for response in answers(waiting):
        expect(response, "ok")
    expect(s.send(found[2].request()), "ok")


def test_refetches_count_as_well(shop, names, agents):
    """Of agents that are known; those go on with the keys they have."""
    a, b = agents(2)
    s = shop.discovering(names, "any; concurrent 1;")
    expect(s.send(a.request()), "ok")
    expect(s.send(b.request()), "ok")
    a.serve(hang=True)
    s.advance(301)
    waiting = s.waiting([a.request(key=Key())])
    wait_for("the refetch", lambda: a.count() == 2)
    expect(s.send(b.request(key=Key())), "key-unknown")
    expect(s.send(b.request()), "ok")
    assert b.count() == 1
    s.directory.release()
    expect(answers(waiting)[0], "key-unknown")
    expect(s.send(b.request(key=Key())), "key-unknown")
    assert b.count() == 2


def test_who_finds_no_place_uses_up_nothing(shop, names, agents):
    """Neither one of the minute's, nor another's place."""
    slow, = agents(1, hang=True)
    known, *others = agents(6, 1)
    s = shop.discovering(names, "any; concurrent 1; new_per_minute 3; "
                         "max_directories 3;")
    expect(s.send(known.request()), "ok")
    waiting = s.waiting([slow.request()])
    wait_for("the fetch", slow.count)
    for agent in others:
        expect(s.send(agent.request()), "discovery-limit")
    s.directory.release()
    expect(answers(waiting)[0], "ok")
    expect(s.send(others[0].request()), "ok")
    expect(s.send(known.request()), "ok")
    assert fetches(others) == 1 and known.count() == 1


def test_all_workers_fetch_no_more_together(shop, names, agents):
    found = agents(20, hang=True)
    s = shop.discovering(names, "any; concurrent 3;", WORKERS=2,
                         WAIT="500ms max=1024")
    got = load(20, lambda i: s.send(found[i].request()), threads=20)
    reasons = sorted(seen(r)[0] for r in got)
    assert reasons == 3 * ["directory-unavailable"] + 17 * ["discovery-limit"]
    assert fetches(found) == 3


def test_configured_fetches_are_not_held_up(shop, names, agents):
    """Discovery's places are its own."""
    found = agents(2, hang=True)
    s = shop(names=names,
             MORE="web_bot_auth_discovery { any; concurrent 2; }")
    names.map("93.184.216.34", s.directory)
    s.loaded()
    waiting = s.waiting([a.request() for a in found])
    new = Key()
    s.serve(body=jwks(s.key, new))
    s.advance(301)
    assert seen(s.ask(key=new))[0] == "ok"
    s.directory.release()
    for c in waiting:
        c.close()


# Bytes, keys, seconds

def rows(n):
    return [Key() for _ in range(n)]


TOO_MUCH = {    # words, body, what the log says
    "101 keys": ("", jwks(*rows(101)), "more keys"),
    "3 of 2 keys": ("max_keys 2;", jwks(*rows(3)), "more keys"),
    "more than 256k": ("", jwks(Key()) + 262144 * " ", "longer than 262144"),
    "more than 1k": ("max_size 1k;", jwks(Key()) + 1024 * " ",
                     "longer than 1024"),
}


@pytest.mark.parametrize("words,body,text", TOO_MUCH.values(), ids=TOO_MUCH)
def test_too_much(shop, names, agents, words, body, text):
    agent, = agents(1, body=body)
    s = shop.discovering(names, "any; " + words)
    expect(s.send(agent.request()), "directory-unavailable")
    s.logged("directory discovery", "could not be fetched",
             "https://n0.agents.test/", text)


def test_as_much_as_there_may_be(shop, names, agents):
    agent, = agents(1)
    agent.serve(body=jwks(*rows(99), agent.key))
    s = shop.discovering(names)
    expect(s.send(agent.request()), "ok")


@pytest.mark.parametrize("manners", [{"hang": True}, {"dribble": 0.05},
                                     {"dribble_head": 0.05}])
def test_timeout(shop, names, agents, manners):
    agent, = agents(1, **manners)
    s = shop.discovering(names, TIMEOUT="500ms")
    started = time.monotonic()
    expect(s.send(agent.request()), "directory-unavailable")
    assert 0.4 < time.monotonic() - started < 2
    s.logged("directory discovery", "imed out")
    agent.serve(hang=False, dribble=0, dribble_head=0)
    s.directory.release()
    becomes(lambda: s.send(agent.request()), "ok")


def test_a_failing_one_is_asked_by_its_backoff(shop, names, agents):
    agent, = agents(1, status=500)
    s = shop.discovering(names, WORKERS=2)
    got = load(100, lambda _: s.send(agent.request()), threads=10)
    assert {seen(r)[0] for r in got} == {"directory-unavailable"}
    assert agent.count() <= 3
    agent.serve(status=200)
    s.advance(300)
    expect(s.send(agent.request()), "ok")


def test_proof_may_be_required(shop, names, agents):
    agent, = agents(1)
    s = shop.discovering(names, "any; proof required;")
    expect(s.send(agent.request()), "directory-unavailable")
    s.logged("directory discovery", "possession")


# Long URLs

@pytest.mark.parametrize("length,reason", [
    (511, "ok"), (512, "agent-not-allowed"), (800, "agent-not-allowed")])
def test_a_long_url(shop, names, directory, length, reason):
    """511 bytes is the longest that is looked up."""
    host = "n0.agents.test"
    agent = Found(directory, names, host,
                  path="/" + (length - len("https:///" + host)) * "x")
    assert len(agent.url) == length
    s = shop.discovering(names)
    expect(s.send(agent.request()), reason)
    assert agent.count() == names.lookups(host) == (reason == "ok")


def test_a_bare_origin_of_511_bytes(shop, names, directory):
    """Its well-known path makes it too long: nothing is cut off."""
    host = ".".join(["n" * 63] * 7) + ".agents.test"
    agent = Found(directory, None, host)
    s = shop.discovering(names)
    response = s.send(agent.request())
    assert seen(response)[1] == "deny" and response.status in (400, 403, 503)
    assert names.connects() == []


# Keyids that nobody knows

def test_a_flood_of_random_keyids(shop, names, agents):
    """Costs the agent's directory one fetch an interval, by all workers
    together, and its good requests nothing."""
    agent, other = agents(2)
    s = shop.discovering(names, WORKERS=2)
    expect(s.send(agent.request()), "ok")
    expect(s.send(other.request()), "ok")

    def ask(i):
        if i % 10 == 0:
            expect(s.send(agent.request()), "ok")
        elif i % 10 == 5:
            expect(s.send(other.request()), "ok")
        else:
            expect(s.send(agent.request(key=Key())), "key-unknown")

    for interval in range(1, 4):
        load(200, ask, threads=6)
        assert (agent.count(), other.count()) == (interval, 1)
        s.advance(301)


def test_a_flood_of_forgeries_under_a_known_keyid(shop, names, agents):
    """Costs no fetch at all."""
    agent, = agents(1)
    s = shop.discovering(names)
    expect(s.send(agent.request()), "ok")
    s.advance(301)
    forgery = agent.request(signature=flip_bit)
    got = load(100, lambda _: s.send(forgery), threads=6)
    assert {seen(r)[0] for r in got} == {"bad-signature"}
    assert agent.count() == 1


def test_what_is_wrong_before_keys_matter_fetches_nothing(shop, names,
                                                          agents):
    """Nor does it take a place, or one of the minute's."""
    agent, = agents(1)
    s = shop.discovering(names,
                         "any; max_directories 1; new_per_minute 1;")
    wrong, = agents(1, 1)
    for over in ({"created": 1, "expires": 2}, {"host": "evil.test"},
                 {"components": ("@method", 'signature-agent;key="sig1"')},
                 {"components": ("@authority",)}, {"tag": "other"},
                 {"keyid": OMIT}):
        assert s.send(wrong.request(**over)).status in (400, 403)
    assert names.lookups(wrong.host) == 0
    expect(s.send(agent.request()), "ok")


# The arena

def fat(n, *keys):
    """The set of so many keys."""
    return jwks(*rows(n - len(keys)), *keys)


def test_strangers_cost_configured_keys_nothing(shop, names, agents):
    """The smallest zone, strangers who publish all they may and whose agents
    verify, so that none of them is idle; a configured directory that grows
    meanwhile gets the room."""
    crowd = agents(12)
    for agent in crowd:
        agent.serve(body=fat(100, agent.key))
    s = shop(names=names, WORKERS=1, BOUNDS="", MORE="web_bot_auth_zone 1m; "
             "web_bot_auth_discovery { any; max_directories 32; }")
    names.map("93.184.216.34", s.directory)
    s.loaded()
    got = [seen(s.send(a.request()))[0] for a in crowd]
    assert got[0] == "ok" and "directory-unavailable" in got
    s.logged("directory discovery", "do not fit")
    expect(s.ask(), "ok")
    # those that have room keep it
    kept = [a for a, reason in zip(crowd, got) if reason == "ok"]
    for agent in kept:
        expect(s.send(agent.request()), "ok")
    # more than the half that strangers leave, while they are all in use
    new = Key()
    s.serve(body=fat(FILL, s.key, new))
    s.advance(301)
    for agent in kept:
        expect(s.send(agent.request()), "ok")
    expect(s.ask(key=new), "ok")
    expect(s.ask(), "ok")
    got = [seen(s.send(a.request()))[0] for a in kept]
    assert set(got) == {"ok", "directory-unavailable"}
    for key in (new, s.key):
        expect(s.ask(key=key), "ok")
    assert "remote could not" not in s.nginx.error_log


# The block

WRONG = {
    "neither": "",
    "both": "any; allow https://a.agents.test;",
    "any twice": "any; any;",
    "a bare host": "allow a.agents.test;",
    "http": "allow http://a.agents.test;",
    "a star": "allow *;",
    "a star inside": "allow https://*.agents.test;",
    "no number": "any; max_directories many;",
    "zero": "any; concurrent 0;",
    "another block's word": "any; url https://a.agents.test;",
    "redirect": "any; redirect www;",
    "unknown": "any; everybody;",
    "no semicolon": "any",
}


@pytest.mark.parametrize("words", WRONG.values(), ids=WRONG)
def test_a_wrong_block(shop, words):
    s = shop(start=False, MORE="web_bot_auth_discovery { %s }" % words)
    s.nginx.expect(r"\[emerg\]")
    good, text = s.nginx.test()
    assert not good and "[emerg]" in text, text


def test_two_blocks(shop):
    s = shop(start=False, MORE="web_bot_auth_discovery { any; }" * 2)
    s.nginx.expect(r"\[emerg\]")
    good, text = s.nginx.test()
    assert not good and "duplicate" in text
