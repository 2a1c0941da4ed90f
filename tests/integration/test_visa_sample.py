# SPDX-License-Identifier: BSD-2-Clause
"""lenient visa-sample: an agent that signs as Visa's published sample does, by
putting text together, at a directory with the flag and at one without."""

import base64
import os
import subprocess
import time
import uuid
from urllib.parse import urlsplit

import pytest

from harness.agents import BROWSER
from harness.client import curl, fetch
from harness.expect import expect, seen
from harness.nginx import wait_for
from harness.signer import Key, Request, jwks
from harness.plugin import ROOT

WBA = os.environ.get("WBA", str(ROOT / "build/gcc/wba"))

LENIENT, STRICT = Key(), Key()

CONF = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    web_bot_auth_directory visa {
        url file:%%DIR%%/keys/visa.json;
        profile tap;
        %%LENIENT%%
    }
    web_bot_auth_directory strict {
        url file:%%DIR%%/keys/strict.json;
        profile tap;
    }
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth on;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test;
        location / { %%OK%% }
    }
    server {
        listen 127.0.0.1:%%PORT_H2%% http2;
        server_name shop.test;
        location / { %%OK%% }
    }
}
"""

FILES = {"keys/visa.json": jwks(LENIENT.jwk(kid="primary-ed25519")),
         "keys/strict.json": jwks(STRICT.jwk(kid="strict-key"))}


@pytest.fixture(scope="module")
def lenient(serve):
    return serve(CONF, files=FILES, LENIENT="lenient visa-sample;")


@pytest.fixture(scope="module")
def strict(serve):
    return serve(CONF, files=FILES, LENIENT="")


class Sample:
    """One signature: its texts, any of which a test may exchange before or
    after it is made."""

    def __init__(self, url="http://shop.test/product/1", key=LENIENT,
                 kid="primary-ed25519", name="keyId", gap="; ",
                 tag="agent-browser-auth", with_query=True, params=None,
                 lifetime=480):
        parts = urlsplit(url)
        authority = parts.netloc
        path = parts.path
        if parts.query and with_query:
            path += "?" + parts.query
        created = int(time.time())
        if params is None:
            params = gap.join((
                '("@authority" "@path")', "created=%d" % created,
                "expires=%d" % (created + lifetime), '%s="%s"' % (name, kid),
                'alg="ed25519"', 'nonce="%s"' % uuid.uuid4(),
                'tag="%s"' % tag))
        base = "\n".join(('"@authority": ' + authority, '"@path": ' + path,
                          '"@signature-params": ' + params))
        self.target = parts.path + ("?" + parts.query if parts.query else "")
        self.host = authority
        self.input = "sig2=" + params
        self.signature = "sig2=:%s:" % base64.b64encode(
            key.sign(base.encode())).decode()

    def request(self, method="GET", body=None, **headers):
        return Request(method, self.target, self.host, body=body, headers=[
            ("signature-input", self.input), ("signature", self.signature),
            *headers.items()])


def ask(nginx, request):
    return fetch(nginx.port(), request)


URLS = ["http://shop.test/product/1", "http://shop.test/product?id=1&x=%20y",
        "http://shop.test/", "http://shop.test/a/../b?c=/d?e"]


@pytest.mark.parametrize("method,body", [("GET", None), ("HEAD", None),
                                         ("POST", b'{"a": 1}')])
@pytest.mark.parametrize("url", URLS)
def test_the_sample_is_verified_under_the_flag_alone(lenient, strict, url,
                                                     method, body):
    r = ask(lenient, Sample(url).request(method, body))
    # nginx's own files take no POST, once it was let in
    expect(r, "ok", status=405 if method == "POST" else 200)
    assert r.header("X-directory") == "visa"
    assert r.header("X-keyid") == "primary-ed25519"
    assert r.header("X-label") == "sig2"
    expect(ask(strict, Sample(url).request(method, body)),
           "signature-input-keyid-case")


def test_the_refusal_names_the_flag(strict):
    ask(strict, Sample().request())
    assert "reason=signature-input-keyid-case" in wait_for(
        "the log", lambda: "keyid-case" in strict.error_log
        and strict.error_log)


def test_a_payer(lenient):
    expect(ask(lenient, Sample(tag="agent-payer-auth").request()), "ok")


def test_over_http2(lenient):
    sample = Sample("http://shop.test/p?q=1")
    response = curl(lenient.port("PORT_H2"), sample.request(),
                    "--http2-prior-knowledge")
    assert response.version == "2"
    expect(response, "ok")


PARTS = {                               # form -> how a sample of it is made
    "spaces, keyid": {"name": "keyid"},
    "no spaces, keyId": {"gap": ";"},
    "no spaces, keyid, the query in @path": {"name": "keyid", "gap": ";"},
}


@pytest.mark.parametrize("form", PARTS.values(), ids=PARTS)
def test_a_part_of_what_the_sample_does(lenient, strict, form):
    url = "http://shop.test/p?q=1"
    expect(ask(lenient, Sample(url, **form).request()), "ok")
    if form.get("name") == "keyid":
        time.sleep(1.1)     # such a reason is looked for once a second
        expect(ask(strict, Sample(url, **form).request()), "visa-sample-form")
        found = {seen(ask(strict, Sample(url, **form).request()))[0]
                 for _ in range(20)}
        assert "bad-signature" in found
    else:
        expect(ask(strict, Sample(url, **form).request()),
               "signature-input-keyid-case")


def test_strict_signatures_verify_as_ever(lenient):
    over = {"key": LENIENT, "keyid": "primary-ed25519"}
    expect(ask(lenient, BROWSER.request("/p?q=1", **over)), "ok")
    expect(ask(lenient, BROWSER.request(
        "/p?q=1", components=("@authority", "@path", "@query"), **over)), "ok")
    spaced = BROWSER.request("/p?q=1", **over)
    (name, value), rest = spaced.headers[0], spaced.headers[1:]
    # legal, and signed canonically: spaces may come and go on the way
    spaced.headers = [(name, value.replace(";", "; ")), *rest]
    expect(ask(lenient, spaced), "ok")


def change(text, old, new):
    assert old in text, (old, text)
    return text.replace(old, new, 1)


TAMPERED = {                # part -> (attribute, old, new)
    "path": ("target", "/product", "/produce"),
    "query": ("target", "id=1", "id=2"),
    "query gone": ("target", "?id=1", ""),
    "query longer": ("target", "id=1", "id=1&id=2"),
    "created": ("input", "; created=1", "; created=2"),
    "expires": ("input", "; expires=1", "; expires=2"),
    "nonce": ("input", 'nonce="', 'nonce="x'),
    "tag": ("input", "browser", "payer"),
    "spaces": ("input", "; created", ";created"),
    "more spaces": ("input", "; created", ";  created"),
    "keyid": ("input", "keyId", "keyid"),
    "alg": ("input", '"ed25519"', '"EdDSA"'),
    "components": ("input", '"@authority" "@path"', '"@authority"  "@path"'),
    "another parameter": ("input", "; nonce", "; x; nonce"),
    "signature": ("signature", "sig2=:", "sig2=:AAAA"),
}


@pytest.mark.parametrize("part", TAMPERED)
def test_tampered_in_each_part(lenient, part):
    attribute, old, new = TAMPERED[part]
    sample = Sample("http://shop.test/product?id=1")
    setattr(sample, attribute, change(getattr(sample, attribute), old, new))
    r = ask(lenient, sample.request())
    expect(r, {"created": "expires-not-after-created",
               "expires": "lifetime-too-long"}.get(part, "bad-signature"))


def test_a_query_that_was_not_signed(lenient):
    sample = Sample("http://shop.test/product/1")
    sample.target += "?admin=1"
    expect(ask(lenient, sample.request()), "bad-signature")
    sample = Sample("http://shop.test/product/1")
    sample.host = "shop.test:81"
    expect(ask(lenient, sample.request()), "bad-signature")


MALFORMED = {
    "another spelling": {"name": "KeyId"},
    "twice": {"name": 'keyId="x"; keyId'},
    "both": {"name": 'keyid="primary-ed25519"; keyId'},
    "another parameter in upper case": {"name": 'Created=1; keyId'},
}


@pytest.mark.parametrize("how", MALFORMED.values(), ids=MALFORMED)
def test_nothing_else_is_tolerated(lenient, how):
    expect(ask(lenient, Sample(**how).request()), "signature-input-keyid-case")


@pytest.mark.parametrize("how", [
    {"kid": 'x" y'}, {"gap": " ; "}, {"name": "keyId= "},
    {"params": '("@authority" "@path"; keyId="x"'}])
def test_what_is_broken_otherwise_is_unreadable(lenient, how):
    reason = seen(ask(lenient, Sample(**how).request()))[0]
    assert reason in ("signature-input-unreadable",
                      "signature-input-keyid-case")


def test_the_flag_is_one_directory_s(lenient):
    sample = Sample(key=STRICT, kid="strict-key")
    expect(ask(lenient, sample.request()), "signature-input-keyid-case")
    expect(ask(lenient, BROWSER.request(key=STRICT, keyid="strict-key")), "ok")
    expect(ask(lenient, Sample(key=STRICT, kid="nobody").request()),
           "key-unknown")
    expect(ask(lenient, Sample(key=STRICT).request()), "bad-signature")


def test_the_profile_s_rules_hold(lenient):
    expect(ask(lenient, Sample(lifetime=481).request()), "lifetime-too-long")
    sample = Sample()
    expect(ask(lenient, sample.request()), "ok")
    expect(ask(lenient, sample.request()), "nonce-replayed")


def beside(strict_request, sample):
    """Both signatures in one field each."""
    fields = dict((n.lower(), v) for n, v in strict_request.headers)
    return strict_request.replaced(headers=[
        ("Signature-Input", "%s, %s" % (fields["signature-input"],
                                        sample.input)),
        ("Signature", "%s, %s" % (fields["signature"], sample.signature))])


def test_a_strict_neighbour(lenient, strict):
    def pair(key, kid):
        return beside(BROWSER.request("/product/1", key=STRICT,
                                      keyid="strict-key"),
                      Sample(key=key, kid=kid))
    r = ask(lenient, pair(LENIENT, "primary-ed25519"))
    expect(r, "ok")
    # a forged or unknown one beside it takes nothing from the strict one
    for key, kid in ((STRICT, "primary-ed25519"), (STRICT, "nobody")):
        r = ask(lenient, pair(key, kid))
        expect(r, "ok")
        assert r.header("X-directory") == "strict"
    expect(ask(strict, pair(LENIENT, "primary-ed25519")),
           "signature-input-keyid-case")


def test_fields_on_lines_of_their_own(lenient):
    sample = Sample()
    good = BROWSER.request("/product/1", key=LENIENT, keyid="primary-ed25519")
    expect(ask(lenient, good.with_headers(*sample.request().headers)), "ok")


def test_long_fields_of_nearly_this_form(lenient):
    """They cost no more than others, and the worker lives."""
    for text in ("sig2=();keyId=" * 500, "sig2=()" + ";keyId=1" * 800,
                 "sig2=" + "(" * 7000, 'sig2=();keyId="' + "\\" * 7000,
                 ",".join('a%d=();keyId="x"' % i for i in range(400))):
        r = ask(lenient, Request(headers=[("Signature-Input", text),
                                          ("Signature", "sig2=:AA==:")]))
        assert r.status in (400, 403) and seen(r)[1] == "deny", r
    expect(ask(lenient, Sample().request()), "ok")


# wba verify

def wba(tmp_path, request, *options):
    (tmp_path / "keys.json").write_text(FILES["keys/visa.json"])
    done = subprocess.run(
        [WBA, "verify", *options, "--directory",
         "visa=%s/keys.json" % tmp_path], input=request.raw(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.returncode, (done.stdout + done.stderr).decode()


def test_wba_verify_tells(tmp_path):
    url = "http://shop.test/p?q=1"
    code, text = wba(tmp_path, Sample(url).request())
    assert code == 1 and "invalid: signature-input-keyid-case" in text
    assert "--lenient visa-sample" in text
    code, text = wba(tmp_path, Sample(url).request(),
                     "--lenient", "visa-sample")
    assert code == 0 and '"@path": /p?q=1' in text
    assert "as Visa's sample agent has it" in text
    for _ in range(3):      # it may spend the time
        code, text = wba(tmp_path, Sample(url, name="keyid").request())
        assert code == 1 and "invalid: visa-sample-form" in text
        assert "--lenient visa-sample" in text
    code, text = wba(tmp_path, Sample(url, name="keyid").request(),
                     "--lenient", "visa-sample", "--lenient", "bare-jwk")
    assert code == 0


@pytest.mark.parametrize("options,said", [
    (["--lenient", "visa"], "no leniency"),
    (["--directory", "a=b", "--lenient", "visa-sample"], None)])
def test_wba_verify_usage(tmp_path, options, said):
    done = subprocess.run([WBA, "verify", *options], input=b"",
                          stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    assert done.returncode == 2
    assert (said or "write it before --directory") in done.stderr.decode()
