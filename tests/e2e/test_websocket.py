"""WebSocket, with the usual client and server of npm on either side."""
from pathlib import Path

import pytest

from process import Process, run, wait_until
from weir import backend, config, listener

NPM = Path(__file__).parent / "npm"


class WebSocketServer:
    def __init__(self):
        assert (NPM / "node_modules/ws").is_dir(), f"run `npm ci` in {NPM} (scripts/install-deps)"
        self.process = Process(["node", NPM / "websocket_server.js"])
        port = self.process.stdout.wait_for(r"^port (\d+)$")[1]
        self.address = f"127.0.0.1:{port}"

    def closes(self):
        """What its clients said when they closed, in any order."""
        return [match[1] for match in self.process.stdout.find_all("^closed (.*)$")]

    def close(self):
        self.process.kill()


@pytest.fixture
def servers(ends):
    return [ends(WebSocketServer()) for _ in range(2)]


@pytest.fixture
def weir(start, servers):
    return start(config(listener(), backends=[backend(*servers)], workers=2))


def play(weir, scenario):
    host, port = weir.address()
    done = run(["node", NPM / "websocket_client.js", f"ws://{host}:{port}", scenario])
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("scenario", [
    "text and binary", "fragments", "ping and pong", "fifty at once", "permessage-deflate"])
def test_messages_pass_untouched(weir, scenario):
    play(weir, scenario)
    weir.wait_for_metric(0, "weir_server_leases")
    weir.wait_for_metric(0, "weir_listener_connections_open")
    weir.wait_for_metric(0, "weir_errors_total")
    assert {record["status"] for record in weir.access_log()} == {101}


def test_close_codes_pass_from_the_client(weir, servers):
    play(weir, "close of the client")
    wait_until(lambda: sorted(servers[0].closes() + servers[1].closes())
               == ["1000 ", "1001 going", "4999 as agreed"], "the servers see the codes")
    weir.wait_for_metric(0, "weir_server_leases")


def test_close_codes_pass_from_the_server(weir):
    play(weir, "close of the server")
    weir.wait_for_metric(0, "weir_server_leases")
