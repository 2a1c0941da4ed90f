# SPDX-License-Identifier: BSD-2-Clause
"""What the error log says of requests: one line for each refusal, which a flood
cannot make many, and under debug every step."""

import re

import pytest

from harness.agents import BROWSER, PAYER
from harness.client import Connection, fetch
from harness.expect import expect
from harness.nginx import wait_for
from harness.signer import Request, flip_bit

CONF = """
daemon off;
pid logs/nginx.pid;
error_log logs/error.log %%LEVEL%%;
%%LOAD%%
worker_processes 1;
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth on;
    %%ECHO%%
    keepalive_requests 10000;
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test;
        location / { %%OK%% }
        location /warn/ { web_bot_auth_log_level warn; %%OK%% }
        location /info/ { web_bot_auth_log_level info; %%OK%% }
        location /dry/ { web_bot_auth_dry_run on; %%OK%% }
    }
}
"""


@pytest.fixture
def start(serve):
    started = []

    def run(level="notice"):
        nginx = serve(CONF, LEVEL=level)
        started.append(nginx)
        return nginx

    yield run
    for nginx in started:
        nginx.stop()
        serve.all.remove(nginx)


def lines(nginx, text):
    return [line for line in nginx.error_log.splitlines() if text in line]


REFUSED = "web_bot_auth: request refused"


def test_one_line_says_who_and_why(start):
    nginx = start()
    expect(fetch(nginx.port(), BROWSER.request("/", signature=flip_bit)),
           "bad-signature")
    line, = lines(nginx, REFUSED)
    assert "[notice]" in line
    assert ('reason=bad-signature tag="agent-browser-auth" keyid="%s" '
            'directory=visa authority="shop.test"'
            % BROWSER.keyid) in line.replace(
                BROWSER.sig().key.thumbprint, str(BROWSER.keyid))


@pytest.mark.parametrize("location, level, logged", [
    ("/", "notice", 1), ("/", "warn", 0), ("/warn/", "warn", 1),
    ("/warn/", "error", 0), ("/info/", "notice", 0), ("/info/", "info", 1)])
def test_the_operator_chooses_the_level(start, location, level, logged):
    nginx = start(level)
    assert fetch(nginx.port(), Request(target=location)).status == 403
    assert len(lines(nginx, REFUSED)) == logged


def test_dry_run_is_told(start):
    nginx = start()
    fetch(nginx.port(), Request(target="/dry/"))
    assert REFUSED + ", dry run, reason=no-signature" in nginx.error_log


def test_what_is_let_in_is_not_logged(start):
    nginx = start()
    expect(fetch(nginx.port(), PAYER.request("/")), "ok")
    assert not lines(nginx, "web_bot_auth: ")[1:]   # a plain listener's warning


def test_strangers_text_is_escaped_and_cut(start):
    nginx = start()
    fetch(nginx.port(), BROWSER.request(
        "/", keyid='a"b\\c' + "x" * 300, signature=flip_bit))
    line, = lines(nginx, REFUSED)
    assert 'keyid="a\\x22b\\x5cc' + "x" * 75 + '..."' in line


def test_a_flood_is_counted(start):
    """1,500 refusals: a thousand lines and few more, the rest by number."""
    nginx = start()
    connection = Connection(nginx.port())
    for _ in range(1500):
        connection.send(Request())
        assert connection.receive().status == 403
    connection.close()

    def counted():
        return sum(map(int, re.findall(
            r"\[warn\].*web_bot_auth: (\d+) refusals were not logged",
            nginx.error_log)))
    wait_for("all to be accounted for",
             lambda: counted() + len(lines(nginx, REFUSED)) == 1500)
    assert 1000 <= len(lines(nginx, REFUSED)) < 1300
    assert len(lines(nginx, "were not logged")) < 20
    # Later ones are told again, each by its line.
    before = len(lines(nginx, REFUSED))
    wait_for("the allowance to come back", lambda: (
        fetch(nginx.port(), Request()),
        len(lines(nginx, REFUSED)) > before)[1])


def test_debug_shows_every_step(start):
    nginx = start("debug")
    expect(fetch(nginx.port(), PAYER.request("/shelf?q=1")), "ok")
    said = [re.sub(r".*web_bot_auth: ", "", line)
            for line in lines(nginx, " web_bot_auth: ")]
    said = said[said.index("wants a key"):]
    assert said[:3] == ["wants a key", "wants its nonces recorded",
                        "wants nothing more"]
    assert said[3] == 'signature "sig1" is verified: ok'
    assert said[4] == 'base: "@authority": shop.test'
    assert said[5] == 'base: "@path": /shelf'
    assert said[6].startswith('base: "@signature-params": (')
    assert said[7] == "reason ok, decision allow"


def test_nonces_and_signatures_are_debugs_alone(start):
    nginx = start("info")
    request = BROWSER.request("/", nonce="very-secret-nonce")
    expect(fetch(nginx.port(), request), "ok")
    expect(fetch(nginx.port(), request), "nonce-replayed")
    assert "very-secret-nonce" not in nginx.error_log
    signature = dict(request.headers)["Signature"].split(":")[1]
    assert signature not in nginx.error_log
