"""The Android counter on a live source that is faster than the model, on a desktop JVM.

    python benchmarks/android_live.py [--seconds 60] [--busy-ms 80] [--json]

The demo's street at 30 frames per second, each frame held up as by a model that takes 80 ms. Every
frame offered is counted, dropped or skipped; the crossings are those of all frames; memory is that
of one frame at a time. Builds what it needs with `mobile_bindings/android/check`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
MOBILE = REPOSITORY / "mobile_bindings"
sys.path[:0] = [str(REPOSITORY), str(MOBILE), str(MOBILE / "android")]

from tallylens.built_in import DEMO  # noqa: E402
from tallylens.demo.scene import Scene  # noqa: E402
from tallylens.demo.source import open_scene  # noqa: E402
from tests.support.frame_file import write_frames  # noqa: E402

builds: Any = importlib.import_module("checks.builds")
tools: Any = importlib.import_module("checks.tools")
LINE = "0.5,0,0.5,1"
# The heap and the allocator have their size by then.
SETTLED_S = 10


def jvm(main: str, frames: Path, *options: object) -> dict[str, Any]:
    """The document that a program of the desktop module prints."""
    command = [*builds.java_command(builds.native(), *builds.STEADY), f"io.tallylens.jvm.{main}Kt"]
    command += [frames, DEMO.path, "--litert", tools.litert(), "--line", LINE, *options]
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, check=True)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def measure(seconds: int, busy_ms: int, folder: Path) -> dict[str, Any]:
    """One live run, and a run over all frames to compare with."""
    frames = folder / "street.tlfr"
    with open_scene(Scene(1, (640, 360), 30, seconds)) as source:
        write_frames(frames, ((one.timestamp_ns, one.image[::2, ::2]) for one in source))
    every = jvm("CountMain", frames)
    live = jvm("LiveMain", frames, "--busy-ms", busy_ms)
    resident = live["resident_bytes"][SETTLED_S:] or live["resident_bytes"]
    accounted = live["counted"] + live["dropped"] + live["skipped"]
    return {
        **{key: live[key] for key in ("offered", "counted", "dropped", "skipped", "told")},
        "adds_up": accounted == live["offered"],
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
    parser.add_argument("--busy-ms", type=int, default=80)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        result = measure(options.seconds, options.busy_ms, Path(name))
    if options.json:
        print(json.dumps(result))
        return
    for key, value in result.items():
        print(f"{key:24} {value:.2f}" if isinstance(value, float) else f"{key:24} {value}")


if __name__ == "__main__":
    main()
