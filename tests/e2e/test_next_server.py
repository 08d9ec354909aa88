"""A request that another server can save is saved; none is sent twice that must not be."""
import pytest

from process import run
from servers import Client, RefusingServer, get
from weir import backend, config, listener, simple


@pytest.fixture
def refusing(ends):
    return ends(RefusingServer())


def reset_at_head(connection):
    connection.read_request()
    connection.reset()


def close_at_head(connection):
    connection.read_request()


@pytest.mark.parametrize("workers", [1, 2])
def test_1000_requests_with_a_dead_server_among_three_all_succeed(start, nginx, refusing, workers):
    servers = [nginx("A"), refusing, nginx("B")]
    weir = start(config(listener(), backends=[backend(*servers)], workers=workers))
    done = run(["ab", "-q", "-n", "1000", "-c", "10", weir.url("/name")])
    assert "Complete requests:      1000" in done.stdout, done.stdout
    assert "Failed requests:        0" in done.stdout, done.stdout
    assert "Non-2xx" not in done.stdout, done.stdout


def test_a_refused_request_goes_to_the_next_server(start, server, refusing):
    weir = start(simple(refusing, server))
    assert get(weir).body == b"server"
    record = weir.access_log()[0]
    assert (record["attempts"], record["server"], record["reason"]) == (2, "web/s2", None)
    weir.wait_for_metric(1, "weir_backend_retries_total", backend="web")
    weir.wait_for_metric(1, "weir_server_connect_failures_total", server="s1")


def test_a_post_whose_connection_was_refused_goes_to_the_next_server(start, server, refusing):
    weir = start(simple(refusing, server))
    with Client(weir.address()) as client:
        client.request("POST", body=b"x" * 100_000)
        assert client.read_response().body == b"server"
    assert server.requests[0].body == b"x" * 100_000


def test_a_server_that_refused_is_left_out_for_the_pause(start, server, refusing):
    weir = start(config(listener(), backends=[
        backend(refusing, server, refused_pause="1h")]))
    for _ in range(10):
        assert get(weir).status == 200
    weir.wait_for_metric(1, "weir_server_connect_failures_total", server="s1")
    weir.wait_for_metric(11, "weir_backend_attempts_total", backend="web")


def test_a_server_that_refused_is_tried_again_after_the_pause(start, serve, refusing):
    weir = start(config(listener(), backends=[
        backend(refusing, serve("other"), refused_pause="100ms")]))
    assert get(weir).body == b"other"
    refusing.close()
    serve("back", host=refusing.host, port=refusing.port)
    bodies = {get(weir).body for _ in range(2)}
    while b"back" not in bodies:  # ends with the test's own deadline below
        bodies.add(get(weir).body)
        assert len(weir.access_log()) < 10_000
    assert bodies == {b"other", b"back"}


def test_all_servers_refusing_is_a_502_with_the_reason(start, ends):
    weir = start(simple(*(ends(RefusingServer()) for _ in range(3))))
    response = get(weir)
    assert response.status == 502
    assert b"connect_refused" in response.body
    record = weir.access_log()[0]
    assert (record["status"], record["attempts"]) == (502, 3)
    assert record["reason"] == "connect_refused"
    assert record["sentence"].startswith("The server refused the connection. Tried s1 (connect_refused after ")
    weir.wait_for_metric(1, "weir_errors_total", side="server", reason="connect_refused")


def test_a_single_refusing_server_is_tried_though_it_just_refused(start, serve, refusing):
    weir = start(config(listener(), backends=[backend(refusing, refused_pause="1h")]))
    assert get(weir).status == 502
    refusing.close()
    serve("back", host=refusing.host, port=refusing.port)
    assert get(weir).body == b"back"


@pytest.mark.parametrize("ending", [reset_at_head, close_at_head])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_idempotent_request_is_repeated_elsewhere(start, server, script, ending, method):
    weir = start(simple(script(ending), server))
    with Client(weir.address()) as client:
        client.request(method)
        assert client.read_response().body == b"server"
    assert weir.access_log()[0]["attempts"] == 2


@pytest.mark.parametrize("ending, reason", [
    (reset_at_head, "server_reset"), (close_at_head, "server_closed")])
def test_a_post_is_not_repeated(start, server, script, ending, reason):
    weir = start(simple(script(ending), server))
    with Client(weir.address()) as client:
        client.request("POST", body=b"order one coffee")
        response = client.read_response()
        assert response.status == 502
        assert reason.encode() in response.body
        assert client.get().body == b"server"  # the client's connection is still good
    assert [request.method for request in server.requests] == ["GET"]
    record = weir.access_log()[0]
    assert (record["attempts"], record["reason"]) == (1, reason)


def test_a_put_with_a_small_body_is_repeated_elsewhere(start, server, script):
    weir = start(simple(script(reset_at_head), server))
    with Client(weir.address()) as client:
        client.request("PUT", body=b"x" * 1000)
        assert client.read_response().body == b"server"
    assert server.requests[0].body == b"x" * 1000


def test_nothing_is_repeated_after_the_first_byte_of_the_answer(start, server, script):
    def begin_and_reset(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\n")
        connection.reset()
    weir = start(simple(script(begin_and_reset), server))
    assert get(weir).status == 502
    assert server.requests == []
