# SPDX-License-Identifier: BSD-2-Clause
"""The files that are made to be included: wherever they may be, what they say
of themselves is so, and where they may not be nginx -t says what is missing.
What they are for, test_recipes.py shows."""

import json
import re

import pytest

from harness.agents import BOT, BROWSER, MASTERCARD, PAYER
from harness.client import fetch
from harness.examples import SNIPPETS
from harness.plugin import ROOT
from harness.signer import Request, flip_bit

TRUSTED = "web-bot-auth-trusted-agents.conf"
SHOP = "web-bot-auth-browse-and-pay.conf"

CONF = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_nonce_store shared cold=%%COLD%%;
    web_bot_auth_scheme $scheme;
    upstream shop { server 127.0.0.1:%%UPSTREAM%%; }
    proxy_set_header X-Outer kept;
    %%BEFORE%%
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test;
        %%SERVER%%
        %%LOCATION%%
    }
    %%AFTER%%
}
"""

ONE = """web_bot_auth_directory %s {
    url file:%%%%DIR%%%%/keys/%s.json; profile %s;
}"""
VISA = ONE % ("visa", "visa", "tap")

# a location that tells both: what a rule saw, and what is known afterwards
TELLS = """
    set $early $trusted_agent;
    location / {
        add_header X-Early $early always;
        add_header X-Trusted $trusted_agent always;
        add_header X-Counted "$untrusted_address" always;
        add_header X-Result $web_bot_auth_result always;
        %%OK%%
    }
"""

USUAL = {"BEFORE": "", "AFTER": "", "SERVER": "", "LOCATION": TELLS,
         "COLD": "accept"}


@pytest.fixture
def make(serve, upstream):
    """make(BEFORE=..., ...): an nginx that is not started, with both files
    in snippets/."""
    made = []

    def prepare(**values):
        text = values.pop("conf", CONF)
        nginx = serve.make(text, UPSTREAM=upstream.port, **{
            **USUAL, **values}, files={
                "snippets/" + p.name: p.read_text()
                for p in SNIPPETS.glob("*.conf")})
        nginx.expect(r"\[emerg\].*(nginx\.conf|snippets)")
        made.append(nginx)
        return nginx

    yield prepare
    for nginx in made:
        serve.all.remove(nginx)
        nginx.stop()


@pytest.fixture
def start(make):
    return lambda **values: make(**values).start()


def include(name, prefix="snippets/"):
    return "include %s%s;" % (prefix, name)


def ask(nginx, request, port="PORT"):
    return fetch(nginx.port(port), request)


def trust(response):
    """What a rule of the site saw, what is true after judgement."""
    return response.header("X-Early"), response.header("X-Trusted")


# ---- the agents of Visa and Mastercard

WAYS = {
    "before": {"BEFORE": include(TRUSTED)},
    "after": {"AFTER": include(TRUSTED)},
    "absolute": {"BEFORE": include(TRUSTED, "%%DIR%%/snippets/")},
    "all of a folder": {"BEFORE": "include snippets/*-trusted-*.conf;"},
}


@pytest.mark.parametrize("way", WAYS)
def test_whom_it_trusts(start, way):
    nginx = start(**WAYS[way])
    for agent in BROWSER, PAYER, MASTERCARD:
        request = agent.request()
        response = ask(nginx, request)
        assert response.status == 200 and trust(response) == ("1", "1")
        assert not response.header("X-Counted")
        response = ask(nginx, request)
        assert response.status == 429 and trust(response) == ("0", "0")

    response = ask(nginx, Request())
    assert response.status == 200 and trust(response) == ("0", "0")
    assert len(response.header("X-Counted")) == 4
    response = ask(nginx, BROWSER.request(signature=flip_bit))
    assert response.status == 403 and trust(response) == ("0", "0")
    response = ask(nginx, BOT.request())    # verified, and nobody's agent
    assert response.status == 200 and trust(response) == ("0", "0")
    assert response.header("X-Result") == "verified"


def test_nobody_where_it_is_off(start):
    nginx = start(BEFORE=include(TRUSTED), AFTER="""
        server {
            listen 127.0.0.1:%%PORT_OFF%%;
            server_name shop.test;
            web_bot_auth off;
            %%LOCATION%%
        }""")
    response = ask(nginx, BROWSER.request(), "PORT_OFF")
    assert response.status == 200 and trust(response) == ("0", "0")
    assert len(response.header("X-Counted")) == 4


@pytest.mark.parametrize("mode", ["on", "optional"])
def test_a_location_may_ask_for_more(start, mode):
    nginx = start(BEFORE=include(TRUSTED), LOCATION=TELLS.replace(
        "location / {", "location / { web_bot_auth %s;" % mode))
    assert ask(nginx, BROWSER.request()).status == 200
    assert ask(nginx, Request()).status == (403 if mode == "on" else 200)


def test_one_directory_is_enough(start):
    nginx = start(BEFORE=include(TRUSTED), DIRECTORIES=VISA)
    assert trust(ask(nginx, BROWSER.request())) == ("1", "1")
    response = ask(nginx, MASTERCARD.request())
    assert response.status == 200 and trust(response) == ("0", "0")


def test_nobody_while_it_is_not_known_which_nonces_were_used(start):
    """The request goes on as a visitor, and a rule takes it for one."""
    nginx = start(BEFORE=include(TRUSTED), COLD="reject")
    for _ in range(2):
        response = ask(nginx, BROWSER.request())
        assert response.status == 200 and trust(response) == ("0", "0")
        assert response.header("X-Result") == "unverified"


# ---- browse and pay

def told(response):
    headers = json.loads(response.body)["headers"]
    return {n[8:]: v for n, v in headers.items() if n.startswith("x-agent-")}


FORGED = [("X-Agent-" + n, "forged") for n in
          ("Tag", "Directory", "Url", "Keyid", "Nonce", "Decision")]
REST = "location / { proxy_pass http://shop; }"


@pytest.mark.parametrize("values", [
    {"SERVER": include(SHOP)},
    {"SERVER": "web_bot_auth off;", "LOCATION": REST + include(SHOP)},
    {"SERVER": include(SHOP), "BEFORE": include(TRUSTED)},
    {"SERVER": include(SHOP), "BEFORE": "web_bot_auth on;"},
    {"LOCATION": REST[:-1] + include(SHOP) + "}"},
], ids=["before", "after", "with the other", "below on", "inside"])
def test_what_the_application_is_told(start, values):
    nginx = start(**{"LOCATION": REST, **values})
    got = told(ask(nginx, BROWSER.request("/catalogue/", headers=FORGED)))
    assert got.pop("nonce") != "forged"
    assert got == {"tag": "agent-browser-auth", "directory": "visa",
                   "keyid": "visa-1", "decision": "allow"}
    got = told(ask(nginx, MASTERCARD.request("/checkout/", headers=FORGED)))
    assert got["directory"] == "mastercard" and got["tag"] == "agent-pay-auth"
    assert got["url"].startswith("https://agentpay-key-directory.")
    response = ask(nginx, Request(target="/catalogue/", headers=FORGED))
    assert told(response) == {"decision": "pass"}
    # and in the server's other locations
    request = BROWSER.request("/") if "on;" in values.get("BEFORE", "") \
        else Request(headers=FORGED)
    response = ask(nginx, request.with_headers(*FORGED))
    assert "forged" not in told(response).values()
    headers = json.loads(response.body)["headers"]
    assert headers["host"] == "shop.test" and "x-outer" not in headers


def test_crawlers_may_browse(start):
    nginx = start(SERVER=include(SHOP), LOCATION=REST)
    assert ask(nginx, BOT.request("/catalogue/")).status == 200
    assert ask(nginx, BOT.request("/checkout/")).status == 403


def test_a_copy_with_other_paths(start):
    text = (SNIPPETS / SHOP).read_text()
    copy = re.sub(r"location /catalogue/", "location /shoes/", text)
    copy = re.sub(r"location /checkout/", "location /pay/", copy)
    nginx = start(SERVER=copy, LOCATION=REST)
    assert ask(nginx, PAYER.request("/pay/")).status == 200
    assert ask(nginx, PAYER.request("/shoes/")).status == 403
    assert ask(nginx, BROWSER.request("/pay/")).status == 403


# ---- nginx -t

@pytest.mark.parametrize("values, words", [
    ({"SERVER": include(TRUSTED)}, [TRUSTED, "map"]),
    ({"BEFORE": include(TRUSTED) * 2}, [TRUSTED, "duplicate"]),
    ({"BEFORE": "web_bot_auth on;" + include(TRUSTED)},
     [TRUSTED, "web_bot_auth", "duplicate"]),
    ({"BEFORE": include(TRUSTED), "DIRECTORIES": ""},
     ["web_bot_auth_directory"]),
    ({"BEFORE": include(SHOP)}, [SHOP, "location"]),
    ({"LOCATION": "location /shop/ { %s }" % include(SHOP)},
     [SHOP, "/catalogue/", "outside"]),
    ({"SERVER": include(SHOP), "DIRECTORIES": VISA},
     [SHOP, "tag=agent-pay-auth", "no directory"]),
    ({"SERVER": include(SHOP), "conf": re.sub(
        r"upstream shop .*", "", CONF)}, ["upstream", "shop", SHOP]),
])
def test_where_they_may_not_stand(make, values, words):
    passed, output = make(**values).test()
    assert not passed
    line = next(x for x in output.splitlines() if "[emerg]" in x)
    assert [w for w in words if w not in line] == [], line


@pytest.mark.parametrize("name", [TRUSTED, SHOP])
def test_what_it_sets_stands_in_its_comments(name):
    text = (SNIPPETS / name).read_text()
    comments = "\n".join(x for x in text.splitlines() if x.startswith("#"))
    sets = re.findall(r"^map \S+ (\$\w+)", text, re.M) \
        + re.findall(r"^location (\S+)", text, re.M)
    assert sets and [s for s in sets if s not in comments] == []
    for word in "Expects", "Sets", "include snippets/%s;" % name:
        assert word in comments


def test_they_are_installed_and_packaged():
    names = sorted(p.name for p in SNIPPETS.iterdir())
    assert names == sorted([TRUSTED, SHOP])
    listed = re.search(r"^SNIPPETS := (.*)$", (ROOT / "Makefile").read_text(),
                       re.M)[1].split()
    assert sorted(n + ".conf" for n in listed) == names
