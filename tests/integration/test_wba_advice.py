# SPDX-License-Identifier: BSD-2-Clause
"""An agent's developer mends a refused request by what wba verify says alone:
requests as agents in the field send them, each with one thing wrong, what is
said of it, and the same request with that mended, which verifies."""

import base64
import dataclasses
import hashlib
import itertools
import json
import os
import pathlib
import random
import subprocess

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from harness.keys import Der, P256, Pkcs1, Rsa
from harness.signer import (OMIT, Key, Raw, Request, Sig, b64url,
                            content_digest, inner_list, sign, signature_base)

ROOT = pathlib.Path(__file__).resolve().parents[2]
WBA = os.environ.get("WBA", str(ROOT / "build/gcc/wba"))
KEY, EC, RSA, PSS512 = Key(), P256(), Rsa(), Rsa(2048)
PSS512 = PSS512.but(hashes.SHA512(), 64)
NOW = 1800000000
AGENT = "https://agent.example"
STRING, MEMBER = '"%s"' % AGENT, 'sig1="%s"' % AGENT
BODY = b'{"amount":1}'

GET = Request("GET", "/catalogue?page=2", "shop.example", "https")
PUT = Request("PUT", "/pay", "shop.example", "https", body=BODY)


def tap(**over):
    return Sig(**{"key": KEY, "created": NOW, "nonce": "n/1+2=", **over})


def bot(**over):
    return Sig(**{"key": KEY, "created": NOW, "tag": "web-bot-auth",
                  "components": ("@authority", "signature-agent"), **over})


def agent(value, request=GET):
    return request.with_headers(("Signature-Agent", value))


BY_KEY = bot(components=("@authority", 'signature-agent;key="sig1"'))
EC_SIG = tap(key=EC, keyid="ec", alg="ecdsa-p256-sha256")
RSA_SIG = tap(key=RSA, keyid="rsa", alg="rsa-pss-sha256")
PSS512_SIG = tap(key=PSS512, keyid="pss512", alg="rsa-pss-sha512")
TAKES_512 = ("--algorithm", "rsa-pss-sha512")


def but(sig, **over):
    return dataclasses.replace(sig, **over)


def text_of(encode):
    """A signature's octets as a text, which is taken for the octets."""
    return lambda s: encode(s).encode() if isinstance(encode(s), str) \
        else encode(s)


def header(request, name, change):
    """The signed request with another text in one of its fields."""
    value = request.lines(name)[0]
    assert change(value) != value
    return request.without(name).with_headers((name, change(value)))


def reordered(sig, request, change):
    """Signed over a base whose lines stand otherwise."""
    params = inner_list(sig)
    lines = signature_base(request, sig.components, params).split(b"\n")
    return sign(request, but(sig, signature=lambda _: sig.key.sign(
        b"\n".join(change(lines)))))


def params_reordered(lines):
    head, *params = lines[-1].split(b";")
    return lines[:-1] + [b";".join([head, *reversed(params)])]


GOOD = sign(GET, tap())
GOOD_BOT = sign(agent(STRING), bot())
GOOD_MEMBER = sign(agent(MEMBER), BY_KEY)
DIGEST = but(tap(), components=("@authority", "@path", "content-digest"))
TYPED = PUT.with_headers(("Content-Type", "application/json; charset=utf-8"))
TYPE_SIG = but(tap(), components=("@authority", "@path", "content-type"))


def with_digest(value):
    return sign(PUT.with_headers(("Content-Digest", value)), DIGEST)


# name: (the request that was sent, reason, what is said, the mended one,
#        more options)
CASES = {
    "Signature-Agent without quotes, as DuckDuckGo sends it": (
        sign(agent(AGENT), bot()), "signature-agent-unquoted",
        ["Write: Signature-Agent: sig1=\"%s\", and cover \"signature-agent\""
         ";key=\"sig1\"" % AGENT, "--lenient unquoted-agent"], GOOD_MEMBER),
    "a member of another name than is covered, as Google names it": (
        sign(agent('g="%s"' % AGENT), BY_KEY), "signature-agent-member-missing",
        ["The field's members: g."],
        sign(agent('g="%s"' % AGENT),
             but(BY_KEY, components=("@authority",
                                     'signature-agent;key="g"')))),
    "a member of nothing": (
        sign(agent(""), but(BY_KEY, values={'signature-agent;key="sig1"': ""})),
        "signature-agent-member-missing", ["The field's members: none"],
        GOOD_MEMBER),
    "a member of a String": (
        sign(agent(STRING), BY_KEY), "signature-agent-member-missing",
        ["The field is a String and has no members"], GOOD_BOT),
    "a typed member": (
        sign(agent(MEMBER + ";type=directory"), BY_KEY),
        "signature-agent-typed",
        ["Send the URL alone", "--lenient agent-type"], GOOD_MEMBER),
    "Signature-Agent not covered": (
        sign(agent(STRING), but(bot(), components=("@authority",))),
        "signature-agent-absent",
        ["The request has a Signature-Agent, which the signature does not "
         "cover: cover it."], GOOD_BOT),
    "quotes left out in the base": (
        sign(agent(STRING), but(bot(), values={"signature-agent": AGENT})),
        "bad-signature",
        ['if the value of "signature-agent" had no quotes;'], GOOD_BOT),
    "the whole field signed for a member": (
        sign(agent(MEMBER), but(BY_KEY, values={
            'signature-agent;key="sig1"': MEMBER})), "bad-signature",
        ['if the value of "signature-agent" were the whole field;'],
        GOOD_MEMBER),
    "the member signed for the whole field": (
        sign(agent(MEMBER), but(bot(), values={"signature-agent": STRING})),
        "bad-signature",
        ['if the value of "signature-agent" were the member\'s alone;'],
        sign(agent(MEMBER), bot())),
    "a signature for three months, as Shopify hands out": (
        sign(agent(STRING), but(bot(), lifetime=90 * 86400)),
        "lifetime-too-long",
        ["A signature may live 1 day at most (%s, profile web-bot-auth)."
         % AGENT], GOOD_BOT),
    "ten minutes for a payer": (
        sign(GET, tap(lifetime=600)), "lifetime-too-long",
        ["A signature may live 8 minutes at most (shop, profile tap)."],
        sign(GET, tap(lifetime=480))),
    "milliseconds": (
        sign(GET, tap(created=NOW * 1000, lifetime=300000)), "clock-ahead",
        ["created seems to be in milliseconds; times are in seconds: %d."
         % NOW], GOOD),
    "milliseconds in expires alone": (
        sign(GET, tap(expires=(NOW + 300) * 1000)), "lifetime-too-long",
        ["expires seems to be in milliseconds; times are in seconds: %d."
         % (NOW + 300)], GOOD),
    "a name as keyid, as Meta's keys need none": (
        sign(agent(STRING), but(bot(), keyid="prod-2026")), "key-unknown",
        ["would verify if keyid named the key %s, by which it is signed."
         % KEY.thumbprint], GOOD_BOT),
    "another network's tag": (
        sign(GET, tap(tag="web-bot-auth")), "signature-agent-absent",
        ['shop holds that key, but its profile tap does not serve the tag '
         '"web-bot-auth".',
         AGENT + " holds that key, but stands for a Signature-Agent, which "
         "the signature does not cover."], GOOD),
    "a tag that no directory given serves": (
        sign(GET, tap(tag="Agent-Pay-Auth")), "no-served-tag",
        ['Its tag is "Agent-Pay-Auth"; the directories given serve '
         "agent-browser-auth, agent-payer-auth, web-bot-auth",
         "--profile agent-pay before --directory"], GOOD),
    "ECDSA in DER, as OpenSSL and Node make it": (
        sign(GET, but(EC_SIG, key=Der(EC))), "bad-signature",
        ["if it were r then s, 32 octets each; it is DER"],
        sign(GET, EC_SIG)),
    "RSA of the older kind": (
        sign(GET, but(RSA_SIG, key=Pkcs1(private=RSA.private))),
        "bad-signature", ["if it were made as alg says; it is "
                          "RSASSA-PKCS1-v1_5 with SHA-256."],
        sign(GET, RSA_SIG)),
    "RSA-PSS with another hash": (
        sign(GET, but(PSS512_SIG, key=PSS512.but(hashes.SHA256()))),
        "bad-signature", ["if it were made as alg says; it is RSA-PSS with "
                          "SHA-256."], sign(GET, PSS512_SIG), *TAKES_512),
    "RSA-PSS with the longest salt, as http-message-signatures makes it": (
        sign(GET, but(PSS512_SIG, key=PSS512.but(
            hashes.SHA512(), padding.PSS.MAX_LENGTH))), "bad-signature",
        ["if its salt had 64 octets;"], sign(GET, PSS512_SIG), *TAKES_512),
    "RSA-PSS with the longest salt, and no alg": (
        sign(agent(STRING), but(bot(), key=PSS512.but(
            hashes.SHA512(), padding.PSS.MAX_LENGTH), alg=OMIT)),
        "bad-signature", ["if its salt had 64 octets;"],
        sign(agent(STRING), but(bot(), key=PSS512, alg=OMIT)), *TAKES_512),
    "an algorithm that the profile does not take": (
        sign(GET, but(PSS512_SIG, keyid="rsa", key=RSA.but(
            hashes.SHA512(), 64))), "alg-not-allowed",
        ["--algorithm rsa-pss-sha512",
         "this directory takes ed25519 or ecdsa-p256-sha256 or "
         "rsa-pss-sha256"], sign(GET, RSA_SIG)),
    "an algorithm that is none": (
        sign(GET, but(RSA_SIG, alg="rsa-v1_5-sha256")), "alg-mismatch",
        ['the signature\'s alg is "rsa-v1_5-sha256", the key is for '
         "rsa-pss-sha512 or rsa-pss-sha256"], sign(GET, RSA_SIG)),
    "base64 of hexadecimal text": (
        sign(GET, tap(signature=text_of(bytes.hex))), "bad-signature",
        ["there is base64 of their hexadecimal text"], GOOD),
    "hexadecimal text": (
        header(GOOD, "signature", lambda v: "sig1=:%s:" % base64.b64decode(
            v[6:-1]).hex()), "bad-signature",
        ["there is their hexadecimal text"], GOOD),
    "base64 twice": (
        sign(GET, tap(signature=text_of(base64.b64encode))), "bad-signature",
        ["there is base64 of their base64"], GOOD),
    "base64 of base64url": (
        sign(GET, tap(signature=text_of(b64url))), "bad-signature",
        ["there is base64 of their base64"], GOOD),
    "base64url": (
        header(GOOD, "signature", lambda v: v.replace("/", "_").replace(
            "+", "-").replace(":", ":-", 1)),
        "signature-value-unreadable", ["That is base64url; write base64"],
        GOOD),
    "no label": (
        header(GOOD, "signature", lambda v: v[6:-1]),
        "signature-value-unreadable",
        ["The octets stand under Signature-Input's label, in base64 between "
         "colons: sig1=:...:"], GOOD),
    "no label before the colon": (
        header(GOOD, "signature", lambda v: v[5:]),
        "signature-value-unreadable",
        ["Before the colon stands Signature-Input's label: sig1=:...:"], GOOD),
    "no label before the components": (
        header(GOOD, "signature-input", lambda v: v[5:]),
        "signature-input-unreadable",
        ["It begins with a label, which Signature has, too: sig1=(..."], GOOD),
    "base64 in lines, as Python's encodebytes makes it": (
        header(GOOD, "signature", lambda v: v[:82] + " " + v[82:]),
        "signature-value-unreadable",
        ["Base64 has no blanks and no line ends in it here."], GOOD),
    "bytes as Python shows them": (
        header(GOOD, "signature", lambda v: "sig1=:b'%s':" % v[6:-1]),
        "signature-value-unreadable",
        ["has a program written b'...', decode its bytes to text."], GOOD),
    "a clock's fractions": (
        header(GOOD, "signature-input", lambda v: v.replace(
            ";created=%d" % NOW, ";created=%d.123456" % NOW)),
        "signature-input-unreadable",
        ["Times are whole numbers of seconds, without quotes."], GOOD),
    "three digits of a clock's fractions": (
        header(GOOD, "signature-input", lambda v: v.replace(
            ";created=%d" % NOW, ";created=%d.123" % NOW)),
        "signature-input-unreadable",
        ["Times are whole numbers of seconds, without quotes."], GOOD),
    "a lifetime in expires": (
        sign(GET, tap(expires=300)), "expires-not-after-created",
        ["expires is a time, as created is, and no lifetime: %d."
         % (NOW + 300)], sign(GET, tap(expires=NOW + 300))),
    "@signature-params among the components": (
        sign(GET, tap(components=("@authority", "@path", "@signature-params"),
                      values={"@signature-params": "x"})), "bad-component",
        ["It is not listed: it is the base's last line always."], GOOD),
    "parameters that the client has added to a field": (
        sign(TYPED, but(TYPE_SIG, values={"content-type":
                                          "application/json"})),
        "bad-signature",
        ['if the value of "content-type" ended before its \';\';'],
        sign(TYPED, TYPE_SIG)),
    "Digest in place of Content-Digest": (
        with_digest(content_digest(BODY)).without("content-digest")
        .with_headers(("Digest", "SHA-256=AAAA")),
        "missing-component",
        ["Digest is its predecessor, and another field.",
         "For this body of 12 bytes write: Content-Digest: "
         + content_digest(BODY)], with_digest(content_digest(BODY))),
    "another label": (
        header(GOOD, "signature", lambda v: v.replace("sig1", "sig2")),
        "signature-value-unreadable",
        ["There is no signature under Signature-Input's label."], GOOD),
    "quotes instead of colons": (
        header(GOOD, "signature", lambda v: v.replace(":", '"')),
        "signature-value-unreadable",
        ["This is no Byte Sequence: base64 between colons, sig1=:...:"],
        GOOD),
    "the older draft, as ActivityPub has it": (
        GET.with_headers(("Signature", 'keyId="a",algorithm="ed25519",headers'
                          '="(request-target) host",signature="AAAA"')),
        "no-signature", ["RFC 9421 has both."], GOOD),
    "a field's name as it is sent": (
        sign(GET.with_headers(("X-Order", "1")),
             tap(components=("@authority", "@path", "X-Order"))),
        "bad-component", ["The names of fields are in lower case here"],
        sign(GET.with_headers(("X-Order", "1")),
             tap(components=("@authority", "@path", "x-order")))),
    "a time as a text": (
        sign(GET, tap(created=Raw('"%d"' % NOW), expires=NOW + 60)),
        "signature-input-unreadable",
        ["Times are whole numbers of seconds, without quotes."], GOOD),
    "a text as a word": (
        header(GOOD, "signature-input", lambda v: v.replace(
            '"ed25519"', "ed25519")), "signature-input-unreadable",
        ["This is a text, between double quotes."], GOOD),
    "components without quotes": (
        header(GOOD, "signature-input", lambda v: v.replace(
            '("@authority" "@path")', "(@authority @path)")),
        "signature-input-unreadable",
        ["Each component stands between double quotes."], GOOD),
    "components with commas": (
        header(GOOD, "signature-input", lambda v: v.replace(
            '" "', '", "')), "signature-input-unreadable",
        ["Components are parted by blanks, not by commas."], GOOD),
    "single quotes": (
        header(GOOD, "signature-input", lambda v: v.replace(
            '"@authority" "@path"', "'@authority' '@path'")),
        "signature-input-unreadable",
        ["Texts stand between double quotes, not single ones."], GOOD),
    "a list that does not end": (
        header(GOOD, "signature-input", lambda v: v.partition(")")[0]),
        "signature-input-unreadable",
        ["The list of components does not end: ')' is missing."], GOOD),
    "blanks around an equals sign": (
        header(GOOD, "signature-input", lambda v: v.replace(
            "created=", "created = ")), "signature-input-unreadable",
        ["There is no blank before ';' and around '='."], GOOD),
    "a blank before a semicolon": (
        header(GOOD, "signature-input", lambda v: v.replace(
            ");created", ") ;created")), "signature-input-unreadable",
        ["There is no blank before ';' and around '='."], GOOD),
    "fields that a proxy has added again": (
        GOOD.with_headers(*GOOD.headers), "duplicate-label",
        ["Signature-Input is there 2 times: who adds it a second time?"],
        GOOD),
    "a digest of the older kind": (
        with_digest("SHA-256=" + base64.b64encode(
            hashlib.sha256(BODY).digest()).decode()),
        "content-digest-unreadable",
        ["For this body of 12 bytes write: Content-Digest: "
         + content_digest(BODY)], with_digest(content_digest(BODY))),
    "a digest of the body before it was written anew": (
        with_digest(content_digest(b'{"amount": 1}')),
        "content-digest-mismatch",
        ["For this body of 12 bytes write: Content-Digest: "
         + content_digest(BODY)], with_digest(content_digest(BODY))),
    "lines in another order, as they come out of a table": (
        reordered(tap(), GET, lambda lines: lines[1::-1] + lines[2:]),
        "bad-signature",
        ['if the lines of the base stood in the order "@path", "@authority";'],
        GOOD),
    "parameters in another order": (
        reordered(tap(), GET, params_reordered), "bad-signature",
        ['if the parameters in "@signature-params" stood in the order tag, '
         "nonce, alg, keyid, expires, created;"], GOOD),
    "%XX in lower case": (
        sign(GET.replaced(target="/caf%C3%A9"), tap(
            values={"@path": "/caf%c3%a9"})), "bad-signature",
        ["if @path had the digits of its %XX in lower case;"],
        sign(GET.replaced(target="/caf%C3%A9"), tap())),
    "%XX in upper case": (
        sign(GET.replaced(target="/caf%c3%a9"), tap(
            values={"@path": "/caf%C3%A9"})), "bad-signature",
        ["if @path had the digits of its %XX in upper case;"],
        sign(GET.replaced(target="/caf%c3%a9"), tap())),
}


CASES.update({
    "DER over a base with a mistake": (
        sign(GET, but(EC_SIG, key=Der(EC), values={
            "@authority": "shop.example:443"})), "bad-signature",
        ["it is DER", "; and if @authority were shop.example:443;"],
        sign(GET, EC_SIG)),
    "hexadecimal text of a hash's signature": (
        sign(GET, tap(signature=lambda _: KEY.sign(hashlib.sha256(
            signature_base(GET, ("@authority", "@path"),
                           inner_list(tap()))).digest()).hex().encode())),
        "bad-signature",
        ["base64 of their hexadecimal text", "over the base's SHA-256;"],
        GOOD),
    "DER, and nothing that is known": (
        sign(GET, but(EC_SIG, key=Der(EC), values={"@path": "/else"})),
        "bad-signature",
        ["A signature of that key has 64 octets, and this one ",
         "None of the common mistakes explains it"], sign(GET, EC_SIG)),
    "cut off": (
        sign(GET, tap(signature=lambda s: s[:60])), "bad-signature",
        ["A signature of that key has 64 octets, and this one 60."], GOOD),
})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("advice")
    (path / "keys.json").write_text(json.dumps({"keys": [
        KEY.jwk(), EC.jwk(kid="ec"), RSA.jwk(kid="rsa"),
        PSS512.jwk(kid="pss512", alg="PS512")]}))
    return path


def verify(folder, raw, *more, status):
    algorithms = [w for a in ("ed25519", "ES256", "PS256") for w in (
        "--algorithm", a)] if more else []
    done = subprocess.run(
        [WBA, "verify", "--now", str(NOW), *algorithms, *more, "--directory",
         "shop=keys.json", "--directory", AGENT + "=keys.json"],
        input=raw, cwd=folder, timeout=60, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == status, (done.stdout + done.stderr).decode()
    return done.stdout.decode()


@pytest.mark.parametrize("name", CASES)
def test_what_is_said_mends_it(folder, name):
    sent, reason, says, mended, *more = CASES[name]
    text = verify(folder, sent.raw(), *more, status=1)
    assert ": %s\n" % reason in text, text
    for words in says:
        assert words in text, text
    assert "\nverified: ok\n" in verify(folder, mended.raw(), *more, status=0)


def test_what_is_said_twice_is_of_many_orders(folder):
    """Every order of three lines is recognised."""
    components = ("@method", "@authority", "@path")
    for order in itertools.permutations(range(3)):
        sent = reordered(tap(components=components), GET,
                         lambda lines, o=order: [lines[i] for i in o]
                         + lines[3:])
        right = order == (0, 1, 2)
        text = verify(folder, sent.raw(), status=0 if right else 1)
        assert right or "in the order %s;" % ", ".join(
            '"%s"' % components[i] for i in order) in text


def test_more_lines_than_are_permuted(folder):
    components = ("@method", "@authority", "@path", "@query", "@scheme",
                  "@target-uri", "@request-target")
    sent = reordered(tap(components=components), GET,
                     lambda lines: lines[-2::-1] + lines[-1:])
    text = verify(folder, sent.raw(), status=1)
    assert "None of the common mistakes explains it" in text


@pytest.mark.parametrize("text, says", [
    (b"> GET / HTTP/1.1\r\n> Host: a\r\n>\r\n", "sed -n 's/^> //p'"),
    (b"*   Trying 127.0.0.1:443...\n> GET / HTTP/1.1\n", "sed -n 's/^> //p'"),
    (b":method: GET\r\n:authority: a\r\n:path: /\r\n", ":authority as Host"),
])
def test_captures_in_other_forms(folder, text, says):
    done = subprocess.run([WBA, "verify", "--directory", "shop=keys.json"],
                          input=text, cwd=folder, timeout=60, check=False,
                          stderr=subprocess.PIPE)
    assert done.returncode == 2 and says in done.stderr.decode()


def test_what_curl_prints_is_taken_out_by_that(folder):
    raw = GOOD.raw().decode()
    printed = "* Trying\n" + "".join("> %s\n" % line for line in
                                     raw.split("\r\n")[:-1]) + "< HTTP/1.1\n"
    sent = subprocess.run(["sed", "-n", "s/^> //p"], input=printed.encode(),
                          stdout=subprocess.PIPE, check=True).stdout
    assert "\nverified: ok\n" in verify(folder, sent, status=0)


SEED = int(os.environ.get("ADVICE_SEED", random.randrange(2 ** 32)))


def mutated(raw, chance):
    """The request with a few of its bytes dropped, doubled or changed."""
    out = bytearray(raw)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(out))
        kind = chance.randint(0, 3)
        if kind == 0:
            del out[at:at + chance.randint(1, 20)]
        elif kind == 1:
            out[at:at] = out[at:at + chance.randint(1, 40)]
        else:
            out[at] = chance.choice(b'"\\();:=, \t\r\n-_@%/aA0\x00\x1b\x7f\xff')
        if not out:
            break
    return bytes(out)


@pytest.mark.parametrize("name", CASES)
def test_whatever_is_sent_is_answered(folder, name):
    """ADVICE_SEED=N asks for the requests of a seed."""
    chance = random.Random("%d %s" % (SEED, name))
    raw, more = CASES[name][0].raw(), CASES[name][4:]
    for _ in range(5):
        sent = mutated(raw, chance)
        done = subprocess.run(
            [WBA, "verify", "--now", str(NOW), *more, "--directory",
             "shop=keys.json", "--directory", AGENT + "=keys.json"],
            input=sent, cwd=folder, timeout=60, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        said = done.stdout + done.stderr
        assert done.returncode in (0, 1, 2), (SEED, sent, said)
        assert b"Sanitizer" not in said and b"runtime error" not in said, \
            (SEED, sent, said)
        lines = [line for line in done.stdout.decode().splitlines()
                 if line.strip() == "^"]
        assert len(lines) <= 1, (SEED, sent)
