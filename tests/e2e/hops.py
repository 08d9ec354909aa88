"""Other proxies, in front of Weir or behind it."""
import os
import socket
from pathlib import Path

from process import Process, free_port, wait_until

_HAPROXY = """
global
  maxconn 2000
defaults
  mode http
  timeout connect 5s
  timeout client 20s
  timeout server 20s
  http-reuse always
  option http-keep-alive
listen hop
  bind 127.0.0.1:{port}
  server next {to} maxconn 500
"""

_NGINX = """
{user} daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_max_body_size 0; keepalive_requests 100000;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2;
  fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  upstream next {{ server {to}; keepalive 32; keepalive_requests 100000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://next;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_request_buffering off;
      proxy_buffering off;
    }}
  }}
}}
"""


class _Hop:
    """A proxy that passes everything on to an address."""

    def __init__(self, folder, to, template, command):
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        folder = Path(folder)
        folder.mkdir()
        folder.chmod(0o755)
        # Root's workers would be nobody's, who may not write to the folders of a test.
        user = "user root;" if os.geteuid() == 0 else ""
        path = folder / "hop.conf"
        path.write_text(template.format(port=self.port, to=to, folder=folder, user=user),
                        encoding="utf-8")
        self._process = Process([*command, path], cwd=folder)
        try:
            wait_until(self._listens, "it listens")
        except AssertionError:
            self._process.kill()
            raise

    def url(self, path="/"):
        return f"http://{self.address}{path}"

    def _listens(self):
        assert self._process.is_running(), self._process.stderr.whole_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self):
        self._process.kill()


class HaproxyHop(_Hop):
    def __init__(self, folder, to):
        super().__init__(folder, to, _HAPROXY, ["haproxy", "-db", "-q", "-f"])


class NginxHop(_Hop):
    def __init__(self, folder, to):
        super().__init__(folder, to, _NGINX, ["nginx", "-p", folder, "-c"])
