"""Ray clients of a socket replica: the queue to the model replicas, and the session store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable
from typing import Any

import ray

from ..server.fair_queue import QueueLimits
from ..server.job import Job, JobResult
from ..server.metrics import Metrics
from ..server.sessions import SavedSession
from .frames import Asked
from .replica_board import News, ReplicaBoard, Report
from .session_store import MemorySessionStore

APPLICATION, STATE = "tallylens", "tallylens-state"
DETECTOR = "detector"
# Pause before a frame is given to another replica.
RETRY_S = 0.1


class RemoteQueue:
    """Submits frames to the model's replicas; a frame of one that dies is tried again."""

    def __init__(self, handle: Any, metrics: Metrics) -> None:
        self._handle, self._metrics = handle, metrics
        self._tasks: dict[Hashable, dict[asyncio.Task[None], Job]] = {}
        self.queued = 0

    def start(self) -> None:
        """Nothing to start: Ray is running."""

    async def stop(self) -> None:
        """Refuse the frames that wait."""
        for owner in list(self._tasks):
            self.cancel(owner, JobResult("late"))

    def submit(self, job: Job) -> None:
        """Submit a frame; it is refused as `busy` where too many wait."""
        if self.queued >= QueueLimits.frames:
            job.end(JobResult("busy"), self._metrics)
            return
        self.queued += 1
        task = asyncio.create_task(self._finish(job))
        self._tasks.setdefault(job.owner, {})[task] = job
        task.add_done_callback(lambda done: self._done(job.owner, done))

    def cancel(self, owner: Hashable, result: JobResult) -> None:
        """End everything of a session with this result."""
        for task, job in self._tasks.pop(owner, {}).items():
            task.cancel()
            job.end(result, self._metrics)

    def _done(self, owner: Hashable, task: asyncio.Task[None]) -> None:
        self.queued -= 1
        tasks = self._tasks.get(owner, {})
        tasks.pop(task, None)
        if not tasks:
            self._tasks.pop(owner, None)

    async def _finish(self, job: Job) -> None:
        try:
            left = job.expires - time.monotonic()
            done = await asyncio.wait_for(self._ask(job), left)
        except TimeoutError:
            done = JobResult("late")
        # Unless it was canceled as it ended.
        if asyncio.current_task() in self._tasks.get(job.owner, ()):
            job.end(done, self._metrics)

    async def _ask(self, job: Job) -> JobResult:
        while True:
            sent = time.monotonic()
            try:
                outcome, work_s = await self._handle.detect.remote(Asked(job.decode, time.time()))
            except Exception:
                # A replica that died or cannot be reached: until the deadline, try another.
                self._metrics.fault("detecting")
                await asyncio.sleep(RETRY_S)
                continue
            waited_s = time.monotonic() - sent - work_s
            self._metrics.waited([waited_s])
            return JobResult(outcome, sent - job.arrived + waited_s, work_s)


class ClusterState(MemorySessionStore, ReplicaBoard):
    """The state that all processes of a cluster share; one Ray actor has it."""

    def __init__(self) -> None:
        MemorySessionStore.__init__(self)
        ReplicaBoard.__init__(self)


def cluster_state() -> Any:
    """The actor with the `ClusterState`, started by the first process that asks."""
    options = {"name": STATE, "namespace": APPLICATION, "lifetime": "detached"}
    actor = ray.remote(ClusterState).options(
        **options, get_if_exists=True, num_cpus=0, max_restarts=-1
    )
    return actor.remote()


class RemoteSessionStore:
    """The cluster's session store; while it cannot be reached, sessions stay in their process."""

    def __init__(self, state: Any) -> None:
        self._state = state

    async def claim(self, session: str, resume_hash: str) -> SavedSession | None:
        """A session for the holder of its token."""
        try:
            saved: SavedSession | None = await self._state.claim.remote(session, resume_hash)
        except ray.exceptions.RayError:
            return None
        return saved

    async def save(self, saved: SavedSession) -> bool:
        """Write a session down; False where another process has claimed it."""
        try:
            return bool(await self._state.save.remote(saved))
        except ray.exceptions.RayError:
            return True


class RemoteBoard:
    """The cluster's board; while it cannot be reached, nothing is known of other processes."""

    def __init__(self, state: Any) -> None:
        self._state = state

    async def exchange(self, process: str, report: Report) -> News | None:
        """Report, and hear of the others; None where that fails."""
        try:
            news: News = await self._state.exchange.remote(process, report)
        except ray.exceptions.RayError:
            return None
        return news

    async def metrics(self) -> dict[str, Any]:
        """The metric families of each process."""
        try:
            found: dict[str, Any] = await self._state.metrics.remote()
        except ray.exceptions.RayError:
            return {}
        return found


def end_cluster_state() -> None:
    """Forget all sessions and reports."""
    ray.kill(ray.get_actor(STATE, APPLICATION))
