"""Capacity of the video service: measures the stages here, then simulates bursts and many users.

    python benchmarks/capacity.py --model yolov5n-int8.tflite [--clip CLIP.mp4 | --size 1920x1080]
        [--codec h264] [--postgres URL] [--gpu-fps N] [--json FILE]
    python benchmarks/capacity.py --model ... --predict CLIP.mp4 ...     # all uploaded at once

It answers when the last and 95% of the reports are ready, and which resource is full. Clips are
made with ffmpeg from the demo's street, 10 s at 120 frames/s, and uploads are written to the disk
at hand: a network is slower, and `--uplink-mib-s` sets it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from simulation.prediction import answer, predict
from simulation.service import Machines, Stages, Video, least, simulate
from simulation.stages import make_clip, measure, stages_of, temporary_folder

FRAMES, VIDEO_MIB, DEADLINE_S = 3600, 100.0, 1200.0
HOUR_S, DAY_S = 3600, 86_400


def burst(count: int) -> list[Video]:
    """Videos of 30 s at 120 frames per second that arrive at the same moment."""
    return [Video(0, FRAMES, VIDEO_MIB)] * count


def spread(count: int, seconds: float) -> list[Video]:
    """The same videos at random times."""
    chance = random.Random(1)
    return [Video(chance.uniform(0, seconds), FRAMES, VIDEO_MIB) for _ in range(count)]


def answers(stages: Stages, gpu_fps: float | None) -> list[dict[str, Any]]:
    """100 videos at once, 1,000 users within an hour, a million within a day."""
    rows = []
    here = Machines(os.cpu_count() or 1)
    rows.append(answer("100 at once, these cores", simulate(burst(100), here, stages), here))
    needed = least(
        lambda cores: simulate(burst(100), Machines(cores), stages).last_s <= DEADLINE_S, 4096
    )
    enough = Machines(needed)
    rows.append(answer("100 at once, in 20 minutes", simulate(burst(100), enough, stages), enough))
    if gpu_fps:
        with_gpu, gpu = dataclasses.replace(stages, gpu_s=1 / gpu_fps), Machines(12, gpus=1)
        rows.append(answer("100 at once, one GPU", simulate(burst(100), gpu, with_gpu), gpu))
    thousand = spread(1000, HOUR_S)
    needed = least(
        lambda cores: simulate(thousand, Machines(cores), stages).p95_s <= DEADLINE_S, 4096
    )
    enough = Machines(needed)
    rows.append(answer("1,000 users in an hour", simulate(thousand, enough, stages), enough))
    # An hour of the day is enough to see whether the queue grows. A million users need several
    # uplinks and databases: the simulated one stands for one part of them.
    parts = 10
    part = spread(1_000_000 * HOUR_S // DAY_S // parts, HOUR_S)
    needed = least(lambda cores: simulate(part, Machines(cores), stages).p95_s <= DEADLINE_S, 8192)
    enough = Machines(needed)
    row = answer(f"a million a day, each of {parts} parts", simulate(part, enough, stages), enough)
    return [*rows, row]


def main() -> None:
    """Measure, simulate, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--clip", type=Path, help="measure with this video")
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--codec", choices=("h264", "hevc"), default="h264")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--postgres", metavar="URL")
    parser.add_argument("--gpu-fps", type=float, help="measured inference of a GPU")
    parser.add_argument("--uplink-mib-s", type=float, help="MiB per second of the uplink")
    parser.add_argument("--predict", nargs="+", type=Path, default=[], metavar="CLIP")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    console = Console()
    with temporary_folder() as name:
        folder = Path(name)
        width, height = (int(part) for part in options.size.split("x"))
        clip = options.clip or make_clip(
            folder, (width, height), options.codec, options.seconds, 120
        )
        console.print(f"measuring with {clip.name}: {clip.stat().st_size / 2**20:.1f} MiB")
        found = measure(options.model, clip, folder, options.postgres)
    table = Table("stage", "mean", "median", "95%")
    for stage, measured in found.items():
        shown = (measured.mean, measured.median, measured.p95)
        table.add_row(stage, *(f"{seconds * 1e3:.3f} ms" for seconds in shown))
    console.print(table)
    stages = stages_of(found)
    if options.uplink_mib_s:
        stages = dataclasses.replace(stages, upload_s_per_mib=1 / options.uplink_mib_s)
    console.print(f"one core: {1 / stages.core_s(False):.1f} frames/s, all cores busy")
    if options.predict:
        rows = [predict(options.predict, stages)]
    else:
        rows = answers(stages, options.gpu_fps)
    table = Table("question", "cores", "GPUs", "last", "95%", "full")
    for row in rows:
        times = (f"{row[key]:,.0f} s" for key in ("last_s", "p95_s"))
        full = f"{row['full']} ({row['busy'][row['full']]:.0%})"
        table.add_row(row["question"], str(row["cores"]), str(row["gpus"]), *times, full)
    console.print(table)
    if options.json:
        document = {
            "measured": {stage: dataclasses.asdict(one) for stage, one in found.items()},
            "stages": dataclasses.asdict(stages),
            "answers": rows,
        }
        options.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
