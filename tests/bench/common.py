# SPDX-License-Identifier: BSD-2-Clause
"""What the benchmarks share: cores, the load generator, processor times."""

import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))

SEED = "c6" * 32

# Whose code a file holds: a part of its path, and the name it goes by here.
OWNERS = (
    ("ngx_http_web_bot_auth_module", "ours"),
    ("/stages", "ours"),        # core, with what drives it
    ("ngx_http_bench_module", "bench"),
    ("libsodium", "libsodium"),
    ("libcrypto", "libcrypto"),
    ("libc.so", "libc"),
    ("vdso", "libc"),
    ("/nginx", "nginx"),
    ("kernel", "kernel"),
)

CORES = sorted(os.sched_getaffinity(0))
SERVER = CORES[0]               # where workers run
CLIENT = CORES[-1]              # the load; the same where there is but one
APART = SERVER != CLIENT


def owner(path):
    for part, name in OWNERS:
        if part in path:
            return name
    return "other"


def affinity(core):
    """A core as worker_cpu_affinity has it."""
    return bin(1 << core)[2:]


def on(core):
    """For preexec_fn; None: wherever there is room."""
    def pin():
        os.sched_setaffinity(0, {core} if core is not None else CORES)
    return pin


def load(binary, core, *args):
    out = subprocess.run([str(binary), *map(str, args)], check=True,
                         stdout=subprocess.PIPE, preexec_fn=on(core),
                         timeout=120)
    return json.loads(out.stdout)


def cpu_seconds(pid):
    """Processor time of a process's first thread so far: other processes on a
    busy machine lengthen the wall time of a request, not this."""
    with open("/proc/%d/schedstat" % pid) as f:
        return int(f.read().split()[0]) / 1e9
