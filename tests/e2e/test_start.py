"""What keeps Weir from starting is said in one line, with what to do; the exit code is 1."""
import os
import re
import shutil
import socket
import stat
import tempfile
from pathlib import Path

import pytest

from process import Process, run
from servers import get
from weir import BINARY, backend, config, listener, simple, write_config


def run_weir(folder, configuration, **options):
    """A start that should fail: (exit code, what was said)."""
    process = Process([BINARY, "run", "-c", write_config(folder, configuration)], cwd=folder,
                      **options)
    try:
        code = process.wait()
    finally:
        process.kill()
    return code, process.stderr.whole_text()


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as holder:
        yield f"127.0.0.1:{holder.getsockname()[1]}"


def in_use(address):
    port = address.rpartition(":")[2]
    return (f"cannot listen on {address}: the address is in use by another program; see which with "
            f"'ss -ltnp sport = :{port}', stop it or choose another port\n")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_port_in_use_is_an_error(tmp_path, server, taken, workers):
    code, said = run_weir(tmp_path, simple(server, address=taken) | {"workers": workers})
    assert code == 1
    assert said == "error: listener web: " + in_use(taken)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_port_of_another_weir_is_an_error(start, tmp_path, server, workers):
    first = start(simple(server) | {"workers": workers})
    address = "%s:%d" % first.address()
    code, said = run_weir(tmp_path, simple(server, address=address) | {"workers": workers})
    assert code == 1
    assert said == "error: listener web: " + in_use(address)
    assert get(first).status == 200


def test_a_written_admin_address_in_use_is_an_error(tmp_path, server, taken):
    code, said = run_weir(tmp_path, simple(server) | {"admin": {"address": taken}})
    assert code == 1
    assert said == "error: admin: " + in_use(taken)


def test_an_address_that_is_not_here_is_an_error(tmp_path, server):
    code, said = run_weir(tmp_path, simple(server, address="192.0.2.1:8080"))
    assert code == 1
    assert said == ("error: listener web: cannot listen on 192.0.2.1:8080: no interface of this "
                    "machine has that address; see 'ip addr'\n")


@pytest.fixture
def public_binary():
    """Where any user may run it."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        copy = Path(shutil.copy(BINARY, folder))
        copy.chmod(copy.stat().st_mode | stat.S_IROTH | stat.S_IXOTH)
        yield copy


def test_a_port_without_permission_is_an_error(public_binary, tmp_path):
    first_free_for_all = int(
        Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text(encoding="ascii"))
    if first_free_for_all <= 80:
        return  # nobody needs a permission on this machine
    process = Process([public_binary, "run", "--listen", "127.0.0.1:80", "--to", "127.0.0.1:1"],
                      cwd=tmp_path, user="nobody" if os.geteuid() == 0 else None)
    assert process.wait() == 1
    assert process.stderr.whole_text() == (
        "error: listener main: cannot listen on 127.0.0.1:80: no permission; ports below 1024 need "
        "root or CAP_NET_BIND_SERVICE (setcap cap_net_bind_service=+ep weir), or choose a higher "
        "port\n")


def test_too_few_descriptors_for_worker_connections_is_an_error(start, tmp_path, server):
    wanted = simple(server) | {"worker_connections": 4096}
    code, said = run_weir(tmp_path, wanted, files=1000)
    assert code == 1
    match = re.fullmatch(
        r"error: the limit of open files \(1000\) is too low for 1 workers? with "
        r"worker_connections: 4096; raise it with 'ulimit -n (\d+)' "
        r"\(systemd: LimitNOFILE=(\d+)\), or set worker_connections: (\d+) or less\n", said)
    assert match, said
    # Both remedies are exact.
    assert match[1] == match[2]
    assert get(start(wanted, files=int(match[1]))).status == 200
    assert run_weir(tmp_path, wanted, files=int(match[1]) - 1)[0] == 1
    fewer = wanted | {"worker_connections": int(match[3])}
    assert get(start(fewer, files=1000)).status == 200
    fewer["worker_connections"] += 1
    assert run_weir(tmp_path, fewer, files=1000)[0] == 1


def test_the_soft_limit_of_descriptors_is_raised(start, server):
    weir = start(simple(server))
    limits = Path(f"/proc/{weir.process.pid}/limits").read_text(encoding="ascii")
    soft, hard = re.search(r"Max open files +(\d+) +(\d+)", limits).groups()
    assert soft == hard


def test_a_log_that_cannot_be_opened_is_an_error(tmp_path, server):
    path = tmp_path / "missing" / "access.log"
    code, said = run_weir(tmp_path, simple(
        server, access_log={"format": "json", "path": str(path)}))
    assert code == 1
    assert said.startswith("error: ")
    assert str(path) in said
    assert "No such file or directory" in said


def test_a_missing_file_is_an_error(tmp_path):
    done = run([BINARY, "run", "-c", tmp_path / "none.yaml"])
    assert done.returncode == 1
    assert "none.yaml" in done.stderr
    assert "No such file or directory" in done.stderr


def test_a_bad_configuration_starts_nothing(tmp_path, server):
    code, said = run_weir(tmp_path, simple(server, adress="127.0.0.1:0"))
    assert code == 1
    assert "error: unknown key 'adress' (did you mean 'address'?)" in said
    assert "listening" not in said


@pytest.mark.parametrize("arguments, expected", [
    (["run"], "nothing to run: name a file with -c FILE, or --listen ADDRESS --to ADDRESS,..."),
    (["run", "--listen", "127.0.0.1:0"], "--to names no server"),
    (["run", "--listen", "nonsense", "--to", "127.0.0.1:1"], "--listen nonsense is no address"),
    (["run", "--listen", "127.0.0.1:0", "--to", "x y"], "--to x y is no address"),
    (["run", "--listen", "127.0.0.1:0", "--to", "127.0.0.1:1", "--protocol", "x"],
     "--protocol x: expected http or tcp"),
])
def test_a_wrong_command_line_says_what_is_missing(arguments, expected):
    done = run([BINARY, *arguments])
    assert done.returncode == 1
    assert f"error: {expected}" in done.stderr


def test_an_unknown_command_or_option_is_refused():
    for arguments in (["nonsense"], ["run", "--nonsense"], []):
        done = run([BINARY, *arguments])
        assert done.returncode not in (0, 139, 134), arguments
        assert done.stderr or done.stdout


def test_a_quick_start_is_a_whole_load_balancer(start, serve):
    servers = [serve("A"), serve("B")]
    weir = start(arguments=["--listen", "127.0.0.1:0", "--to",
                            ",".join(server.address for server in servers)])
    assert {get(weir).body for _ in range(8)} == {b"A", b"B"}


def test_a_quick_start_of_tcp(start, nginx):
    origin = nginx()
    weir = start(arguments=["--listen", "127.0.0.1:0", "--to", origin.address,
                            "--protocol", "tcp"])
    host, port = weir.address()
    assert f"listening on tcp://{host}:{port} (listener main)" in weir.process.stderr.text()
    assert run(["curl", "-sS", weir.url("/name")]).stdout == "nginx\n"


def test_workers_auto_is_one_for_each_cpu(start, server):
    weir = start(simple(server) | {"workers": "auto"})
    assert 1 <= weir.metrics().value("weir_workers") <= len(os.sched_getaffinity(0))


def test_listeners_are_said_with_their_real_ports(start, server):
    weir = start(config(listener("a"), listener("b"), backends=[backend(server)]))
    ports = {weir.address(name)[1] for name in "ab"}
    assert len(ports) == 2
    assert 0 not in ports
    assert get(weir, name="a").status == get(weir, name="b").status == 200
