# SPDX-License-Identifier: BSD-2-Clause
"""wba verify points at the first thing that is wrong."""

import os
import pathlib
import re
import subprocess

import pytest

from harness.signer import Key, jwks

ROOT = pathlib.Path(__file__).resolve().parents[2]
WBA = os.environ.get("WBA", str(ROOT / "build/gcc/wba"))
KEY = Key()
NOW = 1800000000

INPUT = ('sig1=("@authority" "@path" "x-one");created=%d;expires=%d;'
         'keyid="%s";alg="ed25519";nonce="n";tag="agent-browser-auth"'
         % (NOW, NOW + 60, KEY.thumbprint))
RIGHT = {"Host": "shop.example", "X-One": "1", "Signature-Input": INPUT,
         "Signature": "sig1=:%s:" % ("A" * 86 + "==")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("point")
    (path / "keys.json").write_text(jwks(KEY))
    return path


def pointed(folder, *more, **fields):
    """(reason, name of the field, the text from the caret on)."""
    fields = {**RIGHT, **{n.replace("_", "-"): v for n, v in fields.items()}}
    raw = "GET /p HTTP/1.1\r\n" + "".join(
        "%s: %s\r\n" % item for item in fields.items() if item[1] is not None)
    done = subprocess.run(
        [WBA, "verify", "--now", str(NOW), *more, "--directory",
         "shop=keys.json"], input=(raw + "\r\n").encode(), cwd=folder,
        timeout=60, check=False, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, env={**os.environ, "LC_ALL": "C.UTF-8"})
    lines = done.stdout.decode().splitlines()
    reason = next(m[2] for m in (re.match(r"(\w+): ([a-z-]+)$", line)
                                 for line in lines) if m)
    at = [i for i, line in enumerate(lines) if line.strip() == "^"]
    if not at:
        return reason, None, None
    assert len(at) == 1
    line = lines[at[0] - 1]
    return (reason, line.strip().partition(":")[0],
            line[lines[at[0]].index("^"):])


def changed(old, new, text=INPUT):
    assert old in text
    return text.replace(old, new, 1)


IN, SIG, AGENT = "Signature-Input", "Signature", "Signature-Agent"

CASES = [
    # what is sent, the reason, the field, what the caret stands below
    (changed("created=", "created=="), "signature-input-unreadable", IN,
     "=%d" % NOW),
    (changed('"@path"', "'@path'"), "signature-input-unreadable", IN, "'@path"),
    (changed('"@path" ', '"@path",'), "signature-input-unreadable", IN,
     ',"x-one"'),
    (changed("expires=", "expires=x"), "signature-input-unreadable", IN,
     "expires=x"),
    (changed('tag="agent-browser-auth"', "tag=agent-browser-auth"),
     "signature-input-unreadable", IN, "tag=agent"),
    (changed('("@authority" "@path" "x-one")', '"x"'),
     "signature-input-unreadable", IN, "sig1="),
    (changed(INPUT, INPUT + ","), "signature-input-unreadable", IN, ""),
    (changed("keyid=", "keyId="), "signature-input-keyid-case", IN, "Id="),
    (INPUT + "," + INPUT, "duplicate-label", IN, "sig1="),
    (changed('"x-one"', '"@nonsense"'), "bad-component", IN, '"@nonsense"'),
    (changed('"x-one"', '"@path"'), "duplicate-component", IN, '"@path")'),
    (changed('"x-one"', '"x-two"'), "missing-component", IN, '"x-two"'),
    (changed('"@authority" ', ""), "target-not-covered", IN, ");created"),
    (changed(";expires=%d" % (NOW + 60), ""), "missing-fields", IN, ""),
    (changed(";nonce=\"n\"", ""), "nonce-missing", IN, ""),
    (changed("created=%d" % NOW, "created=%d" % (NOW + 30)), "clock-ahead", IN,
     "created="),
    (changed("expires=%d" % (NOW + 60), "expires=%d" % (NOW - 30))
     .replace("created=%d" % NOW, "created=%d" % (NOW - 60)), "expired", IN,
     "expires="),
    (changed("expires=%d" % (NOW + 60), "expires=%d" % (NOW + 90000)),
     "lifetime-too-long", IN, "expires="),
    (changed('alg="ed25519"', 'alg="hmac-sha256"'), "alg-mismatch", IN,
     "alg="),
    (changed(KEY.thumbprint, "x" * 43), "key-unknown", IN, "keyid="),
    (changed('tag="agent-browser-auth"', 'tag="other"'), "no-served-tag", IN,
     'tag="other"'),
    (changed(';tag="agent-browser-auth"', ""), "no-served-tag", IN, ""),
]


@pytest.mark.parametrize("sent, reason, field, text", CASES)
def test_signature_input(folder, sent, reason, field, text):
    got = pointed(folder, Signature_Input=sent)
    assert got[:2] == (reason, field)
    if text:
        assert got[2].startswith(text)
    else:
        assert got[2] == ""


@pytest.mark.parametrize("sent, reason, text", [
    ("sig1=:AA-_:", "signature-value-unreadable", "-_:"),   # base64url
    ("sig1=:AAAA", "signature-value-unreadable", ""),
    ('sig1="AAAA"', "signature-value-unreadable", "sig1="),
    ("sig2=:AAAA:", "signature-value-unreadable", "sig2="),
    (RIGHT["Signature"], "bad-signature", "sig1="),
])
def test_signature(folder, sent, reason, text):
    got = pointed(folder, Signature=sent)
    assert got[:2] == (reason, SIG) and got[2].startswith(text)
    assert bool(got[2]) == bool(text)


def test_signature_agent(folder):
    covered = changed('"x-one"', '"signature-agent"')
    got = pointed(folder, Signature_Input=covered,
                  Signature_Agent="https://agent.example")
    assert got[0] == "signature-agent-unquoted"
    assert got[1] == AGENT and got[2].startswith(":")


def test_what_stands_nowhere(folder):
    assert pointed(folder, Signature_Input=None, Signature=None) == (
        "no-signature", None, None)
    # Nothing to point at: the field is not there.
    assert pointed(folder, Signature=None)[1] is None
