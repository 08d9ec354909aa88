"""RFC 9110, section 15: status codes."""
from checks import (
    OK, answers, body_is, both, discards, has, request, response, status_is, tested_by)
from rfc9110_methods import CONTINUE, sends_no_interim_response_to_1_0
from row import CLIENT, GATEWAY, INTERMEDIARY, MAY, MUST, PROXY, SERVER, SHOULD, Row

BAD_HEAD = "test_bad_servers.py::test_a_broken_head_is_a_502_with_its_reason"
HINTS = response("Link: </a.css>", start="HTTP/1.1 103 Early Hints")


def with_status(status, *lines, body="ok"):
    return response(f"Content-Length: {len(body)}", *lines, start=f"HTTP/1.1 {status} Reason", body=body)


def passes_every_interim_response(bench):
    """In their order, those without a name included, before the answer, and none to the next request."""
    statuses = [100, 102, 103, 103, 199]

    def answer(connection, asked):
        if asked.target == "/":
            connection.send(*(response(f"X-N: {n}", start=f"HTTP/1.1 {status} Reason")
                              for n, status in enumerate(statuses)))
        connection.send(OK)
    client = bench.client(bench.weir(bench.http_server(answer)))
    client.send(request())
    got = [client.read_response() for _ in range(len(statuses) + 1)]
    assert [one.status for one in got] == [*statuses, 200]
    assert [one.field("x-n") for one in got[:-1]] == [str(n) for n in range(len(statuses))]
    assert client.get("/next").status == 200


def follows_no_redirect(bench):
    server = bench.http_server(lambda connection, _: connection.send(with_status(302, "Location: /elsewhere")))
    got = bench.client(bench.weir(server)).get()
    assert (got.status, got.field("location")) == (302, "/elsewhere")
    assert [asked.target for asked in server.requests] == ["/"]


def says_which_versions_it_speaks(bench):
    client = bench.client(bench.weir(bench.http_server()))
    client.send(request(start="GET / HTTP/3.0"))
    got = client.read_response()
    assert got.status == 505
    assert b"1.1" in got.body


def ends_too_many_interim_responses(bench):
    def script(connection):
        connection.read_request()
        while True:
            connection.send(HINTS)
    client = bench.client(bench.weir(bench.server(script)))
    client.send(request())
    for _ in range(1000):
        status = client.read_response().status
        if status >= 200:
            break
    assert status == 502


def says_what_was_wrong(bench):
    client = bench.client(bench.weir(bench.http_server()))
    client.send(b"GET / HTTP/1.1\r\n\r\n")
    got = client.read_response()
    assert got.status == 400
    assert got.field("content-type").startswith("text/plain")
    assert b"Host" in got.body


ROWS = [
    Row("9110-15-unknown", MUST, CLIENT,
        "Statuses without a name pass: their first digit says what they mean",
        both(*(answers(with_status(status), status_is(status), body_is("ok"))
               for status in (218, 299, 399, 420, 499, 530, 599)))),
    Row("9110-15-invalid", SHOULD, CLIENT,
        "Statuses outside 100 to 599 are an error of the server: 502",
        both(discards(with_status(600), with_status(999), with_status("099"), with_status("000"), with_status(1000),
                      with_status("2x0"), with_status("-20")),
             tested_by(BAD_HEAD + "[bad status]", BAD_HEAD + "[status of letters]"))),
    Row("9110-15.2-forwarded", MUST, PROXY,
        "Interim responses pass, all of them, expected or not",
        both(passes_every_interim_response, tested_by("test_bodies.py::test_interim_responses_pass"))),
    Row("9110-15.2-not-to-1-0", MUST, SERVER,
        "A client of HTTP/1.0 gets no interim response",
        sends_no_interim_response_to_1_0(CONTINUE, HINTS)),
    Row("9110-15.2-limit", MAY, INTERMEDIARY,
        "Interim responses to one request have a limit (32), so that no server can send them without end",
        ends_too_many_interim_responses),
    Row("9110-15.2.2-unasked", MUST, SERVER,
        "A 101 that nobody asked for is a 502",
        tested_by(BAD_HEAD + "[unasked upgrade]")),
    Row("9110-15.3.5-no-content", MUST, SERVER,
        "A 204 ends with its head",
        tested_by("test_bodies.py::test_head_and_bodiless_statuses_leave_the_connection_usable")),
    Row("9110-15.3.6-reset", MUST, SERVER,
        "A 205 without content passes as one",
        answers(with_status(205, body=""), status_is(205), has("Content-Length", "0"), body_is(""))),
    Row("9110-15.3.7-partial", MUST, SERVER,
        "A 206 keeps its fields, and its parts",
        answers(with_status(206, "Content-Type: multipart/byteranges; boundary=x", "ETag: \"a\"", "Vary: Accept",
                            "Expires: 0", "Content-Location: /b", body="--x\r\n\r\na\r\n--x--\r\n"),
                status_is(206), has("Content-Type", "multipart/byteranges; boundary=x"), has("ETag", '"a"'),
                has("Vary", "Accept"), has("Expires", "0"), has("Content-Location", "/b"),
                body_is("--x\r\n\r\na\r\n--x--\r\n"))),
    Row("9110-15.4-not-followed", MUST, INTERMEDIARY,
        "Redirects are the client's to follow, and their Location passes",
        follows_no_redirect),
    Row("9110-15.4.5-fields", MUST, SERVER,
        "A 304 keeps its fields",
        answers(response('ETag: "a"', "Vary: Accept", "Cache-Control: max-age=5", "Expires: 0", "Content-Location: /b",
                         "Date: Sun, 06 Nov 1994 08:49:37 GMT", start="HTTP/1.1 304 Not Modified"),
                status_is(304), has("ETag", '"a"'), has("Vary", "Accept"), has("Cache-Control", "max-age=5"),
                has("Expires", "0"), has("Content-Location", "/b"), has("Date", "Sun, 06 Nov 1994 08:49:37 GMT"))),
    Row("9110-15.4.5-forwarded", SHOULD, PROXY,
        "A 304 goes to the client whose condition it answers",
        answers(response('ETag: "a"', start="HTTP/1.1 304 Not Modified"), status_is(304), has("ETag", '"a"'),
                sent=request('If-None-Match: "a"'))),
    Row("9110-15.5-explained", SHOULD, SERVER,
        "A 4xx that Weir makes says what was wrong",
        both(says_what_was_wrong, tested_by("test_routing.py::test_no_route_is_a_404_with_its_reason"))),
    Row("9110-15.5.9-timeout", SHOULD, SERVER,
        "A 408 ends the connection",
        tested_by("test_timeouts.py::test_a_head_that_is_not_finished_in_time_is_a_408",
                  "test_timeouts.py::test_a_client_silent_within_its_body_is_a_408")),
    Row("9110-15.5.14-too-large", MAY, SERVER,
        "A 413 may end the connection",
        tested_by("test_limits.py::test_a_client_that_sends_its_too_large_body_still_sees_the_413")),
    Row("9110-15.6-explained", SHOULD, SERVER,
        "A 5xx that Weir makes says what was wrong",
        tested_by(BAD_HEAD)),
    Row("9110-15.6.3-bad-gateway", MUST, GATEWAY,
        "An invalid response is a 502",
        tested_by(BAD_HEAD)),
    Row("9110-15.6.5-gateway-timeout", MUST, GATEWAY,
        "A response that does not come in time is a 504",
        tested_by("test_timeouts.py::test_a_server_that_does_not_answer_is_a_504")),
    Row("9110-15.6.6-version", SHOULD, SERVER,
        "A 505 says which versions are spoken",
        says_which_versions_it_speaks),
]
