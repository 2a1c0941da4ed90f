# SPDX-License-Identifier: BSD-2-Clause
"""docs/migration.md: from a sidecar that nginx asks by auth_request to this
module, by the page's own configuration and commands; each kind of difference
that a sidecar makes is seen in the comparing log."""

import http.server
import json
import re
import threading
import time

import pytest
from cryptography.exceptions import InvalidSignature

from harness import ports
from harness.agents import TARGET, Agent
from harness.client import fetch
from harness.directory import Directory
from harness.guide import ROOT, Page, rows
from harness.machine import Machine, Walk
from harness.nginx import wait_for
from harness.signer import (OMIT, Key, Request, flip_bit, jwks, signature_base,
                            split_members, unb64url)

PAGE = Page("docs/migration.md")
HOST = "keys.agents.example"
LOG = "var/log/nginx/agents-compared.log"
SITE = "/etc/nginx/sites-enabled/shop"


class Sidecar:
    """Verifies Ed25519 signatures and tags, and nothing else: no times, no
    nonces, keys as they were when it began.  Sidecars do."""

    def __init__(self, *keys):
        self.keys = {key.thumbprint: key for key in keys}
        self.asked = []
        self.answer = None      # instead of its own
        self.port = ports.free()
        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", self.port), self.handler())
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,),
                         daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def judge(self, headers):
        """(status, tag)"""
        if "Signature-Input" not in headers:
            return 401, None
        (label, member), = split_members(headers["Signature-Input"])
        covered, params = re.fullmatch(r"\(([^)]*)\)(.*)", member).groups()
        components = [c.strip('"') for c in covered.split()]
        named = dict(re.findall(r';(\w+)="([^"]*)"', params))
        request = Request(
            headers["X-Original-Method"], headers["X-Original-URI"],
            headers["Host"], "https", list(headers.items()))
        base = signature_base(request, components, member)
        signature = dict(split_members(headers["Signature"]))[label]
        key = self.keys.get(named["keyid"])
        if key is None:
            return 403, None
        try:
            key.private.public_key().verify(
                unb64url(signature.strip(":").replace("+", "-").replace(
                    "/", "_").rstrip("=")), base)
        except InvalidSignature:
            return 403, None
        return 200, named["tag"]

    def handler(self):
        sidecar = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                sidecar.asked.append(dict(self.headers.items()))
                status, tag = sidecar.answer or sidecar.judge(self.headers)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                if tag:
                    self.send_header("X-Agent-Tag", tag)
                self.end_headers()

            do_POST = do_GET

            def log_message(self, *_):
                pass

        return Handler


@pytest.fixture(scope="module")
def shops_authority(authority):
    class Shops:
        ca = authority.ca
        cert, key = authority.issue("shop.example")
    return Shops


class Shop:
    def __init__(self, machine, key):
        self.machine = machine
        self.walk = Walk(machine)
        self.key = key
        self.payer = Agent(key, "agent-payer-auth", TARGET)

    def request(self, target="/checkout/pay", **over):
        return self.payer.request(target, host="shop.example", scheme="https",
                                  **over)

    def send(self, request):
        return fetch(self.machine.port("PORT_443"), request,
                     tls=self.machine.authority.ca, name="shop.example")

    def ask(self, **over):
        return self.send(self.request(**over)).status

    def unsigned(self):
        return self.send(Request("GET", "/checkout/", "shop.example",
                                 "https")).status

    def told(self, **over):
        """The tag that the application gets."""
        response = self.send(self.request(**over))
        assert response.status == 200, self.machine.error_log[-2000:]
        return json.loads(response.body)["headers"].get("x-agent-tag")

    def follow(self, heading, commands=True):
        for block in PAGE.blocks_of(heading):
            if commands or block.language == "nginx":
                self.walk.block(block)

    def compared(self, send, count=1):
        """The lines that these requests add to the comparing log."""
        path = self.machine.dir / LOG
        before = path.read_text().count("\n")
        send()
        return wait_for("the log", lambda: (
            lambda lines: lines if len(lines) == count else None)(
                path.read_text().splitlines()[before:]))


@pytest.fixture
def shop(serve, binaries, authority, shops_authority, names, upstream):
    key = Key()
    network = Directory(authority, chain=authority.issue(HOST))
    names.host(HOST, "127.0.0.1")
    names.map("127.0.0.1", network)
    network.serve("/visa.json", body=jwks(key),
                  media_type="application/json")
    sidecar = Sidecar(key)
    machine = Machine(binaries, shops_authority, names=names,
                      upstream=upstream, other={
                          "127.0.0.1:9000": "127.0.0.1:%d" % sidecar.port})
    serve.all.append(machine)
    machine.put("/etc/nginx/conf.d/agents.conf",
                "web_bot_auth_clock_skew 0;")
    machine.put("/etc/nginx/nginx.conf", re.sub(
        r"error_log \S+;", "error_log /var/log/nginx/error.log notice;",
        (machine.dir / "etc/nginx/nginx.conf").read_text().replace(
            str(machine.dir), "")))
    new = Shop(machine, key)
    new.sidecar, new.network = sidecar, network
    yield new
    sidecar.stop()
    network.stop()


def begin(shop):
    """The shop as it was, and then side by side."""
    shop.follow("From an auth_request sidecar")
    shop.machine.start()
    assert shop.told() == "agent-payer-auth"
    shop.follow("Side by side")
    wait_for("keys, and a warm table", lambda: "module=allow" in shop.compared(
        lambda: shop.ask())[0])


def test_the_walk(shop):
    begin(shop)
    s = shop

    # Side by side the sidecar decides, and the log compares.
    line, = s.compared(lambda: s.told())
    assert line.startswith("same sidecar=200 module=allow reason=ok "
                           "tags=agent-payer-auth/agent-payer-auth ")
    line, = s.compared(lambda: s.unsigned())
    assert line.startswith("same sidecar=401 module=dry-run-deny "
                           "reason=no-signature tags=/ ")
    line, = s.compared(lambda: s.ask(signature=flip_bit))
    assert line.startswith("same sidecar=403 module=dry-run-deny "
                           "reason=bad-signature")
    path = s.machine.dir / LOG
    path.write_text("".join(x for x in path.read_text().splitlines(True)
                            if not x.startswith("DIFFERENT")))
    once = s.request()
    s.compared(lambda: s.send(once))
    line, = s.compared(lambda: s.send(once))
    assert line.startswith("DIFFERENT sidecar=200 module=dry-run-deny "
                           "reason=nonce-replayed")
    (counts, _), (kinds, _) = PAGE.blocks_of("Compare")[0].commands
    assert re.fullmatch(r" +1 DIFFERENT\n +\d+ same\n", s.machine.run(counts))
    assert s.machine.run(kinds) == (
        "      1 sidecar=200 module=dry-run-deny reason=nonce-replayed\n")

    # Both must agree.
    first, second = PAGE.blocks_of("Cut over", "console")
    final, = PAGE.blocks_of("Cut over", "nginx")
    s.walk.block(first)
    line, = s.compared(lambda: s.told())
    assert line.startswith("same sidecar=200 module=allow ")
    asked = len(s.sidecar.asked)
    line, = s.compared(lambda: s.send(once))
    said = re.search(r"`(DIFFERENT sidecar=- module=deny)`", PAGE.text)[1]
    assert line.startswith(said + " reason=nonce-replayed ")
    assert s.unsigned() == 403
    assert len(s.sidecar.asked) == asked
    s.sidecar.answer = (403, None)
    assert s.ask() == 403
    s.sidecar.answer = None

    # The module alone.
    s.walk.block(final)
    s.walk.block(second)
    asked = len(s.sidecar.asked)
    assert s.told(headers=[("X-Agent-Tag", "forged")]) == "agent-payer-auth"
    assert [s.unsigned(), s.ask(signature=flip_bit), s.send(once).status] \
        == [403, 403, 429]
    assert len(s.sidecar.asked) == asked

    # And back.
    s.follow("Roll back")
    assert s.told() == "agent-payer-auth" and s.unsigned() == 401
    assert len(s.sidecar.asked) == asked + 2


def differences(s):
    """sidecar's status, module's word -> how it comes about."""
    now = int(time.time())
    other, new = Key(), Key()
    s.sidecar.keys[other.thumbprint] = other
    again = s.request()
    s.compared(lambda: s.send(again))

    def rotated():
        s.network.serve("/visa.json", body=jwks(s.key, new))
        s.machine.names.advance(86400)      # 24 h: the longest freshness
        wait_for("the new key", lambda: "module=allow" in s.compared(
            lambda: s.ask(key=new))[0])
        s.ask(key=new)

    def down(send):
        s.sidecar.answer = (503, None)
        send()
        s.sidecar.answer = None

    return {
        ("200", "expired"): lambda: s.ask(created=now - 900,
                                          expires=now - 600),
        ("200", "clock-ahead"): lambda: s.ask(created=now + 900,
                                              expires=now + 1200),
        ("200", "lifetime-too-long"): lambda: s.ask(lifetime=3600),
        ("200", "nonce-replayed"): lambda: s.send(again),
        ("200", "authority-not-served"): lambda: s.send(
            s.payer.request("/checkout/", host="other.example",
                            scheme="https")),
        ("200", "missing-fields"): lambda: s.ask(expires=OMIT),
        ("200", "component-not-covered"): lambda: s.ask(
            components=("@authority",)),
        ("200", "target-not-covered"): lambda: s.ask(components=("@path",)),
        ("200", "key-unknown"): lambda: s.ask(key=other),
        ("200", "denied-by-rule"): lambda: s.ask(tag="agent-browser-auth"),
        ("5..", "allow"): lambda: down(s.ask),
        ("5..", "dry-run-deny"): lambda: down(s.unsigned),
        ("403", "allow"): rotated,
    }


TABLE = {(row[0], word) for row in rows(PAGE.sections["Compare"])
         for word in re.findall(r"`([a-z-]+)`", row[1])}
# Seen after each start; and of sidecars that are not given the path as sent.
ELSEWHERE = {("200", "nonce-store-cold"), ("200", "bad-signature")}


def test_the_kinds_of_difference(shop):
    begin(shop)
    made = differences(shop)
    assert set(made) == TABLE - ELSEWHERE
    for (status, word), make in made.items():
        if (status, word) == ("403", "allow"):
            continue    # the last: it takes several requests
        line, = shop.compared(make)
        assert re.match("DIFFERENT sidecar=%s module=" % status, line), line
        assert " reason=%s " % word in line \
            or "module=%s " % word in line, line
    made["403", "allow"]()
    last = (shop.machine.dir / LOG).read_text().splitlines()[-1]
    assert last.startswith("DIFFERENT sidecar=403 module=allow ")


def test_words_of_the_tables_exist():
    known = (ROOT / "docs/reasons.md").read_text()
    words = {w for h in ("Compare", "From a CDN's verification")
             for row in rows(PAGE.sections[h])
             for w in re.findall(r"`([a-z-]+)`", row[1])}
    assert len(words) > 12
    for word in words - {"allow", "dry-run-deny"}:
        assert "| `%s` |" % word in known, word


def test_a_service_that_decides_about_verified_agents(shop):
    """Behind the module, with its variables; not asked about others."""
    block, = PAGE.blocks_of("What a sidecar can do that this does not",
                            "nginx")
    s = shop
    s.machine.put("/etc/nginx/conf.d/agents-cold.conf",
                  "web_bot_auth_nonce_store shared cold=accept;")
    s.walk.block(block)
    s.sidecar.answer = (204, None)
    s.machine.start()
    wait_for("keys", lambda: s.ask() == 200)
    s.sidecar.asked.clear()
    assert s.told() == "agent-payer-auth"
    asked, = s.sidecar.asked
    assert asked["X-Agent-Directory"] == "visa"
    assert asked["X-Agent-Keyid"] == s.key.thumbprint
    assert asked["X-Agent-Tag"] == "agent-payer-auth"
    assert s.unsigned() == 403 and s.ask(signature=flip_bit) == 403
    assert len(s.sidecar.asked) == 1
    s.sidecar.answer = (403, None)
    used = s.request()
    assert s.send(used).status == 403
    s.sidecar.answer = (204, None)
    assert s.send(used).status == 429       # its nonce is used up


def test_beside_a_cdn(shop):
    """We say what the CDN has said."""
    block, = PAGE.blocks_of("From a CDN's verification", "nginx")
    s = shop
    s.machine.put("/etc/nginx/conf.d/agents-cold.conf",
                  "web_bot_auth_nonce_store shared cold=accept;")
    s.walk.block(block)
    s.machine.start()

    def said(word, signed=True, **over):
        headers = [("CF-Verified-Bot", word)] if word else []
        request = s.request(headers=headers, **over) if signed else Request(
            "GET", "/checkout/", "shop.example", "https", headers)
        line, = s.compared(lambda: s.send(request))
        return line

    wait_for("keys", lambda: "module=allow" in said("true"))
    assert said("true").startswith("same cdn=true module=allow ")
    assert said("false", signature=flip_bit).startswith(
        "same cdn=false module=dry-run-deny reason=bad-signature ")
    assert said(None, signed=False).startswith("same cdn=- ")
    line = said("true", signed=False)
    assert line.startswith("DIFFERENT cdn=true module=dry-run-deny "
                           "reason=no-signature ") and 'signed="-"' in line
    assert said("true", key=Key()).startswith("DIFFERENT ")
    assert said(None).startswith("DIFFERENT cdn=- module=allow ")
