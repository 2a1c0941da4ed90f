# SPDX-License-Identifier: BSD-2-Clause
"""What a directory's troubles cost requests whose keys are known: the time of
verified requests, at the median and the 99th percentile, with four directories
in trouble beside the one that is asked, and undisturbed, turn by turn in one run;
fetches counted against requests served; and the time from nginx's start to the
first verified request with every directory down and a state file at hand.

One worker on one core; the client and the directory server share the other, so
what the server does for its troubles is part of what the client measures."""

import argparse
import gzip
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from common import SEED
from harness.client import fetch
from harness.directory import Directory
from harness.nginx import Nginx, wait_for
from harness.signer import Key, Request, Sig, jwks, sign
from harness.tls import Authority

COUNT = 8000
ROUNDS = 3
TROUBLED = 4

CONF = """
%%GLOBALS%%
worker_processes 1;
worker_cpu_affinity 01;
events {}
http {
    %%HTTP%%
    access_log off;
    keepalive_requests 1000000;
    web_bot_auth_zone 64m;
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth_trusted_certificate %%CA%%;
    web_bot_auth_scheme https;
    %%STATE%%
    web_bot_auth_directory known {
        url %%KNOWN%%; profile tap; refresh 1s 1s;
    }
    %%OTHERS%%
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.example;
        location / { web_bot_auth on; %%OK%% }
    }
}
"""

OTHER = """web_bot_auth_directory other%d {
    url %s; profile tap; tags other; refresh 1s 1s; timeout 2s;
}
"""


def many_keys(count=100000):
    keys = [json.loads(jwks(Key()))["keys"][0] for _ in range(50)]
    return json.dumps({"keys": [dict(keys[i % 50], kid=str(i)) for i in
                                range(count)]})


def troubles():
    big = "x" * 10 * 1024 * 1024
    coded = (("Content-Encoding", "gzip"),)
    return {
        "undisturbed": {"body": jwks(Key())},
        "never answering": {"hang": True},
        "byte by byte": {"body": jwks(Key()), "dribble": 0.01},
        "closing without answer": {"close": True},
        "404": {"status": 404},
        "503, Retry-After": {"status": 503,
                             "headers": (("Retry-After", "1"),)},
        "10 MB of garbage": {"body": big},
        "gzip bomb, 100 MB": {"body": gzip.compress(big.encode() * 10),
                              "headers": coded},
        "deep JSON": {"body": "[" * 500000},
        "100,000 entries, 10 MB": {"body": many_keys()},
        "7,000 entries, 1 MB": {"body": many_keys(7000)},
    }


def run_load(load, nginx, count):
    out = subprocess.run(
        [str(load), "http", str(nginx.port()),
         str(count), "1", "/", "tap", SEED], check=True,
        stdout=subprocess.PIPE, timeout=120).stdout
    result = json.loads(out)
    assert result["statuses"] == {"200": count}, result
    return result


class Bench:
    def __init__(self, build):
        self.build = build
        self.folder = tempfile.TemporaryDirectory(prefix="wba-bench-")
        os.chmod(self.folder.name, 0o755)
        self.authority = Authority(pathlib.Path(self.folder.name) / "tls")
        self.directory = Directory(self.authority)
        self.keys = subprocess.run([str(build / "load"), "jwk", SEED],
                                   check=True, stdout=subprocess.PIPE
                                   ).stdout.decode()

    def start(self, path, manners, state="", others=TROUBLED):
        self.directory.release()
        self.directory.paths.clear()
        self.directory.serve("/known", body=self.keys)
        self.directory.serve(path, **manners)
        url = self.directory.url
        blocks = "".join(OTHER % (i, url(path)) for i in range(others))
        nginx = Nginx(os.environ.get("NGINX_BINARY", "/usr/sbin/nginx"),
                      self.build / "ngx_http_web_bot_auth_module.so", CONF,
                      CA=self.authority.ca, KNOWN=url("/known"),
                      OTHERS=blocks, STATE=state)
        return nginx.start()

    def one(self, path, manners):
        nginx = self.start(path, manners)
        try:
            wait_for("the known key", lambda: "directory known: 1 keys" in
                     nginx.error_log)
            return run_load(self.build / "load", nginx, COUNT)
        finally:
            self.directory.release()
            nginx.stop()

    def steady(self):
        nginx = self.start("/other", {"body": jwks(Key())})
        try:
            wait_for("the known key", lambda: "directory known: 1 keys" in
                     nginx.error_log)
            before = self.directory.count("/known")
            began = time.monotonic()
            result = run_load(self.build / "load", nginx, 4 * COUNT)
            seconds = time.monotonic() - began
            return result, self.directory.count("/known") - before, seconds
        finally:
            nginx.stop()

    def restart(self):
        """Seconds from the start to the first verified request."""
        key = Key()
        state = tempfile.mkdtemp(prefix="wba-bench-state-")
        os.chmod(state, 0o777)
        line = "web_bot_auth_state_path %s;" % state
        self.keys, kept = jwks(key), self.keys
        try:
            nginx = self.start("/other", {}, line, 0)
            wait_for("the state file", lambda: list(
                pathlib.Path(state).glob("known.state")))
            nginx.process.terminate()
            nginx.process.wait()
            self.directory.stop()
            began = time.monotonic()
            nginx.start()
            request = sign(
                Request("GET", "/", "shop.example", "https"),
                Sig(key=key, tag="agent-browser-auth", keyid=key.thumbprint,
                    components=("@authority", "@path")))
            response = fetch(nginx.port(), request)
            seconds = time.monotonic() - began
            assert response.status == 200, (response, nginx.error_log)
            nginx.stop()
            self.directory.start()
            return seconds
        finally:
            self.keys = kept

    def stop(self):
        self.directory.stop()
        self.folder.cleanup()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    bench = Bench(parser.parse_args().build.resolve())
    os.sched_setaffinity(0, {1})    # nginx's worker has the other core
    kinds = troubles()
    rows = {name: [] for name in kinds}
    for round_ in range(ROUNDS):
        for i, (name, manners) in enumerate(kinds.items()):
            rows[name].append(bench.one("/%d-%d" % (round_, i), manners))
            print(".", end="", file=sys.stderr, flush=True)

    calm = statistics.median(r["p99"] for r in rows["undisturbed"])
    print("verified requests while four other directories are in trouble, "
          "us (medians of %d rounds of %d)" % (ROUNDS, COUNT))
    print("%-28s %8s %8s %9s %7s" % ("", "p50", "p99", "longest", "ratio"))
    for name, results in rows.items():
        p50, p99, longest = (statistics.median(r[k] for r in results)
                             for k in ("p50", "p99", "max"))
        print("%-28s %8.0f %8.0f %9.0f %7.2f" % (name, p50, p99, longest,
                                                 p99 / calm))
    result, fetches, seconds = bench.steady()
    print("%d verified requests in %.1f s, refresh 1s: %d fetches" %
          (result["requests"], seconds, fetches))
    print("from nginx's start to the first verified request, directory down, "
          "state file there: %.3f s" % bench.restart())
    bench.stop()


if __name__ == "__main__":
    main()
