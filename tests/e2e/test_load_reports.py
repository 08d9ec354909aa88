"""Servers that say how loaded they are, and the algorithms that go by that and by traffic."""
import json

import pytest

from process import run, wait_until
from servers import Client, get
from weir import BINARY, backend, config, listener, tcp_listener, write_config

REPORTS = {"path": "/load", "interval": "100ms", "expire": "2s"}


@pytest.fixture
def servers(nginx):
    """Three, each of which reports what its file `load` says."""
    return [nginx(name) for name in "ABC"]


def report(server, text):
    """As a whole: a report must not be read while it is written."""
    fresh = server.root / "load.new"
    fresh.write_text(text if isinstance(text, str) else json.dumps(text))
    fresh.rename(server.root / "load")


def serve(start, servers, balance="resource", reports=REPORTS, **settings):
    return start(config(listener(), backends=[
        backend(*servers, balance=balance, load_report=reports, **settings)]))


def names(weir, count=20):
    return {get(weir, "/name").body.decode().strip() for _ in range(count)}


def wait_for(weir, name):
    """Until all requests go to that server: one may do so before the scores are known."""
    wait_until(lambda: names(weir) == {name}, f"requests go to {name}")


def test_resource_goes_to_the_lowest_load_and_moves_when_it_changes(start, servers):
    report(servers[0], {"cpu": 45.2, "memory": 60.1, "disk": 30.5})  # 42.21
    report(servers[1], {"cpu": 45.1, "memory": 60.1, "disk": 30.5, "host": {"cpu": 99}})
    report(servers[2], {"cpu": 90, "memory": 60, "disk": 30})
    weir = serve(start, servers)
    wait_for(weir, "B")
    report(servers[2], {"cpu": 1, "memory": 2, "disk": 3})
    wait_for(weir, "C")
    assert weir.metrics().value("weir_server_load_report_failures_total") == 0


def score_of(weir, server):
    return weir.api("GET", f"/servers/web/{server}")[1]["score"]


def test_the_score_of_resource_is_a_weighted_sum(start, servers, ends):
    report(servers[0], {"cpu": 45.2, "memory": 60.1, "disk": 30.5})
    weir = start(config(tcp_listener(backend="web"), backends=[
        backend(servers[0], balance="resource", load_report=REPORTS)]))
    for _ in range(120):
        assert ends(Client(weir.address())).get("/name").status == 200
    wait_until(lambda: score_of(weir, "s1") == pytest.approx(42.222, abs=1e-4),
               "45.2 * 0.4 + 60.1 * 0.3 + 30.5 * 0.2 + 120 / 1000 * 0.1")


def test_least_time_counts_the_cpu_and_the_round_trip(start, servers):
    for server, cpu in zip(servers, (100, 50, 0)):
        report(server, {"cpu": cpu})
    weir = serve(start, servers, balance={"least_time": {"cpu": 0.5}})
    wait_until(lambda: [score_of(weir, f"s{n}") for n in (1, 2, 3)] == [0.5, 0.25, 0], "scores")
    weir = serve(start, servers, balance={"least_time": {"round_trip": 2}})
    # Of what all take on average, the sum of three is three.
    wait_until(lambda: None not in (scores := [score_of(weir, f"s{n}") for n in (1, 2, 3)])
               and min(scores) > 0 and sum(scores) == pytest.approx(6, abs=0.1), "round trips")


def test_a_server_without_a_good_report_counts_as_the_others_and_works(start, servers):
    report(servers[0], {"cpu": 60})
    report(servers[1], "garbage")  # and C has none: 404
    weir = serve(start, servers)
    for number in (2, 3):
        wait_until(lambda n=number: weir.metrics().value("weir_server_load_report_failures_total",
                                                         server=f"s{n}") > 0, "failures")
    assert all(get(weir, "/name").status == 200 for _ in range(20))
    report(servers[1], {"cpu": 10})
    wait_for(weir, "B")
    report(servers[1], "{}")  # its last report expires
    report(servers[2], {"cpu": 30})
    wait_for(weir, "C")


def test_reports_in_prometheus_format_from_another_port(start, servers, nginx):
    agent = nginx("agent")
    (agent.root / "metrics").write_text(
        '# TYPE cpu_busy_ratio gauge\ncpu_busy_ratio{host="a}"} 0.25\nother 1\n')
    weir = serve(start, servers[:1], reports={
        "path": "/metrics", "port": agent.port, "interval": "100ms", "format": "prometheus",
        "metrics": {"cpu": "cpu_busy_ratio"}})
    wait_until(lambda: score_of(weir, "s1") is not None, "a score")
    assert score_of(weir, "s1") == pytest.approx(0.25 * 100 * (0.4 + 0.3 + 0.2))  # what is not reported is as what is


def test_utilization_divides_by_the_capacity_that_may_be_used(start, servers):
    for server in servers[:2]:
        report(server, {"utilization": 0.4})
    configuration = config(listener(), backends=[
        backend(*servers[:2], balance={"utilization": {"choose": "lowest"}}, load_report=REPORTS)])
    configuration["backends"][0]["servers"][0]["capacity_scaler"] = 0.5
    weir = start(configuration)
    wait_for(weir, "B")
    configuration["backends"][0]["servers"][0]["capacity_scaler"] = 1
    configuration["backends"][0]["servers"][1]["capacity_scaler"] = 0
    weir.reload(configuration)
    wait_until(lambda: names(weir, 5) == {"A"}, "requests go to A")


def test_a_reload_forgets_no_score(start, servers):
    def configuration(connect):
        chosen = config(listener(), backends=[backend(
            *servers[:2], balance="utilization", load_report=REPORTS,
            timeouts={"connect": connect})])
        chosen["backends"][0]["servers"][0]["capacity_scaler"] = 0
        return chosen
    weir = start(configuration("1s"))
    wait_until(lambda: names(weir) == {"B"}, "A gets nothing")
    for seconds in range(2, 6):
        weir.reload(configuration(f"{seconds}s"))
        assert names(weir) == {"B"}


def test_least_bandwidth_avoids_who_has_carried_a_download(start, servers):
    (servers[0].root / "big").write_bytes(bytes(20_000_000))
    weir = start(config(listener(), backends=[backend(*servers, balance="least_bandwidth")]))
    assert len(get(weir, "/big").body) == 20_000_000  # nothing is known yet: the first
    wait_until(lambda: "A" not in names(weir), "requests avoid A")


def test_adaptive_avoids_who_fails(start, serve):
    bad = serve("bad", lambda connection, request: connection.answer("bad", status=503))
    weir = start(config(listener(), backends=[
        backend(bad, serve("good"), balance={"adaptive": {"connections": 0, "response_time": 0}})]))
    assert get(weir).body == b"bad"
    wait_until(lambda: {get(weir).body for _ in range(20)} == {b"good"},
               "requests go to the good one")


def test_who_is_behind_is_explained_by_its_score(start, servers):
    for server, cpu in zip(servers, (50, 10, 60)):
        report(server, {"cpu": cpu})
    weir = serve(start, servers)
    wait_for(weir, "B")
    host, port = weir.admin_address
    said = run([BINARY, "explain", "--admin", f"{host}:{port}", "GET", weir.url()]).stdout
    assert "s1: behind: score 45" in said and "s3: behind: score 54" in said, said


@pytest.mark.parametrize("settings, problem", [
    ({"balance": "resource"}, "error: balance: resource goes by load_report"),
    ({"balance": "utilization"}, "error: balance: utilization goes by load_report"),
    ({"balance": {"resource": {"forecast": {"step": "1m"}}}, "load_report": {}},
     "error: forecast: 'ahead' is less than a 'step'"),
    ({"balance": {"resource": {"forecast": {"step": "10s", "season": "168h"}}}, "load_report": {}},
     "error: forecast: expected a season of 2 to 10080 steps, found 60480"),
    ({"load_report": {}}, "warning: balance: round_robin does not go by load reports"),
    ({"balance": "resource", "load_report": {"format": "prometheus"}},
     "error: format: prometheus needs 'metrics'"),
    ({"balance": "resource", "load_report": {"path": "load"}}, "error: expected a path"),
])
def test_reports_that_nobody_could_use_are_said(tmp_path, settings, problem):
    path = write_config(tmp_path, config(listener(), backends=[
        backend("127.0.0.1:1", **settings)]))
    done = run([BINARY, "check", "-c", path])
    assert problem in done.stdout + done.stderr
    assert (done.returncode == 0) == problem.startswith("warning")
