# SPDX-License-Identifier: BSD-2-Clause
"""A request that nginx moves to another location is judged anew by that one's
settings, on the facts that were gathered; its nonce is recorded once."""

import json

import pytest

from harness.agents import BROWSER, PAYER
from harness.client import fetch
from harness.expect import expect
from harness.signer import Request, flip_bit

# how a request gets from its entry to the location FINAL
WAYS = {
    "error_page": "error_page 404 = /FINAL/; try_files /absent =404;",
    "error_page_named": "error_page 404 = @FINAL; try_files /absent =404;",
    "try_files": "try_files /absent /FINAL/;",
    "try_files_named": "try_files /absent @FINAL;",
    "accel": "proxy_pass http://127.0.0.1:%%UPSTREAM%%/?accel=/FINAL/;",
    "rewrite": "rewrite ^ /FINAL/ last;",
    "index": "alias html/empty/; index absent.html /FINAL/;",
    "twice": "error_page 404 = /hop/FINAL; try_files /absent =404;",
    "if": "if ($uri) { rewrite ^ /FINAL/ last; }",
}

FINALS = {
    "payers": "web_bot_auth on; web_bot_auth_allow tag=agent-payer-auth;",
    "short": "web_bot_auth on; web_bot_auth_max_lifetime 1m;",
    "optional": "web_bot_auth optional;",
    "open": "web_bot_auth off;",
    "any": "web_bot_auth on; web_bot_auth_authority any;",
    "named": "web_bot_auth on; web_bot_auth_authority other.test;",
}

MODES = ("on", "off", "dry")
MODE = {"on": "web_bot_auth on;", "off": "web_bot_auth off;",
        "dry": "web_bot_auth on; web_bot_auth_dry_run on;"}

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
        %%ENTRIES%%
        %%FINALS%%
        location /hop/ {
            web_bot_auth on;
            rewrite ^/hop/(.*)$ /$1/ last;
        }
        location /sorry/ {
            web_bot_auth on;
            error_page 403 429 /sorry.txt;
            %%OK%%
        }
        location /sorry-open/ {
            web_bot_auth on;
            error_page 403 429 /open/sorry;
            %%OK%%
        }
        location = /sorry.txt { web_bot_auth on; %%OK%% }
        location /recursive/ {
            recursive_error_pages on;
            web_bot_auth on;
            error_page 403 429 /open/sorry;
            error_page 404 = /payers/;
            location /recursive/on/ {
                error_page 403 429 /dry-run;
                %%OK%%
            }
            location /recursive/named/ {
                error_page 403 429 @open;
                %%OK%%
            }
            location /recursive/absent/ { try_files /absent =404; }
            %%OK%%
        }
        location /dry-run {
            web_bot_auth on;
            web_bot_auth_dry_run on;
            %%OK%%
        }
        location = /status { web_bot_auth_status json; }
        location /conditional/ {
            web_bot_auth on;
            if ($arg_strange) { add_header X-Strange 1 always; %%ECHO%% }
        }
    }
}
"""


@pytest.fixture(scope="module")
def nginx(serve, upstream):
    entries = [
        "location /%s/%s/%s/ { %s %s }" % (
            mode, way, final, MODE[mode], conf.replace("FINAL", final))
        for mode in MODES for way, conf in WAYS.items() for final in FINALS]
    finals = ["location %s { %s %%%%OK%%%% }" % (name % final, conf)
              for final, conf in FINALS.items() for name in ("/%s/", "@%s")]
    return serve(CONF, ENTRIES="\n".join(entries), UPSTREAM=upstream.port,
                 FINALS="\n".join(finals),
                 files={"html/empty/x": "", "html/conditional/ok.txt": "ok"})


def ask(nginx, request):
    return fetch(nginx.port(), request)


@pytest.fixture(params=[(mode, way) for mode in MODES for way in WAYS],
                ids="-".join)
def to(request):
    return lambda final: "/%s/%s/%s/" % (*request.param, final)


def test_the_new_location_s_rules_apply(nginx, to):
    request = PAYER.request(to("payers"))
    response = ask(nginx, request)
    expect(response, "ok")
    assert response.body == b"ok"
    expect(ask(nginx, BROWSER.request(to("payers"))), "denied-by-rule")


def test_the_new_location_s_settings_apply(nginx, to):
    expect(ask(nginx, BROWSER.request(to("short"), lifetime=60)), "ok")
    expect(ask(nginx, BROWSER.request(to("short"), lifetime=61)),
           "lifetime-too-long")


def test_recorded_once(nginx, to):
    """The first passes although two locations look at its nonce; the copy is
    refused."""
    request = PAYER.request(to("payers"))
    expect(ask(nginx, request), "ok")
    expect(ask(nginx, request), "nonce-replayed")


def test_forged_and_unsigned(nginx, to):
    expect(ask(nginx, Request(target=to("payers"))), "no-signature")
    expect(ask(nginx, PAYER.request(to("payers"), signature=flip_bit)),
           "bad-signature")


def test_facts_of_another_authority_do_not_count(nginx, to):
    """A signature that verified under our name is made anew for what the new
    location says that the authority is."""
    expect(ask(nginx, BROWSER.request(to("any"))), "ok")
    expect(ask(nginx, BROWSER.request(to("named"))), "bad-signature")


@pytest.mark.parametrize("way", WAYS)
def test_from_on_to_off(nginx, way):
    target = "/on/%s/open/" % way
    assert ask(nginx, BROWSER.request(target)).status == 200
    response = ask(nginx, Request(target=target))
    # rewrite runs before the access phase: the entry never judges
    assert response.status == (200 if way in ("rewrite", "if") else 403)


@pytest.mark.parametrize("way", WAYS)
def test_from_off_to_optional(nginx, way):
    target = "/off/%s/optional/" % way
    expect(ask(nginx, Request(target=target)), "no-signature", 200, "pass")
    expect(ask(nginx, BROWSER.request(target)), "ok")
    expect(ask(nginx, BROWSER.request(target, signature=flip_bit)),
           "bad-signature")


def test_error_page_of_a_refusal(nginx):
    """The page has the refusal's status; where its own location refuses, too,
    nginx falls back to its own text."""
    response = ask(nginx, Request(target="/sorry/"))
    assert response.status == 403 and response.body != b"ok"
    response = ask(nginx, Request(target="/sorry-open/"))
    assert (response.status, response.body) == (403, b"ok")
    request = BROWSER.request("/sorry-open/")
    expect(ask(nginx, request), "ok")
    response = ask(nginx, request)
    assert (response.status, response.body) == (429, b"ok")


def judged(nginx):
    return json.loads(ask(nginx, Request(target="/status")).body)[
        "requests"]["total"]


@pytest.mark.parametrize("where, page", [("", b"ok"), ("named/", b"ok"),
                                         ("on/", b"ok")])
def test_error_page_of_a_refusal_with_recursive_error_pages(nginx, where,
                                                            page):
    """The page still tells of the request that was refused, which is counted
    once."""
    target = "/recursive/" + where
    before = judged(nginx)
    response = ask(nginx, Request(target=target))
    assert (response.status, response.body) == (403, page)
    assert response.header("X-Reason") == "no-signature"
    request = PAYER.request(target)
    expect(ask(nginx, request), "ok")
    response = ask(nginx, request)
    assert (response.status, response.body) == (429, page)
    assert response.header("X-Reason") == "nonce-replayed"
    assert judged(nginx) == before + 3


def test_recursive_error_pages_of_others(nginx):
    """An error that is no refusal leads to another location, as ever."""
    expect(ask(nginx, PAYER.request("/recursive/absent/")), "ok")
    expect(ask(nginx, BROWSER.request("/recursive/absent/")),
           "denied-by-rule")


@pytest.mark.parametrize("query", ["", "?strange=1"])
def test_if(nginx, query):
    """An if block is a location of its own, with its outer one's settings."""
    target = "/conditional/ok.txt" + query
    request = BROWSER.request(target)
    response = ask(nginx, request)
    expect(response, "ok")
    assert response.header("X-Strange") == ("1" if query else "")
    expect(ask(nginx, request), "nonce-replayed")
    expect(ask(nginx, Request(target=target)), "no-signature")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("way", ["error_page", "accel"])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_the_method_is_the_one_that_was_sent(nginx, mode, way, method):
    """error_page and X-Accel-Redirect turn nginx's own idea of the method
    into GET; what was signed is what came."""
    request = PAYER.request(
        "/%s/%s/payers/" % (mode, way), method=method,
        components=("@authority", "@path", "@method", "@request-target"))
    expect(ask(nginx, request), "ok")
