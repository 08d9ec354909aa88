"""Clients that are slow, rude or gone harm nobody but themselves."""
import threading

import pytest

from process import DEADLINE_S, wait_until
from servers import Client, get
from weir import simple

MIB = 1 << 20


def test_a_client_that_sends_byte_by_byte_is_served(start, serve):
    server = serve("s", lambda connection, request: connection.answer(request.body))
    weir = start(simple(server))
    message = ("POST /slow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
               "5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nX-T: 1\r\n\r\n")
    with Client(weir.address()) as client:
        for _ in range(2):
            client.send(*message)
            assert client.read_response().body == b"hello world"


def test_a_server_that_sends_byte_by_byte_is_relayed(start, serve):
    server = serve("s", lambda connection, request: connection.send(
        *"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"))
    weir = start(simple(server))
    with Client(weir.address()) as client:
        for _ in range(2):
            assert client.get().body == b"hello"


def test_a_client_that_reads_byte_by_byte_gets_all_of_it(start, serve):
    body = bytes(range(256)) * 800
    weir = start(simple(serve("s", lambda connection, request: connection.answer(body))))
    with Client(weir.address(), receive_buffer=2048) as client:
        client.request(fields=[("Connection", "close")])
        got = bytearray()
        while byte := client.socket.recv(1):
            got += byte
    assert got.partition(b"\r\n\r\n")[2] == body


@pytest.mark.parametrize("sent", ["G", "GET / HTTP/1.1\r", "GET / HTTP/1.1\r\nHost: x\r\nX-A"])
@pytest.mark.parametrize("ending", ["end_writing", "reset"])
def test_a_client_that_goes_within_its_head_leaves_nothing(start, server, sent, ending):
    weir = start(simple(server))
    with Client(weir.address()) as client:
        client.send(sent)
        weir.wait_for_metric(1, "weir_listener_connections_total")
        getattr(client, ending)()
        if ending == "end_writing":
            client.read_to_end()  # it may be told; what counts is the end
    weir.wait_for_metric(0, "weir_listener_connections_open")
    assert weir.access_log()[0]["reason"] in ("client_closed", "client_reset")
    assert server.connections == []


def test_clients_that_never_read_cost_little_and_delay_nobody(start, serve):
    def answer(connection, request):
        if request.target != "/big":
            return connection.answer("small")
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n")
        while True:
            connection.send(b"x" * 65536)
    weir = start(simple(serve("s", answer)))
    before = weir.resident_bytes()
    deaf = [Client(weir.address(), receive_buffer=4096) for _ in range(16)]
    try:
        for client in deaf:
            client.request(target="/big")
            client.read_head()
        for _ in range(20):
            assert get(weir).body == b"small"
        # Of the endless that waits for them, at most a buffer each.
        assert weir.resident_bytes() - before < 16 * MIB
    finally:
        for client in deaf:
            client.close()
    assert get(weir).body == b"small"


def test_a_client_that_closed_its_sending_side_gets_its_answer(start, serve):
    may_answer = threading.Event()

    def answer(connection, request):
        assert may_answer.wait(DEADLINE_S)
        connection.answer("late")
    weir = start(simple(serve("s", answer)))
    with Client(weir.address()) as client:
        client.request()
        client.end_writing()
        with pytest.raises(TimeoutError):
            client.socket.settimeout(0.2)
            client.socket.recv(1)
        client.socket.settimeout(DEADLINE_S)
        may_answer.set()
        assert client.read_response().body == b"late"
        assert client.is_closed_cleanly()


def test_a_reset_while_waiting_for_the_answer_frees_the_server(start, script):
    def never_answer(connection):
        connection.read_request()
        connection.read_to_end()
    silent = script(never_answer)
    weir = start(simple(silent))
    client = Client(weir.address())
    client.request()
    silent.wait_for_connections(1)
    weir.wait_for_metric(1, "weir_server_leases", server="s1")
    client.reset()
    assert silent.connections[0].ended.wait(DEADLINE_S)
    weir.wait_for_metric(0, "weir_server_leases", server="s1")
    record = weir.access_log()[0]
    assert record["reason"] == "client_reset"
    assert record["status"] is None
    weir.wait_for_metric(1, "weir_errors_total", side="client", reason="client_reset")
    weir.wait_for_metric(0, "weir_errors_total", side="server")


@pytest.mark.parametrize("ending", ["close", "reset"])
def test_a_client_that_goes_within_its_body_ends_the_request(start, script, ending):
    got = []

    def answer(connection):
        if connection.read_request_head().method == "GET":
            connection.answer("other")
        else:
            got.append(connection.read_to_end())
    server = script(answer)
    weir = start(simple(server))
    client = Client(weir.address())
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
    server.wait_for_connections(1)
    getattr(client, ending)()
    assert server.connections[0].ended.wait(DEADLINE_S)
    assert all(len(body) < 100 for body in got)
    assert weir.access_log()[0]["reason"] in ("client_closed", "client_reset")
    with Client(weir.address()) as other:
        assert other.get().status == 200


def test_a_client_that_goes_within_the_answer_ends_it_at_the_server(start, script):
    ended = threading.Event()

    def answer(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n")
        try:
            while True:
                connection.send(b"x" * 65536)
        except OSError:
            ended.set()
    weir = start(simple(script(answer)))
    client = Client(weir.address())
    client.request()
    client.read_head()
    client.close()
    assert ended.wait(DEADLINE_S)
    record = weir.access_log()[0]
    assert record["reason"] in ("client_reset", "client_closed")
    assert record["status"] == 200


def test_connections_that_come_and_go_leave_nothing_behind(start, server):
    weir = start(simple(server))
    get(weir)
    weir.wait_for_metric(0, "weir_listener_connections_open")
    before = weir.open_descriptors()
    for number in range(200):
        client = Client(weir.address())
        if number % 4 == 1:
            client.send("GET / HT")
        elif number % 4 == 2:
            client.request()
        elif number % 4 == 3:
            client.get()
        client.reset() if number % 2 else client.close()
    weir.wait_for_metric(201, "weir_listener_connections_total")
    weir.wait_for_metric(0, "weir_listener_connections_open")
    wait_until(lambda: weir.open_descriptors() <= before + 64,  # the pool may hold that many
               "descriptors come back")
    weir.wait_for_metric(0, "weir_server_leases")
