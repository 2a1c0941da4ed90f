# SPDX-License-Identifier: BSD-2-Clause
"""An independent oracle of the signature base: harness/signer.py, which was
written from RFC 9421 and shares nothing with core, with Python's cryptography
for Ed25519.  Random requests, signed by it: the base that `wba verify` built
must be the oracle's, byte for byte, and nginx must verify each and refuse it
once anything that is covered has changed.

ORACLE_REQUESTS=N asks for another number, ORACLE_SEED=N for those of a seed."""

import json
import os
import random
import subprocess

import pytest

from harness.agents import VISA_KEY, jwks
from harness.client import Connection, curl
from harness.expect import expect
from harness.plugin import ROOT
from harness.signer import (Request, Sig, flip_bit, fresh_nonce, inner_list,
                            sign, signature_base)

COUNT = int(os.environ.get("ORACLE_REQUESTS", 300))
WBA = os.environ.get("WBA") or ROOT / "build/gcc/wba"
SEED = int(os.environ.get("ORACLE_SEED", random.randrange(2 ** 32)))

CONF = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth on;
    %%ECHO%%
    keepalive_requests 100000;
    server {
        listen 127.0.0.1:%%PORT%% ssl http2;
        server_name shop.test;
        ssl_certificate %%CERT%%;
        ssl_certificate_key %%KEY%%;
        location / { root %%DIR%%; }
    }
}
"""

DERIVED = ["@method", "@target-uri", "@scheme", "@request-target", "@query"]
FIELDS = [("X-A", "plain"), ("X-A", "  spaced\t out "), ("X-A", "a, b"),
          ("X-Empty", ""), ("X-B", '"quoted; text"'), ("X-C", "1"),
          ("Priority", "u=1,i;x=1"), ("Priority", "u=2, i"),
          ("Cookie", "a=b; c=d"), ("Accept", "text/html;q=0.9, */*")]
SEGMENTS = ["a", "b%2Fc", "%41", "..%2e", "a.b", "~x", "a;b=c", "%E2%82%AC",
            "a+b", "a:b@c", "!$&'()*,="]
QUERIES = ["x=1", "x=a+b%20c", "x=%e9&y", "y=1&x=2&z=", "x=a%26b&q=~'()!*",
           "x=%E2%82%AC", "x"]


class Requests:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def target(self):
        path = "/" + "/".join(self.random.choices(
            SEGMENTS, k=self.random.randint(0, 3)))
        kind = self.random.randint(0, 3)
        return path + ("" if kind == 0 else "?" if kind == 1
                       else "?" + self.random.choice(QUERIES))

    def headers(self):
        names, headers = set(), []
        for name, value in self.random.sample(FIELDS, 4):
            # Several lines of one name only for the one that allows it here.
            if name not in names or name in ("X-A", "Priority"):
                names.add(name)
                headers.append((name, value))
        return headers

    def components(self, request):
        out = ["@authority", "@path"]
        out += self.random.sample(DERIVED, self.random.randint(0, 3))
        if request.target.partition("?")[2].startswith("x"):
            out.append('@query-param;name="x"')
        for name in sorted({n.lower() for n, _ in request.headers}):
            choice = self.random.randint(0, 3)
            if choice == 0:
                out.append(name)
            elif choice == 1:
                out.append(name + ";bs")
            elif choice == 2 and name == "priority":
                out.append(name + ';key="u"')
        self.random.shuffle(out)
        return tuple(out)

    def one(self):
        request = Request(
            self.random.choice(["GET", "POST", "PUT", "DELETE", "M-SEARCH"]),
            self.target(), self.random.choice(
                ["shop.test", "SHOP.test", "shop.test:443"]), "https",
            self.headers())
        extra = self.random.choice([(), (("x", 1),), (("y", "a \"b\\"),)])
        return request, Sig(
            key=VISA_KEY, keyid="visa-1", extra=extra, nonce=fresh_nonce(),
            label=self.random.choice(["sig1", "sig2", "*", "a.b-c_d"]),
            tag=self.random.choice(["agent-browser-auth", "agent-payer-auth"]),
            components=self.components(request))


def ask(connection, request):
    connection.send(request)
    return connection.receive()


def some(count, seed=SEED):
    requests = Requests(seed)
    return [requests.one() for _ in range(count)]


@pytest.fixture(scope="module")
def nginx(serve, authority):
    return serve(CONF, CERT=authority.cert, KEY=authority.key)


def test_same_bases(tmp_path):
    keys = tmp_path / "visa.json"
    keys.write_text(jwks(VISA_KEY.jwk(kid="visa-1")))
    for request, sig in some(COUNT):
        signed = sign(request, sig)
        params = signed.lines("signature-input")[0].partition("=")[2]
        done = subprocess.run(
            [WBA, "verify", "--json", "--directory", "visa=%s" % keys],
            input=signed.raw(), capture_output=True, check=False)
        got = json.loads(done.stdout)
        assert (done.returncode, got["reason"]) == (0, "ok"), \
            (SEED, signed, got)
        assert got["signature_base"].encode("latin-1") == signature_base(
            request, sig.components, params), (SEED, signed)


def test_verified_over_http1(nginx, authority):
    with Connection(nginx.port(), tls=authority.ca) as connection:
        for request, sig in some(COUNT):
            response = ask(connection, sign(request, sig))
            assert response.header("X-reason") == "ok", \
                (SEED, request, sig, response)


def test_refused_once_changed(nginx, authority):
    """One bit of the signature, or what one covered component says."""
    chance = random.Random(SEED)
    with Connection(nginx.port(), tls=authority.ca) as connection:
        for request, sig in some(COUNT, SEED + 1):
            if chance.random() < 0.3:
                sig.signature = flip_bit
            else:
                lied = chance.choice(sig.components)
                sig.values = {lied: "something else"}
            expect(ask(connection, sign(request, sig)), "bad-signature")


def test_verified_over_http2(nginx, authority):
    for request, sig in some(max(20, COUNT // 10), SEED + 2):
        # :authority comes from the URL; curl splits no Cookie.
        request = request.replaced(host="shop.test", method="GET")
        response = curl(nginx.port(), sign(request, sig), "--http2",
                        tls=authority.ca)
        assert response.version == "2"
        assert response.header("X-reason") == "ok", \
            (SEED, request, sig, response)


def test_the_oracle_itself():
    """RFC 9421's example of section 2.5 and appendix B.2.6."""
    request = Request("POST", "/foo?param=Value&Pet=dog", "example.com",
                      "https", [
                          ("Date", "Tue, 20 Apr 2021 02:07:55 GMT"),
                          ("Content-Type", "application/json"),
                          ("Content-Length", "18")])
    components = ("date", "@method", "@path", "@authority", "content-type",
                  "content-length")
    params = inner_list(Sig(
        components=components,
        params=';created=1618884473;keyid="test-key-ed25519"'))
    assert signature_base(request, components, params).decode() == "\n".join([
        '"date": Tue, 20 Apr 2021 02:07:55 GMT',
        '"@method": POST',
        '"@path": /foo',
        '"@authority": example.com',
        '"content-type": application/json',
        '"content-length": 18',
        '"@signature-params": ("date" "@method" "@path" "@authority" '
        '"content-type" "content-length");created=1618884473;'
        'keyid="test-key-ed25519"'])
