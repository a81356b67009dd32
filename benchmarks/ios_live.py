"""A live run of the Swift counter on Linux: what became of the frames, and whether memory grows.

    python benchmarks/ios_live.py [--seconds 60] [--json]

A camera of 30 fps before a model of 80 ms, whose updates nobody reads. Each frame has to be
counted, dropped or skipped, and as many people to cross the line as when every frame is counted.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path
from typing import Any

MOBILE = Path(__file__).resolve().parent.parent / "mobile_bindings"
sys.path[:0] = [str(MOBILE), str(MOBILE / "ios")]

tools: Any = importlib.import_module("swift_checks.tools")


def run(seconds: float) -> dict[str, float]:
    """Numbers of frames and of people who crossed, and resident memory in KiB."""
    tools.package("build", "-c", "release", "--product", "TallyLensConformance")
    program = tools.BUILD / "package" / "release" / "TallyLensConformance"
    found: dict[str, float] = json.loads(tools.run([program, "live", seconds]))
    missing = found["offered"] - found["counted"] - found["dropped"] - found["skipped"]
    grown = found["late_kib"] - found["early_kib"]
    return {**found, "missing": missing, "grown_kib": grown}


def main() -> None:
    """Read the options, run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = run(options.seconds)
    if options.json:
        print(json.dumps(result))
        return
    for key, value in result.items():
        print(f"{key:10} {value:8.0f}")


if __name__ == "__main__":
    main()
