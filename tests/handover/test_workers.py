"""Connections spread evenly over workers, however the kernel deals them out."""
from process import wait_until
from servers import Client
from weir import simple

WORKERS = 8


def connections_by_worker(weir):
    status, answer = weir.api("GET", "/workers")
    assert status == 200
    return [worker["connections_open"] for worker in answer["workers"]]


def test_16_long_lived_connections_over_8_workers_differ_by_at_most_2(start, server):
    weir = start(simple(server) | {"workers": WORKERS})
    clients = [Client(weir.address()) for _ in range(16)]
    for client in clients:
        assert client.get().status == 200
    counts = connections_by_worker(weir)
    assert (len(counts), sum(counts)) == (WORKERS, 16)
    assert max(counts) - min(counts) <= 2, counts
    for client in clients:  # each goes on where it is
        assert client.get().status == 200
        client.close()


def test_connections_even_out_again_when_those_of_a_few_workers_have_ended(start, server):
    weir = start(simple(server) | {"workers": WORKERS})
    clients = [Client(weir.address()) for _ in range(64)]
    for client in clients:
        assert client.get().status == 200
    for client in clients[:40]:
        client.close()
    wait_until(lambda: sum(connections_by_worker(weir)) == 24, "the closed ones are gone")
    clients[:40] = [Client(weir.address()) for _ in range(40)]
    for client in clients:
        assert client.get().status == 200
    counts = connections_by_worker(weir)
    assert sum(counts) == 64
    # Further apart they may be by an eighth of the mean only.
    assert max(counts) - min(counts) <= 2 + 64 / WORKERS / 8, counts
    for client in clients:
        client.close()
