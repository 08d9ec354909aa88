"""What two readers may read differently is refused, and nothing of it reaches a server."""
import pytest

from servers import Client
from weir import simple

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

REFUSED = {  # bytes, status
    "length and chunks": (HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
                          b"0\r\n\r\n", 400),
    "chunks and length": (HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"
                          b"0\r\n\r\n", 400),
    "two lengths": (HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", 400),
    "two equal lengths": (HEAD + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde", 400),
    "list of lengths": (HEAD + b"Content-Length: 5, 5\r\n\r\nabcde", 400),
    "signed length": (HEAD + b"Content-Length: +5\r\n\r\nabcde", 400),
    "negative length": (HEAD + b"Content-Length: -5\r\n\r\nabcde", 400),
    "hexadecimal length": (HEAD + b"Content-Length: 0x5\r\n\r\nabcde", 400),
    "length with a space": (HEAD + b"Content-Length: 1 5\r\n\r\nabcde", 400),
    "empty length": (HEAD + b"Content-Length:\r\n\r\n", 400),
    "length too large": (HEAD + b"Content-Length: 18446744073709551617\r\n\r\na", 400),
    "length with underscore": (HEAD + b"Content-Length: 1_0\r\n\r\nabcdefghij", 400),
    "space before colon": (HEAD + b"Content-Length : 5\r\n\r\nabcde", 400),
    "space before colon of chunks": (HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    "tab in name": (HEAD + b"Transfer\tEncoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "folded line": (HEAD + b"X-A: 1\r\n Content-Length: 5\r\n\r\nabcde", 400),
    "folded chunks": (HEAD + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400),
    "line starts with space": (b"GET / HTTP/1.1\r\n Host: x\r\nHost: x\r\n\r\n", 400),
    "bare LF": (b"GET / HTTP/1.1\nHost: x\n\n", 400),
    "bare LF in head": (b"GET / HTTP/1.1\r\nHost: x\nX-A: 1\r\n\r\n", 400),
    "bare CR": (b"GET / HTTP/1.1\r\nHost: x\r\nX-A: 1\rContent-Length: 5\r\n\r\n", 400),
    "NUL in value": (b"GET / HTTP/1.1\r\nHost: x\r\nX-A: a\x00b\r\n\r\n", 400),
    "NUL in name": (b"GET / HTTP/1.1\r\nHost: x\r\nX\x00A: b\r\n\r\n", 400),
    "no colon": (b"GET / HTTP/1.1\r\nHost: x\r\nX-A\r\n\r\n", 400),
    "empty name": (b"GET / HTTP/1.1\r\nHost: x\r\n: a\r\n\r\n", 400),
    "not chunked": (HEAD + b"Transfer-Encoding: identity\r\n\r\n", 400),
    "chunked twice": (HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 501),
    "two codings": (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "chunked not last": (HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
    "two coding fields": (HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
                          b"0\r\n\r\n", 400),
    "odd white space": (HEAD + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n", 400),
    "chunks in HTTP/1.0": (b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                           b"0\r\n\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
    "bad host": (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    "host with path": (b"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", 400),
    "space in target": (b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "two spaces": (b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "tab as space": (b"GET\t/\tHTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "no version": (b"GET /\r\nHost: x\r\n\r\n", 400),
    "lower-case version": (b"GET / http/1.1\r\nHost: x\r\n\r\n", 400),
    "long version": (b"GET / HTTP/1.10\r\nHost: x\r\n\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "HTTP/3.0": (b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505),
    "method": (b"GE(T / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "target without slash": (b"GET index.html HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "fragment": (b"GET /#x HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "above the root": (b"GET /../x HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "binary": (bytes(range(128, 256)) + b"\r\n\r\n", 400),
    "CONNECT": (b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n", 501),
    "TRACE": (b"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", 501),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_ambiguous_request_is_refused_and_nothing_passes(start, server, case):
    sent, status = REFUSED[case]
    weir = start(simple(server))
    with Client(weir.address()) as client:
        is_last = status == 400 or case == "CONNECT"
        client.send(sent + SMUGGLED if is_last else sent)
        response = client.read_response()
        assert response.status == status
        if is_last:
            assert response.field("connection").lower() == "close"
            assert client.is_closed_cleanly()
    assert [request.target for request in server.requests] == []
    record = weir.access_log()[0]
    assert record["status"] == status
    assert record["reason"]
    assert record["sentence"]


BAD_BODIES = {
    "size is no number": b"xyz\r\nabc\r\n0\r\n\r\n",
    "negative size": b"-3\r\nabc\r\n0\r\n\r\n",
    "size with prefix": b"0x3\r\nabc\r\n0\r\n\r\n",
    "space before size": b" 3\r\nabc\r\n0\r\n\r\n",
    "size too large": b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "bare LF after size": b"3\nabc\r\n0\r\n\r\n",
    "bare LF in extension": b"3;a\nabc\r\n0\r\n\r\n",
    "extension without name": b"3;\r\nabc\r\n0\r\n\r\n",
    "extension without end": b"3;a=\"\r\nabc\r\n0\r\n\r\n",
    "data longer than its size": b"3\r\nabcd\r\n0\r\n\r\n",
    "bare LF after data": b"3\r\nabc\n0\r\n\r\n",
    "bad trailer": b"3\r\nabc\r\n0\r\nX-A : 1\r\n\r\n",
}


@pytest.mark.parametrize("case", BAD_BODIES)
def test_a_broken_chunked_body_is_a_400_and_the_request_never_whole(start, server, case):
    weir = start(simple(server))
    with Client(weir.address()) as client:
        client.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + BAD_BODIES[case] + SMUGGLED)
        response = client.read_response()
        assert response.status == 400
        assert b"bad_request_body" in response.body
        assert client.is_closed_cleanly()
    assert server.requests == []
    assert weir.access_log()[0]["reason"] == "bad_request_body"


def test_hop_by_hop_fields_stay_on_their_side(start, server):
    weir = start(simple(server))
    with Client(weir.address()) as client:
        response = client.get(fields=[
            ("Connection", "keep-alive, X-Private"), ("X-Private", "1"), ("X-Public", "1"),
            ("Keep-Alive", "timeout=5"), ("Proxy-Connection", "keep-alive"), ("TE", "trailers"),
            ("Upgrade", "websocket")])
        assert response.status == 200
    request = server.requests[0]
    for name in ("x-private", "keep-alive", "proxy-connection", "upgrade"):
        assert request.field(name) is None, name
    assert request.field("x-public") == "1"


def test_connection_cannot_remove_what_the_message_needs(start, serve):
    server = serve("s", lambda connection, request: connection.answer(request.body))
    weir = start(simple(server))
    with Client(weir.address()) as client:
        client.request("POST", fields=[("Connection", "Host, Content-Length")], body=b"body")
        response = client.read_response()
    if response.status == 200:  # to ignore the options or to refuse the request is right
        assert response.body == b"body"
        assert server.requests[0].field("host") == "example.com"
    else:
        assert response.status == 400
        assert server.requests == []


def test_a_whole_uri_as_target_rules_over_host(start, server):
    weir = start(simple(server))
    with Client(weir.address()) as client:
        client.send("GET http://a.example/x?y HTTP/1.1\r\nHost: b.example\r\n\r\n")
        assert client.read_response().status == 200
    assert server.requests[0].field("host") == "a.example"  # RFC 9112 3.2.2
    assert weir.access_log()[0]["host"] == "a.example"
