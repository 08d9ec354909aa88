"""`weir ctl` against a running Weir: what it shows, what it changes, and how it refuses."""
import json

import pytest

from process import run
from servers import Client, get
from weir import BINARY, backend, config, listener, tcp_listener, write_config


class Ctl:
    """`weir ctl` for one running Weir."""

    def __init__(self, address):
        self.address = address

    def run(self, *arguments):
        return run([BINARY, "ctl", "--admin", self.address, *arguments])

    def table(self, *arguments):
        """The rows below the headings, each as its words."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return [line.split() for line in done.stdout.splitlines()[1:]]

    def json(self, *arguments):
        done = self.run("--json", *arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def refused(self, *arguments):
        """What it says when the API refuses."""
        done = self.run(*arguments)
        assert (done.returncode, done.stdout) == (1, ""), done
        return done.stderr


@pytest.fixture
def weir(start, server, serve, tmp_path, request):
    """With two backends and two listeners; its admin address is of the kind that the test names."""
    kind = getattr(request, "param", "tcp")
    admin = {"tcp": "127.0.0.1:0", "unix": f"unix:{tmp_path}/admin.sock"}[kind]
    routes = [{"match": {"host": "a.example", "path_prefix": "/users"}, "backend": "users"},
              {"backend": "web"}]
    return start(config(
        listener(routes=routes), tcp_listener(backend="web"),
        backends=[backend(server, name="web"),
                  backend(serve("u1"), serve("u2"), name="users", weights=[5, 3])])
        | {"admin": {"address": admin}})


@pytest.fixture
def ctl(weir):
    said = weir.process.stderr.wait_for(r"^admin on http://(\S+)$")
    return Ctl(said[1])


both = pytest.mark.parametrize("weir", ["tcp", "unix"], indirect=True)


# ---- What it shows

def ask_once(weir):
    """A request, and it is counted."""
    assert get(weir, name="web").status == 200
    weir.access_log(1)  # its line comes last


@both
def test_listeners(weir, ctl):
    ask_once(weir)
    web, db = ctl.table("listeners")
    assert web[:3] == ["web", "%s:%d" % weir.address("web"), "http"]
    assert web[4:] == ["1", "1"]
    assert db[:3] == ["db", "%s:%d" % weir.address("db"), "tcp"]


@both
def test_routes(ctl):
    users, web, db = ctl.table("routes")
    assert users[:2] == ["web", "1"] and users[-2] == "users"
    assert "host a.example, path_prefix /users" in " ".join(users)
    assert web[:2] == ["web", "2"] and web[-2] == "web"
    assert db[:2] == ["db", "1"]
    assert int(users[-1]) < int(web[-1])  # lines of the file


@both
def test_backends(weir, ctl):
    ask_once(weir)
    assert ctl.table("backends") == [
        ["web", "round_robin", "1/1", "1", "1", "0", "0"],
        ["users", "round_robin", "2/2", "0", "0", "0", "0"]]


@both
def test_servers(ctl):
    names = [row[:2] for row in ctl.table("servers")]
    assert names == [["web", "s1"], ["users", "s1"], ["users", "s2"]]
    assert [row[3] for row in ctl.table("servers", "users")] == ["5", "3"]
    (row,) = ctl.table("server", "users/s2")
    assert row[:2] == ["users", "s2"]
    assert row[3:] == ["3", "ready", "0", "0", "0"]


@both
def test_workers(ctl):
    ((number, connections_open, _, _, stuck),) = ctl.table("workers")
    assert (number, connections_open, stuck) == ("0", "0", "false")


def test_json_is_the_answer_of_the_api(weir, ctl):
    assert ctl.json("servers") == weir.api("GET", "/servers")[1]
    assert ctl.json("server", "users/s1")["weight"] == 5


# ---- What it changes

@both
def test_a_weight(weir, ctl):
    (row,) = ctl.table("server", "users/s1", "weight", "50")
    assert row[3] == "50"
    assert " ".join(row).endswith("weight 5 in the file")
    assert ctl.json("server", "users/s1")["weight"] == 50


@both
@pytest.mark.parametrize("verb, state", [("drain", "draining"), ("disable", "disabled")])
def test_a_server_out_of_traffic_and_back(weir, ctl, verb, state):
    (row,) = ctl.table("server", "users/s1", verb)
    assert row[4] == state
    assert {ask_users(weir) for _ in range(10)} == {b"u2"}
    (row,) = ctl.table("server", "users/s1", "enable")
    assert row[4] == "ready"
    assert {ask_users(weir) for _ in range(10)} == {b"u1", b"u2"}


def ask_users(weir):
    with Client(weir.address("web")) as client:
        return client.get("/users", host="a.example").body


@both
def test_a_server_comes_and_goes(weir, ctl, serve):
    (row,) = ctl.table("add", "users/u 3", serve("u3").address, "--weight", "7", "--maxconn", "9")
    assert "not in the file" in " ".join(row)
    added = ctl.json("server", "users/u 3")
    assert (added["weight"], added["maxconn"], added["added"]) == (7, 9, True)
    assert {ask_users(weir) for _ in range(15)} == {b"u1", b"u2", b"u3"}
    left = ctl.table("server", "users/u 3", "remove")
    assert [row[1] for row in left] == ["s1", "s2"]
    assert {ask_users(weir) for _ in range(15)} == {b"u1", b"u2"}


def test_a_backup_is_added(weir, ctl, serve):
    ctl.table("add", "users/spare", serve("spare").address, "--backup")
    assert {ask_users(weir) for _ in range(10)} == {b"u1", b"u2"}
    for name in ("s1", "s2"):
        ctl.table("server", f"users/{name}", "disable")
    assert ask_users(weir) == b"spare"


@both
def test_a_reload(weir, ctl):
    done = ctl.run("reload")
    assert (done.returncode, done.stdout) == (0, "nothing has changed\n")
    text = (weir.folder / "weir.yaml").read_text()
    write_config(weir.folder, text.replace('"weight": 5', '"weight": 6'))
    done = ctl.run("reload")
    assert (done.returncode, done.stdout) == (0, "backends[users].servers[s1].weight: 5 -> 6\n")


# ---- How it refuses

@both
def test_a_reload_of_a_bad_file_prints_every_problem(weir, ctl):
    text = (weir.folder / "weir.yaml").read_text()
    write_config(weir.folder, text.replace('"weight"', '"wieght"'))
    message = ctl.refused("reload")
    assert message.count("unknown key 'wieght' (did you mean 'weight'?)") == 2


@both
def test_unknown_names_come_with_the_nearest_ones(ctl):
    assert "no backend 'usres' (did you mean 'users'?)" in ctl.refused("server", "usres/s1")
    assert "did you mean 's1'?" in ctl.refused("server", "users/s11", "drain")
    assert "no backend 'wbe' (did you mean 'web'?)" in ctl.refused("servers", "wbe")
    assert "no backend 'user'" in ctl.refused("add", "user/u3", "127.0.0.1:1")


def test_what_cannot_be_done_is_said(ctl):
    assert "has a server 's1' already" in ctl.refused("add", "users/s1", "127.0.0.1:1")
    assert "the last server" in ctl.refused("server", "web/s1", "remove")
    assert "address" in ctl.refused("add", "users/u3", "nowhere at all")


@pytest.mark.parametrize("arguments, message", [
    (["servres"], "unknown command 'servres' (did you mean 'servers'?)"),
    (["server", "users/s1", "drian"], "did you mean 'drain'?"),
    (["server", "users"], "expected BACKEND/SERVER, found 'users'"),
    (["server", "users/s1", "weight", "100000"],
     "error: expected weight and a whole number from 0 to 65535, found '100000'"),
    (["add", "users/u3", "127.0.0.1:1", "--weight", "100000"],
     "error: --weight: expected a whole number from 0 to 65535, found 100000"),
    (["add", "users/u3"], "expected: weir ctl add BACKEND/SERVER ADDRESS"),
    (["reload", "--weight", "3"], "belong to 'weir ctl add'"),
    ([], "command"),
])
def test_a_command_that_is_not_understood_is_a_usage_error(ctl, arguments, message):
    done = ctl.run(*arguments)
    assert (done.returncode, done.stdout) == (2, ""), done
    assert message in done.stderr


@pytest.mark.parametrize("address", ["127.0.0.1:1", "unix:/nobody/here.sock"])
def test_nobody_there_is_said(address):
    done = Ctl(address).run("servers")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"no answer from {address}" in done.stderr and "Is Weir running?" in done.stderr


def test_an_admin_address_that_is_none_is_said():
    done = Ctl("somewhere").run("servers")
    assert done.returncode == 2
    assert "--admin somewhere: expected an address such as" in done.stderr


def test_what_answers_and_is_no_weir_is_said(serve):
    def answer(connection, request):
        connection.answer("hello")
        connection.end_writing()
    done = Ctl(serve("other", answer).address).run("servers")
    assert done.returncode == 2
    assert "no Weir" in done.stderr
