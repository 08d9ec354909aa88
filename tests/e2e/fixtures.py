"""What tests are given. Everything here is ended with the test, whatever happened to it."""
import pytest

from nginx import Nginx
from servers import HttpServer, Server
from weir import BINARY, Weir


def pytest_sessionstart(session):
    if not BINARY.exists():
        pytest.exit(f"no {BINARY}; build it, or say in WEIR_BINARY where it is", returncode=2)


@pytest.fixture
def ends(request):
    """Registers an end: `server = ends(Server(...))` is closed after the test."""
    def register(thing):
        request.addfinalizer(thing.close)
        return thing
    return register


@pytest.fixture
def start(request, tmp_path):
    """Starts Weir with a configuration. What still runs after the test must stop cleanly."""
    count = 0

    def start_weir(configuration=None, **options):
        nonlocal count
        count += 1
        weir = Weir(tmp_path / f"weir{count}", configuration, **options)
        request.addfinalizer(weir.process.kill)
        request.addfinalizer(weir.stop)
        return weir
    return start_weir


@pytest.fixture
def server(ends):
    """A server that says its name, `server`."""
    return ends(HttpServer())


@pytest.fixture
def serve(ends):
    """Makes HTTP servers that answer as told: serve(name, answer)."""
    return lambda name="server", answer=None, **options: ends(
        HttpServer(name, answer, **options))


@pytest.fixture
def script(ends):
    """Makes servers whose connections run a script: script(function)."""
    return lambda function, **options: ends(Server(function, **options))


@pytest.fixture
def nginx(ends, tmp_path):
    return lambda *arguments, **options: ends(Nginx(tmp_path, *arguments, **options))
