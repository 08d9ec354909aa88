#!/usr/bin/env python3
"""Proxy benchmark: CPU-microseconds per request of a proxy, beside its peers and the null proxies.

  bench.py                                       every scenario, nginx, haproxy and weir (build/release/weir)
  bench.py --only h1_small,h1_1m --proxies nginx,haproxy,floor_epoll --reps 5 --secs 3
  bench.py --only h1_small --proxies nginx,haproxy,ours --ours-cmd '/path/ours -c {conf}' --ours-conf ours.tmpl
  bench.py --list

The proxy runs with one worker on --proxy-cpu, the origin (origin.c) and the load generator on
--load-cpu, all on loopback. In a scenario all proxies are up at once and the load visits them in turn
(A B C A B C ...); the table gives medians over --reps visits, the first (warm-up) visit not counted.

CPU time is that of the proxy's process tree over the visit (/proc/PID/task/*/schedstat, which is
what utime+stime add up to, in ns), over the requests completed. Loopback does the receiver's TCP work
inside the sender's send(), so a proxy pays for delivery to the client and the origin, in all proxies alike.
Where the kernel forwards outside the proxy's process (floor_sockmap), only the whole machine's busy time compares:
"system" is that of all CPUs (from /proc/stat's idle time) per request, "less gen+origin" what remains without
the generator's and the origin's own CPU time. "direct" is the load straight on the origin: its "system" is what
there is without a proxy (its CPU-us/req is the origin's). Run nothing else meanwhile. Memory is Pss of the tree.

--ours-cmd and the --ours-conf template may name {host} {port} {origin_host} {origin_port} {mode} (http or
tcp) {tls} ('' or 1) {h2} ('' or 1) {pem} {cert} {key} {dir} {conf} {scenario}; double other braces.

Needs: cc, openssl, wrk, h2load (nghttp2-client), ab (apache2-utils). A proxy whose program is missing is
left out with a note. Python 3.9+, standard library only.
"""
import argparse, csv, json, os, re, resource, shlex, shutil, signal, socket, ssl, statistics, subprocess
import sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
HOST = "127.0.0.1"

# name: mode (http|tcp), tls certificate (None|ecdsa|rsa), generator, path, connections, extra
SCENARIOS = {
    "h1_small":     dict(gen="wrk", path="/", conns=64, what="HTTP/1.1 keep-alive, 128 B"),
    "h1_64k":       dict(gen="wrk", path="/64k", conns=64, what="HTTP/1.1 keep-alive, 64 KiB"),
    "h1_1m":        dict(gen="wrk", path="/1m", conns=32, what="HTTP/1.1 keep-alive, 1 MiB"),
    # latency added: every proxy at the same rate, half of what the slowest can in the warm-up visit
    "h1_rate":      dict(gen="h2load", path="/", conns=64, paced=True, what="HTTP/1.1 keep-alive, 128 B, at half of the slowest one's rate"),
    "h1_close":     dict(gen="wrk", path="/", conns=64, close=True, what="HTTP/1.1, connection per request, 128 B"),
    "tls_small":    dict(gen="wrk", path="/", conns=64, tls="ecdsa", what="TLS 1.3 keep-alive, 128 B"),
    "tls_1m":       dict(gen="wrk", path="/1m", conns=32, tls="ecdsa", what="TLS 1.3 keep-alive, 1 MiB"),
    "tls_hs_ecdsa": dict(gen="ab", path="/", conns=32, tls="ecdsa", what="TLS 1.3 full handshake per request, ECDSA P-256"),
    "tls_hs_rsa":   dict(gen="ab", path="/", conns=32, tls="rsa", what="TLS 1.3 full handshake per request, RSA-2048"),
    "h2_small":     dict(gen="h2load", path="/", conns=16, tls="ecdsa", h2=True, what="HTTP/2 over TLS, -c16 -m32, 128 B"),
    "tcp_small":    dict(gen="wrk", path="/", conns=64, mode="tcp", what="TCP mode, keep-alive, 128 B"),
    "tcp_rate":     dict(gen="h2load", path="/", conns=64, paced=True, mode="tcp", what="TCP mode, 128 B, at half of the slowest one's rate"),
    "tcp_1m":       dict(gen="wrk", path="/1m", conns=32, mode="tcp", what="TCP mode, 1 MiB"),
    "tcp_close":    dict(gen="wrk", path="/", conns=64, close=True, mode="tcp", what="TCP mode, connection per request, 128 B"),
    "idle_h1":      dict(gen="idle", path="/", conns=9000, what="idle keep-alive HTTP/1.1 clients: memory each"),
    "idle_tls":     dict(gen="idle", path="/", conns=9000, tls="ecdsa", what="idle keep-alive TLS 1.3 clients: memory each"),
}

NGINX_HTTP = """
daemon off; worker_processes 1; pid {dir}/nginx.pid; error_log /dev/null crit; pcre_jit on;
events {{ worker_connections 16000; use epoll; }}
http {{
  access_log off; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 300s; server_tokens off;
  client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3; uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
  upstream o {{ server {origin_host}:{origin_port}; keepalive 1024; keepalive_requests 1000000000; }}
  server {{
    listen {host}:{port} {ssl} backlog=16384;
    {h2on}
    {certs}
    location / {{ proxy_pass http://o; proxy_http_version 1.1; proxy_set_header Connection ""; {buffers} }}
  }}
}}
"""
NGINX_TCP = """
daemon off; worker_processes 1; pid {dir}/nginx.pid; error_log /dev/null crit;
events {{ worker_connections 16000; use epoll; }}
stream {{
  upstream o {{ server {origin_host}:{origin_port}; }}
  server {{ listen {host}:{port} backlog=16384; proxy_pass o; tcp_nodelay on; {tcpbuf} }}
}}
"""
HAPROXY = """
global
  nbthread 1
  maxconn 12000
  no strict-limits
  {global_extra}
defaults
  mode {mode}
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  timeout http-keep-alive 300s
  backlog 16384
  {options}
listen l
  bind {host}:{port} {bindopt}
  server o {origin_host}:{origin_port}
"""
WEIR = """
workers: 1
admin: {{ address: "127.0.0.1:0" }}
listeners:
  - name: l
    address: "{host}:{port}"
    protocol: {mode}
    backend: o
    access_log: {{ format: off }}
{filters}backends:
  - {{ name: o, servers: [ {{ name: s, address: "{origin_host}:{origin_port}" }} ] }}
"""


def nginx_version(path):
    out = subprocess.run([path, "-v"], capture_output=True, text=True).stderr
    return tuple(map(int, re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", out).groups()))


def nginx(buffers, tcpbuf="proxy_buffer_size 64k;"):
    def conf(v):
        certs = f"ssl_certificate {v['cert']}; ssl_certificate_key {v['key']}; ssl_protocols TLSv1.2 TLSv1.3;"
        h2 = v["h2"] and ("on" if nginx_version(v["bin"]) >= (1, 25, 1) else "listen")
        v = dict(v, ssl=("ssl" if v["tls"] else "") + (" http2" if h2 == "listen" else ""), h2on="http2 on;" if h2 == "on" else "",
                 certs=certs if v["tls"] else "", buffers=buffers, tcpbuf=tcpbuf)
        module = "/usr/lib/nginx/modules/ngx_stream_module.so"           # Debian builds it apart: libnginx-mod-stream
        load = f"load_module {module};" if v["mode"] == "tcp" and v["bin"].startswith("/usr/") and os.path.exists(module) else ""
        return load + (NGINX_TCP if v["mode"] == "tcp" else NGINX_HTTP).format_map(v)
    return dict(bin="nginx", cmd="{bin} -c {conf} -p {dir} -e {dir}/err", conf=conf)


def haproxy(options="", global_extra=""):
    def conf(v):
        opts = options + ("\n  http-reuse always" if v["mode"] == "http" else "")
        bind = f"ssl crt {v['pem']} alpn {'h2,' if v['h2'] else ''}http/1.1" if v["tls"] else ""
        return HAPROXY.format_map(dict(v, options=opts, global_extra=global_extra, bindopt=bind))
    return dict(bin="haproxy", cmd="{bin} -db -f {conf}", conf=conf)


CLEAR = {"h1_small", "h1_rate", "h1_64k", "h1_1m", "h1_close", "tcp_small", "tcp_rate", "tcp_1m", "tcp_close"}


def weir(args="", filters=""):
    # as shipped, but for one worker and no access log, as the peers
    def conf(v):
        return WEIR.format_map(dict(v, filters=filters))
    return dict(bin="weir", cmd="{bin} run " + args + " -c {conf}", conf=conf, only=CLEAR | {"idle_h1"})


TEN_FILTERS = """\
    filters:
      - body_limit: { bytes: 1MiB }
      - headers: { request: [ { set: X-Edge, value: edge-1 } ] }
      - headers: { request: [ { set: X-Client, value: "${client.address}" } ] }
      - headers: { request: [ { set: X-Was, value: "${request.method} ${request.path}" } ] }
      - headers: { request: [ { remove: X-Internal } ] }
      - headers: { request: [ { add: X-Tag, value: a } ] }
      - headers: { response: [ { remove: Server } ] }
      - headers: { response: [ { set: Cache-Control, value: no-store, status: 5xx } ] }
      - headers: { response: [ { set: X-Served-By, value: "${server.name}" } ] }
      - security_headers: {}
"""


def floor(args, src):
    # the null proxies parse nothing: any cleartext scenario with one request in flight per connection
    return dict(bin=src, cmd="{bin} " + args + " {oneshot} {host}:{port} {origin_host}:{origin_port}", conf=None, only=CLEAR, floor=True)


def sockmap(args):
    # an upstream connection for each client connection, always: in *_close it pays for two connections a request
    return dict(bin="floor_sockmap", cmd="{bin} " + args + " {host}:{port} {origin_host}:{origin_port}", conf=None, only=CLEAR)


BIG = "proxy_buffer_size 16k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k; proxy_max_temp_file_size 0;"
PROXIES = {
    "nginx":          nginx("proxy_max_temp_file_size 0;"),
    "nginx_big":      nginx(BIG),                                    # larger buffers for large bodies
    "haproxy":        haproxy(),
    "haproxy_big":    haproxy(global_extra="tune.bufsize 65536"),
    "haproxy_splice": haproxy("option splice-request\n  option splice-response", "tune.pipesize 1048576\n  maxpipes 2000"),
    "weir":           weir(),
    "weir_epoll":     weir("--reactor epoll"),
    "weir_uring":     weir("--reactor io_uring"),
    "weir_filters":   weir(filters=TEN_FILTERS),                     # three of them with templates
    "floor_epoll":    floor("", "floor_epoll"),
    "floor_epoll512": floor("-b 512", "floor_epoll"),                # one 512 KiB buffer, not 64 KiB
    "floor_splice":   floor("-s", "floor_epoll"),
    "floor_uring":    floor("", "floor_uring"),                      # 256 buffers of 4 KiB
    "floor_uring64":  floor("-n 32 -b 64", "floor_uring"),           # 32 buffers of 64 KiB
    "floor_uringB":   floor("-B -n 128 -b 16", "floor_uring"),       # 128 of 16 KiB, recv bundles
    "floor_uringZC":  floor("-z -n 64 -b 64", "floor_uring"),        # SEND_ZC
    "floor_sockmap":  sockmap(""),                                   # root; read its "system" columns
    "floor_sockmapP": sockmap("-p"),                                 # with a stream parser
    "floor_sockmapN": sockmap("-n"),                                 # Nagle's algorithm on
    "direct":         dict(conf=None, only=CLEAR, direct=True),      # no proxy
}
DEFAULT_BIN = {"nginx": os.environ.get("BENCH_NGINX", ""), "haproxy": os.environ.get("BENCH_HAPROXY", ""),
               "weir": os.path.join(HERE, "..", "build", "release", "weir")}


def tree(pid):
    pids, i = [pid], 0
    while i < len(pids):
        try:
            for t in os.listdir(f"/proc/{pids[i]}/task"):
                with open(f"/proc/{pids[i]}/task/{t}/children") as f:
                    pids += map(int, f.read().split())
        except OSError:
            pass
        i += 1
    return pids


def cpu(pid):
    """(ns of CPU time, user ticks, system ticks) of the process tree"""
    ns = ut = st = 0
    for p in tree(pid):
        try:
            with open(f"/proc/{p}/stat") as f:
                s = f.read().rsplit(")", 1)[1].split()
            ut += int(s[11]); st += int(s[12])
            for t in os.listdir(f"/proc/{p}/task"):
                with open(f"/proc/{p}/task/{t}/schedstat") as f:
                    ns += int(f.read().split()[0])
        except OSError:
            pass
    return ns, ut, st


def idle_s():
    """seconds all CPUs together have been idle, waiting or stolen"""
    with open("/proc/stat") as f:
        v = f.readline().split()
    return (int(v[4]) + int(v[5]) + int(v[8])) / os.sysconf("SC_CLK_TCK")


def pss_kib(pid):
    kib = 0
    for p in tree(pid):
        try:
            with open(f"/proc/{p}/smaps_rollup") as f:
                kib += int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M).group(1))
        except OSError:
            pass
    return kib


def ksoftirqd(cpu_no):
    for p in os.listdir("/proc"):
        if p.isdigit():
            try:
                with open(f"/proc/{p}/comm") as f:
                    if f.read().strip() == f"ksoftirqd/{cpu_no}":
                        return int(p)
            except OSError:
                pass
    return None


def free_port():
    with socket.socket() as s:
        s.bind((HOST, 0))
        return s.getsockname()[1]


def wait_port(port, proc, secs=10):
    end = time.time() + secs
    while time.time() < end:
        if proc.poll() is not None:
            return False
        try:
            socket.create_connection((HOST, port), 0.5).close()
            return True
        except OSError:
            time.sleep(0.05)
    return False


def stop(p):
    if p.poll() is None:
        p.send_signal(signal.SIGTERM)
        try:
            p.wait(3)
        except subprocess.TimeoutExpired:
            kids = tree(p.pid)
            for k in reversed(kids):
                try:
                    os.kill(k, signal.SIGKILL)
                except OSError:
                    pass
            p.wait()


def to_us(s):
    m = re.match(r"([\d.]+)(us|ms|s|m)$", s)
    return float(m.group(1)) * {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}[m.group(2)]


class Bench:
    def __init__(self, a):
        self.a, self.dir = a, tempfile.mkdtemp(prefix="lbbench.")
        for k in ("ecdsa", "rsa"):
            alg = ["-newkey", "rsa:2048"] if k == "rsa" else ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
            subprocess.run(["openssl", "req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=localhost", *alg, "-keyout",
                            f"{self.dir}/{k}.key", "-out", f"{self.dir}/{k}.crt"], check=True, stderr=subprocess.DEVNULL)
            with open(f"{self.dir}/{k}.pem", "w") as o:
                for e in ("crt", "key"):
                    o.write(open(f"{self.dir}/{k}.{e}").read())
        self.bins = {}
        for src, libs in (("origin", []), ("floor_epoll", []), ("floor_uring", ["-luring"]), ("floor_sockmap", ["-lbpf"])):
            r = subprocess.run(["cc", "-O2", "-march=native", "-o", f"{self.dir}/{src}", f"{HERE}/{src}.c", *libs],
                               capture_output=True, text=True)
            if r.returncode == 0:
                self.bins[src] = f"{self.dir}/{src}"
            else:
                print(f"note: {src} not built: {r.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        for n in DEFAULT_BIN:
            for c in (getattr(a, n), DEFAULT_BIN[n], shutil.which(n)):
                if c and os.access(c, os.X_OK):
                    self.bins[n] = c
                    break
        self.ksd = ksoftirqd(a.proxy_cpu)

    def spawn(self, argv, cpu_no):
        return subprocess.Popen(["taskset", "-c", str(cpu_no), *argv], stdout=subprocess.DEVNULL,
                                stderr=None if self.a.verbose else subprocess.DEVNULL)

    def start_origin(self, keep):
        port = free_port()
        p = self.spawn([self.bins["origin"], "-l", f"{HOST}:{port}", *(["-k"] if keep else [])],
                       self.a.load_cpu if self.a.origin_cpu is None else self.a.origin_cpu)
        if not wait_port(port, p):
            raise SystemExit("origin did not start")
        return p, port

    def start_proxy(self, name, sc, scname, oport):
        px = PROXIES[name]
        d = f"{self.dir}/{scname}.{name}"
        os.makedirs(d, exist_ok=True)
        k = sc.get("tls") or "ecdsa"
        v = dict(host=HOST, port=free_port(), origin_host=HOST, origin_port=oport, mode=sc.get("mode", "http"),
                 tls="1" if sc.get("tls") else "", h2="1" if sc.get("h2") else "", pem=f"{self.dir}/{k}.pem",
                 cert=f"{self.dir}/{k}.crt", key=f"{self.dir}/{k}.key", dir=d, conf=f"{d}/conf", scenario=scname,
                 bin=self.bins.get(px.get("bin"), ""), oneshot="-1" if sc.get("close") else "")
        if px["conf"]:
            with open(v["conf"], "w") as f:
                f.write(px["conf"](v))
        p = self.spawn(shlex.split(px["cmd"].format_map(v)), self.a.proxy_cpu)
        if not wait_port(v["port"], p):
            print(f"note: {name} did not start in {scname} (see --verbose)", file=sys.stderr)
            stop(p)
            return None
        return p, v["port"]

    def load(self, sc, port, secs):
        """runs the generator; returns requests, errors, req/s, p50 and p99 in us"""
        url = f"{'https' if sc.get('tls') else 'http'}://{HOST}:{port}{sc['path']}"
        pin = ["taskset", "-c", str(self.a.load_cpu)]
        out = f"{self.dir}/gen.out"
        if sc["gen"] == "wrk":
            cmd = ["wrk", "-t1", f"-c{sc['conns']}", f"-d{secs}s", "--latency", *(["-H", "Connection: close"] if sc.get("close") else []), url]
        elif sc["gen"] == "ab":
            cmd = ["ab", "-q", "-c", str(sc["conns"]), "-t", str(secs), "-n", "400000", "-f", "TLS1.3", "-e", out, url]
        else:
            if os.path.exists(out):
                os.unlink(out)
            how = ["-m32"] if sc.get("h2") else ["--h1", *([f"--rps={self.rate}"] if self.rate else [])]
            cmd = ["h2load", "-t1", f"-c{sc['conns']}", *how, f"-D{secs}", f"--log-file={out}", url]
        r = subprocess.run(pin + cmd, capture_output=True, text=True, timeout=secs + 30)
        t = r.stdout
        try:
            if sc["gen"] == "wrk":
                n = int(re.search(r"(\d+) requests in", t).group(1))
                err = sum(map(int, re.findall(r"(?:connect|read|write|timeout) (\d+)", t)))
                m = re.search(r"Non-2xx or 3xx responses: (\d+)", t)
                err += int(m.group(1)) if m else 0
                return n, err, float(re.search(r"Requests/sec:\s+([\d.]+)", t).group(1)), \
                    to_us(re.search(r"^ +50% +(\S+)$", t, re.M).group(1)), to_us(re.search(r"^ +99% +(\S+)$", t, re.M).group(1))
            if sc["gen"] == "ab":
                n = int(re.search(r"Complete requests:\s+(\d+)", t).group(1))
                err = int(re.search(r"Failed requests:\s+(\d+)", t).group(1))
                rows = {x[0]: float(x[1]) for x in list(csv.reader(open(out)))[1:]}
                return n, err, float(re.search(r"Requests per second:\s+([\d.]+)", t).group(1)), rows["50"] * 1e3, rows["99"] * 1e3
            m = re.search(r"(\d+) done, (\d+) succeeded, (\d+) failed", t)
            lat = sorted(int(x.split("\t")[2]) for x in open(out))
            return int(m.group(2)), int(m.group(3)), float(re.search(r", ([\d.]+) req/s", t).group(1)), lat[len(lat) // 2], lat[len(lat) * 99 // 100]
        except (AttributeError, KeyError, IndexError):
            raise RuntimeError(f"{' '.join(cmd)}\n{t[-400:]}{r.stderr[-400:]}")

    def others(self):
        """seconds of CPU time of the origins and of generators that have ended"""
        r = resource.getrusage(resource.RUSAGE_CHILDREN)
        return r.ru_utime + r.ru_stime + sum(cpu(o.pid)[0] for o in self.origins) / 1e9

    def visit(self, sc, p, port, secs):
        c0, k0, o0, i0, t0 = cpu(p.pid), cpu(self.ksd)[0] if self.ksd else 0, self.others(), idle_s(), time.time()
        n, err, rps, p50, p99 = self.load(sc, port, secs)
        wall, i1, o1, c1 = time.time() - t0, idle_s(), self.others(), cpu(p.pid)
        system = os.cpu_count() * wall - (i1 - i0)
        k1 = cpu(self.ksd)[0] if self.ksd else 0
        tk = max(1, c1[1] - c0[1] + c1[2] - c0[2])
        return dict(requests=n, errors=err, rps=rps, p50_us=p50, p99_us=p99, cpu_us=(c1[0] - c0[0]) / 1e3 / max(1, n),
                    system_us=system * 1e6 / max(1, n),
                    less_us=(system - (o1 - o0)) * 1e6 / max(1, n), user_share=(c1[1] - c0[1]) / tk, busy=(c1[0] - c0[0]) / 1e9 / wall,
                    softirqd_us=(k1 - k0) / 1e3 / max(1, n), pss_kib=pss_kib(p.pid))

    def idle(self, sc, p, port):
        """memory of the proxy per idle keep-alive client, each after one request"""
        ctx = ssl._create_unverified_context() if sc.get("tls") else None
        req = f"GET {sc['path']} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        before, c0, socks = pss_kib(p.pid), cpu(p.pid)[0], []
        try:
            for _ in range(sc["conns"]):
                s = socket.create_connection((HOST, port), 5)
                if ctx:
                    s = ctx.wrap_socket(s)
                socks.append(s)
                s.sendall(req)
                got = b""
                while got.count(b"\r\n\r\n") < 1 or len(got.split(b"\r\n\r\n", 1)[1]) < 128:
                    b = s.recv(4096)
                    if not b:
                        raise RuntimeError("closed by the proxy")
                    got += b
            time.sleep(1.5)
            c1, t1 = cpu(p.pid)[0], time.time()
            after = pss_kib(p.pid)
            time.sleep(1)
            return dict(requests=len(socks), errors=0, pss_kib=after, bytes_per_conn=(after - before) * 1024 / len(socks),
                        idle_cpu=(cpu(p.pid)[0] - c1) / 1e9 / (time.time() - t1), cpu_us=(c1 - c0) / 1e3 / len(socks))
        finally:
            for s in socks:
                s.close()

    def scenario(self, name, proxies):
        sc, up, res = SCENARIOS[name], {}, {}
        origin, oport = self.start_origin(False)
        origin_k, okport = self.start_origin(True)
        self.origins = origin, origin_k
        try:
            for x in proxies:
                px = PROXIES[x]
                if name not in px.get("only", {name}):
                    continue
                if px.get("bin") and px["bin"] not in self.bins:
                    print(f"note: {x} left out: no {px['bin']}", file=sys.stderr)
                    continue
                r = (origin, oport) if px.get("direct") else \
                    self.start_proxy(x, sc, name, okport if px.get("floor") and sc.get("close") else oport)
                if r:
                    up[x], res[x] = r, []
            if sc["gen"] == "idle":
                for x, (p, port) in up.items():
                    try:
                        res[x].append(self.idle(sc, p, port))
                    except (OSError, RuntimeError) as e:
                        print(f"note: {x} {name}: {e}", file=sys.stderr)
            else:
                self.rate, fastest = None, []                        # requests/s of each connection
                for rep in range(self.a.reps + 1):
                    if rep and sc.get("paced"):
                        if not fastest:
                            print(f"note: {name}: no visit without errors, so no rate to measure at", file=sys.stderr)
                            break
                        self.rate = max(1, int(min(fastest) / 2 / sc["conns"]))
                    for x, (p, port) in up.items():
                        try:
                            v = self.visit(sc, p, port, self.a.secs if rep else 1)
                        except (RuntimeError, subprocess.TimeoutExpired) as e:
                            print(f"note: {x} {name}: {e}", file=sys.stderr)
                            continue
                        if rep:
                            res[x].append(v)
                        elif not v["errors"]:
                            fastest.append(v["rps"])
        finally:
            for p, _ in up.values():
                stop(p)
            stop(origin)
            stop(origin_k)
        return {x: r for x, r in res.items() if r}


def median(rows, k):
    return statistics.median(r[k] for r in rows)


def table(name, res):
    sc = SCENARIOS[name]
    out = [f"### {name}: {sc['what']}", ""]
    if sc["gen"] == "idle":
        out += ["| proxy | bytes per idle connection | total MiB | CPU-us per connection+request | CPU while idle |", "|---|--:|--:|--:|--:|"]
        for x, r in res.items():
            r = r[-1]
            out.append(f"| {x} | {r['bytes_per_conn']:.0f} | {r['pss_kib'] / 1024:.1f} | {r['cpu_us']:.1f} | {r['idle_cpu']:.1%} |")
    else:
        out += ["| proxy | CPU-us/req | min..max | system us/req | less gen+origin | user share | req/s | p50 us | p99 us | proxy CPU busy | MiB | errors |",
                "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"]
        for x, r in res.items():
            c = [y["cpu_us"] for y in r]
            out.append(f"| {x} | {median(r, 'cpu_us'):.2f} | {min(c):.2f}..{max(c):.2f} | {median(r, 'system_us'):.2f} | {median(r, 'less_us'):.2f} | {median(r, 'user_share'):.0%} | {median(r, 'rps'):.0f} "
                       f"| {median(r, 'p50_us'):.0f} | {median(r, 'p99_us'):.0f} | {median(r, 'busy'):.0%} | {median(r, 'pss_kib') / 1024:.1f} "
                       f"| {sum(y['errors'] for y in r)} |")
    return "\n".join(out) + "\n"


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--only", help="scenarios, comma-separated")
    ap.add_argument("--proxies", default="nginx,haproxy,weir")
    ap.add_argument("--reps", type=int, default=5)
    ap.add_argument("--secs", type=int, default=3)
    ap.add_argument("--proxy-cpu", type=int, default=0)
    ap.add_argument("--load-cpu", type=int, default=1)
    ap.add_argument("--origin-cpu", type=int, help="default: --load-cpu; --proxy-cpu's gives the co-located placement (see README)")
    ap.add_argument("--nginx", help="nginx binary")
    ap.add_argument("--haproxy", help="haproxy binary")
    ap.add_argument("--weir", help="weir binary (default: build/release/weir)")
    ap.add_argument("--ours-cmd", help="command line of another program, shown as ours (see above)")
    ap.add_argument("--ours-conf", help="its configuration template, written to {conf}")
    ap.add_argument("--json", help="append every visit to this file, one JSON object a line")
    ap.add_argument("--verbose", action="store_true", help="show the proxies' stderr")
    ap.add_argument("--list", action="store_true")
    a = ap.parse_args()
    if a.list:
        for n, s in SCENARIOS.items():
            print(f"{n:14} {s['what']}")
        print("proxies:", ", ".join(PROXIES), "and ours")
        return
    if a.ours_cmd:
        tmpl = open(a.ours_conf).read() if a.ours_conf else None
        PROXIES["ours"] = dict(cmd=a.ours_cmd, conf=(lambda v: tmpl.format_map(v)) if tmpl else None)
    proxies = a.proxies.split(",")
    names = a.only.split(",") if a.only else list(SCENARIOS)
    for x in proxies:
        if x not in PROXIES:
            raise SystemExit(f"no such proxy: {x}" + (" (give --ours-cmd)" if x == "ours" else ""))
    for n in names:
        if n not in SCENARIOS:
            raise SystemExit(f"no such scenario: {n}")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    b = Bench(a)
    try:
        for n in names:
            res = b.scenario(n, proxies)
            print(table(n, res), flush=True)
            if a.json:
                with open(a.json, "a") as f:
                    for x, rows in res.items():
                        for r in rows:
                            f.write(json.dumps(dict(scenario=n, proxy=x, **r)) + "\n")
    finally:
        shutil.rmtree(b.dir, ignore_errors=True)


if __name__ == "__main__":
    main()
