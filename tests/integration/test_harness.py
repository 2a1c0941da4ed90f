# SPDX-License-Identifier: BSD-2-Clause
"""The harness itself: the signer against the draft's vector, nginx without
the module, the servers and clients against each other."""

import errno
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from harness.client import Connection, curl, fetch, load
from harness.nginx import SANITIZED, wait_for
from harness.signer import (Key, Raw, Request, Sig, component_value,
                            content_digest, sign)

CONF = """
%%GLOBALS%%
worker_processes 2;
events { worker_connections 256; }
http {
    %%HTTP%%
    server {
        listen 127.0.0.1:%%PORT%% http2;
        listen 127.0.0.1:%%PORT_TLS%% ssl http2;
        ssl_certificate %%CERT%%;
        ssl_certificate_key %%KEY%%;
        location / { return 200 "$server_protocol $scheme"; }
    }
    server {
        listen 127.0.0.1:%%PORT_1%%;
        location / { proxy_pass http://127.0.0.1:%%UPSTREAM%%; }
    }
}
"""


@pytest.fixture(scope="module")
def nginx(serve, authority, upstream):
    return serve(CONF, bare=True, CERT=authority.cert, KEY=authority.key,
                 UPSTREAM=upstream.port)


def test_signer_makes_the_draft_s_signature():
    key = Key.from_jwk({"kty": "OKP", "crv": "Ed25519",
                        "d": "n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU"})
    assert key.x == "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"
    assert key.thumbprint == "poqkLGiymh_W0uP6PZFw-dvez3QJT5SolqXBCW38r0U"
    params = (';created=1735689600;keyid="%s";alg="ed25519"'
              ';expires=4889289600;nonce="n9p433xm+NJ3ph3upfBIGmsuwHw387YV7Q/'
              'F+6BSpGCVjYCqQw6rznNA8PVVLySrAWsv0hQtFioQb6E1YsauiA=="'
              ';tag="web-bot-auth"' % key.thumbprint)
    request = Request(host="example.com", scheme="https", headers=[
        ("Signature-Agent", 'agent2="https://signature-agent.test"')])
    signed = sign(request, Sig(key, "sig2", params=params, components=(
        "@authority", 'signature-agent;key="agent2"')))
    assert signed.lines("signature") == [
        "sig2=:RdNFx5Bj6au3YgAMQL/RzmUlZE8QZLIaXGRpw985hWnwPfMxT228NMk6ehRS1PS"
        "l4e8PhbNZACSanGdhEwYCCg==:"]


@pytest.mark.parametrize("component, value", [
    ("@method", "POST"),
    ("@authority", "example.com"),
    ("@scheme", "https"),
    ("@target-uri", "https://example.com/a%2Fb?x=1&y=a+b&x=2"),
    ("@request-target", "/a%2Fb?x=1&y=a+b&x=2"),
    ("@path", "/a%2Fb"),
    ("@query", "?x=1&y=a+b&x=2"),
    ('@query-param;name="y"', "a%20b"),
    ("x-many", "1, 2"),
    ("x-many;bs", ":MQ==:, :Mg==:"),
    ('priority;key="u"', "3"),
    ('priority;key="i"', "?1"),
    ("priority;sf", "u=3, i=?1"),
    ("content-digest",
     "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"),
])
def test_component_values(component, value):
    request = Request("POST", "/a%2Fb?x=1&y=a+b&x=2", "Example.COM:443",
                      "https", [
        ("X-Many", " 1 "), ("X-Many", "2"), ("Priority", "u=3,  i"),
        ("Content-Digest", content_digest(b'{"hello": "world"}'))])
    assert component_value(request, component) == value


def test_parameters_can_be_anything():
    signed = sign(Request(), Sig(Key(), created="x", expires=Raw("1.5"),
                                 nonce=b"n", tag=True, alg="e\"d",
                                 keyid="k", extra=(("more", 3),)))
    assert signed.lines("signature-input") == [
        'sig1=("@authority" "@path");created="x";expires=1.5;keyid="k"'
        ';alg="e\\"d";nonce=:bg==:;tag=?1;more=3']


@pytest.mark.parametrize("option, tls, version", [
    ("--http2-prior-knowledge", False, "2"), ("--http2", True, "2"),
    ("--http1.1", True, "1.1")])
def test_curl(nginx, authority, option, tls, version):
    response = curl(nginx.port("PORT_TLS" if tls else "PORT"),
                    Request(target="/a"), option, tls=tls and authority.ca)
    assert response.version == version
    assert response.status == 200
    assert response.body.decode() == "HTTP/%.1f %s" % (
        float(version), "https" if tls else "http")


def test_echo_over_one_connection(nginx):
    request = Request("POST", "/x?y", headers=[("X-A", "b")], body=b"abc")
    with Connection(nginx.port("PORT_1")) as c:
        c.send(request.raw() * 2)   # pipelined
        for _ in range(2):
            echoed = json.loads(c.receive().body)
            assert (echoed["method"], echoed["target"]) == ("POST", "/x?y")
            assert echoed["headers"]["x-a"] == "b"
            assert echoed["body"] == "abc"


def test_load_and_reload(nginx):
    old = nginx.workers()
    assert len(old) == 2
    nginx.reload()
    assert len(nginx.workers()) == 2 and not nginx.workers() & old
    answers = load(200, lambda _: fetch(nginx.port("PORT_1"), Request()))
    assert {a.status for a in answers} == {200}


def test_directory_counts(directory, authority):
    directory.serve("/keys", body="{}")
    request = Request(target="/keys", host="localhost")
    answers = load(5, lambda _: fetch(directory.port, request,
                                      name="localhost", tls=authority.ca))
    assert [a.body for a in answers] == [b"{}"] * 5
    assert directory.count("/keys") == 5
    directory.serve("/keys", close=True)
    assert fetch(directory.port, request, name="localhost",
                 tls=authority.ca).status == 0


def test_bad_log_lines_are_found(serve):
    nginx = serve.make("daemon off;\nnonsense;\n", bare=True)
    assert nginx.test()[0] is False
    with pytest.raises(AssertionError, match="nonsense"):
        nginx.check_log()
    nginx.expect("nonsense")
    nginx.check_log()


if SANITIZED:
    def test_a_sanitizer_s_report_is_found(serve):
        """Of the module's own, too: it was built with them."""
        nginx = serve("%%GLOBALS%%\nevents {}\n")
        worker, = nginx.workers()
        maps = pathlib.Path("/proc/%d/maps" % worker).read_text()
        assert "libasan" in maps and "libubsan" in maps
        assert b"__asan_report_load8" in nginx.module.read_bytes()
        nginx.expect("exited with code|start worker|signal")
        os.kill(worker, signal.SIGSEGV)
        wait_for("a report", lambda: "AddressSanitizer" in nginx.error_log)
        with pytest.raises(AssertionError, match="AddressSanitizer"):
            nginx.check_log()
        serve.all.remove(nginx)
        with pytest.raises(AssertionError):
            nginx.stop()


def test_conditional_requests_to_the_directory(directory, authority):
    date = "Mon, 02 Nov 2026 10:00:00 GMT"
    directory.serve("/cond", body="{}", etag='"v1"', last_modified=date)

    def status(*headers):
        return fetch(directory.port,
                     Request(target="/cond", host="localhost",
                             headers=list(headers)),
                     name="localhost", tls=authority.ca).status

    assert status() == 200
    assert status(("If-None-Match", '"v1"')) == 304
    assert status(("If-None-Match", '"v2"'),
                  ("If-Modified-Since", date)) == 200
    assert status(("If-Modified-Since", date)) == 304
    assert directory.count("/cond", 304) == 2
    directory.serve("/cond", status=500)
    assert status(("If-None-Match", '"v1"')) == 500


def test_manners_by_host(directory, authority):
    directory.serve("localhost/h", body="a")
    directory.serve("/h", body="b")
    got = [fetch(directory.port, Request(target="/h", host=host),
                 name="localhost", tls=authority.ca).body
           for host in ("localhost", "other.test")]
    assert got == [b"a", b"b"]
    assert directory.count("/h") == 2 and directory.count("localhost/h") == 1


ASK = """
import socket, sys, time
def resolve(name):
    try:
        return [a[4][0] for a in socket.getaddrinfo(name, 1, type=1)]
    except socket.gaierror:
        return None
def connect(address):
    with socket.socket(socket.AF_INET6 if ":" in address
                       else socket.AF_INET) as s:
        return s.connect_ex((address, 443))
print([resolve("a.test"), resolve("a.test"), resolve("a.test"),
       resolve("unknown.test"), connect("93.184.216.34"),
       connect("2606:2800::1"), connect("10.0.0.1")])
print(time.monotonic())
"""


def test_names_and_connections(names, directory):
    """Nothing leaves loopback."""
    names.host("a.test", "93.184.216.34,[2606:2800::1]", "-")
    names.map("93.184.216.34", directory)
    names.map("[2606:2800::1]", directory)
    names.advance(1000)
    done = subprocess.run(
        [sys.executable, "-c", ASK], stdout=subprocess.PIPE, check=True,
        env={"LD_PRELOAD": str(names.library), **names.environment()})
    got, clock = done.stdout.decode().splitlines()
    assert json.loads(got.replace("None", "null").replace("'", '"')) == \
        [["93.184.216.34", "2606:2800::1"], None, None, None, 0, 0,
         errno.ENETUNREACH]
    assert abs(float(clock) - time.monotonic() - 1000) < 20
    assert names.connects() == ["93.184.216.34:443", "[2606:2800::1]:443",
                                "10.0.0.1:443"]
    assert names.lookups("a.test") == 3
