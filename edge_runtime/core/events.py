"""Events as the core gives them."""

from __future__ import annotations

from typing import Any, cast

from ..types import Event, EventKind
from .native import lib, names

EVENT_KINDS = cast(tuple[EventKind, ...], names(lib.tally_event_kind_name))


def event_values(one: Any) -> tuple[Any, ...]:
    """The fields of a `tally_event` in the order of `Event`, without the names."""
    return (
        EVENT_KINDS[one.kind],
        one.timestamp_ns,
        one.track_id,
        one.class_id,
        one.previous_class_id,
        one.region,
        one.x,
        one.y,
        one.confidence,
        one.age_s,
        one.dwell_s,
    )


def event(one: Any) -> Event:
    """A `tally_event`, without the names of its class and region."""
    return Event(*event_values(one))
