"""Objects that may be counted twice: a similar one was lost near there a short time earlier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import StateError
from .native import Handle, ffi, int64, lib


class PossibleReturns:
    """Which objects of a `TrackCounter` could be the same as one that was counted before.

    An object that leaves the frame, or is lost for too long, gets a new number when it returns. A
    new object could be the same if one of its class and a similar size was last seen near there at
    most `remember_s` earlier. Each lost object returns at most once.
    """

    def __init__(self, counter: Handle, num_classes: int) -> None:
        self._counter = counter
        self._num_classes = num_classes

    def numbers(self) -> npt.NDArray[np.int64]:
        """How many objects of this period could be, by class, (num_classes,) int64."""
        found = np.zeros(self._num_classes, np.int64)
        pointer = ffi.cast("int64_t *", found.ctypes.data)
        self._counter.call(lib.tally_counter_returned, pointer, self._num_classes)
        return found

    def save(self) -> dict[str, Any]:
        """Everything as JSON values."""
        numbers = self.numbers()
        return {
            "numbers": [[id, int(numbers[id])] for id in np.flatnonzero(numbers).tolist()],
            "seen": self._counter.all(lib.tally_counter_seen, "seen", _seen),
            "returns": self._counter.all(lib.tally_counter_returns, "return", _return),
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Resume from what `save` gave, after the counter itself.

        Raises:
            StateError: classes, times or boxes are out of range.
            ValueError, KeyError, TypeError: not such values.
        """
        numbers = ffi.new("int64_t[]", self._num_classes)
        for class_id, number in saved["numbers"]:
            if not 0 <= int(class_id) < self._num_classes:
                raise StateError(f"an object that may have returned is of class {class_id}")
            numbers[int(class_id)] = int64(int(number))
        seen = [
            (int64(int(track)), int64(int(time)), int(class_id), *map(float, (x1, y1, x2, y2)))
            for track, time, class_id, (x1, y1, x2, y2) in saved["seen"]
        ]
        returns = [
            (int64(int(lost)), int64(int(track)), int64(int(time)), int(class_id))
            for lost, (time, class_id, track) in saved["returns"]
        ]
        try:
            rows, pairs = ffi.new("tally_seen[]", seen), ffi.new("tally_return[]", returns)
        except OverflowError as error:
            raise StateError(f"an object that was seen: {error}") from None
        restore = lib.tally_counter_restore_returns
        self._counter.restore(
            restore, numbers, self._num_classes, rows, len(seen), pairs, len(returns)
        )


def _seen(one: Any) -> list[Any]:
    return [one.track_id, one.timestamp_ns, one.class_id, [one.x1, one.y1, one.x2, one.y2]]


def _return(one: Any) -> list[Any]:
    return [one.lost_track_id, [one.timestamp_ns, one.class_id, one.track_id]]
