"""Every algorithm before real servers; and what those that no other file tries are there for."""
import json
import re
import threading

import pytest

from gate import Gate
from process import DEADLINE_S, run, wait_until
from servers import Client, get
from test_explain import explain_running
from weir import BINARY, backend, config, listener, tcp_listener

ALGORITHMS = ["round_robin", "random", "power_of_two", "least_connections", "hash", "first",
              "least_time", "peak_ewma", "least_bandwidth", "resource", "adaptive", "utilization"]
BY_REPORTS = ["resource", "utilization"]
REQUESTS = 300


@pytest.fixture
def servers(nginx):
    return [nginx(name) for name in "ABC"]


@pytest.fixture
def gate(ends):
    return ends(Gate())


@pytest.fixture
def ask(ends, gate):
    """A client whose request is held by the server that it went to: ask(weir)."""
    def begin(weir):
        before = len(gate.targets)
        client = ends(Client(weir.address()))
        client.request()
        gate.wait_for(before + 1)
        return client
    return begin


def counts(servers):
    return [len(server.requests) for server in servers]


def load(weir, name):
    """h2load, all of whose requests are answered by a server."""
    done = run(["h2load", "--h1", "-n", REQUESTS, "-c", 10, "-t", 1, weir.url("/name", name)])
    assert re.search(rf"status codes: {REQUESTS} 2xx, 0 3xx, 0 4xx, 0 5xx", done.stdout), done.stdout


# ---- All of them

def test_these_are_all():
    schema = json.loads(run([BINARY, "schema"]).stdout)
    balance = schema["$defs"]["backends"]["properties"]["balance"]
    assert balance["anyOf"][0]["enum"] == ALGORITHMS


@pytest.mark.parametrize("balance", ALGORITHMS)
def test_it_serves_requests_and_connections_and_loses_none_with_a_server(start, servers, balance):
    settings = {}
    if balance in BY_REPORTS:
        settings["load_report"] = {"path": "/load", "interval": "100ms"}
        for number, server in enumerate(servers, start=1):
            (server.root / "load").write_text(json.dumps({"cpu": 10 * number}))
    weir = start(config(listener(access_log={"format": "off"}),
                        tcp_listener(backend="web", access_log={"format": "off"}),
                        backends=[backend(*servers, balance=balance, **settings)], workers=2))
    load(weir, "web")
    load(weir, "db")
    weir.wait_for_metric(REQUESTS + 10, "weir_server_attempts_total", backend="web")
    servers[0].close()
    load(weir, "web")
    load(weir, "db")
    weir.wait_for_metric(2 * REQUESTS, "weir_listener_responses_total", **{"class": "2xx"})


# ---- Those that look at servers

@pytest.mark.parametrize("balance", [
    "least_time", {"least_time": {"formula": "sum"}}, {"least_time": {"formula": "time"}},
    {"least_time": {"average": "window"}}, {"peak_ewma": {"decay": "100ms"}}])
def test_a_slow_server_is_avoided(start, serve, gate, ask, balance):
    slow, quick = serve("slow", gate), serve("quick")
    weir = start(config(listener(), backends=[backend(slow, quick, balance=balance)]))
    waiting = ask(weir)  # who was not measured yet gets one request, and no more until it answers
    bodies = [get(weir).body for _ in range(200)]
    gate.let()
    assert waiting.read_response().status == 200  # after as long as 200 of the other's took
    weir.wait_for_metric(0, "weir_server_leases")
    gate.let(1000)  # from now on it is quick, but who knows?
    bodies += [get(weir).body for _ in range(20)]
    assert set(bodies) == {b"quick"}
    said = explain_running(weir, "GET", weir.url())[1]
    assert "\nserver s2 (" in said and re.search(r"^ not s1: behind: score [\d.]+", said, re.M), said
    if "peak_ewma" in balance:  # the others wait for half a minute
        wait_until(lambda: get(weir).body == b"/", "it is tried again")


@pytest.mark.parametrize("measure, expected", [("header", b"early"), ("last_byte", b"/")])
def test_a_time_ends_with_the_header_or_with_the_last_byte(start, serve, ends, gate, ask, measure,
                                                           expected):
    """One server has the head early and the body last, one has both late, one is quick."""
    released = threading.Event()

    def answer_early(connection, request):
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        assert request.target != "/held" or released.wait(DEADLINE_S)
        connection.send("early")
    servers = [serve("early", answer_early), serve("late", gate), serve("quick")]
    weir = start(config(listener(), backends=[
        backend(*servers, balance={"least_time": {"measure": measure}})]))
    early = ends(Client(weir.address()))
    early.request(target="/held")
    early.read_head()
    late = ask(weir)
    for _ in range(200):  # that is how long it takes
        get(weir)
    gate.let()
    assert late.read_response().status == 200
    for _ in range(50):
        get(weir)
    released.set()
    assert early.read(5) == b"early"
    weir.wait_for_metric(0, "weir_server_leases")
    assert weir.api("PATCH", "/servers/web/s3", {"state": "disabled"})[0] == 200
    gate.let(1000)
    assert {get(weir).body for _ in range(20)} == {expected}


def test_first_fills_one_server_and_then_the_next(start, serve, gate, ask):
    servers = [serve(name, gate) for name in "ABC"]
    pool = backend(*servers, balance="first")
    for server in pool["servers"]:
        server["maxconn"] = 2
    weir = start(config(listener(), backends=[pool]))
    clients = []
    for expected in ([1, 0, 0], [2, 0, 0], [2, 1, 0], [2, 2, 0], [2, 2, 1]):
        clients.append(ask(weir))
        assert counts(servers) == expected
    said = explain_running(weir, "GET", weir.url())[1]
    assert "\nserver s3 (" in said, said
    for full in ("s1", "s2"):
        assert f"\n not {full}: at its maxconn (2) " in said, said
    gate.let(5)
    assert [client.read_response().status for client in clients] == [200] * 5
    weir.wait_for_metric(0, "weir_server_leases")
    ask(weir)
    assert counts(servers) == [3, 2, 1]


def test_least_connections_counts_connections_of_tcp(start, servers, ends):
    weir = start(config(tcp_listener(backend="web"), backends=[
        backend(*servers, weights=[2, 1, 1], balance="least_connections")]))

    def held():
        metrics = weir.metrics()
        return [metrics.value("weir_server_leases", server=f"s{number}") for number in (1, 2, 3)]

    def connect(count):
        clients = []
        for _ in range(count):
            clients.append(ends(Client(weir.address())))
            assert clients[-1].get("/name").status == 200
        return clients
    clients = connect(8)
    assert held() == [4, 2, 2]
    for client in clients:
        if client.get("/name").body == b"B\n":
            client.close()
    weir.wait_for_metric(0, "weir_server_leases", server="s2")
    connect(2)
    assert held() == [4, 2, 2]


# ---- Each backend has its own

def test_a_change_of_one_leaves_the_others_at_their_turn(start, servers):
    def configuration(balance):
        routes = [{"match": {"host": "other.example"}, "backend": "other"}, {"backend": "web"}]
        return config(listener(routes=routes), backends=[
            backend(*servers, balance=balance), backend(*servers, name="other")])

    def name(weir, host):
        return get(weir, "/name", host=host).body.decode().strip()
    weir = start(configuration("round_robin"))
    assert [name(weir, "other.example"), name(weir, "web.example")] == ["A", "A"]
    weir.reload(configuration("least_connections"))
    assert [name(weir, "web.example") for _ in range(3)] == ["A", "A", "A"]
    assert [name(weir, "other.example") for _ in range(3)] == ["B", "C", "A"]


# ---- All that explain has to say of a pick

def test_explain_names_group_key_server_and_who_is_out(start, serve):
    pool = backend(*(serve(name) for name in "ABCDE"), name="web-2", weights=[1, 1, 0, 1, 1],
                   balance={"hash": {"key": "${request.cookie.user}"}})
    pool["servers"][1]["priority"] = pool["servers"][4]["priority"] = 1
    pool["servers"][3]["backup"] = True
    route = {"split": [{"backend": "web", "weight": 0}, {"backend": "web-2", "name": "new"}],
             "split_key": "${request.cookie.user}"}
    weir = start(config(listener(routes=[route]), backends=[backend(serve("old")), pool]))
    status, answer = weir.api("PATCH", "/servers/web-2/s5", {"state": "disabled"})
    assert status == 200, answer
    said = explain_running(weir, "-H", "Cookie: user=7", "GET", weir.url())[1]
    for line in (r"group new: split_key '7' is at [\d.]+ % \(web 0 %, new 100 %\)",
                 r"backend web-2 \(hash\) \S+",
                 r"key \$\{request.cookie.user\} = '7'",
                 r"server s1 \(127.0.0.1:\d+, weight 1\)",
                 r" not s2: another priority, zone, subset or place comes first \S+",
                 r" not s3: weight 0 \S+",
                 r" not s4: a backup, while others can be used \S+",
                 r" not s5: disabled \S+"):
        assert re.search(f"^{line}$", said, re.MULTILINE), said
