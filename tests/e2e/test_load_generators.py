"""The usual load generators run unmodified against it, without a single error."""
import re

import pytest

from process import run
from weir import backend, config, listener, simple


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def weir(start, nginx, request):
    servers = [nginx(name) for name in ("A", "B")]
    return start(simple(*servers, access_log={"format": "off"}) | {"workers": request.param})


def assert_counted(weir, requests):
    weir.wait_for_metric(requests, "weir_listener_responses_total", **{"class": "2xx"})
    weir.wait_for_metric(requests, "weir_listener_requests_total")
    weir.wait_for_metric(0, "weir_errors_total")


@pytest.mark.parametrize("options", [[], ["-k"]], ids=["close", "keep-alive"])
def test_ab(weir, options):
    done = run(["ab", "-n", 5000, "-c", 50, *options, weir.url("/name")])
    assert done.returncode == 0, done.stderr
    assert re.search(r"Complete requests: +5000\n", done.stdout), done.stdout
    assert re.search(r"Failed requests: +0\n", done.stdout), done.stdout
    assert "Non-2xx" not in done.stdout, done.stdout
    if options:
        assert re.search(r"Keep-Alive requests: +5000\n", done.stdout), done.stdout
    assert_counted(weir, 5000)


def test_ab_post(start, serve, tmp_path):
    echo = serve("echo", lambda connection, request: connection.answer(request.body))
    weir = start(simple(echo))
    (tmp_path / "form").write_bytes(b"a=b&" * 500)
    done = run(["ab", "-n", 500, "-c", 10, "-p", tmp_path / "form",
                "-T", "application/x-www-form-urlencoded", weir.url("/form")])
    assert re.search(r"Complete requests: +500\n", done.stdout), done.stdout
    assert re.search(r"Failed requests: +0\n", done.stdout), done.stdout
    assert re.search(r"Document Length: +2000 bytes\n", done.stdout), done.stdout
    assert len(echo.requests) == 500
    assert {request.body for request in echo.requests} == {b"a=b&" * 500}


def test_wrk(weir):
    done = run(["wrk", "-t2", "-c100", "-d3s", "--timeout", "20s", weir.url("/name")])
    assert done.returncode == 0, done.stderr
    assert "Socket errors" not in done.stdout, done.stdout
    assert "Non-2xx" not in done.stdout, done.stdout
    assert int(re.search(r"(\d+) requests in", done.stdout)[1]) > 100
    weir.wait_for_metric(0, "weir_errors_total", side="server")


def test_wrk_with_a_script(weir, tmp_path):
    script = tmp_path / "post.lua"
    script.write_text('wrk.method = "PUT"\nwrk.body = string.rep("x", 1000)\n'
                      'request = function()\n'
                      '  return wrk.format(nil, "/put/" .. math.random(50))\nend\n',
                      encoding="ascii")
    done = run(["wrk", "-t2", "-c20", "-d2s", "--timeout", "20s", "-s", script, weir.url()])
    assert "Socket errors" not in done.stdout, done.stdout
    assert "Non-2xx" not in done.stdout, done.stdout


def test_h2load_over_http_1(weir):
    done = run(["h2load", "--h1", "-n", 10000, "-c", 50, "-t", 2, weir.url("/name")])
    assert done.returncode == 0, done.stderr
    assert re.search(r"10000 succeeded, 0 failed, 0 errored, 0 timeout", done.stdout), done.stdout
    assert re.search(r"status codes: 10000 2xx", done.stdout), done.stdout
    assert_counted(weir, 10000)


@pytest.mark.parametrize("balance, connections, off_by", [
    ("round_robin", 50, 1),
    # By one connection, as each begins with the first user; within 6 standard deviations.
    ({"hash": {"key": "${request.query.user}", "method": "maglev"}}, 1, 900)])
def test_100_000_users_are_shared_out_evenly(start, nginx, tmp_path, balance, connections, off_by):
    weir = start(config(listener(access_log={"format": "off"}), backends=[
        backend(*(nginx(name) for name in "ABC"), balance=balance)]))
    users = tmp_path / "users"
    users.write_text("".join(weir.url(f"/name?user={user}\n") for user in range(100_000)))
    done = run(["h2load", "--h1", "-n", 100_000, "-c", connections, "-i", users],
               seconds=100)
    assert re.search(r"status codes: 100000 2xx", done.stdout), done.stdout
    assert_counted(weir, 100_000)
    metrics = weir.metrics()
    for server in ("s1", "s2", "s3"):
        share = metrics.value("weir_server_attempts_total", server=server)
        assert abs(share - 100_000 / 3) <= off_by, metrics.text


def test_curl_many_at_once(weir):
    done = run(["curl", "-sS", "--parallel", "--parallel-max", 20, "-o", "/dev/null",
                "-w", "%{http_code}\n", weir.url("/name?[1-300]")])
    assert done.stdout.split() == ["200"] * 300, done.stderr
