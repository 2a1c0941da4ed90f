# SPDX-License-Identifier: BSD-2-Clause
"""Bugs that other verifiers shipped with, and the test that each is here:

    an empty component list is accepted        test_verify.py test_refused
    nothing that names the target is covered   test_verify.py test_refused
    expired is accepted                        test_verify.py test_refused
    created in the future is accepted          test_verify.py test_refused
    the default port stays in @authority       test_authority.py test_forms
    the same over TLS                          test_tls.py test_default_port
    keyid does not pick the key                here test_keyid_picks_the_key
    nonce stored before the signature verifies test_replay.py test_a_forger_burns_no_nonce
    check, then set, in two steps              test_replay.py test_a_thousand_concurrent_copies
    the same, all released at once             test_replay.py test_copies_released_at_once
    live nonces are evicted by a flood         here test_a_flood_evicts_no_nonce
    a map of nonces without bound              here test_a_flood_evicts_no_nonce
    keys are looked up across directories      test_verify.py test_refused
    the same, under one kid                    here test_one_kid_in_two_directories
    unknown keyids refetch without limit       test_rotation.py test_a_flood_of_random_keyids
    an unknown keyid wipes good keys           here test_an_unknown_keyid_wipes_nothing
    a failed refetch wipes good keys           test_directories.py test_a_failure_evicts_nothing
    keys are loaded once and never again       test_directories.py test_new_keys_replace_old_ones
    an attacker's URL is fetched, blocking     test_directories.py test_while_they_wait_others_are_served
    the same, by a name that resolves slowly   test_request_forgery.py test_a_name_that_resolves_after_ten_seconds
    private addresses: only literals in URLs   test_request_forgery.py test_forbidden
    the same, by a name that changes           test_request_forgery.py test_rebinding
    redirects are followed                     test_request_forgery.py test_redirects_are_not_followed
    a covered component that is not there      test_verify.py test_refused
    the same, taken off on the way             here test_a_covered_field_that_is_taken_off
    a component is covered twice               test_bad_input.py test_components
    only the label sig2 is accepted            here test_any_label
    alg of the message chooses the algorithm   test_verify.py test_refused
    the same, with alg none and a MAC          here test_alg_does_not_choose
    RSA-PSS with a fixed salt                  here test_rsa_pss_with_any_salt
    subrequests inherit a body and hang        test_subrequests.py test_auth_request
    a mirror does                              test_subrequests.py test_mirror
    reloads leak                               test_reload.py test_many_reloads_leak_nothing
    a worker that crashes leaves a lock        test_worker_killed.py test_again_and_again_under_load
    satisfy any, by a wrong return code        test_satisfy.py test_every_combination
    behind a proxy, Host is not what is signed test_authority.py test_behind_a_proxy
"""

import base64
import hashlib
import hmac
import pathlib
import re
import time

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from harness.agents import BROWSER, MASTERCARD, VISA_KEY
from harness.client import Connection, fetch, load
from harness.expect import expect, seen
from harness.signer import Key, Request, b64url, jwks, sign

HERE = pathlib.Path(__file__)
ROW = re.compile(r"^    \S.*?\s{1,}(here|test_\w+\.py) (test_\w+)$", re.M)

RSA = rsa.generate_private_key(65537, 2048)
OTHER = Key()

CONF = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_directory pss {
        url file:%%DIR%%/keys/rsa.json;
        profile tap;
        tags pss;
        %%LENIENT%%
    }
    web_bot_auth_directory other {
        url file:%%DIR%%/keys/other.json;
        profile tap;
        tags other;
    }
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth_zone %%ZONE%%;
    web_bot_auth on;
    %%ECHO%%
    keepalive_requests 1000000;
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test;
        location / { %%OK%% }
    }
}
"""


def rsa_jwk():
    n = RSA.public_key().public_numbers().n
    return {"kty": "RSA", "e": "AQAB", "kid": "primary",
            "n": b64url(n.to_bytes(256, "big"))}


FILES = {
    "keys/visa.json": jwks(VISA_KEY.jwk(kid="visa-1"), OTHER.jwk(kid="two")),
    "keys/other.json": jwks(OTHER.jwk(kid="visa-1")),
    "keys/rsa.json": jwks(rsa_jwk(), Key()),
}


@pytest.fixture(scope="module")
def nginx(serve):
    return serve(CONF, files=FILES, ZONE="4m", LENIENT="lenient visa-sample;")


def ask(nginx, request):
    return fetch(nginx.port(), request)


def rows():
    found = ROW.findall(__doc__)
    lines = [line for line in __doc__.splitlines() if line.startswith("    ")]
    assert len(found) == len(lines)     # none is misspelt
    return found


@pytest.mark.parametrize("file,name", sorted(set(rows())))
def test_the_table(file, name):
    path = HERE if file == "here" else HERE.parent / file
    assert re.search(r"^def %s\(" % name, path.read_text(), re.M)


def test_keyid_picks_the_key(nginx):
    """Both keys are in the directory, and each is its own keyid's."""
    expect(ask(nginx, BROWSER.request(key=OTHER, keyid="two")), "ok")
    for keyid in "visa-1", VISA_KEY.thumbprint:
        expect(ask(nginx, BROWSER.request(key=OTHER, keyid=keyid)),
               "bad-signature")
    for keyid in "two", OTHER.thumbprint:
        expect(ask(nginx, BROWSER.request(keyid=keyid)), "bad-signature")


def test_one_kid_in_two_directories(nginx):
    """The kid visa-1 is one key in the one and another in the other; the tag
    says whose it is."""
    expect(ask(nginx, BROWSER.request()), "ok")
    expect(ask(nginx, BROWSER.request(key=OTHER)), "bad-signature")
    r = ask(nginx, BROWSER.request(key=OTHER, tag="other"))
    expect(r, "ok")
    assert r.header("X-directory") == "other"
    expect(ask(nginx, BROWSER.request(tag="other")), "bad-signature")
    expect(ask(nginx, MASTERCARD.request(key=OTHER, keyid="visa-1")),
           "key-unknown")


def test_a_flood_evicts_no_nonce(serve):
    """Nonces without end by one agent, eight to a request: the table fills,
    within the memory that it was given, says so, and nothing that was
    accepted is accepted again."""
    nginx = serve(CONF, files=FILES, ZONE="1m", LENIENT="")
    first = [BROWSER.request() for _ in range(50)]
    for request in first:
        expect(ask(nginx, request), "ok")
    refused, last = 0, time.monotonic() + 120
    with Connection(nginx.port()) as c:
        while refused < 20 and time.monotonic() < last:
            request = sign(Request(), *[BROWSER.sig(label="s%d" % i)
                                        for i in range(8)])
            c.send(request)
            reason = seen(c.receive())[0]
            assert reason in ("ok", "nonce-store-full")
            refused += reason == "nonce-store-full"
            if reason == "ok":
                kept = request
    assert refused == 20
    for request in [*first, kept]:
        expect(ask(nginx, request), "nonce-replayed")


def test_an_unknown_keyid_wipes_nothing(shop, names):
    """It makes nginx fetch, and what comes is rubbish."""
    s = shop(names=names)
    s.loaded()
    for manners in ({"body": "<html>"}, {"body": "{}"}, {"status": 404},
                    {"body": '{"keys":'}):
        s.serve(**manners)
        s.advance(301)
        load(20, lambda _: s.ask(key=Key()), threads=4)
        for _ in range(4):
            expect(s.ask(), "ok")


def test_a_covered_field_that_is_taken_off(nginx):
    components = ("@authority", "@path", "x-order")
    for value in ("1", ""):
        request = BROWSER.request(components=components,
                                  headers=[("X-Order", value)])
        expect(ask(nginx, request.without("x-order")), "missing-component")
        expect(ask(nginx, request), "ok")
    # signed as if it were there and empty
    expect(ask(nginx, BROWSER.request(components=components)),
           "missing-component")


@pytest.mark.parametrize("label", ["sig1", "sig2", "sig3", "s", "*", "visa",
                                   "a" * 128])
def test_any_label(nginx, label):
    r = ask(nginx, BROWSER.request(label=label))
    expect(r, "ok")
    assert r.header("X-label") == label


@pytest.mark.parametrize("alg", ["hmac-sha256", "HS256", "none", "NONE", "",
                                 "rsa-v1_5-sha256", "rsa-pss-sha256"])
def test_alg_does_not_choose(nginx, alg):
    """A MAC under the public key, as who takes alg's word would check it."""
    def mac(_):
        return hmac.digest(VISA_KEY.public, b"base", hashlib.sha256)
    expect(ask(nginx, BROWSER.request(alg=alg, signature=mac)),
           "missing-fields" if alg == "" else "alg-mismatch")
    expect(ask(nginx, BROWSER.request(alg=alg, signature=b"")),
           "missing-fields" if alg == "" else "alg-mismatch")


@pytest.mark.parametrize("salt", [0, 20, 32, padding.PSS.MAX_LENGTH],
                         ids=["none", "20", "digest", "longest"])
def test_rsa_pss_with_any_salt(nginx, salt):
    """The longest is what Visa's sample makes, in its own form."""
    now = int(time.time())
    member = ('("@authority" "@path"); created=%d; expires=%d; '
              'keyId="primary"; alg="rsa-pss-sha256"; nonce="%s"; tag="pss"'
              % (now, now + 480, base64.b64encode(b"%d" % salt if isinstance(
                  salt, int) else b"max").decode()))
    base = ('"@authority": shop.test\n"@path": /p?q=1\n'
            '"@signature-params": ' + member).encode()
    signature = RSA.sign(base, padding.PSS(padding.MGF1(hashes.SHA256()),
                                           salt), hashes.SHA256())
    r = ask(nginx, Request("GET", "/p?q=1", headers=[
        ("Signature-Input", "sig2=" + member),
        ("Signature", "sig2=:%s:" % base64.b64encode(signature).decode())]))
    if "for an algorithm that is not used here" in nginx.error_log:
        pytest.skip("this build has no RSA-PSS")
    expect(r, "ok")
