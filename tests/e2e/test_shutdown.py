"""SIGTERM: no new work, what is in flight finishes, and there is an end to it."""
import contextlib
import ctypes
import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from process import DEADLINE_S, run, wait_until
from servers import Client, get
from weir import Weir, backend, config, listener, simple, tcp_listener


class Gate:
    """A server's script that answers when it is opened."""

    def __init__(self):
        self.asked = threading.Event()
        self.open = threading.Event()

    def __call__(self, connection, request):
        self.asked.set()
        assert self.open.wait(DEADLINE_S)
        connection.answer("finished")


def is_refused(address):
    try:
        Client(address).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        pass  # it came between the two
    return False


def test_exchanges_in_flight_finish(start, serve):
    gate = Gate()
    weir = start(simple(serve("s", gate)) | {"timeouts": {"shutdown": "1h"}})
    with Client(weir.address()) as client:
        client.request()
        assert gate.asked.wait(DEADLINE_S)
        weir.terminate()
        wait_until(lambda: is_refused(weir.address()), "new connections are refused")
        assert weir.process.is_running()
        gate.open.set()
        response = client.read_response()
        assert response.body == b"finished"
        assert response.field("connection").lower() == "close"
        assert client.is_closed_cleanly()
    weir.finish()
    assert weir.access_log()[0]["status"] == 200


def test_a_body_under_way_is_sent_to_its_end(start, serve):
    started, go_on = threading.Event(), threading.Event()

    def answer(connection, request):
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
        started.set()
        assert go_on.wait(DEADLINE_S)
        connection.send("again")
    weir = start(simple(serve("s", answer)) | {"timeouts": {"shutdown": "1h"}})
    with Client(weir.address()) as client:
        client.request()
        assert started.wait(DEADLINE_S)
        weir.terminate()
        wait_until(lambda: is_refused(weir.address()), "new connections are refused")
        go_on.set()
        assert client.read_response().body == b"firstagain"
    weir.finish()


def test_idle_connections_are_closed_at_once(start, server):
    weir = start(simple(server) | {"timeouts": {"shutdown": "1h"}})
    with Client(weir.address()) as client:
        assert client.get().status == 200
        weir.terminate()
        assert client.is_closed_cleanly()
    weir.finish()


@pytest.mark.parametrize("connection", ["new", "idle"])
def test_a_request_sent_before_the_stop_is_answered(start, server, connection):
    weir = start(simple(server) | {"timeouts": {"shutdown": "1h"}})
    with Client(weir.address()) as idle:
        assert idle.get().status == 200
        weir.process.send_signal(signal.SIGSTOP)  # so that it finds all of this at once
        with Client(weir.address()) as new:
            client = new if connection == "new" else idle
            client.request()
            weir.terminate()
            weir.process.send_signal(signal.SIGCONT)
            assert client.read_response().body == b"server"
    weir.finish()


def test_a_client_that_connected_before_the_stop_may_still_ask(start, server):
    weir = start(simple(server) | {"timeouts": {"shutdown": "1h"}})
    with Client(weir.address()) as client:
        weir.wait_for_metric(1, "weir_listener_connections_open")
        weir.terminate()
        wait_until(lambda: is_refused(weir.address()), "new connections are refused")
        response = client.get()
        assert response.body == b"server"
        assert response.field("connection").lower() == "close"
    weir.finish()


def test_ready_is_off_and_live_is_on_while_it_drains(start, serve):
    gate = Gate()
    weir = start(simple(serve("s", gate)) | {"timeouts": {"shutdown": "1h"}})
    with Client(weir.address()) as client:
        client.request()
        assert gate.asked.wait(DEADLINE_S)
        assert weir.admin("/health/ready")[0] == 200
        weir.terminate()
        wait_until(lambda: weir.admin("/health/ready")[0] == 503, "not ready any more")
        assert weir.admin("/health/live")[0] == 200
        gate.open.set()
        assert client.read_response().body == b"finished"
    weir.finish()


def test_what_is_left_is_cut_at_the_shutdown_timeout(start, script):
    def echo(connection):
        while data := connection.read_some():
            connection.send(data)
    weir = start(config(tcp_listener(), backends=[backend(script(echo))])
                 | {"timeouts": {"shutdown": "1500ms"}})
    with Client(weir.address()) as client:
        client.send("x")
        assert client.read(1) == b"x"
        begun = time.monotonic()
        weir.terminate()
        client.send("still works")
        assert client.read(11) == b"still works"
        with pytest.raises(ConnectionResetError):
            client.read_to_end()
        weir.finish()
        assert 1.4 < time.monotonic() - begun < 10
    record = weir.access_log()[0]
    assert (record["reason"], record["bytes_sent"]) == ("shutting_down", 12)


def test_a_request_cut_by_the_shutdown_timeout_is_logged(start, serve):
    gate = Gate()
    weir = start(simple(serve("s", gate)) | {"timeouts": {"shutdown": "300ms"}})
    with Client(weir.address()) as client:
        client.request()
        assert gate.asked.wait(DEADLINE_S)
        weir.terminate()
        weir.finish()
    gate.open.set()
    assert weir.access_log()[0]["reason"] == "shutting_down"


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(start, serve, first):
    gate = Gate()
    weir = start(simple(serve("s", gate)) | {"timeouts": {"shutdown": "1h"}})
    with Client(weir.address()) as client:
        client.request()
        assert gate.asked.wait(DEADLINE_S)
        weir.process.send_signal(first)
        wait_until(lambda: is_refused(weir.address()), "new connections are refused")
        weir.terminate()
        weir.finish()
    gate.open.set()


# <sys/ptrace.h>, <sys/wait.h>
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000


@contextlib.contextmanager
def hanging_worker(weir):
    """A worker's thread stands still, as in a call that does not return. Gives a function that says
    whether it has ended."""
    libc = ctypes.CDLL(None, use_errno=True)

    def ptrace(request):
        arguments = (ctypes.c_long(request), ctypes.c_long(thread), None, None)
        return libc.ptrace(*arguments) == 0
    (thread,) = [int(task.name) for task in Path(f"/proc/{weir.process.pid}/task").iterdir()
                 if (task / "comm").read_text(encoding="ascii") == "weir-worker-0\n"]
    assert ptrace(PTRACE_SEIZE) and ptrace(PTRACE_INTERRUPT), os.strerror(ctypes.get_errno())
    os.waitpid(thread, WALL)
    try:
        yield lambda: os.waitpid(thread, WALL | os.WNOHANG)[0] == thread
    finally:
        ptrace(PTRACE_DETACH)


def send_and_see_taken(weir, number):
    weir.process.send_signal(number)
    status = Path(f"/proc/{weir.process.pid}/status")
    wait_until(lambda: "\nShdPnd:\t0000000000000000\n" in status.read_text(encoding="ascii"),
               f"signal {number} is not pending")


@pytest.mark.parametrize("change", ["none", "signal", "api"])
def test_a_second_signal_ends_it_though_a_worker_hangs(tmp_path, server, change):
    weir = Weir(tmp_path / "weir", simple(server) | {"timeouts": {"shutdown": "1h"}})
    with contextlib.closing(socket.create_connection(weir.admin_address)) as caller:
        try:
            with hanging_worker(weir) as has_ended:
                if change == "signal":
                    send_and_see_taken(weir, signal.SIGHUP)
                if change == "api":
                    caller.sendall(b"POST /api/v1/reload HTTP/1.1\r\nHost: x\r\n\r\n")
                    weir.admin("/health/live")  # that has been seen before this
                send_and_see_taken(weir, signal.SIGTERM)
                weir.terminate()
                wait_until(has_ended, "the worker has ended")
            assert weir.process.wait() == 1
        finally:
            weir.process.kill()
    assert "error: not everything could be ended" in weir.process.stderr.whole_text()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stop_under_load_fails_no_request_that_was_accepted(start, nginx, workers):
    weir = start(simple(nginx()) | {"workers": workers, "timeouts": {"shutdown": "10s"}})
    failures, answers = [], []

    def ask_until_refused():
        while True:
            try:
                response = get(weir, "/name")
            except ConnectionRefusedError:
                return
            except OSError as error:
                failures.append(error)
                return
            answers.append(response.status)
    threads = [threading.Thread(target=ask_until_refused) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(answers) > 200, "requests flow")
    weir.terminate()
    for thread in threads:
        thread.join(DEADLINE_S)
    weir.finish()
    assert failures == []
    assert set(answers) == {200}


def test_nothing_of_the_log_is_lost_at_the_end(start, nginx):
    weir = start(simple(nginx()) | {"workers": 2})
    done = run(["ab", "-q", "-k", "-n", "5000", "-c", "20", weir.url("/name")])
    assert "Failed requests:        0" in done.stdout, done.stdout
    weir.stop()
    assert len(weir.access_log(5000)) == 5000


def test_the_port_is_free_again_at_once(start, server):
    # An address of its own: at 127.0.0.1 another test may get that port meanwhile.
    weir = start(simple(server, address="127.0.0.6:0"))
    with Client(weir.address()) as client:
        assert client.get().status == 200
        weir.stop()
    port = weir.address()[1]
    again = start(config(listener(address=f"127.0.0.6:{port}"), backends=[backend(server)]))
    assert again.address() == weir.address()
    assert get(again).status == 200
