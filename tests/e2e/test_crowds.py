"""Many clients that want nothing, or take their time, cost the others nothing."""
import re
import resource
import socket
from collections import Counter

import pytest

from process import DEADLINE_S, run
from servers import get
from weir import simple

SLOW = 300
REQUESTS = 2_000
# Weir keeps a descriptor for a connection to a server beside each of a client, and its two workers
# need not have the same number of clients.
DESCRIPTORS = min(30_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
IDLE = min(10_000, DESCRIPTORS * 9 // 20)


@pytest.fixture(autouse=True)
def descriptors():
    """This process may open as many as it is allowed."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


class Crowd:
    """Connections from many addresses: one alone has too few ports for what a machine may take."""

    def __init__(self, address, count):
        self.sockets = []
        for number in range(count):
            connecting = socket.socket()
            self.sockets.append(connecting)
            connecting.settimeout(DEADLINE_S)
            connecting.bind((f"127.0.1.{number % 20 + 1}", 0))
            connecting.connect(address)

    def send(self, data):
        for connected in self.sockets:
            connected.sendall(data)

    def first_lines(self):
        """How often each first line comes of what there is to read."""
        return Counter(connected.recv(4096).split(b"\r\n")[0] for connected in self.sockets)

    def ask(self):
        """One after the other; how often each first line comes."""
        lines = Counter()
        for connected in self.sockets:
            connected.sendall(b"GET /name HTTP/1.1\r\nHost: x\r\n\r\n")
            lines[connected.recv(4096).split(b"\r\n")[0]] += 1
        return lines

    def close(self):
        for connected in self.sockets:
            connected.close()


def assert_serves(weir):
    """A bounded load, all of which is answered."""
    done = run(["ab", "-q", "-k", "-n", REQUESTS, "-c", 20, weir.url("/name")])
    assert re.search(rf"Complete requests: +{REQUESTS}\n", done.stdout), done.stdout + done.stderr
    assert re.search(r"Failed requests: +0\n", done.stdout), done.stdout
    assert "Non-2xx" not in done.stdout, done.stdout
    return float(re.search(r"Requests per second: +([0-9.]+)", done.stdout)[1])


@pytest.fixture
def crowd(ends):
    return lambda weir, count: ends(Crowd(weir.address(), count))


def start_with(start, origin, **timeouts):
    return start(simple(origin, access_log={"format": "off"}, timeouts=timeouts) | {"workers": 2},
                 files=DESCRIPTORS)


def test_thousands_of_idle_clients_are_kept_and_others_served(start, nginx, crowd, capsys):
    weir = start_with(start, nginx(), client_head="1h", keep_alive="1h")
    rate_alone = assert_serves(weir)
    before = weir.resident_bytes()
    silent = crowd(weir, IDLE // 2)  # never asked
    asked = crowd(weir, IDLE // 2)  # once
    assert asked.ask() == {b"HTTP/1.1 200 OK": IDLE // 2}
    weir.wait_for_metric(IDLE, "weir_listener_connections_open")
    bytes_each = (weir.resident_bytes() - before) / IDLE
    rate = assert_serves(weir)
    with capsys.disabled():
        print(f"\n{IDLE} idle clients (10000 unless the limit of open files, {DESCRIPTORS}, is too "
              f"low): {bytes_each:.0f} bytes each; {rate:.0f} requests a second beside them, "
              f"{rate_alone:.0f} without")
    assert bytes_each < 16 * 1024
    # They are still there, and served when they ask.
    assert silent.ask() == {b"HTTP/1.1 200 OK": IDLE // 2}
    weir.wait_for_metric(0, "weir_errors_total")


def test_slow_heads_keep_nobody_waiting_and_are_answered_when_whole(start, nginx, crowd):
    weir = start_with(start, nginx(), client_head="1h")
    slow = crowd(weir, SLOW)
    for piece in (b"GET /na", b"me HTTP/1.1\r\nHo", b"st: x\r\nX-Slow: "):
        slow.send(piece)
        assert_serves(weir)
    slow.send(b"1\r\n\r\n")
    assert slow.first_lines() == {b"HTTP/1.1 200 OK": SLOW}
    weir.wait_for_metric(0, "weir_errors_total")


def test_heads_that_never_end_are_ended_by_their_time(start, nginx, crowd):
    weir = start_with(start, nginx(), client_head="4s")  # by then all of them are there
    slow = crowd(weir, SLOW)
    slow.send(b"GET /name HTTP/1.1\r\nX-Slow: ")
    assert_serves(weir)
    assert slow.first_lines() == {b"HTTP/1.1 408 Request Timeout": SLOW}
    assert get(weir, "/name").status == 200
    weir.wait_for_metric(SLOW, "weir_errors_total", side="client", reason="client_head_timeout")
