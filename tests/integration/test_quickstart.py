# SPDX-License-Identifier: BSD-2-Clause
"""docs/quickstart.md, walked as its reader would: its own commands and its own
configuration, in order, from an nginx without the module to a checkout that
refuses.  Then every message that it explains is brought about."""

import json
import re
import subprocess

import pytest

from harness.agents import Agent, TARGET
from harness.client import fetch
from harness.directory import Directory
from harness.guide import ROOT, Page, pattern, rows
from harness.machine import Machine, Walk
from harness.nginx import wait_for
from harness.signer import Key, Request, jwks

PAGE = Page("docs/quickstart.md")
STEPS = [h for _, h in PAGE.headings if re.match(r"\d+\. ", h)]
TITLE = PAGE.headings[0][1]

VISA = Key()
PAYER = Agent(VISA, "agent-payer-auth", TARGET)


@pytest.fixture(scope="module")
def networks(authority):
    """https://keys.agents.example/visa.json"""
    server = Directory(authority, chain=authority.issue("keys.agents.example"))
    server.serve("/visa.json", body=jwks(VISA), media_type="application/json",
                 headers=(("Cache-Control", "max-age=3600"),))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def shops_authority(authority):
    """The same, with a certificate of the shop's."""
    class Shops:
        ca = authority.ca
        cert, key = authority.issue("shop.example")
    return Shops


def paying(**over):
    return PAYER.request("/checkout/pay", host="shop.example", scheme="https",
                         **over)


def test_the_walk(serve, binaries, shops_authority, networks, names, upstream):
    names.host("keys.agents.example", "127.0.0.1")
    names.map("127.0.0.1", networks)
    machine = Machine(binaries, shops_authority, loaded=False, names=names,
                      upstream=upstream)
    serve.all.append(machine)
    walk = Walk(machine)
    assert len(STEPS) == 10
    for heading in [TITLE, *STEPS]:
        for block in PAGE.blocks_of(heading):
            walk.block(block)
        if heading == TITLE:
            machine.start()     # the shop was open before

    def ask(request):
        return fetch(machine.port("PORT_443"), request, tls=shops_authority.ca,
                     name="shop.example")

    # Where it has led: the network's agents pay, and the application knows.
    # (The signer dates back, so that the table may still be too young.)
    def pays():
        response = ask(paying(headers=[("X-Agent-Tag", "forged")]))
        return response if response.status == 200 else None

    response = wait_for("the agent to be let in", pays)
    told = json.loads(response.body)["headers"]
    assert told["x-agent-tag"] == "agent-payer-auth"
    assert told["x-agent-directory"] == "visa"
    assert told["x-agent-decision"] == "allow"
    assert told["host"] == "shop.example"
    for request in (paying(key=Key()), paying(tag="agent-browser-auth")):
        assert ask(request).status == 403
    response = ask(Request("GET", "/", "shop.example", "https",
                           [("X-Agent-Tag", "agent-payer-auth")]))
    assert "x-agent-tag" not in json.loads(response.body)["headers"]


def test_the_packages_are_those_that_are_built():
    text = PAGE.sections["2. Install"]
    for package in re.findall(r"deb/([\w-]+)_\*\.deb", text):
        assert re.search(r"^Package: %s$" % package, (
            ROOT / "src/packaging/debian/control").read_text(), re.M)
    for line in re.findall(r"^    (\S.*)$", text, re.M):
        assert "    " + line in (ROOT / "README.md").read_text()
    for target in re.findall(r"^\s*\$? ?(?:sudo )?make (\w+)$", text, re.M):
        assert re.search(r"^%s:" % target, (ROOT / "Makefile").read_text(),
                         re.M)


# What else nginx -t may print

CONF = """
%%BEFORE%%
%%GLOBALS%%
%%AFTER%%
events {}
%%BETWEEN%%
http {
    %%HTTP%%
    %%DIRECTORY%%
    server {
        listen 127.0.0.1:%%PORT%% %%SSL%%;
        %%NAME%%
        ssl_certificate %%CERT%%;
        ssl_certificate_key %%KEY%%;
        location / { web_bot_auth on; %%RULE%% }
    }
}
"""
RIGHT = {"BEFORE": "", "AFTER": "", "BETWEEN": "", "KEYS": "visa.json",
         "SSL": "ssl", "NAME": "server_name shop.example;",
         "RULE": "web_bot_auth_allow tag=%%TAG%%;",
         "TAG": "agent-payer-auth",
         "DIRECTORY": "web_bot_auth_directory test { profile tap;"
                      " url file:%%DIR%%/keys/%%KEYS%%; }"}


def copy(change):
    """Loads a copy of the module with other bytes."""
    def values(module):
        data = module.read_bytes()
        changed = change(data)
        assert changed != data
        return {"files": {"other.so": changed},
                "GLOBALS_": "load_module %%DIR%%/other.so;"}
    return values


def other_version(data):
    """nginx_version of ngx_module_t: the eight bytes before the signature's
    address are not to be found, the number is."""
    number = (1022001).to_bytes(8, "little")
    assert number in data
    return data.replace(number, (1024000).to_bytes(8, "little"))


def other_signature(data):
    found = re.search(rb"8,4,8,[01]{10,}", data)
    assert found
    bits = found[0][:-1] + (b"0" if found[0].endswith(b"1") else b"1")
    return data.replace(found[0], bits)


LOAD = "load_module modules/ngx_http_web_bot_auth_module.so;"

# the row's beginning -> what is done to a configuration that is right
MISTAKES = {
    'module "..." version': copy(other_version),
    'module "..." is not binary compatible': copy(other_signature),
    "dlopen()": lambda module: {"GLOBALS_": LOAD},
    '"load_module" directive': lambda module: {
        "GLOBALS_": "", "BETWEEN": "load_module %s;" % module},
    'module "ngx_http_web_bot_auth_module"': lambda module: {
        "AFTER": "load_module %s;" % module},
    "unknown directive": lambda module: {"GLOBALS_": ""},
    "the keys of directory": lambda module: {"KEYS": "absent.json"},
    "no usable key set": lambda module: {
        "files": {"keys/wrong.json": '{"keys": [{"kty": "oct"}]}'},
        "KEYS": "wrong.json"},
    '"web_bot_auth" is used': lambda module: {"DIRECTORY": "", "RULE": ""},
    '"tag=..."': lambda module: {"TAG": "agent-payer"},
    '"web_bot_auth" in a server': lambda module: {"NAME": ""},
    '"web_bot_auth" on a listener': lambda module: {"SSL": ""},
}
PRINTED = PAGE.sections["When something else is printed"]
BY_NGINX, BY_REQUESTS = (rows(part) for part in
                         PRINTED.split("By requests:"))


def test_every_row_is_brought_about():
    assert len(BY_NGINX) == len(MISTAKES)


@pytest.mark.parametrize("row", BY_NGINX, ids=lambda row: row[0][:40])
def test_nginx_t_says(serve, binaries, authority, row):
    said = re.fullmatch(r"`(.*)`", row[0])[1]
    make, = [m for start, m in MISTAKES.items() if said.startswith(start)]
    values = {**RIGHT, "CERT": authority.cert, "KEY": authority.key,
              **make(binaries[1])}
    template = CONF
    if "GLOBALS_" in values:
        template = template.replace("%%GLOBALS%%", "pid logs/nginx.pid;\n"
                                    + values.pop("GLOBALS_"))
    nginx = serve.make(template, **values)
    nginx.expect("emerg")
    passed, output = nginx.test()
    assert re.search(pattern(said), output), output
    assert passed == ("warning" in row[1])


def test_a_configuration_that_is_right_prints_none_of_it(serve, authority):
    nginx = serve.make(CONF, CERT=authority.cert, KEY=authority.key, **RIGHT)
    passed, output = nginx.test()
    assert passed and len(output.splitlines()) == 2, output


# Requests

def test_reasons_that_are_explained_exist():
    known = (ROOT / "docs/reasons.md").read_text()
    reasons = re.findall(r'reason="([a-z-]+)"', PAGE.text)
    assert len(set(reasons)) >= 7
    for reason in reasons:
        assert "| `%s` |" % reason in known


def test_what_curl_says(authority, directory):
    def curl(port, *more):
        return subprocess.run(
            ["curl", "-s", "-S", "-o", "/dev/null", "-w", "%{http_code}",
             "--noproxy", "*", *more, "https://127.0.0.1:%d/" % port],
            check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=30).stdout.decode()

    text = "\n".join(row[0] for row in BY_REQUESTS)
    said = re.findall(r"`(curl: \([^`]*)`", text)
    untrusted = curl(directory.port)
    assert "000" in untrusted and said[0] in untrusted
    directory.stop()
    nobody = curl(directory.port)
    directory.start()
    assert "000" in nobody and said[1] in nobody


# Behind a proxy

def test_behind_a_proxy(serve, binaries, authority, upstream):
    block, = [b for b in PAGE.blocks_of("Behind a proxy or a CDN", "nginx")]
    # 127.0.0.2 is the proxy.
    assert block.text.count("192.0.2.0/24") == 2
    key = Key()
    machine = Machine(binaries, authority, upstream=upstream)
    serve.all.append(machine)
    machine.write("etc/nginx/agents/test.json", jwks(key))
    for b in PAGE.blocks_of("5. Say whom to trust", "nginx"):
        machine.put(b.file, b.text)
    machine.put("/etc/nginx/conf.d/agents-cold.conf",
                "web_bot_auth_nonce_store shared cold=accept;")
    machine.put("/etc/nginx/sites-enabled/shop", block.text.replace(
        "192.0.2.0/24", "127.0.0.2/32"))
    passed, output = machine.test()
    assert passed and "warn" not in output, output
    machine.run("sudo sed -i '/^web_bot_auth_dry_run/d' "
                "/etc/nginx/conf.d/agents.conf")
    machine.start()
    agent = Agent(key, "agent-payer-auth", TARGET + ("@scheme",))

    def ask(source, **over):
        request = agent.request("/checkout/", **{
            "host": "shop.example", "scheme": "https", **over})
        return fetch(machine.port("PORT_80"), request.replaced(
            host="origin.shop.example").with_headers(
                ("X-Forwarded-For", "203.0.113.9")), source=source)

    assert ask("127.0.0.2").status == 200
    line = wait_for("the log", lambda: (
        machine.dir / "var/log/nginx/agents.log").read_text())
    assert line.startswith("203.0.113.9 ")
    assert 'reason="ok"' in line
    assert ask("127.0.0.2", host="other.example").status == 403
    # Nobody else, whatever is signed; nothing was judged.
    assert ask("127.0.0.1").status == 403
    log = (machine.dir / "var/log/nginx/agents.log").read_text()
    assert log.count("\n") == 2 and "bad-signature" in log


def test_without_the_two_lines_nothing_verifies(serve, binaries, authority,
                                                upstream):
    """So that the test above shows something."""
    block, = PAGE.blocks_of("Behind a proxy or a CDN", "nginx")
    text = re.sub(r"\n    (web_bot_auth_(authority|scheme)|if) [^\n]*", "",
                  block.text)
    key = Key()
    machine = Machine(binaries, authority, upstream=upstream)
    serve.all.append(machine)
    machine.write("etc/nginx/agents/test.json", jwks(key))
    for b in PAGE.blocks_of("5. Say whom to trust", "nginx"):
        machine.put(b.file, b.text)
    machine.put("/etc/nginx/sites-enabled/shop", text)
    machine.start()
    fetch(machine.port("PORT_80"), Agent(
        key, "agent-payer-auth", TARGET).request(
            "/checkout/", host="shop.example", scheme="https").replaced(
                host="origin.shop.example"))
    log = machine.dir / "var/log/nginx/agents.log"
    wait_for("the log", lambda: "bad-signature" in log.read_text())
