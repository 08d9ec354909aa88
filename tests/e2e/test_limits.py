"""Each limit on what a peer may send: its status and its reason; of a client's, nothing goes on."""
import pytest

from gate import Gate
from process import DEADLINE_S
from servers import Client, HttpServer
from weir import simple

MIB = 1 << 20


def assert_refused(weir, server, client, status, reason):
    response = client.read_response()
    assert response.status == status
    assert f"reason: {reason}" in response.body.decode()
    assert client.is_closed_cleanly()
    record = weir.access_log()[-1]
    assert (record["status"], record["reason"]) == (status, reason)
    weir.wait_for_metric(1, "weir_errors_total", side="client", reason=reason)
    assert server.requests == []


def test_a_head_larger_than_head_bytes_is_a_431(start, server):
    weir = start(simple(server, limits={"head_bytes": "8KiB"}))
    with Client(weir.address()) as client:
        client.request(fields=[("X-Big", "x" * 10_000)])
        assert_refused(weir, server, client, 431, "head_too_large")


def test_a_head_that_never_ends_is_a_431(start, server):
    weir = start(simple(server, limits={"head_bytes": "8KiB"}))
    with Client(weir.address()) as client:
        client.send("GET / HTTP/1.1\r\nHost: x\r\n", "X-Some: field\r\n" * 700)
        assert_refused(weir, server, client, 431, "head_too_large")


def test_a_head_of_nearly_head_bytes_passes(start, server):
    weir = start(simple(server))
    with Client(weir.address()) as client:
        assert client.get(fields=[("X-Big", "x" * 32_000)]).status == 200
    assert server.requests[0].field("x-big") == "x" * 32_000


def test_more_fields_than_head_fields_is_a_431(start, server):
    weir = start(simple(server, limits={"head_fields": 20}))
    with Client(weir.address()) as client:
        client.request(fields=[(f"X-{n}", "1") for n in range(20)])  # and Host
        assert_refused(weir, server, client, 431, "too_many_fields")


def test_as_many_fields_as_head_fields_pass(start, server):
    weir = start(simple(server, limits={"head_fields": 20}))
    with Client(weir.address()) as client:
        assert client.get(fields=[(f"X-{n}", "1") for n in range(19)]).status == 200


def test_a_target_that_does_not_fit_is_a_414(start, server):
    weir = start(simple(server, limits={"head_bytes": "8KiB"}))
    with Client(weir.address()) as client:
        client.request(target="/" + "a" * 10_000)
        assert_refused(weir, server, client, 414, "uri_too_long")


def test_a_length_above_body_bytes_is_a_413_before_the_body(start, server):
    weir = start(simple(server, limits={"body_bytes": "1MiB"}))
    with Client(weir.address()) as client:
        client.send(f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {(1 << 20) + 1}\r\n\r\n")
        response = client.read_response()
        assert response.status == 413
        assert b"body_too_large" in response.body
    assert server.connections == []
    weir.wait_for_metric(1, "weir_errors_total", side="client", reason="body_too_large")


def test_a_client_that_sends_its_too_large_body_still_sees_the_413(start, server):
    weir = start(simple(server, limits={"body_bytes": "1KiB"}))
    with Client(weir.address()) as client:
        client.request("POST", body=b"x" * 60_000)
        assert_refused(weir, server, client, 413, "body_too_large")


def test_chunks_above_body_bytes_are_a_413(start, server):
    weir = start(simple(server, limits={"body_bytes": "1KiB"}))
    with Client(weir.address()) as client:
        client.request("POST", fields=[("Transfer-Encoding", "chunked")])
        client.send(*[b"200\r\n" + b"x" * 512 + b"\r\n"] * 3)
        assert_refused(weir, server, client, 413, "body_too_large")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_exactly_body_bytes_passes(start, server, chunked):
    weir = start(simple(server, limits={"body_bytes": "1KiB"}))
    with Client(weir.address()) as client:
        if chunked:
            client.request("POST", fields=[("Transfer-Encoding", "chunked")])
            client.send(b"400\r\n" + b"x" * 1024 + b"\r\n0\r\n\r\n")
        else:
            client.request("POST", body=b"x" * 1024)
        assert client.read_response().status == 200
    assert server.requests[0].body == b"x" * 1024


def test_extensions_of_a_chunk_above_1_kib_are_a_400(start, server):
    weir = start(simple(server))
    with Client(weir.address()) as client:
        client.request("POST", fields=[("Transfer-Encoding", "chunked")])
        client.send(b"1;" + b"x" * 2000 + b"\r\na\r\n0\r\n\r\n")
        assert_refused(weir, server, client, 400, "bad_request_body")


def test_extensions_of_a_body_above_64_kib_are_a_400(start, server):
    weir = start(simple(server))
    with Client(weir.address()) as client:
        client.request("POST", fields=[("Transfer-Encoding", "chunked")])
        client.send((b"1;" + b"x" * 1000 + b"\r\na\r\n") * 66)
        assert_refused(weir, server, client, 400, "bad_request_body")


def test_trailers_above_8_kib_are_a_400(start, server):
    weir = start(simple(server))
    with Client(weir.address()) as client:
        client.request("POST", fields=[("Transfer-Encoding", "chunked")])
        client.send(b"1\r\na\r\n0\r\n" + b"X-Trailer: 1\r\n" * 700)
        assert_refused(weir, server, client, 400, "bad_request_body")


def test_more_than_32_interim_responses_are_a_502(start, script):
    def answer(connection):
        connection.read_request()
        while True:
            connection.send("HTTP/1.1 102 Processing\r\n\r\n")
    weir = start(simple(script(answer)))
    with Client(weir.address()) as client:
        client.request()
        statuses = [client.read_response().status for _ in range(33)]
        assert statuses == [102] * 32 + [502]
    weir.wait_for_metric(1, "weir_errors_total", side="server",
                         reason="interim_responses_too_many")
    assert weir.access_log()[0]["reason"] == "interim_responses_too_many"


def test_as_many_interim_responses_as_32_pass(start, serve):
    def answer(connection, request):
        connection.send("HTTP/1.1 102 Processing\r\n\r\n" * 32)
        connection.answer("final")
    weir = start(simple(serve("s", answer)))
    with Client(weir.address()) as client:
        client.request()
        assert [client.read_response().status for _ in range(33)] == [102] * 32 + [200]


def test_pipelined_requests_wait_at_the_client_while_one_is_served(start, ends):
    gate = Gate()
    server = ends(HttpServer("gated", gate))
    ends(gate)
    weir = start(simple(server))
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    with Client(weir.address(), receive_buffer=4096) as client:
        before = weir.resident_bytes()
        client.socket.settimeout(0.3)
        sent = 0
        with pytest.raises(TimeoutError):  # its sockets are full, as nobody reads them
            while sent < 64 * MIB:
                sent += client.socket.send(request * 2000)
        assert len(server.requests) == 1
        assert weir.resident_bytes() - before < 4 * MIB
        client.socket.settimeout(DEADLINE_S)
        gate.let(3)
        assert [client.read_response().status for _ in range(3)] == [200] * 3
        assert weir.metrics().value("weir_listener_requests_total") <= 4


def test_endless_pipelining_ends_with_requests_per_connection(start, server):
    weir = start(simple(server, limits={"requests_per_connection": 100}))
    with Client(weir.address()) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 300)
        answers = [client.read_response() for _ in range(100)]
        assert answers[-1].field("connection") == "close"
        assert client.is_closed_cleanly()
    assert len(server.requests) == 100
    weir.wait_for_metric(100, "weir_listener_requests_total")


def test_who_pipelines_and_never_reads_is_ended_by_the_time_of_a_write(start, serve):
    big = b"x" * MIB
    server = serve("s", lambda connection, request: connection.answer(big))
    weir = start(simple(server, timeouts={"client_body": "300ms"}))
    with Client(weir.address(), receive_buffer=4096) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
        weir.wait_for_metric(1, "weir_errors_total", side="client", reason="client_write_timeout")
    weir.wait_for_metric(0, "weir_listener_connections_open")
    assert len(server.requests) < 20
