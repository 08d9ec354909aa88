"""Requests that say which of a backend's servers are to answer them."""
from collections import Counter

import pytest

from process import run
from servers import Client
from test_ctl import Ctl
from test_explain import explain_running
from weir import BINARY, backend, config, listener, tcp_listener, write_config


@pytest.fixture
def servers(nginx):
    """A and B of v1, C of v2, D of none."""
    return [nginx(name) for name in "ABCD"]


def shop(servers, subsets=("v1", "v1", "v2", ""), fallback="any", **settings):
    made = backend(*servers, **{
        "subsets": {"key": "${request.header.x-version}", "fallback": fallback}, **settings})
    for server, subset in zip(made["servers"], subsets):
        if subset:
            server["subset"] = subset
    return made


def names(weir, version=None, count=12):
    fields = [("X-Version", version)] if version else []
    with Client(weir.address()) as client:
        return Counter(client.get("/name", fields=fields).body.decode().strip()
                       for _ in range(count))


@pytest.mark.parametrize("balance", ["round_robin", "least_connections"])
def test_a_request_gets_the_subset_that_it_names(start, servers, balance):
    weir = start(config(listener(), backends=[shop(servers, balance=balance)]))
    assert set(names(weir, "v1")) <= {"A", "B"}
    assert names(weir, "v2") == {"C": 12}
    assert weir.metrics().value("weir_backend_subsets_unknown_total") == 0
    assert sum(names(weir, "v3").values()) == sum(names(weir).values()) == 12
    weir.wait_for_metric(24, "weir_backend_subsets_unknown_total")


def test_turns_within_a_subset_are_exact(start, servers):
    weir = start(config(listener(), backends=[shop(servers)]))
    assert names(weir, "v1") == {"A": 6, "B": 6}


def test_a_subset_without_servers_falls_back_or_does_not(start, servers):
    for fallback, status in (("any", 200), ("none", 503)):
        weir = start(config(listener(), backends=[shop(servers, fallback=fallback)]))
        Ctl("%s:%d" % weir.admin_address).table("server", "web/s3", "disable")
        with Client(weir.address()) as client:
            assert client.get("/name", fields=[("X-Version", "v2")]).status == status
        with Client(weir.address()) as client:
            assert client.get("/name").status == status
        assert set(names(weir, "v1")) == {"A", "B"}


def test_explain_says_whose_subset_it_is(start, servers):
    weir = start(config(listener(), backends=[shop(servers, fallback="none")]))
    _, said = explain_running(weir, "-H", "X-Version: v2", "GET", weir.url())
    assert "subset ${request.header.x-version} = 'v2'" in said, said
    assert "server s3" in said and "s1: of another subset" in said, said
    _, said = explain_running(weir, "GET", weir.url())
    assert "${request.header.x-version}: not in the request" in said, said
    assert "s3: of another subset" in said and "503" in said, said


@pytest.mark.parametrize("made, problem", [
    ({"subsets": ("", "", "", "")}, "no server of backend 'web' is in a 'subset'"),
    ({"subsets": ("v1",), "drop": True},
     "server 's1' is in a subset, and backend 'web' has no 'subsets'"),
    ({"key": "v1"}, "a key without values"),
    ({"tcp": True}, "protocol: tcp, whose connections have no"),
])
def test_subsets_that_cannot_be_are_refused(tmp_path, made, problem):
    servers = [f"127.0.0.1:{port}" for port in range(1, 5)]
    pool = shop(servers, made.get("subsets", ("v1",)))
    if "key" in made:
        pool["subsets"]["key"] = made["key"]
    if "drop" in made:
        del pool["subsets"]
    front = tcp_listener() if "tcp" in made else listener()
    path = write_config(tmp_path, config(front, backends=[pool]))
    done = run([BINARY, "check", "-c", path])
    assert done.returncode != 0
    assert problem in (done.stdout + done.stderr).replace('"', "'"), done.stderr
