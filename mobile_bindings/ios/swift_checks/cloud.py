"""The client of the cloud: a real server over TLS, through a link with faults."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from step_runner.outcome import Outcome, require

from . import tools

# All seeds with all frames are for `benchmarks/ios_offload.py`.
RUNS = ("cloud:0", "cloud:1", "offload:1", "auto:0", "still:0")


def cloud() -> Outcome:
    """The counts are those of a local detector, whatever happens on the way to the server."""
    tools.package("build", "--product", "TallyLensConformance")
    result = runs(tools.BUILD / "package" / "debug" / "TallyLensConformance", RUNS)
    outcome = Outcome()
    for row in result["runs"]:
        outcome += require(not row["problem"], f"{row['run']}: {row['problem']}")
        note = f"{row['run']}: {row['frames']}, {row['connections']} connections"
        outcome += Outcome(notes=(f"{note}, {row['seconds']} s",))
    return outcome


def runs(program: Path, wanted: Sequence[str]) -> dict[str, list[dict[str, str]]]:
    """The document of `tests.support.ios_cloud`."""
    folder = tools.BUILD / "cloud"
    folder.mkdir(parents=True, exist_ok=True)
    words = [
        tools.PYTHON,
        "-m",
        "tests.support.ios_cloud",
        program,
        tools.litert(),
        folder,
        *wanted,
    ]
    path = os.pathsep.join([str(tools.REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])])
    shown = tools.run(words, cwd=tools.REPOSITORY, env={**os.environ, "PYTHONPATH": path})
    document: dict[str, list[dict[str, str]]] = json.loads(shown.splitlines()[-1])
    return document
