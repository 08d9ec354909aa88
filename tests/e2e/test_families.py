"""IPv4, IPv6 and unix sockets, on the side of clients and of servers, in every combination."""
import pytest

from servers import Client
from weir import backend, config, listener, tcp_listener

FAMILIES = ("ipv4", "ipv6", "unix")
clients = pytest.mark.parametrize("client_family", FAMILIES)
servers = pytest.mark.parametrize("server_family", FAMILIES)


def host_of(family, folder):
    """Where a server of it listens."""
    return {"ipv4": "127.0.0.1", "ipv6": "::1", "unix": str(folder / "server.sock")}[family]


def address_of(family, folder):
    """What a listener of it is given."""
    return {"ipv4": "127.0.0.1:0", "ipv6": "[::1]:0", "unix": f"unix:{folder}/weir.sock"}[family]


def place_of(weir, name, family, folder):
    """What Client takes."""
    if family == "unix":
        return f"{folder}/weir.sock"
    host, port = weir.address(name)
    return host.strip("[]"), port


CLIENT = {"ipv4": "127.0.0.1", "ipv6": "::1", "unix": "unix"}


@clients
@servers
def test_http(start, serve, tmp_path, client_family, server_family):
    def echo(connection, request):
        connection.answer(request.body)
    server = serve(answer=echo, host=host_of(server_family, tmp_path))
    weir = start(config(listener(address=address_of(client_family, tmp_path)),
                        backends=[backend(server)]))
    body = b"x" * 300_000
    with Client(place_of(weir, "web", client_family, tmp_path)) as client:
        for _ in range(3):
            client.request("POST", body=body)
            assert client.read_response().body == body
    assert len(server.connections) == 1  # it is reused
    for record in weir.access_log(3):
        assert record["client_address"] == CLIENT[client_family]
    forwarded = server.requests[0].field("x-forwarded-for")
    assert forwarded == (None if client_family == "unix" else CLIENT[client_family])


@clients
@servers
def test_tunnels(start, script, tmp_path, client_family, server_family):
    def echo(connection):
        connection.send(connection.read_to_end())
    server = script(echo, host=host_of(server_family, tmp_path))
    weir = start(config(tcp_listener(address=address_of(client_family, tmp_path)),
                        backends=[backend(server)]))
    data = b"x" * 300_000
    with Client(place_of(weir, "db", client_family, tmp_path)) as client:
        client.send(data)
        client.end_writing()
        assert client.read_to_end() == data
    (record,) = weir.access_log()
    assert record["client_address"] == CLIENT[client_family]
    assert (record["bytes_received"], record["bytes_sent"]) == (len(data), len(data))
