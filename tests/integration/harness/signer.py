# SPDX-License-Identifier: BSD-2-Clause
"""An RFC 9421 signer written from the specification, for tests.

It shares nothing with the code under test and refuses nothing: every parameter
can be overridden, left out or given a wrong type, so that a test can make each
valid and each broken request.

    Request("GET", "/a?b", host="shop.test")       what is to be sent
    sign(request, Sig(key=KEY, tag="..."), ...)    the same with its signatures
"""

import base64
import copy
import dataclasses
import hashlib
import json
import os
import re
import time
import urllib.parse

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey)

AUTO = object()     # the parameter's usual value
OMIT = object()     # no such parameter


class Raw(str):
    """A parameter's value as it shall stand in the field, unquoted."""


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def fresh_nonce():
    return base64.b64encode(os.urandom(32)).decode()


class Key:
    """An Ed25519 key pair with its JWK and thumbprint (RFC 7638)."""

    def __init__(self, private=None):
        self.private = private or Ed25519PrivateKey.generate()
        self.public = self.private.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw)

    @classmethod
    def from_jwk(cls, jwk):
        return cls(Ed25519PrivateKey.from_private_bytes(unb64url(jwk["d"])))

    @property
    def x(self):
        return b64url(self.public)

    @property
    def thumbprint(self):
        canonical = '{"crv":"Ed25519","kty":"OKP","x":"%s"}' % self.x
        return b64url(hashlib.sha256(canonical.encode()).digest())

    def jwk(self, **more):
        """The public JWK; keyword arguments add, change or (None) drop."""
        jwk = {"kty": "OKP", "crv": "Ed25519", "x": self.x, **more}
        return {name: v for name, v in jwk.items() if v is not None}

    def private_jwk(self, **more):
        d = self.private.private_bytes(serialization.Encoding.Raw,
                                       serialization.PrivateFormat.Raw,
                                       serialization.NoEncryption())
        return self.jwk(d=b64url(d), **more)

    def sign(self, data):
        return self.private.sign(data)


def jwks(*entries):
    """The text of a JWK Set of keys, or of dictionaries as they are."""
    return json.dumps({"keys": [e.jwk() if isinstance(e, Key) else e
                                for e in entries]})


@dataclasses.dataclass
class Request:
    """A request as an HTTP/1.1 client will write it."""

    method: str = "GET"
    target: str = "/"
    host: str = "shop.test"         # None: no Host field
    scheme: str = "http"
    headers: list = dataclasses.field(default_factory=list)
    body: bytes = None

    def with_headers(self, *pairs):
        other = copy.copy(self)
        other.headers = self.headers + list(pairs)
        return other

    def without(self, *names):
        """The same without some fields (lower-case names)."""
        other = copy.copy(self)
        other.headers = [(n, v) for n, v in self.headers
                         if n.lower() not in names]
        return other

    def replaced(self, **changes):
        return dataclasses.replace(self, **changes)

    def lines(self, name):
        return [v for n, v in self.headers if n.lower() == name]

    def raw(self):
        """The bytes of HTTP/1.1; text goes out as latin-1."""
        out = ["%s %s HTTP/1.1" % (self.method, self.target)]
        if self.host is not None:
            out.append("Host: " + self.host)
        out += ["%s: %s" % pair for pair in self.headers]
        if self.body is not None and not self.lines("content-length") \
                and not self.lines("transfer-encoding"):
            out.append("Content-Length: %d" % len(self.body))
        return ("\r\n".join(out) + "\r\n\r\n").encode("latin-1") \
            + (self.body or b"")


@dataclasses.dataclass
class Sig:
    """One signature to be made.

    components   texts such as '@path' or 'signature-agent;key="g"'
    values       identifier text -> the value signed instead of the request's
    extra        further (name, value) parameters, at the end
    params       the parameters' text, instead of everything above
    signature    the bytes sent instead of the right ones, or a function of
                 those
    """

    key: Key = None
    label: str = "sig1"
    components: tuple = ("@authority", "@path")
    created: object = AUTO
    expires: object = AUTO
    keyid: object = AUTO
    alg: object = "ed25519"
    nonce: object = AUTO
    tag: object = "agent-browser-auth"
    lifetime: int = 300
    values: dict = dataclasses.field(default_factory=dict)
    extra: tuple = ()
    params: str = None
    signature: object = None


def sf_string(text):
    return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')


def sf_item(value):
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, bool):
        return "?%d" % value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, bytes):
        return ":%s:" % base64.b64encode(value).decode()
    return sf_string(value)


def identifier(component):
    """'signature-agent;key="g"' -> '"signature-agent";key="g"'."""
    name, sep, params = component.partition(";")
    return sf_string(name) + sep + params


def split_members(field):
    """A Dictionary's members as (key, text of the value), quotes minded."""
    members = re.findall(r'(?:[^,"(]|"(?:\\.|[^"\\])*"|\([^)]*\))+', field)
    pairs = (re.match(r"\s*([a-z*][a-z0-9_.*-]*)(=?)(.*?)\s*$", m, re.S)
             for m in members)
    return [(p[1], p[3] if p[2] else "?1" + p[3]) for p in pairs]


def normal_authority(authority, scheme):
    authority = authority.rpartition("@")[2].lower()
    default = {"http": ":80", "https": ":443"}[scheme]
    if authority.endswith(default):
        authority = authority[:-len(default)]
    return authority[:-1] if authority.endswith(":") else authority


def target_parts(request):
    """(authority, path, query or None) of a request."""
    m = re.match(r"(https?)://([^/?]*)([^?]*)(?:\?(.*))?$", request.target,
                 re.I | re.S)
    if m:
        return normal_authority(m[2], request.scheme), m[3], m[4]
    path, sep, query = request.target.partition("?")
    return (normal_authority(request.host or "", request.scheme), path,
            query if sep else None)


def query_param(query, name):
    values = [v for n, v in urllib.parse.parse_qsl(query or "",
                                                   keep_blank_values=True)
              if urllib.parse.quote(n, safe="*-._") == name]
    return urllib.parse.quote(values[0], safe="*-._")


def derived_value(request, name, params):
    authority, path, query = target_parts(request)
    if name == "@query-param":
        return query_param(query, re.search(r'name="([^"]*)"', params)[1])
    if name == "@target-uri" and request.target.startswith("/"):
        return "%s://%s%s" % (request.scheme, authority, request.target)
    return {
        "@method": request.method,
        "@target-uri": request.target,
        "@authority": authority,
        "@scheme": request.scheme,
        "@request-target": request.target,
        "@path": path or "/",
        "@query": "?" + (query or ""),
    }[name]


def component_value(request, component):
    name, _, params = component.partition(";")
    if name.startswith("@"):
        return derived_value(request, name, params)
    lines = [line.strip(" \t") for line in request.lines(name.lower())]
    if re.search(r"\bbs\b", params):
        return ", ".join(sf_item(v.encode("latin-1")) for v in lines)
    key = re.search(r'key="([^"]*)"', params)
    if key:
        return dict(split_members(", ".join(lines)))[key[1]]
    if re.search(r"\bsf\b", params):
        return ", ".join("%s=%s" % m for m in
                         dict(split_members(", ".join(lines))).items())
    return ", ".join(lines)


def inner_list(sig):
    """The member's value: covered components and parameters."""
    now = int(time.time())
    created = now - 1 if sig.created is AUTO else sig.created
    start = created if isinstance(created, int) else now
    usual = {
        "created": created,
        "expires": start + sig.lifetime,
        "keyid": sig.key.thumbprint if sig.key else OMIT,
        "alg": "ed25519",
        "nonce": fresh_nonce(),
        "tag": OMIT,
    }
    out = "(%s)" % " ".join(identifier(c) for c in sig.components)
    if sig.params is not None:
        return out + sig.params
    for name, default in usual.items():
        value = created if name == "created" else getattr(sig, name)
        if value is AUTO:
            value = default
        if value is not OMIT:
            out += ";%s=%s" % (name, sf_item(value))
    return out + "".join(";%s=%s" % (n, sf_item(v)) for n, v in sig.extra)


def signature_base(request, components, params, values=None):
    """RFC 9421 section 2.5; components without a value count as empty."""
    values = values or {}
    lines = []
    for c in components:
        try:
            value = values[c] if c in values else component_value(request, c)
        except (KeyError, IndexError, TypeError):
            value = ""
        lines.append("%s: %s" % (identifier(c), value))
    lines.append('"@signature-params": ' + params)
    return "\n".join(lines).encode("latin-1")


def sign(request, *sigs):
    """The request with Signature-Input and Signature for all of sigs."""
    inputs, values = [], []
    for sig in sigs:
        params = inner_list(sig)
        good = sig.key.sign(signature_base(request, sig.components, params,
                                           sig.values)) if sig.key else b""
        sent = sig.signature(good) if callable(sig.signature) \
            else good if sig.signature is None else sig.signature
        inputs.append("%s=%s" % (sig.label, params))
        values.append("%s=%s" % (sig.label, sf_item(sent)))
    return request.with_headers(("Signature-Input", ", ".join(inputs)),
                                ("Signature", ", ".join(values)))


def flip_bit(signature):
    """For Sig.signature: the right bytes with one bit changed."""
    return bytes([signature[0] ^ 1]) + signature[1:]


def content_digest(body, algorithm="sha-256"):
    digest = hashlib.new(algorithm.replace("-", ""), body).digest()
    return "%s=%s" % (algorithm, sf_item(digest))
