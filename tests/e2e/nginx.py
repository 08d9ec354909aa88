"""nginx as a server behind Weir."""
import os
import signal
import socket
from pathlib import Path

from process import Process, free_port, wait_until

_CONFIG = """
{user} daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
  access_log {folder}/access.log; server_tokens off; keepalive_requests 100000;
  client_max_body_size 0; client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2;
  fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  default_type text/plain;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    root {folder}/root;
    location / {{ }}
    location /name {{ return 200 "{name}\\n"; }}
    location /echo-headers {{ return 200 "$http_x_test\\n"; }}
    location /empty {{ return 204; }}
    location /put/ {{ dav_methods PUT; }}
  }}
  server {{
    listen 127.0.0.1:{announced_port} proxy_protocol;
    location / {{ return 200 "$proxy_protocol_addr $proxy_protocol_server_port\n"; }}
  }}
}}
"""


class Nginx:
    """Serves the files below `root`; /name says its name."""

    def __init__(self, folder, name="nginx"):
        self._folder = Path(folder) / name
        self.root = self._folder / "root"
        (self.root / "put").mkdir(parents=True)
        self._folder.chmod(0o755)
        self.name = name
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.announced_port = free_port()  # where it expects the PROXY protocol, and says its client
        path = self._folder / "nginx.conf"
        # Root's workers would be nobody's, who may not read the folders of a test.
        user = "user root;" if os.geteuid() == 0 else ""
        path.write_text(_CONFIG.format(folder=self._folder, port=self.port, name=name, user=user,
                                        announced_port=self.announced_port),
                        encoding="utf-8")
        self._process = Process(["nginx", "-p", self._folder, "-c", path])
        try:
            wait_until(self._answers, f"nginx answers:\n{self._process.stderr.text()}")
        except AssertionError:
            self._process.kill()
            raise

    def _answers(self):
        assert self._process.is_running(), self._process.stderr.whole_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def access_log(self):
        return (self._folder / "access.log").read_text(encoding="utf-8").splitlines()

    def close(self):
        self._process.stop(signal.SIGTERM)
