# SPDX-License-Identifier: BSD-2-Clause
"""A shop under test: its configuration, its keys, what its processes take."""

import json
import os
import pathlib
import random

from harness import agents
from harness.client import fetch
from harness.keys import P256, Rsa
from harness.nginx import GLOBALS, Nginx, wait_for
from harness.signer import Key, Request, jwks

ESTABLISHED, CLOSE_WAIT = "01", "08"     # in /proc/net/tcp
LARGE = b"x" * 2000000

CONF = """
%%GLOBALS%%
worker_processes 2;
events { worker_connections 1024; }
http {
    %%HTTP%%
    access_log off;
    keepalive_requests 1000000;
    client_header_timeout 30s;
    client_body_timeout 30s;
    client_body_buffer_size 16k;
    %%DIRECTORIES%%
    web_bot_auth_directory mixed {
        url file:%%DIR%%/keys/mixed.json;
        profile tap;
        tags mixed;
    }
    web_bot_auth_directory remote {
        url %%URL%%;
        profile tap;
        tags remote;
        timeout 2s;
        refresh 1s 2s;
        max_size 64k;
    }
    web_bot_auth_trusted_certificate %%CA%%;
    web_bot_auth_zone 4m %%FILE%%;
    web_bot_auth_state_path state;
    web_bot_auth_nonce_store %%STORE%%;
    web_bot_auth_wait 5s;
    web_bot_auth_clock_skew 1s;
    web_bot_auth on;
    web_bot_auth_dry_run %%DRY%%;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        listen 127.0.0.1:%%PORT_H2%% http2 reuseport;
        server_name shop.test;
        location / { %%OK%% }
        location /payers/ { web_bot_auth_allow tag=agent-payer-auth; %%OK%% }
        location @payers { web_bot_auth_allow tag=agent-payer-auth; %%OK%% }
        location /optional/ { web_bot_auth optional; %%OK%% }
        location /large/ { try_files /large.bin =404; }
        location /post/ { proxy_pass http://127.0.0.1:%%PORT_BACK%%; }
        location /hop/try/ { try_files /absent /payers/; }
        location /hop/error/ {
            error_page 404 = @payers;
            try_files /absent =404;
        }
        location /hop/rewrite/ { rewrite ^ /payers/ last; }
        location /hop/accel/ {
            proxy_pass http://127.0.0.1:%%PORT_BACK%%/accel;
        }
        location /ssi/ { ssi on; ssi_types *; try_files /ssi.html =404; }
        location /part { %%OK%% }
        location /mirror/ { mirror /part; %%OK%% }
        location /asks/ { auth_request /part; %%OK%% }
    }
    server {
        listen 127.0.0.1:%%PORT_BACK%%;
        web_bot_auth off;
        location / { return 200 "posted"; }
        location /accel {
            add_header X-Accel-Redirect /payers/x always;
            return 200;
        }
    }
    server {
        listen 127.0.0.1:%%PORT_STATUS%%;
        web_bot_auth off;
        location = /json { web_bot_auth_status json; }
    }
}
"""

P256_KEY, RSA_KEY = P256(), Rsa()

FILES = {"html/large.bin": LARGE,
         "html/ssi.html": "[<!--#include virtual=\"/part\" -->]",
         "keys/mixed.json": jwks(P256_KEY.jwk(), RSA_KEY.jwk())}


class Shop:
    """remote: the keys that its https directory serves now, the first for
    ever; past: those that it no longer serves."""

    def __init__(self, name, binary, module, directory, authority, store,
                 file="", dry="off"):
        self.name = name
        self.directory = directory
        self.path = "/%s/keys" % name
        self.remote = [Key(), Key()]
        self.past = []
        self.nginx = Nginx(binary, module, CONF, FILES, CA=authority.ca,
                           URL=directory.url(self.path), STORE=store,
                           FILE=file, DRY=dry,
                           GLOBALS=GLOBALS.replace("info;", "notice;"))
        self.port = self.nginx.port()
        self.port_h2 = self.nginx.port("PORT_H2")

    def keyids(self):
        return [key.thumbprint for key in self.remote]

    def key_set(self):
        return jwks(*self.remote)

    def remote_agent(self, key):
        return agents.Agent(key, "remote", agents.TARGET)

    def any_remote(self):
        """A key that is served, or was not long ago."""
        return random.choice(self.remote + self.past[-2:])

    def status(self):
        answer = fetch(self.nginx.port("PORT_STATUS"), Request(target="/json"))
        return json.loads(answer.body)

    def connections(self):
        """That clients have, or have left and nginx has not closed: neither
        the kernel's nor nginx's count remembers a worker that was killed."""
        ports = {self.port, self.port_h2, self.nginx.port("PORT_BACK")}
        count = 0
        for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, local, _, state = line.split()[:4]
            count += int(local.partition(":")[2], 16) in ports \
                and state in (ESTABLISHED, CLOSE_WAIT)
        return count

    def log_since(self, offset):
        with open(self.nginx.dir / "logs/error.log", "rb") as log:
            log.seek(offset)
            return log.read().decode("latin-1")

    def drain(self, seconds=30):
        """Waits until nobody is connected and old workers have ended."""
        wait_for("connections of %s to end" % self.name,
                 lambda: self.connections() == 0, seconds)
        wait_for("old workers of %s to end" % self.name,
                 lambda: reaped(self.nginx), seconds)

    def usage(self):
        """{pid: (is the master, private kilobytes, descriptors)}"""
        found = {}
        for pid in [self.nginx.process.pid, *self.nginx.processes()]:
            try:
                found[pid] = (pid == self.nginx.process.pid, private(pid),
                              descriptors(pid))
            except OSError:
                pass    # it ended meanwhile
        return found


def reaped(nginx):
    """Whether the master has but its two workers, and has taken note of the
    end of all others: it keeps a descriptor for each."""
    children = pathlib.Path("/proc/%d/task/%d/children" % (
        nginx.process.pid, nginx.process.pid))
    return len(children.read_text().split()) == 2


def private(pid):
    """Kilobytes of pages that no other process shares."""
    text = pathlib.Path("/proc/%d/smaps_rollup" % pid).read_text()
    return sum(int(line.split()[1]) for line in text.splitlines()
               if line.startswith("Private_"))


def anonymous(pid):
    """Kilobytes of anonymous pages, shared with children or not."""
    text = pathlib.Path("/proc/%d/status" % pid).read_text()
    return next(int(line.split()[1]) for line in text.splitlines()
                if line.startswith("RssAnon"))


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))
