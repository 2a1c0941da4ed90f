# SPDX-License-Identifier: BSD-2-Clause
"""The page of web_bot_auth_status html in a browser: at nginx, where its
policy holds, and over reports that are made up."""

import copy
import http.server
import json
import pathlib
import re
import threading
import time

import pytest

from harness import browser as chromium
from harness.agents import BROWSER, PAYER
from harness.client import fetch
from harness.signer import Request

pytestmark = pytest.mark.skipif(not chromium.find(), reason="no chromium")

PAGE = pathlib.Path(__file__).resolve().parents[2] / "src/nginx/status.html"

CONF = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_nonce_store shared cold=accept;
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test;
        location / { web_bot_auth on; %%OK%% }
        location /status { web_bot_auth_status html; }
    }
}
"""


@pytest.fixture(scope="module")
def browser():
    b = chromium.Browser(chromium.find())
    yield b
    b.close()


@pytest.fixture(scope="module")
def nginx(serve):
    return serve(CONF)


@pytest.fixture(scope="module")
def template(nginx):
    """What a real server tells."""
    for agent in (BROWSER, PAYER):
        assert fetch(nginx.port(), agent.request("/")).status == 200
    response = fetch(nginx.port(), Request(target="/status?format=json"))
    return json.loads(response.body)


class Server:
    """Serves the page, and reports as the test gives them."""

    def __init__(self):
        self.report = None
        self.status = 200
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                text = PAGE.read_bytes()
                status = 200
                if self.path.endswith("?format=json"):
                    text = json.dumps(outer.report).encode()
                    status = outer.status
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.send_header("Content-Type", "text/html; charset=utf-8"
                                 if status == 200 and b"<!doc" in text[:9]
                                 else "application/json")
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever)
        self.thread.start()

    @property
    def url(self):
        return "http://127.0.0.1:%d/" % self.http.server_address[1]

    def close(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server():
    s = Server()
    yield s
    s.close()


@pytest.fixture
def show(browser, server, template):
    """show(report, ...): the page over that report, when it is there."""
    pages = []

    def run(report=None, **how):
        server.report = report or template
        page = browser.page(server.url, **how)
        pages.append(page)
        page.wait("document.querySelector('#when') && "
                  "/^As of/.test(document.querySelector('#when').innerText)")
        return page

    yield run
    for page in pages:
        page.close()


def busy(template, minutes=120):
    """A shop with traffic, trouble at one directory, and Redis."""
    s = copy.deepcopy(template)
    now = time.time()
    s["now"] = now
    totals = dict.fromkeys(("verified", "invalid", "unverified", "unsigned"),
                           0)
    samples = []
    for i in range(minutes):
        totals["verified"] += 900 + 400 * (i % 40 > 20)
        totals["invalid"] += 60 + (1500 if 70 < i < 80 else 0)
        totals["unverified"] += 20
        totals["unsigned"] += 3000 + 15 * i
        samples.append({"time": now - 60 * (minutes - i), **totals})
    s["history"]["samples"] = samples
    s["requests"]["outcomes"] = dict(totals)
    s["requests"]["total"] = sum(totals.values())
    s["requests"]["decisions"] = {"allow": totals["verified"],
                                  "deny": 20444, "dry-run-deny": 12,
                                  "pass": 391000}
    counts = {"ok": totals["verified"], "bad-signature": 15312,
              "no-signature": totals["unsigned"], "nonce-replayed": 412,
              "expired": 1200, "key-unknown": 800, "denied-by-rule": 77}
    for r in s["requests"]["reasons"]:
        r["count"] = counts.get(r["name"], 0)
    s["nonces"].update(live=401000, capacity=524288, fill=401000 / 524288,
                       store="redis")
    histogram = copy.deepcopy(s["fetch"]["latency"])
    n = 0
    for i, bucket in enumerate(histogram["buckets"]):
        n += [5, 700, 2100, 640, 80, 20, 6, 3, 0, 0, 0, 0, 0, 0, 0, 0][i]
        bucket["count"] = n
    histogram.update(count=n, sum=3.1)
    s["redis"] = {"connected_workers": 2, "latency": histogram, "failures": 3}
    s["fetch"] = {"latency": histogram, "failures": 9}
    s["zone"]["workers"] = 2
    base = s["directories"][0]
    s["directories"] = [
        {**base, "name": "visa", "url": "https://mcp.visa.com/keys",
         "state": "fresh", "keys": 214, "age": 1800, "expires_in": 84600,
         "next_refresh_in": 79000},
        {**base, "name": "mastercard", "state": "stale", "keys": 31,
         "url": "https://agentpay-key-directory.mastercard.com/",
         "age": 90000, "expires_in": -3600, "next_refresh_in": 42,
         "failures_in_row": 7, "fetching": True, "lease_ends_in": 3,
         "last_error": "the server answered with status 503"},
        {**base, "name": "local"},
    ]
    return s


def whole(page):
    """No picture is worth more than what it shows being all there."""
    assert page.troubles() == []
    assert page.run("document.documentElement.scrollWidth") \
        <= page.run("innerWidth")


LOOKS = {"light": {}, "dark": {"dark": True},
         "phone": {"width": 360, "height": 740},
         "phone-dark": {"width": 360, "height": 740, "dark": True}}


@pytest.mark.parametrize("look", LOOKS)
def test_looks(show, template, look):
    page = show(busy(template), **LOOKS[look])
    whole(page)
    page.picture(look)
    ink, paper = page.run("[getComputedStyle(document.body).color, "
                          "getComputedStyle(document.body).backgroundColor]")
    dark = sum(map(int, re.findall(r"\d+", paper)[:3])) < 200
    assert dark == ("dark" in look)
    assert (sum(map(int, re.findall(r"\d+", ink)[:3])) > 400) == dark


def luminance(rgb):
    linear = [c / 255 / 12.92 if c / 255 <= 0.03928
              else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("look", ["light", "dark"])
def test_all_text_can_be_read(show, template, look):
    """Contrast of 4.5 to 1 (WCAG 2.2, 1.4.3), of every piece of text."""
    page = show(busy(template), **LOOKS[look])
    pairs = page.run("""(() => {
        const found = new Set();
        const walk = document.createTreeWalker(document.body,
                                               NodeFilter.SHOW_TEXT);
        while (walk.nextNode()) {
            const e = walk.currentNode.parentElement;
            if (!walk.currentNode.data.trim() || !e.getClientRects().length
                || e.closest("script, style, meter")) continue;
            let b = e;
            while (b && /, 0\\)$/.test(getComputedStyle(b).backgroundColor))
                b = b.parentElement;
            const c = getComputedStyle(e);
            found.add((e.namespaceURI.endsWith("svg") ? c.fill : c.color)
                      + "|" + getComputedStyle(b || document.body)
                              .backgroundColor + "|" + e.tagName);
        }
        return [...found];
    })()""")
    assert len(pairs) > 10
    for pair in pairs:
        a, b = (luminance(list(map(int, re.findall(r"\d+", c)[:3])))
                for c in pair.split("|")[:2])
        assert (max(a, b) + 0.05) / (min(a, b) + 0.05) >= 4.5, pair


def test_at_nginx(browser, nginx, template):
    """Its own policy lets it run, and asks for nothing but itself."""
    url = "http://127.0.0.1:%d/status" % nginx.port()
    page = browser.page(url)
    page.wait("document.querySelector('#directories tbody')")
    assert page.troubles() == []
    assert set(page.requested()) <= {url, url + "?format=json", "data:,"}
    assert "visa" in page.text("#directories")
    assert "2 in all" in page.text("#tiles")
    response = fetch(nginx.port(), Request(target="/status"))
    policy = response.header("Content-Security-Policy")
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert response.header("Content-Type") == "text/html; charset=utf-8"
    assert response.body == PAGE.read_bytes()
    # What is not the page's own does not run.
    page.run("""document.body.appendChild(Object.assign(
        document.createElement("script"),
        { textContent: "window.stranger = 1" }))""")
    assert page.run("window.stranger") is None
    page.close()


def test_what_is_wrong_comes_first(show, template):
    s = busy(template)
    s["versions"].update(installed="9.9.9", restart_needed=True)
    s["redis"]["connected_workers"] = 1
    s["nonces"]["fill"] = 0.95
    page = show(s)
    alerts = page.text("#alerts")
    assert "version 9.9.9 is installed" in alerts
    assert "Redis: 1 of 2 workers" in alerts
    assert "nonce table is nearly full" in alerts
    assert "mastercard is stale" in alerts and "status 503" in alerts
    rows = page.run("[...document.querySelectorAll('#directories tbody th')]"
                    ".map(e => e.innerText)")
    assert rows == ["mastercard", "visa", "local"]
    assert "2 of 3" in page.text("#tiles")


def test_the_same_version_built_anew(show, template):
    s = copy.deepcopy(template)
    s["versions"].update(restart_needed=True)
    assert "another build of version %s is installed" \
        % s["versions"]["module"] in show(s).text("#alerts")


def test_a_healthy_server_alerts_nobody(show, template):
    page = show(template)
    assert page.text("#alerts") == ""
    whole(page)


def test_a_start_is_no_alarm(show, template):
    """Cold passes by itself, and does not look as what is broken does."""
    s = busy(template)
    s["nonces"]["cold_until"] = s["now"] - 30
    page = show(s)
    looks = page.run("[...document.querySelectorAll('.banner')].map(e => "
                     "[getComputedStyle(e).borderColor, e.innerText])")
    assert len(looks) == 2
    assert "mastercard" in looks[0][1] and "is cold" in looks[1][1]
    assert looks[0][0] != looks[1][0]
    whole(page)


def test_replays_are_told_wherever_they_were_found(show, template):
    page = show(busy(template))
    assert "Replays refused: 412" in page.text("#nonces")


def test_no_rates_before_there_are_any(show, template):
    """The first report has totals alone."""
    page = show(busy(template))
    cells = page.run("[...document.querySelectorAll('#reasons tbody tr')]"
                     ".map(r => r.cells[2].innerText)")
    assert set(cells) == {"–"}


@pytest.mark.parametrize("width", [1280, 360])
def test_no_card_is_mostly_empty(show, template, width):
    """A long list of reasons does not stretch the card beside it."""
    s = busy(template)
    for r in s["requests"]["reasons"]:
        r["count"] = r["count"] or 1
    page = show(s, width=width)
    heights = page.run(
        "[...document.querySelectorAll('section')].map(e => ["
        "e.getAttribute('aria-labelledby'), e.clientHeight, "
        "e.lastElementChild.getBoundingClientRect().bottom "
        "- e.getBoundingClientRect().top])")
    assert len(heights) == 7
    for name, height, used in heights:
        assert height - used < 40, name


def test_a_fresh_server(show, template):
    s = copy.deepcopy(template)
    s["history"]["samples"] = []
    s["requests"]["outcomes"] = dict.fromkeys(s["requests"]["outcomes"], 0)
    s["requests"]["total"] = 0
    for r in s["requests"]["reasons"]:
        r["count"] = 0
    page = show(s)
    assert "No request was judged yet" in page.text("#reasons")
    assert "No traffic seen yet" in page.text("#readout")
    # Minutes would all be the same.
    ticks = page.run("[...document.querySelectorAll('#chart text')].map("
                     "e => e.textContent).filter(t => t.includes(':'))")
    assert len(ticks) == len(set(ticks)) == 6
    whole(page)


HOSTILE = '<img src=x onerror="window.stranger=1"><script>window.stranger=1' \
          '</script>\'"&amp;' + "W" * 400


def test_hostile_text_is_text(show, template):
    s = busy(template)
    s["directories"][1].update(url="https://e.example/" + HOSTILE,
                               last_error=HOSTILE, name=HOSTILE[:80])
    s["requests"]["tags"][0]["name"] = HOSTILE[:100]
    page = show(s, width=360)
    assert page.run("window.stranger") is None
    assert '<img src=x onerror' in page.text("#directories")
    whole(page)


def test_many_directories_and_large_numbers(show, template):
    s = busy(template)
    s["directories"] += [{**s["directories"][1], "name": "discovery",
                          "discovered": True,
                          "url": "https://a%d.agents.example/" % i}
                         for i in range(200)]
    s["requests"]["reasons"][0]["count"] = 9007199254740991
    s["requests"]["total"] = 9007199254740991
    page = show(s, width=360, height=740)
    assert page.run("document.querySelectorAll('#directories tbody tr')"
                    ".length") == 203
    assert "9,007,199,254,740,991" in page.text("#reasons")
    # Strangers' directories in trouble are no alert.
    assert page.run("document.querySelectorAll('#alerts p').length") == 1
    whole(page)


def test_reasons_can_be_sorted_and_all_shown(show, template):
    page = show(busy(template))
    names = "[...document.querySelectorAll('#reasons tbody th')]" \
            ".map(e => e.innerText)"
    assert page.run(names)[0] == "no-signature"
    assert len(page.run(names)) == 7
    page.run("document.querySelector('[data-sort=\"0\"]').focus()")
    page.key("Enter")
    assert page.run(names) == sorted(page.run(names))
    assert page.run("document.activeElement.dataset.sort") == "0"
    assert page.run("document.querySelector('th[aria-sort]').innerText") \
        .startswith("Reason")
    page.run("document.querySelector('#all').focus()")
    page.key(" ")
    assert len(page.run(names)) == len(template["requests"]["reasons"])


def test_keyboard_reaches_everything_in_order(show, template):
    page = show(busy(template))
    order = []
    for _ in range(12):
        page.key("Tab")
        order.append(page.run("document.activeElement.id || "
                              "document.activeElement.innerText"))
        outline = page.run("getComputedStyle(document.activeElement)"
                           ".outlineStyle")
        if order[-1] != "" and page.run(
                "document.activeElement !== document.body"):
            assert outline != "none", order
    assert order[:3] == ["pause", "chart", order[2]]
    assert "all" in order


def test_chart_is_read_by_keyboard(show, template):
    page = show(busy(template))
    page.run("document.querySelector('#chart').focus()")
    assert page.text("#readout").startswith("Latest")
    page.key("ArrowLeft")
    page.key("ArrowLeft")
    read = page.text("#readout")
    assert not read.startswith("Latest") and "verified" in read
    page.key("Home")
    assert page.text("#readout") != read
    assert "unsigned 50" in page.text("#readout")   # 3015 in a minute
    page.key("Escape")
    assert page.text("#readout").startswith("Latest")


def test_names_for_those_who_do_not_see(show, template):
    page = show(busy(template))
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    told = {(n["role"]["value"], n.get("name", {}).get("value", ""))
            for n in nodes if "role" in n and not n.get("ignored")}
    assert ("button", "Pause") in told
    assert ("heading", "Directories") in told
    assert any(role == "meter" and "Fill of the nonce table" in name
               for role, name in told)
    assert any(role == "image" for role, name in told)
    assert ("status", "") in told
    # A state is told by a word, not by colour alone.
    assert "stale" in page.text("#directories")


def look_again(page):
    """Without waiting for five seconds."""
    page.run("look()")


def test_a_server_that_goes_away(show, server, template):
    page = show(busy(template))
    server.status = 502
    look_again(page)
    assert "does not answer (status 502)" in page.text("#alerts")
    assert page.text("#when").startswith("Old: as of")
    assert "visa" in page.text("#directories")
    server.status = 200
    look_again(page)
    assert "does not answer" not in page.text("#alerts")


def test_a_new_zone_begins_anew(show, server, template):
    s = busy(template)
    page = show(s)
    fresh = copy.deepcopy(template)
    fresh["now"] = s["now"] + 5
    fresh["zone"]["created"] = int(s["now"])
    fresh["history"]["samples"] = []
    fresh["requests"]["outcomes"] = dict.fromkeys(
        fresh["requests"]["outcomes"], 0)
    server.report = fresh
    look_again(page)
    assert "No traffic seen yet" in page.text("#readout")
    again = copy.deepcopy(fresh)
    again["now"] += 10
    again["requests"]["outcomes"]["verified"] = 50
    server.report = again
    look_again(page)
    assert "verified 5," in page.text("#readout")
    whole(page)


def test_rates_come_of_polling(show, server, template):
    s = busy(template)
    page = show(s)
    more = copy.deepcopy(s)
    more["now"] += 10
    more["requests"]["outcomes"]["invalid"] += 420
    for r in more["requests"]["reasons"]:
        if r["name"] == "bad-signature":
            r["count"] += 420
    server.report = more
    look_again(page)
    assert "invalid 42," in page.text("#readout")
    row = page.run("[...document.querySelectorAll('#reasons tbody tr')].find("
                   "r => r.innerText.startsWith('bad-signature')).innerText")
    assert "42" in row.split()[2]


def test_pause(show, server, template):
    page = show(busy(template))
    page.run("document.querySelector('#pause').focus()")
    page.key("Enter")
    assert "paused" in page.text("#when")
    assert page.run("document.querySelector('#pause').ariaPressed") == "true"
    page.key("Enter")
    page.wait("!/paused/.test(document.querySelector('#when').innerText)")
