"""The ways to keep the deadline: which machines each needs, and for how much of the month."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .prices import Price
from .scenario import HOURS_PER_MONTH, Scenario, Throughput

UTILIZATION = 0.7
"""The share of a machine's measured frames per second that is planned with."""
GPU_START_S = 300
"""Seconds until a GPU machine that was off counts its first frame."""
BUSY_HOURS = 8
"""Hours of a day in which most of a day's videos arrive."""
NAMES = ("gpu", "cpu", "phone-first", "mixed")


@dataclass(frozen=True, slots=True)
class Machines:
    """Machines of one kind: `count` of them, on for `month_share` of the month."""

    price: Price
    count: int
    month_share: float
    limit: str

    def usd(self, usd_per_hour: float | None = None) -> float:
        """US dollars per month, at another price per hour if given."""
        hourly = self.price.usd if usd_per_hour is None else usd_per_hour
        return self.count * hourly * HOURS_PER_MONTH * self.month_share


@dataclass(frozen=True, slots=True)
class Way:
    """One way to count the videos.

    Attributes:
        name: one of `NAMES`.
        title: the same in words.
        machines: what it needs.
        burst_s: seconds from the burst to the last report.
        problem: why it does not keep the deadline, or "".
    """

    name: str
    title: str
    machines: tuple[Machines, ...]
    burst_s: float
    problem: str


@dataclass(frozen=True, slots=True)
class Fleet:
    """The two kinds of machines to choose from, and their measured speeds."""

    cpu_price: Price
    gpu_price: Price
    cpu: Throughput
    gpu: Throughput

    @property
    def gpu_fps(self) -> float:
        """Frames per second of a GPU machine: of its GPU, or of the decoding of its cores."""
        return min(self.gpu.fps, self.gpu_decode_fps)

    @property
    def gpu_decode_fps(self) -> float:
        """Frames per second that the cores of a GPU machine decode."""
        return max(1, self.gpu_price.vcpus) * self.gpu.decode_fps

    @property
    def gpu_limit(self) -> str:
        """The stage that limits a GPU machine."""
        return "inference" if self.gpu.fps <= self.gpu_decode_fps else "decoding"

    @property
    def cpu_machine_fps(self) -> float:
        """Frames per second of a machine without GPU."""
        return max(1, self.cpu_price.vcpus) * self.cpu.fps_per_core

    @property
    def decoding_share(self) -> float:
        """The share of a core's time that decoding takes on a machine without GPU."""
        return min(1.0, self.cpu.fps_per_core / self.cpu.decode_fps)

    def cpus(self, fps: float) -> Machines:
        """The machines without GPU that count `fps` frames per second."""
        count = math.ceil(fps / (UTILIZATION * self.cpu_machine_fps)) if fps > 0 else 0
        limit = "decoding" if self.decoding_share > 1 - self.decoding_share else "inference"
        return Machines(self.cpu_price, count, 1, f"cores ({limit})")

    def gpus(self, fps: float, month_share: float) -> Machines:
        """The GPU machines that count `fps` frames per second: at least one."""
        count = max(1, math.ceil(fps / (UTILIZATION * self.gpu_fps)))
        return Machines(self.gpu_price, count, month_share, self.gpu_limit)


def all_ways(scenario: Scenario, fleet: Fleet) -> dict[str, Way]:
    """Every way of `NAMES`, by name."""
    return {
        "gpu": _gpu(scenario, fleet),
        "cpu": _cpu(scenario, fleet, "cpu", "machines without GPU", 0),
        "phone-first": _phone_first(scenario, fleet),
        "mixed": _mixed(scenario, fleet),
    }


def _gpu(scenario: Scenario, fleet: Fleet) -> Way:
    machines = fleet.gpus(scenario.burst_fps(), scenario.gpu_month_share)
    rate = machines.count * fleet.gpu_fps
    waits = GPU_START_S if scenario.gpu_month_share < 1 else 0
    one_video = scenario.frames_per_video / fleet.gpu.decode_fps
    title = f"GPU, {scenario.gpu_month_share:.0%} of the month"
    return _way("gpu", title, (machines,), scenario, rate, 1, one_video, waits)


def _cpu(scenario: Scenario, fleet: Fleet, name: str, title: str, phones: float) -> Way:
    share = 1 - phones
    machines = fleet.cpus(scenario.burst_fps(share))
    rate = machines.count * fleet.cpu_machine_fps
    one_video = scenario.frames_per_video / fleet.cpu.fps_per_core
    return _way(name, title, (machines,), scenario, rate, share, one_video)


def _phone_first(scenario: Scenario, fleet: Fleet) -> Way:
    title = f"{scenario.phone_share:.0%} counted on phones, machines without GPU for the rest"
    return _cpu(scenario, fleet, "phone-first", title, scenario.phone_share)


def _mixed(scenario: Scenario, fleet: Fleet) -> Way:
    """Machines without GPU for the ordinary load, GPUs that are started for a burst."""
    ordinary = scenario.videos_per_day * scenario.frames_per_video / (BUSY_HOURS * 3600)
    cpus = fleet.cpus(ordinary)
    missing = scenario.burst_videos * scenario.frames_per_video
    missing -= UTILIZATION * cpus.count * fleet.cpu_machine_fps * scenario.counting_s
    title = "machines without GPU, GPUs started for bursts"
    one_video = scenario.frames_per_video / fleet.cpu.fps_per_core
    if missing <= 0:
        rate = cpus.count * fleet.cpu_machine_fps
        return _way("mixed", title, (cpus,), scenario, rate, 1, one_video)
    left_s = max(1.0, scenario.counting_s - GPU_START_S)
    bursts = max(1.0, scenario.videos_per_day / scenario.burst_videos)
    share = min(1.0, bursts * (GPU_START_S + left_s) / 86_400)
    gpus = fleet.gpus(missing / left_s, share)
    rate = cpus.count * fleet.cpu_machine_fps + gpus.count * fleet.gpu_fps
    return _way("mixed", title, (cpus, gpus), scenario, rate, 1, one_video, GPU_START_S)


def _way(
    name: str,
    title: str,
    machines: tuple[Machines, ...],
    scenario: Scenario,
    fps: float,
    share: float,
    one_video_s: float,
    wait_s: float = 0,
) -> Way:
    frames = scenario.burst_videos * share * scenario.frames_per_video
    counting_s = max(frames / fps if fps else 0.0, one_video_s if frames else 0.0)
    burst_s = scenario.upload_s + wait_s + counting_s + scenario.report_s
    problem = ""
    if burst_s > scenario.deadline_s:
        problem = f"the last report is ready after {burst_s:.0f} s of {scenario.deadline_s:.0f} s"
    used = tuple(one for one in machines if one.count)
    return Way(name, title, used, burst_s, problem)


def videos_per_hour(scenario: Scenario, fleet: Fleet) -> tuple[float, str]:
    """Videos per hour from which another GPU machine is needed, and what limits it."""
    return UTILIZATION * fleet.gpu_fps * 3600 / scenario.frames_per_video, fleet.gpu_limit
