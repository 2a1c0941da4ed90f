# SPDX-License-Identifier: BSD-2-Clause
"""Keys of `wba keygen` in the npm package http-message-sig, which signs with
them by Node's crypto: `wba verify` says ok."""

import json
import os
import subprocess

import pytest

from clients import Signer
from harness.plugin import ROOT
from harness.signer import fresh_nonce

WBA = os.environ.get("WBA") or ROOT / "build/gcc/wba"

ALGORITHMS = ["ed25519", "ecdsa-p256-sha256", "rsa-pss-sha512",
              "rsa-pss-sha256"]


class Made:
    """What clients.Signer asks of a key."""

    def __init__(self, folder, alg):
        self.path = folder / "agent.key"
        done = subprocess.run([WBA, "keygen", "--alg", alg, "--out",
                               self.path], capture_output=True, check=True)
        self.thumbprint = done.stderr.decode().strip()
        (folder / "keys.json").write_bytes(subprocess.run(
            [WBA, "jwks", self.path], capture_output=True, check=True).stdout)

    def private_jwk(self):
        return json.loads(self.path.read_text())


@pytest.fixture(scope="module")
def signer():
    signer = Signer("http-message-sig")
    yield signer
    signer.close()


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_node_signs_with_our_keys(signer, tmp_path, alg):
    key = Made(tmp_path, alg)
    request = signer.sign(key, alg=alg, tag="agent-browser-auth",
                          nonce=fresh_nonce(), label="sig1",
                          components=["@authority", "@path"])
    done = subprocess.run(
        [WBA, "verify", "--json", "--algorithm", alg, "--directory",
         "shop=%s" % (tmp_path / "keys.json")],
        input=request.raw(), capture_output=True, check=False)
    found = json.loads(done.stdout)
    assert (done.returncode, found["reason"], found["alg"]) == (0, "ok", alg)
