# SPDX-License-Identifier: BSD-2-Clause
"""Configuration that helps: nginx -t says what is doubtful, where, and what to
write; and says nothing of what is only like it."""

import os
import re
import signal

import pytest

from harness.agents import VISA_KEY
from harness.levels import CONF
from harness.nginx import wait_for

FILES = {"keys/empty.json": '{"keys":[]}'}


def lines_of(text, mark):
    """Where "# mark" stands."""
    return [i for i, line in enumerate(text.splitlines(), 1)
            if re.search(r"# %s\b" % mark, line)]


@pytest.fixture
def check(nginx_t):
    """check(says, more, server, location): nginx -t passes and warns of what
    says holds, each (mark, word ...), where "# mark" stands, and of nothing
    else.  A word "@mark" is the place of that mark."""
    def run(says, more="", server="", location="", template=CONF, env=None,
            **how):
        how = {"files": FILES, **how}
        passed, output, text = nginx_t(template, env, MORE=more,
                                       SERVER=server, LOCATION=location,
                                       **how)
        assert passed, output
        warned = [line for line in output.splitlines() if "[warn]" in line]
        assert len(warned) == len(says), output
        for line, (mark, *words) in zip(warned, says):
            for word in words:
                if word[0] == "@":
                    word = "nginx.conf:%d" % lines_of(text, word[1:])[0]
                assert word in line, (word, line)
            if mark:
                assert re.search(r", in \S+/nginx\.conf:%d$"
                                 % lines_of(text, mark)[0], line), (mark, line)
    return run


def place(body, name="/x/"):
    return "location %s { # P\n web_bot_auth on;\n %s\n}" % (name, body)


# ---- unknown words

def block(words, name="x"):
    return "web_bot_auth_directory %s { url file:keys/visa.json; " \
        "profile tap; %s }" % (name, words)


WRONG = [
    # words and values of blocks
    (block("profil tap;"), 'unknown word "profil" in web_bot_auth_directory '
     '(did you mean "profile"?), write url, profile, tags'),
    (block("lifetime 8m;"), '(did you mean "max_lifetime"?)'),
    (block("new_per_minut 3;"), 'unknown word "new_per_minut" in '
     "web_bot_auth_directory, write url"),
    ("web_bot_auth_discovery { any; new_per_minut 3; }",
     '(did you mean "new_per_minute"?), write tags'),
    ("web_bot_auth_directory x { url file:k; profile agentpay; }",
     'invalid profile "agentpay" (did you mean "agent-pay"?), write tap, '
     "agent-pay or web-bot-auth"),
    ("web_bot_auth_directory x { url file:k; profile visa; }",
     'invalid profile "visa", write tap'),
    (block("algorithms ed25591;"), '(did you mean "ed25519"?), write ed25519, '
     "ecdsa-p256-sha256, rsa-pss-sha512 or rsa-pss-sha256"),
    (block("nonce requierd;"), '(did you mean "required"?), write optional or '
     "required"),
    (block("proof require;"), '(did you mean "required"?), write off or'),
    (block("redirect ww;"), '(did you mean "www"?), write off or www'),
    (block("lenient bare_jwk;"), '(did you mean "bare-jwk"?), write '
     "unquoted-agent, agent-type, bare-jwk or visa-sample"),
    (block("components @athority;"), '(did you mean "@authority"?), write'),
    (block("components Content-Digest;"), 'component "Content-Digest", write'),
    (block("tags täg;"), "printable ASCII"),
    ("web_bot_auth_directory x { url http://keys.test/; profile tap; }",
     'write "url https://keys.test/", or bring a file and write "url file:'),
    # of directives
    ("web_bot_auth optionl;", 'invalid web_bot_auth "optionl" (did you mean '
     '"optional"?), write off, on or optional'),
    ("web_bot_auth_nonce require;", '(did you mean "required"?), write'),
    ("web_bot_auth_log_level warning;", 'invalid web_bot_auth_log_level '
     '"warning" (did you mean "warn"?), write debug, info, notice, warn or '
     "error"),
    ("web_bot_auth_log_level notce;", '(did you mean "notice"?)'),
    ("web_bot_auth_content_digest requird;", '(did you mean "required"?)'),
    ("web_bot_auth_challenge onn;", '(did you mean "on"?), write "on", "off"'),
    ("web_bot_auth_challenge on none;", '(did you mean "nonce"?), write'),
    ("web_bot_auth_answer unsinged=401;", '(did you mean "unsigned"?), write '
     "malformed, unsigned, invalid, replayed, "),
    ("web_bot_auth_answer unknown=pas;", '(did you mean "pass"?), write a '
     "number from 400 to 599, or pass"),
    ("web_bot_auth_answer unsigned=pas;", '"pas" for "unsigned=", write a '
     "number from 400 to 599 in"),
    ("web_bot_auth_zone 16m fiel=/x;", 'invalid parameter "fiel=" (did you '
     'mean "file="?), write file= or rate='),
    ("web_bot_auth_zone 16m rate=20;", '"rate=50r/s"'),
    ("web_bot_auth_zone 16m rate=0r/s;", '"rate=50r/s"'),
    ("web_bot_auth_zone 16m rate=20r/h;", '"rate=50r/s"'),
    ("web_bot_auth_zone 16m rate=1000001r/s;", '"rate=50r/s"'),
    ("web_bot_auth_zone 16m rate=2r/s rate=3r/s;", "each once"),
    ("web_bot_auth_zone 16m file=/x file=/y;", "each once"),
    ("web_bot_auth_wait 1s mx=3;", '(did you mean "max="?), write max='),
    ("web_bot_auth_nonce_store shard;", '(did you mean "shared"?)'),
    ("web_bot_auth_nonce_store shared cald=accept;", '(did you mean "cold="?)'),
    ("web_bot_auth_nonce_store shared cold=acept;",
     '(did you mean "cold=accept"?), write cold=reject or cold=accept'),
    ("web_bot_auth_nonce_store shared timeout=1s;", '"timeout=" is for Redis'),
    ("web_bot_auth_nonce_store redis://127.0.0.1 on_error=loca;",
     '(did you mean "on_error=local"?)'),
    ("web_bot_auth_nonce_store redis://127.0.0.1 timeout=soon;",
     '"timeout=200ms"'),
    ("web_bot_auth_nonce_store redis://127.0.0.1 prefix=;", '"prefix=TEXT"'),
    # rules
    ("web_bot_auth_allow agent-payer-auth;",
     'invalid condition "agent-payer-auth", write "tag=agent-payer-auth" in '),
    ("web_bot_auth_allow al;", '(did you mean "all"?), write all, tag=, '
     "directory=, agent= or keyid="),
    ("web_bot_auth_allow tags=web-bot-auth;", '(did you mean "tag="?)'),
    ("web_bot_auth_allow tag;", '(did you mean "tag="?)'),
    ("web_bot_auth_allow keyid=;", 'write it behind the "="'),
    ("web_bot_auth on; web_bot_auth_allow directory=vsia; # W",
     '"directory=vsia" names no directory (did you mean "visa"?): correct'),
    ("web_bot_auth on; web_bot_auth_allow directory=discover;",
     "names no directory: correct"),
    ("web_bot_auth_discovery { any; } web_bot_auth on; "
     "web_bot_auth_allow directory=discvery;", '(did you mean "discovery"?)'),
    ("web_bot_auth on; web_bot_auth_allow tag=agent-payer-auht;",
     '(did you mean "agent-payer-auth"?): correct the tag'),
    ("web_bot_auth on; web_bot_auth_deny tag=AGENT-PAY-AUTH;",
     '(did you mean "agent-pay-auth"?)'),
    # directives
    ("web_bot_auth_alow all;", 'unknown directive "web_bot_auth_alow" in '),
    ("web_bot_auth_alow all;", ', did you mean "web_bot_auth_allow"?'),
    ("web_bot_auth_directories x { }", 'mean "web_bot_auth_directory"?'),
    ("web_bot_auht on;", 'did you mean "web_bot_auth"?'),
    ("webbotauth on;", 'did you mean "web_bot_auth"?'),
    ("web_bot_auth_Zone 16m;", 'did you mean "web_bot_auth_zone"?'),
]


@pytest.mark.parametrize("more, word", WRONG, ids=[
    "%d-%s" % (i, re.sub(r"\W+", "-", w[0])[12:50])
    for i, w in enumerate(WRONG)])
def test_unknown_words(nginx_t, more, word):
    passed, output, _ = nginx_t(CONF, MORE=more, SERVER="", LOCATION="")
    assert not passed
    complaint = next(x for x in output.splitlines() if "[emerg]" in x)
    assert word in complaint
    assert re.search(r"in \S+/nginx\.conf:\d+", complaint)


@pytest.mark.parametrize("line", [
    "web_bot_auth_require on;", "web_bot_auth_foo;", "webdav on;",
    "web_bot_auth_directory;",      # known, and wrong in another way
    "map $uri $x { web_bot_auth_alow { } }",
])
def test_nothing_near(nginx_t, line):
    passed, output, _ = nginx_t(CONF, MORE=line, SERVER="", LOCATION="")
    assert not passed and "did you mean" not in output, output


@pytest.mark.parametrize("where", ["MORE", "SERVER", "LOCATION"])
@pytest.mark.parametrize("how", ["web_bot_auth_deni all;", "include more;"])
def test_wherever_it_stands(nginx_t, where, how):
    values = {"MORE": "", "SERVER": "", "LOCATION": "", where: how}
    passed, output, _ = nginx_t(CONF, files={
        **FILES, "more": "\nweb_bot_auth_deni all;\n"}, **values)
    assert not passed and ', did you mean "web_bot_auth_deny"?' in output
    assert "more:2" in output or "include" not in how


def test_a_reload_that_fails_leaves_the_log_as_it_was(serve):
    """What looks at directives ends with the configuration that it looked at:
    nginx goes on, and logs, with the old one."""
    nginx = serve(CONF, MORE="", SERVER="", LOCATION="%%OK%%", files=FILES)
    nginx.expect(r"\[emerg\].*unknown directive")
    text = (nginx.dir / "nginx.conf").read_text()
    for _ in range(3):
        before = len(nginx.error_log)
        nginx.write("nginx.conf", text.replace("location /",
                                               "web_bot_auth_alow all;\n"
                                               "location /"))
        nginx.process.send_signal(signal.SIGHUP)
        wait_for("the complaint", lambda: ', did you mean "web_bot_auth_allow'
                 in nginx.error_log[before:])
        nginx.write("nginx.conf", text)
        before = len(nginx.error_log)
        nginx.reload()
        assert "did you mean" not in nginx.error_log[before:]


# ---- rules

RULES = [
    # one hides another
    ("allow all; # A\n deny tag=agent-payer-auth; # B",
     [("B", '"web_bot_auth_deny tag=agent-payer-auth" can never match, as '
       '"web_bot_auth_allow all" in', "@A", "write it before that one")]),
    ("deny all; # A\n allow directory=visa; # B",
     [("P", "lets nobody in"), ("B", "can never match", "@A")]),
    ("allow directory=visa; # A\n"
     "allow tag=agent-payer-auth directory=visa; # B",
     [("B", "can never match", "@A", "write it before that one, or remove")]),
    ("deny keyid=THUMB; # A\n allow keyid=THUMB tag=agent-payer-auth; # B\n"
     "allow directory=visa;",
     [("B", "can never match", "@A")]),
    ("allow tag=web-bot-auth; # A\n allow tag=web-bot-auth; # B",
     [("B", "can never match", "@A", "remove one of them")]),
    ("deny tag=web-bot-auth; # A\n allow tag=web-bot-auth; # B\n allow all;",
     [("B", "can never match", "@A", "remove one of them")]),
    # several do
    ("allow tag=agent-browser-auth; # A\n allow tag=agent-payer-auth;\n"
     "deny directory=visa; # B",
     [("B", '"web_bot_auth_deny directory=visa" can never match, as rules '
       "before it decide about all that it concerns, first "
       '"web_bot_auth_allow tag=agent-browser-auth" in', "@A",
       "write it before them")]),
    # none of these does
    ("allow tag=agent-payer-auth; deny directory=visa;", []),
    ("allow tag=agent-payer-auth directory=visa; allow directory=visa;", []),
    ("deny keyid=THUMB; allow all;", []),
    ("deny tag=web-bot-auth; allow all;", []),
    ("allow tag=agent-browser-auth; allow tag=agent-payer-auth;"
     "allow tag=agent-pay-auth; allow tag=web-bot-auth; deny all;", []),
    ("allow tag=web-bot-auth; allow directory=bots;", []),

    # conditions that no signature meets
    ("allow directory=visa tag=web-bot-auth; # A\n allow directory=bots;",
     [("A", '"web_bot_auth_allow directory=visa tag=web-bot-auth" can never '
       'match, as directory "visa" does not serve that tag: write '
       "agent-browser-auth or agent-payer-auth")]),
    ("allow directory=visa tag=agent-pay-auth; # A\n allow directory=bots;",
     [("A", "does not serve that tag")]),
    ("deny agent=https://rude.test; # A\n allow directory=bots;",
     [("A", '"web_bot_auth_deny agent=https://rude.test" can never match, as '
       "no directory stands for that agent", '"agent URL;"')]),
    ("allow directory=visa agent=https://bot.test; # A\n"
     "allow directory=bots;",
     [("A", "no directory has agents of which all of it is true")]),
    ("allow agent=https://bot.test tag=agent-payer-auth; # A\n"
     "allow directory=bots;", [("A", "all of it is true")]),
    ("allow directory=mastercard tag=agent-pay-auth;", []),
    ("allow agent=https://bot.test;", []),
    ("allow agent=https://BOT.test:443/ directory=bots;", []),

    # keys
    ("deny keyid=absent; # A\n allow all;",
     [("A", '"web_bot_auth_deny keyid=absent" can never match', "correct the "
       "keyid, or remove")]),
    ("deny keyid=visa-1 directory=bots; # A\n allow all;", [("A", "that key")]),
    ("deny keyid=visa-1 tag=web-bot-auth; # A\n allow all;",
     [("A", "that key")]),
    ("deny keyid=visa-1; allow all;", []),
    ("deny keyid=THUMB directory=visa; allow all;", []),

    # everybody is denied
    ("deny all;", [("P", '"web_bot_auth on" lets nobody in', "deny every",
                    '"web_bot_auth_allow"')]),
    ("deny tag=web-bot-auth; deny directory=visa; deny directory=mastercard;",
     [("P", "lets nobody in")]),
    ("deny tag=web-bot-auth; deny directory=visa;", []),
    ("deny keyid=visa-1;", []),
    ("web_bot_auth_dry_run on; deny all;", [("P", "lets nobody in")]),
]


def spelled(rules):
    rules = rules.replace("THUMB", VISA_KEY.thumbprint)
    return re.sub(r"(?<!web_bot_auth_)\b(allow|deny) ", r"web_bot_auth_\1 ",
                  rules)


@pytest.mark.parametrize("rules, says", RULES, ids=[
    "%d-%s" % (i, re.sub(r"\W+", "-", r[0])[:40])
    for i, r in enumerate(RULES)])
def test_rules(check, rules, says):
    check(says, server=place(spelled(rules)))


REMOTE = """
web_bot_auth_directory remote { # R
    url https://keys.test/; profile tap; }
"""


@pytest.mark.parametrize("more, rules, says", [
    # what is fetched may have any key
    (REMOTE, "deny keyid=absent; allow all;", []),
    (REMOTE, "deny keyid=absent directory=visa; # A\n allow all;",
     [("A", "that key")]),
    ("web_bot_auth_discovery { any; }", "deny keyid=absent; allow all;", []),
    # whom discovery may look up
    ("web_bot_auth_discovery { any; }",
     "deny agent=https://rude.test; allow all;", []),
    ("web_bot_auth_discovery { allow *.agents.test; }",
     "deny agent=https://rude.agents.test; allow all;", []),
    ("web_bot_auth_discovery { allow *.agents.test; }",
     "deny agent=https://rude.test; # A\n allow all;",
     [("A", "no directory stands for that agent", '"allow" it in')]),
    ("web_bot_auth_discovery { any; }",
     "allow directory=discovery tag=agent-payer-auth; # A\n allow all;",
     [("A", 'directory "discovery" does not serve that tag')]),
])
def test_rules_and_what_is_fetched(check, more, rules, says):
    check(says, more=more, server=place(spelled(rules)))


NO_EFFECT = '"web_bot_auth_deny all", and what stands with it, has no effect'


@pytest.mark.parametrize("more, server, says", [
    # off, and nothing inside is on
    ("", "location /x/ {\n web_bot_auth_deny all; # A\n }",
     [("A", NO_EFFECT, '"web_bot_auth on"', "remove them")]),
    ("web_bot_auth on;",
     "location /x/ { web_bot_auth off;\n web_bot_auth_deny all; # A\n }",
     [("A", NO_EFFECT)]),
    ("web_bot_auth_deny all; # A", "", [("A", NO_EFFECT)]),
    # on, but with rules of its own
    ("web_bot_auth_deny all; # A",
     "location /x/ { web_bot_auth on; web_bot_auth_allow all; }",
     [("A", NO_EFFECT)]),
    # something inside has them
    ("web_bot_auth_deny tag=web-bot-auth;",
     "location /x/ { web_bot_auth optional; }", []),
    ("", "web_bot_auth_deny tag=web-bot-auth; location /x/ { "
     "location /x/y/ { web_bot_auth on; } }", []),
    ("", "location /x/ { web_bot_auth_deny tag=web-bot-auth; "
     "location /x/y/ { web_bot_auth on; } }", []),
    ("", "web_bot_auth on; web_bot_auth_deny tag=web-bot-auth;"
     "location /x/ { web_bot_auth off; }", []),
])
def test_rules_that_nobody_has(check, more, server, says):
    check(says, more=more, server=server)


def test_optional_for_people_alone(check):
    check([], server="location /x/ { web_bot_auth optional; "
          "web_bot_auth_deny all; }")


def test_inherited_rules_are_spoken_of_once(check):
    """However many places have them."""
    inner = "".join("location /%d/ { web_bot_auth on; if ($arg_x) { "
                    "set $y 1; } location /%d/y/ { } }\n" % (i, i)
                    for i in range(5))
    check([("A", "lets nobody in"), ("C", "can never match", "@B")],
          server="web_bot_auth_deny all; # B\n"
          "web_bot_auth_allow tag=web-bot-auth; # C\n"
          "location /a/ { # A\n web_bot_auth on; }\n" + inner)


# ---- places where one pays

BROWSERS = "lets agents in that only browse"
PAY = 'write "web_bot_auth_allow tag=agent-payer-auth"'


@pytest.mark.parametrize("name, body, warned", [
    ("/checkout/", "web_bot_auth on;", True),
    ("/checkout/", "web_bot_auth optional;", True),
    ("= /cart/checkout", "web_bot_auth on;", True),
    ("~ ^/(pay|till)/", "web_bot_auth on;", True),
    ("/Order", "web_bot_auth on; web_bot_auth_allow all;", True),
    ("/payment/", "web_bot_auth on; web_bot_auth_allow directory=visa;", True),
    ("/checkout/", "web_bot_auth on; web_bot_auth_deny keyid=visa-1;", True),
    # said otherwise, or said so
    ("/checkout/", "web_bot_auth on; web_bot_auth_allow tag=agent-payer-auth;",
     False),
    ("/checkout/", "web_bot_auth on; web_bot_auth_allow "
     "tag=agent-browser-auth; web_bot_auth_allow all;", False),
    ("/checkout/", "web_bot_auth on; web_bot_auth_deny "
     "tag=agent-browser-auth;", False),
    ("/checkout/", "web_bot_auth on; web_bot_auth_allow directory=bots;",
     False),
    ("/checkout/", "", False),
    ("/catalogue/", "web_bot_auth on;", False),
    ("/payload/", "web_bot_auth optional;", False),
    ("/orders/", "web_bot_auth on;", False),
])
def test_a_checkout_that_lets_browsers_in(check, name, body, warned):
    says = [("P", BROWSERS, PAY, "tag=agent-browser-auth")] if warned else []
    check(says, server="location %s { # P\n %s }" % (name, body))


def test_a_checkout_without_browsers_to_let_in(check):
    """Nobody here serves their tag."""
    bots = CONF.replace("%%DIRECTORIES%%", """
        web_bot_auth_directory bots { url file:keys/bots.json;
            profile web-bot-auth; agent https://bot.test; }""")
    check([], server="location /checkout/ { web_bot_auth on; }", template=bots)


def test_what_is_inside_a_checkout(check):
    """Once for a place, with what is in it; again for another; not for one
    that has rules."""
    check([("A", '"/checkout/"'), ("B", '"/pay/"')],
          server="""web_bot_auth on;
          location /checkout/ { # A
              if ($arg_x) { set $y 1; }
              limit_except GET { deny all; }
              location /checkout/pay/ { }
              location /checkout/order/ {
                  web_bot_auth_allow tag=agent-payer-auth;
              }
          }
          location /pay/ { # B
          }""")
    check([("B", '"/checkout/pay/"')],
          server="""location /checkout/ {
              web_bot_auth on;
              web_bot_auth_allow tag=agent-payer-auth;
              location /checkout/pay/ { # B
                  web_bot_auth_allow all; } }""")


# ---- the zone

TAP = "web_bot_auth_directory slow { url file:keys/visa.json; " \
      "profile tap; max_lifetime %s; }\n"
BOTS = "web_bot_auth_directory crawler { url file:keys/bots.json; " \
       "profile web-bot-auth; agent https://crawler.test; %s }\n"
ON = "web_bot_auth on;"


@pytest.mark.parametrize("more, server, says", [
    # defaults, whatever the profile
    ("", ON, []),
    ("web_bot_auth_discovery { any; }", ON, []),
    (BOTS % "max_lifetime 90d;", ON, []),
    # too small for what must be remembered
    (TAP % "24h", ON, [("", "a zone of 16m has room for the nonces of 6.",
                        "fewer than 20.0, where",
                        'directory "slow" lets them (86700 seconds',
                        'write "web_bot_auth_zone ', '"max_lifetime"',
                        '"rate="')]),
    (TAP % "24h" + "web_bot_auth_zone 17m; # Z", ON, [("Z", "of 17m has")]),
    (TAP % "1h" + "web_bot_auth_zone 1m; # Z", ON, [("Z", "of 1m has")]),
    (TAP % "1h", ON, []),
    ("web_bot_auth_zone 1536k; # Z\n" + TAP % "24h", ON,
     [("Z", "a zone of 1536k has")]),
    (BOTS % "nonce required;", ON, [("", 'directory "crawler"')]),
    (BOTS % "max_lifetime 90d;", ON + "location /x/ { web_bot_auth_nonce "
     "required; }", [("", "(7776300 seconds")]),
    ("", ON + "web_bot_auth_challenge on nonce;", []),
    # who states a rate is taken at his word
    (TAP % "24h" + "web_bot_auth_zone 16m rate=6r/s;", ON, []),
    (TAP % "24h" + "web_bot_auth_zone 16m rate=300r/m;", ON, []),
    ("web_bot_auth_zone 16m rate=100r/s;", ON, []),
    ("web_bot_auth_zone 16m rate=1000r/s; # Z", ON,
     [("Z", 'fewer than 1000.0 by "rate="')]),
    ("web_bot_auth_zone 16m rate=10001r/m; # Z", ON,
     [("Z", "fewer than 166.6")]),
    # nobody brings such nonces, or nobody keeps them here
    (TAP % "24h", "web_bot_auth off;", []),
    (TAP % "24h", ON + "web_bot_auth_max_lifetime 10m;", []),
    (TAP % "24h", ON + "web_bot_auth_deny directory=slow;", []),
    (TAP % "24h" + "web_bot_auth_nonce_store redis://127.0.0.1;", ON, []),
    (TAP % "24h" + "web_bot_auth_nonce_store redis://127.0.0.1 "
     "on_error=local;", ON, [("", "a zone of 16m")]),
])
def test_a_zone_for_nonces(check, more, server, says):
    check(says, more=more, server=server)


@pytest.mark.parametrize("more", [
    TAP % "24h", TAP % "90d", BOTS % "nonce required;",
    "web_bot_auth_zone 1m rate=30r/s;", "web_bot_auth_zone 1m rate=31r/s;",
    "web_bot_auth_zone 16m rate=1000r/s;",
    "web_bot_auth_zone 1m;" + REMOTE.replace("tap;", "tap; max_keys 9000;"),
    REMOTE.replace("tap;", "tap; max_size 16m; max_keys 100000;"),
])
def test_the_size_that_is_named_is_large_enough(nginx_t, more):
    """And, where it grows by a megabyte, one less is not."""
    def warnings(more):
        passed, output, _ = nginx_t(CONF, MORE=more, SERVER=ON, LOCATION="")
        assert passed, output
        return [x for x in output.splitlines() if "[warn]" in x]

    said = warnings(more)
    if more == "web_bot_auth_zone 1m rate=30r/s;" and not said:
        return
    size = max(int(re.search(r'write "web_bot_auth_zone (\d+)m"', x)[1])
               for x in said)
    rate = re.search(r"rate=\S+;", more)
    more = re.sub("web_bot_auth_zone [^;]*;", "", more)
    line = "web_bot_auth_zone %%dm %s" % (rate[0] if rate else ";")
    assert warnings(more + line % size) == []
    assert warnings(more + line % (size - 2))


@pytest.mark.parametrize("level", ["", "error", "crit"])
def test_the_size_is_warned_about_whatever_is_logged(nginx_t, level):
    """nginx logs errors unless told otherwise; when the zone has its size it
    has been told, or not told, already."""
    conf = CONF.replace("%%GLOBALS%%", "%%GLOBALS%%\nerror_log logs/quiet.log "
                        + level + ";", 1)
    conf = re.sub("%%GLOBALS%%", "daemon off; pid logs/nginx.pid;\n%%LOAD%%",
                  conf)
    passed, output, _ = nginx_t(conf, MORE=TAP % "24h", SERVER=ON,
                                LOCATION="")
    assert passed, output
    assert output.count("[warn]") == 1 and "a zone of 16m" in output, output


@pytest.mark.parametrize("more, says", [
    (REMOTE.replace("tap;", "tap; max_size 16m; max_keys 20000;"),
     [("", "a zone of 16m has room for some 1", "fetched keys, fewer than the "
       '20000 that "max_keys" asks for: write "web_bot_auth_zone ',
       'or a smaller "max_keys"')]),
    ("web_bot_auth_zone 1m; # Z\n" + REMOTE.replace(
        "tap;", "tap; max_keys 2000;"), [("Z", "fewer than the 2000")]),
    ("".join(REMOTE.replace("remote", "r%d" % i).replace(
        "tap;", "tap; max_keys 7000;") for i in range(2)),
     [("", "fewer than the 14000")]),
    ("web_bot_auth_discovery { any; max_size 1m; max_keys 8000; }",
     [("", "fewer than the 16000")]),
    # not said by anybody, or kept elsewhere, or not possible
    ("web_bot_auth_zone 1m;" + REMOTE, []),
    (REMOTE.replace("tap;", "tap; max_keys 10000;"), []),
    (REMOTE.replace("tap;", "tap; max_size 100k; max_keys 100000;"), []),
    ("web_bot_auth_zone 1m; web_bot_auth_directory x { "
     "url file:keys/visa.json; profile tap; max_keys 100000; }", []),
    ("web_bot_auth_discovery { any; max_keys 5000; }", []),
])
def test_a_zone_for_keys(check, more, says):
    check(says, more=more)


def test_a_zone_of_a_gigabyte(check):
    check([], more="web_bot_auth_zone 1g;", server=ON)


# ---- certificates

PEM = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
NO_TRUST = "knows no certificate authority"


@pytest.mark.parametrize("more, store, says", [
    (REMOTE, "absent.pem", [("R", NO_TRUST, "absent.pem): install the package "
                             "ca-certificates, or write",
                             '"web_bot_auth_trusted_certificate FILE"')]),
    (REMOTE, "empty.pem", [("R", NO_TRUST, "empty.pem")]),
    (REMOTE, "", [("R", NO_TRUST, "libcurl's place")]),
    ("web_bot_auth_discovery { any; } # R", "absent.pem", [("R", NO_TRUST)]),
    (REMOTE + REMOTE.replace("remote", "other").replace("# R", ""),
     "absent.pem", [("R", NO_TRUST)]),
    (REMOTE, "good.pem", []),
    ("", "absent.pem", []),
    (REMOTE + "web_bot_auth_trusted_certificate %%DIR%%/good.pem;",
     "absent.pem", []),
])
def test_no_certificates(check, binaries, tmp_path, more, store, says):
    (tmp_path / "empty.pem").touch()
    (tmp_path / "good.pem").write_text(PEM)
    trust = binaries[1].parent / "tests" / "trust.so"
    preload = "%s %s" % (os.environ.get("NGINX_PRELOAD", ""), trust)
    env = {"LD_PRELOAD": preload.strip(), "ASAN_OPTIONS": "detect_leaks=0",
           "WBA_TEST_CAINFO": str(tmp_path / store) if store else ""}
    check(says, more=more, env=env, files={**FILES, "good.pem": PEM})


# ---- challenges, and what must be covered

COVER = 'web_bot_auth_components signature-agent;'


@pytest.mark.parametrize("more, server, says", [
    # what no directory's agents can cover
    ("", place(COVER + "web_bot_auth_allow directory=visa;"),
     [("P", '"web_bot_auth on" lets nobody in, as "signature-agent" must be '
       "covered", '"agent URL;"')]),
    ("", place("web_bot_auth_components '\"signature-agent\";key=\"x\"';"
               "web_bot_auth_allow directory=listed;"),
     [("P", "lets nobody in")]),
    ("", COVER + "".join(place("web_bot_auth_allow directory=visa;", "/%d/" % i)
                         for i in range(3)), [("P", "lets nobody in")]),
    ("", place(COVER), []),
    ("", place(COVER + "web_bot_auth_allow directory=bots;"), []),
    (block("components @authority signature-agent; # B\n"), "",
     [("B", 'directory "x" verifies nothing', '"agent URL;"')]),
    (block("components signature-agent; agent https://x.test;"), "", []),
    # more than can be asked for
    ("", place("web_bot_auth_components %s;"
               % " ".join("x-%d" % i for i in range(64))),
     [("P", "refusals cannot say what to sign", '"web_bot_auth_challenge '
       'off"')]),
    ("", place("web_bot_auth_challenge off; web_bot_auth_components %s;"
               % " ".join("x-%d" % i for i in range(64))), []),
    ("", place("web_bot_auth_components %s;"
               % " ".join("x-%d" % i for i in range(50))), []),
    # nonces that nobody is given
    ("", place("web_bot_auth_challenge on nonce; web_bot_auth_dry_run on;"),
     [("P", '"web_bot_auth_challenge on nonce" in a dry run',
       'write "web_bot_auth_challenge on" until')]),
    ("", place("web_bot_auth_challenge on nonce; web_bot_auth_dry_run on;")
     + place("web_bot_auth_challenge on nonce; web_bot_auth_dry_run on;",
             "/y/"), [("P", "in a dry run")]),
    ("", place("web_bot_auth_challenge on nonce; web_bot_auth_dry_run on;")
     + place("web_bot_auth_challenge on nonce;", "/y/"), []),
    ("", place("web_bot_auth_challenge on; web_bot_auth_dry_run on;"), []),
    ("", "location /x/ { web_bot_auth optional; "
     "web_bot_auth_challenge on nonce; }", []),
])
def test_challenges(check, more, server, says):
    check(says, more=more, server=server)


# ---- servers, directories, laboratories

@pytest.mark.parametrize("change, says", [
    (("server_name shop.test;", ""),
     [("S", "in a server without name verifies nothing: write "
       '"server_name"', '"web_bot_auth_authority"')]),
    (("web_bot_auth_scheme https;", ""),
     [("S", "on a listener without ssl", 'write "listen ... ssl"',
       '"web_bot_auth_scheme https"')]),
])
def test_servers(check, change, says):
    template = CONF.replace("    server {", "    server { # S")
    check(says, server=ON + "location /a/ { } location /b/ { }",
          template=template.replace(*change))


@pytest.mark.parametrize("value, warned", [
    ("servername", True), ("server_nmae", True), ("Server_Name", True),
    ("server_name", False), ("any", False), ("shop.test", False),
    ("$host", False), ("$server_name", False), ("server", False),
])
def test_authorities(check, value, warned):
    """A word that is nearly ours is taken as a host, but not silently."""
    says = [("A", 'made for the host "%s"' % value,
             '(did you mean "server_name"?): write')] if warned else []
    check([(None, *s[1:]) for s in says], server=ON
          + "\nweb_bot_auth_authority %s; # A\n" % value)


@pytest.mark.parametrize("more, says", [
    ("\nweb_bot_auth_test_keys on; # T\n",
     [("", "anybody can sign", 'write "web_bot_auth_test_keys off"')]),
    ("web_bot_auth_discovery { any; }\n"
     "web_bot_auth_private_addresses on; # T\n",
     [("T", "your own network", 'write "web_bot_auth_private_addresses '
       'off"')]),
    ("web_bot_auth_private_addresses on; # T\n"
     "web_bot_auth_discovery { any; }",
     [("T", "your own network")]),
    ("web_bot_auth_private_addresses on;", []),
    ("web_bot_auth_discovery { any; } web_bot_auth_private_addresses off; "
     "web_bot_auth_test_keys off;", []),
    ("web_bot_auth_directory x { # E\n url file:keys/empty.json; "
     "profile tap; }", [("E", 'directory "x" verifies nothing', "bring keys")]),
])
def test_laboratories_and_empty_files(check, more, says):
    check(says, more=more)


def test_the_line_of_test_keys(nginx_t):
    _, output, text = nginx_t(CONF, MORE="\nweb_bot_auth_test_keys on; # T\n",
                              SERVER="", LOCATION="")
    assert "nginx.conf:%d" % lines_of(text, "T")[0] in output


def test_nothing_is_touched(nginx_t, tmp_path):
    """nginx -t that warns of a zone makes no file of nonces."""
    nonces = tmp_path / "nonces"
    passed, output, _ = nginx_t(
        CONF, MORE="web_bot_auth_zone 1m file=%s;" % nonces + REMOTE
        + TAP % "90d", SERVER=ON, LOCATION="")
    assert passed and "[warn]" in output and not nonces.exists()
