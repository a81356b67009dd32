"""Progress of jobs: one query for all that changed, from which every stream is fed.

A thousand streams that each asked the database would take all of its time.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from . import estimates
from .clock import SECOND, now_us, rfc3339
from .database import Database, DatabaseGoneError
from .estimates import Estimates
from .tables import jobs
from .views import job_document

log = logging.getLogger("tallylens.jobs")
POLL_S = 0.25
ESTIMATE_S = 2.0
PING_S = 15.0
# A transaction with an earlier version may be committed after one with a later version.
OVERLAP_US = 5 * SECOND
MAX_WAITING = 1000
MAX_RESUMED = 1000
Event = tuple[str, bytes]
"""The id of a job, and the whole event as bytes; an empty id ends the stream."""


class Progress:
    """The changes of all jobs, for the streams of one process.

    Args:
        database: of the jobs.

    Attributes:
        estimates: of the last look.
        alive: whether the last look succeeded.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._streams: dict[str, set[asyncio.Queue[Event]]] = defaultdict(set)
        self._seen: dict[str, int] = {}
        self._last = now_us() - OVERLAP_US
        self._next_estimate = 0.0
        self._closing = False
        self.estimates: Estimates = estimates.NONE
        self.alive = True

    @property
    def streams(self) -> int:
        """Number of open streams."""
        return sum(len(queues) for queues in self._streams.values())

    def streams_of(self, account: str) -> int:
        """Number of open streams of an account."""
        return len(self._streams.get(account, ()))

    async def run(self, on_change: Callable[[], None] = lambda: None) -> None:
        """Look for changes until canceled; `on_change` follows each change of `alive`."""
        while True:
            try:
                await self._look()
                alive = True
            except DatabaseGoneError as error:
                log.warning("the database is gone", extra={"problem": str(error)})
                alive = False
            except Exception:
                log.exception("fault while looking for changes")
                alive = self.alive
            if alive != self.alive:
                self.alive = alive
                on_change()
            await asyncio.sleep(POLL_S if alive else 1.0)

    async def _look(self) -> None:
        if time.monotonic() >= self._next_estimate:
            self.estimates = await self._database.call(estimates.read_estimates)
            self._next_estimate = time.monotonic() + ESTIMATE_S
        rows = await self._database.call(_changed, self._last - OVERLAP_US)
        for row in rows:
            if self._seen.get(row.id) == row.version:
                continue
            self._seen[row.id] = row.version
            self._last = max(self._last, row.version)
            self._publish(row)
        oldest = self._last - 2 * OVERLAP_US
        self._seen = {job: version for job, version in self._seen.items() if version > oldest}

    def _publish(self, row: Row[Any]) -> None:
        queues = self._streams.get(row.account)
        if not queues:
            return
        event = row.id, self.event(row)
        for queue in queues:
            if queue.qsize() < MAX_WAITING:
                queue.put_nowait(event)

    def document(self, row: Row[Any]) -> dict[str, Any]:
        """A job with what is known of its time."""
        return job_document(row, self.times(row))

    def times(self, row: Row[Any]) -> dict[str, Any]:
        """Frames per second, expected end and lateness of a job."""
        fps = eta = None
        if row.state == "running" and row.started is not None and row.frames:
            fps = round(row.frames / max(0.001, (now_us() - row.started) / SECOND), 1)
        if row.state in ("queued", "running"):
            eta = self.estimates.eta.get(row.id)
            late_s = self.estimates.late_s(row.id, row.deadline)
        else:
            late_s = max(0.0, ((row.finished or 0) - row.deadline) / SECOND)
        return {"fps": fps, "eta": rfc3339(eta), "late_s": round(late_s, 1)}

    def event(self, row: Row[Any]) -> bytes:
        """The event that shows a job; its id is the version as text."""
        text = json.dumps(self.document(row), separators=(",", ":"))
        return f"id: {row.version}\nevent: job\ndata: {text}\n\n".encode()

    @contextmanager
    def _subscribed(self, account: str) -> Iterator[asyncio.Queue[Event]]:
        queue: asyncio.Queue[Event] = asyncio.Queue()
        self._streams[account].add(queue)
        try:
            yield queue
        finally:
            self._streams[account].discard(queue)
            if not self._streams[account]:
                del self._streams[account]

    async def stream(self, account: str, after: int | None) -> AsyncIterator[bytes]:
        """The events of an account's jobs: first what has changed since, then each change.

        Args:
            account: its id.
            after: version of the last event that the client has; None for a new client, which
                receives the jobs that have not ended.
        """
        with self._subscribed(account) as queue:
            yield b": jobs\n\n"
            for row in await self._database.call(_missed, account, after):
                yield self.event(row)
            while not self._closing:
                try:
                    job, event = await asyncio.wait_for(queue.get(), PING_S)
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if not job:
                    return
                yield event

    async def wait_for_end(self, account: str, job: str, seconds: float) -> None:
        """Wait until a job of an account has ended, at most `seconds`."""
        with self._subscribed(account) as queue:
            deadline = time.monotonic() + seconds
            while not self._closing and not await self._database.call(_has_ended, job):
                while True:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        return
                    try:
                        changed, _ = await asyncio.wait_for(queue.get(), left)
                    except TimeoutError:
                        return
                    if changed in ("", job):
                        break

    def close(self) -> None:
        """End all streams."""
        self._closing = True
        for queues in self._streams.values():
            for queue in queues:
                queue.put_nowait(("", b""))


def _changed(connection: Connection, after: int) -> list[Row[Any]]:
    query = sa.select(jobs).where(jobs.c.version > after).order_by(jobs.c.version)
    return list(connection.execute(query))


def _missed(connection: Connection, account: str, after: int | None) -> list[Row[Any]]:
    query = sa.select(jobs).where(jobs.c.account == account)
    if after is None:
        query = query.where(jobs.c.state.in_(("queued", "running")))
    else:
        query = query.where(jobs.c.version > after)
    return list(connection.execute(query.order_by(jobs.c.version).limit(MAX_RESUMED)))


def _has_ended(connection: Connection, job: str) -> bool:
    state = connection.scalar(sa.select(jobs.c.state).where(jobs.c.id == job))
    return state not in ("queued", "running")
