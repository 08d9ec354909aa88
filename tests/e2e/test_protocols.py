"""Real programs of other protocols pass a tunnel, and notice nothing."""
import socket
from concurrent import futures

import grpc
import pytest

from process import Process, free_port, run, wait_until
from weir import backend, config, tcp_listener


@pytest.fixture
def launch(ends, tmp_path):
    """Starts a server that is told its port: launch(command with {port}) gives its address."""
    def start_server(*command):
        port = free_port()
        process = Process([word.format(port=port) for word in command], cwd=tmp_path)
        ends(Ended(process))
        wait_until(lambda: is_open(port), f"{command[0]} listens")
        return f"127.0.0.1:{port}"
    return start_server


class Ended:
    def __init__(self, process):
        self.close = process.kill


def is_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.fixture
def tunnel(start):
    """The place of a tunnel to a server: (host, port) as words."""
    def start_tunnel(address):
        host, port = start(config(tcp_listener(), backends=[backend(address)])).address()
        return host, str(port)
    return start_tunnel


def said_by(*command, **options):
    done = run(list(command), **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_mqtt(launch, tunnel, tmp_path):
    settings = tmp_path / "mosquitto.conf"
    broker = launch("sh", "-c", "printf 'listener {port} 127.0.0.1\\nallow_anonymous true\\n'"
                    f" > {settings}; exec mosquitto -c {settings}")
    host, port = tunnel(broker)
    large = "x" * 500_000
    for version in ("311", "5"):
        for qos in ("0", "1", "2"):
            topic = f"weir/{version}/{qos}"
            said_by("mosquitto_pub", "-h", host, "-p", port, "-V", version, "-q", qos, "-r",
                    "-t", topic, "-s", input=large)
            assert said_by("mosquitto_sub", "-h", host, "-p", port, "-V", version, "-q", qos,
                           "-t", topic, "-C", "1", "-W", "20") == large + "\n"


def test_redis(launch, tunnel):
    host, port = tunnel(launch("redis-server", "--port", "{port}", "--bind", "127.0.0.1",
                               "--save", "", "--appendonly", "no"))
    redis = ("redis-cli", "-h", host, "-p", port)
    assert said_by(*redis, "set", "key", "value") == "OK\n"
    assert said_by(*redis, "get", "key") == "value\n"
    assert said_by(*redis, "eval", "return string.rep('x', 1000000)", "0") == "x" * 1_000_000 + "\n"
    pipeline = "".join(f"SET k{number} v{number}\r\n" for number in range(1000))
    assert "errors: 0, replies: 1000" in said_by(*redis, "--pipe", input=pipeline)
    assert said_by(*redis, "dbsize") == "1001\n"


def test_memcached(launch, tunnel):
    host, port = tunnel(launch("memcached", "-p", "{port}", "-l", "127.0.0.1", "-u", "nobody"))
    with socket.create_connection((host, int(port)), timeout=20) as client:
        stream = client.makefile("rwb")
        stream.write(b"set key 0 0 100000\r\n" + b"x" * 100_000 + b"\r\nget key\r\n")
        stream.flush()
        assert stream.readline() == b"STORED\r\n"
        assert stream.readline() == b"VALUE key 0 100000\r\n"
        assert stream.read(100_000) == b"x" * 100_000


def test_sip(launch, tunnel, tmp_path):
    """Calls over TCP: INVITE, 180, 200, ACK, BYE, 200."""
    called = launch("sipp", "-sn", "uas", "-t", "t1", "-i", "127.0.0.1", "-p", "{port}",
                    "-nostdin")
    host, port = tunnel(called)
    done = run(["sipp", "-sn", "uac", "-t", "t1", "-i", "127.0.0.1", "-p", str(free_port()),
                f"{host}:{port}", "-m", "5", "-r", "5", "-nostdin", "-timeout", "20s",
                "-timeout_error"], cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr  # 0: every call was successful


class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        if details.method == "/test.Echo/Say":
            return grpc.unary_unary_rpc_method_handler(lambda request, context: request[::-1])
        return grpc.stream_stream_rpc_method_handler(lambda requests, context: requests)


def test_grpc(tunnel, request):
    with futures.ThreadPoolExecutor(4) as threads:
        server = grpc.server(threads, handlers=[Echo()])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        request.addfinalizer(lambda: server.stop(None))
        host, tunnel_port = tunnel(f"127.0.0.1:{port}")
        with grpc.insecure_channel(f"{host}:{tunnel_port}") as channel:
            assert channel.unary_unary("/test.Echo/Say")(b"abc", timeout=20) == b"cba"
            messages = [b"%d" % number * 1000 for number in range(50)]
            echoed = channel.stream_stream("/test.Echo/Stream")(iter(messages), timeout=20)
            assert list(echoed) == messages
        server.stop(None)
