"""Backups get traffic when no primary can be used, and only then."""
import pytest

from servers import Client, HttpServer, RefusingServer, Server, get
from weir import backend, config, listener, tcp_listener


def with_backups(primaries, backups, **settings):
    made = backend(*primaries, *backups, **settings)
    for server in made["servers"][len(primaries):]:
        server["backup"] = True
    return made


def bodies(weir, count):
    return [get(weir).body.decode() for _ in range(count)]


BALANCES = ["round_robin", "random", "power_of_two", "least_connections"]


@pytest.mark.parametrize("balance", BALANCES)
def test_a_backup_gets_nothing_while_primaries_serve(start, serve, balance):
    spare = serve("spare")
    weir = start(config(listener(), backends=[
        with_backups([serve("one"), serve("two")], [spare], balance=balance)]))
    assert set(bodies(weir, 40)) <= {"one", "two"}
    assert spare.connections == []


def test_a_backup_gets_nothing_while_one_primary_serves(start, serve, ends):
    spare = serve("spare")
    weir = start(config(listener(), backends=[
        with_backups([ends(RefusingServer()), serve("one")], [spare], refused_pause="1h")]))
    assert set(bodies(weir, 10)) == {"one"}
    assert spare.connections == []


@pytest.mark.parametrize("balance", BALANCES)
def test_backups_serve_while_all_primaries_refuse_and_lose_it_when_one_returns(
        start, serve, ends, balance):
    refusing = [RefusingServer(), RefusingServer()]
    weir = start(config(listener(), backends=[with_backups(
        refusing, [serve("spare1"), serve("spare2")], balance=balance, refused_pause="300ms")]))
    served = bodies(weir, 20)
    assert set(served) <= {"spare1", "spare2"}
    assert {record["status"] for record in weir.access_log(20)} == {200}
    refusing[0].close()
    ends(HttpServer("primary", host=refusing[0].host, port=refusing[0].port))
    while bodies(weir, 1) != ["primary"]:  # ends with the access log's limit below
        assert len(weir.access_log()) < 10_000
    # Whether the other refuses again or is still left out: a primary can be used.
    assert set(bodies(weir, 20)) == {"primary"}
    refusing[1].close()


def test_backups_share_by_weight(start, serve, ends):
    weir = start(config(listener(), backends=[with_backups(
        [ends(RefusingServer())], [serve("a"), serve("b")], weights=[1, 2, 1],
        refused_pause="1h")]))
    served = bodies(weir, 12)
    assert (served.count("a"), served.count("b")) == (8, 4)


def test_a_request_is_saved_by_a_backup_when_no_primary_is_left_to_try(start, script, serve):
    dying = script(lambda connection: connection.read_request())
    weir = start(config(listener(), backends=[with_backups([dying], [serve("spare")])]))
    assert bodies(weir, 1) == ["spare"]
    record = weir.access_log()[0]
    assert (record["attempts"], record["server"]) == (2, "web/s2")


def test_when_backups_refuse_as_well_it_is_a_502(start, ends):
    weir = start(config(listener(), backends=[
        with_backups([ends(RefusingServer())], [ends(RefusingServer())])]))
    assert get(weir).status == 502


def test_connections_of_tcp_go_to_backups_too(start, ends):
    spare = ends(Server(lambda connection: connection.send("spare")))
    weir = start(config(tcp_listener(backend="db"), backends=[
        with_backups([ends(RefusingServer())], [spare], name="db")]))
    for _ in range(3):
        with Client(weir.address()) as client:
            assert client.read_to_end() == b"spare"
