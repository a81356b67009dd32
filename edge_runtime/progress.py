"""The type of callbacks that report the progress of long-running work."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, float | None], None]
"""Called with the stage's name and the fraction of it that is done, 0..1, or None if unknown."""


def no_progress(stage: str, done: float | None) -> None:
    """A `Progress` that reports nothing."""
