# SPDX-License-Identifier: BSD-2-Clause
"""satisfy any and all beside auth_basic and allow/deny, in every mode."""

import base64
import itertools

import pytest

from harness.agents import BROWSER
from harness.client import fetch
from harness.signer import Request, flip_bit

MODES = {
    "on": "web_bot_auth on;",
    "optional": "web_bot_auth optional;",
    "off": "web_bot_auth off;",
    "dry": "web_bot_auth on; web_bot_auth_dry_run on;",
    "dryopt": "web_bot_auth optional; web_bot_auth_dry_run on;",
    "answers": "web_bot_auth on; web_bot_auth_answer unsigned=401 "
               "invalid=418 denied=451 replayed=503;",
    "pass": "web_bot_auth on; web_bot_auth_answer unknown=pass;",
    "denied": "web_bot_auth on; web_bot_auth_deny all;",
}

BESIDE = {
    "nothing": "",
    "allow": "allow all;",
    "deny": "deny all;",
    "basic": 'auth_basic shop; auth_basic_user_file %%DIR%%/passwords;',
}

CONF = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_nonce_store shared cold=accept;
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test;
        %%LOCATIONS%%
    }
}
"""


@pytest.fixture(scope="module")
def nginx(serve):
    locations = ["location /%s/%s/%s/ { satisfy %s; %s %s %%%%OK%%%% }" % (
        satisfy, mode, beside, satisfy, MODES[mode], BESIDE[beside])
        for satisfy in ("any", "all") for mode in MODES for beside in BESIDE]
    return serve(CONF, LOCATIONS="\n".join(locations),
                 files={"passwords": "user:{PLAIN}secret\n"})


CREDENTIALS = [("Authorization", "Basic "
                + base64.b64encode(b"user:secret").decode())]
REQUESTS = {
    "verified": lambda target, h: BROWSER.request(target, headers=h),
    "unsigned": lambda target, h: Request(target=target, headers=h),
    "forged": lambda target, h: BROWSER.request(target, headers=h,
                                                signature=flip_bit),
}


def ours(mode, kind):
    """What the module says: 'grant', 'deny' (with the status under satisfy
    all) or None, no opinion."""
    if mode in ("off", "dry", "dryopt"):
        return None
    if mode == "denied" and kind == "verified":
        return 403
    if kind == "verified":
        return "grant"
    if mode == "optional" and kind == "unsigned":
        return None
    if mode == "answers":
        return {"unsigned": 401, "forged": 418}[kind]
    return 403


def theirs(beside, credentials):
    if beside == "basic":
        return "grant" if credentials else 401
    return {"nothing": None, "allow": "grant", "deny": 403}[beside]


def expected(satisfy, mode, beside, kind, credentials):
    """nginx's rules: under all the first refusal counts, ours running first;
    under any a grant suffices, our refusal is always 403, auth_basic's 401
    beats it, and where nobody had an opinion the request passes."""
    a, b = ours(mode, kind), theirs(beside, credentials)
    refusals = [x for x in (a, b) if x not in (None, "grant")]
    if satisfy == "all":
        return refusals[0] if refusals else 200
    if "grant" in (a, b) or not refusals:
        return 200
    return 401 if b == 401 else 403


@pytest.mark.parametrize("beside", BESIDE)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("satisfy", ["any", "all"])
def test_every_combination(nginx, satisfy, mode, beside):
    for kind, credentials in itertools.product(REQUESTS, (False, True)):
        target = "/%s/%s/%s/" % (satisfy, mode, beside)
        headers = CREDENTIALS if credentials else []
        response = fetch(nginx.port(), REQUESTS[kind](target, headers))
        want = expected(satisfy, mode, beside, kind, credentials)
        assert response.status == want, (kind, credentials, response)


def test_a_replay_under_any_is_403_and_basic_may_still_grant(nginx):
    request = BROWSER.request("/any/answers/basic/")
    assert fetch(nginx.port(), request).status == 200
    assert fetch(nginx.port(), request).status == 401
    again = request.with_headers(*CREDENTIALS)
    assert fetch(nginx.port(), again).status == 200
    request = BROWSER.request("/any/on/deny/")
    assert fetch(nginx.port(), request).status == 200
    response = fetch(nginx.port(), request)
    assert response.status == 403
    assert response.header("X-reason") == "nonce-replayed"
