"""RFC 9110, sections 8 to 14: lengths, methods, expectations, and the fields that are between client and server."""
from checks import (
    FOLLOWING, OK, answers, body_is, both, exchange, forwards, has, lacks, line, ok, refuses, request, response,
    status_is, tested_by)
from row import INTERMEDIARY, MAY, MUST, PROXY, RECIPIENT, SENDER, SERVER, SHOULD, Row

SMUGGLING = "test_smuggling.py::test_an_ambiguous_request_is_refused_and_nothing_passes"
HEAD = request(start="HEAD / HTTP/1.1")
EXPECTING = "Expect: 100-continue"
CONTINUE = response(start="HTTP/1.1 100 Continue")
CONDITIONS = ['If-Match: "a", W/"b"', "If-None-Match: *", "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
              "If-Unmodified-Since: Sunday, 06-Nov-94 08:49:37 GMT", 'If-Range: "a"', "Range: bytes=0-1,-5, 7-"]


def answers_head_itself_without_a_body(bench):
    """A 502, after which the connection goes on."""
    def script(connection):
        while (asked := connection.read_request()) is not None:
            connection.send(b"nonsense\r\n\r\n" if asked.method == "HEAD" else OK)
    client = bench.client(bench.weir(bench.server(script)))
    client.send(HEAD)
    got = client.read_response("HEAD")
    assert (got.status, got.body) == (502, b"")
    if got.field("connection") == "close":
        assert client.is_closed_cleanly()
    else:
        assert client.get().status == 200


def no_length_of_an_interim_response(bench):
    server = bench.http_server(lambda connection, _: connection.send(
        response("Content-Length: 5", start="HTTP/1.1 103 Early Hints") + OK))
    client = bench.client(bench.weir(server))
    client.send(request())
    got = client.read_response()
    assert got.status == 103
    lacks("Content-Length", "Transfer-Encoding")(got)


def passes_a_final_answer_to_an_expectation(bench):
    """The client never sends its body then; whatever it sends is no request."""
    def script(connection):
        connection.read_request_head()
        connection.send(response("Content-Length: 2", start="HTTP/1.1 417 Expectation Failed", body="no"))
        connection.read_to_end()
    server = bench.server(script)
    client = bench.client(bench.weir(server))
    client.send(request("Content-Length: 500", EXPECTING, start="POST / HTTP/1.1"))
    got = client.read_response()
    assert (got.status, got.body) == (417, b"no")
    client.send(FOLLOWING)
    assert client.read_to_end() == b""
    assert len(server.connections) == 1


def sends_no_continue_of_its_own(bench):
    """It is the server's to say: the client may have been refused."""
    def script(connection):
        asked = connection.read_request_head()
        assert connection.read(int(asked.field("content-length"))) == b"hello"
        connection.send(OK)
    client = bench.client(bench.weir(bench.server(script)))
    client.send(request("Content-Length: 5", EXPECTING, start="POST / HTTP/1.1", body="hello"))
    assert client.read_response().status == 200


def sends_no_interim_response_to_1_0(*interim):
    def check(bench):
        server = bench.http_server(lambda connection, _: connection.send(b"".join(interim) + OK))
        client = bench.client(bench.weir(server))
        client.send(b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello")
        got = client.read_response()
        assert (got.status, got.body) == (200, b"ok")
        assert client.is_closed_cleanly()
        assert server.requests[0].body == b"hello"
    return check


def waits_for_a_continue(bench):
    """The head goes to the server before any of the body came, and what it says comes back."""
    def script(connection):
        connection.read_request_head()
        connection.send(CONTINUE)
        connection.answer(connection.read(5))
    server = bench.server(script)
    client = bench.client(bench.weir(server))
    client.send(request("Transfer-Encoding: chunked", EXPECTING, start="PUT / HTTP/1.1"))
    assert client.read_response().status == 100
    assert not server.connections[0].ended.is_set()
    client.send("5\r\nhello\r\n0\r\n\r\n")
    assert client.read_response().status == 200


ROWS = [
    Row("9110-8.6-head", MUST, SERVER,
        "Content-Length in an answer to HEAD is the server's, as it came",
        answers(response("Content-Length: 1234567"), has("Content-Length", "1234567"), sent=HEAD)),
    Row("9110-8.6-head-none", MUST, SERVER,
        "An answer to HEAD without Content-Length gets none",
        both(answers(response(), lacks("Content-Length"), sent=HEAD),
             answers(response("Transfer-Encoding: chunked"), lacks("Content-Length"), sent=HEAD))),
    Row("9110-8.6-304", MUST, SERVER,
        "Content-Length in a 304 is the server's, as it came",
        answers(response("Content-Length: 1234567", start="HTTP/1.1 304 Not Modified"),
                has("Content-Length", "1234567"), body_is(""))),
    Row("9110-8.6-none-with-1xx-204", MUST, SERVER,
        "1xx and 204 have no Content-Length",
        both(answers(response("Content-Length: 5", start="HTTP/1.1 204 No Content"), lacks("Content-Length")),
             no_length_of_an_interim_response)),
    Row("9110-8.6-large", MUST, RECIPIENT,
        "Large lengths do not overflow",
        both(refuses(*(request(f"Content-Length: {length}", start="POST / HTTP/1.1") for length in (
            2 ** 63, 2 ** 64, 2 ** 64 + 5, 10 ** 40))),
             tested_by(SMUGGLING + "[length too large]"))),
    Row("9110-8.6-incorrect", MUST, SENDER,
        "No length is forwarded that is known to be wrong",
        both(exchange(request("Content-Length: 5", start="POST / HTTP/1.1", body="hello"), ok(body="hello"),
                      [has("Content-Length", "5"), body_is("hello")], [has("Content-Length", "5"), body_is("hello")]),
             tested_by("test_bodies.py::test_a_request_body_with_its_length_arrives_whole",
                       "test_bodies.py::test_a_response_body_with_its_length_arrives_whole"))),

    Row("9110-9.1-any-method", SHOULD, INTERMEDIARY,
        "Methods that mean nothing to Weir pass",
        both(*(forwards(request(start=f"{method} / HTTP/1.1"), line(f"{method} / HTTP/1.1")) for method in (
            "PATCH", "PROPFIND", "QUERY", "M-SEARCH", "FOO", "!#$%&'*+-.^_`|~")))),
    Row("9110-9.1-method-syntax", MUST, RECIPIENT,
        "A method is a token",
        refuses(*(request(start=f"{method} / HTTP/1.1") for method in (
            "G(T", "G,T", "G/T", "G:T", "G=T", "G@T", "G\x00T", "G\xe9T", "[GET]", '"GET"')))),
    Row("9110-9.2.2-no-retry", MUST, PROXY,
        "Requests that are not idempotent are not repeated",
        tested_by("test_next_server.py::test_a_post_is_not_repeated",
                  "test_retry.py::test_a_post_is_not_sent_again_after_the_per_try_timeout")),
    Row("9110-9.3.2-no-content", MUST, SERVER,
        "Answers to HEAD have no content, whatever the server sent",
        answers(ok(body="hello"), status_is(200), body_is(""), sent=HEAD)),
    Row("9110-9.3.2-own-answers", MUST, SERVER,
        "Answers to HEAD that Weir makes itself have no content",
        both(refuses(b"HEAD / HTTP/1.1\r\n\r\n"), answers_head_itself_without_a_body)),
    Row("9110-9.3.2-same-fields", SHOULD, SERVER,
        "Answers to HEAD keep the fields of the representation",
        answers(response("Content-Length: 5", "Content-Type: a/b", "ETag: \"x\"", "Accept-Ranges: bytes"),
                has("Content-Type", "a/b"), has("ETag", '"x"'), has("Accept-Ranges", "bytes"), sent=HEAD)),
    Row("9110-9.3.6-bad-port", MUST, SERVER,
        "CONNECT with an empty or invalid port is rejected",
        refuses(*(request(start=f"CONNECT {target} HTTP/1.1") for target in (
            "example.com", "example.com:", "example.com:x", "example.com:99999", ":443", "user@example.com:443")))),
    Row("9110-9.3.6-refused", MAY, SERVER,
        "CONNECT may be refused: a gateway is no forward proxy",
        tested_by(SMUGGLING + "[CONNECT]")),
    Row("9110-9.3.7-max-forwards", MUST, PROXY,
        "OPTIONS gets no Max-Forwards that it did not have",
        forwards(request(start="OPTIONS / HTTP/1.1"), lacks("Max-Forwards"))),
    Row("9110-9.3.7-content", SHOULD, INTERMEDIARY,
        "OPTIONS may have content, with its type",
        forwards(request("Content-Length: 5", "Content-Type: a/b", start="OPTIONS / HTTP/1.1", body="hello"),
                 body_is("hello"), has("Content-Type", "a/b"))),
    Row("9110-9.3.8-refused", MAY, SERVER,
        "TRACE may be refused: it would show what was added on the way",
        tested_by(SMUGGLING + "[TRACE]")),

    Row("9110-10.1.1-forwarded", MUST, PROXY,
        "A request that expects 100 is answered, or its head forwarded, before its body comes",
        both(waits_for_a_continue, tested_by("test_bodies.py::test_expect_100_continue_is_answered_by_the_server"))),
    Row("9110-10.1.1-not-invented", MUST, PROXY,
        "No 100 is made that the server did not send",
        sends_no_continue_of_its_own),
    Row("9110-10.1.1-final", SHOULD, SERVER,
        "A final answer before the body passes, and the connection ends: a body was announced",
        passes_a_final_answer_to_an_expectation),
    Row("9110-10.1.1-own-final", SHOULD, SERVER,
        "What Weir refuses itself it refuses before the body",
        tested_by("test_limits.py::test_a_length_above_body_bytes_is_a_413_before_the_body")),
    Row("9110-10.1.1-1-0", MUST, SERVER,
        "The expectation of a client of HTTP/1.0 is ignored: it gets no 100",
        sends_no_interim_response_to_1_0(CONTINUE)),
    Row("9110-10.1.1-others", MAY, SERVER,
        "Other expectations may be a 417; here they pass",
        forwards(request("Expect: 200-ok"), has("Expect", "200-ok"))),
    Row("9110-10.1.4-te", MUST, INTERMEDIARY,
        "TE is not forwarded as it came",
        forwards(request("TE: trailers, deflate;q=0.5", "Connection: TE"), lacks("TE"))),
    Row("9110-10.2.1-allow", MUST, PROXY,
        "Allow is not changed",
        answers(response("Allow: GET, , PROPFIND", "Content-Length: 0", start="HTTP/1.1 405 Method Not Allowed"),
                status_is(405), has("Allow", "GET, , PROPFIND"))),

    Row("9110-11.6.1-challenge", MUST, PROXY,
        "WWW-Authenticate is not changed",
        answers(response('WWW-Authenticate: Basic realm="a, b", Newauth x="y"', "WWW-Authenticate: Bearer",
                         "Content-Length: 0", start="HTTP/1.1 401 Unauthorized"),
                status_is(401), has("WWW-Authenticate", 'Basic realm="a, b", Newauth x="y"', "Bearer"))),
    Row("9110-11.6.2-credentials", MUST, PROXY,
        "Authorization is not changed",
        forwards(request("Authorization: Basic  eDp5=="), line("Authorization: Basic  eDp5=="))),
    Row("9110-12.5.5-vary", MUST, PROXY,
        "No Vary is made, least of all *",
        both(answers(OK, lacks("Vary")), answers(ok("Vary: Accept"), has("Vary", "Accept")))),

    Row("9110-13.2.1-conditions", MUST, INTERMEDIARY,
        "Conditions are forwarded as they came, and not judged",
        exchange(request(*CONDITIONS), ok('ETag: "a"'), [line(condition) for condition in CONDITIONS],
                 [status_is(200), has("ETag", '"a"')])),

    Row("9110-14.2-range", MAY, PROXY,
        "Ranges pass, of any unit and number",
        both(forwards(request("Range: bytes=" + ",".join(f"{n}-{n}" for n in range(1000))),
                      has("Range", "bytes=" + ",".join(f"{n}-{n}" for n in range(1000)))),
             forwards(request("Range: pages=1-2"), has("Range", "pages=1-2")))),
    Row("9110-14.4-partial", SHOULD, PROXY,
        "Partial answers pass, of any unit",
        both(*(answers(response(f"Content-Range: {span}", "Content-Length: 2", start=f"HTTP/1.1 {status} Reason",
                                body="ok"), status_is(status), has("Content-Range", span), body_is("ok"))
               for status, span in ((206, "bytes 0-1/10"), (206, "pages 1-2/*"), (416, "bytes */10"))))),
]
