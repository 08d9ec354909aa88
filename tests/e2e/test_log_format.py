"""A log format of one's own: text with values, of which nobody who connects can make more than their place."""
import re

import pytest

from process import run
from servers import Client, RefusingServer, get
from weir import BINARY, backend, config, listener, simple, tcp_listener

NGINX = ("${client.address} - ${time.local} - ${request.method} ${request.target} ${request.version}"
         " - ${response.status}")


def log(text, path="access.log"):
    return {"format": text, "path": path}


def test_a_line_has_the_values_that_its_format_names(start, server):
    weir = start(simple(server, access_log=log(NGINX)))
    assert get(weir, "/a?b=c").status == 200
    assert get(weir, "/d").status == 200
    lines = weir.log_lines(2)
    assert re.fullmatch(r"127\.0\.0\.1 - \d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}"
                        r" - GET /a\?b=c HTTP/1\.1 - 200", lines[0]), lines[0]
    assert " - GET /d HTTP/1.1 - 200" in lines[1]


def test_headers_cookies_and_parameters_have_their_place(start, serve):
    def answer(connection, request):
        connection.answer("body!", fields=[("X-Answer", "42")])
    weir = start(simple(serve("s", answer), access_log=log(
        "${request.header.user-agent}|${request.cookie.session}|${request.query.page}|${response.header.x-answer}|"
        "${response.body_bytes}|${backend.name}/${server.name}|${request.header.absent}|5$$")))
    with Client(weir.address()) as client:
        client.get("/?page=7&page=8", fields=[("User-Agent", "test/1"), ("Cookie", "a=b; session=s1")])
    assert weir.log_lines()[0] == "test/1|s1|7|42|5|web/s1|-|5$"


@pytest.mark.parametrize("value", ['x" forged "', "x\\", "x\tstatus=200", "\xe9\xff"])
def test_no_value_of_a_client_ends_its_quotes_or_its_line(start, server, value):
    weir = start(simple(server, access_log=log('"${request.header.user-agent}" ${response.status}')))
    with Client(weir.address()) as client:
        client.get(fields=[("User-Agent", value)])
    (line,) = weir.log_lines()
    assert re.fullmatch(r'"x?(\\x[0-9A-F]{2}|[a-z0-9= ])+" 200', line), line


def test_a_failure_and_a_tunnel_have_lines_too(start, server, script, ends):
    text = "${listener.name} ${server.name} ${response.status} ${reason} ${request.path} ${response.body_bytes}"
    echo = script(lambda connection: connection.send(connection.read_some()))
    weir = start(config(
        listener("bad", access_log=log(text, "bad.log"), backend="bad"),
        tcp_listener("raw", access_log=log(text, "raw.log"), backend="echo"),
        backends=[backend(ends(RefusingServer()), name="bad"), backend(echo, name="echo")]))
    assert get(weir, "/p", name="bad").status == 502
    with Client(weir.address("raw")) as client:
        client.send("hello")
        client.end_writing()
        assert client.read_to_end() == b"hello"
    assert re.fullmatch(r"bad s1 502 connect_refused /p \d+", weir.log_lines(file="bad.log")[0])
    assert weir.log_lines(file="raw.log")[0] == "raw s1 - - - 5"


def test_a_line_that_is_too_long_is_cut_marked_and_counted(start, server):
    weir = start(simple(server, access_log=log("${request.header.a}${request.header.a} end")))
    with Client(weir.address()) as client:
        client.get(fields=[("A", "x" * 5000)])
    assert weir.log_lines()[0] == "x" * (8192 - 3) + "..."
    assert weir.metrics().value("weir_worker_log_lines_cut_total") == 1


@pytest.mark.parametrize("text, problem", [
    ("${request.methd}", "unknown value 'request.methd' (did you mean 'request.method'?)"),
    ("${reason", "the '${' at character 1 is not closed: expected '}' after the name of a value"),
    ("$status", "the '$' at character 1 begins no value: expected '${NAME}', or '$$' for a dollar"),
    ("jsn", "did you mean 'json'?"),
])
def test_a_mistake_is_found_where_it_is(tmp_path, text, problem):
    path = tmp_path / "weir.yaml"
    path.write_text(f"""
listeners:
  - {{ name: web, address: "127.0.0.1:0", backend: b, access_log: {{ format: "{text}" }} }}
backends:
  - {{ name: b, servers: [ {{ name: s, address: "127.0.0.1:1" }} ] }}
""", encoding="utf-8")
    done = run([BINARY, "check", "-c", path])
    assert done.returncode == 1
    column = path.read_text(encoding="utf-8").splitlines()[2].index(f'"{text}"') + 1
    assert done.stderr.startswith(
        f"{path}:3:{column}: error: expected combined, json, off or text with values such as "
        f"'${{client.address}} ${{response.status}}', found '{text}': {problem}\n"), done.stderr


def test_a_line_names_whose_request_it_was_and_its_id(start, server):
    weir = start(simple(server, trusted_proxies=["127.0.0.1"], request_id="X-Request-Id",
                        access_log=log("$${client.address} ${client.address} ${request.id}")))
    with Client(weir.address()) as client:
        client.get(fields=[("X-Forwarded-For", "203.0.113.42"), ("X-Request-Id", "r-1")])
    assert weir.log_lines(1) == ["${client.address} 203.0.113.42 r-1"]
