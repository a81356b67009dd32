"""Frames of many sessions to batches for few detectors: fairly, and only what is still wanted.

Keys take turns, and within a key its sessions; while there are several, none of them occupies more
than half of the detectors, so that the next one finds one free. A batch leaves when it is full or
when its oldest frame has waited long enough. Frames whose deadline has passed, and those of
sessions whose client has gone, never reach a detector.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable, Sequence
from typing import Protocol

from .fair_queue import FairQueue, QueueLimits
from .job import Job, JobResult
from .metrics import Metrics
from .models import BatchDetector
from .workers import Decoders, Done, Worker

MAX_WAIT_S = 0.005


class Queue(Protocol):
    """Takes frames to detectors. All methods belong to the event loop."""

    @property
    def queued(self) -> int:
        """Number of frames that wait."""

    def start(self) -> None:
        """Start to take frames to detectors."""

    async def stop(self) -> None:
        """Stop; the frames that wait are refused."""

    def submit(self, job: Job) -> None:
        """Queue a frame; it is refused as `busy` where too many wait."""

    def cancel(self, owner: Hashable, result: JobResult) -> None:
        """End everything that waits for a session with this result."""


class Batcher:
    """The queue between sockets and detectors. All methods belong to the event loop."""

    def __init__(
        self,
        detectors: Sequence[BatchDetector],
        metrics: Metrics,
        limits: QueueLimits | None = None,
    ) -> None:
        self._detectors = detectors
        self._metrics = metrics
        share = max(1, sum(one.max_batch for one in detectors) // 2)
        self._queue = FairQueue(limits or QueueLimits(), share)
        self._decoders = Decoders(metrics.fault)
        self._workers: list[Worker] = []
        self._free: list[Worker] = []
        self._timer: asyncio.TimerHandle | None = None
        self._soon = False

    @property
    def queued(self) -> int:
        """Number of frames that wait for a detector."""
        return len(self._queue)

    def start(self) -> None:
        """Start to take frames off the queue."""
        fault = self._metrics.fault
        self._workers = [Worker(one, self._decoders, fault, self._done) for one in self._detectors]
        self._free = list(self._workers)
        self._dispatch()

    async def stop(self) -> None:
        """Stop the detectors; the frames that wait are refused."""
        self._free = []
        self._end(self._queue.clear(), JobResult("late"))
        for worker in self._workers:
            worker.close()
        self._workers = []
        self._decoders.close()

    def submit(self, job: Job) -> None:
        """Queue a frame; it or a frame of the key with the most is refused where too many wait."""
        self._end(self._queue.add(job), JobResult("busy"))
        if not self._free or self._soon:
            return
        most = self._most(self._free[-1])
        if most == 1:
            self._dispatch()
        # While a timer runs, only a full batch is a reason to leave before it ends.
        elif self._timer is None or self.queued >= most:
            # Frames that arrive in the same iteration of the event loop are taken together.
            self._soon = True
            asyncio.get_running_loop().call_soon(self._dispatch)

    def _most(self, worker: Worker) -> int:
        """How many frames a worker is given at once."""
        return worker.max_batch if worker.max_batch > 1 else self._queue.together

    def cancel(self, owner: Hashable, result: JobResult) -> None:
        """End everything that waits for a session with this result."""
        self._end(self._queue.remove(owner), result)

    def _end(self, jobs: Sequence[Job], result: JobResult) -> None:
        for job in jobs:
            job.end(result, self._metrics)

    def _dispatch(self) -> None:
        """Give the free detectors what waits, unless a batch is worth waiting for."""
        self._soon = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._free and len(self._queue):
            worker, now = self._free[-1], time.monotonic()
            if len(self._queue) < worker.max_batch:
                left = MAX_WAIT_S - (now - self._queue.oldest())
                if left > 0:
                    loop = asyncio.get_running_loop()
                    self._timer = loop.call_later(left, self._dispatch)
                    return
            batch, late = self._queue.take(self._most(worker), now)
            for job in late:
                job.end(JobResult("late", now - job.arrived), self._metrics)
            if not batch:
                # All that waits belongs to keys and sessions with their share of the detectors.
                return
            self._free.pop()
            size = min(len(batch), worker.max_batch)
            self._metrics.batch(size, [now - job.arrived for job in batch])
            worker.put(batch)

    def _done(self, worker: Worker, batch: Sequence[Job], done: Done) -> None:
        """A batch is done: the detector gets the next one, then the answers are given."""
        each = (done.ended - done.decoded) / len(batch)
        for job, decode_s in zip(batch, done.decode_s, strict=True):
            self._queue.finished(job, decode_s, each)
        if worker in self._workers:
            self._free.append(worker)
            self._dispatch()
        self._metrics.stages(done.decoded - done.started, done.ended - done.decoded)
        spent = done.ended - done.started
        for job, outcome in zip(batch, done.outcomes, strict=True):
            job.end(JobResult(outcome, done.started - job.arrived, spent), self._metrics)
