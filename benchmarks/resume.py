"""Kill a count again and again, resume it each time, and compare it with an undisturbed one.

    python benchmarks/resume.py --model MODEL --video VIDEO [--kills 20] [--seed 1] [--json FILE]

SIGKILL at random moments; the totals, occupancy and event streams must be those of a run that
nobody disturbed.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PASSING = ("speed", "interrupted")


def command(options: argparse.Namespace, events: Path) -> list[str]:
    """`tallylens count` with a line and a zone."""
    program = [sys.executable, "-m", "tallylens", "count", str(options.video)]
    program += ["--model", str(options.model), "--line", "0,0.5,1,0.5", "--events", str(events)]
    return [*program, "--zone", "0.2,0.2,0.8,0.2,0.8,0.9,0.2,0.9", "--json"]


def run(program: list[str]) -> dict[str, Any]:
    """The document, without what depends on the machine."""
    done = subprocess.run(program, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    document = json.loads(done.stdout)
    return {name: value for name, value in document.items() if name not in PASSING}


def frames_in(state: Path) -> int:
    """How far the state file is."""
    if not state.exists():
        return 0
    return int(json.loads(state.read_bytes().split(b"\n", 1)[1])["frames"])


def kill_and_resume(
    options: argparse.Namespace, program: list[str], state: Path, frames: int
) -> list[int]:
    """Frames in the state file at each kill; the kills are spread over the video."""
    chance = random.Random(options.seed)
    frames_at_kills: list[int] = []
    for _ in range(options.kills):
        enough = frames_in(state) + chance.randint(1, max(1, frames // (options.kills + 2)))
        process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and frames_in(state) < enough:
            time.sleep(0.01)
        time.sleep(chance.random() * 0.2)
        if process.poll() is not None:
            raise SystemExit(f"it was done after {len(frames_at_kills)} kills: give a longer video")
        process.kill()
        process.wait()
        frames_at_kills.append(frames_in(state))
    return frames_at_kills


def main() -> None:
    """Kill, resume, compare."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        whole = run(command(options, work / "whole.jsonl"))
        state = work / "count.state"
        kept = [*command(options, work / "events.jsonl"), "--state", str(state)]
        kept += ["--state-every", "0.2"]
        places = kill_and_resume(options, kept, state, whole["frames"])
        resumed = run(kept)
        same_events = (work / "whole.jsonl").read_bytes() == (work / "events.jsonl").read_bytes()
    result = {
        "frames": whole["frames"],
        "killed after frames": places,
        "same totals": resumed == whole,
        "same events": same_events,
        "unique": whole["unique"],
    }
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2))
    if not (result["same totals"] and same_events):
        raise SystemExit("the resumed count differs")


if __name__ == "__main__":
    main()
