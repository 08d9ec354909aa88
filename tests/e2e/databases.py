"""Real database servers in folders of their own, for clients that reach them through Weir."""
import os
import shutil
import signal
import tempfile
from pathlib import Path

from process import Process, as_user, free_port, run


class Database:
    """`user` runs it if the tests are root's: neither server wants to be."""

    STOP_SIGNAL = signal.SIGTERM
    READY = "ready for connections"  # what it writes when it is

    def __init__(self, user):
        self._user = user if os.geteuid() == 0 else None
        # Not below pytest's folders, which nobody else may enter; short, for its unix socket.
        self.folder = Path(tempfile.mkdtemp(prefix=f"weir-{user}-"))
        self._process = None
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        try:
            if self._user is not None:
                shutil.chown(self.folder, self._user)
            self._start()
            self._process.stderr.wait_for(self.READY, 60)
        except BaseException:
            self.close()
            raise

    def run_as_user(self, *command):
        prefix = [] if self._user is None else ["setpriv", *as_user(self._user), "--"]
        done = run([*prefix, *command], cwd=self.folder)
        assert done.returncode == 0, done.stdout + done.stderr

    def launch(self, *command):
        self._process = Process(command, cwd=self.folder, user=self._user)

    def _start(self):
        raise NotImplementedError

    def close(self):
        if self._process is not None:
            try:
                self._process.stop(self.STOP_SIGNAL, 30)
            except AssertionError:
                self._process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class MariaDb(Database):
    """User `weir` with password `secret` may do everything, from anywhere."""

    def __init__(self):
        super().__init__("mysql")

    def _start(self):
        data = self.folder / "data"
        # Of its own: a server that starts removes the temporary tables of others.
        temporary = f"--tmpdir={self.folder}"
        self.run_as_user("mariadb-install-db", "--no-defaults", f"--datadir={data}", temporary,
                         "--auth-root-authentication-method=normal", "--skip-test-db")
        grants = self.folder / "grants.sql"
        grants.write_text("CREATE USER weir IDENTIFIED BY 'secret';\n"
                          "GRANT ALL ON *.* TO weir;\nCREATE DATABASE weir;\n", encoding="ascii")
        grants.chmod(0o644)
        self.launch("/usr/sbin/mariadbd", "--no-defaults", f"--datadir={data}", temporary,
                    f"--socket={self.folder}/socket", "--bind-address=127.0.0.1",
                    f"--port={self.port}", "--skip-name-resolve", f"--init-file={grants}",
                    "--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0")


class PostgreSql(Database):
    """User `weir` with password `secret` owns everything, from anywhere."""

    STOP_SIGNAL = signal.SIGINT  # SIGTERM waits for the last client
    READY = "ready to accept connections"

    def __init__(self):
        super().__init__("postgres")

    def _start(self):
        programs = max(Path("/usr/lib/postgresql").glob("*/bin"))
        data = self.folder / "data"
        password = self.folder / "password"
        password.write_text("secret\n", encoding="ascii")
        password.chmod(0o644)
        self.run_as_user(programs / "initdb", "--no-sync", "-D", data, "-U", "weir",
                         f"--pwfile={password}", "--auth=scram-sha-256")
        self.launch(programs / "postgres", "-D", data, "-c", f"port={self.port}",
                    "-c", "listen_addresses=127.0.0.1",
                    "-c", f"unix_socket_directories={self.folder}",
                    "-c", "fsync=off", "-c", "shared_buffers=16MB")
