"""A real browser through Weir: what pages do with fetch and EventSource."""
import hashlib
import os
import threading

import pytest

from browser import Browser
from process import DEADLINE_S, wait_until
from weir import backend, config, listener

MIB = 1 << 20
WORKERS = 2
CONNECTIONS_MAX = 6  # that a browser opens to one host


class Origin:
    """What both servers answer. An endless download runs until its client is gone."""

    def __init__(self):
        self.seen = [threading.Event() for _ in range(5)]  # events that the page has
        self.ended = threading.Event()
        self.uploads = []

    def __call__(self, connection, request):
        path, _, query = request.target.partition("?")
        getattr(self, path.strip("/") or "page")(connection, request, query)

    def page(self, connection, request, query):
        connection.answer('<!doctype html><link rel="icon" href="data:,">',
                          fields=[("Content-Type", "text/html")])

    def square(self, connection, request, query):
        connection.answer(str(int(query) ** 2) * 100)

    def upload(self, connection, request, query):
        self.uploads.append(request)
        connection.answer(hashlib.sha256(request.body).hexdigest())

    def saw(self, connection, request, query):
        self.seen[int(query)].set()
        connection.answer()

    def events(self, connection, request, query):
        connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                        "Transfer-Encoding: chunked\r\n\r\n")
        for number, seen in enumerate(self.seen):
            event = f"id: {number}\ndata: event {number}\n\n"
            connection.send(f"{len(event):x}\r\n{event}\r\n")
            assert seen.wait(DEADLINE_S)
        connection.send("0\r\n\r\n")

    def endless(self, connection, request, query):
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n")
        try:
            while True:
                connection.send(b"x" * 65536)
        finally:
            self.ended.set()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.fixture
def origin():
    return Origin()


@pytest.fixture
def weir(start, serve, nginx, origin, browser):
    dynamic = backend(serve("A", origin), serve("B", origin), name="dynamic")
    static = nginx("static")
    (static.root / "files").mkdir()
    for number in range(200):
        (static.root / f"files/{number}").write_bytes(b"%d," % number * (number * 50))
    routes = [{"match": {"path_prefix": "/files"}, "backend": "static"}, {"backend": "dynamic"}]
    # A browser connects for requests it may make later; a stop waits for them.
    weir = start(config(listener(routes=routes), workers=WORKERS, timeouts={"shutdown": "100ms"},
                        backends=[dynamic, backend(static, name="static")]))
    browser.open(weir.url())
    yield weir
    browser.open("about:blank")


def assert_at_rest(weir):
    weir.wait_for_metric(0, "weir_server_leases")


def test_two_hundred_fetches_at_once_arrive_on_few_connections(weir, browser):
    wrong = browser.run("""
        const got = await Promise.all([...Array(200).keys()].map(async (n) => {
          const [file, square] = await Promise.all([fetch(`/files/${n}`), fetch(`/square?${n}`)]);
          return (await file.text()) === `${n},`.repeat(n * 50) &&
                 (await square.text()) === String(n * n).repeat(100);
        }));
        return got.flatMap((right, n) => right ? [] : [n]);""")
    assert wrong == []
    weir.wait_for_metric(0, "weir_errors_total")
    metrics = weir.metrics()
    assert metrics.value("weir_listener_requests_total") >= 401  # and the page
    # Now and then one may end and be made anew, or made because another took long, but not each time.
    assert metrics.value("weir_listener_connections_total") <= 6 * CONNECTIONS_MAX
    assert metrics.value("weir_server_reuses_total") >= 300
    assert_at_rest(weir)


@pytest.mark.parametrize("size", [MIB, 8 * MIB])
def test_an_upload_arrives_whole(weir, browser, origin, size):
    said, own = browser.run(f"""
        const bytes = new Uint8Array({size});
        for (let at = 0; at < bytes.length; at += 65536) {{
          crypto.getRandomValues(bytes.subarray(at, at + 65536));
        }}
        const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
        const answer = await fetch("/upload", {{ method: "POST", body: new Blob([bytes]) }});
        const hex = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
        return [await answer.text(), hex];""")
    assert said == own
    (request,) = origin.uploads
    assert len(request.body) == size
    assert_at_rest(weir)


def test_a_form_with_a_file_arrives_whole(weir, browser, origin):
    data = os.urandom(1000).hex()
    browser.run(f"""
        const form = new FormData();
        form.append("note", "grüße");
        form.append("file", new File(["{data}"], "name.txt"));
        return (await fetch("/upload", {{ method: "POST", body: form }})).status;""")
    (request,) = origin.uploads
    assert request.field("content-type").startswith("multipart/form-data; boundary=")
    assert data.encode() in request.body and "grüße".encode() in request.body


def test_server_sent_events_arrive_one_by_one(weir, browser):
    # The server sends the next one only when the page has said that it saw the one before.
    events = browser.run("""
        const source = new EventSource("/events");
        const got = [];
        return await new Promise((resolve, reject) => {
          source.onerror = () => { source.close(); reject(new Error(`after ${got}`)); };
          source.onmessage = async (event) => {
            got.push(event.data);
            if (got.length === 5) source.close();
            await fetch(`/saw?${event.lastEventId}`);
            if (got.length === 5) resolve(got);
          };
        });""")
    assert events == [f"event {number}" for number in range(5)]
    assert_at_rest(weir)


def test_a_cancelled_download_ends_at_the_server(weir, browser, origin):
    read = browser.run("""
        const ending = new AbortController();
        const answer = await fetch("/endless", { signal: ending.signal });
        const reader = answer.body.getReader();
        let read = 0;
        while (read < 1 << 20) read += (await reader.read()).value.length;
        ending.abort();
        return read;""")
    assert read >= MIB
    assert origin.ended.wait(DEADLINE_S)
    assert_at_rest(weir)
    (record,) = wait_until(lambda: [record for record in weir.access_log()
                                    if record["target"] == "/endless"], "it is in the log")
    assert record["reason"] in ("client_closed", "client_reset")
    assert browser.run("return await (await fetch('/square?3')).text();") == "9" * 100
