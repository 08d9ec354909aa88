"""limits.connections_per_client: how many connections one client may have open with a listener."""
import socket
import threading

import pytest

from servers import Client
from weir import backend, config, listener, tcp_listener

LIMIT = 10


def limited(limit=LIMIT, *, workers=4, backends, **settings):
    return config(listener(limits={"connections_per_client": limit}, **settings),
                  backends=backends, workers=workers)


RESET = (ConnectionResetError, BrokenPipeError)


def connected(address, ends, source=None):
    """A connection, or None: it was reset before the client had seen that it was there."""
    try:
        return ends(Client(address, source=source))
    except ConnectionResetError:
        return None


def is_served(client):
    """Whether it is answered; False: it was reset."""
    try:
        return client is not None and client.get().status == 200
    except RESET:
        return False


class Crowd:
    """Connections of one address."""

    def __init__(self, weir, source, ends):
        self._weir, self._source, self._ends = weir, source, ends
        self.staying = []

    def come(self, count):
        """How many of them stay."""
        clients = [connected(self._weir.address(), self._ends, self._source)
                   for _ in range(count)]
        staying = [client for client in clients if is_served(client)]
        self.staying += staying
        return len(staying)

    def go(self, count):
        for _ in range(count):
            self.staying.pop().close()
        self._weir.wait_for_metric(len(self.staying), "weir_listener_connections_open",
                                   listener="web")


@pytest.fixture
def crowd(ends):
    return lambda weir, source="127.0.0.1": Crowd(weir, source, ends)


def test_a_client_has_exactly_its_share_over_all_workers(start, server, crowd):
    weir = start(limited(backends=[backend(server)]))
    one = crowd(weir)
    assert one.come(2 * LIMIT) == LIMIT
    assert crowd(weir, "127.0.0.2").come(LIMIT) == LIMIT  # another client has its own
    weir.wait_for_metric(LIMIT, "weir_listener_connections_refused_total", listener="web")
    weir.wait_for_metric(LIMIT, "weir_errors_total", reason="too_many_connections", side="client")
    refused = [record for record in weir.access_log(3 * LIMIT)
               if record["reason"] == "too_many_connections"]
    assert len(refused) == LIMIT and {record["client_address"] for record in refused} == {
        "127.0.0.1"}
    assert weir.metrics().value("weir_listener_clients_not_counted_total") == 0


def test_who_goes_makes_room(start, server, crowd):
    weir = start(limited(backends=[backend(server)]))
    one = crowd(weir)
    assert one.come(LIMIT) == LIMIT
    for _ in range(3):
        assert one.come(2) == 0
        one.go(4)
        assert one.come(6) == 4


def test_many_at_once_are_counted_exactly(start, server, ends):
    weir = start(limited(backends=[backend(server)]))
    for _ in range(5):
        served, together = [], threading.Barrier(20)
        clients = [connected(weir.address(), ends) for _ in range(20)]

        def ask(client):
            together.wait()
            if is_served(client):
                served.append(client)
        threads = [threading.Thread(target=ask, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(served) == LIMIT
        for client in filter(None, clients):
            client.close()
        weir.wait_for_metric(0, "weir_listener_connections_open", listener="web")


def test_a_reload_keeps_the_counts(start, server, crowd):
    weir = start(limited(backends=[backend(server)]))
    one = crowd(weir)
    assert one.come(LIMIT) == LIMIT
    weir.reload(limited(LIMIT + 2, backends=[backend(server)]))
    assert one.come(5) == 2
    weir.reload(limited(LIMIT, backends=[backend(server)]))  # whoever is there stays
    assert one.come(1) == 0
    assert all(is_served(client) for client in one.staying)
    one.go(3)
    assert one.come(3) == 1
    without = config(listener(), backends=[backend(server)], workers=4)
    weir.reload(without)
    assert one.come(5) == 5


def test_a_tunnel_counts_until_it_ends(start, script, ends):
    def echo(connection):
        while data := connection.read_some():
            connection.send(data)
    weir = start(config(tcp_listener(limits={"connections_per_client": 2}),
                        backends=[backend(script(echo))], workers=2))

    def echoes(client):
        try:
            client.send("x")
            return client.read(1) == b"x"
        except RESET:
            return False
    clients = [connected(weir.address(), ends) for _ in range(3)]
    assert [client is not None and echoes(client) for client in clients].count(True) == 2
    for client in filter(None, clients):
        client.close()
    weir.wait_for_metric(0, "weir_listener_connections_open")
    assert echoes(ends(Client(weir.address())))


def test_behind_a_proxy_the_client_that_it_names_counts(start, server, ends):
    weir = start(limited(2, backends=[backend(server)], proxy_protocol=True,
                         trusted_proxies=["127.0.0.1"]))

    def come(name):
        client = ends(Client(weir.address()))
        try:
            client.send(f"PROXY TCP4 {name} 192.0.2.200 4711 80\r\n")
            return client.get().status == 200
        except RESET:
            return False
    assert [come("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert come("192.0.2.2")


@pytest.mark.parametrize("prefix, stay", [(32, 4), (24, 2)])
def test_clients_are_told_apart_by_a_prefix(start, server, crowd, prefix, stay):
    limits = {"connections_per_client": 2, "client_prefixes": {"ipv4": prefix}}
    weir = start(config(listener(limits=limits), backends=[backend(server)]))
    assert sum(crowd(weir, source).come(2) for source in ("127.0.0.1", "127.0.0.9")) == stay


def test_unix_sockets_have_no_clients_to_tell_apart(start, server, tmp_path, ends):
    path = f"{tmp_path}/web.sock"
    one = listener(limits={"connections_per_client": 1}) | {
        "addresses": [f"unix:{path}", "127.0.0.1:0"]}
    del one["address"]
    weir = start(config(one, backends=[backend(server)]))
    assert all(is_served(ends(Client(path))) for _ in range(3))


def test_a_refused_connection_is_reset(start, server, ends):
    weir = start(limited(1, backends=[backend(server)]))
    assert is_served(ends(Client(weir.address())))
    with pytest.raises(ConnectionResetError):
        with socket.create_connection(weir.address(), timeout=10) as refused:
            refused.recv(1)


def test_other_listeners_have_their_own_count(start, server, ends):
    limits = {"connections_per_client": 1}
    weir = start(config(listener("a", limits=limits), listener("b", limits=limits),
                        listener("c"), backends=[backend(server)]))
    assert is_served(connected(weir.address("a"), ends))
    assert is_served(ends(Client(weir.address("b"))))
    assert not is_served(connected(weir.address("a"), ends))
    assert is_served(ends(Client(weir.address("c"))))
