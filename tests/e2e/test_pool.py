"""How many requests a connection to a server carries."""
from servers import Client, get
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


def test_a_server_without_a_port_has_connections_of_its_own_for_each(start, serve):
    """The listeners' ports are the server's: what came through one is never sent to the other."""
    first, second = (serve(name, host="127.0.0.4") for name in ("first", "second"))
    weir = start(config(listener("a", address=f"127.0.0.6:{first.port}"),
                        listener("b", address=f"127.0.0.6:{second.port}"),
                        backends=[backend("127.0.0.4")]))
    for _ in range(3):
        assert get(weir, name="a").body == b"first"
        assert get(weir, name="b").body == b"second"
    assert len(first.connections) == len(second.connections) == 1
