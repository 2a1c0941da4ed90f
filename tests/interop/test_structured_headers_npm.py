# SPDX-License-Identifier: BSD-2-Clause
"""core/sf against the npm package structured-headers: 100,000 random fields,
accepted and refused alike, and in the same canonical form.

The package departs from RFC 9651 in what deviation() names, and nowhere else.
SF_FIELDS=N asks for another number, SF_SEED=N for the fields of that seed."""

import base64
import os
import pathlib
import random
import re
import subprocess

from clients import MODULES, require_modules
from harness.plugin import ROOT

HERE = pathlib.Path(__file__).resolve().parent
FILTER = pathlib.Path(os.environ.get("SF_FILTER", ROOT / "build/gcc/sf_filter"))
FIELDS = int(os.environ.get("SF_FIELDS", 100000))
SEED = int(os.environ.get("SF_SEED", random.randrange(2 ** 32)))

KEYS = ["a", "b", "sig1", "*x", "a_b-c.d*", "tag", "created", "keyid", "q"]
TOKENS = ["a", "*", "text/html", "A1:b/c", "x!#$%&'*+-.^_`|~9"]


class Fields:
    """Random fields by the grammar, half of them then damaged."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.bare = [self.integer, self.decimal, self.string, self.token,
                     self.bytes, self.boolean, self.display] * 10
        self.bare.append(self.date)  # rare: see deviation()

    def chance(self, p):
        return self.random.random() < p

    def some(self, most):
        return range(self.random.randint(0, most))

    def space(self):
        return self.random.choice(["", "", "", " ", "  "])

    def comma(self):
        return self.random.choice([",", ", ", ", ", " , ", "\t,\t", ",  "])

    def digits(self, most):
        return "".join(self.random.choice("0123456789")
                       for _ in range(self.random.randint(1, most)))

    def sign(self):
        return "-" if self.chance(0.2) else ""

    def integer(self):
        return self.sign() + self.digits(16 if self.chance(0.2) else 6)

    def decimal(self):
        whole = self.digits(13 if self.chance(0.2) else 5)
        return "%s%s.%s" % (self.sign(), whole,
                            self.digits(4 if self.chance(0.1) else 3))

    def string(self):
        out = ""
        for _ in self.some(12):
            c = chr(self.random.randint(0x20, 0x7e))
            out += "\\" + c if c in '"\\' and self.chance(0.95) else c
        return '"%s"' % out

    def token(self):
        return self.random.choice(TOKENS)

    def bytes(self):
        text = base64.b64encode(self.random.randbytes(
            self.random.randint(0, 12))).decode()
        return ":%s:" % (text.rstrip("=") if self.chance(0.1) else text)

    def boolean(self):
        return "?" + self.random.choice("01")

    def date(self):
        return "@" + self.integer()

    def display(self):
        raw = "".join(self.random.choice("ab %\"\u00fc\u20ac\U0001f600~")
                      for _ in self.some(6)).encode()
        return '%%"%s"' % "".join(
            chr(b) if 0x20 <= b < 0x7f and b not in b'%"' else "%%%02x" % b
            for b in raw)

    def parameters(self):
        out = ""
        for _ in self.some(3) if self.chance(0.5) else ():
            out += ";" + self.space() + self.random.choice(KEYS)
            if self.chance(0.8):
                out += "=" + self.random.choice(self.bare)()
        return out

    def item(self):
        return self.random.choice(self.bare)() + self.parameters()

    def inner(self):
        items = [self.item() for _ in self.some(4)]
        return "(%s%s%s)%s" % (self.space(), " ".join(
            i + self.space() for i in items), self.space(), self.parameters())

    def member(self):
        return self.inner() if self.chance(0.3) else self.item()

    def list(self):
        return self.joined(lambda: self.member())

    def dictionary(self):
        return self.joined(lambda: self.random.choice(KEYS) + (
            "=" + self.member() if self.chance(0.85) else self.parameters()))

    def joined(self, member):
        members = [member() for _ in self.some(4)]
        out = ""
        for i, text in enumerate(members):
            out += (self.comma() if i else "") + text
        return out

    def damaged(self, field):
        field = list(field)
        for _ in range(self.random.randint(1, 3)):
            at = self.random.randint(0, len(field))
            what = self.random.randint(0, 3)
            c = self.random.choice('";,=()?:@%\\*-. \t0aA_/\x00\x1f\x7f\x80\xff'
                                   if self.chance(0.7)
                                   else chr(self.random.randrange(256)))
            if what == 0:
                field[at:at] = c
            elif what == 1:
                field[at:at + 1] = c
            elif what == 2:
                del field[at:at + 1]
            else:
                field[at:at + 2] = field[at:at + 2][::-1]
        return "".join(field)

    def one(self):
        kind = self.random.choice(["item", "list", "dictionary"])
        field = self.space() + getattr(self, kind)() + self.space()
        return kind, self.damaged(field) if self.chance(0.5) else field


def run(command, fields):
    """None for a field that is refused, else its canonical form."""
    lines = "".join("%s %s\n" % (kind, base64.b64encode(
        field.encode("latin-1")).decode()) for kind, field in fields)
    out = subprocess.run(command, input=lines, text=True, check=True,
                         stdout=subprocess.PIPE, timeout=300).stdout
    return [None if line == "-" else base64.b64decode(line).decode("latin-1")
            for line in out.split("\n")[:-1]]


def without_zero_fractions(field):
    return re.sub(r"(\d)\.0+(?!\d)", r"\1", field)


def half_padded(field):
    """A Byte Sequence with one "=" where two are due."""
    return any(len(text) % 4 == 3 and text[-1] == "="
               for text in re.findall(r":([A-Za-z0-9+/]*=?):", field) if text)


def deviation(field, ours, theirs):
    """What the package does otherwise than RFC 9651, or None."""
    if ours is None:
        return None
    if theirs is None:
        if re.search(r"@-?\d+[^\d]", field):
            # parseDate takes the field to its end for its own.
            return "a Date must be the last thing in the field"
        if half_padded(field):
            # Section 4.2.7: missing padding should be no failure.
            return "half of the padding is refused, none is not"
        return None
    if ours.replace("%0", "%") == theirs:
        return "an octet below 16 is written with one digit"
    if "@NaN" in theirs:
        return "a Date beyond what JavaScript's knows"
    if without_zero_fractions(ours) == without_zero_fractions(theirs):
        # A JavaScript number does not know that it was a Decimal.
        return "1.0 is written 1"
    return None


def test_same_fields_and_forms():
    require_modules()
    assert FILTER.is_file(), "no %s: run make interop" % FILTER
    source = Fields(SEED)
    fields = [source.one() for _ in range(FIELDS)]
    ours = run([FILTER], fields)
    theirs = run(["node", HERE / "sf_filter.cjs", MODULES], fields)
    assert len(ours) == len(theirs) == FIELDS

    deviations, wrong = {}, []
    for (kind, field), a, b in zip(fields, ours, theirs):
        if a != b:
            why = deviation(field, a, b)
            if why is None:
                wrong.append((kind, field, a, b))
            else:
                deviations[why] = deviations.get(why, 0) + 1
    accepted = sum(a is not None for a in ours)
    print("seed %d: %d fields, %d accepted, deviations %s"
          % (SEED, FIELDS, accepted, deviations))
    assert not wrong, "seed %d, %d differ: %r" % (SEED, len(wrong), wrong[:10])

    # The comparison compares something.
    assert FIELDS * 0.3 < accepted < FIELDS * 0.9
    assert sum(deviations.values()) < FIELDS * 0.1
