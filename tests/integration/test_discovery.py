# SPDX-License-Identifier: BSD-2-Clause
"""Agents that bring their own keys: what their Signature-Agent may look like,
whose keys count for whom, and who may be looked up."""

import time

import pytest

from harness.agents import BOT, STRANGER_KEY
from harness.directory import WELL_KNOWN
from harness.expect import expect, seen
from harness.nginx import wait_for
from harness.shops import Found, answers, becomes
from harness.signer import OMIT, Key, flip_bit, jwks

HOST = "a.agents.test"
ORIGIN = "https://" + HOST


@pytest.fixture
def found(directory, names):
    """found(host, ...): an agent of that host."""
    return lambda host=HOST, **how: Found(directory, names, host, **how)


def verified(response, agent):
    expect(response, "ok")
    assert (response.header("X-directory"), response.header("X-agent")) == \
        ("discovery", agent)


# The generations of FIELD.md section 1

AGENT = 'signature-agent;key="%s"'

SHAPES = {      # field, covered as, path of the keys, identity
    "a String": ('"%s"' % ORIGIN, "signature-agent", WELL_KNOWN, ORIGIN),
    "with a slash": ('"%s/"' % ORIGIN, "signature-agent", WELL_KNOWN, ORIGIN),
    "a String, a path": ('"%s/k"' % ORIGIN, "signature-agent", "/k",
                         ORIGIN + "/k"),
    "a Dictionary": ('sig1="%s"' % ORIGIN, AGENT % "sig1", WELL_KNOWN,
                     ORIGIN),
    "the whole of it": ('sig1="%s"' % ORIGIN, "signature-agent", WELL_KNOWN,
                        ORIGIN),
    "the draft's own vector": ('agent2="%s"' % ORIGIN, AGENT % "agent2",
                               WELL_KNOWN, ORIGIN),
    "the key set's URL": ('sig1="%s/keys/all.json"' % ORIGIN, AGENT % "sig1",
                          "/keys/all.json", ORIGIN + "/keys/all.json"),
    "a query": ('sig1="%s/keys?of=me"' % ORIGIN, AGENT % "sig1",
                "/keys?of=me", ORIGIN + "/keys"),
    "not normal": ('sig1="HTTPS://A.Agents.TEST:443/%7ek/./x/../y"',
                   AGENT % "sig1", "/%7ek/./x/../y", ORIGIN + "/~k/y"),
    "one of two": ('x="https://other.test", sig1="%s"' % ORIGIN,
                   AGENT % "sig1", WELL_KNOWN, ORIGIN),
}


@pytest.mark.parametrize("field,covered,path,identity", SHAPES.values(),
                         ids=SHAPES)
def test_shape(shop, names, found, field, covered, path, identity):
    agent = found(path=path)
    s = shop.discovering(names)
    response = s.send(agent.request(field=field,
                                    components=("@authority", covered)))
    verified(response, identity)
    assert agent.count() == 1


def test_googles_label(shop, names, found):
    agent = found()
    s = shop.discovering(names)
    verified(s.send(agent.request(
        field='g="%s"' % ORIGIN, label="g",
        components=("@authority", AGENT % "g"))), ORIGIN)


def test_a_member_beside_it_is_not_looked_up(shop, names, found):
    """Nor one that is not covered."""
    agent = found()
    names.host("other.test", "93.184.216.34")
    s = shop.discovering(names)
    verified(s.send(agent.request(
        field='x="https://other.test", sig1="%s"' % ORIGIN)), ORIGIN)
    assert names.lookups("other.test") == 0


LENIENT = {     # words, field, path, without them
    "unquoted": ("unquoted-agent", ORIGIN, WELL_KNOWN,
                 "signature-agent-unquoted"),
    "directory": ("agent-type", 'sig1="%s/x";type=directory' % ORIGIN,
                  WELL_KNOWN, "signature-agent-typed"),
    "jwks_uri": ("agent-type", 'sig1="%s/x";type=jwks_uri' % ORIGIN, "/x",
                 "signature-agent-typed"),
}


@pytest.mark.parametrize("word,field,path,reason", LENIENT.values(),
                         ids=LENIENT)
def test_only_under_a_lenient_flag(shop, names, found, word, field, path,
                                   reason):
    agent = found(path=path)
    component = "signature-agent" if word == "unquoted-agent" \
        else AGENT % "sig1"
    how = {"field": field, "components": ("@authority", component)}
    strict = shop.discovering(names)
    expect(strict.send(agent.request(**how)), reason)
    others = {"unquoted-agent": "agent-type", "agent-type": "unquoted-agent"}
    other = shop.discovering(names, "any; lenient %s;" % others[word])
    expect(other.send(agent.request(**how)), reason)
    assert names.lookups(HOST) == 0
    s = shop.discovering(names, "any; lenient %s;" % word)
    response = s.send(agent.request(**how))
    expect(response, "ok")
    assert response.header("X-agent").startswith(ORIGIN)


@pytest.mark.parametrize("words", ["", "lenient agent-type;"])
@pytest.mark.parametrize("parameter", ["type=cimd", "x", "type=directory;y"])
def test_other_parameters_never(shop, names, found, words, parameter):
    agent = found(path="/x")
    s = shop.discovering(names, "any; " + words)
    expect(s.send(agent.request(field='sig1="%s/x";%s' % (ORIGIN, parameter))),
           "signature-agent-typed")
    assert names.lookups(HOST) == 0


REFUSED = {
    "http": ('sig1="http://%s"' % HOST, "signature-agent-not-https"),
    "no URL": ('sig1="me"', "signature-agent-unparsable"),
    "a fragment": ('sig1="%s/#x"' % ORIGIN, "signature-agent-unparsable"),
    "userinfo": ('sig1="https://me@%s/"' % HOST,
                 "signature-agent-unparsable"),
    "a Token": ("sig1=me", "signature-agent-unparsable"),
    "no field": ("x=y", "signature-agent-member-missing"),
    "too long": ('sig1="%s/%s"' % (ORIGIN, 600 * "x"), "agent-not-allowed"),
}


@pytest.mark.parametrize("field,reason", REFUSED.values(), ids=REFUSED)
def test_refused_and_not_looked_up(shop, names, found, field, reason):
    agent = found()
    s = shop.discovering(names)
    response = s.send(agent.request(field=field))
    if reason != "signature-agent-unparsable":
        expect(response, reason)
    assert response.status in (400, 403) and seen(response)[1] == "deny"
    assert names.lookups(HOST) == 0 and not names.connects()


@pytest.mark.parametrize("components,reason", [
    (("@authority",), "signature-agent-absent"),
    (("@authority", AGENT % "other"), "signature-agent-member-missing"),
])
def test_what_is_not_covered_does_not_count(shop, names, found, components,
                                            reason):
    agent = found()
    s = shop.discovering(names)
    expect(s.send(agent.request(components=components)), reason)
    assert names.lookups(HOST) == 0


def test_several_covered_and_none_of_the_label(shop, names, found):
    agent = found()
    s = shop.discovering(names)
    expect(s.send(agent.request(
        field='a="%s", b="https://other.test"' % ORIGIN,
        components=("@authority", AGENT % "a", AGENT % "b"))),
        "signature-agent-ambiguous-member")


# Keys by (URL, key)

def test_a_key_counts_for_its_own_url_only(shop, names, found):
    a, b = found(), found("b.agents.test")
    s = shop.discovering(names)
    verified(s.send(a.request()), a.url)
    verified(s.send(b.request()), b.url)
    # a's key, in b's name, under a's keyid and under b's
    expect(s.send(b.request(key=a.key)), "key-unknown")
    expect(s.send(b.request(key=a.key, keyid=b.key.thumbprint)),
           "bad-signature")


def test_two_urls_of_one_host(shop, names, found):
    a, b = found(path="/a"), found(path="/b")
    s = shop.discovering(names)
    verified(s.send(a.request()), a.url)
    verified(s.send(b.request()), b.url)
    expect(s.send(b.request(key=a.key)), "key-unknown")


def test_a_key_that_two_publish(shop, names, found):
    """Each may use it in its own name."""
    a, b = found(), found("b.agents.test")
    b.serve(body=jwks(a.key))
    s = shop.discovering(names)
    verified(s.send(a.request()), a.url)
    verified(s.send(b.request(key=a.key)), b.url)


def test_a_configured_directory_s_key_is_not_lent(shop, names, found):
    """remote's key, in the name of an agent that does not publish it; and an
    agent's key under the configured directory's tag."""
    agent = found()
    s = shop(names=names, MORE="web_bot_auth_discovery { any; }")
    names.map("93.184.216.34", s.directory)
    s.loaded()
    expect(s.send(agent.request(key=s.key)), "key-unknown")
    expect(s.send(agent.request()), "ok")
    expect(s.ask(key=agent.key), "key-unknown")
    assert s.ask().header("X-directory") == "remote"


def test_agent_of_a_configured_directory_wins(shop, names, directory):
    """bots stands for https://bot.test: nobody is asked for its keys."""
    public = Found(directory, names, "bot.test")
    s = shop.discovering(names)
    response = s.send(BOT.request())
    assert response.header("X-directory") == "bots"
    expect(s.send(public.request()), "key-unknown")
    assert names.lookups("bot.test") == 0


@pytest.mark.parametrize("field,component", [
    (ORIGIN, "signature-agent"),
    ('sig1="%s/x";type=directory' % ORIGIN, AGENT % "sig1")])
def test_a_configured_directory_s_own_leniency(shop, names, found, field,
                                               component):
    """It is not discovery's, nor discovery's its."""
    agent = found()
    source = """web_bot_auth_directory mine {
        url https://a.agents.test; profile web-bot-auth;
        agent https://a.agents.test; %s }
        web_bot_auth_discovery { any; %s }"""
    lenient = "lenient unquoted-agent agent-type;"
    names.map("93.184.216.34", shop.directory)
    for words, reason in (((lenient, ""), "ok"), (("", lenient), None)):
        s = shop(names=names, SOURCE=source % words)
        response = s.send(agent.request(
            field=field, components=("@authority", component)))
        if reason:
            expect(response, "ok")
            assert response.header("X-directory") == "mine"
        else:
            assert response.status in (400, 403)


@pytest.mark.parametrize("path", [WELL_KNOWN, "/keys"])
def test_a_kid_that_is_no_thumbprint(shop, names, found, path):
    """The key stays and goes by its thumbprint, which is all that a
    web-bot-auth keyid may be; at the well-known path the log says so."""
    agent = found(path=path)
    agent.serve(body=jwks(agent.key.jwk(kid="my-key")))
    s = shop.discovering(names)
    verified(s.send(agent.request()), agent.url)
    expect(s.send(agent.request(keyid="my-key")), "key-unknown")
    if path == WELL_KNOWN:
        s.logged("directory discovery", "my-key", "thumbprint")


def test_a_kid_that_is_another_s_thumbprint(shop, names, found):
    """Whoever publishes it does not take the other's place."""
    a, thief = found(), Key()
    a.serve(body=jwks(thief.jwk(kid=a.key.thumbprint), a.key))
    s = shop.discovering(names)
    verified(s.send(a.request()), ORIGIN)
    verified(s.send(a.request(key=thief)), ORIGIN)
    expect(s.send(a.request(key=thief, keyid=a.key.thumbprint)),
           "bad-signature")


def test_a_forger_of_a_known_agent(shop, names, found):
    agent = found()
    s = shop.discovering(names)
    verified(s.send(agent.request()), ORIGIN)
    expect(s.send(agent.request(signature=flip_bit)), "bad-signature")
    request = agent.request()
    expect(s.send(request), "ok")
    expect(s.send(request), "nonce-replayed")


# Who may be looked up

PATTERNS = {    # pattern, allowed URLs, others
    "origin": ("https://a.agents.test",
               ["https://a.agents.test", "https://a.agents.test/x"],
               ["https://b.agents.test", "https://agents.test",
                "https://a.agents.test:8443"]),
    "suffix": ("*.agents.test",
               ["https://a.agents.test", "https://A.AGENTS.test/x",
                "https://x.deep.agents.test"],
               ["https://agents.test", "https://bot.agents.test.evil.test",
                "https://evilagents.test"]),
    "URL": ("https://a.agents.test/x",
            ["https://a.agents.test/x"],
            ["https://a.agents.test", "https://a.agents.test/x/y",
             "https://a.agents.test/x?y"]),
    "several": ("https://a.agents.test https://b.agents.test",
                ["https://a.agents.test", "https://b.agents.test"],
                ["https://c.agents.test"]),
}


@pytest.mark.parametrize("pattern,allowed,others", PATTERNS.values(),
                         ids=PATTERNS)
def test_allow(shop, names, found, pattern, allowed, others):
    s = shop.discovering(names, "allow %s;" % pattern)

    def ask(url):
        host, _, path = url[len("https://"):].lower().partition("/")
        agent = found(host, path="/" + path if path else WELL_KNOWN, url=url)
        return s.send(agent.request())

    for url in allowed:
        expect(ask(url), "ok")
    looked_up = names.connects()
    for url in others:
        expect(ask(url), "agent-not-allowed")
    assert names.connects() == looked_up


def test_any(shop, names, found):
    s = shop.discovering(names)
    for host in ("a.agents.test", "agents.test", "x.deep.agents.test",
                 "other.test"):
        agent = found(host)
        verified(s.send(agent.request()), agent.url)


def test_who_is_not_allowed_is_not_even_looked_up(shop, names, found):
    s = shop.discovering(names, "allow *.agents.test;")
    for host in ("other.test", "agents.test", "a.agents.test.other.test"):
        agent = found(host)
        for target, status, decision in (("/", None, None),
                                         ("/optional/", 200, "pass")):
            expect(s.send(agent.request(target)), "agent-not-allowed", status,
                   decision)
        assert names.lookups(host) == 0 and agent.count() == 0
    assert names.connects() == []


def test_without_the_block_nobody(shop, names, found):
    agent = found()
    s = shop(names=names)
    expect(s.send(agent.request()), "agent-not-allowed")
    assert names.lookups(HOST) == 0


def test_rules(shop, names, found):
    a, b = found(), found("b.agents.test")
    s = shop.discovering(names, MORE="""
        web_bot_auth_deny agent=https://B.agents.test/;
        web_bot_auth_allow directory=discovery;""")
    verified(s.send(a.request()), a.url)
    assert seen(s.send(b.request())) == ("denied-by-rule", "deny")


RULES = {       # rules, which of a, b and the configured one they let in
    "discovered": ("allow directory=discovery", "ab"),
    "configured": ("deny directory=discovery", "c"),
    "one by URL": ("allow agent=https://A.Agents.TEST:443/", "a"),
    "all but one": ("deny agent=https://b.agents.test", "ac"),
    "both": ("allow directory=discovery agent=https://b.agents.test", "b"),
    "a claim": ("allow directory=bots agent=https://a.agents.test", ""),
    "its path": ("allow agent=https://a.agents.test/x", ""),
}


@pytest.mark.parametrize("rule,who", RULES.values(), ids=RULES)
def test_rule(shop, names, found, rule, who):
    a, b = found(), found("b.agents.test")
    s = shop.discovering(names, MORE="web_bot_auth_%s;" % rule)
    for name, request in (("a", a.request()), ("b", b.request()),
                          ("c", BOT.request())):
        expect(s.send(request), "ok" if name in who else "denied-by-rule")


def test_a_rule_by_keyid(shop, names, found):
    a, b = found(), found("b.agents.test")
    s = shop.discovering(names, MORE="web_bot_auth_allow directory=discovery "
                         "keyid=%s;" % a.key.thumbprint)
    verified(s.send(a.request()), a.url)
    expect(s.send(b.request()), "denied-by-rule")


WORDS = {       # words, what one request is like, its verdict
    "a nonce": ("nonce required", {"nonce": OMIT}, "nonce-missing"),
    "none": ("", {"nonce": OMIT}, "ok"),
    "a life": ("max_lifetime 60s", {"lifetime": 61}, "lifetime-too-long"),
    "its end": ("max_lifetime 60s", {"lifetime": 60}, "ok"),
    "a day": ("", {"lifetime": 86400}, "ok"),
    "longer": ("", {"lifetime": 86401}, "lifetime-too-long"),
    "components": ("components @method", {}, "component-not-covered"),
    "a tag": ("tags mine", {"tag": "mine"}, "ok"),
    "another": ("tags mine", {"tag": "yours"}, "no-served-tag"),
    "no alg": ("", {"alg": OMIT}, "ok"),
}


@pytest.mark.parametrize("words,over,reason", WORDS.values(), ids=WORDS)
def test_words_of_the_block(shop, names, found, words, over, reason):
    agent = found()
    s = shop.discovering(names, "any; %s;" % words if words else "any;")
    expect(s.send(agent.request(**over)), reason)


def test_optional_lets_strangers_by(shop, names, found):
    """Untrusted, whatever the reason is."""
    missing = found("b.agents.test", status=404)
    s = shop.discovering(names, "allow *.agents.test;", WAIT="300ms")
    for request, reason in (
            (found("other.test").request("/optional/"), "agent-not-allowed"),
            (missing.request("/optional/"), "directory-unavailable"),
            (found().request("/optional/", key=STRANGER_KEY), "key-unknown")):
        expect(s.send(request), reason, 200, "pass")


# Their keys' life

def test_fetched_once_for_all(shop, names, found):
    agent = found(hang=True)
    s = shop.discovering(names, WORKERS=2)
    waiting = s.waiting([agent.request() for _ in range(20)])
    s.directory.release()
    got = answers(waiting)
    for response in got:
        verified(response, ORIGIN)
    assert len({r.header("X-Worker") for r in got}) == 2
    for _ in range(20):
        expect(s.send(agent.request()), "ok")
    assert agent.count() == 1


def test_an_added_key(shop, names, found):
    agent, new = found(), Key()
    s = shop.discovering(names)
    verified(s.send(agent.request()), ORIGIN)
    agent.serve(body=jwks(agent.key, new))
    expect(s.send(agent.request(key=new)), "key-unknown")
    s.advance(301)
    for _ in range(5):
        expect(s.send(agent.request(key=Key())), "key-unknown")
    assert agent.count() == 2
    verified(s.send(agent.request(key=new)), ORIGIN)


def test_a_removed_key(shop, names, found):
    """Verifies until the set arrives that lacks it, and never after."""
    agent, new = found(), Key()
    s = shop.discovering(names)
    verified(s.send(agent.request()), ORIGIN)
    agent.serve(body=jwks(new))
    verified(s.send(agent.request()), ORIGIN)
    s.advance(301)
    verified(s.send(agent.request(key=new)), ORIGIN)
    expect(s.send(agent.request()), "key-unknown")
    assert agent.count() == 2


def test_a_removed_key_when_nobody_asks(shop, names, found):
    """The set arrives in the background."""
    agent = found()
    s = shop.discovering(names, WORKERS=2)
    verified(s.send(agent.request()), ORIGIN)
    agent.serve(body=jwks(Key()))
    s.advance(3500)     # of 3600
    s.logged_times("1 keys from", 2)
    for _ in range(6):
        expect(s.send(agent.request()), "key-unknown")
    assert agent.count() == 2


def test_an_empty_set_revokes_all(shop, names, found):
    agent = found()
    s = shop.discovering(names)
    verified(s.send(agent.request()), ORIGIN)
    agent.serve(body='{"keys":[]}')
    s.advance(3500)
    s.logged("directory discovery", "all of its keys are revoked")
    expect(s.send(agent.request()), "key-unknown")


def test_renewed_by_one_worker(shop, names, found):
    """Once in a lifetime, whoever serves it."""
    agent = found()
    s = shop.discovering(names, WORKERS=2)
    for n in range(1, 4):
        workers = set()

        def both():
            response = s.send(agent.request())
            verified(response, ORIGIN)
            workers.add(response.header("X-Worker"))
            return len(workers) == 2

        wait_for("answers of both workers", both)
        s.advance(3500)     # of 3600
        s.logged_times("1 keys from", n + 1)
        assert agent.count() == n + 1


def test_forgeries_keep_nobody_in_use(shop, names, found):
    """Only requests that verify have its keys renewed."""
    agent = found()
    s = shop.discovering(names)
    verified(s.send(agent.request()), ORIGIN)
    s.advance(3500)
    s.logged_times("1 keys from", 2)
    for _ in range(3):
        s.advance(1000)
        expect(s.send(agent.request(signature=flip_bit)), "bad-signature")
    time.sleep(1.4)     # the workers look round once a second
    assert agent.count() == 2


def test_in_use_it_is_renewed_ahead_of_need(shop, names, found):
    agent = found(etag='"v1"')
    s = shop.discovering(names)
    for n in range(3):
        expect(s.send(agent.request()), "ok")
        assert agent.count(304) == n
        s.advance(3500)     # of 3600
        s.logged_times("unchanged", n + 1)


def test_idle_it_is_asked_again_when_it_comes_back(shop, names, found):
    agent, new = found(), Key()
    s = shop.discovering(names)
    expect(s.send(agent.request()), "ok")
    s.advance(3500)
    s.logged_times("1 keys from", 2)    # by then it was in use
    agent.serve(body=jwks(new))
    s.advance(4000)
    time.sleep(1.4)     # the workers look round once a second
    assert agent.count() == 2
    expect(s.send(agent.request()), "key-unknown")  # having waited
    assert agent.count() == 3
    verified(s.send(agent.request(key=new)), ORIGIN)


def test_coming_back_it_waits_for_the_new_set(shop, names, found):
    """All who come meanwhile do, and the old keys let nobody in."""
    agent, new = found(), Key()
    s = shop.discovering(names, WORKERS=2)
    verified(s.send(agent.request()), ORIGIN)
    s.advance(3500)
    s.logged_times("1 keys from", 2)
    agent.serve(body=jwks(new), hang=True)
    s.advance(4000)
    waiting = s.waiting([agent.request(key=k) for k in 5 * [new, agent.key]])
    s.directory.release()
    assert [seen(r)[0] for r in answers(waiting)] == \
        5 * ["ok", "key-unknown"]
    assert agent.count() == 3


def test_idle_and_its_directory_hangs(shop, names, found):
    """The wait is web_bot_auth_wait's, then what is held is used."""
    agent = found()
    s = shop.discovering(names, WAIT="300ms")
    verified(s.send(agent.request()), ORIGIN)
    s.advance(3500)
    s.logged_times("1 keys from", 2)
    agent.serve(hang=True)
    s.advance(4000)
    started = time.monotonic()
    verified(s.send(agent.request()), ORIGIN)
    assert 0.2 < time.monotonic() - started < 2


def test_idle_and_its_directory_down(shop, names, found):
    """What is held is used, until stale is over."""
    agent = found()
    s = shop.discovering(names, STALE="10h")
    expect(s.send(agent.request()), "ok")
    s.advance(3500)
    s.logged_times("1 keys from", 2)    # by then it was in use
    agent.serve(status=500)
    s.advance(4000)
    for _ in range(3):
        verified(s.send(agent.request()), ORIGIN)
    assert agent.count(500) == 1
    s.advance(10 * 3600)
    becomes(lambda: s.send(agent.request()), "directory-unavailable")


def test_reload_keeps_what_was_discovered(shop, names, found):
    agent = found()
    s = shop.discovering(names)
    expect(s.send(agent.request()), "ok")
    agent.serve(close=True)
    s.nginx.reload(wait_old=True)
    verified(s.send(agent.request()), ORIGIN)
