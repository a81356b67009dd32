"""Events of wanted classes, chosen in Python: what those of the core are compared with."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import fields, replace
from typing import Any

from tallylens.edge_runtime.types import Event, Tracks

FIRST_LIMIT = 1024
# The fields that the core gives; the names are added later.
FIELDS = [one.name for one in fields(Event) if one.name not in ("class_name", "region")]


class WantedEvents:
    """Passes the events of objects while their class is wanted, and withholds the others.

    When an object becomes one of a wanted class, its totals move there with everything that it did
    in this period. Its withheld events then follow under the new class, before `reclassified`.

    Args:
        wanted: ids of the classes that are counted.
        forget_s: seconds after which an object that was not seen cannot return.
    """

    def __init__(self, wanted: Collection[int], forget_s: float) -> None:
        self._wanted = frozenset(wanted)
        self._forget_ns = round(forget_s * 1e9)
        self._events: dict[int, list[Event]] = {}
        self._seen_ns: dict[int, int] = {}
        self._limit = FIRST_LIMIT

    def choose(self, events: Iterable[Event]) -> list[Event]:
        """The events that concern the totals of wanted classes."""
        chosen: list[Event] = []
        for event in events:
            chosen += self._choose(event)
        return chosen

    def _choose(self, event: Event) -> list[Event]:
        now, before = event.class_id in self._wanted, event.previous_class_id in self._wanted
        if event.kind == "reclassified":
            if not now:
                return [event] if before else []
            withheld = self._events.pop(event.track_id, [])
            self._seen_ns.pop(event.track_id, None)
            return [*(replace(one, class_id=event.class_id) for one in withheld), event]
        if now:
            return [event]
        self._events.setdefault(event.track_id, []).append(event)
        self._seen_ns.setdefault(event.track_id, event.timestamp_ns)
        return []

    def note(self, tracks: Tracks, now_ns: int) -> None:
        """Note which objects are in the frame, and forget those that cannot return."""
        if not self._events:
            return
        for track_id in tracks.track_id.tolist():
            if track_id in self._seen_ns:
                self._seen_ns[track_id] = now_ns
        if len(self._events) > self._limit:
            self._forget(now_ns)
            self._limit = max(FIRST_LIMIT, 2 * len(self._events))

    def _forget(self, now_ns: int) -> None:
        for track_id, seen_ns in list(self._seen_ns.items()):
            if now_ns - seen_ns > self._forget_ns:
                del self._seen_ns[track_id], self._events[track_id]

    def clear(self) -> None:
        """A period has ended: what happened in it is final."""
        self._events.clear()
        self._seen_ns.clear()

    def save(self) -> list[list[Any]]:
        """The withheld events as JSON values, each after the time its object was last seen."""
        return [
            [self._seen_ns[track_id], *(getattr(event, name) for name in FIELDS)]
            for track_id, events in self._events.items()
            for event in events
        ]
