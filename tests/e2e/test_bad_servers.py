"""What servers do wrong becomes a 502 that says so, or an end the client cannot mistake."""
import threading

import pytest

from process import DEADLINE_S
from servers import Client, get
from weir import simple

OK = "HTTP/1.1 200 OK\r\n"
GARBAGE = {
    "not HTTP": (b"\x00\x01\x02 garbage\r\n\r\n", "bad_response"),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "bad_response"),
    "HTTP/0.9": (b"<html>hello</html>\r\n\r\n", "bad_response"),
    "HTTP/2": (b"HTTP/2 200\r\n\r\n", "bad_response"),
    "bad status": (b"HTTP/1.1 99 Low\r\n\r\n", "bad_response"),
    "status of letters": (b"HTTP/1.1 2OO OK\r\n\r\n", "bad_response"),
    "two lengths": (OK + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "bad_response"),
    "length and chunks": (OK + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                          "bad_response"),
    "negative length": (OK + "Content-Length: -1\r\n\r\n", "bad_response"),
    "space before colon": (OK + "X-A : 1\r\nContent-Length: 0\r\n\r\n", "bad_response"),
    "unasked upgrade": ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "bad_response"),
    "head too large": (OK + "X-Big: " + "x" * 70_000 + "\r\n\r\n", "response_head_too_large"),
    "too many fields": (OK + "X-A: 1\r\n" * 5000 + "\r\n", "response_head_too_large"),
    "half a head": (OK + "X-A: 1\r\n", "server_closed"),
}


@pytest.mark.parametrize("case", GARBAGE)
def test_a_broken_head_is_a_502_with_its_reason(start, script, case):
    sent, reason = GARBAGE[case]

    def answer(connection):
        connection.read_request()
        connection.send(sent)
    weir = start(simple(script(answer)))
    response = get(weir)
    assert response.status == 502
    assert response.field("content-type").startswith("text/plain")
    assert f"reason: {reason}" in response.body.decode()
    record = weir.access_log()[0]
    assert (record["status"], record["reason"]) == (502, reason)
    assert record["server"] == "web/s1"
    assert record["sentence"]
    weir.wait_for_metric(1, "weir_errors_total", side="server", reason=reason)
    weir.wait_for_metric(1, "weir_backend_errors_total", backend="web", reason=reason)
    weir.wait_for_metric(1, "weir_listener_responses_total", listener="web", **{"class": "5xx"})


CHUNKED = OK + "Transfer-Encoding: chunked\r\n\r\n"
CUT = {
    "length": (OK + "Content-Length: 1000\r\n\r\n" + "x" * 999, "server_closed"),
    "chunks": (CHUNKED + "3\r\nabc\r\n", "server_closed"),
    "last chunk": (CHUNKED + "3\r\nabc\r\n0\r\n", "server_closed"),
    "chunk size": (CHUNKED + "3\r\nabc\r\nxyz\r\n", "bad_response_body"),
    "chunk end": (CHUNKED + "3\r\nabcd\r\n0\r\n\r\n", "bad_response_body"),
}


def read_what_comes(client):
    got = b""
    try:
        while piece := client.read_some():
            got += piece
    except ConnectionResetError:
        pass
    return got


@pytest.mark.parametrize("case", CUT)
def test_a_cut_body_is_never_taken_for_a_whole_one(start, script, case):
    sent, reason = CUT[case]

    def answer(connection):
        connection.read_request()
        connection.send(sent)
    weir = start(simple(script(answer)))
    with Client(weir.address()) as client:
        client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        got = read_what_comes(client)
    assert not got.endswith(b"0\r\n\r\n")
    assert len(got.partition(b"\r\n\r\n")[2]) < 1000
    record = weir.access_log()[0]
    # Of what came with the bad part nothing has been sent: then there is still an answer.
    assert record["status"] == (502 if got.startswith(b"HTTP/1.1 502 ") else 200)
    assert record["reason"] == reason
    weir.wait_for_metric(1, "weir_errors_total", side="server", reason=reason)


def test_a_body_that_is_broken_from_its_first_byte_is_no_answer(start, script):
    def answer(connection):
        connection.read_request()
        connection.send(CHUNKED + "xyz\r\nabc\r\n")
    weir = start(simple(script(answer)))
    with Client(weir.address()) as client:
        response = client.get()
        assert response.status == 502
        assert "reason: bad_response_body" in response.body.decode()
    record = weir.access_log()[0]
    assert (record["status"], record["reason"]) == (502, "bad_response_body")


def test_a_body_that_ends_in_a_reset_resets_the_client(start, script):
    client_has_begun = threading.Event()

    def answer(connection):
        connection.read_request()
        connection.send(OK + "Content-Length: 1000\r\n\r\n", "begun")
        assert client_has_begun.wait(DEADLINE_S)
        connection.reset()
    weir = start(simple(script(answer)))
    with Client(weir.address()) as client:
        client.request()
        client.read_head()
        assert client.read(5) == b"begun"
        client_has_begun.set()
        with pytest.raises(ConnectionResetError):
            client.read_to_end()
    assert weir.access_log()[0]["reason"] == "server_reset"


def test_what_a_server_says_unasked_is_nobodys_answer(start, script):
    def answer(connection):
        while connection.read_request() is not None:
            connection.send(OK + "Content-Length: 2\r\n\r\nok"
                            + OK + "Content-Length: 6\r\n\r\nforged")
    weir = start(simple(script(answer)))
    with Client(weir.address()) as client:
        for _ in range(5):
            assert client.get().body == b"ok"
