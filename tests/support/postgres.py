"""A PostgreSQL server for tests: a cluster of its own in a temporary folder, on loopback."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

VERSIONS = Path("/usr/lib/postgresql")
# PostgreSQL refuses to run as root.
USER = "postgres"
PASSWORD = "only-for-tests"
SETTINGS = ("fsync=off", "max_connections=100", "unix_socket_directories=", "log_checkpoints=off")


def binaries() -> Path | None:
    """The folder of the newest installed server, None if there is none."""
    found = sorted(VERSIONS.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return found[-1].parent if found else None


class Postgres:
    """A cluster that listens on 127.0.0.1 from `start` to `stop`; `close` deletes it."""

    def __init__(self) -> None:
        folder = binaries()
        assert folder is not None, "PostgreSQL is not installed"
        self._bin = folder
        self._root = Path(tempfile.mkdtemp(prefix="tallylens-pg-"))
        self._as = ["runuser", "-u", USER, "--"] if os.geteuid() == 0 else []
        if self._as:
            entry = pwd.getpwnam(USER)
            os.chown(self._root, entry.pw_uid, entry.pw_gid)
        word = self._root / "word"
        word.write_text(PASSWORD)
        word.chmod(0o644)
        self.port = _free_port()
        options = ["--auth=scram-sha-256", f"--pwfile={word}", "-U", "tester", "-E", "UTF8"]
        self._run("initdb", "-D", str(self._root / "data"), *options, "--no-sync")

    def url(self, name: str = "postgres") -> str:
        """The URL of a database."""
        return f"postgresql://tester:{PASSWORD}@127.0.0.1:{self.port}/{name}"

    def create(self, name: str) -> str:
        """Make an empty database; returns its URL."""
        import psycopg

        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.url(name)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = " ".join(f"-c {setting}" for setting in SETTINGS)
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 {settings}"
        log = str(self._root / "log")
        self._run("pg_ctl", "-D", str(self._root / "data"), "-w", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        """Stop it as an outage does: connections are cut."""
        self._run("pg_ctl", "-D", str(self._root / "data"), "-w", "-m", "immediate", "stop")

    def close(self) -> None:
        """Stop it, if it runs, and delete everything."""
        if (self._root / "data" / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self._root, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        # A server that started keeps the pipes open: its output goes nowhere.
        done = subprocess.run(
            [*self._as, str(self._bin / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{program} ended with {done.returncode}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
