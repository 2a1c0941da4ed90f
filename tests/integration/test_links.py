# SPDX-License-Identifier: BSD-2-Clause
"""Every relative link and anchor of README.md and of the pages in docs leads
somewhere, and README.md's "Read on" leads to every page."""

import re

import pytest

from harness.guide import ROOT, Page, rows

PAGES = ["README.md"] + sorted(
    str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def anchors(page):
    """As GitHub makes them of headings."""
    found = set()
    for _, heading in page.headings:
        text = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        name, n = text, 0
        while name in found:
            n += 1
            name = "%s-%d" % (text, n)
        found.add(name)
    return found


def links(page):
    return [link for link in LINK.findall(page.prose())
            if not re.match(r"[a-z]+:", link)]


def test_there_are_links():
    assert sum(len(links(Page(p))) for p in PAGES) > 100


@pytest.mark.parametrize("path", PAGES)
def test_links_lead_somewhere(path):
    page = Page(path)
    for link in links(page):
        file, _, anchor = link.partition("#")
        target = (page.path.parent / file).resolve() if file else page.path
        assert target.is_relative_to(ROOT) and target.exists(), link
        if anchor:
            assert anchor in anchors(Page(target)), link


def test_links_are_not_broken_over_lines():
    """A link's text and its target stand on one line, or nobody follows it."""
    for path in PAGES:
        assert not re.search(r"\]\n *\([^)]*\.md", Page(path).prose()), path


def test_read_on_is_an_index():
    table = rows(Page("README.md").sections["Read on"])
    named = {LINK.search(row[0])[1] for row in table}
    assert all(len(row) == 2 and row[1] for row in table)
    assert named == {"conf.example"} | set(PAGES) - {"README.md"}


def test_pages_that_packages_have_lead_to_pages_that_they_have():
    """Links of a page in a Debian package stay among its pages, or lead to a
    page of the other package; nothing is forgotten."""
    folder = ROOT / "src/packaging/debian"
    packed = {line for docs in folder.glob("*.docs")
              for line in docs.read_text().split()}
    for path in packed:
        assert (ROOT / path).exists(), path
    missing = set(PAGES) - packed
    assert missing == {"docs/architecture.md", "docs/CHANGES.md"}
