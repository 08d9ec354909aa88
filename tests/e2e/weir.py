"""The binary under test: its configuration, its life, and what it says of itself."""
import http.client
import json
import os
import re
import signal
from pathlib import Path

from process import DEADLINE_S, Process, wait_until

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("WEIR_BINARY", ROOT / "build/release/weir"))
# That every Weir is started with, unless a test says which; the same suites hold on both.
REACTOR = os.environ.get("WEIR_REACTOR", "epoll")

_LISTENING = r"^listening on (\w+)://(\S+):(\d+) \(listener (.+)\)$"
_ADMIN = r"^admin on http://(\S+):(\d+)$"


# ---- Configurations. A dict, written as JSON, which is YAML.

def config(*listeners, backends, **top):
    return {"admin": {"address": "127.0.0.1:0"}, "workers": 1, "timeouts": {"shutdown": "2s"},
            "listeners": list(listeners), "backends": list(backends), **top}


def listener(name="web", **settings):
    """Its log, in JSON, is what Weir.access_log() reads. Without routes its backend is `web`."""
    choice = {} if "routes" in settings else {"backend": "web"}
    return {"name": name, "address": "127.0.0.1:0", "protocol": "http", **choice,
            "access_log": {"format": "json", "path": "access.log"}, **settings}


def tcp_listener(name="db", **settings):
    return listener(name, **{"protocol": "tcp", **settings})


def backend(*servers, name="web", weights=(), **settings):
    """Servers are given by an address, or by anything that has one. They are named s1, s2, ..."""
    members = []
    for number, server in enumerate(servers, start=1):
        members.append({"name": f"s{number}", "address": getattr(server, "address", server)})
    for member, weight in zip(members, weights):
        member["weight"] = weight
    return {"name": name, "balance": "round_robin", "servers": members, **settings}


def simple(*servers, **settings):
    """One HTTP listener before one backend. `settings` are the listener's."""
    return config(listener(**settings), backends=[backend(*servers)])


class Metrics:
    """A scrape of /metrics."""

    _SAMPLE = re.compile(r'^(\w+)(?:\{(.*)\})? (\S+)$')
    _LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

    def __init__(self, text):
        self.text = text
        self.samples = []  # (name, labels, value)
        for line in text.splitlines():
            if not line or line.startswith("#"):
                continue
            match = self._SAMPLE.match(line)
            assert match, f"not a sample: {line!r}"
            labels = dict(self._LABEL.findall(match[2] or ""))
            self.samples.append((match[1], labels, float(match[3])))

    def value(self, name, /, **labels):
        """The sum of the series of that name with at least these labels."""
        return sum(value for n, having, value in self.samples
                   if n == name and labels.items() <= having.items())


class Weir:
    """`weir run`, up and ready. Relative paths in its configuration are below `folder`.

    `arguments`: those of `weir run` instead of a configuration. `launcher`: a program that starts
    it, with its arguments. `reactor`: None for the default one.
    """

    def __init__(self, folder, configuration=None, *, arguments=None, reactor=REACTOR, launcher=(),
                 **options):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        if arguments is None:
            arguments = ["-c", write_config(self.folder, configuration)]
        chosen = [] if reactor is None else ["--reactor", reactor]
        command = [*launcher, BINARY, "run", *chosen, *arguments]
        self.process = Process(command, cwd=self.folder, **options)
        try:
            self.process.stderr.wait_for("^ready$")
        except AssertionError:
            self.process.kill()
            raise
        self.addresses = {m[4]: (m[2], int(m[3]))
                          for m in self.process.stderr.find_all(_LISTENING)}
        self.admin_address = None
        for match in self.process.stderr.find_all(_ADMIN):
            self.admin_address = (match[1], int(match[2]))

    def address(self, name=None):
        """(host, port) of a listener; without a name, of the only one."""
        if name is None:
            (only,) = self.addresses.values()
            return only
        return self.addresses[name]

    def url(self, path="/", name=None):
        host, port = self.address(name)
        return f"http://{host}:{port}{path}"

    def admin(self, path):
        """(status, body) of a GET."""
        assert self.admin_address, f"no admin address was said:\n{self.process.stderr.text()}"
        connection = http.client.HTTPConnection(*self.admin_address, timeout=DEADLINE_S)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def api(self, method, path, body=None):
        """(status, answer) of a call below /api/v1; both bodies are JSON."""
        connection = http.client.HTTPConnection(*self.admin_address, timeout=DEADLINE_S)
        try:
            fields = {} if body is None else {"Content-Type": "application/json"}
            connection.request(method, f"/api/v1{path}",
                               None if body is None else json.dumps(body), fields)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def reload(self, configuration):
        """Puts it into force; the report."""
        write_config(self.folder, configuration)
        status, report = self.api("POST", "/reload")
        assert status == 200, report
        return report

    def metrics(self):
        status, text = self.admin("/metrics")
        assert status == 200, text
        return Metrics(text)

    def wait_for_metric(self, expected, name, /, **labels):
        """Counters of workers are read as they are: what a client saw may not be counted yet."""
        wait_until(lambda: self.metrics().value(name, **labels) == expected,
                   f"{name} {labels} is {expected}; it is {self.metrics().value(name, **labels)}")

    def log_lines(self, count=1, file="access.log"):
        """The lines of a log, once there are at least `count`."""
        path = self.folder / file

        def complete_lines():
            text = path.read_bytes().decode() if path.exists() else ""
            return text.split("\n")[:-1]
        wait_until(lambda: len(complete_lines()) >= count,
                   f"{count} lines in {file}; there are {len(complete_lines())}")
        return complete_lines()

    def access_log(self, count=1, file="access.log"):
        """The records of a JSON log, once there are at least `count`."""
        return [json.loads(line) for line in self.log_lines(count, file)]

    def resident_bytes(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    def open_descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def terminate(self):
        """Begins the stop."""
        self.process.send_signal(signal.SIGTERM)

    def finish(self, seconds=DEADLINE_S):
        """Waits for the end; it must be a clean one."""
        code = self.process.wait(seconds)
        errors = self.process.stderr.whole_text()
        assert code == 0, f"exit code {code}:\n{errors}"
        assert "Sanitizer" not in errors and "runtime error:" not in errors, errors

    def stop(self, seconds=DEADLINE_S):
        if self.process.is_running():
            self.terminate()
        self.finish(seconds)


def write_config(folder, configuration):
    """The path of a file with it; text is written as it is."""
    path = Path(folder) / "weir.yaml"
    if not isinstance(configuration, str):
        configuration = json.dumps(configuration, indent=2)
    path.write_text(configuration, encoding="utf-8")
    return path
