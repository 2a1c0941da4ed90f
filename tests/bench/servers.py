# SPDX-License-Identifier: BSD-2-Clause
"""The servers that bench.py measures.  Each is there for the whole run; those
that are not asked sleep.  Everything that serves shares one core: workers,
Redis, Node; what asks has the other."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from common import (APART, CLIENT, CORES, ROOT, SEED, SERVER, affinity, load,
                    on)
from harness import ports
from harness.keys import P256, Rsa
from harness.nginx import Nginx, wait_for
from harness.redis import Redis
from harness.signer import Key

BINARY = os.environ.get("NGINX_BINARY", "/usr/sbin/nginx")
BOT = "https://bot.example"
PAY = "https://pay.example"
MILLION = 1000000
SETTLE = 8000               # requests, until a table of 16 MB has been seen
LIVE_ZONE = 320             # MB: rated for more than ten million live nonces
NAMES = "off denied control on optional ask".split()

CONF = """
%%GLOBALS%%
%%BENCH%%
worker_processes %%WORKERS%%;
worker_cpu_affinity %%AFFINITY%%;
events {}
http {
    %%HTTP%%
    error_log logs/error.log crit;
    access_log off;
    keepalive_requests 1000000000;
    client_max_body_size 2m;
    client_body_buffer_size 2m;
    open_file_cache max=20;
    %%SETTINGS%%
    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        listen 127.0.0.1:%%PORT_2%% http2;
        server_name shop.example;
        location = /off { }
        location = /denied { deny all; }
        %%LOCATIONS%%
    }
}
"""

SETTINGS = """
    web_bot_auth_zone %(zone)s;
    web_bot_auth_nonce_store %(store)s cold=accept;
    web_bot_auth_wait 10s;
    web_bot_auth_scheme https;
    web_bot_auth_log_level debug;
    %(directories)s
"""

DIRECTORY = ("web_bot_auth_directory %s { url file:%%%%DIR%%%%/%s; profile %s; "
             "max_size 4m; %s }\n")

# The plain location gets the very same requests, signature and all.
LOCATIONS = """
        location = /on { web_bot_auth on; }
        location = /optional { web_bot_auth optional; }
        location = /control { bench_verify %(base)d; }
        location = /body-off { bench_body; }
        location = /body-control {
            bench_verify %(body_base)d;
            bench_body sha256;
        }
        location = /body-on { web_bot_auth on; bench_body; }
"""

PEER = """
        location = /ask { auth_request /verifier; }
        location = /verifier {
            internal;
            proxy_pass http://node;
            proxy_http_version 1.1;
            proxy_pass_request_body off;
            proxy_set_header Connection "";
            proxy_set_header Content-Length "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Original-URI $request_uri;
        }
"""
PEER_UPSTREAM = "upstream node { server 127.0.0.1:%d; keepalive 64; }"


class Kit:
    """What is built, and the signer's keys."""

    def __init__(self, build):
        self.build = build
        self.load = build / "load"
        self.module = build / "ngx_http_web_bot_auth_module.so"
        self.bench = build / "ngx_http_bench_module.so"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="wba-bench-"))
        self.folder.chmod(0o755)
        memory = "/dev/shm"     # /run is of the same kind, but root's
        self.memory = None
        if os.access(memory, os.W_OK) and \
                shutil.disk_usage(memory).free > 4 * LIVE_ZONE << 20:
            self.memory = pathlib.Path(tempfile.mkdtemp(prefix="wba-bench-",
                                                        dir=memory))
            self.memory.chmod(0o755)
        out = subprocess.run([self.load, "jwk", SEED], check=True,
                             stdout=subprocess.PIPE).stdout
        self.jwk = json.loads(out)["keys"][0]
        self.rsa = Rsa()
        self.p256 = P256()
        self.pems = {"rsa": self.pem("rsa", self.rsa),
                     "ecdsa": self.pem("ecdsa", self.p256)}

    def pem(self, name, key):
        """The options by which the load signs with that key."""
        from cryptography.hazmat.primitives import serialization as s
        path = self.folder / (name + ".pem")
        path.write_bytes(key.private.private_bytes(
            s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()))
        return ["pem=%s" % path, "keyid=" + key.thumbprint]

    def keys(self, *before):
        """A set that ends with the signer's key."""
        return json.dumps({"keys": [*before, self.jwk]})

    def strangers(self, n):
        return [Key().jwk() for _ in range(n)]

    def base(self, kind):
        return load(self.load, None, "describe", "/on", kind, SEED,
                    "body=1")["base"]

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.memory:
            shutil.rmtree(self.memory, ignore_errors=True)


class Server:
    """An nginx, and what else serves with it: beside are processes, each with
    process.pid and stop()."""

    def __init__(self, kit, name, settings="", files=None, workers=1,
                 locations="", module=True, beside=()):
        self.kit = kit
        self.name = name
        self.beside = beside
        cores = CORES[:workers] if workers > 1 else [SERVER]
        bench = "load_module %s;" % kit.bench if module else ""
        pages = {"html/" + page: "x" * 64 for page in NAMES}
        self.spin = APART and CLIENT not in cores
        self.nginx = Nginx(
            BINARY, kit.module if module else None, CONF,
            {**pages, **(files or {})}, BENCH=bench, SETTINGS=settings,
            LOCATIONS=locations, WORKERS=workers,
            AFFINITY=" ".join(map(affinity, cores)))
        self.nginx.start()
        self.pids = sorted(self.nginx.workers())

    def port(self, h2=False):
        return self.nginx.port("PORT_2" if h2 else "PORT")

    def counted(self):
        """The processes whose time a request costs."""
        return self.pids + [b.process.pid for b in self.beside]

    def ask(self, path, kind, count, *options, connections=32, h2=False):
        words = [*options, "pid=" + ",".join(map(str, self.counted()))]
        words += ["spin"] * self.spin + ["h2"] * h2
        return load(self.kit.load, CLIENT if self.spin else None, "http",
                    self.port(h2), count, connections, path, kind, SEED,
                    *words)

    def await_answer(self, what, path, kind):
        wait_for(what, lambda: self.ask(path, kind, 1, connections=1)[
            "statuses"] == {"200": 1})

    def alive(self):
        return sorted(self.nginx.workers()) == self.pids

    def log(self):
        return self.nginx.error_log[-2000:]

    def stop(self):
        self.nginx.stop()
        for process in self.beside:
            process.stop()


def protected(kit, name, directories=None, files=None, zone="16m",
              store="shared", workers=1, beside=(), settle=SETTLE):
    """One with our module; directories: lines of configuration.  It has run
    for a while: each page of the nonce table that a worker sees for the first
    time costs it a fault, and forged requests look at two."""
    settings = SETTINGS % {
        "zone": zone, "store": store,
        "directories": directories or DIRECTORY % ("d", "d.json", "tap", "")}
    locations = LOCATIONS % {"base": kit.base("tap"),
                             "body_base": kit.base("digest")}
    server = Server(kit, name, settings,
                    {"d.json": kit.keys(), **(files or {})}, workers,
                    locations, beside=beside)
    if settle:
        answers = server.ask("/on", "forged", settle)["statuses"]
        assert answers == {"403": settle}, (name, answers, server.log())
    return server


def kinds(kit):
    """The other profiles and algorithms."""
    lines = DIRECTORY % ("d", "d.json", "tap", "") \
        + DIRECTORY % ("bot", "d.json", "web-bot-auth", "agent %s;" % BOT) \
        + DIRECTORY % ("pay", "d.json", "agent-pay", "agent %s;" % PAY)
    keys = kit.keys(kit.rsa.jwk(), kit.p256.jwk())
    return protected(kit, "kinds", lines, {"d.json": keys})


def many_directories(kit, n):
    lines = [DIRECTORY % ("d", "d.json", "tap", "")]
    files = {}
    for i in range(n - 1):
        files["e%d.json" % i] = json.dumps({"keys": [Key().jwk()]})
        lines.insert(0, DIRECTORY % ("e%d" % i, "e%d.json" % i, "tap", ""))
    return protected(kit, "%d directories" % n, "".join(lines), files)


def many_keys(kit, n):
    return protected(kit, "%d keys" % n, None,
                     {"d.json": kit.keys(*kit.strangers(n - 1))})


def live_nonces(kit, n):
    """With a table in a file, of one size for all n, that fill has filled."""
    path = (kit.memory or kit.folder) / ("nonces-%d" % n)
    server = protected(kit, "%d live" % n, settle=0,
                       zone="%dm file=%s" % (LIVE_ZONE, path))
    if n:
        out = subprocess.run([kit.build / "fill", path, str(n), SEED],
                             check=True, stdout=subprocess.PIPE).stdout
        server.filled = json.loads(out)
        assert server.filled["live"] >= n * 0.99999, server.filled
    # The kernel maps sixteen pages of a file at once.
    server.ask("/on", "forged", 2 * SETTLE)
    return server


class Store(Redis):
    def stop(self):
        super().stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def with_redis(kit):
    redis = Store()
    os.sched_setaffinity(redis.process.pid, {SERVER})
    server = protected(kit, "Redis", beside=[redis],
                       store="redis://127.0.0.1:%d timeout=5s" % redis.port)
    server.await_answer("Redis", "/on", "tap")
    return server


class Node:
    """A service that verifies with npm's web-bot-auth, by itself."""

    def __init__(self, kit, modules):
        self.kit = kit
        self.name = "service"
        self.nginx = None
        self.beside = [self]
        self.pids = []
        self.spin = APART
        self.at = ports.free()
        self.process = subprocess.Popen(
            ["node", str(ROOT / "tests/bench/peer.cjs"), str(modules),
             str(self.at), json.dumps(kit.jwk)], preexec_fn=on(SERVER))

    counted = Server.counted
    ask = Server.ask

    def port(self, h2=False):
        return self.at

    def alive(self):
        return self.process.poll() is None

    def log(self):
        return ""

    def stop(self):
        self.process.terminate()
        self.process.wait()


def peer(kit, node):
    """nginx without our module, in front of that service."""
    server = Server(kit, "peer", PEER_UPSTREAM % node.at, locations=PEER,
                    module=False, beside=[node])
    server.await_answer("the Node service", "/ask", "wba")
    return server


def start(kit, modules):
    """All servers, by name; stops what it has started where one fails.
    modules: where npm's packages are, or None."""
    servers = {}
    makers = [
        lambda: Server(kit, "bare", module=False),
        lambda: protected(kit, "one"),
        lambda: kinds(kit),
        lambda: protected(kit, "bodies"),
        lambda: many_keys(kit, 100),
        lambda: many_keys(kit, 10000),
        lambda: many_directories(kit, 100),
        lambda: live_nonces(kit, 0),
        lambda: live_nonces(kit, MILLION),
        lambda: live_nonces(kit, 10 * MILLION),
        lambda: protected(kit, "two", workers=2),
        lambda: with_redis(kit),
    ]
    if modules:
        makers += [lambda: Node(kit, modules),
                   lambda: peer(kit, servers["service"])]
    try:
        for make in makers:
            server = make()
            servers[server.name] = server
    except BaseException:
        stop(servers)
        raise
    return servers


def stop(servers):
    for server in reversed(servers.values()):
        server.stop()
