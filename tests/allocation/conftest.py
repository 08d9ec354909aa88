"""Weir under a counter of allocations, with the harness of the end-to-end tests."""
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from servers import HttpServer  # noqa: E402
from weir import Weir  # noqa: E402


class CountedWeir(Weir):
    def __init__(self, folder, configuration, library):
        self.count_file = Path(folder) / "count"
        Path(folder).mkdir(parents=True)
        super().__init__(folder, configuration, env={
            **os.environ, "LD_PRELOAD": str(library), "MALLOC_COUNT_FILE": str(self.count_file)})

    def allocations(self):
        """How often a worker has allocated since it started."""
        return self._counts()[0]

    def bytes_held(self):
        """What a worker has allocated and not freed, with what malloc needs for itself."""
        return self._counts()[1]

    def _counts(self):
        return struct.unpack("Qq", self.count_file.read_bytes())


@pytest.fixture(scope="session")
def malloc_counter(tmp_path_factory):
    library = tmp_path_factory.mktemp("counter") / "malloc_counter.so"
    subprocess.run(["clang-19", "-O2", "-fPIC", "-shared", "-o", library,
                    HERE / "malloc_counter.c"], check=True)
    return library


@pytest.fixture
def start_counted(request, tmp_path, malloc_counter):
    def start_weir(configuration):
        weir = CountedWeir(tmp_path / "weir", configuration, malloc_counter)
        request.addfinalizer(weir.process.kill)
        request.addfinalizer(weir.stop)
        return weir
    return start_weir


@pytest.fixture
def server(request):
    made = HttpServer()
    request.addfinalizer(made.close)
    return made
