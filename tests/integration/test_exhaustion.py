# SPDX-License-Identifier: BSD-2-Clause
"""What runs out for a while: descriptors, threads, disk.  Whoever asks is
answered meanwhile, and all is as before when it is there again.  (Workers'
connections: test_worker_connections.py; the nonce table: test_races.py; the
zone's room for keys: test_discovery_bounds.py; the disk under state files:
test_state_path.py; memory: test_torture_*.py.)"""

import os
import shutil
import subprocess

import pytest

from harness.agents import BROWSER, PAYER, TARGET
from harness.client import Connection, fetch
from harness.expect import expect, seen
from harness.faults import CALLS
from harness.nginx import wait_for
from harness.redis import Redis
from harness.shops import becomes
from harness.signer import Key, Request, content_digest, flip_bit, jwks

HOST = "bot.test"
HOUR = 3600


@pytest.fixture
def redis():
    server = Redis()
    yield server
    server.remove()


class Crowd:
    """Connections until the worker can open nothing more, and one that was
    there before."""

    def __init__(self, shop):
        self.shop = shop
        self.kept = self.connect()
        self.ask(BROWSER.request())
        self.others = []
        self.pid, = shop.nginx.workers()

    def connect(self):
        return Connection(self.shop.nginx.port())

    def ask(self, request):
        self.kept.send(request)
        return self.kept.receive()

    def come(self):
        def full():
            if len(os.listdir("/proc/%d/fd" % self.pid)) == DESCRIPTORS:
                return True
            self.others.append(self.connect())
            return False
        wait_for("all descriptors to be used", full)

    def go(self):
        for connection in self.others:
            connection.close()

    def close(self):
        self.go()
        self.kept.close()


DESCRIPTORS = 40
FEW = {"WORKERS": 1, "MAIN": "worker_rlimit_nofile %d;" % DESCRIPTORS,
       "MORE": "keepalive_timeout 3600s; client_header_timeout 3600s;"
               "open_file_cache max=10; open_file_cache_valid 1h;"}


def test_no_descriptors(shop, faults):
    """Keys at hand and nonces in memory need none; a fetch fails, its keys
    stay, and it succeeds as soon as there are some."""
    faults.host(HOST, "127.0.0.1")
    s = shop(names=faults, path="/keys", TIMEOUT="2s", REFRESH="1s 1s",
             URL=shop.directory.url("/keys", HOST), **FEW)
    s.nginx.expect(r"\(24: Too many open files\)")
    s.serve(headers=(("Connection", "close"),))
    s.loaded()
    known, s.key = s.key, Key()
    crowd = Crowd(s)
    crowd.come()
    s.serve(body=jwks(s.key, known))
    s.logged("directory remote", "could not be fetched",
             "its keys stay in use")
    for _ in range(20):
        request = s.request(key=known)
        expect(crowd.ask(request), "ok")
        expect(crowd.ask(request), "nonce-replayed")
        expect(crowd.ask(BROWSER.request()), "ok")
        expect(crowd.ask(s.request()), "key-unknown")
    crowd.go()
    becomes(lambda: crowd.ask(s.request()), "ok")
    becomes(s.ask, "ok")
    crowd.close()


@pytest.mark.parametrize("on_error,reason", [
    ("reject", "nonce-store-unavailable"), ("local", "ok")])
def test_no_descriptors_for_redis(shop, faults, redis, on_error, reason):
    """Its connection is lost, and another cannot be opened."""
    s = shop(names=faults, STORE="%s on_error=%s" % (redis.url(), on_error),
             **FEW)
    s.nginx.expect(r"\(24: Too many open files\)")
    becomes(lambda: s.send(BROWSER.request()), "ok")
    crowd = Crowd(s)
    crowd.come()
    log = len(s.nginx.error_log)

    def noticed():
        """Unless Redis's next connection is quicker than another guest's."""
        redis.command("CLIENT", "KILL", "TYPE", "normal")
        crowd.come()
        return "Too many open files" in s.nginx.error_log[log:].partition(
            "web_bot_auth: Redis")[2]
    wait_for("it to be noticed", noticed)
    request = BROWSER.request()
    expect(crowd.ask(request), reason)
    assert seen(crowd.ask(request))[0] != "ok"
    crowd.go()
    log = len(s.nginx.error_log)
    wait_for("the connection", lambda: (
        s.nginx.names.advance(6), crowd.ask(BROWSER.request()),
        "web_bot_auth: Redis" in s.nginx.error_log[log:])[2])
    for _ in range(20):
        request = BROWSER.request()
        expect(crowd.ask(request), "ok")
        expect(crowd.ask(request), "nonce-replayed")
    crowd.close()


def test_no_threads(shop, faults):
    """For looking up a name."""
    faults.host(HOST, "127.0.0.1")
    s = shop(names=faults, path="/keys", WORKERS=1,
             URL=shop.directory.url("/keys", HOST), TIMEOUT="2s")
    s.serve(headers=(("Connection", "close"),))
    s.loaded()
    known, s.key = s.key, Key()
    s.serve(body=jwks(s.key, known))
    with faults.failing(CALLS, only="pthread_create", at=1, onward=True):
        s.advance(HOUR)
        s.logged("directory remote", "could not be fetched",
                 "its keys stay in use")
        expect(s.ask(), "key-unknown")
        assert faults.failed >= 1
        expect(s.ask(key=known), "ok")
    becomes(lambda: (s.nginx.names.advance(310), s.ask())[1], "ok")


# A disk that is full

DISK = """
%%GLOBALS%%
worker_processes 1;
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    client_body_buffer_size 1k;
    web_bot_auth_zone 1m file=%%DIR%%/disk/%%FILE%%;
    web_bot_auth_clock_skew 0;
    web_bot_auth on;
    %%ECHO%%
    error_log %%DIR%%/disk/error.log info;
    access_log %%DIR%%/disk/access.log;
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test;
        client_body_temp_path %%DIR%%/disk/body;
        error_page 405 =200 /ok.txt;
        location / { %%OK%% }
    }
}
"""


class Disk:
    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=777",
                           "tmpfs", str(folder)], check=False,
                          capture_output=True).returncode != 0:
            pytest.skip("no tmpfs may be mounted here")

    def fill(self):
        with open(self.folder / "filler", "ab", buffering=0) as f:
            try:
                while True:
                    f.write(bytes(4096))
            except OSError:
                pass

    def empty(self):
        (self.folder / "filler").unlink()


@pytest.fixture
def full(serve):
    """An nginx that is configured, and its disk."""
    nginx = serve.make(DISK, FILE="nonces")
    nginx.expect(r"\(28: No space left on device\)")
    disk = Disk(nginx.dir / "disk")
    yield nginx, disk
    try:
        nginx.stop()
    finally:
        serve.all.remove(nginx)
        subprocess.run(["umount", str(disk.folder)], check=True)
        shutil.rmtree(nginx.dir, ignore_errors=True)


def warm(nginx):
    wait_for("a warm table", lambda: fetch(
        nginx.port(), BROWSER.request()).status == 200, 10)


def test_start_on_a_full_disk(full):
    """The nonces' space is taken at the start: a start says what is wrong,
    and what has started does not stumble later."""
    nginx, disk = full
    disk.fill()
    with pytest.raises(AssertionError):
        nginx.start()
    assert "its folder must exist and have room" in nginx.error_log
    assert nginx.process.wait(10) == 1
    assert sorted(os.listdir(disk.folder)) == [
        "access.log", "body", "error.log", "filler"]
    disk.empty()
    nginx.start()
    warm(nginx)
    disk.fill()
    for _ in range(2000):
        expect(fetch(nginx.port(), BROWSER.request()), "ok")


def test_reload_on_a_full_disk(full):
    """To another file, for which there is no room: nonces are remembered in
    memory, and no used one is forgotten; until a reload finds room."""
    nginx, disk = full
    nginx.start()
    warm(nginx)
    used = [BROWSER.request() for _ in range(20)]
    for request in used:
        expect(fetch(nginx.port(), request), "ok")
    disk.fill()
    nginx.values["FILE"] = "others"
    nginx.configure(DISK)
    mark = len(nginx.error_log)
    nginx.reload(wait_old=True)
    assert "nonces are remembered in memory only" in nginx.error_log[mark:]
    for request in used:
        assert seen(fetch(nginx.port(), request))[0] == "nonce-store-cold"
    warm(nginx)
    used.append(BROWSER.request())
    expect(fetch(nginx.port(), used[-1]), "ok")

    disk.empty()
    nginx.reload(wait_old=True)
    for request in used:
        assert seen(fetch(nginx.port(), request))[0] == "nonce-store-cold"
    warm(nginx)
    assert {"nonces", "others"} <= set(os.listdir(disk.folder))


def test_body_on_a_full_disk(full):
    """nginx cannot keep the body: it says so, as it does without us."""
    nginx, disk = full
    nginx.start()
    warm(nginx)
    body = b"x" * 100000

    def post():
        return fetch(nginx.port(), PAYER.request(
            "/", "POST", body=body, components=TARGET + ("content-digest",),
            headers=[("Content-Digest", content_digest(body))]))

    expect(post(), "ok")
    wait_for("nginx to find no room for it", lambda: (
        disk.fill(), post().status)[1] in (500, 503))
    expect(fetch(nginx.port(), BROWSER.request()), "ok")
    expect(fetch(nginx.port(), Request()), "no-signature")
    disk.empty()
    expect(post(), "ok")


def test_logs_on_a_full_disk(full):
    """Nobody is told any more who was refused, but all are as before; and when
    there is room, the next is told."""
    nginx, disk = full
    nginx.start()
    warm(nginx)
    log = disk.folder / "error.log"

    def forged():
        expect(fetch(nginx.port(), BROWSER.request(signature=flip_bit)),
               "bad-signature")
        return log.read_text("latin-1").count("bad-signature")

    wait_for("a line", lambda: forged() > 0)
    workers = nginx.workers()
    disk.fill()
    wait_for("no room for a line", lambda: forged() == forged())
    for _ in range(200):
        expect(fetch(nginx.port(), BROWSER.request()), "ok")
        forged()
        expect(fetch(nginx.port(), Request()), "no-signature")
    disk.empty()
    told = forged()
    wait_for("a line", lambda: forged() > told)
    assert nginx.workers() == workers
