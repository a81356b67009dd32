"""The simulation against queueing theory: Erlang C, work over capacity, and Little's law."""

from __future__ import annotations

import heapq
import math
import random

import pytest
from simulation.service import Machines, Outcome, Stages, Video, least, simulate


def erlang_c_wait(arrival_rate: float, service_s: float, servers: int) -> float:
    """Mean wait in an M/M/c queue (Erlang 1917)."""
    load = arrival_rate * service_s
    first = sum(load**k / math.factorial(k) for k in range(servers))
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    return last / (first + last) * service_s / (servers - load)


def poisson(rate: float, count: int, seed: int) -> list[Video]:
    """Videos at random times with exponentially distributed lengths of 1,000 frames on average."""
    chance = random.Random(seed)
    now, videos = 0.0, []
    for _ in range(count):
        now += chance.expovariate(rate)
        videos.append(Video(now, chance.expovariate(1 / 1000)))
    return videos


def waits_of_a_queue(rate: float, servers: int, count: int, seed: int) -> float:
    """Mean wait of videos served in order by the first free of `servers` (Kiefer-Wolfowitz)."""
    chance = random.Random(seed)
    free, now, waits = [0.0] * servers, 0.0, 0.0
    for _ in range(count):
        now += chance.expovariate(rate)
        start = max(now, heapq.heappop(free))
        waits += start - now
        heapq.heappush(free, start + chance.expovariate(1 / 1000) * 1e-3)
    return waits / count


@pytest.mark.slow
@pytest.mark.parametrize(("servers", "load"), [(1, 0.5), (4, 0.7), (8, 0.8)])
def test_waits_are_those_of_erlang_c(servers: int, load: float) -> None:
    """In two steps, since 2% needs millions of videos: the waits of a queue of known mean."""
    rate = load * servers  # a video takes 1 s
    outcome = simulate(poisson(rate, 20_000, 3), Machines(servers), Stages(decode_s=1e-3), 1e9)
    mean = sum(outcome.waits) / len(outcome.waits)
    assert mean == pytest.approx(waits_of_a_queue(rate, servers, 20_000, 3))
    known = erlang_c_wait(rate, 1, servers)
    assert waits_of_a_queue(rate, servers, 3_000_000, 1) == pytest.approx(known, rel=0.02)


@pytest.mark.slow
def test_littles_law() -> None:
    outcome = simulate(poisson(3, 20_000, 1), Machines(4), Stages(decode_s=1e-3), 1e9)
    rate = len(outcome.times) / outcome.last_s
    assert outcome.in_system == pytest.approx(rate * sum(outcome.times) / len(outcome.times))


STAGES = Stages(
    upload_s_per_mib=0.01,
    probe_s=0.1,
    decode_s=0.006,
    letterbox_s=0.0005,
    inference_s=0.006,
    count_s=0.0001,
    gpu_s=0.001,
    checkpoint_s=0.005,
    report_s=0.2,
)


def burst(count: int) -> list[Video]:
    return [Video(0, 3600, 51.2)] * count


@pytest.mark.parametrize(
    ("machines", "stages", "full", "work_s"),
    [
        (Machines(4), STAGES, "cores", 200 * (3600 * 0.0126 + 15 * 0.005 + 0.3) / 4),
        (
            Machines(64, gpus=1),
            Stages(decode_s=0.006, gpu_s=0.001),
            "GPUs",
            200 * 3600 * 0.001,
        ),
        (Machines(64), Stages(decode_s=1e-5, upload_s_per_mib=0.1), "uplink", 200 * 5.12),
        (Machines(64), Stages(decode_s=1e-5, checkpoint_s=1), "database", 200 * 15),
    ],
)
def test_one_bottleneck_is_work_over_capacity(
    machines: Machines, stages: Stages, full: str, work_s: float
) -> None:
    outcome = simulate(burst(200), machines, stages)
    assert outcome.full == full
    assert outcome.last_s == pytest.approx(work_s, rel=0.01)
    assert outcome.busy[full] == pytest.approx(1, rel=0.01)


def test_every_video_is_finished_and_none_before_its_work() -> None:
    outcome: Outcome = simulate(burst(7), Machines(2), STAGES)
    assert len(outcome.times) == 7
    assert min(outcome.times) >= 3600 * STAGES.core_s(False)
    assert outcome.p95_s <= outcome.last_s


def test_workers_that_start_later_finish_later_by_that() -> None:
    cold = simulate(burst(4), Machines(4), Stages(decode_s=0.001, start_s=9))
    warm = simulate(burst(4), Machines(4), Stages(decode_s=0.001))
    assert cold.last_s == pytest.approx(warm.last_s + 9)


def test_a_job_takes_its_worker_longer_than_its_frames() -> None:
    """Four videos on each of two cores, one after the other."""
    stages = Stages(decode_s=0.001, probe_s=0.1, job_s=0.4, report_s=0.2)
    outcome = simulate([Video(0, 1000)] * 8, Machines(2), stages)
    assert outcome.last_s == pytest.approx(4 * (1 + 0.1 + 0.4 + 0.2))


def test_least_number_of_cores() -> None:
    assert least(lambda cores: cores >= 37) == 37
    assert least(lambda cores: True) == 1
    with pytest.raises(ValueError, match="not even 8"):
        least(lambda cores: False, highest=8)
