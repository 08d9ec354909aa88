"""body_limit: the largest body for a route, whether its length is announced or not."""
import pytest

from servers import Client
from weir import backend, config, listener


@pytest.fixture
def limited(start, server):
    return start(config(
        listener(routes=[{"match": {"path_prefix": "/small"}, "backend": "web",
                          "filters": [{"body_limit": {"bytes": "1KiB"}}]}, {"backend": "web"}]),
        backends=[backend(server)]))


def chunked(target, *chunks):
    head = f"POST {target} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return [head, *(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks), b"0\r\n\r\n"]


def test_an_announced_body_is_refused_before_a_server_is_asked(limited, server):
    with Client(limited.address()) as client:
        client.request("POST", "/small", body=b"x" * 1024)
        assert client.read_response().status == 200
        client.request("POST", "/other", body=b"x" * 5000)
        assert client.read_response().status == 200
        client.request("POST", "/small", body=b"x" * 1025)
        assert client.read_response().status == 413
    record = limited.access_log(3)[-1]
    assert (record["reason"], record["attempts"]) == ("body_too_large", 0)
    assert [len(request.body) for request in server.requests] == [1024, 5000]


def test_a_body_of_unknown_length_is_cut_at_the_limit(limited, server):
    with Client(limited.address()) as client:
        client.send(*chunked("/small", b"x" * 1000, b"y" * 24))
        assert client.read_response().status == 200
        client.send(*chunked("/other", b"x" * 5000))
        assert client.read_response().status == 200
        client.send(*chunked("/small", b"x" * 1000, b"y" * 25))
        assert client.read_response().status == 413
    assert limited.access_log(3)[-1]["reason"] == "body_too_large"
    assert [len(request.body) for request in server.requests] == [1024, 5000]
