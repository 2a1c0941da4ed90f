# SPDX-License-Identifier: BSD-2-Clause
"""Workers killed at any moment: nothing stays locked, leased or forgotten."""

import collections
import mmap
import struct
import threading

import pytest

from harness.agents import BROWSER
from harness.client import Connection, fetch
from harness.expect import expect, seen
from harness.names import Names
from harness.nginx import wait_for
from harness.plugin import shim
from harness.signer import Key, jwks

CONF = """
%%GLOBALS%%
worker_processes 2;
events {}
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
    web_bot_auth_wait 10s;
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth on;
    %%ECHO%%
    add_header X-Worker $pid always;
    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        server_name shop.test;
        location / { %%OK%% }
    }
}
"""

KEY = Key()


@pytest.fixture
def nginx(serve, directory, authority):
    directory.serve("/keys", body=jwks(KEY), status=200, hang=True)
    directory.log.clear()
    nginx = serve(CONF, URL=directory.url("/keys"), CA=authority.ca)
    yield nginx
    directory.release()
    nginx.stop()
    serve.all.remove(nginx)


def remote(key=KEY):
    return BROWSER.request(key=key, keyid=key.thumbprint, tag="remote")


def kill(nginx, pid):
    nginx.kill_worker(pid)
    wait_for("another worker", lambda: len(nginx.workers()) == 2)


def becomes_ok(nginx, key=KEY):
    wait_for("the directory to be usable",
             lambda: seen(fetch(nginx.port(), remote(key)))[0] == "ok")


@pytest.mark.parametrize("which", [0, 1])
def test_with_requests_waiting_for_a_directory(nginx, directory, which):
    """One of the two holds the lease; whichever dies, its own requests end
    and everybody else's are answered."""
    waiting = [Connection(nginx.port()) for _ in range(20)]
    for c in waiting:
        c.send(remote())
    wait_for("the fetch", lambda: directory.count("/keys"))
    kill(nginx, sorted(nginx.workers())[which])
    directory.release()
    got = [c.receive() for c in waiting]
    for c in waiting:
        c.close()
    assert {seen(r)[0] for r in got if r.status} == {"ok"}
    assert {r.status for r in got} == {0, 200}      # each worker had some
    becomes_ok(nginx)


def test_both_in_the_middle_of_a_fetch(nginx, directory):
    wait_for("the fetch", lambda: directory.count("/keys"))
    for pid in nginx.workers():
        nginx.kill_worker(pid)
    wait_for("new workers", lambda: len(nginx.workers()) == 2)
    directory.release()
    becomes_ok(nginx)


def test_keys_and_nonces_outlive_workers(nginx, directory):
    directory.release()
    becomes_ok(nginx)
    used = [remote() for _ in range(20)]
    for request in used:
        expect(fetch(nginx.port(), request), "ok")
    directory.serve("/keys", status=500)
    for pid in nginx.workers():
        nginx.kill_worker(pid)
    wait_for("new workers", lambda: len(nginx.workers()) == 2)
    for request in used:
        expect(fetch(nginx.port(), request), "nonce-replayed")
    expect(fetch(nginx.port(), remote()), "ok")


def test_again_and_again_under_load(nginx, directory):
    """No nonce passes twice, and none is refused that was never answered
    for, however often workers die while they record."""
    directory.release()
    becomes_ok(nginx)
    stop, tries = threading.Event(), []

    def traffic():
        while not stop.is_set():
            request, got = BROWSER.request(), []
            for _ in range(3):
                try:
                    got.append(seen(fetch(nginx.port(), request))[0])
                except ConnectionError:
                    got.append("")
            tries.append(got)

    threads = [threading.Thread(target=traffic) for _ in range(4)]
    for t in threads:
        t.start()
    for i in range(8):
        before = len(tries)
        wait_for("traffic", lambda: len(tries) > before + 50)
        kill(nginx, sorted(nginx.workers())[i % 2])
    stop.set()
    for t in threads:
        t.join()
    seen_reasons = collections.Counter(r for got in tries for r in got)
    assert set(seen_reasons) <= {"ok", "nonce-replayed", ""}
    assert max(got.count("ok") for got in tries) == 1
    # an answer that got lost may have been the one that passed
    assert all("ok" in got or "" in got for got in tries)
    becomes_ok(nginx)


class Dies(Names):
    """As names, for serve(..., names=dies), by shims/dies.c."""

    def __init__(self, library):
        super().__init__(library)
        self.path = self.dir / "dies"
        self.path.write_bytes(bytes(8))
        self.path.chmod(0o666)
        with open(self.path, "r+b") as f:
            self.memory = mmap.mmap(f.fileno(), 8)

    def environment(self):
        return {"WBA_TEST_DIES": str(self.path)}

    def ask(self, locked=0, unlocked=0):
        """Who takes, or gives back, that lock dies."""
        self.memory[:] = struct.pack("=ii", locked, unlocked)

    def close(self):
        self.memory.close()
        super().close()


@pytest.fixture
def dies(binaries):
    table = Dies(shim(binaries, "dies"))
    yield table
    table.close()


@pytest.mark.parametrize("how", ["locked", "unlocked"])
@pytest.mark.parametrize("times", [1, 2])
def test_in_the_lock(serve, directory, authority, dies, how, times):
    """While keys are leased, fetched and published; the lock is taken from
    whoever died with it, and what that one had begun is looked at anew."""
    keys = [KEY, Key()]
    directory.serve("/keys", body=jwks(*keys), status=200, hang=False)
    nginx = serve(CONF, URL=directory.url("/keys"), CA=authority.ca,
                  names=dies)
    becomes_ok(nginx)
    for _ in range(2):
        was = set(nginx.workers())
        nginx.expect(r"worker process \d+ exited on signal 9")
        dies.ask(**{how: times})
        wait_for("a worker to die", lambda: was - set(nginx.workers()))
        wait_for("another worker", lambda: len(nginx.workers()) == 2)
        becomes_ok(nginx)
        # what is published from now on is seen by all
        keys[1] = Key()
        directory.serve("/keys", body=jwks(*keys), status=200)
        becomes_ok(nginx, keys[1])
        for key in keys * 10:
            expect(fetch(nginx.port(), remote(key)), "ok")
    nginx.stop()
    serve.all.remove(nginx)
