"""Connections that serve more than one request, on both sides."""
import threading

from process import DEADLINE_S
from servers import Client, get
from weir import backend, config, listener, simple


def test_both_sides_are_kept_open(start, server):
    weir = start(simple(server))
    with Client(weir.address()) as client:
        for number in range(20):
            assert client.get(f"/{number}").body == b"server"
    assert [request.target for request in server.requests] == [f"/{n}" for n in range(20)]
    assert len(server.connections) == 1
    records = weir.access_log(20)
    assert [record["reused"] for record in records] == [False] + [True] * 19
    weir.wait_for_metric(19, "weir_server_reuses_total", server="s1")


def test_a_pooled_connection_serves_the_next_client(start, server):
    weir = start(simple(server))
    for _ in range(5):
        assert get(weir).status == 200
        weir.wait_for_metric(0, "weir_listener_connections_open")
    assert len(server.connections) == 1


def test_pipelined_requests_are_answered_in_order(start, serve):
    first_may_answer = threading.Event()

    def answer(connection, request):
        if request.target == "/0":
            first_may_answer.wait(DEADLINE_S)
        connection.answer(request.target)
    weir = start(simple(serve("a", answer), serve("b", answer)))
    with Client(weir.address()) as client:
        client.send("".join(f"GET /{n} HTTP/1.1\r\nHost: x\r\n\r\n" for n in range(50)))
        first_may_answer.set()
        assert [client.read_response().body.decode() for _ in range(50)] == [
            f"/{n}" for n in range(50)]


def test_pipelined_bodies_are_kept_apart(start, serve):
    echo = serve("echo", lambda connection, request: connection.answer(request.body))
    weir = start(simple(echo))
    with Client(weir.address()) as client:
        client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nfirst"
                    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "6\r\nsecond\r\n0\r\n\r\n"
                    "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        assert [client.read_response().body for _ in range(3)] == [b"first", b"second", b""]


def test_connection_close_is_honoured(start, server):
    weir = start(simple(server))
    with Client(weir.address()) as client:
        response = client.get(fields=[("Connection", "close")])
        assert response.field("connection").lower() == "close"
        assert client.is_closed_cleanly()
    # That was between the client and Weir (RFC 9112 9.6): the server's connection goes on.
    assert server.requests[0].field("connection") in (None, "keep-alive")
    assert get(weir).status == 200
    assert len(server.connections) == 1


def test_http_1_0_closes_unless_asked_to_keep(start, server):
    weir = start(simple(server))
    with Client(weir.address()) as client:
        client.send("GET / HTTP/1.0\r\n\r\n")
        response = client.read_response()
        assert response.body == b"server"
        assert client.is_closed_cleanly()
    with Client(weir.address()) as client:
        for _ in range(3):
            client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            response = client.read_response()
            assert response.field("connection").lower() == "keep-alive"
            assert response.body == b"server"


def test_an_idle_client_is_closed_without_a_word(start, server):
    weir = start(simple(server, timeouts={"keep_alive": "300ms"}))
    with Client(weir.address()) as client:
        assert client.get().status == 200
        assert client.is_closed_cleanly()
    assert len(weir.access_log()) == 1


def test_a_client_that_never_asks_is_closed_without_a_word(start, server):
    weir = start(simple(server, timeouts={"client_head": "1s"}))
    with Client(weir.address()) as client:
        assert client.is_closed_cleanly()
    assert get(weir).status == 200
    assert len(weir.access_log()) == 1


def test_requests_per_connection_closes_with_the_last(start, server):
    weir = start(simple(server, limits={"requests_per_connection": 3}))
    with Client(weir.address()) as client:
        assert client.get().field("connection") is None
        assert client.get().field("connection") is None
        assert client.get().field("connection").lower() == "close"
        assert client.is_closed_cleanly()


def test_a_connection_that_the_server_closed_is_not_used_again(start, serve):
    def answer_and_close(connection, request):
        connection.answer("once")
        connection.end_writing()
    closing = serve("closing", answer_and_close)
    weir = start(simple(closing))
    with Client(weir.address()) as client:
        for number in range(20):
            client.request("POST", body=b"not to be repeated")
            assert client.read_response().body == b"once"
            # Weir has seen the close when it closes too.
            assert closing.connections[number].ended.wait(DEADLINE_S)
    assert len(closing.requests) == 20


def test_a_server_that_asks_to_close_is_obeyed(start, serve):
    server = serve("s", lambda connection, request: connection.answer(
        "bye", fields=[("Connection", "close")]))
    weir = start(simple(server))
    with Client(weir.address()) as client:
        for _ in range(3):
            response = client.get()
            assert response.body == b"bye"
            assert response.field("connection") is None  # hop by hop
    assert len(server.connections) == 3


def test_idle_connections_to_servers_are_closed_in_time(start, server):
    weir = start(config(listener(), backends=[
        backend(server, pool={"idle_timeout": "200ms", "idle_max": 4})]))
    assert get(weir).status == 200
    assert server.connections[0].ended.wait(DEADLINE_S)


def test_no_idle_connection_is_kept_if_none_may_be(start, server):
    weir = start(config(listener(), backends=[backend(server, pool={"idle_max": 0})]))
    with Client(weir.address()) as client:
        for _ in range(3):
            assert client.get().status == 200
    assert len(server.connections) == 3
