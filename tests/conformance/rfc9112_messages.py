"""RFC 9112, sections 2 to 5: messages, the first line, fields."""
from checks import (
    GET, OK, answers, body_is, both, discards, exchange, forwards, has, has_any, line, ok, post,
    refuses, request, response, status_is, tested_by)
from row import CLIENT, GATEWAY, INTERMEDIARY, MAY, MUST, PROXY, RECIPIENT, SENDER, SERVER, SHOULD, Row


def sends_nothing_around_a_request(bench):
    """The bytes of three requests, one after the other."""
    heads = []
    bodies = []

    def script(connection):
        for _ in range(3):
            heads.append(connection.read_head())
            bodies.append(connection.read(4))
            connection.send(OK)
    client = bench.client(bench.weir(bench.server(script)))
    for _ in range(3):
        client.send(post(body="body") + b"\r\n")
        assert client.read_response().status == 200
    assert all(head.startswith(b"POST / HTTP/1.1\r\n") for head in heads)
    assert bodies == [b"body"] * 3


def refuses_a_binary_greeting_and_closes(bench):
    client = bench.client(bench.weir(bench.http_server()))
    client.send(b"\x00\x01\x02\x03\r\n\r\n")
    assert client.read_response().status == 400
    assert client.is_closed_cleanly()


def waits_for_the_end_of_a_head(bench):
    server = bench.http_server()
    weir = bench.weir(server)
    client = bench.client(weir)
    client.send(GET[:-2])
    client.end_writing()
    client.read_to_end()
    assert bench.client(weir).get().status == 200
    assert len(server.requests) == 1


LONG_TARGET = "/" + "a" * (8000 - len("GET / HTTP/1.1\r\n"))

ROWS = [
    Row("9112-2.2-octets", MUST, RECIPIENT,
        "Messages are octets in a superset of US-ASCII: those above 127 pass as they are",
        exchange(request("X-A: caf\xe9 \xff\xc3\x28"), ok("X-B: caf\xe9 \xff\xc3\x28"),
                 [line("X-A: caf\xe9 \xff\xc3\x28")], [line("X-B: caf\xe9 \xff\xc3\x28")])),
    Row("9112-2.2-bare-lf", MAY, RECIPIENT,
        "A line feed alone may end a line; here it does not: refused",
        tested_by("test_smuggling.py::test_an_ambiguous_request_is_refused_and_nothing_passes[bare LF]",
                  "test_smuggling.py::test_an_ambiguous_request_is_refused_and_nothing_passes[bare LF in head]")),
    Row("9112-2.2-bare-lf-response", MAY, RECIPIENT,
        "A line feed alone may end a line of a response; here it does not: 502",
        discards(b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n",
                 b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n")),
    Row("9112-2.2-bare-cr", MUST, RECIPIENT,
        "A carriage return alone makes its element invalid",
        tested_by("test_smuggling.py::test_an_ambiguous_request_is_refused_and_nothing_passes[bare CR]")),
    Row("9112-2.2-bare-cr-in-line", MUST, RECIPIENT,
        "A carriage return alone makes a request line or a field name invalid",
        refuses(b"GET /\r HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\r\nHost: x\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: x\r\nX\r-A: 1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nX-A: 1\r\r\n\r\n")),
    Row("9112-2.2-bare-cr-response", MUST, RECIPIENT,
        "A carriage return alone makes its element of a response invalid",
        discards(b"HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n",
                 b"HTTP/1.1 200 OK\r\nX-A: 1\r2\r\nContent-Length: 0\r\n\r\n",
                 b"HTTP/1.1 200 OK\r\nX-A: 1\r\r\nContent-Length: 0\r\n\r\n")),
    Row("9112-2.2-extra-crlf", MUST, CLIENT,
        "No empty line is sent before or after a request",
        sends_nothing_around_a_request),
    Row("9112-2.2-leading-crlf", SHOULD, SERVER,
        "At least one empty line before a request is ignored",
        forwards(b"\r\n" + GET, line("GET / HTTP/1.1"))),
    Row("9112-2.2-leading-crlf-limit", MAY, SERVER,
        "Empty lines before a request have a limit (4)",
        both(forwards(b"\r\n" * 4 + GET, line("GET / HTTP/1.1")), refuses(b"\r\n" * 5 + GET))),
    Row("9112-2.2-space-before-fields", MUST, RECIPIENT,
        "White space between the request line and the first field is refused or skipped",
        tested_by("test_smuggling.py::test_an_ambiguous_request_is_refused_and_nothing_passes"
                  "[line starts with space]")),
    Row("9112-2.2-space-before-fields-response", MUST, RECIPIENT,
        "White space between the status line and the first field is refused or skipped",
        discards(b"HTTP/1.1 200 OK\r\n X-A: 1\r\nContent-Length: 0\r\n\r\n",
                 b"HTTP/1.1 200 OK\r\n\tContent-Length: 5\r\nContent-Length: 0\r\n\r\n",
                 b"HTTP/1.1 200 OK\r\n \r\nContent-Length: 0\r\n\r\n")),
    Row("9112-2.2-not-http", SHOULD, SERVER,
        "What is no request is a 400 and a close",
        both(refuses_a_binary_greeting_and_closes, tested_by(
            "test_smuggling.py::test_an_ambiguous_request_is_refused_and_nothing_passes[TLS]",
            "test_smuggling.py::test_an_ambiguous_request_is_refused_and_nothing_passes[binary]"))),
    Row("9112-2.2-not-http-response", MUST, RECIPIENT,
        "What is no response is a 502",
        tested_by("test_bad_servers.py::test_a_broken_head_is_a_502_with_its_reason[not HTTP]",
                  "test_bad_servers.py::test_a_broken_head_is_a_502_with_its_reason[HTTP/0.9]")),
    Row("9112-2.3-own-version-request", MUST, INTERMEDIARY,
        "Forwarded requests have Weir's own version: HTTP/1.1",
        forwards(b"GET / HTTP/1.0\r\nHost: example.com\r\n\r\n", line("GET / HTTP/1.1"))),
    Row("9112-2.3-own-version-response", MUST, INTERMEDIARY,
        "Forwarded responses have Weir's own version: HTTP/1.1",
        both(answers(response("Content-Length: 2", start="HTTP/1.0 200 OK", body="ok"), line("HTTP/1.1 200 OK"),
                     closes=True),
             answers(OK, line("HTTP/1.1 200 OK"), sent=b"GET / HTTP/1.0\r\n\r\n"))),
    Row("9112-2.3-version-case", MUST, RECIPIENT,
        "The name HTTP is in capitals",
        tested_by("test_smuggling.py::test_an_ambiguous_request_is_refused_and_nothing_passes"
                  "[lower-case version]")),
    Row("9112-2.3-version-digits", MUST, RECIPIENT,
        "A version is one digit, a dot and one digit",
        refuses(*(f"GET / {version}\r\nHost: x\r\n\r\n".encode() for version in (
            "HTTP/1", "HTTP/01.1", "HTTP/1.10", "HTTP/1.", "HTTP/.1", "HTTP/1,1", "HTTP/1.1x", "HTTPS/1.1")))),
    Row("9112-2.3-version-response", MUST, RECIPIENT,
        "A version of a response is HTTP/1.1 or HTTP/1.0",
        discards(*(f"{version} 200 OK\r\nContent-Length: 0\r\n\r\n".encode() for version in (
            "HTTP/2.0", "HTTP/1", "http/1.1", "HTTP/1.10", "ICY", "HTTP/0.9")))),

    Row("9112-3-word-boundaries", MAY, RECIPIENT,
        "Other white space than one space may part a request line; here it may not: refused",
        both(refuses(b"GET /  HTTP/1.1\r\nHost: x\r\n\r\n", b" GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"GET / HTTP/1.1 \r\nHost: x\r\n\r\n", b"GET\x0b/\x0bHTTP/1.1\r\nHost: x\r\n\r\n",
                     b"GET\x0c/ HTTP/1.1\r\nHost: x\r\n\r\n"),
             tested_by("test_smuggling.py::test_an_ambiguous_request_is_refused_and_nothing_passes[two spaces]",
                       "test_smuggling.py::test_an_ambiguous_request_is_refused_and_nothing_passes"
                       "[tab as space]"))),
    Row("9112-3-long-target", MUST, SERVER,
        "A target longer than is read is a 414",
        tested_by("test_limits.py::test_a_target_that_does_not_fit_is_a_414")),
    Row("9112-3-request-line-8000", SHOULD, RECIPIENT,
        "Request lines of 8,000 octets are served",
        forwards(request(start=f"GET {LONG_TARGET} HTTP/1.1"), line(f"GET {LONG_TARGET} HTTP/1.1"))),
    Row("9112-3.1-long-method", SHOULD, SERVER,
        "A method longer than any that is implemented is a 501",
        refuses(request(start="A" * 1000 + " / HTTP/1.1"), status=501),
        todo="one of more than 32 characters is a 400"),
    Row("9112-3.1-method-case", MUST, RECIPIENT,
        "Methods are case-sensitive and pass unchanged",
        forwards(request(start="get / HTTP/1.1"), line("get / HTTP/1.1"))),
    Row("9112-3.2-invalid-line", SHOULD, RECIPIENT,
        "An invalid request line is a 400",
        tested_by("test_smuggling.py::test_an_ambiguous_request_is_refused_and_nothing_passes[space in target]",
                  "test_smuggling.py::test_an_ambiguous_request_is_refused_and_nothing_passes[no version]",
                  "test_smuggling.py::test_an_ambiguous_request_is_refused_and_nothing_passes[method]")),
    Row("9112-3.2-no-repair", SHOULD, RECIPIENT,
        "An invalid target is refused, not repaired",
        refuses(request(start="GET /a\x7fb HTTP/1.1"), request(start="GET /caf\xe9 HTTP/1.1"),
                request(start="GET /a\tb HTTP/1.1"), request(start="GET /a\x00b HTTP/1.1"),
                request(start="GET /#fragment HTTP/1.1"))),
    Row("9112-3.2-unescaped", SHOULD, RECIPIENT,
        "A target with printable octets that URIs have only escaped is a 400",
        forwards(request(start='GET /a"<>\\^`{|}?[] HTTP/1.1'), line('GET /a"<>\\^`{|}?[] HTTP/1.1')),
        deviates="browsers and applications send them; they pass as they are, and are no end of anything"),
    Row("9112-3.2-host-missing", MUST, SERVER,
        "A request of HTTP/1.1 without Host is a 400",
        tested_by("test_smuggling.py::test_an_ambiguous_request_is_refused_and_nothing_passes[no host]")),
    Row("9112-3.2-host-repeated", MUST, SERVER,
        "A request with two Hosts is a 400, whatever its version, even if they are equal",
        both(refuses(b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", b"GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nhOST: x\r\n\r\n"),
             tested_by("test_smuggling.py::test_an_ambiguous_request_is_refused_and_nothing_passes[two hosts]"))),
    Row("9112-3.2-host-invalid", MUST, SERVER,
        "A request with an invalid Host is a 400",
        refuses(*(request(host=host) for host in (
            "a b", "a/b", "a?b", "a#b", "user@a", "a:b", "a:70000", "a:-1", "a:1:2", "[::1", "::1", "[::g]",
            "a\\b", "caf\xe9", "a%zz", "http://a")))),
    Row("9112-3.2-host-empty", MUST, SERVER,
        "An empty Host is valid where the target has no authority; an http URI has one (9110-4.2.1): refused",
        refuses(request(host=""), request(host=" "))),
    Row("9112-3.2-host-forms", MUST, SERVER,
        "Names, addresses and ports are valid in Host, and pass unchanged",
        both(*(forwards(request(host=host), has("Host", host)) for host in (
            "Example.COM", "example.com:8080", "192.0.2.1", "192.0.2.1:80", "[2001:db8::1]:8080", "a_b.example",
            "example.com:")))),
    Row("9112-3.2-host-sent", MUST, CLIENT,
        "Every forwarded request has a Host, also if it came as HTTP/1.0 without",
        exchange(b"GET / HTTP/1.0\r\n\r\n", OK, [has_any("Host")])),
    Row("9112-3.2.1-empty-path", MUST, CLIENT,
        "An empty path of the target URI is sent as /",
        both(forwards(request(start="GET http://example.com HTTP/1.1"), line("GET / HTTP/1.1")),
             forwards(request(start="GET http://example.com?q HTTP/1.1"), line("GET /?q HTTP/1.1")))),
    Row("9112-3.2.1-origin-form", MUST, CLIENT,
        "Servers are sent path and query only",
        forwards(request(start="GET http://example.com:80/a/b?c=d HTTP/1.1"), line("GET /a/b?c=d HTTP/1.1"))),
    Row("9112-3.2.1-leading-slashes", MUST, RECIPIENT,
        "A path may start with two slashes; it is no authority",
        forwards(request(start="GET //evil.example/x HTTP/1.1"), line("GET //evil.example/x HTTP/1.1"),
                 has("Host", "example.com"))),
    Row("9112-3.2.2-accepted", MUST, SERVER,
        "The absolute-form is accepted, its scheme in any case",
        both(forwards(request(start="GET http://example.com/ HTTP/1.1"), line("GET / HTTP/1.1")),
             forwards(request(start="GET HTTP://example.com/ HTTP/1.1"), line("GET / HTTP/1.1")))),
    Row("9112-3.2.2-host-replaced", MUST, PROXY,
        "The authority of an absolute-form replaces Host",
        tested_by("test_smuggling.py::test_a_whole_uri_as_target_rules_over_host")),
    Row("9112-3.2.2-host-still-needed", MUST, SERVER,
        "With an absolute-form, too, a missing, second or invalid Host is a 400",
        refuses(b"GET http://a/ HTTP/1.1\r\n\r\n", b"GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
                b"GET http://a/ HTTP/1.1\r\nHost: a b\r\n\r\n")),
    Row("9112-3.2.2-other-scheme", MUST, SERVER,
        "A URI of another scheme is not served",
        refuses(request(start="GET ftp://example.com/ HTTP/1.1"), request(start="GET file:///etc/passwd HTTP/1.1"),
                request(start="GET http:/example.com/ HTTP/1.1"), request(start="GET http:// HTTP/1.1"))),
    Row("9112-3.2.3-connect-only", MUST, SERVER,
        "The authority-form is for CONNECT only, and CONNECT has no other",
        refuses(request(start="GET example.com:80 HTTP/1.1"), request(start="CONNECT / HTTP/1.1"),
                request(start="CONNECT http://example.com/ HTTP/1.1"), request(start="CONNECT * HTTP/1.1"))),
    Row("9112-3.2.4-asterisk", MUST, CLIENT,
        "OPTIONS of the server as a whole is sent with *",
        forwards(request(start="OPTIONS * HTTP/1.1"), line("OPTIONS * HTTP/1.1"))),
    Row("9112-3.2.4-absolute-options", MUST, PROXY,
        "OPTIONS of an absolute-form without path and query is sent with *, with a path it is not",
        both(forwards(request(start="OPTIONS http://example.com HTTP/1.1"), line("OPTIONS * HTTP/1.1")),
             forwards(request(start="OPTIONS http://example.com/ HTTP/1.1"), line("OPTIONS / HTTP/1.1")),
             forwards(request(start="OPTIONS http://example.com?a HTTP/1.1"), line("OPTIONS /?a HTTP/1.1")))),
    Row("9112-3.2.4-options-only", MUST, SERVER,
        "* is for OPTIONS only",
        refuses(request(start="GET * HTTP/1.1"), request(start="POST * HTTP/1.1"),
                request(start="OPTIONS *x HTTP/1.1"))),

    Row("9112-4-status-line", MUST, RECIPIENT,
        "A status line is a version, a space, three digits, a space and a reason",
        discards(b"HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
                 b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200\tOK\r\nContent-Length: 0\r\n\r\n",
                 b"HTTP/1.1\r\nContent-Length: 0\r\n\r\n", b" HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                 b"HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n")),
    Row("9112-4-space-without-reason", MUST, SERVER,
        "The space after the status is sent even if no reason follows",
        both(answers(response("Content-Length: 2", start="HTTP/1.1 200 ", body="ok"), line("HTTP/1.1 200 ")),
             answers(response("Content-Length: 2", start="HTTP/1.1 200", body="ok"), line("HTTP/1.1 200 ")))),
    Row("9112-4-reason-ignored", SHOULD, CLIENT,
        "The reason means nothing: any text passes",
        both(answers(response("Content-Length: 2", start="HTTP/1.1 200 Not Found 404", body="ok"), status_is(200)),
             answers(response("Content-Length: 2", start="HTTP/1.1 404 d\xe9j\xe0 \tvu", body="ok"),
                     status_is(404), body_is("ok")))),
    Row("9112-4-reason-control", MUST, RECIPIENT,
        "A reason has no control characters",
        discards(response("Content-Length: 0", start="HTTP/1.1 200 O\x00K"),
                 response("Content-Length: 0", start="HTTP/1.1 200 O\x1bK"))),

    Row("9112-5-no-colon", MUST, RECIPIENT,
        "A field line without a colon, or without a name, is refused",
        tested_by("test_smuggling.py::test_an_ambiguous_request_is_refused_and_nothing_passes[no colon]",
                  "test_smuggling.py::test_an_ambiguous_request_is_refused_and_nothing_passes[empty name]")),
    Row("9112-5-no-colon-response", MUST, RECIPIENT,
        "A response with such a line is a 502",
        discards(response("Content-Length: 0", "X-A"), response("Content-Length: 0", ": 1"),
                 response("Content-Length: 0", "X A: 1"), response("Content-Length: 0", "X(A): 1"))),
    Row("9112-5.1-space-before-colon", MUST, SERVER,
        "White space between a name and its colon is a 400",
        tested_by("test_smuggling.py::test_an_ambiguous_request_is_refused_and_nothing_passes[space before colon]",
                  "test_smuggling.py::test_an_ambiguous_request_is_refused_and_nothing_passes"
                  "[space before colon of chunks]")),
    Row("9112-5.1-space-before-colon-response", MUST, PROXY,
        "White space between a name and its colon is removed from a response",
        tested_by("test_bad_servers.py::test_a_broken_head_is_a_502_with_its_reason[space before colon]"),
        deviates="such a response is a 502: another reader may have taken the name with its space"),
    Row("9112-5.1-white-space", MUST, RECIPIENT,
        "White space around a value is no part of it",
        exchange(request("X-A: \t 1 2 \t"), ok("X-B:3", "X-C: \t"), [line("X-A: 1 2")],
                 [line("X-B: 3"), has("X-C", "")])),
    Row("9112-5.2-folded-request", MUST, SERVER,
        "A folded line of a request is a 400, or its fold becomes spaces",
        tested_by("test_smuggling.py::test_an_ambiguous_request_is_refused_and_nothing_passes[folded line]",
                  "test_smuggling.py::test_an_ambiguous_request_is_refused_and_nothing_passes[folded chunks]")),
    Row("9112-5.2-folded-response", MUST, GATEWAY,
        "A folded line of a response is a 502, or its fold becomes spaces",
        discards(response("Content-Length: 0", "X-A: 1\r\n 2"), response("Content-Length: 0", "X-A: 1\r\n\t2"),
                 response("X-A:\r\n Content-Length: 5", "Content-Length: 0"))),
    Row("9112-5.2-no-fold-sent", MUST, SENDER,
        "No folded line is sent",
        forwards(request("X-A: " + "a, " * 2000 + "a"), has("X-A", "a, " * 2000 + "a"))),
]
