"""Every counting rule of the core has its class in Python, with the same totals and events."""

from __future__ import annotations

from tallylens.edge_runtime.core.native import ffi, lib, names
from tallylens.edge_runtime.core.track_counter import EVENT_KINDS, REGION_KINDS
from tallylens.edge_runtime.counting.regions import KIND_OF_EVENT, REGIONS


def test_the_kinds_are_those_of_the_core() -> None:
    assert tuple(REGIONS) == REGION_KINDS


def test_events_belong_to_the_kinds_that_the_core_says() -> None:
    for number, event in enumerate(EVENT_KINDS):
        kind = lib.tally_event_region_kind(number)
        assert KIND_OF_EVENT.get(event) == (ffi.string(kind).decode() if kind else None)


def test_decisive_totals_are_totals_of_the_core() -> None:
    for kind, region in REGIONS.items():
        assert region.decisive
        assert set(region.decisive) <= set(names(lib.tally_region_total_name, kind.encode()))
