# SPDX-License-Identifier: BSD-2-Clause
"""web_bot_auth_allow and web_bot_auth_deny."""

import pytest

from harness.agents import BOT, BROWSER, LISTED, MASTERCARD, PAYER, VISA_KEY
from harness.client import fetch
from harness.expect import expect
from harness.signer import Request, flip_bit, sign

LOCATIONS = {
    "none": "",
    "payers": "web_bot_auth_allow tag=agent-payer-auth;",
    "anded": "web_bot_auth_allow tag=agent-payer-auth directory=visa;",
    "two": "web_bot_auth_allow tag=agent-payer-auth;"
           "web_bot_auth_allow directory=bots;",
    "first": "web_bot_auth_deny tag=agent-payer-auth;"
             "web_bot_auth_allow directory=visa;",
    "first-allow": "web_bot_auth_allow directory=visa;"
                   "web_bot_auth_deny tag=agent-payer-auth;"
                   "web_bot_auth_deny all;",
    "no-bots": "web_bot_auth_deny agent=https://bot.test;",
    "agent": "web_bot_auth_allow agent=https://bot.test/;",
    "keyid": "web_bot_auth_allow keyid=visa-1;",
    "thumbprint": "web_bot_auth_allow keyid=%s;" % VISA_KEY.thumbprint,
    "nobody": "web_bot_auth_deny all;",
    "all": "web_bot_auth_allow all;",
    "except": "web_bot_auth_deny directory=mastercard; web_bot_auth_allow all;",
    "optional": "web_bot_auth optional; web_bot_auth_deny directory=visa;",
    "dry": "web_bot_auth_dry_run on; web_bot_auth_deny all;",
    "answer": "web_bot_auth_answer denied=451; web_bot_auth_deny all;",
}

CONF = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_nonce_store shared cold=accept;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test;
        web_bot_auth on;
        %%LOCATIONS%%
        location /outer/ {
            web_bot_auth_deny all;
            location /outer/inherits/ { %%OK%% }
            location /outer/own/ { web_bot_auth_allow all; %%OK%% }
        }
    }
}
"""


@pytest.fixture(scope="module")
def nginx(serve):
    return serve(CONF, LOCATIONS="\n".join(
        "location /%s/ { %s %%%%OK%%%% }" % item for item in LOCATIONS.items()))


AGENTS = {"browser": BROWSER, "payer": PAYER, "mastercard": MASTERCARD,
          "bot": BOT, "listed": LISTED}

# location -> who gets in
ALLOWED = {
    "none": "browser payer mastercard bot listed",
    "payers": "payer",
    "anded": "payer",
    "two": "payer bot",
    "first": "browser",
    "first-allow": "browser payer",
    "no-bots": "browser payer mastercard listed",
    "agent": "bot",
    "keyid": "browser payer",
    "thumbprint": "browser payer",
    "nobody": "",
    "all": "browser payer mastercard bot listed",
    "except": "browser payer bot listed",
    "outer/inherits": "",
    "outer/own": "browser payer mastercard bot listed",
}


@pytest.mark.parametrize("who", AGENTS)
@pytest.mark.parametrize("location", ALLOWED)
def test_who_gets_in(nginx, location, who):
    response = fetch(nginx.port(), AGENTS[who].request("/%s/" % location))
    expect(response, "ok" if who in ALLOWED[location].split()
           else "denied-by-rule")


def test_payer_of_another_directory(nginx):
    """Conditions of one line are ANDed."""
    request = MASTERCARD.request("/anded/", tag="agent-payer-auth")
    expect(fetch(nginx.port(), request), "denied-by-rule")
    request = MASTERCARD.request("/payers/", tag="agent-payer-auth")
    expect(fetch(nginx.port(), request), "ok")


@pytest.mark.parametrize("location, status, decision", [
    ("optional", 403, "deny"), ("dry", 200, "dry-run-deny"),
    ("answer", 451, "deny")])
def test_denied_in_other_modes(nginx, location, status, decision):
    response = fetch(nginx.port(), BROWSER.request("/%s/" % location))
    expect(response, "denied-by-rule", status, decision)


def both(target, first=BROWSER, second=PAYER, **over):
    return sign(Request(target=target), first.sig(label="a", **over),
                second.sig(label="b"))


@pytest.mark.parametrize("location, reason, label", [
    ("none", "ok", "a"),
    ("payers", "ok", "b"),              # the first that is allowed
    ("first", "denied-by-rule", "b"),   # a deny that matches any denies
    ("nobody", "denied-by-rule", "a"),
    ("all", "ok", "a"),
])
def test_several_verified_signatures(nginx, location, reason, label):
    response = fetch(nginx.port(), both("/%s/" % location))
    expect(response, reason)
    assert response.header("X-label") == label


def test_rules_look_at_verified_signatures_only(nginx):
    """A forged payer beside a verified browser opens no checkout, and a forged
    one of a denied kind keeps nobody out."""
    request = both("/payers/", PAYER, BROWSER, signature=flip_bit)
    expect(fetch(nginx.port(), request), "denied-by-rule")
    request = both("/first/", PAYER, BROWSER, signature=flip_bit)
    response = fetch(nginx.port(), request)
    expect(response, "ok")
    assert response.header("X-tag") == "agent-browser-auth"


def test_a_denied_request_burns_no_nonce(nginx):
    """Nothing is recorded of a request that the rules keep out."""
    request = LISTED.request("/payers/")    # it does not cover @path
    expect(fetch(nginx.port(), request), "denied-by-rule")
    request = request.replaced(target="/none/")
    expect(fetch(nginx.port(), request), "ok")
    expect(fetch(nginx.port(), request), "nonce-replayed")
