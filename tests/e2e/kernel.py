"""What the kernel knows of sockets: those of a process, and what ss(8) says."""
import ctypes
import os
import re
import socket
import subprocess

_PIDFD_GETFD = 438  # the same on every architecture

_libc = ctypes.CDLL(None, use_errno=True)


def sockets_of(pid):
    """Copies of the TCP sockets of a process."""
    copies = []
    pidfd = os.pidfd_open(pid)
    try:
        for number in os.listdir(f"/proc/{pid}/fd"):
            copy = _libc.syscall(_PIDFD_GETFD, pidfd, int(number), 0)
            if copy < 0:
                continue  # it has been closed
            try:
                copies.append(socket.socket(fileno=copy))
            except OSError:
                os.close(copy)  # it is no socket
    finally:
        os.close(pidfd)
    return [one for one in copies if one.family in (socket.AF_INET, socket.AF_INET6)]


def options_of(pid, option, *, local, is_listening):
    """The values that TCP sockets of a process, with this port of their own, have of an option."""
    values = set()
    for one in sockets_of(pid):
        with one:
            listens = one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
            if one.getsockname()[1] == local and listens == is_listening:
                values.add(one.getsockopt(socket.IPPROTO_TCP, option))
    return values


def connections(local=None, peer=None):
    """What ss says of the established connections with these ports, a line each."""
    wanted = [f"sport = :{local}"] if local else []
    wanted += [f"dport = :{peer}"] if peer else []
    said = subprocess.run(["ss", "-Htino", "state", "established", " and ".join(wanted)],
                          capture_output=True, text=True, check=True).stdout
    return re.sub(r"\n\s+", " ", said).splitlines()


def seconds_to_probe(line):
    """When a connection of connections() is probed, if it stays silent."""
    match = re.search(r"timer:\(keepalive,(?:(\d+)min)?(?:([\d.]+)sec)?,", line)
    assert match, line
    return int(match[1] or 0) * 60 + float(match[2] or 0)


def algorithm_of(tcp_socket):
    name = tcp_socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
    return name.split(b"\0")[0].decode()


def has_algorithm(name):
    """Whether this process may have it."""
    with socket.socket() as probe:
        try:
            probe.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name.encode())
        except OSError:
            return False
    return True
