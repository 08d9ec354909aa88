"""RFC 9112, sections 6 to 8: bodies, their framing, the chunked coding, incomplete messages."""
from checks import (
    OK, answers, body_is, both, chunked_post, discards, exchange, forwards, has, lacks, ok, post,
    refuses, request, response, status_is, tested_by)
from process import DEADLINE_S
from row import CLIENT, INTERMEDIARY, MAY, MUST, PROXY, RECIPIENT, SENDER, SERVER, SHOULD, Row

CHUNKED = "Transfer-Encoding: chunked"
HELLO = "5\r\nhello\r\n0\r\n\r\n"
HELLO_LINES = HELLO.encode().splitlines(keepends=True)
SMUGGLING = "test_smuggling.py::test_an_ambiguous_request_is_refused_and_nothing_passes"
BAD_BODY = "test_smuggling.py::test_a_broken_chunked_body_is_a_400_and_the_request_never_whole"
BAD_HEAD = "test_bad_servers.py::test_a_broken_head_is_a_502_with_its_reason"
CUT_BODY = "test_bad_servers.py::test_a_cut_body_is_never_taken_for_a_whole_one"


def chunked(*chunks, trailers=""):
    return "".join(f"{len(chunk):x}\r\n{chunk}\r\n" for chunk in chunks) + f"0\r\n{trailers}\r\n"


def chunked_ok(*lines, body):
    return response(CHUNKED, *lines, body=body)


def cuts_answers(*answered):
    """The client of each sees no whole message, neither its length nor a last chunk, or a 502."""
    def check(bench):
        def script(connection):
            asked = connection.read_request()
            connection.send(answered[int(asked.target[1:])])
        weir = bench.weir(bench.server(script))
        for number in range(len(answered)):
            client = bench.client(weir)
            client.request(target=f"/{number}")
            try:
                head = client.read_head()
                if head.startswith(b"HTTP/1.1 502 "):
                    continue
                body = client.read_to_end()
            except ConnectionError:
                continue
            assert b"chunked" in head and not body.endswith(b"0\r\n\r\n"), (head, body)
    return check


def drops_extensions(bench):
    """On both sides, as the lines of chunks show."""
    body = '5;a;b=c;d="e;f"\r\nhello\r\n0;z\r\n\r\n'
    lines = []

    def script(connection):
        connection.read_head()
        lines.extend(connection.read_line() for _ in range(4))
        connection.send(chunked_ok(body=body))
    client = bench.client(bench.weir(bench.server(script)))
    client.send(chunked_post(body=body))
    client.read_head()
    assert [client.read_line() for _ in range(4)] == HELLO_LINES
    assert lines == HELLO_LINES


def resets_a_client_of_1_0(bench):
    """Whose body ends with the connection, so that only a reset tells the half from the whole."""
    def script(connection):
        connection.read_request()
        connection.send(chunked_ok(body="5\r\nhello\r\n"))
    client = bench.client(bench.weir(bench.server(script)))
    client.send("GET / HTTP/1.0\r\n\r\n")
    try:
        while client.read_some():
            pass
    except ConnectionResetError:
        return
    raise AssertionError("the connection ended as after a whole body")


def cuts_a_request(bench):
    """Its client closes within the body: the server's connection ends, and without a last chunk."""
    bodies = []

    def script(connection):
        connection.read_request_head()
        bodies.append(connection.read_to_end())
    server = bench.server(script)
    client = bench.client(bench.weir(server))
    client.send(chunked_post(body="5\r\nhello\r\n"))
    client.end_writing()
    server.wait_for_connections(1)
    assert server.connections[0].ended.wait(DEADLINE_S)
    assert not any(body.endswith(b"0\r\n\r\n") for body in bodies)


def serves_no_half_head(bench):
    server = bench.http_server()
    weir = bench.weir(server)
    client = bench.client(weir)
    client.send(request()[:-2])
    client.end_writing()
    client.read_to_end()
    assert bench.client(weir).get().status == 200
    assert len(server.requests) == 1


def takes_one_answer(bench):
    """What a server adds after the end of its answer is nobody's answer."""
    def script(connection):
        connection.read_request()
        connection.send(ok(body="right") + ok(body="wrong"))
        connection.read_to_end()
    server = bench.server(script)
    weir = bench.weir(server)
    client = bench.client(weir)
    for number in range(3):
        assert client.get().body == b"right"
        assert server.connections[number].ended.wait(DEADLINE_S)


ROWS = [
    Row("9112-6-body-by-framing", MUST, RECIPIENT,
        "A request has a body if its fields frame one, whatever the method",
        both(*(forwards(request("Content-Length: 5", start=f"{method} / HTTP/1.1", body="hello"), body_is("hello"),
                        has("Content-Length", "5"))
               for method in ("GET", "DELETE", "OPTIONS", "PATCH", "HEAD", "PROPFIND")))),
    Row("9112-6.1-chunked-request", MUST, RECIPIENT,
        "A chunked request is understood",
        tested_by("test_bodies.py::test_a_chunked_request_body_arrives_whole")),
    Row("9112-6.1-chunked-response", MUST, RECIPIENT,
        "A chunked response is understood",
        tested_by("test_bodies.py::test_a_chunked_response_body_arrives_whole")),
    Row("9112-6.1-coding-case", MUST, RECIPIENT,
        "Names of codings have no case",
        exchange(request("Transfer-Encoding: Chunked", start="POST / HTTP/1.1", body=HELLO),
                 response("Transfer-Encoding: CHUNKED", body=HELLO), [body_is("hello")], [body_is("hello")])),
    Row("9112-6.1-chunked-twice", MUST, SENDER,
        "Chunked is applied once: a chunked message is forwarded with one coding",
        exchange(chunked_post(body=HELLO), chunked_ok(body=HELLO), [has("Transfer-Encoding", "chunked")],
                 [has("Transfer-Encoding", "chunked")])),
    Row("9112-6.1-chunked-twice-received", MUST, RECIPIENT,
        "A message with chunked twice is refused",
        both(tested_by(SMUGGLING + "[chunked twice]", SMUGGLING + "[two coding fields]"),
             discards(response("Transfer-Encoding: chunked, chunked", body=HELLO),
                      response(CHUNKED, CHUNKED, body=HELLO)))),
    Row("9112-6.1-unknown-coding", SHOULD, SERVER,
        "A coding that is not understood is a 501",
        both(refuses(request("Transfer-Encoding: gzip, chunked", start="POST / HTTP/1.1"), status=501),
             tested_by(SMUGGLING + "[two codings]"))),
    Row("9112-6.1-unknown-coding-response", MUST, RECIPIENT,
        "A response in a coding that was not asked for is not passed on as if it were plain",
        discards(response("Transfer-Encoding: gzip, chunked", body=HELLO), response("Transfer-Encoding: x", body="a"),
                 response("Transfer-Encoding: chunked;q=1", body=HELLO), response("Transfer-Encoding:", body=HELLO))),
    Row("9112-6.1-none-with-1xx-204", MUST, SERVER,
        "1xx and 204 have no Transfer-Encoding",
        both(answers(response("Transfer-Encoding: chunked", start="HTTP/1.1 204 No Content"),
                     lacks("Transfer-Encoding"), status_is(204), closes=True),
             answers(response(CHUNKED, start="HTTP/1.1 103 Early Hints") + OK, body_is("ok")))),
    Row("9112-6.1-request-to-1-0", MUST, CLIENT,
        "Chunks are sent only to a server that is known to speak HTTP/1.1",
        forwards(chunked_post(body=HELLO), has("Transfer-Encoding", "chunked"), body_is("hello")),
        deviates="servers are configured, and spoken to in HTTP/1.1 from the first request"),
    Row("9112-6.1-response-to-1-0", MUST, SERVER,
        "A client of HTTP/1.0 gets no Transfer-Encoding",
        tested_by("test_bodies.py::test_chunks_go_to_a_client_of_http_1_0_as_plain_bytes")),
    Row("9112-6.1-both-lengths", MUST, SERVER,
        "After a request with both Content-Length and Transfer-Encoding the connection is closed",
        tested_by(SMUGGLING + "[length and chunks]", SMUGGLING + "[chunks and length]")),
    Row("9112-6.1-in-1-0-request", MUST, SERVER,
        "Transfer-Encoding in a request of HTTP/1.0 is faulty framing",
        both(refuses(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
                     b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"),
             tested_by(SMUGGLING + "[chunks in HTTP/1.0]"))),
    Row("9112-6.1-in-1-0-response", MUST, CLIENT,
        "Transfer-Encoding in a response of HTTP/1.0 is faulty framing",
        discards(response(CHUNKED, start="HTTP/1.0 200 OK", body=HELLO),
                 response(CHUNKED, "Content-Length: 5", start="HTTP/1.0 200 OK", body=HELLO))),

    Row("9112-6.2-not-with-chunks", MUST, SENDER,
        "Content-Length is not sent with Transfer-Encoding",
        exchange(chunked_post(body=HELLO), chunked_ok(body=HELLO), [lacks("Content-Length")],
                 [lacks("Content-Length")])),
    Row("9112-6.2-length-kept", SHOULD, SENDER,
        "A length that is known is sent, 0 included",
        both(exchange(post(body=""), ok(body=""), [has("Content-Length", "0")], [has("Content-Length", "0")]),
             exchange(post(body="hello"), ok(body="hello"), [has("Content-Length", "5")],
                      [has("Content-Length", "5")]))),
    Row("9112-6.2-leading-zeros", MUST, RECIPIENT,
        "A length may have leading zeros",
        exchange(request("Content-Length: 0005", start="POST / HTTP/1.1", body="hello"),
                 response("Content-Length: 0005", body="hello"), [body_is("hello")], [body_is("hello")])),

    Row("9112-6.3-head-answer", MUST, RECIPIENT,
        "An answer to HEAD ends with its head, whatever its fields say",
        both(*(answers(response(*lines), status_is(200), body_is(""), sent=request(start="HEAD / HTTP/1.1"))
               for lines in (["Content-Length: 5"], [CHUNKED], [])))),
    Row("9112-6.3-bodiless-status", MUST, RECIPIENT,
        "204 and 304 end with their head, whatever their fields say",
        both(tested_by("test_bodies.py::test_head_and_bodiless_statuses_leave_the_connection_usable"),
             *(answers(response(fields, start=f"HTTP/1.1 {status} Reason"), status_is(status), body_is(""))
               for status in (204, 304) for fields in ("Content-Length: 5", CHUNKED)))),
    Row("9112-6.3-interim-ends", MUST, RECIPIENT,
        "1xx ends with its head, whatever its fields say",
        answers(response("Content-Length: 5", start="HTTP/1.1 103 Early Hints") + OK, status_is(200), body_is("ok"))),
    Row("9112-6.3-length-removed", MUST, INTERMEDIARY,
        "A message with both lengths is not forwarded with both: here it is refused",
        both(tested_by(SMUGGLING + "[length and chunks]", BAD_HEAD + "[length and chunks]"),
             discards(response(CHUNKED, "Content-Length: 5", body=HELLO)))),
    Row("9112-6.3-chunked-not-last", MUST, SERVER,
        "A request whose last coding is not chunked is a 400",
        refuses(*(request(f"Transfer-Encoding: {codings}", start="POST / HTTP/1.1") for codings in (
            "chunked, gzip", "gzip", "identity", "chunked, identity")))),
    Row("9112-6.3-chunked-not-last-response", MUST, RECIPIENT,
        "A response whose last coding is not chunked goes to the close",
        discards(response("Transfer-Encoding: gzip", body="x"), response("Transfer-Encoding: chunked, gzip", body="x"),
                 response("Transfer-Encoding: identity", body="x")),
        deviates="such a response is a 502: any coding but chunked is refused, on both sides"),
    Row("9112-6.3-invalid-length", MUST, SERVER,
        "An invalid Content-Length of a request is a 400 and a close",
        both(refuses(*(request(f"Content-Length: {length}", start="POST / HTTP/1.1") for length in (
            "5, 6", "5,", "5;", "5.0", "1e1", "0b1", "\xb2", "five", "'5'", "9223372036854775808"))),
             tested_by(*(f"{SMUGGLING}[{case}]" for case in (
                 "two lengths", "signed length", "negative length", "hexadecimal length", "length with a space",
                 "empty length", "length too large"))))),
    Row("9112-6.3-equal-lengths", MAY, RECIPIENT,
        "Equal lengths, repeated, may be taken for one; here they may not: refused",
        both(tested_by(SMUGGLING + "[two equal lengths]", SMUGGLING + "[list of lengths]"),
             discards(response("Content-Length: 2", "Content-Length: 2", body="ok"),
                      response("Content-Length: 2, 2", body="ok")))),
    Row("9112-6.3-invalid-length-response", MUST, PROXY,
        "An invalid Content-Length of a response is a 502, and the server's connection is closed",
        discards(*(response(f"Content-Length: {length}", body="hello") for length in (
            "5, 6", "+5", "-5", "0x5", "5 5", "", "five", "5.0", "99999999999999999999")),
            response("Content-Length: 5", "Content-Length: 6", body="hello!"))),
    Row("9112-6.3-cut-request", MUST, RECIPIENT,
        "A request that ends before its length is incomplete, and its connection is closed",
        tested_by("test_clients.py::test_a_client_that_goes_within_its_body_ends_the_request",
                  "test_timeouts.py::test_a_client_silent_within_its_body_is_a_408")),
    Row("9112-6.3-cut-response", MUST, RECIPIENT,
        "A response that ends before its length is incomplete, and its connection is closed",
        tested_by(CUT_BODY + "[length]", "test_timeouts.py::test_a_server_silent_within_its_body_cuts_the_answer")),
    Row("9112-6.3-no-framing", MUST, RECIPIENT,
        "A request without either length has no body",
        both(forwards(request(start="POST / HTTP/1.1"), body_is(""), lacks("Transfer-Encoding")),
             forwards(request(start="PUT / HTTP/1.1"), body_is("")))),
    Row("9112-6.3-until-close", MUST, RECIPIENT,
        "A response without either length goes to the close",
        both(answers(response(body="hello"), body_is("hello"), closes=True),
             answers(response(start="HTTP/1.0 200 OK", body="hello"), body_is("hello"), closes=True),
             tested_by("test_bodies.py::test_a_body_up_to_the_close_arrives_whole"))),
    Row("9112-6.3-delimited", SHOULD, SERVER,
        "A response that goes to the close is chunked for a client of HTTP/1.1",
        answers(response(body="hello"), has("Transfer-Encoding", "chunked"), body_is("hello"), closes=True)),
    Row("9112-6.3-extra-data", MUST, CLIENT,
        "What follows the end of a response is no other response",
        both(takes_one_answer, tested_by("test_bad_servers.py::test_what_a_server_says_unasked_is_nobodys_answer"))),

    Row("9112-7.1-large-size", MUST, RECIPIENT,
        "Large chunk sizes do not overflow",
        both(refuses(*(chunked_post(body=f"{size}\r\nabc\r\n0\r\n\r\n") for size in (
            "10000000000000003", "100000000000000000000000000000003", "ffffffffffffffff0"))),
             tested_by(BAD_BODY + "[size too large]"))),
    Row("9112-7.1-size-syntax", MUST, RECIPIENT,
        "A chunk's size is hexadecimal digits only, in either case, with leading zeros or without",
        both(forwards(chunked_post(body="A\r\n0123456789\r\n00b\r\nabcdefghijk\r\n000\r\n\r\n"),
                      body_is("0123456789abcdefghijk")),
             refuses(*(chunked_post(body=f"{size}\r\nabc\r\n0\r\n\r\n") for size in (
                 "+3", "3_", "3.0", "3,", "", " ", "\x003", "3\x00", "3\x0b", "\xb3"))),
             tested_by(BAD_BODY + "[size is no number]", BAD_BODY + "[negative size]", BAD_BODY + "[size with prefix]",
                       BAD_BODY + "[space before size]"))),
    Row("9112-7.1-size-syntax-response", MUST, RECIPIENT,
        "A bad chunk of a response cuts the answer, or is a 502 if nothing has been sent",
        both(cuts_answers(*(chunked_ok(body=f"3\r\nabc\r\n{bad}") for bad in (
            "+3\r\nabc\r\n0\r\n\r\n", "0x3\r\nabc\r\n0\r\n\r\n", " 3\r\nabc\r\n0\r\n\r\n", "3\nabc\r\n0\r\n\r\n",
            "3\r\nabcd\r\n0\r\n\r\n", "3\r\nabc\n0\r\n\r\n", "fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
            "\r\n0\r\n\r\n", "3;a\nabc\r\n0\r\n\r\n", "0\r\nX-A : 1\r\n\r\n", "0\r\n X-A: 1\r\n\r\n"))),
             tested_by(CUT_BODY + "[chunk size]", CUT_BODY + "[chunk end]"))),
    Row("9112-7.1-line-ends", MUST, RECIPIENT,
        "Lines of the coding end with both carriage return and line feed",
        both(refuses(*(chunked_post(body=body) for body in (
            "3\rabc\r\n0\r\n\r\n", "3\r\r\nabc\r\n0\r\n\r\n", "3\r\nabc\r0\r\n\r\n", "3\r\nabc\r\n0\n\n",
            "3\r\nabc\r\n0\r\n\n", "3\r\nabc\r\n0\r\nX-A: 1\n\r\n"))),
             tested_by(BAD_BODY + "[bare LF after size]", BAD_BODY + "[bare LF after data]",
                       BAD_BODY + "[data longer than its size]"))),
    Row("9112-7.1.1-extensions", MUST, RECIPIENT,
        "Unknown chunk extensions are ignored, and not passed on",
        both(drops_extensions,
             forwards(chunked_post(body="5 ; a = b\r\nhello\r\n0 ;z\r\n\r\n"), body_is("hello")))),
    Row("9112-7.1.1-extension-limit", SHOULD, SERVER,
        "Chunk extensions have a limit (1 KiB a chunk)",
        both(forwards(chunked_post(body=f"5;{'a' * 1000}\r\nhello\r\n0\r\n\r\n"), body_is("hello")),
             refuses(chunked_post(body=f"5;{'a' * 2000}\r\nhello\r\n0\r\n\r\n")))),
    Row("9112-7.1.1-extension-overhead", SHOULD, SERVER,
        "The extensions of a whole request have a limit, too",
        refuses(chunked_post(body=f"1;{'a' * 1000}\r\nx\r\n" * 100 + "0\r\n\r\n"))),
    Row("9112-7.1.1-bad-extension", MUST, RECIPIENT,
        "An extension is ;name, ;name=token or ;name=\"text\", and ends where its line does",
        both(refuses(*(chunked_post(body=f"{size}\r\nhello\r\n0\r\n\r\n")
                       for size in ("5;a\x00b", "5;a\rb", "5 a", "5;a b", "5;=b", "5;a=", '5;a="b"c'))),
             tested_by(BAD_BODY + "[bare LF in extension]", BAD_BODY + "[extension without name]",
                       BAD_BODY + "[extension without end]"))),
    Row("9112-7.1.2-trailers-discarded-or-kept", MAY, RECIPIENT,
        "Trailer fields may be passed on, or discarded; either way the message ends after them",
        tested_by("test_bodies.py::test_trailers_end_a_body_and_do_no_harm")),
    Row("9112-7.1.2-not-merged", MUST, RECIPIENT,
        "Trailer fields are not merged into the header fields",
        exchange(chunked_post(body="5\r\nhello\r\n0\r\nX-T: 1\r\nHost: evil\r\n\r\n"),
                 chunked_ok(body="5\r\nhello\r\n0\r\nX-T: 1\r\nContent-Length: 9\r\n\r\n"),
                 [lacks("X-T"), has("Host", "example.com"), body_is("hello")],
                 [lacks("X-T", "Content-Length"), body_is("hello")])),
    Row("9112-7.1.2-bad-trailer", MUST, RECIPIENT,
        "A broken trailer field breaks the message",
        both(refuses(*(chunked_post(body=f"5\r\nhello\r\n0\r\n{trailer}\r\n\r\n") for trailer in (
            "X-T", ": 1", " X-T: 1", "X-T: a\x00b", "X-T: 1\r\n 2", "X\x00T: 1"))),
             tested_by(BAD_BODY + "[bad trailer]"))),
    Row("9112-7.1.2-trailer-limit", MUST, RECIPIENT,
        "Trailer fields have a limit (8 KiB)",
        refuses(chunked_post(body="5\r\nhello\r\n0\r\n" + "X-T: 1234567890\r\n" * 1000 + "\r\n"))),
    Row("9112-7.2-parameters", SHOULD, RECIPIENT,
        "Parameters of a coding are an error",
        refuses(request("Transfer-Encoding: chunked;a=b", start="POST / HTTP/1.1"),
                request("Transfer-Encoding: gzip;q=1, chunked", start="POST / HTTP/1.1"), status=501)),
    Row("9112-7.4-te-not-forwarded", MUST, INTERMEDIARY,
        "TE is of one connection, and not forwarded, named by Connection or not",
        both(forwards(request("TE: gzip, trailers", "Connection: TE"), lacks("TE", "Connection")),
             forwards(request("TE: gzip"), lacks("TE")))),

    Row("9112-8-cut-request-head", MUST, SERVER,
        "A request that ends within its head is not served",
        serves_no_half_head),
    Row("9112-8-cut-response-head", MUST, CLIENT,
        "A response that ends within its head is a 502",
        tested_by(BAD_HEAD + "[half a head]")),
    Row("9112-8-cut-chunks", MUST, RECIPIENT,
        "A chunked response without its last chunk is not passed on as if it were whole",
        both(cuts_answers(chunked_ok(body="5\r\nhello\r\n"), chunked_ok(body="5\r\nhello\r\n0\r\n"),
                          chunked_ok(body="5\r\nhel"), chunked_ok(body="")),
             tested_by(CUT_BODY + "[chunks]", CUT_BODY + "[last chunk]"))),
    Row("9112-8-cut-chunks-to-1-0", MUST, RECIPIENT,
        "Nor to a client of HTTP/1.0, which would take the close for the end",
        resets_a_client_of_1_0),
    Row("9112-8-cut-request", MUST, RECIPIENT,
        "A chunked request without its last chunk is not passed on as if it were whole",
        cuts_a_request),
]
