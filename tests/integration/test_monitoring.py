# SPDX-License-Identifier: BSD-2-Clause
"""docs/status.md, the dashboard and the alert rules speak of what a server
tells, and of all of it."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from harness import redis as redis_server
from harness.client import fetch
from harness.signer import Request

ROOT = pathlib.Path(__file__).resolve().parents[2]
STATUS = (ROOT / "docs/status.md").read_text()
ALERTS = ROOT / "docs/monitoring/alerts.yml"
DASHBOARD = ROOT / "docs/monitoring/grafana-dashboard.json"
PROMTOOL = os.environ.get("PROMTOOL") or shutil.which("promtool")

CONF = """
%%GLOBALS%%
events {}
http {
    %%HTTP%%
    %%DIRECTORIES%%
    web_bot_auth_nonce_store %%STORE%%;
    web_bot_auth on;
    server {
        listen 127.0.0.1:%%PORT%%;
        location = /json { web_bot_auth off; web_bot_auth_status json; }
        location = /metrics { web_bot_auth off;
                              web_bot_auth_status prometheus; }
    }
}
"""


@pytest.fixture(scope="module")
def told(serve):
    """(JSON, exposition) of a server with Redis: everything there is."""
    store = redis_server.Redis()
    nginx = serve(CONF, STORE=store.url())
    got = [fetch(nginx.port(), Request(target=target)).body.decode()
           for target in ("/json", "/metrics")]
    store.remove()
    return json.loads(got[0]), got[1]


def types(exposition):
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", exposition, re.M))


def test_every_metric_is_documented(told):
    documented = dict(re.findall(r"^\| `(web_bot_auth_\w+)` \| (\w+) \|",
                                 STATUS, re.M))
    assert documented == types(told[1])


def members(value, path=""):
    """Paths of all members but those of histograms' insides, which the text
    describes in words, and of names that are values."""
    if isinstance(value, list):
        for item in value[:1]:
            yield from members(item, path + "[]")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield path + "." + name if path else name
            if name not in ("latency", "outcomes", "decisions", "answers",
                            "local_answers"):
                yield from members(item, path + "." + name if path else name)


def test_every_member_is_documented(told):
    text = STATUS[STATUS.index("## `json`"):STATUS.index("## `prometheus`")]
    words = set(re.findall(r"(?<=[`.])([a-z_]+)(?=[`.\[])", text))
    for path in members(told[0]):
        assert path.rpartition(".")[2] in words, path
    for part in ("outcomes", "decisions", "reasons"):
        assert "." + part in text
    for answer in told[0]["nonces"]["answers"]:
        assert "`%s`" % answer in text


def test_every_count_is_documented(told):
    """What requests and answers are counted by, name by name; reasons have a
    page of their own."""
    counted = {value for label, value in
               re.findall(r'(\w+)="([^"]*)"', told[1])
               if label not in ("le", "reason", "tag", "directory", "version",
                                "nginx", "libsodium", "libcurl")}
    requests, nonces = told[0]["requests"], told[0]["nonces"]
    for names in (requests["outcomes"], requests["decisions"],
                  nonces["answers"], nonces["local_answers"]):
        counted |= set(names)
    assert counted >= {"verified", "dry-run-deny", "seen", "failed"}
    assert {c for c in counted if "`%s`" % c not in STATUS} == set()


def used(text):
    """In expressions; words for people may name directives."""
    text = re.sub(r"^ *(description|summary|- name): .*", "", text, flags=re.M)
    return set(re.findall(r"\bweb_bot_auth_\w+", text))


@pytest.mark.parametrize("file", [ALERTS, DASHBOARD])
def test_metrics_that_are_used_exist(told, file):
    known = types(told[1])
    histograms = {name + end for name, kind in known.items()
                  if kind == "histogram"
                  for end in ("_bucket", "_sum", "_count")}
    assert used(file.read_text()) - {"web_bot_auth"} \
        <= set(known) | histograms


@pytest.mark.parametrize("label, path", [
    ("reason", ALERTS), ("answer", ALERTS), ("outcome", ALERTS),
    ("decision", DASHBOARD), ("reason", DASHBOARD)])
def test_label_values_that_are_used_exist(told, label, path):
    text = path.read_text().replace('\\"', '"')
    values = re.findall(label + r'[=!]~?"([a-z|-]+)"', text)
    assert values
    for value in "|".join(values).split("|"):
        assert '%s="%s"' % (label, value) in told[1], value


def test_dashboard_is_whole():
    d = json.loads(DASHBOARD.read_text())
    taken = set()
    for panel in d["panels"]:
        g = panel["gridPos"]
        cells = {(x, y) for x in range(g["x"], g["x"] + g["w"])
                 for y in range(g["y"], g["y"] + g["h"])}
        assert not cells & taken and g["x"] + g["w"] <= 24, panel["title"]
        taken |= cells
        assert panel["targets"]
        for target in panel["targets"]:
            assert target["expr"].count("(") == target["expr"].count(")")
            assert "$instance" in target["expr"]
    assert len({p["id"] for p in d["panels"]}) == len(d["panels"])


def test_alerts_say_what_to_do():
    text = ALERTS.read_text()
    alerts = re.findall(r"- alert: (\w+)", text)
    assert len(alerts) == len(set(alerts)) == text.count("description:") \
        == text.count("summary:") == text.count("severity:")


@pytest.mark.skipif(not PROMTOOL, reason="no promtool")
def test_promtool_takes_the_rules():
    done = subprocess.run([PROMTOOL, "check", "rules", str(ALERTS)],
                          check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode()


@pytest.mark.skipif(not PROMTOOL, reason="no promtool")
def test_alerts_go_off_when_they_should(tmp_path):
    """promtool's own test of rules, over made-up series."""
    shutil.copy(ALERTS, tmp_path)
    shutil.copy(pathlib.Path(__file__).parent / "data/alerts_test.yml",
                tmp_path)
    done = subprocess.run([PROMTOOL, "test", "rules", "alerts_test.yml"],
                          cwd=tmp_path, check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode()


@pytest.mark.skipif(not PROMTOOL, reason="no promtool")
def test_promtool_has_nothing_to_say(told):
    done = subprocess.run([PROMTOOL, "check", "metrics"], check=False,
                          input=told[1].encode(), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    assert (done.returncode, done.stdout) == (0, b"")
