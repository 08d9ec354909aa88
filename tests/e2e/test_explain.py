"""`weir explain`: what it says of a request is what happens to it; and its page is right."""
import re
import threading

import pytest

from process import run
from servers import Client, RefusingServer, get
from weir import BINARY, ROOT, backend, config, listener, simple, tcp_listener, write_config

PAGE = ROOT / "docs/guide/explain.md"


@pytest.fixture
def refusing(ends):
    return ends(RefusingServer())


def explain(folder, *arguments):
    """(exit code, stdout, stderr)."""
    done = run([BINARY, "explain", "-c", "weir.yaml", *arguments], cwd=folder)
    return done.returncode, done.stdout, done.stderr


def blocks_of_the_page():
    return re.findall(r"^```(?:yaml)?\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_the_page_shows_what_is_printed(tmp_path):
    _, configuration, *answers = blocks_of_the_page()[:4]
    (tmp_path / "weir.yaml").write_text(configuration)
    assert len(answers) == 2
    for answer in answers:
        code, said, errors = explain(tmp_path, *answer.splitlines()[0].split())
        assert (said, errors) == (answer, "")
        assert code == (0 if "server" in answer else 1)


@pytest.mark.parametrize("target, host", [
    ("/users/7", "api.example.com"), ("/usersx", "api.example.com"), ("/x/../users/1", "API.example.com."),
    ("/", "x.example.com"), ("/nowhere", "example.org"), ("/../up", "example.org"), ("/%zz", "x.example.com"),
])
def test_the_running_process_does_what_was_said(start, serve, tmp_path, target, host):
    names = ("users", "wild", "root")
    configuration = config(
        listener(routes=[{"match": {"host": "api.example.com", "path_prefix": "/users"}, "backend": "users"},
                         {"match": {"host": "*.example.com"}, "backend": "wild"},
                         {"match": {"path": "/"}, "backend": "root"}]),
        backends=[backend(serve(name), name=name) for name in names])
    path = write_config(tmp_path, configuration)
    done = run([BINARY, "explain", "-c", path, "-H", f"Host: {host}", "GET", f"http://x{target}"], cwd=tmp_path)
    response = get(start(configuration), target, host=host)
    if response.status == 200:
        assert done.returncode == 0
        assert re.search(r"^backend +(\S+)", done.stdout, re.MULTILINE)[1] == response.body.decode()
    else:
        assert done.returncode == 1
        assert re.search(r"^answer +(\d+)", done.stdout, re.MULTILINE)[1] == str(response.status)


@pytest.mark.parametrize("arguments, expected", [
    (["GET", "ftp://x"], "error: expected a URL such as http://HOST[:PORT]/PATH or tcp://HOST:PORT, found 'ftp://x'\n"),
    (["--listener", "wbe", "GET", "http://x"], "error: unknown listener 'wbe' (did you mean 'web'?)\n"),
    (["--from", "nobody", "GET", "http://x"], "error: --from 'nobody': expected an IP address\n"),
])
def test_a_question_that_is_not_understood(tmp_path, arguments, expected):
    (tmp_path / "weir.yaml").write_text(blocks_of_the_page()[1])
    assert explain(tmp_path, *arguments) == (2, "", expected)


def test_a_file_with_errors_is_not_explained(tmp_path):
    (tmp_path / "weir.yaml").write_text("listeners: []\n")
    code, said, errors = explain(tmp_path, "GET", "http://x")
    assert (code, said) == (1, "")
    assert "weir.yaml:1:12: error: " in errors


# ---- A running Weir.

def explain_running(weir, *arguments):
    """(exit code, what is said, every run of spaces as one)."""
    done = run([BINARY, "explain", "--admin", "%s:%d" % weir.admin_address, *arguments], cwd=weir.folder)
    return done.returncode, re.sub(" +", " ", done.stdout + done.stderr)


def ctl(weir, *arguments):
    done = run([BINARY, "ctl", "--admin", "%s:%d" % weir.admin_address, *arguments], cwd=weir.folder)
    assert done.returncode == 0, done.stderr


def said_server(said):
    match = re.search(r"^server (\S+)", said, re.MULTILINE)
    assert match, said
    return match[1]


@pytest.mark.parametrize("balance", ["round_robin", "random", "power_of_two", "least_connections"])
def test_the_next_request_gets_the_server_that_was_said(start, serve, balance):
    servers = [serve(f"s{number}") for number in (1, 2, 3)]
    weir = start(config(listener(), backends=[backend(*servers, weights=[3, 2, 1], balance=balance)]))
    for number in range(12):
        if number == 6:
            ctl(weir, "server", "web/s1", "weight", "0")
        code, said = explain_running(weir, "GET", weir.url())
        assert (code, explain_running(weir, "GET", weir.url())) == (0, (code, said))  # asking moves nothing
        assert get(weir).body.decode() == said_server(said)


def test_a_running_weir_knows_what_no_file_says(start, serve, refusing):
    weir = start(config(
        listener(), tcp_listener(backend="web"),
        backends=[backend(serve("s1"), serve("s2"), refusing, serve("s4"), refused_pause="1h")]))
    for _ in range(4):
        get(weir, name="web")  # one of them is refused by s3
    ctl(weir, "server", "web/s1", "drain")
    ctl(weir, "server", "web/s2", "weight", "7")
    ctl(weir, "server", "web/s4", "disable")
    host, port = weir.address("web")
    code, said = explain_running(weir, "GET", f"http://{host}:{port}/")
    assert code == 0
    assert f"listener web ({host}:{port}, http)" in said
    assert re.search(r"^server s2 \(127\.0\.0\.1:\d+, weight 7\)$", said, re.MULTILINE), said
    assert re.search(r"^ not s1: draining", said, re.MULTILINE), said
    assert re.search(r"^ not s3: refused a connection \d+\.\d s ago", said, re.MULTILINE), said
    assert re.search(r"^ not s4: disabled", said, re.MULTILINE), said
    host, port = weir.address("db")
    code, said = explain_running(weir, "CONNECT", f"tcp://{host}:{port}")
    assert (code, said_server(said)) == (0, "s2")
    ctl(weir, "server", "web/s2", "disable")
    ctl(weir, "server", "web/s3", "disable")
    assert explain_running(weir, "GET", weir.url(name="web"))[0] == 1


def test_what_is_in_flight_counts(start, serve, ends):
    released = threading.Event()

    def hold(connection, _):
        released.wait(20)
        connection.answer("held")
    held = serve("s1", hold)
    configuration = config(listener(), backends=[
        backend(held, serve("s2"), weights=[2, 0], balance="least_connections")])
    configuration["backends"][0]["servers"][0]["maxconn"] = 1
    weir = start(configuration)
    client = ends(Client(weir.address()))
    client.request()
    held.wait_for_requests(1)
    code, said = explain_running(weir, "GET", weir.url())
    assert code == 1
    assert "\nqueue all that can be used are at their maxconn: it waits, for at most 10s; 0 wait already\n" in said
    assert "\n not s1: at its maxconn (1)" in said
    ctl(weir, "server", "web/s2", "weight", "1")
    code, said = explain_running(weir, "GET", weir.url())
    assert (code, said_server(said)) == (0, "s2")
    released.set()


def test_with_several_workers_it_is_the_view_of_the_first(start, server):
    weir = start(simple(server) | {"workers": 2})
    assert "\nworker 0 of 2: where the others stand may differ\n" in explain_running(weir, "GET", weir.url())[1]
