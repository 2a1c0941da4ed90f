# SPDX-License-Identifier: BSD-2-Clause
"""web_bot_auth_status: what it tells, in JSON and for Prometheus, and what
becomes of the counters over reloads, dead workers and restarts."""

import json
import re
import shutil
import subprocess
import threading
import time

import pytest

from harness.agents import BROWSER, MASTERCARD, PAYER
from harness.client import fetch
from harness.expect import expect
from harness.names import PUBLIC
from harness.nginx import wait_for
from harness.redis import Redis
from harness.shops import Found
from harness.signer import Key, Request, flip_bit, jwks

CONF = """
%%GLOBALS%%
worker_processes %%WORKERS%%;
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    %%EXTRA%%
    web_bot_auth_zone %%ZONE%%;
    web_bot_auth_nonce_store %%STORE%%;
    web_bot_auth on;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        server_name shop.test;
        location / { %%OK%% }
        location /optional/ { web_bot_auth optional; %%OK%% }
        location /dry/ { web_bot_auth_dry_run on; %%OK%% }
        location /nobody/ { web_bot_auth_deny all; %%OK%% }
        location /error/ { error_page 403 /refused.txt; %%OK%% }
        location = /refused.txt { %%OK%% }
    }
    server {
        listen 127.0.0.1:%%PORT_STATUS%%;
        web_bot_auth off;
        location = /json { web_bot_auth_status json; }
        location = /metrics { web_bot_auth_status prometheus; }
        location = /page { web_bot_auth_status html; }
        location = /closed { web_bot_auth_status json; deny all; }
    }
}
"""
USUAL = {"WORKERS": 2, "ZONE": "4m", "STORE": "shared cold=accept",
         "EXTRA": ""}


@pytest.fixture
def start(serve):
    started = []

    def run(names=None, **values):
        nginx = serve(CONF, names=names, **{**USUAL, **values})
        started.append(nginx)
        return nginx

    yield run
    for nginx in started:
        nginx.stop()
        serve.all.remove(nginx)


def ask(nginx, target="/json", method="GET"):
    return fetch(nginx.port("PORT_STATUS"),
                 Request(method=method, target=target))


def status(nginx):
    response = ask(nginx)
    assert response.status == 200
    return json.loads(response.body)


def metrics(nginx):
    """{'name{labels}': value} of what Prometheus would read."""
    response = ask(nginx, "/metrics")
    assert response.status == 200
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
            for line in response.body.decode().splitlines()
            if not line.startswith("#")}


def counted(requests):
    return {r["name"]: r["count"] for r in requests["reasons"] if r["count"]}


def test_a_fresh_server(start):
    nginx = start()
    s = status(nginx)
    assert s["format"] == 1
    assert abs(s["now"] - time.time()) < 60
    assert s["versions"]["module"] == s["versions"]["installed"] == "0.1.0"
    assert s["versions"]["restart_needed"] is False
    assert s["versions"]["nginx"] == re.search(
        r"nginx/([0-9.]+)", subprocess.run([nginx.binary, "-v"], check=True,
                                           stderr=subprocess.PIPE)
        .stderr.decode())[1]
    for library in "libsodium libcurl jansson hiredis openssl".split():
        assert re.search(r"\d+\.\d+", s["versions"][library]), library
    assert s["zone"]["size"] == 4 << 20
    assert s["zone"]["workers"] == 2 and s["zone"]["reloads"] == 0
    assert abs(s["zone"]["created"] - time.time()) < 60
    assert s["requests"]["total"] == 0
    assert s["nonces"]["live"] == 0 and s["nonces"]["fill"] == 0
    assert s["nonces"]["cold_until"] is None    # cold=accept
    assert s["nonces"]["store"] == "shared" and s["redis"] is None
    assert [t["name"] for t in s["requests"]["tags"]] == [
        "agent-browser-auth", "agent-payer-auth", "agent-pay-auth",
        "web-bot-auth"]
    names = ["visa", "mastercard", "bots", "listed"]
    assert [d["name"] for d in s["requests"]["directories"]] == names
    assert [d["name"] for d in s["directories"]] == names
    visa = s["directories"][0]
    assert (visa["state"], visa["keys"], visa["profile"]) == ("file", 1, "tap")
    assert visa["url"] == "file:%s/keys/visa.json" % nginx.dir
    assert visa["age"] is None and visa["last_error"] is None
    assert visa["tags"] == ["agent-browser-auth", "agent-payer-auth"]


def some_requests(nginx):
    port = nginx.port()
    expect(fetch(port, BROWSER.request("/")), "ok")
    expect(fetch(port, MASTERCARD.request("/")), "ok")
    replayed = PAYER.request("/")
    expect(fetch(port, replayed), "ok")
    expect(fetch(port, replayed), "nonce-replayed")
    expect(fetch(port, BROWSER.request("/", signature=flip_bit)), "bad-signature")
    expect(fetch(port, Request()), "no-signature")
    expect(fetch(port, Request(target="/optional/")), "no-signature", 200,
           "pass")
    expect(fetch(port, Request(target="/dry/")), "no-signature", 200,
           "dry-run-deny")
    expect(fetch(port, BROWSER.request("/nobody/")), "denied-by-rule")


REASONS = {"ok": 3, "nonce-replayed": 1, "bad-signature": 1,
           "no-signature": 3, "denied-by-rule": 1}


def test_every_request_is_counted(start):
    nginx = start()
    some_requests(nginx)
    requests = status(nginx)["requests"]
    assert requests["total"] == 9
    assert requests["outcomes"] == {"verified": 4, "invalid": 2,
                                    "unverified": 0, "unsigned": 3}
    assert requests["decisions"] == {"allow": 3, "deny": 4,
                                     "dry-run-deny": 1, "pass": 1}
    assert counted(requests) == REASONS
    tags = {t["name"]: (t["verified"], t["failed"]) for t in requests["tags"]}
    assert tags == {"agent-browser-auth": (2, 1), "agent-payer-auth": (1, 1),
                    "agent-pay-auth": (1, 0), "web-bot-auth": (0, 0)}
    directories = {d["name"]: (d["verified"], d["failed"])
                   for d in requests["directories"]}
    # A replay and a forgery name Visa's key.
    assert directories == {"visa": (3, 2), "mastercard": (1, 0),
                           "bots": (0, 0), "listed": (0, 0)}


def test_nonces(start):
    nginx = start()
    some_requests(nginx)
    nonces = status(nginx)["nonces"]
    assert nonces["live"] == 3      # not that of the denied request
    assert nonces["answers"]["fresh"] == 3
    assert nonces["fill"] == pytest.approx(3 / nonces["capacity"])
    assert nonces["file"] is None


def test_a_cold_table_says_until_when(start):
    nginx = start(STORE="shared")
    s = status(nginx)
    assert abs(s["nonces"]["cold_until"] - s["zone"]["created"]) <= 1
    assert metrics(nginx)["web_bot_auth_nonce_cold"] == 1


def test_a_refusals_page_is_no_request_of_its_own(start):
    nginx = start()
    fetch(nginx.port(), Request(target="/error/"))
    assert status(nginx)["requests"]["total"] == 1


def test_counters_outlive_reloads_and_workers(start):
    nginx = start()
    some_requests(nginx)
    before = status(nginx)
    nginx.reload(wait_old=True)
    nginx.values["EXTRA"] = ("web_bot_auth_directory more "
                             "{ url file:%%DIR%%/keys/visa.json; "
                             "profile tap; tags more; }")
    nginx.configure(CONF)
    nginx.reload(wait_old=True)
    after = status(nginx)
    assert after["zone"]["reloads"] == 2
    assert after["zone"]["created"] == before["zone"]["created"]
    assert counted(after["requests"]) == REASONS
    assert after["requests"]["tags"][-1]["name"] == "more"
    victim = sorted(nginx.workers())[0]
    nginx.kill_worker(victim)
    wait_for("a new worker", lambda: len(nginx.workers()) == 2)
    some_requests(nginx)
    assert counted(status(nginx)["requests"]) == {
        name: 2 * n for name, n in REASONS.items()}


def test_another_zone_begins_anew(start):
    nginx = start()
    some_requests(nginx)
    nginx.values["ZONE"] = "8m"
    nginx.configure(CONF)
    nginx.reload(wait_old=True)
    s = status(nginx)
    assert s["requests"]["total"] == 0 and s["zone"]["size"] == 8 << 20


def test_no_count_is_lost_between_workers(start):
    """More workers than rows, all adding at once, while workers come and go."""
    nginx = start(WORKERS=4, ZONE="1m")
    threads = [threading.Thread(target=lambda: [
        fetch(nginx.port(), Request()) for _ in range(250)])
        for _ in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        nginx.reload()
    for thread in threads:
        thread.join()
    wait_for("old workers to end", lambda: len(nginx.processes()) == 4)
    assert counted(status(nginx)["requests"]) == {"no-signature": 2000}


# Directories

REMOTE = """
web_bot_auth_directory remote { url %s; profile tap; tags remote;
                                refresh 1h 24h; timeout 2s; }
web_bot_auth_trusted_certificate %s;
"""


def remote(nginx):
    return next(d for d in status(nginx)["directories"]
                if d["name"] == "remote")


def test_a_directorys_health(start, directory, authority):
    directory.serve("/status", body=jwks(Key(), Key()),
                    headers=(("Cache-Control", "max-age=7200"),))
    nginx = start(EXTRA=REMOTE % (directory.url("/status"), authority.ca))
    wait_for("its keys", lambda: remote(nginx)["state"] == "fresh")
    d = remote(nginx)
    assert d["keys"] == 2 and d["fetches"] == 1 and d["failures_in_row"] == 0
    assert 0 <= d["age"] < 60 and 7100 < d["expires_in"] <= 7200
    assert 0 < d["next_refresh_in"] < 7200
    assert d["fetching"] is False and d["lease_ends_in"] is None
    assert d["last_error"] is None and d["discovered"] is False
    s = status(nginx)
    assert s["fetch"]["latency"]["count"] == 1 and s["fetch"]["failures"] == 0
    assert s["fetch"]["latency"]["buckets"][-1] == {"le": None, "count": 1}
    assert 0 < s["zone"]["keys"]["used"] <= s["zone"]["keys"]["size"]
    m = metrics(nginx)
    assert m['web_bot_auth_directory_usable{directory="remote"}'] == 1
    assert m['web_bot_auth_directory_keys{directory="remote"}'] == 2


def test_a_directory_that_fails(start, directory, authority):
    directory.serve("/broken", status=500)
    nginx = start(EXTRA=REMOTE % (directory.url("/broken"), authority.ca))
    wait_for("a failure", lambda: remote(nginx)["state"] == "failing")
    d = remote(nginx)
    assert d["keys"] == 0 and d["failures_in_row"] >= 1
    assert "500" in d["last_error"]
    s = status(nginx)
    assert s["fetch"]["failures"] >= 1
    m = metrics(nginx)
    assert m['web_bot_auth_directory_usable{directory="remote"}'] == 0
    assert m['web_bot_auth_fetch_failures_total'] >= 1


def test_a_directory_that_is_being_fetched(start, directory, authority):
    directory.serve("/slow", body=jwks(Key()), hang=True)
    nginx = start(EXTRA=REMOTE % (directory.url("/slow"), authority.ca))
    wait_for("a fetch", lambda: remote(nginx)["fetching"])
    d = remote(nginx)
    assert d["state"] in ("loading", "failing")
    assert 0 < d["lease_ends_in"] < 10
    directory.release()


def test_discovered_directories(start, directory, authority, names):
    names.map(PUBLIC, directory)
    nginx = start(names=names, EXTRA="""
        web_bot_auth_discovery { allow *.agents.test; }
        web_bot_auth_wait 10s;
        web_bot_auth_trusted_certificate %s;""" % authority.ca)
    agent = Found(directory, names, "a.agents.test")
    expect(fetch(nginx.port(), agent.request("/")), "ok")
    found = [d for d in status(nginx)["directories"] if d["discovered"]]
    assert [(d["name"], d["state"], d["keys"]) for d in found] == [
        ("discovery", "fresh", 1)]
    assert found[0]["url"].startswith("https://a.agents.test/")
    s = status(nginx)
    assert s["zone"]["discovered"]["used"] == 1
    assert {"name": "discovery", "verified": 1, "failed": 0} \
        in s["requests"]["directories"]
    m = metrics(nginx)
    assert m['web_bot_auth_discovered_directories{state="fresh"}'] == 1
    # Strangers make no time series.
    assert not [name for name in m if "agents.test" in name]


# Redis

def test_redis(start):
    redis = Redis()
    try:
        nginx = start(STORE=redis.url() + " cold=accept on_error=local")
        wait_for("Redis", lambda: status(nginx)["redis"]
                 ["connected_workers"] == 2)
        expect(fetch(nginx.port(), BROWSER.request("/")), "ok")
        s = status(nginx)
        assert s["nonces"]["store"] == "redis"
        assert s["redis"]["latency"]["count"] == 1
        assert 0 < s["redis"]["latency"]["sum"] < 10
        assert s["redis"]["failures"] == 0
        redis.stop()
        wait_for("no Redis", lambda: status(nginx)["redis"]
                 ["connected_workers"] == 0)
        expect(fetch(nginx.port(), BROWSER.request("/")), "ok")
        s = status(nginx)
        assert s["redis"]["failures"] == 1
        assert s["nonces"]["local_answers"]["fresh"] == 1
        m = metrics(nginx)
        assert m["web_bot_auth_redis_failures_total"] == 1
        assert m["web_bot_auth_redis_duration_seconds_count"] >= 1
    finally:
        redis.remove()


# History

def test_history_has_the_minutes_gone_by(start):
    nginx = start()
    history = status(nginx)["history"]
    assert history["interval"] == 60
    assert len(history["samples"]) in (1, 2)    # a minute may begin meanwhile
    sample = history["samples"][0]
    assert abs(sample["time"] - time.time()) < 130
    assert sample["verified"] == 0


# Formats

def test_json_is_not_kept_nor_guessed(start):
    response = ask(start())
    assert response.header("Content-Type") == "application/json"
    assert response.header("Cache-Control") == "no-store"
    assert response.header("X-Content-Type-Options") == "nosniff"


def test_head_and_other_methods(start):
    nginx = start()
    for target in ("/json", "/metrics", "/page"):
        response = ask(nginx, target, "HEAD")
        assert (response.status, response.body) == (200, b"")
        assert int(response.header("Content-Length")) > 50
        assert ask(nginx, target, "POST").status == 405
    assert ask(nginx, "/closed").status == 403


def test_prometheus_says_what_json_says(start):
    nginx = start()
    some_requests(nginx)
    s, m = status(nginx), metrics(nginx)
    for name, n in s["requests"]["outcomes"].items():
        assert m['web_bot_auth_requests_total{outcome="%s"}' % name] == n
    for reason in s["requests"]["reasons"]:
        assert m['web_bot_auth_reasons_total{reason="%s"}' % reason["name"]] \
            == reason["count"]
    for name, n in s["requests"]["decisions"].items():
        assert m['web_bot_auth_decisions_total{decision="%s"}' % name] == n
    for family, label in (("tags", "tag"), ("directories", "directory")):
        for row in s["requests"][family]:
            for result in ("verified", "failed"):
                assert m['web_bot_auth_%s_requests_total{%s="%s",result="%s"}'
                         % (label, label, row["name"], result)] == row[result]
    for answer, n in s["nonces"]["answers"].items():
        assert m['web_bot_auth_nonce_answers_total{answer="%s"}' % answer] == n
    assert m["web_bot_auth_nonce_entries"] == s["nonces"]["live"]
    assert m["web_bot_auth_restart_needed"] == 0


def test_prometheus_text_is_well_formed(start):
    """What promtool looks at, for machines without it."""
    text = ask(start(), "/metrics").body.decode()
    helped, typed, family, seen = set(), {}, None, set()
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family = line.split(" ", 3)[2]
            assert family not in helped and line.split(" ", 3)[3]
            helped.add(family)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == family and name not in typed
            typed[name] = kind
        else:
            match = re.fullmatch(
                r'([a-z_]+)(\{(?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)+\})? '
                r'(-?[0-9.e+-]+)', line)
            assert match, line
            base = match[1]
            if typed[family] == "histogram":
                base = re.sub(r"_(bucket|sum|count)$", "", base)
            assert base == family, line
            assert match[0].rpartition(" ")[0] not in seen
            seen.add(match[0].rpartition(" ")[0])
            if typed[family] == "counter":
                assert family.endswith("_total")
    assert set(typed) == helped
    assert all(name.startswith("web_bot_auth_") for name in typed)


# The module that is installed

def test_another_module_is_installed(serve, tmp_path, binaries):
    """An upgraded package: the old code runs until nginx is restarted."""
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)     # for the workers
    installed = tmp_path / "module.so"
    shutil.copy(binaries[1], installed)
    nginx = serve.make(CONF, **USUAL)
    nginx.module = str(installed)
    nginx.configure(CONF)
    nginx.start()
    assert status(nginx)["versions"]["restart_needed"] is False
    stamp = b"@(#)ngx_http_web_bot_auth_module "
    data = installed.read_bytes()
    assert data.count(stamp + b"0.1.0\0") == 1
    upgraded = tmp_path / "module.so.new"
    upgraded.write_bytes(data.replace(stamp + b"0.1.0\0",
                                      stamp + b"9.8.7\0"))
    upgraded.rename(installed)
    nginx.reload(wait_old=True)
    versions = status(nginx)["versions"]
    assert versions["module"] == "0.1.0"
    assert versions["installed"] == "9.8.7"
    assert versions["restart_needed"] is True
    assert metrics(nginx)["web_bot_auth_restart_needed"] == 1
    installed.unlink()
    assert status(nginx)["versions"]["installed"] is None
    nginx.expect("module.so")


# Configuration

@pytest.mark.parametrize("line, message", [
    ("web_bot_auth_status xml;", 'invalid format "xml", write json, prometheus or html'),
    ("web_bot_auth_status json; web_bot_auth_status html;", "is duplicate"),
    ("web_bot_auth_status;", "invalid number of arguments"),
])
def test_wrong_words(serve, line, message):
    nginx = serve.make(CONF.replace(
        "location = /closed { web_bot_auth_status json;",
        "location = /closed { " + line), **USUAL)
    nginx.expect(r"\[emerg\]")
    good, text = nginx.test()
    assert not good and message in text


def test_nothing_to_tell(serve):
    nginx = serve.make("""
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    server { listen 127.0.0.1:%%PORT%%;
             location / { web_bot_auth_status json; } }
}
""")
    nginx.expect(r"\[emerg\]")
    good, text = nginx.test()
    assert not good
    assert '"web_bot_auth_status" has nothing to tell: write' in text
    assert re.search(r"nginx\.conf:\d+", text)
