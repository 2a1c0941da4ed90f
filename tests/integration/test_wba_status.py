# SPDX-License-Identifier: BSD-2-Clause
"""The exit status of each command, for each kind of success and failure, and
which stream says why."""

import json
import os
import pathlib
import subprocess

import pytest

from harness.signer import Key, Request, Sig, jwks, sign

ROOT = pathlib.Path(__file__).resolve().parents[2]
WBA = os.environ.get("WBA", str(ROOT / "build/gcc/wba"))
KEY = Key()
NOW = "1800000000"
URL = ["--url", "https://shop.example/"]
COMMANDS = ["keygen", "jwks", "sign", "curl", "verify", "directory",
            "reasons"]

GOOD = sign(Request("GET", "/", "shop.example", "https"),
            Sig(key=KEY, created=int(NOW), nonce="n")).raw()
BAD = GOOD.replace(b"GET / ", b"GET /other ")
VERIFY = ["verify", "--now", NOW, "--directory", "shop=keys.json"]

FINE = {                            # each prints its results
    "keygen": ["keygen"],
    "jwks": ["jwks", "agent.key"],
    "sign": ["sign", "--key", "agent.key", *URL],
    "verify": [*VERIFY, "--request", "good.txt"],
    "directory": ["directory", "keys.json"],
    "reasons": ["reasons"],
    "help": ["help"],
    "a command's help": ["help", "sign"],
    "a command's --help": ["sign", "--help"],
    "--help": ["--help"],
    "--version": ["--version"],
}

REFUSED = {                         # and so do these
    "invalid": [*VERIFY, "--request", "bad.txt"],
    "unverified": [*VERIFY[:3], "--directory", "shop=other.json", "--request",
                   "good.txt"],
    "unsigned": [*VERIFY, "--request", "unsigned.txt"],
    "invalid, JSON": [*VERIFY, "--request", "bad.txt", "--json"],
    "a directory of no keys": ["directory", "junk.json"],
    "no directory, JSON": ["directory", "--json", "junk.json"],
    "nobody there": ["directory", "https://localhost:1/keys"],
    "of another algorithm": ["directory", "--algorithm", "ES256",
                             "keys.json"],
}

WRONG = {                           # a sentence on standard error
    "no command": [],
    "another command": ["frobnicate"],
    "help of another": ["help", "frobnicate"],
    "keygen, operand": ["keygen", "file"],
    "keygen, exists": ["keygen", "--out", "agent.key"],
    "keygen, no folder": ["keygen", "--out", "nowhere/k"],
    "keygen, algorithm": ["keygen", "--alg", "rsa"],
    "jwks, no operand": ["jwks"],
    "jwks, no file": ["jwks", "nowhere"],
    "jwks, no key": ["jwks", "junk.json"],
    "jwks, a folder": ["jwks", "."],
    "sign, no key": ["sign", *URL],
    "sign, no URL": ["sign", "--key", "agent.key"],
    "sign, no file": ["sign", "--key", "nowhere", *URL],
    "sign, a public key": ["sign", "--key", "keys.json", *URL],
    "sign, no body": ["sign", "--key", "agent.key", *URL, "--body", "nowhere"],
    "sign, component": ["sign", "--key", "agent.key", *URL, "--component",
                        "x-absent"],
    "curl, no key": ["curl", "https://shop.example/"],
    "curl, no URL": ["curl", "--key", "agent.key"],
    "curl, no file": ["curl", "--key", "nowhere", "https://shop.example/"],
    "verify, no directory": ["verify", "--request", "good.txt"],
    "verify, no file": [*VERIFY, "--request", "nowhere"],
    "verify, no keys": [*VERIFY[:3], "--directory", "shop=nowhere"],
    "verify, no JSON": [*VERIFY[:3], "--directory", "shop=good.txt"],
    "verify, no usable key": [*VERIFY[:3], "--algorithm", "ES256",
                              "--directory", "shop=keys.json"],
    "verify, no request": [*VERIFY, "--request", "keys.json"],
    "verify, empty": VERIFY,
    "verify, time": [*VERIFY, "--now", "noon"],
    "directory, no operand": ["directory"],
    "directory, no file": ["directory", "nowhere"],
    "directory, not https": ["directory", "http://agent.example"],
    "directory, no CA": ["directory", "--ca", "nowhere", "https://a.example"],
    "reasons, operand": ["reasons", "expired"],
    **{"%s, option" % c: [c, "--nonsense"] for c in COMMANDS},
    **{"%s, colour" % c: [c, "--color", "red"] for c in COMMANDS},
    **{"%s, value" % c: [c, "--color"] for c in COMMANDS},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("status")
    (path / "agent.key").write_text(json.dumps(KEY.private_jwk()))
    (path / "keys.json").write_text(jwks(KEY))
    (path / "other.json").write_text(jwks(Key()))
    (path / "junk.json").write_text('{"kty":"oct"}')
    (path / "good.txt").write_bytes(GOOD)
    (path / "bad.txt").write_bytes(BAD)
    (path / "unsigned.txt").write_text("GET / HTTP/1.1\nHost: a\n\n")
    return path


def run(folder, args, **more):
    return subprocess.run([WBA, *args], cwd=folder, timeout=60, check=False,
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          **{"stdout": subprocess.PIPE, **more})


@pytest.mark.parametrize("name", FINE)
def test_0(folder, name):
    done = run(folder, FINE[name])
    assert done.returncode == 0 and done.stdout
    assert b"wba" not in done.stderr


@pytest.mark.parametrize("name", REFUSED)
def test_1(folder, name):
    done = run(folder, REFUSED[name])
    assert done.returncode == 1 and done.stdout
    assert done.stderr == b""


@pytest.mark.parametrize("name", WRONG)
def test_2(folder, name):
    done = run(folder, WRONG[name])
    assert done.returncode == 2 and done.stdout == b""
    assert done.stderr.startswith(b"Usage: " if name == "no command"
                                  else b"wba")
    assert done.stderr.endswith(b"\n")


@pytest.mark.parametrize("name", [*FINE, *REFUSED])
def test_2_where_the_output_cannot_be_written(folder, name):
    with open("/dev/full", "wb") as full:
        done = run(folder, {**FINE, **REFUSED}[name], stdout=full)
    assert done.returncode == 2
    assert b"cannot write the output: No space left" in done.stderr


def test_curls_status_is_curls(folder):
    def curl(*more, **env):
        return run(folder, ["curl", "--key", "agent.key",
                            "https://localhost:1/", "--", "-s", *more],
                   env={**os.environ, **env}).returncode

    assert curl() == 7                          # nobody listens
    assert curl("--nonsense-of-an-option") == 2
    assert curl(PATH="/nonexistent") == 2
    assert curl("--version") == 0
