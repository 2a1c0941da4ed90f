# SPDX-License-Identifier: BSD-2-Clause
"""A folder that stands for a machine, on which the pages' own commands are run
and into which their configuration is written.  What is adapted, and nothing
else:

    paths       /etc/nginx and the like are below the folder
    ports       free ones, on loopback; curl is told where shop.example is
    commands    sudo runs what it is given; nginx and wba are given this
                folder, and the certificates that tests have
"""

import os
import re
import shlex
import subprocess
import time

from .guide import ROOT, prints
from .nginx import HTTP, Nginx, accepts, wait_for

PLACES = r"/(?:etc/nginx|var/log/nginx|var/lib/nginx|usr/lib/nginx|run)\b"

# As on Debian, but for what keeps it within the folder and in the foreground.
NGINX_CONF = """\
worker_processes 2;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log;
include /etc/nginx/modules-enabled/*.conf;
daemon off;

events {
    worker_connections 768;
}

http {
    sendfile on;
    tcp_nopush on;
    types_hash_max_size 2048;
    access_log /var/log/nginx/access.log;
    gzip on;
""" + re.sub(r"(?m)^(access_log|server_tokens|root).*\n", "", HTTP) + """
    include /etc/nginx/conf.d/*.conf;
    include /etc/nginx/sites-enabled/*;
}
"""

FOLDERS = ("etc/nginx/modules-enabled", "etc/nginx/conf.d",
           "etc/nginx/sites-enabled", "etc/nginx/tls", "var/log/nginx",
           "var/lib/nginx", "usr/lib/nginx/modules", "run", "home", "bin")


class Machine(Nginx):
    """loaded: the module and wba are there already.  store: the certificates
    that it knows authorities by.  other: texts that are adapted besides."""

    def __init__(self, binaries, authority, loaded=True, upstream=None,
                 names=None, store=None, other=()):
        self.authority = authority
        self.store = store or authority.ca
        self.upstream = upstream
        self.loaded = loaded
        self.other = dict(other)
        super().__init__(*binaries, NGINX_CONF, names=names)

    # Files

    def configure(self, template):
        for folder in FOLDERS:
            (self.dir / folder).mkdir(mode=0o755, parents=True, exist_ok=True)
        (self.dir / "modules").symlink_to(self.dir / "usr/lib/nginx/modules")
        self.put("/etc/nginx/nginx.conf", template)
        for end in "crt", "key":
            self.write("etc/nginx/tls/shop." + end, getattr(
                self.authority, "cert" if end == "crt" else "key").read_text())
        if self.loaded:
            self.put("/etc/nginx/modules-enabled/50-web-bot-auth.conf",
                     "load_module %s;\n" % self.module)
        self.commands()

    def put(self, path, text):
        """A file of the machine, whose text is adapted."""
        return self.write(path[1:], self.adapted(text))

    def commands(self):
        wba = os.environ.get("WBA", str(self.module.parent / "wba")) \
            if self.loaded else str(self.dir / "usr/local/bin/wba")
        nginx = (self.environment() or {}).get("LD_PRELOAD", "")
        names = self.names.library if self.names else ""
        self.script("sudo", 'exec "$@"')
        self.script("nginx", "exec env LD_PRELOAD='%s' %s -p %s/ -c "
                    'etc/nginx/nginx.conf "$@"'
                    % (nginx, self.binary, self.dir))
        self.script("wba", 'if [ "$1" = directory ]; then shift; '
                    "exec env LD_PRELOAD='%s' %s directory --ca %s \"$@\"; fi; "
                    'exec %s "$@"' % (names, wba, self.store, wba))

    def script(self, name, text):
        path = self.write("bin/" + name, "#!/bin/bash\n%s\n" % text)
        path.chmod(0o755)

    # Adapting

    def listens(self, match):
        address, port = match[2] or "127.0.0.1:", match[3]
        return "%s%s%d%s" % (match[1], address, self.port("PORT_" + port),
                             match[4])

    def adapted(self, text):
        text = re.sub(PLACES, lambda m: str(self.dir) + m[0], text)
        text = re.sub(r"(\blisten )(127\.0\.0\.1:)?(\d+)( ssl[^;]*|);",
                      lambda m: self.listens(m) + ";", text)
        if self.upstream:
            text = text.replace("127.0.0.1:8080",
                                "127.0.0.1:%d" % self.upstream.port)
        for here, there in self.other.items():
            text = text.replace(here, there)
        # Where tests have their certificates from.
        return re.sub(r"(?m)^web_bot_auth_directory \w+ \{\n +url https:",
                      "web_bot_auth_trusted_certificate %s;\n\\g<0>"
                      % self.store, text, count=1)

    def typed(self, command):
        """A command, adapted."""
        command = re.sub(PLACES, lambda m: str(self.dir) + m[0], command)
        return re.sub(r"(http://127\.0\.0\.1:)(\d+)", lambda m: m[1] + str(
            self.port("PORT_" + m[2])), command)

    def printed(self, text):
        """What a command printed, as it would be elsewhere."""
        text = text.replace(str(self.dir), "")
        for here, there in self.other.items():
            text = text.replace(there, here)
        for name, port in self.ports.items():
            text = text.replace("127.0.0.1:%d" % port,
                                "127.0.0.1:" + name[len("PORT_"):])
        return text

    # Commands

    def shell_environment(self):
        self.write("home/.curlrc", "".join("%s = \"%s\"\n" % line for line in (
            ("cacert", self.authority.ca), ("noproxy", "*"), ("max-time", 20),
            ("connect-to", "shop.example:443:127.0.0.1:%d"
             % self.port("PORT_443")))))
        env = {k: v for k, v in os.environ.items()
               if not k.startswith("MAKE") and k != "MFLAGS"}
        more = self.names.environment() if self.names else {}
        return {**env, **more, "HOME": str(self.dir / "home"),
                "DESTDIR": str(self.dir), "FLAVOUR": self.module.parent.name,
                "PATH": "%s:%s:%s" % (self.dir / "bin",
                                      self.dir / "usr/local/bin",
                                      env["PATH"])}

    def run(self, command, before=""):
        """Both outputs of one command, in the clone; before: the same shell's
        earlier commands."""
        old = self.workers() if "nginx -s reload" in command else None
        done = subprocess.run(
            ["bash", "-c", before + self.typed(command)], cwd=ROOT,
            env=self.shell_environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300,
            check=False)
        if old is not None and done.returncode == 0:
            wait_for("new workers", lambda: len(self.workers() - old) >= 2
                     and not self.workers() & old)
            wait_for("them to listen", self.listening)
        return self.printed(done.stdout.decode("latin-1"))

    # Life

    def command(self, *more):
        return [self.binary, "-p", "%s/" % self.dir, "-c",
                "etc/nginx/nginx.conf", *more]

    @property
    def error_log(self):
        path = self.dir / "var/log/nginx/error.log"
        return path.read_text("latin-1") if path.exists() else ""

    def listening(self):
        assert self.process.poll() is None, self.error_log
        used = "".join(path.read_text() for path in
                       (self.dir / "etc/nginx").rglob("*") if path.is_file()
                       and path.suffix not in (".crt", ".key"))
        return all(accepts(port) for port in self.ports.values()
                   if re.search(r"listen [^;]*\b%d\b" % port, used))


# What only looks: others may not have written yet what it looks for.
LOOKS = ("tail ", "grep ", "ls ", "curl -s http://127.0.0.1")


class Walk:
    """Goes through a page's blocks on a machine, as its reader would."""

    def __init__(self, machine):
        self.machine = machine
        self.assigned = ""      # variables of the reader's shell
        self.last = None

    def type(self, command, said):
        def go():
            return self.machine.run(command, self.assigned)

        got = go()
        deadline = time.monotonic() + 15
        while not prints(said, got) and command.startswith(LOOKS) \
                and time.monotonic() < deadline:
            if "nonce-store-cold" in got and self.last:
                self.machine.run(self.last, self.assigned)
            time.sleep(0.2)
            got = go()
        assert prints(said, got), "$ %s\n%s\ninstead of\n%s\n%s" % (
            command, got, said, self.machine.error_log[-2000:])
        if re.match(r"\w+=\$\(", command):
            value = self.machine.run(command + "; printf %s \"$" + re.match(
                r"\w+", command)[0] + '"', self.assigned)
            self.assigned += "%s=%s\n" % (re.match(r"\w+", command)[0],
                                          shlex.quote(value))
        if not command.startswith(LOOKS):
            self.last = command

    def block(self, block):
        if block.language == "nginx" and block.file:
            self.machine.put(block.file, block.text)
        elif block.language == "console":
            for command, said in block.commands:
                self.type(command, said)
