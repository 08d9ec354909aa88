"""What rows ask, in bytes. Each function here makes a check: a function of a Bench that asserts."""
import re
from pathlib import Path

from process import DEADLINE_S
from servers import Client, HttpServer, Server
from weir import simple

E2E = Path(__file__).resolve().parent.parent / "e2e"
FOLLOWING = b"GET /following HTTP/1.1\r\nHost: example.com\r\n\r\n"


class Bench:
    """One Weir between a client and a server that the check scripts."""

    def __init__(self, start, ends):
        self._start = start
        self._ends = ends

    def weir(self, server, **listener):
        return self._start(simple(server, **listener))

    def start(self, configuration, **options):
        return self._start(configuration, **options)

    def server(self, script):
        """Each of its connections runs script(connection)."""
        return self._ends(Server(script))

    def http_server(self, answer=None):
        """Records its requests; each is answered by answer(connection, request)."""
        return self._ends(HttpServer(answer=answer))

    def client(self, weir):
        return self._ends(Client(weir.address()))


# ---- Messages.

def _message(start_line, lines, body):
    head = "".join(f"{line}\r\n" for line in (start_line, *lines)) + "\r\n"
    return head.encode("latin-1") + body.encode("latin-1")


def request(*lines, start="GET / HTTP/1.1", host="example.com", body=""):
    """Its Content-Length is a line, if it shall have one; host=None leaves Host to the lines."""
    return _message(start, [*([] if host is None else [f"Host: {host}"]), *lines], body)


def post(*lines, body, **options):
    return request(f"Content-Length: {len(body)}", *lines, start="POST / HTTP/1.1", body=body, **options)


def chunked_post(*lines, body):
    return request("Transfer-Encoding: chunked", *lines, start="POST / HTTP/1.1", body=body)


def response(*lines, start="HTTP/1.1 200 OK", body=""):
    return _message(start, lines, body)


def ok(*lines, body="ok"):
    return response(f"Content-Length: {len(body)}", *lines, body=body)


GET = request()
OK = ok()


def method_of(sent):
    return sent.lstrip(b"\r\n").split(b" ")[0].decode("latin-1")


# ---- Conditions on a message: a request as the server got it, a response as the client got it.

def values(message, name):
    return [value for other, value in message.fields if other.lower() == name.lower()]


def has(name, *expected):
    """Exactly these fields of that name, in this order."""
    def condition(message):
        assert values(message, name) == list(expected), message.head
    return condition


def has_any(name):
    def condition(message):
        assert len(values(message, name)) == 1 and values(message, name)[0], message.head
    return condition


def lacks(*names):
    def condition(message):
        for name in names:
            assert values(message, name) == [], (name, message.head)
    return condition


def line(text):
    """The first line, or a field line, byte by byte."""
    def condition(message):
        assert text.encode("latin-1") in message.head.split(b"\r\n"), message.head
    return condition


def body_is(text):
    def condition(message):
        assert message.body == text.encode("latin-1")
    return condition


def status_is(status):
    def condition(message):
        assert message.status == status, message.head
    return condition


def any_of(*conditions):
    def condition(message):
        failures = []
        for one in conditions:
            try:
                return one(message)
            except AssertionError as failure:
                failures.append(str(failure))
        raise AssertionError(" and ".join(failures))
    return condition


# ---- Checks.

def read_final(client, method="GET"):
    while True:
        got = client.read_response(method)
        if got.status >= 200:
            return got


def exchange(sent, answered, at_server=(), at_client=(), closes=False):
    """The request passes, and so does the answer; each meets its conditions. Where the connection goes
    on, it is all done twice: so the end of the first was understood.

    closes: the server ends its connection after the answer.
    """
    def check(bench):
        def answer(connection, _):
            connection.send(answered)
            if closes:
                connection.end_writing()
        server = bench.http_server(answer)
        client = bench.client(bench.weir(server))
        for _ in range(2):
            client.send(sent)
            got = read_final(client, method_of(sent))
            for condition in at_client:
                condition(got)
            if got.field("connection") == "close":
                assert client.is_closed_cleanly()
                break
        assert server.requests
        for received in server.requests:
            for condition in at_server:
                condition(received)
    return check


def forwards(sent, *conditions):
    """The request reaches the server and meets the conditions there."""
    return exchange(sent, OK, at_server=conditions, at_client=[status_is(200)])


def answers(answered, *conditions, sent=GET, closes=False):
    """The server's answer reaches the client and meets the conditions there."""
    return exchange(sent, answered, at_client=conditions, closes=closes)


def refuses(*requests, status=400):
    """Each is answered with the status and a close; nothing of it reaches a server, nor what follows."""
    def check(bench):
        server = bench.http_server()
        weir = bench.weir(server)
        for sent in requests:
            client = bench.client(weir)
            client.send(sent + FOLLOWING)
            got = client.read_response(method_of(sent))
            assert got.status == status, (sent, got.head)
            assert got.field("connection") == "close", (sent, got.head)
            assert client.is_closed_cleanly()
        assert [received.head for received in server.requests] == []
    return check


def discards(*answered):
    """Each answer of a server becomes a 502, and its connection is not used again."""
    def check(bench):
        def script(connection):
            asked = connection.read_request()
            connection.send(answered[int(asked.target[1:])])
            connection.read_to_end()
        server = bench.server(script)
        weir = bench.weir(server)
        for number, sent in enumerate(answered):
            client = bench.client(weir)
            got = client.get(f"/{number}")
            assert got.status == 502, (sent, got.head)
            assert server.connections[number].ended.wait(DEADLINE_S)
    return check


def both(*checks):
    def check(bench):
        for one in checks:
            one(bench)
    return check


_TEST = re.compile(r"(test_\w+\.py)::(test_\w+)(?:\[(.+)\])?$")


def tested_by(*names):
    """By tests of tests/e2e, as pytest names them. Here only that they are there."""
    def check(_):
        for name in names:
            file, function, case = _TEST.match(name).groups()
            text = (E2E / file).read_text(encoding="utf-8")
            assert f"\ndef {function}(" in text, name
            assert case is None or f'"{case}"' in text, name
    return check
