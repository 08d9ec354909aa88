"""The access log: every request once, with where the time went, and nobody can forge a line."""
import json
import os
import re
import resource
import threading

import pytest

from process import DEADLINE_S, run, wait_until
from servers import Client, RefusingServer, get
from weir import BINARY, backend, config, listener, simple, tcp_listener


def test_json_has_what_is_needed_to_find_a_slow_request(start, serve):
    def answer(connection, request):
        threading.Event().wait(0.2)
        connection.answer("body!")
    weir = start(simple(serve("s", answer)))
    with Client(weir.address()) as client:
        client.request("POST", "/path?query=1", host="www.example.com", body=b"abc", fields=[
            ("User-Agent", "test/1"), ("Referer", "http://from/")])
        assert client.read_response().status == 200
    record = weir.access_log()[0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record.pop("time"))
    request_time, connect_time = record.pop("request_time"), record.pop("connect_time")
    header_time = record.pop("header_time")
    assert 0.2 <= header_time and 0 <= connect_time and request_time < DEADLINE_S
    assert connect_time + header_time <= request_time + 0.002  # one after the other, and rounded
    assert record == {
        "kind": "http", "client_address": "127.0.0.1", "method": "POST",
        "target": "/path?query=1", "protocol": "HTTP/1.1", "status": 200, "bytes_sent": 5,
        "referer": "http://from/", "user_agent": "test/1", "listener": "web",
        "host": "www.example.com", "server": "web/s1", "attempts": 1, "reused": False,
        "bytes_received": 3, "reason": None}


def test_combined_is_read_by_what_reads_that_of_nginx(start, server):
    weir = start(simple(server, access_log={"format": "combined", "path": "access.log"}))
    with Client(weir.address()) as client:
        client.get("/a?b", host="www.example.com", fields=[("User-Agent", "curl/7")])
        client.get("/c")
    lines = weir.log_lines(2)
    assert re.fullmatch(
        r'127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] '
        r'"GET /a\?b HTTP/1\.1" 200 6 "-" "curl/7" request_time=\d+\.\d{3} connect_time=\d+\.\d{3} '
        r'header_time=\d+\.\d{3} listener=web host=www\.example\.com server=web/s1 attempts=1 '
        r'reused=no bytes_received=0 reason=-', lines[0]), lines[0]
    assert " connect_time=0.000 " in lines[1]
    assert " reused=yes " in lines[1]
    assert run(["grep", "-c", "request_time", weir.folder / "access.log"]).stdout == "2\n"


def test_a_failure_has_its_reason_and_a_sentence_in_both_formats(start, ends):
    dead = [ends(RefusingServer()) for _ in range(3)]
    weir = start(config(
        listener("json"),
        listener("combined", access_log={"format": "combined", "path": "combined.log"}),
        backends=[backend(*dead)]))
    for name in ("json", "combined"):
        assert get(weir, name=name).status == 502
    record = weir.access_log()[0]
    assert (record["attempts"], record["reason"]) == (3, "connect_refused")
    sentence = re.compile(r"The server refused the connection\. "
                          r"Tried (s\d \(connect_refused after \d+\.\d ms\)(, |\.)){3}")
    assert sentence.fullmatch(record["sentence"]), record["sentence"]
    assert record["errno"] == 111
    assert record["header_time"] is None
    line = weir.log_lines(file="combined.log")[0]
    assert " attempts=3 " in line
    assert " errno=111 reason=connect_refused " in line
    assert sentence.fullmatch(line.split('"')[-2]), line


def test_the_sentence_names_the_servers_tried_and_what_each_did(start, script, ends):
    asked = threading.Event()

    def be_silent(connection):
        connection.read_request()
        asked.wait(20)
    weir = start(config(listener(), backends=[backend(
        ends(RefusingServer()), script(be_silent), timeouts={"response_head": "200ms"},
        retry={"attempts": 2})]))
    response = get(weir)
    asked.set()
    assert response.status == 504
    sentence = weir.access_log()[0]["sentence"]
    general, tried = sentence.split(" Tried ")
    each = re.fullmatch(r"s1 \(connect_refused after \d+\.\d ms\), "
                        r"s2 \(response_head_timeout after (\d+\.\d) ms\)\.", tried)
    assert each and float(each[1]) >= 200, sentence
    assert general in response.body.decode()
    assert "s1" not in response.body.decode()


def test_the_sentence_of_a_tunnel_names_the_servers_too(start, ends):
    weir = start(config(tcp_listener(), backends=[
        backend(*(ends(RefusingServer()) for _ in range(2)), name="web", retry={"attempts": 2})]))
    with pytest.raises(ConnectionResetError), Client(weir.address("db")) as client:
        client.read_to_end()
    record = weir.access_log()[0]
    assert re.fullmatch(r"The server refused the connection\. Tried s1 \(connect_refused after \d+\.\d ms\), "
                        r"s2 \(connect_refused after \d+\.\d ms\)\.", record["sentence"]), record["sentence"]


def test_the_sentence_says_why_no_server_could_be_tried(start, server):
    weir = start(config(listener(), backends=[backend(server, server, weights=[0, 1])]))
    done = run([BINARY, "ctl", "--admin", "%s:%d" % weir.admin_address, "server", "web/s2", "disable"])
    assert done.returncode == 0, done.stderr
    assert get(weir).status == 503
    assert weir.access_log()[0]["sentence"] == (
        "No server of the backend can be used at present. s1 has weight 0, s2 is disabled.")


FORGERIES = [
    '/" 200 0 "-" "-"',
    '/\\x22\\',
    '/a\\n127.0.0.1 - - [01/Jan/2026:00:00:00 +0000] "GET /forged HTTP/1.1" 200 0',
]


@pytest.mark.parametrize("target", FORGERIES)
def test_a_target_cannot_end_its_field(start, server, target):
    weir = start(config(
        listener("json"),
        listener("combined", access_log={"format": "combined", "path": "combined.log"}),
        backends=[backend(server)]))
    target = target.replace(" ", "%20")
    for name in ("json", "combined"):
        with Client(weir.address(name)) as client:
            client.request(target=target, fields=[("Connection", "close")])
            assert client.read_response().status in (200, 400)
    assert weir.access_log()[0]["target"] == target
    (line,) = weir.log_lines(file="combined.log")
    assert line.count('"') == 6 or " reason=bad_request " in line


@pytest.mark.parametrize("value", ['x" reason=forged "', "x\\", "x\tstatus=200", "\xe9\xff",
                                   '","status":200,"a":"'])
def test_no_field_of_a_client_can_make_another(start, server, value):
    weir = start(config(
        listener("json"),
        listener("combined", access_log={"format": "combined", "path": "combined.log"}),
        backends=[backend(server)]))
    for name in ("json", "combined"):
        with Client(weir.address(name)) as client:
            client.get(fields=[("User-Agent", value), ("Referer", value)])
    (line,) = weir.log_lines()
    record = json.loads(line)
    assert record["status"] == 200
    assert record["reason"] is None
    assert line.count('"status":') == 1
    (line,) = weir.log_lines(file="combined.log")
    assert line.count('"') == 6
    assert line.isascii()
    assert line.isprintable()


def test_what_could_not_be_read_is_logged_too(start, server):
    weir = start(simple(server))
    with Client(weir.address()) as client:
        client.send("\x16\x03\x01 nonsense\r\n\r\n")
        assert "TLS" in client.read_response().body.decode()
    record = weir.access_log()[0]
    assert (record["status"], record["method"], record["target"]) == (400, None, None)
    assert record["reason"] == "bad_request"
    assert "TLS handshake" in record["sentence"]
    assert record["detail"] > 0  # the rule


def test_the_log_goes_to_stdout_if_told(start, server):
    weir = start(simple(server, access_log={"format": "json", "path": "stdout"}))
    get(weir)
    assert json.loads(weir.process.stdout.wait_for("^{.*}$")[0])["status"] == 200


def test_a_quick_start_logs_combined_to_stdout(start, server):
    weir = start(arguments=["--listen", "127.0.0.1:0", "--to", server.address])
    get(weir)
    assert weir.process.stdout.wait_for(r'"GET / HTTP/1.1" 200 6 ')


def test_off_writes_nothing(start, server):
    weir = start(simple(server, access_log={"format": "off"}))
    get(weir)
    weir.stop()
    assert weir.process.stdout.whole_text() == ""
    assert not (weir.folder / "access.log").exists()


def test_listeners_may_share_a_file(start, server, script):
    echo = script(lambda connection: connection.send(connection.read_some()))
    weir = start(config(listener("a"), listener("b"), tcp_listener("c", backend="echo"),
                        backends=[backend(server), backend(echo, name="echo")]))
    get(weir, name="a")
    get(weir, name="b")
    with Client(weir.address("c")) as client:
        client.send("hello")
        client.end_writing()
        assert client.read_to_end() == b"hello"
    records = weir.access_log(3)
    assert sorted(record["listener"] for record in records) == ["a", "b", "c"]
    tunnel = next(record for record in records if record["listener"] == "c")
    assert (tunnel["kind"], tunnel["status"], tunnel["server"]) == ("tcp", None, "echo/s1")
    assert (tunnel["bytes_received"], tunnel["bytes_sent"]) == (5, 5)


def test_a_log_is_appended_to(start, server, tmp_path):
    path = tmp_path / "shared.log"
    path.write_text("before\n", encoding="ascii")
    for _ in range(2):
        weir = start(simple(server, access_log={"format": "combined", "path": str(path)}))
        get(weir)
        weir.stop()
    lines = path.read_text(encoding="ascii").splitlines()
    assert lines[0] == "before"
    assert len(lines) == 3


def test_a_log_at_the_limit_of_its_size_stops_nobody_and_goes_on_later(start, server):
    weir = start(simple(server))
    unlimited = resource.prlimit(weir.process.pid, resource.RLIMIT_FSIZE)
    assert get(weir, "/1").status == 200
    size = len(weir.log_lines()[0]) + 1
    resource.prlimit(weir.process.pid, resource.RLIMIT_FSIZE, (size + 9, unlimited[1]))
    for number in range(2, 100):
        assert get(weir, f"/{number}").status == 200
    path = weir.folder / "access.log"
    wait_until(lambda: path.stat().st_size == size + 9, "the log is full")
    resource.prlimit(weir.process.pid, resource.RLIMIT_FSIZE, unlimited)
    lines = weir.log_lines(100)
    assert lines.pop(1) == lines[1][:9]
    assert [json.loads(line)["target"] for line in lines] == [f"/{n}" for n in range(1, 100)]


@pytest.fixture
def unread(tmp_path):
    """A FIFO that nobody reads."""
    path = tmp_path / "log.fifo"
    os.mkfifo(path)
    return path


def overflow(weir, name=None, requests=30_000):
    """More requests than the log of a listener can hold back, none of which may fail."""
    done = run(["ab", "-q", "-k", "-n", requests, "-c", "50", weir.url("/name", name)])
    assert f"Complete requests:      {requests}" in done.stdout, done.stdout
    assert "Failed requests:        0" in done.stdout, done.stdout


def test_a_log_nobody_reads_delays_nobody_and_losses_are_counted(start, nginx, unread):
    weir = start(simple(nginx(), access_log={"format": "json", "path": str(unread)}))
    overflow(weir)
    dropped = weir.metrics().value("weir_worker_log_records_dropped_total")
    assert dropped > 0
    weir.terminate()
    weir.finish()  # even now


def test_a_reader_that_comes_late_gets_whole_lines(start, nginx, unread):
    weir = start(simple(nginx(), access_log={"format": "json", "path": str(unread)}))
    overflow(weir)
    with open(unread, encoding="ascii") as lines:
        for count, line in enumerate(lines, start=1):
            target = json.loads(line)["target"]
            if target == "/last":
                break
            assert target == "/name"
            if count % 1000 == 0:
                get(weir, "/last")  # logged as soon as there is room again


def test_a_log_nobody_reads_costs_another_listener_no_line(start, nginx, unread):
    weir = start(config(listener("blocked", access_log={"format": "json", "path": str(unread)}),
                        listener("other"), backends=[backend(nginx())]))
    overflow(weir, "blocked")
    assert get(weir, "/name", name="other").status == 200
    assert weir.access_log()[0]["listener"] == "other"
