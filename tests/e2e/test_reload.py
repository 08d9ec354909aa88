"""A reload comes into force wholly or not at all, and what stays the same is kept."""
import json
import signal
import socket

import pytest

from process import free_port, wait_until
from servers import Client, PeerConnection, get
from weir import backend, config, listener, simple, tcp_listener, write_config


def by_signal(weir, configuration):
    before = weir.metrics().value("weir_reloads_total")
    write_config(weir.folder, configuration)
    weir.process.send_signal(signal.SIGHUP)
    weir.wait_for_metric(before + 1, "weir_reloads_total")


def by_api(weir, configuration):
    weir.reload(configuration)


def refused(weir, configuration):
    """(reason, message) of a reload that the API refuses."""
    write_config(weir.folder, configuration)
    status, answer = weir.api("POST", "/reload")
    assert status == 422, answer
    return answer["error"]["reason"], answer["error"]["message"]


def listeners(weir):
    """(host, port) by name, of those in force."""
    _, answer = weir.api("GET", "/listeners")
    parts = {one["name"]: one["addresses"][0].rpartition(":") for one in answer["listeners"]}
    return {name: (host, int(port)) for name, (host, _, port) in parts.items()}


def weights(weir):
    _, answer = weir.api("GET", "/servers")
    return {server["name"]: server["weight"] for server in answer["servers"]}


# ---- What may change

@pytest.mark.parametrize("change", [by_signal, by_api])
def test_routes_backends_and_listeners_come_and_go(start, serve, change):
    first, second = serve("first"), serve("second")
    web, other = backend(first), backend(second, name="other")
    weir = start(simple(first))
    with Client(weir.address()) as client:
        assert client.get("/other").body == b"first"
        routes = [{"match": {"path": "/other"}, "backend": "other"}, {"backend": "web"}]
        change(weir, config(listener(routes=routes), listener("more", backend="other"),
                            backends=[web, other]))
        assert client.get("/other").body == b"second"  # on the connection that was there
        assert client.get("/").body == b"first"
        more = listeners(weir)["more"]
        with Client(more) as another:
            assert another.get().body == b"second"
        change(weir, simple(first))
        assert client.get("/other").body == b"first"
        wait_until(lambda: is_refused(more), "the listener is closed")


def is_refused(address):
    try:
        Client(address).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        pass  # it came between the two
    return False


def test_a_file_that_is_replaced_is_noticed(start, tmp_path, server, serve):
    """As editors save: a new file takes the place of the old one."""
    folder = tmp_path / "weir1"
    folder.mkdir()
    path = write_config(folder, simple(server))
    weir = start(arguments=["-c", path, "--watch"])
    saved = write_config(tmp_path, simple(serve("other")))
    saved.rename(path)
    weir.process.stderr.wait_for("^reloaded: ")
    assert get(weir).body == b"other"


def test_a_bad_file_that_is_noticed_changes_nothing_until_it_is_good(
        start, tmp_path, server, serve):
    folder = tmp_path / "weir1"
    folder.mkdir()
    path = write_config(folder, simple(server))
    weir = start(arguments=["-c", path, "--watch"])
    write_config(tmp_path, "listeners: [").rename(path)
    weir.process.stderr.wait_for("^reload refused, nothing has changed: ")
    assert get(weir).body == b"server"
    write_config(tmp_path, simple(serve("other"))).rename(path)
    weir.process.stderr.wait_for("^reloaded: ")
    assert get(weir).body == b"other"


def test_without_watch_nobody_looks_at_the_file(start, server, serve):
    weir = start(simple(server))
    write_config(weir.folder, simple(serve("other")))
    for _ in range(20):
        assert get(weir).body == b"server"
    assert weir.metrics().value("weir_reloads_total") == 0


def test_the_report_says_what_is_different(start, server):
    weir = start(config(listener(), backends=[backend(server, weights=[5])]))
    report = weir.reload(config(listener(), backends=[backend(server, weights=[3])]))
    assert report == {"changes": ["backends[web].servers[s1].weight: 5 -> 3"], "warnings": []}
    assert weir.reload(config(listener(), backends=[backend(server, weights=[3])])) == {
        "changes": [], "warnings": []}
    assert weir.metrics().value("weir_reloads_total") == 2


def test_what_only_a_new_process_can_have_is_a_warning(start, server):
    weir = start(simple(server))
    for _ in range(2):  # it is as true the second time
        report = weir.reload(simple(server) | {"workers": 3})
        assert report["changes"] == []
        (warning,) = report["warnings"]
        assert warning.startswith("workers: ") and "next start" in warning
    assert weir.metrics().value("weir_workers") == 1
    assert weir.reload(simple(server))["warnings"] == []


# ---- What is kept

def test_a_server_that_stays_keeps_its_connections_and_counters(start, server, serve):
    weir = start(simple(server))
    with Client(weir.address()) as client:
        assert client.get().body == b"server"
        for weight in (2, 3, 4):
            weir.reload(config(listener(), backends=[backend(server, weights=[weight],
                                                             timeouts={"connect": f"{weight}s"})]))
            assert client.get().body == b"server"
    assert len(server.connections) == 1  # so it is the same one, with the same port
    weir.wait_for_metric(4, "weir_server_attempts_total", server="s1")
    weir.wait_for_metric(4, "weir_backend_requests_total", backend="web")
    weir.wait_for_metric(4, "weir_listener_requests_total", listener="web")


def test_a_server_with_another_address_gets_connections_of_its_own(start, serve):
    old, new = serve("old"), serve("new")
    weir = start(simple(old))
    with Client(weir.address()) as client:
        assert client.get().body == b"old"
        weir.reload(simple(new))
        assert client.get().body == b"new"
    wait_until(lambda: old.connections[0].ended.is_set(), "its connection is closed")


def test_a_request_under_way_finishes_though_its_route_and_server_are_gone(start, script, serve):
    asked = []

    def answer_when_asked_again(connection):
        asked.append(connection.read_request())
        wait_until(lambda: len(asked) == 2, "the test goes on")
        connection.answer("finished")
    weir = start(simple(script(answer_when_asked_again)))
    with Client(weir.address()) as client:
        client.request()
        wait_until(lambda: asked, "the request has come")
        weir.reload(simple(serve("new")))
        assert get(weir).body == b"new"
        asked.append(None)
        assert client.read_response().body == b"finished"
        assert client.get().body == b"new"
    assert weir.metrics().value("weir_snapshots_live") == 1


def test_a_tunnel_outlives_what_it_came_through(start, script, server):
    def echo(connection):
        while data := connection.read_some():
            connection.send(data)
    web = backend(server)
    weir = start(config(listener(), tcp_listener(backend="echo"),
                        backends=[web, backend(script(echo), name="echo")]))
    with Client(weir.address("db")) as client:
        for number in range(5):
            client.send(f"{number}")
            assert client.read(1) == b"%d" % number
            weir.reload(config(listener(), backends=[web]))
        assert weir.metrics().value("weir_snapshots_live") == 1
        client.end_writing()
        assert client.is_closed_cleanly()


def test_weights_set_at_run_time_survive_until_the_file_has_another(start, serve):
    servers = [serve("A"), serve("B")]

    def configuration(first):
        return config(listener(), backends=[backend(*servers, weights=[first, 1])])
    weir = start(configuration(5))
    status, _ = weir.api("PATCH", "/servers/web/s1", {"weight": 0})
    assert status == 200
    report = weir.reload(configuration(5))
    assert report["warnings"] == ["server web/s1 keeps the weight 0 that was set at run time"]
    assert weights(weir) == {"s1": 0, "s2": 1}
    assert {get(weir).body for _ in range(10)} == {b"B"}
    weir.reload(configuration(3))
    assert weights(weir) == {"s1": 3, "s2": 1}
    assert {get(weir).body for _ in range(10)} == {b"A", b"B"}


def count_of(weir, name, requests=40):
    return [get(weir).body for _ in range(requests)].count(name)


def test_a_slow_start_goes_on(start, serve):
    servers = [serve("A"), serve("B")]

    def configuration(connect):
        return config(listener(), backends=[
            backend(*servers, slow_start={"time": "1h"}, timeouts={"connect": connect})])
    weir = start(configuration("2s"))
    for state in ("disabled", "ready"):
        assert weir.api("PATCH", "/servers/web/s1", {"state": state})[0] == 200
    assert count_of(weir, b"A") <= 1
    weir.reload(configuration("3s"))
    assert count_of(weir, b"A") <= 1


def test_a_server_that_has_started_does_not_start_again(start, serve):
    servers = [serve("A"), serve("B")]

    def configuration(keep_alive, *behind):
        return config(listener(timeouts={"keep_alive": keep_alive}),
                      backends=[backend(*behind, slow_start={"time": "3s"})])
    weir = start(configuration("5s", servers[0]))
    weir.reload(configuration("5s", *servers))
    wait_until(lambda: count_of(weir, b"B") == 20, "the new one has its share")
    weir.reload(configuration("6s", *servers))  # nothing of the backend
    assert weir.api("PATCH", "/servers/web/s1", {"weight": 1})[0] == 200
    assert count_of(weir, b"B") >= 15  # who starts again has 1 or none


def test_a_state_set_at_run_time_survives_and_an_added_server_does_not(start, serve):
    servers = [serve("A"), serve("B")]
    weir = start(simple(*servers))
    assert weir.api("PATCH", "/servers/web/s1", {"state": "disabled"})[0] == 200
    assert weir.api("POST", "/backends/web/servers",
                    {"name": "s3", "address": serve("C").address})[0] == 201
    assert {get(weir).body for _ in range(10)} == {b"B", b"C"}
    weir.reload(simple(*servers))
    assert {get(weir).body for _ in range(10)} == {b"B"}


# ---- What is refused

def test_a_bad_file_says_every_problem_and_changes_nothing(start, server, serve):
    weir = start(simple(server))
    bad = simple(serve("other")) | {"worker": 3}
    bad["listeners"][0]["backend"] = "wbe"
    bad["backends"][0]["servers"][0]["weight"] = -1
    reason, message = refused(weir, bad)
    assert reason == "bad_configuration"
    for problem in ("unknown key 'worker' (did you mean 'workers'?)",
                    "unknown backend 'wbe' (did you mean 'web'?)", "weight"):
        assert problem in message
    assert message.count(": error: ") == 3
    weir.process.send_signal(signal.SIGHUP)
    weir.wait_for_metric(2, "weir_reloads_refused_total")
    weir.process.stderr.wait_for("^reload refused, nothing has changed: ")
    weir.process.stderr.wait_for(r"weir\.yaml:\d+:\d+: error: unknown key 'worker'")
    assert get(weir).body == b"server"
    assert weir.metrics().value("weir_reloads_total") == 0
    assert weir.process.is_running()


def test_a_port_that_is_taken_refuses_the_whole_reload(start, server, serve):
    weir = start(simple(server))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        wanted = config(listener(), listener("free"), listener("taken", address=address),
                        backends=[backend(serve("other"))])
        reason, message = refused(weir, wanted)
        assert reason == "cannot_listen"
        assert "listener taken" in message and address in message
        assert list(listeners(weir)) == ["web"]
        assert get(weir).body == b"server"
    weir.reload(wanted)  # now it is free
    assert list(listeners(weir)) == ["web", "free", "taken"]
    assert get(weir).body == b"other"


def test_a_log_that_cannot_be_written_refuses_the_whole_reload(start, server, serve):
    weir = start(simple(server))
    reason, message = refused(weir, simple(
        serve("other"), access_log={"format": "json", "path": "no/folder/access.log"}))
    assert reason == "cannot_open_log"
    assert "no/folder/access.log" in message
    assert get(weir).body == b"server"
    assert len(weir.access_log()) == 1


def test_a_reload_without_a_file_is_refused(start, server):
    weir = start(arguments=["--listen", "127.0.0.1:0", "--to", server.address])
    weir.process.send_signal(signal.SIGHUP)
    weir.process.stderr.wait_for("^reload refused, .*without a configuration file")
    assert get(weir).body == b"server"


# ---- Listeners and logs

def test_a_listener_may_change_its_name_and_protocol_on_its_address(start, serve, script):
    address = f"127.0.0.1:{free_port()}"
    weir = start(config(listener(address=address), backends=[backend(serve("http"))]))
    assert get(weir).body == b"http"
    hello = script(lambda connection: connection.send("hello"))
    weir.reload(config(tcp_listener("plain", address=address), backends=[backend(hello)]))
    with Client(weir.address("web")) as client:
        assert client.read_to_end() == b"hello"
    assert list(listeners(weir)) == ["plain"]


def test_a_listener_may_return_at_once(start, server):
    with_it = config(listener(), listener("more", address=f"127.0.0.1:{free_port()}"),
                     backends=[backend(server)], workers=2)
    without_it = config(listener(), backends=[backend(server)], workers=2)
    weir = start(with_it)
    for _ in range(10):
        weir.reload(without_it)
        weir.reload(with_it)
        assert get(weir, name="more").status == 200


def test_idle_connections_of_a_removed_listener_are_closed(start, server):
    weir = start(config(listener(), listener("more"), backends=[backend(server)]))
    with Client(weir.address("more")) as client, Client(weir.address("web")) as other:
        assert client.get().status == other.get().status == 200
        weir.reload(simple(server))
        assert client.is_closed_cleanly()
        assert other.get().status == 200


def test_a_renamed_log_is_written_anew(start, server):
    weir = start(simple(server))
    assert get(weir, "/before").status == 200
    assert weir.access_log()[0]["target"] == "/before"
    (weir.folder / "access.log").rename(weir.folder / "access.log.1")
    by_signal(weir, simple(server))
    # The log thread looks at least every 50 ms, so what comes now may still be for the old file.
    wait_until(lambda: get(weir, "/after").status == 200 and (weir.folder / "access.log").exists()
               and (weir.folder / "access.log").stat().st_size, "lines in the new file")
    assert [json.loads(line)["target"] for line in weir.log_lines(1)][0] == "/after"
    assert weir.access_log(1, "access.log.1")[0]["target"] == "/before"
