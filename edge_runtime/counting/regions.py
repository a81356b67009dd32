"""All kinds of regions in one table, from which counting, reports and drawings derive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .line import Line, LineReport
from .region import Point, Region, RegionReport, check_in_frame
from .zone import Zone, ZoneReport

__all__ = [
    "KIND_OF_EVENT",
    "REGIONS",
    "Line",
    "LineReport",
    "PlacedRegion",
    "Point",
    "Region",
    "RegionReport",
    "Zone",
    "ZoneReport",
    "place_regions",
    "read_reports",
    "reports_as_dict",
]

REGIONS: dict[str, type[Region]] = {region.kind: region for region in (Line, Zone)}
"""Each kind of region by its name, in the order of reports."""

KIND_OF_EVENT = {event: kind for kind, region in REGIONS.items() for event in region.event_kinds}
"""The kind of region that an event belongs to, by the event's kind."""


@dataclass(frozen=True)
class PlacedRegion:
    """A region in frames of one size.

    Attributes:
        index: its number among those of its kind, as events and the core know it.
        name: the user's, or `line 1`, `zone 2`, ...
        points: in pixels.
    """

    region: Region
    index: int
    name: str
    points: tuple[Point, ...]


def place_regions(
    regions: Iterable[Region], frame_size: tuple[int, int]
) -> tuple[PlacedRegion, ...]:
    """The regions in (width, height) frames, in the order of `REGIONS`."""
    order = {kind: number for number, kind in enumerate(REGIONS)}
    numbers: Counter[str] = Counter()
    placed = []
    for region in sorted(regions, key=lambda region: order[region.kind]):
        index = numbers[region.kind]
        numbers[region.kind] += 1
        name = region.name or f"{region.kind} {index + 1}"
        points = region.to_pixels(frame_size)
        # A line that is extended may be crossed far from its ends.
        if not region.parameters().get("extend"):
            check_in_frame(name, points, frame_size)
        placed.append(PlacedRegion(region, index, name, points))
    return tuple(placed)


def reports_as_dict(reports: Iterable[RegionReport]) -> dict[str, list[dict[str, Any]]]:
    """The regions' part of a report document: `{"lines": [...], "zones": [...]}`."""
    given = list(reports)
    return {
        region.plural: [one.as_dict() for one in given if one.kind == kind]
        for kind, region in REGIONS.items()
    }


def read_reports(document: Mapping[str, Any]) -> list[RegionReport]:
    """The reports whose `reports_as_dict` is part of `document`.

    Raises:
        KeyError, TypeError: not such a document.
    """
    return [
        region.read_report(one)
        for region in REGIONS.values()
        for one in document.get(region.plural, ())
    ]
