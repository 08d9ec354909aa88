"""`weir check`: every problem with its place, its text and what was expected; and its siblings."""
import json
import re
from pathlib import Path

import pytest

from geo import with_geo_database
from process import run
from weir import BINARY, ROOT

GOOD = """\
listeners:
  - name: web
    address: 127.0.0.1:0
    backend: web
backends:
  - name: web
    servers:
      - { name: s1, address: 127.0.0.1:9001 }
"""


def check(folder, text):
    """(exit code, all that is printed)."""
    (Path(folder) / "weir.yaml").write_text(text, encoding="utf-8")
    done = run([BINARY, "check", "-c", "weir.yaml"], cwd=folder)
    return done.returncode, done.stdout + done.stderr


def replaced(old, new):
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


def test_a_good_file_is_ok(tmp_path):
    assert check(tmp_path, GOOD) == (0, "weir.yaml: ok\n")


def test_a_misspelt_key(tmp_path):
    assert check(tmp_path, replaced("address: 127.0.0.1:0", "adress: 127.0.0.1:0")) == (1, """\
weir.yaml:2:5: error: missing key 'address' or 'addresses'
  - name: web
    ^
weir.yaml:3:5: error: unknown key 'adress' (did you mean 'address'?)
    adress: 127.0.0.1:0
    ^
""")


@pytest.mark.parametrize("leads_to", ["backend: web", "split: [ { backend: web } ]"])
def test_connections_have_no_cookie_to_hash(tmp_path, leads_to):
    text = replaced("    backend: web\n", f"    protocol: tcp\n    {leads_to}\n").replace(
        "  - name: web\n    servers:",
        '  - name: web\n    balance: { hash: { key: "${request.cookie.user}" } }\n    servers:')
    code, said = check(tmp_path, text)
    assert (code, said.count(": error: ")) == (1, 1)
    assert ("weir.yaml:8:29: error: the listener 'web' has protocol: tcp, whose connections have "
            "no 'request.cookie.'") in said


@pytest.mark.parametrize("balance, expected", [
    ("{ hash: { method: maglev, table_size: 0 } }", "2 to 1048573"),
    ("{ hash: { method: maglev, table_size: 1 } }", "2 to 1048573"),
    ("{ least_bandwidth: { forecast: { step: 0s, season: 24h } } }", "1s to 1h"),
])
def test_what_is_out_of_its_range_is_one_error(tmp_path, balance, expected):
    """Though other checks reckon with it."""
    code, said = check(tmp_path, replaced("  - name: web\n    servers:",
                                          f"  - name: web\n    balance: {balance}\n    servers:"))
    assert (code, said.count(": error: ")) == (1, 1)
    assert expected in said


def test_every_problem_is_reported(tmp_path):
    code, said = check(tmp_path, """\
workers: none
listeners:
  - name: web
    address: 127.0.0.1
    protocol: htp
    timeouts: { client_head: 10 }
    backend: wbe
  - name: web
    address: 127.0.0.1:80
    backend: web
backends:
  - name: web
    balance: round-robin
    servers:
      - { name: s1, address: "127.0.0.1:99999", weight: -1 }
      - { name: s1, address: 127.0.0.1:9001, wieght: 2 }
""")
    assert code == 1
    assert re.findall(r"^weir\.yaml:(\d+:\d+): error: ", said, re.MULTILINE) == [
        "1:10", "4:14", "5:15", "6:30", "7:14", "8:11", "13:14", "15:30", "15:57", "16:17", "16:46"]


PROBLEMS = [
    ("127.0.0.1:0", "127.0.0.1",
     "3:14: error: expected an address such as 127.0.0.1:8080, [::1]:8080, :8080 or "
     "unix:/run/weir.sock, found '127.0.0.1'"),
    ("127.0.0.1:9001", "app..internal:9001",
     "8:30: error: expected an address such as 10.0.0.1:8080, 10.0.0.1, [::1]:8080, "
     "app.internal:8080 or unix:/run/app.sock, found 'app..internal:9001': the name has an empty "
     "label"),
    ("backends:", "resolver: { min_ttl: 2h, servers: [10.0.0.53] }\nbackends:",
     "5:11: error: min_ttl is longer than max_ttl"),
    ("backends:", "resolver: { servers: [ns.internal] }\nbackends:",
     "5:23: error: expected an IP address such as 10.0.0.53, 127.0.0.1:5353 or [2001:db8::53]:53, "
     "found 'ns.internal'"),
    ("backend: web", "backend: wbe", "4:14: error: unknown backend 'wbe' (did you mean 'web'?)"),
    ("    backend: web\n", "", "2:5: error: listener 'web' has neither 'backend' nor 'split' nor "
     "'routes'"),
    ("    backend: web", "    backend: web\n    protocol: htp",
     "5:15: error: expected one of http, tcp, found 'htp' (did you mean 'http'?)"),
    ("    backend: web", "    backend: web\n    name: again",
     "5:5: error: duplicate key 'name' (the first is in line 2)"),
    ("    backend: web", "    backend: web\n    timeouts: { client_head: 10 }",
     "5:30: error: expected a duration from 1ms to 1h, found '10': the unit is missing"),
    ("    backend: web", "    backend: web\n    timeouts: { client_head: 2h }",
     "5:30: error: expected a duration from 1ms to 1h, found '2h'"),
    ("    backend: web", "    backend: web\n    limits: { head_bytes: 1TB }",
     "5:27: error: expected a size from 1KiB to 256KiB, found '1TB'"),
    ("    backend: web", "    backend: web\n    limits: { head_fields: many }",
     "5:28: error: expected a whole number from 8 to 200, found 'many'"),
    ("    servers:\n      - { name: s1, address: 127.0.0.1:9001 }\n", "    servers: []\n",
     "7:14: error: expected 1 to 65535 items, found 0"),
    ("{ name: s1, address: 127.0.0.1:9001 }", "127.0.0.1:9001",
     "8:9: error: expected a mapping, found '127.0.0.1:9001'"),
    ("name: s1, ", "", "8:9: error: missing key 'name'"),
    ("address: 127.0.0.1:9001 }", "address: 127.0.0.1:9001, weight: 1.5 }",
     "8:54: error: expected a whole number from 0 to 65535, found '1.5'"),
]


@pytest.mark.parametrize("old, new, expected", PROBLEMS, ids=[case[2] for case in PROBLEMS])
def test_a_problem_has_its_place_and_says_what_was_expected(tmp_path, old, new, expected):
    code, said = check(tmp_path, replaced(old, new))
    assert code == 1
    lines = said.splitlines()
    assert f"weir.yaml:{expected}" in lines, said
    # Below it, the line of the file and a caret at the column.
    at = lines.index(f"weir.yaml:{expected}")
    line, column = (int(part) for part in expected.split(":")[:2])
    assert lines[at + 1] == replaced(old, new).splitlines()[line - 1]
    assert lines[at + 2] == " " * (column - 1) + "^"


def test_names_that_occur_twice(tmp_path):
    code, said = check(tmp_path, GOOD + """\
  - name: web
    servers: [ { name: a, address: "127.0.0.1:1" }, { name: a, address: "127.0.0.1:2" } ]
""")
    assert code == 1
    assert "weir.yaml:9:11: error: duplicate backend 'web'; the first one is in line 6\n" in said
    assert "weir.yaml:10:61: error: duplicate server 'a'; the first one is in line 10\n" in said


def test_an_unreachable_route(tmp_path):
    code, said = check(tmp_path, replaced("    backend: web\n", """\
    routes:
      - { match: { path_prefix: /api }, backend: web }
      - { match: { path_prefix: /api/users }, backend: web }
      - { backend: web }
      - { match: { host: example.com }, backend: web }
"""))
    assert code == 1
    assert ("weir.yaml:6:9: error: unreachable route: everything it matches is taken by earlier "
            "routes, such as the one in line 5\n") in said
    assert ("weir.yaml:8:9: error: unreachable route: everything it matches is taken by earlier "
            "routes, such as the one in line 7\n") in said


def test_a_listener_of_tcp_has_no_routes(tmp_path):
    code, said = check(tmp_path, replaced("    backend: web\n", """\
    protocol: tcp
    routes: [ { match: { path: / }, backend: web } ]
"""))
    assert code == 1
    assert ("weir.yaml:5:15: error: a listener with protocol: tcp makes no content decisions: it "
            "has a 'backend' or a 'split' and no 'routes' (protocol: http has routes)\n") in said


def test_two_listeners_at_one_address(tmp_path):
    code, said = check(tmp_path, replaced("127.0.0.1:0", "127.0.0.1:8080").replace(
        "backends:", "  - { name: b, address: 127.0.0.1:8080, backend: web }\nbackends:"))
    assert code == 1
    assert ("weir.yaml:5:25: error: address 127.0.0.1:8080 is taken already in line 3\n") in said


@pytest.mark.parametrize("text", [
    "", "listeners", "- 1\n", "listeners: [", "a: b: c\n", "\tlisteners: []\n", "{}\n", "&a [*a]\n",
    "listeners: &l [ *l ]\n", "listeners: !!python/object {}\n", "\x00", "\ufeff", "a: 'b\n",
    "listeners: null\nbackends: ~\n", "? [a]\n: b\n", "a: 1\n---\nb: 2\n", "x: " + "[" * 5000,
])
def test_what_is_no_configuration_is_refused_in_words(tmp_path, text):
    code, said = check(tmp_path, text)
    assert code == 1
    assert re.match(r"weir\.yaml:(\d+:\d+: )?.*error: ", said), said


def test_a_file_that_is_not_utf_8_is_refused(tmp_path):
    (tmp_path / "weir.yaml").write_bytes(GOOD.encode() + b"# \xff\xfe\nx: \xff\n")
    done = run([BINARY, "check", "-c", tmp_path / "weir.yaml"], cwd=tmp_path)
    assert done.returncode == 1


def test_no_server_with_a_weight_is_a_warning(tmp_path):
    code, said = check(tmp_path, replaced("address: 127.0.0.1:9001 }",
                                          "address: 127.0.0.1:9001, weight: 0 }"))
    assert code == 0
    assert ("weir.yaml:6:11: warning: no server of backend 'web' has a weight above 0\n") in said


def test_the_schema_is_json_and_knows_the_keys():
    done = run([BINARY, "schema"])
    assert done.returncode == 0
    schema = json.loads(done.stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert {"listeners", "backends", "admin", "workers"} <= schema["properties"].keys()
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("page", ["config", "metrics", "errors", "values"])
def test_reference_pages_are_markdown(page):
    done = run([BINARY, "reference", page])
    assert done.returncode == 0
    assert done.stdout.startswith("# ")
    assert "| --- |" in done.stdout


def test_version_says_what_it_is():
    done = run([BINARY, "version"])
    assert done.returncode == 0
    assert re.match(r"weir \d+\.\d+", done.stdout)


EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.name for path in EXAMPLES])
def test_every_example_is_good(tmp_path, path):
    text = with_geo_database(path.read_text(encoding="utf-8"), tmp_path)
    assert check(tmp_path, text) == (0, "weir.yaml: ok\n")


def configurations_in_pages():
    """Every configuration, from its listeners to its backends, of the README and the guide; and
    what `check` prints according to the page."""
    block = re.compile(r"^```yaml\n(.*?)^```\n(?:\ngives\n\n```\n(.*?)^```\n)?",
                       re.MULTILINE | re.DOTALL)
    for page in [ROOT / "README.md", *sorted((ROOT / "docs/guide").glob("*.md"))]:
        for text, problems in block.findall(page.read_text(encoding="utf-8")):
            if re.search("^listeners:.*^backends:", text, re.MULTILINE | re.DOTALL):
                yield pytest.param(text, problems or "weir.yaml: ok\n", id=page.name)


@pytest.mark.parametrize("text, said", configurations_in_pages())
def test_the_documentation_is_right_about_every_whole_configuration(tmp_path, text, said):
    assert check(tmp_path, text) == (0 if said == "weir.yaml: ok\n" else 1, said)
