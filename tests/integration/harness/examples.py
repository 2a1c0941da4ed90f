# SPDX-License-Identifier: BSD-2-Clause
"""The configurations that README and docs show, made to run on this machine.

A block that begins with ```nginx is a whole nginx.conf, or a part of one, which
is put where its outermost directives belong.  What the text leaves out is
added: a server's listener, name and certificate, directories that rules name,
the upstream "shop".  Paths and ports become this machine's; a file that is
named is made.  Nothing else is changed."""

import dataclasses
import re

from .nginx import HTTP
from .plugin import ROOT
from .signer import Key, jwks

NOBODY = Key()
SNIPPETS = ROOT / "src/packaging/snippets"

MAIN_WORDS = {"http", "events", "load_module", "worker_rlimit_core",
              "working_directory"}
HTTP_WORDS = {"server", "upstream", "map", "geo", "log_format",
              "limit_req_zone", "limit_conn_zone"}
HTTP_WORDS |= set(re.findall(
    r'ngx_string\("(\w+)"\),\s*NGX_HTTP_MAIN_CONF\|',
    (ROOT / "src/nginx/ngx_http_web_bot_auth_module.c").read_text()))
SERVER_WORDS = {"location"}

# lines of http {} that an nginx of a test needs; types are the example's own
TEMPORARY = "".join(line + "\n" for line in HTTP.splitlines()
                    if re.search("temp_path|access_log", line))

WHOLE = """
%%GLOBALS%%
events {}
http {
    {text}
}
"""


@dataclasses.dataclass
class Example:
    path: str           # of the file, from the top of the project
    line: int           # where the block begins
    heading: str        # what it stands under
    text: str           # the block
    around: str         # the prose from the block before it to the one after

    def __str__(self):
        return "%s:%d" % (self.path, self.line)


def examples_in(path, text):
    """Every ```nginx block of a page."""
    found, prose, heading, line = [], [""], "", 1
    parts = re.split(r"^(```.*?^```$|#+ .*?$)", text, flags=re.M | re.S)
    for part in parts:
        if part.startswith("#"):
            heading = part.lstrip("# ").strip()
            prose.append("")
        elif part.startswith("```"):
            if part.startswith("```nginx\n"):
                block = part.partition("\n")[2][:-len("```")]
                found.append((len(prose) - 1,
                              Example(path, line, heading, block, "")))
            prose.append("")
        else:
            prose[-1] += part
        line += part.count("\n")
    prose.append("")
    for before, example in found:
        example.around = prose[before] + prose[before + 1]
    return [example for _, example in found]


def pages():
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def all_examples():
    return [e for page in pages() for e in examples_in(
        str(page.relative_to(ROOT)), page.read_text())]


def under(page, heading):
    """The first example under a heading."""
    return next(e for e in examples_in(page, (ROOT / page).read_text())
                if e.heading == heading)


# ---- nginx's syntax, as far as needed

TOKEN = re.compile(r"""\s+|\#[^\n]*|(?P<mark>[{};])|
                       (?P<word>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|
                        (?:\\.|\$\{|[^\s;{}"'\\])(?:\\.|\$\{|[^\s;{}\\])*)""",
                   re.X)


def outermost(text):
    """(words, body or None) of each directive that is in no block."""
    words, at, start, depth, out = [], 0, 0, 0, []
    while at < len(text):
        token = TOKEN.match(text, at)
        assert token, "cannot read: " + text[at:at + 40]
        at = token.end()
        mark = token["mark"]
        if mark == "{":
            depth += 1
            start = at if depth == 1 else start
        elif mark == "}":
            depth -= 1
            if depth == 0:
                out.append((words, text[start:token.start()]))
                words = []
        elif depth == 0 and mark == ";":
            out.append((words, None))
            words = []
        elif depth == 0 and token["word"]:
            words.append(token["word"])
    assert depth == 0 and not words, "it ends in the middle"
    return out


def level(text):
    names = {words[0] for words, _ in outermost(text)}
    for words, where in ((MAIN_WORDS, "main"), (HTTP_WORDS, "http"),
                         (SERVER_WORDS, "server")):
        if names & words:
            return where
    return "location"


# ---- what the text leaves out

LISTENER = """
    listen 127.0.0.1:443 ssl;
    server_name shop.example;
    ssl_certificate /etc/nginx/tls/shop.crt;
    ssl_certificate_key /etc/nginx/tls/shop.key;
"""

DIRECTORIES = {
    "visa": "profile tap;",
    "mastercard": "profile agent-pay; "
                  "agent https://agentpay-key-directory.mastercard.com/;",
}


def with_listeners(text):
    """Servers that name no port get a name and TLS."""
    out, at = "", 0
    for found in re.finditer(r"^\s*server \{", text, re.M):
        body = next(body for words, body in outermost(text[found.start():])
                    if words == ["server"])
        out += text[at:found.end()]
        at = found.end()
        if not any(words[0] == "listen" for words, _ in outermost(body)):
            out += LISTENER
    return out + text[at:]


def directory(name):
    """As conf.example has it, or one for crawlers."""
    return "web_bot_auth_directory %s { url https://keys.example/%s.json; " \
        "%s }\n" % (name, name, DIRECTORIES.get(
            name, "profile web-bot-auth; agent https://%s.example;" % name))


def directories(text):
    """Those that rules name and nobody has written; those of conf.example
    where there is no other."""
    has = set(re.findall(r"^\s*web_bot_auth_directory (\w+)", text, re.M))
    discovers = re.search(r"^\s*web_bot_auth_discovery\b", text, re.M)
    named = set(re.findall(r"directory=(\w+)", text)) - {"discovery"}
    if re.search(r"tag=agent-pay-auth", text):
        named.add("mastercard")
    if not has and not discovers:
        named |= set(DIRECTORIES)
    return "".join(directory(name) for name in sorted(named - has))


def completed(text):
    """A whole nginx.conf, before paths and ports are changed."""
    where = level(text)
    if where == "main":
        if "http" not in {words[0] for words, _ in outermost(text)}:
            text += WHOLE.replace("{text}", "")
        return text
    if where == "location":
        text = "location / {\n%s}\n" % text
    if where in ("location", "server"):
        text = "server {%s%s}\n" % (LISTENER, text)
    text = directories(text) + with_listeners(text)
    if "http://shop;" in text and "upstream shop" not in text:
        text = "upstream shop { server 127.0.0.1:8080; }\n" + text
    return WHOLE.replace("{text}", text)


# ---- this machine's

def port_name(port):
    return "PORT" if port == "443" else "PORT_" + port


ADAPTATIONS = [
    (r"load_module \S+;", "%%GLOBALS%%"),
    (r"(?m)^(user|pid|error_log) [^;]*;", ""),
    (r"(?m)^http \{", "http {\n" + TEMPORARY),
    (r"\blisten (?:[\d.]+:)?(\d+)\b",
     lambda m: "listen 127.0.0.1:%%" + port_name(m[1]) + "%%"),
    (r"(?m)^(\s*ssl_certificate) \S+;", r"\1 %%CERT%%;"),
    (r"(?m)^(\s*ssl_certificate_key) \S+;", r"\1 %%KEY%%;"),
    (r"(?<![\w.%])/etc/ssl/certs/ca-certificates\.crt", "%%CA%%"),
    (r"(?<![\w.%])/(etc/nginx|var/log/nginx|var/lib/nginx|srv|run)/",
     r"%%DIR%%/\1/"),
]


def adapted(text):
    """The template that harness.nginx takes: paths and ports of its own."""
    for pattern, replacement in ADAPTATIONS:
        text = re.sub(pattern, replacement, text)
    return text


CONTENT = {
    "password": "secret\n",
    "types": "types { text/html html; application/json json; }\n",
}


def files(template, **key_sets):
    """The files that it reads, and what is in its folders: for serve().
    key_sets: by directory; others hold a key of nobody's."""
    out = {}
    for name, kind in re.findall(r"%%DIR%%/(etc/nginx/[\w/.-]+)\.(\w+)",
                                 template):
        if kind == "json":
            out[name + ".json"] = key_sets.get(
                name.rpartition("/")[2], jwks(NOBODY))
        elif kind in CONTENT:
            out[name + "." + kind] = CONTENT[kind]
    for name in re.findall(r"%%DIR%%/((?:var|run|srv)/[\w/.-]+)", template):
        out[name.rpartition("/")[0] + "/here"] = ""
    for snippet in SNIPPETS.glob("*.conf"):
        out["snippets/" + snippet.name] = snippet.read_text()
    return out
