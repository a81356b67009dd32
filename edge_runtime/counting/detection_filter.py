"""Detections that are left out before tracking: in ignored zones, too small or too large."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..errors import UsageError
from .region import MAX_COORDINATE, Point, check_in_frame
from .zone import Zone


@dataclass(frozen=True)
class DetectionFilter:
    """Which detections are neither tracked nor counted, for frames of any size.

    The size of a detection is the side of a square of the same area, `sqrt(width * height)`.

    Attributes:
        ignore: zones; a detection whose anchor point is inside one is left out.
        min_size, max_size: smaller and larger detections are left out: a fraction of the frame's
            shorter side if <= 1, else pixels; None sets no bound.
    """

    ignore: tuple[Zone, ...] = ()
    min_size: float | None = None
    max_size: float | None = None

    def __bool__(self) -> bool:
        return bool(self.ignore) or self.min_size is not None or self.max_size is not None

    def check(self) -> None:
        """Raise UsageError for zones without an area, and for sizes that no object has."""
        for zone in self.ignore:
            zone.check()
            if zone.min_dwell_s:
                raise UsageError("an ignored zone has no dwell time", "Omit dwell= there")
        for name, size in (("minimum", self.min_size), ("maximum", self.max_size)):
            if size is not None and not 0 < size <= MAX_COORDINATE:
                raise UsageError(
                    f"the {name} size is {size:g}",
                    "Use a fraction of the frame's shorter side, or pixels",
                )

    def place(self, frame_size: tuple[int, int]) -> PlacedFilter:
        """The filter in pixels of (width, height) frames.

        Raises:
            UsageError: a zone outside the frame; a minimum size above the maximum.
        """
        zones = []
        for number, zone in enumerate(self.ignore, 1):
            name = zone.name or f"ignored zone {number}"
            points = zone.to_pixels(frame_size)
            check_in_frame(name, points, frame_size)
            zones.append((name, points))
        smallest, largest = (_pixels(size, frame_size) for size in (self.min_size, self.max_size))
        if smallest is not None and largest is not None and smallest > largest:
            raise UsageError(
                f"the minimum size, {smallest:g} pixels, is above the maximum, {largest:g}",
                "Swap them",
            )
        return PlacedFilter(tuple(zones), smallest, largest)


def _pixels(size: float | None, frame_size: tuple[int, int]) -> float | None:
    return size * min(frame_size) if size is not None and size <= 1 else size


@dataclass(frozen=True)
class PlacedFilter:
    """A filter in frames of one size.

    Attributes:
        zones: name and corners in pixels of each ignored zone.
        min_size, max_size: in pixels; None sets no bound.
    """

    zones: tuple[tuple[str, tuple[Point, ...]], ...] = ()
    min_size: float | None = None
    max_size: float | None = None

    def sizes(self) -> dict[str, float]:
        """The bounds that are set, by the name of the core's option."""
        bounds = {"min_size": self.min_size, "max_size": self.max_size}
        return {name: size for name, size in bounds.items() if size is not None}

    def as_dict(self) -> dict[str, Any]:
        """The filter's part of the report document, in pixels; empty without a filter."""
        zones = [
            {"name": name, "points": [[round(x, 2), round(y, 2)] for x, y in points]}
            for name, points in self.zones
        ]
        sizes = {name: round(size, 2) for name, size in self.sizes().items()}
        return {**({"ignore": zones} if zones else {}), **sizes}


NO_FILTER = DetectionFilter()


def detection_filter(
    ignore: Iterable[Zone], min_size: float | None, max_size: float | None
) -> DetectionFilter:
    """The filter of these arguments of `Counter`, checked.

    Raises:
        UsageError: as `DetectionFilter.check` raises it.
    """
    found = DetectionFilter(tuple(ignore), min_size, max_size)
    found.check()
    return found
