"""Chromium without a window, driven by its own protocol over a pair of pipes."""
import json
import os
import select
import shutil
import subprocess

from process import DEADLINE_S

_OPTIONS = [
    "--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-sandbox",
    # It shall speak with the page's server alone.
    "--no-proxy-server", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-domain-reliability", "--no-pings",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-pipe"]


def is_loaded(event, loader):
    """Whether it says that what this loader fetched is there."""
    parameters = event.get("params", {})
    return (event.get("method") == "Page.lifecycleEvent" and parameters["name"] == "load"
            and parameters["loaderId"] == loader)


class Browser:
    """One page. Messages are JSON and a NUL: the browser reads descriptor 3 and writes 4."""

    def __init__(self, folder):
        chromium = shutil.which("chromium")
        assert chromium, "chromium is not installed (scripts/install-deps)"
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        self._log = open(folder / "chromium.log", "wb")
        redirected = f'exec "$@" 3<&{to_read} 4>&{to_write} {to_read}<&- {to_write}>&-'
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", "bash", "-c", redirected, "chromium",
             chromium, *_OPTIONS, f"--user-data-dir={folder / 'profile'}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, cwd=folder,
            env={**os.environ, "HOME": str(folder)}, pass_fds=(to_read, to_write))
        os.close(to_read)
        os.close(to_write)
        self._pending = b""
        self._calls = 0
        self._events = []  # since the last page was asked for: a load may be told before its answer
        target = self._call("Target.createTarget", {"url": "about:blank"})["targetId"]
        self._session = self._call("Target.attachToTarget", {"targetId": target, "flatten": True})[
            "sessionId"]
        self._call("Page.enable", session=True)
        self._call("Page.setLifecycleEventsEnabled", {"enabled": True}, session=True)

    def open(self, url):
        """Waits until the page is loaded."""
        self._events = []
        result = self._call("Page.navigate", {"url": url}, session=True)
        assert "errorText" not in result, result
        while not any(is_loaded(event, result["loaderId"]) for event in self._events):
            self._events.append(self._read_message())

    def run(self, script):
        """What the body of an async function returns."""
        result = self._call("Runtime.evaluate", {
            "expression": f"(async () => {{ {script} }})()",
            "awaitPromise": True, "returnByValue": True}, session=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def close(self):
        try:
            self._call("Browser.close")
            self._process.wait(DEADLINE_S)
        finally:
            self._process.kill()
            self._process.wait()
            os.close(self._write)
            os.close(self._read)
            self._log.close()

    def _call(self, method, parameters=None, *, session=False):
        self._calls += 1
        number = self._calls
        message = {"id": number, "method": method, "params": parameters or {}}
        if session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (answer := self._read_message()).get("id") != number:
            self._events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def _read_message(self):
        while b"\0" not in self._pending:
            self._pending += self._read_some()
        message, self._pending = self._pending.split(b"\0", 1)
        return json.loads(message)

    def _read_some(self):
        ready, _, _ = select.select([self._read], [], [], DEADLINE_S)
        assert ready, f"the browser says nothing for {DEADLINE_S} s"
        data = os.read(self._read, 1 << 20)
        assert data, "the browser ended"
        return data
