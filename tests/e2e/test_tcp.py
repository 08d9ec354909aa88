"""protocol: tcp passes bytes on, both ways, and reads none of them."""
import hashlib
import os
import threading

import pytest

from process import DEADLINE_S, run
from servers import Client, DeafServer, RefusingServer
from weir import backend, config, listener, tcp_listener

MIB = 1 << 20


def tunnels(*servers, listener_settings=None, **settings):
    return config(tcp_listener(**listener_settings or {}), backends=[backend(*servers, **settings)])


def echo(connection):
    while data := connection.read_some():
        connection.send(data)


def naming(name):
    def say_name(connection):
        connection.send(name)
        connection.read_to_end()
    return say_name


def test_bytes_pass_both_ways_at_once(start, script):
    weir = start(tunnels(script(echo)))
    data = os.urandom(16 * MIB)
    with Client(weir.address()) as client:
        def send_all():
            client.send(data)
            client.end_writing()
        sender = threading.Thread(target=send_all)
        sender.start()
        got = client.read_to_end()
        sender.join(DEADLINE_S)
    assert hashlib.sha256(got).digest() == hashlib.sha256(data).digest()
    record = weir.access_log()[0]
    assert (record["bytes_received"], record["bytes_sent"]) == (len(data), len(data))
    assert record["reason"] is None


def test_the_payload_is_not_read(start, script):
    weir = start(tunnels(script(echo)))
    nasty = b"\x00\xff\r\n\r\nGET / HTTP/9.9\nContent-Length: -1\r\n\r\n\x16\x03\x01"
    with Client(weir.address()) as client:
        client.send(nasty)
        client.end_writing()
        assert client.read_to_end() == nasty


def test_a_server_may_speak_first(start, script):
    weir = start(tunnels(script(naming("220 mail.example.com ESMTP"))))
    with Client(weir.address()) as client:
        assert client.read(26) == b"220 mail.example.com ESMTP"


def test_the_client_may_close_its_half(start, script):
    def answer_after_the_end(connection):
        connection.send("got " + connection.read_to_end().decode())
    weir = start(tunnels(script(answer_after_the_end)))
    with Client(weir.address()) as client:
        client.send("all")
        client.end_writing()
        assert client.read_to_end() == b"got all"


def test_the_server_may_close_its_half(start, script):
    got = []

    def talk_then_listen(connection):
        connection.send("bye")
        connection.end_writing()
        got.append(connection.read_to_end())
    server = script(talk_then_listen)
    weir = start(tunnels(server))
    with Client(weir.address()) as client:
        assert client.read_to_end() == b"bye"
        client.send("one thing more")
        client.end_writing()
        assert server.connections[0].ended.wait(DEADLINE_S)
    assert got == [b"one thing more"]


def test_a_reset_by_the_server_resets_the_client(start, script):
    def read_and_reset(connection):
        connection.read(1)
        connection.reset()
    weir = start(tunnels(script(read_and_reset)))
    with Client(weir.address()) as client:
        client.send("x")
        with pytest.raises(ConnectionResetError):
            client.read_to_end()
    assert weir.access_log()[0]["reason"] == "server_reset"


def test_a_reset_by_the_client_resets_the_server(start, script):
    seen = []

    def read_until_reset(connection):
        connection.send("hello")
        try:
            connection.read_to_end()
        except ConnectionResetError:
            seen.append("reset")
    server = script(read_until_reset)
    weir = start(tunnels(server))
    client = Client(weir.address())
    assert client.read(5) == b"hello"
    client.reset()
    assert server.connections[0].ended.wait(DEADLINE_S)
    assert seen == ["reset"]
    assert weir.access_log()[0]["reason"] == "client_reset"


def test_connections_take_turns(start, script):
    weir = start(tunnels(*(script(naming(name)) for name in "ABC"), weights=[5, 3, 2]))
    got = []
    for _ in range(10):
        with Client(weir.address()) as client:
            got.append(client.read(1).decode())
    assert " ".join(got) == "A B C A A B A C B A"


def test_a_refused_connection_goes_to_the_next_server(start, script, ends):
    weir = start(tunnels(ends(RefusingServer()), ends(RefusingServer()), script(naming("C"))))
    with Client(weir.address()) as client:
        assert client.read(1) == b"C"
    record = weir.access_log()[0]
    assert (record["attempts"], record["server"], record["reason"]) == (3, "web/s3", None)


def test_a_server_that_does_not_accept_is_left_for_the_next(start, script, ends):
    weir = start(tunnels(ends(DeafServer()), script(naming("B")), timeouts={"connect": "200ms"}))
    with Client(weir.address()) as client:
        assert client.read(1) == b"B"
    assert weir.access_log()[0]["attempts"] == 2


def test_no_server_at_all_is_a_reset_with_its_reason_in_the_log(start, ends):
    weir = start(tunnels(ends(RefusingServer())))
    with pytest.raises(ConnectionResetError):  # by the connect itself, if it is slow
        with Client(weir.address()) as client:
            client.read_to_end()
    record = weir.access_log()[0]
    assert (record["reason"], record["status"]) == ("connect_refused", None)
    weir.wait_for_metric(1, "weir_errors_total", side="server", reason="connect_refused")


def test_an_idle_tunnel_ends_and_one_in_use_does_not(start, script):
    weir = start(tunnels(script(echo), listener_settings={"timeouts": {"tunnel_idle": "1s"}}))
    with Client(weir.address()) as client:
        for _ in range(8):
            client.send("x")
            assert client.read(1) == b"x"
            client.socket.settimeout(0.2)
            with pytest.raises(TimeoutError):
                client.socket.recv(1)
            client.socket.settimeout(DEADLINE_S)
        try:
            assert client.socket.recv(1) == b""
        except ConnectionResetError:
            pass
    record = weir.access_log()[0]
    assert record["reason"] == "tunnel_idle_timeout"
    assert record["bytes_sent"] == 8


def test_a_reader_that_stops_holds_the_sender_back(start, script):
    def flood(connection):
        connection.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            while True:
                connection.send(b"x" * 65536)
    server = script(flood)
    weir = start(tunnels(server))
    before = weir.resident_bytes()
    with Client(weir.address(), receive_buffer=4096) as client:
        client.read(1)
        assert server.connections[0].ended.wait(DEADLINE_S)  # it could send no more
        assert weir.resident_bytes() - before < 8 * MIB


def test_each_address_has_its_own_pool(start, script):
    weir = start(config(
        tcp_listener("shop", address="127.0.0.2:0", backend="shop"),
        tcp_listener("mail", address="127.0.0.3:0", backend="mail"),
        backends=[backend(script(naming("shop")), name="shop"),
                  backend(script(naming("mail")), name="mail")]))
    assert weir.address("shop")[0] == "127.0.0.2"
    assert weir.address("mail")[0] == "127.0.0.3"
    for name in ("shop", "mail"):
        with Client(weir.address(name)) as client:
            assert client.read(4) == name.encode()
            assert client.peer == weir.address(name)  # clients see only that


def test_several_addresses_may_have_the_same_port(start, script):
    first = start(config(tcp_listener(address="127.0.0.2:0"),
                         backends=[backend(script(naming("2")))]))
    port = first.address()[1]
    second = start(config(tcp_listener(address=f"127.0.0.3:{port}"),
                          backends=[backend(script(naming("3")))]))
    for weir, name in ((first, b"2"), (second, b"3")):
        with Client(weir.address()) as client:
            assert client.read(1) == name


def test_ports_are_mapped(start, script):
    server = script(naming("mapped"))
    weir = start(tunnels(server))
    assert weir.address()[1] != server.port
    with Client(weir.address()) as client:
        assert client.read(6) == b"mapped"


@pytest.mark.parametrize("protocol", ["tcp", "http"])
def test_a_server_without_a_port_takes_the_listeners(start, serve, script, protocol):
    server = (serve("same", host="127.0.0.4") if protocol == "http"
              else script(naming("same"), host="127.0.0.4"))
    # An address of its own: at 127.0.0.1 another test may have got that port.
    weir = start(config(listener(address=f"127.0.0.5:{server.port}", protocol=protocol),
                        backends=[backend("127.0.0.4")]))
    assert weir.address() == ("127.0.0.5", server.port)
    with Client(weir.address()) as client:
        if protocol == "http":
            client.request()
            assert client.read_response().body == b"same"
        else:
            assert client.read(4) == b"same"


def test_both_ends_are_rewritten(start, script):
    server = script(naming("x"))
    weir = start(tunnels(server, listener_settings={"address": "127.0.0.2:0"}))
    with Client(weir.address(), source="127.0.0.7") as client:
        assert client.read(1) == b"x"
        seen = server.connections[0]
        assert seen.socket.getsockname() == (server.host, server.port)
        assert seen.peer[0] != "127.0.0.7"  # a full proxy: the server sees Weir
        assert seen.peer != client.own_address
        assert seen.peer[1] != client.own_address[1]
    assert weir.access_log()[0]["client_address"] == "127.0.0.7"


def test_http_through_a_tunnel(start, nginx):
    weir = start(tunnels(nginx()))
    assert run(["curl", "-sS", weir.url("/name")]).stdout == "nginx\n"


def test_ipv6_and_unix_sockets(start, script, tmp_path):
    inner = start(config(tcp_listener(address=f"unix:{tmp_path}/socket"),
                         backends=[backend(script(naming("through three")))]))
    assert inner.addresses == {}
    middle = start(config(tcp_listener(address="[::1]:0"),
                          backends=[backend(f"unix:{tmp_path}/socket")]))
    host, port = middle.address()
    assert host == "[::1]"
    outer = start(tunnels(f"[::1]:{port}"))
    with Client(outer.address()) as client:
        assert client.read(13) == b"through three"


# ---- Flows

@pytest.fixture
def flows(start, script):
    """Three servers that say their name for each line; a connection is placed by all that names it."""
    def answer(name):
        def say_name(connection):
            while connection.read_line():
                connection.send(name)
        return say_name
    servers = [script(answer(name)) for name in "ABC"]
    key = "${client.address} ${client.port} ${listener.name} ${listener.port}"

    def configuration(balance=None, weights=(1, 1, 1)):
        return tunnels(*servers, weights=weights, balance=balance or {"hash": {"key": key}})
    return start(configuration()), configuration


def server_of(client):
    client.send("who\n")
    return client.read(1).decode()


def test_a_flow_never_changes_its_server(flows, script, ends):
    weir, configuration = flows
    clients = [ends(Client(weir.address())) for _ in range(30)]
    before = [server_of(client) for client in clients]
    assert set(before) == set("ABC")

    def set_state(server, change):
        status, answer = weir.api("PATCH", f"/servers/web/{server}", change)
        assert status == 200, answer

    def add():
        status, answer = weir.api("POST", "/backends/web/servers",
                                  {"name": "s4", "address": script(naming("D")).address})
        assert status == 201, answer
    for change in (lambda: set_state("s1", {"weight": 5}), add,
                   lambda: set_state("s2", {"state": "draining"}),
                   lambda: set_state("s3", {"weight": 0}),
                   lambda: weir.reload(configuration("round_robin", [0, 1, 9]))):
        change()
        assert [server_of(client) for client in clients] == before
    fresh = [ends(Client(weir.address())) for _ in range(10)]
    assert {server_of(client) for client in fresh} == {"C"}  # to them it did matter


def test_the_same_flow_finds_the_same_server(flows):
    weir, _ = flows
    found = {}
    for _ in range(3):
        for last in range(1, 11):
            source = (f"127.0.0.{last}", found[last][0] if last in found else 0)
            with Client(weir.address(), source=source) as client:
                name = server_of(client)
                assert found.setdefault(last, (client.own_address[1], name))[1] == name
                client.reset()  # so that its port may be used again at once
    assert len({name for _, name in found.values()}) > 1
