"""The Android counter on a live source that is faster than the model, on a desktop JVM.

    python benchmarks/android_live.py [--seconds 60] [--imgsz 1536] [--json]

The frames of street.mp4 (of TALLYLENS_DATA) at 30 per second, again and again, before YOLOv5n in
float32 with an input so large that it takes about 80 ms on one thread. Every frame offered is
counted, dropped or skipped; memory is that of one frame at a time. The crossings of a count of all
frames are shown beside those of the live one, which sees a third of the frames. Builds what it
needs with `mobile_bindings/android/check`.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
MOBILE = REPOSITORY / "mobile_bindings"
sys.path[:0] = [str(REPOSITORY), str(MOBILE), str(MOBILE / "android")]

from tallylens.edge_runtime.sources import open_source  # noqa: E402
from tallylens.edge_runtime.types import Image  # noqa: E402
from tests.support.frame_file import write_frames  # noqa: E402

builds: Any = importlib.import_module("checks.builds")
tools: Any = importlib.import_module("checks.tools")
DATA = Path(os.environ.get("TALLYLENS_DATA", REPOSITORY.parent / "shared" / "data"))
LINE = "0,0.6,1,0.6"
FPS = 30
# The heap and the allocator have their size by then.
SETTLED_S = 10


def slow_model(imgsz: int, folder: Path) -> Path:
    """YOLOv5n with a large input, converted."""
    command = [sys.executable, "-m", "tallylens", "convert", DATA / "models" / "yolov5n.pt"]
    command += ["--to", "tflite", "--imgsz", imgsz, "--no-verify", "-o", folder]
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    return next(folder.glob("*.tflite"))


def looped(seconds: int) -> Iterator[tuple[int, Image]]:
    """So many seconds of the video, from its start again at its end."""
    with open_source(str(DATA / "videos" / "street.mp4")) as source:
        images = [one.image.copy() for one in source]
    for number, image in enumerate(itertools.islice(itertools.cycle(images), seconds * FPS)):
        yield number * 1_000_000_000 // FPS, image


def jvm(main: str, frames: Path, model: Path) -> dict[str, Any]:
    """The document that a program of the desktop module prints."""
    command = [*builds.java_command(builds.native(), *builds.STEADY), f"io.tallylens.jvm.{main}Kt"]
    command += [frames, model, "--litert", tools.litert(), "--line", LINE]
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, check=True)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def measure(seconds: int, imgsz: int, folder: Path) -> dict[str, Any]:
    """One live run, and a run over all frames to compare with."""
    frames, model = folder / "street.tlfr", slow_model(imgsz, folder)
    write_frames(frames, looped(seconds))
    live, every = jvm("LiveMain", frames, model), jvm("CountMain", frames, model)
    resident = live["resident_bytes"][SETTLED_S:] or live["resident_bytes"]
    accounted = live["counted"] + live["dropped"] + live["skipped"]
    return {
        **{key: live[key] for key in ("offered", "counted", "dropped", "skipped", "told")},
        "adds_up": accounted == live["offered"],
        "inference_ms": live["report"]["speed"]["inference_ms"],
        "resident_growth_mib": (max(resident) - resident[0]) / 2**20,
        "crossings": crossings(live["report"]),
        "crossings_of_all_frames": crossings(every),
    }


def crossings(report: dict[str, Any]) -> dict[str, int]:
    """Crossings by direction."""
    return {way: sum(report["lines"][0][way].values()) for way in ("in", "out")}


def main() -> None:
    """Read the options, run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--imgsz", type=int, default=1536, help="side of the model's input")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        result = measure(options.seconds, options.imgsz, Path(name))
    if options.json:
        print(json.dumps(result))
        return
    for key, value in result.items():
        print(f"{key:24} {value:.2f}" if isinstance(value, float) else f"{key:24} {value}")


if __name__ == "__main__":
    main()
