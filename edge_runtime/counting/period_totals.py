"""The totals of a span of time, as a scheduled reset closes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from .region import ClassCounts, RegionReport
from .regions import LineReport, ZoneReport, read_reports, reports_as_dict


@dataclass(frozen=True)
class PeriodTotals:
    """The totals of a span of time: objects by class, and those of each region.

    `others` are regions of kinds that have no field of their own.
    """

    unique: ClassCounts
    lines: tuple[LineReport, ...]
    zones: tuple[ZoneReport, ...]
    others: tuple[RegionReport, ...] = field(default=(), kw_only=True)

    @classmethod
    def of(cls, unique: ClassCounts, regions: Iterable[RegionReport], **more: Any) -> Self:
        """The totals of regions in any order; `more` are fields of a derived class."""
        return cls(unique=unique, **by_kind(regions), **more)

    @property
    def regions(self) -> tuple[RegionReport, ...]:
        """All regions, in the order of `REGIONS`."""
        return (*self.lines, *self.zones, *self.others)

    def as_dict(self) -> dict[str, Any]:
        """The totals' part of the report document."""
        return {"unique": self.unique, **reports_as_dict(self.regions)}


def by_kind(regions: Iterable[RegionReport]) -> dict[str, Any]:
    """The fields `lines`, `zones` and `others` of a report."""
    lines: list[LineReport] = []
    zones: list[ZoneReport] = []
    others: list[RegionReport] = []
    for region in regions:
        if isinstance(region, LineReport):
            lines.append(region)
        elif isinstance(region, ZoneReport):
            zones.append(region)
        else:
            others.append(region)
    return {"lines": tuple(lines), "zones": tuple(zones), "others": tuple(others)}


@dataclass(frozen=True)
class Period(PeriodTotals):
    """A period that a scheduled reset has closed; `start` and `end` are ISO 8601 in UTC."""

    start: str
    end: str

    def as_dict(self) -> dict[str, Any]:
        """The period's part of the report document."""
        return {"start": self.start, "end": self.end, **super().as_dict()}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Period:
        """The period whose `as_dict` gave `document`.

        Raises:
            KeyError, TypeError: not such a document.
        """
        return cls.of(
            dict(document["unique"]),
            read_reports(document),
            start=str(document["start"]),
            end=str(document["end"]),
        )
