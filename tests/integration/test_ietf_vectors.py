# SPDX-License-Identifier: BSD-2-Clause
"""The IETF draft's test vectors that have not expired, through nginx as they
stand: RFC 9421's test keys, lives of a hundred years."""

import pytest

from harness.client import fetch
from harness.expect import expect
from harness.signer import Request, jwks

ED25519 = {"kty": "OKP", "crv": "Ed25519",
           "x": "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"}
RSA = {"kty": "RSA", "e": "AQAB", "alg": "PS512", "n": (
    "r4tmm3r20Wd_PbqvP1s2-QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct-Lh1GH45x"
    "28Rw3Ry53mm-oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7Oyr"
    "FAHqgDsznjPFmTOtCEcN2Z1FpWgchwuYLPL-Wokqltd11nqqzi-bJ9cvSKADYdUAAN5WUtzd"
    "piy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4aOT9v6d-nb4b"
    "nNkQVklLQ3fVAvJm-xdDOp9LCNCN48V2pnDOkFV6-U9nV5oyc6XI2w")}

CONF = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    web_bot_auth_test_keys %%TEST_KEYS%%;
    web_bot_auth_directory vectors {
        url file:%%DIR%%/keys/vectors.json;
        profile web-bot-auth;
        agent https://signature-agent.test;
        algorithms ed25519 rsa-pss-sha512;
        %%LIFE%%
    }
    web_bot_auth_directory other {
        url file:%%DIR%%/keys/listed.json;
        profile web-bot-auth;
    }
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth on;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name example.com;
        web_bot_auth_scheme https;
        location / { %%OK%% }
    }
}
"""


def vector(keyid, alg, nonce, signature):
    return Request("GET", "/", "example.com", "https", [
        ("Signature-Agent", 'agent2="https://signature-agent.test"'),
        ("Signature-Input",
         'sig2=("@authority" "signature-agent";key="agent2")'
         ';created=1735689600;keyid="%s";alg="%s";expires=4889289600'
         ';nonce="%s";tag="web-bot-auth"' % (keyid, alg, nonce)),
        ("Signature", "sig2=:%s:" % signature)])


VECTORS = {
    "Ed25519": vector(
        "poqkLGiymh_W0uP6PZFw-dvez3QJT5SolqXBCW38r0U", "ed25519",
        "n9p433xm+NJ3ph3upfBIGmsuwHw387YV7Q/F+6BSpGCVjYCqQw6rznNA8PVVLySrAWsv"
        "0hQtFioQb6E1YsauiA==",
        "RdNFx5Bj6au3YgAMQL/RzmUlZE8QZLIaXGRpw985hWnwPfMxT228NMk6ehRS1PSl4e8P"
        "hbNZACSanGdhEwYCCg=="),
    "RSA-PSS": vector(
        "oD0HwocPBSfpNy5W3bpJeyFGY_IQ_YpqxSjQ3Yd-CLA", "rsa-pss-sha512",
        "wcfPQPh7SzkvrIVvhD00vNk9PkxJNY2NVbYl2PVBB4zmUoluSwE7W6bPtF60QA3k8g06"
        "FU7PPCD+J58YofY1zg==",
        "gHzpLNeHaHIO19NaJH9YMW5dcVSi2s0wOMBr6p18vcofS106sfC4KBIS0/szPlBBd1vI"
        "cyQ88B6CTEWIhRAiVrb9zfX0mx1aG12CSGWcYkSirHeyTxhbuJvXd27ed6skWoy4PjXI"
        "tq38936ivUQjfdIwXh1aX6HxkAC3vRnEdSNfntkLWeEuIQ5BLIOBGE39fSwg27Qjq6OV"
        "WYas/9/aFUr3HA34MXWYdp+//cvlEKDp3kRoLOw9ro0AOr6srHrTeEtxon2afcws1aZV"
        "SlPdd2fZSEIGmw9HAHLDCEkFTERu1gH2k/zIEqgy7CAYXI9E5slog0cLg/Vc6+f8gih3"
        "3g=="),
}
FILES = {"keys/vectors.json": jwks(ED25519, RSA)}
CENTURY = "max_lifetime 36500d;"


@pytest.mark.parametrize("name", VECTORS)
def test_verified(serve, name):
    nginx = serve(CONF, files=FILES, TEST_KEYS="on", LIFE=CENTURY)
    response = fetch(nginx.port(), VECTORS[name])
    expect(response, "ok")
    assert response.header("X-label") == "sig2"
    expect(fetch(nginx.port(), VECTORS[name]), "nonce-replayed")


@pytest.mark.parametrize("name", VECTORS)
def test_a_life_of_a_century_needs_leave(serve, name):
    nginx = serve(CONF, files=FILES, TEST_KEYS="on", LIFE="")
    expect(fetch(nginx.port(), VECTORS[name]), "lifetime-too-long")


def test_test_keys_need_leave(serve):
    """The file holds no other, so that nginx does not start."""
    nginx = serve.make(CONF, files=FILES, TEST_KEYS="off", LIFE=CENTURY)
    nginx.expect("vectors.json|test key")
    ok, output = nginx.test()
    assert not ok and "test key" in output
