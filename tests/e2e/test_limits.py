"""Each limit on what a client may send: its status and its reason, and nothing reaches a server."""
import pytest

from servers import Client
from weir import simple


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
