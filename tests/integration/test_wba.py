# SPDX-License-Identifier: BSD-2-Clause
"""The tool wba, as its users run it: round trips from keygen to verify, the
IETF draft's vectors, tampered requests, and every kind of wrong use.

WBA names the binary (build/gcc/wba unless set).  Needs no nginx.
"""

import base64
import hashlib
import json
import os
import re
import shlex
import stat
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WBA = os.environ.get("WBA", str(ROOT / "build/gcc/wba"))

TAP = ["--url", "https://shop.example/catalogue?page=2"]
WEB = TAP + ["--agent", "https://agent.example"]
SHOP = "shop=keys.json"
AGENT = "https://agent.example=keys.json"


def wba(*args, stdin=b"", cwd=None, env=None, status=None):
    done = subprocess.run(
        [WBA, *map(str, args)],
        input=stdin,
        cwd=cwd,
        env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
        capture_output=True,
        timeout=60,
    )
    done.err = done.stderr.decode()
    assert "Sanitizer" not in done.err and "runtime error" not in done.err, done.err
    assert done.returncode in (0, 1, 2), done.err
    if status is not None:
        assert done.returncode == status, done.stdout.decode() + done.err
    return done


class Box:
    """A folder with a key and its directory."""

    def __init__(self, path):
        self.path = path
        made = wba("keygen", "--out", "agent.key", cwd=path, status=0)
        self.thumbprint = made.err.strip()
        jwks = wba("jwks", "agent.key", cwd=path, status=0)
        self.write("keys.json", jwks.stdout)

    def write(self, name, data):
        (self.path / name).write_bytes(data)

    def run(self, *args, **more):
        return wba(*args, cwd=self.path, **more)

    def sign(self, *args):
        return self.run(
            "sign", "--key", "agent.key", "--format", "raw", *args, status=0
        ).stdout

    def judge(self, raw, *args, directory=SHOP):
        done = self.run(
            "verify", *args, "--directory", directory, "--json", stdin=raw
        )
        assert done.returncode in (0, 1), done.err
        found = json.loads(done.stdout)
        assert (done.returncode == 0) == (found["outcome"] == "verified")
        return found


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    return Box(tmp_path_factory.mktemp("wba"))


# Keys and directories


def test_keygen_writes_a_private_file(tmp_path):
    done = wba("keygen", "--out", "k", cwd=tmp_path, status=0)
    assert done.stdout == b""
    key = tmp_path / "k"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    jwk = json.loads(key.read_text())
    canonical = '{"crv":"Ed25519","kty":"OKP","x":"%s"}' % jwk["x"]
    digest = hashlib.sha256(canonical.encode()).digest()
    thumbprint = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert done.err == thumbprint + "\n"
    assert jwk["kid"] == thumbprint
    assert len(base64.urlsafe_b64decode(jwk["d"] + "=")) == 32


def test_keygen_overwrites_only_when_forced(tmp_path):
    wba("keygen", "--out", "k", cwd=tmp_path, status=0)
    before = (tmp_path / "k").read_bytes()
    done = wba("keygen", "--out", "k", cwd=tmp_path, status=2)
    assert "--force" in done.err
    assert (tmp_path / "k").read_bytes() == before
    (tmp_path / "k").chmod(0o644)
    wba("keygen", "--out", "k", "--force", "--kid", "new", cwd=tmp_path, status=0)
    assert json.loads((tmp_path / "k").read_text())["kid"] == "new"
    assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["k"]


def test_keygen_prints_without_out():
    jwk = json.loads(wba("keygen", status=0).stdout)
    assert {"kty", "crv", "x", "d", "kid"} <= jwk.keys()


def test_jwks_holds_nothing_private(box):
    keys = json.loads((box.path / "keys.json").read_text())["keys"]
    assert len(keys) == 1
    assert keys[0].keys() == {"kty", "crv", "x", "kid", "alg", "use"}
    assert keys[0]["kid"] == box.thumbprint
    assert (keys[0]["alg"], keys[0]["use"]) == ("EdDSA", "sig")


def test_jwks_of_many_files_names_and_validity(box):
    box.run("keygen", "--out", "second.key", "--kid", "two", "--force", status=0)
    done = box.run(
        "jwks", "--kid", "keep", "--nbf", "2026-01-01T00:00:00Z", "--exp",
        "1800000000", "agent.key", "second.key", "keys.json", status=0,
    )
    keys = json.loads(done.stdout)["keys"]
    assert [k["kid"] for k in keys] == [box.thumbprint, "two"]
    assert {(k["nbf"], k["exp"]) for k in keys} == {(1767225600, 1800000000)}
    assert "occurs twice" in done.err
    by_default = box.run("jwks", "second.key", status=0)
    assert json.loads(by_default.stdout)["keys"][0]["kid"] != "two"
    named = box.run("jwks", "--kid", "three", "second.key", status=0)
    assert json.loads(named.stdout)["keys"][0]["kid"] == "three"


def test_jwks_warns_of_test_keys(box):
    box.write("ietf.key", json.dumps(IETF_KEY).encode())
    done = box.run("jwks", "ietf.key", status=0)
    assert "test key of RFC 9421" in done.err


@pytest.mark.parametrize(
    "text, says",
    [
        (b"{", "not JSON: line 1"),
        (b"-----BEGIN PRIVATE KEY-----\nabc\n", "PEM"),
        (b'{"keys":[]}', "empty"),
        (b"[]", "neither a JWK"),
        (b'{"kty":"oct","k":"AAAA"}', "cannot be published"),
        (b'{"kty":"OKP","crv":"X25519","x":"AA"}', "crv is not Ed25519"),
        (b'{"kty":"OKP","kty":"EC"}', "not JSON"),
        (b"", "not JSON"),
    ],
)
def test_jwks_refuses(box, text, says):
    box.write("bad.json", text)
    done = box.run("jwks", "bad.json", status=2)
    assert says in done.err
    assert done.stdout == b""


# Round trips


ROUND_TRIPS = {
    "tap": (TAP, [], SHOP),
    "tap payer": (TAP + ["--tag", "agent-payer-auth"], [], SHOP),
    "agent-pay": (
        WEB + ["--profile", "agent-pay", "--tag", "Agent-Pay-Auth"],
        ["--profile", "agent-pay"], AGENT,
    ),
    "agent-pay legacy": (
        WEB + ["--profile", "agent-pay", "--agent-form", "string"],
        ["--profile", "agent-pay"], AGENT,
    ),
    "web-bot-auth": (WEB, [], AGENT),
    "web-bot-auth legacy": (WEB + ["--agent-form", "string"], [], AGENT),
    "web-bot-auth without nonce and alg": (
        WEB + ["--nonce", "none", "--alg", "none"], [], AGENT,
    ),
    "web-bot-auth, keys by configuration": (
        TAP + ["--profile", "web-bot-auth"], ["--profile", "web-bot-auth"], SHOP,
    ),
    "web-bot-auth at a URL of its own": (
        TAP + ["--agent", "https://agent.example/keys?v=1"], [],
        "https://AGENT.example:443/keys?v=1=keys.json",
    ),
    "a bare origin stands for its well-known path": (
        WEB, [],
        "https://agent.example/.well-known/http-message-signatures-directory"
        "=keys.json",
    ),
    "everything covered": (
        ["--url", "http://Shop.Example:80/a%2Fb/../c?x=1&y=a+b", "--method", "PATCH",
         "--header", "X-One: a", "--header", "x-one:  b ", "--header", "Empty:",
         "--header", "Priority: u=1,   i", "--label", "my-label",
         "--component", "@method", "--component", "@authority",
         "--component", "@path", "--component", "@query",
         "--component", "@target-uri", "--component", "@scheme",
         "--component", "@request-target",
         "--component", '"@query-param";name="y"',
         "--component", "x-one", "--component", '"x-one";bs',
         "--component", "empty", "--component", '"priority";sf',
         "--component", '"priority";key="u"'],
        ["--scheme", "http"], SHOP,
    ),
    "label": (WEB + ["--label", "*a.b_c-1"], [], AGENT),
}


@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_round_trip(box, name):
    signing, verifying, directory = ROUND_TRIPS[name]
    found = box.judge(box.sign(*signing), *verifying, directory=directory)
    assert found["reason"] == "ok", found
    assert found["keyid"] == found["thumbprint"] == box.thumbprint
    assert found["directory"] == directory.rpartition("=")[0]
    assert found["expires"] - found["created"] == 300
    assert found["signature_base"].startswith(found["components"][0] + ": ")


def test_keyid_may_be_the_kid(box):
    box.run("keygen", "--out", "named.key", "--kid", "ours", "--force", status=0)
    keys = box.run("jwks", "--kid", "keep", "named.key", status=0).stdout
    box.write("named.json", keys)
    raw = box.run(
        "sign", "--key", "named.key", "--keyid", "ours", *TAP, "--format", "raw",
        status=0,
    ).stdout
    found = box.judge(raw, directory="shop=named.json")
    assert (found["reason"], found["keyid"]) == ("ok", "ours")
    assert found["thumbprint"] != "ours"


def test_format_headers(box):
    out = box.run("sign", "--key", "agent.key", *WEB, status=0).stdout.decode()
    names = [line.partition(":")[0] for line in out.splitlines()]
    assert names == ["Signature-Agent", "Signature-Input", "Signature"]
    raw = "GET /catalogue?page=2 HTTP/1.1\nHost: SHOP.example\n" + out
    assert box.judge(raw.encode(), directory=AGENT)["reason"] == "ok"


def test_format_raw(box):
    box.write("body", b"line\nline\n")
    raw = box.sign(*TAP, "--body", "body")
    head, _, body = raw.partition(b"\r\n\r\n")
    assert body == b"line\nline\n"
    assert head.startswith(b"POST /catalogue?page=2 HTTP/1.1\r\nHost: shop.example\r\n")
    assert b"\r\nContent-Length: 10\r\n" in head


def curl_request(words):
    """The request that curl would send, as far as these words go."""
    method, fields, url, body = "GET", [], None, None
    words = iter(words)
    for word in words:
        if word == "-H":
            field = next(words)
            fields.append(field[:-1] + ":" if field.endswith(";") else field)
        elif word == "-X":
            method = next(words)
        elif word == "--head":
            method = "HEAD"
        elif word == "--data-binary":
            body = next(words)
            method = "POST" if method == "GET" else method
        elif not word.startswith("--"):
            url = word
    rest = url.partition("://")[2]
    authority, _, target = rest.partition("/")
    lines = ["%s /%s HTTP/1.1" % (method, target), "Host: " + authority, *fields]
    return "\r\n".join(lines) + "\r\n\r\n", body


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "DELETE"])
def test_format_curl(box, method):
    out = box.run(
        "sign", "--key", "agent.key", "--format", "curl", "--method", method,
        "--url", "https://shop.example/it's?a=(1)&b=*$1", "--agent", "https://agent.example",
        "--header", "X-Quote: it's \\ \"so\"", "--header", "X-Empty:",
        "--component", "@method", "--component", "@target-uri",
        "--component", "signature-agent", "--component", "x-quote",
        "--component", "x-empty", status=0,
    ).stdout.decode()
    assert out.count("\n") == 1
    words = shlex.split(out)
    raw, _ = curl_request(words)
    assert box.judge(raw.encode(), directory=AGENT)["reason"] == "ok"
    # xargs reads the same words
    xargs = subprocess.run(
        ["xargs", "printf", "%s\\n"], input=out.encode(), capture_output=True
    )
    assert xargs.stdout.decode().splitlines() == words


def test_format_curl_with_body(box):
    box.write("a body's file", b"x")
    out = box.run(
        "sign", "--key", "agent.key", "--format", "curl", *TAP, "--body",
        "a body's file", status=0,
    ).stdout.decode()
    raw, body = curl_request(shlex.split(out))
    assert body == "@a body's file"
    assert raw.startswith("POST ")


def test_second_signature_beside_the_first(box):
    first = box.run(
        "sign", "--key", "agent.key", *TAP, status=0
    ).stdout.decode().splitlines()
    raw = box.sign(
        *TAP, "--label", "sig2", "--tag", "agent-payer-auth",
        *[word for field in first for word in ("--header", field)],
    )
    found = box.judge(raw)
    assert found["reason"] == "ok"
    assert [s["label"] for s in found["signatures"]] == ["sig1", "sig2"]
    assert {s["reason"] for s in found["signatures"]} == {"ok"}
    one_forged = re.sub(rb"sig1=:..", b"sig1=:AA", raw)
    found = box.judge(one_forged)
    assert (found["reason"], found["label"]) == ("ok", "sig2")
    assert [s["reason"] for s in found["signatures"]] == ["bad-signature", "ok"]


def test_times(box):
    raw = box.sign(*TAP, "--created", "2026-05-01T12:00:00Z", "--lifetime", "2m")
    assert b";created=1777636800;" in raw and b";expires=1777636920;" in raw
    found = box.judge(raw, "--now", "1777636860")
    assert found["reason"] == "ok" and found["now"] == 1777636860
    assert box.judge(raw, "--now", "2026-05-01 12:02:04Z")["reason"] == "ok"
    assert box.judge(raw, "--now", "1777636925")["reason"] == "expired"
    assert box.judge(raw, "--now", "1777636920", "--skew", "0")["reason"] == "expired"
    assert box.judge(raw, "--now", "1777637000", "--skew", "5m")["reason"] == "ok"
    raw = box.sign(*TAP, "--created", "-10m", "--expires", "+1h")
    found = box.judge(raw, "--max-lifetime", "0")
    assert found["expires"] - found["created"] == 4200
    assert abs(found["created"] - (time.time() - 600)) < 60


# The IETF draft's vectors


IETF_KEY = {
    "kty": "OKP",
    "crv": "Ed25519",
    "kid": "test-key-ed25519",
    "d": "n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU",
    "x": "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs",
}

IETF_DICTIONARY = b"""\
GET / HTTP/1.1
Host: example.com
Signature-Agent: agent2="https://signature-agent.test"
Signature-Input: sig2=("@authority" "signature-agent";key="agent2")\
;created=1735689600;keyid="poqkLGiymh_W0uP6PZFw-dvez3QJT5SolqXBCW38r0U"\
;alg="ed25519";expires=4889289600;nonce="n9p433xm+NJ3ph3upfBIGmsuwHw387YV7Q/\
F+6BSpGCVjYCqQw6rznNA8PVVLySrAWsv0hQtFioQb6E1YsauiA==";tag="web-bot-auth"
Signature: sig2=:RdNFx5Bj6au3YgAMQL/RzmUlZE8QZLIaXGRpw985hWnwPfMxT228NMk6ehRS\
1PSl4e8PhbNZACSanGdhEwYCCg==:

"""

IETF_LEGACY = b"""\
GET / HTTP/1.1
Host: example.com
Signature-Agent: "https://signature-agent.test"
Signature-Input: sig2=("@authority" "signature-agent")\
;created=1735689600;keyid="poqkLGiymh_W0uP6PZFw-dvez3QJT5SolqXBCW38r0U"\
;alg="ed25519";expires=1735693200;nonce="e8N7S2MFd/qrd6T2R3tdfAuuANngKI7LFtKYI\
/vowzk4lAZYadIX6wW25MwG7DCT9RUKAJ0qVkU0mEeLElW1qg==";tag="web-bot-auth"
Signature: sig2=:jdq0SqOwHdyHr9+r5jw3iYZH6aNGKijYp/EstF4RQTQdi5N5YYKrD+mCT1HA\
1nZDsi6nJKuHxUi/5Syp3rLWBA==:

"""

IETF_DIRECTORY = "https://signature-agent.test=ietf.json"


@pytest.fixture(scope="module")
def ietf(box):
    box.write("ietf.key", json.dumps(IETF_KEY).encode())
    box.write("ietf.json", box.run("jwks", "ietf.key", status=0).stdout)
    return box


@pytest.mark.parametrize(
    "raw, options, reason",
    [
        (IETF_DICTIONARY, ["--max-lifetime", "0"], "ok"),
        (IETF_DICTIONARY, [], "lifetime-too-long"),
        (IETF_DICTIONARY, ["--max-lifetime", "0", "--now", "1735689500"],
         "clock-ahead"),
        (IETF_LEGACY, ["--now", "1735689600"], "ok"),
        (IETF_LEGACY, ["--now", "2025-01-01T01:00:04Z"], "ok"),
        (IETF_LEGACY, ["--now", "2025-01-01T01:00:05Z"], "expired"),
        (IETF_LEGACY, ["--now", "1735689600", "--authority", "shop.example"],
         "bad-signature"),
    ],
)
def test_ietf_vectors(ietf, raw, options, reason):
    found = ietf.judge(raw, "--test-keys", *options, directory=IETF_DIRECTORY)
    assert found["reason"] == reason
    assert found["agent"] in ("https://signature-agent.test", None)


@pytest.mark.parametrize(
    "raw, options, form",
    [(IETF_DICTIONARY, ["--component", "@authority", "--component",
                        '"signature-agent";key="agent2"', "--header",
                        'Signature-Agent: agent2="https://signature-agent.test"',
                        "--expires", "4889289600"], "dictionary"),
     (IETF_LEGACY, ["--agent", "https://signature-agent.test",
                    "--expires", "1735693200"], "string")],
)
def test_ietf_vectors_are_what_we_sign(ietf, raw, options, form):
    """Ed25519 is deterministic: the same input gives the same bytes."""
    nonce = re.search(rb'nonce="([^"]*)"', raw).group(1).decode()
    out = ietf.run(
        "sign", "--key", "ietf.key", "--url", "https://example.com/",
        "--profile", "web-bot-auth", "--label", "sig2", "--agent-form", form,
        "--created", "1735689600", "--nonce", nonce, *options, status=0,
    ).stdout.decode().splitlines()
    expected = raw.decode().splitlines()
    assert out[-2:] == expected[3:5]


def test_test_keys_are_refused_unless_asked_for(ietf):
    done = ietf.run(
        "verify", "--directory", IETF_DIRECTORY, stdin=IETF_LEGACY, status=2
    )
    assert "test key of RFC 9421" in done.err and "--test-keys" in done.err
    # beside a good key it is merely left out
    both = {"keys": [IETF_KEY | {"d": None}, *json.loads(
        (ietf.path / "keys.json").read_text())["keys"]]}
    del both["keys"][0]["d"]
    ietf.write("both.json", json.dumps(both).encode())
    done = ietf.run(
        "verify", "--directory", "https://signature-agent.test=both.json", "--json",
        "--now", "1735689600", stdin=IETF_LEGACY, status=1,
    )
    assert json.loads(done.stdout)["reason"] == "key-unknown"
    assert "REFUSED" in done.err


# Bodies


DIGEST = ["--component", "@authority", "--component", "@path",
          "--component", "content-digest"]


def test_body_digest(box):
    body = b'{"card":"1"}\n'
    box.write("body", body)
    raw = box.sign(*TAP, "--body", "body", *DIGEST)
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert ("Content-Digest: sha-256=:%s:\r\n" % digest).encode() in raw
    found = box.judge(raw)
    assert (found["reason"], found["content_digest"]) == ("ok", "matches")

    found = box.judge(raw.replace(b'"1"', b'"2"'))
    assert found["reason"] == "content-digest-mismatch"
    assert found["content_digest"] == "mismatch"

    # what an editor leaves behind the body is no part of it
    assert box.judge(raw + b"\n\n")["reason"] == "ok"
    without_length = re.sub(rb"Content-Length: \d+\r\n", b"", raw)
    assert box.judge(without_length)["reason"] == "ok"
    assert box.judge(without_length + b"\n")["reason"] == "content-digest-mismatch"

    short = box.run("verify", "--directory", SHOP, stdin=raw[:-3], status=1)
    assert "Content-Length says 13 bytes, and the body has 10" in short.err


def test_absent_body_hashes_as_empty(box):
    raw = box.sign(*TAP, *DIGEST)
    assert box.judge(raw)["content_digest"] == "matches"
    assert box.judge(raw + b"x")["reason"] == "content-digest-mismatch"


@pytest.mark.parametrize("value", ["sha-256=1", "md5=:AAAA:", "sha-256=:AAAA:", "("])
def test_unreadable_digest(box, value):
    raw = box.sign(*TAP, *DIGEST, "--header", "Content-Digest: " + value)
    found = box.judge(raw)
    assert found["reason"] == "content-digest-unreadable"
    assert found["content_digest"] == "unreadable"


@pytest.mark.parametrize("body, state, reason", [
    ('{"agenticConsumer":{"nonce":"N","kid":"K"}}', "matches", "ok"),
    ('{"agenticPaymentContainer":{"nonce":"N","kid":"K"}}', "matches", "ok"),
    ("{}", "none", "ok"),
    ("plain", "none", "ok"),
    ("", "none", "ok"),
    ('{"agenticConsumer":{"nonce":"n","kid":"K"}}', "mismatch",
     "body-link-mismatch"),
    ('{"agenticConsumer":{"nonce":"N"}}', "missing", "body-link-missing"),
    ("{", "unreadable", "body-link-unreadable"),
    ("{" + " " * 300000, "too-large", "body-link-too-large"),
], ids=lambda x: x[:40].strip())
def test_body_link(box, body, state, reason):
    key = box.judge(box.sign(*TAP))["keyid"]
    body = body.replace("K", key).encode()
    box.write("body", body)
    raw = box.sign(*TAP, "--nonce", "N", "--body", "body")
    asked = ["--body-link"]
    found = box.judge(raw, *asked)
    assert (found["reason"], found["body_link"]) == (reason, state)
    text = box.run("verify", *asked, "--directory", SHOP, stdin=raw).stdout
    assert b"body link" in text
    found = box.judge(raw)
    assert (found["reason"], found["body_link"]) == ("ok", None)
    text = box.run("verify", "--directory", SHOP, stdin=raw).stdout
    assert b"body link" not in text


def test_uncovered_digest_proves_nothing(box):
    raw = box.sign(*TAP, "--header", "Content-Digest: sha-256=:AAAA:")
    found = box.judge(raw)
    assert (found["reason"], found["content_digest"]) == ("ok", None)


# Requests that do not verify


def swap(old, new):
    return lambda raw: raw.replace(old, new, 1)


def drop(name):
    return lambda raw: re.sub(rb"(?m)^" + name + rb":.*\n", b"", raw)


def second_of(name):
    return lambda raw: re.sub(rb"(?m)^(" + name + rb":.*\n)", rb"\1\1", raw)


def cover(*names):
    return [word for name in names for word in ("--component", name)]


def as_is(raw):
    return raw


TAMPERED = [
    # name, sign's options, change, verify's options, directory, reason
    ("unsigned", TAP, drop(b"Signature-Input"), [], SHOP, "no-signature"),
    ("no signature value", TAP, drop(b"Signature"), [], SHOP,
     "signature-value-unreadable"),
    ("other label", TAP, swap(b"Signature: sig1", b"Signature: sig9"), [], SHOP,
     "signature-value-unreadable"),
    ("signature no bytes", TAP, swap(b"sig1=:", b"sig1=x;a=:"), [], SHOP,
     "signature-value-unreadable"),
    ("other tag", TAP + ["--tag", "x"], as_is, [], SHOP, "no-served-tag"),
    ("no tag", TAP, swap(b';tag="agent-browser-auth"', b""), [], SHOP,
     "no-served-tag"),
    ("broken input", TAP, swap(b'("@auth', b'("@auth"'), [], SHOP,
     "signature-input-unreadable"),
    ("keyId", TAP, swap(b";keyid=", b";keyId="), [], SHOP,
     "signature-input-keyid-case"),
    ("created no integer", TAP, lambda r: re.sub(rb"created=\d+", b"created=a", r),
     [], SHOP, "signature-input-unreadable"),
    ("huge field", TAP, swap(b"sig1=(", b"x" * 70000 + b",sig1=("), [], SHOP,
     "field-too-large"),
    ("many signatures", TAP,
     lambda r: re.sub(rb"(?m)^Signature-Input: sig1(.*)\r\n",
                      lambda m: b"".join(b"Signature-Input: s%d%s\r\n"
                                         % (i, m.group(1)) for i in range(9)), r),
     [], SHOP, "too-many-signatures"),
    ("many components", TAP,
     swap(b'=("@auth', b"=(" + b"".join(b'"x%d" ' % i for i in range(64))
          + b'"@auth'), [], SHOP, "too-many-components"),
    ("label twice", TAP, second_of(b"Signature-Input"), [], SHOP, "duplicate-label"),
    ("unknown derived", TAP, swap(b'("@authority"', b'("@author"'), [], SHOP,
     "bad-component"),
    ("component twice", TAP, swap(b'"@path")', b'"@path" "@path")'), [], SHOP,
     "duplicate-component"),
    ("field gone", TAP + ["--header", "X-A: 1", *cover("@authority", "@path", "x-a")],
     drop(b"X-A"), [], SHOP, "missing-component"),
    ("8-bit field", TAP + ["--header", "X-A: 1", *cover("@authority", "@path", "x-a")],
     swap(b"X-A: 1", b"X-A: \xe9"), [], SHOP, "bad-component-value"),
    ("no host covered", TAP + cover("@path"), as_is, [], SHOP, "target-not-covered"),
    ("no path for tap", TAP + cover("@authority"), as_is, [], SHOP,
     "component-not-covered"),
    ("asked for more", TAP, as_is, ["--component", "@method"], SHOP,
     "component-not-covered"),
    ("no alg for tap", TAP + ["--alg", "none"], as_is, [], SHOP, "missing-fields"),
    ("no created", TAP, lambda r: re.sub(rb";created=\d+", b"", r), [], SHOP,
     "missing-fields"),
    ("no nonce", TAP + ["--nonce", "none"], as_is, [], SHOP, "nonce-missing"),
    ("from the future", TAP + ["--created", "+60"], as_is, [], SHOP, "clock-ahead"),
    ("expired", TAP + ["--created", "-600"], as_is, [], SHOP, "expired"),
    ("ends before it begins", TAP + ["--expires", "-1"], as_is, [], SHOP,
     "expires-not-after-created"),
    ("nine minutes", TAP + ["--lifetime", "9m"], as_is, [], SHOP,
     "lifetime-too-long"),
    ("tightened", TAP, as_is, ["--max-lifetime", "60"], SHOP, "lifetime-too-long"),
    ("other alg", TAP + ["--alg", "ecdsa-p256-sha256"], as_is, [], SHOP,
     "alg-mismatch"),
    ("unknown alg", TAP + ["--alg", "hmac-sha256"], as_is, [], SHOP, "alg-mismatch"),
    ("other host", TAP, swap(b"shop.example", b"evil.example"), [], SHOP,
     "bad-signature"),
    ("other path", TAP, swap(b"/catalogue", b"/checkout"), [], SHOP, "bad-signature"),
    ("other tag, served", TAP, swap(b"-browser-", b"-payer-"), [], SHOP,
     "bad-signature"),
    ("other nonce", TAP + ["--nonce", "abc"], swap(b'"abc"', b'"abd"'), [], SHOP,
     "bad-signature"),
    ("short signature", TAP, lambda r: re.sub(rb"sig1=:.*:", b"sig1=:AAAA:", r), [],
     SHOP, "bad-signature"),
    ("query is not covered", TAP, swap(b"page=2", b"page=3"), [], SHOP, "ok"),
    ("no host at all", TAP, drop(b"Host"), [], SHOP, "authority-not-served"),
    ("no host, vouched for", TAP, drop(b"Host"), ["--authority", "shop.example"],
     SHOP, "ok"),
    ("absolute form beats Host", TAP,
     swap(b"GET /cat", b"GET https://evil.example/cat"), [], SHOP, "bad-signature"),
    ("other scheme in the target",
     TAP + cover("@authority", "@path", "@scheme"),
     swap(b"GET /cat", b"GET http://shop.example/cat"), [], SHOP, "scheme-mismatch"),
    ("other scheme", TAP + cover("@authority", "@path", "@scheme"), as_is,
     ["--scheme", "http"], SHOP, "bad-signature"),
    ("other keyid", TAP + ["--keyid", "nobody"], as_is, [], SHOP, "key-unknown"),
    ("agent of others", WEB, as_is, [], "https://other.example=keys.json",
     "agent-not-allowed"),
    ("agent gone", WEB, drop(b"Signature-Agent"), [], AGENT,
     "signature-agent-absent"),
    ("no agent, unknown key",
     TAP + ["--profile", "web-bot-auth", "--keyid", "nobody"], as_is,
     ["--profile", "web-bot-auth"], SHOP, "signature-agent-absent"),
    ("agent member gone", WEB, swap(b"Agent: sig1=", b"Agent: sig2="), [], AGENT,
     "signature-agent-member-missing"),
    ("agent broken", WEB, swap(b"Agent: sig1=", b"Agent: sig1=="), [], AGENT,
     "signature-agent-unparsable"),
    ("agent http", WEB, swap(b'"https://agent', b'"http://agent'), [], AGENT,
     "signature-agent-not-https"),
    ("agent unquoted", WEB,
     swap(b'sig1="https://agent.example"', b"https://agent.example"), [], AGENT,
     "signature-agent-unquoted"),
    ("agent typed", WEB, swap(b'agent.example"', b'agent.example";type=cimd'), [],
     AGENT, "signature-agent-typed"),
    ("agents, ambiguous",
     TAP + ["--profile", "web-bot-auth", "--header",
            'Signature-Agent: a="https://a.example", b="https://b.example"',
            *cover("@authority", '"signature-agent";key="a"',
                   '"signature-agent";key="b"')],
     as_is, [], AGENT, "signature-agent-ambiguous-member"),
    ("other agent", WEB, swap(b"//agent.example", b"//thief.example"), [],
     "https://thief.example=keys.json", "bad-signature"),
]


@pytest.mark.parametrize("case", TAMPERED, ids=lambda case: case[0])
def test_reason(box, case):
    _, signing, change, verifying, directory, reason = case
    raw = change(box.sign(*signing))
    found = box.judge(raw, *verifying, directory=directory)
    assert found["reason"] == reason, found
    told = box.run("verify", *verifying, "--directory", directory, stdin=raw)
    assert told.returncode == (0 if reason == "ok" else 1)
    text = told.stdout.decode()
    assert "\n%s: %s\n" % (found["outcome"], reason) in text
    assert found["help"] in text
    if reason not in ("ok", "denied-by-rule"):
        assert "✗" in text and "-> " + reason in text


@pytest.mark.parametrize(
    "options, reason",
    [(["--exp", "-1m"], "key-expired"), (["--nbf", "+1h"], "key-not-yet-valid"),
     (["--nbf", "-1h", "--exp", "+1h"], "ok")],
)
def test_validity_of_the_key(box, options, reason):
    box.write("limited.json", box.run("jwks", *options, "agent.key", status=0).stdout)
    found = box.judge(box.sign(*TAP), directory="shop=limited.json")
    assert found["reason"] == reason


def test_all_reasons_that_can_be_met_offline_are_met_here():
    """The rest concern a server's own state."""
    server_only = {
        "visa-sample-form",     # see test_visa_sample.py
        "denied-by-rule", "signature-base-too-large", "alg-not-allowed",
        "directory-unavailable", "too-many-waiting", "nonce-replayed",
        "nonce-store-full", "nonce-store-cold", "nonce-store-unavailable",
        "body-unavailable", "out-of-memory", "discovery-limit",
        "nonce-not-challenged", "challenge-expired", "forgery-limited",
    }
    met = {case[5] for case in TAMPERED} | {
        "key-expired", "key-not-yet-valid", "content-digest-unreadable",
        "content-digest-mismatch", "body-link-unreadable",
        "body-link-too-large", "body-link-missing", "body-link-mismatch",
    }
    table = json.loads(wba("reasons", "--json", status=0).stdout)
    assert {row["name"] for row in table} <= met | server_only


def test_alg_not_allowed(box):
    n = base64.urlsafe_b64encode(b"\xff" * 256).rstrip(b"=").decode()
    rsa = {"kty": "RSA", "n": n, "e": "AQAB", "kid": "r"}
    box.write("rsa.json", json.dumps({"keys": [rsa]}).encode())
    raw = box.sign(*TAP, "--keyid", "r", "--alg", "rsa-pss-sha512")
    found = box.judge(raw, directory="shop=rsa.json")
    assert found["reason"] == "alg-not-allowed"
    text = box.run("verify", "--directory", "shop=rsa.json", stdin=raw).stdout
    assert (b'alg is "rsa-pss-sha512", the key is for rsa-pss-sha512 or '
            b"rsa-pss-sha256\n") in text
    assert (b"this directory takes ed25519 or ecdsa-p256-sha256 or "
            b"rsa-pss-sha256\n") in text
    # A key for nothing else is not even taken, as nginx does not take it.
    box.write("rsa.json", json.dumps({"keys": [{**rsa, "alg": "PS512"}]}).encode())
    done = box.run("verify", "--directory", "shop=rsa.json", stdin=raw, status=2)
    assert "skipped: for an algorithm that is not used here" in done.err


# What verify prints


JSON_KEYS = {
    "outcome", "reason", "help", "class", "label", "tag", "keyid", "directory",
    "agent", "thumbprint", "alg", "created", "expires", "nonce", "components",
    "signature_base", "content_digest", "body_link", "authority", "now",
    "signatures", "would_verify_if",
}


def test_json_keys_are_always_there(box):
    signed = box.sign(*WEB)
    for raw, directory in [
        (signed, AGENT), (signed, SHOP), (b"GET / HTTP/1.1\n\n", SHOP),
        (signed.replace(b"sig1=(", b"sig1=(("), AGENT),
        (signed.replace(b"Signature: sig1", b"Signature: x"), AGENT),
    ]:
        found = box.judge(raw, directory=directory)
        assert found.keys() == JSON_KEYS
        for signature in found["signatures"]:
            assert JSON_KEYS - signature.keys() == {
                "outcome", "help", "class", "authority", "now", "signatures",
                "would_verify_if",
            }


def test_json_null_where_unknown(box):
    found = box.judge(b"GET / HTTP/1.1\nHost: x\n\n")
    assert (found["outcome"], found["reason"]) == ("unsigned", "no-signature")
    assert all(
        found[name] is None
        for name in JSON_KEYS
        - {"outcome", "reason", "help", "class", "authority", "now", "signatures"}
    )
    assert found["signatures"] == []
    found = box.judge(box.sign(*TAP, "--keyid", "nobody"))
    assert (found["keyid"], found["thumbprint"], found["directory"]) == (
        "nobody", None, None,
    )
    assert found["signature_base"]
    found = box.judge(box.sign(*TAP, "--tag", "x"))
    assert (found["outcome"], found["tag"]) == ("unsigned", "x")


def test_the_base_is_printed_verbatim(box):
    raw = box.sign(*TAP)
    base = box.judge(raw)["signature_base"]
    assert base.startswith('"@authority": shop.example\n"@path": /catalogue\n')
    text = box.run("verify", "--directory", SHOP, stdin=raw).stdout.decode()
    for line in base.split("\n"):
        assert "\n" + " " * 18 + line + "\n" in text
    # and also where the request was refused before it was needed
    late = box.run(
        "verify", "--directory", SHOP, "--now", "+1h", stdin=raw, status=1
    ).stdout.decode()
    assert base.split("\n")[-1] in late and "expired" in late


def test_steps_in_plain_words(box):
    text = box.run(
        "verify", "--directory", AGENT, stdin=box.sign(*WEB), status=0
    ).stdout.decode()
    for words in [
        'signature "sig1"', "web-bot-auth", "shop.example", "(now)|second",
        r"in 4 minutes \d+ seconds|in 5 minutes", "lives 5 minutes",
        'signature-agent";key="sig1"', "https://agent.example", box.thumbprint,
        "keys.json", "profile web-bot-auth", "the signature verifies, ed25519",
        "Content-Digest is not covered", "taken as fresh", "verified: ok",
    ]:
        assert re.search(words, text), words
    assert "✗" not in text
    plain = box.run(
        "verify", "--directory", AGENT, stdin=box.sign(*WEB), env={"LC_ALL": "C"}
    ).stdout
    assert plain.isascii() and b"  ok fields" in plain


def test_an_unknown_key_is_told_what_the_directory_holds(box):
    raw = box.sign(*TAP, "--keyid", "nobody")
    text = box.run("verify", "--directory", SHOP, stdin=raw).stdout.decode()
    assert "keys.json holds 1 key" in text and box.thumbprint in text


@pytest.mark.parametrize(
    "signing, directory, hint",
    [
        (TAP + ["--created", "1700000000"], SHOP, "--now 1700000000"),
        (TAP + ["--lifetime", "1h"], SHOP, "--max-lifetime 0"),
        (TAP + ["--agent", "https://a.example/k?v=1"], SHOP.replace(
            "shop", "https://b.example"), "--directory https://a.example/k?v=1=FILE"),
        (TAP + ["--tag", "x"], SHOP, 'Its tag is "x"; the directories given serve '
         "agent-browser-auth, agent-payer-auth"),
    ],
)
def test_hints(box, signing, directory, hint):
    done = box.run(
        "verify", "--directory", directory, stdin=box.sign(*signing), status=1
    )
    assert hint in done.stdout.decode()


def test_strangers_bytes_do_not_reach_the_terminal(box):
    raw = (
        b"GET /\x1b[2J\xff HTTP/1.1\r\nHost: a\x1b[31m\r\n"
        b"Signature-Input: \x1b[0m\x80\x00\r\nSignature: \x07\r\n\r\n"
    )
    done = box.run("verify", "--directory", SHOP, stdin=raw, status=1)
    assert done.stdout.replace("✗".encode(), b"").isascii()
    assert b"\x1b" not in done.stdout + done.stderr and b"\x00" not in done.stdout
    raw = box.sign(*TAP).replace(b"shop.example", b"\xff\x1b.example")
    assert box.judge(raw)["outcome"] == "invalid"


def test_skipped_entries_are_reported(box):
    keys = json.loads((box.path / "keys.json").read_text())["keys"]
    private = json.loads((box.path / "agent.key").read_text())
    mixed = [{"kty": "oct", "k": "AA"}, {"kty": "OKP", "crv": "X448", "x": "AA"},
             {"kty": "OKP", "crv": "Ed25519", "x": "AA"}, *keys, private]
    box.write("mixed.json", json.dumps({"keys": mixed}).encode())
    done = box.run(
        "verify", "--directory", "shop=mixed.json", stdin=box.sign(*TAP), status=0
    )
    for number, words in [(1, "REFUSED: private key"), (2, "skipped: crv"),
                          (3, "skipped: x is not"), (5, "REFUSED: private key")]:
        assert re.search(r"mixed\.json: key %d .*%s" % (number, words), done.err)
    assert "key 4" not in done.err


def test_kid_at_the_well_known_path_must_be_the_thumbprint(box):
    box.run("keygen", "--out", "odd.key", "--kid", "odd", "--force", status=0)
    keys = box.run("jwks", "--kid", "keep", "odd.key", status=0).stdout
    box.write("odd.json", keys)
    raw = box.run("sign", "--key", "odd.key", *WEB, "--format", "raw", status=0).stdout
    done = box.run(
        "verify", "--directory", "https://agent.example=odd.json", stdin=raw, status=0
    )
    assert "kid is not the key's thumbprint" in done.err
    done = box.run(
        "verify", "--profile", "web-bot-auth", "--directory", "named=odd.json",
        "--directory", "https://agent.example/keys=odd.json", stdin=raw, status=1,
    )
    assert done.err == ""


def test_several_directories_and_their_profiles(box):
    keys = ["--directory", SHOP, "--directory", AGENT, "--profile", "web-bot-auth",
            "--directory", "held=keys.json"]
    for signing, name in [(TAP, "shop"), (WEB, "https://agent.example"),
                          (TAP + ["--profile", "web-bot-auth"], "held")]:
        raw = box.sign(*signing)
        found = json.loads(box.run("verify", "--json", *keys, stdin=raw).stdout)
        assert (found["reason"], found["directory"]) == ("ok", name)


def test_request_from_a_file(box):
    box.write("request", box.sign(*TAP))
    box.run("verify", "--request", "request", "--directory", SHOP, status=0)
    box.run("verify", "--request", "-", "--directory", SHOP,
            stdin=box.sign(*TAP), status=0)


# Wrong use


BAD_USE = [
    ([], "Usage: wba"),
    (["frobnicate"], "no command 'frobnicate'"),
    (["help", "frobnicate"], "no command 'frobnicate'"),
    (["keygen", "--nonsense"], "no option --nonsense"),
    (["keygen", "-x"], "no option -x"),
    (["keygen", "--out"], "--out wants a value"),
    (["keygen", "--force=1"], "--force takes no value"),
    (["keygen", "file"], "--out file"),
    (["keygen", "--kid", ""], "--kid must have 1 to"),
    (["keygen", "--out", "/nonexistent/k"], "cannot create /nonexistent/k"),
    (["keygen", "--force", "--out", "/nonexistent/k"], "cannot create"),
    (["jwks"], "which keys?"),
    (["jwks", "nowhere"], "cannot open nowhere: No such file"),
    (["jwks", "."], "cannot read .: Is a directory"),
    (["jwks", "--exp", "tomorrow", "agent.key"], "--exp tomorrow is no time"),
    (["jwks", "--exp", "5", "--nbf", "6", "agent.key"], "not later than --nbf"),
    (["jwks", "--kid", "x", "agent.key", "other.key"], "would name 2 keys alike"),
    (["sign"], "which key?"),
    (["sign", "--key", "agent.key"], "sign what?"),
    (["sign", "--key", "keys.json", *TAP], "it is a public key"),
    (["sign", "--key", "two.json", *TAP], "holds 2 keys"),
    (["sign", "--key", "rsa.key", *TAP], "is no key to sign with: n is"),
    (["sign", "--key", "x448.key", *TAP], "no Ed25519, P-256 or RSA key"),
    (["sign", "--key", "mixed-up.key", *TAP], "does not belong to"),
    (["sign", "--key", "short.key", *TAP], "not 32 octets"),
    (["sign", "--key", "nowhere", *TAP], "cannot open nowhere"),
    (["sign", "--c", "x", "--key", "agent.key", *TAP], "could be several options"),
    (["sign", "--key", "agent.key", "https://a"], "--url"),
    (["sign", "--key", "agent.key", "--url", "shop/x"], "no absolute URL"),
    (["sign", "--key", "agent.key", "--url", "ftp://a/"], "neither https nor http"),
    (["sign", "--key", "agent.key", "--url", "https://a/#b"], "fragment"),
    (["sign", "--key", "agent.key", "--url", "https://u@a/"], "user information"),
    (["sign", "--key", "agent.key", "--url", "https://a/ b"], "no absolute URL"),
    *[(["sign", "--key", "agent.key", *TAP, *more], says) for more, says in [
        (["--header", "x"], "write 'Name: value'"),
        (["--header", "a b: c"], "write 'Name: value'"),
        (["--header", "A: b\nC: d"], "line break"),
        (["--header", "Host: a", "--header", "host: b"], "two Host"),
        (["--component", "@nothing"], "cannot be covered"),
        (["--component", "Upper"], "cannot be covered"),
        (["--component", '"@path"', "--component", "@path"], "given twice"),
        (["--component", "x-absent"], "does not carry it; add it with --header"),
        (["--component", '"signature-agent";key="a"'], "does not carry"),
        (["--agent", "https://a", "--component", '"signature-agent";key="b"'],
         "--label"),
        (["--component", '"accept";sf', "--header", "Accept: ((("], "cannot cover"),
        (["--profile", "visa"], "tap, agent-pay, web-bot-auth"),
        (["--agent", "http://a.example"], "not https"),
        (["--agent", "agent.example"], "no URL of an agent"),
        (["--agent", "https://a.example/#x"], "no URL of an agent"),
        (["--agent-form", "list"], "neither dictionary nor string"),
        (["--label", "Sig"], "is no label"),
        (["--label", ""], "is no label"),
        (["--tag", "caf\u00e9"], "printable ASCII"),
        (["--nonce", "a\tb"], "printable ASCII"),
        (["--nonce", ""], "--nonce is empty; 'none' leaves it out"),
        (["--keyid", "x" * 5000], "too long"),
        (["--created", "yesterday"], "--created yesterday is no time"),
        (["--created", "2026-02-30T00:00:00Z"], "is no time"),
        (["--created", "99999999999999999999"], "is no time"),
        (["--expires", "5x"], "--expires 5x is no time"),
        (["--lifetime", "-5"], "is no duration"),
        (["--lifetime", "999999999999999d"], "is no duration"),
        (["--lifetime", "999999999999999"], "15 digits"),
        (["--lifetime", "5", "--expires", "+5"], "give one"),
        (["--method", "GET /"], "is no method"),
        (["--method", ""], "is no method"),
        (["--body", "nowhere"], "cannot open nowhere"),
        (["--format", "json"], "none of headers, raw, curl"),
        (["--format", "curl", "--body", "-"], "must be a file"),
        (["--header", "X: " + "x" * 70000, "--component", "x"], "larger than"),
    ]],
    (["verify"], "whose keys?"),
    (["verify", "request"], "--request"),
    (["verify", "--directory", "keys.json"], "is not NAME=FILE"),
    (["verify", "--directory", "=keys.json"], "is not NAME=FILE"),
    (["verify", "--directory", "https://a?b"], "is not NAME=FILE"),
    (["verify", "--directory", "a="], "is not NAME=FILE"),
    (["verify", "--directory", "a=nowhere"], "cannot open nowhere"),
    (["verify", "--directory", "a=agent.key"], "'wba jwks' makes one"),
    (["verify", "--directory", "a=bad.txt"], "not JSON"),
    (["verify", "--directory", "http://a=keys.json"], "is not https"),
    (["verify", "--directory", "a:80=keys.json"], "a NAME has no ':'"),
    (["verify", "--directory", "https://u@a=keys.json"], "no URL of an agent"),
    (["verify", "--directory", SHOP, "--directory", SHOP], "given twice"),
    (["verify", "--directory", SHOP, "--profile", "tap"], "write it before"),
    (["verify", "--profile", "x", "--directory", SHOP], "no profile 'x'"),
    (["verify", "--directory", SHOP, "--request", "nowhere"], "cannot open nowhere"),
    (["verify", "--directory", SHOP, "--now", "noon"], "--now noon is no time"),
    (["verify", "--directory", SHOP, "--skew", "301"], "at most 300"),
    (["verify", "--directory", SHOP, "--skew", "x"], "at most 300"),
    (["verify", "--directory", SHOP, "--max-lifetime", "x"], "0 for no limit"),
    (["verify", "--directory", SHOP, "--scheme", "ftp"], "neither https nor http"),
    (["verify", "--directory", SHOP, "--component", "A"], "can never be covered"),
    (["verify", "--directory", SHOP], "is empty"),
    (["verify", "--directory", SHOP, "--request", "curl.txt"], "is what curl -v prints"),
    (["verify", "--directory", SHOP, "--request", "bad.txt"], "bad.txt, line 1"),
    (["verify", "--directory", SHOP, "--request", "bad2.txt"], "bad2.txt, line 3"),
    (["verify", "--directory", SHOP, "--request", "many.txt"], "more than 256"),
    (["reasons", "--xml"], "no option --xml"),
    (["reasons", "expired"], "whole table"),
]


@pytest.fixture(scope="module")
def odds(box):
    box.run("keygen", "--out", "other.key", "--force", status=0)
    ours = json.loads((box.path / "agent.key").read_text())
    other = json.loads((box.path / "other.key").read_text())
    files = {
        "two.json": {"keys": [ours, other]},
        "rsa.key": {"kty": "RSA", "n": "AA", "e": "AQAB", "d": "AA"},
        "x448.key": {"kty": "OKP", "crv": "X448", "x": "AA", "d": "AA"},
        "mixed-up.key": {**ours, "x": other["x"]},
        "short.key": {**ours, "d": "AAAA"},
    }
    for name, value in files.items():
        box.write(name, json.dumps(value).encode())
    box.write("bad.txt", b"hello\n")
    box.write("bad2.txt", b"GET / HTTP/1.1\nHost: a\nno field\n\n")
    box.write("curl.txt", b"> GET / HTTP/1.1\n> Host: a\n")
    box.write("many.txt", b"GET / HTTP/1.1\n" + b"A: b\n" * 257)
    return box


@pytest.mark.parametrize("args, says", BAD_USE, ids=lambda v: " ".join(v)[:60]
                         if isinstance(v, list) else None)
def test_wrong_use(odds, args, says):
    done = odds.run(*args, status=2)
    assert says in done.err, done.err
    assert done.stdout == b""
    if args:
        assert done.err.startswith("wba")


def test_full_disk_is_noticed(box):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([WBA, "reasons"], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert b"cannot write the output" in done.stderr


# Help and the table of reasons


def test_help_names_every_command():
    text = wba("help", status=0).stdout.decode()
    assert text == wba("--help", status=0).stdout.decode()
    for name in ["keygen", "jwks", "sign", "verify", "directory", "reasons"]:
        assert re.search(r"^  %s +\w" % name, text, re.M)
        usage = wba("help", name, status=0).stdout.decode()
        assert usage.startswith("Usage: wba " + name)
        assert usage == wba(name, "--help", status=0).stdout.decode()
        assert max(map(len, usage.splitlines())) <= 79
    assert re.match(r"wba \d+\.\d+\.\d+\n$", wba("--version", status=0).stdout.decode())


def test_docs_name_every_option():
    text = (ROOT / "docs/wba.md").read_text()
    for name in ["keygen", "jwks", "sign", "verify", "directory", "reasons"]:
        usage = wba("help", name).stdout.decode()
        for option in set(re.findall(r"--[a-z-]+", usage)):
            assert option in text, option


def test_reasons():
    table = json.loads(wba("reasons", "--json", status=0).stdout)
    by_name = {row["name"]: row for row in table}
    assert all(
        row.keys() == {"name", "outcome", "class", "status", "help"} for row in table
    )
    assert by_name["ok"]["status"] is None
    assert by_name["nonce-replayed"]["status"] == 429
    assert by_name["directory-unavailable"]["class"] == "unavailable"
    assert by_name["signature-input-unreadable"]["status"] == 400
    lines = wba("reasons", status=0).stdout.decode().splitlines()
    assert len(lines) == len(table) + 1
    assert [line.split()[0] for line in lines[1:]] == [row["name"] for row in table]
