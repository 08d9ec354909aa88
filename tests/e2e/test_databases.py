"""Real database clients reach real database servers through a tunnel, and notice nothing."""
import pytest

from databases import MariaDb, PostgreSql
from process import run
from servers import Client, RefusingServer
from weir import backend, config, tcp_listener


@pytest.fixture(scope="module")
def mariadb():
    server = MariaDb()
    yield server
    server.close()


@pytest.fixture(scope="module")
def postgresql():
    server = PostgreSql()
    yield server
    server.close()


def mysql(weir, sql, *options):
    host, port = weir.address("db")
    done = run(["mysql", "--no-defaults", f"-h{host}", f"-P{port}", "-uweir", "-psecret",
                "--batch", "--skip-column-names", *options, "-e", sql])
    assert done.returncode == 0, done.stderr
    return done.stdout


def psql(weir, sql):
    host, port = weir.address("db")
    done = run(["psql", f"postgresql://weir:secret@{host}:{port}/postgres", "-X", "-At",
                "-v", "ON_ERROR_STOP=1", "-c", sql])
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def three_servers(start, mariadb):
    """The same server three times: what is under test is the way there."""
    return start(config(tcp_listener(), backends=[backend(mariadb, mariadb, mariadb)]))


def test_three_mysql_servers_serve_unmodified_clients_in_turn(three_servers, mariadb):
    for _ in range(6):
        assert mysql(three_servers, "select 1 + 1, @@port") == f"2\t{mariadb.port}\n"
        # Logged at its end, which the server may see later than the next session's.
        three_servers.wait_for_metric(0, "weir_listener_connections_open")
    for number in (1, 2, 3):
        three_servers.wait_for_metric(2, "weir_server_attempts_total", server=f"s{number}")
    assert [record["server"] for record in three_servers.access_log(6)] == [
        "web/s1", "web/s2", "web/s3"] * 2


def test_mysql_results_arrive_whole(three_servers):
    text = mysql(three_servers, "select repeat('x', 1000000)", "--max-allowed-packet=64M")
    assert text == "x" * 1_000_000 + "\n"
    rows = mysql(three_servers, "with recursive n as (select 1 as i union all "
                 "select i + 1 from n where i < 900) select i from n")
    assert rows.split() == [str(number) for number in range(1, 901)]


def test_a_mysql_session_keeps_its_server(three_servers):
    assert mysql(three_servers, "create temporary table weir.t (i int); insert into weir.t "
                 "values (1), (2); select sum(i) from weir.t") == "3\n"


def test_psql_works_through_a_tunnel(start, postgresql):
    weir = start(config(tcp_listener(), backends=[backend(postgresql, postgresql)]))
    for _ in range(4):
        assert psql(weir, "select 6 * 7") == "42\n"
    assert psql(weir, "select sum(i) from generate_series(1, 100000) as i") == "5000050000\n"
    assert psql(weir, "select repeat('y', 1000000)") == "y" * 1_000_000 + "\n"


def test_a_query_longer_than_tunnel_idle_is_cut_with_its_reason(start, postgresql):
    weir = start(config(tcp_listener(timeouts={"tunnel_idle": "300ms"}),
                        backends=[backend(postgresql)]))
    host, port = weir.address("db")
    done = run(["psql", f"postgresql://weir:secret@{host}:{port}/postgres", "-X", "-At",
                "-c", "select pg_sleep(3)"])
    assert done.returncode != 0
    assert weir.access_log()[0]["reason"] == "tunnel_idle_timeout"


def test_a_failed_server_is_passed_over_for_new_sessions(start, mariadb, ends):
    weir = start(config(tcp_listener(), backends=[backend(ends(RefusingServer()), mariadb)]))
    for _ in range(3):
        assert mysql(weir, "select 1") == "1\n"


def test_the_greeting_of_the_server_is_passed_unchanged(three_servers, mariadb):
    greetings = []
    for address in (three_servers.address("db"), ("127.0.0.1", mariadb.port)):
        with Client(address) as client:
            greetings.append(client.read(5))
    assert greetings[0] == greetings[1]
