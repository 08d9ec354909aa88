"""HAProxy and nginx in front of Weir, as its clients, and behind it, as its servers."""
import hashlib
import os
import re
from types import SimpleNamespace

import pytest

from hops import HaproxyHop, NginxHop
from process import run
from servers import Client
from weir import simple

MIB = 1 << 20


@pytest.fixture(params=["HAProxy in front", "nginx in front", "HAProxy behind", "nginx behind"])
def chain(request, ends, start, tmp_path):
    """Makes a chain to a server: `weir`, and the `address` and `url` that its clients use."""
    def hop(to):
        make = HaproxyHop if "HAProxy" in request.param else NginxHop
        return ends(make(tmp_path / "hop", to))

    def make_chain(server):
        if "front" not in request.param:
            weir = start(simple(hop(server.address)) | {"workers": 2})
            return SimpleNamespace(weir=weir, address=weir.address(), url=weir.url)
        weir = start(simple(server) | {"workers": 2})
        front = hop("{}:{}".format(*weir.address()))
        return SimpleNamespace(weir=weir, address=("127.0.0.1", front.port), url=front.url)
    return make_chain


@pytest.fixture
def digesting(serve):
    """Answers with the digest of what it got."""
    return serve("digest", lambda connection, request: connection.answer(
        hashlib.sha256(request.body).hexdigest()))


@pytest.mark.parametrize("options", [[], ["-k"]], ids=["close", "keep-alive"])
def test_ab_through_a_chain(chain, nginx, options):
    through = chain(nginx("origin"))
    done = run(["ab", "-n", 2000, "-c", 20, *options, through.url("/name")])
    assert re.search(r"Complete requests: +2000\n", done.stdout), done.stdout + done.stderr
    assert re.search(r"Failed requests: +0\n", done.stdout), done.stdout
    assert "Non-2xx" not in done.stdout, done.stdout
    through.weir.wait_for_metric(2000, "weir_listener_responses_total", **{"class": "2xx"})
    through.weir.wait_for_metric(0, "weir_errors_total")


def test_wrk_through_a_chain(chain, nginx):
    through = chain(nginx("origin"))
    done = run(["wrk", "-t2", "-c50", "-d1s", "--timeout", "20s", through.url("/name")])
    assert done.returncode == 0, done.stderr
    assert "Socket errors" not in done.stdout, done.stdout
    assert "Non-2xx" not in done.stdout, done.stdout
    through.weir.wait_for_metric(0, "weir_errors_total", side="server")


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_bodies_pass_a_chain_whole(chain, digesting, tmp_path, framing):
    through = chain(digesting)
    data = os.urandom(4 * MIB + 1)
    (tmp_path / "body").write_bytes(data)
    fields = ["-H", "Transfer-Encoding: chunked"] if framing == "chunked" else []
    for expect in ("Expect:", "Expect: 100-continue"):
        done = run(["curl", "-sS", "-X", "POST", "--data-binary", f"@{tmp_path / 'body'}",
                    "-H", expect, *fields, through.url("/")])
        assert done.stdout == hashlib.sha256(data).hexdigest(), done.stderr


def test_a_download_passes_a_chain_whole(chain, nginx):
    origin = nginx("origin")
    data = os.urandom(8 * MIB)
    (origin.root / "file").write_bytes(data)
    through = chain(origin)
    with Client(through.address) as client:
        for _ in range(2):
            assert client.get("/file").body == data
        assert client.get("/none").status == 404
        client.request("HEAD", "/file")
        assert client.read_response("HEAD").field("content-length") == str(len(data))
