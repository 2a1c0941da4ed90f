# SPDX-License-Identifier: BSD-2-Clause
"""How far a run can be trusted: what else the machine did meanwhile."""

import os
import platform
import re
import resource
import subprocess

TICKS = os.sysconf("SC_CLK_TCK")

# Shares of one core, and of a ratio's median, beyond which figures are doubtful.
STEAL = 0.02
OTHERS = 0.05
WAITED = 0.03
SPREAD = 0.05


def stat():
    """Seconds of all cores so far: (busy, stolen)."""
    with open("/proc/stat") as f:
        ticks = [int(n) for n in f.readline().split()[1:]]
    user, nice, system, _, _, irq, softirq, steal = ticks[:8]
    return ((user + nice + system + irq + softirq) / TICKS, steal / TICKS)


def used(pid):
    """Processor time of a process with all its threads."""
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def private_kb(pid):
    """What a process has to itself, without what it shares."""
    with open("/proc/%d/status" % pid) as f:
        return int(re.search(r"RssAnon:\s+(\d+)", f.read())[1])


def rusage():
    total = 0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        u = resource.getrusage(who)
        total += u.ru_utime + u.ru_stime
    return total


class Watch:
    """From its making to stop(): what others than ours have used."""

    def __init__(self, pids, clock):
        self.pids = pids
        self.clock = clock
        self.begun = clock()
        self.first = self.sample()

    def sample(self):
        return (*stat(), rusage() + sum(map(used, self.pids)))

    def stop(self):
        seconds = self.clock() - self.begun
        busy, steal, ours = (b - a for a, b in zip(self.first, self.sample()))
        return {"seconds": seconds, "steal": steal / seconds,
                "others": max(0.0, busy - ours) / seconds}


def doubts(watched, waited, spreads):
    """Why a run is not to be trusted; empty: it is."""
    found = []
    if watched["steal"] > STEAL:
        found.append("the host took %.1f %% of a core away"
                     % (100 * watched["steal"]))
    if watched["others"] > OTHERS:
        found.append("other processes used %.1f %% of a core"
                     % (100 * watched["others"]))
    if waited > WAITED:
        found.append("workers were ready and did not run for %.1f %% of the "
                     "time" % (100 * waited))
    wide = [name for name, s in spreads.items() if s > SPREAD]
    if wide:
        found.append("the middle half of the rounds is wider than %d %% of "
                     "the median for %d of %d ratios with a budget: %s"
                     % (100 * SPREAD, len(wide), len(spreads),
                        ", ".join(wide[:5]) + (", ..." if wide[5:] else "")))
    return found


def command(*words):
    out = subprocess.run(words, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, check=False)
    return out.stdout.decode("latin-1").strip()


def package(name):
    return command("dpkg-query", "-W", "-f=${Version}", name)


def machine(nginx):
    """What it was measured on."""
    with open("/proc/cpuinfo") as f:
        info = f.read()
    with open("/proc/meminfo") as f:
        memory = int(re.search(r"MemTotal:\s+(\d+)", f.read())[1])
    virtual = "hypervisor" in re.search(r"^flags.*", info, re.M)[0] \
        if "flags" in info else None
    model = re.search(r"model name\s*: (.*)", info)
    return {"processor": model[1] if model else platform.machine(),
            "cores": os.cpu_count(), "virtual": virtual,
            "memory_gb": round(memory / 2 ** 20),
            "kernel": platform.release(),
            "nginx": command(nginx, "-v").rpartition("/")[2],
            "libsodium": package("libsodium23"),
            "openssl": package("libssl3"),
            "compiler": command("gcc", "-dumpfullversion")}
