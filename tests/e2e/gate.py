"""A server that answers when the test says so."""
import threading

from process import DEADLINE_S, wait_until


class Gate:
    """Answers of an HttpServer: as many as it is let. It knows how many it had at a time."""

    def __init__(self):
        self.targets, self.most = [], 0
        self._now = 0
        self._lock = threading.Lock()
        self._permits = threading.Semaphore(0)

    def __call__(self, connection, request):
        with self._lock:
            self.targets.append(request.target)
            self._now += 1
            self.most = max(self.most, self._now)
        assert self._permits.acquire(timeout=DEADLINE_S)
        with self._lock:
            self._now -= 1
        connection.answer(request.target)

    def let(self, count=1):
        self._permits.release(count)

    def close(self):
        """Whoever still waits shall not keep the test."""
        self.let(1000)

    def wait_for(self, count):
        wait_until(lambda: len(self.targets) >= count,
                   f"{count} requests have come; {len(self.targets)} have")
