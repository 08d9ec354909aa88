"""What servers are told of the client, and whose word on it is believed."""
import json

import pytest

from process import run
from servers import Client, get
from weir import BINARY, backend, config, listener, simple

LIES = ["X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https", "X-Forwarded-Host: lie.example",
        "X-Forwarded-Port: 443", "X-Real-IP: 203.0.113.9",
        "Forwarded: for=203.0.113.9;proto=https;host=lie.example"]
ALL = ["x_forwarded_for", "x_forwarded_proto", "x_forwarded_host", "x_forwarded_port", "x_real_ip",
       "forwarded"]


@pytest.fixture
def echo(serve):
    """A server that answers with the head it got, as JSON: {name in lower case: [values]}."""
    def answer(connection, request):
        fields = {}
        for name, value in request.fields:
            fields.setdefault(name.lower(), []).append(value)
        connection.answer(json.dumps(fields))
    return serve("echo", answer)


def ask(weir, *fields, target="/", version="1.1"):
    lines = [f"GET {target} HTTP/{version}", "Host: www.example.com", *fields, "", ""]
    with Client(weir.address()) as client:
        client.send("\r\n".join(lines).encode())
        response = client.read_response()
        assert response.status == 200, response.head
        return json.loads(response.body)


def said(head, *names):
    return {name: head.get(name) for name in names}


def test_by_default_three_fields_are_written(start, echo):
    head = ask(start(simple(echo)))
    assert said(head, "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host",
                "x-forwarded-port", "x-real-ip", "forwarded", "via") == {
        "x-forwarded-for": ["127.0.0.1"], "x-forwarded-proto": ["http"],
        "x-forwarded-host": ["www.example.com"], "x-forwarded-port": None, "x-real-ip": None,
        "forwarded": None, "via": None}


def test_what_an_untrusted_client_says_of_itself_is_removed(start, echo):
    weir = start(simple(echo, trusted_proxies=["10.0.0.0/8"]))
    head = ask(weir, *LIES, *(line.upper().replace("LIE", "other") for line in LIES))
    assert said(head, "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host",
                "x-forwarded-port", "x-real-ip", "forwarded") == {
        "x-forwarded-for": ["127.0.0.1"], "x-forwarded-proto": ["http"],
        "x-forwarded-host": ["www.example.com"], "x-forwarded-port": None, "x-real-ip": None,
        "forwarded": None}
    assert weir.access_log(1)[0]["client_address"] == "127.0.0.1"


def test_nothing_is_written_where_nothing_is_asked_for(start, echo):
    head = ask(start(simple(echo, forwarded={"write": []})), *LIES)
    assert not [name for name in head if "forwarded" in name or "real" in name]


def test_all_fields_can_be_written(start, echo):
    weir = start(simple(echo, forwarded={"write": ALL}))
    port = str(weir.address()[1])
    head = ask(weir, *LIES)
    assert said(head, "x-forwarded-for", "x-forwarded-port", "x-real-ip") == {
        "x-forwarded-for": ["127.0.0.1"], "x-forwarded-port": [port], "x-real-ip": ["127.0.0.1"]}
    (forwarded,) = head["forwarded"]
    assert forwarded.startswith('for="127.0.0.1:')
    assert forwarded.endswith(";host=www.example.com;proto=http")


def test_a_trusted_proxy_is_believed_and_added_to(start, echo):
    weir = start(simple(echo, trusted_proxies=["127.0.0.0/8", "10.0.0.0/8"],
                        forwarded={"write": ALL}))
    head = ask(weir, "X-Forwarded-For: 192.0.2.66, 203.0.113.42", "X-Forwarded-For: 10.1.2.3",
               "X-Forwarded-Proto: https", "X-Forwarded-Host: shop.example",
               "X-Forwarded-Port: 443", "X-Real-IP: 10.1.2.3", "Forwarded: for=10.1.2.3")
    assert said(head, "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host",
                "x-forwarded-port", "x-real-ip") == {
        "x-forwarded-for": ["192.0.2.66, 203.0.113.42, 10.1.2.3, 127.0.0.1"],
        "x-forwarded-proto": ["https"], "x-forwarded-host": ["shop.example"],
        "x-forwarded-port": ["443"], "x-real-ip": ["203.0.113.42"]}
    assert head["forwarded"][0].startswith('for=10.1.2.3, for="127.0.0.1:')
    # Who is no proxy of ours made the request; what is left of it anybody may have written.
    assert weir.access_log(1)[0]["client_address"] == "203.0.113.42"


def test_the_client_may_be_read_from_forwarded(start, echo):
    weir = start(simple(echo, trusted_proxies=["127.0.0.1"],
                        forwarded={"write": ["x_real_ip"], "read": "forwarded"}))
    head = ask(weir, 'Forwarded: for="[2001:db8::7]:4711";proto=https', "X-Forwarded-For: 1.2.3.4")
    assert head["x-real-ip"] == ["2001:db8::7"]
    assert weir.access_log(1)[0]["client_address"] == "2001:db8::7"


def test_via_is_written_both_ways_and_ends_a_loop(start, echo):
    weir = start(simple(echo, via="edge-1"))
    with Client(weir.address()) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\nVia: 1.1 cdn (edge-1), 1.0 other\r\n\r\n")
        response = client.read_response()
        assert json.loads(response.body)["via"] == ["1.1 cdn (edge-1), 1.0 other", "1.1 edge-1"]
        assert response.field("Via") == "1.1 edge-1"
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\nVia: 1.1 cdn, 1.1 EDGE-1 (again)\r\n\r\n")
        assert client.read_response().status == 508
    assert weir.access_log(2)[-1]["reason"] == "loop_detected"


def test_a_listener_that_is_its_own_server_stops_at_once(start, tmp_path):
    weir = start(config(listener(via="me", address="127.0.0.1:0"),
                        backends=[backend("127.0.0.1:1")]))
    weir.reload(config(listener(via="me", address="127.0.0.1:0"),
                       backends=[backend("%s:%d" % weir.address())]))
    assert get(weir).status == 508


def test_a_request_id_is_made_and_a_trusted_one_kept(start, echo):
    weir = start(simple(echo, request_id="X-Request-Id"))
    made = [ask(weir, "X-Request-ID: mine")["x-request-id"] for _ in range(3)]
    assert all(len(ids) == 1 and len(ids[0]) == 32 and int(ids[0], 16) >= 0 for ids in made)
    assert len({ids[0] for ids in made}) == 3
    weir = start(simple(echo, request_id="X-Request-Id", trusted_proxies=["127.0.0.1"]))
    assert ask(weir, "X-Request-ID: from-the-edge")["x-request-id"] == ["from-the-edge"]
    assert ask(weir, "X-Request-ID: a", "X-Request-ID: b")["x-request-id"] == ["a"]
    for bad in ("", "x" * 129, "a b", 'a"b'):
        assert len(ask(weir, f"X-Request-ID: {bad}")["x-request-id"][0]) == 32


@pytest.mark.parametrize("setting, problem", [
    ('via: "a b"', "expected a name of letters, digits"),
    ("request_id: Host", "the field 'Host' has a meaning of its own"),
    ("request_id: 'a b'", "expected the name of a field such as X-Request-Id"),
    ("trusted_proxies: [10.0.0.1/8]", "expected a network"),
    ("forwarded: { write: [x_forwarded_from] }", "(did you mean 'x_forwarded_for'?)"),
    ("forwarded: { read: x_real_ip }", "expected one of x_forwarded_for, forwarded"),
])
def test_bad_settings(tmp_path, setting, problem):
    (tmp_path / "weir.yaml").write_text(f"""\
listeners:
  - name: web
    address: 127.0.0.1:0
    {setting}
    backend: app
backends:
  - name: app
    servers: [ {{ name: s, address: 127.0.0.1:1 }} ]
""", encoding="utf-8")
    done = run([BINARY, "check", "-c", tmp_path / "weir.yaml"])
    assert problem in done.stdout + done.stderr


def test_explain_says_whose_request_it_would_be(tmp_path):
    (tmp_path / "weir.yaml").write_text("""\
listeners:
  - { name: web, address: :8080, trusted_proxies: [10.0.0.0/8], backend: app }
backends:
  - name: app
    servers: [ { name: s, address: 127.0.0.1:1 } ]
""", encoding="utf-8")

    def client_of(*arguments):
        said = run([BINARY, "explain", "-c", "weir.yaml", *arguments, "GET", "http://x:8080/"],
                   cwd=tmp_path).stdout
        return next(line for line in said.splitlines() if line.startswith("client"))

    spoken = ["-H", "X-Forwarded-For: 203.0.113.42"]
    assert client_of("--from", "10.1.2.3", *spoken) == (
        "client    203.0.113.42, as the trusted proxy 10.1.2.3 says")
    assert client_of("--from", "10.1.2.3") == (
        "client    10.1.2.3, a trusted proxy that says of nobody else")
    assert client_of("--from", "192.0.2.1", *spoken) == (
        "client    192.0.2.1, who is no trusted proxy")
    assert client_of("--from", "2001:db8::1", *spoken) == (
        "client    2001:db8::1, who is no trusted proxy")


def test_nobody_removes_the_fields_by_naming_them_in_connection(start, echo):
    named = "Connection: X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host"
    for trusted in ([], ["127.0.0.1"]):
        head = ask(start(simple(echo, trusted_proxies=trusted)), named, "X-Forwarded-Proto: https")
        assert said(head, "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host") == {
            "x-forwarded-for": ["127.0.0.1"], "x-forwarded-proto": ["http"],
            "x-forwarded-host": ["www.example.com"]}


def test_templates_do_not_see_what_was_removed_either(start, echo):
    shown = "${request.header.X-Real-IP}|${request.header.X-Forwarded-For}"
    weir = start(simple(echo, filters=[{"headers": {"request": [{"set": "X-Seen", "value": shown}]}}]))
    assert ask(weir, *LIES)["x-seen"] == ["|127.0.0.1"]
