"""The branches of the Apple targets that their tests do not reach: those of older systems only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from step_runner.outcome import Outcome, require

from . import tools

TARGETS = ("TallyLensCoreML", "TallyLensCamera")
# How far above a branch the condition may be that only an older system takes.
NEAR = 2


def branches(folder: Path) -> Outcome:
    """Every branch was reached, but those of `#available`."""
    shown = tools.package("test", "--show-codecov-path", folder=folder, scratch="apple-build")
    document = json.loads(Path(shown.splitlines()[-1]).read_text(encoding="utf-8"))
    files = [one for one in document["data"][0]["files"] if _target(one["filename"]) in TARGETS]
    outcome = require(len(files) > 4, f"the coverage of {len(files)} files")
    for file in files:
        lines = Path(file["filename"]).read_text(encoding="utf-8").splitlines()
        for number in _missed(file["segments"]):
            near = lines[max(number - 1 - NEAR, 0) : number]
            place = f"{Path(file['filename']).name}:{number}"
            outcome += require(
                any("#available" in line for line in near), f"no test reaches {place}: {near[-1]}"
            )
    return outcome


def _target(file: str) -> str:
    return Path(file).parent.name


def _missed(segments: list[list[Any]]) -> Iterator[int]:
    """Lines where a region starts that was never run."""
    for line, _, count, has_count, is_entry, *is_gap in segments:
        if has_count and is_entry and count == 0 and not any(is_gap):
            yield line
