# SPDX-License-Identifier: BSD-2-Clause
"""What the agents of the field send, header by header, re-signed with keys of
ours: each shape through nginx with the directory that an operator would
configure for it, and without what that directory has to allow."""

import json

import pytest

from harness.agents import MASTERCARD_URL
from harness.client import fetch
from harness.expect import expect
from harness.signer import (OMIT, Key, Request, Sig, fresh_nonce, jwks, sign)

WELL_KNOWN = "/.well-known/http-message-signatures-directory"

CHATGPT, GOOGLE, DUCK, SHOPIFY, META, CARD, VISA, DRAFT = (
    Key() for _ in range(8))

# What stands in the directories of the field: members of their own, nbf and
# exp, kid as thumbprint, as another name or not at all, alg in three
# spellings, one bare JWK.
FILES = {
    "keys/chatgpt.json": json.dumps({
        "keys": [CHATGPT.jwk(kid=CHATGPT.thumbprint, use="sig", alg="EdDSA",
                             nbf=1700000000, exp=4102444800)],
        "signature_agent": "https://chatgpt.com",
        "purpose": "rag",
    }),
    "keys/google.json": jwks(GOOGLE.jwk(kid="g-1", alg="ed25519")),
    "keys/duck.json": jwks(DUCK),
    "keys/shopify.json": json.dumps(SHOPIFY.jwk(kid=SHOPIFY.thumbprint)),
    "keys/meta.json": jwks(Key(), META, Key()),
    "keys/card.json": jwks(CARD.jwk(nbf=1700000000000, exp=4102444800000)),
    "keys/visa.json": jwks(VISA.jwk(kid="visa-agent-1", alg="Ed25519")),
    "keys/draft.json": jwks(DRAFT),
}

CONF = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth_directory chatgpt {
        url file:%%DIR%%/keys/chatgpt.json;
        profile web-bot-auth;
        agent https://chatgpt.com;
    }
    web_bot_auth_directory google {
        url file:%%DIR%%/keys/google.json;
        profile web-bot-auth;
        agent https://agent.bot.goog;
        %%TYPED%%
    }
    web_bot_auth_directory duck {
        url file:%%DIR%%/keys/duck.json;
        profile web-bot-auth;
        agent https://duck.test;
        %%UNQUOTED%%
    }
    web_bot_auth_directory shopify {
        url file:%%DIR%%/keys/shopify.json;
        profile web-bot-auth;
        agent https://shopify.com;
        lenient bare-jwk;
        %%STATIC%%
    }
    web_bot_auth_directory meta {
        url file:%%DIR%%/keys/meta.json;
        profile web-bot-auth;
        agent https://meta.test;
    }
    web_bot_auth_directory mastercard {
        url file:%%DIR%%/keys/card.json;
        profile agent-pay;
        agent %%CARD%%;
    }
    web_bot_auth_directory visa {
        url file:%%DIR%%/keys/visa.json;
        profile tap;
    }
    web_bot_auth_directory draft {
        url file:%%DIR%%/keys/draft.json;
        profile web-bot-auth;
        agent https://keys.test/agents/jwks.json?v=2;
    }
    web_bot_auth on;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test;
        web_bot_auth_scheme https;
        location / { %%OK%% }
    }
}
"""

LENIENT = {
    "TYPED": "lenient agent-type;",
    "UNQUOTED": "lenient unquoted-agent;",
    "STATIC": "max_lifetime 92d; nonce optional;",
}


@pytest.fixture(scope="module")
def lenient(serve):
    return serve(CONF, files=FILES, CARD=MASTERCARD_URL, **LENIENT)


@pytest.fixture(scope="module")
def strict(serve):
    return serve(CONF, files=FILES, CARD=MASTERCARD_URL,
                 **dict.fromkeys(LENIENT, ""))


def shape(agent, *components, **sig):
    headers = [("Signature-Agent", agent)] if agent else []
    usual = {"alg": OMIT, "tag": "web-bot-auth", "components": components,
             "lifetime": 3600}
    return headers, Sig(**{**usual, **sig})


GENERATION_1 = ("@authority", "signature-agent")


def member(label):
    return ("@authority", 'signature-agent;key="%s"' % label)


# name: (headers and signature, directory, reason without leniency)
SHAPES = {
    "ChatGPT agent": (shape(
        '"https://chatgpt.com"', "@authority", "@method", "@path",
        "signature-agent", key=CHATGPT, alg="ed25519"), "chatgpt", "ok"),
    "ChatGPT agent, label of the draft": (shape(
        '"https://chatgpt.com"', *GENERATION_1, key=CHATGPT, label="sig2"),
        "chatgpt", "ok"),
    "Google-Agent": (shape(
        'g="https://agent.bot.goog"', *member("g"), key=GOOGLE, label="g"),
        "google", "ok"),
    "Google-Agent, no nonce": (shape(
        'g="https://agent.bot.goog"', *member("g"), key=GOOGLE, label="g",
        nonce=OMIT), "google", "ok"),
    "typed directory": (shape(
        'g="https://agent.bot.goog";type=directory', *member("g"), key=GOOGLE,
        label="g"), "google", "signature-agent-typed"),
    "typed jwks_uri": (shape(
        'g="https://agent.bot.goog%s";type=jwks_uri' % WELL_KNOWN,
        *member("g"), key=GOOGLE, label="g"), "google",
        "signature-agent-typed"),
    "DuckDuckGo, unquoted": (shape(
        "https://duck.test", *GENERATION_1, key=DUCK), "duck",
        "signature-agent-unquoted"),
    "Shopify, three months": (shape(
        '"https://shopify.com"', *GENERATION_1, key=SHOPIFY, nonce=OMIT,
        lifetime=90 * 86400), "shopify", "lifetime-too-long"),
    "Meta, keys without kid": (shape(
        '"https://meta.test"', *GENERATION_1, key=META), "meta", "ok"),
    "Mastercard, browsing": (shape(
        '"%s"' % MASTERCARD_URL, "@authority", "@path", "signature-agent",
        key=CARD, alg="ed25519", tag="agent-browser-auth", lifetime=480),
        "mastercard", "ok"),
    "Mastercard, Agent-pay-auth": (shape(
        '"%s"' % MASTERCARD_URL, "@authority", "@path", "signature-agent",
        key=CARD, alg="ed25519", tag="Agent-pay-auth", lifetime=480),
        "mastercard", "ok"),
    "Mastercard without the slash": (shape(
        '"%s"' % MASTERCARD_URL.rstrip("/"), "@authority", "@path",
        "signature-agent", key=CARD, alg="ed25519", tag="agent-payer-auth",
        lifetime=480), "mastercard", "ok"),
    "Visa TAP, browsing": (shape(
        None, "@authority", "@path", key=VISA, keyid="visa-agent-1",
        alg="ed25519", tag="agent-browser-auth", label="sig2", lifetime=480),
        "visa", "ok"),
    "Visa TAP, paying, alg as JOSE has it": (shape(
        None, "@authority", "@path", key=VISA, keyid="visa-agent-1",
        alg="Ed25519", tag="agent-payer-auth", label="sig2", lifetime=480),
        "visa", "ok"),
    "the draft: the key set's own URL": (shape(
        'sig1="https://keys.test/agents/jwks.json?v=2"', *member("sig1"),
        key=DRAFT), "draft", "ok"),
    "the draft: a neighbour with parameters is ignored": (shape(
        'sig1="https://keys.test/agents/jwks.json?v=2", '
        'x="https://else.test";type=cimd', *member("sig1"), key=DRAFT),
        "draft", "ok"),
}


def made(name):
    (headers, sig), _, _ = SHAPES[name]
    if sig.nonce is not OMIT:
        sig.nonce = fresh_nonce()
    request = Request("GET", "/products?id=1", "shop.test", "https", headers)
    return sign(request, sig), sig


@pytest.mark.parametrize("name", SHAPES)
def test_lenient_where_asked(lenient, name):
    request, sig = made(name)
    response = fetch(lenient.port(), request)
    expect(response, "ok")
    assert response.header("X-directory") == SHAPES[name][1]
    assert response.header("X-label") == sig.label
    assert response.header("X-tag") == sig.tag.lower()
    again = fetch(lenient.port(), request)
    expect(again, "ok" if sig.nonce is OMIT else "nonce-replayed")


@pytest.mark.parametrize("name", SHAPES)
def test_without_leniency(strict, name):
    request, _ = made(name)
    expect(fetch(strict.port(), request), SHAPES[name][2])


@pytest.mark.parametrize("name", SHAPES)
def test_tampered(lenient, name):
    request, _ = made(name)
    expect(fetch(lenient.port(), request.replaced(host="other.test")),
           "authority-not-served")
    signature = request.lines("signature")[0]
    at = signature.index(":") + 20
    other = "A" if signature[at] != "A" else "B"
    bad = request.without("signature").with_headers(
        ("Signature", signature[:at] + other + signature[at + 1:]))
    expect(fetch(lenient.port(), bad), "bad-signature")


def test_cimd_is_never_a_key_set(lenient):
    headers, sig = shape('g="https://agent.bot.goog";type=cimd', *member("g"),
                         key=GOOGLE, label="g")
    request = Request("GET", "/", "shop.test", "https", headers)
    expect(fetch(lenient.port(), sign(request, sig)), "signature-agent-typed")


def test_leniency_is_one_directorys_own(lenient):
    """What shopify, duck and google may, chatgpt may not."""
    for agent, over, reason in [
            ('"https://chatgpt.com"', {"lifetime": 90 * 86400},
             "lifetime-too-long"),
            ("https://chatgpt.com", {}, "signature-agent-unquoted"),
            ]:
        headers, sig = shape(agent, *GENERATION_1, key=CHATGPT, **over)
        request = Request("GET", "/", "shop.test", "https", headers)
        expect(fetch(lenient.port(), sign(request, sig)), reason)
    headers, sig = shape('sig1="https://chatgpt.com";type=directory',
                         *member("sig1"), key=CHATGPT)
    request = Request("GET", "/", "shop.test", "https", headers)
    expect(fetch(lenient.port(), sign(request, sig)), "signature-agent-typed")
