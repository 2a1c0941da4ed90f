# SPDX-License-Identifier: BSD-2-Clause
"""Colours where wba's output is a terminal, the same bytes as ever where it is
none, and a stranger's bytes nowhere as they came: with real terminals."""

import json
import os
import pathlib
import pty
import re
import subprocess
import termios
import threading

import pytest

from harness.signer import Key, Request, Sig, content_digest, jwks, sign

ROOT = pathlib.Path(__file__).resolve().parents[2]
WBA = os.environ.get("WBA", str(ROOT / "build/gcc/wba"))
KEY = Key()
NOW = 1800000000

GREEN, RED, YELLOW, BOLD, FAINT, END = (
    b"\x1b[1;32m", b"\x1b[1;31m", b"\x1b[1;33m", b"\x1b[1m", b"\x1b[2m",
    b"\x1b[0m")
OURS = re.compile(rb"\x1b\[(?:1;3[123]|[012])m")


def environment(**more):
    env = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    env.update({"LC_ALL": "C.UTF-8", "TERM": "xterm-256color", **more})
    return {k: v for k, v in env.items() if v is not None}


class Terminal:
    """The far end of a pty: what was written to it."""

    def __init__(self):
        self.near, self.far = pty.openpty()
        raw = termios.tcgetattr(self.far)
        raw[1] &= ~termios.OPOST        # LF stays LF
        termios.tcsetattr(self.far, termios.TCSANOW, raw)
        self.data = b""
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        while True:
            try:
                some = os.read(self.near, 65536)
            except OSError:     # EIO: nobody holds the far end any more
                return
            if not some:
                return
            self.data += some

    def finish(self):
        os.close(self.far)
        self.thread.join(60)
        assert not self.thread.is_alive()
        os.close(self.near)
        return self.data


def run(folder, *args, stdin=b"", out=True, err=True, env=None):
    """wba with standard output, error on a terminal each, or in a pipe:
    (status, output, errors)."""
    ends = [Terminal() if wanted else None for wanted in (out, err)]
    process = subprocess.Popen(
        [WBA, *map(str, args)], cwd=folder, env=env or environment(),
        stdin=subprocess.PIPE,
        stdout=ends[0].far if out else subprocess.PIPE,
        stderr=ends[1].far if err else subprocess.PIPE)
    got = process.communicate(stdin, timeout=60)
    return (process.returncode, *(end.finish() if end else piped
                                  for end, piped in zip(ends, got)))


def signed(**over):
    request = Request("GET", "/a", "shop.example", "https")
    return sign(request, Sig(key=KEY, created=NOW, nonce="n", **over))


GOOD = signed().raw()
BAD = signed(signature=lambda s: bytes([s[0] ^ 1]) + s[1:]).raw()
UNKNOWN = signed(keyid="nobody").raw()
UNSIGNED = b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n"
VERIFY = ["verify", "--now", NOW, "--directory", "shop=keys.json"]
MIXED = {"keys": [KEY.jwk(), {"kty": "OKP", "crv": "X448", "x": "AA"},
                  Key().private_jwk(), Key().jwk(exp=1)]}

CASES = {
    "verified": (VERIFY, GOOD, 0, [GREEN + b"verified: ok"]),
    "invalid": (VERIFY, BAD, 1,
                [RED + b"invalid: bad-signature", RED + b"^" + END,
                 RED + b"-> bad-signature"]),
    "unverified": (VERIFY, UNKNOWN, 1,
                   [YELLOW + b"unverified: key-unknown",
                    YELLOW + b"^" + END, FAINT]),
    "unsigned": (VERIFY, UNSIGNED, 1, [YELLOW + b"unsigned: no-signature"]),
    "directory": (["directory", "keys.json"], b"", 0,
                  [BOLD + b"keys.json", BOLD + b"keys" + END,
                   GREEN + b"usable" + END,
                   GREEN + b"The module would take it"]),
    "directory, mixed": (
        ["directory", "mixed.json"], b"", 0,
        [YELLOW + b"SKIPPED:" + END, RED + b"ALERT:" + END,
         YELLOW + b"EXPIRED" + END, YELLOW + b"warning:" + END]),
    "directory, refused": (["directory", "-"], b"{", 1,
                           [RED + b"The module would NOT take it:" + END]),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("color")
    (path / "keys.json").write_text(jwks(KEY))
    (path / "mixed.json").write_text(json.dumps(MIXED))
    (path / "agent.key").write_text(json.dumps(KEY.private_jwk()))
    return path


@pytest.mark.parametrize("name", CASES)
def test_a_terminal_has_colors_and_else_the_same_text(folder, name):
    args, stdin, status, shown = CASES[name]
    got = run(folder, *args, stdin=stdin)
    plain = run(folder, *args, stdin=stdin, out=False, err=False)
    assert got[0] == plain[0] == status
    for text in shown:
        assert text in got[1], got[1].decode()
    assert got[1].count(END) == len(OURS.findall(got[1])) / 2
    assert b"\x1b" not in plain[1] + plain[2]
    assert OURS.sub(b"", got[1]) == plain[1]
    assert OURS.sub(b"", got[2]) == plain[2]


def test_each_stream_is_judged_by_itself(folder):
    args = ["verify", "--directory", "shop=mixed.json", "--now", NOW]
    for out, err in ((True, False), (False, True)):
        got = run(folder, *args, stdin=GOOD, out=out, err=err)
        assert (b"\x1b" in got[1], b"\x1b" in got[2]) == (out, err)
    assert YELLOW + b"wba verify:" + END + b" mixed.json: key 2" in got[2]
    got = run(folder, "jwks", "nowhere", out=False)
    assert got[2].startswith(RED + b"wba jwks:" + END + b" cannot open nowhere")
    got = run(folder, "frobnicate", out=False)
    assert got[2].startswith(RED + b"wba:" + END + b" there is no command")


@pytest.mark.parametrize("env, colored", [
    ({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": "0"}, False),
    ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False),
    ({"TERM": ""}, False), ({"TERM": None}, False), ({"TERM": "linux"}, True),
    ({"LC_ALL": "C"}, True),
])
def test_what_the_environment_says(folder, env, colored):
    for args, stdin in ((VERIFY, BAD), (["jwks", "nowhere"], b"")):
        got = run(folder, *args, stdin=stdin, env=environment(**env))
        assert (b"\x1b" in got[1] + got[2]) == colored


@pytest.mark.parametrize("words", [["--color", "always"], ["--color=always"]])
def test_always(folder, words):
    """Whatever the streams are, and the environment says."""
    env = environment(NO_COLOR="1", TERM="dumb")
    for args in ([VERIFY[0], *words, *VERIFY[1:]], [*VERIFY, *words],
                 [*words, *VERIFY]):
        got = run(folder, *args, stdin=BAD, out=False, err=False, env=env)
        assert got[0] == 1 and RED + b"invalid: bad-signature" in got[1]
    got = run(folder, "jwks", *words, "nowhere", out=False, err=False)
    assert got[2].startswith(RED)


@pytest.mark.parametrize("words", [["--color", "never"], ["--color=never"]])
def test_never(folder, words):
    for args in ([*VERIFY, *words], [*words, *VERIFY],
                 ["--color", "always", *VERIFY, *words]):
        got = run(folder, *args, stdin=BAD)
        assert got[0] == 1 and b"\x1b" not in got[1] + got[2]
        assert b"invalid: bad-signature" in got[1]
    got = run(folder, "--color=always", "verify", "--color=auto", *VERIFY[1:],
              stdin=BAD, out=False)
    assert b"\x1b" not in got[1]


@pytest.mark.parametrize("words, says", [
    (["--color", "red", "reasons"], "--color red is none of auto, always"),
    (["reasons", "--color=red"], "--color red is none of auto, always"),
    (["--color"], "--color wants a value"),
    (["reasons", "--color"], "--color wants a value"),
    (["--colour=never", "reasons"], "no command '--colour=never'"),
])
def test_wrong_use(folder, words, says):
    got = run(folder, *words, out=False, err=False)
    assert got[0] == 2 and says in got[2].decode() and got[1] == b""


@pytest.mark.parametrize("args", [
    VERIFY + ["--json"], ["directory", "--json", "mixed.json"],
    ["reasons", "--json"], ["jwks", "agent.key"], ["keygen"],
    ["sign", "--key", "agent.key", "--url", "https://shop.example/"],
    ["sign", "--key", "agent.key", "--url", "https://shop.example/", "--curl"],
], ids=lambda args: args[0])
def test_what_programs_read_is_never_colored(folder, args):
    for more in ([], ["--color", "always"]):
        got = run(folder, *args, *more, stdin=BAD, err=False)
        assert got[0] in (0, 1) and got[1] and b"\x1b" not in got[1]


# A stranger's bytes

EVIL = b"\x1b[2J\x1b]0;x\x07\x9b31m\xc2\x9b\xff\x00\x08\x7f\xe2\x80\xae"
JSON_EVIL = "\\u001b[2J\\u009b31m\\u0007\\u202e"


def field(name, value=EVIL, raw=GOOD):
    """The request with another value of a field, or with one more."""
    line = name + b": " + value + b"\r\n"
    if re.search(rb"(?m)^" + name + b":", raw):
        return re.sub(rb"(?m)^" + name + rb":.*\n", lambda _: line, raw)
    return raw.replace(b"\r\n\r\n", b"\r\n" + line + b"\r\n")


def covering(name, value):
    request = Request("GET", "/a", "shop.example", "https",
                      [(name, value.decode("latin-1"))])
    return sign(request, Sig(key=KEY, created=NOW, nonce="n",
                             components=("@authority", "@path",
                                         name.lower()))).raw()


def with_body(body):
    request = Request("POST", "/a", "shop.example", "https",
                      [("Content-Digest", content_digest(body))], body)
    return sign(request, Sig(key=KEY, created=NOW, nonce="n",
                             components=("@authority", "@path",
                                         "content-digest"))).raw()


SIGNATURE_FIELD = re.search(rb"(?m)^Signature: (.*)\r\n", GOOD)[1]
INPUT_FIELD = re.search(rb"(?m)^Signature-Input: (.*)\r\n", GOOD)[1]

REQUESTS = {
    "method": GOOD.replace(b"GET", b"G\x1bT", 1),
    "target": GOOD.replace(b"/a", b"/a" + EVIL, 1),
    "version": GOOD.replace(b"HTTP/1.1", b"HTTP/1.1" + EVIL, 1),
    "a field's name": GOOD.replace(b"Host", b"Ho\x1b[2Jst: a\r\nHost", 1),
    "Host": field(b"Host"),
    "Host of a bad signature": field(b"Host", b"a" + EVIL, BAD),
    "Signature-Input": field(b"Signature-Input"),
    "Signature-Input's label": field(b"Signature-Input", EVIL + INPUT_FIELD),
    "Signature-Input's end": field(b"Signature-Input", INPUT_FIELD + EVIL),
    "a keyid": field(b"Signature-Input", INPUT_FIELD.replace(
        b'keyid="', b'keyid="' + EVIL)),
    "a component": field(b"Signature-Input", INPUT_FIELD.replace(
        b'"@path"', b'"@path' + EVIL + b'"')),
    "Signature": field(b"Signature"),
    "Signature's end": field(b"Signature", SIGNATURE_FIELD + EVIL),
    "Signature-Agent": field(b"Signature-Agent"),
    "a covered Signature-Agent": covering("Signature-Agent", EVIL),
    "a covered field": covering("X-A", b"a" + EVIL),
    "a covered field with 8 bits": covering("X-A", b"a\xc2\x9b\x9b31m"),
    "X-Forwarded-Host": field(b"X-Forwarded-Host", EVIL, BAD),
    "Forwarded": field(b"Forwarded", b"host=" + EVIL, BAD),
    "Content-Length": field(b"Content-Length"),
    "Transfer-Encoding": field(b"Transfer-Encoding"),
    "the body": with_body(EVIL) + EVIL,
    "Content-Digest": field(b"Content-Digest", EVIL, with_body(b"x")),
    "the body's objects": with_body(
        b'{"agenticConsumer":{"nonce":"%b","kid":"%b"}}'
        % (JSON_EVIL.encode(), JSON_EVIL.encode())),
    "no request": EVIL,
    "all of it": EVIL * 3000,
}


def harmless(text):
    """Without our own sequences nothing is left that a terminal obeys."""
    text = OURS.sub(b"", text).decode()     # it is UTF-8
    for mark in "✓✗·":
        text = text.replace(mark, "")
    bad = [c for c in text if not (" " <= c <= "~" or c in "\n\t")]
    assert not bad, (bad, text)


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("more", [[], ["--body-link"], ["--json"]])
def test_requests(folder, name, more):
    got = run(folder, *VERIFY, *more, stdin=REQUESTS[name])
    assert got[0] in (0, 1, 2) and got[1] + got[2]
    harmless(got[1])
    harmless(got[2])
    if more == ["--json"]:
        assert b"\x1b" not in got[1]


DOCUMENTS = {
    "no JSON": EVIL,
    "a string that does not end": b'{"keys":["' + EVIL,
    "a string with controls": b'{"keys":["\x1b[2J"]}',
    "a word": b'{"keys":[\x1b[2J]}',
    "a member twice": b'{"\\u001b[2J":1,"\\u001b[2J":2}',
    "no keys": b'{"\\u001b[2J":1}',
    "kids": ('{"keys":[{"kty":"OKP","crv":"Ed25519","x":"%s","kid":"%s"},'
             '{"kty":"%s","kid":"%s"},{"kty":"OKP","crv":"%s","x":"%s"}]}'
             % ((KEY.x,) + (JSON_EVIL,) * 5)).encode(),
    "algs": ('{"keys":[{"kty":"OKP","crv":"Ed25519","x":"%s"},{"kty":"OKP",'
             '"crv":"Ed25519","x":"%s","alg":"%s","use":"%s"}]}'
             % (KEY.x, Key().x, JSON_EVIL, JSON_EVIL)).encode(),
    "PEM": b"-----BEGIN" + EVIL,
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents(folder, name):
    (folder / "evil.json").write_bytes(DOCUMENTS[name])
    for args, stdin in (
            (["verify", "--now", NOW, "--directory", "shop=evil.json"], GOOD),
            (["verify", "--now", NOW, "--directory", "shop=evil.json"],
             UNKNOWN),
            (["directory", "evil.json"], b""),
            (["directory", "--json", "evil.json"], b""),
            (["jwks", "evil.json"], b""), (["jwks", "--kid", "keep",
                                            "evil.json"], b""),
            (["sign", "--key", "evil.json", "--url", "https://a/"], b"")):
        got = run(folder, *args, stdin=stdin)
        harmless(got[1])
        harmless(got[2])


def test_private_keys(folder):
    """One key, with what a stranger made of its members."""
    private = KEY.private_jwk()
    for member in ("kty", "crv", "kid", "alg", "use", "x", "d"):
        (folder / "evil.key").write_text(json.dumps(
            {**private, member: json.loads('"%s"' % JSON_EVIL)}))
        got = run(folder, "sign", "--key", "evil.key", "--url", "https://a/")
        harmless(got[1])
        harmless(got[2])


def test_a_directorys_answer(folder, directory, authority):
    evil = "a\x1b[2J\x9b31m\xe9\x07"
    directory.serve("/evil.json", body=jwks(KEY), etag=evil,
                    last_modified=evil,
                    headers=[("Cache-Control", evil), ("Expires", evil),
                             ("Retry-After", evil)])
    directory.serve("/type.json", body=jwks(KEY), media_type=evil)
    directory.serve("/moved.json", status=301, location="https://" + evil)
    for path in ("/evil.json", "/type.json", "/moved.json"):
        for more in ([], ["--json"]):
            got = run(folder, "directory", "--ca", authority.ca, *more,
                      directory.url(path))
            assert got[0] in (0, 1) and got[1]
            harmless(got[1])
            harmless(got[2])


def test_names_of_files(folder):
    """They may come of a stranger's archive.  What is not ASCII is shown where
    the terminal knows UTF-8, but for what turns the direction."""
    for name in (b"a\x1b[2J", b"a\xff", b"a\xc2\x9b", b"a\xe2\x80\xae",
                 b"a\nwba verify: all is well"):
        got = run(folder, "jwks", os.fsdecode(name))
        harmless(got[2])
        assert got[2].count(b"\n") == 1
    got = run(folder, "jwks", "é€", err=False)
    assert "cannot open é€: ".encode() in got[2]
    got = run(folder, "jwks", "é€", err=False, env=environment(LC_ALL="C"))
    assert rb"cannot open \xc3\xa9\xe2\x82\xac: " in got[2]


def test_who_is_waited_for_is_told(folder):
    """A request is read from the terminal where nothing else was said."""
    near, far = pty.openpty()
    process = subprocess.Popen([WBA, *map(str, VERIFY)], cwd=folder,
                               env=environment(), stdin=far,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.close(far)
    os.write(near, GOOD.replace(b"\r", b"") + b"\x04")
    out, err = process.communicate(timeout=60)
    os.close(near)
    assert process.returncode == 0 and b"verified: ok" in out
    assert err == b"wba verify: type the request, or give a file: " \
        b"--request FILE\n"


def test_long_messages_are_whole(folder):
    name = "x" * 5000
    got = run(folder, "frobnicate" + name, err=False)
    assert name.encode() in got[2]


def test_a_tab_before_the_caret(folder):
    """The caret stands below its place, however wide a tab is shown."""
    request = field(b"Signature-Input", INPUT_FIELD + b",\t\tsig1=()")
    text = run(folder, *VERIFY, stdin=request, out=False)[1].decode()
    assert "invalid: duplicate-label" in text
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if line.strip() == "^")
    column = len(lines[at].expandtabs()) - 1
    assert lines[at - 1].expandtabs()[column:] == "sig1=()"
