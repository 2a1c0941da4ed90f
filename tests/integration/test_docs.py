# SPDX-License-Identifier: BSD-2-Clause
"""The reference pages say what the code says: every directive, word of a
directory block, variable and reason."""

import json
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WBA = os.environ.get("WBA", str(ROOT / "build/gcc/wba"))
NGINX = ROOT / "src/nginx"


def names(file, pattern):
    found = re.findall(pattern, (NGINX / file).read_text())
    assert found, "no match for %s in %s" % (pattern, file)
    return found


DIRECTIVES = names("ngx_http_web_bot_auth_module.c",
                   r'ngx_string\("(web_bot_auth\w*)"\)')
VARIABLES = names("ngx_http_web_bot_auth_variables.c",
                  r'ngx_string\("(web_bot_auth_\w+)"\)')
WORDS = names("ngx_http_web_bot_auth_words.c",
              r'\{ ngx_string\("(\w+)"\)')


@pytest.mark.parametrize("name", DIRECTIVES + WORDS)
def test_directives(name):
    assert re.search(r"^#+ %s$" % name,
                     (ROOT / "docs/directives.md").read_text(), re.M)
    assert re.search(r"\b%s\b" % name, (ROOT / "conf.example").read_text())


@pytest.mark.parametrize("name", VARIABLES)
def test_variables(name):
    for page in "docs/variables.md", "conf.example":
        assert re.search(r"\$%s\b" % name, (ROOT / page).read_text()), page


def test_reasons():
    out = subprocess.run([WBA, "reasons", "--json"], check=True,
                         stdout=subprocess.PIPE).stdout
    rows = ["| `%s` | %s | %s | %s | %s |" % (
        r["name"], r["outcome"], r["class"], r["status"] or "-", r["help"])
        for r in json.loads(out)]
    text = (ROOT / "docs/reasons.md").read_text().splitlines()
    assert [r for r in rows if r not in text] == []
    assert len([line for line in text if line.startswith("| `")]) == len(rows)


# What nginx -t says: the formats in the code, and the rows of the page, both
# without what differs.

SAYS = re.compile(
    r"(?:ngx_conf_log_error\(\s*NGX_LOG_\w+,\s*cf,"
    r"|ngx_log_error\(\s*\w+,\s*(?:report->)?(?:cf->log|shm_zone->shm\.log),"
    r"|ngx_http_wba_warn\()"
    r'[^";]*?((?:"(?:[^"\\]|\\.)*"\s*)+)', re.S)


def bare(text):
    text = re.sub(r",? in %s:%ui$", "", text)
    text = re.sub(r"%(?:\*s|u[ziL]|[VsdLO])", "", text).replace("…", "")
    return re.sub(r" +", " ", text).strip()


def said():
    for file in sorted(NGINX.glob("*.c")):
        for match in SAYS.finditer(file.read_text()):
            text = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', match[1]))
            if text != "%*s":       # the helper that they go through
                yield bare(text.replace('\\"', '"'))


def test_what_nginx_t_says():
    rows = [bare(row) for row in re.findall(
        r"^\| `(.*?)` \|", (ROOT / "docs/nginx-t.md").read_text(), re.M)]
    code = set(said())
    assert len(code) > 60
    assert sorted(code - set(rows)) == []
    assert sorted(set(rows) - code) == []
    assert len(rows) == len(set(rows))


TESTS = re.findall(
    r"\b((?:unit|integration|interop)/test_\w+|conformance/\w+)"
    r"(?:::(\w+))?",
    (ROOT / "docs/conformance.md").read_text()
    + (ROOT / "docs/security.md").read_text())


@pytest.mark.parametrize("name, function", sorted(set(TESTS)))
def test_tests_that_are_named_exist(name, function):
    found = [p for p in (ROOT / "tests").glob(name + ".*")]
    assert found, name
    assert not function or re.search(
        r"^(def )?%s\(" % function, found[0].read_text(), re.M), name


def test_each_promise_names_a_test():
    text = (ROOT / "docs/security.md").read_text()
    table = text.split("## What is promised")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (?!part|-)(.*) \|$", table, re.M)
    assert len(rows) > 15
    for row in rows:
        assert re.search(r"(unit|integration)/test_", row.split(" | ")[-1]), \
            row


def test_each_fuzz_target_has_its_row():
    text = (ROOT / "docs/security.md").read_text()
    table = text.split("### What must hold")[1].split("### Figures")[0]
    rows = [name for row in re.findall(r"^\| (`.*?) \|", table, re.M)
            for name in re.findall(r"`(\w+)`", row)]
    assert sorted(rows) == sorted(
        [path.stem[len("fuzz_"):]
         for path in (ROOT / "tests/fuzz").glob("fuzz_*.c")] + ["config"])
