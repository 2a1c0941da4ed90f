# SPDX-License-Identifier: BSD-2-Clause
"""docs/incidents.md: each incident is brought about with a real nginx; the log
lines and figures that its recipe names appear, its first aid is given by the
page's own commands and configuration, and what should tell that it helped
does.  Here: rules, directories, Redis, clocks."""

import pathlib
import re
import time

import pytest

from harness.guide import ROOT
from harness.incident import (DAY, HOUR, PAGE, networks,  # noqa: F401
                              shop, shops_authority)
from harness.nginx import wait_for
from harness.redis import Redis
from harness.signer import jwks

RECIPES = [h for level, h in PAGE.headings if level == 2]
PARTS = ["Symptom", "First aid", "It helped when", "Cause", "Cure", "Do not"]


@pytest.fixture
def redis():
    server = Redis()
    yield server
    server.remove()


# The page itself

@pytest.mark.parametrize("heading", RECIPES)
def test_a_recipe_is_complete(heading):
    assert PAGE.leads[heading] == PARTS
    symptom = PAGE.blocks_of(heading, part="Symptom")
    assert [b for b in symptom if b.language in ("log", "console")]


def test_every_recipe_is_in_the_table_and_is_tested():
    table = PAGE.text[:PAGE.text.index("\n## ")]
    links = set(re.findall(r"\(#([\w-]+)\)", table))
    assert links == {h.lower().replace(" ", "-").replace("'", "")
                     for h in RECIPES}
    tested = "".join(path.read_text() for path in
                     pathlib.Path(__file__).parent.glob("test_incidents*.py"))
    assert set(re.findall(r'\.recipe\(\s*"([^"]+)"', tested)) == set(RECIPES)


def test_every_alert_is_in_the_table():
    alerts = re.findall(r"- alert: (\w+)", (
        ROOT / "docs/monitoring/alerts.yml").read_text())
    assert len(alerts) > 5
    table = PAGE.text[:PAGE.text.index("\n## ")]
    known = set(re.findall(r"\bWebBotAuth\w+", table))
    assert known <= set(alerts)
    # That one is an upgrade's, and no incident.
    assert set(alerts) - known == {"WebBotAuthRestartNeeded"}


# People and rules

def test_customers_are_shut_out(shop):
    s = shop()
    recipe = s.recipe("Customers are shut out")
    assert s.visit() == 403
    recipe.symptom()
    recipe.first_aid()
    assert s.visit() == 200
    recipe.helped()
    # The rest of the page: what is known stays known, and can be taken back.
    (s.machine.dir / "etc/nginx/conf.d/agents-dry-run.conf").unlink()
    s.machine.run("sudo nginx -t && sudo nginx -s reload")
    assert s.visit() == 403


def test_a_directive_that_stands_elsewhere_is_a_duplicate(shop):
    s = shop(files={"other": "web_bot_auth_dry_run off;"}, start=False)
    s.machine.put("/etc/nginx/conf.d/agents-dry-run.conf",
                  "web_bot_auth_dry_run on;")
    s.machine.expect("duplicate")
    passed, output = s.machine.test()
    assert not passed and '"web_bot_auth_dry_run" directive is duplicate' \
        in output


# Directories

def test_a_directory_is_down(shop, networks):
    s = shop()
    s.becomes(200)
    recipe = s.recipe("A directory is down")
    networks.stop()
    try:
        s.advance(2 * HOUR)
        recipe.symptom(0)
        recipe.figures()
        s.becomes(200)
        recipe.first_aid()
        s.becomes(200)
        s.advance(3 * DAY)
        recipe.helped()
        s.becomes(200)
        assert "is over" not in s.machine.error_log
    finally:
        networks.start()


def test_a_directory_is_down_for_too_long(shop, networks):
    s = shop(files={"wait": "web_bot_auth_wait 200ms;"})
    s.becomes(200)
    recipe = s.recipe("A directory is down")
    networks.stop()
    try:
        s.advance(3 * DAY)
        s.becomes(503)
        recipe.symptom(1, 2)
        s.machine.write("etc/nginx/agents/visa.json", jwks(s.key))
        copy, = PAGE.blocks_of("A directory has revoked all keys", "nginx")
        assert "url file:/etc/nginx/agents/visa.json;" in copy.text \
            and "url file:/etc/nginx/agents/visa.json;" in PAGE.sections[
                recipe.heading]
        s.walk.block(copy)
        s.machine.run("sudo nginx -t && sudo nginx -s reload")
        recipe.helped()
        s.becomes(200)
    finally:
        networks.start()


def test_a_directory_serves_rubbish(shop):
    s = shop()
    s.becomes(200)
    recipe = s.recipe("A directory serves rubbish")
    good = s.networks.paths["/visa.json"]
    s.publish(body="<!DOCTYPE html><title>Back soon</title>",
              media_type="text/html")
    s.advance(2 * HOUR)
    recipe.symptom(0)
    s.becomes(200)
    recipe.first_aid()
    # Mended, but for one entry.
    s.networks.paths["/visa.json"] = good
    s.publish(s.key, {"kty": "OKP", "crv": "Ed25519", "x": "AA"})
    s.advance(300)
    recipe.helped()
    recipe.symptom(1)
    s.becomes(200)


def test_another_max_keys_fetches_at_once(shop):
    """As that recipe says, and the one of a leaked key."""
    s = shop()
    s.becomes(200)
    path = "etc/nginx/conf.d/agents-visa.conf"
    text = (s.machine.dir / path).read_text()
    before = s.networks.count("/visa.json")
    s.machine.run("sudo nginx -s reload")
    s.becomes(200)
    assert s.networks.count("/visa.json") == before
    s.machine.write(path, text.replace(
        "profile tap;", "profile tap; max_keys 9999;"))
    s.machine.run("sudo nginx -s reload")
    s.becomes(200)
    assert s.networks.count("/visa.json") == before + 1


def test_another_refresh_counts_from_the_next_fetch_on(shop):
    """As directives.md says of it: a reload does not fetch."""
    s = shop()
    s.becomes(200)
    path = "etc/nginx/conf.d/agents-visa.conf"
    text = (s.machine.dir / path).read_text()
    before = s.networks.count("/visa.json")
    s.machine.write(path, text.replace(
        "profile tap;", "profile tap; refresh 1s 600s;"))
    s.machine.run("sudo nginx -s reload")
    s.becomes(200)
    s.advance(700)          # what was fetched is fresh for an hour
    s.becomes(200)
    assert s.networks.count("/visa.json") == before
    s.advance(HOUR)
    wait_for("the fetch", lambda: s.networks.count("/visa.json") > before)
    before = s.networks.count("/visa.json")
    s.becomes(200)
    s.advance(700)
    wait_for("the fetch", lambda: s.networks.count("/visa.json") > before)


def test_a_directory_has_revoked_all_keys(shop):
    s = shop()
    s.becomes(200)
    recipe = s.recipe("A directory has revoked all keys")
    s.publish()
    s.advance(2 * HOUR)
    s.becomes(403)
    recipe.symptom()
    s.machine.write("etc/nginx/agents/visa.json", jwks(s.key))
    recipe.first_aid()
    recipe.helped()
    s.becomes(200)


# Redis

def redis_shop(shop, redis, **how):
    return shop(store="redis://10.0.0.5", other={
        "redis://10.0.0.5": redis.url().rpartition("/")[0],
        "redis 10.0.0.5 port": "redis 127.0.0.1 port"}, **how)


@pytest.mark.parametrize("how", ["down", "slow"])
def test_redis_is_down_or_slow(shop, redis, how):
    s = redis_shop(shop, redis)
    s.becomes(200)
    recipe = s.recipe("Redis is down or slow")
    if how == "down":
        redis.stop()
    else:
        redis.pause()
    s.becomes(503)
    recipe.symptom()
    recipe.first_aid()
    s.becomes(200)
    used = s.request()
    assert s.send(used).status == 200
    recipe.helped()
    if how == "down":
        redis.start()
    else:
        redis.go_on()
    s.logged("[notice] ... web_bot_auth: Redis: ...connected and usable")
    s.becomes(200)
    assert s.send(used).status == 429


def test_texts_that_the_redis_recipe_names_exist():
    source = (ROOT / "src/fetch/redis_reply.c").read_text()
    section = PAGE.sections["Redis is down or slow"]
    named = section[section.index("The text after the port"):
                    section.index("**First aid")]
    texts = re.findall(r"`([^`]+)`", named)
    assert len(texts) == 5
    for text in texts:
        assert '"%s' % " ".join(text.split()) in source, text


def test_redis_was_emptied(shop, redis):
    s = redis_shop(shop, redis)
    s.becomes(200)
    recipe = s.recipe("Redis was emptied")
    early = s.request()
    used = s.request()
    assert s.send(used).status == 200
    redis.command("FLUSHALL")
    assert s.send(early).status == 503
    wait_for("the store to be cold", lambda: "reason=nonce-store-cold" in (
        s.send(early), s.machine.error_log)[1])
    recipe.symptom()
    fresh = s.metric('web_bot_auth_nonce_answers_total{answer="fresh"}')
    s.becomes(200)
    assert s.metric(
        'web_bot_auth_nonce_answers_total{answer="fresh"}') > fresh
    recipe.helped()
    assert s.send(used).status in (429, 503)


def test_a_name_that_does_not_resolve_keeps_nginx_from_starting(shop):
    s = shop(store="redis://redis.absent.example", start=False)
    s.machine.expect("redis.absent.example")
    passed, output = s.machine.test()
    assert not passed and "host not found" in output


# Clocks

@pytest.mark.parametrize("file", ["", " file=/run/nonces"])
def test_our_clock_is_wrong(shop, file):
    """An hour ahead, while agents' requests come in."""
    s = shop(files={"zone": "web_bot_auth_zone 16m%s;" % file})
    s.becomes(200)
    recipe = s.recipe("Our clock is wrong")
    table = s.machine.names.dir / "table"
    s.machine.script("chronyc", "sed 's/^wall .*/wall 0/' %s > %s.2 && mv "
                     "%s.2 %s && echo 200 OK" % ((table,) * 4))
    s.machine.names.turn(HOUR)
    s.becomes(403)
    recipe.symptom()

    def signed_by_it():
        late = int(time.time()) + HOUR
        return s.ask(created=late, expires=late + 300)

    # Somebody's clock is wrong, too: the table has seen that hour.
    wait_for("a nonce of that hour", lambda: signed_by_it() == 200)
    aid = recipe.blocks("First aid")
    s.walk.block(aid[0])
    s.machine.names.wall = 0
    s.becomes(503)
    s.logged("[notice] ... web_bot_auth: request refused, "
             "reason=nonce-store-cold ...")
    s.machine.put(aid[1].file, aid[1].text.replace("17m;", "17m%s;" % file))
    s.walk.block(aid[2])
    s.becomes(200)
    recipe.helped()


def test_our_clock_is_behind(shop):
    s = shop()
    s.becomes(200)
    s.machine.names.turn(-HOUR)
    s.becomes(403)
    s.logged("[notice] ... web_bot_auth: request refused, "
             "reason=clock-ahead ...")
    s.machine.names.turn(HOUR)
    s.becomes(200)      # nothing else is to be done


def test_an_agents_clock_is_wrong(shop):
    s = shop()
    s.becomes(200)
    recipe = s.recipe("An agent's clock is wrong")

    def ahead():
        now = int(time.time())
        return s.ask(created=now + 57, expires=now + 340)

    assert ahead() == 403
    recipe.symptom()
    recipe.first_aid()
    wait_for("it to be borne with", lambda: ahead() == 200)
    recipe.helped()
    # Of what follows the page warns.
    assert s.ask() == 503
    s.logged("[notice] ... web_bot_auth: request refused, "
             "reason=nonce-store-cold ...")
    s.advance(61, wall=61)
    now = int(time.time()) + 61
    s.becomes(200, created=now, expires=now + 300)
