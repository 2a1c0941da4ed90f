# SPDX-License-Identifier: BSD-2-Clause
"""Who verifies, and why anybody else does not: each profile, each reason that
a signature or its key can give."""

import time

import pytest

from harness.agents import (BOT, BROWSER, LISTED, MASTERCARD, MASTERCARD_KEY,
                            PAYER, STRANGER_KEY, VISA_KEY)
from harness.client import fetch
from harness.expect import expect
from harness.signer import (OMIT, Key, Raw, Request, flip_bit, jwks,
                            sign)

CONF = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_directory picky {
        url file:%%DIR%%/keys/picky.json;
        profile tap;
        tags picky;
        components @method;
        nonce optional;
        max_lifetime 1m;
    }
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth on;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test;
        location / { %%OK%% }
        location /short/ { web_bot_auth_max_lifetime 1m; %%OK%% }
        location /method/ { web_bot_auth_components @method x-a; %%OK%% }
        location /nonce/ { web_bot_auth_nonce required; %%OK%% }
        location /skew/ { web_bot_auth_clock_skew 60s; %%OK%% }
    }
}
"""

OLD_KEY, EARLY_KEY, MILLI_KEY, PICKY_KEY, NOT_FOR_SIG = (Key()
                                                        for _ in range(5))
PICKY = {"key": PICKY_KEY, "keyid": PICKY_KEY.thumbprint, "tag": "picky"}
NOW = int(time.time())


@pytest.fixture(scope="module")
def nginx(serve):
    return serve(CONF, files={
        "keys/picky.json": jwks(PICKY_KEY),
        "keys/visa.json": jwks(
            VISA_KEY.jwk(kid="visa-1"), OLD_KEY.jwk(exp=NOW - 60),
            EARLY_KEY.jwk(nbf=NOW + 3600),
            MILLI_KEY.jwk(nbf=(NOW - 60) * 1000, exp=(NOW + 3600) * 1000),
            NOT_FOR_SIG.jwk(use="enc"))})


def by(key):
    return {"key": key, "keyid": key.thumbprint}


def ask(nginx, request):
    return fetch(nginx.port(), request)


GOOD = [
    ("browser", BROWSER, {}),
    ("payer", PAYER, {}),
    ("by thumbprint", BROWSER, {"keyid": VISA_KEY.thumbprint}),
    ("agent pay's own tag", MASTERCARD, {}),
    ("tag without case", MASTERCARD, {"tag": "Agent-pay-auth"}),
    ("generic tag of agent pay", MASTERCARD, {"tag": "agent-payer-auth"}),
    ("web-bot-auth, dictionary agent", BOT, {}),
    ("web-bot-auth, known key, no agent", LISTED, {}),
    ("@target-uri for @authority", LISTED, {"components": ("@target-uri",)}),
    ("no nonce where it is optional", LISTED, {"nonce": OMIT}),
    ("no alg where it is optional", LISTED, {"alg": OMIT}),
    ("24 hours", LISTED, {"lifetime": 86400}),
    ("8 minutes", BROWSER, {"lifetime": 480}),
    ("JWA's name of the algorithm", BROWSER, {"alg": "EdDSA"}),
    ("any label", BROWSER, {"label": "a-b.c*9"}),
    ("unknown parameter", BROWSER, {"extra": (("more", Raw("1.5")),)}),
    ("parameters in any order", BROWSER, {"params": (
        ';tag="agent-browser-auth";nonce="order";alg="ed25519"'
        ';keyid="visa-1";expires={expires};created={created}')}),
    ("created within the skew", BROWSER, {"created": NOW + 3}),
    ("key with times in milliseconds", BROWSER, by(MILLI_KEY)),
    ("a directory's own terms", BROWSER,
     {**PICKY, "components": ("@authority", "@method"), "nonce": OMIT,
      "lifetime": 60}),
]


@pytest.mark.parametrize("agent, over", [row[1:] for row in GOOD],
                         ids=[row[0] for row in GOOD])
def test_verified(nginx, agent, over):
    response = ask(nginx, agent.request("/a/b?c=d", **from_now(over)))
    expect(response, "ok")
    assert response.body == b"ok"


OTHER_AGENT = [("Signature-Agent", 'other="https://other.test"')]
AGENT = 'signature-agent;key="%s"'

REFUSED = [
    # the signature and its parameters
    ("no-served-tag", BROWSER, {"tag": "somebody-else"}),
    ("no-served-tag", BROWSER, {"tag": OMIT}),
    ("no-served-tag", BROWSER, {"tag": "Agent-Browser-Auth"}),
    ("no-served-tag", LISTED, {"tag": "Web-Bot-Auth"}),
    ("missing-fields", BROWSER, {"created": OMIT}),
    ("missing-fields", BROWSER, {"expires": OMIT}),
    ("missing-fields", BROWSER, {"keyid": OMIT}),
    ("missing-fields", BROWSER, {"alg": OMIT}),
    ("missing-fields", LISTED, {"created": OMIT}),
    ("missing-fields", LISTED, {"expires": OMIT}),
    ("missing-fields", LISTED, {"keyid": OMIT}),
    ("nonce-missing", BROWSER, {"nonce": OMIT}),
    ("nonce-missing", BROWSER, {"nonce": ""}),
    ("nonce-missing", MASTERCARD, {"nonce": OMIT}),
    ("clock-ahead", BROWSER, {"created": NOW + 3600}),
    ("expired", BROWSER, {"created": NOW - 400, "expires": NOW - 60}),
    ("expired", BROWSER, {"created": -400, "expires": -60}),
    ("expires-not-after-created", BROWSER,
     {"created": NOW - 1, "expires": NOW - 1}),
    ("expires-not-after-created", BROWSER,
     {"created": NOW, "expires": NOW - 300}),
    ("lifetime-too-long", BROWSER, {"lifetime": 481}),
    ("lifetime-too-long", BROWSER, {"lifetime": 999999999999}),
    ("lifetime-too-long", MASTERCARD, {"lifetime": 481}),
    ("lifetime-too-long", LISTED, {"lifetime": 86401}),
    ("alg-mismatch", BROWSER, {"alg": "hmac-sha256"}),
    ("alg-mismatch", BROWSER, {"alg": "none"}),
    ("alg-mismatch", BROWSER, {"alg": "rsa-pss-sha512"}),
    ("alg-mismatch", BROWSER, {"alg": "ecdsa-p256-sha256"}),
    # what it covers
    ("target-not-covered", BROWSER, {"components": ()}),
    ("target-not-covered", BROWSER, {"components": ("@path", "@method")}),
    ("target-not-covered", LISTED, {"components": ("@path",)}),
    ("component-not-covered", BROWSER, {"components": ("@authority",)}),
    ("component-not-covered", BROWSER,
     {"components": ("@target-uri", "@path")}),
    ("missing-component", BROWSER,
     {"components": ("@authority", "@path", "x-absent")}),
    ("missing-component", BROWSER,
     {"components": ("@authority", "@path", '@query-param;name="no"')}),
    ("missing-component", BROWSER,
     {"components": ("@authority", "@path", 'priority;key="u"')}),
    ("bad-component-value", BROWSER,
     {"components": ("@authority", "@path", "priority;sf"),
      "headers": [("Priority", "u=(")]}),
    # the key
    ("key-unknown", BROWSER, by(STRANGER_KEY)),
    ("key-unknown", BROWSER, by(NOT_FOR_SIG)),
    ("key-unknown", BOT, by(STRANGER_KEY)),
    ("key-unknown", BROWSER, {"keyid": "VISA-1"}),
    ("key-unknown", BROWSER, {"keyid": "x" * 300}),
    ("missing-fields", LISTED, {"keyid": ""}),
    ("key-expired", BROWSER, by(OLD_KEY)),
    ("key-not-yet-valid", BROWSER, by(EARLY_KEY)),
    # a key of one directory is nothing in another
    ("key-unknown", BROWSER, by(MASTERCARD_KEY)),
    ("key-unknown", MASTERCARD, by(VISA_KEY)),
    ("key-unknown", BOT, by(LISTED.key)),
    ("signature-agent-absent", LISTED, by(BOT.key)),
    ("no-served-tag", PAYER, {"tag": "agent-pay"}),
    # Signature-Agent
    ("signature-agent-absent", LISTED, by(STRANGER_KEY)),
    ("agent-not-allowed", LISTED,
     {"headers": OTHER_AGENT, "components": ("@authority", AGENT % "other")}),
    ("signature-agent-not-https", LISTED,
     {"headers": [("Signature-Agent", 'sig1="http://bot.test"')],
      "components": ("@authority", AGENT % "sig1")}),
    ("signature-agent-typed", LISTED,
     {"headers": [("Signature-Agent",
                   'sig1="https://bot.test";type=directory')],
      "components": ("@authority", AGENT % "sig1")}),
    ("signature-agent-member-missing", BOT,
     {"components": ("@authority", AGENT % "other")}),
    ("signature-agent-ambiguous-member", LISTED,
     {"headers": [("Signature-Agent",
                   'a="https://bot.test", b="https://b.test"')],
      "components": ("@authority", AGENT % "a", AGENT % "b")}),
    ("signature-agent-unquoted", LISTED,
     {"headers": [("Signature-Agent", "https://bot.test")],
      "components": ("@authority", "signature-agent")}),
    ("signature-agent-unparsable", LISTED,
     {"headers": [("Signature-Agent", "bot/test")],
      "components": ("@authority", "signature-agent")}),
    # the crypto
    ("bad-signature", BROWSER, {"signature": flip_bit}),
    ("bad-signature", BROWSER, {"signature": b""}),
    ("bad-signature", BROWSER, {"signature": b"short"}),
    ("bad-signature", BROWSER, {"signature": lambda s: s + b"x"}),
    ("bad-signature", BROWSER, {"signature": bytes(64)}),
    ("bad-signature", BROWSER, {"key": STRANGER_KEY}),
    ("bad-signature", BROWSER, {"values": {"@path": "/elsewhere"}}),
    ("bad-signature", BROWSER, {"values": {"@authority": "other.test"}}),
    # what a location adds
    ("lifetime-too-long", BROWSER, {"target": "/short/", "lifetime": 61}),
    ("component-not-covered", BROWSER, {"target": "/method/"}),
    ("component-not-covered", BROWSER,
     {"target": "/method/", "components": ("@authority", "@path", "@method"),
      "headers": [("X-A", "1")]}),
    ("nonce-missing", LISTED, {"target": "/nonce/", "nonce": OMIT}),
    ("expired", BROWSER,
     {"target": "/skew/", "created": NOW - 400, "expires": NOW - 120}),
    # what a directory adds
    ("component-not-covered", BROWSER,
     {**PICKY, "components": ("@authority",), "lifetime": 60}),
    ("lifetime-too-long", BROWSER,
     {**PICKY, "components": ("@authority", "@method"), "lifetime": 61}),
]


def from_now(over):
    """The table's times, which are of when it was read, as of now."""
    late = int(time.time()) - NOW
    out = {k: v + late if k in ("created", "expires") and isinstance(v, int)
           else v for k, v in over.items()}
    if "params" in out:
        out["params"] = out["params"].format(expires=NOW + late + 300,
                                             created=NOW + late - 1)
    return out


@pytest.mark.parametrize("reason, agent, over", REFUSED, ids=[
    "%d-%s" % (i, row[0]) for i, row in enumerate(REFUSED)])
def test_refused(nginx, reason, agent, over):
    since = len(nginx.error_log)
    expect(ask(nginx, agent.request(**from_now(over))), reason)
    assert nginx.refusals(since) == [reason]


LOCATIONS = [
    ("/short/", BROWSER, {"lifetime": 60}),
    ("/method/", BROWSER,
     {"components": ("@path", "x-a", "@method", "@authority"),
      "headers": [("X-A", "1")]}),
    ("/nonce/", LISTED, {}),
    ("/skew/", BROWSER, {"created": NOW - 100, "expires": NOW - 10}),
    ("/skew/", BROWSER, {"created": NOW + 30}),
]


@pytest.mark.parametrize("target, agent, over", LOCATIONS)
def test_a_location_that_asks_more(nginx, target, agent, over):
    expect(ask(nginx, agent.request(target, **from_now(over))), "ok")


@pytest.mark.parametrize("agent, key", [
    ('"https://bot.test"', None), ('"https://bot.test/"', None),
    ('agent2="https://bot.test"', "agent2"),
    ('sig1="https://BOT.test:443"', "sig1"),
    ('x="https://no.test", sig1="https://bot.test"', "sig1"),
    ('g="https://bot.test"', None),
])
def test_generations_of_signature_agent(nginx, agent, key):
    response = ask(nginx, LISTED.request(
        headers=[("Signature-Agent", agent)], **by(BOT.key), components=(
            "@authority", AGENT % key if key else "signature-agent")))
    expect(response, "ok")
    assert response.header("X-agent") == "https://bot.test"
    assert response.header("X-directory") == "bots"


def test_attributed_to_covered_members_only(nginx):
    """A member that nobody signed may have been added by anybody."""
    response = ask(nginx, LISTED.request(
        headers=[("Signature-Agent", 'sig1="https://bot.test"')]))
    expect(response, "ok")
    assert response.header("X-agent") == ""
    assert response.header("X-directory") == "listed"


def test_unsigned(nginx):
    expect(ask(nginx, Request()), "no-signature")


def test_cavage_signature_is_unsigned(nginx):
    """A Mastodon-style Signature without Signature-Input."""
    expect(ask(nginx, Request(headers=[
        ("Signature", 'keyId="https://a.test/u#k",headers="date",'
         'signature="YWJj"')])), "no-signature")


def test_signature_input_alone_is_broken(nginx):
    request = BROWSER.request().without("signature")
    expect(ask(nginx, request), "signature-value-unreadable")


@pytest.mark.parametrize("change", [
    {"method": "HEAD"}, {"target": "/other"}, {"host": "www.shop.test"},
    {"headers": [("X-Signed", "changed")]},
])
def test_what_is_signed_cannot_be_changed(nginx, change):
    request = BROWSER.request("/p", headers=[("X-Signed", "value")],
                              components=("@method", "@authority", "@path",
                                          "x-signed"))
    if "headers" in change:
        change = {"headers": request.without("x-signed").headers
                  + change["headers"]}
    response = ask(nginx, request.replaced(**change))
    reason = "authority-not-served" if "host" in change else "bad-signature"
    expect(response, reason)
    expect(ask(nginx, request), "ok")


def test_what_is_not_signed_may_change(nginx):
    request = BROWSER.request("/p?a=1")
    expect(ask(nginx, request.replaced(target="/p?a=2")), "ok")


def test_a_bad_neighbour_spoils_nothing(nginx):
    request = sign(Request(), BROWSER.sig(label="a", signature=flip_bit),
                   PAYER.sig(label="b"), BROWSER.sig(label="c", tag="other"))
    response = ask(nginx, request)
    expect(response, "ok")
    assert response.header("X-label") == "b"


def test_of_several_failures_the_one_that_got_furthest_counts(nginx):
    expired = {"created": NOW - 400, "expires": NOW - 60}
    for order in (1, -1):
        sigs = [BROWSER.sig(label="a", **expired),
                BROWSER.sig(label="b", signature=flip_bit),
                BROWSER.sig(label="c", **by(STRANGER_KEY))][::order]
        expect(ask(nginx, sign(Request(), *sigs)), "bad-signature")
