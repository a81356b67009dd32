"""street.mp4 through the cloud, undisturbed and disturbed: the counts have to be the local ones."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from tallylens import Counter, Line
from tallylens.cloud_fallback.client.offloader import OffloadOptions
from tallylens.edge_runtime.sources import open_source

from .link import Link
from .work import STREET, Row, Work, free_port

REGIONS: dict[str, Any] = {"lines": [Line(0, 0.6, 1, 0.6)], "classes": ["car", "truck", "bus"]}
# Frames that the server's two cores get, all disturbed streams together.
FRAMES_PER_S = 10.0
STRIDE = 2
AROUND_S = 35.0
DEADLINE_S = 2.0
KILL = "kill"
FAULTS = {KILL: 10.0, "cut-5": 5.0, "cut-30": 30.0, "cut-200": 200.0}
Timed = list[tuple[int, np.ndarray]]


def totals(counter: Counter) -> str:
    """The totals that have to be equal."""
    totals = counter.totals
    return json.dumps([totals.unique(), *(line.as_dict() for line in totals.lines())])


def counts(work: Work) -> Iterator[Row]:
    """street.mp4 here and through the cloud, with the same model."""
    model, port = work.model("384x640"), free_port()
    with work.server(model, port):
        for name, offload in (
            ("local", None),
            ("always", work.options(port, mode="always")),
            ("auto", work.options(port, mode="auto")),
        ):
            with Counter(model, offload=offload, **REGIONS) as counter:
                report = counter.run(str(STREET))
                line = report.lines[0]
                yield {
                    "where": name,
                    "in": sum(line.crossed_in.values()),
                    "out": sum(line.crossed_out.values()),
                    "seen": sum(report.unique.values()),
                    "from the cloud": (report.offload or {}).get("frames", {}).get("cloud", 0),
                    "frames": report.frames,
                    "longest frame ms": (report.offload or {}).get("longest_frame_ms", 0.0),
                }


def faults(work: Work) -> Iterator[Row]:
    """A server killed and started again, and networks cut: are the counts the local ones?"""
    model = work.model("192x320")
    frames = every_other(STREET)
    with Counter(model, **REGIONS) as counter:
        counter.run(frames)
        expected = totals(counter)
    chosen = work.settings.faults.split(",") if work.settings.faults else FAULTS
    for fault in chosen:
        # As many at a time as the server serves easily, each slow enough to outlast its fault.
        rate = len(frames) / (FAULTS[fault] + AROUND_S)
        with ThreadPoolExecutor(max(1, int(FRAMES_PER_S / rate))) as pool:
            trial = Trial(work, model, frames, expected, fault, rate)
            yield from pool.map(trial.run, range(work.settings.seeds))


class Trial:
    """One fault, for any seed: each has a server and a network of its own."""

    def __init__(
        self, work: Work, model: Path, frames: Timed, expected: str, fault: str, rate: float
    ) -> None:
        self._work, self._model, self._frames = work, model, frames
        self._expected, self._fault, self._rate = expected, fault, rate

    def run(self, seed: int) -> Row:
        """Count while the fault comes and goes."""
        chance = random.Random(f"{self._fault} {seed}")
        port, begins_s = free_port(), chance.uniform(3, 15)
        servers = [self._work.start(self._model, port, "--lanes", "1")]
        link = Link(port)
        disturb = self._killer(servers, port) if self._fault == KILL else self._cutter(link, seed)
        timer = threading.Timer(begins_s, disturb)
        timer.start()
        try:
            row = self._count(self._work.options(link.port, mode="always", deadline_s=DEADLINE_S))
        finally:
            timer.cancel()
            for server in servers:
                server.kill()
                server.wait()
        return {"fault": self._fault, "seed": seed, "after s": round(begins_s, 1), **row}

    def _count(self, offload: OffloadOptions) -> Row:
        with Counter(self._model, offload=offload, **REGIONS) as counter:
            report = counter.run(self._paced())
            made = report.offload or {}
            return {
                "equal": totals(counter) == self._expected,
                "frames": report.frames,
                "cloud": made["frames"]["cloud"],
                "local": made["frames"]["local"],
                "connections": made["connections"],
                "longest frame ms": made["longest_frame_ms"],
            }

    def _paced(self) -> Iterator[tuple[int, np.ndarray]]:
        begun = time.monotonic()
        for number, (when, image) in enumerate(self._frames):
            time.sleep(max(0.0, begun + number / self._rate - time.monotonic()))
            yield when, image

    def _killer(self, servers: list[Any], port: int) -> Callable[[], None]:
        def kill() -> None:
            servers[0].kill()
            servers[0].wait()
            time.sleep(FAULTS[KILL])
            servers.append(self._work.start(self._model, port, "--lanes", "1"))

        return kill

    def _cutter(self, link: Link, seed: int) -> Callable[[], None]:
        def cut() -> None:
            link.cut(silent=bool(seed % 2))
            time.sleep(FAULTS[self._fault])
            link.heal()

        return cut


def every_other(video: Path) -> Timed:
    """Every second frame, with the time at which it was taken."""
    with open_source(video) as frames:
        return [
            (frame.timestamp_ns, frame.image.copy())
            for frame in frames
            if frame.index % STRIDE == 0
        ]
