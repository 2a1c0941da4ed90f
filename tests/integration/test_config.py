# SPDX-License-Identifier: BSD-2-Clause
"""nginx -t: what is wrong fails with file, line and advice; what is right, or
merely doubtful, passes."""

import re

import pytest

from harness.agents import VISA_KEY
from harness.levels import CONF
from harness.nginx import GLOBALS
from harness.signer import Key, jwks

RFC_KEY = {"kty": "OKP", "crv": "Ed25519",
           "x": "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"}

FILES = {
    "keys/empty.json": '{"keys":[]}',
    "keys/broken.json": '{"keys":[',
    "keys/none.json": jwks({"kty": "oct", "k": "AA"}),
    "keys/private.json": jwks(Key().private_jwk()),
    "keys/rfc.json": jwks(RFC_KEY),
    "keys/mixed.json": jwks(RFC_KEY, VISA_KEY),
}


@pytest.fixture
def check(nginx_t):
    """check(more, server, location): (passed, output)."""
    def run(more="", server="", location="", template=CONF):
        return nginx_t(template, files=FILES, MORE=more, SERVER=server,
                       LOCATION=location)[:2]
    return run


def block(body, name="x"):
    return "web_bot_auth_directory %s { %s }" % (name, body)


def discovery(words):
    return "web_bot_auth_discovery { %s }" % words


FILE = "url file:%%DIR%%/keys/visa.json;"
URL = "url https://keys.test/;"
TAP = FILE + " profile tap;"

GOOD = [
    "", block(TAP), block(URL + " profile tap;"), block(FILE + " profile agent-pay;"),
    block("url file://%%DIR%%/keys/visa.json; profile tap;"),
    block(FILE + " profile web-bot-auth;"),
    block("url https://keys.test:8443/a/b?c=d; profile tap;"),
    block(TAP + " tags a b c;"), block(TAP + " components @method x-a;"),
    block(TAP + " components '\"signature-agent\";key=\"x\"';"),
    block(TAP + " algorithms ed25519;"), block(TAP + " nonce required;"),
    block(TAP + " nonce optional;"), block(TAP + " max_lifetime 90d;"),
    block(URL + " profile tap; refresh 1m 2h; timeout 500ms;"
          " max_size 2m; max_keys 5;"),
    block(URL + " profile tap; stale 1d;"),
    block(TAP + " agent https://a.test;"),
    block(URL + " profile tap; proof required; redirect www;"),
    block(URL + " profile tap; proof off; redirect off;"),
    block(TAP + " lenient unquoted-agent agent-type bare-jwk visa-sample;"),
    discovery("any;"), discovery("allow https://a.test *.b.test;"),
    discovery("allow https://a.test/x; allow https://b.test:8443;"),
    discovery("any; max_directories 10; new_per_minute 1; concurrent 1; "
              "refresh 1m 2m; stale 1m; timeout 1s; max_size 1k; max_keys 1; "
              "nonce required; max_lifetime 1h; components @path; tags x; "
              "algorithms ed25519; proof required; lenient agent-type;"),
    discovery("any;") + "web_bot_auth_allow directory=discovery;",
    "web_bot_auth_private_addresses on;",
    "web_bot_auth_state_path state;",
    "web_bot_auth_state_path %%DIR%%/state/;",
    block(TAP + " agent https://a.test/keys.json?x=y;"),
    block(TAP) + block(TAP, "y"),
    block("url file:%%DIR%%/keys/empty.json; profile tap;"),
    block("url file:%%DIR%%/keys/mixed.json; profile tap;"),
    "web_bot_auth_zone 1m;", "web_bot_auth_zone 64m;",
    "web_bot_auth_wait 500ms;", "web_bot_auth_wait 5s max=10;",
    "web_bot_auth_nonce_store shared;",
    "web_bot_auth_nonce_store shared cold=reject;",
    "web_bot_auth_nonce_store shared cold=accept;",
    "web_bot_auth_test_keys off;", "web_bot_auth on;", "web_bot_auth off;",
    "web_bot_auth optional;", "web_bot_auth_dry_run on;",
    "web_bot_auth_allow all;", "web_bot_auth_deny tag=agent-payer-auth;",
    "web_bot_auth_allow tag=agent-payer-auth directory=visa keyid=k "
    "agent=https://bot.test;",
    "web_bot_auth_clock_skew 0;", "web_bot_auth_clock_skew 300s;",
    "web_bot_auth_max_lifetime 1m;", "web_bot_auth_components @method;",
    "web_bot_auth_nonce required;", "web_bot_auth_authority any;",
    "web_bot_auth_authority $http_host;", "web_bot_auth_scheme $scheme;",
    "web_bot_auth_answer unsigned=401 unknown=pass;",
    "web_bot_auth_expose_reason on;", "web_bot_auth_log_level debug;",
    "web_bot_auth_challenge on;", "web_bot_auth_challenge off;",
    "web_bot_auth_challenge on nonce; web_bot_auth on;",
    "web_bot_auth_forgery_limit off;", "web_bot_auth_forgery_limit 10r/s;",
    "web_bot_auth_forgery_limit 1000r/s burst=10000;",
    "web_bot_auth_forgery_limit 60000r/m;",
    "web_bot_auth_forgery_limit 1r/m burst=1;",
]


@pytest.mark.parametrize("more", GOOD)
def test_right(check, more):
    passed, output = check(more)
    assert passed, output


@pytest.mark.parametrize("directive", [
    g for g in GOOD if g and "zone" not in g and "directory" not in g
    .split(" ", 1)[0] and not re.match("web_bot_auth_(wait|nonce_s|test|scheme|private|state|disc)", g)])
def test_right_in_servers_and_locations(check, directive):
    for place in "server", "location":
        passed, output = check(**{place: directive})
        assert passed, output


# what is written, and a word that the message must hold
BAD = [
    # directories
    ("web_bot_auth_directory { %s }" % TAP, "number of arguments"),
    (block(FILE), "profile"), (block("profile tap;"), "url"),
    (block(""), "url"), (block(TAP, "visa"), "visa"),
    (block(TAP + " url file:/x;"), "twice"),
    (block(TAP + " profile tap;"), "twice"),
    (block(FILE + " profile nonsense;"), "tap"),
    (block("url http://keys.test/; profile tap;"), "https"),
    (block("url keys.test; profile tap;"), "https"),
    (block("url https://u:p@keys.test/; profile tap;"), "url"),
    (block("url https://keys.test/#x; profile tap;"), "url"),
    (block("url https://:443/; profile tap;"), "url"),
    (block("url file:%%DIR%%/keys/absent.json; profile tap;"), "absent.json"),
    (block("url file:%%DIR%%/keys/broken.json; profile tap;"), "broken.json"),
    (block("url file:%%DIR%%/keys/none.json; profile tap;"), "none.json"),
    (block("url file:%%DIR%%/keys/private.json; profile tap;"), "private"),
    (block("url file:%%DIR%%/keys/rfc.json; profile tap;"), "test"),
    (block("url file:%%DIR%%/keys; profile tap;"), "keys"),
    (block(TAP + " nonsense 1;"), "nonsense"),
    (block(TAP + " nonce sometimes;"), "required"),
    (block(TAP + " algorithms md5;"), "ed25519"),
    (block(TAP + " algorithms hmac-sha256;"), "ed25519"),
    (block(TAP + " components;"), "components"),
    (block(TAP + " components X-Upper;"), "X-Upper"),
    (block(TAP + " components @nonsense;"), "@nonsense"),
    (block(TAP + " max_lifetime soon;"), "max_lifetime"),
    (block(URL + " profile tap; refresh 1h 1m;"), "refresh"),
    (block(URL + " profile tap; refresh 1h;"), "refresh"),
    (block(URL + " profile tap; timeout never;"), "timeout"),
    (block(URL + " profile tap; max_size huge;"), "max_size"),
    (block(URL + " profile tap; max_keys -1;"), "max_keys"),
    (block(URL + " profile tap; stale x;"), "stale"),
    (block(URL + " profile tap; stale 101y;"), "36500d"),
    (block(URL + " profile tap; refresh 1m 9000000000000000s;"), "36500d"),
    (block(TAP + " agent http://a.test;"), "https"),
    (block(TAP + " agent a.test;"), "agent"),
    (block(TAP + " tags;"), "tags"),
    (block(TAP + " tags a b c d e f g h i;"), "tags"),
    ('web_bot_auth_directory "a b" { %s }' % TAP, "name"),
    (block(TAP + " proof maybe;"), "required"),
    (block(TAP + " redirect on;"), "www"),
    (block(TAP + " lenient visa;"), "unquoted-agent"),
    (block(TAP, "discovery"), "another"),
    (block(TAP + " any;"), "unknown word"),
    # discovery
    (discovery(""), "any"), (discovery("any; allow https://a.test;"), "any"),
    (discovery("any; any;"), "twice"), (discovery("allow a.test;"), "https"),
    (discovery("allow http://a.test;"), "https"),
    (discovery("allow *;"), "DOMAIN"), (discovery("allow *.;"), "DOMAIN"),
    (discovery("any; url https://a.test;"), "unknown word"),
    (discovery("any; agent https://a.test;"), "unknown word"),
    (discovery("any; max_directories 0;"), "1024"),
    (discovery("any; max_directories 1025;"), "1024"),
    (discovery("any; max_directories 33;") + "web_bot_auth_zone 1m;",
     "enlarge"),
    (discovery("any; new_per_minute x;"), "6000"),
    (discovery("any; concurrent 65;"), "64"),
    (discovery("any;") + discovery("any;"), "duplicate"),
    ("web_bot_auth_allow directory=discovery; web_bot_auth on;", "discovery"),
    ("web_bot_auth_state_path a; web_bot_auth_state_path b;", "duplicate"),
    ("web_bot_auth_private_addresses maybe;", "maybe"),
    # http
    ("web_bot_auth_zone 4k;", "small"), ("web_bot_auth_zone x;", "size"),
    ("web_bot_auth_zone 1m; web_bot_auth_zone 1m;", "duplicate"),
    ("web_bot_auth_wait soon;", "soon"),
    ("web_bot_auth_wait 1s max=x;", "max"),
    ("web_bot_auth_wait 1s nonsense;", "nonsense"),
    ("web_bot_auth_nonce_store nowhere;", "shared"),
    ("web_bot_auth_nonce_store shared cold=hot;", "cold=reject"),
    ("web_bot_auth_test_keys maybe;", "on"),
    ("web_bot_auth_trusted_certificate %%DIR%%/absent.crt;", "absent.crt"),
    # anywhere
    ("web_bot_auth maybe;", "maybe"),
    ("web_bot_auth on; web_bot_auth on;", "duplicate"),
    ("web_bot_auth;", "number of arguments"),
    ("web_bot_auth_dry_run maybe;", "on"),
    ("web_bot_auth_allow;", "number of arguments"),
    ("web_bot_auth_allow nonsense;", "nonsense"),
    ("web_bot_auth_allow tag;", "tag"),
    ("web_bot_auth_allow tag=;", "tag"),
    ("web_bot_auth_allow colour=red;", "colour"),
    ("web_bot_auth_deny all tag=x;", "all"),
    ("web_bot_auth on; web_bot_auth_allow directory=absent;", "absent"),
    ("web_bot_auth on; web_bot_auth_allow tag=nobody-serves-it;",
     "nobody-serves-it"),
    ("web_bot_auth_allow tag=web-bot-auth tag=x;", "tag"),
    ("web_bot_auth_allow agent=nonsense;", "agent"),
    ("web_bot_auth_clock_skew 301s;", "300"),
    ("web_bot_auth_clock_skew x;", "x"),
    ("web_bot_auth_max_lifetime 0;", "lifetime"),
    ("web_bot_auth_components @nonsense;", "@nonsense"),
    ("web_bot_auth_components;", "number of arguments"),
    ("web_bot_auth_nonce maybe;", "maybe"),
    ("web_bot_auth_answer unsigned;", "CLASS"),
    ("web_bot_auth_answer strange=403;", "unsigned"),
    ("web_bot_auth_answer unsigned=200;", "400"),
    ("web_bot_auth_answer unsigned=600;", "599"),
    ("web_bot_auth_answer unsigned=x;", "unsigned"),
    ("web_bot_auth_answer invalid=pass;", "unknown and unavailable"),
    ("web_bot_auth_answer replayed=pass;", "unknown and unavailable"),
    ("web_bot_auth_answer denied=pass;", "unknown and unavailable"),
    ("web_bot_auth_expose_reason maybe;", "on"),
    ("web_bot_auth_log_level loud;", "loud"),
    ("web_bot_auth_challenge maybe;", 'write "on", "off" or "on nonce"'),
    ("web_bot_auth_challenge off nonce;", 'write "on", "off" or "on nonce"'),
    ("web_bot_auth_challenge on nonces;", 'write "on", "off" or "on nonce"'),
    ("web_bot_auth_challenge on nonce 5m;", "number of arguments"),
    ("web_bot_auth_challenge;", "number of arguments"),
    ("web_bot_auth_challenge on; web_bot_auth_challenge off;", "duplicate"),
    ("web_bot_auth_forgery_limit;", "number of arguments"),
    ("web_bot_auth_forgery_limit off burst=5;", '"off" stands alone'),
    *(("web_bot_auth_forgery_limit %s;" % rate, 'for instance "10r/s"')
      for rate in ("on", "10", "r/s", "0r/s", "-1r/s", "10r/h", "10r/sec",
                   "1.5r/s", "1001r/s", "60001r/m", "rate=10r/s")),
    *(("web_bot_auth_forgery_limit 10r/s %s;" % burst, '"burst=NUMBER"')
      for burst in ("burst", "burst=", "burst=0", "burst=x", "burst=10001",
                    "nodelay")),
    ("web_bot_auth_forgery_limit 10r/s burst=5 nodelay;",
     "number of arguments"),
    ("web_bot_auth_forgery_limit 1r/s; web_bot_auth_forgery_limit 2r/s;",
     "duplicate"),
]


# What there can be too much of.
BAD += [
    (block(FILE + " profile tap; max_size 50;"), 'write a larger "max_size"'),
    ("".join(block(TAP, "d%d" % i) for i in range(129)), "remove some"),
    ("".join(block(TAP + " tags %s;" % " ".join(
        "t%d-%d" % (i, j) for j in range(8)), "d%d" % i) for i in range(40)),
     'write fewer "tags"'),
]

# Each that is said once, with a value that it takes.
ONCE = (
    "web_bot_auth on;", "web_bot_auth_dry_run on;",
    "web_bot_auth_clock_skew 1s;", "web_bot_auth_max_lifetime 1m;",
    "web_bot_auth_nonce required;", "web_bot_auth_authority any;",
    "web_bot_auth_authority $host;", "web_bot_auth_scheme https;",
    "web_bot_auth_content_digest on;", "web_bot_auth_body_link on;",
    "web_bot_auth_challenge on;", "web_bot_auth_expose_reason on;",
    "web_bot_auth_log_level info;", "web_bot_auth_forgery_limit off;",
    "web_bot_auth_zone 1m;", "web_bot_auth_wait 1s;",
    "web_bot_auth_nonce_store shared;", "web_bot_auth_state_path state;",
    "web_bot_auth_private_addresses on;", "web_bot_auth_test_keys on;",
    "web_bot_auth_trusted_certificate /etc/ssl/certs/ca-certificates.crt;",
    discovery("any;"),
)
BAD += [(once + once, "duplicate") for once in ONCE]


@pytest.mark.parametrize("more, word", BAD, ids=[
    "%d-%s" % (i, b[0][13:50]) for i, b in enumerate(BAD)])
def test_wrong(check, more, word):
    passed, output = check(more)
    assert not passed
    complaint = [line for line in output.splitlines() if "[emerg]" in line]
    assert complaint and word in complaint[0], output
    # the macros before it take some lines; what matters is that one is named
    assert re.search(r"in \S+/nginx\.conf:\d+", complaint[0]), output


@pytest.mark.parametrize("more", [
    # known when all is read
    "web_bot_auth on; web_bot_auth_allow directory=absent;",
    "web_bot_auth maybe;",
    block(FILE),
    block("url file:%%DIR%%/keys/broken.json; profile tap;"),
])
def test_the_line_is_the_right_one(check, more):
    template = "%%GLOBALS%%\nevents {}\nhttp {\n%%MORE%%\n%%DIRECTORIES%%}\n"
    line = GLOBALS.count("\n") + 4
    passed, output = check("\n\n" + more, template=template)
    assert not passed
    assert "nginx.conf:%d" % (line + 2) in output, output


@pytest.mark.parametrize("directive", [
    block(TAP), "web_bot_auth_zone 1m;", "web_bot_auth_wait 1s;",
    "web_bot_auth_nonce_store shared;", "web_bot_auth_test_keys on;",
    "web_bot_auth_trusted_certificate /x;"])
def test_http_only(check, directive):
    for place in "server", "location":
        passed, output = check(**{place: directive})
        assert not passed and "is not allowed here" in output


@pytest.mark.parametrize("words, word", [
    ("stale 13d;", "stale"), ("refresh 1m 13d;", "refresh"),
    ("refresh 13d 14d;", "refresh"), ("refresh 12d 12d; stale 12d;", "")])
def test_long_periods(check, binaries, words, word):
    """Those of a 32-bit program are shorter."""
    passed, output = check(block(URL + " profile tap; " + words))
    if word and bits(binaries) == 32:
        assert not passed and word in output and "12d" in output, output
    else:
        assert passed, output


def bits(binaries):
    nginx, module = binaries
    with open(module or nginx, "rb") as file:
        return {1: 32, 2: 64}[file.read(5)[4]]


def test_on_without_any_directory(check):
    template = CONF.replace("%%DIRECTORIES%%", "")
    passed, output = check("web_bot_auth on;", template=template)
    assert not passed and "web_bot_auth_directory" in output
    assert re.search(r"nginx\.conf:\d+", output)
    assert check(template=template)[0]


@pytest.mark.parametrize("change, word", [
    (("server_name shop.test;", ""), "server_name"),
    (("web_bot_auth_scheme https;", ""), "web_bot_auth_scheme"),
])
def test_doubtful_is_a_warning(check, change, word):
    passed, output = check(server="web_bot_auth on;",
                           template=CONF.replace(*change))
    assert passed, output
    assert [line for line in output.splitlines()
            if "[warn]" in line and word in line], output


def test_nothing_doubtful_no_warning(check):
    for server in "web_bot_auth on;", "web_bot_auth optional;", "":
        passed, output = check(server=server)
        assert passed and "[warn]" not in output, output


def test_bad_entries_of_a_file_are_reported(check):
    passed, output = check(block(
        "url file:%%DIR%%/keys/mixed.json; profile tap;"))
    assert passed and "test" in output


def test_test_keys_are_taken_when_asked_for(check):
    rfc = block("url file:%%DIR%%/keys/rfc.json; profile tap;")
    assert not check(rfc)[0]
    passed, output = check("web_bot_auth_test_keys on;" + rfc)
    assert passed and "[warn]" in output


def test_the_module_alone_is_harmless(check):
    template = "%%GLOBALS%%\nevents {}\n"
    assert check(template=template)[0]
    assert check(template=template + "http {}\n")[0]
