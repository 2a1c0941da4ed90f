# SPDX-License-Identifier: BSD-2-Clause
"""Nobody makes nginx fetch from the operator's network.

Every address here would answer, with keys that verify, if nginx connected to
it: names.c takes all of them to the directory."""

import time

import pytest

from harness.agents import BROWSER
from harness.directory import WELL_KNOWN, Directory
from harness.expect import expect
from harness.names import OTHER_PUBLIC, PUBLIC, Names
from harness.nginx import wait_for
from harness.ports import free
from harness.shops import Found, Shops, answers, becomes
from harness.signer import Key, jwks

# PROTOCOL.md section 6's list, at the edges of each block
FORBIDDEN = """
0.0.0.0 0.1.2.3 0.255.255.255
10.0.0.0 10.0.0.1 10.255.255.255
100.64.0.0 100.127.255.255
127.0.0.1 127.0.0.53 127.255.255.254
169.254.0.1 169.254.169.254 169.254.255.255
172.16.0.0 172.31.255.255
192.0.0.1 192.0.0.192
192.0.2.1 198.51.100.1 203.0.113.5 192.88.99.1
192.168.0.1 192.168.255.255
198.18.0.1 198.19.255.255
224.0.0.1 239.255.255.255
240.0.0.1 255.255.255.255
[::] [::1]
[fc00::1] [fdff:ffff::1]
[fe80::1] [febf::1] [fec0::1]
[ff02::1]
[::ffff:127.0.0.1] [::ffff:10.0.0.1] [::ffff:169.254.169.254]
[::127.0.0.1]
[64:ff9b::7f00:1] [64:ff9b::a00:1] [64:ff9b:1::1]
[2002:7f00:1::1] [2002:c0a8:1::1]
[2001:0:7f00:1::1]
[2001:0:5db8:d822::f5ff:fffe]
[100::1] [2001:db8::1] [2001:2::1] [3fff::1]
[2001:0:a00:1::a247:27dd] [4000::1] [1fff::1]
""".split()

PUBLIC_ADDRESSES = """
93.184.216.34 1.0.0.0 8.8.8.8 9.255.255.255 11.0.0.0
100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0
192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255
[2606:2800:220:1::1] [2a00:1450::1] [::ffff:93.184.216.34]
[64:ff9b::5db8:d822] [2002:5db8:d822::1]
[2001:0:5db8:d822::a247:27dd]
""".split()


@pytest.fixture(scope="module")
def lab(serve, directory, authority, names_library):
    """One nginx for all addresses."""
    names = Names(names_library)
    shops = Shops(serve, directory, authority)
    s = shops.discovering(names, "any; new_per_minute 1000;")
    yield s
    shops.stop()
    names.close()


def agent_at(lab, addresses, n=[0]):
    """An agent of a new host that resolves to these, all of which answer."""
    n[0] += 1
    names = lab.nginx.names
    agent = Found(lab.directory, names, "x%d.agents.test" % n[0],
                  address=",".join(addresses))
    for address in addresses:
        names.map(address, lab.directory)
    return agent


@pytest.mark.parametrize("address", FORBIDDEN)
def test_forbidden(lab, address):
    agent = agent_at(lab, [address])
    before = len(lab.nginx.names.connects())
    expect(lab.send(agent.request()), "directory-unavailable")
    assert lab.nginx.names.lookups(agent.host) == 1
    assert lab.nginx.names.connects()[before:] == []
    lab.logged("directory discovery", agent.host, "address")
    assert agent.count() == 0


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
def test_public(lab, address):
    """The same, so that the above shows something."""
    agent = agent_at(lab, [address])
    expect(lab.send(agent.request()), "ok")
    assert address + ":443" in lab.nginx.names.connects()


@pytest.mark.parametrize("addresses", [
    ["127.0.0.1", PUBLIC], [PUBLIC, "10.0.0.1"],
    ["[::1]", PUBLIC], ["[fd00::1]", "192.168.1.1", PUBLIC],
], ids=",".join)
def test_a_mixture(lab, addresses):
    """The public one may be used, the others are never connected to."""
    agent = agent_at(lab, addresses)
    before = len(lab.nginx.names.connects())
    expect(lab.send(agent.request()), "ok")
    assert set(lab.nginx.names.connects()[before:]) == {PUBLIC + ":443"}


@pytest.mark.parametrize("addresses", [
    ["10.0.0.1", "[::1]", "169.254.169.254"],
    ["[::ffff:10.0.0.1]", "[64:ff9b::a00:1]"],
], ids=",".join)
def test_several_and_none_public(lab, addresses):
    agent = agent_at(lab, addresses)
    before = len(lab.nginx.names.connects())
    expect(lab.send(agent.request()), "directory-unavailable")
    assert lab.nginx.names.connects()[before:] == []


def test_a_dead_public_address_does_not_open_the_next(lab):
    """What is tried after a connection that failed is judged as well."""
    agent = agent_at(lab, ["10.0.0.1"])
    names = lab.nginx.names
    names.host(agent.host, OTHER_PUBLIC + ",10.0.0.1,[::1]")
    names.map("[::1]", lab.directory)
    before = len(names.connects())
    expect(lab.send(agent.request()), "directory-unavailable")
    assert set(names.connects()[before:]) == {OTHER_PUBLIC + ":443"}


LITERALS = """
127.0.0.1 10.0.0.1 169.254.169.254 0.0.0.0 [::1] [::] [::ffff:127.0.0.1]
[::ffff:a00:1] [64:ff9b::a00:1] [fe80::1] [fe80::1%25lo] [fe80::1%lo]
2130706433 0x7f000001 0x7f.1 0177.0.0.1 127.1 017700000001 0 127.0.0.1.
%31%32%37.0.0.1 localhost LOCALHOST. localhost.
""".split()


@pytest.mark.parametrize("host", LITERALS)
def test_written_as_an_address(lab, host):
    """However it is spelled: refused, or judged as every address."""
    names = lab.nginx.names
    for address in ("127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0",
                    "[::1]", "[::]", "[::ffff:127.0.0.1]", "[fe80::1]",
                    "[::ffff:10.0.0.1]", "[64:ff9b::a00:1]"):
        names.map(address, lab.directory)
    for name in ("localhost", "localhost.", "127.0.0.1.", "2130706433",
                 "0x7f000001", "0x7f.1", "127.1", "0"):
        names.host(name, "127.0.0.1")
    before = len(names.connects())
    agent = Found(lab.directory, None, host)
    response = lab.send(agent.request())
    assert response.status in (400, 503), response
    assert response.header("X-reason") in (
        "signature-agent-unparsable", "directory-unavailable")
    assert names.connects()[before:] == []


@pytest.mark.parametrize("host", ["93.184.216.34", "[2606:2800:220:1::1]"])
def test_a_public_address_may_be_written(lab, host):
    lab.nginx.names.map(host, lab.directory)
    agent = Found(lab.directory, None, host)
    lab.directory.serve(body=jwks(agent.key))
    try:
        expect(lab.send(agent.request()), "ok")
    finally:
        lab.directory.paths.pop(WELL_KNOWN)
    assert host + ":443" in lab.nginx.names.connects()


def test_patterns_let_no_private_address_in(shop, names, directory):
    """Allowed by name is not allowed everywhere."""
    names.map("10.0.0.1", directory)
    s = shop.discovering(
        names, "allow https://a.agents.test https://10.0.0.1;")
    agent = Found(directory, names, "a.agents.test", address="10.0.0.1")
    expect(s.send(agent.request()), "directory-unavailable")
    expect(s.send(Found(directory, None, "10.0.0.1").request()),
           "directory-unavailable")
    assert names.connects() == []


# Ports, schemes, redirects

@pytest.mark.parametrize("url,reason", [
    ("https://%s:8443", "agent-not-allowed"),
    ("https://%s:22/x", "agent-not-allowed"),
    ("https://%s:80/", "agent-not-allowed"),
    ("http://%s", "signature-agent-not-https"),
    ("http://%s:443/", "signature-agent-not-https"),
    ("ftp://%s/x", "signature-agent-not-https"),
    ("file:///etc/passwd", None),
])
def test_only_https_on_port_443(lab, url, reason):
    agent = agent_at(lab, [PUBLIC])
    before = len(lab.nginx.names.connects())
    agent.url = url % agent.host if "%s" in url else url
    response = lab.send(agent.request())
    if reason:
        expect(response, reason)
    assert response.status in (400, 403)
    assert lab.nginx.names.lookups(agent.host) == 0
    assert lab.nginx.names.connects()[before:] == []


def test_port_443_may_be_written(lab):
    agent = agent_at(lab, [PUBLIC])
    agent.url += ":443"
    expect(lab.send(agent.request()), "ok")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("to", ["https://10.0.0.1/", "https://%s/elsewhere",
                                "https://www.%s" + WELL_KNOWN, "/elsewhere"])
def test_redirects_are_not_followed(lab, status, to):
    agent = agent_at(lab, [PUBLIC])
    lab.nginx.names.map("10.0.0.1", lab.directory)
    agent.serve(status=status,
                location=to % agent.host if "%s" in to else to)
    before = len(lab.nginx.names.connects())
    expect(lab.send(agent.request()), "directory-unavailable")
    assert len(lab.nginx.names.connects()) == before + 1
    lab.logged(agent.host, "redirects are not followed")


# Names that change their mind

def test_rebinding(shop, names, directory):
    """The second look-up says 127.0.0.1: what is held stays, and nobody
    connects there."""
    agent, other = Found(directory, names, "a.agents.test"), Key()
    names.host(agent.host, PUBLIC, "127.0.0.1")
    names.map("127.0.0.1", directory)
    s = shop.discovering(names)
    expect(s.send(agent.request()), "ok")
    agent.serve(body=jwks(other))
    s.advance(301)
    expect(s.send(agent.request(key=other)), "key-unknown")
    assert names.lookups(agent.host) == 2
    expect(s.send(agent.request()), "ok")
    assert names.connects() == [PUBLIC + ":443"]


def test_rebinding_the_other_way_round(shop, names, directory):
    """Refused once, and looked up anew at the next try."""
    agent = Found(directory, names, "a.agents.test")
    names.host(agent.host, "10.0.0.1", PUBLIC)
    names.map("10.0.0.1", directory)
    s = shop.discovering(names)
    expect(s.send(agent.request()), "directory-unavailable")
    assert names.connects() == []
    s.advance(61)
    becomes(lambda: s.send(agent.request()), "ok")
    assert names.connects() == [PUBLIC + ":443"]


def test_no_connection_is_shared_with_configured_directories(shop, names):
    """One that is open to a private address is no way in; nor is the name
    that was looked up for it."""
    names.host("a.agents.test", "10.0.0.1")
    names.map("10.0.0.1", shop.directory)
    s = shop(names=names, path="/k", WORKERS=1, URL="https://a.agents.test/k",
             MORE="web_bot_auth_discovery { any; }")
    s.loaded()
    found = Found(s.directory, None, "a.agents.test", "/found")
    expect(s.send(found.request()), "directory-unavailable")
    assert names.connects() == ["10.0.0.1:443"] and found.count() == 0


def test_nor_used_again(shop, names, directory):
    """Each fetch of a discovered set has a connection of its own."""
    agent = Found(directory, names, "a.agents.test")
    s = shop.discovering(names, REFRESH="1s 1h")
    expect(s.send(agent.request()), "ok")
    time.sleep(1.1)     # no jump: idle connections would be closed
    expect(s.send(agent.request(key=Key())), "key-unknown")
    assert agent.count() == 2 and len(names.connects()) == 2


# Names that take their time, or do not exist

def test_a_name_that_resolves_after_ten_seconds(shop, names, directory):
    """One worker: it serves others before, at and after the end of the wait
    and of the fetch."""
    agent = Found(directory, names, "a.agents.test")
    names.host(agent.host, PUBLIC, delay=10000)
    s = shop.discovering(names, TIMEOUT="1s", WAIT="400ms max=1024")
    waiting = s.waiting([agent.request()])
    started, slowest, answered = time.monotonic(), 0, None
    while time.monotonic() - started < 2:
        asked = time.monotonic()
        expect(s.send(BROWSER.request()), "ok")
        slowest = max(slowest, time.monotonic() - asked)
        if answered is None and s.active() == 1:
            answered = time.monotonic() - started
    assert slowest < 0.5 and 0.2 < answered < 0.9
    expect(answers(waiting)[0], "directory-unavailable")
    s.logged("directory discovery", "imed out")
    assert names.connects() == [] and names.lookups(agent.host) == 1


@pytest.mark.parametrize("how", ["stop", "reload"])
def test_nobody_waits_for_the_resolver(shop, names, directory, how):
    agent = Found(directory, names, "a.agents.test")
    names.host(agent.host, PUBLIC, delay=10000)
    s = shop.discovering(names, WAIT="300ms")
    expect(s.send(agent.request()), "directory-unavailable")
    wait_for("the look-up", lambda: names.lookups(agent.host))
    started = time.monotonic()
    if how == "stop":
        s.nginx.process.terminate()
        s.nginx.process.wait(10)
    else:
        s.nginx.reload(wait_old=True)
        expect(s.send(BROWSER.request()), "ok")
    assert time.monotonic() - started < 3


def test_many_names_that_resolve_slowly(shop, names, directory):
    """As many as may be looked up at a time hold up neither those that are
    known nor, once they are given up, the next."""
    known = Found(directory, names, "k.agents.test")
    s = shop.discovering(names, "any; concurrent 4;", TIMEOUT="1s",
                         WAIT="300ms max=1024")
    expect(s.send(known.request()), "ok")
    slow = [Found(directory, names, "n%d.agents.test" % i) for i in range(4)]
    for agent in slow:
        names.host(agent.host, PUBLIC, delay=10000)
    for response in answers(s.waiting([a.request() for a in slow])):
        expect(response, "directory-unavailable")
    started = time.monotonic()
    for _ in range(20):
        expect(s.send(known.request()), "ok")
    assert time.monotonic() - started < 0.5
    late = Found(directory, names, "l.agents.test")
    expect(s.send(late.request()), "discovery-limit")
    s.logged_times("could not be fetched", 4)
    expect(s.send(late.request()), "ok")


def test_a_name_that_does_not_resolve(shop, names, directory):
    agent = Found(directory, names, "a.agents.test")
    names.host(agent.host, "-")
    s = shop.discovering(names)
    started = time.monotonic()
    for _ in range(5):
        expect(s.send(agent.request()), "directory-unavailable")
    assert time.monotonic() - started < 1
    assert names.lookups(agent.host) <= 2 and names.connects() == []
    s.logged("directory discovery", agent.host, "could not be fetched")
    names.host(agent.host, PUBLIC)
    s.advance(61)
    becomes(lambda: s.send(agent.request()), "ok")


# Configured directories may be anywhere

@pytest.mark.parametrize("address", ["10.0.0.1", "192.168.1.1", "127.0.0.1",
                                     "169.254.1.1", "[fd00::1]", "[::1]"])
def test_configured_at_a_private_address(shop, names, address):
    names.host("bot.test", address)
    names.map(address, shop.directory)
    s = shop(names=names, URL="https://bot.test/k", path="/k",
             MORE="web_bot_auth_discovery { any; }")
    s.loaded()
    assert address + ":443" in names.connects()


def test_configured_and_moving(shop, names, directory, authority):
    """Each fetch goes to where the name then is, private or not."""
    new, other = Key(), Directory(authority)
    try:
        names.host("bot.test", "10.0.0.1")
        names.map("10.0.0.1", directory)
        names.map(PUBLIC, other)
        s = shop(names=names, URL="https://bot.test/k", path="/k", WORKERS=1)
        s.loaded()
        other.serve("/k", body=jwks(new))
        names.host("bot.test", PUBLIC)
        s.advance(3600)     # idle connections are closed by then
        s.becomes("ok", key=new)
        expect(s.ask(), "key-unknown")
        assert names.connects() == ["10.0.0.1:443", PUBLIC + ":443"]
    finally:
        other.stop()


# What else libcurl might pick up

def test_the_environment_s_proxies(shop, names, directory):
    """For discovery and for configured directories."""
    agent = Found(directory, names, "a.agents.test")
    port = free()
    s = shop(names=names, WORKERS=1, MORE="web_bot_auth_discovery { any; }",
             MAIN="\n".join("env %s=http://127.0.0.1:%d;" % (name, port)
                            for name in ("https_proxy", "HTTPS_PROXY",
                                         "all_proxy", "ALL_PROXY",
                                         "http_proxy")))
    names.map(PUBLIC, directory)
    s.loaded()
    expect(s.send(agent.request()), "ok")
    assert "127.0.0.1:%d" % port not in names.connects()


def test_netrc_and_cookies(shop, names, directory):
    agent = Found(directory, names, "a.agents.test",
                  headers=(("Set-Cookie", "a=b; Path=/; Secure"),))
    netrc = names.dir / ".netrc"
    netrc.write_text("default login me password secret\n")
    netrc.chmod(0o644)
    s = shop.discovering(names, MAIN="env HOME=%s;" % names.dir)
    expect(s.send(agent.request()), "ok")
    s.advance(301)
    expect(s.send(agent.request(key=Key())), "key-unknown")
    asked = [h for _, p, h in directory.log if h["Host"] == agent.host]
    assert len(asked) == 2
    for headers in asked:
        assert "Authorization" not in headers and "Cookie" not in headers


# For laboratories

@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "10.0.0.1"])
def test_private_addresses_on_and_written(shop, names, directory, host):
    names.map(host, directory)
    agent = Found(directory, None, host)
    directory.serve(body=jwks(agent.key))
    s = shop.discovering(names, MORE="web_bot_auth_private_addresses on;")
    try:
        expect(s.send(agent.request()), "ok")
    finally:
        directory.paths.pop(WELL_KNOWN)
    assert names.connects() == [host + ":443"]


def test_private_addresses_off_is_the_default(shop, names, directory):
    names.map("10.0.0.1", directory)
    agent = Found(directory, names, "a.agents.test", address="10.0.0.1")
    s = shop.discovering(names, MORE="web_bot_auth_private_addresses off;")
    expect(s.send(agent.request()), "directory-unavailable")
    assert names.connects() == []
    good, text = s.nginx.test()
    assert good and "web_bot_auth_private_addresses" not in text


def test_private_addresses_on(shop, names, directory):
    on = "web_bot_auth_private_addresses on;"
    agent = Found(directory, names, "a.agents.test", address="127.0.0.1")
    agent.url = directory.url("", agent.host)   # another port
    s = shop.discovering(names, MORE=on)
    expect(s.send(agent.request()), "ok")
    assert names.connects() == ["127.0.0.1:%d" % directory.port]
    moved = Found(directory, names, "b.agents.test", address="10.0.0.1")
    names.map("10.0.0.1", directory)
    expect(s.send(moved.request()), "ok")
    good, text = s.nginx.test()
    assert good and "[warn]" in text and "private" in text


# The one hop

BARE, WWW = "bot.test", "www.bot.test"

HOPS = {    # configured at, redirected by "%s" to, whether it is followed
    "to www": (BARE, WWW, "https://www.bot.test:%d/keys", True),
    "from www": (WWW, BARE, "https://bot.test:%d/keys", True),
    "another host": (BARE, "other.test", "https://other.test:%d/keys", False),
    "another path": (BARE, WWW, "https://www.bot.test:%d/other", False),
    "a query": (BARE, WWW, "https://www.bot.test:%d/keys?x", False),
    "http": (BARE, WWW, "http://www.bot.test:%d/keys", False),
    "another port": (BARE, WWW, "https://www.bot.test/keys", False),
    "userinfo": (BARE, WWW, "https://me@www.bot.test:%d/keys", False),
    "itself": (BARE, BARE, "https://bot.test:%d/keys", False),
}


@pytest.mark.parametrize("words", ["redirect www;", "redirect off;", ""])
@pytest.mark.parametrize("here,there,location,follows", HOPS.values(),
                         ids=HOPS)
def test_redirect_www(shop, names, directory, here, there, location, follows,
                      words):
    follows = follows and words == "redirect www;"
    for host in (BARE, WWW, "other.test"):
        names.host(host, "127.0.0.1")
        for path in ("/keys", "/other", "/keys?x"):
            directory.serve(host + path, body="{}", status=404, location=None)
    key = Key()
    found = Found(directory, None, there, "/keys", body=jwks(key))
    directory.serve(here + "/keys", status=301, location=location.replace(
        "%d", str(directory.port)))
    s = shop(names=names, key=key, WAIT="300ms", WORDS=words,
             URL=directory.url("/keys", here))
    if follows:
        s.becomes("ok")
        assert found.count() == 1
    else:
        expect(s.ask(), "directory-unavailable")
        s.logged("could not be fetched", "redirect")
        assert here == there or found.count() == 0


def test_no_second_hop(shop, names, directory):
    for host, other in ((BARE, WWW), (WWW, BARE)):
        names.host(host, "127.0.0.1")
        directory.serve(host + "/keys", status=302,
                        location=directory.url("/keys", other))
    s = shop(names=names, WAIT="300ms", WORDS="redirect www;",
             URL=directory.url("/keys", BARE))
    s.logged("could not be fetched", "redirect")
    expect(s.ask(), "directory-unavailable")
    asked = [h["Host"] for _, p, h in directory.log if p == "/keys"][-2:]
    assert [h.partition(":")[0] for h in asked] == [BARE, WWW]
