"""RFC 9110, section 7: routing, forwarding, upgrades."""
from checks import (
    GET, OK, answers, body_is, both, discards, exchange, forwards, has, has_any, lacks, line, ok, post, refuses,
    request, response, status_is, tested_by)
from process import free_port
from row import CLIENT, GATEWAY, INTERMEDIARY, MAY, MUST, PROXY, RECIPIENT, SENDER, SERVER, SHOULD, Row
from weir import backend, config, listener

WEBSOCKET = request("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                    "Sec-WebSocket-Version: 13")
SWITCHED = response("Connection: Upgrade", "Upgrade: websocket", start="HTTP/1.1 101 Switching Protocols")


def sends_host_first(message):
    assert message.head.split(b"\r\n")[1].startswith(b"Host:"), message.head


def refuses_https_in_clear(bench):
    server = bench.http_server()
    client = bench.client(bench.weir(server))
    client.send(request(start="GET https://example.com/ HTTP/1.1"))
    assert 400 <= client.read_response().status < 500
    assert server.requests == []


def is_not_its_own_server_for_long(bench):
    """A listener that writes Via is the only server of its own backend."""
    port = free_port()
    weir = bench.start(config(
        listener(address=f"127.0.0.1:{port}", maxconn=100, via="me"),
        backends=[backend(f"127.0.0.1:{port}", timeouts={"response_head": "300ms"}, retry={"attempts": 1})]))
    assert bench.client(weir).get().status >= 500
    assert weir.metrics().value("weir_listener_connections_total") < 10


def switches_protocols(bench):
    """Both sides say more than HTTP afterwards."""
    def script(connection):
        asked = connection.read_request_head()
        if (asked.field("upgrade"), (asked.field("connection") or "").lower()) != ("websocket", "upgrade"):
            connection.answer("not asked to")
            return
        connection.send(SWITCHED + b"\x81\x05hello")
        connection.send(connection.read(7))
    client = bench.client(bench.weir(bench.server(script)))
    client.send(WEBSOCKET)
    got = client.read_response()
    assert (got.status, got.field("upgrade"), (got.field("connection") or "").lower()) == (
        101, "websocket", "upgrade"), got.head
    assert client.read(7) == b"\x81\x05hello"
    client.send(b"\x82\x05\x00\x01\x02\x03\x04")
    assert client.read(7) == b"\x82\x05\x00\x01\x02\x03\x04"


def switches_after_a_continue(bench):
    def script(connection):
        asked = connection.read_request_head()
        connection.send(response(start="HTTP/1.1 100 Continue"))
        connection.read(5)
        connection.send(SWITCHED if asked.field("upgrade") else OK)
    client = bench.client(bench.weir(bench.server(script)))
    client.send(request("Connection: Upgrade", "Upgrade: websocket", "Expect: 100-continue",
                        "Content-Length: 5"))
    assert client.read_response().status == 100
    client.send("hello")
    assert client.read_response().status == 101


def answers_for_itself_at_the_last_forward(bench):
    server = bench.http_server()
    client = bench.client(bench.weir(server))
    client.send(request("Max-Forwards: 0", start="OPTIONS / HTTP/1.1"))
    assert client.read_response().status == 200
    assert server.requests == []


TARGETS = ["/a/./b/../c", "/a//b", "/%7Euser/~user", "/a%2Fb%2f", "/a?b?c", "/a?", "/?a=%00&b=+%2B", "/a;b=c/d",
           "/a%20b?c=d%20e", "/a:b@c", "/...", "/?http://example.com/", "/%C3%A9%ff"]
HOP_BY_HOP = ["Connection: Keep-Alive, X-Private ,x-other", "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive",
              "Upgrade: h2c", "X-Private: 1", "X-Other: 2", "X-Public: 3"]
GONE = lacks("Connection", "Keep-Alive", "Proxy-Connection", "Upgrade", "X-Private", "X-Other")
ENDPOINTS = ["Server: origin/1.0", "Location: http://127.0.0.1:1/x", "Content-Location: /y", "Allow: GET, X",
             "ETag: W/\"a\"", "Vary: *", "Cache-Control: no-transform", "Content-Encoding: gzip", "Warning: 199 - x",
             "Content-Type: text/plain; charset=x", "WWW-Authenticate: Basic realm=\"a\", Digest x=\"y\"", "Age: 5"]

ROWS = [
    Row("9110-7.2-host-first", SHOULD, CLIENT,
        "Host is the first field of a request",
        forwards(b"GET / HTTP/1.1\r\nX-A: 1\r\nHost: example.com\r\n\r\n", sends_host_first)),
    Row("9110-7.2-one-host", MUST, CLIENT,
        "One Host is sent, and it is the one that was routed by",
        both(forwards(request("X-Forwarded-Host: other.example", "Forwarded: host=other.example"),
                      has("Host", "example.com")),
             tested_by("test_smuggling.py::test_a_whole_uri_as_target_rules_over_host"))),
    Row("9110-7.4-https-in-clear", MUST, SERVER,
        "A request for an https URI that came in clear is rejected",
        refuses_https_in_clear),
    Row("9110-7.5-order", MUST, CLIENT,
        "A response belongs to the request that was sent on its connection",
        tested_by("test_keep_alive.py::test_pipelined_requests_are_answered_in_order")),
    Row("9110-7.6-loop", MUST, INTERMEDIARY,
        "Weir does not forward a message to itself without end (where it writes Via)",
        is_not_its_own_server_for_long),
    Row("9110-7.6.1-connection-request", MUST, INTERMEDIARY,
        "Connection and the fields that it names are not forwarded to servers",
        both(forwards(request(*HOP_BY_HOP), GONE, has("X-Public", "3")),
             forwards(request("X-Early: 1", "Connection: x-early", "Connection: X-LATE", "X-Late: 1", "x-late: 2"),
                      lacks("X-Early", "X-Late", "Connection")),
             tested_by("test_smuggling.py::test_hop_by_hop_fields_stay_on_their_side"))),
    Row("9110-7.6.1-connection-response", MUST, INTERMEDIARY,
        "Connection and the fields that it names are not forwarded to clients",
        both(answers(ok(*HOP_BY_HOP), GONE, has("X-Public", "3")),
             answers(ok("X-Early: 1", "Connection: x-early", "Connection: X-LATE", "X-Late: 1"),
                     lacks("X-Early", "X-Late", "Connection")))),
    Row("9110-7.6.1-known-fields", SHOULD, INTERMEDIARY,
        "Fields of one connection are not forwarded even if Connection does not name them",
        exchange(request("Keep-Alive: timeout=5", "Proxy-Connection: close", "Upgrade: x", "TE: trailers"),
                 ok("Keep-Alive: timeout=5", "Proxy-Connection: close", "Upgrade: x", "TE: x"),
                 [lacks("Keep-Alive", "Proxy-Connection", "Upgrade", "TE")],
                 [lacks("Keep-Alive", "Proxy-Connection", "Upgrade", "TE")])),
    Row("9110-7.6.1-framing-stays", MUST, INTERMEDIARY,
        "Connection cannot remove what says where a message ends, or whom it is for",
        both(exchange(post("Connection: Content-Length, Host, Transfer-Encoding", body="hello"),
                      ok("Connection: Content-Length", body="hello"),
                      [has("Host", "example.com"), has("Content-Length", "5"), body_is("hello")], [body_is("hello")]),
             tested_by("test_smuggling.py::test_connection_cannot_remove_what_the_message_needs"))),
    Row("9110-7.6.1-option-limit", MAY, RECIPIENT,
        "Options of a connection have a limit (32)",
        both(forwards(request("Connection: " + ", ".join(f"x-{n}" for n in range(32)), "X-31: 1"), lacks("X-31")),
             refuses(request("Connection: " + ", ".join(f"x-{n}" for n in range(33)))),
             discards(ok("Connection: " + ", ".join(f"x-{n}" for n in range(33)))))),
    Row("9110-7.6.1-not-for-all", MUST, SENDER,
        "No option is sent that names a field meant for all recipients",
        exchange(request("Cache-Control: no-cache"), ok("Cache-Control: no-store"), [lacks("Connection")],
                 [lacks("Connection"), has("Cache-Control", "no-store")])),
    Row("9110-7.6.2-counted-down", MUST, INTERMEDIARY,
        "Max-Forwards of OPTIONS is forwarded less one",
        forwards(request("Max-Forwards: 5", start="OPTIONS / HTTP/1.1"), has("Max-Forwards", "4"))),
    Row("9110-7.6.2-last", MUST, INTERMEDIARY,
        "OPTIONS with Max-Forwards of 0 is answered, not forwarded",
        answers_for_itself_at_the_last_forward),
    Row("9110-7.6.2-other-methods", MAY, RECIPIENT,
        "Max-Forwards of other methods may be ignored: it passes as it is",
        forwards(request("Max-Forwards: 0"), has("Max-Forwards", "0"))),
    Row("9110-7.6.3-via-request", MUST, GATEWAY,
        "Forwarded requests get a Via",
        forwards(GET, lacks("Via")),
        deviates="the server knows its balancer, and nginx and others compress nothing for a request that has it"),
    Row("9110-7.6.3-via-response", MAY, GATEWAY,
        "Forwarded responses may get a Via; they get none",
        answers(OK, lacks("Via"))),
    Row("9110-7.6.3-via-kept", MUST, INTERMEDIARY,
        "The Via of others passes as it is",
        exchange(request("Via: 1.0 a, 1.1 b (c)", "Via: HTTP/2 d"), ok("Via: 1.1 e"),
                 [has("Via", "1.0 a, 1.1 b (c)", "HTTP/2 d")], [has("Via", "1.1 e")])),
    Row("9110-7.7-host-name", MUST, PROXY,
        "The host of the target is not changed",
        forwards(request(host="WWW.Example.com."), has("Host", "WWW.Example.com."))),
    Row("9110-7.7-path-and-query", MUST, PROXY,
        "Path and query are forwarded as they came, octet by octet",
        both(*(forwards(request(start=f"GET {target} HTTP/1.1"), line(f"GET {target} HTTP/1.1"))
               for target in TARGETS))),
    Row("9110-7.7-above-the-root", MUST, PROXY,
        "Paths that lead above the root are no exception",
        tested_by("test_smuggling.py::test_an_ambiguous_request_is_refused_and_nothing_passes[above the root]"),
        deviates="they are refused: routes are chosen by path, and such a path means to get around them"),
    Row("9110-7.7-no-transform", MUST, PROXY,
        "Content is not changed, least of all with no-transform",
        answers(ok("Cache-Control: no-transform", "Content-Encoding: gzip", body="\x1f\x8b\x08\x00\xff"),
                body_is("\x1f\x8b\x08\x00\xff"), has("Content-Encoding", "gzip"))),
    Row("9110-7.7-endpoints", SHOULD, PROXY,
        "Fields about the ends of the chain or the representation are not changed",
        exchange(request("User-Agent: a (b) c/1", "Referer: http://example.com/x", "From: a@b", "Accept: */*;q=0.5",
                         "Accept-Encoding: gzip, br", "Content-Type: a/b"), ok(*ENDPOINTS),
                 [line("User-Agent: a (b) c/1"), line("Referer: http://example.com/x"), line("Accept: */*;q=0.5"),
                  line("Accept-Encoding: gzip, br"), line("Content-Type: a/b"), line("From: a@b")],
                 [line(field) for field in ENDPOINTS])),
    Row("9110-7.8-switch", MAY, SERVER,
        "A connection is switched to another protocol if client and server agree (WebSocket)",
        switches_protocols),
    Row("9110-7.8-ignored", MAY, SERVER,
        "An Upgrade that nobody takes up is ignored",
        answers(OK, status_is(200), sent=WEBSOCKET)),
    Row("9110-7.8-not-indicated", MUST, SERVER,
        "No switch to a protocol that the client did not name",
        both(tested_by("test_bad_servers.py::test_a_broken_head_is_a_502_with_its_reason[unasked upgrade]"),
             discards(SWITCHED))),
    Row("9110-7.8-1-0", MUST, SERVER,
        "Upgrade in a request of HTTP/1.0 is ignored",
        forwards(b"GET / HTTP/1.0\r\nHost: example.com\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
                 lacks("Upgrade", "Connection"))),
    Row("9110-7.8-after-continue", MUST, SERVER,
        "Where 100 is expected it comes before the 101",
        switches_after_a_continue),
    Row("9110-7.8-h2c", MAY, SERVER,
        "An upgrade to HTTP/2 in clear is ignored: no server is led to speak past Weir",
        forwards(request("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
                 lacks("Upgrade", "HTTP2-Settings", "Connection"))),
    Row("9110-7.8-upgrade-required", MUST, SERVER,
        "A 426 keeps its Upgrade, named by Connection",
        answers(response("Content-Length: 0", "Connection: Upgrade", "Upgrade: websocket",
                         start="HTTP/1.1 426 Upgrade Required"),
                status_is(426), has("Upgrade", "websocket"), has_any("Connection"))),
]
