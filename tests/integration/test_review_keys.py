# SPDX-License-Identifier: BSD-2-Clause
"""What a reader of the key machinery found wrong, once each."""

import socket
import threading
import time

from harness.client import Connection
from harness.expect import expect, seen
from harness.nginx import wait_for
from harness.shops import Found
from harness.signer import Key, jwks
from harness.tls import Authority


def test_a_client_leaves_while_post_action_waits_as_well(shop, names):
    """post_action brings a waiting request back: it must not wait twice."""
    s = shop(names=names, WORKERS=1, MORE="post_action /optional/;")
    s.loaded()
    s.serve(hang=True)
    s.advance(301)
    stranger = Key()
    for _ in range(6):
        for c in s.waiting([s.request(key=stranger, target="/optional/")]):
            c.close()
        time.sleep(0.1)
    s.directory.release()
    time.sleep(0.5)
    for _ in range(20):
        expect(s.ask(), "ok")
    time.sleep(1)
    expect(s.ask(), "ok")


def test_all_waits_of_a_request_share_one_allowance(shop, names):
    """It waits, is answered, and waits again in error_page's location."""
    hang = socket.create_server(("127.0.0.1", 0), backlog=50)
    s = shop({"status": 500, "delay": 0.4}, names=names, WORKERS=1, WAIT="1s",
             TIMEOUT="8s", MORE="""
        server {
            listen 127.0.0.1:%%PORT_B%%;
            server_name shop.test;
            error_page 504 = /again/;
            location / {
                web_bot_auth optional;
                proxy_pass http://127.0.0.1:{H};
                proxy_read_timeout 3s;
            }
            location /again/ { web_bot_auth on; %%OK%% }
        }""".replace("{H}", str(hang.getsockname()[1])))
    before = s.count()
    wait_for("a fetch to begin", lambda: s.count() > before)
    later = threading.Timer(1.5, s.serve, kwargs={"hang": True, "delay": 0})
    later.start()
    since = time.monotonic()
    with Connection(s.nginx.port("PORT_B")) as c:
        c.send(s.request())
        expect(c.receive(), "directory-unavailable")
    assert time.monotonic() - since < 5.5   # 0.4 s, 3 s, what is left of 1 s
    later.join()
    hang.close()


def test_sets_of_settings_before_make_room(shop, names):
    """Each reload with other settings takes another place in the zone."""
    keys = [Key() for _ in range(3000)]
    s = shop(names=names, WORKERS=1, SIZE="1m",
             BOUNDS="max_size %%SIZE%%; max_keys 10000;")
    s.serve(body=jwks(s.key, *keys))
    s.advance(90000)
    s.loaded()
    for i in range(2, 10):
        s.nginx.values["SIZE"] = "%dm" % i
        s.nginx.configure(s.template)
        s.nginx.reload(wait_old=True)
        s.becomes("ok")
        expect(s.ask(key=keys[-1]), "ok")
    assert "do not fit" not in s.nginx.error_log


def test_made_up_paths_do_not_keep_allowed_agents_out(shop, names, directory):
    good = Found(directory, names, "good.agents.test")
    known = Found(directory, names, "n1.agents.test")
    s = shop.discovering(
        names, "allow https://good.agents.test https://n1.agents.test; "
        "new_per_minute 5;")
    for i in range(12):
        reason = seen(s.send(known.request(
            field='sig1="https://n1.agents.test/p%d"' % i)))[0]
    assert reason == "discovery-limit"
    expect(s.send(good.request()), "ok")
    expect(s.send(known.request()), "ok")


def test_large_sets_of_strangers_leave_room_for_small_ones(shop, names,
                                                           directory):
    small = [Found(directory, names, "n%d.agents.test" % i)
             for i in range(40, 43)]
    large = [Found(directory, names, "n%d.agents.test" % i, path="/k")
             for i in range(20)]
    s = shop.discovering(names, "any; new_per_minute 100;", WORKERS=1)
    for agent in large:
        agent.serve(body=jwks(agent.key, *[
            Key().jwk(kid="k%d-" % i + "x" * 490) for i in range(99)]))
    for agent in large + small:
        seen(s.send(agent.request()))
    for agent in small:
        expect(s.send(agent.request()), "ok")


def test_keys_by_a_certificate_that_is_not_trusted_any_more(shop, names,
                                                            tmp_path):
    s = shop(names=names, WORKERS=1, WAIT="200ms")
    s.loaded()
    folder = s.nginx.dir / "other-ca"
    s.nginx.values["CA"] = Authority(folder, "another CA").ca
    s.nginx.configure(s.template)
    s.nginx.reload(wait_old=True)
    expect(s.ask(), "directory-unavailable")


def test_a_scheme_that_asks_for_what_depends_on_it(shop, names):
    s = shop(names=names, WORKERS=1, MORE="""
        map $web_bot_auth_tag$web_bot_auth_claimed_tag $odd {
            volatile; default http; x https;
        }
        web_bot_auth_scheme $odd;""")
    s.loaded()
    request = s.request(components=("@authority", "@path", "@scheme"))
    expect(s.send(request), "ok")
    expect(s.send(request), "nonce-replayed")


def test_floods_by_all_workers_stay_within_the_allowance(shop, names,
                                                         directory):
    """Workers have clocks of their own, some milliseconds apart."""
    found = [Found(directory, names, "n%d.agents.test" % i, status=404)
             for i in range(60)]
    s = shop.discovering(names, "any; new_per_minute 5; concurrent 60;",
                         WORKERS=4)

    def burst(agents):
        for agent in agents:
            s.send(agent.request("/optional/"))

    threads = [threading.Thread(target=burst, args=(found[i::8],))
               for i in range(8)]
    since = time.monotonic()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    more = 5 * (time.monotonic() - since) / 60
    assert sum(agent.count() for agent in found) <= 5 + more + 1
