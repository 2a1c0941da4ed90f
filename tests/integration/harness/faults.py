# SPDX-License-Identifier: BSD-2-Clause
"""Calls that fail in an nginx that has shims/faults.c preloaded: the nth from
when the test says so, in the process that it names."""

import contextlib
import mmap
import pathlib
import re
import struct
import subprocess

from .names import Names

POOL, HEAP, CALLS = 1, 2, 4
EVERYWHERE, MODULE = 0, 1
CHILDREN, MASTER = -1, -2
SAME_PLACE = 2

# control_t of shims/faults.c
ASKED = struct.Struct("=IIiiQIi32s")
TOLD = struct.Struct("=QQqii3968s")
SITE = struct.Struct("=Q24s")
SITES = 16384
SIZE = ASKED.size + TOLD.size + SITES * SITE.size


def text_of(data):
    return data.partition(b"\0")[0].decode("latin-1")


class Faults(Names):
    """As names, for serve(..., names=faults); with names.c behind it."""

    def __init__(self, library, names_library, module):
        super().__init__("%s %s" % (library, names_library))
        self.module = module
        self.path = self.dir / "faults"
        self.path.write_bytes(bytes(SIZE))
        self.path.chmod(0o666)
        with open(self.path, "r+b") as f:
            self.memory = mmap.mmap(f.fileno(), SIZE)
        self.tracked = 0

    def environment(self):
        return {**super().environment(), "WBA_TEST_FAULTS": str(self.path)}

    def close(self):
        self.memory.close()
        super().close()

    # What is asked for

    def ask(self, families, pid=0, scope=MODULE, at=0, onward=False, only="",
            error=0):
        """Calls of families count from now on; the one numbered `at` fails,
        and with onward those that follow (SAME_PLACE: that the module makes
        there)."""
        ASKED.pack_into(self.memory, 0, 0, scope, pid, error, at, onward,
                        self.tracked, only.encode())
        struct.pack_into("=QQ", self.memory, ASKED.size, 0, 0)
        self.memory[0:4] = struct.pack("=I", families)

    def rest(self):
        """Nothing fails any more."""
        self.memory[0:4] = bytes(4)

    @contextlib.contextmanager
    def failing(self, families, **how):
        self.ask(families, **how)
        try:
            yield self
        finally:
            self.rest()

    def track(self, pid):
        """Counts the blocks that this process takes from the heap."""
        self.tracked = pid
        struct.pack_into("=i", self.memory, 28, pid)
        struct.pack_into("=q", self.memory, ASKED.size + 16, 0)

    # What is told

    def told(self):
        return TOLD.unpack_from(self.memory, ASKED.size)

    @property
    def seen(self):
        return self.told()[0]

    @property
    def failed(self):
        return self.told()[1]

    @property
    def live(self):
        """Blocks, more (or fewer) than when track() was called."""
        return self.told()[2]

    @property
    def redirected(self):
        """Entries of the module's table that were changed."""
        return self.told()[4]

    def site(self, number):
        """(name, address in the module or 0) of a call that counted, from 1.
        """
        if number > SITES:
            return "", 0
        at, name = SITE.unpack_from(
            self.memory, ASKED.size + TOLD.size + (number - 1) * SITE.size)
        return text_of(name), at

    def stack(self):
        """Of the call that failed, for words()."""
        return text_of(self.told()[5])

    def words(self, stack):
        """The call that failed, and the functions above it."""
        lines = stack.splitlines()
        if not lines:
            return "nothing"
        named = []
        for line in lines[1:]:
            m = re.match(r"(\S+)\+(0x[0-9a-f]+) ?(\S*)", line)
            if m and "faults.so" not in m[1]:
                named.append(self.function(m[1], int(m[2], 16)) or m[3])
        return lines[0].split()[0] + " < " + " < ".join(
            n for n in named[:14] if n)

    def function(self, file, at):
        """The module's function at an address, or nothing."""
        if file != pathlib.Path(self.module).name:
            return ""
        done = subprocess.run(
            ["addr2line", "-f", "-i", "-e", str(self.module), hex(at - 1)],
            capture_output=True, text=True, check=False)
        found = done.stdout.splitlines()
        return " < ".join(
            "%s:%s" % (name.replace("ngx_http_", ""), line.rpartition(":")[2])
            for name, line in zip(found[::2], found[1::2]))
