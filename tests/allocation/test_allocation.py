"""After warm-up a request allocates nothing: what it needs comes from slabs, arenas and the frame cache."""
import subprocess

from nginx import Nginx
from weir import backend, config, listener, tcp_listener

REQUESTS = 5000
# Tables that grow to the number of connections ab happens to have open at once.
STRAY_MAX = 20


def ab(url, *options):
    result = subprocess.run(["ab", "-q", "-k", "-n", str(REQUESTS), "-c", "8", *options, url],
                            capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    assert "Failed requests:        0" in result.stdout, result.stdout
    assert "Non-2xx responses" not in result.stdout, result.stdout


def assert_allocates_nothing(weir, load):
    load()
    before = weir.allocations()
    assert before > 0, "the counter counts nothing"
    load()
    assert weir.allocations() - before <= STRAY_MAX


def test_http_requests_allocate_nothing(start_counted, request, tmp_path):
    nginx = Nginx(tmp_path)
    request.addfinalizer(nginx.close)
    weir = start_counted(config(listener(), backends=[backend(nginx)]))
    assert_allocates_nothing(weir, lambda: ab(weir.url("/name")))


FILTERS = [
    {"headers": {"request": [{"set": "X-Client", "value": "${client.address}"}, {"remove": "Accept"},
                             {"add": "X-Path", "value": "${request.path}"}],
                 "response": [{"set": "Server", "value": "edge"}, {"remove": "Date"},
                              {"add": "X-Status", "value": "${response.status}", "always": True}]}},
    {"security_headers": {}},
]


def test_requests_through_filters_allocate_nothing(start_counted, request, tmp_path):
    nginx = Nginx(tmp_path)
    request.addfinalizer(nginx.close)
    forwarded = {"write": ["x_forwarded_for", "x_forwarded_proto", "x_forwarded_host",
                           "x_forwarded_port", "x_real_ip", "forwarded"]}
    weir = start_counted(config(
        listener(filters=FILTERS, forwarded=forwarded, via="edge", request_id="X-Request-Id",
                 access_log={"format": "${client.address} ${request.id} ${response.header.server}",
                             "path": "lines.log"}),
        backends=[backend(nginx, filters=FILTERS)]))
    assert_allocates_nothing(weir, lambda: ab(weir.url("/name")))


def test_replies_of_filters_allocate_nothing(start_counted, server):
    weir = start_counted(config(
        listener(filters=[*FILTERS, {"respond": {"body": "here"}}]), backends=[backend(server)]))
    assert_allocates_nothing(weir, lambda: ab(weir.url("/")))


def test_http_requests_with_bodies_allocate_nothing(start_counted, server, tmp_path):
    weir = start_counted(config(listener(), backends=[backend(server)]))
    body = tmp_path / "body"
    body.write_bytes(b"x" * 3000)
    assert_allocates_nothing(weir, lambda: ab(weir.url("/"), "-p", str(body)))


def test_buffered_bodies_allocate_nothing(start_counted, server, tmp_path):
    weir = start_counted(config(listener(filters=[{"buffer_request": {}}, {"buffer_response": {}}]),
                                backends=[backend(server)]))
    body = tmp_path / "body"
    body.write_bytes(b"x" * 3000)
    assert_allocates_nothing(weir, lambda: ab(weir.url("/"), "-p", str(body)))


def test_error_pages_allocate_nothing(start_counted, server):
    weir = start_counted(config(
        listener(routes=[{"match": {"path": "/here"}, "backend": "web"}]),
        backends=[backend(server)]))

    def load():
        result = subprocess.run(["ab", "-q", "-k", "-n", str(REQUESTS), "-c", "8", weir.url("/")],
                                capture_output=True, text=True, timeout=120, check=True)
        assert f"Non-2xx responses:      {REQUESTS}" in result.stdout, result.stdout
    assert_allocates_nothing(weir, load)


def test_sentences_about_servers_allocate_nothing(start_counted, server):
    weir = start_counted(config(listener(), backends=[backend(server, server, weights=[0, 0])]))

    def load():
        result = subprocess.run(["ab", "-q", "-k", "-n", str(REQUESTS), "-c", "8", weir.url("/")],
                                capture_output=True, text=True, timeout=120, check=True)
        assert f"Non-2xx responses:      {REQUESTS}" in result.stdout, result.stdout
    assert_allocates_nothing(weir, load)
    assert "s1 has weight 0, s2 has weight 0." in weir.access_log()[0]["sentence"]


def test_tunnels_allocate_nothing(start_counted, request, tmp_path):
    nginx = Nginx(tmp_path)
    request.addfinalizer(nginx.close)
    weir = start_counted(config(tcp_listener(), backends=[backend(nginx, name="web")]))
    url = weir.url("/name", name="db")

    def load():
        result = subprocess.run(["ab", "-q", "-n", "2000", "-c", "8", url],
                                capture_output=True, text=True, timeout=120, check=True)
        assert "Failed requests:        0" in result.stdout, result.stdout
    assert_allocates_nothing(weir, load)
