"""Which backend answers: by host, by path, by the order in the file."""
import pytest

from process import run
from servers import Client, get
from weir import backend, config, listener, simple


@pytest.fixture
def route(start, serve):
    """Starts Weir with routes (match, backend); every backend's server says the backend's name."""
    def start_with(*routes):
        names = sorted({name for _, name in routes})
        return start(config(
            listener(routes=[{"match": match, "backend": name} if match else {"backend": name}
                             for match, name in routes]),
            backends=[backend(serve(name), name=name) for name in names]))
    return start_with


def body_of(weir, target="/", host="example.com"):
    return get(weir, target, host=host).body.decode()


def test_path_prefixes_choose_the_pool(route):
    weir = route(({"path_prefix": "/api/"}, "api"), ({"path_prefix": "/static/"}, "static"),
                 (None, "web"))
    assert body_of(weir, "/api/x") == "api"
    assert body_of(weir, "/static/a/b.css?v=1") == "static"
    assert body_of(weir, "/") == "web"
    assert body_of(weir, "/index.html") == "web"


def test_prefixes_below_one_another_go_to_their_services(route):
    weir = route(({"path_prefix": "/api/users/"}, "users"),
                 ({"path_prefix": "/api/orders/"}, "orders"),
                 ({"path_prefix": "/api/payments/"}, "payments"),
                 ({"path_prefix": "/products"}, "products"), ({"path_prefix": "/auth"}, "auth"))
    for name in ("users", "orders", "payments"):
        assert body_of(weir, f"/api/{name}/7") == name
    assert body_of(weir, "/products") == "products"
    assert body_of(weir, "/auth/login") == "auth"


def test_a_prefix_is_whole_segments(route):
    weir = route(({"path_prefix": "/users"}, "users"), (None, "web"))
    assert body_of(weir, "/users") == "users"
    assert body_of(weir, "/users/") == "users"
    assert body_of(weir, "/users?id=1") == "users"
    assert body_of(weir, "/users/1/2") == "users"
    assert body_of(weir, "/usersx") == "web"
    assert body_of(weir, "/user") == "web"


def test_the_first_route_in_the_file_that_matches_wins(route):
    weir = route(({"path_prefix": "/api/users"}, "v2"), ({"path_prefix": "/api"}, "legacy"),
                 ({"host": "admin.example.com"}, "admin"), ({"path": "/exact"}, "exact"),
                 (None, "rest"))
    assert body_of(weir, "/api/users/1", host="admin.example.com") == "v2"
    assert body_of(weir, "/api/v1/list", host="admin.example.com") == "legacy"
    assert body_of(weir, "/exact", host="admin.example.com") == "admin"
    assert body_of(weir, "/exact") == "exact"
    assert body_of(weir, "/exact/below") == "rest"


def test_hosts_choose_the_pool_without_regard_to_case_or_port(route):
    weir = route(({"host": "api.example.com"}, "api"), ({"host": "www.example.com"}, "www"),
                 ({"host": "admin.example.com"}, "admin"))
    assert body_of(weir, host="api.example.com") == "api"
    assert body_of(weir, host="WWW.Example.COM") == "www"
    assert body_of(weir, host="admin.example.com:8080") == "admin"


def test_wildcard_hosts(route):
    weir = route(({"host": "api-beta.*"}, "beta"), ({"host": "*.example.com"}, "any"),
                 ({"host": ["a.test", "*.b.test"]}, "list"), (None, "rest"))
    assert body_of(weir, host="api-beta.example.org") == "beta"
    assert body_of(weir, host="api-beta.example.com") == "beta"
    assert body_of(weir, host="shop.example.com") == "any"
    assert body_of(weir, host="a.b.example.com") == "any"
    assert body_of(weir, host="example.com") == "rest"
    assert body_of(weir, host="api-betax.example.org") == "rest"
    assert body_of(weir, host="a.test") == "list"
    assert body_of(weir, host="x.b.test") == "list"


def test_host_and_path_must_both_match(route):
    weir = route(({"host": "api.example.com", "path_prefix": "/users/"}, "users"), (None, "web"))
    assert body_of(weir, "/users/1", host="api.example.com") == "users"
    assert body_of(weir, "/users/1", host="www.example.com") == "web"
    assert body_of(weir, "/orders/1", host="api.example.com") == "web"


def test_a_path_cannot_be_dressed_up_to_take_another_route(route):
    weir = route(({"path_prefix": "/admin"}, "admin"), (None, "web"))
    assert body_of(weir, "/x/../admin/") == "admin"
    assert body_of(weir, "/%61dmin") == "admin"
    assert body_of(weir, "/./admin") == "admin"


def test_a_forged_host_reaches_its_pool_by_address(route):
    weir = route(({"host": "your-domain.com"}, "yours"), (None, "web"))
    done = run(["curl", "-sS", "-H", "Host: your-domain.com", weir.url()])
    assert done.stdout == "yours", done.stderr
    assert run(["curl", "-sS", weir.url()]).stdout == "web"


def test_no_route_is_a_404_with_its_reason(route):
    weir = route(({"host": "api.example.com"}, "api"),)
    response = get(weir, "/x", host="other.example.com")
    assert response.status == 404
    assert b"no_route" in response.body
    record = weir.access_log()[0]
    assert (record["status"], record["reason"], record["server"]) == (404, "no_route", None)
    weir.wait_for_metric(1, "weir_errors_total", side="client", reason="no_route")


def test_the_whole_head_is_read_before_a_server_is_connected(start, server):
    weir = start(simple(server))
    with Client(weir.address()) as client:
        client.send("GET / HTTP/1.1\r\nHost: example.com\r\n")
        assert get(weir).body == b"server"  # meanwhile others are served
        assert len(server.connections) == 1
        client.send("X-Rest: 1\r\n\r\n")
        assert client.read_response().body == b"server"
        assert server.requests[1].field("x-rest") == "1"
        ports = {connection.peer[1] for connection in server.connections}
        assert client.own_address[1] not in ports
