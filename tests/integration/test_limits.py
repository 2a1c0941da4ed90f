# SPDX-License-Identifier: BSD-2-Clause
"""limit_req, limit_conn and map keyed by who signed: they run before the
access phase, and what they reject has not burnt its nonce."""

import pytest

from harness.agents import BROWSER, LISTED, MASTERCARD, PAYER
from harness.client import Connection, fetch
from harness.expect import expect
from harness.signer import Request, flip_bit

CONF = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_nonce_store shared cold=accept;
    map $http_x_unlimited $limited_keyid {
        volatile;
        default $web_bot_auth_keyid;
        1       "";
    }
    map $web_bot_auth_tag $limited_browser {
        volatile;
        default            "";
        agent-browser-auth $web_bot_auth_directory;
    }
    limit_req_zone $limited_keyid zone=keyid:1m rate=1r/m;
    limit_req_zone $limited_browser zone=browser:1m rate=1r/m;
    limit_req_zone $web_bot_auth_keyid zone=delayed:1m rate=5r/s;
    limit_conn_zone $web_bot_auth_keyid zone=conn:1m;
    limit_req_status 420;
    limit_conn_status 421;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test;
        web_bot_auth on;
        location /keyid/ { limit_req zone=keyid; %%OK%% }
        location /browser/ { limit_req zone=browser; %%OK%% }
        location /delayed/ { limit_req zone=delayed burst=5; %%OK%% }
        location /conn/ {
            limit_conn conn 1;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
            proxy_request_buffering off;
        }
    }
}
"""


@pytest.fixture(scope="module")
def nginx(serve, upstream):
    return serve(CONF, UPSTREAM=upstream.port)


def test_keyed_by_keyid(nginx):
    for agent in BROWSER, MASTERCARD, LISTED:   # each has a budget
        expect(fetch(nginx.port(), agent.request("/keyid/")), "ok")
        request = agent.request("/keyid/")
        for _ in range(3):
            response = fetch(nginx.port(), request)
            assert response.status == 420
            assert response.header("X-reason") == ""
        # rejected thrice, and its nonce is still good
        again = request.with_headers(("X-Unlimited", "1"))
        expect(fetch(nginx.port(), again), "ok")
        expect(fetch(nginx.port(), again), "nonce-replayed")


def test_nobody_else_spends_an_agent_s_budget(nginx):
    """Neither forgers nor replays count: their keyid is empty."""
    replay = PAYER.request("/keyid/").with_headers(("X-Unlimited", "1"))
    expect(fetch(nginx.port(), replay), "ok")
    replay = replay.without("x-unlimited")
    for _ in range(5):
        expect(fetch(nginx.port(), BROWSER.request("/keyid/",
                                                   signature=flip_bit)),
               "bad-signature")
        expect(fetch(nginx.port(), replay), "nonce-replayed")
        expect(fetch(nginx.port(), Request(target="/keyid/")), "no-signature")


def test_keyed_by_map(nginx):
    expect(fetch(nginx.port(), BROWSER.request("/browser/")), "ok")
    assert fetch(nginx.port(), BROWSER.request("/browser/")).status == 420
    for _ in range(3):
        expect(fetch(nginx.port(), PAYER.request("/browser/")), "ok")


def test_delayed(nginx):
    """limit_req parks the request, which is judged when it goes on."""
    requests = [BROWSER.request("/delayed/") for _ in range(3)]
    for request in requests:
        expect(fetch(nginx.port(), request), "ok")
    for request in requests:
        expect(fetch(nginx.port(), request), "nonce-replayed")


def test_limit_conn(nginx):
    first = BROWSER.request("/conn/", method="POST", body=b"ab")
    with Connection(nginx.port()) as c:
        c.send(first.raw()[:-1])        # the upstream waits for the rest
        request = BROWSER.request("/conn/")
        rejected = fetch(nginx.port(), request)
        while rejected.status != 421:   # until nginx has read the first
            expect(rejected, "ok")
            request = BROWSER.request("/conn/")
            rejected = fetch(nginx.port(), request)
        c.send(b"b")
        expect(c.receive(), "ok")
    response = fetch(nginx.port(), request)
    while response.status == 421:       # until nginx has let go of it
        response = fetch(nginx.port(), request)
    expect(response, "ok")
