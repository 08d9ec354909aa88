"""timeouts of a route: instead of its listener's and backend's, and for a request in all."""
import time

import pytest

from process import run
from servers import Client, get
from weir import BINARY, backend, config, listener, simple, write_config

SHORT = "200ms"
LONG_S = 10  # nothing that is meant to be cut short takes so long


def routed(*servers, timeouts, **settings):
    """Requests below /short have these timeouts. `settings` are the backend's."""
    routes = [{"match": {"path_prefix": "/short"}, "timeouts": timeouts, "backend": "web"},
              {"backend": "web"}]
    return config(listener(routes=routes),
                  backends=[backend(*servers, **settings)])


def wait_forever(connection):
    connection.read_to_end()


def slow(seconds):
    """A server that answers later than SHORT."""
    def answer(connection, request):
        if request.target.startswith("/slow") or request.target == "/short":
            connection.ended.wait(seconds)
        connection.answer("late")
    return answer


def timed(start_of, what):
    began = time.monotonic()
    result = what()
    assert time.monotonic() - began < LONG_S, start_of
    return result


def test_a_route_has_its_own_time_for_the_response_head(start, serve):
    weir = start(routed(serve(answer=slow(0.6)), timeouts={"response_head": SHORT},
                        retry={"attempts": 1}))
    assert get(weir, "/short").status == 504
    assert get(weir, "/slow").status == 200  # another route, same server
    reasons = [record["reason"] for record in weir.access_log(2)]
    assert reasons == ["response_head_timeout", None]


def test_a_route_may_be_more_patient_than_its_backend(start, serve):
    made = routed(serve(answer=slow(0.6)), timeouts={"response_head": "10s"},
                  retry={"attempts": 1})
    made["backends"][0]["timeouts"] = {"response_head": SHORT}
    weir = start(made)
    assert get(weir, "/slow").status == 504
    assert get(weir, "/short").status == 200


def test_a_route_has_its_own_time_for_silence_in_bodies(start, script):
    def half(connection):
        while connection.read_request_head():
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx")
    weir = start(routed(script(half), timeouts={"server_body": SHORT}))
    with Client(weir.address()) as client:
        client.request(target="/short")
        with pytest.raises(ConnectionResetError):
            client.read_to_end()
    assert weir.access_log()[0]["reason"] == "response_body_timeout"


def test_a_route_has_its_own_time_for_silence_of_clients(start, script):
    weir = start(routed(script(wait_forever), timeouts={"client_body": SHORT}))
    with Client(weir.address()) as client:
        client.send("POST /short HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx")
        assert timed("client body", client.read_response).status == 408
    assert weir.access_log()[0]["reason"] == "client_body_timeout"


# ---- timeouts.request

def test_a_request_that_takes_too_long_in_all_is_a_504(start, script):
    weir = start(routed(script(wait_forever), timeouts={"request": SHORT}))
    assert timed("request", lambda: get(weir, "/short")).status == 504
    (record,) = weir.access_log()
    assert record["reason"] == "request_timeout"
    assert 0.2 <= record["request_time"] < LONG_S
    weir.wait_for_metric(1, "weir_errors_total", reason="request_timeout", side="weir")


def test_all_attempts_share_the_time(start, script, serve):
    def drop(connection):
        connection.read_request_head()
    weir = start(routed(script(drop), script(drop), timeouts={"request": "400ms"},
                        retry={"attempts": 8, "backoff": "5s", "backoff_max": "5s"}))
    response = timed("attempts", lambda: get(weir, "/short"))
    assert response.status in (502, 504)
    assert weir.access_log()[0]["request_time"] < 5


def test_a_response_that_trickles_is_cut(start, script):
    """It never stands still for long, but takes too long in all."""
    def trickle(connection):
        connection.read_request_head()
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not connection.ended.wait(0.02):
            connection.send("x")
    weir = start(routed(script(trickle), timeouts={"request": "1s"}))
    with Client(weir.address()) as client:
        client.request(target="/short")
        with pytest.raises(ConnectionResetError):
            timed("trickle", client.read_to_end)
    assert weir.access_log()[0]["reason"] == "request_timeout"


def test_a_client_that_does_not_read_is_cut(start, serve):
    def large(connection, request):
        connection.answer(b"x" * (64 << 20))
    weir = start(routed(serve(answer=large), timeouts={"request": "300ms"}))
    with Client(weir.address(), receive_buffer=4096) as client:
        client.request(target="/short")
        record = timed("no reader", lambda: weir.access_log()[0])
        assert record["reason"] == "request_timeout"


def test_a_client_that_does_not_send_its_body_is_cut(start, script):
    weir = start(routed(script(wait_forever), timeouts={"request": SHORT}))
    with Client(weir.address()) as client:
        client.send("POST /short HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nx")
        assert timed("no body", client.read_response).status == 504
    assert weir.access_log()[0]["reason"] == "request_timeout"


def test_the_next_request_of_the_connection_has_its_own_time(start, serve):
    weir = start(routed(serve(answer=slow(1.2)), timeouts={"request": "800ms"}))
    with Client(weir.address()) as client:
        for _ in range(3):
            assert client.get("/short/quick").status == 200
        response = client.get("/short")
        assert response.status == 504
        if response.field("connection") != "close":
            assert client.get("/slow").status == 200
    assert get(weir, "/slow").status == 200


def test_waiting_for_a_server_counts(start, script):
    held = []

    def hold(connection):
        held.append(connection.read_request_head())
        connection.read_to_end()
    busy = backend(script(hold))
    busy["servers"][0]["maxconn"] = 1
    made = routed("127.0.0.1:1", timeouts={"request": SHORT})
    made["backends"] = [busy]
    weir = start(made)
    with Client(weir.address()) as first:
        first.request(target="/")
        weir.wait_for_metric(1, "weir_server_leases", server="s1")
        assert timed("queue", lambda: get(weir, "/short")).status in (503, 504)
    assert {"request_timeout"} <= {record["reason"] for record in weir.access_log(1)}


def test_what_follows_an_upgrade_takes_any_time(start, script):
    def switch(connection):
        connection.read_request_head()
        connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                        "Upgrade: websocket\r\n\r\n")
        while data := connection.read_some():
            connection.send(data)
    weir = start(routed(script(switch), timeouts={"request": "800ms"}))
    with Client(weir.address()) as client:
        client.send("GET /short HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n"
                    "Upgrade: websocket\r\n\r\n")
        assert b" 101 " in client.read_head()
        end = time.monotonic() + 1
        while time.monotonic() < end:
            client.send("x")
            assert client.read(1) == b"x"


def test_a_reload_changes_it_for_requests_that_come(start, serve):
    server = serve(answer=slow(0.4))
    weir = start(simple(server))
    assert get(weir, "/short").status == 200
    weir.reload(routed(server, timeouts={"request": SHORT}))
    assert get(weir, "/short").status == 504


def test_explain_shows_them(tmp_path):
    path = write_config(tmp_path, routed("127.0.0.1:1", timeouts={
        "request": "15s", "server_body": "30s"}))
    done = run([BINARY, "explain", "-c", path, "GET", "http://a/short"])
    assert "timeouts  request 15s, server_body 30s" in done.stdout
    assert "timeouts" not in run([BINARY, "explain", "-c", path, "GET", "http://a/"]).stdout
