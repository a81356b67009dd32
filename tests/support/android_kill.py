"""Kills the Android counter on a JVM again and again, and lets it resume; for `check killed`.

    python -m tests.support.android_kill COMMAND FOLDER

COMMAND is a JSON list, the start of a command that runs KillMain. After each kill the next process
starts where the last one was: what was counted since the last save is lost, as it is with a camera.
Prints the counts as a JSON document.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

FPS, SAVE_S, KILLS = 20, 5, 20
FRAMES = 140 * FPS


def run(command: list[str], state: Path, first: int, last: int) -> tuple[bool, int, int | None]:
    """Count until frame `last`, then kill: whether it resumed, the last frame, and the total."""
    limit = FRAMES if last >= FRAMES else FRAMES * 10
    arguments = [*command, str(state), str(first), str(limit)]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    resumed, frame, total = False, first - 1, None
    for line in process.stdout:
        if line.startswith("restored"):
            resumed = line.split()[1] == "true"
        elif line.startswith("crossed"):
            total = int(line.split()[1])
        else:
            frame = int(line)
        if frame >= last and last < FRAMES:
            process.kill()
            break
    for line in process.stdout:
        # Frames that were printed before the kill were counted.
        frame = int(line) if line.strip().isdigit() else frame
    process.wait()
    return resumed, frame, total


def main(command: list[str], folder: Path) -> dict[str, Any]:
    """All kills, then one run to the end, and one that was never killed."""
    state = folder / "killed.state"
    state.unlink(missing_ok=True)
    chance = random.Random(16)
    frame, lost, resumes = -1, 0, 0
    for _ in range(KILLS):
        resumed, frame, _ = run(command, state, frame + 1, frame + chance.randint(10, 9 * FPS))
        lost += frame % (SAVE_S * FPS)
        resumes += resumed
    resumed, _, total = run(command, state, frame + 1, FRAMES)
    whole = folder / "whole.state"
    whole.unlink(missing_ok=True)
    _, _, truth = run(command, whole, 0, FRAMES)
    return {
        "resumed": resumes + resumed,
        "killed": KILLS,
        "total": total,
        "truth": truth,
        "lost_s": lost / FPS,
    }


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]), Path(sys.argv[2]))))
