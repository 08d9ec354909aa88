"""A real DNS server whose records a test changes."""
import os
import signal
import socket
import struct
import threading

from process import Process, free_port, wait_until


class Dnsmasq:
    """Answers for what `records` says: {name: [address, ...]}; every other name does not exist.

    Its answers hold for a second.
    """

    def __init__(self, folder, records, port=None):
        self._hosts = folder / "dns-records"
        self.port = port or free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._process = None
        self._write(records)
        self.start()

    def _write(self, records):
        self._hosts.write_text("".join(f"{address} {name}\n" for name, addresses in records.items()
                                       for address in addresses), encoding="ascii")

    def start(self):
        user = ["--user=root"] if os.geteuid() == 0 else []
        self._process = Process([
            "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
            f"--port={self.port}", "--listen-address=127.0.0.1", "--bind-interfaces",
            f"--addn-hosts={self._hosts}", "--local-ttl=1", "--local=/#/", "--pid-file=",
            "--log-facility=-", "--log-queries", *user])
        try:
            self._process.stderr.wait_for(r"read .* - \d+ names")
        except AssertionError:
            self._process.kill()
            raise

    def change(self, records):
        """These are its records from now on."""
        self._write(records)
        self._read_again()

    def _read_again(self):
        before = self._times_read()
        self._process.send_signal(signal.SIGHUP)
        wait_until(lambda: self._times_read() > before, "dnsmasq reads its records again")

    def _times_read(self):
        return len(self._process.stderr.find_all(r"read .* - \d+ names"))

    def questions(self, name):
        """How often its IPv4 addresses were asked for since the start."""
        self._read_again()  # it says so, and has said before that what was asked
        return len(self._process.stderr.find_all(rf"query\[A\] {name} "))

    def close(self):
        self._process.stop()


def response(question, rcode=0, rest=b"", answers=0):
    """A DNS message for a question, its answers written by hand in `rest`."""
    end = question.index(b"\0", 12) + 5
    head = struct.pack(">HHHHHH", *struct.unpack(">H", question[:2]), 0x8180 | rcode, 1, answers,
                       0, 0)
    return head + question[12:end] + rest


class ScriptedDns:
    """Answers each question by `answer(question)`, bytes for bytes; None: not at all."""

    def __init__(self, answer):
        self.answer = answer
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                question, peer = self._socket.recvfrom(4096)
                answer = self.answer(question)
                if answer is not None:
                    self._socket.sendto(answer, peer)
            except OSError:
                return

    def close(self):
        self._socket.close()
