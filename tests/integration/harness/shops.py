# SPDX-License-Identifier: BSD-2-Clause
"""A shop whose keys come over https: from a configured directory "remote",
or by discovery.  The fixture shop starts one; each has a path of its own at
the directory server, and so its own counts."""

import time

from .agents import BROWSER, Agent
from .client import Connection, fetch
from .directory import WELL_KNOWN
from .expect import seen
from .names import PUBLIC
from .nginx import wait_for
from .signer import Key, Request, jwks

CONF = """
%%GLOBALS%%
worker_processes %%WORKERS%%;
%%MAIN%%
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    %%SOURCE%%
    %%MORE%%
    web_bot_auth_trusted_certificate %%CA%%;
    web_bot_auth_wait %%WAIT%%;
    web_bot_auth_nonce_store %%STORE%% cold=accept;
    web_bot_auth on;
    %%ECHO%%
    add_header X-Worker $pid always;
    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        server_name shop.test;
        location / { %%OK%% }
        location /optional/ { web_bot_auth optional; %%OK%% }
    }
    server {
        listen 127.0.0.1:%%PORT_STATUS%%;
        web_bot_auth off;
        location / { stub_status; }
    }
}
"""

REMOTE = """
    web_bot_auth_directory remote {
        url %%URL%%;
        profile tap;
        tags remote;
        timeout %%TIMEOUT%%;
        refresh %%REFRESH%%;
        stale %%STALE%%;
        %%BOUNDS%%
        %%WORDS%%
    }
"""

DISCOVERY = """
    web_bot_auth_discovery {
        timeout %%TIMEOUT%%;
        refresh %%REFRESH%%;
        stale %%STALE%%;
        %%WORDS%%
    }
"""

USUAL = {"WORKERS": 2, "TIMEOUT": "5s", "REFRESH": "5m 24h", "STALE": "24h",
         "WAIT": "10s max=1024", "WORDS": "", "MORE": "", "MAIN": "",
         "STORE": "shared",
         "URL": "", "BOUNDS": "max_size 64k; max_keys 50;"}


class Shop:
    """nginx, and the one who asks it."""

    template = CONF

    def __init__(self, nginx, directory, path, key):
        self.nginx = nginx
        self.directory = directory
        self.path = path
        self.key = key

    # Requests with a key of the directory "remote"

    def request(self, target="/", key=None, **over):
        key = key or self.key
        return BROWSER.request(target, **{
            "key": key, "keyid": key.thumbprint, "tag": "remote", **over})

    def ask(self, target="/", **over):
        return fetch(self.nginx.port(), self.request(target, **over))

    def send(self, request):
        return fetch(self.nginx.port(), request)

    def becomes(self, reason, seconds=20, **over):
        """Asks until the reason is given; the response."""
        return becomes(lambda: self.ask(**over), reason, seconds)

    def loaded(self):
        wait_for("the directory to be fetched", lambda: self.count())
        return self.becomes("ok")

    def waiting(self, requests):
        """Connections on which the requests wait for an answer."""
        connections = []
        for request in requests:
            c = Connection(self.nginx.port())
            c.send(request)
            connections.append(c)
        wait_for("the requests to wait",
                 lambda: self.active() > len(connections))
        return connections

    def active(self):
        """Requests that nginx has read and not answered, this one too."""
        status = fetch(self.nginx.port("PORT_STATUS"), Request()).body
        return int(status.decode().partition("Writing: ")[2].split()[0])

    def halt(self):
        """nginx ends; nginx.start() starts it again in the same folder."""
        self.nginx.process.terminate()
        self.nginx.process.wait(20)

    def restart(self):
        self.halt()
        self.nginx.start()

    def advance(self, seconds):
        """The clock jumps, and the workers look at it."""
        self.nginx.names.advance(seconds)
        self.nudge()

    def nudge(self):
        time.sleep(0.03)    # the preloaded clock looks that often
        for _ in range(8):
            fetch(self.nginx.port(), Request())

    # The directory

    def serve(self, **manners):
        self.directory.serve(self.path, **manners)

    def count(self, status=None):
        return self.directory.count(self.path, status)

    def refreshed(self, times=1):
        """Waits for so many more requests at the directory."""
        before = self.count()
        wait_for("a refresh", lambda: self.count() >= before + times)

    # The log

    def logged(self, *texts):
        """Waits for a line that holds all of them; the line."""
        def line():
            for text in self.nginx.error_log.splitlines():
                if "web_bot_auth" in text and all(t in text for t in texts):
                    return text
            return None
        try:
            return wait_for("a log line with %r" % (texts,), line)
        except AssertionError as late:
            raise AssertionError("%s in:\n%s" % (
                late, self.nginx.error_log[-1500:])) from None

    def logged_times(self, text, times):
        """Waits until it was logged so often: nginx is through with what the
        directory only knows to have answered."""
        wait_for("%r %d times" % (text, times),
                 lambda: self.nginx.error_log.count(text) == times)


def becomes(ask, reason, seconds=20):
    def answer():
        response = ask()
        return response if seen(response)[0] == reason else None
    return wait_for("the reason " + reason, answer, seconds)


def answers(connections):
    got = [c.receive() for c in connections]
    for c in connections:
        c.close()
    return got


class Shops:
    """shop(manners, ...): an nginx with the directory "remote"; values for
    the template by name.  shop.discovering(names, words): one that discovers.
    """

    def __init__(self, serve, directory, authority):
        self.run = serve
        self.directory = directory
        self.authority = authority
        self.all = []

    def make(self, source, key, path, names=None, **values):
        nginx = self.run.make(CONF, names=names, **{
            **USUAL, "CA": self.authority.ca, "SOURCE": source, **values})
        shop = Shop(nginx, self.directory, path, key)
        self.all.append(shop)
        return shop

    def __call__(self, manners=None, path=None, start=True, key=None,
                 **values):
        key = key or Key()
        path = path or "/%s/%d" % (time.monotonic_ns(), len(self.all))
        self.directory.paths.pop(path, None)
        self.directory.serve(path, **{"body": jwks(key), **(manners or {})})
        values.setdefault("URL", self.directory.url(path))
        shop = self.make(values.pop("SOURCE", REMOTE), key, path, **values)
        if start:
            shop.nginx.start()
        return shop

    def discovering(self, names, words="any;", **values):
        """One worker, unless asked otherwise: places are counted exactly."""
        names.map(PUBLIC, self.directory)
        shop = self.make(DISCOVERY, None, None, names=names,
                         **{"WORKERS": 1, "WORDS": words, **values})
        shop.nginx.start()
        return shop

    def stop(self):
        self.directory.release()
        for shop in self.all:
            self.run.all.remove(shop.nginx)
        for shop in self.all:
            shop.nginx.stop()


class Found:
    """An agent at https://HOST whose keys must be discovered."""

    def __init__(self, directory, names, host, path=WELL_KNOWN, url=None,
                 address=PUBLIC, **manners):
        self.host = host
        self.key = Key()
        self.path = host + path
        self.directory = directory
        self.url = url or "https://" + host + (
            "" if path == WELL_KNOWN else path)
        directory.log[:] = [e for e in directory.log
                            if not e[2].get("Host", "").startswith(host)]
        directory.paths.pop(self.path, None)
        directory.serve(self.path, **{"body": jwks(self.key), **manners})
        if names:
            names.host(host, address)

    def serve(self, **manners):
        self.directory.serve(self.path, **manners)

    def count(self, status=None):
        return self.directory.count(self.path, status)

    def request(self, target="/", field=None, components=None, **over):
        """field: Signature-Agent's whole value."""
        agent = Agent(self.key, "web-bot-auth",
                      components or ("@authority",
                                     'signature-agent;key="sig1"'),
                      signature_agent=field or 'sig1="%s"' % self.url)
        return agent.request(target, **over)
