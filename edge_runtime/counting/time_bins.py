"""Counts over time in a bounded number of bins, whose width doubles when there are too many."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

MAX_BINS = 86_400  # a day of seconds


class TimeBins:
    """Numbers by name, one set for each `seconds` of time that had any.

    Args:
        join: combines two numbers of one name and bin: `max` for what is there at once, `sum`
            for what happens one after the other.
        maximum: at most so many bins are kept.
    """

    def __init__(self, join: Callable[[tuple[int, int]], int], maximum: int = MAX_BINS) -> None:
        self.seconds = 1
        self._join = join
        self._maximum = maximum
        self._bins: dict[int, dict[str, int]] = {}

    def add(self, time_s: float, numbers: dict[str, int]) -> None:
        """Add `numbers` at `time_s` seconds from the start."""
        self._merge(int(time_s // self.seconds), numbers)
        while len(self._bins) > self._maximum:
            self._widen()

    def _merge(self, index: int, numbers: dict[str, int]) -> None:
        here = self._bins.setdefault(index, {})
        for name, number in numbers.items():
            here[name] = self._join((here[name], number)) if name in here else number

    def _widen(self) -> None:
        self.seconds *= 2
        narrow, self._bins = self._bins, {}
        for index, numbers in narrow.items():
            self._merge(index // 2, numbers)

    def __iter__(self) -> Iterator[tuple[float, dict[str, int]]]:
        """(start of the bin in seconds, its numbers), in order of time."""
        return ((float(i * self.seconds), dict(self._bins[i])) for i in sorted(self._bins))

    def __len__(self) -> int:
        return len(self._bins)

    def save(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        return {"seconds": self.seconds, "bins": list(self._bins.items())}

    def restore(self, saved: dict[str, Any]) -> None:
        """Resume from what `save` gave."""
        self.seconds = int(saved["seconds"])
        self._bins = {int(index): dict(numbers) for index, numbers in saved["bins"]}
