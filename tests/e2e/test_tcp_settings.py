"""tcp: what the kernel is told of connections, and source_address; seen through the kernel."""
import socket

import pytest

from kernel import algorithm_of, connections, has_algorithm, options_of, seconds_to_probe
from process import run, wait_until
from servers import Client, get
from weir import BINARY, backend, config, listener, simple, tcp_listener, write_config

MIB = 1 << 20
AVAILABLE = [name for name in ("reno", "cubic", "bbr") if has_algorithm(name)]


def client_side(weir, name="web"):
    """Of Weir's sockets on the side of clients."""
    return connections(local=weir.address(name)[1])


def at_rest(lines):
    """The only line, once all that was sent has been acknowledged: until then ss says when it is
    sent again instead of when the connection is probed."""
    (line,) = wait_until(lambda: [line for line in lines() if "timer:(keepalive," in line],
                         "a connection that is probed")
    return line


def default_algorithm():
    with socket.socket() as plain:
        return algorithm_of(plain)


def echo(connection):
    while data := connection.read_some():
        connection.send(data)


def test_clients_are_probed_after_30_seconds_unless_told_otherwise(start, server):
    weir = start(config(listener(), listener("slow", tcp={"keep_alive": {"idle": "10m"}}),
                        backends=[backend(server)]))
    for name, least, most in (("web", 25, 30), ("slow", 590, 600)):
        with Client(weir.address(name)) as client:
            assert client.get().status == 200
            line = at_rest(lambda name=name: client_side(weir, name))
            assert least < seconds_to_probe(line) <= most


@pytest.mark.parametrize("algorithm", AVAILABLE)
def test_each_side_has_its_algorithm(start, server, algorithm):
    weir = start(config(listener(tcp={"congestion_control": algorithm}),
                        backends=[backend(server)], workers=2))
    with Client(weir.address()) as client:
        assert client.get().status == 200
        (line,) = client_side(weir)
        assert f" {algorithm} " in line
    weir.reload(config(listener(), backends=[backend(server, tcp={
        "congestion_control": algorithm})], workers=2))
    assert get(weir).status == 200
    assert f" {algorithm} " in wait_until(lambda: connections(peer=server.port), "a connection")[0]


def test_a_reload_changes_listeners_that_stay(start, server):
    other = next(name for name in AVAILABLE if name != default_algorithm())
    weir = start(simple(server, address="127.0.0.1:0"))
    for tcp, algorithm, least in (
            ({"congestion_control": other, "keep_alive": {"idle": "5m"}}, other, 290),
            ({}, default_algorithm(), 25)):
        weir.reload(simple(server, tcp=tcp))
        with Client(weir.address()) as client:
            assert client.get().status == 200
            line = at_rest(lambda: client_side(weir))
            assert f" {algorithm} " in line
            assert least < seconds_to_probe(line) <= least + 10
        wait_until(lambda: not client_side(weir), "it is gone")


def test_servers_of_tunnels_are_probed_and_others_when_told(start, server, script):
    echoing = script(echo)
    weir = start(config(listener(), tcp_listener(backend="echo"),
                        backends=[backend(server), backend(echoing, name="echo")]))
    with Client(weir.address("db")) as tunnel:
        tunnel.send("x")
        assert tunnel.read(1) == b"x"
        line = at_rest(lambda: connections(peer=echoing.port))
        assert 25 < seconds_to_probe(line) <= 30
        assert get(weir, name="web").status == 200
        assert "keepalive" not in connections(peer=server.port)[0]
    keep_alive = {"keep_alive": {"idle": "2m"}}
    weir.reload(config(listener(), tcp_listener(backend="echo"),
                       backends=[backend(server, tcp=keep_alive),
                                 backend(echoing, name="echo", tcp=keep_alive)]))
    with Client(weir.address("db")) as tunnel:
        tunnel.send("x")
        assert tunnel.read(1) == b"x"
        assert get(weir, name="web").status == 200
        for port in (echoing.port, server.port):
            lines = wait_until(lambda: [line for line in connections(peer=port)
                                        if "keepalive" in line and seconds_to_probe(line) > 100],
                               "a connection that is probed after 2 minutes")
            assert seconds_to_probe(lines[0]) <= 120


def test_a_client_that_takes_nothing_is_given_up_by_the_kernel(start, serve):
    """user_timeout: long before timeouts.client_body, 30 s, would end it."""
    def large(connection, request):
        connection.answer(b"x" * (64 * MIB))
    weir = start(simple(serve(answer=large), tcp={"user_timeout": "1s"}))
    with Client(weir.address(), receive_buffer=4096) as client:
        client.request()
        assert client.read(1) == b"H"
        local = weir.address()[1]
        assert options_of(weir.process.pid, socket.TCP_USER_TIMEOUT, local=local,
                          is_listening=False) == {1000}
        assert weir.access_log()[0]["reason"] == "client_reset"


def test_a_deferred_connection_is_accepted_when_it_speaks(start, server):
    weir = start(simple(server, tcp={"defer_accept": "5s"}))
    with Client(weir.address()) as silent:
        assert get(weir).status == 200
        weir.wait_for_metric(1, "weir_listener_connections_total", listener="web")
        assert silent.get().status == 200
        weir.wait_for_metric(2, "weir_listener_connections_total", listener="web")


def test_a_listener_may_take_bytes_with_the_first_packet(start, server):
    weir = start(config(listener(tcp={"fast_open": 77}), backends=[backend(server)], workers=2))
    assert get(weir).status == 200
    assert options_of(weir.process.pid, socket.TCP_FASTOPEN, local=weir.address()[1],
                      is_listening=True) == {77}


# ---- What the kernel does not have

def test_an_unknown_algorithm_names_its_object_and_starts_nothing(tmp_path, server):
    tcp = {"congestion_control": "no_such_thing"}
    for made, whose in ((simple(server, tcp=tcp), "listener web"),
                        (config(listener(), backends=[backend(server, tcp=tcp)]), "backend web")):
        path = write_config(tmp_path, made)
        assert run([BINARY, "check", "-c", path]).returncode == 0  # another kernel may have it
        done = run([BINARY, "run", "-c", path], cwd=tmp_path)
        assert done.returncode == 1
        assert (f"error: {whose}: the kernel has no congestion_control no_such_thing: it has "
                in done.stderr)


def test_an_unknown_algorithm_refuses_a_reload(start, server):
    weir = start(simple(server))
    write_config(weir.folder, simple(server, tcp={"congestion_control": "no_such_thing"}))
    status, answer = weir.api("POST", "/reload")
    assert status == 422 and answer["error"]["reason"] == "cannot_set_tcp"
    assert answer["error"]["message"].startswith("listener web: the kernel has no ")
    assert get(weir).status == 200


# ---- source_address

def test_connections_come_from_the_source_address(start, serve, script):
    one, two = serve("one"), serve("two")
    echoing = script(echo)
    web = backend(one, two, source_address="127.0.0.21")
    web["servers"][1]["source_address"] = "127.0.0.22"
    weir = start(config(listener(), tcp_listener(backend="echo"),
                        backends=[web, backend(echoing, name="echo",
                                               source_address="127.0.0.23")]))
    for _ in range(4):
        assert get(weir, name="web").status == 200
    with Client(weir.address("db")) as tunnel:
        tunnel.send("x")
        assert tunnel.read(1) == b"x"
    assert {connection.peer[0] for connection in one.connections} == {"127.0.0.21"}
    assert {connection.peer[0] for connection in two.connections} == {"127.0.0.22"}
    assert {connection.peer[0] for connection in echoing.connections} == {"127.0.0.23"}


def test_one_port_serves_many_destinations(start, serve):
    """Ports are chosen with the connection, so a source may have the same one for two servers."""
    servers = [serve(f"s{number}") for number in range(4)]
    weir = start(config(listener(), backends=[backend(*servers, source_address="127.0.0.24")]))
    for _ in range(4):
        assert get(weir).status == 200
    assert all(len(server.connections) == 1 for server in servers)


def test_a_reload_gives_up_connections_from_another_source(start, server):
    weir = start(config(listener(), backends=[backend(server, source_address="127.0.0.25")]))
    assert get(weir).status == 200
    weir.reload(config(listener(), backends=[backend(server, source_address="127.0.0.26")]))
    assert get(weir).status == 200
    assert [connection.peer[0] for connection in server.connections] == [
        "127.0.0.25", "127.0.0.26"]


def test_an_address_that_is_not_of_this_machine_fails_with_its_own_reason(start, serve):
    only, good = serve("only"), serve("good")
    bad = backend(only, source_address="192.0.2.1")
    both = backend(only, good, name="both")
    both["servers"][0]["source_address"] = "192.0.2.1"
    weir = start(config(listener(), listener("both", backend="both"),
                        tcp_listener(backend="web"), backends=[bad, both]))
    assert get(weir, name="web").status == 502
    record = weir.access_log()[0]
    assert record["reason"] == "source_address_unavailable"
    weir.wait_for_metric(1, "weir_errors_total", reason="source_address_unavailable", side="weir")
    assert weir.metrics().value("weir_server_connect_failures_total", backend="web") >= 1
    for _ in range(4):
        assert get(weir, name="both").body == b"good"  # the next server is tried
    with pytest.raises(ConnectionResetError):
        with Client(weir.address("db")) as tunnel:
            tunnel.read(1)
    assert only.connections == []


def test_a_source_of_another_family_is_an_error(tmp_path):
    made = config(listener(), backends=[backend("127.0.0.1:1", "[::1]:1",
                                                source_address="127.0.0.9")])
    done = run([BINARY, "check", "-c", write_config(tmp_path, made)])
    assert done.returncode == 1
    assert ("error: source_address 127.0.0.9 is of another family than the address of server 's2'"
            in done.stdout + done.stderr)
    made["backends"][0]["servers"][1]["source_address"] = "::1"
    assert run([BINARY, "check", "-c", write_config(tmp_path, made)]).returncode == 0


def test_a_source_may_be_of_ipv6(start, serve):
    server = serve("six", host="::1")
    weir = start(config(listener(), backends=[backend(server, source_address="::1")]))
    assert get(weir).body == b"six"
    assert server.connections[0].peer[0] == "::1"
