"""Servers out of traffic and back while Weir runs: nothing new, and what is active finishes."""
import threading

import pytest

from gate import Gate
from process import DEADLINE_S, wait_until
from servers import Client, get
from weir import backend, config, listener, simple, tcp_listener


@pytest.fixture
def gate(ends):
    return ends(Gate())


@pytest.fixture
def echo(script):
    def run(connection):
        while data := connection.read_some():
            connection.send(data)
    return script(run)


def change(weir, server, **what):
    status, answer = weir.api("PATCH", f"/servers/web/{server}", what)
    assert status == 200, answer
    return answer


def state(weir, server):
    _, answer = weir.api("GET", f"/servers/web/{server}")
    return answer["state"], answer["reason"]


def answers(weir, count=10):
    return {get(weir).body for _ in range(count)}


def assert_echoes(client):
    client.send("x")
    assert client.read(1) == b"x"


# ---- Nothing new, active finish

@pytest.mark.parametrize("to, reasons", [
    ("draining", ("draining", "drained")), ("disabled", ("disabled", "disabled"))])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_out_of_traffic_gets_nothing_new_and_finishes(
        start, serve, gate, workers, to, reasons):
    weir = start(config(listener(), backends=[backend(serve("s1", gate), serve("s2"))],
                        workers=workers))
    active = [Client(weir.address()) for _ in range(8)]
    for client in active:
        client.request()
    weir.wait_for_metric(8, "weir_server_attempts_total")
    change(weir, "s1", state=to)
    seen = int(weir.metrics().value("weir_server_leases", server="s1"))
    assert seen > 0
    gate.wait_for(seen)
    assert answers(weir) == {b"s2"}
    assert len(gate.targets) == seen
    assert state(weir, "s1") == (to, reasons[0])
    gate.let(seen)
    for client in active:
        assert client.read_response().status == 200
        client.close()
    wait_until(lambda: state(weir, "s1") == (to, reasons[1]), "nothing is left on it")
    change(weir, "s1", state="ready")
    gate.let(100)
    assert b"/" in answers(weir)


def test_weight_0_sends_nothing_new_and_raising_it_brings_it_back(start, serve):
    weir = start(simple(serve("s1"), serve("s2")))
    with Client(weir.address()) as client:
        assert {client.get().body for _ in range(4)} == {b"s1", b"s2"}
        assert change(weir, "s1", weight=0)["reason"] == "weight 0"
        assert {client.get().body for _ in range(20)} == {b"s2"}
        change(weir, "s1", weight=3)
        bodies = [client.get().body for _ in range(40)]
    assert (bodies.count(b"s1"), bodies.count(b"s2")) == (30, 10)


def test_a_tunnel_of_a_disabled_server_goes_on(start, echo):
    weir = start(config(tcp_listener(), backends=[backend(echo)]))
    with Client(weir.address()) as client:
        assert_echoes(client)
        change(weir, "s1", state="disabled")
        assert_echoes(client)
        client.end_writing()
        assert client.is_closed_cleanly()


def test_without_any_server_left_a_request_is_a_503(start, server):
    weir = start(simple(server))
    change(weir, "s1", state="disabled")
    response = get(weir)
    assert response.status == 503
    assert b"reason: no_server" in response.body
    change(weir, "s1", state="ready")
    assert get(weir).status == 200


def test_backups_serve_while_the_primary_is_drained(start, serve):
    web = backend(serve("primary"), serve("spare"))
    web["servers"][1]["backup"] = True
    weir = start(config(listener(), backends=[web]))
    assert answers(weir) == {b"primary"}
    change(weir, "s1", state="draining")
    assert answers(weir) == {b"spare"}
    change(weir, "s1", state="ready")
    assert answers(weir) == {b"primary"}


# ---- The deadline

def test_what_is_left_at_the_drain_deadline_is_cut(start, echo):
    weir = start(config(tcp_listener(), backends=[backend(echo, drain_deadline="1s")]))
    with Client(weir.address()) as client:
        assert_echoes(client)
        change(weir, "s1", state="draining")
        assert_echoes(client)
        with pytest.raises(ConnectionResetError):
            client.read_to_end()
    record = weir.access_log()[0]
    assert (record["reason"], record["server"]) == ("server_drained", "web/s1")
    assert record["request_time"] > 0.9
    weir.wait_for_metric(1, "weir_errors_total", reason="server_drained")
    wait_until(lambda: state(weir, "s1") == ("draining", "drained"), "nothing is left on it")


def test_a_request_without_an_answer_at_the_deadline_gets_a_503(start, serve, gate):
    weir = start(config(listener(), backends=[
        backend(serve("s1", gate), drain_deadline="300ms")]))
    with Client(weir.address()) as client:
        client.request()
        gate.wait_for(1)
        change(weir, "s1", state="draining")
        assert client.read_response().status == 503
    record = weir.access_log()[0]
    assert (record["status"], record["reason"]) == (503, "server_drained")


def test_at_the_deadline_another_server_answers_what_may_be_sent_again(start, serve, gate):
    weir = start(config(listener(), backends=[
        backend(serve("s1", gate), serve("s2"), drain_deadline="300ms")]))
    with Client(weir.address()) as client, Client(weir.address()) as poster:
        client.request()
        gate.wait_for(1)
        assert get(weir).body == b"s2"
        poster.request("POST", body=b"x")
        gate.wait_for(2)
        change(weir, "s1", state="draining")
        assert client.read_response().body == b"s2"
        assert poster.read_response().status == 503


def test_who_is_ready_again_or_disabled_is_not_cut(start, echo):
    """The third server's tunnel is the clock: it is cut later than the others would have been."""
    weir = start(config(tcp_listener(), backends=[backend(*[echo.address] * 3,
                                                          drain_deadline="1500ms")]))
    clients = [Client(weir.address()) for _ in range(3)]
    for client in clients:
        assert_echoes(client)
    change(weir, "s1", state="draining")
    change(weir, "s2", state="draining")
    change(weir, "s1", state="ready")
    change(weir, "s2", state="disabled")
    change(weir, "s3", state="draining")
    cut = [client for client in clients if is_cut(client)]
    assert len(cut) == 1
    for client in clients:
        if client not in cut:
            assert_echoes(client)
        client.close()
    assert weir.access_log()[0]["server"] == "web/s3"


def is_cut(client):
    client.socket.settimeout(1)
    try:
        return client.socket.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        client.socket.settimeout(DEADLINE_S)
        return False


def test_what_a_removed_server_has_under_way_finishes_or_is_cut_at_the_deadline(
        start, echo, serve, gate):
    def configuration(*servers, deadline):
        return config(listener(), tcp_listener(backend="web"),
                      backends=[backend(*servers, drain_deadline=deadline)])
    going = serve("going", gate)
    weir = start(configuration(going, deadline="1h"))
    with Client(weir.address("web")) as client:
        client.request()
        gate.wait_for(1)
        weir.reload(configuration(serve("new"), deadline="1h"))
        assert get(weir, name="web").body == b"new"
        gate.let()
        assert client.read_response().status == 200
    weir.reload(configuration(echo, deadline="300ms"))
    with Client(weir.address("db")) as client:
        assert_echoes(client)
        weir.reload(configuration(serve("newer"), deadline="300ms"))
        with pytest.raises(ConnectionResetError):
            client.read_to_end()
    wait_until(lambda: weir.access_log(3)[-1]["reason"] == "server_drained", "it is in the log")


# ---- Under load

class Load:
    """Threads that ask until they are told to stop, each on a connection of its own."""

    def __init__(self, weir, threads=4):
        self.answers, self.failures = [], []
        self._weir = weir
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def _run(self):
        try:
            with Client(self._weir.address()) as client:
                while not self._is_over.is_set():
                    client.request("POST", body=b"not to be repeated")
                    response = client.read_response()
                    self.answers.append((response.status, response.body))
        except OSError as error:
            self.failures.append(error)

    def wait_for(self, count):
        enough = len(self.answers) + count
        wait_until(lambda: len(self.answers) >= enough, f"{count} further answers")

    def close(self):
        self._is_over.set()
        for thread in self._threads:
            thread.join(DEADLINE_S)


def test_servers_come_and_go_under_load_and_no_request_fails(start, serve, ends):
    weir = start(simple(serve("s1"), serve("s2")) | {"workers": 2})
    load = ends(Load(weir))
    load.wait_for(100)
    added = {"name": "s3", "address": serve("s3").address}
    for _ in range(5):
        assert weir.api("POST", "/backends/web/servers", added)[0] == 201
        load.wait_for(50)
        change(weir, "s3", state="draining")
        load.wait_for(20)
        assert weir.api("DELETE", "/servers/web/s3")[0] == 200
        change(weir, "s1", state="disabled")
        load.wait_for(50)
        change(weir, "s1", state="ready", weight=0)
        load.wait_for(20)
        change(weir, "s1", weight=1)
    load.close()
    assert load.failures == []
    assert {status for status, _ in load.answers} == {200}
    assert {body for _, body in load.answers} == {b"s1", b"s2", b"s3"}


def test_a_rolling_update_loses_no_request(start, serve, ends):
    servers = [serve("old") for _ in range(3)]
    weir = start(simple(*servers) | {"workers": 2})
    load = ends(Load(weir))
    load.wait_for(100)
    for number, old in enumerate(servers, start=1):
        change(weir, f"s{number}", state="draining")
        wait_until(lambda: state(weir, f"s{number}")[1] == "drained", "nothing is left on it")
        old.close()
        serve("new", host=old.host, port=old.port)
        change(weir, f"s{number}", state="ready")
        load.wait_for(100)
    load.close()
    assert load.failures == []
    assert {status for status, _ in load.answers} == {200}
    assert load.answers[-1][1] == b"new"
    assert answers(weir) == {b"new"}
