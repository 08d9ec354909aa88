"""A listener may have several addresses: one name, one set of counters, a socket for each."""
import socket
import threading

import pytest

from process import free_port, run, wait_until
from servers import Client, get
from weir import BINARY, backend, config, listener, simple, tcp_listener, write_config


def several(*addresses, **settings):
    """A listener of them."""
    one = listener(**settings) | {"addresses": list(addresses)}
    del one["address"]
    return one


def addresses_of(weir, name="web"):
    _, answer = weir.api("GET", "/listeners")
    (found,) = [one["addresses"] for one in answer["listeners"] if one["name"] == name]
    return found


def place_of(address):
    """What Client takes."""
    if address.startswith("unix:"):
        return address.removeprefix("unix:")
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def status_at(address):
    with Client(place_of(address)) as client:
        return client.get().status


def is_refused(address):
    try:
        Client(place_of(address)).close()
    except (ConnectionRefusedError, FileNotFoundError):
        return True
    except OSError:
        pass  # it came between the two
    return False


@pytest.mark.parametrize("workers", [1, 3])
def test_all_addresses_are_served_and_counted_as_one(start, server, tmp_path, workers):
    unix = f"unix:{tmp_path}/web.sock"
    weir = start(config(several("127.0.0.1:0", "[::1]:0", "127.0.0.1:0", unix),
                        backends=[backend(server)], workers=workers))
    real = addresses_of(weir)
    assert [address.rpartition(":")[0] for address in real] == [
        "127.0.0.1", "[::1]", "127.0.0.1", "unix"]
    assert len(set(real)) == 4 and not any(address.endswith(":0") for address in real)
    for address in real:
        weir.process.stderr.wait_for(rf"^listening on http://{address} \(listener web\)$"
                                     .replace("[", r"\["))
        assert status_at(address) == 200
    weir.wait_for_metric(4, "weir_listener_connections_total", listener="web")
    weir.wait_for_metric(4, "weir_listener_requests_total", listener="web")
    assert len(weir.access_log(4)) == 4


def test_a_tunnel_comes_through_any_of_them(start, script, tmp_path):
    def name(connection):
        connection.send("hello")
        connection.read_to_end()
    addresses = ["127.0.0.1:0", "[::1]:0", f"unix:{tmp_path}/db.sock"]
    weir = start(config(several(*addresses, name="db", protocol="tcp"),
                        backends=[backend(script(name))]))
    for address in addresses_of(weir, "db"):
        with Client(place_of(address)) as client:
            assert client.read(5) == b"hello"


def test_ipv4_and_ipv6_wildcards_of_one_port_stand_beside_each_other(start, server):
    port = free_port()
    weir = start(config(several(f"0.0.0.0:{port}", f"[::]:{port}"), backends=[backend(server)],
                        workers=2))
    assert status_at(f"127.0.0.1:{port}") == status_at(f"[::1]:{port}") == 200
    clients = {record["client_address"] for record in weir.access_log(2)}
    assert clients == {"127.0.0.1", "::1"}


def test_the_ipv6_wildcard_alone_takes_ipv4(start, server):
    weir = start(simple(server, address="[::]:0"))
    (address,) = addresses_of(weir)
    port = address.rpartition(":")[2]
    assert status_at(f"127.0.0.1:{port}") == status_at(f"[::1]:{port}") == 200


def test_a_reload_that_would_split_or_join_an_open_wildcard_says_how(start, server):
    port = free_port()
    both = config(several(f"0.0.0.0:{port}", f"[::]:{port}"), backends=[backend(server)])
    alone = simple(server, address=f"[::]:{port}")
    neither = simple(server)
    weir = start(alone)
    for before, after, refused, how in ((alone, both, f"0.0.0.0:{port}", "with"),
                                        (both, alone, f"[::]:{port}", "without")):
        weir.reload(neither)
        weir.reload(before)
        write_config(weir.folder, after)
        status, answer = weir.api("POST", "/reload")
        assert status == 422 and answer["error"]["message"] == (
            f"listener web: cannot listen on {refused}: [::]:{port} is open {how} IPv4, which "
            "only opening it anew can change; leave it out of one reload and write it in the next")
        assert status_at(f"127.0.0.1:{port}") == status_at(f"[::1]:{port}") == 200


# ---- Reloads

def test_a_reload_opens_and_closes_only_what_changed(start, server):
    kept, going, coming = (f"127.0.0.1:{free_port()}" for _ in range(3))
    weir = start(config(several(kept, going), backends=[backend(server)], workers=2))
    with Client(place_of(kept)) as on_kept, Client(place_of(going)) as on_going:
        assert on_kept.get().status == on_going.get().status == 200
        weir.reload(config(several(kept, coming), backends=[backend(server)], workers=2))
        assert addresses_of(weir) == [kept, coming]
        assert on_kept.get().status == 200  # on the connection that was there
        assert status_at(coming) == 200
        wait_until(lambda: is_refused(going), "the address that is gone refuses")
        assert on_going.read_to_end() == b""  # it was idle, and is closed
    weir.wait_for_metric(4, "weir_listener_requests_total", listener="web")


def test_a_list_may_become_a_single_address_and_back(start, server):
    first, second = (f"127.0.0.1:{free_port()}" for _ in range(2))
    weir = start(simple(server, address=first))
    with Client(place_of(first)) as client:
        assert client.get().status == 200
        weir.reload(config(several(second, first), backends=[backend(server)]))
        assert client.get().status == 200
        weir.reload(simple(server, address=first))
        assert client.get().status == 200
        assert addresses_of(weir) == [first]


def test_ports_that_the_kernel_chose_are_kept(start, server):
    weir = start(config(several("127.0.0.1:0", "127.0.0.1:0"), backends=[backend(server)]))
    before = addresses_of(weir)
    weir.reload(config(several("127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"),
                       backends=[backend(server)]))
    after = addresses_of(weir)
    assert set(before) < set(after) and len(set(after)) == 3


def test_an_address_that_is_taken_changes_nothing(start, server):
    first, second = (f"127.0.0.1:{free_port()}" for _ in range(2))
    weir = start(config(several(first), backends=[backend(server)]))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        third = "127.0.0.1:%d" % taken.getsockname()[1]
        write_config(weir.folder, config(several(second, third), backends=[backend(server)]))
        status, answer = weir.api("POST", "/reload")
        assert status == 422 and answer["error"]["reason"] == "cannot_listen"
        assert answer["error"]["message"].startswith(
            f"listener web: cannot listen on {third}: the address is in use by another program")
    assert addresses_of(weir) == [first]
    assert status_at(first) == 200
    assert is_refused(second)


def test_an_address_removed_under_load_resets_nobody(start, server):
    """What the kernel has accepted for a client is answered."""
    kept = f"127.0.0.1:{free_port()}"
    for _ in range(3):
        going = f"127.0.0.1:{free_port()}"
        weir = start(config(several(kept, going), backends=[backend(server)], workers=2))
        answers, failures = [], []

        def ask():
            while True:
                try:
                    answers.append(status_at(going))
                except ConnectionRefusedError:
                    return
                except OSError as error:
                    failures.append(error)
                    return
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(answers) > 100, "requests flow")
        weir.reload(config(several(kept), backends=[backend(server)], workers=2))
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()
        assert failures == [] and set(answers) == {200}
        weir.stop()


# ---- What is said

def test_explain_names_them_all_and_finds_each(start, server, tmp_path):
    weir = start(config(several("127.0.0.1:0", "[::1]:0"), tcp_listener(),
                        backends=[backend(server)]))
    real = addresses_of(weir)
    for address in real:
        done = run([BINARY, "explain", "--admin", "%s:%d" % weir.admin_address, "GET",
                    f"http://{address}/"])
        assert done.returncode == 0, done.stderr
        assert f"listener  web ({real[0]}, {real[1]}, http)" in done.stdout


def test_a_server_without_a_port_gets_that_of_the_address(start, serve):
    first = serve("first", host="127.0.0.4")
    second = serve("second", host="127.0.0.4")
    addresses = [f"127.0.0.5:{first.port}", f"127.0.0.5:{second.port}"]
    weir = start(config(several(*addresses), backends=[backend("127.0.0.4")]))
    for address, name in zip(addresses, (b"first", b"second")):
        with Client(place_of(address)) as client:
            assert client.get().body == name
        done = run([BINARY, "explain", "--admin", "%s:%d" % weir.admin_address, "GET",
                    f"http://{address}/"])
        assert f"127.0.0.4:{place_of(address)[1]}" in done.stdout


def check(folder, *listeners):
    path = write_config(folder, config(*listeners, backends=[backend("127.0.0.1:1")]))
    done = run([BINARY, "check", "-c", path])
    return done.returncode, done.stdout + done.stderr


def test_what_the_file_may_not_say(tmp_path):
    both = listener() | {"addresses": ["127.0.0.1:0"]}
    neither = listener()
    del neither["address"]
    twice = several("127.0.0.1:81", "127.0.0.1:81")
    again = listener("other", address="127.0.0.1:81")
    for listeners, problem in (
            ([both], "either 'address' or 'addresses' may be written, not both"),
            ([neither], "missing key 'address' or 'addresses'"),
            ([twice], "address 127.0.0.1:81 is taken already in line"),
            ([several("127.0.0.1:81"), again], "address 127.0.0.1:81 is taken already in line"),
            ([several()], "expected 1 to 64 items, found 0")):
        code, said = check(tmp_path, *listeners)
        assert code == 1 and problem in said


def test_the_command_line_takes_several(start, server, tmp_path):
    port = free_port()
    weir = start(arguments=["--listen", f"127.0.0.1:{port}", "--listen",
                            f"unix:{tmp_path}/x.sock", "--to", server.address])
    for address in (f"127.0.0.1:{port}", f"unix:{tmp_path}/x.sock"):
        assert status_at(address) == 200
    assert get(weir, name="main").status == 200
