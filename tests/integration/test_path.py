# SPDX-License-Identifier: BSD-2-Clause
"""The target's components as received: nothing decoded, merged or resolved,
whatever nginx makes of the URI afterwards."""

import pytest

from harness.agents import LISTED
from harness.client import curl, fetch
from harness.expect import expect

CONF = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth on;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_H2%% http2;
        server_name shop.test;
        location / { %%OK%% }
        location /rewritten/ { rewrite ^ /other/$1? break; %%OK%% }
        location /last/ { rewrite ^ /other?new=1 last; }
    }
}
"""

TARGETS = [
    "/", "/a/b", "/a%2Fb", "/a%2fb", "/%41", "/a//b///", "//a", "/./a/../b",
    "/a/./b/..", "/a%20b", "/a+b", "/~u/%7Eu", "/a;p=1", "/a:b@c", "/?",
    "/?a", "/a?b=c&d=e", "/a?b=%2F&c=/..//", "/a?b?c", "/a?%", "/a?b&&c",
    "/%C3%A9", "/a?x=1&y=a+b&z=%c3%a9", "/rewritten/x?y", "/last/x?y",
    "/a!$&'()*,=|[]{}^", "/" + "x" * 3000,
]
COMPONENTS = ("@authority", "@path", "@query", "@target-uri",
              "@request-target", "@method", "@scheme")


@pytest.fixture(scope="module")
def nginx(serve):
    return serve(CONF)


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t[:24])
def test_raw(nginx, target):
    request = LISTED.request(target, components=COMPONENTS)
    expect(fetch(nginx.port(), request), "ok")


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t[:24])
def test_raw_over_http2(nginx, target):
    request = LISTED.request(target, components=COMPONENTS)
    response = curl(nginx.port("PORT_H2"), request,
                    "--http2-prior-knowledge")
    expect(response, "ok")


@pytest.mark.parametrize("signed, sent", [
    ("/a/b", "/a%2Fb"), ("/a/b", "/a//b"), ("/b", "/a/../b"), ("/A", "/%41"),
    ("/a", "/a/"), ("/a%2fb", "/a%2Fb"), ("/a", "/./a")])
def test_equivalent_is_not_equal(nginx, signed, sent):
    request = LISTED.request(signed, components=("@authority", "@path"))
    expect(fetch(nginx.port(), request.replaced(target=sent)),
           "bad-signature")


@pytest.mark.parametrize("signed, sent, reason", [
    ("/a?", "/a", "ok"), ("/a", "/a?", "ok"),   # both are "?"
    ("/a?b", "/a?c", "bad-signature"), ("/a?b", "/a", "bad-signature"),
    ("/a?b=%2f", "/a?b=%2F", "bad-signature"),
])
def test_query(nginx, signed, sent, reason):
    request = LISTED.request(signed, components=("@authority", "@query"))
    expect(fetch(nginx.port(), request.replaced(target=sent)), reason)


@pytest.mark.parametrize("query, name, value", [
    ("a=1&b=2", "b", "2"), ("a=", "a", ""), ("a", "a", ""),
    ("a=x+y", "a", "x%20y"), ("a=x%20y", "a", "x%20y"),
    ("a=%c3%a9", "a", "%C3%A9"), ("a=%ff", "a", "%EF%BF%BD"),
    ("%61=1", "a", "1"), ("x+y=1", "x%20y", "1"), ("&&a=1&", "a", "1"),
    ("a=b=c", "a", "b%3Dc"), ("a=*-._~", "a", "*-._%7E"),
])
def test_query_param(nginx, query, name, value):
    component = '@query-param;name="%s"' % name
    request = LISTED.request("/?" + query, values={component: value},
                             components=("@authority", component))
    expect(fetch(nginx.port(), request), "ok")


@pytest.mark.parametrize("query, reason", [
    ("", "missing-component"), ("?b=1", "missing-component"),
    ("?a=1&a=2", "bad-component-value"), ("?a=1&%61=1", "bad-component-value")])
def test_query_param_absent_or_ambiguous(nginx, query, reason):
    component = '@query-param;name="a"'
    request = LISTED.request("/" + query, values={component: "1"},
                             components=("@authority", component))
    expect(fetch(nginx.port(), request), reason)
