"""A listener is closed by a reload, and nobody whom the kernel has accepted for it is reset."""
import threading

import pytest

from process import DEADLINE_S, free_port, wait_until
from servers import get
from weir import backend, config, listener

ROUNDS = 5


class Stampede:
    """Threads that connect and ask as fast as they can until they are refused."""

    def __init__(self, weir, address):
        self.answers, self.failures = [], []
        self._threads = [threading.Thread(target=self._run, args=(weir,)) for _ in range(4)]
        weir.addresses["going"] = address
        for thread in self._threads:
            thread.start()

    def _run(self, weir):
        while True:
            try:
                self.answers.append(get(weir, "/name", name="going").status)
            except ConnectionRefusedError:
                return
            except OSError as error:
                self.failures.append(error)
                return

    def wait_until_refused(self):
        for thread in self._threads:
            thread.join(DEADLINE_S)
            assert not thread.is_alive()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_listener_removed_under_load_resets_nobody(start, nginx, workers):
    address = ("127.0.0.1", free_port())
    staying = listener()
    going = listener("going", address="%s:%d" % address)
    backends = [backend(nginx())]
    weir = start(config(staying, backends=backends, workers=workers))
    for _ in range(ROUNDS):
        weir.reload(config(staying, going, backends=backends, workers=workers))
        stampede = Stampede(weir, address)
        wait_until(lambda: len(stampede.answers) > 100, "requests flow")
        weir.reload(config(staying, backends=backends, workers=workers))
        stampede.wait_until_refused()
        assert stampede.failures == []
        assert set(stampede.answers) == {200}
        assert get(weir, "/name", name="web").status == 200


def test_a_listener_may_return_at_once(start, server):
    going = listener("going", address=f"127.0.0.1:{free_port()}")
    weir = start(config(listener(), backends=[backend(server)], workers=2))
    for _ in range(20):
        weir.reload(config(listener(), going, backends=[backend(server)], workers=2))
        weir.reload(config(listener(), backends=[backend(server)], workers=2))
