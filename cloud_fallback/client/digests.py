"""Are two models one?"""

from __future__ import annotations

import hashlib
from pathlib import Path


def digest_of(model: Path) -> str:
    """SHA-256 of a model's file, hexadecimal."""
    return hashlib.sha256(model.read_bytes()).hexdigest()
