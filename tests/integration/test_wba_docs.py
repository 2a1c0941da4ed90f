# SPDX-License-Identifier: BSD-2-Clause
"""Every command and option of wba is in its help, in docs/wba.md and in
wba(1)."""

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WBA = os.environ.get("WBA", str(ROOT / "build/gcc/wba"))
PAGE = (ROOT / "docs/wba.1").read_text()
TEXT = (ROOT / "docs/wba.md").read_text()


def wba(*args):
    return subprocess.run([WBA, *args], check=True, timeout=60,
                          stdout=subprocess.PIPE).stdout.decode()


COMMANDS = re.findall(r"^  (?!help)([a-z]+) +[a-z]",
                      wba("help").partition("Examples:")[0], re.M)
COMMON = {"color", "help"}      # every command has them


def source_options(command):
    """What the command's own code takes."""
    if command == "curl":
        return source_options("sign") - {"format", "curl"}
    text = (ROOT / ("src/cli/cmd_%s.c" % command)).read_text()
    return set(re.findall(r'\{ "([a-z-]+)", (?:no|required)_argument', text))


def help_options(command):
    """Those that have a line of their own in its help."""
    text = wba(command, "--help").partition("Examples:")[0]
    for option in COMMON:
        assert "--" + option in text
    return set(re.findall(r"^  --([a-z][a-z-]*)", text, re.M))


def test_there_are_commands():
    assert set(COMMANDS) >= {"keygen", "jwks", "sign", "verify", "directory",
                             "reasons"}


@pytest.mark.parametrize("command", COMMANDS)
def test_options_are_documented(command):
    options = source_options(command)
    assert options
    assert options == help_options(command)
    if command == "curl":
        assert "## wba curl" in TEXT and ".It Cm curl" in PAGE
        return
    section = re.search(r"^## wba %s$(.*?)(?=^## |\Z)" % command, TEXT,
                        re.M | re.S)[1]
    for option in options:
        assert "--" + option in section, option
        assert re.search(r"-%s\b" % option, PAGE), option
    assert re.search(r"^\.Cm %s$|\.It Cm %s$" % (command, command), PAGE, re.M)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_names_no_option_that_is_none(command):
    found = re.search(r"^Of\n\.Cm %s :\n((?:\.Fl .*\n)+)" % command, PAGE,
                      re.M)
    if found:
        named = set(re.findall(r" -([a-z][a-z-]*)", found[1]))
        assert named == source_options(command)


def test_common_options_are_documented():
    code = (ROOT / "src/cli/cli.c").read_text()
    assert COMMON == set(re.findall(r'= \{ "([a-z]+)", required_argument',
                                    code)) | {"help"}
    for option in COMMON:
        assert "--" + option in TEXT and "-" + option in PAGE


def test_statuses_are_documented():
    for command in COMMANDS:
        assert re.search(r"\nExit status: .*\b2\b", wba(command, "--help"),
                         re.S)
        assert re.search(r"^\| .*`(wba )?%s`.*\|.*\|.*\|$" % command, TEXT,
                         re.M)
    assert ".Sh EXIT STATUS" in PAGE
