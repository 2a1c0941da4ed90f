# SPDX-License-Identifier: BSD-2-Clause
"""worker_connections used up: a fetch finds no connection, which is the
directory's being unavailable, and recovers by itself."""

import select

import pytest

from harness.agents import BROWSER
from harness.client import Connection, fetch
from harness.expect import expect, seen
from harness.nginx import wait_for
from harness.signer import Key, jwks

CONF = """
%%GLOBALS%%
worker_processes 1;
events { worker_connections 16; }
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_directory remote {
        url %%URL%%;
        profile tap;
        tags remote;
        timeout 2s;
        refresh 1s 1s;
    }
    web_bot_auth_trusted_certificate %%CA%%;
    web_bot_auth_wait 500ms;
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth on;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test;
        location / { %%OK%% }
    }
}
"""

KEY = Key()


@pytest.fixture
def nginx(serve, directory, authority):
    # each fetch on a connection of its own, for want of which it may fail
    directory.serve("/keys", body=jwks(KEY), status=200,
                    headers=(("Connection", "close"),))
    nginx = serve(CONF, URL=directory.url("/keys"), CA=authority.ca)
    nginx.expect(r"worker_connections are not enough")
    yield nginx
    nginx.stop()
    serve.all.remove(nginx)


def remote():
    return BROWSER.request(key=KEY, keyid=KEY.thumbprint, tag="remote")


def refused(connection):
    """Whether nginx closes the connection at once."""
    readable, _, _ = select.select([connection.socket], [], [], 0.05)
    return bool(readable)


def exhaust(nginx):
    """Half a request on each connection until nginx takes no more, and one
    connection beside them which still gets answers."""
    first = Connection(nginx.port())
    first.send(BROWSER.request())
    expect(first.receive(), "ok")
    first.send(b"GET / HTTP/1.1\r\n")
    held = []
    while sum(refused(c) for c in held[-3:]) < 3:
        assert len(held) < 40
        held.append(Connection(nginx.port()))
        held[-1].send(b"GET / HTTP/1.1\r\nHost: ")
    return first, held


def test_a_refresh_that_finds_no_connection(nginx, directory):
    """The keys stay, the connection at hand is served, and later refreshes
    succeed."""
    wait_for("the keys",
             lambda: seen(fetch(nginx.port(), remote()))[0] == "ok")
    first, held = exhaust(nginx)
    try:
        log = len(nginx.error_log)
        wait_for("a refresh to fail", lambda: "could not be fetched"
                 in nginx.error_log[log:], 30)
        request = remote().raw().partition(b"\r\n")[2]
        first.send(request)     # the rest of what it began
        expect(first.receive(), "ok")
    finally:
        for c in [first, *held]:
            c.close()
    before = directory.count("/keys")
    wait_for("refreshes to succeed",
             lambda: directory.count("/keys") > before + 1, 30)
    wait_for("requests to be served",
             lambda: seen(fetch(nginx.port(), remote()))[0] == "ok")


def test_a_first_fetch_that_finds_no_connection(nginx, directory):
    directory.serve("/keys", status=500)
    first, held = exhaust(nginx)
    try:
        first.send(remote().raw().partition(b"\r\n")[2])
        response = first.receive()
        assert seen(response)[0] in ("directory-unavailable", "ok")
    finally:
        for c in [first, *held]:
            c.close()
    directory.serve("/keys", status=200)
    wait_for("the directory to be loaded",
             lambda: seen(fetch(nginx.port(), remote()))[0] == "ok", 30)
