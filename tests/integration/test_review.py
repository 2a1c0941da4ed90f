# SPDX-License-Identifier: BSD-2-Clause
"""What a reading of the module found: each was a bug once."""

import pytest

from harness.agents import BROWSER
from harness.client import fetch
from harness.expect import expect
from harness.signer import Key, jwks

CONF = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_nonce_store shared cold=accept;
    %%ECHO%%
    map $web_bot_auth_tag $strange { default $host; x y; volatile; }
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name ~^(?<shop>[a-z]+)\\.regex\\.test$ shop.test;
        location ~ ^/captured/(.*)$ {
            web_bot_auth on;
            %%ECHO%%
            add_header X-Captured "$1" always;
            add_header X-Shop "$shop" always;
            %%OK%%
        }
        location /circle/ {
            web_bot_auth on;
            web_bot_auth_authority $strange;
            %%OK%%
        }
        location /circle-scheme/ {
            web_bot_auth on;
            web_bot_auth_scheme "http$web_bot_auth_reason";
            %%OK%%
        }
    }
}
"""


@pytest.fixture(scope="module")
def nginx(serve):
    return serve(CONF)


def test_a_location_s_captures_survive(nginx):
    """Looking for the host among the server's names leaves $1 alone."""
    response = fetch(nginx.port(), BROWSER.request("/captured/abc",
                                                   host="mine.regex.test"))
    expect(response, "ok")
    assert response.header("X-Captured") == "abc"
    assert response.header("X-Shop") == "mine"


@pytest.mark.parametrize("target", ["/circle/", "/circle-scheme/"])
def test_settings_that_depend_on_the_verdict(nginx, target):
    """Variables of ours inside web_bot_auth_authority or _scheme are empty
    there; nothing recurses."""
    expect(fetch(nginx.port(), BROWSER.request(target)), "ok")


CROWD = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    web_bot_auth_directory crowd {
        url file:%%DIR%%/keys/crowd.json;
        profile tap;
    }
    %%DIRECTORIES%%
    web_bot_auth_nonce_store shared cold=accept;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test;
        location / { web_bot_auth on; %%OK%% }
    }
}
"""


def test_a_directory_that_publishes_another_s_kid_many_times(serve):
    """Its agents come in all the same."""
    nginx = serve(CROWD, files={"keys/crowd.json": jwks(
        *[Key().jwk(kid="visa-1") for _ in range(20)])})
    response = fetch(nginx.port(), BROWSER.request("/"))
    expect(response, "ok")
    assert response.header("X-directory") == "visa"
