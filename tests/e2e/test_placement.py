"""Who is asked first: priorities, zones, and what overflows from one to the next."""
import math
import re
from collections import Counter

import pytest

from gate import Gate
from process import run
from servers import Client, RefusingServer, get
from test_ctl import Ctl
from test_explain import explain_running
from weir import BINARY, backend, config, listener, tcp_listener, write_config

REQUESTS = 4000  # of one run of h2load


@pytest.fixture
def servers(nginx):
    """A, B, C and D."""
    return [nginx(name) for name in "ABCD"]


def placed(servers, key, values, **settings):
    """A backend whose servers have these values, of `priority` or `zone`."""
    made = backend(*servers, **settings)
    for server, value in zip(made["servers"], values):
        server[key] = value
    return made


def levels(servers, **settings):
    """A and B come before C and D."""
    return placed(servers, "priority", [0, 0, 1, 1], **settings)


def serve(start, pool, **top):
    return start(config(listener(access_log={"format": "off"}), backends=[pool], **top))


def ctl(weir, *arguments):
    return Ctl("%s:%d" % weir.admin_address).table(*arguments)


def shares(weir):
    """What part of a run of h2load each server gets, of which no request fails."""
    def attempts():
        metrics = weir.metrics()
        return {name: metrics.value("weir_server_attempts_total", server=server)
                for name, server in zip("ABCD", ("s1", "s2", "s3", "s4"))}
    before = attempts()
    done = run(["h2load", "--h1", "-n", REQUESTS, "-c", 10, "-t", 1, weir.url("/name")])
    assert re.search(rf"status codes: {REQUESTS} 2xx, 0 3xx, 0 4xx, 0 5xx", done.stdout), done.stdout
    weir.wait_for_metric(sum(before.values()) + REQUESTS, "weir_server_attempts_total")
    return {name: (count - before[name]) / REQUESTS for name, count in attempts().items()}


def assert_share(share, expected):
    """Within six standard deviations; exactly, where chance has no choice."""
    assert abs(share - expected) <= 6 * math.sqrt(expected * (1 - expected) / REQUESTS), (
        share, expected)


def names(weir, count=40):
    with Client(weir.address()) as client:
        return Counter(client.get("/name").body.decode().strip() for _ in range(count))


# ---- Priorities

@pytest.mark.parametrize("overflow, kept", [(1.4, 0.7), (1, 0.5), (2, 1)])
def test_a_priority_keeps_what_it_can_take(start, servers, overflow, kept):
    weir = serve(start, levels(servers, overflow=overflow))
    assert shares(weir) == {"A": 0.5, "B": 0.5, "C": 0, "D": 0}
    ctl(weir, "server", "web/s1", "disable")
    got = shares(weir)
    assert_share(got["B"], kept)
    assert got["A"] == 0
    assert abs(got["C"] - got["D"]) < 2 / REQUESTS
    ctl(weir, "server", "web/s2", "drain")
    assert shares(weir) == {"A": 0, "B": 0, "C": 0.5, "D": 0.5}
    for server in ("web/s1", "web/s2"):
        ctl(weir, "server", server, "enable")
    assert shares(weir) == {"A": 0.5, "B": 0.5, "C": 0, "D": 0}


def test_weights_say_how_much_of_a_priority_is_left(start, servers):
    weir = serve(start, levels(servers, weights=[3, 1, 1, 1]))
    ctl(weir, "server", "web/s2", "disable")  # three quarters are enough for all
    assert shares(weir)["A"] == 1
    ctl(weir, "server", "web/s2", "enable")
    ctl(weir, "server", "web/s1", "disable")
    assert_share(shares(weir)["B"], 1.4 / 4)
    ctl(weir, "server", "web/s2", "weight", "9")
    assert shares(weir)["B"] == 1


def test_weights_and_priorities_change_while_it_runs(start, servers):
    weir = serve(start, levels(servers))
    ctl(weir, "server", "web/s1", "weight", "3")
    assert names(weir) == {"A": 30, "B": 10}
    ctl(weir, "server", "web/s1", "weight", "0")
    assert names(weir) == {"B": 40}
    weir.reload(config(listener(access_log={"format": "off"}),
                       backends=[placed(servers, "priority", [3, 2, 0, 0], weights=[1, 1, 3, 1])]))
    assert names(weir) == {"C": 30, "D": 10}


def test_who_refuses_is_replaced_by_the_next_priority(start, servers):
    pool = levels(servers, refused_pause="1h")
    pool["servers"][3]["backup"] = True
    weir = serve(start, pool)
    servers[0].close()
    assert names(weir) == {"B": 40}  # who is left of a priority comes before the next one
    servers[1].close()
    assert names(weir) == {"C": 40}
    servers[2].close()
    assert names(weir) == {"D": 40}  # backups come last, whatever their priority
    servers[3].close()
    assert get(weir).status == 502
    for server in range(1, 5):
        ctl(weir, "server", f"web/s{server}", "disable")
    response = get(weir)
    assert response.status == 503
    assert b"reason: no_server" in response.body


def test_full_servers_overflow_before_anybody_waits(start, serve, ends, nginx):
    gate = ends(Gate())
    pool = placed([serve("first", gate), nginx("next")], "priority", [0, 1])
    pool["servers"][0]["maxconn"] = 1
    weir = start(config(listener(), backends=[pool]))
    held = ends(Client(weir.address()))
    held.request(target="/held")
    gate.wait_for(1)
    assert names(weir, 5) == {"next": 5}
    gate.let()
    assert held.read_response().status == 200


def test_connections_go_by_priority_too(start, servers, ends):
    refusing = [ends(RefusingServer()), ends(RefusingServer())]
    weir = start(config(tcp_listener(backend="web"),
                        backends=[levels([*refusing, *servers[2:]])]))
    assert set(names(weir, 1)) <= {"C", "D"}


@pytest.mark.parametrize("balance", ["least_connections", "random", "power_of_two", "least_time",
                                     "hash", "first"])
def test_priorities_come_before_the_algorithm(start, servers, balance):
    weir = serve(start, levels(servers, balance=balance))
    assert set(names(weir)) <= {"A", "B"}
    for server in ("web/s1", "web/s2"):
        ctl(weir, "server", server, "disable")
    assert set(names(weir)) <= {"C", "D"}


def test_a_key_keeps_its_server_while_its_priority_overflows(start, servers):
    pool = levels(servers, balance={"hash": {"key": "${request.query.user}"}})
    weirs = [serve(start, pool, workers=workers) for workers in (1, 2)]
    for weir in weirs:
        ctl(weir, "server", "web/s1", "disable")
    found = {user: {get(weir, f"/name?user={user}").body for weir in weirs for _ in range(5)}
             for user in range(40)}
    assert {len(names) for names in found.values()} == {1}
    assert set().union(*found.values()) == {b"B\n", b"C\n", b"D\n"}


def test_explain_says_that_another_priority_comes_first(start, servers):
    weir = serve(start, levels(servers))
    said = explain_running(weir, "GET", weir.url())[1]
    assert "\nserver s1 (" in said and ", the first of s1 s2 s1 s2 " in said, said
    for reserve in ("s3", "s4"):
        assert f"\n not {reserve}: another priority, zone, subset or place comes first " in said, said
    for server in ("web/s1", "web/s2"):
        ctl(weir, "server", server, "disable")
    said = explain_running(weir, "GET", weir.url())[1]
    assert "\n not s1: disabled " in said and ", the first of s3 s4 " in said, said


# ---- Zones

def zones(servers, cross_zone, **settings):
    """A and B are here, C and D elsewhere."""
    return placed(servers, "zone", ["here", "here", "there", "there"], cross_zone=cross_zone,
                  **settings)


def test_with_always_zones_mean_nothing(start, servers):
    assert set(shares(serve(start, zones(servers, "always"), zone="here")).values()) == {0.25}


def test_with_overflow_other_zones_get_what_is_too_much(start, servers):
    weir = serve(start, zones(servers, "overflow"), zone="here")
    assert shares(weir) == {"A": 0.5, "B": 0.5, "C": 0, "D": 0}
    ctl(weir, "server", "web/s1", "disable")
    assert_share(shares(weir)["B"], 0.7)
    ctl(weir, "server", "web/s2", "disable")
    assert shares(weir) == {"A": 0, "B": 0, "C": 0.5, "D": 0.5}


def test_with_never_they_get_nothing_whatever_happens(start, servers):
    weir = serve(start, zones(servers, "never", refused_pause="1h"), zone="here")
    assert names(weir) == {"A": 20, "B": 20}
    assert "\n not s3: of another zone (cross_zone: never) " in explain_running(
        weir, "GET", weir.url())[1]
    for server in servers[:2]:
        server.close()
    assert get(weir, "/name").status == 502
    for server in ("web/s1", "web/s2"):
        ctl(weir, "server", server, "disable")
    assert get(weir, "/name").status == 503
    assert servers[2].access_log() == servers[3].access_log() == []


def test_each_weir_has_its_own_zone(start, servers):
    pool = zones(servers, "never")
    assert names(serve(start, pool, zone="here")) == {"A": 20, "B": 20}
    assert names(serve(start, pool, zone="there")) == {"C": 20, "D": 20}


def test_within_a_priority_the_own_zone_comes_first(start, servers):
    pool = zones(servers, "overflow")
    pool["servers"][1]["priority"] = pool["servers"][3]["priority"] = 1
    weir = serve(start, pool, zone="here")
    for expected in "ACBD":
        assert names(weir) == {expected: 40}
        ctl(weir, "server", f"web/s{'ABCD'.index(expected) + 1}", "disable")


def test_cross_zone_is_switched_by_a_reload(start, servers):
    def configuration(cross_zone):
        return config(listener(), backends=[zones(servers, cross_zone)], zone="here")
    weir = start(configuration("never"))
    assert names(weir) == {"A": 20, "B": 20}
    weir.reload(configuration("always"))
    assert names(weir) == {"A": 10, "B": 10, "C": 10, "D": 10}


# ---- Bad configurations

GOOD = """\
zone: berlin
listeners:
  - { name: web, address: "127.0.0.1:0", backend: web }
backends:
  - name: web
    cross_zone: overflow
    overflow: 1.5
    servers:
      - { name: s1, zone: berlin, address: 127.0.0.1:1, priority: 1 }
      - { name: s2, zone: paris, address: 127.0.0.1:2 }
"""


def check(folder, text):
    done = run([BINARY, "check", "-c", write_config(folder, text).name], cwd=folder)
    return done.returncode, done.stdout + done.stderr


def test_good_zones_are_ok(tmp_path):
    assert check(tmp_path, GOOD) == (0, "weir.yaml: ok\n")


PROBLEMS = [
    ("zone: berlin\n", "zone: berln\n",
     "6:17: error: no server of backend 'web' is in the zone 'berln' of this process (did you mean "
     "'berlin'?)"),
    ("zone: berlin\n", "workers: 1\n",
     "6:17: error: cross_zone needs 'zone' at the top: where this process runs"),
    ("zone: paris, ", "",
     "10:17: error: server 's2' has no 'zone', and cross_zone goes by it"),
    ("cross_zone: overflow", "cross_zone: sometimes",
     "6:17: error: expected one of always, overflow, never, found 'sometimes'"),
    ("overflow: 1.5", "overflow: 0.5", "7:15: error: expected a number from 1 to 100, found '0.5'"),
    ("priority: 1 ", "priority: 16 ",
     "9:67: error: expected a whole number from 0 to 15, found '16'"),
    ("priority: 1 ", "priority: -1 ",
     "9:67: error: expected a whole number from 0 to 15, found '-1'"),
    ("priority: 1 ", "priorty: 1 ",
     "9:57: error: unknown key 'priorty' (did you mean 'priority'?)"),
]


@pytest.mark.parametrize("old, new, expected", PROBLEMS, ids=[str(case[:2]) for case in PROBLEMS])
def test_a_problem_has_its_place_and_says_what_was_expected(tmp_path, old, new, expected):
    assert GOOD.count(old) == 1
    code, said = check(tmp_path, GOOD.replace(old, new))
    assert code == 1
    errors = [line for line in said.splitlines() if line.startswith("weir.yaml:")]
    assert errors == [f"weir.yaml:{expected}"]
