# SPDX-License-Identifier: BSD-2-Clause
"""What never lands in a log, on the status, in an answer or in a process' list
of arguments, whatever becomes of the request; whose files are whose; and with
how few privileges nginx does all of its work."""

import json
import os
import pathlib
import re
import secrets
import stat

import pytest

from harness.agents import BROWSER, LISTED, MASTERCARD, PAYER, STRANGER
from harness.client import fetch
from harness.expect import expect, seen
from harness.nginx import wait_for
from harness.redis import Redis
from harness.signer import (Key, Raw, Request, content_digest, flip_bit,
                            fresh_nonce, jwks)

ROOT = pathlib.Path(__file__).resolve().parents[2]

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
    web_bot_auth_zone 4m;
    web_bot_auth_nonce_store %%STORE%%;
    web_bot_auth on;
    web_bot_auth_expose_reason on;
    web_bot_auth_log_level info;
    add_header X-reason $web_bot_auth_reason always;
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test;
        location / { %%OK%% }
        location /optional/ { web_bot_auth optional; %%OK%% }
        location /dry/ { web_bot_auth_dry_run on; %%OK%% }
        location /challenge/ { web_bot_auth_challenge on nonce; %%OK%% }
        location /link/ {
            web_bot_auth_body_link on;
            proxy_pass http://127.0.0.1:%%PORT_STATUS%%/json;
        }
        location /limited/ {
            web_bot_auth_forgery_limit 1r/m;
            %%OK%%
        }
        location /nobody/ { web_bot_auth_deny all; %%OK%% }
    }
    server {
        listen 127.0.0.1:%%PORT_STATUS%%;
        web_bot_auth off;
        location = /json { web_bot_auth_status json; }
        location = /metrics { web_bot_auth_status prometheus; }
        location = /page { web_bot_auth_status html; }
    }
}
"""


@pytest.fixture
def start(serve):
    started = []

    def run(level="info", store="shared cold=accept", **more):
        nginx = serve(CONF, LEVEL=level, STORE=store, **more)
        started.append(nginx)
        return nginx

    yield run
    for nginx in started:
        nginx.stop()
        serve.all.remove(nginx)


def told(nginx):
    """All that others than client and application may read."""
    pages = [fetch(nginx.port("PORT_STATUS"), Request(target=page)).body
             for page in ("/json", "/metrics", "/page")]
    return (nginx.error_log + nginx.access_log
            + b"".join(pages).decode("latin-1"))


# Requests

PRIVATE = [("Authorization", "Bearer tok3n-of-a-customer"),
           ("Cookie", "session=c00kie-of-a-customer")]
COVERED = ("@authority", "@path", "authorization", "cookie")
BODY = json.dumps({"agenticConsumer": {
    "nonce": "n0nce-of-a-customer", "kid": "visa-1",
    "email": "b0dy-of-a-customer"}}).encode()
UNLINKED = BODY.replace(b"kid", b"key")
WHOLE = COVERED + ("content-digest",)


def pay(target, body=BODY, over=BODY, **more):
    return PAYER.request(
        target, "POST", body=body, components=WHOLE,
        headers=PRIVATE + [("Content-Type", "application/json"),
                           ("Content-Digest", content_digest(over))], **more)


def get(target="/", agent=BROWSER, **over):
    return agent.request(target, headers=PRIVATE,
                         **{"components": COVERED, **over})


def broken(request, name, how):
    return request.replaced(headers=[
        (n, how(v) if n == name else v) for n, v in request.headers])


KINDS = {
    "verified": (get, "ok"),
    "a body": (lambda: pay("/"), "ok"),
    "forged": (lambda: get(signature=flip_bit), "bad-signature"),
    "forged, optional": (lambda: get("/optional/", signature=flip_bit),
                         "bad-signature"),
    "forged, dry run": (lambda: get("/dry/", signature=flip_bit),
                        "bad-signature"),
    "changed on the way": (
        lambda: broken(get(), "Cookie", lambda v: v + "; more=1"),
        "bad-signature"),
    "without what was covered": (
        lambda: get().without("authorization"), "missing-component"),
    "expired": (lambda: get(created=1), "expired"),
    "for ever": (lambda: get(lifetime=10**6), "lifetime-too-long"),
    "a stranger": (lambda: get(agent=STRANGER), "key-unknown"),
    "another's tag": (lambda: get(tag="nobody-serves-this"),
                      "no-served-tag"),
    "a nonce for a key": (lambda: get(keyid=fresh_nonce()), "key-unknown"),
    "another algorithm": (lambda: get(alg="rsa-pss-sha512"),
                          "alg-mismatch"),
    "half a list": (lambda: broken(
        get(), "Signature-Input", lambda v: v[:-2]),
        "signature-input-unreadable"),
    "a nonce of another type": (lambda: get(nonce=Raw(":bm9uY2U6bm9uY2U6:")),
                                "signature-input-unreadable"),
    "half a signature": (lambda: broken(
        get(), "Signature", lambda v: v[:-1]), "signature-value-unreadable"),
    "another host's": (lambda: get(host="evil.test"), "authority-not-served"),
    "not one we gave out": (lambda: get("/challenge/"),
                            "nonce-not-challenged"),
    "denied": (lambda: get("/nobody/"), "denied-by-rule"),
    "another body": (lambda: pay("/", over=b"{}"), "content-digest-mismatch"),
    "a body of another signature's": (lambda: pay("/link/"),
                                      "body-link-mismatch"),
    "a body that names no key": (
        lambda: pay("/link/", body=UNLINKED, over=UNLINKED),
        "body-link-missing"),
    "a body that is no JSON": (
        lambda: pay("/link/", body=BODY[:-1], over=BODY[:-1]),
        "body-link-unreadable"),
    "no component": (lambda: get(components=()), "target-not-covered"),
    "no signature": (lambda: Request(headers=PRIVATE, method="POST",
                                     body=BODY), "no-signature"),
    "agent pay": (lambda: MASTERCARD.request("/"), "ok"),
    "agent pay, forged": (lambda: MASTERCARD.request("/", signature=flip_bit),
                          "bad-signature"),
    "listed": (lambda: LISTED.request("/"), "ok"),
}

CUSTOMERS = ("tok3n-of-a-customer", "c00kie-of-a-customer",
             "b0dy-of-a-customer", "n0nce-of-a-customer", "bm9uY2U6bm9uY2U6")


def nonces_and_signatures(request):
    """Neither whole nor their first halves."""
    found = []
    for value in request.lines("signature-input"):
        found += re.findall(r'nonce="([^"]+)"', value)
    for value in request.lines("signature"):
        found += [part for part in value.split(":") if len(part) > 60]
    return [text[:len(text) // 2] for text in found]


def test_no_nonce_signature_or_content_is_logged(start):
    """error_log at info, nginx's own lines in it; access log as nginx writes
    it; the status; the answers."""
    nginx = start()
    private, answers = set(CUSTOMERS), ""
    for make, reason in KINDS.values():
        request = make()
        private |= set(nonces_and_signatures(request))
        response = fetch(nginx.port(), request)
        assert seen(response)[0] == reason, (reason, response)
        answers += repr(response.headers) + response.body.decode("latin-1")
        if reason == "ok":
            response = fetch(nginx.port(), request)
            assert seen(response)[0] in ("nonce-replayed", "ok")
    for _ in range(3):
        request = get("/limited/", signature=flip_bit)
        private |= set(nonces_and_signatures(request))
        reason = seen(fetch(nginx.port(), request))[0]
    assert reason == "forgery-limited"
    assert len(private) > 50
    everything = told(nginx) + answers
    assert "forgery-limited" in everything
    assert not [text for text in private if text in everything]


def test_what_nginx_itself_logs(start):
    """Before any module sees it: a field that is too long.  docs/security.md
    says so, and to keep error_log at notice."""
    for level in ("info", "notice"):
        nginx = start(level)
        request = get(nonce="an-own-nonce" + "x" * 9000)
        assert fetch(nginx.port(), request).status == 400
        logged = "an-own-nonce" in nginx.error_log
        assert logged == (level == "info"), level
    assert not nginx.refusals()


# Passwords and private keys

@pytest.mark.parametrize("given", ["url", "file"])
@pytest.mark.parametrize("right", [True, False])
def test_a_redis_password_is_told_nobody(start, tmp_path, given, right):
    """Not under debug either, nor to whoever lists processes."""
    redis = Redis()
    try:
        password = "pass-" + secrets.token_hex(12)
        redis.command("CONFIG", "SET", "requirepass",
                      password if right else "another-" + password)
        file = tmp_path / "password"
        file.write_text(password + "\n")
        nginx = start("debug", redis.url(":" + password) if given == "url"
                      else redis.url() + " password_file=%s" % file)
        wanted = "ok" if right else "nonce-store-unavailable"
        wait_for("the reason " + wanted, lambda: seen(fetch(
            nginx.port(), BROWSER.request()))[0] == wanted)
        assert password not in told(nginx)
        for pid in {nginx.process.pid, *nginx.workers()}:
            for name in ("cmdline", "environ"):
                assert password.encode() not in pathlib.Path(
                    "/proc", str(pid), name).read_bytes()
    finally:
        redis.remove()


def test_a_private_key_in_a_set_is_told_nobody(serve):
    """nginx -t and the log say that it is there, and not what it is."""
    key = Key()
    nginx = serve.make(CONF, LEVEL="debug", STORE="shared cold=accept",
                       files={"keys/visa.json": jwks(key.private_jwk(),
                                                     Key())})
    _, output = nginx.test()
    output += nginx.error_log
    assert "private" in output
    assert key.private_jwk()["d"] not in output


# Files

FILES = """
%%GLOBALS%%
worker_processes 1;
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_zone 1m file=%%DIR%%/nonces;
    web_bot_auth_state_path %%DIR%%/state;
    web_bot_auth on;
    server { listen 127.0.0.1:%%PORT%%; server_name shop.test; %%OK%% }
}
"""


def test_files_are_nobody_else_s(serve):
    """The nonces' file is the master's, and a worker, which has it mapped,
    could not open it; the folder of key sets is the worker's."""
    umask = os.umask(0)
    try:
        nginx = serve(FILES)
    finally:
        os.umask(umask)
    file = (nginx.dir / "nonces").stat()
    assert stat.S_IMODE(file.st_mode) == 0o600
    assert file.st_uid == os.geteuid()
    folder = (nginx.dir / "state").stat()
    assert stat.S_IMODE(folder.st_mode) == 0o700
    worker, = nginx.workers()
    assert folder.st_uid == pathlib.Path("/proc", str(worker)).stat().st_uid \
        or folder.st_uid == os.geteuid()


# Privileges

def drop_in():
    """The lines that docs/security.md recommends to systemd."""
    text = (ROOT / "docs/security.md").read_text()
    block = re.search(r"```ini\n\[Service\]\n(.*?)```", text, re.S)[1]
    return dict(line.split("=", 1) for line in block.splitlines())


def test_as_few_privileges_as_recommended(shop):
    """A directory over https, key sets and nonces on disk, a reload, a worker
    that is killed, and the end: with no capability beyond those."""
    wanted = drop_in()
    assert wanted["NoNewPrivileges"] == "true"
    s = shop(start=False, WORKERS=1, MORE="web_bot_auth_state_path "
             "%%DIR%%/state; web_bot_auth_zone 4m file=%%DIR%%/nonces;")
    words = ["--no-new-privs"]
    if os.geteuid() == 0:
        words.append("--bounding-set=-all," + ",".join(
            "+" + name[len("CAP_"):].lower()
            for name in wanted["CapabilityBoundingSet"].split()))
    wrapper = s.nginx.write("confined", "#!/bin/sh\nexec setpriv %s %s \"$@\"\n"
                            % (" ".join(words), s.nginx.binary))
    wrapper.chmod(0o755)
    s.nginx.binary = str(wrapper)
    s.nginx.start()
    s.loaded()
    status = pathlib.Path("/proc", str(s.nginx.process.pid),
                          "status").read_text()
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.M)
    wait_for("the state file",
             (s.nginx.dir / "state" / "remote.state").exists)
    s.nginx.reload(wait_old=True)
    expect(s.ask(), "ok")
    worker, = s.nginx.workers()
    s.nginx.kill_worker(worker)
    s.becomes("ok")
    caps = re.search(r"^CapEff:\s+(\w+)$", pathlib.Path(
        "/proc", str(min(s.nginx.workers())), "status").read_text(), re.M)[1]
    assert int(caps, 16) == 0
    s.halt()
    s.nginx.start()
    expect(s.ask(), "ok")
