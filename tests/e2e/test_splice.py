"""Long bodies and tunnels go through pipes of the kernel: unchanged, and bounded in number."""
import hashlib
import os
import threading

import pytest

from process import DEADLINE_S, run
from servers import Client
from weir import backend, config, listener, tcp_listener

MIB = 1 << 20


def digest(data):
    return hashlib.sha256(data).hexdigest()


def both(server, **top):
    """One server behind HTTP, and behind a tunnel."""
    return config(listener(), tcp_listener(backend="web"), backends=[backend(server)], **top)


def pipe_ends(weir):
    """Of those that the workers made: other programs hold the ends of standard streams."""
    folder = f"/proc/{weir.process.pid}/fd"
    return sum(is_pipe(f"{folder}/{name}") for name in os.listdir(folder) if int(name) > 2)


def is_pipe(link):
    try:
        return os.readlink(link).startswith("pipe:")
    except FileNotFoundError:
        return False  # a connection that has ended meanwhile


@pytest.fixture
def file_server(nginx):
    origin = nginx()
    (origin.root / "file").write_bytes(os.urandom(MIB) * 16)
    return origin


def download(weir, listener_name, path):
    done = run(["curl", "-sS", "-o", path, weir.url("/file", listener_name)])
    assert done.returncode == 0, done.stderr
    return digest(path.read_bytes())


@pytest.mark.parametrize("pipes", [None, 0, 1])
@pytest.mark.parametrize("name", ["web", "db"])
def test_a_long_body_arrives_unchanged_with_and_without_pipes(
        start, file_server, tmp_path, name, pipes):
    weir = start(both(file_server, **({} if pipes is None else {"worker_pipes": pipes})))
    expected = digest((file_server.root / "file").read_bytes())
    for _ in range(2):
        assert download(weir, name, tmp_path / "got") == expected
        weir.wait_for_metric(0, "weir_worker_pipes_in_use")
    # An empty pipe is kept for the next body.
    assert pipe_ends(weir) == (0 if pipes == 0 else 2)
    assert weir.metrics().value("weir_worker_pipes_exhausted_total") == 0


def test_a_long_upload_arrives_unchanged(start, serve):
    server = serve("s", lambda connection, request: connection.answer(digest(request.body)))
    weir = start(both(server))
    data = os.urandom(16 * MIB)
    with Client(weir.address("web")) as client:
        for method in ("POST", "PUT"):
            client.request(method, body=data)
            assert client.read_response().body.decode() == digest(data)
    assert weir.access_log()[0]["bytes_received"] == len(data)
    assert pipe_ends(weir) == 2


def test_who_finds_no_pipe_is_served_all_the_same_and_counted(
        start, serve, file_server, tmp_path):
    data = os.urandom(MIB) * 32
    blocked = threading.Event()

    def answer(connection, request):
        blocked.set()
        connection.answer(data)
    slow = serve("slow", answer)
    weir = start(config(
        listener(routes=[{"match": {"path": "/slow"}, "backend": "slow"}, {"backend": "web"}]),
        backends=[backend(file_server), backend(slow, name="slow")], worker_pipes=1))
    with Client(weir.address("web")) as client:
        client.request(target="/slow")
        assert blocked.wait(DEADLINE_S)
        weir.wait_for_metric(1, "weir_worker_pipes_in_use")
        expected = digest((file_server.root / "file").read_bytes())
        assert download(weir, "web", tmp_path / "got") == expected
        weir.wait_for_metric(1, "weir_worker_pipes_in_use")
        # Who had the pipe goes on with it.
        assert digest(client.read_response().body) == digest(data)
    weir.wait_for_metric(0, "weir_worker_pipes_in_use")
    assert weir.metrics().value("weir_worker_pipes_exhausted_total") > 0
    assert pipe_ends(weir) == 2
