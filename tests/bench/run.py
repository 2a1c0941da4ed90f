# SPDX-License-Identifier: BSD-2-Clause
"""First measurements: one nginx worker on one core, the client on the other,
everything interleaved in one run, processor time of the worker per request,
printed as ratios.

    limit    = 1 / (time of a plain request + time of one libsodium verify)
    verified = throughput of verified requests / limit
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

SEED = "c6" * 32
PORTS = {"http": 18473}
CONF = """
load_module {module};
daemon off; pid nginx.pid; worker_processes 1; worker_cpu_affinity 01;
error_log logs/error.log crit;
events {{ worker_connections 512; }}
http {{
    access_log off; keepalive_requests 100000000;
    client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3;
    uwsgi_temp_path t4; scgi_temp_path t5;
    open_file_cache max=10;
    web_bot_auth_zone 64m;
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth_directory d {{ url file:{prefix}/keys.json; profile tap; }}
    web_bot_auth_scheme https;
    web_bot_auth_log_level debug;
    server {{
        listen 127.0.0.1:{port}; server_name shop.example;
        root {prefix}/html;
        location /plain {{ }}
        location /denied {{ deny all; }}
        location /on {{ web_bot_auth on; }}
        location /optional {{ web_bot_auth optional; }}
    }}
}}
"""

# name, path, kind, the status every answer must have
CASES = [
    ("plain", "/plain", "plain", "200"),
    ("plain, signed headers ignored", "/plain", "tap", "200"),
    ("plain 403", "/denied", "tap", "403"),
    ("optional, unsigned", "/optional", "plain", "200"),
    ("verified", "/on", "tap", "200"),
    ("forged", "/on", "forged", "403"),
    ("expired", "/on", "expired", "403"),
]


def pin(core):
    """core None: wherever there is room."""
    if core is not None and os.cpu_count() > 1:
        os.sched_setaffinity(0, {core})


def load(binary, core, *args):
    out = subprocess.run([binary, *map(str, args)], check=True,
                         stdout=subprocess.PIPE, preexec_fn=lambda: pin(core))
    return json.loads(out.stdout)


def cpu_seconds(pid):
    """Processor time of a worker so far: other processes on a busy machine
    lengthen the wall time of a request, not this."""
    with open("/proc/%d/schedstat" % pid) as f:
        return int(f.read().split()[0]) / 1e9


def worker_of(master):
    deadline = time.monotonic() + 10
    path = "/proc/%d/task/%d/children" % (master, master)
    while time.monotonic() < deadline:
        with open(path) as f:
            pids = f.read().split()
        if pids:
            return int(pids[0])
        time.sleep(0.05)
    sys.exit("nginx started no worker")


def start_nginx(args, prefix):
    with open(os.path.join(prefix, "nginx.conf"), "w") as f:
        f.write(CONF.format(module=os.path.abspath(
            os.path.join(args.build, "ngx_http_web_bot_auth_module.so")),
            prefix=prefix, port=PORTS["http"]))
    keys = subprocess.run([args.load, "jwk", SEED], check=True,
                          stdout=subprocess.PIPE).stdout
    with open(os.path.join(prefix, "keys.json"), "wb") as f:
        f.write(keys)
    os.mkdir(os.path.join(prefix, "logs"))
    os.mkdir(os.path.join(prefix, "html"))
    for name in ("plain", "denied", "on", "optional"):
        with open(os.path.join(prefix, "html", name), "w") as f:
            f.write("x" * 64)
    os.chmod(prefix, 0o755)
    return subprocess.Popen([args.nginx, "-p", prefix, "-e", "logs/error.log",
                             "-c", "nginx.conf"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build/gcc")
    parser.add_argument("--nginx", default=os.environ.get("NGINX_BINARY",
                                                          "/usr/sbin/nginx"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=20000)
    parser.add_argument("--json")
    args = parser.parse_args()
    args.load = os.path.join(args.build, "load")

    prefix = tempfile.mkdtemp(prefix="wba-bench-")
    nginx = start_nginx(args, prefix)
    times = {name: [] for name, *_ in CASES}
    raw = []
    try:
        worker = worker_of(nginx.pid)
        time.sleep(0.5)
        for _ in range(args.rounds):
            r = load(args.load, 0, "raw", args.requests)
            raw.append(r["seconds"] / r["requests"])
            for name, path, kind, status in CASES:
                before = cpu_seconds(worker)
                r = load(args.load, 1, "http", PORTS["http"], args.requests,
                         32, path, kind, SEED)
                if r["statuses"] != {status: args.requests}:
                    sys.exit("%s: expected %s, got %s" %
                             (name, status, r["statuses"]))
                times[name].append((cpu_seconds(worker) - before)
                                   / r["requests"])
    finally:
        nginx.terminate()
        nginx.wait()
        if not os.environ.get('KEEP'): shutil.rmtree(prefix)

    med = {name: statistics.median(t) for name, t in times.items()}
    verify = statistics.median(raw)
    result = {
        "microseconds": {"raw verify": verify * 1e6,
                         **{n: t * 1e6 for n, t in med.items()}},
        "spread": {n: (max(t) - min(t)) / statistics.median(t)
                   for n, t in [("raw verify", raw), *times.items()]},
        "ratios": {
            "verified / limit": (med["plain"] + verify) / med["verified"],
            "verified / limit (signed headers)":
                (med["plain, signed headers ignored"] + verify)
                / med["verified"],
            "verified / plain": med["plain"] / med["verified"],
            "expired / plain 403": med["plain 403"] / med["expired"],
            "optional unsigned / plain": med["plain"]
            / med["optional, unsigned"],
        },
    }
    for part in ("microseconds", "ratios"):
        print(part)
        for name, value in result[part].items():
            print("  %-36s %8.3f%s" % (name, value, "   spread %4.1f %%" % (
                100 * result["spread"][name]) if part == "microseconds"
                else ""))
    if args.json:
        with open(args.json, "w") as f:
            json.dump(result, f, indent=1)


if __name__ == "__main__":
    main()
