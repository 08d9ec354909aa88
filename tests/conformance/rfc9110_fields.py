"""RFC 9110, sections 4 to 6: URIs, fields, versions, trailers, dates."""
import re
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

from checks import (
    OK, answers, body_is, both, chunked_post, discards, exchange, forwards, has, lacks, line, ok, refuses, request,
    response, tested_by, values)
from process import DEADLINE_S
from row import MAY, MUST, PROXY, RECIPIENT, SENDER, SERVER, SHOULD, Row

SMUGGLING = "test_smuggling.py::test_an_ambiguous_request_is_refused_and_nothing_passes"
BAD_HEAD = "test_bad_servers.py::test_a_broken_head_is_a_502_with_its_reason"
IMF_FIXDATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} "
                         r"\d\d:\d\d:\d\d GMT")
ODD_NAMES = ["X-Unknown", "x_under", "!#$%&'*+-.^_`|~09", "Sec-Fetch-Site"]
CONTROLS = [chr(code) for code in (*range(1, 9), *range(11, 13), *range(14, 32), 127)]


def is_dated_now(message):
    (date,) = values(message, "Date") or [""]
    assert IMF_FIXDATE.fullmatch(date), message.head
    assert abs(parsedate_to_datetime(date) - datetime.now(timezone.utc)) < timedelta(seconds=DEADLINE_S)


def dates_its_own_answers(bench):
    client = bench.client(bench.weir(bench.http_server()))
    client.send(b"GET / HTTP/1.1\r\n\r\n")
    is_dated_now(client.read_response())


def passes_trailers_to_the_client(bench):
    server = bench.http_server(lambda connection, _: connection.send(response(
        "Transfer-Encoding: chunked", "Trailer: X-T", body="5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n")))
    client = bench.client(bench.weir(server))
    client.send(request("TE: trailers", "Connection: TE, close"))
    assert b"\r\nTrailer: X-T\r\n" in client.read_head()
    assert client.read_to_end().endswith(b"\r\n0\r\nX-T: 1\r\n\r\n")


def passes_trailers_to_the_server(bench):
    trailers = []

    def script(connection):
        connection.read_head()
        while connection.read_line() not in (b"0\r\n", b""):
            pass
        while (text := connection.read_line()) not in (b"\r\n", b""):
            trailers.append(text)
        connection.send(OK)
    client = bench.client(bench.weir(bench.server(script)))
    client.send(chunked_post("Trailer: X-T", body="5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n"))
    assert client.read_response().status == 200
    assert trailers == [b"X-T: 1\r\n"]


ROWS = [
    Row("9110-4.2.1-empty-host", MUST, RECIPIENT,
        "An http URI without a host is invalid",
        refuses(*(request(start=f"GET {uri} HTTP/1.1") for uri in (
            "http:///path", "http://:80/", "http://?q", "https:///path")))),
    Row("9110-4.2.4-userinfo", SHOULD, RECIPIENT,
        "Userinfo in a URI is an error",
        refuses(request(start="GET http://user@example.com/ HTTP/1.1"),
                request(start="GET http://user:secret@example.com/ HTTP/1.1"),
                request(start="GET http://example.com@evil.example/ HTTP/1.1"))),

    Row("9110-5.1-unrecognized", MUST, PROXY,
        "Fields that mean nothing to Weir pass",
        exchange(request(*(f"{name}: 1" for name in ODD_NAMES)), ok(*(f"{name}: 1" for name in ODD_NAMES)),
                 [has(name, "1") for name in ODD_NAMES], [has(name, "1") for name in ODD_NAMES])),
    Row("9110-5.1-case", MUST, RECIPIENT,
        "Names of fields have no case",
        both(exchange(request("cONTENT-lENGTH: 5", start="POST / HTTP/1.1", body="hello"),
                      response("content-LENGTH: 5", body="hello"), [body_is("hello")], [body_is("hello")]),
             forwards(b"GET / HTTP/1.1\r\nhOsT: example.com\r\ncONNECTION: x-a\r\nX-A: 1\r\n\r\n",
                      has("Host", "example.com"), lacks("X-A", "Connection")))),
    Row("9110-5.1-name-passes", MAY, SENDER,
        "The case of names is kept, for those who look at it",
        exchange(request("x-LOUD: 1"), ok("x-QUIET: 1"), [line("x-LOUD: 1")], [line("x-QUIET: 1")])),
    Row("9110-5.3-order", MUST, PROXY,
        "Fields of one name keep their order",
        exchange(request("X-A: 1", "X-B: 1", "X-A: 2", "Cookie: a=1", "x-a: 3", "Cookie: b=2"),
                 ok("X-A: 1", "X-B: 1", "X-A: 2", "x-a: 3"),
                 [has("X-A", "1", "2", "3"), has("Cookie", "a=1", "b=2")], [has("X-A", "1", "2", "3")])),
    Row("9110-5.3-set-cookie", MUST, RECIPIENT,
        "Set-Cookie fields are never joined",
        answers(ok("Set-Cookie: a=1; Expires=Wed, 09 Jun 2032 10:18:14 GMT", "Set-Cookie: b=2"),
                has("Set-Cookie", "a=1; Expires=Wed, 09 Jun 2032 10:18:14 GMT", "b=2"))),
    Row("9110-5.3-once", MUST, SENDER,
        "Fields that stand once are sent once",
        exchange(request("Content-Length: 2", start="POST / HTTP/1.1", body="ok"), ok("Date: x", "Server: y"),
                 [has("Host", "example.com"), has("Content-Length", "2")],
                 [has("Content-Length", "2"), has("Date", "x"), has("Server", "y")])),
    Row("9110-5.3-whole-head", MUST, SERVER,
        "Nothing is done for a request before its whole head is there",
        tested_by("test_routing.py::test_the_whole_head_is_read_before_a_server_is_connected")),
    Row("9110-5.4-limits", MUST, SERVER,
        "Fields larger or more than are read are a 4xx",
        tested_by("test_limits.py::test_a_head_larger_than_head_bytes_is_a_431",
                  "test_limits.py::test_a_head_that_never_ends_is_a_431",
                  "test_limits.py::test_more_fields_than_head_fields_is_a_431")),
    Row("9110-5.4-limits-response", MUST, RECIPIENT,
        "Fields of a response larger or more than are read are not cut, but a 502",
        tested_by(BAD_HEAD + "[head too large]", BAD_HEAD + "[too many fields]")),
    Row("9110-5.5-nul", MUST, RECIPIENT,
        "NUL in a value is refused, or becomes a space",
        both(tested_by(SMUGGLING + "[NUL in value]", SMUGGLING + "[NUL in name]"),
             discards(ok("X-A: a\x00b"), ok("X\x00A: 1")))),
    Row("9110-5.5-controls", MAY, RECIPIENT,
        "Other control characters in a value may be kept; here they are not: refused",
        both(refuses(*(request(f"X-A: a{control}b") for control in CONTROLS)),
             discards(*(ok(f"X-A: a{control}b") for control in CONTROLS)))),
    Row("9110-5.5-tab", MUST, RECIPIENT,
        "A tab within a value is part of it",
        exchange(request("X-A: a\tb"), ok("X-A: a\tb"), [line("X-A: a\tb")], [line("X-A: a\tb")])),
    Row("9110-5.6.1.2-empty-elements", MUST, RECIPIENT,
        "Empty elements of a list are ignored",
        forwards(request("Connection: , ,x-a,, ,X-B,", "X-A: 1", "X-B: 1"), lacks("X-A", "X-B", "Connection"))),
    Row("9110-5.6.1.2-empty-codings", MUST, RECIPIENT,
        "Empty elements of Transfer-Encoding, too",
        both(refuses(request("Transfer-Encoding: ,chunked", start="POST / HTTP/1.1"),
                     request("Transfer-Encoding: chunked,", start="POST / HTTP/1.1"), status=501),
             discards(response("Transfer-Encoding: ,chunked", body="0\r\n\r\n"))),
        deviates="where a message ends depends on it: anything but the one word chunked is refused"),
    Row("9110-5.6.3-white-space-received", MUST, RECIPIENT,
        "White space that was allowed once, as around the = of a chunk extension, is read over",
        forwards(chunked_post(body="5 ; a = b\r\nhello\r\n0\t;\tc\r\n\r\n"), body_is("hello"))),
    Row("9110-5.6.3-white-space-sent", SHOULD, SENDER,
        "One space is sent after a colon",
        exchange(request("X-A:1", "X-B:\t 2 "), ok("X-C:3", "X-D:   4"), [line("X-A: 1"), line("X-B: 2")],
                 [line("X-C: 3"), line("X-D: 4")])),
    Row("9110-5.6.7-dates-pass", SHOULD, RECIPIENT,
        "Dates in any format pass as they are",
        answers(ok("Last-Modified: Sunday, 06-Nov-94 08:49:37 GMT", "Expires: Sun Nov  6 08:49:37 1994"),
                has("Last-Modified", "Sunday, 06-Nov-94 08:49:37 GMT"), has("Expires", "Sun Nov  6 08:49:37 1994"))),
    Row("9110-5.6.7-dates-made", MUST, SENDER,
        "Dates that Weir makes are of the fixed format: Sun, 06 Nov 1994 08:49:37 GMT",
        dates_its_own_answers),

    Row("9110-6.2-higher-minor", SHOULD, RECIPIENT,
        "A higher minor version is processed as HTTP/1.1",
        both(refuses(request(start="GET / HTTP/1.2"), request(start="GET / HTTP/1.9"), status=505),
             discards(response("Content-Length: 0", start="HTTP/1.2 200 OK"))),
        deviates="there is no such version; who sends one is probing, and is refused"),
    Row("9110-6.2-higher-major", MUST, SERVER,
        "A major version that Weir does not speak there is a 505",
        tested_by(SMUGGLING + "[HTTP/2]", SMUGGLING + "[HTTP/3.0]")),
    Row("9110-6.2-highest", SHOULD, SERVER,
        "Responses have Weir's highest version, also to HTTP/1.0",
        answers(OK, line("HTTP/1.1 200 OK"), sent=b"GET / HTTP/1.0\r\n\r\n")),
    Row("9110-6.5-trailers-to-client", MAY, RECIPIENT,
        "Trailer fields of a response may pass",
        passes_trailers_to_the_client),
    Row("9110-6.5-trailers-to-server", MAY, RECIPIENT,
        "Trailer fields of a request may pass",
        passes_trailers_to_the_server),
    Row("9110-6.5.1-not-merged", MUST, RECIPIENT,
        "Trailer fields are not merged into the header fields",
        exchange(chunked_post(body="0\r\nAuthorization: Basic eDp5\r\nX-T: 1\r\n\r\n"), OK,
                 [lacks("Authorization", "X-T")])),
    Row("9110-6.6.1-date-added", MUST, RECIPIENT,
        "A response without Date is passed on with one",
        both(*(answers(response("Content-Length: 0", start=f"HTTP/1.1 {status} Reason"), is_dated_now)
               for status in (200, 304, 404)))),
    Row("9110-6.6.1-date-kept", MUST, RECIPIENT,
        "The Date of a server is not touched",
        answers(ok("Date: Sun, 06 Nov 1994 08:49:37 GMT"), has("Date", "Sun, 06 Nov 1994 08:49:37 GMT"))),
    Row("9110-6.6.1-date-made", MUST, SERVER,
        "Answers that Weir makes itself have a Date",
        dates_its_own_answers),
]
