# SPDX-License-Identifier: BSD-2-Clause
"""Where the npm packages lie, and signing with them (sign.cjs)."""

import json
import os
import pathlib
import subprocess

from cryptography.hazmat.primitives import serialization

from harness.plugin import ROOT
from harness.signer import Request

HERE = pathlib.Path(__file__).resolve().parent
MODULES = pathlib.Path(os.environ.get(
    "NODE_MODULES", ROOT / "build/interop/node_modules"))


def require_modules():
    assert MODULES.is_dir(), "no %s: run make interop" % MODULES


def private_jwk(key):
    """Of a harness.signer.Key, or of a key of cryptography's."""
    if hasattr(key, "private_jwk"):
        return key.private_jwk()
    pem = key.private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption())
    done = subprocess.run(
        ["node", "-e", "const c = require('node:crypto'); console.log("
         "JSON.stringify(c.createPrivateKey(require('node:fs')"
         ".readFileSync(0)).export({ format: 'jwk' })))"],
        input=pem, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


class Signer:
    """One Node process that signs what it is told, with one package."""

    def __init__(self, client):
        require_modules()
        self.client = client
        self.node = subprocess.Popen(
            ["node", HERE / "sign.cjs", MODULES, client], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def sign(self, key, target="/", headers=(), method="GET", body=None,
             host="shop.test", **wanted):
        """A signed Request; an error of the package is a RuntimeError."""
        wanted.update(jwk=private_jwk(key), method=method,
                      keyid=wanted.get("keyid", key.thumbprint),
                      url="https://" + host + target, headers=dict(headers))
        self.node.stdin.write(json.dumps(wanted) + "\n")
        self.node.stdin.flush()
        answer = json.loads(self.node.stdout.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return Request(method, target, host, "https",
                       list(headers) + list(answer["headers"].items()), body)

    def close(self):
        self.node.stdin.close()
        assert self.node.wait(20) == 0
