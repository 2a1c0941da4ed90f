# SPDX-License-Identifier: BSD-2-Clause
"""RSA and P-256 beside signer.Key's Ed25519."""

import hashlib
import json

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature)

from .signer import b64url


def octets(n, size=None):
    return n.to_bytes(size or (n.bit_length() + 7) // 8, "big")


class OtherKey:
    """What harness.signer.Key is for Ed25519."""

    def jwk(self, **more):
        jwk = {**self.public, **more}
        return {name: v for name, v in jwk.items() if v is not None}

    @property
    def thumbprint(self):
        text = json.dumps(self.public, sort_keys=True, separators=(",", ":"))
        return b64url(hashlib.sha256(text.encode()).digest())


class P256(OtherKey):
    def __init__(self):
        self.private = ec.generate_private_key(ec.SECP256R1())
        n = self.private.public_key().public_numbers()
        self.public = {"kty": "EC", "crv": "P-256",
                       "x": b64url(octets(n.x, 32)),
                       "y": b64url(octets(n.y, 32))}

    def der(self, data):
        return self.private.sign(data, ec.ECDSA(hashes.SHA256()))

    def sign(self, data):
        r, s = decode_dss_signature(self.der(data))
        return octets(r, 32) + octets(s, 32)


class Der(P256):
    """Signs as OpenSSL does unless told otherwise."""

    def __init__(self, key):
        self.private, self.public = key.private, key.public

    def sign(self, data):
        return self.der(data)


class Rsa(OtherKey):
    def __init__(self, bits=2048, private=None, hash_=hashes.SHA256(),
                 salt=padding.PSS.MAX_LENGTH):
        self.private = private or rsa.generate_private_key(65537, bits)
        n = self.private.public_key().public_numbers()
        self.public = {"kty": "RSA", "n": b64url(octets(n.n)),
                       "e": b64url(octets(n.e))}
        self.hash, self.salt = hash_, salt

    def but(self, hash_=hashes.SHA256(), salt=padding.PSS.MAX_LENGTH):
        return Rsa(private=self.private, hash_=hash_, salt=salt)

    def sign(self, data):
        return self.private.sign(
            data, padding.PSS(padding.MGF1(self.hash), self.salt), self.hash)


class Pkcs1(Rsa):
    def sign(self, data):
        return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
