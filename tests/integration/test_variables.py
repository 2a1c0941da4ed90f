# SPDX-License-Identifier: BSD-2-Clause
"""Every variable, wherever nginx evaluates variables."""

import json
import time

import pytest

from harness.agents import BOT, BROWSER, PAYER, VISA_KEY
from harness.client import fetch
from harness.expect import IDENTITY, expect
from harness.nginx import wait_for
from harness.signer import Request, flip_bit, fresh_nonce

CONF = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_nonce_store shared cold=accept;

    map $web_bot_auth_tag $kind {
        volatile;
        default             none;
        agent-browser-auth  browser;
        agent-payer-auth    payer;
    }
    log_format agents '$uri result=$web_bot_auth_result '
                      'reason=$web_bot_auth_reason kind=$kind '
                      'claims=$web_bot_auth_claimed_tag';

    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test;
        web_bot_auth on;
        access_log logs/agents.log agents;
        add_header X-kind $kind always;
        %%ECHO%%
        location / { %%OK%% }
        location /optional/ { web_bot_auth optional; %%OK%% }
        location /off/ { web_bot_auth off; %%OK%% }
        location /returned/ { return 200 "r=$web_bot_auth_result"; }
        location /early/ {
            set $early_result "$web_bot_auth_result";
            set $early_keyid "$web_bot_auth_keyid";
            add_header X-early "[$early_result][$early_keyid]" always;
            %%ECHO%%
            %%OK%%
        }
        location /proxy/ {
            web_bot_auth optional;
            proxy_set_header X-Agent-Keyid $web_bot_auth_keyid;
            proxy_set_header X-Agent-Tag $web_bot_auth_tag;
            proxy_set_header X-Agent-Result $web_bot_auth_result;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }
    }
}
"""


@pytest.fixture(scope="module")
def nginx(serve, upstream):
    return serve(CONF, UPSTREAM=upstream.port)


def test_all_of_a_verified_request(nginx):
    created, nonce = int(time.time()) - 2, fresh_nonce()
    response = fetch(nginx.port(), BOT.request(
        created=created, nonce=nonce, label="sig1"))
    expect(response, "ok")
    got = {v: response.header("X-" + v) for v in IDENTITY}
    assert got.pop("components").strip("()") == \
        '"@authority" "signature-agent";key="sig1"'
    assert got == {
        "tag": "web-bot-auth", "directory": "bots",
        "agent": "https://bot.test", "keyid": BOT.key.thumbprint,
        "label": "sig1", "created": str(created),
        "expires": str(created + 300), "nonce": nonce}
    assert response.header("X-claimed-tag") == "web-bot-auth"
    assert response.header("X-claimed-keyid") == BOT.key.thumbprint
    assert "https://bot.test" in response.header("X-claimed-agent")


def test_keyid_is_the_one_sent(nginx):
    for keyid in "visa-1", VISA_KEY.thumbprint:
        response = fetch(nginx.port(), BROWSER.request(keyid=keyid))
        assert response.header("X-keyid") == keyid


@pytest.mark.parametrize("target", ["/", "/optional/", "/early/"])
def test_a_forger_merely_claims(nginx, target):
    response = fetch(nginx.port(), BOT.request(target, signature=flip_bit))
    expect(response, "bad-signature")
    assert response.header("X-claimed-tag") == "web-bot-auth"
    assert response.header("X-claimed-keyid") == BOT.key.thumbprint
    assert response.header("X-kind") in ("none", "")


@pytest.mark.parametrize("make, kind", [
    (BROWSER.request, "browser"), (PAYER.request, "payer"), (Request, "none"),
    (lambda: PAYER.request(signature=flip_bit), "none")])
def test_map(nginx, make, kind):
    assert fetch(nginx.port(), make()).header("X-kind") == kind


def test_before_the_access_phase(nginx):
    """set runs in the rewrite phase: identity is known, nothing is judged and
    nothing recorded yet."""
    response = fetch(nginx.port(), BROWSER.request("/early/"))
    expect(response, "ok")
    assert response.header("X-early") == "[][visa-1]"
    forged = BROWSER.request("/early/", signature=flip_bit)
    response = fetch(nginx.port(), forged)
    assert response.header("X-early") == "[][]"
    request = BROWSER.request("/early/")
    expect(fetch(nginx.port(), request), "ok")
    response = fetch(nginx.port(), request)
    expect(response, "nonce-replayed")
    assert response.header("X-early") == "[][]"


def test_return_bypasses_the_access_phase(nginx):
    response = fetch(nginx.port(), Request(target="/returned/"))
    assert (response.status, response.body) == (200, b"r=")


def test_log_format(nginx):
    fetch(nginx.port(), PAYER.request("/logged"))
    fetch(nginx.port(), PAYER.request("/logged", signature=flip_bit))
    fetch(nginx.port(), PAYER.request("/off/logged"))
    want = ["/ok.txt result=verified reason=ok kind=payer "
            "claims=agent-payer-auth",
            "/logged result=invalid reason=bad-signature kind=none "
            "claims=agent-payer-auth"]
    log = nginx.dir / "logs/agents.log"
    wait_for("log lines", lambda: log.read_text().count("result=") >= 3
             and all(line in log.read_text() for line in want))
    assert "result= reason= kind=none claims=" in log.read_text()


def test_trust_headers_for_the_upstream(nginx):
    """Set by nginx alone: what a client sends under their names is gone."""
    forged = [("X-Agent-Keyid", "visa-1"), ("X-Agent-Tag", "agent-payer-auth"),
              ("X-Agent-Result", "verified")]
    response = fetch(nginx.port(), Request(target="/proxy/", headers=forged))
    got = json.loads(response.body)["headers"]
    assert got["x-agent-result"] == "unsigned"
    assert "x-agent-keyid" not in got and "x-agent-tag" not in got
    response = fetch(nginx.port(), BROWSER.request("/proxy/", headers=forged))
    got = json.loads(response.body)["headers"]
    assert (got["x-agent-keyid"], got["x-agent-tag"], got["x-agent-result"]) \
        == ("visa-1", "agent-browser-auth", "verified")


def test_signature_fields_go_on_to_the_upstream(nginx):
    request = BROWSER.request("/proxy/")
    got = json.loads(fetch(nginx.port(), request).body)["headers"]
    for name in "signature", "signature-input":
        assert got[name] == request.lines(name)[0]
