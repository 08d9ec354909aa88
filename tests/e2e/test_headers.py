"""Header fields and cookies that filters change, and what browsers are told to guard."""
import pytest

from process import run
from servers import RefusingServer, get
from weir import BINARY, backend, config, listener, simple

GUARDS = {"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
          "X-XSS-Protection": "1; mode=block",
          "Referrer-Policy": "strict-origin-when-cross-origin"}


@pytest.fixture
def headers(start, server):
    """Starts Weir with the filter before `server`, or before another one."""
    def start_with(*before, **settings):
        return start(simple(*(before or (server,)), filters=[{"headers": settings}]))
    return start_with


def curl_head(weir, path="/"):
    done = run(["curl", "-sS", "-o", "/dev/null", "-D", "-", weir.url(path)])
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_requests_get_fields(headers, server):
    weir = headers(request=[
        {"set": "X-Client", "value": "${client.address} ${request.path}"},
        {"add": "X-Tag", "value": "two"},
        {"remove": "X-Secret"},
        {"set": "X-Default", "value": "ours", "if_absent": True}])
    get(weir, "/p?q", fields=[("x-client", "forged"), ("X-Tag", "one"), ("X-Secret", "s"),
                              ("X-Default", "theirs")])
    get(weir)
    first, second = server.requests
    values = {name: [v for n, v in first.fields if n.lower() == name]
              for name in ("x-client", "x-tag", "x-secret", "x-default")}
    assert values == {"x-client": ["127.0.0.1 /p"], "x-tag": ["one", "two"], "x-secret": [],
                      "x-default": ["theirs"]}
    assert second.field("X-Default") == "ours"


def test_the_host_is_rewritten(headers, server):
    weir = headers(request=[{"set": "Host", "value": "app.internal:81"}])
    get(weir, host="example.com")
    assert [v for n, v in server.requests[0].fields if n.lower() == "host"] == ["app.internal:81"]


def test_a_host_that_is_none_is_left_out(headers, server):
    weir = headers(request=[{"set": "Host", "value": "${request.query.to}"}])
    get(weir, "/?to=a%20b/c", host="example.com")
    assert server.requests[0].field("Host") == "example.com"


def test_responses_of_nginx_lose_their_server_and_get_fields(headers, nginx):
    weir = headers(nginx(), response=[{"remove": "Server"},
                                      {"set": "X-Status", "value": "${response.status}"},
                                      {"set": "X-Missing", "value": "yes", "status": "4xx"}])
    found, missing = curl_head(weir, "/name"), curl_head(weir, "/none")
    assert "nginx" not in found + missing
    assert "X-Status: 200\n" in found and "X-Missing" not in found
    assert "X-Status: 404\n" in missing and "X-Missing: yes\n" in missing


def test_errors_are_changed_with_always_only(headers, ends):
    weir = headers(ends(RefusingServer()), response=[
        {"set": "X-Some", "value": "1"},
        {"set": "X-All", "value": "${response.status}", "always": True}])
    answer = get(weir)
    assert (answer.status, answer.field("X-Some"), answer.field("X-All")) == (502, None, "502")


def test_replies_of_filters_are_changed(start, server):
    weir = start(simple(server, filters=[
        {"headers": {"response": [{"set": "X-A", "value": "a"}]}},
        {"respond": {"body": "here"}}]))
    assert get(weir).field("X-A") == "a"


def test_a_value_that_is_too_long(start, server):
    long = "${request.query}${request.query}"
    weir = start(config(
        listener("in", filters=[{"headers": {"request": [{"set": "X", "value": long}]}}]),
        listener("out", filters=[{"headers": {"response": [{"set": "X", "value": long}]}}]),
        backends=[backend(server)]))
    target = "/?" + "a" * 5000
    assert get(weir, target, name="in").status == 431
    assert get(weir, target, name="out").status == 502
    assert get(weir, "/?a", name="out").field("X") == "aa"


def test_cookies_of_a_server(headers, serve):
    def answer(connection, request):
        connection.answer(fields=[("Set-Cookie", "id=1; Path=/app/x; SameSite=None"),
                                  ("Set-Cookie", "theme=dark; path=/")])
    weir = headers(serve(answer=answer), set_cookie=[
        {"name": "id", "path": {"from": "/app", "to": "/users"}},
        {"same_site": "strict", "http_only": True}])
    cookies = [v for n, v in get(weir).fields if n.lower() == "set-cookie"]
    assert cookies == ["id=1; Path=/users/x; SameSite=Strict; HttpOnly",
                       "theme=dark; path=/; SameSite=Strict; HttpOnly"]


def test_curl_sends_a_cookie_to_its_new_path(headers, serve, tmp_path):
    server = serve(answer=lambda connection, request: connection.answer(
        fields=[("Set-Cookie", "id=1; Path=/inside")]))
    weir = headers(server, set_cookie=[{"path": {"from": "/inside", "to": "/outside"}}])
    jar = tmp_path / "jar"
    for path in ("/outside/a", "/outside/b", "/inside/c"):
        run(["curl", "-sS", "-b", jar, "-c", jar, weir.url(path)])
    assert [r.field("Cookie") for r in server.requests] == [None, "id=1", None]


def test_security_headers_are_on_every_answer(start, server, ends):
    filters = [{"security_headers": {}}]
    weir = start(config(
        listener("ok", filters=filters),
        listener("reply", filters=[*filters, {"respond": {}}]),
        listener("down", filters=filters, backend="down"),
        backends=[backend(server), backend(ends(RefusingServer()), name="down")]))
    for name, status in (("ok", 200), ("reply", 200), ("down", 502)):
        answer = get(weir, name=name)
        assert answer.status == status
        assert {field: answer.field(field) for field in GUARDS} == GUARDS
    bad = get(weir, name="ok", fields=[("Content-Length", "1, 2")])
    assert (bad.status, bad.field("X-Frame-Options")) == (400, "DENY")


def test_what_a_server_says_of_security_stays(start, serve):
    server = serve(answer=lambda connection, request: connection.answer(
        fields=[("x-frame-options", "SAMEORIGIN")]))
    weir = start(simple(server, filters=[{"security_headers": {
        "x_xss_protection": "off", "strict_transport_security": "max-age=60"}}]))
    answer = get(weir)
    assert [v for n, v in answer.fields if n.lower() == "x-frame-options"] == ["SAMEORIGIN"]
    assert answer.field("X-XSS-Protection") is None
    assert answer.field("Strict-Transport-Security") == "max-age=60"


def test_answers_do_not_name_the_product(start, ends):
    weir = start(config(
        listener("down"),
        listener("routes", routes=[{"match": {"path": "/r"}, "filters": [{"respond": {}}]}]),
        listener("redirect", filters=[{"redirect": {"to": "/x"}}]),
        backends=[backend(ends(RefusingServer()))]))
    answers = [get(weir, name="down"), get(weir, name="routes"), get(weir, "/r", name="routes"),
               get(weir, name="redirect"),
               get(weir, name="down", fields=[("Content-Length", "1, 2")])]
    assert [a.status for a in answers] == [502, 404, 200, 302, 400]
    for answer in answers:
        assert b"weir" not in (answer.head + answer.body).lower()
        assert answer.field("Server") is None and answer.field("Via") is None


def test_explain_names_the_edits(tmp_path):
    (tmp_path / "weir.yaml").write_text("""\
listeners:
  - name: web
    address: 127.0.0.1:8080
    filters:
      - headers: { request: [ { set: X-A, value: a } ], response: [ { remove: Server } ] }
    backend: app
backends:
  - name: app
    servers: [ { name: s, address: 127.0.0.1:1 } ]
""", encoding="utf-8")
    done = run([BINARY, "explain", "-c", "weir.yaml", "GET", "http://127.0.0.1:8080/"],
               cwd=tmp_path)
    assert "filter    headers: request: set X-A, response: remove Server" in done.stdout
