# SPDX-License-Identifier: BSD-2-Clause
"""limit_except and if: nginx swaps the configuration of a request for that of
the block, and what protects the location goes with it."""

import itertools

import pytest

from harness.agents import BROWSER, PAYER
from harness.client import fetch
from harness.signer import Request, flip_bit

CONF = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_nonce_store shared cold=accept;
    %%ECHO%%
    map $request_method $posts { default ""; POST 1; }
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test;
        web_bot_auth on;
        web_bot_auth_allow tag=agent-browser-auth;
        web_bot_auth_answer invalid=418 denied=451;

        location /plain/ { proxy_pass http://127.0.0.1:%%PORT_shop%%; }
        location /allowed/ { limit_except GET { allow all; } proxy_pass http://127.0.0.1:%%PORT_shop%%; }
        location /forbidden/ { limit_except GET { deny all; } proxy_pass http://127.0.0.1:%%PORT_shop%%; }
        location /any/ {
            satisfy any;
            deny all;
            limit_except GET { deny all; }
            proxy_pass http://127.0.0.1:%%PORT_shop%%;
        }
        location /if/ {
            if ($posts) {
                add_header X-If yes always;
                %%ECHO%%
            }
            proxy_pass http://127.0.0.1:%%PORT_shop%%;
        }
        location /ifs/ {
            if ($posts) { set $seen 1; }
            if ($seen) {
                add_header X-If yes always;
                %%ECHO%%
            }
            proxy_pass http://127.0.0.1:%%PORT_shop%%;
        }
        location /off/ {
            web_bot_auth off;
            if ($posts) {
                add_header X-If yes always;
                %%ECHO%%
            }
            proxy_pass http://127.0.0.1:%%PORT_shop%%;
        }
    }
    server {
        listen 127.0.0.1:%%PORT_shop%%;
        return 200 ok;
    }
}
"""

# What our rules say; nginx' own 403 comes from beside them.
KINDS = {
    "verified": (BROWSER.request, {}, 200),
    "denied": (PAYER.request, {}, 451),
    "forged": (BROWSER.request, {"signature": flip_bit}, 418),
    "unsigned": (lambda target, **o: Request(target=target, **o), {}, 403),
}
METHODS = ("GET", "HEAD", "POST", "DELETE")


@pytest.fixture(scope="module")
def nginx(serve):
    return serve(CONF)


def expected(place, kind, method):
    ours = KINDS[kind][2]
    if place == "off":
        return 200
    if place == "any" and ours != 200:
        return 403
    if place == "forbidden" and ours == 200 and method not in ("GET", "HEAD"):
        return 403
    return ours


@pytest.mark.parametrize("place", ["plain", "allowed", "forbidden", "any",
                                   "if", "ifs", "off"])
@pytest.mark.parametrize("kind", KINDS)
def test_blocks_are_protected_as_their_location(nginx, place, kind):
    make, options, _ = KINDS[kind]
    for method in METHODS:
        request = make("/%s/" % place, method=method, **options)
        response = fetch(nginx.port(), request)
        assert response.status == expected(place, kind, method), method
        inside = place in ("if", "ifs", "off") and method == "POST"
        assert response.header("X-If") == ("yes" if inside else ""), method


@pytest.mark.parametrize("place", ["allowed", "any", "if", "ifs"])
def test_a_nonce_is_used_once_across_blocks(nginx, place):
    for method in METHODS:
        request = BROWSER.request("/%s/" % place, method=method)
        first, second = (fetch(nginx.port(), request).status for _ in "12")
        assert (first, second != 200) == (200, True), method


def test_the_block_tells_who_signed(nginx):
    for place, method in itertools.product(("allowed", "if", "ifs"), METHODS):
        response = fetch(nginx.port(), BROWSER.request("/%s/" % place,
                                                       method=method))
        assert response.header("X-tag") == "agent-browser-auth"
        assert response.header("X-result") == "verified"
