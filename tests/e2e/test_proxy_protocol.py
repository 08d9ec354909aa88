"""The PROXY protocol, in and out: who is told, who is believed, and what a broken header gets."""
import socket
import struct

import pytest

from process import Process, free_port, run
from servers import Client, get
from weir import BINARY, backend, config, listener, simple, tcp_listener

V2 = b"\r\n\r\n\0\r\nQUIT\n"


def v2(source, destination, source_port=4711, port=443, tlvs=b"", command=1):
    addresses = (socket.inet_aton(source) + socket.inet_aton(destination) +
                 struct.pack("!HH", source_port, port))
    return V2 + struct.pack("!BBH", 0x20 | command, 0x11, len(addresses + tlvs)) + addresses + tlvs


def tlv(kind, value):
    return struct.pack("!BH", kind, len(value)) + value


def trusting(*servers, **settings):
    return simple(*servers, trusted_proxies=["127.0.0.1"], proxy_protocol=True, **settings)


V1 = b"PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n"
V1_IPV6 = b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n"
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("header, client", [
    (V1, "203.0.113.7"), (V1_IPV6, "2001:db8::7"), (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    (b"PROXY UNKNOWN ff:ff 1 2\r\n", "127.0.0.1"), (v2("203.0.113.7", "192.0.2.1"), "203.0.113.7"),
    (v2("203.0.113.7", "192.0.2.1", tlvs=tlv(0x05, b"id")), "203.0.113.7"),
    (v2("203.0.113.7", "192.0.2.1", command=0), "127.0.0.1"),
])
@pytest.mark.parametrize("pieces", ["whole", "bytes"])
def test_a_header_names_the_client(start, server, header, client, pieces):
    weir = start(trusting(server))
    with Client(weir.address()) as connection:
        sent = header + REQUEST + REQUEST
        connection.send(*([sent] if pieces == "whole" else [bytes([b]) for b in sent]))
        assert connection.read_response().status == 200
        assert connection.read_response().status == 200
    assert [record["client_address"] for record in weir.access_log(2)] == [client] * 2
    assert server.requests[0].field("X-Forwarded-For") == client


def test_curl_speaks_it(start, server):
    weir = start(trusting(server))
    assert run(["curl", "-sS", "--haproxy-protocol", weir.url()]).stdout == "server"


@pytest.mark.parametrize("sent", [
    REQUEST, b"PROXY TCP4 203.0.113.7 192.0.2.1 4711\r\n" + REQUEST, b"PROXY " + b"x" * 200,
    V2 + b"\x31\x11\x00\x0c" + b"\0" * 12, V2 + b"\x21\x11\xff\xff" + b"\0" * 4096,
    V1[:-1] + b"x" + REQUEST,
])
@pytest.mark.parametrize("protocol", ["http", "tcp"])
def test_a_connection_without_a_whole_header_is_reset(start, server, sent, protocol):
    weir = start(trusting(server, protocol=protocol))
    with Client(weir.address()) as client:
        client.send(sent)
        with pytest.raises(ConnectionResetError):
            client.read(1)
            client.read(1)
    record = weir.access_log(1)[0]
    assert (record["status"], record["reason"]) == (None, "bad_proxy_header")
    weir.wait_for_metric(1, "weir_errors_total", side="client", reason="bad_proxy_header")
    assert server.requests == []


def test_who_says_nothing_is_not_waited_for_for_ever(start, server):
    weir = start(trusting(server, timeouts={"client_head": "200ms"}))
    with Client(weir.address()) as client:
        client.send(V1[:20])
        with pytest.raises(ConnectionResetError):
            client.read(1)
            client.read(1)
    assert weir.access_log(1)[0]["reason"] == "client_head_timeout"


def test_a_look_whether_somebody_listens_leaves_no_line(start, server):
    weir = start(trusting(server))
    Client(weir.address()).close()
    with Client(weir.address()) as client:
        client.send(V1 + REQUEST)
        assert client.read_response().status == 200
    assert len(weir.access_log(1)) == 1


def test_who_is_not_trusted_is_served_and_not_believed(start, server):
    weir = start(simple(server, trusted_proxies=["192.0.2.1"], proxy_protocol=True))
    assert get(weir).status == 200
    with Client(weir.address()) as client:
        client.send(V1 + REQUEST)
        assert client.read_response().status == 400


# ---- To servers

@pytest.fixture
def listening(script):
    """A server that keeps what each connection begins with, and echoes the rest."""
    heads = []

    def serve(connection):
        line = connection.read(6)
        if line == b"PROXY ":
            while not line.endswith(b"\r\n"):
                line += connection.read(1)
        else:
            line += connection.read(10)
            line += connection.read(struct.unpack("!H", line[14:16])[0])
        heads.append(line)
        connection.send(connection.read(5))
        connection.read(1)
    server = script(serve)
    server.heads = heads
    return server


def test_a_tunnel_begins_with_a_header(start, listening):
    weir = start(config(tcp_listener(backend="web"),
                        backends=[backend(listening, proxy_protocol="v1")]))
    with Client(weir.address()) as client:
        client.send("hello")
        assert client.read(5) == b"hello"
        assert listening.heads == [b"PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\n" % (
            client.own_address[1], weir.address()[1])]
    assert weir.access_log(1)[0]["bytes_received"] == 5


def test_what_the_clients_proxy_said_is_passed_on(start, listening):
    settings = {"trusted_proxies": ["127.0.0.1"], "proxy_protocol": True}
    weir = start(config(tcp_listener(backend="web", **settings),
                        backends=[backend(listening, proxy_protocol="v2")]))
    authority, own = tlv(0x02, b"db.example"), tlv(0xE0, b"mine")
    with Client(weir.address()) as client:
        client.send(v2("203.0.113.7", "192.0.2.1", tlvs=authority + tlv(0x04, b"\0\0") + own) +
                    b"hello")
        assert client.read(5) == b"hello"
    assert listening.heads == [v2("203.0.113.7", "192.0.2.1", tlvs=authority + own)]
    assert weir.access_log(1)[0]["client_address"] == "203.0.113.7"


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_nginx_understands_what_weir_says(start, nginx, version):
    behind = nginx()
    weir = start(config(tcp_listener(backend="web"), backends=[
        backend(f"127.0.0.1:{behind.announced_port}", proxy_protocol=version)]))
    assert run(["curl", "-sS", weir.url()]).stdout == f"127.0.0.1 {weir.address()[1]}\n"


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_each_request_has_a_connection_that_names_its_client(start, nginx, version):
    behind = nginx()
    settings = {"trusted_proxies": ["127.0.0.1"], "proxy_protocol": True}
    weir = start(config(listener(**settings), backends=[
        backend(f"127.0.0.1:{behind.announced_port}", proxy_protocol=version)]))
    for client in ("203.0.113.7", "203.0.113.8"):
        with Client(weir.address()) as connection:
            connection.send(v2(client, "192.0.2.1") + REQUEST + REQUEST)
            for _ in range(2):
                assert connection.read_response().body == f"{client} 443\n".encode()
    assert weir.metrics().value("weir_server_reuses_total") == 0


def test_a_reload_that_asks_for_headers_reuses_no_connection_without(start, nginx):
    behind = nginx()
    plain = config(listener(), backends=[backend(f"127.0.0.1:{behind.port}")])
    weir = start(plain)
    assert get(weir, "/name").status == 200
    plain["backends"][0]["proxy_protocol"] = "v1"
    weir.reload(plain)
    assert get(weir, "/name").status != 200  # this port of nginx takes no header


@pytest.mark.parametrize("version", ["send-proxy", "send-proxy-v2"])
def test_weir_understands_what_haproxy_says(start, server, ends, tmp_path, version):
    weir = start(trusting(server))
    port = free_port()
    (tmp_path / "haproxy.cfg").write_text(f"""
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
listen front
  bind 127.0.0.1:{port}
  source 127.0.0.1
  server weir 127.0.0.1:{weir.address()[1]} {version}
""", encoding="utf-8")
    haproxy = Process(["haproxy", "-db", "-f", tmp_path / "haproxy.cfg"])
    try:
        curl = ["curl", "-sS", "--interface", "127.0.0.9", "--retry", "20", "--retry-delay", "1",
                "--retry-connrefused", f"http://127.0.0.1:{port}/"]
        assert run(curl).stdout == "server"
    finally:
        haproxy.stop()
    assert weir.access_log(1)[0]["client_address"] == "127.0.0.9"


def test_proxy_protocol_needs_to_know_whom_to_trust(tmp_path):
    (tmp_path / "weir.yaml").write_text("""\
listeners:
  - { name: web, address: 127.0.0.1:0, proxy_protocol: true, backend: app }
backends:
  - name: app
    servers: [ { name: s, address: 127.0.0.1:1 } ]
""", encoding="utf-8")
    done = run([BINARY, "check", "-c", tmp_path / "weir.yaml"])
    assert "proxy_protocol needs trusted_proxies" in done.stdout + done.stderr
