"""`tallylens serve --videos` as a process on loopback, and a client that uploads to it."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from tallylens.cloud_fallback.server.keys import entry, new_key

PATIENCE_S = 60.0
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = "application/offset+octet-stream"
FINAL = ("done", "failed", "cancelled")


class VideoServer:
    """A server in its own process group, with keys of two accounts and of a device.

    Args:
        folder: of its keys, videos and log.
        model: that it counts with.
        options: more arguments of the command.
        environment: more variables.
        more_accounts: number of keys of further accounts.
        development: start it with `--dev`: it makes its own certificate and its only key.
        patience_s: for its start.
    """

    def __init__(
        self,
        folder: Path,
        model: Path | str,
        *options: str,
        workers: int = 1,
        environment: Mapping[str, str] | None = None,
        more_accounts: int = 0,
        development: bool = False,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._patience_s = patience_s
        self.folder, self.videos, self.key = folder, folder / "videos", new_key()
        self.keys = folder / "keys.toml"
        self.other_key, self.weak_key = new_key(), new_key()
        self.more_keys = [new_key() for _ in range(more_accounts)]
        self.keys.write_text(
            entry("tester", self.key, ("videos",))
            + entry("somebody else", self.other_key, ("videos",))
            + entry("a device", self.weak_key, ("detect", "metrics"))
            + "".join(entry(f"more {key}", key, ("videos",)) for key in self.more_keys)
        )
        self._command = [sys.executable, "-m", "tallylens", "serve", "--model", str(model)]
        self._command += ["--videos", str(self.videos)]
        self._command += ["--dev"] if development else ["--keys", str(self.keys)]
        self._development = development
        self._command += ["--workers", str(workers), *options]
        self.environment = {**os.environ, **(environment or {})}
        self.more_processes: Callable[[], list[int]] = list
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.client = httpx.Client(timeout=PATIENCE_S, trust_env=False)

    def start(self) -> VideoServer:
        """Start it, on the port that it had before, if any."""
        log = self.folder / "serve.log"
        before = log.stat().st_size if log.exists() else 0
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [*self._command, "--port", str(self.port)],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=self.environment,
                start_new_session=True,
            )
        wait_until(
            lambda: self._listens(log, before),
            "the server does not listen",
            patience_s=self._patience_s,
        )
        if self._development:
            self._read_hint(log.read_bytes()[before:].decode())
        else:
            self.client.base_url = httpx.URL(f"http://127.0.0.1:{self.port}")
        return self

    def _read_hint(self, text: str) -> None:
        """Take the key and the CA from the command that `--dev` prints."""
        found = re.search(r"TALLYLENS_API_KEY=(\S+) .* --ca (\S+)", text)
        assert found is not None, text
        self.key = found[1]
        tls = ssl.create_default_context(cafile=found[2])
        self.client = httpx.Client(
            base_url=f"https://127.0.0.1:{self.port}",
            timeout=PATIENCE_S,
            trust_env=False,
            verify=tls,
        )

    def _listens(self, log: Path, before: int) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, log.read_text()
        found = re.search(r"listening on port (\d+)", log.read_bytes()[before:].decode())
        if found is None:
            return False
        self.port = int(found[1])
        return True

    def log(self) -> str:
        """The output of the processes."""
        return (self.folder / "serve.log").read_text()

    def headers(self, key: str | None = None) -> dict[str, str]:
        """The headers of a request with a key."""
        return {"Authorization": f"Bearer {key or self.key}"}

    def get(self, path: str, **options: Any) -> httpx.Response:
        """A GET request with the key."""
        return self.client.get(path, headers=self.headers(), **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        """A POST request with the key."""
        return self.client.post(path, headers=self.headers(), **options)

    def create(
        self, length: int, name: str = "video.mp4", options: Mapping[str, Any] | None = None
    ) -> httpx.Response:
        """Announce an upload."""
        metadata = {"filename": name, "options": json.dumps(options or {})}
        headers = {**self.headers(), **TUS, "Upload-Length": str(length)}
        headers["Upload-Metadata"] = ",".join(f"{k} {encoded(v)}" for k, v in metadata.items())
        return self.client.post("/v1/uploads", headers=headers)

    def patch(self, location: str, offset: int, body: Any) -> httpx.Response:
        """Send bytes of an upload."""
        headers = {**self.headers(), **TUS, "Upload-Offset": str(offset), "Content-Type": BYTES}
        return self.client.patch(location, headers=headers, content=body)

    def upload(
        self, path: Path, options: Mapping[str, Any] | None = None, name: str | None = None
    ) -> str:
        """Upload a file; returns the id of its job."""
        content = path.read_bytes()
        created = self.create(len(content), name or path.name, options)
        assert created.status_code == 201, created.text
        sent = self.patch(created.headers["location"], 0, content)
        assert sent.status_code == 204, sent.text
        return job_of(created.headers["location"])

    def job(self, job: str) -> dict[str, Any]:
        """The document of a job."""
        answer = self.get(f"/v1/jobs/{job}")
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def wait(self, job: str, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        """The document of a job once it has ended."""
        ended: list[dict[str, Any]] = []

        def look() -> bool:
            ended.append(self.job(job))
            return ended[-1]["state"] in FINAL

        problem = f"the job does not end: {self.log()[-2000:]}"
        wait_until(look, problem, every_s=0.05, patience_s=patience_s)
        return ended[-1]

    def report(self, job: str) -> dict[str, Any]:
        """The report of a job that is done."""
        answer = self.get(f"/v1/jobs/{job}/report.json")
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def wait_for_workers(self, number: int) -> None:
        """Wait until `number` workers take jobs."""
        from tallylens.cloud_fallback.jobs.database import Database, sqlite_url
        from tallylens.cloud_fallback.jobs.tables import workers

        database = Database(sqlite_url(self.videos / "tallylens.db"))
        count = sa.select(sa.func.count()).select_from(workers)
        wait_until(
            lambda: database.run(lambda one: one.execute(count).scalar_one()) >= number,
            "the workers do not start",
        )
        database.close()

    def workers(self) -> list[int]:
        """Process ids of the workers, also of those that `more_processes` started."""
        assert self.process is not None
        found = []
        for process in (self.process.pid, *self.more_processes()):
            for file in Path(f"/proc/{process}/task").glob("*/children"):
                found += [int(pid) for pid in file.read_text().split()]
        return found

    @contextmanager
    def running(self) -> Iterator[VideoServer]:
        """Stop it after the block."""
        try:
            yield self
        finally:
            self.stop()

    def kill(self) -> None:
        """End the server at once, as a power failure does; its workers end on their own."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End the server in good order."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(self.process.pid, signal.SIGKILL)
                raise
        self.client.close()


def comparable(report: Mapping[str, Any]) -> dict[str, Any]:
    """A report without its values that differ from run to run."""
    return {key: value for key, value in report.items() if key not in ("speed", "source")}


def encoded(text: str) -> str:
    """Text as tus metadata has it."""
    return base64.b64encode(text.encode()).decode()


def job_of(location: str) -> str:
    """The id of the job of an upload."""
    return f"job_{location[-26:]}"


def wait_until(
    holds: Callable[[], bool],
    problem: str,
    *,
    every_s: float = 0.05,
    patience_s: float = PATIENCE_S,
) -> None:
    """Wait for something that other processes do in their own time."""
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, problem
        time.sleep(every_s)
