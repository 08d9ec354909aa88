"""Programs under test: started, watched line by line, and ended whatever happens."""
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

DEADLINE_S = 20  # that any one wait may take


def wait_until(condition, what, seconds=DEADLINE_S):
    """The first true value of condition(), asked again and again: the only place that polls."""
    pause = threading.Event()
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        pause.wait(0.01)


def _ports():
    """For servers of this process, and of none of those that run other tests beside it. Below those
    that the kernel gives to clients, or a connection might take one meanwhile; if there is room."""
    of_clients = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii")
    first = int(of_clients.split()[0])
    end = min(first, 32_000) if first > 12_000 else 32_000
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return range(10_000 + number, end, count)


_PORTS = _ports()
_given_ports = set()


def free_port():
    """For a server that has to be told its port. No two get the same, though it is not taken yet."""
    while True:
        port = random.choice(_PORTS)
        if port in _given_ports:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if not _is_taken(probe, port):
                _given_ports.add(port)
                return port


def _is_taken(probe, port):
    try:
        probe.bind(("127.0.0.1", port))
        return False
    except OSError:
        return True


class Lines:
    """What a program writes to one of its pipes, line by line."""

    def __init__(self, pipe):
        self._lines = []
        self._is_over = False
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._reader.start()

    def _read(self, pipe):
        for line in pipe:
            with self._changed:
                self._lines.append(line.decode(errors="backslashreplace").rstrip("\n"))
                self._changed.notify_all()
        pipe.close()
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def wait_for(self, pattern, seconds=DEADLINE_S):
        """The match in the first line that has one."""
        end = time.monotonic() + seconds
        seen = 0
        with self._changed:
            while True:
                for line in self._lines[seen:]:
                    match = re.search(pattern, line)
                    if match:
                        return match
                seen = len(self._lines)
                left = end - time.monotonic()
                if self._is_over or left <= 0:
                    why = "the program ended" if self._is_over else f"{seconds} s passed"
                    raise AssertionError(f"{why} before {pattern!r}:\n" + "\n".join(self._lines))
                self._changed.wait(left)

    def find_all(self, pattern):
        with self._changed:
            return [match for match in (re.search(pattern, line) for line in self._lines) if match]

    def text(self):
        with self._changed:
            return "".join(line + "\n" for line in self._lines)

    def whole_text(self):
        """Everything, once the program has closed the pipe."""
        self._reader.join(DEADLINE_S)
        return self.text()


def as_user(user):
    """setpriv's arguments for it."""
    group = pwd.getpwnam(user).pw_gid
    return ["--reuid", user, "--regid", str(group), "--clear-groups"]


class Process:
    """A running program. It dies with the test run, even if that is killed.

    `user`: whom to run it as. `files`: its limit of file descriptors.
    """

    def __init__(self, command, *, cwd=None, env=None, user=None, files=None):
        wrapper = ["setpriv", "--pdeathsig", "KILL"]
        if user is not None:
            wrapper += as_user(user)
        wrapper.append("--")
        if files is not None:
            wrapper += ["prlimit", f"--nofile={files}:{files}"]
        self._process = subprocess.Popen(
            [*wrapper, *map(str, command)], cwd=cwd, env=env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.pid = self._process.pid
        self.stdout = Lines(self._process.stdout)
        self.stderr = Lines(self._process.stderr)

    def is_running(self):
        return self._process.poll() is None

    def send_signal(self, number):
        self._process.send_signal(number)

    def wait(self, seconds=DEADLINE_S):
        """The exit code."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            said = self.stderr.text()
            raise AssertionError(f"still running after {seconds} s:\n{said}") from None

    def kill(self):
        if self.is_running():
            self._process.kill()
            self._process.wait(DEADLINE_S)

    def stop(self, number=signal.SIGTERM, seconds=DEADLINE_S):
        """Ends it politely; the exit code."""
        if self.is_running():
            self.send_signal(number)
        try:
            return self.wait(seconds)
        finally:
            self.kill()


def run(command, *, seconds=60, **options):
    """A finished program: returncode, stdout and stderr as text."""
    assert shutil.which(str(command[0])), f"{command[0]} is not installed (scripts/install-deps)"
    return subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          timeout=seconds, check=False, **options)
