"""A route's traffic in shares: canaries, blue-green switches, and users who stay where they are."""
import collections
import math
import re

import pytest

from process import Process, run
from servers import Client, get
from test_ctl import Ctl
from weir import BINARY, backend, config, listener, tcp_listener, write_config

REQUESTS = 4000  # of one run of h2load


def split(*weights, **settings):
    """A route of the groups `old` and `new`."""
    groups = [{"backend": "old", "weight": weights[0]}]
    if len(weights) > 1:
        groups.append({"backend": "web-2", "weight": weights[1], "name": "new"})
    return {"split": groups, **settings}


@pytest.fixture
def pools(nginx):
    """The backends `old` and `web-2`, of an nginx each."""
    return [backend(nginx("old"), name="old"), backend(nginx("new"), name="web-2")]


@pytest.fixture
def two(serve):
    """The same of scripted servers."""
    return [backend(serve("old"), name="old"), backend(serve("new"), name="web-2")]


def one_route(pools, route, **settings):
    return config(listener(routes=[route], **settings), backends=pools)


def groups_of(weir, metric="weir_group_requests_total", **labels):
    """Requests by group, so far."""
    metrics = weir.metrics()
    return {group: int(metrics.value(metric, group=group, **labels)) for group in ("old", "new")}


def load(weir):
    """h2load, of which no request fails."""
    return Process(["h2load", "--h1", "-n", REQUESTS, "-c", 20, "-t", 1, weir.url("/name")])


def assert_none_failed(process):
    assert process.wait() == 0, process.stderr.whole_text()
    said = process.stdout.whole_text()
    assert re.search(rf"{REQUESTS} succeeded, 0 failed, 0 errored, 0 timeout", said), said
    assert re.search(rf"status codes: {REQUESTS} 2xx, 0 3xx, 0 4xx, 0 5xx", said), said


def share_under_load(weir):
    """The part of a run's requests that the group `new` gets."""
    before = groups_of(weir)
    assert_none_failed(load(weir))
    weir.wait_for_metric(sum(before.values()) + REQUESTS, "weir_group_requests_total")
    return (groups_of(weir)["new"] - before["new"]) / REQUESTS


def assert_share(share, expected):
    """Within six standard deviations; exactly, where chance has no choice."""
    deviation = math.sqrt(expected * (1 - expected) / REQUESTS)
    assert abs(share - expected) <= 6 * deviation, (share, expected)


# ---- Shares

@pytest.mark.parametrize("change", ["reload", "ctl"])
def test_a_canary_grows_in_steps_under_load(start, pools, change):
    weir = start(one_route(pools, split(95, 5), access_log={"format": "off"}) | {"workers": 2})
    assert_share(share_under_load(weir), 0.05)
    for old, new in [(90, 10), (50, 50), (10, 90), (0, 100)]:
        running = load(weir)
        if change == "reload":
            weir.reload(one_route(pools, split(old, new), access_log={"format": "off"})
                        | {"workers": 2})
        else:
            ctl(weir).table("split", "web", "1", f"old={old}", f"new={new}")
        assert_none_failed(running)
        weir.wait_for_metric(0, "weir_listener_connections_open")
        assert_share(share_under_load(weir), new / (old + new))
    weir.wait_for_metric(0, "weir_errors_total")


def test_blue_green_in_one_switch_and_back(start, pools):
    weir = start(one_route(pools, split(1, 0)))
    with Client(weir.address()) as client:
        for weights, name in [((0, 1), b"new\n"), ((1, 0), b"old\n"), ((0, 1), b"new\n")]:
            running = load(weir)
            weir.reload(one_route(pools, split(*weights)))
            # On the connection that was there, from the very next request on.
            assert [client.get("/name").body for _ in range(20)] == [name] * 20
            assert_none_failed(running)
    weir.wait_for_metric(0, "weir_errors_total")


def test_a_gradual_rollout_of_nine_to_one(start, pools):
    weir = start(one_route(pools, split(9, 1), access_log={"format": "off"}))
    assert_share(share_under_load(weir), 0.1)


def test_by_the_id_of_the_request_it_is_a_true_share(start, pools):
    weir = start(one_route(pools, split(95, 5, split_key="${request.id}"),
                           request_id="X-Request-Id", access_log={"format": "off"}))
    assert_share(share_under_load(weir), 0.05)
    assert groups_of(weir, "weir_group_without_key_total") == {"old": 0, "new": 0}


# ---- Users

def ask_as(weir, user):
    return get(weir, fields=[("Cookie", f"user={user}")]).body


def test_a_user_stays_in_the_group(start, two):
    route = split(90, 10, split_key="${request.cookie.user}")
    weir = start(one_route(two, route) | {"workers": 2})
    users = range(200)
    groups = {user: ask_as(weir, user) for user in users}
    assert 4 <= collections.Counter(groups.values())[b"new"] <= 50
    chosen = [next(u for u in users if groups[u] == body) for body in (b"old", b"new")]
    for user in chosen:
        assert {ask_as(weir, user) for _ in range(100)} == {groups[user]}
    weir.reload(one_route(two, route, timeouts={"keep_alive": "9s"}) | {"workers": 2})
    assert {user: ask_as(weir, user) for user in users} == groups


def test_a_growing_group_takes_users_in_and_loses_none(start, two):
    def by_cookie(*weights):
        return one_route(two, split(*weights, split_key="${request.cookie.user}"))
    weir = start(by_cookie(90, 10))
    before = {user: ask_as(weir, user) for user in range(200)}
    weir.reload(by_cookie(70, 30))
    after = {user: ask_as(weir, user) for user in range(200)}
    moved = {(before[user], after[user]) for user in before if before[user] != after[user]}
    assert moved == {(b"old", b"new")}


def test_without_a_key_chance_decides_and_that_is_counted(start, two):
    weir = start(one_route(two, split(50, 50, split_key="exp1-${request.cookie.user}")))
    assert {get(weir).body for _ in range(64)} == {b"old", b"new"}
    weir.wait_for_metric(64, "weir_group_without_key_total")
    assert len({ask_as(weir, "alice") for _ in range(64)}) == 1
    assert weir.metrics().value("weir_group_without_key_total") == 64


def test_the_key_may_be_the_client_that_a_trusted_proxy_names(start, two):
    weir = start(one_route(two, split(50, 50, split_key="${client.address}"),
                           trusted_proxies=["127.0.0.0/8"]))
    def ask_for(client):
        return get(weir, fields=[("X-Forwarded-For", client)]).body
    clients = [f"192.0.2.{number}" for number in range(64)]
    groups = [ask_for(client) for client in clients]
    assert set(groups) == {b"old", b"new"}
    assert [ask_for(client) for client in clients] == groups


# ---- What is seen of groups

def test_groups_can_be_compared(start, serve, two):
    def fail(connection, _):
        connection.answer(b"oh", status=500)
    two[1] = backend(serve("bad", fail), name="web-2")
    routes = [{"match": {"path": "/x"}, "backend": "old"},
              split(1, 1, split_key="${request.query.user}",
                    filters=[{"headers": {"response": [
                        {"set": "X-Group", "value": "${route.group}"}]}}])]
    log = {"format": "${route.group} ${response.status} ${backend.name}", "path": "access.log"}
    weir = start(config(listener(routes=routes, access_log=log), backends=two))
    seen = collections.Counter()
    for user in range(50):
        response = get(weir, f"/?user={user}")
        seen[response.field("X-Group")] += 1
        assert response.status == (200 if response.field("X-Group") == "old" else 500)
    assert seen["old"] > 0 and seen["new"] > 0
    for metric in ("weir_group_requests_total", "weir_group_request_duration_seconds_count"):
        weir.wait_for_metric(50, metric, listener="web", route="2")
    assert groups_of(weir) == seen
    assert groups_of(weir, "weir_group_responses_total", **{"class": "5xx"}) == {
        "old": 0, "new": seen["new"]}
    assert groups_of(weir, "weir_group_request_duration_seconds_count") == seen
    assert get(weir, "/x").status == 200
    lines = collections.Counter(weir.log_lines(51))
    assert lines == {"old 200 old": seen["old"], "new 500 web-2": seen["new"], "- 200 old": 1}


def test_counters_outlive_a_change_of_weights(start, two):
    weir = start(one_route(two, split(1, 0)))
    assert get(weir).status == 200
    weir.wait_for_metric(1, "weir_group_requests_total", group="old")
    weir.reload(one_route(two, split(0, 1)))
    assert get(weir).status == 200
    weir.wait_for_metric(2, "weir_group_requests_total")
    assert groups_of(weir) == {"old": 1, "new": 1}


def test_filters_and_timeouts_are_those_of_the_groups_backend(start, two):
    two[1]["filters"] = [{"headers": {"response": [{"set": "X-From", "value": "new"}]}}]
    weir = start(one_route(two, split(0, 1)))
    assert get(weir).field("X-From") == "new"
    weir.reload(one_route(two, split(1, 0)))
    assert get(weir).field("X-From") is None


def test_a_listener_without_routes_may_be_split(start, two):
    weir = start(config(without_backend(listener(**split(0, 1))), backends=two))
    assert get(weir).body == b"new"


def without_backend(settings):
    return {key: value for key, value in settings.items() if key != "backend"}


def test_tunnels_are_split_by_their_client(start, script):
    def greet(name):
        def serve_one(connection):
            connection.send(name)
        return script(serve_one)
    pools = [backend(greet("old"), name="old"), backend(greet("new"), name="web-2")]
    log = {"format": "${route.group} ${backend.name}", "path": "access.log"}
    settings = without_backend(tcp_listener(
        access_log=log, **split(50, 50, split_key="${client.address}")))
    weir = start(config(settings, backends=pools))

    def greeting(source):
        with Client(weir.address(), source=source) as client:
            return client.read_to_end()
    sources = [f"127.0.0.{number}" for number in range(2, 34)]
    greetings = [greeting(source) for source in sources]
    assert set(greetings) == {b"old", b"new"}
    assert [greeting(source) for source in sources] == greetings
    weir.wait_for_metric(64, "weir_group_requests_total", listener="db", route="1")
    assert groups_of(weir) == {"old": 2 * greetings.count(b"old"),
                               "new": 2 * greetings.count(b"new")}
    assert set(weir.log_lines(64)) == {"old old", "new web-2"}


def test_explain_says_the_group_that_a_request_gets(start, two):
    weir = start(one_route(two, split(60, 40, split_key="${request.cookie.user}")))
    admin = "http://%s:%d" % weir.admin_address
    for user in range(20):
        done = run([BINARY, "explain", "--admin", admin, "-H", f"Cookie: user={user}", "GET",
                    weir.url()])
        assert done.returncode == 0, done.stderr
        group = re.search(rf"^group +(\w+): split_key '{user}' is at ", done.stdout, re.MULTILINE)
        assert group, done.stdout
        assert ask_as(weir, user).decode() == group[1]


# ---- Weights at run time

def ctl(weir):
    return Ctl("http://%s:%d" % weir.admin_address)


def test_weights_are_set_until_the_file_says_other_ones(start, two):
    weir = start(one_route(two, split(1, 0)))
    assert ctl(weir).table("routes")[0][2:-1] == ["any", "request", "old", "1,", "new", "0"]
    with Client(weir.address()) as client:
        assert client.get().body == b"old"
        weir.wait_for_metric(1, "weir_group_requests_total")
        rows = ctl(weir).table("split", "web", "1", "old=0", "new=7")
        assert rows == [["old", "old", "0", "1", "weight", "1", "in", "the", "file"],
                        ["new", "web-2", "7", "0", "weight", "0", "in", "the", "file"]]
        assert client.get().body == b"new"
        report = weir.reload(one_route(two, split(1, 0), timeouts={"keep_alive": "9s"}))
        assert report["warnings"] == [
            "route 1 of listener 'web' keeps the weights of its split that were set at run time"]
        assert client.get().body == b"new"
        weir.reload(one_route(two, split(2, 0)))
        assert client.get().body == b"old"
    assert [row[2] for row in ctl(weir).table("split", "web", "1")] == ["2", "0"]


def test_other_changes_keep_set_weights(start, two, serve):
    weir = start(one_route(two, split(1, 0)))
    ctl(weir).table("split", "web", "1", "old=0", "new=1")
    ctl(weir).table("add", "old/another", serve("another").address)
    assert get(weir).body == b"new"


@pytest.mark.parametrize("arguments, message", [
    (["wbe", "1", "old=1"], "no listener 'wbe' (did you mean 'web'?)"),
    (["web", "2", "old=1"], "no route '2' of listener 'web': they are numbered from 1 to 1"),
    (["web", "1", "odl=1"], "no group 'odl' in the split (did you mean 'old'?)"),
    (["web", "1", "old=0", "new=0"], "no group of the split would have a weight above 0"),
])
def test_what_cannot_be_set_is_said(start, two, arguments, message):
    weir = start(one_route(two, split(1, 0)))
    assert message in ctl(weir).refused("split", *arguments)
    assert get(weir).body == b"old"


# ---- Bad configurations

GOOD = """\
listeners:
  - name: web
    address: 127.0.0.1:0
    routes:
      - split:
          - { backend: old, weight: 9 }
          - { backend: new, weight: 1 }
        split_key: "${request.cookie.user}"
backends:
  - { name: old, servers: [ { name: s, address: 127.0.0.1:1 } ] }
  - { name: new, servers: [ { name: s, address: 127.0.0.1:1 } ] }
"""


def check(folder, text):
    done = run([BINARY, "check", "-c", write_config(folder, text).name], cwd=folder)
    return done.returncode, done.stdout + done.stderr


def test_a_good_split_is_ok(tmp_path):
    assert check(tmp_path, GOOD) == (0, "weir.yaml: ok\n")


EXPECTED_KEY = "8:20: error: expected text with values such as '${request.cookie.user}', found "
PROBLEMS = [
    ("backend: new", "backend: nwe", "7:24: error: unknown backend 'nwe' (did you mean 'new'?)"),
    ("backend: new", "backend: old",
     "7:24: error: duplicate group 'old'; the first one is in line 6"),
    ("backend: new", "name: old, backend: new",
     "7:21: error: duplicate group 'old'; the first one is in line 6"),
    ("backend: new, ", "", "7:13: error: missing key 'backend'"),
    ("weight: 1 ", "weight: 65536 ",
     "7:37: error: expected a whole number from 0 to 65535, found '65536'"),
    ("weight: 1 ", "wieght: 1 ", "7:29: error: unknown key 'wieght' (did you mean 'weight'?)"),
    ("weight: 9", "weight: 0", None),
    ("request.cookie.user", "request.cokie.user",
     EXPECTED_KEY + "'${request.cokie.user}': unknown value 'request.cokie.user' (did you mean "
     "'request.cookie.user'?)"),
    ("request.cookie.user", "backend.name",
     EXPECTED_KEY + "'${backend.name}': 'backend.name' is not known before the route"),
    ("${request.cookie.user}", "all",
     EXPECTED_KEY + "'all': without a value in it everybody would be in one group"),
    ("        split_key", "        backend: old\n        split_key",
     "6:13: error: either 'backend' or 'split' may be written, not both"),
    ("      - split:\n          - { backend: old, weight: 9 }\n          - { backend: new, "
     "weight: 1 }\n", "      - backend: old\n",
     "6:20: error: split_key without split: there is nothing to choose from"),
]


@pytest.mark.parametrize("old, new, expected", PROBLEMS, ids=[str(case[:2]) for case in PROBLEMS])
def test_a_problem_has_its_place_and_says_what_was_expected(tmp_path, old, new, expected):
    assert GOOD.count(old) == 1
    code, said = check(tmp_path, GOOD.replace(old, new))
    assert code == (0 if expected is None else 1), said
    errors = [line for line in said.splitlines() if line.startswith("weir.yaml:")]
    assert errors == [f"weir.yaml:{expected}" if expected else "weir.yaml: ok"]


def test_a_split_in_which_nobody_gets_anything(tmp_path):
    text = GOOD.replace("weight: 9", "weight: 0").replace("weight: 1 ", "weight: 0 ")
    code, said = check(tmp_path, text)
    assert code == 1
    assert "weir.yaml:6:13: error: no group of the split has a weight above 0" in said


def test_a_tunnel_has_no_request_to_take_a_key_from(tmp_path):
    code, said = check(tmp_path, GOOD.replace("    routes:\n      - split", "    protocol: tcp\n"
                                              "    split").replace("        split_key",
                                                                   "    split_key"))
    assert code == 1
    assert ("weir.yaml:8:16: error: a listener with protocol: tcp has no 'request.cookie.': it "
            "knows client.address, client.port, listener.name and listener.port") in said
