"""Keeps worker processes running: starts each again when it ends, and frees its job at once."""

from __future__ import annotations

import logging
import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence

from . import workers
from .database import Database, DatabaseGoneError
from .worker import new_worker_id

log = logging.getLogger("tallylens.jobs")
STOP_S = 30.0
LONGEST_PAUSE_S = 30.0
# A worker that lived so long had no fault of its own at start.
HEALTHY_S = 10.0
ID_VARIABLE = "TALLYLENS_WORKER_ID"


class Supervisor:
    """Starts a process for each environment, and each again as soon as it ends.

    Args:
        command: of one worker; its environment holds its id.
        environments: one for each worker.
        database: where a dead worker's job is freed.
    """

    def __init__(
        self, command: Sequence[str], environments: Sequence[Mapping[str, str]], database: Database
    ) -> None:
        self._command = list(command)
        self._database = database
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._keep, args=(dict(one),), name=f"worker-{index}")
            for index, one in enumerate(environments)
        ]
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start all processes."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let all finish their chunk, hand their jobs back and end."""
        self._stopping.set()
        for process in list(self._processes.values()):
            process.terminate()
        for thread in self._threads:
            thread.join(STOP_S)

    @property
    def processes(self) -> list[int]:
        """Process ids of the workers now."""
        return [process.pid for process in self._processes.values()]

    def _keep(self, environment: Mapping[str, str]) -> None:
        pause = 0.2
        while not self._stopping.is_set():
            worker, started = new_worker_id(os.getpid()), time.monotonic()
            process = subprocess.Popen(self._command, env={**environment, ID_VARIABLE: worker})
            self._processes[worker] = process
            if self._stopping.is_set():
                process.terminate()
            status = process.wait()
            del self._processes[worker]
            self._free(worker)
            if self._stopping.is_set():
                return
            log.warning("a worker ended", extra={"worker": worker, "status": status})
            healthy = time.monotonic() - started > HEALTHY_S
            pause = 0.2 if healthy else min(2 * pause, LONGEST_PAUSE_S)
            self._stopping.wait(pause)

    def _free(self, worker: str) -> None:
        """Free the job of an ended worker; without a database, its heartbeat shows that later."""
        try:
            self._database.run(workers.end, worker)
        except DatabaseGoneError as error:
            log.warning("the database is gone", extra={"problem": str(error)})
