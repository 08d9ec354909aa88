"""Which server is next. With one worker the order is exact, with more the shares are."""
from collections import Counter

import pytest

from process import run
from servers import Client
from weir import backend, config, listener


def order(start, serve, weights, count, balance="round_robin"):
    servers = [serve(name) for name in "ABC"[:len(weights)]]
    weir = start(config(listener(), backends=[
        backend(*servers, weights=weights, balance=balance)]))
    with Client(weir.address()) as client:
        return " ".join(client.get().body.decode() for _ in range(count))


def test_equal_servers_take_turns(start, serve):
    assert order(start, serve, [1, 1, 1], 9) == "A B C A B C A B C"


def test_it_is_the_default(start, serve):
    pool = backend(*(serve(name) for name in "ABC"))
    del pool["balance"]
    weir = start(config(listener(), backends=[pool]))
    with Client(weir.address()) as client:
        assert [client.get().body.decode() for _ in range(6)] == list("ABCABC")


@pytest.mark.parametrize("weights, period", [
    ([3, 2, 1], "A A A B B C"), ([3, 1], "A A A B"), ([5, 3, 2], "A A A A A B B B C C")])
def test_blocks_serve_each_server_in_one_go(start, serve, weights, period):
    block = {"round_robin": {"order": "block"}}
    assert order(start, serve, weights, 2 * sum(weights), block) == f"{period} {period}"


def test_weights_5_3_2_are_spread_smoothly(start, serve):
    period = "A B C A A B A C B A"
    assert order(start, serve, [5, 3, 2], 20) == f"{period} {period}"


def test_weights_5_1_1_never_leave_the_small_ones_to_the_end(start, serve):
    period = order(start, serve, [5, 1, 1], 7)
    assert Counter(period.split()) == {"A": 5, "B": 1, "C": 1}
    assert period == "A A B A C A A"  # as nginx does it


def test_weight_0_gets_nothing(start, serve):
    assert order(start, serve, [1, 0, 1], 6) == "A C A C A C"


def test_connections_do_not_matter_to_the_order(start, serve):
    servers = [serve(name) for name in "ABC"]
    weir = start(config(listener(), backends=[backend(*servers)]))
    got = []
    for _ in range(6):
        with Client(weir.address()) as client:
            got.append(client.get().body.decode())
    assert got == list("ABCABC")


@pytest.mark.parametrize("weights", [[1, 1, 1], [3, 2, 1], [5, 3, 2], [9, 1]])
def test_shares_hold_over_all_workers(start, nginx, weights):
    servers = [nginx(name) for name in "ABC"[:len(weights)]]
    weir = start(config(listener(), backends=[backend(*servers, weights=weights)], workers=2))
    requests = 100 * sum(weights)
    done = run(["ab", "-q", "-n", requests, "-c", "20", weir.url("/name")])
    assert "Failed requests:        0" in done.stdout, done.stdout
    metrics = weir.metrics()
    for number, weight in enumerate(weights, start=1):
        share = metrics.value("weir_server_attempts_total", server=f"s{number}")
        assert abs(share - requests * weight / sum(weights)) <= 2, metrics.text
