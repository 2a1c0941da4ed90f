#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A shop on loopback, and agents that visit it: what `make run` shows.

Starts a key directory and an application, both small servers in this process,
and nginx with the module.  Signs with wba, asks with curl, prints a line per
visit, and fails when an answer is not the expected one.  On a terminal the shop
stays up until Ctrl-C.  Everything lives in a temporary folder and ends with
this process."""

import argparse
import dataclasses
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))

from harness.directory import Directory     # noqa: E402
from harness.tls import Authority           # noqa: E402
from harness.upstream import Upstream       # noqa: E402

HOST = "shop.test"
CATALOGUE, CHECKOUT, ELSEWHERE = "/catalogue/shoes", "/checkout/", "/about"
VISA_PATH = "/visa/jwks"
MASTERCARD_PATH = "/mastercard/jwks"
MASTERCARD = "https://agentpay-key-directory.mastercard.com/"
OTHER = "other-shop.example"
BROWSER, PAYER = ("--tag", "agent-browser-auth"), ("--tag", "agent-payer-auth")
SOMEBODY = "an ordinary visitor"

CONF = """\
# The demonstration's shop.  conf.example is the one to start from.
load_module %(module)s;
daemon off;
pid logs/nginx.pid;
error_log logs/error.log notice;
worker_processes 2;

events {
    worker_connections 256;
}

http {
    client_body_temp_path temp/body;
    proxy_temp_path temp/proxy;
    fastcgi_temp_path temp/fastcgi;
    uwsgi_temp_path temp/uwsgi;
    scgi_temp_path temp/scgi;

    log_format agents '$status "$request" agent="$web_bot_auth_directory" '
                      'tag="$web_bot_auth_tag" '
                      'reason="$web_bot_auth_reason" '
                      'decision="$web_bot_auth_decision"';
    access_log logs/access.log agents;

    # Loopback stands in for the networks' own directories.
    web_bot_auth_trusted_certificate %(ca)s;

    web_bot_auth_directory visa {
        url %(visa)s;
        profile tap;
    }
    web_bot_auth_directory mastercard {
        url %(mastercard)s;
        profile agent-pay;
        agent %(agent)s;
    }

    # A shop that has just been opened lets agents in at once.
    web_bot_auth_nonce_store shared cold=accept;

    # For the show: tells strangers why they were refused.
    web_bot_auth_expose_reason on;

    server {
        listen 127.0.0.1:%(port)d ssl http2;
        server_name %(host)s;
        ssl_certificate %(cert)s;
        ssl_certificate_key %(key)s;

        # Empty, hence absent, unless the signature verified.
        proxy_set_header X-Agent-Tag $web_bot_auth_tag;
        proxy_set_header X-Agent-Directory $web_bot_auth_directory;
        proxy_set_header Host $host;

        location / {
            proxy_pass http://127.0.0.1:%(upstream)d;
        }
        location /catalogue/ {
            web_bot_auth optional;
            web_bot_auth_allow tag=agent-browser-auth;
            proxy_pass http://127.0.0.1:%(upstream)d;
        }
        location /checkout/ {
            web_bot_auth on;
            web_bot_auth_allow tag=agent-payer-auth;
            web_bot_auth_allow tag=agent-pay-auth directory=mastercard;
            proxy_pass http://127.0.0.1:%(upstream)d;
        }
    }
}
"""

CURL = """\
cacert = "%(ca)s"
resolve = "%(host)s:%(port)d:127.0.0.1"
noproxy = "*"
include
silent
show-error
max-time = 20
"""


def quiet(*args):
    """The standard output of a command that must succeed."""
    done = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit("%s failed:\n%s" % (args[0], done.stderr))
    return done.stdout


def free_port(wanted):
    """wanted, or, when that is taken, one that the kernel chooses."""
    for port in (wanted, 0):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return s.getsockname()[1]
            except OSError:
                continue
    sys.exit("there is no free port on 127.0.0.1")


@dataclasses.dataclass
class Answer:
    status: int
    reason: str     # "-": the location has nothing to say
    seen: str       # the agent that the application was told of


class Shop:
    """The servers, the agents' keys, and how to visit."""

    def __init__(self, build, nginx):
        self.wba = build / "wba"
        self.nginx = nginx
        self.process = None
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="wba-demo-"))
        # nginx's workers are another user, who reads nothing secret here.
        self.dir.chmod(0o755)
        for name in ("logs", "temp", "keys"):
            (self.dir / name).mkdir(mode=0o755)
        self.authority = Authority(self.dir / "tls", "demonstration CA")
        self.directory = Directory(self.authority)
        self.application = Upstream()
        self.port = free_port(8443)
        self.values = {
            "module": build / "ngx_http_web_bot_auth_module.so",
            "ca": self.authority.ca, "cert": self.authority.cert,
            "key": self.authority.key, "host": HOST, "port": self.port,
            "visa": self.directory.url(VISA_PATH),
            "mastercard": self.directory.url(MASTERCARD_PATH),
            "agent": MASTERCARD, "upstream": self.application.port,
        }
        self.curl_conf = self.dir / "curl.conf"
        self.curl_conf.write_text(CURL % self.values)
        (self.dir / "nginx.conf").write_text(CONF % self.values)

    def key(self, agent):
        return self.dir / "keys" / (agent + ".jwk")

    def make_keys(self, directories):
        """directories: path -> agents whose keys are published there."""
        for path, agents in directories.items():
            for agent in agents:
                quiet(self.wba, "keygen", "--out", self.key(agent))
            if path:
                keys = quiet(self.wba, "jwks", *map(self.key, agents))
                self.directory.serve(path, body=keys,
                                     media_type="application/json")
                (self.dir / "keys" / (path.split("/")[1] + ".json")) \
                    .write_text(keys)

    def start(self):
        command = [self.nginx, "-p", "%s/" % self.dir, "-e", "logs/error.log",
                   "-c", "nginx.conf"]
        quiet(*command, "-t")
        # In a session of its own: Ctrl-C is for this process to act upon.
        self.process = subprocess.Popen(command, start_new_session=True)
        deadline = time.monotonic() + 20
        while not self.accepts():
            if self.process.poll() is not None \
                    or time.monotonic() > deadline:
                sys.exit("nginx does not start:\n" + self.error_log())
            time.sleep(0.02)

    def accepts(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def error_log(self):
        log = self.dir / "logs/error.log"
        return log.read_text("utf-8", "replace") if log.exists() else ""

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.directory.stop()
        self.application.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    # Visits

    def url(self, path, host=HOST):
        return "https://%s:%d%s" % (host, self.port, path)

    def sign(self, agent, path, method, *options, host=HOST):
        """The header lines of a signed request."""
        fields = quiet(self.wba, "sign", "--key", self.key(agent), "--method",
                       method, "--url", self.url(path, host), *options)
        return fields.splitlines()

    def thumbprint(self, agent):
        fields = self.sign(agent, "/", "GET")
        inputs = next(f for f in fields if f.startswith("Signature-Input"))
        return inputs.split('keyid="')[1].split('"')[0]

    def visit(self, path, method, headers):
        before = len(self.application.requests)
        args = ["curl", "-K", self.curl_conf, "--path-as-is", self.url(path)]
        args += ["--data", "item=shoes"] if method == "POST" else []
        for header in headers:
            args += ["-H", header]
        lines = quiet(*args).split("\n\n")[0].splitlines()
        found = [line.split(":", 1)[1].strip() for line in lines
                 if line.lower().startswith("web-bot-auth-reason:")]
        seen = "-"
        if len(self.application.requests) > before:
            told = self.application.requests[-1]["headers"]
            seen = SOMEBODY
            if "x-agent-tag" in told:
                seen = "%s of %s" % (told["x-agent-tag"],
                                     told.get("x-agent-directory"))
        return Answer(int(lines[0].split()[1]), found[0] if found else "-",
                      seen)


@dataclasses.dataclass
class Visit:
    who: str
    path: str
    status: int
    reason: str
    seen: str = "-"
    agent: str = None       # whose key signs; None: nobody's
    options: tuple = ()     # of wba sign
    host: str = HOST        # for which the request is signed
    headers: tuple = ()     # sent besides
    again: bool = False     # the visit before, byte for byte


def visits(shop):
    forged = PAYER + ("--keyid", shop.thumbprint("payer"))
    paying = PAYER + ("--profile", "agent-pay", "--agent", MASTERCARD,
                      "--agent-form", "string")
    return (
        Visit("visitor, not signed", CATALOGUE, 200, "no-signature",
              SOMEBODY),
        Visit("the same, claiming X-Agent-Tag", CATALOGUE, 200,
              "no-signature", SOMEBODY,
              headers=("X-Agent-Tag: agent-payer-auth",)),
        Visit("visitor, not signed", CHECKOUT, 403, "no-signature"),
        Visit("visitor, where nothing is asked", ELSEWHERE, 200, "-",
              SOMEBODY),
        Visit("browser agent", CATALOGUE, 200, "ok",
              "agent-browser-auth of visa", "browser", BROWSER),
        Visit("browser agent", CHECKOUT, 403, "denied-by-rule", "-",
              "browser", BROWSER),
        Visit("payer agent", CHECKOUT, 200, "ok",
              "agent-payer-auth of visa", "payer", PAYER),
        Visit("the same request, replayed", CHECKOUT, 429, "nonce-replayed",
              again=True),
        Visit("payer agent of Mastercard's", CHECKOUT, 200, "ok",
              "agent-payer-auth of mastercard", "mastercard", paying),
        Visit("forger, under the payer's keyid", CHECKOUT, 403,
              "bad-signature", "-", "stranger", forged),
        Visit("forger, under the payer's keyid", CATALOGUE, 403,
              "bad-signature", "-", "stranger", forged),
        Visit("agent with an unknown key", CHECKOUT, 403, "key-unknown", "-",
              "stranger", PAYER),
        Visit("payer, signed ten minutes ago", CHECKOUT, 403, "expired", "-",
              "payer", PAYER + ("--created", "-10m", "--lifetime", "5m")),
        Visit("payer's, for another shop, passed on", CHECKOUT, 403,
              "authority-not-served", "-", "payer", PAYER, OTHER),
    )


def show(shop):
    """Prints the transcript; the number of answers that were not expected."""
    row = "%-38s %-22s %6s  %-21s %s"
    wrong = 0
    headers = []
    print(row % ("WHO", "ASKS", "STATUS", "REASON", "THE SHOP SEES"))
    for v in visits(shop):
        method = "POST" if v.path == CHECKOUT else "GET"
        if not v.again:
            headers = list(v.headers)
        if v.agent:
            headers += shop.sign(v.agent, v.path, method, *v.options,
                                 host=v.host)
        if v.host != HOST:
            headers.append("Host: %s:%d" % (v.host, shop.port))
        answer = shop.visit(v.path, method, headers)
        print(row % (v.who, "%s %s" % (method, v.path), answer.status,
                     answer.reason, answer.seen), flush=True)
        if answer != Answer(v.status, v.reason, v.seen):
            wrong += 1
            print("  ^ expected %d %s, and the shop to see: %s"
                  % (v.status, v.reason, v.seen))
    return wrong


def stay(shop, build):
    """Says how to try it, until Ctrl-C."""
    wba = build / "wba"
    here = pathlib.Path.cwd()
    if wba.is_relative_to(here):
        wba = wba.relative_to(here)
    sign = "%s sign --key %%s --tag %%s --method %%s --url %%s" % wba
    payer = sign % (shop.key("payer"), PAYER[1], "POST", shop.url(CHECKOUT))
    curl = "xargs curl -K %s" % shop.curl_conf
    print("""
The shop stays up at %s until Ctrl-C.  Try it, in another terminal:

  # a visitor
  curl -K %s %s

  # the browser agent
  %s --format curl | %s

  # the payer agent
  %s --format curl | %s

  # what a verifier makes of a request
  %s --format raw | %s verify --directory visa=%s

  # all that was asked, why it was refused, and the configuration
  tail -f %s
  tail -f %s
  less %s
""" % (shop.url("/"), shop.curl_conf, shop.url(CATALOGUE),
       sign % (shop.key("browser"), BROWSER[1], "GET", shop.url(CATALOGUE)),
       curl, payer, curl, payer, wba, shop.dir / "keys/visa.json",
       shop.dir / "logs/access.log", shop.dir / "logs/error.log",
       shop.dir / "nginx.conf"), flush=True)
    try:
        shop.process.wait()
        print("nginx has ended:\n" + shop.error_log())
        return 1
    except KeyboardInterrupt:
        print("\nclosing the shop")
        return 0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path,
                        default=ROOT / "build/gcc",
                        help="where wba and the module are")
    parser.add_argument("--nginx", default="/usr/sbin/nginx")
    args = parser.parse_args()
    args.build = args.build.resolve()
    if not (args.build / "wba").exists():
        parser.error("nothing is built in %s: run make first" % args.build)
    return args


def on_signal(number, _):
    sys.exit(128 + number)


def main():
    args = arguments()
    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGHUP, on_signal)

    shop = Shop(args.build, args.nginx)
    try:
        shop.make_keys({VISA_PATH: ("browser", "payer"),
                        MASTERCARD_PATH: ("mastercard",),
                        None: ("stranger",)})
        shop.start()
        wrong = show(shop)
        if wrong:
            print("\n%d answers were not the expected ones; error.log:\n%s"
                  % (wrong, shop.error_log()))
            return 1
        print("\nEvery answer was the expected one.")
        if sys.stdin.isatty() and sys.stdout.isatty():
            return stay(shop, args.build)
        return 0
    except KeyboardInterrupt:
        return 130
    finally:
        shop.stop()


if __name__ == "__main__":
    sys.exit(main())
