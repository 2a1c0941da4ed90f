# SPDX-License-Identifier: BSD-2-Clause
"""Every example of every wba help, of wba(1), docs/wba.md and
docs/agent-developers.md works as it stands."""

import re
import subprocess

import pytest

from harness.walk import ROOT, WBA, Walk, blocks, check_output, commands


def wba(*args):
    return subprocess.run([WBA, *args], check=True, timeout=60,
                          stdout=subprocess.PIPE).stdout.decode()


COMMANDS = re.findall(r"^  (?!help)([a-z]+) +[a-z]",
                      wba("help").partition("Examples:")[0], re.M)


@pytest.fixture
def walk(tmp_path, serve, authority, names_library):
    walk = Walk(tmp_path, serve, authority, names_library)
    yield walk
    walk.close()


def examples(*command):
    """The block of examples of a help."""
    text = wba("help", *command)
    found = re.search(r"\nExamples:\n((?:  .*\n)+)\nExit status: ", text)
    assert found, text
    return "".join(line[2:] + "\n" for line in found[1].splitlines())


def test_each_command_has_examples_of_itself():
    for command in COMMANDS:
        found = commands(examples(command))
        assert any(re.search(r"\bwba %s\b" % command, text)
                   for text, _ in found), command


def test_wba_help(walk):
    for command, _ in commands(examples()):
        walk.run(command)


def test_helps(walk):
    """In the order in which wba help lists the commands."""
    for command in COMMANDS:
        walk.run(examples(command))
    assert "verified: ok" in walk.run(commands(examples("verify"))[0][0])
    assert "sig1=(" in walk.run(commands(examples("sign"))[0][0])


def test_manual_page(walk):
    """As a reader sees it: \\e is a backslash there."""
    page = (ROOT / "docs/wba.1").read_text()
    section = page[page.index(".Sh EXAMPLES"):page.index(".Sh SEE ALSO")]
    found = re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed", section,
                       re.M | re.S)
    found += re.findall(r"^\.Dl (.*\n)", section, re.M)
    assert sum(len(commands(block)) for block in found) >= 8
    for block in found:
        assert not re.search(r"^\.", block, re.M)
        walk.run(block.replace("\\e", "\\"))


@pytest.mark.parametrize("page, least", [
    ("docs/wba.md", 15),
    ("docs/agent-developers.md", 20),
])
def test_pages(walk, page, least):
    text = (ROOT / page).read_text()
    assert walk.page(text) >= least
    # Whatever names wba in a block is run, or is a synopsis.
    inside = "".join(block for _, block in blocks(text))
    for line in text.splitlines():
        if re.match(r" {4,}wba ", line) and line not in inside:
            command = line.split()[1]
            usage = wba("help", command).partition("\n\n")[0]
            assert " ".join(usage.split())[len("Usage: "):] \
                == " ".join(line.split())


def anchors(page):
    """Of its headings, as they are made for links."""
    return {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-")
            for h in re.findall(r"^#+ (.*)$", page, re.M)}


@pytest.mark.parametrize("name", ["agent-developers.md", "wba.md"])
def test_links(name):
    for target, anchor in re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)",
                                     (ROOT / "docs" / name).read_text()):
        page = ROOT / "docs" / (target or name)
        assert page.exists(), target
        assert not anchor or anchor in anchors(page.read_text()), anchor


SERVING = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    types { application/json json; }
    server {
        listen 127.0.0.1:%%PORT%% ssl;
        ssl_certificate %%CERT%%;
        ssl_certificate_key %%KEY%%;
        %%BLOCK%%
    }
}
"""


def test_how_to_serve_a_directory(serve, authority, tmp_path):
    """The page's lines for nginx, also where types are set."""
    page = (ROOT / "docs/agent-developers.md").read_text()
    found = [text for language, text in blocks(page) if language == "nginx"]
    assert len(found) == 1 and "/srv/agent/keys.json" in found[0]
    for name in ("keygen", "jwks"):
        output = subprocess.run(
            [WBA, name, *(["--out", "k"] if name == "keygen" else ["k"])],
            cwd=tmp_path, check=True, stdout=subprocess.PIPE).stdout
    nginx = serve(SERVING, CERT=authority.cert, KEY=authority.key,
                  files={"keys/keys.json": output},
                  BLOCK=found[0].replace("/srv/agent", "%%DIR%%/keys"))
    text = subprocess.run(
        [WBA, "directory", "--ca", authority.ca,
         "https://localhost:%d" % nginx.port()], check=True,
        stdout=subprocess.PIPE).stdout.decode()
    assert "directory+json: fits the well-known path\n" in text
    assert "fresh for 1 hour\n" in text and "conditional requests work" in text
    assert "The module would take it, with 1 key." in text


# The runner itself


def test_the_runner_tells_what_fails(walk):
    walk.run("true\nfalse  # exit status 1\n")
    for block in ("false\n", "true  # exit status 1\n", "sh -c 'exit 2'\n",
                  "nonsense-of-a-command\n"):
        with pytest.raises(AssertionError):
            walk.run(block)
    check_output("a...d\ne\n", "x\nab c d\ne\n")
    for shown in ("e\na...d\n", "b c d\n", "ab\n"):
        with pytest.raises(AssertionError):
            check_output(shown, "x\nab c d\ne\n")
    assert commands("# c\na \\\n  b\n\nc # exit status 3\n") == [
        ("a \\\n  b", 0), ("c # exit status 3", 3)]


def test_nothing_leaves_loopback(walk):
    output = walk.run("curl -sS https://example.org/  # exit status 6\n")
    assert "example.org" in output
