"""Redirects: replies with a Location."""
import pytest

from process import run
from servers import Client, get
from weir import config, listener, simple


def test_a_client_follows_a_redirect(start, server):
    weir = start(simple(server))
    redirecting = start(config(
        listener(routes=[{"filters": [{"redirect": {
            "to": weir.url("/new${request.path}?${request.query}"), "status": 308}}]}]),
        backends=[{"name": "unused", "servers": [{"name": "s", "address": server.address}]}]))
    done = run(["curl", "-sSL", "-d", "form", "-w", "%{http_code} %{num_redirects}",
                redirecting.url("/a/b?c=d")])
    assert done.stdout == "server200 1"
    (request,) = server.requests
    assert (request.method, request.target, request.body) == ("POST", "/new/a/b?c=d", b"form")


@pytest.mark.parametrize("status, reason", [
    (301, "Moved Permanently"), (302, "Found"), (303, "See Other"), (307, "Temporary Redirect"),
    (308, "Permanent Redirect")])
def test_a_redirect_has_a_location_and_a_text(start, server, status, reason):
    weir = start(simple(server, filters=[{"redirect": {"to": "/x", "status": status}}]))
    with Client(weir.address()) as client:
        for _ in range(2):
            answer = client.get("/")
            assert (answer.status, answer.field("Location")) == (status, "/x")
            assert answer.body == f"{status} {reason}\n".encode()
        client.request("HEAD")
        assert client.read_response("HEAD").field("Location") == "/x"
    assert not server.requests


def test_a_redirect_is_302_if_nothing_is_said(start, server):
    weir = start(simple(server, filters=[{"redirect": {"to": "/x"}}]))
    assert get(weir).status == 302


def test_clients_cannot_split_a_location(start, server):
    weir = start(simple(server, filters=[{"redirect": {
        "to": "/x?${request.header.x-to}&${request.query}"}}]))
    answer = get(weir, "/?a%0d%0aSet-Cookie:%20b=1", fields=[("X-To", "a\tb")])
    assert answer.field("Location") == "/x?a b&a%0d%0aSet-Cookie:%20b=1"
    assert answer.field("Set-Cookie") is None


def test_a_location_that_is_too_long(start, server):
    weir = start(simple(server, filters=[{"redirect": {
        "to": "/${request.query}${request.query}"}}]))
    assert get(weir, "/?" + "a" * 5000).status == 431
