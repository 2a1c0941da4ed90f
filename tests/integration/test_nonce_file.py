# SPDX-License-Identifier: BSD-2-Clause
"""web_bot_auth_zone ... file=PATH: nonces survive restarts and upgrades."""

import os
import pathlib
import signal
import struct
import subprocess

import pytest

from harness.agents import BROWSER
from harness.client import fetch
from harness.expect import expect
from harness.nginx import GLOBALS, accepts, wait_for

CONF = """
%%GLOBALS%%
worker_processes 2;
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_zone %%ZONE%%;
    web_bot_auth_clock_skew 0;
    web_bot_auth on;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        server_name shop.test;
        location / { %%OK%% }
    }
}
"""
FILE = "1m file=%%DIR%%/nonces"


@pytest.fixture
def start(serve):
    started = []

    def run(zone=FILE):
        nginx = serve(CONF, ZONE=zone)
        started.append(nginx)
        return nginx

    yield run
    for nginx in started:
        nginx.stop()
        serve.all.remove(nginx)


def ask(nginx, **over):
    return fetch(nginx.port(), BROWSER.request(**over))


def warm(nginx):
    """Until the table is not cold any more; the request that passed."""
    def passes():
        request = BROWSER.request()
        return request if fetch(nginx.port(), request).status == 200 else None
    return wait_for("a warm table", passes, 5)


def stop(nginx, how=signal.SIGTERM):
    nginx.process.send_signal(how)
    nginx.process.wait(20)


def log_since(nginx, mark):
    return nginx.error_log[mark:]


def restart(nginx, how=signal.SIGTERM):
    stop(nginx, how)
    mark = len(nginx.error_log)
    nginx.start()
    return mark


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGQUIT])
def test_a_restart_keeps_the_nonces(start, how):
    nginx = start()
    used = warm(nginx)
    fresh = BROWSER.request()           # signed before the restart, not used
    mark = restart(nginx, how)
    expect(fetch(nginx.port(), used), "nonce-replayed")
    expect(fetch(nginx.port(), fresh), "ok")
    assert "are kept" in log_since(nginx, mark)
    mode = (nginx.dir / "nonces").stat().st_mode & 0o777
    assert mode == 0o600


def test_without_a_file_a_restart_is_cold(start):
    nginx = start("1m")
    used = warm(nginx)
    restart(nginx)
    expect(fetch(nginx.port(), used), "nonce-store-cold")


def test_a_crash_keeps_the_nonces(start):
    """Master and workers killed."""
    nginx = start()
    used = warm(nginx)
    pids = [nginx.process.pid, *nginx.workers()]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    nginx.process.wait(10)
    wait_for("the port", lambda: not accepts(nginx.port()))
    nginx.start()
    expect(fetch(nginx.port(), used), "nonce-replayed")
    warm(nginx)


def test_locks_that_a_copy_found_held(start):
    """A file that was copied while in use, and put back: no worker waits for
    whoever held its locks then."""
    nginx = start()
    used = warm(nginx)
    stop(nginx)
    path = nginx.dir / "nonces"
    data = bytearray(path.read_bytes())
    partitions, = struct.unpack_from("=I", data, 4096 + 16)
    assert 1 <= partitions <= 1024
    for i in range(partitions):     # held by a thread that lives
        struct.pack_into("=I", data, 4096 + 128 + 64 * i, os.getpid())
    path.write_bytes(data)
    nginx.start()
    expect(fetch(nginx.port(), used), "nonce-replayed")
    expect(ask(nginx), "ok")


def damage(at):
    def change(path):
        data = bytearray(path.read_bytes())
        data[at] ^= 1
        path.write_bytes(data)
    return change


def shorten(path):
    os.truncate(path, 5000)


def foreign(path):
    path.write_bytes(b"hello" * 100000)


def given_away(path):
    """Whoever could write into the folder may have put it there, with nonces
    that he takes out again.  Only root can give it away."""
    if os.geteuid() == 0:
        os.chown(path, 12345, -1)
    else:
        path.chmod(0o606)


@pytest.mark.parametrize("change, word", [
    (given_away, "somebody else"),
    (lambda path: path.chmod(0o620), "somebody else"),
    (lambda path: path.chmod(0o602), "somebody else"),
    (damage(20), "started anew"), (damage(4096 + 32), "damaged"),
    (shorten, "size"), (foreign, "no nonce file")])
def test_what_cannot_be_used_begins_anew_and_cold(start, change, word):
    nginx = start()
    used = warm(nginx)
    stop(nginx)
    change(nginx.dir / "nonces")
    mark = len(nginx.error_log)
    nginx.start()
    expect(fetch(nginx.port(), used), "nonce-store-cold")
    said = log_since(nginx, mark)
    assert "[warn]" in said and word in said and "cold" in said
    used = warm(nginx)
    restart(nginx)
    expect(fetch(nginx.port(), used), "nonce-replayed")


def test_another_size_begins_anew(start):
    nginx = start()
    used = warm(nginx)
    nginx.values["ZONE"] = "2m file=%%DIR%%/nonces"
    nginx.configure(CONF)
    mark = restart(nginx)
    expect(fetch(nginx.port(), used), "nonce-store-cold")
    assert "another size" in log_since(nginx, mark)


def test_a_second_nginx_is_refused(start, serve):
    nginx = start()
    used = warm(nginx)
    second = serve.make(CONF, ZONE="1m file=%s/nonces" % nginx.dir)
    with pytest.raises(AssertionError):
        second.start()
    assert "another nginx uses" in second.error_log
    second.expect(r"another nginx uses")
    expect(fetch(nginx.port(), used), "nonce-replayed")
    warm(nginx)


@pytest.mark.parametrize("path, word", [
    ("%%DIR%%/absent/nonces", "folder"), ("%%DIR%%/keys", "cannot be used")])
def test_a_place_that_cannot_be(serve, path, word):
    nginx = serve.make(CONF, ZONE="1m file=" + path)
    with pytest.raises(AssertionError):
        nginx.start()
    assert word in nginx.error_log
    nginx.expect(r"for nonces")


def test_a_symlink_is_not_followed(serve):
    nginx = serve.make(CONF, ZONE=FILE)
    nginx.write("elsewhere", "precious")
    (nginx.dir / "nonces").symlink_to(nginx.dir / "elsewhere")
    with pytest.raises(AssertionError):
        nginx.start()
    nginx.expect(r"for nonces")
    assert (nginx.dir / "elsewhere").read_text() == "precious"


def test_nginx_t_touches_nothing(start, serve):
    nginx = serve.make(CONF, ZONE=FILE)
    assert nginx.test()[0]
    assert not (nginx.dir / "nonces").exists()
    nginx.start()
    used = warm(nginx)
    before = (nginx.dir / "nonces").read_bytes()
    assert nginx.test()[0]
    assert (nginx.dir / "nonces").read_bytes() == before
    expect(fetch(nginx.port(), used), "nonce-replayed")


def test_reload_keeps_it(start):
    nginx = start()
    used = warm(nginx)
    for _ in range(3):
        nginx.reload(wait_old=True)
        expect(fetch(nginx.port(), used), "nonce-replayed")
        expect(ask(nginx), "ok")


def test_reload_to_a_file_and_back(start):
    """Each change of the place is a cold start; nothing is accepted twice."""
    nginx = start("1m")
    used = [warm(nginx)]
    for zone in (FILE, "1m", "1m file=%%DIR%%/other", FILE):
        nginx.values["ZONE"] = zone
        nginx.configure(CONF)
        nginx.reload(wait_old=True)
        for request in used:
            response = fetch(nginx.port(), request)
            assert response.header("X-reason") in (
                "nonce-replayed", "nonce-store-cold"), response
        used.append(warm(nginx))


def test_binary_upgrade(serve):
    """USR2: both masters run on one table; then the old one goes.  nginx takes
    USR2 as a daemon only."""
    nginx = serve.make(CONF.replace("%%GLOBALS%%", "%%GLOBALS_%%"), ZONE=FILE,
                       GLOBALS_=GLOBALS.replace("daemon off;", ""))
    pid_file = nginx.dir / "logs/nginx.pid"

    def master(but=0):
        pid = int(pid_file.read_text() or 0) if pid_file.exists() else 0
        return pid if pid != but else 0

    def ended(pid):
        return not pathlib.Path("/proc/%d" % pid).exists()

    subprocess.run(nginx.command(), check=True, timeout=20,
                   env=nginx.environment())
    old = new = wait_for("the master", master)
    try:
        wait_for("nginx to listen", lambda: accepts(nginx.port()))
        used = warm(nginx)
        os.kill(old, signal.SIGUSR2)
        new = wait_for("the new master", lambda: master(old))
        wait_for("its start", lambda: "are kept" in nginx.error_log)
        for _ in range(10):
            expect(fetch(nginx.port(), used), "nonce-replayed")
            request = BROWSER.request()
            expect(fetch(nginx.port(), request), "ok")
            expect(fetch(nginx.port(), request), "nonce-replayed")
        os.kill(old, signal.SIGQUIT)
        wait_for("the old master to end", lambda: ended(old))
        expect(fetch(nginx.port(), used), "nonce-replayed")
        expect(ask(nginx), "ok")

        second = serve.make(CONF, ZONE="1m file=%s/nonces" % nginx.dir)
        with pytest.raises(AssertionError):
            second.start()
        assert "another nginx uses" in second.error_log
        second.expect(r"another nginx uses")
    finally:
        os.kill(new, signal.SIGTERM)
        wait_for("the new master to end", lambda: ended(new))
