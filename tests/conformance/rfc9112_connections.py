"""RFC 9112, section 9: connections, how long they are kept, and how they end."""
import threading

from checks import (
    FOLLOWING, GET, OK, answers, both, exchange, forwards, has, lacks, ok, post, request, response, tested_by)
from process import DEADLINE_S, wait_until
from row import CLIENT, INTERMEDIARY, MAY, MUST, PROXY, RECIPIENT, SENDER, SERVER, SHOULD, Row


def keeps_to_the_end_of_a_body(bench):
    """A server answers before it has the body: what is left of it is no request, whatever it looks like."""
    def script(connection):
        connection.read_request_head()
        connection.answer("early")
        connection.read_to_end()
    server = bench.server(script)
    client = bench.client(bench.weir(server))
    client.send(request(f"Content-Length: {len(FOLLOWING) + 10}", start="POST / HTTP/1.1"))
    assert client.read_response().body == b"early"
    client.send(FOLLOWING)
    assert client.read_to_end() == b""
    assert len(server.connections) == 1


def says_that_it_closes_after_an_early_answer(bench):
    def script(connection):
        connection.read_request_head()
        connection.answer("early")
        connection.read_to_end()
    client = bench.client(bench.weir(bench.server(script)))
    client.send(request("Content-Length: 100", start="POST / HTTP/1.1"))
    got = client.read_response()
    assert got.body == b"early"
    assert got.field("connection") == "close", got.head


def does_not_reuse_what_it_has_not_read(bench):
    """The client goes within the answer; the next must not see the rest."""
    def script(connection):
        while (asked := connection.read_request()) is not None:
            if asked.target == "/big":
                connection.send(response("Content-Length: 10000000") + b"x" * 100_000)
                connection.read_to_end()
            else:
                connection.answer("small")
    server = bench.server(script)
    weir = bench.weir(server)
    first = bench.client(weir)
    first.send(request(start="GET /big HTTP/1.1"))
    first.read_head()
    first.close()
    assert server.connections[0].ended.wait(DEADLINE_S)
    assert bench.client(weir).get().body == b"small"
    assert len(server.connections) == 2


def answers_nothing_after_close(sent):
    """The first request asks for the end: the second is not looked at."""
    def check(bench):
        server = bench.http_server()
        client = bench.client(bench.weir(server))
        client.send(sent + FOLLOWING)
        assert client.read_response().field("connection") == "close"
        assert client.is_closed_cleanly()
        assert [asked.target for asked in server.requests] == ["/"]
    return check


def answers_nothing_after_its_own_close(bench):
    server = bench.http_server()
    client = bench.client(bench.weir(server, limits={"requests_per_connection": 1}))
    client.send(GET + FOLLOWING)
    assert client.read_response().field("connection") == "close"
    assert client.is_closed_cleanly()
    assert [asked.target for asked in server.requests] == ["/"]


def asks_a_server_once(*answered):
    """After each of these answers the next request goes over another connection."""
    def check(bench):
        for one in answered:
            server = bench.http_server(lambda connection, _, one=one: connection.send(one))
            weir = bench.weir(server)
            client = bench.client(weir)
            for number in range(2):
                assert client.get().body == b"ok"
                assert server.connections[number].ended.wait(DEADLINE_S), one
    return check


def asks_a_server_again(*answered):
    def check(bench):
        for one in answered:
            server = bench.http_server(lambda connection, _, one=one: connection.send(one))
            client = bench.client(bench.weir(server))
            for _ in range(3):
                assert client.get().body == b"ok"
            assert len(server.connections) == 1, one
    return check


def answers_what_came_before_a_bad_request(bench):
    server = bench.http_server()
    client = bench.client(bench.weir(server))
    client.send(GET + GET + b"GET / HTTP/1.1\r\n\r\n" + FOLLOWING)
    assert [client.read_response().status for _ in range(3)] == [200, 200, 400]
    assert client.is_closed_cleanly()
    assert len(server.requests) == 2


def asks_one_by_one(first):
    """Of two pipelined requests the second is not sent before the first is answered."""
    def check(bench):
        may_answer = threading.Event()
        asked = []
        early = []

        def script(connection):
            while (got := connection.read_request()) is not None:
                asked.append(got.target)
                if got.target == "/":
                    assert may_answer.wait(DEADLINE_S)
                    connection.socket.settimeout(0)
                    early.append(connection.read_some())
                    connection.socket.settimeout(DEADLINE_S)
                connection.answer(got.target)
        weir = bench.weir(bench.server(script))
        client = bench.client(weir)
        client.send(first + FOLLOWING)
        wait_until(lambda: asked, "the first request")
        # When another client has been served, Weir has long had the time to send the second.
        assert bench.client(weir).get("/other").body == b"/other"
        assert asked == ["/", "/other"]
        may_answer.set()
        assert [client.read_response().body for _ in range(2)] == [b"/", b"/following"]
        assert early == [b""]
    return check


def sees_an_answer_while_it_sends(bench):
    """The client has a large body, of which the server wants nothing."""
    def script(connection):
        connection.read_request_head()
        connection.send(response("Content-Length: 2", "Connection: close", start="HTTP/1.1 413 Reason", body="no"))
        connection.read_to_end()
    client = bench.client(bench.weir(bench.server(script)))
    client.send(request("Content-Length: 100000000", start="POST / HTTP/1.1"), b"x" * 10_000)
    got = client.read_response()
    assert (got.status, got.body) == (413, b"no")


def sees_the_answer_of_a_server_that_resets(bench):
    """It closes with the request half read, which resets the connection that still carries its answer."""
    def script(connection):
        connection.read_request_head()
        connection.send(response("Content-Length: 2", start="HTTP/1.1 413 Reason", body="no"))
    client = bench.client(bench.weir(bench.server(script)))
    client.send(request("Content-Length: 100000000", start="POST / HTTP/1.1"), b"x" * 100_000)
    got = client.read_response()
    assert (got.status, got.body) == (413, b"no")


def takes_no_answer_before_it_has_asked(bench):
    """A server gives up an idle connection with a 408, as some do: it is no answer to the next request."""
    may_give_up = threading.Event()

    def script(connection):
        connection.read_request()
        connection.answer("right")
        assert may_give_up.wait(DEADLINE_S)
        connection.send(response("Content-Length: 5", start="HTTP/1.1 408 Reason", body="wrong"))
    server = bench.server(script)
    client = bench.client(bench.weir(server))
    assert client.get().body == b"right"
    may_give_up.set()
    assert server.connections[0].ended.wait(DEADLINE_S)
    client.send(post(body="x"))
    assert client.read_response().body == b"right"
    assert len(server.connections) == 2


def lets_a_slow_reader_see_its_answer(bench):
    """The client still sends when it is refused: a close would reset it before it has read the answer."""
    client = bench.client(bench.weir(bench.http_server()))
    client.send(b"GET / HTTP/1.1\r\n\r\n")
    client.send(*[b"x" * 1000] * 30)
    assert client.read_response().status == 400
    client.send(*[b"x" * 1000] * 10)
    assert client.is_closed_cleanly()


KEEP_1_0 = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"

ROWS = [
    Row("9112-9.2-association", MUST, CLIENT,
        "Each response belongs to the request that was sent on its connection",
        tested_by("test_keep_alive.py::test_pipelined_requests_are_answered_in_order",
                  "test_bad_servers.py::test_what_a_server_says_unasked_is_nobodys_answer")),
    Row("9112-9.2-unasked", MUST, CLIENT,
        "What a server sends on a connection that waits for a request is no response",
        takes_no_answer_before_it_has_asked),
    Row("9112-9.3-persistence", SHOULD, SERVER,
        "Connections of HTTP/1.1 are kept, and said so by saying nothing",
        both(answers(OK, lacks("Connection", "Keep-Alive")),
             tested_by("test_keep_alive.py::test_both_sides_are_kept_open"))),
    Row("9112-9.3-close", MUST, RECIPIENT,
        "The option close ends a connection, in any case and anywhere in the list",
        both(*(answers_nothing_after_close(request(*lines)) for lines in (
            ["Connection: close"], ["Connection: CLOSE"], ["Connection: keep-alive, close"],
            ["Connection: ,x,, Close ,"], ["Connection: keep-alive", "Connection: close"])))),
    Row("9112-9.3-1-0", MUST, SERVER,
        "Connections of HTTP/1.0 are kept only if the client asks",
        both(answers_nothing_after_close(b"GET / HTTP/1.0\r\n\r\n"),
             answers_nothing_after_close(b"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"),
             exchange(KEEP_1_0, OK, at_client=[has("Connection", "keep-alive")]),
             tested_by("test_keep_alive.py::test_http_1_0_closes_unless_asked_to_keep"))),
    Row("9112-9.3-1-0-keep-alive", MUST, PROXY,
        "A proxy keeps no connection of a client of HTTP/1.0",
        exchange(KEEP_1_0, OK, at_client=[has("Connection", "keep-alive")]),
        deviates="the rule is for proxies before proxies that pass Connection on; a gateway is asked directly"),
    Row("9112-9.3-server-1-0", MUST, CLIENT,
        "A connection to a server is used again after HTTP/1.0 only if it said keep-alive",
        both(asks_a_server_once(response("Content-Length: 2", start="HTTP/1.0 200 OK", body="ok")),
             asks_a_server_again(response("Content-Length: 2", "Connection: Keep-Alive", start="HTTP/1.0 200 OK",
                                          body="ok")))),
    Row("9112-9.3-server-close", MUST, CLIENT,
        "A connection whose server said close is not used again",
        both(asks_a_server_once(ok("Connection: close"), ok("Connection: keep-alive, Close"),
                                ok("Connection: x", "Connection: close"),
                                response("Content-Length: 2", "Connection: keep-alive, close", start="HTTP/1.0 200 OK",
                                         body="ok")),
             tested_by("test_keep_alive.py::test_a_server_that_asks_to_close_is_obeyed"))),
    Row("9112-9.3-server-keeps", SHOULD, CLIENT,
        "A connection whose server did not say close is used again",
        asks_a_server_again(OK, ok("Connection: keep-alive", "Keep-Alive: timeout=5"))),
    Row("9112-9.3-whole-request", MUST, SERVER,
        "What is left unread of a request's body is not taken for a request",
        keeps_to_the_end_of_a_body),
    Row("9112-9.3-whole-response", MUST, CLIENT,
        "A server's connection is used again only after the whole response",
        does_not_reuse_what_it_has_not_read),
    Row("9112-9.3.1-no-retry", MUST, PROXY,
        "Requests that are not idempotent are not repeated",
        tested_by("test_next_server.py::test_a_post_is_not_repeated",
                  "test_retry.py::test_a_post_is_not_sent_again_after_the_per_try_timeout")),
    Row("9112-9.3.1-retry", MAY, INTERMEDIARY,
        "Idempotent requests may be repeated when the connection fails",
        tested_by("test_next_server.py::test_an_idempotent_request_is_repeated_elsewhere")),
    Row("9112-9.3.1-retry-once", SHOULD, CLIENT,
        "A repetition that failed is not repeated",
        tested_by("test_retry.py::test_a_request_is_tried_as_often_as_said",
                  "test_retry.py::test_the_deadline_is_for_all_attempts"),
        deviates="there are other servers to ask: retry.attempts says how often, 3 by default, with growing pauses"),
    Row("9112-9.3.2-order", MUST, SERVER,
        "Pipelined requests are answered in their order",
        tested_by("test_keep_alive.py::test_pipelined_requests_are_answered_in_order",
                  "test_keep_alive.py::test_pipelined_bodies_are_kept_apart")),
    Row("9112-9.3.2-one-by-one", MUST, SERVER,
        "Pipelined requests are not processed at once, unless all of them are safe",
        asks_one_by_one(post(body="x"))),
    Row("9112-9.3.2-bad-request", MUST, SERVER,
        "Requests before a broken one are answered, those after it are not",
        answers_what_came_before_a_bad_request),
    Row("9112-9.3.2-server-side", SHOULD, INTERMEDIARY,
        "Requests are not pipelined to servers, where one failure would fail them all",
        asks_one_by_one(GET)),
    Row("9112-9.5-graceful", SHOULD, SERVER,
        "A timeout ends a connection without a reset",
        tested_by("test_keep_alive.py::test_an_idle_client_is_closed_without_a_word",
                  "test_timeouts.py::test_a_head_that_is_not_finished_in_time_is_a_408")),
    Row("9112-9.5-noticed", SHOULD, CLIENT,
        "A close by the server is noticed between requests",
        tested_by("test_keep_alive.py::test_a_connection_that_the_server_closed_is_not_used_again")),
    Row("9112-9.5-early-answer", SHOULD, CLIENT,
        "An answer that comes while the request is being sent is seen",
        both(sees_an_answer_while_it_sends, sees_the_answer_of_a_server_that_resets,
             tested_by("test_bodies.py::test_an_answer_before_the_end_of_the_request_reaches_the_client"))),
    Row("9112-9.6-close-said", SHOULD, SENDER,
        "Whoever is about to close says so",
        both(tested_by("test_keep_alive.py::test_requests_per_connection_closes_with_the_last",
                       "test_keep_alive.py::test_connection_close_is_honoured"),
             says_that_it_closes_after_an_early_answer)),
    Row("9112-9.6-close-received", MUST, SERVER,
        "After the answer to a request with close the connection ends, and nothing more on it is processed",
        both(answers_nothing_after_close(request("Connection: close")),
             answers_nothing_after_close(post("Connection: close", body="body")))),
    Row("9112-9.6-close-sent", MUST, SERVER,
        "After an answer with close the connection ends, and nothing more on it is processed",
        answers_nothing_after_its_own_close),
    Row("9112-9.6-close-from-server", MUST, CLIENT,
        "After an answer with close from a server that connection is closed",
        asks_a_server_once(ok("Connection: close"))),
    Row("9112-9.6-close-is-of-one-side", MUST, INTERMEDIARY,
        "A close asked for on one side does not close the other",
        both(answers(ok("Connection: close"), lacks("Connection")),
             forwards(request("Connection: close"), lacks("Connection")))),
    Row("9112-9.6-lingering", SHOULD, SERVER,
        "A close does not reset a client that has not read its answer yet",
        both(lets_a_slow_reader_see_its_answer,
             tested_by("test_limits.py::test_a_client_that_sends_its_too_large_body_still_sees_the_413"))),
]
