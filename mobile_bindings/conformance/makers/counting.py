"""counting.json: scenes with known truth, which every binding of the core must reproduce.

What is expected is written down from the scene, never taken from the core's output.
"""

from __future__ import annotations

import json
from typing import Any

from .scenes import crossings, evidence, identities, times, zones


def document(cases: list[dict[str, Any]]) -> str:
    """JSON with one paragraph per case and one line per frame."""
    parts = []
    for one in cases:
        frames = ",\n".join("   " + json.dumps(f, separators=(",", ":")) for f in one["frames"])
        head = ",\n".join(
            f"  {json.dumps(key)}: {json.dumps(value)}"
            for key, value in one.items()
            if key != "frames"
        )
        parts.append(f' {{\n{head},\n  "frames": [\n{frames}\n  ]\n }}')
    return '{"version": 1, "cases": [\n' + ",\n".join(parts) + "\n]}\n"


def text() -> str:
    """The file."""
    scenes = (crossings.crossings, identities.identities, times.times, zones.zones)
    return document([case for scene in (*scenes, evidence.evidence) for case in scene()])
