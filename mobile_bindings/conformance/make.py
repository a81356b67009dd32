"""Writes the vectors of this folder, each file from the module of `makers/` with its name.

    python mobile_bindings/conformance/make.py [FOLDER]

FOLDER is where they are written instead. Expected values come from scenes, from `oracles/` and by
hand, never from the core.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent
KINDS = ("counting", "ignored", "preprocess", "decode", "metadata", "governor", "offload")


def main() -> None:
    """Write every file."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    for kind in KINDS:
        text = import_module(f"makers.{kind}").text()
        json.loads(text)
        (folder / f"{kind}.json").write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
