"""Each time limit: its status, its reason, its counter."""
import threading

import pytest

from process import DEADLINE_S
from servers import Client, DeafServer, get
from weir import backend, config, listener, simple

OK = "HTTP/1.1 200 OK\r\n"
HALF_A_BODY = [pytest.param("Content-Length: 1000", "x" * 999, id="length"),
               pytest.param("Transfer-Encoding: chunked", "3\r\nabc\r\n", id="chunked")]


def assert_failed(weir, status, reason, side):
    record = weir.access_log()[0]
    assert (record["status"], record["reason"]) == (status, reason)
    assert record["sentence"]
    weir.wait_for_metric(1, "weir_errors_total", side=side, reason=reason)


@pytest.mark.parametrize("head", [
    pytest.param("G", id="one byte"), pytest.param("GET / HTTP/1.1\r\n", id="request line"),
    pytest.param("GET / HTTP/1.1\r\nHost: x\r\n", id="all but the last line")])
def test_a_head_that_is_not_finished_in_time_is_a_408(start, server, head):
    weir = start(simple(server, timeouts={"client_head": "300ms"}))
    with Client(weir.address()) as client:
        client.send(head)
        response = client.read_response()
        assert response.status == 408
        assert b"client_head_timeout" in response.body
        assert response.field("connection").lower() == "close"
        assert client.is_closed_cleanly()
    assert_failed(weir, 408, "client_head_timeout", "client")
    assert server.connections == []


def test_the_limit_on_a_head_is_for_the_whole_of_it(start, server):
    weir = start(simple(server, timeouts={"client_head": "500ms"}))
    with Client(weir.address()) as client:
        client.send("GET / HTTP/1.1\r\nHost: x\r\n")
        client.socket.settimeout(0.05)
        for number in range(200):  # each well within the limit
            client.send(f"X-{number}: 1\r\n")
            try:
                assert client.socket.recv(12) == b"HTTP/1.1 408"
                break
            except TimeoutError:
                continue
        else:
            raise AssertionError("the head went on for ever")


@pytest.mark.parametrize("framing, body", HALF_A_BODY)
def test_a_client_silent_within_its_body_is_a_408(start, server, framing, body):
    weir = start(simple(server, timeouts={"client_body": "300ms"}))
    with Client(weir.address()) as client:
        client.send(f"POST / HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n{body}")
        response = client.read_response()
        assert response.status == 408
        assert b"client_body_timeout" in response.body
        assert client.is_closed_cleanly()
    assert_failed(weir, 408, "client_body_timeout", "client")
    assert server.requests == []  # only half of one came


def test_a_body_may_take_long_if_it_never_rests(start, server):
    weir = start(simple(server, timeouts={"client_body": "800ms"}))
    with Client(weir.address()) as client:
        client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n")
        client.socket.settimeout(0.1)
        for _ in range(12):
            with pytest.raises(TimeoutError):
                client.socket.recv(1)
            client.send("x")
        client.socket.settimeout(DEADLINE_S)
        assert client.socket.recv(12) == b"HTTP/1.1 200"


def test_a_server_that_does_not_accept_is_a_504(start, ends):
    weir = start(config(listener(), backends=[
        backend(ends(DeafServer()), timeouts={"connect": "300ms"})]))
    response = get(weir)
    assert response.status == 504
    assert b"connect_timeout" in response.body
    assert_failed(weir, 504, "connect_timeout", "server")


def test_a_server_that_does_not_accept_is_left_for_another(start, ends, server):
    weir = start(config(listener(), backends=[
        backend(ends(DeafServer()), server, timeouts={"connect": "300ms"})]))
    assert get(weir).body == b"server"
    record = weir.access_log()[0]
    assert record["attempts"] == 2
    assert record["request_time"] >= 0.3


@pytest.mark.parametrize("begin", [
    pytest.param("", id="nothing"), pytest.param(OK + "X-Never: ends\r\n", id="half a head")])
def test_a_server_that_does_not_answer_is_a_504(start, script, begin):
    def answer(connection):
        connection.read_request()
        connection.send(begin)
        connection.read_to_end()
    silent = script(answer)
    weir = start(config(listener(), backends=[
        backend(silent, timeouts={"response_head": "300ms"})]))
    with Client(weir.address()) as client:
        client.request("POST", body=b"x")
        response = client.read_response()
    assert response.status == 504
    assert b"response_head_timeout" in response.body
    assert_failed(weir, 504, "response_head_timeout", "server")
    assert silent.connections[0].ended.wait(DEADLINE_S)  # it was told by a close


@pytest.mark.parametrize("framing, body", HALF_A_BODY)
def test_a_server_silent_within_its_body_cuts_the_answer(start, script, framing, body):
    def answer(connection):
        connection.read_request()
        connection.send(f"{OK}{framing}\r\n\r\n{body}")
        connection.read_to_end()
    weir = start(config(listener(), backends=[
        backend(script(answer), timeouts={"server_body": "300ms"})]))
    with Client(weir.address()) as client:
        client.request()
        client.read_head()
        assert client.read(len(body)) == body.encode()
        with pytest.raises(ConnectionResetError):
            client.read_to_end()
    assert_failed(weir, 200, "response_body_timeout", "server")


def test_a_client_that_takes_nothing_is_cut(start, serve):
    server = serve("s", lambda connection, request: connection.answer(b"x" * (64 << 20)))
    weir = start(simple(server, timeouts={"client_body": "300ms"}))
    with Client(weir.address(), receive_buffer=4096) as client:
        client.request()
        assert_failed(weir, 200, "client_write_timeout", "client")


def test_a_server_that_takes_nothing_is_a_504(start, script):
    over = threading.Event()

    def answer(connection):
        connection.read_request_head()
        over.wait(DEADLINE_S)
    weir = start(config(listener(), backends=[
        backend(script(answer), timeouts={"server_body": "300ms"})]))
    try:
        with Client(weir.address()) as client:
            client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
            client.socket.settimeout(2)
            with pytest.raises((TimeoutError, ConnectionError)):
                while True:
                    client.send(b"x" * 65536)
            assert_failed(weir, 504, "server_write_timeout", "server")
    finally:
        over.set()
