"""Every file of vectors is what its maker writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[3] / "mobile_bindings" / "conformance"


def test_the_vectors_are_what_their_makers_write(tmp_path: Path) -> None:
    subprocess.run([sys.executable, FOLDER / "make.py", tmp_path], check=True, timeout=300)
    committed = {
        path.name: path.read_bytes()
        for path in FOLDER.glob("*.json")
        if not path.name.endswith(".schema.json")
    }
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert written.keys() == committed.keys()
    for name, content in committed.items():
        assert written[name] == content, name
