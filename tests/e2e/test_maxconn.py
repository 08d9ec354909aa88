"""maxconn: no server gets more at a time; who comes too many waits in line, within limits."""
import pytest

from gate import Gate
from process import wait_until
from servers import Client, get
from weir import backend, config, listener, tcp_listener


def limited(*servers, maxconn=1, **settings):
    """A backend each of whose servers has that limit."""
    made = backend(*servers, **settings)
    for server in made["servers"]:
        server["maxconn"] = maxconn
    return made


@pytest.fixture
def gate(ends):
    return ends(Gate())


@pytest.fixture
def ask(ends):
    """A client that has sent its request: ask(weir, target)."""
    def begin(weir, target="/"):
        client = ends(Client(weir.address()))
        client.request(target=target)
        return client
    return begin


def wait_for_queue(weir, length):
    weir.wait_for_metric(length, "weir_backend_queued", backend="web")


# ---- The limit

@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_never_gets_more_than_maxconn_and_nobody_is_lost(start, serve, gate, ask, workers):
    weir = start(config(listener(), backends=[limited(serve("s", gate), maxconn=3)],
                        workers=workers))
    clients = [ask(weir) for _ in range(30)]
    wait_for_queue(weir, 27)
    assert weir.metrics().value("weir_server_leases", server="s1") == 3
    gate.wait_for(3)
    gate.let(30)
    assert [client.read_response().status for client in clients] == [200] * 30
    assert gate.most == 3
    weir.wait_for_metric(27, "weir_backend_queue_waits_total", backend="web")
    weir.wait_for_metric(0, "weir_server_leases")
    wait_for_queue(weir, 0)


@pytest.mark.parametrize("workers", [1, 2])
def test_first_come_first_served(start, serve, gate, ask, workers):
    weir = start(config(listener(), backends=[limited(serve("s", gate))], workers=workers))
    clients = []
    for number in range(10):
        clients.append(ask(weir, f"/{number}"))
        gate.wait_for(1)
        wait_for_queue(weir, number)
    for number, client in enumerate(clients):
        gate.let()
        assert client.read_response().body == b"/%d" % number
    assert gate.targets == [f"/{number}" for number in range(10)]


def test_nobody_waits_while_another_server_has_room(start, serve, gate, ask):
    weir = start(config(listener(), backends=[limited(serve("s", gate), serve("free"))]))
    busy = ask(weir)
    gate.wait_for(1)
    for _ in range(10):
        assert get(weir).body == b"free"
    assert weir.metrics().value("weir_backend_queue_waits_total") == 0
    gate.let()
    assert busy.read_response().status == 200


def test_nobody_waits_while_a_backup_has_room(start, serve, gate, ask):
    web = limited(serve("s", gate), serve("spare"))
    web["servers"][1]["backup"] = True
    weir = start(config(listener(), backends=[web]))
    busy = ask(weir)
    gate.wait_for(1)
    assert get(weir).body == b"spare"
    gate.let()
    assert busy.read_response().status == 200


def test_a_connection_that_is_kept_holds_no_place(start, server):
    weir = start(config(listener(), backends=[limited(server)]))
    with Client(weir.address()) as one, Client(weir.address()) as other:
        for _ in range(10):
            assert one.get().status == other.get().status == 200
    assert len(server.connections) == 1


def test_a_tunnel_holds_its_place_until_it_ends(start, script):
    echo = script(lambda connection: connection.send(connection.read(5)))
    weir = start(config(tcp_listener(), backends=[limited(echo)]))
    with Client(weir.address()) as first, Client(weir.address()) as second:
        echo.wait_for_connections(1)
        second.send("hello")
        wait_for_queue(weir, 1)
        first.send("world")
        assert first.read_to_end() == b"world"
        first.close()  # half of it was still open
        assert second.read_to_end() == b"hello"


def test_a_server_that_dies_hands_its_place_on(start, script, ask):
    def die(connection):
        connection.read_request()
        connection.reset()
    weir = start(config(listener(), backends=[limited(script(die), retry={"attempts": 1})]))
    for client in [ask(weir) for _ in range(5)]:
        assert client.read_response().status == 502
    weir.wait_for_metric(0, "weir_server_leases")


# ---- The queue's limits

def test_who_finds_the_queue_full_is_a_503_at_once(start, serve, gate, ask):
    weir = start(config(listener(), backends=[limited(serve("s", gate), queue_length=2)]))
    served = ask(weir, "/0")
    gate.wait_for(1)
    served = [served, ask(weir, "/1"), ask(weir, "/2")]
    wait_for_queue(weir, 2)
    response = get(weir, "/3")
    assert response.status == 503
    assert b"reason: queue_full" in response.body
    record = weir.access_log()[0]
    assert (record["target"], record["status"], record["reason"]) == ("/3", 503, "queue_full")
    assert record["sentence"].startswith("The backend's queue is full.")
    weir.wait_for_metric(1, "weir_errors_total", reason="queue_full")
    weir.wait_for_metric(1, "weir_backend_errors_total", backend="web", reason="queue_full")
    gate.let(3)
    assert [client.read_response().status for client in served] == [200] * 3
    assert "/3" not in gate.targets


def test_without_a_queue_nobody_waits(start, serve, gate, ask):
    weir = start(config(listener(), backends=[limited(serve("s", gate), queue_length=0)]))
    served = ask(weir)
    gate.wait_for(1)
    assert get(weir).status == 503
    gate.let()
    assert served.read_response().status == 200


def test_who_waits_too_long_is_a_503_with_the_reason(start, serve, gate, ask):
    weir = start(config(listener(), backends=[
        limited(serve("s", gate), timeouts={"queue": "300ms"})]))
    served = ask(weir, "/0")
    gate.wait_for(1)
    response = ask(weir, "/1").read_response()
    assert response.status == 503
    assert b"reason: queue_timeout" in response.body
    record = weir.access_log()[0]
    assert (record["target"], record["status"], record["reason"]) == ("/1", 503, "queue_timeout")
    assert 0.3 <= record["request_time"] < 5
    assert record["attempts"] == 0
    weir.wait_for_metric(1, "weir_backend_errors_total", backend="web", reason="queue_timeout")
    wait_for_queue(weir, 0)
    gate.let()
    assert served.read_response().status == 200  # its own time is another matter
    assert gate.targets == ["/0"]


def test_a_client_that_leaves_makes_room_in_the_queue(start, serve, gate, ask):
    weir = start(config(listener(), backends=[limited(serve("s", gate), queue_length=2)]))
    served = ask(weir, "/0")
    gate.wait_for(1)
    leaving = ask(weir, "/1")
    wait_for_queue(weir, 1)
    waiting = ask(weir, "/2")
    wait_for_queue(weir, 2)
    leaving.reset()
    wait_for_queue(weir, 1)
    assert weir.access_log()[0]["reason"] == "client_reset"
    last = ask(weir, "/3")
    wait_for_queue(weir, 2)
    gate.let(3)
    assert [client.read_response().status for client in (served, waiting, last)] == [200] * 3
    assert gate.targets == ["/0", "/2", "/3"]


# ---- While it changes

def test_a_raised_limit_lets_the_next_ones_in(start, serve, gate, ask):
    server = serve("s", gate)
    weir = start(config(listener(), backends=[limited(server)]))
    clients = [ask(weir) for _ in range(5)]
    wait_for_queue(weir, 4)
    weir.reload(config(listener(), backends=[limited(server, maxconn=3)]))
    wait_for_queue(weir, 2)
    gate.wait_for(3)
    gate.let(5)
    assert [client.read_response().status for client in clients] == [200] * 5
    assert gate.most == 3


def test_a_server_that_is_added_serves_those_who_wait(start, serve, gate, ask):
    weir = start(config(listener(), backends=[limited(serve("s", gate))]))
    served = ask(weir)
    gate.wait_for(1)
    waiting = [ask(weir) for _ in range(5)]
    wait_for_queue(weir, 5)
    assert weir.api("POST", "/backends/web/servers",
                    {"name": "s2", "address": serve("added").address})[0] == 201
    assert [client.read_response().body for client in waiting] == [b"added"] * 5
    gate.let()
    assert served.read_response().status == 200


def test_the_api_says_who_is_full_and_how_many_wait(start, serve, gate, ask):
    weir = start(config(listener(), backends=[limited(serve("s", gate))]))
    clients = [ask(weir), ask(weir)]
    wait_for_queue(weir, 1)
    _, answer = weir.api("GET", "/backends/web")
    assert answer["queued"] == 1
    (server,) = answer["servers"]
    assert (server["maxconn"], server["leases"], server["reason"]) == (1, 1, "at its maxconn")
    gate.let(2)
    assert [client.read_response().status for client in clients] == [200] * 2
    wait_until(lambda: weir.api("GET", "/servers/web/s1")[1]["reason"] == "", "it has room again")
