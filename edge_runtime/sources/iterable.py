"""Frames from the caller: any iterable of (timestamp in nanoseconds, image)."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..errors import SourceError, TimestampError
from ..types import Frame, Image
from .source import Source

NAME = "frames"
GIVE_PAIRS = "Pass pairs of (timestamp in ns as int, (height, width, 3) uint8 BGR image)"


def open_iterable(pairs: Iterable[tuple[int, Image]], start: int = 0) -> Source:
    """The frames of `pairs`, read in the caller's thread, one at a time.

    Args:
        pairs: (capture time in nanoseconds, later than the one before; BGR image).
        start: number of pairs to skip.

    Raises:
        SourceError: no pairs, or an item that is not one; also raised while iterating.
        TimestampError: a timestamp does not increase; also raised while iterating.
    """
    reader = IterableReader(pairs, start)
    total = len(pairs) if isinstance(pairs, list | tuple) else None
    return Source(reader, name=NAME, size=reader.size, frames_total=total)


class IterableReader:
    """Reads and checks pairs of an iterable; see `Reader`."""

    dropped = 0

    def __init__(self, pairs: Iterable[tuple[int, Image]], start: int = 0) -> None:
        self._pairs: Iterator[Any] = iter(pairs)
        self._previous_ns: int | None = None
        self._index = 0
        self._first = self._next()
        if self._first is None:
            raise SourceError(NAME, "the iterable is empty", GIVE_PAIRS)
        height, width = self._first.image.shape[:2]
        self.size = (width, height)
        self._start = start

    def read(self) -> Frame | None:
        """The next checked frame; None at the end."""
        while True:
            frame = self._first or self._next()
            self._first = None
            if frame is None or frame.index >= self._start:
                return frame

    def close(self) -> None:
        """Close the caller's generator, so that its cleanup runs."""
        close = getattr(self._pairs, "close", None)
        if callable(close):
            close()

    def _next(self) -> Frame | None:
        for pair in self._pairs:
            frame = self._check(pair)
            self._previous_ns = frame.timestamp_ns
            self._index += 1
            return frame
        return None

    def _check(self, pair: Any) -> Frame:
        try:
            timestamp, image = pair
            timestamp_ns = operator.index(timestamp)
        except (TypeError, ValueError) as error:
            raise SourceError(f"frame {self._index}", "not a pair", GIVE_PAIRS) from error
        if not is_picture(image):
            raise SourceError(f"frame {self._index}", "not a BGR image", GIVE_PAIRS)
        if self._previous_ns is not None and timestamp_ns <= self._previous_ns:
            raise TimestampError(timestamp_ns, self._previous_ns)
        return Frame(np.ascontiguousarray(image), timestamp_ns, self._index)


def is_picture(image: Any) -> bool:
    """Whether `image` is a non-empty (height, width, 3) uint8 array."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3:
        return False
    return image.shape[2] == 3 and image.size > 0
