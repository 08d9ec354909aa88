"""Filters: their order, replies without a server, and what the configuration refuses."""
import pytest

from process import run
from servers import Client, get
from weir import BINARY, backend, config, listener

HEALTH = {"match": {"path": "/health"},
          "filters": [{"respond": {"status": 200, "body": "healthy\n",
                                   "content_type": "text/plain"}}]}


@pytest.fixture
def with_health(start, server):
    return start(config(listener(routes=[HEALTH, {"backend": "app"}]),
                        backends=[backend(server, name="app")]))


def test_a_reply_needs_no_server(with_health, server):
    server.close()
    answer = get(with_health, "/health")
    assert (answer.status, answer.body) == (200, b"healthy\n")
    assert answer.field("Content-Type") == "text/plain"
    assert answer.field("Date")
    record = with_health.access_log(1)[0]
    assert (record["status"], record["reason"], record["attempts"]) == (200, None, 0)
    done = run(["curl", "-sI", with_health.url("/health")])
    assert "Content-Length: 8" in done.stdout


def test_the_connection_goes_on_behind_a_reply(with_health):
    with Client(with_health.address()) as client:
        for target, body in (("/health", b"healthy\n"), ("/", b"server"), ("/health", b"healthy\n")):
            assert client.get(target).body == body


def test_filters_of_listener_and_backend_reply(start, server):
    gone = {"respond": {"status": 410, "body": "gone"}}
    weir = start(config(listener(), backends=[backend(server, filters=[gone])]))
    assert get(weir).status == 410
    weir = start(config(listener(filters=[gone]), backends=[backend(server)]))
    assert (get(weir).status, get(weir).body) == (410, b"gone")


def test_explain_names_the_filter_that_replies(with_health):
    done = run([BINARY, "explain", "-c", "weir.yaml", "GET", with_health.url("/health")],
               cwd=with_health.folder)
    assert done.returncode == 0
    assert "filter    respond: status 200, 8 bytes of text/plain" in done.stdout
    assert "answer    by filter respond" in done.stdout


@pytest.mark.parametrize("entry, problem", [
    ("{}", "expected one of respond"),
    ("{ respond: {}, headers: {} }", "expected one of respond"),
    ("{ respnd: {} }", "unknown key 'respnd' (did you mean 'respond'?)"),
    ("{ respond: { status: 99 } }", "expected a whole number from 200 to 599, found '99'"),
    ("{ respond: { status: 204, body: x } }", "an answer with status 204 has no body"),
    ("headers: { request: [ { value: x } ] }", "an edit has exactly one of 'set', 'add'"),
    ("{ respond: {} }\n      - respond: {}", "unreachable filter: respond in line 5"),
])
def test_bad_filters(tmp_path, entry, problem):
    text = f"""\
listeners:
  - name: web
    address: 127.0.0.1:0
    filters:
      - {entry}
    backend: app
backends:
  - name: app
    servers:
      - {{ name: s, address: 127.0.0.1:1 }}
"""
    (tmp_path / "weir.yaml").write_text(text, encoding="utf-8")
    done = run([BINARY, "check", "-c", tmp_path / "weir.yaml"])
    assert done.returncode != 0
    assert problem in done.stdout + done.stderr


def test_tcp_has_no_filters(tmp_path):
    (tmp_path / "weir.yaml").write_text("""\
listeners:
  - { name: db, address: 127.0.0.1:0, protocol: tcp, backend: db, filters: [ respond: {} ] }
backends:
  - name: db
    servers: [ { name: s, address: 127.0.0.1:1 } ]
""", encoding="utf-8")
    done = run([BINARY, "check", "-c", tmp_path / "weir.yaml"])
    assert "a listener with protocol: tcp has no filters" in done.stdout + done.stderr


def test_a_route_without_backend_needs_a_filter_that_replies(tmp_path):
    (tmp_path / "weir.yaml").write_text("""\
listeners:
  - name: web
    address: 127.0.0.1:0
    routes:
      - match: { path: /x }
backends:
  - name: db
    servers: [ { name: s, address: 127.0.0.1:1 } ]
""", encoding="utf-8")
    done = run([BINARY, "check", "-c", tmp_path / "weir.yaml"])
    assert "5:9: error: missing key 'backend' or 'split', and no filter of the route" in (
        done.stdout + done.stderr)
