"""`balance: hash`: a key has its server, and keeps it whatever happens to the others."""
import hashlib
import math
from collections import Counter

import pytest

from gate import Gate
from process import run
from servers import Client, get
from test_ctl import Ctl
from test_explain import explain_running, said_server
from weir import BINARY, backend, config, listener, tcp_listener, write_config

METHODS = ["ring", "ketama", "rendezvous", "maglev", "modulo"]
USER = "${request.query.user}"
KEYS = 200


@pytest.fixture
def servers(nginx):
    """A, B and C."""
    return [nginx(name) for name in "ABC"]


def hashed(servers, key=USER, refused_pause="1h", weights=(), **settings):
    """A backend that is left for good by who refuses."""
    return backend(*servers, balance={"hash": {"key": key, **settings}}, weights=weights,
                   refused_pause=refused_pause)


def serve(start, pool, protocol=listener, **settings):
    return start(config(protocol(backend="web", trusted_proxies=["127.0.0.1"]),
                        backends=[pool], **settings))


def ctl(weir, *arguments):
    return Ctl("%s:%d" % weir.admin_address).table(*arguments)


def places(weir, keys=KEYS):
    """The server of each key; no request fails."""
    done = run(["curl", "-sS", "--fail", weir.url(f"/name?user=[1-{keys}]")])
    assert done.returncode == 0, done.stderr
    names = done.stdout.split()
    assert len(names) == keys
    return dict(enumerate(names))


def moved(before, after):
    """Of the keys that changed their server: from which to which, and how many."""
    return Counter((before[key], after[key]) for key in before if before[key] != after[key])


# ---- What a key can be

def by_field(name, value):
    return {"fields": [(name, value)]}


KINDS = {  # key: the request that has this value of it, and a round number somewhere else
    "${request.header.X-User-Id}": lambda value, turn: {
        "target": f"/name?{turn}", "fields": [("X-Turn", turn), ("x-user-id", value)]},
    "${request.cookie.session}": lambda value, turn: {
        "target": f"/name?{turn}", **by_field("Cookie", f"turn={turn}; session={value}")},
    USER: lambda value, turn: {"target": f"/name?turn={turn}&user={value}"},
    "${request.path}": lambda value, turn: {"target": f"/name/{value}?turn={turn}"},
    "${request.target}": lambda value, turn: {"target": f"/name?{value}",
                                              **by_field("X-Turn", turn)},
    "${client.address}": lambda value, turn: {"target": f"/name/{turn}",
                                              **by_field("X-Forwarded-For", f"192.0.2.{value}")},
    "${client.subnet}": lambda value, turn: {
        "target": "/name", **by_field("X-Forwarded-For", f"198.51.{value}.{turn}")},
    "${client.address} ${request.header.User-Agent}": lambda value, turn: {
        "target": f"/name/{turn}", "fields": [("X-Forwarded-For", f"192.0.2.{value % 4}"),
                                              ("User-Agent", f"agent-{value // 4}")]},
}


@pytest.mark.parametrize("key", KINDS)
def test_requests_with_the_same_key_meet_at_one_server(start, servers, key):
    weir = serve(start, hashed(servers, key), workers=2)
    found = {value: set() for value in range(40)}
    for turn in range(3):
        with Client(weir.address()) as client:
            for value, names in found.items():
                names.add(client.get(**KINDS[key](value, turn)).body)
    assert {len(names) for names in found.values()} == {1}
    assert set().union(*found.values()) == {b"A\n", b"B\n", b"C\n"}
    assert weir.metrics().value("weir_backend_keys_missing_total") == 0


def test_the_networks_of_ipv6_clients_are_64_bits_long(start, servers):
    weir = serve(start, hashed(servers, "${client.subnet}"))
    found = {network: {get(weir, "/name", fields=[
        ("X-Forwarded-For", f"2001:db8:0:{network:x}::{host:x}")]).body for host in (1, 0xffff)}
        for network in range(20)}
    assert {len(names) for names in found.values()} == {1}
    assert len(set().union(*found.values())) > 1


def test_a_network_of_ipv4_is_its_first_24_bits(start, servers):
    weir = serve(start, hashed(servers, "${client.subnet}"))

    def server_of(client):
        return get(weir, "/name", fields=[("X-Forwarded-For", client)]).body
    assert server_of("192.168.1.10") == server_of("192.168.1.200")
    assert len({server_of(f"192.168.{network}.10") for network in range(1, 21)}) == 3


@pytest.mark.parametrize("key", ["${client.address}", "${client.subnet}"])
def test_connections_of_a_client_meet_at_one_server(start, servers, key):
    weir = serve(start, hashed(servers, key), tcp_listener)
    found = {network: set() for network in range(30)}
    for network, names in found.items():
        # Of one address several connections, of a network several addresses.
        for host in (1, 1, 1) if key == "${client.address}" else (1, 2, 3):
            with Client(weir.address(), source=f"127.1.{network}.{host}") as client:
                names.add(client.get("/name").body)
    assert {len(names) for names in found.values()} == {1}
    assert set().union(*found.values()) == {b"A\n", b"B\n", b"C\n"}


# ---- Which server it has

def fnv1a(text):
    value = 0xcbf29ce484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001b3 % 2**64
    return value


def md5(text):
    return int.from_bytes(hashlib.md5(text.encode()).digest()[:8], "little")


@pytest.mark.parametrize("function", [fnv1a, md5])
@pytest.mark.parametrize("key", ["${client.address}", "${request.target}"])
def test_modulo_is_the_remainder_of_the_hash(start, servers, function, key):
    weir = serve(start, hashed(servers, key, method="modulo", function=function.__name__))
    own = {}
    for client in (f"192.0.2.{last}" for last in range(30)):
        target = f"/name?{client}"
        hashed_text = client if key == "${client.address}" else target
        own[client] = b"ABC"[function(hashed_text) % 3:][:1] + b"\n"
        forwarded = [("X-Forwarded-For", client)]
        assert get(weir, target, fields=forwarded).body == own[client]
        if key == "${request.target}":  # whoever asks for it
            assert get(weir, target, fields=[("X-Forwarded-For", "192.0.2.99")]).body == own[client]
    servers[1].close()
    for client, name in own.items():
        got = get(weir, f"/name?{client}", fields=[("X-Forwarded-For", client)]).body
        assert got == name or name == b"B\n" and got in (b"A\n", b"C\n")


@pytest.mark.parametrize("points, least, most", [
    ({"points": 150}, 334, 417), ({"points": 1, "points_min": 1024}, 334, 400),
    ({"points": 3}, 450, 667)])
def test_more_points_make_shares_more_even(start, servers, points, least, most):
    """Of 1000 keys, what the server with the most has; it is always the same."""
    counts = Counter(places(serve(start, hashed(servers, **points)), 1000).values())
    assert sorted(counts) == ["A", "B", "C"]
    assert least <= max(counts.values()) <= most, counts


@pytest.mark.parametrize("settings, least, most", [
    ({"method": "ring", "points": 150}, 0.2, 0.3), ({"method": "modulo"}, 0.7, 0.8)])
def test_a_fourth_server_moves_a_quarter_of_the_keys_or_with_modulo_most(
        start, servers, nginx, settings, least, most):
    weir = serve(start, hashed(servers, **settings))
    before = places(weir, 1000)
    ctl(weir, "add", "web/s4", nginx("D").address)
    came = moved(before, places(weir, 1000))
    assert least <= sum(came.values()) / 1000 <= most, came
    if settings["method"] == "ring":
        assert {new for _, new in came} == {"D"}


@pytest.mark.parametrize("method", METHODS)
def test_two_weirs_give_a_key_the_same_server(start, servers, method):
    pool = hashed(servers, method=method)
    one = places(serve(start, pool))
    assert min(Counter(one.values())[name] for name in "ABC") > KEYS / 10
    if method in ("ring", "ketama", "rendezvous"):
        pool["servers"].reverse()  # their order means nothing
    other = serve(start, pool, workers=2)
    assert places(other) == places(other) == one


@pytest.mark.parametrize("method", METHODS)
def test_a_server_that_stops_loses_its_keys_and_no_other_does(start, servers, method):
    weir = serve(start, hashed(servers, method=method))
    before = places(weir)
    servers[1].close()
    after = places(weir)
    assert set(moved(before, after)) == {("B", "A"), ("B", "C")}
    assert "B" not in after.values()
    assert places(weir) == after


@pytest.mark.parametrize("method", METHODS)
def test_a_server_that_is_disabled_gets_its_keys_back(start, servers, method):
    weir = serve(start, hashed(servers, method=method))
    before = places(weir)
    ctl(weir, "server", "web/s2", "disable")
    between = moved(before, places(weir))
    others = sum(count for (old, _), count in between.items() if old != "B")
    assert others <= (KEYS / 20 if method == "maglev" else 0), between
    ctl(weir, "server", "web/s2", "enable")
    assert places(weir) == before


@pytest.mark.parametrize("method", METHODS)
def test_a_server_that_is_added_takes_its_share_of_the_keys(start, servers, nginx, method):
    weir = serve(start, hashed(servers, method=method))
    before = places(weir)
    ctl(weir, "add", "web/s4", nginx("D").address)
    came = moved(before, places(weir))
    if method == "modulo":  # what consistent hashing is there to avoid
        assert sum(came.values()) > KEYS / 2
        return
    astray = sum(count for (_, new), count in came.items() if new != "D")
    assert astray <= (KEYS / 20 if method == "maglev" else 0), came
    assert KEYS / 20 < sum(came.values()) < KEYS / 2


def test_a_heavier_server_has_more_keys(start, servers):
    weir = serve(start, hashed(servers, weights=[1, 1, 0], method="rendezvous"))
    before = places(weir)
    assert set(before.values()) == {"A", "B"}
    ctl(weir, "server", "web/s1", "weight", "4")
    assert set(moved(before, places(weir))) == {("B", "A")}


# ---- Requests without a key

def test_without_a_key_chance_decides_by_weight_and_that_is_counted(start, servers):
    weir = serve(start, hashed(servers, "${request.cookie.session}", weights=[1, 1, 0]))
    assert {get(weir, "/name").body for _ in range(64)} == {b"A\n", b"B\n"}
    weir.wait_for_metric(64, "weir_backend_keys_missing_total", backend="web")
    assert len({get(weir, "/name", fields=[("Cookie", "session=1")]).body
                for _ in range(64)}) == 1
    assert weir.metrics().value("weir_backend_keys_missing_total") == 64
    said = explain_running(weir, "GET", weir.url())[1]
    assert ("\nkey ${request.cookie.session}: the request has none of it, so the server is drawn\n"
            in said), said


def test_one_of_several_values_is_a_key(start, servers):
    weir = serve(start, hashed(servers, "${request.cookie.session}${client.address}"))
    assert len({get(weir, "/name").body for _ in range(30)}) == 1
    assert weir.metrics().value("weir_backend_keys_missing_total") == 0


def test_explain_names_the_key_and_its_server(start, servers):
    weir = serve(start, hashed(servers, "${request.cookie.session}"))
    names = dict(zip(("s1", "s2", "s3"), (b"A\n", b"B\n", b"C\n")))
    for session in range(10):
        said = explain_running(weir, "-H", f"Cookie: session={session}", "GET", weir.url())[1]
        assert f"\nkey ${{request.cookie.session}} = '{session}'\n" in said
        cookie = [("Cookie", f"session={session}")]
        assert get(weir, "/name", fields=cookie).body == names[said_server(said)]
    pool = hashed(servers, "${client.address}")
    tunnels = serve(start, pool, tcp_listener)
    host, port = tunnels.address()
    for last in range(1, 10):
        client = f"127.0.0.{last}"
        said = explain_running(tunnels, "--from", client, "CONNECT", f"tcp://{host}:{port}")[1]
        assert f"\nkey ${{client.address}} = '{client}'\n" in said
        with Client(tunnels.address(), source=client) as connection:
            assert connection.get("/name").body == names[said_server(said)]


# ---- Bounded load

@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("load_max", [None, 1.25])
def test_what_is_above_the_bound_goes_to_other_servers(start, serve, ends, method, load_max):
    gate = ends(Gate())
    servers = [serve(name, gate) for name in "ABC"]
    bound = {} if load_max is None else {"load_max": load_max}
    weir = start(config(listener(), backends=[hashed(servers, method=method, **bound)]))

    def ask():
        client = ends(Client(weir.address()))
        client.request(target="/?user=popular")
        return client
    clients = []
    own = None
    for number in range(1, 13):
        clients.append(ask())
        gate.wait_for(number)
        held = [len(server.requests) for server in servers]
        own = servers[held.index(1)] if own is None else own
        most = number if load_max is None else math.ceil(load_max * number / 3)
        assert max(held) <= most
        assert len(own.requests) == max(held)  # it has what it may
    assert (min(held) == 0) == (load_max is None)
    gate.let(12)
    assert {client.read_response().status for client in clients} == {200}
    weir.wait_for_metric(0, "weir_server_leases")
    before = len(own.requests)
    ask()
    own.wait_for_requests(before + 1)


# ---- Bad configurations

GOOD = """\
listeners:
  - { name: web, address: "127.0.0.1:0", backend: web }
  - { name: db, address: "127.0.0.1:0", protocol: tcp, backend: db }
backends:
  - name: web
    balance: { hash: { key: "${request.cookie.session}", method: maglev, table_size: 101 } }
    servers:
      - { name: s1, address: 127.0.0.1:1, weight: 3 }
      - { name: s2, address: 127.0.0.1:2 }
  - name: db
    balance: { hash: { key: "${client.address}" } }
    servers: [ { name: s, address: 127.0.0.1:3 } ]
"""


def check(folder, text):
    done = run([BINARY, "check", "-c", write_config(folder, text).name], cwd=folder)
    return done.returncode, done.stdout + done.stderr


def test_a_good_hash_is_ok(tmp_path):
    assert check(tmp_path, GOOD) == (0, "weir.yaml: ok\n")


PROBLEMS = [
    ("client.address", "request.cookie.session",
     "11:29: error: the listener 'db' has protocol: tcp, whose connections have no "
     "'request.cookie.'"),
    ("backend: db }", "split: [ { backend: db }, { backend: web } ] }",
     "6:29: error: the listener 'db' has protocol: tcp, whose connections have no "
     "'request.cookie.'"),
    ("table_size: 101", "table_size: 100",
     "6:86: error: table_size must be a prime, as 97 and 101 are, and 100 is none"),
    ("table_size: 101", "table_size: 1",
     "6:86: error: expected a whole number from 2 to 1048573, found '1'"),
    ("method: maglev", "method: maglv",
     "6:66: error: expected one of ring, ketama, rendezvous, maglev, modulo, found 'maglv' (did "
     "you mean 'maglev'?)"),
    ("request.cookie.session", "request.cokie.session",
     "6:29: error: found '${request.cokie.session}': unknown value 'request.cokie.session' (did "
     "you mean 'request.cookie.session'?)"),
    ("request.cookie.session", "server.name", "6:29: error: found '${server.name}': "
     "'server.name' is not known before the response"),
    ("${request.cookie.session}", "all",
     "6:29: error: found 'all': a key without values, such as ${client.address}, is the same for "
     "all requests"),
    ("table_size: 101", "load_max: 1",
     "6:84: error: expected a number from 1.01 to 100, found '1'"),
    ("table_size: 101", "points: 0",
     "6:82: error: expected a whole number from 1 to 10000, found '0'"),
    ("weight: 3", "weight: 65536",
     "8:51: error: expected a whole number from 0 to 65535, found '65536'"),
    ("weight: 3", "weight: -1",
     "8:51: error: expected a whole number from 0 to 65535, found '-1'"),
    ("method: maglev, table_size: 101", "method: ketama", None),
    ("{ name: s2, address: 127.0.0.1:2 }", "{ name: s2, address: 127.0.0.1:1 }", None),
]


@pytest.mark.parametrize("old, new, expected", PROBLEMS, ids=[str(case[:2]) for case in PROBLEMS])
def test_a_problem_has_its_place_and_says_what_was_expected(tmp_path, old, new, expected):
    assert GOOD.count(old) == 1
    code, said = check(tmp_path, GOOD.replace(old, new))
    assert code == (0 if expected is None else 1), said
    errors = [line for line in said.splitlines() if line.startswith("weir.yaml:")]
    assert errors == [f"weir.yaml:{expected}" if expected else "weir.yaml: ok"]


def test_keys_by_address_need_addresses_that_differ(tmp_path):
    text = GOOD.replace("method: maglev, table_size: 101", "method: ketama").replace(
        "127.0.0.1:2", "127.0.0.1:1")
    assert ("weir.yaml:6:66: error: servers 's1' and 's2' have the same address, which is to say "
            "which keys are theirs: use server_key: name\n") in check(tmp_path, text)[1]
