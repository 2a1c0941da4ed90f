# SPDX-License-Identifier: BSD-2-Clause
"""Commands of the documentation, run as they stand in a folder of their own,
in a world where https://shop.example is an nginx with the module and
https://agent.example publishes the folder's keys.json.

Blocks of a Markdown page are
    ```sh           commands; one that ends in "# exit status N" ends so
    ```text         behind such a block: lines of its output, in this order;
                    "..." stands for anything
"""

import os
import pathlib
import re
import select
import subprocess
import time

from .directory import Directory
from .names import OTHER_PUBLIC, PUBLIC, Names

ROOT = pathlib.Path(__file__).resolve().parents[3]
WBA = pathlib.Path(os.environ.get("WBA", ROOT / "build/gcc/wba")).resolve()

CONF = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    web_bot_auth_directory shop {
        url file:%%DIR%%/keys/keys.json;
        profile tap;
    }
    web_bot_auth_directory agent {
        url file:%%DIR%%/keys/keys.json;
        profile web-bot-auth;
        agent https://agent.example;
    }
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth on;
    web_bot_auth_expose_reason on;
    server {
        listen 127.0.0.1:%%PORT%% ssl http2;
        server_name shop.example;
        ssl_certificate %%CERT%%;
        ssl_certificate_key %%KEY%%;
        error_page 405 =200 /ok.txt;
        location / { %%OK%% }
        location /checkout/ { web_bot_auth_challenge on nonce; %%OK%% }
        location /pay { web_bot_auth_content_digest required; %%OK%% }
    }
}
"""


def commands(text):
    """(command, exit status) of a block's lines, continued ones as one."""
    found, parts = [], []
    for line in text.splitlines():
        if not parts and (not line.strip() or line.lstrip().startswith("#")):
            continue
        parts.append(line)
        if line.endswith("\\"):
            continue
        whole = "\n".join(parts)
        status = re.search(r"# exit status (\d+)$", whole)
        found.append((whole, int(status[1]) if status else 0))
        parts = []
    assert not parts, "a line too many goes on: " + text
    return found


def blocks(page):
    """(language, text) of the fenced blocks of a Markdown page."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", page, re.M | re.S)


class Shell:
    """A shell that keeps its variables from command to command."""

    def __init__(self, folder, environment):
        self.process = subprocess.Popen(
            ["sh"], cwd=folder, env=environment, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.output = b""

    def run(self, command, seconds=60):
        """(exit status, output); nothing is there to be read by it."""
        mark = "end of the command"
        self.process.stdin.write(("{ %s\n} < /dev/null; printf '\\n%%s %s\\n' "
                                  "$?\n" % (command, mark)).encode())
        self.process.stdin.flush()
        end = re.compile(rb"\n(\d+) %s\n" % mark.encode())
        deadline = time.monotonic() + seconds
        while not end.search(self.output):
            left = deadline - time.monotonic()
            assert left > 0, "no end: %s\n%r" % (command, self.output)
            if select.select([self.process.stdout], [], [], left)[0]:
                some = os.read(self.process.stdout.fileno(), 65536)
                assert some, "the shell ended: %s\n%r" % (command,
                                                          self.output)
                self.output += some
        found = end.search(self.output)
        text = self.output[:found.start()]
        self.output = self.output[found.end():]
        return int(found[1]), text.decode()

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


def check_output(shown, output):
    """Each line that is shown, in order; blanks at ends of lines do not
    count."""
    output = re.sub(r"[ \t\r]+$", "", output, flags=re.M)
    at = 0
    for line in shown.splitlines():
        if not line.strip():
            continue
        pattern = ".*".join(re.escape(part) for part in line.split("..."))
        found = re.compile("^%s$" % pattern, re.M).search(output, at)
        assert found, "%r is not in:\n%s" % (line, output[at:])
        at = found.end()


class Walk:
    def __init__(self, folder, serve, authority, library):
        self.folder = folder
        self.serve = serve
        self.authority = authority
        self.names = Names(library)
        self.directory = Directory(
            authority, chain=authority.issue("agent.example"))
        self.nginx = None
        self.names.host("shop.example", PUBLIC)
        self.names.host("agent.example", OTHER_PUBLIC)
        self.names.map(OTHER_PUBLIC, self.directory)
        self.shell = Shell(folder, self.environment())

    def environment(self):
        path = "%s:%s" % (WBA.parent, os.environ["PATH"])
        return {**{k: v for k, v in os.environ.items()
                   if not k.lower().endswith("_proxy")},
                **self.names.environment(), "PATH": path,
                "LD_PRELOAD": str(self.names.library), "LC_ALL": "C.UTF-8",
                "WBA_TEST_ROOTS": str(self.authority.ca),
                "HOME": str(self.folder)}

    def publish(self):
        """What keys.json holds, at the agent and at the shop."""
        keys = self.folder / "keys.json"
        if not keys.exists() or not keys.read_bytes():
            return
        self.directory.serve(body=keys.read_bytes())
        if self.nginx is None:
            cert, key = self.authority.issue("shop.example")
            self.nginx = self.serve(CONF, CERT=cert, KEY=key, files={
                "keys/keys.json": keys.read_bytes()})
            self.names.mapped["%s:443" % PUBLIC] = \
                "127.0.0.1:%d" % self.nginx.port()
            self.names.write()

    def run(self, block):
        """Runs a block; standard output and error as one text."""
        output = ""
        for command, status in commands(block):
            self.publish()
            got, text = self.shell.run(command)
            assert got == status, "exit status %d of %s\n%s" % (got, command,
                                                                text)
            output += text
        return output

    def page(self, text):
        """All blocks of a page; how many commands there were."""
        count, output = 0, None
        for language, block in blocks(text):
            if language == "sh":
                count += len(commands(block))
                output = self.run(block)
            elif language == "text":
                check_output(block, output)
        return count

    def close(self):
        self.shell.close()
        self.directory.stop()
        self.names.close()
