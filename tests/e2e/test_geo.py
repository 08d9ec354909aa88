"""Servers with a `location`: the nearest to the client answers, as far as `geo_database` knows."""
import os
import re

import pytest

from geo import write_geo_database
from process import run
from servers import Client, get
from weir import BINARY, backend, config, listener, tcp_listener, write_config

BERLIN, NEW_YORK, OSAKA = (52.52, 13.40), (40.71, -74.01), (34.69, 135.50)
SITES = {"Frankfurt": (50.11, 8.68), "Virginia": (39.04, -77.49), "Tokyo": (35.68, 139.69)}
NETWORKS = {"203.0.113.0/24": BERLIN, "198.51.100.0/24": NEW_YORK, "127.0.0.9/32": OSAKA,
            "198.51.99.0/24": SITES["Tokyo"],
           "2001:db8:1::/48": BERLIN, "2001:db8:2::/48": NEW_YORK, "192.0.2.0/24": None}
IN_BERLIN, IN_NEW_YORK, IN_OSAKA, NOWHERE = "203.0.113.7", "198.51.100.7", "127.0.0.9", "192.0.2.7"


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "places.mmdb"
    write_geo_database(path, NETWORKS)
    return path


@pytest.fixture
def servers(nginx):
    return {name: nginx(name) for name in SITES}


def configuration(database, servers, *listeners, **settings):
    """Its servers are s1 to s3; a request's client is who its X-Forwarded-For says."""
    pool = backend(*servers.values(), **settings)
    for member, (latitude, longitude) in zip(pool["servers"], SITES.values()):
        member["location"] = {"latitude": latitude, "longitude": longitude}
    chosen = listeners or (listener(trusted_proxies=["127.0.0.1"]),)
    return config(*chosen, backends=[pool], geo_database=str(database))


def name_for(weir, client):
    response = get(weir, "/name", fields=[("X-Forwarded-For", client)])
    assert response.status == 200
    return response.body.decode().strip()


def names_for(weir, client, count=10):
    return {name_for(weir, client) for _ in range(count)}


def unknown(weir):
    return weir.metrics().value("weir_backend_places_unknown_total", backend="web")


# ---- Who serves whom

@pytest.mark.parametrize("balance", ["round_robin", "least_connections", "hash"])
def test_a_request_goes_to_the_nearest_server(start, database, servers, balance):
    weir = start(configuration(database, servers, balance=balance))
    for client, name in [(IN_BERLIN, "Frankfurt"), ("2001:db8:1::7", "Frankfurt"),
                         (IN_NEW_YORK, "Virginia"), ("2001:db8:2::7", "Virginia"),
                         (IN_OSAKA, "Tokyo"), ("198.51.99.7", "Tokyo")]:
        assert names_for(weir, client, 4) == {name}, client
    assert unknown(weir) == 0


def test_a_tunnel_goes_to_the_server_nearest_to_whom_the_proxy_names(start, database, servers):
    weir = start(configuration(database, servers, tcp_listener(
        backend="web", proxy_protocol=True, trusted_proxies=["127.0.0.1"])))
    for header, name in [("TCP4 203.0.113.7 192.0.2.1", "Frankfurt"),
                         ("TCP6 2001:db8:2::7 2001:db8::1", "Virginia"),
                         ("TCP4 127.0.0.9 192.0.2.1", "Tokyo")]:
        with Client(weir.address()) as client:
            client.send(f"PROXY {header} 4711 443\r\n")
            assert client.get("/name").body.decode() == f"{name}\n"
    assert unknown(weir) == 0
    with Client(weir.address()) as client:
        client.send("PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n")
        assert client.get("/name").status == 200
    weir.wait_for_metric(1, "weir_backend_places_unknown_total", backend="web")


@pytest.mark.parametrize("address", ["127.0.0.1:0", ":0"])
def test_without_a_proxy_the_client_is_who_is_connected(start, database, servers, address):
    """Also on a socket of both families, where it is an IPv4-mapped IPv6 address."""
    weir = start(configuration(database, servers, listener(address=address)))
    _, port = weir.address()
    for _ in range(4):
        with Client(("127.0.0.1", port), source=IN_OSAKA) as client:
            assert client.get("/name").body == b"Tokyo\n"


def test_who_is_not_trusted_cannot_choose_its_place(start, database, servers):
    weir = start(configuration(database, servers, listener()))
    for _ in range(4):
        with Client(weir.address(), source=IN_OSAKA) as client:
            response = client.get("/name", fields=[("X-Forwarded-For", IN_BERLIN)])
            assert response.body == b"Tokyo\n"


def test_servers_of_one_place_share_its_clients(start, database, nginx):
    servers = {name: nginx(name) for name in ("A", "B", "C")}
    same = configuration(database, servers)
    same["backends"][0]["servers"][1]["location"] = same["backends"][0]["servers"][0]["location"]
    weir = start(same)
    assert [name_for(weir, IN_BERLIN) for _ in range(4)] == ["A", "B", "A", "B"]


# ---- Who serves them when the nearest cannot

def test_when_the_nearest_is_gone_the_next_one_serves(start, database, servers):
    weir = start(configuration(database, servers, refused_pause="1h"))
    assert names_for(weir, IN_BERLIN) == {"Frankfurt"}
    servers["Frankfurt"].close()
    assert names_for(weir, IN_BERLIN) == {"Virginia"}  # 6,700 km; Tokyo is 8,900
    assert names_for(weir, IN_OSAKA) == {"Tokyo"}
    servers["Virginia"].close()
    assert names_for(weir, IN_BERLIN) == {"Tokyo"}


def test_a_server_that_returns_gets_its_clients_back(start, database, servers):
    weir = start(configuration(database, servers))
    for state, name in [("disabled", "Virginia"), ("ready", "Frankfurt"),
                        ("draining", "Virginia"), ("ready", "Frankfurt")]:
        assert weir.api("PATCH", "/servers/web/s1", {"state": state})[0] == 200
        assert names_for(weir, IN_BERLIN, 4) == {name}


def test_a_server_at_no_place_stands_in_when_no_other_can(start, database, servers):
    homeless = configuration(database, servers)
    del homeless["backends"][0]["servers"][2]["location"]
    weir = start(homeless)
    assert names_for(weir, IN_OSAKA) <= {"Frankfurt", "Virginia"}
    for server in ("s1", "s2"):
        assert weir.api("PATCH", f"/servers/web/{server}", {"state": "disabled"})[0] == 200
    assert names_for(weir, IN_OSAKA) == {"Tokyo"}


# ---- Clients at no place that is known

def test_a_client_at_an_unknown_place_gets_any_server_and_is_counted(start, database, servers):
    """Not in the database, or there without coordinates. 3 (2/3)^75 misses one of the servers."""
    weir = start(configuration(database, servers))
    names = {name_for(weir, client) for _ in range(25)
             for client in (NOWHERE, "100.64.0.1", "2001:db8:ffff::1")}
    assert names == set(SITES)
    weir.wait_for_metric(75, "weir_backend_places_unknown_total", backend="web")
    assert names_for(weir, IN_BERLIN) == {"Frankfurt"}
    assert unknown(weir) == 75


def test_a_client_at_an_unknown_place_gets_no_server_without_weight(start, database, servers):
    weir = start(configuration(database, servers, weights=[1, 0, 0]))
    assert names_for(weir, NOWHERE, 20) == {"Frankfurt"}


def test_a_database_of_ipv4_knows_no_ipv6(start, database, servers):
    write_geo_database(database, {"203.0.113.0/24": BERLIN}, ip_version=4)
    weir = start(configuration(database, servers, listener(
        address=":0", trusted_proxies=["127.0.0.1"])))
    weir.addresses = {"web": ("127.0.0.1", weir.address()[1])}
    assert names_for(weir, IN_BERLIN) == {"Frankfurt"}
    assert unknown(weir) == 0
    name_for(weir, "2001:db8:1::7")
    weir.wait_for_metric(1, "weir_backend_places_unknown_total", backend="web")


def test_who_has_no_location_costs_no_look(start, database, nginx):
    plain = config(listener(), backends=[backend(nginx("A"))], geo_database=str(database))
    weir = start(plain)
    assert names_for(weir, NOWHERE, 4) == {"A"}
    assert unknown(weir) == 0


# ---- Databases that are none

def leave_out(path):
    path.unlink()


def empty(path):
    path.write_bytes(b"")


def fill_with_text(path):
    path.write_text("203.0.113.0/24,52.52,13.40\n", encoding="ascii")


def cut(path):
    path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])


def be_a_folder(path):
    path.unlink()
    path.mkdir()


def be_a_pipe(path):
    path.unlink()
    os.mkfifo(path)


BROKEN = [(leave_out, "No such file or directory"),
          (empty, "An attempt to read data from the MaxMind DB file failed"),
          (fill_with_text, "The MaxMind DB file contains invalid metadata"),
          (cut, "The MaxMind DB file contains invalid metadata"),
          (be_a_folder, "it is no regular file"), (be_a_pipe, "it is no regular file")]

FILE = """\
geo_database: places.mmdb
listeners:
  - { name: web, address: 127.0.0.1:0, backend: web }
backends:
  - name: web
    servers:
      - { name: s1, address: 127.0.0.1:1, location: { latitude: 50.11, longitude: 8.68 } }
"""


def told(folder, command):
    """(exit code, all that is printed) of a command that takes FILE."""
    write_config(folder, FILE)
    done = run([BINARY, command, "-c", "weir.yaml"], cwd=folder)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize("damage, why", BROKEN)
def test_a_broken_database_is_an_error_of_the_configuration(database, command, damage, why):
    damage(database)
    assert told(database.parent, command) == (1, f"""\
weir.yaml:1:15: error: cannot read 'places.mmdb': {why}
geo_database: places.mmdb
              ^
""")


def test_a_good_database_is_none(database):
    assert told(database.parent, "check") == (0, "weir.yaml: ok\n")


def test_locations_need_a_database(tmp_path):
    write_config(tmp_path, FILE.partition("\n")[2])
    done = run([BINARY, "check", "-c", "weir.yaml"], cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "weir.yaml:6:17: error: location needs 'geo_database' at the top: where clients are\n")


@pytest.mark.parametrize("damage, why", BROKEN)
def test_a_reload_that_finds_a_broken_database_changes_nothing(
        start, database, servers, damage, why):
    good = configuration(database, servers)
    weir = start(good)
    damage(database)
    other = configuration(database, {"Virginia": servers["Virginia"]})
    write_config(weir.folder, other)
    status, answer = weir.api("POST", "/reload")
    assert (status, answer["error"]["reason"]) == (422, "bad_configuration")
    assert f"error: cannot read '{database}': {why}\n" in answer["error"]["message"]
    assert names_for(weir, IN_BERLIN) == {"Frankfurt"}
    assert unknown(weir) == 0


# ---- Databases that are replaced

def test_a_database_that_was_replaced_holds_from_the_reload_on(start, database, servers):
    same = configuration(database, servers)
    weir = start(same)
    assert names_for(weir, IN_BERLIN) == {"Frankfurt"}
    write_geo_database(database, {"203.0.113.0/24": OSAKA})
    assert names_for(weir, IN_BERLIN) == {"Frankfurt"}
    weir.reload(same)
    assert names_for(weir, IN_BERLIN) == {"Tokyo"}


def test_another_database_holds_from_the_reload_on(start, database, servers):
    weir = start(configuration(database, servers))
    other = database.with_name("other.mmdb")
    write_geo_database(other, {"203.0.113.0/24": NEW_YORK})
    report = weir.reload(configuration(other, servers))
    assert [change.partition(":")[0] for change in report["changes"]] == ["geo_database"]
    assert names_for(weir, IN_BERLIN) == {"Virginia"}


def test_a_database_may_be_overwritten_while_it_is_used(start, database, servers):
    """In place, which would end a process that has the file mapped."""
    weir = start(configuration(database, servers))
    empty(database)
    assert names_for(weir, IN_BERLIN) == {"Frankfurt"}


@pytest.mark.parametrize("damage, why", BROKEN[:2])
def test_a_change_by_the_api_keeps_the_database_that_is_there(
        start, database, servers, serve, damage, why):
    del why
    weir = start(configuration(database, servers))
    damage(database)
    assert weir.api("POST", "/backends/web/servers",
                    {"name": "s4", "address": serve("added").address})[0] == 201
    assert names_for(weir, IN_BERLIN) == {"Frankfurt"}
    assert unknown(weir) == 0


# ---- What is said of it

def explained(weir, *arguments):
    """What is said, every run of spaces as one."""
    done = run([BINARY, "explain", "--admin", "%s:%d" % weir.admin_address, *arguments],
               cwd=weir.folder)
    assert done.returncode == 0, done.stderr
    return re.sub(" +", " ", done.stdout)


def test_explain_says_where_the_client_is(start, database, servers):
    weir = start(configuration(database, servers))
    for arguments in (["--from", IN_BERLIN],
                      ["--from", "127.0.0.1", "-H", f"X-Forwarded-For: {IN_BERLIN}"]):
        said = explained(weir, *arguments, "GET", weir.url())
        assert f"\nplace {IN_BERLIN} is at 52.52, 13.40\n" in said
        assert "\nserver s1 (" in said
        assert "\n not s2: another priority, zone, subset or place comes first" in said
    said = explained(weir, "--from", NOWHERE, "GET", weir.url())
    assert f"\nplace where {NOWHERE} is, is not known: it is drawn\n" in said
    assert ", drawn by chance, as in s" in said


def test_explain_says_why_the_nearest_does_not_serve(start, database, servers):
    weir = start(configuration(database, servers, refused_pause="1h"))
    servers["Frankfurt"].close()
    assert names_for(weir, IN_BERLIN, 2) == {"Virginia"}
    said = explained(weir, "--from", IN_BERLIN, "GET", weir.url())
    assert "\nserver s2 (" in said
    assert "\n not s1: refused a connection " in said
    assert "\n not s3: another priority, zone, subset or place comes first" in said


def test_explain_says_where_the_client_of_a_tunnel_is(start, database, servers):
    weir = start(configuration(database, servers, tcp_listener(backend="web")))
    said = explained(weir, "--from", IN_NEW_YORK, "CONNECT", "tcp://%s:%d" % weir.address())
    assert f"\nplace {IN_NEW_YORK} is at 40.71, -74.01\n" in said
    assert "\nserver s2 (" in said
