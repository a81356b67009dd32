"""ignored.json: scenes like those of `counting.json` with ignored areas and limits of size."""

from __future__ import annotations

from .counting import document
from .scenes import ignored


def text() -> str:
    """The file."""
    return document(ignored.ignored())
