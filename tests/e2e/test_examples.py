"""Every example of examples/ runs, on free ports and with a server of the test behind it."""
import re

import pytest

from geo import with_geo_database
from process import Process, run, wait_until
from servers import Client
from weir import BINARY, ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
_ADDRESS = re.compile(r"""(\baddress: *)("[^"]*"|[^\s,}#]+)""")
_ADDRESSES = re.compile(r"\baddresses:(\n +- .+)+")
_HOST = re.compile(r"\bhost: *\[?([^\s,}\]#]+)")


def relocated(text, server_address):
    """Its listeners on free local ports; all its servers are the one at `server_address`."""
    front, mark, back = text.partition("\nbackends:")
    assert mark, "an example has its listeners first"
    front = _ADDRESSES.sub('addresses: [ "127.0.0.1:0", "127.0.0.1:0" ]', front)
    front = _ADDRESS.sub(r"\g<1>127.0.0.1:0", front)
    back = _ADDRESS.sub(lambda match: match[1] + server_address, back)
    if not re.search(r"^admin:", front, re.MULTILINE):
        front = "admin: { address: 127.0.0.1:0 }\n" + front
    return front + mark + back


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.name for path in EXAMPLES])
def test_an_example_serves_requests(start, tmp_path, server, path):
    text = with_geo_database(path.read_text(encoding="utf-8"), tmp_path)
    weir = start(relocated(text, server.address))
    hosts = ["example.com", *(host.strip('"').replace("*", "x") for host in _HOST.findall(text))]
    assert weir.addresses
    for address in weir.addresses.values():
        statuses = []
        for host in hosts:
            with Client(address) as client:
                statuses.append(client.get(host=host).status)
        assert 200 in statuses, (address, statuses)


def test_there_are_examples():
    assert EXAMPLES


def test_the_demo_prints_a_curl_that_works(tmp_path):
    demo = Process([BINARY, "demo", "--listen", "127.0.0.1:0"], cwd=tmp_path)
    try:
        curl = r"^\s*(curl \S+)"
        (found,) = wait_until(lambda: demo.stdout.find_all(curl) + demo.stderr.find_all(curl),
                              "the demo prints a curl line")
        answers = [run([*found[1].split(), "-sS"]).stdout for _ in range(6)]
        # It shows that its servers take turns.
        assert {re.search(r"demo-\d", answer)[0] for answer in answers} == {
            "demo-1", "demo-2", "demo-3"}
        assert demo.stop() == 0
    finally:
        demo.kill()
