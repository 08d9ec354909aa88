"""Running out of descriptors or connections: nobody is lost who can wait, and it is counted."""
import resource
import select

import pytest

from process import DEADLINE_S
from servers import Client, RefusingServer, get
from weir import backend, config, listener, simple


def assert_waits(client, seconds=0.4):
    """Nothing comes for so long."""
    client.socket.settimeout(seconds)
    with pytest.raises(TimeoutError):
        client.socket.recv(1)
    client.socket.settimeout(DEADLINE_S)


def answered_in_all(clients, least, seconds=0.4):
    """Those who are answered, when so many are and for so long nobody else is."""
    waiting = list(clients)
    while more := select.select([client.socket for client in waiting], [], [],
                                seconds if len(clients) - len(waiting) >= least else DEADLINE_S)[0]:
        waiting = [client for client in waiting if client.socket not in more]
    return [client for client in clients if client not in waiting]


def set_descriptor_limit(weir, count):
    resource.prlimit(weir.process.pid, resource.RLIMIT_NOFILE, (count, 4096))


def take_all_descriptors(weir):
    """It keeps what it has, and gets no other."""
    set_descriptor_limit(weir, 3)


def test_without_descriptors_clients_wait_until_there_are_some(start, server):
    weir = start(simple(server))
    assert get(weir).status == 200
    weir.wait_for_metric(0, "weir_listener_connections_open")
    take_all_descriptors(weir)
    with Client(weir.address()) as client:
        client.request()
        assert_waits(client)
        set_descriptor_limit(weir, 4096)
        assert client.socket.recv(12) == b"HTTP/1.1 200"
    exhausted = weir.metrics().value("weir_worker_descriptors_exhausted_total")
    assert 1 <= exhausted < 100  # it rests between two tries
    assert weir.metrics().value("weir_worker_accept_pauses_total") >= 1
    assert get(weir).status == 200


def test_no_descriptor_for_the_server_is_a_503(start, server, ends):
    weir = start(config(
        listener(routes=[{"match": {"path": "/dead"}, "backend": "dead"}, {"backend": "web"}]),
        backends=[backend(server, pool={"idle_max": 0}),
                  backend(ends(RefusingServer()), name="dead")]))
    # A failure of the same shape first: UBSan wants a descriptor when it meets a class.
    assert get(weir, "/dead").status == 502
    weir.wait_for_metric(0, "weir_listener_connections_open")
    with Client(weir.address()) as client:
        weir.wait_for_metric(1, "weir_listener_connections_open")
        take_all_descriptors(weir)
        client.request()
        response = client.read_response()
        set_descriptor_limit(weir, 4096)
    assert response.status == 503
    assert b"descriptors_exhausted" in response.body
    weir.wait_for_metric(1, "weir_errors_total", side="weir", reason="descriptors_exhausted")
    # It was not the server's fault.
    assert weir.metrics().value("weir_server_connect_failures_total", backend="web") == 0


def test_more_clients_than_worker_connections_wait_their_turn(start, server):
    weir = start(simple(server) | {"worker_connections": 2})
    first, second = Client(weir.address()), Client(weir.address())
    assert first.get().status == 200
    assert second.get().status == 200
    with Client(weir.address()) as third:
        third.request()
        assert_waits(third)
        assert first.get().status == 200  # those who are in are served
        first.close()
        assert third.socket.recv(12) == b"HTTP/1.1 200"
    second.close()
    assert weir.metrics().value("weir_worker_accept_pauses_total") >= 1


@pytest.mark.parametrize("of_process", [True, False])
def test_more_clients_than_maxconn_wait_their_turn(start, server, of_process):
    limited = simple(server, **({} if of_process else {"maxconn": 4})) | {"workers": 4}
    weir = start(limited | ({"maxconn": 4} if of_process else {}))
    # Each worker may accept one too many.
    clients = [Client(weir.address()) for _ in range(4 + 4 + 1)]
    for client in clients:
        client.request()
    served = answered_in_all(clients, least=4)
    assert 4 <= len(served) <= 8
    # As they go, the others come in, and nobody is refused.
    for client in served:
        client.close()
    for client in clients:
        if client not in served:
            assert client.read_response().status == 200
            client.close()


@pytest.mark.parametrize("limit", ["worker_connections", "maxconn"])
def test_a_stampede_above_a_limit_of_connections_loses_nobody(start, server, limit):
    weir = start(simple(server) | {limit: 8})
    clients = [Client(weir.address()) for _ in range(100)]
    for client in clients:
        client.request(fields=[("Connection", "close")])
    for client in clients:
        assert client.read_response().status == 200
        client.close()
    weir.wait_for_metric(100, "weir_listener_responses_total", **{"class": "2xx"})
