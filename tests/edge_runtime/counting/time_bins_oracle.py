"""Counts over time, written in Python: what the bins of the core are compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator

MAX_BINS = 86_400  # a day of seconds

HOUR, DAY = 3600, 86_400
# Width of saved bins in seconds by minimum age. A chart of the whole count has 120 bars: no bin is
# wider than a bar, and each width divides those of the bars.
WIDTH_BY_AGE = ((0, 1), (HOUR, 30), (DAY, 300), (5 * DAY, HOUR), (30 * DAY, 6 * HOUR))


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
        self._merged_to = 0

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
        self._merged_to //= 2
        narrow, self._bins = self._bins, {}
        for index, numbers in narrow.items():
            self._merge(index // 2, numbers)

    def __iter__(self) -> Iterator[tuple[float, dict[str, int]]]:
        """(start of the bin in seconds, its numbers), in order of time."""
        return ((float(i * self.seconds), dict(self._bins[i])) for i in sorted(self._bins))

    def __len__(self) -> int:
        return len(self._bins)

    def compact(self) -> None:
        """Merge bins into the first one of their saved width."""
        now = max(self._bins, default=0)
        if now - self._merged_to < 60 // self.seconds:
            return
        self._merged_to = now
        narrow, self._bins = self._bins, {}
        for index in sorted(narrow):
            age_s = (now - index) * self.seconds
            width_s = max(width for age, width in WIDTH_BY_AGE if age_s >= age)
            width = max(width_s // self.seconds, 1)
            self._merge(index - index % width, narrow[index])
