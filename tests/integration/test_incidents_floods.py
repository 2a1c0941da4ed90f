# SPDX-License-Identifier: BSD-2-Clause
"""docs/incidents.md, as test_incidents.py: floods, keys, nonces, the machine."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

from harness.client import Connection
from harness.guide import pattern
from harness.incident import (HOUR, PAGE, networks,  # noqa: F401
                              shop, shops_authority)
from harness.nginx import SANITIZED, wait_for
from harness.signer import Key, Request, flip_bit, fresh_nonce, jwks, sign
from harness.tls import Authority


# Floods

def forged(s, source, count=60):
    """Answers to so many forgeries from one address."""
    with Connection(s.machine.port("PORT_443"), source=source,
                    tls=s.machine.authority.ca, name="shop.example") as c:
        for _ in range(count):
            c.send(s.request(signature=flip_bit))
            yield c.receive().status


def test_a_flood_of_forgeries(shop):
    s = shop(files={"keepalive": "keepalive_requests 10000;"})
    s.becomes(200)
    recipe = s.recipe("A flood of forgeries")
    assert set(forged(s, "127.0.0.3", 3000)) == {403}
    recipe.symptom()
    recipe.first_aid()
    bad = 'web_bot_auth_reasons_total{reason="bad-signature"}'
    before = s.metric(bad)
    started = time.monotonic()
    answers = list(forged(s, "127.0.0.3", 500))
    let_by = 20 + 5 * (time.monotonic() - started) + 2
    assert 20 <= answers.count(403) <= let_by
    assert answers.count(429) == 500 - answers.count(403)
    assert s.metric(bad) - before == answers.count(403)
    # Others, and who does not sign, notice nothing.
    s.becomes(200)
    assert {s.visit("/", source="127.0.0.3") for _ in range(100)} == {200}
    recipe.helped()


def test_an_address_is_kept_out_before_anything_is_verified(shop):
    """By the recipe's geo; and not by deny, as it says."""
    s = shop()
    s.becomes(200)
    recipe = s.recipe("A flood of forgeries")
    geo, = [b for b in recipe.blocks("First aid")
            if b.language == "nginx" and not b.file]
    lists, server = geo.text.split("server {")
    line, = re.findall(r"    if .*\n", server)
    site = (s.machine.dir / "etc/nginx/sites-enabled/shop").read_text()
    bad = 'web_bot_auth_reasons_total{reason="bad-signature"}'

    def verified_of(text):
        s.machine.write("etc/nginx/sites-enabled/shop", text)
        s.machine.run("sudo nginx -t && sudo nginx -s reload")
        before = s.metric(bad)
        assert set(forged(s, "127.0.0.3", 5)) == {403}
        s.becomes(200)
        return s.metric(bad) - before

    assert verified_of(site) == 5
    assert verified_of(site.replace(
        "location /checkout/ {", "location /checkout/ {\n"
        "deny 127.0.0.3;")) == 5
    assert verified_of(lists.replace("203.0.113.0/24", "127.0.0.3/32")
                       + site.replace("server_name", line + "server_name",
                                      1)) == 0


# Keys

def test_an_agents_key_has_leaked(shop):
    s = shop()
    s.becomes(200)
    recipe = s.recipe("An agent's key has leaked")
    s.machine.write("etc/nginx/agents/leaked.json",
                    json.dumps(s.key.private_jwk()))
    other = Key()
    s.publish(s.key.private_jwk(kid="visa-1"), other)
    s.advance(2 * HOUR)
    recipe.symptom()
    # Its owner, or the directory, may call it otherwise the next time.
    s.publish(s.key.jwk(kid="visa-2"), other)
    s.advance(2 * HOUR)
    s.becomes(200, keyid="visa-2")
    recipe.first_aid()
    for keyid in ("visa-2", s.key.thumbprint):
        assert s.ask(keyid=keyid) == 403
    recipe.helped()
    s.becomes(200, key=other)


@pytest.mark.parametrize("heading", [
    "An agent's key has leaked", "A directory's operator is compromised"])
@pytest.mark.parametrize("written", [
    "location /checkout/ { web_bot_auth on; web_bot_auth_allow "
    "tag=agent-payer-auth; proxy_pass http://127.0.0.1:8080; }",
    "location /checkout/ {\n\tweb_bot_auth on;\n"
    "\t# web_bot_auth_allow all;\n"
    "\tweb_bot_auth_allow tag=agent-browser-auth;\n"
    "\tweb_bot_auth_allow tag=agent-payer-auth;\n"
    "\tproxy_pass http://127.0.0.1:8080;\n}",
])
def test_rules_are_found_however_they_are_written(shop, heading, written):
    """On one line, behind tabs; and a comment stays one."""
    s = shop()
    path = "etc/nginx/sites-enabled/shop"
    site = (s.machine.dir / path).read_text()
    s.machine.write(path, re.sub(
        r"location /checkout/ \{[^}]*(proxy_pass [^;]*)[^}]*\}",
        lambda m: written.replace("proxy_pass http://127.0.0.1:8080", m[1]),
        site))
    s.machine.write("etc/nginx/agents/leaked.json",
                    json.dumps(s.key.private_jwk()))
    s.machine.run("sudo nginx -t && sudo nginx -s reload")
    s.becomes(200)
    s.recipe(heading).first_aid()
    s.becomes(403)
    s.logged("[notice] ... web_bot_auth: request refused, "
             "reason=denied-by-rule ...")
    shown = s.machine.run("sudo nginx -T 2> /dev/null "
                          "| grep web_bot_auth_allow")
    told = [line.strip(" \t#") for line in shown.splitlines()]
    assert len(told) == written.count("_allow")
    for line in told:
        assert "web_bot_auth_deny" in line.split("web_bot_auth_allow")[0]


def test_the_only_key_of_a_set_is_given_up_when_it_is_published(shop):
    """So the recipe says."""
    assert "the only one of its set" in PAGE.sections[
        "An agent's key has leaked"]
    s = shop()
    s.becomes(200)
    s.publish(s.key.private_jwk())
    s.advance(2 * HOUR)
    s.becomes(403)
    s.logged("[crit] ... web_bot_auth: directory visa, entry 0 ...: "
             "private key material is published")
    s.logged("[warn] ... web_bot_auth: directory visa: 0 keys from ...; "
             "all of its keys are revoked")


def test_a_directorys_operator_is_compromised(shop):
    s = shop()
    s.becomes(200)
    recipe = s.recipe("A directory's operator is compromised")
    thief = Key()
    s.publish(s.key, thief)
    s.advance(2 * HOUR)
    s.becomes(200, key=thief)
    recipe.symptom()
    recipe.first_aid()
    for key in (thief, s.key):
        assert s.ask(key=key) == 403
    recipe.helped()


# Nonces

def fill(s):
    """Requests with eight signatures each, of as many nonces, until one more
    is refused; how many were let in."""
    count = 0
    with Connection(s.machine.port("PORT_443"), name="shop.example",
                    tls=s.machine.authority.ca) as c:
        for count in range(20000):
            c.send(sign(Request("GET", "/checkout/", "shop.example", "https"),
                        *[s.payer.sig(label="s%d" % i, nonce=fresh_nonce())
                          for i in range(8)]))
            if c.receive().status != 200:
                break
    return count


def test_the_nonce_table_is_full(shop):
    s = shop(files={"zone": "web_bot_auth_zone 1m;",
                    "keepalive": "keepalive_requests 100000;"})
    s.becomes(200)
    recipe = s.recipe("The nonce table is full")
    capacity = s.metric("web_bot_auth_nonce_capacity")
    assert fill(s) * 8 > 0.9 * capacity
    recipe.symptom()
    recipe.first_aid()
    s.becomes(200)
    recipe.helped()
    assert s.metric("web_bot_auth_nonce_capacity") > 60 * capacity


def test_cold_after_a_restart(shop):
    s = shop()
    s.becomes(200)
    recipe = s.recipe("Cold after a restart")

    def restart():
        s.machine.process.terminate()
        s.machine.process.wait(20)
        s.machine.start()

    used = s.request()
    assert s.send(used).status == 200
    restart()
    wait_for("keys", lambda: s.send(used).status == 503)
    recipe.symptom()
    s.becomes(200)
    recipe.helped()
    # The cure: the same restart, and nothing is cold.
    for block in recipe.blocks("Cure"):
        s.walk.block(block)
    restart()       # from memory to a file: the last time
    s.becomes(200)
    used, fresh = s.request(), s.request()
    assert s.send(used).status == 200
    mark = len(s.machine.error_log)
    restart()
    wait_for("keys", lambda: s.send(used).status == 429)
    assert s.send(fresh).status == 200
    kept = re.search(r"the log says at each start: `([^`]*)`",
                     PAGE.sections[recipe.heading])[1]
    assert re.search(pattern(kept), s.machine.error_log[mark:])


# The machine

@pytest.mark.skipif(SANITIZED, reason="ASan takes SIGSEGV for a finding")
def test_a_worker_crashes(shop):
    s = shop()
    s.becomes(200)
    recipe = s.recipe("A worker crashes")
    used = s.request()
    assert s.send(used).status == 200
    s.machine.expect(r"worker process \d+ exited on signal 11")
    victim = min(s.machine.workers())
    os.kill(victim, signal.SIGSEGV)
    wait_for("another worker", lambda: victim not in s.machine.workers()
             and len(s.machine.workers()) == 2)
    recipe.symptom()
    recipe.first_aid()
    recipe.helped()
    if not pathlib.Path("/proc/sys/kernel/core_pattern").read_text() \
            .startswith(("|", "/")):
        os.kill(min(s.machine.workers()), signal.SIGSEGV)
        cores = s.machine.dir / "var/lib/nginx/cores"
        wait_for("a core", lambda: list(cores.iterdir()))
    # Nothing was lost with it.
    assert s.send(used).status == 429
    assert s.ask() == 200


class Full:
    """A file system of 64 KB without room, on a folder."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o",
                               "size=64k,mode=777", "tmpfs", str(folder)],
                              check=False, capture_output=True)
        if done.returncode != 0:
            pytest.skip("no tmpfs may be mounted here")
        with pytest.raises(OSError), \
                open(folder / "filler", "wb", buffering=0) as f:
            while True:
                f.write(bytes(4096))

    def make_room(self):
        (self.folder / "filler").unlink()

    def remove(self):
        subprocess.run(["umount", str(self.folder)], check=True)


def stopped(machine):
    if machine.process and machine.process.poll() is None:
        machine.process.terminate()
        machine.process.wait(20)


def test_the_disk_is_full(shop):
    s = shop(files={
        "state": "web_bot_auth_state_path /var/lib/nginx/web_bot_auth;"},
        start=False)
    recipe = s.recipe("The disk is full")
    zone = "/etc/nginx/conf.d/agents-zone.conf"
    in_run = "web_bot_auth_zone 16m file=/run/full/nonces;"
    states = Full(s.machine.dir / "var/lib/nginx/web_bot_auth")
    try:
        run = Full(s.machine.dir / "run/full")
        try:
            s.machine.expect("nonces")
            s.machine.put(zone, in_run)
            with pytest.raises(AssertionError):
                s.start()
            recipe.symptom(1)
            s.machine.put(zone, "web_bot_auth_zone 16m;")   # to start now
            s.start()
            s.becomes(200)
            recipe.symptom(0)
            s.machine.put(zone, in_run)
            s.machine.run("sudo nginx -s reload")
            s.becomes(200)
            recipe.symptom(2)
            s.machine.put(zone, "web_bot_auth_zone 16m;")
            s.machine.run("sudo nginx -s reload")
        finally:
            run.remove()
        recipe.first_aid()
        states.make_room()
        s.advance(2 * HOUR)
        recipe.helped()
        stopped(s.machine)
    finally:
        stopped(s.machine)
        states.remove()


def test_the_certificate_store_is_outdated(shop, authority, tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    old = Authority(folder / "old", "an authority of yesterday")
    store = folder / "ca-certificates.crt"
    store.write_bytes(authority.ca.read_bytes())
    s = shop(certificates=store)
    s.becomes(200)
    recipe = s.recipe("The certificate store is outdated")
    store.write_bytes(old.ca.read_bytes())
    # Workers have read the store that they know.
    s.machine.run("sudo nginx -s reload")
    s.networks.stop()       # no connection to be used again
    s.networks.start()
    s.advance(2 * HOUR)
    recipe.symptom()
    assert s.ask() in (200, 503)
    s.machine.script("apt-get", "cp %s %s && echo upgraded"
                     % (authority.ca, store))
    recipe.first_aid()
    recipe.helped()
    s.becomes(200)
