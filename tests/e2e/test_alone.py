"""What Weir decides, it decides by itself: nobody is asked, and nothing has to be reached."""
from servers import Client
from weir import backend, config, listener

# A network namespace of its own, in which there is no network at all: only unix sockets lead out.
WITHOUT_NETWORK = ["unshare", "--map-root-user", "--net"]


def test_it_balances_retries_and_gives_up_without_a_network(start, serve, tmp_path):
    servers = [serve(name, host=str(tmp_path / name)) for name in "AB"]
    silent = serve("silent", lambda connection, request: None, host=str(tmp_path / "silent"))
    routes = [{"match": {"host": "slow.example"}, "backend": "slow"}, {"backend": "web"}]
    configuration = config(
        listener(address=f"unix:{tmp_path}/web.sock", routes=routes),
        backends=[backend(f"unix:{tmp_path}/nobody", *servers),
                  backend(silent, name="slow", retry={"attempts": 1},
                          timeouts={"response_head": "100ms"})])
    del configuration["admin"]  # its address would be of the network
    start(configuration, launcher=WITHOUT_NETWORK)
    with Client(f"{tmp_path}/web.sock") as client:
        names = [client.get().body for _ in range(8)]
        assert sorted(names) == [b"A"] * 4 + [b"B"] * 4
        assert client.get(host="slow.example").status == 504
