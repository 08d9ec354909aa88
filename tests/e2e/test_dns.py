"""Servers whose address is a host name: resolved at the start and again by TTL."""
import os
import struct
import threading

import pytest

from dns import Dnsmasq, ScriptedDns, response
from process import free_port, run, wait_until
from servers import Client, DeafServer, get
from weir import BINARY, backend, config, listener, tcp_listener, write_config

NAME = "app.internal"


@pytest.fixture
def resolve(ends, tmp_path):
    """A DNS server with these records."""
    return lambda records, **options: ends(Dnsmasq(tmp_path, records, **options))


def named(dns, port, *, name=NAME, resolver=None, servers=(), **settings):
    """One HTTP listener before a backend with a server at the name, and perhaps others."""
    return config(listener(),
                  backends=[backend(f"{name}:{port}", *servers, **settings)],
                  resolver={"servers": [dns.address], **(resolver or {})})


def resolved(weir, server="s1", backend_name="web"):
    """The IP addresses that the server's name stands for."""
    _, state = weir.api("GET", f"/servers/{backend_name}/{server}")
    return [address.rpartition(":")[0] for address in state["resolved"]["addresses"]]


def wait_for_addresses(weir, *expected):
    wait_until(lambda: resolved(weir) == list(expected),
               f"the name stands for {expected}; it stands for {resolved(weir)}")


def bodies(weir, count):
    """What that many requests, each on a connection of its own, got."""
    return [get(weir).body.decode() for _ in range(count)]


# ---- Answers

def test_a_name_is_resolved_before_weir_is_ready(start, serve, resolve):
    server = serve("app")
    weir = start(named(resolve({NAME: ["127.0.0.1"]}), server.port))
    assert bodies(weir, 3) == ["app"] * 3
    assert resolved(weir) == ["127.0.0.1"]
    _, state = weir.api("GET", "/servers/web/s1")
    assert state["address"] == f"{NAME}:{server.port}"
    assert 0 <= state["resolved"]["ttl_left"] <= 1 and state["resolved"]["error"] == ""
    assert weir.metrics().value("weir_name_addresses", name=NAME) == 1


def test_a_pool_spans_sites(start, serve, resolve):
    """Machines of one's own, by their addresses, and others that only a name stands for."""
    cloud = serve("cloud")
    dns = resolve({NAME: ["127.0.0.1"]})
    pool = backend(serve("own4"), serve("own6", host="::1"), f"{NAME}:{cloud.port}")
    for member, zone in zip(pool["servers"], ("here", "here", "cloud")):
        member["zone"] = zone

    def configuration(cross_zone):
        return config(listener(), backends=[pool | {"cross_zone": cross_zone}], zone="here",
                      resolver={"servers": [dns.address]})
    weir = start(configuration("always"))
    assert sorted(bodies(weir, 6)) == ["cloud", "cloud", "own4", "own4", "own6", "own6"]
    weir.reload(configuration("overflow"))
    assert sorted(bodies(weir, 4)) == ["own4", "own4", "own6", "own6"]
    for server in ("s1", "s2"):
        assert weir.api("PATCH", f"/servers/web/{server}", {"state": "draining"})[0] == 200
    assert bodies(weir, 3) == ["cloud"] * 3


def test_ipv4_and_ipv6_addresses_are_used(start, serve, resolve):
    port = free_port()
    serve("v4", port=port)
    v6 = serve("v6", host="::1", port=port)
    dns = resolve({NAME: ["::1"]})
    weir = start(named(dns, port, pool={"idle_max": 0}))
    assert bodies(weir, 2) == ["v6"] * 2 and resolved(weir) == ["[::1]"]
    dns.change({NAME: ["127.0.0.1", "::1"]})
    wait_for_addresses(weir, "127.0.0.1", "[::1]")
    assert sorted(bodies(weir, 4)) == ["v4", "v4", "v6", "v6"]
    assert v6.requests


def test_tunnels_go_to_names(start, serve, resolve):
    server = serve("app")
    dns = resolve({NAME: ["127.0.0.1"]})
    weir = start(config(tcp_listener(), backends=[backend(f"{NAME}:{server.port}")],
                        resolver={"servers": [dns.address]}))
    assert bodies(weir, 2) == ["app"] * 2


def test_the_hosts_file_is_looked_at_first(start, serve, resolve):
    server = serve("here")
    dns = resolve({})
    weir = start(named(dns, server.port, name="localhost"))
    assert get(weir).body == b"here"
    assert dns.questions("localhost") == 0


@pytest.mark.parametrize("name", [NAME, "app"])
def test_names_are_fully_qualified(start, serve, resolve, name):
    server = serve("app")
    dns = resolve({name: ["127.0.0.1"], f"{name}.search": ["127.0.0.2", "::1"]})
    weir = start(named(dns, server.port, name=name), launcher=["env", "LOCALDOMAIN=search"])
    assert resolved(weir) == ["127.0.0.1"]
    assert dns.questions(f"{name}.search") == 0


def test_a_quick_start_takes_names(start, serve):
    server = serve("here")
    weir = start(arguments=["--listen", "127.0.0.1:0", "--to", f"localhost:{server.port}"])
    assert get(weir).body == b"here"


def test_the_log_has_the_address_that_was_used(start, serve, resolve):
    server = serve("app", host="127.0.0.2")
    dns = resolve({NAME: ["127.0.0.2"]})
    weir = start(config(
        listener(access_log={"format": "${server.name} ${server.address}", "path": "access.log"}),
        backends=[backend(f"{NAME}:{server.port}")], resolver={"servers": [dns.address]}))
    get(weir)
    assert weir.log_lines() == [f"s1 127.0.0.2:{server.port}"]


def test_a_request_without_a_host_gets_that_of_the_name(start, serve, resolve):
    server = serve("app")
    weir = start(named(resolve({NAME: ["127.0.0.1"]}), server.port))
    with Client(weir.address()) as client:
        client.send("GET / HTTP/1.0\r\n\r\n")
        assert client.read_response().status == 200
    assert server.requests[0].field("host") == f"{NAME}:{server.port}"


# ---- Several addresses (DISC-02)

def test_all_addresses_of_a_name_share_the_load_and_changes_are_followed(start, serve, resolve):
    port, name = free_port(), "backend.service.local"
    hosts = [f"127.0.0.{number}" for number in range(1, 6)]
    for host in hosts:
        serve(host, host=host, port=port)
    dns = resolve({name: hosts[:3]})
    weir = start(named(dns, port, name=name, pool={"idle_max": 0}))
    assert sorted(bodies(weir, 9)) == sorted(hosts[:3] * 3)
    dns.change({name: hosts[2:]})
    wait_for_addresses(weir, *hosts[2:])
    assert sorted(bodies(weir, 9)) == sorted(hosts[2:] * 3)


def test_the_next_address_serves_within_the_same_attempt(start, serve, resolve):
    server = serve("alive", host="127.0.0.2", port=free_port())  # which nobody has at 127.0.0.1
    weir = start(named(resolve({NAME: ["127.0.0.1", "127.0.0.2"]}), server.port,
                       retry={"attempts": 1}))
    assert bodies(weir, 5) == ["alive"] * 5
    assert {(record["status"], record["attempts"]) for record in weir.access_log(5)} == {(200, 1)}
    weir.wait_for_metric(1, "weir_server_connect_failures_total", server="s1")
    assert weir.metrics().value("weir_backend_retries_total") == 0


def test_a_silent_address_takes_only_its_share_of_the_time(start, serve, resolve, ends):
    deaf = ends(DeafServer())
    server = serve("alive", host="127.0.0.2", port=deaf.port)
    weir = start(named(resolve({NAME: [deaf.host, "127.0.0.2"]}), server.port,
                       retry={"attempts": 1}, timeouts={"connect": "600ms"}))
    assert bodies(weir, 3) == ["alive"] * 3


def test_more_addresses_than_are_used_are_counted(start, serve, resolve):
    port = free_port()
    hosts = [f"127.0.0.{number}" for number in range(1, 21)]
    serve("first", host=hosts[0], port=port)
    weir = start(named(resolve({NAME: hosts}), port))
    assert len(resolved(weir)) == 16
    weir.wait_for_metric(4, "weir_name_addresses_left_out", name=NAME)
    assert get(weir).status == 200


# ---- Changes

def test_idle_connections_to_an_address_that_is_gone_are_closed(start, serve, resolve):
    port = free_port()
    before, after = serve("before", port=port), serve("after", host="127.0.0.2", port=port)
    dns = resolve({NAME: ["127.0.0.1"]})
    weir = start(named(dns, port))
    with Client(weir.address()) as client:
        assert client.get().body == b"before"
        dns.change({NAME: ["127.0.0.2"]})
        assert before.connections[0].ended.wait(20)
        assert client.get().body == b"after"
    assert after.requests


def test_a_running_response_and_tunnel_finish_on_the_old_address(start, script, serve, resolve):
    port, go_on = free_port(), threading.Event()

    def answer_in_two_parts(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        go_on.wait(20)
        connection.send("again")

    script(answer_in_two_parts, port=port)
    serve("after", host="127.0.0.2", port=port)
    dns = resolve({NAME: ["127.0.0.1"]})
    weir = start(config(listener(), tcp_listener(), backends=[backend(f"{NAME}:{port}")],
                        resolver={"servers": [dns.address]}))
    with Client(weir.address("web")) as web, Client(weir.address("db")) as tunnel:
        for client in (web, tunnel):
            client.request()
            assert client.read_head() and client.read(5) == b"hello"
        dns.change({NAME: ["127.0.0.2"]})
        wait_for_addresses(weir, "127.0.0.2")
        assert get(weir, name="web").body == b"after"
        go_on.set()
        for client in (web, tunnel):
            assert client.read(5) == b"again"


def test_equal_names_are_asked_for_once(start, serve, resolve):
    dns = resolve({NAME: ["127.0.0.1"]})
    server = serve("app")
    start(named(dns, server.port, servers=[f"{NAME}:{server.port}"] * 9,
                resolver={"min_ttl": "1h"}))
    assert dns.questions(NAME) == 1


def test_a_reload_asks_for_new_names_only(start, serve, resolve):
    server = serve("app")
    dns = resolve({NAME: ["127.0.0.1"], "new.internal": ["127.0.0.1"]})
    settings = {"resolver": {"min_ttl": "1h"}, "pool": {"idle_max": 1}}
    weir = start(named(dns, server.port, **settings))
    weir.reload(named(dns, server.port, servers=[f"new.internal:{server.port}"], **settings))
    assert bodies(weir, 4) == ["app"] * 4
    assert (dns.questions(NAME), dns.questions("new.internal")) == (1, 1)
    _, state = weir.api("GET", "/servers/web/s2")
    assert state["reason"] == ""


def test_another_resolver_comes_into_force_with_a_reload(start, serve, resolve, ends, tmp_path):
    port = free_port()
    serve("first", port=port)
    serve("second", host="127.0.0.2", port=port)
    first = resolve({NAME: ["127.0.0.1"]})
    (tmp_path / "second").mkdir()
    second = ends(Dnsmasq(tmp_path / "second", {NAME: ["127.0.0.2"]}))
    weir = start(named(first, port, resolver={"min_ttl": "1h"}))
    assert get(weir).body == b"first"
    weir.reload(named(second, port, resolver={"min_ttl": "1h"}))
    wait_for_addresses(weir, "127.0.0.2")
    assert get(weir).body == b"second"


def test_a_server_with_a_name_is_added_and_serves_at_once(start, serve, resolve):
    server = serve("named")
    dns = resolve({NAME: ["127.0.0.1"]})
    weir = start(config(listener(), backends=[backend("127.0.0.1:1")],
                        resolver={"servers": [dns.address]}))
    done = run([BINARY, "ctl", "--admin", "{}:{}".format(*weir.admin_address), "add", "web/named",
                f"{NAME}:{server.port}"])
    assert done.returncode == 0, done.stderr
    assert bodies(weir, 3) == ["named"] * 3


# ---- Names that do not resolve

def test_an_unresolved_name_is_a_503_with_its_cause_until_it_resolves(start, serve, resolve):
    server = serve("late")
    dns = resolve({})
    weir = start(named(dns, server.port))
    response_ = get(weir)
    assert response_.status == 503 and b"no_server" in response_.body
    record = weir.access_log()[0]
    assert record["reason"] == "no_server"
    assert record["sentence"] == ("No server of the backend can be used at present. "
                                  f"s1: {NAME} does not resolve (NXDOMAIN).")
    weir.process.stderr.wait_for(
        rf"^warning: {NAME} does not resolve \(NXDOMAIN\); its servers get nothing$")
    _, state = weir.api("GET", "/servers/web/s1")
    assert state["reason"] == f"{NAME} does not resolve (NXDOMAIN)"
    dns.change({NAME: ["127.0.0.1"]})
    wait_for_addresses(weir, "127.0.0.1")
    assert get(weir).body == b"late"
    weir.process.stderr.wait_for(rf"^{NAME} resolves again: 127\.0\.0\.1$")


def test_the_rest_of_a_backend_serves_while_a_name_does_not_resolve(start, server, resolve):
    weir = start(named(resolve({}), 80, servers=[server]))
    assert bodies(weir, 3) == ["server"] * 3
    assert weir.metrics().value("weir_backend_retries_total") == 0


def test_explain_says_what_a_name_stands_for(start, serve, resolve):
    server = serve("app")
    dns = resolve({NAME: ["127.0.0.1", "::1"]})
    weir = start(named(dns, server.port, servers=["missing.internal:80"]))

    def explain(*arguments):
        return run([BINARY, "explain", *arguments, "GET", weir.url()]).stdout

    said = explain("--admin", "{}:{}".format(*weir.admin_address))
    assert f"server    s1 ({NAME}:{server.port} = 127.0.0.1, ::1, for " in said
    assert "not     s2: missing.internal does not resolve (NXDOMAIN)" in said
    write_config(weir.folder, named(dns, server.port) | {"listeners": [
        listener(address="{}:{}".format(*weir.address()))]})
    assert f"server    s1 ({NAME}:{server.port}, a name to be resolved, weight 1)" in explain(
        "-c", weir.folder / "weir.yaml")


# ---- Failures

def test_no_request_fails_while_the_resolver_is_dead(start, serve, resolve):
    port = free_port()
    serve("first", port=port)
    serve("second", host="127.0.0.2", port=port)
    dns = resolve({NAME: ["127.0.0.1"]})
    weir = start(named(dns, port, resolver={"timeout": "500ms", "attempts": 1}))
    stop, seen = threading.Event(), []

    def ask_all_the_time():
        while not stop.is_set():
            seen.append(get(weir).body.decode())

    client = threading.Thread(target=ask_all_the_time, daemon=True)
    client.start()
    dns.close()
    weir.process.stderr.wait_for(rf"^warning: {NAME} does not resolve \(.+\); its last good "
                                 r"addresses stay in use: 127\.0\.0\.1$")
    wait_until(lambda: weir.metrics().value("weir_name_failures_total", name=NAME) >= 3,
               "three questions have failed")
    assert weir.metrics().value("weir_name_stale", name=NAME) == 1
    dns.start()
    dns.change({NAME: ["127.0.0.2"]})
    wait_for_addresses(weir, "127.0.0.2")
    wait_until(lambda: "second" in seen, "the new address serves")
    stop.set()
    client.join()
    assert set(seen) == {"first", "second"}
    # Each change of state is said once.
    assert len(weir.process.stderr.find_all("does not resolve")) == 1
    assert len(weir.process.stderr.find_all("resolves again")) == 1


def test_nxdomain_counts_when_it_has_held(start, serve, resolve):
    server = serve("app")
    dns = resolve({NAME: ["127.0.0.1"]})
    weir = start(named(dns, server.port, resolver={"hold_nx": "3s"}))
    dns.change({})
    weir.process.stderr.wait_for(r"\(NXDOMAIN\); its last good addresses stay in use")
    assert get(weir).body == b"app"
    weir.process.stderr.wait_for(r"\(NXDOMAIN\); its servers get nothing")
    assert get(weir).status == 503


A_RECORD = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 0, 4) + bytes([127, 0, 0, 1])


@pytest.mark.parametrize("broken, why", [
    (lambda question: response(question, rcode=2), "SERVFAIL"),
    (lambda question: response(question, rcode=5), "REFUSED"),
    (lambda question: response(question, rest=A_RECORD[:-2], answers=1), "malformed answer"),
    (lambda question: os.urandom(40), "no name server answered in time"),
    (lambda question: question[:7], "no name server answered in time"),
    (lambda question: None, "no name server answered in time"),
], ids=["servfail", "refused", "cut", "random", "short", "silent"])
def test_good_addresses_outlive_broken_answers(start, serve, ends, broken, why):
    def good(question):
        is_v4 = question[question.index(b"\0", 12) + 2] == 1
        return response(question, rest=A_RECORD, answers=1) if is_v4 else response(question)

    server, dns = serve("app"), ends(ScriptedDns(good))
    weir = start(named(dns, server.port, resolver={"timeout": "500ms", "attempts": 1}))
    assert get(weir).body == b"app"
    dns.answer = broken
    weir.process.stderr.wait_for(rf"does not resolve \({why}\); its last good")
    assert get(weir).body == b"app"
    dns.answer = good
    weir.process.stderr.wait_for("resolves again: 127.0.0.1")


def test_a_ttl_of_zero_is_asked_for_no_sooner_than_the_minimum(start, serve, ends):
    questions = []

    def answer(question):
        questions.append(question)
        return response(question, rest=A_RECORD, answers=1)

    server, dns = serve("app"), ends(ScriptedDns(answer))
    weir = start(named(dns, server.port, resolver={"min_ttl": "1h"}))
    assert bodies(weir, 3) == ["app"] * 3
    assert len(questions) == 2  # for both families
    _, state = weir.api("GET", "/servers/web/s1")
    assert state["resolved"]["ttl_left"] > 3000


def test_check_asks_nobody(tmp_path, ends):
    questions = []
    dns = ends(ScriptedDns(questions.append))
    write_config(tmp_path, named(dns, 80))
    assert run([BINARY, "check", "-c", tmp_path / "weir.yaml"]).returncode == 0
    assert questions == []
