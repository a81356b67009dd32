"""Predictions of the simulation for videos that are uploaded at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from simulation.service import Machines, Outcome, Stages, Video, simulate


def answer(question: str, outcome: Outcome, machines: Machines) -> dict[str, Any]:
    """One row of the answers."""
    return {
        "question": question,
        "cores": machines.cores,
        "gpus": machines.gpus,
        "last_s": round(outcome.last_s, 1),
        "p95_s": round(outcome.p95_s, 1),
        "full": outcome.full,
        "busy": {name: round(share, 3) for name, share in outcome.busy.items()},
    }


def frames_of(clip: Path) -> int:
    """The frames of a clip."""
    import av

    with av.open(str(clip)) as container:
        return sum(1 for packet in container.demux(video=0) if packet.size)


def predict(clips: list[Path], stages: Stages) -> dict[str, Any]:
    """When all `clips`, uploaded at once, are counted on these cores."""
    videos = [Video(0, frames_of(clip), clip.stat().st_size / 2**20) for clip in clips]
    machines = Machines(os.cpu_count() or 1)
    return answer(f"{len(clips)} clips at once", simulate(videos, machines, stages), machines)
