"""Every counting rule of the core has its class in Python, with the same totals and events."""

from __future__ import annotations

from tallylens import Line, Zone
from tallylens.edge_runtime.core.native import ffi, lib
from tallylens.edge_runtime.core.track_counter import EVENT_KINDS, REGION_KINDS
from tallylens.edge_runtime.counting.regions import KIND_OF_EVENT, REGIONS, Region
from tallylens.edge_runtime.counting.totals import Totals
from tests.support.detections import detections


def test_the_kinds_are_those_of_the_core() -> None:
    assert tuple(REGIONS) == REGION_KINDS


def test_events_belong_to_the_kinds_that_the_core_says() -> None:
    for number, event in enumerate(EVENT_KINDS):
        kind = lib.tally_event_region_kind(number)
        assert KIND_OF_EVENT.get(event) == (ffi.string(kind).decode() if kind else None)


def test_every_kind_is_told_from_its_zero() -> None:
    """A region without any event is found by the core, and its class has words for it."""
    regions: dict[str, Region] = {
        "line": Line(0, 9, 9, 9),
        "zone": Zone(((0, 8), (9, 8), (9, 9))),
    }
    for kind, region in regions.items():
        totals = Totals(("car",), (100, 100), regions=[region])
        for index in range(20):
            totals.add(index * 100_000_000, detections((40, 40 + index, 60, 60 + index, 0.9, 0)))
        (reason,) = totals.explanations()
        assert reason.startswith(f"{kind} 1: no ")
    assert regions.keys() == REGIONS.keys()
