# SPDX-License-Identifier: BSD-2-Clause
"""wba curl, and what wba sign prints for curl, at a real nginx."""

import json
import os
import pathlib
import subprocess

import pytest

from harness.signer import Key, jwks

ROOT = pathlib.Path(__file__).resolve().parents[2]
WBA = os.environ.get("WBA", str(ROOT / "build/gcc/wba"))
KEY = Key()

CONF = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    web_bot_auth_directory shop { url file:%%DIR%%/keys/shop.json;
                                  profile tap; }
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth on;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name 127.0.0.1;
        location / { %%OK%% }
        location /body {
            web_bot_auth_content_digest required;
            error_page 405 =200 /ok.txt;
            %%OK%%
        }
    }
}
"""


@pytest.fixture(scope="module")
def nginx(serve):
    return serve(CONF,
                 files={"keys/shop.json": jwks(KEY)})


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "agent.key").write_text(json.dumps(KEY.private_jwk()))
    (tmp_path / "order.json").write_text('{"a": "it\'s"}\n')
    return tmp_path


def run(folder, *words, **more):
    return subprocess.run([WBA, *words], cwd=folder, timeout=60, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          **more)


STATUS = ["-s", "-o", "/dev/null", "-w", "%{http_code} %header{x-reason}"]


def url(nginx, target="/"):
    return "http://127.0.0.1:%d%s" % (nginx.port(), target)


@pytest.mark.parametrize("target", [
    "/", "/a%20b/?q=it's&x=(1-3)", "/x/../y/./z?a=$(id)&b=*~!;"])
def test_curl_sends_what_was_signed(nginx, folder, target):
    done = run(folder, "curl", "--key", "agent.key", url(nginx, target), "--",
               *STATUS)
    assert (done.returncode, done.stdout) == (0, b"200 ok"), done.stderr


def test_curls_own_options_and_status(nginx, folder):
    done = run(folder, "curl", "--key", "agent.key", url(nginx), "--",
               "--silent", "--fail", "--include")
    assert done.returncode == 0 and b"X-tag: agent-browser-auth" in done.stdout
    done = run(folder, "curl", "--key", "agent.key", "--expires", "-10m",
               "--created", "-20m", url(nginx), "--", "--silent", "--fail")
    assert done.returncode == 22


def test_a_body(nginx, folder):
    for more in ([], ["--method", "PUT"]):
        done = run(folder, "curl", "--key", "agent.key", "--body",
                   "order.json", "--header", "Content-Type: application/json",
                   "--component", "@authority", "--component", "@path",
                   "--component", "content-digest", *more,
                   url(nginx, "/body"), "--", *STATUS)
        assert done.stdout.endswith(b" ok"), (done.stdout, done.stderr)


def test_a_line_for_a_shell(nginx, folder):
    done = run(folder, "sign", "--key", "agent.key", "--url",
               url(nginx, "/it's?a=(1)&b=$HOME"), "--curl")
    assert done.stdout.startswith(b"curl --path-as-is --globoff -H ")
    line = done.stdout.decode().strip() + " -s -o /dev/null -w '%{http_code}'"
    shell = subprocess.run(["sh", "-c", line], cwd=folder, check=True,
                           stdout=subprocess.PIPE)
    assert shell.stdout == b"200"


def test_arguments_for_xargs(nginx, folder):
    done = run(folder, "sign", "--key", "agent.key", "--url", url(nginx),
               "--format", "curl")
    assert done.stdout.startswith(b"--path-as-is ")
    xargs = subprocess.run(["xargs", "curl", *STATUS], input=done.stdout,
                           check=True, stdout=subprocess.PIPE)
    assert xargs.stdout == b"200 ok"


@pytest.mark.parametrize("words, says", [
    (["curl", "--key", "agent.key"], "Give a URL"),
    (["curl", "http://x/"], "which key?"),
    (["curl", "--key", "agent.key", "--format", "raw", "http://x/"],
     "to print something, use wba sign"),
    (["curl", "--key", "agent.key", "--body", "-", "http://x/"],
     "it must be a file"),
    (["sign", "--key", "agent.key", "--url", "http://x/", "more"],
     "what is 'more' for?"),
])
def test_wrong_use(folder, words, says):
    done = run(folder, *words, stdin=subprocess.DEVNULL)
    assert done.returncode == 2 and says in done.stderr.decode()


def test_without_curl(folder):
    done = run(folder, "curl", "--key", "agent.key", "http://127.0.0.1/",
               env={"PATH": str(folder)})
    assert done.returncode == 2
    assert "curl cannot be run" in done.stderr.decode()
