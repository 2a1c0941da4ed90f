# SPDX-License-Identifier: BSD-2-Clause
"""A person's nginx in a folder of its own: configure, start, reload, stop.

A template's %%NAME%% become:
    %%PORT%%, %%PORT_x%%   free ports, the same for the same name
    %%DIR%%                the folder
    %%GLOBALS%%            load_module, pid, error_log, daemon off
    %%HTTP%%               temporary paths and access log, for http {}
    %%DIRECTORIES%%        the directories of agents.py
    %%ECHO%%               add_header lines that show the variables
    %%OK%%                 serves "ok" for every URI, by the phases (which
                           return would bypass)
and whatever else the test gives by name.
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

from . import agents, ports

BAD = re.compile(r"\[(alert|emerg)\]|Sanitizer|runtime error|"
                 r"exited on signal|open socket .* left|"
                 r"^==\d+== (?!  )(?!\s*$)")

# valgrind with its options: nginx is then one process alone, as the titles of
# those under valgrind say nothing.  What it prints (with -q) are findings.
WRAPPER = os.environ.get("NGINX_WRAPPER", "").split()

# The sanitizers' libraries, which a new binary needs as well.
PRELOAD = os.environ.get("NGINX_PRELOAD", "")
SANITIZED = "asan" in PRELOAD

GLOBALS = """\
daemon off;
pid logs/nginx.pid;
error_log logs/error.log info;
%%LOAD%%
""" + ("master_process off;\n" if WRAPPER else "") \
    + ("env LD_PRELOAD;\nenv ASAN_OPTIONS;\n" if PRELOAD else "")

HTTP = """\
client_body_temp_path temp/body;
proxy_temp_path temp/proxy;
fastcgi_temp_path temp/fastcgi;
uwsgi_temp_path temp/uwsgi;
scgi_temp_path temp/scgi;
access_log logs/access.log;
server_tokens off;
root html;
default_type text/plain;
"""

OK = "try_files /ok.txt =404;"

VARIABLES = ("result reason decision tag directory agent keyid label created "
             "expires nonce components claimed_tag claimed_keyid "
             "claimed_agent").split()

ECHO = "".join("add_header X-%s $web_bot_auth_%s always;\n"
               % (v.replace("_", "-"), v) for v in VARIABLES)


def wait_for(what, condition, seconds=20):
    """Polls until condition() is true; its value."""
    deadline = time.monotonic() + seconds * (4 if WRAPPER else 1)
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, "timed out: " + what
        time.sleep(0.02)


class Nginx:
    """module None: nginx without the module under test.  names: a
    harness.names.Names, for what it looks up and connects to."""

    def __init__(self, binary, module, template, files=None, names=None,
                 **values):
        self.binary = binary
        self.module = module
        self.names = names
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="wba-test-"))
        self.dir.chmod(0o755)
        for folder in ("logs", "temp", "html", "keys"):
            (self.dir / folder).mkdir(mode=0o755)
        self.values = values
        self.ports = {}
        self.process = None
        self.expected = []
        self.checked = 0
        for name, text in {"html/ok.txt": "ok", **agents.key_files(),
                           **(files or {})}.items():
            self.write(name, text)
        self.configure(template)

    # Files

    def write(self, name, text):
        """Writes a file of the tree, atomically."""
        path = self.dir / name
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        temporary = path.with_name(path.name + ".new")
        temporary.write_bytes(text if isinstance(text, bytes)
                              else text.encode())
        temporary.chmod(0o644)
        temporary.rename(path)
        return path

    def configure(self, template):
        load = "load_module %s;" % self.module if self.module else ""
        fixed = {"GLOBALS": GLOBALS, "HTTP": HTTP, "ECHO": ECHO,
                 "OK": OK, "DIRECTORIES": agents.DIRECTORIES, "LOAD": load,
                 "DIR": str(self.dir)}

        def value(match):
            name = match[1]
            if re.match(r"PORT(_|$)", name):
                return str(self.port(name))
            return str({**fixed, **self.values}[name])

        text = template
        for _ in range(3):      # values may hold placeholders themselves
            text = re.sub(r"%%(\w+)%%", value, text)
        self.write("nginx.conf", text)

    def port(self, name="PORT"):
        if name not in self.ports:
            self.ports[name] = ports.free()
        return self.ports[name]

    @property
    def error_log(self):
        path = self.dir / "logs/error.log"
        return path.read_text("latin-1") if path.exists() else ""

    @property
    def access_log(self):
        return (self.dir / "logs/access.log").read_text("latin-1")

    # Life

    def command(self, *more):
        return [*WRAPPER, self.binary, "-p", "%s/" % self.dir, "-e",
                "logs/error.log", "-c", "nginx.conf", *more]

    def environment(self):
        """NGINX_PRELOAD (the sanitizers') comes before everything else."""
        preload = [PRELOAD]
        if self.names:
            preload.append(str(self.names.library))
        if not any(preload):
            return None
        more = self.names.environment() if self.names else {}
        return {"ASAN_OPTIONS": "detect_leaks=0", **os.environ, **more,
                "LD_PRELOAD": " ".join(preload).strip()}

    def test(self, env=None):
        """nginx -t, with env besides: (whether it succeeded, what it
        printed)."""
        if env:
            env = {**(self.environment() or os.environ), **env}
        done = subprocess.run(self.command("-t"),
                              env=env or self.environment(),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=60, check=False)
        return done.returncode == 0, done.stdout.decode("latin-1")

    def start(self):
        output = open(self.dir / "logs/output", "wb")
        self.process = subprocess.Popen(self.command(), stdout=output,
                                        stderr=output,
                                        env=self.environment())
        output.close()
        wait_for("nginx to listen", self.listening)
        wait_for("workers", self.serving)
        return self

    def serving(self):
        """Whether there are workers; it may end after it began to listen."""
        assert self.process.poll() is None, self.error_log
        return self.workers()

    def listening(self):
        assert self.process.poll() is None, self.error_log
        used = (self.dir / "nginx.conf").read_text()
        return all(accepts(port) for port in self.ports.values()
                   if re.search(r"listen [^;]*\b%d\b" % port, used))

    def processes(self):
        """Titles of this nginx's children by process id."""
        found = {}
        for pid in filter(str.isdecimal, os.listdir("/proc")):
            process = pathlib.Path("/proc", pid)
            try:
                stat = (process / "stat").read_text()
                rest = stat.rpartition(")")[2].split()
                if int(rest[1]) == self.process.pid and rest[0] != "Z":
                    title = (process / "cmdline").read_bytes()
                    found[int(pid)] = title.decode("latin-1")
            except OSError:
                pass    # it ended meanwhile
        return found

    def workers(self):
        """Process ids of the workers that serve."""
        if WRAPPER:
            return {self.process.pid}
        return {pid for pid, title in self.processes().items()
                if "worker process" in title and "shutting" not in title}

    def reload(self, wait_old=False):
        """HUP; returns when as many new workers serve as old ones did (and,
        with wait_old, the old ones have ended)."""
        if WRAPPER:
            pytest.skip("one process alone cannot reload")
        old = self.workers()
        self.process.send_signal(signal.SIGHUP)
        wait_for("new workers", lambda: len(self.workers() - old) >= len(old)
                 and not self.workers() & old)
        wait_for("the new workers to run", self.listening)
        if wait_old:
            wait_for("old workers to end",
                     lambda: not old & set(self.processes()))

    def kill_worker(self, pid):
        self.expect(r"worker process \d+ exited on signal 9")
        os.kill(pid, signal.SIGKILL)
        wait_for("the worker to end", lambda: pid not in self.processes())

    def stop(self):
        """Stops, checks the log a last time and removes the folder."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("nginx did not end") from None
        self.check_log()
        shutil.rmtree(self.dir, ignore_errors=True)

    # Logs

    def expect(self, pattern):
        """Declares error.log lines that check_log shall let by."""
        self.expected.append(re.compile(pattern))

    def check_log(self):
        """Fails on lines that no healthy nginx writes."""
        text = self.error_log
        output = self.dir / "logs/output"
        if output.exists():
            text += output.read_text("latin-1")
        bad = [line for line in text.splitlines() if BAD.search(line)
               and not any(e.search(line) for e in self.expected)]
        fresh, self.checked = bad[self.checked:], len(bad)
        assert not fresh, "error.log: " + "\n".join(fresh[:20])

    def refusals(self, since=0):
        """The reasons of the refusals logged after an offset of the log."""
        return re.findall(r"web_bot_auth: request refused.*?reason=([a-z-]+)",
                          self.error_log[since:])


def accepts(port):
    with socket.socket() as s:
        s.settimeout(5)
        return s.connect_ex(("127.0.0.1", port)) == 0
