# SPDX-License-Identifier: BSD-2-Clause
"""conf.example as an operator would use it: adapted where it says CHANGE, it
passes nginx -t and protects the shop that it describes."""

import json
import re

import pytest

from harness.agents import (BROWSER, MASTERCARD, MASTERCARD_URL, PAYER,
                            STRANGER_KEY)
from harness.client import curl, fetch
from harness.nginx import HTTP, wait_for
from harness.plugin import ROOT
from harness.signer import Request, flip_bit

# what stands there, and what this machine has instead; each must be found
CHANGES = [
    (r"load_module \S+;", "%%GLOBALS%%"),
    (r"(?m)^(user|pid|error_log) [^;]*;", ""),
    (r"(?m)^http \{", "http {\n" + re.sub(r".*(default_type|access_log).*\n",
                                          "", HTTP)),
    (r"/var/log/nginx/access\.log", "logs/access.log"),
    (r"listen 443 ssl", "listen 127.0.0.1:%%PORT%% ssl"),
    (r"listen 80;", "listen 127.0.0.1:%%PORT_80%%;"),
    (r"ssl_certificate \S+;", "ssl_certificate %%CERT%%;"),
    (r"ssl_certificate_key \S+;", "ssl_certificate_key %%KEY%%;"),
    (r"(?m)^(\s+)url https://mcp\.visa\.com/\S*;",
     r"\1url file:%%DIR%%/keys/visa.json;"),
    (r"(?m)^(\s+)url https://agentpay-key-directory\.mastercard\.com/\S*;",
     r"\1url file:%%DIR%%/keys/mastercard.json;"),
    (r"(?m)^(\s+)server 127\.0\.0\.1:8080;",
     r"\1server 127.0.0.1:%%UPSTREAM%%;"),
    (r"server_name shop\.example www\.shop\.example;",
     "server_name shop.test www.shop.test;"),
    (r"cold=reject;", "cold=accept;"),
    (r"=/etc/nginx/redis\.password;", "=%%DIR%%/redis.password;"),
]


@pytest.fixture(scope="module")
def adapted():
    text = (ROOT / "conf.example").read_text()
    for pattern, replacement in CHANGES:
        text, count = re.subn(pattern, replacement, text)
        assert count, "conf.example holds no %s any more" % pattern
    return text


@pytest.fixture(scope="module")
def nginx(serve, adapted, authority, upstream):
    return serve(adapted, CERT=authority.cert, KEY=authority.key,
                 UPSTREAM=upstream.port)


@pytest.fixture(params=["1.1", "2"])
def ask(request, nginx, authority):
    if request.param == "2":
        return lambda r: curl(nginx.port(), r, "--http2", tls=authority.ca)
    return lambda r: fetch(nginx.port(), r, tls=authority.ca)


def test_passes_nginx_t_without_a_warning(nginx):
    passed, output = nginx.test()
    assert passed and "[warn]" not in output, output


def test_every_directive_and_variable_exists(adapted, nginx):
    """Commented-out lines, too: each alone is accepted where it stands, or
    in place of the line that it is an alternative to."""
    lines = adapted.splitlines()
    optional = [i for i, line in enumerate(lines) if re.match(
        r"\s*# (web_bot_auth_\w+|refresh|timeout|max_size|max_keys|tags|"
        r"components|algorithms|nonce|max_lifetime|log_format)\b[^{]*;$", line)]
    assert len(optional) > 15
    assert any("log_format" in lines[i] for i in optional)
    (nginx.dir / "redis.password").write_text("secret\n")
    nginx.expect(r"test_keys")
    for i in optional:
        instead = re.search(r"web_bot_auth_(zone|nonce_store) ", lines[i])
        changed = [line for line in lines if line is lines[i] or not instead
                   or not line.startswith("    " + instead.group())]
        changed[changed.index(lines[i])] = lines[i].replace("# ", "", 1)
        nginx.configure("\n".join(changed))
        passed, output = nginx.test()
        assert passed, (lines[i], output)
    nginx.configure(adapted)


UNTOUCHED = [Request(target="/about"), BROWSER.request("/about"),
             BROWSER.request("/about", signature=flip_bit)]


def test_all_the_rest_is_untouched(ask):
    for request in UNTOUCHED:
        assert ask(request).status == 200


def signed(agent, target, **over):
    return agent.request(target, scheme="https", **over)


# who asks, status at the catalogue, status at the checkout
TABLE = [
    ("a visitor", lambda t: Request(target=t), 200, 403),
    ("browser", lambda t: signed(BROWSER, t), 200, 403),
    ("payer", lambda t: signed(PAYER, t), 403, 200),
    ("mastercard", lambda t: signed(MASTERCARD, t), 403, 200),
    ("mastercard's payer",
     lambda t: signed(MASTERCARD, t, tag="agent-payer-auth"), 403, 200),
    ("a forger", lambda t: signed(PAYER, t, signature=flip_bit), 403, 403),
    ("an expired one",
     lambda t: signed(PAYER, t, created=1000, expires=1300), 403, 403),
    ("an unknown key", lambda t: signed(
        PAYER, t, key=STRANGER_KEY, keyid="stranger"), 200, 403),
    ("signed for another shop",
     lambda t: signed(PAYER, t, host="other.test"), 403, 403),
    ("malformed", lambda t: Request(target=t, headers=[
        ("Signature-Input", "x=")]), 400, 400),
]


@pytest.mark.parametrize("make, catalogue, checkout",
                         [row[1:] for row in TABLE],
                         ids=[row[0] for row in TABLE])
def test_catalogue_and_checkout(ask, make, catalogue, checkout):
    assert ask(make("/catalogue/shoes?size=9")).status == catalogue
    assert ask(make("/checkout/pay")).status == checkout


def test_a_replay(ask):
    request = signed(PAYER, "/checkout/pay")
    assert [ask(request).status for _ in range(2)] == [200, 429]


FORGED = [("X-Agent-Tag", "agent-payer-auth"), ("X-Agent-Directory", "visa"),
          ("X-Agent-Keyid", "visa-1"), ("X-Agent-Decision", "allow"),
          ("X-Agent-Url", "https://x.test"), ("X-Agent-Nonce", "n")]


def trust_headers(response):
    headers = json.loads(response.body)["headers"]
    return {n: v for n, v in headers.items() if n.startswith("x-agent-")}


def test_trust_headers_are_ours(ask):
    """Cleared where nothing was verified, set where it was."""
    response = ask(Request(target="/about", headers=FORGED))
    assert trust_headers(response) == {}
    response = ask(Request(target="/catalogue/", headers=FORGED))
    assert set(trust_headers(response).values()) <= {"pass"}
    got = trust_headers(ask(signed(PAYER, "/checkout/", headers=FORGED)))
    assert got.pop("x-agent-nonce") not in ("", "n")
    assert got == {"x-agent-tag": "agent-payer-auth",
                   "x-agent-directory": "visa", "x-agent-keyid": "visa-1",
                   "x-agent-decision": "allow"}
    got = trust_headers(ask(signed(MASTERCARD, "/checkout/", headers=FORGED)))
    assert got["x-agent-directory"] == "mastercard"
    assert got["x-agent-url"].rstrip("/") == MASTERCARD_URL.rstrip("/")


def test_a_purchase_reaches_the_application(ask):
    body = b'{"basket":[1,2,3]}'
    response = ask(signed(PAYER, "/checkout/pay", method="POST", body=body))
    assert response.status == 200
    assert json.loads(response.body)["body"] == body.decode()


def test_the_log_names_the_agent(nginx, ask):
    ask(signed(PAYER, "/checkout/logged"))
    ask(signed(BROWSER, "/checkout/denied"))

    def logged(path):       # nginx writes it after the answer
        lines = [x for x in nginx.access_log.splitlines() if path in x]
        return lines[-1] if lines else None

    line = wait_for("the log", lambda: logged("/checkout/logged"))
    assert 'agent="visa/agent-payer-auth"' in line
    assert 'result="verified"' in line and 'reason="ok"' in line
    line = wait_for("the log", lambda: logged("/checkout/denied"))
    assert 'reason="denied-by-rule"' in line and " 403 " in line


def test_plain_http_leads_to_https(nginx):
    response = fetch(nginx.port("PORT_80"), Request(target="/checkout/"))
    assert response.status == 301
    assert response.header("Location").startswith("https://shop.test/")
