"""The configuration changes a hundred times under load, and nobody is cut."""
import copy
import os
import random
import signal
import statistics
import time
import zlib

from process import free_port, wait_until
from weir import backend, config, listener, tcp_listener, write_config

ROUTES = 1000
RELOADS_WARM_UP = 50  # by then heaps have had their worst case
RELOADS = 100
CLIENTS, TUNNELS, UPLOADS = 500, 200, 50
MEMORY_GROWTH_MAX = 1.1


class Change:
    """A configuration, and random changes to it that must not be felt by who is connected."""

    def __init__(self, servers, origin, seed):
        self._random = random.Random(seed)
        self._servers = servers
        routes = [{"match": {"host": "upload.example"}, "backend": "uploads"}]
        for number in range(ROUTES - 1):
            prefix = {"path_prefix": "/"} if number % 2 else {}
            routes.append({"match": {"host": f"h{number}.example", **prefix}, "backend": "web"})
        self.configuration = config(
            # The rings of its log would be touched page by page: that is no growth by reloads.
            listener(routes=routes, access_log={"format": "off"}), tcp_listener(backend="tunnels"),
            backends=[backend(*servers[:2], retry={"attempts": 3}),
                      backend(origin.address, name="uploads"),
                      backend(origin.tcp_address, name="tunnels"),
                      backend(*servers, name="elsewhere")],
            workers=2)
        self._kept_routes = list(routes)

    def next(self):
        """What to write to the file; whether it is to be refused."""
        change = self._random.choice([
            self._change_weights, self._change_servers, self._change_routes,
            self._change_timeouts, self._change_listeners, self._break])
        if change == self._break:
            return self._break(), True
        change()
        return self.configuration, False

    def choose(self, choices):
        return self._random.choice(choices)

    def _backend(self, name):
        return next(b for b in self.configuration["backends"] if b["name"] == name)

    def _change_weights(self):
        for changed in self.configuration["backends"]:
            for server in changed["servers"]:
                server["weight"] = self._random.randrange(1, 100)

    def _change_servers(self):
        count = self._random.randrange(1, len(self._servers) + 1)
        chosen = self._random.sample(range(len(self._servers)), count)
        self._backend("web")["servers"] = [
            {"name": f"s{number}", "address": self._servers[number].address} for number in chosen]

    def _change_routes(self):
        """Others come and go anywhere among those that stay."""
        routes = list(self._kept_routes)
        for number in range(self._random.randrange(20)):
            routes.insert(self._random.randrange(len(routes) + 1),
                          {"match": {"host": f"other{number}.example"}, "backend": "elsewhere"})
        self.configuration["listeners"][0]["routes"] = routes

    def _change_timeouts(self):
        seconds = self._random.randrange(40, 100)
        for changed in self.configuration["listeners"]:
            changed["timeouts"] = {"keep_alive": f"{seconds}s", "tunnel_idle": f"{seconds}s"}
        for changed in self.configuration["backends"]:
            changed["timeouts"] = {"response_head": f"{seconds}s"}
            changed["pool"] = {"idle_max": seconds}

    def _change_listeners(self):
        """The two that stay change their places among those that come and go."""
        others = [listener(f"other{number}", address=f"127.0.0.1:{free_port()}",
                           backend="elsewhere") for number in range(self._random.randrange(4))]
        kept = [one for one in self.configuration["listeners"] if one["name"] in ("web", "db")]
        self.configuration["listeners"] = kept + others

    def _break(self):
        broken = copy.deepcopy(self.configuration)
        broken["listeners"][0]["routes"][0]["backend"] = "nothing"
        broken["backends"][0]["servers"][0]["weight"] = -1
        return broken


class Reloads:
    """Reloads by signal and by API, and what each did to the workers."""

    def __init__(self, weir, change):
        self._weir = weir
        self._change = change
        self.pauses_s = []

    def make(self, count):
        for _ in range(count):
            # Between storms of reloads, some time for the clients.
            self._wait_for_requests(self._change.choose([0, 20, 200]))
            configuration, is_refused = self._change.next()
            write_config(self._weir.folder, configuration)
            self._change.choose([self._by_signal, self._by_api])(is_refused)
            self.pauses_s.append(self._weir.metrics().value("weir_change_pause_seconds"))

    def _wait_for_requests(self, count):
        def answered():
            return self._weir.metrics().value("weir_listener_requests_total", listener="web")
        enough = answered() + count
        wait_until(lambda: answered() >= enough, f"{count} further requests")

    def _by_api(self, is_refused):
        status, report = self._weir.api("POST", "/reload")
        assert status == (422 if is_refused else 200), report

    def _by_signal(self, is_refused):
        name = "weir_reloads_refused_total" if is_refused else "weir_reloads_total"
        before = self._weir.metrics().value(name)
        self._weir.process.send_signal(signal.SIGHUP)
        self._weir.wait_for_metric(before + 1, name)


def test_100_reloads_under_load_cut_nobody(start, nginx, origin, load, record_property):
    seed = int(os.environ.get("SEED", time.time_ns() % 1_000_000))
    print(f"SEED={seed}")
    servers = [nginx(name) for name in "ABCD"]
    body = random.Random(seed).randbytes(20_000)
    for one in servers:
        (one.root / "file").write_bytes(body)
    change = Change(servers, origin(), seed)
    weir = start(change.configuration)
    clients = load(
        http=weir.address("web"), tcp=weir.address("db"), clients=CLIENTS, tunnels=TUNNELS,
        uploads=UPLOADS, hosts=ROUTES - 1, pause_s=0.5,
        requests=[["GET", "/file", zlib.crc32(body)], ["GET", "/name", None],
                  ["POST", "/name", None]])

    reloads = Reloads(weir, change)
    reloads.make(RELOADS_WARM_UP)
    memory_before = weir.metrics().value("weir_resident_memory_bytes")
    reloads.make(RELOADS)
    metrics = weir.metrics()
    report = clients.finish()

    assert report.pop("failures") == []
    assert report.pop("requests") > 10 * RELOADS
    assert report == {"tunnels": TUNNELS, "uploads": UPLOADS}
    assert metrics.value("weir_snapshots_live") == 1
    growth = metrics.value("weir_resident_memory_bytes") / memory_before
    assert growth <= MEMORY_GROWTH_MAX
    weir.wait_for_metric(0, "weir_listener_connections_open")
    weir.wait_for_metric(0, "weir_server_leases")
    record_property("longest pause of a worker by a reload",
                    f"{max(reloads.pauses_s) * 1000:.2f} ms; half of them within "
                    f"{statistics.median(reloads.pauses_s) * 1000:.2f} ms")
    record_property("memory after 100 reloads", f"{growth:.3f} times that before")
