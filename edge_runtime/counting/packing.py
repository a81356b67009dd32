"""Packed values: JSON, compressed to text that fits into a saved count."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

MAX_BYTES = 64 << 20


def pack(values: Any) -> str:
    """JSON values as base64 of their compressed text."""
    text = json.dumps(values, separators=(",", ":")).encode()
    return base64.b64encode(zlib.compress(text, 6)).decode()


def unpack(packed: Any) -> Any:
    """The values that were packed; others, as earlier versions saved them, are returned as is.

    Raises:
        ValueError: damaged, or of more than MAX_BYTES.
    """
    if not isinstance(packed, str):
        return packed
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(base64.b64decode(packed), MAX_BYTES)
    except zlib.error as error:
        raise ValueError("not compressed values") from error
    if not unpacker.eof:
        raise ValueError("more values than a saved count has")
    return json.loads(text)
