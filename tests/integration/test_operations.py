# SPDX-License-Identifier: BSD-2-Clause
"""docs/operations.md: what it says of starting, upgrading and watching, tried;
figures that can be counted, counted."""

import os
import re

import pytest

from harness.agents import BROWSER, VISA_KEY
from harness.client import fetch
from harness.guide import ROOT, Page, rows
from harness.machine import NGINX_CONF, Machine
from harness.nginx import wait_for
from harness.signer import Key, jwks

PAGE = Page("docs/operations.md")
STATUS_FILE = "conf.d/agents-status.conf"
STATUS_CONF, = [b for b in Page("docs/quickstart.md").blocks
                if b.file and b.file.endswith(STATUS_FILE)]

SITE = """
web_bot_auth_nonce_store shared cold=accept;
web_bot_auth_wait 1s;
server {
    listen 443 ssl;
    server_name shop.test;
    ssl_certificate /etc/nginx/tls/shop.crt;
    ssl_certificate_key /etc/nginx/tls/shop.key;
    web_bot_auth on;
    %s
    location / { empty_gif; }
}
"""
HTTPS = """
web_bot_auth_directory visa {
    url https:%s;
    profile tap;
}
"""
FILE = """
web_bot_auth_directory visa {
    url file:/etc/nginx/agents/visa.json;
    profile tap;
}
"""


def commands(heading):
    """The indented lines of a section."""
    return re.findall(r"^    (\S.*)$", PAGE.sections[heading], re.M)


@pytest.fixture
def make(serve, binaries, authority):
    def run(directory, site=SITE % ""):
        machine = Machine(binaries, authority)
        serve.all.append(machine)
        machine.write("etc/nginx/agents/visa.json",
                      jwks(VISA_KEY.jwk(kid="visa-1")))
        machine.put("/etc/nginx/conf.d/agents-visa.conf", directory)
        machine.put(STATUS_CONF.file, STATUS_CONF.text)
        machine.put("/etc/nginx/sites-enabled/shop", site)
        machine.put("/etc/nginx/nginx.conf", NGINX_CONF.replace(
            "error.log;", "error.log notice;"))
        return machine
    return run


def ask(machine, request=None):
    return fetch(machine.port("PORT_443"), request
                 or BROWSER.request(scheme="https"),
                 tls=machine.authority.ca).status


# Monitoring

def test_every_alert_has_a_row():
    alerts = re.findall(r"- alert: (\w+)", (
        ROOT / "docs/monitoring/alerts.yml").read_text())
    table = rows(PAGE.sections["Monitoring"])
    assert [row[0] for row in table] == alerts
    assert all("](" in row[2] for row in table)


def test_without_prometheus(make, directory):
    """The lines of cron are silent until something is wrong."""
    figures, log = commands("Monitoring")
    path = "/operations/keys"
    directory.serve(path, body=jwks(Key()))
    machine = make(HTTPS % directory.url(path)[len("https:"):]).start()
    wait_for("keys", lambda: directory.count(path))
    wait_for("silence", lambda: machine.run(figures) == "")
    assert machine.run(log) == ""
    machine.put("/etc/nginx/conf.d/agents-visa.conf", HTTPS % (
        directory.url("/operations/absent")[len("https:"):]))
    machine.run("sudo nginx -s reload")
    wait_for("a figure", lambda: 'usable{directory="visa"} 0'
             in machine.run(figures))
    wait_for("a line", lambda: "could not be fetched from"
             in machine.run(log))


def test_what_to_look_at_after_an_upgrade(make):
    machine = make(FILE).start()
    assert ask(machine) == 200
    line, = commands("Upgrades")
    got = machine.run(line)
    for name in "build_info", "restart_needed 0", "directory_usable", \
            'decisions_total{decision="allow"} 1':
        assert name in got, got


# Upgrades

def test_a_reload_keeps_the_old_code(make):
    """The new module, which alone knows a word, is installed: nginx -t is
    answered by it, a reload by the old one, a restart by it again."""
    machine = make(FILE, SITE % "web_bot_auth_clock_skew 7s;")
    module = machine.dir / "usr/lib/nginx/modules/m.so"
    data = machine.module.read_bytes()
    word, new = b"web_bot_auth_clock_skew\0", b"web_bot_auth_clock_slew\0"
    assert word in data
    machine.write("usr/lib/nginx/modules/m.so", data)
    machine.write("etc/nginx/modules-enabled/50-web-bot-auth.conf",
                  "load_module %s;\n" % module)
    machine.start()
    assert ask(machine) == 200
    machine.write("usr/lib/nginx/modules/m.so", data.replace(word, new))
    machine.put("/etc/nginx/sites-enabled/shop",
                SITE % "web_bot_auth_clock_slew 7s;")
    assert "successful" in machine.run("sudo nginx -t")
    machine.expect("unknown directive")
    workers = machine.workers()
    machine.process.send_signal(1)
    wait_for("the complaint", lambda:
             'unknown directive "web_bot_auth_clock_slew"'
             in machine.error_log)
    assert machine.workers() == workers and ask(machine) == 200
    assert "restart_needed 1" in machine.run(commands("Upgrades")[0])
    machine.process.terminate()
    machine.process.wait(20)
    machine.start()
    assert ask(machine) == 200
    assert "restart_needed 0" in machine.run(commands("Upgrades")[0])


# Starting

OBSTACLES = {
    "a file that is not there": (
        FILE.replace("visa.json", "absent.json"), "", "cannot be read"),
    "a file without keys": (
        FILE.replace("visa.json", "empty.json"), "", "no usable key set"),
    "no password": (FILE, "web_bot_auth_nonce_store redis://127.0.0.1 "
                    "password_file=/etc/nginx/absent;", "absent"),
    "no certificates": (
        FILE, "web_bot_auth_trusted_certificate /etc/nginx/agents/visa.json;",
        "visa.json"),
    "no such host": (FILE, "web_bot_auth_nonce_store redis://absent.invalid;",
                     "host not found"),
}


@pytest.mark.parametrize("directory_, http, says", OBSTACLES.values(),
                         ids=OBSTACLES)
def test_what_keeps_nginx_from_starting(make, directory_, http, says):
    site = (SITE % "").replace(
        "web_bot_auth_nonce_store shared cold=accept;", http)
    machine = make(directory_, site)
    machine.write("etc/nginx/agents/empty.json", '{"keys":[{"kty":"x"}]}')
    machine.expect("emerg")
    passed, output = machine.test()
    assert not passed and says in output


def test_what_does_not(make, directory):
    """A directory that is down, and a Redis."""
    site = (SITE % "").replace("shared cold=accept", "redis://127.0.0.1:9")
    machine = make(HTTPS % "//127.0.0.1:9/keys", site)
    machine.start()
    assert ask(machine) == 503


def test_what_only_a_start_tells(make):
    site = SITE % "" + "web_bot_auth_zone 1m file=/run/absent/nonces;"
    machine = make(FILE, site)
    assert machine.test()[0]
    machine.expect("for nonces")
    with pytest.raises(AssertionError):
        machine.start()
    assert "cannot be made for nonces" in machine.error_log
    assert "another nginx uses" in PAGE.sections[
        "Start, restart, reload"]


# Counting

def test_descriptors(make, directory):
    """Two for each fetch under way, and four."""
    def used(machine):
        return [len(os.listdir("/proc/%d/fd" % pid))
                for pid in machine.workers()]

    none = make(FILE).start()
    few = max(used(none))
    count = 10
    blocks = ""
    for i in range(count):
        directory.serve("/slow/%d" % i, hang=True)
        blocks += (HTTPS % directory.url("/slow/%d" % i)[len("https:"):]) \
            .replace("visa", "d%d" % i)
    machine = make(blocks + FILE).start()
    wait_for("all fetches", lambda: sum(
        directory.count("/slow/%d" % i) for i in range(count)) == count)
    # In whichever workers they are.
    assert sum(n - few for n in used(machine)) <= 2 * count + 2 * 4
    assert max(used(machine)) - few <= 2 * count + 4
    directory.release()
