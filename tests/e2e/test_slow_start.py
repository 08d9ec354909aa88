"""slow_start: a server that is new, or back, gets its share of the traffic little by little."""
import time
from collections import Counter

import pytest

from gate import Gate
from process import wait_until
from servers import Client
from test_ctl import Ctl
from weir import backend, config, listener

LONG = {"time": "1h"}  # whatever a test does takes a small part of it
OVER = {"time": "1ms"}


@pytest.fixture
def servers(nginx):
    return [nginx(name) for name in "AB"]


def pool(servers, slow_start, **settings):
    return config(listener(), backends=[backend(*servers, slow_start=slow_start, **settings)])


def ctl(weir, *arguments):
    return Ctl("%s:%d" % weir.admin_address).table(*arguments)


def come_back(weir):
    """B was away, and is back."""
    ctl(weir, "server", "web/s2", "disable")
    ctl(weir, "server", "web/s2", "enable")


def share(weir, count=22):
    """Of so many requests: what B gets."""
    with Client(weir.address()) as client:
        return sum(client.get(f"/name?{number}").body == b"B\n" for number in range(count))


# ---- How it grows

def test_nobody_is_held_back_when_the_process_starts(start, servers):
    assert share(start(pool(servers, LONG))) == 11


def test_without_slow_start_a_server_is_back_at_once(start, servers):
    weir = start(config(listener(), backends=[backend(*servers)]))
    come_back(weir)
    assert share(weir) == 11


def test_a_linear_share_grows_with_the_time(start, servers):
    seconds = 4
    weir = start(pool(servers, {"time": f"{seconds}s"}))
    began = time.monotonic()
    come_back(weir)
    batches = [share(weir)]
    assert batches[0] < 11

    def has_its_share():
        batches.append(share(weir, 220))
        # At most what the time since then is worth: of weights 1 and `part`, and of an odd turn.
        part = min(1, (time.monotonic() - began) / seconds)
        assert batches[-1] <= 220 * part / (1 + part) + 2, (batches, part)
        return batches[-1] == 110
    wait_until(has_its_share, "B has its share again")


def test_steps_are_a_tenth_a_half_and_the_whole(start, servers):
    weir = start(pool(servers, LONG | {"ramp": "steps"}))
    come_back(weir)
    assert share(weir, 220) == 20  # 10 : 1
    weir = start(pool(servers, {"time": "6s", "ramp": "steps"}))
    come_back(weir)
    for expected in ([2, 3], [10], [15]):  # of 30, in two seconds each
        wait_until(lambda counts=expected: share(weir, 30) in counts, f"B gets {expected} of 30")


@pytest.mark.parametrize("balance", ["round_robin", "random", "power_of_two", "hash"])
def test_under_every_algorithm_that_goes_by_weights(start, servers, balance):
    if balance == "hash":
        balance = {"hash": {"key": "${request.query}"}}
    weir = start(pool(servers, LONG, balance=balance))
    before = share(weir, 200)
    assert before > 60
    come_back(weir)
    assert share(weir, 200) < 20  # 2 of 200 are expected, and chance adds some
    weir.reload(pool(servers, OVER, balance=balance))
    after = share(weir, 200)
    assert after > 60
    if "hash" in balance:  # the keys that it had
        assert after == before


@pytest.mark.parametrize("ramp, first", [("linear", 1), ("steps", 2)])
def test_least_connections_holds_back_by_weight(start, serve, ends, ramp, first):
    gate = ends(Gate())
    servers = [serve(name, gate) for name in "AB"]
    slow = {"balance": "least_connections"}
    weir = start(pool(servers, LONG | {"ramp": ramp}, **slow))
    come_back(weir)

    def hold(count):
        """So many more requests; what each server has got so far."""
        held = len(gate.targets)
        clients = []
        for number in range(1, count + 1):
            clients.append(ends(Client(weir.address())))
            clients[-1].request()
            gate.wait_for(held + number)
        counts = [len(server.requests) for server in servers]
        gate.let(count)
        assert {client.read_response().status for client in clients} == {200}
        weir.wait_for_metric(0, "weir_server_leases")
        return counts
    assert hold(22) == [22 - first, first]
    weir.reload(pool(servers, OVER | {"ramp": ramp}, **slow))
    assert hold(22) == [33 - first, 11 + first]


def test_least_connections_does_not_flood_who_is_added(start, serve, ends):
    gate = ends(Gate())
    servers = [serve(name, gate) for name in "AB"]
    weir = start(pool(servers[:1], LONG, balance="least_connections"))
    clients = []

    def hold(count):
        for _ in range(count):
            clients.append(ends(Client(weir.address())))
            clients[-1].request()
            gate.wait_for(len(clients))
    hold(10)
    ctl(weir, "add", "web/s2", servers[1].address)
    hold(10)
    assert [len(server.requests) for server in servers] == [19, 1]


# ---- Who starts slowly

def test_a_server_that_is_added_starts_slowly(start, servers):
    weir = start(pool(servers[:1], LONG))
    ctl(weir, "add", "web/s2", servers[1].address)
    assert share(weir) <= 1
    ctl(weir, "server", "web/s2", "remove")
    weir.reload(pool(servers, LONG))
    assert share(weir) <= 1


def test_a_weight_that_was_0_starts_slowly(start, servers):
    weir = start(pool(servers, LONG, weights=[1, 0]))
    ctl(weir, "server", "web/s2", "weight", "1")
    assert share(weir) <= 1
    weir = start(pool(servers, LONG, weights=[1, 0]))
    weir.reload(pool(servers, LONG, weights=[1, 1]))
    assert share(weir) <= 1


def test_who_is_held_back_leaves_nobody_without_a_server(start, servers):
    weir = start(pool(servers, LONG))
    come_back(weir)
    ctl(weir, "server", "web/s1", "disable")
    assert share(weir) == 22


def test_a_change_of_something_else_does_not_end_it(start, servers):
    weir = start(pool(servers, LONG))
    come_back(weir)
    weir.reload(pool(servers, LONG, refused_pause="2s"))
    assert share(weir) <= 1
    ctl(weir, "server", "web/s1", "weight", "2")
    assert share(weir) <= 1


def test_a_change_of_another_backend_does_not_begin_it_again(start, servers):
    both = pool(servers[:1], {"time": "300ms"})
    both["backends"].append(backend(servers[0], name="other"))
    weir = start(both)
    ctl(weir, "add", "web/s2", servers[1].address)
    wait_until(lambda: share(weir) == 11, "B has its share")
    ctl(weir, "add", "other/s2", servers[1].address)
    ctl(weir, "server", "web/s1", "weight", "1")
    assert share(weir) == 11


def test_it_holds_over_all_workers(start, servers):
    weir = start(pool(servers, LONG) | {"workers": 2})
    come_back(weir)
    counts = Counter(share(weir, 1) for _ in range(60))
    assert counts[1] <= 4
