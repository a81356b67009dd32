"""Counts by name over time, in bins of the core, as reports show and saved counts hold them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.time_bins import Join
from ..core.time_bins import TimeBins as CoreBins
from .packing import pack, unpack
from .region import ClassCounts


class TimeBins:
    """Numbers by name, one set for each `seconds` of time that had any.

    Args:
        join: how two numbers of one name and bin are joined: `max` for what is there at once, `sum`
            for what happens one after the other.
        names: of the keys, by number. Keys of one name are shown together.
        maximum: at most so many bins are kept; the default are those of a day.
    """

    def __init__(self, join: Join, names: Sequence[str], maximum: int | None = None) -> None:
        self._names = tuple(names)
        self._join = np.maximum if join == "max" else np.add
        self._bins = CoreBins(join, maximum)

    @property
    def seconds(self) -> int:
        """Width of new bins."""
        return self._bins.numbers()[0]

    def add(self, time_s: float, keys: npt.NDArray[np.int32]) -> None:
        """Take what is there `time_s` seconds from the start: each key as often as it is there."""
        self._bins.add(time_s, keys)

    def __iter__(self) -> Iterator[tuple[float, ClassCounts]]:
        """(start of the bin in seconds, its numbers), in order of time."""
        _, rows = self._bins.numbers()
        joined = max if self._join is np.maximum else sum
        found: dict[int, ClassCounts] = {}
        columns = (rows[field].tolist() for field in ("start_s", "key", "number"))
        for start, key, number in zip(*columns, strict=True):
            here, name = found.setdefault(start, {}), self._names[key]
            here[name] = joined((here.get(name, 0), number))
        return ((float(start), numbers) for start, numbers in found.items())

    def __len__(self) -> int:
        return len(np.unique(self._bins.numbers()[1]["start_s"]))

    def save(self) -> dict[str, Any]:
        """Everything as JSON values of bounded size; old bins become wider."""
        self._bins.compact()
        width, rows = self._bins.numbers()
        starts, place = np.unique(rows["start_s"], return_inverse=True)
        # By column, which compresses to a third of the bins one by one.
        columns: dict[str, npt.NDArray[np.int64]] = {}
        for key in np.unique(rows["key"]).tolist():
            column = columns.setdefault(self._names[key], np.zeros(len(starts), np.int64))
            here = rows["key"] == key
            column[place[here]] = self._join(column[place[here]], rows["number"][here])
        steps = np.diff(starts // width, prepend=0).tolist()
        numbers = {name: columns[name].tolist() for name in sorted(columns)}
        return {"seconds": width, "bins": pack({"steps": steps, "numbers": numbers})}

    def restore(self, saved: dict[str, Any]) -> None:
        """Resume from what `save` gave, in this version or an earlier one.

        Raises:
            StateError: a time or number is out of range.
            ValueError, KeyError, TypeError: not such values, or of other names.
        """
        width = int(saved["seconds"])
        bins = unpack(saved["bins"])
        if isinstance(bins, dict):
            bins = _from_columns(bins)
        # The first of the keys of one name holds the number.
        key_of = {name: key for key, name in reversed(list(enumerate(self._names)))}
        self._bins.restore(
            width,
            [
                (int(index) * width, key_of[name], int(number))
                for index, numbers in bins
                for name, number in numbers.items()
            ],
        )


def _from_columns(saved: dict[str, Any]) -> Iterator[tuple[int, dict[str, int]]]:
    columns = saved["numbers"].items()
    for row, index in enumerate(accumulate(saved["steps"])):
        yield index, {name: int(column[row]) for name, column in columns if column[row]}
