"""`weir explain`: what it says of a request is what happens to it; and its page is right."""
import re

import pytest

from process import run
from servers import get
from weir import BINARY, ROOT, backend, config, listener, write_config

PAGE = ROOT / "docs/guide/explain.md"


def explain(folder, *arguments):
    """(exit code, stdout, stderr)."""
    done = run([BINARY, "explain", "-c", "weir.yaml", *arguments], cwd=folder)
    return done.returncode, done.stdout, done.stderr


def blocks_of_the_page():
    return re.findall(r"^```(?:yaml)?\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_the_page_shows_what_is_printed(tmp_path):
    _, configuration, *answers = blocks_of_the_page()
    (tmp_path / "weir.yaml").write_text(configuration)
    assert len(answers) == 2
    for answer in answers:
        code, said, errors = explain(tmp_path, *answer.splitlines()[0].split())
        assert (said, errors) == (answer, "")
        assert code == (0 if "server" in answer else 1)


@pytest.mark.parametrize("target, host", [
    ("/users/7", "api.example.com"), ("/usersx", "api.example.com"), ("/x/../users/1", "API.example.com."),
    ("/", "x.example.com"), ("/nowhere", "example.org"), ("/../up", "example.org"), ("/%zz", "x.example.com"),
])
def test_the_running_process_does_what_was_said(start, serve, tmp_path, target, host):
    names = ("users", "wild", "root")
    configuration = config(
        listener(routes=[{"match": {"host": "api.example.com", "path_prefix": "/users"}, "backend": "users"},
                         {"match": {"host": "*.example.com"}, "backend": "wild"},
                         {"match": {"path": "/"}, "backend": "root"}]),
        backends=[backend(serve(name), name=name) for name in names])
    path = write_config(tmp_path, configuration)
    done = run([BINARY, "explain", "-c", path, "-H", f"Host: {host}", "GET", f"http://x{target}"], cwd=tmp_path)
    response = get(start(configuration), target, host=host)
    if response.status == 200:
        assert done.returncode == 0
        assert re.search(r"^backend +(\S+)", done.stdout, re.MULTILINE)[1] == response.body.decode()
    else:
        assert done.returncode == 1
        assert re.search(r"^answer +(\d+)", done.stdout, re.MULTILINE)[1] == str(response.status)


@pytest.mark.parametrize("arguments, expected", [
    (["GET", "ftp://x"], "error: expected a URL such as http://HOST[:PORT]/PATH or tcp://HOST:PORT, found 'ftp://x'\n"),
    (["--listener", "wbe", "GET", "http://x"], "error: unknown listener 'wbe' (did you mean 'web'?)\n"),
    (["--from", "nobody", "GET", "http://x"], "error: --from 'nobody': expected an IP address\n"),
])
def test_a_question_that_is_not_understood(tmp_path, arguments, expected):
    (tmp_path / "weir.yaml").write_text(blocks_of_the_page()[1])
    assert explain(tmp_path, *arguments) == (2, "", expected)


def test_a_file_with_errors_is_not_explained(tmp_path):
    (tmp_path / "weir.yaml").write_text("listeners: []\n")
    code, said, errors = explain(tmp_path, "GET", "http://x")
    assert (code, said) == (1, "")
    assert "weir.yaml:1:12: error: " in errors
