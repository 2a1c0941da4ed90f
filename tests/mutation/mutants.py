# SPDX-License-Identifier: BSD-2-Clause
"""Mutants of a C file: what changes one thing in it, each at a time.

    relations   each operator of comparison to its neighbours
    conditions  && for ||, a negation more or less
    returns     another value; of what is computed, none
    constants   a number more, a number less; true for false; another reason
    arithmetic  + for -, & for |, << for >>
    deletions   an expression, a jump, left out

A file is cut into tokens, no more; what cannot be compiled is not counted."""

import bisect
import collections
import re

TOKEN = re.compile(r"""
    (?P<comment>/\*.*?\*/|//[^\n]*)
  | (?P<hash>^[ \t]*\#(?:\\\n|/\*.*?\*/|[^\n])*)
  | (?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
  | (?P<number>0[xX][0-9a-fA-F]+[uUlL]*|\d+(?:\.\d+)?[uUlL]*)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<op><<=|>>=|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=
         |[-+*/%&|^~!<>=?:;,.(){}\[\]])
""", re.X | re.S | re.M)

RELATIONS = {"<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="),
             ">=": (">", "<"), "==": ("!=",), "!=": ("==",)}
SWAPS = {"&&": "||", "||": "&&", "+=": "-=", "-=": "+=", "&=": "|=",
         "|=": "&=", "<<": ">>", ">>": "<<", "++": "--", "--": "++"}
BINARY = {"+": "-", "-": "+", "&": "|", "|": "&"}
JUMPS = ("break", "continue")
KEYWORDS = {"if", "else", "while", "for", "do", "switch", "case", "default",
            "return", "goto", "sizeof", "struct", "enum", "union", "static",
            "const", "typedef", "extern", "unsigned", "signed", "volatile",
            *JUMPS}

Token = collections.namedtuple("Token", "kind text at")
Mutant = collections.namedtuple(
    "Mutant", "line function kind before after start end new")


class Source:
    def __init__(self, text):
        self.text = text
        self.tokens = [Token(m.lastgroup, m[0], m.start())
                       for m in TOKEN.finditer(text)]
        self.hashes = [t for t in self.tokens if t.kind == "hash"]
        self.tokens = [t for t in self.tokens
                       if t.kind not in ("comment", "hash")]
        self.starts = [0] + [m.end() for m in re.finditer("\n", text)]
        self.pairs = self.match()
        self.functions = self.find_functions()

    def match(self):
        """The place of each bracket's partner."""
        open_, pairs = [], {}
        for i, token in enumerate(self.tokens):
            if token.text in "([{" and token.kind == "op":
                open_.append(i)
            elif token.text in ")]}" and token.kind == "op":
                pairs[i] = open_.pop()
                pairs[pairs[i]] = i
        return pairs

    def find_functions(self):
        """(first token of the body, last, name, words of the type)."""
        found, i, start = [], 0, 0
        while i < len(self.tokens):
            text = self.tokens[i].text
            if text == "{" and i and self.tokens[i - 1].text == ")":
                opening = self.pairs[i - 1]
                words = [t.text for t in self.tokens[start:opening - 1]]
                found.append((i, self.pairs[i],
                              self.tokens[opening - 1].text, words))
            if text in "{([":
                i = self.pairs[i]
            if text == ";" or self.tokens[i].text == "}":
                start = i + 1
            i += 1
        return found

    def line_of(self, at):
        return bisect.bisect_right(self.starts, at)

    def function_at(self, i):
        for first, last, name, words in self.functions:
            if first <= i <= last:
                return name, words
        return "", []

    def mutant(self, i, kind, new, until=None):
        """Replaces tokens i to until."""
        last = self.tokens[i if until is None else until]
        start, end = self.tokens[i].at, last.at + len(last.text)
        return self.change(start, end, kind, new, self.function_at(i)[0])

    def change(self, start, end, kind, new, function):
        line = self.line_of(start)
        begin = self.starts[line - 1]
        stop = self.text.find("\n", end)
        mutated = self.text[begin:start] + new + self.text[end:stop]
        return Mutant(line, function, kind,
                      squeezed(self.text[begin:stop]), squeezed(mutated),
                      start, end, new)

    def apply(self, mutant):
        return (self.text[:mutant.start] + mutant.new
                + self.text[mutant.end:])


def squeezed(text):
    return re.sub(r"\s+", " ", text).strip()


def operand_before(source, i):
    token = source.tokens[i - 1] if i else None
    return token is not None and (
        token.kind in ("number", "string")
        or token.kind == "name" and token.text not in KEYWORDS
        or token.text in (")", "]"))


def is_cast(source, i):
    """Whether the ) before i ends a cast, so that i is no binary operator."""
    if source.tokens[i - 1].text != ")":
        return False
    inside = source.tokens[source.pairs[i - 1] + 1:i - 1]
    return all(t.kind == "name" or t.text == "*" for t in inside) and any(
        t.text.endswith("_t") or t.text in ("int", "long", "char", "double",
                                            "unsigned", "void", "size_t")
        for t in inside)


def operators(source):
    for i, token in enumerate(source.tokens):
        if token.kind != "op":
            continue
        for new in RELATIONS.get(token.text, ()):
            yield source.mutant(i, "relation", new)
        if token.text in SWAPS:
            yield source.mutant(i, "operator", SWAPS[token.text])
        if (token.text in BINARY and operand_before(source, i)
                and not is_cast(source, i)):
            yield source.mutant(i, "operator", BINARY[token.text])
        if token.text in "!~" and len(token.text) == 1:
            yield source.mutant(i, "negation", "")


def case_label(source, i):
    while i >= 0 and source.tokens[i].text not in (";", "{", "}", ":"):
        if source.tokens[i].text == "case":
            return True
        i -= 1
    return False


def declared_size(source, i):
    """Within the brackets of a declaration, or an initialiser of zeros."""
    before, after = source.tokens[i - 1].text, source.tokens[i + 1].text
    return (before == "{" and after == "}"
            or before == "[" and after == "]" and i >= 3
            and source.tokens[i - 3].kind == "name"
            and source.tokens[i - 3].text not in KEYWORDS
            and source.tokens[i - 2].kind == "name")


def number_plus(text, more):
    digits = re.match(r"0[xX][0-9a-fA-F]+|\d+", text)[0]
    value = int(digits, 0 if digits[:2] in ("0x", "0X") else 10) + more
    return None if value < 0 else "%d%s" % (value, text[len(digits):])


def constants(source):
    for i, token in enumerate(source.tokens):
        if case_label(source, i):
            continue
        if token.kind == "number" and "." not in token.text:
            if declared_size(source, i):
                continue
            for more in (1, -1):
                new = number_plus(token.text, more)
                if new is not None:
                    yield source.mutant(i, "constant", new)
        elif token.text in ("true", "false"):
            yield source.mutant(i, "constant",
                                "false" if token.text == "true" else "true")
        elif token.text.startswith("WBA_REASON_"):
            yield source.mutant(
                i, "constant", "WBA_REASON_BAD_SIGNATURE"
                if token.text == "WBA_REASON_OK" else "WBA_REASON_OK")
    for hash_ in source.hashes:
        define = re.match(r"[ \t]*#[ \t]*define[ \t]+\w+[ \t]+", hash_.text)
        if not define:
            continue
        for number in re.finditer(r"\b(0[xX][0-9a-fA-F]+|\d+)[uUlL]*\b",
                                  hash_.text[define.end():].split("/*")[0]):
            at = hash_.at + define.end() + number.start()
            for more in (1, -1):
                new = number_plus(number[0], more)
                if new is not None:
                    yield source.change(at, at + len(number[0]), "constant",
                                        new, "")


def conditions(source):
    """if (x) for if (!(x)), where no operator in x is changed anyway."""
    for i, token in enumerate(source.tokens[:-1]):
        if token.text != "if" or source.tokens[i + 1].text != "(":
            continue
        end = source.pairs[i + 1]
        inside = source.tokens[i + 2:end]
        if not any(t.text in RELATIONS or t.text in ("&&", "||", "!")
                   for t in inside):
            text = source.text[inside[0].at:source.tokens[end].at]
            yield source.mutant(i + 1, "negation", "(!(%s))" % text, end)


def replacement(words, value):
    """What a function of that type may return instead of value."""
    if "bool" in words:
        return None if value in ("true", "false") else "!(%s)" % value
    if "*" in words:
        return None if value == "NULL" else "NULL"
    if "wba_status_t" in words:
        return "WBA_INVALID" if value == "WBA_OK" else "WBA_OK"
    if "wba_reason_t" in words:
        return None if value.startswith("WBA_REASON_") else "WBA_REASON_OK"
    if "wba_str_t" in words:
        return None if value == "WBA_STR_NONE" else "WBA_STR_NONE"
    return None if re.fullmatch(r"\d+", value) else "0"


def returns(source):
    for i, token in enumerate(source.tokens):
        if token.text != "return":
            continue
        end = i
        while source.tokens[end].text != ";":
            end = source.pairs.get(end, end) + 1
        if end == i + 1:
            yield source.mutant(i, "deletion", ";", end)
            continue
        value = source.text[source.tokens[i + 1].at:source.tokens[end].at]
        words = source.function_at(i)[1]
        new = replacement(words, value)
        if new is not None:
            yield source.mutant(i, "return", "return %s;" % new, end)


def deletions(source):
    """Of expressions and jumps; declarations are none."""
    for i, token in enumerate(source.tokens[:-2]):
        if not i or source.tokens[i - 1].text not in (";", "{", "}", ")", ":",
                                                      "else"):
            continue
        if not source.function_at(i)[0]:
            continue
        if source.tokens[i - 1].text == ")" and source.tokens[
                source.pairs[i - 1] - 1].text not in ("if", "for", "while"):
            continue
        following = source.tokens[i + 1]
        begins = (token.text in JUMPS or token.text in ("++", "--", "*")
                  or token.kind == "name" and token.text not in KEYWORDS
                  and (following.text in ("(", "=", "->", ".", "[", "++", "--")
                       or following.text.endswith("=")))
        if not begins:
            continue
        end = i
        while source.tokens[end].text not in (";", "{", "}"):
            if source.tokens[end].text in "([":
                end = source.pairs[end]
            end += 1
        if source.tokens[end].text == ";":
            yield source.mutant(i, "deletion", ";", end)


def all_of(text):
    """Every mutant of a file, in its order, each once."""
    source = Source(text)
    seen, out = set(), []
    for make in (operators, constants, conditions, returns, deletions):
        for mutant in make(source):
            key = (mutant.start, mutant.end, mutant.new)
            if key not in seen:
                seen.add(key)
                out.append(mutant)
    return source, sorted(out, key=lambda m: (m.start, m.end, m.new))
