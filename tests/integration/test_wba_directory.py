# SPDX-License-Identifier: BSD-2-Clause
"""wba directory: what it says of a directory that is well, of each way to be
ill, and of files; and that nginx does with it what was said."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from harness.agents import Agent
from harness.client import fetch
from harness.directory import (MEDIA_TYPE, WELL_KNOWN, Directory, gzip_bomb,
                               http_date, proof_by)
from harness.expect import seen
from harness.nginx import wait_for
from harness.signer import Key, jwks
from harness.tls import Authority

ROOT = Path(__file__).resolve().parents[2]
WBA = os.environ.get("WBA", str(ROOT / "build/gcc/wba"))

MEMBERS = {
    "taken", "error", "source", "url", "well_known", "address", "elapsed_ms",
    "fetch_error", "status", "media_type", "media_type_fits",
    "content_coding", "redirect", "caching", "document_error", "totals",
    "keys", "proof", "signature_agent", "warnings", "configuration", "now",
}
CACHING = {
    "cache_control", "expires", "date", "age", "etag", "last_modified",
    "retry_after", "stated", "fresh", "refresh_from", "refresh_to", "retry",
    "conditional", "conditional_error",
}
ENTRY = {
    "index", "state", "text", "usable", "thumbprint", "kid", "kty", "crv",
    "alg", "algorithms", "nbf", "exp", "valid",
}

A, B = Key(), Key()
A_KEYS = jwks(A)
RFC9421_KEY = {"kty": "OKP", "crv": "Ed25519",
               "x": "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"}


def wba(*args, stdin=b"", cwd=None, status=None):
    done = subprocess.run([WBA, "directory", *map(str, args)], input=stdin,
                          cwd=cwd, capture_output=True, timeout=60)
    done.err = done.stderr.decode()
    assert "Sanitizer" not in done.err and "runtime error" not in done.err, \
        done.err
    assert done.returncode in (0, 1, 2), done.err
    if status is not None:
        assert done.returncode == status, done.stdout.decode() + done.err
    return done


def look_into(*args, **more):
    """The object of --json; the exit status must say the same."""
    done = wba("--json", *args, **more)
    assert done.returncode in (0, 1), done.err
    found = json.loads(done.stdout)
    assert found.keys() == MEMBERS
    assert found["caching"] is None or found["caching"].keys() == CACHING
    assert all(entry.keys() == ENTRY for entry in found["keys"])
    assert found["taken"] == (done.returncode == 0) == (found["error"] is None)
    assert found["taken"] or found["configuration"] is None
    return found


PORT = ("discovery looks up agents on port 443 only: this one needs a "
        "web_bot_auth_directory")


class Place:
    """A directory server, and the tool that trusts its authority."""

    def __init__(self, server, authority):
        self.server = server
        self.ca = authority.ca
        self.paths = 0

    def serve(self, path=None, **manners):
        """The URL of a path that is answered so, and of no other test."""
        self.paths += 1
        path = path or "/%d.json" % self.paths
        self.server.paths.pop(path, None)
        self.server.serve(path, **{"body": A_KEYS, **manners})
        return self.server.url(path)

    def look(self, url, *more):
        return look_into("--ca", self.ca, *more, url)

    def show(self, url, *more, status=0):
        return wba("--ca", self.ca, *more, url,
                   status=status).stdout.decode()

    def ask(self, *more, **manners):
        return self.look(self.serve(**manners), *more)

    def asked(self, path):
        """The headers of each request for a path."""
        return [h for _, p, h in self.server.log if p == path]


@pytest.fixture(scope="module")
def place(directory, authority):
    return Place(directory, authority)


# The request


def test_it_asks_as_the_module_does(place):
    found = place.look(place.serve("/asks", etag='"a"', last_modified="x"))
    first, second = place.asked("/asks")
    for headers in (first, second):
        assert headers["Accept"].startswith(MEDIA_TYPE)
        assert "application/json" in headers["Accept"]
        assert headers["Accept-Encoding"] == "identity"
    assert "If-None-Match" not in first
    assert second["If-None-Match"] == '"a"'
    assert second["If-Modified-Since"] == "x"
    assert found["caching"]["conditional"] == "not-modified"


def test_a_bare_origin_means_its_well_known_path(place):
    place.serve(WELL_KNOWN, body=A_KEYS)
    origin = place.server.url("", host="localhost")
    for given in (origin, origin + "/", origin.upper(), origin + WELL_KNOWN):
        found = place.look(given)
        assert found["source"] == given
        assert found["url"] == origin + WELL_KNOWN
        assert (found["taken"], found["well_known"]) == (True, True)
        assert found["address"] == "127.0.0.1:%d" % place.server.port
        assert 0 <= found["elapsed_ms"] < 30000
    text = place.show(origin)
    assert text.startswith(origin + WELL_KNOWN + "\n")
    assert "given as       %s\n" % origin in text


def test_other_paths_stand_as_they_are(place):
    found = place.look(place.serve("/a/../b?c=%20d"))
    assert found["url"].endswith("/a/../b?c=%20d")
    assert (found["taken"], found["well_known"]) == (True, False)


# The answer


@pytest.mark.parametrize("path, media_type, fits", [
    (WELL_KNOWN, MEDIA_TYPE, True),
    (WELL_KNOWN, MEDIA_TYPE.upper() + "; charset=utf-8", True),
    (WELL_KNOWN, "application/json", False),
    (WELL_KNOWN, "application/jwk-set+json", False),
    ("/types", MEDIA_TYPE, True),
    ("/types", "application/json;charset=utf-8", True),
    ("/types", "application/jwk-set+json", True),
    ("/types", "text/html", False),
    ("/types", "", False),
])
def test_media_type(place, path, media_type, fits):
    url = place.serve(path, media_type=media_type)
    found = place.look(url)
    assert found["media_type"] == media_type
    assert found["media_type_fits"] == fits
    assert found["taken"] == fits
    # what else is wrong is told all the same
    assert found["totals"]["usable"] == len(found["keys"]) == 1
    assert ("DOES NOT FIT" in place.show(url, status=not fits)) == (not fits)
    assert (found["proof"] is None) == (not fits)


@pytest.mark.parametrize("manners, status, says", [
    ({"status": 404}, 404, "nothing at this URL"),
    ({"status": 403}, 403, "open to everybody"),
    ({"status": 304}, 304, "nobody asked for"),
    ({"status": 500}, 500, "has a failure"),
    ({"close": True}, None, ""),
    ({"cut": 5}, None, ""),
    ({"body": "<html>"}, 200, "looks like HTML"),
    ({"body": "{"}, 200, "not JSON"),
    ({"body": "[]"}, 200, "no JWK Set"),
    ({"body": '{"keys":[{"kty":"oct"}]}'}, 200, "no entry is usable"),
    ({"body": '{"keys":%s}' % ("[" * 20 + "]" * 20)}, 200, "too deeply"),
    ({"body": " " * 1100000}, None, ""),
    ({"body": gzip_bomb(20000000), "gzip": True}, None, ""),
])
def test_what_is_refused(place, manners, status, says):
    url = place.serve(**manners)
    found = place.look(url)
    assert not found["taken"] and says in found["error"]
    assert found["totals"] is None or found["totals"]["used"] == 0
    assert found["caching"]["retry"] == 1
    assert found["caching"]["conditional"] is None
    if status:
        assert (found["status"], found["fetch_error"]) == (status, None)
    else:
        assert found["fetch_error"]
    text = place.show(url, status=1)
    last = text.splitlines()[-1]
    assert last == "The module would NOT take it: " + found["error"]


def test_bounds(place):
    url = place.serve(body=jwks(*[Key() for _ in range(5)]))
    assert place.look(url, "--max-keys", 5, "--max-size", "1k")["taken"]
    found = place.look(url, "--max-keys", 4)
    assert found["error"] == "more keys than are allowed"
    assert (found["totals"]["entries"], found["keys"]) == (5, [])
    found = place.look(url, "--max-size", 50)
    assert found["fetch_error"] and found["totals"] is None
    start = time.monotonic()
    found = place.look(place.serve("/hangs", hang=True), "--timeout", 1)
    assert found["fetch_error"] == "timeout"
    assert time.monotonic() - start < 10
    place.server.release()


def test_a_coding_that_nobody_asked_for(place):
    url = place.serve(gzip=True)
    found = place.look(url)
    assert found["content_coding"] == "gzip" and found["taken"]
    assert any("coding" in warning for warning in found["warnings"])
    assert "content coding gzip" in place.show(url)
    assert place.look(place.serve())["content_coding"] is None


def test_redirects_are_told_and_not_followed(place):
    port = place.server.port
    here = place.server.url("/moved", host="localhost")
    for location, www in [
        ("https://www.localhost:%d/moved" % port, True),
        ("https://www.localhost:%d/moved?x=1" % port, False),
        ("https://www.localhost:%d/elsewhere" % port, False),
        ("https://evil.test/moved", False),
        ("/moved2", False),
    ]:
        place.serve("/moved", status=301, location=location)
        found = place.look(here)
        assert found["redirect"] == {"location": location, "www": www}
        assert "redirects are not followed" in found["error"]
        text = place.show(here, status=1)
        assert ('"redirect www" would\n' in text) == www
    assert not place.asked("/elsewhere") and not place.asked("/moved2")
    place.serve("/moved", status=303,
                location="https://www.localhost:%d/moved" % port)
    assert place.look(here)["redirect"]["www"] is False


def test_trust(place, tmp_path, authority):
    url = place.serve()
    unknown = look_into(url)
    assert unknown["fetch_error"] == "tls"
    assert any("--ca FILE" in w and "web_bot_auth_trusted_certificate" in w
               for w in unknown["warnings"])
    other = Authority(tmp_path / "other", "another CA")
    unknown = look_into("--ca", other.ca, url)
    assert (unknown["fetch_error"], unknown["warnings"]) == ("tls", [PORT])
    expired = Directory(authority, chain=authority.issue("127.0.0.1", days=-1))
    expired.serve(body=A_KEYS)
    found = place.look(expired.url())
    expired.stop()
    assert (found["fetch_error"], found["status"]) == ("tls", None)
    assert not found["taken"]
    assert found["warnings"] == [PORT]


def test_nobody_there(place, authority):
    gone = Directory(authority)
    gone.stop()
    found = place.look(gone.url())
    assert found["fetch_error"] == "connect"
    assert found["address"] is None and found["totals"] is None
    assert "connected to   nobody" in place.show(gone.url(), status=1)


def test_public_addresses_only(place):
    before = place.server.connections
    found = place.look(place.serve(), "--public-only")
    assert "127.0.0.1 is not allowed" in found["error"]
    assert place.server.connections == before


# Caching


HOUR = 3600
CACHING_CASES = [
    # header lines, what they say, fresh under 5m 24h
    ([], None, HOUR),
    ([("Cache-Control", "max-age=7200")], 7200, 7200),
    ([("Cache-Control", "public"), ("Cache-Control", "max-age=7200")], 7200,
     7200),
    ([("Cache-Control", "max-age=7200"), ("Age", "200")], 7000, 7000),
    ([("Cache-Control", "max-age=10")], 10, 300),
    ([("Cache-Control", "max-age=9999999")], 9999999, 86400),
    ([("Cache-Control", "no-store")], 0, 300),
    ([("Cache-Control", "max-age=x")], 0, 300),
    ([("Expires", "0")], 0, 300),
]


@pytest.mark.parametrize("headers, stated, fresh", CACHING_CASES)
def test_caching(place, headers, stated, fresh):
    caching = place.ask(headers=tuple(headers))["caching"]
    assert (caching["stated"], caching["fresh"]) == (stated, fresh)
    assert caching["refresh_from"] == fresh * 8 // 10
    assert 0 <= fresh * 95 // 100 - caching["refresh_to"] <= 1
    assert caching["retry"] is None
    lines = [v for n, v in headers if n == "Cache-Control"]
    assert caching["cache_control"] == (", ".join(lines) or None)


def test_expires_and_the_bounds_of_refresh(place):
    url = place.serve(headers=(("Expires", http_date(1800)),))
    caching = place.look(url)["caching"]
    assert caching["expires"] and caching["date"]
    assert abs(caching["fresh"] - 1800) <= 2
    caching = place.look(url, "--refresh-min", "1h", "--refresh-max",
                         "2h")["caching"]
    assert caching["fresh"] == 3600
    text = place.show(url, "--refresh-min", "1s", "--refresh-max", "60")
    assert "fresh for      60 s (1 minute) under refresh 1s 60s" in text
    assert "lowered to refresh's maximum" in text


def test_retry_after(place):
    found = place.ask(status=503, headers=(("Retry-After", "120"),))
    assert found["caching"]["retry_after"] == "120"
    assert found["caching"]["retry"] == 120
    assert place.ask(status=503, headers=(("Retry-After", "9999"),)
                     )["caching"]["retry"] == 300


def test_conditional_requests(place):
    assert place.ask(last_modified="Mon, 01 Jan 2024 00:00:00 GMT"
                     )["caching"]["conditional"] == "not-modified"
    # sent, and never honoured
    url = place.serve("/full", headers=(("ETag", '"x"'),))
    found = place.look(url)
    assert found["taken"] and found["caching"]["conditional"] == "in-full"
    assert "the server answers conditional requests in full" \
        in found["warnings"]
    # asked once only
    before = len(place.asked("/full"))
    found = place.look(url, "--no-revalidate")
    assert found["caching"]["conditional"] is None
    assert len(place.asked("/full")) == before + 1
    # too long to be kept: not asked
    found = place.ask(headers=(("ETag", '"%s"' % ("x" * 200)),))
    assert found["caching"]["conditional"] is None
    assert any("cannot be sent back" in w for w in found["warnings"])
    # nothing to ask with
    found = place.ask()
    assert any("neither ETag" in w for w in found["warnings"])


def test_a_failing_second_request_does_not_change_the_verdict(place):
    def fail_next():
        place.serve("/once", status=500)
        return '"e"'

    found = place.look(place.serve("/once", headers=(("ETag", fail_next),)))
    assert found["taken"] and found["status"] == 200
    assert found["caching"]["conditional"] == "failed"
    assert found["caching"]["conditional_error"] == "status 500"


# Keys


def mixed():
    rsa = {"kty": "RSA", "n": "AA", "e": "AQAB", "alg": "PS512", "kid": "r"}
    return jwks(A.jwk(kid=A.thumbprint, alg="EdDSA", nbf=1000, exp=2000),
                B.jwk(kid="other", exp=1500), A, B.private_jwk(), rsa,
                RFC9421_KEY, {"kty": "OKP", "crv": "X448", "kid": 5}, 7)


def test_each_entry(place):
    url = place.serve(WELL_KNOWN, body=mixed())
    found = place.look(url, "--now", 1600)
    keys = found["keys"]
    assert [k["index"] for k in keys] == list(range(8))
    assert [k["state"] for k in keys] == [
        "taken", "warning", "skipped", "alert", "skipped", "alert", "skipped",
        "skipped"]
    assert found["totals"] == {"entries": 8, "usable": 2, "valid": 1,
                               "used": 2}
    first, second = keys[:2]
    assert first["thumbprint"] == first["kid"] == A.thumbprint
    assert (first["nbf"], first["exp"], first["valid"]) == (1000, 2000, True)
    assert (first["kty"], first["crv"], first["alg"]) \
        == ("OKP", "Ed25519", "EdDSA")
    assert first["algorithms"] == ["ed25519"]
    assert second["text"].startswith("kid is not the key's thumbprint")
    assert (second["nbf"], second["exp"]) == (None, 1500)
    assert second["valid"] is False
    assert "same key as an earlier entry" in keys[2]["text"]
    assert "private key" in keys[3]["text"]
    assert keys[3]["thumbprint"] == B.thumbprint
    assert keys[4]["kid"] == "r" and keys[4]["alg"] == "PS512"
    assert "test key" in keys[5]["text"]
    assert keys[6]["kid"] is None
    assert not any(k["usable"] or k["valid"] for k in keys[2:])
    assert any("ALERT" in w for w in found["warnings"])


def test_each_entry_in_plain_words(place):
    text = place.show(place.serve(WELL_KNOWN, body=mixed()), "--now", 1600)
    assert "keys: 8 entries, 2 usable, 1 of them valid now" in text
    assert "    0 usable\n      thumbprint %s\n" % A.thumbprint in text
    assert "now        EXPIRED" in text and "now        valid" in text
    assert "exp        1970-01-01 00:33:20 UTC (in 6 minutes" in text
    assert "    3 ALERT: private key" in text
    assert "The module would take it, with 2 keys." in text


def test_a_kid_of_ones_own_is_kept_elsewhere(place):
    found = place.ask(body=jwks(A.jwk(kid="mine")))
    assert found["keys"][0]["state"] == "taken"


def test_the_time(place):
    url = place.serve(body=jwks(A.jwk(nbf=1000, exp=2000)))
    for now, valid in [(999, 0), (1000, 1), (1999, 1), (2000, 0)]:
        found = place.look(url, "--now", now)
        assert (found["now"], found["totals"]["valid"]) == (now, valid)
        assert found["taken"]   # it is judged at each use
        assert ("no key is valid at this time: nothing verifies"
                in found["warnings"]) == (not valid)
    assert "NOT YET VALID" in place.show(url, "--now", 999)


def test_test_keys(place):
    url = place.serve(body=jwks(RFC9421_KEY))
    assert "no entry is usable" in place.look(url)["error"]
    found = place.look(url, "--test-keys")
    assert found["taken"]
    assert "web_bot_auth_test_keys on;\n" in found["configuration"]


def test_an_empty_set_is_taken_and_warned_of(place):
    url = place.serve(body='{"keys":[]}')
    found = place.look(url, "--proof-required")
    assert found["taken"] and found["totals"]["used"] == 0
    assert any("revokes every key" in w for w in found["warnings"])
    assert "with 0 keys." in place.show(url)


# Possession proof


def test_proof(place):
    both = jwks(A, B)
    absent = place.serve(body=both)
    good = place.serve(body=both, proof=(proof_by(A),))
    bad = place.serve(body=both, proof=(proof_by(A),), digest_of=b"other")
    for url, state, proven in [(absent, "absent", 0), (good, "good", 1),
                               (bad, "bad", 0)]:
        found = place.look(url)
        assert found["taken"] and found["totals"]["used"] == 2
        assert (found["proof"]["state"], found["proof"]["proven"]) \
            == (state, proven)
        assert bool(found["proof"]["text"]) == (state == "bad")
        required = place.look(url, "--proof-required")
        assert required["taken"] == (state == "good")
        assert required["totals"]["used"] == proven
        assert required["proof"]["state"] == state
    assert "proof required;" in place.look(
        good, "--proof-required")["configuration"]
    assert "no key has proven possession" in place.look(
        absent, "--proof-required")["error"]
    assert "possession proof: none\n" in place.show(absent)
    assert "possession proof: good, of 1 of 2 keys\n" in place.show(good)
    assert "possession proof: BAD: " in place.show(bad)


def test_proof_at_a_given_time(place):
    then = 1700000000
    url = place.serve(proof=(proof_by(A, created=then),))
    assert place.look(url)["proof"]["state"] == "bad"
    assert place.look(url, "--now", then + 1)["proof"]["state"] == "good"


# Names


def test_how_agents_name_a_well_known_directory(place):
    place.serve(WELL_KNOWN, body=A_KEYS)
    origin = place.server.url("", host="localhost")
    found = place.look(origin)
    assert found["signature_agent"] == [
        {"form": "dictionary", "field": 'sig1="%s"' % origin,
         "component": '"signature-agent";key="sig1"'},
        {"form": "dictionary-url",
         "field": 'sig1="%s"' % (origin + WELL_KNOWN),
         "component": '"signature-agent";key="sig1"'},
        {"form": "string", "field": '"%s"' % origin,
         "component": '"signature-agent"'},
    ]
    assert 'Signature-Agent: "%s"\n' % origin in place.show(origin)


@pytest.mark.parametrize("path", ["/keys.json?v=1", WELL_KNOWN + "?v=1",
                                  "/x" + WELL_KNOWN])
def test_how_agents_name_another_url(place, path):
    url = place.serve(path)
    found = place.look(url)
    assert [(f["form"], f["field"]) for f in found["signature_agent"]] == [
        ("dictionary", 'sig1="%s"' % url), ("string", '"%s"' % url)]


def test_tap_names_no_agent(place):
    found = place.ask("--profile", "tap")
    assert found["signature_agent"] == []
    assert "profile tap;" in found["configuration"]
    assert "agent " not in found["configuration"]
    # Nor is it discovered, by whatever port.
    assert PORT not in found["warnings"]


# Configuration


def test_nginx_takes_what_was_printed(place, serve):
    url = place.serve("/a;b$c/'d'/keys", proof=(proof_by(A),))
    found = place.look(url, "--proof-required", "--timeout", 10, "--max-size",
                       "64k", "--max-keys", 9, "--refresh-min", "10m")
    assert found["taken"]
    for line in ["timeout 10s;", "max_size 65536;", "max_keys 9;",
                 "refresh 600s 86400s;", "proof required;", 'url "']:
        assert "\n    " + line in found["configuration"]
    nginx = serve("""
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    %%CONFIGURATION%%
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth_wait 10s max=100;
    web_bot_auth on;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test;
        location / { %%OK%% }
    }
}
""", CONFIGURATION=found["configuration"])
    field = found["signature_agent"][0]
    agent = Agent(A, "web-bot-auth",
                  ("@authority", field["component"].replace('"', "", 2)),
                  signature_agent=field["field"])
    wait_for("the agent to be verified", lambda: seen(fetch(
        nginx.port(), agent.request())) == ("ok", "allow"))


def test_the_printed_lines_are_the_same(place):
    url = place.serve()
    found = place.look(url, "--no-revalidate")
    text = place.show(url, "--no-revalidate")
    assert text.endswith("\n\n" + found["configuration"])
    assert found["configuration"].splitlines() == [
        "# for all directories, in place of the machine's own",
        "web_bot_auth_trusted_certificate %s;" % place.ca,
        "web_bot_auth_directory 127.0.0.1 {",
        "    url %s;" % url,
        "    profile web-bot-auth;",
        "    agent %s;" % url,
        "}",
    ]


# A stranger's bytes


def test_terminals_are_safe(place):
    evil = "\x1b[2J\x07\x9b31m\x7f"
    url = place.serve(
        body=jwks(A.jwk(kid=evil, alg="EdDSA"), {"kty": evil, "crv": evil}),
        etag='"%s"' % evil, media_type="application/json; x=" + evil,
        headers=(("Cache-Control", "max-age=5, x=" + evil),
                 ("Content-Encoding", "identity"), ("Age", evil)))
    for more in ([], ["--json"]):
        out = place.show(url, "--no-revalidate", *more)
        assert out.replace("\n", "").isprintable() and out.isascii()
    assert "kid        \\x1b[2J" in place.show(url)
    url = place.serve(status=302, location="https://a.test/" + evil)
    out = place.show(url, status=1)
    assert out.replace("\n", "").isprintable() and out.isascii()
    url = place.serve(media_type=evil, body=evil)
    out = place.show(url, status=1)
    assert out.replace("\n", "").isprintable() and out.isascii()


# Files


@pytest.fixture
def box(tmp_path):
    (tmp_path / "keys.json").write_text(mixed())
    (tmp_path / "a b.json").write_text(A_KEYS)
    return tmp_path


def test_a_file(box):
    full = str((box / "keys.json").resolve())
    for given in ("keys.json", "file:keys.json", "file:" + full,
                  "file://" + full):
        found = look_into(given, cwd=box)
        assert found["taken"] and found["totals"]["usable"] == 2
        assert "    url file:%s;\n" % full in found["configuration"]
        assert "web_bot_auth_directory NAME {" in found["configuration"]
        for member in ("url", "address", "status", "caching", "proof",
                       "redirect", "media_type", "media_type_fits"):
            assert found[member] is None, member
        assert found["signature_agent"] == []
    assert 'url "file:%s/a b.json";' % box.resolve() in look_into(
        "a b.json", cwd=box)["configuration"]
    text = wba("keys.json", cwd=box, status=0).stdout.decode()
    assert text.startswith("keys.json\n") and "caching" not in text


def test_a_file_s_block_has_no_words_for_fetching(box):
    found = look_into("--timeout", 9, "--refresh-min", "1m", "--max-keys", 9,
                      "--max-size", "64k", "keys.json", cwd=box)
    assert found["configuration"].splitlines() == [
        "web_bot_auth_directory NAME {",
        "    url file:%s;" % (box / "keys.json").resolve(),
        "    profile web-bot-auth;",
        "    max_size 65536;",
        "    max_keys 9;",
        "}",
    ]


def test_the_standard_input(box):
    found = look_into("-", stdin=A_KEYS.encode())
    assert found["taken"] and found["configuration"] is None
    assert wba("-", stdin=A_KEYS.encode(), status=0).stdout.startswith(
        b"the standard input\n")
    found = look_into("-", stdin=b"<p>")
    assert "looks like HTML" in found["error"]
    assert found["document_error"].startswith("not JSON")
    found = look_into("--max-size", 5, "-", stdin=A_KEYS.encode())
    assert found["error"] == "longer than is allowed"


def test_the_type_of_a_file(box):
    found = look_into("--type", "application/json", "keys.json", cwd=box)
    assert found["taken"] and found["media_type_fits"]
    found = look_into("--type", "text/plain", "keys.json", cwd=box)
    assert not found["taken"] and found["media_type_fits"] is False
    assert 'media type "text/plain"' in found["error"]
    text = wba("--type", "text/plain", "keys.json", cwd=box, status=1)
    assert b"text/plain: DOES NOT FIT" in text.stdout


# Wrong use


@pytest.mark.parametrize("args, says", [
    ([], "which directory?"),
    (["a", "b"], "One directory at a time"),
    (["--nonsense", "a"], "no option --nonsense"),
    (["nowhere.json"], "cannot open nowhere.json"),
    (["agent.example"], "write https://"),
    (["."], "cannot read ."),
    (["file:"], "no name"),
    (["http://agent.example"], "is not https"),
    (["ftp://agent.example/"], "is not https"),
    (["https://"], "no URL of a directory"),
    (["https://user@agent.example/"], "no URL of a directory"),
    (["https://agent.example/#x"], "no URL of a directory"),
    (["https://agent.example/" + "x" * 3000], "no URL of a directory"),
    (["--now", "noon", "a"], "--now noon is no time"),
    (["--timeout", "0", "https://a"], "1 to 60 seconds"),
    (["--timeout", "61", "https://a"], "1 to 60 seconds"),
    (["--max-size", "0", "a"], "--max-size 0 is no number"),
    (["--max-size", "17m", "a"], "--max-size 17m is no number"),
    (["--max-size", "m", "a"], "--max-size m is no number"),
    (["--max-keys", "1k", "a"], "--max-keys 1k is no number"),
    (["--max-keys", "100001", "a"], "1 to 100000"),
    (["--max-keys", "99999999999999999999999", "a"], "1 to 100000"),
    (["--refresh-min", "x", "a"], "--refresh-min x is no duration"),
    (["--refresh-min", "2d", "https://a"], "more than --refresh-max"),
    (["--profile", "visa", "a"], "no profile 'visa'"),
    (["--ca", "nowhere", "https://localhost:1"], "cannot open nowhere"),
    (["--ca", "keys.json", "https://localhost:1"], "no certificate in"),
    (["--ca", os.devnull, "https://localhost:1"], "no certificate in"),
    (["--ca", "x", "keys.json"], "--ca is for a URL"),
    (["--proof-required", "keys.json"], "--proof-required is for a URL"),
    (["--public-only", "-"], "--public-only is for a URL"),
    (["--type", "a/b", "https://a"], "--type is for a file"),
], ids=lambda v: " ".join(v)[:50] if isinstance(v, list) else None)
def test_wrong_use(box, args, says):
    done = wba(*args, cwd=box, status=2)
    assert says in done.err, done.err
    assert done.stdout == b""
    assert done.err.startswith("wba directory: ")
