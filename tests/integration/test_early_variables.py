# SPDX-License-Identifier: BSD-2-Clause
"""Variables that are asked for before the access phase has judged: by limits,
maps and the rewrite phase.  They take the verification as far as it goes
without waiting, reading or recording, are right again afterwards, and are
never the first to ask once there is nothing left to decide."""

import json
import threading
import time

import pytest

from harness.agents import BROWSER, LISTED, MASTERCARD, PAYER
from harness.client import Connection, curl, fetch
from harness.expect import expect
from harness.nginx import wait_for
from harness.redis import Redis
from harness.shops import Found
from harness.signer import Request, content_digest, flip_bit, sign

# ---- everything at once

SHOP = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_nonce_store shared cold=accept;

    map $web_bot_auth_tag $kind {
        volatile;
        default            visitor;
        agent-browser-auth browser;
        agent-payer-auth   payer;
        agent-pay-auth     payer;
    }
    map $kind $browser {
        volatile;
        default "";
        browser $web_bot_auth_directory$web_bot_auth_keyid;
    }
    limit_req_zone $browser zone=browsers:1m rate=1r/m;
    limit_conn_zone $web_bot_auth_keyid zone=held:1m;
    limit_req_status 420;
    limit_conn_status 421;
    log_format agents '$request_uri $status kind=$kind '
                      'keyid=$web_bot_auth_keyid result=$web_bot_auth_result '
                      'reason=$web_bot_auth_reason '
                      'decision=$web_bot_auth_decision';
    %%ECHO%%
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test;
        access_log logs/agents.log agents;
        location / {
            web_bot_auth optional;
            limit_req zone=browsers;
            limit_conn held 1;
            proxy_set_header X-Agent-Kind $kind;
            proxy_set_header X-Agent-Keyid $web_bot_auth_keyid;
            proxy_set_header X-Agent-Result $web_bot_auth_result;
            proxy_set_header X-Agent-Decision $web_bot_auth_decision;
            proxy_request_buffering off;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%;
        }
    }
}
"""


def told(response):
    """What the upstream was told of the agent."""
    headers = json.loads(response.body)["headers"]
    return {n[8:]: v for n, v in headers.items() if n.startswith("x-agent-")}


def reached(upstream, target):
    return [r["target"] for r in upstream.requests].count(target)


def logged(nginx, target, log="agents.log"):
    """What was logged of a target, in the order of the requests."""
    return [line.partition(" ")[2] for line in
            (nginx.dir / "logs" / log).read_text().splitlines()
            if line.startswith(target + " ")]


def test_map_limits_headers_and_log_together(serve, upstream, names):
    nginx = serve(SHOP, UPSTREAM=upstream.port, names=names)

    def ask(request):
        return fetch(nginx.port(), request)

    response = ask(BROWSER.request("/first"))
    expect(response, "ok")
    assert told(response) == {"kind": "browser", "keyid": "visa-1",
                              "result": "verified", "decision": "allow"}

    # refused by its budget, before anything was judged or recorded
    request = BROWSER.request("/again")
    for _ in range(3):
        response = ask(request)
        assert response.status == 420
        assert response.header("X-keyid") == "visa-1"
        assert not response.header("X-reason")
    assert reached(upstream, "/again") == 0

    # whom the budget does not concern, and who has none
    for _ in range(3):
        response = ask(PAYER.request("/pay"))
        expect(response, "ok")
        assert told(response)["kind"] == "payer"
        response = ask(Request(target="/visit"))
        expect(response, "no-signature", 200, "pass")
        assert told(response) == {"kind": "visitor", "result": "unsigned",
                                  "decision": "pass"}
        expect(ask(BROWSER.request("/forged", signature=flip_bit)),
               "bad-signature")
    assert reached(upstream, "/forged") == 0

    # the very same request, when there is a budget again: once
    names.advance(61)
    response = wait_for("the budget to be there again", lambda: [
        r for r in [ask(request)] if r.status != 420])[0]
    expect(response, "ok")
    assert told(response)["keyid"] == "visa-1"
    for _ in range(2):      # a replay costs no budget
        expect(ask(request), "nonce-replayed")
    assert reached(upstream, "/again") == 1

    # one connection at a time for each agent, and as many as they like for all
    held = MASTERCARD.request("/held", method="POST", body=b"ab")
    with Connection(nginx.port()) as c:
        c.send(held.raw()[:-1])         # the upstream waits for the rest
        wait_for("nginx to hold the first", lambda: ask(
            MASTERCARD.request("/second")).status == 421)
        expect(ask(Request(target="/visit")), "no-signature", 200, "pass")
        expect(ask(PAYER.request("/pay")), "ok")
        c.send(b"b")
        expect(c.receive(), "ok")

    early = "420 kind=browser keyid=visa-1 result= reason= decision="
    good = "200 kind=browser keyid=visa-1 result=verified reason=ok " \
           "decision=allow"
    replay = "429 kind=visitor keyid= result=invalid reason=nonce-replayed " \
             "decision=deny"
    wait_for("the log", lambda: logged(nginx, "/held"))
    assert logged(nginx, "/first") == [good]
    lines = logged(nginx, "/again")
    assert lines == [early] * (len(lines) - 3) + [good, replay, replay]
    assert set(logged(nginx, "/visit")) == {
        "200 kind=visitor keyid= result=unsigned reason=no-signature "
        "decision=pass"}
    assert set(logged(nginx, "/forged")) == {
        "403 kind=visitor keyid= result=invalid reason=bad-signature "
        "decision=deny"}
    assert logged(nginx, "/second")[-1].startswith("421 kind=payer keyid=")
    assert logged(nginx, "/second")[-1].endswith("result= reason= decision=")


# ---- one thing at a time

EARLY = "$web_bot_auth_keyid|$web_bot_auth_result|$web_bot_auth_reason|" \
        "$web_bot_auth_decision"

CONF = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_nonce_store shared cold=accept;
    web_bot_auth on;
    map $web_bot_auth_result $first_asked {
        default  "not judged";
        verified verified;
    }
    map $web_bot_auth_result $asked_anew {
        volatile;
        default  "not judged";
        verified verified;
    }
    limit_req_zone $web_bot_auth_keyid zone=agents:1m rate=1r/m;
    limit_req_zone $server_name zone=all:1m rate=1r/m;
    limit_req_status 420;
    log_format agents '$request_uri $status keyid=$web_bot_auth_keyid '
                      'reason=$web_bot_auth_reason tag=$web_bot_auth_tag '
                      'first=$first_asked anew=$asked_anew';
    access_log logs/agents.log agents;

    server {
        listen 127.0.0.1:%%PORT%%;
        listen 127.0.0.1:%%PORT_H2%% http2;
        server_name shop.test;
        set $in_server "%%EARLY%%";
        if ($web_bot_auth_tag = agent-payer-auth) {
            rewrite ^/routed/ /payers/ last;
        }
        add_header X-Early $early always;
        add_header X-In-Server $in_server always;
        %%ECHO%%
        location / { set $early "%%EARLY%%"; %%OK%% }
        location /off/ {
            web_bot_auth off; set $early "%%EARLY%%"; %%OK%% }
        location /dry/ {
            web_bot_auth_dry_run on; set $early "%%EARLY%%"; %%OK%% }
        location /short/ {
            web_bot_auth_max_lifetime 1m; set $early "%%EARLY%%"; %%OK%% }
        location /other/ {
            web_bot_auth_authority other.test; set $early "%%EARLY%%"; %%OK%% }
        location /payers/ {
            web_bot_auth_allow tag=agent-payer-auth;
            set $early "%%EARLY%%"; %%OK%%
        }
        location /routed/ { set $early "%%EARLY%%"; %%OK%% }
        location /if/ {
            if ($web_bot_auth_keyid = "") { return 404; }
            if ($web_bot_auth_keyid) { set $early "%%EARLY%%"; }
        }
        location /cached/ { set $early "$first_asked|$asked_anew"; %%OK%% }
        location /asking/ {
            set $early "%%EARLY%%";
            auth_request /yes;
            auth_request_set $asked $web_bot_auth_result;
            add_header X-Asked $asked always;
            add_header X-Early $early always;
            %%ECHO%%
            %%OK%%
        }
        location = /yes { internal; proxy_method GET;
            proxy_pass_request_body off; proxy_set_header Content-Length "";
            proxy_pass http://127.0.0.1:%%UPSTREAM%%/yes?$web_bot_auth_keyid; }

        # Ways from one location to another.
        location /accel/ {
            set $early "%%EARLY%%";
            proxy_pass http://127.0.0.1:%%UPSTREAM%%/?accel=/limited/;
        }
        location /try/ { set $early "%%EARLY%%"; try_files /absent /; }
        location /named/ { set $early "%%EARLY%%"; try_files /absent @named; }
        location @named { set $early "%%EARLY%%"; %%OK%% }
        location /limited/ {
            set $early "%%EARLY%%";
            limit_req zone=agents;
            %%OK%%
        }
        location /to-off/ {
            limit_req zone=all;
            error_page 420 /off/slow;
            %%OK%%
        }
        location /to-on/ {
            limit_req zone=all;
            error_page 420 /slow;
            %%OK%%
        }
    }

    # Nobody asks before the header here.
    server {
        listen 127.0.0.1:%%PORT_LATE%%;
        listen 127.0.0.1:%%PORT_LATE_H2%% http2;
        server_name shop.test;
        location / { %%OK%% }
        location /closed/ { return 444; }
        location /answered/ { return 200 "ok"; }
        location /limited/ { limit_req zone=all; %%OK%% }
        location /delayed/ { limit_req zone=all burst=100; %%OK%% }
        location /ssi/ {
            ssi on;
            default_type text/html;
            return 200 '[<!--# echo var="web_bot_auth_keyid" default="" -->]';
        }
        location /after/ {
            add_after_body /part;
            default_type text/html;
            return 200 "main";
        }
        location = /part { return 200 "[$web_bot_auth_keyid]"; }
        location /off/ { web_bot_auth off; auth_request /yes; %%OK%% }
        location = /yes { internal; web_bot_auth on;
            proxy_pass_request_body off; proxy_set_header Content-Length "";
            proxy_set_header X-Agent-Keyid $web_bot_auth_keyid;
            proxy_pass http://127.0.0.1:%%UPSTREAM%%/yes; }
    }
}
"""

VISA = "visa-1|||"
NOTHING = "|||"


@pytest.fixture(scope="module")
def nginx(serve, upstream):
    return serve(CONF, UPSTREAM=upstream.port, EARLY=EARLY,
                 files={"html/if/ok.txt": "ok"})


@pytest.fixture(params=["HTTP/1.1", "HTTP/2"])
def ask(request, nginx):
    if request.param == "HTTP/2":
        return lambda r: curl(nginx.port("PORT_H2"), r,
                              "--http2-prior-knowledge")
    return lambda r: fetch(nginx.port(), r)


def early(response):
    return response.header("X-Early")


def last(nginx, target):
    """The last line of the log about a target."""
    return wait_for("the log of " + target,
                    lambda: logged(nginx, target))[-1]


def test_identity_early_and_the_verdict_later(ask, nginx):
    request = BROWSER.request("/verdict")
    response = ask(request)
    expect(response, "ok")
    assert early(response) == response.header("X-In-Server") == VISA
    wait_for("the log", lambda: last(nginx, "/verdict").startswith(
        "200 keyid=visa-1 reason=ok tag=agent-browser-auth "))

    response = ask(request)
    expect(response, "nonce-replayed")
    assert early(response) == response.header("X-In-Server") == NOTHING
    wait_for("the log", lambda: last(nginx, "/verdict").startswith(
        "429 keyid= reason=nonce-replayed tag= "))


@pytest.mark.parametrize("over", [
    {"signature": flip_bit}, {"lifetime": 900}, {"tag": "unserved"},
    {"keyid": "unknown"}, {"created": 1000, "expires": 1300},
    {"components": ("@authority",)}, {"host": "evil.test"}])
def test_no_identity_for_what_does_not_verify(ask, over):
    response = ask(BROWSER.request(**over))
    assert response.status == 403
    assert early(response) == NOTHING
    response = ask(Request())
    expect(response, "no-signature")
    assert early(response) == NOTHING


def test_by_the_settings_where_it_is_asked(ask):
    """A server's set goes by the server's settings, a location's by its own;
    what both ask for is verified once and judged twice."""
    response = ask(BROWSER.request("/short/"))
    expect(response, "lifetime-too-long")
    assert response.header("X-In-Server") == VISA
    assert early(response) == NOTHING
    response = ask(BROWSER.request("/short/", lifetime=60))
    expect(response, "ok")
    assert early(response) == VISA

    response = ask(BROWSER.request("/other/"))
    expect(response, "bad-signature")
    assert response.header("X-In-Server") == VISA
    assert early(response) == NOTHING
    response = ask(BROWSER.request("/other/", values={
        "@authority": "other.test"}))
    expect(response, "ok")
    assert response.header("X-In-Server") == NOTHING
    assert early(response) == VISA

    for request in BROWSER.request("/off/"), Request(target="/off/"):
        response = ask(request)
        assert response.status == 200
        assert early(response) == NOTHING


def test_who_signed_is_not_who_is_let_in(ask):
    response = ask(BROWSER.request("/payers/"))
    expect(response, "denied-by-rule")
    assert early(response) == VISA
    response = ask(BROWSER.request("/dry/"))
    expect(response, "ok")
    assert early(response) == VISA


def test_a_map_without_volatile_keeps_what_it_saw_first(ask, nginx):
    response = ask(BROWSER.request("/cached/"))
    expect(response, "ok")
    assert early(response) == "not judged|not judged"
    assert last(nginx, "/cached/").endswith("first=not judged anew=verified")
    ask(BROWSER.request("/uncached"))   # asked for the first time by the log
    assert last(nginx, "/uncached").endswith("first=verified anew=verified")


def test_rewrite_by_a_variable_in_the_server_block(ask):
    """It leads to another location, whose access phase judges."""
    request = PAYER.request("/routed/x")
    response = ask(request)
    expect(response, "ok")
    assert early(response) == VISA
    expect(ask(request), "nonce-replayed")
    expect(ask(BROWSER.request("/routed/x")), "ok")
    expect(ask(PAYER.request("/routed/x", signature=flip_bit)),
           "bad-signature")


def test_if(ask):
    request = BROWSER.request("/if/ok.txt")
    response = ask(request)
    expect(response, "ok")
    assert early(response) == VISA
    assert ask(request).status == 404
    assert ask(Request(target="/if/ok.txt")).status == 404


def test_nothing_but_the_request_itself_records(ask):
    """However often it is asked for."""
    for target, again in ("/", 429), ("/asking/", 429), ("/dry/", 200), \
            ("/if/ok.txt", 404):
        request = BROWSER.request(target)
        expect(ask(request), "ok")
        assert ask(request).status == again


def test_auth_request(ask, upstream):
    response = ask(BROWSER.request("/asking/"))
    expect(response, "ok")
    assert early(response) == VISA
    assert response.header("X-Asked") == "verified"
    assert upstream.requests[-1]["target"] == "/yes?visa-1"


@pytest.mark.parametrize("target", ["/try/", "/named/"])
def test_internal_redirects(ask, target):
    """The request has recorded its nonce; it is still its own."""
    request = BROWSER.request(target)
    response = ask(request)
    expect(response, "ok")
    assert early(response) == VISA
    response = ask(request)
    expect(response, "nonce-replayed")
    assert early(response) == NOTHING


def test_a_limit_behind_an_internal_redirect(nginx):
    """X-Accel-Redirect leads to a limit, which knows the agent; being over it
    does not undo that the request was let in before."""
    response = fetch(nginx.port(), LISTED.request("/accel/"))
    expect(response, "ok")
    assert early(response) == LISTED.key.thumbprint + NOTHING
    request = LISTED.request("/accel/")
    response = fetch(nginx.port(), request)
    assert response.status == 420
    assert response.header("X-Keyid") == LISTED.key.thumbprint
    assert not response.header("X-Reason")
    response = fetch(nginx.port(), request)
    expect(response, "nonce-replayed")


def test_the_page_that_answers_a_limit(nginx):
    """Where its location is off, the nonce is as good as before.  Where it is
    on, the page is a place like any other: the request is judged there, and
    recorded."""
    for _ in range(2):      # the first uses the budget up
        fetch(nginx.port(), Request(target="/to-off/"))
    request = BROWSER.request("/to-off/", components=("@authority", "@path"))
    for _ in range(3):
        response = fetch(nginx.port(), request)
        assert (response.status, response.body) == (420, b"ok")
        assert not response.header("X-Keyid")
    request = BROWSER.request("/to-on/")
    response = fetch(nginx.port(), request)
    assert (response.status, response.body) == (420, b"ok")
    assert response.header("X-Reason") == "ok"
    assert fetch(nginx.port(), request).header("X-Reason") == "nonce-replayed"


def test_a_covered_digest(nginx):
    """Nothing of the body has come when the rewrite phase asks."""
    for body, reason in (b"ab", "ok"), (b"xy", "content-digest-mismatch"):
        signed = BROWSER.request(
            "/", method="POST", body=b"ab",
            headers=[("Content-Digest", content_digest(b"ab"))],
            components=("@authority", "@path", "content-digest"))
        with Connection(nginx.port()) as c:
            c.send(signed.raw()[:-2])
            c.send(body)
            response = c.receive()
        assert early(response) == VISA
        assert response.header("X-Reason") == reason


def test_keepalive(nginx):
    """Nothing of one request's early values is left for the next."""
    replay = BROWSER.request("/")
    with Connection(nginx.port()) as c:
        for request, value, reason in [
                (replay, VISA, "ok"), (Request(), NOTHING, "no-signature"),
                (replay, NOTHING, "nonce-replayed"),
                (PAYER.request("/routed/"), VISA, "ok"),
                (BROWSER.request(signature=flip_bit), NOTHING,
                 "bad-signature"),
                (LISTED.request("/"), LISTED.key.thumbprint + NOTHING, "ok"),
                (BROWSER.request("/"), VISA, "ok")]:
            c.send(request)
            response = c.receive()
            expect(response, reason)
            assert early(response) == value


# ---- what never begins a verification

@pytest.mark.parametrize("http", ["HTTP/1.1", "HTTP/2"])
@pytest.mark.parametrize("target, status", [
    ("/closed/", "444"), ("/answered/", "200"), ("/limited/", "420")])
def test_the_log_begins_nothing(nginx, http, target, status):
    """No header was sent, or one was and nobody had asked: the log is too
    late to begin, even for a good signature."""
    use_up(nginx)
    before = len(logged(nginx, target))
    if http == "HTTP/2":
        ignore_lost(lambda: curl(nginx.port("PORT_LATE_H2"),
                                 BROWSER.request(target),
                                 "--http2-prior-knowledge"))
    else:
        fetch(nginx.port("PORT_LATE"), BROWSER.request(target))
    wait_for("the log", lambda: len(logged(nginx, target)) > before)
    assert last(nginx, target).startswith(status + " keyid= reason= tag= ")


def use_up(nginx):
    """The budget of everybody."""
    for _ in range(2):
        fetch(nginx.port("PORT_LATE"), Request(target="/limited/"))


def ignore_lost(call):
    try:
        call()
    except AssertionError:
        pass    # curl was not answered


def test_a_client_that_goes_away_before_it_is_judged(nginx):
    use_up(nginx)
    with Connection(nginx.port("PORT_LATE")) as c:
        c.send(BROWSER.request("/delayed/"))
        # once a second one is answered, the first has been read
        fetch(nginx.port("PORT_LATE"), Request(target="/answered/"))
    assert last(nginx, "/delayed/").startswith("499 keyid= reason= tag= ")


def test_what_is_sent_behind_the_header_begins_nothing(nginx):
    response = fetch(nginx.port("PORT_LATE"), BROWSER.request("/ssi/"))
    assert response.body == b"[]"


def test_a_subrequest_begins_nothing(nginx, upstream):
    response = fetch(nginx.port("PORT_LATE"), BROWSER.request("/after/"))
    assert response.body == b"main[]"
    assert last(nginx, "/after/").startswith("200 keyid= reason= tag= ")
    response = fetch(nginx.port("PORT_LATE"), BROWSER.request("/off/"))
    assert response.status == 200
    assert upstream.requests[-1]["target"] == "/yes"
    assert "x-agent-keyid" not in upstream.requests[-1]["headers"]


# ---- a record that is known to be refused

COLD = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_zone 1m;
    web_bot_auth_nonce_store %%STORE%%;
    web_bot_auth_clock_skew 0;
    server {
        listen 127.0.0.1:%%PORT%%;
        server_name shop.test;
        set $early "$web_bot_auth_keyid";
        add_header X-Early $early always;
        %%ECHO%%
        web_bot_auth optional;
        location / { %%OK%% }
        location /again/ { try_files /absent /; }
        location /refused/ {
            web_bot_auth_deny all;
            set $early "$web_bot_auth_keyid";
            %%OK%%
        }
    }
}
"""


def untrusted(port, reason, **over):
    """A request that verifies passes as anybody's, and is nobody's early."""
    for target in "/", "/again/":
        response = fetch(port, BROWSER.request(target, **over))
        expect(response, reason, 200, "pass")
        assert early(response) == ""


def trusted(port):
    response = wait_for("a request that is accepted", lambda: [
        r for r in [fetch(port, BROWSER.request("/again/"))]
        if r.header("X-Reason") == "ok"])[0]
    assert early(response) == "visa-1"


def old():
    """Signed before any nginx of a test was started."""
    return {"created": int(time.time()) - 60}


def test_no_identity_while_used_nonces_are_not_known(serve):
    nginx = serve(COLD, STORE="shared")
    body = {"body": b"ab",
            "headers": [("Content-Digest", content_digest(b"ab"))],
            "components": ("@authority", "@path", "content-digest")}
    untrusted(nginx.port(), "nonce-store-cold", **old())
    untrusted(nginx.port(), "nonce-store-cold", **old(), **body)
    trusted(nginx.port())
    untrusted(nginx.port(), "nonce-store-cold", **old())

    # whom the rules refuse, whatever becomes of the nonce, is told of
    response = fetch(nginx.port(), BROWSER.request("/refused/", **old()))
    expect(response, "denied-by-rule")
    assert early(response) == "visa-1"


def test_no_identity_while_redis_is_known_to_be_away(serve):
    redis = Redis()
    try:
        nginx = serve(COLD, STORE=redis.url())
        trusted(nginx.port())
        untrusted(nginx.port(), "nonce-store-cold", **old())
        redis.stop()
        wait_for("Redis to be away", lambda: fetch(
            nginx.port(), BROWSER.request()).header("X-Reason")
            == "nonce-store-unavailable")
        untrusted(nginx.port(), "nonce-store-unavailable")
    finally:
        redis.remove()


def test_the_table_that_stands_in_for_redis(serve):
    """It is young: what was signed before it is not known to be new."""
    redis = Redis()
    redis.stop()
    try:
        nginx = serve(COLD, STORE=redis.url() + " on_error=local")
        nginx.expect(r"\[warn\].*Redis")
        trusted(nginx.port())
        untrusted(nginx.port(), "nonce-store-cold", **old())
    finally:
        redis.remove()


# ---- keys that are not there yet

EARLY_SERVER = """
    limit_req_zone $web_bot_auth_keyid zone=agents:1m rate=1r/m;
    limit_req_status 420;
    server {
        listen 127.0.0.1:%%PORT_EARLY%%;
        server_name shop.test;
        set $early "$web_bot_auth_keyid";
        add_header X-Early $early always;
        %%ECHO%%
        location / { %%OK%% }
        location /limited/ { limit_req zone=agents; %%OK%% }
    }
"""


class Asking:
    """A request whose answer is waited for elsewhere."""

    def __init__(self, port, request):
        self.response = None
        self.thread = threading.Thread(target=self.run, args=(port, request))
        self.thread.start()

    def run(self, port, request):
        self.response = fetch(port, request)

    def join(self):
        self.thread.join(30)
        return self.response


def test_a_key_that_must_be_fetched_is_not_waited_for(shop):
    """The access phase waits; what was asked before went on without."""
    s = shop({"hang": True}, MORE=EARLY_SERVER)
    port = s.nginx.port("PORT_EARLY")
    asking = Asking(port, s.request())
    wait_for("the request to wait", lambda: s.active() > 1)
    s.directory.release()
    response = asking.join()
    expect(response, "ok")
    assert early(response) == ""
    response = fetch(port, s.request())
    expect(response, "ok")
    assert early(response) == s.key.thumbprint


def test_an_agent_that_must_be_discovered(shop, names, directory):
    """Being asked early begins the fetch, and the next one is known."""
    s = shop.discovering(names, MORE=EARLY_SERVER)
    found = Found(directory, names, "one.agents.test")
    port = s.nginx.port("PORT_EARLY")
    response = fetch(port, found.request())
    expect(response, "ok")
    assert early(response) == ""
    response = fetch(port, found.request())
    expect(response, "ok")
    assert early(response) == found.key.thumbprint
    assert found.count() == 1


def test_no_limit_is_evaded_by_a_second_signature(shop):
    """Whose key is not here yet: it holds up nothing that is known of the
    other."""
    s = shop({"hang": True}, MORE=EARLY_SERVER, WAIT="100ms max=1024")
    port = s.nginx.port("PORT_EARLY")

    def both(target):
        return sign(Request(target=target),
                    BROWSER.sig(label="a", key=s.key, tag="remote",
                                keyid=s.key.thumbprint),
                    BROWSER.sig(label="b"))

    response = fetch(port, both("/"))
    expect(response, "ok")
    assert response.header("X-Label") == "b"
    assert early(response) == "visa-1"

    expect(fetch(port, both("/limited/")), "ok")
    assert fetch(port, both("/limited/")).status == 420

    # and in the access phase it is waited for as ever
    s.directory.release()
    s.becomes("ok")
    response = fetch(port, both("/"))
    expect(response, "ok")
    assert response.header("X-Label") == "a"
