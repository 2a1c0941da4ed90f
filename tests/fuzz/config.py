#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""nginx -t on generated configurations, by a module with ASan and UBSan.

    config.py --module M.so --seconds N [--seed S] [--only I]

Configurations are of three kinds, in turn:
    good   made of what docs/directives.md allows: must be accepted
    fault  a good one in which one line has a wrong value: must be refused, by
           a message that names that very line
    wild   words, values and blocks thrown together: either

Of all of them: no crash, no sanitizer's report, no hang; a refusal has an
[emerg] line that names file and line; and whatever the module says, it says in
words, printable, with nothing missing.
"""

import argparse
import json
import os
import pathlib
import random
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

HANG = 20       # seconds; one takes a twentieth

X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
FILES = {
    "keys/one.json": json.dumps({"keys": [
        {"kty": "OKP", "crv": "Ed25519", "x": X, "kid": "k"}]}),
    "keys/none.json": '{"keys":[]}',
    "keys/bare.json": json.dumps({"kty": "OKP", "crv": "Ed25519", "x": X}),
    "keys/bad.json": "<html>",
    "keys/private.json": json.dumps({"keys": [
        {"kty": "OKP", "crv": "Ed25519", "x": X, "d": X}]}),
    "password": "s3cret\nmore\n",
    "empty": "",
    "cert.pem": "-----BEGIN CERTIFICATE-----\nMIIB\n"
                "-----END CERTIFICATE-----\n",
}

HTTP = """\
access_log off;
client_body_temp_path temp/body;
proxy_temp_path temp/proxy;
fastcgi_temp_path temp/fastcgi;
uwsgi_temp_path temp/uwsgi;
scgi_temp_path temp/scgi;
"""

TAGS = {"tap": ["agent-browser-auth", "agent-payer-auth"],
        "agent-pay": ["agent-browser-auth", "agent-payer-auth",
                      "agent-pay-auth"],
        "web-bot-auth": ["web-bot-auth"]}
COMPONENTS = ["@method", "@authority", "@path", "@query", "@target-uri",
              "content-digest", "x-a", "'\"signature-agent\";key=\"sig1\"'",
              "'\"@query-param\";name=\"q\"'", "'\"priority\";sf'",
              "'\"cookie\";bs'"]
TIMES = ["1s", "30s", "5m", "8m", "1h", "1d", "1w", "90", "1h30m"]
AGENTS = ["https://a.example", "https://A.example:443/", "https://b.example/k",
          "https://[2001:db8::1]:8443/x?y"]

# What is wrong everywhere, and what is merely odd.
BAD_TIMES = ["x", "''", "-1", "1.5h", "5z", "s", "1s1d",
             "99999999999999999999", "0x5"]
BAD_ENUM = ["maybe", "''", "ON1", "on,off", "\"o n\"", "\u00fc"]
BAD_URLS = ["http://a.example", "a.example", "''", "https://",
            "https://u:p@a.example/", "https://a.example/#f",
            "https://a.example:99999/", "https://%zz/", "ftp://a/",
            "https://a b/", "https://[::1", "https://" + "a" * 3000]
BAD_COMPONENTS = ["@nonsense", "X-Upper", "''", "'\"x\";unknown'", "'\"x'",
                  "@query-param", "'\"@status\"'", "'\"@signature-params\"'",
                  "x:y", "'\"a\";key=1'"]

ODD = ["on", "off", "''", "0", "-1", "1", "18446744073709551616", "all",
       "pass", "any", "shared", "tag=", "=", "a=b", "{", "}", "{}", "#x",
       "$host", "${", "$", "\"", "'a b'", "\\", "\u00fc\u00df", "\x7f",
       "\x01", "x" * 200, "x" * 5000, "file:", "file:keys/one.json",
       "redis://127.0.0.1", "unix:/x", "https://a.example", "5m", "@path",
       "json", "tap", "1m", "max=1", "cold=accept", "(", "~", "*", "*.x"]


class Pick:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def one(self, of):
        return self.random.choice(of)

    def some(self, of, least=1, most=3):
        most = min(most, len(of))
        return self.random.sample(of, self.random.randint(least, most))

    def chance(self, percent):
        return self.random.randrange(100) < percent

    def upto(self, n):
        return self.random.randint(0, n)


class Directive:
    """good(pick, shop): a list of values; bad: lists of values, each wrong."""

    def __init__(self, good, bad, many=False):
        self.good, self.bad, self.many = good, bad, many


def words(*of):
    return lambda p, s: [p.one(of)]


def one_of(*of):
    return Directive(words(*of), [[v] for v in BAD_ENUM] + [[], ["on", "on"]])


def timed(good, bad=()):
    return Directive(lambda p, s: [p.one(good)],
                     [[v] for v in BAD_TIMES + list(bad)]
                     + [[], ["1s", "1s"]])


def number(most, usual=None):
    return Directive(lambda p, s: [str(1 + p.upto((usual or most) - 1))],
                     [[v] for v in ("0", "x", "''", "-1", str(most + 1),
                                    "1k", "99999999999999999999")] + [[]])


def components():
    return Directive(lambda p, s: p.some(COMPONENTS, 1, 5),
                     [["@path", v] for v in BAD_COMPONENTS] + [[]],
                     many=True)


def algorithms():
    return Directive(
        lambda p, s: p.some(["ed25519", "ecdsa-p256-sha256", "rsa-pss-sha512",
                             "rsa-pss-sha256", "EdDSA", "ES256", "PS256"], 1,
                            4),
        [["ed25519", v] for v in ("hmac-sha256", "none", "''", "ED25519")]
        + [[], ["ed25519"] * 5])


def rule(p, s):
    if p.chance(15):
        return ["all"]
    found = []
    if p.chance(60) and s.tags:
        found.append("tag=" + p.one(s.tags))
    if p.chance(40) and s.names:
        found.append("directory=" + p.one(s.names))
    if p.chance(30):
        found.append("agent=" + p.one(AGENTS))
    if p.chance(30) or not found:
        found.append("keyid=" + p.one(["k", X]))
    return found


BAD_RULES = [["tag="], ["directory=nobody"], ["tag=nobody-serves-this"],
             ["agent=http://a.example"], ["agent="], ["keyid="], ["key=x"],
             ["all", "tag=x"], ["keyid=a", "keyid=b"], [], ["''"],
             ["directory="], ["all", "all"]]

CLASSES = ["malformed", "unsigned", "invalid", "replayed", "unknown",
           "unavailable", "denied"]


def answer(p, s):
    return ["%s=%s" % (c, "pass" if c in ("unknown", "unavailable")
                       and p.chance(30) else 400 + p.upto(199))
            for c in p.some(CLASSES, 1, 7)]


ANY = {
    "web_bot_auth": one_of("off", "on", "optional"),
    "web_bot_auth_allow": Directive(rule, BAD_RULES, many=True),
    "web_bot_auth_deny": Directive(rule, BAD_RULES, many=True),
    "web_bot_auth_dry_run": one_of("on", "off"),
    "web_bot_auth_answer": Directive(
        answer, [["unsigned"], ["nobody=403"], ["unsigned=200"],
                 ["unsigned=600"], ["unsigned=pass"], ["=403"], ["unsigned="],
                 ["denied=4o3"], ["''"], [],
                 ["unsigned=99999999999999999999"]], many=True),
    "web_bot_auth_authority": Directive(
        lambda p, s: [p.one(["server_name", "any", "shop.example",
                             "shop.example:8443", "$host", "x$server_port"])],
        [["$nobody_knows_this"], ["${x"], [], ["any", "any"]]),
    "web_bot_auth_scheme": Directive(
        lambda p, s: [p.one(["https", "http", "$scheme",
                             "$http_x_forwarded_proto"])],
        [["$nobody_knows_this"], [], ["https", "http"]]),
    "web_bot_auth_clock_skew": timed(["0", "5s", "300s", "5m"],
                                     ["301s", "6m", "1d"]),
    "web_bot_auth_max_lifetime": timed(TIMES, ["0"]),
    "web_bot_auth_components": components(),
    "web_bot_auth_content_digest": one_of("off", "on", "required"),
    "web_bot_auth_body_link": one_of("off", "on"),
    "web_bot_auth_nonce": one_of("optional", "required"),
    "web_bot_auth_challenge": Directive(
        lambda p, s: p.one([["on"], ["off"], ["on", "nonce"]]),
        [["maybe"], ["off", "nonce"], ["on", "once"], [], ["nonce"],
         ["on", "nonce", "x"]]),
    "web_bot_auth_forgery_limit": Directive(
        lambda p, s: p.one([["off"], ["10r/s"], ["30r/m", "burst=5"],
                            ["1000r/s", "burst=10000"]]),
        [["0r/s"], ["1001r/s"], ["10"], ["10r/h"], ["r/s"], ["''"], [],
         ["10r/s", "burst=0"], ["10r/s", "burst=10001"], ["10r/s", "burst="],
         ["off", "burst=5"], ["10r/s", "nodelay"], ["-1r/s"],
         ["99999999999999999999r/s"]]),
    "web_bot_auth_expose_reason": one_of("on", "off"),
    "web_bot_auth_log_level": one_of("debug", "info", "notice", "warn",
                                     "error"),
}

MAIN = {
    "web_bot_auth_private_addresses": one_of("on", "off"),
    "web_bot_auth_state_path": Directive(lambda p, s: ["state"], [[]]),
    "web_bot_auth_zone": Directive(
        lambda p, s: p.one([["16m"], ["1m"], ["2048k"],
                            ["1m", "file=nonces"]]),
        [["1k"], ["0"], ["x"], ["''"], ["16m", "path=x"], ["16m", "file="],
         ["-1m"], [], ["99999999999999999999"], ["1m", "file=a", "x"]]),
    "web_bot_auth_nonce_store": Directive(
        lambda p, s: p.one([
            ["shared"], ["shared", "cold=accept"],
            ["redis://127.0.0.1", "on_error=local", "timeout=1s"],
            ["redis://u:p%40@[::1]:6380/3", "prefix=x:", "cold=reject"],
            ["redis://127.0.0.1/15", "password_file=password"],
            ["unix:/run/redis.sock?db=2", "on_error=reject"]]),
        [["rediss://127.0.0.1"], ["redis://"], ["memory"], ["''"], [],
         ["shared", "timeout=1s"], ["redis://127.0.0.1", "timeout=2m"],
         ["redis://127.0.0.1", "timeout=0"], ["redis://127.0.0.1:0"],
         ["redis://127.0.0.1/99999"], ["redis://127.0.0.1", "on_error=pass"],
         ["redis://127.0.0.1", "prefix=" + "x" * 65],
         ["redis://127.0.0.1", "password_file=nowhere"],
         ["redis://127.0.0.1", "password_file=empty"], ["unix:run"],
         ["redis://%00:x@127.0.0.1"], ["shared", "warm"],
         ["redis://127.0.0.1?x"]]),
    "web_bot_auth_wait": Directive(
        lambda p, s: p.one([["2s"], ["500ms", "max=0"], ["1s", "max=10"]]),
        [["0"], ["x"], ["2s", "max="], ["2s", "max=x"], ["2s", "min=1"], [],
         ["2s", "max=99999999999999999999"]]),
    "web_bot_auth_trusted_certificate": Directive(
        lambda p, s: ["cert.pem"],
        [["nowhere.pem"], ["empty"], ["keys/one.json"], [], ["''"]]),
    "web_bot_auth_test_keys": one_of("on", "off"),
}

BLOCK = {
    "tags": Directive(lambda p, s: p.some(["web-bot-auth", "x", "y-z", "T"], 1,
                                          4),
                      [["''"], [], ["x" * 129], ["x"] * 9]),
    "components": components(),
    "algorithms": algorithms(),
    "nonce": one_of("required", "optional"),
    "max_lifetime": timed(TIMES, ["0"]),
    "refresh": Directive(lambda p, s: p.one([["5m", "24h"], ["1s", "1s"],
                                             ["1h", "1d"]]),
                         [["5m"], ["24h", "5m"], ["0", "1h"], ["x", "1h"],
                          ["1s", "x"], [], ["1s", "2s", "3s"],
                          ["1s", "900000000000000000s"]]),
    "stale": timed(TIMES, ["0", "900000000000000000s"]),
    "timeout": timed(["1s", "500ms", "60s"], ["0", "61s", "1h"]),
    "max_size": Directive(lambda p, s: [p.one(["1m", "16m", "64k", "1000"])],
                          [["17m"], ["0"], ["x"], ["-1"], [], ["''"]]),
    "max_keys": number(100000),
    "proof": one_of("off", "required"),
    "lenient": Directive(
        lambda p, s: p.some(["unquoted-agent", "agent-type", "bare-jwk",
                             "visa-sample"], 1, 4),
        [["everything"], ["''"], [], ["bare-jwk", "x"], ["bare-jwk"] * 5]),
}
BLOCK["components"].many = False
DIRECTORY = {
    **BLOCK,
    "agent": Directive(lambda p, s: [p.one(AGENTS)],
                       [[v] for v in BAD_URLS] + [[]]),
    "redirect": one_of("off", "www"),
}
URL = Directive(
    lambda p, s: [p.one(["https://a.example/k", "https://b.example",
                         "file:keys/one.json", "file:keys/none.json"])],
    [[v] for v in BAD_URLS] + [["file:nowhere"], ["file:keys/bad.json"],
                               ["file:"], [], ["file:keys/private.json"]])
PROFILE = one_of(*TAGS)
DISCOVERY = {
    **BLOCK,
    "max_directories": number(1024, 32),    # what a zone of 1m holds
    "new_per_minute": number(6000),
    "concurrent": number(64),
}
ALLOW = Directive(
    lambda p, s: p.some(["https://a.example", "*.agents.example",
                         "https://b.example/k?q", "https://c.example:8443"]),
    [[v] for v in BAD_URLS + ["*", "*.", "*.127.0.0.1", "a*.example",
                              "https://*.example"]] + [[]], many=True)


def known():
    """The directives of the command table: each must be of this grammar."""
    source = (ROOT / "src/nginx/ngx_http_web_bot_auth_module.c").read_text()
    names = set(re.findall(r'ngx_string\("(web_bot_auth\w*)"\)', source))
    missing = names - {*ANY, *MAIN, "web_bot_auth_status",
                       "web_bot_auth_directory", "web_bot_auth_discovery"}
    if missing:
        sys.exit("config.py does not know: " + ", ".join(sorted(missing)))
    for table in (ANY, MAIN):
        for name in set(table) - names:
            del table[name]


class Line:
    """Written at one place; a fault replaces its values."""

    def __init__(self, name, values, directive=None):
        self.name, self.values, self.directive = name, values, directive


class Good:
    """A configuration of lines and blocks: (head, [what is in it])."""

    def __init__(self, pick, port):
        self.p = pick
        self.port = port
        self.names, self.tags = [], []
        blocks = [self.directory(i) for i in range(1 + pick.upto(3))]
        if pick.chance(40):
            blocks.append(self.discovery())
        http = blocks + self.lines(MAIN, 30) + self.lines(ANY, 20)
        servers = [self.server(i) for i in range(1 + pick.upto(1))]
        pick.random.shuffle(http)
        self.http = http + servers

    def line(self, name, directive):
        return Line(name, directive.good(self.p, self), directive)

    def lines(self, table, percent):
        found = []
        for name, directive in table.items():
            if self.p.chance(percent):
                found.append(self.line(name, directive))
                while directive.many and self.p.chance(30):
                    found.append(self.line(name, directive))
        return found

    def directory(self, i):
        p = self.p
        name = p.one(["visa", "a.b-c_", "9", "x" * 60]) + str(i)
        url, profile = self.line("url", URL), self.line("profile", PROFILE)
        inside = [url, profile] + self.lines(DIRECTORY, 20)
        for line in inside:
            # Ed25519 is what the files hold, and a file must hold something.
            if line.name == "algorithms":
                line.values = ["ed25519"] + [v for v in line.values if v not in
                                             ("ed25519", "EdDSA")][:3]
        p.random.shuffle(inside)
        self.names.append(name)
        own = [line.values for line in inside if line.name == "tags"]
        self.tags += own[0] if own else TAGS[profile.values[0]]
        return ("web_bot_auth_directory " + name, inside)

    def discovery(self):
        inside = self.lines(DISCOVERY, 20)
        if self.p.chance(50):
            inside.append(Line("any", []))
        else:
            inside.append(self.line("allow", ALLOW))
        self.names.append("discovery")
        own = [line.values for line in inside if line.name == "tags"]
        self.tags += own[0] if own else TAGS["web-bot-auth"]
        return ("web_bot_auth_discovery", inside)

    def location(self, i):
        inside = self.lines(ANY, 25)
        if self.p.chance(15):
            inside.append(Line("web_bot_auth_status",
                               [self.p.one(["json", "prometheus", "html"])],
                               one_of("json", "prometheus", "html")))
        if self.p.chance(20):
            inside.append(Line("satisfy", ["any"]))
        return ("location /%d/" % i, inside)

    def server(self, i):
        inside = [Line("listen", ["127.0.0.1:%d" % self.port])]
        if self.p.chance(80):
            inside.append(Line("server_name", ["shop%d.example" % i,
                                               "*.shop%d.example" % i]))
        inside += self.lines(ANY, 25)
        inside += [self.location(j) for j in range(self.p.upto(3))]
        # Rules are looked at where verification is on somewhere.
        inside.append(("location /on/", [Line("web_bot_auth", ["on"])]))
        return ("server", inside)

    def all_lines(self, inside=None):
        for item in self.http if inside is None else inside:
            if isinstance(item, Line):
                yield item
            else:
                yield from self.all_lines(item[1])


def write(good, head):
    """The text, and the number of each line in it and of its block's."""
    text, numbers = head.splitlines(), {}

    def put(items, depth, block=0):
        for item in items:
            if isinstance(item, Line):
                text.append("    " * depth
                            + " ".join([item.name, *item.values]) + ";")
                numbers[id(item)] = (len(text), block)
            else:
                text.append("    " * depth + item[0] + " {")
                put(item[1], depth + 1, len(text))
                text.append("    " * depth + "}")

    text.append("http {")
    text.extend(HTTP.splitlines())
    put(good.http, 1)
    text.append("}")
    return "\n".join(text) + "\n", numbers


def wild(pick, port, head):
    """Anything: a good one torn up, or words thrown together."""
    names = [*ANY, *MAIN, *DIRECTORY, *DISCOVERY, "url", "profile", "any",
             "allow", "web_bot_auth_status", "web_bot_auth_directory",
             "web_bot_auth_discovery", "server", "location", "if", "map",
             "set", "return", "include"]
    text, _ = write(Good(pick, port), "")
    lines = text.splitlines()
    for _ in range(1 + pick.upto(5)):
        at = pick.upto(len(lines) - 1)
        what = pick.upto(7)
        if what == 0:
            lines[at] = ""
        elif what == 1:
            lines.insert(at, lines[pick.upto(len(lines) - 1)])
        elif what == 2:
            lines[at] = lines[at].replace(";", "")
        elif what == 3:
            lines.insert(at, pick.one(names) + " "
                         + " ".join(pick.some(ODD, 0, 4)) + ";")
        elif what == 4:
            lines.insert(at, pick.one(names) + " "
                         + " ".join(pick.some(ODD, 0, 2)) + " { "
                         + lines[pick.upto(len(lines) - 1)] + " }")
        elif what == 5:
            words_ = lines[at].split(" ")
            words_[pick.upto(len(words_) - 1)] = pick.one(ODD)
            lines[at] = " ".join(words_)
        elif what == 6:
            other = pick.upto(len(lines) - 1)
            lines[at], lines[other] = lines[other], lines[at]
        elif lines[at]:
            cut = pick.upto(len(lines[at]) - 1)
            lines[at] = lines[at][:cut] + pick.one(ODD) + lines[at][cut + 1:]
    return head + "\n".join(lines) + "\n"


# --- running nginx

BAD = re.compile(r"Sanitizer|runtime error|AddressSan|\[alert\]")
# What nginx itself finds out after it has read all lines.
NGINX_OWN = re.compile(r'mkdir\(\) "|unknown ".*" variable$'
                       r'|could not build \w+_hash, you should')
PLACE = re.compile(r" in (\S+):(\d+)( \(\d+: [^()]*\)|, did you mean .*)?$")
# An entry, which a stranger's line end may part.
ENTRY = re.compile(r"^\d{4}/\d\d/\d\d [\d:]+ \[(\w+)\] \d+#\d+: ", re.M)


def preload():
    names = []
    for library in ("libasan.so", "libubsan.so"):
        done = subprocess.run(["gcc", "-print-file-name=" + library],
                              stdout=subprocess.PIPE, check=True)
        names.append(done.stdout.decode().strip())
    return " ".join(names)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Finding(Exception):
    pass


class Tester:
    def __init__(self, args):
        self.args = args
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="wba-config-"))
        for name, text in FILES.items():
            (self.dir / name).parent.mkdir(exist_ok=True)
            (self.dir / name).write_text(text)
        (self.dir / "logs").mkdir()
        (self.dir / "temp").mkdir()
        self.port = free_port()
        self.head = ("daemon off;\npid logs/nginx.pid;\nerror_log stderr;\n"
                     "load_module %s;\nevents {}\n" % args.module)
        self.environment = {**os.environ, "LD_PRELOAD": preload(),
                            "ASAN_OPTIONS": "detect_leaks=0:"
                                            "allocator_may_return_null=1",
                            "UBSAN_OPTIONS": "print_stacktrace=1"}
        self.shapes = set()
        self.counts = {}

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    def nginx(self, text):
        (self.dir / "nginx.conf").write_bytes(text.encode("utf-8",
                                                          "surrogateescape"))
        try:
            done = subprocess.run(
                [self.args.nginx, "-p", "%s/" % self.dir, "-e", "stderr",
                 "-c", "nginx.conf", "-t"], env=self.environment,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                timeout=HANG, check=False)
        except subprocess.TimeoutExpired as expired:
            raise Finding("it hangs") from expired
        return done.returncode, done.stdout.decode("utf-8", "replace")

    def examine(self, code, output):
        """What holds of any run."""
        if code not in (0, 1):
            raise Finding("it ended by %d" % code)
        if BAD.search(output):
            raise Finding("it reports")
        emergs = []
        parts = ENTRY.split(output)[1:]
        for level, said in zip(parts[::2], parts[1::2]):
            said = said.partition("\nnginx: ")[0].rstrip("\n")
            self.shapes.add(re.sub(r"\"[^\"]*\"|\d+", "?", said)[:60])
            if level == "emerg":
                emergs.append(said)
            if re.search(r"\(null\)|: *in /|^ *in |^$|\x00", said):
                raise Finding("a message lacks something: " + said)
        if code == 1 and not emergs:
            raise Finding("it fails and does not say why")
        if code == 1 and not any(PLACE.search(e) or NGINX_OWN.match(e)
                                 for e in emergs):
            raise Finding("no message names file and line")
        if (self.dir / "nonces").exists():
            raise Finding("nginx -t made the nonce file")
        return emergs

    def good(self, pick):
        text, _ = write(Good(pick, self.port), self.head)
        code, output = self.nginx(text)
        self.examine(code, output)
        if code != 0:
            raise Finding("it refuses a good configuration")

    def fault(self, pick):
        good = Good(pick, self.port)
        lines = [line for line in good.all_lines() if line.directive]
        line = pick.one(lines)
        line.values = pick.one(line.directive.bad)
        text, numbers = write(good, self.head)
        code, output = self.nginx(text)
        emergs = self.examine(code, output)
        if code == 0:
            raise Finding("it takes a wrong value: " + line.name + " "
                          + " ".join(line.values))
        if any(NGINX_OWN.match(e) for e in emergs):
            return
        places = [PLACE.search(e) for e in emergs]
        # Files are read when the block has ended, and told by its first line.
        at, block = numbers[id(line)]
        right = [at, block] if line.name == "url" else [at]
        if not any(p and int(p[2]) in right for p in places):
            raise Finding("it does not name the line at fault, %d: %s %s" % (
                at, line.name, " ".join(line.values)))

    def wild(self, pick):
        self.examine(*self.nginx(wild(pick, self.port, self.head)))

    def run(self, number):
        kind = ("good", "fault", "wild")[number % 3]
        pick = Pick("%d/%d" % (self.args.seed, number))
        self.counts[kind] = self.counts.get(kind, 0) + 1
        try:
            getattr(self, kind)(pick)
        except Finding as finding:
            conf = (self.dir / "nginx.conf").read_bytes()
            folder = pathlib.Path(self.args.findings)
            folder.mkdir(parents=True, exist_ok=True)
            name = folder / ("config-%d-%d.conf" % (self.args.seed, number))
            name.write_bytes(conf)
            _, output = self.nginx(conf.decode("utf-8", "surrogateescape"))
            print("  FAIL  config: %s (%s)\n%s\n        kept: %s\n"
                  "        again with: %s --module %s --seed %d --only %d" % (
                      finding, kind, output[-3000:], name,
                      os.path.relpath(__file__, ROOT), self.args.module,
                      self.args.seed, number))
            return False
        return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--module",
                        default=ROOT / "build/asan"
                        / "ngx_http_web_bot_auth_module.so")
    parser.add_argument("--nginx", default=os.environ.get("NGINX_BINARY",
                                                          "/usr/sbin/nginx"))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", type=int)
    parser.add_argument("--findings", default=ROOT / "build/fuzz/findings")
    parser.add_argument("--ledger", default=ROOT / "build/fuzz/ledger")
    args = parser.parse_args()
    args.module = pathlib.Path(args.module).resolve()
    known()
    if args.seed is None:
        args.seed = random.randrange(1 << 31)
    tester = Tester(args)
    begun = time.monotonic()
    number, good = 0, True
    try:
        if args.only is not None:
            good = tester.run(args.only)
            sys.exit(0 if good else 1)
        while good and time.monotonic() < begun + args.seconds:
            good = tester.run(number)
            number += 1
    finally:
        tester.close()
    pathlib.Path(args.ledger).parent.mkdir(parents=True, exist_ok=True)
    with open(args.ledger, "a", encoding="ascii") as ledger:
        ledger.write("%d config %.0f %d %d %d\n" % (
            time.time(), sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]),
            number, len(tester.shapes), 0))
    print("  %-5s %-14s %10d files, %d messages (seed %d)" % (
        "ok" if good else "FAIL", "config", number, len(tester.shapes),
        args.seed))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
