# SPDX-License-Identifier: BSD-2-Clause
"""https directories: loaded ahead of need, waited for when they never were,
fetched once for everybody; and all the ways in which they fail."""

import time

import pytest

from harness.agents import BROWSER, LISTED, STRANGER_KEY, VISA_KEY
from harness.client import Connection, fetch, load
from harness.directory import MEDIA_TYPE, WELL_KNOWN, Directory
from harness.expect import expect, seen
from harness.nginx import wait_for
from harness.signer import Key, Request, flip_bit, jwks
from harness.tls import Authority

CONF = """
%%GLOBALS%%
worker_processes %%WORKERS%%;
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_directory remote {
        url %%URL%%;
        profile tap;
        tags remote;
        timeout %%TIMEOUT%%;
        refresh %%REFRESH%%;
        max_size 64k;
        max_keys 50;
    }
    web_bot_auth_trusted_certificate %%CA%%;
    web_bot_auth_wait %%WAIT%%;
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth on;
    %%ECHO%%
    add_header X-Worker $pid always;
    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        server_name shop.test;
        location / { %%OK%% }
        location /optional/ { web_bot_auth optional; %%OK%% }
    }
    server {
        listen 127.0.0.1:%%PORT_STATUS%%;
        web_bot_auth off;
        location / { stub_status; }
    }
}
"""

USUAL = {"WORKERS": 2, "TIMEOUT": "5s", "REFRESH": "5m 24h",
         "WAIT": "10s max=1024"}
KEY = Key()
BODY = jwks(KEY)


@pytest.fixture
def start(serve, directory, authority):
    """Starts nginx with a directory that answers as given; at a path of its
    own, so that each test has its own count."""
    started = []

    def run(manners=None, path=None, url=None, ca=authority.ca, **values):
        path = path or "/%s/%d" % (time.monotonic_ns(), len(started))
        directory.paths.pop(path, None)
        directory.serve(path, **{"body": BODY, **(manners or {})})
        nginx = serve(CONF, CA=ca, URL=url or directory.url(path),
                      **{**USUAL, **values})
        nginx.path = path
        started.append(nginx)
        return nginx

    yield run
    directory.release()
    for nginx in started:
        nginx.stop()
        serve.all.remove(nginx)


def remote(target="/", key=KEY, **over):
    usual = {"key": key, "keyid": key.thumbprint, "tag": "remote"}
    return BROWSER.request(target, **{**usual, **over})


def ask(nginx, target="/", **over):
    return fetch(nginx.port(), remote(target, **over))


def becomes(nginx, reason, seconds=20, **over):
    """Asks until the reason is given; the response."""
    def answer():
        response = ask(nginx, **over)
        return response if seen(response)[0] == reason else None
    return wait_for("the reason " + reason, answer, seconds)


def active(nginx):
    """Requests that nginx has read and not answered, this one included."""
    status = fetch(nginx.port("PORT_STATUS"), Request()).body.decode()
    return int(status.partition("Writing: ")[2].split()[0])


def loaded(nginx, directory):
    wait_for("the directory to be fetched",
             lambda: directory.count(nginx.path))
    return becomes(nginx, "ok")


# Loading

@pytest.mark.parametrize("media_type", [
    MEDIA_TYPE, MEDIA_TYPE + "; charset=utf-8", "application/json",
    "application/jwk-set+json"])
def test_loaded_at_start_once(start, directory, media_type):
    """Before any request, and one fetch serves both workers."""
    nginx = start({"media_type": media_type})
    response = loaded(nginx, directory)
    expect(response, "ok")
    assert response.header("X-directory") == "remote"
    workers = set()

    def both():
        response = ask(nginx)
        expect(response, "ok")
        workers.add(response.header("X-Worker"))
        return len(workers) == 2

    wait_for("answers of both workers", both)
    expect(ask(nginx, signature=flip_bit), "bad-signature")
    assert directory.count(nginx.path) == 1


def test_what_the_directory_is_asked(start, directory):
    nginx = start()
    loaded(nginx, directory)
    headers = [h for _, p, h in directory.log if p == nginx.path][0]
    assert MEDIA_TYPE in headers["Accept"]
    assert "web_bot_auth" in headers["User-Agent"]
    assert headers["Host"] == "127.0.0.1:%d" % directory.port


def test_by_name_and_with_a_query(start, directory):
    path = "/keys%d?v=1" % time.monotonic_ns()
    nginx = start(path=path, url=directory.url(path, "localhost"))
    loaded(nginx, directory)


@pytest.mark.parametrize("path", [WELL_KNOWN, None])
def test_a_kid_that_is_no_thumbprint(start, directory, path):
    """At the well-known path such a kid is dropped, the key stays."""
    nginx = start({"body": jwks(KEY.jwk(kid="my-key"))}, path)
    loaded(nginx, directory)
    expect(ask(nginx, keyid="my-key"), "key-unknown" if path else "ok")


def test_the_well_known_path_wants_its_media_type(start, directory):
    nginx = start({"media_type": "application/json"}, WELL_KNOWN,
                  WAIT="200ms")
    expect(ask(nginx), "directory-unavailable")
    directory.serve(WELL_KNOWN, media_type=MEDIA_TYPE)
    becomes(nginx, "ok")


def test_bad_entries_cost_themselves_only(start, directory):
    nginx = start({"body": jwks(
        {"kty": "oct", "k": "AA"}, {"kty": "OKP", "crv": "X25519", "x": KEY.x},
        {"kty": "OKP", "crv": "Ed25519", "x": "short"}, 7, "x", {},
        STRANGER_KEY.private_jwk(), KEY)})
    loaded(nginx, directory)
    expect(ask(nginx, key=STRANGER_KEY), "key-unknown")
    assert "private" in nginx.error_log


# Waiting

def parked(nginx, requests):
    """Connections on which the requests wait for an answer."""
    waiting = []
    for request in requests:
        c = Connection(nginx.port())
        c.send(request)
        waiting.append(c)
    wait_for("the requests to wait",
             lambda: active(nginx) > len(waiting))
    return waiting


def answers(waiting):
    got = [c.receive() for c in waiting]
    for c in waiting:
        c.close()
    return got


def test_waiting_requests_share_one_fetch(start, directory):
    """Forty requests, two workers, a directory that takes its time."""
    nginx = start({"hang": True})
    waiting = parked(nginx, [remote() for _ in range(40)])
    wait_for("the fetch", lambda: directory.count(nginx.path))
    directory.release()
    got = answers(waiting)
    for response in got:
        expect(response, "ok")
    assert len({r.header("X-Worker") for r in got}) == 2
    assert directory.count(nginx.path) == 1


def test_copies_that_waited(start, directory):
    """Waiting does not let a nonce in twice."""
    nginx = start({"hang": True})
    waiting = parked(nginx, [remote()] * 2 * 10)
    directory.release()
    assert sorted(seen(r)[0] for r in answers(waiting)) == \
        ["nonce-replayed"] * 19 + ["ok"]


def test_while_they_wait_others_are_served(start, directory):
    nginx = start({"hang": True}, WORKERS=1)
    waiting = parked(nginx, [remote() for _ in range(5)])
    started = time.monotonic()
    for _ in range(20):
        expect(fetch(nginx.port(), BROWSER.request()), "ok")
        expect(fetch(nginx.port(), Request()), "no-signature")
    assert time.monotonic() - started < 2
    directory.release()
    assert {r.status for r in answers(waiting)} == {200}


def test_the_wait_ends(start, directory):
    nginx = start({"hang": True}, WAIT="300ms max=1024")
    for target, status, decision in (("/", 503, "deny"),
                                     ("/optional/", 200, "pass")):
        started = time.monotonic()
        expect(ask(nginx, target), "directory-unavailable", status, decision)
        assert 0.2 < time.monotonic() - started < 3
    directory.release()
    becomes(nginx, "ok")


def test_no_more_than_so_many_wait(start, directory):
    nginx = start({"hang": True}, WORKERS=1, WAIT="10s max=4")
    waiting = parked(nginx, [remote() for _ in range(4)])
    started = time.monotonic()
    for _ in range(3):
        expect(ask(nginx), "too-many-waiting")
        expect(ask(nginx, "/optional/"), "too-many-waiting", 200, "pass")
    assert time.monotonic() - started < 3
    directory.release()
    for response in answers(waiting):
        expect(response, "ok")


def test_clients_that_give_up_waiting(start, directory):
    nginx = start({"hang": True}, WORKERS=1, WAIT="10s max=4")
    for _ in range(3):
        for c in parked(nginx, [remote() for _ in range(4)]):
            c.close()
        wait_for("their places to be free", lambda: active(nginx) == 1)
    waiting = parked(nginx, [remote() for _ in range(4)])
    directory.release()
    assert {r.status for r in answers(waiting)} == {200}


def test_pipelined_behind_a_waiting_request(start, directory):
    nginx = start({"hang": True}, WORKERS=1)
    with Connection(nginx.port()) as c:
        c.send(remote().raw() + remote(method="POST", body=b"x" * 9).raw()
               + BROWSER.request().raw())
        wait_for("the first to wait", lambda: active(nginx) > 1)
        directory.release()
        expect(c.receive(), "ok")
        assert c.receive().status == 405    # verified, but static
        expect(c.receive(), "ok")


def test_reload_while_they_wait(start, directory):
    """An old worker still answers those who wait in it."""
    nginx = start({"hang": True})
    waiting = parked(nginx, [remote() for _ in range(10)])
    nginx.reload()
    directory.release()
    for response in answers(waiting):
        expect(response, "ok")
    becomes(nginx, "ok")


def test_stop_while_they_wait(start, directory):
    """The master ends in time and no socket is left open."""
    nginx = start({"hang": True})
    waiting = parked(nginx, [remote() for _ in range(10)])
    started = time.monotonic()
    nginx.process.terminate()
    nginx.process.wait(10)
    assert time.monotonic() - started < 8
    assert {r.status for r in answers(waiting)} <= {0, 503}


# Failing

FAILURES = {
    "500": {"status": 500},
    "404": {"status": 404},
    "redirect": {"status": 302, "headers": (("Location", "/keys"),)},
    "304 unasked": {"status": 304},
    "204": {"status": 204, "body": ""},
    "closes": {"close": True},
    "cut": {"cut": 10},
    "no JSON": {"body": "<html>"},
    "empty": {"body": ""},
    "no keys": {"body": '{"key":[]}'},
    "keys no array": {"body": '{"keys":{}}'},
    "an array": {"body": "[]"},
    "duplicate member": {"body": '{"keys":[],"keys":[]}'},
    "none usable": {"body": jwks({"kty": "oct", "k": "AA"})},
    "8-bit": {"body": b'{"keys":["\xff"]}'},
    "too large": {"body": BODY + " " * 70000},
    "too many keys": {"body": jwks(*[KEY.jwk(kid=str(i))
                                     for i in range(51)])},
    "deep": {"body": "[" * 40000},
}


@pytest.mark.parametrize("manners", FAILURES.values(), ids=FAILURES)
def test_never_loaded_is_unavailable_never_invalid(start, directory, manners):
    """And after the directory has come to its senses, it recovers."""
    nginx = start(manners, WAIT="200ms")
    wait_for("the fetch", lambda: directory.count(nginx.path))
    expect(ask(nginx), "directory-unavailable")
    expect(ask(nginx, "/optional/"), "directory-unavailable", 200, "pass")
    assert "directory remote" in nginx.error_log
    # other directories are not affected
    expect(fetch(nginx.port(), BROWSER.request()), "ok")
    assert directory.count(nginx.path) <= 3


def test_it_recovers(start, directory):
    nginx = start({"status": 500}, WAIT="200ms")
    expect(ask(nginx), "directory-unavailable")
    directory.serve(nginx.path, status=200)
    becomes(nginx, "ok")


def test_nobody_listens(start, directory):
    """Connections refused, and then not."""
    directory.stop()
    try:
        nginx = start(WAIT="200ms")
        expect(ask(nginx), "directory-unavailable")
        expect(ask(nginx, "/optional/"), "directory-unavailable", 200, "pass")
    finally:
        directory.start()
    becomes(nginx, "ok")


def test_it_never_answers(start, directory):
    """Each fetch ends by its own time limit."""
    nginx = start({"hang": True}, WAIT="200ms", TIMEOUT="1s")
    expect(ask(nginx), "directory-unavailable")
    wait_for("the fetch to be given up",
             lambda: "could not be fetched" in nginx.error_log, 10)
    directory.release()
    becomes(nginx, "ok")


def test_it_dribbles(start, directory):
    """The time limit is for the whole."""
    nginx = start({"dribble": 0.2}, WAIT="200ms", TIMEOUT="1s")
    wait_for("the fetch to be given up",
             lambda: "could not be fetched" in nginx.error_log, 10)
    expect(ask(nginx), "directory-unavailable")
    directory.serve(nginx.path, dribble=0)
    becomes(nginx, "ok")


def distrusted(nginx, server):
    wait_for("the complaint",
             lambda: "could not be fetched" in nginx.error_log)
    expect(ask(nginx), "directory-unavailable")
    assert server.connections and server.log == []


def test_a_certificate_of_another_ca(start, tmp_path, authority):
    server = Directory(Authority(tmp_path / "tls", "other CA"))
    try:
        nginx = start(url=server.url("/keys"), ca=authority.ca, WAIT="200ms")
        distrusted(nginx, server)
    finally:
        server.stop()


def test_a_certificate_of_another_name(start, authority):
    server = Directory(authority, "127.0.0.2")  # which it does not name
    try:
        nginx = start(url=server.url("/keys"), WAIT="200ms")
        distrusted(nginx, server)
    finally:
        server.stop()


def test_a_failure_evicts_nothing(start, directory):
    """Good keys stay through any failure of a refresh."""
    nginx = start(REFRESH="1s 1s")
    loaded(nginx, directory)
    for manners in ({"status": 500}, {"status": 200, "body": "<html>"},
                    {"body": BODY, "close": True}):
        before = directory.count(nginx.path)
        directory.serve(nginx.path, **manners)
        wait_for("a refresh",
                 lambda: directory.count(nginx.path) > before, 30)
        for _ in range(5):
            expect(ask(nginx), "ok")
        expect(ask(nginx, signature=flip_bit), "bad-signature")


# Renewing

def test_new_keys_replace_old_ones(start, directory):
    nginx = start(REFRESH="1s 1s")
    loaded(nginx, directory)
    other = Key()
    directory.serve(nginx.path, body=jwks(other))
    becomes(nginx, "ok", key=other)
    expect(ask(nginx), "key-unknown")
    directory.serve(nginx.path, body=jwks(other, KEY))
    becomes(nginx, "ok")
    expect(ask(nginx, key=other), "ok")


def test_an_empty_set_revokes_all_loudly(start, directory):
    nginx = start(REFRESH="1s 1s")
    loaded(nginx, directory)
    directory.serve(nginx.path, body='{"keys":[]}')
    becomes(nginx, "key-unknown")
    assert "[warn]" in nginx.error_log and "revoked" in nginx.error_log
    directory.serve(nginx.path, body=BODY)
    becomes(nginx, "ok")


def test_an_unknown_keyid_causes_one_refetch_an_interval(start, directory):
    nginx = start(REFRESH="5m 24h", WAIT="500ms")
    loaded(nginx, directory)
    got = load(50, lambda _: ask(nginx, key=Key()), threads=20)
    assert {seen(r)[0] for r in got} == {"key-unknown"}
    assert directory.count(nginx.path) <= 2


def test_another_directory_s_key_causes_no_refetch(start, directory):
    nginx = start(REFRESH="1s 24h")
    loaded(nginx, directory)
    for _ in range(5):
        expect(fetch(nginx.port(), BROWSER.request()), "ok")
        expect(fetch(nginx.port(), LISTED.request()), "ok")
        expect(fetch(nginx.port(), BROWSER.request(signature=flip_bit)),
               "bad-signature")
    assert directory.count(nginx.path) == 1


def test_forgers_do_not_fetch(start, directory):
    """What is refused before keys are needed fetches nothing."""
    nginx = start(REFRESH="1s 24h")
    loaded(nginx, directory)
    stranger = {"key": STRANGER_KEY}
    for over in ({"created": 1, "expires": 2}, {"components": ()},
                 {"host": "evil.test"}, {"expires": 1}):
        assert ask(nginx, **stranger, **over).status == 403
    assert directory.count(nginx.path) == 1


def test_reload_keeps_what_was_fetched(start, directory):
    nginx = start()
    loaded(nginx, directory)
    directory.serve(nginx.path, hang=True)
    nginx.reload()
    expect(ask(nginx), "ok")
    assert directory.count(nginx.path) == 1


def test_nginx_t_fetches_nothing(start, directory):
    nginx = start()
    loaded(nginx, directory)
    connections = directory.connections
    assert nginx.test()[0]
    assert directory.connections == connections


def test_keys_of_a_file_and_of_https_are_kept_apart(start, directory):
    nginx = start({"body": jwks(KEY, VISA_KEY)})
    loaded(nginx, directory)
    # visa's key is in both; each tag belongs to its own directory
    response = ask(nginx, key=VISA_KEY)
    assert response.header("X-directory") == "remote"
    response = fetch(nginx.port(), BROWSER.request())
    assert response.header("X-directory") == "visa"
    expect(fetch(nginx.port(), BROWSER.request(
        key=KEY, keyid=KEY.thumbprint)), "key-unknown")


def test_keys_are_given_up_when_stale_is_over(start, directory):
    """They outlive failures, but not for ever; and the directory's return
    brings them back."""
    nginx = start(REFRESH="1s 1s; stale 1s")
    loaded(nginx, directory)
    directory.serve(nginx.path, status=500)
    becomes(nginx, "directory-unavailable")
    assert "no longer used" in nginx.error_log
    directory.serve(nginx.path, status=200, body=BODY)
    becomes(nginx, "ok")
