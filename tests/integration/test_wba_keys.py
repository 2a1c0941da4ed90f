# SPDX-License-Identifier: BSD-2-Clause
"""wba keygen and wba sign with keys of every algorithm: what keygen writes is
read by another implementation, keys that another one made sign, and a real
nginx verifies."""

import base64
import json
import os
import pathlib
import stat
import subprocess

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    encode_dss_signature)

from harness.client import fetch
from harness.expect import expect
from harness.keys import P256, Rsa, octets
from harness.signer import Key, b64url, jwks, unb64url

ROOT = pathlib.Path(__file__).resolve().parents[2]
WBA = os.environ.get("WBA", str(ROOT / "build/gcc/wba"))

ALGORITHMS = {"ed25519": "EdDSA", "ecdsa-p256-sha256": "ES256",
              "rsa-pss-sha512": "PS512", "rsa-pss-sha256": "PS256"}
MEMBERS = {"ed25519": "kty crv kid use alg x d",
           "ecdsa-p256-sha256": "kty crv kid use alg x y d",
           "rsa-pss-sha512": "kty kid use alg n e d p q dp dq qi",
           "rsa-pss-sha256": "kty kid use alg n e d p q dp dq qi"}
URL = "https://shop.example/catalogue?page=2"


def wba(folder, *args, status=0, stdin=b""):
    done = subprocess.run([WBA, *map(str, args)], cwd=folder, input=stdin,
                          timeout=60, check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    done.err = done.stderr.decode()
    assert done.returncode == status, done.err + done.stdout.decode()
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """ALGORITHM.key and ALGORITHM.json of each."""
    path = tmp_path_factory.mktemp("keys")
    for name in ALGORITHMS:
        wba(path, "keygen", "--alg", name, "--out", name + ".key")
        (path / (name + ".json")).write_bytes(
            wba(path, "jwks", name + ".key").stdout)
    return path


def private_jwk(key):
    """Of a key of harness.keys."""
    n = key.private.private_numbers()
    if isinstance(key, P256):
        return key.jwk(d=b64url(octets(n.private_value, 32)))
    return key.jwk(**{name: b64url(octets(value)) for name, value in {
        "d": n.d, "p": n.p, "q": n.q, "dp": n.dmp1, "dq": n.dmq1,
        "qi": n.iqmp}.items()})


def number(jwk, name):
    return int.from_bytes(unb64url(jwk[name]), "big")


def private_of(jwk):
    """The key of a private JWK, as cryptography has it; it refuses numbers
    that do not go together."""
    if jwk["kty"] == "OKP":
        return Key.from_jwk(jwk)
    if jwk["kty"] == "EC":
        key = P256()
        key.private = ec.EllipticCurvePrivateNumbers(
            number(jwk, "d"), ec.EllipticCurvePublicNumbers(
                number(jwk, "x"), number(jwk, "y"), ec.SECP256R1())
        ).private_key()
    else:
        key = Rsa(private=rsa.RSAPrivateNumbers(
            *(number(jwk, m) for m in ("p", "q", "d", "dp", "dq", "qi")),
            rsa.RSAPublicNumbers(number(jwk, "e"), number(jwk, "n"))
        ).private_key())
    n = key.private.public_key().public_numbers()
    key.public = {"kty": "EC", "crv": "P-256", "x": b64url(octets(n.x, 32)),
                  "y": b64url(octets(n.y, 32))} if jwk["kty"] == "EC" else {
        "kty": "RSA", "n": b64url(octets(n.n)), "e": b64url(octets(n.e))}
    return key


def check(public, alg, signature, base):
    """Verifies by cryptography; an exception where it does not."""
    if alg == "ecdsa-p256-sha256":
        assert len(signature) == 64
        r, s = (int.from_bytes(h, "big") for h in (signature[:32],
                                                   signature[32:]))
        public.verify(encode_dss_signature(r, s), base,
                      ec.ECDSA(hashes.SHA256()))
    elif alg == "ed25519":
        public.verify(signature, base)
    else:
        digest = hashes.SHA512() if alg.endswith("512") else hashes.SHA256()
        public.verify(signature, base,
                      padding.PSS(padding.MGF1(digest), digest.digest_size),
                      digest)


def verify_options(alg):
    """Only the profile's algorithms are taken without a word."""
    return ["--algorithm", alg] if alg == "rsa-pss-sha512" else []


# keygen


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_keygen(folder, alg):
    path = folder / (alg + ".key")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    jwk = json.loads(path.read_text())
    assert list(jwk) == MEMBERS[alg].split()
    assert (jwk["alg"], jwk["use"]) == (ALGORITHMS[alg], "sig")
    key = private_of(jwk)
    assert jwk["kid"] == key.thumbprint
    if jwk["kty"] == "RSA":
        assert key.private.key_size == 2048 and number(jwk, "e") == 65537


@pytest.mark.parametrize("name", [*ALGORITHMS, *ALGORITHMS.values()])
def test_keygen_names(tmp_path, name):
    """JOSE's names mean the same, as everywhere."""
    done = wba(tmp_path, "keygen", "--alg", name, "--kid", "ours", "--out",
               "k")
    jwk = json.loads((tmp_path / "k").read_text())
    assert jwk["alg"] == ALGORITHMS.get(name, name) and jwk["kid"] == "ours"
    assert done.err.strip() == private_of(jwk).thumbprint


def test_keys_are_new_each_time(tmp_path):
    for alg in ALGORITHMS:
        made = {wba(tmp_path, "keygen", "--alg", alg).stdout
                for _ in range(2)}
        assert len(made) == 2


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_jwks_publishes_the_public_half(folder, alg):
    keys = json.loads((folder / (alg + ".json")).read_text())["keys"]
    private = json.loads((folder / (alg + ".key")).read_text())
    assert len(keys) == 1
    assert keys[0] == {name: value for name, value in private.items()
                       if name not in ("d", "p", "q", "dp", "dq", "qi")}


# sign, and verify


def signed(folder, alg, *more, key=None):
    return wba(folder, "sign", "--key", key or alg + ".key", "--url", URL,
               "--format", "raw", *more).stdout


def judged(folder, raw, *directory, status=0):
    return json.loads(wba(folder, "verify", "--json", *directory, stdin=raw,
                          status=status).stdout)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_round_trip(folder, alg):
    raw = signed(folder, alg)
    found = judged(folder, raw, *verify_options(alg), "--directory",
                   "shop=%s.json" % alg)
    assert (found["reason"], found["alg"]) == ("ok", alg)
    assert (';alg="%s"' % alg).encode() in raw
    text = raw.partition(b"Signature: sig1=:")[2].partition(b":")[0]
    jwk = json.loads((folder / (alg + ".key")).read_text())
    check(private_of(jwk).private.public_key(), alg, base64.b64decode(text),
          found["signature_base"].encode())


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_round_trip_of_web_bot_auth(folder, alg):
    """Whose directories take Ed25519 unless they say more."""
    raw = signed(folder, alg, "--agent", "https://agent.example")
    at = "https://agent.example=%s.json" % alg
    found = judged(folder, raw, "--algorithm", alg, "--directory", at)
    assert found["reason"] == "ok"
    if alg == "ed25519":
        return
    done = wba(folder, "verify", "--directory", at, stdin=raw, status=2)
    assert "skipped: for an algorithm that is not used here (--algorithm " \
        "NAME takes it)" in done.err
    both = json.dumps({"keys": [json.loads((folder / (a + ".json")).read_text(
        ))["keys"][0] for a in (alg, "ed25519")]})
    (folder / "both.json").write_text(both)
    found = judged(folder, raw, "--directory",
                   "https://agent.example=both.json", status=1)
    assert found["reason"] == "key-unknown"     # as nginx says


OTHERS = {"P-256": (P256(), "ecdsa-p256-sha256"),
          "RSA": (Rsa(), "rsa-pss-sha512"),
          "RSA of 3072 bits": (Rsa(3072), "rsa-pss-sha256"),
          "RSA with e=3": (Rsa(private=rsa.generate_private_key(3, 2048)),
                           "rsa-pss-sha256")}


@pytest.mark.parametrize("name", OTHERS)
def test_keys_that_others_made(folder, name):
    key, alg = OTHERS[name]
    (folder / "other.key").write_text(json.dumps(private_jwk(key)))
    (folder / "other.json").write_bytes(wba(folder, "jwks",
                                            "other.key").stdout)
    more = ["--alg", alg] if isinstance(key, Rsa) else []
    raw = signed(folder, None, *more, key="other.key")
    found = judged(folder, raw, "--algorithm", alg, "--directory",
                   "shop=other.json")
    assert (found["reason"], found["alg"]) == ("ok", alg)
    assert found["thumbprint"] == key.thumbprint


def test_coordinates_that_begin_with_a_zero(tmp_path):
    key = next(k for k in iter(P256, None) if unb64url(k.public["x"])[0] == 0)
    (tmp_path / "k").write_text(json.dumps(private_jwk(key)))
    (tmp_path / "k.json").write_text(jwks(key.jwk()))
    raw = signed(tmp_path, None, key="k")
    assert judged(tmp_path, raw, "--directory", "s=k.json")["reason"] == "ok"


def test_what_an_rsa_key_signs_with(folder):
    """Its own alg, else --alg; never a guess."""
    plain = private_jwk(OTHERS["RSA"][0])
    (folder / "plain.key").write_text(json.dumps(plain))
    (folder / "plain.json").write_bytes(wba(folder, "jwks",
                                            "plain.key").stdout)
    for more in ([], ["--alg", "none"], ["--alg", "ed25519"]):
        done = wba(folder, "sign", "--key", "plain.key", "--url", URL, *more,
                   status=2)
        assert "say --alg rsa-pss-sha512 or --alg rsa-pss-sha256" in done.err
    for alg in ("rsa-pss-sha512", "PS256"):
        raw = signed(folder, None, "--alg", alg, key="plain.key")
        assert (';alg="%s"' % alg).encode() in raw
        found = judged(folder, raw, "--algorithm", alg, "--directory",
                       "shop=plain.json")
        assert found["reason"] == "ok"
    (folder / "pinned.key").write_text(json.dumps({**plain, "alg": "PS256"}))
    raw = signed(folder, None, "--alg", "none", key="pinned.key")
    assert b"alg=" not in raw
    found = judged(folder, raw, "--profile", "web-bot-auth", "--algorithm",
                   "rsa-pss-sha256", "--directory", "shop=plain.json",
                   status=1)
    assert found["reason"] == "no-served-tag"
    raw = signed(folder, None, "--alg", "none", "--profile", "web-bot-auth",
                 key="pinned.key")
    found = judged(folder, raw, "--profile", "web-bot-auth", "--algorithm",
                   "rsa-pss-sha256", "--directory", "shop=plain.json")
    assert (found["reason"], found["alg"]) == ("ok", "rsa-pss-sha256")


def test_an_alg_that_is_not_the_keys_is_stated_and_told(folder):
    done = wba(folder, "sign", "--key", "ecdsa-p256-sha256.key", "--url", URL,
               "--format", "raw", "--alg", "rsa-pss-sha256")
    assert 'alg="rsa-pss-sha256" is stated as you ask, but the key signs ' \
        "ecdsa-p256-sha256" in done.err
    text = wba(folder, "verify", "--directory",
               "shop=ecdsa-p256-sha256.json", stdin=done.stdout,
               status=1).stdout.decode()
    assert "invalid: alg-mismatch" in text
    assert 'the signature\'s alg is "rsa-pss-sha256", the key is for ' \
        "ecdsa-p256-sha256\n" in text


def broken(jwk, **changes):
    return {k: v for k, v in {**jwk, **changes}.items() if v is not None}


EC_JWK, RSA_JWK = (private_jwk(OTHERS[n][0]) for n in ("P-256", "RSA"))
OTHER_EC, OTHER_RSA = P256(), Rsa()


@pytest.mark.parametrize("jwk, says", [
    (broken(EC_JWK, d=None), 'no member "d": it is a public key'),
    (broken(EC_JWK, d="AAAA"), '"d" is not 32 octets'),
    (broken(EC_JWK, d=b64url(bytes(32))), "no key|do not belong"),
    (broken(EC_JWK, d=b64url(b"\xff" * 32)), "no key|do not belong"),
    (broken(EC_JWK, x=OTHER_EC.public["x"], y=OTHER_EC.public["y"]),
     "public members do not belong to its private ones"),
    (broken(EC_JWK, y=None), "y is not 32 octets"),
    (broken(EC_JWK, crv="P-384"), "no Ed25519, P-256 or RSA key"),
    (broken(EC_JWK, alg="ES384"), "alg is not one that is served"),
    (broken(EC_JWK, alg="PS256"), "alg does not agree"),
    (broken(EC_JWK, use="enc"), "use is not sig"),
    (broken(RSA_JWK, d=None), 'no member "d": it is a public key'),
    (broken(RSA_JWK, qi=None), "must have n, e, d, p, q, dp, dq and qi"),
    (broken(RSA_JWK, p="="), "must have n, e, d, p, q, dp, dq and qi"),
    (broken(RSA_JWK, p="A" * 3000), "at most 8192 bits"),
    (broken(RSA_JWK, oth=[]), 'more than two primes'),
    (broken(RSA_JWK, n=OTHER_RSA.public["n"]),
     "public members do not belong to its private ones"),
    (broken(RSA_JWK, alg="RS256"), "alg is not one that is served"),
    (private_jwk(Rsa(1024)), "shorter than 2048 bits"),
    ({"kty": "oct", "k": "AAAA"}, "no Ed25519, P-256 or RSA key"),
], ids=lambda v: v[:40] if isinstance(v, str) else "")
def test_no_key_to_sign_with(tmp_path, jwk, says):
    (tmp_path / "k").write_text(json.dumps(jwk))
    done = wba(tmp_path, "sign", "--key", "k", "--url", URL, "--alg",
               "rsa-pss-sha256", status=2)
    assert any(part in done.err for part in says.split("|")), done.err
    assert done.stdout == b""


def test_no_such_algorithm(tmp_path):
    names = "ed25519, ecdsa-p256-sha256, rsa-pss-sha512, rsa-pss-sha256"
    for words in (["keygen", "--alg", "rsa"],
                  ["verify", "--algorithm", "rsa"],
                  ["directory", "--algorithm", "ed25519", "--algorithm",
                   "rsa"]):
        done = wba(tmp_path, *words, status=2)
        assert "no algorithm 'rsa'; there are " + names in done.err


def test_directory_takes_what_it_is_told_to(folder):
    name = "ecdsa-p256-sha256"
    done = wba(folder, "directory", name + ".json", status=1)
    assert b"for an algorithm that is not used here" in done.stdout
    done = wba(folder, "directory", "--algorithm", name, "--algorithm",
               "EdDSA", name + ".json")
    assert b"    algorithms ed25519 ecdsa-p256-sha256;\n" in done.stdout
    done = wba(folder, "directory", "--profile", "tap", name + ".json")
    assert b"algorithms" not in done.stdout.replace(b"_algorithms", b"")


# At a real nginx


CONF = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    web_bot_auth_directory shop {
        url file:%%DIR%%/keys/all.json;
        profile tap;
        algorithms ed25519 ecdsa-p256-sha256 rsa-pss-sha512 rsa-pss-sha256;
    }
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth on;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.example;
        location / { %%OK%% }
    }
}
"""


@pytest.fixture(scope="module")
def nginx(serve, folder):
    files = [name + ".key" for name in ALGORITHMS]
    return serve(CONF, files={
        "keys/all.json": wba(folder, "jwks", *files).stdout})


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_nginx_verifies(nginx, folder, alg):
    raw = signed(folder, alg)
    expect(fetch(nginx.port(), raw), "ok")
    expect(fetch(nginx.port(), raw), "nonce-replayed")
    raw = signed(folder, alg).replace(b"/catalogue", b"/checkout")
    expect(fetch(nginx.port(), raw), "bad-signature")


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_wba_curl(nginx, folder, alg):
    done = wba(folder, "curl", "--key", alg + ".key",
               "http://shop.example:%d/" % nginx.port(), "--", "-s", "-o",
               os.devnull, "-w", "%{http_code}", "--noproxy", "*",
               "--resolve", "shop.example:%d:127.0.0.1" % nginx.port())
    assert done.stdout == b"200"
