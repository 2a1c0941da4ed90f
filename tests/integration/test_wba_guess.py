# SPDX-License-Identifier: BSD-2-Clause
"""wba verify recognises the common mistakes in making a signature base: each is
made here by hand, and named."""

import base64
import hashlib
import json
import os
import pathlib
import subprocess

import pytest

from harness.signer import Key, jwks

ROOT = pathlib.Path(__file__).resolve().parents[2]
WBA = os.environ.get("WBA", str(ROOT / "build/gcc/wba"))
KEY, OTHER = Key(), Key()
NOW = 1800000000

COMPONENTS = ("@method", "@authority", "@path", "@query", "@scheme",
              "@target-uri")
RIGHT = {
    "@method": "GET", "@authority": "shop.example", "@path": "/a%20b/",
    "@query": "?q=1", "@scheme": "https",
    "@target-uri": "https://shop.example/a%20b/?q=1",
}


def params(separator=";", key=KEY):
    covered = " ".join('"%s"' % c for c in COMPONENTS)
    rest = separator.join([
        "", "created=%d" % NOW, "expires=%d" % (NOW + 60),
        'keyid="%s"' % key.thumbprint, 'alg="ed25519"', 'nonce="n;x"',
        'tag="agent-browser-auth"'])
    return "(%s)%s" % (covered, rest)


def base(values=None, last=None, colon=": ", eol="\n", quote='"', end=""):
    lines = ["%s%s%s%s%s" % (quote, c, quote, colon, {**RIGHT, **(values or {})}[c])
             for c in COMPONENTS]
    lines.append("%s@signature-params%s%s%s" % (quote, quote, colon,
                                                last or params()))
    return (eol.join(lines) + end).encode()


def request(signed, sent=None, target="/a%20b/?q=1", host="shop.example",
            key=KEY, more=""):
    signature = base64.b64encode(key.private.sign(signed)).decode()
    return ("GET %s HTTP/1.1\r\nHost: %s\r\n%sSignature-Input: sig2=%s\r\n"
            "Signature: sig2=:%s:\r\n\r\n"
            % (target, host, more, sent or params(), signature)).encode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("guess")
    (path / "keys.json").write_text(jwks(KEY, OTHER))
    return path


def verify(folder, raw, *more):
    return subprocess.run(
        [WBA, "verify", "--now", str(NOW), *more, "--directory",
         "shop=keys.json"], input=raw, cwd=folder, timeout=60, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "LC_ALL": "C.UTF-8"})


def guess(folder, raw, reason="bad-signature"):
    done = verify(folder, raw, "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["reason"]) == (1, reason)
    text = found["would_verify_if"]
    if text:
        assert "The signature would verify if %s.\n" % text \
            in verify(folder, raw).stdout.decode()
    return text


def host_is(host):
    return {"@authority": host, "@target-uri":
            RIGHT["@target-uri"].replace("shop.example", host)}


SPACED = params("; ")

MISTAKES = {
    "signed as sent, with spaces": (
        request(base(last=SPACED), sent=SPACED), "as it was sent;"),
    "signed with spaces, sent without": (
        request(base(last=SPACED)), "had spaces after ';'"),
    "label in the params": (
        request(base(last="sig2=" + params())), "label, sig2="),
    "label and spaces in the params": (
        request(base(last="sig2=" + SPACED), sent=SPACED),
        "all of Signature-Input, sig2="),
    "a line end at the end": (request(base(end="\n")), "ended in a line end"),
    "CR LF": (request(base(eol="\r\n")), "ended in CR LF"),
    "CR LF everywhere": (request(base(eol="\r\n", end="\r\n")),
                         "all of the base's lines ended in CR LF"),
    "no space": (request(base(colon=":")), "no space behind"),
    "no quotes": (request(base(quote="")),
                  "stood without quotes"),
    "method": (request(base({"@method": "get"})), "@method were in lower"),
    "decoded path": (request(base({"@path": "/a b/"})),
                     "@path were decoded"),
    "query without its mark": (request(base({"@query": "q=1"})),
                               "@query had no '?'"),
    "default port": (request(base(host_is("shop.example:443"))),
                     "@authority were shop.example:443; a default port"),
    "port left out": (
        request(base(), host="shop.example:8443"),
        "@authority were shop.example; a port that is no default"),
    "behind a proxy": (
        request(base(host_is("www2.example")),
                more="X-Forwarded-Host: www2.example\r\n"),
        "@authority were www2.example; a proxy has changed Host: set "
        "web_bot_auth_authority"),
    "behind a proxy, by Forwarded": (
        request(base(host_is("www2.example")),
                more='Forwarded: for=1.2.3.4;Host="www2.example"\r\n'),
        "@authority were www2.example"),
    "host as it was written": (
        request(base(host_is("Shop.Example")), host="Shop.Example"),
        "@authority were Shop.Example; it is in lower case"),
    "www": (request(base(host_is("www.shop.example"))),
            "@authority were www.shop.example; that is another"),
    "http": (request(base({"@scheme": "http", "@target-uri":
                           RIGHT["@target-uri"].replace("https", "http")})),
             "the scheme were http;"),
    "hashed": (request(hashlib.sha256(base()).digest()),
               "over the base's SHA-256;"),
    "hashed by SHA-512": (request(hashlib.sha512(base()).digest()),
                          "over the base's SHA-512;"),
    "hexadecimal hash": (
        request(hashlib.sha256(base()).hexdigest().encode()),
        "SHA-256 in hexadecimal"),
    "in base64": (request(base64.b64encode(base())),
                  "over the base in base64;"),
    "no line of the parameters": (
        request(base().rpartition(b"\n")[0]),
        'the base had no line of "@signature-params";'),
    "the characters that a line feed is written by": (
        request(base(eol="\\n")), "parted by the characters \\ and n;"),
    "values in quotes": (
        request(base({c: '"%s"' % v for c, v in RIGHT.items()})),
        "the components' values stood in quotes;"),
    "a scheme before the host": (
        request(base({"@authority": "https://shop.example"})),
        "@authority were https://shop.example; it has no scheme"),
    "another key": (request(base(), key=OTHER), "keyid named the key %s"
                    % OTHER.thumbprint),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(folder, mistake):
    raw, says = MISTAKES[mistake]
    assert says in guess(folder, raw)


def test_the_empty_path(folder):
    values = {"@path": "", "@query": "?", "@target-uri":
              "https://shop.example/"}
    assert "@path were empty" in guess(folder, request(base(values),
                                                       target="/"))


def test_what_visas_sample_does(folder):
    """A reason of its own, and explained all the same."""
    raw = request(base({"@path": "/a%20b/?q=1"}))
    assert "@path had the query" in guess(folder, raw, "visa-sample-form")


def test_two_mistakes_at_once(folder):
    values = {**host_is("shop.example:443"), "@method": "get"}
    found = guess(folder, request(base(values)))
    assert "@method were in lower case" in found
    assert "; and if @authority were shop.example:443" in found


def test_no_mistake_that_is_known(folder):
    raw = request(base({"@path": "/elsewhere"}))
    assert guess(folder, raw) is None
    text = verify(folder, raw).stdout.decode()
    assert "None of the common mistakes explains it" in text


def test_nothing_is_guessed_of_what_verifies_or_fails_otherwise(folder):
    done = verify(folder, request(base()), "--json")
    assert json.loads(done.stdout)["would_verify_if"] is None
    done = verify(folder, request(base(last=SPACED)), "--json", "--now",
                  str(NOW + 3600))
    found = json.loads(done.stdout)
    assert (found["reason"], found["would_verify_if"]) == ("expired", None)
