# SPDX-License-Identifier: BSD-2-Clause
"""RSA-PSS and ECDSA P-256 beside Ed25519: who may sign with what, over TLS,
where an error that libcrypto's queue kept would break the connection."""

import pytest
from cryptography.hazmat.primitives import hashes

from harness.agents import BROWSER, LISTED, VISA_KEY
from harness.client import Connection, curl, fetch
from harness.expect import expect
from harness.keys import P256, Der, Pkcs1, Rsa
from harness.signer import OMIT, fresh_nonce, jwks, sign

TAP_NAMES = {"ed25519": "ed25519", "es256": "ecdsa-p256-sha256",
             "ps256": "rsa-pss-sha256", "ps512": "rsa-pss-sha512"}


EC, RSA, RSA_BARE, RSA_4096 = P256(), Rsa(), Rsa(), Rsa(4096)
WEAK = Rsa(1024)
SHA512 = {"hash_": hashes.SHA512(), "salt": 64}

CONF = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    web_bot_auth_directory visa {
        url file:%%DIR%%/keys/all.json;
        profile tap;
    }
    web_bot_auth_directory both {
        url file:%%DIR%%/keys/bare.json;
        profile tap;
        tags both;
        algorithms PS256 PS512;
    }
    web_bot_auth_directory narrow {
        url file:%%DIR%%/keys/all.json;
        profile tap;
        tags narrow;
        algorithms ecdsa-p256-sha256;
    }
    web_bot_auth_directory bots {
        url file:%%DIR%%/keys/all.json;
        profile web-bot-auth;
    }
    web_bot_auth_directory wide {
        url file:%%DIR%%/keys/all.json;
        profile web-bot-auth;
        tags wide;
        algorithms ed25519 rsa-pss-sha512 ecdsa-p256-sha256;
    }
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth on;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%% ssl http2;
        server_name shop.test;
        ssl_certificate %%CERT%%;
        ssl_certificate_key %%KEY%%;
        location / { %%OK%% }
    }
}
"""

FILES = {
    "keys/all.json": jwks(
        VISA_KEY.jwk(kid="ed25519"), EC.jwk(kid="es256"),
        RSA.jwk(kid="ps256", alg="PS256"), RSA_BARE.jwk(kid="bare"),
        RSA_4096.jwk(kid="ps512", alg="PS512"), WEAK.jwk(kid="weak")),
    "keys/bare.json": jwks(RSA_BARE.jwk(kid="bare")),
}


@pytest.fixture(scope="module")
def nginx(serve, authority):
    return serve(CONF, files=FILES, CERT=authority.cert, KEY=authority.key)


@pytest.fixture(params=["1.1", "2"])
def ask(request, nginx, authority):
    if request.param == "2":
        return lambda r: curl(nginx.port(), r, "--http2", tls=authority.ca)
    return lambda r: fetch(nginx.port(), r, tls=authority.ca)


def tap(key, keyid, alg, **over):
    return BROWSER.request(scheme="https", key=key, keyid=keyid, alg=alg,
                           **over)


def bot(key, tag="web-bot-auth", **over):
    return LISTED.request(scheme="https", key=key, keyid=key.thumbprint,
                          tag=tag, **{"alg": OMIT, **over})


GOOD = {
    "ed25519": lambda: tap(VISA_KEY, "ed25519", "ed25519"),
    "P-256": lambda: tap(EC, "es256", "ecdsa-p256-sha256"),
    "P-256 by JOSE's name": lambda: tap(EC, "es256", "ES256"),
    "PS256, the longest salt": lambda: tap(RSA, "ps256", "rsa-pss-sha256"),
    "PS256, salt 32": lambda: tap(RSA.but(salt=32), "ps256", "PS256"),
    "PS256, no salt": lambda: tap(RSA.but(salt=0), "ps256", "PS256"),
    "PS256, a key without alg": lambda: tap(RSA_BARE, "bare", "PS256"),
    "both, PS512": lambda: tap(RSA_BARE.but(**SHA512), "bare", "PS512",
                               tag="both"),
    "both, PS256": lambda: tap(RSA_BARE, "bare", "PS256", tag="both"),
    "narrow": lambda: tap(EC, "es256", "ES256", tag="narrow"),
    "bots": lambda: bot(VISA_KEY),
    "wide, ed25519": lambda: bot(VISA_KEY, "wide"),
    "wide, P-256": lambda: bot(EC, "wide"),
    "wide, 4,096 bits": lambda: bot(RSA_4096.but(**SHA512), "wide"),
    "wide, RSA's only algorithm": lambda: bot(RSA_BARE.but(**SHA512), "wide"),
}

BAD = {
    "DER": (lambda: tap(Der(EC), "es256", "ES256"), "bad-signature"),
    "PKCS #1": (lambda: tap(Pkcs1(private=RSA.private), "ps256", "PS256"),
                "bad-signature"),
    "another salt for PS512": (lambda: bot(
        RSA_4096.but(hash_=hashes.SHA512(), salt=32), "wide"),
        "bad-signature"),
    "PS512's longest salt": (lambda: bot(
        RSA_4096.but(hash_=hashes.SHA512()), "wide"), "bad-signature"),
    "the hash of the other": (lambda: tap(
        RSA.but(**SHA512), "ps256", "PS256"), "bad-signature"),
    "somebody else's key": (lambda: tap(P256(), "es256", "ES256"),
                            "bad-signature"),
    "alg of another type": (lambda: tap(EC, "es256", "ed25519"),
                            "alg-mismatch"),
    "ed25519's key, RSA's name": (lambda: tap(VISA_KEY, "ed25519", "PS256"),
                                  "alg-mismatch"),
    "alg against the key's": (lambda: tap(
        RSA.but(**SHA512), "ps256", "PS512"), "alg-mismatch"),
    "HMAC": (lambda: tap(RSA, "ps256", "hmac-sha256"), "alg-mismatch"),
    "rsa-v1_5-sha256": (lambda: tap(RSA, "ps256", "rsa-v1_5-sha256"),
                        "alg-mismatch"),
    "an unknown name": (lambda: tap(EC, "es256", "es256"), "alg-mismatch"),
    "an RSA key that nobody says the algorithm of": (
        lambda: BROWSER.request(scheme="https", key=RSA_BARE, keyid="bare",
                                tag="both", alg=OMIT), "missing-fields"),
    "PS512 with tap, by a key for both": (
        lambda: tap(RSA_BARE.but(**SHA512), "bare", "PS512"),
        "alg-not-allowed"),
    # Keys of algorithms that the directory does not take are skipped.
    "PS512 with tap": (lambda: tap(RSA_4096.but(**SHA512), "ps512", "PS512"),
                       "key-unknown"),
    "narrow, ed25519": (lambda: tap(VISA_KEY, "ed25519", "ed25519",
                                    tag="narrow"), "key-unknown"),
    "narrow, RSA": (lambda: tap(RSA, "ps256", "PS256", tag="narrow"),
                    "key-unknown"),
    "bots, P-256": (lambda: bot(EC), "signature-agent-absent"),
    "bots, RSA": (lambda: bot(RSA_4096.but(**SHA512)),
                  "signature-agent-absent"),
    "a key of 1,024 bits": (lambda: tap(WEAK.but(salt=32), "weak", "PS256"),
                            "key-unknown"),
}


@pytest.mark.parametrize("name", GOOD)
def test_verified(ask, name):
    request = GOOD[name]()
    expect(ask(request), "ok")
    expect(ask(request), "nonce-replayed")


@pytest.mark.parametrize("name", BAD)
def test_refused(ask, name):
    make, reason = BAD[name]
    expect(ask(make()), reason)


@pytest.mark.parametrize("name", ["P-256", "PS256, the longest salt",
                                  "wide, 4,096 bits"])
def test_tampered(ask, name):
    request = GOOD[name]()
    expect(ask(request.replaced(target="/other", host="shop.test")
               if "wide" not in name else
               request.without("signature").with_headers((
                   "Signature", request.lines("signature")[0].replace(
                       "sig1=:A", "sig1=:B").replace("sig1=:", "sig1=:A"
                                                     )[:-2] + ":"))),
           "bad-signature")


def test_one_connection_survives_what_fails(nginx, authority):
    """TLS goes on over what libcrypto refused."""
    with Connection(nginx.port(), tls=authority.ca) as connection:
        for _ in range(20):
            for name in "DER", "PKCS #1", "somebody else's key":
                connection.send(BAD[name][0]())
                expect(connection.receive(), "bad-signature")
            connection.send(GOOD["P-256"]())
            expect(connection.receive(), "ok")


def test_keys_are_skipped_aloud(nginx):
    log = nginx.error_log
    assert "n is shorter than 2048 bits" in log
    assert "for an algorithm that is not used here" in log


def test_several_algorithms_in_one_request(ask):
    nonce = fresh_nonce()
    request = sign(BROWSER.request(scheme="https").without(
        "signature", "signature-input"), *[
            BROWSER.sig(label=keyid, key=key, keyid=keyid, nonce=nonce,
                        alg=TAP_NAMES[keyid])
            for key, keyid in ((VISA_KEY, "ed25519"), (EC, "es256"),
                               (RSA, "ps256"))])
    expect(ask(request), "ok")
    expect(ask(request), "nonce-replayed")
