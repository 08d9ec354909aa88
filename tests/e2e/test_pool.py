"""How many requests a connection to a server carries."""
from servers import Client
from weir import backend, config, listener


def ask(weir, count):
    with Client(weir.address()) as client:
        for _ in range(count):
            assert client.get().body == b"server"


def test_a_connection_carries_requests_max_and_no_more(start, server):
    weir = start(config(listener(), backends=[backend(server, pool={"requests_max": 4})]))
    ask(weir, 20)
    assert len(server.connections) == 5
    weir.wait_for_metric(5, "weir_server_connects_total", server="s1")
    weir.wait_for_metric(15, "weir_server_reuses_total", server="s1")


def test_a_connection_for_each_request(start, server):
    weir = start(config(listener(), backends=[backend(server, pool={"requests_max": 1})]))
    ask(weir, 5)
    assert len(server.connections) == 5


def test_without_requests_max_there_is_one_handshake_for_any_number_of_requests(start, server):
    weir = start(config(listener(), backends=[backend(server)]))
    ask(weir, 100)
    assert len(server.connections) == 1


def test_requests_max_changes_with_a_reload(start, server):
    weir = start(config(listener(), backends=[backend(server)]))
    ask(weir, 3)
    weir.reload(config(listener(), backends=[backend(server, pool={"requests_max": 2})]))
    before = len(server.connections)
    ask(weir, 20)
    assert len(server.connections) - before in (9, 10)  # the one that was there may carry its last
