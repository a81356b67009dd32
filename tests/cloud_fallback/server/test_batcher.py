"""Turns, ages, deadlines and faults of the queue, with a detector that only notes what it gets."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import numpy as np
import pytest

from tallylens.cloud_fallback.server import batcher as batcher_module
from tallylens.cloud_fallback.server import fair_queue as fair_queue_module
from tallylens.cloud_fallback.server.batcher import Batcher
from tallylens.cloud_fallback.server.fair_queue import QueueLimits
from tallylens.cloud_fallback.server.job import Job, JobResult
from tallylens.cloud_fallback.server.metrics import Metrics
from tallylens.edge_runtime.types import Detections, Image


class Notes:
    """A detector that holds its first batch until `go`, and knows images by their first byte."""

    def __init__(self, max_batch: int) -> None:
        self.max_batch = max_batch
        self.batches: list[list[int]] = []
        self.go = threading.Event()

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        assert self.go.wait(20)
        self.batches.append([int(image.flat[0]) for image in images])
        if 66 in self.batches[-1]:
            raise RuntimeError("the model fails")
        return [Detections.empty() for _ in images]


def picture(number: int) -> Image:
    return np.full((2, 2, 3), number, np.uint8)


class Queue:
    """Jobs for a batcher, and what became of them."""

    def __init__(self, batcher: Batcher) -> None:
        self.batcher = batcher
        self.done: dict[int, JobResult] = {}

    def put(self, owner: str, number: int, *, seconds: float = 60.0, good: bool = True) -> None:
        now = time.monotonic()
        self.batcher.submit(
            Job(
                owner=owner,
                expires=now + seconds,
                decode=lambda: picture(number) if good else None,
                finish=lambda done: self.done.__setitem__(number, done),
                arrived=now,
            )
        )

    async def all_done(self, count: int) -> None:
        while len(self.done) < count:
            await asyncio.sleep(0.001)


def drive(
    detector: Notes,
    use: Callable[[Queue], Coroutine[Any, Any, None]],
    limits: QueueLimits | None = None,
) -> dict[int, JobResult]:
    async def main() -> dict[int, JobResult]:
        queue = Queue(Batcher([detector], Metrics(), limits))
        queue.batcher.start()
        try:
            await asyncio.wait_for(use(queue), 30)
        finally:
            detector.go.set()
            await queue.batcher.stop()
        return queue.done

    return asyncio.run(main())


def test_sessions_take_turns_whoever_came_first() -> None:
    detector = Notes(max_batch=4)

    async def use(queue: Queue) -> None:
        for number in range(10):
            queue.put("greedy", number)
        queue.put("modest", 20)
        queue.put("shy", 30)
        detector.go.set()
        await queue.all_done(12)

    drive(detector, use)
    assert detector.batches == [[0, 20, 30, 1], [2, 3], [4, 5], [6, 7], [8, 9]]


def test_a_session_that_is_alone_has_all_lanes() -> None:
    detector = Notes(max_batch=4)

    async def use(queue: Queue) -> None:
        for number in range(8):
            queue.put("alone", number)
        detector.go.set()
        await queue.all_done(8)

    drive(detector, use)
    assert detector.batches == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_short_frames_share_a_wake_up_but_no_batch() -> None:
    detector = Notes(max_batch=1)
    detector.go.set()
    given: list[int] = []

    async def use(queue: Queue) -> None:
        for number in range(100):
            queue.put("alone", number)
            await queue.all_done(number + 1)
        worker = queue.batcher._workers[0]
        put = worker.put

        def note(jobs: Sequence[Job]) -> None:
            given.append(len(jobs))
            put(jobs)

        monkeypatch.setattr(worker, "put", note)
        for number in range(100, 108):
            queue.put("alone", number)
        await queue.all_done(108)

    with pytest.MonkeyPatch.context() as monkeypatch:
        # However slow this machine is.
        monkeypatch.setattr(fair_queue_module, "_TOGETHER_S", 10.0)
        drive(detector, use)
    assert given == [8]
    assert detector.batches == [[number] for number in range(108)]


def test_a_greedy_session_leaves_a_lane_to_who_comes_next() -> None:
    """Two detectors; neither answers before `go`."""
    detectors = [Notes(max_batch=1), Notes(max_batch=1)]

    async def main() -> dict[int, JobResult]:
        queue = Queue(Batcher(detectors, Metrics()))
        queue.batcher.start()
        queue.put("shy", 9)
        for number in range(4):
            queue.put("greedy", number)
        while queue.batcher.queued > 3:
            await asyncio.sleep(0.001)
        for detector in detectors:
            detector.go.set()
        await queue.all_done(5)
        for detector in detectors:
            detector.go.clear()
        for number in range(10, 14):
            queue.put("greedy", number)
        while queue.batcher.queued > 3:
            await asyncio.sleep(0.001)
        queue.put("shy", 30)
        while queue.batcher.queued > 3:
            await asyncio.sleep(0.001)
        for detector in detectors:
            detector.go.set()
        await queue.all_done(10)
        await queue.batcher.stop()
        return queue.done

    asyncio.run(asyncio.wait_for(main(), 30))
    second = [[batch for batch in detector.batches if batch[0] >= 10] for detector in detectors]
    first = sorted(batches[0] for batches in second)
    assert first == [[10], [30]], "one each, although three of the greedy had waited for longer"


def test_a_batch_leaves_when_it_is_full_or_old(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = Notes(max_batch=4)
    monkeypatch.setattr(batcher_module, "MAX_WAIT_S", 0.01)
    detector.go.set()

    async def use(queue: Queue) -> None:
        queue.put("a", 1)
        queue.put("b", 2)
        await queue.all_done(2)

    done = drive(detector, use)
    assert detector.batches == [[1, 2]]
    assert done[1].queue_s >= 0.009


def test_late_and_canceled_frames_never_reach_the_model() -> None:
    detector = Notes(max_batch=1)

    async def use(queue: Queue) -> None:
        queue.put("a", 1)
        while queue.batcher.queued:
            await asyncio.sleep(0.001)
        queue.put("a", 2, seconds=0.0)
        queue.put("gone", 3)
        queue.put("gone", 4)
        queue.batcher.cancel("gone", JobResult("late"))
        queue.batcher.cancel("gone", JobResult("late"))
        left: int = queue.batcher.queued
        assert left == 1
        detector.go.set()
        await queue.all_done(4)

    done = drive(detector, use)
    assert detector.batches == [[1]]
    assert [done[number].outcome for number in (2, 3, 4)] == ["late"] * 3


def test_a_bad_picture_or_a_failing_model_costs_only_its_batch() -> None:
    detector = Notes(max_batch=2)
    detector.go.set()

    async def use(queue: Queue) -> None:
        queue.put("a", 1, good=False)
        queue.put("b", 2)
        await queue.all_done(2)
        queue.put("a", 3, good=False)
        queue.put("b", 66)
        await queue.all_done(4)
        queue.put("a", 5)
        await queue.all_done(5)

    done = drive(detector, use)
    assert done[1].outcome == done[3].outcome == "undecodable"
    assert done[66].outcome == "failed"
    assert isinstance(done[2].outcome, Detections)
    assert isinstance(done[5].outcome, Detections)


def test_an_answer_that_fails_is_a_refusal_and_the_lane_goes_on() -> None:
    detector = Notes(max_batch=1)
    detector.go.set()
    told: list[JobResult] = []

    def finish(done: JobResult) -> None:
        told.append(done)
        if isinstance(done.outcome, Detections):
            raise OverflowError("the answer cannot be written")

    async def use(queue: Queue) -> None:
        now = time.monotonic()
        queue.batcher.submit(Job("a", now + 60, lambda: picture(1), finish, now))
        queue.put("b", 2)
        await queue.all_done(1)

    done = drive(detector, use)
    assert [isinstance(one.outcome, Detections) for one in told] == [True, False]
    assert told[1].outcome == "failed"
    assert isinstance(done[2].outcome, Detections)


def test_the_queue_has_an_end() -> None:
    detector = Notes(max_batch=1)

    async def use(queue: Queue) -> None:
        for number in range(4):
            queue.put("a", number)
        # One is at the detector, two wait.
        await queue.all_done(1)
        assert {number: done.outcome for number, done in queue.done.items()} == {3: "busy"}
        detector.go.set()

    drive(detector, use, QueueLimits(frames=2))


def test_an_answer_that_cannot_be_given_does_not_end_the_lane() -> None:
    detector = Notes(max_batch=1)
    detector.go.set()

    def fail(_: JobResult) -> None:
        raise RuntimeError("nobody can count this")

    async def use(queue: Queue) -> None:
        now = time.monotonic()
        queue.batcher.submit(Job("a", now + 60, lambda: picture(1), fail, now))
        queue.put("b", 2)
        await queue.all_done(1)

    assert isinstance(drive(detector, use)[2].outcome, Detections)


def test_a_decoder_that_fails_does_not_end_the_lane() -> None:
    detector = Notes(max_batch=1)
    detector.go.set()

    def fail() -> Image:
        raise MemoryError

    async def use(queue: Queue) -> None:
        now = time.monotonic()
        job = Job("a", now + 60, fail, lambda done: queue.done.__setitem__(1, done), now)
        queue.batcher.submit(job)
        queue.put("b", 2)
        await queue.all_done(2)

    done = drive(detector, use)
    assert done[1].outcome == "undecodable"
    assert isinstance(done[2].outcome, Detections)
