"""Events of objects whose class is not wanted: the core keeps them in case that it changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import StateError
from .events import EVENT_KINDS, event_values
from .native import Handle, ffi, int64, lib


class WithheldEvents:
    """Events of classes that are not wanted, which a `TrackCounter` has withheld."""

    def __init__(self, counter: Handle) -> None:
        self._counter = counter

    def save(self) -> list[list[Any]]:
        """The events as JSON values, by track, each after the time its object was last seen."""
        return self._counter.all(lib.tally_counter_withheld, "withheld", _values)

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


def _values(one: Any) -> list[Any]:
    return [one.seen_ns, *event_values(one.event)]


def _row(seen_ns: int, kind: str, timestamp_ns: int, track_id: int, *values: float) -> Any:
    class_id, previous_class_id, place, x, y, confidence, age_s, dwell_s = values
    whole = (EVENT_KINDS.index(kind), int(class_id), int(previous_class_id), int(place))
    numbers = (float(one) for one in (x, y, confidence, age_s, dwell_s))
    return int64(int(seen_ns)), (int64(int(timestamp_ns)), int64(int(track_id)), *whole, *numbers)
