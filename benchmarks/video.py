"""Uploaded videos against `tallylens count`: frames per second, live frames beside, many streams.

    python benchmarks/video.py [--model demo] [--clips 20] [--json FILE]
    python benchmarks/video.py --predict       # first simulated, by stages of other clips
    python benchmarks/video.py --live          # also devices that send live frames meanwhile
    python benchmarks/video.py --streams 1000  # also that many open progress streams

The clips are 4 s at 120 frames/s of the demo's street (ffmpeg makes them). First `count` counts
them one after the other, then all are uploaded at once to a server with one worker per core.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from simulation.prediction import predict
from simulation.stages import measure, stages_of
from video_load.clips import LINE, Row, count_all, make_clips, upload_all
from video_load.live import live_rows
from video_load.streams import open_streams

from tests.support.video_server import VideoServer

OTHER_STREET = 7


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="demo")
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--predict", action="store_true")
    parser.add_argument("--live", action="store_true")
    parser.add_argument("--streams", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="tallylens-video-") as name:
        rows = run(options, Path(name))
    table = Table("", *(row["what"] for row in rows))
    measures = dict.fromkeys(key for row in rows for key in row if key not in ("what", "stages"))
    for quantity in measures:
        table.add_row(quantity, *(shown(row.get(quantity, "")) for row in rows))
    Console(width=160).print(table)
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


def predicted(model: str, folder: Path, clips: list[Path]) -> Row:
    """When the last report will be ready, by stages measured on a clip of another street."""
    other = make_clips(folder / "other", 1, seed=OTHER_STREET, seconds=10)[0]
    scratch = folder / "stages"
    scratch.mkdir()
    # The workers of the run have started when the clips arrive.
    stages = replace(stages_of(measure(model, other, scratch, None)), start_s=0)
    found = predict(clips, stages)
    return {"what": "predicted", "wall_s": found["last_s"], "stages": asdict(stages)}


def shown(value: object) -> str:
    """A number as a table shows it."""
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def run(options: argparse.Namespace, folder: Path) -> list[Row]:
    """All that was asked for."""
    clips = make_clips(folder, options.clips)
    prediction = predicted(options.model, folder, clips) if options.predict else None
    (folder / "server").mkdir()
    server = VideoServer(
        folder / "server", options.model, workers=options.workers, more_accounts=options.streams
    )
    rows = [count_all(options.model, clips)]
    with server.start().running():
        server.wait_for_workers(options.workers)
        rows.append(upload_all(server, clips))
        rows[-1]["of_count"] = rows[-1]["fps"] / rows[0]["fps"]
        if prediction is not None:
            rows.insert(1, prediction)
            rows[-1]["of_predicted"] = rows[-1]["wall_s"] / prediction["wall_s"]
        if options.live:
            rows += live_rows(server, clips)
        if options.streams:
            for clip in clips[:4]:
                server.upload(clip, {"lines": [LINE], "any_class": True})
            rows.append(asyncio.run(open_streams(server, options.streams, 15.0)))
    return rows


if __name__ == "__main__":
    main()
