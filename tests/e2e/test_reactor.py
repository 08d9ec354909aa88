"""Which reactor runs: the one that is asked for, or what the machine allows."""
import ctypes
import errno
import os
import sys
import urllib.request
from pathlib import Path

import pytest

from process import run
from weir import BINARY, simple, write_config

LAUNCHER = Path(__file__).with_name("without_io_uring.py")
IO_URING_SETUP = 425
REFUSALS = {
    errno.EPERM: "Operation not permitted (a seccomp filter, as container runtimes install one, or "
                 "the setting kernel.io_uring_disabled forbids it)",
    errno.ENOSYS: "Function not implemented (the kernel is built without it, or a seccomp filter "
                  "hides it)",
}


def machine_has_io_uring():
    """Asked with arguments that are wrong: who allows the call says EFAULT."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.syscall(IO_URING_SETUP, 1, None) == -1
    newer_than_6_0 = tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 1)
    return ctypes.get_errno() == errno.EFAULT and newer_than_6_0


needs_io_uring = pytest.mark.skipif(not machine_has_io_uring(), reason="refused on this machine")


def without_io_uring(error):
    return [sys.executable, LAUNCHER, str(error)]


def assert_runs_on(weir, reactor, said):
    with urllib.request.urlopen(weir.url("/"), timeout=20) as response:
        assert response.status == 200
    assert weir.metrics().value("weir_reactor_info", reactor=reactor) == 1
    weir.process.stderr.wait_for(f"^reactor {reactor}{said}$")


@pytest.mark.parametrize("reactor", ["epoll", pytest.param("io_uring", marks=needs_io_uring)])
def test_the_reactor_that_is_asked_for_runs(start, server, reactor):
    assert_runs_on(start(simple(server), reactor=reactor), reactor, said="")


@needs_io_uring
def test_auto_takes_io_uring_where_it_can_be_used(start, server):
    assert_runs_on(start(simple(server), reactor="auto"), "io_uring", said="")


def test_without_a_word_it_is_what_the_machine_allows(tmp_path, start, server):
    path = write_config(tmp_path, simple(server))
    weir = start(arguments=["-c", path], reactor=None)
    if machine_has_io_uring():
        assert_runs_on(weir, "io_uring", said="")
    else:
        assert_runs_on(weir, "epoll", said=": io_uring cannot be used: .*")


@pytest.mark.parametrize("error", REFUSALS)
def test_auto_falls_back_to_epoll_and_says_why(start, server, error):
    weir = start(simple(server), reactor="auto", launcher=without_io_uring(error))
    (line,) = weir.process.stderr.find_all("^reactor .*$")
    assert line[0] == f"reactor epoll: io_uring cannot be used: {REFUSALS[error]}"
    assert weir.metrics().value("weir_reactor_info", reactor="epoll") == 1


@pytest.mark.parametrize("error", REFUSALS)
def test_what_was_asked_for_and_cannot_be_had_is_an_error(tmp_path, server, error):
    path = write_config(tmp_path, simple(server))
    done = run([*without_io_uring(error), BINARY, "run", "--reactor", "io_uring", "-c", path])
    assert done.returncode == 1
    assert done.stderr == (f"error: --reactor io_uring: io_uring cannot be used: {REFUSALS[error]}; "
                           "--reactor auto falls back to epoll\n")


def test_an_unknown_reactor_is_a_usage_error():
    done = run([BINARY, "run", "--reactor", "poll", "--listen", ":0", "--to", "127.0.0.1:1"])
    assert done.returncode == 2
    assert "poll not in {auto,epoll,io_uring}" in done.stderr
