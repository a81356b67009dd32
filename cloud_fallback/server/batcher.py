"""Frames of many sessions to batches for few detectors: fairly, and only what is still wanted.

Sessions take turns, one frame each, and while there are several none of them occupies more than
half of the detectors, so that the next session finds one free. A batch leaves when it is full or
when its oldest frame has waited long enough. Frames whose deadline has passed, and those of
sessions that have ended, never reach a detector.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from ...edge_runtime.types import Detections, Image
from ..wire.messages import Reason
from .batch_detection import Decode, decode_safely, detect_each
from .metrics import Metrics
from .models import BatchDetector

MAX_QUEUED = 4096
MAX_WAIT_S = 0.005
# A session that has sent nothing for one to two of these needs no detector kept free.
RECENT_S = 1.0


@dataclass(frozen=True)
class JobResult:
    """The outcome of a job: detections or a reason, and the time it waited and was worked on."""

    outcome: Detections | Reason
    queue_s: float = 0.0
    model_s: float = 0.0


@dataclass
class Job:
    """One frame. `decode` runs in a thread, `finish` in the event loop, once unless it fails."""

    owner: Hashable
    expires: float
    decode: Decode
    finish: Callable[[JobResult], None]
    arrived: float

    def end(self, done: JobResult, metrics: Metrics) -> None:
        """Answer; if that fails, refuse: no detector stops for it and no frame goes unanswered."""
        for one in (done, JobResult("failed")):
            try:
                self.finish(one)
                return
            except Exception:
                metrics.fault("answering")


class Queue(Protocol):
    """Takes frames to detectors. All methods belong to the event loop."""

    @property
    def queued(self) -> int:
        """Number of frames that wait."""

    def start(self) -> None:
        """Start to take frames to detectors."""

    async def stop(self) -> None:
        """Stop; the frames that wait are refused."""

    def submit(self, job: Job) -> bool:
        """Queue a frame; False where the queue is full."""

    def cancel(self, owner: Hashable) -> None:
        """Refuse everything that waits for a session that has ended."""


class Batcher:
    """The queue between sockets and detectors. All methods belong to the event loop."""

    def __init__(self, detectors: Sequence[BatchDetector], metrics: Metrics) -> None:
        self._detectors = detectors
        self._metrics = metrics
        self._waiting: dict[Hashable, deque[Job]] = {}
        self._queued = 0
        self._wake = asyncio.Event()
        self._max_per_session = max(1, sum(one.max_batch for one in detectors) // 2)
        self._working: Counter[Hashable] = Counter()
        self._recent: tuple[set[Hashable], set[Hashable]] = (set(), set())
        self._turned = 0.0
        self._workers = ThreadPoolExecutor(len(detectors), thread_name_prefix="detector")
        # The images of one batch are decoded side by side, while its detector waits.
        self._decoders = ThreadPoolExecutor(4, thread_name_prefix="decode")
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def queued(self) -> int:
        """Number of frames that wait for a detector."""
        return self._queued

    def oldest_s(self) -> float:
        """How long the oldest frame has waited."""
        arrived = [jobs[0].arrived for jobs in self._waiting.values()]
        return time.monotonic() - min(arrived) if arrived else 0.0

    def start(self) -> None:
        """Start to take frames off the queue."""
        self._tasks = [asyncio.create_task(self._feed(one)) for one in self._detectors]

    async def stop(self) -> None:
        """Stop the detectors; the frames that wait are refused."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for owner in list(self._waiting):
            self.cancel(owner)
        self._workers.shutdown()
        self._decoders.shutdown()

    def submit(self, job: Job) -> bool:
        """Queue a frame; False where the queue is full."""
        if self._queued >= MAX_QUEUED:
            return False
        self._waiting.setdefault(job.owner, deque()).append(job)
        self._queued += 1
        if job.arrived - self._turned > RECENT_S:
            self._recent, self._turned = (self._recent[1], set()), job.arrived
        self._recent[1].add(job.owner)
        self._wake.set()
        return True

    def cancel(self, owner: Hashable) -> None:
        """Refuse everything that waits for a session that has ended."""
        jobs = self._waiting.pop(owner, ())
        self._queued -= len(jobs)
        for job in jobs:
            job.end(JobResult("late"), self._metrics)

    def _take(self, limit: int) -> list[Job]:
        """Up to `limit` frames, the sessions in turn; late ones are refused on the way."""
        now = time.monotonic()
        batch: list[Job] = []
        limit_of_session = self._max_per_session if max(map(len, self._recent)) > 1 else MAX_QUEUED
        passed: set[Hashable] = set()
        while len(passed) < len(self._waiting) and len(batch) < limit:
            owner = next(iter(self._waiting))
            jobs = self._waiting.pop(owner)
            if self._working[owner] >= limit_of_session:
                self._waiting[owner] = jobs
                passed.add(owner)
                continue
            job = jobs.popleft()
            self._queued -= 1
            if jobs:
                self._waiting[owner] = jobs
            if job.expires <= now:
                job.end(JobResult("late", now - job.arrived), self._metrics)
            else:
                self._working[owner] += 1
                batch.append(job)
        return batch

    async def _next_batch(self, limit: int) -> list[Job]:
        while True:
            if not self._queued:
                self._wake.clear()
                await self._wake.wait()
            if self._queued < limit:
                await asyncio.sleep(max(0.0, MAX_WAIT_S - self.oldest_s()))
            batch = self._take(limit)
            if batch:
                return batch
            # All that waits belongs to sessions that have their share of the detectors.
            self._wake.clear()
            await self._wake.wait()

    async def _feed(self, detector: BatchDetector) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = await self._next_batch(detector.max_batch)
            started = time.monotonic()
            self._metrics.batch(len(batch), [started - job.arrived for job in batch])
            outcomes = await loop.run_in_executor(self._workers, self._work, detector, batch)
            spent = time.monotonic() - started
            self._working -= Counter(job.owner for job in batch)
            self._wake.set()
            for job, outcome in zip(batch, outcomes, strict=True):
                job.end(JobResult(outcome, started - job.arrived, spent), self._metrics)

    def _work(self, detector: BatchDetector, batch: list[Job]) -> list[Detections | Reason]:
        """Decode and detect: the outcome of each job, with a fault only for its own."""
        begun = time.perf_counter()
        if len(batch) == 1:
            images = [self._decode(batch[0])]
        else:
            images = list(self._decoders.map(self._decode, batch))
        decoded = time.perf_counter()
        outcomes = detect_each(detector, images, self._metrics.fault)
        self._metrics.stages(decoded - begun, time.perf_counter() - decoded)
        return outcomes

    def _decode(self, job: Job) -> Image | None:
        return decode_safely(job.decode, self._metrics.fault)
