"""The algorithms that look at what is in flight, and those that draw."""
import threading
from collections import Counter

import pytest

from process import run
from servers import Client
from weir import backend, config, listener


class Holding:
    """Answers once it may."""

    def __init__(self):
        self.released = threading.Event()

    def __call__(self, connection, request):
        assert self.released.wait(20)
        connection.answer("held")


@pytest.fixture
def held(serve):
    """Three servers that hold what they are asked: (servers, their releases)."""
    holds = [Holding() for _ in range(3)]
    servers = [serve(name, hold) for name, hold in zip("ABC", holds)]
    yield servers, holds
    for hold in holds:
        hold.released.set()


def ask(weir, ends):
    client = ends(Client(weir.address()))
    client.send("GET /asked HTTP/1.1\r\nHost: x\r\n\r\n")
    return client


def in_flight(servers):
    return [len(server.requests) for server in servers]


def test_least_connections_asks_who_has_the_least_in_flight(start, held, ends):
    servers, holds = held
    weir = start(config(listener(), backends=[backend(*servers, balance="least_connections")]))
    for number, server in enumerate([*servers, *servers], start=1):
        ask(weir, ends)
        server.wait_for_requests((number + 2) // 3)
    assert in_flight(servers) == [2, 2, 2]
    holds[1].released.set()  # both of B's end: it has the least now
    weir.wait_for_metric(0, "weir_server_leases", server="s2")
    ask(weir, ends)
    servers[1].wait_for_requests(3)
    assert in_flight(servers) == [2, 3, 2]


@pytest.mark.parametrize("weights, shares", [([3, 1, 1], [6, 2, 2]), ([3, 2, 0], [6, 4, 0])])
def test_least_connections_divides_by_the_weight(start, held, ends, weights, shares):
    servers, _ = held
    weir = start(config(listener(), backends=[
        backend(*servers, weights=weights, balance="least_connections")]))
    for number in range(1, 11):
        ask(weir, ends)
        weir.wait_for_metric(number, "weir_server_leases")
    for server, share in zip(servers, shares):
        server.wait_for_requests(share)
    assert in_flight(servers) == shares


@pytest.mark.parametrize("algorithm", ["random", "power_of_two"])
def test_drawn_servers_get_shares_by_weight(start, nginx, algorithm):
    servers = [nginx(name) for name in "ABC"]
    weir = start(config(listener(), backends=[
        backend(*servers, weights=[5, 3, 2], balance=algorithm)]))
    done = run(["ab", "-q", "-k", "-n", "4000", "-c", "1", weir.url("/name")])
    assert "Failed requests:        0" in done.stdout, done.stdout
    metrics = weir.metrics()
    shares = [metrics.value("weir_server_attempts_total", server=f"s{n}") for n in (1, 2, 3)]
    assert sum(shares) == 4000
    assert shares[0] > shares[1] > shares[2] > 0
    if algorithm == "random":  # 6 standard deviations
        for share, expected in zip(shares, (2000, 1200, 800)):
            assert abs(share - expected) < 6 * 32, shares


def test_power_of_two_avoids_who_is_busy(start, held, serve, ends):
    busy = held[0][0]
    idle = serve("idle")
    weir = start(config(listener(), backends=[backend(busy, idle, balance="power_of_two")]))
    for _ in range(60):  # until one is held: then the other has less in flight, always
        ask(weir, ends)
        if busy.requests:
            break
    busy.wait_for_requests(1)
    weir.wait_for_metric(0, "weir_server_leases", server="s2")
    with Client(weir.address()) as client:
        names = Counter(client.get().body.decode() for _ in range(50))
    assert names == {"idle": 50}
