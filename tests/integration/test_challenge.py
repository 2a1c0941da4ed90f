# SPDX-License-Identifier: BSD-2-Clause
"""web_bot_auth_challenge: Accept-Signature on refusals, clients that sign only
when it asks them to, and nonces that must be brought back."""

import base64
import dataclasses
import re
import time

import pytest

from harness.agents import (BOT, BOT_URL, BROWSER, LISTED, MASTERCARD,
                            MASTERCARD_URL, PAYER, STRANGER)
from harness.client import Connection, curl, fetch
from harness.expect import IDENTITY, expect
from harness.nginx import wait_for
from harness.redis import Redis
from harness.signer import (OMIT, Request, Sig, content_digest, flip_bit,
                            fresh_nonce, sign)

LIFETIME = 300

# ---- an independent reader of Accept-Signature


@dataclasses.dataclass
class Member:
    label: str
    components: tuple       # as signer.Sig wants them
    created: bool
    expires: bool
    tag: str
    nonce: str              # None: none is given
    others: dict            # further parameters


TOKEN = re.compile(r'''\s*(?:(?P<string>"(?:[^"\\]|\\["\\])*")|
                            (?P<key>[a-z*][a-z0-9_.*-]*)|
                            (?P<mark>[=();,]))''', re.X)


def tokens(text):
    at, out = 0, []
    while at < len(text):
        m = TOKEN.match(text, at)
        assert m, text[at:]
        out.append((m.lastgroup, m[m.lastgroup]))
        at = m.end()
    return out


def unquote(text):
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def parameters(queue):
    """What follows as ;key or ;key="value"."""
    found = []
    while queue and queue[0][1] == ";":
        queue.pop(0)
        key = queue.pop(0)[1]
        value = True
        if queue and queue[0][1] == "=":
            queue.pop(0)
            kind, text = queue.pop(0)
            assert kind == "string"
            value = unquote(text)
        found.append((key, value))
    return found


def component(queue):
    kind, name = queue.pop(0)
    assert kind == "string"
    text = unquote(name)
    for key, value in parameters(queue):
        text += ";" + key + ("" if value is True else '="%s"' % value)
    return text


def member(queue):
    kind, label = queue.pop(0)
    assert kind == "key" and queue.pop(0)[1] == "=" \
        and queue.pop(0)[1] == "("
    components = []
    while queue[0][1] != ")":
        components.append(component(queue))
    queue.pop(0)
    pairs = parameters(queue)
    params = dict(pairs)
    assert len(params) == len(pairs)
    return Member(label, tuple(components), params.pop("created") is True,
                  params.pop("expires") is True, params.pop("tag"),
                  params.pop("nonce", None), params)


def read(field):
    queue, members = tokens(field), []
    while queue:
        if members:
            assert queue.pop(0)[1] == ","
        members.append(member(queue))
    return members


def asked(response):
    """The members; the field is there once at most."""
    fields = [v for n, v in response.headers
              if n.lower() == "accept-signature"]
    assert len(fields) <= 1
    return read(fields[0]) if fields else []


def nonce_of(response):
    """The one nonce of a challenge; and it may not be stored."""
    nonces = {m.nonce for m in asked(response)}
    assert len(nonces) == 1 and None not in nonces, response.headers
    assert re.fullmatch(r"[A-Za-z0-9_-]{60}", next(iter(nonces)))
    assert [v for n, v in response.headers if n.lower() == "cache-control"] \
        == ["no-store"]
    return nonces.pop()


# ---- clients that sign exactly what they are asked to


@dataclasses.dataclass
class Client:
    agent: object
    tag: str
    url: str = None         # what it has to say in Signature-Agent

    def choose(self, members):
        """The first member of its tag that agrees with its having a name."""
        for m in members:
            named = any(c.startswith("signature-agent") for c in m.components)
            if m.tag == self.tag and named == bool(self.url):
                assert m.created and m.expires and m.others == {}
                return m
        raise AssertionError("not asked")

    def answer(self, response, target, nonce=None, now=None, **over):
        m = self.choose(asked(response))
        request = Request(target=target)
        if self.url:
            request = request.with_headers(
                ("Signature-Agent", '%s="%s"' % (m.label, self.url)))
        usual = {"key": self.agent.key, "label": m.label, "tag": m.tag,
                 "keyid": self.agent.keyid, "components": m.components,
                 "nonce": nonce or m.nonce or fresh_nonce()}
        if now:
            usual.update(created=int(now) - 1, expires=int(now) + 299)
        return sign(request, Sig(**{**usual, **over}))


CLIENTS = {
    "tap": Client(BROWSER, "agent-browser-auth"),
    "tap payer": Client(PAYER, "agent-payer-auth"),
    "agent-pay": Client(MASTERCARD, "agent-pay-auth", MASTERCARD_URL),
    "web-bot-auth": Client(BOT, "web-bot-auth", BOT_URL),
    "listed": Client(LISTED, "web-bot-auth"),
}

ALL = [
    ("agent-browser-auth", ("@authority", "@path")),
    ("agent-payer-auth", ("@authority", "@path")),
    ("agent-browser-auth", ("@authority", "@path", "A")),
    ("agent-payer-auth", ("@authority", "@path", "A")),
    ("agent-pay-auth", ("@authority", "@path", "A")),
    ("web-bot-auth", ("@authority", "A")),
    ("web-bot-auth", ("@authority",)),
]


def shape(members):
    """(tag, components) of each, "A" for the agent under its own label."""
    assert [m.label for m in members] == [
        "sig%d" % (i + 1) for i in range(len(members))]
    return [(m.tag, tuple("A" if c == 'signature-agent;key="%s"' % m.label
                          else c for c in m.components)) for m in members]


CONF = """
%%GLOBALS%%
worker_processes %%WORKERS%%;
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_zone %%ZONE%%;
    web_bot_auth_nonce_store %%STORE%% cold=accept;
    %%ECHO%%
    add_header X-Worker $pid always;
    server {
        listen 127.0.0.1:%%PORT%% reuseport;
        listen 127.0.0.1:%%PORT_H2%% http2 reuseport;
        server_name shop.test other.test;
        location / { %%OK%% }
        location /on/ { web_bot_auth on; %%OK%% }
        location /nonce/ {
            web_bot_auth on;
            web_bot_auth_challenge on nonce;
            %%OK%%
            location /nonce/off/ { web_bot_auth_challenge off; %%OK%% }
            location /nonce/plain/ { web_bot_auth_challenge on; %%OK%% }
            location /nonce/inner/ { %%OK%% }
            location /nonce/ruled/ {
                web_bot_auth_allow directory=bots;
                %%OK%%
            }
        }
        location /off/ {
            web_bot_auth on; web_bot_auth_challenge off; %%OK%%
        }
        location /optional/ { web_bot_auth optional; %%OK%% }
        location /optional/nonce/ {
            web_bot_auth optional; web_bot_auth_challenge on nonce; %%OK%%
        }
        location /dry/ {
            web_bot_auth on; web_bot_auth_dry_run on;
            web_bot_auth_challenge on nonce; %%OK%%
        }
        location /payers/ {
            web_bot_auth on;
            web_bot_auth_allow tag=agent-payer-auth;
            web_bot_auth_components @method;
            %%OK%%
        }
        location /someone/ {
            web_bot_auth on;
            web_bot_auth_deny tag=web-bot-auth;
            web_bot_auth_allow keyid=k;
            %%OK%%
        }
        location /digest/ {
            web_bot_auth on;
            web_bot_auth_content_digest required;
            web_bot_auth_allow tag=agent-payer-auth directory=visa;
            %%OK%%
        }
        location /nobody/ { web_bot_auth on; web_bot_auth_deny all; %%OK%% }
        location /everything/ {
            web_bot_auth on;
            web_bot_auth_components @method @query @target-uri
                                    '"@query-param";name="a"' x-a '"x-a";bs';
            %%OK%%
        }
        location /answer/ {
            web_bot_auth on;
            web_bot_auth_answer unsigned=401 replayed=409;
            %%OK%%
        }
        location /return/ {
            web_bot_auth on; web_bot_auth_challenge on nonce; return 403;
        }
        location /later/ {
            web_bot_auth optional; web_bot_auth_challenge on nonce;
            deny all;
        }
        location /any/ {
            web_bot_auth on;
            web_bot_auth_challenge on nonce;
            satisfy any;
            location /any/basic/ {
                auth_basic shop; auth_basic_user_file %%DIR%%/passwords;
                %%OK%%
            }
            location /any/deny/ { deny all; %%OK%% }
            location /any/allow/ { allow all; %%OK%% }
            location /any/missing/ {
                allow all;
                error_page 404 /page;
                try_files /absent =404;
            }
            location /any/moved/ {
                allow all;
                try_files /absent /on/;
            }
        }
        location /page/ {
            web_bot_auth on;
            web_bot_auth_challenge on nonce;
            %%OK%%
            location /page/static/ { error_page 403 429 /page; %%OK%% }
            location /page/named/ { error_page 403 429 @page; %%OK%% }
            location /page/ok/ { error_page 403 429 =200 /page; %%OK%% }
            location /page/guarded/ { error_page 403 429 /on/; %%OK%% }
            location /page/proxied/ { error_page 403 429 @backend; %%OK%% }
            location /page/cached/ { error_page 403 429 @cached; %%OK%% }
            location /page/recursive/ {
                recursive_error_pages on;
                error_page 403 429 =200 @recursive;
                %%OK%%
            }
        }
        location = /page { %%OK%% }
        location @page { %%OK%% }
        location @recursive {
            recursive_error_pages on;
            error_page 404 /page;
            try_files /absent =404;
        }
        location @backend {
            rewrite ^ /plain break;
            proxy_pass http://127.0.0.1:%%PORT_BACK%%;
        }
        location @cached {
            rewrite ^ /cached break;
            proxy_pass http://127.0.0.1:%%PORT_BACK%%;
        }
    }
    server {
        listen 127.0.0.1:%%PORT_BACK%%;
        location / { return 200 ok; }
        location /cached { add_header Cache-Control private; return 200 ok; }
    }
}
"""
VALUES = {"WORKERS": 1, "ZONE": "1m", "STORE": "shared",
          "files": {"passwords": "user:{PLAIN}secret\n"}}


@pytest.fixture(scope="module")
def nginx(serve):
    return serve(CONF, **VALUES)


@pytest.fixture
def start(serve):
    """start(...): another nginx, which ends with the test."""
    started = []

    def run(**how):
        started.append(serve(CONF, **{**VALUES, **how}))
        return started[-1]

    yield run
    for nginx in started:
        nginx.stop()
        serve.all.remove(nginx)


def ask(nginx, target, headers=()):
    return fetch(nginx.port(), Request(target=target, headers=list(headers)))


def challenged(nginx, target="/nonce/"):
    """A response that carries a nonce."""
    response = ask(nginx, target)
    expect(response, "no-signature")
    return response


# ---- what is asked


def test_all_directories(nginx):
    response = ask(nginx, "/on/")
    expect(response, "no-signature")
    assert shape(asked(response)) == ALL
    assert {m.nonce for m in asked(response)} == {None}
    assert response.header("Cache-Control", None) is None


def test_the_rules_choose(nginx):
    assert shape(asked(ask(nginx, "/payers/"))) == [
        ("agent-payer-auth", ("@authority", "@path", "@method")),
        ("agent-payer-auth", ("@authority", "@path", "@method", "A"))]
    assert {t for t, _ in shape(asked(ask(nginx, "/someone/")))} == {
        "agent-browser-auth", "agent-payer-auth", "agent-pay-auth"}
    assert shape(asked(ask(nginx, "/nonce/ruled/"))) == [
        ("web-bot-auth", ("@authority", "A"))]


def test_a_digest_is_asked_for_where_it_is_required(nginx):
    (member,) = asked(ask(nginx, "/digest/"))
    assert "content-digest" in shape([member])[0][1]
    body = content_digest(b"")
    components = ("@authority", "@path", "content-digest")
    expect(fetch(nginx.port(), PAYER.request(
        "/digest/", headers=[("Content-Digest", body)],
        components=components)), "ok")
    expect(fetch(nginx.port(), PAYER.request("/digest/")),
           "component-not-covered")


def test_nobody_could_be_let_in(nginx):
    response = ask(nginx, "/nobody/")
    expect(response, "no-signature")
    assert asked(response) == []


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("target", ["/on/", "/nonce/", "/nonce/inner/"])
def test_a_client_that_signs_only_when_asked(nginx, target, name):
    first = ask(nginx, target)
    expect(first, "no-signature")
    response = fetch(nginx.port(), CLIENTS[name].answer(first, target))
    expect(response, "ok")
    assert asked(response) == []
    assert response.header("Cache-Control", None) is None
    assert response.header("X-tag") == CLIENTS[name].tag


@pytest.mark.parametrize("name", CLIENTS)
def test_everything_that_is_listed_is_needed(nginx, name):
    """As listed it is let in; without any one of the components it is not."""
    target = "/everything/?a=b%20c&d"
    headers = [("X-A", "1"), ("X-A", "2")]
    first = ask(nginx, target)
    m = CLIENTS[name].choose(asked(first))
    assert ("@target-uri" in m.components and "x-a;bs" in m.components
            and "x-a" not in m.components)

    def send(components):
        request = CLIENTS[name].answer(first, target)
        request = request.without("signature", "signature-input") \
            .with_headers(*headers)
        return fetch(nginx.port(), sign(request, Sig(
            key=CLIENTS[name].agent.key, keyid=CLIENTS[name].agent.keyid,
            label=m.label, tag=m.tag, components=components)))

    expect(send(m.components), "ok")
    for left_out in m.components:
        if left_out != "@authority" or CLIENTS[name].tag != "web-bot-auth":
            response = send(tuple(c for c in m.components if c != left_out))
            assert response.status == 403, left_out


def test_http2(nginx):
    def send(request):
        return curl(nginx.port("PORT_H2"), request,
                    "--http2-prior-knowledge")

    first = send(Request(target="/nonce/"))
    assert first.version == "2"
    expect(first, "no-signature")
    answer = CLIENTS["tap"].answer(first, "/nonce/")
    expect(send(answer), "ok")
    replay = send(answer)
    expect(replay, "nonce-replayed")
    assert nonce_of(replay) != nonce_of(first)
    # a nonce is the host's, whatever the protocol
    expect(fetch(nginx.port(), CLIENTS["tap"].answer(replay, "/nonce/")),
           "ok")


# ---- when


def refused(kind, target):
    return {
        "unsigned": lambda: Request(target=target),
        "another tag": lambda: BROWSER.request(target, tag="x"),
        "invalid": lambda: BROWSER.request(target, signature=flip_bit),
        "expired": lambda: BROWSER.request(target, created=1, expires=2),
        "malformed": lambda: Request(
            target=target, headers=[("Signature-Input", "(")]),
        "unknown": lambda: STRANGER.request(target),
        "no nonce": lambda: BROWSER.request(target, nonce=OMIT),
        "not covered": lambda: BROWSER.request(
            target, components=("@authority",)),
        "other host": lambda: BROWSER.request(target, host="evil.test"),
    }[kind]()


@pytest.mark.parametrize("kind, helps", [
    ("unsigned", True), ("another tag", True), ("invalid", False),
    ("expired", False), ("malformed", False), ("unknown", False),
    ("no nonce", False), ("not covered", False), ("other host", False)])
def test_only_where_signing_helps(nginx, kind, helps):
    response = fetch(nginx.port(), refused(kind, "/on/"))
    assert response.status in (400, 403)
    assert bool(asked(response)) == helps


@pytest.mark.parametrize("target", ["/on/", "/optional/"])
def test_a_replay_is_asked_to_sign_anew(nginx, target):
    request = BROWSER.request(target)
    response = fetch(nginx.port(), request)
    expect(response, "ok")
    assert asked(response) == []
    response = fetch(nginx.port(), request)
    expect(response, "nonce-replayed")
    assert shape(asked(response)) == ALL
    expect(fetch(nginx.port(), CLIENTS["tap"].answer(response, target)), "ok")


def test_denied_by_a_rule(nginx):
    response = fetch(nginx.port(), BROWSER.request("/nobody/"))
    expect(response, "denied-by-rule")
    assert asked(response) == []
    response = fetch(nginx.port(), BROWSER.request(
        "/payers/", components=("@authority", "@path", "@method")))
    expect(response, "denied-by-rule")
    assert asked(response) == []


@pytest.mark.parametrize("target, status", [
    ("/", 200), ("/off/", 403), ("/nonce/off/", 403), ("/optional/", 200),
    ("/optional/nonce/", 200), ("/dry/", 200), ("/return/", 403),
    ("/later/", 403)])
def test_not_asked(nginx, target, status):
    response = ask(nginx, target)
    assert response.status == status
    assert asked(response) == []
    assert response.header("Cache-Control", None) is None


@pytest.mark.parametrize("target, nonce", [
    ("/nonce/inner/", True), ("/nonce/plain/", False), ("/nonce/", True)])
def test_inherited(nginx, target, nonce):
    response = ask(nginx, target)
    assert shape(asked(response)) == ALL
    assert all(bool(m.nonce) == nonce for m in asked(response))


def test_other_statuses(nginx):
    response = ask(nginx, "/answer/")
    expect(response, "no-signature", 401)
    assert shape(asked(response)) == ALL
    request = BROWSER.request("/answer/")
    expect(fetch(nginx.port(), request), "ok")
    response = fetch(nginx.port(), request)
    expect(response, "nonce-replayed", 409)
    assert shape(asked(response)) == ALL


def test_head_and_keepalive(nginx):
    """Each answer of a connection has its own; none has another's."""
    with Connection(nginx.port()) as c:
        seen = set()
        for target, nonces in (("/nonce/", 1), ("/", 0), ("/nonce/", 1),
                               ("/on/", 0), ("/nonce/", 1)):
            c.send(Request("HEAD", target))
            response = c.receive(head_only=True)
            if nonces:
                seen.add(nonce_of(response))
            else:
                assert "no-store" not in response.header("Cache-Control")
        assert len(seen) == 3


# ---- error pages


@pytest.mark.parametrize("way, status, replayed", [
    ("static", 403, 429), ("named", 403, 429), ("ok", 200, 200),
    ("guarded", 403, 429), ("proxied", 403, 429), ("recursive", 404, 404)])
def test_error_pages_keep_it(nginx, way, status, replayed):
    target = "/page/%s/" % way
    response = ask(nginx, target)
    assert response.status == status
    assert (response.body == b"ok") == (way != "guarded")
    nonce = nonce_of(response)
    answer = CLIENTS["tap"].answer(response, target)
    response = fetch(nginx.port(), answer)
    expect(response, "ok")
    assert asked(response) == []
    response = fetch(nginx.port(), answer)
    assert response.status == replayed
    assert nonce_of(response) != nonce


def test_the_page_s_cache_control_stays(nginx):
    response = ask(nginx, "/page/cached/")
    assert (response.status, response.body) == (403, b"ok")
    assert [v for n, v in response.headers if n == "Cache-Control"] \
        == ["private"]
    assert all(m.nonce for m in asked(response))


# ---- satisfy any

CREDENTIALS = [("Authorization", "Basic "
                + base64.b64encode(b"user:secret").decode())]


@pytest.mark.parametrize("target, headers, status", [
    ("/any/basic/", [], 401), ("/any/deny/", [], 403)])
def test_satisfy_any_refused_by_all(nginx, target, headers, status):
    response = ask(nginx, target, headers)
    assert response.status == status
    assert bool(response.header("WWW-Authenticate")) == (status == 401)
    nonce_of(response)
    answer = CLIENTS["tap"].answer(response, target)
    expect(fetch(nginx.port(), answer), "ok")
    response = fetch(nginx.port(), answer)
    assert response.status == status
    assert response.header("X-reason") == "nonce-replayed"
    nonce_of(response)


@pytest.mark.parametrize("target, headers, status", [
    ("/any/basic/", CREDENTIALS, 200), ("/any/allow/", [], 200),
    ("/any/missing/", [], 404)])
def test_satisfy_any_let_in_by_another(nginx, target, headers, status):
    response = ask(nginx, target, headers)
    assert response.status == status
    assert asked(response) == []
    assert response.header("Cache-Control", None) is None


def test_satisfy_any_let_in_and_refused_elsewhere(nginx):
    response = ask(nginx, "/any/moved/")
    expect(response, "no-signature")
    assert shape(asked(response)) == ALL
    assert {m.nonce for m in asked(response)} == {None}     # /on/'s own


# ---- nonces


@pytest.mark.parametrize("name", CLIENTS)
def test_one_challenge_one_use(nginx, name):
    first = challenged(nginx)
    answer = CLIENTS[name].answer(first, "/nonce/")
    expect(fetch(nginx.port(), answer), "ok")
    response = fetch(nginx.port(), answer)
    expect(response, "nonce-replayed")
    assert nonce_of(response) != nonce_of(first)
    # signed anew with the old nonce: a replay; with the new one: let in
    again = fetch(nginx.port(), CLIENTS[name].answer(
        response, "/nonce/", nonce=nonce_of(first)))
    expect(again, "nonce-replayed")
    expect(fetch(nginx.port(), CLIENTS[name].answer(again, "/nonce/")), "ok")


@pytest.mark.parametrize("name", CLIENTS)
def test_a_nonce_must_be_brought_back(nginx, name):
    first = challenged(nginx)
    client = CLIENTS[name]
    for nonce, reason in ((OMIT, "nonce-missing"),
                          (fresh_nonce(), "nonce-not-challenged"),
                          ("A" * 60, "nonce-not-challenged")):
        since = len(nginx.error_log)
        response = fetch(nginx.port(),
                         client.answer(first, "/nonce/", nonce=nonce))
        expect(response, reason)
        assert nginx.refusals(since) == [reason]
        expect(fetch(nginx.port(), client.answer(response, "/nonce/")), "ok")


def tampered(nonce):
    for at in range(len(nonce)):
        other = "A" if nonce[at] != "A" else "B"
        yield nonce[:at] + other + nonce[at + 1:]
    yield nonce[:-1]
    yield nonce + "A"
    yield nonce + "="


def test_tampered(nginx):
    first = challenged(nginx)
    with Connection(nginx.port()) as c:
        for nonce in tampered(nonce_of(first)):
            c.send(CLIENTS["tap"].answer(first, "/nonce/", nonce=nonce))
            expect(c.receive(), "nonce-not-challenged")
    expect(fetch(nginx.port(), CLIENTS["tap"].answer(first, "/nonce/")), "ok")


def test_forgers_burn_nothing(nginx):
    """A nonce that somebody else sends, without a key, stays good."""
    first = challenged(nginx)
    response = fetch(nginx.port(), CLIENTS["tap"].answer(
        first, "/nonce/", signature=flip_bit))
    expect(response, "bad-signature")
    assert asked(response) == []
    expect(fetch(nginx.port(), CLIENTS["tap"].answer(first, "/nonce/")), "ok")


def test_another_host_s(nginx):
    """Both are this server's names: each nonce is for one."""
    first = fetch(nginx.port(), Request(target="/nonce/", host="other.test"))
    expect(first, "no-signature")
    nonce = nonce_of(first)
    expect(fetch(nginx.port(), BROWSER.request("/nonce/", nonce=nonce)),
           "nonce-not-challenged")
    expect(fetch(nginx.port(), BROWSER.request("/nonce/", nonce=nonce,
                                               host="other.test")), "ok")


def test_no_host(nginx):
    """Nothing could be signed, so nothing is asked."""
    with Connection(nginx.port()) as c:
        c.send(b"GET /nonce/ HTTP/1.0\r\n\r\n")
        response = c.receive()
    assert response.status == 403
    assert asked(response) == []


def test_good_elsewhere(nginx):
    """In a location that asks for no such nonce it is one like any other."""
    first = challenged(nginx)
    expect(fetch(nginx.port(), CLIENTS["tap"].answer(first, "/on/")), "ok")
    expect(fetch(nginx.port(), CLIENTS["tap"].answer(first, "/nonce/")),
           "nonce-replayed")


def test_optional_refuses_what_is_signed_otherwise(nginx):
    response = fetch(nginx.port(), BROWSER.request("/optional/nonce/"))
    expect(response, "nonce-not-challenged")
    nonce_of(response)
    expect(fetch(nginx.port(), CLIENTS["tap"].answer(
        response, "/optional/nonce/")), "ok")
    expect(ask(nginx, "/optional/nonce/"), "no-signature", 200, "pass")


def test_dry_run_says_so(nginx):
    response = fetch(nginx.port(), BROWSER.request("/dry/"))
    expect(response, "nonce-not-challenged", 200, "dry-run-deny")
    assert asked(response) == []


def test_variables_say_nothing_of_it(nginx):
    response = challenged(nginx)
    assert [v for v in IDENTITY if response.header("X-" + v)] == []
    assert nonce_of(response) not in nginx.error_log
    request = CLIENTS["tap"].answer(response, "/nonce/")
    assert fetch(nginx.port(), request).header("X-nonce") == nonce_of(response)


def test_fresh_for_each(nginx):
    nonces = [nonce_of(ask(nginx, "/nonce/")) for _ in range(200)]
    assert len(set(nonces)) == 200


def test_ends(start, names):
    """300 seconds, by the clock that nginx has."""
    nginx = start(names=names)
    client = CLIENTS["tap"]
    first = challenged(nginx)
    used = client.answer(first, "/nonce/")
    spare = challenged(nginx)
    expect(fetch(nginx.port(), used), "ok")

    def turn(seconds):
        names.turn(seconds)
        time.sleep(0.1)
        return time.time() + names.wall

    now = turn(LIFETIME - 20)
    expect(fetch(nginx.port(), client.answer(spare, "/nonce/", now=now)),
           "ok")
    # what was used is remembered, however it is signed
    expect(fetch(nginx.port(), client.answer(first, "/nonce/", now=now)),
           "nonce-replayed")
    late = challenged(nginx)
    now = turn(21)
    response = fetch(nginx.port(), client.answer(first, "/nonce/", now=now))
    expect(response, "challenge-expired")
    expect(fetch(nginx.port(), client.answer(response, "/nonce/", now=now)),
           "ok")
    expect(fetch(nginx.port(), client.answer(late, "/nonce/", now=now)),
           "ok")


# ---- processes


def test_any_worker(start):
    nginx = start(WORKERS=2)
    seen = set()

    def both():
        first = challenged(nginx)
        answer = CLIENTS["tap"].answer(first, "/nonce/")
        response = fetch(nginx.port(), answer)
        expect(response, "ok")
        expect(fetch(nginx.port(), answer), "nonce-replayed")
        seen.add((first.header("X-Worker"), response.header("X-Worker")))
        return len(seen) == 4

    wait_for("each worker to answer for each", both)


def test_reload(start):
    nginx = start(WORKERS=2)
    first, second = challenged(nginx), challenged(nginx)
    used = CLIENTS["tap"].answer(first, "/nonce/")
    expect(fetch(nginx.port(), used), "ok")
    nginx.reload(wait_old=True)
    expect(fetch(nginx.port(), used), "nonce-replayed")
    expect(fetch(nginx.port(), CLIENTS["tap"].answer(second, "/nonce/")),
           "ok")


def test_another_zone_has_another_key(start):
    nginx = start()
    first = challenged(nginx)
    nginx.values["ZONE"] = "2m"
    nginx.configure(CONF)
    nginx.reload(wait_old=True)
    answer = CLIENTS["tap"].answer(first, "/nonce/")
    response = fetch(nginx.port(), answer)
    expect(response, "nonce-not-challenged")
    expect(fetch(nginx.port(), CLIENTS["tap"].answer(response, "/nonce/")),
           "ok")


@pytest.mark.parametrize("zone, reason", [
    ("1m", "nonce-not-challenged"), ("1m file=%%DIR%%/nonces", "ok")])
def test_restart(start, zone, reason):
    nginx = start(ZONE=zone)
    first = challenged(nginx)
    nginx.process.terminate()
    nginx.process.wait(20)
    nginx.start()
    expect(fetch(nginx.port(), CLIENTS["tap"].answer(first, "/nonce/")),
           reason)


@pytest.fixture
def redis():
    server = Redis()
    yield server
    server.remove()


def test_redis(start, redis):
    """Its answer comes later; used nonces are shared, challenges are not."""
    store = "redis://127.0.0.1:%d" % redis.port
    one, other = start(STORE=store), start(STORE=store)
    first = challenged(one)
    answer = CLIENTS["tap"].answer(first, "/nonce/")
    expect(fetch(other.port(), answer), "nonce-not-challenged")
    expect(fetch(one.port(), answer), "ok")
    expect(fetch(one.port(), answer), "nonce-replayed")
    plain = CLIENTS["tap"].answer(first, "/on/")
    response = fetch(other.port(), plain)
    expect(response, "nonce-replayed")
    assert shape(asked(response)) == ALL
    redis.pause()
    request = CLIENTS["tap"].answer(challenged(one), "/nonce/")
    response = fetch(one.port(), request)
    expect(response, "nonce-store-unavailable")
    assert asked(response) == []
    redis.go_on()
