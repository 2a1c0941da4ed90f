# SPDX-License-Identifier: BSD-2-Clause
"""docs/incidents.md and the shop that its recipes are for: test files import
the fixtures shop, networks and shops_authority from here."""

import re
import time

import pytest

from .agents import TARGET, Agent
from .client import fetch
from .directory import Directory
from .guide import Page, pattern
from .machine import Machine, Walk
from .nginx import wait_for
from .signer import Key, Request, jwks

PAGE = Page("docs/incidents.md")
QUICKSTART = Page("docs/quickstart.md")
HOST = "keys.agents.example"
HOUR, DAY = 3600, 86400


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

    def advance(self, seconds, wall=0):
        """The clock jumps, and the workers look at it; wall: the time of
        day as well."""
        self.machine.names.wall += wall
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
