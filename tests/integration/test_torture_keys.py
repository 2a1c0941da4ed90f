# SPDX-License-Identifier: BSD-2-Clause
"""Keys that must be fetched, while each allocation and each system call that
the fetch causes fails in turn: whoever waits is answered, the keys at hand
stay in use, and the next fetch brings what this one did not."""

import json
import time

import pytest

from harness.agents import BROWSER
from harness.client import Connection, fetch
from harness.expect import expect
from harness.shops import DISCOVERY, REMOTE, Found, becomes
from harness.signer import Key, Request, flip_bit, jwks
from harness.torture import Torture, verdict

HOST = "bot.test"
INTERVAL = 310      # seconds: more than "refresh" has, and than any pause

STATE = "web_bot_auth_state_path %%DIR%%/state;"
STATUS = """
    server {
        listen 127.0.0.1:%%PORT_JSON%%;
        web_bot_auth off;
        location / { web_bot_auth_status json; }
    }
"""

# What an agent is told whose keys could not be fetched.
UNFETCHED = ("directory-unavailable", "key-unknown")

# Where libcurl 7.88's thread that looks up names cannot wake the main one, what
# it has found is lost.
LOSSY = ("send",)


class Keys:
    """One worker, and the shop whose requests need a fetch each."""

    def __init__(self, shop, faults):
        self.shop = shop
        self.nginx = shop.nginx
        self.torture = Torture(faults, shop.nginx)
        self.pid = self.torture.pid

    def known(self):
        """Nobody else is disturbed, at any time."""
        expect(self.shop.send(BROWSER.request()), "ok")
        expect(self.shop.send(BROWSER.request(signature=flip_bit)),
               "bad-signature")

    def check(self):
        self.torture.check_idle("PORT_STATUS")
        status = json.loads(fetch(self.nginx.port("PORT_JSON"),
                                  Request()).body)
        assert not any(d.get("fetching") for d in status["directories"])
        assert self.torture.pid == self.pid


@pytest.fixture
def remote(shop, faults):
    """A set with another key for each request."""
    faults.host(HOST, "127.0.0.1")
    path = "/keys"
    s = shop(names=faults, path=path, WORKERS=1, SOURCE=REMOTE,
             URL=shop.directory.url(path, HOST), MORE=STATE + STATUS,
             TIMEOUT="2s", WAIT="5s")
    s.serve(headers=(("Connection", "close"),))
    s.loaded()
    keys = Keys(s, faults)
    yield keys
    keys.check()


def advance(s, seconds):
    s.nginx.names.advance(seconds)
    time.sleep(0.03)    # the preloaded clock looks that often
    s.send(Request())


def renew(s):
    s.key = Key()
    s.serve(body=jwks(s.key))
    advance(s, INTERVAL)


def test_directory(remote):
    s = remote.shop

    def act():
        renew(s)
        return s.ask()

    def recovered():
        remote.known()
        s.key = Key()
        s.serve(body=jwks(s.key))
        becomes(lambda: (advance(s, INTERVAL), s.ask())[1], "ok")
        remote.known()

    remote.torture.sweep(act, verdict("ok", allow=UNFETCHED), recovered,
                         lossy=LOSSY, least=4000)


def test_a_socket_that_may_block(remote):
    """libcurl does not look whether it could make a socket non-blocking: a
    directory that hangs must not hold up the worker."""
    s = remote.shop

    def act():
        s.serve(hang=True)
        advance(s, INTERVAL)
        with Connection(s.nginx.port()) as c:
            c.send(s.request(key=Key()))
            remote.known()
            advance(s, 3)
            return c.receive()

    def recovered():
        s.directory.release()
        becomes(lambda: (advance(s, INTERVAL), s.ask())[1], "ok")

    remote.torture.sweep(act, verdict("key-unknown", allow=UNFETCHED),
                         recovered, ["system calls"], every=True,
                         only="fcntl")


@pytest.fixture
def found(shop, faults):
    faults.host(HOST, "93.184.216.34")
    s = shop.discovering(faults, "any; new_per_minute 1000; max_directories 1;",
                         MORE=STATUS, TIMEOUT="2s", WAIT="5s")
    keys = Keys(s, faults)
    yield keys
    keys.check()


def test_discovery(found):
    """An agent that nobody has seen before, each time."""
    s = found.shop
    count = 0

    def agent():
        nonlocal count
        count += 1
        advance(s, 70)  # the places of those before are free
        return Found(s.directory, None, HOST, path="/%d" % count)

    def act():
        return s.send(agent().request())

    def recovered():
        found.known()
        new = agent()
        becomes(lambda: (advance(s, INTERVAL),
                         s.send(new.request()))[1], "ok")
        found.known()

    found.torture.sweep(act, verdict("ok", allow=(
        *UNFETCHED, "discovery-limit")), recovered, lossy=LOSSY,
                        least=4000)
