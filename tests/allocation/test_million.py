"""A million requests leave memory where it was."""
import re
import subprocess
from pathlib import Path

from nginx import Nginx
from weir import backend, config, listener

CONNECTIONS = 64
# What malloc keeps for threads whose turn came late, and stacks that went deeper once: a byte a
# request at most. The bytes held, below, are exact.
GROWTH_MAX_KIB = 1024


def load(url, requests):
    result = subprocess.run(
        ["h2load", "--h1", "-t1", f"-c{CONNECTIONS}", f"-n{requests}", url],
        capture_output=True, text=True, timeout=240, check=True)
    assert f" {requests} succeeded, 0 failed" in result.stdout, result.stdout


def resident_kib(weir):
    """Memory of its own, without the pages of the binary that are read when they are first used."""
    smaps = Path(f"/proc/{weir.process.pid}/smaps_rollup").read_text()
    return int(re.search(r"^Anonymous:\s+(\d+)", smaps, re.M).group(1))


def test_a_million_requests_leave_memory_where_it_was(start_counted, request, tmp_path):
    nginx = Nginx(tmp_path)
    request.addfinalizer(nginx.close)
    weir = start_counted(config(listener(), backends=[backend(nginx)]))
    load(weir.url("/name"), 50_000)
    held, resident = weir.bytes_held(), resident_kib(weir)
    load(weir.url("/name"), 1_000_000)
    print(f"{weir.bytes_held() - held} bytes held more, {resident_kib(weir) - resident} KiB resident")
    assert -4096 <= weir.bytes_held() - held <= 4096
    assert resident_kib(weir) - resident <= GROWTH_MAX_KIB
