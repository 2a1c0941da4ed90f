# SPDX-License-Identifier: BSD-2-Clause
"""The pages of docs as tests read them: sections, fenced blocks, tables; what
is typed and what it prints.

In a ```console block a line that begins with "$ " is typed, a line after one
that ends in a backslash goes with it, and the others are printed.  "..." stands
for what differs; alone in a line, for any lines.  The first lines of an ```nginx
block are comments: its context, and where there is a second one, the file that
it is."""

import dataclasses
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[3]

FENCE = re.compile(r"^ {0,3}(`{3,})([a-z]*)\s*$")


@dataclasses.dataclass
class Block:
    language: str
    text: str
    heading: str
    part: str       # of the section: the words in bold that begin it
    line: int

    @property
    def file(self):
        """The path in the second line, or None."""
        found = re.match(r"# (?:http|server|location|main)\n# (/\S+)\n",
                         self.text)
        return found[1] if found else None

    @property
    def commands(self):
        """(what is typed, what is printed) of a console block."""
        pairs, going_on = [], False
        for line in self.text.splitlines():
            if line.startswith("$ ") or going_on:
                if going_on:
                    pairs[-1][0] += "\n" + line
                else:
                    pairs.append([line[2:], ""])
                going_on = line.endswith("\\")
            else:
                pairs[-1][1] += line + "\n"
        return [tuple(pair) for pair in pairs]


class Page:
    """path: from the root of the project."""

    def __init__(self, path):
        self.path = ROOT / path
        self.text = self.path.read_text()
        self.headings = []      # (level, text)
        self.blocks = []
        self.sections = {}      # a heading's text: what is below it
        self.leads = {}         # a heading's text: the parts below it
        self.read()

    def read(self):
        heading, part, fence, inside = "", "", None, []
        for number, line in enumerate(self.text.splitlines(), 1):
            mark = FENCE.match(line)
            title = re.match(r"(#+) (.*)", line)
            if fence is None and title:
                heading, part = title[2], ""
                self.headings.append((len(title[1]), heading))
                self.sections.setdefault(heading, "")
                self.leads.setdefault(heading, [])
                continue
            lead = re.match(r"\*\*([A-Z][a-z ]+)", line)
            if fence is None and lead and heading:
                part = lead[1].strip()
                self.leads[heading].append(part)
            if heading:
                self.sections[heading] += line + "\n"
            if fence is None and mark:
                fence, inside = mark, []
            elif fence and mark and mark[1] == fence[1] and not mark[2]:
                self.blocks.append(Block(
                    fence[2], "".join(inside), heading, part,
                    number - len(inside) - 1))
                fence = None
            elif fence:
                inside.append(line + "\n")
        assert fence is None, "a block that does not end in %s" % self.path

    def blocks_of(self, heading, language=None, part=None):
        return [b for b in self.blocks if b.heading == heading
                and language in (None, b.language) and part in (None, b.part)]

    def chapter(self, heading):
        """The section, and those below it."""
        names = [h for _, h in self.headings]
        first = names.index(heading)
        level = self.headings[first][0]
        text = ""
        for depth, name in self.headings[first:]:
            if text and depth <= level:
                break
            text += "%s %s\n%s" % ("#" * depth, name, self.sections[name])
        return text

    def prose(self):
        """Without the fenced blocks and the indented ones."""
        lines, fence = [], None
        for line in self.text.splitlines():
            mark = FENCE.match(line)
            if mark and fence is None:
                fence = mark[1]
            elif mark and mark[1] == fence:
                fence = None
            elif fence is None and not line.startswith("    "):
                lines.append(line)
        return "\n".join(lines)


def rows(text):
    """The cells of all rows of all tables, without their heads."""
    found, head = [], True
    for line in text.splitlines():
        if not line.startswith("|"):
            head = True
        elif re.fullmatch(r"[|\s:-]+", line):
            head = False
        elif not head:
            cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
            found.append([c.strip().replace("\\|", "|") for c in cells])
    return found


def pattern(said):
    """A regular expression for one line, in which "..." is anything."""
    return ".*".join(re.escape(part) for part in said.strip().split("..."))


def prints(said, got):
    """Whether that was printed; "..." as above."""
    expression = ""
    for line in said.splitlines():
        expression += r"(?:.*\n)*?" if line.strip() == "..." \
            else r"[ \t]*%s[ \t]*\n" % pattern(line)
    if got and not got.endswith("\n"):
        got += "\n"
    return re.fullmatch(expression, got) is not None
