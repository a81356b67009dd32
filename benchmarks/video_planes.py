"""Counts of 1080p video at 120 frames per second with the extra `video` and without it.

    python benchmarks/video_planes.py --model INT8-640.tflite INT8-320.tflite --video VIDEO
        [--seconds 10] [--rounds 5] [--json FILE]

ffmpeg makes the clip: the frames of VIDEO, over and over, as H.264 of 1920x1080 at 120 frames per
second. Each round counts it in new processes, with PyAV and with OpenCV one after the other,
so that load of other programs moves both alike; ratios are taken within rounds, and the medians
shown. `cpu ms` is processor time per frame, which load hardly moves.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

Row = dict[str, Any]


def make_clip(video: Path, seconds: float, path: Path) -> None:
    """VIDEO as 1080p at 120 frames per second."""
    filters = "scale=1920:1080:flags=bicubic,setpts=N/120/TB,format=yuv420p"
    command = ["ffmpeg", "-v", "error", "-y", "-stream_loop", "-1", "-i", video, "-an"]
    command += ["-vf", filters, "-r", 120, "-frames:v", round(120 * seconds)]
    command += ["-c:v", "libx264", "-preset", "veryfast", "-crf", 23, path]
    subprocess.run([str(one) for one in command], check=True)


def count(model: Path, clip: Path, *, with_video: bool) -> Row:
    """Count the clip in this process."""
    if not with_video:
        sys.modules["av"] = None  # type: ignore[assignment]
    from tallylens import Counter, Line
    from tallylens.edge_runtime.sources.decoder_check import video_decoder

    begin, cpu = time.perf_counter(), time.process_time()
    with Counter(model, lines=[Line(0, 0.6, 1, 0.6)]) as counter:
        report = counter.run(clip)
    spent, used = time.perf_counter() - begin, time.process_time() - cpu
    line = report.lines[0]
    return {
        "decoder": video_decoder(),
        "frames": report.frames,
        "fps": report.frames / spent,
        "cpu ms": used / report.frames * 1e3,
        "unique": report.unique,
        "in": line.crossed_in,
        "out": line.crossed_out,
    }


def in_new_process(model: Path, clip: Path, *, with_video: bool) -> Row:
    """`count` in a process of its own, so that no cache or thread of another run remains."""
    command = [sys.executable, __file__, "--once", "with" if with_video else "without"]
    command += ["--model", str(model), "--video", str(clip)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    row: Row = json.loads(done.stdout)
    return row


def measure(model: Path, clip: Path, rounds: int) -> Row:
    """Medians over the rounds, and the counts of the last."""
    pairs = []
    for _ in range(rounds):
        both = [in_new_process(model, clip, with_video=one) for one in (False, True)]
        pairs.append((both[0], both[1]))
    without, through_av = pairs[-1]

    def median(values: list[float]) -> float:
        return statistics.median(values)

    return {
        "model": str(model),
        "fps without": median([one["fps"] for one, _ in pairs]),
        "fps with": median([one["fps"] for _, one in pairs]),
        "ratio": median([b["fps"] / a["fps"] for a, b in pairs]),
        "cpu ms without": median([one["cpu ms"] for one, _ in pairs]),
        "cpu ms with": median([one["cpu ms"] for _, one in pairs]),
        "ratio by cpu": median([a["cpu ms"] / b["cpu ms"] for a, b in pairs]),
        "counts without": {name: without[name] for name in ("frames", "unique", "in", "out")},
        "counts with": {name: through_av[name] for name in ("frames", "unique", "in", "out")},
        "decoders": [without["decoder"], through_av["decoder"]],
        "runs": pairs,
    }


def show(rows: list[Row]) -> None:
    """One table."""
    table = Table(title="1080p at 120 frames per second, with and without the extra `video`")
    names = [name for name in rows[0] if name != "runs"]
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        values = (row[name] for name in names)
        table.add_row(*(f"{v:.3g}" if isinstance(v, float) else str(v) for v in values))
    Console(width=160).print(table)


def main() -> None:
    """Measure each model."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, nargs="+", required=True)
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--once", choices=("with", "without"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        row = count(options.model[0], options.video, with_video=options.once == "with")
        print(json.dumps(row))
        return
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        make_clip(options.video, options.seconds, clip)
        rows = [measure(model, clip, options.rounds) for model in options.model]
    show(rows)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
