# SPDX-License-Identifier: BSD-2-Clause
"""What a location asks beside what an outer level asks: the shorter lifetime,
the union of the components, the stricter nonce, whichever stands outside."""

import itertools

import pytest

from harness.agents import LISTED
from harness.client import fetch
from harness.expect import expect
from harness.signer import OMIT

CONF = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth on;
    web_bot_auth_components @method;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test;
        web_bot_auth_max_lifetime 10m;
        web_bot_auth_nonce optional;
        web_bot_auth_components x-a;
        location / { %%OK%% }
        location /shorter/ { web_bot_auth_max_lifetime 1m; %%OK%% }
        location /longer/ { web_bot_auth_max_lifetime 1h; %%OK%% }
        location /required/ {
            web_bot_auth_nonce required;
            %%OK%%
            location /required/optional/ {
                web_bot_auth_nonce optional;
                %%OK%%
            }
        }
        location /more/ { web_bot_auth_components @path x-b; %%OK%% }
        location /again/ { web_bot_auth_components x-a @method; %%OK%% }
    }
}
"""

BASE = ("@authority", "@method", "x-a")


@pytest.fixture(scope="module")
def nginx(serve):
    return serve(CONF)


def ask(nginx, target, components=BASE, **over):
    return fetch(nginx.port(), LISTED.request(
        target, components=components,
        headers=[("X-A", "a"), ("X-B", "b")], **over))


@pytest.mark.parametrize("place, lifetime, reason", [
    ("/", 600, "ok"), ("/", 601, "lifetime-too-long"),
    ("/shorter/", 60, "ok"), ("/shorter/", 61, "lifetime-too-long"),
    ("/longer/", 600, "ok"), ("/longer/", 601, "lifetime-too-long"),
    ("/longer/", 3600, "lifetime-too-long"),
])
def test_the_shorter_lifetime_counts(nginx, place, lifetime, reason):
    expect(ask(nginx, place, lifetime=lifetime), reason)


@pytest.mark.parametrize("place, reason", [
    ("/", "ok"), ("/required/", "nonce-missing"),
    ("/required/optional/", "nonce-missing")])
def test_the_stricter_nonce_counts(nginx, place, reason):
    expect(ask(nginx, place, lifetime=60, nonce=OMIT), reason)
    expect(ask(nginx, place, lifetime=60), "ok")


@pytest.mark.parametrize("place, asked", [
    ("/", ("@method", "x-a")), ("/again/", ("@method", "x-a")),
    ("/more/", ("@method", "x-a", "@path", "x-b")),
    ("/shorter/", ("@method", "x-a")),
])
def test_all_components_count(nginx, place, asked):
    for n in range(len(asked) + 1):
        for some in itertools.combinations(asked, n):
            expect(ask(nginx, place, ("@authority",) + some, lifetime=60),
                   "ok" if n == len(asked) else "component-not-covered")
