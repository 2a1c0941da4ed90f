# SPDX-License-Identifier: BSD-2-Clause
"""Keys that outlive outages, restarts, reloads and workers; and state files
that are not what they should be."""

import os
import pathlib
import shutil
import signal
import stat
import subprocess
import time

import pytest

from harness.expect import expect
from harness.nginx import wait_for
from harness.shops import answers
from harness.signer import Key, jwks

PATH = "web_bot_auth_state_path %%DIR%%/state;"


def keeping(shop, **values):
    """A shop whose directory's keys are on disk."""
    s = shop(MORE=PATH, **values)
    s.file = s.nginx.dir / "state" / "remote.state"
    s.loaded()
    wait_for("the state file", s.file.exists)
    return s


# Restarts

def test_a_restart_while_the_directory_is_down(shop):
    s = keeping(shop, WAIT="200ms")
    s.serve(close=True)
    s.halt()
    started = time.monotonic()
    s.nginx.start()
    expect(s.ask(), "ok")
    print("from start to the first verified request: %.0f ms"
          % (1000 * (time.monotonic() - started)))
    s.logged("directory remote", "1 keys", "state")
    s.logged("could not be fetched", "its keys stay in use")
    expect(s.ask(), "ok")


def test_without_a_state_file_it_is_unavailable(shop):
    """The same in vain, so that the test above shows something."""
    s = shop(WAIT="200ms")
    s.loaded()
    s.serve(close=True)
    s.restart()
    expect(s.ask(), "directory-unavailable")


def test_it_is_never_preferred_to_a_live_fetch(shop):
    """What came over the network counts at once; until then the file does."""
    s = keeping(shop)
    other = Key()
    s.serve(body=jwks(other), hang=True)
    s.halt()
    before = s.count()
    s.nginx.start()
    expect(s.ask(), "ok")
    wait_for("a fetch", lambda: s.count() > before)
    expect(s.ask(), "ok")
    s.directory.release()
    s.becomes("ok", key=other)
    expect(s.ask(), "key-unknown")
    s.restart()
    expect(s.ask(key=other), "ok")


def test_validators_are_kept_with_the_keys(shop):
    s = shop({"etag": '"v1"'}, MORE=PATH)
    s.loaded()
    s.restart()
    wait_for("a 304", lambda: s.count(304) == 1)
    expect(s.ask(), "ok")


def test_revoked_keys_do_not_come_back(shop):
    s = keeping(shop, REFRESH="1s 1s", WAIT="200ms")
    s.serve(body='{"keys": []}')
    s.becomes("key-unknown")
    s.serve(close=True)
    s.restart()
    expect(s.ask(), "key-unknown")


def test_keys_older_than_stale_are_not_used(shop):
    s = keeping(shop, REFRESH="1s 1s", STALE="1s", WAIT="200ms")
    s.serve(close=True)
    s.halt()
    time.sleep(2.3)
    s.nginx.start()
    expect(s.ask(), "directory-unavailable")
    s.logged("stale")


def test_the_file(shop):
    """Nobody else's to read or write, and nothing is left beside it."""
    s = keeping(shop, REFRESH="1s 1s")
    before = s.file.stat()
    s.refreshed(2)
    wait_for("a new file", lambda: s.file.stat().st_ino != before.st_ino
             or s.file.stat().st_mtime_ns != before.st_mtime_ns)
    assert stat.S_IMODE(s.file.stat().st_mode) == 0o600
    s.halt()
    assert os.listdir(s.file.parent) == ["remote.state"]


def test_nginx_t_looks_at_no_state(shop):
    s = keeping(shop)
    s.halt()
    s.file.write_bytes(b"x")
    count, log = s.count(), s.nginx.error_log
    good, printed = s.nginx.test()
    assert good and "state" not in printed + s.nginx.error_log[len(log):]
    assert s.count() == count and s.file.read_bytes() == b"x"


# Files that are not what they should be

def flipped(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def replaced_by(make):
    def change(path):
        path.unlink()
        make(path)
    return change


def linked(path):
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def given_away(path):
    """To somebody else: whoever could write into the folder may have put it
    there.  Only root can; others see to it that anybody may write it."""
    if os.geteuid() == 0:
        os.chown(path, 12345, -1)
    else:
        path.chmod(0o606)


DAMAGE = {
    "one bit": flipped,
    "truncated": lambda p: p.write_bytes(p.read_bytes()[:-1]),
    "a header only": lambda p: p.write_bytes(p.read_bytes()[:40]),
    "longer": lambda p: p.write_bytes(p.read_bytes() + b"\0"),
    "empty": lambda p: p.write_bytes(b""),
    "zeros": lambda p: p.write_bytes(bytes(len(p.read_bytes()))),
    "foreign": lambda p: p.write_text(jwks(Key())),
    "a folder": replaced_by(pathlib.Path.mkdir),
    "a pipe": replaced_by(os.mkfifo),
    "a link": linked,
    "of somebody else": given_away,
    "for its group to write": lambda p: p.chmod(0o620),
    "for anybody to write": lambda p: p.chmod(0o602),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_reported_and_ignored(shop, damage):
    s = keeping(shop, WAIT="200ms")
    s.serve(close=True)
    s.halt()
    damage(s.file)
    s.nginx.start()
    expect(s.ask(), "directory-unavailable")
    assert "[warn]" in s.logged("state", "remote.state")
    s.serve(close=False)
    s.becomes("ok")


def test_another_directory_s_file(shop):
    """Copied, or left by a configuration with another url."""
    s = keeping(shop, WAIT="200ms")
    s.directory.serve("/other", close=True)
    s.halt()
    s.nginx.values["URL"] = s.directory.url("/other")
    s.nginx.configure(s.template)
    s.nginx.start()
    expect(s.ask(), "directory-unavailable")
    s.logged("state", "ignored", "another url")


def test_other_settings(shop):
    """What was not proven then is not proven now."""
    s = keeping(shop, WAIT="200ms")
    s.serve(close=True)
    s.halt()
    s.nginx.values["WORDS"] = "proof required;"
    s.nginx.configure(s.template)
    s.nginx.start()
    expect(s.ask(), "directory-unavailable")
    s.logged("state", "ignored", "settings")


# Folders that cannot be written

def unwritable(path):
    path.parent.chmod(0o555)
    os.chown(path.parent, os.getuid(), -1)


def blocked(path):
    path.with_name("remote.state.new").mkdir()


@pytest.mark.parametrize("spoil", [unwritable, blocked])
def test_a_folder_that_cannot_be_written(shop, spoil):
    if spoil is unwritable and os.getuid() != 0:
        pytest.skip("the workers own the folder")
    s = keeping(shop, REFRESH="1s 1s")
    spoil(s.file)
    other = Key()
    s.serve(body=jwks(s.key, other))
    s.becomes("ok", key=other)
    assert "[warn]" in s.logged("state", "remote")
    s.refreshed(2)
    expect(s.ask(), "ok")
    warnings = [line for line in s.nginx.error_log.splitlines()
                if "[warn]" in line and "state" in line]
    assert len(warnings) == 1


def test_keys_that_cannot_be_kept_do_not_leave_older_ones(shop):
    """Else a restart would bring back what is revoked."""
    s = keeping(shop, REFRESH="1s 1s", WAIT="200ms")
    blocked(s.file)
    other = Key()
    s.serve(body=jwks(other))
    s.becomes("ok", key=other)
    s.serve(close=True)
    s.restart()
    expect(s.ask(), "directory-unavailable")


def test_a_disk_that_is_full(shop):
    s = shop(MORE=PATH, REFRESH="1s 1s", start=False)
    folder = s.nginx.dir / "state"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=777",
                           "tmpfs", str(folder)], check=False,
                          capture_output=True)
    if done.returncode != 0:
        pytest.skip("no tmpfs may be mounted here")
    try:
        with pytest.raises(OSError), \
                open(folder / "filler", "wb", buffering=0) as f:
            while True:
                f.write(bytes(4096))
        s.nginx.start()
        s.loaded()
        s.logged("[warn]", "state", "No space left")
        s.refreshed(2)
        expect(s.ask(), "ok")
        (folder / "filler").unlink()
        wait_for("the state file", (folder / "remote.state").exists)
        assert sorted(os.listdir(folder)) == ["remote.state"]
        s.halt()
    finally:
        if s.nginx.process and s.nginx.process.poll() is None:
            s.halt()
        subprocess.run(["umount", str(folder)], check=True)


# Outages

def test_keys_last_through_an_outage_until_stale_is_over(shop, names):
    """An hour of freshness and one of staleness."""
    s = shop(names=names, STALE="1h")
    s.loaded()
    s.serve(status=500)
    s.advance(7200 - 60)
    s.logged("could not be fetched")
    expect(s.ask(), "ok")
    s.advance(120)
    s.becomes("directory-unavailable")
    assert "[error]" in s.logged("directory remote", "no longer used")
    s.serve(status=200)
    s.advance(330)
    s.becomes("ok")


# Reloads and workers

def test_reload_during_an_outage_keeps_the_keys(shop):
    s = keeping(shop)
    s.serve(close=True)
    for _ in range(3):
        s.nginx.reload(wait_old=True)
        expect(s.ask(), "ok")


def test_a_reload_does_not_read_older_keys(shop):
    """The zone's are newer than the file's."""
    s = keeping(shop, REFRESH="1s 1s")
    shutil.copy(s.file, s.nginx.dir / "old")
    other = Key()
    s.serve(body=jwks(other))
    s.becomes("ok", key=other)
    s.serve(close=True)
    shutil.copy(s.nginx.dir / "old", s.file)
    s.nginx.reload(wait_old=True)
    expect(s.ask(key=other), "ok")
    expect(s.ask(), "key-unknown")


def test_a_fetch_for_nobody_delays_no_reload(shop, names):
    s = shop(names=names, TIMEOUT="20s")
    s.loaded()
    s.serve(hang=True)
    s.advance(3600)
    wait_for("the fetch", lambda: s.count() == 2)
    started = time.monotonic()
    s.nginx.reload(wait_old=True)
    assert time.monotonic() - started < 3
    expect(s.ask(), "ok")
    s.directory.release()
    s.advance(25)   # beyond the lease that the old worker had
    wait_for("another fetch", lambda: s.count() == 3)


def test_a_fetch_for_nobody_delays_no_quit(shop, names):
    s = shop(names=names, TIMEOUT="20s")
    s.loaded()
    s.serve(hang=True)
    s.advance(3600)
    wait_for("the fetch", lambda: s.count() == 2)
    s.nginx.process.send_signal(signal.SIGQUIT)
    s.nginx.process.wait(3)


def test_a_fetch_that_requests_wait_for_is_finished(shop):
    s = shop({"hang": True})
    waiting = s.waiting([s.request() for _ in range(10)])
    old = s.nginx.workers()
    s.nginx.reload()
    time.sleep(0.2)
    s.directory.release()
    for response in answers(waiting):
        expect(response, "ok")
    wait_for("the old workers to end",
             lambda: not old & set(s.nginx.processes()), 3)


def test_workers_killed_during_a_refresh(shop, names):
    """Their lease runs out, and nobody notices."""
    s = shop(names=names, TIMEOUT="3s")
    s.loaded()
    s.serve(hang=True)
    s.advance(3600)
    wait_for("the fetch", lambda: s.count() == 2)
    for pid in s.nginx.workers():
        s.nginx.kill_worker(pid)
    wait_for("new workers", lambda: len(s.nginx.workers()) == 2)
    expect(s.ask(), "ok")
    other = Key()
    s.directory.release()
    s.serve(body=jwks(other, s.key))
    s.advance(6)
    wait_for("another fetch", lambda: s.count() == 3)
    s.becomes("ok", key=other)
