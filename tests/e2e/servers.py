"""Servers that do what a test tells them: each connection runs a script in a thread of its own."""
import errno
import io
import re
import socket
import struct
import threading

from process import DEADLINE_S, wait_until


class Request:
    def __init__(self, head, body):
        lines = head.decode("latin-1").split("\r\n")
        self.head = head
        self.method, self.target, self.version = lines[0].split(" ", 2)
        self.fields = [tuple(part.strip() for part in line.split(":", 1))
                       for line in lines[1:] if line]
        self.body = body

    def field(self, name):
        """The value of the last field of that name, or None."""
        return dict((n.lower(), value) for n, value in self.fields).get(name.lower())


def family_of(address):
    if isinstance(address, str):
        return socket.AF_UNIX
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET


class PeerConnection:
    """One connection to a scripted server, or to Weir from a scripted client."""

    def __init__(self, connected):
        self.socket = connected
        self.socket.settimeout(DEADLINE_S)
        if connected.family != socket.AF_UNIX:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.peer = connected.getpeername()
        self.ended = threading.Event()  # a server's: its script is over
        self._stream = connected.makefile("rb")

    def send(self, *pieces):
        """Each piece by its own write."""
        for piece in pieces:
            self.socket.sendall(piece if isinstance(piece, bytes) else piece.encode("latin-1"))

    def read(self, size):
        """Exactly `size` bytes, or fewer if the peer ends."""
        return self._stream.read(size)

    def read_some(self):
        return self._stream.read1(65536)

    def read_to_end(self):
        return self._stream.read()

    def read_line(self):
        return self._stream.readline()

    def read_head(self):
        """Up to and with the empty line; b"" if the peer closed before the first byte."""
        head = bytearray()
        while not head.endswith(b"\r\n\r\n"):
            line = self._stream.readline()
            if not line:
                if head:
                    raise ConnectionError(f"the peer closed within a head: {bytes(head)!r}")
                return b""
            head += line
        return bytes(head)

    def read_chunked(self):
        body = io.BytesIO()
        while True:
            size = int(self.read_line().split(b";")[0], 16)
            if size == 0:
                while (line := self.read_line()) != b"\r\n":
                    if not line:
                        raise ConnectionError("the peer closed within the trailers")
                return body.getvalue()
            body.write(self.read(size))
            if self.read(2) != b"\r\n":
                raise ConnectionError("a chunk does not end where it should")

    def read_request_head(self):
        """A request without its body, or None if the client closed."""
        head = self.read_head()
        return Request(head, b"") if head else None

    def read_request(self):
        """None if the client closed."""
        request = self.read_request_head()
        if request is None:
            return None
        if (request.field("transfer-encoding") or "").lower() == "chunked":
            request.body = self.read_chunked()
        elif request.field("content-length"):
            request.body = self.read(int(request.field("content-length")))
            if len(request.body) < int(request.field("content-length")):
                raise ConnectionError("the peer closed within a body")
        return request

    def answer(self, body=b"", *, status=200, fields=()):
        body = body if isinstance(body, bytes) else body.encode()
        head = f"HTTP/1.1 {status} Reason\r\nContent-Length: {len(body)}\r\n"
        self.send("".join([head, *(f"{name}: {value}\r\n" for name, value in fields), "\r\n"])
                  .encode() + body)

    def end_writing(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        self._stream.close()
        self.socket.close()


class Server:
    """Runs `script(connection)` for each connection, `connection` being a PeerConnection.

    host: an IP address, or the path of a unix socket.
    """

    def __init__(self, script, host="127.0.0.1", port=0):
        self._script = script
        place = host if host.startswith("/") else (host, port)
        self._listening = socket.create_server(place, family=family_of(place), backlog=4096)
        if self._listening.family == socket.AF_UNIX:
            self.host, self.port, self.address = host, 0, f"unix:{host}"
        else:
            self.host, self.port = self._listening.getsockname()[:2]
            self.address = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        self.connections = []
        self._closing = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                accepted, _ = self._listening.accept()
                connection = PeerConnection(accepted)
            except OSError:
                if self._closing:
                    return
                continue  # the peer was gone before we looked
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            self._script(connection)
        except (OSError, ValueError):
            pass  # the peer, or the end of the test, closed it: what was seen is recorded
        finally:
            connection.close()
            connection.ended.set()

    def wait_for_connections(self, count):
        wait_until(lambda: len(self.connections) >= count,
                   f"{count} connections at {self.address}; {len(self.connections)} came")

    def close(self):
        self._closing = True
        try:
            self._listening.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listening.close()
        for connection in list(self.connections):
            try:
                connection.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class HttpServer(Server):
    """Answers every request by `answer(connection, request)` and records them.

    Without an answer it says its name.
    """

    def __init__(self, name="server", answer=None, **options):
        self.name = name
        self.requests = []
        self._answer = answer or (lambda connection, request: connection.answer(name))
        super().__init__(self._serve_requests, **options)

    def _serve_requests(self, connection):
        while True:
            request = connection.read_request()
            if request is None:
                return
            self.requests.append(request)
            self._answer(connection, request)

    def wait_for_requests(self, count):
        wait_until(lambda: len(self.requests) >= count,
                   f"{count} requests at {self.name}; {len(self.requests)} came")


class RefusingServer:
    """An address of its own where connections are refused until it is opened."""

    def __init__(self, host="127.0.0.1"):
        self._bound = socket.socket()
        self._bound.bind((host, 0))
        self.host, self.port = self._bound.getsockname()
        self.address = f"{self.host}:{self.port}"

    def close(self):
        self._bound.close()


class DeafServer:
    """A listening socket whose queue is full: the kernel drops what comes, as a dead host would."""

    def __init__(self):
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.host, self.port = self._listening.getsockname()
        self.address = f"{self.host}:{self.port}"
        self._fillers = []
        while self._fill_one():
            pass

    def _fill_one(self):
        filler = socket.socket()
        filler.settimeout(0.3)
        self._fillers.append(filler)
        try:
            filler.connect((self.host, self.port))
        except TimeoutError:
            return False
        return True

    def close(self):
        self._listening.close()
        for filler in self._fillers:
            filler.close()


_STATUS_LINE = re.compile(rb"^HTTP/1\.1 (\d\d\d) ([^\r\n]*)\r\n")


class Response:
    def __init__(self, head, body):
        match = _STATUS_LINE.match(head)
        assert match, f"not a response head: {head!r}"
        self.status = int(match[1])
        self.head = head
        self.fields = [tuple(part.strip() for part in line.split(":", 1))
                       for line in head.decode("latin-1").split("\r\n")[1:] if line]
        self.body = body

    def field(self, name):
        return dict((n.lower(), value) for n, value in self.fields).get(name.lower())


class Client(PeerConnection):
    """A connection to a listener of Weir that speaks HTTP as badly as a test wants.

    address: (host, port), or the path of a unix socket. source: the host that it comes from, or
    (host, port).
    """

    def __init__(self, address, *, source=None, receive_buffer=None):
        connecting = socket.socket(family_of(address))
        if receive_buffer is not None:
            connecting.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source is not None:
            connecting.bind((source, 0) if isinstance(source, str) else source)
        connecting.settimeout(DEADLINE_S)
        connecting.connect(address)
        try:
            super().__init__(connecting)
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                raise
            raise ConnectionResetError(errno.ECONNRESET, "reset before its peer was asked for") from error
        self.own_address = connecting.getsockname()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def request(self, method="GET", target="/", *, host="example.com", fields=(), body=None):
        """Sends a request; a body goes with its Content-Length."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}",
                 *(f"{name}: {value}" for name, value in fields)]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b""))

    def read_response(self, method="GET"):
        """The next response, interim ones included."""
        head = self.read_head()
        if not head:
            raise ConnectionError("closed without a response")
        response = Response(head, b"")
        if method == "HEAD" or response.status < 200 or response.status in (204, 304):
            return response
        if (response.field("transfer-encoding") or "").lower() == "chunked":
            response.body = self.read_chunked()
        elif response.field("content-length") is not None:
            response.body = self.read(int(response.field("content-length")))
            if len(response.body) < int(response.field("content-length")):
                raise ConnectionError("closed within a body")
        else:
            response.body = self.read_to_end()
        return response

    def get(self, target="/", **options):
        self.request("GET", target, **options)
        return self.read_response()

    def is_closed_cleanly(self):
        """Waits for the end: True if it comes without a byte and without a reset."""
        return self.read_to_end() == b""


def get(weir, target="/", *, name=None, **options):
    """One GET on a connection of its own."""
    with Client(weir.address(name)) as client:
        return client.get(target, **options)
