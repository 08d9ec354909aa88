"""The admin address: health for what watches Weir, metrics that add up."""
import subprocess

import pytest

from process import DEADLINE_S, run
from servers import Client, RefusingServer, get
from weir import BINARY, backend, config, listener, simple, tcp_listener


def test_health(start, server):
    weir = start(simple(server))
    for path in ("/health", "/health/live", "/health/ready"):
        assert weir.admin(path)[0] == 200, path


def test_an_unknown_path_is_a_404(start, server):
    assert start(simple(server)).admin("/nothing")[0] == 404


def test_what_is_no_get_is_refused(start, server):
    weir = start(simple(server))
    with Client(weir.admin_address) as client:
        client.request("POST", "/metrics", body=b"x")
        assert client.read_response().status == 405


def test_the_admin_address_survives_what_is_not_http(start, server):
    weir = start(simple(server))
    for sent in (b"\x00" * 100_000, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100_000, b"G"):
        with Client(weir.admin_address) as client:
            try:
                client.send(sent)
                client.end_writing()
                client.read_to_end()
            except OSError:
                pass  # it need not listen to the end of that
    assert weir.admin("/health")[0] == 200


def test_a_silent_admin_client_keeps_no_other_waiting(start, server):
    weir = start(simple(server))
    silent = [Client(weir.admin_address) for _ in range(5)]
    try:
        assert weir.admin("/health")[0] == 200
        assert weir.metrics().samples
    finally:
        for client in silent:
            client.close()


def test_metrics_are_what_prometheus_reads(start, server):
    weir = start(simple(server))
    get(weir)
    done = run(["curl", "-sSi", "http://%s:%d/metrics" % weir.admin_address])
    head, _, text = done.stdout.partition("\n\n")
    assert "text/plain; version=0.0.4" in head.lower()
    types = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in types, f"{name} twice"
            types[name] = kind
        elif line and not line.startswith("#"):
            name = line.split("{")[0].split(" ")[0]
            family = name if name in types else name.rpartition("_")[0]
            assert family in types, line
            assert types[family] == "histogram" or name == family, line
            if types[family] == "counter":
                assert name.endswith("_total"), line


def test_counters_add_up(start, serve, ends):
    servers = [serve("A"), serve("B"), ends(RefusingServer())]
    weir = start(config(
        listener("one"), listener("two", routes=[{"match": {"path": "/x"}, "backend": "web"}]),
        backends=[backend(*servers, refused_pause="1h")], workers=2))
    for number in range(30):
        assert get(weir, "/x", name=("one", "two")[number % 2]).status == 200
    for _ in range(5):
        assert get(weir, "/nothing", name="two").status == 404
    weir.wait_for_metric(0, "weir_listener_connections_open")
    weir.wait_for_metric(35, "weir_listener_request_duration_seconds_count")
    metrics = weir.metrics()
    assert metrics.value("weir_listener_connections_total") == 35
    assert metrics.value("weir_listener_requests_total") == 35
    assert metrics.value("weir_listener_requests_total", listener="one") == 15
    assert metrics.value("weir_listener_responses_total", **{"class": "2xx"}) == 30
    assert metrics.value("weir_listener_responses_total", **{"class": "4xx"}) == 5
    assert metrics.value("weir_backend_requests_total", backend="web") == 30
    attempts = metrics.value("weir_backend_attempts_total", backend="web")
    retries = metrics.value("weir_backend_retries_total", backend="web")
    assert attempts == 30 + retries
    assert attempts == metrics.value("weir_server_attempts_total")
    refused = metrics.value("weir_server_connect_failures_total", server="s3")
    assert retries == refused
    assert 1 <= refused <= 2  # each worker learns it once
    assert attempts == (metrics.value("weir_server_connects_total")
                        + metrics.value("weir_server_reuses_total"))
    assert metrics.value("weir_server_responses_total", **{"class": "2xx"}) == 30
    assert metrics.value("weir_server_leases") == 0
    assert metrics.value("weir_errors_total", reason="no_route") == 5
    assert metrics.value("weir_workers") == 2


def test_a_histogram_is_cumulative(start, server):
    weir = start(simple(server))
    for _ in range(10):
        get(weir)
    weir.wait_for_metric(10, "weir_listener_request_duration_seconds_count")
    metrics = weir.metrics()
    buckets = [(float(labels["le"]), value) for name, labels, value in metrics.samples
               if name == "weir_listener_request_duration_seconds_bucket"]
    assert buckets == sorted(buckets)
    assert [value for _, value in buckets] == sorted(value for _, value in buckets)
    assert buckets[-1] == (float("inf"), 10)
    assert metrics.value("weir_listener_request_duration_seconds_sum") > 0


def test_the_process_says_what_it_is_and_has(start, server):
    weir = start(simple(server))
    metrics = weir.metrics()
    assert metrics.value("weir_build_info") == 1
    assert metrics.value("weir_descriptors_open") > 3
    assert metrics.value("weir_descriptors_max") >= metrics.value("weir_descriptors_open")
    assert metrics.value("weir_resident_memory_bytes") > 1 << 20
    assert metrics.value("weir_snapshots_live") == 1


def test_tunnels_are_counted(start, script):
    echo = script(lambda connection: connection.send(connection.read(5)))
    weir = start(config(tcp_listener(), backends=[backend(echo)]))
    with Client(weir.address()) as client:
        client.send("hello")
        weir.wait_for_metric(1, "weir_listener_connections_total", listener="db")
        assert client.read_to_end() == b"hello"
    weir.wait_for_metric(5, "weir_listener_received_bytes_total", listener="db")
    weir.wait_for_metric(5, "weir_listener_sent_bytes_total", listener="db")
    weir.wait_for_metric(1, "weir_backend_requests_total", backend="web")
    weir.wait_for_metric(0, "weir_errors_total")


def test_names_cannot_break_a_label(start, server):
    name = 'we"b\\ \u00e9{}'
    weir = start(config(listener(name), backends=[backend(server)]))
    get(weir)
    listeners = {labels["listener"] for _, labels, _ in weir.metrics().samples
                 if "listener" in labels}
    assert listeners == {name.replace("\\", "\\\\").replace('"', '\\"')}


def test_the_admin_default_being_taken_is_a_warning_and_no_more(start, server):
    without_admin = {key: value for key, value in simple(server).items() if key != "admin"}
    first = start(without_admin)
    second = start(without_admin)
    assert get(first).status == 200
    assert get(second).status == 200
    assert "127.0.0.1:9900" in second.process.stderr.text()


@pytest.mark.parametrize("mode", ["660", "600"])
def test_a_unix_socket_is_for_its_owner_and_group(start, server, tmp_path, mode):
    path = tmp_path / "admin.sock"
    admin = {"address": f"unix:{path}"} | ({} if mode == "660" else {"mode": mode})
    weir = start(simple(server) | {"admin": admin})
    assert oct(path.stat().st_mode & 0o777) == f"0o{mode}"
    said = subprocess.run([BINARY, "ctl", "--admin", f"unix:{path}", "servers"],
                          capture_output=True, text=True, timeout=DEADLINE_S)
    assert said.returncode == 0 and " s1 " in said.stdout
    weir.stop()
    assert not path.exists()
