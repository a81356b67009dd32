"""Tests of workers that pause for live frames."""

from __future__ import annotations

import time
from collections.abc import Hashable
from pathlib import Path

import pytest

from tallylens.cloud_fallback.jobs import live_first
from tallylens.cloud_fallback.jobs.live_first import AnnouncedQueue, LiveMark
from tallylens.cloud_fallback.server.job import Job, JobResult
from tallylens.edge_runtime.types import Image


class Held:
    """A queue that keeps its frames until the test ends them."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    @property
    def queued(self) -> int:
        return len(self.jobs)

    def start(self) -> None:
        """Nothing."""

    async def stop(self) -> None:
        """Nothing."""

    def submit(self, job: Job) -> None:
        self.jobs.append(job)

    def cancel(self, owner: Hashable, result: JobResult) -> None:
        """Nothing."""


def never() -> Image:
    raise AssertionError


def job(finished: list[JobResult]) -> Job:
    return Job("session", time.monotonic() + 9, never, finished.append, time.monotonic())


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def monotonic_ns(self) -> int:
        return int(self.now * 1e9)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def waited(self, mark: LiveMark) -> float:
        """How long a worker waits before a frame."""
        began = self.now
        mark.wait()
        return self.now - began


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(live_first, "time", made)
    return made


def test_a_worker_waits_while_a_live_frame_is_under_way(tmp_path: Path, clock: Clock) -> None:
    server, worker = LiveMark(tmp_path / "live"), LiveMark(tmp_path / "live")
    held, finished = Held(), list[JobResult]()
    queue = AnnouncedQueue(held, server)
    assert clock.waited(worker) == 0
    queue.submit(job(finished))
    queue.submit(job(finished))
    assert queue.queued == 2
    # It is held up, but not for good.
    assert clock.waited(worker) == pytest.approx(live_first.PATIENCE_S, abs=0.002)
    held.jobs[0].finish(JobResult("late"))
    held.jobs[0].finish(JobResult("failed"))
    assert clock.waited(worker) == pytest.approx(live_first.PATIENCE_S, abs=0.002)
    held.jobs[1].finish(JobResult("late"))
    assert clock.waited(worker) == 0
    assert [one.outcome for one in finished] == ["late", "failed", "late"]


def test_a_frame_without_an_end_is_forgotten(tmp_path: Path, clock: Clock) -> None:
    mark = LiveMark(tmp_path / "live")
    mark.set(clock.monotonic_ns() - 1)
    assert clock.waited(mark) == 0


def test_the_file_of_a_server_before_is_used_again(tmp_path: Path, clock: Clock) -> None:
    first = LiveMark(tmp_path / "live")
    first.set(clock.monotonic_ns() + 10**10)
    assert clock.waited(LiveMark(tmp_path / "live")) > 0
    assert (tmp_path / "live").stat().st_size == 8
