"""Bodies, both ways: whole, in order, at any size and in any framing."""
import hashlib
import os
import threading

import pytest

from process import DEADLINE_S, run
from servers import Client, get
from weir import simple

MIB = 1 << 20
SIZES = [0, 1, 1000, 65536, MIB + 1, 64 * MIB]


def digest(data):
    return hashlib.sha256(data).hexdigest()


def random_bytes(size):
    block = os.urandom(min(size, MIB))
    return (block * (size // max(len(block), 1) + 1))[:size]


def chunked(data, chunk_bytes):
    for at in range(0, len(data), chunk_bytes):
        piece = data[at:at + chunk_bytes]
        yield f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
    yield b"0\r\n\r\n"


@pytest.fixture
def digesting(serve):
    """Answers with the digest of what it got."""
    return serve("digest", lambda connection, request: connection.answer(digest(request.body)))


@pytest.mark.parametrize("size", SIZES)
def test_a_request_body_with_its_length_arrives_whole(start, digesting, size):
    weir = start(simple(digesting))
    data = random_bytes(size)
    with Client(weir.address()) as client:
        client.request("POST", body=data)
        assert client.read_response().body.decode() == digest(data)
    assert digesting.requests[0].field("content-length") == str(size)
    assert weir.access_log()[0]["bytes_received"] == size


@pytest.mark.parametrize("chunk_bytes", [1, 7, 4096, MIB])
def test_a_chunked_request_body_arrives_whole(start, digesting, chunk_bytes):
    weir = start(simple(digesting))
    data = random_bytes(min(chunk_bytes * 500, 64 * MIB))
    with Client(weir.address()) as client:
        client.request("POST", fields=[("Transfer-Encoding", "chunked")])
        client.send(*chunked(data, chunk_bytes))
        assert client.read_response().body.decode() == digest(data)
    assert digesting.requests[0].field("content-length") is None


@pytest.mark.parametrize("size", SIZES)
def test_a_response_body_with_its_length_arrives_whole(start, serve, size):
    data = random_bytes(size)
    weir = start(simple(serve("s", lambda connection, request: connection.answer(data))))
    with Client(weir.address()) as client:
        response = client.get()
        assert response.field("content-length") == str(size)
        assert digest(response.body) == digest(data)
        assert client.get().status == 200  # and the connection goes on
    assert weir.access_log(2)[0]["bytes_sent"] == size


@pytest.mark.parametrize("chunk_bytes", [1, 7, 4096, MIB])
def test_a_chunked_response_body_arrives_whole(start, serve, chunk_bytes):
    data = random_bytes(min(chunk_bytes * 500, 64 * MIB))

    def answer(connection, request):
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                        *chunked(data, chunk_bytes))
    weir = start(simple(serve("s", answer)))
    with Client(weir.address()) as client:
        for _ in range(2):
            response = client.get()
            assert response.field("content-length") is None
            assert digest(response.body) == digest(data)


def test_a_body_up_to_the_close_arrives_whole(start, script):
    data = random_bytes(MIB)

    def answer(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\n\r\n", data)
    weir = start(simple(script(answer)))
    with Client(weir.address()) as client:
        assert digest(client.get().body) == digest(data)
        assert digest(client.get().body) == digest(data)  # the end was told by the framing
    with Client(weir.address()) as client:
        client.send("GET / HTTP/1.0\r\n\r\n")
        response = client.read_response()
        assert response.field("transfer-encoding") is None
        assert digest(response.body) == digest(data)


def test_chunks_go_to_a_client_of_http_1_0_as_plain_bytes(start, serve):
    def answer(connection, request):
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                        "5\r\nhello\r\n0\r\n\r\n")
    weir = start(simple(serve("s", answer)))
    with Client(weir.address()) as client:
        client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        response = client.read_response()
        assert response.body == b"hello"
        assert response.field("transfer-encoding") is None
        assert response.field("connection").lower() == "close"


def test_a_response_is_streamed_and_not_gathered(start, serve):
    seen = threading.Event()

    def answer(connection, request):
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "5\r\nfirst\r\n")
        assert seen.wait(DEADLINE_S)
        connection.send("6\r\nsecond\r\n0\r\n\r\n")
    weir = start(simple(serve("s", answer)))
    with Client(weir.address()) as client:
        client.request()
        assert b"200" in client.read_head()
        assert client.read_line() == b"5\r\n"
        assert client.read(7) == b"first\r\n"
        seen.set()
        assert client.read_chunked() == b"second"


def test_a_request_is_streamed_and_not_gathered(start, script):
    seen = threading.Event()

    def answer(connection):
        connection.read_request_head()
        assert connection.read(5) == b"first"
        seen.set()
        assert connection.read(6) == b"second"
        connection.answer("both")
    weir = start(simple(script(answer)))
    with Client(weir.address()) as client:
        client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nfirst")
        assert seen.wait(DEADLINE_S)
        client.send("second")
        assert client.read_response().body == b"both"


def test_an_answer_before_the_end_of_the_request_reaches_the_client(start, script):
    def answer(connection):
        connection.read_request_head()
        connection.answer("no thanks", status=403, fields=[("Connection", "close")])
        connection.read_to_end()
    weir = start(simple(script(answer)))
    with Client(weir.address()) as client:
        client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nbegin")
        response = client.read_response()
        assert (response.status, response.body) == (403, b"no thanks")


def test_head_and_bodiless_statuses_leave_the_connection_usable(start, serve):
    def answer(connection, request):
        if request.method == "HEAD":
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        elif request.target == "/204":
            connection.send("HTTP/1.1 204 No Content\r\n\r\n")
        elif request.target == "/304":
            connection.send('HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 77\r\n\r\n')
        else:
            connection.answer("body")
    server = serve("s", answer)
    weir = start(simple(server))
    with Client(weir.address()) as client:
        client.request("HEAD")
        response = client.read_response("HEAD")
        assert (response.status, response.field("content-length")) == (200, "1000")
        assert client.get("/204").status == 204
        response = client.get("/304")
        assert (response.status, response.field("etag")) == (304, '"x"')
        assert client.get().body == b"body"
    assert len(server.connections) == 1


def test_interim_responses_pass(start, serve):
    def answer(connection, request):
        connection.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
        connection.answer("final")
    weir = start(simple(serve("s", answer)))
    with Client(weir.address()) as client:
        client.request()
        hints = client.read_response()
        assert (hints.status, hints.field("link")) == (103, "</a.css>")
        assert client.read_response().body == b"final"


def test_expect_100_continue_is_answered_by_the_server(start, script):
    def answer(connection):
        request = connection.read_request_head()
        assert request.field("expect") == "100-continue"
        connection.send("HTTP/1.1 100 Continue\r\n\r\n")
        connection.answer(connection.read(4))
    weir = start(simple(script(answer)))
    with Client(weir.address()) as client:
        client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
                    "Expect: 100-continue\r\n\r\n")
        assert client.read_response().status == 100
        client.send("body")
        assert client.read_response().body == b"body"


def test_trailers_end_a_body_and_do_no_harm(start, serve):
    server = serve("s", lambda connection, request: connection.answer(request.body))
    weir = start(simple(server))
    with Client(weir.address()) as client:
        client.request("POST", fields=[("Transfer-Encoding", "chunked")])
        client.send("3;ext=1\r\nabc\r\n0\r\nX-Trailer: 1\r\nContent-Length: 9\r\n\r\n")
        assert client.read_response().body == b"abc"
        assert client.get().body == b""


def test_files_of_nginx_come_through_curl_unchanged(start, nginx, tmp_path):
    origin = nginx()
    data = random_bytes(16 * MIB)
    (origin.root / "file").write_bytes(data)
    weir = start(simple(origin))
    done = run(["curl", "-sS", "-o", tmp_path / "got", weir.url("/file")])
    assert done.returncode == 0, done.stderr
    assert digest((tmp_path / "got").read_bytes()) == digest(data)
    (tmp_path / "sent").write_bytes(data)
    done = run(["curl", "-sS", "-w", "%{http_code}", "-T", tmp_path / "sent",
                weir.url("/put/there")])
    assert done.stdout == "201", done.stderr
    assert digest((origin.root / "put/there").read_bytes()) == digest(data)
    response = get(weir, "/file", fields=[("Range", "bytes=10-19")])
    assert (response.status, response.body) == (206, data[10:20])
