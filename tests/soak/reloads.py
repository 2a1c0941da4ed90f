# SPDX-License-Identifier: BSD-2-Clause
"""Reloads as fast as the master takes them, of a shop and of a plain nginx
beside it: the master's memory is flat."""

import re
import signal
import struct
import time

from harness.nginx import GLOBALS, Nginx, wait_for

from shop import CONF, FILES, anonymous, descriptors, private, reaped

# Over the second half of the reloads, kilobytes more than the plain nginx's
# master grows meanwhile: of 250 reloads, one for each.
FLAT = 256
BLOCKS = 4          # of the heap; one that is forgotten is one for each reload


def without_the_module(conf):
    """The same configuration, but for what is ours."""
    conf = conf.replace("%%DIRECTORIES%%", "").replace("%%ECHO%%", "")
    conf = re.sub(r"web_bot_auth_directory \w+ \{[^}]*\}", "", conf)
    return re.sub(r"(location = /json \{ )?web_bot_auth\w*[^;]*;( \})?",
                  lambda m: "" if m[1] or not m[2] else m[2], conf)


class Heap:
    """What is preloaded, for Nginx(..., names=): shims/heap.c."""

    def __init__(self, library, file):
        self.library, self.file = library, file

    def environment(self):
        return {"WBA_TEST_HEAP": str(self.file)}

    def held(self):
        """(blocks, bytes) that the master holds."""
        return struct.unpack("ll", self.file.read_bytes())


class Master:
    """One nginx that is reloaded again and again."""

    def __init__(self, name, nginx):
        self.name = name
        self.nginx = nginx.start()
        self.sizes = []

    def reload(self):
        """Returns when the master has taken it: the old workers end by
        themselves, some generations at a time."""
        old = self.nginx.workers()
        self.nginx.process.send_signal(signal.SIGHUP)
        wait_for("new workers",
                 lambda: len(self.nginx.workers() - old) >= 2, 60)

    def settle(self):
        wait_for("old workers to end",
                 lambda: reaped(self.nginx), 60)
        pid = self.nginx.process.pid
        blocks, size = self.nginx.names.held()
        self.sizes.append({"heap_blocks": blocks, "heap_bytes": size,
                           "private_kb": private(pid),
                           "anonymous_kb": anonymous(pid),
                           "descriptors": descriptors(pid)})

    def growth(self, what):
        return self.sizes[-1][what] - self.sizes[len(self.sizes) // 2][what]


def run(count, binary, module, values, complain, over, shim, folder):
    """count reloads of each; what came of it.  over: an event that ends it
    early, which is a finding."""
    usual = {**values, "DRY": "off", "FILE": "",
             "STORE": "shared", "GLOBALS": GLOBALS.replace("info;", "notice;")}
    masters = []
    began = time.monotonic()
    try:
        for name, library, conf in (
                ("module", module, CONF),
                ("plain", None, without_the_module(CONF))):
            masters.append(Master(name, Nginx(
                binary, library, conf, FILES, Heap(shim, folder / name),
                **usual)))
        for master in masters:
            for _ in range(3):
                master.reload()
            master.settle()
        for part in range(10):
            for _ in range(count // 10):
                for master in masters:
                    master.reload()
                if over.is_set():
                    complain("reloads: no time for %d" % count)
                    return {"reloads": part * (count // 10)}
            for master in masters:
                master.settle()
        return verdict(masters, count // 10 * 10, complain,
                       time.monotonic() - began)
    finally:
        for master in masters:
            try:
                master.nginx.stop()
            except AssertionError as failure:
                complain("reloads, %s: %s" % (master.name, failure))


def verdict(masters, count, complain, seconds):
    module, plain = masters
    more = {what: module.growth(what) - max(plain.growth(what), 0)
            for what in ("private_kb", "anonymous_kb")}
    for what, kb in more.items():
        if kb > FLAT:
            complain("the master grew by %d KB in the second half of %d "
                     "reloads, a plain one by %d (%s)" % (
                         module.growth(what), count, plain.growth(what), what))
    blocks = module.growth("heap_blocks") - plain.growth("heap_blocks")
    if blocks > BLOCKS:
        complain("the master holds %d blocks of its heap more after the "
                 "second half of %d reloads, a plain one %d" % (
                     module.growth("heap_blocks"), count,
                     plain.growth("heap_blocks")))
    more["heap_blocks"] = blocks
    if module.growth("descriptors") > 0:
        complain("the master has %d descriptors more after the second half "
                 "of %d reloads" % (module.growth("descriptors"), count))
    return {"reloads": count, "seconds": round(seconds, 1), "flat_kb": FLAT,
            "more_than_plain": more,
            **{m.name: m.sizes for m in masters}}
