"""How often a failed request is tried again, where, and how long that may take."""
import time

import pytest

from process import DEADLINE_S, wait_until
from servers import Client, DeafServer, RefusingServer, get
from weir import backend, config, listener, tcp_listener


def with_retry(*servers, **retry):
    return config(listener(), backends=[backend(*servers, retry=retry)])


def close_at_head(connection):
    connection.read_request()


def stay_silent(connection):
    connection.read_request()
    connection.read_to_end()


class Flaky:
    """Ends the first `failures` connections without an answer, and answers on the others."""

    def __init__(self, script, failures):
        self._left = failures
        self.times = []
        self.address = script(self._serve).address

    def _serve(self, connection):
        request = connection.read_request()
        self.times.append(time.monotonic())
        if self._left:
            self._left -= 1
        elif request:
            connection.answer("at last")


@pytest.mark.parametrize("attempts", [1, 2, 8])
def test_a_request_is_tried_as_often_as_said(start, script, attempts):
    flaky = Flaky(script, 100)
    weir = start(with_retry(flaky, attempts=attempts, backoff="1ms"))
    response = get(weir)
    assert response.status == 502
    assert b"server_closed" in response.body
    assert weir.access_log()[0]["attempts"] == attempts
    assert len(flaky.times) == attempts
    weir.wait_for_metric(attempts - 1, "weir_backend_retries_total", backend="web")


def test_the_only_server_is_asked_again(start, script):
    weir = start(with_retry(Flaky(script, 2), backoff="1ms"))
    assert get(weir).body == b"at last"
    record = weir.access_log()[0]
    assert (record["status"], record["attempts"], record["reason"]) == (200, 3, None)


def test_each_server_is_tried_before_any_is_again(start, script):
    servers = [script(close_at_head) for _ in range(4)]
    weir = start(with_retry(*servers, attempts=6, backoff="1ms"))
    assert get(weir).status == 502
    assert sorted(len(server.connections) for server in servers) == [1, 1, 2, 2]


def test_a_slow_server_is_left_for_another_after_the_per_try_timeout(start, script, server):
    weir = start(with_retry(script(stay_silent), server, per_try_timeout="1s"))
    assert get(weir).body == b"server"
    record = weir.access_log()[0]
    assert record["attempts"] == 2
    assert 1 <= record["request_time"]


def test_a_deaf_server_is_left_for_another_after_the_per_try_timeout(start, ends, server):
    weir = start(with_retry(ends(DeafServer()), server, per_try_timeout="1s"))
    with Client(weir.address()) as client:
        client.request("POST", body=b"hello")  # nothing of it was sent
        assert client.read_response().body == b"server"
    assert weir.access_log()[0]["attempts"] == 2


def test_a_post_is_not_sent_again_after_the_per_try_timeout(start, script, server):
    weir = start(with_retry(script(stay_silent), server, per_try_timeout="300ms"))
    with Client(weir.address()) as client:
        client.request("POST", body=b"hello")
        response = client.read_response()
    assert response.status == 504
    assert b"response_head_timeout" in response.body
    assert server.requests == []


def test_the_deadline_is_for_all_attempts(start, script):
    silent = script(stay_silent)
    weir = start(with_retry(silent, attempts=8, per_try_timeout="250ms", deadline="600ms",
                            backoff="0s"))
    response = get(weir)
    assert response.status == 504
    assert b"response_head_timeout" in response.body
    record = weir.access_log()[0]
    assert 0.6 <= record["request_time"]
    silent.wait_for_connections(record["attempts"])
    assert record["attempts"] == len(silent.connections) <= 3


def test_an_upload_may_take_longer_than_the_deadline(start, server):
    weir = start(with_retry(server, per_try_timeout="600ms", deadline="600ms"))
    with Client(weir.address()) as client:
        client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n")
        client.socket.settimeout(0.1)
        for _ in range(8):
            with pytest.raises(TimeoutError):
                client.socket.recv(1)
            client.send("x")
        client.socket.settimeout(DEADLINE_S)
        assert client.socket.recv(12) == b"HTTP/1.1 200"


def test_between_attempts_there_are_waits(start, script):
    """Random ones below 100, 200, 200 … ms: seven of them are 650 ms on average."""
    flaky = Flaky(script, 100)
    weir = start(with_retry(flaky, attempts=8, backoff="100ms", backoff_max="200ms"))
    assert get(weir).status == 502
    waited = flaky.times[-1] - flaky.times[0]
    assert len(flaky.times) == 8
    assert waited > 0.1  # less is one case in 300,000
    assert weir.access_log()[0]["request_time"] >= waited * 0.9


def test_a_refused_connection_is_not_waited_for(start, ends, server):
    refusing = [ends(RefusingServer()) for _ in range(3)]
    weir = start(with_retry(*refusing, server, attempts=4, deadline="1h", backoff="1h",
                            backoff_max="1h"))
    assert get(weir).body == b"server"
    assert weir.access_log()[0]["attempts"] == 4


def test_a_client_that_resets_ends_the_wait(start, script):
    flaky = Flaky(script, 100)
    weir = start(with_retry(flaky, attempts=2, deadline="24h", backoff="1h", backoff_max="1h"))
    with Client(weir.address()) as client:
        client.request()
        wait_until(lambda: flaky.times, "the first attempt")
        client.reset()
    record = weir.access_log()[0]
    assert (record["attempts"], record["reason"]) == (1, "client_reset")
    weir.wait_for_metric(0, "weir_listener_connections_open")


def test_a_stop_does_not_wait_for_the_wait(start, script):
    flaky = Flaky(script, 100)
    weir = start({**with_retry(flaky, attempts=2, deadline="24h", backoff="1h", backoff_max="1h"),
                  "timeouts": {"shutdown": "300ms"}})
    with Client(weir.address()) as client:
        client.request()
        wait_until(lambda: flaky.times, "the first attempt")
        weir.stop()
    assert weir.access_log()[0]["reason"] == "shutting_down"


def test_connections_have_attempts_and_a_deadline_too(start, ends):
    weir = start(config(tcp_listener(backend="db"), backends=[
        backend(ends(DeafServer()), name="db",
                retry={"attempts": 8, "per_try_timeout": "400ms", "deadline": "1100ms"})]))
    with Client(weir.address()) as client:
        with pytest.raises(ConnectionResetError):
            client.read_to_end()
    record = weir.access_log()[0]
    assert (record["attempts"], record["reason"]) == (3, "connect_timeout")
    assert record["request_time"] >= 1.1
