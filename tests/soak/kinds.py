# SPDX-License-Identifier: BSD-2-Clause
"""What is sent: each kind makes one Trial, and knows what it deserves."""

import random
import re
import time

from harness.agents import (BOT, BROWSER, LISTED, MASTERCARD, PAYER, STRANGER,
                            STRANGER_KEY, TARGET, Agent)
from harness.expect import REASONS
from harness.signer import (OMIT, Request, content_digest, flip_bit,
                            fresh_nonce, sign)

from oracle import KEY_TROUBLE, OK, REPLAYED, Trial
from shop import P256_KEY, RSA_KEY

LIFETIME = 60
NEVER = frozenset(REASONS) - OK - {"denied-by-rule"}

ECDSA = Agent(P256_KEY, "mixed", TARGET, P256_KEY.thumbprint)
RSA = Agent(RSA_KEY, "mixed", TARGET, RSA_KEY.thumbprint)


def target(place="/"):
    return "%s%x?n=%d" % (place, random.getrandbits(40), random.randrange(99))


def signed(agent, at="/", **over):
    """(request, its nonce)"""
    nonce = over.pop("nonce", None) or fresh_nonce()
    usual = {"created": int(time.time()), "lifetime": LIFETIME}
    return agent.request(target(at), nonce=nonce, **{**usual, **over}), nonce


def trial(kind, shop, request, reasons, **more):
    return Trial(kind, shop.name, request, frozenset(reasons), **more)


def accepted(kind, shop, agent, at="/", body=b"ok", more=None, **over):
    request, nonce = signed(agent, at, **over)
    return trial(kind, shop, request, OK, store=True, nonce=nonce, body=body,
                 **(more or {}))


# --- let in

def browser(shop):
    return accepted("browser", shop, BROWSER)


def payer(shop):
    return accepted("payer", shop, PAYER, "/payers/")


def mastercard(shop):
    return accepted("mastercard", shop, MASTERCARD)


def bot(shop):
    return accepted("web-bot-auth", shop, random.choice((BOT, LISTED)))


def ecdsa(shop):
    return accepted("ecdsa", shop, ECDSA, alg="ecdsa-p256-sha256")


def rsa(shop):
    return accepted("rsa", shop, RSA, alg="rsa-pss-sha256")


def two_signatures(shop):
    """Both verify, and both nonces are recorded."""
    request = Request(target=target())
    now = {"created": int(time.time()), "lifetime": LIFETIME}
    nonce = fresh_nonce()
    request = sign(request, BROWSER.sig(label="a", nonce=nonce, **now),
                   LISTED.sig(label="b", **now))
    return trial("two signatures", shop, request, OK, store=True, nonce=nonce,
                 body=b"ok")


def remote(shop):
    """By a key of an https directory that comes and goes."""
    key = shop.any_remote()
    return accepted("remote key", shop, shop.remote_agent(key),
                    more={"key": key.thumbprint})


def optional(shop):
    return accepted("optional", shop, BROWSER, "/optional/",
                    more={"place": "optional"})


def hop(shop):
    at = random.choice(("try", "error", "rewrite", "accel"))
    return accepted("internal redirect", shop, PAYER, "/hop/%s/" % at,
                    more={"proxied": at == "accel"})


def subrequest(shop):
    at, body = random.choice((("/ssi/", b"[ok]"), ("/mirror/", b"ok"),
                              ("/asks/", b"ok")))
    return accepted("subrequest", shop, BROWSER, at, body)


COVERS_BODY = TARGET + ("content-digest",)


def chunked(body):
    out, at = b"", 0
    while at < len(body):
        size = random.randint(1, 30000)
        part = body[at:at + size]
        out += b"%x\r\n%s\r\n" % (len(part), part)
        at += size
    return out + b"0\r\n\r\n"


def with_body(body, digest_of=None, chunks=False, **over):
    headers = [("Content-Digest", content_digest(
        body if digest_of is None else digest_of,
        random.choice(("sha-256", "sha-512"))))]
    if chunks:
        headers.append(("Transfer-Encoding", "chunked"))
    return signed(BROWSER, "/post/", method="POST", headers=headers,
                  body=chunked(body) if chunks else body,
                  components=COVERS_BODY, **over)


def some_body():
    return bytes(random.choices(b"abcdefgh", k=8)) \
        * random.choice((0, 1, 100, 4000, 30000))


def digest(shop):
    request, nonce = with_body(some_body(), chunks=random.random() < 0.3)
    return trial("body with digest", shop, request, OK, store=True,
                 nonce=nonce, proxied=True, body=b"posted")


# --- refused

def denied(shop):
    at = random.choice(("/payers/", "/hop/try/", "/hop/error/",
                        "/hop/rewrite/"))
    request, _ = signed(BROWSER, at)
    # A location on the way may have recorded its nonce.
    return trial("denied", shop, request, ("denied-by-rule",),
                 store=at.startswith("/hop"))


def forged(shop):
    """By somebody who does not have the key, or over something else."""
    agent, how = random.choice((
        (BROWSER, {"signature": flip_bit}), (LISTED, {"signature": flip_bit}),
        (RSA, {"signature": flip_bit, "alg": "rsa-pss-sha256"}),
        (ECDSA, {"signature": flip_bit, "alg": "ecdsa-p256-sha256"}),
        (BROWSER, {"key": STRANGER_KEY, "keyid": "visa-1"}),
        (PAYER, {"values": {"@path": "/elsewhere"}}),
        (BROWSER, {"signature": b"\0" * 64}),
        (BROWSER, {"signature": b"short"})))
    at, place = random.choice((("/", "on"), ("/optional/", "optional"),
                               ("/ssi/", "on"), ("/hop/try/", "on")))
    request, _ = signed(agent, at, **how)
    return trial("forged", shop, request, ("bad-signature",), place=place)


def altered(shop):
    """A request that was signed, and changed on its way."""
    request, _ = signed(PAYER)
    how = random.choice(("path", "authority", "parameter", "signature"))
    if how == "path":
        request.target = target("/payers/")
    elif how == "authority":
        request.host = "evil.test"
        return trial("altered", shop, request, ("authority-not-served",))
    else:
        request = mutated(request, "Signature-Input" if how == "parameter"
                          else "Signature")
        return trial("altered", shop, request, NEVER)
    return trial("altered", shop, request, ("bad-signature",))


def mutated(request, field):
    """One letter or digit of the field is another one: past the label, and
    before the last ones of base64, whose bits may not count."""
    value = dict(request.headers)[field]
    first = value.index("=") + 1
    at = random.choice([m.start() for m in re.finditer("[A-Za-z0-9]", value)
                        if first <= m.start() < len(value) - 5])
    new = random.choice([c for c in "abcXYZ0189" if c != value[at]])
    changed = value[:at] + new + value[at + 1:]
    headers = [(n, changed if n == field else v) for n, v in request.headers]
    return Request(request.method, request.target, request.host,
                   request.scheme, headers, request.body)


def unknown_key(shop):
    at, place = random.choice((("/", "on"), ("/optional/", "optional")))
    request, _ = signed(STRANGER, at)
    return trial("unknown key", shop, request, ("key-unknown",), place=place)


def unknown_remote(shop):
    """A keyid that makes nginx look whether the directory has it now."""
    request, _ = signed(shop.remote_agent(STRANGER_KEY))
    return trial("unknown remote key", shop, request, KEY_TROUBLE)


def expired(shop):
    request, _ = signed(BROWSER, created=int(time.time()) - 400, lifetime=100,
                        signature=random.choice((None, flip_bit)))
    return trial("expired", shop, request, ("expired",))


def out_of_order(shop):
    """Times, parameters and components that are not to be had."""
    now = int(time.time())
    how, reasons = random.choice((
        ({"created": now + 60}, ("clock-ahead",)),
        ({"lifetime": 3600}, ("lifetime-too-long",)),
        ({"lifetime": 0}, ("expires-not-after-created",)),
        ({"nonce": OMIT}, ("nonce-missing", "missing-fields")),
        ({"keyid": OMIT}, ("missing-fields",)),
        ({"alg": "ecdsa-p256-sha256"}, ("alg-mismatch", "alg-not-allowed")),
        ({"components": ("@path",)},
         ("target-not-covered", "component-not-covered")),
        ({"components": TARGET + ("x-absent",)}, ("missing-component",))))
    request, _ = signed(BROWSER, **how)
    return trial("out of order", shop, request, reasons)


def unsigned(shop):
    at, place = random.choice((("/", "on"), ("/optional/", "optional")))
    if random.random() < 0.5:
        return trial("unsigned", shop, Request(target=target(at)),
                     ("no-signature",), place=place)
    request, _ = signed(BROWSER, at, tag="nobody-s")
    return trial("unsigned", shop, request, ("no-served-tag",), place=place)


def wrong_body(shop):
    request, _ = with_body(some_body() + b"!", digest_of=some_body() + b"?",
                           chunks=random.random() < 0.3)
    return trial("wrong body", shop, request, ("content-digest-mismatch",))


PIECES = ("sig1=", "(", ")", '"@authority"', '"@path"', ";created=", ";keyid=",
          '"visa-1"', ":", "::", ";", ",", "=", '"', "\\", "?1", "@1", "%\"x\"",
          "1618884473", "99999999999999999999", "1.5", "-1", "\t", " ", "\x7f",
          "\xff", "\x80", ":AAAA:", "*", "/", ";tag=\"agent-browser-auth\"",
          "https://bot.test", "x" * 300, "A" * 3000)


def garbage():
    how = random.random()
    if how < 0.4:
        return "".join(random.choices(PIECES, k=random.randrange(40)))
    if how < 0.8:
        return "".join(chr(c) for c in random.choices(
            [c for c in range(256) if c not in (0, 10, 13)],
            k=random.randrange(200)))
    return "".join(random.choices("\0\r\n \tab:;=\"", k=20))


def malformed(shop):
    """Noise in the fields of a signature, some of it no HTTP at all."""
    request, nonce = signed(random.choice((BROWSER, BOT)))
    fields = dict(request.headers)
    names = random.sample(("Signature-Input", "Signature", "Signature-Agent"),
                          random.randint(1, 3))
    headers = [(n, v) for n, v in request.headers if n not in names]
    for name in names:
        old = fields.get(name, "")
        if random.random() < 0.3 and old:
            at = random.randrange(len(old) - 4)
            value = old[:at] + garbage()
        else:
            value = garbage()
        headers += [(name, value)] * random.choice((1, 1, 1, 2, 30))
    # Where only Signature-Agent is noise, a signature that does not cover it
    # is good.
    reasons = NEVER
    if names == ["Signature-Agent"] and "Signature-Agent" not in fields:
        reasons = NEVER | OK
    request = Request(target=request.target, headers=headers)
    return trial("malformed", shop, request, reasons, bare=True,
                 nonce=nonce, store="ok" in reasons)


WEIGHTS = {
    browser: 16, payer: 8, mastercard: 4, bot: 6, ecdsa: 4, rsa: 4,
    two_signatures: 3, remote: 10, optional: 3, hop: 6, subrequest: 6,
    digest: 4, denied: 3, forged: 8, altered: 6, unknown_key: 2,
    unknown_remote: 0.5, expired: 4, out_of_order: 4, unsigned: 4,
    wrong_body: 3, malformed: 8,
}

# Those that can be sent byte by byte, or in HTTP/2, and the answer known.
GOOD = (browser, payer, mastercard, bot, ecdsa, rsa, remote, hop, subrequest)
BAD = (denied, forged, altered, unknown_key, expired, out_of_order, unsigned)


def any_kind(shop):
    make = random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    return make(shop)


def again(kind, earlier, now):
    """A request that was let in before; now: seconds since 1970."""
    expires = int(re.search(r";expires=(\d+)",
                            dict(earlier.request.headers)["Signature-Input"])
                  [1])
    # The clock skew is a second, and time goes by until it is looked at.
    if now > expires + 2:
        reasons = frozenset(("expired",))
    elif now < expires - 25:
        reasons = REPLAYED
    else:
        reasons = REPLAYED | {"expired"}
    if earlier.key is not None:
        reasons |= KEY_TROUBLE
    return Trial(kind, earlier.shop, earlier.request, reasons, store=True,
                 nonce=earlier.nonce, place=earlier.place)


def any_kind_of_stream(shop):
    """One that HTTP/2 can carry, its body left out."""
    return random.choice(GOOD + BAD + (unknown_remote,))(shop)
