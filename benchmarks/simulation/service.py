"""The video service as queues: uploads share an uplink, workers share GPUs and the database.

A video waits for the uplink, then for a worker. A worker occupies one core until the report is
written, and writes a checkpoint after each chunk. With GPUs the core decodes and counts, and waits
for the inference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import Any

import simpy


@dataclass(frozen=True, slots=True)
class Stages:
    """Seconds that one video, frame or write takes on one core or GPU; 0 leaves the stage out.

    Attributes:
        upload_s_per_mib: of the uplink, which all uploads share.
        probe_s: reading the container.
        job_s: per video: the queue, the workflow and its rows.
        decode_s, letterbox_s, inference_s, count_s: per frame on one core.
        gpu_s: inference per frame on a GPU in full batches, in place of `inference_s`.
        checkpoint_s: one write by the only writer of the database.
        report_s: per video.
        start_s: until a worker takes its first video.
    """

    upload_s_per_mib: float = 0
    probe_s: float = 0
    job_s: float = 0
    decode_s: float = 0
    letterbox_s: float = 0
    inference_s: float = 0
    count_s: float = 0
    gpu_s: float = 0
    checkpoint_s: float = 0
    report_s: float = 0
    start_s: float = 0

    def core_s(self, gpu: bool) -> float:
        """Seconds of a core per frame."""
        inference = 0 if gpu else self.inference_s
        return self.decode_s + self.letterbox_s + inference + self.count_s


@dataclass(frozen=True, slots=True)
class Machines:
    """Cores that count, GPUs beside them, and writers of the database."""

    cores: int
    gpus: int = 0
    writers: int = 1


@dataclass(frozen=True, slots=True)
class Video:
    """One upload: when it starts, its frames and its size."""

    arrival_s: float
    frames: float
    mib: float = 0


@dataclass(slots=True)
class Outcome:
    """Times of every video in seconds, and how busy each resource was (a fraction of 1)."""

    videos: list[Video]
    waits: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    finished: list[float] = field(default_factory=list)
    in_system: float = 0
    busy: dict[str, float] = field(default_factory=dict)

    @property
    def last_s(self) -> float:
        """When the last report was ready."""
        return max(self.finished)

    @property
    def p95_s(self) -> float:
        """The time from arrival to report that 95% of the videos stay below."""
        ordered = sorted(self.times)
        return ordered[max(0, math.ceil(0.95 * len(ordered)) - 1)]

    @property
    def full(self) -> str:
        """The resource that was busiest."""
        return max(self.busy, key=lambda name: self.busy[name])


class _Resource:
    """A simpy resource that adds up its busy seconds."""

    def __init__(self, environment: simpy.Environment, capacity: int) -> None:
        self.environment, self.capacity = environment, max(1, capacity)
        self.queue = simpy.Resource(environment, self.capacity)
        self.busy_s = 0.0

    def use(self, seconds: float) -> Generator[Any, Any, None]:
        """Wait for a turn and hold it."""
        if seconds <= 0:
            return
        with self.queue.request() as turn:
            yield turn
            yield self.environment.timeout(seconds)
        self.busy_s += seconds


def simulate(
    videos: Iterable[Video], machines: Machines, stages: Stages, chunk_frames: float = 240
) -> Outcome:
    """Run all `videos` through the service; `chunk_frames` is the distance of checkpoints."""
    outcome = Outcome(sorted(videos, key=lambda video: video.arrival_s))
    environment = simpy.Environment()
    uplink, cores = _Resource(environment, 1), _Resource(environment, machines.cores)
    gpus, writer = _Resource(environment, machines.gpus), _Resource(environment, machines.writers)
    per_frame = stages.core_s(machines.gpus > 0)

    def one(video: Video) -> Generator[Any, Any, None]:
        yield from uplink.use(video.mib * stages.upload_s_per_mib)
        asked = environment.now
        with cores.queue.request() as worker:
            yield worker
            started = environment.now
            outcome.waits.append(started - asked)
            yield from _count(video)
        cores.busy_s += environment.now - started
        outcome.finished.append(environment.now)
        outcome.times.append(environment.now - video.arrival_s)
        outcome.in_system += environment.now - video.arrival_s

    def _count(video: Video) -> Generator[Any, Any, None]:
        if stages.probe_s or stages.job_s:
            yield environment.timeout(stages.probe_s + stages.job_s)
        left = video.frames
        while left > 0:
            frames = min(left, chunk_frames)
            yield environment.timeout(frames * per_frame)
            if machines.gpus:
                yield from gpus.use(frames * stages.gpu_s)
            yield from writer.use(stages.checkpoint_s)
            left -= frames
        if stages.report_s:
            yield environment.timeout(stages.report_s)

    def arrivals() -> Generator[Any, Any, None]:
        for video in outcome.videos:
            yield environment.timeout(max(0.0, video.arrival_s - environment.now))
            environment.process(one(video))

    def idle_until_started() -> Generator[Any, Any, None]:
        requests = [cores.queue.request() for _ in range(cores.capacity)]
        yield environment.timeout(stages.start_s)
        for request in requests:
            cores.queue.release(request)

    if stages.start_s:
        environment.process(idle_until_started())
    environment.process(arrivals())
    environment.run()
    end = max(environment.now, 1e-12)
    used = {"uplink": uplink, "cores": cores, "database": writer}
    if machines.gpus:
        used["GPUs"] = gpus
    outcome.busy = {name: one.busy_s / (end * one.capacity) for name, one in used.items()}
    outcome.in_system /= end
    return outcome


def least(enough: Callable[[int], bool], highest: int = 1 << 20) -> int:
    """The smallest number from 1 to `highest` that is enough; all above it are, too."""
    low, high = 1, 1
    while not enough(high):
        if high >= highest:
            raise ValueError(f"not even {highest} are enough")
        low, high = high + 1, high * 2
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return high
