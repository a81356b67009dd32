"""What a replica with sockets reaches over Ray: the replicas with the model, and the sessions."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Hashable
from typing import Any

import ray

from ..server.batcher import MAX_QUEUED, Job, JobResult
from ..server.memory_session_store import MemorySessionStore
from ..server.metrics import Metrics
from ..server.sessions import Saved

APPLICATION, SHELF = "tallylens", "tallylens-shelf"
# Before a frame is given to another replica.
AGAIN_S = 0.1


class RemoteQueue:
    """Hands frames to the model's replicas; one that dies costs a frame a second try."""

    def __init__(self, handle: Any, metrics: Metrics) -> None:
        self._handle, self._metrics = handle, metrics
        self._tasks: dict[Hashable, set[asyncio.Task[None]]] = defaultdict(set)
        self.queued = 0

    def start(self) -> None:
        """Nothing to begin: Ray is there."""

    async def stop(self) -> None:
        """Refuse what waits."""
        for owner in list(self._tasks):
            self.cancel(owner)

    def submit(self, job: Job) -> bool:
        """Send a frame on its way; False where too many are."""
        if self.queued >= MAX_QUEUED:
            return False
        self.queued += 1
        task = asyncio.create_task(self._finish(job))
        self._tasks[job.owner].add(task)
        task.add_done_callback(lambda done: self._done(job.owner, done))
        return True

    def cancel(self, owner: Hashable) -> None:
        """Refuse everything of a session that has ended."""
        for task in list(self._tasks.get(owner, ())):
            task.cancel()

    def _done(self, owner: Hashable, task: asyncio.Task[None]) -> None:
        self.queued -= 1
        self._tasks[owner].discard(task)
        if not self._tasks[owner]:
            del self._tasks[owner]

    async def _finish(self, job: Job) -> None:
        try:
            left = job.expires - time.monotonic()
            done = await asyncio.wait_for(self._ask(job), left)
        except (TimeoutError, asyncio.CancelledError):
            done = JobResult("late")
        job.end(done, self._metrics)

    async def _ask(self, job: Job) -> JobResult:
        while True:
            sent = time.monotonic()
            try:
                outcome, work_s = await self._handle.detect.remote((job.decode, time.time()))
            except Exception:
                # A replica that died or cannot be reached: until the deadline, try another.
                self._metrics.fault("detecting")
                await asyncio.sleep(AGAIN_S)
                continue
            waited_s = time.monotonic() - sent - work_s
            self._metrics.batch(1, [waited_s])
            return JobResult(outcome, sent - job.arrived + waited_s, work_s)


class RemoteSessionStore:
    """The shelf of sessions, as one replica sees it; without it sessions live on where they are."""

    def __init__(self) -> None:
        options = {"name": SHELF, "namespace": APPLICATION, "lifetime": "detached"}
        self._shelf = (
            ray.remote(MemorySessionStore)
            .options(**options, get_if_exists=True, num_cpus=0, max_restarts=-1)
            .remote()
        )

    async def take(self, session: str, resume_hash: str) -> Saved | None:
        """A session for who holds its token."""
        try:
            saved: Saved | None = await self._shelf.take.remote(session, resume_hash)
        except ray.exceptions.RayError:
            return None
        return saved

    async def keep(self, saved: Saved) -> bool:
        """Write a session down."""
        try:
            return bool(await self._shelf.keep.remote(saved))
        except ray.exceptions.RayError:
            return True


def end_shelf() -> None:
    """Forget all sessions."""
    ray.kill(ray.get_actor(SHELF, APPLICATION))
