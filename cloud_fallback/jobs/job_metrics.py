"""Metrics of uploaded videos: the queue, the workers, the database and the disk.

All servers of a database show the same numbers: of one, or the maximum of all, never the sum.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, Gauge
from sqlalchemy import Connection

from .clock import SECOND, now_us
from .database import Database, DatabaseGoneError
from .tables import jobs, workers
from .workers import DEAD_S, database_now

log = logging.getLogger("tallylens.jobs")
LOOK_S = 5.0
WAITING = ("queued", "running")


@dataclass(frozen=True)
class JobNumbers:
    """Numbers of one moment.

    Args:
        states: jobs that wait or run, by state.
        oldest_us: when the oldest job that may be claimed was accepted; None without one.
        late: jobs that have not ended and are expected after their deadline, or past it.
        workers: with a heartbeat.
        fps: frames per second of all workers together.
    """

    states: dict[str, int] = field(default_factory=dict)
    oldest_us: int | None = None
    late: int = 0
    workers: int = 0
    fps: float = 0.0


def read_numbers(connection: Connection) -> JobNumbers:
    """The numbers as of now."""
    by_state = connection.execute(
        sa.select(jobs.c.state, sa.func.count()).where(jobs.c.state.in_(WAITING)).group_by("state")
    )
    oldest = connection.scalar(
        sa.select(sa.func.min(jobs.c.created)).where(
            jobs.c.state == "queued", jobs.c.not_before <= now_us()
        )
    )
    late = connection.scalar(
        sa.select(sa.func.count()).where(jobs.c.state.in_(WAITING), jobs.c.late_told)
    )
    alive = workers.c.seen >= database_now(connection) - int(DEAD_S * SECOND)
    number, fps = connection.execute(
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(workers.c.fps), 0)).where(alive)
    ).one()
    states = {str(state): int(count) for state, count in by_state}
    return JobNumbers(states, oldest, int(late or 0), int(number), float(fps))


class JobMetrics:
    """The gauges of one server process, refreshed every LOOK_S.

    Args:
        registry: of the service's other metrics.
        database: of the jobs.
        folder: where uploads arrive.
    """

    def __init__(self, registry: CollectorRegistry, database: Database, folder: Path) -> None:
        self._database, self._folder = database, folder

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(name, text, labels, namespace="tallylens", registry=registry)

        self._jobs = gauge("jobs", "Jobs of uploaded videos that wait or run", "state")
        self._oldest = gauge("oldest_job_age_seconds", "Age of the oldest queued job, or 0")
        self._late = gauge("late_jobs", "Jobs that are expected after their deadline")
        self._workers = gauge("workers", "Workers with a heartbeat")
        self._fps = gauge("worker_frames_per_second", "Frames per second of all workers")
        self._up = gauge("database_up", "1 while the database answers")
        free = gauge("upload_free_bytes", "Free space where uploads arrive")
        free.set_function(lambda: shutil.disk_usage(self._folder).free)
        self.show(JobNumbers())

    async def run(self) -> None:
        """Refresh until canceled."""
        while True:
            begun = time.monotonic()
            try:
                self.show(await self._database.call(read_numbers))
                self._up.set(1)
            except DatabaseGoneError:
                # `Progress` logs it.
                self._up.set(0)
            except Exception:
                log.exception("fault while reading the numbers of jobs")
            await asyncio.sleep(max(0.0, LOOK_S - (time.monotonic() - begun)))

    def show(self, numbers: JobNumbers) -> None:
        """Set the gauges."""
        for state in WAITING:
            self._jobs.labels(state).set(numbers.states.get(state, 0))
        oldest = numbers.oldest_us
        self._oldest.set(0 if oldest is None else max(0.0, (now_us() - oldest) / SECOND))
        self._late.set(numbers.late)
        self._workers.set(numbers.workers)
        self._fps.set(numbers.fps)
