#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Builds Debian's nginx with ASan, with every allocation from a pool as one of
malloc's, so that overruns of pool memory are seen; with the options that
Debian's own was built with, but for modules that it loads.  Prints the program, or why it cannot be had (status
3)."""

import os
import pathlib
import re
import shlex
import subprocess
import sys

import debian

def described():
    """(nginx's version, the options it was built with)."""
    text = subprocess.run(["nginx", "-V"], stderr=subprocess.PIPE,
                          check=True).stderr.decode()
    words = shlex.split(text.partition("configure arguments:")[2])
    return re.search(r"nginx/([\d.]+)", text)[1], [
        w for w in words
        if not w.startswith(("--with-cc-opt", "--with-ld-opt"))
        and not w.endswith("=dynamic")]


def build(folder):
    version, options = described()
    source, package = debian.Sources(folder).source(version)
    objs = folder / "nginx-asan"
    nginx = objs / "nginx"
    if nginx.exists():
        return nginx
    if not package:
        print("without Debian's patches, which the mirror lacks",
              file=sys.stderr)
    objs.mkdir(parents=True, exist_ok=True)
    debian.run([
        "./configure", "--builddir=%s" % objs,
        "--with-cc-opt=-O1 -g -fno-omit-frame-pointer -fsanitize=address "
        "-DNGX_DEBUG_PALLOC=1", "--with-ld-opt=-fsanitize=address",
        *options], cwd=source)
    debian.run(["make", "-j%d" % os.cpu_count(), "-f", objs / "Makefile"],
               cwd=source)
    return nginx


def main():
    try:
        print(build(pathlib.Path(sys.argv[1]).resolve()))
    except debian.Missing as why:
        print("skipped: nginx's source cannot be had: %s" % why,
              file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
