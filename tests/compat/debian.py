# SPDX-License-Identifier: BSD-2-Clause
"""What Debian's archive has of nginx, fetched through the machine's own mirror
with apt's state in a folder of ours: its sources, and whole systems to build
in.  Nothing of the machine's configuration is read but the mirror's address,
nothing of it is changed."""

import os
import pathlib
import re
import shutil
import subprocess

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
SUITES = ("bookworm", "bookworm-backports", "trixie", "trixie-backports",
          "sid", "experimental")
SECURED = ("bookworm", "trixie")    # those with a suite of security updates
OLDEST = (1, 22, 0)     # the oldest nginx that is supported


class Missing(Exception):
    """What cannot be had, and why."""


def numbers(version):
    return tuple(int(n) for n in version.split("."))


def run(args, **how):
    """The output; Missing with its last lines where it fails."""
    done = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                          check=False, **how)
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        lines = [n for n in text.splitlines() if n.startswith("E: ")]
        raise Missing(" ".join(lines or text.splitlines()[-3:]) or args[0])
    return text


def mirrors():
    """(the archive's address, that of its security updates)."""
    found = {}
    for line in run(["apt-get", "indextargets", "--format",
                     "$(LABEL) $(REPO_URI)"]).splitlines():
        label, _, address = line.rpartition(" ")
        found.setdefault(label, address.rstrip("/"))
    if "Debian" not in found:
        raise Missing("apt knows no mirror of Debian")
    return found["Debian"], found.get("Debian-Security")


class Sources:
    """nginx's source packages, unpacked below folder; see versions()."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder).resolve()
        self.apt = self.folder / "apt"

    def options(self):
        return ["-o", "Dir::Etc::SourceList=%s/sources.list" % self.apt,
                "-o", "Dir::Etc::SourceParts=-",
                "-o", "Dir::State::Lists=%s/lists" % self.apt,
                "-o", "Dir::Cache=%s/cache" % self.apt,
                # A mirror that lags is good enough to read old sources from.
                "-o", "Acquire::Check-Valid-Until=false"]

    def update(self):
        """Suites that the mirror lacks are left out."""
        archive, security = mirrors()
        for sub in "lists/partial", "cache/archives/partial":
            (self.apt / sub).mkdir(parents=True, exist_ok=True)
        lines = ["%s %s main" % (archive, suite) for suite in SUITES]
        if security:
            lines += ["%s %s-security main" % (security, s) for s in SECURED]
        (self.apt / "sources.list").write_text("".join(
            "deb-src [signed-by=%s] %s\n" % (KEYRING, n) for n in lines))
        subprocess.run(["apt-get", *self.options(), "-qq", "update"],
                       check=False, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def listed(self):
        """{nginx's version: [Debian's versions of it, the newest first]}."""
        if not (self.apt / "sources.list").exists():
            self.update()
        out = run(["apt-cache", *self.options(), "showsrc", "nginx"])
        found = {}
        for debian in re.findall(r"^Version: (\S+)$", out, re.M):
            version = re.match(r"(?:\d+:)?([\d.]+)", debian)[1]
            if numbers(version) >= OLDEST:
                found.setdefault(version, []).append(debian)
        for packages in found.values():
            packages.sort(key=lambda v: [int(n) for n in re.findall(r"\d+", v)],
                          reverse=True)
        return found

    def versions(self):
        """Every version that is listed, the oldest first."""
        return sorted(self.listed(), key=numbers)

    def source(self, version):
        """(folder of the source, Debian's version of it, or "" where only
        nginx's own release can be had)."""
        folder = self.folder / ("nginx-" + version)
        stamp = folder / ".debian-version"
        if stamp.exists():
            return folder, stamp.read_text()
        shutil.rmtree(folder, ignore_errors=True)
        for debian in self.listed()[version]:
            try:
                self.unpack(debian, folder)
                stamp.write_text(debian)
                return folder, debian
            except Missing:
                shutil.rmtree(folder, ignore_errors=True)
        self.release(self.listed()[version][0], version, folder)
        stamp.write_text("")
        return folder, ""

    def fetch(self, debian, *more):
        downloads = self.folder / "downloads"
        downloads.mkdir(parents=True, exist_ok=True)
        run(["apt-get", *self.options(), "-qq", "source", "--download-only",
             *more, "nginx=" + debian], cwd=downloads)
        return downloads

    def unpack(self, debian, folder):
        """With Debian's patches; apt has verified what it downloaded."""
        downloads = self.fetch(debian)
        run(["dpkg-source", "--no-check", "-x",
             downloads / ("nginx_%s.dsc" % debian.split(":")[-1]), folder])

    def release(self, debian, version, folder):
        downloads = self.fetch(debian, "--tar-only")
        found = sorted(downloads.glob("nginx_%s.orig.tar.*z" % version))
        if not found:
            raise Missing("no nginx_%s.orig.tar" % version)
        folder.mkdir(parents=True)
        run(["tar", "-xf", found[0], "-C", folder, "--strip-components=1"])


class Root:
    """A Debian of its own in a folder, to build and test in by chroot."""

    def __init__(self, folder, suite, architecture, packages):
        self.folder = pathlib.Path(folder).resolve()
        self.suite = suite
        self.architecture = architecture
        self.packages = list(packages)

    def make(self):
        """Made once; anew when it shall have other packages."""
        stamp = self.folder / "etc/wba-packages"
        wanted = " ".join(self.packages)
        if stamp.exists() and stamp.read_text() == wanted:
            return
        if os.geteuid() != 0:
            raise Missing("a Debian of its own takes root's rights")
        if not shutil.which("mmdebstrap"):
            raise Missing("mmdebstrap is missing")
        archive, security = mirrors()
        lines = ["deb %s %s main" % (archive, self.suite)]
        if security and self.suite in SECURED:
            try:
                self.install(*lines, "deb %s %s-security main" % (
                    security, self.suite))
            except Missing:     # a mirror may lack those of an architecture
                self.install(*lines)
        else:
            self.install(*lines)
        stamp.write_text(wanted)

    def install(self, *lines):
        self.remove()
        try:
            run(["mmdebstrap", "--quiet", "--variant=essential",
                 "--architectures=" + self.architecture,
                 "--aptopt=Acquire::Check-Valid-Until \"false\"",
                 "--include=" + ",".join(self.packages), self.suite,
                 self.folder, *lines])
        except Missing:
            self.remove()
            raise

    def remove(self):
        if self.folder.exists():
            run(["rm", "-rf", "--one-file-system", self.folder])

    def command(self, script):
        """To be run in it, with /proc and /dev that nobody else sees."""
        inside = ('mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev"'
                  ' && exec chroot "$1" /bin/bash -c "$2"')
        return ["unshare", "--mount", "--fork", "/bin/sh", "-c", inside, "sh",
                str(self.folder), script]

    def copy(self, tree, names):
        """The project's files, to /src; what was built there is kept."""
        src = self.folder / "src"
        src.mkdir(exist_ok=True)
        for name in names:
            if (src / name).is_dir():
                shutil.rmtree(src / name)
            if (tree / name).is_dir():
                shutil.copytree(tree / name, src / name, symlinks=True,
                                ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(tree / name, src / name)
