"""What a connection takes that waits for its next request: no buffer, no arena, little else."""
import socket

import pytest
from weir import REACTOR, config, backend, listener

# Connections come in chunks of a slab, and so do sockets.
CHUNK = 32
CONNECTIONS = 20 * CHUNK
# What it is, to the byte; a chunk of sockets more may be begun for connections to servers.
BYTES_MAX = {"epoll": 668, "io_uring": 716}[REACTOR]


@pytest.fixture
def connect(request):
    """Connections that have each had an answer."""
    def connect_to(weir, count):
        for _ in range(count):
            client = socket.create_connection(weir.address(), timeout=10)
            request.addfinalizer(client.close)
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            while not client.recv(4096).endswith(b"here"):
                pass
    return connect_to


def test_an_idle_connection_is_small(start_counted, server, connect):
    weir = start_counted(config(
        listener(filters=[{"respond": {"body": "here"}}]), backends=[backend(server)]))
    connect(weir, CHUNK)
    before = weir.bytes_held()
    connect(weir, CONNECTIONS)
    each = (weir.bytes_held() - before) / CONNECTIONS
    print(f"{each:.1f} bytes for an idle connection")
    assert 0 < each <= BYTES_MAX
