"""The harness of the end-to-end tests, origins and clients in processes of their own, figures."""
import json
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from fixtures import (  # noqa: E402, F401
    ends, nginx, pytest_sessionstart, script, serve, server, start)
from process import Process  # noqa: E402


class Origin:
    """Servers in one process: echo for tunnels, HTTP that says the checksum of what it gets."""

    def __init__(self, http_port=0):
        self.process = Process([sys.executable, HERE / "origin.py", str(http_port)])
        said = self.process.stdout.wait_for(r"^http (\S+) tcp (\S+)$")
        self.address, self.tcp_address = said[1], said[2]
        self.port = int(self.address.rpartition(":")[2])

    def close(self):
        self.process.kill()


class Load:
    """Clients in a process of their own. `plan` says who does what: see load.py."""

    def __init__(self, plan):
        self._process = Process([sys.executable, HERE / "load.py", json.dumps(plan)])
        self._process.stdout.wait_for("^all connected$", seconds=30)

    def finish(self):
        """Lets everybody come to an end; the report."""
        code = self._process.stop(seconds=30)
        errors = self._process.stderr.whole_text()
        assert code == 0, errors
        return json.loads(self._process.stdout.whole_text().splitlines()[-1])

    def close(self):
        self._process.kill()


@pytest.fixture
def origin(ends):  # noqa: F811
    return lambda *arguments: ends(Origin(*arguments))


@pytest.fixture
def load(ends):  # noqa: F811
    return lambda **plan: ends(Load(plan))


def pytest_terminal_summary(terminalreporter):
    """Figures that a test has recorded: they depend on the machine, so nobody asserts them."""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, value in report.user_properties if report.when == "call" else ():
            terminalreporter.write_line(f"{name}: {value}")
