# SPDX-License-Identifier: BSD-2-Clause
"""docs/incidents.md: each incident is brought about with a real nginx; the log
lines and figures that its recipe names appear, its first aid is given by the
page's own commands and configuration, and what should tell that it helped
does."""

import json
import os
import re
import signal
import subprocess
import time

import pytest

from harness.agents import TARGET, Agent
from harness.client import Connection, fetch
from harness.directory import Directory
from harness.guide import ROOT, Page, pattern
from harness.machine import Machine, Walk
from harness.nginx import wait_for
from harness.redis import Redis
from harness.signer import Key, Request, flip_bit, fresh_nonce, jwks, sign
from harness.tls import Authority

PAGE = Page("docs/incidents.md")
QUICKSTART = Page("docs/quickstart.md")
RECIPES = [h for level, h in PAGE.headings if level == 2]
PARTS = ["Symptom", "First aid", "It helped when", "Cause", "Cure", "Do not"]
HOST = "keys.agents.example"


@pytest.fixture(scope="module")
def shops_authority(authority):
    """The same, with a certificate of the shop's."""
    class Shops:
        ca = authority.ca
        cert, key = authority.issue("shop.example")
    return Shops


@pytest.fixture(scope="module")
def networks(authority):
    """https://keys.agents.example"""
    server = Directory(authority, chain=authority.issue(HOST))
    yield server
    server.stop()


class Shop:
    """The quickstart's, gone live, with visa's directory of one key."""

    def __init__(self, serve, machine, networks, store="shared", **files):
        self.serve = serve
        self.machine = machine
        self.networks = networks
        self.walk = Walk(machine)
        self.key = Key()
        self.payer = Agent(self.key, "agent-payer-auth", TARGET)
        networks.paths.clear()
        self.publish(self.key)
        serve.all.append(machine)
        for block in QUICKSTART.blocks:
            if block.file and "agents-test" not in block.file:
                self.walk.block(block)
        self.remove_dry_run()
        conf = "/etc/nginx/conf.d/agents-%s.conf"
        machine.put("/etc/nginx/nginx.conf", re.sub(
            r"error_log \S+;", "error_log /var/log/nginx/error.log notice;",
            (machine.dir / "etc/nginx/nginx.conf").read_text().replace(
                str(machine.dir), "")))
        machine.put(conf % "store", "web_bot_auth_nonce_store %s;" % store)
        for name, text in {"skew": "web_bot_auth_clock_skew 0;",
                           **files}.items():
            machine.put(conf % name.replace("_", "-"), text)

    def advance(self, seconds):
        """The clock jumps, and the workers look at it."""
        self.machine.names.advance(seconds)
        time.sleep(0.03)    # the preloaded clock looks that often
        for _ in range(8):
            self.metric("web_bot_auth_workers")

    def remove_dry_run(self):
        path = "etc/nginx/conf.d/agents.conf"
        self.machine.write(path, (self.machine.dir / path).read_text().replace(
            "web_bot_auth_dry_run on;", ""))

    def publish(self, *keys, **manners):
        self.networks.serve("/visa.json", **{
            "body": jwks(*keys), "media_type": "application/json",
            "headers": (("Cache-Control", "max-age=3600"),), **manners})

    def start(self):
        self.machine.start()
        return self

    # Requests

    def send(self, request, **how):
        return fetch(self.machine.port("PORT_443"), request,
                     tls=self.machine.authority.ca, name="shop.example", **how)

    def request(self, **over):
        return self.payer.request("/checkout/", **{
            "host": "shop.example", "scheme": "https", **over})

    def ask(self, **over):
        return self.send(self.request(**over)).status

    def visit(self, target="/checkout/", **how):
        return self.send(Request("GET", target, "shop.example", "https"),
                         **how).status

    def becomes(self, status, **over):
        wait_for("an answer of %d" % status,
                 lambda: self.ask(**over) == status)

    def metric(self, name):
        text = fetch(self.machine.port("PORT_8081"),
                     Request(target="/metrics")).body.decode()
        return float(re.search(r"^%s (\S+)$" % re.escape(name), text,
                               re.M)[1])

    # The page

    def recipe(self, heading):
        return Recipe(self, heading)

    def logged(self, said):
        """Waits for a line of the log as the page has it."""
        line = re.compile(r"\S+ \S+ " + pattern(
            said.replace("] ... ", "] ...: ...", 1) if "] ... " in said
            else said) + r"$")

        def look():
            log = self.machine.printed(self.machine.error_log)
            return any(line.match(text) for text in log.splitlines())

        try:
            wait_for("the log to say " + said, look)
        except AssertionError as late:
            raise AssertionError("%s in:\n%s" % (
                late, self.machine.error_log[-3000:])) from None


class Recipe:
    def __init__(self, shop, heading):
        self.shop = shop
        self.heading = heading

    def blocks(self, part):
        return PAGE.blocks_of(self.heading, part=part)

    def lines(self, part="Symptom"):
        return [line for block in self.blocks(part)
                if block.language == "log"
                for line in block.text.splitlines()]

    def symptom(self, *which):
        """All of it, or the log lines of these numbers."""
        for n, line in enumerate(self.lines()):
            if not which or n in which:
                self.shop.logged(line)
        if not which:
            self.figures()

    def figures(self):
        self.follow("Symptom")

    def follow(self, part):
        for block in self.blocks(part):
            if block.file or block.language == "console":
                self.shop.walk.block(block)

    def first_aid(self):
        assert self.blocks("First aid")
        self.follow("First aid")

    def helped(self):
        for line in self.lines("It helped when"):
            self.shop.logged(line)
        self.follow("It helped when")


@pytest.fixture
def shop(serve, binaries, shops_authority, networks, names, upstream):
    names.host(HOST, "127.0.0.1")
    names.map("127.0.0.1", networks)
    made = []

    def make(store="shared", files=(), other=(), certificates=None,
             start=True):
        machine = Machine(binaries, shops_authority, names=names,
                          upstream=upstream, other=other, store=certificates)
        made.append(machine)
        new = Shop(serve, machine, networks, store, **dict(files))
        return new.start() if start else new

    yield make
    networks.release()
    for machine in made:
        serve.all.remove(machine)
        machine.stop()


@pytest.fixture
def redis():
    server = Redis()
    yield server
    server.remove()


# The page itself

@pytest.mark.parametrize("heading", RECIPES)
def test_a_recipe_is_complete(heading):
    assert PAGE.leads[heading] == PARTS
    symptom = PAGE.blocks_of(heading, part="Symptom")
    assert [b for b in symptom if b.language in ("log", "console")]


def test_every_recipe_is_in_the_table_and_is_tested():
    table = PAGE.text[:PAGE.text.index("\n## ")]
    links = set(re.findall(r"\(#([\w-]+)\)", table))
    assert links == {h.lower().replace(" ", "-").replace("'", "")
                     for h in RECIPES}
    source = open(__file__, encoding="utf-8").read()
    assert set(re.findall(r'\.recipe\(\s*"([^"]+)"', source)) == set(RECIPES)


def test_every_alert_is_in_the_table():
    alerts = re.findall(r"- alert: (\w+)", (
        ROOT / "docs/monitoring/alerts.yml").read_text())
    assert len(alerts) > 5
    table = PAGE.text[:PAGE.text.index("\n## ")]
    known = set(re.findall(r"\bWebBotAuth\w+", table))
    assert known <= set(alerts)
    # That one is an upgrade's, and no incident.
    assert set(alerts) - known == {"WebBotAuthRestartNeeded"}


# People and rules

def test_customers_are_shut_out(shop):
    s = shop()
    recipe = s.recipe("Customers are shut out")
    assert s.visit() == 403
    recipe.symptom()
    recipe.first_aid()
    assert s.visit() == 200
    recipe.helped()
    # The rest of the page: what is known stays known, and can be taken back.
    (s.machine.dir / "etc/nginx/conf.d/agents-dry-run.conf").unlink()
    s.machine.run("sudo nginx -t && sudo nginx -s reload")
    assert s.visit() == 403


def test_a_directive_that_stands_elsewhere_is_a_duplicate(shop):
    s = shop(files={"other": "web_bot_auth_dry_run off;"}, start=False)
    s.machine.put("/etc/nginx/conf.d/agents-dry-run.conf",
                  "web_bot_auth_dry_run on;")
    s.machine.expect("duplicate")
    passed, output = s.machine.test()
    assert not passed and '"web_bot_auth_dry_run" directive is duplicate' \
        in output


# Directories

HOUR, DAY = 3600, 86400


def test_a_directory_is_down(shop, networks):
    s = shop()
    s.becomes(200)
    recipe = s.recipe("A directory is down")
    networks.stop()
    try:
        s.advance(2 * HOUR)
        recipe.symptom(0)
        recipe.figures()
        s.becomes(200)
        recipe.first_aid()
        s.becomes(200)
        s.advance(3 * DAY)
        recipe.helped()
        s.becomes(200)
        assert "is over" not in s.machine.error_log
    finally:
        networks.start()


def test_a_directory_is_down_for_too_long(shop, networks):
    s = shop(files={"wait": "web_bot_auth_wait 200ms;"})
    s.becomes(200)
    recipe = s.recipe("A directory is down")
    networks.stop()
    try:
        s.advance(3 * DAY)
        s.becomes(503)
        recipe.symptom(1, 2)
        s.machine.write("etc/nginx/agents/visa.json", jwks(s.key))
        copy, = PAGE.blocks_of("A directory has revoked all keys", "nginx")
        assert "url file:/etc/nginx/agents/visa.json;" in copy.text \
            and "url file:/etc/nginx/agents/visa.json;" in PAGE.sections[
                recipe.heading]
        s.walk.block(copy)
        s.machine.run("sudo nginx -t && sudo nginx -s reload")
        recipe.helped()
        s.becomes(200)
    finally:
        networks.start()


def test_a_directory_serves_rubbish(shop):
    s = shop()
    s.becomes(200)
    recipe = s.recipe("A directory serves rubbish")
    good = s.networks.paths["/visa.json"]
    s.publish(body="<!DOCTYPE html><title>Back soon</title>",
              media_type="text/html")
    s.advance(2 * HOUR)
    recipe.symptom(0)
    s.becomes(200)
    recipe.first_aid()
    # Mended, but for one entry.
    s.networks.paths["/visa.json"] = good
    s.publish(s.key, {"kty": "OKP", "crv": "Ed25519", "x": "AA"})
    s.advance(300)
    recipe.helped()
    recipe.symptom(1)
    s.becomes(200)


def test_another_max_keys_fetches_at_once(shop):
    """As that recipe says, and the one of a leaked key."""
    s = shop()
    s.becomes(200)
    path = "etc/nginx/conf.d/agents-visa.conf"
    text = (s.machine.dir / path).read_text()
    before = s.networks.count("/visa.json")
    s.machine.run("sudo nginx -s reload")
    s.becomes(200)
    assert s.networks.count("/visa.json") == before
    s.machine.write(path, text.replace(
        "profile tap;", "profile tap; max_keys 9999;"))
    s.machine.run("sudo nginx -s reload")
    s.becomes(200)
    assert s.networks.count("/visa.json") == before + 1


def test_a_directory_has_revoked_all_keys(shop):
    s = shop()
    s.becomes(200)
    recipe = s.recipe("A directory has revoked all keys")
    s.publish()
    s.advance(2 * HOUR)
    s.becomes(403)
    recipe.symptom()
    s.machine.write("etc/nginx/agents/visa.json", jwks(s.key))
    recipe.first_aid()
    recipe.helped()
    s.becomes(200)


# Redis

def redis_shop(shop, redis, **how):
    return shop(store="redis://10.0.0.5", other={
        "redis://10.0.0.5": redis.url().rpartition("/")[0],
        "redis 10.0.0.5 port": "redis 127.0.0.1 port"}, **how)


@pytest.mark.parametrize("how", ["down", "slow"])
def test_redis_is_down_or_slow(shop, redis, how):
    s = redis_shop(shop, redis)
    s.becomes(200)
    recipe = s.recipe("Redis is down or slow")
    if how == "down":
        redis.stop()
    else:
        redis.pause()
    s.becomes(503)
    recipe.symptom()
    recipe.first_aid()
    s.becomes(200)
    used = s.request()
    assert s.send(used).status == 200
    recipe.helped()
    if how == "down":
        redis.start()
    else:
        redis.go_on()
    s.logged("[notice] ... web_bot_auth: Redis: ...connected and usable")
    s.becomes(200)
    assert s.send(used).status == 429


def test_texts_that_the_redis_recipe_names_exist():
    source = (ROOT / "src/fetch/redis_reply.c").read_text()
    section = PAGE.sections["Redis is down or slow"]
    named = section[section.index("The text after the port"):
                    section.index("**First aid")]
    texts = re.findall(r"`([^`]+)`", named)
    assert len(texts) == 5
    for text in texts:
        assert '"%s' % " ".join(text.split()) in source, text


def test_redis_was_emptied(shop, redis):
    s = redis_shop(shop, redis)
    s.becomes(200)
    recipe = s.recipe("Redis was emptied")
    early = s.request()
    used = s.request()
    assert s.send(used).status == 200
    redis.command("FLUSHALL")
    assert s.send(early).status == 503
    wait_for("the store to be cold", lambda: "reason=nonce-store-cold" in (
        s.send(early), s.machine.error_log)[1])
    recipe.symptom()
    fresh = s.metric('web_bot_auth_nonce_answers_total{answer="fresh"}')
    s.becomes(200)
    assert s.metric(
        'web_bot_auth_nonce_answers_total{answer="fresh"}') > fresh
    recipe.helped()
    assert s.send(used).status in (429, 503)


def test_a_name_that_does_not_resolve_keeps_nginx_from_starting(shop):
    s = shop(store="redis://redis.absent.example", start=False)
    s.machine.expect("redis.absent.example")
    passed, output = s.machine.test()
    assert not passed and "host not found" in output


# Clocks

def test_our_clock_is_wrong(shop):
    """An hour ahead, while agents' requests come in."""
    s = shop()
    s.becomes(200)
    recipe = s.recipe("Our clock is wrong")
    table = s.machine.names.dir / "table"
    s.machine.script("chronyc", "sed 's/^wall .*/wall 0/' %s > %s.2 && mv "
                     "%s.2 %s && echo 200 OK" % ((table,) * 4))
    s.machine.names.turn(HOUR)
    s.becomes(403)
    recipe.symptom()

    def signed_by_it():
        late = int(time.time()) + HOUR
        return s.ask(created=late, expires=late + 300)

    # Somebody's clock is wrong, too: the table has seen that hour.
    wait_for("a nonce of that hour", lambda: signed_by_it() == 200)
    aid = recipe.blocks("First aid")
    s.walk.block(aid[0])
    s.machine.names.wall = 0
    s.becomes(503)
    s.logged("[notice] ... web_bot_auth: request refused, "
             "reason=nonce-store-cold ...")
    for block in aid[1:]:
        s.walk.block(block)
    s.becomes(200)
    recipe.helped()


def test_our_clock_is_behind(shop):
    s = shop()
    s.becomes(200)
    s.machine.names.turn(-HOUR)
    s.becomes(403)
    s.logged("[notice] ... web_bot_auth: request refused, "
             "reason=clock-ahead ...")
    s.machine.names.turn(HOUR)
    s.becomes(200)      # nothing else is to be done


def test_an_agents_clock_is_wrong(shop):
    s = shop()
    s.becomes(200)
    recipe = s.recipe("An agent's clock is wrong")

    def ahead():
        now = int(time.time())
        return s.ask(created=now + 57, expires=now + 340)

    assert ahead() == 403
    recipe.symptom()
    recipe.first_aid()
    wait_for("it to be borne with", lambda: ahead() == 200)
    recipe.helped()
    # Of what follows the page warns.
    assert s.ask() == 503
    s.logged("[notice] ... web_bot_auth: request refused, "
             "reason=nonce-store-cold ...")
    s.machine.names.ahead = s.machine.names.wall = 61
    s.machine.names.write()
    now = int(time.time()) + 61
    s.becomes(200, created=now, expires=now + 300)


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


def test_the_only_key_of_a_set_stays_in_use_when_it_is_published(shop):
    """So the recipe warns."""
    assert "the only one of its set" in PAGE.sections[
        "An agent's key has leaked"]
    s = shop()
    s.becomes(200)
    s.publish(s.key.private_jwk())
    s.advance(2 * HOUR)
    s.logged("[crit] ... web_bot_auth: directory visa, entry 0 ...: "
             "private key material is published")
    s.logged("[warn] ... web_bot_auth: directory visa could not be fetched "
             "from ...; its keys stay in use")
    s.becomes(200)


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
