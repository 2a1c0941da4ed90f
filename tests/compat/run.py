#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Builds the module against every nginx that can be had, in several ways, and
runs a part of the integration tests with each: `make compat`.

"system": another release or architecture of Debian in a folder of its own,
with its nginx, compilers and libraries; the packages are made, installed and
purged there.  "source": nginx itself is built, from Debian's source package or,
where that has gone from the mirror, from nginx's release; with the module in
it or beside it.  HTTP/3 is spoken by Debian 13's curl.  What cannot be had is
skipped, with the reason.  results.json in the build folder keeps how each row
came out last; --docs puts them into docs/compatibility.md."""

import argparse
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import debian
from debian import Missing

MODULE = "ngx_http_web_bot_auth_module.so"
ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/compatibility.md"
TREE = ("src", "tests", "config", "conf.example", "docs", "Makefile",
        "README.md", "LICENSE")
JOBS = str(os.cpu_count())
SMOKE = ("(test_verify or test_outcomes or test_http2 or test_reload or "
         "test_content_digest or test_challenge) and not test_races")

# What the tests have nginx do.
USUAL = ("--with-http_ssl_module --with-http_v2_module "
         "--with-http_realip_module --with-http_auth_request_module "
         "--with-http_dav_module --with-http_stub_status_module "
         "--with-http_addition_module --with-http_gunzip_module "
         "--with-http_sub_module --with-http_slice_module "
         "--with-stream=dynamic").split()
WARNINGS = ("-O2 -g -Wall -Wextra -Wshadow -Wno-unused-parameter -Wno-psabi "
            "-Werror -fstack-protector-strong -Wformat "
            "-Werror=format-security -D_FORTIFY_SOURCE=2")

COMPAT = "module, --with-compat"

# name, compiler, whether the module is built in, options beside USUAL
FLAVOURS = (
    ("module", "gcc", False, ()),
    (COMPAT, "clang", False, ("--with-compat",)),
    ("module, --with-compat, debug, threads", "gcc", False,
     ("--with-compat", "--with-debug", "--with-threads", "--with-file-aio")),
    ("built in", "clang", True, ()),
    ("built in, debug, threads, HTTP/3", "gcc", True,
     ("--with-debug", "--with-threads", "--with-file-aio",
      "--with-http_v3_module")),
)
# Without PCRE, TLS, HTTP/2; the tests that need none of them.
BARE = ("built in, bare", "gcc", True, (
    "--without-pcre", "--without-http_rewrite_module",
    "--without-http_gzip_module", "--without-http-cache",
    "--with-stream=dynamic"))
BARE_TESTS = ("tests/integration/test_keepalive.py",
              "tests/integration/test_rules.py")
# The module of COMPAT in the nginx of another, as who has an nginx of others'
# builds it: from the source, with no options but --with-compat.
BESIDE = ("module of --with-compat alone, nginx with debug, threads",
          "module, --with-compat, debug, threads")
HTTP3_TESTS = "tests/compat/test_http3.py"

# name, suite, architecture, compilers
SYSTEMS = (
    ("Debian 13", "trixie", "amd64", ("gcc", "clang")),
    ("Debian unstable", "sid", "amd64", ("gcc", "clang")),
    ("Debian 12, 32-bit", "bookworm", "i386", ("gcc", "clang")),
)

HEAD = ("nginx", "from", "how", "compiler", "tests that passed", "day")
FAILED = "FAILED: "


class Failed(Exception):
    pass


def output(args, log=None, **how):
    """(exit status, what was printed)."""
    done = subprocess.run([str(a) for a in args], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                          check=False, **how)
    if log:
        log.write_bytes(done.stdout)
    return done.returncode, done.stdout.decode("utf-8", "replace")


def step(args, log, **how):
    """What it printed, which is in log too."""
    status, text = output(args, log, **how)
    if status:
        errors = re.findall(r".*(?:error|undefined|FAILED).*", text)
        raise Failed("%s: %s" % (log, " ".join(errors[:3]) or text[-300:]))
    return text


def tested(args, log, **how):
    """pytest: how many passed, which must be all there are."""
    status, text = output(args, log, **how)
    passed = re.search(r"(\d+) passed", text)
    if status or not passed or re.search(r"\d+ skipped", text):
        failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", text, re.M)
        raise Failed("%s: %s" % (log, " ".join(failed[:5]) or text[-300:]))
    return int(passed[1])


def pytest(chosen, *more):
    return ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider",
            "-n", JOBS, "--dist", "loadfile", "--tb=short", *more,
            *(["-k", chosen] if chosen else [])]


def named(cc, text):
    """The compiler and its version, as "gcc 12.2"."""
    return "%s %s" % (cc, re.search(r"(\d+\.\d+)\.\d+", text)[1])


# ---- nginx from source

class Source:
    """One version of nginx; package: Debian's version of it, or ""; curl:
    one that speaks HTTP/3, or None."""

    def __init__(self, build, version, folder, package, shims):
        self.build = build / "nginx"
        self.curl = http3_curl(build)
        self.version = version
        self.folder = folder
        self.package = package
        self.shims = shims

    def flavours(self):
        http3 = debian.numbers(self.version) >= (1, 25, 0)
        for name, cc, built_in, options in (*FLAVOURS, BARE):
            if "--with-http_v3_module" in options and not http3:
                name = name.replace(", HTTP/3", "")
                options = options[:-1]
            yield name, cc, built_in, options

    def compile(self, objs, cc, built_in, options):
        """nginx without optimisation, for time's sake; the module's own files
        with it, and with the project's warnings."""
        objs.mkdir(parents=True, exist_ok=True)
        step(["./configure", "--builddir=%s" % objs, "--with-cc=" + cc,
              "--with-cc-opt=-O0 -fPIC", "--add-%s=%s" % (
                  "module" if built_in else "dynamic-module", ROOT),
              *options], objs / "configure.log", cwd=self.folder)
        makefile = objs / "Makefile"
        makefile.write_text("%s\n%s/addon/%%.o: CFLAGS += %s\n" % (
            makefile.read_text(), objs, WARNINGS))
        text = step(["make", "-j" + JOBS, "-f", makefile], objs / "make.log",
                    cwd=self.folder)
        if "warning:" in text:
            raise Failed("%s/make.log has warnings" % objs)

    def loads_others(self, objs):
        """Another module finds nginx's symbols; also where ours is in it."""
        with tempfile.TemporaryDirectory(prefix="wba-compat-") as folder:
            os.mkdir(os.path.join(folder, "logs"))
            pathlib.Path(folder, "nginx.conf").write_text(
                "load_module %s/ngx_stream_module.so;\npid logs/pid;\n"
                "events {}\nstream { server { listen 127.0.0.1:9; "
                "return x; } }\n" % objs)
            step([objs / "nginx", "-p", folder, "-e", "logs/error.log", "-c",
                  "nginx.conf", "-t"], objs / "other.log")

    def exports(self, module):
        names = sorted(re.findall(r" (\w+)$", output(
            ["nm", "-D", "--defined-only", module])[1], re.M))
        if names != ["ngx_module_names", "ngx_module_order", "ngx_modules"]:
            raise Failed("%s exports %s" % (module, names))

    def objs(self, name):
        return self.build / ("%s-%s" % (
            self.version, re.sub(r"\W+", "-", name)))

    def row(self, name, cc, result):
        return (self.version, "Debian's source %s" % self.package
                if self.package else "nginx's release " + self.version, name,
                named(cc, output([cc, "--version"])[1]), result)

    def rows(self):
        for name, cc, built_in, options in self.flavours():
            if name != BARE[0]:
                options = (*USUAL, *options)
            yield self.row(name, cc, lambda: self.result(
                self.objs(name), cc, built_in, options))
            if name == BESIDE[1]:
                yield self.row(BESIDE[0], "clang", lambda: self.tests(
                    self.objs(name) / "nginx", self.objs(COMPAT) / MODULE,
                    self.objs(COMPAT) / "beside.log"))

    def tests(self, nginx, module, log, *args):
        return "%d tests" % tested(
            args or pytest(SMOKE, "tests/integration"), log, cwd=ROOT, env={
                **os.environ, "NGINX_BINARY": str(nginx),
                "MODULE": str(module), "SHIMS": str(self.shims),
                "CURL": str(self.curl or ""),
                "PYTHONDONTWRITEBYTECODE": "1"})

    def result(self, objs, cc, built_in, options):
        self.compile(objs, cc, built_in, options)
        self.loads_others(objs)
        module = ""
        if not built_in:
            module = objs / MODULE
            self.exports(module)
        log = objs / "tests.log"
        if "--without-pcre" in options:
            return self.tests(objs / "nginx", module, log,
                              *pytest("", *BARE_TESTS))
        result = self.tests(objs / "nginx", module, log)
        if "--with-http_v3_module" in options:
            if not self.curl:
                raise Failed("no curl speaks HTTP/3 here")
            result += ", %s over HTTP/3" % self.tests(
                objs / "nginx", module, objs / "http3.log",
                *pytest("", HTTP3_TESTS)).split()[0]
        return result


def http3_curl(build):
    """That of Debian 13's folder, with its libraries; None without."""
    libraries = build / "root-trixie-amd64/usr/lib/x86_64-linux-gnu"
    loader = libraries / "ld-linux-x86-64.so.2"
    if not loader.exists():
        return None
    curl = build / "curl"
    curl.write_text('#!/bin/sh\nexec %s --library-path %s %s "$@"\n' % (
        loader, libraries, libraries.parents[1] / "bin/curl"))
    curl.chmod(0o755)
    return curl


def sources(build, only, shims):
    had = debian.Sources(build)
    try:
        had.update()
        listed = had.versions()
    except Missing as why:
        skip("nginx from source", why)
        return
    for version in listed:
        if only and version not in only:
            continue
        try:
            folder, package = had.source(version)
        except Missing as why:
            skip("nginx %s from source" % version, why)
            continue
        yield from Source(build, version, folder, package, shims).rows()


# ---- whole systems

class System:
    def __init__(self, build, name, root, compilers):
        self.name = name
        self.root = root
        self.compilers = compilers
        self.logs = build / "logs" / root.folder.name
        self.logs.mkdir(parents=True, exist_ok=True)

    def inside(self, run, script, log):
        """run (output, step or tested) with the root's /src as folder, and
        without what make has put into the environment."""
        env = {k: v for k, v in os.environ.items()
               if k in ("PATH", "HOME", "LANG", "TMPDIR")}
        return run(self.root.command("cd /src && " + script),
                   self.logs / (log + ".log"), env={
                       **env, "VECTORS": "skip",
                       "PYTHONDONTWRITEBYTECODE": "1"})

    def rows(self):
        self.root.make()
        self.root.copy(ROOT, TREE)
        version = re.search(r"nginx/([\d.]+)", self.inside(
            step, "nginx -v 2>&1", "version"))[1]
        for cc in self.compilers:
            yield (version, self.name, "module, Debian's options",
                   named(cc, self.inside(step, cc + " --version", "version")),
                   lambda: self.result(cc))

    def http3(self):
        return self.inside(output, "nginx -V 2>&1 | grep -q http_v3_module "
                           "&& curl -V | grep -q HTTP3", "http3")[0] == 0

    def result(self, cc):
        make = "make -j%s FLAVOUR=%s " % (JOBS, cc)
        shims = " ".join("/src/build/%s/tests/%s.so" % (cc, name)
                         for name in ("names", "trust", "faults"))
        text = self.inside(step, make + "all " + shims, cc + "-build")
        if "warning:" in text:
            raise Failed("%s-build.log has warnings" % cc)
        text = self.inside(step, make + "unit", cc + "-unit")
        units = sum(int(n) for n in re.findall(r"(\d+) test\(s\)\.", text))
        files = "MODULE=build/%s/ngx_http_web_bot_auth_module.so " \
                "WBA=build/%s/wba " % (cc, cc)
        quoted = " ".join(pytest("", "tests/integration"))
        result = "%d unit tests, %d tests" % (units, self.inside(
            tested, files + quoted + " -k '%s'" % SMOKE, cc + "-tests"))
        if self.http3():
            quoted = " ".join(pytest("", HTTP3_TESTS))
            result += ", %d over HTTP/3" % self.inside(
                tested, files + quoted, cc + "-http3")
        return result + (self.packages() if cc == "gcc" else "")

    def packages(self):
        """Not upgraded: no service is restarted in a chroot."""
        names = "libnginx-mod-http-web-bot-auth web-bot-auth-tools"
        self.inside(step, "make deb && cd build/deb && dpkg -i $(for n in %s; "
                    "do echo ${n}_*.deb; done) && nginx -t && wba --version "
                    "&& dpkg --purge %s && nginx -t" % (names, names),
                    "packages")
        return ", packages installed and purged"


def systems(build, only, packages):
    for name, suite, architecture, compilers in SYSTEMS:
        if only and suite not in only and architecture not in only:
            continue
        root = debian.Root(build / ("root-%s-%s" % (suite, architecture)),
                           suite, architecture, packages)
        try:
            yield from System(build, name, root, compilers).rows()
        except Missing as why:
            skip(name, why)


# ---- all of it

def skip(what, why):
    print("skipped: %s: %s" % (what, why), flush=True)


class Results:
    """The rows, each as it came out last, with the day."""

    def __init__(self, path):
        self.path = path
        self.rows = json.loads(path.read_text()) if path.exists() else {}

    def add(self, row):
        today = str(datetime.date.today())
        key = "%s | %s | %s" % (row[1], row[2], row[3].split()[0])
        self.rows[key] = [*row, today]
        self.path.write_text(json.dumps(self.rows, indent=1) + "\n")

    def failed(self):
        return sum(FAILED in row[-2] for row in self.rows.values())

    def write_page(self):
        """Whole systems first."""
        rows = sorted(self.rows.values(),
                      key=lambda row: not row[1].startswith("Debian "))
        table = "".join("| %s |\n" % " | ".join(row) for row in (
            HEAD, ["---"] * len(HEAD), *rows))
        page, n = re.subn(r"(?s)\| nginx \|.*?\n\n", lambda _: table + "\n",
                          PAGE.read_text(), count=1)
        assert n, "no table in " + str(PAGE)
        PAGE.write_text(page)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build/compat")
    parser.add_argument("--shims", required=True,
                        help="folder of those that were built")
    parser.add_argument("--packages", required=True, help="of a system")
    parser.add_argument("--only", default="", help="versions, suites, "
                        "architectures; without it, all")
    parser.add_argument("--docs", action="store_true")
    args = parser.parse_args()
    build = pathlib.Path(args.build).resolve()
    build.mkdir(parents=True, exist_ok=True)
    only = args.only.split()
    results = Results(build / "results.json")
    rows = failures = 0
    for kind in (systems(build, only, args.packages.split()),
                 sources(build, only, pathlib.Path(args.shims).resolve())):
        for *row, result in kind:
            print(" | ".join(row), end=" | ", flush=True)
            try:
                row.append(result())
            except Failed as why:
                row.append(FAILED + str(why))
                failures += 1
            print(row[-1], flush=True)
            rows += 1
            results.add(row)
    print("%d built and tested, %d failed" % (rows - failures, failures))
    if args.docs and not results.failed():
        results.write_page()
    return 1 if failures or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
