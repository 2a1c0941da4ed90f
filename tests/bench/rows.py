# SPDX-License-Identifier: BSD-2-Clause
"""What is measured: a row is a server, a request that is sent to it many times,
and the row it is set against."""

import dataclasses

# Requests of which none is asked for its nonce are sent again and again.
POOL = "pool=512"
MEGABYTE = ("body=1048576",)


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    server: str
    path: str
    kind: str
    against: str = None         # the row that this one is divided by
    status: str = "200"
    options: tuple = ()
    most: int = 12000           # requests in one go
    h2: bool = False


def crypto(name, server, path="/on", kind="tap", **more):
    """One that verifies: each request has a nonce of its own."""
    return Row(name, server, path, kind, most=4000, **more)


def cheap(name, server, path, kind, **more):
    return Row(name, server, path, kind, options=(POOL,), **more)


def body(name, path, kind, options=(*MEGABYTE, "pool=4"), **more):
    return Row(name, "bodies", path, kind, most=100, options=options, **more)


CONTROL = "control: nginx and one verify"
VERIFIED = "verified, tap"
PLAIN = "module off, signed"
DENIED = "plain 403, signed"
BOT = "verified, web-bot-auth"
HASHED = "1 MB body: control and SHA-256"

ROWS = [
    cheap("plain nginx, unsigned", "bare", "/off", "plain"),
    cheap("plain nginx, signed", "bare", "/off", "tap"),
    cheap("module off, unsigned", "one", "/off", "plain",
          against="plain nginx, unsigned"),
    cheap(PLAIN, "one", "/off", "tap", against="plain nginx, signed"),
    cheap("optional, unsigned", "one", "/optional", "plain",
          against="module off, unsigned"),
    cheap(CONTROL, "one", "/control", "tap"),
    crypto(VERIFIED, "one", against=CONTROL),

    cheap(DENIED, "one", "/denied", "tap", status="403"),
    cheap("refused: expired", "one", "/on", "expired", status="403",
          against=DENIED),
    cheap("refused: unknown tag", "one", "/on", "badtag", status="403",
          against=DENIED),
    cheap("refused: unknown key", "one", "/on", "unknown", status="403",
          against=DENIED),
    cheap("refused: replay", "one", "/on", "used", status="429",
          against=DENIED),
    Row("refused: forged", "one", "/on", "forged", status="403", most=4000,
        against=CONTROL),

    crypto(BOT, "kinds", kind="wba", against=CONTROL),
    crypto("verified, agent-pay", "kinds", kind="pay", against=CONTROL),
    crypto("verified, tap, 3 directories", "kinds", against=CONTROL),
    Row("verified, RSA-PSS 2048", "kinds", "/on", "rsa", most=150,
        against=CONTROL),
    Row("verified, ECDSA P-256", "kinds", "/on", "ecdsa", most=1500,
        against=CONTROL),

    crypto("verified, 100 keys", "100 keys", against=VERIFIED),
    crypto("verified, 10,000 keys", "10000 keys", against=VERIFIED),
    crypto("verified, 100 directories", "100 directories", against=VERIFIED),
    crypto("verified, 0 live nonces", "0 live", against=VERIFIED),
    crypto("verified, 1 million live", "1000000 live",
           against="verified, 0 live nonces"),
    crypto("verified, 10 million live", "10000000 live",
           against="verified, 0 live nonces"),

    cheap("module off, 2 workers", "two", "/off", "tap"),
    crypto("verified, 2 workers", "two", against=VERIFIED),
    crypto("verified, Redis", "Redis", against=VERIFIED),

    cheap("HTTP/2: module off", "one", "/off", "tap", h2=True),
    cheap("HTTP/2: control", "one", "/control", "tap", h2=True),
    crypto("HTTP/2: verified, tap", "one", h2=True,
           against="HTTP/2: control"),

    body("1 MB body: module off", "/body-off", "post"),
    body(HASHED, "/body-control", "digest"),
    body("1 MB body: verified, digest", "/body-on", "digest", against=HASHED,
         options=MEGABYTE),
]

PEERS = [
    crypto("peer: Node, web-bot-auth", "service", kind="wba", path="/on",
           against=BOT),
    crypto("peer: nginx auth_request to it", "peer", kind="wba", path="/ask",
           against=BOT),
]

NODE_WARM = 3000    # requests until its compiler is done
