"""JSON with one item on each line."""

from __future__ import annotations

import json
import math
from typing import Any


def finite(value: Any) -> Any:
    """Infinity as null, which JSON can hold."""
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and math.isinf(value) else value


def lines(items: list[Any]) -> str:
    """A JSON array, one item on each line."""
    return (
        "[\n" + ",\n".join(json.dumps(finite(one), separators=(",", ":")) for one in items) + "\n]"
    )
