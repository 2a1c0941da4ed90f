# SPDX-License-Identifier: BSD-2-Clause
"""Modes and answers: on, optional, off, dry run; each class's status by
default and by web_bot_auth_answer; the reason's header and the log line."""

import time

import pytest

from harness import ports
from harness.agents import BROWSER, LISTED, PAYER, STRANGER_KEY
from harness.client import fetch
from harness.expect import IDENTITY, expect
from harness.signer import Request, flip_bit

CONF = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_directory down {
        url https://127.0.0.1:%%DEAD_PORT%%/keys;
        profile web-bot-auth;
        tags down;
        timeout 1s;
    }
    web_bot_auth_wait 100ms;
    web_bot_auth_nonce_store shared cold=accept;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test;
        web_bot_auth_deny tag=agent-payer-auth;
        location / { %%OK%% }
        location /on/ { web_bot_auth on; %%OK%% }
        location /optional/ { web_bot_auth optional; %%OK%% }
        location /off/ { web_bot_auth off; %%OK%% }
        location /dry/ {
            web_bot_auth on; web_bot_auth_dry_run on; %%OK%%
        }
        location /dry-optional/ {
            web_bot_auth optional; web_bot_auth_dry_run on; %%OK%%
        }
        location /answers/ {
            web_bot_auth on;
            web_bot_auth_answer malformed=422 unsigned=401 invalid=418
                                replayed=409 unknown=404 unavailable=502
                                denied=451;
            %%OK%%
            location /answers/inner/ {
                web_bot_auth_answer replayed=425;
                %%OK%%
            }
        }
        location /pass/ {
            web_bot_auth on;
            web_bot_auth_answer unknown=pass unavailable=pass;
            %%OK%%
        }
        location /exposed/ {
            web_bot_auth on; web_bot_auth_expose_reason on; %%OK%%
        }
        location /exposed-optional/ {
            web_bot_auth optional; web_bot_auth_expose_reason on; %%OK%%
        }
        location /quiet/ {
            web_bot_auth on; web_bot_auth_log_level debug; %%OK%%
        }
        location /loud/ {
            web_bot_auth on; web_bot_auth_log_level error; %%OK%%
        }
    }
}
"""


@pytest.fixture(scope="module")
def nginx(serve):
    return serve(CONF, DEAD_PORT=ports.free())


def broken(target):
    request = BROWSER.request(target)
    return request.without("signature").with_headers(("Signature", "sig1=("))


# class -> (reason, how to make a request of it); a replay is asked twice
CLASSES = {
    "malformed": ("signature-value-unreadable", broken),
    "unsigned": ("no-signature", lambda t: Request(target=t)),
    "unsigned tag": ("no-served-tag", lambda t: BROWSER.request(t, tag="x")),
    "invalid": ("bad-signature",
                lambda t: BROWSER.request(t, signature=flip_bit)),
    "expired": ("expired", lambda t: BROWSER.request(
        t, created=int(time.time()) - 400, expires=int(time.time()) - 60)),
    "replayed": ("nonce-replayed", BROWSER.request),
    "unknown": ("key-unknown", lambda t: BROWSER.request(
        t, key=STRANGER_KEY, keyid=STRANGER_KEY.thumbprint)),
    "unavailable": ("directory-unavailable",
                    lambda t: LISTED.request(t, tag="down")),
    "denied": ("denied-by-rule", PAYER.request),
}
FAILED = ("malformed", "invalid", "expired", "replayed", "denied")
UNDECIDED = ("unsigned", "unsigned tag", "unknown", "unavailable")


def ask(nginx, kind, target):
    reason, make = CLASSES[kind]
    request = make(target)
    if kind == "replayed":
        expect(fetch(nginx.port(), request), "ok")
    return reason, fetch(nginx.port(), request)


@pytest.mark.parametrize("kind", CLASSES)
def test_on_refuses_with_the_default_status(nginx, kind):
    reason, response = ask(nginx, kind, "/on/")
    expect(response, reason)


@pytest.mark.parametrize("kind", CLASSES)
def test_optional_refuses_only_what_failed(nginx, kind):
    reason, response = ask(nginx, kind, "/optional/")
    if kind in FAILED:
        expect(response, reason)
    else:
        expect(response, reason, 200, "pass")


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("target", ["/", "/off/"])
def test_off_does_nothing(nginx, target, kind):
    request = CLASSES[kind][1](target)
    for _ in range(2):      # a replay, too
        response = fetch(nginx.port(), request)
        assert response.status == 200
        shown = [h for h in response.headers if h[0].startswith("X-")]
        assert shown == []


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("target", ["/dry/", "/dry-optional/"])
def test_dry_run_refuses_nobody(nginx, target, kind):
    since = len(nginx.error_log)
    reason, response = ask(nginx, kind, target)
    passes = target == "/dry-optional/" and kind in UNDECIDED
    expect(response, reason, 200, "pass" if passes else "dry-run-deny")
    assert nginx.refusals(since) == ([] if passes else [reason])
    assert passes or "dry run" in nginx.error_log[since:]


@pytest.mark.parametrize("kind, status", [
    ("malformed", 422), ("unsigned", 401), ("unsigned tag", 401),
    ("invalid", 418), ("expired", 418), ("replayed", 409), ("unknown", 404),
    ("unavailable", 502), ("denied", 451)])
def test_answers(nginx, kind, status):
    reason, response = ask(nginx, kind, "/answers/")
    expect(response, reason, status)


@pytest.mark.parametrize("kind, status", [("replayed", 425),
                                          ("unsigned", 401)])
def test_answers_are_inherited_class_by_class(nginx, kind, status):
    reason, response = ask(nginx, kind, "/answers/inner/")
    expect(response, reason, status)


@pytest.mark.parametrize("kind", CLASSES)
def test_pass(nginx, kind):
    reason, response = ask(nginx, kind, "/pass/")
    if kind in ("unknown", "unavailable"):
        expect(response, reason, 200, "pass")
    else:
        expect(response, reason)


@pytest.mark.parametrize("kind", CLASSES)
def test_expose_reason(nginx, kind):
    for target in "/exposed/", "/exposed-optional/":
        reason, response = ask(nginx, kind, target)
        assert response.header("Web-Bot-Auth-Reason") == reason
    reason, response = ask(nginx, kind, "/on/")
    assert response.header("Web-Bot-Auth-Reason", None) is None


def test_expose_reason_of_a_verified_request(nginx):
    response = fetch(nginx.port(), BROWSER.request("/exposed/"))
    expect(response, "ok")
    assert response.header("Web-Bot-Auth-Reason") == "ok"


@pytest.mark.parametrize("target, level", [
    ("/on/", "notice"), ("/loud/", "error"), ("/quiet/", None)])
def test_log_line(nginx, target, level):
    since = len(nginx.error_log)
    request = BROWSER.request(target, signature=flip_bit)
    expect(fetch(nginx.port(), request), "bad-signature")
    lines = [line for line in nginx.error_log[since:].splitlines()
             if "request refused" in line]
    if level is None:
        assert lines == []
        return
    assert len(lines) == 1
    assert "[%s]" % level in lines[0]
    assert "web_bot_auth: request refused" in lines[0]
    assert "reason=bad-signature" in lines[0] and "visa-1" in lines[0]
    secrets = [request.lines("signature")[0].partition("=")[2],
               request.lines("signature-input")[0].partition("nonce=")[2]
               .split('"')[1]]
    assert not [s for s in secrets if s in nginx.error_log]


def test_no_refusal_no_line(nginx):
    since = len(nginx.error_log)
    expect(fetch(nginx.port(), BROWSER.request("/on/")), "ok")
    fetch(nginx.port(), Request(target="/optional/"))
    assert nginx.refusals(since) == []


@pytest.mark.parametrize("kind", [k for k in CLASSES if k != "denied"])
@pytest.mark.parametrize("target", ["/on/", "/optional/", "/dry/", "/pass/"])
def test_identity_is_empty_unless_verified(nginx, target, kind):
    _, response = ask(nginx, kind, target)
    assert [v for v in IDENTITY if response.header("X-" + v)] == []
