"""A server dies under load, and no request that another could serve is lost."""
import signal

from process import free_port, wait_until
from weir import backend, config, listener

CLIENTS = 100


def test_kill_9_of_one_of_three_servers_fails_no_replayable_request(start, origin, load):
    # On ports that no connection is given while one of them is dead.
    servers = [origin(free_port()) for _ in range(3)]
    weir = start(config(listener(), backends=[backend(*servers, refused_pause="100ms")], workers=2))
    clients = load(http=weir.address(), clients=CLIENTS, hosts=1, pause_s=0.1,
                   requests=[["GET", "/a", None], ["GET", "/b", None]])

    def attempts(name):
        return weir.metrics().value("weir_server_attempts_total", server=name)

    def wait_for_attempts(name, count):
        enough = attempts(name) + count
        wait_until(lambda: attempts(name) >= enough, f"{count} further attempts with {name}")

    for server in ("s1", "s2", "s3"):
        wait_for_attempts(server, 200)
    servers[1].process.send_signal(signal.SIGKILL)
    wait_for_attempts("s1", 500)
    failures_while_dead = weir.metrics().value("weir_server_connect_failures_total", server="s2")
    servers[1] = origin(servers[1].port)
    wait_for_attempts("s2", 200)

    report = clients.finish()
    assert report["failures"] == []
    assert failures_while_dead > 0
    # Attempts on connections that died with the server, and those that it refused.
    assert weir.metrics().value("weir_backend_retries_total") >= failures_while_dead
    weir.wait_for_metric(0, "weir_server_leases")
