# SPDX-License-Identifier: BSD-2-Clause
"""What the processes take: peaks while all goes on, and sizes at moments when
nothing does.  And the log, in which nothing may be that was not caused."""

import re
import threading
import time

from harness.nginx import BAD

from shop import anonymous

# Kilobytes and descriptors, each with what they are made of.
WORKER_PEAK = 40 * 1024     # 80 connections, bodies of 240 KB, a set of 2 MB
                            # that is no JSON
WORKER_GROWTH = 512         # while one worker serves on, warm already
WORKER_FDS = 200            # 20 clients, their upstreams and files, and its own
FDS_GROWTH = 2              # between two moments of rest: a cached connection
MASTER_GROWTH = 2048        # over all reloads under traffic

EXPECTED = {
    "a worker that was killed": re.compile(
        r"worker process \d+ exited on signal 9"),
    "a reload that was refused": re.compile(
        r'unknown directive "web_bot_auth_nonsense"'),
}


class Watch:
    """Looks once a second."""

    def __init__(self, shops):
        self.shops = shops
        self.over = threading.Event()
        self.peaks = {s.name: {"master_kb": 0, "master_fds": 0, "worker_kb": 0,
                               "worker_fds": 0, "processes": 0}
                      for s in shops}
        self.moments = []
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.over.wait(1):
            for shop in self.shops:
                self.look(shop)

    def look(self, shop):
        peak = self.peaks[shop.name]
        usage = shop.usage()
        peak["processes"] = max(peak["processes"], len(usage))
        for is_master, kb, fds in usage.values():
            who = "master" if is_master else "worker"
            peak[who + "_kb"] = max(peak[who + "_kb"], kb)
            peak[who + "_fds"] = max(peak[who + "_fds"], fds)

    def rest(self, name):
        """Notes a moment at which nothing goes on."""
        moment = {"moment": name, "time": time.time()}
        for shop in self.shops:
            usage = shop.usage().values()
            nonces = shop.status()["nonces"]
            workers = [(kb, fds) for master, kb, fds in usage if not master]
            moment[shop.name] = {
                "master_kb": anonymous(shop.nginx.process.pid),
                "master_fds": sum(f for master, _, f in usage if master),
                "worker_kb": max(kb for kb, _ in workers),
                "worker_fds": max(fds for _, fds in workers),
                "nonces": nonces["live"],
            }
        self.moments.append(moment)
        return moment

    def stop(self):
        self.over.set()
        self.thread.join()


def growth(watch, complain, storm, calm):
    """storm, calm: names of the moments before and after each."""
    moments = {m["moment"]: m for m in watch.moments}
    for shop in watch.shops:
        peak = watch.peaks[shop.name]
        if peak["worker_kb"] > WORKER_PEAK:
            complain("a worker of %s had %d KB" % (shop.name,
                                                   peak["worker_kb"]))
        if peak["worker_fds"] > WORKER_FDS:
            complain("a worker of %s had %d descriptors" % (
                shop.name, peak["worker_fds"]))
        before, after = (moments[m][shop.name] for m in storm)
        if after["master_kb"] - before["master_kb"] > MASTER_GROWTH:
            complain("the master of %s grew from %d to %d KB" % (
                shop.name, before["master_kb"], after["master_kb"]))
        if after["master_fds"] - before["master_fds"] > FDS_GROWTH:
            complain("the master of %s had %d descriptors, now %d" % (
                shop.name, before["master_fds"], after["master_fds"]))
        before, after = (moments[m][shop.name] for m in calm)
        if after["worker_kb"] - before["worker_kb"] > WORKER_GROWTH:
            complain("a worker of %s grew from %d to %d KB" % (
                shop.name, before["worker_kb"], after["worker_kb"]))
        if after["worker_fds"] - before["worker_fds"] > FDS_GROWTH:
            complain("a worker of %s had %d descriptors, now %d" % (
                shop.name, before["worker_fds"], after["worker_fds"]))


def nonces_remembered(name, live, least, most, complain):
    """The table holds what was recorded and may still be sent, and no more."""
    if not least <= live <= most:
        complain("%s remembers %d nonces, not %d to %d" % (name, live, least,
                                                           most))


def read_log(nginx, counts, complain):
    """counts: how often each of EXPECTED may be there."""
    found = dict.fromkeys(EXPECTED, 0)
    output = nginx.dir / "logs/output"
    lines = nginx.error_log.splitlines() \
        + output.read_text("latin-1").splitlines()
    for line in lines:
        if not BAD.search(line):
            continue
        name = next((n for n, e in EXPECTED.items() if e.search(line)), None)
        if name is None:
            complain("the log: " + line[:300])
        else:
            found[name] += 1
    output_also = 2     # what is refused is said to both
    for name, count in found.items():
        if count > counts[name] * (output_also if "reload" in name else 1):
            complain("the log tells %d times of %s, which was done %d times"
                     % (count, name, counts[name]))
    return found
