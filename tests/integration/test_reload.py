# SPDX-License-Identifier: BSD-2-Clause
"""Reloads: under traffic nobody notices; new settings and keys count; a wrong
configuration changes nothing."""

import collections
import os
import threading

import pytest

from harness.agents import BROWSER, STRANGER_KEY, VISA_KEY
from harness.client import Connection, fetch
from harness.expect import expect, seen
from harness.nginx import SANITIZED, wait_for
from harness.signer import jwks

CONF = """
%%GLOBALS%%
worker_processes 2;
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    %%EXTRA%%
    web_bot_auth_zone %%ZONE%%;
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth %%MODE%%;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test;
        location / { %%OK%% }
    }
}
"""
PLAIN = {"MODE": "on", "ZONE": "8m", "EXTRA": ""}


@pytest.fixture(scope="module")
def nginx(serve):
    return serve(CONF, **PLAIN)


@pytest.fixture(autouse=True)
def plain_again(nginx):
    yield
    change(nginx)


def change(nginx, **values):
    nginx.values = {**PLAIN, **values}
    nginx.configure(CONF)
    nginx.reload()


def test_with_traffic(nginx):
    """Each request is sent twice, on one connection or two, all through five
    reloads: the first passes, the second never does."""
    stop, answers, failures = threading.Event(), collections.Counter(), []

    def traffic():
        while not stop.is_set():
            request = BROWSER.request()
            try:
                for _ in range(2):
                    answers[seen(fetch(nginx.port(), request))] += 1
            except Exception as e:  # pylint: disable=broad-except
                failures.append(e)

    threads = [threading.Thread(target=traffic) for _ in range(4)]
    for t in threads:
        t.start()
    for _ in range(5):
        before = sum(answers.values())
        nginx.reload(wait_old=True)
        wait_for("more traffic", lambda: sum(answers.values()) > before + 100)
    stop.set()
    for t in threads:
        t.join()
    assert not failures
    first, second = ("ok", "allow"), ("nonce-replayed", "deny")
    assert set(answers) == {first, second}
    assert answers[first] == answers[second] > 250


def test_an_old_worker_s_connection(nginx):
    """What an old worker accepts, a new one has seen, and the other way
    round, as long as the zone is the same."""
    request, other = BROWSER.request(), BROWSER.request()
    raw = request.raw()
    with Connection(nginx.port()) as c:
        c.send(raw[:20])
        old = wait_for("the connection to be accepted",
                       lambda: nginx.workers())
        fetch(nginx.port(), other)
        nginx.reload()
        c.send(raw[20:])
        response = c.receive()
    assert old and not old & nginx.workers()
    if response.status:         # else it was accepted by a new worker's kin
        expect(response, "ok")
        expect(fetch(nginx.port(), request), "nonce-replayed")
    expect(fetch(nginx.port(), other), "nonce-replayed")


def test_new_settings(nginx):
    request = BROWSER.request()
    change(nginx, MODE="off")
    assert fetch(nginx.port(), request).header("X-result") == ""
    change(nginx)
    expect(fetch(nginx.port(), request), "ok")


def test_a_file_s_new_keys(nginx):
    new = {"key": STRANGER_KEY, "keyid": "visa-2"}
    expect(fetch(nginx.port(), BROWSER.request(**new)), "key-unknown")
    nginx.write("keys/visa.json", jwks(STRANGER_KEY.jwk(kid="visa-2")))
    expect(fetch(nginx.port(), BROWSER.request(**new)), "key-unknown")
    nginx.reload()
    expect(fetch(nginx.port(), BROWSER.request(**new)), "ok")
    expect(fetch(nginx.port(), BROWSER.request()), "key-unknown")
    nginx.write("keys/visa.json", jwks(VISA_KEY.jwk(kid="visa-1")))


def refused_reload(nginx):
    """A reload that must fail: the workers stay."""
    nginx.expect(r"\[emerg\]")
    old, since = nginx.workers(), nginx.error_log.count("[emerg]")
    nginx.process.send_signal(1)
    wait_for("the complaint",
             lambda: nginx.error_log.count("[emerg]") > since)
    assert nginx.workers() == old


@pytest.mark.parametrize("values", [
    {"MODE": "sometimes"},
    {"EXTRA": "web_bot_auth_directory visa { url file:/x; profile tap; }"},
    {"EXTRA": "web_bot_auth_directory x { url file:/absent; profile tap; }"},
])
def test_a_wrong_configuration_changes_nothing(nginx, values):
    request = BROWSER.request()
    expect(fetch(nginx.port(), request), "ok")
    nginx.values = {**PLAIN, **values}
    nginx.configure(CONF)
    refused_reload(nginx)
    expect(fetch(nginx.port(), request), "nonce-replayed")
    expect(fetch(nginx.port(), BROWSER.request()), "ok")


def test_directories_that_come_and_go(nginx):
    extra = ("web_bot_auth_directory extra { url file:%%DIR%%/keys/extra.json;"
             " profile tap; tags extra; }")
    nginx.write("keys/extra.json", jwks(STRANGER_KEY))
    request = {"key": STRANGER_KEY, "keyid": STRANGER_KEY.thumbprint,
               "tag": "extra"}
    expect(fetch(nginx.port(), BROWSER.request(**request)), "no-served-tag")
    change(nginx, EXTRA=extra)
    expect(fetch(nginx.port(), BROWSER.request(**request)), "ok")
    change(nginx)
    expect(fetch(nginx.port(), BROWSER.request(**request)), "no-served-tag")


def test_another_zone(nginx):
    """Its size changes: new memory, in which nothing is known yet."""
    change(nginx, ZONE="16m")
    request = BROWSER.request()
    expect(fetch(nginx.port(), request), "ok")
    expect(fetch(nginx.port(), request), "nonce-replayed")


@pytest.mark.skipif(SANITIZED, reason="ASan keeps what was freed")
def test_many_reloads_leak_nothing(nginx):
    """Neither the master's memory nor its descriptors grow."""
    def usage():
        proc = "/proc/%d/" % nginx.process.pid
        with open(proc + "statm") as f:
            pages = int(f.read().split()[1])
        return pages, len(os.listdir(proc + "fd"))

    for _ in range(5):
        nginx.reload()
    before = usage()
    for _ in range(15):
        nginx.reload()
    pages, descriptors = usage()
    wait_for("descriptors to be closed", lambda: usage()[1] <= before[1])
    assert pages <= before[0] + 250     # 1 MB
    assert descriptors <= before[1] + 4
    expect(fetch(nginx.port(), BROWSER.request()), "ok")
