"""buffer_request and buffer_response: slow clients hold no server, and bodies stay whole on their way through
memory and disk."""
import hashlib
import os
import threading

import pytest

from process import Process, run, wait_until
from servers import Client
from weir import BINARY, backend, config, listener

MIB = 1 << 20
SMALL = {"memory": "4KiB", "disk": "256MiB", "folder": "/tmp"}
BUFFERED = [{"buffer_request": SMALL}, {"buffer_response": SMALL}]


def digest(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def buffered(start):
    """One request at a time for the server."""
    def begin(server):
        one = {"name": "s", "address": server.address, "maxconn": 1}
        return start(config(listener(filters=BUFFERED), backends=[{"name": "web", "servers": [one]}],
                            timeouts={"shutdown": "15s"}))
    return begin


# curl sends no last chunk of an empty file.
@pytest.mark.parametrize("size,is_chunked", [
    (0, False), *((size, is_chunked) for size in [1, 4096, 4097, 300_000, 40 * MIB]
                  for is_chunked in [False, True])])
def test_uploads_and_downloads_arrive_whole(buffered, nginx, tmp_path, size, is_chunked):
    server = nginx()
    weir = buffered(server)
    sent = tmp_path / "sent"
    sent.write_bytes(os.urandom(size))
    framing = ["-H", "Transfer-Encoding: chunked"] if is_chunked else []
    done = run(["curl", "-sS", "-w", "%{http_code}", *framing, "-T", sent, weir.url("/put/file")])
    assert done.stdout.endswith("201"), done.stdout
    assert (server.root / "put" / "file").read_bytes() == sent.read_bytes()
    got = tmp_path / "got"
    run(["curl", "-sS", "-o", got, weir.url("/put/file")])
    assert digest(got.read_bytes()) == digest(sent.read_bytes())
    weir.wait_for_metric(0, "weir_worker_body_file_bytes")


def wait_until_stored(weir):
    """A response of 20 MiB, of which a client takes little."""
    wait_until(lambda: weir.metrics().value("weir_worker_body_file_bytes") > 10 * MIB, "most of it")
    weir.wait_for_metric(0, "weir_server_leases")


def test_a_slow_download_holds_no_server(buffered, nginx):
    server = nginx()
    weir = buffered(server)
    (server.root / "large").write_bytes(os.urandom(20 * MIB))
    with Client(weir.address(), receive_buffer=4096) as slow:
        slow.request("GET", "/large")
        # All of it is here, and the only lease is free for others.
        wait_until_stored(weir)
        for _ in range(20):
            with Client(weir.address()) as other:
                assert other.get("/name").status == 200
        assert weir.metrics().value("weir_worker_body_file_bytes") > 10 * MIB
        response = slow.read_response()
        assert digest(response.body) == digest((server.root / "large").read_bytes())
    weir.wait_for_metric(0, "weir_worker_body_file_bytes")


def test_a_slow_upload_holds_no_server(buffered, nginx):
    server = nginx()
    weir = buffered(server)
    with Client(weir.address()) as slow:
        slow.request("PUT", "/put/slow", fields=[("Content-Length", "10")])
        slow.send(b"01234")
        for _ in range(20):
            with Client(weir.address()) as other:
                assert other.get("/name").status == 200
        weir.wait_for_metric(0, "weir_server_leases")
        slow.send(b"56789")
        assert slow.read_response().status == 201
    assert (server.root / "put" / "slow").read_bytes() == b"0123456789"


def test_a_route_has_its_time_for_slow_uploads_as_well(start, server):
    weir = start(config(
        listener(routes=[{"timeouts": {"request": "500ms"}, "filters": BUFFERED, "backend": "web"}]),
        backends=[backend(server)]))
    with Client(weir.address()) as client:
        client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234")
        assert client.read_response().status == 504
    record = weir.access_log()[0]
    assert (record["reason"], record["attempts"]) == ("request_timeout", 0)
    assert record["bytes_received"] == 5
    assert not server.requests


def test_a_large_upload_survives_its_server(start, serve):
    """PUT may be repeated; without the filter 10 MiB could not be."""
    first = serve("first", lambda connection, request: connection.reset())
    second = serve("second", lambda connection, request: connection.answer(digest(request.body)))
    weir = start(config(listener(filters=BUFFERED), backends=[backend(first, second)]))
    data = os.urandom(10 * MIB)
    with Client(weir.address()) as client:
        client.request("PUT", body=data)
        response = client.read_response()
    assert (response.status, response.body.decode()) == (200, digest(data))
    assert len(first.requests) == 1
    assert weir.access_log()[0]["attempts"] == 2


def test_events_arrive_one_by_one(start, serve):
    go_on = threading.Event()

    def two_events(connection, _request):
        connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                        "Transfer-Encoding: chunked\r\n\r\n", "d\r\ndata: first\n\n\r\n")
        assert go_on.wait(20), "the first event did not arrive"
        connection.send("e\r\ndata: second\n\n\r\n0\r\n\r\n")

    weir = start(config(listener(filters=BUFFERED), backends=[backend(serve("events", two_events))]))
    curl = Process(["curl", "-sSN", weir.url("/")])
    try:
        curl.stdout.wait_for("data: first")
        go_on.set()
        curl.stdout.wait_for("data: second")
        assert curl.wait() == 0
    finally:
        curl.kill()


def test_a_stopping_weir_finishes_what_it_stores(buffered, nginx):
    server = nginx()
    weir = buffered(server)
    (server.root / "large").write_bytes(b"x" * 20 * MIB)
    with Client(weir.address(), receive_buffer=4096) as slow:
        slow.request("GET", "/large")
        wait_until_stored(weir)
        weir.terminate()
        assert len(slow.read_response().body) == 20 * MIB
    weir.finish()


def test_a_folder_that_takes_no_files_is_an_error_with_its_place(tmp_path):
    (tmp_path / "weir.yaml").write_text("""\
listeners:
  - name: web
    address: 127.0.0.1:0
    filters:
      - buffer_response: { folder: /nowhere }
    backend: web
backends:
  - name: web
    servers: [ { name: s, address: 127.0.0.1:1 } ]
""", encoding="utf-8")
    done = run([BINARY, "check", "-c", "weir.yaml"], cwd=tmp_path)
    assert done.returncode == 1
    assert ("weir.yaml:5:36: error: no file can be made in folder '/nowhere': No such file or directory"
            in done.stdout + done.stderr), done.stdout + done.stderr
