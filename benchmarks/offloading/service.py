"""The service under load: sessions, batches, fairness."""

from __future__ import annotations

import asyncio
import random
import resource
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tallylens.cloud_fallback.server.models import open_session

from .load import Load, picture
from .work import Row, Work, free_port


def memory_mib(process: subprocess.Popen[str]) -> float:
    """Largest memory of a process so far."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if "VmHWM" in line)


def sessions(work: Work) -> Iterator[Row]:
    """1,000 sessions with a frame every 20 s, and 10 with 2 per second, on a 320 model."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
    model, port = work.model("192x320"), free_port()
    content = picture((320, 176))
    chance = random.Random(1)
    with work.server(model, port) as process:
        slow = [Load(work, port, content, (320, 176)) for _ in range(1000)]
        quick = [Load(work, port, content, (320, 176)) for _ in range(10)]

        async def all_of_them() -> None:
            await asyncio.gather(
                *(one.run(20.0, work.settings.seconds, chance.uniform(5, 20)) for one in slow),
                *(one.run(0.5, work.settings.seconds, chance.uniform(5, 6)) for one in quick),
            )

        asyncio.run(all_of_them())
        everyone = [*slow, *quick]
        overheads = np.concatenate([one.overheads_s for one in everyone])
        latencies = np.concatenate([one.latencies_s for one in everyone])
        yield {
            "sessions": len(everyone),
            "sent": sum(one.sent for one in everyone),
            "answered": sum(one.answered for one in everyone),
            "rejected": sum(one.rejected for one in everyone),
            "lost": sum(one.sent - one.answered - one.rejected for one in everyone),
            "server MiB": memory_mib(process),
            "p50 ms": float(np.percentile(latencies, 50) * 1000),
            "p99 ms": float(np.percentile(latencies, 99) * 1000),
            "p99 less queue ms": float(np.percentile(overheads, 99) * 1000),
        }


def throughput(work: Work) -> Iterator[Row]:
    """Frames per second through the service, against bare ONNX Runtime on the same batches."""
    model, port = work.model("192x320", "--server"), free_port()
    content = picture((320, 176))
    with work.server(model, port):
        loads = [Load(work, port, content, (320, 176)) for _ in range(8)]
        begun = time.monotonic()

        async def flood() -> None:
            await asyncio.gather(*(one.run(0.0, 15.0, 0.0) for one in loads))

        asyncio.run(flood())
        served = sum(one.answered for one in loads) / (time.monotonic() - begun)
    session = open_session(model)
    batch = np.zeros((8, 192, 320, 3), np.uint8)
    session.run(None, {"frames": batch})
    begun, done = time.monotonic(), 0
    while time.monotonic() - begun < 10:
        session.run(None, {"frames": batch})
        done += len(batch)
    bare = done / (time.monotonic() - begun)
    yield {"service fps": served, "bare fps": bare, "ratio": served / bare}


def fairness(work: Work) -> Iterator[Row]:
    """20 sessions of --rate frames per second, alone and beside one that sends 50 times as many."""
    model, port = work.model("192x320"), free_port()
    content = picture((320, 176))
    p95 = []
    for greedy in (False, True):
        with work.server(model, port):
            normal = [Load(work, port, content, (320, 176)) for _ in range(20)]
            other = Load(work, port, content, (320, 176))

            async def both(
                normal: list[Load] = normal, other: Load = other, greedy: bool = greedy
            ) -> None:
                runs = [
                    one.run(1 / work.settings.rate, 20.0, i / 20 / work.settings.rate)
                    for i, one in enumerate(normal)
                ]
                await asyncio.gather(
                    *runs, *([other.run(0.02 / work.settings.rate, 20.0, 0.0)] if greedy else [])
                )

            asyncio.run(both())
        p95.append(float(np.percentile(np.concatenate([one.latencies_s for one in normal]), 95)))
        yield {
            "greedy": greedy,
            "normal p95 ms": p95[-1] * 1000,
            "ratio": p95[-1] / p95[0],
            "greedy answered": other.answered,
            "greedy rejected": other.rejected,
        }
