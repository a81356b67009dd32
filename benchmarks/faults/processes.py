"""Worker processes of other machines, and who kills them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress

import sqlalchemy as sa

from faults.database import database_of
from tallylens.cloud_fallback.jobs.tables import jobs
from tests.support.video_server import VideoServer

LOOK_S = 0.03
# Share of the kills that hit the server.
SERVERS = 0.2


class Executors:
    """Worker processes of other "machines": `tallylens worker`, each with one child."""

    def __init__(self, server: VideoServer, number: int) -> None:
        command = [sys.executable, "-m", "tallylens", "worker", "--model", "demo"]
        self._command = [*command, "--videos", str(server.videos), "--workers", "1"]
        self._environment = server.environment
        self._log = (server.folder / "worker.log").open("ab")
        self.processes: list[subprocess.Popen[bytes]] = []
        for _ in range(number):
            self.add()

    def add(self) -> None:
        """Start one more."""
        self.processes.append(
            subprocess.Popen(
                self._command,
                env=self._environment,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,
            )
        )

    def kill_for_good(self, index: int) -> None:
        """Kill one with its child, as a machine that loses its power."""
        process = self.processes.pop(index)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def close(self) -> None:
        """End all."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(60)
        self._log.close()


class Trouble:
    """Kills workers and servers at random moments of the work, however fast the machine is.

    A moment is a number of frames that all jobs together have counted.
    """

    def __init__(self, server: VideoServer, kills: int, seed: int) -> None:
        self._server, self._chance = server, random.Random(seed)
        self._wanted = kills
        self._moments: list[float] = []
        self._jobs: Sequence[str] = ()
        self._done = threading.Event()
        self._restart: threading.Thread | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.kills = 0

    def begin(self, jobs: Sequence[str], frames: int) -> None:
        """Start to kill, while these jobs together count so many frames."""
        moments = (self._chance.uniform(0, 0.97 * frames) for _ in range(self._wanted))
        self._moments, self._jobs = sorted(moments), jobs
        self._thread.start()

    def end(self) -> None:
        """Stop, with the server running."""
        self._done.set()
        self._thread.join()
        if self._restart is not None:
            self._restart.join()

    @property
    def missed(self) -> int:
        """Kills that the jobs' end came before."""
        return len(self._moments)

    def _run(self) -> None:
        # By the database: without a server, the workers of other machines continue.
        with database_of(self._server) as database:
            while self._moments and not self._done.wait(LOOK_S):
                with suppress(sa.exc.OperationalError, ProcessLookupError):
                    if database.run(frames_counted, self._jobs) >= self._moments[0]:
                        self._kill_one()

    def _kill_one(self) -> None:
        workers = self._server.workers()
        starts = self._restart is not None and self._restart.is_alive()
        if self._chance.random() < SERVERS and not starts:
            self._server.kill()
            self._restart = threading.Thread(target=self._server.start)
            self._restart.start()
        elif workers:
            os.kill(self._chance.choice(workers), signal.SIGKILL)
        else:
            return
        self.kills += 1
        del self._moments[0]


def frames_counted(connection: sa.Connection, which: Sequence[str]) -> int:
    """Frames that jobs have counted together."""
    query = sa.select(sa.func.sum(jobs.c.frames)).where(jobs.c.id.in_(which))
    return int(connection.execute(query).scalar_one() or 0)
