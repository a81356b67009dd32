"""Events of objects whose class is not wanted: the core keeps them in case that it changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import StateError
from .events import EVENT_KINDS, event_values
from .native import Handle, ffi, int64, lib

_FIRST = 256  # events that are asked for at first


class WithheldEvents:
    """Events of classes that are not wanted, which a `TrackCounter` has withheld."""

    def __init__(self, counter: Handle) -> None:
        self._counter = counter
        self._capacity = _FIRST

    def save(self) -> list[list[Any]]:
        """The events as JSON values, by track, each after the time its object was last seen."""
        count = ffi.new("int32_t *")
        while True:
            found = ffi.new("tally_withheld[]", self._capacity)
            status = lib.tally_counter_withheld(self._counter.pointer, found, self._capacity, count)
            if status != lib.TALLY_BUFFER_TOO_SMALL:
                break
            self._capacity = 2 * count[0]
        self._counter.check(status)
        return [[one.seen_ns, *event_values(one.event)] for one in found[0 : count[0]]]

    def restore(self, saved: Iterable[list[Any]]) -> None:
        """Resume from what `save` gave, after the counter itself.

        Raises:
            StateError: classes, times or regions are out of range.
            ValueError, KeyError, TypeError: not such values.
        """
        try:
            events = ffi.new("tally_withheld[]", [_row(*values) for values in saved])
        except OverflowError as error:
            raise StateError(f"a withheld event: {error}") from None
        self._counter.restore(lib.tally_counter_restore_withheld, events, len(events))


def _row(seen_ns: int, kind: str, timestamp_ns: int, track_id: int, *values: float) -> Any:
    class_id, previous_class_id, place, x, y, confidence, age_s, dwell_s = values
    whole = (EVENT_KINDS.index(kind), int(class_id), int(previous_class_id), int(place))
    numbers = (float(one) for one in (x, y, confidence, age_s, dwell_s))
    return int64(int(seen_ns)), (int64(int(timestamp_ns)), int64(int(track_id)), *whole, *numbers)
