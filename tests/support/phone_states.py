"""Hands a saved count around between Kotlin, Swift and Python; for `check states` of iOS.

    python -m tests.support.phone_states COMMANDS FOLDER

COMMANDS is a JSON object: the starts of the commands of `kotlin` (KillMain) and `swift` (Walk).
Each counts fifteen seconds of the scene of phone_walk, from what the one before saved. Prints the
totals after each turn beside those of a count that was never interrupted, as a JSON document.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.phone_walk import FPS, main, people, session

TURNS = ("kotlin", "swift", "python", "kotlin", "python", "swift", "kotlin")
FRAMES = 15 * FPS


def turn(command: list[str], state: Path, first: int, last: int) -> int:
    """One turn of a phone: how many crossed so far."""
    words = [*command, str(state), str(first), str(last)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    lines = done.stdout.splitlines()
    if lines[0] != f"restored {str(first > 0).lower()}":
        raise ValueError(f"the state was not taken: {lines[0]}")
    return int(lines[-1].removeprefix("crossed "))


def run(commands: dict[str, list[str]], folder: Path) -> dict[str, Any]:
    """All turns, and the totals at the same frames without them."""
    state = folder / "handed.state"
    state.unlink(missing_ok=True)
    whole = session(None)
    rows = []
    for number, name in enumerate(TURNS):
        # The last frame of a turn is one that is saved.
        first, last = (number * FRAMES + 1 if number else 0), (number + 1) * FRAMES
        if name == "python":
            total = main(state, first, last)
        else:
            total = turn(commands[name], state, first, last)
        for frame in range(first, last + 1):
            whole.update_detections(people(frame / FPS), frame / FPS)
        truth = whole.report().as_dict()["lines"][0]["in"]["person"]
        rows.append({"by": name, "total": total, "truth": truth})
    return {"turns": rows}


if __name__ == "__main__":
    print(json.dumps(run(json.loads(sys.argv[1]), Path(sys.argv[2]))))
