# SPDX-License-Identifier: BSD-2-Clause
"""docs/recipes.md: each configuration runs as it stands there, but for paths,
ports and addresses, and each row of the table below it is true."""

import json
import re

import pytest

from harness import examples
from harness.agents import (BROWSER, MASTERCARD, MASTERCARD_KEY, PAYER,
                            STRANGER_KEY, VISA_KEY, Agent)
from harness.client import Connection, fetch
from harness.nginx import wait_for
from harness.signer import Key, Request, flip_bit, jwks
from harness.upstream import Upstream

PAGE = "docs/recipes.md"
TEXT = (examples.ROOT / PAGE).read_text()

CROWD = [Key() for _ in range(80)]      # of one network
SEARCHER_KEY, TRAINER_KEY = Key(), Key()

KEY_SETS = {
    "visa": jwks(VISA_KEY.jwk(kid="visa-1"), *CROWD),
    "mastercard": jwks(MASTERCARD_KEY),
    "searcher": jwks(SEARCHER_KEY),
    "trainer": jwks(TRAINER_KEY),
}


def crawler(name, key):
    return Agent(key, "web-bot-auth",
                 ("@authority", 'signature-agent;key="sig1"'),
                 signature_agent='sig1="https://%s.example"' % name)


SEARCHER = crawler("searcher", SEARCHER_KEY)
TRAINER = crawler("trainer", TRAINER_KEY)

HUMAN = "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0"
BOT = "ExampleBot/1.0 (+https://bot.example)"
SUSPECTED = "127.0.0.2"     # the network that the bot filter suspects

WARM = "web_bot_auth_nonce_store shared cold=accept;"


def adapted(text, more=WARM):
    """This machine's addresses in it, besides its paths and ports."""
    text = re.sub(r"\b127\.0\.0\.1:80(80|90)\b",
                  r"127.0.0.1:%%UPSTREAM_80\1%%", text)
    text = re.sub(r"url https://(\w+)\.example/\S*;",
                  r"url file:/etc/nginx/agents/\1.json;", text)
    text = text.replace("203.0.113.0/24", SUSPECTED + "/32")
    text = text.replace("http {\n", "http {\n    %s\n" % more, 1)
    return examples.adapted(text)


class Recipe:
    """An nginx with the recipe, and those who ask it."""

    def __init__(self, serve, authority, upstreams, heading, **how):
        template = adapted(examples.under(PAGE, heading).text, **how)
        self.authority = authority
        self.nginx = serve(
            template, CERT=authority.cert, KEY=authority.key,
            CA=authority.ca, UPSTREAM_8080=upstreams[0].port,
            UPSTREAM_8090=upstreams[1].port, files={
                **examples.files(template, **KEY_SETS),
                "srv/shop/catalogue/shoes.html": "<p>shoes</p>",
                "srv/shop/catalogue/shoes.json": '["shoes"]'})

    def ask(self, request, source=None):
        return fetch(self.nginx.port(), request, tls=self.authority.ca,
                     source=source)

    def visit(self, target="/", name=HUMAN, **how):
        headers = [("User-Agent", name)] if name else []
        return self.ask(Request(target=target, host="shop.example",
                                scheme="https", headers=headers), **how)

    def request(self, agent=BROWSER, target="/", name=HUMAN, **over):
        return agent.request(target, host="shop.example", scheme="https",
                             headers=[("User-Agent", name)], **over)

    def signed(self, *args, source=None, **over):
        return self.ask(self.request(*args, **over), source)

    def forged(self, *args, **over):
        return self.signed(*args, signature=flip_bit, **over)

    def replayed(self, *args, **over):
        request = self.request(*args, **over)
        assert self.ask(request).status == 200
        response = self.ask(request)
        assert response.status != 429 \
            or self.nginx.refusals()[-1] == "nonce-replayed"
        return response

    def limited_by(self, zone):
        return 'by zone "%s"' % zone in self.nginx.error_log


@pytest.fixture(scope="module")
def upstreams():
    servers = Upstream(), Upstream()
    yield servers
    for server in servers:
        server.stop()


@pytest.fixture
def cook(serve, authority, upstreams):
    """cook(heading): a Recipe, whose nginx has answered nobody yet."""
    made = []

    def start(heading, **how):
        recipe = Recipe(serve, authority, upstreams, heading, **how)
        made.append(recipe)
        return recipe

    yield start
    for recipe in made:
        serve.all.remove(recipe.nginx)
        recipe.nginx.stop()


def told(response):
    """What the upstream was told of the agent."""
    headers = json.loads(response.body)["headers"]
    return {n[8:]: v for n, v in headers.items() if n.startswith("x-agent-")}


# ---- rate limits

def over_budget(r):
    """A request that the agent's own budget does not allow."""
    for _ in range(100):
        request = r.request()
        response = r.ask(request)
        if response.status != 200:
            assert r.limited_by("agents")
            return request, response
    raise AssertionError("no limit")


def later(r):
    """The budget fills within half a second."""
    request, _ = over_budget(r)
    assert r.nginx.refusals() == []
    response = wait_for("a budget again", lambda: [
        x for x in [r.ask(request)] if x.status != 429])[0]
    assert r.ask(request).status == 429
    assert r.nginx.refusals() == ["nonce-replayed"]
    return response


def beside_an_agent(r):
    over_budget(r)
    return r.visit()


def of_a_busy_network(r):
    for i in range(400):    # five of each agent
        key = CROWD[i % len(CROWD)]
        response = r.signed(key=key, keyid=key.thumbprint)
        if response.status != 200:
            assert r.limited_by("networks") and not r.limited_by("agents")
            return response
    raise AssertionError("no limit")


def with_connections(r):
    held = [Connection(r.nginx.port(), tls=r.authority.ca) for _ in range(5)]
    try:
        for c in held:
            request = r.request(PAYER, method="POST", body=b"ab")
            c.send(request.raw()[:-1])
        assert r.visit().status == 200  # so nginx has read those, too
        response = r.signed()
        assert r.limited_by("connections")
        assert r.signed(MASTERCARD).status == 200
        return response
    finally:
        for c in held:
            c.close()


def addressed(r, call):
    """Until the budget of an address is used up, which it is sooner or later
    for whoever is counted by address."""
    first = call()
    for _ in range(1000):
        if r.limited_by("visitors"):
            return first
        call()
    raise AssertionError("not counted by address")


def replayed_by_address(r):
    request = r.request()
    assert r.ask(request).status == 200
    return addressed(r, lambda: r.ask(request))


LIMITS = {
    "a visitor": lambda r: addressed(r, r.visit),
    "a verified agent": lambda r: r.signed(),
    "an agent over its budget": lambda r: over_budget(r)[1],
    "that agent, with the same request, when it has a budget again": later,
    "a visitor from that agent's address": beside_an_agent,
    "an agent of a network over its budget": of_a_busy_network,
    "an agent with too many connections": with_connections,
    "a forger": lambda r: addressed(r, r.forged),
    "a replayer": replayed_by_address,
}


# ---- another upstream

def pages(r, ask):
    """The application's answer, and the page of the catalogue beside it."""
    return ask("/"), ask("/catalogue/shoes").body


def of_people(r, upstreams, ask):
    before = [len(u.requests) for u in upstreams]
    response, page = pages(r, ask)
    assert [len(u.requests) for u in upstreams] == [before[0] + 1, before[1]]
    assert told(response) == {}
    assert page == b"<p>shoes</p>"
    assert response.header("Cache-Control") == "private"
    return response


def of_agents(r, upstreams):
    before = [len(u.requests) for u in upstreams]
    response, page = pages(r, lambda target: r.signed(target=target))
    assert [len(u.requests) for u in upstreams] == [before[0], before[1] + 1]
    assert told(response) == {"tag": "agent-browser-auth", "keyid": "visa-1"}
    assert page == b'["shoes"]'
    return response


def replayed_page(r):
    request = r.request(target="/catalogue/shoes")
    assert r.ask(request).body == b'["shoes"]'
    return r.ask(request)


PAGES = {
    "a visitor": lambda r, u: of_people(r, u, r.visit),
    "a bot that does not sign": lambda r, u: of_people(
        r, u, lambda target: r.visit(target, BOT)),
    "a verified agent": of_agents,
    "a forger": lambda r, u: r.forged(target="/catalogue/shoes"),
    "a replayer": lambda r, u: replayed_page(r),
}


# ---- 402

def asked_to_pay(response, signing_helps=False):
    assert response.header("Content-Type") == "application/json"
    assert json.loads(response.body)["error"] == "payment required"
    assert ("Accept-Signature" in dict(response.headers)) == signing_helps
    return response


PAYING = {
    "a visitor": lambda r: r.visit(),
    "a crawler that has paid": lambda r: r.signed(SEARCHER, name=BOT),
    "a crawler that has paid, under a browser's name":
        lambda r: r.signed(SEARCHER),
    "a crawler that has not paid":
        lambda r: asked_to_pay(r.signed(TRAINER, name=BOT)),
    "a crawler that has not paid, under a browser's name":
        lambda r: asked_to_pay(r.signed(TRAINER)),
    "a crawler with a key that nobody knows": lambda r: asked_to_pay(
        r.signed(SEARCHER, name=BOT, key=STRANGER_KEY)),
    "a crawler that does not sign":
        lambda r: asked_to_pay(r.visit(name=BOT), True),
    "a forger": lambda r: r.forged(SEARCHER, name=BOT),
    "a replayer": lambda r: r.replayed(SEARCHER, name=BOT),
}


# ---- a bot filter

def challenged(response):
    assert "Accept-Signature" in dict(response.headers)
    return response


FILTER = {
    "a visitor": lambda r: r.visit(),
    "a bot that does not sign": lambda r: [
        challenged(r.visit(name=name)) for name in (None, "curl/8", BOT)][0],
    "a visitor from a suspected network":
        lambda r: challenged(r.visit(source=SUSPECTED)),
    "a verified agent": lambda r: r.signed(),
    "a verified agent under a bot's name":
        lambda r: r.signed(MASTERCARD, name=BOT),
    "a verified agent from a suspected network":
        lambda r: r.signed(source=SUSPECTED),
    "a forger": lambda r: [r.forged(), r.forged(name=BOT)][1],
    "a replayer": lambda r: r.replayed(),
    "a replayer under a bot's name": lambda r: r.replayed(name=BOT),
}

RESTARTED = "a replayer under a bot's name, after a restart"


# ---- what the ready-made files do

def too_often(r):
    for _ in range(100):
        response = r.visit()
        if response.status != 200:
            assert r.limited_by("addresses")
            return response
    raise AssertionError("no limit")


def beside_too_often(r):
    too_often(r)
    responses = [r.signed(name=BOT) for _ in range(20)]
    assert {x.status for x in responses} == {200}
    return responses[0]


TRUSTED = {
    "a visitor": lambda r: r.visit(),
    "a bot that does not sign": lambda r: r.visit(name=BOT),
    "a verified agent under a bot's name":
        lambda r: [r.signed(name=BOT), r.signed(MASTERCARD, name=BOT)][1],
    "an address that asks too often": too_often,
    "a verified agent from that address": beside_too_often,
    "a crawler of another directory, under a bot's name":
        lambda r: r.signed(SEARCHER, name=BOT),
    "a forger": lambda r: r.forged(),
    "a forger under a bot's name": lambda r: r.forged(name=BOT),
    "a replayer": lambda r: r.replayed(),
    "a replayer under a bot's name": lambda r: r.replayed(name=BOT),
}

SEARCHERS = ("web_bot_auth_directory searcher { url file:/etc/nginx/agents/"
             "searcher.json; profile web-bot-auth; "
             "agent https://searcher.example; }")


def at(agent):
    """At the catalogue, or the checkout."""
    return lambda r, where: r.signed(agent, target=where + "x")


def replayed_at(r, where):
    agent = BROWSER if where == "/catalogue/" else PAYER
    return r.replayed(agent, target=where + "x")


BROWSE_AND_PAY = {
    "a visitor": lambda r, where: r.visit(where),
    "a bot that does not sign": lambda r, where: r.visit(where, BOT),
    "a verified browser": at(BROWSER),
    "a verified payer": at(PAYER),
    "a payer of Mastercard": at(MASTERCARD),
    "a forger": lambda r, where: r.forged(PAYER, target=where + "x"),
    "a replayer": replayed_at,
}


# ---- the tables

HEADINGS = {
    "Rate limits for verified agents": LIMITS,
    "Another upstream, other pages": PAGES,
    "402 for crawlers that have not paid": PAYING,
    "A bot filter that verified agents pass": {**FILTER, RESTARTED: None},
    "Agents of Visa and Mastercard past the rules you have": TRUSTED,
    "Browse here, pay there": BROWSE_AND_PAY,
}


def table(heading):
    """Who asks -> the statuses that the row promises."""
    section = re.search(r"^## %s$(.*?)(?=^## |\Z)" % heading, TEXT,
                        re.M | re.S)[1]
    rows = re.findall(r"^\| (an? .*?|that .*?) \| (.*) \|$", section, re.M)
    return {who: [int(re.match(r"\d{3}", cell)[0])
                  for cell in cells.split(" | ")] for who, cells in rows}


def test_every_recipe_and_row_is_shown():
    blocks = examples.examples_in(PAGE, TEXT)
    assert [e.heading for e in blocks] == list(HEADINGS)
    assert all(examples.level(e.text) == "main" for e in blocks)
    for heading, cast in HEADINGS.items():
        assert set(table(heading)) == set(cast)


def promised(heading, who):
    return table(heading)[who]


@pytest.mark.parametrize("who", LIMITS)
def test_limits(cook, who):
    heading = "Rate limits for verified agents"
    assert [LIMITS[who](cook(heading)).status] == promised(heading, who)


@pytest.mark.parametrize("who", PAGES)
def test_pages(cook, upstreams, who):
    heading = "Another upstream, other pages"
    assert [PAGES[who](cook(heading), upstreams).status] \
        == promised(heading, who)


@pytest.mark.parametrize("who", PAYING)
def test_402(cook, who):
    heading = "402 for crawlers that have not paid"
    assert [PAYING[who](cook(heading)).status] == promised(heading, who)


@pytest.mark.parametrize("who", FILTER)
def test_bot_filter(cook, who):
    heading = "A bot filter that verified agents pass"
    assert [FILTER[who](cook(heading)).status] == promised(heading, who)


def test_bot_filter_after_a_restart(cook):
    """The table is empty, and says so; nobody is let past the filter."""
    heading = "A bot filter that verified agents pass"
    r = cook(heading, more="")
    assert [r.signed(name=BOT).status] == promised(heading, RESTARTED)


@pytest.mark.parametrize("who", TRUSTED)
def test_trusted_agents(cook, who):
    heading = "Agents of Visa and Mastercard past the rules you have"
    r = cook(heading, more=WARM + SEARCHERS)
    assert [TRUSTED[who](r).status] == promised(heading, who)


@pytest.mark.parametrize("who", BROWSE_AND_PAY)
def test_browse_and_pay(cook, who):
    heading = "Browse here, pay there"
    r = cook(heading)
    assert [BROWSE_AND_PAY[who](r, where).status
            for where in ("/catalogue/", "/checkout/")] \
        == promised(heading, who)


@pytest.mark.parametrize("heading", HEADINGS)
def test_no_warning(cook, heading):
    passed, output = cook(heading).nginx.test()
    assert passed and "[warn]" not in output
