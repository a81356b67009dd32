"""The command that counts people in Kotlin (KillMain), as a JSON list; builds what it needs.

python -m tests.support.kotlin_walk
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

ANDROID = Path(__file__).resolve().parents[2] / "mobile_bindings" / "android"


def command() -> list[str]:
    """The start of the command: STATE FIRST_FRAME LAST_FRAME follow."""
    sys.path[:0] = [str(ANDROID), str(ANDROID.parent)]
    builds: Any = importlib.import_module("checks.builds")
    steps: Any = importlib.import_module("checks.kotlin_steps")
    steps.tests()
    words = builds.java_command(builds.native(), others=steps.cloud_jars())
    return [*map(str, words), "io.tallylens.jvm.KillMainKt"]


if __name__ == "__main__":
    print(json.dumps(command()))
