# SPDX-License-Identifier: BSD-2-Clause
"""What names mean, and where connections go, for an nginx that has
shims/names.c preloaded.

A host that a test lets be on the Internet has an address that only looks
public: connect() takes it to the directory on loopback, and anything that is
not mapped to nowhere."""

import pathlib
import tempfile

PUBLIC = "93.184.216.34"
OTHER_PUBLIC = "151.101.1.69"


class Names:
    """hosts: name -> lines' rest ("MS ADDR,..."), used in turn; mapped:
    "ADDR:PORT" -> "ADDR:PORT" on loopback; ahead: seconds of the clock;
    wall: of the time of day."""

    def __init__(self, library):
        self.library = library
        self.folder = tempfile.TemporaryDirectory(prefix="wba-test-names-")
        self.dir = pathlib.Path(self.folder.name)
        self.dir.chmod(0o755)
        self.log = self.dir / "connects"
        self.log.touch()
        self.log.chmod(0o666)   # workers write it, whoever they are
        self.hosts = {}
        self.mapped = {}
        self.ahead = 0
        self.wall = 0
        self.write()

    def environment(self):
        return {"WBA_TEST_NAMES": str(self.dir / "table"),
                "WBA_TEST_CONNECTS": str(self.log)}

    def write(self):
        lines = ["%s %s" % (host, rest) for host, turns in self.hosts.items()
                 for rest in turns]
        lines += ["map %s %s" % pair for pair in self.mapped.items()]
        lines += ["clock %d" % self.ahead, "wall %d" % self.wall]
        new = self.dir / "table.new"
        new.write_text("\n".join(lines) + "\n")
        new.chmod(0o644)
        new.rename(self.dir / "table")

    def host(self, name, *turns, delay=0):
        """Each turn: addresses with commas between, or "-"."""
        self.hosts[name] = ["%d %s" % (delay, turn) for turn in turns]
        self.write()

    def map(self, address, server, port=443):
        """Connections to address and port go to a Directory."""
        self.mapped["%s:%d" % (address, port)] = "127.0.0.1:%d" % server.port
        self.write()

    def advance(self, seconds):
        """The monotonic clock jumps; what is being fetched meanwhile runs
        into its time limit, and the lease for it ends."""
        self.ahead += seconds
        self.write()

    def turn(self, seconds):
        """The time of day jumps."""
        self.wall += seconds
        self.write()

    def noted(self, what):
        return [line.split()[1] for line in
                self.log.read_text().splitlines() if line.startswith(what)]

    def connects(self):
        """ADDR:PORT of every connection that was tried."""
        return self.noted("connect ")

    def lookups(self, host):
        return self.noted("lookup ").count(host)

    def close(self):
        self.folder.cleanup()
