# SPDX-License-Identifier: BSD-2-Clause
"""Every configuration that README and docs show passes nginx -t, and warns of
nothing but what the text beside it says it warns of."""

import pytest

from harness import examples
from harness.examples import Example, all_examples

EXAMPLES = all_examples()


@pytest.fixture
def test(serve, authority):
    """test(example): (passed, what nginx -t printed)."""
    def run(example):
        template = examples.adapted(examples.completed(example.text))
        nginx = serve.make(template, files=examples.files(template),
                           CERT=authority.cert, KEY=authority.key,
                           CA=authority.ca)
        nginx.expect(r"\[emerg\]")
        serve.all.remove(nginx)
        try:
            return nginx.test()
        finally:
            nginx.stop()
    return run


def complaints(example, passed, output):
    """What speaks against an example."""
    if not passed:
        return output
    warnings = [line for line in output.splitlines() if "[warn]" in line]
    if warnings and "`nginx -t` warns" not in \
            " ".join(example.around.split()):
        return "\n".join(warnings)
    return ""


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_example(test, example):
    complaint = complaints(example, *test(example))
    assert not complaint, "%s: %s" % (example, complaint)


def test_all_are_found():
    """As many as a reader finds, in every page that has some."""
    count = sum(page.read_text().count("\n```nginx\n")
                for page in examples.pages())
    assert len(EXAMPLES) == count > 25
    assert {e.path for e in EXAMPLES} >= {
        "README.md", "docs/directives.md", "docs/operations.md",
        "docs/status.md", "docs/variables.md"}


def made_up(text, around=""):
    return Example("docs/none.md", 1, "", text, around)


@pytest.mark.parametrize("text, word", [
    ("location / { web_bot_auth maybe; }\n", "maybe"),
    ("web_bot_auth on; web_bot_auth_deny tag=unserved;\n", "unserved"),
    ("server { location / { no_such_directive; } }\n", "no_such_directive"),
    ("web_bot_auth_zone 4k;\n", "small"),
    ("map $a $b { default 1; volatile; }\nlocation / { }\n", "location"),
])
def test_what_is_wrong_fails(test, text, word):
    example = made_up(text, "`nginx -t` warns.")
    assert word in complaints(example, *test(example))


def test_a_warning_must_be_announced(test):
    text = "web_bot_auth_test_keys on;\nserver { web_bot_auth on; }\n"
    for around in "", "It warns.":
        example = made_up(text, around)
        assert "[warn]" in complaints(example, *test(example))
    example = made_up(text, "But `nginx\n-t` warns.")
    assert not complaints(example, *test(example))


def test_where_a_part_belongs():
    """By its outermost directives alone."""
    for text, where in [
            ("http { server { } }", "main"),
            ("limit_req_zone $a zone=a:1m rate=1r/s;\nserver { }", "http"),
            ("web_bot_auth_wait 1s; # location\n", "http"),
            ("web_bot_auth on; location / { }", "server"),
            ("if ($a) { return 403; }", "location"),
            ("web_bot_auth on;", "location")]:
        assert examples.level(text) == where
