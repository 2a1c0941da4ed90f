# SPDX-License-Identifier: BSD-2-Clause
"""docs/dependencies.md names what the binaries need and the Makefile installs,
and nothing else."""

import os
import pathlib
import re
import subprocess

from harness.nginx import SANITIZED

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/dependencies.md").read_text()
MODULE = os.environ.get("MODULE", str(
    ROOT / "build/gcc/ngx_http_web_bot_auth_module.so"))
WBA = os.environ.get("WBA", str(ROOT / "build/gcc/wba"))


def needed(path):
    """Without what the sanitizers need themselves."""
    out = subprocess.run(["readelf", "-d", path], check=True,
                         stdout=subprocess.PIPE).stdout.decode()
    return {n for n in re.findall(r"NEEDED.*\[(.*)\]", out)
            if "asan" not in n and "ubsan" not in n
            and not (SANITIZED and n.startswith("libm."))}


def test_libraries():
    named = set(re.findall(r"`(lib\w+\.so\.[\d.]+)`", TEXT))
    assert needed(MODULE) | needed(WBA) == named


def test_packages():
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    listed = set()
    for name in ("PACKAGES", "TEST_PACKAGES", "CI_PACKAGES", "DEB_PACKAGES",
                 "NODE_PACKAGES", "BENCH_PACKAGES", "COMPAT_PACKAGES"):
        value = re.search(r"^%s := (.*)$" % name, makefile, re.M)[1]
        listed |= set(re.sub(r"\$\(.*?\),,|\)", "", value).split())
    table = TEXT[TEXT.index("## To build"):]
    rows = re.findall(r"^\| (`.*?) \|", table, re.M)
    named = {p for row in rows for p in re.findall(r"`([\w.+-]+)`", row)}
    assert named - {"prometheus"} == listed - {"nginx"}
    assert "download prometheus" in makefile
